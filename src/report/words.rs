//! The words of what people read, letters and reports: texts by language, and what is filled into them. Pure.
//!
//! Whatever was not written here is made safe before a template sees it: remote text is visible characters only, not too
//! long, in letters no address that a mail program would make a link of, and in HTML escaped and isolated from its
//! surroundings.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use minijinja::{HtmlEscape, Value};
use toml::de::{DeTable, DeValue};

use super::text::{shorten, visible};
use crate::model::{Access, Audience, RuleId, ShareKind, names};

names! {
    /// The languages that every text is there in.
    #[derive(Default)]
    Language {
        /// English.
        #[default]
        En = "en",
        /// German.
        De = "de",
        /// French.
        Fr = "fr",
    }
}

impl Language {
    /// The language that a service or the configuration names, by its first part: `de_AT`, `de-CH` and `de` are German.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        let first = name.split(['_', '-', '.', '@']).next()?;
        Self::ALL
            .iter()
            .copied()
            .find(|language| language.as_str().eq_ignore_ascii_case(first))
    }
}

/// Why a text cannot be said.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}: {what}")]
pub(crate) struct WordsError {
    /// The file of words.
    pub(crate) file: String,
    /// Where in it.
    pub(crate) line: Option<usize>,
    /// What is wrong.
    pub(crate) what: String,
}

impl WordsError {
    fn new(file: &str, line: Option<usize>, what: impl Into<String>) -> Self {
        Self {
            file: file.to_owned(),
            line,
            what: what.into(),
        }
    }
}

/// Where the words are to stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// The subject of a letter, or its text.
    Text,
    /// The HTML of a letter.
    Html,
    /// A page for a browser.
    Page,
}

/// The words of a language: texts by key, in which `{name}` stands for what is filled in.
#[derive(Clone, Debug)]
pub(crate) struct Words {
    language: Language,
    texts: BTreeMap<String, String>,
}

impl Words {
    /// The words of letters in a language, as built in.
    ///
    /// # Errors
    /// Where they are no texts.
    pub(crate) fn built_in(language: Language) -> Result<Self, WordsError> {
        let mut words = Self {
            language,
            texts: BTreeMap::new(),
        };
        words.take(match language {
            Language::En => include_str!("../templates/mail/words.en.toml"),
            Language::De => include_str!("../templates/mail/words.de.toml"),
            Language::Fr => include_str!("../templates/mail/words.fr.toml"),
        })?;
        Ok(words)
    }

    /// The words of reports: of shares and rules they speak as letters do, and of what only they tell in words of their own.
    ///
    /// # Errors
    /// Where they are no texts.
    pub(crate) fn of_reports(language: Language) -> Result<Self, WordsError> {
        let mut words = Self::built_in(language)?;
        words.take(match language {
            Language::En => include_str!("../templates/report/words.en.toml"),
            Language::De => include_str!("../templates/report/words.de.toml"),
            Language::Fr => include_str!("../templates/report/words.fr.toml"),
        })?;
        Ok(words)
    }

    fn take(&mut self, source: &str) -> Result<(), WordsError> {
        let texts = texts(&file(self.language), source)?.into_iter();
        self.texts
            .extend(texts.map(|(key, (text, _))| (key, spaced(self.language, &text))));
        Ok(())
    }

    /// Puts some of an organisation's own texts in the place of the built-in ones.
    ///
    /// # Errors
    /// Where the file does not parse, or has a text that there is not, or one that wants what is not filled in.
    pub(crate) fn replace(&mut self, source: &str) -> Result<(), WordsError> {
        let file = file(self.language);
        for (key, (text, line)) in texts(&file, source)? {
            let fail = |what: String| WordsError::new(&file, Some(line), what);
            let Some(place) = self.texts.get_mut(&key) else {
                return Err(fail(format!("there is no text `{key}`")));
            };
            let known: BTreeSet<_> = names(place).collect();
            if let Some(name) = names(&text).find(|name| !known.contains(name)) {
                return Err(fail(format!("nothing is filled in for {{{name}}} in `{key}`")));
            }
            *place = spaced(self.language, &text);
        }
        Ok(())
    }

    /// The words, for a part of a letter.
    pub(crate) fn voice(&self, part: Part) -> Voice<'_> {
        Voice { words: self, part }
    }

    #[cfg(test)]
    pub(crate) fn texts(&self) -> &BTreeMap<String, String> {
        &self.texts
    }
}

/// The name of the file that has the words of a language.
pub(crate) fn file(language: Language) -> String {
    format!("words.{language}.toml")
}

