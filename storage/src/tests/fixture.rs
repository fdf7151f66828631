//! A store in a temporary folder, spans that are a function of a seed, and parts that can be told to fail.

use crate::log::{Disk, Files, SegmentFile};
use crate::open::Parts;
use crate::table::Objects;
use crate::{Clock, Config, Decoder, Service, Store};
use async_trait::async_trait;
use bytes::Bytes;
use datafusion::arrow::array::{Array, AsArray};
use datafusion::prelude::SessionContext;
use epicenter_proto::Message;
use epicenter_proto::otlp::common::{AnyValue, ArrayValue, KeyValue, any_value::Value};
use epicenter_proto::otlp::trace::{
    Span,
    span::{Event, Link},
};
use epicenter_schema::{FlatBatch, LinkRow, RawValue, ResourceRow, SpanBatch, SpanBatchBuilder, SpanRow, Timestamp};
use futures::stream::BoxStream;
use object_store::path::Path as ObjectPath;
use object_store::{
    CopyOptions, Error as ObjectError, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result as ObjectResult,
};
use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering::SeqCst};
use std::time::Duration;
use tempfile::TempDir;

/// Spans of one trace: they lie in one request or in neighbouring ones.
pub(super) const TRACE_SPANS: u64 = 4;

/// A payload stands for `count` spans from number `first` on: both numbers, then the Span message of each span with what
/// is nested in it, behind its length.
pub(super) fn payload(first: u64, count: u64) -> Bytes {
    let mut bytes = first.to_le_bytes().to_vec();
    bytes.extend(count.to_le_bytes());
    for number in first..first + count {
        let message = nested(number).encode_to_vec();
        bytes.extend((message.len() as u32).to_le_bytes());
        bytes.extend(message);
    }
    bytes.into()
}

/// The flat columns of the spans of a payload.
pub(super) fn decode(payload: &[u8]) -> FlatBatch {
    let word = |at: usize| u64::from_le_bytes(payload[at..at + 8].try_into().expect("8 bytes"));
    let (first, count) = (word(0), word(8));
    let mut at = 16;
    let mut messages = Vec::new();
    for _ in 0..count {
        let length = u32::from_le_bytes(payload[at..at + 4].try_into().expect("4 bytes"));
        messages.push((at as u32 + 4, length));
        at += 4 + length as usize;
    }
    FlatBatch::new(build(first, count, false), messages)
}

/// What is nested in a span, as OTLP has it; [`spans`] has the same as columns.
fn nested(number: u64) -> Span {
    let odd = number % 2 == 1;
    let pair = |key: &str, value: Option<Value>| KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue { value }),
        ..KeyValue::default()
    };
    let text = |key: &str, text: &str| pair(key, Some(Value::StringValue(text.to_owned())));
    Span {
        attributes: vec![
            pair("number", Some(Value::IntValue(number as i64))),
            pair(
                "ratio",
                Some(Value::DoubleValue(if odd { f64::NEG_INFINITY } else { -0.0 })),
            ),
            text("text", &number.to_string()),
            pair("yes", Some(Value::BoolValue(odd))),
            pair("raw", Some(Value::BytesValue(vec![0, 255, number as u8]))),
            pair("list", Some(Value::ArrayValue(ArrayValue::default()))),
            pair("nothing", None),
            text("text", "again"),
        ],
        events: if odd {
            vec![Event {
                time_unix_nano: number,
                name: "exception".to_owned(),
                attributes: vec![text("exception.type", "Timeout")],
                dropped_attributes_count: 2,
            }]
        } else {
            Vec::new()
        },
        links: if odd {
            vec![Link {
                trace_id: trace_id(number + 1).to_vec(),
                span_id: number.to_be_bytes().to_vec(),
                trace_state: "a=b".to_owned(),
                attributes: vec![text("why", "batch")],
                dropped_attributes_count: 1,
                flags: 3,
            }]
        } else {
            Vec::new()
        },
        ..Span::default()
    }
}

pub(super) fn trace_id(number: u64) -> [u8; 16] {
    // Spread, as real ids are.
    let id = u128::from(number / TRACE_SPANS + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835);
    id.to_be_bytes()
}

/// Spans of which every column is used by some.
pub(super) fn spans(first: u64, count: u64) -> SpanBatch {
    build(first, count, true)
}

