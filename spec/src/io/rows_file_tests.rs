//! The shard's file: its bytes, what comes back, what is found, what a forged one can't do.

use proptest::prelude::*;
use snake::{Cell, Feature, Label, TableBuilder, TargetValue};

use super::*;
use crate::data_spec::ShardHash;

fn feature(name: &str, kind: FeatureKind) -> Feature {
    Feature { name: name.into(), kind }
}

fn classes(target_kind: TargetKind, texts: &[&str], features: Vec<Feature>) -> Schema {
    let classes = texts.iter().map(|text| Label::Text((*text).into())).collect();
    Schema { target: "y".into(), target_kind, classes, features }
}

fn sample_schema() -> Schema {
    let features = vec![feature("n", FeatureKind::Number), feature("t", FeatureKind::Text)];
    classes(TargetKind::Text, &["no", "yes"], features)
}

fn sample() -> Table {
    let mut builder = TableBuilder::new(Arc::new(sample_schema()));
    builder.push(3, &[Cell::Number(1.5), Cell::Text("né")], TargetValue::Class(1)).unwrap();
    builder.push(9, &[Cell::Number(0.0), Cell::Text("")], TargetValue::Class(0)).unwrap();
    builder.push(10, &[Cell::Number(-2.0), Cell::Text("né")], TargetValue::Class(0)).unwrap();
    builder.finish()
}

fn bytes_of(table: &Table) -> Vec<u8> {
    let mut bytes = Vec::new();
    write(&Shard::of_table(table), table, &mut bytes).unwrap();
    assert_eq!(bytes.len() as u64, size(table), "the size is known before");
    bytes
}

fn read_as(bytes: &[u8], table: &Table) -> Result<Table, Damage> {
    read(bytes, bytes.len() as u64, table.schema(), &Shard::of_table(table))
}

fn back(bytes: &[u8]) -> Result<Table, Damage> {
    read_as(bytes, &sample())
}

/// The same with a length and a hash that are right.
fn sealed(content: &[u8]) -> Vec<u8> {
    let mut bytes = content.to_vec();
    let length = (bytes.len() + 32 - 20) as u64;
    bytes[12..20].copy_from_slice(&length.to_le_bytes());
    let hash = blake3::hash(&bytes);
    bytes.extend(hash.as_bytes());
    bytes
}

#[test]
fn the_file_is_pinned() {
    let table = sample();
    let bytes = bytes_of(&table);
    let hex = |bytes: &[u8]| data_encoding::HEXLOWER.encode(bytes);
    let mut expected = b"ODPCROWS".to_vec();
    expected.extend([2, 0, 0, 0, 160, 0, 0, 0, 0, 0, 0, 0]);
    expected.extend(Shard::of_table(&table).hash.as_bytes());
    expected.extend([3, 0, 0, 0, 0, 0, 0, 0]);
    let schema = "de2cc40c5d24f9d0cc89df6dade0839af225342d2db84b9895cef5c58f451f34";
    assert_eq!(hex(&bytes[60..92]), schema);
    expected.extend(&bytes[60..92]);
    expected.extend([3, 0, 0, 0, 0, 0, 0, 0, 1, 5, 0]); // ordinals
    expected.extend([0, 0, 0, 0, 0, 0, 0xf8, 0x3f, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xc0]);
    expected.extend([2, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, b'n', 0xc3, 0xa9, 0, 1, 0]); // texts
    expected.extend([1, 0, 0]); // classes
    assert_eq!(hex(&bytes[..bytes.len() - 32]), hex(&expected));
    assert_eq!(bytes[bytes.len() - 32..], *blake3::hash(&expected).as_bytes());
    assert_eq!(
        hex(&bytes[bytes.len() - 32..]),
        "e4b9ae2a4f3550a246401f9a40aa89c12993df704d22746983a550c1145f1677"
    );
    assert_eq!(sealed(&expected), bytes);
    assert_eq!(back(&bytes).unwrap(), table);
}

#[test]
fn any_changed_bit_and_any_missing_byte_is_found() {
    let good = bytes_of(&sample());
    for at in 0..good.len() {
        for bit in 0..8 {
            let mut bad = good.clone();
            bad[at] ^= 1 << bit;
            assert!(back(&bad).is_err(), "bit {bit} of byte {at} changed");
        }
        assert!(back(&good[..at]).is_err(), "cut at {at}");
        // Cut, and nobody says so.
        let table = sample();
        let cut = read(&good[..at], good.len() as u64, table.schema(), &Shard::of_table(&table));
        assert!(cut.is_err(), "cut at {at} while it is read");
    }
    let mut long = good.clone();
    long.push(0);
    assert!(back(&long).is_err());
    let table = sample();
    assert!(read(&long[..], good.len() as u64, table.schema(), &Shard::of_table(&table)).is_err());
}

