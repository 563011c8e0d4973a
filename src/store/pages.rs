//! A stored run as a report reads it: its header at once, its findings and shares one by one.

use std::collections::BTreeMap;
use std::io;
use std::sync::LazyLock;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, named_params, params};

use super::announcements::due_at_run;
use super::events::Telling;
use super::findings::{FindingBody, JudgedNote};
use super::judging::NOTED;
use super::notes::note_text;
use super::sharing::{Loader, RawShare, SHARE_COLUMNS, share_id};
use super::{Ledger, Result, Run, StoreError, named, storable, stored};
use crate::model::{
    Audience, Principal, PrincipalClass, PrincipalKind, Problem, ProblemCode, Share, SourceName, Status,
};
use crate::report::metrics::Findings as Counted;
use crate::report::{Pages, view};

pub(super) const WORDS: &str = note_text!("v.note");
const DUE: &str = due_at_run!("?4");

/// The rows of the accounts in a JSON list of account ids and mail addresses.
pub(super) fn accounts_named(list: &str) -> String {
    format!(
        "(SELECT p.id FROM principal p JOIN json_each({list}) u
          ON p.class = 'account' AND (lower(p.key) = lower(u.value) OR lower(p.email) = lower(u.value)))"
    )
}

/// Whose shares: the condition that a version's owner or sharer is one of the accounts in such a list.
pub(super) fn of_users(version: &str, list: &str) -> String {
    let named = accounts_named(list);
    format!("({version}.owner IN {named} OR {version}.shared_by IN {named})")
}

/// The order of a source's shares, by their ids.
pub(super) const SHARE_ORDER: &str = concat!("length(", share_id!(), "), ", share_id!());

/// The findings that a run's report holds: those that stood at it, and those that ended in it. `t` says which run tells
/// of the version, `n` which one told of the finding first.
fn finding_set() -> String {
    format!(
        "FROM finding f
         JOIN finding_version v ON v.finding = f.id AND v.from_run <= :run AND (v.to_run IS NULL OR v.to_run > :run)
         JOIN source o ON o.id = f.source
         LEFT JOIN run_source t ON t.run = v.from_run AND t.source = f.source
         LEFT JOIN run_source n ON n.run = f.first_run AND n.source = f.source
         LEFT JOIN share s ON s.id = f.share
         LEFT JOIN share_version w ON w.share = f.share AND w.from_run =
             (SELECT max(from_run) FROM share_version WHERE share = f.share AND from_run <= :run)
         LEFT JOIN item i ON i.id = w.item
         WHERE f.source IN (SELECT source FROM run_source WHERE run = :run)
           AND (v.status NOT IN ('resolved', 'closed-by-policy') OR t.told_by = :run)
           AND (:rules = '[]' OR f.rule IN (SELECT value FROM json_each(:rules)))
           AND (:users = '[]' OR {})",
        of_users("w", ":users")
    )
}

/// What narrows a run's report.
#[derive(Clone, Debug, Default)]
pub struct RunFilter {
    /// Whether shares without findings are reported too.
    pub all_shares: bool,
    /// Only what these people own or shared, by account id or mail address; everything where nobody is named.
    pub users: Vec<String>,
}

/// A stored run.
#[derive(Debug)]
pub struct StoredRun<'a> {
    pub(super) ledger: &'a Ledger,
    pub(super) id: i64,
    started: i64,
    pub(super) users: String,
    pub(super) rules: String,
    pub(super) filter: RunFilter,
    pub(super) header: view::Header,
}

