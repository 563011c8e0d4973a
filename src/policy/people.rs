//! Who is inside and who is not: the kinds of principals, and the widest audience of a share.
//!
//! What cannot be told is never inside: a malformed address is external, an unread membership is unknown.

use crate::model::{Audience, Principal, PrincipalClass, PrincipalKind, Share, ShareKind};

use super::{
    Policy,
    domain::{self, Server},
    filter::hits,
};

/// The policy's domains and servers, normalised.
#[derive(Debug)]
pub(super) struct People<'p> {
    policy: &'p Policy,
    internal: Vec<String>,
    partners: Vec<String>,
    servers: Vec<Server>,
}

impl<'p> People<'p> {
    pub(super) fn of(policy: &'p Policy) -> Self {
        Self {
            policy,
            internal: domain::normal_all(&policy.internal_domains),
            partners: domain::normal_all(&policy.partner_domains),
            servers: policy
                .internal_servers
                .iter()
                .filter_map(|server| Server::parse(server))
                .collect(),
        }
    }

    /// What a principal is to the organisation.
    ///
    /// An account is a member unless the service calls it a guest's. Where the service does not say, an
    /// account with an address outside the internal domains is external.
    pub(super) fn kind(&self, principal: &Principal) -> PrincipalKind {
        match principal.class {
            PrincipalClass::Account => match principal.guest {
                Some(true) => PrincipalKind::Guest,
                Some(false) => PrincipalKind::Member,
                None if self.internal.is_empty() => PrincipalKind::Member,
                None => address(principal).map_or(PrincipalKind::Member, |address| self.kind_of(address)),
            },
            PrincipalClass::Address => {
                address(principal).map_or(PrincipalKind::External, |address| self.kind_of(address))
            }
            PrincipalClass::Group | PrincipalClass::Team | PrincipalClass::Room => PrincipalKind::Group,
            PrincipalClass::Federated | PrincipalClass::FederatedGroup => PrincipalKind::Federated,
            PrincipalClass::Everyone => PrincipalKind::Everyone,
            PrincipalClass::Site => PrincipalKind::Site,
            PrincipalClass::Unknown => PrincipalKind::Unknown,
        }
    }

    fn kind_of(&self, address: &str) -> PrincipalKind {
        let inside = domain::of_address(address)
            .is_some_and(|domain| self.internal.iter().any(|above| domain::within(&domain, above)));
        if inside {
            PrincipalKind::Member
        } else {
            PrincipalKind::External
        }
    }

    /// Whether a principal is a named outsider without an account here.
    pub(super) fn is_outsider(&self, principal: &Principal, kind: PrincipalKind) -> bool {
        match kind {
            PrincipalKind::External => true,
            PrincipalKind::Federated => !self.is_internal_server(&principal.id),
            _ => false,
        }
    }

    fn is_internal_server(&self, id: &str) -> bool {
        Server::of(id).is_some_and(|server| self.servers.iter().any(|internal| server.is(internal)))
    }

    /// Whether a principal belongs to an expected outside organisation.
    pub(super) fn is_partner(&self, principal: &Principal) -> bool {
        !self.partners.is_empty() && self.partners.iter().any(|partner| belongs(principal, partner))
    }

    /// Whether a group is as good as everybody; `None` where its size would decide and is not known.
    pub(super) fn is_wide(&self, principal: &Principal) -> Option<bool> {
        use PrincipalClass::{FederatedGroup, Group, Room, Team};
        if !matches!(principal.class, Group | Team | Room | FederatedGroup) {
            return Some(false);
        }
        let globs = &self.policy.wide_groups;
        let named =
            hits(globs, &principal.id) || principal.name.as_deref().is_some_and(|name| hits(globs, name));
        match (named, self.policy.wide_group_size, principal.members) {
            (true, _, _) => Some(true),
            (false, None, _) => Some(false),
            (false, Some(size), Some(members)) => Some(members >= size),
            (false, Some(_), None) => None,
        }
    }

    /// Who can open a share: the widest that applies.
    pub(super) fn audience(&self, share: &Share, kinds: &[PrincipalKind]) -> Audience {
        if share.anonymous || share.kind == ShareKind::Mail {
            return Audience::Anyone;
        }
        let untold = share
            .unknown
            .iter()
            .any(|field| field == "recipients" || field == "audience");
        let floor = if share.recipients.is_empty() || share.kind == ShareKind::Other || untold {
            Audience::Unknown
        } else {
            Audience::Internal
        };
        share
            .recipients
            .iter()
            .zip(kinds)
            .map(|(recipient, kind)| self.reach(recipient, *kind))
            .fold(floor, Audience::max)
    }

    fn reach(&self, recipient: &Principal, kind: PrincipalKind) -> Audience {
        if kind == PrincipalKind::Everyone || self.is_wide(recipient) == Some(true) {
            return Audience::Organization;
        }
        let holds_outsiders = recipient.outsiders.is_some_and(|count| count > 0);
        if kind == PrincipalKind::Guest || holds_outsiders || self.is_outsider(recipient, kind) {
            return Audience::External;
        }
        if kind == PrincipalKind::Unknown || is_unread(recipient) {
            return Audience::Unknown;
        }
        Audience::Internal
    }
}

/// Whether a recipient stands for people who were not read: a team, a room or a site group.
///
/// An adapter gives the number of members of those only when it read who they are.
pub(super) fn is_unread(recipient: &Principal) -> bool {
    let hides = matches!(
        recipient.class,
        PrincipalClass::Team | PrincipalClass::Room | PrincipalClass::Site
    );
    hides && recipient.members.is_none()
}