fn build(first: u64, count: u64, with_nested: bool) -> SpanBatch {
    let mut builder = SpanBatchBuilder::with_capacity(count as usize);
    for number in first..first + count {
        let service = format!("service-{}", number % 3);
        let odd = number % 2 == 1;
        builder.set_resource(&ResourceRow {
            service_name: service.as_bytes(),
            service_namespace: odd.then_some(b"shop"),
            service_version: Some(b"1.2.3"),
            instance: Some(b"pod-7"),
            node: odd.then_some(b"node-1"),
            zone: None,
            json: format!(
                r#"{{"resource":{{"attributes":[{{"key":"shard","value":{{"intValue":"{}"}}}}]}}}}"#,
                number % 3
            )
            .as_bytes(),
        });
        builder.set_scope(b"{\"scope\":{\"name\":\"lib\"}}");
        if with_nested {
            push_nested(&mut builder, number);
        }
        builder.commit(&SpanRow {
            trace_id: trace_id(number),
            span_id: (number + 1).to_be_bytes(),
            parent_span_id: odd.then(|| number.to_be_bytes()),
            trace_state: if odd { b"vendor=1" } else { b"" },
            flags: 0x101,
            name: if odd { b"GET /cart" } else { b"SELECT" },
            kind: (number % 6) as i32,
            start_time: start_of(number),
            duration_ns: (number as i64 - 5) * 1_000,
            status_code: (number % 3) as i32,
            status_message: if odd { b"deadline exceeded" } else { b"" },
            error: odd,
            error_logged: odd,
            protocol: odd.then_some(b"http"),
            peer_kind: odd.then_some(b"service"),
            peer: odd.then_some(b"cart"),
            peer_system: (!odd).then_some(b"mysql"),
            http_method: odd.then_some(b"GET"),
            http_route: odd.then_some(b"/cart"),
            http_status_code: odd.then_some(504),
            rpc_service: (!odd).then_some(b"Cart"),
            rpc_method: (!odd).then_some(b"Get"),
            grpc_status_code: (!odd).then_some(4),
            messaging_destination: (!odd).then_some(b"orders"),
            error_type: odd.then_some(b"Timeout"),
            dropped_attributes_count: 1,
            dropped_events_count: 2,
            dropped_links_count: 3,
        });
    }
    builder.finish().expect("all text is text")
}

fn push_nested(builder: &mut SpanBatchBuilder, number: u64) {
    let odd = number % 2 == 1;
    builder.attribute(b"number", RawValue::Int(number as i64));
    builder.attribute(b"ratio", RawValue::Double(if odd { f64::NEG_INFINITY } else { -0.0 }));
    builder.attribute(b"text", RawValue::String(number.to_string().as_bytes()));
    builder.attribute(b"yes", RawValue::Bool(odd));
    builder.attribute(b"raw", RawValue::Bytes(&[0, 255, number as u8]));
    builder.attribute(b"list", RawValue::Json(b"{\"arrayValue\":{\"values\":[]}}"));
    builder.attribute(b"nothing", RawValue::Empty);
    builder.attribute(b"text", RawValue::String(b"again"));
    if odd {
        builder.event_attribute(b"exception.type", RawValue::String(b"Timeout"));
        builder.event(number as i64, b"exception", 2);
        builder.link_attribute(b"why", RawValue::String(b"batch"));
        builder.link(&LinkRow {
            trace_id: trace_id(number + 1),
            span_id: number.to_be_bytes(),
            trace_state: b"a=b",
            dropped_attributes_count: 1,
            flags: 3,
        });
    }
}

/// A second apart.
pub(super) fn start_of(number: u64) -> i64 {
    1_700_000_000_000_000_000 + number as i64 * 1_000_000_000
}

/// A folder, a clock, and how to open a store there.
pub(super) struct Lab {
    pub(super) dir: TempDir,
    pub(super) now: Arc<AtomicI64>,
    pub(super) config: Config,
    pub(super) log_segment_bytes: u64,
    pub(super) faults: Arc<Faults>,
    /// Where the table lies that this lab shares with others; none: in its own folder.
    pub(super) shared: Option<std::path::PathBuf>,
}

