//! The names of all lints, and the key `allow` that silences them by name.
//!
//! A lint is about a file that is right and probably not meant. When one is given is the plan's
//! business; here is only what there is, in a few words. `docs/lints.md` has a chapter for each.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserialize, Deserializer, Error, Visitor};
use serde_json::{Value, json};

use crate::scenario::decode::Located;
use crate::scenario::mistake::meant;
use crate::scenario::node::{self, At, Node};
use crate::scenario::schema::choice;
use crate::scenario::variables::reference;

/// The page that explains every lint, from the root of the package.
pub const PAGE: &str = "docs/lints.md";

/// In which variants of a file a lint must be right to be given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// One is enough: that variant is wrong by itself.
    InAny,
    /// All that have the entry: where variants differ in it, the difference is what they show.
    InAll,
}

use Told::{InAll, InAny};

macro_rules! lints {
    ($($lint:ident $name:literal $told:ident $what:literal;)*) => {
        /// One kind of warning.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Lint {
            $(#[doc = $what] $lint,)*
        }

        /// Every lint, in the order of the page about them.
        pub const ALL: &[Lint] = &[$(Lint::$lint,)*];

        impl Lint {
            fn row(self) -> (&'static str, Told, &'static str) {
                match self {
                    $(Lint::$lint => ($name, $told, $what),)*
                }
            }
        }
    };
}

lints! {
    AlternateToNowhere "alternate-to-nowhere" InAny
        "an alternate exchange takes nothing, because it does not exist or is the default one";
    DeadLetterToNowhere "dead-letter-to-nowhere" InAny
        "a queue dead-letters to an exchange that does not exist or has no queue behind it";
    PersistentInTransientQueue "persistent-in-transient-queue" InAll
        "persistent messages go into a queue that does not outlive a restart";
    IgnoredDeliveryMode "ignored-delivery-mode" InAll
        "transient messages go into quorum queues or streams, which keep them all the same";
    IgnoredPriority "ignored-priority" InAll
        "messages have a priority that none of their queues looks at";
    IgnoredRoutingKey "ignored-routing-key" InAll
        "a producer gives a routing key to an exchange that does not look at it";
    IgnoredBindingKey "ignored-binding-key" InAll
        "a binding has a routing key or headers that its exchange does not look at";
    UnroutableMessages "unroutable-messages" InAny
        "a producer publishes with a key that leads to no queue";
    ExchangeWithoutBindings "exchange-without-bindings" InAll
        "nothing is bound to an exchange";
    UnreadQueue "unread-queue" InAll
        "a queue gets messages, and no worker consumes from it";
    UnfilledQueue "unfilled-queue" InAll
        "a worker consumes from a queue to which no message can come";
    UnusedQueue "unused-queue" InAll
        "no message can come to a queue, and no worker consumes from it";
    PrefetchWithAutoAck "prefetch-with-auto-ack" InAll
        "a worker has a prefetch, which means nothing under automatic acks";
    PrefetchBelowAckEvery "prefetch-below-ack-every" InAll
        "a worker holds all that it may before it acks anything, and stands still";
    RefusedByBroker "refused-by-broker" InAny
        "RabbitMQ refuses a queue or a worker every time";
    EndlessDeadLetters "endless-dead-letters" InAny
        "messages are dead-lettered round and round for ever";
    DroppedInACircle "dropped-in-a-circle" InAny
        "messages are dead-lettered in a circle, and RabbitMQ drops them after one round";
    EndlessRequeue "endless-requeue" InAny
        "a worker requeues what only itself can get, every time";
    AfterTheDeadline "after-the-deadline" InAny
        "something happens, or is over, only when the run has been cut";
    EndlessFault "endless-fault" InAny
        "a broker is paused or blocked until the run is cut";
    YoungQueue "young-queue" InAny
        "a broker is killed while its queues are too young to keep what was confirmed";
    UnnoticedCut "unnoticed-cut" InAny
        "a network is cut for so short a time that nobody notices";
    BootingBroker "booting-broker" InAny
        "a fault needs a broker that is still booting";
    FaultOnTheDead "fault-on-the-dead" InAny
        "a fault acts on a program that is dead by then";
    NeverFires "never-fires" InAny
        "a fault, a start, a stop or a look waits for more than can come";
    CannotBite "cannot-bite" InAny
        "a fault acts where it cannot change anything";
    NeverHolds "never-holds" InAny
        "an expectation that no run can meet";
    NeverFails "never-fails" InAll
        "an expectation that every run meets";
    LostWithoutConfirms "lost-without-confirms" InAny
        "nothing may be lost, though a fault can lose what nobody asks confirms for";
    VersionDependent "version-dependent" InAny
        "a setting means something else on a version that the file may run on";
    UnusedVariable "unused-variable" InAny
        "nothing uses a variable";
    ShadowedName "shadowed-name" InAll
        "a name means something else already";
    UnusedAllow "unused-allow" InAny
        "an `allow` silences nothing";
}

