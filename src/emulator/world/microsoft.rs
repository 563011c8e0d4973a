//! The `microsoft365` section of a world file as written: a tenant, its people, sites, files and permissions.
//!
//! Only shapes and defaults live here; what they mean is decided when the tenant is built. Unknown keys are refused.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub(crate) use super::switches::{ClaimsAs, InheritedFrom, Limits, NoExpiry, Switches};
use super::when::Moment;

/// One tenant.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct MicrosoftFile {
    pub(crate) tenant: TenantFile,
    pub(crate) app: AppFile,
    pub(crate) settings: TenantSettings,
    pub(crate) switches: Switches,
    pub(crate) limits: Limits,
    pub(crate) users: Vec<UserFile>,
    pub(crate) groups: Vec<GroupFile>,
    pub(crate) sites: Vec<SiteFile>,
    pub(crate) permissions: Vec<PermissionFile>,
    pub(crate) generate: Option<GenerateFile>,
}

/// The tenant itself.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct TenantFile {
    /// None = made from the domain.
    pub(crate) id: Option<String>,
    pub(crate) domain: String,
    pub(crate) name: String,
    /// None = only `domain`.
    pub(crate) verified_domains: Vec<String>,
    /// `NAME` of `NAME.sharepoint.com`; none = the first label of the domain.
    pub(crate) sharepoint: Option<String>,
}

impl Default for TenantFile {
    fn default() -> Self {
        Self {
            id: None,
            domain: "example.org".into(),
            name: "Example".into(),
            verified_domains: Vec::new(),
            sharepoint: None,
        }
    }
}

/// The application that signs in.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct AppFile {
    pub(crate) client_id: String,
    pub(crate) name: String,
    pub(crate) secret: Option<String>,
    pub(crate) secret_expired: bool,
    /// PEM texts.
    pub(crate) certificates: Vec<String>,
    /// Assertions of other identity providers, word for word.
    pub(crate) federated: Vec<String>,
    /// Application permissions that are consented to.
    pub(crate) roles: Vec<String>,
    /// Delegated permissions that are consented to.
    pub(crate) delegated: Vec<String>,
    pub(crate) disabled: bool,
    /// What `X-IDENTITY-HEADER` has to say; none = there is no App Service identity.
    pub(crate) identity_header: Option<String>,
}

impl Default for AppFile {
    fn default() -> Self {
        let texts = |all: &[&str]| all.iter().map(ToString::to_string).collect();
        Self {
            client_id: "00000000-0000-4000-8000-00000000a11d".into(),
            name: "Share audit".into(),
            secret: None,
            secret_expired: false,
            certificates: Vec::new(),
            federated: Vec::new(),
            roles: texts(&[
                "User.Read.All",
                "GroupMember.Read.All",
                "Files.Read.All",
                "Sites.FullControl.All",
                "SharePointTenantSettings.Read.All",
            ]),
            delegated: texts(&["User.Read", "Files.Read", "Files.Read.All", "offline_access"]),
            disabled: false,
            identity_header: None,
        }
    }
}

/// What the tenant allows: the fields of `/admin/sharepoint/settings`, and what that does not tell.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct TenantSettings {
    pub(crate) sharing_capability: String,
    pub(crate) sharing_domain_restriction_mode: String,
    pub(crate) sharing_allowed_domain_list: Vec<String>,
    pub(crate) sharing_blocked_domain_list: Vec<String>,
    pub(crate) is_resharing_by_external_users_enabled: bool,
    pub(crate) is_require_accepting_user_to_match_invited_user_enabled: bool,
    pub(crate) deleted_user_personal_site_retention_period_in_days: u32,
    pub(crate) is_legacy_auth_protocols_enabled: bool,
    /// The most days that an anonymous link may live; never told by the API.
    pub(crate) link_expiry_days: Option<u32>,
    /// Fields put over the answer, for hostile values.
    pub(crate) raw: Map<String, Value>,
}

impl Default for TenantSettings {
    fn default() -> Self {
        Self {
            sharing_capability: "externalUserAndGuestSharing".into(),
            sharing_domain_restriction_mode: "none".into(),
            sharing_allowed_domain_list: Vec::new(),
            sharing_blocked_domain_list: Vec::new(),
            is_resharing_by_external_users_enabled: true,
            is_require_accepting_user_to_match_invited_user_enabled: false,
            deleted_user_personal_site_retention_period_in_days: 30,
            is_legacy_auth_protocols_enabled: false,
            link_expiry_days: None,
            raw: Map::new(),
        }
    }
}

