//! Dates as clients send them: the server takes whatever PHP's date parser takes, this takes the common ones.

use jiff::civil::{Date, Weekday};
use jiff::{Span, Timestamp, ToSpan as _, tz::TimeZone};

/// The day that a client means; none where the server would call it invalid.
pub(crate) fn parse(text: &str, now: Timestamp, zone: &TimeZone) -> Option<Date> {
    let text = text.trim_matches('"').trim();
    let today = now.to_zoned(zone.clone()).date();
    match text.to_ascii_lowercase().as_str() {
        "today" | "now" => return Some(today),
        "tomorrow" => return today.checked_add(1.day()).ok(),
        "yesterday" => return today.checked_sub(1.day()).ok(),
        _ => {}
    }
    iso(text)
        .or_else(|| american(text))
        .or_else(|| relative(text, today))
}

/// `2026-12-01`, with or without a time behind it. A day beyond the month's end runs over into the next.
fn iso(text: &str) -> Option<Date> {
    let head = text.get(..10)?;
    let rest = text.get(10..)?;
    if !rest.is_empty() && !rest.starts_with(['T', ' ']) {
        return None;
    }
    let mut parts = head.split('-');
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    if (year.len(), month.len(), day.len()) != (4, 2, 2) {
        return None;
    }
    overflowing(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?)
}

/// `12/24/2026`.
fn american(text: &str) -> Option<Date> {
    let mut parts = text.split('/');
    let (month, day, year) = (parts.next()?, parts.next()?, parts.next()?);
    overflowing(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?)
}

fn overflowing(year: i16, month: i8, day: i64) -> Option<Date> {
    if !(0..=31).contains(&day) {
        return None;
    }
    Date::new(year, month, 1)
        .ok()?
        .checked_add(Span::new().try_days(day - 1).ok()?)
        .ok()
}

/// `+3 days`, `next monday`.
fn relative(text: &str, today: Date) -> Option<Date> {
    let text = text.to_ascii_lowercase();
    let (first, second) = text.split_once(' ')?;
    if first == "next" {
        let wanted = weekday(second)?;
        return today.nth_weekday(1, wanted).ok();
    }
    let number: i64 = first.strip_prefix('+').unwrap_or(first).parse().ok()?;
    let span = match second.trim_end_matches('s') {
        "day" => Span::new().try_days(number),
        "week" => Span::new().try_weeks(number),
        "month" => Span::new().try_months(number),
        "year" => Span::new().try_years(number),
        _ => return None,
    };
    today.checked_add(span.ok()?).ok()
}

fn weekday(name: &str) -> Option<Weekday> {
    Some(match name {
        "monday" => Weekday::Monday,
        "tuesday" => Weekday::Tuesday,
        "wednesday" => Weekday::Wednesday,
        "thursday" => Weekday::Thursday,
        "friday" => Weekday::Friday,
        "saturday" => Weekday::Saturday,
        "sunday" => Weekday::Sunday,
        _ => return None,
    })
}
