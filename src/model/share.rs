//! One act of sharing, normalised.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Access, Expiry, Item, Principal, SourceName, names};

names! {
    /// How something is shared.
    ShareKind {
        /// By a link.
        Link = "link",
        /// By a link mailed to an address.
        Mail = "mail",
        /// With an account.
        User = "user",
        /// With a group.
        Group = "group",
        /// With a team.
        Team = "team",
        /// With a conversation room.
        Room = "room",
        /// With a person on another server.
        Federated = "federated",
        /// With a group on another server.
        FederatedGroup = "federated-group",
        /// In a way that this version does not know.
        Other = "other",
    }
}

names! {
    /// Who can open a share: the widest that applies. Ordered by how wide, `Anyone` is the greatest.
    Audience {
        /// People of the organisation, by name.
        Internal = "internal",
        /// Not known who; a team or room whose members were not read.
        Unknown = "unknown",
        /// Somebody outside, by name.
        External = "external",
        /// Everybody in the organisation.
        Organization = "organization",
        /// Whoever has the link.
        Anyone = "anyone",
    }
}

/// One act of sharing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Share {
    /// The source it was read from.
    pub source: SourceName,
    /// The service's own id of the share: Nextcloud's share id (or `file/FILEID` where it tells only
    /// that a node is shared), Microsoft's `DRIVE/ITEM/PERMISSION`.
    pub id: String,
    /// How it is shared.
    pub kind: ShareKind,
    /// Whether anyone who has its address can open it without signing in.
    pub anonymous: bool,
    /// What is shared.
    pub item: Item,
    /// Whose item it is.
    pub owner: Principal,
    /// Who shared it, where told.
    pub shared_by: Option<Principal>,
    /// Whom it was granted to.
    pub recipients: Vec<Principal>,
    /// Who merely opened or was sent a link that is not granted by name, where the service tells: no recipients.
    pub opened_by: Vec<Principal>,
    /// What it allows.
    pub access: Access,
    /// Whether a password protects it; `None` where the service does not tell.
    pub password: Option<bool>,
    /// When it ends.
    pub expires: Expiry,
    /// When it was made, where told.
    pub created_at: Option<Timestamp>,
    /// Whether it comes from a folder above.
    pub inherited: bool,
    /// The label its maker gave it; remote text.
    pub label: Option<String>,
    /// The address with its secret part masked, where it has one.
    pub link: Option<String>,
    /// Fields that the service did not tell, or told in a form this version does not know, by report name.
    pub unknown: Vec<String>,
}

impl Share {
    /// Whether the service told what it allows.
    #[must_use]
    pub fn access_told(&self) -> bool {
        self.access.bits() != 0 && !self.unknown.iter().any(|field| field == "access")
    }

    /// Whether it only takes files in: it shows and changes nothing of what is there.
    #[must_use]
    pub fn is_drop(&self) -> bool {
        self.access_told() && !self.access.shows() && !self.access.changes()
    }
}
