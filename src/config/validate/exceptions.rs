//! Exceptions: overrides, waivers, accepted gaps, and the filters that they share with enforcement.

use std::ops::Range;

use jiff::{Span, civil::Date};

use super::Context;
use crate::{
    config::{
        addresses,
        nearest::nearest,
        values,
        written::{At, Gap as WrittenGap, Override as WrittenOverride, RuleName, Waiver as WrittenWaiver},
    },
    model::{FindingId, ProblemCode, SourceKind, SourceName, short_digest},
    policy::{Filter, Gap, Override, Waiver, last_day},
};

/// Codes that a part of the program knows which this version may not have: accepted, and matching nothing.
const FURTHER_CODES: &[&str] = &["locked"];

/// The words of a filter, wherever it stands.
#[derive(Clone, Copy, Default)]
pub(super) struct Words<'w> {
    pub(super) source: Option<&'w At<String>>,
    pub(super) owner: Option<&'w At<String>>,
    pub(super) group: Option<&'w At<String>>,
    pub(super) path: Option<&'w At<String>>,
    pub(super) label: Option<&'w At<String>>,
    pub(super) recipient_domain: Option<&'w At<String>>,
    pub(super) rule: Option<&'w At<RuleName>>,
}

/// Reads a filter.
pub(super) fn filter(it: &mut Context<'_>, words: Words<'_>, sources: &[(&str, SourceKind)]) -> Filter {
    Filter {
        source: words.source.map(|name| known_source(it, name, sources)),
        owner: it.name("owner", words.owner),
        group: it.name("group", words.group),
        path: it.path_pattern("path", words.path),
        label: words.label.map(|label| label.get().clone()),
        recipient_domain: it.maybe("recipient_domain", words.recipient_domain, addresses::domain),
        rule: words.rule.map(|rule| rule.get().0),
    }
}

/// A source's name where another part of the configuration gives it.
pub(super) fn known_source(
    it: &mut Context<'_>,
    name: &At<String>,
    sources: &[(&str, SourceKind)],
) -> SourceName {
    if !sources.iter().any(|(known, _)| known == name.get()) {
        let what = format!("no source is called `{}`: this has no effect", name.get());
        it.warning(
            &name.span(),
            &what,
            "not known",
            &source_remedy(name.get(), sources),
        );
    }
    SourceName::new(name.get())
}

/// What to write instead of a source that does not exist.
pub(super) fn source_remedy(name: &str, sources: &[(&str, SourceKind)]) -> String {
    let names = sources.iter().map(|(name, _)| *name);
    match nearest(name, names.clone()) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => format!("the sources are: {}", names.collect::<Vec<_>>().join(", ")),
    }
}

/// The exceptions to the policy.
pub(super) fn overrides(
    it: &mut Context<'_>,
    written: &[At<WrittenOverride>],
    sources: &[(&str, SourceKind)],
) -> Vec<Override> {
    let mut overrides = Vec::new();
    for entry in written {
        let words = entry.get();
        if words.level.is_none() && words.max_expiry.is_none() && words.mail.is_none() {
            it.missing(
                &entry.span(),
                "level",
                "this override changes nothing",
                "give it a `level`, a `max_expiry`, or `mail = false`",
            );
        }
        overrides.push(Override {
            filter: filter(
                it,
                Words {
                    source: words.source.as_ref(),
                    owner: words.owner.as_ref(),
                    group: words.group.as_ref(),
                    path: words.path.as_ref(),
                    label: words.label.as_ref(),
                    recipient_domain: words.recipient_domain.as_ref(),
                    rule: words.rule.as_ref(),
                },
                sources,
            ),
            level: words.level.as_ref().map(|level| level.get().level()),
            max_expiry: words
                .max_expiry
                .as_ref()
                .map(|limit| it.time("max_expiry", limit)),
            mail: words.mail,
        });
    }
    overrides
}

/// The findings that are accepted for a time.
pub(super) fn waivers(
    it: &mut Context<'_>,
    written: &[At<WrittenWaiver>],
    max_waiver: Span,
    sources: &[(&str, SourceKind)],
) -> Vec<Waiver> {
    let mut waivers = Vec::new();
    for (index, entry) in written.iter().enumerate() {
        let words = entry.get();
        target(it, entry);
        let until = until(it, &words.until, max_waiver);
        let named = named(words);
        waivers.push(Waiver {
            finding: it.maybe("finding", words.finding.as_ref(), finding),
            share: words.share.as_ref().map(|share| share.get().clone()),
            filter: filter(
                it,
                Words {
                    source: words.source.as_ref(),
                    owner: words.owner.as_ref(),
                    path: words.path.as_ref(),
                    rule: words.rule.as_ref(),
                    ..Words::default()
                },
                sources,
            ),
            site: it.name("site", words.site.as_ref()),
            reason: words.reason.get().clone(),
            approved_by: words.approved_by.get().clone(),
            until,
            key: short_digest([
                &named,
                words.reason.get(),
                words.approved_by.get(),
                &until.to_string(),
            ]),
            title: format!("waiver {} ({named})", index + 1),
        });
    }
    waivers
}

