//! The process's environment: the only place of the program that reads it.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Mutex, PoisonError};

/// The variables that hold a secret of this program.
static SECRET: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// A variable of the environment; one that is empty or no Unicode counts as not set.
#[must_use]
#[expect(
    clippy::disallowed_methods,
    reason = "the one place where the environment is read"
)]
pub fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Notes that a variable holds a secret.
pub(super) fn holds_a_secret(name: &str) {
    let mut secret = SECRET.lock().unwrap_or_else(PoisonError::into_inner);
    secret.insert(name.to_owned());
}

/// Keeps from a program that is run from here the variables that hold secrets: one of a source is no business of the
/// command that tells another's.
pub fn withhold_secrets(command: &mut Command) {
    let secret = SECRET.lock().unwrap_or_else(PoisonError::into_inner);
    for name in secret.iter() {
        command.env_remove(name);
    }
    // What a machine's identity is got with is given to this program alone.
    command.env_remove("IDENTITY_HEADER");
}

/// A folder that the environment names, or one beneath the home folder; relative ones do not count.
pub(super) fn folder(name: &str, beneath_home: &str) -> Option<PathBuf> {
    let named = variable(name)
        .map(PathBuf::from)
        .filter(|path| path.is_absolute());
    named.or_else(|| {
        let home = variable("HOME")
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())?;
        Some(home.join(beneath_home))
    })
}
