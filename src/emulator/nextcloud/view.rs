//! Files as one account sees them: its own tree, and what others share with it, mounted at the top.
//!
//! A recipient's path differs from the owner's; nothing but this module knows how.

use super::Nextcloud;
use super::files::File;
use super::shares::{GROUP, ROOM, SHARE, Share, TEAM, USER};

/// A received share in an account's home.
#[derive(Debug, Clone)]
pub(crate) struct Mount {
    pub(crate) file: u64,
    /// With a leading `/`.
    pub(crate) target: String,
    pub(crate) permissions: u32,
}

/// Where an account sees a file.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) path: String,
    /// Through which mount; none for its own files.
    pub(crate) mount: Option<Mount>,
}

impl Nextcloud {
    /// Shares given to an account, in the order in which the server lists them. Due and lost ones are not among them.
    pub(crate) fn received(&self, account: &str, now: i64) -> Vec<&Share> {
        let mut found: Vec<&Share> = self.shares.given_to(USER, account).collect();
        let groups = self
            .accounts
            .get(account)
            .map(|account| account.groups.clone())
            .unwrap_or_default();
        for group in &groups {
            found.extend(self.shares.given_to(GROUP, group));
        }
        for (kind, circles) in [(TEAM, &self.teams), (ROOM, &self.rooms)] {
            for circle in circles
                .values()
                .filter(|circle| circle.members.iter().any(|member| member == account))
            {
                found.extend(self.shares.given_to(kind, &circle.id));
            }
        }
        found.retain(|share| {
            !share.belongs_to(account)
                && !share.is_due(now)
                && !share.hidden_for.contains(account)
                && share.file.is_some_and(|file| !self.files.is_trashed(file))
                && !self.hidden_by_setting(share)
        });
        found
    }

    /// True where the server hides what disabled accounts share.
    pub(crate) fn hidden_by_setting(&self, share: &Share) -> bool {
        let disabled = |id: &str| self.accounts.get(id).is_some_and(|account| !account.enabled);
        self.settings.hide_disabled_user_shares && (disabled(&share.owner) || disabled(&share.initiator))
    }

    /// The mounts in an account's home, one a file.
    pub(crate) fn mounts(&self, account: &str, now: i64) -> Vec<Mount> {
        let mut mounts: Vec<Mount> = Vec::new();
        for share in self.received(account, now) {
            let Some(file) = share.file else { continue };
            if let Some(known) = mounts.iter_mut().find(|mount| mount.file == file) {
                known.permissions |= share.permissions;
            } else {
                mounts.push(Mount {
                    file,
                    target: share.target.clone(),
                    permissions: share.permissions,
                });
            }
        }
        mounts.sort_by(|a, b| a.target.cmp(&b.target));
        mounts
    }

    /// Where the account sees a file, if at all.
    pub(crate) fn seen(&self, account: &str, file: u64, mounts: &[Mount]) -> Option<Seen> {
        if self.files.is_trashed(file) {
            return None;
        }
        if &*self.files.get(file)?.owner == account {
            return Some(Seen {
                path: self.files.path(file),
                mount: None,
            });
        }
        for above in self.files.upwards(file) {
            if let Some(mount) = mounts.iter().find(|mount| mount.file == above.id) {
                let path = if above.id == file {
                    mount.target.clone()
                } else {
                    format!("{}{}", mount.target, self.files.path_from(file, Some(above.id)))
                };
                return Some(Seen {
                    path,
                    mount: Some(mount.clone()),
                });
            }
        }
        None
    }

    /// The file that an account finds under a path.
    pub(crate) fn locate(&self, account: &str, path: &str, mounts: &[Mount]) -> Option<u64> {
        if let Some(own) = self
            .files
            .find(account, path)
            .filter(|id| !self.files.is_trashed(*id))
        {
            return Some(own);
        }
        let path = path.trim_end_matches('/');
        mounts.iter().find_map(|mount| {
            let rest = path.strip_prefix(mount.target.as_str())?;
            if !rest.is_empty() && !rest.starts_with('/') {
                return None;
            }
            self.files
                .below(mount.file, rest)
                .filter(|id| !self.files.is_trashed(*id))
        })
    }

    /// What an account sees directly in a folder: files, and at the top of its home the mounts.
    pub(crate) fn inside<'a>(&'a self, account: &str, folder: &'a File, mounts: &[Mount]) -> Vec<&'a File> {
        let mut found: Vec<&File> = self.files.visible_children(folder).collect();
        if folder.parent.is_none() && &*folder.owner == account {
            found.extend(mounts.iter().filter_map(|mount| self.files.get(mount.file)));
        }
        found
    }

    /// True where an account may share a file further: it is his, or was given to him with that right.
    pub(crate) fn may_share(&self, account: &str, file: u64, mounts: &[Mount]) -> bool {
        self.seen(account, file, mounts)
            .is_some_and(|seen| seen.mount.is_none_or(|mount| mount.permissions & SHARE != 0))
    }
}
