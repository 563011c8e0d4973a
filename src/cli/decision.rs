//! What commands have in common that work on the state alone: the state they read or write, and the words they take of
//! what people decided.
//!
//! They write in short transactions and ask no service, so that they never wait for a scan.

use super::terminal::say;
use super::{Exit, Global, scan};
use crate::config::Loaded;
use crate::store::{Ledger, StoreError};

/// The configuration, and the state with what is decided upon; `what` names the command.
pub(super) fn open(global: &Global, what: &str) -> Result<(Loaded, Ledger), Exit> {
    let loaded = stated(global, what)?;
    let ledger = scan::open(global, &loaded.settings)?;
    Ok((loaded, ledger))
}

/// The configuration, and the state as it is, for a command that only prints it.
pub(super) fn read(global: &Global, what: &str) -> Result<(Loaded, Ledger), Exit> {
    let loaded = stated(global, what)?;
    let path = &loaded.settings.state.path;
    let ledger = Ledger::open_to_read(path).map_err(|error| scan::unusable(path, &error))?;
    Ok((loaded, ledger))
}

/// The configuration, where there is a state.
fn stated(global: &Global, what: &str) -> Result<Loaded, Exit> {
    if global.no_state {
        say(&format!(
            "error: `{what}` works on what the state holds, so --no-state leaves it nothing to do"
        ));
        return Err(Exit::Usage);
    }
    let loaded = global.load()?;
    let path = &loaded.settings.state.path;
    if !path.exists() {
        say(&format!(
            "error: no run is stored yet: there is no state file {}\nhelp: make one with `sharewarden scan`",
            path.display()
        ));
        return Err(Exit::Usage);
    }
    Ok(loaded)
}

/// Says why nothing was recorded.
pub(super) fn refused(error: &StoreError) -> Exit {
    match error {
        StoreError::Unknown { .. }
        | StoreError::Ambiguous { .. }
        | StoreError::NoIncident { .. }
        | StoreError::ClosedBefore { .. }
        | StoreError::Incident { .. } => {
            say(&format!("error: {error}; nothing was recorded"));
            Exit::Usage
        }
        error => {
            say(&format!("error: nothing was recorded: {error}"));
            Exit::NotKept
        }
    }
}

/// Words that somebody gave an option: one line that says something, no longer than so many characters.
pub(super) fn words(option: &str, text: &str, longest: usize) -> Result<String, Exit> {
    let text = text.trim();
    let wrong = if text.is_empty() {
        "is empty".to_owned()
    } else if text.chars().count() > longest {
        format!("is longer than {longest} characters")
    } else if text.chars().any(char::is_control) {
        "has line ends or control characters".to_owned()
    } else {
        return Ok(text.to_owned());
    };
    say(&format!("error: {option} {wrong}; nothing was recorded"));
    Err(Exit::Usage)
}

/// The longest name of somebody who decides.
pub(super) const NAME: usize = 200;
