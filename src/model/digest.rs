//! Short digests that tell one thing from another.

use sha2::{Digest, Sha256};

const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// Sixteen hexadecimal digits of the SHA-256 over the parts, each with its length before it, so that
/// moving a boundary between parts changes the digest.
#[must_use]
pub fn short_digest<P: AsRef<[u8]>>(parts: impl IntoIterator<Item = P>) -> String {
    let mut digest = Sha256::new();
    for part in parts {
        let part = part.as_ref();
        digest.update((part.len() as u64).to_be_bytes());
        digest.update(part);
    }
    hex(digest.finalize().iter().take(8))
}

/// The 64 hexadecimal digits of the SHA-256 over a text.
#[must_use]
pub fn long_digest(text: &str) -> String {
    hex(Sha256::digest(text).iter())
}

fn hex<'a>(bytes: impl Iterator<Item = &'a u8>) -> String {
    bytes
        .flat_map(|byte| [byte >> 4, byte & 15])
        .map(|nibble| char::from(DIGITS[usize::from(nibble)]))
        .collect()
}
