//! Runs: begun before anything is sent, finished with what they came to.

use jiff::Timestamp;
use rusqlite::{Connection, params};

use super::findings::Known;
use super::lock::Sign;
use super::{Ledger, Result, StoreError, storable, within};
use crate::model::{
    AccountTotals, Problem, ProblemCode, ScopeOutcome, SourceKind, SourceName, Verdict, short_digest,
};
use crate::report::view;

/// Whether a run left a source to another one that read it at the same time, and so read and judged nothing of it.
pub(super) fn left(run: &str, source: &str) -> String {
    let code = ProblemCode::BeingScanned.as_str();
    format!(
        "EXISTS (SELECT 1 FROM problem l WHERE l.run = {run} AND l.source = {source} AND l.code = '{code}')"
    )
}

/// A run that was begun.
#[derive(Clone, Debug)]
pub struct Run {
    pub(super) id: i64,
    /// The id in reports.
    pub key: String,
    /// The time that it judges at.
    pub now: Timestamp,
    /// What it was asked to read.
    pub scope: view::RunScope,
    /// The policy it judges by.
    pub policy: view::PolicyNote,
}

/// What a run begins with.
#[derive(Clone, Debug)]
pub struct RunStart {
    /// The time that it judges at.
    pub now: Timestamp,
    /// What it is asked to read.
    pub scope: view::RunScope,
    /// The policy it judges by.
    pub policy: view::PolicyNote,
    /// The sources it reads.
    pub sources: Vec<(SourceName, SourceKind)>,
}

impl Ledger {
    /// Begins a run.
    ///
    /// # Errors
    /// Any [`StoreError`] of the file.
    pub fn begin(&mut self, start: RunStart) -> Result<Run> {
        // Whom this run names is to be noted anew.
        self.remembered = super::Remembered::default();
        let sources = start
            .sources
            .iter()
            .map(|(name, kind)| self.source(name, *kind))
            .collect::<Result<Vec<_>>>()?;
        let scope = storable("a run's scope", &start.scope)?;
        let policy = storable("a run's policy", &start.policy)?;
        let started = start.now.as_second();
        // No full scan that ends meanwhile may take this one for dead: its sign comes before it can be seen.
        let needs_sign = self.folder.is_none() && !start.scope.users.is_empty();
        let state = self.path().to_owned();
        let mut sign = None;
        let run = within(&self.connection, |connection| {
            let last: i64 =
                connection.query_row("SELECT COALESCE(max(id), 0) FROM run", [], |row| row.get(0))?;
            let stamp = start.now.strftime("%Y%m%dT%H%M%SZ").to_string();
            let salt = short_digest([
                scope.as_str(),
                policy.as_str(),
                &last.to_string(),
                &fastrand::u64(..).to_string(),
            ]);
            let key = format!("{stamp}-{}", salt.get(..6).unwrap_or_default());
            if needs_sign {
                sign = Sign::of(&state, &key);
            }
            let baseline = sources.iter().try_fold(false, |any, source| {
                Ok::<bool, StoreError>(any || !was_read_whole(connection, *source)?)
            })?;
            let id: i64 = connection.query_row(
                "INSERT INTO run (key, started_at, scope, policy, baseline) VALUES (?1, ?2, ?3, ?4, ?5) RETURNING id",
                params![key, started, scope, policy, baseline],
                |row| row.get(0),
            )?;
            for source in &sources {
                connection.execute(
                    "INSERT INTO run_source (run, source) VALUES (?1, ?2)",
                    params![id, source],
                )?;
            }
            Ok(Run {
                id,
                key,
                now: start.now,
                scope: start.scope,
                policy: start.policy,
            })
        })?;
        self.sign = sign;
        Ok(run)
    }

