//! Every scenario, small: nothing is lost, and what is recorded in `scenarios.toml` holds. A seed that fails is named, and
//! `cargo run -p sim --release -- SCENARIO --peers 40 --units 120 --seed S` plays it again, event by event.
#![allow(clippy::unwrap_used, clippy::panic)]

use sim::{Measure, Scenario, Size, World};

const SMALL: Size = Size { peers: 40, units: 120 };

fn play(name: &str, size: Size, seed: u64) -> Measure {
    World::new(Scenario::known().unwrap()[name].clone(), size, seed).unwrap().run()
}

#[test]
fn nothing_is_lost_and_little_is_done_twice() {
    for (name, scenario) in Scenario::known().unwrap() {
        for seed in 1..=2 {
            let measure = play(&name, SMALL, seed);
            assert_eq!(measure.lost, 0, "{name}, seed {seed}\n{measure}");
            assert!(measure.whole_at_ms.is_some(), "{name}, seed {seed}\n{measure}");
            let (again, stretch) = (measure.duplicated_share(), measure.stretch());
            let bounds = scenario.bounds;
            assert!(again <= bounds.duplicated, "{name}, seed {seed}: {again} of the work again\n{measure}");
            assert!(stretch <= bounds.stretch, "{name}, seed {seed}: {stretch} times the ideal\n{measure}");
        }
    }
}

#[test]
fn the_same_seed_is_the_same_run() {
    for name in ["loss-50", "sleepers", "churn"] {
        assert_eq!(play(name, SMALL, 7), play(name, SMALL, 7), "{name}");
    }
    assert_ne!(play("loss-50", SMALL, 7), play("loss-50", SMALL, 8), "another seed is another run");
}

#[test]
fn threads_change_nothing() {
    // Statements that reach fewer peers than this many are heard on one thread anyway.
    let size = Size { peers: 1_200, units: 1_500 };
    for name in ["calm", "loss-20"] {
        let on = |threads: usize| {
            let scenario = Scenario::known().unwrap()[name].clone();
            World::new(scenario, size, 3).unwrap().on_threads(threads).unwrap().run()
        };
        assert_eq!(on(1), on(3), "{name}");
    }
}

#[test]
fn one_volunteer_does_everything_once() {
    let measure = play("calm", Size { peers: 1, units: 10 }, 1);
    assert_eq!((measure.trained, measure.duplicated, measure.lost), (10, 0, 0), "{measure}");
    assert_eq!(measure.peers, 1);
    assert!(measure.stretch() < 1.3, "{measure}");
}
