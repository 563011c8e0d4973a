//! Waivers that the command made, how findings stood when any waiver first covered them, and what has outgrown that.

use std::collections::{BTreeSet, HashMap};
use std::ops::RangeInclusive;

use jiff::{Timestamp, civil::Date};
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::findings::FindingBody;
use super::notes::note_text;
use super::sharing::{Loader, RawShare, SHARE_COLUMNS};
use super::{Ledger, Result, Run, StoreError, named, storable, stored, within};
use crate::model::{Audience, FindingId, Level, RuleId, Share, SourceName, Status};
use crate::policy::{Accepted, Breadth, Filter, Hold, Turn, Waiver};

/// For how many days a waiver that lapsed is still told of; one of the configuration is, until it is taken out there.
const TOLD_AFTER: i64 = 30;

/// The words of a version of a finding, where that is `v`, and where it is `t`.
const WORDS: &str = note_text!("v.note");
const STANDING_WORDS: &str = note_text!("t.note");

/// A waiver of one finding, as somebody asks for it.
#[derive(Clone, Debug)]
pub struct NewWaiver {
    /// The finding.
    pub finding: FindingId,
    /// Why.
    pub reason: String,
    /// Who answers for it.
    pub approved_by: String,
    /// The last day on which it holds.
    pub until: Date,
    /// When it is made.
    pub made_at: Timestamp,
}

/// What a new waiver met.
#[derive(Clone, Debug)]
pub struct Waived {
    /// The finding's rule.
    pub rule: RuleId,
    /// Where it stood when it was last judged.
    pub status: Status,
    /// The last day of the waiver that it replaced.
    pub replaced: Option<Date>,
}

/// A waiver of the state.
#[derive(Clone, Debug)]
pub struct MadeWaiver {
    /// What it says.
    pub waiver: Waiver,
    /// When it was made.
    pub made_at: Timestamp,
}

/// A finding that a waiver has ceased to cover.
#[derive(Clone, Debug)]
pub struct EndedCover {
    /// The waiver's key.
    pub waiver: String,
    /// The finding.
    pub finding: FindingId,
    /// When that was seen.
    pub at: Timestamp,
    /// What had grown, in words.
    pub change: String,
}

/// A finding that stands, or was not checked, as it was last judged.
#[derive(Clone, Debug)]
pub struct StandingFinding {
    /// Its source.
    pub source: SourceName,
    /// Its identity.
    pub id: FindingId,
    /// Its rule.
    pub rule: RuleId,
    /// Its share, with the labels it is classified with; `None` for one about a source's settings.
    pub share: Option<(Share, BTreeSet<String>)>,
}

impl Ledger {
    /// Records a waiver of a finding, in place of one that was made before. What it accepts is how the finding stood
    /// in the latest run.
    ///
    /// # Errors
    /// [`StoreError::Unknown`] where no run found it, or any other of the file.
    pub fn waive(&mut self, new: &NewWaiver) -> Result<Waived> {
        within(&self.connection, |connection| {
            let Some(known) = LastJudged::find(connection, &new.finding)? else {
                return Err(StoreError::Unknown {
                    what: "finding",
                    ids: vec![new.finding.as_str().to_owned()],
                });
            };
            if known.rule.ends_by_hand() {
                return Err(StoreError::Incident {
                    finding: new.finding.as_str().to_owned(),
                    rule: known.rule,
                });
            }
            let replaced: Option<String> = connection
                .query_row(
                    "UPDATE waiver SET replaced_at = ?2 WHERE finding = ?1 AND replaced_at IS NULL RETURNING until",
                    params![new.finding.as_str(), new.made_at.as_second()],
                    |row| row.get(0),
                )
                .optional()?;
            let row: i64 = connection.query_row(
                "INSERT INTO waiver (finding, reason, approved_by, until, made_at) VALUES (?1, ?2, ?3, ?4, ?5) RETURNING id",
                params![
                    new.finding.as_str(),
                    new.reason,
                    new.approved_by,
                    new.until.to_string(),
                    new.made_at.as_second()
                ],
                |row| row.get(0),
            )?;
            if known.stands() {
                let breadth = known.breadth(connection)?;
                accept(
                    connection,
                    (&key(row), &new.finding),
                    known.level,
                    breadth.as_ref(),
                )?;
            }
            Ok(Waived {
                rule: known.rule,
                status: known.status,
                replaced: replaced.map(|day| self::day(&day)).transpose()?,
            })
        })
    }

