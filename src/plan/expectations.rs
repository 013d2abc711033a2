//! Observations, and everything that must hold at the end, as meant.

use std::collections::HashMap;

use crate::plan::context::Context;
use crate::plan::count::Count;
use crate::plan::counts;
use crate::plan::matcher::{DurationMatcher, Matcher, Share};
use crate::plan::meaning;
use crate::plan::model::{Expectation, Expected, Flow, Observation, ObservedNumber, Scope, Until};
use crate::plan::names::{Kind, Thing};
use crate::plan::triggers;
use crate::scenario::collect::Collector;
use crate::scenario::decode::Located;
use crate::scenario::expect::{ByName, Counted, Counts, Expect, Latency, OrAny, Order};
use crate::scenario::matcher::Matcher as Written;
use crate::scenario::mistake::Mistake;
use crate::scenario::node::At;
use crate::scenario::scalar::Name;
use crate::scenario::trigger::{Observation as WrittenObservation, Observed};

/// What is looked at during the run, and what must hold; all mistakes are recorded.
pub fn plan(context: &Context, found: &mut Collector) -> (Vec<Observation>, Vec<Expectation>) {
    let mut expectations = Vec::new();
    let observations = observations(context, &mut expectations, found);
    let expect = &context.file.expect;
    for (count, matcher) in counts::of_the_run(expect) {
        expectations
            .extend(matcher.as_ref().map(|matcher| of(String::new(), Scope::All, count, matcher)));
    }
    let mut scopes = Scopes { context, found, out: &mut expectations };
    scopes.each("queues", &expect.queues, Scopes::queue);
    scopes.each("producers", &expect.producers, Scopes::producer);
    scopes.each("workers", &expect.workers, Scopes::worker);
    causes(expect, &mut expectations);
    fairness(context, &mut expectations, found);
    whole_run(expect, &mut expectations, found);
    (observations, expectations)
}

/// The expectation of one count.
fn of(prefix: String, scope: Scope, count: Count, matcher: &Located<Written>) -> Expectation {
    let form = meaning::matcher(matcher.form);
    let what = Expected::Count { scope, count, matcher: form };
    expectation(prefix + count.name(), &matcher.text, what, matcher.at)
}

fn expectation(path: String, expected: &str, what: Expected, at: At) -> Expectation {
    Expectation { path, expected: expected.to_owned(), what, at }
}

/// Expectations of the parts of a scenario, by their names.
struct Scopes<'a, 'f> {
    context: &'a Context<'f>,
    found: &'a mut Collector,
    out: &'a mut Vec<Expectation>,
}

impl Scopes<'_, '_> {
    fn each<S: Counted>(
        &mut self,
        key: &str,
        written: &Option<OrAny<ByName<OrAny<Counts<S>>>>>,
        resolve: fn(&mut Self, &Located<Name>) -> Option<Scope>,
    ) {
        let entries = written.iter().filter_map(OrAny::some).flat_map(|by_name| &by_name.0);
        for (name, counts) in entries {
            let (Some(scope), Some(counts)) = (resolve(self, name), counts.some()) else {
                continue;
            };
            for (count, matcher) in &counts.entries {
                let count = Count::from_name(count).expect("a scope lists counts");
                let prefix = format!("{key}.{}.", &*name.value);
                self.out.push(of(prefix, scope.clone(), count, matcher));
            }
        }
    }

    fn queue(&mut self, name: &Located<Name>) -> Option<Scope> {
        if let Some(queues) = self.context.names.temporary(&name.value) {
            return Some(match queues {
                [queue] => Scope::Queue(*queue),
                queues => Scope::Queues(queues.to_vec()),
            });
        }
        self.context.names.queue(name, "an expectation is about", self.found).map(Scope::Queue)
    }

