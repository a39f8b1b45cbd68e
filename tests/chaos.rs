//! Real processes and what befalls them: killed, asleep, cut off, with a wrong clock, late. The model is always the one that one
//! machine trains, and everybody who is there at the end leaves content.
//!
//! `OPENDIPACO_LONG=1` (`just long-chaos`) makes the same tests longer; `OPENDIPACO_SEED` repeats the choices of one that failed.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that can't go on has failed"
)]

#[path = "rig/chance.rs"]
mod chance;
#[path = "rig/clock.rs"]
mod clock;
#[path = "rig/namespaces.rs"]
mod namespaces;
#[path = "rig/mod.rs"]
mod rig;
#[path = "rig/script.rs"]
mod script;

use std::fs;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use chance::{Chance, is_long, short_or};
use clock::{WrongClock, time_told};
use namespaces::Namespaces;
use rig::{Peer, Run, succeed};
use script::Network;

/// Six paths of so many layers: units that take some ten milliseconds each. Leases last a second.
fn many(name: &str, layers: usize) -> Run {
    let settings = format!(
        "[routing]\nkind = \"round_robin\"\npaths = 6\n[training]\nlayers = {layers}\nlookahead = 25\n"
    );
    Run { lease_ms: 1_000, ..Run::new(name, &rig::riddle(1_200, 9, 5), &settings) }
}

/// What may happen to a volunteer.
#[derive(Debug, Clone, Copy)]
enum Fault {
    /// SIGKILL, and started again at once.
    Killed,
    /// SIGKILL, and away for a while.
    Lost,
    /// SIGTERM, and started again at once.
    Asked,
    /// SIGSTOP for a while.
    Asleep,
}

impl Fault {
    const ALL: [Self; 4] = [Self::Killed, Self::Lost, Self::Asked, Self::Asleep];

    fn happens_to(self, i: usize, network: &mut Network) {
        match self {
            Self::Killed => {
                network.trigger_kill(i);
                network.trigger_back(i);
            }
            Self::Lost => network.trigger_kill(i),
            Self::Asked => {
                network.trigger_ask(i);
                network.expect_left(i);
                network.trigger_back(i);
            }
            Self::Asleep => network.trigger_stop(i),
        }
    }
}

/// One run of twelve volunteers with a fault every few units; how many there were, and within what time.
fn faults_at_random(chance: &mut Chance, layers: usize) -> (usize, Duration) {
    let mut network = Network::start(many("at-random", layers));
    network.trigger_join(12);
    let mut faults = 0;
    let start = Instant::now();
    loop {
        let (done, units) = network.expect_progress(4 + chance.below(8));
        // What is lost or asleep at the end would hold the others up.
        if done + 30 >= units {
            break;
        }
        let i = chance.below(12);
        let here = network.here();
        if !here.contains(&i) || here.len() <= 6 {
            network.trigger_back(i);
        } else {
            chance.one_of(&Fault::ALL).happens_to(i, &mut network);
            faults += 1;
        }
    }
    let took = start.elapsed();
    network.trigger_everyone_back();
    network.expect_the_same_bytes_and_everyone_content();
    (faults, took)
}

#[test]
fn any_of_twelve_at_any_moment() {
    let mut chance = Chance::new();
    let (mut faults, mut took) = faults_at_random(&mut chance, short_or(40, 200));
    while is_long() && took < Duration::from_secs(60) {
        let (more, longer) = faults_at_random(&mut chance, 200);
        (faults, took) = (faults + more, took + longer);
    }
    println!("{faults} faults in {:.1} s", took.as_secs_f64());
}

#[test]
fn all_twelve_at_once() {
    let mut network = Network::start(many("all-at-once", 30));
    network.trigger_join(12);
    for done in short_or(&[60][..], &[0, 20, 60, 100, 140]) {
        network.expect_units_done(*done);
        (0..12).for_each(|i| network.trigger_kill(i));
        (0..12).for_each(|i| network.trigger_back(i));
    }
    network.expect_the_same_bytes_and_everyone_content();
}

#[test]
fn the_coordinator_is_killed_again_and_again() {
    let points = short_or(5, 50);
    let mut network = Network::start(many("coordinator-killed", 30));
    let units = 6 * 30;
    network.trigger_join(2);
    for point in 0..points {
        // From the first unit to the last: then the model is being put together.
        network.expect_units_done(1 + point * (units - 1) / (points - 1));
        network.trigger_coordinator_killed();
        network.trigger_coordinator_back();
    }
    // The model is there, and perhaps nobody has heard of it.
    network.expect_the_same_bytes();
    network.trigger_coordinator_killed();
    network.trigger_coordinator_back();
    network.expect_the_same_bytes_and_everyone_content();
}

