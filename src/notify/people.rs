//! Who is the same person in several sources, and how they are reached. Pure.
//!
//! Two accounts are one person's where the operator's map says so, or where a directory that the organisation manages gives
//! both the same address. An address that people set themselves makes nobody the same as anybody else.

use std::collections::BTreeMap;

use super::{Instead, Language, Reader};
use crate::model::{Principal, PrincipalClass, SourceKind, SourceName};

/// Who is the same person in several sources, as the operator says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identities {
    /// The person of an account, by its source and its id in lower case.
    persons: BTreeMap<(SourceName, String), String>,
    /// The accounts of a person.
    accounts: BTreeMap<String, Vec<(SourceName, String)>>,
}

/// A key of a person with an address that a directory or the operator gives.
const ADDRESS: &str = "address:";
/// A key of a person whom the operator names.
const NAMED: &str = "person:";
/// A key of an account of which nothing more is known.
const ACCOUNT: &str = "account:";

impl Identities {
    /// The persons of accounts: source, id and person.
    #[must_use]
    pub fn new(map: impl IntoIterator<Item = (SourceName, String, String)>) -> Self {
        let mut identities = Self::default();
        for (source, account, person) in map {
            let person = Self::named(&person);
            let of_person = identities.accounts.entry(person.clone()).or_default();
            of_person.push((source.clone(), account.clone()));
            identities
                .persons
                .insert((source, account.to_lowercase()), person);
        }
        identities
    }

    /// Tells the person of an account from all others.
    #[must_use]
    pub fn person(&self, source: &SourceName, kind: SourceKind, account: &Principal) -> String {
        if let Some(person) = self.persons.get(&(source.clone(), account.id.to_lowercase())) {
            return person.clone();
        }
        let managed = account.email.as_deref().filter(|email| {
            kind == SourceKind::Microsoft365
                && account.class == PrincipalClass::Account
                && email.contains('@')
        });
        match managed {
            Some(address) => Self::at(address),
            // Nothing that comes from outside has this sign in it and is taken for an account.
            None => format!("{ACCOUNT}{source}\u{1f}{}", account.id),
        }
    }

    /// Tells a person who is known by an address that the directory or the operator gives.
    #[must_use]
    pub fn at(address: &str) -> String {
        format!("{ADDRESS}{}", address.trim().to_lowercase())
    }

    /// The address that the directory or the operator gives a person.
    #[must_use]
    pub fn address(person: &str) -> Option<&str> {
        person.strip_prefix(ADDRESS)
    }

    /// A person as the map names them: by address, where the name is one.
    #[must_use]
    pub fn named(person: &str) -> String {
        if person.contains('@') {
            Self::at(person)
        } else {
            format!("{NAMED}{person}")
        }
    }

    /// The accounts that the operator says are a person's.
    #[must_use]
    pub fn accounts(&self, person: &str) -> &[(SourceName, String)] {
        self.accounts.get(person).map_or(&[], Vec::as_slice)
    }
}

/// Somebody as they are reached.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reached {
    /// The name; remote text.
    pub name: Option<String>,
    /// Their addresses, the best first: those that a directory manages before those that they set themselves.
    pub addresses: Vec<String>,
    /// Their language, where one was told that there are texts in.
    pub language: Option<Language>,
    /// Whether all their accounts are disabled or gone.
    pub gone: bool,
}

impl Reached {
    /// How somebody with these accounts is reached. An account that is disabled or gone has no say where another is not.
    #[must_use]
    pub fn of(person: &str, accounts: &[(SourceKind, Principal)]) -> Self {
        let is_here = |account: &Principal| !account.gone && account.active != Some(false);
        let gone = !accounts.is_empty() && !accounts.iter().any(|(_, account)| is_here(account));
        let mut heard: Vec<&(SourceKind, Principal)> = accounts
            .iter()
            .filter(|(_, account)| gone || is_here(account))
            .collect();
        heard.sort_by_key(|(kind, _)| *kind != SourceKind::Microsoft365);
        let own = Identities::address(person);
        let mut addresses: Vec<String> = Vec::new();
        // As the directory writes it, rather than in lower case.
        for address in heard
            .iter()
            .filter_map(|(_, account)| account.email.clone())
            .chain(own.map(str::to_owned))
        {
            if !address.trim().is_empty()
                && !addresses.iter().any(|known| known.eq_ignore_ascii_case(&address))
            {
                addresses.push(address);
            }
        }
        if let Some(own) = own {
            addresses.sort_by_key(|address| !address.eq_ignore_ascii_case(own));
        }
        let language = |account: &Principal| account.language.as_deref().and_then(Language::of);
        Self {
            name: heard.iter().find_map(|(_, account)| account.name.clone()),
            addresses,
            language: heard.iter().find_map(|(_, account)| language(account)),
            gone,
        }
    }
}

