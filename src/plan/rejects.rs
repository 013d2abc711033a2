//! What a worker refuses, as meant.

use crate::plan::matcher::Share;
use crate::plan::model::{Refusal, Reject, Which};
use crate::scenario::actors::{self as written, Ack, Using, Worker};
use crate::scenario::collect::Collector;
use crate::scenario::decode::Located;
use crate::scenario::mistake::{Mistake, Whole};

const FORMS: &str = "write `messages: [3, 7]`, `every: 5` or `share: 10%`";

/// The rejections of a worker, in the order of the file; all mistakes are recorded.
pub fn plan(entry: &Located<Worker>, found: &mut Collector) -> Vec<Reject> {
    let Some(rejects) = entry.reject.as_ref().filter(|rejects| !rejects.value.is_empty()) else {
        return Vec::new();
    };
    let mode = entry.ack.map_or(Ack::Manual, |ack| ack.value);
    if matches!(mode, Ack::Auto | Ack::Early) {
        let (word, why) = match mode {
            Ack::Auto => ("auto", "RabbitMQ has forgotten a message once it is sent"),
            _ => ("early", "it is acknowledged before the work"),
        };
        let text = format!("with `ack: {word}` nothing is left to reject: {why}");
        let mistake = Mistake::new(rejects.at, text).needs(Whole::Node(entry.at));
        found.push(mistake.help("use `ack: manual`, the default, or leave `reject` out"));
    }
    rejects.value.iter().filter_map(|reject| one(reject, found)).collect()
}

fn one(entry: &Located<written::Reject>, found: &mut Collector) -> Option<Reject> {
    Some(Reject {
        which: which(entry, found)?,
        requeue: entry.requeue.unwrap_or(false),
        using: match entry.using {
            None | Some(Using::Nack) => Refusal::Nack,
            Some(Using::Reject) => Refusal::Reject,
        },
        times: entry.times.map(|times| times.0),
    })
}

fn which(entry: &Located<written::Reject>, found: &mut Collector) -> Option<Which> {
    match (&entry.messages, entry.every, entry.share) {
        (Some(messages), None, None) if messages.value.is_empty() => {
            let text = "`messages` names no message";
            let mistake = Mistake::new(messages.at, text).needs(Whole::Node(messages.at));
            found.push(mistake.help("list their numbers: `messages: [3, 7]`"));
            None
        }
        (Some(messages), None, None) => {
            Some(Which::Messages(messages.value.iter().map(|n| n.0).collect()))
        }
        (None, Some(every), None) => Some(Which::Every(every.value.0)),
        (None, None, Some(share)) => Some(Which::Share(Share(share.value.0))),
        (None, None, None) => {
            let text = "an entry of `reject` must say which messages";
            let mistake = Mistake::new(entry.at, text).needs(Whole::Node(entry.at));
            found.push(mistake.help(FORMS));
            None
        }
        (messages, every, share) => {
            let places = [
                messages.as_ref().map(|form| form.at),
                every.map(|form| form.at),
                share.map(|form| form.at),
            ];
            let mut places: Vec<_> = places.into_iter().flatten().collect();
            places.sort_by_key(|at| at.position());
            let text = "an entry of `reject` must say in one way which messages";
            let help =
                "keep one of `messages`, `every` and `share`; make the other an entry of its own";
            found.push(Mistake::new(places[1], text).help(help));
            None
        }
    }
}
