//! The page of a real run, in a real browser: whoever sees only it can say which messages were
//! lost, where they were last seen, and why.
//!
//! One version of RabbitMQ is enough for this.

mod browser;
mod support;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use browser::Browser;
use serde_json::Value;
use support::{block_on, call};

/// Seven messages are lost with a worker that has been sent ten; with acks they come back.
const LESSON: &str = "
scenario: seven-lost
topology: { queues: [{ name: tasks }] }
vars: { ack: auto }
producers: [{ name: p, to: { queue: tasks }, messages: 20 }]
workers: [{ name: w, count: 2, queue: tasks, ack: $ack, work: 40ms }]
faults: [{ kill: w-1, during: 4 }]
variants:
  - { name: 'auto </script><b>', vars: { ack: auto }, expect: { lost: 7 } }
  - { name: manual, vars: { ack: manual }, expect: { lost: 0, delivered: 19 } }
";

/// Runs it: the folder with `page.html` and `events.ndjson`.
fn run(yaml: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("it.yaml"), yaml).unwrap();
    let words =
        ["run", "it.yaml", "--report", "html=page.html", "--report", "ndjson=events.ndjson"];
    let output = call(dir.path(), &words);
    assert!(output.status.code().is_some_and(|code| code < 2), "{output:?}");
    dir
}

/// The events of the first run.
fn events(dir: &Path) -> Vec<Value> {
    let text = fs::read_to_string(dir.join("events.ndjson")).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.filter(|line| line["run"] == 1).collect()
}

fn numbers(events: &[Value], event: &str) -> BTreeSet<u64> {
    let those = events.iter().filter(|line| line["event"] == event);
    those.map(|line| line["n"].as_u64().unwrap()).collect()
}

fn texts(value: &Value) -> Vec<&str> {
    value.as_array().unwrap().iter().map(|it| it.as_str().unwrap()).collect()
}

const ALL: &str =
    "const all = (path) => [...document.querySelectorAll(path)].map((it) => it.textContent);";

#[test]
fn whoever_sees_only_the_page_knows_which_messages_were_lost_where_and_why() {
    let dir = run(LESSON);
    let events = events(dir.path());
    let lost: BTreeSet<u64> =
        numbers(&events, "deliver").difference(&numbers(&events, "finish")).copied().collect();
    assert_eq!(lost.len(), 7);
    let as_text: Vec<String> = lost.iter().map(u64::to_string).collect();
    block_on(async {
        let browser = Browser::open(&dir.path().join("page.html")).await;
        let variant = "#run-1-1";
        // Without touching anything: the numbers, where they were, and the sentence.
        let chips =
            browser.run(&format!("{ALL} return all('{variant} ul.why .chips button')")).await;
        assert_eq!(texts(&chips), as_text);
        let crosses = format!("{ALL} return all('{variant} svg .lost + text')");
        assert_eq!(texts(&browser.run(&crosses).await), as_text);
        let why = browser.run(&format!("{ALL} return all('{variant} ul.why')")).await;
        assert!(texts(&why)[0].contains("worker") || texts(&why)[0].contains("w-1"), "{why}");
        assert!(texts(&why)[0].contains("killed in its 4th"), "{why}");
        let fault = browser.run(&format!("{ALL} return all('{variant} svg .fault text')")).await;
        assert_eq!(texts(&fault), ["kill w-1"]);

        // A count shows its messages, and only those.
        browser.click(&format!("{variant} [data-count=lost]")).await;
        let shown = "return [...new Set([...document.querySelectorAll('#run-1-1 svg .on')]\
                     .map((it) => it.dataset.m.split(':')[1]))]";
        assert_eq!(texts(&browser.run(shown).await), as_text);
        browser.press("\u{e00c}").await;
        assert_eq!(browser.run(shown).await.as_array().unwrap().len(), 0, "Esc shows all");

        // The pointer, the keyboard, and a click that keeps.
        let story = format!("return document.querySelector('{variant} .story').textContent");
        browser.point_at(&format!("{variant} svg .bar")).await;
        let first = browser.run(&story).await;
        assert!(first.as_str().unwrap().contains("published"), "{first}");
        assert!(first.as_str().unwrap().contains("delivered to w-"), "{first}");
        browser.run(&format!("document.querySelector('{variant} svg [tabindex]').focus()")).await;
        let begun = browser.run(&story).await;
        assert!(begun.as_str().unwrap().starts_with("message 1: "), "{begun}");
        browser.press("\u{e014}").await;
        let next = browser.run(&story).await;
        assert!(next.as_str().unwrap().starts_with("message 2: "), "{next}");
        let told = |n: u64| {
            let button = format!("#run-1-1 ul.why .chips button:nth-child({n})");
            (button, format!("message {}: lost (tasks: auto_ack)", as_text[n as usize - 1]))
        };
        let (button, words) = told(2);
        browser.click(&button).await;
        let kept = browser.run(&story).await;
        assert!(kept.as_str().unwrap().starts_with(&words), "{kept}");

        with_acks(&browser).await;
        dark_and_on_paper(&browser).await;
        let fetched = "return performance.getEntriesByType('resource').map((it) => it.name)";
        assert_eq!(texts(&browser.run(fetched).await), Vec::<&str>::new());
        assert_eq!(browser.complaints().await, Vec::<String>::new());
        let name = browser.run(&format!("{ALL} return all('#run-1-1 h2')")).await;
        assert_eq!(texts(&name), ["seven-lost · auto </script><b>"]);
        browser.close().await;
    });
}

