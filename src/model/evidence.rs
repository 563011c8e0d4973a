//! Evidence that a link was used: what a service has on record of people who opened one without signing in.

use jiff::Timestamp;
use serde::Serialize;

use super::{Share, names};

names! {
    /// From where a use came, as far as the service tells. Ordered, `Outside` is the greatest. Addresses themselves are
    /// personal data and are not kept.
    Origin {
        /// From an address of the organisation's own networks.
        Own = "own",
        /// The service does not tell.
        Untold = "untold",
        /// From another address.
        Outside = "outside",
    }
}

/// A link of which is asked whether it was used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Look {
    /// The link.
    pub share: Share,
    /// Up to when all records of its use were told before; `None` where they never were.
    pub since: Option<Timestamp>,
    /// What an earlier run asked the service, and what was not answered then: opaque to all but the adapter.
    pub pending: Option<String>,
}

/// A record that a link was used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkUse {
    /// The share.
    pub share: String,
    /// Tells the record from others of the share.
    pub record: String,
    /// When it was used: where the service tells of several uses together, the last time.
    pub at: Timestamp,
    /// From where.
    pub origin: Origin,
}

/// What is on record of a link's use, and was not looked into yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Uses {
    /// How many records there are: services tell of several uses in one, so that there may have been more.
    pub records: u64,
    /// When the first was made.
    pub first: Timestamp,
    /// When the last was made.
    pub last: Timestamp,
    /// The widest of where they came from.
    pub origin: Origin,
}
