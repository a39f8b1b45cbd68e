//! A whole network that reads as a script: `trigger_*` does something to it, `expect_*` waits for what has to follow.
//!
//! ```text
//!   Network::start(run) ── publishes, starts the coordinator (it stays when the model is written), trains alone meanwhile
//!      │ trigger_join(12)                 volunteers 0..12, all by the coordinator's address
//!      │ trigger_kill(3), trigger_leave(3), trigger_stop(3), trigger_back(3)
//!      │ trigger_coordinator_killed(), trigger_coordinator_back()
//!      │ trigger_partition(), trigger_heal()          where every peer has a network of its own
//!      │ expect_progress(n)                           so many more units at the coordinator
//!      └ expect_the_same_bytes_and_everyone_content()
//! ```

#![allow(dead_code, unreachable_pub, reason = "every test file uses another part")]

use std::collections::BTreeSet;
use std::fs;
use std::net::{TcpListener, UdpSocket};
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::Value;

use crate::namespaces::Namespaces;
use crate::rig::{Peer, Run, program, unit};

/// Where the peers live.
enum Ground {
    /// All on this machine, over TCP.
    Tcp,
    /// All on this machine, over QUIC.
    Quic,
    /// Each in a network of its own, the coordinator in the first one.
    Apart(Namespaces),
}

/// A port for a coordinator that will be killed and has to get it again. It lies below those that the system gives away by
/// itself, so that nobody else takes it meanwhile.
fn port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    loop {
        let number = std::process::id().wrapping_mul(97).wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed));
        let port = 20_000 + (number % 12_000) as u16;
        let at = ("127.0.0.1", port);
        if TcpListener::bind(at).is_ok() && UdpSocket::bind(at).is_ok() {
            return port;
        }
    }
}

/// What a volunteer's place is in.
enum Seat {
    Here(Peer),
    Stopped(Peer),
    Away,
}

/// How a volunteer is started, again and again.
struct Way {
    bootstrap: String,
    environment: Vec<(String, String)>,
}

/// A coordinator and its volunteers.
pub struct Network {
    // Processes end before the ground they stand on is taken away.
    coordinator: Option<Peer>,
    volunteers: Vec<Seat>,
    ways: Vec<Way>,
    /// Trains alone, meanwhile, until it has to be through.
    training_alone: Option<Peer>,
    alone: Vec<u8>,
    pub run: Run,
    ground: Ground,
    pub address: String,
    /// The units that former coordinators stored.
    stored: BTreeSet<(u64, u64)>,
}

impl Network {
    /// Over loopback.
    pub fn start(run: Run) -> Self {
        Self::on(Ground::Tcp, format!("/ip4/127.0.0.1/tcp/{}", port()), run)
    }

    /// Over loopback, with QUIC.
    pub fn start_over_quic(run: Run) -> Self {
        Self::on(Ground::Quic, format!("/ip4/127.0.0.1/udp/{}/quic-v1", port()), run)
    }

    /// Every peer in a network of its own, the coordinator in the first.
    pub fn start_apart(namespaces: Namespaces, run: Run) -> Self {
        Self::on(Ground::Apart(namespaces), format!("/ip4/{}/tcp/4001", Namespaces::address(0)), run)
    }

    fn on(ground: Ground, address: String, run: Run) -> Self {
        let training_alone = Some(run.start_training_alone());
        run.publish();
        let mut network = Self {
            coordinator: None,
            volunteers: Vec::new(),
            ways: Vec::new(),
            training_alone,
            alone: Vec::new(),
            run,
            ground,
            address,
            stored: BTreeSet::new(),
        };
        network.trigger_coordinator_back();
        network
    }

    fn launch(&self, name: &str, place: usize, args: &[String], environment: &[(String, String)]) -> Peer {
        let mut command = match &self.ground {
            Ground::Tcp | Ground::Quic => program(),
            Ground::Apart(namespaces) => {
                let mut command = namespaces.command(place, program().get_program());
                command.env_remove("RUST_LOG").stdin(Stdio::null());
                command
            }
        };
        command.args(args).envs(environment.iter().map(|(name, value)| (name, value)));
        Peer::launch(name, self.run.folder.path(), command)
    }

