//! Whether a state file can be worked with, found out without changing it.

use std::path::Path;

use rusqlite::{Connection, OpenFlags};

use super::{Result, StoreError, migrations, trouble};
use crate::model::{Check, Standing};

const ABOUT: &str = "state file";
const RIGHTS: &str =
    "give the account that runs sharewarden the right to write there, or name another file with [state] path";
const BACKUP: &str = "restore the latest backup, as docs/operation.md says";

/// What is so in each file that this program wrote: words for what is not, and how many of them there are.
const INVARIANTS: &[(&str, &str)] = &[
    (
        "rows refer to others that are not there",
        "SELECT count(*) FROM pragma_foreign_key_check",
    ),
    (
        "versions of a share overlap",
        "SELECT count(*) FROM share_version v JOIN share_version n ON n.share = v.share AND n.from_run > v.from_run
         WHERE v.to_run IS NULL OR n.from_run < v.to_run",
    ),
    (
        "versions of a finding overlap",
        "SELECT count(*) FROM finding_version v JOIN finding_version n ON n.finding = v.finding AND n.from_run > v.from_run
         WHERE v.to_run IS NULL OR n.from_run < v.to_run",
    ),
    (
        "findings begin before their shares",
        "SELECT count(*) FROM finding_version v JOIN finding f ON f.id = v.finding WHERE f.share IS NOT NULL
             AND NOT EXISTS (SELECT 1 FROM share_version w WHERE w.share = f.share AND w.from_run <= COALESCE(
                 (SELECT min(run) FROM run_source WHERE source = f.source AND run >= v.from_run), w.from_run))",
    ),
    (
        "shares are there twice",
        "SELECT count(*) FROM share s JOIN share t ON t.tag = s.tag AND t.id > s.id AND t.source = s.source
         WHERE t.key = s.key AND t.follows = s.follows AND (s.follows = 0 OR t.item = s.item)",
    ),
    (
        "files or folders are there twice",
        "SELECT count(*) FROM item i JOIN item t ON t.tag = i.tag AND t.id > i.id AND t.source = i.source
         WHERE t.key = i.key AND t.place IS i.place",
    ),
];

/// Examines a state file: whether it, or the folder to make it in, can be written, is sound, and of a known version.
#[must_use]
pub fn examine(path: &Path) -> Check {
    let shown = path.display();
    let metadata = match std::fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return folder(path),
        Err(error) => return failed(path, &error, RIGHTS),
    };
    match look(path) {
        Err(error) => unusable(path, &error),
        Ok(Some(found)) => failed(path, &format!("it is damaged: {found}"), BACKUP),
        Ok(_) if open_to_others(&metadata) => Check::new(
            ABOUT,
            Standing::Limited,
            format!("{shown} can be read by others than its owner"),
        )
        .costs("it names people, files and who may open them")
        .step(format!("chmod 600 {shown}")),
        Ok(_) => Check::good(
            ABOUT,
            format!(
                "{shown} is sound and can be written ({} KiB)",
                metadata.len() / 1024
            ),
        ),
    }
}

/// What is not sound about a file that a scan could work with.
fn look(path: &Path) -> Result<Option<String>> {
    let refused = |source| StoreError::Open {
        path: path.to_owned(),
        source,
    };
    // SQLite would open what it may not write, and say so only when it writes.
    std::fs::OpenOptions::new()
        .write(true)
        .open(path)
        .map_err(refused)?;
    tempfile::tempfile_in(here(path.parent().unwrap_or(path))).map_err(refused)?;
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    connection.busy_timeout(std::time::Duration::from_secs(5))?;
    let current = migrations::pending(&connection, path)?.is_empty();
    let found = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get::<_, String>(0))?;
    let found = if found != "ok" {
        Some(found)
    } else if current {
        contradictions(&connection)?
    } else {
        None
    };
    // Whether it could be written; nothing is.
    connection.execute_batch("BEGIN IMMEDIATE; ROLLBACK")?;
    Ok(found)
}

