//! What became of findings and shares in a run: told by comparing versions, never written down a second time.
//!
//! A run tells of the versions that arose in it, and of those of earlier runs that were killed before they could
//! (`run_source.told_by`). Each is compared with the last one that was told before, so that whatever later runs write,
//! and whichever earlier ones are forgotten, a run has the same events for ever. A share of which there never was a
//! finding is told by its id: its particulars are not kept.

use std::io;

use rusqlite::{Connection, OptionalExtension, named_params, params};

use super::findings::{FindingBody, JudgedNote};
use super::judging::NOTED;
use super::pages::{self, FindingPlace, Loaders, SHARE_ORDER, StoredRun, WORDS};
use super::sharing::{RawShare, SHARE_COLUMNS};
use super::{Result, named, stored};
use crate::model::{Audience, Level, Share, Status};
use crate::report::ndjson::Event;
use crate::report::view::{Before, Happening, Subject};

/// Which events are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Telling {
    /// All.
    All,
    /// Those that tell that something changed.
    Transitions,
}

/// A version of a finding: where it stood, and its words.
struct Version {
    status: Status,
    level: Level,
    body: FindingBody,
}

impl Version {
    fn read(row: &rusqlite::Row<'_>) -> Result<Self> {
        Ok(Self {
            status: named("a status", &row.get::<_, String>(0)?)?,
            level: named("a level", &row.get::<_, String>(1)?)?,
            body: stored("a finding", &row.get::<_, String>(2)?)?,
        })
    }

    fn has_ended(&self) -> bool {
        pages::has_ended(self.status)
    }
}

impl StoredRun<'_> {
    pub(super) fn walk_events(
        &self,
        after: u64,
        telling: Telling,
        visit: &mut dyn FnMut(u64, Happening) -> io::Result<()>,
    ) -> Result<io::Result<u64>> {
        let mut number = 0;
        let transitions_only = telling == Telling::Transitions;
        let findings = self.walk_findings(&mut |place, loaders| {
            number += 1;
            // What stands as it stood need not even be read.
            if number <= after || (transitions_only && !place.told) {
                return Ok(Ok(()));
            }
            let happening = self.finding_event(place, loaders)?;
            if transitions_only && happening.event == Event::StillOpen {
                return Ok(Ok(()));
            }
            Ok(visit(number, happening))
        })?;
        if let Err(error) = findings {
            return Ok(Err(error));
        }
        let changed = self.walk_changed_shares(&mut |place, loaders| {
            let told = share_changed(
                &self.ledger.connection,
                &place,
                (self.id, self.started()),
                loaders,
            )?;
            let Some(happening) = told else {
                return Ok(Ok(()));
            };
            number += 1;
            if number <= after {
                return Ok(Ok(()));
            }
            Ok(visit(number, happening))
        })?;
        Ok(changed.map(|()| number))
    }

    fn finding_event(&self, place: FindingPlace, loaders: &mut Loaders<'_>) -> Result<Happening> {
        let connection = &self.ledger.connection;
        let finding = self.finding_at(place, loaders)?;
        let (event, before) = became(connection, place, self.id, finding.status)?;
        let time = match finding.status {
            Status::NotChecked | Status::ClosedByPolicy => self.finished(),
            Status::New | Status::Open | Status::Waived | Status::Resolved => finding.checked_at,
        };
        Ok(Happening {
            event,
            time,
            subject: Subject::Finding(Box::new(finding)),
            before,
        })
    }

    /// Goes over the shares of which this run tells another version than was told before, in the order of reports.
    fn walk_changed_shares<'s>(
        &'s self,
        visit: &mut dyn FnMut(SharePlace, &mut Loaders<'s>) -> Result<io::Result<()>>,
    ) -> Result<io::Result<()>> {
        let mut statement = self.ledger.connection.prepare_cached(&format!(
            "SELECT o.name, w.share, w.from_run, p.from_run,
                 EXISTS (SELECT 1 FROM finding f WHERE f.share = w.share AND f.first_run <= :run)
             FROM share_version w CROSS JOIN share s ON s.id = w.share CROSS JOIN source o ON o.id = s.source
             CROSS JOIN run_source t ON t.run = w.from_run AND t.source = s.source AND t.told_by = :run
             CROSS JOIN share_version p ON p.share = w.share AND p.from_run = {TOLD_BEFORE}
             WHERE w.from_run IN (SELECT run FROM run_source WHERE told_by = :run)
               AND w.from_run <= :run AND (w.to_run IS NULL OR w.to_run > :run) AND w.digest <> p.digest
               AND (:users = '[]' OR {})
             ORDER BY o.name, {SHARE_ORDER}",
            pages::of_users("w", ":users")
        ))?;
        let mut rows = statement.query(named_params! {":run": self.id, ":users": self.users})?;
        let mut loaders = Loaders::new(&self.ledger.connection);
        while let Some(row) = rows.next()? {
            let place = SharePlace {
                source: row.get(0)?,
                share: row.get(1)?,
                now: row.get(2)?,
                was: row.get(3)?,
                kept: row.get(4)?,
            };
            if let Err(error) = visit(place, &mut loaders)? {
                return Ok(Err(error));
            }
        }
        Ok(Ok(()))
    }
}