    /// The coordinator starts (again), where it was.
    pub fn trigger_coordinator_back(&mut self) {
        let more = ["--keep", "--source", "data.csv", "--listen", &self.address];
        let args = self.run.coordinator_args(&more);
        let mut peer = self.launch("coordinator", 0, &args, &[]);
        let listening = peer.expect("listening");
        assert_eq!(listening["address"], self.address.as_str());
        self.coordinator = Some(peer);
    }

    /// SIGKILL for the coordinator.
    pub fn trigger_coordinator_killed(&mut self) {
        let mut peer = self.coordinator.take().unwrap();
        assert!(!peer.has_ended(), "the coordinator is to be killed and has ended by itself");
        peer.kill();
        peer.rest();
        self.look_back(&peer);
    }

    /// What former coordinators stored was there, and was not stored once more.
    fn look_back(&mut self, peer: &Peer) {
        if let Some(first) = peer.seen("progress").first() {
            let before = self.stored.len() as u64;
            assert!(units_done(first).0 >= before, "reports were lost: {first}, and {before} were stored");
        }
        for event in peer.seen("stored") {
            assert!(self.stored.insert(unit(event)), "stored before: {event}");
        }
    }

    /// The coordinator.
    pub fn coordinator(&mut self) -> &mut Peer {
        self.coordinator.as_mut().unwrap()
    }

    /// So many more volunteers, by the coordinator's address.
    pub fn trigger_join(&mut self, count: usize) {
        let address = self.address.clone();
        for _ in 0..count {
            self.trigger_join_through(&address);
        }
    }

    /// One more volunteer, by this address.
    pub fn trigger_join_through(&mut self, address: &str) {
        self.trigger_join_with(address, &[]);
    }

    /// One more volunteer, by the coordinator's address and with this environment.
    pub fn trigger_join_in(&mut self, environment: &[(String, String)]) {
        let address = self.address.clone();
        self.trigger_join_with(&address, environment);
    }

    fn trigger_join_with(&mut self, address: &str, environment: &[(String, String)]) {
        self.volunteers.push(Seat::Away);
        self.ways.push(Way { bootstrap: address.to_owned(), environment: environment.to_vec() });
        self.trigger_back(self.volunteers.len() - 1);
    }

    /// Volunteers that come later, by the coordinator's address.
    pub fn add_seats(&mut self, count: usize) {
        for _ in 0..count {
            self.volunteers.push(Seat::Away);
            self.ways.push(Way { bootstrap: self.address.clone(), environment: Vec::new() });
        }
    }

    /// From its next start on, a volunteer has this environment.
    pub fn trigger_clock(&mut self, i: usize, environment: &[(String, String)]) {
        self.ways[i].environment = environment.to_vec();
    }

    /// Where a volunteer keeps what is of this run.
    pub fn run_folder(&self, i: usize) -> PathBuf {
        let runs = self.run.path(&format!("volunteer-{i}/runs"));
        fs::read_dir(runs).unwrap().next().unwrap().unwrap().path()
    }

    /// One that is away or stopped comes back.
    pub fn trigger_back(&mut self, i: usize) {
        let seat = std::mem::replace(&mut self.volunteers[i], Seat::Away);
        let peer = match seat {
            Seat::Here(peer) => peer,
            Seat::Stopped(peer) => {
                peer.signal("-CONT");
                peer
            }
            Seat::Away => {
                let listen = match &self.ground {
                    Ground::Tcp => "/ip4/127.0.0.1/tcp/0".to_owned(),
                    Ground::Quic => "/ip4/127.0.0.1/udp/0/quic-v1".to_owned(),
                    Ground::Apart(_) => format!("/ip4/{}/tcp/4001", Namespaces::address(i + 1)),
                };
                let Way { bootstrap, environment } = &self.ways[i];
                let args = self.run.volunteer_args(i, bootstrap, &["--listen", &listen]);
                self.launch(&format!("volunteer {i}"), i + 1, &args, environment)
            }
        };
        self.volunteers[i] = Seat::Here(peer);
    }

    /// A volunteer at work.
    pub fn volunteer(&mut self, i: usize) -> &mut Peer {
        match &mut self.volunteers[i] {
            Seat::Here(peer) => peer,
            Seat::Stopped(_) | Seat::Away => panic!("volunteer {i} is not here"),
        }
    }

    /// The volunteers that are at work.
    pub fn here(&self) -> Vec<usize> {
        (0..self.volunteers.len()).filter(|i| matches!(self.volunteers[*i], Seat::Here(_))).collect()
    }

