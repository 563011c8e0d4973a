//! Changes from outside, behind the API's back: what a person, another program or an administrator would have done.
//!
//! A change names what to do and to what, with the fields of the world file; it is checked as the world file is.

use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::Nextcloud;
use super::shares::{Share, USER};
use super::stored::{account_file, moment, share_file};
use crate::emulator::world::file::{
    AccountFile, CircleFile, ExAppFile, FileFile, GroupFile, ShareFile, TagFile,
};

/// A change, taken apart.
struct Asked<'a> {
    what: &'a str,
    /// The thing itself, or its id.
    it: &'a Value,
    set: &'a Map<String, Value>,
    owner: &'a str,
    now: Timestamp,
}

impl Asked<'_> {
    fn unknown(&self, subject: &str) -> Result<Value, String> {
        Err(format!("cannot `{}` a `{subject}`", self.what))
    }
}

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
        let allowed = ["do", "set", "owner", "service", subject.as_str()];
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
        let asked = Asked {
            what,
            it: &it,
            set: &set,
            owner,
            now,
        };
        match subject.as_str() {
            "share" => self.change_share(&asked),
            "account" => self.change_account(&asked),
            "file" => self.change_file(&asked),
            "team" | "room" => self.change_circle(&subject, &asked),
            "settings" if what == "update" => {
                let set = it.as_object().cloned().unwrap_or_default();
                self.settings = read(&merged(&self.settings, &set)?)?;
                Ok(json!("settings"))
            }
            "guard" if what == "reset" => {
                self.reset_guard();
                Ok(json!("guard"))
            }
            _ => self.change_rest(&subject, &asked),
        }
    }

    fn change_share(&mut self, asked: &Asked<'_>) -> Result<Value, String> {
        match asked.what {
            "add" => {
                let file: ShareFile = read(asked.it)?;
                let added = self.add_share(&file, "share", asked.now);
                added.map(|id| json!(id)).map_err(|error| error.to_string())
            }
            "update" => self.update_share(asked),
            "remove" => {
                let id = asked.it.as_u64().filter(|id| self.shares.contains(*id));
                let id = id.ok_or_else(|| format!("no share {}", asked.it))?;
                self.delete_share(id, asked.now.as_second());
                Ok(json!(id))
            }
            _ => asked.unknown("share"),
        }
    }

    fn change_account(&mut self, asked: &Asked<'_>) -> Result<Value, String> {
        let file: AccountFile = match asked.what {
            "add" => read(asked.it)?,
            "update" => {
                let known = self
                    .accounts
                    .get(text(asked.it))
                    .ok_or_else(|| format!("no account {}", asked.it))?;
                read(&merged(&account_file(known), asked.set)?)?
            }
            "remove" => return self.remove_account(text(asked.it)),
            _ => return asked.unknown("account"),
        };
        self.add_account(&file, "account", asked.now)
            .map_err(|error| error.to_string())?;
        Ok(json!(file.id))
    }

    fn change_file(&mut self, asked: &Asked<'_>) -> Result<Value, String> {
        match asked.what {
            "add" => {
                let file: FileFile = read(asked.it)?;
                let added = self.add_file(asked.owner, &file, "file", asked.now);
                added.map(|id| json!(id)).map_err(|error| error.to_string())
            }
            "update" => self.update_file(asked),
            "transfer" => self.transfer_file(asked),
            "remove" => {
                let found = self.files.find(asked.owner, text(asked.it));
                let id = found.ok_or_else(|| format!("{} has no {}", asked.owner, asked.it))?;
                for gone in self.files.remove(id) {
                    self.shares.lose_file(gone);
                }
                Ok(json!(id))
            }
            _ => asked.unknown("file"),
        }
    }

    fn change_circle(&mut self, subject: &str, asked: &Asked<'_>) -> Result<Value, String> {
        let circles = if subject == "team" {
            &mut self.teams
        } else {
            &mut self.rooms
        };
        let known = circles.get(text(asked.it));
        let circle: CircleFile = match (asked.what, known) {
            ("add" | "update", Some(known)) => read(&merged(known, asked.set)?)?,
            ("add", None) => read(asked.it)?,
            ("remove", Some(known)) => {
                let id = known.id.clone();
                circles.remove(&id);
                return Ok(json!(id));
            }
            ("update" | "remove", None) => return Err(format!("no {subject} {}", asked.it)),
            _ => return asked.unknown(subject),
        };
        let id = circle.id.clone();
        circles.insert(id.clone(), circle);
        Ok(json!(id))
    }

    fn change_rest(&mut self, subject: &str, asked: &Asked<'_>) -> Result<Value, String> {
        match (asked.what, subject) {
            ("add", "group") => {
                let group: GroupFile = read(asked.it)?;
                self.groups
                    .insert(group.id.clone(), group.name.unwrap_or_else(|| group.id.clone()));
                Ok(json!(group.id))
            }
            ("add", "tag") => {
                let tag: TagFile = read(asked.it)?;
                let id = tag.id;
                self.tags.insert(id, tag);
                Ok(json!(id))
            }
            ("remove", "tag") => {
                let gone = asked.it.as_u64().and_then(|id| self.tags.remove(&id));
                Ok(json!(gone.ok_or("no such tag")?.id))
            }
            ("add" | "update", "ex_app") => {
                let app: ExAppFile = match self.ex_apps.get(text(asked.it)) {
                    Some(known) => read(&merged(known, asked.set)?)?,
                    None => read(asked.it)?,
                };
                let id = app.id.clone();
                self.ex_apps.insert(id.clone(), app);
                Ok(json!(id))
            }
            ("remove", "ex_app") => {
                let gone = self.ex_apps.remove(text(asked.it)).ok_or("no such application")?;
                Ok(json!(gone.id))
            }
            _ => asked.unknown(subject),
        }
    }

    fn update_share(&mut self, asked: &Asked<'_>) -> Result<Value, String> {
        let Asked { it, set, now, .. } = *asked;
        let id = it.as_u64().ok_or("`share` is the id of a share")?;
        let old = self
            .shares
            .get(id)
            .cloned()
            .ok_or_else(|| format!("no share {id}"))?;
        let path = old.file.map(|file| self.files.path(file)).unwrap_or_default();
        let written = read(&merged(&share_file(&old, &path), set)?)?;
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

    /// Deleting an account deletes its files, and every share that it made, owned or received.
    fn remove_account(&mut self, id: &str) -> Result<Value, String> {
        let account = self
            .accounts
            .remove(id)
            .ok_or_else(|| format!("no account {id}"))?;
        let mine = |share: &&Share| {
            share.belongs_to(id) || (share.kind == USER && share.recipient.as_deref() == Some(id))
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

    fn update_file(&mut self, asked: &Asked<'_>) -> Result<Value, String> {
        let Asked { owner, set, now, .. } = *asked;
        let path = text(asked.it);
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
            "mount": old.mount,
            "unseen": old.unseen,
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
}

impl Nextcloud {
    /// What `occ files:transfer-ownership --path` does: the file and its shares keep their ids and are another's; what
    /// was shared with the new owner is no share any more.
    fn transfer_file(&mut self, asked: &Asked<'_>) -> Result<Value, String> {
        let path = text(asked.it);
        let id = self.files.find(asked.owner, path);
        let id = id.ok_or_else(|| format!("{} has no {path}", asked.owner))?;
        let new = asked.set.get("owner").map(text).unwrap_or_default();
        let new = self
            .accounts
            .get(new)
            .ok_or_else(|| format!("no account {new}"))?;
        let new = new.id.clone();
        let folder = format!("/Transferred from {}", asked.owner);
        let given = self.files.give(id, &new, &format!("{folder}{path}"));
        let lies_there = |share: &&Share| share.file.is_some_and(|file| given.contains(&file));
        let mine: Vec<Share> = self.shares.iter().filter(lies_there).cloned().collect();
        for mut share in mine {
            self.shares.remove(share.id);
            if &*share.owner == asked.owner {
                share.owner = new.clone();
            }
            if &*share.initiator == asked.owner {
                share.initiator = new.clone();
            }
            if share.kind != USER || share.recipient.as_deref() != Some(&*new) {
                self.shares.insert(share);
            }
        }
        Ok(json!(id))
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
