//! Cutting a JSON document into pieces as it is read: a row, a bucket, a value at a time, never the whole of it.
//!
//! A piece is found by its brackets and quotes alone; what it says is left to the JSON parser. So only one piece is in
//! memory, and every error can name its line and column in the file.

use std::io::Read;

use serde::de::{Deserialize, DeserializeSeed};

use crate::model::ModelError;

/// Bytes that are read at a time.
const BUFFER: usize = 256 * 1024;
/// A piece may take this many bytes: a bucket that every row of a billion is a member of still fits.
const MAX_PIECE: usize = 1 << 34;
/// Brackets within brackets; the format needs eight.
const MAX_DEPTH: usize = 100;

/// A document that is being read.
pub(super) struct Pieces<R> {
    input: R,
    buffer: Vec<u8>,
    /// What is not consumed of `buffer`.
    start: usize,
    end: usize,
    /// Bytes of the document before `buffer`.
    before: u64,
    /// Line feeds before `start`, and the place in the document after the last of them.
    lines: u64,
    line_start: u64,
}

/// A whole value, and where it stands.
pub(super) struct Piece<'p> {
    bytes: &'p [u8],
    lines: u64,
    /// Bytes of its line before it.
    column: u64,
}

impl<R: Read> Pieces<R> {
    pub(super) fn new(input: R) -> Self {
        Self { input, buffer: vec![0; BUFFER], start: 0, end: 0, before: 0, lines: 0, line_start: 0 }
    }

    /// The next byte that is not white space, not consumed.
    pub(super) fn peek(&mut self) -> Result<Option<u8>, ModelError> {
        loop {
            let rest = self.buffer.get(self.start..self.end).unwrap_or_default();
            match rest.iter().position(|byte| !matches!(byte, b' ' | b'\n' | b'\r' | b'\t')) {
                Some(at) => {
                    let found = rest.get(at).copied();
                    self.consume(at);
                    return Ok(found);
                }
                None => {
                    self.consume(rest.len());
                    if !self.fill()? {
                        return Ok(None);
                    }
                }
            }
        }
    }

    /// Consumes the next byte that is not white space if it is this one.
    pub(super) fn take(&mut self, byte: u8) -> Result<bool, ModelError> {
        let found = self.peek()? == Some(byte);
        if found {
            self.consume(1);
        }
        Ok(found)
    }

    /// Consumes this byte, or says that `what` was expected.
    pub(super) fn expect(&mut self, byte: u8, what: &str) -> Result<(), ModelError> {
        if self.take(byte)? { Ok(()) } else { Err(self.unexpected(what)) }
    }

    /// Between the items of a list or an object that ends with `close`: whether there is another. `first`: before all.
    pub(super) fn more(&mut self, first: bool, close: u8, what: &str) -> Result<bool, ModelError> {
        if self.take(close)? {
            return Ok(false);
        }
        if !first {
            self.expect(b',', what)?;
            if self.peek()? == Some(close) {
                return Err(self.unexpected(what));
            }
        }
        Ok(true)
    }

    /// An object's key with its colon.
    pub(super) fn key(&mut self) -> Result<String, ModelError> {
        if self.peek()? != Some(b'"') {
            return Err(self.unexpected("a key"));
        }
        let key = self.piece(1 << 20, |piece| piece.parse())??;
        self.expect(b':', "a colon after a key")?;
        Ok(key)
    }

    /// Reads the next value of at most `limit` bytes.
    pub(super) fn value<T: for<'de> Deserialize<'de>>(&mut self, limit: usize) -> Result<T, ModelError> {
        self.piece(limit, |piece| piece.parse())?
    }

