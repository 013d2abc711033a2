//! What a scenario may ask of a private node: keys of `rabbitmq.conf`, terms of
//! `advanced.config`, and the heartbeat.
//!
//! A node is ours to reach and to end: where it listens, who its first user is and where it
//! writes is not for a scenario to say. Everything else of ours gives way.

use std::fmt::Write as _;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::error::{BrokerError, Kind};
use super::link::heartbeat_s;
use crate::plan::model::{Tree, Wishes};
use crate::plan::pattern::Scalar;

/// What a node is told beside what every private node is told. Nodes with equal settings are
/// alike.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// How many nodes form the broker, at least one.
    pub nodes: u64,
    /// Proposed by the node and asked for by us; in whole seconds, rounded up, 0 being none.
    pub heartbeat: Option<Duration>,
    /// Keys of `rabbitmq.conf` and their values, as they are written there.
    pub config: Vec<(String, String)>,
    pub advanced: Advanced,
}

impl Default for Settings {
    fn default() -> Self {
        Self { nodes: 1, heartbeat: None, config: Vec::new(), advanced: Advanced::default() }
    }
}

/// `advanced.config`: for each application its parameters.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Advanced(pub Vec<(String, Term)>);

/// An Erlang term, as far as YAML can say it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Term {
    Int(i64),
    Float(f64),
    Bool(bool),
    /// A lower-case word (`pause_minority`) is an atom. What is written as Erlang writes it is
    /// that: `'an atom'`, `<<"a binary">>`, `"a string"` with its quotes. All else is a binary.
    Text(String),
    List(Vec<Term>),
    /// A property list: pairs of an atom and a term.
    Map(Vec<(String, Term)>),
}

/// More than these would not fit on one machine.
const MOST_NODES: u64 = 9;

/// Keys of `rabbitmq.conf`, or their beginnings, that a private node cannot leave to others;
/// and why.
const OURS: [(&str, &str); 14] = [
    ("listeners", LISTENS),
    ("management.tcp", LISTENS),
    ("management.ssl", LISTENS),
    ("management.listener", LISTENS),
    ("distribution.listener", LISTENS),
    ("default_user", USER),
    ("default_pass", USER),
    ("default_vhost", USER),
    ("default_user_tags", USER),
    ("default_permissions", USER),
    ("cluster_name", "the private node has a name of its own"),
    ("cluster_formation", "`nodes` says how many nodes find each other"),
    ("log.dir", WRITES),
    ("log.file", WRITES),
];
const LISTENS: &str = "a private node listens on free loopback ports";
const USER: &str = "a private node makes a user of its own";
const WRITES: &str = "a private node writes below its own directory, and leaves nothing";

/// The same for `advanced.config`: an application and one of its parameters.
const OURS_ADVANCED: [(&str, &str, &str); 9] = [
    ("rabbit", "tcp_listeners", LISTENS),
    ("rabbit", "ssl_listeners", LISTENS),
    ("rabbit", "default_user", USER),
    ("rabbit", "default_pass", USER),
    ("rabbit", "default_vhost", USER),
    ("rabbit", "permit_deprecated_features", "say it in `config`: deprecated_features.permit.…"),
    ("rabbitmq_management", "listener", LISTENS),
    ("rabbitmq_management", "tcp_config", LISTENS),
    ("kernel", "inet_dist_use_interface", LISTENS),
];

/// How stale the numbers of a quorum queue or of a stream may be; the broker's default is 5 s. At
/// this pace an idle quorum queue costs 0.2 % of a core (measured with 20 on 3.10.8, 4.0.5 and
/// 4.3.6).
pub(super) const TICK: Duration = Duration::from_millis(100);

/// How often connections, channels and queues report to the management API. Its default of 5 s
/// keeps a new connection invisible for as long; far below a second it costs under load.
const STATISTICS_INTERVAL_MS: i64 = 1000;

