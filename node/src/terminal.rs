//! The person's terminal: a status line in its last row, and lines that go above it without tearing it.

use std::io::{IsTerminal, Write};
use std::sync::{Mutex, PoisonError};

use indicatif::{ProgressBar, ProgressStyle};

/// There is one terminal, and whoever writes to it has to know of the line: events of any task, and logs.
static LINE: Mutex<Option<ProgressBar>> = Mutex::new(None);

/// Does what writes to standard error, with the status line out of the way.
pub(crate) fn above_line<T>(write: impl FnOnce() -> T) -> T {
    let line = LINE.lock().unwrap_or_else(PoisonError::into_inner).clone();
    match line {
        Some(line) => line.suspend(write),
        None => write(),
    }
}

/// Writes a line on standard error. A reader that went away is no reason to stop working.
pub(crate) fn error_line(text: std::fmt::Arguments<'_>) {
    above_line(|| {
        let _ = writeln!(std::io::stderr().lock(), "{text}");
    });
}

/// Rows and columns of the terminal behind standard output, if there is one.
pub(crate) fn size() -> Option<(usize, usize)> {
    size_of(&console::Term::stdout())
}

fn size_of(terminal: &console::Term) -> Option<(usize, usize)> {
    let seen = terminal.is_term().then(|| terminal.size_checked()).flatten();
    seen.map(|(rows, columns)| (usize::from(rows), usize::from(columns)))
}

/// A line that is drawn in place. It goes when this is dropped.
#[derive(Debug)]
pub(crate) struct StatusLine(ProgressBar);

impl StatusLine {
    /// `None` where standard error is no terminal.
    pub(crate) fn start() -> Option<Self> {
        if !std::io::stderr().is_terminal() {
            return None;
        }
        // Cut at the right, never broken into two.
        let style = ProgressStyle::with_template("{wide_msg}").ok()?;
        let line = ProgressBar::new_spinner().with_style(style);
        *LINE.lock().unwrap_or_else(PoisonError::into_inner) = Some(line.clone());
        Some(Self(line))
    }

    /// How many characters fit into it.
    pub(crate) fn columns(&self) -> usize {
        size_of(&console::Term::stderr()).map_or(80, |(_, columns)| columns)
    }

    /// Shows this from now on.
    pub(crate) fn show(&self, text: String) {
        self.0.set_message(text);
    }
}

impl Drop for StatusLine {
    fn drop(&mut self) {
        *LINE.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.0.finish_and_clear();
    }
}

/// Where logs go: standard error, above the status line, a whole line at a time.
#[derive(Debug, Default)]
pub(crate) struct LogWriter;

impl Write for LogWriter {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        above_line(|| std::io::stderr().lock().write_all(bytes)).map(|()| bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        std::io::stderr().flush()
    }
}