impl Lab {
    pub(super) fn new() -> Self {
        Self {
            dir: TempDir::new().expect("a temporary folder"),
            now: Arc::new(AtomicI64::new(1_700_000_000_000_000_000)),
            config: Config {
                seal_after: Duration::from_millis(100),
                ..Config::default()
            },
            log_segment_bytes: 64 << 20,
            faults: Arc::default(),
            shared: None,
        }
    }

    /// A store of its own folder and log that shares the table in `table`.
    pub(super) fn sharing(table: &Path) -> Self {
        Self {
            shared: Some(table.to_owned()),
            ..Self::new()
        }
    }

    pub(super) async fn try_open(&self) -> Result<(Store, Service), crate::Error> {
        let now = Arc::clone(&self.now);
        let clock: Clock = Arc::new(move || Timestamp(now.load(SeqCst)));
        let decoder: Decoder = Arc::new(|payload| Ok(decode(payload)));
        let faults = Arc::clone(&self.faults);
        let shared = self.shared.clone();
        let parts = Parts {
            files: Arc::new(FaultyFiles(Arc::clone(&self.faults))),
            log_segment_bytes: self.log_segment_bytes,
            wrap_objects: Box::new(move |objects: Objects| {
                let objects = match shared {
                    Some(table) => Objects::local(&table).expect("a folder").as_shared(),
                    None => objects,
                };
                objects.through(|inner| Arc::new(FaultyObjects { inner, faults }))
            }),
        };
        let config = self.config.clone();
        config.build_with(self.dir.path(), decoder, clock, parts).await
    }

    pub(super) async fn open(&self) -> (Store, Service) {
        self.try_open().await.expect("the store opens")
    }

    /// Segment files in the log's folder, sorted.
    pub(super) fn log_files(&self) -> Vec<std::path::PathBuf> {
        let mut files = files_in(&self.dir.path().join("log"));
        files.retain(|path| path.extension().is_some_and(|ending| ending == "log"));
        files
    }

    /// Parquet files of the table, sorted.
    pub(super) fn table_files(&self) -> Vec<std::path::PathBuf> {
        files_in(&self.dir.path().join("table").join("segments"))
    }
}

fn files_in(dir: &Path) -> Vec<std::path::PathBuf> {
    let Ok(entries) = std::fs::read_dir(dir) else {
        return Vec::new();
    };
    let mut files: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.sort();
    files
}

/// Appends spans `first..first + count` as one request.
pub(super) async fn append(store: &Store, first: u64, count: u64) -> Result<(), crate::AppendError> {
    let payload = payload(first, count);
    let spans = decode(&payload);
    store.append(payload, spans).await
}

/// Appends a span with these attributes, of the given lengths, and no others.
pub(super) async fn append_texts(
    store: &Store,
    number: u64,
    texts: impl Iterator<Item = (String, usize)>,
) -> Result<(), crate::AppendError> {
    let attributes = texts.map(|(key, length)| KeyValue {
        key,
        value: Some(AnyValue {
            value: Some(Value::StringValue("x".repeat(length))),
        }),
        ..KeyValue::default()
    });
    let span = Span {
        attributes: attributes.collect(),
        ..Span::default()
    };
    let message = span.encode_to_vec();
    let mut payload = number.to_le_bytes().to_vec();
    payload.extend(1u64.to_le_bytes());
    payload.extend((message.len() as u32).to_le_bytes());
    payload.extend(message);
    let spans = decode(&payload);
    store.append(payload.into(), spans).await
}

/// Seals everything that is unsealed.
pub(super) async fn seal_all(store: &Store, service: &mut Service) -> Result<(), crate::Error> {
    while {
        let ripe = store.inner.view.ripe(Some(std::time::Instant::now()));
        service.seal(ripe).await?
    } {}
    Ok(())
}

/// The numbers of all spans that a scan returns, sorted.
pub(super) async fn numbers(store: &Store) -> Vec<u64> {
    query(store, "select span_id from spans order by span_id").await
}

/// The numbers of the spans that a query for `span_id` returns, in its order.
pub(super) async fn query(store: &Store, sql: &str) -> Vec<u64> {
    let session = session(store);
    let batches = session.sql(sql).await.expect("plans").collect().await.expect("runs");
    let ids = batches.iter().flat_map(|batch| {
        let ids = batch.column(0).as_fixed_size_binary().clone();
        (0..ids.len()).map(move |row| u64::from_be_bytes(ids.value(row).try_into().expect("8 bytes")) - 1)
    });
    ids.collect()
}

