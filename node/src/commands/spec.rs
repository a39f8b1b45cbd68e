//! `spec`: what a manifest says, for a person. No source is touched.

mod json;
mod text;

use anyhow::Result;
use protocol::Manifest;
use serde_json::Value;

use crate::cli::SpecArgs;
use crate::manifest_source::open_manifest;
use crate::outln;

/// Which manifest is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shown {
    /// One that its operator signed.
    Signed,
    /// What would be published: who signs it, when, and so which run it is, is not known.
    DryRun,
}

pub(crate) fn run(args: &SpecArgs) -> Result<()> {
    let manifest = open_manifest(&args.manifest)?;
    if args.json {
        outln!("{}", json::facts(&manifest)?)?;
        return Ok(());
    }
    print(&manifest, Shown::Signed, args.all)
}

/// Prints a manifest; long lists are shortened unless `all` are asked for.
pub(crate) fn print(manifest: &Manifest, shown: Shown, all: bool) -> Result<()> {
    for line in text::lines(manifest, shown, all)? {
        outln!("{line}")?;
    }
    Ok(())
}

/// A setting as the run file would write it.
fn word(setting: &impl serde::Serialize) -> String {
    match serde_json::to_value(setting).unwrap_or_default() {
        Value::String(text) => text,
        value => value.to_string(),
    }
}
