//! Words of the configuration and what they mean: durations, domains, addresses, patterns, days.
//!
//! Each function takes what was written and gives what it means, or says in words what is wrong and what to
//! write instead. Where it was written is the caller's business.

use std::net::IpAddr;

use globset::{Glob, GlobBuilder, GlobSet, GlobSetBuilder};
use jiff::{Span, Unit, civil::Date};
use url::{Host, Url};

use super::settings::{Freeze, Mailbox, Network};

/// What is wrong with a word, and what to write instead.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Wrong {
    pub(super) what: String,
    pub(super) remedy: String,
}

fn wrong<T>(what: impl Into<String>, remedy: impl Into<String>) -> Result<T, Wrong> {
    Err(Wrong {
        what: what.into(),
        remedy: remedy.into(),
    })
}

/// The longest time that makes sense, in seconds: a hundred years.
const LONGEST: i64 = 100 * 366 * 86_400;

/// A time: weeks, days, hours, minutes, seconds. Weeks become days. Zero is for the caller to judge.
pub(super) fn duration(text: &str) -> Result<Span, Wrong> {
    let remedy = "write a number and a unit, such as \"90d\", \"12h\" or \"30m\"";
    let Ok(span) = text.trim().parse::<Span>() else {
        return wrong(format!("`{text}` is no length of time"), remedy);
    };
    if span.get_years() != 0 || span.get_months() != 0 {
        return wrong(
            format!("`{text}`: months and years differ in length"),
            "count days instead, such as \"30d\" or \"365d\" (minutes are `m` or `min`)",
        );
    }
    if span.is_negative() {
        return wrong(format!("`{text}` goes back in time"), remedy);
    }
    let seconds = span.total((Unit::Second, jiff::SpanRelativeTo::days_are_24_hours()));
    #[expect(clippy::cast_precision_loss, reason = "a bound, not a count")]
    if !seconds.is_ok_and(|seconds| seconds <= LONGEST as f64 && seconds.fract() == 0.0) {
        return wrong(
            format!("`{text}` is out of range"),
            "from one second to a hundred years",
        );
    }
    let days = i64::from(span.get_weeks()) * 7 + i64::from(span.get_days());
    let days = span.weeks(0).try_days(days);
    days.or_else(|_| {
        wrong(
            format!("`{text}` is out of range"),
            "from one second to a hundred years",
        )
    })
}

