//! Words that name places: domains, servers, addresses of the web and of mail.
//!
//! As in `values`, each function gives what was meant, or says what is wrong and what to write instead.

use url::{Host, Url};

use super::{
    settings::Mailbox,
    values::{Wrong, wrong},
};

/// A mail domain, in lower case and in the form that DNS knows.
pub(super) fn domain(text: &str) -> Result<String, Wrong> {
    let remedy = "write the domain alone, such as \"example.org\": sub-domains are included";
    let bare = text.trim().trim_end_matches('.');
    let unfit = |c: char| matches!(c, '@' | '/' | ':' | '*' | '?' | '%' | '[' | ']') || c.is_whitespace();
    if bare.contains(unfit) || bare.starts_with('.') || bare.contains("..") {
        return wrong(format!("`{text}` is no domain"), remedy);
    }
    match Host::parse(bare) {
        Ok(Host::Domain(domain)) => Ok(domain.to_lowercase()),
        _ => wrong(format!("`{text}` is no domain"), remedy),
    }
}

/// A server as federated shares name it: a host, with a port and a path where it has them.
pub(super) fn server(text: &str) -> Result<String, Wrong> {
    let remedy = "write the host as federated addresses end in it, such as \"cloud.example.org\"";
    let bare = text.trim().trim_end_matches('/');
    let parsed = Url::parse(&format!("https://{bare}"));
    match parsed {
        Ok(url)
            if !bare.contains("://")
                && !bare
                    .contains(|c: char| c.is_whitespace() || matches!(c, '@' | '*' | '?' | '#' | '\\'))
                && url.has_host() =>
        {
            Ok(url.as_str()["https://".len()..]
                .trim_end_matches('/')
                .to_lowercase())
        }
        _ => wrong(format!("`{text}` is no server's name"), remedy),
    }
}

/// Whether a host is this machine.
pub(in crate::config) fn is_loopback(host: &Host<&str>) -> bool {
    match host {
        Host::Domain(name) => {
            let name = name.trim_end_matches('.');
            name == "localhost" || name.ends_with(".localhost")
        }
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.to_canonical().is_loopback(),
    }
}

/// The address of a server that is given credentials: `https`, or towards this machine `http`; nothing but
/// host, port and path. Its path ends in a slash.
pub(super) fn base_url(text: &str) -> Result<Url, Wrong> {
    let mut url = plain_url(text)?;
    if url.scheme() == "http" && !url.host().is_some_and(|host| is_loopback(&host)) {
        return wrong(
            "plain http would send credentials in the clear",
            "write https; http is for this machine only (localhost, 127.0.0.0/8, ::1)",
        );
    }
    if !url.path().ends_with('/') {
        url.set_path(&format!("{}/", url.path()));
    }
    Ok(url)
}

/// The address of a proxy.
pub(super) fn proxy_url(text: &str) -> Result<Url, Wrong> {
    plain_url(text)
}

fn plain_url(text: &str) -> Result<Url, Wrong> {
    let remedy = "write an address such as \"https://cloud.example.org\"";
    let url = match Url::parse(text.trim()) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => url,
        Ok(_) => return wrong("this address is neither http nor https", remedy),
        Err(error) => return wrong(format!("this is no address: {error}"), remedy),
    };
    if !url.username().is_empty() || url.password().is_some() {
        return wrong(
            "credentials do not belong into an address",
            "take out what stands before the `@`; credentials go into `auth`, as references",
        );
    }
    if url.query().is_some() || url.fragment().is_some() {
        return wrong(
            "an address with `?` or `#` cannot be built upon",
            "take out everything from there on",
        );
    }
    Ok(url)
}

