//! What is attached: a list that nobody reads without its password, and the passwords.
//!
//! A password never travels by mail. It belongs to the address that a letter is for. It is derived from a key that is kept
//! beside the state, so that the same address has the same one in every night, and nobody has to store any; or an operator
//! sets one that was agreed, which is kept in a file beside the key. That file is there as soon as a key was made.

mod zip;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, ErrorKind, Read as _};
use std::path::{Path, PathBuf};

use aws_lc_rs::hmac;
use secrecy::{ExposeSecret as _, SecretSlice, SecretString};
use serde::{Deserialize, Serialize};

pub use self::zip::{Unencrypted, encrypt};
use super::{Attached, Letter};
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
/// The shortest and the longest password that is taken.
const SHORTEST: usize = 12;
const LONGEST: usize = 99;
/// What the file of agreed passwords says it is.
const SCHEMA: &str = "sharewarden.attachment-passwords/v1";
/// Neither file is longer, in bytes.
const LARGEST: u64 = 16 * 1024 * 1024;

/// The passwords of all addresses.
#[derive(Debug)]
pub struct Passwords {
    key: SecretSlice<u8>,
    is_new: bool,
    /// Where those are kept that were agreed.
    place: PathBuf,
    agreed: BTreeMap<String, SecretString>,
}

/// The passwords that were agreed, as they are kept: by address.
#[derive(Default, Deserialize, Serialize)]
struct Written {
    schema: String,
    passwords: BTreeMap<String, String>,
}

impl Passwords {
    /// Reads the key that passwords are derived from, which is made where there is none, and those that were agreed.
    ///
    /// # Errors
    /// As of [`Passwords::find`], and what the system says of a key that cannot be made.
    pub fn open(path: &Path) -> io::Result<Self> {
        if let Some(passwords) = Self::find(path)? {
            return Ok(passwords);
        }
        let key = make(path).map_err(|error| at(path, &error))?;
        let passwords = Self::new(path, key, true, BTreeMap::new())?;
        // It outlasts a key that is lost, so that no other one is made in silence.
        match files::create_private(&passwords.place, &passwords.written()?) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(at(&passwords.place, &error)),
            _ => Ok(passwords),
        }
    }

    /// The same, where there is a key; nothing is made.
    ///
    /// # Errors
    /// What the system says, with the file; also where others may read it, it is not what it should be, or the key is gone and
    /// the file beside it is still there.
    pub fn find(path: &Path) -> io::Result<Option<Self>> {
        let place = path.with_extension("json");
        let agreed = match read(&place) {
            Ok(bytes) => match serde_json::from_slice::<Written>(&bytes) {
                Ok(written) if written.schema == SCHEMA => Some(written.passwords),
                // What it holds is never shown.
                _ => return Err(at(&place, &wrong("this is no file of agreed passwords"))),
            },
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(at(&place, &error)),
        };
        match (read(path), agreed) {
            (Ok(key), agreed) => Self::new(path, key, false, agreed.unwrap_or_default()).map(Some),
            (Err(error), None) if error.kind() == ErrorKind::NotFound => Ok(None),
            (Err(error), Some(_)) if error.kind() == ErrorKind::NotFound => {
                let words = format!(
                    "the key that passwords are derived from is gone: bring it back from a backup; or remove {}, too, and all have \
                     other passwords than they were told",
                    place.display()
                );
                Err(at(path, &io::Error::new(ErrorKind::NotFound, words)))
            }
            (Err(error), _) => Err(at(path, &error)),
        }
    }

    /// Passwords of a key that nobody has, and that is kept nowhere.
    ///
    /// # Errors
    /// What the system says where it has no randomness.
    pub fn made_up(path: &Path) -> io::Result<Self> {
        Self::new(path, random()?, false, BTreeMap::new())
    }

    fn new(path: &Path, key: Vec<u8>, is_new: bool, agreed: BTreeMap<String, String>) -> io::Result<Self> {
        if key.len() != KEY {
            let words = "this is no key that passwords are derived from: it was cut or changed; bring it back from a backup; if it \
                 is removed, another one is made, and all have other passwords than they were told";
            return Err(at(path, &wrong(words)));
        }
        let agreed = agreed
            .into_iter()
            .map(|(address, password)| (address, password.into()));
        Ok(Self {
            key: key.into(),
            is_new,
            place: path.with_extension("json"),
            agreed: agreed.collect(),
        })
    }

    /// Whether there was no key until now.
    #[must_use]
    pub fn is_new(&self) -> bool {
        self.is_new
    }

    /// The password of an address, the same every time.
    #[must_use]
    pub fn of(&self, address: &str) -> SecretString {
        let address = address.to_lowercase();
        let agreed = self.agreed.get(&address).cloned();
        agreed.unwrap_or_else(|| derive(&self.key, &address))
    }

    /// Whether the password of an address was agreed.
    #[must_use]
    pub fn is_agreed(&self, address: &str) -> bool {
        self.agreed.contains_key(&address.to_lowercase())
    }

    /// Keeps the password that was agreed for an address; without one, it is derived again.
    ///
    /// # Errors
    /// What the system says.
    pub fn agree(&mut self, address: &str, password: Option<SecretString>) -> io::Result<()> {
        let address = address.to_lowercase();
        match password {
            Some(password) => self.agreed.insert(address, password),
            None => self.agreed.remove(&address),
        };
        files::write_private(&self.place, &self.written()?)
    }

    /// The passwords that were agreed, as they are kept.
    fn written(&self) -> io::Result<Vec<u8>> {
        let shown = |(address, password): (&String, &SecretString)| {
            (address.clone(), password.expose_secret().to_owned())
        };
        let written = Written {
            schema: SCHEMA.to_owned(),
            passwords: self.agreed.iter().map(shown).collect(),
        };
        Ok(serde_json::to_vec(&written)?)
    }

    /// What is attached to a letter: its list, for nobody but its reader.
    ///
    /// # Errors
    /// [`Unencrypted`]; nothing is ever attached in the clear instead.
    pub fn attached(&self, letter: &Letter) -> Result<Option<Attached>, Unencrypted> {
        let Some((list, csv)) = letter
            .list
            .as_ref()
            .and_then(|list| Some((list, list.csv.as_ref().ok()?)))
        else {
            return Ok(None);
        };
        let name = format!("{}.csv", list.name);
        Ok(Some(Attached {
            name: format!("{}.zip", list.name),
            content_type: "application/zip",
            bytes: encrypt(&name, letter.at, csv, &self.of(&list.reader))?,
        }))
    }
}

