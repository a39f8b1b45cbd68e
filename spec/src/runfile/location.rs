//! Locations as an operator writes them, and as they are published.

/// A location within a run file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Location {
    /// A path on the operator's own disk, as written (`file://` taken off).
    Local(String),
    /// An address, `scheme://..`.
    Remote {
        /// The part before `://`.
        scheme: String,
    },
}

/// Tells paths from addresses. Nothing is looked up.
///
/// # Errors
/// What is wrong, as the end of a sentence that begins with the location.
pub(crate) fn classify(text: &str) -> Result<Location, String> {
    if text.trim().is_empty() {
        return Err("is empty: name a file".into());
    }
    if text.chars().any(char::is_control) {
        return Err("has a control character in it".into());
    }
    let Some((scheme, rest)) = text.split_once("://") else { return Ok(Location::Local(text.into())) };
    let named = !scheme.is_empty() && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c));
    if !named {
        return Ok(Location::Local(text.into()));
    }
    if !scheme.eq_ignore_ascii_case("file") {
        return Ok(Location::Remote { scheme: scheme.to_ascii_lowercase() });
    }
    let path = rest.strip_prefix("localhost").unwrap_or(rest);
    if !path.starts_with('/') {
        return Err("must be file:/// and a whole path, such as file:///data/rows.csv".into());
    }
    match percent_decoded(path) {
        Some(path) if !path.chars().any(char::is_control) => Ok(Location::Local(path)),
        _ => Err("has a % that is not followed by two hexadecimal digits of UTF-8 text".into()),
    }
}

/// The bare file name of a path.
///
/// # Errors
/// When the path ends in no name.
pub(crate) fn bare_name(path: &str) -> Result<String, String> {
    let name = path.rsplit(['/', '\\']).next().unwrap_or(path);
    if name.is_empty() || name == "." || name == ".." {
        return Err("is a folder, not a file".into());
    }
    Ok(name.into())
}

fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = text.bytes();
    let mut decoded = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            decoded.push(byte);
            continue;
        }
        let mut digit = || char::from(bytes.next()?).to_digit(16);
        let (high, low) = (digit()?, digit()?);
        decoded.push(u8::try_from(high * 16 + low).ok()?);
    }
    String::from_utf8(decoded).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_and_addresses_are_told_apart() {
        let local = |path: &str| Ok(Location::Local(path.into()));
        assert_eq!(classify("adult.csv"), local("adult.csv"));
        assert_eq!(classify("../data/a b.csv"), local("../data/a b.csv"));
        assert_eq!(classify("file:///data/a%20b.csv"), local("/data/a b.csv"));
        assert_eq!(classify("FILE://localhost/x.csv"), local("/x.csv"));
        assert_eq!(classify("HTTPS://example.org/x"), Ok(Location::Remote { scheme: "https".into() }));
        for bad in ["", "  ", "file://host/x.csv", "file:///a%2", "file:///a%00b", "a\nb"] {
            assert!(classify(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn bare_names() {
        assert_eq!(bare_name("/a/b.csv"), Ok("b.csv".into()));
        assert_eq!(bare_name("a\\b.csv"), Ok("b.csv".into()));
        for bad in ["/a/", "..", "a/..", "."] {
            assert!(bare_name(bad).is_err(), "{bad}");
        }
    }
}
