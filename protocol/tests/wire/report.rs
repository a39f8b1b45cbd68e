//! Reports: round trips, one form only, limits.

use proptest::prelude::*;
use protocol::{ReportDecodeError, ReportLimits, Unit, content_hash, decode_report, encode_report};
use snake::{
    Bucket, Comparison, Feature, FeatureKind, Literal, Measure, Origin, Schema, TargetKind, Test, TextTest,
    UnitBuckets,
};
use spec::Fingerprint;

use crate::samples::{UNIT, buckets, number, word};

const WIDE: ReportLimits = ReportLimits { bytes: 1 << 20, memory: 1 << 24 };

pub fn literal() -> impl Strategy<Value = Literal> {
    let float = -1e300..1e300_f64;
    // Negative zero is written as zero.
    let float = float.prop_map(|x| x + 0.0);
    let text = "\\PC{0,12}".prop_map(String::into_boxed_str);
    let test = prop_oneof![
        (prop_oneof![Just(Measure::N), Just(Measure::Tn), Just(Measure::Ent)], float.clone())
            .prop_map(|(measure, t)| Test::Threshold(measure, t)),
        (text.clone(), float.clone()).prop_map(|(text, t)| Test::Reference(Comparison::Jac, text, t)),
        (prop_oneof![Just(TextTest::Contains), Just(TextTest::Equals)], text)
            .prop_map(|(test, text)| Test::Text(test, text)),
        (float.clone(), float.clone(), float.clone())
            .prop_map(|(mean, deviation, threshold)| Test::Standardised { mean, deviation, threshold }),
        (float.clone(), float).prop_map(|(low, high)| Test::Range { low, high }),
        Just(Test::Zero),
    ];
    (0..40_u32, any::<bool>(), test).prop_map(|(column, negated, test)| Literal { column, negated, test })
}

fn bucket() -> impl Strategy<Value = Bucket<u64>> {
    let ordinals = || prop::collection::btree_set(prop_oneof![0..50_u64, any::<u64>()], 0..6);
    let literals = || prop::collection::vec(literal(), 0..4);
    let votes =
        prop::collection::vec(prop::collection::vec(prop::collection::vec(any::<u32>(), 0..3), 0..3), 12);
    let clauses = prop::collection::vec(literals(), 0..4);
    (prop::option::of(literals()), ordinals(), ordinals(), clauses, votes).prop_map(
        |(condition, core, noise, clauses, votes)| {
            let mut origins = vec![Origin::Core; core.len()];
            origins.resize(core.len() + noise.len(), Origin::Noise);
            let members: Vec<u64> = core.into_iter().chain(noise).collect();
            let lookalikes = votes.into_iter().take(members.len()).zip(0..).map(|(v, i)| (i, v)).collect();
            Bucket { condition, members, origins, clauses, lookalikes }
        },
    )
}

proptest! {
    #[test]
    fn buckets_round_trip(buckets in prop::collection::vec(bucket(), 0..4)) {
        let bytes = encode_report(&buckets).unwrap();
        prop_assert_eq!(decode_report(&bytes, WIDE).unwrap(), buckets);
    }

    #[test]
    fn a_report_has_one_form(position in 0..140_usize, byte: u8) {
        // Whatever still opens after a change says something else.
        let good = encode_report(&buckets()).unwrap();
        let mut bytes = good.clone();
        if let Some(old) = bytes.get_mut(position) {
            *old = byte;
        }
        if let Ok(read) = decode_report(&bytes, WIDE) {
            prop_assert_eq!(read == buckets(), bytes == good);
        }
    }
}

/// A report of no buckets but these literals.
fn table(literals: &[&[u8]], rest: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0x83, 1, 0x80 | u8::try_from(literals.len()).unwrap()];
    bytes.extend(literals.concat());
    bytes.extend(rest);
    bytes
}

