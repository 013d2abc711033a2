//! A plausible run for each seed: producers, workers and a toy broker take turns in a random
//! order, faults come in between, and every event is written down as the engine would.

pub mod broker;
mod client;
mod consumers;
mod ending;
mod faults;
mod inlets;
mod leaving;
mod losing;
mod outages;
mod parting;
mod plans;
mod publishing;
mod surviving;
pub mod truth;
mod working;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rmq_scenario::ledger::event::{ChangeId, Event, LifeId, Micros};
use rmq_scenario::ledger::paths::{Death, PathId, Paths};
use rmq_scenario::plan::model::{ProducerId, QueueId, QueueKind, Variant, WorkerId};

use crate::dice::Dice;
use crate::simulated::broker::{Broker, Consumer, CopyKey};
use crate::simulated::client::{Client, Silence};
use crate::simulated::outages::Weather;
use crate::simulated::publishing::Source;
use crate::simulated::truth::Truth;
use crate::simulated::working::{Dying, Post};

/// What a simulated run left behind.
pub struct Run {
    pub plan: Arc<Variant>,
    pub events: Vec<Event>,
    pub truth: Truth,
    /// Why finished copies came again.
    pub returned: BTreeMap<CopyKey, BTreeSet<&'static str>>,
    /// From which stay a dead letter came.
    pub parents: BTreeMap<CopyKey, CopyKey>,
    pub paths: Arc<Paths>,
    /// What some worker refused for good, whether the broker heard of it or not.
    pub refused: BTreeSet<CopyKey>,
    /// How many events had been written when a message expired.
    pub expiries: Vec<usize>,
    /// What befell workers that lived on, in the order of the faults.
    pub strikes: Vec<Strike>,
    /// From this event on nothing is published and nobody subscribes or is killed.
    pub settling_from: usize,
    /// From this event on the workers are being stopped.
    pub stops_from: usize,
}

/// A fault upon a worker that lived on, and how many events had been written by then.
pub struct Strike {
    pub life: LifeId,
    pub events: usize,
}

impl Run {
    /// The way of that number, sorted.
    pub fn way(&self, path: PathId) -> Vec<Death> {
        let mut way = self.paths.deaths(path);
        way.sort_unstable();
        way
    }

    pub fn kind(&self, queue: QueueId) -> QueueKind {
        self.plan.topology.queues[queue.index()].kind
    }
}

/// A run in which workers and producers die and come back, on a broker that never ends.
pub fn run(seed: u64) -> Run {
    simulate(seed, "simulation", false)
}

/// A run in which connections are lost as well, and brokers end or are parted.
pub fn rough_run(seed: u64) -> Run {
    simulate(seed, "rough simulation", true)
}

fn simulate(seed: u64, what: &str, rough: bool) -> Run {
    let mut dice = Dice::new(seed, what);
    let plan = Arc::new(plans::draw(&mut dice, rough));
    let mut sim = Sim::new(&plan, dice, rough);
    sim.parts = rough && Dice::new(seed, "partitions").percent(30);
    sim.play();
    let stops_from = sim.events.len();
    sim.end();
    Run {
        settling_from: sim.settling_from.unwrap_or(stops_from),
        stops_from,
        events: sim.events,
        expiries: sim.expiries,
        strikes: sim.strikes,
        refused: sim.broker.refused,
        parents: sim.broker.parents,
        paths: sim.broker.paths,
        returned: sim.broker.truth.returned(),
        truth: sim.broker.truth,
        plan: Arc::clone(&plan),
    }
}

#[derive(Debug, Clone, Copy)]
enum Action {
    StartProducer(ProducerId),
    Publish(ProducerId),
    TakePublish(ProducerId),
    Answer(ProducerId),
    ReadReply(ProducerId),
    EndProducer(ProducerId),
    StartWorker(WorkerId),
    Dispatch(usize),
    Expire(usize),
    /// The broker reads a purge, or its answer comes.
    Purge(usize),
    Read(WorkerId),
    Work(WorkerId),
    Tell(WorkerId),
    TakeAck(usize),
    /// The broker notices that a life is over.
    Bury(usize),
    VerifyGone(usize),
    LifeRead(usize),
    LearnLoss(ProducerId),
    /// A worker's network carries again, or it goes on; the broker gives it up; it learns that.
    Mend(WorkerId),
    Thaw(WorkerId),
    GiveUp(WorkerId),
    Learn(WorkerId),
    /// The broker writes what is only in its memory; it closes one of its connections, ends,
    /// comes back.
    Flush(usize),
    Dismiss(usize),
    GoDown,
    Rise,
    /// A parted node hears the others again.
    Rejoin,
}

