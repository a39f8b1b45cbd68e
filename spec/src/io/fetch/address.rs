//! Addresses as they are written in run files and manifests.

use std::fmt;
use std::str::FromStr;

use url::Url;

use super::origin::Origin;
use super::{s3, shown};

/// Longer addresses are refused.
const MAX_BYTES: usize = 4096;

/// Where an object is: `http(s)://..`, or `s3://bucket/key[?endpoint=https://host[:port]&region=name]`.
///
/// A key is taken literally up to the first `?`. Shown (also by `Debug`), an address has no query: a signature may be in it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Address(Kind);

#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    /// Without user and fragment.
    Http(Url),
    S3(S3Object),
}

/// An object in a bucket.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct S3Object {
    pub(super) bucket: String,
    pub(super) key: String,
    pub(super) endpoint: Option<Origin>,
    pub(super) region: Option<String>,
}

/// A text is no address. Says what is wrong without repeating the text, in which a secret may be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AddressError {
    /// Another scheme, or none.
    #[error("does not begin with http://, https:// or s3://: these are what can be read from afar")]
    Scheme,
    /// Too long.
    #[error("is longer than {MAX_BYTES} bytes: give a shorter address")]
    TooLong,
    /// Spaces or control characters.
    #[error("has a space or a control character in it: write %20 for a space")]
    Character,
    /// `https://name:password@host/`.
    #[error(
        "has a user name or a password in it, which would be published: take out what stands before the @"
    )]
    User,
    /// What the URL parser says.
    #[error("is no address: {reason}")]
    Url {
        /// What is wrong.
        reason: String,
    },
    /// An endpoint with a path.
    #[error("has an endpoint that is not just http(s)://host[:port]")]
    NotAnOrigin,
    /// A bucket's name.
    #[error(
        "has a bucket's name that is not made of letters, digits, dots and dashes: write s3://bucket/key"
    )]
    Bucket,
    /// An object's key.
    #[error("has no key, or one with . or .. as a part of it: write s3://bucket/key")]
    Key,
    /// Unknown, or given twice.
    #[error("has something else behind the ? than endpoint= and region=, once each")]
    Parameter,
    /// A region's name.
    #[error("has a region that is not made of small letters, digits and dashes")]
    Region,
}

impl Address {
    /// Scheme, host and port that are connected to. For `s3://` without an endpoint that is Amazon's; a [`Fetcher`] whose
    /// settings name another one knows better ([`Fetcher::origin`]).
    ///
    /// [`Fetcher`]: super::Fetcher
    /// [`Fetcher::origin`]: super::Fetcher::origin
    #[must_use]
    pub fn origin(&self) -> Option<Origin> {
        match &self.0 {
            Kind::Http(url) => Origin::of(url),
            Kind::S3(object) => s3::S3Access::default().origin(object),
        }
    }

    /// The path of the URL, or the object's key.
    #[must_use]
    pub fn path(&self) -> &str {
        match &self.0 {
            Kind::Http(url) => url.path(),
            Kind::S3(object) => &object.key,
        }
    }

    pub(super) fn kind(&self) -> &Kind {
        &self.0
    }
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        match text.get(..5) {
            Some(start) if start.eq_ignore_ascii_case("s3://") => Ok(Self(Kind::S3(s3_object(text)?))),
            _ => http_url(text).map(|url| Self(Kind::Http(url))),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Http(url) => f.write_str(&shown(url)),
            Kind::S3(object) => {
                write!(f, "s3://{}/{}", object.bucket, object.key)?;
                object.endpoint.iter().try_for_each(|endpoint| write!(f, " at {endpoint}"))
            }
        }
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({self})")
    }
}

/// A URL with `http` or `https`, a host, no user and no fragment.
pub(super) fn http_url(text: &str) -> Result<Url, AddressError> {
    check_text(text)?;
    let scheme = text.split_once("://").map(|(scheme, _)| scheme.to_ascii_lowercase());
    if !matches!(scheme.as_deref(), Some("http" | "https")) {
        return Err(AddressError::Scheme);
    }
    let mut url = Url::parse(text).map_err(|error| AddressError::Url { reason: error.to_string() })?;
    if has_user(&url) {
        return Err(AddressError::User);
    }
    url.set_fragment(None);
    Ok(url)
}

/// Whether a user or a password would be sent.
pub(super) fn has_user(url: &Url) -> bool {
    !url.username().is_empty() || url.password().is_some()
}

fn check_text(text: &str) -> Result<(), AddressError> {
    if text.len() > MAX_BYTES {
        return Err(AddressError::TooLong);
    }
    if text.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Err(AddressError::Character);
    }
    Ok(())
}

