//! The machine that this runs on: state, schedule, exports, and who is who.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use jiff::{Span, tz::TimeZone};

use crate::config::{Credentials, FileRef};
pub use crate::model::{NameDisplay, Network};
use crate::schedule::Cron;

/// Who is the same person in several sources.
#[derive(Clone, Debug)]
pub struct IdentitySettings {
    /// A CSV file with the columns `source,account,person`.
    pub map: Option<FileRef>,
}

/// What is remembered from run to run.
#[derive(Clone, Debug)]
pub struct StateSettings {
    /// The database. Credentials got by `login` lie in `credentials` beside it.
    pub path: PathBuf,
    /// How long runs and what became of findings are kept.
    pub keep: Span,
    /// How much is kept of shares without a finding.
    pub details: Details,
}

impl StateSettings {
    /// Where `login` keeps what it obtained.
    #[must_use]
    pub fn credentials(&self) -> Credentials {
        Credentials::beside(&self.path)
    }
}

/// How much is kept of shares without a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Details {
    /// Ids and digests.
    Findings,
    /// Everything.
    All,
}

/// When the daemon runs the nightly job.
#[derive(Clone, Debug)]
pub struct ScheduleSettings {
    /// When, in civil time.
    pub at: Cron,
    /// The time zone of `at`.
    pub time_zone: TimeZone,
    /// A run starts up to this much later.
    pub jitter: Duration,
    /// The address of `/healthz` and `/metrics`.
    pub health: SocketAddr,
}

/// What the nightly job writes for other programs.
#[derive(Clone, Debug)]
pub struct ExportSettings {
    /// A file to which one event a change is appended.
    pub ndjson: Option<PathBuf>,
    /// A file with metrics for the node exporter's textfile collector.
    pub metrics: Option<PathBuf>,
    /// The report as HTML.
    pub html: Option<PathBuf>,
    /// How file names appear.
    pub names: NameDisplay,
    /// How owners appear.
    pub owners: OwnerDisplay,
}

/// How owners appear in exports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OwnerDisplay {
    /// As they are.
    Full,
    /// By a pseudonym.
    Pseudonym,
}
