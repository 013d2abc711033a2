//! What the scalars take and what they refuse.

use super::*;

fn time(text: &str) -> Result<u128, String> {
    Time::parse(text).map(|time| time.0.as_micros())
}

#[test]
fn durations_have_a_unit_and_nothing_else() {
    for (text, micros) in [
        ("250ms", 250_000),
        ("1.5s", 1_500_000),
        ("2m", 120_000_000),
        ("0ms", 0),
        ("0.5ms", 500),
        ("1440m", 86_400_000_000),
    ] {
        assert_eq!(time(text), Ok(micros), "{text}");
    }
    for (text, message) in [
        ("50", "`50` has no unit; write 50ms, 50s or 50m"),
        ("5 s", "`5 s` has a space in it; write 5s"),
        ("5h", "`5h` has the unknown unit `h`; write 5ms, 5s or 5m"),
        ("5S", "`5S` has the unknown unit `S`; write 5ms, 5s or 5m"),
        ("-1s", "`-1s` is negative\na duration is 0 or more"),
        ("soon", "`soon` is not a duration\nwrite it like 250ms, 1.5s or 2m"),
        (".5s", "`.5s` is not a duration\nwrite it like 250ms, 1.5s or 2m"),
        ("1.s", "`1.s` is not a duration\nwrite it like 250ms, 1.5s or 2m"),
        ("1e3s", "`1e3s` has the unknown unit `e3s`; write 1ms, 1s or 1m"),
        ("1441m", "`1441m` is more than a day\nwrite at most 1440m"),
        (
            "99999999999999999999s",
            "`99999999999999999999s` is more than a day\nwrite at most 1440m",
        ),
    ] {
        assert_eq!(time(text), Err(message.to_owned()), "{text}");
    }
}

#[test]
fn sizes_rates_and_percentages_have_their_units() {
    assert_eq!(Size::parse("4KiB").map(|size| size.0), Ok(4096));
    assert_eq!(Size::parse("1MiB").map(|size| size.0), Ok(1 << 20));
    assert!(Size::parse("4kB").unwrap_err().contains("unknown unit `kB`"));
    assert!(Size::parse("1.5KiB").unwrap_err().contains("not a whole number"));
    assert!(Size::parse("513MiB").unwrap_err().contains("at most 512MiB"));
    assert_eq!(Rate::parse("50/s").map(|rate| rate.0), Ok(50.0));
    assert!(Rate::parse("50/m").unwrap_err().contains("unknown unit"));
    assert!(Rate::parse("0/s").unwrap_err().contains("too slow"));
    assert_eq!(Percent::parse("33.33%").map(|percent| percent.0), Ok(3333));
    assert!(Percent::parse("101%").unwrap_err().contains("more than 100%"));
}

#[test]
fn names_are_short_and_plain() {
    assert!(Name::parse(&"a".repeat(64)).is_ok());
    assert!(Name::parse(&"a".repeat(65)).unwrap_err().contains("65 characters"));
    assert!(Name::parse("a b").unwrap_err().contains("a space"));
    assert!(Name::parse("ä").unwrap_err().contains("`ä`"));
    assert!(Name::parse("").unwrap_err().contains("empty"));
}

#[test]
fn a_duration_is_shown_as_a_file_has_it() {
    for text in ["250ms", "1s", "90s", "1500ms", "0s"] {
        assert_eq!(Time::parse(text).unwrap().to_string(), text);
    }
}
