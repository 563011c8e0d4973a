//! What comes before and after the findings: what the result is worth, sums, the course of time.

use std::cmp::Reverse;

use minijinja::{Value, context};

use super::super::text::visible;
use super::super::view::{Header, Point};
use super::super::words::WordsError;
use super::coverage;
use super::overview::{Counts, Exposure, Overview};
use super::tongue::{Said, Tongue};
use crate::model::{ItemKind, Level, Status, Verdict};

/// How many owners are listed; the others are counted.
const OWNERS: usize = 25;
/// How high the columns over time are, in units of the drawing; how wide, for one run and the gap after it.
const HEIGHT: u64 = 1000;
const STEP: usize = 10;
const COLUMN: usize = 8;
/// How many columns there is room for at least: few are not drawn as walls.
const ROOM: usize = 24;
/// How wide a bar is.
const BAR: u64 = 1000;

/// What stands before the findings.
pub(super) fn opening(tongue: Tongue<'_>, header: &Header, overview: &Overview, trend: &[Point]) -> Said {
    let run = &header.run;
    let sources = header
        .sources
        .iter()
        .map(|source| coverage::source(tongue, source));
    let title = match run.scope.users.as_slice() {
        [] => tongue.say("report.title")?,
        users => tongue
            .voice
            .say("report.title_users", &[("users", tongue.names(users)?)])?,
    };
    let at = ("at", tongue.moment(run.started_at)?);
    let about = match run.scope.sources.as_slice() {
        [] => tongue.voice.say("report.about_nothing", &[at])?,
        names => tongue
            .voice
            .say("report.about", &[("sources", tongue.names(names)?), at])?,
    };
    Ok(context! {
        title,
        about,
        scope => scope(tongue, header)?,
        verdict => verdict(tongue, header)?,
        sources => sources.collect::<Result<Vec<_>, _>>()?,
        totals => totals(tongue, header)?,
        trend => course(tongue, trend)?,
        by => context! {
            rule => by_rule(tongue, overview)?,
            source => by_source(tongue, overview)?,
            owner => by_owner(tongue, overview)?,
            owners_more => more_owners(tongue, overview)?,
        },
        oldest => exposures(tongue, overview.oldest.iter())?,
        widest => exposures(tongue, overview.widest.iter())?,
        filter => filter(tongue, overview)?,
        findings => overview.findings,
    })
}

/// What stands after the findings.
pub(super) fn closing(tongue: Tongue<'_>, header: &Header) -> Said {
    let notices = header.notices.iter().map(|notice| tongue.reason(&notice.message));
    let footer = [
        ("tool", header.tool.name.into()),
        ("version", header.tool.version.into()),
        ("run", tongue.name(&header.run.id)?),
        ("policy", tongue.name(&header.run.policy.digest)?),
    ];
    let off = &header.run.policy.rules_off;
    let rules = off.iter().map(|rule| tongue.name(rule.as_str()));
    let rules = tongue.voice.list(&rules.collect::<Result<Vec<_>, _>>()?);
    Ok(context! {
        notices => notices.collect::<Result<Vec<_>, _>>()?,
        footer => tongue.voice.say("report.footer", &footer)?,
        rules_off => (!off.is_empty()).then(|| tongue.voice.say("report.rules_off", &[("rules", rules)])).transpose()?,
    })
}

/// What the page leaves out because nobody asked for it.
fn scope(tongue: Tongue<'_>, header: &Header) -> Result<Vec<Value>, WordsError> {
    let scope = &header.run.scope;
    let mut said = Vec::new();
    if !scope.users.is_empty() {
        let users = [("users", tongue.names(&scope.users)?)];
        said.push(tongue.voice.say("report.scope_users", &users)?);
    }
    if !scope.rules.is_empty() {
        let rules = scope.rules.iter().map(|rule| tongue.name(rule.as_str()));
        let rules = tongue.voice.list(&rules.collect::<Result<Vec<_>, _>>()?);
        said.push(tongue.voice.say("report.scope_rules", &[("rules", rules)])?);
    }
    Ok(said)
}

/// What the result is worth, and why it is not worth more.
fn verdict(tongue: Tongue<'_>, header: &Header) -> Said {
    let verdict = header.run.verdict;
    let short = header
        .sources
        .iter()
        .filter(|source| source.verdict == Verdict::Incomplete);
    let short = short.map(|source| {
        Ok(context! {
            source => tongue.name(&source.name)?,
            reasons => coverage::reasons(tongue, source)?,
        })
    });
    Ok(context! {
        name => verdict.as_str(),
        is_short => verdict == Verdict::Incomplete,
        title => tongue.say(&format!("verdict_title.{verdict}"))?,
        text => tongue.say(&format!("verdict_text.{verdict}"))?,
        short => short.collect::<Result<Vec<_>, WordsError>>()?,
    })
}

