//! `strip`: a model without its training rows, or packed, or unpacked.

use anyhow::Result;
use snake::TrainingRows;

use crate::cli::StripArgs;
use crate::{files, model_file};

pub(crate) fn run(args: &StripArgs) -> Result<()> {
    files::check_place(&args.out)?;
    let real = |path: &std::path::Path| std::fs::canonicalize(path).ok();
    if real(&args.out).is_some_and(|out| real(&args.model) == Some(out)) {
        let out = args.out.display();
        anyhow::bail!(
            "{out} is the model itself, and its rows would be lost: name another file for the stripped one"
        );
    }
    strip(&args.model, &args.out)
}

/// Writes the model again without its rows.
pub(crate) fn strip(model: &std::path::Path, out: &std::path::Path) -> Result<()> {
    let mut model = model_file::read(model, TrainingRows::LeftOut)?;
    model.head.stripped = true;
    model_file::write(out, |out| Ok(model.write(out).map(|_| ())?))
}
