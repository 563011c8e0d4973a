//! `scan`: reads the sources, judges every share, records the run, prints the report.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use jiff::tz::TimeZone;
use tokio_util::sync::CancellationToken;

use super::sources::{self, Making, Memory};
use super::terminal::{Output, say, unsent};
use super::{Exit, Global, progress, unwritten};
use crate::config::{Details, Settings};
use crate::model::{Level, ProblemCode, RuleId, Verdict};
use crate::policy::{self, Policy};
use crate::provider::Unready;
use crate::report::words::Language;
use crate::report::{self, Format, Pages};
use crate::run::{self, Part, Scan, ScanError, Scanned};
use crate::store::{Ledger, RunFilter, SourceLock, StoreError, StoredRun};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Read only this source; may be repeated
    #[arg(long, value_name = "NAME")]
    pub(super) source: Vec<String>,
    /// Read only this person's shares (account id or mail address); may be repeated
    #[arg(long, value_name = "ID")]
    pub(super) user: Vec<String>,
    /// Judge by this rule only; may be repeated
    #[arg(long, value_name = "RULE", value_parser = rule)]
    pub(super) rule: Vec<RuleId>,
    /// Ask for everything, also what is otherwise asked for less often: homes of disabled accounts, and on
    /// Microsoft 365 what nothing says that it changed
    #[arg(long)]
    pub(super) full: bool,
    /// The form of the report
    #[arg(long, value_name = "FORMAT", default_value = "table", value_parser = format())]
    pub(super) format: String,
    /// Write the report to a file
    #[arg(long, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,
    /// End with code 1 if a finding stands at this level or above
    #[arg(long, value_name = "LEVEL", default_value = "never",
          value_parser = ["info", "low", "medium", "high", "critical", "never"])]
    pub(super) fail_on: String,
    /// Report shares without findings too
    #[arg(long)]
    pub(super) all_shares: bool,
    #[command(flatten)]
    pub(super) language: Spoken,
    /// The page that is written beside the report.
    #[arg(skip)]
    pub(super) page: Option<Output>,
}

/// In which language a report for people is written.
#[derive(Clone, Debug, Default, Args)]
pub(super) struct Spoken {
    /// The language of HTML [default: `language` in \[mail\] of the configuration]
    #[arg(long, value_name = "LANGUAGE", value_parser = languages())]
    language: Option<String>,
}

impl Spoken {
    /// The language that was asked for, else that of letters.
    pub(super) fn within(&self, settings: &Settings) -> Language {
        let asked = self.language.as_ref().unwrap_or(&settings.mail.language);
        Language::of(asked).unwrap_or_default()
    }
}

fn languages() -> clap::builder::PossibleValuesParser {
    Language::ALL
        .iter()
        .map(|language| language.as_str())
        .collect::<Vec<_>>()
        .into()
}

/// The names of the formats, for the command line.
pub(super) fn format() -> clap::builder::PossibleValuesParser {
    Format::ALL
        .iter()
        .map(|format| format.as_str())
        .collect::<Vec<_>>()
        .into()
}

/// A rule's name; an unknown one is told with the place that lists them.
pub(super) fn rule(name: &str) -> Result<RuleId, String> {
    name.parse()
        .map_err(|_unknown| "no rule has this name; `sharewarden rules` lists them".to_owned())
}

pub(super) async fn run(global: &Global, arguments: Arguments) -> Result<Exit, Exit> {
    let loaded = global.load()?;
    scan(global, &loaded.settings, arguments).await
}

