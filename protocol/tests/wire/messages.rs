//! Requests, answers and the frames of a report's stream.

use protocol::lease::MAX_UNITS;
use protocol::limits::{
    EXCHANGE_IDS, EXCHANGE_RANGES, HELLO_PEERS, HELLO_RUNS, MANIFEST_BYTES, MESSAGE_BYTES, RECORDS,
    STATUS_HELD, STATUS_PATHS, STATUS_PEERS, STATUS_STAGES_BYTES,
};
use protocol::{
    Answer, Ask, Codec, ExchangeRequest, Held, Hello, HelloRun, MessageError, ModelHash, Offer, PathStatus,
    PeerStatus, Prints, RangeIds, RecordBytes, Records, ReportAck, ReportOffer, ReportReply, Request, RunId,
    RunStatus, StageCounts, Told, Unit, frame_head, frame_length,
};

use crate::golden::bytes;
use crate::samples::{self, other, peer, run};

fn hello_run(run: RunId, peers: usize, bytes: usize) -> HelloRun {
    HelloRun {
        run,
        name: "small".into(),
        operator: peer().key(),
        delegation: Some(RecordBytes(vec![7; 40])),
        peers: vec![RecordBytes(vec![8; bytes]); peers],
    }
}

fn exchange(ask: Ask) -> Request {
    Request::Exchange(ExchangeRequest { run: run(), ask })
}

#[test]
fn requests_round_trip_and_are_pinned() {
    let all = [
        Request::Hello(Hello { runs: vec![hello_run(run(), 2, 10)] }),
        Request::Manifest(run()),
        Request::Offer(Offer { manifest: RecordBytes(vec![1]), delegation: RecordBytes(vec![2]) }),
        exchange(Ask::From(7)),
        exchange(Ask::Compare(Prints { salt: [3; 32], prints: vec![1; 4 * EXCHANGE_RANGES] })),
        exchange(Ask::Fetch(vec![RangeIds { range: 2, ids: vec![5; 8 * RECORDS] }])),
        Request::Status(run()),
    ];
    for request in all {
        assert_eq!(Request::decode(&request.encode().unwrap()).unwrap(), request);
    }
    let bytes = Request::Manifest(run()).encode().unwrap();
    assert_eq!(bytes, [b"\xa1\x68manifest\x58\x20".as_slice(), &[0xaa; 32]].concat());
    let bytes = exchange(Ask::From(7)).encode().unwrap();
    assert_eq!(
        bytes,
        [b"\xa1\x68exchange\xa2\x61q\xa1\x64from\x07\x61r\x58\x20".as_slice(), &[0xaa; 32]].concat()
    );
    let bytes = Request::Hello(Hello::default()).encode().unwrap();
    assert_eq!(bytes, b"\xa1\x65hello\xa1\x61r\x80");
    let bytes = Request::Status(run()).encode().unwrap();
    assert_eq!(bytes, [b"\xa1\x66status\x58\x20".as_slice(), &[0xaa; 32]].concat());
}

#[test]
fn answers_round_trip_and_are_pinned() {
    let all = [
        Answer::Hello(Hello { runs: vec![HelloRun { delegation: None, ..hello_run(run(), 0, 0) }] }),
        Answer::Manifest(RecordBytes(vec![1; MANIFEST_BYTES])),
        Answer::Absent,
        Answer::Accepted,
        Answer::Exchange(Told::Records(Records { records: vec![RecordBytes(vec![1])], next: Some(9) })),
        Answer::Exchange(Told::Ids(vec![RangeIds { range: 2, ids: vec![5; 8 * EXCHANGE_IDS] }])),
        Answer::Status(Box::new(samples::status())),
        Answer::Busy(5),
        Answer::No("why".into()),
    ];
    for answer in all {
        assert_eq!(Answer::decode(&answer.encode().unwrap()).unwrap(), answer);
    }
    let status = Answer::Status(Box::new(samples::status())).encode().unwrap();
    let expected = bytes(include_str!("golden/status.hex"));
    assert_eq!(data_encoding::HEXLOWER.encode(&status), data_encoding::HEXLOWER.encode(&expected));
    assert_eq!(Answer::Absent.encode().unwrap(), b"\x66absent");
    assert_eq!(Answer::No("why".into()).encode().unwrap(), b"\xa1\x62no\x63why");
}