    fn producer(&mut self, name: &Located<Name>) -> Option<Scope> {
        match self.context.names.get(&name.value) {
            Some(Thing::Producers(ids)) => Some(Scope::Producers(ids.clone())),
            _ => {
                let names = &self.context.names;
                self.found.push(names.unknown(
                    &name.value,
                    name.at,
                    "an expectation is about",
                    Kind::Producer,
                ));
                None
            }
        }
    }

    fn worker(&mut self, name: &Located<Name>) -> Option<Scope> {
        let group =
            self.context.names.group_of_workers(name, "an expectation is about", self.found);
        group.map(Scope::Workers)
    }
}

fn causes(expect: &Expect, out: &mut Vec<Expectation>) {
    let counts = expect.causes.iter().filter_map(OrAny::some).flat_map(|counts| &counts.entries);
    for (cause, matcher) in counts {
        let cause = (*cause).to_owned();
        let path = format!("causes.{cause}");
        let what = Expected::Cause { cause, matcher: meaning::matcher(matcher.form) };
        out.push(expectation(path, &matcher.text, what, matcher.at));
    }
}

fn fairness(context: &Context, out: &mut Vec<Expectation>, found: &mut Collector) {
    let Some(written) = &context.file.expect.fairness else { return };
    let Some(fairness) = written.some() else { return };
    let name = &fairness.workers;
    let Some(workers) = context.names.group_of_workers(name, "fairness of", found) else { return };
    if workers.len() < 2 {
        let text = format!("`{}` has one instance, which has all of its time", &*name.value);
        found.push(
            Mistake::new(name.at, text).help("name a group: a worker with a `count` above 1"),
        );
        return;
    }
    let share = Share(fairness.max_share.value.0);
    let text = format!("max_share {}%", percent(share));
    let what = Expected::Fairness { workers, max_share: share };
    out.push(expectation("fairness".into(), &text, what, fairness.max_share.at));
}

fn percent(share: Share) -> String {
    match (share.0 / 100, share.0 % 100) {
        (whole, 0) => whole.to_string(),
        (whole, part) => format!("{whole}.{part:02}").trim_end_matches('0').to_owned(),
    }
}

fn whole_run(expect: &Expect, out: &mut Vec<Expectation>, found: &mut Collector) {
    if let Some(order) = expect.order.filter(|order| order.value == Order::Fifo) {
        out.push(expectation("order".into(), "fifo", Expected::Fifo, order.at));
    }
    if let Some(guarantees) = &expect.guarantees {
        let wanted = guarantees.some().copied().unwrap_or_default();
        let what = Expected::Guarantees;
        out.extend(wanted.then(|| expectation("guarantees".into(), "true", what, guarantees.at)));
    }
    type OfTime = fn(DurationMatcher) -> Expected;
    let times: [(&str, _, OfTime); 3] = [
        ("duration", &expect.duration, Expected::Duration),
        ("longest_gap", &expect.longest_gap, Expected::LongestGap),
        ("recovery", &expect.recovery, Expected::Recovery),
    ];
    for (name, written, what) in times {
        let Some(written) = written else { continue };
        let matcher = meaning::duration_matcher(written);
        out.extend(matcher.map(|it| expectation(name.into(), &written.text, what(it), written.at)));
    }
    let all = [
        ("latency", Until::Finished, &expect.latency),
        ("confirm_latency", Until::Confirmed, &expect.confirm_latency),
    ];
    for (name, until, written) in all {
        if let Some(latency) = written.as_ref().and_then(|latency| latency.some()) {
            latencies(name, until, latency, out);
        }
    }
    if let Some(throughput) = expect.throughput.as_ref().and_then(|it| it.some()) {
        let flows = [
            ("published", Flow::Published, &throughput.published),
            ("finished", Flow::Finished, &throughput.finished),
        ];
        for (name, of, written) in flows {
            let Some(written) = written else { continue };
            let matcher = meaning::matcher(written.form);
            if matches!(matcher, Matcher::Percent(..)) {
                let text = format!("`{name}` is a number in a second, and has no percentage");
                let help = "write a comparison such as \">= 1000\"";
                found.push(Mistake::new(written.at, text).help(help));
            }
            let what = Expected::Throughput { of, matcher };
            out.push(expectation(format!("throughput.{name}"), &written.text, what, written.at));
        }
    }
}

