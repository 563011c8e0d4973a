//! A stored run as one person should see it, and how a run compares with those before it.

use std::collections::BTreeSet;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use rusqlite::{named_params, params};

use super::pages::{accounts_named, instant, of_users};
use super::{Result, StoreError, StoredRun, named, storable, stored};
use crate::model::{AccountTotals, Effect, ScopeOutcome, Verdict};
use crate::report::view;

/// How many runs a trend goes back to.
const POINTS: i64 = 60;

impl StoredRun<'_> {
    /// The run as those should see it whom the filter names: what they own or shared, what was read of their accounts,
    /// and nothing of anybody else.
    pub(super) fn narrowed(mut self) -> Result<Self> {
        if self.filter.users.is_empty() {
            return Ok(self);
        }
        let unknown = self.unknown()?;
        if !unknown.is_empty() {
            return Err(StoreError::Unknown {
                what: "account",
                ids: unknown,
            });
        }
        self.users = storable("accounts", &self.filter.users)?;
        self.header.totals = self.ledger.totals_of(self.id, &self.users, &self.rules)?;
        self.header.notices = Vec::new();
        let sources = std::mem::take(&mut self.header.sources);
        for source in sources {
            self.header.sources.extend(self.of_theirs(source)?);
        }
        let run = &mut self.header.run;
        run.scope.users.clone_from(&self.filter.users);
        run.scope.full = false;
        run.scope.sources = self
            .header
            .sources
            .iter()
            .map(|source| source.name.clone())
            .collect();
        run.verdict = self
            .header
            .sources
            .iter()
            .map(|source| source.verdict)
            .max()
            .unwrap_or(Verdict::Incomplete);
        Ok(self)
    }

    /// Whom the filter names and the run knows nothing of: they have no account, or it was asked for others.
    fn unknown(&self) -> Result<Vec<String>> {
        let mut account = self.ledger.connection.prepare_cached(&format!(
            "SELECT 1 FROM principal p WHERE p.id IN {}
                 AND p.source IN (SELECT source FROM run_source WHERE run = ?2)",
            accounts_named("?1")
        ))?;
        let asked = &self.header.run.scope.users;
        let mut unknown = Vec::new();
        for user in &self.filter.users {
            let was_asked = asked.is_empty() || asked.iter().any(|other| is_same(user, other));
            if !was_asked || !account.exists(params![storable("accounts", &[user])?, self.id])? {
                unknown.push(user.clone());
            }
        }
        Ok(unknown)
    }

    /// What they should see of a source; `None` where they have nothing in it.
    fn of_theirs(&self, source: view::Source) -> Result<Option<view::Source>> {
        let connection = &self.ledger.connection;
        let (items_seen, shares_seen): (i64, i64) = connection
            .prepare_cached(&format!(
                "SELECT count(DISTINCT w.item), count(*) FROM share s JOIN source o ON o.id = s.source
                 JOIN share_version w ON w.share = s.id AND w.from_run <= :run
                     AND (w.to_run IS NULL OR w.to_run > :run)
                 WHERE o.name = :source AND {}",
                of_users("w", ":users")
            ))?
            .query_row(
                named_params! {":run": self.id, ":source": source.name, ":users": self.users},
                |row| Ok((row.get(0)?, row.get(1)?)),
            )?;
        let mut accounts = AccountTotals::default();
        let mut inventory = view::Inventory::default();
        let mut names: BTreeSet<String> = self.filter.users.iter().map(|user| user.to_lowercase()).collect();
        let mut statement = connection.prepare_cached(&format!(
            "SELECT s.key, p.key, p.email, c.outcome, c.run, c.read_at
             FROM scope s JOIN source o ON o.id = s.source JOIN principal p ON p.id = s.account
             LEFT JOIN coverage c ON c.scope = s.id
             WHERE o.name = ?1 AND s.listed_run >= ?2 AND s.account IN {}",
            accounts_named("?3")
        ))?;
        let mut rows = statement.query(params![source.name, self.id, self.users])?;
        let mut overtaken = false;
        while let Some(row) = rows.next()? {
            names.extend([row.get::<_, String>(0)?, row.get(1)?].map(|name| name.to_lowercase()));
            names.extend(row.get::<_, Option<String>>(2)?.map(|name| name.to_lowercase()));
            let outcome: Option<String> = row.get(3)?;
            let tried: Option<i64> = row.get(4)?;
            overtaken |= tried.is_some_and(|run| run > self.id);
            let outcome = outcome
                .filter(|_| tried.is_some_and(|run| run >= self.id))
                .map(|outcome| named("an outcome", &outcome))
                .transpose()?;
            accounts.found += 1;
            match outcome {
                Some(ScopeOutcome::Scanned) => accounts.scanned += 1,
                Some(ScopeOutcome::Skipped | ScopeOutcome::Excluded) => accounts.skipped += 1,
                Some(ScopeOutcome::Gone) => accounts.gone += 1,
                Some(ScopeOutcome::Failed) | None => accounts.failed += 1,
            }
            match row.get::<_, Option<i64>>(5)?.map(instant) {
                Some(read) => {
                    *inventory.read_on.entry(day(read)).or_default() += 1;
                    inventory.oldest_check =
                        Some(inventory.oldest_check.map_or(read, |other| other.min(read)));
                }
                None => inventory.unread += 1,
            }
        }
        // Where nobody knows who has an account, theirs may be among those that were not read.
        let is_known = accounts.found > 0 || shares_seen > 0;
        if !is_known && source.verdict != Verdict::Incomplete {
            return Ok(None);
        }
        inventory.known_percent = if inventory.unread == 0 && accounts.found > 0 {
            100.0
        } else {
            0.0
        };
        let mut problems = source.problems;
        problems.retain(|problem| problem.scope == "*" || names.contains(&problem.scope.to_lowercase()));
        let worst = problems.iter().map(|problem| problem.code.effect()).max();
        let theirs = match worst {
            // What became of them in this run was not kept, only what became of them since.
            _ if overtaken => source.verdict,
            _ if accounts.failed > 0 || accounts.found == 0 => Verdict::Incomplete,
            Some(Effect::Incomplete) => Verdict::Incomplete,
            Some(Effect::Limited) => Verdict::Limited,
            Some(Effect::Note) | None => Verdict::Complete,
        };
        let count = |count: i64| u64::try_from(count).unwrap_or_default();
        Ok(Some(view::Source {
            // What the source's verdict accepts, as gaps, is accepted for them.
            verdict: theirs.min(source.verdict),
            accounts,
            inventory,
            // Which of these are theirs was not kept.
            classification_undetermined: 0,
            items_seen: count(items_seen),
            shares_seen: count(shares_seen),
            requests: crate::model::RequestTotals::default(),
            control: None,
            problems,
            ..source
        }))
    }

    /// What the last runs that looked at the same came to, the earliest first and this one last.
    pub(super) fn earlier(&self) -> Result<Vec<view::Point>> {
        let mut statement = self.ledger.connection.prepare_cached(
            "SELECT r.id, r.started_at, r.verdict, r.totals FROM run r, run own
             WHERE own.id = ?1 AND r.id <= ?1 AND r.finished_at IS NOT NULL
               AND (r.scope = own.scope OR (json_extract(r.scope, '$.full') AND json_extract(own.scope, '$.full')))
             ORDER BY r.id DESC LIMIT ?2",
        )?;
        let mut rows = statement.query([self.id, POINTS])?;
        let mut points = Vec::new();
        while let Some(row) = rows.next()? {
            let run: i64 = row.get(0)?;
            let totals: view::Totals = if self.filter.users.is_empty() {
                stored("totals", &row.get::<_, String>(3)?)?
            } else {
                self.ledger.totals_of(run, &self.users, &self.rules)?
            };
            let verdict = if run == self.id {
                self.header.run.verdict
            } else {
                named("a verdict", &row.get::<_, String>(2)?)?
            };
            points.push(view::Point {
                at: instant(row.get(1)?),
                verdict,
                by_level: totals.by_level,
            });
        }
        points.reverse();
        Ok(points)
    }
}

fn is_same(one: &str, other: &str) -> bool {
    one.to_lowercase() == other.to_lowercase()
}

fn day(time: Timestamp) -> jiff::civil::Date {
    time.to_zoned(TimeZone::UTC).date()
}
