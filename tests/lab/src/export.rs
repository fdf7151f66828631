//! Every copy of a service has an exporter that sends what it has gathered every few seconds, and dies with its copy.

use crate::spans::text;
use crate::world::{Pod, Running, World};
use epicenter_proto::otlp::collector_trace::ExportTraceServiceRequest;
use epicenter_proto::otlp::collector_trace::trace_service_client::TraceServiceClient;
use epicenter_proto::otlp::common::InstrumentationScope;
use epicenter_proto::otlp::resource::Resource;
use epicenter_proto::otlp::trace::{ResourceSpans, ScopeSpans};
use std::sync::Arc;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tonic::transport::{Channel, Endpoint};

/// How often an exporter sends.
const EVERY: Duration = Duration::from_secs(2);
/// Attempts at one request; what cannot be sent then is dropped and counted.
const ATTEMPTS: u32 = 3;

/// Connections to the server, shared by all exporters.
pub(crate) struct Exporter {
    client: TraceServiceClient<Channel>,
    /// Nanoseconds since 1970 at which the simulation's clock began.
    epoch_ns: u64,
}

impl Exporter {
    pub(crate) fn new(endpoint: &str, epoch_ns: u64) -> anyhow::Result<Self> {
        let channel = Endpoint::from_shared(endpoint.to_owned())?
            .timeout(Duration::from_secs(10))
            .connect_lazy();
        Ok(Self {
            client: TraceServiceClient::new(channel),
            epoch_ns,
        })
    }

    /// Sends the spans of every copy of a service, each in its turn of the interval, for as long as it is polled.
    pub(crate) async fn run(&self, world: Arc<World>, service: usize, report: impl Fn(String)) {
        let mut tick = tokio::time::interval(EVERY);
        let mut quiet = true;
        loop {
            tick.tick().await;
            let running = &world.services[service];
            for pod in &running.pods {
                let Some(request) = request(running, pod, self.epoch_ns) else {
                    continue;
                };
                let spans: usize = request
                    .resource_spans
                    .iter()
                    .flat_map(|r| &r.scope_spans)
                    .map(|s| s.spans.len())
                    .sum();
                match self.send(request).await {
                    Ok(()) => quiet = true,
                    Err(status) => {
                        pod.dropped.fetch_add(spans as u64, Ordering::Relaxed);
                        if std::mem::replace(&mut quiet, false) {
                            report(format!("{} spans could not be sent: {}", spans, status.message()));
                        }
                    }
                }
            }
        }
    }

    async fn send(&self, request: ExportTraceServiceRequest) -> Result<(), tonic::Status> {
        let mut pause = Duration::from_millis(200);
        let mut attempt = 1;
        loop {
            match self.client.clone().export(request.clone()).await {
                Ok(_) => return Ok(()),
                Err(status) if attempt >= ATTEMPTS => return Err(status),
                Err(_) => tokio::time::sleep(pause).await,
            }
            attempt += 1;
            pause *= 2;
        }
    }
}

/// What a copy has to send: `None` when that is nothing.
pub(crate) fn request(running: &Running, pod: &Pod, epoch_ns: u64) -> Option<ExportTraceServiceRequest> {
    let mut spans = pod.take_spans();
    if spans.is_empty() {
        return None;
    }
    for span in &mut spans {
        span.start_time_unix_nano += epoch_ns;
        span.end_time_unix_nano += epoch_ns;
    }
    let version = pod.version.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let attributes = vec![
        text("service.name", &running.service.name),
        text("service.version", &version),
        text("service.instance.id", &pod.name),
        text("k8s.namespace.name", "shop"),
        text("k8s.pod.name", &pod.name),
        text("k8s.node.name", &pod.node),
    ];
    let scope = InstrumentationScope {
        name: "epicenter-lab".to_owned(),
        ..InstrumentationScope::default()
    };
    let scope_spans = ScopeSpans {
        scope: Some(scope),
        spans,
        ..ScopeSpans::default()
    };
    let resource = Resource {
        attributes,
        ..Resource::default()
    };
    let resource_spans = ResourceSpans {
        resource: Some(resource),
        scope_spans: vec![scope_spans],
        ..ResourceSpans::default()
    };
    Some(ExportTraceServiceRequest {
        resource_spans: vec![resource_spans],
    })
}
