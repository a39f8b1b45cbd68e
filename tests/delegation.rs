//! Another coordinator takes over: all it has is what volunteers kept.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that can't go on has failed"
)]

#[path = "rig/mod.rs"]
mod rig;

use std::fs;

use rig::{Peer, Run, fail, succeed, unit};

/// Eighty units that take some ten milliseconds each.
const MANY: &str = "[routing]\nkind = \"round_robin\"\npaths = 4\n[training]\nlayers = 20\nlookahead = 100\n";

fn address(peer: &mut Peer) -> String {
    peer.expect("listening")["address"].as_str().unwrap().to_owned()
}

#[test]
fn a_second_coordinator_takes_over_from_the_volunteers_outboxes() {
    let run = Run::new("taken-over", &rig::riddle(1_200, 9, 5), MANY);
    let alone = run.trained_alone();
    run.publish();
    let (mut first, bootstrap) = run.coordinator_with_source();
    let mut volunteers: Vec<Peer> = (1..=2).map(|i| run.volunteer(i, &bootstrap, &[])).collect();
    let listening = address(&mut volunteers[0]);
    for _ in 0..10 {
        first.expect("stored");
    }
    // The first one has said that these are done, and goes with all that it has.
    let receipt = unit(&volunteers[0].expect("receipt"));
    first.kill();
    fs::remove_dir_all(run.path("coordinator")).unwrap();

    let key = succeed(&["keygen", "second.pem"], run.folder.path());
    let key = key.split_whitespace().find(|word| word.len() == 64).unwrap();
    let said = succeed(
        &[
            "delegate",
            "taken-over.manifest",
            "--coordinator",
            key,
            "--key",
            "operator.pem",
            "--announce",
            &listening,
        ],
        run.folder.path(),
    );
    assert!(said.contains("delegation 2") && said.contains("announced"), "{said}");
    let args = ["coordinate", "taken-over.manifest", "--key", "second.pem", "--data-dir", "second"];
    let more = ["--source", "data.csv", "--bootstrap", &listening, "--json", "--no-mdns"];
    let here = ["--listen", "/ip4/127.0.0.1/tcp/0", "--lease-ms", "2000"];
    let args: Vec<String> = args.iter().chain(&more).chain(&here).map(|&arg| arg.to_owned()).collect();
    let mut second = Peer::start("second coordinator", run.folder.path(), &args);
    second.expect_where("stored", |event| unit(event) == receipt);
    let written = second.expect("model_written");
    assert!(run.model(&written) == alone, "the model differs from the one trained alone");
    volunteers.iter_mut().for_each(Peer::succeed);
    second.succeed();
    // Nobody trained a unit again of which it had the report.
    for volunteer in &volunteers {
        let mut trained = std::collections::BTreeSet::new();
        for event in volunteer.seen("trained") {
            assert!(trained.insert(unit(event)), "trained twice: {event}");
        }
    }
}

#[test]
fn only_the_operator_delegates_and_numbers_only_grow() {
    let run = Run::new("numbered", &rig::table(60, 2, 1), "");
    run.publish();
    let folder = run.folder.path();
    let key = succeed(&["keygen", "other.pem"], folder);
    let key = key.split_whitespace().find(|word| word.len() == 64).unwrap();
    let delegate = ["delegate", "numbered.manifest", "--coordinator", key];
    let with = |more: &[&'static str]| -> Vec<&str> {
        delegate.iter().copied().chain(more.iter().copied()).collect()
    };

    let error = fail(3, &with(&["--key", "other.pem"]), folder);
    assert!(error.contains("only the operator can name another coordinator"), "{error}");
    let error = fail(1, &with(&["--key", "nowhere.pem"]), folder);
    assert!(error.contains("nowhere.pem"), "{error}");
    assert!(!run.path("nowhere.pem").exists(), "no key is made on the way");
    let error = fail(2, &["delegate", "numbered.manifest", "--coordinator", "abc"], folder);
    assert!(error.contains("64 hexadecimal characters"), "{error}");

    let said = succeed(&with(&["--key", "operator.pem"]), folder);
    assert!(said.contains("delegation 2"), "{said}");
    let error = fail(2, &with(&["--key", "operator.pem", "--number", "2"]), folder);
    assert!(error.contains("only a larger one replaces it"), "{error}");
    succeed(
        &with(&["--key", "operator.pem", "--number", "7", "--address", "/ip4/192.0.2.7/tcp/4001"]),
        folder,
    );
    fs::remove_file(run.path("numbered.delegation")).unwrap();
    let error = fail(2, &with(&["--key", "operator.pem"]), folder);
    assert!(error.contains("pass --number"), "{error}");
    let said = succeed(&with(&["--key", "operator.pem", "--number", "8"]), folder);
    assert!(said.contains("delegation 8"), "{said}");
    // The old coordinator is told so.
    let error =
        fail(3, &["coordinate", "numbered.manifest", "--key", "operator.pem", "--data-dir", "c"], folder);
    assert!(error.contains("names") && error.contains("as the coordinator"), "{error}");
}
