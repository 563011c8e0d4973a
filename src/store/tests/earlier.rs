//! State files of earlier versions are taken over with all that they know.

use rusqlite::Connection;
use rusqlite::functions::FunctionFlags;

use super::super::migrations::{MIGRATIONS, functions};
use super::*;
use crate::report::{self, Format};

/// The names under which earlier versions kept what is an array now.
const NAMES: [&str; 13] = ["a", "p", "e", "c", "i", "l", "u", "n", "t", "o", "k", "r", "b"];

/// A body as earlier versions kept it: with names, and without what is empty.
fn with_names(body: &str) -> String {
    let values: Vec<serde_json::Value> = serde_json::from_str(body).unwrap();
    let named: Vec<String> = NAMES
        .iter()
        .zip(values)
        .filter(|(name, value)| {
            let empty =
                value.is_null() || *value == serde_json::json!([]) || (**name == "i" && *value == false);
            !empty
        })
        .map(|(name, value)| format!("\"{name}\":{value}"))
        .collect();
    format!("{{{}}}", named.join(","))
}

/// Writes a state file into one of an earlier version, in its tables and its forms.
fn written_by(version: usize, new: &Path, old: &Path) {
    let connection = Connection::open(old).unwrap();
    connection.pragma_update(None, "foreign_keys", false).unwrap();
    functions(&connection).unwrap();
    for migration in &MIGRATIONS[..version] {
        connection.execute_batch(migration).unwrap();
    }
    let flags = FunctionFlags::SQLITE_UTF8;
    connection
        .create_scalar_function("with_names", 1, flags, |context| {
            let body: Option<String> = context.get(0)?;
            Ok(body.map(|body| with_names(&body)))
        })
        .unwrap();
    connection
        .execute("ATTACH ?1 AS now", [new.to_string_lossy()])
        .unwrap();
    if version > 3 {
        copy_tables(&connection);
        connection
            .pragma_update(None, "user_version", u32::try_from(version).unwrap())
            .unwrap();
        return;
    }
    connection
        .execute_batch(&format!(
            "INSERT INTO source (id, name, kind) SELECT id, name, kind FROM now.source;
             INSERT INTO run (id, key, started_at, finished_at, verdict, scope, policy, baseline, totals, notices)
                 SELECT id, key, started_at, finished_at, verdict, scope, policy, baseline, totals, notices FROM now.run;
             INSERT INTO run_source (run, source, complete, summary) SELECT run, source, complete, summary FROM now.run_source;
             INSERT INTO problem SELECT id, run, source, scope, code, message FROM now.problem;
             INSERT INTO principal (id, source, class, key, name, email, guest, active, gone, told_run)
                 SELECT id, source, class, key, name, email, guest, active, gone, told_run FROM now.principal;
             INSERT INTO scope (id, source, key, account, listed_run) SELECT id, source, key, account, listed_run FROM now.scope;
             INSERT INTO coverage SELECT scope, run, outcome, read_at, searched_at, searched_run FROM now.coverage;
             INSERT INTO item (id, source, drive, key, size)
                 SELECT i.id, i.source, COALESCE(p.key, ''), i.key, i.size
                 FROM now.item i LEFT JOIN now.place p ON p.id = i.place;
             INSERT INTO share (id, source, key, first_at, read_run, read_at, read_scope)
                 SELECT s.id, s.source, {}, s.first_at, s.read_run, s.read_at, p.key
                 FROM now.share s LEFT JOIN now.place p ON p.id = s.read_place;
             INSERT INTO share_version
                 SELECT share, from_run, to_run, printf('%016x', digest), kind, anonymous, owner, shared_by, item,
                     with_names(body), (SELECT text FROM now.note WHERE id = judged) FROM now.share_version;
             INSERT INTO finding (id, key, source, share, rule, first_run, first_at, last_at, checked_at)
                 SELECT id, key, source, share, rule, first_run, first_at, last_at, checked_at FROM now.finding;
             INSERT INTO finding_version (finding, from_run, to_run, status, level, body)
                 SELECT finding, from_run, to_run, status, level, (SELECT text FROM now.note WHERE id = note)
                 FROM now.finding_version;
             PRAGMA user_version = {version};",
            super::super::sharing::SHARE_ID
                .replace("FROM item", "FROM now.item")
                .replace("JOIN place", "JOIN now.place")
        ))
        .unwrap();
    if version > 2 {
        connection
            .execute_batch(
                "UPDATE run_source AS o SET told_by = (
                     SELECT told_by FROM now.run_source n WHERE n.run = o.run AND n.source = o.source);
                 UPDATE finding_version AS o SET seen_at = (
                     SELECT seen_at FROM now.finding_version n WHERE n.finding = o.finding AND n.from_run = o.from_run);
                 UPDATE share AS o SET (missing_run, had_password, had_expiry) = (
                     SELECT missing_run, had_password, had_expiry FROM now.share n WHERE n.id = o.id);",
            )
            .unwrap();
    }
}

