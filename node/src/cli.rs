//! What can be typed. Checked further by the command that it goes to.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Volunteers train explainable models on public data, peer to peer.
#[derive(Debug, Parser)]
#[command(name = "opendipaco", version, propagate_version = true, max_term_width = 100)]
#[command(
    after_help = "Exit codes: 0 done, 1 failed, 2 usage, 3 refused (routing, shard or signature\n    mismatch, a model that is not what its rows say).\n\
    Logs: set RUST_LOG, for example RUST_LOG=opendipaco=debug,net=debug."
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the whole network on this machine: publish, coordinate, and volunteers, each a process of its own.
    Run(RunArgs),
    /// Train a run file's model without a network; the bytes are those of `run`.
    Train(TrainArgs),
    /// Fit, count, hash and sign: write a run's manifest and its first delegation.
    Publish(PublishArgs),
    /// Name another coordinator for a run: write, and hand to peers, a newer delegation.
    Delegate(DelegateArgs),
    /// Show what a manifest says, without touching its source.
    Spec(SpecArgs),
    /// Check a manifest against the source: fit the router again, compare every shard.
    Verify(VerifyArgs),
    /// Write the rows of one path as CSV, checked against the manifest.
    Materialise(MaterialiseArgs),
    /// Collect the reports of runs, check and keep them, and write their models.
    Coordinate(CoordinateArgs),
    /// Volunteer: find a run, check its router, train its units, report literals.
    Join(JoinArgs),
    /// Show how far a run is, who trains what and how fast, as any peer's table has it.
    Status(StatusArgs),
    /// Predict the rows of a table, one line of JSON each.
    Predict(PredictArgs),
    /// Measure a model on the rows of a table.
    Evaluate(EvaluateArgs),
    /// Add to the rows of a table the path of each, for readers of models that know nothing of routers.
    Route(RouteArgs),
    /// Say why a model predicts rows as it does: the way to each bucket, and the training rows that vote.
    Audit(AuditArgs),
    /// Show what is in a model.
    Inspect(InspectArgs),
    /// Check every promise of a model against the rows it was trained on: what no training is needed for.
    Certify(CertifyArgs),
    /// Write a model again without its training rows.
    Strip(StripArgs),
    /// Make a key file, or show the public key of one.
    Keygen(KeygenArgs),
}

#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// The run file.
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// How many volunteers to start.
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=64))]
    pub(crate) volunteers: u32,
    /// Where to write the model; packed if the name ends in .gz.
    #[arg(long, value_name = "FILE", default_value = "model.json")]
    pub(crate) out: PathBuf,
    /// Leave the training rows out of the file. The run and its layers are the same.
    #[arg(long)]
    pub(crate) stripped: bool,
    /// Shards each volunteer keeps in memory (default: the run file's, else 4).
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=65_536))]
    pub(crate) max_shards: Option<u32>,
    /// Print events as lines of JSON instead of a progress display.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct TrainArgs {
    /// The run file.
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Where to write the model; packed if the name ends in .gz.
    #[arg(long, value_name = "FILE", default_value = "model.json")]
    pub(crate) out: PathBuf,
    /// Leave the training rows out of the file. The run and its layers are the same.
    #[arg(long)]
    pub(crate) stripped: bool,
    /// Threads to train with (default: all cores). The model does not depend on it.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub(crate) threads: Option<u32>,
    /// At the end, say in a line of JSON on standard error what each phase took, and the highest memory.
    #[arg(long)]
    pub(crate) timings: bool,
}

#[derive(Debug, Args)]
pub(crate) struct PublishArgs {
    /// The run file.
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Folder for NAME.manifest and NAME.delegation.
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub(crate) out: PathBuf,
    /// The operator's key file (made when it is not there).
    #[arg(long, value_name = "FILE")]
    pub(crate) key: Option<PathBuf>,
    /// Public key of the peer that will coordinate (default: the operator's own key).
    #[arg(long, value_name = "KEY")]
    pub(crate) coordinator: Option<String>,
    /// Hand the manifest to a peer, for example /ip4/192.0.2.7/tcp/4001.
    #[arg(long, value_name = "ADDR")]
    pub(crate) announce: Vec<String>,
    /// Read, fit and count everything, show what would be published, and write nothing. No key is needed.
    #[arg(long, conflicts_with = "announce")]
    pub(crate) dry_run: bool,
}

