//! The private key and the certificate in a PEM file, and what of them matters here.
//!
//! Only what is needed of DER is read: where the key is in its envelope, whether a certificate is the key's, and when
//! it ends. Nothing that is said of the file quotes it.

use jiff::Timestamp;
use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;

use super::SignInError;

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
const OCTETS: u8 = 0x04;
const OID: u8 = 0x06;
const VERSION: u8 = 0xa0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
/// `1.2.840.113549.1.1`, which every kind of RSA key begins with.
const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01];

/// A private key and the certificate that belongs to it.
pub(super) struct Pair {
    /// The key, in the form of PKCS#1.
    pub(super) key: Vec<u8>,
    /// The certificate.
    pub(super) certificate: Vec<u8>,
}

/// Finds the key and its certificate, in whatever order they stand.
pub(super) fn pair(text: &str, now: Timestamp) -> Result<Pair, SignInError> {
    // What the parser says could quote the file.
    let blocks = pem::parse_many(text).map_err(|_quotes| SignInError::Pem("it is damaged"))?;
    let mut key = None;
    let mut certificates = Vec::new();
    for block in blocks {
        match block.tag() {
            "CERTIFICATE" => certificates.push(block.into_contents()),
            "ENCRYPTED PRIVATE KEY" => return Err(SignInError::EncryptedKey),
            "RSA PRIVATE KEY" if block.headers().get("Proc-Type").is_some() => {
                return Err(SignInError::EncryptedKey);
            }
            "EC PRIVATE KEY" => return Err(SignInError::NoRsaKey),
            "RSA PRIVATE KEY" if key.is_none() => key = Some(block.into_contents()),
            "PRIVATE KEY" if key.is_none() => key = Some(unwrap(block.contents())?),
            _ => {}
        }
    }
    let Some(key) = key else {
        return Err(SignInError::Pem("it holds no private key"));
    };
    if certificates.is_empty() {
        return Err(SignInError::Pem("it holds no certificate"));
    }
    let numbers = public_numbers(&key).ok_or(SignInError::Pem("its private key is damaged"))?;
    let fitting: Vec<_> = certificates
        .into_iter()
        .filter(|certificate| holds(certificate, numbers))
        .collect();
    // A certificate that was renewed for the same key may stand behind the old one.
    let ended = |certificate: &Vec<u8>| end(certificate).filter(|end| *end <= now);
    let current = fitting.iter().find(|it| ended(it).is_none());
    let certificate = match (current, fitting.first()) {
        (Some(current), _) => current.clone(),
        (None, Some(first)) => {
            return Err(SignInError::Expired(ended(first).unwrap_or(now)));
        }
        (None, None) => {
            return Err(SignInError::Pem(
                "none of its certificates belongs to its private key",
            ));
        }
    };
    Ok(Pair { key, certificate })
}

/// Takes a key out of PKCS#8's envelope.
fn unwrap(envelope: &[u8]) -> Result<Vec<u8>, SignInError> {
    let damaged = SignInError::Pem("its private key is damaged");
    let read = || {
        let (inside, _) = expect(envelope, SEQUENCE)?;
        let (_version, rest) = expect(inside, INTEGER)?;
        let (algorithm, rest) = expect(rest, SEQUENCE)?;
        let (kind, _) = expect(algorithm, OID)?;
        let (key, _) = expect(rest, OCTETS)?;
        Some((kind, key))
    };
    let (kind, key) = read().ok_or(damaged)?;
    if kind.starts_with(RSA) {
        Ok(key.to_vec())
    } else {
        Err(SignInError::NoRsaKey)
    }
}

/// The two numbers of the public key, as they stand one behind the other in private key and certificate.
fn public_numbers(key: &[u8]) -> Option<&[u8]> {
    let (inside, _) = expect(key, SEQUENCE)?;
    let (_version, numbers) = expect(inside, INTEGER)?;
    let (_modulus, rest) = expect(numbers, INTEGER)?;
    let (_exponent, rest) = expect(rest, INTEGER)?;
    numbers.get(..numbers.len().checked_sub(rest.len())?)
}

fn holds(certificate: &[u8], numbers: &[u8]) -> bool {
    certificate.windows(numbers.len()).any(|window| window == numbers)
}

/// When a certificate ends.
fn end(certificate: &[u8]) -> Option<Timestamp> {
    let (inside, _) = expect(certificate, SEQUENCE)?;
    let (body, _) = expect(inside, SEQUENCE)?;
    let body = expect(body, VERSION).map_or(body, |(_, rest)| rest);
    let (_serial, rest) = expect(body, INTEGER)?;
    let (_signature, rest) = expect(rest, SEQUENCE)?;
    let (_issuer, rest) = expect(rest, SEQUENCE)?;
    let (validity, _) = expect(rest, SEQUENCE)?;
    let (_tag, _begin, rest) = next(validity)?;
    let (tag, end, _) = next(rest)?;
    time(tag, std::str::from_utf8(end).ok()?)
}

/// A time of a certificate: `YYMMDDHHMMSSZ`, or with four digits of the year.
fn time(tag: u8, text: &str) -> Option<Timestamp> {
    let digits = text.strip_suffix('Z')?;
    let number = |range: std::ops::Range<usize>| digits.get(range)?.parse::<i8>().ok();
    let (year, rest) = match tag {
        UTC_TIME => {
            let year = i16::from(number(0..2)?);
            (if year < 50 { 2000 + year } else { 1900 + year }, 2)
        }
        GENERALIZED_TIME => (digits.get(0..4)?.parse().ok()?, 4),
        _ => return None,
    };
    let at = |place: usize| number(rest + 2 * place..rest + 2 * place + 2);
    let date = Date::new(year, at(0)?, at(1)?).ok()?;
    let time = Time::new(at(2)?, at(3)?, at(4)?, 0).ok()?;
    let zoned = date.to_datetime(time).to_zoned(TimeZone::UTC).ok()?;
    Some(zoned.timestamp())
}

/// The content of the next element, if it is of this kind, and what follows it.
fn expect(der: &[u8], kind: u8) -> Option<(&[u8], &[u8])> {
    let (tag, content, rest) = next(der)?;
    (tag == kind).then_some((content, rest))
}

/// The next element: its tag, its content, and what follows it.
fn next(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = der.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = if first < 0x80 {
        (usize::from(first), rest)
    } else {
        let count = usize::from(first & 0x7f);
        if count == 0 || count > 4 {
            return None;
        }
        let (bytes, rest) = rest.split_at_checked(count)?;
        let length = bytes
            .iter()
            .fold(0_usize, |length, byte| (length << 8) | usize::from(*byte));
        (length, rest)
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}
