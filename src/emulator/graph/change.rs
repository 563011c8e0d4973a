//! Changes from outside, behind the API's back: what a person or an administrator would have done.
//!
//! A change names what to do and to what, with the fields of the world file; it is checked as the world file is.

use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::Graph;
use super::permissions::id_of;
use super::tree::Cause;
use crate::emulator::world::microsoft::{GroupFile, ItemFile, PermissionFile, SiteFile, UserFile};

/// What can be changed. Where a change names several, the first in this order is meant.
const SUBJECTS: [&str; 13] = [
    "permission",
    "item",
    "user",
    "group",
    "settings",
    "switches",
    "limits",
    "app",
    "tokens",
    "throttle",
    "mails",
    "drive",
    "site",
];

/// A change, taken apart.
struct Asked<'a> {
    what: &'a str,
    /// The thing itself, or its id.
    it: &'a Value,
    set: &'a Map<String, Value>,
    fields: &'a Map<String, Value>,
    now: Timestamp,
}

impl Asked<'_> {
    fn unknown(&self, subject: &str) -> Result<Value, String> {
        Err(format!("cannot `{}` a `{subject}`", self.what))
    }

    fn text(&self, key: &str) -> Option<&str> {
        self.fields.get(key).and_then(Value::as_str)
    }
}

/// Whether a change is of this service though it does not say so.
pub(crate) fn is_ours(change: &Value) -> bool {
    match change["service"].as_str() {
        Some(service) => service == "graph",
        None => [
            "permission",
            "item",
            "user",
            "site",
            "app",
            "switches",
            "limits",
            "tokens",
            "throttle",
            "mails",
        ]
        .iter()
        .any(|key| change.get(key).is_some()),
    }
}

impl Graph {
    /// Makes one change and returns the id of what was changed.
    pub(crate) fn change(&mut self, change: &Value, now: Timestamp) -> Result<Value, String> {
        let fields = change
            .as_object()
            .ok_or("a change is an object such as {\"do\": \"remove\", \"user\": \"a@example.org\"}")?;
        let subject = SUBJECTS.iter().find(|subject| fields.contains_key(**subject));
        let subject = *subject.ok_or_else(|| format!("name one of {}", SUBJECTS.join(", ")))?;
        let allowed = ["service", "do", "set", "owner", "site", "drive", "path", subject];
        if let Some(key) = fields.keys().find(|key| !allowed.contains(&key.as_str())) {
            return Err(format!("unknown key `{key}`"));
        }
        let it = fields.get(subject).cloned().unwrap_or_default();
        let set = fields
            .get("set")
            .and_then(Value::as_object)
            .cloned()
            .unwrap_or_default();
        let asked = Asked {
            what: fields.get("do").and_then(Value::as_str).unwrap_or_default(),
            it: &it,
            set: &set,
            fields,
            now,
        };
        match subject {
            "permission" => self.change_permission(&asked),
            "item" => self.change_item(&asked),
            "user" => self.change_user(&asked),
            "group" => self.change_group(&asked),
            "site" => self.change_site(&asked),
            _ => self.change_rest(subject, &asked),
        }
    }

    fn place(&self, asked: &Asked<'_>) -> Result<usize, String> {
        self.named_drive(asked.text("owner"), asked.text("site"), asked.text("drive"))
    }

    fn change_permission(&mut self, asked: &Asked<'_>) -> Result<Value, String> {
        if asked.what == "add" {
            let file: PermissionFile = read(asked.it)?;
            let (drive, number, id) = self
                .add_permission(&file, "permission", asked.now)
                .map_err(|error| error.to_string())?;
            let is_told = !self.switches.silent_additions;
            if let Some(drive) = self.drives.get_mut(drive).filter(|_| is_told) {
                drive.note(number, Cause::Sharing, asked.now);
            }
            return Ok(json!(id));
        }
        let index = self.place(asked)?;
        let path = asked.text("path").unwrap_or("/");
        let drive = self.drive(index).ok_or("there is no such drive")?;
        let number = drive.find(path).ok_or_else(|| format!("there is no `{path}`"))?;
        let node = drive
            .node(number)
            .map(std::borrow::Cow::into_owned)
            .unwrap_or_default();
        let wanted = asked.it.as_str().unwrap_or_default();
        let at = node
            .permissions
            .iter()
            .position(|known| id_of(self, drive, known) == wanted);
        let at = at.ok_or_else(|| format!("`{path}` has no permission `{wanted}` of its own"))?;
        match asked.what {
            "remove" => self.take_away(index, number, at, asked.now),
            "update" => {
                let known = node.permissions.get(at).ok_or("the permission is gone")?;
                let mut file: PermissionFile = read(&merged(&known.file, asked.set)?)?;
                file.path.clone_from(&known.file.path);
                self.note_uses((index, number), &file, asked.now);
                let silent = self.switches.silent_changes;
                let drive = self.drives.get_mut(index).ok_or("there is no such drive")?;
                drive.edit_node(number, |node| {
                    if let Some(permission) = node.permissions.get_mut(at) {
                        permission.expires = file.expires.as_ref().map(|moment| moment.at(asked.now));
                        permission.file = file;
                    }
                });
                if !silent {
                    drive.note(number, Cause::Sharing, asked.now);
                }
            }
            _ => return asked.unknown("permission"),
        }
        Ok(json!(wanted))
    }

