"""What a commit costs in Delta Lake and in Iceberg: 2,000 commits of one small file each, by one long-lived writer.

usage: rivals.py (delta|iceberg) (plain|clean) (FOLDER | s3://bucket/prefix) [COMMITS]

Packages: deltalake, pyiceberg[sql-sqlite,pyarrow], pyarrow. S3 is found by the usual AWS_* variables. The data files are
copies of one small Parquet file; writing them is not counted. `clean` is what a careful operator sets: Delta, a
checkpoint every 10 commits and old log files deleted; Iceberg, manifests merged, old metadata deleted, and snapshots
expired every 100 commits. Printed, one JSON line each: CPU of the whole process (all threads), wall time and bytes
put a commit, as the mean of the 10 commits that end at the given one, and what opening the table costs afterwards.
"""

import datetime
import json
import os
import resource
import subprocess
import sys
import time

import pyarrow as pa
import pyarrow.fs as fs
import pyarrow.parquet as pq

ROWS = 100
SHOWN = (10, 100, 1000, 2000)
WINDOW = 10


def cpu_ms():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return (usage.ru_utime + usage.ru_stime) * 1000


def sample():
    return pa.table({
        "trace_id": pa.array([i.to_bytes(16, "big") for i in range(ROWS)], pa.binary()),
        "service_name": pa.array(["cart", "pay"] * (ROWS // 2)),
        "name": pa.array(["GET /cart"] * ROWS),
        "start_time": pa.array(range(ROWS), pa.int64()),
        "duration_ns": pa.array(range(ROWS), pa.int64()),
    })


class Place:
    """A folder or a prefix of a bucket."""

    def __init__(self, url):
        self.url = url
        self.s3 = url.startswith("s3://")
        if self.s3:
            endpoint = os.environ["AWS_ENDPOINT_URL"]
            self.fs = fs.S3FileSystem(endpoint_override=endpoint.split("//")[1], scheme=endpoint.split(":")[0], region="us-east-1")
            self.root = url[len("s3://"):]
        else:
            self.fs, self.root = fs.LocalFileSystem(), url
            os.makedirs(url, exist_ok=True)

    def sizes(self, below):
        found = self.fs.get_file_info(fs.FileSelector(f"{self.root}/{below}", recursive=True, allow_not_found=True))
        return {info.path: info.size for info in found if info.is_file}

    def write(self, name, data):
        if not self.s3:
            os.makedirs(os.path.dirname(f"{self.root}/{name}"), exist_ok=True)
        with self.fs.open_output_stream(f"{self.root}/{name}") as out:
            out.write(data)


class Delta:
    log = "_delta_log"

    def __init__(self, place, clean):
        from deltalake import DeltaTable, Schema
        self.clean = clean
        self.options = {"AWS_ENDPOINT_URL": os.environ.get("AWS_ENDPOINT_URL", ""), "AWS_ALLOW_HTTP": "true", "conditional_put": "etag", "AWS_REGION": "us-east-1"} if place.s3 else None
        self.table = DeltaTable.create(place.url, Schema.from_arrow(sample().schema), storage_options=self.options, configuration={
            "delta.checkpointInterval": "10" if clean else "100000",
            "delta.logRetentionDuration": "interval 0 seconds",
            "delta.enableExpiredLogCleanup": "true" if clean else "false",
        })

    def commit(self, name, size):
        from deltalake.transaction import AddAction, PostCommitHookProperties
        hooks = PostCommitHookProperties(create_checkpoint=self.clean, cleanup_expired_logs=self.clean)
        stats = json.dumps({"numRecords": ROWS, "minValues": {"start_time": 0}, "maxValues": {"start_time": ROWS}})
        action = AddAction(path=name, size=size, partition_values={}, modification_time=0, data_change=True, stats=stats)
        self.table.create_write_transaction([action], "append", self.table.schema(), post_commithook_properties=hooks)
        self.table.update_incremental()

    @staticmethod
    def open(place):
        from deltalake import DeltaTable
        options = {"AWS_ENDPOINT_URL": os.environ.get("AWS_ENDPOINT_URL", ""), "AWS_ALLOW_HTTP": "true", "AWS_REGION": "us-east-1"} if place.s3 else None
        return len(DeltaTable(place.url, storage_options=options).file_uris())


class Iceberg:
    log = "metadata"

    def __init__(self, place, clean):
        self.clean, self.place, self.number = clean, place, 0
        catalog = self.catalog(place)
        catalog.create_namespace("n")
        self.table = catalog.create_table("n.spans", schema=sample().schema, location=place.url, properties={
            "write.metadata.delete-after-commit.enabled": "true",
            "write.metadata.previous-versions-max": "8",
            "commit.manifest-merge.enabled": "true",
            "commit.manifest.min-count-to-merge": "10",
        } if clean else {})

    @staticmethod
    def catalog(place):
        from pyiceberg.catalog.sql import SqlCatalog
        where = "/tmp/rivals-%s.db" % place.url.replace("/", "_").replace(":", "")
        settings = {"s3.endpoint": os.environ.get("AWS_ENDPOINT_URL", ""), "s3.region": "us-east-1"} if place.s3 else {}
        return SqlCatalog("c", uri=f"sqlite:///{where}", warehouse=place.url, **settings)

    def commit(self, name, size):
        self.number += 1
        self.table.add_files([f"{self.place.url}/{name}"], check_duplicate_files=False)
        if self.clean and self.number % 100 == 0:
            self.table.maintenance.expire_snapshots().older_than(datetime.datetime.now(datetime.timezone.utc)).commit()

    @staticmethod
    def open(place):
        return sum(1 for _ in Iceberg.catalog(place).load_table("n.spans").scan().plan_files())


def main():
    kind, mode, url = sys.argv[1:4]
    engine, place = {"delta": Delta, "iceberg": Iceberg}[kind], Place(url)
    if mode == "open":
        before, started = cpu_ms(), time.monotonic()
        files = engine.open(place)
        print(json.dumps({"open": kind, "files": files, "cpu_ms": round(cpu_ms() - before, 1), "wall_ms": round((time.monotonic() - started) * 1000, 1)}))
        return
    commits = int(sys.argv[4]) if len(sys.argv) > 4 else SHOWN[-1]
    sink = pa.BufferOutputStream()
    pq.write_table(sample(), sink)
    data = sink.getvalue().to_pybytes()
    for number in range(1, commits + 1):
        place.write(f"data/{number}.parquet", data)
    table = engine(place, mode == "clean")
    cpu = wall = put = 0
    known = place.sizes(engine.log)
    for number in range(1, commits + 1):
        before, started = cpu_ms(), time.monotonic()
        table.commit(f"data/{number}.parquet", len(data))
        cpu, wall = cpu + cpu_ms() - before, wall + (time.monotonic() - started) * 1000
        due = any(number in range(shown - WINDOW + 1, shown + 1) for shown in SHOWN)
        if due:
            now = place.sizes(engine.log)
            put += sum(size for path, size in now.items() if path not in known)
            known = now
        if number in SHOWN:
            print(json.dumps({"table": kind, "mode": mode, "commit": number, "cpu_ms": round(cpu / WINDOW, 2), "wall_ms": round(wall / WINDOW, 2), "bytes": put // WINDOW}), flush=True)
        if number % WINDOW == 0:
            cpu = wall = put = 0
            if any(number in range(shown - WINDOW, shown) for shown in SHOWN):
                known = place.sizes(engine.log)
    left = place.sizes(engine.log)
    print(json.dumps({"left": kind, "files": len(left), "bytes": sum(left.values())}), flush=True)
    subprocess.run([sys.executable, __file__, kind, "open", url], check=True)


main()
