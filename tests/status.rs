//! What a person sees of a run: `status` from any peer's table, and how a volunteer says that it stands.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that can't go on has failed"
)]

#[path = "rig/mod.rs"]
mod rig;

use rig::{Run, fail, output, succeed};
use serde_json::Value;

/// A run that takes its volunteer some seconds.
fn run(name: &str) -> Run {
    let run = Run::new(
        name,
        &rig::riddle(3_000, 9, 41),
        "[routing]\nkind = \"round_robin\"\npaths = 3\n[training]\nlayers = 4\nlookahead = 100\n",
    );
    run.publish();
    run
}

fn page(run: &Run, address: &str, more: &[&str]) -> String {
    let mut args = vec!["status", "--connect", address];
    args.extend(more);
    succeed(&args, run.folder.path())
}

fn object(run: &Run, address: &str, more: &[&str]) -> Value {
    let text = page(run, address, &[more, &["--json"]].concat());
    serde_json::from_str(&text).expect("one JSON object")
}

#[test]
fn a_run_is_seen_while_it_goes_and_when_it_is_over() {
    let run = run("seen");
    let (mut coordinator, address) = run.coordinator(&["--source", "data.csv", "--keep"]);
    coordinator.expect("source_checked");
    let before = object(&run, &address, &[]);
    assert_eq!(before["name"], "seen");
    assert_eq!(before["asked"], coordinator.seen("started")[0]["key"]);
    assert_eq!(before["asked"], before["coordinator"]);
    assert_eq!(before["units"]["all"], 12);
    assert_eq!(before["units"]["open"], 12);
    assert_eq!((&before["complete"], &before["eta_seconds"]), (&Value::Bool(false), &Value::Null));
    assert_eq!(before["paths"][2]["layers"], "....");

    let mut volunteer = run.volunteer(1, &address, &["--stay", "--status-ms", "100"]);
    let key = volunteer.key();
    let own = volunteer.expect("listening")["address"].as_str().unwrap().to_owned();
    volunteer.expect("trained");
    // By its own table, the volunteer has trained a unit.
    let seen = object(&run, &own, &["--run", "seen"]);
    assert_eq!(seen["asked"], key.as_str());
    assert_ne!(seen["units"]["open"], 12);
    let peers = seen["peers"].as_array().unwrap();
    assert!(peers.iter().any(|peer| peer["peer"] == key.as_str() && peer["heard"] == true), "{seen:#}");

    let complete = coordinator.expect("complete");
    volunteer.expect("complete");
    let after = object(&run, &address, &[]);
    assert_eq!(after["units"]["done"], 12);
    assert_eq!(after["model"], complete["hash"]);
    assert_eq!((&after["complete"], &after["eta_seconds"]), (&Value::Bool(true), &Value::from(0)));
    let finished = after["peers"][0]["finished_last_hour"].as_u64().unwrap();
    let counted: u64 = after["windows"].as_array().unwrap().iter().map(|n| n.as_u64().unwrap()).sum();
    assert!((1..=12).contains(&finished) && (1..=12).contains(&counted), "{after:#}");
    assert!(after["units_per_second"]["peak"].as_f64().unwrap() > 0.0, "{after:#}");
    let text = page(&run, &address, &[]);
    assert!(text.starts_with(&format!("run          {}", &after["run"].as_str().unwrap()[..8])), "{text}");
    assert!(text.contains("\npath 0       ####\npath 1       ####\npath 2       ####\n"), "{text}");
    assert!(text.contains("\ntime left    none: the run is complete\n"), "{text}");

    // Whoever looks is connected for a moment, and no member of the run.
    let standing =
        volunteer.expect_where("status", |status| status["units_done"] == 12 && status["peers"] == 1);
    assert_eq!((&standing["units"], &standing["held"]), (&12.into(), &0.into()));
    assert_eq!(standing["eta_seconds"], 0);
    for field in ["finished", "shards_in_memory", "shards_on_disk", "mbps_up", "mbps_down"] {
        assert!(standing[field].is_number(), "{field}: {standing}");
    }
    volunteer.terminate();
    volunteer.left();

    // The volunteer's folder remembers whom it met.
    let remembered = ["status", "--no-mdns", "--data-dir", "volunteer-1", "--json"];
    let found: Value = serde_json::from_str(&succeed(&remembered, run.folder.path())).unwrap();
    assert_eq!(found["units"], after["units"]);

    let other = fail(1, &["status", "--connect", &address, "--run", "other"], run.folder.path());
    assert!(other.contains("no run that fits is open") && other.contains("check --run"), "{other}");
    let nobody = "ab".repeat(32);
    let refused = fail(3, &["status", "--connect", &address, "--operator", &nobody], run.folder.path());
    assert!(refused.contains("is signed by"), "{refused}");
    coordinator.terminate();
    coordinator.succeed();
}

#[test]
fn a_volunteer_tells_a_person_one_line_a_unit() {
    let run = run("lines");
    let (mut coordinator, address) = run.coordinator_with_source();
    let args = [
        "join",
        "--bootstrap",
        &address,
        "--no-mdns",
        "--yes",
        "--threads",
        "1",
        "--listen",
        "/ip4/127.0.0.1/tcp/0",
        "--data-dir",
        "volunteer",
        "--source",
        "data.csv",
        "--status-ms",
        "10",
    ];
    let quiet = output(&args, run.folder.path());
    let text = String::from_utf8(quiet.stderr).unwrap();
    assert!(quiet.status.success() && quiet.stdout.is_empty(), "{text}");
    coordinator.succeed();
    let lines = |start: &str| text.lines().filter(|line| line.starts_with(start)).count();
    assert_eq!((lines("trained path "), lines("training path "), lines("listening")), (12, 0, 0), "{text}");
    assert!(text.lines().any(|line| line.contains(" of 12 units done | holds ")), "{text}");
    assert!(
        text.lines().any(|line| line.starts_with("run ") && line.contains(" is complete, model ")),
        "{text}"
    );
}

#[test]
fn nobody_to_ask_is_said_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let address = format!("/ip4/127.0.0.1/tcp/{free}");
    let closed = fail(1, &["status", "--connect", &address], folder.path());
    assert!(closed.contains(&format!("{address} can't be reached; is a peer running there")), "{closed}");
    let alone = fail(1, &["status", "--no-mdns"], folder.path());
    assert!(alone.contains("nobody to ask") && alone.contains("status --connect ADDR"), "{alone}");
    for usage in [vec!["--connect", "here"], vec!["--operator", "me"]] {
        fail(2, &[vec!["status"], usage].concat(), folder.path());
    }
}
