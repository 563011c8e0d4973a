//! A token as it was issued, checked before anyone uses it.

use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};

use super::Rights;
use super::rights::rights;
use crate::http::Credential;
use crate::model::ProblemCode;
use crate::provider::ReadError;

/// No token is longer; a header that long is refused by every server.
const LONGEST: usize = 64 * 1024;
/// No token lives longer: a managed identity's lives a day.
const LONGEST_LIFE: Duration = Duration::from_hours(7 * 24);

/// A token that may be used.
pub(super) struct Issued {
    pub(super) credential: Credential,
    pub(super) rights: Option<Rights>,
    pub(super) life: Duration,
    /// What renews it from now on, where one was given.
    pub(super) refresh: Option<SecretString>,
}

impl Issued {
    /// Takes a token as it was told.
    pub(super) fn new(
        token: &SecretString,
        life: Option<Duration>,
        refresh: Option<SecretString>,
    ) -> Result<Self, ReadError> {
        let text = token.expose_secret();
        if text.is_empty() || text.len() > LONGEST {
            return Err(malformed("the token is empty or far too long"));
        }
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(malformed("the token holds what no token holds"));
        }
        let credential = Credential::bearer(token).map_err(|error| malformed(&error.to_string()))?;
        let life = life
            .filter(|life| !life.is_zero() && *life <= LONGEST_LIFE)
            .ok_or_else(|| malformed("it does not tell how long the token lives"))?;
        let refresh = refresh.filter(|it| !it.expose_secret().is_empty());
        if refresh
            .as_ref()
            .is_some_and(|it| it.expose_secret().len() > LONGEST)
        {
            return Err(malformed("the refresh token is far too long"));
        }
        Ok(Self {
            credential,
            rights: rights(text),
            life,
            refresh,
        })
    }
}

/// The answer about signing in is not what the interface promises.
pub(super) fn malformed(what: &str) -> ReadError {
    ReadError::service(
        ProblemCode::Malformed,
        format!(
            "the answer of the sign-in service is not as documented: {what}; is `login_url` Microsoft's own, and does no \
             proxy or login page answer in its place?"
        ),
    )
}
