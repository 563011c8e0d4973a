//! The grace period: what may be done is announced, its owner reminded, and done when it is due; or called off.
//!
//! A night is composed in this order, after its sources were read and judged: what letters of a night that was cut short
//! were accepted for is stored; what no longer stands is called off; what is due is done; then owners are told. A letter's
//! record says what it promises, and outlasts a crash: what was accepted is stored as announced after.

mod review;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use futures::future::BoxFuture;
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use self::review::{Candidate, Review, Standing};
use super::change::catch_up;
use super::{Planned, apply, evidence};
use crate::enforce::{
    Closed, Conditions, EnforceError, Journal as _, JournalError, Outcome, Receipt, Who, run_id,
};
use crate::model::{Audience, ProblemCode, Share, SourceName};
use crate::plan::{
    Action, Announcement, Calendar, Caps, Ended, EnforceRule, Notice, Notices, Plan, Room, Step, Subject,
};
use crate::policy::{self, Policy};
use crate::provider::{Clock, Writer};
use crate::store::{Ledger, Promised, Run, StoreError};

/// Who a letter about somebody's share reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// The owner, or who answers for what no person owns.
    Owner,
    /// Only whoever is told instead.
    Fallback,
}

/// Tells owners.
pub trait Letters: Send + Sync {
    /// Whom a letter about an action on a share would reach; `None` where nobody is told of it. Sends nothing.
    ///
    /// # Errors
    /// Any [`StoreError`] of the file.
    fn reaches(&self, ledger: &Ledger, share: &Share, action: &Action) -> Result<Option<Reach>, StoreError>;

    /// Tells owners how everything stands, and these notices with it. Each letter is on record before it is sent, with its
    /// notices, and so is that it was accepted: [`Ledger::promised`] gives them then.
    fn tell<'a>(
        &'a mut self,
        ledger: &'a mut Ledger,
        notices: &'a Notices,
    ) -> BoxFuture<'a, Result<(), StoreError>>;
}

/// What a night works with.
pub struct Night<'a> {
    /// The scan of this night.
    pub run: &'a Run,
    /// The time.
    pub clock: Clock<'a>,
    /// Whether anything is announced and done at all.
    pub on: bool,
    /// The policy.
    pub policy: &'a Policy,
    /// Which findings are put right, and how.
    pub rules: &'a [EnforceRule],
    /// How much may be changed on one day.
    pub caps: Caps,
    /// When something may fall due.
    pub calendar: &'a Calendar,
    /// All configured sources.
    pub sources: &'a [Planned<'a>],
    /// What changes those that may be changed.
    pub writers: &'a BTreeMap<SourceName, Box<dyn Writer>>,
    /// Whether it is only tried: nothing is sent that changes anything. The ledger is a copy then.
    pub rehearsal: bool,
    /// Asks to stop: a change that was begun is finished.
    pub cancel: &'a CancellationToken,
}

impl std::fmt::Debug for Night<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Night")
            .field("run", &self.run)
            .finish_non_exhaustive()
    }
}

impl<'a> Night<'a> {
    fn audience(&self) -> impl Fn(&Share) -> Audience + Sync + use<'a> {
        let policy = self.policy;
        move |share| policy::audience(policy, share)
    }

    fn conditions<'c>(
        &'c self,
        run: &'c str,
        audience: &'c (dyn Fn(&Share) -> Audience + Sync),
    ) -> Conditions<'c> {
        Conditions {
            audience,
            // What was waived since is called off before.
            bar: &|_| None,
            clock: self.clock,
            who: &Who::Schedule,
            run,
            rehearsal: self.rehearsal,
            cancel: self.cancel,
        }
    }
}

