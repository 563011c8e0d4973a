//! Makes one letter of all that concerns one reader, or none where there is nothing to say. Pure.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use jiff::civil::Date;

use super::letter::{Digest, Entry};
use crate::model::Level;

/// How many shares are told in full.
pub const IN_FULL: usize = 20;

/// A share that concerns a reader, and what they heard of it before.
#[derive(Clone, Debug)]
pub struct Concern {
    /// The share, with all findings that they are told of.
    pub entry: Entry,
    /// What is due, as it was last told.
    pub due_before: Option<Date>,
    /// The day on which it was last told.
    pub told_on: Option<Date>,
    /// Whether it is to be told now, and in full: something is announced with it, or it is a reminder.
    pub is_asked_for: bool,
}

impl Concern {
    /// Whether there is something to say that they have not heard: something is new or changed, or falls due on another
    /// day than was told, or was due and they have not heard of it since, or they are to be reminded.
    fn is_news(&self, today: Date) -> bool {
        let due = self.entry.due.as_ref().map(|due| due.on);
        let overdue = |due: Date| due < today && self.told_on.is_none_or(|told| told <= due);
        self.is_asked_for
            || self.entry.findings.iter().any(|told| told.is_news)
            || due.is_some_and(|due| Some(due) != self.due_before || overdue(due))
    }
}

/// Whether a reader is written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Occasion {
    /// Something is new, changed, newly due, or overdue.
    News,
    /// Nothing is, and the last letter is old enough to say again what still stands.
    Again,
    /// There is nothing to say.
    None,
}

/// What concerns one reader, share by share: of all of them it holds those that are told in full.
#[derive(Clone, Debug)]
pub struct Gathering {
    today: Date,
    /// The first, those that are asked for before all others, each with whether it is.
    first: Vec<(bool, Entry)>,
    more: BTreeMap<Level, u64>,
    news: bool,
}

impl Gathering {
    /// Nothing yet, as it stands on a day.
    #[must_use]
    pub fn new(today: Date) -> Self {
        Self {
            today,
            first: Vec::new(),
            more: BTreeMap::new(),
            news: false,
        }
    }

    /// Adds a share.
    pub fn add(&mut self, concern: Concern) {
        self.news |= concern.is_news(self.today);
        let (is_asked_for, mut entry) = (concern.is_asked_for, concern.entry);
        entry
            .findings
            .sort_by(|one, other| (other.level, one.rule, &one.id).cmp(&(one.level, other.rule, &other.id)));
        let place = self
            .first
            .partition_point(|(asked, other)| (!asked, order(other)) <= (!is_asked_for, order(&entry)));
        self.first.insert(place, (is_asked_for, entry));
        if self.first.len() > IN_FULL
            && let Some((_, last)) = self.first.pop()
        {
            *self.more.entry(worst(&last)).or_default() += 1;
        }
    }

    /// Whether the reader is written to; `again` is the first day on which they are told again what merely still stands.
    #[must_use]
    pub fn occasion(&self, again: Option<Date>) -> Occasion {
        if self.news {
            Occasion::News
        } else if !self.first.is_empty() && again.is_none_or(|again| again <= self.today) {
            Occasion::Again
        } else {
            Occasion::None
        }
    }

    /// What they are told: what falls due soonest first, then news before what they know, each the gravest first.
    #[must_use]
    pub fn digest(self) -> Digest {
        let mut entries: Vec<Entry> = self.first.into_iter().map(|(_, entry)| entry).collect();
        entries.sort_by(|one, other| order(one).cmp(&order(other)));
        Digest {
            entries,
            more: self.more,
        }
    }
}

/// The gravest level of a share's findings.
fn worst(entry: &Entry) -> Level {
    let levels = entry.findings.iter().map(|told| told.level);
    levels.max().unwrap_or(Level::Info)
}

