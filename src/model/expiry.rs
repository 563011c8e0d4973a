//! When a share ends.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// When a share ends, as the service states it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Expiry {
    /// The service says that it never ends.
    Never,
    /// It ends at an instant.
    At {
        /// The service's own words: a date (`YYYY-MM-DD`) for Nextcloud, a timestamp for Microsoft.
        stated: String,
        /// The instant from which it no longer works.
        instant: Timestamp,
    },
    /// The service did not tell, or in a form that could not be read.
    Unknown,
}

impl Expiry {
    /// Whether it has ended at `now`.
    #[must_use]
    pub fn is_past(&self, now: Timestamp) -> bool {
        matches!(self, Self::At { instant, .. } if *instant <= now)
    }

    /// What the service stated, where it stated a date.
    #[must_use]
    pub fn stated(&self) -> Option<&str> {
        match self {
            Self::At { stated, .. } => Some(stated),
            Self::Never | Self::Unknown => None,
        }
    }
}
