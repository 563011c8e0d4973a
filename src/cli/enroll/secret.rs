//! The secret that the auditor is registered with: the one that is there, or a new one.

use std::fmt::Write as _;
use std::path::Path;

use secrecy::{ExposeSecret as _, SecretString};

use super::super::terminal::say;
use super::super::{Exit, Global, sources};
use crate::config::{SecretRef, write_private};
use crate::provider::nextcloud::enrolment::Registration;

/// The least length of a secret that is worth every account.
const SHORTEST: usize = 20;

/// Whether the secret was there before.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    /// It may be registered already.
    Before,
    /// It was chosen now.
    New,
}

/// The secret that is there, or a new one where there is none or a new one is asked for.
pub(super) fn registration(
    global: &Global,
    app_id: &str,
    reference: &SecretRef,
    rotate: bool,
) -> Result<(Found, Registration), Exit> {
    let missing = reference.path().filter(|path| {
        rotate
            || std::fs::symlink_metadata(path)
                .is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound)
    });
    let (found, secret) = match missing {
        Some(path) => (Found::New, choose_secret(path)?),
        None if rotate => {
            return Err(sources::wrong(
                &format!("a new secret cannot be written into {reference}"),
                "put a new one there yourself and run `enroll` without --rotate after `occ app_api:app:unregister`, or \
                 refer to a file",
            ));
        }
        None => {
            let secret = reference.resolve().map_err(|wrong| global.wrong(&wrong.into()))?;
            (Found::Before, secret)
        }
    };
    let plain = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'<' | b'>' | b'&' | b'\'' | b'"');
    let text = secret.expose_secret();
    if text.len() < SHORTEST || !text.bytes().all(plain) {
        return Err(sources::wrong(
            &format!(
                "the secret in {reference} is no good one: it is worth every account, so it has {SHORTEST} characters at \
                 least, and none of blanks, quotes, `<`, `>` and `&`"
            ),
            "remove it and let `enroll` choose one, or run it with --rotate",
        ));
    }
    let registration = Registration {
        app_id: app_id.to_owned(),
        secret,
    };
    Ok((found, registration))
}

/// Chooses a secret of 256 bits and writes it where the configuration reads it.
fn choose_secret(path: &Path) -> Result<SecretString, Exit> {
    let failed = |error: &dyn std::fmt::Display| {
        sources::wrong(
            &format!("a secret cannot be written to {}: {error}", path.display()),
            "run `enroll` as an account that may write there, or refer to another file",
        )
    };
    let mut bytes = [0_u8; 32];
    getrandom::fill(&mut bytes).map_err(|error| failed(&error))?;
    let mut secret = String::with_capacity(64);
    for byte in bytes {
        let _ = write!(secret, "{byte:02x}");
    }
    write_private(path, format!("{secret}\n").as_bytes()).map_err(|error| failed(&error))?;
    say(&format!(
        "A secret was chosen and written to {}, for its owner only.",
        path.display()
    ));
    Ok(SecretString::from(secret))
}
