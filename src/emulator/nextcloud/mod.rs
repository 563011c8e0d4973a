//! The emulated Nextcloud: what it holds, and which part answers a request.
//!
//! Written from recorded answers of a real server. It must never import the rest of the crate: a mistake made in both
//! could not be seen.

mod account;
mod activity;
mod auth;
mod build;
mod capabilities;
mod change;
mod creating;
mod dates;
mod dav;
mod editing;
mod files;
mod generate;
mod groups;
mod listing;
mod login;
mod messages;
pub(crate) mod occ;
mod ocs;
mod public;
mod rules;
mod server;
mod shares;
mod shown;
mod stored;
mod teams;
mod tree;
mod users;
mod view;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::Timestamp;
use jiff::tz::TimeZone;

use self::account::Account;
use self::auth::Guard;
pub(crate) use self::auth::claimed;
use self::files::Files;
pub(crate) use self::listing::Listing;
use self::login::Flows;
use self::shares::Shares;
use super::http::{Answer, Request};
use super::world::file::{CircleFile, ExAppFile, Settings, TagFile};

/// A whole server.
#[derive(Debug, Clone, Default)]
pub(crate) struct Nextcloud {
    settings: Settings,
    ex_apps: BTreeMap<String, ExAppFile>,
    /// Names by id.
    groups: BTreeMap<String, String>,
    accounts: BTreeMap<String, Account>,
    /// Account ids by mail address.
    addresses: HashMap<String, String>,
    deleted: BTreeSet<String>,
    teams: BTreeMap<String, CircleFile>,
    rooms: BTreeMap<String, CircleFile>,
    tags: BTreeMap<u64, TagFile>,
    files: Files,
    shares: Shares,
    /// What was fetched through links, in the order in which that became known.
    uses: Vec<activity::Use>,
    guard: Guard,
    flows: Flows,
    /// The names that granted app passwords sign in with, by password.
    login_names: HashMap<String, String>,
    /// Where manually installed apps are looked for, by name.
    daemons: BTreeMap<String, occ::Daemon>,
    /// Where registered apps answer, by their ids.
    places: BTreeMap<String, occ::Place>,
    /// When each account created shares, for the rate limit.
    created: HashMap<String, Vec<i64>>,
}

impl Nextcloud {
    /// Answers any request.
    pub(crate) fn handle(&mut self, request: &Request, now: Timestamp) -> Answer {
        if !self.trusts(request) {
            return Answer::html(400, page("Access through untrusted domain", UNTRUSTED));
        }
        let path = request.path.as_str();
        let mut answer = match path {
            "/status.php" => server::status(self),
            _ if path.starts_with("/ocs/") => ocs::handle(self, request, now),
            _ if path.starts_with("/remote.php/") => dav::handle(self, request, now),
            _ if path.starts_with("/public.php/") => public::dav(self, request, now),
            _ if self.settings.maintenance => server::maintenance_page(),
            _ if path.starts_with("/index.php/login/v2") || path.starts_with("/login/v2") => {
                login::handle(self, request, now)
            }
            _ if path.starts_with("/s/") || path.starts_with("/index.php/s/") => {
                public::page(self, request, now)
            }
            "/" | "/index.php" => Answer::html(200, page("Nextcloud", "An emulated server.")),
            _ => not_found_page(),
        };
        if path != "/status.php" {
            for name in [
                "nc_sameSiteCookielax",
                "nc_sameSiteCookiestrict",
                "oc_sessionPassphrase",
                "oc78iz4ae061",
            ] {
                answer = answer.with(
                    "Set-Cookie",
                    format!("{name}=emulated; path=/; HttpOnly; SameSite=Lax"),
                );
            }
        }
        answer
    }

    /// Answers as it would during maintenance.
    pub(crate) fn in_maintenance(&mut self, request: &Request, now: Timestamp) -> Answer {
        let usual = std::mem::replace(&mut self.settings.maintenance, true);
        let answer = self.handle(request, now);
        self.settings.maintenance = usual;
        answer
    }

    pub(crate) fn answer_delay_ms(&self) -> u64 {
        self.settings.answer_delay_ms
    }

    fn trusts(&self, request: &Request) -> bool {
        let host = request.header("host").unwrap_or("localhost");
        let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
        matches!(name, "127.0.0.1" | "localhost" | "[::1]")
            || self.settings.trusted_domains.iter().any(|d| d == name)
    }

    fn has_app(&self, app: &str) -> bool {
        self.settings.apps.iter().any(|known| known == app)
    }

    /// The zone in which an account reads and writes dates.
    fn zone(&self, account: &str) -> TimeZone {
        let own = self
            .accounts
            .get(account)
            .map(|account| account.timezone.as_str())
            .filter(|zone| !zone.is_empty());
        TimeZone::get(own.unwrap_or(&self.settings.timezone)).unwrap_or(TimeZone::UTC)
    }

    fn is_admin(&self, account: &str) -> bool {
        self.in_group(account, "admin")
    }

    fn in_group(&self, account: &str, group: &str) -> bool {
        self.accounts
            .get(account)
            .is_some_and(|account| account.groups.iter().any(|own| own == group))
    }

    /// The name shown for an account; a deleted one is shown by its id.
    fn name_of(&self, account: &str) -> String {
        self.accounts
            .get(account)
            .map_or_else(|| account.to_owned(), |account| account.name.clone())
    }
}

/// The server's page for whatever is not there.
fn not_found_page() -> Answer {
    let text = "The page could not be found on the server or you may not be allowed to view it.";
    Answer::html(404, page("Page not found", text))
}

fn page(title: &str, text: &str) -> String {
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><title>Nextcloud</title></head>\n\
         <body><h2>{title}</h2>\n<p class=\"infogroup\">{text}</p></body>\n</html>\n"
    )
}

const UNTRUSTED: &str =
    "Please contact your administrator. The trusted_domains setting does not list this name.";