/// A waiver is about something that can be named: never about everything of a kind.
fn target(it: &mut Context<'_>, entry: &At<WrittenWaiver>) {
    let words = entry.get();
    let targets = ["finding", "share", "owner", "site", "path"];
    if targets.iter().any(|key| it.taken.contains(*key)) {
        return;
    }
    let named =
        words.finding.is_some() || words.share.is_some() || words.owner.is_some() || words.site.is_some();
    match &words.path {
        _ if named => {}
        Some(_) if words.all_owners => {}
        Some(path) => it.error(
            &path.span(),
            "this waiver is for a path, whoever owns it",
            "a path alone",
            "name the `owner` or `site`, or write `all_owners = true` if that is meant",
        ),
        None => it.error(
            &entry.span(),
            "this waiver names nothing that it is for",
            "no finding, share, owner or site",
            "name a `finding`, a `share`, an `owner` or a `site`; a `path` alone needs `all_owners = true`",
        ),
    }
}

fn finding(text: &str) -> Result<FindingId, values::Wrong> {
    FindingId::typed(text).ok_or_else(|| values::Wrong {
        what: format!("`{text}` is no finding's id"),
        remedy: "copy the 16 hexadecimal digits from a report".to_owned(),
    })
}

/// What a waiver names, in words.
fn named(words: &WrittenWaiver) -> String {
    let rule = words.rule.as_ref().map(|rule| rule.get().0.as_str());
    let named = [
        ("finding", &words.finding),
        ("share", &words.share),
        ("source", &words.source),
        ("owner", &words.owner),
        ("site", &words.site),
        ("path", &words.path),
    ];
    let parts = named
        .iter()
        .filter_map(|(key, word)| Some(format!("{key} {}", word.as_ref()?.get())));
    let parts: Vec<_> = rule.map(str::to_owned).into_iter().chain(parts).collect();
    parts.join(", ")
}

/// The last day of an exception, which may not be too far ahead; one that has passed is no error.
fn until(it: &mut Context<'_>, day: &At<crate::config::written::Date>, max_waiver: Span) -> Date {
    let written = day.get().0.date;
    let date = written.and_then(|date| {
        Date::new(
            i16::try_from(date.year).ok()?,
            i8::try_from(date.month).ok()?,
            i8::try_from(date.day).ok()?,
        )
        .ok()
    });
    let Some(date) = date else {
        it.error(
            &day.span(),
            "`until` is no day of the calendar",
            "here",
            "write `until = 2027-03-31`",
        );
        return it.today;
    };
    let last = last_day(it.today, max_waiver);
    if date > last {
        too_far(it, &day.span(), last);
    }
    date
}

fn too_far(it: &mut Context<'_>, span: &Range<usize>, last: Date) {
    it.error(
        span,
        "`until` is further ahead than `max_waiver` allows",
        "too far ahead",
        &format!("{last} at most, today; or raise `max_waiver` in [policy]"),
    );
}

/// The gaps in coverage that are accepted for a time.
pub(super) fn gaps(
    it: &mut Context<'_>,
    written: &[At<WrittenGap>],
    max_waiver: Span,
    sources: &[(&str, SourceKind)],
) -> Vec<Gap> {
    let mut gaps = Vec::new();
    for entry in written {
        let words = entry.get();
        let source = known_source(it, &words.source, sources);
        let scope = it.name("scope", Some(&words.scope)).unwrap_or_default();
        let until = until(it, &words.until, max_waiver);
        let code = words.code.as_ref().map(|code| problem(it, code));
        // A code that no problem can have yet accepts nothing.
        if code == Some(None) {
            continue;
        }
        gaps.push(Gap {
            source,
            scope,
            code: code.flatten(),
            reason: words.reason.get().clone(),
            approved_by: words.approved_by.get().clone(),
            until,
        });
    }
    gaps
}

fn problem(it: &mut Context<'_>, code: &At<String>) -> Option<ProblemCode> {
    let known = ProblemCode::ALL.iter().find(|known| known.as_str() == code.get());
    if known.is_none() && !FURTHER_CODES.contains(&code.get().as_str()) {
        let names = || {
            ProblemCode::ALL
                .iter()
                .map(|code| code.as_str())
                .chain(FURTHER_CODES.iter().copied())
        };
        let remedy = match nearest(code.get(), names()) {
            Some(meant) => format!("did you mean \"{meant}\"?"),
            None => format!("`code` is one of: {}", names().collect::<Vec<_>>().join(", ")),
        };
        it.error(
            &code.span(),
            &format!("`code` cannot be `{}`", code.get()),
            "not known",
            &remedy,
        );
    }
    known.copied()
}
