//! Makes a tenant of a world file, and refuses what does not fit together.

use std::collections::HashMap;

use jiff::Timestamp;

use super::entra::Entra;
use super::groups::Group;
use super::sites::Site;
use super::throttle::Throttle;
use super::tree::{Drive, Plan};
use super::users::{People, User};
use super::{Graph, assertion, ids};
use crate::emulator::world::WorldError;
use crate::emulator::world::microsoft::{
    DriveState, GroupFile, LibraryFile, MicrosoftFile, SiteFile, UserFile,
};

const DAY: i64 = 86_400;
const PLACE: &str = "microsoft365";

/// The tenant as it is known by.
#[derive(Debug, Clone)]
pub(super) struct Tenant {
    pub(super) id: String,
    pub(super) domain: String,
    pub(super) name: String,
    pub(super) verified: Vec<String>,
    /// `NAME` of `NAME.sharepoint.com`.
    pub(super) sharepoint: String,
}

impl Tenant {
    pub(super) fn host(&self, personal: bool) -> String {
        let my = if personal { "-my" } else { "" };
        format!("{}{my}.sharepoint.com", self.sharepoint)
    }
}

impl Graph {
    /// Builds everything; errors name the part of the world file.
    pub(crate) fn build(file: &MicrosoftFile, now: Timestamp) -> Result<Self, WorldError> {
        let written = &file.tenant;
        let first = written.domain.split('.').next().unwrap_or_default();
        let verified = if written.verified_domains.is_empty() {
            vec![written.domain.clone()]
        } else {
            written.verified_domains.clone()
        };
        let tenant = Tenant {
            id: written
                .id
                .clone()
                .unwrap_or_else(|| ids::guid(&format!("tenant {}", written.domain))),
            domain: written.domain.clone(),
            name: written.name.clone(),
            verified,
            sharepoint: written.sharepoint.clone().unwrap_or_else(|| first.to_owned()),
        };
        for (index, pem) in file.app.certificates.iter().enumerate() {
            let der = assertion::der(pem);
            if der.as_deref().and_then(assertion::public_key).is_none() {
                let at = format!("{PLACE}.app.certificates[{index}]");
                return Err(WorldError::new(at, "this is no certificate in PEM"));
            }
        }
        let mut graph = Self {
            tenant,
            app: file.app.clone(),
            settings: file.settings.clone(),
            switches: file.switches.clone(),
            limits: file.limits.clone(),
            people: People::default(),
            groups: Vec::new(),
            sites: Vec::new(),
            drives: Vec::new(),
            drive_index: HashMap::new(),
            entra: Entra::default(),
            throttle: Throttle::default(),
            mails: Vec::new(),
            uses: Vec::new(),
            queries: Vec::new(),
            mailing: Vec::new(),
            orders: 0,
            requests: 0,
        };
        for (index, user) in file.users.iter().enumerate() {
            graph.add_user(user, &format!("{PLACE}.users[{index}]"), now)?;
        }
        for (index, group) in file.groups.iter().enumerate() {
            graph.add_group(group, &format!("{PLACE}.groups[{index}]"))?;
        }
        for (index, site) in file.sites.iter().enumerate() {
            graph.add_site(site, &format!("{PLACE}.sites[{index}]"), now)?;
        }
        graph.check_names(file)?;
        for (index, permission) in file.permissions.iter().enumerate() {
            graph.add_permission(permission, &format!("{PLACE}.permissions[{index}]"), now)?;
        }
        if let Some(numbers) = &file.generate {
            graph.generate(numbers, now);
        }
        Ok(graph)
    }

    /// Everybody who is named has to be there.
    fn check_names(&self, file: &MicrosoftFile) -> Result<(), WorldError> {
        let nobody = |at: String, name: &str| {
            WorldError::new(
                at,
                format!("`{name}` is neither a user's `upn` nor a group's name; add it, or correct the name"),
            )
        };
        for (index, user) in file.users.iter().enumerate() {
            let manager = user
                .manager
                .as_deref()
                .filter(|upn| self.people.find(upn).is_none());
            if let Some(name) = manager {
                return Err(nobody(format!("{PLACE}.users[{index}].manager"), name));
            }
        }
        for (index, group) in file.groups.iter().enumerate() {
            let mut named = group.members.iter().chain(&group.owners);
            let unknown = named.find(|name| self.people.find(name).is_none() && self.group(name).is_none());
            if let Some(name) = unknown {
                return Err(nobody(format!("{PLACE}.groups[{index}]"), name));
            }
        }
        Ok(())
    }