#[test]
fn every_other_form_is_refused() {
    let a = &b"\x84\x01\xfb\x3f\xf0\0\0\0\0\0\0\xf4\x61N"[..];
    let b = &b"\x84\x02\xfb\x3f\xf0\0\0\0\0\0\0\xf4\x61N"[..];
    let bucket = |condition: &[u8], rest: &[u8]| [b"\x81\x85", condition, rest].concat();
    let rest = b"\x81\x00\x80\x80\x81\x80";
    let good = |bytes: Vec<u8>| assert!(decode_report(&bytes, WIDE).is_ok(), "{bytes:x?}");
    let bad = |bytes: Vec<u8>| {
        let malformed = matches!(decode_report(&bytes, WIDE), Err(ReportDecodeError::Malformed { .. }));
        assert!(malformed, "{bytes:x?}");
    };
    good(table(&[a, b], &bucket(b"\x82\x00\x01", rest)));
    bad(table(&[a, b], &bucket(b"\x82\x01\x00", rest))); // not in order of first use
    bad(table(&[a, b], &bucket(b"\x81\x00", rest))); // one is not used
    bad(table(&[a, a], &bucket(b"\x82\x00\x01", rest))); // one stands there twice
    bad(table(&[a], &bucket(b"\x81\x01", rest))); // one is missing
    good(table(&[], &bucket(b"\xf6", b"\x81\x00\x80\x80\x81\x81\x05")));
    bad(table(&[], &bucket(b"\xf6", b"\x81\x00\x80\x80\x81\x81\x81\x05"))); // a list of one
    bad(table(&[], &bucket(b"\xf6", b"\x81\x00\x80\x80\x81\x81\x18\x05"))); // not the shortest
    bad(table(&[], &bucket(b"\xf6", b"\x81\x00\x80\x80\x82\x80\x80"))); // more votes than members
    bad(table(&[], &bucket(b"\xf6", b"\x82\x1b\xff\xff\xff\xff\xff\xff\xff\xff\x00\x80\x80\x82\x80\x80"))); // past the end
    bad(table(&[], b"\x80\x00")); // something behind
    bad(table(&[b"\x84\x01\x01\xf4\x61N"], &bucket(b"\x81\x00", rest))); // a float as a whole number
    bad(table(&[b"\x84\x01\x01\xf4\x63XYZ"], &bucket(b"\x81\x00", rest))); // a kind that is not known
    bad(table(&[b"\x84\x01\xfb\x80\0\0\0\0\0\0\0\xf4\x61N"], &bucket(b"\x81\x00", rest))); // negative zero
    bad(table(&[b"\x84\x01\xfb\x7f\xf0\0\0\0\0\0\0\xf4\x61N"], &bucket(b"\x81\x00", rest))); // infinity
    assert_eq!(decode_report(b"\x83\x02\x80\x80", WIDE), Err(ReportDecodeError::Version { found: 2 }));
}

#[test]
fn size_is_checked_first() {
    let limits = ReportLimits { bytes: 10, memory: 1000 };
    assert_eq!(decode_report(&[0xff; 11], limits), Err(ReportDecodeError::TooLarge { bytes: 11, limit: 10 }));
}

#[test]
fn a_report_that_unfolds_is_stopped() {
    // 50 bytes a clause, each a kilobyte in memory.
    let quote = word(&"x".repeat(1000), false);
    let many = Bucket {
        condition: None,
        members: vec![0],
        origins: vec![Origin::Core],
        clauses: vec![vec![quote; 50]; 400],
        lookalikes: [(0, vec![])].into_iter().collect(),
    };
    let bytes = encode_report(&[many]).unwrap();
    assert!(bytes.len() < 25_000);
    let limits = ReportLimits { bytes: 64 * 1024, memory: 4 * 64 * 1024 };
    assert_eq!(decode_report(&bytes, limits), Err(ReportDecodeError::TooMuch { limit: limits.memory }));
    // An array that claims what can't be there.
    let claim = b"\x83\x01\x9a\x7f\xff\xff\xff\x00";
    assert!(matches!(decode_report(claim, WIDE), Err(ReportDecodeError::Malformed { bucket: 0 })));
}

#[test]
fn what_training_never_makes_is_not_written() {
    let broken = |change: fn(&mut Bucket<u64>), reason: &str| {
        let mut buckets = buckets();
        change(&mut buckets[1]);
        let error = encode_report(&buckets).unwrap_err();
        assert_eq!(error.bucket, 1);
        assert!(error.reason.contains(reason), "{error}");
    };
    broken(|bucket| bucket.members.swap(0, 1), "ascending");
    broken(|bucket| bucket.members[0] = 4, "ascending");
    broken(|bucket| bucket.origins[0] = Origin::Noise, "core member stands after");
    broken(|bucket| bucket.origins.truncate(1), "one origin per member");
    broken(|bucket| bucket.lookalikes.edit(|l| drop(l.pop())), "one entry of lookalikes");
    broken(|bucket| bucket.lookalikes.edit(|l| l.swap(0, 1)), "order of its members");
    broken(|bucket| bucket.clauses[0].push(number(1, f64::NAN, false)), "not finite");
    broken(
        |bucket| bucket.clauses[0].push(word(&"x".repeat(2 << 20), false)),
        "larger than a report may quote",
    );
    let unknown = |bucket: &mut Bucket<u64>| {
        let literal = serde_json_literal();
        bucket.clauses[0].push(literal);
    };
    broken(unknown, "does not know");
}

