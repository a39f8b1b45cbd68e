//! Against a real S3-compatible server that checks signatures. `tests/tools/s3-server.sh` installs it; where it is not
//! installed, these tests say so and do nothing.
#![cfg(feature = "io")]
#![allow(clippy::unwrap_used, clippy::panic)]

use std::io::{BufRead, BufReader, Read, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Once;
use std::sync::mpsc::sync_channel;
use std::thread;
use std::time::Duration;

use rusty_s3::actions::S3Action;
use rusty_s3::{Bucket, UrlStyle};
use spec::{Address, FetchError, FetchLimits, Fetcher, Reach, S3Access, S3Credentials};

const KEY: &str = "AKTEST";
const SECRET: &str = "secret-of-the-tests";
const BUCKET: &str = "rows-bucket";
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

/// A running server with a folder of its own. Ends when dropped.
struct Server {
    child: Child,
    origin: String,
    _folder: tempfile::TempDir,
}

impl Server {
    /// `None` where no server is installed. With `signed`, it answers signed requests only.
    fn start(signed: bool) -> Option<Self> {
        let installed = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../target/s3-server/bin/s3s-fs");
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
        let mut server = Self { child, origin: String::new(), _folder: folder };
        server.origin = heard.recv_timeout(PATIENCE).unwrap();
        Some(server)
    }

    fn bucket(&self) -> Bucket {
        Bucket::new(self.origin.parse().unwrap(), UrlStyle::Path, BUCKET, "us-east-1").unwrap()
    }

    /// Puts an object, or makes the bucket, by a signed URL.
    fn put(&self, url: url::Url, body: Vec<u8>) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let status = runtime.block_on(async {
            let client = reqwest::Client::builder().no_proxy().build().unwrap();
            client.put(url).body(body).send().await.unwrap().status()
        });
        assert!(status.is_success(), "{status}");
    }

    /// With a bucket and objects in it. Signed where `credentials` are given.
    fn filled(self, credentials: Option<&rusty_s3::Credentials>) -> Self {
        let bucket = self.bucket();
        let hour = Duration::from_secs(3600);
        let mut create = bucket.base_url().clone();
        if let Some(credentials) = credentials {
            create = bucket.create_bucket(credentials).sign(hour);
        }
        self.put(create, Vec::new());
        for key in ["rows.csv", "folder/rows with spaces+and=signs.csv"] {
            self.put(bucket.put_object(credentials, key).sign(hour), rows());
        }
        self
    }

    fn fetcher(&self, credentials: Option<S3Credentials>) -> Fetcher {
        let endpoint = Some(self.origin.parse().unwrap());
        let limits = FetchLimits { first_wait: Duration::from_millis(1), ..FetchLimits::default() };
        Fetcher::new(Reach::public(), limits, S3Access { endpoint, region: None, credentials })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn rows() -> Vec<u8> {
    (0..200_000u32)
        .flat_map(|row| format!("{row},{}\n", u64::from(row) * 7919 % 10_007).into_bytes())
        .collect()
}

fn address(text: &str) -> Address {
    text.parse().unwrap()
}

fn get(fetcher: &Fetcher, text: &str) -> Result<Vec<u8>, FetchError> {
    let mut out = Vec::new();
    fetcher.open(&address(text))?.read_to_end(&mut out).unwrap();
    Ok(out)
}

#[test]
fn objects_are_read_signed() {
    let Some(server) = Server::start(true) else { return };
    let server = server.filled(Some(&rusty_s3::Credentials::new(KEY, SECRET)));
    // The settings' endpoint is reached although it is on this machine: a person typed it.
    let fetcher = server.fetcher(Some(S3Credentials::new(KEY, SECRET, None)));
    for key in ["rows.csv", "folder/rows with spaces+and=signs.csv"] {
        let text = format!("s3://{BUCKET}/{key}");
        assert!(get(&fetcher, &text).unwrap() == rows(), "{key}");
        let object = fetcher.object(&address(&text)).unwrap();
        assert_eq!(object.len(), rows().len() as u64);
        assert!(object.read(1000..5000).unwrap() == rows()[1000..5000]);
        assert!(object.read(object.len() - 8..object.len()).unwrap() == rows()[rows().len() - 8..]);
    }
    assert!(matches!(
        get(&fetcher, &format!("s3://{BUCKET}/nothing")),
        Err(FetchError::Status { status: 404, .. })
    ));
    let own = format!("s3://{BUCKET}/rows.csv?endpoint={}&region=us-east-1", server.origin);
    assert!(get(&fetcher, &own).unwrap() == rows(), "the settings' own endpoint, named by the address");
}

#[test]
fn a_wrong_secret_or_none_is_refused() {
    let Some(server) = Server::start(true) else { return };
    let server = server.filled(Some(&rusty_s3::Credentials::new(KEY, SECRET)));
    let text = format!("s3://{BUCKET}/rows.csv");
    for credentials in [
        Some(S3Credentials::new(KEY, "another", None)),
        Some(S3Credentials::new("another", SECRET, None)),
        None,
    ] {
        let error = get(&server.fetcher(credentials), &text).unwrap_err();
        assert!(matches!(error, FetchError::Status { status: 403, .. }), "{error:?}");
    }
    // Another endpoint of the settings: what the address names gets no signature, and is not reached either.
    let elsewhere = S3Access {
        endpoint: Some("https://own.example.org".parse().unwrap()),
        region: None,
        credentials: Some(S3Credentials::new(KEY, SECRET, None)),
    };
    let here = format!("{text}?endpoint={}", server.origin);
    let fetcher = Fetcher::new(Reach::public(), FetchLimits::default(), elsewhere);
    assert!(get(&fetcher, &here).unwrap_err().is_refusal());
    let error = get(&fetcher.with_reach(Reach::anywhere()), &here).unwrap_err();
    assert!(matches!(error, FetchError::Status { status: 403, .. }), "{error:?}");
}

#[test]
fn public_objects_are_read_unsigned() {
    let Some(server) = Server::start(false) else { return };
    let server = server.filled(None);
    let fetcher = Fetcher::new(Reach::anywhere(), FetchLimits::default(), S3Access::default());
    let text = format!("s3://{BUCKET}/rows.csv?endpoint={}", server.origin);
    assert!(get(&fetcher, &text).unwrap() == rows());
    assert!(fetcher.object(&address(&text)).unwrap().read(5..50).unwrap() == rows()[5..50]);
    // The same by its plain address.
    assert!(get(&fetcher, &format!("{}/{BUCKET}/rows.csv", server.origin)).unwrap() == rows());
}
