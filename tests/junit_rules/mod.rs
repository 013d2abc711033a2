//! What a server of continuous integration accepts as JUnit XML: the elements, their order and
//! their attributes as junit-10.xsd of Jenkins' xUnit plugin has them, narrowed to what is written
//! here, and that the numbers of a suite are those of its cases. The reader of XML is not ours.

// Each test program uses a part of this.
#![allow(dead_code)]

use std::collections::HashSet;

use roxmltree::{Document, Node};

/// An element: what it may contain, the attributes that it must have and those that it may have.
type Rule =
    (&'static str, &'static [&'static str], &'static [&'static str], &'static [&'static str]);

const RULES: [Rule; 9] = [
    ("testsuites", &["testsuite"], &["name", "tests", "failures", "errors", "time"], &[]),
    (
        "testsuite",
        &["properties", "testcase"],
        &["name", "tests", "failures", "errors", "skipped", "time"],
        &["file"],
    ),
    ("properties", &["property"], &[], &[]),
    ("property", &[], &["name", "value"], &[]),
    (
        "testcase",
        &["skipped", "error", "failure", "system-out"],
        &["name", "classname", "time"],
        &[],
    ),
    ("failure", &[], &["type", "message"], &[]),
    ("error", &[], &["type", "message"], &[]),
    ("skipped", &[], &["message"], &[]),
    ("system-out", &[], &[], &[]),
];

/// Elements that contain text; others contain none but spaces.
const TEXTS: [&str; 3] = ["failure", "error", "system-out"];

/// Everything that is wrong with a document.
pub fn complaints(text: &str) -> Vec<String> {
    let document = match Document::parse(text) {
        Ok(document) => document,
        Err(error) => return vec![format!("it is no XML: {error}")],
    };
    let root = document.root_element();
    let mut found = Vec::new();
    if root.tag_name().name() != "testsuites" {
        found.push(format!("the root is {}", root.tag_name().name()));
    }
    root.descendants().filter(Node::is_element).for_each(|node| look(node, &mut found));
    count(root, &mut found);
    for suite in children(root, "testsuite") {
        count(suite, &mut found);
    }
    let mut seen = HashSet::new();
    for case in root.descendants().filter(|node| node.has_tag_name("testcase")) {
        if !seen.insert((case.attribute("classname"), case.attribute("name"))) {
            found.push(format!("two cases are called {:?}", case.attribute("name")));
        }
        let outcomes = ["skipped", "error", "failure"].iter();
        if outcomes.map(|name| children(case, name).count()).sum::<usize>() > 1 {
            found.push("a case has two outcomes".to_owned());
        }
    }
    found
}

fn look(node: Node, found: &mut Vec<String>) {
    let name = node.tag_name().name();
    let Some((_, inside, must, may)) = RULES.iter().find(|(known, ..)| *known == name) else {
        return found.push(format!("there is no element {name}"));
    };
    for child in node.children().filter(Node::is_element) {
        if !inside.contains(&child.tag_name().name()) {
            found.push(format!("{} inside of {name}", child.tag_name().name()));
        }
    }
    let bare = node.children().filter(Node::is_text).all(|it| it.text().is_none_or(is_blank));
    if !bare && !TEXTS.contains(&name) {
        found.push(format!("text inside of {name}"));
    }
    found.extend(
        must.iter().filter(|it| !node.has_attribute(**it)).map(|it| format!("{name} has no {it}")),
    );
    for attribute in node.attributes() {
        if !must.contains(&attribute.name()) && !may.contains(&attribute.name()) {
            found.push(format!("{name} has {}", attribute.name()));
        }
    }
    for attribute in ["tests", "failures", "errors", "skipped"] {
        if node.attribute(attribute).is_some_and(|it| it.parse::<u32>().is_err()) {
            found.push(format!("{attribute} of {name} is no number"));
        }
    }
    if node.attribute("time").is_some_and(|it| !is_time(it)) {
        found.push(format!("the time of {name} is no time"));
    }
}

fn is_blank(text: &str) -> bool {
    text.trim().is_empty()
}

/// Seconds with three digits behind the point.
fn is_time(text: &str) -> bool {
    let digits = |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_digit());
    text.split_once('.')
        .is_some_and(|(whole, part)| digits(whole) && digits(part) && part.len() == 3)
}

fn children<'a>(node: Node<'a, 'a>, name: &'a str) -> impl Iterator<Item = Node<'a, 'a>> {
    node.children().filter(move |child| child.has_tag_name(name))
}

/// The numbers of a suite, or of all of them, against its cases.
fn count(node: Node, found: &mut Vec<String>) {
    for (attribute, element) in [
        ("tests", "testcase"),
        ("failures", "failure"),
        ("errors", "error"),
        ("skipped", "skipped"),
    ] {
        let real = node.descendants().filter(|it| it.has_tag_name(element)).count();
        if node.attribute(attribute).is_some_and(|said| said != real.to_string()) {
            found.push(format!("{attribute} is not {real}"));
        }
    }
}
