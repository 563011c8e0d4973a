//! What the unattended job writes for other programs: events for a SIEM, metrics for Prometheus, reports for people.
//!
//! Each is written on its own: one that fails is told in words and hinders no other, and no result of a scan depends on
//! any. Names of files and people go through [`Discretion`], in every export alike; metrics have none.

mod events;
mod secret;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use crate::config::{ExportSettings, OwnerDisplay};
use crate::files::{self, Rights};
use crate::report::discretion::{Discreet, Discretion};
use crate::report::metrics::{self, Night};
use crate::report::words::Language;
use crate::report::{self, Format, Style};
use crate::store::{Ledger, RunFilter, StoreError};

/// The run of the unattended job whose results are exported.
#[derive(Clone, Debug)]
pub struct Ended {
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub ended_at: Timestamp,
    /// The id of the scan that it made; `None` where there is none to report.
    pub scan: Option<String>,
    /// In which language people read it.
    pub language: Language,
}

/// An export that could not be written.
#[derive(Debug)]
pub struct Failure {
    /// What it is, in words.
    pub export: &'static str,
    /// Where it was to go.
    pub path: PathBuf,
    /// Why.
    pub why: Why,
}

/// Why an export could not be written.
#[derive(Debug)]
pub enum Why {
    /// The file refused it.
    File(io::Error),
    /// What there is to export could not be read, or that it was exported could not be kept.
    State(StoreError),
    /// The secret that pseudonyms are made with cannot be used.
    Secret(String),
}

impl From<io::Error> for Why {
    fn from(error: io::Error) -> Self {
        Self::File(error)
    }
}

impl From<StoreError> for Why {
    fn from(error: StoreError) -> Self {
        Self::State(error)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { export, path, why } = self;
        let path = path.display();
        match why {
            Why::File(error) => {
                write!(f, "the {export} could not be written to {path}: {error}")?;
                if let Some(advice) = advice(error) {
                    write!(f, "; {advice}")?;
                }
                match *export {
                    "events" => f.write_str("; what is missing there is appended the next time"),
                    _ => f.write_str("; what was there before is as it was"),
                }
            }
            Why::State(error) => write!(f, "the {export} could not be written to {path}: {error}"),
            Why::Secret(error) => write!(
                f,
                "the {export} could not be written to {path}: the secret that pseudonyms are made with cannot be used: \
                 {error}"
            ),
        }
    }
}

/// What to do about a file that cannot be written, where that can be told.
fn advice(error: &io::Error) -> Option<&'static str> {
    Some(match error.kind() {
        io::ErrorKind::NotFound => "make the folder, or correct [export]",
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            "let the account that runs sharewarden write the file and its folder"
        }
        io::ErrorKind::IsADirectory | io::ErrorKind::NotADirectory => "name a file in [export]",
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            "make room there"
        }
        _ => return None,
    })
}

/// Writes every export that is configured, and gives those that failed. `exit` is what the operating system will be told of
/// a night with these failures, for the metrics, which come last.
pub fn write_all(
    ledger: &mut Ledger,
    exports: &ExportSettings,
    ended: &Ended,
    exit: &dyn Fn(&[Failure]) -> u8,
) -> Vec<Failure> {
    let mut results: Vec<(&'static str, &Path, Result<(), Why>)> = Vec::new();
    let discretion = discretion(ledger.path(), exports);
    // Nothing is told in full where it was to be told under pseudonyms.
    let discretion = || {
        discretion
            .as_ref()
            .map_err(|error| Why::Secret(error.to_string()))
    };
    if let Some(path) = &exports.ndjson {
        let result = discretion().and_then(|discretion| events::append(ledger, path, discretion));
        results.push(("events", path, result));
    }
    if let (Some(path), Some(scan)) = (&exports.html, &ended.scan) {
        let page = (ended.language, path.as_path());
        let result = discretion().and_then(|discretion| write_page(ledger, scan, page, discretion));
        results.push(("report", path, result));
    }
    let written = results
        .iter()
        .map(|(export, _, result)| ((*export).to_owned(), result.is_ok()));
    let written = written.collect();
    let failed = |(export, path, result): (_, &Path, Result<(), Why>)| {
        let path = path.to_owned();
        result.err().map(|why| Failure { export, path, why })
    };
    let mut failures: Vec<Failure> = results.into_iter().filter_map(failed).collect();
    let night = Night {
        started_at: ended.started_at,
        ended_at: ended.ended_at,
        exit: exit(&failures),
        exports: written,
        succeeded_at: None,
    };
    let kept = ledger.night_ended(&night);
    let state = ledger.path().to_owned();
    failures.extend(failed(("record of the night", &state, kept.map_err(Why::State))));
    if let Some(path) = &exports.metrics {
        failures.extend(failed(("metrics", path, write_metrics(ledger, path))));
    }
    failures
}

/// What may be told.
fn discretion(state: &Path, exports: &ExportSettings) -> io::Result<Discretion> {
    let pseudonyms = match exports.owners {
        OwnerDisplay::Full => None,
        OwnerDisplay::Pseudonym => Some(secret::pseudonyms(state)?),
    };
    Ok(Discretion {
        names: exports.names,
        pseudonyms,
    })
}

fn write_page(
    ledger: &Ledger,
    scan: &str,
    (language, path): (Language, &Path),
    discretion: &Discretion,
) -> Result<(), Why> {
    let stored = ledger.stored_run(Some(scan), RunFilter::default())?;
    let pages = Discreet::new(&stored, discretion);
    let style = Style {
        language,
        ..Style::default()
    };
    write_file(path, Rights::Group, |out| {
        report::write(Format::Html, style, &pages, out)
    })
}

fn write_metrics(ledger: &Ledger, path: &Path) -> Result<(), Why> {
    let state = ledger.gauges()?;
    write_file(path, Rights::All, |out| metrics::write(&state, out))
}

fn write_file(
    path: &Path,
    rights: Rights,
    write: impl FnOnce(&mut dyn io::Write) -> io::Result<()>,
) -> Result<(), Why> {
    files::check_writable_kind(path)?;
    Ok(files::replace(path, rights, write)?)
}
