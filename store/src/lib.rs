//! What a coordinator must not lose, in one file per run: the reports it took in, and its newest word about each unit.
//!
//! ```text
//! many callers ─ Store::put, remove, keep_word ─→ queue ─→ writer: one durable commit for all that wait ─→ each is answered
//! any thread   ─ Store::get ─→ a read of the newest commit
//! ```
//!
//! What must hold:
//! 1. **An answer comes after the disk.** `Ok` is said once the commit is synced, never before.
//! 2. **One failure is one report's.** When a commit of several fails, its members are written one by one: what does not fit
//!    takes nothing else with it.
//! 3. **A failure ends.** After an error the file is opened again before the next write, so that room on the disk is enough to
//!    go on. What failed may still be there: it was asked for, and is only not promised.
//! 4. **Nothing is guessed.** A file that is damaged, of a newer program or of another run is refused, with what to do about
//!    it, and is neither changed nor removed. A report whose bytes are not those of its content hash is let go of, and named.
//!
//! `schema` has the tables; `docs/operator.md` says what an operator sees of it.

mod error;
mod look;
mod name;
mod op;
mod place;
mod schema;
mod shelf;
mod store;
mod trim;
mod writer;

pub use error::{OpenError, StoreError};
pub use look::Found;
pub use name::ReportName;
pub use op::{Op, Report};
pub use place::{FilePlace, Fill, Opening, Place};
pub use schema::{Mark, SCHEMA};
pub use shelf::{HashBody, Shelf};
pub use store::Store;
pub use trim::Trimmed;
pub use writer::{BATCH_BYTES, BATCH_COUNT, QUEUE};
