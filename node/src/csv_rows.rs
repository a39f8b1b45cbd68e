//! Writing rows as CSV that reads back as it was: quoted where needed, numbers in the shortest form that gives the same bits.

use std::io::Write;

use anyhow::Result;
use csv::{ErrorKind, QuoteStyle, Writer, WriterBuilder};

/// Writes rows below a header.
pub(crate) struct CsvRows<W: Write> {
    writer: Writer<W>,
}

impl<W: Write> CsvRows<W> {
    /// Writes the header.
    pub(crate) fn new<'n>(mut out: W, header: impl Iterator<Item = &'n str>) -> Result<Self> {
        let names: Vec<&str> = header.collect();
        // Readers drop a byte order mark at the start of a file; within quotes it is part of a name.
        let marked = names.first().is_some_and(|name| name.starts_with('\u{feff}'));
        let style = if marked { QuoteStyle::Always } else { QuoteStyle::Necessary };
        let mut head = WriterBuilder::new().quote_style(style).from_writer(Vec::new());
        head.write_record(&names).map_err(io_error)?;
        out.write_all(&head.into_inner().map_err(|error| error.into_error())?)?;
        Ok(Self { writer: WriterBuilder::new().from_writer(out) })
    }

    /// Writes a row, of as many cells as the header has.
    pub(crate) fn push<'c>(&mut self, cells: impl Iterator<Item = &'c str>) -> Result<()> {
        for cell in cells {
            self.writer.write_field(cell).map_err(io_error)?;
        }
        self.writer.write_record(None::<&[u8]>).map_err(io_error)
    }

    /// Writes what is still on its way.
    pub(crate) fn finish(mut self) -> Result<()> {
        Ok(self.writer.flush()?)
    }
}

/// The error below it, so that a reader who has gone is known as such.
fn io_error(error: csv::Error) -> anyhow::Error {
    match error.into_kind() {
        ErrorKind::Io(error) => error.into(),
        other => anyhow::anyhow!("a row can't be written as CSV: {other:?}"),
    }
}

/// A finite number in the shortest decimal form that reads back to the same bits.
pub(crate) fn number_text(value: f64) -> String {
    let size = value.abs();
    if size == 0.0 || (1e-5..1e16).contains(&size) { format!("{value}") } else { format!("{value:e}") }
}

#[cfg(test)]
mod tests {
    use spec::{OnError, Record, RecordSource, TableSource};

    use super::*;

    #[test]
    fn numbers_come_back_as_the_same_bits() {
        for (value, text) in
            [(0.0, "0"), (0.1, "0.1"), (-3.0, "-3"), (1e300, "1e300"), (5e-324, "5e-324"), (1.5e-7, "1.5e-7")]
        {
            assert_eq!(number_text(value), text);
        }
        let mut bits = 1u64;
        for _ in 0..20_000 {
            bits = bits.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let value = f64::from_bits(bits ^ (bits >> 29));
            if value.is_finite() {
                let text = number_text(value);
                assert_eq!(text.parse::<f64>().unwrap().to_bits(), value.to_bits(), "{text}");
                assert!(
                    text.len() <= 25
                        && text.trim_start_matches('-').starts_with(|c: char| c.is_ascii_digit())
                );
            }
        }
    }

    #[test]
    fn rows_come_back_cell_by_cell() {
        let rows = [
            ["\u{feff}first", "a,b"],
            ["", ""],
            ["two\nlines", "carriage\rreturn"],
            ["say \"so\"", " kept "],
            ["#", "\u{feff}"],
        ];
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rows.csv");
        let mut out = CsvRows::new(std::fs::File::create(&path).unwrap(), rows[0].into_iter()).unwrap();
        for row in &rows[1..] {
            out.push(row.iter().copied()).unwrap();
        }
        out.finish().unwrap();
        let source = TableSource::of_files(vec![path.clone()], OnError::Refuse);
        let mut reader = source.open().unwrap();
        assert_eq!(reader.header(), rows[0]);
        let mut record = Record::default();
        for row in &rows[1..] {
            assert!(reader.next(&mut record).unwrap());
            let cells: Vec<_> = record.cells().map(|cell| cell.text().into_owned()).collect();
            assert_eq!(cells, row);
        }
        assert!(!reader.next(&mut record).unwrap());
        // A row of one empty cell is no blank line.
        let mut out = CsvRows::new(std::fs::File::create(&path).unwrap(), ["x"].into_iter()).unwrap();
        out.push([""].into_iter()).unwrap();
        out.finish().unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"x\n\"\"\n");
    }
}
