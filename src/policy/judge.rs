//! The judgement of shares: everything that is the same for all shares of a source is worked out once.
//!
//! A finding's level is the rule's own, raised or lowered by the rule's condition, replaced by
//! `policy.levels`, lowered for partner domains, and replaced by overrides, of which later ones win.

use std::cell::OnceCell;

use jiff::Timestamp;

use crate::model::{Audience, Finding, FindingId, Level, RuleId, Share, SourceFacts};

use super::{
    Judged, Override, Past, Policy, Turn,
    case::Case,
    classification::classify,
    defaults, domain,
    filter::Subject,
    people::{self, People},
    registry::{Hit, Judgement, Outcome, Rule},
    rules::RULES,
    waivers::{Ground, Waivers},
};

/// Judges the shares and the settings of one source by a policy, at one instant.
#[derive(Debug)]
pub struct Judge<'p> {
    pub(super) policy: &'p Policy,
    pub(super) facts: &'p SourceFacts,
    pub(super) now: Timestamp,
    pub(super) people: People<'p>,
    pub(super) rulings: Vec<Ruling<'p>>,
    pub(super) latest_expiry: Timestamp,
    pub(super) review_before: Timestamp,
    waivers: Waivers<'p>,
    rules: Vec<&'static Rule>,
}

/// An override, compiled for an instant.
#[derive(Debug)]
pub(super) struct Ruling<'p> {
    pub(super) exception: &'p Override,
    pub(super) latest_expiry: Option<Timestamp>,
    recipient_domain: Option<String>,
}

impl<'p> Ruling<'p> {
    /// None where the recipients' domain is no domain: it would match nothing.
    fn of(exception: &'p Override, now: Timestamp) -> Option<Self> {
        let recipient_domain = match &exception.filter.recipient_domain {
            Some(text) => Some(domain::normal(text.trim())?.into_owned()),
            None => None,
        };
        let latest_expiry = exception.max_expiry.map(|span| defaults::later(now, span));
        Some(Self {
            exception,
            latest_expiry,
            recipient_domain,
        })
    }
}

/// What becomes of a finding after levels and overrides.
pub(super) struct Settled {
    pub(super) level: Option<Level>,
    pub(super) told: bool,
}

/// Judges one share; for many of the same source make one [`Judge`].
#[must_use]
pub fn judge(policy: &Policy, facts: &SourceFacts, share: &Share, past: &Past, now: Timestamp) -> Judged {
    Judge::new(policy, facts, now).share(share, past)
}

/// Who can open a share: the widest that applies.
#[must_use]
pub fn audience(policy: &Policy, share: &Share) -> Audience {
    let people = People::of(policy);
    let recipients: Vec<_> = share.recipients.iter().map(|who| people.kind(who)).collect();
    people.audience(share, &recipients)
}

impl<'p> Judge<'p> {
    /// Prepares to judge a source's shares at an instant.
    #[must_use]
    pub fn new(policy: &'p Policy, facts: &'p SourceFacts, now: Timestamp) -> Self {
        let rulings: Vec<_> = policy
            .overrides
            .iter()
            .filter_map(|own| Ruling::of(own, now))
            .collect();
        let rules = RULES
            .iter()
            .copied()
            .filter(|rule| is_on(policy, rule.info.id))
            .collect();
        Self {
            policy,
            facts,
            now,
            people: People::of(policy),
            rulings,
            latest_expiry: defaults::later(now, policy.max_expiry),
            review_before: defaults::earlier(now, policy.review_after),
            waivers: Waivers::in_force(&policy.waivers, defaults::day(now)),
            rules,
        }
    }

    /// Judges by these rules only; by all where none is given.
    #[must_use]
    pub fn only(mut self, rules: &[RuleId]) -> Self {
        if !rules.is_empty() {
            self.rules.retain(|rule| rules.contains(&rule.info.id));
        }
        self
    }

    /// The rules by which it judges.
    pub(super) fn rules(&self) -> &[&'static Rule] {
        &self.rules
    }

