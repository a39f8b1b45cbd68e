//! What the headers of an answer say.

use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;
use reqwest::header::{
    CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, ETAG, HeaderMap, HeaderName, LAST_MODIFIED, RETRY_AFTER,
};

use super::error::FetchError;

/// Longer validators are taken for none.
const MAX_VALIDATOR: usize = 1024;

/// What tells one state of an object from another.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Validator {
    etag: Option<String>,
    modified: Option<String>,
}

/// Two validators beside each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Compared {
    Same,
    Different,
    /// One of the two has nothing to compare.
    Unknown,
}

impl Validator {
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let value = |name| text(headers, name).filter(|it| it.len() <= MAX_VALIDATOR).map(str::to_owned);
        Self { etag: value(ETAG), modified: value(LAST_MODIFIED) }
    }

    /// For `If-Range`: a strong `ETag`, else the date.
    pub(super) fn for_if_range(&self) -> Option<&str> {
        self.for_if_match().or(self.modified.as_deref())
    }

    /// For `If-Match`: a strong `ETag`.
    pub(super) fn for_if_match(&self) -> Option<&str> {
        self.etag.as_deref().filter(|etag| etag.starts_with('"'))
    }

    pub(super) fn is_none(&self) -> bool {
        *self == Self::default()
    }

    pub(super) fn compare(&self, other: &Self) -> Compared {
        let same = |same: bool| if same { Compared::Same } else { Compared::Different };
        match (&self.etag, &other.etag, &self.modified, &other.modified) {
            (Some(a), Some(b), _, _) => same(a.trim_start_matches("W/") == b.trim_start_matches("W/")),
            (_, _, Some(a), Some(b)) => same(a == b),
            _ => Compared::Unknown,
        }
    }
}

/// `Content-Range: bytes first-last/total`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) start: u64,
    /// The one after the last.
    pub(super) end: u64,
    pub(super) total: Option<u64>,
}

/// The part that an answer says to hold; `None` if it says none, or nonsense.
pub(super) fn part(headers: &HeaderMap) -> Option<Part> {
    let (range, total) = text(headers, CONTENT_RANGE)?.strip_prefix("bytes ")?.trim().split_once('/')?;
    let total = if total == "*" { None } else { Some(number(total)?) };
    let (first, last) = range.split_once('-')?;
    let (start, end) = (number(first)?, number(last)?.checked_add(1)?);
    (start < end && total.is_none_or(|total| end <= total)).then_some(Part { start, end, total })
}

/// The whole length that an answer of 416 says: `bytes */total`.
pub(super) fn length_of_unsatisfied(headers: &HeaderMap) -> Option<u64> {
    number(text(headers, CONTENT_RANGE)?.strip_prefix("bytes */")?)
}

/// The length of the answer's body.
pub(super) fn length(headers: &HeaderMap) -> Option<u64> {
    number(text(headers, CONTENT_LENGTH)?)
}

/// How long the server asks to be left alone.
pub(super) fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = text(headers, RETRY_AFTER)?;
    if let Some(seconds) = number(text) {
        return Some(Duration::from_secs(seconds));
    }
    let at = DateTimeParser::new().parse_timestamp(text).ok()?;
    let seconds = at.as_second().saturating_sub(now.as_second());
    Some(Duration::from_secs(u64::try_from(seconds).unwrap_or(0)))
}

/// Bytes must come as they are. Some servers call a `.gz` file packed, which it is, but not by them.
///
/// # Errors
/// [`FetchError::Encoding`].
pub(super) fn check_encoding(headers: &HeaderMap, path: &str) -> Result<(), FetchError> {
    for value in headers.get_all(CONTENT_ENCODING) {
        let encoding = String::from_utf8_lossy(value.as_bytes()).trim().to_ascii_lowercase();
        let gzip = matches!(encoding.as_str(), "gzip" | "x-gzip");
        let gz = path.to_ascii_lowercase().ends_with(".gz");
        if !(matches!(encoding.as_str(), "" | "identity") || gzip && gz) {
            return Err(FetchError::Encoding { encoding: encoding.chars().take(40).collect() });
        }
    }
    Ok(())
}

