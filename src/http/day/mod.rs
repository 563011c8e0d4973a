//! The units that were spent within the last day, in a file that all runs for the same client share.
//!
//! Units are drawn from the file in portions, so that it is read and written once for many requests. A portion
//! counts as spent from the moment it is drawn: a run that is killed loses what it had not used of one, and
//! never spends what is not counted.

mod hours;

use std::{
    fmt,
    fs::{self, File, TryLockError},
    io::{self, Read as _},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tracing::warn;

use self::hours::Hours;
use super::client::local_now;
use crate::files::{open_private, write_private};

/// The largest portion.
const PORTION: u64 = 500;
/// How long a portion is kept before what is left of it is given back.
const KEPT_FOR: Duration = Duration::from_mins(1);
/// How long another run may hold the file.
const PATIENCE: Duration = Duration::from_secs(5);
/// No such file is longer.
const MAX_FILE: u64 = 64 * 1024;

/// Whether the last tenth of the day's units may be spent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reserve {
    /// It is kept: a full scan leaves it to others.
    Kept,
    /// It may be spent: a scan of one person is worth it.
    Usable,
}

/// How many units may be spent within a day, and were.
pub struct Day {
    path: PathBuf,
    budget: u64,
    reserve: Reserve,
    /// Hours since 1970.
    clock: Box<dyn Fn() -> u64 + Send + Sync>,
    in_hand: Mutex<Portion>,
    known: Mutex<Known>,
}

/// Units that are drawn and not spent.
#[derive(Default)]
struct Portion {
    units: u64,
    /// When they were drawn; `None` where nothing is.
    drawn: Option<(u64, Instant)>,
}

/// What is known of the file.
#[derive(Default)]
struct Known {
    hours: Hours,
    /// The part of it that could not be written yet.
    unwritten: Hours,
    warned: bool,
}

/// The file cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the file {path} that counts the units of the last day cannot be used: {cause}; let the account that scans read and write it and its folder"
)]
pub struct DayError {
    path: String,
    cause: String,
}

/// The day is spent, or too little is left of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Spent {
    pub(super) per_day: u64,
    pub(super) reserve: Reserve,
    /// In how many hours there may be enough.
    pub(super) again: u64,
}

/// Units that are drawn for one request; given back when dropped, unless they were spent.
pub(super) struct Charge {
    day: Arc<Day>,
    units: u64,
    hour: u64,
}

impl Charge {
    /// The request is sent.
    pub(super) fn spend(mut self) {
        self.units = 0;
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.day.put_back(self.units, self.hour);
    }
}

impl Day {
    /// Opens the file, or begins one.
    ///
    /// # Errors
    /// It cannot be read, locked or written.
    pub fn open(path: impl Into<PathBuf>, per_day: u64, reserve: Reserve) -> Result<Self, DayError> {
        let hour = || u64::try_from(local_now().as_second() / 3600).unwrap_or_default();
        Self::with_clock(path.into(), per_day, reserve, hour)
    }

    pub(super) fn with_clock(
        path: PathBuf,
        per_day: u64,
        reserve: Reserve,
        clock: impl Fn() -> u64 + Send + Sync + 'static,
    ) -> Result<Self, DayError> {
        let day = Self {
            path,
            budget: per_day,
            reserve,
            clock: Box::new(clock),
            in_hand: Mutex::default(),
            known: Mutex::default(),
        };
        let begun = day.begin(&mut lock(&day.known));
        begun.map_err(|error| DayError {
            path: day.path.display().to_string(),
            cause: error.to_string(),
        })?;
        Ok(day)
    }

    /// Takes units for a request.
    pub(super) async fn take(self: &Arc<Self>, units: u64) -> Result<Charge, Spent> {
        if let Some(charge) = self.from_hand(units) {
            return Ok(charge);
        }
        let day = self.clone();
        match tokio::task::spawn_blocking(move || day.draw(units)).await {
            Ok(drawn) => drawn,
            Err(_ended) => self.draw(units),
        }
    }

    /// Takes units of the portion in hand, if it is fresh and large enough.
    fn from_hand(self: &Arc<Self>, units: u64) -> Option<Charge> {
        let mut portion = lock(&self.in_hand);
        let (hour, since) = portion.drawn?;
        if hour != (self.clock)() || since.elapsed() >= KEPT_FOR {
            return None;
        }
        portion.units = portion.units.checked_sub(units)?;
        Some(Charge {
            day: self.clone(),
            units,
            hour,
        })
    }