#[derive(Debug, Args)]
pub(crate) struct DelegateArgs {
    /// The manifest; its newest delegation lies beside it as NAME.delegation and is replaced.
    #[arg(value_name = "MANIFEST")]
    pub(crate) manifest: PathBuf,
    /// Public key of the peer that coordinates from now on.
    #[arg(long, value_name = "KEY")]
    pub(crate) coordinator: String,
    /// Where it listens, for example /ip4/192.0.2.7/tcp/4001 (it says so itself once it is connected).
    #[arg(long, value_name = "ADDR")]
    pub(crate) address: Vec<String>,
    /// The operator's key file.
    #[arg(long, value_name = "FILE")]
    pub(crate) key: Option<PathBuf>,
    /// Hand the delegation to a peer of the run, which tells the others.
    #[arg(long, value_name = "ADDR")]
    pub(crate) announce: Vec<String>,
    /// The delegation's number, where the newest one is not at hand.
    #[arg(long, value_name = "N")]
    pub(crate) number: Option<u64>,
}

#[derive(Debug, Args)]
pub(crate) struct SpecArgs {
    /// The manifest.
    #[arg(value_name = "MANIFEST")]
    pub(crate) manifest: PathBuf,
    /// Shorten nothing: all columns, classes, locations and shards.
    #[arg(long)]
    pub(crate) all: bool,
    /// Print one JSON object, which is never shortened.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    /// The manifest.
    #[arg(value_name = "MANIFEST")]
    pub(crate) manifest: PathBuf,
    #[command(flatten)]
    pub(crate) source: SourceArgs,
    /// Print one JSON object.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct MaterialiseArgs {
    /// The manifest.
    #[arg(value_name = "MANIFEST")]
    pub(crate) manifest: PathBuf,
    /// Whose shard, from 0.
    #[arg(long, value_name = "P")]
    pub(crate) path: u32,
    /// Where to write the CSV; packed if the name ends in .gz.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    /// Begin every row with its number in the source, in a column `__ordinal`.
    #[arg(long)]
    pub(crate) ordinals: bool,
    #[command(flatten)]
    pub(crate) source: SourceArgs,
}

#[derive(Debug, Args)]
pub(crate) struct RouteArgs {
    /// A model that carries its router, plain or .gz, or a manifest.
    #[arg(value_name = "MODEL|MANIFEST")]
    pub(crate) router: PathBuf,
    /// The rows: CSV with a header, JSON lines (.jsonl, .ndjson) or Parquet (.parquet), plain, .gz or .zst. The target need not be
    /// there.
    #[arg(value_name = "CSV")]
    pub(crate) csv: PathBuf,
    /// Where to write them (default: standard output); packed if the name ends in .gz.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
}

/// How a peer meets the network.
#[derive(Debug, Args)]
pub(crate) struct NetworkArgs {
    /// Address to listen on, for example /ip4/0.0.0.0/udp/4001/quic-v1; may be given several times (default: all
    /// interfaces, ports of the system's choice).
    #[arg(long, value_name = "ADDR")]
    pub(crate) listen: Vec<String>,
    /// Do not look for peers on the local network.
    #[arg(long)]
    pub(crate) no_mdns: bool,
    /// Print events as lines of JSON on standard output.
    #[arg(long)]
    pub(crate) json: bool,
    /// Say more: who comes and goes, what others claim, every unit that is begun.
    #[arg(long, short)]
    pub(crate) verbose: bool,
    /// Lease time in milliseconds, the same for all peers of a run. For tests.
    #[arg(long, value_name = "MS", hide = true)]
    pub(crate) lease_ms: Option<u64>,
}

/// Where a manifest's source is.
#[derive(Debug, Args)]
pub(crate) struct SourceArgs {
    /// Where the source lies, one file or address per part in order. Giving it is the permission to read it.
    #[arg(long, value_name = "FILE|ADDRESS")]
    pub(crate) source: Vec<String>,
    /// Read whatever the manifest names: files of this machine, and addresses of the local network.
    #[arg(long)]
    pub(crate) allow_local: bool,
    /// Read the parts where the run file of this machine says that they are, mirrors too. For the peers of `run`.
    #[arg(long, value_name = "FILE", hide = true, conflicts_with_all = ["source", "allow_local"])]
    pub(crate) source_of_run: Option<PathBuf>,
    /// Where the files that it names lie (default: beside it).
    #[arg(long, value_name = "DIR", hide = true, requires = "source_of_run")]
    pub(crate) beside: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct CoordinateArgs {
    /// The manifests; each one's delegation lies beside it, with the ending .delegation. With several, the files of --source are
    /// told apart by their names.
    #[arg(value_name = "MANIFEST", required = true)]
    pub(crate) manifests: Vec<PathBuf>,
    /// Folder for reports and models (default: opendipaco/coordinator where this system keeps programs' data).
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// The coordinator's key file (default: the operator's).
    #[arg(long, value_name = "FILE")]
    pub(crate) key: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) source: SourceArgs,
    /// Peers to connect to at the start.
    #[arg(long, value_name = "ADDR")]
    pub(crate) bootstrap: Vec<String>,
    /// Stay after the models are written.
    #[arg(long)]
    pub(crate) keep: bool,
    #[command(flatten)]
    pub(crate) network: NetworkArgs,
}

