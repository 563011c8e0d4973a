//! What stands open in a source this night: what was announced and still holds, what no longer does, and what may be
//! announced.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::super::plan::look;
use super::{GraceError, Letters, Night, Planned, Reach};
use crate::enforce::Journal as _;
use crate::model::{Level, RuleId, SourceFacts, Status};
use crate::plan::grace::called_off;
use crate::plan::{Action, Announcement, Proposer, Step};
use crate::policy::Judge;
use crate::store::{Ledger, Narrowing, Plannable, StandsOpen, StoreError};

/// What stands announced, and what it is about was seen this night.
pub(super) struct Standing {
    pub(super) announced: Announcement,
    pub(super) level: Level,
}

/// What may be announced.
pub(super) struct Candidate {
    pub(super) level: Level,
    pub(super) first_seen: Option<Timestamp>,
    pub(super) action: Action,
}

impl Candidate {
    /// The most severe first, then the oldest.
    pub(super) fn rank(&self) -> impl Ord + use<> {
        let share = (self.action.source.clone(), self.action.share.clone());
        (Reverse(self.level), self.first_seen, share)
    }
}

/// A source, looked through.
pub(super) struct Review<'a> {
    ledger: &'a Ledger,
    night: &'a Night<'a>,
    now: Timestamp,
    judge: Judge<'a>,
    source: (&'a SourceFacts, &'a Planned<'a>),
    letters: &'a dyn Letters,
    /// What stands announced and was not come to yet, by share.
    announced: BTreeMap<String, Announcement>,
    /// The shares of which it is not known what became of a change.
    unsettled: BTreeSet<String>,
    pub(super) standing: Vec<Standing>,
    pub(super) candidates: Vec<Candidate>,
    pub(super) called_off: Vec<(Announcement, String)>,
    /// How many there is no room for on any day.
    pub(super) waiting: u64,
    pub(super) fallback_only: u64,
    /// How many nobody is told of.
    pub(super) untold: u64,
}