/// Says why a password cannot be agreed: it is guessed too easily, or zip programs do not agree on its signs.
///
/// # Errors
/// Why not, in words.
pub fn check(password: &SecretString) -> Result<(), &'static str> {
    let text = password.expose_secret();
    if text.chars().any(|sign| !matches!(sign, ' '..='~')) {
        return Err(
            "it has signs that zip programs write in different ways: take letters without accents, digits, and what stands \
             beside them",
        );
    }
    if text.trim() != text {
        return Err("it begins or ends with a space, which nobody sees");
    }
    if !(SHORTEST..=LONGEST).contains(&text.len()) {
        return Err(
            "it has to have 12 to 99 signs: whoever has the file can try passwords as often as they like",
        );
    }
    Ok(())
}

/// Derives the password of an address.
fn derive(key: &SecretSlice<u8>, address: &str) -> SecretString {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key.expose_secret());
    let tag = hmac::sign(&key, &[USE, address.as_bytes()].concat());
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

fn at(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

fn wrong(words: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, words)
}

/// What a file holds that nobody else may read.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    let file = File::open(path)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        if file.metadata()?.mode() & 0o077 != 0 {
            let words = "others may read it: take that right away (chmod 600)";
            return Err(io::Error::new(ErrorKind::PermissionDenied, words));
        }
    }
    let mut bytes = Vec::new();
    file.take(LARGEST).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn random() -> io::Result<Vec<u8>> {
    let mut key = vec![0; KEY];
    getrandom::fill(&mut key).map_err(|error| io::Error::other(error.to_string()))?;
    Ok(key)
}

fn make(path: &Path) -> io::Result<Vec<u8>> {
    let key = random()?;
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
        let gone = Passwords::open(&path).unwrap_err();
        assert!(gone.to_string().contains("is gone") && !path.exists(), "{gone}");
        fs::remove_file(path.with_extension("json")).unwrap();
        assert_ne!(anna, told("anna"), "another key");
    }

    #[test]
    fn what_was_agreed_goes_before_what_is_derived_until_it_is_taken_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("attachments.key");
        assert!(Passwords::find(&path).unwrap().is_none() && !path.exists());
        let mut passwords = Passwords::open(&path).unwrap();
        assert!(passwords.is_new() && !Passwords::open(&path).unwrap().is_new());
        let derived = passwords.of("anna@example.org");
        passwords
            .agree("Anna@example.org", Some("agreed on the phone".into()))
            .unwrap();
        let again = Passwords::find(&path).unwrap().unwrap();
        assert!(again.is_agreed("anna@EXAMPLE.org") && !again.is_agreed("bob@example.org"));
        assert_eq!(
            again.of("anna@example.org").expose_secret(),
            "agreed on the phone"
        );
        assert!(!format!("{again:?}").contains("phone"));
        let kept = folder.path().join("attachments.json");
        assert_eq!(fs::metadata(&kept).unwrap().permissions().mode() & 0o777, 0o600);
        passwords.agree("anna@example.org", None).unwrap();
        let again = Passwords::open(&path).unwrap();
        assert_eq!(
            again.of("anna@example.org").expose_secret(),
            derived.expose_secret()
        );
        files::write_private(&kept, b"{\"schema\":\"another\",\"passwords\":{}}").unwrap();
        assert_eq!(Passwords::open(&path).unwrap_err().kind(), ErrorKind::InvalidData);
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
