//! Small runs of short units with faults at given moments: every one completes, nothing is lost, and little is done twice.
#![allow(clippy::unwrap_used, clippy::panic)]

use sim::{Fault, Measure, Scenario, Size, What, World};

/// Units of some 50 ms, leases of two seconds.
fn quick() -> Scenario {
    Scenario { training_s: 0.055, speeds: 2.5, lease_s: 2.0, tick_ms: 150, ..Scenario::default() }
}

/// Units of half a second.
fn slow() -> Scenario {
    Scenario { training_s: 0.5, speeds: 1.5, ..quick() }
}

fn fault(at_s: f64, what: What, who: usize, for_s: f64) -> Fault {
    Fault { at_s, what, who, for_s }
}

fn play(scenario: Scenario, peers: usize, seed: u64) -> Measure {
    let measure = World::new(scenario, Size { peers, units: 20 }, seed).unwrap().run();
    assert_eq!(measure.lost, 0, "seed {seed}\n{measure}");
    assert!(measure.whole_at_ms.is_some(), "seed {seed}\n{measure}");
    measure
}

#[test]
fn one_volunteer_trains_everything_once_and_wastes_no_time() {
    let measure = play(quick(), 1, 1);
    assert_eq!((measure.trained, measure.duplicated, measure.abandoned), (20, 0, 0));
    assert!(measure.stretch() < 2.0, "{measure}");
}

#[test]
fn five_volunteers_share_the_work() {
    for seed in 0..20 {
        let measure = play(quick(), 5, seed);
        assert!(measure.duplicated <= 5, "seed {seed}\n{measure}");
    }
}

/// Units of 50 ms are over before a claim has got around, and much is done twice. A single seed says little: the mean of forty.
#[test]
fn runs_complete_over_a_bad_network() {
    for (loss, most) in [(0.2, 5), (0.5, 21)] {
        let seeds = 40;
        let again: usize =
            (0..seeds).map(|seed| play(Scenario { loss, ..quick() }, 5, seed).duplicated).sum();
        assert!(again <= most * seeds as usize, "loss {loss}: {again} of {} units again", 20 * seeds);
    }
}

#[test]
fn a_killed_volunteer_holds_up_its_unit_for_a_lease() {
    for seed in 0..5 {
        let measure = play(Scenario { faults: vec![fault(3.0, What::Kill, 0, 0.0)], ..slow() }, 3, seed);
        assert!(measure.whole_at_ms < Some(20_000) && measure.duplicated <= 5, "seed {seed}\n{measure}");
    }
}

#[test]
fn the_only_volunteer_restarts_and_goes_on() {
    let faults = vec![fault(3.0, What::Restart, 0, 0.5), fault(7.0, What::Restart, 0, 4.0)];
    let measure = play(Scenario { faults, ..slow() }, 1, 3);
    assert_eq!(measure.duplicated, 0, "{measure}");
}

#[test]
fn a_leaving_volunteer_gives_back_what_it_holds() {
    let faults = vec![fault(3.0, What::Leave, 1, 0.0)];
    // Only the release can explain an end before the lease is over.
    let measure = play(Scenario { lease_s: 120.0, faults, ..slow() }, 3, 4);
    assert!(measure.whole_at_ms < Some(20_000), "{measure}");
}

#[test]
fn a_coordinator_that_comes_back_asks_for_nothing_again() {
    for seed in 0..5 {
        let faults = vec![fault(2.5, What::Coordinator, 0, 1.0)];
        let measure = play(Scenario { training_s: 0.15, faults, ..quick() }, 3, seed);
        assert!(measure.duplicated <= 3, "seed {seed}\n{measure}");
        // One report may be under way when it goes, from each volunteer.
        assert!(measure.sent <= 20 + measure.duplicated + 3, "seed {seed}\n{measure}");
    }
}

#[test]
fn a_coordinator_that_lost_its_store_gets_everything_from_the_outboxes() {
    for seed in 0..5 {
        // The fastest three could be through after 2.7 s.
        let faults = vec![fault(2.6, What::LoseStore, 0, 1.0)];
        let measure = play(Scenario { faults, ..slow() }, 3, seed);
        assert!(measure.duplicated <= 5, "seed {seed}\n{measure}");
    }
}

#[test]
fn a_full_disk_delays_and_loses_nothing() {
    let faults = vec![fault(0.1, What::FullDisk, 0, 10.0)];
    let measure = play(Scenario { faults, ..quick() }, 3, 6);
    assert!(measure.whole_at_ms > Some(10_000) && measure.duplicated <= 5, "{measure}");
}

/// Among the seeds are some in which a coordinator without its store is not told at once what it had said.
#[test]
fn many_faults_at_once() {
    for seed in 100..200 {
        let faults = vec![
            fault(0.8, What::Kill, 0, 0.0),
            fault(1.5, What::Coordinator, 0, 0.7),
            fault(2.4, What::Restart, 1, 0.3),
            fault(3.0, What::LoseStore, 0, 0.5),
            fault(4.0, What::FullDisk, 0, 1.0),
            fault(4.5, What::Leave, 2, 0.0),
        ];
        let loss = [0.0, 0.2, 0.5][seed as usize % 3];
        play(Scenario { training_s: 0.45, speeds: 8.0, loss, faults, ..quick() }, 6, seed);
    }
}

#[test]
fn a_hundred_volunteers_and_few_units() {
    let measure = play(Scenario { training_s: 4.0, speeds: 1.5, ..quick() }, 100, 2);
    assert!(measure.trained <= 40, "{measure}");
}

#[test]
fn clocks_that_stand_still_or_go_back_do_no_harm() {
    for seed in 0..5 {
        let faults = vec![fault(3.0, What::Restart, 0, 0.5)];
        play(Scenario { skew_s: 86_400, faults, ..slow() }, 4, seed);
    }
}
