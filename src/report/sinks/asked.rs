//! What `--report` asks for: which format, and where it goes.

use std::str::FromStr;

use crate::report::{Report, csv, json, junit, markdown, page};

/// `FORMAT=PATH` of the command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportArg {
    pub format: ReportFormat,
    /// `-` is the standard output.
    pub path: String,
}

/// The layouts that can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReportFormat {
    Json,
    Junit,
    Markdown,
    Csv,
    Html,
    Ndjson,
}

/// Half of a word may be wrong, and it is still told what was probably meant.
const LIKE: f64 = 0.5;

impl ReportFormat {
    pub const ALL: [Self; 6] =
        [Self::Json, Self::Junit, Self::Markdown, Self::Csv, Self::Html, Self::Ndjson];

    /// The word on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Junit => "junit",
            Self::Markdown => "markdown",
            Self::Csv => "csv",
            Self::Html => "html",
            Self::Ndjson => "ndjson",
        }
    }

    /// The whole text of a report, with its line end; `None` of what is streamed.
    pub fn render(self, report: &Report) -> Option<String> {
        match self {
            Self::Json => Some(json::render(report)),
            Self::Junit => Some(junit::render(report)),
            Self::Markdown => Some(markdown::render(report)),
            Self::Csv => Some(csv::render(report)),
            Self::Html => Some(page::render(report)),
            Self::Ndjson => None,
        }
    }

    /// Whether it is written after each variant; else only at the end.
    pub fn is_kept_up(self) -> bool {
        !matches!(self, Self::Html | Self::Ndjson)
    }
}

impl FromStr for ReportFormat {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        let all = Self::ALL.into_iter();
        if let Some(format) = all.clone().find(|format| format.name() == word) {
            return Ok(format);
        }
        let names: Vec<&str> = all.map(Self::name).collect();
        let meant = meant(word).map(|it| format!("; did you mean `{it}`?")).unwrap_or_default();
        Err(format!("there is no report format `{word}`; there are: {}{meant}", names.join(", ")))
    }
}

/// The format that the word is most like, or that others call so.
fn meant(word: &str) -> Option<&'static str> {
    let word = word.to_lowercase();
    match word.as_str() {
        "xml" | "xunit" => return Some(ReportFormat::Junit.name()),
        "htm" | "page" => return Some(ReportFormat::Html.name()),
        "jsonl" | "events" => return Some(ReportFormat::Ndjson.name()),
        "md" => return Some(ReportFormat::Markdown.name()),
        _ => {}
    }
    let names = ReportFormat::ALL.into_iter().map(ReportFormat::name);
    let alike = names.map(|name| (strsim::normalized_damerau_levenshtein(&word, name), name));
    let best = alike.max_by(|(one, _), (other, _)| one.total_cmp(other));
    best.filter(|(likeness, _)| *likeness >= LIKE).map(|(_, name)| name)
}

impl FromStr for ReportArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (format, path) = text
            .split_once('=')
            .ok_or("a report is asked for as FORMAT=PATH, such as json=report.json")?;
        let format = format.parse()?;
        match path {
            "" => Err("the path is missing; `-` is the standard output".to_owned()),
            path => Ok(Self { format, path: path.to_owned() }),
        }
    }
}

impl std::fmt::Display for ReportArg {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}={}", self.format.name(), self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_argument_is_checked() {
        let csv = ReportArg { format: ReportFormat::Csv, path: "a=b".to_owned() };
        assert_eq!("csv=a=b".parse(), Ok(csv.clone()));
        assert_eq!(csv.to_string(), "csv=a=b");
        let none = |word: &str, meant: &str| {
            let there_are = "there are: json, junit, markdown, csv, html, ndjson";
            format!("there is no report format `{word}`; {there_are}{meant}")
        };
        for (text, message) in [
            (
                "out.json",
                "a report is asked for as FORMAT=PATH, such as json=report.json".to_owned(),
            ),
            ("doc=x", none("doc", "")),
            ("jnuit=x", none("jnuit", "; did you mean `junit`?")),
            ("Json=x", none("Json", "; did you mean `json`?")),
            ("xml=x", none("xml", "; did you mean `junit`?")),
            ("md=x", none("md", "; did you mean `markdown`?")),
            ("=x", none("", "")),
            ("json=", "the path is missing; `-` is the standard output".to_owned()),
        ] {
            assert_eq!(text.parse::<ReportArg>(), Err(message));
        }
    }
}
