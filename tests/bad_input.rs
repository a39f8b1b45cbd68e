//! Bad input is an error that says where it is and what to do, and nothing is half written.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that can't go on has failed"
)]

#[path = "rig/mod.rs"]
mod rig;
#[path = "rig/small_disk.rs"]
mod small_disk;
#[path = "rig/stored.rs"]
mod stored;

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::net::{TcpListener, UdpSocket};
use std::path::{Path, PathBuf};

use rig::{Peer, Run, repository, succeed};
use small_disk::SmallDisk;
use store::ReportName;

const LOOPBACK: &str = "/ip4/127.0.0.1/tcp/0";
const GOOD: &str = "a,b,class\n1,x,p\n2,y,q\n3,z,p\n4,w,q\n5,v,p\n";

/// Every file below a folder, with its length.
fn listing(folder: &Path) -> BTreeSet<(PathBuf, u64)> {
    let mut found = BTreeSet::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => folders.push(path),
                false => drop(found.insert((path.clone(), path.metadata().unwrap().len()))),
            }
        }
    }
    found
}

/// Fails with this code and one line that says all of `says`, and leaves the folder as it was.
fn fails(folder: &Path, code: i32, args: &[&str], says: &[&str]) {
    let before = listing(folder);
    let message = rig::fail(code, args, folder);
    let last = message.lines().last().unwrap_or_default();
    assert!(last.starts_with("opendipaco: "), "{args:?}: {message}");
    assert!(!message.contains("panicked"), "{args:?}: {message}");
    for word in says {
        assert!(last.contains(word), "{args:?} does not say {word:?}: {message}");
    }
    assert_eq!(listing(folder), before, "{args:?} left something behind, or changed it");
}

/// A run file, its data, and what has to be said of them.
struct Case {
    name: &'static str,
    data: &'static str,
    target: &'static str,
    settings: &'static str,
    says: &'static [&'static str],
}

const CASES: &[Case] = &[
    Case {
        name: "an empty file",
        data: "",
        target: "class",
        settings: "",
        says: &["data.csv", "is empty", "column names"],
    },
    Case {
        name: "a header alone",
        data: "a,b,class\n",
        target: "class",
        settings: "",
        says: &["data.csv", "not one record", "is the file complete?"],
    },
    Case {
        name: "no such target",
        data: GOOD,
        target: "klass",
        settings: "",
        says: &["\"klass\"", "\"a\", \"b\", \"class\"", "set `target`"],
    },
    Case {
        name: "a ragged row",
        data: "a,b,class\n1,x,p\n2,\"y\ny\",q\n3,z\n",
        target: "class",
        settings: "",
        says: &["data.csv, line 5", "2 cells", "header has 3", "on_error = \"skip\""],
    },
    Case {
        name: "an open quote",
        data: "a,b,class\n1,x,p\n2,\"y,q\n3,z,q\n",
        target: "class",
        settings: "",
        says: &["data.csv, line 3", "quot"],
    },
    Case {
        name: "one class in the whole table",
        data: "a,b,class\n1,x,p\n2,y,p\n",
        target: "class",
        settings: "",
        says: &["every row has the target \"p\"", "choose another target"],
    },
    Case {
        name: "a target that is also left out",
        data: GOOD,
        target: "class",
        settings: "exclude = [\"class\"]\n",
        says: &["run.toml: line 5", "`source.exclude`", "target"],
    },
    Case {
        name: "more paths than rows",
        data: GOOD,
        target: "class",
        settings: "[routing]\npaths = 9\n",
        says: &["9 paths for 5 rows", "lower `routing.paths`"],
    },
    Case {
        name: "more paths than rows in turn",
        data: GOOD,
        target: "class",
        settings: "[routing]\nkind = \"round_robin\"\npaths = 6\n",
        says: &["6 paths for 5 rows", "lower `routing.paths`"],
    },
    Case {
        name: "no layers",
        data: GOOD,
        target: "class",
        settings: "[training]\nlayers = 0\n",
        says: &["run.toml: line 6", "`training.layers` is 0", "from 1"],
    },
    Case {
        name: "an unknown key",
        data: GOOD,
        target: "class",
        settings: "[training]\nlayer = 1\n",
        says: &["run.toml: line 6", "`training.layer`", "did you mean `layers`?"],
    },
    Case {
        name: "settings that contradict each other",
        data: GOOD,
        target: "class",
        settings: "[routing]\nkind = \"round_robin\"\nsample = 5\n",
        says: &["run.toml: line 7", "`routing.sample`", "round_robin", "remove it"],
    },
    Case {
        name: "what is no TOML",
        data: GOOD,
        target: "class",
        settings: "[training\nlayers = 1\n",
        says: &["run.toml: line 5"],
    },
];

