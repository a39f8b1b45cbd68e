//! Tables: CSV, JSON lines and Parquet, read to the end in several ways that must agree, and published.
//!
//! The first byte says what is done with the rest, so that `0` is plain: bits 0 and 1 pack it (1 gzip, 2 zstd), bit 2 cuts it into
//! two parts at a line's end, bit 3 publishes with `on_error = "skip"`, bit 6 with k-means.

use std::io::Write;
use std::time::Duration;

use snake::Cancel;
use spec::{
    Format, KMeansSettings, OnError, PublicSource, Published, RawCell, Record, RecordSource, RoutingSettings,
    RoutingVerdict, RunSettings, Sampling, Shard, SourceLimits, TableSource, TrainingSettings, materialise,
    publish, verify_routing,
};

/// CSV.
pub fn csv_rows(input: &[u8]) {
    table(Format::Csv, input);
}

/// JSON lines.
pub fn json_rows(input: &[u8]) {
    table(Format::Jsonl, input);
}

/// Parquet.
pub fn parquet_rows(input: &[u8]) {
    table(Format::Parquet, input);
}

/// Small, so that a bomb is soon over.
fn limits() -> SourceLimits {
    SourceLimits {
        packed_bytes: 4 << 20,
        unpacked_bytes: 4 << 20,
        free_bytes: 1 << 20,
        rows: 3_000,
        time: Duration::from_secs(600),
        ..SourceLimits::default()
    }
}

fn table(format: Format, input: &[u8]) {
    let Some((options, bytes)) = input.split_first() else { return };
    let parts = if options & 4 == 0 { vec![bytes.to_vec()] } else { halves(bytes) };
    let source = |parts: &[Vec<u8>], on_error| {
        TableSource::of_bytes(format, parts.to_vec(), on_error).with_limits(limits())
    };
    let refusing = source(&parts, OnError::Refuse);
    let skipping = source(&parts, OnError::Skip);

    let strict = read(&refusing, None);
    assert_eq!(strict, read(&refusing, None), "twice from one source");
    assert_eq!(strict, read(&source(&parts, OnError::Refuse), None), "from two sources");
    let lenient = read(&skipping, None);
    assert!(strict.skipped == 0, "nothing is skipped where that is refused");
    if strict.error.is_none() || lenient.error.is_none() && lenient.skipped == 0 {
        assert_eq!(strict, lenient, "where nothing is bad, nothing differs");
    }
    assert!(lenient.records.starts_with(&strict.records), "what was read before a bad row");

    if let Some(columns) = lenient.header.as_ref().map(|header| header.len()) {
        narrow(&skipping, &lenient, columns);
    }
    if let Some(packed) = packed(options & 3, &parts) {
        let unpacked = read(&source(&packed, OnError::Skip), None);
        assert_eq!(unpacked.records, lenient.records, "packed");
        assert_eq!(
            (unpacked.error.is_some(), unpacked.header),
            (lenient.error.is_some(), lenient.header.clone())
        );
    }
    let on_error = if options & 8 == 0 { OnError::Refuse } else { OnError::Skip };
    let table = if on_error == OnError::Skip { skipping } else { refusing };
    let read = if on_error == OnError::Skip { lenient } else { strict };
    if let Some(target) = read.header.as_ref().and_then(|header| header.last()) {
        published(&settings(format, target, on_error, options & 64 != 0), &table, &read);
    }
}

/// A pass over a source.
#[derive(PartialEq, Debug)]
struct Pass {
    header: Option<Vec<String>>,
    records: Vec<(u64, String, Vec<String>)>,
    skipped: u64,
    error: Option<String>,
}

/// Reads a source to its end, and checks what must hold of any.
fn read(source: &TableSource, only: Option<&[usize]>) -> Pass {
    let mut pass = Pass { header: None, records: Vec::new(), skipped: 0, error: None };
    let mut reader = match source.open() {
        Ok(reader) => reader,
        Err(error) => {
            pass.error = Some(error.to_string());
            return pass;
        }
    };
    let header = reader.header().to_vec();
    if let Some(columns) = only {
        reader.only(columns);
    }
    let mut record = Record::default();
    let mut given = 0;
    let mut place = (0, 0);
    loop {
        match reader.next(&mut record) {
            Ok(true) => {}
            Ok(false) => {
                assert!(matches!(reader.next(&mut record), Ok(false)), "after the end comes nothing");
                break;
            }
            Err(error) => {
                pass.error = Some(error.to_string());
                assert!(reader.next(&mut record).is_err(), "after an error comes no end");
                break;
            }
        }
        given += 1;
        assert_eq!(record.len(), header.len(), "a cell per column");
        assert_eq!(record.ordinal + 1, given + reader.skipped(), "every ordinal is given or skipped");
        let at = match record.place.at {
            spec::At::Line(line) => line,
            spec::At::Row(row) => row,
        };
        assert!(place < (record.place.part, at), "{place:?} comes before {:?}", record.place);
        place = (record.place.part, at);
        let cells = record.cells().map(told).collect();
        pass.records.push((record.ordinal, format!("{:?}", record.place), cells));
    }
    pass.skipped = reader.skipped();
    pass.header = Some(header);
    pass
}

