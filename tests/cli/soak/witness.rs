//! What holds after every run, however it ended: looked for in what the services store and were asked, in the journal, the
//! announcements and the letters on record, and in the files.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use rusqlite::Connection;
use serde_json::Value;
use sharewarden::model;
use sharewarden::store;

use super::oracle::{self, Expected, Stored};
use super::settings::{LEAST_GRACE, Settings};
use super::storm::{Ended, is_change, is_letter};
use crate::harness::{Asked, Stage};

/// A share of a source.
pub(super) type Key = (String, String);

/// A run and everything around it.
pub(super) struct Seen<'a> {
    pub(super) now: Timestamp,
    /// What the services' clock says.
    pub(super) server: Timestamp,
    pub(super) settings: &'a Settings,
    /// Whether somebody carried out a plan, rather than the unattended job.
    pub(super) by_plan: bool,
    pub(super) before: &'a Stored,
    pub(super) after: &'a Stored,
    pub(super) asked: &'a [Asked],
    pub(super) ended: &'a Ended,
    /// What there was to find before it.
    pub(super) expected: &'a Expected,
    /// Whether people changed something while it ran.
    pub(super) disturbed: bool,
}

/// What was announced of a share.
#[derive(Clone, Debug)]
pub(super) struct Announced {
    pub(super) action: Value,
    letter: String,
    at: Timestamp,
    pub(super) due: Timestamp,
    reminded: Option<Timestamp>,
    pub(super) ended: Option<String>,
    pub(super) why: Option<String>,
}

impl Announced {
    fn key(&self) -> Key {
        key(&self.action)
    }
}

/// What was seen so far, and what should not have been.
#[derive(Default)]
pub(super) struct Witness {
    last_line: i64,
    /// What was ever announced, by letter and share: rows are used again once those of long ago are forgotten.
    pub(super) announced: BTreeMap<(String, Key), Announced>,
    /// How each thread's readers heard that a finding stands, and what is due.
    heard: BTreeMap<(String, String), (Option<String>, Option<String>)>,
    last_letter: BTreeMap<String, Timestamp>,
    letters_seen: BTreeSet<(String, i64)>,
    /// Changes that a service was asked for and made, and those that the journal says were applied.
    pub(super) made: BTreeMap<Key, u64>,
    pub(super) applied: BTreeMap<Key, u64>,
    /// Findings of which somebody was told.
    pub(super) told: BTreeSet<String>,
    pub(super) sums: BTreeMap<&'static str, u64>,
    pub(super) wrong: Vec<String>,
}

fn key(value: &Value) -> Key {
    let text = |name: &str| value[name].as_str().unwrap_or_default().to_owned();
    (text("source"), text("share"))
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap()
}

/// What is stored, by share.
pub(super) fn by_key(stored: &Stored) -> BTreeMap<Key, Value> {
    let shares = stored
        .shares
        .iter()
        .map(|row| (("cloud".to_owned(), row["id"].to_string()), row.clone()));
    let permissions = stored.permissions.iter().map(|row| {
        let text = |name: &str| row[name].as_str().unwrap();
        let id = format!("{}/{}/{}", text("drive"), text("item"), text("id"));
        (("m365".to_owned(), id), row.clone())
    });
    shares.chain(permissions).collect()
}

/// The share that a request was to change.
fn changed_by(asked: &Asked) -> Key {
    let path = asked.path.split('?').next().unwrap();
    let decoded = percent_encoding::percent_decode_str(path).decode_utf8().unwrap();
    if let Some((_, id)) = decoded.split_once("/files_sharing/api/v1/shares/") {
        return ("cloud".to_owned(), id.to_owned());
    }
    let parts: Vec<&str> = decoded.split('/').collect();
    let after = |name: &str| {
        parts
            .iter()
            .position(|part| *part == name)
            .map(|at| parts[at + 1])
    };
    let id = [after("drives"), after("items"), after("permissions")].map(Option::unwrap_or_default);
    ("m365".to_owned(), id.join("/"))
}

impl Witness {
    fn add(&mut self, what: &'static str, more: usize) {
        *self.sums.entry(what).or_default() += more as u64;
    }

