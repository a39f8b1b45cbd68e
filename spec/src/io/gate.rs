//! The gate in front of every shard: is the router what the operator signed?

use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use super::replace;

/// Whether the recorded router has to be fitted again before the first shard is handed out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RoutingCheck {
    /// Shard hashes decide.
    Off,
    /// `--verify-routing`.
    Required,
}

/// What is known about a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// The router is what was signed.
    Verified,
    /// The fit can't be run again: the shard hash decides.
    Unverifiable,
    /// The run is refused, and why. It is never tried again.
    Refused(String),
}

const FIRST_LINE: &str = "opendipaco run check 1";
const MAX_BYTES: u64 = 64 * 1024;

/// What was found about a run, on disk where there is a folder for it.
#[derive(Debug)]
pub(super) struct Findings {
    file: Option<PathBuf>,
    known: Option<Finding>,
}

impl Findings {
    /// Recalls what was found about the run. A file that can't be read counts as nothing: the check is run again.
    pub(super) fn recall(folder: Option<&Path>, run_key: &str) -> Self {
        let file = folder.map(|folder| folder.join(blake3::hash(run_key.as_bytes()).to_hex().as_str()));
        let known = file.as_deref().and_then(read);
        Self { file, known }
    }

    pub(super) fn known(&self) -> Option<&Finding> {
        self.known.as_ref()
    }

    pub(super) fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// Keeps a finding, in memory in any case.
    ///
    /// # Errors
    /// Why it could not be written; it is then forgotten at the next start.
    pub(super) fn keep(&mut self, finding: Finding) -> io::Result<()> {
        let result = self.file.as_deref().map_or(Ok(()), |file| write(file, &finding));
        self.known = Some(finding);
        result
    }
}

fn read(file: &Path) -> Option<Finding> {
    let mut text = String::new();
    fs::File::open(file).ok()?.take(MAX_BYTES).read_to_string(&mut text).ok()?;
    let (first, rest) = text.split_once('\n')?;
    let (word, reason) = rest.split_once('\n')?;
    match (first, word) {
        (FIRST_LINE, "verified") => Some(Finding::Verified),
        (FIRST_LINE, "unverifiable") => Some(Finding::Unverifiable),
        (FIRST_LINE, "refused") => Some(Finding::Refused(reason.trim_end().into())),
        _ => None,
    }
}

fn write(file: &Path, finding: &Finding) -> io::Result<()> {
    let (word, reason) = match finding {
        Finding::Verified => ("verified", ""),
        Finding::Unverifiable => ("unverifiable", ""),
        Finding::Refused(reason) => ("refused", reason.as_str()),
    };
    let Some(folder) = file.parent() else { return Err(io::ErrorKind::InvalidInput.into()) };
    fs::create_dir_all(folder)?;
    let mut out = tempfile::NamedTempFile::new_in(folder)?;
    write!(out, "{FIRST_LINE}\n{word}\n{reason}\n")?;
    replace(out, file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn findings_survive_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("checks");
        assert_eq!(Findings::recall(Some(&place), "run").known(), None);
        for finding in
            [Finding::Verified, Finding::Unverifiable, Finding::Refused("the seed\ndiffers".into())]
        {
            Findings::recall(Some(&place), "run").keep(finding.clone()).unwrap();
            assert_eq!(Findings::recall(Some(&place), "run").known(), Some(&finding));
            assert_eq!(Findings::recall(Some(&place), "other/../run").known(), None);
        }
    }

    #[test]
    fn a_damaged_file_counts_as_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let mut findings = Findings::recall(Some(folder.path()), "run");
        findings.keep(Finding::Verified).unwrap();
        for damage in ["", "opendipaco run check 1\n", "opendipaco run check 2\nverified\n\n", "\u{0}"] {
            fs::write(findings.file().unwrap(), damage).unwrap();
            assert_eq!(Findings::recall(Some(folder.path()), "run").known(), None, "{damage:?}");
        }
    }

    #[test]
    fn without_a_folder_it_is_kept_in_memory() {
        let mut findings = Findings::recall(None, "run");
        findings.keep(Finding::Verified).unwrap();
        assert_eq!(findings.known(), Some(&Finding::Verified));
    }
}
