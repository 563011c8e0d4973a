//! Judges the whole known picture of a source, page by page, and keeps where each finding stands.
//!
//! Absence is knowledge only where coverage is complete: what was not read resolves nothing.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, OptionalExtension, params};
use serde_json::value::{RawValue, to_raw_value};

use super::findings::{self, About, JudgedNote, Known};
use super::notes::{note, note_text};
use super::runs::{Policies, was_read_whole};
use super::sharing::{Loader, RawShare, SHARE_COLUMNS};
use super::{Ledger, Result, Run, StoreError, evidence, storable, waivers, within};
use crate::model::{Audience, Finding, PrincipalClass, RuleId, ScopeOutcome, Share, SourceName, Status};
use crate::policy::{Judged, Outgrown, Past, Posture};

/// How many shares are judged in one transaction.
const PAGE: i64 = 500;

/// What judging a source came to, beside the findings themselves.
#[derive(Clone, Debug, Default)]
pub struct JudgedSource {
    /// Rules that lacked their input for some share.
    pub not_judged: BTreeSet<RuleId>,
    /// Shares to `anyone` of which is not known whether they are classified.
    pub undetermined: u64,
    /// The waivers that matched a finding, by their place in the policy.
    pub waivers_used: BTreeSet<usize>,
    /// What waivers, by their place in the policy, have ceased to cover.
    pub outgrown: BTreeMap<usize, Outgrown>,
}

/// How a source is to be judged.
#[derive(Clone, Copy, Debug)]
pub struct Judging<'a> {
    /// The source.
    pub source: &'a SourceName,
    /// The digest of the classes that labels must have been looked up under.
    pub classes: &'a str,
    /// How long a share that was not read again still counts as checked.
    pub relist_every: SignedDuration,
    /// The rules that the policy switches off: what they found before is closed by it.
    pub off: &'a [RuleId],
    /// Whose drives the configuration leaves out altogether, by the class of their owner.
    pub left_out: &'a [PrincipalClass],
}

pub(super) const NOTED: &str = note_text!("v.judged");

/// A share of a page: its rows, when it was last read, and what it says.
pub(super) struct Row {
    pub(super) share: i64,
    from_run: i64,
    read_run: i64,
    read_at: i64,
    /// Whether its place was listed without it.
    pub(super) missing: bool,
    /// Whether its item could not be listed in this run.
    doubted: bool,
    /// But for how its findings stood when waivers first covered them.
    pub(super) past: Past,
    owner: i64,
    shared_by: Option<i64>,
    judged: Option<String>,
    pub(super) raw: RawShare,
}