fn serde_json_literal() -> Literal {
    serde_cbor::from_slice(b"\x84\x01\x01\xf4\x63XYZ").unwrap()
}

#[test]
fn negative_zero_is_written_as_zero() {
    let mut buckets = buckets();
    buckets[1].clauses[0][0] = number(1, -0.0, true);
    let read = decode_report(&encode_report(&buckets).unwrap(), WIDE).unwrap();
    let Test::Threshold(_, threshold) = read[1].clauses[0][0].test else { panic!() };
    assert!(threshold == 0.0 && threshold.is_sign_positive());
}

#[test]
fn the_hash_names_fingerprint_place_and_content_but_no_replica() {
    let report = encode_report(&buckets()).unwrap();
    let fingerprint = Fingerprint::from_bytes([5; 32]);
    let hash = content_hash(&fingerprint, UNIT, &report);
    assert_eq!(hash, content_hash(&fingerprint, Unit { replica: 3, ..UNIT }, &report));
    for other in [Unit { part: 1, ..UNIT }, Unit { layer: 0, ..UNIT }, Unit { path: 0, ..UNIT }] {
        assert_ne!(hash, content_hash(&fingerprint, other, &report));
    }
    assert_ne!(hash, content_hash(&Fingerprint::from_bytes([6; 32]), UNIT, &report));
    assert_ne!(hash, content_hash(&fingerprint, UNIT, &report[1..]));
}

fn schema(numbers: usize, texts: usize) -> Schema {
    let kinds = std::iter::repeat_n(FeatureKind::Number, numbers)
        .chain(std::iter::repeat_n(FeatureKind::Text, texts));
    let features = kinds.zip(0..).map(|(kind, i)| Feature { name: format!("c{i}"), kind }).collect();
    Schema { target: "t".into(), target_kind: TargetKind::Text, classes: vec![], features }
}

/// One bucket over `rows` rows, each with a clause of its own of `length` literals, as training makes it when hardly any
/// two rows have anything in common.
fn hard(rows: u64, length: usize, literal: impl Fn(usize) -> Literal) -> UnitBuckets {
    let count = usize::try_from(rows).unwrap();
    let clauses = (0..count).map(|row| (0..length).map(|i| literal(row * length + i)).collect()).collect();
    let lookalikes = (0..u32::try_from(rows).unwrap()).map(|row| (row, vec![vec![row]])).collect();
    let members = (0..rows).collect();
    vec![Bucket { condition: None, members, origins: vec![Origin::Core; count], clauses, lookalikes }]
}

#[test]
fn honest_reports_stay_within_their_limits() {
    let jaccard = |i: usize| {
        let text = format!("{i:04}").repeat(500);
        Literal { column: 1, negated: true, test: Test::Reference(Comparison::Jac, text.into(), 0.5) }
    };
    let threshold = |i: usize| {
        #[allow(clippy::cast_precision_loss)]
        number(1, i as f64 + 0.5, i.is_multiple_of(2))
    };
    // Rows, numbers, texts, literals per clause, quoting whole texts of 2,000 characters?
    for (rows, numbers, texts, length, quote) in [
        (5, 30, 0, 4, false),
        (5, 0, 30, 4, true),
        (1, 1, 0, 0, false),
        (500, 30, 0, 8, false),
        (500, 0, 30, 3, true),
    ] {
        let buckets = if quote { hard(rows, length, jaccard) } else { hard(rows, length, threshold) };
        let limits = ReportLimits::for_path(&schema(numbers, texts), rows);
        let bytes = encode_report(&buckets).unwrap();
        println!(
            "{rows} rows, {length} literals each, texts {quote}: {} bytes a row",
            bytes.len() as u64 / rows
        );
        assert_eq!(decode_report(&bytes, limits).unwrap(), buckets);
    }
}

#[test]
fn limits_grow_with_rows_and_texts_and_end_somewhere() {
    let bytes = |numbers, texts, rows| ReportLimits::for_path(&schema(numbers, texts), rows).bytes;
    assert_eq!(bytes(30, 0, 0), 65_536);
    assert_eq!(bytes(30, 0, 5), 65_536 + 5 * 1024);
    assert_eq!(bytes(0, 1, 5), 65_536 + 5 * 5120);
    assert_eq!(bytes(0, 9, 5), 65_536 + 5 * 17_408);
    assert_eq!(bytes(0, 9, u64::MAX), 256 * 1024 * 1024);
}
