//! Remote text, made safe to show without losing what it was.
//!
//! A file name may try to move the cursor, to turn its own reading direction round, to look like
//! another name, or to become a formula. Everything that a reader could not see is written as
//! `\u{hex}`; everything else stays as it is. The escapes can be read back, so that two names that
//! differ never look the same. Nothing here knows of mail encodings or HTML.

use std::borrow::Cow;

/// How many combining marks a letter may carry; more would cover the lines above and beneath.
const MARKS: u8 = 4;

/// Text for a terminal, a log line or a header: one line, of visible characters only.
///
/// Escaped are controls (line ends, ESC, DEL and the C1 set among them), bidirectional controls,
/// zero-width, format, tag and filler characters, variation selectors, blanks other than the space
/// (and the ideographic one), unassigned and private characters, and combining marks that
/// have no letter to stand on or stand on too many others. A backslash is escaped only where it could
/// be taken for the start of an escape.
#[must_use]
pub fn visible(text: &str) -> Cow<'_, str> {
    let plain = |byte: u8| matches!(byte, b' '..=b'~') && byte != b'\\';
    if text.bytes().all(plain) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(shown(Pieces::of(text)))
}

/// Text for a cell of a CSV file: [`visible`], and never a formula for a spreadsheet.
///
/// A cell that begins with `=`, `+`, `-`, `@` or one of their full-width forms, blanks and quotation marks before it or
/// not, gets a `'` before it. So does the part after a semicolon, where half of Europe's
/// spreadsheets begin a new cell.
#[must_use]
pub fn csv_cell(text: &str) -> Cow<'_, str> {
    guarded(text, &[';'])
}

/// The same for a file that may be separated by semicolons as well as by commas, and is opened by either kind of
/// spreadsheet.
#[must_use]
pub fn spreadsheet_cell(text: &str) -> Cow<'_, str> {
    guarded(text, &[';', ','])
}

/// [`visible`] text in which no part between separators is a formula.
fn guarded<'t>(text: &'t str, separators: &[char]) -> Cow<'t, str> {
    let shown = visible(text);
    if !shown.split(separators).any(is_formula) {
        return shown;
    }
    let parts = shown.split_inclusive(separators);
    let guarded = parts.map(|part| {
        if is_formula(part) {
            format!("'{part}")
        } else {
            part.to_owned()
        }
    });
    Cow::Owned(guarded.collect())
}

/// Whether a spreadsheet would take the text for a formula. Leading apostrophes do not hide one:
/// otherwise `=x`, once guarded, and a file named `'=x` would be the same cell. Nor do quotation marks, which a spreadsheet that
/// cuts elsewhere takes for those around a cell.
fn is_formula(text: &str) -> bool {
    text.trim_start_matches(|c: char| c.is_whitespace() || matches!(c, '\'' | '"'))
        .starts_with(['=', '+', '-', '@', '\t', '\r', '＝', '＋', '－', '＠'])
}

/// [`visible`] text of no more than `room` columns, and never none: where it is longer, `…` stands for
/// its middle, nearer to the start, for the end of a name tells more. An escape is never cut in two.
#[must_use]
pub fn shorten(text: &str, room: usize) -> String {
    let pieces: Vec<Piece> = Pieces::of(text).collect();
    if pieces.iter().copied().map(Piece::width).sum::<usize>() <= room {
        return shown(pieces);
    }
    let room = room.saturating_sub(1);
    let head = prefix(pieces.iter(), room * 2 / 5);
    let tail = pieces.len() - prefix(pieces.iter().rev(), room - room * 2 / 5);
    let tail = pieces.iter().skip(tail).skip_while(|piece| piece.width() == 0);
    format!(
        "{}…{}",
        shown(pieces.iter().take(head).copied()),
        shown(tail.copied())
    )
}

/// How many columns a text takes that is [`visible`] already.
#[must_use]
pub fn width(shown: &str) -> usize {
    shown.chars().map(|c| Piece::of(c).width()).sum()
}

fn shown(pieces: impl IntoIterator<Item = Piece>) -> String {
    let mut shown = String::new();
    for piece in pieces {
        match piece {
            Piece::Plain(c) | Piece::Mark(c) => shown.push(c),
            Piece::Escape(c) => shown.extend(c.escape_unicode()),
        }
    }
    shown
}

/// How many of the pieces fit.
fn prefix<'a>(pieces: impl Iterator<Item = &'a Piece>, room: usize) -> usize {
    pieces
        .scan(0, |used, piece| {
            *used += piece.width();
            Some(*used)
        })
        .take_while(|used| *used <= room)
        .count()
}