    /// Judges one share.
    #[must_use]
    pub fn share(&self, share: &Share, past: &Past) -> Judged {
        let mut judged = self.seen(share);
        if !judged.expired || past.uses.is_some() {
            let said = self.hear(share, past, &judged);
            judged.findings = said.findings;
            judged.not_judged = said.not_judged;
            judged.untold = said.untold;
            judged.waivers_used = said.waivers_used;
            judged.turns = said.turns;
        }
        judged
    }

    /// The places of the recipients that a rule's finding is about; `None` where it is about the share as a whole, or
    /// where the rule does not fire.
    #[must_use]
    pub fn about(&self, share: &Share, past: &Past, rule: RuleId) -> Option<Vec<usize>> {
        let judged = self.seen(share);
        let rule = self.rules.iter().find(|own| own.info.id == rule)?;
        match rule.judgement {
            Judgement::Share(look) => match look(&self.case(share, past, &judged)) {
                Outcome::Fires(hit) => hit.about,
                Outcome::Quiet | Outcome::NoInput => None,
            },
            Judgement::Source(_) => None,
        }
    }

    /// What is seen of a share before any rule is asked.
    fn seen(&self, share: &Share) -> Judged {
        let recipients: Vec<_> = share
            .recipients
            .iter()
            .map(|recipient| self.people.kind(recipient))
            .collect();
        let (labels, classified) = classify(&self.policy.classes, &share.item);
        Judged {
            audience: self.people.audience(share, &recipients),
            classified,
            labels,
            expired: share.expires.is_past(self.now),
            owner: self.people.kind(&share.owner),
            shared_by: share.shared_by.as_ref().map(|sharer| self.people.kind(sharer)),
            recipients,
            findings: Vec::new(),
            not_judged: Vec::new(),
            untold: Vec::new(),
            waivers_used: Vec::new(),
            turns: Vec::new(),
        }
    }

    fn case<'a>(&'a self, share: &'a Share, past: &'a Past, judged: &'a Judged) -> Case<'a> {
        Case {
            judge: self,
            share,
            past,
            audience: judged.audience,
            classified: judged.classified,
            labels: &judged.labels,
            kinds: &judged.recipients,
            rulings: OnceCell::new(),
        }
    }

    fn hear(&self, share: &Share, past: &Past, judged: &Judged) -> Said {
        let case = self.case(share, past, judged);
        let ground = Ground {
            waivers: &self.waivers,
            subject: Subject {
                source: &share.source,
                share: Some((share, &judged.labels)),
            },
            audience: judged.audience,
            accepted: &past.accepted,
        };
        let mut said = Said::default();
        for rule in &self.rules {
            let Judgement::Share(look) = rule.judgement else {
                continue;
            };
            if judged.expired && !rule.info.id.ends_by_hand() {
                continue;
            }
            match look(&case) {
                Outcome::Quiet => {}
                Outcome::NoInput => {
                    if !self.is_silenced(&case, rule) {
                        said.not_judged.push(rule.info.id);
                    }
                }
                Outcome::Fires(hit) => {
                    let settled = self.settle(&case, rule.info.id, hit.level, hit.about.as_deref());
                    if settled.level.is_some() && !settled.told {
                        said.untold.push(rule.info.id);
                    }
                    said.find(&ground, rule.info.id, &hit, settled.level);
                }
            }
        }
        said
    }

    /// Whether a rule is off for a share; most policies say so without a look at the share.
    fn is_silenced(&self, case: &Case<'_>, rule: &Rule) -> bool {
        let id = rule.info.id;
        let may_be = self.policy.levels.get(&id) == Some(&None)
            || self
                .rulings
                .iter()
                .any(|ruling| ruling.exception.level == Some(None) && ruling.exception.filter.allows(id));
        may_be && self.settle(case, id, rule.info.level, None).level.is_none()
    }

