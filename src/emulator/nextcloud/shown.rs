//! A share as the API shows it: the same row looks different to its owner, its sharer and its recipient.

use super::Nextcloud;
use super::messages::Language;
use super::ocs::Call;
use super::shares::{
    CREATE, DECK, DELETE, FEDERATED, FEDERATED_GROUP, GROUP, LINK, MAIL, ROOM, Share, TEAM, UPDATE, USER,
};
use super::tree::{Tree, map};
use super::view::Mount;

/// Who looks at shares, and from where.
#[derive(Debug, Clone)]
pub(crate) struct Viewer {
    pub(crate) account: String,
    language: Language,
    base: String,
    pub(crate) mounts: Vec<Mount>,
    zone: jiff::tz::TimeZone,
    tags: bool,
}

impl Nextcloud {
    pub(crate) fn viewer(&self, call: &Call<'_>, account: &str) -> Viewer {
        Viewer {
            account: account.to_owned(),
            language: call.language,
            base: call.request.base(),
            mounts: self.mounts(account, call.seconds()),
            zone: self.zone(account),
            tags: call.request.flag("include_tags"),
        }
    }

    /// The share as the API shows it to the viewer; none where he does not see the file.
    pub(crate) fn share_tree(&self, share: &Share, viewer: &Viewer) -> Option<Tree> {
        let account = viewer.account.as_str();
        let file = self.files.get(share.file?)?;
        let seen = self.seen(account, file.id, &viewer.mounts)?;
        let own = &*share.owner == account;
        let mine = share.belongs_to(account);
        let recipient = share.recipient.as_deref();
        let to_me = share.kind == USER && recipient == Some(account);
        let storage = self.files.home_of(&file.owner).unwrap_or(0);
        let item_permissions = if own {
            if file.folder { 31 } else { 31 & !CREATE }
        } else {
            let from_self =
                share.kind == GROUP && recipient.is_some_and(|group| self.in_group(account, group));
            let delete = if mine || to_me || from_self || share.kind == ROOM {
                DELETE
            } else {
                0
            };
            share.permissions | delete | if mine { UPDATE } else { 0 }
        };
        let root = seen.mount.as_ref().is_some_and(|mount| mount.file == file.id);
        let storage_id = seen.mount.as_ref().map_or_else(
            || format!("home::{account}"),
            |mount| format!("shared::{}", mount.target),
        );
        let expiration = share.expires.map(|at| Self::shown_day(at, viewer));
        let has_token = matches!(share.kind, LINK | MAIL | FEDERATED | FEDERATED_GROUP);
        let target = match share.kind {
            MAIL => Tree::Null,
            FEDERATED | FEDERATED_GROUP => "".into(),
            _ => share.target.as_str().into(),
        };
        let mut tree = map([
            ("id", share.id.to_string().into()),
            ("share_type", share.kind.into()),
            ("uid_owner", (&*share.initiator).into()),
            ("displayname_owner", self.name_of(&share.initiator).into()),
            ("permissions", share.permissions.into()),
            ("can_edit", mine.into()),
            ("can_delete", (mine || to_me).into()),
            ("stime", share.created.into()),
            ("parent", Tree::Null),
            ("expiration", expiration.into()),
            ("token", share.token.as_deref().filter(|_| has_token).into()),
            ("uid_file_owner", (&*share.owner).into()),
            ("note", share.note.as_str().into()),
            ("label", share.label.as_str().into()),
            ("displayname_file_owner", self.name_of(&share.owner).into()),
            ("path", seen.path.into()),
            (
                "item_type",
                if file.folder {
                    "folder".into()
                } else {
                    "file".into()
                },
            ),
            ("item_permissions", item_permissions.into()),
            ("is-mount-root", root.into()),
            (
                "mount-type",
                if seen.mount.is_some() {
                    "shared".into()
                } else {
                    "".into()
                },
            ),
            ("mimetype", file.mimetype().into()),
            ("has_preview", file.previewable().into()),
            ("storage_id", storage_id.into()),
            ("storage", storage.into()),
            ("item_source", file.id.into()),
            ("file_source", file.id.into()),
            ("file_parent", file.parent.into()),
            ("file_target", target),
            ("item_size", self.files.size(file.id).into()),
            ("item_mtime", file.mtime.into()),
        ]);
        self.add_recipient(share, viewer, &mut tree);
        tree.push("mail_send", i64::from(share.mail_sent).into());
        tree.push("hide_download", i64::from(share.hide_download).into());
        tree.push("attributes", share.attributes.as_deref().into());
        if viewer.tags {
            tree.push("tags", Tree::List(Vec::new()));
        }
        for (key, value) in &share.raw {
            tree.set(key.clone(), value.into());
        }
        Some(tree)
    }

