//! An address at which a peer listens: a multiaddr as text, so that nothing here needs to know the network stack.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::limits::ADDRESS_BYTES;

/// A multiaddr as text, such as `/ip4/192.0.2.7/udp/4001/quic-v1`.
///
/// Checked as far as a pure library can: printable ASCII without spaces, a leading slash, at most
/// [`ADDRESS_BYTES`]. The network stack parses it before it dials, and an address that it can't parse is skipped.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Address(String);

/// A text that is no address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Longer than [`ADDRESS_BYTES`].
    #[error("an address has at most {ADDRESS_BYTES} bytes; this one has {0}")]
    TooLong(usize),
    /// It does not start with a slash.
    #[error("an address starts with '/', such as /ip4/192.0.2.7/tcp/4001; this is not one: {0:?}")]
    NoSlash(String),
    /// A character that no address has.
    #[error("an address is printable ASCII without spaces; byte {position} of this one is not")]
    Character {
        /// Where, in bytes from 0.
        position: usize,
    },
}

impl Address {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Address {
    type Error = AddressError;

    fn try_from(text: String) -> Result<Self, AddressError> {
        if text.len() > ADDRESS_BYTES {
            return Err(AddressError::TooLong(text.len()));
        }
        if let Some(position) = text.bytes().position(|byte| !byte.is_ascii_graphic()) {
            return Err(AddressError::Character { position });
        }
        if !text.starts_with('/') {
            return Err(AddressError::NoSlash(text));
        }
        Ok(Self(text))
    }
}

impl From<Address> for String {
    fn from(address: Address) -> Self {
        address.0
    }
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        text.to_owned().try_into()
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_that_are_no_address_say_why() {
        assert!("/ip4/192.0.2.7/tcp/4001".parse::<Address>().is_ok());
        let error = |text: &str| text.parse::<Address>().unwrap_err();
        assert_eq!(error("192.0.2.7:4001"), AddressError::NoSlash("192.0.2.7:4001".into()));
        assert_eq!(error(""), AddressError::NoSlash(String::new()));
        assert_eq!(error("/ip4/1 2"), AddressError::Character { position: 6 });
        assert_eq!(error("/dns/b\u{fc}ro"), AddressError::Character { position: 6 });
        assert_eq!(error(&"/".repeat(257)), AddressError::TooLong(257));
    }

    #[test]
    fn a_bad_text_is_refused_while_decoding() {
        let bytes = serde_cbor::to_vec("no slash").unwrap();
        assert!(serde_cbor::from_slice::<Address>(&bytes).is_err());
    }
}
