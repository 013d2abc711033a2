//! The JSON Schema as a page for people: every key with what may stand there, its default and its
//! meaning.
//!
//! It knows the schema and nothing else, so it says what the reader takes, no more and no less.
//! Keys that hold the same are told once and linked from elsewhere. What goes beyond a key, such
//! as how triggers and patterns work, is explained in `docs/scenario-format.md`.

use serde_json::{Map, Value};

use crate::scenario::schema::whole;

type Part = Map<String, Value>;

const HEAD: &str = "# Every key

<!-- Made from the code that reads the files; write it anew:
rmq-scenario schema --format markdown > docs/reference.md -->

Every key of a scenario file, with what may stand there. It is made from the code that reads the
files. [The scenario file](scenario-format.md) explains it all with examples.

Where a value is a number, a word, a duration or the like, a variable (`$name`) may stand as well,
and a key that may be left out may be `null`, which is the same.
";

/// The parts of a file in the order in which they are told, and where each is explained.
const PARTS: [(&str, &str); 11] = [
    ("topology", "topology"),
    ("producers", "producers"),
    ("workers", "workers"),
    ("faults", "faults"),
    ("observe", "observations"),
    ("probes", "probes"),
    ("settle", "settle"),
    ("expect", "expectations"),
    ("tolerance", "tolerance"),
    ("variants", "variables-and-variants"),
    ("broker", "broker"),
];

/// A list of more words than this is long enough for a page of its own.
const MOST_WORDS: usize = 12;

/// A map whose keys are told: where it stands, and its part of the schema.
struct Section<'s> {
    path: String,
    depth: usize,
    part: &'s Part,
}

/// The page, in Markdown.
pub fn text() -> String {
    let schema = whole().to_value();
    let mut page = Page { text: HEAD.to_owned(), told: Vec::new() };
    let Value::Object(part) = &schema else { return page.text };
    page.section(&Section { path: String::new(), depth: 0, part });
    page.text
}

struct Page<'s> {
    text: String,
    /// The keys of every section so far, with its path.
    told: Vec<(&'s Value, String)>,
}

impl<'s> Page<'s> {
    fn section(&mut self, section: &Section<'s>) {
        self.heading(section);
        self.text += "\n| key | value | default | meaning |\n|---|---|---|---|\n";
        let keys = section.part.get("properties").and_then(Value::as_object);
        let mut below = Vec::new();
        for (key, schema) in keys.into_iter().flatten() {
            let Value::Object(part) = schema else { continue };
            let path = match section.path.as_str() {
                "" => key.clone(),
                path => format!("{path}.{key}"),
            };
            let link = self.inner(part, &path, section.depth + 1, &mut below);
            let required = is_required(section.part, key);
            self.text += &row(key, part, required, link.as_deref());
        }
        let place = |path: &str| PARTS.iter().position(|(known, _)| *known == path);
        below.sort_by_key(|section| place(&section.path).unwrap_or(PARTS.len()));
        below.iter().for_each(|section| self.section(section));
    }

    fn heading(&mut self, section: &Section) {
        let Section { path, depth, .. } = section;
        if *depth == 0 {
            self.text += "\n## Top level\n";
            return;
        }
        let marks = "#".repeat((depth + 1).min(4));
        self.text += &format!("\n{marks} `{path}`\n");
        if let Some((_, anchor)) = PARTS.iter().find(|(known, _)| known == path) {
            self.text += &format!("\n[Explained here](scenario-format.md#{anchor}).\n");
        }
    }

    /// The anchor of the section that tells what is inside of a value, if it has keys of its own.
    /// One that is not told yet is put `below`.
    fn inner(
        &mut self,
        part: &'s Part,
        path: &str,
        depth: usize,
        below: &mut Vec<Section<'s>>,
    ) -> Option<String> {
        let part = inside(part)?;
        let keys = part.get("properties")?;
        if is_pattern(keys) {
            return Some("scenario-format.md#patterns".to_owned());
        }
        if let Some((_, path)) = self.told.iter().find(|(known, _)| *known == keys) {
            return Some(anchor(path));
        }
        self.told.push((keys, path.to_owned()));
        below.push(Section { path: path.to_owned(), depth, part });
        Some(anchor(path))
    }
}

