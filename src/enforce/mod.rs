//! Carries plans out, takes them back, and goes on after a crash: the only part that changes a service.
//!
//! Only from a recorded plan, only what still is as the plan saw it, and each change between two lines of the journal: what
//! is meant to be done is on record before it is asked for, and what became of it after it was read back. A run that was
//! killed leaves an intent without a receipt; the next one finds out what became of it before it does anything else.

mod apply;
mod journal;
mod remake;
mod settle;
mod undo;

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use tokio_util::sync::CancellationToken;

pub use crate::provider::{Place, Target};
pub use journal::{Deed, Entry, Event, Journal, JournalError, KnownShare, Outcome, State, Who};
pub use undo::{Reveal, Revealed};

use crate::model::{Audience, ProblemCode, Share, SourceFacts, SourceName, short_digest};
use crate::plan::{Action, Expects};
use crate::provider::{ChangeEffect, Clock, Found, WriteError, Writer};

/// How far the clock here and the service's may be apart.
const CLOCKS_APART: SignedDuration = SignedDuration::from_mins(5);

/// Changes sources: holds what reads and changes them, and the journal of it.
pub struct Enforcer<'a> {
    journal: &'a mut dyn Journal,
    writers: &'a BTreeMap<SourceName, Box<dyn Writer>>,
    with: Conditions<'a>,
    /// The sources that may be changed, and what they say of themselves.
    open: BTreeMap<SourceName, SourceFacts>,
    /// The accounts that nothing can be changed in the name of, and why.
    barred: BTreeMap<(SourceName, String), WriteError>,
    closed: Closed,
}

/// Who changes, under which name, and when to stop.
#[derive(Clone, Copy)]
pub struct Conditions<'a> {
    /// Who can open a share, by the policy.
    pub audience: &'a (dyn Fn(&Share) -> Audience + Sync),
    /// The time here.
    pub clock: Clock<'a>,
    /// What becomes of an action of the plan that is not to be done after all, and why, in our own words; `None` where it is.
    pub bar: &'a (dyn Fn(&Action) -> Option<(Outcome, &'static str)> + Sync),
    /// Who does it.
    pub who: &'a Who,
    /// The run's id.
    pub run: &'a str,
    /// Whether nothing is sent that changes anything, and nothing recorded.
    pub rehearsal: bool,
    /// Asks to stop: a change that was begun is finished.
    pub cancel: &'a CancellationToken,
}

impl std::fmt::Debug for Conditions<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Conditions")
            .field("who", &self.who)
            .field("run", &self.run)
            .field("rehearsal", &self.rehearsal)
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Enforcer<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Enforcer")
            .field("run", &self.with.run)
            .finish_non_exhaustive()
    }
}

/// What became of an action.
#[derive(Clone, Debug, PartialEq)]
pub struct Receipt {
    /// The action's id.
    pub action: String,
    /// The source.
    pub source: SourceName,
    /// The share; of one that was made again, the new one.
    pub share: String,
    /// What was to be done.
    pub deed: Deed,
    /// What became of it; `None` in a rehearsal for what would be done.
    pub outcome: Option<Outcome>,
    /// More of that, for people; may quote the service.
    pub detail: Option<String>,
    /// What is there now, where that was read.
    pub after: Option<State>,
}

/// The sources in which nothing more can be changed, and why.
pub type Closed = BTreeMap<SourceName, WriteError>;

/// What a run of changes came to.
#[derive(Debug, Default)]
pub struct Done {
    /// What became of each action, in their order.
    pub receipts: Vec<Receipt>,
    /// How many actions were not come to, because the run was asked to stop.
    pub left: usize,
    /// Where nothing more could be changed in the end.
    pub closed: Closed,
}

impl Done {
    /// Whether everything was done, or was so before.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.left == 0
            && self.receipts.iter().all(|receipt| {
                matches!(
                    receipt.outcome,
                    None | Some(Outcome::Applied | Outcome::AlreadyDone)
                )
            })
    }
}

