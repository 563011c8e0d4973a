//! Times in a world file, absolute or relative to the world's clock, so that a world never ages.
//!
//! Nothing here reads a clock: resolving takes `now` as a parameter.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp, ToSpan};
use serde::{Deserialize, Serialize};

/// A point in time: `now`, `-400d`, `+2h`, a day or an RFC 3339 time.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct Moment {
    written: String,
    meaning: Meaning,
}

/// A day: `+30d`, `2026-12-01` or an RFC 3339 time.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct Day(Moment);

#[derive(Debug, Clone)]
enum Meaning {
    After(Span),
    On(Date),
    At(Timestamp),
}

impl Moment {
    /// The point in time, days being days of UTC.
    pub(crate) fn at(&self, now: Timestamp) -> Timestamp {
        match self.meaning {
            Meaning::After(span) => later(now, span),
            Meaning::On(date) => midnight(date, &TimeZone::UTC),
            Meaning::At(at) => at,
        }
    }
}

impl Day {
    /// The start of the day in `zone`, or the very time where one was written.
    pub(crate) fn start(&self, now: Timestamp, zone: &TimeZone) -> Timestamp {
        match self.0.meaning {
            Meaning::After(span) => midnight(later(now, span).to_zoned(zone.clone()).date(), zone),
            Meaning::On(date) => midnight(date, zone),
            Meaning::At(at) => at,
        }
    }
}

/// The start of `date` in `zone`.
pub(crate) fn midnight(date: Date, zone: &TimeZone) -> Timestamp {
    date.to_zoned(zone.clone())
        .map_or(Timestamp::UNIX_EPOCH, |zoned| zoned.timestamp())
}

fn later(now: Timestamp, span: Span) -> Timestamp {
    now.to_zoned(TimeZone::UTC)
        .checked_add(span)
        .map_or(now, |zoned| zoned.timestamp())
}

impl TryFrom<String> for Moment {
    type Error = String;

    fn try_from(written: String) -> Result<Self, String> {
        let meaning = meaning(&written).ok_or_else(|| {
            format!(
                "`{written}` is no time: write `now`, `-400d`, `+12h`, `2026-12-01` or `2026-12-01T08:00:00Z`"
            )
        })?;
        Ok(Self { written, meaning })
    }
}

impl TryFrom<String> for Day {
    type Error = String;

    fn try_from(written: String) -> Result<Self, String> {
        Moment::try_from(written).map(Self)
    }
}

impl From<Moment> for String {
    fn from(moment: Moment) -> Self {
        moment.written
    }
}

impl From<Day> for String {
    fn from(day: Day) -> Self {
        day.0.written
    }
}

fn meaning(written: &str) -> Option<Meaning> {
    if written == "now" {
        return Some(Meaning::After(Span::new()));
    }
    if let Some(span) = distance(written) {
        return Some(Meaning::After(span));
    }
    if let Ok(date) = written.parse::<Date>()
        && written.len() == 10
    {
        return Some(Meaning::On(date));
    }
    written.parse().ok().map(Meaning::At)
}

/// A signed number with a unit: `+30d`, `-5h`, `+10m`, `-3s`.
pub(crate) fn distance(written: &str) -> Option<Span> {
    let (sign, rest) = match written.as_bytes().first()? {
        b'+' => (1, written.get(1..)?),
        b'-' => (-1, written.get(1..)?),
        _ => return None,
    };
    let (number, unit) = rest.split_at_checked(rest.len().checked_sub(1)?)?;
    let number: i64 = number.parse::<u32>().ok()?.into();
    let number = sign * number;
    match unit {
        "d" => Span::new().try_days(number).ok(),
        "h" => Span::new().try_hours(number).ok(),
        "m" => Span::new().try_minutes(number).ok(),
        "s" => Some(number.seconds()),
        _ => None,
    }
}