    /// Hands the next value over, and consumes it.
    pub(super) fn piece<T>(
        &mut self,
        limit: usize,
        take: impl FnOnce(Piece<'_>) -> T,
    ) -> Result<T, ModelError> {
        let length = self.frame(limit.min(MAX_PIECE), true)?;
        let piece = Piece {
            bytes: self.buffer.get(self.start..self.start + length).unwrap_or_default(),
            lines: self.lines,
            column: self.before + self.start as u64 - self.line_start,
        };
        let taken = take(piece);
        self.consume(length);
        if self.buffer.len() > 16 * BUFFER {
            self.give_back();
        }
        Ok(taken)
    }

    /// Consumes the next value, whatever its size, without a look at what it says.
    pub(super) fn skip(&mut self) -> Result<(), ModelError> {
        let length = self.frame(usize::MAX, false)?;
        self.consume(length);
        Ok(())
    }

    /// An error at the next byte.
    pub(super) fn unexpected(&self, what: &str) -> ModelError {
        let found = match self.buffer.get(self.start..self.end).and_then(<[u8]>::first) {
            Some(byte) => format!("{:?}", char::from(*byte)),
            None => "the end of the file".into(),
        };
        self.error(format!("expected {what}, found {found}"))
    }

    fn error(&self, what: String) -> ModelError {
        let column = self.before + self.start as u64 - self.line_start + 1;
        ModelError::Json { what, line: self.lines + 1, column }
    }

    /// The length of the next value from `start` on, all of it in the buffer if it is to be kept.
    fn frame(&mut self, limit: usize, keep: bool) -> Result<usize, ModelError> {
        let Some(first) = self.peek()? else { return Err(self.unexpected("a value")) };
        let mut scan = Scan { depth: 0, text: false, escaped: false };
        let scalar = !matches!(first, b'{' | b'[' | b'"');
        let mut at = self.start;
        // Bytes of a value that is not kept, gone already.
        let mut passed = 0;
        loop {
            let rest = self.buffer.get(at..self.end).unwrap_or_default();
            let end = if scalar {
                let stop =
                    |byte: &u8| matches!(byte, b',' | b']' | b'}' | b':' | b' ' | b'\n' | b'\r' | b'\t');
                rest.iter().position(stop)
            } else {
                scan.find_end(rest).map_err(|()| {
                    self.error(format!("there are more than {MAX_DEPTH} brackets within brackets"))
                })?
            };
            if let Some(length) = end {
                let length = at + length - self.start;
                if length + passed == 0 {
                    return Err(self.unexpected("a value"));
                }
                return Ok(length);
            }
            if !keep {
                passed += self.end - self.start;
                self.consume(self.end - self.start);
            } else if self.end - self.start >= limit {
                return Err(self.error(format!("a value here is larger than {limit} bytes")));
            }
            let seen = self.end - self.start;
            if !self.fill()? {
                if scalar && seen + passed > 0 {
                    return Ok(seen);
                }
                return Err(self.error("the file ends within this value".into()));
            }
            at = self.start + seen;
        }
    }

    /// Reads more behind what is there; `false` at the end of the file.
    fn fill(&mut self) -> Result<bool, ModelError> {
        if self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            self.before += self.start as u64;
            self.end -= self.start;
            self.start = 0;
        }
        if self.end == self.buffer.len() {
            self.buffer.resize(self.buffer.len() * 2, 0);
        }
        loop {
            match self.input.read(self.buffer.get_mut(self.end..).unwrap_or_default()) {
                Ok(read) => {
                    self.end += read;
                    return Ok(read > 0);
                }
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(ModelError::Read(error)),
            }
        }
    }

    fn consume(&mut self, length: usize) {
        let to = (self.start + length).min(self.end);
        let bytes = self.buffer.get(self.start..to).unwrap_or_default();
        // Our own files have no line feed at all, and looking for one is quick.
        for at in memchr::memchr_iter(b'\n', bytes) {
            self.lines += 1;
            self.line_start = self.before + (self.start + at) as u64 + 1;
        }
        self.start = to;
    }

    /// After a large piece: back to a buffer of the usual size.
    fn give_back(&mut self) {
        self.buffer.copy_within(self.start..self.end, 0);
        self.before += self.start as u64;
        self.end -= self.start;
        self.start = 0;
        self.buffer.truncate(self.end.max(BUFFER));
        self.buffer.shrink_to_fit();
    }
}

impl Piece<'_> {
    /// What the piece says.
    pub(super) fn parse<'de, T: Deserialize<'de>>(&'de self) -> Result<T, ModelError> {
        self.parse_seed(std::marker::PhantomData)
    }

    /// What the piece says to this seed.
    pub(super) fn parse_seed<'de, S: DeserializeSeed<'de>>(
        &'de self,
        seed: S,
    ) -> Result<S::Value, ModelError> {
        let mut deserializer = serde_json::Deserializer::from_slice(self.bytes);
        let value = seed.deserialize(&mut deserializer);
        value.and_then(|value| deserializer.end().map(|()| value)).map_err(|error| self.fault(&error))
    }

    /// The parser's error, with its place in the file.
    fn fault(&self, error: &serde_json::Error) -> ModelError {
        let (line, column) = (error.line().max(1) as u64, error.column() as u64);
        let mut what = error.to_string();
        if let Some(bare) = what.strip_suffix(&format!(" at line {} column {}", error.line(), error.column()))
        {
            what = bare.to_owned();
        }
        let column = if line == 1 { self.column + column.max(1) } else { column };
        ModelError::Json { what, line: self.lines + line, column }
    }
}

