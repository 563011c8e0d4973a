//! Changes from outside, behind the API's back: what a person, another program or an administrator would have done.
//!
//! A change names what to do and to what, with the fields of the world file; it is checked as the world file is.

use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::Nextcloud;
use super::account::Account;
use super::shares::Share;
use crate::emulator::world::file::{
    AccountFile, CircleFile, ExAppFile, FileFile, GroupFile, ShareFile, TagFile,
};

impl Nextcloud {
    /// Makes one change and returns the id of what was changed.
    pub(crate) fn change(&mut self, change: &Value, now: Timestamp) -> Result<Value, String> {
        let fields = change
            .as_object()
            .ok_or("a change is an object such as {\"do\": \"remove\", \"share\": 17}")?;
        let what = fields.get("do").and_then(Value::as_str).unwrap_or_default();
        let subjects = [
            "share", "account", "file", "group", "team", "room", "tag", "ex_app", "settings", "guard",
        ];
        let known = |key: &&String| subjects.contains(&key.as_str());
        let subject = fields
            .keys()
            .find(known)
            .ok_or_else(|| format!("name one of {}", subjects.join(", ")))?
            .clone();
        let allowed = ["do", "set", "owner", subject.as_str()];
        if let Some(key) = fields.keys().find(|key| !allowed.contains(&key.as_str())) {
            return Err(format!("unknown key `{key}`"));
        }
        let it = fields.get(&subject).cloned().unwrap_or_default();
        let set = fields
            .get("set")
            .and_then(Value::as_object)
            .cloned()
            .unwrap_or_default();
        let owner = fields.get("owner").and_then(Value::as_str).unwrap_or_default();
        match (what, subject.as_str()) {
            ("add", "share") => self.put_share(&it, now),
            ("update", "share") => self.update_share(&it, &set, now),
            ("remove", "share") => {
                let id = it
                    .as_u64()
                    .filter(|id| self.shares.contains(*id))
                    .ok_or_else(|| format!("no share {it}"))?;
                self.delete_share(id, now.as_second());
                Ok(json!(id))
            }
            ("add", "account") => self.put_account(&it, now),
            ("update", "account") => {
                let known = self
                    .accounts
                    .get(text(&it))
                    .ok_or_else(|| format!("no account {it}"))?;
                let merged = merged(&account_file(known), &set)?;
                self.put_account(&merged, now)
            }
            ("remove", "account") => self.remove_account(text(&it)),
            ("add", "file") => {
                let file: FileFile = read(&it)?;
                self.add_file(owner, &file, "file", now)
                    .map(|id| json!(id))
                    .map_err(|error| error.to_string())
            }
            ("update", "file") => self.update_file(owner, text(&it), &set, now),
            ("remove", "file") => {
                let id = self
                    .files
                    .find(owner, text(&it))
                    .ok_or_else(|| format!("{owner} has no {it}"))?;
                for gone in self.files.remove(id) {
                    self.shares.lose_file(gone);
                }
                Ok(json!(id))
            }
            ("add", "group") => {
                let group: GroupFile = read(&it)?;
                self.groups
                    .insert(group.id.clone(), group.name.unwrap_or_else(|| group.id.clone()));
                Ok(json!(group.id))
            }
            ("add" | "update", "team" | "room") => self.put_circle(&subject, &it, &set),
            ("remove", "team") => self
                .teams
                .remove(text(&it))
                .map(|team| json!(team.id))
                .ok_or("no such team".into()),
            ("remove", "room") => self
                .rooms
                .remove(text(&it))
                .map(|room| json!(room.id))
                .ok_or("no such room".into()),
            ("add", "tag") => {
                let tag: TagFile = read(&it)?;
                let id = tag.id;
                self.tags.insert(id, tag);
                Ok(json!(id))
            }
            ("remove", "tag") => {
                let id = it
                    .as_u64()
                    .and_then(|id| self.tags.remove(&id))
                    .ok_or("no such tag")?
                    .id;
                Ok(json!(id))
            }
            ("add" | "update", "ex_app") => {
                let app: ExAppFile = match self.ex_apps.get(text(&it)) {
                    Some(known) => read(&merged(known, &set)?)?,
                    None => read(&it)?,
                };
                let id = app.id.clone();
                self.ex_apps.insert(id.clone(), app);
                Ok(json!(id))
            }
            ("remove", "ex_app") => self
                .ex_apps
                .remove(text(&it))
                .map(|app| json!(app.id))
                .ok_or("no such application".into()),
            ("update", "settings") => {
                let set = it.as_object().cloned().unwrap_or_default();
                self.settings = read(&merged(&self.settings, &set)?)?;
                Ok(json!("settings"))
            }
            ("reset", "guard") => {
                self.reset_guard();
                Ok(json!("guard"))
            }
            _ => Err(format!("cannot `{what}` a `{subject}`")),
        }
    }

