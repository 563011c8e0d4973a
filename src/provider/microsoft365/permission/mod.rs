//! From a permission as Graph lists it to a share as the auditor speaks of it. No I/O.
//!
//! What the service does not tell is `None` or named in [`Share::unknown`]; a scope, type, role or party that this
//! version does not know makes a share that is reported as not known, never one that looks safe. The address of a
//! link is its secret: it is masked here, and only its digest is kept for telling one link from another.

pub(super) mod claim;
mod party;
pub(super) mod wire;

use std::borrow::Cow;
use std::collections::HashSet;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::fmt::temporal::Pieces;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use url::{Position, Url};

use self::claim::{Claim, is_id};
use self::party::{Party, everyone_with_the_link};
use self::wire::{Identities, Link, Permission};
use super::drives::Drive;
use super::key::Key;
use super::people::Directory;
use super::wire::{Told, lower};
use crate::model::{
    Access, Expiry, Item, ItemKind, Principal, PrincipalClass, Right, Share, ShareKind, SourceName,
};

/// What stands in place of a link's secret part.
const MASK: &str = "••••";
/// No name that is put into a share is longer, in characters.
const LONGEST: usize = 400;

/// What reading a drive's permissions needs to know.
pub(super) struct Decoder<'a> {
    pub(super) source: &'a SourceName,
    pub(super) drive: &'a Drive,
    pub(super) people: &'a Directory,
    pub(super) key: Key,
}

/// What a permission is.
#[derive(Debug)]
pub(super) enum Decoded {
    /// A share, and what tells it from others of the same drive.
    Share(Box<Share>, Sign),
    /// A grant to a group of the site, by its name: how people of a site come in, no share.
    SiteGroup(String),
    /// No share: the owner's own access, or a link that grants nothing.
    Nothing,
    /// It cannot be read, or has no id.
    Unread,
}

/// What tells a permission from another, wherever it is listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sign {
    /// Digest of its id and roles.
    pub(super) key: u64,
    /// Digest of the link's address.
    pub(super) address: Option<u64>,
    pub(super) is_link: bool,
    pub(super) origin: Origin,
}

impl Sign {
    /// All that it is known by.
    pub(super) fn digests(&self) -> impl Iterator<Item = u64> {
        std::iter::once(self.key).chain(self.address.filter(|_| self.is_link))
    }
}

/// What tells the permissions of a folder from others.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Signs {
    keys: HashSet<(bool, u64)>,
    addresses: HashSet<u64>,
}

impl Signs {
    pub(super) fn add(&mut self, sign: &Sign) {
        self.keys.insert((sign.is_link, sign.key));
        self.addresses.extend(sign.address.filter(|_| sign.is_link));
    }

    /// Whether one of them is this one, listed at another item.
    pub(super) fn hold(&self, sign: &Sign) -> bool {
        let address = sign.address.filter(|_| sign.is_link);
        self.keys.contains(&(sign.is_link, sign.key))
            || address.is_some_and(|address| self.addresses.contains(&address))
    }

    /// All that they are known by and the former ones were not.
    pub(super) fn new_since(&self, former: Option<&Self>) -> impl Iterator<Item = u64> {
        let keys = self.keys.iter();
        let keys = keys.filter(move |key| former.is_none_or(|former| !former.keys.contains(key)));
        let addresses = self.addresses.iter();
        let addresses =
            addresses.filter(move |address| former.is_none_or(|former| !former.addresses.contains(address)));
        keys.map(|(_, key)| *key).chain(addresses.copied())
    }

    /// Whether a grant that was among the former ones is not among these.
    pub(super) fn lack_a_grant_of(&self, former: &Self) -> bool {
        let mut grants = former.keys.iter().filter(|(is_link, _)| !is_link);
        grants.any(|key| !self.keys.contains(key))
    }
}

/// Where the service says that a permission comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// It says nothing.
    Untold,
    /// From a folder above.
    Above,
    /// From this item.
    Item(String),
}