    /// Takes units and a new portion from the file, in exchange for the old one.
    pub(super) fn draw(self: &Arc<Self>, units: u64) -> Result<Charge, Spent> {
        let mut known = lock(&self.known);
        // Another may have drawn in the meantime.
        if let Some(charge) = self.from_hand(units) {
            return Ok(charge);
        }
        let held = std::mem::take(&mut *lock(&self.in_hand));
        let file = self.refresh(&mut known);
        let now = (self.clock)();
        known.roll(now);
        let mut others = known.hours.clone();
        if let Some((hour, _)) = held.drawn {
            others.give_back(hour, held.units);
        }
        let free = self.allowed().saturating_sub(others.total());
        if units > free {
            let most = self.allowed().saturating_sub(units);
            let again = others.until(most, now);
            *lock(&self.in_hand) = held;
            return Err(Spent {
                per_day: self.budget,
                reserve: self.reserve,
                again,
            });
        }
        // The less there is, the less is kept from others.
        let drawn = (free / 20).min(PORTION).max(units);
        known.give_back(&held);
        known.add(now, drawn);
        self.finish(&mut known, file.as_ref());
        *lock(&self.in_hand) = Portion {
            units: drawn - units,
            drawn: Some((now, Instant::now())),
        };
        Ok(Charge {
            day: self.clone(),
            units,
            hour: now,
        })
    }

    /// Puts units back that were not spent; those of an earlier portion stay counted.
    fn put_back(&self, units: u64, hour: u64) {
        let mut portion = lock(&self.in_hand);
        if portion.drawn.is_some_and(|(drawn, _)| drawn == hour) {
            portion.units = portion.units.saturating_add(units);
        }
    }

    fn allowed(&self) -> u64 {
        match self.reserve {
            Reserve::Kept => self.budget - self.budget.div_ceil(10),
            Reserve::Usable => self.budget,
        }
    }

    /// Reads and writes the file once, to know that it can be done.
    fn begin(&self, known: &mut Known) -> io::Result<()> {
        let _locked = self.read(known)?;
        known.roll((self.clock)());
        self.write(known)
    }

    /// Locks the file and learns what it says; `None`, with a warning, where that fails.
    fn refresh(&self, known: &mut Known) -> Option<File> {
        self.read(known)
            .map_err(|error| self.warn_once(known, &error))
            .ok()
    }

    /// Writes what is known, if the file is locked and can be written.
    fn finish(&self, known: &mut Known, locked: Option<&File>) {
        if locked.is_some()
            && let Err(error) = self.write(known)
        {
            self.warn_once(known, &error);
        }
    }

    fn read(&self, known: &mut Known) -> io::Result<File> {
        let locked = self.lock()?;
        if let Some(mut hours) = self.parse()? {
            hours.add_all(&known.unwritten);
            known.hours = hours;
        }
        Ok(locked)
    }

    /// What the file says; `None` if there is none, or it had to be set aside.
    fn parse(&self) -> io::Result<Option<Hours>> {
        let file = match File::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut bytes = Vec::new();
        file.take(MAX_FILE + 1).read_to_end(&mut bytes)?;
        let is_whole = u64::try_from(bytes.len()).is_ok_and(|length| length <= MAX_FILE);
        let hours = Hours::parse(&bytes).filter(|_| is_whole);
        if hours.is_none() {
            let aside = beside(&self.path, ".damaged");
            fs::rename(&self.path, &aside)?;
            warn!(
                file = %self.path.display(), aside = %aside.display(),
                "the count of the last day's units cannot be read and was set aside: what was spent before is not known, and counts as nothing"
            );
        }
        Ok(hours)
    }

    fn write(&self, known: &mut Known) -> io::Result<()> {
        write_private(&self.path, &known.hours.to_json()?)?;
        known.unwritten = Hours::default();
        Ok(())
    }

    /// Locks a file beside the file, which is replaced whenever it is written.
    fn lock(&self) -> io::Result<File> {
        let file = open_private(&beside(&self.path, ".lock"))?;
        let began = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(TryLockError::Error(error)) => return Err(error),
                Err(TryLockError::WouldBlock) if began.elapsed() < PATIENCE => {
                    std::thread::sleep(Duration::from_millis(2));
                }
                Err(TryLockError::WouldBlock) => {
                    return Err(io::Error::new(
                        io::ErrorKind::WouldBlock,
                        "another run has kept it locked for too long",
                    ));
                }
            }
        }
    }

    fn warn_once(&self, known: &mut Known, error: &io::Error) {
        if !std::mem::replace(&mut known.warned, true) {
            warn!(
                file = %self.path.display(), %error,
                "the units of the last day can no longer be counted in their file: this run goes on counting, others do not see it"
            );
        }
    }
}

impl Drop for Day {
    fn drop(&mut self) {
        let held = std::mem::take(&mut *lock(&self.in_hand));
        if held.units > 0 {
            let mut known = lock(&self.known);
            let file = self.refresh(&mut known);
            known.roll((self.clock)());
            known.give_back(&held);
            self.finish(&mut known, file.as_ref());
        }
    }
}

impl fmt::Debug for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Day")
            .field("path", &self.path)
            .field("per_day", &self.budget)
            .field("reserve", &self.reserve)
            .finish_non_exhaustive()
    }
}

impl Known {
    fn roll(&mut self, now: u64) {
        self.hours.roll(now);
        self.unwritten.roll(now);
    }

    fn add(&mut self, hour: u64, units: u64) {
        self.hours.add(hour, units);
        self.unwritten.add(hour, units);
    }

    fn give_back(&mut self, held: &Portion) {
        if let Some((hour, _)) = held.drawn {
            self.hours.give_back(hour, held.units);
            self.unwritten.give_back(hour, held.units);
        }
    }
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
