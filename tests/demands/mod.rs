//! What must hold of the report on any run, whatever happened in it, and what must hold of it
//! because of what its file says. Read from the JSON alone.

mod doubts;
mod reasons;

use serde_json::Value;

use crate::drawn::Drawn;

const COPY_OUTCOMES: [&str; 10] = [
    "delivered",
    "dead_lettered",
    "rejected",
    "over_limit",
    "expired",
    "dropped",
    "remaining",
    "turned_away",
    "in_doubt",
    "lost",
];
const PUBLISH_OUTCOMES: [&str; 4] = ["confirmed", "refused", "unconfirmed", "unchecked"];
const PUBLISHES: [&str; 4] = ["published", "republished", "returned", "unroutable"];
const SEEN: [&str; 5] = ["deliveries", "begun", "finished", "redelivered", "repeats"];

/// The report on one variant, and what is wrong with it.
struct Hearing<'r> {
    report: &'r Value,
    drawn: &'r Drawn,
    complaints: Vec<String>,
}

/// Everything about the report on a drawn file that must not be; empty when all is well.
pub fn complaints(drawn: &Drawn, scenario: &Value) -> Vec<String> {
    let report = &scenario["variants"][0];
    if !report.is_object() {
        return vec!["there is no report".to_owned()];
    }
    let mut hearing = Hearing { report, drawn, complaints: Vec::new() };
    hearing.sums();
    hearing.order_of_magnitude();
    hearing.causes();
    hearing.ways();
    hearing.answers();
    hearing.verdict(&scenario["verdict"]);
    hearing.promises();
    hearing.guarantees();
    hearing.doubts();
    hearing.complaints
}

/// What became of a file, in one line.
pub fn line(scenario: &Value) -> String {
    let report = &scenario["variants"][0];
    let all = ["published", "expected", "duplicates", "repeats"];
    let shown = all.iter().chain(&COPY_OUTCOMES).filter(|name| report["counts"][**name] != 0);
    let numbers: Vec<String> =
        shown.map(|name| format!("{name} {}", report["counts"][*name])).collect();
    let (name, verdict) = (&scenario["scenario"], &scenario["verdict"]);
    let took = &report["duration_ms"];
    format!("{name} {verdict} {took} ms {} {}", numbers.join(" "), report["reason"])
}

fn number(row: &Value, name: &str) -> u64 {
    row[name].as_u64().unwrap_or_else(|| panic!("no number {name} in {row}"))
}

fn sum(row: &Value, names: &[&str]) -> u64 {
    names.iter().map(|name| number(row, name)).sum()
}

