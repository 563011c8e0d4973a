//! The share table: rows by id, and indexes by initiator, owner, file, recipient and token.
//!
//! Holds what was stored, whoever asks; who may see a row and how it looks to him is decided elsewhere.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use serde_json::{Map, Value};

pub(crate) const USER: i64 = 0;
pub(crate) const GROUP: i64 = 1;
pub(crate) const LINK: i64 = 3;
pub(crate) const MAIL: i64 = 4;
pub(crate) const FEDERATED: i64 = 6;
pub(crate) const TEAM: i64 = 7;
pub(crate) const FEDERATED_GROUP: i64 = 9;
pub(crate) const ROOM: i64 = 10;
pub(crate) const DECK: i64 = 12;

pub(crate) const READ: u32 = 1;
pub(crate) const UPDATE: u32 = 2;
pub(crate) const CREATE: u32 = 4;
pub(crate) const DELETE: u32 = 8;
pub(crate) const SHARE: u32 = 16;

/// One row.
#[derive(Debug, Clone)]
pub(crate) struct Share {
    pub(crate) id: u64,
    pub(crate) kind: i64,
    /// None: the file is gone, the row stayed.
    pub(crate) file: Option<u64>,
    /// Whose file it is.
    pub(crate) owner: Arc<str>,
    /// Who shared it.
    pub(crate) initiator: Arc<str>,
    pub(crate) recipient: Option<String>,
    pub(crate) recipient_name: Option<String>,
    pub(crate) permissions: u32,
    /// The hash as the API shows it.
    pub(crate) password: Option<String>,
    /// When it ends, in seconds.
    pub(crate) expires: Option<i64>,
    pub(crate) label: String,
    pub(crate) note: String,
    pub(crate) created: i64,
    pub(crate) token: Option<String>,
    pub(crate) hide_download: bool,
    pub(crate) attributes: Option<String>,
    pub(crate) target: String,
    pub(crate) mail_sent: bool,
    pub(crate) hidden_for: BTreeSet<String>,
    pub(crate) downloads: Vec<i64>,
    pub(crate) download_limit: Option<u64>,
    pub(crate) raw: Map<String, Value>,
}

impl Share {
    pub(crate) fn is_due(&self, now: i64) -> bool {
        self.expires.is_some_and(|at| at <= now)
    }

    pub(crate) fn is_public(&self) -> bool {
        matches!(self.kind, LINK | MAIL)
    }

    /// Shared or owned by this account.
    pub(crate) fn belongs_to(&self, account: &str) -> bool {
        &*self.owner == account || &*self.initiator == account
    }
}

/// All rows.
#[derive(Debug, Clone, Default)]
pub(crate) struct Shares {
    rows: BTreeMap<u64, Share>,
    by_initiator: HashMap<Arc<str>, BTreeSet<u64>>,
    by_owner: HashMap<Arc<str>, BTreeSet<u64>>,
    by_file: HashMap<u64, BTreeSet<u64>>,
    by_recipient: HashMap<(i64, String), BTreeSet<u64>>,
    by_token: HashMap<String, u64>,
    last: u64,
}

impl Shares {
    /// The next free id.
    pub(crate) fn free_id(&self) -> u64 {
        self.last + 1
    }

    pub(crate) fn contains(&self, id: u64) -> bool {
        self.rows.contains_key(&id)
    }

    /// Adds or replaces a row.
    pub(crate) fn insert(&mut self, share: Share) {
        self.remove(share.id);
        self.last = self.last.max(share.id);
        self.by_initiator
            .entry(share.initiator.clone())
            .or_default()
            .insert(share.id);
        self.by_owner
            .entry(share.owner.clone())
            .or_default()
            .insert(share.id);
        if let Some(file) = share.file {
            self.by_file.entry(file).or_default().insert(share.id);
        }
        if let Some(recipient) = share.recipient.clone() {
            self.by_recipient
                .entry((share.kind, recipient))
                .or_default()
                .insert(share.id);
        }
        if let Some(token) = share.token.clone() {
            self.by_token.insert(token, share.id);
        }
        self.rows.insert(share.id, share);
    }

    pub(crate) fn remove(&mut self, id: u64) -> Option<Share> {
        let share = self.rows.remove(&id)?;
        forget(&mut self.by_initiator, &share.initiator, id);
        forget(&mut self.by_owner, &share.owner, id);
        if let Some(file) = share.file {
            forget(&mut self.by_file, &file, id);
        }
        if let Some(recipient) = share.recipient.clone() {
            forget(&mut self.by_recipient, &(share.kind, recipient), id);
        }
        if let Some(token) = &share.token {
            self.by_token.remove(token);
        }
        Some(share)
    }

    /// Forgets the file of every share on it; the rows stay.
    pub(crate) fn lose_file(&mut self, file: u64) {
        for id in self.by_file.remove(&file).unwrap_or_default() {
            if let Some(share) = self.rows.get_mut(&id) {
                share.file = None;
            }
        }
    }

    pub(crate) fn get(&self, id: u64) -> Option<&Share> {
        self.rows.get(&id)
    }

    pub(crate) fn by_token(&self, token: &str) -> Option<&Share> {
        self.rows.get(self.by_token.get(token)?)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Share> {
        self.rows.values()
    }

    /// Shares made by an account.
    pub(crate) fn made_by<'a>(&'a self, account: &str) -> impl Iterator<Item = &'a Share> {
        self.rows_of(self.by_initiator.get(account))
    }

    /// Shares of an account's files, whoever made them.
    pub(crate) fn owned_by<'a>(&'a self, account: &str) -> impl Iterator<Item = &'a Share> {
        self.rows_of(self.by_owner.get(account))
    }

    /// Shares of one file.
    pub(crate) fn on_file(&self, file: u64) -> impl Iterator<Item = &Share> {
        self.rows_of(self.by_file.get(&file))
    }

    /// Shares given to an account, group, team or room.
    pub(crate) fn given_to<'a>(&'a self, kind: i64, recipient: &str) -> impl Iterator<Item = &'a Share> {
        self.rows_of(self.by_recipient.get(&(kind, recipient.to_owned())))
    }

    fn rows_of<'a>(&'a self, ids: Option<&'a BTreeSet<u64>>) -> impl Iterator<Item = &'a Share> {
        ids.into_iter().flatten().filter_map(|id| self.rows.get(id))
    }
}

fn forget<K: Eq + std::hash::Hash>(index: &mut HashMap<K, BTreeSet<u64>>, key: &K, id: u64) {
    if let Some(ids) = index.get_mut(key) {
        ids.remove(&id);
        if ids.is_empty() {
            index.remove(key);
        }
    }
}