impl Ledger {
    /// Judges every share of a source that is in the run's scope and keeps the findings.
    ///
    /// # Errors
    /// Any [`super::StoreError`] of the file.
    pub fn judge_source(
        &mut self,
        run: &Run,
        judging: Judging<'_>,
        judge: &mut dyn FnMut(&Share, &Past) -> Judged,
    ) -> Result<JudgedSource> {
        let mut sums = JudgedSource::default();
        let Some(source) = self.known_source(judging.source)? else {
            return Ok(sums);
        };
        let users = storable("accounts", &run.scope.users)?;
        let policies = Policies::of(&self.connection, run, source)?;
        let baseline = !was_read_whole(&self.connection, source)?;
        let stale_before = stale_before(run.now, judging.relist_every);
        evidence::tell(&self.connection, run, source)?;
        let mut after = 0;
        loop {
            let judged_to = within(&self.connection, |connection| {
                let rows = page(connection, (source, run.id), (&users, ALL), after)?;
                let (Some(first), Some(last)) = (rows.first(), rows.last()) else {
                    return Ok(None);
                };
                let (first, last) = (first.share, last.share);
                let mut loader = Loader::new(connection, judging.source.clone(), judging.classes);
                let known = findings::of_shares(connection, first..=last)?;
                let mut accepted = waivers::accepted_of_shares(connection, first..=last)?;
                let mut uses = evidence::of_shares(connection, run, first..=last)?;
                for mut row in rows {
                    (row.past.looked, row.past.uses) = uses.remove(&row.share).unwrap_or_default();
                    if row.from_run > run.id && !had_version(connection, run, row.share)? {
                        // Seen first by a run that was begun later, and runs beside this one: no part of its picture.
                        continue;
                    }
                    let known = known.get(&row.share).map(Vec::as_slice).unwrap_or_default();
                    if row.read_run < run.id {
                        let fate = fate(connection, run, source, &row, (stale_before, judging.left_out))?;
                        if fate != Fate::Known {
                            end(connection, run, &row, known, (fate, judging.off))?;
                            // What is on record of its use is told all the same.
                            if row.past.uses.is_some()
                                && let Some(share) = loader.share(row.raw)?
                            {
                                let mut judged = judge(&share, &row.past);
                                judged.findings.retain(|finding| finding.rule.ends_by_hand());
                                let words = words(&judged)?;
                                let about = About {
                                    source,
                                    share: Some(row.share),
                                    judged: Some(&words),
                                    known,
                                    baseline,
                                };
                                found(connection, run, about, &judged.findings)?;
                            }
                            continue;
                        }
                    }
                    let Row {
                        raw,
                        mut past,
                        judged: before,
                        ..
                    } = row;
                    let Some(share) = loader.share(raw)? else {
                        if row.read_run == run.id {
                            return Err(StoreError::Bare);
                        }
                        // Known and without a finding, or read and judged by a later run since.
                        continue;
                    };
                    past.accepted = accepted.remove(&row.share).unwrap_or_default();
                    let judged = judge(&share, &past);
                    let closed = |known: &Known| {
                        // Where the share itself changed, that is what put it right.
                        let by_policy =
                            row.from_run < run.id && policies.differ_for(known, Some(row.from_run))?;
                        Ok(if by_policy || judging.off.contains(&known.rule) {
                            Status::ClosedByPolicy
                        } else {
                            Status::Resolved
                        })
                    };
                    let note = noted(connection, (row.share, row.from_run), before.as_deref(), &judged)?;
                    let about = About {
                        source,
                        share: Some(row.share),
                        judged: Some(&note),
                        known,
                        baseline,
                    };
                    keep(connection, run, about, &judged, &closed)?;
                    waivers::keep_turns(connection, run, &judged.turns)?;
                    sums.not_judged.extend(&judged.not_judged);
                    sums.waivers_used.extend(&judged.waivers_used);
                    Outgrown::note(&mut sums.outgrown, &judged.turns);
                    if judged.audience == Audience::Anyone && !judged.expired && judged.classified.is_none() {
                        sums.undetermined += 1;
                    }
                }
                Ok(Some(last))
            })?;
            let Some(last) = judged_to else {
                within(&self.connection, |connection| {
                    evidence::settle(connection, run, source)
                })?;
                return Ok(sums);
            };
            after = last;
        }
    }

    /// Keeps the findings about a source's settings.
    ///
    /// # Errors
    /// Any [`super::StoreError`] of the file.
    pub fn keep_posture(
        &mut self,
        run: &Run,
        source: &SourceName,
        posture: &Posture,
        off: &[RuleId],
    ) -> Result<()> {
        let Some(source) = self.known_source(source)? else {
            return Ok(());
        };
        within(&self.connection, |connection| {
            let known = findings::of_settings(connection, source)?;
            let policies = Policies::of(connection, run, source)?;
            let about = About {
                source,
                share: None,
                judged: None,
                known: &known,
                baseline: !was_read_whole(connection, source)?,
            };
            for finding in posture
                .findings
                .iter()
                .filter(|finding| in_scope(run, finding.rule))
            {
                findings::seen(connection, run, about, finding)?;
            }
            for live in known.iter().filter(|known| known.is_live()) {
                if in_scope(run, live.rule) && !live.is_among(&posture.findings) {
                    let status = if off.contains(&live.rule) {
                        Status::ClosedByPolicy
                    } else if posture.not_judged.contains(&live.rule) {
                        Status::NotChecked
                    } else if policies.differ_for(live, None)? {
                        // Nothing tells whether the setting changed, too.
                        Status::ClosedByPolicy
                    } else {
                        Status::Resolved
                    };
                    findings::ended(connection, run, live, status)?;
                }
            }
            waivers::keep_turns(connection, run, &posture.turns)
        })
    }

