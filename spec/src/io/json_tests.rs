//! JSON lines.

use crate::io::part::MAX_CELL_BYTES;
use crate::io::testing::{Files, Row, gzip, read, row, zst};
use crate::record::{RawCell, Record};
use crate::run::{Format, OnError};
use crate::source::RecordSource;

fn rows(parts: &[&[u8]]) -> Vec<Row> {
    read(&Files::new(parts).source(Format::Jsonl, OnError::Refuse)).unwrap().0
}

fn error(text: &str) -> String {
    read(&Files::new(&[text.as_bytes()]).source(Format::Jsonl, OnError::Refuse)).unwrap_err().to_string()
}

#[test]
fn values_become_cells() {
    let text = "{\"a\": 1, \"b\": \"x\", \"c\": true}\r\n\n  \n{\"c\": null, \"b\": \"\\u00e9\\n\", \"a\": -2.50}\n{\"b\":\"\"}";
    let expected =
        [row(0, 0, 1, &["1", "x", "True"]), row(1, 0, 4, &["-2.5", "é\n", ""]), row(2, 0, 5, &["", "", ""])];
    for bytes in [text.as_bytes().to_vec(), gzip(text.as_bytes()), zst(text.as_bytes())] {
        assert_eq!(rows(&[&bytes]), expected);
    }
    let marked = [b"\xef\xbb\xbf", text.as_bytes()].concat();
    assert_eq!(rows(&[&marked]), expected);
}

#[test]
fn numbers_stay_numbers() {
    let files = Files::new(&[
        b"{\"a\": 0.1, \"b\": 9007199254740993, \"c\": -0.0, \"d\": 1e3, \"e\": 18446744073709551615}",
    ]);
    let source = files.source(Format::Jsonl, OnError::Refuse);
    let mut record = Record::default();
    assert!(source.open().unwrap().next(&mut record).unwrap());
    assert_eq!(record.cell(0), RawCell::Number(0.1));
    assert_eq!(record.cell(1), RawCell::Text("9007199254740993"));
    assert_eq!(record.cell(2), RawCell::Number(0.0));
    assert_eq!(record.cell(3), RawCell::Number(1000.0));
    assert_eq!(record.cell(4), RawCell::Text("18446744073709551615"));
}

#[test]
fn columns_are_all_names_over_all_parts() {
    let found = rows(&[b"{\"b\":1}\n{\"a\":2,\"b\":3}", b"{\"c\":4}"]);
    assert_eq!(
        found,
        [row(0, 0, 1, &["1", "", ""]), row(1, 0, 2, &["3", "2", ""]), row(2, 1, 1, &["", "", "4"])]
    );
}

#[test]
fn lines_that_are_bad_rows_add_no_columns() {
    let bad = "{\"a\":1,\"new\":2,\"new\":3}\n{\"a\":1,\"a\":2,\"late\":3}\n[1]\n{\"broken\":1\n";
    let files = Files::new(&[b"{\"b\":1,\"a\":2}\n", bad.as_bytes(), b"{\"c\":3,\"a\":4}\n"]);
    let source = files.source(Format::Jsonl, OnError::Skip);
    assert_eq!(source.open().unwrap().header(), ["b", "a", "c"]);
    let (rows, skipped) = read(&source).unwrap();
    assert_eq!((rows.len(), skipped), (2, 4));
}

#[test]
fn known_columns_need_no_pass_and_let_no_other_in() {
    let files = Files::new(&[b"{\"b\":1}\n{\"z\":1,\"b\":3}\n{\"b\":4,\"a\":5}"]);
    let known =
        |on_error| files.source(Format::Jsonl, on_error).with_known_columns(vec!["a".into(), "b".into()], 0);
    let error = read(&known(OnError::Refuse)).unwrap_err().to_string();
    assert!(error.contains("part0, line 2: \"z\" is no column of the run"), "{error}");
    let (rows, skipped) = read(&known(OnError::Skip)).unwrap();
    assert_eq!(rows, [row(0, 0, 1, &["", "1"]), row(2, 0, 3, &["5", "4"])]);
    assert_eq!(skipped, 1);
}

