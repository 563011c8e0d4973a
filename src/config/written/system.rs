//! `[identity]`, `[state]`, `[schedule]` and `[export]` as written.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{At, Names};

/// Who is the same person in several sources.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Identity {
    /// A CSV file with the columns `source,account,person`.
    pub(in crate::config) map: Option<At<PathBuf>>,
}

/// How much is kept of shares without a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(in crate::config) enum Details {
    /// Ids and digests.
    Findings,
    /// Everything.
    All,
}

/// What is remembered from run to run.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct State {
    /// The database; the default is `$XDG_STATE_HOME/sharewarden/state.db`.
    pub(in crate::config) path: Option<At<PathBuf>>,
    /// How long runs and what became of findings are kept.
    #[schemars(extend("default" = "400d"))]
    pub(in crate::config) keep: At<String>,
    /// How much is kept of shares without a finding.
    #[schemars(extend("default" = "findings"))]
    pub(in crate::config) details: Details,
}

/// When the daemon runs the nightly job.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Schedule {
    /// Minute, hour, day of the month, month, day of the week, as cron reads them.
    #[schemars(extend("default" = "0 2 * * *"))]
    pub(in crate::config) at: At<String>,
    /// The time zone of `at`, as the IANA names it.
    #[schemars(extend("default" = "UTC"))]
    pub(in crate::config) time_zone: At<String>,
    /// A run starts up to this much later, so that many machines do not start at once.
    #[schemars(extend("default" = "10m"))]
    pub(in crate::config) jitter: At<String>,
    /// The address of the daemon's `/healthz` and `/metrics`.
    #[schemars(extend("default" = "127.0.0.1:9469"))]
    pub(in crate::config) health: At<String>,
}

/// How owners appear.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(in crate::config) enum Owners {
    /// As they are.
    Full,
    /// By a pseudonym.
    Pseudonym,
}

/// What the nightly job writes for other programs.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Export {
    /// A file to which one event a change is appended, as NDJSON.
    pub(in crate::config) ndjson: Option<At<PathBuf>>,
    /// A file with metrics for the node exporter's textfile collector.
    pub(in crate::config) metrics: Option<At<PathBuf>>,
    /// The report as HTML.
    pub(in crate::config) html: Option<At<PathBuf>>,
    /// How file names appear in all exports.
    #[schemars(extend("default" = "full"))]
    pub(in crate::config) names: Names,
    /// How owners appear in all exports.
    #[schemars(extend("default" = "full"))]
    pub(in crate::config) owners: Owners,
}