    /// Forgets the particulars of the shares that a full run read and judged, and that never had a finding; their ids
    /// and digests stay. What other runs read is theirs to judge first, and what is open to others and may be classified
    /// is not known to be harmless yet.
    ///
    /// # Errors
    /// Any [`super::StoreError`] of the file.
    pub fn forget_details(&mut self, run: &Run) -> Result<()> {
        if !run.scope.users.is_empty() || !run.scope.rules.is_empty() {
            return Ok(());
        }
        self.connection.execute(
            "UPDATE share_version SET body = NULL, judged = NULL WHERE body IS NOT NULL
             AND share IN (SELECT id FROM share WHERE read_run = ?1)
             AND NOT EXISTS (SELECT 1 FROM finding f WHERE f.share = share_version.share)
             AND NOT EXISTS (SELECT 1 FROM look l WHERE l.share = share_version.share)
             AND NOT EXISTS (SELECT 1 FROM note n WHERE n.id = share_version.judged
                 AND n.text ->> '$.classified' IS NULL AND n.text ->> '$.audience' <> 'internal')",
            [run.id],
        )?;
        Ok(())
    }
}

/// Whether a share was known in a run, or earlier.
fn had_version(connection: &Connection, run: &Run, share: i64) -> Result<bool> {
    Ok(connection
        .prepare_cached("SELECT 1 FROM share_version WHERE share = ?1 AND from_run <= ?2 AND to_run > ?2")?
        .exists(params![share, run.id])?)
}

fn in_scope(run: &Run, rule: RuleId) -> bool {
    run.scope.rules.is_empty() || run.scope.rules.contains(&rule)
}

fn stale_before(now: Timestamp, relist_every: SignedDuration) -> i64 {
    now.as_second().saturating_sub(relist_every.as_secs())
}

/// No condition on the shares of a page.
const ALL: &str = "TRUE";

/// The next shares of some people in the order of their rows, as a run sees them; `only` is a condition on `v`. The joins are
/// crossed so that SQLite walks along that order: left to itself it reads all shares that remain, and sorts them, for each
/// page.
pub(super) fn page(
    connection: &Connection,
    (source, run): (i64, i64),
    (users, only): (&str, &str),
    after: i64,
) -> Result<Vec<Row>> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT v.share, v.from_run, s.read_run, s.read_at, s.first_at, s.confirmed_at, {NOTED},
             s.missing_run IS NOT NULL, s.had_password, s.had_expiry, s.doubted_run IS ?4, {SHARE_COLUMNS}
         FROM share_version v CROSS JOIN share s ON s.id = v.share CROSS JOIN item i ON i.id = v.item
         WHERE v.to_run IS NULL AND v.share > ?2 AND s.source = ?1 AND (?3 = '[]' OR {}) AND {only}
         ORDER BY v.share LIMIT {PAGE}",
        super::pages::of_users("v", "?3")
    ))?;
    let second = |at: Option<i64>| at.and_then(|second| Timestamp::from_second(second).ok());
    let rows = statement
        .query_map(params![source, after, users, run], |row| {
            Ok(Row {
                share: row.get(0)?,
                from_run: row.get(1)?,
                read_run: row.get(2)?,
                read_at: row.get(3)?,
                past: Past {
                    first_seen: second(row.get(4)?),
                    confirmed_at: second(row.get(5)?),
                    had_password: row.get(8)?,
                    had_expiry: row.get(9)?,
                    ..Past::default()
                },
                judged: row.get(6)?,
                missing: row.get(7)?,
                doubted: row.get(10)?,
                owner: row.get(14)?,
                shared_by: row.get(15)?,
                raw: RawShare::read(row, 11)?,
            })
        })?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    Ok(rows)
}

/// What is known of a share that was not read in this run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// It still counts as read: its place is searched less often, and was not long ago.
    Known,
    /// It is gone: everybody who could show it was read without it, or its owner no longer exists.
    Gone,
    /// The configuration leaves its place out.
    LeftOut,
    /// Nothing is known.
    NotChecked,
}

