//! When what was announced falls due, when its owner is reminded, and why it is called off.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Span, Timestamp, civil::Date, tz::TimeZone};

use super::{Action, Announcement, Caps, Unproposed};
use crate::model::SourceName;

/// A reminder comes so long before what it is about, or longer,
const SOONEST: SignedDuration = SignedDuration::from_hours(24);
/// but no longer than this.
const LONGEST: SignedDuration = SignedDuration::from_hours(5 * 24);

/// Days on which nothing falls due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Freeze {
    /// The first day.
    pub first: Date,
    /// The last day; not before the first.
    pub last: Date,
}

impl Freeze {
    /// Whether a day is one of them.
    #[must_use]
    pub fn contains(&self, day: Date) -> bool {
        (self.first..=self.last).contains(&day)
    }
}

/// When something may fall due.
#[derive(Clone, Debug)]
pub struct Calendar {
    /// In which days are counted.
    pub zone: TimeZone,
    /// Days on which nothing falls due.
    pub freeze: Vec<Freeze>,
    /// The time from an announcement to the action.
    pub grace: Span,
}

/// What is next about an announcement, as far as time goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing.
    Wait,
    /// It is carried out.
    Act,
    /// It falls due later.
    Postpone(Timestamp),
    /// The owner is reminded; then it falls due at this time.
    Remind(Timestamp),
}

impl Calendar {
    /// The day of an instant.
    #[must_use]
    pub fn day(&self, at: Timestamp) -> Date {
        at.to_zoned(self.zone.clone()).date()
    }

    /// An instant where nothing freezes its day, else the same time on the first day after that is free.
    #[must_use]
    pub fn free(&self, at: Timestamp) -> Timestamp {
        let wanted = at.to_zoned(self.zone.clone());
        let mut day = wanted.date();
        while let Some(freeze) = self.freeze.iter().find(|freeze| freeze.contains(day)) {
            match freeze.last.tomorrow() {
                Ok(next) => day = next,
                Err(_) => return Timestamp::MAX,
            }
        }
        if day == wanted.date() {
            return at;
        }
        let moved = day.to_datetime(wanted.time()).to_zoned(self.zone.clone());
        moved.map_or(Timestamp::MAX, |moved| moved.timestamp())
    }

    /// When an action falls due that is announced at an instant.
    #[must_use]
    pub fn due(&self, announced: Timestamp) -> Timestamp {
        let due = announced.to_zoned(self.zone.clone()).checked_add(self.grace);
        due.map_or(Timestamp::MAX, |due| self.free(due.timestamp()))
    }

    /// What is next. Nothing is done without a reminder at least one and at most five days before: what comes due
    /// without is put off until a day after one was given.
    #[must_use]
    pub fn step(&self, announced: &Announcement, now: Timestamp) -> Step {
        let due = announced.due_at;
        let at = due.max(now);
        let free = self.free(at);
        if free != at {
            return Step::Postpone(free);
        }
        let since = announced.reminded_at.map(|reminded| at.duration_since(reminded));
        let ahead = due.duration_since(now);
        match since {
            Some(since) if since < SOONEST => {
                let reminded = announced.reminded_at.unwrap_or(now);
                Step::Postpone(self.free(later(reminded, SOONEST)))
            }
            Some(since) if since <= LONGEST => {
                if due <= now {
                    Step::Act
                } else {
                    Step::Wait
                }
            }
            _ if ahead > LONGEST => Step::Wait,
            _ if ahead >= SOONEST => Step::Remind(due),
            _ => Step::Remind(self.free(later(now, SOONEST))),
        }
    }
}

fn later(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.checked_add(by).unwrap_or(Timestamp::MAX)
}

/// How many more shares may change or end on one day.
#[derive(Clone, Debug)]
pub struct Room {
    caps: Caps,
    known: BTreeMap<SourceName, u64>,
    taken: BTreeMap<SourceName, BTreeSet<String>>,
}

impl Room {
    /// As much as these limits let be changed in sources of which so many shares are known.
    #[must_use]
    pub fn new(caps: Caps, known: BTreeMap<SourceName, u64>) -> Self {
        Self {
            caps,
            known,
            taken: BTreeMap::new(),
        }
    }

    /// Counts an action that is to be done on that day, whether there is room or not.
    pub fn count(&mut self, action: &Action) {
        let taken = self.taken.entry(action.source.clone()).or_default();
        taken.insert(action.share.clone());
        taken.extend(action.also_ends.iter().cloned());
    }

    /// Counts an action where there is room for it; whether there is.
    pub fn take(&mut self, action: &Action) -> bool {
        let here = self.taken.get(&action.source);
        let more = std::iter::once(&action.share)
            .chain(&action.also_ends)
            .filter(|share| here.is_none_or(|here| !here.contains(*share)))
            .collect::<BTreeSet<_>>()
            .len();
        let in_all: usize = self.taken.values().map(BTreeSet::len).sum();
        let in_source = here.map_or(0, BTreeSet::len);
        let known = self.known.get(&action.source).copied().unwrap_or_default();
        let fits =
            (in_all + more) as u64 <= self.caps.changes && (in_source + more) as u64 <= self.caps.most(known);
        if fits {
            self.count(action);
        }
        fits
    }
}

/// Why what was announced is called off, by what would be proposed with dates counted from when it was announced: the
/// share is not as it was, so much may not be done any more, or it is too late. `None` where it stands.
#[must_use]
pub fn called_off(
    announced: &Action,
    proposed: Option<&Result<Action, Unproposed>>,
    now: Timestamp,
) -> Option<String> {
    if announced.ends().is_some_and(|end| end <= now) {
        return Some("the end date that was announced came before it could be set".to_owned());
    }
    let now = match proposed {
        None => return Some("nothing that stands open asks for it any more".to_owned()),
        Some(Err(other)) => return Some(other.why.sentence().to_owned()),
        Some(Ok(now)) => now,
    };
    let changed = announced.expects.drift(&now.expects);
    if !changed.is_empty() {
        return Some(format!("changed since: {}", changed.join(", ")));
    }
    if now.owner != announced.owner {
        return Some("it belongs to somebody else now, who was not told".to_owned());
    }
    if now.action < announced.action {
        return Some("the configuration asks for less now".to_owned());
    }
    if now.action == announced.action && now.value > announced.value {
        return Some("the configuration lets it stay longer now".to_owned());
    }
    if now.act_as != announced.act_as {
        return Some("it could be done only in the name of another account now".to_owned());
    }
    let mut dying = now.also_ends.iter();
    let more = dying.any(|share| !announced.also_ends.contains(share));
    (now.action == announced.action && more).then(|| "another share would end with it".to_owned())
}