/// What a night came to, for whoever answers for it.
#[derive(Debug, Default)]
pub struct Kept {
    /// How many actions were announced.
    pub announced: u64,
    /// How many are asked for and wait for a day on which there is room.
    pub waiting: u64,
    /// How many only somebody else than the owner could be told of: they wait for a plan that somebody makes.
    pub fallback_only: u64,
    /// Of how many, to be announced or reminded of, no letter was accepted that tells them in full, be it that none is written.
    pub untold: u64,
    /// Of how many owners were reminded.
    pub reminded: u64,
    /// How many fall due later than was told.
    pub postponed: u64,
    /// What was called off, and why, in our own words.
    pub cancelled: Vec<(Announcement, String)>,
    /// How many were done, or were so already.
    pub done: u64,
    /// How many are due and wait for a day on which there is room, or for the next night since this one was cut short.
    pub left: u64,
    /// What could not be done: it is tried again the next night.
    pub failed: Vec<Receipt>,
    /// In which sources nothing more could be changed, so that nothing was announced there, and why.
    pub closed: Closed,
    /// Why nothing more was changed, and nothing announced, on this night.
    pub stopped: Option<EnforceError>,
}

/// Why no more is changed.
#[derive(Debug, thiserror::Error)]
enum GraceError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Enforce(#[from] EnforceError),
}

impl From<JournalError> for GraceError {
    fn from(error: JournalError) -> Self {
        Self::Enforce(error.into())
    }
}

/// Keeps what was promised: calls off, does what is due, and has owners told, with what they are to be reminded of and what
/// is announced. `run` was read and judged before.
///
/// # Errors
/// Any [`StoreError`] of the file. What was kept until then is on record.
pub async fn keep(
    ledger: &mut Ledger,
    night: &Night<'_>,
    letters: &mut dyn Letters,
) -> Result<Kept, StoreError> {
    let now = Timestamp::from_second((night.clock)().as_second()).unwrap_or_default();
    let mut keeper = Keeper {
        ledger,
        night,
        now,
        kept: Kept::default(),
    };
    keeper.store_promises()?;
    keeper.call_off_removed()?;
    let notices = if night.on {
        match keeper.enforce(letters).await {
            Ok(notices) => notices,
            Err(GraceError::Store(error)) => return Err(error),
            // Owners are told how everything stands all the same.
            Err(GraceError::Enforce(why)) => {
                keeper.kept.stopped = Some(why);
                Notices::new()
            }
        }
    } else {
        keeper.call_all_off()?;
        Notices::new()
    };
    letters.tell(keeper.ledger, &notices).await?;
    let told = keeper.store_promises()?;
    keeper.kept.untold += (notices.len() as u64).saturating_sub(told);
    Ok(keeper.kept)
}

struct Keeper<'a> {
    ledger: &'a mut Ledger,
    night: &'a Night<'a>,
    now: Timestamp,
    kept: Kept,
}