/// Scans by settings that were read; the demo comes here too.
pub(super) async fn scan(global: &Global, settings: &Settings, arguments: Arguments) -> Result<Exit, Exit> {
    let cancel = CancellationToken::new();
    let asked = Asked {
        sources: &arguments.source,
        users: &arguments.user,
        rules: &arguments.rule,
        full: arguments.full,
        unattended: false,
    };
    let mut ready = Ready::prepare(global, settings, asked, &cancel)?;
    let ledger = open(global, settings)?;
    let _locks = ready.lock()?;
    let watch = sources::interrupts(
        cancel.clone(),
        "what was read is being kept; once more ends at once",
    );
    let scanned = ready.read(ledger, &cancel).await;
    watch.abort();
    let mut scanned = scanned?;
    let filter = RunFilter {
        all_shares: arguments.all_shares,
        users: Vec::new(),
    };
    let fail_on: Option<Level> = arguments.fail_on.parse().ok();
    let output = Output::of(arguments.output);
    let style = report::Style {
        language: arguments.language.within(settings),
        ..output.style(global.color)
    };
    let mut exit = match stored(&scanned.ledger, Some(&scanned.run.key), filter) {
        Ok(stored) => {
            let printed = print(style, &stored, &arguments.format, &output, fail_on);
            let page = arguments.page.as_ref();
            let page = page.map(|page| print(style, &stored, Format::Html.as_str(), page, None));
            printed.max(page.unwrap_or(Exit::Done))
        }
        Err(exit) => exit,
    };
    exit = exit.max(forget(global, settings, &mut scanned));
    if scanned.verdict == Verdict::Incomplete {
        exit = exit.max(Exit::Incomplete);
    }
    Ok(if cancel.is_cancelled() {
        Exit::Interrupted
    } else {
        exit
    })
}

/// What a scan is to read and judge.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Asked<'a> {
    /// The sources; all, where none is named.
    pub(super) sources: &'a [String],
    /// The people; all, where nobody is named.
    pub(super) users: &'a [String],
    /// The rules; all, where none is named.
    pub(super) rules: &'a [RuleId],
    /// Whether what seldom changes is asked for, too.
    pub(super) full: bool,
    /// Whether nobody is there to put right what is wrong with one source, so that the others are read all the same.
    pub(super) unattended: bool,
}

/// A scan that can begin: nothing was sent yet.
pub(super) struct Ready<'a> {
    global: &'a Global,
    settings: &'a Settings,
    parts: Vec<Part>,
    request: Scan,
    /// Whether nobody is there to put right what is wrong with one source.
    unattended: bool,
}

impl<'a> Ready<'a> {
    /// Makes what reads the sources.
    pub(super) fn prepare(
        global: &'a Global,
        settings: &'a Settings,
        asked: Asked<'_>,
        cancel: &CancellationToken,
    ) -> Result<Self, Exit> {
        let chosen = sources::choose(settings, asked.sources)?;
        let names: Vec<_> = chosen.iter().map(|source| source.name.clone()).collect();
        let memory = if asked.full {
            Memory::Ignored
        } else {
            Memory::Heeded
        };
        let making = Making {
            memory,
            few: !asked.users.is_empty(),
            ..Making::of(global, settings, cancel)
        };
        Ok(Self {
            global,
            settings,
            parts: if asked.unattended {
                making.parts_that_can_be(&chosen)
            } else {
                settings
                    .check_secrets(&names)
                    .map_err(|report| global.wrong(&report))?;
                making.parts(&chosen)?
            },
            request: Scan {
                now: global.now(),
                users: asked.users.to_vec(),
                rules: asked.rules.to_vec(),
                all_sources: asked.sources.is_empty(),
                exclusions: chosen.iter().map(|source| source.exclusions()).sum(),
            },
            unattended: asked.unattended,
        })
    }

    /// Takes the long locks of a full scan; a scan of single accounts, or without state, needs none. Where nobody is there,
    /// a source that another scan reads is left to it, as long as there is one that is not.
    pub(super) fn lock(&mut self) -> Result<Vec<SourceLock>, Exit> {
        let (global, state) = (self.global, &self.settings.state.path);
        let mut locks = Vec::new();
        if global.no_state || !self.request.users.is_empty() {
            return Ok(locks);
        }
        let mut taken = None;
        for part in &mut self.parts {
            match SourceLock::take(state, &part.name, global.finished()) {
                Ok(lock) => locks.push(lock),
                Err(error) => {
                    let StoreError::Locked { holder, .. } = &error else {
                        return Err(unusable(state, &error));
                    };
                    let why = format!("another scan reads this source at the same time: {holder}");
                    part.reader = Box::new(Unready::new(ProblemCode::BeingScanned, why));
                    taken = Some(error);
                }
            }
        }
        match taken {
            Some(error) if !self.unattended || locks.is_empty() => {
                say(&format!("error: {error}; nothing was sent"));
                Err(Exit::Usage)
            }
            _ => Ok(locks),
        }
    }

