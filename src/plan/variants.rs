//! Which variants a file has: `vars`, `variants`, `matrix`, and what the command line sets.

use std::collections::HashMap;

use crate::plan::Options;
use crate::scenario::collect::Collector;
use crate::scenario::decode::Located;
use crate::scenario::file::{Head, Variant};
use crate::scenario::mistake::{Mistake, Whole, list, meant};
use crate::scenario::node::{At, Node, Value};
use crate::scenario::scalar::{Name, Scalar};
use crate::scenario::variables::{RESERVED, Variable, Variables, reference, unescaped};
use crate::scenario::yaml;

/// A scenario runs in at most this many variants.
const MAX_CELLS: usize = 1000;

/// One variant before its variables are filled in.
pub struct Cell {
    pub name: String,
    pub variables: Variables,
    /// `requires`, `expect` and `tolerance` of the variants that it is made of, key and value, in order.
    pub layers: Vec<(Node, Node)>,
    /// These variants.
    pub made_of: Vec<At>,
}

/// The variants of a file, in order; one without a name when it names none.
pub fn cells(tree: &Node, options: &Options, found: &mut Collector) -> Vec<Cell> {
    let mut tree = head(tree);
    let head: Head = match found.decode(&mut tree) {
        Some(head) => head,
        None => Head { vars: Default::default(), variants: Vec::new(), matrix: Default::default() },
    };
    let mut base = declared(&tree, &head, found);
    let fixed = set(&mut base, options, found);
    let expansion = Expansion { tree: &tree, base, fixed };
    if head.matrix.0.is_empty() {
        expansion.listed(&head.variants, found)
    } else {
        expansion.matrix(&head, found)
    }
}

/// The part of the tree that is read before variables are filled in.
fn head(tree: &Node) -> Node {
    let mut entries = tree.entries().to_vec();
    entries.retain(|(key, _)| matches!(key.text(), Some("vars" | "variants" | "matrix")));
    Node { at: tree.at, value: Value::Map(entries) }
}

/// The variables of `vars`.
fn declared(tree: &Node, head: &Head, found: &mut Collector) -> Vec<Variable> {
    let mut variables = Vec::new();
    for (name, _) in &head.vars.0 {
        if RESERVED.contains(&&*name.value) {
            let text = format!("`{}` is not a name for a variable", &*name.value);
            found.push(Mistake::new(name.at, text).help(
                "in a body `{n}`, `{dots}` and `{producer}` have a meaning of their own; use another name",
            ));
        }
        let Some(node) = tree.get("vars").and_then(|vars| vars.get(&name.value)) else { continue };
        variables.push(Variable { name: name.value.0.clone(), value: literal(node, found) });
    }
    variables
}

/// The value of a variable; it is not another variable.
fn literal(node: &Node, found: &mut Collector) -> Node {
    if let Some(name) = node.text().and_then(reference) {
        found.push(
            Mistake::new(node.at, format!("a variable cannot be another variable, `${name}`"))
                .help(format!("write its value, or `$${name}` for the text")),
        );
    }
    unescaped(node)
}

/// Lays the values of the command line over the variables; the names of those it sets.
fn set(base: &mut [Variable], options: &Options, found: &mut Collector) -> Vec<String> {
    let mut fixed = Vec::new();
    for (index, (name, text)) in options.sets.iter().enumerate() {
        let at = At::command_line(index);
        let names: Vec<String> = base.iter().map(|variable| variable.name.clone()).collect();
        let Some(variable) = base.iter_mut().find(|variable| variable.name == *name) else {
            found.push(unknown_set(at, name, text, &names));
            continue;
        };
        let Some(value) = yaml::scalar(text) else {
            let text = format!("`--set {name}={text}` does not give a single value");
            found.push(
                Mistake::new(at, text).help("put a text with special characters into quotes"),
            );
            continue;
        };
        variable.value = literal(&Node { at, value }, found);
        fixed.push(name.clone());
    }
    fixed
}

fn unknown_set(at: At, name: &str, text: &str, names: &[String]) -> Mistake {
    let names = || names.iter().map(String::as_str);
    let mistake =
        Mistake::new(at, format!("`--set {name}={text}`: the file has no variable `{name}`"))
            .needs(Whole::Names(&["vars"]));
    match meant(name, names()) {
        Some(meant) => mistake.help(format!("did you mean `{meant}`?")),
        None if names().next().is_none() => mistake.help("it declares no variables in `vars`"),
        None => mistake.help(format!("its variables are {}", list(names(), "and"))),
    }
}

struct Expansion<'t> {
    tree: &'t Node,
    base: Vec<Variable>,
    /// Variables that the command line sets.
    fixed: Vec<String>,
}

