//! A state file that cannot be worked with: said in words, before anything is sent where that can be known, and nothing
//! that earlier runs kept is lost by it.

use std::io::{Seek, SeekFrom, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use rusqlite::Connection;
use serde_json::Value;

use crate::harness::{NOW, Program, Ran, Stage, findings};

const LATER: &str = "2026-11-22T13:00:00Z";
/// An account that may write nothing that is not its own.
const NOBODY: u32 = 65_534;

/// A stage with a run in its state, and what that run said.
fn scanned() -> (Stage, Value) {
    let stage = Stage::small();
    let report = stage.run(&["scan", "--format", "json"]).ended(0).json();
    stage.forget_requests();
    (stage, report)
}

/// A scan ends with 2, says these words and what to do, and sends nothing; without the state it works.
fn refused(stage: &Stage, ran: &Ran, words: &[&str]) {
    ran.ended(2);
    for part in words
        .iter()
        .chain(&["state.db", "--no-state", "nothing was sent"])
    {
        assert!(ran.err.contains(part), "`{part}` is not in: {}", ran.err);
    }
    assert!(stage.requests().is_empty());
    stage.report(&[]);
    stage.forget_requests();
}

/// The run before is printed as it was, and the next one goes on from it.
fn goes_on(stage: &Stage, before: &Value) {
    let id = before["run"]["id"].as_str().unwrap();
    let printed = stage.run(&["report", "--format", "json", "--run", id]);
    assert_eq!(&printed.ended(0).json(), before);
    let next = stage.run_at(LATER, &["scan", "--format", "json"]).ended(0).json();
    assert_eq!(findings(&next).len(), findings(before).len());
    assert!(findings(&next).iter().all(|finding| finding["status"] == "open"));
}

fn overwrite(path: &Path, at: u64, bytes: &[u8]) {
    let mut file = std::fs::File::options().write(true).open(path).unwrap();
    file.seek(SeekFrom::Start(at)).unwrap();
    file.write_all(bytes).unwrap();
}

#[test]
fn a_file_of_a_newer_version_is_left_alone() {
    let (stage, before) = scanned();
    let path = stage.path("state.db");
    let version = |version: u32| {
        let file = Connection::open(&path).unwrap();
        let known: u32 = file
            .query_row("PRAGMA user_version", [], |row| row.get(0))
            .unwrap();
        file.pragma_update(None, "user_version", version).unwrap();
        known
    };
    let known = version(99);
    let kept = std::fs::read(&path).unwrap();
    refused(&stage, &stage.run(&["scan"]), &["newer sharewarden", "99"]);
    stage.run(&["report"]).ended(2);
    assert_eq!(std::fs::read(&path).unwrap(), kept);
    version(known);
    goes_on(&stage, &before);
}

#[test]
fn the_database_of_another_program_is_left_alone() {
    let stage = Stage::small();
    let path = stage.path("state.db");
    Connection::open(&path)
        .unwrap()
        .execute_batch("CREATE TABLE diary (day TEXT, entry TEXT)")
        .unwrap();
    let kept = std::fs::read(&path).unwrap();
    refused(&stage, &stage.run(&["scan"]), &["another program"]);
    assert_eq!(std::fs::read(&path).unwrap(), kept);
}

#[test]
fn damage_that_shows_at_once_is_told_before_anything_is_sent() {
    let (stage, before) = scanned();
    let path = stage.path("state.db");
    let sound = std::fs::read(&path).unwrap();
    // The mark of the format, the size of its pages, and the page that says which tables there are.
    for (at, length) in [(0, 16), (16, 84), (100, 3000)] {
        overwrite(&path, at, &vec![0xa5; length]);
        let ran = stage.run(&["scan"]);
        refused(&stage, &ran, &["damaged", "restore the latest backup"]);
        stage.run(&["report"]).ended(2);
        std::fs::write(&path, &sound).unwrap();
    }
    goes_on(&stage, &before);
}

#[test]
fn damage_in_the_middle_ends_the_scan_where_it_is_met() {
    let (stage, before) = scanned();
    let path = stage.path("state.db");
    let sound = std::fs::read(&path).unwrap();
    let root = |table: &str| -> (u64, usize) {
        let file = Connection::open(&path).unwrap();
        let page: u32 = file
            .query_row(
                "SELECT rootpage FROM sqlite_schema WHERE name = ?1",
                [table],
                |row| row.get(0),
            )
            .unwrap();
        let size: u32 = file.query_row("PRAGMA page_size", [], |row| row.get(0)).unwrap();
        (u64::from(page - 1) * u64::from(size), size as usize)
    };
    for (table, code) in [("run", 2), ("share_tag", 5), ("principal", 5), ("finding", 5)] {
        let (at, size) = root(table);
        overwrite(&path, at, &vec![0xa5; size]);
        let ran = stage.run(&["scan"]);
        if code == 2 {
            refused(&stage, &ran, &["damaged"]);
        } else {
            ran.ended(5);
            for part in [
                "could not be kept",
                "damaged",
                "restore the latest backup",
                "--no-state",
            ] {
                assert!(ran.err.contains(part), "{table}: {}", ran.err);
            }
            assert_eq!(ran.out, "", "{table}: nothing passes for a result");
            stage.report(&[]);
        }
        let doctor = stage.run(&["doctor"]);
        assert!(doctor.ended(5).out.contains("damaged"), "{table}: {}", doctor.out);
        if table == "share_tag" {
            let printed = stage.run(&["report", "--format", "json"]);
            assert_eq!(
                printed.ended(0).json(),
                before,
                "what is whole can be printed still"
            );
        }
        for ending in ["-wal", "-shm"] {
            let _ = std::fs::remove_file(stage.path(&format!("state.db{ending}")));
        }
        std::fs::write(&path, &sound).unwrap();
        stage.forget_requests();
    }
    goes_on(&stage, &before);
}

/// Runs a program as an account that is nobody's, where this test may do so; as itself, where that is not root's.
fn as_nobody(stage: &Stage, program: &Program) -> Option<Ran> {
    let mut command = program.command();
    if std::fs::metadata(stage.path(".")).unwrap().uid() == 0 {
        std::fs::set_permissions(stage.path("."), std::fs::Permissions::from_mode(0o755)).unwrap();
        chown(stage.path("secret"), Some(NOBODY), None).unwrap();
        std::fs::set_permissions(stage.path("config.toml"), std::fs::Permissions::from_mode(0o644)).unwrap();
        command.uid(NOBODY);
    }
    match command.output() {
        Ok(output) => Some(Ran::of(&output, "as nobody".to_owned())),
        Err(error) => {
            // The program lies where nobody else may go.
            assert_eq!(error.kind(), std::io::ErrorKind::PermissionDenied);
            None
        }
    }
}

#[test]
fn what_may_not_be_written_is_told_before_anything_is_sent() {
    let (stage, before) = scanned();
    let path = stage.path("state.db");
    std::fs::create_dir(stage.path("kept")).unwrap();
    let moved = stage.path("kept/state.db");
    std::fs::rename(&path, &moved).unwrap();
    let config = std::fs::read_to_string(stage.path("config.toml")).unwrap();
    stage.write("config.toml", &config.replace("state.db", "kept/state.db"));
    let mode = |path: &Path, mode: u32| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    let mut program = stage.program();
    program.arguments(&["--now", NOW, "scan"]);
    let mut report = stage.program();
    report.arguments(&["report", "--format", "json"]);
    // The file alone; then its folder, in which its log has to be made.
    for (file, folder, words) in [(0o444, 0o777, "denied"), (0o666, 0o555, "its folder")] {
        mode(&moved, file);
        mode(&stage.path("kept"), folder);
        if let Some(ran) = as_nobody(&stage, &program) {
            refused(&stage, &ran, &[words]);
            let printed = as_nobody(&stage, &report).unwrap();
            assert_eq!(printed.ended(0).json(), before, "what is there can be printed");
        }
        mode(&stage.path("kept"), 0o755);
    }
    std::fs::rename(&moved, &path).unwrap();
    mode(&path, 0o600);
    stage.write("config.toml", &config);
    goes_on(&stage, &before);
    // Nor may anybody make a folder there.
    stage.forget_requests();
    stage.write(
        "config.toml",
        &config.replace(&*path.to_string_lossy(), "/proc/none/state.db"),
    );
    refused(&stage, &stage.run(&["scan"]), &["/proc/none/state.db"]);
}

/// Runs a program that may make no file larger than so many blocks of 512 bytes: the nearest to a full disk that every
/// account can make.
fn with_room_for(stage: &Stage, blocks: u32, command: &str) -> Ran {
    let mut program = stage.program();
    program.arguments(&["--now", NOW, command, "--format", "json"]);
    let inner = program.command();
    let mut command = Command::new("sh");
    command
        .args(["-c", "trap '' XFSZ; ulimit -f \"$0\"; exec \"$@\""])
        .arg(blocks.to_string())
        .arg(inner.get_program())
        .args(inner.get_args())
        .env_clear()
        .envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))))
        .current_dir(stage.path("."));
    Ran::of(&command.output().unwrap(), format!("with {blocks} blocks"))
}