#[test]
fn a_table_or_a_run_file_that_can_not_be_used() {
    for case in CASES {
        let run = Run::new("bad", case.data, case.settings);
        let text = fs::read_to_string(run.path("run.toml")).unwrap();
        fs::write(
            run.path("run.toml"),
            text.replace("target = \"class\"", &format!("target = \"{}\"", case.target)),
        )
        .unwrap();
        fs::create_dir(run.path("out")).unwrap();
        let folder = run.folder.path();
        eprintln!("{}", case.name);
        fails(folder, 1, &["train", "run.toml", "--out", "out/model.json"], case.says);
        fails(folder, 1, &["publish", "run.toml", "--out", "out", "--key", "operator.pem"], case.says);
        fails(folder, 1, &["run", "run.toml", "--out", "out/model.json"], case.says);
    }
}

#[test]
fn files_and_folders_that_are_not_there() {
    let run = Run::new("places", GOOD, "");
    let folder = run.folder.path();
    fails(folder, 1, &["train", "gone.toml"], &["gone.toml", "no such file", "check the path"]);
    for command in ["train", "run"] {
        fails(
            folder,
            1,
            &[command, "run.toml", "--out", "gone/model.json"],
            &["gone/model.json", "no folder gone", "make it"],
        );
    }
    fs::create_dir(run.path("model.json")).unwrap();
    fails(folder, 1, &["train", "run.toml"], &["model.json", "is a folder"]);
    let gone = fs::read_to_string(run.path("run.toml")).unwrap().replace("data.csv", "gone.csv");
    fs::write(run.path("gone.toml"), gone).unwrap();
    fails(
        folder,
        1,
        &["publish", "gone.toml", "--key", "operator.pem"],
        &["gone.csv", "no such file", "check the path"],
    );
    fails(
        folder,
        1,
        &["publish", "run.toml", "--key", "data.csv"],
        &["data.csv", "no Ed25519 secret key", "keygen"],
    );
    fails(
        folder,
        2,
        &["publish", "run.toml", "--coordinator", "me"],
        &["--coordinator", "64 hexadecimal", "\"me\""],
    );
}

#[test]
fn what_is_no_model_or_has_not_the_columns_of_one() {
    let run = Run::new("models", GOOD, "");
    let folder = run.folder.path();
    succeed(&["train", "run.toml"], folder);
    let model = fs::read(run.path("model.json")).unwrap();
    fs::write(run.path("cut.json"), &model[..model.len() / 2]).unwrap();
    fs::write(run.path("other.json"), "{\"a\": 1}").unwrap();
    fs::write(run.path("empty.json"), "").unwrap();
    for (bad, says) in [
        ("data.csv", "does not read as a model"),
        ("cut.json", "damaged"),
        ("other.json", "other.json"),
        ("empty.json", "does not read as a model"),
        ("gone.json", "gone.json"),
    ] {
        fails(folder, 1, &["predict", bad, "data.csv"], &[bad, says]);
        fails(folder, 1, &["evaluate", bad, "data.csv"], &[bad, says]);
        fails(folder, 1, &["inspect", bad], &[bad, says]);
    }
    fs::write(run.path("blind.csv"), "a,b\n1,x\n").unwrap();
    fails(
        folder,
        1,
        &["evaluate", "model.json", "blind.csv"],
        &["blind.csv", "no column \"class\"", "predict"],
    );
    fs::write(run.path("foreign.csv"), "u,v\n1,x\n").unwrap();
    for command in ["predict", "evaluate"] {
        fails(
            folder,
            1,
            &[command, "model.json", "foreign.csv"],
            &["foreign.csv", "none of the model's features", "u,v"],
        );
        fails(folder, 1, &[command, "model.json", "gone.csv"], &["gone.csv", "no such file"]);
    }
    fs::write(run.path("ragged.csv"), "a,b,class\n1,x\n").unwrap();
    fails(
        folder,
        1,
        &["predict", "model.json", "ragged.csv"],
        &["ragged.csv, line 2", "2 cells", "header has 3"],
    );
    let number = repository("snake/testdata/tiny_number.json");
    fs::write(run.path("words.csv"), "size,name,y\n1,a,1.5\n2,b,many\n").unwrap();
    let says = &["words.csv", "row 1", "\"many\" is not a number"];
    fails(folder, 1, &["evaluate", number.to_str().unwrap(), "words.csv"], says);
}