impl<'a> Review<'a> {
    pub(super) fn begin(
        ledger: &'a Ledger,
        (night, now): (&'a Night<'a>, Timestamp),
        source: (&'a SourceFacts, &'a Planned<'a>),
        letters: &'a dyn Letters,
    ) -> Result<Self, GraceError> {
        let (facts, planned) = source;
        let announced = ledger.announced(planned.name)?.into_iter();
        let unsettled = ledger.unsettled(planned.name)?.into_iter();
        Ok(Self {
            ledger,
            night,
            now,
            judge: Judge::new(night.policy, facts, now),
            source,
            letters,
            announced: announced.map(|one| (one.action.share.clone(), one)).collect(),
            unsettled: unsettled.filter_map(|intent| intent.share).collect(),
            standing: Vec::new(),
            candidates: Vec::new(),
            called_off: Vec::new(),
            waiting: 0,
            fallback_only: 0,
            untold: 0,
        })
    }

    /// Goes through all that stands open, and then through what was announced of anything else.
    pub(super) fn go_through(&mut self) -> Result<(), GraceError> {
        // It may be what we did ourselves: nothing is said of it before that is found out.
        for share in &self.unsettled {
            self.announced.remove(share);
        }
        let (ledger, name) = (self.ledger, self.source.1.name);
        let classes = self.night.policy.classes.digest();
        let mut failed = None;
        ledger.plannable(name, Narrowing::default(), classes, &mut |planned| {
            if failed.is_none() {
                failed = self.look_at(&planned).err();
            }
        })?;
        if let Some(error) = failed {
            return Err(error.into());
        }
        for (_, announced) in std::mem::take(&mut self.announced) {
            let why = match ledger.stands(&announced.action.finding)? {
                // It was not read, or not judged.
                Some(Status::New | Status::Open | Status::NotChecked) => continue,
                Some(Status::Waived) => "it was waived",
                Some(Status::Resolved) => "it was put right",
                Some(Status::ClosedByPolicy) => "the configuration no longer finds fault with it",
                None => "nothing is known of it any more",
            };
            self.called_off.push((announced, why.to_owned()));
        }
        Ok(())
    }

    /// Looks at a share with findings that stand open: as far as they were looked for this night.
    fn look_at(&mut self, planned: &Plannable) -> Result<(), StoreError> {
        let tonight = self.night.run.now.as_second();
        let checked: Vec<&StandsOpen> = planned
            .findings
            .iter()
            .filter(|finding| !finding.held && finding.checked_at.as_second() >= tonight)
            .collect();
        if checked.is_empty() {
            return Ok(());
        }
        if planned.announced {
            self.look_at_announced(planned, &checked)
        } else {
            self.look_at_new(planned, &checked)
        }
    }

    fn look_at_announced(&mut self, planned: &Plannable, checked: &[&StandsOpen]) -> Result<(), StoreError> {
        let id = &planned.share.id;
        let Some(announced) = self.announced.get(id) else {
            return Ok(());
        };
        let Some(finding) = checked.iter().find(|one| one.id == announced.action.finding) else {
            return Ok(());
        };
        let judged = self.judge.share(&planned.share, &planned.past);
        let rules: Vec<RuleId> = checked.iter().map(|finding| finding.rule).collect();
        let proposer = Proposer::new(self.night.rules, announced.announced_at);
        let about = (planned, &judged, rules.as_slice());
        let proposed = look(self.ledger, &self.judge, self.source, &proposer, about)?;
        let mut off = called_off(&announced.action, proposed.as_ref(), self.now);
        let level = finding.level;
        // Nothing is done without a reminder, and one to somebody else is none: they would hear the same every night.
        if off.is_none()
            && matches!(self.night.calendar.step(announced, self.now), Step::Remind(_))
            && self
                .letters
                .reaches(self.ledger, &planned.share, &announced.action)?
                == Some(Reach::Fallback)
        {
            off = Some("its owner can no longer be told".to_owned());
        }
        let Some(announced) = self.announced.remove(id) else {
            return Ok(());
        };
        match off {
            Some(why) => self.called_off.push((announced, why)),
            None => self.standing.push(Standing { announced, level }),
        }
        Ok(())
    }

    fn look_at_new(&mut self, planned: &Plannable, checked: &[&StandsOpen]) -> Result<(), StoreError> {
        let share = &planned.share;
        if !self.night.writers.contains_key(&share.source) || self.unsettled.contains(&share.id) {
            return Ok(());
        }
        let judged = self.judge.share(share, &planned.past);
        let told = checked.iter().map(|finding| finding.rule);
        let told: Vec<RuleId> = told.filter(|rule| !judged.untold.contains(rule)).collect();
        let proposer = Proposer::new(self.night.rules, self.night.calendar.due(self.now));
        let about = (planned, &judged, told.as_slice());
        let Some(Ok(action)) = look(self.ledger, &self.judge, self.source, &proposer, about)? else {
            return Ok(());
        };
        match self.letters.reaches(self.ledger, share, &action)? {
            Some(Reach::Owner) => {}
            Some(Reach::Fallback) => {
                self.fallback_only += 1;
                return Ok(());
            }
            None => {
                self.untold += 1;
                return Ok(());
            }
        }
        let level = checked.iter().find(|finding| finding.id == action.finding);
        self.candidates.push(Candidate {
            level: level.map_or(Level::Info, |finding| finding.level),
            first_seen: planned.past.first_seen,
            action,
        });
        self.prune();
        Ok(())
    }

    /// Lets those go that come after as many as may be changed in a day: not all of them are to be held.
    fn prune(&mut self) {
        let most = usize::try_from(self.night.caps.changes).unwrap_or(usize::MAX);
        if self.candidates.len() < most.saturating_mul(2).max(1000) {
            return;
        }
        self.candidates.sort_by_cached_key(Candidate::rank);
        self.waiting += self.candidates.len().saturating_sub(most) as u64;
        self.candidates.truncate(most);
    }
}
