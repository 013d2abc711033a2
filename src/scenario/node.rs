//! The file as a tree whose nodes are numbered in reading order, keys too.
//!
//! A node knows its number and no position: positions are found again from the number, by
//! [`crate::scenario::yaml::locate`]. Maps keep repeated keys, so that all of them can be shown.
//! The numbers of a file's nodes lie together, so that a number tells its file, too: 0 is that of
//! the scenario, and the parts that it includes follow in the order in which they were read.

use std::cell::{Cell, RefCell};
use std::fmt;

use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error, MapAccess, SeqAccess, VariantAccess, Visitor,
};

/// The numbers that one file has for its nodes; it never has so many.
const PER_FILE: u32 = 1 << 18;

/// Nodes from here on came from the command line, one number for each `--set`.
const COMMAND_LINE: u32 = u32::MAX - 0xffff;

/// A node of the file, by its number in reading order, and where a variable brought it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct At {
    pub node: u32,
    pub used: Option<u32>,
}

impl At {
    /// The node with this number.
    pub fn node(node: u32) -> Self {
        Self { node, used: None }
    }

    /// The first node of a file.
    pub fn first_of(file: usize) -> Self {
        Self::node(u32::try_from(file).unwrap_or(u32::MAX).saturating_mul(PER_FILE))
    }

    /// The value of the `index`-th `--set` of the command line.
    pub fn command_line(index: usize) -> Self {
        Self::node(COMMAND_LINE + u32::try_from(index % 0xffff).expect("a small number fits"))
    }

    /// Whether the file has no such node.
    pub fn is_from_command_line(self) -> bool {
        self.node >= COMMAND_LINE
    }

    /// The file that the node stands in: 0 is the scenario's own, the parts follow.
    pub fn file(self) -> usize {
        usize::try_from(self.node / PER_FILE).expect("a small number fits")
    }

    /// The number of the node among those of its file.
    pub fn in_file(self) -> u32 {
        self.node % PER_FILE
    }

    /// The node of the file that stands where the value is meant: the use of a variable, or itself.
    pub fn position(self) -> u32 {
        self.used.unwrap_or(self.node)
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    pub at: At,
    pub value: Value,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    Null,
    Bool(bool),
    Int(i128),
    Float(f64),
    Text(String),
    List(Vec<Node>),
    Map(Vec<(Node, Node)>),
}

impl Node {
    /// The text of a text.
    pub fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The entries of a map; none of anything else.
    pub fn entries(&self) -> &[(Node, Node)] {
        match &self.value {
            Value::Map(entries) => entries,
            _ => &[],
        }
    }

    /// The value of a key of a map.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entries().iter().find(|(name, _)| name.text() == Some(key)).map(|(_, value)| value)
    }

    /// The node that stands there, in this one; numbers rise in reading order.
    pub fn find(&self, at: At) -> Option<&Node> {
        let wanted = at.position();
        if self.at.node == wanted {
            return Some(self);
        }
        match &self.value {
            Value::List(items) => items.iter().find_map(|item| item.find(at)),
            Value::Map(entries) => {
                entries.iter().find_map(|(key, value)| key.find(at).or_else(|| value.find(at)))
            }
            _ => None,
        }
    }

    /// Whether a number is that of this node or of one below it.
    ///
    /// Entries of included files stand in lists of the file that includes them, and no deeper than
    /// three levels. What lies below is of one file, and its numbers have no gaps.
    pub fn covers(&self, number: u32) -> bool {
        self.covers_to(number, 3)
    }

    fn covers_to(&self, number: u32, levels: u32) -> bool {
        if levels == 0 {
            return (self.at.node..=self.last()).contains(&number);
        }
        let below = |node: &Node| node.covers_to(number, levels - 1);
        self.at.node == number
            || match &self.value {
                Value::List(items) => items.iter().any(below),
                Value::Map(entries) => {
                    entries.iter().any(|(key, value)| below(key) || below(value))
                }
                _ => false,
            }
    }

    /// The highest number of this node and all below it.
    pub fn last(&self) -> u32 {
        match &self.value {
            Value::List(items) => items.last().map_or(self.at.node, Node::last),
            Value::Map(entries) => entries.last().map_or(self.at.node, |(_, value)| value.last()),
            _ => self.at.node,
        }
    }
}

/// Why a walk ended early.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stop {
    /// The node that was looked for; its text, when it is a text.
    Found(Option<String>),
    TooMany,
    TooDeep,
    Tag(String),
}

/// A walk over a document that builds its tree, or ends with an error at one node: the YAML
/// library then says where that node stands.
#[derive(Debug)]
pub struct Walk {
    first: u32,
    next: Cell<u32>,
    goal: Option<u32>,
    /// The first number that is too much.
    limit: u32,
    depth: u32,
    stop: RefCell<Option<Stop>>,
}