fn totals(tongue: Tongue<'_>, header: &Header) -> Said {
    let totals = &header.totals;
    let mut counts = Counts::default();
    for (level, count) in Level::ALL.iter().zip(&mut counts) {
        *count = totals.by_level.get(level).copied().unwrap_or_default();
    }
    let levels = Level::ALL.iter().zip(counts).rev().map(|(level, count)| {
        Ok(context! {
            name => level.as_str(),
            text => tongue.level(*level)?,
            count => tongue.voice.number(count),
            is_none => count == 0,
        })
    });
    let mut notes = vec![tongue.voice.count("totals.shares", totals.shares, &[])?];
    for (key, status) in [
        ("totals.new", Status::New),
        ("totals.resolved", Status::Resolved),
        ("totals.closed", Status::ClosedByPolicy),
        ("totals.waived", Status::Waived),
        ("totals.not-checked", Status::NotChecked),
    ] {
        let count = totals.by_status.get(&status).copied().unwrap_or_default();
        if count > 0 {
            notes.push(tongue.voice.count(key, count, &[])?);
        }
    }
    Ok(context! {
        findings => tongue.voice.count("totals.findings", totals.findings, &[])?,
        is_clean => totals.findings == 0,
        levels => levels.collect::<Result<Vec<_>, WordsError>>()?,
        bar => bar(&counts, counts.iter().sum()),
        notes,
    })
}

/// The parts of a bar, the gravest first, out of [`BAR`] for so many; a part that there is can be seen.
fn bar(counts: &Counts, full: u64) -> Vec<Value> {
    let mut x = 0;
    let mut parts = Vec::new();
    for (level, count) in Level::ALL.iter().zip(counts).rev() {
        if *count > 0 {
            let width = (count.saturating_mul(BAR) / full.max(1)).max(4);
            parts.push(context! { level => level.as_str(), x, width });
            x += width;
        }
    }
    parts
}

/// One row of sums.
struct Row {
    id: Option<String>,
    name: Value,
    text: Option<Value>,
    counts: Counts,
}

/// Rows, those with the most that is grave first.
fn rows(tongue: Tongue<'_>, mut rows: Vec<Row>) -> Result<Vec<Value>, WordsError> {
    rows.sort_by_key(|row| Reverse(gravity(&row.counts)));
    let most = rows.iter().map(|row| row.counts.iter().sum::<u64>()).max();
    let rows = rows.into_iter().map(|row| {
        let total: u64 = row.counts.iter().sum();
        Ok(context! {
            id => row.id,
            name => row.name,
            text => row.text,
            levels => tongue.levels(&row.counts)?,
            bar => bar(&row.counts, most.unwrap_or(total)),
            count => tongue.voice.number(total),
        })
    });
    rows.collect()
}

/// What comes first: whatever has more of the gravest.
fn gravity(counts: &Counts) -> Counts {
    let mut gravity = *counts;
    gravity.reverse();
    gravity
}

fn by_rule(tongue: Tongue<'_>, overview: &Overview) -> Result<Vec<Value>, WordsError> {
    let sums = overview.rules.iter().map(|(rule, counts)| {
        Ok(Row {
            id: Some(format!("rule-{rule}")),
            name: tongue.rule("rule", *rule, None)?,
            text: Some(tongue.rule("todo", *rule, None)?),
            counts: *counts,
        })
    });
    rows(tongue, sums.collect::<Result<_, WordsError>>()?)
}

fn by_source(tongue: Tongue<'_>, overview: &Overview) -> Result<Vec<Value>, WordsError> {
    let sums = overview.sources.iter().map(|(source, counts)| {
        Ok(Row {
            id: None,
            name: tongue.name(source)?,
            text: None,
            counts: *counts,
        })
    });
    rows(tongue, sums.collect::<Result<_, WordsError>>()?)
}

fn by_owner(tongue: Tongue<'_>, overview: &Overview) -> Result<Vec<Value>, WordsError> {
    let mut owners: Vec<_> = overview.owners.iter().collect();
    owners.sort_by_key(|(_, owner)| Reverse(gravity(&owner.counts)));
    let sums = owners.into_iter().take(OWNERS).map(|((source, _), owner)| {
        Ok(Row {
            id: None,
            name: tongue.person(&owner.who)?,
            text: Some(tongue.name(source)?),
            counts: owner.counts,
        })
    });
    rows(tongue, sums.collect::<Result<_, WordsError>>()?)
}

