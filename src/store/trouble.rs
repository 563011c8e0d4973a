//! What went wrong with the state file, and what to do about it, in words.

use rusqlite::ErrorCode;
use rusqlite::ffi;

/// What SQLite's refusal means to whoever runs a scan.
pub(super) fn words(error: &rusqlite::Error) -> String {
    match advice(error) {
        Some(advice) => format!("{error}: {advice}"),
        None => error.to_string(),
    }
}

/// What to do about it, where that can be told.
pub(super) fn advice(error: &rusqlite::Error) -> Option<&'static str> {
    let told = error.sqlite_error()?;
    Some(match (told.code, told.extended_code) {
        (ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase, _) => {
            "it is damaged, or no state of sharewarden; restore the latest backup, as docs/operation.md says, or move it \
             away to begin anew"
        }
        (ErrorCode::DiskFull, _) => "no room is left where it lies, or for temporary files; make some",
        (_, ffi::SQLITE_IOERR_WRITE | ffi::SQLITE_IOERR_FSYNC | ffi::SQLITE_IOERR_TRUNCATE) => {
            "it could not be written: see whether the disk is full, or has faults, and which size of file is allowed"
        }
        (ErrorCode::ReadOnly | ErrorCode::PermissionDenied, _) => {
            "the account that runs sharewarden must be able to write it and its folder"
        }
        (ErrorCode::CannotOpen, _) => {
            "the account that runs sharewarden must be able to write into its folder: files beside it belong to it"
        }
        (ErrorCode::FileLockingProtocolFailed, _)
        | (
            _,
            ffi::SQLITE_IOERR_LOCK
            | ffi::SQLITE_IOERR_UNLOCK
            | ffi::SQLITE_IOERR_RDLOCK
            | ffi::SQLITE_IOERR_CHECKRESERVEDLOCK
            | ffi::SQLITE_IOERR_SHMLOCK,
        ) => "its file system cannot lock files, or others lock it all the time; put it on a local disk",
        (_, ffi::SQLITE_IOERR_SHMOPEN | ffi::SQLITE_IOERR_SHMSIZE | ffi::SQLITE_IOERR_SHMMAP) => {
            "see whether the disk is full; or its file system cannot lock and map files, as some in a network: put it on a \
             local disk"
        }
        (ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked, _) => {
            "another process kept it to itself for 30 s; wait for that one, or see whether a backup or an editor has it open"
        }
        (ErrorCode::SystemIoFailure, _) => "see whether its disk has faults",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_refusal_says_what_to_do() {
        for (code, part) in [
            (ffi::SQLITE_CORRUPT, "restore the latest backup"),
            (ffi::SQLITE_CORRUPT_INDEX, "restore the latest backup"),
            (ffi::SQLITE_NOTADB, "restore the latest backup"),
            (ffi::SQLITE_FULL, "no room is left"),
            (ffi::SQLITE_IOERR_WRITE, "disk is full"),
            (ffi::SQLITE_READONLY, "must be able to write"),
            (ffi::SQLITE_READONLY_DIRECTORY, "must be able to write"),
            (ffi::SQLITE_PERM, "must be able to write"),
            (ffi::SQLITE_CANTOPEN, "write into its folder"),
            (ffi::SQLITE_PROTOCOL, "cannot lock files"),
            (ffi::SQLITE_IOERR_LOCK, "cannot lock files"),
            (ffi::SQLITE_IOERR_SHMMAP, "cannot lock and map files"),
            (ffi::SQLITE_BUSY, "another process"),
            (ffi::SQLITE_IOERR_READ, "faults"),
        ] {
            let error = rusqlite::Error::SqliteFailure(ffi::Error::new(code), None);
            assert!(words(&error).contains(part), "{code}: {}", words(&error));
        }
        assert!(!words(&rusqlite::Error::QueryReturnedNoRows).contains(": "));
    }
}
