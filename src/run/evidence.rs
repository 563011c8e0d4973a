//! Asks the services whether open links to classified items were used: before anything is judged, and before anything is
//! done to one of them.
//!
//! Only of those links; what cannot be had is a problem of the source, and never passes for "not used".

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::mpsc;

use super::ScanError;
use super::source::SourceRun;
use crate::model::{Batch, Look, Problem, ProblemCode, Reading, SourceFacts, SourceName};
use crate::plan::Action;
use crate::policy::{self, Judge, Past, Policy};
use crate::provider::{ReadError, Reader, Sink};
use crate::store::{Ledger, Run, StoreError};

/// How many links are taken from the ledger at once.
const PAGE: usize = 500;
/// How many are asked about together.
const TOGETHER: usize = 200;

impl SourceRun<'_> {
    /// Asks what is on record of the use of links, and keeps it.
    pub(super) async fn witness(&self, facts: &SourceFacts, deadline: Instant) -> Result<(), ScanError> {
        if !self.policy.evidence {
            return Ok(());
        }
        let mut after = (0, 0);
        let mut looks: Vec<Look> = Vec::new();
        loop {
            let (run, source, policy) = (self.run.clone(), self.part.name.clone(), Arc::clone(self.policy));
            let (page, last) = self
                .desk
                .ask(move |ledger| {
                    let classes = policy.classes.digest();
                    ledger.open_links(&source, &run.scope.users, (classes, after), PAGE)
                })
                .await??;
            let judge = Judge::new(self.policy, facts, self.run.now);
            looks.extend(page.into_iter().filter(|look| {
                let judged = judge.share(&look.share, &Past::default());
                policy::wants_evidence(self.policy, &look.share, &judged)
            }));
            while looks.len() >= TOGETHER || (last.is_none() && !looks.is_empty()) {
                if self.cancel.is_cancelled() {
                    return Ok(());
                }
                if Instant::now() >= deadline {
                    let words = "it was not asked of all links to classified items whether they were used, since the \
                                 time of the scan was over (`limits.stop_after`)";
                    return self
                        .tell(Problem::new("*", ProblemCode::EvidenceUnreadable, words))
                        .await;
                }
                let some = looks.drain(..looks.len().min(TOGETHER)).collect();
                let asked = self
                    .sinking(async |sink| self.part.reader.witness(some, self.run.now, &sink).await)
                    .await?;
                if let Err(error) = asked {
                    return match error.problem("*") {
                        Some(problem) => self.tell(unreadable(problem)).await,
                        None => Ok(()),
                    };
                }
            }
            match last {
                Some(last) => after = last,
                None => return Ok(()),
            }
        }
    }
}

/// A share, by its source and its id there.
pub type ShareKey = (SourceName, String);

/// What became of the evidence of shares to which something is to be done.
#[derive(Debug, Default)]
pub struct Secured {
    /// The shares of which it may be there and could not be had: nothing is to be done to them now.
    pub lacking: BTreeSet<ShareKey>,
    /// What else could not be had, in words.
    pub notes: Vec<String>,
}

/// Asks once more whether the links were used to which something is to be done, and keeps what is on record: once a link is
/// ended, it is not asked about any more.
///
/// # Errors
/// Any [`StoreError`] of the file.
pub async fn secure(
    ledger: &mut Ledger,
    policy: &Policy,
    readers: &BTreeMap<SourceName, Box<dyn Reader>>,
    now: Timestamp,
    actions: &[&Action],
) -> Result<Secured, StoreError> {
    let mut secured = Secured::default();
    for (source, reader) in readers {
        let mut touched: BTreeSet<&str> = BTreeSet::new();
        for action in actions.iter().filter(|action| action.source == *source) {
            touched.insert(&action.share);
            touched.extend(action.also_ends.iter().map(String::as_str));
        }
        let mut looks = watched(ledger, (policy, now), source)?;
        looks.retain(|look| touched.contains(look.share.id.as_str()));
        if looks.is_empty() {
            continue;
        }
        let mut left: BTreeMap<String, String> = looks
            .iter()
            .map(|look| (look.share.id.clone(), look.share.owner.id.clone()))
            .collect();
        let (asked, readings) = gathered(reader.as_ref(), source, (looks, now)).await;
        ledger.keep_evidence(source, &readings)?;
        // What no service tells is no reason to leave a link open.
        let mut not_to_be_had: BTreeSet<&str> = BTreeSet::new();
        for reading in &readings {
            match reading {
                Reading::Looked { share, .. } => {
                    left.remove(share);
                }
                Reading::Problem(problem) => {
                    if problem.code == ProblemCode::EvidenceUnavailable {
                        not_to_be_had.insert(&problem.scope);
                    }
                    let words = format!("{source}, {}: {}", problem.scope, problem.message);
                    secured.notes.push(words);
                }
                _ => {}
            }
        }
        if let Some(problem) = asked.err().and_then(|error| error.problem("*")) {
            let words = format!("{source}: {}", unreadable(problem).message);
            secured.notes.push(words);
        }
        left.retain(|_, owner| !not_to_be_had.contains("*") && !not_to_be_had.contains(owner.as_str()));
        secured
            .lacking
            .extend(left.into_keys().map(|share| (source.clone(), share)));
    }
    Ok(secured)
}

