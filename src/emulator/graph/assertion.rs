//! Client assertions: tokens that the application signs with the key of its certificate.

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest};
use aws_lc_rs::signature::{
    RSA_PKCS1_2048_8192_SHA256, RSA_PSS_2048_8192_SHA256, UnparsedPublicKey, VerificationAlgorithm,
};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jiff::Timestamp;
use serde_json::Value;

use super::Graph;
use super::entra::Failure;

/// So many seconds may clocks differ.
const SKEW: i64 = 300;

/// Checks an assertion against the certificates of the application.
pub(super) fn check(graph: &Graph, tenant: &str, assertion: &str, now: Timestamp) -> Result<(), Failure> {
    let mut parts = assertion.split('.');
    let (Some(header), Some(claims), Some(signature), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(malformed());
    };
    let signed = assertion
        .get(..header.len() + 1 + claims.len())
        .unwrap_or_default();
    let header = decoded(header)?;
    let claims = decoded(claims)?;
    let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| malformed())?;
    let certificate = certificate(graph, &header)?;
    let algorithm: &'static dyn VerificationAlgorithm = match header["alg"].as_str() {
        Some("PS256") => &RSA_PSS_2048_8192_SHA256,
        Some("RS256") => &RSA_PKCS1_2048_8192_SHA256,
        _ => {
            return Err(invalid(
                "The signing algorithm of the assertion is not supported.",
            ));
        }
    };
    let key = public_key(&certificate).ok_or_else(|| invalid("The key was not found."))?;
    UnparsedPublicKey::new(algorithm, key)
        .verify(signed.as_bytes(), &signature)
        .map_err(|_| invalid("The signature is not valid."))?;
    check_claims(graph, tenant, &claims, now)
}

fn decoded(part: &str) -> Result<Value, Failure> {
    let bytes = URL_SAFE_NO_PAD.decode(part).map_err(|_| malformed())?;
    serde_json::from_slice(&bytes).map_err(|_| malformed())
}

fn malformed() -> Failure {
    let text = "Client assertion is not in a valid format: it is not a well-formed JWT.";
    Failure::new(400, "invalid_request", 50_027, text)
}

fn invalid(why: &str) -> Failure {
    let text = format!("Client assertion failed signature validation. [Reason - {why}]");
    Failure::new(401, "invalid_client", 700_027, text)
}

/// The certificate that the header names by its thumbprint.
fn certificate(graph: &Graph, header: &Value) -> Result<Vec<u8>, Failure> {
    let known = graph.app.certificates.iter().filter_map(|pem| der(pem));
    let named = |certificate: &Vec<u8>| {
        let long = URL_SAFE_NO_PAD.encode(digest(&SHA256, certificate));
        let short = URL_SAFE_NO_PAD.encode(digest(&SHA1_FOR_LEGACY_USE_ONLY, certificate));
        match (header["x5t#S256"].as_str(), header["x5t"].as_str()) {
            (Some(thumbprint), _) => thumbprint == long,
            (None, Some(thumbprint)) => thumbprint == short,
            (None, None) => false,
        }
    };
    known
        .into_iter()
        .find(named)
        .ok_or_else(|| invalid("The key was not found. Thumbprint of key used by client is not registered."))
}

fn check_claims(graph: &Graph, tenant: &str, claims: &Value, now: Timestamp) -> Result<(), Failure> {
    let client = &graph.app.client_id;
    let is_client = |name: &str| {
        claims[name]
            .as_str()
            .is_some_and(|value| value.eq_ignore_ascii_case(client))
    };
    if !is_client("iss") || !is_client("sub") {
        let text =
            "Client assertion contains an invalid issuer or subject: both have to be the application's id.";
        return Err(Failure::new(401, "invalid_client", 700_021, text));
    }
    let audience = claims["aud"].as_str().unwrap_or_default();
    let ends = |named: &str| {
        audience
            .to_ascii_lowercase()
            .ends_with(&format!("/{}/oauth2/v2.0/token", named.to_ascii_lowercase()))
    };
    if !ends(tenant) && !ends(&graph.tenant.id) {
        let text = "Client assertion audience claim does not match Realm issuer.";
        return Err(Failure::new(401, "invalid_client", 700_023, text));
    }
    let at = now.as_second();
    let expires = claims["exp"].as_i64().unwrap_or(0);
    let starts = claims["nbf"].as_i64().unwrap_or(at);
    if claims["jti"].as_str().is_none_or(str::is_empty) || at > expires + SKEW || at + SKEW < starts {
        let text = "Client assertion is not within its valid time range.";
        return Err(Failure::new(401, "invalid_client", 700_024, text));
    }
    Ok(())
}

/// The first certificate of a PEM text.
pub(super) fn der(pem: &str) -> Option<Vec<u8>> {
    let (_, rest) = pem.split_once("-----BEGIN CERTIFICATE-----")?;
    let (body, _) = rest.split_once("-----END CERTIFICATE-----")?;
    let body: String = body.split_whitespace().collect();
    STANDARD.decode(body).ok()
}

/// The subject's public key of a certificate, with its algorithm around it.
pub(super) fn public_key(certificate: &[u8]) -> Option<&[u8]> {
    let (outer, _) = element(certificate)?;
    let (fields, _) = element(outer.content)?;
    // Version (optional), serial number, algorithm, issuer, validity, subject; then the key.
    let mut rest = fields.content;
    let mut skip = 5;
    while skip > 0 {
        let (field, after) = element(rest)?;
        if field.tag != 0xa0 {
            skip -= 1;
        }
        rest = after;
    }
    element(rest).map(|(key, _)| key.whole)
}

/// One element of DER.
struct Element<'a> {
    tag: u8,
    whole: &'a [u8],
    content: &'a [u8],
}

fn element(bytes: &[u8]) -> Option<(Element<'_>, &[u8])> {
    let (tag, first) = (*bytes.first()?, *bytes.get(1)?);
    let (length, header) = if first < 0x80 {
        (usize::from(first), 2)
    } else {
        let count = usize::from(first & 0x7f);
        let digits = bytes.get(2..2 + count).filter(|digits| digits.len() <= 4)?;
        let length = digits
            .iter()
            .fold(0, |length, digit| length << 8 | usize::from(*digit));
        (length, 2 + count)
    };
    let end = header.checked_add(length)?;
    let element = Element {
        tag,
        whole: bytes.get(..end)?,
        content: bytes.get(header..end)?,
    };
    Some((element, bytes.get(end..)?))
}
