//! Who a permission is for: from the several ways in which Graph tells a party to one principal.
//!
//! <https://learn.microsoft.com/en-us/graph/api/resources/sharepointidentityset?view=graph-rest-1.0>. The claim comes
//! first, since it tells what kind of party it is; an id is looked up among the people of the directory; a mail address
//! alone is somebody without an account.

use super::brief;
use super::claim::{Claim, is_guest_name, is_id};
use super::wire::{Identities, Identity};
use crate::model::{Principal, PrincipalClass};
use crate::provider::microsoft365::people::Directory;

/// Whom a permission is for.
#[derive(Debug, PartialEq)]
pub(super) enum Party {
    Person(Principal),
    Group(Principal),
    Everyone(Principal),
    /// A group of the site itself, whose members Graph does not show.
    SiteGroup(String),
    /// Somebody or something that this version does not know.
    Other(Principal),
}

impl Party {
    /// The party that identities tell, and a claim where there is one.
    pub(super) fn of(told: &Identities, claim: Option<Claim>, people: &Directory) -> Self {
        let group = told.share_point_group.as_ref().or(told.site_group.as_ref());
        // Who a claim tells is not hidden by a group's name beside it.
        if let Some(group) = group.filter(|_| matches!(claim, None | Some(Claim::Other(_)))) {
            return Self::SiteGroup(name_of(group).unwrap_or_else(|| "a group without a name".to_owned()));
        }
        let login = told
            .site_user
            .iter()
            .chain(told.user.iter())
            .chain(told.group.iter())
            .find_map(|identity| identity.login_name.as_deref());
        let claim = claim.or_else(|| login.map(Claim::of_login));
        let shown = [&told.user, &told.group, &told.site_user, &told.application];
        let shown = Shown {
            name: shown.iter().copied().flatten().find_map(name_of),
            email: shown
                .iter()
                .copied()
                .flatten()
                .find_map(|identity| identity.email.as_deref().filter(|email| !email.is_empty())),
        };
        match claim {
            Some(Claim::Everyone) => Self::Everyone(everyone("everyone", "Everyone")),
            Some(Claim::EveryoneInside) => Self::Everyone(everyone(
                "everyone-except-external",
                "Everyone except external users",
            )),
            Some(Claim::Member(name)) => Self::Person(shown.principal(PrincipalClass::Account, &name)),
            Some(Claim::Guest(name)) => Self::Person(shown.guest(&name)),
            Some(Claim::OneTimeCode(address)) => Self::Person(Principal {
                email: Some(brief(&address)),
                ..shown.principal(PrincipalClass::Address, &address)
            }),
            Some(Claim::Group(id)) => Self::Group(shown.principal(PrincipalClass::Group, &id)),
            Some(Claim::GroupOwners(id)) => {
                Self::Group(shown.principal(PrincipalClass::Group, &format!("{id}_o")))
            }
            Some(Claim::Anonymous(name) | Claim::Application(name)) => {
                Self::Other(shown.principal(PrincipalClass::Unknown, &name))
            }
            Some(Claim::Other(claim)) => Self::plain(told, &shown, people)
                .unwrap_or_else(|| Self::Other(shown.principal(PrincipalClass::Unknown, &claim))),
            None => Self::plain(told, &shown, people).unwrap_or_else(|| {
                let known = shown_ids(told).find(|id| !id.is_empty());
                Self::Other(shown.principal(PrincipalClass::Unknown, known.unwrap_or("unknown")))
            }),
        }
    }

    /// The party by ids and addresses, where no claim tells it.
    fn plain(told: &Identities, shown: &Shown<'_>, people: &Directory) -> Option<Self> {
        if let Some(group) = &told.group {
            let id = group.id.as_deref().filter(|id| !id.is_empty())?;
            return Some(Self::Group(
                shown.principal(PrincipalClass::Group, &id.to_lowercase()),
            ));
        }
        let user = told.user.as_ref().or(told.site_user.as_ref())?;
        let id = user.id.as_deref().filter(|id| is_id(id));
        if let Some(name) = id.and_then(|id| people.name_of(id)) {
            return Some(Self::Person(if is_guest_name(&name) {
                shown.guest(&name)
            } else {
                shown.principal(PrincipalClass::Account, &name)
            }));
        }
        let address = shown.email.filter(|email| email.contains('@'));
        match (id, address) {
            (Some(_), Some(address)) => Some(Self::Person(
                shown.principal(PrincipalClass::Account, &address.to_lowercase()),
            )),
            (Some(id), None) => Some(Self::Person(
                shown.principal(PrincipalClass::Account, &id.to_lowercase()),
            )),
            (None, Some(address)) => Some(Self::Person(
                shown.principal(PrincipalClass::Address, &address.to_lowercase()),
            )),
            (None, None) => None,
        }
    }

    /// The principal, where a link names the party.
    pub(super) fn principal(self) -> Principal {
        match self {
            Self::Person(it) | Self::Group(it) | Self::Everyone(it) | Self::Other(it) => it,
            Self::SiteGroup(name) => {
                Principal::new(PrincipalClass::Site, brief(&name.to_lowercase())).named(Some(brief(&name)))
            }
        }
    }
}

/// Whoever in the organisation has a link.
pub(super) fn everyone_with_the_link() -> Principal {
    everyone("organization", "Everyone in the organization who has the link")
}

/// One of the parties that hold everybody, named alike wherever it is met: what the service shows differs from language to
/// language and from claim to claim.
fn everyone(id: &str, name: &str) -> Principal {
    Principal::new(PrincipalClass::Everyone, id).named(Some(name.to_owned()))
}

/// The ids of a party that is not known otherwise.
fn shown_ids(told: &Identities) -> impl Iterator<Item = &str> {
    let ways = [&told.application, &told.user, &told.site_user];
    ways.into_iter().flatten().filter_map(|way| way.id.as_deref())
}

fn name_of(identity: &Identity) -> Option<String> {
    identity
        .display_name
        .as_deref()
        .filter(|name| !name.is_empty())
        .map(brief)
}

/// What the service shows of a party.
struct Shown<'a> {
    name: Option<String>,
    email: Option<&'a str>,
}

impl Shown<'_> {
    fn principal(&self, class: PrincipalClass, id: &str) -> Principal {
        Principal {
            email: self.email.map(brief),
            ..Principal::new(class, brief(id)).named(self.name.clone())
        }
    }

    fn guest(&self, name: &str) -> Principal {
        Principal {
            guest: Some(true),
            ..self.principal(PrincipalClass::Account, name)
        }
    }
}
