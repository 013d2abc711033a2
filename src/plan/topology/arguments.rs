//! The settings of a queue, said by a key or by the argument that means the same.

use std::time::Duration;

use crate::plan::meaning;
use crate::plan::model::Overflow;
use crate::plan::pattern::Scalar as Meant;
use crate::scenario::collect::Collector;
use crate::scenario::decode::Located;
use crate::scenario::mistake::Mistake;
use crate::scenario::node::At;
use crate::scenario::scalar::Scalar;

/// The most milliseconds that RabbitMQ 3.10, 4.0 and 4.3 take: ten years.
const LONGEST_MS: i64 = 315_360_000_000;

/// A setting that has both a key and an argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Setting {
    MessageTtl,
    Expires,
    MaxLength,
    MaxLengthBytes,
    Overflow,
    DeadLetter,
    DeadLetterKey,
    Strategy,
    DeliveryLimit,
    MaxPriority,
    SingleActiveConsumer,
}

/// Each setting with its key and its argument.
const WORDS: [(Setting, &str, &str); 11] = [
    (Setting::MessageTtl, "message_ttl", "x-message-ttl"),
    (Setting::Expires, "expires", "x-expires"),
    (Setting::MaxLength, "max_length", "x-max-length"),
    (Setting::MaxLengthBytes, "max_length_bytes", "x-max-length-bytes"),
    (Setting::Overflow, "overflow", "x-overflow"),
    (Setting::DeadLetter, "dead_letter", "x-dead-letter-exchange"),
    (Setting::DeadLetterKey, "routing_key", "x-dead-letter-routing-key"),
    (Setting::Strategy, "strategy", "x-dead-letter-strategy"),
    (Setting::DeliveryLimit, "delivery_limit", "x-delivery-limit"),
    (Setting::MaxPriority, "max_priority", "x-max-priority"),
    (Setting::SingleActiveConsumer, "single_active_consumer", "x-single-active-consumer"),
];

impl Setting {
    /// Its key in a file.
    pub fn key(self) -> &'static str {
        let words = WORDS.iter().find(|(setting, ..)| *setting == self);
        words.expect("every setting has words").1
    }
}

/// Everything that an entry says of a queue's settings.
#[derive(Debug, Default)]
pub struct Settings {
    pub message_ttl: Option<Duration>,
    pub expires: Option<Duration>,
    pub max_length: Option<u64>,
    pub max_length_bytes: Option<u64>,
    pub overflow: Option<Overflow>,
    pub dead_letter: Option<Located<String>>,
    pub dead_letter_key: Option<String>,
    pub at_least_once: bool,
    pub delivery_limit: Option<i64>,
    pub max_priority: Option<u8>,
    pub single_active_consumer: bool,
    /// Arguments that no key says.
    pub others: Vec<(String, Meant)>,
    /// Which settings are given, where, and by which word.
    pub said: Vec<(Setting, At, &'static str)>,
}

impl Settings {
    /// Where a setting is given, and by which word.
    pub fn place(&self, setting: Setting) -> Option<(At, &'static str)> {
        self.said.iter().find(|(said, ..)| *said == setting).map(|(_, at, word)| (*at, *word))
    }

    /// Remembers that a key says this; its value.
    pub fn say<T, U>(
        &mut self,
        setting: Setting,
        value: &Option<Located<T>>,
        meaning: impl FnOnce(&T) -> U,
    ) -> Option<U> {
        let value = value.as_ref()?;
        self.said.push((setting, value.at, setting.key()));
        Some(meaning(&value.value))
    }

    /// Takes an argument for the key that means the same, or as it is.
    pub fn argument(&mut self, name: &str, value: &Located<Scalar>, found: &mut Collector) {
        if name == "x-queue-type" {
            let text = "the type of a queue is said by `type`, not by `x-queue-type`";
            let help =
                "write `type: classic`, `type: quorum` or `type: stream` beside the other keys";
            found.push(Mistake::new(value.at, text).help(help));
            return;
        }
        let Some((setting, key, argument)) = WORDS.iter().find(|(_, _, known)| *known == name)
        else {
            self.others.push((name.to_owned(), meaning::scalar(&value.value)));
            return;
        };
        if self.place(*setting).is_some() {
            let text = format!("`{argument}` says what `{key}` says already");
            found.push(Mistake::new(value.at, text).help("keep one of them"));
            return;
        }
        match self.take(*setting, value) {
            Ok(()) => self.said.push((*setting, value.at, argument)),
            Err(expected) => {
                let text = format!("`{argument}` must be {expected}");
                found.push(Mistake::new(value.at, text).help(remedy(*setting, key)));
            }
        }
    }