    /// The level of a finding about the recipients given, the strictest that any of them asks for.
    fn settle(&self, case: &Case<'_>, rule: RuleId, own: Level, about: Option<&[usize]>) -> Settled {
        let start = self.policy.levels.get(&rule).copied().unwrap_or(Some(own));
        let partners = matches!(rule, RuleId::ExternalRecipient | RuleId::GuestRecipient)
            && case.classified == Some(false);
        if !partners && case.rulings().is_empty() {
            return Settled {
                level: start,
                told: true,
            };
        }
        let weigh = |place: Option<usize>| {
            let recipient = place.and_then(|place| case.share.recipients.get(place));
            let is_partner = partners && recipient.is_some_and(|recipient| self.people.is_partner(recipient));
            let start = if is_partner {
                start.map(|_| Level::Info)
            } else {
                start
            };
            let speaking = case.rulings().iter().copied().filter(|ruling| {
                let domain = ruling.recipient_domain.as_deref();
                ruling.exception.filter.allows(rule)
                    && domain.is_none_or(|domain| recipient.is_some_and(|who| people::belongs(who, domain)))
            });
            rule_on(start, speaking)
        };
        let none = Settled {
            level: None,
            told: false,
        };
        let widest = |sum: Settled, one: Settled| Settled {
            level: sum.level.max(one.level),
            told: sum.told || (one.told && one.level.is_some()),
        };
        match about {
            Some(places) => places.iter().map(|place| weigh(Some(*place))).fold(none, widest),
            None if case.share.recipients.is_empty() => weigh(None),
            None => (0..case.share.recipients.len())
                .map(|place| weigh(Some(place)))
                .fold(none, widest),
        }
    }

    /// The level of a finding about a source's settings.
    pub(super) fn settle_setting(&self, subject: Subject<'_>, rule: RuleId, own: Level) -> Settled {
        let start = self.policy.levels.get(&rule).copied().unwrap_or(Some(own));
        let speaking = self.rulings.iter().filter(|ruling| {
            ruling.exception.filter.allows(rule) && ruling.exception.filter.is_about(subject)
        });
        rule_on(start, speaking)
    }

    pub(super) fn waivers(&self) -> &Waivers<'p> {
        &self.waivers
    }
}

/// Lets overrides speak one after the other; only one that names the rule revives a rule that is off.
fn rule_on<'a>(start: Option<Level>, speaking: impl Iterator<Item = &'a Ruling<'a>>) -> Settled {
    let mut settled = Settled {
        level: start,
        told: true,
    };
    let mut off = start.is_none();
    for Ruling { exception, .. } in speaking {
        if let Some(told) = exception.mail {
            settled.told = told;
        }
        if off && exception.filter.rule.is_none() {
            continue;
        }
        if let Some(level) = exception.level {
            settled.level = level;
            off = false;
        }
    }
    settled
}

/// Whether a rule can fire at all: it is not off, or an override that names it may revive it.
fn is_on(policy: &Policy, rule: RuleId) -> bool {
    policy.levels.get(&rule) != Some(&None)
        || policy.overrides.iter().any(|exception| {
            exception.filter.rule == Some(rule) && exception.level.is_some_and(|level| level.is_some())
        })
}

/// What the rules said.
#[derive(Default)]
pub(super) struct Said {
    pub(super) findings: Vec<Finding>,
    pub(super) not_judged: Vec<RuleId>,
    pub(super) untold: Vec<RuleId>,
    pub(super) waivers_used: Vec<usize>,
    pub(super) turns: Vec<Turn>,
}

impl Said {
    /// Records a finding, under the waiver that covers it, unless its level says that it is none.
    pub(super) fn find(&mut self, ground: &Ground<'_>, rule: RuleId, hit: &Hit, level: Option<Level>) {
        let Some(level) = level else {
            return;
        };
        let share = ground.subject.share.map(|(share, _)| share.id.as_str());
        let mut finding = Finding {
            id: FindingId::of(rule, ground.subject.source, share),
            rule,
            level,
            message: hit.message.clone().into_owned(),
            remedy: hit.remedy,
            waiver: None,
        };
        if rule.ends_by_hand() {
            // No waiver accepts what may have happened already.
            self.findings.push(finding);
            return;
        }
        let cover = ground.cover(&finding, hit.about.as_deref());
        finding.waiver = cover.note;
        for place in cover.named {
            if !self.waivers_used.contains(&place) {
                self.waivers_used.push(place);
            }
        }
        self.turns.extend(cover.turns);
        self.findings.push(finding);
    }
}
