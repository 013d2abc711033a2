//! Where each wish is written: in the place of the value that did not hold, if all who share it
//! want the same; else with the variant that wants it.

use std::collections::BTreeMap;

use crate::bless::edits::{Edit, scalar, shown};
use crate::bless::layout::{Layout, Path, Spot, Step, What, keys};
use crate::bless::wishes::{Wish, own};
use crate::bless::{Change, Left};
use crate::plan::model::{Scenario, Variant};
use crate::plan::pattern::Scalar;
use crate::scenario::yaml;

/// The changes of the text that make all wishes true, the same in words, and the wishes for which
/// there is no place.
pub fn places(
    scenario: &Scenario,
    layout: &Layout,
    wishes: Vec<Wish>,
) -> (Vec<Edit>, Vec<Change>, Vec<Left>) {
    let mut places =
        Places { scenario, layout, edits: Vec::new(), changes: Vec::new(), left: Vec::new() };
    let mut own = Vec::new();
    for group in places.groups(wishes) {
        own.extend(places.shared(group));
    }
    if layout.at(&keys(["matrix"])).is_some() {
        places.cells(own);
    } else {
        own.into_iter().for_each(|wish| places.variant(wish));
    }
    (places.edits, places.changes, places.left)
}

struct Places<'a> {
    scenario: &'a Scenario,
    layout: &'a Layout,
    edits: Vec<Edit>,
    changes: Vec<Change>,
    left: Vec<Left>,
}

/// Wishes about one value of the file, or about one that is nowhere yet.
struct Group {
    origin: Option<Path>,
    wishes: Vec<Wish>,
}