    fn insist(&mut self, holds: bool, what: impl FnOnce() -> String) {
        if !holds {
            self.wrong.push(what());
        }
    }

    /// Looks at everything after a run; gives the report of the run, where it came to its end.
    pub(super) fn look(&mut self, stage: &Stage, seen: &Seen<'_>) {
        let err = &seen.ended.err;
        self.insist(!err.contains("panicked"), || err.clone());
        let codes: &[i32] = if seen.by_plan {
            &[0, 2, 3, 4, 5, 130]
        } else {
            &[0, 3, 4, 5, 130]
        };
        self.insist(seen.ended.code.is_none_or(|code| codes.contains(&code)), || {
            format!("it ended with {:?}: {err}", seen.ended.code)
        });
        let state = stage.path("state/state.db");
        let check = store::examine(&state);
        self.insist(check.standing == model::Standing::Good, || format!("{check:?}"));
        let opened = Connection::open(&state).unwrap();
        self.changes(&opened, seen);
        self.letters(&opened, stage, seen);
        drop(opened);
        self.leftovers(stage, seen);
    }

    /// What was changed was announced, reminded of, due, allowed, and recorded; and what was recorded was asked for.
    fn changes(&mut self, state: &Connection, seen: &Seen<'_>) {
        self.announcements(state);
        let mut lines = state
            .prepare("SELECT seq, entry FROM journal WHERE seq > ?1 ORDER BY seq")
            .unwrap();
        let lines: Vec<(i64, Value)> = lines
            .query_map([self.last_line], |row| {
                Ok((row.get(0)?, row.get::<_, String>(1)?))
            })
            .unwrap()
            .map(|row| {
                row.map(|(seq, text)| (seq, serde_json::from_str(&text).unwrap()))
                    .unwrap()
            })
            .collect();
        self.last_line = lines.last().map_or(self.last_line, |(seq, _)| *seq);
        let of = |event: &str| -> Vec<&Value> {
            let all = lines.iter().map(|(_, line)| line);
            all.filter(|line| line["event"] == event).collect()
        };
        let intents = of("intent");
        for receipt in of("receipt") {
            let outcome = receipt["outcome"].as_str().unwrap();
            self.add(
                match outcome {
                    "applied" => "receipts: applied",
                    "already-done" => "receipts: already done",
                    "drifted" => "receipts: drifted",
                    "refused" => "receipts: refused",
                    _ => "receipts: failed",
                },
                1,
            );
            if outcome == "applied" {
                *self.applied.entry(key(receipt)).or_default() += 1;
            }
        }
        let asked: Vec<&Asked> = seen.asked.iter().filter(|asked| is_change(asked)).collect();
        self.add("changes asked for", asked.len());
        for asked in &asked {
            let share = changed_by(asked);
            self.insist(intents.iter().any(|line| key(line) == share), || {
                format!("asked for without a line in the journal: {asked:?}")
            });
            if asked.status == 0 || (200..300).contains(&asked.status) {
                *self.made.entry(share).or_default() += 1;
            }
        }
        let apart = seen.now.duration_since(seen.server).abs();
        if apart > SignedDuration::from_mins(5) {
            self.insist(asked.is_empty(), || {
                format!("clocks differ by {apart}: {asked:?}")
            });
        }
        let (before, after) = (by_key(seen.before), by_key(seen.after));
        let mut touched = BTreeSet::new();
        for (share, row) in &before {
            let now = after.get(share);
            if now == Some(row) {
                continue;
            }
            let ended = row["expires"]
                .as_str()
                .map(|end| end.parse::<Timestamp>().unwrap());
            if share.0 == "cloud" && now.is_none() && ended.is_some_and(|end| end <= seen.server) {
                // The server removes what is over when it is listed.
                continue;
            }
            touched.insert(share.clone());
            let meant = intents.iter().any(|line| {
                let also = line["also_ends"].as_array().into_iter().flatten();
                line["source"] == share.0.as_str() && also.chain([&line["share"]]).any(|id| *id == share.1)
            });
            self.insist(meant || seen.disturbed, || {
                format!("changed and not in the journal: {share:?}: {row} -> {now:?}")
            });
            if let Some(now) = now {
                let fields = row.as_object().unwrap().iter();
                let differs: Vec<&String> = fields
                    .filter(|(name, old)| now[*name] != **old)
                    .map(|(name, _)| name)
                    .collect();
                self.insist(differs == ["expires"] || seen.disturbed, || {
                    format!("more than its end differs: {row} -> {now}")
                });
            }
        }
        for share in after.keys() {
            self.insist(before.contains_key(share) || seen.disturbed, || {
                format!("made: {share:?}")
            });
        }
        self.add("shares changed or ended", touched.len());
        self.caps(seen, &touched, before.len());
        if !seen.by_plan {
            for intent in intents {
                self.was_promised(intent, seen);
            }
        }
    }