/// Whether a reader could not see that the character is there, or what it does.
#[must_use]
pub fn is_hidden(c: char) -> bool {
    match c {
        ' '..='~' | '\u{3000}' => false,
        // Assigned and not of a format category, yet blank: joiners, fillers, selectors, an empty note.
        '\u{34f}'
        | '\u{115f}'..='\u{1160}'
        | '\u{17b4}'..='\u{17b5}'
        | '\u{180b}'..='\u{180f}'
        | '\u{2800}'
        | '\u{2d7f}'
        | '\u{3164}'
        | '\u{fe00}'..='\u{fe0f}'
        | '\u{ffa0}'
        | '\u{fffc}'
        | '\u{16fe4}'
        | '\u{1d159}'
        | '\u{e0000}'..='\u{e0fff}' => true,
        _ => !is_printable(c),
    }
}

/// Whether the standard library prints it in `{:?}` after a letter: it is assigned, and neither a
/// control, nor a format, private or separator character.
fn is_printable(c: char) -> bool {
    let mut pair = *b"a\0\0\0\0";
    let length = c.encode_utf8(&mut pair[1..]).len();
    std::str::from_utf8(&pair[..=length]).is_ok_and(|pair| pair.escape_debug().nth(1) == Some(c))
}

/// Whether a printable character combines with the one before it: `{:?}` escapes it when it stands alone.
/// The half-width voicing marks of Japanese take a column of their own.
fn is_mark(c: char) -> bool {
    is_printable(c) && c.escape_debug().len() > 1 && !matches!(c, '\u{ff9e}'..='\u{ff9f}')
}

/// A character as it is shown.
#[derive(Clone, Copy)]
enum Piece {
    Plain(char),
    Mark(char),
    Escape(char),
}

impl Piece {
    /// A visible character.
    fn of(c: char) -> Self {
        if !c.is_ascii() && is_mark(c) {
            Self::Mark(c)
        } else {
            Self::Plain(c)
        }
    }

    fn width(self) -> usize {
        match self {
            Self::Mark(_) => 0,
            // The one sign wider than wide.
            Self::Plain('\u{17d8}') => 3,
            Self::Plain(c) => 1 + usize::from(is_wide(c)),
            Self::Escape(c) => c.escape_unicode().len(),
        }
    }
}

/// The characters of a text as they are shown.
struct Pieces<'a> {
    rest: std::str::Chars<'a>,
    /// How many marks the last letter may still take.
    marks: u8,
}

impl<'a> Pieces<'a> {
    fn of(text: &'a str) -> Self {
        Self {
            rest: text.chars(),
            marks: 0,
        }
    }
}

impl Iterator for Pieces<'_> {
    type Item = Piece;

    fn next(&mut self) -> Option<Piece> {
        let c = self.rest.next()?;
        let ambiguous = c == '\\' && self.rest.as_str().starts_with("u{");
        let piece = if ambiguous || is_hidden(c) {
            Piece::Escape(c)
        } else {
            Piece::of(c)
        };
        let (piece, marks) = match (piece, self.marks.checked_sub(1)) {
            (Piece::Plain(_), _) => (piece, MARKS),
            (Piece::Mark(_), Some(left)) => (piece, left),
            (Piece::Mark(_) | Piece::Escape(_), _) => (Piece::Escape(c), 0),
        };
        self.marks = marks;
        Some(piece)
    }
}

/// Whether a terminal may take two columns for it: East Asian wide characters, and the blocks with
/// emoji as a whole, for cutting a symbol too early is better than overflowing.
fn is_wide(c: char) -> bool {
    matches!(
        c,
        '\u{1100}'..='\u{11ff}'
            | '\u{17a4}'
            | '\u{231a}'..='\u{23ff}'
            | '\u{25fd}'..='\u{25fe}'
            | '\u{2600}'..='\u{27bf}'
            | '\u{2b00}'..='\u{2bff}'
            | '\u{2e80}'..='\u{a4cf}'
            | '\u{a960}'..='\u{a97f}'
            | '\u{ac00}'..='\u{d7ff}'
            | '\u{f900}'..='\u{faff}'
            | '\u{fe10}'..='\u{fe6f}'
            | '\u{ff01}'..='\u{ff60}'
            | '\u{ffe0}'..='\u{ffe6}'
            | '\u{16fe0}'..='\u{1b2ff}'
            | '\u{1d300}'..='\u{1d37f}'
            | '\u{1f000}'..='\u{1faff}'
            | '\u{20000}'..='\u{3ffff}'
    )
}
