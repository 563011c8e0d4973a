//! What was read of each source, and what was not: the part without which a short list of findings means
//! nothing.

use std::{cmp::Reverse, collections::BTreeMap, io};

use comfy_table::{Cell, Row};

use super::{
    super::view::Source,
    screen::{Screen, faint, strong},
    words::{self, DOT},
};
use crate::model::{ControlTotals, Effect, Problem};

/// How many messages of one code are drawn; the others are counted.
const MESSAGES: usize = 10;
/// How many scopes of one message are named; the others are counted.
const SCOPES: usize = 8;

/// Writes the coverage of every source.
pub(super) fn write(sources: &[Source], screen: &mut Screen<'_>) -> io::Result<()> {
    for source in sources {
        let title = format!("COVERAGE OF {}{DOT}{}", words::name(&source.name), source.verdict);
        screen.title(words::verdict_tint(source.verdict), &title)?;
        let rows = facts(source)
            .into_iter()
            .map(|(name, value)| Row::from(vec![faint(name), Cell::new(value)]));
        screen.rows(&[16, screen.width() - 16], rows.collect())?;
        if !source.problems.is_empty() {
            problems(&source.problems, screen)?;
        }
    }
    Ok(())
}

fn facts(source: &Source) -> Vec<(&'static str, String)> {
    let accounts = &source.accounts;
    let requests = &source.requests;
    let mut facts = vec![
        (
            "Service",
            source
                .product
                .as_deref()
                .map_or_else(|| source.kind.to_string(), words::name),
        ),
        (
            words::scopes(source.kind),
            format!(
                "{} found: {} scanned, {} skipped, {} failed, {} gone",
                accounts.found, accounts.scanned, accounts.skipped, accounts.failed, accounts.gone
            ),
        ),
        ("Inventory", inventory(source)),
        ("Seen", seen(source)),
        (
            "Control totals",
            source
                .control
                .as_ref()
                .map_or_else(|| "not read".to_owned(), control),
        ),
        (
            "Requests",
            format!(
                "{} sent, {} retried, {} throttled{}",
                requests.sent,
                requests.retried,
                requests.throttled,
                waited(requests.waited_seconds)
            ),
        ),
    ];
    if requests.units > 0 {
        facts.push(("Resource units", requests.units.to_string()));
    }
    if source.classification_undetermined > 0 {
        let shares = words::count(source.classification_undetermined, "share");
        facts.push((
            "Undetermined",
            format!("{shares} open to anyone: not known whether classified"),
        ));
    }
    if !source.rules_not_judged.is_empty() {
        let rules: Vec<&str> = source.rules_not_judged.iter().map(|rule| rule.as_str()).collect();
        facts.push(("Not judged", rules.join(", ")));
    }
    if !source.stated.is_empty() {
        let stated = source
            .stated
            .iter()
            .map(|(name, value)| format!("{name} = {value}"));
        facts.push(("Stated", words::name(&stated.collect::<Vec<_>>().join(DOT))));
    }
    if !source.not_covered.is_empty() {
        let parts: Vec<String> = source.not_covered.iter().map(|part| words::name(part)).collect();
        facts.push(("Not covered", parts.join(", ")));
    }
    facts
}

fn inventory(source: &Source) -> String {
    // Cut rather than rounded: nothing but the whole is 100 %.
    let known = format!(
        "{:.1} % known",
        (source.inventory.known_percent * 10.0).floor() / 10.0
    );
    let mut parts = vec![known];
    if let Some(time) = source.inventory.oldest_check {
        parts.push(format!("the oldest part read {}", words::moment(time)));
    }
    let scopes = words::scopes(source.kind).to_lowercase();
    if source.inventory.read_on.len() > 1 {
        // The newest first: of long lists the old part is what counts, and it is one line above.
        let ages = source.inventory.read_on.iter().rev();
        let ages: Vec<String> = ages.map(|(day, count)| format!("{count} of {day}")).collect();
        parts.push(format!("{scopes}: {}", ages.join(DOT)));
    }
    if source.inventory.unread > 0 {
        parts.push(format!(
            "{} {scopes} never read to the end",
            source.inventory.unread
        ));
    }
    parts.join(", ")
}

fn seen(source: &Source) -> String {
    let (shares, items) = (
        words::count(source.shares_seen, "share"),
        words::count(source.items_seen, "item"),
    );
    format!("{shares} of {items}")
}

fn waited(seconds: f64) -> String {
    // What rounds to nothing is nothing to a reader.
    if seconds >= 0.5 {
        format!(", waited {seconds:.0} s")
    } else {
        String::new()
    }
}

/// The service's own counts beside what was seen.
fn control(control: &ControlTotals) -> String {
    let totals = control.iter().map(|(kind, total)| {
        let missing = if total.is_off() {
            format!(" ({} MISSING)", total.expected.saturating_sub(total.seen))
        } else {
            String::new()
        };
        format!("{kind} {} of {}{missing}", total.seen, total.expected)
    });
    let totals: Vec<String> = totals.collect();
    if totals.is_empty() {
        "none".to_owned()
    } else {
        totals.join(DOT)
    }
}

/// The scopes of which a message is said.
type ScopesByMessage<'a> = BTreeMap<&'a str, Vec<&'a str>>;

/// The problems, those that make a run incomplete first; scopes of which the same is said share a row.
fn problems(problems: &[Problem], screen: &mut Screen<'_>) -> io::Result<()> {
    let mut by_code: BTreeMap<_, ScopesByMessage<'_>> = BTreeMap::new();
    for Problem { scope, code, message } in problems {
        let alike = by_code.entry((Reverse(code.effect()), *code)).or_default();
        alike.entry(message).or_default().push(scope);
    }
    let mut rows = Vec::new();
    for ((Reverse(effect), code), messages) in &by_code {
        let code = || {
            if *effect == Effect::Incomplete {
                strong(code)
            } else {
                Cell::new(code)
            }
        };
        for (message, scopes) in messages.iter().take(MESSAGES) {
            rows.push(Row::from(vec![
                code(),
                Cell::new(named(scopes)),
                Cell::new(words::message(message)),
            ]));
        }
        let more: u64 = messages
            .values()
            .skip(MESSAGES)
            .map(|scopes| scopes.len() as u64)
            .sum();
        if more > 0 {
            let words = format!(
                "{} more of this code, each with its own message",
                words::count(more, "problem")
            );
            rows.push(Row::from(vec![code(), Cell::new("…"), Cell::new(words)]));
        }
    }
    let scope = screen.width() * 3 / 10;
    screen.gap()?;
    screen.rows_beneath(
        &["Problem", "Scope", "What happened"],
        &[22, scope, screen.width() - 22 - scope],
        rows,
    )
}

fn named(scopes: &[&str]) -> String {
    let names: Vec<String> = scopes
        .iter()
        .take(SCOPES)
        .map(|scope| words::name(scope))
        .collect();
    match scopes.len().saturating_sub(SCOPES) {
        0 => names.join(", "),
        more => format!("{} and {more} more", names.join(", ")),
    }
}
