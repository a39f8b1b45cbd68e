//! One request and its answer, through redirects: the only place that anything is connected to.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use reqwest::Response;
use reqwest::header::{ACCEPT_ENCODING, HeaderMap, IF_MATCH, IF_RANGE, LOCATION, RANGE};
use tokio::time::{Instant, timeout};
use url::Url;

use super::address::{Address, Kind};
use super::answer::{self, Part, Validator};
use super::error::FetchError;
use super::limits::FetchLimits;
use super::pace::Pace;
use super::public::is_public;
use super::reach::{Gate, Reach};
use super::redirect;
use super::retry::{Failure, Next, Remedy};
use super::s3::S3Access;
use super::worker::{Clients, root};

/// An object, and how to ask for it.
#[derive(Debug, Clone)]
pub(super) struct Link {
    pub(super) address: Address,
    pub(super) clients: Clients,
    pub(super) reach: Reach,
    pub(super) limits: FetchLimits,
    pub(super) s3: Arc<S3Access>,
    /// Of the waits between tries.
    pub(super) seed: u64,
}

/// What is asked for.
#[derive(Debug, Clone, Default)]
pub(super) struct Wanted {
    /// First byte, and the one after the last; `None`: the whole object.
    pub(super) range: Option<(u64, Option<u64>)>,
    pub(super) if_range: Option<String>,
    pub(super) if_match: Option<String>,
}

/// What came.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) content: Content,
    pub(super) validator: Validator,
    pub(super) body: Body,
}

/// What an answer holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Content {
    /// All, with its length where that is known.
    Whole(Option<u64>),
    Part(Part),
    /// Nothing: the object ends before what was asked for. With its length where that is known.
    Beyond(Option<u64>),
}

impl Link {
    /// Asks once, following redirects.
    pub(super) async fn ask(&self, wanted: &Wanted) -> Result<Answer, Failure> {
        let mut url = self.url().map_err(Failure::last)?;
        let mut followed = 0;
        loop {
            let response = self.send(&url, wanted).await?;
            let status = response.status().as_u16();
            let location = response.headers().get(LOCATION).map(|it| String::from_utf8_lossy(it.as_bytes()));
            match location {
                Some(location) if redirect::is_redirect(status) => {
                    url = redirect::next(&url, &location, followed, self.limits.redirects)
                        .map_err(Failure::last)?;
                    followed += 1;
                }
                _ => return self.judge(response, wanted),
            }
        }
    }

    fn url(&self) -> Result<Url, FetchError> {
        match self.address.kind() {
            Kind::Http(url) => Ok(url.clone()),
            Kind::S3(object) => self.s3.url(object, Timestamp::now()),
        }
    }

    async fn send(&self, url: &Url, wanted: &Wanted) -> Result<Response, Failure> {
        let gate = self.reach.gate(url).map_err(Failure::last)?;
        let client = self.clients.behind(gate, url.scheme() == "https").map_err(Failure::last)?;
        let mut request = client.get(url.clone()).header(ACCEPT_ENCODING, "identity");
        if let Some((start, end)) = wanted.range {
            let last = end.map(|end| end.saturating_sub(1).to_string()).unwrap_or_default();
            request = request.header(RANGE, format!("bytes={start}-{last}"));
        }
        for (name, value) in [(IF_RANGE, &wanted.if_range), (IF_MATCH, &wanted.if_match)] {
            if let Some(value) = value {
                request = request.header(name, value);
            }
        }
        let host = url.host_str().unwrap_or_default();
        let patience = self.limits.connect.saturating_add(self.limits.idle);
        let response = match timeout(patience, request.send()).await {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => return Err(unsent(&error, host)),
            Err(_) => return Err(Failure::again(idle(patience, 0))),
        };
        // Names and addresses were judged before; this would only be seen if the client connected past them.
        match response.remote_addr() {
            Some(address) if gate == Gate::Public && !is_public(address.ip()) => {
                let error = FetchError::NotPublic { host: host.into(), address: address.ip() };
                Err(Failure::last(error))
            }
            _ => Ok(response),
        }
    }

