//! `nightly`: the unattended job. Scans all sources, keeps what owners were promised, and has them told how things stand.
//!
//! Each step's failure is told, and does not keep the others from being tried.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use clap::Args;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::notify::{self, Mailer, Mailroom};
use super::password::Key;
use super::scan::{Asked, Ready};
use super::terminal::{self, Output, say};
use super::{Exit, Global, change, plan, scan, sources, unwritten};
use crate::config::{MailMode, Settings};
use crate::enforce::EnforceError;
use crate::export::{self, Ended, Failure};
use crate::model::{Effect, Level, Problem, Share, SourceKind, Status, Verdict};
use crate::notify::{Language, Outgoing};
use crate::plan::{Action, Calendar, Notices};
use crate::policy::Policy;
use crate::report::text::visible;
use crate::report::{Pages as _, view};
use crate::run::grace::{Kept, Letters, Night, Reach, keep};
use crate::run::{self, Mailed, Planned, Scanned};
use crate::store::{Ledger, RunFilter, StoreError};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// End with code 1 if a finding stands at this level or above
    #[arg(long, value_name = "LEVEL", default_value = "never",
          value_parser = ["info", "low", "medium", "high", "critical", "never"])]
    fail_on: String,
    /// Read the sources and say what would be mailed and changed; nothing is sent, changed or recorded
    #[arg(long)]
    dry_run: bool,
}

pub(super) async fn run(global: &Global, arguments: Arguments) -> Result<Exit, Exit> {
    change::needs_state(global, "nightly")?;
    let loaded = global.load()?;
    let cancel = CancellationToken::new();
    let watch = sources::interrupts(
        cancel.clone(),
        "what was read is being kept, and what was begun is finished; once more ends at once",
    );
    let job = Job {
        global,
        settings: &loaded.settings,
        fail_on: arguments.fail_on.parse().ok(),
        dry_run: arguments.dry_run,
        cancel: &cancel,
    };
    let exit = job.run().await;
    watch.abort();
    exit
}

/// A night that is to be gone through.
#[derive(Clone, Copy)]
pub(super) struct Job<'a> {
    pub(super) global: &'a Global,
    pub(super) settings: &'a Settings,
    pub(super) fail_on: Option<Level>,
    pub(super) dry_run: bool,
    pub(super) cancel: &'a CancellationToken,
}