    /// Records a problem of a source.
    ///
    /// # Errors
    /// Any [`StoreError`] of the file.
    pub fn problem(&mut self, run: &Run, source: &SourceName, problem: &Problem) -> Result<()> {
        if let Some(source) = self.known_source(source)? {
            self.connection.execute(
                "INSERT INTO problem (run, source, scope, code, message) VALUES (?1, ?2, ?3, ?4, ?5)",
                params![
                    run.id,
                    source,
                    problem.scope,
                    problem.code.as_str(),
                    problem.message
                ],
            )?;
        }
        Ok(())
    }

    /// The problems of a source in a run, in the order in which they arose.
    ///
    /// # Errors
    /// Any [`StoreError`] of the file.
    pub fn problems(&self, run: &Run, source: &SourceName) -> Result<Vec<Problem>> {
        match self.known_source(source)? {
            Some(source) => super::pages::problems(&self.connection, run.id, source),
            None => Ok(Vec::new()),
        }
    }

    /// How many of the scopes listed in this run became what; those that were not tried count as failed.
    ///
    /// # Errors
    /// Any [`StoreError`] of the file.
    pub fn account_totals(&self, run: &Run, source: &SourceName) -> Result<AccountTotals> {
        let mut totals = AccountTotals::default();
        let Some(source) = self.known_source(source)? else {
            return Ok(totals);
        };
        let users = storable("accounts", &run.scope.users)?;
        let mut statement = self.connection.prepare_cached(&format!(
            "SELECT CASE WHEN c.run >= ?2 THEN c.outcome END, count(*)
             FROM scope s LEFT JOIN coverage c ON c.scope = s.id
             WHERE s.source = ?1 AND s.listed_run >= ?2 AND (?3 = '[]' OR s.account IN {}) GROUP BY 1",
            super::pages::accounts_named("?3")
        ))?;
        let mut rows = statement.query(params![source, run.id, users])?;
        while let Some(row) = rows.next()? {
            let outcome: Option<String> = row.get(0)?;
            let count = u64::try_from(row.get::<_, i64>(1)?).unwrap_or_default();
            totals.found += count;
            let outcome: Option<ScopeOutcome> = outcome
                .map(|name| super::named("an outcome", &name))
                .transpose()?;
            match outcome {
                Some(ScopeOutcome::Scanned) => totals.scanned += count,
                Some(ScopeOutcome::Skipped | ScopeOutcome::Excluded) => totals.skipped += count,
                Some(ScopeOutcome::Gone) => totals.gone += count,
                Some(ScopeOutcome::Failed) | None => totals.failed += count,
            }
        }
        Ok(totals)
    }

    /// Keeps what a source came to in a run; `whole` where all of it was read.
    ///
    /// # Errors
    /// Any [`StoreError`] of the file.
    pub fn finish_source(&mut self, run: &Run, summary: &view::Source, whole: bool) -> Result<()> {
        let Some(source) = self.known_source(&SourceName::new(&summary.name))? else {
            return Ok(());
        };
        let without_problems = view::Source {
            problems: Vec::new(),
            ..summary.clone()
        };
        self.connection.execute(
            "UPDATE run_source SET complete = ?3, summary = ?4 WHERE run = ?1 AND source = ?2",
            params![
                run.id,
                source,
                whole,
                storable("a source's summary", &without_problems)?
            ],
        )?;
        Ok(())
    }

