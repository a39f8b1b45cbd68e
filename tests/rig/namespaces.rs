//! A network of its own for every peer, and a cable that can be cut.
//!
//! ```text
//!   peer 0 ──┐                       ┌── peer 7
//!   peer 1 ──┤ left ═══ cable ═══ right ├── peer 8      left, right: bridges in a namespace without peers
//!     ..   ──┘                       └──   ..           each peer: its namespace, its address 10.77.0.(i + 1)
//! ```

#![allow(dead_code, unreachable_pub, reason = "every test file uses another part")]

use std::ffi::OsStr;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

/// Names of namespaces: this, the test's process, a number within it, and what it is.
const PREFIX: &str = "odp-";
/// Networks of this process.
static COUNT: AtomicU32 = AtomicU32::new(0);

/// The namespaces. They are taken away when this is dropped; what a killed test left behind, when the next one begins.
pub struct Namespaces {
    name: String,
    made: Vec<String>,
}

impl Namespaces {
    /// Lays so many peers' places on the left and on the right. `None`, and why, where that is not possible.
    pub fn lay(left: usize, right: usize) -> Option<Self> {
        sweep();
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let mut network = Self { name: format!("{PREFIX}{}-{number}", std::process::id()), made: Vec::new() };
        match network.connect(left, right) {
            Ok(()) => Some(network),
            Err(why) => {
                eprintln!("skipped: no network namespaces here (they need root and iproute2): {why}");
                None
            }
        }
    }

    fn connect(&mut self, left: usize, right: usize) -> Result<(), String> {
        let middle = self.add("middle")?;
        let within = |args: &str| ip(["-n", &middle].into_iter().chain(args.split(' ')));
        for side in ["left", "right"] {
            within(&format!("link add {side} type bridge"))?;
            within(&format!("link set {side} up"))?;
        }
        within("link add cable type veth peer name cable-end")?;
        within("link set cable master left")?;
        within("link set cable-end master right")?;
        within("link set cable up")?;
        within("link set cable-end up")?;
        for i in 0..left + right {
            let place = self.add(&i.to_string())?;
            let side = if i < left { "left" } else { "right" };
            within(&format!("link add p{i} type veth peer name eth0 netns {place}"))?;
            within(&format!("link set p{i} master {side}"))?;
            within(&format!("link set p{i} up"))?;
            let at = |args: &str| ip(["-n", &place].into_iter().chain(args.split(' ')));
            at(&format!("addr add {}/24 dev eth0", Self::address(i)))?;
            at("link set eth0 up")?;
            at("link set lo up")?;
        }
        // Commands can be run in there, too.
        ip(["netns", "exec", &middle, "true"])
    }

    fn add(&mut self, what: &str) -> Result<String, String> {
        let name = format!("{}-{what}", self.name);
        ip(["netns", "add", &name])?;
        self.made.push(name.clone());
        Ok(name)
    }

    /// The address of peer `i`.
    pub fn address(i: usize) -> String {
        format!("10.77.0.{}", i + 1)
    }

    /// A command that becomes `program` in the place of peer `i`, in the same process.
    pub fn command(&self, i: usize, program: &OsStr) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &format!("{}-{i}", self.name)]).arg(program);
        command
    }

    /// Cuts the cable.
    pub fn cut(&self) {
        self.cable("down");
    }

    /// Lays it again.
    pub fn heal(&self) {
        self.cable("up");
    }

    fn cable(&self, state: &str) {
        ip(["-n", &format!("{}-middle", self.name), "link", "set", "cable", state]).unwrap();
    }

    /// Delays and loses what goes to every peer; says so where the kernel can't.
    pub fn bad_weather(&self, peers: usize) -> bool {
        for i in 0..peers {
            let middle = format!("{}-middle", self.name);
            let link = format!("p{i}");
            let args = ["-n", &middle, "qdisc", "add", "dev", &link, "root", "netem"];
            if let Err(why) = call("tc", args.into_iter().chain(["delay", "20ms", "10ms", "loss", "1%"])) {
                eprintln!("without delay and loss: the kernel has no netem: {why}");
                return false;
            }
        }
        true
    }
}

impl Drop for Namespaces {
    fn drop(&mut self) {
        for name in &self.made {
            let _ = ip(["netns", "del", name]);
        }
    }
}

/// Takes away what processes left behind that are gone.
fn sweep() {
    let Ok(output) = Command::new("ip").args(["netns", "list"]).output() else { return };
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let name = line.split(' ').next().unwrap_or_default();
        let process = name.strip_prefix(PREFIX).and_then(|rest| rest.split('-').next());
        let process = process.and_then(|process| process.parse::<u32>().ok());
        if process.is_some_and(|process| !std::path::Path::new(&format!("/proc/{process}")).exists()) {
            let _ = ip(["netns", "del", name]);
        }
    }
}

fn ip<'a>(args: impl IntoIterator<Item = &'a str>) -> Result<(), String> {
    call("ip", args)
}

fn call<'a>(program: &str, args: impl IntoIterator<Item = &'a str>) -> Result<(), String> {
    let args: Vec<&str> = args.into_iter().collect();
    match Command::new(program).args(&args).output() {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => {
            Err(format!("{program} {}: {}", args.join(" "), String::from_utf8_lossy(&output.stderr).trim()))
        }
        Err(error) => Err(format!("{program}: {error}")),
    }
}
