//! Accounts, and the hidden forms of passwords.
//!
//! Nothing here is secure: passwords are compared as they stand in the world file, and hashes only look like hashes.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use sha2::{Digest as _, Sha256};

/// An account.
#[derive(Debug, Clone)]
pub(crate) struct Account {
    pub(crate) id: Arc<str>,
    pub(crate) name: String,
    pub(crate) email: Option<String>,
    pub(crate) enabled: bool,
    pub(crate) groups: Vec<String>,
    pub(crate) subadmin: Vec<String>,
    pub(crate) manager: Option<String>,
    /// Seconds; 0 = never.
    pub(crate) first_login: i64,
    pub(crate) last_login: i64,
    pub(crate) language: String,
    pub(crate) timezone: String,
    pub(crate) backend: String,
    pub(crate) password: Option<String>,
    pub(crate) app_passwords: Vec<String>,
    pub(crate) quota: Option<u64>,
    pub(crate) details: bool,
}

impl Account {
    /// Tells whether a login with this secret, password or app password, is right.
    pub(crate) fn proves(&self, secret: &str) -> bool {
        self.password.as_deref() == Some(secret) || self.app_passwords.iter().any(|known| known == secret)
    }
}

/// A share password in the form in which the API shows it.
pub(crate) fn password_hash(password: &str, salt: u64) -> String {
    let salted = Sha256::digest(format!("salt {salt}"));
    let hashed = Sha256::digest(format!("{salt} {password}"));
    let salted = STANDARD_NO_PAD.encode(salted.get(..16).unwrap_or_default());
    format!(
        "3|$argon2id$v=19$m=65536,t=4,p=1${salted}${}",
        STANDARD_NO_PAD.encode(hashed)
    )
}

/// A token of letters and digits that depends only on `seed`.
pub(crate) fn token(seed: &str, length: usize) -> String {
    const LETTERS: &[u8; 52] = b"abcdefgijkmnopqrstwxyzABCDEFGHJKLMNPQRSTWXYZ23456789";
    // FNV-1a, then a multiplicative step a letter: nothing here has to be hard to guess.
    let mut state = seed.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |state, byte| {
        (state ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let mut text = String::with_capacity(length);
    for _ in 0..length {
        state = (state ^ (state >> 29))
            .wrapping_mul(0xbf58_476d_1ce4_e5b9)
            .wrapping_add(0x9e37_79b9_7f4a_7c15);
        let letter = usize::try_from((state >> 33) % 52).unwrap_or(0);
        text.push(char::from(LETTERS.get(letter).copied().unwrap_or(b'a')));
    }
    text
}
