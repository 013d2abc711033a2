//! The templates of bodies and answers, and whether a body fits its size.

use crate::plan::context::Context;
use crate::plan::pattern::Pattern;
use crate::plan::template::{Part, Template};
use crate::scenario::actors::{Producer, Worker};
use crate::scenario::collect::Collector;
use crate::scenario::decode::Located;
use crate::scenario::mistake::{Mistake, Whole, list, meant};
use crate::scenario::node::At;

/// A body longer than this is refused, as RabbitMQ would.
const MAX_BYTES: u64 = 512 << 20;
/// Patterns that repeat together within so many messages are looked at one by one.
const MAX_PERIOD: u64 = 10_000;

/// The template of a producer's body, with the variables filled in.
pub fn of_producer(
    producer: &Located<Producer>,
    context: &Context,
    found: &mut Collector,
) -> Option<Template> {
    let Some(body) = &producer.body else { return Some(Template::default()) };
    let names = Names {
        what: "the body",
        owner: producer.at,
        dots: producer.dots.is_some(),
        no_dots: (
            "the producer has no `dots`",
            "add `dots: [1, 2, 3]`, how many dots each message has",
        ),
        context,
    };
    template(body, &names, found)
}

/// The template of a worker's answer: its names are those of the request.
pub fn of_reply(
    worker: &Located<Worker>,
    context: &Context,
    found: &mut Collector,
) -> Option<Option<Template>> {
    let Some(reply) = &worker.reply else { return Some(None) };
    let producers = &context.file.producers;
    let names = Names {
        what: "the reply",
        owner: worker.at,
        dots: producers.iter().any(|producer| producer.dots.is_some()),
        no_dots: (
            "no producer has `dots`",
            "give the producer of the requests `dots`, or leave `{dots}` out",
        ),
        context,
    };
    template(reply, &names, found).map(Some)
}

/// What a template may name.
struct Names<'a, 'f> {
    /// What the template is, in messages.
    what: &'static str,
    /// The entry that it belongs to.
    owner: At,
    /// Whether `{dots}` means something, and if not, why not and what to do.
    dots: bool,
    no_dots: (&'static str, &'static str),
    context: &'a Context<'f>,
}

fn template(text: &Located<String>, names: &Names, found: &mut Collector) -> Option<Template> {
    let mut template = Template::default();
    let mut rest = text.value.as_str();
    let mut fine = true;
    while let Some(start) = rest.find(['{', '}']) {
        push_text(&mut template, &rest[..start]);
        rest = &rest[start..];
        if let Some(after) = rest.strip_prefix("{{").or(rest.strip_prefix("}}")) {
            push_text(&mut template, &rest[..1]);
            rest = after;
            continue;
        }
        let name = rest.strip_prefix('{').and_then(|rest| rest.split_once('}'));
        let Some((name, after)) = name.filter(|(name, _)| !name.contains('{')) else {
            let message = format!("{} has a single `{}`", names.what, &rest[..1]);
            let help = "write `{{` and `}}` for braces, and `{n}` for the number of the message";
            found.push(Mistake::new(text.at, message).help(help));
            return None;
        };
        match part(name, text.at, names) {
            Ok(Part::Text(text)) => push_text(&mut template, &text),
            Ok(part) => template.parts.push(part),
            Err(mistake) => {
                found.push(*mistake);
                fine = false;
            }
        }
        rest = after;
    }
    push_text(&mut template, rest);
    fine.then_some(template)
}

fn push_text(template: &mut Template, text: &str) {
    match template.parts.last_mut() {
        _ if text.is_empty() => {}
        Some(Part::Text(last)) => last.push_str(text),
        _ => template.parts.push(Part::Text(text.to_owned())),
    }
}

