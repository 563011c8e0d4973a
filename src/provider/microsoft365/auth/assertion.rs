//! The proof that the application holds its certificate: a signed assertion, made anew for each request.
//!
//! <https://learn.microsoft.com/entra/identity-platform/certificate-credentials>

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::{SignInError, keys};

/// How long an assertion holds, in seconds.
const HOLDS: i64 = 600;

/// A certificate and its private key.
pub(super) struct Certificate {
    key: EncodingKey,
    header: Header,
}

#[derive(Serialize)]
struct Claims<'a> {
    aud: &'a str,
    iss: &'a str,
    sub: &'a str,
    jti: String,
    nbf: i64,
    iat: i64,
    exp: i64,
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate").finish_non_exhaustive()
    }
}

impl Certificate {
    /// Reads the private key and its certificate.
    ///
    /// # Errors
    /// The text holds no such pair, or none that can be used now.
    pub(super) fn read(pem: &str, now: Timestamp) -> Result<Self, SignInError> {
        let pair = keys::pair(pem, now)?;
        let header = Header {
            x5t_s256: Some(URL_SAFE_NO_PAD.encode(Sha256::digest(&pair.certificate))),
            ..Header::new(Algorithm::PS256)
        };
        let it = Self {
            key: EncodingKey::from_rsa_der(&pair.key),
            header,
        };
        // Whether the key is good is known once it has signed something.
        it.sign("", "", now)?;
        Ok(it)
    }

    /// An assertion by an application for a token endpoint.
    pub(super) fn sign(&self, client: &str, audience: &str, now: Timestamp) -> Result<String, SignInError> {
        let claims = Claims {
            aud: audience,
            iss: client,
            sub: client,
            jti: unique()?,
            nbf: now.as_second(),
            iat: now.as_second(),
            exp: now.as_second().saturating_add(HOLDS),
        };
        // What the library says of a key is of no use to a person.
        jsonwebtoken::encode(&self.header, &claims, &self.key).map_err(|_of_key| SignInError::UnusableKey)
    }
}

/// A random UUID.
fn unique() -> Result<String, SignInError> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|_none| SignInError::NoRandomness)?;
    let number = u128::from_be_bytes(bytes);
    // Version 4, variant 1.
    let number = number & !(0xf << 76) | 0x4 << 76;
    let number = number & !(0x3 << 62) | 0x2 << 62;
    let hex = format!("{number:032x}");
    let part = |range: std::ops::Range<usize>| hex.get(range).unwrap_or_default().to_owned();
    Ok([part(0..8), part(8..12), part(12..16), part(16..20), part(20..32)].join("-"))
}
