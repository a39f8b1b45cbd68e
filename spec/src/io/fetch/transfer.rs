//! The task that gets a whole object, over as many tries as it takes.

use bytes::{Buf, Bytes};
use tokio::sync::mpsc;

use super::answer::{Compared, Validator};
use super::error::FetchError;
use super::exchange::{Content, Link, Wanted, pause};
use super::retry::{Failure, Retries};

/// Larger chunks are split.
const CHUNK: usize = 256 << 10;
/// Chunks that wait to be read.
pub(super) const CHUNKS: usize = 8;

/// What the task tells its reader, in this order: one `Opened`, pieces, and `End`; or an error, and nothing after it.
pub(super) enum Message {
    /// The server answered. With the object's length where that is known.
    Opened(Option<u64>),
    Piece(Bytes),
    End,
}

pub(super) type Messages = mpsc::Sender<Result<Message, FetchError>>;

/// The state of an object as its first good answer said.
struct First {
    validator: Validator,
    total: Option<u64>,
}

pub(super) struct Transfer {
    link: Link,
    messages: Messages,
    first: Option<First>,
    opened: bool,
    /// Bytes that were handed to the reader, and their hash.
    handed: u64,
    hash: blake3::Hasher,
}

/// Why a try ended before the object did.
enum Stop {
    Failed(Failure),
    /// Nobody reads any more.
    Unread,
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl Transfer {
    pub(super) fn new(link: Link, messages: Messages) -> Self {
        Self { link, messages, first: None, opened: false, handed: 0, hash: blake3::Hasher::new() }
    }

    pub(super) async fn run(mut self) {
        let mut retries = Retries::new(&self.link.limits, self.link.seed);
        let mut whole = false;
        loop {
            let before = self.handed;
            let last = match self.attempt(whole).await {
                Ok(()) => Ok(Message::End),
                Err(Stop::Unread) => return,
                Err(Stop::Failed(failure)) => {
                    match pause(retries.failed(failure, self.handed - before)).await {
                        Ok(again) => {
                            whole = again;
                            continue;
                        }
                        Err(error) => Err(error),
                    }
                }
            };
            // A reader that is gone needs no telling.
            let _ = self.messages.send(last).await;
            return;
        }
    }

    /// One try, to the end of the object.
    async fn attempt(&mut self, whole: bool) -> Result<(), Stop> {
        let mut wanted = Wanted::default();
        // An object that nothing tells from a later one of the same length is read from its beginning, and compared.
        if let Some(first) = self.first.as_ref().filter(|it| !whole && !it.validator.is_none())
            && self.handed > 0
        {
            wanted.range = Some((self.handed, None));
            wanted.if_range = first.validator.for_if_range().map(Into::into);
        }
        let mut answer = self.link.ask(&wanted).await?;
        // Where the answer begins, and where it has to end.
        let (start, end) = match answer.content {
            Content::Whole(total) => {
                self.check_whole(&answer.validator, total)?;
                (0, total)
            }
            Content::Part(part) => {
                if part.start != self.handed {
                    return Err(Failure::whole(FetchError::answer("another part than was asked for")).into());
                }
                self.check_part(&answer.validator, part.total)?;
                (part.start, Some(part.end))
            }
            Content::Beyond(_) => {
                let expected = self.first.as_ref().and_then(|it| it.total);
                return Err(Failure::whole(FetchError::Broken { expected, got: self.handed }).into());
            }
        };
        if !self.opened {
            self.opened = true;
            self.tell(Message::Opened(end)).await?;
        }
        let mut at = start;
        let mut seen = blake3::Hasher::new();
        // At the announced end there is nothing left to wait for.
        while end.is_none_or(|end| at < end) {
            let Some(mut chunk) = answer.body.next().await? else { break };
            let known = self.handed.saturating_sub(at).min(chunk.len() as u64);
            at += chunk.len() as u64;
            if end.is_some_and(|end| at > end) {
                return Err(Failure::whole(FetchError::answer("more bytes than it announced")).into());
            }
            if known > 0 {
                // Had already, in an earlier try: only looked at, to see that it is the same object.
                let known = usize::try_from(known).unwrap_or(usize::MAX);
                seen.update(&chunk[..known]);
                chunk.advance(known);
                if at >= self.handed && seen.finalize() != self.hash.finalize() {
                    return Err(Failure::last(FetchError::Changed).into());
                }
            }
            self.hand_out(chunk).await?;
        }
        if at < self.handed {
            return Err(Failure::last(FetchError::Changed).into());
        }
        let total = self.first.as_ref().and_then(|it| it.total);
        if end.or(total).is_some_and(|end| at < end) || total.is_some_and(|total| at < total) {
            return Err(answer.body.broken().into());
        }
        Ok(())
    }

    /// An answer with the whole object: the same state as at first, as far as can be told before its bytes are seen.
    fn check_whole(&mut self, validator: &Validator, total: Option<u64>) -> Result<(), Failure> {
        let limit = self.link.limits.bytes;
        if total.is_some_and(|total| total > limit) {
            return Err(Failure::last(FetchError::TooLarge { limit }));
        }
        match &self.first {
            Some(first) if self.handed > 0 => {
                let other_length = matches!((first.total, total), (Some(a), Some(b)) if a != b);
                if other_length || first.validator.compare(validator) == Compared::Different {
                    return Err(Failure::last(FetchError::Changed));
                }
            }
            // Nothing was read of an earlier state.
            _ => self.first = Some(First { validator: validator.clone(), total }),
        }
        Ok(())
    }

    /// An answer with the rest: it must say that it is of the same state.
    fn check_part(&mut self, validator: &Validator, total: Option<u64>) -> Result<(), Failure> {
        let Some(first) = &mut self.first else {
            return Err(Failure::whole(FetchError::answer("a part of something unknown")));
        };
        let other_length = matches!((first.total, total), (Some(a), Some(b)) if a != b);
        match first.validator.compare(validator) {
            _ if other_length => return Err(Failure::last(FetchError::Changed)),
            Compared::Different => return Err(Failure::last(FetchError::Changed)),
            Compared::Unknown => {
                return Err(Failure::whole(FetchError::answer(
                    "a part that does not say which state it is of",
                )));
            }
            Compared::Same => {}
        }
        first.total = first.total.or(total);
        Ok(())
    }

    async fn hand_out(&mut self, mut chunk: Bytes) -> Result<(), Stop> {
        let limit = self.link.limits.bytes;
        while !chunk.is_empty() {
            let piece = chunk.split_to(chunk.len().min(CHUNK));
            if self.handed + piece.len() as u64 > limit {
                return Err(Failure::last(FetchError::TooLarge { limit }).into());
            }
            self.hash.update(&piece);
            self.handed += piece.len() as u64;
            self.tell(Message::Piece(piece)).await?;
        }
        Ok(())
    }

    async fn tell(&self, message: Message) -> Result<(), Stop> {
        self.messages.send(Ok(message)).await.map_err(|_| Stop::Unread)
    }
}