impl Expansion<'_> {
    /// The variants of a file without a matrix.
    fn listed(&self, variants: &[Located<Variant>], found: &mut Collector) -> Vec<Cell> {
        if variants.is_empty() {
            return vec![self.cell(String::new(), Vec::new(), &[])];
        }
        let mut names: HashMap<String, At> = HashMap::new();
        let mut cells = Vec::new();
        for variant in variants {
            if let Some(when) = &variant.when {
                found.push(
                    Mistake::new(when.at, "`when` chooses cells of a `matrix`, and there is none")
                        .needs(Whole::Names(&["matrix"]))
                        .help("name the variant with `name` and give it `vars`"),
                );
            }
            let values = self.values(variant, found);
            let name = self.title(variant, &values, found);
            if let Some(at) = variant.name.as_ref().map(|name| name.at) {
                if let Some(first) = names.get(&name) {
                    let text = format!("two variants have the name `{name}`");
                    found.push(Mistake::new(at, text).note("the first one", *first));
                }
                names.entry(name.clone()).or_insert(at);
            }
            cells.push(self.cell(name, values, &[variant]));
        }
        cells
    }

    /// The name of a variant; a variable in it is filled in.
    fn title(
        &self,
        variant: &Located<Variant>,
        values: &[(String, Node)],
        found: &mut Collector,
    ) -> String {
        let Some(name) = &variant.name else {
            found.push(
                Mistake::new(variant.at, "a variant needs the key `name`")
                    .needs(Whole::Node(variant.at))
                    .help("say in a few words what is special about it"),
            );
            return String::new();
        };
        let node = Node { at: name.at, value: Value::Text(name.value.0.clone()) };
        let node = self.variables(values.to_vec()).fill(&node, found);
        written(&node.value)
    }

    /// The values that a variant gives to variables.
    fn values(&self, variant: &Located<Variant>, found: &mut Collector) -> Vec<(String, Node)> {
        let mut values = Vec::new();
        for (name, value) in &variant.vars.0 {
            self.check_name(name, "a variant", found);
            let node = self.find(value.at);
            values.extend(node.map(|node| (name.value.0.clone(), literal(node, found))));
        }
        values
    }

    fn check_name(&self, name: &Located<Name>, who: &str, found: &mut Collector) {
        let names = || self.base.iter().map(|variable| variable.name.as_str());
        if names().any(|known| known == &*name.value) {
            return;
        }
        let text = format!("{who} sets `{}`, which `vars` does not declare", &*name.value);
        let mistake = Mistake::new(name.at, text).needs(Whole::Names(&["vars"]));
        found.push(match meant(&name.value, names()) {
            Some(meant) => mistake.help(format!("did you mean `{meant}`?")),
            None => mistake
                .help(format!("declare it with a default: `vars: {{ {}: … }}`", &*name.value)),
        });
    }

    /// The cells of a matrix, the first axis changing slowest.
    fn matrix(&self, head: &Head, found: &mut Collector) -> Vec<Cell> {
        let axes: Vec<Axis> =
            head.matrix.0.iter().map(|(name, values)| self.axis(name, values, found)).collect();
        let sizes = axes.iter().map(|axis| axis.chosen.len());
        let size = sizes.fold(1_usize, |product, size| product.saturating_mul(size.max(1)));
        if size > MAX_CELLS {
            let at = self.tree.get("matrix").map_or(self.tree.at, |matrix| matrix.at);
            let text = format!("this matrix has {size} cells; {MAX_CELLS} are the most");
            found.push(Mistake::new(at, text).help("leave out an axis or some of its values"));
            return Vec::new();
        }
        for variant in &head.variants {
            check_entry(variant, &axes, found);
        }
        let mut cells: Vec<Vec<(String, Node)>> = vec![Vec::new()];
        for axis in &axes {
            let longer = |cell: &Vec<(String, Node)>, value: &Node| {
                let mut cell = cell.clone();
                cell.push((axis.name.clone(), value.clone()));
                cell
            };
            cells = cells
                .iter()
                .flat_map(|cell| axis.chosen.iter().map(move |value| longer(cell, value)))
                .collect();
        }
        cells.into_iter().map(|values| self.matrix_cell(values, &head.variants)).collect()
    }

    fn matrix_cell(&self, values: Vec<(String, Node)>, variants: &[Located<Variant>]) -> Cell {
        let name: Vec<String> = values
            .iter()
            .map(|(name, value)| format!("{name}={}", written(&value.value)))
            .collect();
        let matches = |variant: &&Located<Variant>| {
            variant.when.iter().flat_map(|when| &when.value.0).all(|(name, wanted)| {
                let has = values.iter().find(|(axis, _)| *axis == *name.value.0);
                has.is_some_and(|(_, value)| {
                    self.find(wanted.at)
                        .is_some_and(|wanted| unescaped(wanted).value == value.value)
                })
            })
        };
        let made_of: Vec<&Located<Variant>> = variants.iter().filter(matches).collect();
        self.cell(name.join(" "), values, &made_of)
    }

    fn axis(
        &self,
        name: &Located<Name>,
        values: &Located<Vec<Located<Scalar>>>,
        found: &mut Collector,
    ) -> Axis {
        self.check_name(name, "the matrix", found);
        if values.value.is_empty() {
            let text = format!("the axis `{}` has no value", &*name.value);
            found.push(
                Mistake::new(values.at, text)
                    .needs(Whole::Node(values.at))
                    .help("list its values: `[auto, manual]`"),
            );
        }
        let nodes = values.value.iter().filter_map(|value| self.find(value.at));
        let values: Vec<Node> = nodes.map(|node| literal(node, found)).collect();
        for (position, value) in values.iter().enumerate() {
            let text = written(&value.value);
            let first = values[..position].iter().find(|first| written(&first.value) == text);
            if let Some(first) = first {
                let text = format!("the axis `{}` has the value `{text}` twice", &*name.value);
                found.push(Mistake::new(value.at, text).note("the first one", first.at));
            }
        }
        let set = self.fixed.contains(&name.value.0);
        let set = self.base.iter().find(|variable| set && variable.name == *name.value.0);
        let chosen = set.map_or_else(|| values.clone(), |variable| vec![variable.value.clone()]);
        Axis { name: name.value.0.clone(), values, chosen }
    }

    fn cell(
        &self,
        name: String,
        values: Vec<(String, Node)>,
        variants: &[&Located<Variant>],
    ) -> Cell {
        let layers = variants.iter().flat_map(|variant| self.layers(variant)).collect();
        let made_of = variants.iter().map(|variant| variant.at).collect();
        Cell { name, variables: self.variables(values), layers, made_of }
    }

    /// The variables of the file with some values of a variant; the command line has the last word.
    fn variables(&self, values: Vec<(String, Node)>) -> Variables {
        let mut list = self.base.clone();
        for (name, value) in values {
            let free = !self.fixed.contains(&name);
            if let Some(variable) = list.iter_mut().find(|variable| free && variable.name == name) {
                variable.value = value;
            }
        }
        Variables { list, open: false }
    }

    fn layers(&self, variant: &Located<Variant>) -> Vec<(Node, Node)> {
        let entries = self.find(variant.at).map_or(&[][..], Node::entries);
        let layer = |key: &Node| matches!(key.text(), Some("requires" | "expect" | "tolerance"));
        entries.iter().filter(|(key, _)| layer(key)).cloned().collect()
    }

    fn find(&self, at: At) -> Option<&Node> {
        self.tree.find(at)
    }
}