#[test]
fn what_is_too_much_is_refused() {
    let refused = |request: Request| assert!(matches!(request.encode(), Err(MessageError::Refused { .. })));
    refused(Request::Hello(Hello { runs: vec![hello_run(run(), 33, 1)] }));
    refused(Request::Hello(Hello { runs: vec![hello_run(run(), 0, 0); 2] }));
    refused(Request::Hello(Hello { runs: vec![hello_run(RunId::NONE, 0, 0)] }));
    let many = (0..17).map(|i| hello_run(RunId::from_bytes([i + 1; 32]), 0, 0)).collect();
    refused(Request::Hello(Hello { runs: many }));
    let tricky = HelloRun { name: "a\u{202e}b".into(), ..hello_run(run(), 0, 0) };
    refused(Request::Hello(Hello { runs: vec![tricky] }));
    assert!(Answer::No("x".repeat(513)).encode().is_err());
    assert!(Answer::Manifest(RecordBytes(vec![0; MANIFEST_BYTES + 1])).encode().is_err());
    assert_eq!(
        Request::decode(&vec![0; MESSAGE_BYTES + 1]),
        Err(MessageError::TooLarge { what: "request", bytes: MESSAGE_BYTES + 1, limit: MESSAGE_BYTES })
    );
    // A request of a later version.
    assert_eq!(Request::decode(b"\xa1\x66future\x00"), Err(MessageError::Malformed { what: "request" }));
}

#[test]
fn a_status_agrees_with_itself() {
    let refused = |change: fn(&mut RunStatus)| {
        let mut status = samples::status();
        change(&mut status);
        assert!(matches!(Answer::Status(Box::new(status)).encode(), Err(MessageError::Refused { .. })));
    };
    refused(|status| status.paths.reverse());
    refused(|status| status.paths[1].path = 0);
    refused(|status| status.paths[1].counts.open = 0);
    refused(|status| status.counts.open = 0);
    refused(|status| status.layers = 3);
    refused(|status| status.layers = u32::MAX);
    refused(|status| status.paths_left_out = u32::MAX);
    refused(|status| status.paths_left_out = 1);
    refused(|status| status.stages = Some(Vec::new()));
    refused(|status| status.stages = Some(vec![0; 2]));
    refused(|status| status.windows = vec![0; 361]);
    refused(|status| status.held = vec![status.held[0]; STATUS_HELD + 1]);
    refused(|status| status.peers = vec![status.peers[0]; STATUS_PEERS + 1]);
    // Bits behind the last unit.
    refused(|status| {
        (status.layers, status.counts, status.stages) = (1, StageCounts::default(), Some(vec![0b1_0000]));
        status.counts.open = 2;
        for path in &mut status.paths {
            path.counts = StageCounts { open: 1, ..StageCounts::default() };
        }
    });
}

/// Every number as long as it gets.
#[test]
fn the_largest_status_fits() {
    let layers = (MAX_UNITS / STATUS_PATHS) as u32;
    let long = u32::MAX - 1;
    let unit = Unit { path: long, layer: long, part: long, replica: long };
    let status = RunStatus {
        model: Some(ModelHash::from_bytes([9; 32])),
        watched: u64::MAX,
        counts: StageCounts {
            open: MAX_UNITS as u32 - 3 * 70_000,
            leased: 70_000,
            finished: 70_000,
            done: 70_000,
        },
        layers,
        paths: (0..STATUS_PATHS as u32)
            .map(|path| PathStatus {
                path: long - STATUS_PATHS as u32 + path,
                counts: StageCounts { open: layers - 3 * 64, leased: 64, finished: 64, done: 64 },
            })
            .collect(),
        stages: None,
        held: vec![Held { unit, peer: peer().key(), epoch: long, seconds: long }; STATUS_HELD],
        held_left_out: long,
        heard: long,
        peers: vec![
            PeerStatus {
                peer: peer().key(),
                heard: true,
                held: long,
                finished: long,
                millis_per_unit: Some(long)
            };
            STATUS_PEERS
        ],
        peers_left_out: long,
        allowed: u64::MAX,
        allowed_at_peak: u64::MAX,
        windows: vec![long; 360],
        ..samples::status()
    };
    let bytes = Answer::Status(Box::new(status)).encode().unwrap().len();
    // With a quarter of the layers the stages would come on top, and the counts be as long.
    assert!(bytes + STATUS_STAGES_BYTES + 8 * 1024 < MESSAGE_BYTES, "{bytes}");
}

