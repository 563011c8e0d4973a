//! The findings, grouped by level, and the shares where all were asked for.
//!
//! What has ended since the last run is counted, not drawn: a solved problem among the worst would
//! look like one.

use std::{io, mem};

use anstyle::Style as Tint;
use comfy_table::{Cell, Row};

use super::{
    super::{
        Pages,
        view::{Finding, Share, Totals},
    },
    screen::{Screen, strong},
    words::{self, DOT},
};
use crate::model::{Level, Status};

/// How many rows are laid out at once.
const BLOCK: usize = 400;
/// The width from which how something is shared has a column of its own.
const ROOMY: u16 = 110;

/// Writes all findings that stand or are waived, then all shares.
pub(super) fn write(pages: &dyn Pages, screen: &mut Screen<'_>) -> io::Result<()> {
    let header = pages.header();
    let mut list = List::new(screen, header.sources.len() > 1);
    let (mut level, mut resolved, mut closed) = (None, 0, 0);
    pages.findings(&mut |finding| {
        match finding.status {
            Status::Resolved => resolved += 1,
            Status::ClosedByPolicy => closed += 1,
            Status::New | Status::Open | Status::Waived | Status::NotChecked => {
                if level.replace(finding.level) != Some(finding.level) {
                    list.title(
                        words::level_tint(finding.level),
                        &level_title(finding.level, &header.totals),
                    )?;
                }
                list.finding(&finding)?;
            }
        }
        Ok(())
    })?;
    list.flush()?;
    if resolved + closed > 0 {
        let ended = format!("Ended and not drawn: {resolved} resolved, {closed} closed by policy.");
        list.screen.gap()?;
        list.screen.paragraph(Tint::new(), &ended)?;
    }
    let mut titled = false;
    pages.shares(&mut |share| {
        if !mem::replace(&mut titled, true) {
            list.title(Tint::new().bold(), "ALL SHARES")?;
        }
        list.share(strong(share.kind), words::name(&share.id), &share, Vec::new())
    })?;
    list.flush()
}

fn level_title(level: Level, totals: &Totals) -> String {
    let standing = totals.by_level.get(&level).copied().unwrap_or_default();
    format!(
        "{}{DOT}{}",
        level.as_str().to_uppercase(),
        words::count(standing, "finding")
    )
}

/// Entries of two rows each, in columns that never change their widths.
struct List<'a, 'b> {
    screen: &'a mut Screen<'b>,
    widths: Vec<u16>,
    many_sources: bool,
    rows: Vec<Row>,
    /// Whether the next entry is the first beneath a title.
    first: bool,
}

impl<'a, 'b> List<'a, 'b> {
    fn new(screen: &'a mut Screen<'b>, many_sources: bool) -> Self {
        let (width, rule, share) = (screen.width(), words::RULE + 2, screen.width() * 3 / 10);
        let widths = if width < ROOMY {
            vec![rule, width - rule]
        } else {
            vec![rule, width - rule - share, share]
        };
        Self {
            screen,
            widths,
            many_sources,
            rows: Vec::new(),
            first: true,
        }
    }

    fn title(&mut self, tint: Tint, title: &str) -> io::Result<()> {
        self.flush()?;
        self.first = true;
        self.screen.title(tint, title)
    }

    fn finding(&mut self, finding: &Finding) -> io::Result<()> {
        let rule = strong(words::rule(finding.rule));
        let mut standing = vec![finding.status.to_string()];
        standing.extend(finding.due.map(|due| format!("due {}", words::day(due))));
        standing.extend(self.many_sources.then(|| words::name(&finding.source)));
        standing.push(words::name(&finding.id));
        let mut notes = vec![words::message(&finding.message)];
        notes.extend(finding.waiver.as_ref().map(words::waiver));
        if let Some(share) = &finding.share {
            return self.share(rule, standing.join("\n"), share, notes);
        }
        let settings = strong(format!("Settings of {}", words::name(&finding.source)));
        self.entry(vec![rule, settings], vec![standing.join("\n"), notes.join("\n")])
    }

    /// Draws a share: what is shared, and how, the latter in a column of its own where there is room.
    fn share(&mut self, title: Cell, left: String, share: &Share, notes: Vec<String>) -> io::Result<()> {
        let item = strong(words::path(&share.item.path));
        let owner = words::owner(share);
        let (kind, protection) = (words::kind(share), words::protection(share));
        let further = std::iter::once(words::access(share)).chain(words::recipients(share));
        if self.widths.len() > 2 {
            let middle: Vec<String> = std::iter::once(owner).chain(notes).collect();
            let right: Vec<String> = std::iter::once(protection).chain(further).collect();
            return self.entry(
                vec![title, item, strong(kind)],
                vec![left, middle.join("\n"), right.join("\n")],
            );
        }
        let protection = format!("{kind}{DOT}{protection}");
        let lines: Vec<String> = [owner, protection]
            .into_iter()
            .chain(further)
            .chain(notes)
            .collect();
        self.entry(vec![title, item], vec![left, lines.join("\n")])
    }

    fn entry(&mut self, heads: Vec<Cell>, bodies: Vec<String>) -> io::Result<()> {
        if !mem::replace(&mut self.first, false) {
            self.rows.push(Row::from([""]));
        }
        self.rows.extend([Row::from(heads), Row::from(bodies)]);
        if self.rows.len() < BLOCK {
            Ok(())
        } else {
            self.flush()
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.screen.rows(&self.widths, mem::take(&mut self.rows))
    }
}
