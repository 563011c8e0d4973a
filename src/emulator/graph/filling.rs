//! Puts files and permissions of a world file into drives.

use jiff::Timestamp;

use super::{Graph, ids};
use crate::emulator::world::WorldError;
use crate::emulator::world::microsoft::{ItemFile, PermissionFile, Who};

const DAY: i64 = 86_400;

impl Graph {
    /// Adds a file or folder, or changes it where it is there already.
    pub(super) fn add_item(
        &mut self,
        drive: usize,
        file: &ItemFile,
        at: &str,
        now: Timestamp,
    ) -> Result<u64, WorldError> {
        if !file.path.starts_with('/') {
            return Err(WorldError::new(
                at,
                format!("`path` is `{}`: it starts with `/`", file.path),
            ));
        }
        let author = match &file.author {
            Some(upn) => {
                let user = self.people.named(upn);
                let missing = || WorldError::new(at, format!("there is no user `{upn}`"));
                Some(user.ok_or_else(missing)?.id.clone())
            }
            None => None,
        };
        let Some(drive) = self.drives.get_mut(drive) else {
            return Err(WorldError::new(at, "there is no such drive"));
        };
        let made = file
            .created
            .as_ref()
            .map_or(now.as_second() - 100 * DAY, |moment| moment.at(now).as_second());
        let number = drive.make(&file.path, made);
        if file.holds > 0 {
            let folder = file.path.trim_end_matches('/');
            for count in 1..=file.holds {
                drive.make(&format!("{folder}/file-{count:06}.txt"), made);
            }
        }
        drive.edit(number, |item| {
            item.folder |= file.package.is_some();
            item.own_id = file.id.clone().or(item.own_id.take());
            item.size = file.size.unwrap_or(if item.folder { 0 } else { 1024 });
            if let Some(moment) = &file.modified {
                item.modified = moment.at(now).as_second();
            }
            if author.is_some() {
                item.author = author;
            }
            item.package.clone_from(&file.package);
            item.sensitivity.clone_from(&file.sensitivity_label);
            item.retention.clone_from(&file.retention_label);
            item.malware = file.malware;
            item.deleted = file.deleted;
            item.raw.clone_from(&file.raw);
        });
        Ok(number)
    }

    /// The drive that a permission or a change names.
    pub(super) fn named_drive(
        &self,
        owner: Option<&str>,
        site: Option<&str>,
        drive: Option<&str>,
    ) -> Result<usize, String> {
        if let Some(owner) = owner {
            let user = self
                .people
                .named(owner)
                .ok_or_else(|| format!("there is no user `{owner}`"))?;
            return user.drive.ok_or_else(|| format!("`{owner}` has no OneDrive"));
        }
        let path = site.ok_or("name the `owner` of a OneDrive, or a `site`")?;
        let site = self.site(path).and_then(|index| self.sites.get(index));
        let site = site.ok_or_else(|| format!("there is no site `{path}`"))?;
        let named = |index: &&usize| {
            drive.is_none_or(|name| self.drive(**index).is_some_and(|drive| drive.name == name))
        };
        let found = site.drives.iter().find(named).copied();
        found.ok_or_else(|| format!("the site `{path}` has no library `{}`", drive.unwrap_or_default()))
    }

    /// Adds a permission and tells its drive, item and id.
    pub(super) fn add_permission(
        &mut self,
        file: &PermissionFile,
        at: &str,
        now: Timestamp,
    ) -> Result<(usize, u64, String), WorldError> {
        let wrong = |text: String| WorldError::new(at, text);
        let drive = self
            .named_drive(file.owner.as_deref(), file.site.as_deref(), file.drive.as_deref())
            .map_err(wrong)?;
        let known = self.drive(drive).and_then(|drive| drive.find(&file.path));
        let number =
            known.ok_or_else(|| wrong(format!("there is no `{}`; add it to the `items`", file.path)))?;
        if file.link.is_some() == file.grant.is_some() && file.invitation.is_none() {
            return Err(wrong(
                "a permission has a `link`, or a `grant`, or an `invitation`".into(),
            ));
        }
        let people = file.link.iter().flat_map(|link| &link.people).chain(&file.grant);
        for who in people {
            self.check_who(who).map_err(wrong)?;
        }
        let mut file = file.clone();
        let folder = self
            .drive(drive)
            .and_then(|drive| drive.item(number))
            .is_some_and(|item| item.folder);
        if folder && !file.path.ends_with('/') {
            file.path.push('/');
        }
        self.note_uses((drive, number), &file, now);
        let seed = format!("permission {drive} {number} {}", self.orders);
        let made = self.give(drive, number, file, ids::guid(&seed), now);
        let id = self
            .drive(drive)
            .map(|drive| super::permissions::id_of(self, drive, &made));
        Ok((drive, number, id.unwrap_or_default()))
    }

    fn check_who(&self, who: &Who) -> Result<(), String> {
        match who {
            Who::User(upn) if self.people.find(upn).is_none() => Err(format!(
                "there is no user `{upn}`; for a guest without an account write {{\"otp\": …}}"
            )),
            Who::Group(key) | Who::GroupOwners(key) if self.group(key).is_none() => {
                Err(format!("there is no group `{key}`"))
            }
            _ => Ok(()),
        }
    }
}