#[test]
fn peers_addresses_and_keys_that_lead_nowhere() {
    let run = Run::new("nowhere", GOOD, "");
    run.publish();
    let folder = run.folder.path();
    let join = ["join", "--no-mdns", "--listen", LOOPBACK];
    let nowhere = [&join[..], &["--bootstrap", "/ip4/127.0.0.1/tcp/9"]].concat();
    fails(folder, 2, &join, &["--bootstrap ADDR", "give the address of a peer"]);
    fails(
        folder,
        2,
        &[&nowhere[..], &["--operator", "xyz"]].concat(),
        &["--operator", "64 hexadecimal", "\"xyz\""],
    );
    fails(
        folder,
        2,
        &[&join[..], &["--bootstrap", "127.0.0.1:9"]].concat(),
        &["127.0.0.1:9", "looks like /ip4/"],
    );
    // A port that nobody has: it was the system's choice a moment ago.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let address = format!("/ip4/127.0.0.1/tcp/{port}");
    let message = rig::fail(1, &[&join[..], &["--bootstrap", &address, "--data-dir", "v"]].concat(), folder);
    let last = message.lines().last().unwrap();
    assert!(last.contains(&address) && last.contains("nobody listens there"), "{message}");
    assert!(last.contains("check that the peer is running"), "{message}");

    let coordinate = ["coordinate", "nowhere.manifest", "--no-mdns", "--data-dir", "c"];
    succeed(&["keygen", "other.pem"], folder);
    let other = [&coordinate[..], &["--key", "other.pem"]].concat();
    assert!(rig::fail(3, &other, folder).contains("pass the right --key"));
    let mine = [&coordinate[..], &["--key", "operator.pem"]].concat();
    fails(folder, 2, &[&mine[..], &["--listen", "4001"]].concat(), &["4001", "looks like /ip4/"]);
    fs::write(run.path("bare.manifest"), fs::read(run.manifest()).unwrap()).unwrap();
    let bare = ["coordinate", "bare.manifest", "--key", "operator.pem", "--data-dir", "c", "--no-mdns"];
    fails(folder, 1, &bare, &["bare.delegation", "delegation beside its manifest", "publish"]);
}

#[test]
fn a_port_in_use() {
    let run = Run::new("port", GOOD, "");
    run.publish();
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    let taken = [
        format!("/ip4/127.0.0.1/tcp/{}", tcp.local_addr().unwrap().port()),
        format!("/ip4/127.0.0.1/udp/{}/quic-v1", udp.local_addr().unwrap().port()),
    ];
    for address in taken {
        for args in [
            &["coordinate", "port.manifest", "--key", "operator.pem", "--data-dir", "c"][..],
            &["join", "--bootstrap", "/ip4/127.0.0.1/tcp/9", "--data-dir", "v"],
        ] {
            let args = [args, &["--no-mdns", "--listen", &address]].concat();
            let message = rig::fail(1, &args, run.folder.path());
            for word in [address.as_str(), "the port is in use", "choose another port"] {
                assert!(message.contains(word), "{message}");
            }
        }
    }
}

