//! The report for servers of continuous integration, as JUnit XML.
//!
//! One suite for each file; its cases are the variants, each with a case for its run and one for
//! each expectation. The class of a case is `scenario.variant`: Jenkins makes a page of each class,
//! below one for what stands before the last dot; GitLab shows it in the column beside the
//! case; GitHub's reporters group by suite and then by class. A suite for each variant would bury
//! the file, and GitLab does not show suites at all.
//!
//! An expectation that did not hold is a failure of its own case and of no other, so that the
//! number of failures is that of what went wrong. The case of the run fails over everything else:
//! what was unexpected or unexplained. What says nothing of the scenario is an error: the world
//! failed, a fault did not bite, the books do not balance. What was not judged is skipped.
//!
//! Only elements and attributes are used that the schema of Jenkins' xUnit plugin has
//! (junit-10.xsd), which is the strictest that is applied by a server; `cases` keeps to it.

mod cases;
#[cfg(test)]
mod tests;

use std::io;

use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesText, Event};

use crate::report::junit::cases::{Case, Outcome, Suite};
use crate::report::{Report, text};

type Xml = Writer<Vec<u8>>;

/// The whole document.
pub fn render(report: &Report) -> String {
    let mut xml = Writer::new_with_indent(Vec::new(), b' ', 2);
    document(&mut xml, report).expect("writing to memory does not fail");
    let mut text = String::from_utf8(xml.into_inner()).expect("only text was written");
    text.push('\n');
    text
}

fn document(xml: &mut Xml, report: &Report) -> io::Result<()> {
    xml.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    let suites = cases::suites(report);
    let sum = |of: fn(&Suite) -> usize| suites.iter().map(of).sum::<usize>().to_string();
    let ms = suites.iter().map(|suite| suite.ms).sum();
    xml.create_element("testsuites")
        .with_attribute(("name", "rmq-scenario"))
        .with_attribute(("tests", sum(|it| it.cases.len()).as_str()))
        .with_attribute(("failures", sum(Suite::failures).as_str()))
        .with_attribute(("errors", sum(Suite::errors).as_str()))
        .with_attribute(("time", seconds(ms).as_str()))
        .write_inner_content(|xml| suites.iter().try_for_each(|it| suite(xml, report, it)))?;
    Ok(())
}

fn suite(xml: &mut Xml, report: &Report, suite: &Suite) -> io::Result<()> {
    xml.create_element("testsuite")
        .with_attribute(("name", allowed(&suite.name).as_str()))
        .with_attribute(("tests", suite.cases.len().to_string().as_str()))
        .with_attribute(("failures", suite.failures().to_string().as_str()))
        .with_attribute(("errors", suite.errors().to_string().as_str()))
        .with_attribute(("skipped", suite.skipped().to_string().as_str()))
        .with_attribute(("time", seconds(suite.ms).as_str()))
        .with_attribute(("file", allowed(&suite.file).as_str()))
        .write_inner_content(|xml| {
            properties(xml, report)?;
            suite.cases.iter().try_for_each(|it| case(xml, it))
        })?;
    Ok(())
}

fn properties(xml: &mut Xml, report: &Report) -> io::Result<()> {
    let seed = report.seed.to_string();
    let all = [
        ("rmq-scenario", report.tool),
        ("rabbitmq", report.broker.version.as_str()),
        ("broker", report.broker.kind),
        ("seed", seed.as_str()),
    ];
    xml.create_element("properties").write_inner_content(|xml| {
        for (name, value) in all {
            let property = xml.create_element("property").with_attribute(("name", name));
            property.with_attribute(("value", allowed(value).as_str())).write_empty()?;
        }
        Ok(())
    })?;
    Ok(())
}

fn case(xml: &mut Xml, case: &Case) -> io::Result<()> {
    let element = xml
        .create_element("testcase")
        .with_attribute(("name", allowed(&case.name).as_str()))
        .with_attribute(("classname", allowed(&case.class).as_str()))
        .with_attribute(("time", seconds(case.ms).as_str()));
    if matches!(case.outcome, Outcome::Held) && case.told.is_empty() {
        element.write_empty()?;
        return Ok(());
    }
    element.write_inner_content(|xml| {
        outcome(xml, &case.outcome)?;
        match case.told.as_str() {
            "" => Ok(()),
            told => content(xml, "system-out", &[], told),
        }
    })?;
    Ok(())
}

fn outcome(xml: &mut Xml, outcome: &Outcome) -> io::Result<()> {
    match outcome {
        Outcome::Held => Ok(()),
        Outcome::Skipped { why } => content(xml, "skipped", &[("message", why)], ""),
        Outcome::Failure { kind, message, body } => {
            content(xml, "failure", &[("type", kind), ("message", message)], body)
        }
        Outcome::Error { kind, message, body } => {
            content(xml, "error", &[("type", kind), ("message", message)], body)
        }
    }
}

fn content(xml: &mut Xml, name: &str, attributes: &[(&str, &str)], body: &str) -> io::Result<()> {
    let mut element = xml.create_element(name);
    for (name, value) in attributes {
        // A line end in an attribute would come back as a space.
        element = element.with_attribute((*name, allowed(value).replace('\n', " ").as_str()));
    }
    match body {
        "" => element.write_empty()?,
        body => element.write_text_content(BytesText::new(&allowed(body)))?,
    };
    Ok(())
}

/// `text` without what no document of XML 1.0 may have, not even escaped (its production `Char`):
/// controls become visible pictures, and what is no character becomes U+FFFD.
fn allowed(text: &str) -> String {
    let picture = |c: char| match c {
        '\n' | '\t' => c,
        '\0'..='\u{1f}' => text::picture(c),
        '\u{fffe}' | '\u{ffff}' => '\u{fffd}',
        c => c,
    };
    text.chars().map(picture).collect()
}

/// A time as the schema writes it: seconds, with a point and no unit.
fn seconds(ms: u64) -> String {
    format!("{}.{:03}", ms / 1000, ms % 1000)
}
