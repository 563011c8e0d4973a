//! A file in a zip archive, encrypted with AES-256, as ordinary tools open it.
//!
//! The archive is as PKWARE's APPNOTE has it; its encryption is AE-2 of
//! <https://www.winzip.com/en/support/aes-encryption/>. The file is stored as it is, and its name can be read without the
//! password.

use std::num::NonZeroU32;

use aws_lc_rs::cipher::{AES_256, EncryptingKey, UnboundCipherKey};
use aws_lc_rs::{hmac, pbkdf2};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use secrecy::{ExposeSecret as _, SecretString};

/// How many times the password is gone over; the format fixes it.
const ITERATIONS: NonZeroU32 = NonZeroU32::new(1000).unwrap();
const SALT: usize = 16;
const KEY: usize = 32;
const VERIFIER: usize = 2;
const TAG: usize = 10;
const BLOCK: usize = 16;

/// Encrypted, its name in UTF-8.
const FLAGS: u16 = 1 | 1 << 11;
/// The method of what is encrypted with AES.
const AES: u16 = 99;
/// The version that is needed to open it, 5.1.
const NEEDED: u16 = 51;

/// A list could not be encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unencrypted {
    /// The system has no random numbers.
    #[error("the system gives no random numbers to encrypt with")]
    NoRandomness,
    /// It is larger than such an archive can be.
    #[error("the list is too large for an archive")]
    TooLarge,
    /// The library refuses.
    #[error("the list could not be encrypted")]
    Refused,
}

/// An archive with one file in it.
///
/// # Errors
/// [`Unencrypted`]; nothing is ever left in the clear instead.
pub fn encrypt(
    name: &str,
    at: Timestamp,
    bytes: &[u8],
    password: &SecretString,
) -> Result<Vec<u8>, Unencrypted> {
    let mut salt = [0; SALT];
    getrandom::fill(&mut salt).map_err(|_none| Unencrypted::NoRandomness)?;
    let sealed = seal(bytes, password, &salt)?;
    let length = |bytes: usize| u32::try_from(bytes).map_err(|_| Unencrypted::TooLarge);
    let name_length = u16::try_from(name.len()).map_err(|_| Unencrypted::TooLarge)?;
    let (sealed_length, plain_length) = (length(sealed.len())?, length(bytes.len())?);
    // What both headers say, one after the other: version, flags, method, time, day, no checksum, sizes, lengths.
    let mut common = Vec::new();
    for number in [NEEDED, FLAGS, AES] {
        common.extend(number.to_le_bytes());
    }
    let (time, day) = dos(at);
    common.extend(time.to_le_bytes());
    common.extend(day.to_le_bytes());
    for number in [0, sealed_length, plain_length] {
        common.extend(number.to_le_bytes());
    }
    common.extend(name_length.to_le_bytes());
    // Of AES: its length, AE-2, its vendor, 256 bits, and that it is stored as it is.
    let extra = *b"\x01\x99\x07\x00\x02\x00AE\x03\x00\x00";
    common.extend([11, 0]);

    let mut archive = b"PK\x03\x04".to_vec();
    archive.extend(&common);
    archive.extend(name.as_bytes());
    archive.extend(extra);
    archive.extend(sealed);
    let directory = length(archive.len())?;
    archive.extend(b"PK\x01\x02");
    archive.extend(NEEDED.to_le_bytes());
    archive.extend(&common);
    // No comment, on the first disk, no attributes, at the beginning.
    archive.extend([0; 14]);
    archive.extend(name.as_bytes());
    archive.extend(extra);
    let directory_length = length(archive.len())?.saturating_sub(directory);
    archive.extend(b"PK\x05\x06\0\0\0\0\x01\0\x01\0");
    archive.extend(directory_length.to_le_bytes());
    archive.extend(directory.to_le_bytes());
    archive.extend([0; 2]);
    Ok(archive)
}

