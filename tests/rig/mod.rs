//! What the whole-system tests share: real processes on ports the system chooses, told apart by their events.
//!
//! ```text
//!   Run::new(data, run file) --publish--> manifest, delegation
//!        |                                      |
//!        |-- coordinator() --events--> expect(..)
//!        '-- volunteer(i)  --events--> expect(..)      kill(), wait()
//! ```
//!
//! Nothing sleeps: every wait is for a line of JSON that a process prints, or for its end, with one generous limit.

#![allow(dead_code, unreachable_pub, reason = "every test file uses another part")]

use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::Value;

/// How long anything may take before a test gives up on it. Only a broken program gets here.
pub const LIMIT: Duration = Duration::from_secs(120);

/// The program under test.
pub fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_opendipaco"));
    command.env_remove("RUST_LOG").stdin(Stdio::null());
    command
}

/// Runs a command to its end and takes what it printed.
pub fn output(args: &[&str], folder: &Path) -> Output {
    program().args(args).current_dir(folder).env("XDG_DATA_HOME", folder.join("home")).output().unwrap()
}

/// Runs a command that has to succeed.
pub fn succeed(args: &[&str], folder: &Path) -> String {
    let output = output(args, folder);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "opendipaco {args:?} ended with {}: {error}", output.status);
    String::from_utf8(output.stdout).unwrap()
}

/// Runs a command that has to fail with this exit code, and gives its message.
pub fn fail(code: i32, args: &[&str], folder: &Path) -> String {
    let output = output(args, folder);
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "opendipaco {args:?}: {error}");
    error
}

/// A shared data set, if it is there; says so if not.
pub fn shared(name: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared").join(name);
    if path.exists() {
        return Some(path);
    }
    eprintln!("skipped: shared/{name} is not there");
    None
}

/// A folder of the repository.
pub fn repository(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name)
}

