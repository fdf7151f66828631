//! A real S3 on this machine: SeaweedFS from its Python package, on ports that were free a moment ago, with keys that
//! are checked. It can be killed and started again on the same folder and ports.

use crate::programs::{Program, python};
use crate::waiting::until;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

/// From start until a bucket can be made.
const START_PATIENCE: Duration = Duration::from_secs(90);
/// The keys that it knows.
const ACCESS_KEY: &str = "journey-key";
const SECRET_KEY: &str = "journey-secret";
/// The bucket of the journeys.
const BUCKET: &str = "spans";

/// A folder, ports, and the process on them.
pub(crate) struct Seaweed {
    weed: PathBuf,
    folder: PathBuf,
    /// Of master, volume, filer and S3, each with its gRPC.
    ports: Vec<u16>,
    program: Option<Program>,
}

impl Seaweed {
    /// Starts one below `folder` with an empty bucket; none, with the reason printed, when the package cannot be had.
    pub(crate) async fn start(folder: &Path) -> Option<Self> {
        let installed = match python("seaweedfs").await {
            Ok(installed) => installed,
            Err(reason) => {
                eprintln!("skipped: SeaweedFS cannot be installed: {reason}");
                return None;
            }
        };
        let folder = folder.join("seaweedfs");
        std::fs::create_dir_all(&folder).expect("a folder");
        let identities = format!(
            r#"{{"identities":[{{"name":"journey","credentials":[{{"accessKey":"{ACCESS_KEY}","secretKey":"{SECRET_KEY}"}}],"actions":["Admin","Read","List","Write"]}}]}}"#
        );
        std::fs::write(folder.join("s3.json"), identities).expect("a file");
        // All at once, so that no port is drawn twice.
        let free: Vec<_> = (0..8)
            .map(|_| TcpListener::bind("127.0.0.1:0").expect("a port"))
            .collect();
        let ports = free
            .iter()
            .map(|port| port.local_addr().expect("an address").port())
            .collect();
        drop(free);
        let mut seaweed = Self {
            weed: installed.join("bin/weed"),
            folder,
            ports,
            program: None,
        };
        seaweed.launch().await;
        seaweed.create_bucket().await;
        seaweed.takes_objects().await;
        Some(seaweed)
    }

    async fn create_bucket(&self) {
        let mut shell = Command::new(&self.weed);
        shell
            .arg("shell")
            .arg(format!("-master=127.0.0.1:{}.{}", self.ports[0], self.ports[1]))
            .arg(format!("-filer=127.0.0.1:{}.{}", self.ports[4], self.ports[5]))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        let mut shell = shell.spawn().expect("the shell starts");
        let mut input = shell.stdin.take().expect("piped");
        let command = format!("s3.bucket.create -name {BUCKET}\n");
        input.write_all(command.as_bytes()).await.expect("it reads");
        drop(input);
        let ended = tokio::time::timeout(START_PATIENCE, shell.wait_with_output()).await;
        let output = ended.expect("in good time").expect("the shell ends");
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "no bucket: {said}");
    }

    /// Starts it again after [`Seaweed::kill`].
    pub(crate) async fn restart(&mut self) {
        self.launch().await;
        self.takes_objects().await;
    }

    /// It answers before it has room: the first object makes it find some.
    async fn takes_objects(&self) {
        let object = format!("http://127.0.0.1:{}/buckets/{BUCKET}/ready", self.ports[4]);
        let client = reqwest::Client::new();
        until("S3 that takes objects", START_PATIENCE, || async {
            let put = client.put(&object).body("ready").send().await.ok()?;
            put.status().is_success().then_some(())
        })
        .await;
    }

    async fn launch(&mut self) {
        let data = self.folder.join("data");
        std::fs::create_dir_all(&data).expect("a folder");
        let mut command = Command::new(&self.weed);
        command
            .arg("server")
            .arg(format!("-dir={}", data.display()))
            .arg(format!("-s3.config={}", self.folder.join("s3.json").display()))
            .args(["-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-filer", "-s3", "-volume.max=40"])
            .args(["-master.volumeSizeLimitMB=64", "-s3.port.iceberg=0", "-s3.port.lance=0"]);
        for (service, pair) in ["master", "volume", "filer", "s3"].iter().zip(self.ports.chunks(2)) {
            command
                .arg(format!("-{service}.port={}", pair[0]))
                .arg(format!("-{service}.port.grpc={}", pair[1]));
        }
        let log = self.folder.join("weed.log");
        self.program = Some(Program::start("weed", command.current_dir(&self.folder), &log).unheard());
        let s3 = self.endpoint();
        until("S3 that answers", START_PATIENCE, || {
            let s3 = s3.clone();
            async move { reqwest::get(&s3).await.ok() }
        })
        .await;
    }

    /// kill -9.
    pub(crate) async fn kill(&mut self) {
        self.program.take().expect("it runs").kill().await;
    }

    fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.ports[6])
    }

    /// The settings of a server whose table lies here, as a file in `folder`.
    pub(crate) fn config(&self, folder: &Path, table: &str) -> PathBuf {
        let path = folder.join("s3.toml");
        let text = format!(
            "[storage]\nseal_after = \"100ms\"\nseal_spans = 500\ntable_url = \"s3://{BUCKET}/{table}\"\n\
             [storage.s3]\nretry_timeout = \"1s\"\n"
        );
        std::fs::write(&path, text).expect("a file");
        path
    }

    /// What the environment of such a server holds.
    pub(crate) fn environment(&self) -> Vec<(&'static str, String)> {
        vec![
            ("AWS_ACCESS_KEY_ID", ACCESS_KEY.to_owned()),
            ("AWS_SECRET_ACCESS_KEY", SECRET_KEY.to_owned()),
            ("AWS_ENDPOINT_URL_S3", self.endpoint()),
            ("AWS_REGION", "us-east-1".to_owned()),
            ("AWS_ALLOW_HTTP", "true".to_owned()),
        ]
    }
}