struct Sim<'a> {
    plan: &'a Variant,
    dice: Dice,
    broker: Broker<'a>,
    events: Vec<Event>,
    clock: Micros,
    sources: Vec<Source>,
    posts: Vec<Post>,
    dying: Vec<Dying>,
    /// Channels that stay open and silent to the end.
    silent: Vec<Client>,
    /// Queues on their way out, and gone ones that nobody has verified yet.
    going: Vec<usize>,
    unverified: Vec<(ChangeId, usize)>,
    /// Lives that the broker has given up, which nobody has seen yet, and whether each was
    /// closed in good order.
    unread: Vec<(LifeId, bool)>,
    changes: u32,
    lives: u16,
    /// Purges under way; `true` once the broker has read it.
    purges: Vec<(ChangeId, usize, bool)>,
    expiries: Vec<usize>,
    faults_left: usize,
    /// After how many turns the run is cut.
    patience: usize,
    cut: bool,
    settling_from: Option<usize>,
    /// Connections are lost, and the broker ends.
    rough: bool,
    ends: bool,
    /// It has several nodes, which are parted now and then.
    parts: bool,
    weather: Weather,
    /// A node does not hear the others.
    parted: bool,
    /// Changes that began with an end of the broker, and whose outcome shows when it is back.
    uncertain: Vec<(ChangeId, usize)>,
    strikes: Vec<Strike>,
}

impl<'a> Sim<'a> {
    fn new(plan: &'a Variant, mut dice: Dice, rough: bool) -> Self {
        let toss = Dice::new(dice.below(1 << 30) as u64, "broker");
        let mut broker = Broker::new(plan, toss);
        // A real broker has none: but where it sees no round there can be longer ways.
        let patience = if rough { 10 } else { 40 };
        broker.patience = if dice.percent(50) { patience } else { 0 };
        broker.counts_nacks = dice.percent(60);
        broker.refusals = if dice.percent(20) { 10 } else { 0 };
        broker.silence = if dice.percent(25) { 15 } else { 0 };
        let ends = rough && dice.percent(65);
        let faults_left = if rough { 1 + dice.below(6) } else { dice.below(5) };
        let patience = if dice.percent(5) { dice.below(150) } else { 5000 };
        Self {
            plan,
            dice,
            broker,
            events: Vec::new(),
            clock: 0,
            sources: plan.producers.iter().map(|_| Source::default()).collect(),
            posts: plan.workers.iter().map(|_| Post::Absent).collect(),
            dying: Vec::new(),
            silent: Vec::new(),
            going: Vec::new(),
            unverified: Vec::new(),
            unread: Vec::new(),
            changes: 0,
            lives: 0,
            purges: Vec::new(),
            expiries: Vec::new(),
            faults_left,
            patience,
            cut: false,
            settling_from: None,
            rough,
            ends,
            parts: false,
            weather: Weather::Up,
            parted: false,
            uncertain: Vec::new(),
            strikes: Vec::new(),
        }
    }

    fn now(&mut self) -> Micros {
        self.clock += 1 + self.dice.below(50) as Micros;
        self.broker.now = self.clock;
        self.clock
    }

    fn play(&mut self) {
        for _ in 0..self.patience {
            if self.faults_left > 0 && self.dice.percent(2) {
                self.faults_left -= 1;
                self.fault();
            }
            self.settle();
            let enabled = self.enabled();
            if enabled.is_empty() {
                if !self.wait_for_expiry() {
                    return;
                }
                continue;
            }
            let action = self.dice.pick(&enabled);
            let before = self.broker.expired;
            self.act(action);
            if self.broker.expired > before {
                self.expiries.push(self.events.len());
            }
        }
        self.cut = true;
    }

    /// Nothing happens until the next message has had its time. Whether there is one.
    fn wait_for_expiry(&mut self) -> bool {
        if !self.serves() {
            return false;
        }
        let piles = (0..self.broker.piles.len()).filter(|&pile| !self.broker.piles[pile].stuck);
        let next = piles.filter_map(|pile| self.broker.next_expiry(pile)).min();
        self.clock = next.map_or(self.clock, |next| next.max(self.clock));
        self.broker.now = self.clock;
        next.is_some()
    }

