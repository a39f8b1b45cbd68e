//! A disk that fills up.

#![allow(unreachable_pub, reason = "every test file uses another part")]

use std::fs;
use std::path::PathBuf;
use std::process::Command;

/// A small file system of its own, taken away again at the end.
pub struct SmallDisk(pub PathBuf);

impl SmallDisk {
    /// Mounts it; `None`, and a word, where that is not allowed.
    pub fn mount(at: PathBuf, bytes: u64) -> Option<Self> {
        fs::create_dir_all(&at).unwrap();
        let size = format!("size={bytes}");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(&at).output();
        if mounted.is_ok_and(|output| output.status.success()) {
            return Some(Self(at));
        }
        eprintln!("skipped: a small disk can't be mounted here (that needs root)");
        None
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}
