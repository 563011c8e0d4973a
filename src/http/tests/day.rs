//! The count of a day's units, in a file that several share.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use proptest::prelude::*;
use tempfile::TempDir;

use super::super::{Day, Reserve};

/// A folder for a count, and the hour there.
struct Place {
    folder: TempDir,
    hour: Arc<AtomicU64>,
}

impl Place {
    fn new() -> Self {
        Self {
            folder: TempDir::new().unwrap(),
            hour: Arc::new(AtomicU64::new(1000)),
        }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("units").join("cloud.json")
    }

    fn open(&self, per_day: u64, reserve: Reserve) -> Arc<Day> {
        let hour = self.hour.clone();
        let clock = move || hour.load(Ordering::SeqCst);
        Arc::new(Day::with_clock(self.path(), per_day, reserve, clock).unwrap())
    }

    fn counted(&self) -> u64 {
        counted(&self.path())
    }
}

/// What a file counts, read apart from the code under test.
pub(super) fn counted(path: &Path) -> u64 {
    let json: serde_json::Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    assert_eq!(json["schema"], "sharewarden.units/v1");
    let hours = json["hours"].as_object().unwrap();
    hours.values().map(|units| units.as_u64().unwrap()).sum()
}

/// Takes and spends; whether that was granted.
fn spend(day: &Arc<Day>, units: u64) -> bool {
    day.draw(units).map(super::super::day::Charge::spend).is_ok()
}

#[test]
fn portions_spare_the_file_and_what_is_left_is_given_back() {
    let place = Place::new();
    let day = place.open(100_000, Reserve::Usable);
    assert!(spend(&day, 5));
    assert_eq!(place.counted(), 500);
    let written = fs::read(place.path()).unwrap();
    for _ in 0..99 {
        assert!(spend(&day, 5));
    }
    // Not another access until the portion is used up.
    assert_eq!(fs::read(place.path()).unwrap(), written);
    assert!(spend(&day, 5));
    assert_eq!(place.counted(), 1000);
    drop(day);
    assert_eq!(place.counted(), 505);
}

#[test]
fn units_that_were_not_spent_are_given_back() {
    let place = Place::new();
    let day = place.open(100_000, Reserve::Usable);
    let (spent, unspent) = (day.draw(10).unwrap(), day.draw(20).unwrap());
    spent.spend();
    drop(unspent);
    drop(day);
    assert_eq!(place.counted(), 10);
}

#[test]
fn all_who_share_a_file_share_the_day() {
    let place = Place::new();
    let (one, other) = (place.open(100, Reserve::Usable), place.open(100, Reserve::Usable));
    assert!(spend(&one, 60) && spend(&other, 30));
    assert!(!spend(&one, 20) && !spend(&other, 20));
    assert!(spend(&one, 10));
    assert!(!spend(&one, 1) && !spend(&other, 1));
    drop((one, other));
    assert_eq!(place.counted(), 100);
    assert!(!spend(&place.open(100, Reserve::Usable), 1));
}

#[test]
fn full_scans_leave_a_tenth() {
    let place = Place::new();
    let (full, person) = (place.open(105, Reserve::Kept), place.open(105, Reserve::Usable));
    let granted = (0..200).filter(|_| spend(&full, 1)).count();
    assert_eq!(granted, 94);
    let granted = (0..200).filter(|_| spend(&person, 1)).count();
    assert_eq!(granted, 11);
    assert!(!spend(&full, 1));
}

#[test]
fn units_come_back_after_a_day_and_not_before() {
    let place = Place::new();
    let day = place.open(100, Reserve::Usable);
    assert!(spend(&day, 40));
    place.hour.store(1010, Ordering::SeqCst);
    assert!(spend(&day, 60));
    let again = |units| day.draw(units).err().map(|spent| spent.again);
    assert_eq!((again(1), again(40), again(41)), (Some(15), Some(15), Some(25)));
    place.hour.store(1024, Ordering::SeqCst);
    assert_eq!(again(1), Some(1));
    place.hour.store(1025, Ordering::SeqCst);
    assert!(spend(&day, 40));
    assert!(!spend(&day, 1));
}

