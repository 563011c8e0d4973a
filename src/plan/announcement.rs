//! What an owner is told will be done to a share.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Action;
use crate::model::{SourceName, names};

/// What the owner's letter is to say about a share, beside what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// What it is.
    pub subject: Subject,
    /// When it will be done; for what was announced this may be later than was told.
    pub due: Timestamp,
}

/// What a notice is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Subject {
    /// An action that is announced with it.
    Offer(Box<Action>),
    /// An announcement that the owner is reminded of, by its number in the state.
    Reminder(i64),
}

/// Notices by source and share.
pub type Notices = BTreeMap<(SourceName, String), Notice>;

/// An action that was announced and is not done yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announcement {
    /// Its number in the state.
    pub id: i64,
    /// What was announced: no more than that is done, and only to a share that still is as it says.
    pub action: Action,
    /// When the letter was sent.
    pub announced_at: Timestamp,
    /// When it will be done.
    pub due_at: Timestamp,
    /// When the owner was reminded.
    pub reminded_at: Option<Timestamp>,
}

names! {
    /// How an announcement ended.
    Ended {
        /// It was carried out.
        Done = "done",
        /// The share was put right, waived or changed, or may not be changed any more.
        Cancelled = "cancelled",
    }
}
