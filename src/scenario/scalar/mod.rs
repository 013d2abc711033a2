//! Scalars with a unit, a range or a shape, checked as they are read.

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserialize, Deserializer, Error, Visitor};

use crate::scenario::mistake::shortened;
use crate::scenario::schema;

/// A value that is written as a text with a shape of its own.
trait Shape: Sized {
    /// What it is, behind "must be".
    const EXPECTED: &'static str;
    /// What such texts look like, as a regular expression. It takes all that [`Shape::parse`]
    /// takes; what it takes beside that is too large or too small.
    const TEXT: &'static str;
    fn parse(text: &str) -> Result<Self, String>;
    /// What to say of a bare number; `None` when it is simply of the wrong type.
    fn number(text: &str) -> Option<String>;
}

struct Shaped<T>(std::marker::PhantomData<T>);

impl<T: Shape> Shaped<T> {
    fn number<E: Error>(text: &str, found: serde::de::Unexpected) -> E {
        match T::number(text) {
            Some(message) => E::custom(message),
            None => E::invalid_type(found, &T::EXPECTED),
        }
    }
}

impl<T: Shape> Visitor<'_> for Shaped<T> {
    type Value = T;
    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(T::EXPECTED)
    }
    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        T::parse(text).map_err(E::custom)
    }
    fn visit_u64<E: Error>(self, n: u64) -> Result<T, E> {
        Err(Self::number(&n.to_string(), serde::de::Unexpected::Unsigned(n)))
    }
    fn visit_i64<E: Error>(self, n: i64) -> Result<T, E> {
        Err(Self::number(&n.to_string(), serde::de::Unexpected::Signed(n)))
    }
    fn visit_f64<E: Error>(self, n: f64) -> Result<T, E> {
        Err(Self::number(&n.to_string(), serde::de::Unexpected::Float(n)))
    }
}

macro_rules! shaped {
    ($($name:ident),*) => {$(
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_any(Shaped(std::marker::PhantomData))
            }
        }
        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }
            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                schema::texts(Self::EXPECTED, &[Self::TEXT])
            }
        }
    )*};
}

shaped!(Time, Size, Rate, Percent, Name, Title);

/// A number with a unit.
struct Quantity {
    /// In `a duration`.
    what: &'static str,
    units: &'static [&'static str],
    /// Behind "write it like".
    example: &'static str,
}

impl Quantity {
    /// The number and the position of the unit; the number is as written: digits, and perhaps a
    /// point with digits behind it.
    fn split<'t>(&self, text: &'t str) -> Result<(&'t str, usize), String> {
        let what = self.what;
        if text.len() > 64 {
            return Err(format!(
                "`{}` is not {what}\nwrite it like {}",
                shortened(text),
                self.example
            ));
        }
        if text
            .strip_prefix(['-', '−'])
            .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
        {
            return Err(format!("`{text}` is negative\n{what} is 0 or more"));
        }
        let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        let (number, unit) = text.split_at(end);
        if !is_decimal(number) {
            return Err(format!("`{text}` is not {what}\nwrite it like {}", self.example));
        }
        if unit.is_empty() {
            return Err(format!("`{text}` has no unit; write {}", self.forms(number)));
        }
        let bare = unit.trim();
        match self.units.iter().position(|known| *known == bare) {
            Some(position) if bare == unit => Ok((number, position)),
            Some(_) => Err(format!("`{text}` has a space in it; write {number}{bare}")),
            None => {
                let forms = self.forms(number);
                Err(format!("`{text}` has the unknown unit `{bare}`; write {forms}"))
            }
        }
    }

    fn forms(&self, number: &str) -> String {
        let forms: Vec<String> = self.units.iter().map(|unit| format!("{number}{unit}")).collect();
        match forms.split_last() {
            Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
            _ => forms.concat(),
        }
    }

    fn no_unit(&self, number: &str) -> String {
        match self.split(number) {
            Err(message) => message,
            Ok(_) => unreachable!("a bare number has no unit"),
        }
    }
}

fn is_decimal(text: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    match text.split_once('.') {
        Some((whole, fraction)) => digits(whole) && digits(fraction),
        None => digits(text),
    }
}

/// A decimal number in parts of `1 / scale`, where `scale` is a power of ten or a multiple of
/// one; digits beyond that are dropped. `None` when it does not fit.
fn scaled(number: &str, scale: u64) -> Option<u64> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let mut value = whole.parse::<u64>().ok()?.checked_mul(scale)?;
    let mut rest = scale;
    for digit in fraction.bytes() {
        rest /= 10;
        value = value.checked_add(u64::from(digit - b'0') * rest)?;
    }
    Some(value)
}

/// A span of time: `250ms`, `1.5s`, `2m`; at most a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time(pub Duration);

const TIME: Quantity =
    Quantity { what: "a duration", units: &["ms", "s", "m"], example: "250ms, 1.5s or 2m" };

