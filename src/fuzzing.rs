//! What is fuzzed, and what it is held to: `fuzz/` runs each of these by libFuzzer, and `cargo test` on what is kept there.
//!
//! It is there where tests and fuzz targets are built, and in no program. Each part has its own, most in a file `fuzzing`; here is
//! only the list, by which they are called.

use crate::{config, notify, plan, provider, report, schedule};

/// Something that takes bytes from outside, and panics where what it makes of them is not as it should be.
pub type Body = fn(&[u8]);

/// All of them, by name: a file of that name lies in `fuzz/fuzz_targets`.
pub const TARGETS: &[(&str, Body)] = &[
    ("address", notify::fuzzing::address),
    ("batch", provider::microsoft365::fuzzing::batch),
    ("claim", provider::microsoft365::fuzzing::claim),
    ("configuration", config::fuzzing::whole),
    ("cron", schedule::fuzz),
    ("decisions", plan::fuzzing::decisions),
    ("delta", provider::microsoft365::fuzzing::delta),
    ("entry", provider::nextcloud::fuzzing::entry),
    ("letter", notify::fuzzing::letter),
    ("listing", provider::nextcloud::fuzzing::listing),
    ("memory", provider::microsoft365::fuzzing::memory),
    ("multistatus", provider::nextcloud::fuzzing::multistatus),
    ("ocs", provider::nextcloud::fuzzing::answer),
    ("permissions", provider::microsoft365::fuzzing::permissions),
    ("plan", plan::fuzzing::plan),
    ("report", report::fuzzing::formats),
    ("text", report::fuzzing::text),
    ("waiver", config::fuzzing::waiver),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::panic::catch_unwind;
    use std::path::{Path, PathBuf};

    use super::*;

    /// Which targets read what servers answer, and the recordings of it.
    const RECORDED: [(&str, &[&str]); 2] = [
        ("graph", &["batch", "delta", "permissions"]),
        ("nextcloud", &["listing", "multistatus", "ocs"]),
    ];

    fn names(folder: &Path) -> BTreeSet<String> {
        let entries = fs::read_dir(folder).into_iter().flatten();
        entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect()
    }

    #[test]
    fn what_was_recorded_thought_of_or_once_found_is_held_to_it() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut failed: Vec<PathBuf> = Vec::new();
        for (name, body) in TARGETS {
            let mut folders = vec![
                root.join("fuzz/seeds").join(name),
                root.join("fuzz/regressions").join(name),
            ];
            let recorded = RECORDED.iter().filter(|(_, targets)| targets.contains(name));
            folders.extend(recorded.map(|(service, _)| root.join("fixtures/wire").join(service)));
            let mut inputs = Vec::new();
            for folder in folders {
                inputs.extend(names(&folder).iter().map(|name| folder.join(name)));
            }
            assert!(!inputs.is_empty(), "{name} has nothing to begin with");
            failed.extend(inputs.into_iter().filter(|input| {
                let data = fs::read(input).unwrap();
                catch_unwind(|| body(&data)).is_err()
            }));
        }
        assert!(
            failed.is_empty(),
            "what these hold is not as it should be: {failed:?}"
        );
    }

    #[test]
    fn nothing_is_kept_for_a_target_that_is_none() {
        let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
        let known: BTreeSet<String> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
        assert_eq!(names(&fuzz.join("seeds")), known);
        assert!(names(&fuzz.join("regressions")).is_subset(&known));
    }
}