/// Copies what the tables of a file have in common with those that are attached as `now`.
fn copy_tables(connection: &Connection) {
    let list = |query: &str| -> Vec<String> {
        let mut statement = connection.prepare(query).unwrap();
        let rows = statement.query_map([], |row| row.get(0)).unwrap();
        rows.collect::<rusqlite::Result<_>>().unwrap()
    };
    for table in list("SELECT name FROM main.sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
    {
        let columns = list(&format!(
            "SELECT name FROM pragma_table_info('{table}', 'main')
             WHERE name IN (SELECT name FROM pragma_table_info('{table}', 'now'))"
        ))
        .join(", ");
        let copy = format!("INSERT INTO main.{table} ({columns}) SELECT {columns} FROM now.{table}");
        connection.execute_batch(&copy).unwrap();
    }
}

/// A link on an item in a drive, whose id begins with both.
fn in_drive(permission: &str, password: bool) -> Share {
    let mut share = link(&format!("drive-1/item-9/{permission}"), "alice", password);
    share.item.drive = Some("drive-1".to_owned());
    share.item.id = "item-9".to_owned();
    share.recipients = vec![account("carol")];
    share.opened_by = vec![Principal::new(PrincipalClass::Address, "dora@example.net")];
    share
}

/// What a night tells; the first one's link has no password yet.
fn shares(night: i64) -> Vec<Share> {
    let mut odd = link("odd/one", "alice", night > 0);
    odd.item.drive = Some("drive-2".to_owned());
    odd.expires = Expiry::At {
        stated: "2027-01-31".to_owned(),
        instant: at(60),
    };
    odd.unknown = vec!["owner".to_owned()];
    let mut shares = vec![
        link("1", "alice", night > 0),
        link("2", "alice", true),
        link("file/3", "alice", false),
        in_drive("p1", false),
        in_drive("p2", true),
        odd,
    ];
    if night == 0 {
        shares.push(link("4", "alice", false));
    }
    shares
}

fn night(ledger: &mut Ledger, day: i64) -> Run {
    let run = begin(ledger, day, &[]);
    read(
        ledger,
        &run,
        &[("alice", Some(shares(day))), ("bob", Some(Vec::new()))],
    );
    finish(ledger, &run);
    run
}

/// A run's report, all shares included.
pub(super) fn printed(ledger: &Ledger, run: &str) -> String {
    let filter = RunFilter {
        all_shares: true,
        ..RunFilter::default()
    };
    let stored = ledger.stored_run(Some(run), filter).unwrap();
    let mut out = Vec::new();
    report::write(Format::Json, report::Style::default(), &stored, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn all_printed(ledger: &Ledger, runs: &[String]) -> Vec<String> {
    runs.iter().map(|run| printed(ledger, run)).collect()
}

#[test]
fn a_file_of_any_earlier_version_prints_what_it_printed_and_goes_on() {
    for details in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.db");
        let mut ledger = Ledger::open(&path).unwrap();
        let mut runs = Vec::new();
        for day in 0..3 {
            let run = night(&mut ledger, day);
            if !details {
                ledger.forget_details(&run).unwrap();
            }
            runs.push(run.key);
        }
        let before = all_printed(&ledger, &runs);
        assert!(before[0].contains("drive-1/item-9/p1") && before[0].contains("odd/one"));
        let count = versions(&ledger);
        drop(ledger);
        for version in 1..MIGRATIONS.len() {
            let old = folder.path().join(format!("{version}.db"));
            written_by(version, &path, &old);
            let mut ledger = Ledger::open(&old).unwrap();
            assert!(
                all_printed(&ledger, &runs) == before,
                "a file of version {version}"
            );
            assert_sound(&ledger);
            let next = night(&mut ledger, 3);
            assert_eq!(
                versions(&ledger),
                count,
                "{version}: what did not change is no change"
            );
            assert_eq!(
                told(&ledger, &next),
                told_of(&before[2]),
                "{version}: the next run goes on"
            );
            if details {
                assert!(
                    all_printed(&ledger, &runs) == before,
                    "{version}: stored runs keep their picture"
                );
            }
        }
    }
}

/// The findings of a printed report, as [`told`] gives them.
fn told_of(printed: &str) -> Vec<(String, Status)> {
    let report: serde_json::Value = serde_json::from_str(printed).unwrap();
    let mut told: Vec<(String, Status)> = report["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|finding| {
            let id = finding["share"]["id"].as_str().unwrap().to_owned();
            (id, finding["status"].as_str().unwrap().parse().unwrap())
        })
        .collect();
    told.sort();
    told
}

/// Nothing is so that cannot be.
pub(super) fn assert_sound(ledger: &Ledger) {
    let found = super::super::health::contradictions(&ledger.connection).unwrap();
    assert_eq!(found, None);
    let on: bool = ledger
        .connection
        .query_row("PRAGMA foreign_keys", [], |row| row.get(0))
        .unwrap();
    assert!(on);
}

#[test]
fn of_two_that_open_an_old_file_at_once_one_brings_it_up_to_date() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    drop(Ledger::open(&path).unwrap());
    let old = folder.path().join("old.db");
    written_by(1, &path, &old);
    std::thread::scope(|scope| {
        let both: Vec<_> = (0..4)
            .map(|_| scope.spawn(|| Ledger::open(&old).map(drop)))
            .collect();
        for opened in both {
            opened.join().unwrap().unwrap();
        }
    });
}

