//! The file of events: one line a change, each at least once, from where the ledger says that it ended.
//!
//! What belongs together (a run, the journal's new lines, letters) is appended and on disk before the ledger records it: a
//! crash in between appends it again, with the same `event_id`. An attempt that fails leaves nothing of it behind.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, BufWriter, Read as _, Seek as _, SeekFrom, Write};
use std::path::Path;

use super::Why;
use crate::files;
use crate::report::Pages as _;
use crate::report::discretion::Discretion;
use crate::report::ndjson::{self, Event, Stamp};
use crate::store::{Ledger, RunFilter, StoredRun};

/// What every line begins with.
const BEGINNING: &[u8] = b"{\"event_id\":\"";

/// How much of the file's end is looked through for the end of a line; none is longer.
const LONGEST: u64 = 16 << 20;

/// Appends what was not appended yet.
pub(super) fn append(ledger: &mut Ledger, path: &Path, discretion: &Discretion) -> Result<(), Why> {
    let mut file = Events::open(path)?;
    for run in ledger.runs_to_export()? {
        let stored = ledger.stored_run(Some(&run), RunFilter::default())?;
        file.append(|out| write_run(&stored, discretion, out))?;
        drop(stored);
        ledger.run_exported(&run)?;
    }
    let exported = ledger.journal_exported()?;
    let mut last = exported;
    file.append(|out| {
        let walked = ledger.journal(exported, None, &mut |change| {
            last = change.seq;
            ndjson::write_change(&discretion.change(change), out)
        });
        Ok(walked??)
    })?;
    if last > exported {
        ledger.journal_is_exported(last)?;
    }
    let mut letters = Vec::new();
    file.append(|out| {
        let walked = ledger.letters_to_export(&mut |letter| {
            letters.push((letter.key.clone(), letter.time));
            ndjson::write_letter(&discretion.letter(letter), out)
        });
        Ok(walked??)
    })?;
    if !letters.is_empty() {
        ledger.letters_exported(&letters)?;
    }
    Ok(())
}

/// The events of a run: what changed, and that it ended.
fn write_run(stored: &StoredRun<'_>, discretion: &Discretion, out: &mut dyn Write) -> Result<(), Why> {
    let header = stored.header();
    let stamp = |sequence, event, time| Stamp {
        run: &header.run.id,
        sequence,
        event,
        time,
    };
    let events = stored.transitions(&mut |number, happening| {
        let happening = discretion.happening(happening);
        ndjson::write_event(&stamp(number, happening.event, happening.time), &happening, out)
    })??;
    let last = stamp(events + 1, Event::RunFinished, header.run.finished_at);
    Ok(ndjson::write_run(&last, header, out)?)
}

/// The file, opened to be added to.
struct Events {
    file: File,
    /// Whether it is a file that keeps what it is given, and no device.
    keeps: bool,
}

impl Events {
    /// Opens or makes the file, for nobody else to add to meanwhile, and takes away what a crash left of a line.
    fn open(path: &Path) -> io::Result<Self> {
        files::check_writable_kind(path)?;
        let mut options = OpenOptions::new();
        options.append(true).create(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, files::Rights::Group.mode());
        let file = options.open(path)?;
        let mut this = Self {
            keeps: file.metadata()?.is_file(),
            file,
        };
        if this.keeps {
            match this.file.try_lock() {
                Err(TryLockError::WouldBlock) => {
                    return Err(io::Error::other("another process is appending to it"));
                }
                // Where nothing can be locked, nobody can be kept out.
                Ok(()) | Err(TryLockError::Error(_)) => {}
            }
            this.mend(path)?;
        }
        Ok(this)
    }

    /// A half line at the end goes if it is one of ours; what others wrote is ended, so that the next line is one.
    fn mend(&mut self, path: &Path) -> io::Result<()> {
        let length = self.file.metadata()?.len();
        let mut reading = File::open(path)?;
        let start = length.saturating_sub(LONGEST);
        let mut end = Vec::new();
        reading.seek(SeekFrom::Start(length.saturating_sub(1)))?;
        reading.read_to_end(&mut end)?;
        if end.is_empty() || end == b"\n" {
            return Ok(());
        }
        end.clear();
        reading.seek(SeekFrom::Start(start))?;
        reading.read_to_end(&mut end)?;
        let line = end.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let half = end.get(line..).unwrap_or_default();
        let whole = length.saturating_sub(u64::try_from(half.len()).unwrap_or_default());
        let ours = half.starts_with(BEGINNING) || BEGINNING.starts_with(half);
        if ours && self.file.set_len(whole).is_ok() {
            return Ok(());
        }
        self.file.write_all(b"\n")
    }

    /// Appends what belongs together; where that fails, nothing of it stays.
    fn append(&mut self, write: impl FnOnce(&mut dyn Write) -> Result<(), Why>) -> Result<(), Why> {
        let before = self.file.metadata()?.len();
        let mut out = BufWriter::new(&mut self.file);
        let written = write(&mut out).and_then(|()| Ok(out.flush()?));
        // What is still in it is not to be written when it goes.
        drop(out.into_parts());
        let written = written.and_then(|()| {
            if self.keeps && self.file.metadata()?.len() > before {
                self.file.sync_data()?;
            }
            Ok(())
        });
        if written.is_err() && self.keeps {
            // Where this fails too, the next one mends it.
            let _ = self.file.set_len(before);
        }
        written
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failing(out: &mut dyn Write, bytes: usize) -> Result<(), Why> {
        out.write_all(&vec![b'x'; bytes])?;
        Err(Why::File(io::ErrorKind::StorageFull.into()))
    }

    #[test]
    fn nothing_stays_of_an_attempt_that_fails() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events.ndjson");
        let mut events = Events::open(&path).unwrap();
        events
            .append(|out| Ok(out.write_all(b"{\"event_id\":\"1\"}\n")?))
            .unwrap();
        // Less than is written at once, and more.
        for bytes in [10, 100_000] {
            assert!(events.append(|out| failing(out, bytes)).is_err());
            assert_eq!(
                std::fs::read(&path).unwrap(),
                b"{\"event_id\":\"1\"}\n",
                "{bytes}"
            );
        }
        events
            .append(|out| Ok(out.write_all(b"{\"event_id\":\"2\"}\n")?))
            .unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap().lines().count(), 2);
    }

    #[test]
    fn one_writes_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events.ndjson");
        let first = Events::open(&path).unwrap();
        let refused = Events::open(&path).err().unwrap().to_string();
        assert_eq!(refused, "another process is appending to it");
        drop(first);
        assert!(Events::open(&path).is_ok());
    }
}