fn fate(
    connection: &Connection,
    run: &Run,
    source: i64,
    row: &Row,
    (stale_before, left_out): (i64, &[PrincipalClass]),
) -> Result<Fate> {
    if let Some(drive) = row.raw.drive() {
        return Ok(match drive_outcome(connection, run, source, drive)? {
            Some(drive) if drive.outcome == ScopeOutcome::Excluded => Fate::LeftOut,
            // Its owner may be long gone: the drive tells.
            Some(drive) if drive.is_followed() && row.missing => Fate::Gone,
            Some(drive) if drive.is_followed() && row.doubted => Fate::NotChecked,
            // Nothing says that it changed, and it is listed again before it is too old.
            Some(drive) if drive.is_followed() && row.read_at >= stale_before => Fate::Known,
            // One that is listed and yet not there says nothing: the list has to have lost it, too.
            Some(drive) if drive.outcome == ScopeOutcome::Gone && !drive.listed => Fate::Gone,
            None if !run.scope.users.is_empty() && row.read_at >= stale_before => Fate::Known,
            None if is_left_out(connection, run, row.owner, left_out)? => Fate::LeftOut,
            _ => Fate::NotChecked,
        });
    }
    let gone: bool = connection
        .prepare_cached("SELECT gone FROM principal WHERE id = ?1 AND class = 'account'")?
        .query_row([row.owner], |row| row.get(0))
        .optional()?
        .unwrap_or(false);
    if gone {
        return Ok(Fate::Gone);
    }
    let owner = coverage(connection, run, row.owner)?;
    let node = row.raw.is_shared_node();
    match owner {
        Some(Coverage {
            outcome: ScopeOutcome::Gone,
            ..
        }) => Ok(Fate::Gone),
        Some(Coverage {
            outcome: ScopeOutcome::Excluded,
            ..
        }) => Ok(Fate::LeftOut),
        Some(Coverage {
            outcome: ScopeOutcome::Scanned,
            ..
        }) => {
            // A node of a disabled account that is enabled again: its list tells its shares themselves.
            let sharer = match row.shared_by.filter(|sharer| *sharer != row.owner && !node) {
                Some(sharer) => coverage(connection, run, sharer)?,
                None => None,
            };
            let unread = sharer.is_some_and(|sharer| sharer.outcome == ScopeOutcome::Failed);
            Ok(if unread { Fate::NotChecked } else { Fate::Gone })
        }
        Some(Coverage {
            outcome: ScopeOutcome::Skipped,
            searched: true,
        }) if node => Ok(Fate::Gone),
        Some(Coverage {
            outcome: ScopeOutcome::Skipped,
            searched: false,
        }) if node && row.read_at >= stale_before => Ok(Fate::Known),
        // A scan of some accounts did not cover it: it stays what it was, as long as that is not too old.
        None if !run.scope.users.is_empty() && row.read_at >= stale_before => Ok(Fate::Known),
        _ => Ok(Fate::NotChecked),
    }
}

struct Coverage {
    outcome: ScopeOutcome,
    searched: bool,
}

/// How the scope of an account fared in this run; `None` where it was not in the run's scope.
fn coverage(connection: &Connection, run: &Run, account: i64) -> Result<Option<Coverage>> {
    let found: Option<(String, bool)> = connection
        .prepare_cached(
            "SELECT c.outcome, COALESCE(c.searched_run >= ?2, 0) FROM scope s JOIN coverage c ON c.scope = s.id
             WHERE s.account = ?1 AND c.run >= ?2",
        )?
        .query_row(params![account, run.id], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .optional()?;
    found
        .map(|(outcome, searched)| {
            Ok(Coverage {
                outcome: super::named("an outcome", &outcome)?,
                searched,
            })
        })
        .transpose()
}

/// How a drive fared in this run.
struct DriveCoverage {
    outcome: ScopeOutcome,
    /// Whether the service listed it.
    listed: bool,
    /// Whether only some of its items could not be listed, where it was not read to its end.
    followed: bool,
}

impl DriveCoverage {
    /// Whether what nothing says of has not changed.
    fn is_followed(&self) -> bool {
        self.outcome == ScopeOutcome::Scanned || (self.outcome == ScopeOutcome::Failed && self.followed)
    }
}

/// How a drive fared in this run; `None` where it was not in the run's scope.
fn drive_outcome(
    connection: &Connection,
    run: &Run,
    source: i64,
    drive: &str,
) -> Result<Option<DriveCoverage>> {
    let found: Option<(String, bool, bool)> = connection
        .prepare_cached(
            "SELECT c.outcome, s.listed_run >= ?3, COALESCE(c.followed_run = ?3, 0) FROM scope s JOIN coverage c ON c.scope = s.id
             WHERE s.source = ?1 AND s.key = ?2 AND c.run >= ?3",
        )?
        .query_row(params![source, drive, run.id], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })
        .optional()?;
    found
        .map(|(outcome, listed, followed)| {
            Ok(DriveCoverage {
                outcome: super::named("an outcome", &outcome)?,
                listed,
                followed,
            })
        })
        .transpose()
}

