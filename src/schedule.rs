//! When something is to be done again and again, as a cron line says it. Pure.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// A cron line of five fields: minute, hour, day of the month, month, and day of the week (0 and 7 are Sunday). Where both
/// days are restricted, either will do, as in Vixie's cron.
///
/// It is meant in civil time: a time that the clocks skip comes when they have, and one that they show twice comes once, so
/// that a nightly job runs once a night. The default never comes.
#[derive(Clone, Debug, Default)]
pub struct Cron(Option<cronexpr::Crontab>);

/// Why a text is no cron line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CronError {
    /// It has another number of fields.
    #[error("`{0}` has {1} fields, not five")]
    Fields(String, usize),
    /// A field is not as it should be.
    #[error("`{0}` is no cron line: {1}")]
    Malformed(String, String),
    /// No day is like that.
    #[error("`{0}` never comes")]
    Never(String),
}

impl Cron {
    /// Reads a cron line.
    ///
    /// # Errors
    /// [`CronError`], with the text.
    pub fn parse(text: &str) -> Result<Self, CronError> {
        let fields: Vec<_> = text.split_whitespace().collect();
        if fields.len() != 5 {
            return Err(CronError::Fields(text.to_owned(), fields.len()));
        }
        // Civil times are counted as if they were in UTC, where no clock ever changes.
        let line = format!("{} UTC", fields.join(" "));
        let crontab = cronexpr::parse_crontab(&line).map_err(|error| {
            let words = error.to_string();
            // The library draws the line again under its first words.
            let words = words
                .lines()
                .last()
                .unwrap_or_default()
                .trim_start_matches([' ', '^', '|']);
            CronError::Malformed(text.to_owned(), words.to_owned())
        })?;
        let cron = Self(Some(crontab));
        match cron.next_civil(DateTime::constant(2024, 1, 1, 0, 0, 0, 0)) {
            Some(_) => Ok(cron),
            None => Err(CronError::Never(text.to_owned())),
        }
    }

    /// The first time after an instant, in a zone; `None` where there is none.
    #[must_use]
    pub fn next(&self, after: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let mut civil = after.to_zoned(zone.clone()).datetime();
        loop {
            civil = self.next_civil(civil)?;
            let at = zone.to_ambiguous_zoned(civil).compatible().ok()?.timestamp();
            // In the hour that comes twice, what was in it comes the first time.
            if at > after {
                return Some(at);
            }
        }
    }

    fn next_civil(&self, after: DateTime) -> Option<DateTime> {
        let after = after.to_zoned(TimeZone::UTC).ok()?.timestamp();
        // The library looks some years ahead, without a look at where time ends.
        after
            .to_zoned(TimeZone::UTC)
            .checked_add(jiff::Span::new().years(9))
            .ok()?;
        let next = self.0.as_ref()?.find_next(after).ok()?;
        Some(next.datetime())
    }
}

/// What fuzzing holds cron lines to, beside that no text makes them panic.
#[cfg(any(test, fuzzing))]
pub(crate) fn fuzz(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let Ok(cron) = Cron::parse(&text) else { return };
    for zone in ["UTC", "Europe/London", "America/St_Johns", "Pacific/Apia"] {
        let zone = TimeZone::get(zone).unwrap_or(TimeZone::UTC);
        for from in [1_795_392_000, 1_774_746_000, -1_000_000_000, 253_000_000_000] {
            let after = Timestamp::from_second(from).unwrap_or_default();
            let next = cron.next(after, &zone);
            assert!(
                next.is_none_or(|next| next > after),
                "{text} after {after}: {next:?}"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn times(line: &str, zone: &str, after: &str, many: usize) -> Vec<String> {
        let (cron, zone) = (Cron::parse(line).unwrap(), TimeZone::get(zone).unwrap());
        let mut at: Timestamp = after.parse().unwrap();
        let mut found = Vec::new();
        for _ in 0..many {
            at = cron.next(at, &zone).unwrap();
            found.push(at.to_string());
        }
        found
    }

    #[test]
    fn lines_are_read_as_cron_reads_them() {
        for good in ["0 2 * * *", "*/15 0-6 1,15 jan-mar Mon", "59 23 31 12 7"] {
            assert!(Cron::parse(good).is_ok(), "{good}");
        }
        for (bad, word) in [
            ("", "0 fields"),
            ("0 2 * *", "4 fields"),
            ("0 2 * * * *", "6 fields"),
            ("0 2 * * * UTC", "6 fields"),
            ("60 2 * * *", "60 2 * * *"),
            ("0 24 * * *", "0 24"),
            ("0 2 0 * *", "0 2 0"),
            ("a 2 * * *", "a 2"),
            ("5-1 * * * *", "5-1"),
            ("*/0 * * * *", "*/0"),
            ("+1 * * * *", "+1"),
            ("0 2 30 2 *", "never comes"),
            ("\u{202e} 2 * * *", "is no cron line"),
        ] {
            let error = Cron::parse(bad).unwrap_err().to_string();
            assert!(error.contains(word), "{bad}: {error}");
            assert!(!error.contains('\n'), "{error}");
        }
    }

    #[test]
    fn either_day_will_do_where_both_are_restricted() {
        assert_eq!(
            times("0 2 13 * 5", "UTC", "2026-11-01T00:00:00Z", 4),
            [
                "2026-11-06T02:00:00Z",
                "2026-11-13T02:00:00Z",
                "2026-11-20T02:00:00Z",
                "2026-11-27T02:00:00Z"
            ]
        );
    }

    #[test]
    fn a_night_comes_once_whatever_the_clocks_do() {
        // They go from 2:00 to 3:00.
        assert_eq!(
            times("30 2 * * *", "Europe/Berlin", "2026-03-28T00:00:00Z", 3),
            [
                "2026-03-28T01:30:00Z",
                "2026-03-29T01:30:00Z",
                "2026-03-30T00:30:00Z"
            ]
        );
        // They go from 3:00 to 2:00.
        assert_eq!(
            times("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", 2),
            ["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"]
        );
        // Asked between the two, it was there already.
        assert_eq!(
            times("30 2 * * *", "Europe/Berlin", "2026-10-25T01:10:00Z", 1),
            ["2026-10-26T01:30:00Z"]
        );
    }

    proptest! {
        /// Wherever and whenever: it is later, and within a day and the change of a clock.
        #[test]
        fn the_next_night_is_the_next(
            minute in 0_u8..60, hour in 0_u8..24, at in 1_700_000_000_i64..2_000_000_000,
            zone in prop::sample::select(vec!["UTC", "Europe/London", "America/St_Johns", "Australia/Lord_Howe", "Africa/Casablanca"]),
        ) {
            let zone = TimeZone::get(zone).unwrap();
            let after = Timestamp::from_second(at).unwrap();
            let next = Cron::parse(&format!("{minute} {hour} * * *")).unwrap().next(after, &zone).unwrap();
            let ahead = next.as_second() - at;
            prop_assert!(ahead > 0 && ahead <= 26 * 3600, "{ahead}");
        }
    }
}