struct Axis {
    name: String,
    /// As the file has them.
    values: Vec<Node>,
    /// Those that are run: the one of the command line, if it sets the axis.
    chosen: Vec<Node>,
}

/// An entry of `variants` beside a matrix.
fn check_entry(variant: &Located<Variant>, axes: &[Axis], found: &mut Collector) {
    if let Some(name) = &variant.name {
        found.push(
            Mistake::new(name.at, "beside a `matrix` a variant has no name")
                .help("say with `when` which cells it is about; they are named by their values"),
        );
    }
    if let Some((name, _)) = variant.vars.0.first() {
        found.push(
            Mistake::new(name.at, "beside a `matrix` a variant sets no variables")
                .help("the axes of the matrix set them; make this one an axis"),
        );
    }
    let Some(when) = &variant.when else {
        if variant.name.is_none() {
            found.push(
                Mistake::new(variant.at, "beside a `matrix` a variant needs the key `when`")
                    .needs(Whole::Node(variant.at))
                    .help("say which cells it is about: `when: { ack: auto }`"),
            );
        }
        return;
    };
    for (name, value) in &when.value.0 {
        check_when(name, value, axes, found);
    }
}

fn check_when(name: &Located<Name>, value: &Located<Scalar>, axes: &[Axis], found: &mut Collector) {
    let names = || axes.iter().map(|axis| axis.name.as_str());
    let Some(axis) = axes.iter().find(|axis| axis.name == *name.value.0) else {
        let text = format!("the matrix has no axis `{}`", &*name.value);
        let mistake = Mistake::new(name.at, text).needs(Whole::Names(&["matrix"]));
        found.push(match meant(&name.value, names()) {
            Some(meant) => mistake.help(format!("did you mean `{meant}`?")),
            None => mistake.help(format!("its axes are {}", list(names(), "and"))),
        });
        return;
    };
    let values: Vec<String> = axis.values.iter().map(|value| written(&value.value)).collect();
    let wanted = match &value.value {
        Scalar::Null => "null".to_owned(),
        other => other.to_string(),
    };
    if !values.contains(&wanted) && !values.iter().any(|value| format!("${value}") == wanted) {
        let text = format!("the axis `{}` has no value `{wanted}`", axis.name);
        let values = list(values.iter().map(String::as_str), "and");
        found.push(
            Mistake::new(value.at, text)
                .needs(Whole::Names(&["matrix"]))
                .help(format!("its values are {values}")),
        );
    }
}

/// A value as the name of a variant shows it.
fn written(value: &Value) -> String {
    match value {
        Value::Null => "null".into(),
        Value::Bool(value) => value.to_string(),
        Value::Int(value) => value.to_string(),
        Value::Float(value) => value.to_string(),
        Value::Text(text) => text.clone(),
        Value::List(_) | Value::Map(_) => "…".into(),
    }
}