impl Hearing<'_> {
    fn rows(&self, list: &str) -> Vec<Value> {
        self.report[list].as_array().unwrap_or_else(|| panic!("no list {list}")).clone()
    }

    fn count(&self, name: &str) -> u64 {
        number(&self.report["counts"], name)
    }

    fn is_cut(&self) -> bool {
        self.report["reason"].as_str().is_some_and(|reason| reason.contains("cut at its deadline"))
    }

    fn must(&mut self, holds: bool, what: impl Into<String>) {
        if !holds {
            self.complaints.push(what.into());
        }
    }

    fn same(&mut self, what: &str, left: u64, right: u64) {
        self.must(left == right, format!("{what}: {left} and {right} should be the same"));
    }

    /// Each copy and each publish has exactly one outcome, and totals are sums.
    fn sums(&mut self) {
        for queue in self.rows("queues") {
            let outcomes = sum(&queue, &COPY_OUTCOMES);
            self.same(
                &format!("expected of {}", queue["name"]),
                number(&queue, "expected"),
                outcomes,
            );
        }
        for producer in self.rows("producers") {
            let outcomes = sum(&producer, &PUBLISH_OUTCOMES);
            let name = format!("published of {}", producer["name"]);
            self.same(&name, number(&producer, "published"), outcomes);
        }
        let queues = ["expected", "still_queued", "duplicates"];
        self.totals("queues", &[&COPY_OUTCOMES[..], &queues, &SEEN].concat());
        self.totals("workers", &[&SEEN[..], &["acked"]].concat());
        let all = [&COPY_OUTCOMES[..], &PUBLISH_OUTCOMES, &PUBLISHES].concat();
        self.totals("producers", &all);
    }

    fn totals(&mut self, list: &str, names: &[&str]) {
        for name in names {
            let total = self.rows(list).iter().map(|row| number(row, name)).sum();
            self.same(&format!("{name} of all and of {list}"), self.count(name), total);
        }
    }

    /// What cannot be more than something else.
    fn order_of_magnitude(&mut self) {
        for worker in self.rows("workers") {
            let [read, begun, finished] =
                ["deliveries", "begun", "finished"].map(|it| number(&worker, it));
            self.must(read >= begun && begun >= finished, format!("{worker} did what it cannot"));
            self.must(
                begun <= finished + number(&worker, "rejected") + 1
                    || worker["died"] == true
                    || self.has_more_lives(&worker)
                    || self.is_cut(),
                format!("{worker} left several works"),
            );
            self.must(number(&worker, "acked") <= read, format!("{worker} acked too much"));
        }
        for queue in self.rows("queues") {
            let it = |name: &str| number(&queue, name);
            // A stream shows everything to everybody, and flags nothing.
            let stream = self.drawn.streams.iter().any(|name| queue["name"] == *name);
            // What is published twice comes twice, and no flag says so.
            let again = self.count("republished");
            let holds = it("delivered") <= it("finished")
                && it("remaining") <= it("still_queued")
                && it("still_queued") <= it("expected")
                && (stream
                    || it("duplicates") <= it("delivered")
                        && it("delivered") + it("duplicates") <= it("finished")
                        && it("repeats") <= it("redelivered") + again
                        && it("deliveries") - it("repeats") <= it("expected"));
            self.must(holds, format!("{queue} is impossible"));
        }
        for row in self.rows("producers") {
            let holds = number(&row, "returned") <= number(&row, "unroutable");
            self.must(holds, format!("{row} had more returned than could be"));
        }
    }

    /// Whether a worker may have been restarted, or may have connected again.
    fn has_more_lives(&self, worker: &Value) -> bool {
        let label = format!("kill {}", worker["name"].as_str().unwrap_or_default());
        self.drawn.loses_connections
            || self.rows("faults").iter().any(|it| it["fault"] == label && it["fired"] == true)
    }

    /// Nothing is outside what the plan foretold.
    fn guarantees(&mut self) {
        for row in self.rows("guarantees") {
            self.must(row["held"] != false, format!("the plan foretold something else: {row}"));
        }
    }

    /// The verdict follows from the rest of the report.
    fn verdict(&mut self, of_file: &Value) {
        let unexplained = |row: &Value| {
            let mut causes = row["causes"].as_array().expect("a list").iter();
            causes.any(|cause| cause == "unexplained")
        };
        let fails = self.rows("errors").iter().any(|row| row["explained"] == false)
            || self.rows("expectations").iter().any(|row| row["held"] == false)
            || self.rows("causes").iter().any(unexplained);
        let reason = self.report["reason"].as_str().unwrap_or_default().to_owned();
        let verdict = self.report["verdict"].as_str().unwrap_or_default().to_owned();
        self.must(verdict == of_file.as_str().unwrap_or_default(), "verdicts differ");
        let misses = self.rows("faults").iter().any(|row| row["bit"] == false);
        match &*verdict {
            "pass" => self.must(!fails, "it passed all the same"),
            "fail" => self.must(fails, format!("nothing failed, and yet: {reason}")),
            "inconclusive" => {
                let undrained = !self.drawn.is_reachable && reason.contains("could not be drained");
                let doubt = misses || self.is_cut() || undrained;
                self.must(!fails && doubt, format!("no reason for a doubt: {reason}"));
            }
            other => self.must(false, format!("the verdict is {other}: {reason}")),
        }
        let held = self.rows("expectations").iter().all(|row| row["held"] != false);
        self.must(held, "an expectation did not hold");
    }
}
