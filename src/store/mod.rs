//! The ledger: the SQLite store of what was read and found, run by run. No SQL leaves this module.
//!
//! Shares and findings are kept as versions valid from run to run: an unchanged share costs a comparison
//! and no row, and any stored run can be reported again. Nothing here holds all shares at once: readings
//! come in batches, judging and reports go over pages. No link token, password or credential is stored.

mod absorb;
mod announcements;
mod baseline;
mod events;
mod evidence;
mod exported;
mod findings;
mod gauges;
mod health;
mod history;
mod journal;
mod judging;
mod keep;
mod letters;
mod lock;
mod migrations;
mod narrow;
mod notes;
mod pages;
mod people;
mod plannable;
mod plans;
mod progress;
mod purge;
mod runs;
mod scopes;
mod sharing;
mod trouble;
mod waivers;

use std::collections::HashMap;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, OptionalExtension, Transaction, params};

use crate::model::{PrincipalClass, RuleId, SourceKind, SourceName};

pub use baseline::{Release, Released};
pub use evidence::{Closed, Closing, Incident};
pub use health::examine;
pub use history::StoredLife;
pub use journal::{Broken, Verified};
pub use judging::{JudgedSource, Judging};
pub use letters::{ADMINISTRATORS, Concerned, Heard, LetterStart, Lost, Person, Promised, Telling};
pub use lock::{ChangeLock, MailLock, SourceLock};
pub use pages::{RunFilter, StoredRun};
pub use people::Reviewed;
pub use plannable::{Narrowing, Plannable, StandsOpen};
pub use purge::Forgotten;
pub use runs::{Run, RunStart};
pub use scopes::{Place, ScopeRow};
pub use waivers::{EndedCover, MadeWaiver, NewWaiver, StandingFinding, Waived};

/// How much of the file SQLite holds in memory, and of what it sorts before it goes to disk, in KiB. What is read again is
/// read soon: more was measured to cost memory and to save no time.
const CACHE_KIB: i64 = 1000;

/// How sure a commit is, but for [`durably`]: after a crash of the machine the file is sound, and the last ones may be gone.
const SYNCHRONOUS: &str = "NORMAL";

/// How many principals and places the ledger remembers the rows of; beyond, it forgets all and asks again.
const REMEMBERED_ROWS: usize = 4096;