impl Ledger {
    /// A stored run for a report, by its id, or the latest that was finished: that looked at those whom the filter names.
    ///
    /// # Errors
    /// [`StoreError::NoSuchRun`], [`StoreError::NoRun`], or any other of the file.
    pub fn stored_run(&self, key: Option<&str>, filter: RunFilter) -> Result<StoredRun<'_>> {
        type Columns = (
            i64,
            String,
            i64,
            i64,
            String,
            String,
            String,
            bool,
            String,
            String,
            Option<String>,
        );
        let found: Option<Columns> = self
            .connection
            .query_row(
                "SELECT id, key, started_at, finished_at, verdict, scope, policy, baseline, totals, notices, journal_head
                 FROM run
                 WHERE finished_at IS NOT NULL AND (key = ?1 OR (?1 IS NULL AND (
                     ?2 = '[]' OR json_array_length(scope, '$.users') = 0 OR NOT EXISTS (
                         SELECT 1 FROM json_each(?2) u WHERE lower(u.value) NOT IN (
                             SELECT lower(value) FROM json_each(scope, '$.users')))))) ORDER BY id DESC LIMIT 1",
                params![key, storable("accounts", &filter.users)?],
                |row| {
                    Ok((
                        row.get(0)?,
                        row.get(1)?,
                        row.get(2)?,
                        row.get(3)?,
                        row.get(4)?,
                        row.get(5)?,
                        row.get(6)?,
                        row.get(7)?,
                        row.get(8)?,
                        row.get(9)?,
                        row.get(10)?,
                    ))
                },
            )
            .optional()?;
        let Some((
            id,
            key,
            started,
            finished,
            verdict,
            scope,
            policy,
            baseline,
            totals,
            notices,
            journal_head,
        )) = found
        else {
            return Err(key.map_or(StoreError::NoRun, |key| StoreError::NoSuchRun(key.to_owned())));
        };
        let scope: view::RunScope = stored("a run's scope", &scope)?;
        let users = storable("accounts", &scope.users)?;
        let rules = storable("rules", &scope.rules)?;
        let sources = self.summaries(id)?;
        let is_left = |problem: &Problem| problem.code == ProblemCode::BeingScanned;
        let totals = if sources.iter().any(|source| source.problems.iter().any(is_left)) {
            // What stands there is what another run found, which may have ended after this one.
            self.totals_of(id, &users, &rules)?
        } else {
            stored("totals", &totals)?
        };
        let header = view::Header {
            schema: view::SCHEMA,
            tool: view::Tool {
                name: env!("CARGO_PKG_NAME"),
                version: env!("CARGO_PKG_VERSION"),
            },
            run: view::Run {
                id: key,
                started_at: instant(started),
                finished_at: instant(finished),
                baseline,
                scope,
                verdict: named("a verdict", &verdict)?,
                policy: stored("a run's policy", &policy)?,
                journal_head,
            },
            sources,
            totals,
            notices: stored("notices", &notices)?,
        };
        let run = StoredRun {
            ledger: self,
            id,
            started,
            users,
            rules,
            filter,
            header,
        };
        run.narrowed()
    }

    /// The id of the last run that read a source whole: all its accounts, by all rules.
    ///
    /// # Errors
    /// Any [`StoreError`] of the file.
    pub fn last_whole_run(&self, source: &SourceName) -> Result<Option<String>> {
        Ok(self
            .connection
            .prepare_cached(
                "SELECT r.key FROM run r JOIN run_source n ON n.run = r.id JOIN source o ON o.id = n.source
                 WHERE o.name = ?1 AND r.finished_at IS NOT NULL
                   AND json_array_length(r.scope, '$.users') = 0 AND json_array_length(r.scope, '$.rules') = 0
                 ORDER BY r.id DESC LIMIT 1",
            )?
            .query_row([source.as_str()], |row| row.get(0))
            .optional()?)
    }

    fn summaries(&self, run: i64) -> Result<Vec<view::Source>> {
        let mut statement = self.connection.prepare_cached(
            "SELECT source, summary FROM run_source WHERE run = ?1 AND summary IS NOT NULL ORDER BY source",
        )?;
        let rows = statement
            .query_map([run], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?)))?
            .collect::<rusqlite::Result<Vec<_>>>()?;
        rows.into_iter()
            .map(|(source, summary)| {
                let summary: view::Source = stored("a source's summary", &summary)?;
                Ok(view::Source {
                    problems: problems(&self.connection, run, source)?,
                    ..summary
                })
            })
            .collect()
    }

    /// The sums over a run's findings.
    pub(super) fn totals(&self, run: &Run) -> Result<view::Totals> {
        let users = storable("accounts", &run.scope.users)?;
        let rules = storable("rules", &run.scope.rules)?;
        self.totals_of(run.id, &users, &rules)
    }

    /// The sums over those findings of a run that are of accounts and rules in JSON lists.
    pub(super) fn totals_of(&self, run: i64, users: &str, rules: &str) -> Result<view::Totals> {
        let mut totals = view::Totals::default();
        count_findings(&self.connection, (run, rules, users), &mut |counted| {
            let Counted {
                rule,
                level,
                status,
                count,
                ..
            } = counted;
            *totals.by_status.entry(status).or_default() += count;
            match status {
                Status::Waived => totals.waived += count,
                Status::Resolved | Status::ClosedByPolicy => {}
                Status::New | Status::Open | Status::NotChecked => {
                    totals.findings += count;
                    *totals.by_level.entry(level).or_default() += count;
                    *totals.by_rule.entry(rule).or_default() += count;
                }
            }
        })?;
        let shares: i64 = self.connection.query_row(
            &format!(
                "SELECT count(*) FROM share s JOIN share_version w ON w.share = s.id AND w.from_run <= :run
                     AND (w.to_run IS NULL OR w.to_run > :run)
                 WHERE s.source IN (SELECT source FROM run_source WHERE run = :run) AND (:users = '[]' OR {})",
                of_users("w", ":users")
            ),
            named_params! {":run": run, ":users": users},
            |row| row.get(0),
        )?;
        totals.shares = u64::try_from(shares).unwrap_or_default();
        Ok(totals)
    }
}