impl Places<'_> {
    fn groups(&self, wishes: Vec<Wish>) -> Vec<Group> {
        let mut groups: BTreeMap<(Option<Path>, Option<Path>), Vec<Wish>> = BTreeMap::new();
        for wish in wishes {
            let origin = wish.origin.and_then(|at| self.origin(at));
            // Nowhere is no place that two counts share.
            let apart = origin.is_none().then(|| wish.path.clone());
            groups.entry((origin, apart)).or_default().push(wish);
        }
        groups.into_iter().map(|((origin, _), wishes)| Group { origin, wishes }).collect()
    }

    /// The way to the value that a node is; behind an alias, to where it was written.
    fn origin(&self, at: crate::scenario::At) -> Option<Path> {
        let (offset, _) = yaml::locate(&self.scenario.source.text, at.node)?;
        let text = &self.scenario.source.text;
        // A node begins with its anchor, a scalar of the layout behind it.
        let rest = text.get(offset..)?;
        let anchor = rest.starts_with('&').then(|| rest.find(char::is_whitespace)).flatten();
        let behind =
            anchor.map_or(0, |end| end + rest[end..].len() - rest[end..].trim_start().len());
        self.layout.path_to(offset + behind)
    }

    /// How many expectations have their value there.
    fn users(&self, origin: &Path) -> usize {
        let expectations = self.scenario.variants.iter().flat_map(|it| &it.expectations);
        expectations.filter(|it| self.origin(it.at).as_ref() == Some(origin)).count()
    }

    /// Writes what all who share a value want; the wishes that must stand elsewhere.
    fn shared(&mut self, group: Group) -> Vec<Wish> {
        let Group { origin, mut wishes } = group;
        let first = wishes[0].clone();
        let alike = wishes.iter().all(|wish| wish.is == first.is);
        match origin {
            Some(origin) => {
                if self.users(&origin) != wishes.len() {
                    return wishes;
                }
                let of = self.of_all(&wishes, alike);
                self.change(&first, of, Edit::Replace { path: origin, value: first.is.clone() });
                wishes.retain(|wish| wish.is != first.is);
                wishes
            }
            None if alike && wishes.len() == self.scenario.variants.len() => {
                let path = [keys(["expect"]), first.path.clone()].concat();
                let of = self.of_all(&wishes, true);
                self.put(&first, of, path);
                Vec::new()
            }
            None => wishes,
        }
    }

    fn of_all(&self, wishes: &[Wish], alike: bool) -> String {
        match wishes {
            [wish] if !self.scenario.variants[wish.variant].name.is_empty() => {
                format!("variant \"{}\"", self.scenario.variants[wish.variant].name)
            }
            _ if alike => "the file".to_owned(),
            _ => "the file, where no variant says otherwise".to_owned(),
        }
    }

    fn change(&mut self, wish: &Wish, of: String, edit: Edit) {
        self.edits.push(edit);
        self.changes.push(Change {
            path: shown(&wish.path),
            was: wish.was.clone(),
            is: wish.matcher().to_owned(),
            of,
        });
    }

    /// Writes where nothing is, or where something was left blank.
    fn put(&mut self, wish: &Wish, of: String, path: Path) {
        let value = wish.is.clone();
        let edit = match self.layout.at(&path) {
            Some(_) => Edit::Replace { path, value },
            None => Edit::Insert { path, value },
        };
        self.change(wish, of, edit);
    }

    /// Writes a wish with its variant.
    fn variant(&mut self, wish: Wish) {
        let name = self.scenario.variants[wish.variant].name.clone();
        let path = match name.as_str() {
            "" => keys(["expect"]),
            _ => own(wish.variant),
        };
        let path = [path, wish.path.clone()].concat();
        let way = (1..=path.len()).filter_map(|length| self.layout.at(&path[..length]));
        let is_alias = |spot: &Spot| matches!(spot.what, What::Alias);
        let taken = self.layout.at(&path).is_some_and(|spot| !spot.is_null());
        if taken || way.into_iter().any(is_alias) {
            self.left.push(Left {
                path: shown(&wish.path),
                variant: name,
                why: "it shares its value with others through an anchor",
                wish: Some(wish),
            });
            return;
        }
        let of =
            if name.is_empty() { "the file".to_owned() } else { format!("variant \"{name}\"") };
        self.put(&wish, of, path);
    }

    /// Writes wishes for cells of a matrix, in entries of their own behind all others: whoever
    /// comes later is laid over.
    fn cells(&mut self, wishes: Vec<Wish>) {
        let mut alike: BTreeMap<(Path, String), Vec<Wish>> = BTreeMap::new();
        for wish in wishes {
            alike.entry((wish.path.clone(), wish.is.clone())).or_default().push(wish);
        }
        // What concerns the same cells stands in one entry.
        let mut entries: BTreeMap<Vec<usize>, Vec<Wish>> = BTreeMap::new();
        for (_, wishes) in alike {
            let cells = wishes.iter().map(|wish| wish.variant).collect();
            entries.entry(cells).or_default().push(wishes[0].clone());
        }
        for (cells, wishes) in entries {
            for when in self.chosen(&cells) {
                self.entry(&when, &wishes);
            }
        }
    }

    /// What chooses just these cells: one value of one axis if that does, else each cell by itself.
    fn chosen(&self, cells: &[usize]) -> Vec<Vec<(String, Scalar)>> {
        let variants = &self.scenario.variants;
        let axes = self.layout.at(&keys(["matrix"])).map_or(&[][..], Spot::entries);
        let axes: Vec<&str> = axes.iter().filter_map(|(key, _)| key.text()).collect();
        let of = |variant: &Variant| -> Vec<(String, Scalar)> {
            let vars = variant.vars.iter().filter(|(name, _)| axes.contains(&name.as_str()));
            vars.cloned().collect()
        };
        let first = of(&variants[cells[0]]);
        let alone = first.into_iter().find(|value| {
            let has =
                |(index, variant): (usize, &Variant)| variant.vars.contains(value).then_some(index);
            variants.iter().enumerate().filter_map(has).eq(cells.iter().copied())
        });
        match alone {
            Some(value) => vec![vec![value]],
            None => cells.iter().map(|cell| of(&variants[*cell])).collect(),
        }
    }

    /// A list of one entry, for the top of the file.
    fn list_of(&self, entry: &str) -> String {
        match self.layout.root.what {
            What::Map { flow: true, .. } => format!("[{entry}]"),
            _ => format!("\n  - {entry}"),
        }
    }

    fn entry(&mut self, when: &[(String, Scalar)], wishes: &[Wish]) {
        let chosen: Vec<String> =
            when.iter().map(|(name, value)| format!("{name}: {}", written(value))).collect();
        let expected: Vec<String> =
            wishes.iter().map(|wish| nested(&wish.path, &wish.is)).collect();
        let (when, expect) = (chosen.join(", "), expected.join(", "));
        let value = format!("{{ when: {{ {when} }}, expect: {{ {expect} }} }}");
        let list = keys(["variants"]);
        let begun = |edit: &Edit| matches!(edit, Edit::Insert { path, .. } if *path == list);
        let there = self.layout.at(&list).is_some_and(|spot| !spot.is_null());
        let edit = if there || self.edits.iter().any(begun) {
            Edit::Append { list, value }
        } else {
            Edit::Insert { path: list, value: self.list_of(&value) }
        };
        let of = format!("the cells with {when}");
        for wish in wishes {
            self.changes.push(Change {
                path: shown(&wish.path),
                was: wish.was.clone(),
                is: wish.matcher().to_owned(),
                of: of.clone(),
            });
        }
        self.edits.push(edit);
    }
}

/// `queues: { q: { lost: 0 } }`
fn nested(path: &[Step], value: &str) -> String {
    let key = |step: &Step| match step {
        Step::Key(key) => scalar(key),
        Step::Item(index) => index.to_string(),
    };
    let keys: Vec<String> = path.iter().map(key).collect();
    let closing = " }".repeat(keys.len().saturating_sub(1));
    format!("{}: {value}{closing}", keys.join(": { "))
}

fn written(value: &Scalar) -> String {
    match value {
        Scalar::Null => "null".to_owned(),
        Scalar::Text(text) => scalar(text),
        other => crate::verdict::model::json(other).to_string(),
    }
}
