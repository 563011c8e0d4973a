//! The plan as a file: made, written, read again, and refused where it is not what was written.

use jiff::{Span, Timestamp, civil::Date, tz::TimeZone};
use serde::Deserialize;
use std::collections::BTreeSet;

use super::{Action, Plan, SCHEMA};
use crate::model::{long_digest, short_digest};
use crate::report::text;

/// The most that is read of a file.
const MOST: usize = 64 * 1024 * 1024;
/// The longest piece of a file that an error shows, in columns.
const PIECE: usize = 60;
/// How long a plan may be carried out, in days.
const DAYS: i64 = 7;
/// The name of the schema, up to its version.
const FAMILY: &str = "sharewarden.plan/v";

/// Why a plan, or the decisions about it, are refused. Shows no more of the file than a short, escaped piece.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanFileError {
    /// It is longer than any plan.
    #[error("the file is larger than {} MiB, which no plan is", MOST / (1024 * 1024))]
    TooLarge,
    /// It is no JSON.
    #[error("not JSON at line {line}, column {column}: give the file that `plan --out` wrote")]
    NotJson {
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
    },
    /// It is JSON of another kind.
    #[error("not a plan: its `schema` is not `{SCHEMA}`; give the file that `plan --out` wrote")]
    OtherSchema,
    /// It is of another version.
    #[error(
        "a plan of the form `{0}`, and this version knows `{SCHEMA}`: make a new plan, or use the version that made it"
    )]
    OtherVersion(String),
    /// Something is missing in it, or is not known.
    #[error("not as a plan is written, at line {line}, column {column}: {what}; make a new plan")]
    Shape {
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
        /// What is wrong.
        what: String,
    },
    /// Two actions have the same id.
    #[error("actions {first} and {second} have the same id: the file was edited; make a new plan")]
    SameId {
        /// The place of the one, from 1.
        first: usize,
        /// The place of the other.
        second: usize,
    },
    /// Two actions are about the same share.
    #[error("actions {first} and {second} are about the same share: the file was edited; make a new plan")]
    SameShare {
        /// The place of the one, from 1.
        first: usize,
        /// The place of the other.
        second: usize,
    },
    /// Its digest is not that of what it says.
    #[error(
        "the plan was edited since it was made: its digest does not match; leave actions out by a CSV with decisions, or make a new plan"
    )]
    Edited,
    /// Its time is over.
    #[error("the plan expired at {0}: make a new one")]
    Expired(Timestamp),
    /// It was made later than now.
    #[error("the plan was made at {0}, which is yet to come: see whether this machine's clock is right")]
    FromTheFuture(Timestamp),
    /// It holds no decision.
    #[error("no decisions: a CSV has a header, and beneath it a row for each action")]
    NoDecisions,
    /// A CSV lacks a column.
    #[error("no column `{0}`: give the CSV that `plan --out` wrote")]
    NoColumn(&'static str),
    /// A CSV has a column twice.
    #[error("two columns `{0}`: leave one")]
    TwoColumns(&'static str),
    /// A row cannot be read.
    #[error("line {line}: not a row of a CSV: {what}")]
    Row {
        /// The line, from 1.
        line: u64,
        /// What is wrong.
        what: String,
    },
    /// A row lacks a value.
    #[error("line {line}: nothing in the column `{column}`")]
    Empty {
        /// The line, from 1.
        line: u64,
        /// The column.
        column: &'static str,
    },
    /// A decision is neither of the two.
    #[error("line {line}: the decision is `{given}`; write `do` or `skip`")]
    Decision {
        /// The line, from 1.
        line: u64,
        /// What is written there.
        given: String,
    },
    /// Two rows are about the same action.
    #[error("line {line}: the action `{id}` was decided before, on line {before}; leave one row")]
    DecidedTwice {
        /// The line, from 1.
        line: u64,
        /// The line of the other row.
        before: u64,
        /// The action.
        id: String,
    },
    /// Rows are about several plans.
    #[error("line {line}: another plan than in the rows above; decide about one plan in a file")]
    SeveralPlans {
        /// The line, from 1.
        line: u64,
    },
    /// The decisions are about another plan.
    #[error("the decisions are about the plan `{0}`, not about this one")]
    OtherPlan(String),
    /// The plan has no such action.
    #[error("line {line}: the plan has no action `{id}`")]
    NoAction {
        /// The line, from 1.
        line: u64,
        /// The id that was given.
        id: String,
    },
}

/// A short piece of a file, made safe to show.
pub(super) fn piece(text: &str) -> String {
    text::shorten(text, PIECE)
}

/// Refuses what is longer than any plan.
pub(super) fn bounded(text: &str) -> Result<(), PlanFileError> {
    if text.len() > MOST {
        Err(PlanFileError::TooLarge)
    } else {
        Ok(())
    }
}

/// As much of a plan as tells what the rest is.
#[derive(Deserialize)]
struct Head {
    #[serde(default)]
    schema: serde_json::Value,
}

impl Plan {
    /// A plan of actions as they were proposed; gives it and them their ids.
    ///
    /// It may be carried out for seven days, and not once the first of its end dates is there.
    #[must_use]
    pub fn made(mut actions: Vec<Action>, now: Timestamp) -> Self {
        let stamp = now.strftime("%Y%m%dT%H%M%SZ").to_string();
        let salt = short_digest([stamp.as_str(), &fastrand::u128(..).to_string()]);
        let id = format!("plan-{stamp}-{}", salt.get(..6).unwrap_or_default());
        let mut taken = BTreeSet::new();
        for action in &mut actions {
            action.id = (0..=u16::MAX)
                .map(|more| action.identity(&id, more))
                .find(|own| taken.insert(own.clone()))
                .unwrap_or_default();
        }
        let expires_at = expires_at(&actions, now);
        let mut plan = Self {
            schema: SCHEMA.to_owned(),
            id,
            created_at: now,
            expires_at,
            digest: String::new(),
            actions,
        };
        plan.digest = plan.digest_now();
        plan
    }

    /// The plan as the file holds it.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_default() + "\n"
    }

    /// Reads what [`Plan::to_json`] wrote.
    ///
    /// # Errors
    /// Whatever shows that it is something else, or was edited.
    pub fn read(text: &str) -> Result<Self, PlanFileError> {
        bounded(text)?;
        let head: Head = serde_json::from_str(text).map_err(|error| of_json(&error))?;
        match head.schema.as_str() {
            Some(SCHEMA) => {}
            Some(other) if other.starts_with(FAMILY) => {
                return Err(PlanFileError::OtherVersion(piece(other)));
            }
            _ => return Err(PlanFileError::OtherSchema),
        }
        let plan: Self = serde_json::from_str(text).map_err(|error| of_json(&error))?;
        if let Some((first, second)) = repeated(plan.actions.iter().map(|own| own.id.as_str())) {
            return Err(PlanFileError::SameId { first, second });
        }
        if let Some((first, second)) = repeated(plan.actions.iter().map(|own| (&own.source, &own.share))) {
            return Err(PlanFileError::SameShare { first, second });
        }
        if plan.digest == plan.digest_now() {
            Ok(plan)
        } else {
            Err(PlanFileError::Edited)
        }
    }

    /// Whether the plan may be carried out at an instant.
    ///
    /// # Errors
    /// It has expired, or was made later.
    pub fn check(&self, now: Timestamp) -> Result<(), PlanFileError> {
        if now < self.created_at {
            Err(PlanFileError::FromTheFuture(self.created_at))
        } else if now >= self.expires_at {
            Err(PlanFileError::Expired(self.expires_at))
        } else {
            Ok(())
        }
    }

    /// The digest of everything but the digest.
    pub(super) fn digest_now(&self) -> String {
        let bare = Self {
            digest: String::new(),
            ..self.clone()
        };
        long_digest(&serde_json::to_string(&bare).unwrap_or_default())
    }
}