    /// The waivers that the command made and that were not replaced; those that lapsed long before a day are left out.
    ///
    /// # Errors
    /// Any [`StoreError`] of the file.
    pub fn waivers(&self, today: Date) -> Result<Vec<MadeWaiver>> {
        let told = today
            .checked_sub(jiff::Span::new().days(TOLD_AFTER))
            .unwrap_or(Date::MIN);
        let mut statement = self.connection.prepare_cached(
            "SELECT id, finding, reason, approved_by, until, made_at FROM waiver
             WHERE replaced_at IS NULL AND until >= ?1 ORDER BY id",
        )?;
        let mut rows = statement.query([told.to_string()])?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            let finding: String = row.get(1)?;
            let waiver = Waiver {
                title: format!("the waiver of finding {finding}"),
                finding: Some(FindingId::stored(finding)),
                share: None,
                filter: Filter::default(),
                site: None,
                reason: row.get(2)?,
                approved_by: row.get(3)?,
                until: day(row.get_ref(4)?.as_str().unwrap_or_default())?,
                key: key(row.get(0)?),
            };
            found.push(MadeWaiver {
                waiver,
                made_at: Timestamp::from_second(row.get(5)?).unwrap_or_default(),
            });
        }
        Ok(found)
    }

    /// How the findings about a source's settings stood when waivers first covered them.
    ///
    /// # Errors
    /// Any [`StoreError`] of the file.
    pub fn accepted_settings(&self, source: &SourceName) -> Result<Vec<Accepted>> {
        let mut statement = self.connection.prepare_cached(&format!(
            "{ACCEPTED} JOIN source o ON o.id = f.source WHERE o.name = ?1 AND f.share IS NULL"
        ))?;
        let mut rows = statement.query([source.as_str()])?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            found.push(accepted(row)?);
        }
        Ok(found)
    }

    /// What waivers have ceased to cover, of findings that stand.
    ///
    /// # Errors
    /// Any [`StoreError`] of the file.
    pub fn ended_covers(&self) -> Result<Vec<EndedCover>> {
        let mut statement = self.connection.prepare_cached(
            "SELECT a.waiver, f.key, a.ended_at, a.ended FROM acceptance a JOIN finding f ON f.id = a.finding
             JOIN finding_version v ON v.finding = f.id AND v.to_run IS NULL
             WHERE a.ended IS NOT NULL AND v.status IN ('open', 'waived', 'not-checked') ORDER BY a.ended_at, f.id",
        )?;
        let rows = statement.query_map([], |row| {
            Ok(EndedCover {
                waiver: row.get(0)?,
                finding: FindingId::stored(row.get::<_, String>(1)?),
                at: Timestamp::from_second(row.get(2)?).unwrap_or_default(),
                change: row.get(3)?,
            })
        })?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// Whether everything was once read and judged, so that what matches nothing is known to.
    ///
    /// # Errors
    /// Any [`StoreError`] of the file.
    pub fn knows_everything(&self) -> Result<bool> {
        Ok(self
            .connection
            .prepare_cached(
                "SELECT 1 FROM run WHERE finished_at IS NOT NULL AND verdict <> 'incomplete'
                     AND json_extract(scope, '$.full') LIMIT 1",
            )?
            .exists([])?)
    }

    /// Shows every finding that stands, one by one.
    ///
    /// # Errors
    /// Any [`StoreError`] of the file.
    pub fn standing_findings(&self, visit: &mut dyn FnMut(&StandingFinding)) -> Result<()> {
        let mut statement = self.connection.prepare_cached(&format!(
            "SELECT o.name, f.key, f.rule, {STANDING_WORDS}, f.share IS NULL, {SHARE_COLUMNS}
             FROM finding f JOIN source o ON o.id = f.source
             JOIN finding_version t ON t.finding = f.id AND t.to_run IS NULL
             LEFT JOIN share s ON s.id = f.share
             LEFT JOIN share_version v ON v.share = f.share AND v.to_run IS NULL
             LEFT JOIN item i ON i.id = v.item
             WHERE t.status IN ('open', 'waived', 'not-checked') AND (f.share IS NULL OR v.share IS NOT NULL)"
        ))?;
        let mut rows = statement.query([])?;
        let mut loaders: HashMap<String, Loader<'_>> = HashMap::new();
        while let Some(row) = rows.next()? {
            let source: String = row.get(0)?;
            let share = if row.get(4)? {
                None
            } else {
                let loader = loaders
                    .entry(source.clone())
                    .or_insert_with(|| Loader::new(&self.connection, SourceName::new(&source), ""));
                // One of which only the digest is kept has nothing to be matched by.
                let Some(share) = loader.share(RawShare::read(row, 5)?)? else {
                    continue;
                };
                let body: FindingBody = stored("a finding", row.get_ref(3)?.as_str().unwrap_or_default())?;
                let labels = body.judged.map(|judged| judged.labels).unwrap_or_default();
                Some((share, labels.into_iter().collect()))
            };
            visit(&StandingFinding {
                source: SourceName::new(source),
                id: FindingId::stored(row.get::<_, String>(1)?),
                rule: named("a rule", row.get_ref(2)?.as_str().unwrap_or_default())?,
                share,
            });
        }
        Ok(())
    }
}

/// How the state's waivers are told from those of the configuration, and from each other.
fn key(row: i64) -> String {
    format!("made {row}")
}

fn day(text: &str) -> Result<Date> {
    text.parse().map_err(|error: jiff::Error| StoreError::Stored {
        what: "a day",
        source: serde::de::Error::custom(error),
    })
}

/// A finding as it stood in the latest run that ended; what one that is still on its way read is nobody's to accept yet.
struct LastJudged {
    share: Option<i64>,
    rule: RuleId,
    status: Status,
    level: Level,
    audience: Audience,
}