/// Why the ledger could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file or its folder could not be made or opened.
    #[error("cannot open the state file {}: {source}; check it, its folder and their rights, or name another with [state] path", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The file was written by a newer version.
    #[error("the state file {} was written by a newer sharewarden (its version is {found}, this one reads up to {known}): use that version, or name another file with [state] path", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// The version it has.
        found: usize,
        /// The newest version this program knows.
        known: usize,
    },
    /// Another process scans the source.
    #[error(
        "the source `{source_name}` is being scanned by {holder}; wait for it, or scan single accounts with --user"
    )]
    Locked {
        /// The source.
        source_name: String,
        /// Who holds the lock and since when.
        holder: String,
    },
    /// Another process changes sources.
    #[error("sources are being changed by {holder}; wait for it")]
    Changing {
        /// Who holds the lock and since when.
        holder: String,
    },
    /// Another process sends letters.
    #[error("letters are being sent by {holder}; wait for it")]
    Mailing {
        /// Who holds the lock and since when.
        holder: String,
    },
    /// The file is a database of another program.
    #[error("{} is the database of another program, which is left alone; name another file with [state] path", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// The file system cannot lock files.
    #[error("cannot lock {}: {source}; the state needs a file system with locks: name a file on a local disk with [state] path", path.display())]
    Unlockable {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// SQLite refused.
    #[error("the state file failed: {}", trouble::words(.0))]
    Sqlite(#[from] rusqlite::Error),
    /// A stored value is not what this program writes.
    #[error("the state file holds {what} that this version cannot read: {source}")]
    Stored {
        /// What it was read as.
        what: &'static str,
        /// Why it could not be read.
        source: serde_json::Error,
    },
    /// What this run read of a share is not there any more.
    #[error("the state file lost what this scan read of a share; scan again")]
    Bare,
    /// No run has the id asked for.
    #[error("no stored run has the id {0:?}; `sharewarden report` without --run prints the latest")]
    NoSuchRun(String),
    /// Something was named that nothing is known of.
    #[error("nothing is known of the {what} {}", listed(ids))]
    Unknown {
        /// What it was said to be.
        what: &'static str,
        /// By which ids.
        ids: Vec<String>,
    },
    /// Something was named that is known in several sources.
    #[error("the {what} {id:?} is known in several sources, {}: name one with --source", sources.join(", "))]
    Ambiguous {
        /// What it was said to be.
        what: &'static str,
        /// By which id.
        id: String,
        /// The sources.
        sources: Vec<String>,
    },
    /// A finding of another rule was to be closed as an incident.
    #[error(
        "the finding {finding} is of {rule}: only those of breach-suspected are closed, all others end with what they found"
    )]
    NoIncident {
        /// The finding.
        finding: String,
        /// Its rule.
        rule: RuleId,
    },
    /// An incident was to be closed that is.
    #[error("the finding {finding} is closed: {}", closed(last.as_ref()))]
    ClosedBefore {
        /// The finding.
        finding: String,
        /// By whom and when.
        last: Option<(String, Timestamp)>,
    },
    /// Somebody was to be forgotten whose links may have been a breach.
    #[error(
        "{shares} links of this owner are suspected breaches: end them with `sharewarden incident close` first, since \
         their evidence would be forgotten, too"
    )]
    OpenIncidents {
        /// How many shares.
        shares: u64,
    },
    /// A suspected breach was to be waived.
    #[error(
        "the finding {finding} is of {rule}, which nobody waives: end it with `sharewarden incident close {finding} \
         --outcome TEXT --by NAME`"
    )]
    Incident {
        /// The finding.
        finding: String,
        /// Its rule.
        rule: RuleId,
    },
    /// Nothing was stored yet.
    #[error("no run is stored yet: make one with `sharewarden scan`")]
    NoRun,
}

/// The result of asking the ledger.
pub type Result<T> = std::result::Result<T, StoreError>;

/// The store. One thread owns it.
#[derive(Debug)]
pub struct Ledger {
    connection: Connection,
    remembered: Remembered,
    enumerations: Enumerations,
    /// The sign that the run goes on which was begun here, where no long lock tells.
    sign: Option<lock::Sign>,
    /// The folder of a temporary ledger, until it is dropped.
    folder: Option<tempfile::TempDir>,
    /// Whether it knows what earlier runs kept.
    remembers: bool,
}

/// The scopes of which an enumeration is going on in this process, by their source and key, with the run that began it.
type Enumerations = HashMap<(i64, String), i64>;

/// Rows that are named again and again.
#[derive(Debug, Default)]
struct Remembered {
    principals: HashMap<(i64, PrincipalClass, String), i64>,
    places: HashMap<(i64, String), i64>,
}

impl Remembered {
    fn len(&self) -> usize {
        self.principals.len() + self.places.len()
    }
}

impl Ledger {
    /// Opens the ledger in a file, making it and its folder, readable by their owner only, if need be.
    ///
    /// # Errors
    /// [`StoreError::Open`], also where the file is none of ours; [`StoreError::Newer`].
    pub fn open(path: &Path) -> Result<Self> {
        private_file(path).map_err(|source| StoreError::Open {
            path: path.to_owned(),
            source,
        })?;
        let opened = Connection::open(path)
            .map_err(StoreError::from)
            .and_then(|connection| Self::prepare(connection, path, None));
        opened.map_err(|error| match error {
            StoreError::Sqlite(error) => StoreError::Open {
                path: path.to_owned(),
                source: std::io::Error::other(trouble::words(&error)),
            },
            other => other,
        })
    }

    /// Opens the ledger in a file to be read; one that cannot be written is read as it lies there.
    ///
    /// # Errors
    /// As [`Ledger::open`].
    pub fn open_to_read(path: &Path) -> Result<Self> {
        Self::open(path).or_else(|error| Self::as_it_lies(path).map_err(|_unreadable| error))
    }

