//! What the reader and the schema say about one text.

use std::path::Path;
use std::sync::OnceLock;

use jsonschema::Validator;
use rmq_scenario::diagnostic::{Diagnostic, Severity};
use rmq_scenario::plan::Options;
use rmq_scenario::scenario::{Source, schema};

use crate::classes::{Class, FILE, class};
use crate::reading;
use crate::shelf::look_in;

/// What both say.
pub struct Verdicts {
    pub mistakes: Vec<Diagnostic>,
    /// Where the schema is hurt, and how; `None` when the text is not YAML.
    pub hurt: Option<Vec<String>>,
}

fn validator() -> &'static Validator {
    static VALIDATOR: OnceLock<Validator> = OnceLock::new();
    VALIDATOR.get_or_init(|| {
        let schema = serde_json::from_str(&schema::text()).expect("it is JSON");
        jsonschema::draft7::new(&schema).expect("it is a schema")
    })
}

/// The folder of the files that others include.
pub const INCLUDED: &str = "tests/schema/right";

/// Asks both.
pub fn ask(text: &str) -> Verdicts {
    ask_in(INCLUDED, text)
}

/// Asks both about a text that stands in a folder.
pub fn ask_in(folder: &str, text: &str) -> Verdicts {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut mistakes = look_in(&folder, Source::new(FILE, text), &Options::default());
    mistakes.retain(|said| said.severity == Severity::Error);
    let hurt = reading::tree(text).map(|tree| {
        let json = reading::json(&tree);
        match (validator().is_valid(&json), mistakes.is_empty()) {
            (true, _) => Vec::new(),
            // Where is of interest only when nobody else complains.
            (false, false) => vec!["somewhere".to_owned()],
            (false, true) => {
                let errors = validator().iter_errors(&json);
                errors.map(|error| format!("{}: {error}", error.instance_path())).collect()
            }
        }
    });
    Verdicts { mistakes, hurt }
}

impl Verdicts {
    /// Whether the schema lets the text pass.
    pub fn passes(&self) -> bool {
        self.hurt.as_ref().is_some_and(Vec::is_empty)
    }

    /// The classes of the mistakes that the schema lets pass.
    ///
    /// # Errors
    /// When the two disagree otherwise: how.
    pub fn classes(&self, text: &str) -> Result<Vec<Class>, String> {
        let Some(hurt) = &self.hurt else { return Ok(vec![Class::Yaml]) };
        match (self.mistakes.is_empty(), hurt.is_empty()) {
            (true, false) => Err(format!("it is read, and the schema refuses it: {hurt:?}")),
            (false, true) => self.mistakes.iter().map(|mistake| listed(mistake, text)).collect(),
            _ => Ok(Vec::new()),
        }
    }
}

fn listed(mistake: &Diagnostic, text: &str) -> Result<Class, String> {
    class(mistake, text).ok_or_else(|| {
        format!("the schema lets pass what is of no listed class: {}", mistake.render(false))
    })
}