#[test]
fn a_hello_is_made_to_fit() {
    let peers = protocol::limits::ADDRESS_RECORD_BYTES;
    let runs = (0..20_u8).map(|i| hello_run(RunId::from_bytes([i + 1; 32]), 40, peers)).collect();
    let mut hello = Hello { runs };
    hello.fit();
    assert_eq!(hello.runs.len(), HELLO_RUNS);
    let kept: Vec<usize> = hello.runs.iter().map(|run| run.peers.len()).collect();
    assert!(kept.iter().all(|kept| (2..=HELLO_PEERS).contains(kept)), "{kept:?}");
    let bytes = Request::Hello(hello).encode().unwrap();
    assert!(bytes.len() > MESSAGE_BYTES - 16 * 1024, "room is used: {}", bytes.len());

    let mut small = Hello { runs: vec![hello_run(run(), 40, 300)] };
    small.fit();
    assert_eq!(small.runs[0].peers.len(), HELLO_PEERS);
}

#[test]
fn odd_exchanges_are_refused() {
    let refused = |ask: Ask| assert!(exchange(ask.clone()).encode().is_err(), "{ask:?}");
    let ids = |range, bytes| RangeIds { range, ids: vec![0; bytes] };
    refused(Ask::Compare(Prints { salt: [0; 32], prints: vec![0; 4 * EXCHANGE_RANGES + 4] }));
    refused(Ask::Compare(Prints { salt: [0; 32], prints: vec![0; 5] }));
    refused(Ask::Fetch(vec![ids(0, 8 * RECORDS + 8)]));
    refused(Ask::Fetch(vec![ids(1, 8), ids(1, 8)]));
    refused(Ask::Fetch(vec![ids(0, 7)]));
    refused(Ask::Fetch(vec![ids(0, 0)]));
    let too_many = Answer::Exchange(Told::Ids(vec![ids(0, 8 * EXCHANGE_IDS), ids(1, 8)]));
    assert!(too_many.encode().is_err());
    let records = Records { records: vec![RecordBytes(vec![1]); RECORDS + 1], next: None };
    assert!(Answer::Exchange(Told::Records(records)).encode().is_err());
}

#[test]
fn frames_of_a_report_round_trip() {
    let offer = ReportOffer { header: RecordBytes(vec![1, 2]), codec: Codec::None, packed: 99 };
    assert_eq!(offer.encode().unwrap(), b"\xa3\x61h\x42\x01\x02\x61k\x64none\x61n\x18\x63");
    assert_eq!(ReportOffer::decode(&offer.encode().unwrap()).unwrap(), offer);
    assert!(ReportOffer { packed: u64::MAX, ..offer.clone() }.encode().is_err());
    assert!(ReportOffer { header: RecordBytes(vec![0; 513]), ..offer }.encode().is_err());
    let replies = [
        ReportReply::Send,
        ReportReply::Have(RecordBytes(vec![1; 300])),
        ReportReply::Busy(3),
        ReportReply::No("full".into()),
    ];
    for reply in replies {
        assert_eq!(ReportReply::decode(&reply.encode().unwrap()).unwrap(), reply);
    }
    let acks = [
        ReportAck::Stored(RecordBytes(vec![1; 512])),
        ReportAck::Kept,
        ReportAck::Busy(3),
        ReportAck::No("x".repeat(512)),
    ];
    for ack in acks {
        assert_eq!(ReportAck::decode(&ack.encode().unwrap()).unwrap(), ack);
    }
    assert_eq!(ReportReply::Send.encode().unwrap(), b"\x64send");
}

#[test]
fn frame_heads_are_checked() {
    assert_eq!(frame_head(65_536).unwrap(), [0, 1, 0, 0]);
    assert_eq!(frame_length([0, 1, 0, 0]).unwrap(), 65_536);
    assert!(frame_head(0).is_err() && frame_head(65_537).is_err());
    assert!(frame_length([0; 4]).is_err() && frame_length([0xff; 4]).is_err());
    assert_ne!(peer().key(), other().key());
}
