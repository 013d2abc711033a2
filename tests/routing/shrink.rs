//! Makes a disagreement small: whatever can be left out while it lasts is left out.

use rmq_scenario::plan::model::{BoundTo, ExchangeId, ExchangeRef, QueueId, Topology};

use crate::draw::{Case, Message};

/// Every case of one message that has one thing less.
pub fn smaller(case: &Case) -> Vec<Case> {
    let mut all = Vec::new();
    let message = &case.messages[0];
    let topology = &case.topology;
    let mut with = |topology: Topology, message: Message| {
        all.push(Case { seed: case.seed, topology, messages: vec![message] });
    };
    for exchange in 1..topology.exchanges.len() {
        let mut less = topology.clone();
        less.exchanges[exchange].alternate = None;
        let end = BoundTo::Exchange(ExchangeId::from_index(exchange));
        less.bindings.retain(|binding| binding.from.index() != exchange && binding.to != end);
        if less.bindings != topology.bindings {
            with(less, message.clone());
        }
        if topology.exchanges[exchange].alternate.is_some() {
            let mut less = topology.clone();
            less.exchanges[exchange].alternate = None;
            with(less, message.clone());
        }
    }
    for binding in 0..topology.bindings.len() {
        let mut less = topology.clone();
        less.bindings.remove(binding);
        with(less, message.clone());
        for header in 0..topology.bindings[binding].headers.len() {
            let mut less = topology.clone();
            less.bindings[binding].headers.remove(header);
            with(less, message.clone());
        }
    }
    for (index, binding) in topology.bindings.iter().enumerate() {
        if let BoundTo::Exchange(_) = binding.to {
            let mut less = topology.clone();
            less.bindings[index].to = BoundTo::Queue(QueueId(0));
            with(less, message.clone());
        }
    }
    for next in next_exchanges(topology, message.exchange) {
        let mut less = topology.clone();
        less.exchanges[next.index()].internal = false;
        with(less, Message { exchange: next, ..message.clone() });
    }
    for header in 0..message.headers.len() {
        let mut less = message.clone();
        less.headers.remove(header);
        with(topology.clone(), less);
    }
    if topology.queues.len() > 1 {
        let last = topology.queues.len() - 1;
        let unused = |end: BoundTo| !matches!(end, BoundTo::Queue(id) if id.index() == last);
        if topology.bindings.iter().all(|binding| unused(binding.to)) {
            let mut less = topology.clone();
            less.queues.pop();
            with(less, message.clone());
        }
    }
    all
}

/// Where a message goes on to from an exchange, other than the exchange itself; the way from
/// there is shorter only if nothing leads back.
fn next_exchanges(topology: &Topology, from: ExchangeId) -> Vec<ExchangeId> {
    let bound = topology.bindings.iter().filter(|binding| binding.from == from);
    let ends = bound.filter_map(|binding| match binding.to {
        BoundTo::Exchange(id) => Some(id),
        BoundTo::Queue(_) => None,
    });
    let alternate = match topology.exchanges[from.index()].alternate {
        Some(ExchangeRef::Declared(id)) => Some(id),
        _ => None,
    };
    // A way that only leads onward ends; one that could lead back might be shrunk for ever.
    ends.chain(alternate).filter(|next| *next > from).collect()
}
