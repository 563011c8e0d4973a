//! From a world file to a server: gives ids, resolves relative dates, and checks that everything named exists.
//!
//! Steering uses the same functions, so that what is added later is checked the same way.

use std::sync::Arc;

use jiff::{Timestamp, ToSpan as _};

use super::Nextcloud;
use super::account::{Account, password_hash, token};
use super::shares::{DECK, FEDERATED, GROUP, LINK, MAIL, READ, ROOM, SHARE, Share, TEAM, USER};
use crate::emulator::world::WorldError;
use crate::emulator::world::file::{AccountFile, FileFile, NextcloudFile, ShareFile};

impl Nextcloud {
    /// Builds the server that a world describes.
    pub(crate) fn build(file: &NextcloudFile, now: Timestamp) -> Result<Self, WorldError> {
        let mut server = Self {
            settings: file.settings.clone(),
            ..Self::default()
        };
        for app in &file.ex_apps {
            server.ex_apps.insert(app.id.clone(), app.clone());
        }
        server.groups.insert("admin".into(), "admin".into());
        for group in &file.groups {
            server.groups.insert(
                group.id.clone(),
                group.name.clone().unwrap_or_else(|| group.id.clone()),
            );
        }
        server.deleted = file.deleted_accounts.iter().cloned().collect();
        for tag in &file.tags {
            server.tags.insert(tag.id, tag.clone());
        }
        let own_ids = file
            .accounts
            .iter()
            .flat_map(|account| account.files.iter().filter_map(|file| file.id));
        let homes = file.accounts.iter().filter_map(|account| account.home);
        server.files.start_at(own_ids.chain(homes).max().unwrap_or(0));
        for (index, account) in file.accounts.iter().enumerate() {
            server.add_account(account, &format!("nextcloud.accounts[{index}]"), now)?;
        }
        for (index, team) in file.teams.iter().enumerate() {
            server.check_members(&team.members, &format!("nextcloud.teams[{index}]"))?;
            server.teams.insert(team.id.clone(), team.clone());
        }
        for (index, room) in file.rooms.iter().enumerate() {
            server.check_members(&room.members, &format!("nextcloud.rooms[{index}]"))?;
            server.rooms.insert(room.id.clone(), room.clone());
        }
        // Shares that name their id come first: the others are numbered after the highest.
        let (own, free): (Vec<_>, Vec<_>) = file
            .shares
            .iter()
            .enumerate()
            .partition(|(_, share)| share.id.is_some());
        for (index, share) in own.into_iter().chain(free) {
            server.add_share(share, &format!("nextcloud.shares[{index}]"), now)?;
        }
        if let Some(numbers) = &file.generate {
            server.generate(numbers, now);
        }
        Ok(server)
    }

    /// Adds an account with its files, or replaces what is known of it; its files stay.
    pub(super) fn add_account(
        &mut self,
        file: &AccountFile,
        at: &str,
        now: Timestamp,
    ) -> Result<(), WorldError> {
        if file.id.is_empty() || file.id.contains(['/', ':']) {
            return Err(WorldError::new(
                at,
                "an account id is not empty and holds neither `/` nor `:`",
            ));
        }
        let mut groups = file.groups.clone();
        if file.admin && !groups.iter().any(|group| group == "admin") {
            groups.insert(0, "admin".into());
        }
        for group in groups.iter().chain(&file.subadmin) {
            if !self.groups.contains_key(group) {
                return Err(WorldError::new(
                    at,
                    format!("no group `{group}`: add it to `groups`"),
                ));
            }
        }
        let id: Arc<str> = file.id.as_str().into();
        let login = file
            .last_login
            .as_ref()
            .map_or(0, |moment| moment.at(now).as_second());
        self.deleted.remove(&file.id);
        let account = Account {
            id: id.clone(),
            name: file.name.clone().unwrap_or_else(|| file.id.clone()),
            email: file.email.clone(),
            enabled: file.enabled,
            groups,
            subadmin: file.subadmin.clone(),
            manager: file.manager.clone(),
            first_login: login.min(
                self.accounts
                    .get(&file.id)
                    .map_or(login, |known| known.first_login),
            ),
            last_login: login,
            language: file.language.clone(),
            timezone: file.timezone.clone(),
            backend: file.backend.clone(),
            password: file.password.clone(),
            app_passwords: file.app_passwords.clone(),
            quota: file.quota,
            details: file.details,
        };
        if let Some(address) = &account.email {
            self.addresses.insert(address.clone(), file.id.clone());
        }
        self.accounts.insert(file.id.clone(), account);
        self.files.home(&id, file.home, days_before(now, 400));
        for (index, node) in file.files.iter().enumerate() {
            self.add_file(&file.id, node, &format!("{at}.files[{index}]"), now)?;
        }
        Ok(())
    }

