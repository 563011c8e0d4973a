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

/// Bytes as hexadecimal digits, two a byte.
#[must_use]
pub fn hex<'a>(bytes: impl IntoIterator<Item = &'a u8>) -> String {
    bytes
        .into_iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .map(|nibble| char::from(DIGITS[usize::from(nibble)]))
        .collect()
}
