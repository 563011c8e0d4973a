//! The plan for people: what is proposed, what is not and why, and sums.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{self, Write},
};

use anstyle::Style as Tint;
use comfy_table::{Cell, Row};

use super::{Action, ActionKind, Unproposed, Why};
use crate::report::{
    Style,
    table::{
        screen::{Screen, strong},
        words::{self, DOT},
    },
    text,
};

/// How many rows are laid out at once.
const BLOCK: usize = 400;
/// The room for what is done, and when.
const DONE: u16 = 24;
/// How many examples are given of what is not proposed for one reason.
const EXAMPLES: usize = 3;

/// Writes what is proposed and what is not as a table.
///
/// # Errors
/// Whatever `out` reports.
pub fn write(
    style: Style,
    actions: &[Action],
    unproposed: &[Unproposed],
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut screen = Screen::new(style, out);
    let item = (screen.width() - DONE) / 2;
    let widths = [DONE, item, screen.width() - DONE - item];
    if !actions.is_empty() {
        let title = format!("PROPOSED{DOT}{}", count(actions.len(), "change"));
        screen.title(Tint::new().bold(), &title)?;
    }
    for block in actions.chunks(BLOCK) {
        screen.rows(&widths, block.iter().flat_map(proposed).collect())?;
    }
    let mut reasons: BTreeMap<(Why, ActionKind), Vec<&Unproposed>> = BTreeMap::new();
    for one in unproposed {
        reasons.entry((one.why, one.action)).or_default().push(one);
    }
    if !reasons.is_empty() {
        let title = format!("NOT PROPOSED{DOT}{}", count(unproposed.len(), "change"));
        screen.title(Tint::new().bold(), &title)?;
        let rows = reasons
            .iter()
            .map(|((why, action), alike)| refused(*why, *action, alike));
        screen.rows(&widths, rows.collect())?;
    }
    screen.gap()?;
    sums(&mut screen, actions)
}

/// An action: what is done and by when, to what of whom, and why.
fn proposed(action: &Action) -> [Row; 2] {
    let mut done = vec![action.action.to_string()];
    done.extend(action.value.as_deref().map(words::name));
    let mut item = vec![
        words::name(&action.owner),
        format!(
            "{}{DOT}{} → {}",
            words::name(action.source.as_str()),
            action.expects.kind,
            action.expects.audience
        ),
    ];
    if !action.also_ends.is_empty() {
        item.push(format!(
            "{}: {}",
            if action.action == ActionKind::Revoke {
                "ends with it"
            } else {
                "will end with it"
            },
            count(action.also_ends.len(), "re-share")
        ));
    }
    [
        Row::from([
            strong(done.join("\n")),
            Cell::new([vec![words::path(&action.item_path)], item].concat().join("\n")),
            Cell::new(text::visible(&action.reason)),
        ]),
        Row::from([""]),
    ]
}

/// What is not proposed for one reason, with a few of them.
fn refused(why: Why, action: ActionKind, alike: &[&Unproposed]) -> Row {
    let mut examples: Vec<String> = alike
        .iter()
        .take(EXAMPLES)
        .map(|one| {
            let (path, owner) = (words::path(&one.item_path), words::name(&one.owner));
            format!("{path} ({owner}, {})", words::name(one.source.as_str()))
        })
        .collect();
    match alike.len().saturating_sub(EXAMPLES) {
        0 => {}
        more => examples.push(format!("and {more} more")),
    }
    Row::from([
        strong(format!("{} {action}", alike.len())),
        Cell::new(examples.join("\n")),
        Cell::new(sentence(why)),
    ])
}

/// Why, from its capital letter to its full stop.
fn sentence(why: Why) -> String {
    let mut words = format!("{}.", why.sentence());
    if let Some(first) = words.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    words
}

/// How much is changed, by source.
fn sums(screen: &mut Screen<'_>, actions: &[Action]) -> io::Result<()> {
    let mut sources: BTreeMap<_, (BTreeMap<ActionKind, usize>, BTreeSet<&String>)> = BTreeMap::new();
    for action in actions {
        let (kinds, others) = sources.entry(&action.source).or_default();
        *kinds.entry(action.action).or_default() += 1;
        // What is to be changed itself is counted there.
        let counted = |id: &&String| {
            !actions
                .iter()
                .any(|own| own.source == action.source && own.share == **id)
        };
        others.extend(action.also_ends.iter().filter(counted));
    }
    if sources.is_empty() {
        return screen.paragraph(Tint::new(), "Nothing is proposed.");
    }
    for (source, (kinds, others)) in sources {
        let mut parts: Vec<String> = kinds
            .iter()
            .map(|(kind, number)| format!("{number} {kind}"))
            .collect();
        if !others.is_empty() {
            parts.push(format!("{} end too", count(others.len(), "re-share")));
        }
        let line = format!("{}: {}.", words::name(source.as_str()), parts.join(", "));
        screen.paragraph(Tint::new(), &line)?;
    }
    Ok(())
}

fn count(number: usize, noun: &str) -> String {
    words::count(number as u64, noun)
}
