//! Checks a file's tree against the schema: unknown keys, wrong types, unknown words, missing keys.
//!
//! All of a file's problems are found, not the first one. What is wrong is taken out of the tree, so that
//! the rest can be read and judged too.

mod plain;

use std::collections::BTreeSet;

use serde_json::Value;
use toml::{
    Spanned,
    de::{DeArray, DeValue},
};

use plain::{check_date, check_plain, check_word, list_of, wrong_type};

use super::{
    diagnostic::Diagnostic,
    nearest::nearest,
    schema::{self, Form},
    text::Texts,
    tree::{Node, Table},
};

/// What a check found.
pub(super) struct Findings<'t> {
    texts: &'t Texts,
    pub(super) diagnostics: Vec<Diagnostic>,
    /// Keys that were taken out: that they are missing is no second problem.
    pub(super) taken: BTreeSet<String>,
}

impl<'t> Findings<'t> {
    pub(super) fn new(texts: &'t Texts) -> Self {
        Self {
            texts,
            diagnostics: Vec::new(),
            taken: BTreeSet::new(),
        }
    }

    fn add<T>(
        &mut self,
        message: impl AsRef<str>,
        at: &Spanned<T>,
        label: impl AsRef<str>,
    ) -> &mut Diagnostic {
        let index = self.diagnostics.len();
        self.diagnostics
            .push(Diagnostic::error(message).at(self.texts.place(&at.span()), label));
        &mut self.diagnostics[index]
    }

    fn remedy(&mut self, text: impl AsRef<str>) {
        if let Some(diagnostic) = self.diagnostics.pop() {
            self.diagnostics.push(diagnostic.remedy(text));
        }
    }
}

/// Checks the table of a whole file.
pub(super) fn check(table: &mut Table<'_>, findings: &mut Findings<'_>) {
    check_table(table, schema::root(), "the configuration", findings);
}

/// Checks a table's keys and values. What the table is called is for messages.
fn check_table(table: &mut Table<'_>, schema: &Value, called: &str, findings: &mut Findings<'_>) {
    let mut wrong = Vec::new();
    let any = schema::any_property(schema);
    for (key, value) in table.iter_mut() {
        let name = key.get_ref().as_ref();
        let Some(schema) = schema::property(schema, name).or(any) else {
            unknown_key(key, schema, called, findings);
            wrong.push(name.to_owned());
            continue;
        };
        if !check_value(value, schema, name, findings) {
            wrong.push(name.to_owned());
        }
    }
    for name in wrong {
        table.remove(name.as_str());
        findings.taken.insert(name);
    }
}

fn unknown_key<K: AsRef<str>>(key: &Spanned<K>, schema: &Value, called: &str, findings: &mut Findings<'_>) {
    let name = key.get_ref().as_ref();
    let known: Vec<_> = schema::properties(schema).map(|(name, _)| name).collect();
    let what = if known.first().is_some_and(|name| name.contains('-')) {
        "name"
    } else {
        "key"
    };
    findings.add(
        format!("unknown {what} `{name}` in {called}"),
        key,
        "not known here",
    );
    if let Some(meant) = nearest(name, known.iter().copied()) {
        findings.remedy(format!("did you mean `{meant}`?"));
        findings.taken.insert(meant.to_owned());
    } else {
        findings.remedy(format!("known here: {}", known.join(", ")));
    }
}

/// Checks a value; `false` if it cannot stay.
fn check_value(value: &mut Node<'_>, schema: &Value, name: &str, findings: &mut Findings<'_>) -> bool {
    if schema::is_secret(schema) && !value.get_ref().is_table() {
        findings.add(
            format!("`{name}` is a secret: it is not written into the configuration"),
            value,
            "a value, where a reference is wanted",
        );
        findings.remedy(format!(
            "refer to it: `{name} = {{ file = \"/etc/sharewarden/{name}\" }}` (readable by its owner only), \
             `{{ env = \"NAME\" }}`, `{{ credential = \"name\" }}` or `{{ command = [\"program\", \"argument\"] }}`"
        ));
        findings.remedy("and change the secret if others could have read this file");
        return false;
    }
    let span = value.span();
    match schema::form(schema) {
        Form::Words(words) => check_word(value, &words, name, findings),
        Form::Date => check_date(value, name, findings),
        Form::Plain(wanted) => check_plain(value, wanted, schema, name, findings),
        Form::Tagged(tag, choices) => check_tagged(value, tag, &choices, name, findings),
        Form::OneKey(choices) => check_one_key(value, &choices, name, findings),
        Form::List(items) => {
            let DeValue::Array(values) = value.get_mut() else {
                return wrong_type(value, list_of(items), name, findings);
            };
            if let Some(items) = items {
                let given = std::mem::replace(values, DeArray::new());
                for mut value in given {
                    if check_value(&mut value, items, name, findings) {
                        values.push(value);
                    } else {
                        findings.taken.insert(name.to_owned());
                    }
                }
            }
            true
        }
        Form::Table(schema) => {
            let DeValue::Table(table) = value.get_mut() else {
                return wrong_type(value, "a table", name, findings);
            };
            check_table(table, schema, &format!("`{name}`"), findings);
            has_required(
                table,
                &Spanned::new(span, ()),
                schema,
                &format!("`{name}`"),
                findings,
            )
        }
    }
}

