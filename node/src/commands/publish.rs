//! `publish`: fit, count, hash, sign; the manifest and its first delegation.

use std::cell::RefCell;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use protocol::{Counts, Delegation, Identity, MANIFEST_VERSION, Manifest, ManifestBody, PeerKey, Signed};
use spec::{Published, Routing};

use crate::cli::PublishArgs;
use crate::clock::unix_millis;
use crate::commands::spec::{Shown, print};
use crate::commands::train::spinner;
use crate::evenness::Evenness;
use crate::exit::Usage;
use crate::outln;
use crate::peer::{address, announce};
use crate::run_files::Operated;
use crate::{files, key_file};

/// What `publish` writes.
pub(crate) struct Announcement {
    pub(crate) manifest: Manifest,
    pub(crate) delegation: Signed<Delegation>,
}

pub(crate) fn run(args: &PublishArgs) -> Result<()> {
    let coordinator = args.coordinator.as_deref().map(str::parse::<PeerKey>).transpose();
    let coordinator = coordinator.map_err(|error| Usage(format!("--coordinator: {error}")))?;
    let peers = args.announce.iter().map(|text| address(text)).collect::<Result<Vec<_>>>()?;
    let operated = Operated::read(&args.file)?;
    let published = read(&operated)?;
    if args.dry_run {
        return show(&operated, &published, coordinator);
    }
    let key = match &args.key {
        Some(path) => path.clone(),
        None => key_file::operator_default()?,
    };
    let operator = key_file::load_or_make(&key)?.identity;
    let announcement = sign(&operated, &published, &operator, coordinator)?;
    files::make_folder(&args.out)?;
    let (manifest, delegation) = write(&announcement, &args.out)?;
    describe(&announcement.manifest, &published)?;
    outln!("manifest    {}", manifest.display())?;
    outln!("delegation  {}", delegation.display())?;
    if peers.is_empty() {
        return Ok(());
    }
    let runtime = tokio::runtime::Runtime::new().context("the runtime can't be started")?;
    runtime.block_on(announce(&announcement.manifest, &announcement.delegation, peers))
}

/// Reads the source, and tells how far it is: on a terminal all the time, else a line per stage.
fn read(operated: &Operated) -> Result<Published> {
    if std::io::stderr().is_terminal() {
        let progress = spinner();
        let published = operated.publish(&|step| progress.set_message(step.to_string()));
        progress.finish_and_clear();
        return published;
    }
    let last = RefCell::new(String::new());
    operated.publish(&|step| {
        let title = step.title();
        if *last.borrow() != title {
            eprintln!("{title}");
            last.replace(title);
        }
    })
}

/// What would be published. The key is nobody's and is forgotten: signing shows whether the manifest would be accepted, and
/// its size.
fn show(operated: &Operated, published: &Published, coordinator: Option<PeerKey>) -> Result<()> {
    let nobody = Identity::from_seed(&[0; 32]);
    let announcement = sign(operated, published, &nobody, coordinator)?;
    print(&announcement.manifest, Shown::DryRun, false)?;
    if let Some(reason) = &published.summary.degraded {
        outln!("routing     {reason}")?;
    }
    warn_of_uneven(published);
    outln!("nothing was written: this was a dry run")?;
    Ok(())
}

fn spread(published: &Published) -> Option<Evenness> {
    let rows: Vec<u64> = published.summary.paths.iter().map(|path| path.rows).collect();
    Evenness::of(&rows).filter(|spread| spread.paths > 1)
}

fn warn_of_uneven(published: &Published) {
    let fitted = matches!(published.spec.routing, Routing::Kmeans(_));
    if let Some(warning) = spread(published).and_then(|spread| spread.warning(fitted)) {
        eprintln!("warning: {warning}");
    }
}

/// Signs what was learnt of the source.
pub(crate) fn sign(
    operated: &Operated,
    published: &Published,
    operator: &Identity,
    coordinator: Option<PeerKey>,
) -> Result<Announcement> {
    let settings = &operated.file.settings;
    let summary = &published.summary;
    let sum = |of: fn(&spec::PathSummary) -> u64| summary.paths.iter().map(of).sum();
    let body = ManifestBody {
        version: MANIFEST_VERSION,
        name: settings.name.clone(),
        operator: operator.key(),
        published: unix_millis() / 1000,
        source: settings.source.clone(),
        spec: published.spec.clone(),
        counts: Counts {
            records: summary.rows.saturating_add(summary.skipped),
            malformed: summary.skipped,
            held_out: summary.held_out,
            duplicates: sum(|path| path.duplicates),
            conflicts: sum(|path| path.conflicts),
            bytes: operated.source.bytes(),
        },
    };
    let manifest = Manifest::sign(operator, body)?;
    let delegation = Delegation {
        coordinator: coordinator.unwrap_or_else(|| operator.key()),
        addresses: Vec::new(),
        number: 1,
    };
    let delegation = Signed::sign(operator, manifest.run(), delegation)?;
    Ok(Announcement { manifest, delegation })
}

/// Writes NAME.manifest and NAME.delegation into a folder.
pub(crate) fn write(announcement: &Announcement, folder: &Path) -> Result<(PathBuf, PathBuf)> {
    let name = &announcement.manifest.body().name;
    let (manifest, delegation) =
        (folder.join(format!("{name}.manifest")), folder.join(format!("{name}.delegation")));
    files::write_whole(&delegation, |out| Ok(out.write_all(announcement.delegation.bytes())?))?;
    files::write_whole(&manifest, |out| Ok(out.write_all(announcement.manifest.bytes())?))?;
    Ok((manifest, delegation))
}

fn describe(manifest: &Manifest, published: &Published) -> Result<()> {
    let summary = &published.summary;
    outln!("run         {}", manifest.run())?;
    outln!("name        {}", manifest.title())?;
    outln!("rows        {} ({} held out, {} malformed)", summary.rows, summary.held_out, summary.skipped)?;
    outln!("profile     {}", published.spec.training.profile.name())?;
    if let Some(reason) = &summary.degraded {
        outln!("routing     {reason}")?;
    }
    if let Some(spread) = spread(published) {
        outln!("shards      {}", spread.text())?;
    }
    for (path, counted) in summary.paths.iter().enumerate() {
        let duplicates = match (counted.duplicates, counted.conflicts) {
            (0, _) => String::new(),
            (duplicates, conflicts) => {
                format!(" ({duplicates} duplicates dropped, {conflicts} of another class)")
            }
        };
        outln!("path {path:<6} {} rows{duplicates}", counted.rows)?;
    }
    warn_of_uneven(published);
    Ok(())
}