/// Whether an account is disabled or deleted; `None` where that was not told. Others never depart.
pub(super) fn departed(person: &Principal) -> Option<bool> {
    if person.class != PrincipalClass::Account {
        return Some(false);
    }
    if person.gone {
        Some(true)
    } else {
        person.active.map(|active| !active)
    }
}

/// The mail address of a principal: an address is its own, an account may have one.
pub(super) fn address(principal: &Principal) -> Option<&str> {
    let id = Some(principal.id.as_str()).filter(|id| id.contains('@'));
    let email = principal.email.as_deref();
    match principal.class {
        PrincipalClass::Address => id.or(email),
        PrincipalClass::Federated | PrincipalClass::FederatedGroup => email,
        _ => email.or(id),
    }
}

/// Whether a principal's mail domain, or the server of a federated one, is or lies beneath a normalised domain.
pub(super) fn belongs(principal: &Principal, above: &str) -> bool {
    match principal.class {
        PrincipalClass::Federated | PrincipalClass::FederatedGroup => {
            Server::of(&principal.id).is_some_and(|server| domain::within(&server.host, above))
        }
        _ => address(principal)
            .and_then(domain::of_address)
            .is_some_and(|domain| domain::within(&domain, above)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::fixtures::{account, address, globs, group, guest, named, policy, share};

    fn audience(policy: &Policy, share: &Share) -> Audience {
        let people = People::of(policy);
        let kinds: Vec<_> = share
            .recipients
            .iter()
            .map(|recipient| people.kind(recipient))
            .collect();
        people.audience(share, &kinds)
    }

    #[test]
    fn the_widest_audience_counts() {
        let policy = Policy {
            wide_groups: globs(&["all-*", "students"]),
            wide_group_size: Some(500),
            ..policy()
        };
        let everyone = || Principal::new(PrincipalClass::Everyone, "everyone");
        let of = |class, id: &str| Principal::new(class, id);
        for (recipients, expected) in [
            (vec![account("bob")], Audience::Internal),
            (vec![group("staff")], Audience::Internal),
            (vec![group("All-Staff")], Audience::Organization),
            (
                vec![Principal {
                    name: Some("students".into()),
                    ..group("g-17")
                }],
                Audience::Organization,
            ),
            (
                vec![Principal {
                    members: Some(500),
                    ..group("big")
                }],
                Audience::Organization,
            ),
            (
                vec![Principal {
                    members: Some(499),
                    ..group("small")
                }],
                Audience::Internal,
            ),
            (vec![everyone(), address("x@evil.net")], Audience::Organization),
            (vec![account("bob"), address("x@evil.net")], Audience::External),
            (vec![address("x@maths.example.org")], Audience::Internal),
            (vec![address("x@partner.example.net")], Audience::External),
            (vec![guest("gus@evil.net")], Audience::External),
            (vec![of(PrincipalClass::Team, "t1")], Audience::Unknown),
            (vec![of(PrincipalClass::Site, "s1")], Audience::Unknown),
            (
                vec![of(PrincipalClass::Room, "r1"), address("x@evil.net")],
                Audience::External,
            ),
            (
                vec![Principal {
                    members: Some(3),
                    ..of(PrincipalClass::Team, "t1")
                }],
                Audience::Internal,
            ),
            (vec![of(PrincipalClass::Unknown, "?")], Audience::Unknown),
            (
                vec![of(PrincipalClass::Federated, "ann@cloud2.example.org")],
                Audience::Internal,
            ),
            (
                vec![of(PrincipalClass::Federated, "ann@elsewhere.example.net")],
                Audience::External,
            ),
            (vec![], Audience::Unknown),
        ] {
            let share = Share {
                recipients: recipients.clone(),
                ..share()
            };
            assert_eq!(audience(&policy, &share), expected, "{recipients:?}");
        }
    }

    #[test]
    fn links_are_anyones_and_what_is_not_known_is_not_internal() {
        let policy = policy();
        let anonymous = Share {
            anonymous: true,
            ..share()
        };
        let mail = Share {
            kind: ShareKind::Mail,
            ..share()
        };
        let other = Share {
            kind: ShareKind::Other,
            ..share()
        };
        let untold = Share {
            unknown: vec!["recipients".into()],
            ..share()
        };
        assert_eq!(audience(&policy, &anonymous), Audience::Anyone);
        assert_eq!(audience(&policy, &mail), Audience::Anyone);
        assert_eq!(audience(&policy, &other), Audience::Unknown);
        assert_eq!(audience(&policy, &untold), Audience::Unknown);
    }

    #[test]
    fn kinds_follow_what_the_service_says_and_then_the_domains() {
        let policy = policy();
        let people = People::of(&policy);
        let untold = |email: &str| Principal {
            guest: None,
            ..named("bob", email)
        };
        for (principal, expected) in [
            (account("bob"), PrincipalKind::Member),
            (named("bob", "bob@private.example.com"), PrincipalKind::Member),
            (untold("bob@private.example.com"), PrincipalKind::External),
            (untold("bob@EXAMPLE.org"), PrincipalKind::Member),
            (
                Principal::new(PrincipalClass::Account, "bob"),
                PrincipalKind::Member,
            ),
            (guest("gus@evil.net"), PrincipalKind::Guest),
            (address("bob@example.org"), PrincipalKind::Member),
            (address("no address"), PrincipalKind::External),
            (
                Principal::new(PrincipalClass::Federated, "a@cloud2.example.org"),
                PrincipalKind::Federated,
            ),
            (
                Principal::new(PrincipalClass::FederatedGroup, "g@x.net"),
                PrincipalKind::Federated,
            ),
        ] {
            assert_eq!(people.kind(&principal), expected, "{principal:?}");
        }
    }
}