/// A person of the directory, and what is in the person's `OneDrive`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct UserFile {
    pub(crate) upn: String,
    #[serde(default)]
    pub(crate) id: Option<String>,
    #[serde(default)]
    pub(crate) name: Option<String>,
    #[serde(default)]
    pub(crate) mail: Option<String>,
    #[serde(default)]
    pub(crate) guest: bool,
    #[serde(default = "yes")]
    pub(crate) enabled: bool,
    /// No longer in the directory; the `OneDrive` is still found by its site.
    #[serde(default)]
    pub(crate) deleted: bool,
    /// None = members have one, guests have none.
    #[serde(default)]
    pub(crate) drive: Option<DriveState>,
    #[serde(default)]
    pub(crate) language: Option<String>,
    /// The manager's user principal name.
    #[serde(default)]
    pub(crate) manager: Option<String>,
    #[serde(default)]
    pub(crate) items: Vec<ItemFile>,
}

/// Whether a person has a `OneDrive`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Value", into = "Value")]
pub(crate) enum DriveState {
    Ready,
    /// No licence: there cannot be one.
    None,
    /// Licensed, never opened.
    Unprovisioned,
    /// Blocked by an administrator.
    Locked,
    /// Archived for want of a licence.
    Archived,
    /// The application has no right to it.
    Refused,
    /// The whole tenant has no `SharePoint`.
    NoSharepoint,
}

const DRIVES: [(&str, DriveState); 6] = [
    ("ready", DriveState::Ready),
    ("unprovisioned", DriveState::Unprovisioned),
    ("locked", DriveState::Locked),
    ("archived", DriveState::Archived),
    ("refused", DriveState::Refused),
    ("no-sharepoint", DriveState::NoSharepoint),
];

impl TryFrom<Value> for DriveState {
    type Error = String;

    fn try_from(value: Value) -> Result<Self, String> {
        let named = |name: &str| DRIVES.iter().find(|(known, _)| *known == name);
        match &value {
            Value::Bool(true) => Ok(Self::Ready),
            Value::Bool(false) => Ok(Self::None),
            Value::String(name) if named(name).is_some() => {
                Ok(named(name).map_or(Self::None, |(_, state)| *state))
            }
            _ => {
                let names: Vec<&str> = DRIVES.iter().map(|(name, _)| *name).collect();
                Err(format!(
                    "{value} is no state of a drive: write true, false, {}",
                    names.join(", ")
                ))
            }
        }
    }
}

impl From<DriveState> for Value {
    fn from(state: DriveState) -> Self {
        let name = DRIVES.iter().find(|(_, known)| *known == state);
        name.map_or(Self::Bool(false), |(name, _)| Self::from(*name))
    }
}

/// A group of people.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct GroupFile {
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) id: Option<String>,
    #[serde(default)]
    pub(crate) mail: Option<String>,
    /// A Microsoft 365 group; else a security group.
    #[serde(default)]
    pub(crate) unified: bool,
    /// User principal names, or names of groups.
    #[serde(default)]
    pub(crate) members: Vec<String>,
    #[serde(default)]
    pub(crate) owners: Vec<String>,
}

/// A site and its libraries.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SiteFile {
    /// Such as `/sites/exams`.
    pub(crate) path: String,
    #[serde(default)]
    pub(crate) name: Option<String>,
    /// The name of the group whose site it is.
    #[serde(default)]
    pub(crate) group: Option<String>,
    /// The path of the site above: then it is a sub-site.
    #[serde(default)]
    pub(crate) parent: Option<String>,
    #[serde(default)]
    pub(crate) locked: bool,
    #[serde(default)]
    pub(crate) archived: bool,
    /// The application has no right to it.
    #[serde(default)]
    pub(crate) refused: bool,
    /// Sharing with strangers is switched off here.
    #[serde(default)]
    pub(crate) sharing_disabled: bool,
    /// None = one library, `Documents`.
    #[serde(default)]
    pub(crate) drives: Vec<LibraryFile>,
}

/// A library of a site.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LibraryFile {
    pub(crate) name: String,
    /// Shown only to who asks for system libraries.
    #[serde(default)]
    pub(crate) system: bool,
    #[serde(default)]
    pub(crate) items: Vec<ItemFile>,
}

