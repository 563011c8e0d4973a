//! Addresses as directories hold them, and whether they are written to. Pure.
//!
//! An address is read as RFC 5321 has it, but for what mail servers are known to read differently: a quoted part with
//! signs in it that stand for something, routes through other hosts, encoded words. Such an address could lead a letter
//! out of the domains that are written to, and is none here.

use std::fmt;

use globset::GlobSet;
use url::Host;

use super::Instead;

/// The longest part before the `@`, and the longest address, in bytes (RFC 5321, 4.5.3.1).
const LONGEST_LOCAL: usize = 64;
const LONGEST: usize = 254;

/// An address, its domain in lower case and in the form that DNS knows.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Address {
    local: String,
    domain: String,
}

/// A text is no address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is no mail address")]
pub struct Malformed;

/// Which addresses are written to, and as what.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// The domains that are written to, sub-domains included, in lower case.
    pub allowed_domains: Vec<String>,
    /// Addresses that are lists, compared in lower case.
    pub mailing_lists: GlobSet,
    /// Domains whose mail goes by a secure network: their ends, and what stands in their place; in lower case.
    pub secure_routes: Vec<(String, String)>,
}

impl Address {
    /// Reads an address.
    ///
    /// # Errors
    /// [`Malformed`], also where it would have to be written in more than ASCII before the `@`.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        let (local, domain) = text.trim().rsplit_once('@').ok_or(Malformed)?;
        let local = unquoted(local);
        let domain = domain_of(domain)?;
        let is_atom = !local.is_empty() && local.split('.').all(|atom| !atom.is_empty());
        // A route through another host, or a word that is decoded before it is read.
        let leads_on = local.contains(['%', '!']) || local.contains("=?");
        let is_short = local.len() <= LONGEST_LOCAL && local.len() + 1 + domain.len() <= LONGEST;
        if is_atom && local.bytes().all(is_atext) && !leads_on && is_short {
            let local = local.to_owned();
            // What sends letters has to take it, too.
            lettre::Address::new(local.as_str(), domain.as_str()).map_err(|_cause| Malformed)?;
            return Ok(Self { local, domain });
        }
        Err(Malformed)
    }

    /// The domain.
    #[must_use]
    pub fn domain(&self) -> &str {
        &self.domain
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.local, self.domain)
    }
}

impl Rules {
    /// The address that is written to for one that a directory holds.
    ///
    /// # Errors
    /// Why it is not written to.
    pub fn usable(&self, text: &str) -> Result<Address, Instead> {
        let address = Address::parse(text).map_err(|Malformed| Instead::Malformed)?;
        if self.mailing_lists.is_match(address.to_string().to_lowercase()) {
            return Err(Instead::MailingList);
        }
        let is_allowed = self
            .allowed_domains
            .iter()
            .any(|domain| before(&address.domain, domain).is_some());
        if is_allowed {
            Ok(self.routed(address))
        } else {
            Err(Instead::DomainNotAllowed)
        }
    }

    /// An address as its secure network has it, by the longest end that fits. One that goes by such a network already
    /// stays as it is.
    fn routed(&self, address: Address) -> Address {
        let routes = &self.secure_routes;
        let domain = &address.domain;
        if routes
            .iter()
            .any(|(_, becomes)| before(domain, becomes).is_some())
        {
            return address;
        }
        let longest = routes
            .iter()
            .filter_map(|(suffix, becomes)| Some((suffix, becomes, before(domain, suffix)?)))
            .max_by_key(|(suffix, ..)| suffix.len());
        match longest {
            Some((_, becomes, rest)) => Address {
                domain: format!("{rest}{becomes}"),
                ..address
            },
            None => address,
        }
    }
}

/// What stands before an end of a domain that begins where a label does.
fn before<'d>(domain: &'d str, end: &str) -> Option<&'d str> {
    let rest = domain.strip_suffix(end)?;
    (rest.is_empty() || rest.ends_with('.')).then_some(rest)
}

/// A part without quotes that it does not need.
fn unquoted(local: &str) -> &str {
    let inner = local.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    inner.unwrap_or(local)
}

/// A domain as DNS knows it.
fn domain_of(text: &str) -> Result<String, Malformed> {
    let bare = text.strip_suffix('.').unwrap_or(text);
    let is_plain = bare
        .chars()
        .all(|c| c.is_alphanumeric() || matches!(c, '.' | '-' | '。') || !c.is_ascii());
    match Host::parse(bare) {
        Ok(Host::Domain(domain)) if is_plain && domain.split('.').all(is_label) => {
            Ok(domain.to_ascii_lowercase())
        }
        _ => Err(Malformed),
    }
}

/// Signs beyond ASCII may stand for others within it, `‼` for `!!`: what a label holds is seen only once DNS's form is made.
fn is_label(label: &str) -> bool {
    let is_plain = label
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    is_plain && (1..=63).contains(&label.len()) && !label.starts_with('-') && !label.ends_with('-')
}

/// What may stand before the `@` without quotes (RFC 5322, 3.2.3), and the dot.
fn is_atext(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~.".contains(&byte)
}

#[cfg(test)]
mod tests {
    use globset::{Glob, GlobSetBuilder};
    use proptest::prelude::*;

    use super::*;

    fn rules(routes: &[(&str, &str)]) -> Rules {
        let mut lists = GlobSetBuilder::new();
        for glob in ["*-all@example.org", "staff@example.org"] {
            lists.add(Glob::new(glob).unwrap());
        }
        let owned = |(suffix, becomes): &(&str, &str)| ((*suffix).to_owned(), (*becomes).to_owned());
        Rules {
            allowed_domains: vec!["example.org".to_owned(), "nhs.net".to_owned()],
            mailing_lists: lists.build().unwrap(),
            secure_routes: routes.iter().map(owned).collect(),
        }
    }