    /// Has a run tell of what it changed, and of what runs before it changed that never ended, and never will: those that
    /// were asked for the same, or for what a run of everything covers.
    fn tell(&self, run: &Run) -> Result<()> {
        let everything = run.scope.users.is_empty() && run.scope.rules.is_empty();
        let state = self.path();
        within(&self.connection, |connection| {
            connection.execute("UPDATE run_source SET told_by = ?1 WHERE run = ?1", [run.id])?;
            let mut unended = connection.prepare_cached(
                "SELECT id, key FROM run WHERE finished_at IS NULL AND id < ?1 AND (?2 OR scope = ?3)",
            )?;
            let unended = unended
                .query_map(
                    params![run.id, everything, storable("a run's scope", &run.scope)?],
                    |row| Ok((row.get(0)?, row.get::<_, String>(1)?)),
                )?
                .collect::<rusqlite::Result<Vec<(i64, String)>>>()?;
            for (dead, _) in unended.iter().filter(|(_, key)| !Sign::is_given(state, key)) {
                connection.execute(
                    &format!(
                        "UPDATE run_source SET told_by = ?1
                         WHERE (told_by IS NULL OR told_by IN (SELECT id FROM run WHERE finished_at IS NULL))
                           AND run = ?2 AND source IN (
                               SELECT n.source FROM run_source n WHERE n.run = ?1 AND NOT {})",
                        left("n.run", "n.source")
                    ),
                    [run.id, *dead],
                )?;
            }
            Ok(())
        })
    }

    /// Ends a run with its verdict and sums.
    ///
    /// # Errors
    /// Any [`StoreError`] of the file.
    pub fn finish(
        &mut self,
        run: &Run,
        finished: Timestamp,
        verdict: Verdict,
        notices: &[view::Notice],
    ) -> Result<()> {
        self.tell(run)?;
        let totals = self.totals(run)?;
        self.connection.execute(
            "UPDATE run SET finished_at = ?2, verdict = ?3, totals = ?4, notices = ?5, journal_head = (
                 SELECT hash FROM journal ORDER BY seq DESC LIMIT 1) WHERE id = ?1",
            params![
                run.id,
                finished.as_second(),
                verdict.as_str(),
                storable("totals", &totals)?,
                storable("notices", &notices)?
            ],
        )?;
        self.sign = None;
        Ok(())
    }
}

/// By which policies a source was judged before a run.
pub(super) struct Policies<'a> {
    connection: &'a Connection,
    run: i64,
    source: i64,
    /// The last run that judged by another policy, or began to.
    other: Option<i64>,
}

impl<'a> Policies<'a> {
    pub(super) fn of(connection: &'a Connection, run: &Run, source: i64) -> Result<Self> {
        let other = connection
            .prepare_cached(&format!(
                "SELECT max(r.id) FROM run r JOIN run_source s ON s.run = r.id WHERE s.source = ?1 AND r.id < ?2
                 AND json_extract(r.policy, '$.rules_digest') <> ?3 AND NOT {}",
                left("r.id", "s.source")
            ))?
            .query_row(params![source, run.id, run.policy.rules_digest], |row| row.get(0))?;
        Ok(Self {
            connection,
            run: run.id,
            source,
            other,
        })
    }

    /// Whether a finding was last seen under another policy than tonight's: by a run that judged everything, or by
    /// one of single accounts or rules since. What has changed since then itself, from a run on, is put right by that.
    pub(super) fn differ_for(&self, known: &Known, changed: Option<i64>) -> Result<bool> {
        let Some(other) = self.other else {
            return Ok(false);
        };
        let seen_before = known.unchecked_since().unwrap_or(self.run);
        let judged: Option<i64> = self
            .connection
            .prepare_cached(&format!(
                "SELECT max(r.id) FROM run r JOIN run_source s ON s.run = r.id WHERE s.source = ?1 AND r.id < ?2
                 AND r.finished_at IS NOT NULL AND json_array_length(r.scope, '$.users') = 0
                 AND json_array_length(r.scope, '$.rules') = 0 AND NOT {}",
                left("r.id", "s.source")
            ))?
            .query_row([self.source, seen_before], |row| row.get(0))?;
        Ok(judged.is_none_or(|judged| other >= judged && changed.is_none_or(|changed| changed <= judged)))
    }
}

/// Whether a source was once read whole: what was found before is its baseline.
pub(super) fn was_read_whole(connection: &Connection, source: i64) -> Result<bool> {
    Ok(connection
        .prepare_cached("SELECT 1 FROM run_source WHERE source = ?1 AND complete = 1")?
        .exists([source])?)
}
