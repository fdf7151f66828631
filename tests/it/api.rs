//! The query APIs as a script would use them.

use crate::server::Server;
use reqwest::StatusCode;
use serde_json::{Value, json};

/// A client of one server's HTTP APIs.
#[derive(Clone)]
pub(crate) struct Api {
    base: String,
    client: reqwest::Client,
}

impl Api {
    pub(crate) fn new(server: &Server) -> Self {
        Self {
            base: format!("http://{}", server.http),
            client: reqwest::Client::new(),
        }
    }

    pub(crate) fn url(&self) -> &str {
        &self.base
    }

    /// The JSON behind a path; fails the test unless the answer is 200.
    pub(crate) async fn get(&self, path: &str) -> Value {
        let answer = self
            .client
            .get(format!("{}{path}", self.base))
            .send()
            .await
            .expect("an answer");
        let (status, body) = (answer.status(), answer.text().await.expect("a body"));
        assert_eq!(status, StatusCode::OK, "GET {path}: {body}");
        serde_json::from_str(&body).unwrap_or_else(|error| panic!("GET {path}: {error}: {body}"))
    }

    /// The rows of a query, each an object of column to value.
    pub(crate) async fn sql(&self, query: &str) -> Vec<Value> {
        let request = self
            .client
            .post(format!("{}/api/v1/sql", self.base))
            .header("accept", "application/json")
            .json(&json!({ "query": query }));
        let answer = request.send().await.expect("an answer");
        let (status, body) = (answer.status(), answer.text().await.expect("a body"));
        assert_eq!(status, StatusCode::OK, "{query}: {body}");
        let body: Value = serde_json::from_str(&body).expect("JSON");
        body["rows"]
            .as_array()
            .unwrap_or_else(|| panic!("no rows in {body}"))
            .clone()
    }

    /// One number out of a query that gives one row.
    pub(crate) async fn count(&self, query: &str) -> u64 {
        let rows = self.sql(query).await;
        assert_eq!(rows.len(), 1, "{query}: {rows:?}");
        number(&rows[0], "n")
    }

    /// The sum of all samples of a metric whose labels contain `label`.
    pub(crate) async fn metric(&self, name: &str, label: &str) -> f64 {
        let text = self
            .client
            .get(format!("{}/metrics", self.base))
            .send()
            .await
            .expect("an answer");
        let text = text.error_for_status().expect("200").text().await.expect("a body");
        let samples = text
            .lines()
            .filter(|line| line.starts_with(name) && line.contains(label));
        samples
            .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
            .sum()
    }

    /// Every incident, open and resolved.
    pub(crate) async fn incidents(&self) -> Vec<Value> {
        self.get("/api/v1/incidents").await["incidents"]
            .as_array()
            .expect("a list of incidents")
            .clone()
    }
}

/// An integer of a row; 64-bit integers may come as text.
pub(crate) fn number(row: &Value, column: &str) -> u64 {
    let value = &row[column];
    value
        .as_u64()
        .or_else(|| value.as_str()?.parse().ok())
        .unwrap_or_else(|| panic!("no number {column} in {row}"))
}

/// The name of the first suspect of an incident.
pub(crate) fn culprit(incident: &Value) -> &str {
    incident["suspects"][0]["entity"]["name"].as_str().unwrap_or_default()
}
