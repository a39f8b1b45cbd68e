//! What is wrong with a run file, and where.

use super::MAX_RUN_FILE_BYTES;

/// A run file can't be used. The message names the line, the key and what to do; the file's own name is added by
/// whoever read it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RunFileError {
    /// The file is larger than a run file has any reason to be.
    #[error(
        "{bytes} bytes are too many for a run file (at most {MAX_RUN_FILE_BYTES}): is this the data instead?"
    )]
    TooLarge {
        /// How many bytes there are.
        bytes: u64,
    },
    /// It is not TOML.
    #[error("line {line}: this is not TOML: {reason}")]
    Syntax {
        /// Where, from 1.
        line: usize,
        /// What the parser says.
        reason: String,
    },
    /// A key that has no meaning.
    #[error("line {line}: unknown key `{key}`{hint}")]
    UnknownKey {
        /// Where, from 1.
        line: usize,
        /// The key with its section.
        key: String,
        /// A key that may have been meant, or those that there are.
        hint: String,
    },
    /// A value that can't be used, alone or beside another one.
    #[error("line {line}: `{key}` {reason}")]
    Value {
        /// Where, from 1.
        line: usize,
        /// The key with its section.
        key: String,
        /// What is wrong, and what to do.
        reason: String,
    },
    /// Something without a default is not there.
    #[error("line {line}: `{key}` is missing: {hint}")]
    Missing {
        /// Where it would belong, from 1.
        line: usize,
        /// The key with its section.
        key: String,
        /// What to write.
        hint: String,
    },
}

impl RunFileError {
    /// The line the error is about, from 1; `None` when it is about the whole file.
    #[must_use]
    pub fn line(&self) -> Option<usize> {
        match self {
            Self::TooLarge { .. } => None,
            Self::Syntax { line, .. }
            | Self::UnknownKey { line, .. }
            | Self::Value { line, .. }
            | Self::Missing { line, .. } => Some(*line),
        }
    }
}
