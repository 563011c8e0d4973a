//! The files' text: where a value stands, and what of the text may be shown.
//!
//! All files of a configuration lie one after the other in one space of positions, so that a span alone
//! tells the file. What could be a secret is blanked before any text is kept for showing.

use std::{
    ops::Range,
    path::{Path, PathBuf},
    sync::Arc,
};

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

/// A file whose text can be shown: it has the length of the original, with secrets blanked.
struct Shown {
    path: PathBuf,
    text: String,
    base: usize,
}

/// A place in a file of the configuration.
#[derive(Clone)]
pub(super) struct Place {
    file: Arc<Shown>,
    span: Range<usize>,
}

impl std::fmt::Debug for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.file.path.display(), self.line())
    }
}

impl Place {
    /// Where it is among all places, for putting things in their order.
    pub(super) fn position(&self) -> usize {
        self.file.base + self.span.start
    }

    /// The file.
    pub(super) fn path(&self) -> &Path {
        &self.file.path
    }

    /// The line that it starts on, counted from 1.
    pub(super) fn line(&self) -> usize {
        line_at(&self.file.text, self.span.start)
    }

    /// Whether both are in one file.
    pub(super) fn same_file(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.file, &other.file)
    }

    /// The lines around both places, the number of the first, and the spans within them.
    pub(super) fn excerpt(places: &[&Self]) -> (String, usize, Vec<Range<usize>>) {
        let Some(first) = places.first() else {
            return (String::new(), 1, Vec::new());
        };
        let text = &first.file.text;
        let start = places.iter().map(|place| place.span.start).min().unwrap_or(0);
        let end = places.iter().map(|place| place.span.end).max().unwrap_or(0);
        let from = text[..start].rfind('\n').map_or(0, |at| at + 1);
        let to = text[end..].find('\n').map_or(text.len(), |at| end + at);
        let spans = places
            .iter()
            .map(|place| place.span.start - from..place.span.end - from)
            .collect();
        (text[from..to].to_owned(), line_at(text, from), spans)
    }
}

fn line_at(text: &str, position: usize) -> usize {
    text.get(..position).unwrap_or(text).matches('\n').count() + 1
}

/// The files of a configuration.
#[derive(Default)]
pub(super) struct Texts {
    files: Vec<Arc<Shown>>,
}

impl Texts {
    /// Where the next file starts. Defaults, which no file gives, lie before the first.
    pub(super) fn next_base(&self) -> usize {
        self.files
            .last()
            .map_or(1 << 16, |file| file.base + file.text.len() + 1)
    }

    /// Takes a file's text in, as it may be shown.
    pub(super) fn add(&mut self, path: &Path, shown: String) {
        let base = self.next_base();
        self.files.push(Arc::new(Shown {
            path: path.to_owned(),
            text: shown,
            base,
        }));
    }

    /// The first file.
    pub(super) fn main(&self) -> Option<&Path> {
        self.files.first().map(|file| file.path.as_path())
    }

    /// The place that a span of the common space is at; `None` for what no file gave.
    pub(super) fn place(&self, span: &Range<usize>) -> Option<Place> {
        let file = self.files.iter().rev().find(|file| file.base <= span.start)?;
        let text = &file.text;
        let mut start = (span.start - file.base).min(text.len());
        let mut end = span.end.saturating_sub(file.base).clamp(start, text.len());
        while !text.is_char_boundary(start) {
            start -= 1;
        }
        while !text.is_char_boundary(end) {
            end += 1;
        }
        Some(Place {
            file: Arc::clone(file),
            span: start..end,
        })
    }
}

/// Keys that hold secrets, or are likely to be mistaken for one that does.
const SECRET_KEYS: &[&str] = &[
    "secret",
    "client_secret",
    "app_secret",
    "password",
    "app_password",
    "passwd",
    "passphrase",
    "token",
    "statistics_token",
    "api_key",
    "private_key",
];

/// Whether a key and its value say where a secret is, rather than what it is.
fn refers(key: &str, value: &DeValue<'_>) -> bool {
    match key {
        "env" => value.as_str().is_some_and(is_variable),
        "file" | "credential" => value.is_str(),
        "command" => value.is_array(),
        _ => false,
    }
}

/// Whether a text can name a variable of the environment; many a secret cannot.
pub(super) fn is_variable(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    !text.is_empty() && !text.starts_with(|c: char| c.is_ascii_digit()) && text.bytes().all(fits)
}

/// The text of a configuration file as it may be shown.
pub(super) fn blank_secrets(text: &str, tree: &DeTable<'_>, broken: bool) -> String {
    let mut spans = Vec::new();
    find(tree, &mut spans);
    in_addresses(text, &mut spans);
    if broken {
        in_lines(text, &mut spans);
    }
    blank(text, &spans)
}

