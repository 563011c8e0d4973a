//! `WebDAV` properties of files, and the multistatus answers that carry them.
//!
//! A property the server does not know, or that does not apply, goes into a second propstat with 404.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::not_found;
use super::reply::{Depth, Reply, Wanted, bad_body, depth, encoded, tag_name, wanted};
use super::xml::{DAV, NC, OC, Xml};
use crate::emulator::http::{Answer, Request};
use crate::emulator::nextcloud::Nextcloud;
use crate::emulator::nextcloud::files::File;
use crate::emulator::nextcloud::shares::{CREATE, DELETE, GROUP, SHARE, Share, UPDATE, USER};
use crate::emulator::nextcloud::view::Mount;

/// What one account sees.
#[derive(Debug)]
pub(crate) struct Sight<'a> {
    pub(crate) server: &'a Nextcloud,
    pub(crate) account: String,
    pub(crate) mounts: Vec<Mount>,
    pub(crate) admin: bool,
    /// Ids of the shares given to the account.
    received: BTreeSet<u64>,
}

const XML: &str = "application/xml; charset=utf-8";

impl<'a> Sight<'a> {
    pub(crate) fn new(server: &'a Nextcloud, account: &str, now: i64) -> Self {
        let mounts = server.mounts(account, now);
        let received = server
            .received(account, now)
            .iter()
            .map(|share| share.id)
            .collect();
        Self {
            server,
            account: account.to_owned(),
            mounts,
            admin: server.is_admin(account),
            received,
        }
    }

    pub(crate) fn propfind(&self, request: &Request, file: u64) -> Answer {
        let Some(wanted) = wanted(request) else {
            return bad_body();
        };
        self.tree(&wanted, file, depth(request), |id| {
            self.href(id).unwrap_or_default()
        })
    }

    fn tree(&self, wanted: &[Wanted], file: u64, depth: Depth, href: impl Fn(u64) -> String) -> Answer {
        let Some(top) = self.server.files.get(file) else {
            return not_found("File not found");
        };
        let mut reply = Reply::new();
        // Depth first, as the server walks.
        let mut waiting = vec![(top, 0_u32)];
        while let Some((node, level)) = waiting.pop() {
            let mut address = href(node.id);
            if node.folder && !address.ends_with('/') {
                address.push('/');
            }
            let way = if level == 0 { Way::Alone } else { Way::InFolder };
            let (found, missing) = self.props(node, wanted, way);
            reply.add(&address, found, missing);
            let deeper = match depth {
                Depth::Zero => false,
                Depth::One => level == 0,
                Depth::Infinity => true,
            };
            if node.folder && deeper {
                let children = self.server.inside(&self.account, node, &self.mounts);
                waiting.extend(children.into_iter().rev().map(|child| (child, level + 1)));
            }
        }
        reply.answer(XML)
    }

    /// Where the account finds a file; without a trailing slash.
    pub(crate) fn href(&self, file: u64) -> Option<String> {
        let seen = self.server.seen(&self.account, file, &self.mounts)?;
        Some(format!(
            "/remote.php/dav/files/{}{}",
            encoded(&self.account),
            encoded(&seen.path)
        ))
    }

    /// The wanted properties of a file: found and missing.
    pub(crate) fn props(&self, file: &File, wanted: &[Wanted], way: Way) -> (Vec<Xml>, Vec<Xml>) {
        let (mut found, mut missing) = (Vec::new(), Vec::new());
        let usual;
        let wanted = if wanted.is_empty() {
            usual = usual_props(file.folder);
            &usual
        } else {
            wanted
        };
        for prop in wanted {
            match self.prop(file, prop, way) {
                Some(value) => found.push(value),
                None => missing.push(Xml::empty(tag_name(prop))),
            }
        }
        (found, missing)
    }

