//! How the audit itself does, for Prometheus: the text format 0.0.4, which the node exporter's textfile collector and any
//! scraper read. No time stamps beside values, since the collector refuses a file with them; no user and no path as a label.
//!
//! <https://prometheus.io/docs/instrumenting/exposition_formats/>

use std::collections::BTreeMap;
use std::fmt::{self, Display, Write as _};
use std::io;

use jiff::Timestamp;

use super::view::{Header, Source};
use crate::model::{Effect, Level, RuleId, Status, Verdict};

/// What is known when the metrics are written.
#[derive(Debug, Default)]
pub struct State {
    /// The unattended job, as it last ended; `None` where it never did.
    pub night: Option<Night>,
    /// The latest scan of everything that ended.
    pub latest: Option<Header>,
    /// When each source was last read with a verdict other than `incomplete`, all accounts and rules in scope.
    pub succeeded: BTreeMap<String, Timestamp>,
    /// The findings of the latest scan of everything.
    pub findings: Vec<Findings>,
    /// Receipts of the whole journal.
    pub changes: Vec<Changes>,
    /// Letters since the last night began, by what became of them.
    pub letters: BTreeMap<String, u64>,
    /// Announced actions that are not due yet, or not done, by source.
    pub announced: BTreeMap<String, u64>,
}

/// A run of the unattended job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Night {
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub ended_at: Timestamp,
    /// What the operating system was told.
    pub exit: u8,
    /// Whether each export was written, but for the metrics themselves.
    pub exports: BTreeMap<String, bool>,
    /// When one last ended with 0 or 1.
    pub succeeded_at: Option<Timestamp>,
}

impl Night {
    /// Whether an exit code says that nothing was left undone: findings are what it is there for.
    #[must_use]
    pub fn is_success(exit: u8) -> bool {
        exit <= 1
    }
}

/// How many findings there are of a kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Findings {
    /// The source's name.
    pub source: String,
    /// The rule.
    pub rule: RuleId,
    /// The level.
    pub level: Level,
    /// Where they stand.
    pub status: Status,
    /// How many.
    pub count: u64,
}

/// How many actions came to the same end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changes {
    /// The source's name.
    pub source: String,
    /// What was done.
    pub action: String,
    /// What became of it.
    pub result: String,
    /// How many.
    pub count: u64,
}