    fn change_item(&mut self, asked: &Asked<'_>) -> Result<Value, String> {
        let index = self.place(asked)?;
        if asked.what == "add" {
            let file: ItemFile = read(asked.it)?;
            let first = self.drive(index).map_or(0, super::tree::Drive::end);
            let number = self
                .add_item(index, &file, "item", asked.now)
                .map_err(|error| error.to_string())?;
            let drive = self.drives.get_mut(index).ok_or("there is no such drive")?;
            for made in first..drive.end() {
                drive.note(made, Cause::Content, asked.now);
            }
            if number < first {
                drive.note(number, Cause::Content, asked.now);
            }
            return Ok(json!(drive.id_of_number(number)));
        }
        let drive = self.drives.get_mut(index).ok_or("there is no such drive")?;
        let path = asked.it.as_str().unwrap_or_default();
        let number = drive
            .find(path)
            .filter(|number| *number != 0 && drive.present(*number).is_some());
        let number = number.ok_or_else(|| format!("there is no `{path}`"))?;
        match asked.what {
            "remove" => {
                let gone = drive.beneath(number);
                for below in gone.into_iter().rev() {
                    let folder = drive.present(below).map(|item| item.folder);
                    drive.edit(below, |item| item.deleted = true);
                    // Of what was in a folder, only the folders are told.
                    if below == number || folder == Some(true) {
                        drive.note(below, Cause::Content, asked.now);
                    }
                }
            }
            "update" => self.update_item(index, number, asked)?,
            _ => return asked.unknown("item"),
        }
        let id = self.drive(index).map(|drive| drive.id_of_number(number));
        Ok(json!(id))
    }

    fn update_item(&mut self, index: usize, number: u64, asked: &Asked<'_>) -> Result<(), String> {
        let drive = self.drives.get_mut(index).ok_or("there is no such drive")?;
        let item = drive
            .item(number)
            .map(std::borrow::Cow::into_owned)
            .ok_or("the item is gone")?;
        let current = json!({
            "path": drive.path(number),
            "id": item.own_id,
            "size": item.size,
            "sensitivity_label": item.sensitivity,
            "retention_label": item.retention,
            "package": item.package,
            "malware": item.malware,
            "raw": item.raw,
        });
        let file: ItemFile = read(&merged(&current, asked.set)?)?;
        if let Some(path) = asked.set.get("path").and_then(Value::as_str) {
            let path = path.trim_end_matches('/');
            let (above, name) = path.rsplit_once('/').ok_or("`path` starts with `/`")?;
            let before = drive.end();
            let parent = drive.make(&format!("{above}/"), asked.now.as_second());
            if drive.chain(parent).contains(&number) {
                return Err("a folder cannot be moved into itself".into());
            }
            for made in before..drive.end() {
                drive.note(made, Cause::Content, asked.now);
            }
            let name = name.to_owned();
            drive.edit(number, |item| {
                item.parent = parent;
                item.name = name;
            });
        }
        let modified = file
            .modified
            .as_ref()
            .unwrap_or(&item_moment(asked.now)?)
            .at(asked.now);
        drive.edit(number, |item| {
            item.own_id = file.id;
            item.size = file.size.unwrap_or(item.size);
            item.sensitivity = file.sensitivity_label;
            item.retention = file.retention_label;
            item.package = file.package;
            item.malware = file.malware;
            item.raw = file.raw;
            item.modified = modified.as_second();
        });
        drive.note(number, Cause::Content, asked.now);
        Ok(())
    }