impl Shape for Time {
    const EXPECTED: &'static str = "a duration such as 250ms, 1.5s or 2m";
    const TEXT: &'static str = Time::TEXT;
    fn parse(text: &str) -> Result<Self, String> {
        let (number, unit) = TIME.split(text)?;
        let nanos = scaled(number, [1_000_000, 1_000_000_000, 60_000_000_000][unit]);
        let time = nanos.map(Duration::from_nanos).filter(|time| *time <= Self::MAX);
        time.map(Self).ok_or_else(|| format!("`{text}` is more than a day\nwrite at most 1440m"))
    }
    fn number(text: &str) -> Option<String> {
        Some(TIME.no_unit(text))
    }
}

impl Time {
    /// The duration that a text says.
    pub fn of(text: &str) -> Result<Self, String> {
        Self::parse(text)
    }

    /// What a duration looks like, as a regular expression.
    pub const TEXT: &str = r"[0-9]+(\.[0-9]+)?(ms|s|m)";

    const MAX: Duration = Duration::from_secs(24 * 60 * 60);
}

/// The text of a duration as a file would have it.
impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let micros = self.0.as_micros();
        match (micros % 1_000_000, micros % 1_000) {
            (0, _) => write!(f, "{}s", micros / 1_000_000),
            (_, 0) => write!(f, "{}ms", micros / 1_000),
            _ => write!(f, "{}ms", self.0.as_secs_f64() * 1e3),
        }
    }
}

/// A number of bytes: `16B`, `4KiB`, `1MiB`; at most what RabbitMQ can be told to take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(pub u64);

const SIZE: Quantity =
    Quantity { what: "a size", units: &["B", "KiB", "MiB"], example: "16B, 4KiB or 1MiB" };

impl Shape for Size {
    const EXPECTED: &'static str = "a size such as 16B, 4KiB or 1MiB";
    const TEXT: &'static str = BYTES;
    fn parse(text: &str) -> Result<Self, String> {
        let (number, unit) = SIZE.split(text)?;
        if number.contains('.') {
            return Err(format!("`{text}` is not a whole number of bytes\nuse a smaller unit"));
        }
        let bytes = scaled(number, [1, 1 << 10, 1 << 20][unit]).filter(|size| *size <= 512 << 20);
        bytes.map(Self).ok_or_else(|| {
            format!("`{text}` is more than RabbitMQ takes in one message\nwrite at most 512MiB")
        })
    }
    fn number(text: &str) -> Option<String> {
        Some(SIZE.no_unit(text))
    }
}

/// What a number of bytes looks like, as a regular expression.
pub const BYTES: &str = "[0-9]+(B|KiB|MiB)";

/// As [`Size`], of any amount: what a queue holds is no single message.
pub fn bytes(text: &str) -> Result<u64, String> {
    let (number, unit) = SIZE.split(text)?;
    let whole = !number.contains('.');
    scaled(number, [1, 1 << 10, 1 << 20][unit])
        .filter(|_| whole)
        .ok_or_else(|| format!("`{text}` is not a whole number of bytes\nuse a smaller unit"))
}

/// How often per second: `50/s`, more than 0.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rate(pub f64);

const RATE: Quantity = Quantity { what: "a rate", units: &["/s"], example: "50/s" };

impl Shape for Rate {
    const EXPECTED: &'static str = "a rate such as 50/s";
    const TEXT: &'static str = r"[0-9]+(\.[0-9]+)?/s";
    fn parse(text: &str) -> Result<Self, String> {
        let (number, _) = RATE.split(text)?;
        let rate: f64 = number.parse().map_err(|_| format!("`{text}` is not a rate"))?;
        if rate < 0.001 {
            return Err(format!("`{text}` is too slow\na rate is at least 0.001/s"));
        }
        if rate > 1e6 {
            return Err(format!(
                "`{text}` is faster than any broker\nwrite at most 1000000/s, or leave `rate` out"
            ));
        }
        Ok(Self(rate))
    }
    fn number(text: &str) -> Option<String> {
        Some(RATE.no_unit(text))
    }
}

/// A part of a whole, in hundredths of a percent: `0%` to `100%`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Percent(pub u64);

const PERCENT: Quantity = Quantity { what: "a percentage", units: &["%"], example: "60%" };

impl Percent {
    /// What a percentage looks like, as a regular expression.
    pub const TEXT: &str = r"[0-9]+(\.[0-9]+)?%";

    /// The percentage that a text says.
    pub fn of(text: &str) -> Result<Self, String> {
        Self::parse(text)
    }
}

impl Shape for Percent {
    const EXPECTED: &'static str = "a percentage from 0% to 100%";
    const TEXT: &'static str = Percent::TEXT;
    fn parse(text: &str) -> Result<Self, String> {
        let (number, _) = PERCENT.split(text)?;
        let share = scaled(number, 100).filter(|share| *share <= 10_000);
        share.map(Self).ok_or_else(|| format!("`{text}` is more than 100%"))
    }
    fn number(text: &str) -> Option<String> {
        Some(PERCENT.no_unit(text))
    }
}

/// The name of something that others refer to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Name(pub String);

impl std::ops::Deref for Name {
    type Target = str;
    fn deref(&self) -> &str {
        &self.0
    }
}

