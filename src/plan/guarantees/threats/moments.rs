//! Which moments come for certain, and what is over by then.

use std::time::Duration;

use crate::plan::content::Content;
use crate::plan::guarantees::copies::FOLLOWED;
use crate::plan::guarantees::threats::{
    Begins, SLACK, Threats, Weather, is_for_good, is_of_broker, takes_all,
};
use crate::plan::model::{
    Confirms, CountEvent, ExchangeRef, Fault, FaultAction, FaultId, Instance, ProducerId, QueueId,
    QueueKind, Scope, Trigger, Variant, Worker, WorkerId,
};
use crate::plan::routing::{Envelope, Standing, route};

/// A queue that is younger loses more when its broker is killed.
const YOUNG: Duration = Duration::from_millis(1_700);
/// A producer without a rate of its own publishes at least so many messages each second.
const SLOWEST: f64 = 100.0;
/// Moments that wait for others are followed so far.
const DEPTH: u8 = 8;

/// How a certainty is come to.
#[derive(Debug, Clone, Copy)]
struct Way {
    depth: u8,
    /// All of it is before this fault acts.
    before: Option<FaultId>,
}

impl Way {
    const START: Self = Self { depth: DEPTH, before: None };

    fn further(self) -> Option<Self> {
        Some(Self { depth: self.depth.checked_sub(1)?, ..self })
    }
}

