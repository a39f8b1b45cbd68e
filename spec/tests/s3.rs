//! Against a real S3-compatible server that checks signatures. `tests/tools/s3-server.sh` installs it; where it is not
//! installed, these tests say so and do nothing.
#![cfg(feature = "io")]
#![allow(clippy::unwrap_used, clippy::panic)]

#[path = "support/s3_server.rs"]
mod s3_server;

use std::io::Read;
use std::path::Path;
use std::time::Duration;

use rusty_s3::actions::S3Action;
use rusty_s3::{Bucket, UrlStyle};
use s3_server::{KEY, S3Server, SECRET};
use spec::{Address, FetchError, FetchLimits, Fetcher, Reach, S3Access, S3Credentials};

const BUCKET: &str = "rows-bucket";

/// The server, and what the tests put there.
struct Server(S3Server);

impl Server {
    /// `None` where no server is installed.
    fn start(signed: bool) -> Option<Self> {
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        S3Server::start(&workspace, signed).map(Self)
    }

    fn bucket(&self) -> Bucket {
        Bucket::new(self.0.origin().parse().unwrap(), UrlStyle::Path, BUCKET, "us-east-1").unwrap()
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
        let endpoint = Some(self.0.origin().parse().unwrap());
        let limits = FetchLimits { first_wait: Duration::from_millis(1), ..FetchLimits::default() };
        Fetcher::new(Reach::public(), limits, S3Access { endpoint, region: None, credentials })
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
    let own = format!("s3://{BUCKET}/rows.csv?endpoint={}&region=us-east-1", server.0.origin());
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
    let here = format!("{text}?endpoint={}", server.0.origin());
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
    let text = format!("s3://{BUCKET}/rows.csv?endpoint={}", server.0.origin());
    assert!(get(&fetcher, &text).unwrap() == rows());
    assert!(fetcher.object(&address(&text)).unwrap().read(5..50).unwrap() == rows()[5..50]);
    // The same by its plain address.
    assert!(get(&fetcher, &format!("{}/{BUCKET}/rows.csv", server.0.origin())).unwrap() == rows());
}