#[test]
fn half_of_the_volunteers_are_cut_off_from_the_coordinator() {
    let Some(namespaces) = Namespaces::lay(7, 6) else { return };
    if namespaces.bad_weather(13) {
        println!("with delay and loss");
    }
    let mut network = Network::start_apart(namespaces, many("partition", short_or(50, 80)));
    network.trigger_join(12);
    let right = 6..12;
    let coordinator = network.coordinator().seen("started")[0]["key"].as_str().unwrap().to_owned();
    for i in 0..12 {
        network.volunteer(i).expect("run");
    }
    network.expect_progress(10);
    network.trigger_partition();
    // Both halves go on by themselves.
    for i in right.clone() {
        network.volunteer(i).catch_up();
        network.volunteer(i).expect("trained");
    }
    network.expect_progress(10);
    if is_long() {
        // Nothing tells a peer that its cable is cut, except that no answers come: that takes a while.
        for i in right {
            network.volunteer(i).expect_where("disconnected", |event| event["peer"] == coordinator.as_str());
        }
    }
    network.trigger_heal();
    network.expect_the_same_bytes_and_everyone_content();
}

/// One unit, which takes seconds.
fn one_long_unit(name: &str) -> Run {
    let settings = "[routing]\npaths = 1\n[training]\nlayers = 1\nlookahead = 100\n";
    Run { lease_ms: 1_000, ..Run::new(name, &rig::riddle(6_000, 12, 3), settings) }
}

/// Volunteer `i` comes (back), has nothing to do, and knows who has the unit.
fn waits_for_the_unit(i: usize, holder: usize, network: &mut Network) {
    let key = network.volunteer(holder).seen("started")[0]["key"].as_str().unwrap().to_owned();
    network.trigger_back(i);
    network.volunteer(i).expect_where("claim_heard", |event| event["peer"] == key.as_str());
}

#[test]
fn a_volunteer_sleeps_past_its_lease() {
    let mut network = Network::start(one_long_unit("asleep"));
    network.trigger_join(1);
    network.volunteer(0).expect("training");
    network.add_seats(1);
    waits_for_the_unit(1, 0, &mut network);
    network.trigger_stop(0);
    network.volunteer(1).expect("training");
    // It goes on as if nothing had been, and finds out.
    network.trigger_back(0);
    network.expect_the_same_bytes_and_everyone_content();
}

#[test]
fn a_unit_that_was_let_go_is_taken_up() {
    let mut network = Network::start(one_long_unit("taken-up"));
    network.trigger_join(1);
    network.volunteer(0).expect("training");
    network.add_seats(1);
    let (mut after_leaving, mut after_dying) = (Vec::new(), Vec::new());
    // The two take turns. Others, whose claims would have to run out as well, there are none.
    let rounds = 2 * short_or(2, 10);
    for round in 0..rounds {
        let (holder, other) = (round % 2, 1 - round % 2);
        waits_for_the_unit(other, holder, &mut network);
        let since = Instant::now();
        if round % 4 < 2 {
            network.trigger_ask(holder);
            network.volunteer(other).expect("training");
            after_leaving.push(since.elapsed().as_millis());
            network.expect_left(holder);
        } else {
            network.trigger_kill(holder);
            network.volunteer(other).expect("training");
            after_dying.push(since.elapsed().as_millis());
        }
    }
    network.expect_the_same_bytes_and_everyone_content();
    println!(
        "milliseconds until a unit was taken up, leases of a second, or 0.6 s for every peer heard if that is more:"
    );
    println!("its holder left: {after_leaving:?}; its holder was killed: {after_dying:?}");
}

/// Milliseconds since 1970.
fn time_of_day() -> u64 {
    u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap()
}

const DAY: i64 = 24 * 60 * 60;

