//! The JSON Schema of the configuration, and what the reading of files asks of it.
//!
//! The schema is what files are checked by, what gives defaults, and what `config schema` prints: one
//! description for all three. There are no references in it, and no `null`, which TOML does not have.

use std::sync::OnceLock;

use schemars::{
    Schema,
    generate::SchemaSettings,
    transform::{Transform, transform_subschemas},
};
use serde_json::{Map, Value};
use toml::de::DeValue;

use super::{tree::Node, written};

/// The JSON Schema of the configuration, as text.
#[must_use]
pub fn schema() -> String {
    let mut schema = root().clone();
    without(&mut schema, DEFAULT_IN_TOML);
    let mut text = format!("{schema:#}");
    text.push('\n');
    text
}

/// The default once more, as TOML text.
const DEFAULT_IN_TOML: &str = "x-toml";

fn without(value: &mut Value, name: &str) {
    match value {
        Value::Object(entries) => {
            entries.remove(name);
            entries.values_mut().for_each(|value| without(value, name));
        }
        Value::Array(values) => values.iter_mut().for_each(|value| without(value, name)),
        _ => {}
    }
}

/// The JSON Schema of the configuration.
pub(super) fn root() -> &'static Value {
    static ROOT: OnceLock<Value> = OnceLock::new();
    ROOT.get_or_init(|| {
        let generator = SchemaSettings::draft2020_12()
            .with(|settings| settings.inline_subschemas = true)
            .with_transform(InTomlTerms)
            .into_generator();
        generator.into_root_schema_for::<written::File>().to_value()
    })
}

/// Puts a derived schema into TOML's terms.
#[derive(Clone, Debug)]
struct InTomlTerms;

impl Transform for InTomlTerms {
    fn transform(&mut self, schema: &mut Schema) {
        transform_subschemas(self, schema);
        let Some(object) = schema.as_object_mut() else {
            return;
        };
        without_null(object);
        if let Some(default) = object.get("default") {
            // What JSON writes for flags, numbers, words and lists of them, TOML reads as the same.
            let text = default.to_string();
            object.insert(DEFAULT_IN_TOML.to_owned(), Value::String(text));
        }
        if object.remove("x-partial").is_some() {
            object.remove("required");
            if let Some(Value::Object(properties)) = object.get_mut("properties") {
                properties.remove("name");
            }
        }
        optional_with_default(object);
    }
}

/// An optional value is an absent one.
fn without_null(object: &mut Map<String, Value>) {
    if let Some(Value::Array(types)) = object.get_mut("type") {
        types.retain(|name| name != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            object.insert("type".to_owned(), only);
        }
    }
    if let Some(Value::Array(names)) = object.get_mut("enum") {
        names.retain(|name| !name.is_null());
    }
    let is_null = |schema: &Value| schema.get("type").is_some_and(|name| name == "null");
    if let Some(Value::Array(mut choices)) = object.remove("anyOf") {
        choices.retain(|choice| !is_null(choice));
        match <[Value; 1]>::try_from(choices) {
            Ok([Value::Object(only)]) => {
                for (key, value) in only {
                    object.entry(key).or_insert(value);
                }
            }
            Ok(choices) => {
                object.insert("anyOf".to_owned(), Value::Array(choices.into()));
            }
            Err(choices) => {
                object.insert("anyOf".to_owned(), Value::Array(choices));
            }
        }
    }
}

/// What has a default need not be written.
fn optional_with_default(object: &mut Map<String, Value>) {
    let has_default: Vec<String> = properties_of(object)
        .filter(|(_, schema)| schema.get("default").is_some())
        .map(|(name, _)| name.clone())
        .collect();
    if let Some(Value::Array(required)) = object.get_mut("required") {
        required.retain(|name| {
            name.as_str()
                .is_none_or(|name| !has_default.iter().any(|have| have == name))
        });
        if required.is_empty() {
            object.remove("required");
        }
    }
}

fn properties_of(object: &Map<String, Value>) -> impl Iterator<Item = (&String, &Value)> {
    object
        .get("properties")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
}

/// What a schema node asks of a value.
pub(super) enum Form<'a> {
    /// One of several tables, told apart by the value of a key.
    Tagged(&'a str, Vec<(&'a str, &'a Value)>),
    /// One of several tables, told apart by the one key that they have.
    OneKey(Vec<(&'a str, &'a Value)>),
    /// One of several words.
    Words(Vec<&'a str>),
    /// A table: its keys, or the schema of the values under any key with the words that keys can be.
    Table(&'a Value),
    /// A list of values.
    List(Option<&'a Value>),
    /// A date.
    Date,
    /// A plain value, by JSON Schema's name of its type.
    Plain(&'a str),
}

/// Reads a schema node.
pub(super) fn form(schema: &Value) -> Form<'_> {
    if let Some(words) = schema.get("enum").and_then(Value::as_array) {
        return Form::Words(words.iter().filter_map(Value::as_str).collect());
    }
    if let Some(choices) = schema.get("oneOf").and_then(Value::as_array) {
        return choice(choices);
    }
    match schema.get("type").and_then(Value::as_str) {
        Some("array") => Form::List(schema.get("items")),
        Some("string") if schema.get("format").is_some_and(|format| format == "date") => Form::Date,
        Some("object") | None => Form::Table(schema),
        Some(plain) => Form::Plain(plain),
    }
}

fn choice(choices: &[Value]) -> Form<'_> {
    let words: Vec<_> = choices
        .iter()
        .filter_map(|choice| choice.get("const").and_then(Value::as_str))
        .collect();
    if words.len() == choices.len() {
        return Form::Words(words);
    }
    let tag = choices
        .first()
        .and_then(|choice| properties(choice).find_map(|(name, schema)| schema.get("const").map(|_| name)));
    match tag {
        Some(tag) => Form::Tagged(
            tag,
            choices
                .iter()
                .filter_map(|choice| Some((property(choice, tag)?.get("const")?.as_str()?, choice)))
                .collect(),
        ),
        None => Form::OneKey(
            choices
                .iter()
                .filter_map(|choice| properties(choice).next())
                .collect(),
        ),
    }
}

/// The keys of a table's schema.
pub(super) fn properties(schema: &Value) -> impl Iterator<Item = (&str, &Value)> {
    schema
        .get("properties")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .map(|(name, schema)| (name.as_str(), schema))
}

/// One key of a table's schema.
pub(super) fn property<'a>(schema: &'a Value, name: &str) -> Option<&'a Value> {
    schema.get("properties")?.get(name)
}

/// The schema of values under keys that the schema does not name.
pub(super) fn any_property(schema: &Value) -> Option<&Value> {
    schema
        .get("additionalProperties")
        .filter(|value| value.is_object())
}

/// The value where none is written.
pub(super) fn default(schema: &'static Value) -> Option<Node<'static>> {
    DeValue::parse(schema.get(DEFAULT_IN_TOML)?.as_str()?).ok()
}

/// The keys that a table must have.
pub(super) fn required(schema: &Value) -> impl Iterator<Item = &str> {
    schema
        .get("required")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
}

/// Whether a value is a reference to a secret.
pub(super) fn is_secret(schema: &Value) -> bool {
    schema.get("writeOnly").is_some_and(|flag| flag == true)
}
