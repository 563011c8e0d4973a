//! The world file as written: `sharewarden.world/v1`.
//!
//! Only shapes and defaults live here. What a value means (who exists, which day "+30d" is) is decided when the
//! world is built. Unknown keys are refused everywhere, so that a misspelt key never silently does nothing.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::microsoft::MicrosoftFile;
pub(crate) use super::settings::{PasswordPolicy, Settings};
use super::when::{Day, Moment};

/// The whole file.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct WorldFile {
    pub(crate) schema: String,
    /// What the world is for; read by people only.
    #[serde(default)]
    pub(crate) description: Option<String>,
    /// The frozen clock; without it the emulator uses the real one.
    #[serde(default)]
    pub(crate) now: Option<jiff::Timestamp>,
    #[serde(default)]
    pub(crate) nextcloud: Option<NextcloudFile>,
    #[serde(default)]
    pub(crate) microsoft365: Option<MicrosoftFile>,
}

/// One Nextcloud server.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct NextcloudFile {
    pub(crate) settings: Settings,
    pub(crate) ex_apps: Vec<ExAppFile>,
    pub(crate) groups: Vec<GroupFile>,
    pub(crate) accounts: Vec<AccountFile>,
    /// Ids of accounts that existed once and may still be named in shares.
    pub(crate) deleted_accounts: Vec<String>,
    pub(crate) teams: Vec<CircleFile>,
    pub(crate) rooms: Vec<CircleFile>,
    pub(crate) tags: Vec<TagFile>,
    pub(crate) shares: Vec<ShareFile>,
    pub(crate) generate: Option<GenerateFile>,
}

/// An application that may act for every account through `AppAPI`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ExAppFile {
    pub(crate) id: String,
    pub(crate) secret: String,
    #[serde(default = "yes")]
    pub(crate) enabled: bool,
    #[serde(default = "first_version")]
    pub(crate) version: String,
}

/// A group of accounts; membership is written at the accounts.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct GroupFile {
    pub(crate) id: String,
    #[serde(default)]
    pub(crate) name: Option<String>,
}

/// A team or a conversation.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CircleFile {
    pub(crate) id: String,
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) owner: Option<String>,
    #[serde(default)]
    pub(crate) members: Vec<String>,
}

/// A system tag.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TagFile {
    pub(crate) id: u64,
    pub(crate) name: String,
    #[serde(default = "yes")]
    pub(crate) visible: bool,
    #[serde(default = "yes")]
    pub(crate) assignable: bool,
}

/// An account and its files.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AccountFile {
    pub(crate) id: String,
    #[serde(default)]
    pub(crate) name: Option<String>,
    #[serde(default)]
    pub(crate) email: Option<String>,
    #[serde(default = "yes")]
    pub(crate) enabled: bool,
    /// Adds the group `admin`.
    #[serde(default)]
    pub(crate) admin: bool,
    #[serde(default)]
    pub(crate) groups: Vec<String>,
    #[serde(default)]
    pub(crate) subadmin: Vec<String>,
    #[serde(default)]
    pub(crate) manager: Option<String>,
    /// None = never.
    #[serde(default)]
    pub(crate) last_login: Option<Moment>,
    #[serde(default = "english")]
    pub(crate) language: String,
    #[serde(default)]
    pub(crate) timezone: String,
    #[serde(default = "database")]
    pub(crate) backend: String,
    #[serde(default)]
    pub(crate) password: Option<String>,
    #[serde(default)]
    pub(crate) app_passwords: Vec<String>,
    /// Quota in bytes; none = unlimited.
    #[serde(default)]
    pub(crate) quota: Option<u64>,
    /// False: `users/details` tells nothing but the id.
    #[serde(default = "yes")]
    pub(crate) details: bool,
    /// The file id of the home folder.
    #[serde(default)]
    pub(crate) home: Option<u64>,
    #[serde(default)]
    pub(crate) files: Vec<FileFile>,
}

/// A file or folder of an account. Folders above it need not be listed.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FileFile {
    /// From the home folder; a folder's ends in `/`.
    pub(crate) path: String,
    #[serde(default)]
    pub(crate) id: Option<u64>,
    #[serde(default)]
    pub(crate) size: Option<u64>,
    #[serde(default)]
    pub(crate) modified: Option<Moment>,
    /// Names of system tags.
    #[serde(default)]
    pub(crate) tags: Vec<String>,
    #[serde(default)]
    pub(crate) trashed: bool,
    /// A folder in which another storage is mounted.
    #[serde(default)]
    pub(crate) mount: bool,
    /// A folder that the server has not looked into: it has no size, and what is in it is not found.
    #[serde(default)]
    pub(crate) unseen: bool,
    /// So many numbered files inside this folder.
    #[serde(default)]
    pub(crate) holds: u32,
}