impl Action {
    /// An id that no other plan has; a further one where it is taken.
    fn identity(&self, plan: &str, more: u16) -> String {
        let digest = short_digest([
            plan,
            self.source.as_str(),
            &self.share,
            self.action.as_str(),
            &more.to_string(),
        ]);
        format!("a-{}", digest.get(..10).unwrap_or_default())
    }

    /// When the share is to end: an instant, or the start of a day in UTC.
    pub(super) fn ends(&self) -> Option<Timestamp> {
        let value = self.value.as_deref()?;
        value.parse().ok().or_else(|| {
            let day: Date = value.parse().ok()?;
            Some(day.to_zoned(TimeZone::UTC).ok()?.timestamp())
        })
    }
}

/// From when on a plan of these actions is refused: an hour is always left, for a day may begin in UTC before it does
/// where the owner lives.
fn expires_at(actions: &[Action], now: Timestamp) -> Timestamp {
    let later = |span: Span| now.checked_add(span).unwrap_or(Timestamp::MAX);
    let week = later(Span::new().hours(24 * DAYS));
    let first = actions.iter().filter_map(Action::ends).min();
    first.map_or(week, |first| first.min(week).max(later(Span::new().hours(1))))
}

/// The places, from 1, of the first two that are the same.
fn repeated<T: Ord>(keys: impl Iterator<Item = T>) -> Option<(usize, usize)> {
    let mut seen = std::collections::BTreeMap::new();
    keys.zip(1..)
        .find_map(|(key, place)| seen.insert(key, place).map(|before| (before, place)))
}

fn of_json(error: &serde_json::Error) -> PlanFileError {
    let (line, column) = (error.line(), error.column());
    if !error.is_data() {
        return PlanFileError::NotJson { line, column };
    }
    let message = error.to_string();
    let place = format!(" at line {line} column {column}");
    PlanFileError::Shape {
        line,
        column,
        what: text::shorten(message.strip_suffix(&place).unwrap_or(&message), 2 * PIECE),
    }
}