    fn caps(&mut self, seen: &Seen<'_>, touched: &BTreeSet<Key>, known: usize) {
        let settings = seen.settings;
        if seen.by_plan {
            return;
        }
        self.insist(touched.len() <= settings.most || seen.disturbed, || {
            format!("more than {} changes: {touched:?}", settings.most)
        });
        for source in ["cloud", "m365"] {
            let here = touched.iter().filter(|share| share.0 == source).count();
            self.insist(here * 100 <= known * settings.percent || seen.disturbed, || {
                format!("more than {} % in {source}: {touched:?}", settings.percent)
            });
        }
    }

    /// Whether a change that the unattended job made was announced by a letter long enough before, and reminded of.
    fn was_promised(&mut self, intent: &Value, seen: &Seen<'_>) {
        let (share, now) = (key(intent), seen.now);
        let settings = seen.settings;
        let has_source = if share.0 == "cloud" {
            settings.cloud
        } else {
            settings.m365
        };
        self.insist(settings.enforces && has_source, || {
            format!("nothing is to be changed: {intent}")
        });
        let day = now.to_zoned(TimeZone::UTC).date();
        let is_frozen = settings
            .frozen
            .is_some_and(|(first, last)| (first..=last).contains(&day));
        self.insist(!is_frozen, || format!("frozen: {intent}"));
        let hours = |hours: i64| SignedDuration::from_hours(hours);
        let promise = self.announced.values().find(|one| {
            one.key() == share
                && one.action["action"] == intent["deed"]
                && one.action["value"] == intent["value"]
                && one.due <= now
                && one.at + hours(24 * LEAST_GRACE) <= now
                && one
                    .reminded
                    .is_some_and(|told| (hours(24)..=hours(24 * 5)).contains(&now.duration_since(told)))
        });
        let of_it: Vec<_> = self
            .announced
            .values()
            .filter(|one| one.key() == share)
            .cloned()
            .collect();
        self.insist(promise.is_some(), || {
            format!("not announced, or not due: {intent} at {now}: {of_it:#?}")
        });
    }

    /// Takes note of what stands announced; each is by an owner's own letter that was accepted.
    fn announcements(&mut self, state: &Connection) {
        let mut rows = state
            .prepare(
                "SELECT action, letter, announced_at, due_at, reminded_at, ended, why FROM announcement ORDER BY id",
            )
            .unwrap();
        let rows: Vec<Announced> = rows
            .query_map([], |row| {
                Ok(Announced {
                    action: serde_json::from_str(&row.get::<_, String>(0)?).unwrap(),
                    letter: row.get(1)?,
                    at: at(row.get(2)?),
                    due: at(row.get(3)?),
                    reminded: row.get::<_, Option<i64>>(4)?.map(at),
                    ended: row.get(5)?,
                    why: row.get(6)?,
                })
            })
            .unwrap()
            .collect::<Result<_, _>>()
            .unwrap();
        for one in rows {
            let id = (one.letter.clone(), one.key());
            let known = self.announced.get(&id).cloned();
            if known.is_none() {
                self.add("announced", 1);
                self.is_told(state, &one);
            }
            let was_over = known.is_some_and(|known| known.ended.is_some());
            if let Some(ended) = one.ended.as_deref().filter(|_| !was_over) {
                let what = if ended == "done" {
                    "announced and done"
                } else {
                    "called off"
                };
                self.add(what, 1);
            }
            self.announced.insert(id, one);
        }
    }

