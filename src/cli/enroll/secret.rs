//! The secret that the auditor is registered with: the one that is there, or a new one beside its place until it is good.

use std::fmt::Write as _;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret as _, SecretString};

use super::super::terminal::say;
use super::super::{Exit, Global, sources, unwritten};
use crate::config::{SecretRef, create_private, write_private};

/// The least length of a secret that is worth every account.
const SHORTEST: usize = 20;

/// A secret to register with.
pub(super) struct Chosen {
    pub(super) secret: SecretString,
    /// Where it has to be put; none where it was there before.
    pub(super) place: Option<PathBuf>,
}

/// A new secret beside the place where the configuration reads it. The file beside it vanishes in the end.
pub(super) struct Pending {
    new: PathBuf,
    place: PathBuf,
    secret: SecretString,
}

impl Pending {
    /// Writes a secret beside its place, if nobody else did.
    pub(super) fn write(place: PathBuf, secret: &SecretString) -> Result<Self, Exit> {
        let mut new = place.clone().into_os_string();
        new.push(".new");
        let new = PathBuf::from(new);
        create_private(&new, line(secret).as_bytes()).map_err(|error| {
            let remedy = if error.kind() == ErrorKind::AlreadyExists {
                "wait for the `enroll` that is under way; if there is none, remove the file"
            } else {
                "run `enroll` as an account that may write there, or refer to another file"
            };
            sources::wrong(
                &format!("a secret cannot be written to {}: {error}", new.display()),
                remedy,
            )
        })?;
        Ok(Self {
            new,
            place,
            secret: secret.clone(),
        })
    }

    /// Where it lies now.
    pub(super) fn path(&self) -> &Path {
        &self.new
    }

    /// Puts it into its place.
    pub(super) fn keep(&self) -> Result<(), Exit> {
        write_private(&self.place, line(&self.secret).as_bytes()).map_err(|error| {
            say(&format!(
                "error: the auditor is registered, and its secret is not in {}",
                self.place.display()
            ));
            unwritten(&error)
        })?;
        say(&format!(
            "The secret is in {}, for its owner only.",
            self.place.display()
        ));
        Ok(())
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        // Somebody may have removed it.
        let _ = std::fs::remove_file(&self.new);
    }
}

/// What stands in the file.
fn line(secret: &SecretString) -> String {
    format!("{}\n", secret.expose_secret())
}

/// The secret that is there, or a new one where there is none or a new one is asked for.
pub(super) fn choose(global: &Global, reference: &SecretRef, rotate: bool) -> Result<Chosen, Exit> {
    let missing = reference.path().filter(|path| {
        rotate
            || std::fs::symlink_metadata(path)
                .is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound)
    });
    let chosen = match missing {
        Some(place) => Chosen {
            secret: new()?,
            place: Some(place.to_owned()),
        },
        None if rotate => {
            return Err(sources::wrong(
                &format!("a new secret cannot be written into {reference}"),
                "put a new one there yourself and run `enroll` without --rotate after `occ app_api:app:unregister`, or \
                 refer to a file",
            ));
        }
        None => Chosen {
            secret: reference.resolve().map_err(|wrong| global.wrong(&wrong.into()))?,
            place: None,
        },
    };
    let plain = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'<' | b'>' | b'&' | b'\'' | b'"');
    let text = chosen.secret.expose_secret();
    if text.len() < SHORTEST || !text.bytes().all(plain) {
        return Err(sources::wrong(
            &format!(
                "the secret in {reference} is no good one: it is worth every account, so it has {SHORTEST} characters at \
                 least, and none of blanks, quotes, `<`, `>` and `&`"
            ),
            "remove it and let `enroll` choose one, or run it with --rotate",
        ));
    }
    Ok(chosen)
}

/// A secret of 256 bits.
fn new() -> Result<SecretString, Exit> {
    let mut bytes = [0_u8; 32];
    getrandom::fill(&mut bytes).map_err(|error| {
        sources::wrong(
            &format!("the system gives no random bytes: {error}"),
            "try again on a machine that is up and running",
        )
    })?;
    let mut secret = String::with_capacity(64);
    for byte in bytes {
        let _ = write!(secret, "{byte:02x}");
    }
    Ok(SecretString::from(secret))
}
