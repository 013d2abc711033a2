//! Random topologies, and messages for them, from a seed.

use rmq_scenario::plan::model::{
    Binding, BoundTo, Exchange, ExchangeId, ExchangeKind, ExchangeRef, Queue, QueueId, Topology,
};
use rmq_scenario::plan::pattern::Scalar;

use crate::dice::Dice;

/// How many messages each topology gets.
const MESSAGES: usize = 24;

const KINDS: [ExchangeKind; 4] =
    [ExchangeKind::Direct, ExchangeKind::Fanout, ExchangeKind::Topic, ExchangeKind::Headers];

/// One publish.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    pub exchange: ExchangeId,
    pub key: String,
    pub headers: Vec<(String, Scalar)>,
}

/// A topology and what is published to it.
#[derive(Debug, Clone)]
pub struct Case {
    pub seed: u64,
    pub topology: Topology,
    pub messages: Vec<Message>,
}

/// The case of a seed.
pub fn draw(seed: u64) -> Case {
    let mut dice = Dice::new(seed, "routing");
    let exchanges = exchanges(&mut dice);
    let queues: Vec<Queue> = (0..2 + dice.below(5)).map(queue).collect();
    let count = 4 + dice.below(20);
    let mut topology = Topology { exchanges, queues, bindings: Vec::new() };
    for _ in 0..count {
        let binding = binding(&mut dice, &topology);
        topology.bindings.push(binding);
    }
    let messages = (0..MESSAGES).map(|_| message(&mut dice, &topology)).collect();
    Case { seed, topology, messages }
}

fn queue(index: usize) -> Queue {
    Queue::named(&format!("q{index}"))
}

/// Exchange 1 can be published to; the others may be internal.
fn exchanges(dice: &mut Dice) -> Vec<Exchange> {
    let count = 1 + dice.below(6);
    let mut exchanges = vec![Exchange::named("", ExchangeKind::Direct)];
    for index in 1..=count {
        let alternate = dice.percent(35).then(|| match dice.below(8) {
            0 => ExchangeRef::Missing("nowhere".to_owned()),
            1 => ExchangeRef::Declared(ExchangeId(0)),
            _ => ExchangeRef::Declared(ExchangeId::from_index(1 + dice.below(count))),
        });
        exchanges.push(Exchange {
            durable: dice.percent(50),
            internal: index > 1 && dice.percent(25),
            alternate,
            ..Exchange::named(&format!("e{index}"), dice.pick(&KINDS))
        });
    }
    exchanges
}

fn binding(dice: &mut Dice, topology: &Topology) -> Binding {
    let from = 1 + dice.below(topology.exchanges.len() - 1);
    let to = if dice.percent(30) {
        BoundTo::Exchange(ExchangeId::from_index(1 + dice.below(topology.exchanges.len() - 1)))
    } else {
        BoundTo::Queue(QueueId::from_index(dice.below(topology.queues.len())))
    };
    let kind = topology.exchanges[from].kind;
    // Patterns are plain text to every exchange but a topic one.
    let words: &[&str] = if kind == ExchangeKind::Topic || dice.percent(10) {
        &["a", "b", "", "*", "#", "*", "#"]
    } else {
        &["a", "b"]
    };
    let compared = kind == ExchangeKind::Headers || dice.percent(10);
    Binding {
        from: ExchangeId::from_index(from),
        to,
        routing_key: pattern(dice, words),
        headers: if compared { headers(dice) } else { Vec::new() },
        match_any: dice.percent(50),
    }
}

fn message(dice: &mut Dice, topology: &Topology) -> Message {
    let open = |index: &usize| !topology.exchanges[*index].internal;
    let open: Vec<usize> = (0..topology.exchanges.len()).filter(open).collect();
    let exchange = match dice.percent(5) {
        true => 0,
        false => open[1 + dice.below(open.len() - 1)],
    };
    let key = match dice.percent(15) {
        true => format!("q{}", dice.below(topology.queues.len() + 1)),
        false => key(dice, &["a", "b", "", "a", "b", "c", "#"]),
    };
    Message { exchange: ExchangeId::from_index(exchange), key, headers: headers(dice) }
}

/// RabbitMQ 4.3 refuses a pattern with more than two `#`.
fn pattern(dice: &mut Dice, words: &[&str]) -> String {
    loop {
        let drawn = key(dice, words);
        if drawn.matches('#').count() <= 2 {
            return drawn;
        }
    }
}

/// Up to four words; an empty word makes keys such as `a..b`, `.` and the empty one.
fn key(dice: &mut Dice, words: &[&str]) -> String {
    let count = dice.below(5);
    let words: Vec<&str> = (0..count).map(|_| dice.pick(words)).collect();
    words.join(".")
}

/// Few names and values of all types that look alike, so that they often meet.
fn headers(dice: &mut Dice) -> Vec<(String, Scalar)> {
    let mut headers = Vec::new();
    for name in ["h", "i", "x-j"] {
        if dice.percent(55) {
            headers.push((name.to_owned(), value(dice)));
        }
    }
    headers
}

fn value(dice: &mut Dice) -> Scalar {
    match dice.below(9) {
        0..=2 => Scalar::Int(1),
        3 => Scalar::Int(0),
        4 => Scalar::Float(1.0),
        5 => Scalar::Text("1".to_owned()),
        6 => Scalar::Text(String::new()),
        7 => Scalar::Bool(true),
        _ => Scalar::Text("true".to_owned()),
    }
}