/// Numbers from 0 to 1, the same for the same seed.
fn random(seed: u64) -> impl FnMut() -> f64 {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// A reproducible table: numbers and text, two or three classes with noisy edges, so that training has work to do.
pub fn table(rows: usize, features: usize, seed: u64) -> String {
    let mut random = random(seed);
    let words = ["red", "rose", "ruby", "green", "grass", "lime", "blue", "navy", "azure"];
    let mut text = String::from("word");
    for i in 0..features {
        write!(text, ",f{i}").unwrap();
    }
    text.push_str(",class\n");
    for _ in 0..rows {
        let class = (random() * 3.0) as usize;
        let word = if random() < 0.8 {
            words[class * 3 + (random() * 3.0) as usize]
        } else {
            words[(random() * 9.0) as usize]
        };
        text.push_str(word);
        for i in 0..features {
            let centre = if i % 3 == class { 1.5 } else { 0.0 };
            write!(text, ",{:.4}", centre + 2.0 * random() + random()).unwrap();
        }
        writeln!(text, ",{}", ["a", "b", "c"][class]).unwrap();
    }
    text
}

/// A reproducible table that takes long to learn: coarse cells, and a class that has nothing to do with them.
pub fn riddle(rows: usize, features: usize, seed: u64) -> String {
    let mut random = random(seed);
    let mut text = (0..features).map(|i| format!("f{i},")).collect::<String>();
    text.push_str("class\n");
    for _ in 0..rows {
        for _ in 0..features {
            write!(text, "{},", (random() * 3.0) as usize).unwrap();
        }
        writeln!(text, "{}", ["a", "b", "c"][(random() * 3.0) as usize]).unwrap();
    }
    text
}

/// A reproducible table with a number to be predicted, in the column `class`: two fractional digits, 40 different values.
pub fn numbers(rows: usize, features: usize, seed: u64) -> String {
    let mut text = String::new();
    for (i, line) in table(rows, features, seed).lines().enumerate() {
        let (cells, class) = line.rsplit_once(',').unwrap();
        if i == 0 {
            writeln!(text, "{line}").unwrap();
            continue;
        }
        let step = i.wrapping_mul(2_654_435_761) >> 7;
        let number = match class {
            "a" => step % 10,
            "b" => 10 + step % 10,
            _ => 20 + step % 20,
        };
        writeln!(text, "{cells},{:.2}", number as f64 / 4.0).unwrap();
    }
    text
}

/// The unit an event is about.
pub fn unit(event: &Value) -> (u64, u64) {
    (event["path"].as_u64().unwrap(), event["layer"].as_u64().unwrap())
}

/// A process that prints events.
pub struct Peer {
    name: String,
    child: Child,
    lines: Receiver<Value>,
    seen: Vec<Value>,
    errors: Option<JoinHandle<String>>,
}

impl Peer {
    /// Starts the program with `--json`.
    pub fn start(name: &str, folder: &Path, args: &[String]) -> Self {
        let mut command = program();
        command.args(args);
        Self::launch(name, folder, command)
    }

    /// Starts a command that becomes the program with `--json`.
    pub fn launch(name: &str, folder: &Path, mut command: Command) -> Self {
        command.current_dir(folder).env("XDG_DATA_HOME", folder.join("home"));
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (sender, lines) = sync_channel(100_000);
        let stdout = child.stdout.take().unwrap();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines() {
                let Ok(line) = line else { break };
                if let Ok(event) = serde_json::from_str(&line)
                    && sender.send(event).is_err()
                {
                    break;
                }
            }
        });
        let mut stderr = child.stderr.take().unwrap();
        let errors = std::thread::spawn(move || {
            let mut text = String::new();
            let _ = stderr.read_to_string(&mut text);
            text
        });
        Self { name: name.to_owned(), child, lines, seen: Vec::new(), errors: Some(errors) }
    }

    /// Waits for the next event of this name for which `fits` holds; what came before it is kept in [`Self::seen`].
    pub fn expect_where(&mut self, event: &str, fits: impl Fn(&Value) -> bool) -> Value {
        let end = Instant::now() + LIMIT;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(value) => {
                    self.seen.push(value.clone());
                    if value["event"] == event && fits(&value) {
                        return value;
                    }
                }
                Err(RecvTimeoutError::Timeout) => self.give_up(&format!("no {event} within {LIMIT:?}")),
                Err(RecvTimeoutError::Disconnected) => self.give_up(&format!("it ended without {event}")),
            }
        }
    }

    /// Waits for the next event of this name.
    pub fn expect(&mut self, event: &str) -> Value {
        self.expect_where(event, |_| true)
    }

    /// Everything seen so far, waited for or passed over.
    pub fn seen(&self, event: &str) -> Vec<&Value> {
        self.seen.iter().filter(|value| value["event"] == event).collect()
    }

    /// All events seen so far, in their order.
    pub fn all(&self) -> &[Value] {
        &self.seen
    }

    /// Reads what is left and waits for the end; gives the exit code and standard error.
    pub fn wait(&mut self) -> (Option<i32>, String) {
        let end = Instant::now() + LIMIT;
        loop {
            match self.lines.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(value) => self.seen.push(value),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => self.give_up("it does not end"),
            }
        }
        let status: ExitStatus = self.child.wait().unwrap();
        let errors = self.errors.take().map(|thread| thread.join().unwrap()).unwrap_or_default();
        (status.code(), errors)
    }

    /// Waits for an end with exit code 0.
    pub fn succeed(&mut self) {
        let (code, errors) = self.wait();
        assert_eq!(code, Some(0), "{} ended with {code:?}: {errors}", self.name);
    }

    /// The peer's key. To be asked before anything else is waited for.
    pub fn key(&mut self) -> String {
        self.expect("started")["key"].as_str().unwrap().to_owned()
    }

    /// SIGTERM: it is asked to end.
    pub fn terminate(&self) {
        self.signal("-TERM");
    }

    /// Waits for the end of a volunteer that was asked to leave: in peace, or cut short after its second, which on a machine
    /// that is too busy may come first.
    pub fn left(&mut self) {
        let (code, errors) = self.wait();
        let cut_short = code == Some(1) && errors.contains("without having said goodbye");
        assert!(code == Some(0) || cut_short, "{} ended with {code:?}: {errors}", self.name);
    }

    /// SIGSTOP: it stands still from now on.
    pub fn pause(&self) {
        self.signal("-STOP");
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: &str) {
        let status = Command::new("kill").args([signal, &self.child.id().to_string()]).status().unwrap();
        assert!(status.success(), "{} can't be sent {signal}", self.name);
    }

    /// Whether it has ended by itself.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Takes what it has said until now, without waiting.
    pub fn catch_up(&mut self) {
        self.seen.extend(self.lines.try_iter());
    }

    /// Takes all that the process still had to say, without caring how it ended: for one that was killed.
    pub fn rest(&mut self) {
        self.wait();
    }

    /// SIGKILL, and waits until it is gone.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    fn give_up(&mut self, why: &str) -> ! {
        self.kill();
        let errors = self.errors.take().map(|thread| thread.join().unwrap()).unwrap_or_default();
        let last: Vec<String> = self.seen.iter().rev().take(15).map(Value::to_string).collect();
        panic!("{}: {why}\nlast events, newest first: {last:#?}\nstandard error: {errors}", self.name);
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A run on this machine: a folder, a run file, and what `publish` made of it.
pub struct Run {
    pub folder: tempfile::TempDir,
    pub name: String,
    pub lease_ms: u64,
}