    fn prop(&self, file: &File, wanted: &Wanted, way: Way) -> Option<Xml> {
        let tag = tag_name(wanted);
        let text = |value: String| Some(Xml::text(tag.clone(), value));
        match (wanted.namespace.as_str(), wanted.name.as_str()) {
            (DAV, "resourcetype") => {
                let kind = if file.folder {
                    vec![Xml::empty("d:collection")]
                } else {
                    Vec::new()
                };
                Some(Xml::with(tag, kind))
            }
            (DAV, "getlastmodified") => text(http_date(file.mtime)),
            (DAV, "getetag") => text(format!(
                "\"{:013x}\"",
                file.mtime.unsigned_abs() ^ (file.id << 20)
            )),
            (DAV, "displayname") => text(if file.parent.is_none() {
                file.owner.to_string()
            } else {
                file.name.clone()
            }),
            (DAV, "getcontentlength") if !file.folder => text(file.size.to_string()),
            (DAV, "getcontenttype") if !file.folder => text(file.mimetype().into()),
            (DAV, "quota-used-bytes") if file.folder => text(self.server.files.size(file.id).to_string()),
            (DAV, "quota-available-bytes") if file.folder => text("-3".into()),
            (OC, "fileid") => text(file.id.to_string()),
            (OC, "id") => text(format!("{:08}oc78iz4ae061", file.id)),
            (OC, "size") => text(match way {
                Way::Found => self.server.files.indexed_size(file.id).to_string(),
                Way::Alone | Way::InFolder => self.server.files.size(file.id).to_string(),
            }),
            (OC, "permissions") => text(self.letters(file)),
            (OC, "owner-id") => text(file.owner.to_string()),
            (OC, "owner-display-name") => text(self.server.name_of(&file.owner)),
            (OC, "share-types") => Some(Xml::with(tag, self.share_types(file.id, way))),
            (NC, "sharees") => Some(Xml::with(tag, self.sharees(file.id, way))),
            (NC, "share-attributes") => text("[]".into()),
            (NC, "contained-file-count") if file.folder => text(self.count(file, false).to_string()),
            (NC, "contained-folder-count") if file.folder => text(self.count(file, true).to_string()),
            (NC, "system-tags") => Some(Xml::with(tag, self.system_tags(file))),
            (NC, "is-mount-root") => text(self.is_mount(file).to_string()),
            (NC, "mount-type") => text(if self.server.files.mount_of(file.id).is_some() {
                "external".into()
            } else if *file.owner == *self.account {
                String::new()
            } else {
                "shared".into()
            }),
            (OC, "favorite" | "comments-count") | (NC, "creation_time") => text("0".into()),
            (NC, "upload_time") if !file.folder => text(file.mtime.to_string()),
            (NC, "hidden") => text("false".into()),
            (NC, "has-preview") => text(file.previewable().to_string()),
            _ => None,
        }
    }

    fn is_mount(&self, file: &File) -> bool {
        file.mount || self.mounts.iter().any(|mount| mount.file == file.id)
    }

    fn letters(&self, file: &File) -> String {
        let seen = self.server.seen(&self.account, file.id, &self.mounts);
        let mount = seen.and_then(|seen| seen.mount);
        let bits = mount.as_ref().map_or(31, |mount| mount.permissions);
        let mut letters = String::new();
        let mut add = |yes: bool, text: &str| {
            if yes {
                letters.push_str(text);
            }
        };
        add(mount.is_some(), "S");
        add(bits & SHARE != 0, "R");
        add(true, "G");
        add(
            bits & DELETE != 0 || mount.as_ref().is_some_and(|mount| mount.file == file.id),
            "D",
        );
        add(bits & UPDATE != 0, "NV");
        add(!file.folder && bits & UPDATE != 0, "W");
        add(file.folder && bits & CREATE != 0, "CK");
        letters
    }

    /// The shares that the share properties tell of. The server looks in two ways, and finds different ones: a single
    /// node shows what the account itself made or received, a node met while listing its folder what the account made
    /// or owns, so there the owner sees what others made.
    fn told_shares(&self, file: u64, way: Way) -> Vec<&Share> {
        let told = |share: &&Share| match way {
            Way::InFolder => share.belongs_to(&self.account),
            Way::Alone | Way::Found => *share.initiator == *self.account || self.received.contains(&share.id),
        };
        let mut shares: Vec<&Share> = self.server.shares.on_file(file).filter(told).collect();
        shares.sort_by_key(|share| (share.kind, share.id));
        shares
    }