#[test]
fn another_shard_or_schema_is_found() {
    let table = sample();
    let (bytes, shard) = (bytes_of(&table), Shard::of_table(&table));
    let read = |schema: Schema, shard: Shard| read(&bytes[..], bytes.len() as u64, &Arc::new(schema), &shard);
    assert_eq!(read(sample_schema(), shard).unwrap(), table);
    assert!(read(sample_schema(), Shard { rows: 2, ..shard }).is_err());
    assert!(read(sample_schema(), Shard { rows: u64::MAX, ..shard }).is_err());
    assert!(read(sample_schema(), Shard { hash: ShardHash::from_bytes([7; 32]), ..shard }).is_err());
    for change in [
        |schema: &mut Schema| schema.target.push('z'),
        |schema: &mut Schema| schema.target_kind = TargetKind::Integer,
        |schema: &mut Schema| schema.classes.swap(0, 1),
        |schema: &mut Schema| schema.classes.push(Label::Text("z".into())),
        |schema: &mut Schema| schema.features[0].name.push('z'),
        |schema: &mut Schema| schema.features[1].kind = FeatureKind::Number,
        |schema: &mut Schema| schema.features.swap(0, 1),
        |schema: &mut Schema| schema.features.truncate(1),
    ] {
        let mut schema = sample_schema();
        change(&mut schema);
        let error = read(schema.clone(), shard).unwrap_err().to_string();
        assert!(error.contains("schema"), "{error}: {schema:?}");
    }
    let other = Shard { rows: 2, ..shard };
    assert!(write(&other, &table, &mut Vec::new()).is_err(), "a table that is not the shard's");
}