#[test]
fn a_value_that_does_not_fit_the_published_schema() {
    let rows: String = (0..60).map(|i| format!("{i},w{},{}\n", i % 7, ["p", "q"][i % 2])).collect();
    let run =
        Run::new("pinned", &format!("a,b,class\n{rows}"), "[routing]\nsample = 20\n[training]\nlayers = 1\n");
    run.publish();
    let data = fs::read_to_string(run.path("data.csv")).unwrap();
    let changes = [
        ("\n50,", "\nfifty,", ["changed.csv, line 52", "\"fifty\" of column \"a\""]),
        ("\n50,w1,p\n", "\n50,w1,r\n", ["changed.csv, line 52", "\"r\" of column \"class\""]),
    ];
    for (change, (from, to, says)) in changes.into_iter().enumerate() {
        let changed = data.replacen(from, to, 1);
        assert_ne!(changed, data);
        fs::write(run.path("changed.csv"), changed).unwrap();
        let (mut coordinator, address) = run.coordinator(&["--keep"]);
        for verify in [&[][..], &["--verify-routing"]] {
            let folder = format!("v-{change}-{}", verify.len());
            let mut args =
                vec!["join", "--bootstrap", &address, "--source", "changed.csv", "--data-dir", &folder];
            args.extend(["--no-mdns", "--yes", "--listen", LOOPBACK]);
            args.extend(verify);
            let message = rig::fail(3, &args, run.folder.path());
            assert!(says.iter().all(|word| message.contains(word)), "{message}");
        }
        coordinator.kill();
        let mut args = vec!["coordinate", "pinned.manifest", "--key", "operator.pem", "--data-dir", "other"];
        args.extend(["--no-mdns", "--listen", LOOPBACK, "--source", "changed.csv"]);
        let message = rig::fail(3, &args, run.folder.path());
        assert!(says.iter().all(|word| message.contains(word)), "{message}");
    }
}

#[test]
fn a_source_that_nobody_named() {
    let run = Run::new("unnamed", GOOD, "");
    run.publish();
    let (_coordinator, address) = run.coordinator(&[]);
    let join =
        ["join", "--bootstrap", &address, "--data-dir", "v", "--no-mdns", "--yes", "--listen", LOOPBACK];
    let message = rig::fail(2, &join, run.folder.path());
    assert!(message.contains("\"data.csv\"") && message.contains("add --source FILE"), "{message}");
    let twice = [&join[..], &["--source", "data.csv", "--source", "data.csv"]].concat();
    let message = rig::fail(2, &twice, run.folder.path());
    assert!(message.contains("2 files") && message.contains("1 part"), "{message}");
}

#[test]
fn two_coordinators_in_one_folder() {
    let run = Run::new("two", GOOD, "");
    run.publish();
    let (_first, _) = run.coordinator_with_source();
    let args =
        ["coordinate", "two.manifest", "--key", "operator.pem", "--data-dir", "coordinator", "--no-mdns"];
    let says = &["coordinator: another coordinator works in this folder", "stop it", "--data-dir"];
    let message = rig::fail(1, &args, run.folder.path());
    assert!(says.iter().all(|word| message.contains(word)), "{message}");
}

/// The names of the files below a folder.
fn files_below(folder: &Path) -> BTreeSet<String> {
    let name = |(path, _): (PathBuf, u64)| path.file_name().unwrap().to_str().unwrap().to_owned();
    listing(folder).into_iter().map(name).collect()
}

/// A run whose coordinator keeps its reports on a disk that is full but for `room` bytes when the volunteer comes.
struct Crowded {
    disk: SmallDisk,
    run: Run,
    alone: Vec<u8>,
    filler: PathBuf,
    coordinator: Peer,
    volunteer: Peer,
    room: u64,
}

impl Crowded {
    /// The units of the run.
    const UNITS: usize = 12;