/// Where letters go that cannot go to whom they concern.
#[derive(Clone, Debug, Default)]
pub struct Routing {
    /// Whoever is told where nobody else can be.
    pub fallback: Option<String>,
    /// Whether the manager is told before that.
    pub managers: bool,
}

/// Where a letter goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// The address, as it is written to.
    pub address: String,
    /// Whom that tells.
    pub told: Reader,
    /// Why not the owner.
    pub instead: Option<Instead>,
}

impl Routing {
    /// Where a letter to somebody goes; or why it can go nowhere. `usable` gives an address as it is written to, or says why
    /// it is not.
    ///
    /// # Errors
    /// Why they cannot be told, where nobody is told instead.
    pub fn route(
        &self,
        reached: &Reached,
        manager: Option<&str>,
        usable: &dyn Fn(&str) -> Result<String, Instead>,
    ) -> Result<Route, Instead> {
        let why = if reached.gone {
            Instead::OwnerGone
        } else {
            let mut first = None;
            for address in &reached.addresses {
                match usable(address) {
                    Ok(address) => {
                        return Ok(Route {
                            address,
                            told: Reader::Owner,
                            instead: None,
                        });
                    }
                    Err(why) => first = first.or(Some(why)),
                }
            }
            first.unwrap_or(Instead::NoAddress)
        };
        self.instead(why, manager, usable)
    }

