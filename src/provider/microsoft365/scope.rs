//! Reads one drive: its items, then what is shared of them. Whatever happens, the drive has an outcome afterwards, and
//! how far it was read is remembered.

use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::drives::{Drive, Place};
use super::errors;
use super::memory::Memory;
use super::{Microsoft365, ReadError, Sink};
use crate::model::{Checkpoint, KnownScope, Problem, ProblemCode, Reading, Relist, ScopeOutcome};
use crate::provider::{Closed, Collector, Pace};

/// How soon after the last time it is remembered again how far a drive was read: what is to be kept of a large one is long,
/// and must not be made faster than it is written.
const APART: Duration = Duration::from_millis(500);

/// A drive while it is read.
pub(super) struct Visit<'a> {
    pub(super) drive: &'a Drive,
    pub(super) relist: Relist,
    pub(super) collector: Collector<'a>,
    /// Whether more was read than is remembered.
    pub(super) is_ahead: bool,
    /// How many items had been told when that was last remembered.
    pub(super) saved: u64,
    saved_at: Option<Instant>,
}

impl Visit<'_> {
    /// Remembers how far the drive was read, unless that was just done.
    pub(super) async fn save_now_and_then(&mut self, memory: &Memory) -> Result<bool, Closed> {
        let is_due = self.saved_at.is_none_or(|at| at.elapsed() >= APART);
        if is_due {
            self.save(memory).await?;
        }
        Ok(is_due)
    }

    /// Remembers how far the drive was read, after what was told of it.
    pub(super) async fn save(&mut self, memory: &Memory) -> Result<(), Closed> {
        let (parts, waiting, oldest) = memory.tree.state();
        // What could not be read is not told again by what changes: such a drive is begun anew.
        let is_spoilt = memory.is_whole() && waiting == 0 && memory.tree.unread > 0;
        let data = memory.write().filter(|_| !is_spoilt);
        let checkpoint = data.map(|data| Checkpoint {
            parts,
            waiting,
            oldest: oldest.and_then(|at| Timestamp::from_second(at).ok()),
            data,
        });
        self.is_ahead = false;
        self.saved = memory.tree.items;
        self.saved_at = Some(Instant::now());
        self.collector
            .push(Reading::Checkpoint {
                scope: self.drive.id.clone(),
                checkpoint,
            })
            .await?;
        self.collector.flush().await
    }
}

impl Microsoft365 {
    pub(super) async fn read_scope(&self, mut known: KnownScope, sink: &Sink) -> Result<Pace, ReadError> {
        let remembered = known.checkpoint.take();
        let scope = known.scope.id.as_str();
        let mut collector = sink.of(Some(scope));
        let (outcome, problem, pace) = match self.register.take(scope) {
            Some(Place::Drive(drive)) => {
                self.read_drive(&drive, remembered, (known.relist, &known.changed), sink)
                    .await?
            }
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
        remembered: Option<Vec<u8>>,
        (relist, changed): (Relist, &[String]),
        sink: &Sink,
    ) -> Result<(ScopeOutcome, Option<Problem>, Pace), ReadError> {
        let classes = &self.setup.classes;
        let mut memory = remembered
            .and_then(|data| Memory::read(&data, classes, &self.graph.base))
            .unwrap_or_else(|| Memory::new(classes));
        let mut visit = Visit {
            drive,
            relist,
            collector: sink.of(Some(&drive.id)),
            is_ahead: false,
            saved: memory.tree.items,
            saved_at: None,
        };
        let read = async {
            if let Err(error) = self.crawl(&mut visit, &mut memory).await {
                let odd = [ProblemCode::Malformed, ProblemCode::Truncated];
                if memory.next.is_some() && odd.iter().any(|code| errors::has_code(&error, *code)) {
                    // Who went on there might never come further.
                    memory = Memory::new(classes);
                    visit.save(&memory).await?;
                }
                return Err(error);
            }
            for item in changed {
                let digest = memory.tree.key.of(item);
                memory.tree.mark_due(digest);
            }
            self.list_shares(&mut visit, &mut memory).await
        };
        let read = read.await;
        // Whatever ended it, an interruption too: what was read so far need not be read again.
        if visit.is_ahead && memory.next.is_some() {
            visit.save(&memory).await?;
        }
        visit.collector.flush().await?;
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
