//! What of a file's text may be shown: everything but what could be a secret.
//!
//! A configuration holds references only, but a message must not spread what was written into it by mistake.
//! Blanked text has the length of the original, so that places stay true.

use std::ops::Range;

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

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
pub(super) fn secrets(text: &str, tree: &DeTable<'_>, broken: bool) -> String {
    let mut spans = Vec::new();
    find(tree, &mut spans);
    in_addresses(text, &mut spans);
    if broken {
        in_lines(text, &mut spans);
    }
    blank(text, &spans)
}

/// The text of a file of secret references as it may be shown: every value but a reference's is blanked.
pub(super) fn values(text: &str, tree: &DeTable<'_>, broken: bool) -> String {
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

/// `://user:password@` in any text, what follows a `?` or `#` of an address, and `user:password@` where there is none.
fn in_addresses(text: &str, spans: &mut Vec<Range<usize>>) {
    let ends = |sign: char| sign.is_whitespace() || matches!(sign, '"' | '\'');
    for (at, _) in text.match_indices("://") {
        let rest = &text[at + 3..];
        let end = rest
            .find(['/', '"', '\'', ' ', '\n', '?', '#'])
            .unwrap_or(rest.len());
        if let Some(sign) = rest[..end].rfind('@') {
            spans.push(at + 3..at + 3 + sign);
        }
        let address = &rest[..rest.find(ends).unwrap_or(rest.len())];
        if let Some(sign) = address.find(['?', '#']) {
            spans.push(at + 3 + sign + 1..at + 3 + address.len());
        }
    }
    for (at, _) in text.match_indices('@') {
        let before = &text[..at];
        let word = before.rsplit(ends).next().unwrap_or(before);
        if let Some(colon) = word.find(':').filter(|_| !word.contains("://")) {
            spans.push(at - word.len() + colon + 1..at);
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

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        let (tree, errors) = DeTable::parse_recoverable(text);
        secrets(text, tree.get_ref(), !errors.is_empty())
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
            "url = \"https://cloud.example.org/?token=hunter2\"",
            "url = 'https://cloud.example.org/#hunter2'",
            "host = \"me:hunter2@mail.example.org\"",
            "host = \u{3000}me:hunter2@mail.example.org\u{3000}",
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
}