/// A metric's name, its kind, and what it is.
type Metric = (&'static str, &'static str, &'static str);

macro_rules! metrics {
    ($($constant:ident $name:literal $kind:literal $help:literal)*) => {
        $(const $constant: Metric = (concat!("share_audit_", $name), $kind, $help);)*

        /// Every metric, in the order of the text: its name, its kind, and what it is.
        pub const METRICS: &[Metric] = &[$($constant),*];
    };
}

metrics! {
    BUILD_INFO "build_info" "gauge" "1, with the version as a label."
    NIGHT_SUCCESS "nightly_last_success_timestamp_seconds" "gauge" "When the nightly job last ended with 0 or 1."
    NIGHT_END "nightly_last_end_timestamp_seconds" "gauge" "When the nightly job last ended, however it did."
    NIGHT_DURATION "nightly_duration_seconds" "gauge" "How long the last nightly job took."
    NIGHT_EXIT "nightly_exit_code" "gauge" "The exit code of the last nightly job."
    EXPORT_FAILED "export_failed" "gauge" "Whether an export could not be written in the last nightly job."
    SUCCESS "last_success_timestamp_seconds" "gauge" "When the source was last read with a verdict other than incomplete."
    SCAN_END "last_scan_timestamp_seconds" "gauge" "When the latest scan of everything ended, whatever its verdict."
    SCAN_DURATION "scan_duration_seconds" "gauge" "How long the latest scan of everything took."
    VERDICT "verdict" "gauge" "1 for the verdict on the source in the latest scan of everything, 0 for the others."
    SHARES "shares" "gauge" "Distinct shares seen."
    ITEMS "items" "gauge" "Distinct shared files and folders seen."
    FINDINGS "findings" "gauge" "Findings of the latest scan of everything."
    ACCOUNTS "accounts" "gauge" "Accounts or drives in the latest scan of everything, by what became of them."
    NOT_CHECKED "not_checked" "gauge" "Problems that keep the latest scan of everything from being complete, by their code."
    KNOWN "inventory_known_ratio" "gauge" "The part of the source that was ever read."
    OLDEST "inventory_oldest_check_timestamp_seconds" "gauge" "When the part of the source that was read longest ago was read."
    UNDETERMINED "classification_undetermined" "gauge" "Shares to anyone of which is not known whether they are classified."
    EXPECTED "control_expected" "gauge" "How many shares the service itself counts."
    SEEN "control_seen" "gauge" "How many of them were seen."
    REQUESTS "requests" "gauge" "Requests that the latest scan of everything sent."
    RETRIED "requests_retried" "gauge" "Requests that it sent again after a failure."
    THROTTLED "requests_throttled" "gauge" "Answers that asked it to slow down."
    WAITED "throttled_seconds" "gauge" "How long it waited because the service asked for that, or for units."
    UNITS "resource_units" "gauge" "Resource units that it spent, where the service counts in them."
    NOTICES "policy_notices" "gauge" "What the operator should know about the policy, by code: waivers and gaps that lapse."
    LETTERS "letters" "gauge" "Letters since the last nightly job began, by what became of them."
    ANNOUNCED "actions_announced" "gauge" "Actions that owners were told of and that are still to be done."
    CHANGES "changes_total" "counter" "Actions that were tried, by what became of them."
}

/// Writes the metrics.
///
/// # Errors
/// Whatever `out` reports.
pub fn write(state: &State, out: &mut dyn io::Write) -> io::Result<()> {
    let mut text = Text::default();
    text.metric(BUILD_INFO, [(vec![("version", env!("CARGO_PKG_VERSION"))], 1)]);
    if let Some(night) = &state.night {
        text.metric(NIGHT_SUCCESS, night.succeeded_at.map(|at| (none(), second(at))));
        text.metric(NIGHT_END, [(none(), second(night.ended_at))]);
        text.metric(
            NIGHT_DURATION,
            [(none(), seconds(night.started_at, night.ended_at))],
        );
        text.metric(NIGHT_EXIT, [(none(), night.exit)]);
        let exports = night.exports.iter();
        text.metric(
            EXPORT_FAILED,
            exports.map(|(export, written)| (vec![("export", export.as_str())], u8::from(!written))),
        );
    }
    let succeeded = state.succeeded.iter();
    text.metric(
        SUCCESS,
        succeeded.map(|(source, at)| (vec![("source", source.as_str())], second(*at))),
    );
    if let Some(latest) = &state.latest {
        of_scan(&mut text, latest, &state.findings);
    }
    let letters = state.letters.iter();
    text.metric(
        LETTERS,
        letters.map(|(outcome, count)| (vec![("outcome", outcome.as_str())], *count)),
    );
    let announced = state.announced.iter();
    text.metric(
        ANNOUNCED,
        announced.map(|(source, count)| (vec![("source", source.as_str())], *count)),
    );
    let changes = state.changes.iter();
    text.metric(
        CHANGES,
        changes.map(|it| {
            let labels = vec![
                ("source", it.source.as_str()),
                ("action", &it.action),
                ("result", &it.result),
            ];
            (labels, it.count)
        }),
    );
    out.write_all(text.0.as_bytes())
}

/// What the latest scan of everything came to.
fn of_scan(text: &mut Text, latest: &Header, findings: &[Findings]) {
    let Header {
        run,
        sources,
        notices,
        ..
    } = latest;
    text.metric(SCAN_END, [(none(), second(run.finished_at))]);
    text.metric(
        SCAN_DURATION,
        [(none(), seconds(run.started_at, run.finished_at))],
    );
    text.metric(
        VERDICT,
        of(sources).flat_map(|(name, source)| {
            Verdict::ALL.iter().map(move |verdict| {
                let is = u8::from(source.verdict == *verdict);
                (vec![name, ("verdict", verdict.as_str())], is)
            })
        }),
    );
    text.metric(SHARES, of(sources).map(|(name, it)| (vec![name], it.shares_seen)));
    text.metric(ITEMS, of(sources).map(|(name, it)| (vec![name], it.items_seen)));
    text.metric(
        FINDINGS,
        findings.iter().map(|it| {
            let labels = vec![
                ("source", it.source.as_str()),
                ("rule", it.rule.as_str()),
                ("severity", it.level.as_str()),
                ("status", it.status.as_str()),
            ];
            (labels, it.count)
        }),
    );
    of_coverage(text, sources);
    of_requests(text, sources);
    let mut codes = BTreeMap::new();
    for notice in notices {
        *codes.entry(notice.code.as_str()).or_insert(0_u64) += 1;
    }
    text.metric(
        NOTICES,
        codes
            .into_iter()
            .map(|(code, count)| (vec![("code", code)], count)),
    );
}

/// The sources, with their names as labels.
fn of(sources: &[Source]) -> impl Iterator<Item = ((&'static str, &str), &Source)> {
    sources
        .iter()
        .map(|source| (("source", source.name.as_str()), source))
}

/// What was read of each source, and what was not.
fn of_coverage(text: &mut Text, sources: &[Source]) {
    text.metric(
        ACCOUNTS,
        of(sources).flat_map(|(name, source)| {
            let it = source.accounts;
            [
                ("scanned", it.scanned),
                ("skipped", it.skipped),
                ("failed", it.failed),
                ("gone", it.gone),
            ]
            .map(|(outcome, count)| (vec![name, ("outcome", outcome)], count))
        }),
    );
    text.metric(
        NOT_CHECKED,
        of(sources).flat_map(|(name, source)| {
            let mut reasons = BTreeMap::new();
            for problem in &source.problems {
                if problem.code.effect() != Effect::Note {
                    *reasons.entry(problem.code.as_str()).or_insert(0_u64) += 1;
                }
            }
            reasons
                .into_iter()
                .map(move |(reason, count)| (vec![name, ("reason", reason)], count))
        }),
    );
    text.metric(
        KNOWN,
        of(sources).map(|(name, it)| (vec![name], it.inventory.known_percent / 100.0)),
    );
    text.metric(
        OLDEST,
        of(sources).filter_map(|(name, it)| Some((vec![name], second(it.inventory.oldest_check?)))),
    );
    text.metric(
        UNDETERMINED,
        of(sources).map(|(name, it)| (vec![name], it.classification_undetermined)),
    );
    let control = || {
        of(sources).flat_map(|(name, source)| {
            let control = source.control.iter().flatten();
            control.map(move |(kind, counts)| (vec![name, ("kind", kind.as_str())], counts))
        })
    };
    text.metric(EXPECTED, control().map(|(labels, it)| (labels, it.expected)));
    text.metric(SEEN, control().map(|(labels, it)| (labels, it.seen)));
}

/// What reading each source took.
fn of_requests(text: &mut Text, sources: &[Source]) {
    let requests = || of(sources).map(|(name, source)| (vec![name], source.requests));
    text.metric(REQUESTS, requests().map(|(name, it)| (name, it.sent)));
    text.metric(RETRIED, requests().map(|(name, it)| (name, it.retried)));
    text.metric(THROTTLED, requests().map(|(name, it)| (name, it.throttled)));
    text.metric(WAITED, requests().map(|(name, it)| (name, it.waited_seconds)));
    text.metric(UNITS, requests().map(|(name, it)| (name, it.units)));
}

/// What was written until now.
#[derive(Default)]
struct Text(String);

impl Text {
    /// A metric with all its values; nothing where there is none.
    fn metric<'v, V: Display>(
        &mut self,
        (name, kind, help): Metric,
        values: impl IntoIterator<Item = (Vec<(&'static str, &'v str)>, V)>,
    ) {
        let mut values = values.into_iter().peekable();
        if values.peek().is_none() {
            return;
        }
        let text = &mut self.0;
        // Writing to a string does not fail.
        let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
        for (labels, value) in values {
            text.push_str(name);
            for (at, (label, of)) in labels.iter().enumerate() {
                let before = if at == 0 { '{' } else { ',' };
                let _ = write!(text, "{before}{label}=\"{}\"", Escaped(of));
            }
            let close = if labels.is_empty() { "" } else { "}" };
            let _ = writeln!(text, "{close} {value}");
        }
    }
}

/// A label's value.
struct Escaped<'a>(&'a str);

impl Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for sign in super::text::visible(self.0).chars() {
            match sign {
                '\\' => f.write_str("\\\\")?,
                '"' => f.write_str("\\\"")?,
                sign => f.write_char(sign)?,
            }
        }
        Ok(())
    }
}

fn none() -> Vec<(&'static str, &'static str)> {
    Vec::new()
}

fn second(at: Timestamp) -> i64 {
    at.as_second()
}

fn seconds(from: Timestamp, to: Timestamp) -> i64 {
    to.as_second().saturating_sub(from.as_second()).max(0)
}
