//! Ids that look as Microsoft's do and are always the same for the same world.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

const LETTERS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// A number that looks random and follows from another.
pub(super) fn mix(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// A number that follows from a text.
pub(super) fn hash(text: &str) -> u64 {
    let fnv = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    mix(fnv)
}

/// A GUID that follows from a text.
pub(super) fn guid(seed: &str) -> String {
    let high = hash(seed);
    guid_of(high, mix(high))
}

/// A GUID of two numbers.
pub(super) fn guid_of(high: u64, low: u64) -> String {
    format!(
        "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
        high >> 32,
        (high >> 16) & 0xffff,
        high & 0xfff,
        0x8000 | ((low >> 48) & 0x3fff),
        low & 0xffff_ffff_ffff
    )
}

/// `b!` and 64 letters.
pub(super) fn drive_id(seed: u64) -> String {
    let mut bytes = Vec::with_capacity(48);
    let mut state = seed;
    while bytes.len() < 48 {
        state = mix(state);
        bytes.extend(state.to_be_bytes());
    }
    format!("b!{}", URL_SAFE_NO_PAD.encode(bytes))
}

/// `01` and 32 letters, from which the item's number can be read again.
pub(super) fn item_id(drive: u64, number: u64) -> String {
    let mut bytes = [0; 20];
    bytes[..8].copy_from_slice(&drive.to_be_bytes());
    bytes[8..16].copy_from_slice(&(number ^ mix(drive)).to_be_bytes());
    bytes[16..].copy_from_slice(&check(drive, number));
    let mut id = String::with_capacity(34);
    id.push_str("01");
    for five in bytes.chunks(5) {
        let word = five.iter().fold(0_u64, |word, byte| word << 8 | u64::from(*byte));
        for at in (0..8).rev() {
            let letter = usize::try_from((word >> (5 * at)) & 31).unwrap_or(0);
            id.push(char::from(LETTERS[letter]));
        }
    }
    id
}

/// The number in an item's id, if it is one of this drive's.
pub(super) fn item_number(drive: u64, id: &str) -> Option<u64> {
    let letters = id.strip_prefix("01").filter(|rest| rest.len() == 32)?;
    let mut bytes = Vec::with_capacity(20);
    for eight in letters.as_bytes().chunks(8) {
        let mut word = 0_u64;
        for letter in eight {
            let value = LETTERS.iter().position(|known| known == letter)?;
            word = word << 5 | u64::try_from(value).ok()?;
        }
        bytes.extend(word.to_be_bytes().iter().skip(3));
    }
    let eight = |at: usize| bytes.get(at..at + 8)?.try_into().ok().map(u64::from_be_bytes);
    let number = eight(8)? ^ mix(drive);
    (eight(0)? == drive && bytes.get(16..)? == check(drive, number)).then_some(number)
}

fn check(drive: u64, number: u64) -> [u8; 4] {
    let mixed = mix(drive ^ mix(number));
    let [a, b, c, d, ..] = mixed.to_be_bytes();
    [a, b, c, d]
}

/// A permission's id: the claim, base64url.
pub(super) fn claim_id(claim: &str) -> String {
    URL_SAFE_NO_PAD.encode(claim)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_items_id_tells_its_number_to_its_drive_only() {
        for number in [0, 1, 77, 1_000_000, u64::MAX] {
            let id = item_id(hash("drive"), number);
            assert_eq!(id.len(), 34);
            assert_eq!(item_number(hash("drive"), &id), Some(number));
            assert_eq!(item_number(hash("other"), &id), None);
        }
        assert_eq!(item_number(1, "01"), None);
        assert_eq!(drive_id(1).len(), 66);
    }

    #[test]
    fn a_claims_id_is_as_recorded() {
        let id = claim_id("i:0#.f|membership|annal@bertonline.onmicrosoft.com");
        assert!(id.starts_with("aTowIy5mfG1lbWJlcnNoaXB8YW5uYWxA"));
        assert_eq!(claim_id("c:0(.s|true"), "YzowKC5zfHRydWU");
    }
}
