//! The file of app passwords: which account's is found where.
//!
//! It holds references only, as the configuration does; a value in it is refused and never shown.

use std::{collections::BTreeMap, path::Path};

use toml::de::{DeTable, DeValue};

use super::{
    Diagnostic, FileRef, Report, SecretRef, blank,
    nearest::nearest,
    text::{Place, Texts},
    tree::{self, Node},
    written::Secret,
};

const REFERENCES: [&str; 4] = ["env", "file", "credential", "command"];

/// Reads the file.
pub(super) fn read(file: &FileRef) -> Result<BTreeMap<String, SecretRef>, Report> {
    let bytes = file.read()?;
    let Ok(content) = String::from_utf8(bytes) else {
        return Err(Diagnostic::error("the file of app passwords is no UTF-8 text")
            .in_file(file.path())
            .into());
    };
    parse(file.path(), &content)
}

fn parse(path: &Path, content: &str) -> Result<BTreeMap<String, SecretRef>, Report> {
    let (tree, errors) = DeTable::parse_recoverable(content);
    let mut texts = Texts::default();
    let base = texts.next_base();
    texts.add(path, &blank::values(content, tree.get_ref(), !errors.is_empty()));
    let mut diagnostics: Vec<_> = errors
        .iter()
        .map(|error| {
            let span = error.span().unwrap_or_default();
            Diagnostic::error(error.message())
                .at(texts.place(&(span.start + base..span.end + base)), "")
                .remedy("one line an account: `alice = { file = \"/path/to/the/secret\" }`")
        })
        .collect();
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut users = BTreeMap::new();
    for (user, value) in tree::moved_table(tree.into_inner(), base) {
        match reference(&value) {
            Ok(secret) => {
                let reference = SecretRef::new(&secret, folder, texts.place(&value.span()));
                users.insert(user.into_inner().into_owned(), reference);
            }
            Err(what) => diagnostics.push(refusal(&what, texts.place(&value.span()))),
        }
    }
    if diagnostics.is_empty() && users.is_empty() {
        diagnostics.push(
            Diagnostic::error("the file of app passwords names no account")
                .in_file(path)
                .remedy("one line an account: `alice = { file = \"/path/to/the/secret\" }`"),
        );
    }
    if diagnostics.is_empty() {
        Ok(users)
    } else {
        Err(Report::new(diagnostics))
    }
}

fn refusal(what: &str, place: Option<Place>) -> Diagnostic {
    Diagnostic::error(what)
        .at(place, "here")
        .remedy("refer to the app password: `{ env = \"…\" }`, `{ file = \"…\" }`, `{ credential = \"…\" }` or `{ command = […] }`")
}

fn reference(value: &Node<'_>) -> Result<Secret, String> {
    let DeValue::Table(table) = value.get_ref() else {
        return Err("an app password is not written into the file".to_owned());
    };
    let mut entries = table.iter();
    let (Some((key, value)), None) = (entries.next(), entries.next()) else {
        return Err("a reference says exactly one of env, file, credential, command".to_owned());
    };
    let key = key.get_ref().as_ref();
    let text = || {
        let text = value.get_ref().as_str().filter(|text| !text.is_empty());
        text.map(str::to_owned)
            .ok_or_else(|| format!("`{key}` has to be a string"))
    };
    match key {
        "env" => text().map(Secret::Env),
        "file" => text().map(|path| Secret::File(path.into())),
        "credential" => text().map(Secret::Credential),
        "command" => {
            let words = value.get_ref().as_array().into_iter().flatten();
            let words: Option<Vec<_>> = words
                .map(|word| word.get_ref().as_str().map(str::to_owned))
                .collect();
            words
                .filter(|words| !words.is_empty())
                .map(Secret::Command)
                .ok_or_else(|| "`command` has to be a list of strings".to_owned())
        }
        other => Err(match nearest(other, REFERENCES) {
            Some(meant) => format!("unknown key `{other}`: did you mean `{meant}`?"),
            None => format!("unknown key `{other}`"),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn accounts_refer_to_their_secrets() {
        let users = parse(
            "/etc/users.toml".as_ref(),
            "alice = { env = \"A\" }\n\"bob@example.org\" = { file = \"bob\" }\n[carol]\ncommand = [\"pass\", \"x\"]\n",
        )
        .unwrap();
        assert_eq!(
            format!("{users:?}"),
            r#"{"alice": SecretRef(the environment variable A), "bob@example.org": SecretRef(the file /etc/bob), "carol": SecretRef(the command pass)}"#
        );
    }

    #[test]
    fn values_are_refused_and_not_shown() {
        for text in [
            "alice = \"hunter2\"",
            "alice = hunter2",
            "alice = { evn = \"hunter2\" }",
            "alice = { env = [\"hunter2\"] }",
            "",
        ] {
            let report = parse("/etc/users.toml".as_ref(), text).unwrap_err();
            assert!(!report.to_string().contains("hunter2"), "{report}");
        }
    }
}
