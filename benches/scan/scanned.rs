//! One scan, and what it cost.

use std::fs::{self, File};
use std::io::BufReader;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::plan::Plan;
use crate::shared::Outcome;
use crate::shared::emulated::Emulator;
use crate::shared::ran::{Used, median, run};
use serde::Deserialize;

/// What a scan cost.
#[derive(Clone, Copy)]
pub(crate) struct Row {
    pub(crate) requests: f64,
    pub(crate) units: f64,
    /// Answers that asked to slow down.
    pub(crate) throttled: f64,
    pub(crate) accounts: f64,
    pub(crate) shares: f64,
    pub(crate) used: Used,
}

impl Row {
    /// The median of each figure by itself.
    fn median(rows: &[Self]) -> Self {
        let of = |figure: fn(&Self) -> f64| median(rows.iter().map(figure));
        Self {
            requests: of(|row| row.requests),
            units: of(|row| row.units),
            throttled: of(|row| row.throttled),
            accounts: of(|row| row.accounts),
            shares: of(|row| row.shares),
            used: Used {
                wall: of(|row| row.used.wall),
                user: of(|row| row.used.user),
                system: of(|row| row.used.system),
                peak: of(|row| row.used.peak),
            },
        }
    }
}

/// A first scan and one in which nothing had changed.
pub(crate) struct Nights {
    pub(crate) first: Row,
    pub(crate) second: Row,
}

/// Scans an emulated world, twice on each of so many fresh states.
pub(crate) fn nights(plan: &Plan, emulator: &Emulator, config: &toml::Table) -> Outcome<Nights> {
    let (mut first, mut second) = (Vec::new(), Vec::new());
    for run in 0..plan.runs {
        let folder = emulator.folder().join(format!("run-{run}"));
        fs::create_dir(&folder)?;
        first.push(scan(&plan.program, &folder, config)?);
        second.push(scan(&plan.program, &folder, config)?);
        fs::remove_dir_all(&folder)?;
    }
    Ok(Nights {
        first: Row::median(&first),
        second: Row::median(&second),
    })
}

/// What is read of a report; the rest is passed over, so that this process stays small: a child's peak
/// begins with what its parent had.
#[derive(Deserialize)]
struct Report {
    sources: Vec<Source>,
}

#[derive(Deserialize)]
struct Source {
    verdict: String,
    accounts: Accounts,
    shares_seen: u32,
    requests: Requests,
}

#[derive(Deserialize)]
struct Accounts {
    scanned: u32,
}

#[derive(Deserialize)]
struct Requests {
    sent: u32,
    #[serde(default)]
    throttled: u32,
    #[serde(default)]
    units: u32,
}

/// Scans with a configuration whose state is kept in the folder.
pub(crate) fn scan(program: &Path, folder: &Path, config: &toml::Table) -> Outcome<Row> {
    let mut config = config.clone();
    let mut kept = toml::Table::new();
    let state = folder.join("state.db");
    kept.insert("path".to_owned(), state.to_string_lossy().as_ref().into());
    config.insert("state".to_owned(), kept.into());
    let (configured, report) = (folder.join("config.toml"), folder.join("report.json"));
    fs::write(&configured, config.to_string())?;
    let mut command = Command::new(program);
    command
        .args(["scan", "--quiet", "--format", "json", "--config"])
        .arg(&configured)
        .arg("--output")
        .arg(&report)
        .env("TMPDIR", folder)
        .stdin(Stdio::null());
    let used = run(&mut command, &[0])?;
    let report: Report = serde_json::from_reader(BufReader::new(File::open(&report)?))?;
    let source = report.sources.first().ok_or("the report names no source")?;
    if source.verdict == "incomplete" {
        return Err("the scan was incomplete".into());
    }
    Ok(Row {
        requests: source.requests.sent.into(),
        units: source.requests.units.into(),
        throttled: source.requests.throttled.into(),
        accounts: source.accounts.scanned.into(),
        shares: source.shares_seen.into(),
        used,
    })
}
