//! Digests that tell one id from another, by a secret of the drive's own: the same in every night and every build, and
//! not to be foreseen by whoever chooses ids and names.

use std::fmt;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};

use serde::{Deserialize, Serialize};
use siphasher::sip::SipHasher13;

/// What digests of one drive are made with.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub(super) struct Key(u64, u64);

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key")
    }
}

impl Key {
    /// A key that nobody knows.
    pub(super) fn random() -> Self {
        let random = RandomState::new();
        Self(random.hash_one(0), random.hash_one(1))
    }

    /// A key that a test knows.
    #[cfg(any(test, fuzzing))]
    pub(super) const KNOWN: Self = Self(1, 2);

    /// The digest of a text.
    pub(super) fn of(self, text: &str) -> u64 {
        self.of_all([text])
    }

    /// The digest of several texts, in which each counts where it begins and ends.
    pub(super) fn of_all<'a>(self, texts: impl IntoIterator<Item = &'a str>) -> u64 {
        let mut hasher = SipHasher13::new_with_keys(self.0, self.1);
        for text in texts {
            hasher.write(text.as_bytes());
            // No text holds this byte.
            hasher.write(&[0xff]);
        }
        hasher.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_last_and_depend_on_the_key_and_on_where_texts_end() {
        // What was written in one night is compared in another: these must never change.
        assert_eq!(Key::KNOWN.of("item"), 6_017_524_549_579_670_271);
        let key = Key::random();
        assert_eq!(key.of("a"), key.of_all(["a"]));
        assert_ne!(key.of_all(["ab", "c"]), key.of_all(["a", "bc"]));
        assert_ne!(key.of("a"), Key::random().of("a"));
        assert_eq!(format!("{key:?}"), "Key");
    }
}
