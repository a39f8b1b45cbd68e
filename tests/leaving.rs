//! Whoever is asked to leave is gone at once, whatever it was busy with, and what it held is taken up by another volunteer. Leases
//! outlast these tests: only what was said on leaving opens a unit again.

#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that can't go on has failed"
)]

#[path = "../spec/tests/support/http_server.rs"]
mod http_server;
#[path = "rig/mod.rs"]
mod rig;

use std::net::TcpListener;
use std::time::{Duration, Instant};

use http_server::{Body, Fault, HttpServer, Times};
use rig::{Peer, Run, unit};

/// A run of one unit.
fn one_unit(name: &str, data: &str, training: &str) -> Run {
    let settings = format!("[routing]\npaths = 1\n[training]\nlayers = 1\n{training}");
    Run { lease_ms: 600_000, ..Run::new(name, data, &settings) }
}

/// Asks a volunteer to end: it does, at once and content.
fn leaves_at_once(peer: &mut Peer, what: &str) {
    let asked = Instant::now();
    peer.terminate();
    peer.left();
    let took = asked.elapsed();
    // A second is promised. How long it was is printed: a busy machine must not fail a test.
    eprintln!("{what}: gone after {took:.2?}");
}

/// Volunteer 1 holds the only unit of a run. It is asked to end, and volunteer 2 takes the unit up.
fn hands_over(run: &Run, more: &[&str], what: &str) -> (Peer, Peer) {
    run.publish();
    let (coordinator, address) = run.coordinator_with_source();
    let mut first = run.volunteer(1, &address, more);
    let key = first.key();
    let held = unit(&first.expect("training"));
    let mut second = run.volunteer(2, &address, &[]);
    second.expect_where("claim_heard", |event| event["peer"] == key.as_str());
    let asked = Instant::now();
    first.terminate();
    assert_eq!(unit(&second.expect("training")), held);
    eprintln!("{what}: taken up after {:.2?}", asked.elapsed());
    first.left();
    let took = asked.elapsed();
    // A second is promised. How long it was is printed: a busy machine must not fail a test.
    eprintln!("{what}: gone after {took:.2?}");
    assert!(first.seen("trained").is_empty(), "{what}: it was to be in the middle of its unit");
    assert!(first.seen("left").iter().all(|left| left["given_back"] == 1), "{what}: it gives its unit back");
    (coordinator, second)
}

#[test]
fn in_the_middle_of_a_long_unit() {
    let run = one_unit("long-unit", &rig::riddle(20_000, 12, 3), "lookahead = 2000\n");
    let (_coordinator, mut second) = hands_over(&run, &[], "a long unit");
    // Nobody is there to take it from this one.
    leaves_at_once(&mut second, "the last one");
    assert!(second.seen("left").iter().all(|left| left["given_back"] == 1));
}

#[test]
fn in_the_middle_of_a_pass_over_a_slow_source() {
    let data = rig::table(4_000, 3, 5);
    let server = HttpServer::start();
    server.put(
        "/rows.csv",
        Body::new(data.clone()).fault(Fault::Drip(Duration::from_millis(5)), Times::Always),
    );
    for (name, more) in [("slow-shard", &[][..]), ("slow-check", &["--verify-routing"])] {
        let run = one_unit(name, &data, "");
        let alone = run.trained_alone();
        let url = server.url("/rows.csv");
        let more: Vec<&str> = ["--source", &url].iter().chain(more).copied().collect();
        let (mut coordinator, mut second) = hands_over(&run, &more, name);
        let written = coordinator.expect("model_written");
        assert!(run.model(&written) == alone, "the model differs from the one trained alone");
        second.succeed();
        coordinator.succeed();
    }
}

#[test]
fn while_a_coordinator_does_not_answer() {
    let run = one_unit("silent", &rig::table(300, 3, 5), "");
    run.publish();
    let (coordinator, address) = run.coordinator_with_source();
    let mut volunteer = run.volunteer(1, &address, &["--stay"]);
    volunteer.expect("training");
    coordinator.pause();
    // Its report is on its way to a coordinator that stands still, or was receipted just before.
    volunteer.expect("trained");
    leaves_at_once(&mut volunteer, "a coordinator that does not answer");
    assert!(volunteer.seen("left").iter().all(|left| left["units"] == 1));
}

#[test]
fn while_nobody_answers_yet() {
    let run = one_unit("nobody", &rig::table(300, 3, 5), "");
    // Connections come about, and nothing is ever said on them.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("/ip4/127.0.0.1/tcp/{}", listener.local_addr().unwrap().port());
    let mut volunteer = run.volunteer(1, &address, &[]);
    volunteer.expect("listening");
    leaves_at_once(&mut volunteer, "a peer that says nothing");
}
