//! One event of an honest run is dropped, doubled, swapped with its neighbour or delayed. Either the
//! books notice, or nothing has changed. Two events of different actors may have happened in
//! the other order, and a close may go unanswered: then the mutated list is an honest run
//! too, in which the naive model agrees with the books and the true causes are still named.

use std::collections::BTreeMap;

use rmq_scenario::ledger::books::Books;
use rmq_scenario::ledger::counts::Counts;
use rmq_scenario::ledger::event::{Event, Stamped, WorkEvent};
use rmq_scenario::plan::count::Count;
use rmq_scenario::plan::model::ProducerId;
use rmq_scenario::verdict::causes::each;

use crate::compare::{books, differences, key, outcomes};
use crate::honest::{seeds, untrue_causes};
use crate::naive::count;
use crate::simulated::broker::CopyKey;
use crate::simulated::{Run, rough_run, run};

const SEEDS: u64 = 200;

/// Everything that a report says in numbers.
#[derive(Debug, PartialEq)]
struct Summary {
    totals: Counts,
    queues: Vec<Counts>,
    producers: Vec<Counts>,
    workers: Vec<Counts>,
    busy: Vec<u64>,
    disorder: u64,
    outcomes: BTreeMap<CopyKey, Count>,
    causes: BTreeMap<(CopyKey, Count), Vec<&'static str>>,
}

fn causes(run: &Run, books: &Books) -> BTreeMap<(CopyKey, Count), Vec<&'static str>> {
    let mut all = BTreeMap::new();
    each(books, |view, outcome, causes, _| {
        let names = causes.iter().map(|cause| cause.name()).collect();
        all.insert((key(run, view), outcome), names);
    });
    all
}

fn summary(run: &Run, books: &Books) -> Summary {
    Summary {
        totals: books.totals,
        queues: books.queues.clone(),
        producers: books.producers.clone(),
        workers: books.workers.clone(),
        busy: books.busy.clone(),
        disorder: books.disorder_count,
        outcomes: outcomes(run, books),
        causes: causes(run, books),
    }
}