    #[test]
    fn what_a_directory_holds_is_read_or_malformed() {
        for (text, read) in [
            ("anna@example.org", Some("anna@example.org")),
            ("  Anna.Muster@Example.ORG. ", Some("Anna.Muster@example.org")),
            ("anna+audit@mail.example.org", Some("anna+audit@mail.example.org")),
            ("o'neil@example.org", Some("o'neil@example.org")),
            ("anna@münchen.example", Some("anna@xn--mnchen-3ya.example")),
            ("anna@MÜNCHEN.example", Some("anna@xn--mnchen-3ya.example")),
            ("\"anna.muster\"@example.org", Some("anna.muster@example.org")),
            ("root@localhost", Some("root@localhost")),
            ("jürgen@example.org", None),
            ("\"anna muster\"@example.org", None),
            ("\"anna@evil.example\"@example.org", None),
            ("\"anna\\\"\"@example.org", None),
            ("anna@evil.example@example.org", None),
            ("anna muster@example.org", None),
            ("anna@exam ple.org", None),
            ("anna@exam\u{203c}ple.org", None),
            ("anna@", None),
            ("@example.org", None),
            ("", None),
            ("anna", None),
            ("Anna <anna@example.org>", None),
            ("<anna@example.org>", None),
            ("mailto:anna@example.org", None),
            ("anna@example.org, bob@example.org", None),
            ("anna@[192.0.2.1]", None),
            ("anna@192.0.2.1", None),
            ("anna@exam%70le.org", None),
            ("anna@example..org", None),
            ("anna@-example.org", None),
            ("anna%evil.example@example.org", None),
            ("evil.example!anna@example.org", None),
            ("=?utf-8?q?anna=40evil.example=3e?=@example.org", None),
            (".anna@example.org", None),
            ("anna..muster@example.org", None),
            ("anna(office)@example.org", None),
            ("anna\r\nBcc:eve@evil.example@example.org", None),
            ("anna\0@example.org", None),
        ] {
            let got = Address::parse(text).ok().map(|address| address.to_string());
            assert_eq!(got.as_deref(), read, "{text:?}");
        }
        assert!(Address::parse(&format!("{}@example.org", "a".repeat(65))).is_err());
        assert!(Address::parse(&format!("a@{}example.org", "a.".repeat(150))).is_err());
        assert!(Address::parse(&format!("a@{}.org", "a".repeat(64))).is_err());
    }

    #[test]
    fn only_what_is_allowed_and_no_list_is_written_to() {
        for (text, expected) in [
            ("anna@example.org", Ok("anna@example.org")),
            ("anna@dept.example.org", Ok("anna@dept.example.org")),
            ("anna@badexample.org", Err(Instead::DomainNotAllowed)),
            ("anna@example.org.evil.example", Err(Instead::DomainNotAllowed)),
            ("Physics-ALL@Example.org", Err(Instead::MailingList)),
            ("staff@example.org", Err(Instead::MailingList)),
            ("staff", Err(Instead::Malformed)),
            // Allowed before it is rewritten, to what is not.
            ("gp@trust.nhs.net", Ok("gp@trust.nhs.net.cjsm.net")),
            ("gp@trust.nhs.net.cjsm.net", Err(Instead::DomainNotAllowed)),
        ] {
            let rules = rules(&[("nhs.net", "nhs.net.cjsm.net")]);
            let got = rules.usable(text).map(|address| address.to_string());
            assert_eq!(got.as_deref(), expected.as_deref(), "{text}");
        }
        assert_eq!(
            Rules::default().usable("anna@example.org"),
            Err(Instead::DomainNotAllowed)
        );
    }

    #[test]
    fn the_longest_end_decides_and_only_where_a_label_begins() {
        let rules = rules(&[
            ("gov.uk", "gov.uk.cjsm.net"),
            ("pnn.gov.uk", "pnn.example"),
            ("x.example", "secure.x.example"),
        ]);
        for (domain, expected) in [
            ("gov.uk", "gov.uk.cjsm.net"),
            ("council.gov.uk", "council.gov.uk.cjsm.net"),
            ("a.pnn.gov.uk", "a.pnn.example"),
            ("notpnn.gov.uk", "notpnn.gov.uk.cjsm.net"),
            ("notgov.uk", "notgov.uk"),
            ("council.gov.uk.cjsm.net", "council.gov.uk.cjsm.net"),
            ("x.example", "secure.x.example"),
            ("secure.x.example", "secure.x.example"),
        ] {
            let address = Address::parse(&format!("a@{domain}")).unwrap();
            assert_eq!(rules.routed(address).domain(), expected, "{domain}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_an_address_that_reads_as_itself_or_none(text in "\\PC{0,20}@?\\PC{0,20}") {
            if let Ok(address) = Address::parse(&text) {
                prop_assert!(address.to_string().is_ascii());
                prop_assert!(address.to_string().matches('@').count() == 1);
                prop_assert_eq!(Address::parse(&address.to_string()), Ok(address));
            }
        }

        #[test]
        fn a_route_is_taken_once(
            domain in "([abc]\\.){0,3}[abc]",
            routes in proptest::collection::vec(("([abc]\\.){0,2}[abc]", "([abc]\\.){0,2}[abc]"), 0..5),
        ) {
            let rules = Rules { secure_routes: routes, ..Rules::default() };
            let once = rules.routed(Address::parse(&format!("a@{domain}")).unwrap());
            prop_assert_eq!(rules.routed(once.clone()), once);
        }
    }
}
