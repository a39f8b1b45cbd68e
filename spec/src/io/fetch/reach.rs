//! Which network addresses may be connected to.

use std::net::{IpAddr, SocketAddr};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

use super::error::FetchError;
use super::origin::Origin;
use super::public::is_public;

/// Which network addresses may be connected to. An address that a stranger wrote must not reach what only this machine can
/// reach: itself, its neighbours, its cloud's metadata.
///
/// A URL's host is judged when it is an IP address, however it is spelled; a name by what it is found to be, in the same
/// look-up that the connection is made with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reach {
    anywhere: bool,
    origins: Vec<Origin>,
}

/// With which of two clients a request is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Gate {
    /// Connects to public addresses only.
    Public,
    /// Connects to all.
    Open,
}

impl Reach {
    /// Public addresses and nothing else.
    #[must_use]
    pub fn public() -> Self {
        Self { anywhere: false, origins: Vec::new() }
    }

    /// Additionally exactly this host and port: a person typed it. Where it redirects to is judged like anything else.
    #[must_use]
    pub fn with_origin(mut self, origin: Origin) -> Self {
        self.origins.push(origin);
        self
    }

    /// Any address: `--allow-local`.
    #[must_use]
    pub fn anywhere() -> Self {
        Self { anywhere: true, origins: Vec::new() }
    }

    /// Judges a request before it is made.
    ///
    /// # Errors
    /// [`FetchError::NotPublic`] when the host is an IP address that may not be connected to.
    pub(super) fn gate(&self, url: &Url) -> Result<Gate, FetchError> {
        let named =
            Origin::of(url).is_some_and(|it| self.origins.iter().any(|origin| origin.same_place(&it)));
        if self.anywhere || named {
            return Ok(Gate::Open);
        }
        let address: IpAddr = match url.host() {
            Some(Host::Ipv4(address)) => address.into(),
            Some(Host::Ipv6(address)) => address.into(),
            Some(Host::Domain(_)) | None => return Ok(Gate::Public),
        };
        if is_public(address) {
            return Ok(Gate::Public);
        }
        Err(FetchError::NotPublic { host: url.host_str().unwrap_or_default().into(), address })
    }
}

/// Looks names up and hands out public addresses only.
#[derive(Debug)]
pub(super) struct PublicNames;

impl Resolve for PublicNames {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let allowed = only_public(name.as_str(), found)?;
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}

/// The public ones of a name's addresses; an error when there are others only.
fn only_public(name: &str, found: impl Iterator<Item = SocketAddr>) -> Result<Vec<SocketAddr>, FetchError> {
    let (public, other): (Vec<_>, Vec<_>) = found.partition(|address| is_public(address.ip()));
    match other.first() {
        Some(other) if public.is_empty() => {
            Err(FetchError::NotPublic { host: name.into(), address: other.ip() })
        }
        _ => Ok(public),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate(reach: &Reach, url: &str) -> Result<Gate, FetchError> {
        reach.gate(&Url::parse(url).unwrap())
    }

    #[test]
    fn odd_spellings_of_this_machine_are_found() {
        for url in [
            "http://127.0.0.1/",
            "http://127.1/",
            "http://0x7f000001/",
            "http://0x7f.1/",
            "http://0177.0.0.1/",
            "http://2130706433/",
            "http://127.0.0.1./",
            "http://%31%32%37.0.0.1/",
            "http://１２７.0.0.1/",
            "http://0/",
            "http://[::1]/",
            "http://[::]/",
            "http://[::ffff:127.0.0.1]/",
            "http://[::ffff:7f00:1]/",
            "http://[64:ff9b::127.0.0.1]/",
            "http://169.254.169.254/latest/meta-data/",
        ] {
            let error = gate(&Reach::public(), url).unwrap_err();
            assert!(error.is_refusal(), "{url}");
            assert_eq!(gate(&Reach::anywhere(), url), Ok(Gate::Open), "{url}");
        }
        for url in
            ["http://1.1.1.1/", "https://[2606:4700::1111]/", "http://localhost/", "http://localhost./"]
        {
            assert_eq!(
                gate(&Reach::public(), url),
                Ok(Gate::Public),
                "{url}: names are judged when looked up"
            );
        }
    }

    #[test]
    fn a_typed_origin_is_open_and_nothing_else() {
        let reach = Reach::public().with_origin("http://127.0.0.1:9000".parse().unwrap());
        assert_eq!(gate(&reach, "http://127.1:9000/any/path"), Ok(Gate::Open));
        assert!(gate(&reach, "http://127.0.0.1:9001/").is_err());
        assert!(gate(&reach, "http://127.0.0.1/").is_err());
        assert!(gate(&reach, "http://127.0.0.2:9000/").is_err());
        let named = Reach::public().with_origin("http://box.lan".parse().unwrap());
        assert_eq!(gate(&named, "http://box.lan/x"), Ok(Gate::Open));
        assert_eq!(gate(&named, "http://box.lan:81/x"), Ok(Gate::Public));
        assert_eq!(gate(&named, "http://box.lan./x"), Ok(Gate::Public));
    }

    #[test]
    fn a_name_keeps_its_public_addresses() {
        let found =
            |list: &[&str]| -> Vec<SocketAddr> { list.iter().map(|it| it.parse().unwrap()).collect() };
        let mixed = found(&["10.0.0.1:0", "1.1.1.1:0", "[::1]:0"]);
        assert_eq!(only_public("x.org", mixed.into_iter()), Ok(found(&["1.1.1.1:0"])));
        let error =
            only_public("x.org", found(&["10.0.0.1:0", "[::1]:0"]).into_iter()).unwrap_err().to_string();
        assert!(error.contains("x.org is 10.0.0.1") && error.contains("--allow-local"), "{error}");
        assert_eq!(only_public("x.org", std::iter::empty()), Ok(Vec::new()));
    }
}