impl Lint {
    /// Its name in files and reports.
    pub fn name(self) -> &'static str {
        self.row().0
    }

    /// In which variants it must be right.
    pub fn told(self) -> Told {
        self.row().1
    }

    /// What it is about, in one line without a full stop.
    pub fn what(self) -> &'static str {
        self.row().2
    }

    /// Whether it is about something that nothing uses.
    pub fn is_about_use(self) -> bool {
        use Lint::*;
        matches!(
            self,
            ExchangeWithoutBindings | UnreadQueue | UnfilledQueue | UnusedQueue | UnusedVariable
        )
    }

    /// The lint of that name, if there is one.
    pub fn from_name(name: &str) -> Option<Self> {
        ALL.iter().copied().find(|lint| lint.name() == name)
    }
}

impl JsonSchema for Lint {
    fn schema_name() -> Cow<'static, str> {
        "Lint".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let word = |lint: &Lint| json!({ "const": lint.name(), "description": lint.what() });
        let words: Vec<Value> = ALL.iter().map(word).collect();
        let mut schema = json_schema!({ "title": "the name of a lint", "oneOf": words });
        choice(&mut schema);
        schema
    }
}

impl<'de> Deserialize<'de> for Lint {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(LintVisitor)
    }
}

struct LintVisitor;

impl Visitor<'_> for LintVisitor {
    type Value = Lint;
    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("the name of a lint, such as prefetch-with-auto-ack")
    }
    fn visit_str<E: Error>(self, text: &str) -> Result<Lint, E> {
        Lint::from_name(text).ok_or_else(|| {
            let help = match meant(text, ALL.iter().map(|lint| lint.name())) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => format!("all of them are explained in {PAGE}"),
            };
            E::custom(format!("there is no lint `{text}`\n{help}"))
        })
    }
}

/// The lints that an entry silences; what counts is read from the tree, by [`allows`].
pub type Allowed = Vec<Located<Lint>>;

/// What an `allow` is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// The whole file.
    File,
    /// Everything in one entry: the first and the last number of its nodes.
    Entry(u32, u32),
}

/// One name in an `allow`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allow {
    pub lint: Lint,
    /// Where the name stands.
    pub at: At,
    pub reach: Reach,
    /// The entry of `variants` that it is about as a whole, too.
    pub variant: Option<At>,
}

/// Lists whose entries may have an `allow`, by the keys that lead to them.
const LISTS: [&[&str]; 9] = [
    &["topology", "exchanges"],
    &["topology", "queues"],
    &["topology", "bindings"],
    &["producers"],
    &["workers"],
    &["faults"],
    &["observe"],
    &["probes"],
    &["variants"],
];

/// Every `allow` of a file, as far as it can be read; what is wrong with one is said where the
/// entry is decoded.
pub fn allows(tree: &Node) -> Vec<Allow> {
    let mut all = Vec::new();
    all.extend(of(tree, None).map(|allow| Allow { reach: Reach::File, ..allow }));
    all.extend(tree.get("expect").into_iter().flat_map(|expect| of(expect, None)));
    for path in LISTS {
        let list = path.iter().try_fold(tree, |node, key| node.get(key));
        let Some(Node { value: node::Value::List(entries), .. }) = list else { continue };
        for entry in entries {
            let variant = (path == ["variants"]).then_some(entry.at);
            all.extend(of(entry, variant));
            let inner = ["expect", "declare_queue", "declare_exchange"];
            let inner = inner.into_iter().filter_map(|key| entry.get(key));
            all.extend(inner.flat_map(|map| of(map, None)));
        }
    }
    let mut seen = HashSet::new();
    all.retain(|allow| seen.insert(allow.at.node));
    all
}

/// The names in the `allow` of one map.
fn of(map: &Node, variant: Option<At>) -> impl Iterator<Item = Allow> {
    let names = match map.get("allow").map(|list| &list.value) {
        Some(node::Value::List(names)) => names.as_slice(),
        _ => &[],
    };
    let reach = Reach::Entry(map.at.node, map.last());
    names.iter().filter_map(move |name| {
        let text = name.text().filter(|text| reference(text).is_none())?;
        let lint = Lint::from_name(text)?;
        Some(Allow { lint, at: name.at, reach, variant })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_words_with_hyphens_and_all_different() {
        let mut seen = HashSet::new();
        for lint in ALL {
            let name = lint.name();
            assert!(name.bytes().all(|b| b.is_ascii_lowercase() || b == b'-'), "{name}");
            assert!(seen.insert(name), "{name} is there twice");
            assert!(!lint.what().ends_with('.') && lint.what().len() <= 90, "{name}");
            assert_eq!(Lint::from_name(name), Some(*lint));
        }
    }
}
