//! The life of a finding, of a share, or of what somebody owns, as `history` prints it.
//!
//! Each entry is an event as a run told it, or a milestone of a share that is no event. Remote text is made safe by
//! the format, as in reports.

use std::io::{self, Write};

use jiff::Timestamp;
use serde::{Serialize, Serializer, ser::SerializeMap};

use super::ndjson::{self, Event};
use super::text::visible;
use super::view::{Before, Subject};
use super::{flat, json};
use crate::model::names;

/// The schema's name and version.
pub const SCHEMA: &str = "sharewarden.history/v1";

/// Whose life is told.
#[derive(Clone, Debug)]
pub enum Life {
    /// A finding's, by its id.
    Finding(String),
    /// A share's, by the service's own id.
    Share(String),
    /// That of all shares of what somebody owns, by an account's id or mail address, or a site's address.
    Owner(String),
}

impl Life {
    /// The id.
    #[must_use]
    pub fn id(&self) -> &str {
        match self {
            Self::Finding(id) | Self::Share(id) | Self::Owner(id) => id,
        }
    }
}

names! {
    /// What is told of a share, or of a finding, beside events.
    Milestone {
        /// It was read for the first time, or again after it had gone.
        Seen = "share_seen",
        /// It was certainly not there any more.
        Gone = "share_gone",
        /// Somebody looked at it and confirmed it.
        Confirmed = "confirmed",
        /// Somebody closed the incident that a suspected breach made.
        IncidentClosed = "incident_closed",
    }
}

names! {
    /// How a history is written.
    HistoryFormat {
        /// For people.
        Table = "table",
        /// One document.
        Json = "json",
        /// One entry a line.
        Ndjson = "ndjson",
    }
}

/// What an entry tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// An event, as the run's own events tell it.
    Event(Event),
    /// A milestone of a share.
    Milestone(Milestone),
}

impl What {
    /// Its name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Event(event) => event.as_str(),
            Self::Milestone(milestone) => milestone.as_str(),
        }
    }
}

/// One thing that was told.
#[derive(Clone, Debug)]
pub struct Entry {
    /// What.
    pub what: What,
    /// When: the time of the run, or of the confirmation.
    pub time: Timestamp,
    /// The run that told it.
    pub run: Option<String>,
    /// Who confirmed the share, or closed the incident.
    pub by: Option<String>,
    /// What came of an incident.
    pub outcome: Option<String>,
    /// Of what.
    pub subject: Subject,
    /// What was before.
    pub before: Before,
}

/// A life, read one entry at a time.
pub trait Pages {
    /// Visits every entry in the order of time; a visitor's error ends the walk and is returned.
    ///
    /// # Errors
    /// Whatever the visitor or the underlying store reports.
    fn entries(&self, visit: &mut dyn FnMut(Entry) -> io::Result<()>) -> io::Result<()>;
}

/// Writes a life in a format.
///
/// # Errors
/// Whatever `out` or the store behind `pages` reports.
pub fn write(format: HistoryFormat, pages: &dyn Pages, out: &mut dyn Write) -> io::Result<()> {
    match format {
        HistoryFormat::Table => table(pages, out),
        HistoryFormat::Json => document(pages, out),
        HistoryFormat::Ndjson => pages.entries(&mut |entry| {
            json::compact(&entry, out)?;
            out.write_all(b"\n")
        }),
    }
}

fn document(pages: &dyn Pages, out: &mut dyn Write) -> io::Result<()> {
    write!(out, "{{\n  \"schema\": \"{SCHEMA}\",\n  \"entries\": [")?;
    let (mut before, mut end) = ("\n    ", "]");
    pages.entries(&mut |entry| {
        out.write_all(before.as_bytes())?;
        (before, end) = (",\n    ", "\n  ]");
        json::compact(&entry, out)
    })?;
    writeln!(out, "{end}\n}}")
}

