//! What the administrators are told of how things stand: of each source what the last run told that read it whole, since
//! a run of a few accounts, or by a few rules, tells of these only.

use std::collections::{BTreeMap, BTreeSet};

use super::Mailing;
use crate::model::{SourceName, Status};
use crate::notify::{LastRun, Summary};
use crate::report::Pages as _;
use crate::store::{Ledger, RunFilter, StoreError};

/// How many scopes that could not be read the administrators are told by name.
const UNREAD: usize = 20;

/// What the administrators are told, whatever is sent.
pub(super) fn picture(ledger: &Ledger, mailing: Mailing<'_>) -> Result<Summary, StoreError> {
    let mut summary = Summary::default();
    let mut runs: BTreeMap<String, BTreeSet<&SourceName>> = BTreeMap::new();
    for (source, _) in mailing.sources {
        summary.sources.push((source.clone(), None));
        if let Some(run) = ledger.last_whole_run(source)? {
            runs.entry(run).or_default().insert(source);
        }
        for announced in ledger.announced(source)? {
            let shares = 1 + announced.action.also_ends.len() as u64;
            *summary.due.entry(mailing.day(announced.due_at)).or_default() += shares;
        }
    }
    for (run, sources) in &runs {
        tell(ledger, mailing, (run, sources), &mut summary)?;
    }
    Ok(summary)
}

/// What a run told of some of its sources.
fn tell(
    ledger: &Ledger,
    mailing: Mailing<'_>,
    (run, sources): (&str, &BTreeSet<&SourceName>),
    summary: &mut Summary,
) -> Result<(), StoreError> {
    let stored = ledger.stored_run(Some(run), RunFilter::default())?;
    // A walk over a ledger fails only where the ledger does, and then so does what comes next.
    let _ = stored.findings(&mut |finding| {
        let is_told = sources
            .iter()
            .any(|source| source.as_str() == finding.source.as_str());
        if is_told && finding.status == Status::New {
            *summary.new.entry(finding.level).or_default() += 1;
        }
        if is_told && matches!(finding.status, Status::New | Status::Open | Status::NotChecked) {
            *summary.standing.entry(finding.level).or_default() += 1;
        }
        Ok(())
    });
    let header = stored.header();
    for (source, last) in &mut summary.sources {
        let told = header.sources.iter().find(|told| told.name == source.as_str());
        let Some(told) = told.filter(|_| sources.contains(&*source)) else {
            continue;
        };
        *last = Some(LastRun {
            id: run.to_owned(),
            on: mailing.day(header.run.started_at),
            verdict: told.verdict,
        });
        let mut problems: Vec<_> = told.problems.iter().collect();
        // They come in the order in which answers came.
        problems.sort_by_key(|problem| (&problem.scope, problem.code));
        for problem in problems {
            if summary.unread.len() < UNREAD {
                let unread = (source.clone(), problem.scope.clone(), problem.code);
                summary.unread.push(unread);
            } else {
                summary.more_unread += 1;
            }
        }
    }
    Ok(())
}
