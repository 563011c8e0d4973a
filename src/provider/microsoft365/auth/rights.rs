//! What a token says of itself. It is read, not verified: it tells what to expect, and the service decides.

use crate::provider::strict;
use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::Value;

/// How many names of rights are read.
const MOST: usize = 256;
/// How long each may be, and every other text.
const LONGEST: usize = 256;

/// What a token grants, and to whom, by its own words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rights {
    /// Whether it acts for a person; an application's own token does not.
    pub delegated: bool,
    /// The names of the rights, such as `Files.Read.All`.
    pub granted: BTreeSet<String>,
    /// The tenant's id.
    pub tenant: Option<String>,
    /// The person's user principal name.
    pub person: Option<String>,
}

#[derive(Deserialize)]
struct Payload {
    #[serde(default)]
    roles: Value,
    #[serde(default)]
    scp: Value,
    #[serde(default)]
    tid: Value,
    #[serde(default)]
    upn: Value,
    #[serde(default)]
    preferred_username: Value,
}

/// Reads the payload of a token; `None` where it has none that can be read.
pub(super) fn rights(token: &str) -> Option<Rights> {
    let mut parts = token.split('.');
    let (_header, payload, _signature) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    let bytes = URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok()?;
    let payload: Payload = strict::from_slice(&bytes).ok()?;
    let scopes = payload.scp.as_str();
    let granted = match (scopes, payload.roles.as_array()) {
        (Some(scopes), _) => scopes.split(' ').filter_map(text).take(MOST).collect(),
        (None, Some(roles)) => roles
            .iter()
            .filter_map(Value::as_str)
            .filter_map(text)
            .take(MOST)
            .collect(),
        (None, None) => BTreeSet::new(),
    };
    let said = |value: &Value| value.as_str().and_then(text);
    Some(Rights {
        delegated: scopes.is_some(),
        granted,
        tenant: said(&payload.tid),
        person: said(&payload.upn).or_else(|| said(&payload.preferred_username)),
    })
}

/// A text of usual length without anything that a terminal would obey.
fn text(text: &str) -> Option<String> {
    let usual = !text.is_empty() && text.len() <= LONGEST && !text.chars().any(char::is_control);
    usual.then(|| text.to_owned())
}
