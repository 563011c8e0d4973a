//! Words of the configuration and what they mean: times, days, patterns, networks.
//!
//! Each function takes what was written and gives what it means, or says in words what is wrong and what to
//! write instead. Where it was written is the caller's business.

use std::net::IpAddr;

use globset::{Glob, GlobBuilder, GlobSet, GlobSetBuilder};
use jiff::{Span, Unit, civil::Date};

use super::settings::Network;
use crate::plan::Freeze;
use crate::schedule::Cron;

/// What is wrong with a word, and what to write instead.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Wrong {
    pub(super) what: String,
    pub(super) remedy: String,
}

pub(super) fn wrong<T>(what: impl Into<String>, remedy: impl Into<String>) -> Result<T, Wrong> {
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

/// A cron line.
pub(super) fn cron(text: &str) -> Result<Cron, Wrong> {
    Cron::parse(text).or_else(|error| {
        wrong(
            error.to_string(),
            "write minute, hour, day of the month, month and day of the week: \"0 2 * * *\" is 2:00 every day",
        )
    })
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