    fn take(&mut self, i: usize) -> Peer {
        match std::mem::replace(&mut self.volunteers[i], Seat::Away) {
            Seat::Here(peer) => peer,
            Seat::Stopped(_) | Seat::Away => panic!("volunteer {i} is not here"),
        }
    }

    /// SIGKILL. One that has ended already must have been content: the run may have become complete a moment ago.
    pub fn trigger_kill(&mut self, i: usize) {
        let mut peer = self.take(i);
        if peer.has_ended() {
            peer.succeed();
        } else {
            peer.kill();
            peer.rest();
        }
        assert_no_report_asked_for_again(&peer);
    }

    /// SIGTERM, once it has found the run: before that, a signal finds a program that is still being started.
    pub fn trigger_ask(&mut self, i: usize) {
        let peer = self.volunteer(i);
        if peer.seen("run").is_empty() {
            peer.expect("run");
        }
        if !peer.has_ended() {
            peer.terminate();
        }
    }

    /// One that was asked to leave is gone.
    pub fn expect_left(&mut self, i: usize) {
        let mut peer = self.take(i);
        peer.left();
        assert_no_report_asked_for_again(&peer);
    }

    /// SIGSTOP: as a machine that sleeps.
    pub fn trigger_stop(&mut self, i: usize) {
        let peer = self.take(i);
        peer.signal("-STOP");
        self.volunteers[i] = Seat::Stopped(peer);
    }

    /// Whoever is stopped or away comes back.
    pub fn trigger_everyone_back(&mut self) {
        for i in 0..self.volunteers.len() {
            self.trigger_back(i);
        }
    }

    fn namespaces(&self) -> &Namespaces {
        match &self.ground {
            Ground::Apart(namespaces) => namespaces,
            Ground::Tcp | Ground::Quic => panic!("on loopback nothing can be cut"),
        }
    }

    /// Cuts off the right side.
    pub fn trigger_partition(&self) {
        self.namespaces().cut();
    }

    /// Connects both sides again.
    pub fn trigger_heal(&self) {
        self.namespaces().heal();
    }

    /// Waits for so many more units at the coordinator, or for all of them; gives how many it has, and of how many.
    pub fn expect_progress(&mut self, more: usize) -> (u64, u64) {
        let coordinator = self.coordinator();
        let mut last = (0, 1);
        for _ in 0..more {
            last = units_done(&coordinator.expect("progress"));
            if last.0 == last.1 {
                break;
            }
        }
        last
    }

    /// Waits until the coordinator has at least so many units.
    pub fn expect_units_done(&mut self, least: u64) {
        self.coordinator().expect_where("progress", |event| units_done(event).0 >= least);
    }

    /// The model is written, and has the bytes of the one that one machine trains.
    pub fn expect_the_same_bytes(&mut self) {
        let written = self.coordinator().expect("model_written");
        let model = self.run.model(&written);
        if let Some(mut training) = self.training_alone.take() {
            self.alone = self.run.trained_beside(&mut training);
        }
        assert!(model == self.alone, "{}: the model differs from the one trained alone", self.run.name);
    }

    /// Every volunteer hears that the run is complete and ends; then the coordinator is asked to.
    pub fn expect_everyone_content(&mut self) {
        for i in self.here() {
            let mut peer = self.take(i);
            peer.succeed();
            assert!(!peer.seen("complete").is_empty(), "volunteer {i} heard that the run is complete");
            assert_no_report_asked_for_again(&peer);
        }
        let mut coordinator = self.coordinator.take().unwrap();
        coordinator.terminate();
        coordinator.succeed();
        self.look_back(&coordinator);
    }

    /// How each of these tests ends.
    pub fn expect_the_same_bytes_and_everyone_content(&mut self) {
        self.expect_the_same_bytes();
        self.expect_everyone_content();
    }
}

fn units_done(progress: &Value) -> (u64, u64) {
    (progress["units_done"].as_u64().unwrap(), progress["units"].as_u64().unwrap())
}

/// What a volunteer had a receipt for it did not train again.
fn assert_no_report_asked_for_again(volunteer: &Peer) {
    let mut acknowledged = BTreeSet::new();
    for event in volunteer.all() {
        if event["event"] == "receipt" {
            acknowledged.insert(unit(event));
        } else if event["event"] == "training" {
            assert!(!acknowledged.contains(&unit(event)), "trained again after its receipt: {event}");
        }
    }
}
