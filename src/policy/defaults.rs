//! The policy of an organisation that configured nothing: the documented thresholds, and nobody inside.

use std::collections::BTreeMap;

use globset::GlobSet;
use jiff::{Span, Timestamp, civil::Date, tz::TimeZone};

use crate::model::{Classes, RuleId, short_digest};

use super::Policy;

impl Default for Policy {
    fn default() -> Self {
        Self {
            internal_domains: Vec::new(),
            partner_domains: Vec::new(),
            internal_servers: Vec::new(),
            max_expiry: Span::new().days(90),
            review_after: Span::new().days(365),
            max_waiver: Span::new().days(365),
            mailing_lists: GlobSet::empty(),
            wide_groups: GlobSet::empty(),
            wide_group_size: None,
            levels: BTreeMap::new(),
            overrides: Vec::new(),
            classes: Classes::default(),
            evidence: false,
            waivers: Vec::new(),
            gaps: Vec::new(),
            rules_digest: String::new(),
            digest: String::new(),
        }
    }
}

impl Policy {
    /// Distinguishes what shares are judged by: rules change with the program, too.
    #[must_use]
    pub fn rules_in_effect(&self) -> String {
        short_digest([self.rules_digest.as_str(), env!("CARGO_PKG_VERSION")])
    }

    /// The rules that are switched off for the whole policy.
    #[must_use]
    pub fn rules_off(&self) -> Vec<RuleId> {
        self.levels
            .iter()
            .filter(|(_, level)| level.is_none())
            .map(|(rule, _)| *rule)
            .collect()
    }
}

/// The last day on which an exception that is made today may end, so far ahead as that may be.
#[must_use]
pub fn last_day(today: Date, ahead: Span) -> Date {
    today.checked_add(ahead).unwrap_or(Date::MAX)
}

/// The day of an instant, in UTC: the day by which waivers and gaps end.
#[must_use]
pub fn day(now: Timestamp) -> Date {
    now.to_zoned(TimeZone::UTC).date()
}

/// An instant moved by a span of days; the end of time where it would lie beyond.
pub(super) fn later(now: Timestamp, span: Span) -> Timestamp {
    now.to_zoned(TimeZone::UTC)
        .checked_add(span)
        .map_or(Timestamp::MAX, |moved| moved.timestamp())
}

/// An instant moved back by a span of days; the beginning of time where it would lie before.
pub(super) fn earlier(now: Timestamp, span: Span) -> Timestamp {
    now.to_zoned(TimeZone::UTC)
        .checked_sub(span)
        .map_or(Timestamp::MIN, |moved| moved.timestamp())
}
