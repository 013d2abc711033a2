//! Any bytes as a scenario file: it is read and planned without a panic, and whatever is wrong with
//! it is said with a place.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rmq_scenario::plan::guarantees::{guarantees, reach};
use rmq_scenario::plan::{Options, load};
use rmq_scenario::scenario::Source;

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let lines = text.lines().count().max(1) + text.matches('\r').count();
    match load(Source::new("file.yaml", text), &Options::default()) {
        Err(mistakes) => {
            assert!(!mistakes.is_empty(), "it is refused, and nobody says why");
            for mistake in mistakes {
                let place = mistake.place.as_ref().expect("every mistake has a place");
                assert!((1..=lines + 1).contains(&place.line), "{place:?}");
                assert!(!mistake.render(false).is_empty());
            }
        }
        Ok(scenario) => {
            for warning in &scenario.warnings {
                assert!(warning.place.is_some(), "{warning:?}");
            }
            for variant in &scenario.variants {
                for guarantee in guarantees(variant) {
                    let range = guarantee.range;
                    assert!(range.high.is_none_or(|high| range.low <= high), "{guarantee:?}");
                }
                let _ = reach(variant);
            }
        }
    }
});