    fn add_recipient(&self, share: &Share, viewer: &Viewer, tree: &mut Tree) {
        let with = share.recipient.as_deref();
        let name = share.recipient_name.as_deref().or(with).unwrap_or_default();
        match share.kind {
            USER => {
                let known = with.and_then(|id| self.accounts.get(id));
                let unique = known.and_then(|account| account.email.as_deref()).or(with);
                tree.push("share_with", with.into());
                tree.push(
                    "share_with_displayname",
                    known.map_or(name, |account| &account.name).into(),
                );
                tree.push("share_with_displayname_unique", unique.into());
            }
            GROUP => {
                tree.push("share_with", with.into());
                let group = with.and_then(|id| self.groups.get(id)).map(String::as_str);
                tree.push("share_with_displayname", group.unwrap_or(name).into());
            }
            LINK => {
                let token = share.token.as_deref().unwrap_or_default();
                tree.push("share_with", share.password.as_deref().into());
                tree.push(
                    "share_with_displayname",
                    format!("({})", viewer.language.say("Shared link")).into(),
                );
                tree.push("password", share.password.as_deref().into());
                tree.push("send_password_by_talk", false.into());
                tree.push("url", format!("{}/index.php/s/{token}", viewer.base).into());
            }
            MAIL => {
                let known = with
                    .and_then(|address| self.addresses.get(address))
                    .and_then(|id| self.accounts.get(id));
                tree.push("share_with", with.into());
                tree.push("password", share.password.as_deref().into());
                tree.push("password_expiration_time", Tree::Null);
                tree.push("send_password_by_talk", false.into());
                tree.push(
                    "share_with_displayname",
                    known.map_or(name, |account| &account.name).into(),
                );
            }
            TEAM => {
                let team = with.and_then(|id| self.teams.get(id));
                let shown = team.map(|team| {
                    let owner = team
                        .owner
                        .as_deref()
                        .map(|owner| self.name_of(owner))
                        .unwrap_or_default();
                    format!("{} ({} {owner})", team.name, viewer.language.say("Team owned by"))
                });
                tree.push(
                    "share_with_displayname",
                    shown.unwrap_or_else(|| name.to_owned()).into(),
                );
                tree.push(
                    "share_with_avatar",
                    format!("{}/apps/circles/img/circles.svg", viewer.base).into(),
                );
                tree.push("share_with", with.into());
            }
            FEDERATED | FEDERATED_GROUP => {
                tree.push("is_trusted_server", false.into());
                tree.push("share_with", with.into());
                tree.push("share_with_displayname", name.into());
            }
            ROOM => {
                let room = with
                    .and_then(|id| self.rooms.get(id))
                    .map(|room| room.name.as_str());
                tree.push("share_with", with.into());
                tree.push("share_with_displayname", room.unwrap_or(name).into());
                tree.push(
                    "share_with_link",
                    with.map(|id| format!("{}/index.php/call/{id}", viewer.base))
                        .into(),
                );
            }
            DECK => {
                tree.push("share_with", with.into());
                tree.push("share_with_displayname", name.into());
                tree.push(
                    "share_with_link",
                    with.map(|id| format!("{}/index.php/apps/deck/card/{id}", viewer.base))
                        .into(),
                );
            }
            _ => {
                tree.push("share_with", with.into());
                tree.push("share_with_displayname", name.into());
            }
        }
    }

    /// The day of an end as the viewer's zone shows it, always with midnight's clock time.
    fn shown_day(at: i64, viewer: &Viewer) -> String {
        let at = jiff::Timestamp::from_second(at).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        format!("{} 00:00:00", at.to_zoned(viewer.zone.clone()).date())
    }
}
