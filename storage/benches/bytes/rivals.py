#!/usr/bin/env python3
"""Bytes a span on disk, of recorded spans, beside ClickHouse with the table of the OpenTelemetry Collector's exporter.

    python3 -m venv venv && venv/bin/pip install chdb zstandard
    venv/bin/python storage/benches/bytes/rivals.py target/release/epicenter RECORDINGS

RECORDINGS is a folder of `*.jsonl.zst`, one OTLP/JSON TracesData a line. Both get every span once; ClickHouse's parts are
merged (OPTIMIZE FINAL) before they are counted, Epicenter's segments as they are when nothing is left to do.
"""

import io
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import zstandard
from chdb import session

# The layout that the exporter creates (clickhouseexporter, traces table), with its codecs and its indexes.
TABLE = """
CREATE TABLE otel.otel_traces (
    Timestamp DateTime64(9) CODEC(Delta, ZSTD(1)),
    TraceId String CODEC(ZSTD(1)),
    SpanId String CODEC(ZSTD(1)),
    ParentSpanId String CODEC(ZSTD(1)),
    TraceState String CODEC(ZSTD(1)),
    SpanName LowCardinality(String) CODEC(ZSTD(1)),
    SpanKind LowCardinality(String) CODEC(ZSTD(1)),
    ServiceName LowCardinality(String) CODEC(ZSTD(1)),
    ResourceAttributes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    ScopeName String CODEC(ZSTD(1)),
    ScopeVersion String CODEC(ZSTD(1)),
    SpanAttributes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    Duration UInt64 CODEC(ZSTD(1)),
    StatusCode LowCardinality(String) CODEC(ZSTD(1)),
    StatusMessage String CODEC(ZSTD(1)),
    Events Nested (
        Timestamp DateTime64(9),
        Name LowCardinality(String),
        Attributes Map(LowCardinality(String), String)
    ) CODEC(ZSTD(1)),
    Links Nested (
        TraceId String,
        SpanId String,
        TraceState String,
        Attributes Map(LowCardinality(String), String)
    ) CODEC(ZSTD(1)),
    INDEX idx_trace_id TraceId TYPE bloom_filter(0.001) GRANULARITY 1,
    INDEX idx_res_attr_key mapKeys(ResourceAttributes) TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_res_attr_value mapValues(ResourceAttributes) TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_span_attr_key mapKeys(SpanAttributes) TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_span_attr_value mapValues(SpanAttributes) TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_duration Duration TYPE minmax GRANULARITY 1
) ENGINE MergeTree
PARTITION BY toDate(Timestamp)
ORDER BY (ServiceName, SpanName, toDateTime(Timestamp))
SETTINGS index_granularity = 8192, ttl_only_drop_parts = 1
"""

KINDS = ["Unspecified", "Internal", "Server", "Client", "Producer", "Consumer"]
STATUS = ["Unset", "Ok", "Error"]


def lines(folder):
    for path in sorted(Path(folder).glob("*.jsonl.zst")):
        with open(path, "rb") as file:
            reader = zstandard.ZstdDecompressor().stream_reader(file)
            for line in io.TextIOWrapper(reader, encoding="utf-8"):
                if line.strip():
                    yield line


def text(value):
    kind, value = next(iter(value.items()), ("", ""))
    return value if isinstance(value, str) else json.dumps(value)


def mapped(attributes):
    return {pair["key"]: text(pair.get("value", {})) for pair in attributes or []}


def stamp(nanos):
    nanos = int(nanos or 0)
    return f"{nanos // 10**9}.{nanos % 10**9:09}"


