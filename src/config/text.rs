//! The files' text: where a value stands, and what is around it.
//!
//! All files of a configuration lie one after the other in one space of positions, so that a span alone
//! tells the file.

use std::{
    ops::Range,
    path::{Path, PathBuf},
    sync::Arc,
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

    /// Takes a file's text in, with secrets blanked.
    pub(super) fn add(&mut self, path: &Path, blanked: &str) {
        let base = self.next_base();
        self.files.push(Arc::new(Shown {
            path: path.to_owned(),
            text: harmless_in_place(blanked),
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

/// Text from a file or a person with everything that could steer a terminal or turn the reading direction
/// made visible.
pub(super) fn harmless(text: &str) -> String {
    text.chars()
        .map(|c| if c != '\n' && steers(c) { '\u{fffd}' } else { c })
        .collect()
}

/// The same without moving what stands behind. Controls of ASCII are left to what draws the text: line ends are among them.
fn harmless_in_place(text: &str) -> String {
    text.chars()
        .map(|c| match c.len_utf8() {
            2 if steers(c) => '\u{b7}',
            3 if steers(c) => '\u{fffd}',
            _ => c,
        })
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

    #[test]
    fn a_span_finds_its_file() {
        let mut texts = Texts::default();
        texts.add(Path::new("a"), "one\ntwo");
        let base = texts.next_base();
        texts.add(Path::new("b"), "x\ny");
        let place = texts.place(&(base + 2..base + 3)).unwrap();
        assert_eq!((place.path(), place.line()), (Path::new("b"), 2));
        assert_eq!(texts.place(&(65541..65542)).unwrap().line(), 2);
        assert!(texts.place(&(0..0)).is_none());
    }
}