/// Where a list, an object or a text ends.
struct Scan {
    depth: usize,
    text: bool,
    escaped: bool,
}

impl Scan {
    /// The place after the value's last byte, if that is here.
    fn find_end(&mut self, bytes: &[u8]) -> Result<Option<usize>, ()> {
        let mut at = 0;
        loop {
            if self.text {
                if self.escaped {
                    if bytes.get(at).is_none() {
                        return Ok(None);
                    }
                    self.escaped = false;
                    at += 1;
                }
                let rest = bytes.get(at..).unwrap_or_default();
                let Some(next) = memchr::memchr2(b'"', b'\\', rest) else { return Ok(None) };
                at += next + 1;
                if rest.get(next) == Some(&b'\\') {
                    self.escaped = true;
                    continue;
                }
                self.text = false;
                if self.depth == 0 {
                    return Ok(Some(at));
                }
            }
            let rest = bytes.get(at..).unwrap_or_default();
            let Some(next) = rest.iter().position(|byte| BRACKETS[*byte as usize]) else { return Ok(None) };
            at += next + 1;
            match rest.get(next) {
                Some(b'"') => self.text = true,
                Some(b'{' | b'[') => {
                    self.depth += 1;
                    if self.depth > MAX_DEPTH {
                        return Err(());
                    }
                }
                _ => {
                    self.depth = self.depth.saturating_sub(1);
                    if self.depth == 0 {
                        return Ok(Some(at));
                    }
                }
            }
        }
    }
}

const BRACKETS: [bool; 256] = {
    let mut table = [false; 256];
    table[b'"' as usize] = true;
    table[b'{' as usize] = true;
    table[b'}' as usize] = true;
    table[b'[' as usize] = true;
    table[b']' as usize] = true;
    table
};

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives a byte at a time, so that every piece is cut everywhere.
    struct Slow<'a>(&'a [u8]);

    impl Read for Slow<'_> {
        fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
            let (Some((first, rest)), Some(place)) = (self.0.split_first(), out.first_mut()) else {
                return Ok(0);
            };
            *place = *first;
            self.0 = rest;
            Ok(1)
        }
    }

    #[test]
    fn pieces_are_whole_values_and_know_their_place() {
        let text = "{\"a\\\"{\": [1, {\"x\": \"]\\\\\"}], \n \"b\": -1.5e3 ,\"c\":\"\\u00e9\",\"d\":{}}";
        for slow in [false, true] {
            let input: Box<dyn Read + '_> =
                if slow { Box::new(Slow(text.as_bytes())) } else { Box::new(text.as_bytes()) };
            let mut pieces = Pieces::new(input);
            pieces.expect(b'{', "").unwrap();
            assert_eq!(pieces.key().unwrap(), "a\"{");
            let list: serde_json::Value = pieces.value(100).unwrap();
            assert_eq!(list, serde_json::json!([1, {"x": "]\\"}]));
            assert!(pieces.more(false, b'}', "").unwrap());
            assert_eq!(pieces.key().unwrap(), "b");
            let wrong = pieces.value::<String>(100).unwrap_err();
            assert!(matches!(wrong, ModelError::Json { line: 2, column: 7..=13, .. }), "{wrong:?}");
            assert!(pieces.more(false, b'}', "").unwrap());
            assert_eq!(
                (pieces.key().unwrap(), pieces.value::<String>(100).unwrap()),
                ("c".into(), "é".into())
            );
            assert!(pieces.more(false, b'}', "").unwrap());
            pieces.key().unwrap();
            pieces.skip().unwrap();
            assert!(!pieces.more(false, b'}', "").unwrap());
            assert_eq!(pieces.peek().unwrap(), None);
        }
    }

    #[test]
    fn size_and_depth_are_bounded() {
        let long = format!("[{}]", "1,".repeat(1 << 20));
        let error = Pieces::new(long.as_bytes()).value::<serde_json::Value>(1 << 16).unwrap_err();
        assert!(error.to_string().contains("larger than 65536 bytes"), "{error}");
        let mut pieces = Pieces::new(long.as_bytes());
        pieces.skip().unwrap();
        assert_eq!(pieces.buffer.len(), BUFFER);
        let deep = "[".repeat(MAX_DEPTH + 1);
        let error = Pieces::new(deep.as_bytes()).skip().unwrap_err();
        assert!(error.to_string().contains("brackets within brackets"), "{error}");
        let cut = Pieces::new(&b"[1,2"[..]).skip().unwrap_err();
        assert!(cut.to_string().contains("ends within"), "{cut}");
    }
}
