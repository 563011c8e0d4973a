//! What adapters hand to the ledger, and what they are asked for.

use jiff::Timestamp;

use super::{Item, Labels, Principal, Problem, ScopeOutcome, Share, SourceName};

/// The unit of coverage: what is read, and can fail, as one. A Nextcloud account, a Microsoft drive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    /// The service's id: an account id or a drive id.
    pub id: String,
    /// Whose it is, where that is an account.
    pub account: Option<Principal>,
}

/// A scope to read, with what is remembered of it.
#[derive(Clone, Debug)]
pub struct KnownScope {
    /// The scope.
    pub scope: Scope,
    /// When its home was last searched for shared nodes.
    pub searched_at: Option<Timestamp>,
}

/// Readings of one source, written together; those of one scope's listing name the scope.
#[derive(Debug)]
pub struct Batch {
    /// The source.
    pub source: SourceName,
    /// The scope through which they were read.
    pub scope: Option<String>,
    /// The readings.
    pub readings: Vec<Reading>,
}

/// One thing read from a source.
#[derive(Clone, Debug)]
pub enum Reading {
    /// An account, group or other principal with what is known of it.
    Principal(Principal),
    /// A scope that exists, to be read later.
    Scope(Scope),
    /// A share, as one account sees it.
    Share(Box<Share>),
    /// What became of a scope; sent after the last of its shares.
    Outcome {
        /// The scope's id.
        scope: String,
        /// What became of it.
        outcome: ScopeOutcome,
        /// Whether its home was searched for shared nodes.
        searched: bool,
    },
    /// Something that was not read, or is worth knowing.
    Problem(Problem),
    /// What was found on, above and beneath an item.
    Labels {
        /// The item's id.
        item: String,
        /// The drive it lies in, where the service has drives.
        drive: Option<String>,
        /// The digest of the classes that were looked for.
        classes: String,
        /// The labels.
        labels: Labels,
        /// How many files lie beneath, where that was counted.
        files_beneath: Option<u64>,
    },
}

/// A further fact that judging needs: the labels of an item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Want {
    /// The account through which to ask: the item's owner.
    pub scope: String,
    /// The item.
    pub item: Item,
}
