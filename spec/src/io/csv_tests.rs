//! CSV files, and what all formats share: parts, packing, ordinals, errors with their place.

use std::path::Path;

use crate::io::part::{MAX_CELL_BYTES, MAX_COLUMNS};
use crate::io::testing::{self, Files, Row, gzip, read, row, zst};
use crate::record::Record;
use crate::run::{Format, OnError};
use crate::source::RecordSource;

fn rows(parts: &[&[u8]]) -> Vec<Row> {
    let files = Files::new(parts);
    read(&files.source(Format::Csv, OnError::Refuse)).unwrap().0
}

fn error(parts: &[&[u8]]) -> String {
    let files = Files::new(parts);
    read(&files.source(Format::Csv, OnError::Refuse)).unwrap_err().to_string()
}

#[test]
fn quotes_newlines_and_line_ends() {
    let text = b"a,b\r\n\"x, \"\"y\"\"\",1\r\n\"two\nlines\",\"\"\r\n\r\n z ,\n";
    let expected =
        vec![row(0, 0, 2, &["x, \"y\"", "1"]), row(1, 0, 3, &["two\nlines", ""]), row(2, 0, 6, &[" z ", ""])];
    assert_eq!(rows(&[text]), expected);
}

#[test]
fn the_last_line_may_end_or_not() {
    let expected = vec![row(0, 0, 2, &["1", "2"])];
    for end in ["", "\n", "\r\n", "\r", "\n\n\n"] {
        assert_eq!(rows(&[format!("a,b\n1,2{end}").as_bytes()]), expected, "{end:?}");
        assert_eq!(rows(&[format!("a,b\n1,\"2\"{end}").as_bytes()]), expected, "{end:?}");
    }
}

#[test]
fn lines_are_counted_however_they_end() {
    for end in ["\n", "\r\n", "\r"] {
        let text = ["a,b", "1,2", "\"x{}y\",3", "", "4,5", ""].join(end).replace("{}", end);
        let lines: Vec<u64> = [2, 3, 6].into();
        let expected = [
            row(0, 0, lines[0], &["1", "2"]),
            row(1, 0, lines[1], &[&format!("x{end}y"), "3"]),
            row(2, 0, lines[2], &["4", "5"]),
        ];
        assert_eq!(rows(&[text.as_bytes()]), expected, "{end:?}");
    }
}

#[test]
fn columns_that_are_left_out_may_hold_anything() {
    let files = Files::new(&[b"a,b,c\n1,caf\xe9,x\n2,\xff\xff,\xc3\xa9\n3,ok,\xff\n"]);
    let source = files.source(Format::Csv, OnError::Skip);
    let mut reader = source.open().unwrap();
    reader.only(&[0, 2]);
    let mut record = Record::default();
    let mut found = Vec::new();
    while reader.next(&mut record).unwrap() {
        found.push((record.cell(0).text().into_owned(), record.cell(2).text().into_owned()));
    }
    assert_eq!(found, [("1".into(), "x".into()), ("2".into(), "é".into())]);
    assert_eq!(reader.skipped(), 1, "what is looked at has to be text");
    drop(reader);
    assert!(error(&[b"a,b\n1,caf\xe9\n"]).contains("column \"b\" is not UTF-8 text (byte 4"));
}

#[test]
fn a_byte_order_mark_is_dropped_in_every_part() {
    let part = b"\xef\xbb\xbf\"a\",b\n1,2\n";
    assert_eq!(rows(&[part, &gzip(part)]), [row(0, 0, 2, &["1", "2"]), row(1, 1, 2, &["1", "2"])]);
}

#[test]
fn gzip_is_found_by_its_first_bytes_and_may_have_several_members() {
    let mut two = gzip(b"a,b\n1,2\n");
    two.extend(gzip(b"3,4\n"));
    assert_eq!(rows(&[&two]), [row(0, 0, 2, &["1", "2"]), row(1, 0, 3, &["3", "4"])]);
    let files = Files::new(&[b""]);
    let path = files.folder.path().join("plain.csv.gz");
    std::fs::write(&path, "a\n1\n").unwrap();
    assert_eq!(
        read(&testing::files(&[path], Format::Csv, OnError::Refuse)).unwrap().0,
        [row(0, 0, 2, &["1"])]
    );
}