fn order(entry: &Entry) -> impl Ord + use<'_> {
    let due = entry.due.as_ref().map(|due| due.on);
    let known = !entry.findings.iter().any(|told| told.is_news);
    (
        due.is_none(),
        due,
        known,
        Reverse(worst(entry)),
        entry.source.as_str(),
        &entry.item,
        // Of two shares of one item: always in the same order.
        entry.findings.first().map(|told| &told.id),
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::{Access, Audience, FindingId, ItemKind, RuleId, ShareKind, SourceKind, SourceName};
    use crate::notify::{Due, Role, Told};
    use crate::plan::ActionKind;

    fn day(text: &str) -> Date {
        text.parse().unwrap()
    }

    const TODAY: &str = "2026-11-22";

    fn entry(item: &str, level: Level, is_news: bool, due: Option<&str>) -> Entry {
        let (source, rule) = (SourceName::new("cloud"), RuleId::LinkWithoutPassword);
        Entry {
            findings: vec![Told {
                id: FindingId::of(rule, &source, Some(item)),
                rule,
                level,
                is_news,
            }],
            source,
            product: SourceKind::Nextcloud,
            item: item.to_owned(),
            item_kind: ItemKind::File,
            kind: ShareKind::Link,
            audience: Audience::Anyone,
            access: Access::default(),
            password: Some(false),
            since: day("2026-01-01"),
            since_made: true,
            due: due.map(|on| Due {
                on: day(on),
                action: ActionKind::Revoke,
                value: None,
            }),
            role: Role::Owner,
        }
    }

    #[test]
    fn letters_are_written_where_there_is_news_or_time_enough_has_passed() {
        let today = day(TODAY);
        let concern = |is_news, due, due_before: Option<&str>, told_on: Option<&str>| Concern {
            entry: entry("a", Level::High, is_news, due),
            due_before: due_before.map(day),
            told_on: told_on.map(day),
            is_asked_for: false,
        };
        let (later, past) = (Some("2026-12-01"), Some("2026-11-20"));
        for (what, concern, again, expected) in [
            ("new", concern(true, None, None, None), None, Occasion::News),
            (
                "known",
                concern(false, None, None, Some("2026-11-21")),
                Some("2026-11-28"),
                Occasion::None,
            ),
            (
                "known long",
                concern(false, None, None, Some("2026-11-15")),
                Some(TODAY),
                Occasion::Again,
            ),
            (
                "due now",
                concern(false, later, None, Some("2026-11-21")),
                Some("2026-11-28"),
                Occasion::News,
            ),
            (
                "due as told",
                concern(false, later, later, Some("2026-11-21")),
                Some("2026-11-28"),
                Occasion::None,
            ),
            (
                "due later than told",
                concern(false, later, past, Some("2026-11-15")),
                Some("2026-11-28"),
                Occasion::News,
            ),
            (
                "no longer due",
                concern(false, None, later, Some("2026-11-21")),
                Some("2026-11-28"),
                Occasion::None,
            ),
            (
                "due today",
                concern(false, Some(TODAY), Some(TODAY), Some("2026-11-21")),
                Some("2026-11-28"),
                Occasion::None,
            ),
            (
                "overdue",
                concern(false, past, past, Some("2026-11-15")),
                Some("2026-11-28"),
                Occasion::News,
            ),
            (
                "overdue, told on the day",
                concern(false, past, past, past),
                Some("2026-11-28"),
                Occasion::News,
            ),
            (
                "overdue, and they heard",
                concern(false, past, past, Some("2026-11-21")),
                Some("2026-11-28"),
                Occasion::None,
            ),
        ] {
            let mut gathering = Gathering::new(today);
            gathering.add(concern);
            assert_eq!(gathering.occasion(again.map(day)), expected, "{what}");
        }
        assert_eq!(Gathering::new(today).occasion(None), Occasion::None);
    }

    #[test]
    fn what_falls_due_comes_first_then_news_then_what_is_grave() {
        let mut gathering = Gathering::new(day(TODAY));
        for entry in [
            entry("known", Level::High, false, None),
            entry("news", Level::High, true, None),
            entry("critical", Level::Critical, false, None),
            entry("later", Level::Low, false, Some("2026-12-24")),
            entry("soon", Level::Low, false, Some("2026-11-23")),
        ] {
            gathering.add(Concern {
                entry,
                due_before: None,
                told_on: None,
                is_asked_for: false,
            });
        }
        let items: Vec<_> = gathering
            .digest()
            .entries
            .into_iter()
            .map(|entry| entry.item)
            .collect();
        assert_eq!(items, ["soon", "later", "news", "critical", "known"]);
    }

    #[test]
    fn what_is_asked_for_is_told_at_once_and_in_full() {
        let due = Some("2026-12-01");
        let concern = |number: usize, due, is_asked_for| Concern {
            entry: entry(&format!("{number:02}"), Level::Low, false, due),
            due_before: due.map(day),
            told_on: Some(day(TODAY)),
            is_asked_for,
        };
        let mut gathering = Gathering::new(day(TODAY));
        for number in 0..IN_FULL {
            gathering.add(concern(number, due, false));
        }
        let again = Some(day("2026-11-28"));
        assert_eq!(gathering.occasion(again), Occasion::None);
        gathering.add(concern(77, Some("2026-12-24"), true));
        assert_eq!(gathering.occasion(again), Occasion::News);
        let digest = gathering.digest();
        let items: Vec<_> = digest.entries.iter().map(|entry| entry.item.as_str()).collect();
        assert_eq!(items.len(), IN_FULL);
        assert_eq!(items.last(), Some(&"77"), "in its place all the same");
        assert_eq!(digest.more, BTreeMap::from([(Level::Low, 1)]));
    }

    proptest! {
        /// However many there are and in whatever order they come: the first are told in full, the others are counted.
        #[test]
        fn the_first_are_told_and_the_others_counted(
            shares in prop::collection::vec((0_usize..5, any::<bool>(), prop::option::of(1_i8..28)), 0..60),
            seed in any::<u64>(),
        ) {
            let make = |(number, (level, is_news, due)): (usize, &(usize, bool, Option<i8>))| {
                let due = due.map(|due| format!("2026-12-{due:02}"));
                entry(&format!("{number:02}"), Level::ALL[*level], *is_news, due.as_deref())
            };
            let mut entries: Vec<Entry> = shares.iter().enumerate().map(make).collect();
            let mut shuffled = entries.clone();
            fastrand::Rng::with_seed(seed).shuffle(&mut shuffled);
            let mut gathering = Gathering::new(day(TODAY));
            for entry in shuffled {
                gathering.add(Concern { entry, due_before: None, told_on: None, is_asked_for: false });
            }
            entries.sort_by(|one, other| order(one).cmp(&order(other)));
            let digest = gathering.digest();
            let full = entries.len().min(IN_FULL);
            prop_assert_eq!(&digest.entries[..], &entries[..full]);
            let mut more: BTreeMap<Level, u64> = BTreeMap::new();
            for entry in &entries[full..] {
                *more.entry(worst(entry)).or_default() += 1;
            }
            prop_assert_eq!(digest.more, more);
        }
    }
}