/// A mail address; its domain in lower case.
pub(super) fn address(text: &str) -> Result<String, Wrong> {
    let remedy = "write one address, such as \"it-security@example.org\"";
    let text = text.trim();
    let unfit = |c: char| {
        c.is_whitespace() || c.is_control() || matches!(c, '<' | '>' | ',' | ';' | '"' | '(' | ')' | '@')
    };
    match text.rsplit_once('@') {
        Some((local, host)) if !local.is_empty() && local.len() <= 64 && !local.contains(unfit) => {
            let host = domain(host).or_else(|_| wrong(format!("`{text}` is no mail address"), remedy))?;
            Ok(format!("{local}@{host}"))
        }
        _ => wrong(format!("`{text}` is no mail address"), remedy),
    }
}

/// An address, or a name and an address in angle brackets.
pub(super) fn mailbox(text: &str) -> Result<Mailbox, Wrong> {
    let text = text.trim();
    let Some((name, rest)) = text.split_once('<') else {
        return Ok(Mailbox {
            name: None,
            address: address(text)?,
        });
    };
    let Some(inner) = rest.strip_suffix('>') else {
        return wrong(
            format!("`{text}` is no sender"),
            "write a name and an address, such as \"Share audit <it-security@example.org>\"",
        );
    };
    let name = name.trim().trim_matches('"').trim();
    Ok(Mailbox {
        name: (!name.is_empty()).then(|| name.to_owned()),
        address: address(inner)?,
    })
}

/// The mail domain of an address.
pub(super) fn domain_of(address: &str) -> &str {
    address.rsplit_once('@').map_or("", |(_, domain)| domain)
}

/// Whether a domain is one of these or beneath one.
pub(super) fn is_beneath(domain: &str, domains: &[String]) -> bool {
    domains.iter().any(|above| {
        domain
            .strip_suffix(above.as_str())
            .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn domains() {
        assert_eq!(domain("Example.ORG.").unwrap(), "example.org");
        assert_eq!(domain("münchen.example").unwrap(), "xn--mnchen-3ya.example");
        for text in [
            "@example.org",
            "*.example.org",
            "https://example.org",
            "a b",
            "192.0.2.1",
            ".example.org",
            "",
        ] {
            assert!(domain(text).is_err(), "{text}");
        }
        assert!(is_beneath("mail.example.org", &["example.org".to_owned()]));
        assert!(!is_beneath("badexample.org", &["example.org".to_owned()]));
    }

    #[test]
    fn addresses_of_servers() {
        assert_eq!(
            base_url("https://Cloud.Example.org/nc").unwrap().as_str(),
            "https://cloud.example.org/nc/"
        );
        for good in [
            "http://localhost:8080",
            "http://127.1.2.3",
            "http://[::1]:99",
            "http://[::ffff:127.0.0.1]",
        ] {
            assert!(base_url(good).is_ok(), "{good}");
        }
        for bad in [
            "http://cloud.example.org",
            "http://127.0.0.1.example.org",
            "http://localhost.example.org",
            "http://0.0.0.0",
            "https://a:b@cloud.example.org",
            "https://cloud.example.org/?a=b",
            "https://cloud.example.org/#x",
            "ftp://cloud.example.org",
            "cloud.example.org",
            "file:///etc/passwd",
        ] {
            assert!(base_url(bad).is_err(), "{bad}");
        }
        assert_eq!(server("Cloud2.example.org/").unwrap(), "cloud2.example.org");
        assert_eq!(
            server("cloud2.example.org:8443/nc").unwrap(),
            "cloud2.example.org:8443/nc"
        );
        assert!(server("https://cloud2.example.org").is_err());
    }

    #[test]
    fn mail_addresses() {
        let sender = mailbox("Share audit <IT-Security@Example.org>").unwrap();
        assert_eq!(sender.name.as_deref(), Some("Share audit"));
        assert_eq!(sender.address, "IT-Security@example.org");
        for bad in [
            "",
            "x",
            "a@b@c.org",
            "a b@c.org",
            "a@c.org, d@e.org",
            "A <a@c.org",
            "@c.org",
            "a@",
        ] {
            assert!(mailbox(bad).is_err(), "{bad}");
        }
    }
}
