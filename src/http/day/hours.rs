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
