//! The program `opendipaco`: one function per command, exit codes, logs.

mod cli;
mod clock;
mod commands;
mod coordinator;
mod disk;
mod events;
mod exit;
mod files;
mod frames;
mod key_file;
mod model_rows;
mod out;
mod peer;
mod report_folder;
mod run_files;
mod stopping;
mod timings;
mod volunteer;

use std::io::IsTerminal;
use std::process::ExitCode;

use clap::Parser;

use crate::cli::{Cli, Command};

fn main() -> ExitCode {
    let cli = Cli::parse();
    start_logs();
    match run(cli.command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            if !exit::is_broken_pipe(&error) {
                eprintln!("opendipaco: {error:#}");
            }
            exit::code(&error)
        }
    }
}

fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Run(args) => commands::run::run(&args),
        Command::Train(args) => commands::train::run(&args),
        Command::Publish(args) => commands::publish::run(&args),
        Command::Coordinate(args) => commands::coordinate::run(&args),
        Command::Join(args) => commands::join::run(&args),
        Command::Predict(args) => commands::predict::run(&args),
        Command::Evaluate(args) => commands::evaluate::run(&args),
        Command::Audit(args) => commands::audit::run(&args),
        Command::Inspect(args) => commands::inspect::run(&args),
        Command::Keygen(args) => commands::keygen::run(&args),
    }
}

/// Logs go to standard error, warnings only, unless RUST_LOG says otherwise. Gossipsub warns of what is no trouble here, a
/// record that was said already.
fn start_logs() {
    use tracing_subscriber::EnvFilter;
    let filter =
        EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn,libp2p_gossipsub=error"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
}
