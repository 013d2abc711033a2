//! Numbers and lists in sentences.

use crate::ledger::event::Micros;

/// `163 ms`, and tenths below 10 ms.
pub fn millis(at: Micros) -> String {
    if at < 10_000 {
        format!("{}.{} ms", at / 1000, at % 1000 / 100)
    } else {
        format!("{} ms", at / 1000)
    }
}

/// `1st`, `2nd`, `3rd`, `4th`.
pub fn number(n: u64) -> String {
    let ending = match (n % 10, n % 100) {
        (_, 11..=13) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    };
    format!("{n}{ending}")
}

/// One or many.
pub fn plural<'a>(n: u64, one: &'a str, many: &'a str) -> &'a str {
    if n == 1 { one } else { many }
}

/// `a`, `a and b`, `a, b and c`, `a, b, c and 2 more`.
pub fn list(items: &[String], shown: usize) -> String {
    let more = items.len().saturating_sub(shown);
    let head = &items[..items.len().min(shown)];
    match (head, more) {
        ([], _) => String::new(),
        (_, 1..) => format!("{} and {more} more", head.join(", ")),
        ([one], 0) => one.clone(),
        ([start @ .., last], 0) => format!("{} and {last}", start.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_as_people_say_them() {
        let said: Vec<String> = [1, 2, 3, 4, 11, 12, 13, 21, 102, 111].map(number).into();
        assert_eq!(
            said,
            ["1st", "2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "102nd", "111th"]
        );
        assert_eq!((millis(2_140), millis(163_900)), ("2.1 ms".to_owned(), "163 ms".to_owned()));
    }

    #[test]
    fn lists_end_with_and() {
        let items: Vec<String> = ["a", "b", "c", "d"].map(str::to_owned).into();
        assert_eq!(list(&items[..1], 5), "a");
        assert_eq!(list(&items[..2], 5), "a and b");
        assert_eq!(list(&items, 5), "a, b, c and d");
        assert_eq!(list(&items, 2), "a, b and 2 more");
    }
}
