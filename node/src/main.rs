//! The program `opendipaco`: one function per command, exit codes, logs.

mod amounts;
mod cli;
mod clock;
mod commands;
mod coordinator;
mod csv_rows;
mod disk;
mod evenness;
mod events;
mod exit;
mod files;
mod frames;
mod in_order;
mod key_file;
mod manifest_source;
mod model_file;
mod model_ground;
mod model_rows;
mod out;
mod packed_file;
mod path_router;
mod peer;
mod report_folder;
mod run_files;
mod s3_settings;
mod status_page;
mod stopping;
mod terminal;
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
        Command::Delegate(args) => commands::delegate::run(&args),
        Command::Spec(args) => commands::spec::run(&args),
        Command::Verify(args) => commands::verify::run(&args),
        Command::Materialise(args) => commands::materialise::run(&args),
        Command::Coordinate(args) => commands::coordinate::run(&args),
        Command::Join(args) => commands::join::run(&args),
        Command::Status(args) => commands::status::run(&args),
        Command::Predict(args) => commands::predict::run(&args),
        Command::Evaluate(args) => commands::evaluate::run(&args),
        Command::Route(args) => commands::route::run(&args),
        Command::Audit(args) => commands::audit::run(&args),
        Command::Inspect(args) => commands::inspect::run(&args),
        Command::Certify(args) => commands::certify::run(&args),
        Command::Strip(args) => commands::strip::run(&args),
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
        .with_writer(|| terminal::LogWriter)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
}