/// Most bytes of shards in memory where nobody says so, in MiB.
pub(crate) const SHARD_MEMORY: u64 = 4096;

#[derive(Debug, Args)]
pub(crate) struct JoinArgs {
    /// Most shards kept in memory.
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=65_536))]
    pub(crate) max_shards: u32,
    /// Most bytes of shards kept in memory, in MiB.
    #[arg(long, value_name = "MIB", default_value_t = SHARD_MEMORY, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) max_shard_memory: u64,
    /// Most bytes of shards kept on disk, in MiB.
    #[arg(long, value_name = "MIB", default_value_t = 4096)]
    pub(crate) max_shard_disk: u64,
    /// Fit the router again from the source and refuse the run when it differs.
    #[arg(long)]
    pub(crate) verify_routing: bool,
    /// Address of a peer of the network; may be given several times.
    #[arg(long, value_name = "ADDR")]
    pub(crate) bootstrap: Vec<String>,
    /// Only take runs that this key signed.
    #[arg(long, value_name = "KEY")]
    pub(crate) operator: Option<String>,
    /// The run to take, by run id (or its start) or by name.
    #[arg(long, value_name = "ID|NAME")]
    pub(crate) run: Option<String>,
    /// Folder for the key, shards and reports not yet delivered (default: opendipaco/volunteer where this system
    /// keeps programs' data).
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Threads to train with (default: all cores).
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub(crate) threads: Option<u32>,
    /// This volunteer's key file (default: volunteer.pem in the data folder, made when it is not there).
    #[arg(long, value_name = "FILE")]
    pub(crate) key: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) source: SourceArgs,
    /// Stay when the run is complete, and serve others.
    #[arg(long)]
    pub(crate) stay: bool,
    /// Do not ask before starting.
    #[arg(long)]
    pub(crate) yes: bool,
    /// How often to say how it stands, in milliseconds. For tests.
    #[arg(long, value_name = "MS", hide = true)]
    pub(crate) status_ms: Option<u64>,
    #[command(flatten)]
    pub(crate) network: NetworkArgs,
}

#[derive(Debug, Args)]
pub(crate) struct StatusArgs {
    /// Address of the peer to ask, a coordinator or a volunteer (default: peers that a volunteer of this machine has met, and
    /// those of the local network).
    #[arg(long, value_name = "ADDR")]
    pub(crate) connect: Option<String>,
    /// The run to show, by run id (or its start) or by name.
    #[arg(long, value_name = "ID|NAME")]
    pub(crate) run: Option<String>,
    /// Only show runs that this key signed.
    #[arg(long, value_name = "KEY")]
    pub(crate) operator: Option<String>,
    /// Folder of the volunteer whose peers are asked (default: opendipaco/volunteer where this system keeps programs' data).
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Do not look for peers on the local network.
    #[arg(long)]
    pub(crate) no_mdns: bool,
    /// Shorten nothing: all paths, leases and peers that the peer tells of.
    #[arg(long)]
    pub(crate) all: bool,
    /// Print one JSON object, which is never shortened.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum OutputFormat {
    Json,
    Csv,
}

#[derive(Debug, Args)]
pub(crate) struct PredictArgs {
    /// The model.
    #[arg(value_name = "MODEL")]
    pub(crate) model: PathBuf,
    /// The rows: CSV with a header, JSON lines (.jsonl, .ndjson) or Parquet (.parquet), plain, .gz or .zst.
    #[arg(value_name = "CSV")]
    pub(crate) csv: PathBuf,
    /// How to print: a JSON object a line, or CSV.
    #[arg(long, value_enum, default_value_t = OutputFormat::Json)]
    pub(crate) format: OutputFormat,
    /// At the end, say in a line of JSON on standard error what each phase took, and the highest memory.
    #[arg(long)]
    pub(crate) timings: bool,
    /// Threads to predict with (default: all cores). What is printed does not depend on it.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub(crate) threads: Option<u32>,
}

