//! `keygen`: make a key file, or show the public key of one.

use anyhow::Result;

use crate::cli::KeygenArgs;
use crate::key_file;
use crate::outln;

pub(crate) fn run(args: &KeygenArgs) -> Result<()> {
    let path = match &args.file {
        Some(path) => path.clone(),
        None => key_file::operator_default()?,
    };
    let key = key_file::load_or_make(&path)?;
    let verb = if key.made { "made" } else { "is there already" };
    eprintln!("{}: {verb}; keep it secret. Its public key:", path.display());
    outln!("{}", key.identity.key())?;
    Ok(())
}
