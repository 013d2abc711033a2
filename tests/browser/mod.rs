//! A headless Chromium, driven through ChromeDriver as the WebDriver protocol says
//! (<https://www.w3.org/TR/webdriver2/>).

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

/// Where a W3C element's id is.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// One window. The browser and its driver end with this value.
pub struct Browser {
    driver: Child,
    session: String,
    client: reqwest::Client,
}

impl Browser {
    /// Opens the file.
    pub async fn open(page: &Path) -> Self {
        let mut driver = Command::new("chromedriver")
            .arg("--port=0")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| {
                panic!("cannot run chromedriver ({error}): scripts/browser installs it")
            });
        let mut lines = BufReader::new(driver.stdout.take().unwrap()).lines();
        // `ChromeDriver was started successfully on port 12345.`
        let port = lines.find_map(|line| {
            let line = line.ok()?;
            let (_, port) = line.split_once("successfully on port ")?;
            port.trim_end_matches('.').parse::<u16>().ok()
        });
        let port = port.expect("chromedriver says its port");
        let base = format!("http://127.0.0.1:{port}/session");
        let client =
            reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(60)).build().unwrap();
        let flags = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--window-size=1280,1400",
        ];
        let wanted = json!({ "capabilities": { "alwaysMatch": {
            "goog:chromeOptions": { "args": flags },
            "goog:loggingPrefs": { "browser": "ALL" },
        } } });
        let answer = client.post(&base).json(&wanted).send().await.unwrap();
        let answer: Value = answer.json().await.unwrap();
        let session = answer["value"]["sessionId"].as_str();
        let session = format!("{base}/{}", session.unwrap_or_else(|| panic!("{answer}")));
        let browser = Self { driver, session, client };
        let page = page.canonicalize().unwrap();
        browser.post("url", json!({ "url": format!("file://{}", page.display()) })).await;
        browser
    }

    /// What a function with this body returns.
    pub async fn run(&self, body: &str) -> Value {
        self.post("execute/sync", json!({ "script": body, "args": [] })).await
    }

    /// Moves the pointer to the first element that the selector finds.
    pub async fn point_at(&self, selector: &str) {
        let element = self.find(selector).await;
        self.act(
            json!([{ "type": "pointerMove", "duration": 0, "origin": element, "x": 0, "y": 0 }]),
        )
        .await;
    }

    /// And presses there.
    pub async fn click(&self, selector: &str) {
        let element = self.find(selector).await;
        let id = element[ELEMENT].as_str().unwrap().to_owned();
        self.post(&format!("element/{id}/click"), json!({})).await;
    }

    /// Presses a key, whoever has the focus; the codes are WebDriver's.
    pub async fn press(&self, key: &str) {
        let keys = json!([{ "type": "keyDown", "value": key }, { "type": "keyUp", "value": key }]);
        let actions = json!([{ "type": "key", "id": "keyboard", "actions": keys }]);
        self.post("actions", json!({ "actions": actions })).await;
    }

    /// Has the page believe this of its medium: `print`, or `prefers-color-scheme: dark`.
    pub async fn media(&self, medium: &str, scheme: &str) {
        let features = json!([{ "name": "prefers-color-scheme", "value": scheme }]);
        let params = json!({ "media": medium, "features": features });
        let command = json!({ "cmd": "Emulation.setEmulatedMedia", "params": params });
        self.post("goog/cdp/execute", command).await;
    }

    /// What the console of the page has that is an error or a warning.
    pub async fn complaints(&self) -> Vec<String> {
        let log = self.post("se/log", json!({ "type": "browser" })).await;
        let lines = log.as_array().unwrap().iter();
        let bad =
            lines.filter(|line| ["SEVERE", "WARNING"].contains(&line["level"].as_str().unwrap()));
        bad.map(|line| line["message"].to_string()).collect()
    }

    async fn find(&self, selector: &str) -> Value {
        self.post("element", json!({ "using": "css selector", "value": selector })).await
    }

    async fn act(&self, actions: Value) {
        let pointer = json!([{ "type": "pointer", "id": "mouse", "actions": actions }]);
        self.post("actions", json!({ "actions": pointer })).await;
    }

    async fn post(&self, path: &str, body: Value) -> Value {
        let url = format!("{}/{path}", self.session);
        let request = self.client.request(Method::POST, url).json(&body);
        let answer: Value = request.send().await.unwrap().json().await.unwrap();
        let value = &answer["value"];
        assert!(value.get("error").is_none(), "{path}: {} {}", value["error"], value["message"]);
        value.clone()
    }

    /// Ends the browser, and then its driver.
    pub async fn close(mut self) {
        let _ = self.client.delete(&self.session).send().await;
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

/// After a failure the driver is told to end, and ends its browser.
impl Drop for Browser {
    fn drop(&mut self) {
        if let Ok(None) = self.driver.try_wait() {
            let pid = rustix::process::Pid::from_child(&self.driver);
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
            let _ = self.driver.wait();
        }
    }
}
