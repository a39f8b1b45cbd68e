//! `sim SCENARIO --peers N --seed S`: plays a scenario and prints what it was like.
#![allow(clippy::print_stdout)]

use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, Result};
use clap::Parser;
use sim::{Scenario, Size, World};

/// Plays a scenario of the scheduler, with the real lease table and the real decisions, and prints figures.
#[derive(Debug, Parser)]
#[command(name = "sim")]
struct Args {
    /// The scenario's name; `list` shows them all.
    scenario: String,
    /// How many volunteers there are at the same time.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    peers: u32,
    /// How many units there are.
    #[arg(long, default_value_t = 300, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    units: u32,
    /// The seed: the same one gives the same run.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many threads may work at once; the run is the same.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=256))]
    threads: u16,
    /// Plays so many seeds, from the given one on, one line each.
    #[arg(long, default_value_t = 1)]
    seeds: u64,
}

fn main() -> Result<ExitCode> {
    let args = Args::parse();
    let known = Scenario::known()?;
    if args.scenario == "list" {
        for (name, scenario) in &known {
            println!("{name:<12} {}", scenario.about);
        }
        return Ok(ExitCode::SUCCESS);
    }
    let scenario = known.get(&args.scenario).with_context(|| {
        let names: Vec<&str> = known.keys().map(String::as_str).collect();
        format!("there is no scenario {:?}: choose one of {}", args.scenario, names.join(", "))
    })?;
    let size = Size { peers: args.peers as usize, units: args.units as usize };
    let mut lost = 0;
    for seed in args.seed..args.seed.saturating_add(args.seeds.max(1)) {
        let start = Instant::now();
        let measure = World::new(scenario.clone(), size, seed)?.on_threads(args.threads.into())?.run();
        lost += measure.lost;
        if args.seeds <= 1 {
            println!(
                "{measure}\ntook                  {:.1} s of this machine",
                start.elapsed().as_secs_f64()
            );
            continue;
        }
        println!(
            "seed {seed}: factor {:.2}, {:.1} % again, {} lost, {:.0} bytes per unit and peer, {:.0} B/s of heartbeats",
            measure.stretch(),
            100.0 * measure.duplicated_share(),
            measure.lost,
            measure.bytes_per_unit(),
            measure.heartbeat_rate()
        );
    }
    Ok(if lost == 0 { ExitCode::SUCCESS } else { ExitCode::from(3) })
}
