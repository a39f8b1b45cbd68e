//! Model files on disk: packed by gzip where the name ends in `.gz`, streamed both ways; [`packed_file`](crate::packed_file)
//! writes them.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::rc::Rc;

use anyhow::{Context, Result};
use flate2::bufread::MultiGzDecoder;
use snake::{Label, Model, ModelError, TrainingRows};

pub(crate) use crate::packed_file::write;

/// Bytes read from disk at a time.
const BUFFER: usize = 256 * 1024;
/// A packed model grows by this factor at most. Real ones grow 3 to 20 times; gzip itself allows 1,000.
const MAX_GROWTH: u64 = 200;
/// Growth is not looked at before this many bytes.
const SMALL: u64 = 16 << 20;
pub(crate) const GZIP: [u8; 2] = [0x1f, 0x8b];

/// Reads a model; one that was packed by gzip is known by its first bytes, whatever its name.
pub(crate) fn read(path: &Path, rows: TrainingRows) -> Result<Model> {
    Model::read_stream(opener(path), rows).with_context(|| path.display().to_string())
}

/// Reads a model to check it; see [`Model::read_for_survey`].
pub(crate) fn read_for_survey(path: &Path, differs: impl FnMut(usize, &Label)) -> Result<Model, ModelError> {
    Model::read_for_survey(opener(path), differs)
}

/// Opens a file as often as it is asked to.
fn opener(path: &Path) -> impl FnMut() -> io::Result<Box<dyn Read>> {
    let mut opened = false;
    move || {
        // A pipe gives its bytes once.
        if std::mem::replace(&mut opened, true) && !std::fs::metadata(path)?.is_file() {
            let what = "its rows take a second look, and it can be read only once: copy it to a file first";
            return Err(io::Error::new(io::ErrorKind::Unsupported, what));
        }
        open(path)
    }
}

/// A model file's bytes, unpacked.
fn open(path: &Path) -> io::Result<Box<dyn Read>> {
    if std::fs::metadata(path)?.is_dir() {
        return Err(io::Error::new(io::ErrorKind::IsADirectory, "it is a folder: name a file in it"));
    }
    let taken = Rc::new(Cell::new(0));
    let mut file =
        BufReader::with_capacity(BUFFER, Counted { inner: File::open(path)?, taken: Rc::clone(&taken) });
    if file.fill_buf()?.starts_with(&GZIP) {
        return Ok(Box::new(Unpacked { inner: MultiGzDecoder::new(file), taken, given: 0 }));
    }
    Ok(Box::new(file))
}

/// Counts what is taken from a file.
struct Counted<R> {
    inner: R,
    taken: Rc<Cell<u64>>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(out)?;
        self.taken.set(self.taken.get() + read as u64);
        Ok(read)
    }
}

/// Ends with an error where more comes out than a model could have packed so small.
struct Unpacked<R> {
    inner: MultiGzDecoder<BufReader<Counted<R>>>,
    taken: Rc<Cell<u64>>,
    given: u64,
}

impl<R: Read> Read for Unpacked<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(out).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => {
                let what = "it is packed but ends too early: it was not copied whole, get it again";
                io::Error::new(io::ErrorKind::UnexpectedEof, what)
            }
            _ => error,
        })?;
        self.given += read as u64;
        if self.given > SMALL && self.given / MAX_GROWTH > self.taken.get() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                format!(
                    "it unpacks to more than {MAX_GROWTH} times its size, which no model does; if it is one all the same, \
                     unpack it with gunzip first"
                ),
            ));
        }
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const TINY: &str = include_str!("../../snake/testdata/tiny.json");

    #[test]
    fn packed_models_are_the_same_models_and_the_same_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let (plain, packed) = (folder.path().join("m.json"), folder.path().join("m.json.gz"));
        let model = Model::read(TINY.as_bytes()).unwrap();
        let put = |path: &Path| write(path, |out| Ok(model.write(out).map(|_| ())?)).unwrap();
        put(&plain);
        put(&packed);
        let bytes = fs::read(&packed).unwrap();
        assert!(bytes.starts_with(&GZIP) && bytes.len() < fs::read(&plain).unwrap().len());
        put(&packed);
        assert_eq!(fs::read(&packed).unwrap(), bytes);
        for path in [&plain, &packed] {
            assert_eq!(read(path, TrainingRows::Kept).unwrap(), model);
        }
        // The first bytes decide.
        let renamed = folder.path().join("renamed.json");
        fs::rename(&packed, &renamed).unwrap();
        assert_eq!(read(&renamed, TrainingRows::Kept).unwrap(), model);
        fs::write(&renamed, &bytes[..bytes.len() / 2]).unwrap();
        let cut = format!("{:#}", read(&renamed, TrainingRows::Kept).unwrap_err());
        assert!(cut.contains("ends too early"), "{cut}");
    }

    #[test]
    fn a_bomb_is_no_model() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bomb.json.gz");
        write(&path, |out| {
            out.write_all(b"{\"future\":\"")?;
            let zeros = vec![b'0'; 1 << 20];
            for _ in 0..64 {
                out.write_all(&zeros)?;
            }
            Ok(out.write_all(b"\"}")?)
        })
        .unwrap();
        let error = format!("{:#}", read(&path, TrainingRows::Kept).unwrap_err());
        assert!(error.contains("bomb.json.gz") && error.contains("200 times its size"), "{error}");
    }
}
