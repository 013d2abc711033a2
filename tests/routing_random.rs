//! The routing function against the broker itself: random topologies, real publishes, and the
//! copies compared with the prediction.
//!
//! Seeds 1 to 200 are always tried. `RMQ_SCENARIO_ROUTING_TOPOLOGIES=5000` tries as many, and
//! `RMQ_SCENARIO_ROUTING_SEED=…` begins at that seed. What disagrees is made small first, and
//! told with its seed.

#[path = "ledger/dice.rs"]
mod dice;
#[path = "routing/draw.rs"]
mod draw;
#[path = "routing/shrink.rs"]
mod shrink;
mod support;
#[path = "routing/trial.rs"]
mod trial;

use draw::{Case, Message, draw};
use futures_util::StreamExt;
use futures_util::stream::iter;
use rmq_scenario::broker::{Link, Space};
use rmq_scenario::plan::model::{QueueId, Topology};
use rmq_scenario::plan::routing::{Envelope, Standing, route};
use trial::Seen;

/// A version to predict for without a broker.
const TODAY: &str = "4.3.6";

/// How many topologies are on the broker at a time.
const TOGETHER: usize = 16;

/// Which queues a message must reach on a broker of this version.
type Predict = fn(&Topology, &Message, &str) -> Vec<QueueId>;

fn predicted(topology: &Topology, message: &Message, version: &str) -> Vec<QueueId> {
    let envelope = Envelope {
        exchange: message.exchange,
        routing_key: &message.key,
        headers: &message.headers,
    };
    route(topology, &Standing::declared(topology).on(version), envelope)
}

/// A prediction that knows no alternate exchanges.
fn without_alternates(topology: &Topology, message: &Message, version: &str) -> Vec<QueueId> {
    let mut topology = topology.clone();
    topology.exchanges.iter_mut().for_each(|exchange| exchange.alternate = None);
    predicted(&topology, message, version)
}

/// What is predicted, in the words of what is seen: what reaches no queue is returned.
fn expected(topology: &Topology, message: &Message, predict: Predict, version: &str) -> Seen {
    let copies = predict(topology, message, version);
    Seen { returned: copies.is_empty(), copies }
}

/// Tries cases on one connection; of each the messages that went another way than predicted.
async fn wrong(
    cases: Vec<Case>,
    round: &str,
    space: &Space,
    link: &Link,
    predict: Predict,
) -> Vec<(Case, Seen)> {
    let trials = cases.into_iter().enumerate().map(|(index, case)| async move {
        let label = format!("{round}-{index}");
        let seen = trial::run(&case, &label, space, link).await;
        let pairs = case.messages.iter().zip(seen);
        let differs = pairs.filter(|(message, seen)| {
            expected(&case.topology, message, predict, space.version()) != *seen
        });
        let alone = |message: &Message| Case { messages: vec![message.clone()], ..case.clone() };
        differs.map(|(message, seen)| (alone(message), seen)).collect::<Vec<_>>()
    });
    iter(trials).buffered(TOGETHER).collect::<Vec<_>>().await.concat()
}

/// Leaves out what can be left out while the broker still disagrees.
async fn shrunk(
    mut found: (Case, Seen),
    space: &Space,
    link: &Link,
    predict: Predict,
) -> (Case, Seen) {
    for round in 0.. {
        let smaller = shrink::smaller(&found.0);
        let label = format!("shrink-{}-{round}", found.0.seed);
        match wrong(smaller, &label, space, link, predict).await.into_iter().next() {
            Some(less) => found = less,
            None => break,
        }
    }
    found
}

/// The first disagreement among these seeds, made small.
async fn disagreement(
    seeds: impl Iterator<Item = u64>,
    id: &str,
    predict: Predict,
) -> Option<(Case, Seen)> {
    let space = support::node().await.space(id).await.expect("a space");
    let link = space.connect("routing", None).await.expect("a connection");
    let cases: Vec<Case> = seeds.map(draw).collect();
    let mut first = None;
    for (index, batch) in cases.chunks(100).enumerate() {
        let label = format!("{id}-{index}");
        first = wrong(batch.to_vec(), &label, &space, &link, predict).await.into_iter().next();
        if first.is_some() {
            break;
        }
    }
    let small = match first {
        Some(found) => Some(shrunk(found, &space, &link, predict).await),
        None => None,
    };
    link.close().await.expect("it closes");
    space.close().await.expect("it is cleaned up");
    small
}

fn variable(name: &str) -> Option<u64> {
    std::env::var(format!("RMQ_SCENARIO_ROUTING_{name}")).ok()?.parse().ok()
}

#[test]
fn every_copy_goes_where_the_routing_function_says() {
    let first = variable("SEED").unwrap_or(1);
    let one = variable("SEED").map(|_| 1);
    let count = variable("TOPOLOGIES").or(one).unwrap_or(200);
    let found = support::block_on(disagreement(first..first + count, "routing", predicted));
    if let Some((case, seen)) = found {
        let (topology, message) = (&case.topology, &case.messages[0]);
        let version = support::block_on(support::node()).version();
        panic!(
            "RabbitMQ {version}, seed {}\n{}\npredicted {:?}\nseen      {seen:?}",
            case.seed,
            trial::told(topology, message),
            expected(topology, message, predicted, version)
        );
    }
}

/// The comparison finds a function that is wrong, and what it shows is as small as can be.
#[test]
fn a_wrong_function_is_found_and_its_example_is_small() {
    let found = support::block_on(disagreement(1..60, "wrong", without_alternates));
    let (case, _) = found.expect("alternates are drawn");
    let alternates = case.topology.exchanges.iter().filter(|it| it.alternate.is_some()).count();
    assert_eq!(alternates, 1, "{}", trial::told(&case.topology, &case.messages[0]));
    assert!(case.topology.bindings.len() <= 2, "{:?}", case.topology.bindings);
    assert!(case.messages[0].headers.is_empty(), "{:?}", case.messages[0]);
}

/// The cases of the fixed seeds have everything in them that they are about.
#[test]
fn the_fixed_seeds_have_every_kind_of_route() {
    let routes: Vec<usize> = (1..=200)
        .map(draw)
        .flat_map(|case| {
            let count = |message: &Message| predicted(&case.topology, message, TODAY).len();
            case.messages.iter().map(count).collect::<Vec<_>>()
        })
        .collect();
    let share = |wanted: fn(&usize) -> bool| {
        routes.iter().filter(|it| wanted(it)).count() * 100 / routes.len()
    };
    let shares = [share(|it| *it == 0), share(|it| *it == 1), share(|it| *it > 1)];
    assert!(shares.iter().all(|share| *share >= 15), "none, one, several copies: {shares:?}");
    let by_alternate = (1..=200).map(draw).any(|case| {
        let differs = |it: &Message| {
            predicted(&case.topology, it, TODAY) != without_alternates(&case.topology, it, TODAY)
        };
        case.messages.iter().any(differs)
    });
    assert!(by_alternate);
}