/// Texts by key, with their lines.
fn texts(file: &str, source: &str) -> Result<BTreeMap<String, (String, usize)>, WordsError> {
    let line = |at: usize| 1 + source.bytes().take(at).filter(|byte| *byte == b'\n').count();
    let parsed = DeTable::parse(source)
        .map_err(|error| WordsError::new(file, error.span().map(|span| line(span.start)), error.message()))?;
    let mut texts = BTreeMap::new();
    let mut waiting = vec![(String::new(), parsed.into_inner())];
    while let Some((above, table)) = waiting.pop() {
        for (name, value) in table {
            let key = if above.is_empty() {
                name.get_ref().to_string()
            } else {
                format!("{above}.{}", name.get_ref())
            };
            let line = line(value.span().start);
            match value.into_inner() {
                DeValue::String(text) => {
                    texts.insert(key, (text.into_owned(), line));
                }
                DeValue::Table(beneath) => waiting.push((key, beneath)),
                _ => return Err(WordsError::new(file, Some(line), format!("`{key}` is no text"))),
            }
        }
    }
    Ok(texts)
}

/// A text with the spaces of its language: French has one that never breaks before these signs, and within its quotation marks.
fn spaced(language: Language, text: &str) -> String {
    if language != Language::Fr {
        return text.to_owned();
    }
    [" :", " ;", " ?", " !", " »"]
        .into_iter()
        .fold(text.replace("« ", "«\u{a0}"), |text, sign| {
            text.replace(sign, &sign.replace(' ', "\u{a0}"))
        })
}

/// A text, cut at what is filled in: what stands before, and the name of what follows.
fn pieces(text: &str) -> impl Iterator<Item = (&str, Option<&str>)> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let hole = text
            .split_once('{')
            .and_then(|(before, after)| Some((before, after.split_once('}')?)));
        let Some((before, (name, after))) = hole else {
            rest = None;
            return Some((text, None));
        };
        rest = Some(after);
        Some((before, Some(name)))
    })
}

/// The names of what is filled into a text.
fn names(text: &str) -> impl Iterator<Item = &str> {
    pieces(text).filter_map(|(_, name)| name)
}

/// What of a share decides how a rule is worded.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Case {
    /// How it is shared.
    pub(crate) kind: ShareKind,
    /// Whether a password protects it; `None` where the service does not tell.
    pub(crate) password: Option<bool>,
    /// What it allows.
    pub(crate) access: Access,
    /// Who can open it.
    pub(crate) audience: Audience,
}

impl Case {
    /// A share of which nothing is told.
    pub(super) const GENERAL: Self = Self {
        kind: ShareKind::Link,
        password: Some(false),
        access: Access::NONE,
        audience: Audience::Internal,
    };
}

/// The words of a language, as they stand in a part of a letter.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Voice<'a> {
    words: &'a Words,
    part: Part,
}