fn has_required(
    table: &Table<'_>,
    at: &Spanned<()>,
    schema: &Value,
    called: &str,
    findings: &mut Findings<'_>,
) -> bool {
    let mut complete = true;
    for name in schema::required(schema).filter(|name| !table.contains_key(*name)) {
        complete = false;
        if findings.taken.contains(name) {
            continue;
        }
        findings.add(
            format!("`{name}` is missing in {called}"),
            at,
            format!("has no `{name}`"),
        );
        let meaning = schema::property(schema, name).and_then(|schema| schema.get("description")?.as_str());
        if let Some(meaning) = meaning {
            findings.remedy(format!("`{name}`: {meaning}"));
        }
    }
    complete
}

fn check_tagged(
    value: &mut Node<'_>,
    tag: &str,
    choices: &[(&str, &Value)],
    name: &str,
    findings: &mut Findings<'_>,
) -> bool {
    let at = Spanned::new(value.span(), ());
    let words: Vec<_> = choices.iter().map(|(word, _)| *word).collect();
    let DeValue::Table(table) = value.get_mut() else {
        return wrong_type(value, "a table", name, findings);
    };
    let Some(given) = table.get_mut(tag) else {
        findings.add(
            format!("`{tag}` is missing in `{name}`"),
            &at,
            format!("has no `{tag}`"),
        );
        findings.remedy(format!("`{tag}` is one of: {}", words.join(", ")));
        return false;
    };
    if !check_word(given, &words, tag, findings) {
        return false;
    }
    let given = given.get_ref().as_str().unwrap_or_default().to_owned();
    let Some((_, schema)) = choices.iter().find(|(word, _)| *word == given) else {
        return false;
    };
    let before = findings.diagnostics.len();
    let called = format!("`{name}` with `{tag} = \"{given}\"`");
    check_table(table, schema, &called, findings);
    for diagnostic in findings.diagnostics.split_off(before) {
        let elsewhere = choices.iter().find(|(_, schema)| {
            schema::properties(schema)
                .any(|(key, _)| diagnostic.message() == format!("unknown key `{key}` in {called}"))
        });
        findings.diagnostics.push(match elsewhere {
            Some((word, _)) => diagnostic.remedy(format!("it belongs to `{tag} = \"{word}\"`")),
            None => diagnostic,
        });
    }
    has_required(table, &at, schema, &called, findings)
}

fn check_one_key(
    value: &mut Node<'_>,
    choices: &[(&str, &Value)],
    name: &str,
    findings: &mut Findings<'_>,
) -> bool {
    let at = Spanned::new(value.span(), ());
    let words: Vec<_> = choices.iter().map(|(word, _)| *word).collect();
    let DeValue::Table(table) = value.get_mut() else {
        return wrong_type(value, "a table", name, findings);
    };
    let mut good = true;
    for (key, value) in table.iter_mut() {
        let key_name = key.get_ref().as_ref();
        if let Some((_, schema)) = choices.iter().find(|(word, _)| *word == key_name) {
            good &= check_value(value, schema, key_name, findings);
        } else {
            good = false;
            findings.add(
                format!("unknown key `{key_name}` in `{name}`"),
                key,
                "not known here",
            );
            match nearest(key_name, words.iter().copied()) {
                Some(meant) => findings.remedy(format!("did you mean `{meant}`?")),
                None => findings.remedy(format!("a secret is found by one of: {}", words.join(", "))),
            }
        }
    }
    if good && table.len() != 1 {
        findings.add(
            format!("`{name}` must say exactly one of: {}", words.join(", ")),
            &at,
            format!("says {} of them", table.len()),
        );
        return false;
    }
    good
}
