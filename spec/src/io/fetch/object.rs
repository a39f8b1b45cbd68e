//! Reading parts of an object.

use std::ops::Range;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use super::answer::{Compared, Validator};
use super::error::FetchError;
use super::exchange::{Answer, Content, Link, Wanted, pause};
use super::retry::{Failure, Retries};
use super::worker::Worker;

/// An object of which parts are read, all of the same state of it. May be used by several threads at once.
#[derive(Debug, Clone)]
pub struct RemoteObject {
    worker: Arc<Worker>,
    link: Link,
    known: Arc<Known>,
}

#[derive(Debug)]
struct Known {
    length: u64,
    validator: Validator,
}

impl RemoteObject {
    /// Asks for the first byte, and with it for the length.
    pub(super) fn begin(worker: Arc<Worker>, link: Link) -> Result<Self, FetchError> {
        let asking = link.clone();
        let known = worker.run(async move {
            let mut retries = Retries::new(&asking.limits, asking.seed);
            loop {
                match find_out(&asking).await {
                    Ok(known) => return Ok(known),
                    Err(failure) => pause(retries.failed(failure, 0)).await?,
                };
            }
        })?;
        Ok(Self { worker, link, known: Arc::new(known) })
    }

    /// How many bytes it has.
    #[allow(clippy::len_without_is_empty)] // a length, not a collection
    #[must_use]
    pub fn len(&self) -> u64 {
        self.known.length
    }

    /// Reads the bytes of a range into memory. How many that may be is the caller's to bound.
    ///
    /// # Errors
    /// [`FetchError`], also when the object is no longer what it was at the beginning.
    pub fn read(&self, range: Range<u64>) -> Result<Bytes, FetchError> {
        let Range { start, end } = range;
        if start > end || end > self.known.length {
            return Err(FetchError::OutOfRange { start, end, length: self.known.length });
        }
        if start == end {
            return Ok(Bytes::new());
        }
        let (link, known) = (self.link.clone(), self.known.clone());
        self.worker.run(async move {
            let mut retries = Retries::new(&link.limits, link.seed);
            let mut bytes = BytesMut::new();
            loop {
                let before = bytes.len();
                match get(&link, &known, start, end, &mut bytes).await {
                    Ok(()) => return Ok(bytes.freeze()),
                    Err(failure) => {
                        pause(retries.failed(failure, (bytes.len() - before) as u64)).await?;
                    }
                }
            }
        })
    }
}

async fn find_out(link: &Link) -> Result<Known, Failure> {
    let wanted = Wanted { range: Some((0, Some(1))), ..Wanted::default() };
    let Answer { content, validator, .. } = link.ask(&wanted).await?;
    let length = match content {
        Content::Part(part) if part.start == 0 => part.total.ok_or(FetchError::NoRanges),
        Content::Part(_) => {
            return Err(Failure::again(FetchError::answer("another part than was asked for")));
        }
        Content::Whole(Some(0)) | Content::Beyond(Some(0)) => Ok(0),
        Content::Whole(_) => Err(FetchError::NoRanges),
        Content::Beyond(_) => Err(FetchError::status(416)),
    };
    let length = length.map_err(Failure::last)?;
    let limit = link.limits.bytes;
    if length > limit {
        return Err(Failure::last(FetchError::TooLarge { limit }));
    }
    // Ranges that nothing says to be of one object could be of two.
    if validator.is_none() && length > 0 {
        return Err(Failure::last(FetchError::NoRanges));
    }
    Ok(Known { length, validator })
}

/// One try for what is missing of a range.
async fn get(link: &Link, known: &Known, start: u64, end: u64, bytes: &mut BytesMut) -> Result<(), Failure> {
    let start = start + bytes.len() as u64;
    let wanted = Wanted {
        range: Some((start, Some(end))),
        if_match: known.validator.for_if_match().map(Into::into),
        if_range: None,
    };
    let mut answer = link.ask(&wanted).await?;
    let changed = Err(Failure::last(FetchError::Changed));
    let compared = known.validator.compare(&answer.validator);
    let part = match answer.content {
        Content::Part(part) => part,
        Content::Whole(_) if compared != Compared::Different => {
            return Err(Failure::last(FetchError::NoRanges));
        }
        Content::Whole(_) | Content::Beyond(_) => return changed,
    };
    if part.total != Some(known.length) || compared == Compared::Different {
        return changed;
    }
    if compared == Compared::Unknown {
        return Err(Failure::again(FetchError::answer("a part that does not say which state it is of")));
    }
    if part.start != start || part.end > end {
        return Err(Failure::again(FetchError::answer("another part than was asked for")));
    }
    let mut at = start;
    while at < part.end {
        let Some(chunk) = answer.body.next().await? else { break };
        at += chunk.len() as u64;
        if at > part.end {
            return Err(Failure::again(FetchError::answer("more bytes than it announced")));
        }
        bytes.extend_from_slice(&chunk);
    }
    if at < end { Err(answer.body.broken()) } else { Ok(()) }
}
