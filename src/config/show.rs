//! The effective configuration as text.
//!
//! It is TOML that says everything in effect. Secrets appear as `***`, with a note of where they are found.

use serde_json::Value;
use toml::de::DeValue;

use super::{
    schema::{self, Form},
    text::steers,
    tree::Table,
};

/// The table of a whole configuration, completed with defaults, as TOML.
pub(super) fn show(table: &Table<'_>, schema: &Value) -> String {
    let mut lines = Vec::new();
    show_table(table, schema, "", &mut lines);
    lines.push(String::new());
    lines.join("\n").trim_start().to_owned()
}

fn show_table(table: &Table<'_>, schema: &Value, path: &str, lines: &mut Vec<String>) {
    let schema_of = |name: &str| schema::property(schema, name).or_else(|| schema::any_property(schema));
    for (name, value) in table {
        let name = name.get_ref().as_ref();
        if schema_of(name).is_some_and(schema::is_secret) {
            lines.push(format!("{} = \"***\"{}", key(name), note(value.get_ref())));
        } else if !is_section(value.get_ref()) {
            lines.push(format!("{} = {}", key(name), plain(value.get_ref())));
        }
    }
    for (name, value) in table {
        let name = name.get_ref().as_ref();
        let Some(schema) = schema_of(name).filter(|schema| !schema::is_secret(schema)) else {
            continue;
        };
        let path = if path.is_empty() {
            key(name)
        } else {
            format!("{path}.{}", key(name))
        };
        match value.get_ref() {
            DeValue::Table(inner) if !inner.is_empty() => {
                lines.push(format!("\n[{path}]"));
                show_table(inner, chosen(inner, schema), &path, lines);
            }
            DeValue::Array(values) if is_section(value.get_ref()) => {
                let items = schema.get("items").unwrap_or(schema);
                for inner in values.iter().filter_map(|value| value.get_ref().as_table()) {
                    lines.push(format!("\n[[{path}]]"));
                    show_table(inner, chosen(inner, items), &path, lines);
                }
            }
            _ => {}
        }
    }
}

/// The schema of a table, where there is a choice.
fn chosen<'s>(table: &Table<'_>, schema: &'s Value) -> &'s Value {
    let Form::Tagged(tag, choices) = schema::form(schema) else {
        return schema;
    };
    let given = table
        .get(tag)
        .and_then(|tag| tag.get_ref().as_str())
        .unwrap_or_default();
    choices
        .into_iter()
        .find(|(name, _)| *name == given)
        .map_or(schema, |(_, schema)| schema)
}

/// Whether a value stands under a header of its own.
fn is_section(value: &DeValue<'_>) -> bool {
    match value {
        DeValue::Table(_) => true,
        DeValue::Array(values) => values.first().is_some_and(|first| first.get_ref().is_table()),
        _ => false,
    }
}

/// Where a secret is found. Of a command, only the program: arguments can hold what should not be shown.
fn note(value: &DeValue<'_>) -> String {
    let Some((name, value)) = value.as_table().and_then(|table| table.iter().next()) else {
        return String::new();
    };
    let what = match value.get_ref() {
        DeValue::Array(words) => words.first().map_or(String::new(), |word| plain(word.get_ref())),
        other => plain(other),
    };
    format!(" # {} {what}", name.get_ref())
}

fn key(name: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if !name.is_empty() && name.chars().all(bare) {
        name.to_owned()
    } else {
        quoted(name)
    }
}

fn plain(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => quoted(text),
        DeValue::Integer(number) => number.to_string(),
        DeValue::Float(number) => number.as_str().to_owned(),
        DeValue::Boolean(flag) => flag.to_string(),
        DeValue::Datetime(time) => time.to_string(),
        DeValue::Array(values) => {
            let values: Vec<_> = values.iter().map(|value| plain(value.get_ref())).collect();
            format!("[{}]", values.join(", "))
        }
        DeValue::Table(table) => {
            let entries = table
                .iter()
                .map(|(name, value)| format!("{} = {}", key(name.get_ref()), plain(value.get_ref())));
            format!("{{ {} }}", entries.collect::<Vec<_>>().join(", "))
        }
    }
}

/// A string of TOML in which nothing steers a terminal.
fn quoted(text: &str) -> String {
    let mut quoted = String::from('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            c if steers(c) => {
                let code = format!("\\u{:04X}", u32::from(c));
                quoted.push_str(&code);
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}
