//! The process's environment: the only place of the program that reads it.

use std::path::PathBuf;

/// A variable of the environment; one that is empty or no Unicode counts as not set.
#[must_use]
#[expect(
    clippy::disallowed_methods,
    reason = "the one place where the environment is read"
)]
pub fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
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
