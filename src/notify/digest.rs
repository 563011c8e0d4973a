//! Makes one letter of all that concerns one person, or none where there is nothing to say. Pure.

use std::collections::BTreeMap;

use jiff::civil::Date;

use super::letter::{Digest, Due, Entry, Told};
use crate::model::Level;

/// How many shares are told in full.
pub const IN_FULL: usize = 20;

/// A share that concerns a person, and what they heard of it before.
#[derive(Clone, Debug)]
pub struct Concern {
    /// The share, with all findings that stand.
    pub entry: Entry,
    /// What is due, as it was last told.
    pub due_before: Option<Date>,
}

/// Whether a person is written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Occasion {
    /// Something is new, changed, newly due, or overdue.
    News,
    /// Nothing is, and the last letter is old enough to say again what still stands.
    Again,
    /// There is nothing to say.
    None,
}

/// Whether a person is written to today; `last` is the day of the last letter that was accepted, `again` the first day on
/// which they are told again what merely still stands.
#[must_use]
pub fn occasion(concerns: &[Concern], today: Date, again: Option<Date>) -> Occasion {
    let is_news = |concern: &Concern| {
        let Entry { findings, due, .. } = &concern.entry;
        let due = due.as_ref().map(|due| due.on);
        findings.iter().any(|told| told.is_news)
            || due != concern.due_before
            || due.is_some_and(|due| due < today)
    };
    if concerns.iter().any(is_news) {
        Occasion::News
    } else if !concerns.is_empty() && again.is_none_or(|again| again <= today) {
        Occasion::Again
    } else {
        Occasion::None
    }
}

/// The digest of what concerns a person: what falls due soonest first, then the gravest, news before what they know.
#[must_use]
pub fn digest(concerns: Vec<Concern>) -> Digest {
    let mut entries: Vec<Entry> = concerns.into_iter().map(|concern| concern.entry).collect();
    for entry in &mut entries {
        entry
            .findings
            .sort_by(|one, other| (other.level, one.rule, &one.id).cmp(&(one.level, other.rule, &other.id)));
    }
    entries.sort_by(|one, other| order(one).cmp(&order(other)));
    let rest = entries.split_off(entries.len().min(IN_FULL));
    let mut more: BTreeMap<Level, u64> = BTreeMap::new();
    for entry in rest {
        *more.entry(worst(&entry)).or_default() += 1;
    }
    Digest { entries, more }
}

/// The gravest level of a share's findings.
fn worst(entry: &Entry) -> Level {
    let levels = entry.findings.iter().map(|told| told.level);
    levels.max().unwrap_or(Level::Info)
}

type Order<'e> = (
    bool,
    Option<Date>,
    std::cmp::Reverse<Level>,
    bool,
    &'e str,
    &'e str,
);

fn order(entry: &Entry) -> Order<'_> {
    let due = entry.due.as_ref().map(|Due { on, .. }| *on);
    let known = !entry.findings.iter().any(|Told { is_news, .. }| *is_news);
    (
        due.is_none(),
        due,
        std::cmp::Reverse(worst(entry)),
        known,
        entry.source.as_str(),
        &entry.item,
    )
}
