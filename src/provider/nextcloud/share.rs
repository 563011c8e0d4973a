//! Decodes one element of a share listing into the model's share.
//!
//! Pure. Field types are those of the server's share list (`ShareAPIController::formatShare`, observed on
//! 32.0.1). What is missing or of another type is named in the share's `unknown`; only a share without
//! an id or a type cannot be told of. Password hashes and tokens are looked at, never kept: for links the
//! server repeats the hash in `share_with`.

use std::borrow::Cow;

use jiff::{Timestamp, civil::Date, tz::TimeZone};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};
use url::Url;

use crate::model::{
    Access, Expiry, Item, ItemKind, Principal, PrincipalClass, Right, Share, ShareKind, SourceName,
};
use crate::provider::strict;

/// The longest path that is kept, in characters; servers allow 4,000.
const MAX_PATH: usize = 8_000;
/// What stands for a recipient that looks like a password's hash.
pub(super) const HIDDEN: &str = "?";
/// The longest name or label that is kept, in characters.
const MAX_NAME: usize = 1_000;

/// Who reads a listing, and of which server.
#[derive(Debug)]
pub(super) struct Reading<'a> {
    pub(super) source: &'a SourceName,
    pub(super) base: &'a Url,
    /// The account whose listing it is.
    pub(super) account: &'a str,
    /// The account's time zone: dates are local to it.
    pub(super) zone: &'a TimeZone,
}

/// A share as the server lists it: the fields that are used, with the types that the server gives them. It shows nothing of
/// itself, as it holds what opens the share.
#[derive(Default, Deserialize)]
pub(super) struct Wire<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    share_type: i64,
    #[serde(borrow)]
    uid_owner: Cow<'a, str>,
    #[serde(borrow, default, deserialize_with = "text")]
    displayname_owner: Option<Cow<'a, str>>,
    permissions: i64,
    stime: i64,
    #[serde(borrow, deserialize_with = "text")]
    expiration: Option<Cow<'a, str>>,
    #[serde(borrow, default, deserialize_with = "text")]
    token: Option<Cow<'a, str>>,
    #[serde(borrow)]
    uid_file_owner: Cow<'a, str>,
    #[serde(borrow, default, deserialize_with = "text")]
    displayname_file_owner: Option<Cow<'a, str>>,
    #[serde(borrow, default, deserialize_with = "text")]
    label: Option<Cow<'a, str>>,
    #[serde(borrow)]
    path: Cow<'a, str>,
    #[serde(borrow)]
    item_type: Cow<'a, str>,
    item_source: i64,
    #[serde(default)]
    item_size: Option<i64>,
    #[serde(borrow, default, deserialize_with = "text")]
    share_with: Option<Cow<'a, str>>,
    #[serde(borrow, default, deserialize_with = "text")]
    share_with_displayname: Option<Cow<'a, str>>,
    #[serde(borrow, default, deserialize_with = "text")]
    share_with_displayname_unique: Option<Cow<'a, str>>,
    #[serde(borrow, default, deserialize_with = "told")]
    password: Told<Option<Cow<'a, str>>>,
    #[serde(default)]
    hide_download: Option<i64>,
    #[serde(borrow, default, deserialize_with = "text")]
    attributes: Option<Cow<'a, str>>,
    #[serde(borrow, default, deserialize_with = "text")]
    url: Option<Cow<'a, str>>,
    /// Names of report fields that could not be read.
    #[serde(skip)]
    unknown: Vec<&'static str>,
}

/// A field that may be absent, which differs from being null.
#[derive(Debug, Default)]
enum Told<T> {
    #[default]
    No,
    Yes(T),
}

/// A text that is lent from the listing where it stands there as it is; serde's own way copies what may be null.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

fn text<'de: 'a, 'a, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Cow<'a, str>>, D::Error> {
    Ok(Option::<Text<'a>>::deserialize(deserializer)?.map(|Text(text)| text))
}

fn told<'de: 'a, 'a, D: Deserializer<'de>>(deserializer: D) -> Result<Told<Option<Cow<'a, str>>>, D::Error> {
    text(deserializer).map(Told::Yes)
}

/// Decodes an element; the error says in words why nothing could be told of it.
pub(super) fn decode(element: &[u8], reading: &Reading<'_>) -> Result<Share, String> {
    if let Ok(wire) = strict::from_slice::<Wire<'_>>(element)
        && is_id(&wire.id)
    {
        return Ok(normalise(&wire, reading));
    }
    loosely(element, reading)
}