fn more_owners(tongue: Tongue<'_>, overview: &Overview) -> Result<Option<Value>, WordsError> {
    let more = overview.owners.len().saturating_sub(OWNERS) as u64;
    (more > 0)
        .then(|| tongue.voice.count("by.owners_more", more, &[]))
        .transpose()
}

fn exposures<'e>(
    tongue: Tongue<'_>,
    exposures: impl Iterator<Item = &'e Exposure>,
) -> Result<Vec<Value>, WordsError> {
    let rows = exposures.map(|exposure| {
        let share = &exposure.share;
        let files = share
            .item
            .files_beneath
            .filter(|_| share.item.kind == ItemKind::Folder);
        Ok(context! {
            finding => visible(&exposure.finding),
            level => context! { name => exposure.level.as_str(), text => tongue.level(exposure.level)? },
            item => tongue.item(&share.item)?,
            source => tongue.name(&exposure.source)?,
            audience => tongue.audience(share)?,
            files => files.map(|files| tongue.voice.count("exposure.files", files, &[])).transpose()?,
            since => tongue.date(exposure.since)?,
            owner => tongue.person(&share.owner)?,
        })
    });
    rows.collect()
}

/// The course of time; nothing where there is but one run.
fn course(tongue: Tongue<'_>, trend: &[Point]) -> Result<Option<Value>, WordsError> {
    let total = |point: &Point| point.by_level.values().sum::<u64>();
    let ([first, .., last], Some(most)) = (trend, trend.iter().map(total).max()) else {
        return Ok(None);
    };
    let partial = trend
        .iter()
        .filter(|point| point.verdict == Verdict::Incomplete)
        .count() as u64;
    let columns: Vec<_> = trend
        .iter()
        .enumerate()
        .map(|(at, point)| {
            let mut y = HEIGHT;
            let parts: Vec<_> = point
                .by_level
                .iter()
                .rev()
                .filter(|(_, count)| **count > 0)
                .map(|(level, count)| {
                    let height = count.saturating_mul(HEIGHT) / most.max(1);
                    y = y.saturating_sub(height);
                    context! { level => level.as_str(), y, height }
                })
                .collect();
            context! { x => at * STEP, parts, is_partial => point.verdict == Verdict::Incomplete }
        })
        .collect();
    let rows = trend.iter().rev().map(|point| {
        let mut counts = Counts::default();
        for (level, count) in Level::ALL.iter().zip(&mut counts) {
            *count = point.by_level.get(level).copied().unwrap_or_default();
        }
        Ok(context! {
            at => tongue.moment(point.at)?,
            verdict => tongue.say(&format!("verdict.{}", point.verdict))?,
            count => tongue.voice.number(total(point)),
            levels => tongue.levels(&counts)?,
        })
    });
    let values = [
        ("first", tongue.date(first.at)?),
        ("last", tongue.date(last.at)?),
        ("from", tongue.voice.number(total(first))),
        ("to", tongue.voice.number(total(last))),
        ("most", tongue.voice.number(most)),
    ];
    Ok(Some(context! {
        text => tongue.voice.count("trend.text", trend.len() as u64, &values)?,
        partial => (partial > 0).then(|| tongue.voice.count("trend.partial", partial, &[])).transpose()?,
        columns,
        column => COLUMN,
        width => trend.len().max(ROOM) * STEP - (STEP - COLUMN),
        most => tongue.voice.number(most),
        first => tongue.date(first.at)?,
        last => tongue.date(last.at)?,
        rows => rows.collect::<Result<Vec<_>, WordsError>>()?,
    }))
}

/// What findings can be picked by.
fn filter(tongue: Tongue<'_>, overview: &Overview) -> Said {
    let choice = |name: &str, text: Value| context! { name => name, text };
    let levels = Level::ALL
        .iter()
        .rev()
        .map(|level| Ok(choice(level.as_str(), tongue.level(*level)?)));
    let rules = overview.rules.keys();
    let rules = rules.map(|rule| Ok(choice(rule.as_str(), tongue.rule("rule", *rule, None)?)));
    let sources = overview.sources.keys();
    let sources = sources.map(|source| Ok(choice(&visible(source), tongue.name(source)?)));
    let statuses = Status::ALL
        .iter()
        .map(|status| Ok(choice(status.as_str(), tongue.say(&format!("status.{status}"))?)));
    Ok(context! {
        level => levels.collect::<Result<Vec<_>, WordsError>>()?,
        rule => rules.collect::<Result<Vec<_>, WordsError>>()?,
        source => sources.collect::<Result<Vec<_>, WordsError>>()?,
        status => statuses.collect::<Result<Vec<_>, WordsError>>()?,
    })
}
