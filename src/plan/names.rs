//! Which names one variant has, and what each stands for.

use std::collections::HashMap;

use crate::plan::model::{ExchangeId, ExchangeRef, ProducerId, QueueId, WorkerId};
use crate::scenario::collect::Collector;
use crate::scenario::decode::Located;
use crate::scenario::file::File;
use crate::scenario::lint::Lint;
use crate::scenario::mistake::{Mistake, Whole, meant};
use crate::scenario::node::At;
use crate::scenario::scalar::Name;

/// Ids have 16 bits; there are never more of one kind than this.
pub const MAX_INSTANCES: usize = 30_000;

/// What a name stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Thing {
    Queue(QueueId),
    Exchange(ExchangeId),
    /// A group, or one instance.
    Producers(Vec<ProducerId>),
    Workers(Vec<WorkerId>),
}

impl Thing {
    /// What it is, in words.
    pub fn words(&self) -> &'static str {
        match self {
            Thing::Queue(_) => "a queue",
            Thing::Exchange(_) => "an exchange",
            Thing::Producers(_) => "a producer",
            Thing::Workers(_) => "a worker",
        }
    }
}

struct Entry {
    name: String,
    thing: Thing,
    at: At,
}

/// All names of a variant.
#[derive(Default)]
pub struct Names {
    entries: Vec<Entry>,
    index: HashMap<String, usize>,
    /// Temporary queues, by the names of the instances and of the groups that own them.
    temporary: HashMap<String, Vec<QueueId>>,
    /// Producers and workers that their `if` leaves out.
    left_out: HashMap<String, At>,
    /// Whether there are more instances than ids.
    pub too_many: bool,
}

/// The instances of an entry: its own name, or numbered ones.
pub fn instances(name: &str, count: usize) -> Vec<String> {
    match count {
        1 => vec![name.to_owned()],
        _ => (1..=count).map(|number| format!("{name}-{number}")).collect(),
    }
}

/// How many instances an entry has.
pub fn count(count: &Option<Located<crate::scenario::actors::Count>>) -> usize {
    count.map_or(1, |count| usize::try_from(count.value.0).expect("a count is small"))
}

/// Whether the topology has more entries than there are ids.
fn too_many(file: &File, found: &mut Collector) -> bool {
    let queues = file.topology.queues.get(MAX_INSTANCES).map(|queue| (queue.at, "queues"));
    let exchanges = file.topology.exchanges.get(MAX_INSTANCES).map(|it| (it.at, "exchanges"));
    for (at, what) in [queues, exchanges].into_iter().flatten() {
        let text = format!("there are more than {MAX_INSTANCES} {what}");
        found.push(Mistake::new(at, text).help("a scenario needs few of them; leave some out"));
    }
    queues.is_some() || exchanges.is_some()
}

impl Names {
    /// The names of a file, those of entries that are left out set apart.
    pub fn of(file: &File, found: &mut Collector) -> Self {
        let mut names = Self { too_many: too_many(file, found), ..Self::default() };
        for (index, queue) in file.topology.queues.iter().take(MAX_INSTANCES).enumerate() {
            names.add(&queue.name, Thing::Queue(QueueId::from_index(index)), found);
        }
        for (index, exchange) in file.topology.exchanges.iter().take(MAX_INSTANCES).enumerate() {
            names.add(&exchange.name, Thing::Exchange(ExchangeId::from_index(index + 1)), found);
        }
        let mut next = 0;
        for producer in &file.producers {
            let group = (&producer.name, count(&producer.count), producer.condition);
            let thing = |ids: &[usize]| {
                Thing::Producers(ids.iter().map(|id| ProducerId::from_index(*id)).collect())
            };
            names.group(group, &mut next, thing, found);
        }
        names.workers(file, found);
        names
    }

    fn workers(&mut self, file: &File, found: &mut Collector) {
        let mut next = 0;
        let mut queue = file.topology.queues.len().min(MAX_INSTANCES);
        for worker in &file.workers {
            let count = count(&worker.count);
            let group = (&worker.name, count, worker.condition);
            let thing = |ids: &[usize]| {
                Thing::Workers(ids.iter().map(|id| WorkerId::from_index(*id)).collect())
            };
            let there = self.group(group, &mut next, thing, found);
            if there && worker.temporary_queue.is_some() {
                let queues: Vec<QueueId> =
                    (queue..queue + count).map(QueueId::from_index).collect();
                queue += count;
                for (name, queue) in instances(&worker.name.value, count).into_iter().zip(&queues) {
                    self.temporary.insert(name, vec![*queue]);
                }
                self.temporary.insert(worker.name.value.0.clone(), queues);
            }
        }
    }