pub(super) fn session(store: &Store) -> SessionContext {
    let session = SessionContext::new();
    session
        .register_table("spans", store.table_provider())
        .expect("registers");
    session
}

/// What is to fail, until it is told otherwise.
#[derive(Default, Debug)]
pub(super) struct Faults {
    /// Writes of the log write half and fail.
    pub(super) write: AtomicBool,
    /// Syncs of the log fail, after everything was written.
    pub(super) sync: AtomicBool,
    /// Failed writes cannot be cut off either.
    pub(super) truncate: AtomicBool,
    /// No file of the log can be created.
    pub(super) create: AtomicBool,
    /// Objects whose path starts so cannot be put.
    pub(super) put: Mutex<Option<&'static str>>,
    /// Manifests are put and an error is returned all the same.
    pub(super) put_unheard: AtomicBool,
    /// Creating what is there already writes over it, as stores do that ignore the condition.
    pub(super) unconditional: AtomicBool,
}

fn full() -> io::Error {
    io::Error::from(io::ErrorKind::StorageFull)
}

#[derive(Debug)]
struct FaultyFiles(Arc<Faults>);

impl Files for FaultyFiles {
    fn create(&self, path: &Path) -> io::Result<Box<dyn SegmentFile>> {
        if self.0.create.load(SeqCst) {
            return Err(full());
        }
        Ok(Box::new(FaultyFile {
            inner: Disk.create(path)?,
            faults: Arc::clone(&self.0),
        }))
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        Disk.sync_dir(dir)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        Disk.remove(path)
    }
}

#[derive(Debug)]
struct FaultyFile {
    inner: Box<dyn SegmentFile>,
    faults: Arc<Faults>,
}

impl SegmentFile for FaultyFile {
    fn write_all_at(&mut self, bytes: &[u8], offset: u64) -> io::Result<()> {
        if self.faults.write.load(SeqCst) {
            self.inner.write_all_at(&bytes[..bytes.len() / 2], offset)?;
            return Err(full());
        }
        self.inner.write_all_at(bytes, offset)
    }

    fn sync_data(&mut self) -> io::Result<()> {
        if self.faults.sync.load(SeqCst) {
            return Err(io::Error::other("the device is gone"));
        }
        self.inner.sync_data()
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        if self.faults.truncate.load(SeqCst) {
            return Err(io::Error::other("the device is gone"));
        }
        self.inner.truncate(length)
    }
}

/// An object store that fails as told.
#[derive(Debug)]
struct FaultyObjects {
    inner: Arc<dyn ObjectStore>,
    faults: Arc<Faults>,
}

impl fmt::Display for FaultyObjects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "faulty {}", self.inner)
    }
}

fn refused() -> ObjectError {
    ObjectError::Generic {
        store: "faulty",
        source: Box::new(full()),
    }
}

#[async_trait]
impl ObjectStore for FaultyObjects {
    async fn put_opts(&self, location: &ObjectPath, payload: PutPayload, opts: PutOptions) -> ObjectResult<PutResult> {
        let prefix = *self.faults.put.lock().expect("not poisoned");
        if prefix.is_some_and(|prefix| location.as_ref().starts_with(prefix)) {
            return Err(refused());
        }
        let opts = match self.faults.unconditional.load(SeqCst) {
            true => PutOptions::default(),
            false => opts,
        };
        let put = self.inner.put_opts(location, payload, opts).await?;
        if self.faults.put_unheard.load(SeqCst) && location.as_ref().starts_with("manifest") {
            return Err(refused());
        }
        Ok(put)
    }

    async fn put_multipart_opts(
        &self,
        location: &ObjectPath,
        opts: PutMultipartOptions,
    ) -> ObjectResult<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(location, opts).await
    }

    async fn get_opts(&self, location: &ObjectPath, options: GetOptions) -> ObjectResult<GetResult> {
        self.inner.get_opts(location, options).await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, ObjectResult<ObjectPath>>,
    ) -> BoxStream<'static, ObjectResult<ObjectPath>> {
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&ObjectPath>) -> BoxStream<'static, ObjectResult<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&ObjectPath>) -> ObjectResult<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &ObjectPath, to: &ObjectPath, options: CopyOptions) -> ObjectResult<()> {
        self.inner.copy_opts(from, to, options).await
    }
}
