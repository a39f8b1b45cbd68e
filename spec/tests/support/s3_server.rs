//! A real S3-compatible server that checks signatures, over a folder: `tests/tools/s3-server.sh` installs it. For tests that
//! include this with `#[path]`; standard library and `tempfile` only.
#![allow(dead_code)] // not every test uses all of it

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Once;
use std::sync::mpsc::sync_channel;
use std::thread;
use std::time::Duration;

pub(crate) const KEY: &str = "AKTEST";
pub(crate) const SECRET: &str = "secret-of-the-tests";
/// Longer than starting takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// One line for all tests, past the harness, which would keep it to itself.
fn say_skipped() {
    static SAID: Once = Once::new();
    SAID.call_once(|| {
        let line = "skipped: no S3 server (tests/tools/s3-server.sh installs one)\n";
        std::io::stderr().write_all(line.as_bytes()).unwrap();
    });
}

/// A running server with a folder of its own, whose folders are buckets. Ends when dropped.
pub(crate) struct S3Server {
    child: Child,
    origin: String,
    folder: tempfile::TempDir,
}

impl S3Server {
    /// `None` where no server is installed. With `signed`, it answers signed requests only. `workspace` is its folder.
    pub(crate) fn start(workspace: &Path, signed: bool) -> Option<Self> {
        let installed = workspace.join("target/s3-server/bin/s3s-fs");
        let program = match std::env::var_os("OPENDIPACO_S3_SERVER") {
            Some(program) => PathBuf::from(program),
            None if installed.is_file() => installed,
            None => {
                say_skipped();
                return None;
            }
        };
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new(program);
        command.args(["--host", "127.0.0.1", "--port", "0"]).env("RUST_LOG", "s3s_fs=info");
        if signed {
            command.args(["--access-key", KEY, "--secret-key", SECRET]);
        }
        let mut child = command.arg(folder.path()).stdout(Stdio::piped()).spawn().unwrap();
        // The port is the system's choice; the server says which.
        let (said, heard) = sync_channel(1);
        let out = BufReader::new(child.stdout.take().unwrap());
        thread::spawn(move || {
            for line in out.lines().map_while(Result::ok) {
                if let Some((_, rest)) = line.split_once("running at http://127.0.0.1:") {
                    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
                    let _ = said.try_send(format!("http://127.0.0.1:{digits}"));
                }
            }
        });
        let mut server = Self { child, origin: String::new(), folder };
        server.origin = heard.recv_timeout(PATIENCE).unwrap();
        Some(server)
    }

    /// `http://HOST:PORT`.
    pub(crate) fn origin(&self) -> &str {
        &self.origin
    }

    /// Puts an object there without asking the server.
    pub(crate) fn place(&self, bucket: &str, key: &str, bytes: &[u8]) {
        let path = self.folder.path().join(bucket).join(key);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
}

impl Drop for S3Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