    /// Where a letter goes that cannot go to whom it concerns.
    ///
    /// # Errors
    /// The reason, where nobody is told instead.
    pub fn instead(
        &self,
        why: Instead,
        manager: Option<&str>,
        usable: &dyn Fn(&str) -> Result<String, Instead>,
    ) -> Result<Route, Instead> {
        let manager = manager.filter(|_| self.managers && why == Instead::OwnerGone);
        let stand_ins = [
            (Reader::Manager, manager),
            (Reader::Fallback, self.fallback.as_deref()),
        ];
        stand_ins
            .into_iter()
            .find_map(|(told, address)| {
                let address = usable(address?).ok()?;
                Some(Route {
                    address,
                    told,
                    instead: Some(why),
                })
            })
            .ok_or(why)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(id: &str, email: Option<&str>) -> Principal {
        Principal {
            email: email.map(str::to_owned),
            name: Some(id.to_uppercase()),
            active: Some(true),
            ..Principal::new(PrincipalClass::Account, id)
        }
    }

    fn disabled(id: &str, email: Option<&str>) -> Principal {
        Principal {
            active: Some(false),
            ..account(id, email)
        }
    }

    fn cloud() -> SourceName {
        SourceName::new("cloud")
    }

    fn m365() -> SourceName {
        SourceName::new("m365")
    }

    use SourceKind::{Microsoft365, Nextcloud};

    #[test]
    fn only_a_directory_or_the_map_makes_two_accounts_one_person() {
        let map = [
            (cloud(), "Mapped", "Mapped@Example.org"),
            (cloud(), "ann", "Ann Smith"),
            (m365(), "ann.smith@example.org", "Ann Smith"),
        ];
        let entry =
            |(source, id, person): (SourceName, &str, &str)| (source, id.to_owned(), person.to_owned());
        let map = Identities::new(map.map(entry));
        let of = |source: &SourceName, kind, id: &str, email| map.person(source, kind, &account(id, email));
        let alice = of(
            &m365(),
            Microsoft365,
            "alice@example.org",
            Some("Alice@example.org"),
        );
        for (what, same, one, other) in [
            (
                "two tenants, one managed address",
                true,
                alice.clone(),
                of(
                    &SourceName::new("other"),
                    Microsoft365,
                    "a@example.org",
                    Some("alice@EXAMPLE.org"),
                ),
            ),
            (
                "an address that somebody set themselves",
                false,
                alice.clone(),
                of(&cloud(), Nextcloud, "mallory", Some("alice@example.org")),
            ),
            (
                "an account that is called like the address",
                false,
                alice,
                of(
                    &cloud(),
                    Nextcloud,
                    "alice@example.org",
                    Some("alice@example.org"),
                ),
            ),
            (
                "two accounts of one address",
                false,
                of(&cloud(), Nextcloud, "one", Some("x@example.org")),
                of(&cloud(), Nextcloud, "two", Some("x@example.org")),
            ),
            (
                "mapped to a managed address",
                true,
                of(&cloud(), Nextcloud, "mapped", Some("elsewhere@example.org")),
                of(&m365(), Microsoft365, "m@example.org", Some("mapped@example.org")),
            ),
            (
                "mapped to a name",
                true,
                of(&cloud(), Nextcloud, "ann", None),
                of(
                    &m365(),
                    Microsoft365,
                    "ann.smith@example.org",
                    Some("a.smith@example.org"),
                ),
            ),
            (
                "called like what another one is mapped to",
                false,
                of(&cloud(), Nextcloud, "ann", None),
                of(&cloud(), Nextcloud, "Ann Smith", None),
            ),
            (
                "the same id in two sources",
                false,
                of(&cloud(), Nextcloud, "bob", None),
                of(&SourceName::new("lab"), Nextcloud, "bob", None),
            ),
        ] {
            assert_eq!(one == other, same, "{what}: {one:?} {other:?}");
        }
        assert_eq!(
            map.accounts(&map.person(&cloud(), Nextcloud, &account("ann", None)))
                .len(),
            2
        );
    }

    #[test]
    fn managed_addresses_come_first_and_disabled_accounts_say_nothing_beside_others() {
        let german = Principal {
            language: Some("de_AT".to_owned()),
            ..account("ann", Some("private@example.org"))
        };
        let reached = Reached::of(
            &Identities::at("ann@example.org"),
            &[
                (Nextcloud, german),
                (
                    Microsoft365,
                    account("ann.s@example.org", Some("Ann@example.org")),
                ),
                (Microsoft365, disabled("old@example.org", Some("old@example.org"))),
            ],
        );
        assert_eq!(reached.addresses, ["Ann@example.org", "private@example.org"]);
        assert_eq!((reached.language, reached.gone), (Some(Language::De), false));
        let gone = Reached::of("account:x", &[(Nextcloud, disabled("x", Some("x@example.org")))]);
        assert!(gone.gone);
        assert_eq!(gone.name.as_deref(), Some("X"));
        let stated = Reached::of(&Identities::at("Office@example.org"), &[]);
        assert_eq!(
            (stated.addresses, stated.gone),
            (vec!["office@example.org".to_owned()], false)
        );
    }

    /// Addresses as the tests have them: what is written to ends in `@example.org`.
    fn usable(address: &str) -> Result<String, Instead> {
        match address.split_once('@') {
            None => Err(Instead::Malformed),
            Some(("all", _)) => Err(Instead::MailingList),
            Some((_, "example.org")) => Ok(address.to_owned()),
            Some(_) => Err(Instead::DomainNotAllowed),
        }
    }

    #[test]
    fn letters_go_to_whom_they_concern_else_to_a_manager_else_to_the_fallback() {
        let (it, boss) = (Some("it@example.org"), Some("boss@example.org"));
        let here = |addresses: &[&str]| Reached {
            addresses: addresses.iter().map(|text| (*text).to_owned()).collect(),
            ..Reached::default()
        };
        let gone = Reached {
            gone: true,
            ..here(&["ann@example.org"])
        };
        let owner = Ok(("ann@example.org", Reader::Owner, None));
        let fallback = |why| Ok(("it@example.org", Reader::Fallback, Some(why)));
        for (what, reached, (manager, managers, to), expected) in [
            ("usable", here(&["ann@example.org"]), (boss, true, it), owner),
            (
                "second best",
                here(&["ann@home.example", "ann@example.org"]),
                (None, false, it),
                owner,
            ),
            ("none", here(&[]), (boss, true, it), fallback(Instead::NoAddress)),
            (
                "outside",
                here(&["ann@home.example", "x"]),
                (boss, true, it),
                fallback(Instead::DomainNotAllowed),
            ),
            (
                "list",
                here(&["all@example.org"]),
                (None, false, it),
                fallback(Instead::MailingList),
            ),
            (
                "malformed",
                here(&["ann"]),
                (None, false, it),
                fallback(Instead::Malformed),
            ),
            (
                "nobody instead",
                here(&["ann"]),
                (boss, true, None),
                Err(Instead::Malformed),
            ),
            (
                "fallback outside",
                here(&[]),
                (None, false, Some("it@home.example")),
                Err(Instead::NoAddress),
            ),
            (
                "gone",
                gone.clone(),
                (boss, false, it),
                fallback(Instead::OwnerGone),
            ),
            (
                "gone, manager",
                gone.clone(),
                (boss, true, it),
                Ok(("boss@example.org", Reader::Manager, Some(Instead::OwnerGone))),
            ),
            (
                "gone, manager outside",
                gone.clone(),
                (Some("b@home.example"), true, it),
                fallback(Instead::OwnerGone),
            ),
            (
                "gone, no manager",
                gone.clone(),
                (None, true, it),
                fallback(Instead::OwnerGone),
            ),
            (
                "gone, nobody",
                gone.clone(),
                (None, true, None),
                Err(Instead::OwnerGone),
            ),
        ] {
            let routing = Routing {
                fallback: to.map(str::to_owned),
                managers,
            };
            let route = routing.route(&reached, manager, &usable);
            let route = route
                .as_ref()
                .map(|route| (route.address.as_str(), route.told, route.instead));
            assert_eq!(route, expected.as_ref().copied(), "{what}");
        }
    }
}
