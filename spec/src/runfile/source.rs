//! `[source]`: where the rows are and which column is to be learnt.

use super::error::RunFileError;
use super::location::{Location, bare_name, classify};
use super::section::{At, Section};
use super::value_or;
use crate::check::MAX_MIRRORS;
use crate::run::{Format, OnError, PublicSource, TargetType};

/// Most parts and excluded columns.
const MAX_ITEMS: usize = 10_000;

pub(super) struct Source {
    pub(super) published: PublicSource,
    pub(super) holdout: f64,
    pub(super) paths: Vec<String>,
}

const KNOWN: [&str; 8] =
    ["format", "locations", "target", "target_type", "exclude", "mirrors", "on_error", "holdout"];

pub(super) fn read(root: &Section<'_, '_>) -> Result<Source, RunFileError> {
    let section = root.section("source", &KNOWN)?;
    let format = format(&section)?;
    let (paths, locations) = locations(&section, format)?;
    let mirrors = mirrors(&section, locations.len())?;
    let target = target(&section)?;
    let types = [("class", TargetType::Class), ("number", TargetType::Number)];
    let target_type = section.choice("target_type", &types)?.map(|found| found.value);
    let exclude = exclude(&section, &target)?;
    let policies = [("refuse", OnError::Refuse), ("skip", OnError::Skip)];
    let on_error = value_or(section.choice("on_error", &policies)?, OnError::Refuse);
    let holdout = section.number("holdout")?;
    if let Some(At { value, line }) = &holdout
        && !(0.0..1.0).contains(value)
    {
        let reason = format!("is {value}, it must be from 0 up to but not including 1");
        return Err(section.error("holdout", *line, reason));
    }
    let published = PublicSource { format, locations, mirrors, target, target_type, exclude, on_error };
    Ok(Source { published, holdout: value_or(holdout, 0.0), paths })
}

fn format(section: &Section<'_, '_>) -> Result<Format, RunFileError> {
    let words = [
        ("csv", Format::Csv),
        ("jsonl", Format::Jsonl),
        ("parquet", Format::Parquet),
        ("synthetic", Format::Synthetic),
    ];
    Ok(value_or(section.choice("format", &words)?, Format::Csv))
}

/// Locations as written and, in the same order, as they are published: addresses as they stand, files by their bare names.
fn locations(section: &Section<'_, '_>, format: Format) -> Result<(Vec<String>, Vec<String>), RunFileError> {
    let hint = "name the file or address, such as locations = [\"rows.csv\"]";
    let Some(At { value: items, line }) = section.texts("locations")? else {
        return Err(section.missing("locations", hint));
    };
    if items.is_empty() {
        return Err(section.error("locations", line, format!("is empty: {hint}")));
    }
    limit(section, "locations", line, items.len())?;
    let (mut written, mut published): (Vec<String>, Vec<String>) = (Vec::new(), Vec::new());
    for At { value, line } in items {
        let error = |reason: String| section.error("locations", line, format!("{value:?} {reason}"));
        let location = classify(&value).map_err(error)?;
        let made_up = matches!(&location, Location::Remote { scheme } if scheme == "synthetic");
        if made_up != (format == Format::Synthetic) {
            let reason = "does not go with the format: format = \"synthetic\" and synthetic:// addresses belong together";
            return Err(error(reason.into()));
        }
        match location {
            Location::Local(path) => {
                let name = bare_name(&path).map_err(error)?;
                if [".bz2", ".xz", ".zip"].iter().any(|end| name.to_ascii_lowercase().ends_with(end)) {
                    let reason =
                        "is packed in a way this version does not read: unpack it, or use .gz or .zst";
                    return Err(error(reason.into()));
                }
                if published.contains(&name) {
                    let reason = "has the same file name as an earlier part, and parts are published under it: rename one";
                    return Err(error(reason.into()));
                }
                written.push(path);
                published.push(name);
            }
            Location::Remote { .. } => {
                if !made_up && let Err(reason) = public_address(&value) {
                    // The address itself may hold a secret, so it is not repeated.
                    return Err(section.error("locations", line, reason));
                }
                written.push(value.clone());
                published.push(value);
            }
        }
    }
    Ok((written, published))
}

