//! What lints say cannot be must not have been: the counts of the report are laid over the file as
//! its expectations, and no lint may call them impossible.

use rmq_scenario::diagnostic::Diagnostic;
use rmq_scenario::plan::{Options, load};
use rmq_scenario::scenario::Source;
use serde_json::{Map, Value, json};

use super::Hearing;

/// Scopes of expectations, which the report lists under the same words.
const SCOPES: [&str; 3] = ["queues", "producers", "workers"];

impl Hearing<'_> {
    /// Compares every lint that is certain of something with what happened.
    pub fn doubts(&mut self) {
        // A run that was cut has not come to what its file makes certain.
        if self.is_cut() {
            return;
        }
        let mut said = self.lints();
        said.retain(|warning| self.is_contradicted(warning));
        self.complaints.extend(said.into_iter().map(|warning| warning.render(false)));
    }

    /// What is said of the file with what happened as its expectations. Faults that need not act
    /// are never doubted, so here they must.
    fn lints(&self) -> Vec<Diagnostic> {
        let yaml = self.drawn.yaml.replace(", may_miss: true", "");
        let lines = yaml.lines().filter(|line| !line.starts_with("expect:"));
        let yaml: Vec<&str> = lines.collect();
        let text = format!("{}\nexpect: {}\n", yaml.join("\n"), self.happened());
        let scenario = load(Source::new("drawn.yaml", &*text), &Options::default());
        scenario.unwrap_or_else(|mistakes| panic!("{}\n{text}", mistakes[0].render(false))).warnings
    }

    /// All counts of the report, as a file expects them.
    fn happened(&self) -> Value {
        let counts = self.report["counts"].as_object().expect("there are counts").clone();
        let mut all: Map<String, Value> = counts;
        for scope in SCOPES {
            let mut rows = Map::new();
            for row in self.rows(scope) {
                let name = row["name"].as_str().expect("a row has a name").to_owned();
                let numbers = row.as_object().expect("a row is an object").clone();
                let numbers = numbers.into_iter().filter(|(_, value)| value.is_u64());
                rows.insert(name, Value::Object(numbers.collect()));
            }
            all.insert(scope.to_owned(), json!(rows));
        }
        Value::Object(all)
    }

    fn is_contradicted(&self, warning: &Diagnostic) -> bool {
        let every = |word: &str| {
            let faults = self.rows("faults");
            let of = |fault: &&Value| {
                let label = fault["fault"].as_str().unwrap_or_default();
                warning.message.starts_with(&format!("`{label}` "))
            };
            let mut of = faults.iter().filter(of).peekable();
            of.peek().is_some() && of.all(|fault| fault[word] == true)
        };
        match warning.lint {
            Some("never-holds") => true,
            Some("never-fires") => every("fired"),
            Some("cannot-bite") => every("bit"),
            _ => false,
        }
    }
}
