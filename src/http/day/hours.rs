//! Units by the hour in which they were spent. Pure.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

const SCHEMA: &str = "sharewarden.units/v1";
/// A hour counts until all of it is older than this many.
const COUNTED: u64 = 24;

/// What was spent within the last day, by hours since 1970.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Hours(BTreeMap<u64, u64>);

/// As the file has it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    schema: String,
    hours: BTreeMap<u64, u64>,
}

impl Hours {
    /// What a file says; `None` if it is no such file.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let written: Written = serde_json::from_slice(bytes).ok()?;
        (written.schema == SCHEMA).then_some(Self(written.hours))
    }

    pub(super) fn to_json(&self) -> serde_json::Result<Vec<u8>> {
        serde_json::to_vec(&Written {
            schema: SCHEMA.to_owned(),
            hours: self.0.clone(),
        })
    }

    /// Forgets what is older than a day. What lies ahead, since a clock was wrong, counts as spent now, or it
    /// would count until the clock is there.
    pub(super) fn roll(&mut self, now: u64) {
        let ahead = self.0.split_off(&now.saturating_add(1));
        for units in ahead.into_values() {
            self.add(now, units);
        }
        self.0 = self.0.split_off(&now.saturating_sub(COUNTED));
    }

    pub(super) fn total(&self) -> u64 {
        self.0.values().fold(0, |sum, units| sum.saturating_add(*units))
    }

    pub(super) fn add(&mut self, hour: u64, units: u64) {
        if units > 0 {
            let spent = self.0.entry(hour).or_default();
            *spent = spent.saturating_add(units);
        }
    }

    pub(super) fn give_back(&mut self, hour: u64, units: u64) {
        if let Some(spent) = self.0.get_mut(&hour) {
            *spent = spent.saturating_sub(units);
        }
    }

    pub(super) fn add_all(&mut self, others: &Self) {
        for (hour, units) in &others.0 {
            self.add(*hour, *units);
        }
    }

    /// In how many hours no more than `most` are left.
    pub(super) fn until(&self, most: u64, now: u64) -> u64 {
        let mut left = self.total();
        for (hour, units) in &self.0 {
            left = left.saturating_sub(*units);
            if left <= most && *units > 0 {
                return hour.saturating_add(COUNTED + 1).saturating_sub(now).max(1);
            }
        }
        COUNTED + 1
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn hours<const N: usize>(spent: [(u64, u64); N]) -> Hours {
        Hours(BTreeMap::from(spent))
    }

    #[test]
    fn an_hour_counts_until_all_of_it_is_older_than_a_day() {
        let mut counted = hours([(100, 1), (101, 10), (124, 100)]);
        for (now, total) in [(124, 111), (125, 110), (126, 100), (148, 100), (149, 0)] {
            counted.roll(now);
            assert_eq!(counted.total(), total, "{now}");
        }
    }

    #[test]
    fn what_lies_ahead_counts_as_spent_now() {
        let mut counted = hours([(99, 1), (100, 2), (101, 4), (9_000_000, 8)]);
        counted.roll(100);
        assert_eq!(counted, hours([(99, 1), (100, 14)]));
    }

    #[test]
    fn again_is_when_enough_has_grown_old() {
        let counted = hours([(90, 0), (100, 5), (103, 5), (110, 5)]);
        // Hour 100 counts until hour 125 begins.
        for (most, again) in [(14, 15), (10, 15), (9, 18), (5, 18), (0, 25)] {
            assert_eq!(counted.until(most, 110), again, "{most}");
        }
        assert_eq!(hours([]).until(0, 110), 25);
    }

    #[test]
    fn files_are_believed_only_as_they_are_written() {
        let counted = hours([(489_000, 700), (489_001, 0)]);
        let json = r#"{"schema":"sharewarden.units/v1","hours":{"489000":700,"489001":0}}"#;
        assert_eq!(counted.to_json().unwrap(), json.as_bytes());
        assert_eq!(Hours::parse(json.as_bytes()), Some(counted));
        for other in [
            "",
            "{}",
            r#"{"schema":"sharewarden.units/v2","hours":{}}"#,
            r#"{"schema":"sharewarden.units/v1","hours":{},"more":1}"#,
            r#"{"schema":"sharewarden.units/v1","hours":{"x":1}}"#,
            r#"{"schema":"sharewarden.units/v1","hours":{"1":-1}}"#,
            r#"{"schema":"sharewarden.units/v1","hours":{"1":1.5}}"#,
            r#"{"schema":"sharewarden.units/v1","hours":{"1":1}"#,
        ] {
            assert_eq!(Hours::parse(other.as_bytes()), None, "{other}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_counted_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Hours::parse(&bytes);
        }

        #[test]
        fn again_is_neither_too_early_nor_too_late(
            spent in proptest::collection::btree_map(100_u64..125, 1_u64..50, 1..10), most in 0_u64..200
        ) {
            let counted = Hours(spent);
            prop_assume!(counted.total() > most);
            let again = counted.until(most, 124);
            let (mut then, mut before) = (counted.clone(), counted);
            then.roll(124 + again);
            before.roll(124 + again - 1);
            prop_assert!(then.total() <= most && before.total() > most);
        }
    }
}
