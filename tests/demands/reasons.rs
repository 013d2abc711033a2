//! What must hold because of what a file says, and nothing without a reason.

use serde_json::Value;

use super::{Hearing, number};

/// Outcomes that a file must allow.
const ALLOWED: [&str; 6] =
    ["dead_lettered", "rejected", "over_limit", "expired", "dropped", "turned_away"];

impl Hearing<'_> {
    pub fn causes(&mut self) {
        self.same("unexpected", self.count("unexpected"), 0);
        for outcome in ["lost", "rejected", "over_limit", "expired", "dropped", "duplicates"] {
            let rows = self.rows("causes");
            let rows = rows.iter().filter(|row| row["outcome"] == outcome);
            let explained = rows.clone().map(|row| number(row, "count")).sum();
            // Every worker on a stream has its own duplicates; causes count copies.
            if outcome == "duplicates" && !self.drawn.streams.is_empty() {
                let holds = explained <= self.count(outcome);
                self.must(holds, format!("{explained} duplicates have causes"));
            } else {
                self.same(&format!("causes of {outcome}"), self.count(outcome), explained);
            }
            for row in rows {
                let causes = row["causes"].as_array().expect("a list");
                let known = |it: &Value| self.drawn.causes.iter().any(|cause| it == cause);
                let known = !causes.is_empty() && causes.iter().all(known);
                self.must(known, format!("no reason in the file: {row}"));
            }
        }
    }

    /// A copy leaves its queue only as the file allows.
    pub fn ways(&mut self) {
        for queue in self.rows("queues") {
            let name = queue["name"].as_str().expect("a name").to_owned();
            let group = name.split('-').next();
            let mut ways = self.drawn.ways.iter();
            let way = ways.find(|way| Some(&*way.queue) == group).expect("a queue of the file");
            let forbidden = ALLOWED.iter().filter(|name| !way.outcomes.contains(name));
            for outcome in forbidden {
                self.same(&format!("{outcome} of {name}"), number(&queue, outcome), 0);
            }
        }
    }

    /// Every request was answered, or not; and only requests were.
    pub fn answers(&mut self) {
        for producer in self.rows("producers") {
            let name = producer["name"].as_str().expect("a name");
            let group = name.split('-').next().expect("a part");
            let asked = match self.drawn.askers.iter().any(|asker| asker == group) {
                true => number(&producer, "published"),
                false => 0,
            };
            let heard = number(&producer, "replied") + number(&producer, "unanswered");
            self.same(&format!("requests of {name}"), asked, heard);
        }
    }

    /// What the file alone makes certain.
    pub fn promises(&mut self) {
        let drawn = self.drawn;
        // Of several doubts the report gives the first as its reason.
        let (cut, errors) = (drawn.deadline < 20_000, self.rows("errors"));
        self.must(cut || !self.is_cut(), "it never came to rest");
        let expected = |error: &Value| drawn.loses_connections && error["explained"] == true;
        let sound = !drawn.is_sound || errors.iter().all(expected);
        self.must(sound, format!("errors: {errors:?}"));
        if drawn.is_reachable {
            let doubts = self.count("in_doubt");
            self.same("in_doubt where nothing is in doubt", doubts.min(self.unsure()), doubts);
        }
        for queue in self.rows("queues") {
            if drawn.kept.iter().any(|name| queue["name"] == *name) {
                self.same(&format!("lost of {}", queue["name"]), number(&queue, "lost"), 0);
            }
        }
        if cut {
            return;
        }
        if let Some(published) = drawn.published {
            self.same("published", self.count("published"), published);
        }
        if drawn.is_answered {
            self.same("unconfirmed", self.count("unconfirmed"), 0);
        }
        if drawn.is_calm {
            self.calm();
        }
    }

    /// Nobody died or stopped, and no queue went.
    fn calm(&mut self) {
        let drawn = self.drawn;
        for name in ["lost", "duplicates", "in_doubt"] {
            self.same(&format!("{name} where nobody died"), self.count(name), 0);
        }
        if drawn.comes_once {
            for name in ["redelivered", "repeats"] {
                self.same(&format!("{name} where nobody died"), self.count(name), 0);
            }
        }
        for worker in self.rows("workers") {
            let [begun, finished, rejected] =
                ["begun", "finished", "rejected"].map(|it| number(&worker, it));
            let name = format!("works of {} begun and ended", worker["name"]);
            self.same(&name, begun, finished + rejected);
        }
        if drawn.flows {
            self.same("delivered of expected", self.count("delivered"), self.count("expected"));
        }
    }

    /// A copy is in doubt only where its publish is: at most so many for each queue.
    fn unsure(&self) -> u64 {
        self.count("unconfirmed") * self.rows("queues").len() as u64
    }
}
