//! SharePoint's claims: the login names by which it calls people and groups.
//!
//! The id of a direct grant is the claim, base64url without padding; a site's user carries it as `loginName`. That
//! tells Everyone, groups and guests apart without a request. Forms: Microsoft's and others' code that talks to the
//! service; a claim of another form is kept as it is, and never counts as somebody known.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use percent_encoding::percent_decode_str;

use crate::provider::microsoft365::wire::cut;

/// The longest claim that is looked at.
const LONGEST: usize = 1024;

/// Whom a claim stands for. Names are in lower case, as the service compares them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) enum Claim {
    /// Everyone, guests with an account included.
    Everyone,
    /// Everyone except external users.
    EveryoneInside,
    /// A person of the tenant, by user principal name.
    Member(String),
    /// A guest account, by user principal name.
    Guest(String),
    /// Somebody without an account who signs in by a code sent to this address.
    OneTimeCode(String),
    /// A session of somebody who opened an anonymous link.
    Anonymous(String),
    /// A group, by its id.
    Group(String),
    /// The owners of a group, by its id.
    GroupOwners(String),
    /// An application.
    Application(String),
    /// Another form.
    Other(String),
}

impl Claim {
    /// The claim that is the id of a direct grant; `None` where the id is none.
    pub(in super::super) fn of_id(id: &str) -> Option<Self> {
        if id.len() > LONGEST {
            return None;
        }
        let bytes = URL_SAFE_NO_PAD.decode(id.trim_end_matches('=')).ok()?;
        let claim = String::from_utf8(bytes).ok()?;
        // Every claim begins with its issuer's kind.
        let begins = claim.get(..3)?.to_ascii_lowercase();
        let is_claim = (begins.starts_with("i:0") || begins.starts_with("c:0")) && claim.contains(['|', '(']);
        is_claim.then(|| Self::of_login(&claim))
    }

    /// The claim that is a login name.
    pub(in super::super) fn of_login(login: &str) -> Self {
        let login = cut(login.trim().to_lowercase());
        let mut parts = login.splitn(3, '|');
        let (kind, issuer, value) = (
            parts.next().unwrap_or_default(),
            parts.next().unwrap_or_default(),
            parts.next(),
        );
        match (kind, issuer, value) {
            ("c:0(.s", "true", None) | ("c:0!.s", "windows", None) => Self::Everyone,
            ("c:0-.f", "rolemanager", Some(value)) if value.starts_with("spo-grid-all-users") => {
                Self::EveryoneInside
            }
            ("c:0t.c", "tenant", Some(value)) if is_id(value) => Self::Group(value.to_owned()),
            ("c:0o.c", "federateddirectoryclaimprovider", Some(value)) => match value.strip_suffix("_o") {
                Some(owners) if is_id(owners) => Self::GroupOwners(owners.to_owned()),
                None if is_id(value) => Self::Group(value.to_owned()),
                _ => Self::Other(login),
            },
            ("i:0#.f", "membership", Some(value)) => Self::person(value).unwrap_or(Self::Other(login)),
            ("i:0i.t", _, Some(value)) if value.contains("app@sharepoint") || value.contains('@') => {
                Self::Application(value.to_owned())
            }
            _ => Self::Other(login),
        }
    }

    fn person(name: &str) -> Option<Self> {
        // What was written as `%55` is a capital only now.
        let name = percent_decode_str(name).decode_utf8().ok()?.to_lowercase();
        if let Some(address) = name.strip_prefix("urn:spo:guest#") {
            return (!address.is_empty()).then(|| Self::OneTimeCode(address.to_owned()));
        }
        if name.starts_with("urn:spo:anon#") {
            return Some(Self::Anonymous(name));
        }
        if name.starts_with("urn:") || name.is_empty() {
            return None;
        }
        Some(if is_guest_name(&name) {
            Self::Guest(name)
        } else {
            Self::Member(name)
        })
    }
}

/// Whether a user principal name is a guest's.
pub(in super::super) fn is_guest_name(name: &str) -> bool {
    name.to_lowercase().contains("#ext#")
}

