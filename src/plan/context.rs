//! One variant, from its file to its plan.

use std::collections::HashMap;
use std::ops::Range;
use std::time::Duration;

use crate::plan::lints::Tally;
use crate::plan::model::{Group, Settle, Variant};
use crate::plan::names::Names;
use crate::plan::nodes::Nodes;
use crate::plan::variants::Cell;
use crate::plan::{
    Options, errors, expectations, faults, lints, meaning, missing_name, probes, producers,
    requires, rounds, tolerance, topology, triggers, wishes, workers,
};
use crate::scenario::collect::Collector;
use crate::scenario::decode::Decoder;
use crate::scenario::file::File;
use crate::scenario::mistake::{Mistake, Whole};
use crate::scenario::node::{At, Node};
use crate::scenario::scalar::Scalar;

/// What every part of the plan looks things up in.
pub struct Context<'f> {
    pub file: &'f File,
    /// The tree that the file was read from, its variables filled in.
    pub tree: &'f Node,
    pub names: Names,
    pub nodes: Nodes,
    pub settle: Settle,
    pub cell: &'f Cell,
    /// The ids of a fault's instances, by its name.
    pub fault_ids: HashMap<&'f str, Range<usize>>,
}

impl Context<'_> {
    /// The text of a variable, for a body.
    pub fn text_of(&self, variable: &str) -> Option<String> {
        let variable = self.cell.variables.list.iter().find(|known| known.name == variable)?;
        let scalar: Scalar = serde::Deserialize::deserialize(Decoder(&variable.value)).ok()?;
        Some(scalar.to_string())
    }
}

/// The plan of a variant; `None` when it cannot be made. All mistakes are recorded.
pub fn variant(
    file: &File,
    tree: &Node,
    cell: &Cell,
    options: &Options,
    found: &mut Collector,
    tally: &mut Tally,
) -> Option<Variant> {
    head(file, found);
    let names = Names::of(file, found);
    if names.too_many {
        return None;
    }
    let nodes = Nodes::of(file, found);
    let settle = settle(file, found);
    let fault_ids = HashMap::new();
    let mut context = Context { file, tree, names, nodes, settle, cell, fault_ids };
    if !triggers::number(&mut context, found) {
        return None;
    }
    let requires = requires::plan(file, found);
    let mut topology = topology::plan(&context, found);
    let (producers, producer_groups) = producers::plan(&context, found);
    let (workers, worker_groups) = workers::plan(&context, &mut topology, found);
    topology::check_exclusive(&context, &topology, found);
    let faults = faults::plan(&context, found);
    let (observations, mut expectations) = expectations::plan(&context, found);
    errors::plan(&context, &mut expectations, found);
    let probes = probes::plan(&context, &topology, &mut expectations, found);
    let vars = vars(&context);
    let variant = Variant {
        name: cell.name.clone(),
        vars,
        seed: options.seed.or(file.seed).unwrap_or(1),
        requires,
        broker: wishes::plan(file, found),
        topology,
        producers,
        producer_groups,
        workers,
        worker_groups,
        faults,
        observations,
        probes,
        settle,
        expectations,
        tolerances: tolerance::plan(&file.tolerance),
    };
    if found.is_empty() {
        rounds::warn(&context, &variant, found);
        lints::warn(&context, &variant, found);
        tally.add(cell, lints::standing(&context, &variant), found.take_warnings());
    }
    Some(variant)
}

fn head(file: &File, found: &mut Collector) {
    let root = At::node(0);
    if file.scenario.is_none() {
        found.push(missing_name(root).needs(Whole::Names(&["scenario"])));
    }
    if let Some(format) = file.format.filter(|format| format.value != 1) {
        let text = format!("this program reads format 1, not {}", format.value);
        found.push(Mistake::new(format.at, text).help("write `format: 1`, or use a newer version"));
    }
}

fn settle(file: &File, found: &mut Collector) -> Settle {
    let written = file.settle.as_ref();
    let idle = written.and_then(|settle| settle.idle);
    let at_least = written.and_then(|settle| settle.at_least);
    let deadline = written.and_then(|settle| settle.deadline);
    let settle = Settle {
        idle: idle.map_or(Duration::from_millis(500), |time| time.0),
        at_least: at_least.map_or(Duration::ZERO, |time| time.0),
        deadline: deadline.map_or(Duration::from_secs(60), |time| time.value.0),
    };
    if let Some(deadline) = deadline.filter(|_| settle.deadline <= settle.at_least) {
        let text = "the `deadline` is not after `at_least`, so that no run could end well";
        found.push(Mistake::new(deadline.at, text).help("make the deadline longer"));
    }
    settle
}

fn vars(context: &Context) -> Vec<(String, crate::plan::pattern::Scalar)> {
    let variables = context.cell.variables.list.iter();
    let scalar = |node| serde::Deserialize::deserialize(Decoder(node)).ok();
    variables
        .filter_map(|variable| {
            let value: Scalar = scalar(&variable.value)?;
            Some((variable.name.clone(), meaning::scalar(&value)))
        })
        .collect()
}

/// The instances of one entry of the file.
pub fn group<Id: Copy>(name: &str, members: Vec<Id>) -> Group<Id> {
    Group { name: name.to_owned(), members }
}