#[test]
fn a_share_is_found_by_its_whole_id() {
    let mut ledger = Ledger::temporary().unwrap();
    night(&mut ledger, 0);
    for share in shares(0) {
        let row = super::super::sharing::share_row(&ledger.connection, 1, &share.id).unwrap();
        assert!(row.is_some(), "{}", share.id);
    }
    let none = super::super::sharing::share_row(&ledger.connection, 1, "drive-1/item-9/p3").unwrap();
    assert_eq!(none, None);
}

#[test]
fn ids_of_one_tag_are_told_from_each_other() {
    // Numbers that differ beyond 32 bits only.
    let ids = ["7", "4294967303", "8589934599"];
    assert!(ids.iter().all(|id| tag_of(1, id) == tag_of(1, "7")));
    let mut ledger = Ledger::temporary().unwrap();
    for day in 0..2 {
        let run = begin(&mut ledger, day, &[]);
        let shares = ids.map(|id| {
            let mut share = link(id, "alice", false);
            share.item.id = id.to_owned();
            share
        });
        read(&mut ledger, &run, &[("alice", Some(shares.to_vec()))]);
        finish(&mut ledger, &run);
        assert_eq!(told(&ledger, &run).len(), 3);
        assert_eq!(versions(&ledger), 3);
    }
}