/// What a file leaves empty is as if left out.
impl From<&Wishes> for Settings {
    fn from(wishes: &Wishes) -> Self {
        let config = wishes.config.iter();
        Self {
            nodes: wishes.nodes.unwrap_or(1),
            heartbeat: wishes.heartbeat,
            config: config.filter_map(|(key, value)| Some((key.clone(), line(value)?))).collect(),
            advanced: Advanced(terms(&wishes.advanced)),
        }
    }
}

/// As `rabbitmq.conf` writes it.
fn line(value: &Scalar) -> Option<String> {
    match value {
        Scalar::Null => None,
        Scalar::Bool(value) => Some(value.to_string()),
        Scalar::Int(value) => Some(value.to_string()),
        Scalar::Float(value) => Some(value.to_string()),
        Scalar::Text(value) => Some(value.clone()),
    }
}

fn terms(entries: &[(String, Tree)]) -> Vec<(String, Term)> {
    entries.iter().filter_map(|(name, tree)| Some((name.clone(), term(tree)?))).collect()
}

fn term(tree: &Tree) -> Option<Term> {
    Some(match tree {
        Tree::Scalar(Scalar::Null) => return None,
        Tree::Scalar(Scalar::Bool(value)) => Term::Bool(*value),
        Tree::Scalar(Scalar::Int(value)) => Term::Int(*value),
        Tree::Scalar(Scalar::Float(value)) => Term::Float(*value),
        Tree::Scalar(Scalar::Text(value)) => Term::Text(value.clone()),
        Tree::List(items) => Term::List(items.iter().filter_map(term).collect()),
        Tree::Map(entries) => Term::Map(terms(entries)),
    })
}

impl Settings {
    /// Whether any private node will do.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// # Errors
    /// Every mistake at once, as one usage error.
    pub fn check(&self) -> Result<(), BrokerError> {
        let mut mistakes = Vec::new();
        if !(1..=MOST_NODES).contains(&self.nodes) {
            mistakes.push(format!("a cluster has 1 to {MOST_NODES} nodes, not {}", self.nodes));
        }
        for (index, (key, value)) in self.config.iter().enumerate() {
            mistakes.extend(about_key(key, value));
            if self.config[..index].iter().any(|(earlier, _)| earlier == key) {
                mistakes.push(format!("`{key}` is given twice"));
            }
            if key == "heartbeat" && self.heartbeat.is_some() {
                mistakes.push("`heartbeat` is given twice: of the broker and in `config`".into());
            }
        }
        for (index, (application, term)) in self.advanced.0.iter().enumerate() {
            if self.advanced.0[..index].iter().any(|(earlier, _)| earlier == application) {
                mistakes.push(format!("advanced `{application}` is given twice"));
            }
            let Term::Map(parameters) = term else {
                mistakes.push(format!("advanced `{application}` is not a map of parameters"));
                continue;
            };
            for (parameter, _) in parameters {
                let ours =
                    OURS_ADVANCED.iter().find(|(of, it, _)| of == application && it == parameter);
                mistakes.extend(ours.map(|(_, _, why)| {
                    format!("advanced `{application}: {parameter}` cannot be set: {why}")
                }));
            }
        }
        let Some((first, rest)) = mistakes.split_first() else { return Ok(()) };
        let error =
            BrokerError::new(Kind::Usage, format!("the broker's settings are wrong: {first}"))
                .help("leave these out; everything else of `rabbitmq.conf` may be set");
        Err(rest.iter().fold(error, BrokerError::note))
    }

    /// The lines of `rabbitmq.conf` that are not about places, ours first.
    pub(crate) fn configuration(&self) -> String {
        let heartbeat = self.heartbeat.map(|it| ("heartbeat", heartbeat_s(it).to_string()));
        // The alarms block publishers, which in a scenario looks like a fault. On a private node
        // they would speak of the machine, not of the scenario: they fire only when it is
        // exhausted.
        let usual = [
            ("collect_statistics_interval", STATISTICS_INTERVAL_MS.to_string()),
            ("vm_memory_high_watermark.relative", "0.8".to_owned()),
            ("disk_free_limit.absolute", "10MB".to_owned()),
        ];
        let ours =
            usual.into_iter().filter(|(key, _)| !self.speaks_of(family(key))).chain(heartbeat);
        let mut text = String::new();
        for (key, value) in ours {
            let _ = writeln!(text, "{key} = {value}");
        }
        for (key, value) in &self.config {
            let _ = writeln!(text, "{key} = {value}");
        }
        text
    }