    /// Sets what an argument says; what it must be if it is something else.
    fn take(&mut self, setting: Setting, value: &Located<Scalar>) -> Result<(), &'static str> {
        const LENGTH: &str = "a whole number, at least 0";
        match (setting, &value.value) {
            (Setting::MessageTtl, value) => self.message_ttl = Some(milliseconds(value, 0)?),
            (Setting::Expires, value) => self.expires = Some(milliseconds(value, 1)?),
            (Setting::MaxLength, value) => self.max_length = Some(natural(value).ok_or(LENGTH)?),
            (Setting::MaxLengthBytes, value) => {
                self.max_length_bytes = Some(natural(value).ok_or(LENGTH)?);
            }
            (Setting::Overflow, value) => self.overflow = Some(overflow(value)?),
            (Setting::DeadLetter, Scalar::Text(name)) => {
                self.dead_letter = Some(Located { at: value.at, value: name.clone() });
            }
            (Setting::DeadLetter, _) => return Err("the name of an exchange"),
            (Setting::DeadLetterKey, Scalar::Text(key)) => self.dead_letter_key = Some(key.clone()),
            (Setting::DeadLetterKey, _) => return Err("text"),
            (Setting::Strategy, value) => self.at_least_once = at_least_once(value)?,
            (Setting::DeliveryLimit, Scalar::Int(limit)) if *limit >= -1 => {
                self.delivery_limit = Some(*limit);
            }
            (Setting::DeliveryLimit, _) => {
                return Err("a whole number, at least 0, or -1 for no limit");
            }
            (Setting::MaxPriority, value) => {
                let most = natural(value).and_then(|most| u8::try_from(most).ok());
                self.max_priority = Some(most.ok_or("a whole number from 0 to 255")?);
            }
            (Setting::SingleActiveConsumer, Scalar::Bool(single)) => {
                self.single_active_consumer = *single;
            }
            (Setting::SingleActiveConsumer, _) => return Err("`true` or `false`"),
        }
        Ok(())
    }
}

/// What to write instead of a wrong argument.
fn remedy(setting: Setting, key: &str) -> String {
    match setting {
        Setting::DeadLetter | Setting::DeadLetterKey | Setting::Strategy => {
            "the key `dead_letter` says the same: `dead_letter: { exchange: NAME }`".into()
        }
        Setting::MessageTtl | Setting::Expires => {
            format!("the key `{key}` says the same with a unit: `{key}: 5s`")
        }
        _ => format!("the key `{key}` says the same"),
    }
}

fn natural(value: &Scalar) -> Option<u64> {
    match value {
        Scalar::Int(n) => u64::try_from(*n).ok(),
        _ => None,
    }
}

fn milliseconds(value: &Scalar, least: i64) -> Result<Duration, &'static str> {
    match value {
        Scalar::Int(ms) if (least..=LONGEST_MS).contains(ms) => {
            Ok(Duration::from_millis(u64::try_from(*ms).expect("it is not negative")))
        }
        _ if least == 0 => Err("a whole number of milliseconds, from 0 to ten years"),
        _ => Err("a whole number of milliseconds, from 1 to ten years"),
    }
}

fn overflow(value: &Scalar) -> Result<Overflow, &'static str> {
    match value {
        Scalar::Text(text) if text == "drop-head" => Ok(Overflow::DropHead),
        Scalar::Text(text) if text == "reject-publish" => Ok(Overflow::RejectPublish),
        Scalar::Text(text) if text == "reject-publish-dlx" => Ok(Overflow::RejectPublishDlx),
        _ => Err("`drop-head`, `reject-publish` or `reject-publish-dlx`"),
    }
}

fn at_least_once(value: &Scalar) -> Result<bool, &'static str> {
    match value {
        Scalar::Text(text) if text == "at-most-once" => Ok(false),
        Scalar::Text(text) if text == "at-least-once" => Ok(true),
        _ => Err("`at-most-once` or `at-least-once`"),
    }
}
