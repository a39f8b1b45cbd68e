//! The records of one part as bytes: the CSV parser, driven so that lines are exact and a record is bounded.

use std::io::{self, BufRead};

use csv_core::{ReadRecordResult, Reader};

use super::part::{MAX_COLUMNS, MAX_RECORD_BYTES, PartError};
use super::unpack::Input;
use crate::source::At;

/// An open part and its current record.
pub(super) struct CsvRecords {
    input: Input,
    parser: Reader,
    /// The line that is read next, from 1.
    next_line: u64,
    /// Whether the byte before was a carriage return, which has ended a line.
    after_return: bool,
    /// The line on which the current record begins.
    line: u64,
    bytes: Vec<u8>,
    ends: Vec<usize>,
    cells: usize,
}

impl CsvRecords {
    pub(super) fn new(input: Input) -> Self {
        let (bytes, ends) = (vec![0; 4096], vec![0; 64]);
        Self {
            input,
            parser: Reader::new(),
            next_line: 1,
            after_return: false,
            line: 1,
            bytes,
            ends,
            cells: 0,
        }
    }

    /// The line on which the current record begins.
    pub(super) fn line(&self) -> u64 {
        self.line
    }

    /// How many cells the current record has.
    pub(super) fn cells(&self) -> usize {
        self.cells
    }

    /// The current record's cells, one behind the other, and where each ends.
    pub(super) fn record(&self) -> (&[u8], &[usize]) {
        let ends = self.ends.get(..self.cells).unwrap_or_default();
        let end = ends.last().copied().unwrap_or_default();
        (self.bytes.get(..end).unwrap_or_default(), ends)
    }

    /// Reads the next record; `false` at the part's end.
    pub(super) fn read(&mut self) -> Result<bool, PartError> {
        if !self.skip_line_ends()? {
            return Ok(false);
        }
        self.line = self.next_line;
        let (mut written, mut cells) = (0, 0);
        loop {
            let input = self.input.fill_buf()?;
            let ended = input.is_empty();
            // A last line without its end gets one. Within quotes it comes out as text, so the quote was never closed.
            let input: &[u8] = if ended { b"\n" } else { input };
            let (bytes, ends) = (
                self.bytes.get_mut(written..).unwrap_or_default(),
                self.ends.get_mut(cells..).unwrap_or_default(),
            );
            let (result, read, wrote, found) = self.parser.read_record(input, bytes, ends);
            written += wrote;
            cells += found;
            if !ended {
                self.next_line += line_ends(input.get(..read).unwrap_or_default(), &mut self.after_return);
                self.input.consume(read);
            }
            match result {
                ReadRecordResult::Record => {
                    self.cells = cells;
                    return Ok(true);
                }
                ReadRecordResult::End => return Ok(false),
                ReadRecordResult::InputEmpty if ended => {
                    let reason = "a quote is opened in this record and never closed: close it, \
                                  or double a quote that is text";
                    return Err(self.malformed(reason));
                }
                ReadRecordResult::InputEmpty => {}
                ReadRecordResult::OutputFull if self.bytes.len() >= MAX_RECORD_BYTES => {
                    let reason = format!(
                        "the record is larger than {} MiB: a quote that is opened here is probably never closed",
                        MAX_RECORD_BYTES >> 20
                    );
                    return Err(self.malformed(reason));
                }
                ReadRecordResult::OutputFull => self.bytes.resize(self.bytes.len() * 2, 0),
                ReadRecordResult::OutputEndsFull if self.ends.len() > MAX_COLUMNS => {
                    let reason = format!("the record has more than {MAX_COLUMNS} cells, which are not read");
                    return Err(self.malformed(reason));
                }
                // One more than may be: a record that has it is refused.
                ReadRecordResult::OutputEndsFull => {
                    self.ends.resize((self.ends.len() * 2).min(MAX_COLUMNS + 1), 0);
                }
            }
        }
    }

    fn malformed(&self, reason: impl Into<String>) -> PartError {
        PartError::Malformed(At::Line(self.line), reason.into())
    }

    /// Moves to the first byte of the next record; `false` at the end.
    fn skip_line_ends(&mut self) -> io::Result<bool> {
        loop {
            let input = self.input.fill_buf()?;
            if input.is_empty() {
                return Ok(false);
            }
            let skip = input.iter().take_while(|byte| matches!(byte, b'\n' | b'\r')).count();
            let there = skip < input.len();
            self.next_line += line_ends(input.get(..skip).unwrap_or_default(), &mut self.after_return);
            self.input.consume(skip);
            if there {
                return Ok(true);
            }
        }
    }
}

/// How many lines end here: by a line feed, by a carriage return, or by both.
fn line_ends(bytes: &[u8], after_return: &mut bool) -> u64 {
    let Some(last) = bytes.last() else { return 0 };
    let count = |byte: u8| bytes.iter().filter(|it| **it == byte).count();
    let (feeds, returns) = (count(b'\n'), count(b'\r'));
    let mut pairs = usize::from(std::mem::replace(after_return, *last == b'\r') && bytes.starts_with(b"\n"));
    if returns > 0 {
        pairs += memchr::memchr_iter(b'\r', bytes).filter(|at| bytes.get(at + 1) == Some(&b'\n')).count();
    }
    (feeds + returns - pairs) as u64
}