/// The first run of the version of a share that was told last before a run.
pub(super) const TOLD_BEFORE: &str = "(SELECT max(q.from_run) FROM share_version q
     LEFT JOIN run_source u ON u.run = q.from_run AND u.source = s.source
     WHERE q.share = w.share AND q.from_run < w.from_run AND (u.run IS NULL OR u.told_by < t.told_by))";

/// Where two versions of a share lie, one after the other.
pub(super) struct SharePlace {
    pub(super) source: String,
    pub(super) share: i64,
    pub(super) now: i64,
    pub(super) was: i64,
    /// Whether there was a finding about it, so that its particulars are kept.
    pub(super) kept: bool,
}

/// What became of a share between two of its versions, as a run tells it that judged at a time.
pub(super) fn share_changed(
    connection: &Connection,
    place: &SharePlace,
    (run, time): (i64, jiff::Timestamp),
    loaders: &mut Loaders<'_>,
) -> Result<Option<Happening>> {
    let mut read = |version| share_version(connection, (&place.source, place.share, version), loaders);
    let (now, was) = (read(place.now)?, read(place.was)?);
    let id = now.id;
    let changed = |share, before| {
        let subject = Subject::Share {
            source: place.source.clone(),
            id,
            share,
        };
        Happening {
            event: Event::ShareChanged,
            time,
            subject,
            before,
        }
    };
    let (true, Some(share)) = (place.kept, now.share) else {
        return Ok(Some(changed(None, Before::default())));
    };
    let judged = judged_at(connection, place.share, run)?;
    let audience = audience_of(&share, judged.as_ref());
    let before = match &was.share {
        Some(was_share) => {
            let was_audience = audience_of(was_share, was.judged.as_ref());
            let before = differences((was_share, was_audience), (&share, audience));
            if before.changed.as_ref().is_some_and(Vec::is_empty) {
                return Ok(None);
            }
            before
        }
        None => Before::default(),
    };
    let expired = share.expires.is_past(time);
    let mut shown = pages::share_view(share, judged.as_ref());
    shown.audience = audience.unwrap_or(Audience::Unknown);
    shown.expired = expired;
    Ok(Some(changed(Some(Box::new(shown)), before)))
}

/// A share as a version of it told it, with the particulars that are kept.
pub(super) fn share_subject(
    connection: &Connection,
    (source, share, version): (&str, i64, i64),
    loaders: &mut Loaders<'_>,
) -> Result<Subject> {
    let told = share_version(connection, (source, share, version), loaders)?;
    let judged = told.judged;
    Ok(Subject::Share {
        source: source.to_owned(),
        id: told.id,
        share: told
            .share
            .map(|share| Box::new(pages::share_view(share, judged.as_ref()))),
    })
}

/// A version of a share as far as it is kept.
struct ShareVersion {
    id: String,
    share: Option<Share>,
    judged: Option<JudgedNote>,
}