impl Threats<'_> {
    pub fn begins(&self, start: Option<&Trigger>) -> Begins {
        self.begins_within(start, Way::START)
    }

    fn begins_within(&self, start: Option<&Trigger>, way: Way) -> Begins {
        match start {
            None => Begins::AtOnce,
            Some(trigger) if self.comes(trigger, None, way) => Begins::Later,
            Some(_) => Begins::Perhaps,
        }
    }

    /// Whether a moment comes for certain: one of the clock, a fault whose moment does, a count
    /// that is reached with everything calm. `upon` is whom a fault with this trigger befalls.
    fn comes(&self, trigger: &Trigger, upon: Option<WorkerId>, way: Way) -> bool {
        let Some(way) = way.further() else { return false };
        match trigger {
            Trigger::At(_) => true,
            Trigger::AfterFaults(ids) => ids.iter().all(|id| {
                let fault = &self.variant.faults[id.index()];
                let upon = match fault.action.target() {
                    Some(Instance::Worker(id)) => Some(id),
                    _ => None,
                };
                let way = Way { before: Some(*id), ..way };
                let acts = is_over(fault) || matches!(self.weather, Weather::Nodes(_));
                acts && self.comes(&fault.trigger, upon, way)
            }),
            Trigger::Count { event: CountEvent::Published | CountEvent::Confirmed, .. }
            | Trigger::Count { event: CountEvent::Finished | CountEvent::Acked, .. }
                if self.is_struck(trigger, way) =>
            {
                false
            }
            Trigger::Count { event: CountEvent::Published, n, of } => {
                self.published(of, false, way) >= *n
            }
            Trigger::Count { event: CountEvent::Confirmed, n, of } => {
                self.published(of, true, way) >= *n
            }
            Trigger::Count { event: CountEvent::Consuming, n, of } => {
                let meant = self.workers(of);
                let sure = |id: &WorkerId| {
                    let start = self.variant.workers[id.index()].start.as_ref();
                    !self.may_err(*id) && self.begins_within(start, way) != Begins::Perhaps
                };
                u64::try_from(meant.iter().filter(|id| sure(id)).count()).is_ok_and(|it| it >= *n)
            }
            Trigger::Count { event: CountEvent::Finished | CountEvent::Acked, n, of } => {
                self.finished(of, way) >= *n
            }
            // Of one worker alone on its queue that nothing else befalls.
            Trigger::During(n) | Trigger::BeforeAck(n) => upon.is_some_and(|id| {
                let alone = self.workers_of(self.variant.workers[id.index()].queue).count() == 1;
                alone && self.of_worker(id).len() == 1 && self.works(&[id], way) >= *n
            }),
        }
    }

    /// Whether something may befall the broker before this moment: anything that does not wait for
    /// just that.
    fn is_struck(&self, moment: &Trigger, way: Way) -> bool {
        let faults = self.variant.faults.iter().enumerate();
        let mut others = faults.filter(|(index, fault)| {
            is_of_broker(fault) && way.before.is_none_or(|it| it.index() != *index)
        });
        others.any(|(_, fault)| fault.trigger != *moment)
    }

    /// The workers that are meant.
    fn workers(&self, of: &Scope) -> Vec<WorkerId> {
        let all = (0..self.variant.workers.len()).map(WorkerId::from_index);
        let on = |queues: &[QueueId]| {
            let meant = |id: &WorkerId| queues.contains(&self.variant.workers[id.index()].queue);
            all.clone().filter(meant).collect()
        };
        match of {
            Scope::All => all.collect(),
            Scope::Workers(ids) => ids.clone(),
            Scope::Queue(queue) => on(&[*queue]),
            Scope::Queues(queues) => on(queues),
            Scope::Producers(_) => Vec::new(),
        }
    }

    /// The producers that are meant.
    fn producers(&self, of: &Scope) -> Vec<ProducerId> {
        match of {
            Scope::All => (0..self.variant.producers.len()).map(ProducerId::from_index).collect(),
            Scope::Producers(ids) => ids.clone(),
            Scope::Queue(_) | Scope::Queues(_) | Scope::Workers(_) => Vec::new(),
        }
    }

    /// How many messages are published for certain before anything befalls the broker: by
    /// producers that nothing befalls; `answered`: and are answered.
    fn published(&self, of: &Scope, answered: bool, way: Way) -> u64 {
        let producers = self.producers(of);
        let sure = |id: &&ProducerId| self.publishes(**id, answered, way);
        let sent = |id: &ProducerId| self.variant.producers[id.index()].messages;
        producers.iter().filter(sure).map(sent).sum()
    }

    /// Whether a producer publishes all that it has, for certain, while everything is calm.
    fn publishes(&self, id: ProducerId, answered: bool, way: Way) -> bool {
        let producer = &self.variant.producers[id.index()];
        (!answered || producer.confirms != Confirms::Off)
            && !self.may_be_refused(id)
            && self.of_producer(id).is_empty()
            && self.begins_within(producer.start.as_ref(), way) != Begins::Perhaps
    }

    /// How many works are finished for certain, where nothing at all befalls anybody but by what
    /// waits for them.
    fn finished(&self, of: &Scope, way: Way) -> u64 {
        let workers = self.workers(of);
        let calm = workers.iter().all(|id| {
            let threats = self.of_worker(*id);
            threats.iter().all(|threat| matches!(threat.trigger, Trigger::Count { .. }))
        });
        if calm { self.works(&workers, way) } else { 0 }
    }

    /// How many copies come for certain to the queues of these workers, who are the only ones
    /// there and take everything.
    fn works(&self, workers: &[WorkerId], way: Way) -> u64 {
        let mut queues: Vec<QueueId> =
            workers.iter().map(|id| self.variant.workers[id.index()].queue).collect();
        queues.sort_unstable();
        queues.dedup();
        let plain = |queue: &QueueId| {
            let it = &self.variant.topology.queues[queue.index()];
            let keeps = it.message_ttl.is_none()
                && !it.is_bounded()
                && it.kind != QueueKind::Stream
                && it.owner.is_none();
            let calm = |(id, worker): (WorkerId, &Worker)| {
                workers.contains(&id)
                    && worker.rejects.is_empty()
                    && takes_all(worker)
                    && !self.may_err(id)
            };
            let sure = |(_, worker): (WorkerId, &Worker)| {
                self.begins_within(worker.start.as_ref(), way) != Begins::Perhaps
            };
            keeps
                && !self.is_hit(*queue)
                && self.workers_of(*queue).all(calm)
                && self.workers_of(*queue).any(sure)
        };
        if !queues.iter().all(plain) || self.variant.producers.iter().any(|it| it.ttl.is_some()) {
            return 0;
        }
        let producers = (0..self.variant.producers.len()).map(ProducerId::from_index);
        let sure = producers.filter(|id| self.publishes(*id, false, way));
        sure.map(|id| copies_to(self.variant, id, &queues)).sum()
    }

    /// Whether all that this producer publishes is answered, or at least there, before anything
    /// befalls the broker.
    pub fn is_through(&self, id: ProducerId) -> bool {
        let mut faults = self.variant.faults.iter().filter(|fault| is_of_broker(fault));
        self.of_producer(id).is_empty()
            && !self.may_be_refused(id)
            && faults.all(|fault| self.is_done_by(id, &fault.trigger, &mut Vec::new()))
    }

    fn is_done_by(&self, id: ProducerId, moment: &Trigger, seen: &mut Vec<*const Trigger>) -> bool {
        once(moment, seen, |seen| self.is_done_before(id, moment, seen))
    }

    fn is_done_before(
        &self,
        id: ProducerId,
        moment: &Trigger,
        seen: &mut Vec<*const Trigger>,
    ) -> bool {
        let producer = &self.variant.producers[id.index()];
        match moment {
            Trigger::At(at) => {
                let begins = match producer.start {
                    None => Duration::ZERO,
                    Some(Trigger::At(start)) => start,
                    Some(_) => return false,
                };
                let rate = producer.rate.unwrap_or(SLOWEST);
                let takes = Duration::try_from_secs_f64(producer.messages as f64 / rate);
                takes.is_ok_and(|takes| begins + takes + SLACK <= *at)
            }
            Trigger::Count { event: CountEvent::Confirmed, n, of } => {
                let ids = self.producers(of);
                let sent = |id: &ProducerId| self.variant.producers[id.index()].messages;
                ids.contains(&id) && ids.iter().map(sent).sum::<u64>() <= *n
            }
            Trigger::Count { event: CountEvent::Published, .. } => false,
            Trigger::Count { of, .. } => {
                let workers = self.workers(of);
                !workers.is_empty()
                    && workers.iter().all(|worker| {
                        let start = &self.variant.workers[worker.index()].start;
                        start.as_ref().is_some_and(|start| self.is_done_by(id, start, seen))
                    })
            }
            Trigger::AfterFaults(ids) => ids.iter().any(|fault| {
                self.is_done_by(id, &self.variant.faults[fault.index()].trigger, seen)
            }),
            Trigger::During(_) | Trigger::BeforeAck(_) => false,
        }
    }

    /// Whether a moment comes so late that no queue is young any more.
    pub fn is_late(&self, moment: &Trigger) -> bool {
        self.is_late_within(moment, &mut Vec::new())
    }

    fn is_late_within(&self, moment: &Trigger, seen: &mut Vec<*const Trigger>) -> bool {
        once(moment, seen, |seen| self.waits_long(moment, seen))
    }

    fn waits_long(&self, moment: &Trigger, seen: &mut Vec<*const Trigger>) -> bool {
        match moment {
            Trigger::At(at) => *at >= YOUNG,
            Trigger::Count { event: CountEvent::Published | CountEvent::Confirmed, of, .. } => {
                let mut starts = |ids: &[ProducerId]| {
                    ids.iter().all(|id| {
                        let start = &self.variant.producers[id.index()].start;
                        start.as_ref().is_some_and(|start| self.is_late_within(start, seen))
                    })
                };
                match of {
                    Scope::Producers(ids) => starts(ids),
                    _ => {
                        let all = 0..self.variant.producers.len();
                        starts(&all.map(ProducerId::from_index).collect::<Vec<_>>())
                    }
                }
            }
            Trigger::Count { of, .. } => {
                let workers = self.workers(of);
                !workers.is_empty()
                    && workers.iter().all(|id| {
                        let start = &self.variant.workers[id.index()].start;
                        start.as_ref().is_some_and(|start| self.is_late_within(start, seen))
                    })
            }
            Trigger::AfterFaults(ids) => ids.iter().any(|fault| {
                self.is_late_within(&self.variant.faults[fault.index()].trigger, seen)
            }),
            Trigger::During(_) | Trigger::BeforeAck(_) => false,
        }
    }

    /// Whether everything that befalls the broker does so before this moment.
    pub fn is_after_all(&self, start: Option<&Trigger>) -> bool {
        let Some(Trigger::AfterFaults(ids)) = start else { return false };
        let faults = self.variant.faults.iter().enumerate();
        let mut of_broker = faults.filter(|(_, fault)| is_of_broker(fault));
        of_broker.all(|(index, _)| ids.iter().any(|id| id.index() == index))
    }

    /// Whether all that befalls the broker finds queues that are no longer young.
    pub fn spares_the_young(&self) -> bool {
        let mut faults = self.variant.faults.iter().filter(|fault| is_of_broker(fault));
        faults.all(|fault| self.is_late(&fault.trigger))
    }
}