/// Why a run of changes ended before its end, or did not begin.
#[derive(Debug, thiserror::Error)]
pub enum EnforceError {
    /// The clocks differ, and somebody is there to set them right.
    #[error(
        "the clock here and that of `{source_name}` differ by {seconds} seconds: set the clock right; nothing was changed there"
    )]
    Clock {
        /// The source.
        source_name: SourceName,
        /// By how much.
        seconds: i64,
    },
    /// The journal cannot be kept: nothing more was changed.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// No run of changes has this id.
    #[error("no run of changes has the id {0:?}")]
    NoSuchRun(String),
    /// What is to be taken back took something back itself.
    #[error("the run {0:?} took changes back itself: make a new plan instead")]
    NoUndo(String),
}

/// An id for a run of changes.
#[must_use]
pub fn run_id(now: Timestamp) -> String {
    let stamp = now.strftime("%Y%m%dT%H%M%SZ").to_string();
    let salt = short_digest([stamp.as_str(), &fastrand::u64(..).to_string()]);
    format!("change-{stamp}-{}", salt.get(..6).unwrap_or_default())
}

impl<'a> Enforcer<'a> {
    /// Prepares to change sources; nothing is sent.
    pub fn new(
        journal: &'a mut dyn Journal,
        writers: &'a BTreeMap<SourceName, Box<dyn Writer>>,
        with: Conditions<'a>,
    ) -> Self {
        Self {
            journal,
            writers,
            with,
            open: BTreeMap::new(),
            barred: BTreeMap::new(),
            closed: Closed::new(),
        }
    }

    /// Checks, before the first change, clocks, credentials and rights of all that is needed.
    async fn prepare(&mut self, needed: BTreeMap<&SourceName, BTreeSet<&str>>) -> Result<(), EnforceError> {
        for (source, accounts) in needed {
            let Some(writer) = self.writers.get(source) else {
                continue;
            };
            let opened = match writer.open().await {
                Ok(opened) => opened,
                Err(error) => {
                    self.closed.insert(source.clone(), error);
                    continue;
                }
            };
            if let Some(date) = opened.date {
                let apart = date.duration_since((self.with.clock)()).abs();
                if apart > CLOCKS_APART {
                    let wrong = EnforceError::Clock {
                        source_name: source.clone(),
                        seconds: apart.as_secs(),
                    };
                    if *self.with.who != Who::Schedule {
                        return Err(wrong);
                    }
                    // Nobody is there to set it right, and the other sources need not wait for that.
                    let closed = WriteError {
                        effect: ChangeEffect::None,
                        code: ProblemCode::ClockDiffers,
                        message: wrong.to_string(),
                    };
                    self.closed.insert(source.clone(), closed);
                    continue;
                }
            }
            self.open.insert(source.clone(), opened.facts);
            for account in accounts {
                if self.with.cancel.is_cancelled() {
                    return Ok(());
                }
                if let Err(error) = writer.may_act_as(account).await {
                    if error.concerns_source() {
                        self.closed.insert(source.clone(), error);
                        break;
                    }
                    self.barred.insert((source.clone(), account.to_owned()), error);
                }
            }
        }
        Ok(())
    }