/// The order of versions: those that a run told which has ended come first, the latest of them before all.
const LATEST_FIRST: &str = "ORDER BY EXISTS (
         SELECT 1 FROM run_source t JOIN run r ON r.id = COALESCE(t.told_by, t.run)
         WHERE t.run = v.from_run AND r.finished_at IS NULL), v.from_run DESC LIMIT 1";

impl LastJudged {
    fn find(connection: &Connection, finding: &FindingId) -> Result<Option<Self>> {
        let found: Option<(Option<i64>, String, String, String, String)> = connection
            .query_row(
                &format!(
                    "SELECT f.share, f.rule, v.status, v.level, {WORDS}
                     FROM finding f JOIN finding_version v ON v.finding = f.id WHERE f.key = ?1 {LATEST_FIRST}"
                ),
                [finding.as_str()],
                |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?)),
            )
            .optional()?;
        let Some((share, rule, status, level, body)) = found else {
            return Ok(None);
        };
        let body: FindingBody = stored("a finding", &body)?;
        Ok(Some(Self {
            share,
            rule: named("a rule", &rule)?,
            status: named("a status", &status)?,
            level: named("a level", &level)?,
            audience: body.judged.map_or(Audience::Unknown, |judged| judged.audience),
        }))
    }

    fn stands(&self) -> bool {
        matches!(self.status, Status::Open | Status::Waived | Status::NotChecked)
    }

    fn breadth(&self, connection: &Connection) -> Result<Option<Breadth>> {
        let Some(share) = self.share else { return Ok(None) };
        let found: Option<(String, RawShare)> = connection
            .query_row(
                &format!(
                    "SELECT o.name, {SHARE_COLUMNS} FROM share s JOIN source o ON o.id = s.source
                     JOIN share_version v ON v.share = s.id JOIN item i ON i.id = v.item WHERE s.id = ?1 {LATEST_FIRST}"
                ),
                [share],
                |row| Ok((row.get(0)?, RawShare::read(row, 1)?)),
            )
            .optional()?;
        let Some((source, raw)) = found else {
            return Ok(None);
        };
        let share = Loader::new(connection, SourceName::new(source), "").share(raw)?;
        Ok(share.map(|share| Breadth::of(&share, self.audience)))
    }
}

const ACCEPTED: &str = "SELECT a.waiver, f.key, a.level, a.breadth, a.ended IS NOT NULL, f.share
     FROM finding f JOIN acceptance a ON a.finding = f.id";

fn accepted(row: &Row<'_>) -> Result<Accepted> {
    Ok(Accepted {
        waiver: row.get(0)?,
        finding: FindingId::stored(row.get::<_, String>(1)?),
        level: named("a level", row.get_ref(2)?.as_str().unwrap_or_default())?,
        breadth: stored("a breadth", row.get_ref(3)?.as_str().unwrap_or_default())?,
        ended: row.get(4)?,
    })
}

/// How the findings about the shares whose rows are within a range stood when waivers first covered them, by share.
pub(super) fn accepted_of_shares(
    connection: &Connection,
    range: RangeInclusive<i64>,
) -> Result<HashMap<i64, Vec<Accepted>>> {
    let mut found: HashMap<i64, Vec<Accepted>> = HashMap::new();
    if !connection
        .prepare_cached("SELECT 1 FROM acceptance")?
        .exists([])?
    {
        return Ok(found);
    }
    let mut statement = connection.prepare_cached(&format!("{ACCEPTED} WHERE f.share BETWEEN ?1 AND ?2"))?;
    let mut rows = statement.query(params![range.start(), range.end()])?;
    while let Some(row) = rows.next()? {
        found.entry(row.get(5)?).or_default().push(accepted(row)?);
    }
    Ok(found)
}

/// Keeps where waivers' holds on findings are not as they were.
pub(super) fn keep_turns(connection: &Connection, run: &Run, turns: &[Turn]) -> Result<()> {
    for turn in turns {
        let of = (turn.waiver.as_str(), &turn.finding);
        match &turn.hold {
            Hold::Begins { level, breadth } => accept(connection, of, *level, breadth.as_ref())?,
            Hold::Ends(change) => {
                connection
                    .prepare_cached(
                        "UPDATE acceptance SET ended_at = ?3, ended = ?4
                         WHERE waiver = ?1 AND finding = (SELECT id FROM finding WHERE key = ?2)",
                    )?
                    .execute(params![of.0, of.1.as_str(), run.now.as_second(), change])?;
            }
            Hold::Over => {}
        }
    }
    Ok(())
}

fn accept(
    connection: &Connection,
    (waiver, finding): (&str, &FindingId),
    level: Level,
    breadth: Option<&Breadth>,
) -> Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO acceptance (finding, waiver, level, breadth)
             SELECT id, ?2, ?3, ?4 FROM finding WHERE key = ?1 ON CONFLICT (finding, waiver) DO NOTHING",
        )?
        .execute(params![
            finding.as_str(),
            waiver,
            level.as_str(),
            storable("a breadth", &breadth)?
        ])?;
    Ok(())
}
