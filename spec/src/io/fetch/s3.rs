//! S3: which URL an object has, and its signature.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use rusty_s3::actions::S3Action;
use rusty_s3::{Bucket, BucketError, UrlStyle};
use url::Url;

use super::address::{AddressError, S3Object, region};
use super::error::FetchError;
use super::origin::Origin;

const DEFAULT_REGION: &str = "us-east-1";

/// How long a signature is good for: it is made anew for each request, and looked at when that begins.
const GOOD_FOR: Duration = Duration::from_secs(15 * 60);

/// What this machine's settings say of S3.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct S3Access {
    /// The server; none: Amazon's. An address with an endpoint of its own goes there.
    pub endpoint: Option<Origin>,
    /// The region, where the address names none; none: `us-east-1`.
    pub region: Option<String>,
    /// None: requests are not signed, which public buckets allow. Never sent to an endpoint that an address names, unless it
    /// is the settings' own.
    pub credentials: Option<S3Credentials>,
}

/// A key and its secret. `Debug` shows neither secret nor token.
#[derive(Clone, PartialEq, Eq)]
pub struct S3Credentials(rusty_s3::Credentials);

impl S3Credentials {
    /// From an access key, its secret, and a session's token where there is one.
    #[must_use]
    pub fn new(key: &str, secret: &str, token: Option<&str>) -> Self {
        Self(match token {
            Some(token) => rusty_s3::Credentials::new_with_token(key, secret, token),
            None => rusty_s3::Credentials::new(key, secret),
        })
    }
}

impl fmt::Debug for S3Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("S3Credentials(..)")
    }
}

impl S3Access {
    /// What is connected to for an object.
    pub(super) fn origin(&self, object: &S3Object) -> Option<Origin> {
        self.bucket(object).ok().and_then(|bucket| Origin::of(bucket.base_url()))
    }

    /// Whether an object lies where the settings say, rather than where its address says.
    pub(super) fn is_own(&self, object: &S3Object) -> bool {
        object.endpoint.is_none() || object.endpoint == self.endpoint
    }

    /// The URL to get an object from at this time; signed if there are credentials that may be used there.
    ///
    /// # Errors
    /// [`FetchError::Bucket`] when bucket, region or endpoint make no URL.
    pub(super) fn url(&self, object: &S3Object, now: Timestamp) -> Result<Url, FetchError> {
        let bucket = self.bucket(object)?;
        let credentials = self.credentials.as_ref().filter(|_| self.is_own(object)).map(|it| &it.0);
        Ok(bucket.get_object(credentials, &object.key).sign_with_time(GOOD_FOR, &now))
    }

    fn bucket(&self, object: &S3Object) -> Result<Bucket, FetchError> {
        let bad = |reason: String| FetchError::Bucket { reason };
        let region = match object.region.as_ref().or(self.region.as_ref()) {
            Some(name) => region(name).map_err(|error: AddressError| bad(format!("it {error}")))?,
            None => DEFAULT_REGION.into(),
        };
        let (endpoint, style) = match object.endpoint.as_ref().or(self.endpoint.as_ref()) {
            Some(endpoint) => (endpoint.to_string(), UrlStyle::Path),
            None => (amazon(&region), style(&object.bucket)),
        };
        let endpoint = Url::parse(&endpoint).map_err(|error| bad(error.to_string()))?;
        Bucket::new(endpoint, style, object.bucket.clone(), region).map_err(|error| {
            bad(match error {
                BucketError::UnsupportedScheme => "the endpoint is neither http nor https".into(),
                BucketError::MissingHost => "the endpoint has no host".into(),
                BucketError::ParseError(error) => error.to_string(),
            })
        })
    }
}

fn amazon(region: &str) -> String {
    let ending = if region.starts_with("cn-") { ".cn" } else { "" };
    format!("https://s3.{region}.amazonaws.com{ending}")
}

