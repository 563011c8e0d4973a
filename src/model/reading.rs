//! What adapters hand to the ledger, and what they are asked for.

use jiff::Timestamp;

use super::{Item, Labels, LinkUse, Principal, Problem, ScopeOutcome, Share, SourceName};

/// The unit of coverage: what is read, and can fail, as one. A Nextcloud account, a Microsoft drive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    /// The service's id: an account id or a drive id.
    pub id: String,
    /// Whose it is, where that is an account.
    pub account: Option<Principal>,
}

/// A scope to read, with what is remembered of it.
#[derive(Clone)]
pub struct KnownScope {
    /// The scope.
    pub scope: Scope,
    /// When its home was last searched for shared nodes.
    pub searched_at: Option<Timestamp>,
    /// The data of its last [`Checkpoint`]; `None` where there is none, or all is to be read anew.
    pub checkpoint: Option<Vec<u8>>,
    /// What is listed again although nothing says that it changed.
    pub relist: Relist,
    /// The items whose sharing was changed from here since the scope was read: services do not tell that in every case.
    pub changed: Vec<String>,
}

impl std::fmt::Debug for KnownScope {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KnownScope")
            .field("scope", &self.scope)
            .field("searched_at", &self.searched_at)
            .field("relist", &self.relist)
            .finish_non_exhaustive()
    }
}

/// What of a scope is listed again although nothing says that it changed: services do not tell every change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Relist {
    /// The time of the run.
    pub now: Timestamp,
    /// All that was last listed before this.
    pub before: Timestamp,
    /// So many at least, beginning with what was not listed for the longest time.
    pub least: u64,
}

/// What an adapter must remember of a scope to go on there: opaque to everybody else.
#[derive(Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// How many items it lists one by one, as far as is known.
    pub parts: u64,
    /// How many of them are still to be listed, before the scope was read to its end.
    pub waiting: u64,
    /// When the one was listed that was not listed for the longest time.
    pub oldest: Option<Timestamp>,
    /// Everything else, in a form that tells its version, and in pieces: a value of the ledger is copied as it is written.
    pub data: Vec<Vec<u8>>,
}

impl std::fmt::Debug for Checkpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Checkpoint")
            .field("parts", &self.parts)
            .field("waiting", &self.waiting)
            .finish_non_exhaustive()
    }
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
    /// From here on a scope is enumerated anew: what of it is not told until its outcome says that it was scanned, be
    /// it by a later run, is no longer there.
    Begun {
        /// The scope's id.
        scope: String,
    },
    /// All that is shared of an item was told: what was not told in this run is no longer there.
    Listed {
        /// The item's id.
        item: String,
        /// The drive it lies in.
        drive: String,
    },
    /// Not all that is shared of an item could be told: what was not told in this run is not known.
    Unlisted {
        /// The item's id.
        item: String,
        /// The drive it lies in.
        drive: String,
    },
    /// A scope was not read to its end only because of items that were told to be unlisted: of all others is known what is
    /// shared.
    Followed {
        /// The scope's id.
        scope: String,
    },
    /// An item lies elsewhere than before; its shares are what they were.
    Placed {
        /// The item's id.
        item: String,
        /// The drive it lies in.
        drive: String,
        /// Its path now.
        path: String,
        /// Whether that is the path at its owner's.
        path_is_owners: bool,
    },
    /// How far a scope was read: told after the readings that it covers.
    Checkpoint {
        /// The scope's id.
        scope: String,
        /// What to remember; `None` forgets what was remembered.
        checkpoint: Option<Checkpoint>,
    },
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
        /// Whether others may be found by asking: they were told by what was read anyway.
        more: bool,
        /// How many files lie beneath, where that was counted.
        files_beneath: Option<u64>,
    },
    /// The service has it on record that a link was used.
    Used(LinkUse),
    /// All that is on record of a link's use up to a time was told.
    Looked {
        /// The share.
        share: String,
        /// Up to when.
        until: Timestamp,
    },
    /// The service was asked whether a link was used, and has not answered yet.
    Asked {
        /// The share.
        share: String,
        /// What was asked: opaque to all but the adapter.
        pending: String,
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