#[test]
fn clocks_are_a_day_off() {
    // Over QUIC, where a certificate might have expired.
    let mut network = Network::start_over_quic(many("clocks", short_or(40, 60)));
    let Some(clock) = WrongClock::compile(network.run.folder.path()) else { return };
    network.trigger_join_in(&clock.ahead(DAY));
    let ahead = network.volunteer(0).key();
    network.volunteer(0).expect("trained");
    network.trigger_join_in(&clock.ahead(-DAY));
    network.trigger_join_in(&clock.ahead(0));
    let behind = network.volunteer(1).key();
    for i in 1..3 {
        network.volunteer(i).expect("run");
    }
    // Its clock is set right: a day back. Its key is the same.
    network.trigger_kill(0);
    network.trigger_clock(0, &[]);
    network.trigger_back(0);
    network.expect_the_same_bytes();
    let now = time_of_day();
    network.expect_everyone_content();
    // What the third one heard of the others proves that their clocks were wrong.
    let told = |key: &String| time_told(&network.run_folder(2), key);
    let hours = |told: u64| (i128::from(told) - i128::from(now)) / (60 * 60 * 1_000);
    let (ahead, behind) = (told(&ahead).map(hours), told(&behind).map(hours));
    assert!(matches!(behind, Some(-25..=-23)), "a clock a day behind says {behind:?} hours");
    assert!(matches!(ahead, Some(22..=24)), "a clock a day ahead says {ahead:?} hours");
}

#[test]
fn volunteers_come_late_while_the_coordinator_is_away() {
    let mut network = Network::start(many("late", short_or(40, 60)));
    network.trigger_join(3);
    let through = network.volunteer(1).expect("listening")["address"].as_str().unwrap().to_owned();
    for i in 0..3 {
        network.volunteer(i).expect("run");
    }
    network.volunteer(0).expect("trained");
    network.trigger_coordinator_killed();
    for _ in 0..4 {
        network.trigger_join_through(&through);
    }
    for i in 3..7 {
        network.volunteer(i).expect("run");
    }
    network.trigger_kill(1);
    network.trigger_coordinator_back();
    // Its own bootstrap address is the coordinator's.
    network.trigger_back(1);
    network.expect_the_same_bytes_and_everyone_content();
}

/// A second run in the folder of another one: its own data, its own manifest.
fn second_run(name: &str, folder: &std::path::Path) -> Vec<u8> {
    fs::write(folder.join("other.csv"), rig::riddle(1_500, 8, 9)).unwrap();
    let text = format!(
        "name = \"{name}\"\n[source]\nlocations = [\"other.csv\"]\ntarget = \"class\"\n[routing]\nkind = \"round_robin\"\n\
         paths = 3\n[training]\nlayers = 20\nlookahead = 25\n"
    );
    fs::write(folder.join("other.toml"), text).unwrap();
    succeed(&["train", "other.toml", "--out", "other.json"], folder);
    succeed(&["publish", "other.toml", "--key", "operator.pem"], folder);
    fs::read(folder.join("other.json")).unwrap()
}

#[test]
fn two_runs_at_once() {
    let run = many("first", 20);
    let folder = run.folder.path().to_owned();
    let alone = [run.trained_alone(), second_run("second", &folder)];
    run.publish();
    let more = ["second.manifest", "--source", "data.csv", "--source", "other.csv"];
    let mut args = run.coordinator_args(&more);
    args.push("--keep".to_owned());
    let mut coordinator = Peer::start("coordinator", &folder, &args);
    let address = coordinator.expect("listening")["address"].as_str().unwrap().to_owned();
    // Two on each, of which the last two are on one machine: one data folder, two keys.
    let seats = [
        ["--run", "first", "--source", "data.csv", "--data-dir", "volunteer-0", "--key", "0.pem"],
        ["--run", "second", "--source", "other.csv", "--data-dir", "volunteer-1", "--key", "1.pem"],
        ["--run", "first", "--source", "data.csv", "--data-dir", "shared", "--key", "2.pem"],
        ["--run", "second", "--source", "other.csv", "--data-dir", "shared", "--key", "3.pem"],
    ];
    let join = |i: usize| run.volunteer(i, &address, &seats[i]);
    let mut volunteers: Vec<Peer> = (0..seats.len()).map(join).collect();
    for volunteer in &mut volunteers {
        volunteer.expect("run");
    }
    // On the shared machine, the one on the first run is killed and comes back.
    volunteers[2].kill();
    volunteers[2] = join(2);
    let written = [coordinator.expect("model_written"), coordinator.expect("model_written")];
    let models: Vec<Vec<u8>> = written.iter().map(|written| run.model(written)).collect();
    for alone in &alone {
        assert!(models.contains(alone), "a model differs from the one trained alone");
    }
    volunteers.iter_mut().for_each(Peer::succeed);
    coordinator.terminate();
    coordinator.succeed();
}