#[test]
fn a_million_characters_are_a_cell() {
    for text in ["x".repeat(1_000_000), "é".repeat(500_000)] {
        let table = format!("a,b\n1,\"{text}\"\n3,4\n");
        for packed in [table.as_bytes().to_vec(), gzip(table.as_bytes()), zst(table.as_bytes())] {
            assert_eq!(rows(&[&packed]), [row(0, 0, 2, &["1", &text]), row(1, 0, 3, &["3", "4"])]);
        }
    }
}

#[test]
fn cells_may_be_in_any_language() {
    let table = "naïve,名前,🦀\nżółw,\"こんにちは, 世界\",\u{200f}مرحبا\n";
    let files = Files::new(&[table.as_bytes(), &zst(table.as_bytes())]);
    let source = files.source(Format::Csv, OnError::Refuse);
    assert_eq!(source.open().unwrap().header(), ["naïve", "名前", "🦀"]);
    let cells = ["żółw", "こんにちは, 世界", "\u{200f}مرحبا"];
    assert_eq!(read(&source).unwrap().0, [row(0, 0, 2, &cells), row(1, 1, 2, &cells)]);
}

#[test]
fn a_gzip_file_that_was_cut_is_an_error() {
    let text: String = (0..2000).map(|i| format!("{i},{}\n", i * 7919 % 1000)).collect();
    let mut bytes = gzip(format!("a,b\n{text}").as_bytes());
    bytes.truncate(bytes.len() / 2);
    let text = error(&[&bytes]);
    assert!(text.contains("part0") && text.contains("ends too early"), "{text}");
    let mut bytes = gzip(b"a,b\n1,2\n");
    let middle = bytes.len() - 6;
    bytes[middle] ^= 0xff;
    assert!(error(&[&bytes]).contains("damaged, fetch it again"), "{}", error(&[&bytes]));
}

#[test]
fn a_ragged_row_names_place_and_remedy() {
    for (row, found) in [("1", 1), ("1,2,3", 3)] {
        let text = error(&[format!("a,b\n1,2\n{row}\n").as_bytes()]);
        assert!(text.contains("part0, line 3: "), "{text}");
        assert!(text.contains(&format!("the row has {found} cells, the header has 2")), "{text}");
        assert!(text.ends_with("or set on_error = \"skip\""), "{text}");
    }
}

#[test]
fn what_is_not_utf8_names_the_column() {
    let text = error(&[b"a,name\n1,x\n2,caf\xe9\n"]);
    assert!(text.contains("line 3: column \"name\" is not UTF-8 text (byte 4 of the cell)"), "{text}");
    let text = error(&[b"a,n\xff\n1,x\n"]);
    assert!(text.contains("line 1: the name of column 2 is not UTF-8"), "{text}");
}

#[test]
fn skipped_rows_use_up_their_ordinals() {
    let files = Files::new(&[b"a,b\n1,2\n3\n\xff,4\n5,6\n", b"a,b\n1,2,3\n7,8\n"]);
    let (rows, skipped) = read(&files.source(Format::Csv, OnError::Skip)).unwrap();
    assert_eq!(rows, [row(0, 0, 2, &["1", "2"]), row(3, 0, 5, &["5", "6"]), row(5, 1, 3, &["7", "8"])]);
    assert_eq!(skipped, 3);
}

#[test]
fn parts_have_one_header() {
    let text = error(&[b"a,b\n1,2\n", b"a,c\n1,2\n"]);
    assert!(
        text.contains("part1: its columns are not those of the first part: column 2 is \"c\" here"),
        "{text}"
    );
    let text = error(&[b"a,b\n1,2\n", b"a\n1\n"]);
    assert!(text.contains("it has 1 columns"), "{text}");
    assert!(error(&[b"a,b\n1,2\n", b""]).contains("part1: is empty"));
}

#[test]
fn empty_files_say_what_they_lack() {
    assert!(error(&[b""]).contains("is empty: a CSV file begins with a line of column names"));
    assert!(error(&[b"\xef\xbb\xbf\n\n"]).contains("is empty"));
    assert!(error(&[b"a,b\n"]).contains("not one record"));
    assert_eq!(rows(&[b"a,b\n", b"a,b\n1,2\n"]), [row(0, 1, 2, &["1", "2"])]);
}

