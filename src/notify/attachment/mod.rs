//! What is attached: a list that nobody reads without its password, and the passwords.
//!
//! A password never travels by mail. It is derived for each owner from a key that is kept beside the state, so that the
//! same owner has the same one in every night, and nobody has to store any.

mod zip;

use std::io::{self, ErrorKind};
use std::path::Path;

use aws_lc_rs::hmac;
use secrecy::{ExposeSecret as _, SecretSlice, SecretString};

pub use self::zip::{Unencrypted, encrypt};
use crate::files;

/// How long the key is, in bytes.
const KEY: usize = 32;
/// What the key is used for: another use would be another word.
const USE: &[u8] = b"sharewarden/attachment-password/v1\0";
/// The signs of a password: none that could be taken for another.
const SIGNS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
/// How many signs a password has, and how many stand together: 100 bits.
const LENGTH: usize = 20;
const TOGETHER: usize = 5;

/// The passwords of all owners.
#[derive(Debug)]
pub struct Passwords {
    key: SecretSlice<u8>,
}

impl Passwords {
    /// Reads the key that passwords are derived from; it is made where there is none.
    ///
    /// # Errors
    /// What the system says; also where others may read the key, or it is none.
    pub fn open(path: &Path) -> io::Result<Self> {
        let key = match read(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => make(path)?,
            other => other?,
        };
        if key.len() == KEY {
            return Ok(Self { key: key.into() });
        }
        let words = "this is no key of attachments: it was cut or changed; passwords that were told no longer hold if it is removed";
        Err(io::Error::new(ErrorKind::InvalidData, words))
    }

    /// The password of an owner, the same every time.
    #[must_use]
    pub fn of(&self, owner: &str) -> SecretString {
        derive(&self.key, owner)
    }
}

/// Derives the password of an owner.
fn derive(key: &SecretSlice<u8>, owner: &str) -> SecretString {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key.expose_secret());
    let tag = hmac::sign(&key, &[USE, owner.as_bytes()].concat());
    let mut password = String::with_capacity(LENGTH + LENGTH / TOGETHER);
    for (index, byte) in tag.as_ref().iter().take(LENGTH).enumerate() {
        if index > 0 && index % TOGETHER == 0 {
            password.push('-');
        }
        // 32 signs: each as often as any other.
        let sign = SIGNS.get(usize::from(byte % 32)).copied().unwrap_or_default();
        password.push(char::from(sign));
    }
    password.into()
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        if std::fs::metadata(path)?.mode() & 0o077 != 0 {
            let words = "others may read the key of attachments: take that right away (chmod 600)";
            return Err(io::Error::new(ErrorKind::PermissionDenied, words));
        }
    }
    std::fs::read(path)
}

fn make(path: &Path) -> io::Result<Vec<u8>> {
    let mut key = vec![0; KEY];
    getrandom::fill(&mut key).map_err(|error| io::Error::other(error.to_string()))?;
    match files::create_private(path, &key) {
        // Somebody else was quicker.
        Err(error) if error.kind() == ErrorKind::AlreadyExists => read(path),
        Err(error) => Err(error),
        Ok(()) => Ok(key),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn an_owner_has_the_same_password_every_time_and_nobody_elses() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("attachments.key");
        let told = |owner: &str| {
            Passwords::open(&path)
                .unwrap()
                .of(owner)
                .expose_secret()
                .to_owned()
        };
        let anna = told("anna");
        assert_eq!(anna, told("anna"));
        assert_ne!(anna, told("bob"));
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(anna.len(), 23);
        assert!(
            anna.split('-')
                .all(|part| part.len() == 5 && part.bytes().all(|sign| SIGNS.contains(&sign)))
        );
        assert!(!format!("{:?}", Passwords::open(&path).unwrap()).contains("key: ["));
        fs::remove_file(&path).unwrap();
        assert_ne!(anna, told("anna"), "another key");
    }

    #[test]
    fn passwords_are_the_same_in_every_version() {
        let key = vec![7; KEY].into();
        assert_eq!(derive(&key, "anna").expose_secret(), "73em7-kqhfx-g5syx-jz2qr");
    }

    #[test]
    fn a_key_that_others_may_read_or_that_was_cut_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("attachments.key");
        files::create_private(&path, &[1; KEY]).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert_eq!(
            Passwords::open(&path).unwrap_err().kind(),
            ErrorKind::PermissionDenied
        );
        files::write_private(&path, &[1; 5]).unwrap();
        assert_eq!(Passwords::open(&path).unwrap_err().kind(), ErrorKind::InvalidData);
    }
}