/// The region that Amazon says a bucket is in.
pub(super) fn bucket_region(headers: &HeaderMap) -> Option<String> {
    super::address::region(text(headers, HeaderName::from_static("x-amz-bucket-region"))?).ok()
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

fn number(text: &str) -> Option<u64> {
    let text = text.trim();
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderValue;

    use super::*;

    fn headers(lines: &[(HeaderName, &str)]) -> HeaderMap {
        lines.iter().map(|(name, value)| (name.clone(), HeaderValue::from_str(value).unwrap())).collect()
    }

    fn validator(etag: &str, modified: &str) -> Validator {
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        Validator { etag: some(etag), modified: some(modified) }
    }

    #[test]
    fn validators_are_compared() {
        use Compared::{Different, Same, Unknown};
        for (a, b, expected) in [
            (("\"1\"", "Mon"), ("\"1\"", "Tue"), Same),
            (("\"1\"", "Mon"), ("\"2\"", "Mon"), Different),
            (("W/\"1\"", ""), ("\"1\"", ""), Same),
            (("", "Mon"), ("\"2\"", "Mon"), Same),
            (("\"1\"", "Mon"), ("", "Tue"), Different),
            (("\"1\"", ""), ("", "Tue"), Unknown),
            (("", ""), ("", ""), Unknown),
        ] {
            assert_eq!(validator(a.0, a.1).compare(&validator(b.0, b.1)), expected, "{a:?} {b:?}");
        }
    }

    #[test]
    fn only_strong_validators_are_sent() {
        assert_eq!(validator("\"1\"", "Mon").for_if_range(), Some("\"1\""));
        assert_eq!(validator("W/\"1\"", "Mon").for_if_range(), Some("Mon"));
        assert_eq!(validator("W/\"1\"", "").for_if_range(), None);
        assert_eq!(validator("W/\"1\"", "Mon").for_if_match(), None);
        assert!(validator("", "").is_none());
        let long = headers(&[(ETAG, &format!("\"{}\"", "x".repeat(2000)))]);
        assert!(Validator::of(&long).is_none());
    }

    #[test]
    fn parts_are_read_and_nonsense_is_none() {
        let read = |value: &str| part(&headers(&[(CONTENT_RANGE, value)]));
        assert_eq!(read("bytes 0-9/10"), Some(Part { start: 0, end: 10, total: Some(10) }));
        assert_eq!(read("bytes 5-5/*"), Some(Part { start: 5, end: 6, total: None }));
        for bad in [
            "bytes 5-4/10",
            "bytes 0-10/10",
            "bytes */10",
            "bytes 0-/10",
            "bytes -1-2/10",
            "items 0-1/2",
            "bytes 0-18446744073709551615/*",
            "bytes 0-99999999999999999999/*",
            "bytes +0-9/10",
            "",
        ] {
            assert_eq!(read(bad), None, "{bad}");
        }
        assert_eq!(length_of_unsatisfied(&headers(&[(CONTENT_RANGE, "bytes */7")])), Some(7));
        assert_eq!(length_of_unsatisfied(&headers(&[(CONTENT_RANGE, "bytes 0-6/7")])), None);
    }

    #[test]
    fn waits_are_seconds_or_a_date() {
        let now = Timestamp::from_second(1_445_412_470).unwrap();
        let read = |value: &str| retry_after(&headers(&[(RETRY_AFTER, value)]), now);
        assert_eq!(read("120"), Some(Duration::from_secs(120)));
        assert_eq!(read("Wed, 21 Oct 2015 07:28:00 GMT"), Some(Duration::from_secs(10)));
        assert_eq!(read("Tue, 21 Oct 2014 07:28:00 GMT"), Some(Duration::ZERO));
        assert_eq!(read("soon"), None);
    }

    #[test]
    fn nothing_packed_but_what_is_a_packed_file() {
        let check =
            |encoding: &str, path: &str| check_encoding(&headers(&[(CONTENT_ENCODING, encoding)]), path);
        assert_eq!(check("identity", "/x.csv"), Ok(()));
        assert_eq!(check("GZIP", "/x.csv.GZ"), Ok(()));
        assert_eq!(check("x-gzip", "/x.gz"), Ok(()));
        for (encoding, path) in
            [("gzip", "/x.csv"), ("br", "/x.gz"), ("gzip, gzip", "/x.gz"), ("deflate", "/x")]
        {
            assert_eq!(check(encoding, path), Err(FetchError::Encoding { encoding: encoding.into() }));
        }
    }
}