/// The salt, what tells a wrong password, the encrypted bytes, and what tells that they were changed.
fn seal(bytes: &[u8], password: &SecretString, salt: &[u8; SALT]) -> Result<Vec<u8>, Unencrypted> {
    let mut derived = [0; 2 * KEY + VERIFIER];
    let secret = password.expose_secret().as_bytes();
    pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA1, ITERATIONS, salt, secret, &mut derived);
    let (key, rest) = derived.split_at(KEY);
    let (authenticator, verifier) = rest.split_at(KEY);
    let mut encrypted = bytes.to_vec();
    apply(key, &mut encrypted)?;
    let authenticator = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, authenticator);
    let tag = hmac::sign(&authenticator, &encrypted);
    let tag = tag.as_ref().get(..TAG).ok_or(Unencrypted::Refused)?;
    Ok([salt, verifier, &encrypted, tag].concat())
}

/// Counter mode with the counter that the format wants: from 1, its lowest byte first.
fn apply(key: &[u8], bytes: &mut [u8]) -> Result<(), Unencrypted> {
    let refused = |_| Unencrypted::Refused;
    let key = UnboundCipherKey::new(&AES_256, key).map_err(refused)?;
    let key = EncryptingKey::ecb(key).map_err(refused)?;
    for (number, chunk) in (1_u128..).zip(bytes.chunks_mut(BLOCK)) {
        let mut pad = number.to_le_bytes();
        key.encrypt(&mut pad).map_err(refused)?;
        for (byte, pad) in chunk.iter_mut().zip(pad) {
            *byte ^= pad;
        }
    }
    Ok(())
}

/// Time and day as archives have them, from 1980 on.
fn dos(at: Timestamp) -> (u16, u16) {
    let at = at.to_zoned(TimeZone::UTC);
    let part = |number: i8| u16::from(number.unsigned_abs());
    let year = u16::try_from(at.year().saturating_sub(1980).clamp(0, 127)).unwrap_or(0);
    (
        part(at.hour()) << 11 | part(at.minute()) << 5 | part(at.second()) / 2,
        year << 9 | part(at.month()) << 5 | part(at.day()),
    )
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::process::Command;

    use super::*;

    /// What 7-Zip makes of an archive; none where it is not installed.
    fn opened(archive: &Path, password: &str) -> Option<(bool, Vec<u8>)> {
        let ran = ["7zz", "7z", "7za"].iter().find_map(|tool| {
            let mut command = Command::new(tool);
            command
                .args(["x", "-so", "-bd", &format!("-p{password}")])
                .arg(archive);
            command.output().ok()
        })?;
        Some((ran.status.success(), ran.stdout))
    }

    #[test]
    fn an_ordinary_tool_opens_it_with_the_password_and_not_without() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("list.zip");
        let at = "2026-11-26T02:03:04Z".parse().unwrap();
        let password = "correct-horse";
        for bytes in [
            Vec::new(),
            b"a,b\r\n".to_vec(),
            vec![b'x'; 16],
            "é,ü\n".repeat(40_000).into_bytes(),
        ] {
            let archive = encrypt("Übersicht.csv", at, &bytes, &password.into()).unwrap();
            std::fs::write(&path, &archive).unwrap();
            let Some(with) = opened(&path, password) else {
                println!("SKIPPED: 7-Zip is not installed, so that no archive was opened with it");
                return;
            };
            assert_eq!(with, (true, bytes.clone()));
            let (is_open, got) = opened(&path, "wrong").unwrap();
            assert!(!is_open && got.is_empty());
            if bytes.is_empty() {
                continue;
            }
            // What was changed on the way is not taken for what was sent.
            let mut changed = archive;
            changed[30 + "Übersicht.csv".len() + 11 + SALT + VERIFIER] ^= 1;
            std::fs::write(&path, &changed).unwrap();
            assert!(!opened(&path, password).unwrap().0);
        }
    }

    #[test]
    fn nothing_is_readable_in_it_and_it_is_never_the_same() {
        let archive = || encrypt("list.csv", Timestamp::UNIX_EPOCH, &[b'y'; 400], &"p".into()).unwrap();
        assert!(!archive().windows(4).any(|some| some == b"yyyy"));
        assert_ne!(archive(), archive());
    }
}