#[test]
fn on_a_full_disk_nothing_is_lost_and_nothing_half_written_counts() {
    let (stage, before) = scanned();
    let report = || stage.run(&["report", "--format", "json"]).ended(0).json();
    let printed = with_room_for(&stage, 0, "report");
    assert_eq!(printed.ended(0).json(), before, "what is there can be printed");
    let mut codes = Vec::new();
    for kib in [0, 8, 24, 40, 56, 72, 104, 200, 4096] {
        let ran = with_room_for(&stage, kib * 2, "scan");
        codes.push(ran.code.unwrap());
        match ran.code {
            Some(0) => break,
            Some(2) => assert!(stage.requests().is_empty(), "{kib}"),
            code => assert_eq!(code, Some(5), "{kib}: {}", ran.err),
        }
        assert!(ran.err.contains("disk is full"), "{kib}: {}", ran.err);
        if !ran.out.is_empty() {
            // Only what came after the report had no room.
            assert!(ran.err.contains("the run is kept"), "{kib}: {}", ran.err);
            assert_eq!(report()["run"], ran.json()["run"]);
            continue;
        }
        assert!(ran.err.contains("--no-state"), "{kib}: {}", ran.err);
        // What is told of items may be newer by then; what was found is not.
        let latest = report();
        for part in ["run", "totals"] {
            assert_eq!(latest[part], before[part], "{kib}: the run before is the latest");
        }
        for (was, is) in findings(&before).iter().zip(findings(&latest)) {
            for field in ["id", "level", "status", "message", "last_seen"] {
                assert_eq!(was[field], is[field], "{kib}");
            }
        }
        stage.forget_requests();
    }
    codes.dedup();
    assert_eq!(
        codes,
        [2, 5, 0],
        "before anything was sent, after it, and with enough room"
    );
    let next = report();
    assert_eq!(findings(&next).len(), findings(&before).len());
    assert!(findings(&next).iter().all(|finding| finding["status"] == "open"));
}

#[test]
fn whoever_writes_for_long_is_waited_for() {
    let (stage, before) = scanned();
    let other = Connection::open(stage.path("state.db")).unwrap();
    other
        .execute_batch("BEGIN IMMEDIATE; UPDATE run SET verdict = verdict")
        .unwrap();
    // What is only read is there at once.
    let printed = stage.run(&["report", "--format", "json"]);
    assert_eq!(printed.ended(0).json(), before);
    std::thread::scope(|scope| {
        let next = scope.spawn(|| stage.run_at(LATER, &["scan", "--format", "json"]));
        std::thread::sleep(std::time::Duration::from_millis(500));
        assert!(
            stage.requests().is_empty(),
            "nothing is sent before the run is begun"
        );
        other.execute_batch("COMMIT").unwrap();
        next.join().unwrap().ended(0);
    });
    goes_on(&stage, &before);
}