impl Decoder<'_> {
    /// What a listed permission on an item is.
    pub(super) fn decode(&self, told: Told<Permission>, item: &Item) -> Decoded {
        let (mut permission, odd) = match told {
            Told::Whole(permission) => (permission, Vec::new()),
            Told::Partly(permission, odd) => (permission, odd),
            Told::Unread => return Decoded::Unread,
        };
        let Some(id) = permission.id.take().filter(|id| !id.is_empty()) else {
            return Decoded::Unread;
        };
        let sign = self.sign(&permission, &id);
        let draft = Draft {
            decoder: self,
            item,
            odd: &odd,
            id,
        };
        match draft.share(&permission) {
            Ok(share) => Decoded::Share(Box::new(share), sign),
            Err(other) => other,
        }
    }

    fn sign(&self, permission: &Permission, id: &str) -> Sign {
        let roles = permission.roles.iter().flatten();
        let mut roles: Vec<Cow<'_, str>> = roles.map(|role| lower(role)).collect();
        roles.sort_unstable();
        let address = permission.link.as_ref().and_then(|link| link.web_url.as_deref());
        let ancestor = permission.inherited_from.as_ref();
        Sign {
            key: self
                .key
                .of_all([id].into_iter().chain(roles.iter().map(AsRef::as_ref))),
            address: address.map(|address| self.key.of(address)),
            is_link: permission.link.is_some(),
            origin: match ancestor.map(|ancestor| &ancestor.id) {
                None => Origin::Untold,
                Some(None) => Origin::Above,
                Some(Some(id)) => Origin::Item(id.clone()),
            },
        }
    }
}

/// A share while it is put together.
struct Draft<'a> {
    decoder: &'a Decoder<'a>,
    item: &'a Item,
    odd: &'a [String],
    id: String,
}

