//! The first lines, which say what was asked, and the last, which say what the answer is worth.

use std::{cmp::Reverse, io};

use anstyle::Style as Tint;
use comfy_table::{Cell, CellAlignment, Row};

use super::{
    super::view::{Header, Notice, Run, Totals},
    screen::Screen,
    words::{self, DOT},
};
use crate::model::{Level, Status, Verdict};

/// Says which run it is, and at once if it is incomplete.
pub(super) fn opening(header: &Header, screen: &mut Screen<'_>) -> io::Result<()> {
    let run = &header.run;
    let seconds = run.finished_at.duration_since(run.started_at).as_secs();
    let mut first = vec![
        format!("{} {}", header.tool.name, header.tool.version),
        format!("run {}", words::name(&run.id)),
        words::moment(run.started_at),
        if seconds < 120 {
            format!("{seconds} s")
        } else {
            format!("{} min", seconds / 60)
        },
    ];
    if run.baseline {
        first.push("baseline: nothing found is mailed or enforced yet".to_owned());
    }
    screen.paragraph(Tint::new().bold(), &first.join(DOT))?;
    screen.paragraph(Tint::new(), &scope(run))?;
    if run.verdict == Verdict::Incomplete {
        screen.paragraph(
            words::verdict_tint(run.verdict),
            "INCOMPLETE: this report does not show everything.",
        )?;
    }
    Ok(())
}

fn scope(run: &Run) -> String {
    let names = |names: &[String]| {
        names
            .iter()
            .map(|name| words::name(name))
            .collect::<Vec<_>>()
            .join(", ")
    };
    let mut scope = vec![format!("sources {}", names(&run.scope.sources))];
    if !run.scope.users.is_empty() {
        scope.push(format!("only users {}", names(&run.scope.users)));
    }
    if !run.scope.rules.is_empty() {
        let rules: Vec<&str> = run.scope.rules.iter().map(|rule| rule.as_str()).collect();
        scope.push(format!("only rules {}", rules.join(", ")));
    }
    if !run.policy.rules_off.is_empty() {
        let rules: Vec<&str> = run.policy.rules_off.iter().map(|rule| rule.as_str()).collect();
        scope.push(format!("switched off: {}", rules.join(", ")));
    }
    scope.join(DOT)
}

/// Writes the notices, the sums and the verdict.
pub(super) fn write(header: &Header, screen: &mut Screen<'_>) -> io::Result<()> {
    notices(&header.notices, screen)?;
    screen.title(Tint::new().bold(), "TOTALS")?;
    by_rule(header, screen)?;
    for line in [by_level(&header.totals), by_status(&header.totals)]
        .into_iter()
        .flatten()
    {
        screen.paragraph(Tint::new(), &line)?;
    }
    screen.gap()?;
    screen.paragraph(words::verdict_tint(header.run.verdict), &verdict(header))
}

fn notices(notices: &[Notice], screen: &mut Screen<'_>) -> io::Result<()> {
    if notices.is_empty() {
        return Ok(());
    }
    screen.title(Tint::new().bold(), "NOTICES")?;
    let rows = notices
        .iter()
        .map(|notice| Row::from([words::name(&notice.code), words::message(&notice.message)]));
    screen.rows(&[22, screen.width() - 22], rows.collect())
}

/// The rules that fired, the most frequent first.
fn by_rule(header: &Header, screen: &mut Screen<'_>) -> io::Result<()> {
    let mut rules: Vec<_> = header
        .totals
        .by_rule
        .iter()
        .filter(|(_, number)| **number > 0)
        .collect();
    if rules.is_empty() {
        // Of what was not read nothing is known, so that nothing is said that could pass for a clean result.
        let words = if header.run.verdict == Verdict::Incomplete {
            "Nothing to add up in what was read."
        } else {
            "No finding stands."
        };
        return screen.paragraph(Tint::new(), words);
    }
    rules.sort_by_key(|(rule, number)| (Reverse(**number), **rule));
    let rows = rules.iter().map(|(rule, number)| {
        Row::from(vec![
            Cell::new(rule),
            Cell::new(number).set_alignment(CellAlignment::Right),
        ])
    });
    screen.rows_beneath(&["Rule", "Findings"], &[34, 10], rows.collect())?;
    screen.gap()
}

/// `2 critical · 5 high`.
fn by_level(totals: &Totals) -> Option<String> {
    let levels = Level::ALL.iter().rev().filter_map(|level| {
        let number = totals.by_level.get(level).filter(|number| **number > 0)?;
        Some(format!("{number} {level}"))
    });
    let levels: Vec<String> = levels.collect();
    (!levels.is_empty()).then(|| format!("By level: {}", levels.join(DOT)))
}

/// `3 new · 4 open`.
fn by_status(totals: &Totals) -> Option<String> {
    let statuses = Status::ALL.iter().filter_map(|status| {
        let number = totals.by_status.get(status).filter(|number| **number > 0)?;
        Some(format!("{number} {status}"))
    });
    let statuses: Vec<String> = statuses.collect();
    (!statuses.is_empty()).then(|| format!("By status: {}", statuses.join(DOT)))
}

/// The last words: never clean unless everything was read and nothing was found.
fn verdict(header: &Header) -> String {
    let totals = &header.totals;
    let waived = if totals.waived > 0 {
        format!(", {} more waived", totals.waived)
    } else {
        String::new()
    };
    let findings = format!(
        "{} in {}{waived}",
        words::count(totals.findings, "finding"),
        words::count(totals.shares, "share")
    );
    let bad: Vec<String> = header
        .sources
        .iter()
        .filter(|source| source.verdict == header.run.verdict)
        .map(|source| words::name(&source.name))
        .collect();
    let bad = if bad.is_empty() {
        "a source".to_owned()
    } else {
        bad.join(", ")
    };
    match header.run.verdict {
        Verdict::Complete if totals.findings == 0 => {
            format!("COMPLETE: everything in scope was read; no findings{waived}.")
        }
        Verdict::Complete => format!("COMPLETE: everything in scope was read; {findings}."),
        Verdict::Limited => format!(
            "LIMITED: everything within reach was read; what is out of reach in {bad} is named above. {findings}."
        ),
        Verdict::Incomplete => format!(
            "INCOMPLETE: {bad} could not be read in full; this report does not show everything. What was read has {findings}."
        ),
    }
}
