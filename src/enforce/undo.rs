//! Takes a run of changes back, as far as the services allow, and says what cannot come back.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use jiff::tz::{TimeZone, offset};
use jiff::{Span, Timestamp};
use secrecy::SecretString;

use super::apply::Verdict;
use super::settle::{Settled, date_verdict};
use super::{
    Deed, Done, EnforceError, Enforcer, Entry, Event, JournalError, Look, LookError, Outcome, Receipt,
    changed,
};
use crate::model::{Expiry, ShareKind, SourceName};
use crate::provider::{ChangeEffect, Target, Writer};

/// Shows somebody the new password of a link that was made again, once; whether it could.
pub type Reveal<'a> = dyn FnMut(&Revealed<'_>) -> bool + 'a;

/// A new password, and what it opens.
#[derive(Debug)]
pub struct Revealed<'a> {
    /// The source.
    pub source: &'a SourceName,
    /// The service's own id of the link.
    pub share: &'a str,
    /// The item's path, where it is known; remote text.
    pub path: Option<&'a str>,
    /// The password.
    pub password: &'a SecretString,
}

/// How a link that had a password gets a new one.
pub(super) struct Passwords<'p, 'r> {
    pub(super) make: &'p dyn Fn() -> Option<SecretString>,
    pub(super) reveal: Option<&'p mut Reveal<'r>>,
}