    fn share_types(&self, file: u64, way: Way) -> Vec<Xml> {
        let told = self.told_shares(file, way);
        let kinds: BTreeSet<i64> = told.iter().map(|share| share.kind).collect();
        kinds
            .iter()
            .map(|kind| Xml::text("oc:share-type", kind.to_string()))
            .collect()
    }

    fn sharees(&self, file: u64, way: Way) -> Vec<Xml> {
        let optional = |name: &str, text: &str| {
            if text.is_empty() {
                Xml::empty(name)
            } else {
                Xml::text(name, text)
            }
        };
        self.told_shares(file, way)
            .iter()
            .map(|share| {
                let id = share.recipient.as_deref().unwrap_or_default();
                let name = match share.kind {
                    USER => self.server.name_of(id),
                    GROUP => self.server.groups.get(id).cloned().unwrap_or_default(),
                    _ => String::new(),
                };
                let kind = Xml::text("nc:type", share.kind.to_string());
                Xml::with(
                    "nc:sharee",
                    vec![optional("nc:id", id), optional("nc:display-name", &name), kind],
                )
            })
            .collect()
    }

    fn count(&self, folder: &File, folders: bool) -> usize {
        self.server
            .inside(&self.account, folder, &self.mounts)
            .iter()
            .filter(|file| file.folder == folders)
            .count()
    }

    fn system_tags(&self, file: &File) -> Vec<Xml> {
        let tags = file.tags.iter().filter_map(|id| self.server.tags.get(id));
        tags.filter(|tag| tag.visible || self.admin)
            .map(|tag| {
                Xml::text("nc:system-tag", tag.name.clone())
                    .attribute("oc:can-assign", (tag.assignable || self.admin).to_string())
                    .attribute("oc:id", tag.id.to_string())
                    .attribute("oc:user-assignable", tag.assignable.to_string())
                    .attribute("oc:user-visible", tag.visible.to_string())
                    .attribute("nc:color", "")
            })
            .collect()
    }
}

/// A shared file or folder as a stranger sees it.
pub(crate) fn public(server: &Nextcloud, request: &Request, share: &Share, file: u64) -> Answer {
    let Some(wanted) = wanted(request) else {
        return bad_body();
    };
    let sight = Sight {
        server,
        account: share.owner.to_string(),
        mounts: Vec::new(),
        admin: false,
        received: BTreeSet::new(),
    };
    let token = share.token.as_deref().unwrap_or_default();
    let base = format!("/public.php/dav/files/{token}");
    let top = share.file;
    sight
        .tree(&wanted, file, depth(request), |id| {
            let rest = if Some(id) == top {
                "/".into()
            } else {
                server.files.path_from(id, top)
            };
            format!("{base}{}", encoded(&rest))
        })
        .with("DAV", "1, 3, extended-mkcol, nextcloud-checksum-update")
}

/// How the server came to a node: asked for alone, met in its folder, or found by a search.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    Alone,
    InFolder,
    Found,
}

fn usual_props(folder: bool) -> Vec<Wanted> {
    let file = [
        "getlastmodified",
        "getcontentlength",
        "resourcetype",
        "getetag",
        "getcontenttype",
    ];
    let dir = [
        "getlastmodified",
        "resourcetype",
        "quota-used-bytes",
        "quota-available-bytes",
        "getetag",
    ];
    let names = if folder { dir } else { file };
    names
        .iter()
        .map(|name| Wanted {
            namespace: DAV.into(),
            name: (*name).into(),
        })
        .collect()
}

fn http_date(seconds: i64) -> String {
    let at = Timestamp::from_second(seconds).unwrap_or(Timestamp::UNIX_EPOCH);
    at.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}
