//! The one binary, `epicenter`: this folder is the composition root, the only code that knows every crate.
//!
//! `cli` says what can be asked, `config` reads the file and the environment, `roles` starts the services and stops
//! them in order, `analyze` is the post-mortem from files, `telemetry` is the program's own logs and traces.

mod analyze;
mod cli;
mod clock;
mod config;
mod roles;
mod telemetry;

use clap::Parser;
use cli::{Cli, Command};
use std::process::ExitCode;
use tokio_util::sync::CancellationToken;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Serve(args) => serve(&args),
        Command::Analyze(args) => analyze::run(&args),
        Command::Demo(args) => demo(args),
    };
    match outcome {
        Ok(code) => code,
        Err(error) => {
            eprintln!("epicenter: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn serve(args: &cli::ServeArgs) -> anyhow::Result<ExitCode> {
    let config = config::Config::load(args)?;
    if args.print_config {
        std::io::Write::write_all(&mut std::io::stdout(), toml::to_string_pretty(&config)?.as_bytes())?;
        return Ok(ExitCode::SUCCESS);
    }
    let runtime = runtime()?;
    let telemetry = runtime.block_on(async { telemetry::start(&config.telemetry) })?;
    let outcome = runtime.block_on(async {
        let shutdown = CancellationToken::new();
        cancel_on_signal(shutdown.clone())?;
        roles::run(config, shutdown).await
    });
    telemetry.stop();
    runtime.shutdown_timeout(std::time::Duration::from_secs(1));
    outcome.map(|()| ExitCode::SUCCESS)
}

fn demo(args: epicenter_lab::demo::DemoArgs) -> anyhow::Result<ExitCode> {
    let runtime = runtime()?;
    runtime.block_on(async {
        let shutdown = CancellationToken::new();
        cancel_on_signal(shutdown.clone())?;
        epicenter_lab::demo::run(args, shutdown).await
    })?;
    Ok(ExitCode::SUCCESS)
}

fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()
}

/// The first SIGTERM or SIGINT asks everything to stop; a second one ends the process at once.
fn cancel_on_signal(shutdown: CancellationToken) -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::spawn(async move {
        for asked_before in [false, true] {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            if asked_before {
                std::process::exit(130);
            }
            shutdown.cancel();
        }
    });
    Ok(())
}
