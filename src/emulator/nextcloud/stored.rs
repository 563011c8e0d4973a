//! What is stored, written out: for tests to look at, and in the world file's own form for changing a part of it.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::Nextcloud;
use super::account::Account;
use super::shares::Share;

impl Nextcloud {
    /// Every row of the share table, for tests to look at; no tokens, no hashes.
    pub(crate) fn stored_shares(&self) -> Value {
        let row = |share: &Share| {
            json!({
                "id": share.id,
                "type": share.kind,
                "owner": &*share.owner,
                "sharer": &*share.initiator,
                "recipient": share.recipient,
                "path": share.file.map(|file| self.files.path(file)),
                "permissions": share.permissions,
                "password": share.password.is_some(),
                "expires": share.expires.map(moment),
                "label": share.label,
                "note": share.note,
                "hide_download": share.hide_download,
                "attributes": share.attributes,
                "trashed": share.file.is_some_and(|file| self.files.is_trashed(file)),
            })
        };
        self.shares.iter().map(row).collect()
    }

    /// How much there is of everything.
    pub(crate) fn summary(&self) -> Value {
        json!({
            "accounts": self.accounts.len(),
            "disabled_accounts": self.accounts.values().filter(|account| !account.enabled).count(),
            "files": self.files.iter().count(),
            "shares": self.shares.iter().count(),
            "groups": self.groups.len(),
            "tags": self.tags.len(),
        })
    }
}

pub(crate) fn moment(seconds: i64) -> String {
    Timestamp::from_second(seconds)
        .unwrap_or(Timestamp::UNIX_EPOCH)
        .to_string()
}

pub(crate) fn account_file(account: &Account) -> Value {
    json!({
        "id": &*account.id,
        "name": account.name,
        "email": account.email,
        "enabled": account.enabled,
        "groups": account.groups,
        "subadmin": account.subadmin,
        "manager": account.manager,
        "last_login": (account.last_login > 0).then(|| moment(account.last_login)),
        "language": account.language,
        "timezone": account.timezone,
        "backend": account.backend,
        "password": account.password,
        "app_passwords": account.app_passwords,
        "quota": account.quota,
        "details": account.details,
    })
}

pub(crate) fn share_file(share: &Share, path: &str) -> Value {
    json!({
        "id": share.id,
        "type": share.kind,
        "owner": &*share.owner,
        "path": path,
        "sharer": &*share.initiator,
        "recipient": share.recipient,
        "recipient_name": share.recipient_name,
        "permissions": share.permissions,
        "expires": share.expires.map(moment),
        "label": share.label,
        "note": share.note,
        "created": moment(share.created),
        "token": share.token,
        "hide_download": share.hide_download,
        "attributes": share.attributes,
        "target": share.target,
        "hidden_for": share.hidden_for,
        "downloads": share.downloads.iter().copied().map(moment).collect::<Vec<_>>(),
        "download_limit": share.download_limit,
        "vanished": share.file.is_none(),
        "raw": share.raw,
    })
}
