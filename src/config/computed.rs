//! Defaults that depend on other values or on the environment.
//!
//! They are put into the tree like those of the schema, so that `config show` tells what is in effect.

use std::path::Path;

use toml::{Spanned, de::DeValue};

use super::{
    settings::{Cloud, MicrosoftLimits},
    tree::{NOWHERE, Table, inner, word},
};

/// A value in TOML, and the keys and places in lists that lead to it.
pub(super) struct Computed {
    path: Vec<Step>,
    toml: String,
}

enum Step {
    Key(&'static str),
    Place(usize),
}

use Step::{Key, Place};

/// What follows from the tree and the environment, whether or not it is written.
pub(super) fn values(tree: &Table<'_>, state: &Path) -> Vec<Computed> {
    let mut values = Vec::new();
    let mut add = |path: Vec<Step>, toml: String| values.push(Computed { path, toml });
    let database = state.join("state.db");
    add(
        vec![Key("state"), Key("path")],
        string(database.to_string_lossy()),
    );
    let internal =
        inner(tree, "policy").and_then(|policy| policy.get("internal_domains")?.get_ref().as_array());
    let internal: Vec<_> = internal
        .into_iter()
        .flatten()
        .filter_map(|word| word.get_ref().as_str())
        .map(string)
        .collect();
    add(
        vec![Key("mail"), Key("allowed_domains")],
        format!("[{}]", internal.join(", ")),
    );
    let transport = inner(tree, "mail").and_then(|mail| inner(mail, "transport"));
    if let Some(transport) = transport.filter(|transport| word(transport, "kind") == Some("smtp")) {
        let port = match word(transport, "tls") {
            Some("tls") => "465",
            Some("none") => "25",
            _ => "587",
        };
        add(vec![Key("mail"), Key("transport"), Key("port")], port.to_owned());
    }
    let sources = tree
        .get("source")
        .and_then(|sources| sources.get_ref().as_array());
    for (place, source) in sources.into_iter().flatten().enumerate() {
        let Some(source) = source.get_ref().as_table() else {
            continue;
        };
        if word(source, "kind") != Some("microsoft365") {
            continue;
        }
        let cloud = match word(source, "cloud") {
            Some("us-gov-high") => Cloud::UsGovHigh,
            Some("us-gov-dod") => Cloud::UsGovDod,
            Some("china") => Cloud::China,
            _ => Cloud::Global,
        };
        let licenses = source
            .get("license_count")
            .and_then(|count| count.get_ref().as_integer());
        let licenses = licenses.and_then(|count| u64::from_str_radix(count.as_str(), count.radix()).ok());
        let (a_minute, a_day) = MicrosoftLimits::units_for(licenses.unwrap_or(1));
        let of_source = |key: &'static str| vec![Key("source"), Place(place), Key(key)];
        add(of_source("login_url"), string(cloud.login_url()));
        add(of_source("graph_url"), string(cloud.graph_url()));
        let of_limits = |key: &'static str| vec![Key("source"), Place(place), Key("limits"), Key(key)];
        add(of_limits("units_per_minute"), a_minute.to_string());
        add(of_limits("units_per_day"), a_day.to_string());
    }
    values
}

fn string(text: impl AsRef<str>) -> String {
    toml::Value::String(text.as_ref().to_owned()).to_string()
}

/// Puts values where nothing is written.
pub(super) fn put<'i>(tree: &mut Table<'i>, values: &'i [Computed]) {
    for value in values {
        let Some((Key(first), rest)) = value.path.split_first() else {
            continue;
        };
        put_one(tree, first, rest, &value.toml);
    }
}

fn put_one<'i>(table: &mut Table<'i>, key: &'static str, rest: &[Step], toml: &'i str) {
    match (rest, table.get_mut(key).map(Spanned::get_mut)) {
        ([], None) => {
            if let Ok(value) = DeValue::parse(toml) {
                table.insert(Spanned::new(NOWHERE, key.into()), value);
            }
        }
        ([Key(next), rest @ ..], Some(DeValue::Table(inner))) => put_one(inner, next, rest, toml),
        ([Place(place), Key(next), rest @ ..], Some(DeValue::Array(values))) => {
            if let Some(DeValue::Table(inner)) = values.get_mut(*place).map(Spanned::get_mut) {
                put_one(inner, next, rest, toml);
            }
        }
        _ => {}
    }
}
