//! `strip`: a model without its training rows, or packed, or unpacked.

use anyhow::Result;
use snake::TrainingRows;

use crate::cli::StripArgs;
use crate::{files, model_file};

pub(crate) fn run(args: &StripArgs) -> Result<()> {
    files::check_place(&args.out)?;
    strip(&args.model, &args.out)
}

/// Writes the model again without its rows.
pub(crate) fn strip(model: &std::path::Path, out: &std::path::Path) -> Result<()> {
    let mut model = model_file::read(model, TrainingRows::LeftOut)?;
    model.head.stripped = true;
    model_file::write(out, |out| Ok(model.write(out).map(|_| ())?))
}