/// What a source tells of the use of links, all at once: of few.
async fn gathered(
    reader: &dyn Reader,
    source: &SourceName,
    (looks, now): (Vec<Look>, Timestamp),
) -> (Result<(), ReadError>, Vec<Reading>) {
    let (batches, mut waiting) = mpsc::channel::<Batch>(4);
    let sink = Sink::new(source.clone(), batches);
    let asked = async move {
        // The sink goes with it, or nobody would know that no more comes.
        let sink = sink;
        reader.witness(looks, now, &sink).await
    };
    let taken = async {
        let mut readings = Vec::new();
        while let Some(batch) = waiting.recv().await {
            readings.extend(batch.readings);
        }
        readings
    };
    futures::join!(asked, taken)
}

/// How long ago the last look may be, of a scan that has just read everything.
const FRESH: SignedDuration = SignedDuration::from_hours(12);

/// The links that a scan could not ask about although the service should tell: nothing is to be done to them in the same
/// night.
pub(super) fn unanswered(
    ledger: &Ledger,
    run: &Run,
    policy: &Policy,
    sources: impl Iterator<Item = SourceName>,
) -> Result<BTreeSet<ShareKey>, StoreError> {
    use ProblemCode::{EvidencePending, EvidenceUnreadable};
    let mut unanswered = BTreeSet::new();
    if !policy.evidence {
        return Ok(unanswered);
    }
    let fresh = run.now.checked_sub(FRESH).unwrap_or(Timestamp::MIN);
    for source in sources {
        let problems = ledger.problems(run, &source)?;
        if problems
            .iter()
            .any(|problem| matches!(problem.code, EvidencePending | EvidenceUnreadable))
        {
            let looks = watched(ledger, (policy, run.now), &source)?.into_iter();
            let stale = looks.filter(|look| look.since.is_none_or(|since| since < fresh));
            unanswered.extend(stale.map(|look| (source.clone(), look.share.id)));
        }
    }
    Ok(unanswered)
}

/// The links of a source of which evidence is wanted, as they were last read.
fn watched(
    ledger: &Ledger,
    (policy, now): (&Policy, Timestamp),
    source: &SourceName,
) -> Result<Vec<Look>, StoreError> {
    let Some(facts) = ledger.facts(source)? else {
        return Ok(Vec::new());
    };
    let judge = Judge::new(policy, &facts, now);
    let (mut watched, mut after) = (Vec::new(), (0, 0));
    loop {
        let (page, last) = ledger.open_links(source, &[], (policy.classes.digest(), after), PAGE)?;
        watched.extend(page.into_iter().filter(|look| {
            let judged = judge.share(&look.share, &Past::default());
            policy::wants_evidence(policy, &look.share, &judged)
        }));
        match last {
            Some(last) => after = last,
            None => return Ok(watched),
        }
    }
}

/// The same failure, as what it keeps from being known.
fn unreadable(problem: Problem) -> Problem {
    let words = format!(
        "it could not be asked of all links to classified items whether they were used: {}",
        problem.message
    );
    Problem {
        code: ProblemCode::EvidenceUnreadable,
        message: words,
        ..problem
    }
}