impl Serialize for Entry {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut line = serializer.serialize_map(None)?;
        line.serialize_entry("event", self.what.as_str())?;
        line.serialize_entry("time", &self.time)?;
        line.serialize_entry("run", &self.run)?;
        ndjson::serialize_about(&self.subject, &self.before, &mut line)?;
        if self.what == What::Milestone(Milestone::IncidentClosed) {
            line.serialize_entry("closed_by", &self.by)?;
            line.serialize_entry("outcome", &self.outcome)?;
        } else {
            line.serialize_entry("confirmed_by", &self.by)?;
        }
        line.end()
    }
}

fn table(pages: &dyn Pages, out: &mut dyn Write) -> io::Result<()> {
    pages.entries(&mut |entry| {
        let (of, path) = match &entry.subject {
            Subject::Finding(finding) => (
                format!("{:<8}  {}", finding.level, finding.rule),
                finding.share.as_ref().map(|share| share.item.path.as_str()),
            ),
            Subject::Share { share, .. } => (
                format!("{:<8}  share", ""),
                share.as_ref().map(|share| share.item.path.as_str()),
            ),
        };
        let (source, id) = match &entry.subject {
            Subject::Finding(finding) => (
                finding.source.as_str(),
                finding.share.as_ref().map_or("", |share| share.id.as_str()),
            ),
            Subject::Share { source, id, .. } => (source.as_str(), id.as_str()),
        };
        let time = entry.time.strftime("%Y-%m-%d %H:%M UTC");
        writeln!(out, "{time}  {:<16}  {of}", entry.what.as_str())?;
        let place: Vec<_> = [source, id, path.unwrap_or_default()]
            .into_iter()
            .filter(|part| !part.is_empty())
            .map(visible)
            .collect();
        writeln!(out, "    {}", place.join("  "))?;
        for line in particulars(&entry).iter().filter(|line| !line.is_empty()) {
            writeln!(out, "    {}", visible(line))?;
        }
        Ok(())
    })
}

/// What there is to say of an entry, a line each.
fn particulars(entry: &Entry) -> Vec<String> {
    let mut lines = Vec::new();
    if let Subject::Finding(finding) = &entry.subject {
        lines.push(format!("{}: {}", finding.status, finding.message));
        lines.extend(finding.due.map(|due| format!("due {}", due.strftime("%Y-%m-%d"))));
        if let Some(waiver) = &finding.waiver {
            lines.push(format!(
                "waived until {} by {}: {}",
                waiver.until, waiver.approved_by, waiver.reason
            ));
        }
    }
    if let Some(changed) = &entry.before.changed {
        let about = flat::About::subject(&entry.subject);
        let told = changed.iter().map(|name| difference(name, about, &entry.before));
        if !changed.is_empty() {
            lines.push(format!("changed: {}", told.collect::<Vec<_>>().join(", ")));
        }
    } else if matches!(entry.what, What::Event(Event::Changed | Event::ShareChanged)) {
        lines.push("changed: what was before is not kept".to_owned());
    }
    lines.extend(entry.by.as_ref().map(|by| format!("by {by}")));
    lines.extend(
        entry
            .outcome
            .as_ref()
            .map(|outcome| format!("outcome: {outcome}")),
    );
    let finding = match &entry.subject {
        Subject::Finding(finding) => Some(format!("finding {}", finding.id)),
        Subject::Share { .. } => None,
    };
    let names: Vec<_> = finding
        .into_iter()
        .chain(entry.run.as_ref().map(|run| format!("run {run}")))
        .collect();
    lines.push(names.join(", "));
    lines
}

/// What changed, with what it was and what it is where both are told.
fn difference(name: &str, about: flat::About<'_>, before: &Before) -> String {
    let word = |value: serde_json::Value| match value {
        serde_json::Value::Null => "none".to_owned(),
        serde_json::Value::String(text) => text,
        other => other.to_string(),
    };
    let was = flat::BEFORE
        .iter()
        .find(|(field, _)| field.strip_prefix("was_") == Some(name));
    let is = flat::FIELDS.iter().find(|(field, _)| *field == name);
    match (was, is) {
        (Some((_, was)), Some((_, is))) => {
            format!("{name} from {} to {}", word(was(before)), word(is(&about)))
        }
        _ => name.to_owned(),
    }
}