    /// Adds a group and its instances; tells whether it is there in this variant.
    fn group(
        &mut self,
        (name, count, condition): (&Located<Name>, usize, Option<bool>),
        next: &mut usize,
        thing: impl Fn(&[usize]) -> Thing,
        found: &mut Collector,
    ) -> bool {
        if condition == Some(false) {
            self.left_out.insert(name.value.0.clone(), name.at);
            let instances = instances(&name.value, count).into_iter();
            self.left_out.extend(instances.map(|instance| (instance, name.at)));
            return false;
        }
        if *next + count > MAX_INSTANCES {
            let text =
                format!("there are more than {MAX_INSTANCES} instances with `{}`", &*name.value);
            found.push(Mistake::new(name.at, text).help("lower `count`"));
            self.too_many = true;
            return false;
        }
        let ids: Vec<usize> = (*next..*next + count).collect();
        *next += count;
        self.add(name, thing(&ids), found);
        if count > 1 {
            for (instance, id) in instances(&name.value, count).into_iter().zip(&ids) {
                let instance = Located { at: name.at, value: Name(instance) };
                self.add(&instance, thing(&[*id]), found);
            }
        }
        true
    }

    fn add(&mut self, name: &Located<Name>, thing: Thing, found: &mut Collector) {
        if let Some(first) = self.index.get(&*name.value).map(|index| &self.entries[*index]) {
            let text = &*name.value;
            let (what, that) = (thing.words(), first.thing.words());
            let message = if what == that {
                format!("the name `{text}` is used twice")
            } else {
                format!("{what} has the name `{text}`, which {that} has already")
            };
            let mistake = Mistake::new(name.at, message).note("the first one", first.at);
            found.push(mistake.help(
                "names of producers, workers and their instances, queues and exchanges are all different",
            ));
            return;
        }
        self.index.insert(name.value.0.clone(), self.entries.len());
        self.entries.push(Entry { name: name.value.0.clone(), thing, at: name.at });
    }

    /// What a name stands for.
    pub fn get(&self, name: &str) -> Option<&Thing> {
        self.index.get(name).map(|index| &self.entries[*index].thing)
    }

    /// The temporary queues of a worker or of a group.
    pub fn temporary(&self, name: &str) -> Option<&[QueueId]> {
        self.temporary.get(name).map(Vec::as_slice)
    }

    /// A declared queue; `who` is what needs it: ``worker `w` consumes from``.
    pub fn queue(&self, name: &Located<Name>, who: &str, found: &mut Collector) -> Option<QueueId> {
        match self.get(&name.value) {
            Some(Thing::Queue(id)) => Some(*id),
            _ => {
                found.push(self.unknown(&name.value, name.at, who, Kind::Queue));
                None
            }
        }
    }

    /// A declared exchange, or the default one.
    pub fn exchange(
        &self,
        name: &Located<String>,
        who: &str,
        found: &mut Collector,
    ) -> Option<ExchangeId> {
        if name.value.is_empty() {
            return Some(ExchangeId(0));
        }
        match self.get(&name.value) {
            Some(Thing::Exchange(id)) => Some(*id),
            _ => {
                found.push(self.unknown(&name.value, name.at, who, Kind::Exchange));
                None
            }
        }
    }

    /// An exchange that another entry sends to; RabbitMQ takes one that does not exist, and a
    /// warning says what comes of it.
    pub fn exchange_or_missing(
        &self,
        name: &Located<String>,
        other: Other,
        found: &mut Collector,
    ) -> ExchangeRef {
        if name.value.is_empty() {
            return ExchangeRef::Declared(ExchangeId(0));
        }
        if let Some(Thing::Exchange(id)) = self.get(&name.value) {
            return ExchangeRef::Declared(*id);
        }
        let mut warning = self.unknown(&name.value, name.at, other.who, Kind::Exchange);
        warning.remark("what goes there is dropped");
        if let Some(Thing::Queue(_)) = self.get(&name.value) {
            warning = warning.help(other.reach_a_queue);
        }
        found.warn(other.lint, warning);
        ExchangeRef::Missing(name.value.clone())
    }

    /// An exchange that must not be declared.
    pub fn missing(&self, name: &Located<String>, found: &mut Collector) -> Option<ExchangeRef> {
        if name.value.is_empty() || matches!(self.get(&name.value), Some(Thing::Exchange(_))) {
            let text = format!("exchange `{}` exists, so it is not missing", name.value);
            found.push(
                Mistake::new(name.at, text).help("leave `missing` out, or name another exchange"),
            );
            return None;
        }
        Some(ExchangeRef::Missing(name.value.clone()))
    }

