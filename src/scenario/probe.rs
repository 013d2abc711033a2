//! Probes as they are written, and errors as files expect them.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::scenario::actors::Ack;
use crate::scenario::decode::Located;
use crate::scenario::lint::Allowed;
use crate::scenario::scalar::{Name, Size, Whole};
use crate::scenario::topology::{Exchange, Queue};
use crate::scenario::trigger::Trigger;

/// One AMQP operation, when it is asked for, and what is expected of the answer.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename = "a probe")]
#[schemars(title = "a probe")]
pub struct Probe {
    /// Declares a queue; `passive: true` only looks for it.
    pub declare_queue: Option<Located<Queue>>,
    /// Declares an exchange; `passive: true` only looks for it.
    pub declare_exchange: Option<Located<Exchange>>,
    /// Publishes one message with confirms.
    pub publish: Option<Located<Publish>>,
    /// Subscribes, and cancels.
    pub consume: Option<Located<Consume>>,
    /// Takes one message, or learns that there is none; it goes back.
    pub get: Option<Located<Get>>,
    /// Acknowledges a delivery tag that was never given.
    #[schemars(extend("examples" = [99]))]
    pub ack_unknown_tag: Option<Located<u64>>,
    /// Sets the prefetch of a channel.
    pub qos: Option<Located<Qos>>,
    /// The moment at which it asks; without it, when the run begins.
    pub when: Option<Located<Trigger>>,
    /// The error that must come: `{ code: 406, text: inequivalent arg }`.
    pub expect_error: Option<Located<ProbeError>>,
    /// With `true`, no error must come.
    pub expect_ok: Option<Located<bool>>,
    /// With `false` it is as if this entry were not there; made for a variable: `if: $flag`.
    #[serde(rename = "if")]
    #[schemars(extend("default" = true))]
    pub condition: Option<bool>,
    /// Lints that are meant to be so in what stands here.
    pub allow: Option<Allowed>,
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename = "`publish`")]
#[schemars(title = "a message")]
pub struct Publish {
    /// Where it publishes; without it, to the default exchange.
    #[schemars(extend("default" = ""))]
    pub exchange: Option<String>,
    /// The routing key of the message.
    pub routing_key: Option<String>,
    /// Whether the message is returned when no queue takes it.
    #[schemars(extend("default" = false))]
    pub mandatory: Option<bool>,
    /// How long the body is.
    pub size: Option<Size>,
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename = "`consume`")]
#[schemars(title = "a subscription")]
pub struct Consume {
    /// The queue to consume from, declared or not.
    pub queue: Located<Name>,
    /// When a delivery is acknowledged.
    #[schemars(extend("default" = "manual"))]
    pub ack: Option<Located<Ack>>,
    /// Whether it asks to be the only consumer.
    #[schemars(extend("default" = false))]
    pub exclusive: Option<bool>,
    /// How many messages it may hold; 0 asks for none.
    #[schemars(extend("default" = 1))]
    pub prefetch: Option<Whole<0, 65_535>>,
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename = "`get`")]
#[schemars(title = "a message to take")]
pub struct Get {
    /// The queue to take from, declared or not.
    pub queue: Located<Name>,
    /// Whether what it takes goes back; `auto` takes it away.
    #[schemars(extend("default" = "manual"))]
    pub ack: Option<Located<Ack>>,
    /// Of subscriptions alone.
    pub exclusive: Option<Located<bool>>,
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename = "`qos`")]
#[schemars(title = "a prefetch")]
pub struct Qos {
    /// How many messages may be held without an acknowledgement.
    pub prefetch: Option<Whole<0, 65_535>>,
    /// Whether it is for the whole channel.
    #[schemars(extend("default" = false))]
    pub global: Option<bool>,
    /// Then it subscribes here, which is when a quorum queue refuses a global one.
    pub queue: Option<Located<Name>>,
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename = "`expect_error`")]
#[schemars(title = "an error")]
pub struct ProbeError {
    /// The code of AMQP that the broker answers.
    #[schemars(extend("examples" = [406]))]
    pub code: Option<Located<u64>>,
    /// A part of what the broker says.
    pub text: Option<String>,
}