    /// Whether a key of this family is set: a limit that is relative and one that is absolute
    /// are the same limit.
    fn speaks_of(&self, wanted: &str) -> bool {
        self.config.iter().any(|(key, _)| family(key) == wanted)
    }

    /// The whole `advanced.config`.
    pub(crate) fn advanced(&self) -> String {
        let (rabbit, others): (Vec<_>, Vec<_>) =
            self.advanced.0.iter().partition(|(application, _)| application == "rabbit");
        let theirs = rabbit.into_iter().flat_map(|(_, term)| term.entries());
        let mut parameters: Vec<String> = theirs.map(pair).collect();
        for tick in ["quorum_tick_interval", "stream_tick_interval"] {
            if !parameters.iter().any(|it| it.starts_with(&format!("{{{tick},"))) {
                parameters.push(format!("{{{tick}, {}}}", TICK.as_millis()));
            }
        }
        // This file goes before the other one, where the scenario may say otherwise.
        if !self.speaks_of("deprecated_features") {
            parameters.push(PERMITTED.to_owned());
        }
        let rabbit = format!("{{rabbit, [{}]}}", parameters.join(", "));
        let others = others.into_iter().map(pair);
        let all: Vec<String> = std::iter::once(rabbit).chain(others).collect();
        format!("[{}].\n", all.join(",\n "))
    }
}

/// Versions that deny transient queues, or will, are asked to permit them; as terms rather than
/// as keys of `rabbitmq.conf`, because a version that does not know such a key does not start.
const PERMITTED: &str = "{permit_deprecated_features, #{transient_nonexcl_queues => true, \
     management_metrics_collection => true}}";

fn family(key: &str) -> &str {
    key.split('.').next().unwrap_or(key)
}

