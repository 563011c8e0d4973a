//! Waivers: which findings somebody accepted for a time.
//!
//! A waiver holds to the end of its last day in UTC. One that names neither a finding, a share, an owner,
//! a site nor a path waives nothing: it would waive everything. Waived findings are listed, not dropped. What it
//! covered once, it covers as long as that does not grow (`acceptance`).

use std::collections::{BTreeSet, HashMap};

use jiff::civil::Date;

use crate::model::{Audience, Finding, FindingId, PrincipalClass, RuleId, Share, SourceName, WaiverNote};

use super::{
    Accepted, Breadth, Hold, Turn, Waiver,
    filter::{Subject, hits},
};

/// Waivers, found by what they name.
#[derive(Debug)]
pub struct Waivers<'p> {
    all: &'p [Waiver],
    by_finding: HashMap<&'p str, Vec<usize>>,
    by_share: HashMap<&'p str, Vec<usize>>,
    others: Vec<usize>,
}

impl<'p> Waivers<'p> {
    /// All of them, in force or not.
    #[must_use]
    pub fn of(all: &'p [Waiver]) -> Self {
        Self::in_force(all, Date::MIN)
    }

    /// Those that hold on a day.
    pub(super) fn in_force(all: &'p [Waiver], today: Date) -> Self {
        let mut waivers = Self {
            all,
            by_finding: HashMap::new(),
            by_share: HashMap::new(),
            others: Vec::new(),
        };
        for (place, waiver) in all.iter().enumerate().filter(|(_, waiver)| waiver.until >= today) {
            if let Some(finding) = &waiver.finding {
                waivers
                    .by_finding
                    .entry(finding.as_str())
                    .or_default()
                    .push(place);
            } else if let Some(share) = &waiver.share {
                waivers.by_share.entry(share).or_default().push(place);
            } else if waiver.site.is_some() || waiver.filter.owner.is_some() || waiver.filter.path.is_some() {
                waivers.others.push(place);
            }
        }
        waivers
    }

    /// The places of those that name a finding of a source; `share` is its share with its labels, `None` where it is
    /// about the source's settings.
    #[must_use]
    pub fn naming(
        &self,
        source: &SourceName,
        share: Option<(&Share, &BTreeSet<String>)>,
        finding: (&FindingId, RuleId),
    ) -> Vec<usize> {
        let named = self.matching(Subject { source, share }, finding, None);
        named.map(|(place, _)| place).collect()
    }

    fn matching(
        &self,
        subject: Subject<'_>,
        finding: (&FindingId, RuleId),
        about: Option<&[usize]>,
    ) -> impl Iterator<Item = (usize, &'p Waiver)> {
        let named = self.by_finding.get(finding.0.as_str());
        let share = subject
            .share
            .and_then(|(share, _)| self.by_share.get(share.id.as_str()));
        let all = self.all;
        named
            .into_iter()
            .chain(share)
            .flatten()
            .chain(&self.others)
            .filter_map(|place| Some((*place, all.get(*place)?)))
            .filter(move |(_, waiver)| matches(waiver, finding, subject, about))
    }
}

/// What the findings of one share, or of a source's settings, are held against.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ground<'a> {
    pub(super) waivers: &'a Waivers<'a>,
    pub(super) subject: Subject<'a>,
    pub(super) audience: Audience,
    pub(super) accepted: &'a [Accepted],
}

/// What waivers make of a finding.
#[derive(Debug, Default)]
pub(super) struct Cover {
    /// The one that covers it, of several the one that holds longest.
    pub(super) note: Option<WaiverNote>,
    /// All that name it, by their places.
    pub(super) named: Vec<usize>,
    /// Where a hold is not as it was.
    pub(super) turns: Vec<Turn>,
}