    /// The workers that a name stands for.
    pub fn group_of_workers(
        &self,
        name: &Located<Name>,
        who: &str,
        found: &mut Collector,
    ) -> Option<Vec<WorkerId>> {
        match self.get(&name.value) {
            Some(Thing::Workers(ids)) => Some(ids.clone()),
            _ => {
                found.push(self.unknown(&name.value, name.at, who, Kind::Worker));
                None
            }
        }
    }

    /// The mistake of naming something that is not there, or not of that kind.
    pub fn unknown(&self, name: &str, at: At, who: &str, kind: Kind) -> Mistake {
        let what = kind.word();
        if let Some(thing) = self.get(name).filter(|thing| !kind.fits(thing)) {
            let text = format!("{who} {what} `{name}`, but `{name}` is {}", thing.words());
            return self.hint(Mistake::new(at, text), name, kind);
        }
        if let Some(left_out) = self.left_out.get(name) {
            let text = format!("{who} {what} `{name}`, which its `if` leaves out here");
            return Mistake::new(at, text)
                .note("it would stand there", *left_out)
                .help("give this entry the same `if`");
        }
        let text = format!("{who} {what} `{name}`, which is not declared");
        let mut mistake = Mistake::new(at, text);
        for list in kind.lists() {
            mistake = mistake.needs(Whole::Names(list));
        }
        self.hint(mistake, name, kind)
    }

    fn hint(&self, mistake: Mistake, name: &str, kind: Kind) -> Mistake {
        let fitting = || self.entries.iter().filter(|entry| kind.fits(&entry.thing));
        let near = meant(name, fitting().map(|entry| entry.name.as_str()));
        let near = near.and_then(|near| fitting().find(|entry| entry.name == near));
        match near {
            Some(entry) => mistake.did_you_mean(&entry.name, entry.at),
            None => {
                let some: Vec<&str> = fitting().map(|entry| entry.name.as_str()).take(8).collect();
                match some.as_slice() {
                    [] => mistake.help(format!("the file declares no {}", kind.word())),
                    some => mistake.help(format!(
                        "what fits here: {}",
                        crate::scenario::mistake::list(some.iter().copied(), "or")
                    )),
                }
            }
        }
    }
}

/// An entry that sends to an exchange, which may be missing.
pub struct Other<'w> {
    /// What it is and does: ``queue `q` dead-letters to the``.
    pub who: &'w str,
    /// How it sends to a queue instead.
    pub reach_a_queue: &'w str,
    pub lint: Lint,
}

/// What a reference may be about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Queue,
    Exchange,
    Producer,
    Worker,
    /// A producer or a worker.
    Program,
    /// A producer or a queue.
    ProducerOrQueue,
    /// A worker or a queue.
    WorkerOrQueue,
}

impl Kind {
    fn word(self) -> &'static str {
        match self {
            Kind::Queue => "queue",
            Kind::Exchange => "exchange",
            Kind::Producer => "producer",
            Kind::Worker => "worker",
            Kind::Program => "producer or worker",
            Kind::ProducerOrQueue => "producer or queue",
            Kind::WorkerOrQueue => "worker or queue",
        }
    }

    fn fits(self, thing: &Thing) -> bool {
        use Kind::*;
        match thing {
            Thing::Queue(_) => matches!(self, Queue | ProducerOrQueue | WorkerOrQueue),
            Thing::Exchange(_) => self == Exchange,
            Thing::Producers(_) => matches!(self, Producer | Program | ProducerOrQueue),
            Thing::Workers(_) => matches!(self, Worker | Program | WorkerOrQueue),
        }
    }

    fn lists(self) -> &'static [&'static [&'static str]] {
        const QUEUES: &[&str] = &["topology", "queues"];
        const PRODUCERS: &[&str] = &["producers"];
        const WORKERS: &[&str] = &["workers"];
        match self {
            Kind::Queue => &[QUEUES],
            Kind::Exchange => &[&["topology", "exchanges"]],
            Kind::Producer => &[PRODUCERS],
            Kind::Worker => &[WORKERS],
            Kind::Program => &[PRODUCERS, WORKERS],
            Kind::ProducerOrQueue => &[PRODUCERS, QUEUES],
            Kind::WorkerOrQueue => &[WORKERS, QUEUES],
        }
    }
}
