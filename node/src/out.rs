//! Standard output: a reader that goes away is an error like any other, and no panic.

use std::io::{Result, Write};

/// Writes a line; see [`outln`](crate::outln).
pub(crate) fn line(text: std::fmt::Arguments<'_>) -> Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_fmt(text)?;
    out.write_all(b"\n")
}

/// As `println`, with the error for the caller: the program ends well when the reader has gone.
#[macro_export]
macro_rules! outln {
    ($($text:tt)*) => { $crate::out::line(format_args!($($text)*)) };
}