fn mirrors(section: &Section<'_, '_>, parts: usize) -> Result<Vec<Vec<String>>, RunFileError> {
    let Some(At { value: lists, line }) = section.text_lists("mirrors")? else { return Ok(Vec::new()) };
    if lists.len() != parts {
        let reason = format!(
            "has {} lists for {parts} locations: give one list per location, [] where there is no mirror",
            lists.len()
        );
        return Err(section.error("mirrors", line, reason));
    }
    let mut mirrors = Vec::new();
    for list in lists {
        if list.len() > MAX_MIRRORS {
            let reason =
                format!("has {} mirrors for one part, at most {MAX_MIRRORS} are allowed", list.len());
            return Err(section.error("mirrors", line, reason));
        }
        let mut checked = Vec::new();
        for At { value, line } in list {
            if let Err(reason) = public_address(&value) {
                // The address itself may hold a secret, so it is not repeated.
                return Err(section.error("mirrors", line, reason));
            }
            checked.push(value);
        }
        mirrors.push(checked);
    }
    Ok(mirrors)
}

/// Addresses are published as they stand, so they must mean the same to everyone and hold no secret.
fn public_address(text: &str) -> Result<(), String> {
    match classify(text) {
        Ok(Location::Remote { scheme }) if matches!(scheme.as_str(), "http" | "https" | "s3") => {}
        Ok(Location::Remote { scheme }) => {
            return Err(format!("holds a {scheme} address: https://, http:// and s3:// are read"));
        }
        _ => {
            return Err(
                "holds something that is not an address: it must begin with https://, http:// or s3://"
                    .into(),
            );
        }
    }
    let rest = text.split_once("://").map_or("", |(_, rest)| rest);
    let host = rest.split(['/', '?', '#']).next().unwrap_or("");
    if host.contains('@') {
        return Err(
            "holds an address with a user name or password, and addresses are published: take it out".into(),
        );
    }
    if host.is_empty() || text.contains(char::is_whitespace) {
        return Err("holds an address without a host, or with a space in it".into());
    }
    let query = rest.split_once('?').map_or("", |(_, query)| query);
    let secret = query.split('&').filter_map(|pair| pair.split('=').next()).find(|key| is_secret(key));
    match secret {
        Some(key) => Err(format!(
            "holds an address with {key:?} in it, which gives access to whoever has it, and addresses are published: \
             name a public copy"
        )),
        None => Ok(()),
    }
}

/// Keys of signed addresses and of tokens.
fn is_secret(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    let begins = ["x-amz-", "x-goog-", "x-oss-", "x-cos-"];
    let whole = ["sig", "key", "auth", "sas", "pwd", "token", "apikey", "awsaccesskeyid", "ossaccesskeyid"];
    let within = [
        "signature",
        "_token",
        "-token",
        "secret",
        "password",
        "credential",
        "api_key",
        "api-key",
        "authorization",
    ];
    begins.iter().any(|begin| key.starts_with(begin))
        || whole.contains(&key.as_str())
        || within.iter().any(|part| key.contains(part))
}

fn target(section: &Section<'_, '_>) -> Result<String, RunFileError> {
    match section.text("target")? {
        Some(At { value, .. }) if !value.is_empty() => Ok(value),
        Some(At { line, .. }) => Err(section.error("target", line, "is empty: name the column to be learnt")),
        None => Err(section.missing("target", "name the column to be learnt, such as target = \"income\"")),
    }
}

fn exclude(section: &Section<'_, '_>, target: &str) -> Result<Vec<String>, RunFileError> {
    let Some(At { value: items, line }) = section.texts("exclude")? else { return Ok(Vec::new()) };
    limit(section, "exclude", line, items.len())?;
    let mut columns: Vec<String> = Vec::new();
    for At { value, line } in items {
        if value == target {
            let reason = format!("leaves out {value:?}, which is the target: take one of the two out");
            return Err(section.error("exclude", line, reason));
        }
        if columns.contains(&value) {
            return Err(section.error("exclude", line, format!("names {value:?} twice")));
        }
        columns.push(value);
    }
    Ok(columns)
}

fn limit(section: &Section<'_, '_>, key: &str, line: usize, items: usize) -> Result<(), RunFileError> {
    if items > MAX_ITEMS {
        let reason = format!("has {items} entries, at most {MAX_ITEMS} are taken");
        return Err(section.error(key, line, reason));
    }
    Ok(())
}