    /// Adds a person, with a `OneDrive` where there is one.
    pub(super) fn add_user(
        &mut self,
        file: &UserFile,
        at: &str,
        now: Timestamp,
    ) -> Result<usize, WorldError> {
        if !file.upn.contains('@') {
            return Err(WorldError::new(
                at,
                format!("`upn` is `{}`: write NAME@DOMAIN", file.upn),
            ));
        }
        if self.people.find(&file.upn).is_some() {
            return Err(WorldError::new(at, format!("`{}` is there twice", file.upn)));
        }
        let name = file
            .name
            .clone()
            .unwrap_or_else(|| file.upn.split('@').next().unwrap_or_default().to_owned());
        let mut file = file.clone();
        if file.mail.is_none() && !file.guest {
            file.mail = Some(file.upn.clone());
        }
        // An empty address stands for somebody who has no mailbox.
        file.mail = file.mail.filter(|mail| !mail.is_empty());
        let items = std::mem::take(&mut file.items);
        let id = file
            .id
            .clone()
            .unwrap_or_else(|| ids::guid(&format!("user {}", file.upn)));
        let user = User {
            id,
            name,
            file,
            drive: None,
        };
        let index = self.people.add(user);
        self.provision(index, now);
        let drive = self.people.get(index).and_then(|user| user.drive);
        match drive {
            None if items.is_empty() => {}
            None => return Err(WorldError::new(at, "there are `items` but no drive to hold them")),
            Some(drive) => {
                for (number, item) in items.iter().enumerate() {
                    self.add_item(drive, item, &format!("{at}.items[{number}]"), now)?;
                }
            }
        }
        Ok(index)
    }

    /// Makes a person's `OneDrive`, where there can be one and is none yet.
    pub(super) fn provision(&mut self, index: usize, now: Timestamp) {
        let Some(user) = self
            .people
            .get(index)
            .filter(|user| user.drive.is_none())
            .cloned()
        else {
            return;
        };
        let state = user.state();
        if matches!(
            state,
            DriveState::None | DriveState::Unprovisioned | DriveState::NoSharepoint
        ) {
            return;
        }
        let site = self.add_personal_site(&user, now);
        let drive = self.drives.len();
        let plan = Plan {
            seed: format!("onedrive {}", user.file.upn),
            name: "OneDrive".into(),
            owner: Some(user.id),
            site,
            web_url: self
                .sites
                .get(site)
                .map(|site| format!("{}/Documents", site.web_url()))
                .unwrap_or_default(),
            system: false,
            state,
            created: now.as_second() - 400 * DAY,
        };
        self.add_drive(Drive::new(plan));
        if let Some(user) = self.people.get_mut(index) {
            user.drive = Some(drive);
        }
    }

    fn add_personal_site(&mut self, user: &User, now: Timestamp) -> usize {
        let upn = &user.file.upn;
        let plain: String = upn
            .to_lowercase()
            .chars()
            .map(|letter| {
                if letter.is_ascii_alphanumeric() {
                    letter
                } else {
                    '_'
                }
            })
            .collect();
        self.sites.push(Site {
            host: self.tenant.host(true),
            path: format!("/personal/{plain}"),
            name: user.name.clone(),
            collection: ids::guid(&format!("collection {upn}")),
            web: ids::guid(&format!("web {upn}")),
            group: None,
            parent: None,
            owner: Some(user.id.clone()),
            locked: false,
            archived: false,
            refused: false,
            sharing_disabled: false,
            gone: false,
            drives: vec![self.drives.len()],
            created: now.as_second() - 400 * DAY,
        });
        self.sites.len() - 1
    }