    fn start(name: &str, room: u64) -> Option<Self> {
        let settings = "[routing]\npaths = 2\n[training]\nlayers = 6\nbucket = 50\n";
        let run = Run::new(name, &rig::table(1_600, 5, 9), settings);
        let alone = run.trained_alone();
        run.publish();
        let disk = SmallDisk::mount(run.path("coordinator"), 4 << 20)?;
        let (mut coordinator, address) = run.coordinator_with_source();
        coordinator.expect("progress");
        let filler = disk.0.join("filler");
        let mut file = fs::File::create(&filler).unwrap();
        let chunk = [1; 4096];
        while file.write_all(&chunk).is_ok() {}
        let used = file.metadata().unwrap().len();
        file.set_len(used - room).unwrap();
        let volunteer = run.volunteer(1, &address, &[]);
        Some(Self { disk, run, alone, filler, coordinator, volunteer, room })
    }

    /// What the coordinator has stored so far, as it says.
    fn stored(&self) -> BTreeSet<(u64, u64)> {
        self.coordinator.seen("stored").into_iter().map(rig::unit).collect()
    }

    /// The bytes of every report, one of each unit, once the coordinator has ended.
    fn reports(&self) -> Vec<u64> {
        let names = files_below(&self.disk.0);
        assert_eq!(names, BTreeSet::from(["lock", "model.json", "ports", "run.redb"].map(str::to_owned)));
        let (store, found) = stored::open(&self.run);
        assert!(found.damaged.is_empty() && found.reports.len() == Self::UNITS, "{found:?}");
        let of_unit = |names: &Vec<ReportName>| match names[..] {
            [name] => store.get(name).unwrap().body.len() as u64,
            _ => panic!("several reports of a unit: {names:?}"),
        };
        found.reports.values().map(of_unit).collect()
    }

    /// Makes room, and sees to it that the run ends as if nothing had been. The bytes of each report, and of the model.
    fn make_room(mut self) -> (Vec<u64>, u64) {
        fs::remove_file(&self.filler).unwrap();
        let written = self.coordinator.expect("model_written");
        assert!(self.run.model(&written) == self.alone, "the model differs from the one trained alone");
        self.volunteer.succeed();
        self.coordinator.succeed();
        let stored = self.coordinator.seen("stored");
        let units: BTreeSet<(u64, u64)> = stored.iter().map(|event| rig::unit(event)).collect();
        assert_eq!((units.len(), stored.len()), (Self::UNITS, Self::UNITS), "a report was asked for again");
        assert_eq!(self.volunteer.seen("trained").len(), Self::UNITS, "a unit was trained again");
        (self.reports(), self.alone.len() as u64)
    }
}

#[test]
fn a_disk_too_full_for_a_report_loses_nothing_and_room_is_enough_to_go_on() {
    let Some(mut crowded) = Crowded::start("reports", 256 << 10) else { return };
    let failed = crowded.coordinator.expect("store_failed");
    assert!(failed["reason"].as_str().unwrap().contains("No space left"), "{failed}");
    let stored = crowded.stored();
    assert!((1..Crowded::UNITS).contains(&stored.len()), "{} reports fit", stored.len());
    assert!(!stored.contains(&rig::unit(&failed)), "acknowledged, and not there: {failed}");
    let room = crowded.room;
    let (reports, _) = crowded.make_room();
    let (largest, all) = (reports.iter().max().unwrap(), reports.iter().sum::<u64>());
    // Whatever else is on its way: one that fits is stored.
    assert!(3 * largest < room && room < all, "another room is needed: largest {largest}, all {all} bytes");
}

#[test]
fn a_disk_too_full_for_the_model_is_tried_again() {
    let Some(mut crowded) = Crowded::start("model", 1 << 20) else { return };
    let warning = crowded.coordinator.expect("warning");
    let text = warning["text"].as_str().unwrap();
    for word in ["could not write the model", "No space left", "tried again in 5 s"] {
        assert!(text.contains(word), "{text}");
    }
    assert_eq!(crowded.stored().len(), Crowded::UNITS);
    let expected = BTreeSet::from(["filler", "lock", "ports", "run.redb"].map(str::to_owned));
    assert_eq!(files_below(&crowded.disk.0), expected, "something half written");
    let room = crowded.room;
    let (reports, model) = crowded.make_room();
    let all = reports.iter().sum::<u64>();
    assert!(all < room && room < all + model, "another room is needed: reports {all}, model {model} bytes");
}