    /// Once nothing new is to come there are no faults any more.
    fn settle(&mut self) {
        let published = self.sources.iter().all(Source::is_done);
        let staffed = self.posts.iter().all(|post| match post {
            Post::Absent | Post::Declaring { .. } => false,
            Post::Live(client) => self.is_settled(client),
            Post::Done => true,
        });
        if self.settling_from.is_none() && published && staffed && self.is_up() {
            self.faults_left = 0;
            self.last_fault();
            self.settling_from = Some(self.events.len());
        }
    }

    /// Nothing will happen to it by itself, but for what follows from being cut off for good.
    fn is_settled(&self, client: &Client) -> bool {
        let passes = client.cut.or(client.frozen) == Some(Silence::ForNow);
        let unlearned = client.cut.is_none() && !self.broker.consumers[client.consumer].open;
        !passes && !client.lost && (!unlearned || client.frozen.is_some())
    }

    /// A run in which nothing happens before it settles would say little about its end.
    fn last_fault(&mut self) {
        let live = (0..self.posts.len()).filter(|&i| matches!(self.posts[i], Post::Live(_)));
        let live: Vec<usize> = live.collect();
        if !live.is_empty() && self.dice.percent(60) {
            let index = self.dice.pick(&live);
            let id = WorkerId::from_index(index);
            if self.rough && self.dice.percent(50) {
                return self.strike(id, true);
            }
            self.end_worker(id);
            self.posts[index] = Post::Done;
        }
    }

    fn enabled(&self) -> Vec<Action> {
        let mut actions = Vec::new();
        for index in 0..self.sources.len() {
            self.publishing_actions(ProducerId::from_index(index), &mut actions);
        }
        for index in 0..self.posts.len() {
            self.working_actions(WorkerId::from_index(index), &mut actions);
            self.losing_actions(WorkerId::from_index(index), &mut actions);
        }
        let piles = if self.serves() { self.broker.piles.len() } else { 0 };
        for pile in 0..piles {
            if self.broker.can_dispatch(pile) {
                actions.extend([Action::Dispatch(pile); 3]);
            }
            if self.broker.can_expire(pile) {
                actions.extend([Action::Expire(pile); 2]);
            }
        }
        let open = self.broker.consumers.iter().enumerate();
        let heard = |consumer: &Consumer| consumer.open && !consumer.cut && self.serves();
        let acking = open.filter(|(_, it)| !it.acks.is_empty() && heard(it));
        actions.extend(acking.map(|(id, _)| Action::TakeAck(id)));
        actions.extend((0..self.dying.len()).map(Action::Bury));
        actions.extend((0..self.unverified.len()).map(Action::VerifyGone));
        actions.extend((0..self.purges.len()).map(Action::Purge));
        actions.extend((0..self.unread.len()).map(Action::LifeRead));
        self.weather_actions(&mut actions);
        if self.parted {
            actions.push(Action::Rejoin);
        }
        actions
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::StartProducer(id) => self.start_producer(id),
            Action::Publish(id) => self.publish(id),
            Action::TakePublish(id) => self.broker.take_publish(id, &mut self.dice),
            Action::Answer(id) => self.broker.answer(id, &mut self.dice),
            Action::ReadReply(id) => self.read_replies(id),
            Action::EndProducer(id) => self.end_producer(id),
            Action::StartWorker(id) => self.start_worker(id),
            Action::Dispatch(pile) => self.broker.dispatch(pile, &mut self.dice),
            Action::Expire(pile) => self.broker.expire(pile),
            Action::Purge(index) => self.purge(index),
            Action::Read(id) => self.read(id),
            Action::Work(id) => self.work(id),
            Action::Tell(id) => self.tell(id),
            Action::TakeAck(id) => self.broker.take_ack(id),
            Action::Bury(index) => self.bury(index),
            Action::VerifyGone(index) => self.verify_gone(index),
            Action::LifeRead(index) => {
                let (life, clean) = self.unread.remove(index);
                self.tell_noticed(life, clean);
            }
            Action::LearnLoss(id) => self.learn_loss(id),
            Action::Mend(id) => self.mend(id),
            Action::Thaw(id) => self.thaw(id),
            Action::GiveUp(id) => self.give_up(id),
            Action::Learn(id) => self.learn(id),
            Action::Flush(pile) => self.broker.flush(pile),
            Action::Dismiss(id) => self.dismiss(id),
            Action::GoDown => self.go_down(),
            Action::Rise => self.rise(),
            Action::Rejoin => self.rejoin(),
        }
    }

    fn tell_noticed(&mut self, life: LifeId, clean: bool) {
        let at = self.now();
        self.events.push(match clean {
            true => Event::LifeRead { life, at },
            false => Event::LifeNoticed { life, at },
        });
    }
}
