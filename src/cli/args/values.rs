//! Values of options that several commands have.

use std::str::FromStr;

use clap::ValueEnum;

use crate::report::progress::Mode;
use crate::report::style::ColorChoice;

/// `NAME=VALUE`. The value is read as a scalar of YAML, as it would be in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    pub name: String,
    pub value: String,
}

impl FromStr for Setting {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, value) = text.split_once('=').ok_or("write NAME=VALUE, such as ack=auto")?;
        if name.is_empty() {
            return Err("the name of the variable is missing before `=`".to_owned());
        }
        Ok(Self { name: name.to_owned(), value: value.to_owned() })
    }
}

/// How `run` shows how far it is, on the standard error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Shown {
    /// A picture on a terminal, lines elsewhere
    Auto,
    /// A line when something happens, and one each ten seconds
    Plain,
    /// The same for programs: an object on each line
    Json,
    /// Nothing
    None,
}

impl Shown {
    /// How a run does it; one that is quiet does it only where that is asked for.
    pub fn mode(self, quiet: bool) -> Mode {
        match self {
            Shown::Auto if quiet => Mode::Silent,
            Shown::Auto => Mode::detect(),
            Shown::Plain => Mode::Plain,
            Shown::Json => Mode::Json,
            Shown::None => Mode::Silent,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal, unless NO_COLOR is set
    Auto,
    Always,
    Never,
}

impl From<Color> for ColorChoice {
    fn from(color: Color) -> Self {
        match color {
            Color::Auto => ColorChoice::Auto,
            Color::Always => ColorChoice::Always,
            Color::Never => ColorChoice::Never,
        }
    }
}
