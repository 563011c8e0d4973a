//! What a source's result is worth: its problems weighed, accepted gaps considered, counts compared.

use std::collections::BTreeMap;

use jiff::civil::Date;

use crate::model::{
    AccountTotals, ControlTotals, Effect, Expected, Problem, ProblemCode, ShareKind, SourceName, Verdict,
};
use crate::policy::{self, Policy};

/// The control totals: the lower of the service's counts before and after, beside what was seen.
pub(super) fn control(
    before: Option<&BTreeMap<ShareKind, u64>>,
    after: Option<&BTreeMap<ShareKind, u64>>,
    seen: &BTreeMap<ShareKind, u64>,
) -> Option<ControlTotals> {
    let before = before.or(after)?;
    let after = after.unwrap_or(before);
    let totals = before.iter().map(|(kind, before)| {
        let after = after.get(kind).copied().unwrap_or(*before);
        let expected = after.min(*before);
        let seen = seen.get(kind).copied().unwrap_or_default();
        (
            *kind,
            Expected {
                expected,
                seen,
                before: *before,
                after,
            },
        )
    });
    Some(totals.collect())
}

/// The problems that control totals tell of. Where the configuration leaves accounts out, theirs are counted all the
/// same, so that a difference says little.
pub(super) fn mismatches(control: &ControlTotals, some_excluded: bool) -> Vec<Problem> {
    control
        .iter()
        .filter(|(_, expected)| expected.is_off())
        .map(|(kind, expected)| {
            let counts = format!(
                "the server counts {} shares of kind {kind}, this scan saw {}",
                expected.expected, expected.seen
            );
            let (code, words) = if some_excluded {
                (ProblemCode::ControlDiffers, "those of accounts that `exclude` leaves out are counted, too")
            } else {
                (
                    ProblemCode::ControlMismatch,
                    "those of disabled accounts and of files in the trash are counted and not listed, but they seldom \
                     are so many",
                )
            };
            Problem::new("*", code, format!("{counts}; {words}"))
        })
        .collect()
}

/// What control totals leave of a verdict: the service counts more than was seen, be it by few.
pub(super) fn confirmed(control: Option<&ControlTotals>) -> Verdict {
    let short = control
        .into_iter()
        .flatten()
        .any(|(_, expected)| expected.seen < expected.expected);
    if short {
        Verdict::Limited
    } else {
        Verdict::Complete
    }
}

/// The verdict on a source. Scopes that failed without a word are as bad as those that told why, and a source
/// without a single account was not read, whatever it said.
pub(super) fn verdict(
    policy: &Policy,
    source: &SourceName,
    accounts: AccountTotals,
    problems: &[Problem],
    today: Date,
) -> Verdict {
    let worst = problems
        .iter()
        .map(|problem| policy::effect(policy, source, problem, today))
        .max();
    let silent = accounts.failed > 0
        && problems
            .iter()
            .all(|problem| problem.code.effect() != Effect::Incomplete);
    match worst {
        _ if silent || accounts.found == 0 => Verdict::Incomplete,
        Some(Effect::Incomplete) => Verdict::Incomplete,
        Some(Effect::Limited) => Verdict::Limited,
        Some(Effect::Note) | None => Verdict::Complete,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expected(expected: u64, seen: u64) -> Expected {
        Expected {
            expected,
            seen,
            before: expected,
            after: expected,
        }
    }

    #[test]
    fn counts_may_be_off_by_twenty_or_half_a_percent() {
        assert!(!expected(100, 80).is_off());
        assert!(expected(100, 79).is_off());
        assert!(!expected(10_000, 9_950).is_off());
        assert!(expected(10_000, 9_949).is_off());
        assert!(!expected(10, 50).is_off(), "more seen than counted is no gap");
    }

    #[test]
    fn the_lower_count_is_expected() {
        let count = |number: u64| BTreeMap::from([(ShareKind::Link, number)]);
        let control = control(Some(&count(30)), Some(&count(28)), &count(29)).unwrap();
        assert_eq!(
            control[&ShareKind::Link],
            Expected {
                expected: 28,
                seen: 29,
                before: 30,
                after: 28
            }
        );
        assert!(super::control(None, None, &count(1)).is_none());
    }
}
