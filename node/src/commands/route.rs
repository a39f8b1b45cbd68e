//! `route`: the rows of a CSV file with the path of each, for readers of models that know nothing of routers.

use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;

use anyhow::{Context, Result};
use snake::{Model, Schema};
use spec::{
    OnError, PATH_FEATURE, Record, RecordReader, RecordSource, Router, Routing, TableSource, router_of_model,
};

use crate::cli::RouteArgs;
use crate::csv_rows::CsvRows;
use crate::exit::{Refused, Usage};
use crate::manifest_source::open_manifest;
use crate::model_file::GZIP;
use crate::model_rows::read_model;
use crate::path_router::PathRouter;
use crate::{files, packed_file};

pub(crate) fn run(args: &RouteArgs) -> Result<()> {
    if let Some(out) = &args.out {
        files::check_place(out)?;
    }
    let found = FoundRouter::read(&args.router)?;
    let source = TableSource::of_files(vec![args.csv.clone()], OnError::Refuse);
    let mut reader = source.open()?;
    let router = found.over(reader.header()).with_context(|| args.csv.display().to_string())?;
    match &args.out {
        Some(out) => packed_file::write(out, |out| copy(reader.as_mut(), router, out)),
        None => copy(reader.as_mut(), router, &mut std::io::stdout().lock()),
    }
}

/// Copies all rows, each with its path at the end.
fn copy(reader: &mut dyn RecordReader, mut router: PathRouter, out: &mut dyn Write) -> Result<()> {
    let header = reader.header().iter().map(String::as_str).chain([PATH_FEATURE]);
    let mut rows = CsvRows::new(out, header)?;
    let mut record = Record::default();
    while reader.next(&mut record)? {
        record.spell_all();
        let path = router.route(record.ordinal, &|column| record.text(column)).to_string();
        rows.push((0..record.len()).map(|column| record.text(column)).chain([path.as_str()]))?;
    }
    rows.finish()
}

/// A router of several paths, and what it wants to know of a row.
struct FoundRouter {
    router: Router,
    routing: Routing,
    schema: Schema,
}

impl FoundRouter {
    /// From a model or a manifest, told apart by content.
    fn read(path: &Path) -> Result<Self> {
        if is_model(path)? {
            return Self::of_model(&read_model(path)?, path);
        }
        let manifest = open_manifest(path)?;
        let spec = manifest.spec();
        if spec.paths() < 2 {
            return Err(nothing_to_do(path, "the run has one path"));
        }
        let router = Router::new(&spec.routing, &spec.schema).map_err(|error| Refused(error.to_string()))?;
        Ok(Self { router, routing: spec.routing.clone(), schema: spec.schema.clone() })
    }

    fn of_model(model: &Model, path: &Path) -> Result<Self> {
        let wants_path = model.head.features.iter().any(|feature| feature.name == PATH_FEATURE);
        let Some(object) = &model.head.opendipaco else {
            anyhow::ensure!(
                !wants_path,
                "{}: the model wants a column {PATH_FEATURE} but does not carry its router: get the model as it was written, \
                 or route by the run's manifest",
                path.display()
            );
            return Err(nothing_to_do(path, "the model has no routing"));
        };
        let found = router_of_model(object).with_context(|| path.display().to_string())?;
        if !wants_path {
            let why = match &found.routing {
                Routing::RoundRobin { paths } if *paths > 1 => {
                    "its training rows were dealt out by number, and all its layers answer for every row"
                }
                _ => "the model has one path",
            };
            return Err(nothing_to_do(path, why));
        }
        Ok(Self { router: found.router(), routing: found.routing, schema: found.schema })
    }

    /// The router over a file with this header.
    fn over(self, header: &[String]) -> Result<PathRouter> {
        anyhow::ensure!(
            !header.iter().any(|column| column == PATH_FEATURE),
            "has a column {PATH_FEATURE} already: use the file as it is, or take the column out"
        );
        let names = self.schema.features.iter().map(|feature| feature.name.as_str());
        for name in names.chain([self.schema.target.as_str()]) {
            let places = header.iter().filter(|column| *column == name).count();
            anyhow::ensure!(places < 2, "has two columns {name:?}: rename one of them");
        }
        PathRouter::new(self.router, &self.routing, &self.schema, header)
            .context("the rows can't be routed without all of the columns that decide")
    }
}

fn nothing_to_do(path: &Path, why: &str) -> anyhow::Error {
    let text = format!("{}: {why}, so rows need no {PATH_FEATURE}: use them as they are", path.display());
    Usage(text).into()
}

/// Whether a file begins like a model: JSON or gzip. What can be read only once is taken for one.
fn is_model(path: &Path) -> Result<bool> {
    let context = || format!("{}: can't be read", path.display());
    if !std::fs::metadata(path).with_context(context)?.is_file() {
        return Ok(true);
    }
    let mut start = Vec::new();
    File::open(path).with_context(context)?.take(64).read_to_end(&mut start).with_context(context)?;
    let json = start.trim_ascii_start().first().is_none_or(|byte| *byte == b'{');
    Ok(json || start.starts_with(&GZIP))
}