impl Ground<'_> {
    /// What waivers make of a finding about the recipients given, or about all.
    pub(super) fn cover(&self, finding: &Finding, about: Option<&[usize]>) -> Cover {
        let mut cover = Cover::default();
        let mut longest: Option<&Waiver> = None;
        let named = self
            .waivers
            .matching(self.subject, (&finding.id, finding.rule), about);
        for (place, waiver) in named {
            cover.named.push(place);
            let hold = self.hold(waiver, finding);
            let covers = matches!(hold, None | Some(Hold::Begins { .. }));
            if covers && longest.is_none_or(|other| other.until < waiver.until) {
                longest = Some(waiver);
            }
            cover.turns.extend(hold.map(|hold| Turn {
                place,
                waiver: waiver.key.clone(),
                finding: finding.id.clone(),
                hold,
            }));
        }
        if longest.is_some() {
            // Somebody has accepted it anew since.
            cover.turns.retain(|turn| turn.hold != Hold::Over);
        }
        cover.note = longest.map(|waiver| WaiverNote {
            reason: waiver.reason.clone(),
            approved_by: waiver.approved_by.clone(),
            until: waiver.until,
        });
        cover
    }

    /// How a waiver that names a finding holds it; `None` where it covers it as before.
    fn hold(&self, waiver: &Waiver, finding: &Finding) -> Option<Hold> {
        let share = self.subject.share;
        let breadth = share.map(|(share, _)| Breadth::of(share, self.audience));
        let known = self
            .accepted
            .iter()
            .find(|own| own.waiver == waiver.key && own.finding == finding.id);
        match known {
            None => Some(Hold::Begins {
                level: finding.level,
                breadth,
            }),
            Some(accepted) if accepted.ended => Some(Hold::Over),
            Some(accepted) => accepted.outgrown(finding.level, breadth.as_ref()).map(Hold::Ends),
        }
    }
}

