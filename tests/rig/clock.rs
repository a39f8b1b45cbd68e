//! A clock that is off: a small library that is loaded before the system's, and what others saw of it.

#![allow(dead_code, unreachable_pub, reason = "every test file uses another part")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use protocol::{PeerRecord, Signed};

/// How many seconds the clock is off.
const OFFSET: &str = "OPENDIPACO_TEST_CLOCK_OFFSET";

/// Only the time of day is shifted: what measures spans (`CLOCK_MONOTONIC`) is asked of the kernel as it is.
const LIBRARY: &str = r#"
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static long long offset;

__attribute__((constructor)) static void read_offset(void) {
    const char *text = getenv("OPENDIPACO_TEST_CLOCK_OFFSET");
    offset = text ? atoll(text) : 0;
}

int clock_gettime(clockid_t id, struct timespec *at) {
    int failed = (int)syscall(SYS_clock_gettime, id, at);
    if (!failed && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)) at->tv_sec += offset;
    return failed;
}

struct day { time_t sec; long usec; };

int gettimeofday(struct day *at, void *zone) {
    struct timespec now;
    (void)zone;
    if (clock_gettime(CLOCK_REALTIME, &now)) return -1;
    at->sec = now.tv_sec;
    at->usec = now.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *at) {
    struct timespec now;
    if (clock_gettime(CLOCK_REALTIME, &now)) return -1;
    if (at) *at = now.tv_sec;
    return now.tv_sec;
}
"#;

/// The library.
pub struct WrongClock(PathBuf);

impl WrongClock {
    /// Compiles it; `None`, and a word, where that can't be done.
    pub fn compile(folder: &Path) -> Option<Self> {
        if !cfg!(all(target_os = "linux", target_env = "gnu", target_pointer_width = "64")) {
            eprintln!("skipped: a library before the system's is loaded on Linux with glibc only");
            return None;
        }
        let (source, library) = (folder.join("clock.c"), folder.join("clock.so"));
        fs::write(&source, LIBRARY).unwrap();
        let compiled =
            Command::new("cc").args(["-shared", "-fPIC", "-O1", "-o"]).args([&library, &source]).output();
        match compiled {
            Ok(output) if output.status.success() => Some(Self(library)),
            Ok(output) => {
                panic!("the library can't be compiled: {}", String::from_utf8_lossy(&output.stderr))
            }
            Err(error) => {
                eprintln!("skipped: there is no C compiler (cc): {error}");
                None
            }
        }
    }

    /// What a process with a clock so many seconds ahead has in its environment.
    pub fn ahead(&self, seconds: i64) -> Vec<(String, String)> {
        let library = self.0.to_str().unwrap().to_owned();
        vec![("LD_PRELOAD".to_owned(), library), (OFFSET.to_owned(), seconds.to_string())]
    }
}

/// The time of day, in milliseconds since 1970, by which `key` signed the addresses that this volunteer remembered of it: a
/// peer's record begins to count at its clock. The volunteer has to be gone.
pub fn time_told(run_folder: &Path, key: &str) -> Option<u64> {
    let bytes = fs::read(run_folder.join("peers")).unwrap();
    let mut rest = &bytes[..];
    while let Some((length, after)) = rest.split_first_chunk::<4>() {
        let (record, next) = after.split_at(u32::from_le_bytes(*length) as usize);
        let record = Signed::<PeerRecord>::open(record, None).unwrap();
        if record.signer().to_string() == key {
            return Some(record.value().counter);
        }
        rest = next;
    }
    None
}