impl Enforcer<'_> {
    /// Takes back what a run changed, the last change first. Links that had a password get a new one from `password`,
    /// and only where somebody can be shown it.
    ///
    /// # Errors
    /// [`EnforceError`]: before the first change, or because the journal cannot be kept.
    pub async fn undo(
        &mut self,
        run: &str,
        password: &dyn Fn() -> Option<SecretString>,
        reveal: Option<&mut Reveal<'_>>,
    ) -> Result<Done, EnforceError> {
        let lines = self.journal.of_run(run)?;
        if lines.is_empty() {
            return Err(EnforceError::NoSuchRun(run.to_owned()));
        }
        if lines.iter().any(|line| line.undoes.is_some()) {
            return Err(EnforceError::NoUndo(run.to_owned()));
        }
        let mut needed: BTreeMap<&SourceName, BTreeSet<&str>> = BTreeMap::new();
        for line in &lines {
            if let Some(source) = &line.source {
                needed.entry(source).or_default().extend(line.act_as.as_deref());
            }
        }
        let sources: Vec<SourceName> = needed.keys().copied().cloned().collect();
        self.prepare(needed).await?;
        let begun = Entry {
            undoes: Some(run.to_owned()),
            ..self.line(Event::Begun)
        };
        self.record(&begun)?;
        let settled = self.settle(&sources).await?;
        // What was settled just now belongs to it, too.
        let lines = self.journal.of_run(run)?;
        let mut passwords = Passwords {
            make: password,
            reveal,
        };
        let mut done = Done::default();
        let applied: Vec<&Entry> = lines
            .iter()
            .filter(|line| line.event == Event::Receipt && line.outcome == Some(Outcome::Applied))
            .collect();
        for (place, receipt) in applied.iter().rev().enumerate() {
            if self.with.cancel.is_cancelled() {
                done.left = applied.len() - place;
                break;
            }
            let intent = lines.iter().find(|line| {
                line.event == Event::Intent && line.action == receipt.action && line.action.is_some()
            });
            if let Some(intent) = intent {
                let taken_back = self
                    .take_back(run, (intent, receipt), &settled, &mut passwords)
                    .await?;
                done.receipts.push(taken_back);
            }
        }
        let ended = Entry {
            undoes: Some(run.to_owned()),
            ..self.line(Event::Ended)
        };
        self.record(&ended)?;
        Ok(done)
    }

    async fn take_back(
        &mut self,
        run: &str,
        (intent, receipt): (&Entry, &Entry),
        settled: &BTreeMap<String, Settled>,
        passwords: &mut Passwords<'_, '_>,
    ) -> Result<Receipt, EnforceError> {
        let action = intent.action.clone().unwrap_or_default();
        let source = intent.source.clone().unwrap_or_else(|| SourceName::new(""));
        let deed = match intent.deed {
            Some(Deed::SetExpiry) => Deed::RestoreExpiry,
            _ => Deed::Recreate,
        };
        let mut share = intent.share.clone().unwrap_or_default();
        let line = Entry {
            plan: None,
            undoes: Some(run.to_owned()),
            value: intent
                .before
                .as_ref()
                .and_then(|before| before.seen.expires.clone()),
            deed: Some(deed),
            before: None,
            after: None,
            also_ends: Vec::new(),
            outcome: None,
            detail: None,
            ..intent.clone()
        };
        let past = self.journal.of_action(&action)?;
        let undone = past.iter().rfind(|line| {
            line.event == Event::Receipt
                && line.undoes.as_deref() == Some(run)
                && line.outcome == Some(Outcome::Applied)
                && line.deed == Some(deed)
        });
        let found = settled.get(&action).filter(|found| found.outcome.is_none());
        let verdict = if let Some(found) = found.and_then(Settled::verdict) {
            found
        } else if let Some(undone) = undone {
            share = undone.share.clone().unwrap_or(share);
            let finished = self.finish_password(&line, undone, passwords).await?;
            finished.unwrap_or_else(|| {
                Verdict::because(
                    Outcome::AlreadyDone,
                    format!("taken back by the run {}", undone.run),
                )
            })
        } else if deed == Deed::RestoreExpiry {
            self.restore_expiry(&line, intent, receipt).await?
        } else {
            let (verdict, made) = self.recreate(&line, intent, passwords).await?;
            share = made.unwrap_or(share);
            verdict
        };
        if !verdict.is_open
            && verdict
                .outcome
                .is_some_and(|outcome| outcome != Outcome::AlreadyDone)
        {
            self.record(&Entry {
                event: Event::Receipt,
                run: self.with.run.to_owned(),
                at: self.time(),
                who: self.with.who.clone(),
                share: Some(share.clone()),
                after: verdict.after.clone(),
                outcome: verdict.outcome,
                detail: verdict.detail.clone(),
                ..line
            })?;
        }
        Ok(verdict.receipt(&action, &source, &share, deed))
    }

    /// Gives a share the end date back that it had before, if it is as it was left.
    async fn restore_expiry(
        &mut self,
        line: &Entry,
        intent: &Entry,
        receipt: &Entry,
    ) -> Result<Verdict, JournalError> {
        let (Some(source), Some(target)) = (&line.source, intent.target()) else {
            return Ok(Verdict::because(Outcome::Refused, INCOMPLETE));
        };
        let (Some(before), Some(left)) = (&intent.before, &receipt.after) else {
            return Ok(Verdict::because(Outcome::Refused, INCOMPLETE));
        };
        let writer = match self.writer(source, line.act_as.as_deref()) {
            Ok(writer) => writer,
            Err(error) => return Ok(Verdict::untried(&error)),
        };
        if let Some(stopped) = self.take_turn(writer, source).await {
            return Ok(stopped);
        }
        let there = match self.look_or_tell(writer, source, &target).await? {
            Ok(Look::There(there)) => there,
            Ok(Look::Gone) => return Ok(Verdict::because(Outcome::Refused, "it was ended since")),
            Ok(Look::Lost(why)) => return Ok(Verdict::because(Outcome::Refused, why)),
            Err(verdict) => return Ok(verdict),
        };
        let others = there.drift_but_date(&left.seen);
        if !others.is_empty() {
            return Ok(Verdict::because(Outcome::Drifted, changed(&others)).with(there.state));
        }
        if is_date(&there.share.expires, before.seen.expires.as_deref()) {
            return Ok(Verdict::of(Outcome::AlreadyDone).with(there.state));
        }
        if there.state.seen.expires != left.seen.expires {
            return Ok(Verdict::because(Outcome::Drifted, changed(&["expires"])).with(there.state));
        }
        if self.is_past(line.value.as_deref()) {
            let words = "the date that it had is past";
            return Ok(Verdict::because(Outcome::Refused, words).with(there.state));
        }
        let why = writer
            .unrestorable(line.value.as_deref())
            .or_else(|| self.beyond_maximum(source, there.share.kind, line.value.as_deref()));
        if let Some(why) = why {
            return Ok(Verdict::because(Outcome::Refused, why).with(there.state));
        }
        if self.with.rehearsal {
            return Ok(Verdict::rehearsed().with(there.state));
        }
        let intent = Entry {
            event: Event::Intent,
            before: Some(there.state),
            ..self.now(line)
        };
        self.journal.append(&intent)?;
        let asked = writer.set_expiry(&target, line.value.as_deref()).await;
        if let Err(error) = &asked {
            self.weigh(source, error);
            if error.effect != ChangeEffect::Unknown {
                return Ok(Verdict::unmade(error));
            }
        }
        let there = match self.look_or_tell(writer, source, &target).await? {
            Ok(Look::There(there)) => there,
            Ok(_) => {
                return Ok(Verdict::because(
                    Outcome::Drifted,
                    "it was ended at the same time",
                ));
            }
            Err(verdict) => {
                return Ok(Verdict {
                    is_open: true,
                    ..verdict
                });
            }
        };
        let expires = there.state.seen.expires.clone();
        let verdict = date_verdict(&intent, Deed::RestoreExpiry, *there);
        Ok(match (verdict.outcome, asked) {
            (Some(Outcome::Applied), _) => verdict,
            (_, Err(error)) => Verdict::open(&error),
            (_, Ok(())) => {
                let ends = expires.map_or_else(|| "never".to_owned(), |day| format!("on {day}"));
                Verdict {
                    outcome: Some(Outcome::Failed),
                    detail: Some(format!("the service lets it end {ends} instead")),
                    ..verdict
                }
            }
        })
    }

    /// Waits until a change can be sent at once; what an action comes to where that failed.
    pub(super) async fn take_turn(&mut self, writer: &dyn Writer, source: &SourceName) -> Option<Verdict> {
        if self.with.rehearsal {
            return None;
        }
        let error = self.unless_stopped(writer.turn()).await.err()?;
        self.weigh(source, &error);
        Some(Verdict::untried(&error))
    }

    /// A line as one of this run, now.
    pub(super) fn now(&self, line: &Entry) -> Entry {
        Entry {
            at: self.time(),
            who: self.with.who.clone(),
            run: self.with.run.to_owned(),
            ..line.clone()
        }
    }

    /// Whether a date, as a service states it, is past.
    pub(super) fn is_past(&self, value: Option<&str>) -> bool {
        let now = self.time();
        let Some(value) = value else { return false };
        match (value.parse::<Timestamp>(), value.parse::<Date>()) {
            (Ok(at), _) => at <= now,
            // Where on Earth its owner is is not known: it is past once it is past everywhere.
            (_, Ok(day)) => {
                let start = day.to_zoned(TimeZone::fixed(offset(LAST)));
                start.is_ok_and(|start| start.timestamp() <= now)
            }
            _ => false,
        }
    }

    /// The last day on which the service lets a share of a kind end; `None` where it sets no bound.
    pub(super) fn latest(&self, source: &SourceName, kind: ShareKind) -> Option<Date> {
        let days = self.open.get(source)?.most_days(kind)?;
        // Today is counted where it is earliest, so that it is no day too late anywhere.
        let today = self.time().to_zoned(TimeZone::fixed(offset(LAST))).date();
        today
            .checked_add(Span::new().try_days(i64::from(days)).ok()?)
            .ok()
    }

    /// Why the service does not take a date any more, or none.
    pub(super) fn beyond_maximum(
        &self,
        source: &SourceName,
        kind: ShareKind,
        value: Option<&str>,
    ) -> Option<&'static str> {
        let latest = self.latest(source, kind)?;
        match value.map(str::parse::<Date>) {
            None => Some("the service insists on an end date now, and it had none"),
            Some(Ok(day)) if day > latest => {
                Some("the service takes no date any more as late as the one that it had")
            }
            // Where ends are instants the service cuts them itself, and what it made of them is read back.
            Some(_) => None,
        }
    }

    /// Reads a share again, or says what an unreadable one comes to.
    pub(super) async fn look_or_tell(
        &mut self,
        writer: &dyn Writer,
        source: &SourceName,
        target: &Target,
    ) -> Result<Result<Look, Verdict>, JournalError> {
        match self.look(writer, target).await {
            Ok(look) => Ok(Ok(look)),
            Err(LookError::Journal(error)) => Err(error),
            Err(LookError::Service(error)) => {
                self.weigh(source, &error);
                Ok(Err(Verdict::untried(&error)))
            }
        }
    }
}

/// How far behind UTC the last place is, in hours.
const LAST: i8 = -12;

pub(super) const INCOMPLETE: &str = "the journal does not hold what was there";

/// Whether a share ends just when that says, or never where it says nothing.
fn is_date(expires: &Expiry, stated: Option<&str>) -> bool {
    match stated {
        None => *expires == Expiry::Never,
        stated => expires.stated() == stated,
    }
}
