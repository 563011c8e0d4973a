//! The tree of values with their places: parsed from files, laid over one another, completed.
//!
//! What happens to the tree here knows nothing of what the values mean.

use std::ops::Range;

use serde_json::Value;
use toml::{
    Spanned,
    de::{DeArray, DeTable, DeValue},
};

use super::schema::{self, Form};

/// A value and where it was written.
pub(super) type Node<'i> = Spanned<DeValue<'i>>;
/// A table of values, each with where it was written.
pub(super) type Table<'i> = DeTable<'i>;

/// The value with all its spans moved into the space of all files.
fn moved(node: Node<'_>, base: usize) -> Node<'_> {
    let span = shifted(&node.span(), base);
    let value = match node.into_inner() {
        DeValue::Table(table) => DeValue::Table(moved_table(table, base)),
        DeValue::Array(values) => {
            DeValue::Array(values.into_iter().map(|value| moved(value, base)).collect())
        }
        plain => plain,
    };
    Spanned::new(span, value)
}

/// The span of what no file gave.
pub(super) const NOWHERE: Range<usize> = 0..0;

/// The table with all its spans moved into the space of all files.
pub(super) fn moved_table(table: Table<'_>, base: usize) -> Table<'_> {
    let entries = table.into_iter().map(|(key, value)| {
        let span = shifted(&key.span(), base);
        (Spanned::new(span, key.into_inner()), moved(value, base))
    });
    entries.collect()
}

fn shifted(span: &Range<usize>, base: usize) -> Range<usize> {
    span.start + base..span.end + base
}

/// Lays a later file over earlier ones: tables are joined, lists of tables add up, all else is replaced.
pub(super) fn lay_over<'i>(earlier: &mut Table<'i>, later: Table<'i>) {
    for (key, value) in later {
        let Some(before) = earlier.get_mut(key.get_ref().as_ref()) else {
            earlier.insert(key, value);
            continue;
        };
        let span = value.span();
        match (before.get_mut(), value.into_inner()) {
            (DeValue::Table(before), DeValue::Table(value)) if !is_choice(before) && !is_choice(&value) => {
                lay_over(before, value);
            }
            (DeValue::Array(before), DeValue::Array(value)) if of_tables(before) && of_tables(&value) => {
                for value in value {
                    before.push(value);
                }
            }
            (_, value) => *before = Spanned::new(span, value),
        }
    }
}

/// Gives a source the values that its kind has by `[defaults]`; what it says itself wins.
pub(super) fn lay_under<'i>(source: &mut Table<'i>, defaults: &Table<'i>) {
    for (key, value) in defaults {
        match source.get_mut(key.get_ref().as_ref()).map(Spanned::get_mut) {
            None => {
                source.insert(key.clone(), value.clone());
            }
            Some(DeValue::Table(own)) => {
                if let Some(table) = value
                    .get_ref()
                    .as_table()
                    .filter(|table| !is_choice(table) && !is_choice(own))
                {
                    lay_under(own, table);
                }
            }
            Some(_) => {}
        }
    }
}

/// Whether a table is one of several kinds, or a reference to a secret: such a one is taken whole or not at all.
fn is_choice(table: &Table<'_>) -> bool {
    ["method", "kind", "env", "file", "credential", "command"]
        .iter()
        .any(|key| table.contains_key(*key))
}

fn of_tables(values: &DeArray<'_>) -> bool {
    values.iter().all(|value| value.get_ref().is_table())
}

/// Takes `[defaults]` out of the tree and gives its values to the sources.
pub(super) fn spread_defaults(file: &mut Table<'_>) {
    let Some(DeValue::Table(defaults)) = file.remove("defaults").map(Spanned::into_inner) else {
        return;
    };
    let sources = file.get_mut("source").map(Spanned::get_mut);
    let Some(DeValue::Array(sources)) = sources else {
        return;
    };
    for source in sources.iter_mut() {
        let DeValue::Table(source) = source.get_mut() else {
            continue;
        };
        let kind = source.get("kind").and_then(|kind| kind.get_ref().as_str());
        let values = kind
            .and_then(|kind| defaults.get(kind))
            .and_then(|values| values.get_ref().as_table());
        if let Some(values) = values {
            lay_under(source, values);
        }
    }
}