    /// Opens a file of which nothing waits in its log, without locks or files beside it.
    fn as_it_lies(path: &Path) -> Result<Self> {
        let mut log = path.as_os_str().to_owned();
        log.push("-wal");
        let unread = Path::new(&log).metadata().is_ok_and(|log| log.len() > 0);
        let (false, Some(text)) = (unread, path.to_str()) else {
            return Err(StoreError::NoRun);
        };
        let text = text.replace('%', "%25").replace('?', "%3f").replace('#', "%23");
        let address = format!("file:{text}?immutable=1");
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
        let connection = Connection::open_with_flags(address, flags)?;
        let current = migrations::pending(&connection, path)?.is_empty();
        if !current || !connection.prepare("SELECT 1 FROM run")?.exists([])? {
            return Err(StoreError::NoRun);
        }
        Ok(Self {
            connection,
            remembered: Remembered::default(),
            enumerations: Enumerations::new(),
            sign: None,
            folder: None,
            remembers: true,
        })
    }

    /// Opens a private ledger that vanishes when it is dropped.
    ///
    /// # Errors
    /// [`StoreError::Open`] where no temporary folder can be made.
    pub fn temporary() -> Result<Self> {
        Self::private(|_| Ok(()))
    }

    /// Opens a private copy of a file that vanishes when it is dropped, for what is only tried; an empty one where there is no
    /// such file.
    ///
    /// # Errors
    /// Any [`StoreError`] of the file.
    pub fn copy(path: &Path) -> Result<Self> {
        if !path.exists() {
            return Self::temporary();
        }
        let original = Self::open(path)?;
        let mut copy = Self::private(|path| {
            // It takes an empty file.
            let text = path.to_string_lossy();
            original.connection.execute("VACUUM INTO ?1", [&*text])?;
            Ok(())
        })?;
        copy.remembers = true;
        Ok(copy)
    }

    /// Opens a private ledger in a folder of its own, which something is put into first.
    fn private(fill: impl FnOnce(&Path) -> Result<()>) -> Result<Self> {
        let folder = tempfile::Builder::new()
            .prefix("sharewarden-")
            .tempdir()
            .map_err(|source| StoreError::Open {
                path: std::env::temp_dir(),
                source,
            })?;
        let path = folder.path().join("state.db");
        private_file(&path).map_err(|source| StoreError::Open {
            path: path.clone(),
            source,
        })?;
        fill(&path)?;
        let connection = Connection::open(&path)?;
        connection.pragma_update(None, "synchronous", "OFF")?;
        Self::prepare(connection, &path, Some(folder))
    }

    fn prepare(mut connection: Connection, path: &Path, folder: Option<tempfile::TempDir>) -> Result<Self> {
        connection.busy_timeout(std::time::Duration::from_secs(30))?;
        // What is not ours, or not ours yet, is left as it is.
        migrations::pending(&connection, path)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        if folder.is_none() {
            connection.pragma_update(None, "synchronous", SYNCHRONOUS)?;
        }
        connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
        // The same statement, the same plan: without it SQLite plans some anew each time that other values are bound.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
        connection.set_prepared_statement_cache_capacity(64);
        migrations::migrate(&mut connection, path)?;
        Ok(Self {
            connection,
            remembered: Remembered::default(),
            enumerations: Enumerations::new(),
            sign: None,
            remembers: folder.is_none(),
            folder,
        })
    }

    /// The file that it is kept in.
    #[must_use]
    pub fn path(&self) -> &Path {
        Path::new(self.connection.path().unwrap_or_default())
    }

    /// Whether it knows what earlier runs kept.
    #[must_use]
    pub fn remembers(&self) -> bool {
        self.remembers
    }

    /// The row of a source, made if need be.
    fn source(&self, name: &SourceName, kind: SourceKind) -> Result<i64> {
        self.connection.execute(
            "INSERT INTO source (name, kind) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET kind = excluded.kind
             WHERE kind <> excluded.kind",
            params![name.as_str(), kind.as_str()],
        )?;
        self.known_source(name)?
            .ok_or(StoreError::Sqlite(rusqlite::Error::QueryReturnedNoRows))
    }

    fn known_source(&self, name: &SourceName) -> Result<Option<i64>> {
        known_source(&self.connection, name)
    }
}