/// Whether the configuration leaves out the drives of an owner, all of their kind or the place that has them.
fn is_left_out(connection: &Connection, run: &Run, owner: i64, left_out: &[PrincipalClass]) -> Result<bool> {
    if !run.scope.users.is_empty() {
        return Ok(false);
    }
    let class: Option<String> = connection
        .prepare_cached("SELECT class FROM principal WHERE id = ?1")?
        .query_row([owner], |row| row.get(0))
        .optional()?;
    if class.is_some_and(|class| left_out.iter().any(|left| left.as_str() == class)) {
        return Ok(true);
    }
    // A site that is left out is told as such; which drives it has is not.
    Ok(connection
        .prepare_cached(
            "SELECT 1 FROM scope s JOIN coverage c ON c.scope = s.id
             WHERE s.account = ?1 AND c.run >= ?2 AND c.outcome = ?3",
        )?
        .exists(params![owner, run.id, ScopeOutcome::Excluded.as_str()])?)
}

fn end(
    connection: &Connection,
    run: &Run,
    row: &Row,
    known: &[Known],
    (fate, off): (Fate, &[RuleId]),
) -> Result<()> {
    for live in known.iter().filter(|known| known.is_live()) {
        if in_scope(run, live.rule) && !live.rule.ends_by_hand() {
            let status = match fate {
                Fate::Gone => Status::Resolved,
                Fate::LeftOut => Status::ClosedByPolicy,
                Fate::Known | Fate::NotChecked if off.contains(&live.rule) => Status::ClosedByPolicy,
                Fate::Known | Fate::NotChecked => Status::NotChecked,
            };
            findings::ended(connection, run, live, status)?;
        }
    }
    // A run of some rules only ends their findings; the share stays known until those of the others were ended, too.
    if fate == Fate::Gone && run.scope.rules.is_empty() {
        connection
            .prepare_cached("UPDATE share_version SET to_run = ?2 WHERE share = ?1 AND to_run IS NULL")?
            .execute(params![row.share, run.id])?;
    }
    Ok(())
}

/// How a share was judged, as it is written.
fn words(judged: &Judged) -> Result<Box<RawValue>> {
    to_raw_value(&JudgedNote::of(judged)).map_err(|source| StoreError::Stored {
        what: "a judgement",
        source,
    })
}

/// Keeps beside a version of a share how it was judged, unless that stands there already; gives it as it is written.
fn noted(
    connection: &Connection,
    version: (i64, i64),
    before: Option<&str>,
    judged: &Judged,
) -> Result<Box<RawValue>> {
    let words = words(judged)?;
    if before != Some(words.get()) {
        let (share, from_run) = version;
        connection
            .prepare_cached("UPDATE share_version SET judged = ?3 WHERE share = ?1 AND from_run = ?2")?
            .execute(params![share, from_run, note(connection, words.get())?])?;
    }
    Ok(words)
}

/// Keeps what was found, as far as the run's scope goes.
fn found(connection: &Connection, run: &Run, about: About<'_>, findings: &[Finding]) -> Result<()> {
    for finding in findings.iter().filter(|finding| in_scope(run, finding.rule)) {
        findings::seen(connection, run, about, finding)?;
    }
    Ok(())
}

fn keep(
    connection: &Connection,
    run: &Run,
    about: About<'_>,
    judged: &Judged,
    closed: &dyn Fn(&Known) -> Result<Status>,
) -> Result<()> {
    found(connection, run, about, &judged.findings)?;
    for live in about.known.iter().filter(|known| known.is_live()) {
        if in_scope(run, live.rule) && !live.rule.ends_by_hand() && !live.is_among(&judged.findings) {
            let status = if judged.not_judged.contains(&live.rule) {
                Status::NotChecked
            } else {
                closed(live)?
            };
            findings::ended(connection, run, live, status)?;
        }
    }
    Ok(())
}
