//! Probes as they are written, and errors as files expect them.

use serde::Deserialize;

use crate::scenario::actors::Ack;
use crate::scenario::decode::Located;
use crate::scenario::lint::Allowed;
use crate::scenario::scalar::{Name, Size, Whole};
use crate::scenario::topology::{Exchange, Queue};
use crate::scenario::trigger::Trigger;

/// One AMQP operation, when it is asked for, and what is expected of the answer.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename = "a probe")]
pub struct Probe {
    pub declare_queue: Option<Located<Queue>>,
    pub declare_exchange: Option<Located<Exchange>>,
    pub publish: Option<Located<Publish>>,
    pub consume: Option<Located<Consume>>,
    pub get: Option<Located<Get>>,
    pub ack_unknown_tag: Option<Located<u64>>,
    pub qos: Option<Located<Qos>>,
    pub when: Option<Located<Trigger>>,
    pub expect_error: Option<Located<ProbeError>>,
    pub expect_ok: Option<Located<bool>>,
    #[serde(rename = "if")]
    pub condition: Option<bool>,
    pub allow: Option<Allowed>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename = "`publish`")]
pub struct Publish {
    pub exchange: Option<String>,
    pub routing_key: Option<String>,
    pub mandatory: Option<bool>,
    pub size: Option<Size>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename = "`consume`")]
pub struct Consume {
    pub queue: Located<Name>,
    pub ack: Option<Located<Ack>>,
    pub exclusive: Option<bool>,
    pub prefetch: Option<Whole<0, 65_535>>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename = "`get`")]
pub struct Get {
    pub queue: Located<Name>,
    pub ack: Option<Located<Ack>>,
    /// Of subscriptions alone; known so that the mistake says so.
    pub exclusive: Option<Located<bool>>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename = "`qos`")]
pub struct Qos {
    pub prefetch: Option<Whole<0, 65_535>>,
    pub global: Option<bool>,
    pub queue: Option<Located<Name>>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename = "`expect_error`")]
pub struct ProbeError {
    pub code: Option<Located<u64>>,
    pub text: Option<String>,
}