impl Run {
    /// Writes the data and the run file. `settings` is TOML after the `[source]` table's locations and target.
    pub fn new(name: &str, data: &str, settings: &str) -> Self {
        let run = Self { folder: tempfile::tempdir().unwrap(), name: name.to_owned(), lease_ms: 2_000 };
        fs::write(run.path("data.csv"), data).unwrap();
        let text = format!(
            "name = \"{name}\"\n[source]\nlocations = [\"data.csv\"]\ntarget = \"class\"\n{settings}"
        );
        fs::write(run.path("run.toml"), text).unwrap();
        run
    }

    /// A file in the run's folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The model that one machine trains.
    pub fn trained_alone(&self) -> Vec<u8> {
        succeed(&["train", "run.toml", "--out", "alone.json"], self.folder.path());
        fs::read(self.path("alone.json")).unwrap()
    }

    /// Starts to train alone, beside whatever else goes on.
    pub fn start_training_alone(&self) -> Peer {
        let args = strings(&["train", "run.toml", "--out", "alone.json"]);
        Peer::start("train", self.folder.path(), &args)
    }

    /// The model that was trained alone, once it is there.
    pub fn trained_beside(&self, training: &mut Peer) -> Vec<u8> {
        training.succeed();
        fs::read(self.path("alone.json")).unwrap()
    }

    /// Publishes, with the operator's key in `operator.pem`.
    pub fn publish(&self) {
        succeed(&["publish", "run.toml", "--key", "operator.pem"], self.folder.path());
    }

    /// The manifest's file.
    pub fn manifest(&self) -> PathBuf {
        self.path(&format!("{}.manifest", self.name))
    }

    /// Starts the coordinator and waits until it listens. Its port is the system's choice, the same after a restart.
    pub fn coordinator(&self, more: &[&str]) -> (Peer, String) {
        let args = self.coordinator_args(more);
        let mut peer = Peer::start("coordinator", self.folder.path(), &args);
        let address = peer.expect("listening")["address"].as_str().unwrap().to_owned();
        (peer, address)
    }

    /// What a coordinator is started with.
    pub fn coordinator_args(&self, more: &[&str]) -> Vec<String> {
        let manifest = format!("{}.manifest", self.name);
        let mut args = strings(&["coordinate", &manifest, "--key", "operator.pem", "--json", "--no-mdns"]);
        args.extend(strings(&["--data-dir", "coordinator", "--lease-ms", &self.lease_ms.to_string()]));
        if !more.contains(&"--listen") {
            args.extend(strings(&["--listen", "/ip4/127.0.0.1/tcp/0"]));
        }
        args.extend(strings(more));
        args
    }

    /// Starts a coordinator that has its source.
    pub fn coordinator_with_source(&self) -> (Peer, String) {
        self.coordinator(&["--source", "data.csv"])
    }

    /// Starts volunteer number `i` with this bootstrap address, and with the run's source unless it is given another, or none by
    /// the word `--source-is-the-manifests`, which is ours.
    pub fn volunteer(&self, i: usize, bootstrap: &str, more: &[&str]) -> Peer {
        Peer::start(&format!("volunteer {i}"), self.folder.path(), &self.volunteer_args(i, bootstrap, more))
    }

    /// What volunteer number `i` is started with.
    pub fn volunteer_args(&self, i: usize, bootstrap: &str, more: &[&str]) -> Vec<String> {
        let of_manifest = more.contains(&"--source-is-the-manifests");
        let mut args = strings(&["join", "--bootstrap", bootstrap, "--json", "--no-mdns", "--yes"]);
        args.extend(strings(&["--threads", "1", "--lease-ms", &self.lease_ms.to_string()]));
        if !more.contains(&"--listen") {
            args.extend(strings(&["--listen", "/ip4/127.0.0.1/tcp/0"]));
        }
        if !more.contains(&"--data-dir") {
            args.extend(strings(&["--data-dir", &format!("volunteer-{i}")]));
        }
        if !more.contains(&"--source") && !of_manifest {
            args.extend(strings(&["--source", "data.csv"]));
        }
        args.extend(more.iter().filter(|s| **s != "--source-is-the-manifests").map(|s| (*s).to_owned()));
        args
    }

    /// The model the coordinator wrote.
    pub fn model(&self, written: &Value) -> Vec<u8> {
        fs::read(self.folder.path().join(written["path"].as_str().unwrap())).unwrap()
    }
}

/// Arguments, owned.
pub fn strings(args: &[&str]) -> Vec<String> {
    args.iter().map(|s| (*s).to_owned()).collect()
}
