//! What an owner was told will be done to a share.

use jiff::Timestamp;

use super::Action;
use crate::model::names;

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