fn share_version(
    connection: &Connection,
    (source, share, version): (&str, i64, i64),
    loaders: &mut Loaders<'_>,
) -> Result<ShareVersion> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {NOTED}, {SHARE_COLUMNS} FROM share_version v JOIN share s ON s.id = v.share
         JOIN item i ON i.id = v.item WHERE v.share = ?1 AND v.from_run = ?2"
    ))?;
    let mut rows = statement.query([share, version])?;
    let row = rows.next()?.ok_or(rusqlite::Error::QueryReturnedNoRows)?;
    let judged: Option<String> = row.get(0)?;
    let raw = RawShare::read(row, 1)?;
    Ok(ShareVersion {
        id: raw.id().to_owned(),
        share: loaders.of(source).share(raw)?,
        judged: judged.map(|note| stored("a judgement", &note)).transpose()?,
    })
}

/// How a share was judged at a run, where a finding that stood then says so.
fn judged_at(connection: &Connection, share: i64, run: i64) -> Result<Option<JudgedNote>> {
    let body: Option<String> = connection
        .prepare_cached(&format!(
            "SELECT {WORDS} FROM finding f JOIN finding_version v ON v.finding = f.id
             WHERE f.share = ?1 AND v.from_run <= ?2 AND (v.to_run IS NULL OR v.to_run > ?2)
               AND v.status IN ('open', 'waived') ORDER BY f.id LIMIT 1"
        ))?
        .query_row([share, run], |row| row.get(0))
        .optional()?;
    let Some(body) = body else { return Ok(None) };
    Ok(stored::<FindingBody>("a finding", &body)?.judged)
}

/// Who can open a share, as far as that is known without judging it anew.
fn audience_of(share: &Share, judged: Option<&JudgedNote>) -> Option<Audience> {
    judged
        .map(|judged| judged.audience)
        .or_else(|| share.anonymous.then_some(Audience::Anyone))
}

/// The names of what changed.
#[derive(Default)]
struct Changed(Vec<&'static str>);

impl Changed {
    fn note(&mut self, name: &'static str, differs: bool) -> bool {
        if differs {
            self.0.push(name);
        }
        differs
    }
}

/// What differs between two versions of a share. Whoever merely opened it is none of it, nor is its address.
fn differences(was: (&Share, Option<Audience>), now: (&Share, Option<Audience>)) -> Before {
    let ((was, was_audience), (now, audience)) = (was, now);
    let ids = |share: &Share| -> Vec<String> {
        let mut ids: Vec<_> = share.recipients.iter().map(|person| person.id.clone()).collect();
        ids.sort_unstable();
        ids
    };
    let by = |share: &Share| share.shared_by.as_ref().map(|by| (by.class, by.id.clone()));
    let mut changed = Changed::default();
    let mut differs = |name, differs| changed.note(name, differs);
    differs("kind", was.kind != now.kind);
    let audience = differs(
        "audience",
        was.anonymous != now.anonymous
            || matches!((was_audience, audience), (Some(was), Some(now)) if was != now),
    );
    let access = differs("access", was.access != now.access);
    let password = differs("password", was.password != now.password);
    let expires = differs("expires", was.expires != now.expires);
    differs("inherited", was.inherited != now.inherited);
    differs("label", was.label != now.label);
    let path = differs("path", was.item.path != now.item.path);
    differs(
        "item",
        (&was.item.id, &was.item.drive, was.item.kind) != (&now.item.id, &now.item.drive, now.item.kind),
    );
    let owner = differs("owner", was.owner.id != now.owner.id);
    differs("shared_by", by(was) != by(now));
    let recipients = differs("recipients", ids(was) != ids(now));
    differs("unknown", was.unknown != now.unknown);
    Before {
        changed: Some(changed.0),
        status: None,
        level: None,
        audience: was_audience.filter(|_| audience),
        access: access.then_some(was.access),
        password: was.password.filter(|_| password),
        expires: was.expires.stated().filter(|_| expires).map(str::to_owned),
        owner: owner.then(|| was.owner.id.clone()),
        path: path.then(|| was.item.path.clone()),
        recipients: recipients.then(|| ids(was)),
    }
}

/// What became of a finding that has a status in a run, as that run tells it.
pub(super) fn became(
    connection: &Connection,
    place: FindingPlace,
    run: i64,
    status: Status,
) -> Result<(Event, Before)> {
    if !place.told {
        return Ok((Event::StillOpen, Before::default()));
    }
    if place.new {
        return Ok((Event::of(status), Before::default()));
    }
    let now = version(connection, place.finding, place.version)?;
    Ok(transition(&told_before(connection, place, run)?, &now))
}

/// A version of a finding.
fn version(connection: &Connection, finding: i64, from_run: i64) -> Result<Version> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT v.status, v.level, {WORDS} FROM finding_version v WHERE v.finding = ?1 AND v.from_run = ?2"
    ))?;
    let mut rows = statement.query([finding, from_run])?;
    Version::read(rows.next()?.ok_or(rusqlite::Error::QueryReturnedNoRows)?)
}