    /// Adds a file, or changes the one that is there.
    pub(super) fn add_file(
        &mut self,
        owner: &str,
        file: &FileFile,
        at: &str,
        now: Timestamp,
    ) -> Result<u64, WorldError> {
        let refused = |letter: char| letter.is_control() || letter == '\\';
        if !file.path.starts_with('/') || file.path.contains(refused) {
            let message = "a path starts with `/` and holds no control character and no backslash (Nextcloud refuses \
                           such names; `raw` of a share can show one)";
            return Err(WorldError::new(at, message));
        }
        let Some(account) = self.accounts.get(owner) else {
            return Err(WorldError::new(
                at,
                format!("no account `{owner}`: add it to `accounts`"),
            ));
        };
        let owner = account.id.clone();
        let modified = file
            .modified
            .as_ref()
            .map_or_else(|| days_before(now, 90), |moment| moment.at(now).as_second());
        let mut tags = Vec::new();
        for name in &file.tags {
            let tag = self.tags.values().find(|tag| tag.name == *name);
            let tag = tag.ok_or_else(|| WorldError::new(at, format!("no tag `{name}`: add it to `tags`")))?;
            tags.push(tag.id);
        }
        let id = self.files.add(&owner, &file.path, file.id, modified);
        for number in 0..file.holds {
            let child = self
                .files
                .child(id, &format!("file-{number:04}.txt"), false, None, modified);
            if let Some(child) = self.files.get_mut(child) {
                child.size = 2 + u64::from(number.checked_ilog10().unwrap_or(0));
            }
        }
        if let Some(known) = self.files.get_mut(id) {
            known.size = file.size.unwrap_or(if known.folder { 0 } else { 1024 });
            known.mtime = modified;
            known.trashed = file.trashed;
            known.mount = file.mount;
            known.unseen = file.unseen;
            known.tags.extend(tags);
        }
        Ok(id)
    }

    /// Adds a share.
    pub(super) fn add_share(
        &mut self,
        file: &ShareFile,
        at: &str,
        now: Timestamp,
    ) -> Result<u64, WorldError> {
        let kind = file.kind.0;
        let Some(owner) = self.accounts.get(&file.owner).map(|account| account.id.clone()) else {
            let message = format!("its owner `{}` is no account: add it to `accounts`", file.owner);
            return Err(WorldError::new(at, message));
        };
        let initiator = self.person(file.sharer.as_deref().unwrap_or(&file.owner), at)?;
        self.check_recipient(kind, file.recipient.as_deref(), at)?;
        let found = self.files.find(&owner, &file.path);
        let node = match found.filter(|_| !file.vanished) {
            Some(id) => Some(id),
            None if file.vanished => None,
            None => {
                let message = format!(
                    "`{}` has no `{}`: add it to that account's `files`",
                    file.owner, file.path
                );
                return Err(WorldError::new(at, message));
            }
        };
        let id = file.id.unwrap_or_else(|| self.shares.free_id());
        if self.shares.contains(id) {
            return Err(WorldError::new(
                at,
                format!("the id {id} is taken: give another, or none"),
            ));
        }
        let folder = node
            .and_then(|id| self.files.get(id))
            .is_some_and(|file| file.folder);
        let name = file
            .path
            .trim_end_matches('/')
            .rsplit('/')
            .next()
            .unwrap_or_default();
        let mut permissions = file.permissions.unwrap_or(match kind {
            LINK | MAIL => READ,
            _ if folder => 31,
            _ => 19,
        });
        if matches!(kind, LINK | MAIL) && permissions & READ != 0 && self.settings.federation_on_links {
            permissions |= SHARE;
        }
        let has_token = matches!(kind, LINK | MAIL | FEDERATED);
        let share = Share {
            id,
            kind,
            file: node,
            password: file.password.as_ref().map(|password| password_hash(password, id)),
            expires: file
                .expires
                .as_ref()
                .map(|day| day.start(now, &self.zone(&initiator)).as_second()),
            owner,
            initiator,
            recipient: file.recipient.clone(),
            recipient_name: file.recipient_name.clone(),
            permissions,
            label: file.label.clone(),
            note: file.note.clone(),
            created: file
                .created
                .as_ref()
                .map_or_else(|| days_before(now, 30), |moment| moment.at(now).as_second()),
            token: file
                .token
                .clone()
                .or_else(|| has_token.then(|| token(&format!("share {id}"), 15))),
            hide_download: file.hide_download,
            attributes: file.attributes.clone(),
            target: file.target.clone().unwrap_or_else(|| format!("/{name}")),
            mail_sent: matches!(kind, MAIL | TEAM),
            hidden_for: file.hidden_for.iter().cloned().collect(),
            downloads: file
                .downloads
                .iter()
                .map(|moment| moment.at(now).as_second())
                .collect(),
            download_limit: file.download_limit,
            raw: file.raw.clone(),
        };
        self.note_stated(&share);
        self.shares.insert(share);
        Ok(id)
    }

    fn person(&self, id: &str, at: &str) -> Result<Arc<str>, WorldError> {
        if let Some(account) = self.accounts.get(id) {
            return Ok(account.id.clone());
        }
        if self.deleted.contains(id) {
            return Ok(id.into());
        }
        Err(WorldError::new(
            at,
            format!("no account `{id}`: add it to `accounts` or `deleted_accounts`"),
        ))
    }

    fn check_recipient(&self, kind: i64, recipient: Option<&str>, at: &str) -> Result<(), WorldError> {
        let needs = matches!(kind, USER | GROUP | MAIL | FEDERATED | TEAM | ROOM | DECK);
        let Some(recipient) = recipient else {
            return if needs {
                Err(WorldError::new(at, "this kind of share needs a `recipient`"))
            } else {
                Ok(())
            };
        };
        match kind {
            USER => self.person(recipient, at).map(|_| ()),
            GROUP if !self.groups.contains_key(recipient) => Err(WorldError::new(
                at,
                format!("no group `{recipient}`: add it to `groups`"),
            )),
            LINK => Err(WorldError::new(
                at,
                "a link has no recipient: remove it, or make it a `mail` share",
            )),
            _ => Ok(()),
        }
    }

    fn check_members(&self, members: &[String], at: &str) -> Result<(), WorldError> {
        members
            .iter()
            .try_for_each(|member| self.person(member, at).map(|_| ()))
    }
}

/// Seconds of the time so many days ago.
pub(super) fn days_before(now: Timestamp, days: i64) -> i64 {
    now.checked_sub((days * 24).hours())
        .map_or(0, Timestamp::as_second)
}
