//! The topology as a tree for a terminal: from whoever publishes down to whoever consumes.

use crate::report::plan::graph::{Graph, Kind, Node, Way};
use crate::report::text::{paragraph, visible};

/// The lines of the drawing, each at most `width` columns wide where names allow it.
pub fn draw(graph: &Graph, width: usize) -> String {
    let mut drawing =
        Drawing { graph, width, seen: vec![false; graph.nodes.len()], text: String::new() };
    let roots = |drawing: &Drawing<'_>, kind: Kind| -> Vec<usize> {
        let fed = |node: usize| graph.edges.iter().any(|edge| edge.to == node);
        let all = 0..graph.nodes.len();
        let open = |node: &usize| graph.nodes[*node].kind == kind && !drawing.seen[*node];
        all.filter(open).filter(|node| kind != Kind::Exchange || !fed(*node)).collect()
    };
    for kind in [Kind::Producer, Kind::Exchange, Kind::Queue, Kind::Exchange, Kind::Worker] {
        for root in roots(&drawing, kind) {
            if !drawing.seen[root] {
                drawing.line("", "", root, "");
                drawing.below("", root);
            }
        }
    }
    drawing.text
}

struct Drawing<'g> {
    graph: &'g Graph,
    width: usize,
    seen: Vec<bool>,
    text: String,
}

impl Drawing<'_> {
    fn below(&mut self, indent: &str, node: usize) {
        let graph = self.graph;
        let edges: Vec<_> = graph.edges.iter().filter(|edge| edge.from == node).collect();
        for (index, edge) in edges.iter().enumerate() {
            let last = index + 1 == edges.len();
            let (fork, rest) = if last { ("└─", "   ") } else { ("├─", "│  ") };
            let label = match (edge.way, &*edge.label) {
                (Way::Usual, "") => String::new(),
                (Way::Usual, label) => format!("{label} → "),
                (Way::Alternate, _) => "else → ".to_owned(),
                (Way::DeadLetters, "") => "dead letters → ".to_owned(),
                (Way::DeadLetters, label) => format!("dead letters, {label} → "),
            };
            let seen = self.seen[edge.to];
            self.line(&format!("{indent}{fork} "), &format!("{indent}{rest}"), edge.to, &label);
            if !seen {
                self.below(&format!("{indent}{rest}"), edge.to);
            }
        }
    }

    fn line(&mut self, first: &str, rest: &str, node: usize, label: &str) {
        let Node { name, details, kind } = &self.graph.nodes[node];
        let again = std::mem::replace(&mut self.seen[node], true);
        let said = match (again, kind) {
            (true, Kind::Worker) => format!("{label}{name}"),
            (true, _) => format!("{label}{name} (above)"),
            (false, _) => format!("{label}{name} · {details}"),
        };
        let room = self.width.saturating_sub(first.chars().count()).max(20);
        let text = paragraph(&visible(&said), room, 0, 2);
        for (index, line) in text.lines().enumerate() {
            let head = if index == 0 { first } else { rest };
            self.text += &format!("{head}{line}\n");
        }
    }
}
