//! Mail domains and servers, compared as machines compare them: without regard to case, in IDNA's ASCII form.
//!
//! Text that is no well-formed address or domain has none, so that it is never taken for an internal one.
//! Federated ids are cut as Nextcloud cuts them: at the last `@` before the first slash or colon.

use std::borrow::Cow;

/// The domain of a mail address, normalised; `None` where the text is not one address.
pub(super) fn of_address(address: &str) -> Option<Cow<'_, str>> {
    let (local, domain) = address.trim().rsplit_once('@')?;
    let inner = local.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    let one = match inner {
        Some(quoted) => !quoted.contains(['"', '\r', '\n']),
        None => !local.is_empty() && !local.contains(separates),
    };
    if one { normal(domain) } else { None }
}

fn separates(c: char) -> bool {
    c.is_whitespace() || c.is_control() || matches!(c, '@' | ',' | ';' | '<' | '>' | '"' | '(' | ')')
}

/// A domain in lower case and ASCII, without a final dot; `None` where the text is no domain.
pub(super) fn normal(domain: &str) -> Option<Cow<'_, str>> {
    let domain = domain.strip_suffix('.').unwrap_or(domain);
    if !domain
        .chars()
        .all(|c| !c.is_ascii() || c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_'))
    {
        return None;
    }
    if !domain.is_ascii() {
        return match url::Host::parse(domain) {
            Ok(url::Host::Domain(ascii)) => well_formed(ascii.trim_end_matches('.').to_owned().into()),
            _ => None,
        };
    }
    if domain.bytes().any(|byte| byte.is_ascii_uppercase()) {
        well_formed(domain.to_ascii_lowercase().into())
    } else {
        well_formed(domain.into())
    }
}

fn well_formed(domain: Cow<'_, str>) -> Option<Cow<'_, str>> {
    let empty_label = domain.is_empty() || domain.starts_with('.') || domain.contains("..");
    (!empty_label).then_some(domain)
}

/// Whether a domain is another or lies beneath it; both normalised.
pub(super) fn within(domain: &str, above: &str) -> bool {
    domain
        .strip_suffix(above)
        .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

/// Configured domains, normalised; what is no domain matches nothing and is left out.
pub(super) fn normal_all(domains: &[String]) -> Vec<String> {
    domains
        .iter()
        .filter_map(|domain| normal(domain.trim()))
        .map(Cow::into_owned)
        .collect()
}

/// The server of a federated id.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Server {
    /// Host, port and path, lower case, without scheme.
    pub(super) address: String,
    /// The host alone, normalised.
    pub(super) host: String,
}

impl Server {
    /// The server of `person@server`, `None` where the text is no federated id.
    pub(super) fn of(id: &str) -> Option<Self> {
        let end = id.find(['/', ':']).unwrap_or(id.len());
        let at = id.get(..end)?.rfind('@')?;
        Self::parse(id.get(at + 1..)?)
    }

    /// A server's address, with or without scheme.
    pub(super) fn parse(address: &str) -> Option<Self> {
        let address = address.trim().to_lowercase();
        let address = address
            .strip_prefix("https://")
            .or_else(|| address.strip_prefix("http://"))
            .unwrap_or(&address);
        if address
            .contains(|c: char| c.is_whitespace() || c.is_control() || matches!(c, '@' | '?' | '#' | '\\'))
        {
            return None;
        }
        let address = address.trim_end_matches('/');
        let address = address
            .strip_suffix("/index.php")
            .unwrap_or(address)
            .trim_end_matches('/');
        let end = address.find(['/', ':']).unwrap_or(address.len());
        let host = normal(address.get(..end)?)?;
        Some(Self {
            address: format!("{host}{}", address.get(end..)?),
            host: host.clone().into_owned(),
        })
    }

    /// Whether this is the configured server; one configured without port and path stands for all of its host.
    pub(super) fn is(&self, configured: &Self) -> bool {
        self.address == configured.address
            || (configured.address == configured.host && self.host == configured.host)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_domain_only_if_it_is_one_address() {
        for (address, domain) in [
            ("x@Example.ORG", Some("example.org")),
            (" x@example.org. ", Some("example.org")),
            ("x@müller.example", Some("xn--mller-kva.example")),
            ("x@XN--MLLER-KVA.example", Some("xn--mller-kva.example")),
            ("x@example。org", Some("example.org")),
            ("\"a@b\"@example.org", Some("example.org")),
            ("x@evil.net@example.org", None),
            ("x@evil.net,y@example.org", None),
            ("\"x\"@evil.net,\"y\"@example.org", None),
            ("Boss <x@example.org>", None),
            ("x@evil.net%2eexample.org", None),
            ("x@evil.net\u{ff05}2eexample.org", None),
            ("x@.example.org", None),
            ("x@[192.0.2.1]", None),
            ("@example.org", None),
            ("example.org", None),
            ("", None),
        ] {
            assert_eq!(of_address(address).as_deref(), domain, "{address}");
        }
    }

    #[test]
    fn a_sub_domain_lies_within_and_a_look_alike_does_not() {
        assert!(within("example.org", "example.org"));
        assert!(within("maths.example.org", "example.org"));
        assert!(!within("badexample.org", "example.org"));
        assert!(!within("example.org.evil.net", "example.org"));
    }

    #[test]
    fn a_federated_id_is_cut_where_its_server_cuts_it() {
        let server = |id: &str| Server::of(id).map(|server| server.address);
        assert_eq!(
            server("ann@Cloud2.example.org").as_deref(),
            Some("cloud2.example.org")
        );
        assert_eq!(
            server("ann@mail.example@cloud2.example.org/").as_deref(),
            Some("cloud2.example.org")
        );
        assert_eq!(
            server("ann@https://c.example.org:8443/nc/index.php/").as_deref(),
            Some("c.example.org:8443/nc")
        );
        assert_eq!(server("ann@evil.net/@cloud2.example.org"), None, "a trap");
        assert_eq!(server("ann"), None);
    }

    #[test]
    fn a_server_configured_without_path_stands_for_its_host() {
        let parse = |text: &str| Server::parse(text).unwrap();
        assert!(parse("c.example.org:8443/nc").is(&parse("c.example.org")));
        assert!(parse("c.example.org/nc").is(&parse("https://c.example.org/nc/")));
        assert!(!parse("c.example.org/other").is(&parse("c.example.org/nc")));
        assert!(!parse("x.c.example.org").is(&parse("c.example.org")));
    }
}