/// What cannot be so, in words.
pub(super) fn contradictions(connection: &Connection) -> rusqlite::Result<Option<String>> {
    let mut found = Vec::new();
    for (words, query) in INVARIANTS {
        let count: i64 = connection.query_row(query, [], |row| row.get(0))?;
        if count > 0 {
            found.push(format!("{words} ({count})"));
        }
    }
    if let Err(broken) = super::journal::verify(connection, None)? {
        found.push(broken.to_string());
    }
    Ok((!found.is_empty()).then(|| found.join("; ")))
}

/// A folder as it can be looked at: the one above a bare name is this one.
fn here(folder: &Path) -> &Path {
    if folder.as_os_str().is_empty() {
        Path::new(".")
    } else {
        folder
    }
}

/// A file that is not there yet: whether it can be made.
fn folder(path: &Path) -> Check {
    let there = path.ancestors().skip(1).map(here).find(|folder| folder.is_dir());
    let probe = there.map_or_else(
        || Err(std::io::Error::other("no folder above it exists")),
        tempfile::tempfile_in,
    );
    match probe {
        Ok(_) => Check::good(
            ABOUT,
            format!("{} will be made by the first scan", path.display()),
        ),
        Err(error) => failed(path, &error, RIGHTS),
    }
}

/// A file that a scan refuses, and what to do by what is wrong with it.
fn unusable(path: &Path, error: &StoreError) -> Check {
    match error {
        StoreError::Foreign { .. } => failed(
            path,
            &"it is the database of another program",
            "name another file with [state] path",
        ),
        StoreError::Newer { found, known, .. } => failed(
            path,
            &format!("it was written by a newer version ({found}, this one reads up to {known})"),
            "use that version, or name another file with [state] path",
        ),
        StoreError::Open { source, .. } => failed(path, source, RIGHTS),
        StoreError::Sqlite(error) => failed(path, error, trouble::advice(error).unwrap_or(BACKUP)),
        other => failed(path, other, BACKUP),
    }
}

fn failed(path: &Path, error: &dyn std::fmt::Display, step: &str) -> Check {
    Check::new(
        ABOUT,
        Standing::Failed,
        format!("{} cannot be used: {error}", path.display()),
    )
    .costs("no run can be recorded, so that every finding is new each night")
    .step(step)
}

#[cfg(unix)]
fn open_to_others(metadata: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    metadata.permissions().mode() & 0o077 != 0
}