impl Draft<'_> {
    /// The share, or what the permission is instead.
    fn share(&self, permission: &Permission) -> Result<Share, Decoded> {
        if let Some(link) = &permission.link {
            return self.link(permission, link);
        }
        if self.is_odd("link") {
            let mut share = self.unknown(ShareKind::Link);
            share.unknown.extend(["kind", "password"].map(str::to_owned));
            return Ok(self.finish(permission, share));
        }
        let granted = [&permission.granted_to_v2, &permission.granted_to]
            .into_iter()
            .flatten()
            .map(Box::as_ref)
            .find(|told| !told.is_empty());
        let invited = permission.invitation.as_ref();
        let address = invited.and_then(|invited| invited.email.as_deref());
        match (granted, address.filter(|address| !address.is_empty())) {
            (None, Some(address)) if Claim::of_id(&self.id).is_none() => {
                Ok(self.invited(permission, address))
            }
            _ => self.granted(permission, granted),
        }
    }

    /// Somebody who was invited by mail and has not come yet.
    fn invited(&self, permission: &Permission, address: &str) -> Share {
        let mut share = self.empty(ShareKind::User);
        let invitation = permission.invitation.as_ref();
        let invited_by = invitation.and_then(|told| told.invited_by.as_ref());
        if let Some(Party::Person(sharer)) = invited_by.map(|by| Party::of(by, None, self.decoder.people)) {
            share.shared_by = Some(sharer);
        }
        share.recipients = vec![Principal {
            email: Some(brief(address)),
            ..Principal::new(PrincipalClass::Address, brief(&address.to_lowercase()))
        }];
        self.finish(permission, share)
    }

    fn granted(&self, permission: &Permission, granted: Option<&Identities>) -> Result<Share, Decoded> {
        let claim = Claim::of_id(&self.id);
        let party = match granted {
            None if claim.is_none() => return Ok(self.finish(permission, self.unknown(ShareKind::Other))),
            None => Party::of(&Identities::default(), claim, self.decoder.people),
            Some(granted) => Party::of(granted, claim, self.decoder.people),
        };
        let (kind, recipient) = match party {
            Party::SiteGroup(name) => return Err(Decoded::SiteGroup(brief(&name))),
            Party::Person(person) | Party::Group(person)
                if self.decoder.drive.is_owned_by(&person) && !opens_to_anyone(permission) =>
            {
                return Err(Decoded::Nothing);
            }
            Party::Person(person) => (ShareKind::User, person),
            Party::Group(group) | Party::Everyone(group) => (ShareKind::Group, group),
            Party::Other(other) => (ShareKind::Other, other),
        };
        let mut share = self.empty(kind);
        share.recipients = vec![recipient];
        Ok(self.finish(permission, share))
    }

    fn link(&self, permission: &Permission, link: &Link) -> Result<Share, Decoded> {
        let mut share = self.empty(ShareKind::Link);
        share.link = link.web_url.as_deref().and_then(masked);
        share.password = permission.has_password;
        if share.password.is_none() {
            share.unknown.push("password".to_owned());
        }
        // Of two that are as long the newer one, which tells more of each party, comes last and counts.
        let told = [
            &permission.granted_to_identities,
            &permission.granted_to_identities_v2,
        ]
        .into_iter()
        .flatten()
        .max_by_key(|told| told.len());
        let people = || {
            let parties = told.into_iter().flatten();
            let mut people: Vec<Principal> = parties
                .map(|identities| Party::of(identities, None, self.decoder.people).principal())
                .collect();
            // The service promises no order, and a change of order is no change.
            people.sort_by(|one, other| (one.class, &one.id).cmp(&(other.class, &other.id)));
            people.dedup_by(|one, other| (one.class, &one.id) == (other.class, &other.id));
            people
        };
        match link.scope.as_deref().map(lower).as_deref() {
            Some("anonymous") => {
                share.anonymous = true;
                share.opened_by = people();
            }
            Some("organization") => {
                share.recipients = vec![everyone_with_the_link()];
                share.opened_by = people();
            }
            Some("users") => {
                share.recipients = people();
                let odd = ["grantedToIdentitiesV2", "grantedToIdentities"].map(|field| self.is_odd(field));
                if told.is_none() || (share.recipients.is_empty() && odd.contains(&true)) {
                    share.unknown.push("recipients".to_owned());
                }
            }
            // It opens only for those who have access otherwise.
            Some("existingaccess") => return Err(Decoded::Nothing),
            _ => {
                share.unknown.push("audience".to_owned());
                share.recipients = people();
            }
        }
        Ok(self.finish(permission, share))
    }

    /// A share of which nothing is told yet.
    fn empty(&self, kind: ShareKind) -> Share {
        let Decoder { source, drive, .. } = self.decoder;
        Share {
            source: (*source).clone(),
            id: format!("{}/{}/{}", drive.id, self.item.id, self.id),
            kind,
            anonymous: false,
            item: self.item.clone(),
            owner: drive.owner.clone(),
            shared_by: None,
            recipients: Vec::new(),
            opened_by: Vec::new(),
            access: Access::NONE,
            password: (kind != ShareKind::Link).then_some(false),
            expires: Expiry::Never,
            created_at: None,
            inherited: false,
            label: None,
            link: None,
            unknown: Vec::new(),
        }
    }

    fn unknown(&self, kind: ShareKind) -> Share {
        let mut share = self.empty(kind);
        share
            .unknown
            .extend(["audience", "recipients"].map(str::to_owned));
        share
    }

    /// What links and grants have in common.
    fn finish(&self, permission: &Permission, mut share: Share) -> Share {
        let kind = permission.link.as_ref().and_then(|link| link.kind.as_deref());
        let folder = self.item.kind != ItemKind::File;
        let by_type = kind.and_then(|kind| access_of_type(kind, folder));
        let by_roles = permission
            .roles
            .as_deref()
            .and_then(|roles| access_of_roles(roles, folder));
        match by_type.or(by_roles) {
            Some(access) => share.access = access,
            None => share.unknown.push("access".to_owned()),
        }
        if permission.link.as_ref().and_then(|link| link.prevents_download) == Some(true) {
            share.access = share.access.without(Right::Download);
        }
        if permission.link.is_some() && by_type.is_none() {
            share.unknown.push("kind".to_owned());
        }
        if permission.link.is_none() && opens_to_anyone(permission) {
            share.kind = ShareKind::Mail;
            share.anonymous = true;
            share.password = permission.has_password;
            if share.password.is_none() {
                share.unknown.push("password".to_owned());
            }
        }
        share.expires = if self.is_odd("expirationDateTime") {
            Expiry::Unknown
        } else {
            expiry(permission.expiration_date_time.as_deref())
        };
        if share.expires == Expiry::Unknown {
            share.unknown.push("expires".to_owned());
        }
        share.unknown.push("created_at".to_owned());
        if share.shared_by.is_none() {
            share.unknown.push("shared_by".to_owned());
        }
        share.unknown.sort_unstable();
        share.unknown.dedup();
        share
    }

    fn is_odd(&self, field: &str) -> bool {
        self.odd.iter().any(|odd| odd == field)
    }
}

/// Whether it was sent as an invitation that opens without signing in: only where the service says so.
fn opens_to_anyone(permission: &Permission) -> bool {
    let invitation = permission.invitation.as_ref();
    invitation.is_some_and(|told| told.sign_in_required == Some(false))
}

/// What a link of a type lets people do; `None` for a type that is not known.
fn access_of_type(kind: &str, folder: bool) -> Option<Access> {
    use Right::{Create, Download, Edit, View};
    Some(match &*lower(kind) {
        "view" | "embed" => Access::of(&[View, Download]),
        "blocksdownload" => Access::of(&[View]),
        "edit" => edit(folder),
        // Suggestions and comments are written into the file.
        "review" => Access::of(&[View, Download, Edit]),
        "createonly" => Access::of(&[Create]),
        _ => return None,
    })
}