/// The seconds of a time whose days have 24 hours.
pub(super) fn seconds(span: &Span) -> u64 {
    let seconds = span.total((Unit::Second, jiff::SpanRelativeTo::days_are_24_hours()));
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "checked when it was read"
    )]
    seconds.map_or(0, |seconds| seconds as u64)
}

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
pub(super) fn is_loopback(host: &Host<&str>) -> bool {
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

/// A network, or one address.
pub(super) fn network(text: &str) -> Result<Network, Wrong> {
    let remedy = "write an address and the number of its leading bits, such as \"192.0.2.0/24\"";
    let (address, prefix) = text.trim().split_once('/').unwrap_or((text.trim(), ""));
    let network = address.parse::<IpAddr>().ok().and_then(|address| {
        let prefix = match prefix {
            "" if !text.contains('/') => Some(if address.is_ipv4() { 32 } else { 128 }),
            bits => bits.parse().ok(),
        };
        Network::new(address, prefix?)
    });
    network.map_or_else(|| wrong(format!("`{text}` is no network"), remedy), Ok)
}

/// A day, or first and last day with a slash between.
pub(super) fn freeze(text: &str) -> Result<Freeze, Wrong> {
    let remedy = "write a day, or first and last day: \"2026-12-19/2027-01-04\"";
    let (first, last) = text.trim().split_once('/').unwrap_or((text.trim(), text.trim()));
    match (first.trim().parse::<Date>(), last.trim().parse::<Date>()) {
        (Ok(first), Ok(last)) if first <= last => Ok(Freeze { first, last }),
        (Ok(_), Ok(_)) => wrong(format!("`{text}` ends before it begins"), remedy),
        _ => wrong(format!("`{text}` names no days"), remedy),
    }
}

/// The patterns of names, ids, addresses and sites: case does not matter, `*` crosses everything.
pub(super) fn name_glob(text: &str) -> Result<Glob, Wrong> {
    glob(text, text, false)
}

/// The patterns of paths, as classification reads them: case does not matter, `*` does not cross a slash,
/// `**` does, and `**/X/**` matches `X` itself. Paths are compared without the slashes around them.
pub(super) fn path_globs(text: &str) -> Result<Vec<Glob>, Wrong> {
    let itself = text.strip_suffix("/**").filter(|rest| !rest.is_empty());
    std::iter::once(text)
        .chain(itself)
        .map(|form| glob(text, form.trim_start_matches('/'), true))
        .collect()
}

fn glob(text: &str, form: &str, separates: bool) -> Result<Glob, Wrong> {
    GlobBuilder::new(form)
        .case_insensitive(true)
        .literal_separator(separates)
        .backslash_escape(true)
        .build()
        .or_else(|error| {
            wrong(
                format!("`{text}` is no pattern: {}", error.kind()),
                "`*` stands for any text, `**` for folders, `?` for one sign, `[ab]` for one of several, \
                 `{a,b}` for one of several texts; a backslash takes the next sign as it is",
            )
        })
}

/// The set of patterns.
pub(super) fn glob_set(globs: impl IntoIterator<Item = Glob>) -> Result<GlobSet, Wrong> {
    let mut set = GlobSetBuilder::new();
    for glob in globs {
        set.add(glob);
    }
    set.build().or_else(|error| {
        wrong(
            format!("these patterns are too much together: {}", error.kind()),
            "use fewer or simpler ones",
        )
    })
}

/// Whether a text has the form of a cron line: five fields of numbers, names, `*`, lists, ranges and steps.
pub(super) fn cron(text: &str) -> Result<String, Wrong> {
    let remedy =
        "write minute, hour, day of the month, month and day of the week: \"0 2 * * *\" is 2:00 every day";
    let limits = [(0, 59), (0, 23), (1, 31), (1, 12), (0, 7)];
    let fields: Vec<_> = text.split_whitespace().collect();
    if fields.len() != limits.len() {
        return wrong(format!("`{text}` has {} fields, not five", fields.len()), remedy);
    }
    for (place, (field, limits)) in fields.iter().zip(limits).enumerate() {
        if !field.split(',').all(|part| cron_part(part, place, limits)) {
            return wrong(
                format!("`{field}` does not fit in field {} of `{text}`", place + 1),
                remedy,
            );
        }
    }
    Ok(fields.join(" "))
}

fn cron_part(part: &str, place: usize, (least, most): (u8, u8)) -> bool {
    const MONTHS: [&str; 12] = [
        "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
    ];
    const DAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
    let named = |text: &str| {
        let text = text.to_lowercase();
        let names: (&[&str], u8) = match place {
            3 => (&MONTHS, 1),
            4 => (&DAYS, 0),
            _ => (&[], 0),
        };
        let at = names.0.iter().position(|name| *name == text)?;
        Some(u8::try_from(at).ok()? + names.1)
    };
    let number = |text: &str| {
        let number = if text.bytes().all(|byte| byte.is_ascii_digit()) {
            text.parse().ok()
        } else {
            named(text)
        };
        number.filter(|number| (least..=most).contains(number))
    };
    let (range, step) = part
        .split_once('/')
        .map_or((part, None), |(range, step)| (range, Some(step)));
    let step_fits = step.is_none_or(|step| step.parse().is_ok_and(|step: u8| (1..=most).contains(&step)));
    let range_fits = range == "*"
        || match range.split_once('-') {
            Some((first, last)) => {
                matches!((number(first), number(last)), (Some(first), Some(last)) if first <= last)
            }
            None => number(range).is_some(),
        };
    step_fits && range_fits
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Classes;

    #[test]
    fn durations() {
        for (text, days, hours) in [
            ("90d", 90, 0),
            ("2w", 14, 0),
            ("1w 3d", 10, 0),
            ("36h", 0, 36),
            ("P3D", 3, 0),
        ] {
            let span = duration(text).unwrap();
            assert_eq!(
                (span.get_days(), span.get_hours(), span.get_weeks()),
                (days, hours, 0),
                "{text}"
            );
        }
        for text in [
            "",
            "90",
            "d",
            "90 bananas",
            "1mo",
            "1y",
            "-3d",
            "3d ago",
            "999999d",
            "5ms",
            "1.5s",
        ] {
            assert!(duration(text).is_err(), "{text}");
        }
        assert_eq!(seconds(&duration("1d 1h 30m").unwrap()), 91_800);
    }

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

    #[test]
    fn patterns_agree_with_classification() {
        let patterns = ["**/HR/**", "**/*.kdbx", "/Prospectus/**", "plain", "a/*/c"];
        let paths = [
            "/HR",
            "/x/hr/y",
            "/v.KDBX",
            "/Prospectus",
            "/Prospectus/a/b",
            "/y/Prospectus",
            "/a/b/c",
            "/a/b/x/c",
        ];
        for pattern in patterns {
            let classes = Classes::compile(&[("x".to_owned(), vec![pattern.to_owned()], vec![])]).unwrap();
            let set = glob_set(path_globs(pattern).unwrap()).unwrap();
            for path in paths {
                let mut ancestors = std::path::Path::new(path.trim_matches('/')).ancestors();
                let hit = ancestors.any(|path| set.is_match(path));
                assert_eq!(hit, !classes.of_path(path).is_empty(), "{pattern} {path}");
            }
        }
        assert!(name_glob("a[").is_err());
        assert!(path_globs("{a").is_err());
    }

    #[test]
    fn cron_lines() {
        for good in ["0 2 * * *", "*/15 0-6 1,15 jan-mar Mon", "59 23 31 12 7"] {
            assert!(cron(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "0 2 * *",
            "0 2 * * * *",
            "60 2 * * *",
            "0 24 * * *",
            "0 2 0 * *",
            "a 2 * * *",
            "5-1 * * * *",
            "*/0 * * * *",
            "+1 * * * *",
        ] {
            assert!(cron(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn frozen_days() {
        let days = freeze("2026-12-19/2027-01-04").unwrap();
        assert!(
            days.contains(jiff::civil::date(2027, 1, 1)) && !days.contains(jiff::civil::date(2027, 1, 5))
        );
        assert_eq!(
            freeze("2026-12-24").unwrap().last,
            jiff::civil::date(2026, 12, 24)
        );
        for bad in ["2027-01-04/2026-12-19", "tomorrow", "2026-02-30"] {
            assert!(freeze(bad).is_err(), "{bad}");
        }
    }
}
