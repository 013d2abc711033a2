//! Somebody else's broker, played by the shared node: its users, what is on it, who gets in.

use reqwest::Method;
use rmq_scenario::broker::{Broker, BrokerError, Choice, Kind};
use serde_json::{Value, json};

use super::{as_external, node, program};

/// The management API of the shared node, as its administrator.
pub async fn api(method: Method, path: &str, body: Value) -> Value {
    let facts = node().await.facts().unwrap();
    let url = format!("{}/api/{path}", super::management().await);
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let request = client.request(method, url).basic_auth(&facts.user, Some(&facts.password));
    let answer = request.json(&body).send().await.unwrap();
    let (status, text) = (answer.status(), answer.text().await.unwrap());
    assert!(status.is_success(), "{path}: {status} {text}");
    serde_json::from_str(&text).unwrap_or(Value::Null)
}

/// The names of all `kind` (`vhosts`, `queues`, `exchanges`) that contain `part`.
pub async fn names(kind: &str, part: &str) -> Vec<String> {
    let all = api(Method::GET, &format!("{kind}?disable_stats=true"), json!({})).await;
    let names = all.as_array().unwrap().iter().map(|entry| entry["name"].as_str().unwrap());
    names.filter(|name| name.contains(part)).map(str::to_owned).collect()
}

/// Makes a user with a tag (or none) and one pattern as all three permissions in `/`.
pub async fn make_user(name: &str, tags: &str, pattern: Option<&str>) {
    let body = json!({ "password": "s3cret-word", "tags": tags });
    api(Method::PUT, &format!("users/{name}"), body).await;
    if let Some(it) = pattern {
        let body = json!({ "configure": it, "write": it, "read": it });
        api(Method::PUT, &format!("permissions/%2F/{name}"), body).await;
    }
}

pub async fn administrator() -> Choice {
    let facts = node().await.facts().unwrap();
    as_external(&facts.user, &facts.password, "%2F").await
}

/// Opens, expects an error of this kind that says and advises this, and shows no password.
#[track_caller]
pub fn refused(opened: Result<Broker, BrokerError>, kind: Kind, says: &str, advises: &str) {
    let error = opened.expect_err("it opened");
    let shown = format!("{error:?} {:?}", error.diagnostic());
    assert_eq!(error.kind, kind, "{shown}");
    assert!(error.message.contains(says), "{says:?} in {shown}");
    assert!(
        error.help.as_ref().is_some_and(|help| help.contains(advises)),
        "{advises:?} in {shown}"
    );
    assert!(!shown.contains("s3cret-word"), "{shown}");
    assert!(!error.message.contains('\n'), "{shown}");
    assert_eq!(error.is_usage(), kind == Kind::Usage);
}

pub async fn open(choice: Choice) -> Result<Broker, BrokerError> {
    Broker::open(choice, program()).await
}
