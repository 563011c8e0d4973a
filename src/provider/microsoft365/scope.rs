//! Reads one drive: its items, then what is shared of them. Whatever happens, the drive has an outcome afterwards.

use super::drives::{Drive, Place};
use super::errors;
use super::{Microsoft365, ReadError, Sink};
use crate::model::{KnownScope, Problem, ProblemCode, Reading, ScopeOutcome};
use crate::provider::Pace;

impl Microsoft365 {
    pub(super) async fn read_scope(&self, known: &KnownScope, sink: &Sink) -> Result<Pace, ReadError> {
        let scope = known.scope.id.as_str();
        let mut collector = sink.of(Some(scope));
        let (outcome, problem, pace) = match self.register.take(scope) {
            Some(Place::Drive(drive)) => self.read_drive(&drive, sink).await?,
            Some(Place::Closed(problem)) => (became(problem.code), Some(problem), Pace::Read),
            // It was listed by another scan that runs beside this one, and is that one's to read.
            None => {
                let words = "another scan of this source listed this drive; it reads it";
                let problem = Problem::new(scope, ProblemCode::Unreachable, words);
                (ScopeOutcome::Failed, Some(problem), Pace::Read)
            }
        };
        if let Some(problem) = problem {
            collector.push(Reading::Problem(problem)).await?;
        }
        collector
            .push(Reading::Outcome {
                scope: scope.to_owned(),
                outcome,
                searched: false,
            })
            .await?;
        collector.flush().await?;
        Ok(pace)
    }

    async fn read_drive(
        &self,
        drive: &Drive,
        sink: &Sink,
    ) -> Result<(ScopeOutcome, Option<Problem>, Pace), ReadError> {
        let mut collector = sink.of(Some(&drive.id));
        let read = async {
            let scope = drive.id.clone();
            collector.push(Reading::Begun { scope }).await?;
            let mut tree = self.graph.crawl(drive, &self.setup.classes).await?;
            self.list_shares(drive, &mut tree, &mut collector).await
        };
        let read = read.await;
        collector.flush().await?;
        match read {
            Ok(true) => Ok((ScopeOutcome::Scanned, None, Pace::Read)),
            Ok(false) => Ok((ScopeOutcome::Failed, None, Pace::Read)),
            Err(error) => {
                let Some(problem) = error.problem(&drive.address) else {
                    return Err(error);
                };
                let pace = if errors::ends_source(&error) {
                    Pace::Stop
                } else if matches!(problem.code, ProblemCode::Locked | ProblemCode::AccountGone) {
                    Pace::Read
                } else {
                    Pace::Failed
                };
                let problem = errors::with_remedy(problem);
                Ok((became(problem.code), Some(problem), pace))
            }
        }
    }
}

/// What becomes of a scope for the reason given.
fn became(code: ProblemCode) -> ScopeOutcome {
    match code {
        ProblemCode::Excluded => ScopeOutcome::Excluded,
        ProblemCode::NoDrive => ScopeOutcome::Skipped,
        ProblemCode::AccountGone => ScopeOutcome::Gone,
        _ => ScopeOutcome::Failed,
    }
}
