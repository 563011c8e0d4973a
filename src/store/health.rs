//! Whether a state file can be worked with, found out without changing it.

use std::path::Path;

use rusqlite::{Connection, OpenFlags};

use super::migrations::MIGRATIONS;
use crate::model::{Check, Standing};

const ABOUT: &str = "state file";

/// Examines a state file: whether it, or the folder to make it in, can be written, is sound, and of a known version.
#[must_use]
pub fn examine(path: &Path) -> Check {
    let shown = path.display();
    let metadata = match std::fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return folder(path),
        Err(error) => return failed(path, &error),
    };
    match look(path) {
        Err(error) => failed(path, &error),
        Ok((version, _)) if version > MIGRATIONS.len() => failed(
            path,
            &format!(
                "it was written by a newer version ({version}, this one reads up to {})",
                MIGRATIONS.len()
            ),
        ),
        Ok((_, found)) if found != "ok" => failed(path, &format!("it is damaged: {found}"))
            .step("restore the latest backup, as docs/operation.md says"),
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

/// The file's version, and what SQLite says of its soundness.
fn look(path: &Path) -> Result<(usize, String), Box<dyn std::error::Error>> {
    // SQLite would open what it may not write, and say so only when it writes.
    std::fs::OpenOptions::new().write(true).open(path)?;
    tempfile::tempfile_in(here(path.parent().unwrap_or(path)))?;
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    connection.busy_timeout(std::time::Duration::from_secs(5))?;
    let version: u32 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    let found = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    // Whether it could be written; nothing is.
    connection.execute_batch("BEGIN IMMEDIATE; ROLLBACK")?;
    Ok((version as usize, found))
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
        Err(error) => failed(path, &error),
    }
}

fn failed(path: &Path, error: &dyn std::fmt::Display) -> Check {
    Check::new(ABOUT, Standing::Failed, format!("{} cannot be used: {error}", path.display()))
        .costs("no run can be recorded, so that every finding is new each night")
        .step("give the account that runs sharewarden the right to write there, or name another file with [state] path")
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
        let newer = Connection::open(&path).unwrap();
        newer.pragma_update(None, "user_version", 999).unwrap();
        drop(newer);
        let check = examine(&path);
        assert!(
            check.standing == Standing::Failed && check.found.contains("newer version"),
            "{check:?}"
        );
        std::fs::write(&path, "no database, whatever else it is").unwrap();
        assert_eq!(examine(&path).standing, Standing::Failed);
        assert_eq!(examine(&path.join("beneath/a/file")).standing, Standing::Failed);
    }
}