impl Voice<'_> {
    /// A text, with what is to be filled in.
    ///
    /// # Errors
    /// Where there is no such text, or it wants what was not given.
    pub(crate) fn say(&self, key: &str, values: &[(&str, Value)]) -> Result<Value, WordsError> {
        let fail = |what| WordsError::new(&file(self.words.language), None, what);
        let text = self.words.texts.get(key);
        let text = text.ok_or_else(|| fail(format!("there is no text `{key}`")))?;
        let mut said = String::new();
        for (before, name) in pieces(text) {
            said.push_str(&self.escaped(before));
            let Some(name) = name else { continue };
            let value = values.iter().find(|(given, _)| *given == name);
            let (_, value) =
                value.ok_or_else(|| fail(format!("nothing is filled in for {{{name}}} in `{key}`")))?;
            if value.is_safe() {
                said.push_str(&value.to_string());
            } else {
                said.push_str(&self.escaped(&value.to_string()));
            }
        }
        Ok(self.done(said))
    }

    /// The first of the texts that there is.
    pub(crate) fn either(
        &self,
        special: &str,
        general: &str,
        values: &[(&str, Value)],
    ) -> Result<Value, WordsError> {
        let has = self.words.texts.contains_key(special);
        self.say(if has { special } else { general }, values)
    }

    /// A rule's text of a kind (`rule`: what is wrong, `todo`: what to do); what has no text of its own for a setting of a
    /// service has one for all of them.
    pub(crate) fn of_rule(
        &self,
        kind: &str,
        rule: RuleId,
        case: Case,
        values: &[(&str, Value)],
    ) -> Result<Value, WordsError> {
        if rule.is_posture() {
            return self.either(&format!("{kind}.{rule}"), &format!("{kind}.posture"), values);
        }
        let name = match rule {
            // Whoever mailed it has no link to end.
            _ if kind == "todo" && case.kind == ShareKind::Mail && rule != RuleId::ClassifiedItemExposed => {
                "mail"
            }
            RuleId::LinkWithoutPassword if case.password.is_none() => "unknown",
            RuleId::LinkWithoutPassword if case.access.changes() => "changes",
            RuleId::LinkAllowsUpload if case.access.shows() => "shows",
            RuleId::ClassifiedItemExposed => case.audience.as_str(),
            _ => "always",
        };
        let general = format!("{kind}.{rule}");
        self.either(&format!("{general}_{name}"), &general, values)
    }

    /// A text about so many things.
    pub(crate) fn count(&self, key: &str, count: u64, values: &[(&str, Value)]) -> Result<Value, WordsError> {
        let is_one = match self.words.language {
            Language::En | Language::De => count == 1,
            Language::Fr => count < 2,
        };
        let form = if is_one { "one" } else { "other" };
        let mut values = values.to_vec();
        values.push(("count", self.number(count)));
        self.say(&format!("{key}.{form}"), &values)
    }

    /// A number, its thousands apart.
    pub(crate) fn number(&self, number: u64) -> Value {
        let separator = match self.words.language {
            Language::En => ',',
            Language::De => '.',
            Language::Fr => '\u{a0}',
        };
        let digits = number.to_string();
        let mut said = String::new();
        for (at, digit) in digits.chars().enumerate() {
            if at > 0 && (digits.len() - at).is_multiple_of(3) {
                said.push(separator);
            }
            said.push(digit);
        }
        self.done(said)
    }

    /// A date, written out.
    pub(crate) fn date(&self, date: Date) -> Result<Value, WordsError> {
        let month = self.say(&format!("date.{}", date.month()), &[])?;
        let values = [
            ("day", date.day().into()),
            ("month", month),
            ("year", date.year().into()),
        ];
        self.say(if date.day() == 1 { "date.first" } else { "date.day" }, &values)
    }

    /// Several, one after the other.
    pub(crate) fn list(&self, values: &[Value]) -> Value {
        let values: Vec<_> = values.iter().map(ToString::to_string).collect();
        self.done(values.join(", "))
    }

    /// Sentences, one after the other.
    pub(crate) fn sentences(&self, values: &[Value]) -> Value {
        let values: Vec<_> = values.iter().map(ToString::to_string).collect();
        self.done(values.join(" "))
    }

    /// Emphasised, where that can be shown.
    pub(crate) fn strong(&self, value: &Value) -> Value {
        match self.part {
            Part::Text => value.clone(),
            Part::Html | Part::Page => self.done(format!("<strong>{value}</strong>")),
        }
    }

    /// What the configuration says.
    pub(crate) fn stated(&self, text: &str) -> Value {
        self.done(self.escaped(&visible(text)))
    }

    /// What a service or another person says: it takes no more than so many columns, and tells where it was longer.
    pub(crate) fn remote(&self, text: &str, room: usize) -> Result<Value, WordsError> {
        self.shown(text, room, Ok)
    }

    /// The same, in quotation marks.
    pub(crate) fn quoted(&self, text: &str, room: usize) -> Result<Value, WordsError> {
        self.shown(text, room, |shown| self.say("letter.quoted", &[("text", shown)]))
    }

    fn shown(
        &self,
        text: &str,
        room: usize,
        within: impl FnOnce(Value) -> Result<Value, WordsError>,
    ) -> Result<Value, WordsError> {
        // A browser makes no links of its own, and a page shows names as they are.
        let plain = match self.part {
            Part::Text | Part::Html => Cow::Owned(unlinked(text)),
            Part::Page => Cow::Borrowed(text),
        };
        let shown = shorten(&plain, room);
        let is_shortened = visible(&plain) != shown;
        // Folders keep their order, whatever direction their names are read in.
        let isolated = |name: &str| match name {
            "" => String::new(),
            name => format!("<bdi>{}</bdi>", self.escaped(name)),
        };
        let shown = within(self.done(match self.part {
            Part::Text => shown,
            Part::Html | Part::Page => shown.split('/').map(isolated).collect::<Vec<_>>().join("/"),
        }))?;
        if is_shortened {
            return self.say("letter.shortened", &[("text", shown)]);
        }
        Ok(shown)
    }

    fn escaped(&self, text: &str) -> String {
        match self.part {
            Part::Text => text.to_owned(),
            Part::Html | Part::Page => HtmlEscape(text).to_string(),
        }
    }

    /// What is escaped already.
    fn done(&self, said: String) -> Value {
        match self.part {
            Part::Text => said.into(),
            Part::Html | Part::Page => Value::from_safe_string(said),
        }
    }
}

/// Text in which no mail program sees a web address to make a link of, whatever follows it: what says so gets a space.
fn unlinked(text: &str) -> String {
    let says_web = |plain: &str| {
        let last = plain.as_bytes().last_chunk::<3>();
        last.is_some_and(|last| last.eq_ignore_ascii_case(b"www"))
    };
    let mut plain = String::with_capacity(text.len());
    for sign in text.chars() {
        let is_address = match sign {
            '.' => says_web(&plain),
            '/' => plain.ends_with(":/"),
            _ => false,
        };
        if is_address {
            plain.push(' ');
        }
        plain.push(sign);
    }
    if says_web(&plain) {
        plain.push(' ');
    }
    plain
}