/// Whether a text has the form of a directory object's id.
pub(in super::super) fn is_id(text: &str) -> bool {
    let lengths = [8, 4, 4, 4, 12];
    let mut parts = text.split('-');
    lengths.iter().all(|length| {
        parts
            .next()
            .is_some_and(|part| part.len() == *length && part.bytes().all(|byte| byte.is_ascii_hexdigit()))
    }) && parts.next().is_none()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const GROUP: &str = "11111111-2222-3333-4444-555555555555";

    #[test]
    fn login_names_tell_who_it_is() {
        let owned = str::to_owned;
        for (login, claim) in [
            ("c:0(.s|true", Claim::Everyone),
            ("C:0(.S|True", Claim::Everyone),
            ("c:0!.s|windows", Claim::Everyone),
            ("c:0-.f|rolemanager|spo-grid-all-users/8f2", Claim::EveryoneInside),
            (
                "c:0t.c|tenant|11111111-2222-3333-4444-555555555555",
                Claim::Group(owned(GROUP)),
            ),
            (
                "c:0o.c|federateddirectoryclaimprovider|11111111-2222-3333-4444-555555555555",
                Claim::Group(owned(GROUP)),
            ),
            (
                "c:0o.c|federateddirectoryclaimprovider|11111111-2222-3333-4444-555555555555_o",
                Claim::GroupOwners(owned(GROUP)),
            ),
            (
                "i:0#.f|membership|AnnaL@example.org",
                Claim::Member(owned("annal@example.org")),
            ),
            (
                "i:0#.f|membership|x_partner.net#EXT#@contoso.onmicrosoft.com",
                Claim::Guest(owned("x_partner.net#ext#@contoso.onmicrosoft.com")),
            ),
            (
                "i:0#.f|membership|urn:spo:guest#x@partner.net",
                Claim::OneTimeCode(owned("x@partner.net")),
            ),
            (
                "i:0#.f|membership|urn%3aspo%3aguest#x@partner.net",
                Claim::OneTimeCode(owned("x@partner.net")),
            ),
            (
                "i:0#.f|membership|%55rn%3aspo%3aanon#0a1b",
                Claim::Anonymous(owned("urn:spo:anon#0a1b")),
            ),
            (
                "i:0#.f|membership|urn%3aspo%3aanon#0a1b",
                Claim::Anonymous(owned("urn:spo:anon#0a1b")),
            ),
            (
                "i:0i.t|00000003-0000-0ff1-ce00-000000000000|app@sharepoint",
                Claim::Application(owned("app@sharepoint")),
            ),
            (
                "i:0#.f|membership|urn:spo:new#x",
                Claim::Other(owned("i:0#.f|membership|urn:spo:new#x")),
            ),
            ("c:0t.c|tenant|all", Claim::Other(owned("c:0t.c|tenant|all"))),
            (
                "c:0-.f|rolemanager|spo-new",
                Claim::Other(owned("c:0-.f|rolemanager|spo-new")),
            ),
            ("", Claim::Other(String::new())),
        ] {
            assert_eq!(Claim::of_login(login), claim, "{login}");
        }
    }

    #[test]
    fn ids_of_direct_grants_are_claims_and_those_of_links_are_not() {
        assert_eq!(Claim::of_id("YzowKC5zfHRydWU"), Some(Claim::Everyone));
        let inside = URL_SAFE_NO_PAD.encode("c:0-.f|rolemanager|spo-grid-all-users/1");
        assert!(inside.starts_with("YzowLS5mfHJvbGVtYW5hZ2VyfHNwby1ncmlkLWFsbC11c2Vycy8"));
        assert_eq!(Claim::of_id(&inside), Some(Claim::EveryoneInside));
        for none in [
            "",
            "8ed1c3bb-241d-4e2c-9806-6856b924ccd6",
            "NDQ",
            "\u{fc}",
            "aTow",
        ] {
            assert_eq!(Claim::of_id(none), None, "{none}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_some_claim(login in "\\PC{0,80}", id in "\\PC{0,80}") {
            let _ = (Claim::of_login(&login), Claim::of_id(&id));
            let id = URL_SAFE_NO_PAD.encode(&login);
            let _ = Claim::of_id(&id);
        }
    }
}
