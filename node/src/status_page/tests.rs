use super::*;
use protocol::{ModelHash, PathStatus, RunId, Unit};

const HEAD: &str = "bf4a1444 breast-cancer@cc8171ec: 569 rows, 4 paths x 5 layers";

fn key(byte: u8) -> PeerKey {
    PeerKey::from_bytes([byte; 32])
}

fn of(stages: &str) -> StageCounts {
    let stage = |sign| match sign {
        '#' => Stage::Done,
        '+' => Stage::Finished,
        'o' => Stage::Leased,
        _ => Stage::Open,
    };
    stages.chars().map(stage).collect()
}

/// A run of five layers, by the signs of the page.
fn status(paths: &[&str]) -> RunStatus {
    let whole = paths.concat();
    let bits = |sign: u8| match sign {
        b'#' => 3,
        b'+' => 2,
        b'o' => 1,
        _ => 0,
    };
    let byte = |four: &[u8]| four.iter().rev().fold(0, |byte, sign| byte << 2 | bits(*sign));
    let by_path = (0..).zip(paths).map(|(path, stages)| PathStatus { path, counts: of(stages) });
    RunStatus {
        run: RunId::from_bytes([0xbf; 32]),
        coordinator: Some(key(0xd8)),
        model: None,
        watched: 192_000,
        counts: of(&whole),
        layers: 5,
        paths: by_path.collect(),
        paths_left_out: 0,
        stages: Some(whole.as_bytes().chunks(4).map(byte).collect()),
        held: vec![
            Held { unit: Unit::new(1, 3), peer: key(0x28), epoch: 1, seconds: 75 },
            Held { unit: Unit::new(3, 1), peer: key(0x1a), epoch: 0, seconds: 4 },
        ],
        held_left_out: 0,
        heard: 2,
        peers: vec![
            PeerStatus { peer: key(0x28), heard: true, held: 1, finished: 7, millis_per_unit: Some(4_100) },
            PeerStatus { peer: key(0x1a), heard: true, held: 1, finished: 3, millis_per_unit: Some(150_000) },
            PeerStatus { peer: key(0x77), heard: false, held: 0, finished: 0, millis_per_unit: None },
        ],
        peers_left_out: 0,
        allowed: 250_569,
        allowed_at_peak: 266_667,
        windows: vec![1, 0, 2, 1, 0, 1, 1, 1, 0, 0, 1, 0, 1, 1, 0, 0, 0, 0, 0, 0],
    }
}

fn shown(status: &RunStatus, size: Size) -> String {
    page(HEAD, key(0xd8), status, size)
}

#[test]
fn a_run_at_a_glance() {
    let text = shown(&status(&["#####", "##+o.", ".....", "#o..."]), Size::PAPER);
    assert_eq!(
        text,
        "\
run          bf4a1444 breast-cancer@cc8171ec: 569 rows, 4 paths x 5 layers
seen by      d8d8d8d8, the coordinator, for 3 min 12 s
units        20: 8 done, 1 finished, 2 in training, 9 open
speed        3.1 units a minute; the peers' own speeds allow 15
at best      12 units a minute in ten seconds of the last hour; the peers' own speeds allowed 16
time left    about 3 min 32 s

path 0       #####
path 1       ##+o.
path 2       .....
path 3       #o...

             # done   + trained, not acknowledged yet   o in training   . open; layers from left to right

in training  path 1 layer 3           28282828  for 1 min 15 s, taken over once
             path 3 layer 1           1a1a1a1a  for 4 s

peers        2 heard
             key                holds  finished in the last hour  a unit takes
             28282828           1      7                          4.1 s
             1a1a1a1a           1      3                          2 min 30 s
             77777777 (silent)  0      0                          not measured yet"
    );
}

#[test]
fn what_does_not_fit_is_counted() {
    let status = status(&["#####", "##+o.", ".....", "#o..."]);
    let narrow = shown(&status, Size { columns: 17, paths: 4, listed: 1 });
    assert!(narrow.contains("\npath 1       2 done, 1 finished, 1 in training, 1 open\n"), "{narrow}");
    assert!(narrow.contains("\n             and 1 more: --all\n"), "{narrow}");
    assert!(narrow.ends_with("\n             and 2 more: --all"), "{narrow}");
    let low = shown(&status, Size { columns: 80, paths: 3, listed: 1 });
    assert!(low.contains("\npaths        4: 1 done, 2 begun, 1 not begun\n"), "{low}");
    // What the peer left out, no option brings back.
    let large = RunStatus { paths_left_out: 9, stages: None, held_left_out: 5, peers_left_out: 6, ..status };
    let text = shown(&large, Size::ENDLESS);
    assert!(text.contains("4: 1 done, 2 begun, 1 not begun, and 9 more that were not looked at"), "{text}");
    assert!(
        text.contains("\n             and 5 more\n") && text.ends_with("\n             and 6 more"),
        "{text}"
    );
}

#[test]
fn what_is_not_known_is_said() {
    let new = RunStatus {
        watched: 900,
        windows: vec![0],
        allowed: 0,
        held: Vec::new(),
        peers: Vec::new(),
        heard: 0,
        ..status(&["....."])
    };
    let text = page(HEAD, key(1), &new, Size::PAPER);
    assert!(text.contains("\nseen by      01010101, for 0 s\ncoordinator  d8d8d8d8\n"), "{text}");
    assert!(text.contains("\nspeed        not known yet\ntime left    not known yet\n"), "{text}");
    assert!(text.ends_with("\n\npeers        0 heard"), "{text}");
}

#[test]
fn the_end_of_a_run_has_its_words() {
    let line = |status: &RunStatus, name: &str| {
        let text = shown(status, Size::PAPER);
        text.lines().find(|line| line.starts_with(name)).map(str::to_owned)
    };
    let left = |status: &RunStatus| line(status, "time left").unwrap_or_default();
    assert_eq!(
        left(&status(&["#+###"])),
        "time left    all units are trained; the coordinator still has to take 1 of the reports"
    );
    assert_eq!(
        left(&status(&["#####"])),
        "time left    all units are done; the coordinator writes the model"
    );
    let complete = RunStatus { model: Some(ModelHash::from_bytes([0x2b; 32])), ..status(&["#####"]) };
    assert_eq!(left(&complete), "time left    none: the run is complete");
    assert!(shown(&complete, Size::PAPER).contains(&format!("\nmodel        {}\n", "2b".repeat(32))));
    assert_eq!(line(&complete, "speed").unwrap_or_default(), "speed        none any more");
    assert!(line(&complete, "at best").is_some());
    assert_eq!(line(&RunStatus { windows: vec![0], ..complete }, "at best"), None);
}

#[test]
fn the_object_has_all_of_it() {
    let object = json_of(&status(&["##+o."]));
    assert_eq!(object["units"], json!({ "all": 5, "open": 1, "leased": 1, "finished": 1, "done": 2 }));
    assert_eq!(
        object["paths"],
        json!([{
            "path": 0, "units": { "all": 5, "open": 1, "leased": 1, "finished": 1, "done": 2 }, "layers": "##+o.",
        }])
    );
    assert_eq!(object["units_per_second"]["peak"], 0.2);
    assert_eq!(object["held"][1]["layer"], 1);
    assert_eq!(object["peers"][2]["seconds_per_unit"], Value::Null);
    assert_eq!((&object["complete"], &object["model"]), (&json!(false), &Value::Null));
}
