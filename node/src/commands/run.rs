//! `run`: the whole network on this machine, every peer a process of its own over loopback.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use indicatif::{ProgressBar, ProgressStyle};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::mpsc;

use crate::cli::RunArgs;
use crate::commands::evaluate::{evaluate, held_out};
use crate::commands::publish::{Announcement, sign, write};
use crate::commands::strip::strip;
use crate::commands::train::spinner;
use crate::events::Event;
use crate::model_rows::read_model;
use crate::outln;
use crate::run_files::Operated;
use crate::{files, key_file, model_file, stopping};

/// The run file as it was at the start, for the peers.
const RUN_FILE: &str = "run.toml";
/// Events of all peers that wait to be looked at; readers wait when it is full.
const EVENTS: usize = 1024;

pub(crate) fn run(args: &RunArgs) -> Result<()> {
    let start = Instant::now();
    files::check_place(&args.out)?;
    let operated = Operated::read(&args.file)?;
    let folder = tempfile::Builder::new().prefix("opendipaco-").tempdir().context("no temporary folder")?;
    std::fs::copy(&args.file, folder.path().join(RUN_FILE)).context("the run file can't be copied")?;
    let busy = spinner();
    let published = operated.publish(&|step| busy.set_message(step.to_string()))?;
    busy.finish_and_clear();
    if let Some(reason) = &published.summary.degraded {
        eprintln!("{reason}");
    }
    let key = folder.path().join("operator.pem");
    let operator = key_file::load_or_make(&key)?.identity;
    let announcement = sign(&operated, &published, &operator, None)?;
    let (manifest, _) = write(&announcement, folder.path())?;
    let runtime = tokio::runtime::Runtime::new().context("the runtime can't be started")?;
    let network =
        Network { args, operated: &operated, folder: folder.path(), manifest: &manifest, key: &key };
    let tally = runtime.block_on(async {
        tokio::select! {
            tally = network.run(&announcement) => tally,
            () = stopping::asked() => bail!("stopped; nothing was written"),
        }
    })?;
    if args.stripped {
        strip(&tally.model, &args.out)?;
    } else {
        let mut written = std::fs::File::open(&tally.model).context("the coordinator's model")?;
        model_file::write(&args.out, |out| Ok(std::io::copy(&mut written, out).map(|_| ())?))?;
    }
    let seconds = start.elapsed().as_secs_f64();
    if !args.json {
        summarise(args, &operated, &published, &tally, seconds)?;
    }
    Ok(())
}

struct Network<'a> {
    args: &'a RunArgs,
    operated: &'a Operated,
    folder: &'a Path,
    manifest: &'a Path,
    key: &'a Path,
}

/// What the peers told.
#[derive(Debug, Default)]
struct Tally {
    model: PathBuf,
    units: u64,
    /// Units trained; one that two volunteers trained counts twice.
    trainings: u64,
    /// Bytes sent, by peer: the coordinator first.
    sent: Vec<u64>,
    verified: usize,
}

/// A line of a peer's, or its end.
enum Told {
    Event(usize, Event),
    Ended(usize, std::process::ExitStatus, String),
}

