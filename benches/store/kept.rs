//! The ledger: two runs that read the same.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use sharewarden::model::{
    Audience, Batch, Finding, FindingId, Level, PrincipalKind, Reading, Remedy, RuleId, Share, SourceName,
    Verdict,
};
use sharewarden::policy::{Judged, Past};
use sharewarden::report::view;
use sharewarden::store::{Judging, Ledger, Run, RunStart};

use crate::invented::{Part, parts};
use crate::{Figures, Outcome};

pub(crate) fn measure(path: &Path, shares: u32) -> Outcome<Figures> {
    let mut ledger = Ledger::open(path)?;
    let parts = parts(shares);
    let first = begin(&mut ledger, &parts, 0)?;
    let stored = absorb(&mut ledger, &first, &parts)?;
    let judged = judge(&mut ledger, &first, &parts)?;
    ledger.finish(&first, first.now, Verdict::Complete, &[])?;
    let second = begin(&mut ledger, &parts, 1)?;
    let compared = absorb(&mut ledger, &second, &parts)?;
    let again = judge(&mut ledger, &second, &parts)?;
    ledger.finish(&second, second.now, Verdict::Complete, &[])?;
    let began = Instant::now();
    ledger.forget_before(second.now)?;
    let forgotten = began.elapsed();
    // The last connection to close writes the log into the file.
    drop(ledger);
    Ok(Figures {
        steps: vec![
            ("stored", stored),
            ("compared with the run before", compared),
            ("judged, one of ten found", judged),
            ("judged again", again),
            ("the first run forgotten", forgotten),
        ],
        bytes: path.metadata()?.len(),
    })
}

fn begin(ledger: &mut Ledger, parts: &[Part], day: i64) -> Outcome<Run> {
    Ok(ledger.begin(RunStart {
        now: Timestamp::from_second(1_795_000_000 + day * 86_400)?,
        scope: view::RunScope {
            sources: parts.iter().map(|part| part.name.to_owned()).collect(),
            users: Vec::new(),
            rules: Vec::new(),
            full: true,
        },
        policy: view::PolicyNote {
            digest: String::new(),
            rules_digest: String::new(),
            rules_off: Vec::new(),
            overrides: 0,
            waivers: 0,
            exclusions: 0,
            gaps: 0,
        },
        sources: parts
            .iter()
            .map(|part| (SourceName::new(part.name), part.kind))
            .collect(),
    })?)
}

/// Writes what both sources tell, in transactions as a scan makes them.
fn absorb(ledger: &mut Ledger, run: &Run, parts: &[Part]) -> Outcome<Duration> {
    let mut took = Duration::ZERO;
    for part in parts {
        let mut gathered: Vec<Batch> = Vec::new();
        let mut write = |gathered: &mut Vec<Batch>| {
            let began = Instant::now();
            let kept = ledger.absorb(run, gathered);
            took += began.elapsed();
            gathered.clear();
            kept
        };
        let mut readings = 0;
        for (scope, shares) in part.batches() {
            readings += shares.len();
            gathered.push(Batch {
                source: SourceName::new(part.name),
                scope: Some(scope),
                readings: shares
                    .into_iter()
                    .map(|share| Reading::Share(Box::new(share)))
                    .collect(),
            });
            if readings >= crate::TOGETHER as usize {
                write(&mut gathered)?;
                readings = 0;
            }
        }
        write(&mut gathered)?;
    }
    Ok(took)
}

fn judge(ledger: &mut Ledger, run: &Run, parts: &[Part]) -> Outcome<Duration> {
    let began = Instant::now();
    for part in parts {
        let name = SourceName::new(part.name);
        let judging = Judging {
            source: &name,
            classes: "",
            relist_every: SignedDuration::from_hours(7 * 24),
            off: &[],
            left_out: &[],
        };
        ledger.judge_source(run, judging, &mut cheaply)?;
    }
    Ok(began.elapsed())
}

/// Finds something about each tenth share, and about the same ones every night.
fn cheaply(share: &Share, _: &Past) -> Judged {
    let found = share.item.size.is_some_and(|size| size / 1_000 % 10 == 0);
    let finding = |()| Finding {
        id: FindingId::of(RuleId::LinkWithoutPassword, &share.source, Some(&share.id)),
        rule: RuleId::LinkWithoutPassword,
        level: Level::High,
        message: "Anyone who has the link can open this.".to_owned(),
        remedy: Remedy::Revoke,
        waiver: None,
    };
    Judged {
        audience: Audience::Anyone,
        classified: Some(false),
        labels: BTreeSet::new(),
        expired: false,
        owner: PrincipalKind::Member,
        shared_by: Some(PrincipalKind::Member),
        recipients: share.recipients.iter().map(|_| PrincipalKind::Member).collect(),
        findings: found.then_some(()).map(finding).into_iter().collect(),
        not_judged: Vec::new(),
        untold: Vec::new(),
        waivers_used: Vec::new(),
        turns: Vec::new(),
    }
}
