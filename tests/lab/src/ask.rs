//! Questions to a running server, timed: what looking for a trace costs, and how soon a span that was acknowledged is seen.

use anyhow::{Context, ensure};
use bytes::Bytes;
use reqwest::{Client, StatusCode, Url};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::time::{Duration, Instant};

/// Looks for a span that was acknowledged, at most.
const LOOKS_MAX: u32 = 10_000;
/// Keys of which one is asked for: addresses, which have many values.
const OWN_KEYS: [&str; 3] = ["url.path", "url.full", "http.url"];
/// Largest number of traces drawn.
pub const SAMPLES_MAX: usize = 1_000;

/// A trace that is known to be there, and a span of it to ask for.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Sample {
    /// 32 hexadecimal digits.
    pub trace_id: String,
    /// Service, operation, duration and an attribute of one of its spans.
    pub service: String,
    /// Name of the span.
    pub operation: String,
    /// Nanoseconds.
    pub duration_ns: i64,
    /// An attribute that few spans share.
    pub key: String,
    /// Its value.
    pub value: String,
}

/// Asks one server.
#[derive(Clone, Debug)]
pub struct Asker {
    client: Client,
    api: String,
}

impl Asker {
    /// `endpoint` such as `http://127.0.0.1:4319`.
    ///
    /// # Errors
    /// When there can be no client.
    pub fn new(endpoint: &str) -> anyhow::Result<Self> {
        Ok(Self {
            client: Client::builder().build()?,
            api: format!("{endpoint}/api/v1"),
        })
    }

    async fn get(&self, path: &str, query: &[(&str, &str)]) -> anyhow::Result<(StatusCode, Bytes)> {
        let url = Url::parse_with_params(&format!("{}{path}", self.api), query)?;
        let answer = self.client.get(url).send().await?;
        let status = answer.status();
        Ok((status, answer.bytes().await?))
    }

    /// The answer to a question that must succeed, and how long it took.
    async fn timed(&self, path: &str, query: &[(&str, &str)]) -> anyhow::Result<(Value, Duration)> {
        let begun = Instant::now();
        let (status, body) = self.get(path, query).await?;
        let took = begun.elapsed();
        ensure!(
            status == StatusCode::OK,
            "{path}: {status}: {}",
            String::from_utf8_lossy(&body)
        );
        Ok((serde_json::from_slice(&body)?, took))
    }

    /// The answer to a question in SQL.
    ///
    /// # Errors
    /// A server that does not answer.
    pub async fn sql(&self, query: &str) -> anyhow::Result<Value> {
        let body = serde_json::json!({ "query": query }).to_string();
        let request = self.client.post(format!("{}/sql", self.api)).body(body);
        let answer = request.header("content-type", "application/json").send().await?;
        let answer = answer.error_for_status()?.bytes().await?;
        Ok(serde_json::from_slice(&answer)?)
    }

    /// Traces drawn evenly over the time that is kept.
    ///
    /// # Errors
    /// A server that does not answer, or holds nothing.
    pub async fn sample(&self, count: usize) -> anyhow::Result<Vec<Sample>> {
        ensure!((1..=SAMPLES_MAX).contains(&count), "1 to {SAMPLES_MAX} samples");
        let query =
            "SELECT CAST(min(start_time) AS BIGINT) AS first, CAST(max(start_time) AS BIGINT) AS last FROM spans";
        let answer = self.sql(query).await?;
        let time = |name: &str| answer["rows"][0][name].as_i64().context("no spans");
        let (first, last) = (time("first")?, time("last")?);
        let mut samples = Vec::new();
        for number in 0..count as i64 {
            let end = first + (last - first) / count as i64 * (number + 1);
            let found = self
                .timed("/traces", &[("end", &end.to_string()), ("limit", "1")])
                .await?
                .0;
            let id = found["traces"][0]["trace_id"]
                .as_str()
                .context("no trace before that time")?;
            let trace = self.timed(&format!("/traces/{id}"), &[]).await?.0;
            samples.push(sample_of(id, &trace, number as usize).context("a trace without attributes")?);
        }
        Ok(samples)
    }

