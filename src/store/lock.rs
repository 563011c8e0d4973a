//! The long lock of a source: full scans hold it, so that no two of them write one picture.
//!
//! It is a file beside the state, locked by the operating system and so free again whatever ends the process.
//! Scans of single accounts and reports never wait for it.

use std::fs::{File, TryLockError};
use std::io::{Read, Write};
use std::path::Path;

use jiff::Timestamp;

use super::{Result, StoreError, private_options};
use crate::model::SourceName;

/// How much of a lock's file is read.
const MAX_NOTE: u64 = 200;

/// A source's long lock, held until it is dropped.
#[derive(Debug)]
pub struct SourceLock {
    _file: File,
}

impl SourceLock {
    /// Takes the lock of a source beside a state file.
    ///
    /// # Errors
    /// [`StoreError::Locked`], with who holds it and since when; [`StoreError::Open`]; [`StoreError::Unlockable`].
    pub fn take(state: &Path, source: &SourceName, now: Timestamp) -> Result<Self> {
        let mut path = state.as_os_str().to_owned();
        path.push(format!(".{source}.lock"));
        let path = std::path::PathBuf::from(path);
        let opened = private_options().open(&path);
        let mut file = opened.map_err(|source| StoreError::Open {
            path: path.clone(),
            source,
        })?;
        match file.try_lock() {
            Ok(()) => {
                // The note is for people; without it the lock holds all the same.
                let note = format!("process {} since {now}\n", std::process::id());
                let _ = file.set_len(0).and_then(|()| file.write_all(note.as_bytes()));
                Ok(Self { _file: file })
            }
            Err(TryLockError::WouldBlock) => {
                let mut note = String::new();
                let _ = file.take(MAX_NOTE).read_to_string(&mut note);
                let holder = if note.trim().is_empty() {
                    "another process"
                } else {
                    note.trim()
                };
                Err(StoreError::Locked {
                    source_name: source.to_string(),
                    holder: holder.escape_debug().to_string(),
                })
            }
            Err(TryLockError::Error(source)) => Err(StoreError::Unlockable { path, source }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_system_without_locks_is_told_as_such() {
        let path = Path::new("/srv/state.db.cloud.lock").to_owned();
        // ENOLCK, as a network file system answers without its lock service.
        let source = std::io::Error::from_raw_os_error(37);
        let words = StoreError::Unlockable { path, source }.to_string();
        for part in [
            "/srv/state.db.cloud.lock",
            "file system with locks",
            "[state] path",
        ] {
            assert!(words.contains(part), "{words}");
        }
    }
}
