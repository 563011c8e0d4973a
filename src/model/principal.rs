//! Who owns, shares and receives.

use serde::{Deserialize, Serialize};

use super::names;

names! {
    /// What a principal is to the service that told of it; with the id it names a principal of a source.
    PrincipalClass {
        /// An account of the service.
        Account = "account",
        /// A group.
        Group = "group",
        /// A team (Nextcloud's circles).
        Team = "team",
        /// A conversation room.
        Room = "room",
        /// A mail address without an account.
        Address = "address",
        /// A person on another server.
        Federated = "federated",
        /// A group on another server.
        FederatedGroup = "federated-group",
        /// Everyone in the organisation.
        Everyone = "everyone",
        /// A library or shared folder that no person owns.
        Site = "site",
        /// Something that this version does not know.
        Unknown = "unknown",
    }
}

names! {
    /// How a report calls a principal, after judging it by the policy's domains.
    PrincipalKind {
        /// A person of the organisation.
        Member = "member",
        /// A guest account.
        Guest = "guest",
        /// Somebody outside.
        External = "external",
        /// A group, team or room.
        Group = "group",
        /// Everyone in the organisation.
        Everyone = "everyone",
        /// Somebody on another server.
        Federated = "federated",
        /// A library or shared folder that no person owns.
        Site = "site",
        /// Not known.
        Unknown = "unknown",
    }
}

/// A person, group or address, as far as the service told. All text is remote.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Principal {
    /// What it is to the service.
    pub class: PrincipalClass,
    /// The service's id: an account id, group id, mail address or federated id.
    pub id: String,
    /// The display name.
    pub name: Option<String>,
    /// The mail address.
    pub email: Option<String>,
    /// Whether an account is a guest's; `None` where not told.
    pub guest: Option<bool>,
    /// Whether an account can sign in; `Some(false)` when it is disabled or deleted, `None` where not told.
    pub active: Option<bool>,
    /// Whether an account is known to exist no longer.
    pub gone: bool,
    /// Whether an account ever signed in; `None` where not told.
    pub signed_in: Option<bool>,
    /// The groups of an account, where they were read.
    pub groups: Vec<String>,
    /// How many members a group has, where that was read.
    pub members: Option<u64>,
    /// How many of a group's members are guests or otherwise from outside, where that was read.
    pub outsiders: Option<u64>,
    /// Who answers for a site that no person owns: mail addresses or account ids.
    pub answered_by: Vec<String>,
    /// The account's time zone, where told.
    pub zone: Option<String>,
    /// The account's language, where told.
    pub language: Option<String>,
    /// The id of the account's manager; empty where the directory names none, `None` where it was not asked.
    pub manager: Option<String>,
}

impl Principal {
    /// A principal of which only its id is known.
    pub fn new(class: PrincipalClass, id: impl Into<String>) -> Self {
        Self {
            class,
            id: id.into(),
            name: None,
            email: None,
            guest: None,
            active: None,
            gone: false,
            signed_in: None,
            groups: Vec::new(),
            members: None,
            outsiders: None,
            answered_by: Vec::new(),
            zone: None,
            language: None,
            manager: None,
        }
    }

    /// The same principal with a display name; an empty one is none.
    #[must_use]
    pub fn named(mut self, name: Option<String>) -> Self {
        self.name = name.filter(|name| !name.is_empty());
        self
    }
}
