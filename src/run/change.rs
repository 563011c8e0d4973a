//! Runs of changes: what `enforce` does, with the ledger as its journal.

use std::collections::{BTreeMap, BTreeSet};

use secrecy::SecretString;

use crate::enforce::{Closed, Conditions, Done, EnforceError, Enforcer, Reveal};
use crate::model::SourceName;
use crate::plan::{Action, Caps};
use crate::provider::Writer;
use crate::store::{Ledger, StoreError};

/// Carries out actions of a recorded plan.
///
/// # Errors
/// [`EnforceError`].
pub async fn apply(
    ledger: &mut Ledger,
    writers: &BTreeMap<SourceName, Box<dyn Writer>>,
    conditions: Conditions<'_>,
    plan: &str,
    actions: &[&Action],
) -> Result<Done, EnforceError> {
    Enforcer::new(ledger, writers, conditions)
        .apply(plan, actions)
        .await
}

/// Finds out what became of changes of earlier runs, of which that is not on record; changes nothing. Gives where it could not.
///
/// # Errors
/// [`EnforceError`].
pub(super) async fn catch_up(
    ledger: &mut Ledger,
    writers: &BTreeMap<SourceName, Box<dyn Writer>>,
    conditions: Conditions<'_>,
    sources: &[SourceName],
) -> Result<Closed, EnforceError> {
    Enforcer::new(ledger, writers, conditions).catch_up(sources).await
}

/// Takes a run of changes back; `reveal` shows the new passwords of links that had one, where somebody can be shown them.
///
/// # Errors
/// [`EnforceError`].
pub async fn undo(
    ledger: &mut Ledger,
    writers: &BTreeMap<SourceName, Box<dyn Writer>>,
    conditions: Conditions<'_>,
    run: &str,
    reveal: Option<&mut Reveal<'_>>,
) -> Result<Done, EnforceError> {
    Enforcer::new(ledger, writers, conditions)
        .undo(run, &password, reveal)
        .await
}

/// Whether so many actions, with what ends with them, are more than may be done in one run: in words, where they are.
///
/// # Errors
/// Any [`StoreError`] of the file.
pub fn over_caps(ledger: &Ledger, caps: Caps, actions: &[&Action]) -> Result<Option<String>, StoreError> {
    let mut by_source: BTreeMap<&SourceName, BTreeSet<&str>> = BTreeMap::new();
    for action in actions {
        let shares = by_source.entry(&action.source).or_default();
        shares.insert(&action.share);
        shares.extend(action.also_ends.iter().map(String::as_str));
    }
    let all: usize = by_source.values().map(BTreeSet::len).sum();
    if all as u64 > caps.changes {
        return Ok(Some(format!(
            "{all} shares would be changed or end, and `max_changes` lets {} be in one run",
            caps.changes
        )));
    }
    for (source, shares) in by_source {
        // What this plan has ended already counts as known: it was when the plan was made.
        let known = ledger.known_shares(source)? + ledger.gone_among(source, &shares)?;
        let most = caps.most(known);
        if shares.len() as u64 > most {
            return Ok(Some(format!(
                "{} shares of `{source}` would be changed or end, and `max_changes_percent` lets {most} be in one run: \
                 {} % of the {known} that are known",
                shares.len(),
                caps.percent
            )));
        }
    }
    Ok(None)
}

/// How many characters a new password has.
const LENGTH: usize = 24;
/// What it is made of: letters and digits that nobody confuses, and signs that every policy counts.
const LETTERS: &[u8] = b"abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789!#%+-=?@_";

/// A password that no policy refuses: of every kind of character, and long. `None` where the system has no randomness.
fn password() -> Option<SecretString> {
    loop {
        let mut bytes = [0_u8; 4 * LENGTH];
        getrandom::fill(&mut bytes).ok()?;
        // Bytes beyond the last whole row of letters are left out, or some letters would come more often.
        let fair = 256 / LETTERS.len() * LETTERS.len();
        let chosen: String = bytes
            .iter()
            .filter(|byte| usize::from(**byte) < fair)
            .filter_map(|byte| LETTERS.get(usize::from(*byte) % LETTERS.len()))
            .take(LENGTH)
            .map(|byte| char::from(*byte))
            .collect();
        let has = |kind: fn(&char) -> bool| chosen.chars().any(|c| kind(&c));
        if chosen.len() == LENGTH
            && has(char::is_ascii_lowercase)
            && has(char::is_ascii_uppercase)
            && has(char::is_ascii_digit)
            && has(char::is_ascii_punctuation)
        {
            return Some(SecretString::from(chosen));
        }
    }
}