    fn is_told(&mut self, state: &Connection, one: &Announced) {
        let letter: Option<(String, String, Option<String>)> = state
            .query_row(
                "SELECT told, address, outcome FROM letter WHERE key = ?1",
                [&one.letter],
                |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
            )
            .ok();
        let owner = one.action["owner"].as_str().unwrap_or_default();
        let name = owner.split('@').next().unwrap();
        let address = format!("{name}@example.org");
        // A site's is told to whoever answers for it.
        let is_owners = |to: &str| to == address || owner.contains("/sites/");
        let holds = letter.as_ref().is_some_and(|(told, to, outcome)| {
            told == "owner" && outcome.as_deref() == Some("accepted") && is_owners(to)
        });
        self.insist(holds, || format!("announced by no letter: {one:?}: {letter:?}"));
    }

    /// Each letter on record is there, each letter that is there on record, and nobody hears the same twice.
    fn letters(&mut self, state: &Connection, stage: &Stage, seen: &Seen<'_>) {
        type Row = (
            i64,
            String,
            String,
            String,
            String,
            Option<String>,
            i64,
            Option<String>,
        );
        let mut rows = state
            .prepare(
                "SELECT id, key, thread, address, told, outcome, began_at, reply FROM letter ORDER BY id",
            )
            .unwrap();
        let rows: Vec<Row> = rows
            .query_map([], |row| {
                Ok((
                    row.get(0)?,
                    row.get(1)?,
                    row.get(2)?,
                    row.get(3)?,
                    row.get(4)?,
                    row.get(5)?,
                    row.get(6)?,
                    row.get(7)?,
                ))
            })
            .unwrap()
            .collect::<Result<_, _>>()
            .unwrap();
        let mut files: BTreeMap<String, PathBuf> = BTreeMap::new();
        for entry in std::fs::read_dir(stage.path("letters")).unwrap() {
            let path = entry.unwrap().path();
            files.insert(path.file_name().unwrap().to_string_lossy().into_owned(), path);
        }
        for (id, key, thread, address, told, outcome, began, _reply) in rows {
            if outcome.is_none() || !self.letters_seen.insert((key.clone(), began)) {
                // Of one that a run was killed over, the file may be there.
                if outcome.is_none() {
                    files.retain(|name, _| !name.contains(&key));
                }
                continue;
            }
            let file = files.iter().find(|(name, _)| name.contains(&key));
            let file = file.map(|(name, path)| (name.clone(), path.clone()));
            if outcome.as_deref() == Some("accepted") {
                self.add("letters", 1);
                self.insist(file.is_some(), || {
                    format!("no file of the letter {key} to {address}")
                });
            }
            if outcome.as_deref() == Some("unknown") {
                // It may have left, and is not sent again.
                self.add("letters of which is not known whether they left", 1);
                self.was_told(state, id);
            }
            let Some((name, path)) = file else { continue };
            files.remove(&name);
            let text = std::fs::read_to_string(&path).unwrap();
            let to = text.lines().find_map(|line| line.strip_prefix("To: "));
            self.insist(to.is_some_and(|to| to.contains(&address)), || {
                format!("the letter {key} to {address} goes to {to:?}")
            });
            std::fs::remove_file(path).unwrap();
            if outcome.as_deref() == Some("accepted") {
                self.is_news(state, (id, &key, &thread, &told), at(began));
            }
        }
        files.retain(|name, _| is_letter(Path::new(name)));
        self.insist(files.is_empty() || seen.ended.code.is_none(), || {
            format!("letters that are on no record: {files:?}")
        });
    }

    /// Takes note of the findings that a letter told of.
    fn was_told(&mut self, state: &Connection, letter: i64) {
        let mut rows = state
            .prepare("SELECT finding FROM telling WHERE letter = ?1")
            .unwrap();
        let findings = rows.query_map([letter], |row| row.get::<_, String>(0)).unwrap();
        self.told.extend(findings.map(Result::unwrap));
    }