#[cfg(not(unix))]
fn open_to_others(_: &std::fs::Metadata) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Ledger;

    #[test]
    fn what_cannot_be_so_is_told() {
        const SHARE: &str =
            "INSERT INTO share (id, source, follows, tag, key, first_at, read_run, read_at) VALUES";
        const VERSION: &str = "INSERT INTO share_version (share, from_run, to_run, digest, kind, anonymous, owner, item) VALUES";
        const FINDING: &str = "INSERT INTO finding_version (finding, from_run, to_run, status, level) VALUES";
        let sound = format!(
            "INSERT INTO source (id, name, kind) VALUES (1, 'cloud', 'nextcloud');
             INSERT INTO principal (id, source, class, key) VALUES (1, 1, 'account', 'alice');
             INSERT INTO item (id, source, tag, key) VALUES (1, 1, 5, 'a');
             {SHARE} (1, 1, 0, 7, '1', 0, 1, 0); {VERSION} (1, 1, 3, 0, 'link', 1, 1, 1), (1, 3, NULL, 0, 'link', 1, 1, 1);
             INSERT INTO finding (id, key, source, share, rule, first_run, first_at, last_at, checked_at)
                 VALUES (1, 'f', 1, 1, 'link-without-expiry', 1, 0, 0, 0);
             {FINDING} (1, 1, 2, 'open', 'low'), (1, 2, NULL, 'waived', 'low');
             INSERT INTO run (id, key, started_at, scope, policy) VALUES (1, 'first', 0, '', ''), (3, 'third', 0, '', '');
             INSERT INTO run_source (run, source) VALUES (1, 1), (3, 1);"
        );
        for (broken, words) in [
            (String::new(), None),
            (
                format!("{VERSION} (9, 1, NULL, 0, 'link', 1, 1, 1)"),
                Some("refer to others"),
            ),
            (
                "INSERT INTO checkpoint (scope, run, parts, waiting) VALUES (9, 1, 1, 1)".to_owned(),
                Some("refer to others"),
            ),
            (
                format!("{VERSION} (1, 2, 3, 0, 'link', 1, 1, 1)"),
                Some("versions of a share"),
            ),
            (
                format!("{VERSION} (1, 4, NULL, 0, 'link', 1, 1, 1)"),
                Some("versions of a share"),
            ),
            (
                format!("{FINDING} (1, 3, NULL, 'open', 'low')"),
                Some("versions of a finding"),
            ),
            (
                "DELETE FROM share_version WHERE from_run = 1".to_owned(),
                Some("findings begin before their shares"),
            ),
            (
                "DELETE FROM share_version WHERE from_run = 1; DELETE FROM run WHERE id = 1;
                 DELETE FROM run_source WHERE run = 1"
                    .to_owned(),
                None,
            ),
            (
                format!("{SHARE} (2, 1, 0, 7, '1', 0, 1, 0)"),
                Some("shares are there twice"),
            ),
            (format!("{SHARE} (2, 1, 0, 7, '2', 0, 1, 0)"), None),
            (
                "INSERT INTO item (source, tag, key) VALUES (1, 5, 'a')".to_owned(),
                Some("files or folders"),
            ),
        ] {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("state.db");
            drop(Ledger::open(&path).unwrap());
            let connection = Connection::open(&path).unwrap();
            connection.pragma_update(None, "foreign_keys", false).unwrap();
            connection.execute_batch(&sound).unwrap();
            connection.execute_batch(&broken).unwrap();
            drop(connection);
            let check = examine(&path);
            match words {
                None => assert_eq!(check.standing, Standing::Good, "{broken}: {check:?}"),
                Some(words) => assert!(
                    check.standing == Standing::Failed && check.found.contains(words),
                    "{broken}: {check:?}"
                ),
            }
        }
    }

    #[test]
    fn a_file_is_told_by_what_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/er/state.db");
        assert_eq!(examine(&path).standing, Standing::Good, "it can be made");
        assert!(!path.exists(), "and was not");
        assert_eq!(examine(Path::new("there-is-none.db")).standing, Standing::Good);
        drop(Ledger::open(&path).unwrap());
        assert_eq!(examine(&path).standing, Standing::Good);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
            assert_eq!(examine(&path).standing, Standing::Limited);
        }
        std::fs::remove_file(&path).unwrap();
        drop(Ledger::open(&path).unwrap());
        let told = |words: &str, step: &str| {
            let check = examine(&path);
            assert!(
                check.standing == Standing::Failed
                    && check.found.contains(words)
                    && check.steps.iter().any(|each| each.contains(step)),
                "{check:?}"
            );
        };
        let write = |sql: &str| {
            let connection = Connection::open(&path).unwrap();
            connection.execute_batch(sql).unwrap();
        };
        write("PRAGMA user_version = 999");
        told("newer version", "use that version");
        write("PRAGMA user_version = 0");
        told("another program", "name another file");
        write(&format!(
            "PRAGMA user_version = {}; DROP TABLE share_version",
            migrations::MIGRATIONS.len()
        ));
        told("no such table", "restore the latest backup");
        std::fs::write(&path, "no database, whatever else it is").unwrap();
        told("not a database", "restore the latest backup");
        let check = examine(&path.join("beneath/a/file"));
        assert_eq!(check.standing, Standing::Failed);
        assert_eq!(check.steps, [RIGHTS]);
    }
}
