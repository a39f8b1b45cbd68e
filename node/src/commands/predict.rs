//! `predict`: the rows of a CSV file, one line each.

mod lines;

use std::io::Write;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use snake::{Model, Prediction, Predictor, RowBatchBuilder, TargetKind};
use spec::{OnError, Record, RecordSource, TableSource};

use crate::cli::PredictArgs;
use crate::commands::train::threads;
use crate::in_order::in_order;
use crate::model_rows::{Columns, read_model};
use crate::timings::Timings;
use lines::Lines;
pub(crate) use lines::class_text;

/// Rows that are predicted together: a bucket should get many at once.
const ROWS_TOGETHER: usize = 32_768;
/// Fewer of them where there are many classes: every line names all.
const SHARES_TOGETHER: usize = 1 << 21;
const FEWEST_ROWS: usize = 64;
/// Bytes of cells that are kept of them.
const BYTES_TOGETHER: usize = 16 << 20;

pub(crate) fn run(args: &PredictArgs) -> Result<()> {
    let threads = threads(args.threads);
    let pool =
        rayon::ThreadPoolBuilder::new().num_threads(threads).build().context("the predicting threads")?;
    pool.install(|| {
        let mut timings = Timings::start();
        let model = timings.time("reading_model", || read_model(&args.model))?;
        let predictor = timings.time("compiling", || Predictor::new(&model))?;
        let lines = Lines::new(&model, predictor.classes(), args.format);
        let start = Instant::now();
        let work = predict(&model, &predictor, &args.csv, &lines, std::io::stdout())?;
        if args.timings {
            timings.add("reading_predicting_writing", start.elapsed());
            timings.add("predicting", work.seconds(threads));
            timings.note_peak_memory("peak_memory");
            timings.note("rows", work.rows.into_inner());
            eprintln!("{}", timings.line());
        }
        Ok(())
    })
}

/// What was predicted, counted by all threads.
#[derive(Default)]
struct Work {
    rows: AtomicU64,
    nanoseconds: AtomicU64,
}

impl Work {
    fn add(&self, rows: usize, time: Duration) {
        self.rows.fetch_add(rows as u64, Ordering::Relaxed);
        self.nanoseconds.fetch_add(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// The time in the predictor, evenly over the threads. A thread that helps with another part while it waits counts
    /// twice, so this is rather too long than too short.
    fn seconds(&self, threads: usize) -> Duration {
        Duration::from_nanos(self.nanoseconds.load(Ordering::Relaxed) / threads.max(1) as u64)
    }
}

/// One thread reads and writes and, while it waits, predicts like the others.
fn predict(
    model: &Model,
    predictor: &Predictor<'_>,
    csv: &Path,
    lines: &Lines<'_>,
    mut out: impl Write + Send,
) -> Result<Work> {
    let done = Work::default();
    // A prediction of a number holds hundreds of votes, of which no line says more than the candle.
    let votes_matter = model.head.target_kind != TargetKind::Number;
    let classes = if votes_matter { predictor.classes().len().max(1) } else { 1 };
    let together = (SHARES_TOGETHER / classes).clamp(FEWEST_ROWS, ROWS_TOGETHER);
    let source = TableSource::of_files(vec![csv.to_owned()], OnError::Refuse);
    let mut reader = source.open()?;
    let columns = Columns::new(model, reader.header(), csv)?;
    let needed = columns.needed();
    reader.only(&needed);
    let mut record = Record::default();
    let mut next = || -> Result<Option<Cells>> {
        let mut cells = Cells { columns: needed.clone(), ..Cells::default() };
        while cells.ordinals.len() < together
            && cells.text.len() < BYTES_TOGETHER
            && reader.next(&mut record)?
        {
            record.spell_all();
            cells.push(&record);
        }
        Ok((!cells.ordinals.is_empty()).then_some(cells))
    };
    let work = |cells: Cells| -> Result<Vec<u8>> {
        let mut columns = columns.clone();
        let mut builder = RowBatchBuilder::new(&model.head.features);
        for (row, ordinal) in cells.ordinals.iter().enumerate() {
            columns.push_cells(*ordinal, &|column| cells.get(row, column), &mut builder)?;
        }
        let start = Instant::now();
        let predictions = predictor.predict_each(&builder.take(), |_, prediction| {
            if votes_matter { prediction } else { Prediction { votes: Vec::new(), ..prediction } }
        });
        done.add(predictions.len(), start.elapsed());
        let mut text = Vec::with_capacity(predictions.len() * 96);
        for (ordinal, prediction) in cells.ordinals.iter().zip(&predictions) {
            lines.line(&mut text, *ordinal, prediction)?;
        }
        Ok(text)
    };
    out.write_all(lines.head().as_bytes())?;
    in_order(&mut next, work, |text| Ok(out.write_all(&text)?))?;
    out.flush()?;
    Ok(done)
}

/// Cells of some rows as they were read, one after another.
#[derive(Default)]
struct Cells {
    ordinals: Vec<u64>,
    /// Which columns of the file are kept, ascending.
    columns: Vec<usize>,
    text: String,
    /// Per row and column kept, where its cell ends.
    ends: Vec<usize>,
}

impl Cells {
    fn push(&mut self, record: &Record) {
        for column in &self.columns {
            self.text.push_str(record.text(*column));
            self.ends.push(self.text.len());
        }
        self.ordinals.push(record.ordinal);
    }

    /// A cell by row and by column of the file; empty when that was not kept.
    fn get(&self, row: usize, column: usize) -> &str {
        let Ok(place) = self.columns.binary_search(&column) else { return "" };
        let index = row * self.columns.len() + place;
        let start = index.checked_sub(1).and_then(|before| self.ends.get(before)).copied().unwrap_or(0);
        let end = self.ends.get(index).copied().unwrap_or(start);
        self.text.get(start..end).unwrap_or("")
    }
}