fn part(name: &str, at: At, names: &Names) -> Result<Part, Box<Mistake>> {
    let (what, context) = (names.what, names.context);
    match name {
        "n" => Ok(Part::Number),
        "producer" => Ok(Part::Producer),
        "dots" if names.dots => Ok(Part::Dots),
        "dots" => {
            let (why, help) = names.no_dots;
            let text = format!("{what} has `{{dots}}`, and {why}");
            let mistake = Mistake::new(at, text).needs(Whole::Node(names.owner));
            Err(Box::new(mistake.needs(Whole::All(&["producers"])).help(help)))
        }
        _ => context.text_of(name).map(Part::Text).ok_or_else(|| {
            let mistake = Mistake::new(at, format!("{what} has `{{{name}}}`, which is not known"))
                .needs(Whole::Names(&["vars"]));
            let known =
                || ["n", "dots", "producer"].into_iter().chain(context.cell.variables.names());
            Box::new(match meant(name, known()) {
                Some(meant) => mistake.help(format!("did you mean `{{{meant}}}`?")),
                None => mistake.help(format!(
                    "it can have {}; braces are `{{{{` and `}}}}`",
                    list(known(), "and")
                )),
            })
        }),
    }
}

/// Checks that no body of an instance is longer than its `size`, or than any broker takes.
pub fn check_length(producer: &Located<Producer>, lengths: &Lengths, found: &mut Collector) {
    let at =
        producer.size.as_ref().map(|size| size.at).or(producer.body.as_ref().map(|body| body.at));
    let at = at.unwrap_or(producer.at);
    let Some((n, length, size)) = lengths.longest_overrun(producer.messages.value.0) else {
        return;
    };
    let name = &producer.name.value.0;
    let mistake = match size {
        Some(size) => Mistake::new(
            at,
            format!("the body of message {n} of `{name}` can have {length} bytes, more than its size of {size}"),
        )
        .help("`size` pads a body and never cuts it; make it larger, or the body shorter"),
        None => Mistake::new(at, format!("the body of message {n} of `{name}` can have {length} bytes"))
            .help("RabbitMQ takes at most 512 MiB in one message; use fewer dots"),
    };
    found.push(mistake);
}

/// What decides how long the bodies of an instance are.
pub struct Lengths<'p> {
    /// Bytes that every body has.
    fixed: u64,
    numbers: u64,
    dots_parts: u64,
    dots: Option<&'p Pattern<u64>>,
    size: Option<&'p Pattern<u64>>,
}

impl<'p> Lengths<'p> {
    pub fn new(
        template: &Template,
        producer: &str,
        dots: Option<&'p Pattern<u64>>,
        size: Option<&'p Pattern<u64>>,
    ) -> Self {
        let bytes = |text: &str| u64::try_from(text.len()).expect("a text fits in 64 bits");
        let mut lengths = Self { fixed: 0, numbers: 0, dots_parts: 0, dots, size };
        for part in &template.parts {
            match part {
                Part::Text(text) => lengths.fixed += bytes(text),
                Part::Producer => lengths.fixed += bytes(producer),
                Part::Number => lengths.numbers += 1,
                Part::Dots => lengths.dots_parts += 1,
            }
        }
        lengths
    }

    /// A message whose body can be too long: its number, its length and its size, if it has one.
    ///
    /// What is drawn is taken as long as it can be drawn. Otherwise the length depends on the
    /// number of digits and the place in the cycles, so that within the numbers of equal digits
    /// the first and the last round of the cycles decide: `dots` and `size` may grow with the
    /// number (`index`), but each only in one direction.
    fn longest_overrun(&self, messages: u64) -> Option<(u64, u64, Option<u64>)> {
        let together = least_common_multiple(period(self.dots), period(self.size));
        let coarse = together > MAX_PERIOD;
        let period = if coarse { 1 } else { together };
        let mut first = 1;
        while first <= messages {
            let last = first.saturating_mul(10).saturating_sub(1).min(messages);
            let head = first..=last.min(first + period - 1);
            let tail = last.saturating_sub(period - 1).max(first)..=last;
            if let Some(overrun) = head.chain(tail).find_map(|n| self.overrun(n, coarse)) {
                return Some(overrun);
            }
            first = first.saturating_mul(10);
        }
        None
    }

