//! Scheme, host and port: what a connection is made to.

use std::fmt;
use std::str::FromStr;

use url::{Host, Url};

use super::address::AddressError;

/// Scheme, host and port, as in `https://example.org` or `http://[::1]:9000`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Origin {
    https: bool,
    host: Host<String>,
    port: u16,
}

impl Origin {
    /// `http` or `https`.
    #[must_use]
    pub fn scheme(&self) -> &'static str {
        if self.https { "https" } else { "http" }
    }

    /// The name or the IP address; an IPv6 address has brackets.
    #[must_use]
    pub fn host(&self) -> String {
        self.host.to_string()
    }

    /// The port, also where it goes without saying.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Of an address with `http` or `https` and a host; `None` for any other.
    pub(super) fn of(url: &Url) -> Option<Self> {
        let https = match url.scheme() {
            "https" => true,
            "http" => false,
            _ => return None,
        };
        let host = url.host()?.to_owned();
        Some(Self { https, host, port: url.port_or_known_default()? })
    }

    /// Whether both are the same host and port.
    pub(super) fn same_place(&self, other: &Self) -> bool {
        self.host == other.host && self.port == other.port
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme(), self.host)?;
        let usual = if self.https { 443 } else { 80 };
        if self.port == usual { Ok(()) } else { write!(f, ":{}", self.port) }
    }
}

impl FromStr for Origin {
    type Err = AddressError;

    /// Reads `http(s)://host[:port]`, with nothing behind but one `/`.
    fn from_str(text: &str) -> Result<Self, AddressError> {
        let url = super::address::http_url(text)?;
        if url.path() != "/" || url.query().is_some() {
            return Err(AddressError::NotAnOrigin);
        }
        Self::of(&url).ok_or(AddressError::NotAnOrigin)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_read_and_shown() {
        let shown = |text: &str| text.parse::<Origin>().map(|origin| origin.to_string());
        assert_eq!(shown("https://example.org"), Ok("https://example.org".into()));
        assert_eq!(shown("HTTPS://Example.org:443/"), Ok("https://example.org".into()));
        assert_eq!(shown("http://[::1]:9000"), Ok("http://[::1]:9000".into()));
        assert_eq!(shown("http://127.1:80"), Ok("http://127.0.0.1".into()));
        for bad in ["https://example.org/path", "https://example.org/?x", "example.org", "s3://bucket", ""] {
            assert!(shown(bad).is_err(), "{bad}");
        }
        let origin: Origin = "http://[::1]:9000".parse().unwrap();
        assert_eq!((origin.scheme(), origin.host(), origin.port()), ("http", "[::1]".to_owned(), 9000));
    }

    #[test]
    fn a_place_is_host_and_port() {
        let origin = |text: &str| text.parse::<Origin>().unwrap();
        assert!(origin("http://a.org:8080").same_place(&origin("https://a.org:8080")));
        assert!(!origin("http://a.org").same_place(&origin("https://a.org")));
        assert!(!origin("http://a.org").same_place(&origin("http://b.org")));
    }
}