    /// Whether a letter has an occasion: something new, something due, or the time for what is still open.
    fn is_news(
        &mut self,
        state: &Connection,
        (id, key, thread, told): (i64, &str, &str, &str),
        when: Timestamp,
    ) {
        type Telling = (String, Option<String>, Option<String>, bool);
        // What is asked for is on record with the letter until it is on record by itself.
        let mut rows = state
            .prepare("SELECT finding, stood, due, offer IS NOT NULL FROM telling WHERE letter = ?1")
            .unwrap();
        let rows: Vec<Telling> = rows
            .query_map([id], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
            })
            .unwrap()
            .collect::<Result<_, _>>()
            .unwrap();
        if rows.is_empty() {
            // A summary.
            return;
        }
        let day = |at: Timestamp| at.to_zoned(TimeZone::UTC).date();
        let mut is_news = false;
        for (finding, stood, due, is_asked_for) in &rows {
            is_news |= is_asked_for;
            let place = (thread.to_owned(), finding.clone());
            is_news |= self.heard.get(&place) != Some(&(stood.clone(), due.clone()));
            // What was due and not done is told once more.
            is_news |= due.as_ref().is_some_and(|due| {
                let due: jiff::civil::Date = due.parse().unwrap();
                due < day(when) && self.last_letter.get(thread).is_none_or(|last| day(*last) <= due)
            });
            self.heard.insert(place, (stood.clone(), due.clone()));
            if told != "redirected" {
                self.told.insert(finding.clone());
            }
        }
        let last = self.last_letter.insert(thread.to_owned(), when);
        let is_time = last.is_none_or(|last| {
            let days = (day(when) - day(last)).get_days();
            // A clock that was put back says nothing about when somebody heard.
            !(0..7).contains(&days)
        });
        let is_reminder = self.announced.values().any(|one| one.reminded == Some(when));
        let is_offer = self.announced.values().any(|one| one.letter == key);
        self.insist(is_news || is_time || is_reminder || is_offer, || {
            format!("told the same twice by the letter {key} at {when} (before at {last:?}): {rows:?}")
        });
    }

    /// Nothing is left beside what is meant to stay.
    fn leftovers(&mut self, stage: &Stage, seen: &Seen<'_>) {
        if seen.ended.cut || seen.ended.code.is_none() {
            return;
        }
        for (folder, stays) in [
            (
                "state",
                &[
                    "state.db",
                    "state.db-wal",
                    "state.db-shm",
                    "state.db.cloud.lock",
                    "state.db.m365.lock",
                    "state.db.(changes).lock",
                    "state.db-letters.lock",
                    "units",
                ][..],
            ),
            ("letters", &[]),
            ("exports", &["events.ndjson", "sharewarden.prom", "report.html"]),
            ("tmp", &[]),
        ] {
            let entries = std::fs::read_dir(stage.path(folder)).unwrap();
            let names = entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned());
            let left: Vec<String> = names
                .filter(|name| !stays.contains(&name.as_str()) && !is_letter(Path::new(name)))
                .collect();
            self.insist(left.is_empty(), || format!("left in {folder}: {left:?}"));
        }
    }

    /// What the report of a run says, against what there was to find before it.
    pub(super) fn report(&mut self, report: &Value, seen: &Seen<'_>) {
        let started: Timestamp = report["run"]["started_at"].as_str().unwrap().parse().unwrap();
        if started != seen.now {
            return;
        }
        let mut once = BTreeSet::new();
        for finding in report["findings"].as_array().unwrap() {
            let place = (
                finding["source"].to_string(),
                finding["share"]["id"].to_string(),
                finding["rule"].to_string(),
            );
            let is_posture = finding["share"].is_null();
            self.insist(is_posture || once.insert(place), || {
                format!("found twice: {finding}")
            });
        }
        let standing: BTreeSet<&str> = report["findings"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|finding| finding["status"] != "resolved" && finding["status"] != "closed-by-policy")
            .map(|finding| finding["id"].as_str().unwrap())
            .collect();
        self.heard
            .retain(|(_, finding), _| standing.contains(finding.as_str()));
        for source in report["sources"].as_array().unwrap() {
            let is_read = source["verdict"] != "incomplete";
            let count = |name: &str| source["accounts"][name].as_u64().unwrap();
            let read = count("scanned") + count("skipped") + count("gone");
            self.insist(
                !is_read || (count("failed") == 0 && count("found") == read),
                || format!("called {}: {}", source["verdict"], source["accounts"]),
            );
            // What a tenant does not tell of changes is found when everything was listed again.
            if source["name"] == "cloud" && is_read && seen.settings.excluded.is_none() && !seen.disturbed {
                self.add("nights of a Nextcloud compared", 1);
                self.compare(report, seen.expected, "cloud");
            }
        }
    }

    /// Whether just that is found which there is to find.
    pub(super) fn compare(&mut self, report: &Value, expected: &Expected, source: &'static str) {
        let mut told = oracle::told(report, &["new", "open", "waived"]);
        let unchecked = oracle::told(report, &["not-checked"]);
        let hidden: BTreeSet<(String, String)> = report["findings"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|finding| finding["rule"] == "orphaned-share" && finding["status"] != "resolved")
            .map(|finding| {
                let share = &finding["share"];
                let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
                (text(&share["owner"]["id"]), text(&share["item"]["path"]))
            })
            .collect();
        told.retain(|(of, id, _)| *of == source && !id.starts_with("file/"));
        let expected_here: BTreeSet<_> = expected
            .findings
            .iter()
            .filter(|(of, _, _)| *of == source)
            .cloned()
            .collect();
        self.add("findings compared", expected_here.len());
        let missed: Vec<_> = expected_here.difference(&told).collect();
        let more: Vec<_> = told.difference(&expected_here).collect();
        // The server lists no share of a disabled account.
        let of_disabled: BTreeSet<&str> = report["findings"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|finding| finding["share"]["owner"]["active"] == false)
            .filter_map(|finding| finding["share"]["id"].as_str())
            .collect();
        let open: Vec<_> = unchecked
            .iter()
            .filter(|(of, id, rule)| {
                // A tenant does not tell who shared something: that nobody who left did cannot be said.
                let is_untold = source == "m365" && *rule == "orphaned-share";
                let is_unlisted = source == "cloud" && of_disabled.contains(id.as_str());
                *of == source && !is_untold && !is_unlisted
            })
            .collect();
        self.insist(missed.is_empty() && more.is_empty() && open.is_empty(), || {
            format!("not found: {missed:#?}\nfound, and not there: {more:#?}\nnot checked: {open:#?}")
        });
        if source == "cloud" {
            let lost: Vec<_> = expected.hidden.difference(&hidden).collect();
            self.insist(lost.is_empty(), || {
                format!("of disabled accounts, not found: {lost:?}")
            });
        }
    }
}

