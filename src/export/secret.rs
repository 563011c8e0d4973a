//! The secret that pseudonyms are made with. It lies beside the state, for the owner only: whoever has it can try out
//! whose a pseudonym is, and whoever loses it begins new ones.

use std::io;
use std::path::Path;

use crate::files;
use crate::report::discretion::Pseudonyms;

/// The file's name.
const NAME: &str = "pseudonyms.key";
const BYTES: usize = 32;

/// The pseudonyms of a state; its secret is chosen where there is none yet.
pub(super) fn pseudonyms(state: &Path) -> io::Result<Pseudonyms> {
    let path = state.with_file_name(NAME);
    let secret = match std::fs::read(&path) {
        Ok(secret) => secret,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            choose(&path).map_err(|error| at(&path, &error))?
        }
        Err(error) => return Err(at(&path, &error)),
    };
    if secret.len() != BYTES {
        let words = format!(
            "it has {} bytes and not {BYTES}: restore it from a backup, or remove it to begin new pseudonyms",
            secret.len()
        );
        return Err(at(&path, &io::Error::other(words)));
    }
    Ok(Pseudonyms::new(&secret))
}

/// Chooses a secret and keeps it; of two that do so at once one is heeded.
fn choose(path: &Path) -> io::Result<Vec<u8>> {
    let mut secret = vec![0; BYTES];
    getrandom::fill(&mut secret).map_err(io::Error::other)?;
    match files::create_private(path, &secret) {
        Ok(()) => Ok(secret),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => std::fs::read(path),
        Err(error) => Err(error),
    }
}

fn at(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}
