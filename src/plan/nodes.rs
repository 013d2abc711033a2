//! How many nodes the broker of a file has, as far as the file alone tells, and which is meant.
//!
//! A file counts nodes from 1, the plan from 0. A private broker has as many as `broker` says;
//! what is there on somebody else's is only required.

use crate::plan::model::NodeId;
use crate::scenario::collect::Collector;
use crate::scenario::decode::Located;
use crate::scenario::file::File;
use crate::scenario::mistake::Mistake;
use crate::scenario::node::At;
use crate::scenario::scalar::Whole;

/// The number of a node as it is written.
pub type Number = Located<Whole<1, MOST>>;

/// A file can name no more nodes than these.
pub const MOST: u64 = 64;

/// The nodes that a file can rely on.
#[derive(Debug, Clone, Copy)]
pub struct Nodes {
    /// At least 1.
    pub count: u64,
    /// The key that says so, if one does.
    said: Option<(&'static str, At)>,
}

impl Nodes {
    /// As many as `broker` says, else as many as are required, else one.
    pub fn of(file: &File, found: &mut Collector) -> Self {
        let own = file.broker.as_ref().and_then(|broker| broker.nodes);
        let required = file.requires.as_ref().and_then(|requires| requires.nodes);
        if let (Some(own), Some(required)) = (own, required)
            && required.value.0 > own.value.0
        {
            let (all, there) = (nodes(required.value.0), nodes(own.value.0));
            let text = format!("this requires {all}, and the broker of this file has {there}");
            let mistake = Mistake::new(required.at, text).note("`broker` says so", own.at);
            found.push(mistake.help("leave `nodes` out here: a private broker has what it says"));
        }
        let own = own.map(|nodes| (nodes.value.0, "broker", nodes.at));
        let required = required.map(|nodes| (nodes.value.0, "requires", nodes.at));
        match own.or(required) {
            Some((count, key, at)) => Self { count, said: Some((key, at)) },
            None => Self { count: 1, said: None },
        }
    }

    /// The node that a number means; `who` is what is there: ``queue `q` is on``.
    pub fn id(&self, number: &Option<Number>, who: &str, found: &mut Collector) -> Option<NodeId> {
        let number = number.as_ref()?;
        let wanted = number.value.0;
        if wanted > self.count {
            let text = format!("{who} node {wanted}, and there is {}", nodes(self.count));
            let text = if self.count == 1 { text } else { text.replace("there is", "there are") };
            let mistake = self.note(Mistake::new(number.at, text));
            found.push(mistake.help(self.remedy(wanted)));
            return None;
        }
        Some(NodeId::from_index(usize::try_from(wanted - 1).expect("a file names few nodes")))
    }

    /// What messages call a node, counted from 0; the only one is the broker.
    pub fn name(&self, node: usize) -> String {
        match self.count {
            1 => "the broker".to_owned(),
            _ => format!("node {}", node + 1),
        }
    }

    /// Adds the place that says how many nodes there are.
    pub fn note(&self, mistake: Mistake) -> Mistake {
        match self.said {
            Some((key, at)) => mistake.note(format!("`{key}` says how many"), at),
            None => mistake,
        }
    }

    /// What to do for more nodes, or with fewer.
    fn remedy(&self, wanted: u64) -> String {
        let key = self.said.map_or("broker", |(key, _)| key);
        let less = match self.count {
            1 => "leave `node` out".to_owned(),
            count => format!("name one from 1 to {count}"),
        };
        format!("write `{key}: {{ nodes: {wanted} }}`, or {less}")
    }
}

fn nodes(count: u64) -> String {
    if count == 1 { "one node".to_owned() } else { format!("{count} nodes") }
}