/// Puts the schema's defaults where nothing is written.
pub(super) fn fill(table: &mut Table<'_>, schema: &'static Value) {
    for (name, schema) in schema::properties(schema) {
        if !table.contains_key(name)
            && let Some(default) = schema::default(schema)
        {
            table.insert(Spanned::new(NOWHERE, name.into()), default);
        }
        if let Some(node) = table.get_mut(name) {
            fill_value(node.get_mut(), schema);
        }
    }
}

fn fill_value(value: &mut DeValue<'_>, schema: &'static Value) {
    match (schema::form(schema), value) {
        (Form::Table(schema), DeValue::Table(table)) => fill(table, schema),
        (Form::Tagged(tag, choices), DeValue::Table(table)) => {
            let given = table
                .get(tag)
                .and_then(|tag| tag.get_ref().as_str())
                .unwrap_or_default();
            if let Some((_, schema)) = choices.iter().find(|(name, _)| *name == given) {
                fill(table, schema);
            }
        }
        (Form::List(Some(items)), DeValue::Array(values)) => {
            for value in values.iter_mut() {
                fill_value(value.get_mut(), items);
            }
        }
        _ => {}
    }
}

/// Moves the tags of tagged tables outside, as serde reads enumerations without losing places:
/// `{ method = "login" }` becomes `{ login = {} }`.
pub(super) fn tags_outside(table: &mut Table<'_>, schema: &Value) {
    for (name, schema) in schema::properties(schema) {
        if let Some(node) = table.get_mut(name) {
            tag_outside(node.get_mut(), schema);
        }
    }
}

fn tag_outside(value: &mut DeValue<'_>, schema: &Value) {
    match (schema::form(schema), value) {
        (Form::Table(schema), DeValue::Table(table)) => tags_outside(table, schema),
        (Form::Tagged(tag, choices), DeValue::Table(table)) => {
            let Some(tag) = table.remove(tag) else {
                return;
            };
            let DeValue::String(name) = tag.get_ref() else {
                return;
            };
            if let Some((_, schema)) = choices.iter().find(|(choice, _)| choice == name) {
                tags_outside(table, schema);
            }
            let inner = std::mem::take(table);
            table.insert(
                Spanned::new(tag.span(), name.clone()),
                Spanned::new(tag.span(), DeValue::Table(inner)),
            );
        }
        (Form::List(Some(items)), DeValue::Array(values)) => {
            for value in values.iter_mut() {
                tag_outside(value.get_mut(), items);
            }
        }
        _ => {}
    }
}

/// The keys of the table as JSON, for digests: what was written, without where.
pub(super) fn json(value: &DeValue<'_>) -> Value {
    match value {
        DeValue::String(text) => Value::String(text.clone().into_owned()),
        DeValue::Integer(number) => Value::String(number.to_string()),
        DeValue::Float(number) => Value::String(number.as_str().to_owned()),
        DeValue::Boolean(flag) => Value::Bool(*flag),
        DeValue::Datetime(time) => Value::String(time.to_string()),
        DeValue::Array(values) => values.iter().map(|value| json(value.get_ref())).collect(),
        DeValue::Table(table) => table
            .iter()
            .map(|(key, value)| (key.get_ref().clone().into_owned(), json(value.get_ref())))
            .collect(),
    }
}

/// A word of a table.
pub(super) fn word<'a>(table: &'a Table<'_>, name: &str) -> Option<&'a str> {
    table.get(name)?.get_ref().as_str()
}

/// A table within a table.
pub(super) fn inner<'a, 'i>(table: &'a Table<'i>, name: &str) -> Option<&'a Table<'i>> {
    match table.get(name)?.get_ref() {
        DeValue::Table(table) => Some(table),
        _ => None,
    }
}