/// Decodes an element whose fields may be of other types.
pub(super) fn loosely(element: &[u8], reading: &Reading<'_>) -> Result<Share, String> {
    let fields: Map<String, Value> = serde_json::from_slice(element).map_err(|error| {
        // The error itself may quote what the entry holds.
        format!(
            "it is no share ({:?} error at byte {})",
            error.classify(),
            error.column()
        )
    })?;
    Ok(normalise(&Loose(&fields).wire()?, reading))
}

pub(super) fn is_id(text: &str) -> bool {
    !text.is_empty() && text.len() <= 40 && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Reads fields of whatever type they came in.
struct Loose<'a>(&'a Map<String, Value>);

impl<'a> Loose<'a> {
    fn wire(&self) -> Result<Wire<'a>, String> {
        let id = self
            .text("id")
            .filter(|id| is_id(id))
            .ok_or("it has no share id")?;
        let mut unknown = Vec::new();
        let share_type = self.number("share_type").unwrap_or_else(|| {
            unknown.push("kind");
            i64::MIN
        });
        let mut text = |field: &'static str, report: &'static str| {
            self.text(field).unwrap_or_else(|| {
                unknown.push(report);
                Cow::Borrowed("")
            })
        };
        let uid_owner = text("uid_owner", "shared_by");
        let uid_file_owner = text("uid_file_owner", "owner");
        let path = text("path", "item.path");
        let item_type = text("item_type", "item.kind");
        let mut number = |field: &'static str, report: &'static str| {
            self.number(field).unwrap_or_else(|| {
                unknown.push(report);
                -1
            })
        };
        let permissions = number("permissions", "access");
        let stime = number("stime", "created_at");
        let item_source = self
            .number("item_source")
            .unwrap_or_else(|| number("file_source", "item.id"));
        let expiration = match self.0.get("expiration") {
            Some(Value::Null) => None,
            Some(Value::String(text)) => Some(Cow::Borrowed(text.as_str())),
            _ => {
                unknown.push("expires");
                None
            }
        };
        let password = match self.0.get("password") {
            None => Told::No,
            Some(Value::Null) => Told::Yes(None),
            Some(Value::String(text)) => Told::Yes(Some(Cow::Borrowed(text.as_str()))),
            Some(_) => {
                unknown.push("password");
                Told::No
            }
        };
        Ok(Wire {
            id,
            share_type,
            uid_owner,
            displayname_owner: self.text("displayname_owner"),
            permissions,
            stime,
            expiration,
            token: self.text("token"),
            uid_file_owner,
            displayname_file_owner: self.text("displayname_file_owner"),
            label: self.text("label"),
            path,
            item_type,
            item_source,
            item_size: self.number("item_size"),
            share_with: self.text("share_with"),
            share_with_displayname: self.text("share_with_displayname"),
            share_with_displayname_unique: self.text("share_with_displayname_unique"),
            password,
            hide_download: self.number("hide_download"),
            attributes: self.text("attributes"),
            url: self.text("url"),
            unknown,
        })
    }

    fn text(&self, field: &str) -> Option<Cow<'a, str>> {
        match self.0.get(field)? {
            Value::String(text) => Some(Cow::Borrowed(text)),
            Value::Number(number) => Some(Cow::Owned(number.to_string())),
            _ => None,
        }
    }

    fn number(&self, field: &str) -> Option<i64> {
        match self.0.get(field)? {
            Value::Number(number) => number.as_i64(),
            Value::String(text) => text.trim().parse().ok(),
            Value::Bool(flag) => Some(i64::from(*flag)),
            _ => None,
        }
    }
}