    /// How long a trace takes by its id, each sample once.
    ///
    /// # Errors
    /// A trace that is not found.
    pub async fn traces(&self, samples: &[Sample]) -> anyhow::Result<Vec<Duration>> {
        let mut times = Vec::new();
        for sample in samples {
            let (trace, took) = self.timed(&format!("/traces/{}", sample.trace_id), &[]).await?;
            ensure!(trace["span_count"].as_u64() > Some(0), "{} is gone", sample.trace_id);
            times.push(took);
        }
        Ok(times)
    }

    /// How long a search takes, each sample once; what was sampled must be found by it.
    ///
    /// # Errors
    /// A search that finds nothing.
    pub async fn search(&self, samples: &[Sample], by: By) -> anyhow::Result<Vec<Duration>> {
        let mut times = Vec::new();
        for sample in samples {
            let attribute = format!("{}={}", sample.key, sample.value);
            let shortest = format!("{}ns", sample.duration_ns);
            let all = [
                ("attribute", attribute.as_str()),
                ("service", &sample.service),
                ("operation", &sample.operation),
                ("status", "ok"),
                ("min_duration", &shortest),
            ];
            let query = match by {
                By::Service => &all[1..2],
                By::Attribute => &all[..1],
                By::Everything => &all[..],
            };
            let (found, took) = self.timed("/traces", query).await?;
            let traces = found["traces"].as_array().context("no list of traces")?;
            let is_there = traces.iter().any(|trace| trace["trace_id"] == sample.trace_id.as_str());
            ensure!(
                !traces.is_empty() && (is_there || traces.len() == 20),
                "{query:?} does not find {}",
                sample.trace_id
            );
            times.push(took);
        }
        Ok(times)
    }

    /// How long after its acknowledgement a request's trace is seen by an other connection.
    ///
    /// # Errors
    /// A request that is not acknowledged, or not seen.
    pub async fn visible(&self, otlp_http: &str, payload: Bytes, trace_id: &str) -> anyhow::Result<Duration> {
        let request = self.client.post(format!("{otlp_http}/v1/traces"));
        let request = request.header("content-type", "application/x-protobuf").body(payload);
        let answer = request.send().await?;
        ensure!(
            answer.status() == StatusCode::OK,
            "not acknowledged: {}",
            answer.status()
        );
        let begun = Instant::now();
        for _ in 0..LOOKS_MAX {
            if self.get(&format!("/traces/{trace_id}"), &[]).await?.0 == StatusCode::OK {
                return Ok(begun.elapsed());
            }
        }
        anyhow::bail!("{trace_id} was acknowledged and is not seen")
    }
}

/// What a search asks for.
#[derive(Clone, Copy, Debug)]
pub enum By {
    /// The service alone: much is found.
    Service,
    /// An attribute that few spans have.
    Attribute,
    /// Service, operation, attribute, status and duration.
    Everything,
}

fn sample_of(id: &str, trace: &Value, number: usize) -> Option<Sample> {
    let spans = trace["spans"].as_array()?;
    let well: Vec<&Value> = spans.iter().filter(|span| span["error"] == false).collect();
    let span = well.get(number % well.len().max(1))?;
    let mut texts = span["attributes"].as_array()?.iter().filter_map(|pair| {
        let value = pair["value"]["stringValue"].as_str()?;
        Some((pair["key"].as_str()?, value))
    });
    let (key, value) = texts.find(|(key, _)| OWN_KEYS.contains(key))?;
    Some(Sample {
        trace_id: id.to_owned(),
        service: span["service"].as_str()?.to_owned(),
        operation: span["name"].as_str()?.to_owned(),
        duration_ns: span["duration_ns"].as_str()?.parse().ok()?,
        key: key.to_owned(),
        value: value.to_owned(),
    })
}

/// The time that a share of the times is not above.
pub fn quantile(times: &mut [Duration], share: f64) -> Duration {
    times.sort_unstable();
    let index = (times.len() as f64 * share) as usize;
    times
        .get(index.min(times.len().saturating_sub(1)))
        .copied()
        .unwrap_or_default()
}
