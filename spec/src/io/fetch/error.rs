//! Why an address was not read.

use std::io;
use std::net::IpAddr;

/// An address was not read. Shown without the address, which the caller puts in front.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// It leads to this machine or its neighbourhood.
    #[error(
        "refused: {host} is {address}, which is not a public address: \
         add --allow-local if you trust whoever named it"
    )]
    NotPublic {
        /// The host as it was written, or where a redirect led.
        host: String,
        /// What it is.
        address: IpAddr,
    },
    /// A redirect that is not followed.
    #[error("the server redirects to {to}, which is not followed: {reason}")]
    Redirect {
        /// Where to, without secrets.
        to: String,
        /// Why not.
        reason: &'static str,
    },
    /// Nobody answers there.
    #[error("can't connect to {host}: {reason}: check the address and this machine's network")]
    Connect {
        /// The host.
        host: String,
        /// What the system or the TLS library says.
        reason: String,
    },
    /// The connection failed before an answer came.
    #[error("the request failed: {reason}: try again later")]
    Request {
        /// What the network or the HTTP library says.
        reason: String,
    },
    /// No byte came for too long.
    #[error("the server sent nothing for {millis} ms after {got} bytes: try again later")]
    Idle {
        /// How long it was waited for.
        millis: u64,
        /// How many bytes had come.
        got: u64,
    },
    /// Bytes came too slowly.
    #[error("the server sends less than {bytes} bytes in {seconds} s: try again later, or another mirror")]
    TooSlow {
        /// What was asked for.
        bytes: u64,
        /// Within how long.
        seconds: u64,
    },
    /// The server says no.
    #[error("the server answers {status}: {hint}")]
    Status {
        /// The HTTP status.
        status: u16,
        /// What that usually means.
        hint: &'static str,
    },
    /// The bucket is elsewhere.
    #[error("the bucket is in the region {region}: add ?region={region} to the address")]
    Region {
        /// What the server says.
        region: String,
    },
    /// The transfer ended before its end.
    #[error("the transfer broke off: {got} bytes came of {}: try again later", of(*.expected))]
    Broken {
        /// How many were announced.
        expected: Option<u64>,
        /// How many came.
        got: u64,
    },
    /// An answer that breaks the rules of HTTP.
    #[error("the server's answer makes no sense: {reason}: tell who runs it, or use another mirror")]
    Answer {
        /// What is wrong.
        reason: String,
    },
    /// The object is another one than at the beginning.
    #[error("the object changed while it was read: read it again from its beginning")]
    Changed,
    /// Packed in a way that was not asked for.
    #[error(
        "the server sends it packed as {encoding:?}, which was not asked for: let it send the file as it is"
    )]
    Encoding {
        /// The `Content-Encoding`.
        encoding: String,
    },
    /// More bytes than allowed.
    #[error("is larger than {limit} bytes, the most that one object may have")]
    TooLarge {
        /// The limit.
        limit: u64,
    },
    /// Only whole objects are to be had.
    #[error(
        "the server sends no parts of a file, or none that are sure to be of one, which this format needs: download it, or use another mirror"
    )]
    NoRanges,
    /// Bytes beyond the end were asked for.
    #[error(
        "bytes {start} to {end} were asked for, and it has {length}: it is damaged, or not what it is said to be"
    )]
    OutOfRange {
        /// The first byte asked for.
        start: u64,
        /// The one after the last.
        end: u64,
        /// How many there are.
        length: u64,
    },
    /// A bucket or endpoint that makes no URL.
    #[error("makes no URL of a bucket: {reason}: check the bucket and the endpoint")]
    Bucket {
        /// What is wrong.
        reason: String,
    },
    /// [`Fetcher::stop`](super::Fetcher::stop) was called.
    #[error("stopped while reading")]
    Stopped,
    /// This machine can't fetch at all.
    #[error("can't fetch from here: {reason}")]
    Setup {
        /// What is missing.
        reason: String,
    },
    /// Every try failed.
    #[error("given up after {tries} tries: {last}")]
    GivenUp {
        /// How many.
        tries: u32,
        /// The last one's.
        last: Box<FetchError>,
    },
}

impl FetchError {
    /// Whether the address was refused, rather than out of reach or broken.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        match self {
            Self::NotPublic { .. } => true,
            Self::GivenUp { last, .. } => last.is_refusal(),
            _ => false,
        }
    }

    /// The error within an I/O error that reading a download returned.
    #[must_use]
    pub fn within(error: &io::Error) -> Option<&Self> {
        error.get_ref()?.downcast_ref()
    }

    pub(super) fn status(status: u16) -> Self {
        let hint = match status {
            401 | 403 => "it is not for everybody, or the credentials or this machine's clock are wrong",
            404 | 410 => "there is nothing at this address: check it",
            408 | 429 => "it is too busy: try again later",
            500..=599 => "it has a fault of its own: try again later, or another mirror",
            _ => "this is no answer with a file in it: check the address",
        };
        Self::Status { status, hint }
    }

    pub(super) fn answer(reason: impl Into<String>) -> Self {
        Self::Answer { reason: reason.into() }
    }
}

impl From<FetchError> for io::Error {
    fn from(error: FetchError) -> Self {
        let kind = match error {
            FetchError::NotPublic { .. } => io::ErrorKind::PermissionDenied,
            _ => io::ErrorKind::Other,
        };
        Self::new(kind, error)
    }
}

fn of(expected: Option<u64>) -> String {
    expected.map_or_else(|| "a number that was not announced".into(), |bytes| bytes.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_say_what_to_do() {
        let refused = FetchError::NotPublic { host: "localhost".into(), address: [127, 0, 0, 1].into() };
        assert!(refused.is_refusal());
        let text = refused.to_string();
        assert!(
            text.contains("localhost") && text.contains("127.0.0.1") && text.contains("--allow-local"),
            "{text}"
        );
        let broken = FetchError::Broken { expected: Some(100), got: 7 };
        let text = FetchError::GivenUp { tries: 5, last: Box::new(broken) }.to_string();
        assert_eq!(
            text,
            "given up after 5 tries: the transfer broke off: 7 bytes came of 100: try again later"
        );
    }

    #[test]
    fn it_is_found_within_an_io_error() {
        let error = io::Error::from(FetchError::Changed);
        assert_eq!(FetchError::within(&error), Some(&FetchError::Changed));
        assert_eq!(FetchError::within(&io::ErrorKind::Other.into()), None);
    }
}
