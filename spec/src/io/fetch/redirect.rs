//! Where a redirect leads, and whether it is followed.

use url::Url;

use super::address::has_user;
use super::error::FetchError;
use super::shown;

/// Whether a status is a redirect that a GET follows.
pub(super) fn is_redirect(status: u16) -> bool {
    matches!(status, 301 | 302 | 303 | 307 | 308)
}

/// The next URL.
///
/// # Errors
/// [`FetchError::Redirect`], or [`FetchError::Answer`] for a `Location` that is none.
pub(super) fn next(from: &Url, location: &str, followed: u32, most: u32) -> Result<Url, FetchError> {
    let mut to = from
        .join(location)
        .map_err(|error| FetchError::answer(format!("its redirect leads nowhere ({error})")))?;
    to.set_fragment(None);
    let refused = |reason| Err(FetchError::Redirect { to: shown(&to), reason });
    if followed >= most {
        return refused("there were too many redirects before it");
    }
    if !matches!(to.scheme(), "http" | "https") || to.host().is_none() {
        return refused("only http and https are");
    }
    if from.scheme() == "https" && to.scheme() == "http" {
        return refused("from https it must not go down to http");
    }
    if has_user(&to) {
        return refused("there is a user name in it");
    }
    Ok(to)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn follow(from: &str, location: &str) -> Result<String, String> {
        let from = Url::parse(from).unwrap();
        next(&from, location, 0, 5).map(|url| url.to_string()).map_err(|error| error.to_string())
    }

    #[test]
    fn relative_and_whole_locations_are_followed() {
        assert_eq!(follow("https://a.org/x/y?z", "w#f"), Ok("https://a.org/x/w".into()));
        assert_eq!(follow("http://a.org/", "https://b.org/?q"), Ok("https://b.org/?q".into()));
        assert_eq!(follow("http://a.org/", "//b.org"), Ok("http://b.org/".into()));
        assert_eq!(follow("http://a.org/", "http://0x7f.1/"), Ok("http://127.0.0.1/".into()), "judged later");
    }

    #[test]
    fn others_are_refused_with_their_target_but_no_secrets() {
        for (location, reason) in [
            ("http://b.org/x?SECRET", "redirects to http://b.org/x?.., which is not followed: from https"),
            ("ftp://b.org/SECRET", "redirects to ftp:.."),
            ("file:///etc/SECRET", "only http and https"),
            ("data:text/plain,SECRET", "redirects to data:.."),
            ("https://u:SECRET@b.org/", "user name"),
            ("https://[/", "leads nowhere"),
        ] {
            let error = follow("https://a.org/", location).unwrap_err();
            assert!(error.contains(reason) && !error.contains("SECRET"), "{error}");
        }
        let from = Url::parse("https://a.org/").unwrap();
        assert!(next(&from, "/b", 4, 5).is_ok());
        let error = next(&from, "/b", 5, 5).unwrap_err().to_string();
        assert!(error.contains("https://a.org/b") && error.contains("too many"), "{error}");
    }
}