impl Witness {
    /// Every share is told once, and none that is not there.
    pub(super) fn shares(&mut self, report: &Value, stored: &Stored, is_there: impl Fn(&str) -> bool) {
        let mut told = BTreeSet::new();
        let mut of_disabled = 0;
        for share in report["shares"].as_array().unwrap() {
            let id = share["id"].as_str().unwrap();
            let source = if share["item"]["drive"].is_null() {
                "cloud"
            } else {
                "m365"
            };
            let key = (source.to_owned(), id.to_owned());
            if source == "cloud" && share["owner"]["active"] == false {
                of_disabled += 1;
                continue;
            }
            self.insist(told.insert(key), || format!("told twice: {share}"));
        }
        let is_listed = |key: &Key, row: &Value| match key.0.as_str() {
            "cloud" => !row["path"].is_null(),
            _ => is_there(row["path"].as_str().unwrap()),
        };
        let stored: BTreeSet<Key> = by_key(stored)
            .into_iter()
            .filter(|(key, row)| is_listed(key, row))
            .map(|(key, _)| key)
            .collect();
        let more: Vec<_> = told.difference(&stored).collect();
        self.insist(more.is_empty(), || format!("told, and not there: {more:?}"));
        self.add("shares told", told.len());
        // Of what a tenant holds without a finding, no more is kept than that it is there.
        let fewer: Vec<_> = stored
            .difference(&told)
            .filter(|(source, _)| source == "cloud")
            .collect();
        self.insist(fewer.is_empty() || of_disabled > 0, || {
            format!("not told: {fewer:?}")
        });
    }

