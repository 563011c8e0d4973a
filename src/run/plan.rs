//! Planning: what the rules of `[enforce]` propose for the findings that stand open, source by source.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{FindingId, Principal, RuleId, SourceFacts, SourceKind, SourceName, Status};
use crate::plan::{Action, Candidate, Proposer, Unproposed};
use crate::policy::{Judge, Judged, Policy};
use crate::store::{Ledger, Narrowing, Plannable, StoreError};

/// A source to plan for.
pub struct Planned<'a> {
    /// Its name.
    pub name: &'a SourceName,
    /// Its kind.
    pub kind: SourceKind,
    /// Whether changes can be made in the name of an account.
    pub usable: &'a dyn Fn(&Principal) -> bool,
}

impl std::fmt::Debug for Planned<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Planned")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// What is proposed.
#[derive(Debug, Default)]
pub struct Proposed {
    /// What is to be done.
    pub actions: Vec<Action>,
    /// What was asked for and is not proposed.
    pub unproposed: Vec<Unproposed>,
    /// How many shares with findings that stand open could not be looked at, since their particulars are not kept.
    pub bare: u64,
}

impl Proposed {
    /// Whether nothing was asked for.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.actions.is_empty() && self.unproposed.is_empty()
    }

    /// Whether it speaks of a finding.
    #[must_use]
    pub fn is_about(&self, finding: &FindingId) -> bool {
        self.actions.iter().any(|action| action.finding == *finding)
            || self.unproposed.iter().any(|other| other.finding == *finding)
    }
}

/// Proposes changes for what stands open in the ledger, judged anew by the policy. Nothing is recorded, nothing sent.
///
/// # Errors
/// Any [`StoreError`] of the file.
pub fn propose(
    ledger: &Ledger,
    policy: &Policy,
    proposer: &Proposer<'_>,
    sources: &[Planned<'_>],
    narrowing: Narrowing<'_>,
    now: jiff::Timestamp,
) -> Result<Proposed, StoreError> {
    let mut proposed = Proposed::default();
    for source in sources {
        let Some(facts) = ledger.facts(source.name)? else {
            // It was never read: nothing is known of it.
            continue;
        };
        let judge = Judge::new(policy, &facts, now);
        let mut failed = None;
        proposed.bare += ledger.plannable(source.name, narrowing, policy.classes.digest(), &mut |share| {
            let judged = judge.share(&share.share, &share.past);
            let standing: Vec<RuleId> = share.findings.iter().map(|finding| finding.rule).collect();
            let about = (&share, &judged, standing.as_slice());
            let looked = look(ledger, &judge, (&facts, source), proposer, about);
            match looked {
                Ok(Some(Ok(action))) => proposed.actions.push(action),
                Ok(Some(Err(other))) => proposed.unproposed.push(other),
                Ok(None) => {}
                Err(error) => failed = Some(error),
            }
        })?;
        if let Some(error) = failed {
            return Err(error);
        }
    }
    Ok(proposed)
}

/// Which of these actions are about findings that are waived now, by the policy of today.
///
/// # Errors
/// Any [`StoreError`] of the file.
pub fn waived(
    ledger: &Ledger,
    policy: &Policy,
    actions: &[&Action],
    now: jiff::Timestamp,
) -> Result<BTreeSet<FindingId>, StoreError> {
    let mut by_source: BTreeMap<&SourceName, Vec<FindingId>> = BTreeMap::new();
    let mut waived = BTreeSet::new();
    for action in actions {
        if ledger.stands(&action.finding)? == Some(Status::Waived) {
            waived.insert(action.finding.clone());
        }
        let findings = by_source.entry(&action.source).or_default();
        findings.push(action.finding.clone());
    }
    for (source, findings) in by_source {
        let Some(facts) = ledger.facts(source)? else {
            continue;
        };
        let judge = Judge::new(policy, &facts, now);
        let narrowing = Narrowing {
            findings: &findings,
            ..Narrowing::default()
        };
        ledger.plannable(source, narrowing, policy.classes.digest(), &mut |share| {
            let judged = judge.share(&share.share, &share.past);
            let theirs = judged.findings.into_iter();
            waived.extend(
                theirs
                    .filter(|finding| finding.waiver.is_some())
                    .map(|finding| finding.id),
            );
        })?;
    }
    Ok(waived)
}

/// What is proposed for a share, by the findings of these rules.
pub(super) fn look(
    ledger: &Ledger,
    judge: &Judge<'_>,
    (facts, source): (&SourceFacts, &Planned<'_>),
    proposer: &Proposer<'_>,
    (planned, judged, standing): (&Plannable, &Judged, &[RuleId]),
) -> Result<Option<Result<Action, Unproposed>>, StoreError> {
    let Plannable { share, past, .. } = planned;
    let also_ends = ledger.dying_with(share)?;
    Ok(proposer.propose(&Candidate {
        share,
        kind: source.kind,
        judged,
        standing,
        facts,
        about: &|rule| judge.about(share, past, rule),
        also_ends: &also_ends,
        usable: source.usable,
    }))
}
