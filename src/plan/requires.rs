//! What the world must offer, and whether anything can.

use semver::{Comparator, Op, Version, VersionReq};

use crate::plan::model::Requires;
use crate::scenario::collect::Collector;
use crate::scenario::decode::Located;
use crate::scenario::file::File;
use crate::scenario::mistake::Mistake;

const FORMS: &str = "write it like \">=4.0\" or \">=3.10, <4.3\"";

/// The requirements of a variant; all mistakes are recorded.
pub fn plan(file: &File, found: &mut Collector) -> Requires {
    let Some(requires) = &file.requires else { return Requires::default() };
    Requires {
        rabbitmq: requires.rabbitmq.as_ref().and_then(|version| range(version, found)),
        nodes: requires.nodes.map(|nodes| nodes.value.0),
        management: requires.management.unwrap_or(false),
    }
}

fn range(text: &Located<String>, found: &mut Collector) -> Option<VersionReq> {
    let Ok(range) = VersionReq::parse(text) else {
        let message = format!("`{}` is not a range of versions", text.value);
        found.push(Mistake::new(text.at, message).help(FORMS));
        return None;
    };
    if !can_be_met(&range) {
        let message = format!("no version of RabbitMQ is `{}`", text.value);
        found.push(
            Mistake::new(text.at, message)
                .help("all parts of a range must hold together, as in \">=3.10, <4.3\""),
        );
        return None;
    }
    Some(range)
}

/// Whether some version is in the range. Each part of a range is true from a least version on,
/// so that what is in all parts begins at one of these.
fn can_be_met(range: &VersionReq) -> bool {
    let least = range.comparators.iter().map(least).chain([Version::new(0, 0, 0)]);
    least.into_iter().any(|version| range.matches(&version))
}

/// The least version that a part of a range takes.
fn least(part: &Comparator) -> Version {
    let (minor, patch) = (part.minor, part.patch);
    match (part.op, minor, patch) {
        (Op::Less | Op::LessEq, _, _) => Version::new(0, 0, 0),
        (Op::Greater, None, _) => Version::new(part.major.saturating_add(1), 0, 0),
        (Op::Greater, Some(minor), None) => Version::new(part.major, minor.saturating_add(1), 0),
        (Op::Greater, Some(minor), Some(patch)) => {
            Version::new(part.major, minor, patch.saturating_add(1))
        }
        _ => Version::new(part.major, minor.unwrap_or(0), patch.unwrap_or(0)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_with_nothing_in_it_is_found() {
        for (text, expected) in [
            (">=4.0", true),
            ("*", true),
            ("<4", true),
            (">3.10, <4", true),
            (">3, <4", false),
            (">3.10, <3.11", false),
            (">3.10.7, <3.10.9", true),
            (">3.10.8, <3.10.9", false),
            (">=5, <4", false),
            ("<0.0.0", false),
            ("=4.0, =4.3", false),
            ("4.0, <4.3", true),
            ("~4.0, >=4.1", false),
            ("^4, >=4.1", true),
            ("4.*, <=4.0", true),
            ("=4.1.0-rc.1", false),
        ] {
            let range = VersionReq::parse(text).unwrap();
            assert_eq!(can_be_met(&range), expected, "{text}");
        }
    }
}