/// What was known of a finding before a run tells another version of it.
enum Past {
    /// The version that was told last.
    Told(Box<Version>),
    /// Nothing that was told.
    Untold,
    /// What is not kept.
    Forgotten,
}

/// The version of a finding that was told last before a run tells another one. Where a run is gone, it told what it had to.
fn told_before(connection: &Connection, place: FindingPlace, run: i64) -> Result<Past> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT v.status, v.level, {WORDS} FROM finding_version v JOIN finding f ON f.id = v.finding
         LEFT JOIN run_source t ON t.run = v.from_run AND t.source = f.source
         WHERE v.finding = ?1 AND v.from_run < ?2 AND v.from_run >= f.first_run
           AND (t.run IS NULL OR t.told_by < ?3) ORDER BY v.from_run DESC LIMIT 1"
    ))?;
    let mut rows = statement.query(params![place.finding, place.version, run])?;
    if let Some(row) = rows.next()? {
        return Ok(Past::Told(Box::new(Version::read(row)?)));
    }
    let forgotten = connection
        .prepare_cached(
            "SELECT 1 FROM finding f WHERE id = ?1 AND first_run < ?2 AND NOT EXISTS (
                 SELECT 1 FROM finding_version v WHERE v.finding = f.id AND v.from_run >= f.first_run AND v.from_run < ?2)",
        )?
        .exists([place.finding, place.version])?;
    Ok(if forgotten { Past::Forgotten } else { Past::Untold })
}

/// What became of a finding, from what was told last to what is told now.
///
/// Where it was not checked or waived and is open now, it changed; `reopened` is kept for what had ended.
fn transition(was: &Past, now: &Version) -> (Event, Before) {
    let Past::Told(was) = was else {
        let event = match (was, now.status) {
            (Past::Forgotten, Status::Open) => Event::Changed,
            (_, Status::Open) => Event::Opened,
            (_, status) => Event::of(status),
        };
        return (event, Before::default());
    };
    let mut changed = Changed::default();
    let mut differs = |name, differs| changed.note(name, differs);
    let judged = |version: &Version| {
        let judged = version.body.judged.as_ref();
        (
            judged.map(|judged| judged.audience),
            judged.and_then(|judged| judged.classified),
        )
    };
    let (was_judged, now_judged) = (judged(was), judged(now));
    let status = differs("status", was.status != now.status);
    let level = differs("level", was.level != now.level);
    differs("message", was.body.message != now.body.message);
    differs("remedy", was.body.remedy != now.body.remedy);
    differs("waiver", was.body.waiver != now.body.waiver);
    let audience = differs("audience", was_judged.0 != now_judged.0);
    differs("classified", was_judged.1 != now_judged.1);
    let event = match now.status {
        _ if changed.0.is_empty() => return (Event::StillOpen, Before::default()),
        Status::Open if was.has_ended() => Event::Reopened,
        Status::Open => Event::Changed,
        now if status => Event::of(now),
        _ => Event::Changed,
    };
    let before = Before {
        status: status.then_some(was.status),
        level: level.then_some(was.level),
        audience: was_judged.0.filter(|_| audience),
        changed: Some(changed.0),
        ..Before::default()
    };
    (event, before)
}