fn normalise(wire: &Wire<'_>, reading: &Reading<'_>) -> Share {
    let mut unknown: Vec<String> = wire.unknown.iter().map(|field| (*field).to_owned()).collect();
    let kind = kind(wire.share_type);
    let anonymous = matches!(kind, ShareKind::Link | ShareKind::Mail);
    let owner_told = !unknown.iter().any(|field| field == "owner");
    let owner_id = if owner_told {
        &wire.uid_file_owner
    } else {
        &wire.uid_owner
    };
    let owner_name = if owner_told {
        &wire.displayname_file_owner
    } else {
        &wire.displayname_owner
    };
    let password = match (&wire.password, anonymous) {
        (_, false) if kind != ShareKind::Other => Some(false),
        (Told::Yes(hash), true) => Some(hash.as_ref().is_some_and(|hash| !hash.is_empty())),
        _ => None,
    };
    if password.is_none() {
        note(&mut unknown, "password");
    }
    let expires = match wire.expiration.as_deref() {
        _ if unknown.iter().any(|field| field == "expires") => Expiry::Unknown,
        None => Expiry::Never,
        Some(stated) => expiry(stated, reading.zone).unwrap_or_else(|| {
            note(&mut unknown, "expires");
            Expiry::Unknown
        }),
    };
    let path_known = !unknown.iter().any(|field| field == "item.path");
    let path = bounded(&wire.path, MAX_PATH);
    if path.len() != wire.path.len() {
        note(&mut unknown, "item.path");
    }
    Share {
        source: reading.source.clone(),
        id: wire.id.clone().into_owned(),
        kind,
        anonymous,
        item: Item {
            id: wire.item_source.to_string(),
            path,
            path_is_owners: path_known
                && owner_told
                && (owner_id == reading.account || owner_id.to_lowercase() == reading.account.to_lowercase()),
            kind: match wire.item_type.as_ref() {
                "file" => ItemKind::File,
                "folder" => ItemKind::Folder,
                _ => ItemKind::Other,
            },
            size: wire.item_size.and_then(|size| u64::try_from(size).ok()),
            files_beneath: None,
            drive: None,
            labels: None,
        },
        owner: account(owner_id, owner_name.as_deref()),
        shared_by: (!wire.uid_owner.is_empty())
            .then(|| account(&wire.uid_owner, wire.displayname_owner.as_deref())),
        recipients: recipient(kind, wire).into_iter().collect(),
        opened_by: Vec::new(),
        access: access(wire, anonymous),
        password,
        expires,
        created_at: (wire.stime > 0)
            .then(|| Timestamp::from_second(wire.stime).ok())
            .flatten(),
        inherited: false,
        label: wire
            .label
            .as_deref()
            .filter(|label| !label.is_empty())
            .map(|label| bounded(&without_links(label, wire.token.as_deref()), MAX_NAME)),
        link: anonymous.then(|| masked_link(wire, reading.base)),
        unknown,
    }
}

/// A label without what opens a link: its own token, and what follows the address of any. Whoever writes labels may have put
/// it there.
fn without_links<'l>(label: &'l str, token: Option<&str>) -> Cow<'l, str> {
    let mut clean = Cow::Borrowed(label);
    if let Some(token) = token.filter(|token| !token.is_empty() && label.contains(token)) {
        clean = Cow::Owned(label.replace(token, "••••"));
    }
    for before in ["/s/", "/public.php/dav/files/"] {
        if clean.contains(before) {
            let mut pieces = clean.split(before);
            let mut masked = pieces.next().unwrap_or_default().to_owned();
            for piece in pieces {
                let is_of_a_token = |sign: char| sign.is_alphanumeric() || matches!(sign, '-' | '_');
                masked.push_str(before);
                masked.push_str("••••");
                masked.push_str(piece.trim_start_matches(is_of_a_token));
            }
            clean = Cow::Owned(masked);
        }
    }
    clean
}

fn note(unknown: &mut Vec<String>, field: &str) {
    if !unknown.iter().any(|known| known == field) {
        unknown.push(field.to_owned());
    }
}

/// The kinds of `OCP\Share\IShare`; decks, science meshes and what comes later are not known.
const KINDS: [(i64, ShareKind); 8] = [
    (0, ShareKind::User),
    (1, ShareKind::Group),
    (3, ShareKind::Link),
    (4, ShareKind::Mail),
    (6, ShareKind::Federated),
    (7, ShareKind::Team),
    (9, ShareKind::FederatedGroup),
    (10, ShareKind::Room),
];

fn kind(share_type: i64) -> ShareKind {
    KINDS
        .into_iter()
        .find_map(|(number, kind)| (number == share_type).then_some(kind))
        .unwrap_or(ShareKind::Other)
}

/// The server's number of a kind, where it has one.
pub(super) fn number(kind: ShareKind) -> Option<i64> {
    KINDS
        .into_iter()
        .find_map(|(number, known)| (known == kind).then_some(number))
}

fn account(id: &str, name: Option<&str>) -> Principal {
    Principal::new(PrincipalClass::Account, bounded(id, MAX_NAME))
        .named(name.map(|name| bounded(name, MAX_NAME)))
}