    fn judge(&self, response: Response, wanted: &Wanted) -> Result<Answer, Failure> {
        let headers = response.headers();
        let asked_for_part = wanted.range.is_some();
        let content = match response.status().as_u16() {
            200 | 203 => Content::Whole(answer::length(headers)),
            206 if asked_for_part => match answer::part(headers) {
                Some(part) => Content::Part(part),
                None => return Err(Failure::whole(FetchError::answer("a part without saying which"))),
            },
            206 => return Err(Failure::last(FetchError::answer("a part, where the whole was asked for"))),
            412 if wanted.if_match.is_some() => return Err(Failure::last(FetchError::Changed)),
            416 if asked_for_part => Content::Beyond(answer::length_of_unsatisfied(headers)),
            status => return Err(self.refused(status, headers)),
        };
        if !matches!(content, Content::Beyond(_)) {
            answer::check_encoding(headers, self.address.path()).map_err(Failure::last)?;
        }
        let (start, total) = match content {
            Content::Whole(total) => (0, total),
            Content::Part(part) => (part.start, part.total),
            Content::Beyond(total) => (0, total),
        };
        let validator = Validator::of(headers);
        let pace = Pace::new(&self.limits);
        Ok(Answer {
            content,
            validator,
            body: Body { response, pace, limits: self.limits.clone(), at: start, total },
        })
    }

    fn refused(&self, status: u16, headers: &HeaderMap) -> Failure {
        let error = match (answer::bucket_region(headers), self.address.kind()) {
            (Some(region), Kind::S3(_)) if matches!(status, 301 | 307 | 400) => FetchError::Region { region },
            _ => FetchError::status(status),
        };
        let remedy = match status {
            408 | 429 | 500 | 502 | 503 | 504 => {
                Remedy::Again { retry_after: answer::retry_after(headers, Timestamp::now()) }
            }
            _ => Remedy::Nothing,
        };
        Failure { error, remedy }
    }
}

/// The bytes of an answer, as they come.
#[derive(Debug)]
pub(super) struct Body {
    response: Response,
    pace: Pace,
    limits: FetchLimits,
    /// Where in the object the next byte belongs.
    at: u64,
    total: Option<u64>,
}

impl Body {
    /// The next bytes; `None` at the end that the server announced.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, Failure> {
        let begun = Instant::now();
        let chunk = match timeout(self.limits.idle, self.response.chunk()).await {
            Ok(Ok(chunk)) => chunk,
            Ok(Err(_)) => return Err(self.broken()),
            Err(_) => return Err(Failure::again(idle(self.limits.idle, self.at))),
        };
        let Some(chunk) = chunk else { return Ok(None) };
        let bytes = chunk.len() as u64;
        self.at = self.at.saturating_add(bytes);
        if self.pace.keeps_up(begun.elapsed(), bytes) {
            return Ok(Some(chunk));
        }
        let (bytes, seconds) = (self.limits.pace_bytes, self.limits.pace_window.as_secs());
        Err(Failure::again(FetchError::TooSlow { bytes, seconds }))
    }

    /// The failure of an answer that ends here, and too early.
    pub(super) fn broken(&self) -> Failure {
        Failure::again(FetchError::Broken { expected: self.total, got: self.at })
    }
}

/// Waits as the retries say; whether the whole object is to be asked for.
pub(super) async fn pause(next: Next) -> Result<bool, FetchError> {
    let (after, whole) = match next {
        Next::Resume { after } => (after, false),
        Next::Whole { after } => (after, true),
        Next::GiveUp(error) => return Err(error),
    };
    tokio::time::sleep(after).await;
    Ok(whole)
}

fn idle(waited: Duration, got: u64) -> FetchError {
    FetchError::Idle { millis: u64::try_from(waited.as_millis()).unwrap_or(u64::MAX), got }
}

/// Why a request brought no answer.
fn unsent(error: &reqwest::Error, host: &str) -> Failure {
    let mut inner: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(it) = inner {
        if let Some(refused) = it.downcast_ref::<FetchError>() {
            return Failure::last(refused.clone());
        }
        inner = it.source();
    }
    let reason = root(error);
    Failure::again(if error.is_connect() {
        FetchError::Connect { host: host.into(), reason }
    } else {
        FetchError::Request { reason }
    })
}
