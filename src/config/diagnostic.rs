//! What is wrong with a configuration: message, places, remedy, drawn as rustc draws its errors.

use std::{fmt, path::PathBuf};

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};

use super::text::{Place, harmless};

/// How much a diagnostic matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The configuration cannot be used.
    Error,
    /// The configuration can be used, and probably does not do what was meant.
    Warning,
}

#[derive(Clone, Debug)]
struct Label {
    place: Place,
    text: String,
}

/// One thing that is wrong, and what to do about it. Holds no secret.
#[derive(Clone, Debug)]
pub struct Diagnostic {
    severity: Severity,
    message: String,
    labels: Vec<Label>,
    file: Option<PathBuf>,
    remedies: Vec<String>,
}

impl Diagnostic {
    pub(super) fn error(message: impl AsRef<str>) -> Self {
        Self {
            severity: Severity::Error,
            message: harmless(message.as_ref()),
            labels: Vec::new(),
            file: None,
            remedies: Vec::new(),
        }
    }

    pub(super) fn warning(message: impl AsRef<str>) -> Self {
        Self {
            severity: Severity::Warning,
            ..Self::error(message)
        }
    }

    /// Points at a place; the first one is where the caret goes.
    pub(super) fn at(mut self, place: Option<Place>, text: impl AsRef<str>) -> Self {
        if let Some(place) = place {
            let text = harmless(text.as_ref());
            self.labels.push(Label { place, text });
        }
        self
    }

    /// Names a file where there is no place to point at.
    pub(super) fn in_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.file = Some(path.into());
        self
    }

    /// Says what to do.
    pub(super) fn remedy(mut self, text: impl AsRef<str>) -> Self {
        self.remedies.push(harmless(text.as_ref()));
        self
    }

    /// How much it matters.
    #[must_use]
    pub fn severity(&self) -> Severity {
        self.severity
    }

    /// What is wrong, in one line and without its place.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What to do about it.
    #[must_use]
    pub fn remedies(&self) -> &[String] {
        &self.remedies
    }

    /// What is wrong, where, and what to do, over several lines; with `Style::Coloured` in ANSI colours.
    #[must_use]
    pub fn render(&self, style: Style) -> String {
        let level = match self.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let mut group = Group::with_title(level.primary_title(self.message.as_str()));
        let mut rest: Vec<&Label> = self.labels.iter().collect();
        while let Some(first) = rest.first().copied() {
            let (here, elsewhere): (Vec<_>, Vec<_>) = rest
                .into_iter()
                .partition(|label| label.place.same_file(&first.place));
            let places: Vec<_> = here.iter().map(|label| &label.place).collect();
            let (text, line, spans) = Place::excerpt(&places);
            let mut snippet = Snippet::source(text)
                .line_start(line)
                .path(harmless(&first.place.path().to_string_lossy()));
            for (label, span) in here.iter().zip(spans) {
                let primary = std::ptr::eq(*label, &raw const self.labels[0]);
                let kind = if primary {
                    AnnotationKind::Primary
                } else {
                    AnnotationKind::Context
                };
                let text = (!label.text.is_empty()).then_some(label.text.as_str());
                snippet = snippet.annotation(kind.span(span).label(text));
            }
            group = group.element(snippet);
            rest = elsewhere;
        }
        if let Some(path) = &self.file {
            group = group.element(Origin::path(harmless(&path.to_string_lossy())));
        }
        for remedy in &self.remedies {
            group = group.element(Level::HELP.message(remedy.as_str()));
        }
        match style {
            Style::Plain => Renderer::plain().render(&[group]),
            Style::Coloured => Renderer::styled().render(&[group]),
        }
    }
}

/// How diagnostics are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Text only.
    Plain,
    /// With ANSI colours.
    Coloured,
}

/// No report tells more; whoever has more to put right starts with these.
const MOST: usize = 100;

/// Everything that is wrong with a configuration.
#[derive(Clone, Debug, Default)]
pub struct Report {
    diagnostics: Vec<Diagnostic>,
    /// How many more there are than are told.
    more: usize,
}

impl Report {
    /// Puts what was found into the order of the files.
    pub(super) fn new(mut diagnostics: Vec<Diagnostic>) -> Self {
        diagnostics.sort_by_key(|it| it.labels.first().map_or(0, |label| label.place.position()));
        let more = diagnostics.len().saturating_sub(MOST);
        diagnostics.truncate(MOST);
        Self { diagnostics, more }
    }

    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.diagnostics.is_empty()
    }

    pub(super) fn into_diagnostics(self) -> Vec<Diagnostic> {
        self.diagnostics
    }

    /// What is wrong, in the order of the files.
    #[must_use]
    pub fn diagnostics(&self) -> &[Diagnostic] {
        &self.diagnostics
    }

    /// All diagnostics, an empty line between two, and how many errors there are, which keep everything from being sent.
    #[must_use]
    pub fn render(&self, style: Style) -> String {
        self.render_with(style, "nothing was sent")
    }

    /// The same, with another consequence; none where it is empty.
    #[must_use]
    pub fn render_with(&self, style: Style, consequence: &str) -> String {
        let mut text = String::new();
        for diagnostic in &self.diagnostics {
            text.push_str(&diagnostic.render(style));
            text.push_str("\n\n");
        }
        let errors = self
            .diagnostics
            .iter()
            .filter(|d| d.severity == Severity::Error)
            .count();
        let shown = if self.more > 0 {
            format!(", the first {MOST} are shown")
        } else {
            String::new()
        };
        let count = match errors + self.more {
            0 => return text,
            1 => "1 error".to_owned(),
            all => format!("{all} errors"),
        };
        let colon = if consequence.is_empty() { "" } else { ": " };
        text + &format!("{count} in the configuration{shown}{colon}{consequence}\n")
    }
}

impl From<Diagnostic> for Report {
    fn from(diagnostic: Diagnostic) -> Self {
        Self::new(vec![diagnostic])
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(Style::Plain))
    }
}

impl std::error::Error for Report {}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(Style::Plain))
    }
}

impl std::error::Error for Diagnostic {}