/// Counts the findings of a run's report, source by source and kind by kind.
fn count_findings(
    connection: &Connection,
    (run, rules, users): (i64, &str, &str),
    visit: &mut dyn FnMut(Counted),
) -> Result<()> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT v.status, v.level, f.rule, COALESCE(n.told_by = :run, 0), o.name, count(*) {} GROUP BY 1, 2, 3, 4, 5
         ORDER BY 5, 3, 2, 1",
        finding_set()
    ))?;
    let mut rows = statement.query(named_params! {":run": run, ":rules": rules, ":users": users})?;
    while let Some(row) = rows.next()? {
        visit(Counted {
            source: row.get(4)?,
            rule: named("a rule", &row.get::<_, String>(2)?)?,
            level: named("a level", &row.get::<_, String>(1)?)?,
            status: status(&row.get::<_, String>(0)?, row.get(3)?)?,
            count: u64::try_from(row.get::<_, i64>(5)?).unwrap_or_default(),
        });
    }
    Ok(())
}

/// `new` is what stands in the run that tells of it first.
fn status(stored: &str, first: bool) -> Result<Status> {
    let status = named("a status", stored)?;
    Ok(if status == Status::Open && first {
        Status::New
    } else {
        status
    })
}

/// Whether a finding no longer stands.
pub(super) fn has_ended(status: Status) -> bool {
    matches!(status, Status::Resolved | Status::ClosedByPolicy)
}

pub(super) fn instant(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap_or_default()
}

pub(super) fn problems(connection: &Connection, run: i64, source: i64) -> Result<Vec<Problem>> {
    let mut statement = connection.prepare_cached(
        "SELECT scope, code, message FROM problem WHERE run = ?1 AND source = ?2 ORDER BY id",
    )?;
    let rows = statement
        .query_map([run, source], |row| {
            Ok((row.get(0)?, row.get::<_, String>(1)?, row.get(2)?))
        })?
        .collect::<rusqlite::Result<Vec<(String, String, String)>>>()?;
    rows.into_iter()
        .map(|(scope, code, message)| {
            Ok(Problem {
                scope,
                code: named("a problem's code", &code)?,
                message,
            })
        })
        .collect()
}

impl Pages for StoredRun<'_> {
    fn header(&self) -> &view::Header {
        &self.header
    }

    fn findings(&self, visit: &mut dyn FnMut(view::Finding) -> io::Result<()>) -> io::Result<()> {
        self.walk_findings(&mut |place, loaders| Ok(visit(self.finding_at(place, loaders)?)))
            .map_err(io::Error::other)?
    }

    fn events(
        &self,
        after: u64,
        visit: &mut dyn FnMut(u64, view::Happening) -> io::Result<()>,
    ) -> io::Result<u64> {
        self.walk_events(after, Telling::All, visit)
            .map_err(io::Error::other)?
    }

    fn shares(&self, visit: &mut dyn FnMut(view::Share) -> io::Result<()>) -> io::Result<()> {
        if !self.filter.all_shares {
            return Ok(());
        }
        self.walk_shares(visit).map_err(io::Error::other)?
    }

    fn trend(&self) -> io::Result<Vec<view::Point>> {
        self.earlier().map_err(io::Error::other)
    }
}