fn known_source(connection: &Connection, name: &SourceName) -> Result<Option<i64>> {
    Ok(connection
        .prepare_cached("SELECT id FROM source WHERE name = ?1")?
        .query_row([name.as_str()], |row| row.get(0))
        .optional()?)
}

/// A short number by which an id or text is looked up among those of its class; where two have the same, they are
/// compared. Those of a class lie beside each other in an index, and so do ids that are numbers, in their order.
fn tag_of(class: i64, text: &str) -> i64 {
    // FNV-1a: quick, and the same for ever. Nobody gains by two texts of one tag.
    let mixed = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |mixed, byte| {
        (mixed ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let low = text.parse().unwrap_or((mixed >> 32 ^ mixed) & 0xffff_ffff);
    *tags_of(class).start() | i64::try_from(low & 0xffff_ffff).unwrap_or_default()
}

/// The tags of a class, among which those of another may be.
fn tags_of(class: i64) -> RangeInclusive<i64> {
    let start = (class & 0x7fff) << 32;
    start..=start | 0xffff_ffff
}

/// A digest, which has sixteen hexadecimal digits, as a number.
fn number_of(digest: &str) -> i64 {
    u64::from_str_radix(digest, 16).unwrap_or_default().cast_signed()
}

/// Makes the file and its folder for their owner only; an existing file keeps its rights.
fn private_file(path: &Path) -> std::io::Result<()> {
    if let Some(folder) = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty() && !folder.exists())
    {
        let mut builder = std::fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(folder)?;
    }
    private_options().open(path).map(drop)
}

/// Opens a file for reading and writing, and makes it, if need be, for its owner only.
fn private_options() -> std::fs::OpenOptions {
    let mut options = std::fs::OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// Reads a stored JSON value.
fn stored<'a, T: serde::Deserialize<'a>>(what: &'static str, text: &'a str) -> Result<T> {
    serde_json::from_str(text).map_err(|source| StoreError::Stored { what, source })
}

/// Writes a value as the JSON that [`stored`] reads.
fn storable<T: serde::Serialize>(what: &'static str, value: &T) -> Result<String> {
    serde_json::to_string(value).map_err(|source| StoreError::Stored { what, source })
}

/// A name that the ledger wrote, as the value of a closed set.
fn named<T: std::str::FromStr<Err = crate::model::UnknownName>>(what: &'static str, text: &str) -> Result<T> {
    text.parse()
        .map_err(|error: crate::model::UnknownName| StoreError::Stored {
            what,
            source: serde::de::Error::custom(error),
        })
}

/// The first few ids of a list, quoted, and how many more there are.
fn listed(ids: &[String]) -> String {
    const SHOWN: usize = 10;
    let shown: Vec<_> = ids.iter().take(SHOWN).map(|id| format!("{id:?}")).collect();
    match ids.len().saturating_sub(SHOWN) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// Runs a change as one transaction that outlasts a crash of the machine once this returns, where the ledger outlasts the
/// process at all.
fn durably<T>(ledger: &Ledger, change: impl FnOnce(&Transaction<'_>) -> Result<T>) -> Result<T> {
    let connection = &ledger.connection;
    if ledger.folder.is_some() {
        return within(connection, change);
    }
    connection.pragma_update(None, "synchronous", "FULL")?;
    let value = within(connection, change);
    connection.pragma_update(None, "synchronous", SYNCHRONOUS)?;
    value
}

/// Who closed an incident, in words.
fn closed(last: Option<&(String, Timestamp)>) -> String {
    match last {
        Some((by, at)) => format!(
            "{} did on {}, and no report has told of further use since",
            by.escape_debug(),
            at.strftime("%Y-%m-%d at %H:%M UTC")
        ),
        None => "no report has told of what is on record: scan first".to_owned(),
    }
}

/// Runs a change as one transaction.
fn within<T>(connection: &Connection, change: impl FnOnce(&Transaction<'_>) -> Result<T>) -> Result<T> {
    let transaction = Transaction::new_unchecked(connection, rusqlite::TransactionBehavior::Immediate)?;
    let value = change(&transaction)?;
    transaction.commit()?;
    Ok(value)
}

#[cfg(test)]
mod tests;
