//! Asks the services whether open links to classified items were used, before anything is judged.
//!
//! Only of those links; what cannot be had is a problem of the source, and never passes for "not used".

use std::sync::Arc;
use std::time::Instant;

use super::ScanError;
use super::source::SourceRun;
use crate::model::{Look, Problem, ProblemCode, SourceFacts};
use crate::policy::{self, Judge, Past};

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
                .ask(move |ledger| ledger.open_links(&run, &source, (policy.classes.digest(), after), PAGE))
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
