//! The emulator's clock: frozen when the world says what time it is, else the real one, moved by steering.
//!
//! The only place of the emulator that reads the real time.

use jiff::{SignedDuration, Timestamp};

/// What time the emulated services believe it is.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Clock {
    /// Stands still until it is set or advanced.
    Frozen(Timestamp),
    /// The real time plus this.
    Real(SignedDuration),
}

impl Clock {
    pub(crate) fn new(now: Option<Timestamp>) -> Self {
        now.map_or(Self::Real(SignedDuration::ZERO), Self::Frozen)
    }

    pub(crate) fn now(self) -> Timestamp {
        match self {
            Self::Frozen(at) => at,
            Self::Real(offset) => {
                let real = real();
                real.checked_add(offset).unwrap_or(real)
            }
        }
    }

    /// Moves the clock to `at`; a running clock goes on running from there.
    pub(crate) fn set(&mut self, at: Timestamp) {
        match self {
            Self::Frozen(now) => *now = at,
            Self::Real(offset) => *offset = at.duration_since(real()),
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "a running world follows the real clock")]
fn real() -> Timestamp {
    Timestamp::now()
}