#[derive(Debug, Args)]
pub(crate) struct EvaluateArgs {
    /// The model.
    #[arg(value_name = "MODEL")]
    pub(crate) model: PathBuf,
    /// The rows with their target: CSV with a header, JSON lines (.jsonl, .ndjson) or Parquet (.parquet), plain, .gz or .zst.
    #[arg(value_name = "CSV")]
    pub(crate) csv: PathBuf,
    /// Only the rows that this run file or manifest holds out.
    #[arg(long, value_name = "FILE|MANIFEST")]
    pub(crate) held_out: Option<PathBuf>,
    /// Print one JSON object.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Rows of a file, by position from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RowRange {
    /// The first.
    pub(crate) from: u64,
    /// The one after the last; `u64::MAX`: to the end.
    pub(crate) to: u64,
}

impl std::str::FromStr for RowRange {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = |text: &str, empty: u64| match text {
            "" => Some(empty),
            text => text.parse().ok(),
        };
        let range = match text.split_once("..") {
            Some((from, to)) => number(from, 0).zip(number(to, u64::MAX)),
            None => text.parse().ok().and_then(|row: u64| Some((row, row.checked_add(1)?))),
        };
        match range {
            Some((from, to)) if from < to => Ok(Self { from, to }),
            _ => Err("rows are a position from 0, such as 17, or a range without its end, such as 10..20, 10.. or ..20".into()),
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct AuditArgs {
    /// The model.
    #[arg(value_name = "MODEL")]
    pub(crate) model: PathBuf,
    /// The rows: CSV with a header, JSON lines (.jsonl, .ndjson) or Parquet (.parquet), plain, .gz or .zst.
    #[arg(value_name = "CSV", required_unless_present = "row", conflicts_with = "row")]
    pub(crate) csv: Option<PathBuf>,
    /// One row instead, as a JSON object: values by column. What is null or not there is missing.
    #[arg(long, value_name = "JSON")]
    pub(crate) row: Option<String>,
    /// Which rows of the table, from 0: A, or A..B without B.
    #[arg(long, value_name = "A..B", conflicts_with = "row")]
    pub(crate) rows: Option<RowRange>,
    /// Rules shown per layer, the strongest first (default: 5; with --json all).
    #[arg(long, value_name = "N")]
    pub(crate) rules: Option<usize>,
    /// Training rows named per rule (default: 3; with --json all).
    #[arg(long, value_name = "N")]
    pub(crate) lookalikes: Option<usize>,
    /// Shorten nothing: all rules, training rows and values.
    #[arg(long, conflicts_with_all = ["rules", "lookalikes"])]
    pub(crate) all: bool,
    /// Print one JSON object a row.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct InspectArgs {
    /// The model.
    #[arg(value_name = "MODEL")]
    pub(crate) model: PathBuf,
    /// How many of the largest clauses are shown as rules.
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub(crate) rules: usize,
    /// Print one JSON object.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct CertifyArgs {
    /// The model, plain or .gz.
    #[arg(value_name = "MODEL")]
    pub(crate) model: PathBuf,
    /// The rows it was trained on: the files of the source in order. Without any, a model is checked
    /// against the rows it carries.
    #[arg(value_name = "DATA")]
    pub(crate) data: Vec<PathBuf>,
    /// The run file or manifest, which says which rows were held out. Rarely needed: most shares are found without.
    #[arg(long, value_name = "FILE|MANIFEST", requires = "data")]
    pub(crate) held_out: Option<PathBuf>,
    /// Print one JSON object.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct StripArgs {
    /// The model, plain or .gz.
    #[arg(value_name = "MODEL")]
    pub(crate) model: PathBuf,
    /// Where to write it; packed if the name ends in .gz.
    #[arg(value_name = "OUT")]
    pub(crate) out: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct KeygenArgs {
    /// The key file (default: the operator's).
    #[arg(value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn rows_are_named_by_position() {
        let range = |text: &str| text.parse::<RowRange>().map(|range| (range.from, range.to)).ok();
        assert_eq!(range("7"), Some((7, 8)));
        assert_eq!(range("7..9"), Some((7, 9)));
        assert_eq!(range("7.."), Some((7, u64::MAX)));
        assert_eq!(range("..9"), Some((0, 9)));
        for wrong in ["", "a", "-1", "9..7", "7..7", "1..2..3", "18446744073709551615"] {
            assert_eq!(range(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