    /// `coarse` takes of a cycle the longest as well.
    fn overrun(&self, n: u64, coarse: bool) -> Option<(u64, u64, Option<u64>)> {
        let digits = u64::from(n.ilog10()) + 1;
        let dots = self.dots.map_or(0, |pattern| bounds(pattern, n, coarse).1);
        let length = self.fixed + self.numbers * digits + self.dots_parts.saturating_mul(dots);
        let size = self.size.map(|pattern| bounds(pattern, n, coarse).0);
        let longest = size.unwrap_or(MAX_BYTES);
        (length > longest).then_some((n, length, size))
    }
}

fn period(pattern: Option<&Pattern<u64>>) -> u64 {
    match pattern {
        Some(Pattern::Cycle(values)) => u64::try_from(values.len()).unwrap_or(u64::MAX),
        _ => 1,
    }
}

fn least_common_multiple(a: u64, b: u64) -> u64 {
    let (mut high, mut low) = (a, b);
    while low > 0 {
        (high, low) = (low, high % low);
    }
    (a / high).saturating_mul(b)
}

/// The least and the greatest value that message `n` can have.
fn bounds(pattern: &Pattern<u64>, n: u64, coarse: bool) -> (u64, u64) {
    let ends = |values: &mut dyn Iterator<Item = u64>| {
        values.fold((u64::MAX, 0), |(low, high), value| (low.min(value), high.max(value)))
    };
    match pattern {
        Pattern::Always(value) => (*value, *value),
        Pattern::Index => (n, n),
        Pattern::Range(low, high) => (*low, *high),
        Pattern::Random(values) => ends(&mut values.iter().copied()),
        Pattern::Weighted(values) => {
            ends(&mut values.iter().filter(|(_, weight)| *weight > 0).map(|(value, _)| *value))
        }
        Pattern::Cycle(values) => {
            if coarse {
                return ends(&mut values.iter().copied());
            }
            let len = u64::try_from(values.len()).expect("a list fits in 64 bits");
            let value = values[usize::try_from((n - 1) % len).expect("it is below the length")];
            (value, value)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::random::Stream;

    fn template() -> Template {
        Template { parts: vec![Part::Text("#".into()), Part::Number, Part::Dots] }
    }

    /// The first message whose body is too long, by looking at all of them.
    fn looked_at_all(dots: Option<&Pattern<u64>>, size: &Pattern<u64>, messages: u64) -> bool {
        let stream = Stream::new(1, "unused");
        let mut out = Vec::new();
        (1..=messages).any(|n| {
            let dots = dots.map_or(0, |dots| dots.at(stream, n));
            template().render(n, dots, "p", None, &mut out);
            u64::try_from(out.len()).unwrap() > size.at(stream, n)
        })
    }

    #[test]
    fn the_short_look_finds_what_the_long_look_finds() {
        let patterns = [
            Pattern::Always(3_u64),
            Pattern::Always(5),
            Pattern::Always(1004),
            Pattern::Cycle(vec![4, 5, 6]),
            Pattern::Cycle(vec![9, 7]),
            Pattern::Cycle(vec![0, 1, 2, 3, 4, 5, 6]),
            Pattern::Index,
        ];
        for dots in [None].into_iter().chain(patterns.iter().map(Some)) {
            for size in &patterns {
                for messages in [1, 2, 9, 10, 11, 99, 100, 999, 1000, 1001, 1234] {
                    let template = template();
                    let lengths = Lengths::new(&template, "p", dots, Some(size));
                    let short = lengths.longest_overrun(messages).is_some();
                    let long = looked_at_all(dots, size, messages);
                    assert_eq!(short, long, "{dots:?} {size:?} {messages}");
                }
            }
        }
    }

    #[test]
    fn ten_million_messages_take_no_time() {
        let size = Pattern::Always(16);
        let template = template();
        let lengths = Lengths::new(&template, "p", None, Some(&size));
        assert_eq!(lengths.longest_overrun(4_294_967_295), None);
        let size = Pattern::Always(8);
        let lengths = Lengths::new(&template, "p", None, Some(&size));
        assert_eq!(lengths.longest_overrun(4_294_967_295), Some((10_000_000, 9, Some(8))));
    }
}