    /// Reads and judges.
    pub(super) async fn read(&self, ledger: Ledger, cancel: &CancellationToken) -> Result<Scanned, Exit> {
        let policy = Arc::new(with_made_waivers(self.global, self.settings, &ledger)?);
        let finished = || self.global.finished();
        let scanning = run::scan(ledger, &policy, &self.parts, &self.request, finished, cancel);
        let scanned = progress::shown(self.global, &self.parts, scanning).await;
        let state = &self.settings.state.path;
        scanned.map_err(|error| match error {
            ScanError::NotBegun(error) => unusable(state, &error),
            error => not_kept(state, &error),
        })
    }
}

/// The policy with the waivers that the state holds beside those of the configuration. They are no part of its
/// digest: a waiver changes where a finding stands, and closes none.
pub(super) fn with_made_waivers(
    global: &Global,
    settings: &Settings,
    ledger: &Ledger,
) -> Result<Policy, Exit> {
    let mut policy = settings.policy.clone();
    let made = ledger.waivers(policy::day(global.now())).map_err(|error| {
        say(&format!("error: {}", unsent(&error.to_string())));
        Exit::Usage
    })?;
    policy.waivers.extend(made.into_iter().map(|own| own.waiver));
    Ok(policy)
}

/// Forgets what the settings do not let be kept: particulars of shares without a finding, and old runs.
pub(super) fn forget(global: &Global, settings: &Settings, scanned: &mut Scanned) -> Exit {
    let mut forget = || {
        if settings.state.details == Details::Findings {
            scanned.ledger.forget_details(&scanned.run)?;
        }
        let now = global.now().to_zoned(TimeZone::UTC);
        if let Ok(since) = now.checked_sub(settings.state.keep) {
            scanned.ledger.forget_before(since.timestamp())?;
        }
        Ok::<_, StoreError>(())
    };
    match forget() {
        Ok(()) => Exit::Done,
        Err(error) => {
            say(&format!(
                "error: what is no longer to be kept could not be removed from {}: {error}\nhelp: the run is kept; the next \
                 scan tries again",
                settings.state.path.display()
            ));
            Exit::NotKept
        }
    }
}

/// Opens the ledger, or a private one that vanishes.
pub(super) fn open(global: &Global, settings: &Settings) -> Result<Ledger, Exit> {
    let ledger = if global.no_state {
        Ledger::temporary()
    } else {
        Ledger::open(&settings.state.path)
    };
    ledger.map_err(|error| unusable(&settings.state.path, &error))
}

/// Says why there is no state to work with, before anything was sent.
pub(super) fn unusable(state: &Path, error: &StoreError) -> Exit {
    say(&format!(
        "error: {error}\nhelp: --no-state makes a scan without {}; nothing was sent",
        state.display()
    ));
    Exit::Usage
}

/// A stored run, or why there is none to print.
pub(super) fn stored<'l>(
    ledger: &'l Ledger,
    run: Option<&str>,
    filter: RunFilter,
) -> Result<StoredRun<'l>, Exit> {
    ledger.stored_run(run, filter).map_err(|error| match error {
        StoreError::NoRun | StoreError::NoSuchRun(_) | StoreError::Unknown { .. } => {
            say(&format!("error: {error}"));
            Exit::Usage
        }
        error => {
            say(&format!(
                "error: the run cannot be read from {}: {error}",
                ledger.path().display()
            ));
            Exit::NotKept
        }
    })
}

/// Prints a stored run; the exit code tells of findings and of a report that could not be written.
pub(super) fn print(
    style: report::Style,
    stored: &StoredRun<'_>,
    format: &str,
    output: &Output,
    fail_on: Option<Level>,
) -> Exit {
    let format = format.parse().unwrap_or(Format::Table);
    let written = output.write(|out| report::write(format, style, stored, out));
    let mut exit = written.map_or_else(|error| unwritten(&error), |()| Exit::Done);
    let worst = stored.header().totals.worst();
    if fail_on.is_some_and(|level| worst.is_some_and(|worst| worst >= level)) {
        exit = exit.max(Exit::Findings);
    }
    exit
}

fn not_kept(state: &Path, error: &ScanError) -> Exit {
    say(&format!(
        "error: the result could not be kept in {}: {error}\nhelp: earlier runs are as they were, `sharewarden report` \
         prints them; --no-state makes a scan without the state file",
        state.display()
    ));
    Exit::NotKept
}