/// A file or folder. Folders above it need not be listed.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ItemFile {
    /// From the drive's root; a folder's ends in `/`.
    pub(crate) path: String,
    #[serde(default)]
    pub(crate) id: Option<String>,
    #[serde(default)]
    pub(crate) size: Option<u64>,
    #[serde(default)]
    pub(crate) created: Option<Moment>,
    #[serde(default)]
    pub(crate) modified: Option<Moment>,
    /// The user principal name of who made it; none = the drive's owner.
    #[serde(default)]
    pub(crate) author: Option<String>,
    /// The id of a sensitivity label, or the code with which reading it fails, as `!fileDoubleKeyEncrypted`.
    #[serde(default)]
    pub(crate) sensitivity_label: Option<String>,
    /// The name of a retention label.
    #[serde(default)]
    pub(crate) retention_label: Option<String>,
    /// Such as `oneNote`; the path then ends in `/`.
    #[serde(default)]
    pub(crate) package: Option<String>,
    #[serde(default)]
    pub(crate) malware: bool,
    /// Gone: it was there once.
    #[serde(default)]
    pub(crate) deleted: bool,
    /// So many numbered files inside this folder.
    #[serde(default)]
    pub(crate) holds: u32,
    /// Fields put over the item as the API shows it.
    #[serde(default)]
    pub(crate) raw: Map<String, Value>,
}

/// A link, a grant or an invitation on one item.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct PermissionFile {
    /// Whose `OneDrive`.
    pub(crate) owner: Option<String>,
    /// Or which site …
    pub(crate) site: Option<String>,
    /// … and library; none = its first.
    pub(crate) drive: Option<String>,
    /// From the drive's root; `/` is the root.
    pub(crate) path: String,
    pub(crate) id: Option<String>,
    pub(crate) link: Option<LinkFile>,
    pub(crate) grant: Option<Who>,
    pub(crate) invitation: Option<InvitationFile>,
    /// None = what the link's type means, or `read`.
    pub(crate) roles: Option<Vec<String>>,
    pub(crate) expires: Option<Moment>,
    /// When it was opened without signing in.
    pub(crate) used: Vec<UseFile>,
    /// Breaks the inheritance: nothing of what the folders above had until now counts here.
    pub(crate) unique: bool,
    /// Fields put over the permission as the API shows it; `null` shows null.
    pub(crate) raw: Map<String, Value>,
}

/// That somebody opened a link.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct UseFile {
    pub(crate) at: Moment,
    /// From which address; none = it is not on record.
    #[serde(default)]
    pub(crate) ip: Option<String>,
    /// As whom, by user principal name; none = nobody had signed in.
    #[serde(default)]
    pub(crate) user: Option<String>,
}

/// A sharing link.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct LinkFile {
    /// `anonymous`, `organization`, `users`, `existingAccess` or anything; empty = not shown.
    pub(crate) scope: String,
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) password: Option<String>,
    pub(crate) prevents_download: bool,
    /// Who was added, or has redeemed it.
    pub(crate) people: Vec<Who>,
    pub(crate) web_url: Option<String>,
    /// The application that made it.
    pub(crate) application: Option<String>,
}

impl Default for LinkFile {
    fn default() -> Self {
        Self {
            scope: "anonymous".into(),
            kind: "view".into(),
            password: None,
            prevents_download: false,
            people: Vec::new(),
            web_url: None,
            application: None,
        }
    }
}

/// Somebody who may have been given something.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Who {
    /// A person of the directory, by user principal name.
    User(String),
    /// A group, by name or id: a security group, or the members of a Microsoft 365 group.
    Group(String),
    /// The owners of a Microsoft 365 group.
    GroupOwners(String),
    /// A group of the site's own.
    SiteGroup(String),
    Everyone(bool),
    EveryoneExceptExternal(bool),
    /// A one-time-passcode guest, by address.
    Otp(String),
    /// An application, by name.
    Application(String),
    /// A claim as it is.
    Claim(String),
}

/// An invitation by mail that may wait to be accepted.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct InvitationFile {
    pub(crate) email: String,
    #[serde(default = "yes")]
    pub(crate) sign_in_required: bool,
    /// A user principal name.
    #[serde(default)]
    pub(crate) invited_by: Option<String>,
    #[serde(default)]
    pub(crate) redeemed_by: Option<String>,
}

/// Invented drives and permissions in numbers, for measuring.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct GenerateFile {
    /// People `user00001`…, each with a `OneDrive`.
    pub(crate) drives: u32,
    pub(crate) items_each: u32,
    /// So many of a hundred items are folders.
    pub(crate) folders_percent: u32,
    /// So many items of each drive are shared; none = `roots_percent` of a hundred.
    pub(crate) roots_each: Option<u32>,
    pub(crate) roots_percent: u32,
    pub(crate) links_each: u32,
    pub(crate) grants_each: u32,
    /// Further items of single people (created when missing).
    pub(crate) heavy: BTreeMap<String, u32>,
}

impl Default for GenerateFile {
    fn default() -> Self {
        Self {
            drives: 0,
            items_each: 100,
            folders_percent: 10,
            roots_each: None,
            roots_percent: 1,
            links_each: 1,
            grants_each: 1,
            heavy: BTreeMap::new(),
        }
    }
}

fn yes() -> bool {
    true
}
