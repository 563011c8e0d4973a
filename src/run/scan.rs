//! A scan: reads the sources side by side, judges the whole known picture, and ends the run with a verdict.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures::future::try_join_all;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use super::source::{Part, Reading, SourceRun};
use super::{Desk, DeskGone, Step, coverage};
use crate::model::{Problem, ProblemCode, RuleId, SourceFacts, Verdict, short_digest};
use crate::policy::{self, Judge, Outgrown, Policy};
use crate::report::view;
use crate::store::{JudgedSource, Judging, Ledger, Run, RunStart, StoreError};

/// What a scan is to do.
#[derive(Clone, Debug)]
pub struct Scan {
    /// The time at which it judges.
    pub now: Timestamp,
    /// The accounts to read; all, where none is named.
    pub users: Vec<String>,
    /// The rules to judge by; all, where none is named.
    pub rules: Vec<RuleId>,
    /// Whether all configured sources are read.
    pub all_sources: bool,
    /// How many patterns leave something out.
    pub exclusions: usize,
}

/// What a scan came to; the rest is in the ledger.
#[derive(Debug)]
pub struct Scanned {
    /// The ledger, back from its desk.
    pub ledger: Ledger,
    /// The run.
    pub run: Run,
    /// What its result is worth.
    pub verdict: Verdict,
}