/// The books make a run fail whatever its file expects.
fn is_noticed(run: &Run, books: &Books) -> bool {
    let unexplained = causes(run, books).values().any(|names| names.contains(&"unexplained"));
    books.violation_count > 0 || books.totals[Count::Unexpected] > 0 || unexplained
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mutation {
    Drop,
    Double,
    Swap,
    /// Told some events later.
    Delay,
}

const MUTATIONS: [Mutation; 4] =
    [Mutation::Drop, Mutation::Double, Mutation::Swap, Mutation::Delay];

/// Where an event goes that is told later.
fn later(index: usize) -> usize {
    index + 2 + index % 5
}

fn mutate<T: Clone>(list: &[T], index: usize, how: Mutation) -> Option<Vec<T>> {
    let mut list = list.to_vec();
    match how {
        Mutation::Drop => {
            list.remove(index);
        }
        Mutation::Double => list.insert(index, list[index].clone()),
        Mutation::Swap if index + 1 < list.len() => list.swap(index, index + 1),
        Mutation::Delay if later(index) < list.len() => {
            let event = list.remove(index);
            list.insert(later(index), event);
        }
        Mutation::Swap | Mutation::Delay => return None,
    }
    Some(list)
}

/// Whose event it is: swapped events of one actor are no honest run.
#[derive(PartialEq)]
enum Actor {
    Producer(ProducerId),
    Life(u16),
    Engine,
}

fn actor(event: &Event) -> Actor {
    match event {
        Event::ProducerStarted { producer, .. }
        | Event::Published { producer, .. }
        | Event::Republished { producer, .. }
        | Event::Answered { producer, .. }
        | Event::ProducerEnded { producer, .. } => Actor::Producer(*producer),
        Event::Returned { message, .. } | Event::Replied { message, .. } => {
            Actor::Producer(message.producer)
        }
        Event::LifeStarted { life, .. }
        | Event::Worked { life, .. }
        | Event::LifeEnded { life, .. }
        | Event::LifeRead { life, .. }
        | Event::LifeNoticed { life, .. }
        | Event::LifeDropped { life, .. }
        | Event::Struck { life, .. }
        | Event::Hindered { life, .. } => Actor::Life(life.0),
        Event::ChangeBegun { .. }
        | Event::ChangeEnded { .. }
        | Event::ChangeDropped { .. }
        | Event::BrokerFell { .. }
        | Event::BrokerDown { .. }
        | Event::BrokerRose { .. }
        | Event::Acted { .. }
        | Event::Parted { .. }
        | Event::Rejoined { .. }
        | Event::Drained { .. }
        | Event::Excused { .. }
        | Event::DrainEnded { .. } => Actor::Engine,
    }
}

/// Publishes and what the broker says of them: what it says of one can come before or after
/// what it says of another.
fn is_traffic(event: &Event) -> bool {
    use Event::{Answered, Published, Replied, Returned};
    matches!(event, Published { .. } | Answered { .. } | Returned { .. } | Replied { .. })
}

/// Two changes of the topology may have happened in the other order, too, and so may a publish
/// and what the broker says of others.
fn can_be_passed(delayed: &Event, passed: &Event) -> bool {
    let change = |event: &Event| match event {
        Event::ChangeBegun { change, .. }
        | Event::ChangeEnded { change, .. }
        | Event::ChangeDropped { change, .. } => Some(*change),
        _ => None,
    };
    match (change(delayed), change(passed)) {
        (Some(one), Some(other)) => one != other,
        _ if is_traffic(delayed) && is_traffic(passed) => true,
        _ => actor(delayed) != actor(passed),
    }
}

/// Whether the mutated list is an honest run itself.
fn is_possible(events: &[Event], index: usize, how: Mutation) -> bool {
    match how {
        Mutation::Swap => actor(&events[index]) != actor(&events[index + 1]),
        Mutation::Delay => {
            let passed = &events[index + 1..=later(index)];
            passed.iter().all(|event| can_be_passed(&events[index], event))
        }
        // Who is noticed, or hears the others again, need not be told of.
        Mutation::Drop => matches!(
            events[index],
            Event::LifeRead { .. } | Event::LifeNoticed { .. } | Event::Rejoined { .. }
        ),
        Mutation::Double => false,
    }
}

/// Whether the mutated steps of a worker are honest themselves: what it reads comes when it will.
fn is_possible_step(steps: &[Stamped], step: usize, how: Mutation) -> bool {
    let reads = |index: usize| matches!(steps[index].what, WorkEvent::Read { .. });
    how == Mutation::Swap
        && reads(step) != reads(step + 1)
        && tag(steps, step) != tag(steps, step + 1)
}

fn tag(steps: &[Stamped], index: usize) -> u64 {
    match steps[index].what {
        WorkEvent::Read { tag, .. }
        | WorkEvent::Begun { tag }
        | WorkEvent::Finished { tag }
        | WorkEvent::Rejected { tag, .. }
        | WorkEvent::Acked { tag, .. } => tag,
    }
}

/// A mutated run that went wrong in silence.
fn silent(run: &Run, honest: &Summary, events: &[Event], possible: bool) -> Option<String> {
    let mutated = books(run, events);
    if is_noticed(run, &mutated) {
        return None;
    }
    let found = summary(run, &mutated);
    if found == *honest {
        return None;
    }
    if possible {
        let mut wrong = differences(run, &mutated, &count(run, events, &outcomes(run, &mutated)));
        // A publish that is told after the queue came must have a copy there; where it was
        // told before, the simulation knows of none.
        let untrue = untrue_causes(run, &mutated).into_iter();
        let known = untrue.filter(|(copy, _)| honest.outcomes.contains_key(copy));
        wrong.extend(known.map(|(_, text)| text));
        return if wrong.is_empty() { None } else { Some(wrong.join("\n")) };
    }
    Some(format!("{found:?}\ninstead of\n{honest:?}"))
}

/// Every mutation of every event of these runs. How many there were.
fn mutate_events(run: fn(u64) -> Run, count: u64) -> usize {
    let mut tried = 0;
    for seed in seeds(count) {
        let run = run(seed);
        let honest = summary(&run, &books(&run, &run.events));
        for index in 0..run.events.len() {
            for how in MUTATIONS {
                let Some(events) = mutate(&run.events, index, how) else { continue };
                let possible = is_possible(&run.events, index, how);
                tried += 1;
                if let Some(wrong) = silent(&run, &honest, &events, possible) {
                    let event = &run.events[index];
                    panic!("seed {seed}: {how:?} of event {index}, {event:?}:\n{wrong}");
                }
            }
        }
    }
    tried
}

/// Every mutation of every step of a worker.
fn mutate_steps(run: fn(u64) -> Run, count: u64) -> usize {
    let mut tried = 0;
    for seed in seeds(count) {
        let run = run(seed);
        let honest = summary(&run, &books(&run, &run.events));
        for (index, event) in run.events.iter().enumerate() {
            let Event::Worked { life, events: steps } = event else { continue };
            for (step, how) in (0..steps.len()).flat_map(|it| MUTATIONS.map(|how| (it, how))) {
                let Some(mutated): Option<Vec<Stamped>> = mutate(steps, step, how) else {
                    continue;
                };
                let possible = is_possible_step(steps, step, how);
                let mut events = run.events.clone();
                events[index] = Event::Worked { life: *life, events: mutated };
                tried += 1;
                if let Some(wrong) = silent(&run, &honest, &events, possible) {
                    panic!("seed {seed}: {how:?} of step {step} of {event:?}:\n{wrong}");
                }
            }
        }
    }
    tried
}

#[test]
fn no_event_is_dropped_doubled_or_swapped_in_silence() {
    let tried = mutate_events(run, SEEDS);
    assert!(tried > 80 * SEEDS as usize, "{tried} mutations are too few");
}

#[test]
fn no_event_of_a_rough_run_is_dropped_doubled_or_swapped_in_silence() {
    let tried = mutate_events(rough_run, SEEDS);
    assert!(tried > 80 * SEEDS as usize, "{tried} mutations are too few");
}

#[test]
fn no_step_of_a_worker_is_dropped_doubled_or_swapped_in_silence() {
    let tried = mutate_steps(run, SEEDS);
    assert!(tried > 20 * SEEDS as usize, "{tried} mutations are too few");
}

#[test]
fn no_step_of_a_worker_in_a_rough_run_is_dropped_doubled_or_swapped_in_silence() {
    let tried = mutate_steps(rough_run, SEEDS);
    assert!(tried > 20 * SEEDS as usize, "{tried} mutations are too few");
}