    fn put_share(&mut self, it: &Value, now: Timestamp) -> Result<Value, String> {
        let file: ShareFile = read(it)?;
        self.add_share(&file, "share", now)
            .map(|id| json!(id))
            .map_err(|error| error.to_string())
    }

    fn update_share(
        &mut self,
        it: &Value,
        set: &Map<String, Value>,
        now: Timestamp,
    ) -> Result<Value, String> {
        let id = it.as_u64().ok_or("`share` is the id of a share")?;
        let old = self
            .shares
            .get(id)
            .cloned()
            .ok_or_else(|| format!("no share {id}"))?;
        let path = old.file.map(|file| self.files.path(file)).unwrap_or_default();
        let written = read(&merged(&share_file(&old, path), set)?)?;
        self.shares.remove(id);
        let added = self.add_share(&written, "share", now);
        if added.is_err() {
            self.shares.insert(old);
        } else if !set.contains_key("password")
            && let Some(mut share) = self.shares.remove(id)
        {
            share.password = old.password;
            self.shares.insert(share);
        }
        added.map(|id| json!(id)).map_err(|error| error.to_string())
    }

    fn put_account(&mut self, it: &Value, now: Timestamp) -> Result<Value, String> {
        let file: AccountFile = read(it)?;
        self.add_account(&file, "account", now)
            .map_err(|error| error.to_string())?;
        Ok(json!(file.id))
    }

    /// Deleting an account deletes its files, and every share that it made, owned or received.
    fn remove_account(&mut self, id: &str) -> Result<Value, String> {
        let account = self
            .accounts
            .remove(id)
            .ok_or_else(|| format!("no account {id}"))?;
        let mine = |share: &&Share| {
            share.belongs_to(id)
                || (share.kind == super::shares::USER && share.recipient.as_deref() == Some(id))
        };
        let gone: Vec<u64> = self.shares.iter().filter(mine).map(|share| share.id).collect();
        for share in gone {
            self.shares.remove(share);
        }
        if let Some(home) = self.files.home_of(id) {
            self.files.remove(home);
        }
        if let Some(address) = account.email {
            self.addresses.remove(&address);
        }
        self.deleted.insert(id.to_owned());
        Ok(json!(id))
    }

    fn update_file(
        &mut self,
        owner: &str,
        path: &str,
        set: &Map<String, Value>,
        now: Timestamp,
    ) -> Result<Value, String> {
        let id = self
            .files
            .find(owner, path)
            .ok_or_else(|| format!("{owner} has no {path}"))?;
        let old = self.files.get(id).cloned().ok_or("the file is gone")?;
        let tags = old
            .tags
            .iter()
            .filter_map(|tag| self.tags.get(tag))
            .map(|tag| tag.name.clone());
        let current = json!({
            "path": self.files.path(id),
            "size": old.size,
            "modified": moment(old.mtime),
            "tags": tags.collect::<Vec<_>>(),
            "trashed": old.trashed,
        });
        let file: FileFile = read(&merged(&current, set)?)?;
        if set.contains_key("path") {
            self.files.rename(id, &file.path);
        }
        if let Some(known) = self.files.get_mut(id) {
            known.tags.clear();
        }
        self.add_file(owner, &file, "file", now)
            .map(|id| json!(id))
            .map_err(|error| error.to_string())
    }

    fn put_circle(&mut self, subject: &str, it: &Value, set: &Map<String, Value>) -> Result<Value, String> {
        let circles = if subject == "team" {
            &mut self.teams
        } else {
            &mut self.rooms
        };
        let circle: CircleFile = match circles.get(text(it)) {
            Some(known) => read(&merged(known, set)?)?,
            None => read(it)?,
        };
        let id = circle.id.clone();
        circles.insert(id.clone(), circle);
        Ok(json!(id))
    }

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

fn read<T: DeserializeOwned>(value: &Value) -> Result<T, String> {
    serde_json::from_value(value.clone()).map_err(|error| error.to_string())
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// The thing as a world file writes it, with some fields set anew.
fn merged(known: &impl Serialize, set: &Map<String, Value>) -> Result<Value, String> {
    let mut value = serde_json::to_value(known).map_err(|error| error.to_string())?;
    if let Some(fields) = value.as_object_mut() {
        fields.extend(set.clone());
    }
    Ok(value)
}

fn moment(seconds: i64) -> String {
    Timestamp::from_second(seconds)
        .unwrap_or(Timestamp::UNIX_EPOCH)
        .to_string()
}

fn account_file(account: &Account) -> Value {
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

fn share_file(share: &Share, path: String) -> Value {
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