impl Job<'_> {
    /// Goes through the night and prints a line that tells of it; what went wrong on the way is told on standard error.
    pub(super) async fn run(self) -> Result<Exit, Exit> {
        let (global, settings) = (self.global, self.settings);
        let started_at = global.finished();
        let asked = Asked {
            unattended: true,
            ..Asked::default()
        };
        terminal::goes_on();
        let mut ready = Ready::prepare(global, settings, asked, self.cancel)?;
        let mut told = Told::new(self.dry_run.then(|| self.rehearsed()));
        let (ledger, _locks) = if self.dry_run {
            let state = &settings.state.path;
            let copy = Ledger::copy(state).map_err(|error| scan::unusable(state, &error))?;
            (copy, Vec::new())
        } else {
            let mut ledger = scan::open(global, settings)?;
            match ready.lock() {
                Ok(locks) => (ledger, locks),
                Err(exit) => {
                    // Whoever watches is told of a night that could not begin, too.
                    told.step("scan", exit);
                    self.export(&mut ledger, (started_at, None), &mut told);
                    return Err(exit);
                }
            }
        };
        let mut scanned = ready.read(ledger, self.cancel).await?;
        self.tell_findings(&scanned, &mut told);
        if !self.cancel.is_cancelled() {
            self.promises(&mut scanned, &mut told).await;
        }
        if !self.dry_run {
            told.step("tidying up", scan::forget(global, settings, &mut scanned));
            let scan = Some(scanned.run.key.clone());
            self.export(&mut scanned.ledger, (started_at, scan), &mut told);
        }
        let line = told.line(&scanned.run.key);
        if !global.quiet {
            let written = Output::Standard.write(|out| writeln!(out, "{line}"));
            told.step(
                "summary",
                written.map_or_else(|error| unwritten(&error), |()| Exit::Done),
            );
        }
        Ok(if self.cancel.is_cancelled() {
            Exit::Interrupted
        } else {
            told.exit
        })
    }

    /// What did not happen in a dry run.
    fn rehearsed(self) -> &'static str {
        let mut sources = self.settings.sources.iter();
        if sources.any(|source| source.source_kind() == SourceKind::Microsoft365) {
            // Else the next run would spend them once more.
            "nothing was sent, changed or recorded, but for the units that reading cost"
        } else {
            "nothing was sent, changed or recorded"
        }
    }

    /// What the scan came to.
    fn tell_findings(self, scanned: &Scanned, told: &mut Told) {
        let stored = match scan::stored(&scanned.ledger, Some(&scanned.run.key), RunFilter::default()) {
            Ok(stored) => stored,
            Err(exit) => return told.step("report", exit),
        };
        let header = stored.header();
        for source in &header.sources {
            if source.verdict == Verdict::Incomplete {
                say(&format!("error: {}", unread(source)));
            }
        }
        let totals = &header.totals;
        let new = totals.by_status.get(&Status::New).copied().unwrap_or_default();
        let levels = totals.by_level.iter().rev();
        let levels: Vec<_> = levels
            .map(|(level, count)| format!(", {count} {level}"))
            .collect();
        told.say(format!(
            "{}, {} findings ({new} new{})",
            header.run.verdict,
            totals.findings,
            levels.concat()
        ));
        if header.run.verdict == Verdict::Incomplete {
            told.exit = told.exit.max(Exit::Incomplete);
        }
        let worst = totals.worst();
        if self
            .fail_on
            .is_some_and(|level| worst.is_some_and(|worst| worst >= level))
        {
            told.exit = told.exit.max(Exit::Findings);
        }
    }

    /// Keeps what was promised, and has everybody told.
    async fn promises(self, scanned: &mut Scanned, told: &mut Told) {
        let policy = match scan::with_made_waivers(self.global, self.settings, &scanned.ledger) {
            Ok(policy) => policy,
            Err(exit) => return told.step("letters and changes", exit),
        };
        let way = self.way().unwrap_or_else(|_told| {
            told.step("letters", Exit::NotKept);
            None
        });
        let mut owners = Owners {
            job: self,
            policy: &policy,
            way,
            mailed: None,
            is_locked: false,
        };
        let kept = if self.settings.enforce.on {
            self.enforce(scanned, &policy, &mut owners, told).await
        } else {
            let none: Vec<plan::Usable> = self.settings.sources.iter().map(|_| nobody()).collect();
            let planned = self.planned(&none);
            self.keep(scanned, &policy, (&planned, &BTreeMap::new()), &mut owners)
                .await
        };
        match kept {
            Ok(kept) => self.tell_kept(&kept, told),
            Err(error) => {
                say(&format!(
                    "error: what was promised and what was sent cannot be kept in {}: {error}\nhelp: nothing further was \
                     changed or sent; the next run finds out what became of it",
                    self.settings.state.path.display()
                ));
                told.step("letters and changes", Exit::NotKept);
            }
        }
        if owners.is_locked {
            told.step("letters", Exit::NotKept);
        }
        if let Some(mailed) = &owners.mailed {
            tell_mailed(mailed, told);
        }
        if let Some(way) = owners.way {
            way.carrier.outgoing.close().await;
        }
    }

    /// How owners are mailed; `None` where they are not.
    fn way<'a>(self) -> Result<Option<Way<'a>>, Exit>
    where
        Self: 'a,
    {
        if self.settings.mail.mode == MailMode::Off {
            return Ok(None);
        }
        let key = if self.dry_run { Key::MadeUp } else { Key::Kept };
        let room = Mailroom::open(self.global, self.settings, None, key)?;
        let aside = self.dry_run.then(tempfile::tempdir).transpose();
        let aside = aside.map_err(|error| unwritten(&error))?;
        let outgoing = match &aside {
            Some(folder) => Outgoing::files(folder.path().to_owned()),
            None => room.outgoing(self.cancel)?,
        };
        let carrier = room.carrier(outgoing)?;
        Ok(Some(Way {
            room,
            carrier,
            _aside: aside,
        }))
    }

    /// Announces and makes changes, where nobody else does at the same time; owners are told in any case.
    async fn enforce(
        self,
        scanned: &mut Scanned,
        policy: &Policy,
        owners: &mut Owners<'_>,
        told: &mut Told,
    ) -> Result<Kept, StoreError> {
        let (global, settings) = (self.global, self.settings);
        let lock = (!self.dry_run).then(|| change::lock(global, &settings.state.path));
        let _lock = match lock.transpose() {
            Ok(lock) => lock,
            Err(_told) => {
                told.step("changes", Exit::ActionsFailed);
                owners.tell(&mut scanned.ledger, &Notices::new()).await?;
                return Ok(Kept::default());
            }
        };
        let mut writers = BTreeMap::new();
        let mut usable = Vec::new();
        for source in &settings.sources {
            let of_it = plan::usable(global, settings, source).and_then(|usable| {
                if source.may_change() {
                    let names = BTreeSet::from([source.name.clone()]);
                    writers.append(&mut change::writers(global, settings, &names)?);
                }
                Ok(usable)
            });
            usable.push(of_it.unwrap_or_else(|_told| {
                told.step("changes", Exit::ActionsFailed);
                nobody()
            }));
        }
        let planned = self.planned(&usable);
        self.keep(scanned, policy, (&planned, &writers), owners).await
    }

    /// All sources, with the accounts that something can be changed in the name of.
    fn planned<'p>(self, usable: &'p [plan::Usable]) -> Vec<Planned<'p>>
    where
        Self: 'p,
    {
        let sources = self.settings.sources.iter().zip(usable);
        sources
            .map(|(source, usable)| Planned {
                name: &source.name,
                kind: source.source_kind(),
                usable: usable.as_ref(),
            })
            .collect()
    }

    async fn keep(
        self,
        scanned: &mut Scanned,
        policy: &Policy,
        (planned, writers): (&[Planned<'_>], &change::Writers),
        owners: &mut Owners<'_>,
    ) -> Result<Kept, StoreError> {
        let enforce = &self.settings.enforce;
        let calendar = Calendar {
            zone: self.settings.schedule.time_zone.clone(),
            freeze: enforce.freeze.clone(),
            grace: enforce.grace,
        };
        let night = Night {
            run: &scanned.run,
            clock: &|| self.global.finished(),
            on: enforce.on,
            policy,
            rules: &enforce.rules,
            caps: enforce.caps,
            calendar: &calendar,
            sources: planned,
            writers,
            rehearsal: self.dry_run,
            cancel: self.cancel,
        };
        keep(&mut scanned.ledger, &night, owners).await
    }

    /// Writes what other programs read: of a night that began at a time, and the scan that it made.
    fn export(self, ledger: &mut Ledger, (started_at, scan): (Timestamp, Option<String>), told: &mut Told) {
        let ended = Ended {
            started_at,
            ended_at: self.global.finished(),
            scan,
            language: Language::of(&self.settings.mail.language).unwrap_or_default(),
        };
        let so_far = if self.cancel.is_cancelled() {
            Exit::Interrupted
        } else {
            told.exit
        };
        let exit = |failures: &[Failure]| match failures {
            [] => so_far.code(),
            _ => so_far.max(Exit::NotKept).code(),
        };
        for failure in export::write_all(ledger, &self.settings.export, &ended, &exit) {
            say(&format!("error: {failure}"));
            told.step("exports", Exit::NotKept);
        }
    }

    /// What was announced and what was done.
    fn tell_kept(self, kept: &Kept, told: &mut Told) {
        let Kept {
            announced,
            waiting,
            fallback_only,
            untold,
            reminded,
            postponed,
            cancelled,
            done,
            left,
            failed,
            closed,
            stopped,
        } = kept;
        for (source, why) in closed {
            say(&format!(
                "error: nothing more can be changed in {} this night: {}",
                visible(source.as_str()),
                visible(&why.message)
            ));
        }
        for receipt in failed {
            let outcome = receipt.outcome.map_or("left", crate::enforce::Outcome::as_str);
            say(&format!(
                "error: {} of the share {} in {}: {outcome}: {}",
                receipt.deed,
                visible(&receipt.share),
                visible(receipt.source.as_str()),
                visible(receipt.detail.as_deref().unwrap_or_default())
            ));
        }
        if let Some(why) = stopped {
            say(&format!("error: {why}"));
            let exit = match why {
                EnforceError::Journal(_) => Exit::NotKept,
                _ => Exit::ActionsFailed,
            };
            told.step("changes", exit);
        } else if !failed.is_empty() || !closed.is_empty() {
            told.step("changes", Exit::ActionsFailed);
        }
        if !self.settings.enforce.on && cancelled.is_empty() {
            return;
        }
        let counts = [
            (*announced, "announced"),
            (*reminded, "reminded of"),
            (*done, "made"),
            (cancelled.len() as u64, "called off"),
            (failed.len() as u64, "failed"),
            (*postponed, "put off"),
            (*waiting + *left, "waiting for a day with room"),
            (*untold, "not announced, as no letter told of them"),
            (*fallback_only, "only for a plan, as no owner can be told"),
        ];
        let counts: Vec<_> = counts
            .into_iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, what)| format!("{count} {what}"))
            .collect();
        told.say(if counts.is_empty() {
            "no changes".to_owned()
        } else {
            format!("changes: {}", counts.join(", "))
        });
    }
}