    /// What changes a source in the name of an account, or why nothing can.
    fn writer(&self, source: &SourceName, act_as: Option<&str>) -> Result<&'a dyn Writer, WriteError> {
        let barred = act_as.and_then(|account| self.barred.get(&(source.clone(), account.to_owned())));
        if let Some(error) = self.closed.get(source) {
            return Err(WriteError {
                message: format!(
                    "not tried, since nothing more can be done there now: {}",
                    error.message
                ),
                ..error.clone()
            });
        }
        if let Some(error) = barred {
            return Err(error.clone());
        }
        let writer = self.writers.get(source).map(AsRef::as_ref);
        writer.ok_or_else(|| {
            WriteError::refused(
                ProblemCode::Forbidden,
                format!("nothing may be changed in `{source}`"),
            )
        })
    }

    /// Reads a share again, as the policy sees it.
    ///
    /// Also after a change: what became of it is found out even where the run is asked to stop.
    async fn look(&self, writer: &dyn Writer, target: &Target) -> Result<Look, LookError> {
        Ok(match writer.read(target).await? {
            Found::Gone => Look::Gone,
            Found::Lost(why) => Look::Lost(why),
            Found::Share(share) => self.seen(*share)?,
        })
    }

    /// A share that was read, as the policy sees it.
    fn seen(&self, mut share: Share) -> Result<Look, JournalError> {
        self.journal.fill(&mut share)?;
        let audience = (self.with.audience)(&share);
        Ok(Look::There(Box::new(There {
            state: State::of(&share, audience),
            share,
        })))
    }

    /// Waits for something that changes nothing, unless the run is asked to stop.
    async fn unless_stopped<T>(
        &self,
        waited: impl Future<Output = Result<T, WriteError>>,
    ) -> Result<T, WriteError> {
        tokio::select! {
            done = waited => done,
            () = self.with.cancel.cancelled() => Err(stopped()),
        }
    }

    /// Closes a source after an error that concerns all of it.
    fn weigh(&mut self, source: &SourceName, error: &WriteError) {
        if error.concerns_source() {
            self.closed.insert(source.clone(), error.clone());
        }
    }

    /// The time here, to the second.
    fn time(&self) -> Timestamp {
        let now = (self.with.clock)();
        Timestamp::from_second(now.as_second()).unwrap_or(now)
    }

    /// A line of the journal about this run.
    fn line(&self, event: Event) -> Entry {
        Entry::of_run(self.time(), self.with.who.clone(), event, self.with.run)
    }

    /// Records a receipt, unless this is a rehearsal.
    fn record(&mut self, entry: &Entry) -> Result<(), JournalError> {
        if self.with.rehearsal {
            return Ok(());
        }
        self.journal.append(entry)
    }
}

/// What is there of a share.
enum Look {
    /// It is there.
    There(Box<There>),
    /// It is gone, and its item is there.
    Gone,
    /// It cannot be seen any more, and whether it still works is not known.
    Lost(&'static str),
}

/// A share that is there.
struct There {
    state: State,
    share: Share,
}

impl There {
    /// What keeps it from being what was expected, by the names of the fields.
    fn drift(&self, expected: &Expects) -> Vec<&'static str> {
        let mut drift = expected.drift(&self.state.seen);
        if self.is_same_day_elsewhere(expected) {
            drift.retain(|field| *field != "expires");
        }
        if self.share.inherited {
            drift.push("inherited");
        }
        drift
    }

    /// Whether the two dates are one, told by accounts of different zones: of what somebody shared who is not the owner
    /// either may have been the one that was read.
    fn is_same_day_elsewhere(&self, expected: &Expects) -> bool {
        let sharer = self.share.shared_by.as_ref();
        let is_reshare = sharer.is_some_and(|who| who.id != self.share.owner.id);
        let day = |text: &Option<String>| text.as_ref()?.parse::<Date>().ok();
        match (is_reshare, day(&expected.expires), day(&self.state.seen.expires)) {
            (true, Some(one), Some(other)) => (one - other).get_days().abs() <= 1,
            _ => false,
        }
    }

    /// The same, apart from when it ends.
    fn drift_but_date(&self, expected: &Expects) -> Vec<&'static str> {
        let mut drift = self.drift(expected);
        drift.retain(|field| *field != "expires");
        drift
    }
}

/// A share could not be looked at.
enum LookError {
    Service(WriteError),
    Journal(JournalError),
}

impl From<WriteError> for LookError {
    fn from(error: WriteError) -> Self {
        Self::Service(error)
    }
}

impl From<JournalError> for LookError {
    fn from(error: JournalError) -> Self {
        Self::Journal(error)
    }
}

/// Words about fields that changed.
fn changed(fields: &[&str]) -> String {
    format!("changed since: {}", fields.join(", "))
}

/// The run was asked to stop before something was done.
fn stopped() -> WriteError {
    WriteError {
        effect: ChangeEffect::None,
        code: ProblemCode::Interrupted,
        message: "the run was asked to stop".to_owned(),
    }
}