/// A bucket whose name can't be the first part of a host's, under Amazon's certificate, goes into the path.
fn style(bucket: &str) -> UrlStyle {
    let host_part = bucket.len() <= 63
        && bucket.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
    if host_part { UrlStyle::VirtualHost } else { UrlStyle::Path }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::fetch::Address;
    use crate::io::fetch::address::Kind;

    /// Of Amazon's documented example: 24 May 2013, midnight.
    const EXAMPLE_TIME: i64 = 1_369_353_600;

    fn url(access: &S3Access, address: &str) -> String {
        let address: Address = address.parse().unwrap();
        let Kind::S3(object) = address.kind() else { panic!() };
        access.url(object, Timestamp::from_second(EXAMPLE_TIME).unwrap()).unwrap().to_string()
    }

    fn example() -> S3Credentials {
        S3Credentials::new("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", None)
    }

    #[test]
    fn amazons_documented_example_is_signed_as_documented() {
        let bucket = Bucket::new(
            Url::parse("https://s3.amazonaws.com").unwrap(),
            UrlStyle::VirtualHost,
            "examplebucket",
            "us-east-1",
        )
        .unwrap();
        let credentials = example();
        let get = bucket.get_object(Some(&credentials.0), "test.txt");
        let url =
            get.sign_with_time(Duration::from_secs(86_400), &Timestamp::from_second(EXAMPLE_TIME).unwrap());
        assert_eq!(
            url.as_str(),
            "https://examplebucket.s3.amazonaws.com/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256\
             &X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request\
             &X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host\
             &X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"
        );
    }

    #[test]
    fn where_objects_are() {
        let plain = S3Access::default();
        assert_eq!(
            url(&plain, "s3://bucket/a/b c.csv"),
            "https://bucket.s3.us-east-1.amazonaws.com/a/b%20c.csv"
        );
        assert_eq!(url(&plain, "s3://bucket//k"), "https://bucket.s3.us-east-1.amazonaws.com//k");
        assert_eq!(
            url(&plain, "s3://bucket/k?region=cn-north-1"),
            "https://bucket.s3.cn-north-1.amazonaws.com.cn/k"
        );
        assert_eq!(url(&plain, "s3://my.bucket/k"), "https://s3.us-east-1.amazonaws.com/my.bucket/k");
        assert_eq!(url(&plain, "s3://Bucket_1/k"), "https://s3.us-east-1.amazonaws.com/Bucket_1/k");
        let here = S3Access {
            endpoint: Some("http://127.0.0.1:9000".parse().unwrap()),
            region: Some("eu-west-1".into()),
            credentials: None,
        };
        assert_eq!(url(&here, "s3://bucket/k"), "http://127.0.0.1:9000/bucket/k");
        assert_eq!(url(&here, "s3://bucket/k?endpoint=https://b.org"), "https://b.org/bucket/k");
    }

    #[test]
    fn credentials_go_to_the_settings_own_endpoint_only() {
        let amazon = S3Access { credentials: Some(example()), ..S3Access::default() };
        let own = S3Access { endpoint: Some("https://own.org".parse().unwrap()), ..amazon.clone() };
        let signed = |access: &S3Access, address: &str| url(access, address).contains("X-Amz-Signature=");
        assert!(signed(&amazon, "s3://bucket/k"));
        assert!(signed(&amazon, "s3://bucket/k?region=eu-west-1"));
        assert!(!signed(&amazon, "s3://bucket/k?endpoint=https://stranger.org"));
        assert!(!signed(&amazon, "s3://bucket/k?endpoint=https://s3.us-east-1.amazonaws.com"));
        assert!(signed(&own, "s3://bucket/k"));
        assert!(signed(&own, "s3://bucket/k?endpoint=https://own.org:443"));
        for other in ["http://own.org", "https://own.org:444", "https://own.org.", "https://stranger.org"] {
            assert!(!signed(&own, &format!("s3://bucket/k?endpoint={other}")), "{other}");
        }
    }

    #[test]
    fn secrets_are_not_shown() {
        let access = S3Access {
            credentials: Some(S3Credentials::new("AKID", "SECRET", Some("TOKEN"))),
            ..S3Access::default()
        };
        let shown = format!("{access:?}");
        assert!(!shown.contains("SECRET") && !shown.contains("TOKEN"), "{shown}");
    }
}
