//! `cargo xtask up`: from a fresh clone to a page that shows what broke. Builds the web page and the server, runs the
//! server and the demo shop, and stops both on Ctrl-C.

use crate::children::{Interrupt, Running};
use crate::{test, web, workspace};
use anyhow::{Result, bail, ensure};
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

/// How often the two programs are looked after.
const POLL: Duration = Duration::from_millis(100);

/// Options of `up`.
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// Folder that the server keeps its data in
    #[arg(long, default_value = "./epicenter-data", value_name = "DIR")]
    data_dir: PathBuf,
    /// Where OTLP over gRPC is received
    #[arg(long, default_value = "127.0.0.1:4317", value_name = "ADDR")]
    otlp_grpc: SocketAddr,
    /// Where OTLP over HTTP is received
    #[arg(long, default_value = "127.0.0.1:4318", value_name = "ADDR")]
    otlp_http: SocketAddr,
    /// Where the page and the APIs are served
    #[arg(long, default_value = "127.0.0.1:4319", value_name = "ADDR")]
    http: SocketAddr,
}

/// Builds, runs, and returns when it was told to stop or when something failed.
pub(crate) fn run(args: &Args) -> Result<()> {
    test::prerequisites::for_building()?;
    ports_are_free(&[args.otlp_grpc, args.otlp_http, args.http])?;
    eprintln!("[1/4] the web page");
    web::install()?;
    web::build()?;
    eprintln!("[2/4] the server, in release mode (the first time takes a good while)");
    let program = workspace::release_build()?;

    let interrupt = Interrupt::install()?;
    eprintln!("[3/4] starting the server");
    let (mut server, ready) = Running::serve(
        Command::new(&program)
            .arg("serve")
            .arg("--data-dir")
            .arg(&args.data_dir)
            .args(["--otlp-grpc", &args.otlp_grpc.to_string()])
            .args(["--otlp-http", &args.otlp_http.to_string()])
            .args(["--http", &args.http.to_string()]),
    )?;
    eprintln!("[4/4] starting the demo shop\n");
    eprintln!("    the page is at http://{}   (Ctrl-C stops everything)\n", ready.http);
    let endpoint = format!("http://{}", ready.otlp_grpc);
    let mut demo = Running::start(
        "epicenter demo",
        Command::new(&program).args(["demo", "--endpoint", &endpoint]),
    )?;

    let outcome = watch(&interrupt, &mut server, &mut demo);
    eprintln!("\nstopping");
    let demo_clean = demo.stop()?;
    let server_clean = server.stop()?;
    outcome?;
    ensure!(server_clean, "the server did not stop cleanly");
    ensure!(demo_clean, "the demo did not stop cleanly");
    Ok(())
}

fn watch(interrupt: &Interrupt, server: &mut Running, demo: &mut Running) -> Result<()> {
    while !interrupt.requested() {
        if let Some(status) = server.ended()? {
            bail!("the server ended by itself ({status}); what it said is above");
        }
        if let Some(status) = demo.ended()? {
            bail!("the demo ended by itself ({status}); what it said is above");
        }
        std::thread::sleep(POLL);
    }
    Ok(())
}

/// Port 0 is always free: the system chooses.
fn ports_are_free(addresses: &[SocketAddr]) -> Result<()> {
    for address in addresses {
        if let Err(error) = TcpListener::bind(address) {
            bail!(
                "cannot listen on {address}: {error}. Is another Epicenter or OpenTelemetry Collector running? \
                 Stop it, or choose other ports with --otlp-grpc, --otlp-http and --http"
            );
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_is_named() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap();
        let error = ports_are_free(&[address]).unwrap_err().to_string();
        assert!(
            error.contains(&address.to_string()) && error.contains("--http"),
            "{error}"
        );
        drop(taken);
        ports_are_free(&["127.0.0.1:0".parse().unwrap()]).unwrap();
    }
}