impl Walk {
    /// Reads a whole document of at most `limit` nodes, nested at most `depth` deep: the file with
    /// this number.
    pub fn whole(file: usize, limit: u32, depth: u32) -> Self {
        let first = At::first_of(file).node;
        let (limit, stop) = (first.saturating_add(limit), RefCell::new(None));
        Self { first, next: Cell::new(first), goal: None, limit, depth, stop }
    }

    /// Ends at the node with the number `goal` in its file.
    pub fn to(goal: u32) -> Self {
        Self { goal: Some(goal), ..Self::whole(0, u32::MAX, u32::MAX) }
    }

    /// Why it ended.
    pub fn stop(&self) -> Option<Stop> {
        self.stop.borrow().clone()
    }

    /// The number, in its file, of the node that it entered last.
    pub fn last(&self) -> u32 {
        self.count().saturating_sub(1)
    }

    /// The node that it begins with.
    pub fn start(&self) -> At {
        At::node(self.first)
    }

    fn count(&self) -> u32 {
        self.next.get() - self.first
    }

    fn end<E: Error>(&self, stop: Stop) -> E {
        *self.stop.borrow_mut() = Some(stop);
        E::custom("the walk ends here")
    }
}

/// One step of a walk: the node that comes next.
#[derive(Clone, Copy)]
pub struct Step<'w> {
    walk: &'w Walk,
    depth: u32,
    id: u32,
}

impl<'w> Step<'w> {
    /// The first step.
    pub fn first(walk: &'w Walk) -> Self {
        Self { walk, depth: 0, id: 0 }
    }

    fn below(self) -> Self {
        Self { depth: self.depth + 1, ..self }
    }

    /// Ends the walk at this node if it must. Called from within a visit, so that the error
    /// bears the place of the node that is visited.
    fn enter<E: Error>(&self, text: Option<&str>) -> Result<(), E> {
        if self.walk.goal == Some(self.id) {
            return Err(self.walk.end(Stop::Found(text.map(str::to_owned))));
        }
        if self.id >= self.walk.limit {
            return Err(self.walk.end(Stop::TooMany));
        }
        if self.depth > self.walk.depth {
            return Err(self.walk.end(Stop::TooDeep));
        }
        Ok(())
    }

    fn node<E: Error>(self, value: Value) -> Result<Node, E> {
        self.enter(match &value {
            Value::Text(text) => Some(text),
            _ => None,
        })?;
        Ok(Node { at: At::node(self.id), value })
    }
}

impl<'de> DeserializeSeed<'de> for Step<'_> {
    type Value = Node;
    fn deserialize<D: Deserializer<'de>>(mut self, deserializer: D) -> Result<Node, D::Error> {
        self.id = self.walk.next.get();
        self.walk.next.set(self.id.saturating_add(1));
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Step<'_> {
    type Value = Node;
    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("any value")
    }
    fn visit_unit<E: Error>(self) -> Result<Node, E> {
        self.node(Value::Null)
    }
    fn visit_none<E: Error>(self) -> Result<Node, E> {
        self.node(Value::Null)
    }
    fn visit_bool<E: Error>(self, value: bool) -> Result<Node, E> {
        self.node(Value::Bool(value))
    }
    fn visit_i64<E: Error>(self, value: i64) -> Result<Node, E> {
        self.node(Value::Int(value.into()))
    }
    fn visit_u64<E: Error>(self, value: u64) -> Result<Node, E> {
        self.node(Value::Int(value.into()))
    }
    fn visit_i128<E: Error>(self, value: i128) -> Result<Node, E> {
        self.node(Value::Int(value))
    }
    fn visit_u128<E: Error>(self, value: u128) -> Result<Node, E> {
        self.node(Value::Int(i128::try_from(value).unwrap_or(i128::MAX)))
    }
    fn visit_f64<E: Error>(self, value: f64) -> Result<Node, E> {
        self.node(Value::Float(value))
    }
    fn visit_str<E: Error>(self, value: &str) -> Result<Node, E> {
        self.node(Value::Text(value.to_owned()))
    }
    fn visit_string<E: Error>(self, value: String) -> Result<Node, E> {
        self.node(Value::Text(value))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Node, A::Error> {
        self.enter(None)?;
        let mut items = Vec::new();
        while let Some(item) = list.next_element_seed(self.below())? {
            items.push(item);
        }
        Ok(Node { at: At::node(self.id), value: Value::List(items) })
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
        self.enter(None)?;
        let mut entries = Vec::new();
        while let Some(key) = map.next_key_seed(self.below())? {
            let value = map.next_value_seed(self.below())?;
            entries.push((key, value));
        }
        Ok(Node { at: At::node(self.id), value: Value::Map(entries) })
    }
    /// The YAML library calls this for a node with a tag such as `!foo`.
    fn visit_enum<A: EnumAccess<'de>>(self, data: A) -> Result<Node, A::Error> {
        self.enter(None)?;
        let (tag, content) = data.variant::<String>()?;
        let _ = content.unit_variant();
        Err(self.walk.end(Stop::Tag(tag)))
    }
}
