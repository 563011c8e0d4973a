//! How far a long scan is, on a terminal: a line for each source, beneath which nothing else is written.
//!
//! Nothing is shown where nobody looks: no terminal, `-q`, a log for programs.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use super::Global;
use super::terminal::{self, Drawing, LogFormat};
use crate::model::SourceKind;
use crate::report::text::visible;
use crate::run::{Part, Step};

/// What is over sooner shows nothing.
const SOON: Duration = Duration::from_millis(500);
const EVERY: Duration = Duration::from_millis(200);

/// More sources than these are shown as one line.
const LINES: usize = 8;

/// How much must be done before the rest is estimated.
const TELLING: (Duration, u64) = (Duration::from_secs(5), 3);

/// Does some work on these parts, and shows meanwhile how far it is.
pub(super) async fn shown<T>(global: &Global, parts: &[Part], work: impl Future<Output = T>) -> T {
    if global.quiet || global.log_format == LogFormat::Json || !terminal::can_draw() {
        return work.await;
    }
    let mut work = std::pin::pin!(work);
    tokio::select! {
        biased;
        done = &mut work => return done,
        () = tokio::time::sleep(SOON) => {}
    }
    let mut lines = Lines::of(parts);
    let mut tick = tokio::time::interval(EVERY);
    loop {
        tokio::select! {
            biased;
            done = &mut work => return done,
            _ = tick.tick() => lines.draw(parts),
        }
    }
}

/// What is drawn.
struct Lines {
    bars: Vec<ProgressBar>,
    /// When each source was first seen being read.
    reading: Vec<Option<Instant>>,
    /// Dropped last: it clears what is drawn.
    _drawing: Drawing,
}

impl Lines {
    fn of(parts: &[Part]) -> Self {
        let drawing = Drawing::begin();
        let count = if parts.len() > LINES { 1 } else { parts.len() };
        let bars = (0..count).map(|_| drawing.line()).collect();
        Self {
            bars,
            reading: vec![None; parts.len()],
            _drawing: drawing,
        }
    }

    fn draw(&mut self, parts: &[Part]) {
        for (part, since) in parts.iter().zip(&mut self.reading) {
            if part.progress.step() == Step::Reading {
                since.get_or_insert_with(Instant::now);
            }
        }
        match self.bars.as_slice() {
            [one] if parts.len() > 1 => {
                let sum = |count: fn(&Part) -> u64| parts.iter().map(count).sum();
                let (read, scopes) = (
                    sum(|part| part.progress.read()),
                    sum(|part| part.progress.scopes()),
                );
                show(one, (read, scopes), &all(parts, read, scopes));
            }
            bars => {
                for ((bar, part), since) in bars.iter().zip(parts).zip(&self.reading) {
                    let words = words(part, since.map(|since| since.elapsed()));
                    show(bar, (part.progress.read(), part.progress.scopes()), &words);
                }
            }
        }
    }
}

fn show(bar: &ProgressBar, (read, scopes): (u64, u64), words: &str) {
    if bar.length() != Some(scopes) {
        let template = if scopes > 0 {
            "{bar:20} {wide_msg}"
        } else {
            "{wide_msg}"
        };
        // A template of ours is one that can be read.
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.progress_chars("=> "));
        }
        bar.set_length(scopes);
    }
    bar.set_position(read);
    bar.set_message(words.to_owned());
}

/// How far all sources are, where they are many.
fn all(parts: &[Part], read: u64, scopes: u64) -> String {
    let done = parts
        .iter()
        .filter(|part| part.progress.step() == Step::Done)
        .count();
    format!(
        "{done} of {} sources done: {read} of {scopes} accounts and drives read",
        parts.len()
    )
}

/// How far a source is; what is left is told once enough was done to say.
fn words(part: &Part, reading: Option<Duration>) -> String {
    let progress = &part.progress;
    let (step, read, scopes) = (progress.step(), progress.read(), progress.scopes());
    let mut words = format!("{}: {step}", visible(part.name.as_str()));
    let mut add = |more: String| {
        words.push_str(" · ");
        words.push_str(&more);
    };
    if scopes > 0 {
        let of = match part.kind {
            SourceKind::Nextcloud => "accounts",
            SourceKind::Microsoft365 => "drives",
        };
        add(format!("{read} of {scopes} {of}"));
    }
    let totals = part.reader.totals();
    if totals.units > 0 {
        add(format!("{} units", totals.units));
    } else if totals.sent > 0 {
        add(format!("{} requests", totals.sent));
    }
    if step == Step::Reading
        && let Some(left) = reading.and_then(|took| left(took, read, scopes))
    {
        add(in_words(left));
    }
    words
}

/// How long the rest will take if it goes on like this.
fn left(took: Duration, read: u64, scopes: u64) -> Option<Duration> {
    if took < TELLING.0 || read < TELLING.1 || read >= scopes {
        return None;
    }
    let millis = u64::try_from(took.as_millis()).ok()?;
    Some(Duration::from_millis(millis.checked_mul(scopes - read)? / read))
}

fn in_words(left: Duration) -> String {
    let minutes = left.as_secs().div_ceil(60);
    match minutes {
        0 | 1 => "about a minute left".to_owned(),
        2..=90 => format!("about {minutes} minutes left"),
        _ => format!("about {} hours left", minutes.div_ceil(60)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_is_told_when_it_can_be() {
        let seconds = Duration::from_secs;
        for (took, read, scopes, expected) in [
            (seconds(10), 0, 100, None),
            (seconds(4), 50, 100, None),
            (seconds(10), 10, 100, Some(seconds(90))),
            (seconds(600), 100, 100, None),
            (seconds(600), 1, 100, None),
            (Duration::MAX, 10, 100, None),
        ] {
            assert_eq!(left(took, read, scopes), expected, "{took:?} {read} {scopes}");
        }
        for (left, words) in [
            (5, "about a minute left"),
            (61, "about 2 minutes left"),
            (5401, "about 2 hours left"),
            (36_000, "about 10 hours left"),
        ] {
            assert_eq!(in_words(seconds(left)), words);
        }
    }
}
