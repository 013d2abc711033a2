//! The topology in the languages of drawing programs: Graphviz and Mermaid.

use crate::report::plan::graph::{Graph, Kind, Way};

/// A digraph for `dot`.
pub fn graphviz(name: &str, graph: &Graph) -> String {
    let mut text =
        format!("digraph {} {{\n  rankdir=LR;\n  node [fontname=\"sans-serif\"];\n", quoted(name));
    for (index, node) in graph.nodes.iter().enumerate() {
        let shape = match node.kind {
            Kind::Producer | Kind::Worker => "oval",
            Kind::Exchange => "hexagon",
            Kind::Queue => "box",
        };
        let label = format!("{}\n{}", node.name, node.details);
        text += &format!("  n{index} [shape={shape}, label={}];\n", quoted(&label));
    }
    for edge in &graph.edges {
        let style = if edge.way == Way::Usual { "solid" } else { "dashed" };
        let label = quoted(&label(edge.way, &edge.label));
        text += &format!("  n{} -> n{} [style={style}, label={label}];\n", edge.from, edge.to);
    }
    text + "}\n"
}

/// A flowchart for Mermaid.
pub fn mermaid(name: &str, graph: &Graph) -> String {
    let mut text = format!("---\ntitle: {}\n---\nflowchart LR\n", quoted(name));
    for (index, node) in graph.nodes.iter().enumerate() {
        let label = format!("{}<br/>{}", entities(&node.name), entities(&node.details));
        let (open, close) = match node.kind {
            Kind::Producer | Kind::Worker => ("([", "])"),
            Kind::Exchange => ("{{", "}}"),
            Kind::Queue => ("[", "]"),
        };
        text += &format!("  n{index}{open}\"{label}\"{close}\n");
    }
    for edge in &graph.edges {
        let arrow = if edge.way == Way::Usual { "-->" } else { "-.->" };
        let label = label(edge.way, &edge.label);
        let label =
            if label.is_empty() { String::new() } else { format!("|\"{}\"|", entities(&label)) };
        text += &format!("  n{} {arrow}{label} n{}\n", edge.from, edge.to);
    }
    text
}

fn label(way: Way, label: &str) -> String {
    match (way, label) {
        (Way::Usual, label) => label.to_owned(),
        (Way::Alternate, _) => "else".to_owned(),
        (Way::DeadLetters, "") => "dead letters".to_owned(),
        (Way::DeadLetters, label) => format!("dead letters, {label}"),
    }
}

/// A text in quotes, as Graphviz and YAML read it.
fn quoted(text: &str) -> String {
    let text = text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    format!("\"{text}\"")
}

/// A text without a character that Mermaid would read as its own.
fn entities(text: &str) -> String {
    let entity = |letter: char| match letter {
        '"' | '#' | '<' | '>' | '&' | '`' | '|' => format!("#{};", u32::from(letter)),
        letter => letter.to_string(),
    };
    text.chars().map(entity).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_breaks_out_of_its_quotes() {
        assert_eq!(quoted("a\"b\\c\nd"), r#""a\"b\\c\nd""#);
        assert_eq!(entities("#.<x>\""), "#35;.#60;x#62;#34;");
    }
}
