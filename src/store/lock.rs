//! The long lock of a source: full scans hold it, so that no two of them write one picture. And a lock of each run of
//! single accounts, for which nobody waits: it tells whether that run still goes on.
//!
//! They are files beside the state, locked by the operating system and so free again whatever ends the process.
//! Scans of single accounts and reports never wait for a source.

use std::fs::{File, TryLockError};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

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
        match take(&beside(state, source.as_str()), now)? {
            Ok(file) => Ok(Self { _file: file }),
            Err(holder) => Err(StoreError::Locked {
                source_name: source.to_string(),
                holder,
            }),
        }
    }
}

/// The lock of those who change sources, held until it is dropped.
#[derive(Debug)]
pub struct ChangeLock {
    _file: File,
}

impl ChangeLock {
    /// Takes the lock beside a state file.
    ///
    /// # Errors
    /// [`StoreError::Changing`], with who holds it and since when; [`StoreError::Open`]; [`StoreError::Unlockable`].
    pub fn take(state: &Path, now: Timestamp) -> Result<Self> {
        // No source and no run is called so.
        match take(&beside(state, "(changes)"), now)? {
            Ok(file) => Ok(Self { _file: file }),
            Err(holder) => Err(StoreError::Changing { holder }),
        }
    }
}

/// The lock of those who send letters, held until it is dropped.
#[derive(Debug)]
pub struct MailLock {
    _file: File,
}

impl MailLock {
    /// Takes the lock beside a state file.
    ///
    /// # Errors
    /// [`StoreError::Mailing`], with who holds it and since when; [`StoreError::Open`]; [`StoreError::Unlockable`].
    pub fn take(state: &Path, now: Timestamp) -> Result<Self> {
        // With no full stop before it, it is no source's.
        let mut path = state.as_os_str().to_owned();
        path.push("-letters.lock");
        match take(Path::new(&path), now)? {
            Ok(file) => Ok(Self { _file: file }),
            Err(holder) => Err(StoreError::Mailing { holder }),
        }
    }
}

/// Takes a lock, or says who holds it.
fn take(path: &Path, now: Timestamp) -> Result<std::result::Result<File, String>> {
    let opened = private_options().open(path);
    let mut file = opened.map_err(|source| StoreError::Open {
        path: path.to_owned(),
        source,
    })?;
    match file.try_lock() {
        Ok(()) => {
            // The note is for people; without it the lock holds all the same.
            let note = format!("process {} since {now}\n", std::process::id());
            let _ = file.set_len(0).and_then(|()| file.write_all(note.as_bytes()));
            Ok(Ok(file))
        }
        Err(TryLockError::WouldBlock) => {
            let mut note = String::new();
            let _ = file.take(MAX_NOTE).read_to_string(&mut note);
            let holder = if note.trim().is_empty() {
                "another process"
            } else {
                note.trim()
            };
            Ok(Err(holder.escape_debug().to_string()))
        }
        Err(TryLockError::Error(source)) => Err(StoreError::Unlockable {
            path: path.to_owned(),
            source,
        }),
    }
}

/// Shows, until it is dropped, that a run goes on.
#[derive(Debug)]
pub(super) struct Sign {
    path: PathBuf,
    _file: File,
}

impl Sign {
    /// Gives a run's sign; where it cannot be given, the run passes for dead once another one ends.
    pub(super) fn of(state: &Path, run: &str) -> Option<Self> {
        let path = beside(state, run);
        let file = private_options().open(&path).ok()?;
        file.try_lock().ok()?;
        Some(Self { path, _file: file })
    }

    /// Whether a run goes on, as far as its sign tells.
    pub(super) fn is_given(state: &Path, run: &str) -> bool {
        let path = beside(state, run);
        let Ok(file) = File::open(&path) else {
            return false;
        };
        if matches!(file.try_lock(), Err(TryLockError::WouldBlock)) {
            return true;
        }
        // Its run was killed.
        let _ = std::fs::remove_file(path);
        false
    }
}

impl Drop for Sign {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

/// The file of a lock.
fn beside(state: &Path, of: &str) -> PathBuf {
    // Whoever names the same file by another way has the same lock.
    let state = state.canonicalize().unwrap_or_else(|_new| state.to_owned());
    let mut path = state.into_os_string();
    path.push(format!(".{of}.lock"));
    PathBuf::from(path)
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
