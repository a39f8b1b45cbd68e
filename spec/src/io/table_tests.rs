//! What holds for parts of any format: limits, several places, the end.

use std::path::PathBuf;
use std::time::Duration;

use super::*;
use crate::io::testing::{Files, files, gzip, read, row};

fn places(parts: &[&[&PathBuf]]) -> TableSource {
    let parts = parts
        .iter()
        .map(|places| places.iter().map(|path| PartPlace::File((*path).clone())).collect())
        .collect();
    TableSource::new(Format::Csv, parts, OnError::Refuse)
}

#[test]
fn the_first_place_that_answers_is_read() {
    let files = Files::new(&[b"a\n1\n2\n", b"a\n3\n"]);
    let [one, two] = files.paths.as_slice() else { panic!() };
    let none = files.folder.path().join("none");
    let found = read(&places(&[&[&none, one], &[two, &none]])).unwrap().0;
    assert_eq!(found, [row(0, 0, 2, &["1"]), row(1, 0, 3, &["2"]), row(2, 1, 2, &["3"])]);
    let error = read(&places(&[&[&none, &none]])).unwrap_err().to_string();
    assert_eq!(error.matches("there is no such file").count(), 2, "{error}");
}

#[test]
fn a_part_that_breaks_off_goes_on_at_its_next_place() {
    let table: String = (0..60_000).map(|i| format!("{i},{}\n", i * 7919 % 1_000)).collect();
    let whole = format!("a,b\n{table}");
    let mut cut = gzip(whole.as_bytes());
    cut.truncate(cut.len() / 2);
    let altered = whole.replacen("3,757", "3,758", 1);
    assert_ne!(altered, whole);
    let files =
        Files::new(&[&cut, whole.as_bytes(), b"a,b\n0,0\n1,919\n", b"a,c\n1,2\n", altered.as_bytes()]);
    let [broken, good, short, other, altered] = files.paths.as_slice() else { panic!() };
    assert!(read(&places(&[&[broken, altered]])).unwrap_err().to_string().contains("not the same file"));
    let found = read(&places(&[&[broken, altered, short, other, good]])).unwrap().0;
    assert_eq!(found, read(&places(&[&[good]])).unwrap().0, "the next one that is the same");
    assert_eq!(read(&places(&[&[broken, good]])).unwrap().0, read(&places(&[&[good]])).unwrap().0);
    let error = |list: &[&PathBuf]| read(&places(&[list])).unwrap_err().to_string();
    assert!(error(&[broken]).contains("ends too early"));
    assert!(
        error(&[broken, short]).contains("fewer records than another place"),
        "{}",
        error(&[broken, short])
    );
    assert!(error(&[broken, other]).contains("its columns are not those"), "{}", error(&[broken, other]));
    let both = error(&[broken, &files.folder.path().join("none")]);
    assert!(both.contains("ends too early") && both.contains("no such file"), "{both}");
}

#[test]
fn a_place_that_sends_another_table_is_passed_over() {
    let page = b"\xef\xbb\xbf\n<!DOCTYPE html><html>\n<p>gone, sorry\n";
    let files = Files::new(&[page, b"y,z\n7,8\n", b"a,b\n1,2\n", b"a,b\n3,4\n"]);
    let [page, other, good, more] = files.paths.as_slice() else { panic!() };
    let known = |parts: &[&[&PathBuf]]| {
        places(parts).with_known_columns(vec!["b".into(), "a".into(), "gone".into()], 1)
    };
    let rows = [row(0, 0, 2, &["1", "2"]), row(1, 1, 2, &["3", "4"])];
    assert_eq!(read(&known(&[&[page, other, good], &[other, more]])).unwrap().0, rows);
    // Whoever publishes knows no columns yet, but those of the first part.
    assert_eq!(read(&places(&[&[page, good], &[page, other, more]])).unwrap().0, rows);
    let error = |source: TableSource| read(&source).unwrap_err().to_string();
    assert!(error(places(&[&[page]])).contains("is a web page and no table"));
    let both = error(known(&[&[good], &[other, page]]));
    assert!(both.contains("its columns are not those") && both.contains("is a web page"), "{both}");
    let longer = Files::new(&[b"a,b,c\n1,2,3\n"]);
    let [longer] = longer.paths.as_slice() else { panic!() };
    assert_eq!(read(&known(&[&[longer, good], &[more]])).unwrap().0, rows, "a column more");
    // Where no place has them, the first that answers is looked at, and what is missing is told there.
    assert_eq!(known(&[&[page, other]]).open().unwrap().header(), ["y", "z"]);
}

#[test]
fn malformed_rows_are_not_looked_for_elsewhere() {
    let files = Files::new(&[b"a\n1\n2,3\n", b"a\n1\n2\n"]);
    let [bad, good] = files.paths.as_slice() else { panic!() };
    assert!(read(&places(&[&[bad, good]])).unwrap_err().to_string().contains("2 cells"));
}

#[test]
fn rows_and_time_are_limited() {
    let table: String = (0..10_000).map(|i| format!("{i}\n")).collect();
    let made = Files::new(&[format!("a\n{table}").as_bytes()]);
    let limited = |limits: SourceLimits| {
        let source = files(&made.paths, Format::Csv, OnError::Skip).with_limits(limits);
        read(&source).map(|(rows, _)| rows.len()).map_err(|error| error.to_string())
    };
    assert_eq!(limited(SourceLimits { rows: 10_000, ..Default::default() }), Ok(10_000));
    let error = limited(SourceLimits { rows: 9_999, ..Default::default() }).unwrap_err();
    assert!(error.contains("more than 9999 rows"), "{error}");
    let error = limited(SourceLimits { time: Duration::ZERO, ..Default::default() }).unwrap_err();
    assert!(error.contains("takes longer to read than a pass may"), "{error}");
    let error = limited(SourceLimits { unpacked_bytes: 1_000, ..Default::default() }).unwrap_err();
    assert!(error.contains("more than 1000 bytes"), "{error}");
}

#[test]
fn formats_and_places_go_together() {
    let settings = super::super::synthetic::Synthetic::parse("mixed?rows=3").unwrap();
    let made_up = PartPlace::MadeUp { text: "synthetic://mixed?rows=3".into(), settings };
    let read = |format| read(&TableSource::new(format, vec![vec![made_up.clone()]], OnError::Refuse));
    assert_eq!(read(Format::Synthetic).unwrap().0.len(), 3);
    assert!(read(Format::Csv).unwrap_err().to_string().contains("only go together"));
}
