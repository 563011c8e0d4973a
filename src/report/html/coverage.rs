//! What was read of each source and what was not, as a page shows it: the part without which a short list means nothing.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use minijinja::{Value, context};

use super::super::view::Source;
use super::super::words::WordsError;
use super::tongue::{Said, Tongue};
use crate::model::{ControlTotals, Effect, Problem, SourceKind};

/// How many places of one kind of problem are named; the others are counted.
const PLACES: usize = 40;

/// What was read of a source.
pub(super) fn source(tongue: Tongue<'_>, source: &Source) -> Said {
    let verdict = tongue.say(&format!("verdict.{}", source.verdict))?;
    let title = [("source", tongue.name(&source.name)?), ("verdict", verdict)];
    let service = match source.product.as_deref().filter(|product| !product.is_empty()) {
        Some(product) => tongue.name(product)?,
        None => tongue.say(&format!("product.name_{}", source.kind))?,
    };
    let scopes = match source.kind {
        SourceKind::Nextcloud => "coverage.accounts",
        SourceKind::Microsoft365 => "coverage.drives",
    };
    let mut facts = vec![
        fact(tongue.say("coverage.service")?, service),
        fact(tongue.say(scopes)?, accounts(tongue, source)?),
        fact(tongue.say("coverage.known")?, known(tongue, source)?),
        fact(tongue.say("coverage.seen")?, seen(tongue, source)?),
    ];
    let mut more = |key: &str, text: Value| {
        facts.push(fact(tongue.say(key)?, text));
        Ok::<_, WordsError>(())
    };
    if let Some(totals) = source.control.as_ref().filter(|totals| !totals.is_empty()) {
        more("coverage.control", control(tongue, totals)?)?;
    }
    if source.classification_undetermined > 0 {
        let count = source.classification_undetermined;
        let text = tongue.voice.count("coverage.undetermined_text", count, &[])?;
        more("coverage.undetermined", text)?;
    }
    if !source.stated.is_empty() {
        let stated = source.stated.iter().map(|(name, value)| {
            let values = [("name", tongue.name(name)?), ("value", tongue.name(value)?)];
            tongue.voice.say("coverage.stated_part", &values)
        });
        let stated = tongue.voice.list(&stated.collect::<Result<Vec<_>, _>>()?);
        more("coverage.stated", stated)?;
    }
    if !source.not_covered.is_empty() {
        more(
            "coverage.not_covered",
            tongue.known("not_covered", &source.not_covered)?,
        )?;
    }
    let rules = source
        .rules_not_judged
        .iter()
        .map(|rule| tongue.rule("rule", *rule, None));
    let rules = rules.collect::<Result<Vec<_>, _>>()?;
    Ok(context! {
        title => tongue.voice.say("coverage.source", &title)?,
        verdict => source.verdict.as_str(),
        facts,
        not_judged => tongue.voice.count("coverage.not_judged", rules.len() as u64, &[])?,
        rules,
        problems => problems(tongue, &source.problems)?,
    })
}

/// Why a source was not read whole, in a few words: what makes the run incomplete.
pub(super) fn reasons(tongue: Tongue<'_>, source: &Source) -> Result<Vec<Value>, WordsError> {
    let mut reasons = Vec::new();
    if source.accounts.failed > 0 {
        reasons.push(
            tongue
                .voice
                .count("coverage.failed_of", source.accounts.failed, &[])?,
        );
    }
    let mut codes: Vec<_> = source
        .problems
        .iter()
        .map(|problem| problem.code)
        .filter(|code| code.effect() == Effect::Incomplete)
        .collect();
    codes.sort_unstable();
    codes.dedup();
    for code in codes {
        reasons.push(tongue.say(&format!("problem.{code}"))?);
    }
    Ok(reasons)
}

fn fact(name: Value, text: Value) -> Value {
    context! { name, text }
}

fn accounts(tongue: Tongue<'_>, source: &Source) -> Said {
    let accounts = &source.accounts;
    let scanned = [("scanned", tongue.voice.number(accounts.scanned))];
    let mut parts = vec![tongue.voice.count("coverage.read", accounts.found, &scanned)?];
    for (key, count) in [
        ("coverage.failed", accounts.failed),
        ("coverage.skipped", accounts.skipped),
        ("coverage.gone", accounts.gone),
    ] {
        if count > 0 {
            parts.push(tongue.voice.count(key, count, &[])?);
        }
    }
    Ok(tongue.voice.list(&parts))
}

fn known(tongue: Tongue<'_>, source: &Source) -> Said {
    let inventory = &source.inventory;
    // Cut rather than rounded: nothing but the whole is 100 %.
    let percent = format!("{:.0}", inventory.known_percent.floor());
    let mut text = tongue
        .voice
        .say("coverage.known_text", &[("percent", percent.into())])?;
    if let Some(oldest) = inventory.oldest_check {
        let values = [("text", text), ("date", tongue.moment(oldest)?)];
        text = tongue.voice.say("coverage.known_since", &values)?;
    }
    if inventory.unread > 0 {
        text = tongue
            .voice
            .count("coverage.unread", inventory.unread, &[("text", text)])?;
    }
    Ok(text)
}

fn seen(tongue: Tongue<'_>, source: &Source) -> Said {
    let shares = tongue.voice.count("coverage.shares", source.shares_seen, &[])?;
    let items = tongue.voice.count("coverage.items", source.items_seen, &[])?;
    tongue
        .voice
        .say("coverage.seen_text", &[("shares", shares), ("items", items)])
}

/// The service's own counts beside what was seen.
fn control(tongue: Tongue<'_>, totals: &ControlTotals) -> Said {
    let parts = totals.iter().map(|(kind, total)| {
        let values = [
            ("kind", tongue.say(&format!("kind.{kind}"))?),
            ("seen", tongue.voice.number(total.seen)),
            ("expected", tongue.voice.number(total.expected)),
        ];
        let text = tongue.voice.say("coverage.control_part", &values)?;
        if !total.is_off() {
            return Ok(text);
        }
        let missing = tongue.voice.number(total.expected.saturating_sub(total.seen));
        let values = [("text", text), ("missing", missing)];
        tongue.voice.say("coverage.control_off", &values)
    });
    Ok(tongue.voice.list(&parts.collect::<Result<Vec<_>, _>>()?))
}

/// The problems by kind, those that make a run incomplete first.
fn problems(tongue: Tongue<'_>, problems: &[Problem]) -> Result<Vec<Value>, WordsError> {
    let mut kinds: BTreeMap<_, Vec<&Problem>> = BTreeMap::new();
    for problem in problems {
        let kind = (Reverse(problem.code.effect()), problem.code);
        kinds.entry(kind).or_default().push(problem);
    }
    let kinds = kinds.into_iter().map(|((Reverse(effect), code), problems)| {
        let places = problems.iter().take(PLACES).map(|problem| {
            let scope = match problem.scope.as_str() {
                "*" => tongue.say("coverage.whole")?,
                scope => tongue.reason(scope)?,
            };
            Ok(context! { scope, message => tongue.reason(&problem.message)? })
        });
        let more = problems.len().saturating_sub(PLACES) as u64;
        Ok(context! {
            effect => effect.as_str(),
            text => tongue.say(&format!("problem.{code}"))?,
            count => tongue.voice.count("coverage.places", problems.len() as u64, &[])?,
            places => places.collect::<Result<Vec<_>, WordsError>>()?,
            more => (more > 0).then(|| tongue.voice.count("report.more", more, &[])).transpose()?,
        })
    });
    kinds.collect()
}