fn latencies(prefix: &str, until: Until, latency: &Latency, out: &mut Vec<Expectation>) {
    let Latency { p50, p90, p95, p99, p999, max } = latency;
    let quantiles = [
        ("p50", 0.5, p50),
        ("p90", 0.9, p90),
        ("p95", 0.95, p95),
        ("p99", 0.99, p99),
        ("p999", 0.999, p999),
        ("max", 1.0, max),
    ];
    for (name, quantile, written) in quantiles {
        let Some(written) = written else { continue };
        out.extend(meaning::duration_matcher(written).map(|matcher| {
            let what = Expected::Latency { until, quantile, matcher };
            expectation(format!("{prefix}.{name}"), &written.text, what, written.at)
        }));
    }
}

fn observations(
    context: &Context,
    out: &mut Vec<Expectation>,
    found: &mut Collector,
) -> Vec<Observation> {
    let mut seen: HashMap<&str, At> = HashMap::new();
    let mut observations = Vec::new();
    for entry in context.file.observe.iter().filter(|entry| entry.condition != Some(false)) {
        let name = &entry.name;
        if let Some(first) = seen.get(&*name.value) {
            let text = format!("two observations have the name `{}`", &*name.value);
            found.push(Mistake::new(name.at, text).note("the first one", *first));
        }
        seen.entry(&name.value).or_insert(name.at);
        expected_then(entry, observations.len(), context, out, found);
        let when = triggers::plain(&entry.when.value, entry.when.at, context, found);
        observations.extend(when.map(|when| Observation { name: name.value.0.clone(), when }));
    }
    observations
}

/// What an observation expects of queues.
fn expected_then(
    entry: &Located<WrittenObservation>,
    observation: usize,
    context: &Context,
    out: &mut Vec<Expectation>,
    found: &mut Collector,
) {
    for (name, observed) in entry.expect.iter().flat_map(|by_name| &by_name.0) {
        let Some(queue) = observed_queue(name, context, found) else { continue };
        for (word, number, matcher) in numbers(observed) {
            let path = format!("observe.{}.{}.{word}", entry.name.value.0, name.value.0);
            let form = meaning::matcher(matcher.form);
            let what = Expected::Observed { observation, queue, number, matcher: form };
            if matches!(form, Matcher::Percent(..)) {
                let text =
                    format!("`{word}` is a number of messages or consumers, and has no percentage");
                found.push(
                    Mistake::new(matcher.at, text)
                        .help("write a number, or a comparison such as \"> 0\""),
                );
            }
            out.push(expectation(path, &matcher.text, what, matcher.at));
        }
    }
}

fn observed_queue(
    name: &Located<Name>,
    context: &Context,
    found: &mut Collector,
) -> Option<crate::plan::model::QueueId> {
    match context.names.temporary(&name.value) {
        Some([queue]) => Some(*queue),
        Some(_) => {
            let text = format!(
                "`{0}` has several temporary queues, and one is observed at a time",
                &*name.value
            );
            found.push(
                Mistake::new(name.at, text).help(format!("name one of them: `{}-1`", &*name.value)),
            );
            None
        }
        None => context.names.queue(name, "an observation looks at", found),
    }
}

fn numbers(observed: &Observed) -> Vec<(&'static str, ObservedNumber, &Located<Written>)> {
    [
        ("ready", ObservedNumber::Ready, &observed.ready),
        ("unacked", ObservedNumber::Unacked, &observed.unacked),
        ("consumers", ObservedNumber::Consumers, &observed.consumers),
    ]
    .into_iter()
    .filter_map(|(word, number, matcher)| Some((word, number, matcher.as_ref()?)))
    .collect()
}
