//! A configured system, and what its settings say about the whole of it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{ShareKind, names};

names! {
    /// Which kind of system a source is.
    SourceKind {
        /// A Nextcloud server.
        Nextcloud = "nextcloud",
        /// A Microsoft 365 tenant.
        Microsoft365 = "microsoft365",
    }
}

/// The configured name of a source; part of every finding's identity.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SourceName(String);

impl SourceName {
    /// Takes a name as the configuration gives it.
    pub fn new(name: impl Into<String>) -> Self {
        Self(name.into())
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for SourceName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(&self.0)
    }
}

names! {
    /// A setting of a source that rules ask for.
    Fact {
        /// Links must have a password: `true` or `false`.
        LinkPasswordEnforced = "link-password-enforced",
        /// Links must have an expiry date.
        LinkExpiryEnforced = "link-expiry-enforced",
        /// Mail shares must have a password.
        MailPasswordEnforced = "mail-password-enforced",
        /// The server mails the password of a mail share to its recipient.
        PasswordsMailed = "passwords-mailed",
        /// The password policy asks for 12 characters or more and a mix of kinds.
        PasswordPolicyStrong = "password-policy-strong",
        /// Anyone-links can be made at all.
        AnonymousLinksAllowed = "anonymous-links-allowed",
        /// Guests may share on what was shared with them.
        GuestsMayReshare = "guests-may-reshare",
        /// Links of disabled accounts are dead (Nextcloud's `hide_disabled_user_shares`).
        DisabledAccountsLinksDead = "disabled-accounts-links-dead",
        /// Account details (active, ever signed in) were read for this source.
        AccountDetailsRead = "account-details-read",
    }
}

/// What is known of a source as a whole; a fact that is absent is unknown.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceFacts {
    /// Facts that the service told or the operator stated.
    pub facts: BTreeMap<Fact, bool>,
    /// The product and version as the service names itself, for the report's reader.
    pub product: Option<String>,
    /// The days after which the service ends a link at the latest, where it enforces that.
    pub max_expiry_days: Option<u32>,
    /// The same for shares with people and groups of the service itself.
    #[serde(default)]
    pub max_internal_expiry_days: Option<u32>,
    /// The same for shares with people and groups of other servers.
    #[serde(default)]
    pub max_remote_expiry_days: Option<u32>,
    /// What the operator stated because the service does not tell it, by the name of the setting.
    pub stated: BTreeMap<String, String>,
}

impl SourceFacts {
    /// One fact, `None` where it is not known.
    #[must_use]
    pub fn get(&self, fact: Fact) -> Option<bool> {
        self.facts.get(&fact).copied()
    }

    /// The days after which the service ends a share of a kind at the latest, where it enforces that.
    #[must_use]
    pub fn most_days(&self, kind: ShareKind) -> Option<u32> {
        match kind {
            ShareKind::Link | ShareKind::Mail => self.max_expiry_days,
            ShareKind::User | ShareKind::Group | ShareKind::Room => self.max_internal_expiry_days,
            ShareKind::Federated | ShareKind::FederatedGroup => self.max_remote_expiry_days,
            // A Nextcloud 32.0.1 with a maximum took any date for a team, and none.
            ShareKind::Team | ShareKind::Other => None,
        }
    }

    /// Records a fact.
    pub fn set(&mut self, fact: Fact, value: bool) {
        self.facts.insert(fact, value);
    }
}