async fn with_acks(browser: &Browser) {
    // With acks nothing is lost, and what came back is tied to its first delivery.
    let ties = "return document.querySelectorAll('#run-1-2 svg .tie').length";
    assert!(browser.run(ties).await.as_u64() >= Some(6));
    let none = "return document.querySelectorAll('#run-1-2 svg .lost').length";
    assert_eq!(browser.run(none).await, 0);
    let failed = browser.run(&format!("{ALL} return all('#run-1-2 td.fail + td')")).await;
    assert_eq!(texts(&failed), ["delivered"]);
}

async fn dark_and_on_paper(browser: &Browser) {
    let paper = "return getComputedStyle(document.body).backgroundColor";
    browser.media("screen", "dark").await;
    let dark = browser.run(paper).await;
    browser.media("screen", "light").await;
    assert_ne!(dark, browser.run(paper).await);
    browser.media("print", "light").await;
    let hidden = "return getComputedStyle(document.querySelector('.story')).display";
    assert_eq!(browser.run(hidden).await, "none");
}

/// More messages than can be drawn one by one.
#[test]
fn a_large_run_is_drawn_by_its_numbers_and_stays_small() {
    let dir = run("
scenario: load
topology: { queues: [{ name: q }] }
producers: [{ name: p, to: { queue: q }, messages: 20000, persistent: false }]
workers: [{ name: w, count: 2, queue: q, ack: auto, prefetch: 100 }]
faults: [{ kill: w-1, during: 5000 }]
");
    let page = dir.path().join("page.html");
    let size = fs::metadata(&page).unwrap().len();
    assert!(size < 1_000_000, "{size} bytes");
    block_on(async {
        let browser = Browser::open(&page).await;
        let drawn = "return ['.flow', '.ready', '.curve', '.fault'].map((it) => \
                     document.querySelectorAll(`svg ${it}`).length)";
        // One producer and two workers; nothing is unacked under automatic acks.
        let drawn = browser.run(drawn).await;
        assert_eq!(drawn, serde_json::json!([3, 1, 1, 1]));
        assert_eq!(browser.run("return document.querySelectorAll('svg .bar').length").await, 0);
        browser.click("[data-count=lost]").await;
        let story = browser.run("return document.querySelector('.story').textContent").await;
        assert!(story.as_str().unwrap().contains("lost: "), "{story}");
        assert_eq!(browser.complaints().await, Vec::<String>::new());
        browser.close().await;
    });
}

/// Nothing ran: the page says so.
#[test]
fn a_run_without_a_broker_leaves_a_page_too() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("it.yaml"), LESSON).unwrap();
    let words = ["run", "it.yaml", "--broker", "amqp://127.0.0.1:1", "--report", "html=page.html"];
    assert_eq!(call(dir.path(), &words).status.code(), Some(3));
    block_on(async {
        let browser = Browser::open(&dir.path().join("page.html")).await;
        let said = browser.run("return document.body.textContent").await;
        assert!(said.as_str().unwrap().contains("127.0.0.1:1"), "{said}");
        assert_eq!(browser.complaints().await, Vec::<String>::new());
        browser.close().await;
    });
}
