//! The judgement of a source's settings: what lets people get it wrong.

use jiff::Timestamp;

use crate::model::{Audience, Finding, RuleId, SourceFacts, SourceKind, SourceName};

use super::{
    Accepted, Judge, Policy, Turn,
    filter::Subject,
    judge::Said,
    registry::{Judgement, Outcome},
    waivers::Ground,
};

/// The judgement of a source's settings.
#[derive(Clone, Debug, Default)]
pub struct Posture {
    /// The rules that fired; their identity names no share.
    pub findings: Vec<Finding>,
    /// The rules that apply to this kind of source and lacked their input.
    pub not_judged: Vec<RuleId>,
    /// The rules that fired and of which nobody is told (an override's `mail = false`).
    pub untold: Vec<RuleId>,
    /// The waivers (by their place in the policy) that matched a finding.
    pub waivers_used: Vec<usize>,
    /// Where a waiver's hold on a finding is not as it was.
    pub turns: Vec<Turn>,
}

/// Judges the settings of one source, without a past.
#[must_use]
pub fn posture(
    policy: &Policy,
    facts: &SourceFacts,
    source: &SourceName,
    kind: SourceKind,
    now: Timestamp,
) -> Posture {
    Judge::new(policy, facts, now).posture(source, kind, &[])
}

impl Judge<'_> {
    /// Judges the settings of the source; `accepted` is how its findings stood when waivers first covered them. A
    /// rule that does not apply to this kind of source and was told nothing is silent.
    #[must_use]
    pub fn posture(&self, source: &SourceName, kind: SourceKind, accepted: &[Accepted]) -> Posture {
        let subject = Subject { source, share: None };
        let ground = Ground {
            waivers: self.waivers(),
            subject,
            audience: Audience::Unknown,
            accepted,
        };
        let mut said = Said::default();
        for rule in self.rules() {
            let Judgement::Source(look) = rule.judgement else {
                continue;
            };
            let id = rule.info.id;
            match look(self.facts) {
                Outcome::Quiet => {}
                Outcome::NoInput => {
                    let on = self.settle_setting(subject, id, rule.info.level).level.is_some();
                    if on && rule.info.sources.contains(&kind) {
                        said.not_judged.push(id);
                    }
                }
                Outcome::Fires(hit) => {
                    let settled = self.settle_setting(subject, id, hit.level);
                    if settled.level.is_some() && !settled.told {
                        said.untold.push(id);
                    }
                    said.find(&ground, id, &hit, settled.level);
                }
            }
        }
        Posture {
            findings: said.findings,
            not_judged: said.not_judged,
            untold: said.untold,
            waivers_used: said.waivers_used,
            turns: said.turns,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Fact, FindingId, Level};
    use crate::policy::fixtures::{NOW, globs, policy, waiver};
    use crate::policy::{Filter, Override, Waiver};

    fn source() -> SourceName {
        SourceName::new("cloud")
    }

    fn of(policy: &Policy, facts: &[(Fact, bool)], kind: SourceKind) -> Posture {
        let mut known = SourceFacts::default();
        for (fact, value) in facts {
            known.set(*fact, *value);
        }
        posture(policy, &known, &source(), kind, NOW)
    }

    #[test]
    fn without_facts_nothing_fires_and_what_applies_is_not_judged() {
        let nextcloud = of(&policy(), &[], SourceKind::Nextcloud);
        assert!(nextcloud.findings.is_empty());
        assert!(nextcloud.not_judged.contains(&RuleId::PosturePasswordsMailed));
        assert!(!nextcloud.not_judged.contains(&RuleId::PostureResharingByGuests));
        let microsoft = of(&policy(), &[], SourceKind::Microsoft365);
        assert!(!microsoft.not_judged.contains(&RuleId::PosturePasswordsMailed));
        assert!(microsoft.not_judged.contains(&RuleId::PostureResharingByGuests));
    }

    #[test]
    fn a_finding_about_settings_names_no_share() {
        let posture = of(&policy(), &[(Fact::PasswordsMailed, true)], SourceKind::Nextcloud);
        let id = FindingId::of(RuleId::PosturePasswordsMailed, &source(), None);
        assert_eq!(
            posture
                .findings
                .iter()
                .map(|own| own.id.clone())
                .collect::<Vec<_>>(),
            [id]
        );
    }

    #[test]
    fn overrides_and_waivers_about_shares_do_not_reach_settings() {
        let facts = [(Fact::PasswordsMailed, true)];
        let rule = RuleId::PosturePasswordsMailed;
        let level = Some(Some(Level::Low));
        let with = |filter| Policy {
            overrides: vec![Override {
                filter,
                level,
                ..Override::default()
            }],
            ..policy()
        };
        let level_of = |policy: &Policy| of(policy, &facts, SourceKind::Nextcloud).findings[0].level;
        assert_eq!(
            level_of(&with(Filter {
                rule: Some(rule),
                ..Filter::default()
            })),
            Level::Low
        );
        assert_eq!(
            level_of(&with(Filter {
                owner: Some(globs(&["*"])),
                ..Filter::default()
            })),
            Level::Medium
        );

        let by_owner = Waiver {
            filter: Filter {
                owner: Some(globs(&["*"])),
                ..Filter::default()
            },
            ..waiver()
        };
        let by_id = Waiver {
            finding: Some(FindingId::of(rule, &source(), None)),
            ..waiver()
        };
        let posture = of(
            &Policy {
                waivers: vec![by_owner, by_id],
                ..policy()
            },
            &facts,
            SourceKind::Nextcloud,
        );
        assert_eq!(posture.waivers_used, [1]);
        assert!(posture.findings[0].waiver.is_some());
    }
}
