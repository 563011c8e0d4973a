//! What the operator should know about the policy itself: exceptions that lapse, lapsed, or match nothing.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{ToSpan, civil::Date};
use serde::{Deserialize, Serialize};

use crate::model::{FindingId, names};

use super::{Gap, Outgrown, Policy};

names! {
    /// What a notice is about.
    NoticeCode {
        /// A waiver in force matched no finding.
        WaiverUnused = "waiver-unused",
        /// A waiver's last day is over.
        WaiverLapsed = "waiver-lapsed",
        /// A waiver ends within two weeks.
        WaiverLapsing = "waiver-lapsing",
        /// A waiver no longer covers a finding: its level rose, or its share became wider.
        WaiverEnded = "waiver-ended",
        /// An accepted gap's last day is over.
        GapLapsed = "gap-lapsed",
        /// An accepted gap ends within two weeks.
        GapLapsing = "gap-lapsing",
    }
}

/// Something the operator should know about the policy itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// What it is about.
    pub code: NoticeCode,
    /// The same, in words; only the operator's own text.
    pub message: String,
}

/// The notices of a day. `used` holds the places of the waivers that matched a finding; it is `None` after
/// a run that did not judge everything, since nothing is then known of what matches nothing. `outgrown` tells, by
/// the places of waivers, which findings they have ceased to cover.
#[must_use]
pub fn notices(
    policy: &Policy,
    used: Option<&BTreeSet<usize>>,
    outgrown: &BTreeMap<usize, Outgrown>,
    today: Date,
) -> Vec<Notice> {
    let mut notices = Vec::new();
    let mut say = |code, message| notices.push(Notice { code, message });
    for (place, waiver) in policy.waivers.iter().enumerate() {
        let title = &waiver.title;
        if let Some(lapse) = lapse(waiver.until, today) {
            say(
                lapse.of_waiver(),
                format!("{title} {}", lapse.words(waiver.until)),
            );
        }
        if let Some(outgrown) = outgrown.get(&place) {
            say(NoticeCode::WaiverEnded, ended(title, outgrown));
        }
        if waiver.until >= today && used.is_some_and(|used| !used.contains(&place)) {
            say(NoticeCode::WaiverUnused, format!("{title} matches no finding"));
        }
    }
    for gap in &policy.gaps {
        if let Some(lapse) = lapse(gap.until, today) {
            say(
                lapse.of_gap(),
                format!("{} {}", title(gap), lapse.words(gap.until)),
            );
        }
    }
    notices
}

fn ended(title: &str, outgrown: &Outgrown) -> String {
    let named: Vec<_> = outgrown.first.iter().map(FindingId::as_str).collect();
    let more = outgrown.count.saturating_sub(named.len() as u64);
    let more = if more > 0 {
        format!(" and {more} more")
    } else {
        String::new()
    };
    format!(
        "{title} no longer covers {}{more}: the level rose or the share became wider; `sharewarden waivers` says how",
        named.join(", ")
    )
}

fn title(gap: &Gap) -> String {
    let code = gap.code.map_or("every problem", |code| code.as_str());
    format!("gap in {} ({code}, {})", gap.source, gap.reason)
}

/// What becomes of an exception by its last day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lapse {
    /// That day is over.
    Lapsed,
    /// It is less than two weeks ahead.
    Lapsing,
}

impl Lapse {
    fn of_waiver(self) -> NoticeCode {
        match self {
            Self::Lapsed => NoticeCode::WaiverLapsed,
            Self::Lapsing => NoticeCode::WaiverLapsing,
        }
    }

    fn of_gap(self) -> NoticeCode {
        match self {
            Self::Lapsed => NoticeCode::GapLapsed,
            Self::Lapsing => NoticeCode::GapLapsing,
        }
    }

    fn words(self, until: Date) -> String {
        match self {
            Self::Lapsed => format!("ended on {until} and no longer holds"),
            Self::Lapsing => format!("ends on {until}"),
        }
    }
}

/// Whether an exception lapsed, or soon does; it holds to the end of its last day.
#[must_use]
pub fn lapse(until: Date, today: Date) -> Option<Lapse> {
    if until < today {
        Some(Lapse::Lapsed)
    } else if until <= today.saturating_add(14.days()) {
        Some(Lapse::Lapsing)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Waiver;
    use crate::policy::fixtures::{date, gap, policy, waiver};

    fn codes(policy: &Policy, used: Option<&[usize]>) -> Vec<&'static str> {
        let used = used.map(|used| used.iter().copied().collect());
        let found = notices(policy, used.as_ref(), &BTreeMap::new(), date(2026, 11, 22));
        found.iter().map(|notice| notice.code.as_str()).collect()
    }

    #[test]
    fn what_lapses_lapsed_or_matches_nothing_is_said() {
        for (until, used, expected) in [
            (date(2026, 11, 21), Some(&[][..]), vec!["waiver-lapsed"]),
            (date(2026, 11, 22), Some(&[0][..]), vec!["waiver-lapsing"]),
            (date(2026, 12, 6), Some(&[0][..]), vec!["waiver-lapsing"]),
            (date(2026, 12, 7), Some(&[0][..]), vec![]),
            (date(2026, 12, 7), Some(&[][..]), vec!["waiver-unused"]),
            (date(2026, 12, 7), None, vec![]),
            (
                date(2026, 12, 1),
                Some(&[][..]),
                vec!["waiver-lapsing", "waiver-unused"],
            ),
        ] {
            let policy = Policy {
                waivers: vec![Waiver { until, ..waiver() }],
                ..policy()
            };
            assert_eq!(codes(&policy, used), expected, "{until}");
        }
    }

    #[test]
    fn what_a_waiver_no_longer_covers_is_said_whatever_was_judged() {
        let policy = Policy {
            waivers: vec![waiver()],
            ..policy()
        };
        let ended = |count, named: &[&str]| {
            let first = named.iter().map(|id| FindingId::stored(*id)).collect();
            let outgrown = BTreeMap::from([(0, Outgrown { count, first })]);
            let mut found = notices(&policy, None, &outgrown, date(2026, 11, 22));
            assert_eq!(found.len(), 1);
            let notice = found.remove(0);
            assert_eq!(notice.code, NoticeCode::WaiverEnded);
            notice.message
        };
        let one = ended(1, &["3f9c2e51a07b44d1"]);
        assert!(
            one.starts_with("waiver 1 no longer covers 3f9c2e51a07b44d1: "),
            "{one}"
        );
        let many = ended(7, &["a", "b"]);
        assert!(
            many.starts_with("waiver 1 no longer covers a, b and 5 more: "),
            "{many}"
        );
    }

    #[test]
    fn gaps_lapse_as_waivers_do() {
        for (until, expected) in [
            (date(2026, 11, 21), vec!["gap-lapsed"]),
            (date(2026, 12, 6), vec!["gap-lapsing"]),
            (date(2027, 12, 7), vec![]),
        ] {
            let policy = Policy {
                gaps: vec![Gap { until, ..gap() }],
                ..policy()
            };
            assert_eq!(codes(&policy, None), expected, "{until}");
        }
    }
}
