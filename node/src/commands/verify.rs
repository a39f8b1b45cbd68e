//! `verify`: a manifest against the source, without peers: the router is fitted again, every shard is compared.

use anyhow::Result;
use protocol::Manifest;
use serde_json::{Value, json};
use spec::{CheckedShard, CheckedShards, RecordSource, RoutingVerdict, check_shards, verify_routing};

use crate::cli::VerifyArgs;
use crate::commands::audit::plain;
use crate::commands::predict::class_text;
use crate::commands::train::spinner;
use crate::exit::Refused;
use crate::manifest_source::{open_manifest, source_as_typed};
use crate::outln;

pub(crate) fn run(args: &VerifyArgs) -> Result<()> {
    let manifest = open_manifest(&args.manifest)?;
    let source = source_as_typed(&manifest, &args.source)?;
    let report = check(&manifest, source.as_ref())?;
    if args.json {
        outln!("{}", report.json(&manifest))?;
    } else {
        report.print(&manifest)?;
    }
    if report.is_well() {
        return Ok(());
    }
    Err(Refused(format!("{}: the source is not what the operator signed", args.manifest.display())).into())
}

/// What was found.
struct Report {
    routing: RoutingVerdict,
    /// The shards; or in words, why the source's columns or values can't be those that were signed.
    shards: Result<CheckedShards, String>,
}

fn check(manifest: &Manifest, source: &dyn RecordSource) -> Result<Report> {
    let (spec, description) = (manifest.spec(), &manifest.body().source);
    let progress = spinner();
    progress.set_message("fitting the router again");
    let stand_ins = source.stand_ins();
    let routing = verify_routing(spec, description, source)?;
    let shards = check_shards(spec, description, source, &mut |rows| {
        progress.set_message(format!("checking the shards: {rows} rows"));
    });
    progress.finish_and_clear();
    if source.stand_ins() > stand_ins {
        eprintln!(
            "a mirror stood in for a place that could not be read: what differs may be the mirror's fault"
        );
    }
    let shards = match shards {
        Ok(found) => Ok(found),
        Err(error) if error.is_refusal() => Err(error.to_string()),
        Err(error) => return Err(error.into()),
    };
    Ok(Report { routing, shards })
}

impl Report {
    /// Whether everything is what was signed. A router that can't be verified does not count: the hashes decide.
    fn is_well(&self) -> bool {
        !matches!(self.routing, RoutingVerdict::Mismatch { .. })
            && self.shards.as_ref().is_ok_and(CheckedShards::is_same)
    }

    fn routing(&self) -> (&'static str, Option<&str>) {
        match &self.routing {
            RoutingVerdict::Verified => ("verified", None),
            RoutingVerdict::Unverifiable { reason } => ("unverifiable", Some(reason)),
            RoutingVerdict::Mismatch { differs } => ("mismatch", Some(differs)),
        }
    }

    fn json(&self, manifest: &Manifest) -> Value {
        let (verdict, reason) = self.routing();
        let shard = |shard: &CheckedShard| {
            json!({ "path": shard.path, "same": shard.is_same(),
                "signed": { "rows": shard.signed.rows, "hash": shard.signed.hash.to_string() },
                "found": { "rows": shard.found.rows, "hash": shard.found.hash.to_string() } })
        };
        let found = self.shards.as_ref().ok();
        json!({
            "run": manifest.run().to_string(),
            "well": self.is_well(),
            "routing": verdict,
            "reason": reason,
            "source": self.shards.as_ref().err(),
            "rows": found.map(|found| found.rows),
            "whole": found.map(|found| found.whole),
            "shards": found.map(|found| found.shards.iter().map(shard).collect::<Vec<_>>()),
            "absent_classes": found.map(|found| &found.absent_classes),
        })
    }

    fn print(&self, manifest: &Manifest) -> Result<()> {
        outln!("run         {} {}", manifest.run(), manifest.title())?;
        let (verdict, reason) = self.routing();
        match reason {
            Some(reason) => outln!("routing     {verdict}: {reason}")?,
            None => outln!("routing     {verdict}")?,
        }
        let found = match &self.shards {
            Ok(found) => found,
            Err(reason) => {
                outln!("source      differs: {reason}")?;
                return Ok(());
            }
        };
        for shard in &found.shards {
            let CheckedShard { path, signed, found } = shard;
            if shard.is_same() {
                outln!("path {path:<6} same: {} rows, hash {}", found.rows, found.hash)?;
            } else {
                outln!(
                    "path {path:<6} DIFFERS: {} rows, hash {}; signed were {} rows, hash {}",
                    found.rows,
                    found.hash,
                    signed.rows,
                    signed.hash
                )?;
            }
        }
        for class in &found.absent_classes {
            outln!("classes     DIFFER: no row has the class {}", plain(&class_text(class)))?;
        }
        if !found.whole {
            outln!("source      has far more rows than were signed: not read to its end")?;
        }
        let same = found.shards.iter().filter(|shard| shard.is_same()).count();
        let verdict = if self.is_well() { "what was signed" } else { "NOT what was signed" };
        outln!("verdict     {verdict}: {same} of {} shards are the same", found.shards.len())?;
        Ok(())
    }
}