/// What waits for itself through others comes not before the rest of what it waits for: of several
/// it cannot be the first. `seen` are the moments on the way here.
fn once(
    moment: &Trigger,
    seen: &mut Vec<*const Trigger>,
    ask: impl FnOnce(&mut Vec<*const Trigger>) -> bool,
) -> bool {
    let here: *const Trigger = moment;
    if seen.contains(&here) {
        return true;
    }
    seen.push(here);
    let answer = ask(seen);
    seen.pop();
    answer
}

/// How many copies of a producer's messages these queues get.
fn copies_to(variant: &Variant, id: ProducerId, queues: &[QueueId]) -> u64 {
    let producer = &variant.producers[id.index()];
    let ExchangeRef::Declared(exchange) = producer.to.exchange else { return 0 };
    let content = Content::new(producer, variant.seed);
    if producer.messages > FOLLOWED && !content.is_uniform() {
        return 0;
    }
    let standing = Standing::declared(&variant.topology);
    let of = |n: u64| {
        let (key, headers) = (content.routing_key(n), content.headers(n));
        let envelope = Envelope { exchange, routing_key: &key, headers: &headers };
        let to = route(&variant.topology, &standing, envelope);
        to.iter().filter(|queue| queues.contains(queue)).count() as u64
    };
    match content.is_uniform() {
        true => of(1) * producer.messages,
        false => (1..=producer.messages).map(of).sum(),
    }
}

/// Whether what it stops works again at some moment.
fn is_over(fault: &Fault) -> bool {
    !matches!(fault.action, FaultAction::Broker { act, .. } if is_for_good(act))
}