#[test]
fn columns_that_are_left_out_may_hold_anything() {
    let files = Files::new(&[b"{\"a\":1,\"tags\":[1,{\"x\":2}],\"b\":2}"]);
    let source = files.source(Format::Jsonl, OnError::Refuse);
    let mut reader = source.open().unwrap();
    reader.only(&[0, 2]);
    let mut record = Record::default();
    assert!(reader.next(&mut record).unwrap());
    assert_eq!(
        record.cells().collect::<Vec<_>>(),
        [RawCell::Number(1.0), RawCell::Text(""), RawCell::Number(2.0)]
    );
}

#[test]
fn what_is_no_row_names_line_and_column() {
    for (line, expected) in [
        (
            "{\"a\":[1]}",
            "line 2: invalid type: sequence, expected a text, number, true, false or null in column \"a\"",
        ),
        ("{\"a\":{}}", "in column \"a\""),
        ("{\"a\":1,\"a\":2}", "column \"a\" is there twice"),
        ("[1]", "expected an object with a value per column"),
        ("{\"a\":1", "line 2: no JSON object stands here (EOF while parsing an object"),
        ("{\"a\":1}x", "trailing characters"),
        ("{\"a\":\"\\ud800\"}", "no JSON object stands here"),
        ("{\"a\":1e999}", "number out of range"),
        ("a,b", "no JSON object stands here"),
    ] {
        let text = error(&format!("{{\"a\":1}}\n{line}\n{{\"a\":3}}\n"));
        assert!(text.contains("part0, line 2: ") && text.contains(expected), "{line}: {text}");
        let files =
            Files::new(&[format!("{{\"a\":1}}\n{line}\n{{\"a\":3}}\n").into_bytes().as_slice()].map(|b| b));
        let (rows, skipped) = read(&files.source(Format::Jsonl, OnError::Skip)).unwrap();
        assert_eq!((rows, skipped), (vec![row(0, 0, 1, &["1"]), row(2, 0, 3, &["3"])], 1), "{line}");
    }
    let text = error("{\"a\":1}\n{\"a\":\"\u{0}\"}");
    assert!(text.contains("line 2"), "{text}");
    let files = Files::new(&[b"{\"a\":1}\n{\"a\":\"\xff\"}\n"]);
    let text = read(&files.source(Format::Jsonl, OnError::Refuse)).unwrap_err().to_string();
    assert!(text.contains("line 2: no JSON object stands here"), "{text}");
}

#[test]
fn sizes_are_bounded() {
    let large = |count: usize| format!("{{\"a\":\"{}\"}}\n{{\"a\":\"b\"}}", "x".repeat(count));
    assert_eq!(rows(&[large(MAX_CELL_BYTES).as_bytes()]).len(), 2);
    assert!(error(&large(MAX_CELL_BYTES + 1)).contains("line 1: column \"a\" has 1048577 bytes"));
    assert!(error(&large(9 << 20)).contains("line 1: the line is larger than 8 MiB"));
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    assert!(error(&format!("{{\"a\":{deep}}}")).contains("line 1"));
    assert!(error("").contains("not one record"));
}

proptest::proptest! {
    #[test]
    fn no_bytes_make_it_fail_in_another_way(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
        for on_error in [OnError::Refuse, OnError::Skip] {
            let _ = read(&Files::new(&[&bytes]).source(Format::Jsonl, on_error));
        }
    }

    #[test]
    fn nothing_like_json_makes_it_fail_in_another_way(text in "([{}\\[\\]:,\"ab01.e-]|null|true|\\\\u00|\n){0,60}") {
        let _ = read(&Files::new(&[text.as_bytes()]).source(Format::Jsonl, OnError::Skip));
    }
}