impl Keeper<'_> {
    /// Does what is due, and gives what owners are to be told of what comes.
    async fn enforce(&mut self, letters: &dyn Letters) -> Result<Notices, GraceError> {
        self.catch_up().await?;
        let (standing, mut candidates) = self.review(letters)?;
        let mut due = Vec::new();
        let mut notices = Notices::new();
        for one in standing {
            match self.night.calendar.step(&one.announced, self.now) {
                Step::Wait => {}
                Step::Act => due.push(one),
                Step::Remind(due) => {
                    let subject = Subject::Reminder(one.announced.id);
                    notices.insert(about(&one.announced.action), Notice { subject, due });
                }
                Step::Postpone(until) => {
                    self.ledger
                        .postpone(one.announced.id, Some(self.night.run), until)?;
                    self.kept.postponed += 1;
                }
            }
        }
        let ended = self.act(due).await?;
        let closed = &self.kept.closed;
        candidates
            .retain(|one| !ended.contains(&about(&one.action)) && !closed.contains_key(&one.action.source));
        self.offer(candidates, &mut notices)?;
        Ok(notices)
    }

    /// Finds out what became of changes that a run was killed in.
    async fn catch_up(&mut self) -> Result<(), GraceError> {
        let mut unsettled = Vec::new();
        for source in self.night.writers.keys() {
            if !self.ledger.unsettled(source)?.is_empty() {
                unsettled.push(source.clone());
            }
        }
        if unsettled.is_empty() {
            return Ok(());
        }
        let (id, audience) = (run_id(self.now), self.night.audience());
        let conditions = self.night.conditions(&id, &audience);
        self.kept.closed = catch_up(self.ledger, self.night.writers, conditions, &unsettled).await?;
        Ok(())
    }

    /// Calls off what was announced in sources that are not configured any more: nobody reads them, so nothing will be done.
    fn call_off_removed(&mut self) -> Result<(), StoreError> {
        for source in self.ledger.sources_announced()? {
            if !self.night.sources.iter().any(|known| *known.name == source) {
                for announced in self.ledger.announced(&source)? {
                    self.call_off(announced, "its source is not configured any more".to_owned())?;
                }
            }
        }
        Ok(())
    }

    /// Calls everything off: nobody keeps the promised dates any more.
    fn call_all_off(&mut self) -> Result<(), StoreError> {
        for source in self.night.sources {
            for announced in self.ledger.announced(source.name)? {
                self.call_off(announced, "enforcement was switched off".to_owned())?;
            }
        }
        Ok(())
    }

    fn call_off(&mut self, announced: Announcement, why: String) -> Result<(), StoreError> {
        let ended = (Ended::Cancelled, why.as_str());
        self.ledger
            .end_announcement(announced.id, Some(self.night.run), self.now, ended)?;
        self.kept.cancelled.push((announced, why));
        Ok(())
    }

    /// Looks at everything that stands open and was checked this night: calls off what was announced and no longer holds,
    /// and gives what does, and what may be announced.
    fn review(&mut self, letters: &dyn Letters) -> Result<(Vec<Standing>, Vec<Candidate>), GraceError> {
        let (mut standing, mut candidates) = (Vec::new(), Vec::new());
        for source in self.night.sources {
            let Some(facts) = self.ledger.facts(source.name)? else {
                // It was never read: nothing is known of it.
                continue;
            };
            let problems = self.ledger.problems(self.night.run, source.name)?;
            if problems
                .iter()
                .any(|problem| problem.code == ProblemCode::BeingScanned)
            {
                // What another scan finds there is not known to be whole yet.
                continue;
            }
            let mut review = Review::begin(self.ledger, (self.night, self.now), (&facts, source), letters)?;
            review.go_through()?;
            standing.append(&mut review.standing);
            candidates.append(&mut review.candidates);
            self.kept.waiting += review.waiting;
            self.kept.fallback_only += review.fallback_only;
            self.kept.untold += review.untold;
            for (announced, why) in std::mem::take(&mut review.called_off) {
                self.call_off(announced, why)?;
            }
        }
        Ok((standing, candidates))
    }

    /// Does what is due, as far as there is room on this day, the most severe first; gives the shares that were to end.
    async fn act(&mut self, mut due: Vec<Standing>) -> Result<BTreeSet<(SourceName, String)>, GraceError> {
        due.sort_by_key(|one| (Reverse(one.level), one.announced.announced_at, one.announced.id));
        let mut room = self.room()?;
        let sources = self.night.sources.iter().map(|source| source.name.clone());
        let unanswered = evidence::unanswered(self.ledger, self.night.run, self.night.policy, sources)?;
        let is_kept = |action: &Action| {
            let mut shares = std::iter::once(&action.share).chain(&action.also_ends);
            !shares.any(|share| unanswered.contains(&(action.source.clone(), share.clone())))
        };
        let (chosen, waiting): (Vec<_>, Vec<_>) = due
            .into_iter()
            .map(|one| one.announced)
            .partition(|announced| is_kept(&announced.action) && room.take(&announced.action));
        self.kept.left += waiting.len() as u64;
        let mut ended = BTreeSet::new();
        if chosen.is_empty() {
            return Ok(ended);
        }
        let actions = chosen.iter().map(|announced| announced.action.clone());
        let plan = Plan::made(actions.collect(), self.now);
        self.ledger.record_plan(&plan)?;
        let (id, audience) = (run_id(self.now), self.night.audience());
        let conditions = self.night.conditions(&id, &audience);
        let actions: Vec<&Action> = plan.actions.iter().collect();
        let done = apply(self.ledger, self.night.writers, conditions, &plan.id, &actions).await?;
        self.kept.left += done.left as u64;
        self.kept.closed.extend(done.closed);
        // Receipts come in the order of the actions.
        for (receipt, announced) in done.receipts.into_iter().zip(chosen) {
            match receipt.outcome {
                // In a rehearsal it would be.
                Some(Outcome::Applied | Outcome::AlreadyDone) | None => {
                    let all = std::iter::once(&announced.action.share).chain(&announced.action.also_ends);
                    ended.extend(all.map(|share| (announced.action.source.clone(), share.clone())));
                    self.kept.done += 1;
                }
                Some(Outcome::Drifted) => {
                    let why = receipt.detail.unwrap_or_else(|| "it was changed".to_owned());
                    self.call_off(announced, why)?;
                }
                Some(Outcome::Refused | Outcome::Failed) => self.kept.failed.push(receipt),
            }
        }
        Ok(ended)
    }

    /// Room for a day on which nothing is to be done yet.
    fn room(&self) -> Result<Room, StoreError> {
        let mut known = BTreeMap::new();
        for source in self.night.sources {
            known.insert(source.name.clone(), self.ledger.known_shares(source.name)?);
        }
        Ok(Room::new(self.night.caps, known))
    }

    /// Announces what fits into the day on which it falls due, the most severe first.
    fn offer(&mut self, mut candidates: Vec<Candidate>, notices: &mut Notices) -> Result<(), StoreError> {
        let calendar = self.night.calendar;
        let due = calendar.due(self.now);
        let mut room = self.room()?;
        for source in self.night.sources {
            for announced in self.ledger.announced(source.name)? {
                if calendar.day(announced.due_at) == calendar.day(due) {
                    room.count(&announced.action);
                }
            }
        }
        candidates.sort_by_cached_key(Candidate::rank);
        for Candidate { action, .. } in candidates {
            if room.take(&action) {
                let subject = Subject::Offer(Box::new(action.clone()));
                notices.insert(about(&action), Notice { subject, due });
            } else {
                self.kept.waiting += 1;
            }
        }
        Ok(())
    }

    /// Stores what letters were accepted for, once; gives how many notices they were.
    fn store_promises(&mut self) -> Result<u64, StoreError> {
        let mut stored = 0;
        for promised in self.ledger.promised()? {
            stored += u64::from(match &promised.notice.subject {
                Subject::Offer(action) => self.store_offer(&promised, action)?,
                Subject::Reminder(id) => self.store_reminder(&promised, *id)?,
            });
            self.ledger.settle_promise(&promised)?;
        }
        Ok(stored)
    }

    fn store_offer(&mut self, promised: &Promised, action: &Action) -> Result<bool, StoreError> {
        let Promised {
            letter, at, notice, ..
        } = promised;
        if self.ledger.is_announced(action, letter)? {
            return Ok(false);
        }
        // A letter may have taken its time.
        let due = self.night.calendar.due(*at).max(notice.due);
        match self
            .ledger
            .announce(Some(self.night.run), action, letter, (*at, due))
        {
            Ok(_) => {
                self.kept.announced += 1;
                Ok(true)
            }
            // It was forgotten meanwhile, as its owner asked.
            Err(StoreError::Unknown { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn store_reminder(&mut self, promised: &Promised, id: i64) -> Result<bool, StoreError> {
        let mut known = None;
        for source in self.night.sources {
            let standing = self.ledger.announced(source.name)?.into_iter();
            known = known.or_else(|| standing.into_iter().find(|one| one.id == id));
        }
        let at = promised.at;
        let Some(known) = known.filter(|known| known.reminded_at < Some(at)) else {
            return Ok(false);
        };
        self.ledger.reminded(id, at)?;
        self.kept.reminded += 1;
        if promised.notice.due > known.due_at {
            self.ledger
                .postpone(id, Some(self.night.run), promised.notice.due)?;
            self.kept.postponed += 1;
        }
        Ok(true)
    }
}

/// Which share an action is about.
fn about(action: &Action) -> (SourceName, String) {
    (action.source.clone(), action.share.clone())
}

#[cfg(test)]
mod tests;
