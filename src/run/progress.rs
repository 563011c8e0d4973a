//! How far the reading of a source has come: told by the run as it goes on, looked at by whoever shows it to people.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

use crate::model::names;

names! {
    /// What is being done with a source.
    Step {
        /// It was not begun.
        Waiting = "waiting",
        /// Its credential is tried and its settings are read.
        Opening = "opening",
        /// Its accounts or drives are listed.
        Listing = "listing",
        /// They are read, one after the other.
        Reading = "reading",
        /// It is asked for what the rules lack.
        Asking = "asking",
        /// What is known of it is judged.
        Judging = "judging",
        /// It is done.
        Done = "done",
    }
}

/// How far a source is. Numbers only ever grow within a run.
#[derive(Debug, Default)]
pub struct Progress {
    step: AtomicU8,
    scopes: AtomicU64,
    read: AtomicU64,
}

impl Progress {
    /// What is being done.
    #[must_use]
    pub fn step(&self) -> Step {
        let step = usize::from(self.step.load(Ordering::Relaxed));
        Step::ALL.get(step).copied().unwrap_or(Step::Done)
    }

    /// How many accounts or drives there are to read, once that is known.
    #[must_use]
    pub fn scopes(&self) -> u64 {
        self.scopes.load(Ordering::Relaxed)
    }

    /// How many of them were read, or tried.
    #[must_use]
    pub fn read(&self) -> u64 {
        self.read.load(Ordering::Relaxed)
    }

    /// Says in the log, too, what is being done from now on.
    pub(super) fn begin(&self, step: Step) {
        let place = Step::ALL.iter().position(|other| *other == step);
        let place = place
            .and_then(|place| u8::try_from(place).ok())
            .unwrap_or_default();
        self.step.store(place, Ordering::Relaxed);
        tracing::info!("{step}");
    }

    pub(super) fn found(&self, scopes: usize) {
        self.scopes
            .store(u64::try_from(scopes).unwrap_or_default(), Ordering::Relaxed);
    }

    pub(super) fn one_read(&self) {
        self.read.fetch_add(1, Ordering::Relaxed);
    }
}
