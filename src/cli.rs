//! What can be asked of the program on the command line. Every flag of `serve` can also come from the environment
//! (`EPICENTER_*`) or from the configuration file; flags win over the environment, which wins over the file.

use clap::{Args, Parser, Subcommand};
use std::net::SocketAddr;
use std::path::PathBuf;

/// Finds the service that broke: takes OpenTelemetry spans, names the root cause of a cascading failure.
#[derive(Debug, Parser)]
#[command(name = "epicenter", version, about, long_about = None)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Receive spans, keep them, watch the system, answer queries and page: everything in one process
    Serve(Box<ServeArgs>),
    /// Post-mortem from files of spans: what broke, and how it shows
    Analyze(AnalyzeArgs),
    /// A simulated shop that sends real OTLP and breaks something every few minutes
    Demo(epicenter_lab::demo::DemoArgs),
}

#[derive(Args, Debug, Default)]
pub(crate) struct ServeArgs {
    /// Configuration file (TOML); see docs/config.md
    #[arg(long, env = "EPICENTER_CONFIG", value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Folder that holds everything that is kept [default: ./epicenter-data]
    #[arg(long, env = "EPICENTER_DATA_DIR", value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Where OTLP over gRPC is received [default: 127.0.0.1:4317]
    #[arg(long, env = "EPICENTER_OTLP_GRPC", value_name = "ADDR")]
    pub(crate) otlp_grpc: Option<SocketAddr>,
    /// Where OTLP over HTTP is received [default: 127.0.0.1:4318]
    #[arg(long, env = "EPICENTER_OTLP_HTTP", value_name = "ADDR")]
    pub(crate) otlp_http: Option<SocketAddr>,
    /// Where the web UI and the query APIs are served [default: 127.0.0.1:4319]
    #[arg(long, env = "EPICENTER_HTTP", value_name = "ADDR")]
    pub(crate) http: Option<SocketAddr>,
    /// Also page this URL when an incident opens and when it resolves
    #[arg(long, env = "EPICENTER_WEBHOOK_URL", value_name = "URL")]
    pub(crate) webhook_url: Option<String>,
    /// Secret that signs the pages sent to --webhook-url; required with it
    #[arg(
        long,
        env = "EPICENTER_WEBHOOK_SECRET",
        value_name = "SECRET",
        hide_env_values = true
    )]
    pub(crate) webhook_secret: Option<String>,
    /// Print the configuration in force, defaults included, and exit
    #[arg(long)]
    pub(crate) print_config: bool,
}

#[derive(Args, Debug)]
pub(crate) struct AnalyzeArgs {
    /// Spans of the failure: OTLP/JSON lines or length-delimited protobuf; plain, .gz or .zst
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// Spans of the system at rest, to be learned first; its clock need not fit. May be given more than once
    #[arg(long, value_name = "FILE")]
    pub(crate) baseline: Vec<PathBuf>,
    /// Print the JSON of the incidents API instead of the report
    #[arg(long)]
    pub(crate) json: bool,
    /// Configuration file (TOML), of which the section [incident] is used
    #[arg(long, env = "EPICENTER_CONFIG", value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
}