def rows(data):
    for of_resource in data.get("resourceSpans", []):
        resource = mapped(of_resource.get("resource", {}).get("attributes"))
        for of_scope in of_resource.get("scopeSpans", []):
            scope = of_scope.get("scope", {})
            for span in of_scope.get("spans", []):
                events, links = span.get("events", []), span.get("links", [])
                start, end = int(span["startTimeUnixNano"]), int(span["endTimeUnixNano"])
                status = span.get("status", {})
                yield {
                    "Timestamp": stamp(start),
                    "TraceId": span["traceId"],
                    "SpanId": span["spanId"],
                    "ParentSpanId": span.get("parentSpanId", ""),
                    "TraceState": span.get("traceState", ""),
                    "SpanName": span.get("name", ""),
                    "SpanKind": KINDS[span.get("kind", 0)],
                    "ServiceName": resource.get("service.name", ""),
                    "ResourceAttributes": resource,
                    "ScopeName": scope.get("name", ""),
                    "ScopeVersion": scope.get("version", ""),
                    "SpanAttributes": mapped(span.get("attributes")),
                    "Duration": max(end - start, 0),
                    "StatusCode": STATUS[status.get("code", 0)],
                    "StatusMessage": status.get("message", ""),
                    "Events.Timestamp": [stamp(e.get("timeUnixNano")) for e in events],
                    "Events.Name": [e.get("name", "") for e in events],
                    "Events.Attributes": [mapped(e.get("attributes")) for e in events],
                    "Links.TraceId": [link["traceId"] for link in links],
                    "Links.SpanId": [link["spanId"] for link in links],
                    "Links.TraceState": [link.get("traceState", "") for link in links],
                    "Links.Attributes": [mapped(link.get("attributes")) for link in links],
                }


def clickhouse(folder):
    with tempfile.TemporaryDirectory() as scratch:
        spans, file = 0, Path(scratch, "spans.jsonl")
        with open(file, "w", encoding="utf-8") as out:
            for line in lines(folder):
                for row in rows(json.loads(line)):
                    out.write(json.dumps(row) + "\n")
                    spans += 1
        db = session.Session(str(Path(scratch, "db")))
        db.query("CREATE DATABASE otel")
        db.query(TABLE)
        db.query(f"INSERT INTO otel.otel_traces SELECT * FROM file('{file}', JSONEachRow)")
        db.query("OPTIMIZE TABLE otel.otel_traces FINAL")
        count = int(str(db.query("SELECT count() FROM otel.otel_traces", "CSV")).strip())
        assert count == spans, f"{spans} spans went in, {count} are there"
        parts = "SELECT sum(bytes_on_disk) FROM system.parts WHERE active AND database = 'otel'"
        size = int(str(db.query(parts, "CSV")).strip())
        version = str(db.query("SELECT version()", "CSV")).strip()
    return spans, size, version


def epicenter(program, folder):
    with tempfile.TemporaryDirectory() as scratch:
        any_port = "127.0.0.1:0"
        flags = ["--otlp-grpc", any_port, "--otlp-http", any_port, "--http", any_port, "--data-dir", scratch]
        config = Path(scratch, "epicenter.toml")
        # The recordings are years old; the retention counts from when they are received.
        config.write_text('[storage]\nseal_after = "10s"\n')
        server = subprocess.Popen(
            [program, "serve", "--config", str(config), *flags], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        ready = json.loads(server.stdout.readline())
        for line in lines(folder):
            request = urllib.request.Request(
                f"http://{ready['otlp_http']}/v1/traces", line.encode(), {"content-type": "application/json"}
            )
            urllib.request.urlopen(request).read()

        def metric(name):
            body = urllib.request.urlopen(f"http://{ready['http']}/metrics").read().decode()
            return next(int(line.split()[-1]) for line in body.splitlines() if line.startswith(name + " "))

        calm, before = 0, None
        while calm < 20:
            time.sleep(1)
            now = (metric("epicenter_storage_unsealed_spans"), metric("epicenter_storage_segments"))
            calm = calm + 1 if now == before and now[0] == 0 else 0
            before = now
        spans = metric("epicenter_storage_segment_spans")
        size = metric("epicenter_storage_segment_bytes")
        # What is beside the segments: manifests, bases, the catalogue.
        table = Path(scratch, "table")
        size += sum(f.stat().st_size for f in table.rglob("*") if f.is_file() and "segments" not in f.parts)
        server.terminate()
        server.wait()
    return spans, size


def main():
    program, folder = sys.argv[1:]
    spans, size = epicenter(program, folder)
    print(f"Epicenter            {spans} spans, {size / spans:.1f} B a span", flush=True)
    spans, size, version = clickhouse(folder)
    print(f"ClickHouse {version}  {spans} spans, {size / spans:.1f} B a span")


if __name__ == "__main__":
    os.environ.setdefault("PYTHONUNBUFFERED", "1")
    main()