fn matches(
    waiver: &Waiver,
    (id, rule): (&FindingId, RuleId),
    subject: Subject<'_>,
    about: Option<&[usize]>,
) -> bool {
    let share = subject.share.map(|(share, _)| share);
    waiver.finding.as_ref().is_none_or(|own| own == id)
        && waiver
            .share
            .as_ref()
            .is_none_or(|id| share.is_some_and(|share| share.id == *id))
        && waiver.site.as_ref().is_none_or(|globs| {
            share.is_some_and(|Share { owner, .. }| {
                owner.class == PrincipalClass::Site
                    && (hits(globs, &owner.id) || owner.name.as_deref().is_some_and(|name| hits(globs, name)))
            })
        })
        && waiver.filter.allows(rule)
        && waiver.filter.is_about(subject)
        && share.is_none_or(|share| waiver.filter.covers_recipients(share, about))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Principal, RuleId, SourceName};
    use crate::policy::fixtures::{NOW, date, globs, judged, link, policy, waiver};
    use crate::policy::{Filter, Judge, Judged, Policy};

    fn waived(judged: &Judged) -> Vec<RuleId> {
        let covered = judged.findings.iter().filter(|finding| finding.waiver.is_some());
        covered.map(|finding| finding.rule).collect()
    }

    fn under(waivers: Vec<Waiver>, share: &Share) -> Judged {
        judged(&Policy { waivers, ..policy() }, share)
    }

    #[test]
    fn a_waiver_covers_what_it_names_and_no_more() {
        let share = link("/Prospectus/a.pdf");
        let expiry = RuleId::LinkWithoutExpiry;
        let id = crate::model::FindingId::of(expiry, &share.source, Some(&share.id));
        let owner = |filter: Filter| Filter {
            owner: Some(globs(&["alice"])),
            ..filter
        };
        let both = vec![RuleId::LinkWithoutPassword, expiry];
        for (what, own, expected) in [
            (
                "finding",
                Waiver {
                    finding: Some(id),
                    ..waiver()
                },
                vec![expiry],
            ),
            (
                "share",
                Waiver {
                    share: Some("17".into()),
                    ..waiver()
                },
                both.clone(),
            ),
            (
                "other share",
                Waiver {
                    share: Some("18".into()),
                    ..waiver()
                },
                vec![],
            ),
            (
                "owner",
                Waiver {
                    filter: owner(Filter::default()),
                    ..waiver()
                },
                both.clone(),
            ),
            (
                "owner and rule",
                Waiver {
                    filter: owner(Filter {
                        rule: Some(expiry),
                        ..Filter::default()
                    }),
                    ..waiver()
                },
                vec![expiry],
            ),
            (
                "owner and path",
                Waiver {
                    filter: owner(Filter {
                        path: Some(globs(&["Prospectus/**"])),
                        ..Filter::default()
                    }),
                    ..waiver()
                },
                both,
            ),
            (
                "other source",
                Waiver {
                    filter: owner(Filter {
                        source: Some(SourceName::new("m365")),
                        ..Filter::default()
                    }),
                    ..waiver()
                },
                vec![],
            ),
            ("nothing named", waiver(), vec![]),
            (
                "only a rule",
                Waiver {
                    filter: Filter {
                        rule: Some(expiry),
                        ..Filter::default()
                    },
                    ..waiver()
                },
                vec![],
            ),
            (
                "site",
                Waiver {
                    site: Some(globs(&["*"])),
                    ..waiver()
                },
                vec![],
            ),
        ] {
            let judged = under(vec![own], &share);
            assert_eq!(waived(&judged), expected, "{what}");
            assert_eq!(judged.findings.len(), 2, "{what}: waived ones are still listed");
            assert_eq!(judged.waivers_used.is_empty(), expected.is_empty(), "{what}");
        }
    }

    #[test]
    fn a_site_is_waived_by_its_name() {
        let mut share = link("/a.pdf");
        share.owner = Principal::new(PrincipalClass::Site, "contoso.example/sites/press");
        let own = Waiver {
            site: Some(globs(&["*/sites/press"])),
            ..waiver()
        };
        assert_eq!(waived(&under(vec![own], &share)).len(), 2);
    }

    #[test]
    fn a_waiver_holds_through_its_last_day() {
        let share = link("/a.pdf");
        let until = |until| Waiver {
            share: Some("17".into()),
            until,
            ..waiver()
        };
        let today = super::super::defaults::day(NOW);
        assert_eq!(waived(&under(vec![until(today)], &share)).len(), 2);
        assert_eq!(
            waived(&under(vec![until(today.yesterday().unwrap())], &share)).len(),
            0
        );
    }

    #[test]
    fn of_two_waivers_the_longer_is_noted_and_both_are_used() {
        let share = link("/a.pdf");
        let until = |until| Waiver {
            share: Some("17".into()),
            until,
            ..waiver()
        };
        let judged = under(vec![until(date(2027, 1, 1)), until(date(2027, 2, 1))], &share);
        assert_eq!(judged.waivers_used, [0, 1]);
        assert!(
            judged
                .findings
                .iter()
                .all(|own| own.waiver.as_ref().unwrap().until == date(2027, 2, 1))
        );
    }

    #[test]
    fn a_recipients_domain_must_cover_all_that_the_finding_is_about() {
        use crate::policy::fixtures::{address, share};
        let filter = Filter {
            owner: Some(globs(&["alice"])),
            recipient_domain: Some("friend.example.net".into()),
            ..Filter::default()
        };
        let policy = Policy {
            waivers: vec![Waiver { filter, ..waiver() }],
            ..policy()
        };
        let facts = crate::model::SourceFacts::default();
        let rule = RuleId::ExternalRecipient;
        let judge = Judge::new(&policy, &facts, NOW).only(&[rule]);
        let to = |people: &[&str]| Share {
            recipients: people.iter().map(|text| address(text)).collect(),
            ..share()
        };
        let past = super::super::Past::default();
        assert_eq!(
            waived(&judge.share(&to(&["a@friend.example.net", "b@example.org"]), &past)),
            [rule]
        );
        assert!(waived(&judge.share(&to(&["a@friend.example.net", "c@evil.net"]), &past)).is_empty());
    }
}