#[test]
fn a_file_of_the_first_version_is_not_known() {
    let mut bytes = b"ODPCROWS".to_vec();
    bytes.extend([1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    bytes.extend([0; 200]);
    bytes[12] = 200;
    let error = back(&bytes).unwrap_err().to_string();
    assert!(error.contains("of this version"), "{error}");
}

/// Whoever makes a sound hash can't make a table that rows don't make, nor lengths that are believed.
#[test]
fn what_lies_under_a_sound_hash_is_found() {
    let good = bytes_of(&sample());
    let content = &good[..good.len() - 32];
    let found = |what: &str, change: &dyn Fn(&mut Vec<u8>), says: &str| {
        let mut bytes = content.to_vec();
        change(&mut bytes);
        let error = back(&sealed(&bytes)).expect_err(what).to_string();
        assert!(error.contains(says), "{what}: {error}");
    };
    assert!(back(&sealed(content)).is_ok());
    let set = |at: usize, new: &'static [u8]| {
        move |bytes: &mut Vec<u8>| bytes[at..at + new.len()].copy_from_slice(new)
    };
    // The places are those of `the_file_is_pinned`.
    for width in [0, 3, 5, 16, 255] {
        found("a width that is none", &|bytes| bytes[100] = width, "no width");
    }
    found("gaps that are wider than the file", &set(100, &[8]), "");
    found("ordinals that wrap", &set(92, &[255; 8]), "ascend");
    found("a number that is none", &set(103, &[0, 0, 0, 0, 0, 0, 0xf8, 0x7f]), "\"n\"");
    found("negative zero", &set(111, &[0, 0, 0, 0, 0, 0, 0, 0x80]), "\"n\"");
    found("more texts than rows", &set(127, &[4, 0, 0, 0]), "more distinct texts");
    found("a great many texts", &set(127, &[255; 4]), "more distinct texts");
    found("a text of 4 GiB", &set(131, &[255; 4]), "");
    found("two texts of 4 GiB", &set(131, &[255; 8]), "");
    found("texts that split a character", &set(131, &[2, 0, 0, 0, 1, 0, 0, 0]), "within a character");
    found("bytes that are no text", &set(140, &[0xff]), "UTF-8");
    found("a code that no text has", &set(143, &[2]), "\"t\"");
    found("codes out of order", &set(142, &[1, 0]), "\"t\"");
    found("a text that no row has", &set(143, &[0]), "\"t\"");
    found("a class that the schema has not", &set(146, &[2]), "\"y\"");
    found("a byte too much", &|bytes| bytes.push(0), "more than its shard");
    found("a byte too few", &|bytes| bytes.truncate(bytes.len() - 1), "");
    found("no columns", &|bytes| bytes.truncate(101), "");
    let twice = |bytes: &mut Vec<u8>| {
        bytes[131..139].copy_from_slice(&[1, 0, 0, 0, 1, 0, 0, 0]);
        bytes.splice(139..142, *b"aa");
    };
    found("a text twice", &twice, "\"t\"");
}

#[test]
fn rows_that_the_file_has_no_room_for_cost_nothing() {
    // A spec's word for the rows, and a size that the file system makes up.
    let schema = Arc::new(sample_schema());
    for (rows, length) in [(1 << 40, 300), (u64::MAX, 300), (1 << 60, 1 << 62), (u64::MAX, u64::MAX)] {
        let shard = Shard { rows, hash: ShardHash::from_bytes([1; 32]) };
        let mut bytes = bytes_of(&sample());
        bytes[12..20].copy_from_slice(&(length - START).to_le_bytes());
        bytes[20..52].copy_from_slice(&[1; 32]);
        bytes[52..60].copy_from_slice(&rows.to_le_bytes());
        assert!(read(&bytes[..], length, &schema, &shard).is_err());
    }
}

#[test]
fn columns_longer_than_a_piece_come_back() {
    let kinds = [FeatureKind::Text, FeatureKind::Number, FeatureKind::Text, FeatureKind::Text];
    let features: Vec<Feature> = kinds.iter().map(|kind| feature("f", *kind)).collect();
    let many: Vec<String> = (0..300).map(|class| class.to_string()).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let schema = classes(TargetKind::Text, &many, features);
    let mut builder = TableBuilder::new(Arc::new(schema));
    for row in 0..70_001u32 {
        let texts = [row % 7, row % 1_000, row].map(|number| format!("text {number} é"));
        let cells = [
            Cell::Text(&texts[0]),
            Cell::Number(f64::from(row) / 3.0),
            Cell::Text(&texts[1]),
            Cell::Text(&texts[2]),
        ];
        // Gaps of five bytes and more.
        let ordinal = u64::from(row) << 40 | u64::from(row % 5);
        builder.push(ordinal, &cells, TargetValue::Class(row % 300)).unwrap();
    }
    let table = builder.finish();
    assert_eq!(read_as(&bytes_of(&table), &table).unwrap(), table);
}

fn number() -> impl Strategy<Value = f64> {
    let rare = [0.0, -0.0, f64::MIN_POSITIVE / 3.0, -5e-324, f64::MAX, f64::MIN, 1.0];
    prop_oneof![proptest::num::f64::NORMAL, proptest::sample::select(rare.to_vec())]
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![Just(String::new()), "[ab]", "\\PC{0,12}", Just("\u{0}\u{10ffff}é".to_owned())]
}

prop_compose! {
    fn tables()(
        kinds in proptest::collection::vec(any::<bool>(), 0..6),
        target in any::<bool>(),
        // Up to four bytes of a gap, or all eight.
        shift in 0u32..64,
        numbers in proptest::collection::vec(number(), 1..40),
        texts in proptest::collection::vec(text(), 1..20),
        rows in proptest::collection::vec((any::<u64>(), any::<proptest::sample::Index>()), 0..60),
    ) -> Table {
        let kind = |text: &bool| if *text { FeatureKind::Text } else { FeatureKind::Number };
        let features: Vec<Feature> = kinds.iter().map(|text| feature("f", kind(text))).collect();
        let schema = if target {
            classes(TargetKind::Text, &["a", "b", "c"], features)
        } else {
            classes(TargetKind::Number, &[], features)
        };
        let mut rows: Vec<_> = rows.into_iter().map(|(ordinal, index)| (ordinal >> shift, index)).collect();
        rows.sort_by_key(|(ordinal, _)| *ordinal);
        rows.dedup_by_key(|(ordinal, _)| *ordinal);
        let mut builder = TableBuilder::new(Arc::new(schema));
        for (ordinal, index) in rows {
            let place = index.index(10_007);
            let number = |column: usize| numbers[(place + column) % numbers.len()];
            let cell = |(column, text): (usize, &bool)| match text {
                true => Cell::Text(&texts[(place * 31 + column) % texts.len()]),
                false => Cell::Number(number(column)),
            };
            let cells: Vec<Cell<'_>> = kinds.iter().enumerate().map(cell).collect();
            let value = if target {
                TargetValue::Class(u32::try_from(place % 3).unwrap())
            } else {
                TargetValue::Number(number(9))
            };
            builder.push(ordinal, &cells, value).unwrap();
        }
        builder.finish()
    }
}

/// The bits of all numbers: `==` takes both zeros for one.
fn bits(table: &Table) -> Vec<u64> {
    let mut bits = Vec::new();
    for column in table.columns() {
        if let Column::Number(values) = column {
            bits.extend(values.iter().map(|value| value.to_bits()));
        }
    }
    if let TargetColumn::Number(values) = table.target() {
        bits.extend(values.iter().map(|value| value.to_bits()));
    }
    bits
}

proptest! {
    #[test]
    fn a_table_comes_back_equal_and_is_its_shard(table in tables()) {
        let found = read_as(&bytes_of(&table), &table).unwrap();
        prop_assert_eq!(&found, &table);
        prop_assert_eq!(bits(&found), bits(&table));
        prop_assert_eq!(Shard::of_table(&found), Shard::of_table(&table));
        prop_assert_eq!(bytes_of(&found), bytes_of(&table));
    }

    #[test]
    fn any_bytes_under_a_sound_hash_are_a_table_or_damage(
        table in tables(),
        changes in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let bytes = bytes_of(&table);
        let mut content = bytes[..bytes.len() - 32].to_vec();
        for (index, byte) in changes {
            // What comes before is the header, whose fields must be as they are.
            let at = 92 + index.index(content.len() - 92);
            content[at] = byte;
        }
        if let Ok(found) = read_as(&sealed(&content), &table) {
            prop_assert_eq!(found.rows(), table.rows());
            let mut again = Vec::new();
            let shard = Shard::of_table(&table);
            write(&shard, &found, &mut again).unwrap();
            prop_assert_eq!(read(&again[..], again.len() as u64, table.schema(), &shard).unwrap(), found);
        }
    }
}