/// Nothing can be changed in anybody's name.
fn nobody() -> plan::Usable {
    Box::new(|_| false)
}

/// What could not be read of a source, in a line.
fn unread(source: &view::Source) -> String {
    let mut line = format!("{} was not read whole", visible(&source.name));
    // What an accepted gap excuses is here as well: it seldom comes first.
    let is_why = |problem: &&Problem| problem.code.effect() == Effect::Incomplete;
    if let Some(first) = source.problems.iter().find(is_why).or(source.problems.first()) {
        let _ = write!(line, ": {}: {}", visible(&first.scope), visible(&first.message));
        let more = source.problems.len() - 1;
        if more > 0 {
            let _ = write!(line, " (and {more} more: `sharewarden report` names them)");
        }
    }
    line
}

fn tell_mailed(mailed: &Mailed, told: &mut Told) {
    let summary = &mailed.summary;
    for (address, why) in &summary.failed {
        say(&format!(
            "error: no letter to {}: {}",
            visible(address),
            visible(why)
        ));
    }
    for letter in &summary.unknown {
        say(&format!(
            "error: not known whether it left, and not sent again: the letter to {} of {}",
            visible(&letter.address),
            letter.on
        ));
    }
    for (address, why) in &summary.unlisted {
        say(&format!(
            "error: a letter without its list to {}: {}",
            visible(address),
            visible(why)
        ));
    }
    if summary.too_many.is_some() {
        say("error: these are more letters than `max_letters` in [mail], so none was sent");
    }
    for (why, people) in &mailed.nobody {
        say(&format!("error: {people} people whom nobody was told of: {why}"));
    }
    let incidents = &mailed.incidents;
    if incidents.untold > 0 {
        say(&format!(
            "error: {} suspected breaches of which `incident_contact` in [mail] was not told",
            incidents.untold
        ));
    }
    if incidents.sent > 0 {
        told.say(format!("{} suspected breaches told", incidents.sent));
    }
    told.say(format!("{} of {} letters", summary.sent, mailed.letters));
    if !mailed.is_clean() || mailed.administrators == Some(false) {
        told.step("letters", Exit::NotKept);
    }
}