/// What kind of share, by name or (for kinds this file does not know) by number.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "Value", into = "Value")]
pub(crate) struct ShareKind(pub(crate) i64);

const KINDS: [(&str, i64); 11] = [
    ("user", 0),
    ("group", 1),
    ("link", 3),
    ("mail", 4),
    ("federated", 6),
    ("team", 7),
    ("guest", 8),
    ("federated-group", 9),
    ("room", 10),
    ("deck", 12),
    ("sciencemesh", 15),
];

impl TryFrom<Value> for ShareKind {
    type Error = String;

    fn try_from(value: Value) -> Result<Self, String> {
        if let Some(number) = value.as_i64() {
            return Ok(Self(number));
        }
        let name = value.as_str().unwrap_or_default();
        KINDS
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, number)| Self(*number))
            .ok_or_else(|| {
                let names: Vec<&str> = KINDS.iter().map(|(known, _)| *known).collect();
                format!(
                    "{value} is no kind of share: write one of {}, or a number",
                    names.join(", ")
                )
            })
    }
}

impl From<ShareKind> for Value {
    fn from(kind: ShareKind) -> Self {
        let name = KINDS
            .iter()
            .find(|(_, number)| *number == kind.0)
            .map(|(name, _)| *name);
        name.map_or_else(|| Value::from(kind.0), Value::from)
    }
}

/// One share.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ShareFile {
    #[serde(default)]
    pub(crate) id: Option<u64>,
    #[serde(rename = "type")]
    pub(crate) kind: ShareKind,
    /// Whose file it is.
    pub(crate) owner: String,
    /// The file, from the owner's home.
    pub(crate) path: String,
    /// Who shared it; none = the owner.
    #[serde(default)]
    pub(crate) sharer: Option<String>,
    /// Account, group, address, cloud id, team or room; none for links.
    #[serde(default)]
    pub(crate) recipient: Option<String>,
    #[serde(default)]
    pub(crate) recipient_name: Option<String>,
    /// Bits: 1 read, 2 update, 4 create, 8 delete, 16 share.
    #[serde(default)]
    pub(crate) permissions: Option<u32>,
    #[serde(default)]
    pub(crate) password: Option<String>,
    /// The day at whose start, in the sharer's zone, it ends.
    #[serde(default)]
    pub(crate) expires: Option<Day>,
    #[serde(default)]
    pub(crate) label: String,
    #[serde(default)]
    pub(crate) note: String,
    #[serde(default)]
    pub(crate) created: Option<Moment>,
    #[serde(default)]
    pub(crate) token: Option<String>,
    #[serde(default)]
    pub(crate) hide_download: bool,
    /// JSON text, as the API shows it.
    #[serde(default)]
    pub(crate) attributes: Option<String>,
    /// The name under which recipients see it; none = `/NAME`.
    #[serde(default)]
    pub(crate) target: Option<String>,
    /// Recipients of a group share who have put it away: each is a hidden row.
    #[serde(default)]
    pub(crate) hidden_for: Vec<String>,
    /// When it was downloaded through the link.
    #[serde(default)]
    pub(crate) downloads: Vec<Moment>,
    #[serde(default)]
    pub(crate) download_limit: Option<u64>,
    /// True: the row exists, its file does not any more.
    #[serde(default)]
    pub(crate) vanished: bool,
    /// Overrides fields of the share as the API shows it; `null` removes nothing, it shows null.
    #[serde(default)]
    pub(crate) raw: Map<String, Value>,
}

/// Invented accounts and shares in numbers, for measuring.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct GenerateFile {
    #[serde(default)]
    pub(crate) accounts: u32,
    #[serde(default)]
    pub(crate) shares_each: u32,
    /// Files each; none = as many as shares, at most 1,000.
    #[serde(default)]
    pub(crate) files_each: Option<u32>,
    /// So many of the accounts share a folder of ten files by a link, too.
    #[serde(default)]
    pub(crate) open_folders: u32,
    /// Further shares of single accounts (created when missing).
    #[serde(default)]
    pub(crate) heavy: BTreeMap<String, u32>,
}

fn yes() -> bool {
    true
}

fn first_version() -> String {
    "1.0.0".into()
}

fn english() -> String {
    "en".into()
}

fn database() -> String {
    "Database".into()
}
