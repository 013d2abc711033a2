//! A part that is changed at one place, in a scenario that includes it: the reader answers, and
//! every mistake has its place in the file that it is in.

use rmq_scenario::diagnostic::{Diagnostic, Severity};
use rmq_scenario::plan::{Options, look};
use rmq_scenario::scenario::Source;
use rmq_scenario::scenario::include::{Found, Shelf, Trouble};

use crate::golden::right;
use crate::mutation::{changed, changes, misplaced_in, ways, written};
use crate::reading;

/// A scenario that has what the part leaves to it, and uses what the part has.
const SCENARIO: &str = "\
scenario: t
include: part.yaml
vars: { flag: true, ack: manual, zz_none: null, zz_number: 5 }
topology: { queues: [{ name: own }], bindings: [{ from: extras, to: own }] }
workers: [{ name: own_worker, queue: extra }]
expect: { queues: { extra: { lost: 0 } }, workers: { extra_worker: { finished: 5 } } }
";
const HANDS: &str = "part: hands\nvars: { hands: 2 }\ntopology: { queues: [{ name: by_hand }] }\n";

/// The mistakes of the scenario with this part.
fn mistakes(part: &str) -> Vec<Diagnostic> {
    let mut read = |path: &str, _: &str| {
        let text = match path {
            "part.yaml" => part,
            "parts/hands.yaml" => HANDS,
            _ => return Err(Trouble::Unreadable("it is not there".to_owned(), String::new())),
        };
        Ok(Found { source: Source::new(path, text), identity: path.to_owned() })
    };
    let shelf = Shelf { identity: "t.yaml".to_owned(), read: &mut read };
    let mut said = look(Source::new("t.yaml", SCENARIO), &Options::default(), shelf);
    said.retain(|said| said.severity == Severity::Error);
    said
}

/// What is said of it without the right place.
fn complaint(part: &str) -> Option<String> {
    mistakes(part).iter().find_map(|mistake| {
        let text = match mistake.place.as_ref().map(|place| place.file.as_str()) {
            Some("t.yaml") => SCENARIO,
            Some("part.yaml") => part,
            _ => HANDS,
        };
        misplaced_in(std::slice::from_ref(mistake), text)
    })
}

#[test]
fn every_change_of_a_part_is_answered_in_the_right_file() {
    let (_, text) = right().into_iter().find(|(name, _)| name == "part").expect("it is there");
    let tree = reading::tree(&text).expect("it is YAML");
    let found = mistakes(&written(&tree));
    let found: Vec<String> = found.iter().map(|mistake| mistake.render(false)).collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
    let (mut count, mut complaints) = (0, Vec::new());
    for (way, name) in ways(&tree) {
        for change in changes() {
            count += 1;
            let text = written(&changed(tree.clone(), &way, &change));
            complaints.extend(complaint(&text).map(|it| format!("{name}, {change:?}: {it}")));
        }
    }
    assert!(count > 1000, "{count} changes");
    assert!(complaints.is_empty(), "{} of {count}:\n{}", complaints.len(), complaints.join("\n"));
}
