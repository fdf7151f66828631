//! Real programs with real instrumentation, installed from the package registries into cargo's target folder, and
//! installed again only when what they are pinned to has changed.

use crate::server::terminate;
use crate::waiting::until;
use serde_json::Value;
use std::hash::{DefaultHasher, Hasher};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

/// From start to the line that tells the port.
const START_PATIENCE: Duration = Duration::from_secs(60);
/// From SIGTERM to the end.
const STOP_PATIENCE: Duration = Duration::from_secs(10);

/// A running program, killed when dropped.
pub(crate) struct Program {
    name: &'static str,
    child: Child,
    lines: Option<Lines<BufReader<ChildStdout>>>,
}

impl Program {
    pub(crate) fn start(name: &'static str, command: &mut Command, log: &Path) -> Self {
        let stderr = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(log)
            .expect("log file");
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(stderr)
            .kill_on_drop(true)
            .spawn()
            .unwrap_or_else(|error| panic!("{name} does not start: {error}"));
        let lines = child.stdout.take().map(|stdout| BufReader::new(stdout).lines());
        Self { name, child, lines }
    }

    /// The port that it says it is bound to; what it says later is read and dropped.
    async fn port(&mut self) -> u16 {
        let mut lines = self.lines.take().expect("asked once");
        let said = async {
            while let Some(line) = lines.next_line().await.expect("readable") {
                if let Ok(said) = serde_json::from_str::<Value>(&line)
                    && said["event"] == "ready"
                {
                    return said["port"].as_u64();
                }
            }
            None
        };
        let port = tokio::time::timeout(START_PATIENCE, said).await.ok().flatten();
        let port = port.unwrap_or_else(|| panic!("{} does not tell its port", self.name));
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        u16::try_from(port).expect("a port")
    }

    /// Reads what it says and drops it, so that it never waits for a reader.
    pub(crate) fn unheard(mut self) -> Self {
        if let Some(mut lines) = self.lines.take() {
            tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        }
        self
    }

    /// kill -9, and waits until it is gone.
    pub(crate) async fn kill(mut self) {
        self.child.kill().await.expect("it can be killed");
    }

    /// SIGTERM, and the end in good time.
    pub(crate) async fn stop(mut self) {
        let ended = terminate(&mut self.child, STOP_PATIENCE).await;
        assert!(ended.is_some(), "{} does not stop", self.name);
    }
}

/// The programs' installed packages.
pub(crate) struct Installed {
    gateway: PathBuf,
    python: PathBuf,
}

impl Installed {
    /// Installs what is not installed yet: `npm ci` and a virtual environment with pinned requirements.
    pub(crate) async fn ensure() -> Self {
        let (gateway, python) = tokio::join!(install_gateway(), install_orders());
        Self { gateway, python }
    }

