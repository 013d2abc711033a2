//! A question to the management API, which can be put to one node after another.

use std::time::Duration;

use reqwest::{Client, Method, RequestBuilder};
use serde_json::Value;

/// What is asked, wherever that will be.
pub(crate) struct Question {
    method: Method,
    path: String,
    body: Option<Value>,
    header: Option<(&'static str, &'static str)>,
    patience: Option<Duration>,
}

impl Question {
    /// `path` is that below `/api/`.
    pub fn new(method: Method, path: &str) -> Self {
        Self { method, path: path.to_owned(), body: None, header: None, patience: None }
    }

    pub fn path(&self) -> &str {
        &self.path
    }

    pub fn json(self, body: Value) -> Self {
        Self { body: Some(body), ..self }
    }

    pub fn header(self, name: &'static str, value: &'static str) -> Self {
        Self { header: Some((name, value)), ..self }
    }

    /// Instead of the client's.
    pub fn timeout(self, patience: Duration) -> Self {
        Self { patience: Some(patience), ..self }
    }

    /// The question to one node, which may take no longer than `patience`.
    pub fn request(
        &self,
        client: &Client,
        url: &str,
        patience: Option<Duration>,
    ) -> RequestBuilder {
        let mut request = client.request(self.method.clone(), url);
        if let Some(body) = &self.body {
            request = request.json(body);
        }
        if let Some((name, value)) = self.header {
            request = request.header(name, value);
        }
        match self.patience.into_iter().chain(patience).min() {
            Some(patience) => request.timeout(patience),
            None => request,
        }
    }
}
