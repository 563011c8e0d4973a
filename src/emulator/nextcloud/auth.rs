//! Who is asking: Basic with a password or app password, and `AppAPI`, where one secret speaks for every account.
//!
//! Wrong attempts of the two are counted apart, as the server does, and block the address for half an hour.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;

use super::Nextcloud;
use crate::emulator::http::Request;

const WINDOW: i64 = 1800;

/// Failed attempts, in seconds.
#[derive(Debug, Clone, Default)]
pub(crate) struct Guard {
    logins: Vec<i64>,
    apps: Vec<i64>,
}

/// Who asks, as far as the credentials tell.
#[derive(Debug, Clone, Default)]
pub(crate) struct Caller {
    /// The account that is logged in.
    pub(crate) account: Option<String>,
    /// The application behind the request.
    pub(crate) app: Option<String>,
    /// The account that answers name in `X-User-Id`, logged in or not.
    pub(crate) named: Option<String>,
}

/// Why credentials were not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    /// Wrong name or password.
    Wrong,
    /// Right password of a disabled account.
    Disabled,
    /// Too many wrong logins from this address.
    Blocked,
    /// Too many wrong application secrets from this address.
    AppBlocked,
    /// Wrong application secret.
    AppWrong,
}

impl Nextcloud {
    /// Checks the credentials of a request. DAV takes disabled accounts and disabled applications, OCS does not.
    pub(crate) fn caller(&mut self, request: &Request, dav: bool, now: Timestamp) -> Result<Caller, Refused> {
        if request.header("authorization-app-api").is_some() && self.has_app("app_api") {
            return self.app_caller(request, dav, now.as_second());
        }
        let Some((name, secret)) = basic(request) else {
            return Ok(Caller::default());
        };
        self.login(&name, &secret, now.as_second())
    }

    fn login(&mut self, name: &str, secret: &str, now: i64) -> Result<Caller, Refused> {
        if blocked(&mut self.guard.logins, self.settings.brute_force_attempts, now) {
            return Err(Refused::Blocked);
        }
        let id = self.account_named(name);
        let found = id.and_then(|id| self.accounts.get_mut(&id));
        // An app password that was granted signs in with the name under which it was, in any case.
        let granted = self.login_names.get(secret);
        let named = granted.is_none_or(|known| known.eq_ignore_ascii_case(name));
        let Some(account) = found.filter(|account| named && account.proves(secret)) else {
            self.guard.logins.push(now);
            return Err(Refused::Wrong);
        };
        if !account.enabled {
            return Err(Refused::Disabled);
        }
        // An app password counts as a sign-in of its owner, as the login password does.
        account.last_login = account.last_login.max(now);
        if account.first_login == 0 {
            account.first_login = now;
        }
        let id = account.id.to_string();
        Ok(Caller {
            account: Some(id.clone()),
            app: None,
            named: Some(id),
        })
    }

    /// The id of the account that signs in under this name: its id in any case, or its address.
    pub(crate) fn account_named(&self, name: &str) -> Option<String> {
        if self.accounts.contains_key(name) {
            return Some(name.to_owned());
        }
        let same = |other: &str| other.eq_ignore_ascii_case(name);
        let found = self
            .accounts
            .values()
            .find(|account| same(&account.id) || account.email.as_deref().is_some_and(same));
        found.map(|account| account.id.to_string())
    }

    fn app_caller(&mut self, request: &Request, dav: bool, now: i64) -> Result<Caller, Refused> {
        if blocked(&mut self.guard.apps, self.settings.brute_force_attempts, now) {
            return Err(Refused::AppBlocked);
        }
        let Some(app_id) = request.header("ex-app-id").map(str::to_owned) else {
            return Err(Refused::AppWrong);
        };
        let (user, secret) = app_credentials(request).unwrap_or_default();
        let right = self.ex_apps.get(&app_id).is_some_and(|app| app.secret == secret);
        if !right {
            self.guard.apps.push(now);
            return Err(Refused::AppWrong);
        }
        let state_check = request.path.ends_with("/apps/app_api/ex-app/state");
        let Some(app) = self.ex_apps.get_mut(&app_id) else {
            return Err(Refused::AppWrong);
        };
        if !app.enabled && !dav && !state_check {
            return Err(Refused::AppWrong);
        }
        let Some(version) = request.header("ex-app-version") else {
            return Err(Refused::AppWrong);
        };
        if newer(version, &app.version) {
            version.clone_into(&mut app.version);
        }
        if user.is_empty() {
            return Ok(Caller {
                account: None,
                app: Some(app_id),
                named: None,
            });
        }
        let id = self.account_named(&user).ok_or(Refused::AppWrong)?;
        let enabled = self.accounts.get(&id).is_some_and(|account| account.enabled);
        let account = (enabled || dav).then(|| id.clone());
        Ok(Caller {
            account,
            app: Some(app_id),
            named: Some(id),
        })
    }

    /// The delay the server would add, in milliseconds, for the address everybody comes from here.
    pub(crate) fn brute_force_delay(&mut self, now: i64) -> i64 {
        let limit = self.settings.brute_force_attempts;
        if blocked(&mut self.guard.logins, limit, now) || blocked(&mut self.guard.apps, limit, now) {
            return 25_000;
        }
        let failures = self.guard.logins.len().max(self.guard.apps.len());
        if failures == 0 { 0 } else { 100 << failures.min(7) }
    }

    /// Forgets all failed attempts.
    pub(crate) fn reset_guard(&mut self) {
        self.guard = Guard::default();
    }
}

/// Drops attempts outside the window; true where so many are left that the address is blocked.
fn blocked(attempts: &mut Vec<i64>, limit: usize, now: i64) -> bool {
    attempts.retain(|at| at + WINDOW > now);
    attempts.len() >= limit
}

fn newer(version: &str, known: &str) -> bool {
    let numbers =
        |text: &str| -> Vec<u64> { text.split('.').map(|part| part.parse().unwrap_or(0)).collect() };
    numbers(version) > numbers(known)
}

fn decoded(text: &str) -> Option<(String, String)> {
    let bytes = STANDARD.decode(text.trim()).ok()?;
    let text = String::from_utf8(bytes).ok()?;
    text.split_once(':')
        .map(|(name, secret)| (name.to_owned(), secret.to_owned()))
}

fn basic(request: &Request) -> Option<(String, String)> {
    let (scheme, rest) = request.header("authorization")?.split_once(' ')?;
    scheme
        .eq_ignore_ascii_case("basic")
        .then(|| decoded(rest))
        .flatten()
}

fn app_credentials(request: &Request) -> Option<(String, String)> {
    decoded(request.header("authorization-app-api")?)
}

/// The account that a request claims to be, checked by nobody; for logs and fault rules.
pub(crate) fn claimed(request: &Request) -> Option<String> {
    app_credentials(request)
        .or_else(|| basic(request))
        .map(|(name, _)| name)
        .filter(|name| !name.is_empty())
}

/// The password of a Basic login.
pub(crate) fn secret(request: &Request) -> Option<String> {
    basic(request).map(|(_, secret)| secret)
}