fn about_key(key: &str, value: &str) -> Option<String> {
    let is_key = |letter: char| letter.is_ascii_alphanumeric() || "._-$/".contains(letter);
    if key.is_empty() || !key.chars().all(is_key) {
        return Some(format!("{key:?} is no key of `rabbitmq.conf`"));
    }
    if value.trim().is_empty() || value.contains(char::is_control) {
        return Some(format!("the value of `{key}` is empty or more than one line"));
    }
    let matches = |ours: &str| {
        key.strip_prefix(ours).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    let ours = OURS.iter().find(|(ours, _)| matches(ours));
    ours.map(|(_, why)| format!("`{key}` cannot be set: {why}"))
}

impl Term {
    fn erlang(&self) -> String {
        match self {
            Self::Int(value) => value.to_string(),
            Self::Float(value) => float(*value),
            Self::Bool(value) => value.to_string(),
            Self::Text(text) => literal(text),
            Self::List(terms) => {
                let terms: Vec<_> = terms.iter().map(Self::erlang).collect();
                format!("[{}]", terms.join(", "))
            }
            Self::Map(entries) => {
                let entries: Vec<_> = entries.iter().map(pair).collect();
                format!("[{}]", entries.join(", "))
            }
        }
    }

    fn entries(&self) -> &[(String, Self)] {
        match self {
            Self::Map(entries) => entries,
            _ => &[],
        }
    }
}

fn pair((name, term): &(String, Term)) -> String {
    format!("{{{}, {}}}", atom(name), term.erlang())
}

/// Erlang wants digits on both sides of the point, also before an exponent.
fn float(value: f64) -> String {
    let text = format!("{value:?}");
    match text.split_once('e') {
        Some((digits, exponent)) if !digits.contains('.') => format!("{digits}.0e{exponent}"),
        _ => text,
    }
}

/// See [`Term::Text`].
fn literal(text: &str) -> String {
    let within = |open: &str, close: &str| text.strip_prefix(open)?.strip_suffix(close);
    if let Some(inner) = within("<<\"", "\">>") {
        return binary(inner);
    }
    if let Some(inner) = within("\"", "\"") {
        return format!("\"{}\"", escaped(inner, '"'));
    }
    match within("'", "'") {
        Some(inner) => format!("'{}'", escaped(inner, '\'')),
        None if is_word(text) => atom(text),
        None => binary(text),
    }
}

/// Byte by byte, so that no encoding of the file can change it.
fn binary(text: &str) -> String {
    let bytes: Vec<String> = text.bytes().map(|byte| byte.to_string()).collect();
    format!("<<{}>>", bytes.join(","))
}

/// In quotes, which are always right and needed where the word means something to Erlang.
fn atom(name: &str) -> String {
    const MEANINGFUL: [&str; 8] = ["and", "or", "not", "case", "if", "when", "end", "fun"];
    if is_word(name) && !MEANINGFUL.contains(&name) {
        return name.to_owned();
    }
    format!("'{}'", escaped(name, '\''))
}

fn is_word(text: &str) -> bool {
    text.starts_with(|letter: char| letter.is_ascii_lowercase())
        && text.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
}

fn escaped(text: &str, quote: char) -> String {
    let escape = |out: String, letter: char| match letter {
        '\\' => out + "\\\\",
        _ if letter == quote => out + "\\" + &letter.to_string(),
        _ if letter.is_ascii() && !letter.is_control() => out + &letter.to_string(),
        _ => format!("{out}\\x{{{:x}}}", letter as u32),
    };
    text.chars().fold(String::new(), escape)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(entries: &[(&str, &str)]) -> Settings {
        let config = entries.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        Settings { config: config.collect(), ..Settings::default() }
    }

    fn text(text: &str) -> Term {
        Term::Text(text.to_owned())
    }

    fn map(entries: Vec<(&str, Term)>) -> Vec<(String, Term)> {
        entries.into_iter().map(|(name, term)| (name.to_owned(), term)).collect()
    }

    #[test]
    fn terms_are_written_as_erlang_reads_them() {
        for (term, erlang) in [
            (Term::Int(-3), "-3"),
            (Term::Float(0.5), "0.5"),
            (Term::Float(2.0), "2.0"),
            (Term::Float(1e21), "1.0e21"),
            (Term::Float(1.5e-9), "1.5e-9"),
            (Term::Bool(true), "true"),
            (text("pause_minority"), "pause_minority"),
            (text("and"), "'and'"),
            (text("Two words"), "<<84,119,111,32,119,111,114,100,115>>"),
            (text("é"), "<<195,169>>"),
            (text(""), "<<>>"),
            (text("<<\"ab\">>"), "<<97,98>>"),
            (text("'an atom'"), "'an atom'"),
            (text("\"/a\\\"b\""), "\"/a\\\\\\\"b\""),
            (Term::List(vec![Term::Int(1), text("a")]), "[1, a]"),
            (
                Term::Map(map(vec![("a", Term::Int(1)), ("B", Term::Map(Vec::new()))])),
                "[{a, 1}, {'B', []}]",
            ),
        ] {
            assert_eq!(term.erlang(), erlang, "{term:?}");
        }
    }

    #[test]
    fn ours_stands_unless_something_else_is_said() {
        let usual = Settings::default();
        assert_eq!(
            usual.advanced(),
            "[{rabbit, [{quorum_tick_interval, 100}, {stream_tick_interval, 100}, {permit_deprecated_features, \
             #{transient_nonexcl_queues => true, management_metrics_collection => true}}]}].\n"
        );
        assert!(usual.configuration().contains("vm_memory_high_watermark.relative = 0.8\n"));
        let mut other = config(&[
            ("vm_memory_high_watermark.absolute", "1GB"),
            ("deprecated_features.permit.transient_nonexcl_queues", "false"),
        ]);
        other.heartbeat = Some(Duration::from_millis(1500));
        other.advanced = Advanced(map(vec![
            ("kernel", Term::Map(map(vec![("x", Term::Int(1))]))),
            ("rabbit", Term::Map(map(vec![("quorum_tick_interval", Term::Int(7))]))),
        ]));
        other.check().expect("all of it may be said");
        assert_eq!(
            other.configuration(),
            "collect_statistics_interval = 1000\ndisk_free_limit.absolute = 10MB\nheartbeat = 2\n\
             vm_memory_high_watermark.absolute = 1GB\n\
             deprecated_features.permit.transient_nonexcl_queues = false\n"
        );
        assert_eq!(
            other.advanced(),
            "[{rabbit, [{quorum_tick_interval, 7}, {stream_tick_interval, 100}]},\n {kernel, [{x, 1}]}].\n"
        );
    }

    #[test]
    fn the_wishes_of_a_file_become_settings() {
        let tree = |value| Tree::Scalar(value);
        let rabbit = Tree::Map(vec![
            ("a".to_owned(), Tree::List(vec![tree(Scalar::Int(1)), tree(Scalar::Bool(true))])),
            ("b".to_owned(), tree(Scalar::Null)),
            ("c".to_owned(), tree(Scalar::Text("word".to_owned()))),
        ]);
        let wishes = Wishes {
            nodes: Some(1),
            heartbeat: Some(Duration::from_secs(9)),
            config: vec![
                ("consumer_timeout".to_owned(), Scalar::Int(5000)),
                ("empty".to_owned(), Scalar::Null),
                ("ratio".to_owned(), Scalar::Float(0.5)),
            ],
            advanced: vec![("rabbit".to_owned(), rabbit)],
        };
        let mut expected = config(&[("consumer_timeout", "5000"), ("ratio", "0.5")]);
        expected.heartbeat = Some(Duration::from_secs(9));
        let list = Term::List(vec![Term::Int(1), Term::Bool(true)]);
        let rabbit = Term::Map(map(vec![("a", list), ("c", text("word"))]));
        expected.advanced = Advanced(map(vec![("rabbit", rabbit)]));
        assert_eq!(Settings::from(&wishes), expected);
        assert!(Settings::from(&Wishes { nodes: Some(1), ..Wishes::default() }).is_default());
    }

    #[test]
    fn every_mistake_is_told_at_once() {
        let mut wrong = config(&[
            ("listeners.tcp", "5672"),
            ("listeners_of_another_kind", "1"),
            ("log.dir", "/tmp"),
            ("a b", "1"),
            ("consumer_timeout", "1\nlisteners.tcp = 1"),
            ("heartbeat", "1"),
            ("heartbeat", "2"),
        ]);
        wrong.heartbeat = Some(Duration::from_secs(1));
        wrong.advanced = Advanced(map(vec![
            ("rabbit", Term::Map(map(vec![("tcp_listeners", Term::Int(1))]))),
            ("ra", Term::Int(1)),
            ("ra", Term::Map(Vec::new())),
        ]));
        let error = wrong.check().expect_err("it is wrong");
        assert!(error.is_usage());
        let told = std::iter::once(error.message).chain(error.notes).collect::<Vec<_>>().join("\n");
        assert_eq!(
            told,
            "the broker's settings are wrong: `listeners.tcp` cannot be set: a private node \
             listens on free loopback ports\n\
             `log.dir` cannot be set: a private node writes below its own directory, and leaves \
             nothing\n\
             \"a b\" is no key of `rabbitmq.conf`\n\
             the value of `consumer_timeout` is empty or more than one line\n\
             `heartbeat` is given twice: of the broker and in `config`\n\
             `heartbeat` is given twice\n\
             `heartbeat` is given twice: of the broker and in `config`\n\
             advanced `rabbit: tcp_listeners` cannot be set: a private node listens on free \
             loopback ports\n\
             advanced `ra` is not a map of parameters\n\
             advanced `ra` is given twice"
        );
    }
}