fn s3_object(text: &str) -> Result<S3Object, AddressError> {
    if text.len() > MAX_BYTES {
        return Err(AddressError::TooLong);
    }
    if text.chars().any(char::is_control) {
        return Err(AddressError::Character);
    }
    let rest = text.get(5..).ok_or(AddressError::Scheme)?;
    let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (bucket, key) = place.split_once('/').ok_or(AddressError::Key)?;
    if bucket.contains(['@', ':']) {
        return Err(AddressError::User);
    }
    if !is_bucket(bucket) {
        return Err(AddressError::Bucket);
    }
    // A URL can't carry such keys: they would name another object.
    if key.is_empty() || key.split(['/', '\\']).any(is_dots) {
        return Err(AddressError::Key);
    }
    let mut object = S3Object { bucket: bucket.into(), key: key.into(), endpoint: None, region: None };
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        match name.as_ref() {
            "endpoint" if object.endpoint.is_none() => object.endpoint = Some(value.parse()?),
            "region" if object.region.is_none() => object.region = Some(region(&value)?),
            _ => return Err(AddressError::Parameter),
        }
    }
    Ok(object)
}

fn is_bucket(name: &str) -> bool {
    let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    (3..=255).contains(&name.len())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_'))
        && edge(name.chars().next())
        && edge(name.chars().next_back())
}

/// `.` or `..`, also as a URL writes them.
fn is_dots(part: &str) -> bool {
    let part = part.to_ascii_lowercase().replace("%2e", ".");
    part == "." || part == ".."
}

/// A region's name, which becomes a part of a host's.
pub(super) fn region(text: &str) -> Result<String, AddressError> {
    let good = (1..=40).contains(&text.len())
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
        && !text.starts_with('-');
    if good { Ok(text.into()) } else { Err(AddressError::Region) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown_of(text: &str) -> Result<String, AddressError> {
        text.parse::<Address>().map(|address| address.to_string())
    }

    #[test]
    fn what_may_be_shown_has_no_secrets() {
        let signed = "https://Example.org:8443/a%20b.csv?X-Amz-Signature=SECRET#SECRET";
        let address: Address = signed.parse().unwrap();
        assert_eq!(address.to_string(), "https://example.org:8443/a%20b.csv?..");
        assert!(!format!("{address:?}").contains("SECRET"));
        assert_eq!(address.origin().unwrap().to_string(), "https://example.org:8443");
        assert_eq!(address.path(), "/a%20b.csv");
        assert_eq!(shown_of("http://example.org"), Ok("http://example.org/".into()));
        assert_eq!(shown_of("s3://bucket/a/b c.csv"), Ok("s3://bucket/a/b c.csv".into()));
        let here = "S3://bucket/key?region=eu-west-1&endpoint=https%3A%2F%2Fs3.example.org:9000";
        assert_eq!(shown_of(here), Ok("s3://bucket/key at https://s3.example.org:9000".into()));
    }

    #[test]
    fn what_is_connected_to() {
        let origin = |text: &str| text.parse::<Address>().unwrap().origin().unwrap().to_string();
        assert_eq!(origin("s3://bucket/key"), "https://bucket.s3.us-east-1.amazonaws.com");
        assert_eq!(
            origin("s3://bucket/key?region=eu-central-1"),
            "https://bucket.s3.eu-central-1.amazonaws.com"
        );
        assert_eq!(origin("s3://a.b.c/key"), "https://s3.us-east-1.amazonaws.com", "no certificate has dots");
        assert_eq!(origin("s3://bucket/key?endpoint=http://127.0.0.1:9000"), "http://127.0.0.1:9000");
    }

    #[test]
    fn bad_addresses_are_refused_and_not_repeated() {
        use AddressError as E;
        for (bad, expected) in [
            ("ftp://example.org/SECRET", E::Scheme),
            ("SECRET.csv", E::Scheme),
            ("http:example.org/SECRET", E::Scheme),
            ("ht\ntp://example.org/SECRET", E::Character),
            ("https://example.org/a SECRET", E::Character),
            ("https://SECRET@example.org/", E::User),
            ("https://user:SECRET@example.org/", E::User),
            ("https://:SECRET@example.org/", E::User),
            ("s3://key:SECRET@bucket/x", E::User),
            ("s3://bucket", E::Key),
            ("s3://bucket/", E::Key),
            ("s3://bucket/../SECRET/x", E::Key),
            ("s3://bucket/a/%2E%2e/SECRET", E::Key),
            ("s3://bucket/a\\..\\SECRET", E::Key),
            ("s3://b/SECRET", E::Bucket),
            ("s3://-bucket/SECRET", E::Bucket),
            ("s3://buc%2fket/SECRET", E::Bucket),
            ("s3:///SECRET", E::Bucket),
            ("s3://bucket/key?secret=SECRET", E::Parameter),
            ("s3://bucket/key?region=a&region=b", E::Parameter),
            ("s3://bucket/key?region=x.example.org/SECRET", E::Region),
            ("s3://bucket/key?endpoint=https://host/SECRET", E::NotAnOrigin),
            ("s3://bucket/key?endpoint=https://SECRET@host", E::User),
            ("s3://bucket/key?endpoint=SECRET", E::Scheme),
        ] {
            let error = shown_of(bad).unwrap_err();
            assert_eq!(error, expected, "{bad}");
            assert!(!error.to_string().contains("SECRET"), "{bad}");
        }
        assert!(matches!(shown_of("https:///"), Err(E::Url { .. })));
        assert!(matches!(shown_of("https://a:99999/"), Err(E::Url { .. })));
        assert_eq!(shown_of(&format!("https://a/{}", "x".repeat(5000))), Err(E::TooLong));
    }
}