impl StoredRun<'_> {
    /// The time that it judged at.
    pub(super) fn started(&self) -> Timestamp {
        instant(self.started)
    }

    /// Sorts the places of the findings first and then has each read: sorted with their words they would be written to
    /// disk and back once more.
    pub(super) fn walk_findings<'s>(
        &'s self,
        visit: &mut dyn FnMut(FindingPlace, &mut Loaders<'s>) -> Result<io::Result<()>>,
    ) -> Result<io::Result<()>> {
        let mut places = self.ledger.connection.prepare_cached(&format!(
            "SELECT f.id, v.from_run, w.from_run, n.told_by = :run, t.told_by = :run AND v.from_run >= f.first_run {}
             ORDER BY CASE v.level WHEN 'critical' THEN 0 WHEN 'high' THEN 1 WHEN 'medium' THEN 2 WHEN 'low' THEN 3
                 ELSE 4 END, o.name, f.rule, {SHARE_ORDER}",
            finding_set()
        ))?;
        let mut rows =
            places.query(named_params! {":run": self.id, ":rules": self.rules, ":users": self.users})?;
        let mut loaders = Loaders::new(&self.ledger.connection);
        while let Some(row) = rows.next()? {
            let place = FindingPlace {
                finding: row.get(0)?,
                version: row.get(1)?,
                share: row.get(2)?,
                new: row.get::<_, Option<bool>>(3)?.unwrap_or_default(),
                told: row.get::<_, Option<bool>>(4)?.unwrap_or_default(),
            };
            if let Err(error) = visit(place, &mut loaders)? {
                return Ok(Err(error));
            }
        }
        Ok(Ok(()))
    }

    /// How many findings there are of each kind.
    pub(super) fn counted(&self) -> Result<Vec<Counted>> {
        let mut all = Vec::new();
        count_findings(
            &self.ledger.connection,
            (self.id, &self.rules, &self.users),
            &mut |counted| all.push(counted),
        )?;
        Ok(all)
    }

    /// When it ended.
    pub(super) fn finished(&self) -> Timestamp {
        self.header.run.finished_at
    }

    /// A finding as it stood at this run.
    pub(super) fn finding_at(&self, place: FindingPlace, loaders: &mut Loaders<'_>) -> Result<view::Finding> {
        finding_at(
            &self.ledger.connection,
            place,
            (Some(self.id), self.started()),
            loaders,
        )
    }

    fn walk_shares(&self, visit: &mut dyn FnMut(view::Share) -> io::Result<()>) -> Result<io::Result<()>> {
        let connection = &self.ledger.connection;
        let mut statement = connection.prepare_cached(&format!(
            "SELECT o.name, {NOTED}, {SHARE_COLUMNS} FROM share s
             JOIN share_version v ON v.share = s.id AND v.from_run <= :run AND (v.to_run IS NULL OR v.to_run > :run)
             JOIN item i ON i.id = v.item JOIN source o ON o.id = s.source
             WHERE s.source IN (SELECT source FROM run_source WHERE run = :run) AND (:users = '[]' OR {})
             ORDER BY o.name, {SHARE_ORDER}",
            of_users("v", ":users")
        ))?;
        let mut rows = statement.query(named_params! {":run": self.id, ":users": self.users})?;
        let mut loaders = Loaders::new(connection);
        while let Some(row) = rows.next()? {
            let source: String = row.get(0)?;
            let judged: Option<String> = row.get(1)?;
            let judged: Option<JudgedNote> = judged.map(|text| stored("a judgement", &text)).transpose()?;
            if let Some(share) = loaders.of(&source).share(RawShare::read(row, 2)?)?
                && let Err(error) = visit(share_view(share, judged.as_ref()))
            {
                return Ok(Err(error));
            }
        }
        Ok(Ok(()))
    }
}

/// Where a finding's words at some run lie.
#[derive(Clone, Copy, Debug)]
pub(super) struct FindingPlace {
    pub(super) finding: i64,
    /// The first run of its version.
    pub(super) version: i64,
    /// The first run of its share's version.
    pub(super) share: Option<i64>,
    /// Whether the run tells of it first.
    pub(super) new: bool,
    /// Whether the run tells of this version.
    pub(super) told: bool,
}

/// A [`Loader`] for each source.
pub(super) struct Loaders<'a> {
    connection: &'a Connection,
    of: BTreeMap<String, Loader<'a>>,
}

impl<'a> Loaders<'a> {
    pub(super) fn new(connection: &'a Connection) -> Self {
        Self {
            connection,
            of: BTreeMap::new(),
        }
    }

    pub(super) fn of(&mut self, source: &str) -> &mut Loader<'a> {
        let connection = self.connection;
        self.of
            .entry(source.to_owned())
            .or_insert_with(|| Loader::new(connection, SourceName::new(source), ""))
    }
}

