//! Letters in words: templates, each in text and in HTML, filled with the sentences of a language. Pure.
//!
//! An organisation may put its own files in the place of each of ours. All are tried out before the first letter: what does
//! not parse, or wants what no letter has, is an error before anything is sent. HTML is by WCAG 2.2, and loads nothing.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::Kwargs;
use minijinja::{AutoEscape, Environment, Error, ErrorKind, State, UndefinedBehavior, Value, context};

use super::letter::{Content, Language, Letter};
use super::view::Listing;
use super::{sample, view};
use crate::model::{SourceKind, SourceName};
use crate::report::words::{Part, Words, WordsError, file};

/// The built-in templates.
const TEMPLATES: [(&str, &str); 8] = [
    ("subject.txt", include_str!("../templates/mail/subject.txt")),
    ("digest.txt", include_str!("../templates/mail/digest.txt")),
    ("digest.html", include_str!("../templates/mail/digest.html")),
    ("head.html", include_str!("../templates/mail/head.html")),
    ("incident.txt", include_str!("../templates/mail/incident.txt")),
    ("incident.html", include_str!("../templates/mail/incident.html")),
    ("summary.txt", include_str!("../templates/mail/summary.txt")),
    ("summary.html", include_str!("../templates/mail/summary.html")),
];
/// How the HTML looks, where a mail program heeds it.
const STYLE: (&str, &str) = ("style.css", include_str!("../templates/mail/style.css"));

/// What letters say of the organisation.
#[derive(Clone, Debug)]
pub struct Facts {
    /// Who sends them.
    pub sender: String,
    /// Whom to ask.
    pub contact: String,
    /// The zone in which it is day.
    pub zone: TimeZone,
    /// What each source is, and where it is opened.
    pub sources: BTreeMap<SourceName, Place>,
}

/// A source, as people know it.
#[derive(Clone, Debug)]
pub struct Place {
    /// Which product it is.
    pub product: SourceKind,
    /// The page on which it is opened.
    pub start: Option<String>,
}

/// A letter in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rendered {
    /// Its subject, one line.
    pub subject: String,
    /// Its text.
    pub text: String,
    /// The same in HTML.
    pub html: String,
}

/// Why a letter cannot be put into words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {what}", place(file, *line))]
pub struct RenderError {
    /// The template that is wrong.
    pub file: String,
    /// Where.
    pub line: Option<usize>,
    /// What.
    pub what: String,
}

fn place(file: &str, line: Option<usize>) -> String {
    let mut place = format!("mail template {file}");
    if let Some(line) = line {
        let _ = write!(place, ", line {line}");
    }
    place
}

impl From<WordsError> for RenderError {
    fn from(WordsError { file, line, what }: WordsError) -> Self {
        Self { file, line, what }
    }
}

impl RenderError {
    pub(super) fn new(file: &str, line: Option<usize>, what: impl Into<String>) -> Self {
        Self {
            file: file.to_owned(),
            line,
            what: what.into(),
        }
    }

    fn of(name: &str, source: &str, error: &Error) -> Self {
        let mut what = error.kind().to_string();
        if error.kind() == ErrorKind::UndefinedError
            && let Some(place) = error.range().and_then(|range| source.get(range))
        {
            what = format!("{what} `{place}`");
        }
        if let Some(detail) = error.detail() {
            what = format!("{what}: {detail}");
        }
        Self::new(error.name().unwrap_or(name), error.line(), what)
    }
}

/// The words of all languages.
#[derive(Debug)]
struct AllWords {
    english: Words,
    german: Words,
    french: Words,
}

impl AllWords {
    fn of(&self, language: Language) -> &Words {
        match language {
            Language::En => &self.english,
            Language::De => &self.german,
            Language::Fr => &self.french,
        }
    }
}

/// Puts letters into words.
#[derive(Debug)]
pub struct Renderer {
    templates: Environment<'static>,
    style: Value,
    words: Arc<AllWords>,
    facts: Facts,
}