    /// Whatever else is exported is whole.
    pub(super) fn exports(&mut self, stage: &Stage) {
        let html = std::fs::read_to_string(stage.path("exports/report.html")).unwrap();
        self.insist(html.trim_end().ends_with("</html>"), || "half a page".to_owned());
        let metrics = std::fs::read_to_string(stage.path("exports/sharewarden.prom")).unwrap();
        let is_whole = metrics.ends_with('\n')
            && metrics.lines().all(|line| {
                let value = line.rsplit(' ').next().unwrap();
                line.starts_with('#') || value.parse::<f64>().is_ok()
            });
        self.insist(is_whole, || format!("metrics are not whole: {metrics}"));
    }

    /// Whatever a service was asked for and did is in the journal as applied, and the other way round.
    pub(super) fn balances(&mut self) {
        let differs: Vec<_> = self
            .made
            .iter()
            .filter(|(key, made)| self.applied.get(*key) != Some(made))
            .map(|(key, made)| format!("{key:?}: made {made}, applied {:?}", self.applied.get(key)))
            .chain(
                self.applied
                    .keys()
                    .filter(|key| !self.made.contains_key(*key))
                    .map(|key| format!("{key:?}: never made")),
            )
            .collect();
        self.insist(differs.is_empty(), || {
            format!("journal and services differ: {differs:#?}")
        });
    }

    /// The events are whole lines, each once or, after a kill, again as it was; and going over them from the first gives just
    /// what stands.
    pub(super) fn replays(&mut self, stage: &Stage, report: &Value) {
        let text = std::fs::read_to_string(stage.path("exports/events.ndjson")).unwrap();
        let mut lines: BTreeMap<String, &str> = BTreeMap::new();
        let mut standing: BTreeMap<String, String> = BTreeMap::new();
        let mut again = 0;
        for line in text.lines() {
            let Ok(event) = serde_json::from_str::<Value>(line) else {
                self.wrong.push(format!("a broken line: {line}"));
                continue;
            };
            let id = event["event_id"].as_str().unwrap().to_owned();
            if let Some(before) = lines.insert(id, line) {
                self.insist(before == line, || format!("told otherwise: {before}\n{line}"));
                again += 1;
                continue;
            }
            let Some(finding) = event["finding"].as_str() else {
                continue;
            };
            match event["event"].as_str().unwrap() {
                "resolved" | "closed_by_policy" => {
                    standing.remove(finding);
                }
                "opened" | "reopened" | "changed" | "waived" | "not_checked" => {
                    let status = event["status"].as_str().unwrap().replace("new", "open");
                    standing.insert(finding.to_owned(), status);
                }
                _ => {}
            }
        }
        self.sums.insert("events", lines.len() as u64);
        self.sums.insert("events told again after a kill", again);
        self.insist(text.ends_with('\n'), || {
            "the events end in a half line".to_owned()
        });
        let told: BTreeMap<String, String> = report["findings"]
            .as_array()
            .unwrap()
            .iter()
            .map(|finding| {
                let text = |name: &str| finding[name].as_str().unwrap().to_owned();
                (text("id"), text("status").replace("new", "open"))
            })
            .filter(|(_, status)| status != "resolved" && status != "closed-by-policy")
            .collect();
        let missed: Vec<_> = told
            .iter()
            .filter(|(id, status)| standing.get(*id) != Some(status))
            .collect();
        let more: Vec<_> = standing
            .iter()
            .filter(|(id, _)| !told.contains_key(*id))
            .collect();
        self.insist(missed.is_empty() && more.is_empty(), || {
            format!("by the events not told: {missed:#?}, and told: {more:#?}")
        });
    }

    /// Somebody was told of whatever stands open.
    pub(super) fn knows_all(&mut self, report: &Value) {
        for finding in report["findings"].as_array().unwrap() {
            let level = finding["level"].as_str().unwrap();
            let is_told = ["medium", "high", "critical"].contains(&level)
                && ["open", "new"].contains(&finding["status"].as_str().unwrap())
                && !finding["share"].is_null();
            if is_told {
                let id = finding["id"].as_str().unwrap();
                let known = self.told.contains(id);
                self.insist(known, || format!("nobody was told: {finding}"));
            }
        }
    }
}
