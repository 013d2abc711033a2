//! The body of a message: text with numbers and names filled in.

use std::io::Write as _;

/// A body as meant; variables are filled in already.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Template {
    pub parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    Text(String),
    /// The message's number, from 1.
    Number,
    /// As many `.` as the producer's `dots` says.
    Dots,
    /// The producer instance's name.
    Producer,
}

impl Template {
    /// Writes the body of message `n`, padded with spaces to `size` bytes.
    ///
    /// Padding has no dots, so it does not change how long a worker works on the message.
    pub fn render(&self, n: u64, dots: u64, producer: &str, size: Option<u64>, out: &mut Vec<u8>) {
        out.clear();
        for part in &self.parts {
            match part {
                Part::Text(text) => out.extend_from_slice(text.as_bytes()),
                Part::Number => write!(out, "{n}").expect("a vector takes every write"),
                Part::Dots => out.resize(out.len() + usize::try_from(dots).expect("checked"), b'.'),
                Part::Producer => out.extend_from_slice(producer.as_bytes()),
            }
        }
        let size = size.map_or(0, |size| usize::try_from(size).expect("checked by the plan"));
        if out.len() < size {
            out.resize(size, b' ');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_and_padding_are_written_in_order() {
        let template = Template {
            parts: vec![Part::Text("#".into()), Part::Number, Part::Dots, Part::Producer],
        };
        let mut out = Vec::new();
        template.render(12, 3, "p-1", Some(12), &mut out);
        assert_eq!(out, b"#12...p-1   ");
        template.render(12, 3, "p-1", Some(4), &mut out);
        assert_eq!(out, b"#12...p-1");
    }
}