    fn add_drive(&mut self, drive: Drive) {
        self.drive_index.insert(drive.id.clone(), self.drives.len());
        self.drives.push(drive);
    }

    pub(super) fn add_group(&mut self, file: &GroupFile, at: &str) -> Result<String, WorldError> {
        if self.group(&file.name).is_some() {
            return Err(WorldError::new(
                at,
                format!("the group `{}` is there twice", file.name),
            ));
        }
        let id = file
            .id
            .clone()
            .unwrap_or_else(|| ids::guid(&format!("group {}", file.name)));
        self.groups.push(Group {
            id: id.clone(),
            file: file.clone(),
        });
        Ok(id)
    }

    /// Adds a site with its libraries.
    pub(super) fn add_site(
        &mut self,
        file: &SiteFile,
        at: &str,
        now: Timestamp,
    ) -> Result<String, WorldError> {
        if !file.path.starts_with('/') {
            return Err(WorldError::new(
                at,
                format!("`path` is `{}`: write `/sites/NAME`", file.path),
            ));
        }
        let host = self.tenant.host(false);
        if self.site(&file.path).is_some() {
            return Err(WorldError::new(
                at,
                format!("the site `{}` is there twice", file.path),
            ));
        }
        if let Some(group) = file.group.as_deref().filter(|name| self.group(name).is_none()) {
            return Err(WorldError::new(
                at,
                format!("there is no group `{group}`; add it to `groups`"),
            ));
        }
        let parent = match &file.parent {
            Some(path) => {
                let known = self.site(path);
                let missing = || WorldError::new(at, format!("there is no site `{path}` before this one"));
                Some(known.ok_or_else(missing)?)
            }
            None => None,
        };
        let collection = parent.and_then(|parent| self.sites.get(parent)).map_or_else(
            || ids::guid(&format!("collection {}", file.path)),
            |parent| parent.collection.clone(),
        );
        let last = file.path.rsplit('/').next().unwrap_or_default();
        let index = self.sites.len();
        self.sites.push(Site {
            host,
            path: file.path.clone(),
            name: file.name.clone().unwrap_or_else(|| last.to_owned()),
            collection,
            web: ids::guid(&format!("web {}", file.path)),
            group: file.group.clone(),
            parent,
            owner: None,
            locked: file.locked,
            archived: file.archived,
            refused: file.refused,
            sharing_disabled: file.sharing_disabled,
            gone: false,
            drives: Vec::new(),
            created: now.as_second() - 300 * DAY,
        });
        let usual = [LibraryFile {
            name: "Documents".into(),
            system: false,
            items: Vec::new(),
        }];
        let libraries = if file.drives.is_empty() {
            &usual[..]
        } else {
            &file.drives[..]
        };
        for (number, library) in libraries.iter().enumerate() {
            self.add_library(index, library, &format!("{at}.drives[{number}]"), now)?;
        }
        Ok(self.sites.get(index).map(Site::id).unwrap_or_default())
    }

    fn add_library(
        &mut self,
        site: usize,
        file: &LibraryFile,
        at: &str,
        now: Timestamp,
    ) -> Result<(), WorldError> {
        let drive = self.drives.len();
        let Some(known) = self.sites.get_mut(site) else {
            return Ok(());
        };
        known.drives.push(drive);
        // The first library is `Shared Documents` in addresses, whatever it is called.
        let place = if file.name == "Documents" {
            "Shared%20Documents"
        } else {
            file.name.as_str()
        };
        let plan = Plan {
            seed: format!("library {} {}", known.path, file.name),
            name: file.name.clone(),
            owner: None,
            site,
            web_url: format!("{}/{place}", known.web_url()),
            system: file.system,
            state: DriveState::Ready,
            created: now.as_second() - 300 * DAY,
        };
        self.add_drive(Drive::new(plan));
        for (number, item) in file.items.iter().enumerate() {
            self.add_item(drive, item, &format!("{at}.items[{number}]"), now)?;
        }
        Ok(())
    }

    /// The index of a site by its path.
    pub(super) fn site(&self, path: &str) -> Option<usize> {
        self.sites.iter().position(|site| !site.gone && site.path == path)
    }
}