/// A cell, told apart by its kind.
fn told(cell: RawCell<'_>) -> String {
    match cell {
        RawCell::Text(text) => {
            assert!(text.len() <= 1 << 20, "a cell of {} bytes", text.len());
            format!("t{text}")
        }
        RawCell::Number(value) => {
            assert!(value.is_finite() && value.to_bits() != (-0.0f64).to_bits(), "{value} as a cell");
            format!("n{value}")
        }
    }
}

/// Every other column alone: its cells are the same.
fn narrow(source: &TableSource, whole: &Pass, columns: usize) {
    if whole.error.is_some() {
        return;
    }
    let some: Vec<usize> = (0..columns).step_by(2).collect();
    let narrow = read(source, Some(&some));
    assert_eq!(narrow.error, None, "fewer columns, fewer errors");
    let mut rest = narrow.records.iter();
    for (ordinal, _, cells) in &whole.records {
        let (_, _, found) = rest.find(|(found, ..)| found == ordinal).unwrap();
        for column in &some {
            assert_eq!(found[*column], cells[*column], "column {column} of row {ordinal}");
        }
    }
}

/// Cuts behind a line's end near the middle. The second part gets the first line in front, as CSV wants it.
fn halves(bytes: &[u8]) -> Vec<Vec<u8>> {
    let lines: Vec<usize> =
        bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1).collect();
    match (lines.first(), lines.get(lines.len() / 2)) {
        (Some(first), Some(middle)) => {
            vec![bytes[..*middle].to_vec(), [&bytes[..*first], &bytes[*middle..]].concat()]
        }
        _ => vec![bytes.to_vec(), bytes.to_vec()],
    }
}

fn packed(how: u8, parts: &[Vec<u8>]) -> Option<Vec<Vec<u8>>> {
    // What is packed already would be packed twice, and is unpacked once.
    if parts.iter().any(|part| part.starts_with(&[0x1f, 0x8b]) || part.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]))
    {
        return None;
    }
    let gzip = |part: &Vec<u8>| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(part).unwrap();
        encoder.finish().unwrap()
    };
    match how {
        1 => Some(parts.iter().map(gzip).collect()),
        2 => Some(parts.iter().map(|part| zstd::encode_all(part.as_slice(), 1).unwrap()).collect()),
        _ => None,
    }
}

fn settings(format: Format, target: &str, on_error: OnError, kmeans: bool) -> RunSettings {
    let routing = if kmeans {
        RoutingSettings::KMeans(KMeansSettings {
            paths: 2,
            sample: 20,
            sampling: Sampling::Reservoir,
            dimensions: 4,
            seed: 0,
            featurizer_seed: 0,
        })
    } else {
        RoutingSettings::RoundRobin { paths: 2 }
    };
    RunSettings {
        name: "fuzz".into(),
        source: PublicSource {
            format,
            locations: vec!["rows".into()],
            mirrors: vec![],
            target: target.into(),
            target_type: None,
            exclude: vec!["no".into()],
            on_error,
        },
        holdout: 0.1,
        routing,
        training: TrainingSettings {
            layers: 1,
            bucket: 10,
            slice: 100,
            noise: 1.0,
            profile: None,
            lookahead: 5,
            seed: 0,
        },
    }
}

/// Publishes, where that goes, and makes every shard that was published.
fn published(settings: &RunSettings, source: &TableSource, read: &Pass) {
    let mut settings = settings.clone();
    if !read.header.iter().flatten().any(|name| *name == "no") {
        settings.source.exclude.clear();
    }
    let found = match publish(&settings, source, &mut |_| {}) {
        Ok(found) => found,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return;
        }
    };
    let Published { spec, summary } = found;
    assert_eq!(spec.check(), Ok(()));
    let bytes = serde_cbor::to_vec(&spec).unwrap();
    assert_eq!(serde_cbor::from_slice::<spec::DataSpec>(&bytes).unwrap(), spec, "as CBOR and back");
    let (kept, dropped) = summary
        .paths
        .iter()
        .fold((0, 0), |(rows, dropped), path| (rows + path.rows, dropped + path.duplicates));
    assert_eq!(kept + dropped + summary.held_out, summary.rows, "every row is somewhere");

    let verdict = verify_routing(&spec, &settings.source, source).unwrap();
    assert_eq!(verdict, RoutingVerdict::Verified, "the fit, again");
    let paths: Vec<u32> = (0..spec.paths()).collect();
    let tables = materialise(&spec, &settings.source, source, &paths, &Cancel::new()).unwrap();
    let made: Vec<Shard> = tables.iter().map(Shard::of_table).collect();
    assert_eq!(made, spec.shards, "the published shards");
}
