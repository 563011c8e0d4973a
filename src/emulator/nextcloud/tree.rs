//! Values as a Nextcloud answers them, written as its JSON and as its XML.
//!
//! Both writings keep the server's habits: JSON escapes `/`, `<`, `>` and everything beyond ASCII, an empty map is
//! `[]`; XML tells neither null from false nor numbers from text. Keys keep their order.

use std::borrow::Cow;
use std::fmt::Write as _;

use serde_json::Value;

/// A value in an answer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Tree {
    Null,
    Bool(bool),
    Int(i64),
    Text(Cow<'static, str>),
    List(Vec<Tree>),
    Map(Vec<(Cow<'static, str>, Tree)>),
}

/// Builds a map from literal keys.
pub(crate) fn map<const N: usize>(entries: [(&'static str, Tree); N]) -> Tree {
    Tree::Map(
        entries
            .into_iter()
            .map(|(key, value)| (Cow::Borrowed(key), value))
            .collect(),
    )
}

/// A list of texts.
pub(crate) fn texts<'a>(items: impl IntoIterator<Item = &'a str>) -> Tree {
    Tree::List(items.into_iter().map(Tree::from).collect())
}

impl Tree {
    /// Adds to a map or, where the key is there, replaces. Anything but a map stays as it is.
    pub(crate) fn set(&mut self, key: impl Into<Cow<'static, str>>, value: Tree) {
        let Self::Map(entries) = self else { return };
        let key = key.into();
        match entries.iter_mut().find(|(known, _)| *known == key) {
            Some((_, old)) => *old = value,
            None => entries.push((key, value)),
        }
    }

    /// Adds to a map a key that it does not have.
    pub(crate) fn push(&mut self, key: &'static str, value: Tree) {
        if let Self::Map(entries) = self {
            entries.push((Cow::Borrowed(key), value));
        }
    }

    pub(crate) fn json(&self, out: &mut String) {
        match self {
            Self::Null => out.push_str("null"),
            Self::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
            Self::Int(value) => _ = write!(out, "{value}"),
            Self::Text(text) => quoted(text, out),
            Self::List(items) => {
                out.push('[');
                for (index, item) in items.iter().enumerate() {
                    if index > 0 {
                        out.push(',');
                    }
                    item.json(out);
                }
                out.push(']');
            }
            Self::Map(entries) if entries.is_empty() => out.push_str("[]"),
            Self::Map(entries) => {
                out.push('{');
                for (index, (key, value)) in entries.iter().enumerate() {
                    if index > 0 {
                        out.push(',');
                    }
                    quoted(key, out);
                    out.push(':');
                    value.json(out);
                }
                out.push('}');
            }
        }
    }

    /// Writes the element `name` with this value, one line an element, one blank a level.
    pub(crate) fn xml(&self, name: &str, depth: usize, out: &mut String) {
        let name = if name.bytes().all(|byte| byte.is_ascii_digit()) {
            "element"
        } else {
            name
        };
        indent(depth, out);
        match self {
            Self::Null => _ = write!(out, "<{name}/>"),
            Self::Bool(value) => _ = write!(out, "<{name}>{}</{name}>", if *value { "1" } else { "" }),
            Self::Int(value) => _ = write!(out, "<{name}>{value}</{name}>"),
            Self::Text(text) => {
                _ = write!(out, "<{name}>");
                escaped(text, out);
                _ = write!(out, "</{name}>");
            }
            Self::List(items) if items.is_empty() => _ = write!(out, "<{name}/>"),
            Self::Map(entries) if entries.is_empty() => _ = write!(out, "<{name}/>"),
            Self::List(items) => {
                _ = writeln!(out, "<{name}>");
                for item in items {
                    item.xml("element", depth + 1, out);
                }
                indent(depth, out);
                _ = write!(out, "</{name}>");
            }
            Self::Map(entries) => {
                _ = writeln!(out, "<{name}>");
                for (key, value) in entries {
                    if key == "$comment" {
                        continue;
                    }
                    value.xml(key, depth + 1, out);
                }
                indent(depth, out);
                _ = write!(out, "</{name}>");
            }
        }
        out.push('\n');
    }
}

fn indent(depth: usize, out: &mut String) {
    for _ in 0..depth {
        out.push(' ');
    }
}

fn quoted(text: &str, out: &mut String) {
    out.push('"');
    let plain = |letter: char| matches!(letter, ' '..='~') && !matches!(letter, '"' | '\\' | '/' | '<' | '>');
    let mut rest = text;
    while let Some(at) = rest.find(|letter| !plain(letter)) {
        let (before, from) = rest.split_at(at);
        out.push_str(before);
        let mut letters = from.chars();
        if let Some(letter) = letters.next() {
            quoted_letter(letter, out);
        }
        rest = letters.as_str();
    }
    out.push_str(rest);
    out.push('"');
}

fn quoted_letter(letter: char, out: &mut String) {
    match letter {
        '"' => out.push_str("\\\""),
        '\\' => out.push_str("\\\\"),
        '/' => out.push_str("\\/"),
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        '\u{8}' => out.push_str("\\b"),
        '\u{c}' => out.push_str("\\f"),
        '<' => out.push_str("\\u003C"),
        '>' => out.push_str("\\u003E"),
        _ => {
            for unit in letter.encode_utf16(&mut [0; 2]) {
                _ = write!(out, "\\u{unit:04x}");
            }
        }
    }
}

/// Escapes text for XML.
pub(crate) fn escaped(text: &str, out: &mut String) {
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\r' => out.push_str("&#13;"),
            _ => out.push(letter),
        }
    }
}

impl From<&str> for Tree {
    fn from(text: &str) -> Self {
        Self::Text(Cow::Owned(text.to_owned()))
    }
}

impl From<String> for Tree {
    fn from(text: String) -> Self {
        Self::Text(Cow::Owned(text))
    }
}

impl From<bool> for Tree {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<i64> for Tree {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<u64> for Tree {
    fn from(value: u64) -> Self {
        Self::Int(i64::try_from(value).unwrap_or(i64::MAX))
    }
}

impl From<u32> for Tree {
    fn from(value: u32) -> Self {
        Self::Int(value.into())
    }
}

impl From<usize> for Tree {
    fn from(value: usize) -> Self {
        Self::Int(i64::try_from(value).unwrap_or(i64::MAX))
    }
}

impl<T: Into<Tree>> From<Option<T>> for Tree {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

impl From<&Value> for Tree {
    fn from(value: &Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(value) => Self::Bool(*value),
            Value::Number(number) => number
                .as_i64()
                .map_or_else(|| Self::from(number.to_string()), Self::Int),
            Value::String(text) => Self::from(text.as_str()),
            Value::Array(items) => Self::List(items.iter().map(Self::from).collect()),
            Value::Object(entries) => Self::Map(
                entries
                    .iter()
                    .map(|(key, value)| (Cow::Owned(key.clone()), value.into()))
                    .collect(),
            ),
        }
    }
}