    /// The Express gateway, exporting over gRPC, in front of `orders`. Returns its address.
    pub(crate) async fn gateway(&self, otlp_grpc: SocketAddr, orders: SocketAddr, log: &Path) -> (Program, SocketAddr) {
        let mut command = Command::new("node");
        command
            .args([
                "--require",
                "@opentelemetry/auto-instrumentations-node/register",
                "app.js",
            ])
            .current_dir(&self.gateway)
            .env("PORT", "0")
            // The detectors of cloud platforms ask addresses outside of this machine.
            .env("OTEL_NODE_RESOURCE_DETECTORS", "env,host,os,process")
            .env("ORDERS_URL", format!("http://{orders}"));
        telemetry(&mut command, "gateway", "grpc", otlp_grpc);
        let mut program = Program::start("gateway", &mut command, log);
        let port = program.port().await;
        (program, SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
    }

    /// The FastAPI service, exporting over HTTP, on `port` (0: any). Returns its address.
    pub(crate) async fn orders(
        &self,
        otlp_http: SocketAddr,
        redis: u16,
        port: u16,
        log: &Path,
    ) -> (Program, SocketAddr) {
        let bin = self.python.join("bin");
        let mut command = Command::new(bin.join("opentelemetry-instrument"));
        command
            .arg(bin.join("python"))
            .arg(sources("orders").join("app.py"))
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("PORT", port.to_string())
            .env("REDIS_PORT", redis.to_string());
        telemetry(&mut command, "orders", "http/protobuf", otlp_http);
        let mut program = Program::start("orders", &mut command, log);
        let port = program.port().await;
        (program, SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
    }
}

/// A real Redis that keeps nothing, on a port that was free a moment ago.
pub(crate) async fn redis(folder: &Path) -> (Program, u16) {
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .and_then(|free| free.local_addr())
        .expect("a port")
        .port();
    let mut command = Command::new("redis-server");
    command
        .args([
            "--port",
            &port.to_string(),
            "--bind",
            "127.0.0.1",
            "--save",
            "",
            "--appendonly",
            "no",
        ])
        .current_dir(folder);
    let mut program = Program::start("redis-server", &mut command, &folder.join("redis.log"));
    let mut lines = program.lines.take().expect("piped");
    tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
    until("Redis", START_PATIENCE, || async move {
        tokio::net::TcpStream::connect(("127.0.0.1", port)).await.ok()
    })
    .await;
    (program, port)
}

/// What a user sets to send telemetry; everything else stays as the SDKs have it.
fn telemetry(command: &mut Command, service: &str, protocol: &str, to: SocketAddr) {
    command
        .env("OTEL_SERVICE_NAME", service)
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{to}"))
        .env("OTEL_EXPORTER_OTLP_PROTOCOL", protocol)
        .env("OTEL_TRACES_EXPORTER", "otlp")
        .env("OTEL_METRICS_EXPORTER", "none")
        .env("OTEL_LOGS_EXPORTER", "none");
}

pub(crate) fn sources(program: &str) -> PathBuf {
    crate::server::repository().join("tests/it/programs").join(program)
}

/// A folder below the target folder, named by what goes into it.
fn cache(program: &str, pinned: &[&str]) -> PathBuf {
    let mut hasher = DefaultHasher::new();
    for file in pinned {
        hasher.write(&std::fs::read(sources(program).join(file)).expect("a committed file"));
    }
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{program}-{:016x}", hasher.finish()))
}

async fn install_gateway() -> PathBuf {
    let files = ["package.json", "package-lock.json", "app.js"];
    let folder = cache("gateway", &files);
    let done = folder.join("installed");
    if !done.exists() {
        std::fs::create_dir_all(&folder).expect("a folder");
        for file in files {
            std::fs::copy(sources("gateway").join(file), folder.join(file)).expect("a copy");
        }
        let mut npm = Command::new("npm");
        run(npm
            .args(["ci", "--no-audit", "--no-fund", "--loglevel=error"])
            .current_dir(&folder))
        .await;
        std::fs::write(done, "").expect("a mark");
    }
    folder
}

async fn install_orders() -> PathBuf {
    python("orders")
        .await
        .unwrap_or_else(|reason| panic!("orders could not be installed: {reason}"))
}

/// A virtual environment with the requirements of one of the folders below `tests/it/programs`; else what pip said.
pub(crate) async fn python(program: &str) -> Result<PathBuf, String> {
    let folder = cache(program, &["requirements.txt"]);
    let done = folder.join("installed");
    if !done.exists() {
        run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder)).await;
        let mut pip = Command::new(folder.join("bin/python"));
        pip.args(["-m", "pip", "install", "--quiet", "--no-deps", "--requirement"]);
        pip.arg(sources(program).join("requirements.txt")).stdin(Stdio::null());
        let output = pip.output().await.expect("pip starts");
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into_owned());
        }
        std::fs::write(done, "").expect("a mark");
    }
    Ok(folder)
}

async fn run(command: &mut Command) {
    let output = command.stdin(Stdio::null()).output().await.expect("it starts");
    let (said, complained) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(output.status.success(), "{command:?} failed:\n{said}\n{complained}");
}
