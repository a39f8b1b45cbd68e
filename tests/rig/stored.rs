//! A coordinator's store, looked at once the coordinator has ended.

#![allow(unreachable_pub, reason = "every test file uses another part")]

use std::fs;
use std::path::PathBuf;

use protocol::{Manifest, content_hash};
use store::{FilePlace, Found, Mark, Store};

use crate::rig::Run;

/// The file, once it is there.
pub fn file(run: &Run) -> Option<PathBuf> {
    let folders = fs::read_dir(run.path("coordinator")).unwrap().map(|entry| entry.unwrap().path());
    folders.map(|folder| folder.join("run.redb")).find(|file| file.is_file())
}

/// The store of this run, and what is in it.
pub fn open(run: &Run) -> (Store, Found) {
    let manifest = Manifest::open(&fs::read(run.manifest()).unwrap()).unwrap();
    let fingerprint = manifest.spec().fingerprint().unwrap();
    let mark = Mark { run: manifest.run(), fingerprint: *fingerprint.as_bytes() };
    let hash = Box::new(move |unit, body: &[u8]| content_hash(&fingerprint, unit, body));
    Store::open(Box::new(FilePlace::new(&file(run).unwrap())), &mark, hash).unwrap()
}