/// A finding as it stood at a run, where that is stored, that judged at a time.
pub(super) fn finding_at(
    connection: &Connection,
    place: FindingPlace,
    (run, at_run): (Option<i64>, Timestamp),
    loaders: &mut Loaders<'_>,
) -> Result<view::Finding> {
    static ONE: LazyLock<String> = LazyLock::new(|| {
        format!(
            "SELECT o.name, f.key, f.rule, v.seen_at, f.first_at, f.last_at, f.checked_at, v.status, v.level,
                 {WORDS}, f.share IS NULL, {DUE}, {}
             FROM finding f JOIN source o ON o.id = f.source
             JOIN finding_version v ON v.finding = f.id AND v.from_run = ?2
             LEFT JOIN share s ON s.id = f.share
             LEFT JOIN share_version w ON w.share = f.share AND w.from_run = ?3
             LEFT JOIN item i ON i.id = w.item WHERE f.id = ?1",
            SHARE_COLUMNS.replace("v.", "w.")
        )
    });
    let mut one = connection.prepare_cached(&ONE)?;
    let mut rows = one.query(params![place.finding, place.version, place.share, run])?;
    let row = rows.next()?.ok_or(rusqlite::Error::QueryReturnedNoRows)?;
    let source: String = row.get(0)?;
    let body: FindingBody = stored("a finding", &row.get::<_, String>(9)?)?;
    let share = if row.get(10)? {
        None
    } else {
        loaders
            .of(&source)
            .share(RawShare::read(row, 12)?)?
            .map(|share| share_view(share, body.judged.as_ref()))
    };
    let status = status(&row.get::<_, String>(7)?, place.new)?;
    // What later runs saw and looked for is none of this one's knowledge.
    let seen: Option<i64> = row.get(3)?;
    let (last_seen, checked_at) = match status {
        Status::New | Status::Open | Status::Waived => (at_run, at_run),
        Status::NotChecked => {
            let last = |at| instant(seen.unwrap_or(at)).min(at_run);
            (last(row.get(5)?), last(row.get(6)?))
        }
        Status::Resolved | Status::ClosedByPolicy => {
            (instant(seen.unwrap_or(row.get(5)?)).min(at_run), at_run)
        }
    };
    let due: Option<i64> = row.get(11)?;
    Ok(view::Finding {
        id: row.get(1)?,
        rule: named("a rule", &row.get::<_, String>(2)?)?,
        level: named("a level", &row.get::<_, String>(8)?)?,
        status,
        first_seen: instant(row.get(4)?).min(at_run),
        last_seen,
        checked_at,
        source,
        due: due.filter(|_| !has_ended(status)).map(instant),
        waiver: body.waiver,
        message: body.message,
        remedy: view::RemedyView { action: body.remedy },
        share,
    })
}

/// A share as reports show it. One that was never judged has an unknown audience: it is not called safe.
pub(super) fn share_view(share: Share, judged: Option<&JudgedNote>) -> view::Share {
    let kinds = judged
        .map(|judged| judged.recipients.as_slice())
        .unwrap_or_default();
    let name = share.item.name().to_owned();
    view::Share {
        id: share.id,
        kind: share.kind,
        audience: judged.map_or(Audience::Unknown, |judged| judged.audience),
        access: share.access,
        password: share.password,
        expires: share.expires.stated().map(str::to_owned),
        expired: judged.is_some_and(|judged| judged.expired),
        created_at: share.created_at,
        inherited: share.inherited,
        label: share.label,
        link: share.link,
        item: view::Item {
            id: share.item.id,
            path: share.item.path,
            name,
            kind: share.item.kind,
            size: share.item.size,
            files_beneath: share.item.files_beneath,
            classified: judged.and_then(|judged| judged.classified),
            labels: judged.map(|judged| judged.labels.clone()).unwrap_or_default(),
            drive: share.item.drive,
        },
        owner: principal_view(share.owner, judged.map(|judged| judged.owner)),
        shared_by: share
            .shared_by
            .map(|sharer| principal_view(sharer, judged.and_then(|judged| judged.shared_by))),
        recipients: share
            .recipients
            .into_iter()
            .enumerate()
            .map(|(at, recipient)| principal_view(recipient, kinds.get(at).copied()))
            .collect(),
        opened_by: share
            .opened_by
            .into_iter()
            .map(|person| principal_view(person, None))
            .collect(),
        unknown: share.unknown,
    }
}

fn principal_view(principal: Principal, kind: Option<PrincipalKind>) -> view::Principal {
    let kind = kind.unwrap_or(match principal.class {
        PrincipalClass::Account if principal.guest == Some(true) => PrincipalKind::Guest,
        PrincipalClass::Account => PrincipalKind::Member,
        PrincipalClass::Group | PrincipalClass::Team | PrincipalClass::Room => PrincipalKind::Group,
        PrincipalClass::Federated | PrincipalClass::FederatedGroup => PrincipalKind::Federated,
        PrincipalClass::Everyone => PrincipalKind::Everyone,
        PrincipalClass::Site => PrincipalKind::Site,
        PrincipalClass::Address | PrincipalClass::Unknown => PrincipalKind::Unknown,
    });
    view::Principal {
        id: principal.id,
        name: principal.name,
        email: principal.email,
        kind,
        active: principal.active,
        answered_by: principal.answered_by,
    }
}