impl Renderer {
    /// Takes the templates, and an organisation's own by their file names, and tries them out.
    ///
    /// # Errors
    /// Where a file stands in for none, does not parse, or wants what no letter has.
    pub fn new(overrides: &BTreeMap<String, String>, facts: Facts) -> Result<Self, RenderError> {
        let word_files: Vec<_> = Language::ALL.iter().copied().map(file).collect();
        let templates = TEMPLATES.map(|(name, _)| name);
        let known = || {
            templates
                .into_iter()
                .chain([STYLE.0])
                .chain(word_files.iter().map(String::as_str))
        };
        if let Some(name) = overrides.keys().find(|name| !known().any(|known| known == *name)) {
            let known = known().collect::<Vec<_>>().join(", ");
            let what = format!("it stands in for none of the built-in files; those are {known}");
            return Err(RenderError::new(name, None, what));
        }
        let words = |language| {
            let mut built_in = Words::built_in(language)?;
            if let Some(own) = overrides.get(&file(language)) {
                built_in.replace(own)?;
            }
            Ok::<_, RenderError>(built_in)
        };
        let words = Arc::new(AllWords {
            english: words(Language::En)?,
            german: words(Language::De)?,
            french: words(Language::Fr)?,
        });
        let mut templates = environment(&words).map_err(|error| RenderError::of(STYLE.0, "", &error))?;
        for (name, built_in) in TEMPLATES {
            let source = overrides.get(name).map_or(built_in, String::as_str);
            templates
                .add_template_owned(name, source.to_owned())
                .map_err(|error| RenderError::of(name, source, &error))?;
        }
        let style = overrides.get(STYLE.0).map_or(STYLE.1, String::as_str);
        let renderer = Self {
            templates,
            style: Value::from_safe_string(style.trim().to_owned()),
            words,
            facts,
        };
        for letter in sample::letters() {
            renderer.render(&letter)?;
        }
        Ok(renderer)
    }

    /// Begins the list of all that a reader with this address is told, in their language.
    #[must_use]
    pub fn list<'a>(&'a self, language: Language, at: Timestamp, reader: &'a str) -> Listing<'a> {
        Listing::new(self.words.of(language), &self.facts, language, at, reader)
    }

    /// Puts a letter into words.
    ///
    /// # Errors
    /// Where an organisation's own template wants what this letter has not.
    pub fn render(&self, letter: &Letter) -> Result<Rendered, RenderError> {
        let kind = match letter.content {
            Content::Digest(_) => "digest",
            Content::Summary(_) => "summary",
            Content::Incident(_) => "incident",
        };
        let text = self.view(letter, Part::Text)?;
        let html = self.view(letter, Part::Html)?;
        let subject = self.filled("subject.txt", &text)?;
        Ok(Rendered {
            subject: subject.split_ascii_whitespace().collect::<Vec<_>>().join(" "),
            text: self.filled(&format!("{kind}.txt"), &text)?,
            html: self.filled(&format!("{kind}.html"), &html)?,
        })
    }

    fn view(&self, letter: &Letter, part: Part) -> Result<Value, RenderError> {
        let voice = self.words.of(letter.language).voice(part);
        let about = view::letter(voice, &self.facts, letter)?;
        Ok(context! { style => self.style.clone(), ..about })
    }

    fn filled(&self, name: &str, view: &Value) -> Result<String, RenderError> {
        let template = self.templates.get_template(name);
        let template = template.map_err(|error| RenderError::of(name, "", &error))?;
        template
            .render(view.clone())
            .map_err(|error| RenderError::of(name, template.source(), &error))
    }
}

/// Strict, and with `t("KEY", name=…)` for a text of the letter's language.
fn environment(words: &Arc<AllWords>) -> Result<Environment<'static>, Error> {
    let syntax = SyntaxConfig::builder()
        .trim_blocks(true)
        .lstrip_blocks(true)
        .keep_trailing_newline(true)
        .build()?;
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_syntax(syntax);
    let words = Arc::clone(words);
    environment.add_function("t", move |state: &State<'_, '_>, key: &str, values: Kwargs| {
        let fail = |what: String| Error::new(ErrorKind::InvalidOperation, what);
        let language = state
            .lookup("language")
            .and_then(|language| Language::of(language.as_str()?));
        let words = language.map(|language| words.of(language));
        let words = words.ok_or_else(|| fail("`language` is none of ours".into()))?;
        let part = match state.auto_escape() {
            AutoEscape::Html => Part::Html,
            _ => Part::Text,
        };
        let given: Result<Vec<_>, Error> = values
            .args()
            .map(|name| Ok((name, values.get::<Value>(name)?)))
            .collect();
        words
            .voice(part)
            .say(key, &given?)
            .map_err(|error| fail(error.what))
    });
    Ok(environment)
}

#[cfg(test)]
mod tests;