/// Whom a share was granted to; a public link was granted to nobody.
fn recipient(kind: ShareKind, wire: &Wire<'_>) -> Option<Principal> {
    let class = match kind {
        ShareKind::Link => return None,
        ShareKind::Mail => PrincipalClass::Address,
        ShareKind::User => PrincipalClass::Account,
        ShareKind::Group => PrincipalClass::Group,
        ShareKind::Team => PrincipalClass::Team,
        ShareKind::Room => PrincipalClass::Room,
        ShareKind::Federated => PrincipalClass::Federated,
        ShareKind::FederatedGroup => PrincipalClass::FederatedGroup,
        ShareKind::Other => PrincipalClass::Unknown,
    };
    let name = wire
        .share_with_displayname
        .as_deref()
        .filter(|name| !is_hash(name))
        .map(|name| bounded(name, MAX_NAME));
    // Of a kind that is not known, this field might hold anything, a hash included.
    let id = match (class, wire.share_with.as_deref()) {
        (PrincipalClass::Unknown, _) => name.clone().unwrap_or_default(),
        (_, Some(id)) if is_hash(id) => HIDDEN.to_owned(),
        (_, id) => bounded(id.unwrap_or_default(), MAX_NAME),
    };
    let mut recipient = Principal::new(class, id).named(name);
    recipient.email = match class {
        PrincipalClass::Address => Some(recipient.id.clone()),
        PrincipalClass::Account => wire
            .share_with_displayname_unique
            .as_deref()
            .filter(|unique| unique.contains('@'))
            .map(|unique| bounded(unique, MAX_NAME)),
        _ => None,
    };
    Some(recipient)
}

/// Whether a text is a password's hash as the server writes them: `3|$argon2id$…`, or a bare crypt string.
fn is_hash(text: &str) -> bool {
    let crypt = text.split_once('|').map_or(text, |(_, crypt)| crypt);
    ["$argon2", "$2y$", "$2a$", "$2b$", "$5$", "$6$"]
        .iter()
        .any(|start| crypt.starts_with(start))
}

/// Permission bits beside 1, which is reading.
const BITS: [(u32, Right); 4] = [
    (2, Right::Edit),
    (4, Right::Create),
    (8, Right::Delete),
    (16, Right::Reshare),
];

/// What permission bits allow. The server adds 16 to every readable link while federation is allowed; passing a link on
/// needs no right, so it says nothing there.
fn access(wire: &Wire<'_>, anonymous: bool) -> Access {
    let Ok(bits) = u32::try_from(wire.permissions) else {
        return Access::NONE;
    };
    let mut access = Access::NONE;
    if bits & 1 != 0 {
        access = access.with(Right::View);
        if wire.hide_download.unwrap_or(0) == 0 && !forbids_download(wire.attributes.as_deref()) {
            access = access.with(Right::Download);
        }
    }
    for (bit, right) in BITS {
        if bits & bit != 0 && !(anonymous && right == Right::Reshare) {
            access = access.with(right);
        }
    }
    access
}

/// The permission bits that allow this; that something cannot be downloaded is no matter of theirs.
pub(super) fn bits(access: Access) -> u32 {
    BITS.into_iter()
        .filter(|(_, right)| access.has(*right))
        .fold(u32::from(access.shows()), |bits, (bit, _)| bits | bit)
}

#[derive(Deserialize)]
struct Attribute<'a> {
    scope: &'a str,
    key: &'a str,
    #[serde(default)]
    value: Value,
    #[serde(default)]
    enabled: Value,
}

/// Attributes are JSON in a string: `[{"scope":"permissions","key":"download","value":false}]`, before Nextcloud
/// 30 with `enabled` for `value`.
fn forbids_download(attributes: Option<&str>) -> bool {
    let Some(attributes) = attributes else {
        return false;
    };
    strict::from_str::<Vec<Attribute<'_>>>(attributes).is_ok_and(|attributes| {
        attributes.iter().any(|attribute| {
            attribute.scope == "permissions"
                && attribute.key == "download"
                && (attribute.value == Value::Bool(false) || attribute.enabled == Value::Bool(false))
        })
    })
}

/// `YYYY-MM-DD 00:00:00`, a local date of the reading account, at whose start the share ends.
fn expiry(stated: &str, zone: &TimeZone) -> Option<Expiry> {
    let date: Date = stated.get(..10)?.parse().ok()?;
    let instant = date.to_zoned(zone.clone()).ok()?.timestamp();
    Some(Expiry::At {
        stated: date.to_string(),
        instant,
    })
}

/// The link's address with its token masked. Mail shares come without an address, so it is made up.
fn masked_link(wire: &Wire<'_>, base: &Url) -> String {
    let token = wire.token.as_deref().unwrap_or_default();
    let prefix = wire
        .url
        .as_deref()
        .and_then(|url| url.strip_suffix(token))
        .filter(|prefix| !token.is_empty() && prefix.ends_with("/s/") && !prefix.contains(token));
    match prefix {
        Some(prefix) => format!("{}••••", bounded(prefix, MAX_NAME)),
        None => format!("{}/s/••••", base.as_str().trim_end_matches('/')),
    }
}

fn bounded(text: &str, most: usize) -> String {
    if text.len() <= most {
        return text.to_owned();
    }
    match text.char_indices().nth(most) {
        Some((at, _)) => format!("{}…", text.get(..at).unwrap_or_default()),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests;