/// Why a scan could not be kept.
#[derive(Debug, thiserror::Error)]
pub enum ScanError {
    /// The run could not be begun: nothing was sent.
    #[error(transparent)]
    NotBegun(StoreError),
    /// The ledger failed.
    #[error(transparent)]
    Store(StoreError),
    /// The ledger's thread ended.
    #[error(transparent)]
    Desk(#[from] DeskGone),
}

/// Scans sources into a ledger. What cannot be read makes the verdict, never an error; `finished` tells the time at
/// the end.
///
/// # Errors
/// [`ScanError`] where the result could not be kept.
pub async fn scan(
    mut ledger: Ledger,
    policy: &Arc<Policy>,
    parts: &[Part],
    scan: &Scan,
    finished: impl FnOnce() -> Timestamp,
    cancel: &CancellationToken,
) -> Result<Scanned, ScanError> {
    let begun = ledger.begin(RunStart {
        now: scan.now,
        scope: view::RunScope {
            sources: parts.iter().map(|part| part.name.to_string()).collect(),
            users: scan.users.clone(),
            rules: scan.rules.clone(),
            full: scan.users.is_empty() && scan.rules.is_empty() && scan.all_sources,
        },
        policy: policy_note(policy, scan.exclusions),
        sources: parts.iter().map(|part| (part.name.clone(), part.kind)).collect(),
    });
    let run = begun.map_err(ScanError::NotBegun)?;
    let (desk, thread) = Desk::open(ledger);
    // Where the ledger fails, nothing more is asked of any source.
    let results = try_join_all(parts.iter().map(|part| {
        let source = SourceRun {
            desk: &desk,
            run: &run,
            part,
            policy,
            cancel,
        };
        // At this level, so that warnings have it whatever is logged.
        let span = tracing::error_span!("scan", run = %run.key, source = %part.name);
        scan_source(source).instrument(span)
    }))
    .await?;
    let mut verdict = Verdict::Complete;
    let mut used = BTreeSet::new();
    let mut outgrown: BTreeMap<usize, Outgrown> = BTreeMap::new();
    for (worth, judged) in results {
        verdict = verdict.max(worth);
        used.extend(judged.waivers_used);
        for (place, more) in judged.outgrown {
            outgrown.entry(place).or_default().add(more);
        }
    }
    let everything = run.scope.full && verdict != Verdict::Incomplete;
    let today = run.now.to_zoned(TimeZone::UTC).date();
    let notices: Vec<view::Notice> = policy::notices(policy, everything.then_some(&used), &outgrown, today)
        .into_iter()
        .map(|notice| view::Notice {
            code: notice.code.to_string(),
            message: notice.message,
        })
        .collect();
    let (ended, at) = (run.clone(), finished());
    desk.ask(move |ledger| ledger.finish(&ended, at, verdict, &notices))
        .await??;
    drop(desk);
    let ledger = thread.await.map_err(|_panicked| DeskGone)?;
    Ok(Scanned { ledger, run, verdict })
}

async fn scan_source(source: SourceRun<'_>) -> Result<(Verdict, JudgedSource), ScanError> {
    let progress = &source.part.progress;
    let reading = source.read().await?;
    if source.cancel.is_cancelled() {
        let words = "the scan was interrupted: what is missing was not read";
        source
            .tell(Problem::new("*", ProblemCode::Interrupted, words))
            .await?;
    }
    progress.begin(Step::Judging);
    // What is known of the server decides what its shares are worth: of single accounts nothing is judged without.
    let judged = if reading.is_left || (reading.facts.is_none() && !source.run.scope.users.is_empty()) {
        JudgedSource::default()
    } else {
        judge(&source, reading.facts.as_ref()).await?
    };
    let summary = summarise(&source, &reading, &judged).await?;
    let verdict = summary.verdict;
    tracing::info!(
        %verdict, found = summary.accounts.found, scanned = summary.accounts.scanned,
        skipped = summary.accounts.skipped, failed = summary.accounts.failed, shares = summary.shares_seen,
        requests = summary.requests.sent, units = summary.requests.units, "judged"
    );
    let whole = verdict != Verdict::Incomplete
        && source.run.scope.users.is_empty()
        && source.run.scope.rules.is_empty();
    let run = source.run.clone();
    source
        .desk
        .ask(move |ledger| ledger.finish_source(&run, &summary, whole))
        .await??;
    progress.begin(Step::Done);
    Ok((verdict, judged))
}

/// Judges all that is known of the source, whether it was read now or not.
async fn judge(source: &SourceRun<'_>, facts: Option<&SourceFacts>) -> Result<JudgedSource, ScanError> {
    let (run, name, kind) = (source.run.clone(), source.part.name.clone(), source.part.kind);
    let (policy, relist_every) = (Arc::clone(source.policy), source.part.relist_every);
    let (facts, left_out) = (facts.cloned(), source.part.reader.left_out());
    Ok(source
        .desk
        .ask(move |ledger| {
            let known = facts.unwrap_or_default();
            let off = policy.rules_off();
            let judge = Judge::new(&policy, &known, run.now).only(&run.scope.rules);
            let judging = Judging {
                source: &name,
                classes: policy.classes.digest(),
                relist_every,
                off: &off,
                left_out,
            };
            let mut judged =
                ledger.judge_source(&run, judging, &mut |share, past| judge.share(share, past))?;
            if run.scope.users.is_empty() {
                let posture = judge.posture(&name, kind, &ledger.accepted_settings(&name)?);
                judged.not_judged.extend(&posture.not_judged);
                judged.waivers_used.extend(&posture.waivers_used);
                Outgrown::note(&mut judged.outgrown, &posture.turns);
                ledger.keep_posture(&run, &name, &posture, &off)?;
            }
            // Asked for by name, it must not pass for judged where nobody asks the service.
            let asked = |rule: RuleId| run.scope.rules.contains(&rule);
            if asked(RuleId::BreachSuspected) && !policy.evidence {
                judged.not_judged.insert(RuleId::BreachSuspected);
            }
            // Nothing is known of the nights before.
            let removed = RuleId::ProtectionRemoved;
            if !ledger.remembers()
                && (run.scope.rules.is_empty() || asked(removed))
                && !off.contains(&removed)
            {
                judged.not_judged.insert(removed);
            }
            Ok::<_, StoreError>(judged)
        })
        .await??)
}

async fn summarise(
    source: &SourceRun<'_>,
    reading: &Reading,
    judged: &JudgedSource,
) -> Result<view::Source, ScanError> {
    let (run, name) = (source.run.clone(), source.part.name.clone());
    let stale_before = run
        .now
        .checked_sub(source.part.relist_every)
        .unwrap_or(Timestamp::MIN);
    let (accounts, (items_seen, shares_seen), inventory, seen) = source
        .desk
        .ask(move |ledger| {
            Ok::<_, StoreError>((
                ledger.account_totals(&run, &name)?,
                ledger.seen(&run, &name, stale_before)?,
                ledger.inventory(&run, &name)?,
                ledger.seen_by_kind(&run, &name)?,
            ))
        })
        .await??;
    let control = coverage::control(reading.before.as_ref(), reading.after.as_ref(), &seen);
    let (run, name) = (source.run.clone(), source.part.name.clone());
    let mut problems = source
        .desk
        .ask(move |ledger| ledger.problems(&run, &name))
        .await??;
    let some_excluded = problems
        .iter()
        .any(|problem| problem.code == ProblemCode::Excluded);
    for problem in control
        .iter()
        .flat_map(|control| coverage::mismatches(control, some_excluded))
    {
        source.tell(problem.clone()).await?;
        problems.push(problem);
    }
    let today = source.run.now.to_zoned(TimeZone::UTC).date();
    let verdict = coverage::verdict(source.policy, &source.part.name, accounts, &problems, today)
        .max(coverage::confirmed(control.as_ref()));
    Ok(view::Source {
        name: source.part.name.to_string(),
        kind: source.part.kind,
        product: reading.facts.as_ref().and_then(|facts| facts.product.clone()),
        verdict,
        accounts,
        inventory,
        rules_not_judged: judged.not_judged.iter().copied().collect(),
        classification_undetermined: judged.undetermined,
        not_covered: source
            .part
            .reader
            .not_covered()
            .iter()
            .map(|&name| name.to_owned())
            .collect(),
        stated: reading
            .facts
            .as_ref()
            .map(|facts| facts.stated.clone())
            .unwrap_or_default(),
        items_seen,
        shares_seen,
        requests: source.part.reader.totals(),
        control,
        problems,
    })
}

fn policy_note(policy: &Policy, exclusions: usize) -> view::PolicyNote {
    view::PolicyNote {
        // Rules change with the program, too.
        digest: short_digest([policy.digest.as_str(), env!("CARGO_PKG_VERSION")]),
        rules_digest: policy.rules_in_effect(),
        rules_off: policy
            .levels
            .iter()
            .filter(|(_, level)| level.is_none())
            .map(|(rule, _)| *rule)
            .collect(),
        overrides: policy.overrides.len(),
        waivers: policy.waivers.len(),
        exclusions,
        gaps: policy.gaps.len(),
    }
}
