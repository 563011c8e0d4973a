//! The journal: who changed what, when, by which plan, what was there, and what is there. Ids only, and no secret.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::model::{Audience, FindingId, ItemKind, Share, SourceName, names};
use crate::plan::Expects;
use crate::provider::{Place, Target};

names! {
    /// What an entry records.
    Event {
        /// A run of changes begins.
        Begun = "begun",
        /// A change is about to be asked for.
        Intent = "intent",
        /// What became of it.
        Receipt = "receipt",
        /// A run of changes ended.
        Ended = "ended",
    }
}

names! {
    /// What is done to a share.
    Deed {
        /// It is given an end date, or an earlier one.
        SetExpiry = "set-expiry",
        /// It is ended.
        Revoke = "revoke",
        /// It is given the end date back that it had, or none.
        RestoreExpiry = "restore-expiry",
        /// It is made again.
        Recreate = "recreate",
        /// A link that was made again is given another password.
        SetPassword = "set-password",
    }
}

names! {
    /// What became of an action.
    Outcome {
        /// It was done, and read back.
        Applied = "applied",
        /// The share was that way, or gone, before.
        AlreadyDone = "already-done",
        /// The share is not as the plan saw it: nothing was done.
        Drifted = "drifted",
        /// It may not be done: nothing was done.
        Refused = "refused",
        /// It could not be done, or did not do what it should.
        Failed = "failed",
    }
}

/// Who changes something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Who {
    /// Somebody at the command line: the operating system's name of the user, and who became that by `sudo`.
    User {
        /// The operating system's name of the user.
        name: String,
        /// Who became that user by `sudo`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sudo: Option<String>,
    },
    /// The unattended job.
    Schedule,
}

/// A share as the journal records it: ids only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// What a plan compares.
    #[serde(flatten)]
    pub seen: Expects,
    /// Whether anyone who has its address can open it.
    pub anonymous: bool,
    /// The service's own id of the item.
    pub item: String,
    /// File, folder or neither.
    pub item_kind: ItemKind,
    /// The drive it lies in, where the service has drives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drive: Option<String>,
    /// The id of whoever shared it, where told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shared_by: Option<String>,
}

impl State {
    /// A share that this audience can open.
    #[must_use]
    pub fn of(share: &Share, audience: Audience) -> Self {
        Self {
            seen: Expects::of(share, audience),
            anonymous: share.anonymous,
            item: share.item.id.clone(),
            item_kind: share.item.kind,
            drive: share.item.drive.clone(),
            shared_by: share.shared_by.as_ref().map(|who| who.id.clone()),
        }
    }

    /// The item that is shared.
    #[must_use]
    pub fn place(&self) -> Place {
        Place {
            id: self.item.clone(),
            kind: self.item_kind,
            drive: self.drive.clone(),
        }
    }
}

/// A line of the journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// When.
    pub at: Timestamp,
    /// Who.
    pub who: Who,
    /// What it records.
    pub event: Event,
    /// The run of changes that it belongs to.
    pub run: String,
    /// The plan that is carried out; none where a run is taken back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<String>,
    /// The run that is taken back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undoes: Option<String>,
    /// The action; none for what is about the whole run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
    /// The finding that it puts right.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finding: Option<FindingId>,
    /// The source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<SourceName>,
    /// The share; of one that was made again, after it was, the new one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share: Option<String>,
    /// The account whose right is used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub act_as: Option<String>,
    /// What is done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deed: Option<Deed>,
    /// For an end date: the one that is asked for, none where it is taken away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// What was there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<State>,
    /// What is there; none where the share is gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<State>,
    /// The shares known to end with it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub also_ends: Vec<String>,
    /// For what is made again: the ids of the shares on the item before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub beside: Vec<String>,
    /// What became of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    /// More of that, in our own words: what drifted, or a problem's code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

impl Entry {
    /// A line about a whole run.
    #[must_use]
    pub fn of_run(at: Timestamp, who: Who, event: Event, run: &str) -> Self {
        Self {
            at,
            who,
            event,
            run: run.to_owned(),
            plan: None,
            undoes: None,
            action: None,
            finding: None,
            source: None,
            share: None,
            act_as: None,
            deed: None,
            value: None,
            before: None,
            after: None,
            also_ends: Vec::new(),
            beside: Vec::new(),
            outcome: None,
            detail: None,
        }
    }

    /// The share that it is about; `None` for a line about a whole run.
    #[must_use]
    pub fn target(&self) -> Option<Target> {
        let state = self.before.as_ref().or(self.after.as_ref())?;
        Some(Target {
            share: self.share.clone()?,
            act_as: self.act_as.clone(),
            item: state.place(),
        })
    }
}

/// What was last read of a share, beyond what a plan holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownShare {
    /// The item that is shared.
    pub item: Place,
    /// Its path, for people; remote text.
    pub path: String,
    /// The label that its maker gave it; remote text.
    pub label: Option<String>,
    /// Whether the last scan that could tell found it gone.
    pub gone: bool,
}

/// The journal could not be written or read.
#[derive(Debug, thiserror::Error)]
#[error("the journal failed: {0}")]
pub struct JournalError(#[source] pub Box<dyn std::error::Error + Send + Sync>);

/// Where enforcement keeps what it does, and looks up what it did.
pub trait Journal {
    /// Appends a line; when this returns, it outlasts a crash of the machine.
    ///
    /// # Errors
    /// [`JournalError`]: nothing may be changed.
    fn append(&mut self, entry: &Entry) -> Result<(), JournalError>;

    /// Every line about an action, oldest first.
    ///
    /// # Errors
    /// [`JournalError`].
    fn of_action(&self, action: &str) -> Result<Vec<Entry>, JournalError>;

    /// Every line of a run of changes, oldest first.
    ///
    /// # Errors
    /// [`JournalError`].
    fn of_run(&self, run: &str) -> Result<Vec<Entry>, JournalError>;

    /// What was meant to be done in a source and is not known to have been: intents without a receipt, oldest first.
    ///
    /// # Errors
    /// [`JournalError`].
    fn unsettled(&self, source: &SourceName) -> Result<Vec<Entry>, JournalError>;

    /// Fills in what is known of the people whom a share names: who is from outside, how large a group is.
    ///
    /// # Errors
    /// [`JournalError`].
    fn fill(&self, share: &mut Share) -> Result<(), JournalError>;

    /// What is known of a share that no line holds; `None` where nothing is known of it any more.
    ///
    /// # Errors
    /// [`JournalError`].
    fn known(&self, source: &SourceName, share: &str) -> Result<Option<KnownShare>, JournalError>;
}
