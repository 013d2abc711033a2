//! Faults that act on a queue: `purge` and `delete`.

use crate::plan::context::Context;
use crate::plan::faults::{Acts, options};
use crate::plan::model::{FaultAction, QueueId};
use crate::scenario::collect::Collector;
use crate::scenario::decode::Located;
use crate::scenario::mistake::{Mistake, Whole};
use crate::scenario::scalar::Name;
use crate::scenario::trigger::{Fault, Trigger};

/// What is done to which queue.
pub struct QueueAction<'f> {
    word: &'static str,
    queue: &'f Located<Name>,
    make: fn(QueueId) -> FaultAction,
}

impl<'f> QueueAction<'f> {
    /// The action of an entry that has one alone.
    pub fn of(entry: &'f Fault) -> Option<Self> {
        if let Some(queue) = &entry.purge {
            return Some(Self { word: "purge", queue, make: FaultAction::Purge });
        }
        let queue = entry.delete.as_ref()?;
        Some(Self { word: "delete", queue, make: FaultAction::Delete })
    }

    /// The one thing it does; all mistakes are recorded.
    pub fn acts(
        &self,
        entry: &Fault,
        trigger: &Trigger,
        context: &Context,
        found: &mut Collector,
    ) -> Acts {
        let Self { word, queue, make } = self;
        options::check(entry, word, &[], found);
        self.moments(trigger, found);
        let id = context.names.queue(queue, &format!("a fault {word}s"), found)?;
        let written = &context.file.topology.queues[id.index()];
        if *word == "delete" && written.predeclared == Some(true) {
            let text = format!("queue `{}` was there before the run", &*queue.value);
            let mistake = Mistake::new(queue.at, text).needs(Whole::Node(written.at));
            let help = "leave `predeclared` out to delete a queue of the run, or `purge` this one";
            found.push(mistake.note("it is `predeclared`", written.at).help(help));
            return None;
        }
        Some(vec![(format!("{word} {}", &*queue.value), make(id))])
    }

    /// A queue has no delivery in hand.
    fn moments(&self, trigger: &Trigger, found: &mut Collector) {
        let moments = [(trigger.during, "during"), (trigger.before_ack, "before_ack")];
        for (moment, word) in moments {
            if let Some(moment) = moment {
                let name = &*self.queue.value;
                let text = format!("`{word}` is a moment of a worker, and `{name}` is a queue");
                let help = format!("write `after: {{ finished: N, of: {name} }}` or `at: 1s`");
                found.push(Mistake::new(moment.at, text).help(help));
            }
        }
    }
}