fn anchor(path: &str) -> String {
    format!("#{}", path.replace('.', ""))
}

/// Whether these are the forms of a value that differs from message to message.
fn is_pattern(keys: &Value) -> bool {
    ["random", "weighted", "range"].iter().all(|key| keys.get(key).is_some())
}

fn is_required(part: &Part, key: &str) -> bool {
    // Of the whole file they stand where a scenario is told from a part.
    let places = [part.get("required"), part.get("else").and_then(|it| it.get("required"))];
    let required = places.into_iter().flatten().filter_map(Value::as_array);
    required.flatten().any(|required| required == key)
}

/// The map with keys of its own that a value is, or that its entries are.
fn inside(part: &Part) -> Option<&Part> {
    if part.get("properties").and_then(Value::as_object).is_some_and(|keys| !keys.is_empty()) {
        return Some(part);
    }
    let branches = part.get("allOf").and_then(Value::as_array).into_iter().flatten();
    let below = ["items", "additionalProperties"].iter().filter_map(|key| part.get(*key));
    branches.chain(below).filter_map(Value::as_object).find_map(inside)
}

fn row(key: &str, part: &Part, required: bool, link: Option<&str>) -> String {
    let default = match part.get("default") {
        _ if required => "required".to_owned(),
        Some(value) => format!("`{}`", flow(value)),
        None => String::new(),
    };
    let value = match link {
        Some(link) => format!("[{}]({link})", kind(part)),
        None => kind(part),
    };
    let cells = [format!("`{key}`"), value, default, meaning(part)];
    format!("| {} |\n", cells.map(|cell| cell.replace('|', "\\|")).join(" | "))
}

/// What a value is, in words.
fn kind(part: &Part) -> String {
    let title = part.get("title").and_then(Value::as_str).unwrap_or("anything");
    let of = |key: &str| {
        let part = part.get(key).and_then(Value::as_object)?;
        part.get("title").and_then(Value::as_str)
    };
    match (title, of("items"), of("additionalProperties")) {
        ("a list", Some(entry), _) => format!("a list, each entry {entry}"),
        ("a map by names" | "a map of names and values", _, Some(entry)) => {
            format!("{title}, each {entry}")
        }
        _ => title.to_owned(),
    }
}

fn meaning(part: &Part) -> String {
    let mut said: Vec<String> = Vec::new();
    said.extend(part.get("description").and_then(Value::as_str).map(str::to_owned));
    said.extend(words(part));
    if let Some(Value::Array(examples)) = part.get("examples") {
        let examples: Vec<String> = examples.iter().map(|it| format!("`{}`", flow(it))).collect();
        said.push(format!("For example {}.", examples.join(", ")));
    }
    said.join(" ").replace('\n', " ")
}

/// The words that may stand there, each with what it means.
fn words(part: &Part) -> Option<String> {
    let branches = part.get("anyOf").and_then(Value::as_array).into_iter().flatten();
    let parts = std::iter::once(part).chain(branches.filter_map(Value::as_object));
    let choice = parts.into_iter().find(|part| part.contains_key("enum"))?;
    let words = choice.get("enum")?.as_array()?;
    let meanings = choice.get("markdownEnumDescriptions").and_then(Value::as_array);
    if words.len() > MOST_WORDS {
        return None;
    }
    let meaning = |index: usize| meanings.and_then(|all| all.get(index)).and_then(Value::as_str);
    let one = |(index, word): (usize, &Value)| match meaning(index) {
        Some(meaning) => format!("`{}`: {}", flow(word), meaning.trim_end_matches('.')),
        None => format!("`{}`", flow(word)),
    };
    Some(words.iter().enumerate().map(one).collect::<Vec<_>>().join("; ") + ".")
}

/// A value as a scenario file has it, in one line.
fn flow(value: &Value) -> String {
    match value {
        Value::String(text) if text.is_empty() => "\"\"".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(values) => {
            format!("[{}]", values.iter().map(flow).collect::<Vec<_>>().join(", "))
        }
        Value::Object(values) => {
            let one = |(key, value): (&String, &Value)| format!("{key}: {}", flow(value));
            format!("{{ {} }}", values.iter().map(one).collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}