impl Shape for Name {
    const EXPECTED: &'static str = "a name";
    const TEXT: &'static str = schema::NAME;
    fn parse(text: &str) -> Result<Self, String> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
        let help = "a name has 1 to 64 of the characters A-Z a-z 0-9 _ . -";
        if text.is_empty() {
            return Err(format!("a name is empty\n{help}"));
        }
        let shown = shortened(text);
        if let Some(c) = text.chars().find(|c| !allowed(*c)) {
            let c = if c == ' ' { "a space".to_owned() } else { format!("`{c}`") };
            return Err(format!("the name `{shown}` has {c} in it\n{help}"));
        }
        if text.len() > 64 {
            return Err(format!("the name `{shown}` has {} characters\n{help}", text.len()));
        }
        Ok(Self(text.to_owned()))
    }
    fn number(text: &str) -> Option<String> {
        Some(format!("the number {text} is not a name\nput it into quotes: \"{text}\""))
    }
}

/// The name of a variant: any text of one line.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Title(pub String);

impl Shape for Title {
    const EXPECTED: &'static str = "text";
    const TEXT: &'static str = r"[^\r\n]*\S[^\r\n]*";
    fn parse(text: &str) -> Result<Self, String> {
        if text.trim().is_empty() {
            return Err("the name of a variant is empty\nsay in a few words what is special".into());
        }
        if text.contains(['\n', '\r']) {
            return Err("the name of a variant has more than one line\nwrite one line".into());
        }
        Ok(Self(text.to_owned()))
    }
    fn number(_: &str) -> Option<String> {
        None
    }
}

/// A whole number from `MIN` to `MAX`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Whole<const MIN: u64, const MAX: u64>(pub u64);

/// At least 1, at most what fits in 32 bits.
pub type Positive = Whole<1, 0xffff_ffff>;

impl<'de, const MIN: u64, const MAX: u64> Deserialize<'de> for Whole<MIN, MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(WholeVisitor)
    }
}

impl<const MIN: u64, const MAX: u64> JsonSchema for Whole<MIN, MAX> {
    fn schema_name() -> Cow<'static, str> {
        format!("Whole_{MIN}_{MAX}").into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        // Above this a number of JavaScript is not exact, and no bound is worth a surprise.
        const EXACT: u64 = 1 << 53;
        if MAX > EXACT {
            return json_schema!({ "type": "integer", "minimum": MIN });
        }
        let title = match MAX {
            0xffff_ffff => format!("a whole number, at least {MIN}"),
            _ => format!("a whole number from {MIN} to {MAX}"),
        };
        json_schema!({ "type": "integer", "title": title, "minimum": MIN, "maximum": MAX })
    }
}

struct WholeVisitor<const MIN: u64, const MAX: u64>;

impl<const MIN: u64, const MAX: u64> Visitor<'_> for WholeVisitor<MIN, MAX> {
    type Value = Whole<MIN, MAX>;
    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        if MAX == u64::MAX {
            return write!(f, "a whole number, at least {MIN}");
        }
        write!(f, "a whole number from {MIN} to {MAX}")
    }
    fn visit_u64<E: Error>(self, n: u64) -> Result<Self::Value, E> {
        if (MIN..=MAX).contains(&n) {
            return Ok(Whole(n));
        }
        Err(E::invalid_value(serde::de::Unexpected::Unsigned(n), &self))
    }
}

/// Any scalar, with its YAML type.
#[derive(Debug, Clone, PartialEq)]
pub enum Scalar {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
}

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ScalarVisitor)
    }
}

impl JsonSchema for Scalar {
    fn schema_name() -> Cow<'static, str> {
        "Scalar".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": ["string", "number", "boolean", "null"],
            "title": "one value: text, a number, true, false or null"
        })
    }
}

struct ScalarVisitor;

impl Visitor<'_> for ScalarVisitor {
    type Value = Scalar;
    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("one value: text, a number, true, false or null")
    }
    fn visit_unit<E: Error>(self) -> Result<Scalar, E> {
        Ok(Scalar::Null)
    }
    fn visit_bool<E: Error>(self, value: bool) -> Result<Scalar, E> {
        Ok(Scalar::Bool(value))
    }
    fn visit_i64<E: Error>(self, value: i64) -> Result<Scalar, E> {
        Ok(Scalar::Int(value))
    }
    fn visit_u64<E: Error>(self, value: u64) -> Result<Scalar, E> {
        let value = i64::try_from(value);
        value.map(Scalar::Int).map_err(|_| {
            E::custom(
                "this number is too large for AMQP\nput it into quotes if it is meant as text",
            )
        })
    }
    fn visit_f64<E: Error>(self, value: f64) -> Result<Scalar, E> {
        Ok(Scalar::Float(value))
    }
    fn visit_str<E: Error>(self, value: &str) -> Result<Scalar, E> {
        Ok(Scalar::Text(value.to_owned()))
    }
}

impl fmt::Display for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Scalar::Null => Ok(()),
            Scalar::Bool(value) => write!(f, "{value}"),
            Scalar::Int(value) => write!(f, "{value}"),
            Scalar::Float(value) => write!(f, "{value}"),
            Scalar::Text(value) => f.write_str(value),
        }
    }
}