/// The text of a file of secret references as it may be shown: every value but a reference's is blanked.
pub(super) fn blank_values(text: &str, tree: &DeTable<'_>, broken: bool) -> String {
    if broken {
        let spans: Vec<_> = lines(text)
            .filter_map(|line| {
                text[line.clone()]
                    .find('=')
                    .map(|at| line.start + at + 1..line.end)
            })
            .collect();
        return blank(text, &spans);
    }
    let mut spans = Vec::new();
    for value in tree.values() {
        all(value, &mut spans);
    }
    blank(text, &spans)
}

fn find(table: &DeTable<'_>, spans: &mut Vec<Range<usize>>) {
    for (key, value) in table {
        if SECRET_KEYS.contains(&key.get_ref().to_lowercase().as_str()) {
            all(value, spans);
            continue;
        }
        match value.get_ref() {
            DeValue::Table(inner) => find(inner, spans),
            DeValue::Array(values) => {
                for inner in values.iter().filter_map(|value| value.get_ref().as_table()) {
                    find(inner, spans);
                }
            }
            _ => {}
        }
    }
}

fn all(value: &Spanned<DeValue<'_>>, spans: &mut Vec<Range<usize>>) {
    match value.get_ref() {
        DeValue::Table(inner) => {
            for (key, value) in inner {
                if !refers(key.get_ref(), value.get_ref()) {
                    all(value, spans);
                }
            }
        }
        DeValue::Array(values) => values.iter().for_each(|value| all(value, spans)),
        _ => spans.push(value.span()),
    }
}

/// `://user:password@` in any text.
fn in_addresses(text: &str, spans: &mut Vec<Range<usize>>) {
    for (at, _) in text.match_indices("://") {
        let rest = &text[at + 3..];
        let end = rest
            .find(['/', '"', '\'', ' ', '\n', '?', '#'])
            .unwrap_or(rest.len());
        if let Some(sign) = rest[..end].rfind('@') {
            spans.push(at + 3..at + 3 + sign);
        }
    }
}

/// Where the syntax is broken, the tree does not know every value: all of a suspicious line goes.
fn in_lines(text: &str, spans: &mut Vec<Range<usize>>) {
    for line in lines(text) {
        let lower = text[line.clone()].to_lowercase();
        let suspicious = SECRET_KEYS.iter().any(|key| lower.contains(key));
        if let Some(at) = text[line.clone()].find('=').filter(|_| suspicious) {
            spans.push(line.start + at + 1..line.end);
        }
    }
}

fn lines(text: &str) -> impl Iterator<Item = Range<usize>> {
    text.split_inclusive('\n').scan(0, |at, line| {
        let start = *at;
        *at += line.len();
        Some(start..start + line.trim_end().len())
    })
}

/// The text with every byte of the spans blanked but line breaks, so that positions stay true.
fn blank(text: &str, spans: &[Range<usize>]) -> String {
    let mut bytes = text.as_bytes().to_vec();
    for span in spans {
        for byte in bytes.get_mut(span.clone()).into_iter().flatten() {
            if !matches!(byte, b'\n' | b'\r' | b'"' | b'\'') {
                *byte = b'*';
            }
        }
    }
    // Spans begin and end between characters, so that nothing is ever lost here.
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Text from a file or a person with everything that could steer a terminal or turn the reading direction
/// made visible.
pub(super) fn harmless(text: &str) -> String {
    text.chars()
        .map(|c| if c != '\n' && steers(c) { '\u{fffd}' } else { c })
        .collect()
}

/// Whether a character steers a terminal, breaks a line or turns the reading direction.
pub(super) fn steers(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        let (tree, errors) = DeTable::parse_recoverable(text);
        blank_secrets(text, tree.get_ref(), !errors.is_empty())
    }

    #[test]
    fn secrets_are_blanked_wherever_they_hide() {
        for text in [
            "password = \"hunter2\"",
            "auth = { method = \"x\", secret = { value = \"hunter2\" } }",
            "[auth.password]\nvalue = '''\nhunter2\n'''",
            "password = \"hunter2",
            "password = hunter2\n",
            "url = \"https://me:hunter2@cloud.example.org/\"",
            "statistics_token = [\"hunter2\"]",
        ] {
            let shown = shown(text);
            assert!(!shown.contains("hunter2"), "{shown}");
            assert_eq!(shown.len(), text.len());
        }
    }

    #[test]
    fn references_stay_readable() {
        let text = "password = { env = \"SMTP_PASSWORD\" }";
        assert_eq!(shown(text), text);
    }

    #[test]
    fn a_span_finds_its_file() {
        let mut texts = Texts::default();
        texts.add(Path::new("a"), "one\ntwo".to_owned());
        let base = texts.next_base();
        texts.add(Path::new("b"), "x\ny".to_owned());
        let place = texts.place(&(base + 2..base + 3)).unwrap();
        assert_eq!((place.path(), place.line()), (Path::new("b"), 2));
        assert_eq!(texts.place(&(65541..65542)).unwrap().line(), 2);
        assert!(texts.place(&(0..0)).is_none());
    }
}
