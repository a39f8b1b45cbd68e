//! The one writer: takes what waits, commits it at once, answers each.

use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use crate::error::StoreError;
use crate::op::Op;
use crate::shelf::Shelf;

/// What may wait to be written. More is not taken, and [`StoreError::Full`] says so at once. The bytes that wait are bounded by whoever
/// lets reports in.
pub const QUEUE: usize = 1024;
/// The most that one commit does.
pub const BATCH_COUNT: usize = 256;
/// And the most bytes, unless one alone has more.
pub const BATCH_BYTES: usize = 32 << 20;

/// How long a batch waits for more when the one before had several: little beside what a sync takes.
const LINGER: Duration = Duration::from_millis(2);

/// How long words and removals alone wait for a report, so that they share its commit: nobody waits for them.
const UNHURRIED: Duration = Duration::from_millis(50);

/// Is told what became of a request, on the writer's thread, which waits meanwhile.
pub(crate) type Done = Box<dyn FnOnce(Result<(), StoreError>) + Send>;

/// Something to be done, and whom to tell. It is answered whatever happens: at the latest when it is dropped.
pub(crate) struct Request {
    op: Option<Op>,
    done: Option<Done>,
    place: Arc<str>,
}

impl Request {
    pub(crate) fn new(op: Op, done: Done, place: Arc<str>) -> Self {
        Self { op: Some(op), done: Some(done), place }
    }

    /// Lets go of it without an answer.
    pub(crate) fn refused(mut self) {
        self.done = None;
    }

    pub(crate) fn answer(mut self, outcome: Result<(), StoreError>) {
        if let Some(done) = self.done.take() {
            done(outcome);
        }
    }
}

impl Drop for Request {
    fn drop(&mut self) {
        if let Some(done) = self.done.take() {
            done(Err(StoreError::Closed { place: self.place.to_string() }));
        }
    }
}

/// Writes until nobody is left who could ask for it, then closes the file.
pub(crate) fn run(shelf: &Shelf, requests: &Receiver<Request>) {
    let mut first = requests.recv().ok();
    let mut patience = Duration::ZERO;
    while let Some(request) = first.take() {
        let mut batch = Batch::default();
        batch.push(request);
        let since = Instant::now();
        while batch.ops.len() < BATCH_COUNT {
            let wait = if batch.puts { patience } else { UNHURRIED };
            let Ok(request) = requests.recv_timeout(wait.saturating_sub(since.elapsed())) else { break };
            if let Some(too_much) = batch.push(request) {
                first = Some(too_much);
                break;
            }
        }
        // Whoever was just answered asks for the next thing in a moment: it is to be in the same commit as the others' next.
        patience = if batch.ops.len() > 1 { LINGER } else { Duration::ZERO };
        batch.write(shelf);
        first = first.or_else(|| requests.recv().ok());
    }
}

#[derive(Default)]
struct Batch {
    ops: Vec<Op>,
    requests: Vec<Request>,
    bytes: usize,
    /// Whether a report is among them.
    puts: bool,
}

impl Batch {
    /// Takes a request in, or gives it back when it would be too much at once.
    fn push(&mut self, mut request: Request) -> Option<Request> {
        let op = request.op.take()?;
        if !self.ops.is_empty() && self.bytes + op.bytes() > BATCH_BYTES {
            request.op = Some(op);
            return Some(request);
        }
        self.bytes += op.bytes();
        self.puts |= matches!(op, Op::Put { .. });
        self.ops.push(op);
        self.requests.push(request);
        None
    }

    fn write(self, shelf: &Shelf) {
        let outcomes = shelf.write(&self.ops);
        // The bytes are on disk: let go of them before anybody brings more.
        drop(self.ops);
        for (request, outcome) in self.requests.into_iter().zip(outcomes) {
            request.answer(outcome);
        }
    }
}
