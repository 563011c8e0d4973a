//! Known gaps in coverage: what is accepted to be out of reach makes a run limited, not incomplete.

use jiff::civil::Date;

use crate::model::{Effect, Problem, SourceName};

use super::{Gap, Policy};

/// What a problem does to the verdict of its source, accepted gaps considered.
#[must_use]
pub fn effect(policy: &Policy, source: &SourceName, problem: &Problem, today: Date) -> Effect {
    match problem.code.effect() {
        Effect::Incomplete if gap_in_force(policy, source, problem, today).is_some() => Effect::Limited,
        effect => effect,
    }
}

/// The gap that accepts a problem on a day.
#[must_use]
pub fn gap_in_force<'p>(
    policy: &'p Policy,
    source: &SourceName,
    problem: &Problem,
    today: Date,
) -> Option<&'p Gap> {
    policy.gaps.iter().find(|gap| {
        gap.until >= today
            && gap.source == *source
            && gap.code.is_none_or(|code| code == problem.code)
            && gap.scope.is_match(&problem.scope)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ProblemCode;
    use crate::policy::fixtures::{date, gap, globs, policy};

    #[test]
    fn a_gap_in_force_makes_incomplete_limited_and_changes_nothing_else() {
        let forbidden = Some(ProblemCode::Forbidden);
        let problem = |scope: &str, code| Problem::new(scope, code, "…");
        let archive = || Gap {
            scope: globs(&["*/archive-*"]),
            code: forbidden,
            ..gap()
        };
        for (what, gap, problem, expected) in [
            (
                "accepted",
                archive(),
                problem("x/archive-1", ProblemCode::Forbidden),
                Effect::Limited,
            ),
            (
                "other scope",
                archive(),
                problem("x/live", ProblemCode::Forbidden),
                Effect::Incomplete,
            ),
            (
                "other code",
                archive(),
                problem("x/archive-1", ProblemCode::Malformed),
                Effect::Incomplete,
            ),
            (
                "every code",
                Gap {
                    code: None,
                    ..archive()
                },
                problem("x/archive-1", ProblemCode::Malformed),
                Effect::Limited,
            ),
            (
                "lapsed",
                Gap {
                    until: date(2026, 11, 21),
                    ..archive()
                },
                problem("x/archive-1", ProblemCode::Forbidden),
                Effect::Incomplete,
            ),
            (
                "last day",
                Gap {
                    until: date(2026, 11, 22),
                    ..archive()
                },
                problem("x/archive-1", ProblemCode::Forbidden),
                Effect::Limited,
            ),
            (
                "other source",
                Gap {
                    source: SourceName::new("m365"),
                    ..archive()
                },
                problem("x/archive-1", ProblemCode::Forbidden),
                Effect::Incomplete,
            ),
            (
                "a note stays a note",
                Gap {
                    code: None,
                    ..archive()
                },
                problem("x/archive-1", ProblemCode::AccountGone),
                Effect::Note,
            ),
        ] {
            let policy = Policy {
                gaps: vec![gap],
                ..policy()
            };
            let effect = effect(&policy, &SourceName::new("cloud"), &problem, date(2026, 11, 22));
            assert_eq!(effect, expected, "{what}");
        }
    }
}