#[test]
fn an_old_portion_is_given_back_to_its_own_hour() {
    let place = Place::new();
    let day = place.open(10_000, Reserve::Usable);
    assert!(spend(&day, 1));
    assert_eq!(place.counted(), 500);
    place.hour.store(1001, Ordering::SeqCst);
    assert!(spend(&day, 2));
    let json = fs::read_to_string(place.path()).unwrap();
    assert!(json.contains(r#""1000":1,"1001":499"#), "{json}");
    // Units of a portion that is no longer there stay counted.
    let late = day.draw(7).unwrap();
    place.hour.store(1002, Ordering::SeqCst);
    assert!(spend(&day, 1));
    drop(late);
    drop(day);
    assert_eq!(place.counted(), 1 + 2 + 7 + 1);
}

#[test]
fn who_is_killed_loses_one_portion_at_most() {
    let place = Place::new();
    let day = place.open(100_000, Reserve::Usable);
    assert!(spend(&day, 5) && spend(&day, 5));
    std::mem::forget(day);
    assert!(spend(&place.open(100_000, Reserve::Usable), 1));
    assert_eq!(place.counted(), 501);
}

#[test]
fn what_is_no_count_is_set_aside() {
    for content in [
        "",
        "{",
        r#"{"schema":"other/v1","hours":{}}"#,
        &" ".repeat(100_000),
    ] {
        let place = Place::new();
        drop(place.open(100, Reserve::Usable));
        fs::write(place.path(), content).unwrap();
        let day = place.open(100, Reserve::Usable);
        assert_eq!(place.counted(), 0);
        let aside = place.path().with_file_name("cloud.json.damaged");
        assert_eq!(fs::read_to_string(&aside).unwrap(), content);
        // Of what broke or vanished during the run, this run still knows.
        assert!(spend(&day, 90));
        fs::write(place.path(), content).unwrap();
        assert!(!spend(&day, 20));
        fs::write(place.path(), content).unwrap();
        fs::remove_file(place.path()).unwrap();
        assert!(!spend(&day, 20) && spend(&day, 10));
        assert_eq!(place.counted(), 100);
    }
}

#[test]
fn a_file_that_cannot_be_used_is_refused_at_once() {
    let place = Place::new();
    fs::create_dir_all(place.path()).unwrap();
    let is_folder = Day::open(place.path(), 100, Reserve::Kept).unwrap_err();
    let shown = is_folder.to_string();
    assert!(
        shown.contains("cloud.json") && shown.contains("read and write"),
        "{shown}"
    );
    fs::write(place.folder.path().join("file"), "").unwrap();
    assert!(Day::open(place.folder.path().join("file/cloud.json"), 100, Reserve::Kept).is_err());
}

#[test]
fn a_file_that_fails_later_does_not_end_the_count() {
    let place = Place::new();
    let day = place.open(100, Reserve::Usable);
    assert!(spend(&day, 30));
    fs::remove_file(place.path()).unwrap();
    fs::create_dir(place.path()).unwrap();
    assert!(spend(&day, 30) && !spend(&day, 50) && spend(&day, 20));
    // Once it can be written again, nothing is missing; what others spent is known again too.
    fs::remove_dir(place.path()).unwrap();
    fs::write(
        place.path(),
        r#"{"schema":"sharewarden.units/v1","hours":{"1000":35}}"#,
    )
    .unwrap();
    assert!(!spend(&day, 20) && spend(&day, 10));
    drop(day);
    assert_eq!(place.counted(), 35 + 30 + 20 + 10);
}

#[cfg(unix)]
#[test]
fn only_the_owner_may_read_the_count() {
    use std::os::unix::fs::PermissionsExt as _;
    let place = Place::new();
    let _day = place.open(100, Reserve::Usable);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&place.path()), 0o600);
    assert_eq!(mode(&place.path().with_file_name("cloud.json.lock")), 0o600);
    assert_eq!(mode(place.path().parent().unwrap()), 0o700);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    /// Several runs at once, each of several requests at once; some are not sent in the end.
    #[test]
    fn never_is_more_spent_than_a_day_has(
        runs in proptest::collection::vec(proptest::collection::vec((1_u64..40, any::<bool>()), 1..40), 2..5),
        per_day in 10_u64..400,
    ) {
        let place = Place::new();
        let spent = AtomicU64::new(0);
        std::thread::scope(|scope| {
            for takes in &runs {
                let day = place.open(per_day, Reserve::Usable);
                for half in takes.chunks(takes.len().div_ceil(2)) {
                    let (day, spent) = (day.clone(), &spent);
                    scope.spawn(move || {
                        for (units, is_sent) in half {
                            if let Ok(charge) = day.draw(*units)
                                && *is_sent
                            {
                                charge.spend();
                                spent.fetch_add(*units, Ordering::SeqCst);
                            }
                        }
                    });
                }
            }
        });
        let spent = spent.load(Ordering::SeqCst);
        prop_assert!(spent <= per_day);
        // Nothing is lost either: what was given up may stay counted, what was spent is.
        prop_assert!((spent..=per_day).contains(&place.counted()));
    }
}