    fn change_user(&mut self, asked: &Asked<'_>) -> Result<Value, String> {
        if asked.what == "add" {
            let file: UserFile = read(asked.it)?;
            let index = self
                .add_user(&file, "user", asked.now)
                .map_err(|error| error.to_string())?;
            return Ok(json!(self.people.get(index).map(|user| user.id.clone())));
        }
        let key = asked.it.as_str().unwrap_or_default();
        let index = self
            .people
            .find(key)
            .ok_or_else(|| format!("there is no user `{key}`"))?;
        let set = match asked.what {
            "update" => asked.set.clone(),
            // The drive outlives its owner.
            "remove" => Map::from_iter([("deleted".to_owned(), Value::Bool(true))]),
            _ => return asked.unknown("user"),
        };
        let user = self.people.get_mut(index).ok_or("the user is gone")?;
        let file: UserFile = read(&merged(&user.file, &set)?)?;
        if file.upn != user.file.upn || !file.items.is_empty() {
            return Err("neither `upn` nor `items` of a user can be set anew".into());
        }
        if let Some(name) = &file.name {
            user.name.clone_from(name);
        }
        user.file = file;
        let (id, state, drive) = (user.id.clone(), user.state(), user.drive);
        match drive {
            Some(drive) => {
                if let Some(drive) = self.drives.get_mut(drive) {
                    drive.state = state;
                }
            }
            None => self.provision(index, asked.now),
        }
        Ok(json!(id))
    }

    fn change_group(&mut self, asked: &Asked<'_>) -> Result<Value, String> {
        if asked.what == "add" {
            let file: GroupFile = read(asked.it)?;
            let id = self
                .add_group(&file, "group")
                .map_err(|error| error.to_string())?;
            return Ok(json!(id));
        }
        let key = asked.it.as_str().unwrap_or_default();
        let index = self
            .group(key)
            .ok_or_else(|| format!("there is no group `{key}`"))?;
        match asked.what {
            "remove" => Ok(json!(self.groups.remove(index).id)),
            "update" => {
                let group = self.groups.get_mut(index).ok_or("the group is gone")?;
                group.file = read(&merged(&group.file, asked.set)?)?;
                Ok(json!(group.id))
            }
            _ => asked.unknown("group"),
        }
    }

    fn change_site(&mut self, asked: &Asked<'_>) -> Result<Value, String> {
        if asked.what == "add" {
            let file: SiteFile = read(asked.it)?;
            let id = self
                .add_site(&file, "site", asked.now)
                .map_err(|error| error.to_string())?;
            return Ok(json!(id));
        }
        let path = asked.it.as_str().unwrap_or_default();
        let index = self
            .site(path)
            .ok_or_else(|| format!("there is no site `{path}`"))?;
        let site = self.sites.get_mut(index).ok_or("the site is gone")?;
        match asked.what {
            "remove" => site.gone = true,
            "update" => {
                let current = json!({
                    "path": site.path,
                    "name": site.name,
                    "locked": site.locked,
                    "archived": site.archived,
                    "refused": site.refused,
                    "sharing_disabled": site.sharing_disabled,
                });
                let file: SiteFile = read(&merged(&current, asked.set)?)?;
                if file.path != site.path || !file.drives.is_empty() {
                    return Err("neither `path` nor `drives` of a site can be set anew".into());
                }
                site.locked = file.locked;
                site.archived = file.archived;
                site.refused = file.refused;
                site.sharing_disabled = file.sharing_disabled;
                if let Some(name) = file.name {
                    site.name = name;
                }
            }
            _ => return asked.unknown("site"),
        }
        Ok(json!(site.id()))
    }

    fn change_rest(&mut self, subject: &str, asked: &Asked<'_>) -> Result<Value, String> {
        let empty = Map::new();
        let set = asked.it.as_object().unwrap_or(&empty);
        match (asked.what, subject) {
            ("update", "settings") => {
                self.settings = read(&merged(&self.settings, set)?)?;
                if let Some(days) = self.settings.link_expiry_days {
                    self.shorten_links(days, asked.now);
                }
            }
            ("update", "switches") => self.switches = read(&merged(&self.switches, set)?)?,
            ("update", "limits") => self.limits = read(&merged(&self.limits, set)?)?,
            ("update", "app") => self.app = read(&merged(&self.app, set)?)?,
            ("reset", "tokens") => self.expire_tokens(),
            ("reset", "throttle") => self.throttle.reset(),
            ("reset", "mails") => self.mails.clear(),
            ("reset", "drive") => {
                let index = self.place(asked)?;
                if let Some(drive) = self.drives.get_mut(index) {
                    drive.epoch += 1;
                }
            }
            _ => return asked.unknown(subject),
        }
        Ok(json!(subject))
    }
}

fn item_moment(now: Timestamp) -> Result<crate::emulator::world::when::Moment, String> {
    now.to_string().try_into()
}

fn read<T: DeserializeOwned>(value: &Value) -> Result<T, String> {
    serde_json::from_value(value.clone()).map_err(|error| error.to_string())
}

/// The thing as a world file writes it, with some fields set anew.
fn merged(known: &impl Serialize, set: &Map<String, Value>) -> Result<Value, String> {
    let mut value = serde_json::to_value(known).map_err(|error| error.to_string())?;
    if let Some(fields) = value.as_object_mut() {
        fields.extend(set.clone());
    }
    Ok(value)
}
