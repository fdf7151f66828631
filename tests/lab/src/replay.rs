//! A simulated run played live: its file is sent to a server in real time, every request when its newest span ended, all times
//! moved so that the run begins now. What a server makes of it can be held against the truth beside the file.

use anyhow::{Context, Result};
use epicenter_proto::Message;
use epicenter_proto::otlp::collector_trace::ExportTraceServiceRequest;
use epicenter_proto::otlp::collector_trace::trace_service_client::TraceServiceClient;
use epicenter_proto::otlp::trace::Span;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};
use tonic::transport::{Channel, Endpoint};

/// Bytes of one request.
const REQUEST_BYTES_MAX: u64 = 64 << 20;
/// Attempts at one request.
const ATTEMPTS: u32 = 5;

/// What was sent.
#[derive(Clone, Copy, Debug, Default)]
pub struct Replayed {
    /// Spans that the server took.
    pub spans: u64,
    /// Requests that it did not take, after several attempts.
    pub failed: u64,
    /// Nanoseconds by which all times were moved.
    pub moved_ns: u64,
}

/// Plays a file of length-delimited requests, zstd. `run_began` is when its simulation began, in the file's own time, and
/// `now` is the time that it shall have, both in nanoseconds since 1970.
///
/// # Errors
/// A file that cannot be read, or an endpoint that is no URL. A server that refuses is counted.
pub async fn replay(file: &Path, endpoint: &str, run_began: u64, now: u64) -> Result<Replayed> {
    let channel = Endpoint::from_shared(endpoint.to_owned())?
        .timeout(Duration::from_secs(10))
        .connect_lazy();
    let client = TraceServiceClient::new(channel);
    let opened = File::open(file).with_context(|| format!("could not open {}", file.display()))?;
    let mut input = BufReader::new(zstd::stream::read::Decoder::new(opened)?);
    let mut done = Replayed {
        moved_ns: now.saturating_sub(run_began),
        ..Replayed::default()
    };
    let begun = Instant::now();
    while let Some(mut request) = next(&mut input)? {
        let mut newest = 0;
        for_each_span(&mut request, |span| {
            newest = newest.max(span.end_time_unix_nano);
            span.start_time_unix_nano += done.moved_ns;
            span.end_time_unix_nano += done.moved_ns;
            for event in &mut span.events {
                event.time_unix_nano += done.moved_ns;
            }
            done.spans += 1;
        });
        sleep_until(begun + Duration::from_nanos(newest.saturating_sub(run_began))).await;
        if !send(&client, &request).await {
            done.failed += 1;
            for_each_span(&mut request, |_| done.spans -= 1);
        }
    }
    Ok(done)
}

fn for_each_span(request: &mut ExportTraceServiceRequest, work: impl FnMut(&mut Span)) {
    let resources = request.resource_spans.iter_mut();
    let scopes = resources.flat_map(|resource| &mut resource.scope_spans);
    scopes.flat_map(|scope| &mut scope.spans).for_each(work);
}

async fn send(client: &TraceServiceClient<Channel>, request: &ExportTraceServiceRequest) -> bool {
    for attempt in 0..ATTEMPTS {
        if client.clone().export(request.clone()).await.is_ok() {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(100 << attempt)).await;
    }
    false
}

/// The next request; `None` at the end of the file.
fn next(input: &mut impl Read) -> Result<Option<ExportTraceServiceRequest>> {
    let mut length = 0_u64;
    for shift in (0..35).step_by(7) {
        let mut byte = [0];
        if input.read(&mut byte)? == 0 {
            return Ok(None);
        }
        length |= u64::from(byte[0] & 0x7f) << shift;
        if byte[0] & 0x80 == 0 {
            break;
        }
    }
    let mut bytes = Vec::new();
    input.take(length.min(REQUEST_BYTES_MAX)).read_to_end(&mut bytes)?;
    Ok(Some(ExportTraceServiceRequest::decode(bytes.as_slice())?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use epicenter_proto::otlp::collector_trace::ExportTraceServiceResponse;
    use epicenter_proto::otlp::collector_trace::trace_service_server::{TraceService, TraceServiceServer};
    use epicenter_proto::otlp::trace::{ResourceSpans, ScopeSpans};
    use std::io::Write;
    use std::sync::{Arc, Mutex};
    use tonic::{Request, Response, Status, async_trait};

    /// Ends of the spans that came in.
    #[derive(Clone, Default)]
    struct Heard(Arc<Mutex<Vec<u64>>>);

    #[async_trait]
    impl TraceService for Heard {
        async fn export(
            &self,
            request: Request<ExportTraceServiceRequest>,
        ) -> Result<Response<ExportTraceServiceResponse>, Status> {
            let mut heard = self.0.lock().expect("not poisoned");
            for_each_span(&mut request.into_inner(), |span| heard.push(span.end_time_unix_nano));
            Ok(Response::new(ExportTraceServiceResponse::default()))
        }
    }

    fn request(end: u64) -> ExportTraceServiceRequest {
        let span = Span {
            end_time_unix_nano: end,
            ..Span::default()
        };
        ExportTraceServiceRequest {
            resource_spans: vec![ResourceSpans {
                scope_spans: vec![ScopeSpans {
                    spans: vec![span],
                    ..ScopeSpans::default()
                }],
                ..ResourceSpans::default()
            }],
        }
    }

    #[tokio::test]
    async fn everything_is_sent_in_time_with_its_times_moved() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("spans");
        let mut file = zstd::stream::write::Encoder::new(File::create(&path).expect("a file"), 1).expect("zstd");
        for end in [1_000, 1_000 + 120_000_000] {
            file.write_all(&request(end).encode_length_delimited_to_vec())
                .expect("written");
        }
        file.finish().expect("written");

        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let endpoint = format!("http://{}", listener.local_addr().expect("an address"));
        let heard = Heard::default();
        let server = tonic::transport::Server::builder().add_service(TraceServiceServer::new(heard.clone()));
        let serving = tokio::spawn(server.serve_with_incoming(tonic::transport::server::TcpIncoming::from(listener)));
        let begun = Instant::now();
        let done = replay(&path, &endpoint, 1_000, 5_000).await.expect("played");
        serving.abort();
        assert!(begun.elapsed() >= Duration::from_millis(120));
        assert_eq!((done.spans, done.failed, done.moved_ns), (2, 0, 4_000));
        assert_eq!(*heard.0.lock().expect("not poisoned"), [5_000, 5_000 + 120_000_000]);
    }
}