impl Network<'_> {
    async fn run(&self, announcement: &Announcement) -> Result<Tally> {
        let (told_in, mut told) = mpsc::channel(EVENTS);
        let peers = self.args.volunteers as usize + 1;
        let mut tally = Tally { sent: vec![0; peers], ..Tally::default() };
        let bar = self.bar(announcement);
        self.spawn(0, self.coordinator(), told_in.clone())?;
        let mut running = 1usize;
        let mut joined = false;
        let mut written = false;
        while running > 0 {
            match told.recv().await.context("all peers are gone")? {
                Told::Event(peer, event) => {
                    if self.args.json {
                        show(peer, &event);
                    }
                    match event {
                        Event::Listening { address } if peer == 0 && !joined => {
                            joined = true;
                            for i in 1..peers {
                                self.spawn(i, self.volunteer(i, &address, announcement), told_in.clone())?;
                                running += 1;
                            }
                        }
                        Event::Progress { units_done, units, .. } => {
                            tally.units = units;
                            bar.set_length(units);
                            bar.set_position(units_done);
                        }
                        Event::Trained { path, layer, .. } => {
                            tally.trainings += 1;
                            bar.set_message(format!("volunteer {peer}: path {path} layer {layer}"));
                        }
                        Event::RoutingVerified { .. } => tally.verified += 1,
                        Event::ModelWritten { path, .. } => {
                            tally.model = PathBuf::from(path);
                            written = true;
                        }
                        Event::Left { bytes_sent, .. } => {
                            if let Some(sent) = tally.sent.get_mut(peer) {
                                *sent = bytes_sent;
                            }
                        }
                        Event::Warning { text } => bar.suspend(|| eprintln!("{}: {text}", name(peer))),
                        _ => {}
                    }
                }
                Told::Ended(peer, status, errors) => {
                    running -= 1;
                    // A volunteer that came when all was done found nobody: no reason to doubt the model.
                    if !status.success() && (peer == 0 || !written) {
                        bar.finish_and_clear();
                        bail!("{} failed: {}", name(peer), errors.trim().trim_start_matches("opendipaco: "));
                    }
                }
            }
        }
        bar.finish_and_clear();
        if !written {
            bail!("all peers are done, and no model was written");
        }
        Ok(tally)
    }

    fn bar(&self, announcement: &Announcement) -> ProgressBar {
        let bar = if self.args.json { ProgressBar::hidden() } else { ProgressBar::new(0) };
        let template = "{prefix} {bar:30} {pos}/{len} units  {msg}";
        let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        bar.with_style(style).with_prefix(announcement.manifest.title())
    }

    fn coordinator(&self) -> Vec<String> {
        let mut line =
            strings(&["coordinate", &shown(self.manifest), "--key", &shown(self.key), "--data-dir"]);
        line.push(shown(&self.folder.join("coordinator")));
        self.finish(line)
    }

    fn volunteer(&self, i: usize, address: &str, announcement: &Announcement) -> Vec<String> {
        let volunteer = &self.operated.file.volunteer;
        let shards = self.args.max_shards.unwrap_or(volunteer.max_shards);
        let cores = crate::commands::train::threads(volunteer.threads);
        let threads = (cores / self.args.volunteers.max(1) as usize).max(1);
        let mut line = strings(&["join", "--bootstrap", address, "--verify-routing", "--yes", "--data-dir"]);
        line.push(shown(&self.folder.join(format!("volunteer-{i}"))));
        line.extend(strings(&["--max-shards", &shards.to_string(), "--threads", &threads.to_string()]));
        line.extend(["--run".to_owned(), announcement.manifest.run().to_string()]);
        if let Some(bytes) = volunteer.max_shard_memory {
            line.extend(["--max-shard-memory".to_owned(), bytes.div_ceil(1 << 20).max(1).to_string()]);
        }
        self.finish(line)
    }

    /// What all peers have in common: events, loopback, and where the source is.
    fn finish(&self, mut line: Vec<String>) -> Vec<String> {
        line.extend(strings(&["--json", "--no-mdns", "--listen", "/ip4/127.0.0.1/udp/0/quic-v1"]));
        line.extend(["--source-of-run".to_owned(), shown(&self.folder.join(RUN_FILE))]);
        let beside = self.args.file.parent().filter(|folder| !folder.as_os_str().is_empty());
        let beside = beside.unwrap_or(Path::new("."));
        line.extend(["--beside".to_owned(), shown(beside)]);
        line
    }

    /// Starts a peer; it is killed when this program ends.
    fn spawn(&self, peer: usize, line: Vec<String>, told: mpsc::Sender<Told>) -> Result<()> {
        let program = std::env::current_exe().context("this program can't find itself")?;
        let mut child = Command::new(program)
            .args(line)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("{} can't be started", name(peer)))?;
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        tokio::spawn(async move {
            let errors = tokio::spawn(read_errors(stderr));
            if let Some(stdout) = stdout {
                let mut lines = BufReader::new(stdout).lines();
                while let Ok(Some(line)) = lines.next_line().await {
                    if let Ok(event) = serde_json::from_str(&line)
                        && told.send(Told::Event(peer, event)).await.is_err()
                    {
                        return;
                    }
                }
            }
            wait(peer, child, errors.await.unwrap_or_default(), told).await;
        });
        Ok(())
    }
}

async fn wait(peer: usize, mut child: Child, errors: String, told: mpsc::Sender<Told>) {
    if let Ok(status) = child.wait().await {
        let _ = told.send(Told::Ended(peer, status, errors)).await;
    }
}

/// The last of what a peer wrote to standard error.
async fn read_errors(stderr: Option<tokio::process::ChildStderr>) -> String {
    const KEPT: usize = 20;
    let mut last = VecDeque::new();
    if let Some(stderr) = stderr {
        let mut lines = BufReader::new(stderr.take(1 << 24)).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            if last.len() == KEPT {
                last.pop_front();
            }
            last.push_back(line);
        }
    }
    Vec::from(last).join("\n")
}

/// An event as a line of JSON that says whose it is: 0 is the coordinator.
fn show(peer: usize, event: &Event) {
    if let Ok(serde_json::Value::Object(mut line)) = serde_json::to_value(event) {
        line.insert("peer".into(), peer.into());
        // Whoever reads may go; the run goes on.
        let _ = outln!("{}", serde_json::Value::Object(line));
    }
}

fn name(peer: usize) -> String {
    if peer == 0 { "the coordinator".into() } else { format!("volunteer {peer}") }
}

fn strings(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

fn summarise(
    args: &RunArgs,
    operated: &Operated,
    published: &spec::Published,
    tally: &Tally,
    seconds: f64,
) -> Result<()> {
    let trained: u64 = published.spec.shards.iter().map(|shard| shard.rows).sum();
    outln!("model       {}", args.out.display())?;
    if published.summary.held_out > 0 {
        let model = read_model(&args.out)?;
        let figures = evaluate(&model, &operated.source, Some(&held_out(&args.file)?))?;
        let figures: Vec<String> = figures
            .summary()
            .iter()
            .filter_map(|(name, value)| {
                value.as_f64().filter(|_| !name.starts_with("rows")).map(|v| format!("{name} {v:.4}"))
            })
            .collect();
        outln!("held out    {} rows: {}", published.summary.held_out, figures.join(", "))?;
    }
    let again = match tally.trainings.saturating_sub(tally.units) {
        0 => String::new(),
        again => format!(" ({again} of them twice)"),
    };
    outln!("trained on  {trained} rows, {} units{again}", tally.units)?;
    outln!(
        "peers       1 coordinator, {} volunteers; router verified by {}",
        args.volunteers,
        tally.verified
    )?;
    for (peer, sent) in tally.sent.iter().enumerate() {
        outln!("sent        {sent} bytes by {}", name(peer))?;
    }
    outln!("seconds     {seconds:.1}")?;
    Ok(())
}