/// The type of link that lets people do just this, of those that can be made.
pub(super) fn type_of_access(access: Access, folder: bool) -> Option<&'static str> {
    let can_be_made = ["view", "edit"];
    can_be_made
        .into_iter()
        .find(|kind| access_of_type(kind, folder) == Some(access))
}

/// The role that lets people do just this, of those that can be granted.
pub(super) fn role_of_access(access: Access, folder: bool) -> Option<&'static str> {
    let can_be_granted = ["read", "write"];
    can_be_granted
        .into_iter()
        .find(|role| access_of_roles(&[(*role).to_owned()], folder) == Some(access))
}

/// Whether a link that names these is for whoever in the organisation has it.
pub(super) fn is_for_the_organization(recipients: &[String]) -> bool {
    *recipients == [everyone_with_the_link().id]
}

/// The people whom a permission tells by nothing but an id: the directory has to say what they are called.
pub(super) fn told_by_id(told: &Told<Permission>) -> Vec<&str> {
    let (Told::Whole(permission) | Told::Partly(permission, _)) = told else {
        return Vec::new();
    };
    if permission
        .id
        .as_deref()
        .is_some_and(|id| Claim::of_id(id).is_some())
    {
        return Vec::new();
    }
    let granted = [&permission.granted_to_v2, &permission.granted_to];
    let named = [
        &permission.granted_to_identities_v2,
        &permission.granted_to_identities,
    ];
    let named = named.into_iter().flatten().flatten();
    let parties = granted.into_iter().flatten().map(Box::as_ref).chain(named);
    let ids = parties.filter_map(Identities::told_by_id);
    ids.filter(|id| is_id(id)).collect()
}

/// What roles let people do; `None` where one is not known.
fn access_of_roles(roles: &[String], folder: bool) -> Option<Access> {
    // No role is SharePoint's restricted view: to look at, without a copy.
    let mut access = Access::of(&[Right::View]);
    for role in roles {
        let more = match &*lower(role) {
            "read" | "sp.read" | "sp.view only" => Access::of(&[Right::View, Right::Download]),
            "write" | "sp.edit" | "sp.contribute" | "sp.design" => edit(folder),
            "owner" | "sp.full control" => edit(folder).with(Right::Reshare),
            "sp.restricted view" => Access::of(&[Right::View]),
            _ => return None,
        };
        access = more.iter().fold(access, Access::with);
    }
    Some(access)
}

fn edit(folder: bool) -> Access {
    use Right::{Create, Delete, Download, Edit, View};
    if folder {
        Access::of(&[View, Download, Edit, Create, Delete])
    } else {
        Access::of(&[View, Download, Edit])
    }
}

/// When a permission ends. No date is written in several ways: not at all, empty, or the first or last day that the
/// service's dates know.
pub(super) fn expiry(told: Option<&str>) -> Expiry {
    let Some(told) = told.map(str::trim).filter(|told| !told.is_empty()) else {
        return Expiry::Never;
    };
    // The last days cannot be told as instants in every zone.
    let year = Pieces::parse(told).map(|pieces| pieces.date().year());
    if year.is_ok_and(|year| !(2..9999).contains(&year)) {
        return Expiry::Never;
    }
    let zoneless = || told.parse::<DateTime>().ok()?.to_zoned(TimeZone::UTC).ok();
    let instant = told
        .parse::<Timestamp>()
        .ok()
        .or_else(|| zoneless().map(|zoned| zoned.timestamp()));
    match instant {
        Some(instant) => Expiry::At {
            stated: brief(told),
            instant,
        },
        None => Expiry::Unknown,
    }
}

/// A link's address without anything that opens it.
fn masked(address: &str) -> Option<String> {
    // Only its beginning is looked at: the rest is long, and many links are read.
    let begins = address.find("://").map_or(0, |at| at + 3);
    let ends = address
        .get(begins..)
        .and_then(|rest| rest.find(['/', '?', '#', '\\']));
    let url = Url::parse(ends.map_or(address, |ends| &address[..begins + ends])).ok()?;
    let host = &url[Position::BeforeHost..Position::AfterPort];
    matches!(url.scheme(), "http" | "https").then(|| format!("{}://{host}/{MASK}", url.scheme()))
}

/// A remote text, shortened where it is far longer than any name.
fn brief(text: &str) -> String {
    let ends = text.char_indices().nth(LONGEST).map_or(text.len(), |(at, _)| at);
    text[..ends].to_owned()
}

#[cfg(test)]
mod tests;
