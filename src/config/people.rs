//! The map of who is the same person in several sources: a CSV file, a line an account.

use std::{collections::BTreeMap, path::Path};

use super::{Diagnostic, FileRef, IdentitySettings, Report};
use crate::model::SourceName;

const COLUMNS: [&str; 3] = ["source", "account", "person"];

/// The persons of accounts: source, id and person.
pub type People = Vec<(SourceName, String, String)>;

impl IdentitySettings {
    /// Reads who is the same person, where the operator says so; `sources` are the configured ones.
    ///
    /// # Errors
    /// Every line that is wrong, with its number.
    pub fn read(&self, sources: &[SourceName]) -> Result<People, Report> {
        let Some(file) = &self.map else {
            return Ok(People::new());
        };
        read(file, sources)
    }
}

fn read(file: &FileRef, sources: &[SourceName]) -> Result<People, Report> {
    let bytes = file.read()?;
    let Ok(text) = String::from_utf8(bytes) else {
        return Err(Diagnostic::error("the map of people is no UTF-8 text")
            .in_file(file.path())
            .into());
    };
    parse(file.path(), &text, sources)
}

fn parse(path: &Path, text: &str, sources: &[SourceName]) -> Result<People, Report> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let first = text
        .lines()
        .find(|line| !line.trim().is_empty())
        .unwrap_or_default();
    let count = |sign: char| first.matches(sign).count();
    let mut table = csv::ReaderBuilder::new()
        .delimiter(if count(';') > count(',') { b';' } else { b',' })
        .has_headers(false)
        .flexible(true)
        .trim(csv::Trim::All)
        .comment(Some(b'#'))
        .from_reader(text.as_bytes());
    let mut people: BTreeMap<(SourceName, String), (String, String)> = BTreeMap::new();
    let mut wrong = Vec::new();
    for (number, record) in table.records().enumerate() {
        let (line, row) = match record {
            Ok(record) => (
                record.position().map_or(0, csv::Position::line),
                Row::of(&record, sources),
            ),
            Err(error) => {
                let line = error.position().map_or(0, csv::Position::line);
                (line, Err("this is no line of a CSV file".to_owned()))
            }
        };
        let row = match row {
            Ok(Row::Header) if number == 0 => continue,
            Ok(Row::Header) => Err("the names of the columns belong into the first line".to_owned()),
            Ok(Row::Account(source, account, person)) => {
                let key = (source, account.to_lowercase());
                match people.get(&key) {
                    Some((_, before)) if *before != person => Err(format!(
                        "the account `{account}` of `{}` is said to be `{before}` already",
                        key.0
                    )),
                    _ => Ok((key, (account, person))),
                }
            }
            Err(what) => Err(what),
        };
        match row {
            Ok((key, person)) => {
                people.insert(key, person);
            }
            Err(what) => wrong.push(
                Diagnostic::error(format!("line {line}: {what}"))
                    .in_file(path)
                    .remedy("one line an account: source,account,person"),
            ),
        }
    }
    if wrong.is_empty() {
        let row = |((source, _), (account, person))| (source, account, person);
        Ok(people.into_iter().map(row).collect())
    } else {
        Err(Report::new(wrong))
    }
}

enum Row {
    Header,
    Account(SourceName, String, String),
}

impl Row {
    fn of(record: &csv::StringRecord, sources: &[SourceName]) -> Result<Self, String> {
        let cells: Vec<&str> = record.iter().collect();
        let [source, account, person] = cells[..] else {
            return Err(format!("three columns are wanted, and there are {}", cells.len()));
        };
        if cells
            .iter()
            .zip(COLUMNS)
            .all(|(cell, name)| cell.eq_ignore_ascii_case(name))
        {
            return Ok(Self::Header);
        }
        if let Some((name, _)) = COLUMNS.iter().zip(&cells).find(|(_, cell)| cell.is_empty()) {
            return Err(format!("the column `{name}` is empty"));
        }
        if cells.iter().any(|cell| cell.chars().any(char::is_control)) {
            return Err("there are line ends or control characters in it".to_owned());
        }
        let Some(source) = sources.iter().find(|known| known.as_str() == source) else {
            return Err(format!("no source is called `{source}`"));
        };
        Ok(Self::Account(
            source.clone(),
            account.to_owned(),
            person.to_owned(),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<People, String> {
        let sources = ["cloud", "m365"].map(SourceName::new);
        parse("/etc/people.csv".as_ref(), text, &sources).map_err(|report| report.to_string())
    }

    #[test]
    fn accounts_have_their_persons() {
        let expected = [("cloud", "Alice"), ("m365", "A.Smith@example.org")]
            .map(|(source, id)| (SourceName::new(source), id.to_owned(), "Alice Smith".to_owned()));
        for text in [
            "source,account,person\ncloud,Alice,Alice Smith\nm365,A.Smith@example.org,Alice Smith\n",
            "\u{feff}Source;Account;Person\r\ncloud;Alice;Alice Smith\r\nm365;A.Smith@example.org;\"Alice Smith\"\r\n",
            "# who is who\n\ncloud, alice, Alice Smith\nm365,A.Smith@example.org,Alice Smith\ncloud,Alice,Alice Smith",
        ] {
            assert_eq!(read(text), Ok(expected.to_vec()), "{text}");
        }
        assert_eq!(read(""), Ok(People::new()));
    }

    #[test]
    fn every_wrong_line_is_told_by_its_number() {
        let said = read(
            "source,account,person\ncloud,alice\nlab,bob,Bob\ncloud,,Carol\ncloud,dan,Dan\ncloud,DAN,Daniel\n\
             cloud,eve,\"Eve\nAdams\"\n",
        )
        .unwrap_err();
        for words in [
            "line 2: three columns are wanted, and there are 2",
            "line 3: no source is called `lab`",
            "line 4: the column `account` is empty",
            "line 6: the account `DAN` of `cloud` is said to be `Dan` already",
            "line 7: there are line ends",
        ] {
            assert!(said.contains(words), "{words}: {said}");
        }
    }
}