#[test]
fn a_quote_that_is_never_closed_is_found() {
    let text = error(&[b"a,b\n1,2\n3,\"four\n5,6\n7,8\n"]);
    assert!(text.contains("part0, line 3: a quote is opened in this record and never closed"), "{text}");
    assert!(error(&[b"a,\"b\n1,2\n"]).contains("line 1: a quote is opened"));
    let files = Files::new(&[b"a,b\n1,2\n3,\"four\n5,6\n"]);
    let error = read(&files.source(Format::Csv, OnError::Skip)).unwrap_err().to_string();
    assert!(error.contains("never closed"), "skipping would lose the rest: {error}");
}

#[test]
fn a_record_that_is_too_large_stops_before_memory_grows() {
    let mut bytes = b"a,b\n1,2\n3,\"".to_vec();
    bytes.resize(20 << 20, b'x');
    let text = error(&[&bytes]);
    assert!(text.contains("larger than 8 MiB: a quote"), "{text}");
    let text = error(&[&gzip(&bytes)]);
    assert!(text.contains("larger than 8 MiB: a quote"), "{text}");
}

#[test]
fn a_cell_that_is_too_large_is_malformed() {
    let large = "x".repeat(MAX_CELL_BYTES + 1);
    let text = format!("a,b\n1,{large}\n3,4\n");
    assert!(error(&[text.as_bytes()]).contains("line 2: column \"b\" has 1048577 bytes"));
    let (rows, skipped) = read(&Files::new(&[text.as_bytes()]).source(Format::Csv, OnError::Skip)).unwrap();
    assert_eq!((rows, skipped), (vec![row(1, 0, 3, &["3", "4"])], 1));
    let header = vec!["c"; MAX_COLUMNS + 1].join(",");
    assert!(error(&[header.as_bytes()]).contains("at most 65536 are read"));
}

#[test]
fn what_is_no_csv_file_is_refused() {
    let missing = testing::files(&["no/such.csv".into()], Format::Csv, OnError::Refuse);
    assert!(read(&missing).unwrap_err().to_string().starts_with("no/such.csv: there is no such file"));
    let files = Files::new(&[b"a\n1\n"]);
    let folder = testing::files(&[files.folder.path().to_owned()], Format::Csv, OnError::Refuse);
    assert!(read(&folder).unwrap_err().to_string().contains("is not a file"));
    if Path::new("/dev/zero").exists() {
        let device = testing::files(&["/dev/zero".into()], Format::Csv, OnError::Refuse);
        assert!(read(&device).unwrap_err().to_string().contains("is not a file"));
    }
    assert!(error(&[b"PK\x03\x04rest"]).contains("is a zip archive"));
    assert!(error(&[b"\xff\xfea\0"]).contains("is UTF-16 text"));
}

#[test]
fn after_an_error_there_is_no_end() {
    let files = Files::new(&[b"a,b\n1\n2,3\n"]);
    let source = files.source(Format::Csv, OnError::Refuse);
    let mut reader = source.open().unwrap();
    let mut record = Record::default();
    assert!(reader.next(&mut record).is_err());
    assert!(reader.next(&mut record).unwrap_err().to_string().contains("an earlier error"));
}

proptest::proptest! {
    /// What a writer writes comes back, whatever is in the cells and however the file is cut into parts.
    #[test]
    fn cells_come_back(
        table in proptest::collection::vec(proptest::collection::vec("[a-z\",\\r\\n é]{0,6}", 3), 1..20),
        cut in 0usize..20,
        packed: bool,
    ) {
        let write = |rows: &[Vec<String>]| {
            let mut writer = csv::Writer::from_writer(Vec::new());
            writer.write_record(["a", "b", "c"]).unwrap();
            for row in rows {
                writer.write_record(row).unwrap();
            }
            let bytes = writer.into_inner().unwrap();
            if packed { gzip(&bytes) } else { bytes }
        };
        let (first, second) = table.split_at(cut.min(table.len()));
        let (first, second) = (write(first), write(second));
        let found: Vec<_> = rows(&[&first, &second]).into_iter().map(|row| row.3).collect();
        proptest::prop_assert_eq!(found, table);
    }

    #[test]
    fn no_bytes_make_it_fail_in_another_way(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
        for on_error in [OnError::Refuse, OnError::Skip] {
            let _ = read(&Files::new(&[&bytes]).source(Format::Csv, on_error));
        }
    }
}