/// How letters leave.
struct Way<'a> {
    room: Mailroom<'a>,
    carrier: Mailer,
    /// Where they go in a dry run.
    _aside: Option<tempfile::TempDir>,
}

/// Owners, told by mail.
struct Owners<'a> {
    job: Job<'a>,
    policy: &'a Policy,
    way: Option<Way<'a>>,
    mailed: Option<Mailed>,
    /// Whether somebody else sends letters at the same time.
    is_locked: bool,
}

impl Letters for Owners<'_> {
    fn reaches(&self, ledger: &Ledger, share: &Share, _: &Action) -> Result<Option<Reach>, StoreError> {
        let Some(way) = &self.way else {
            return Ok(None);
        };
        let Some(source) = self.job.settings.source(share.source.as_str()) else {
            return Ok(None);
        };
        let none = Notices::new();
        let mailing = way.room.mailing(self.policy, &none);
        mailing.reaches(ledger, (&share.source, source.source_kind()), &share.owner)
    }

    fn tell<'a>(
        &'a mut self,
        ledger: &'a mut Ledger,
        notices: &'a Notices,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        async move {
            let job = self.job;
            let Some(way) = &mut self.way else {
                return Ok(());
            };
            let lock = (!job.dry_run).then(|| notify::lock(job.global, &job.settings.state.path));
            let Ok(_lock) = lock.transpose() else {
                self.is_locked = true;
                return Ok(());
            };
            let mailing = way.room.mailing(self.policy, notices);
            let mailed = run::notify(ledger, mailing, &mut way.carrier, job.cancel).await?;
            self.mailed = Some(mailed);
            Ok(())
        }
        .boxed()
    }
}

/// What is told of a night, and how it ended as far as it came.
struct Told {
    words: Vec<String>,
    failed: Vec<&'static str>,
    exit: Exit,
    /// In a dry run, what did not happen.
    rehearsed: Option<&'static str>,
}

impl Told {
    fn new(rehearsed: Option<&'static str>) -> Self {
        Self {
            words: Vec::new(),
            failed: Vec::new(),
            exit: Exit::Done,
            rehearsed,
        }
    }

    fn say(&mut self, words: String) {
        self.words.push(words);
    }

    /// Notes how a step ended.
    fn step(&mut self, what: &'static str, exit: Exit) {
        if exit != Exit::Done {
            self.exit = self.exit.max(exit);
            if !self.failed.contains(&what) {
                self.failed.push(what);
            }
        }
    }

    /// All of it in a line.
    fn line(&self, run: &str) -> String {
        let mut line = self.words.join("; ");
        if !self.failed.is_empty() {
            let _ = write!(line, "; FAILED: {}", self.failed.join(", "));
        }
        match self.rehearsed {
            Some(rehearsed) => format!("dry run: {line}; {rehearsed}"),
            None => format!("run {run}: {line}"),
        }
    }
}
