//! Finds out, with as few requests as that takes, whether a Nextcloud can be read and what is missing.
//!
//! Nothing is asked after the answer that makes it pointless: no credential is sent to a server that is not one, and
//! a refused secret is sent once, since a dozen of them block the address.

mod words;

use std::time::Instant;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use self::words::{counts_check, evidence_check, refused_passwords, settings_checks, unreachable};
use super::ocs::NO_INTERFACE;
use super::server::DISABLED_APP;
use super::{Credential, HomeSearch, Nextcloud, REFUSALS, nodes, people, search};
use crate::http::{Answer, Request, StatusCode};
use crate::model::{Check, ProblemCode, Standing};
use crate::provider::checks::{NOTHING, failed, time};
use crate::provider::{Access, Clock, Examination, Load, ReadError, strict};

/// Searches that tell of an account what lies beneath its open folders, unless these are very many.
const BENEATH: u64 = 3;
/// How much a server may say of itself before it is known to be one.
const STATUS_BYTES: u64 = 64 * 1024;
/// The longest name of a product or version that is shown, in characters.
const MAX_NAME: usize = 60;
/// Requests of a scan that do not grow with the accounts: credential, settings, statistics twice, lists.
const CONSTANT: u64 = 7;

#[derive(Deserialize)]
struct Status {
    installed: bool,
    maintenance: bool,
    #[serde(rename = "needsDbUpgrade", default)]
    needs_upgrade: bool,
    #[serde(rename = "versionstring")]
    version: String,
    #[serde(default)]
    productname: String,
}

impl Access for Nextcloud {
    fn examine<'a>(&'a self, clock: Clock<'a>) -> BoxFuture<'a, Examination> {
        async move {
            let mut found = Examination::default();
            let began = Instant::now();
            let load = self.look(clock, &mut found.checks).await;
            let asked = self.ocs.http.totals().sent.max(1);
            found.load = load.map(|(least, most)| Load {
                least,
                most,
                each: began.elapsed() / u32::try_from(asked).unwrap_or(u32::MAX),
            });
            found
        }
        .boxed()
    }
}

impl Nextcloud {
    /// Adds what was found; the least and the most requests of a scan, where there can be one.
    async fn look(&self, clock: Clock<'_>, checks: &mut Vec<Check>) -> Option<(u64, Option<u64>)> {
        let (answer, asked_at) = match self.status(clock).await {
            Ok(answered) => answered,
            Err(error) => {
                checks.push(unreachable(&error));
                return None;
            }
        };
        let network = self.network(&answer);
        let usable = network.standing != Standing::Failed;
        checks.push(network);
        checks.push(time(&answer, asked_at));
        if !usable {
            return None;
        }
        let accepted = self.credential(checks).await;
        let account = accepted.first()?;
        if let Some(admin) = self.admin() {
            // Before settings are asked for in its name.
            let rights = self.admin_check(admin).await;
            let usable = rights.standing != Standing::Failed;
            checks.push(rights);
            if !usable {
                return None;
            }
        }
        let (data, _) = match self.capabilities().await {
            Ok(data) => data,
            Err(error) => {
                checks.push(failed("settings", &error).costs(NOTHING));
                return None;
            }
        };
        checks.extend(settings_checks(&data));
        if self.setup.evidence {
            checks.push(evidence_check(&data));
        }
        checks.extend(self.tags_check().await);
        checks.push(self.webdav_check(account).await);
        match self.admin() {
            None => {
                checks.push(
                    Check::new("rights", Standing::Limited, "an app password reads its own account only")
                        .costs(
                            "other accounts are not read, and who of the recipients is disabled, gone or never signed \
                             in is not told",
                        )
                        .step("for all accounts: `method = \"app-api\"` and `sharewarden enroll`"),
                );
                if self.setup.statistics_token.is_some() {
                    checks.push(counts_check(&self.statistics().await).0);
                }
                let own = u64::try_from(accepted.len()).unwrap_or(u64::MAX);
                Some(self.requests(own, own, None))
            }
            Some(admin) => self.accounts(admin, checks).await,
        }
    }

    /// Asks a server that may not be one what it is, without a credential.
    async fn status(&self, clock: Clock<'_>) -> Result<(Answer, Timestamp), ReadError> {
        let request = Request::get(self.ocs.url(&["status.php"], &[])?).max_body(STATUS_BYTES);
        let before = clock();
        let answer = self.ocs.http.send(&request).await?;
        if answer.status == StatusCode::OK || super::ocs::is_final(&answer) {
            // Half of the way there and back.
            let half = clock().duration_since(before) / 2;
            return Ok((answer, before.checked_add(half).unwrap_or(before)));
        }
        Err(super::ocs::refusal(&request, &answer))
    }

    fn network(&self, answer: &Answer) -> Check {
        let fail = |found: String| Check::new("network", Standing::Failed, found).costs(NOTHING);
        let Ok(status) = strict::from_slice::<Status>(&answer.body) else {
            return fail("something answers, and it is no Nextcloud".to_owned())
                .step("set the source's `url` to the address under which Nextcloud's own pages are")
                .step("look for a login page or a proxy that answers in its place");
        };
        let short = |text: &str| text.chars().take(MAX_NAME).collect::<String>();
        let name = match short(&status.productname) {
            name if name.is_empty() => "Nextcloud".to_owned(),
            name => name,
        };
        let product = format!("{name} {}", short(&status.version));
        if !status.installed {
            return fail(format!("{product} answers and is not set up yet"));
        }
        if status.maintenance || status.needs_upgrade {
            return fail(format!(
                "{product} is in maintenance mode, or waits for an upgrade"
            ))
            .step("finish what is under way there: `occ upgrade`, `occ maintenance:mode --off`")
            .step("schedule scans outside of the maintenance window");
        }
        let way = match self.setup.url.scheme() {
            "https" => "over a connection that is trusted",
            _ => "without encryption, on this machine",
        };
        Check::good("network", format!("{product} answers {way}"))
    }

    /// Tries the credentials; the accounts they are good for, of `AppAPI`, which acts as any, its administrator.
    async fn credential(&self, checks: &mut Vec<Check>) -> Vec<String> {
        let passwords = match &self.setup.credential {
            Credential::Passwords(passwords) => passwords,
            Credential::AppApi { admin, .. } => {
                return match self.check_app().await {
                    Ok(()) => {
                        checks.push(Check::good(
                            "credential",
                            "the AppAPI secret is accepted: it acts as every account",
                        ));
                        vec![admin.clone()]
                    }
                    Err(error) => {
                        checks.push(self.refused_app(&error));
                        Vec::new()
                    }
                };
            }
        };
        let mut good = Vec::new();
        let mut refused = Vec::new();
        for name in passwords.keys() {
            match people::own_details(&self.ocs, name).await {
                Ok(account) => good.push(account.id),
                Err(ReadError::Service {
                    code: ProblemCode::Unauthorized,
                    ..
                }) => {
                    refused.push(name.as_str());
                    if refused.len() >= REFUSALS {
                        break;
                    }
                }
                Err(error) => {
                    checks.push(failed("credential", &error).costs(NOTHING));
                    return Vec::new();
                }
            }
        }
        self.refused()
            .extend(refused.iter().map(|name| (*name).to_owned()));
        if !refused.is_empty() {
            let untried = passwords.len() - good.len() - refused.len();
            checks.push(refused_passwords(&refused, untried));
        }
        let words = match good.as_slice() {
            [] => return good,
            [one] => format!("the app password of `{}` is accepted", one.escape_debug()),
            more => format!("the app passwords of {} accounts are accepted", more.len()),
        };
        checks.push(Check::good("credential", words));
        good
    }

    fn refused_app(&self, error: &ReadError) -> Check {
        let check = failed("credential", error).costs(NOTHING);
        let source = &self.setup.source;
        let Credential::AppApi { app_id, .. } = &self.setup.credential else {
            return check;
        };
        match error {
            ReadError::Service { code: ProblemCode::Unauthorized, .. } => check
                .step(format!("register the auditor: `sharewarden enroll {source}`, and with --rotate if it was before")),
            ReadError::Service { code: ProblemCode::Forbidden, message } if message.contains(NO_INTERFACE) => {
                check.step("as the user that runs Nextcloud: `php occ app:enable app_api`")
            }
            ReadError::Service { code: ProblemCode::Forbidden, message } if message.contains(DISABLED_APP) => {
                check.step(format!(
                    "let `sharewarden enroll {source}` wait, and run `php occ app_api:app:enable {app_id}` meanwhile; or \
                     `sharewarden enroll {source} --rotate`"
                ))
            }
            ReadError::Service { code: ProblemCode::Forbidden, .. } => {
                check.step("look for what refuses it before Nextcloud: a proxy, or a fence that knows another address")
            }
            ReadError::Service { code: ProblemCode::AddressBlocked, .. } => {
                check.step("as the user that runs Nextcloud: `php occ security:bruteforce:reset ADDRESS`, with the address \
                            from which this machine is seen there")
            }
            _ => check,
        }
    }

    /// Whether the tags that classify are there to be asked for.
    async fn tags_check(&self) -> Option<Check> {
        if !self.setup.classes.has_tags() {
            return None;
        }
        let known = match nodes::tags(&self.ocs, self.anybody()).await {
            Ok(known) => known,
            Err(error) => {
                return Some(
                    failed("tags", &error).costs("items that are classified by a tag may not look so"),
                );
            }
        };
        let mut missing = Vec::new();
        let mut hidden = Vec::new();
        for name in self.setup.classes.tags() {
            match known.iter().find(|tag| tag.name == name) {
                None => missing.push(format!("`{}`", name.escape_debug())),
                Some(tag) if tag.hidden => hidden.push(format!("`{}`", name.escape_debug())),
                Some(_) => {}
            }
        }
        if missing.is_empty() && hidden.is_empty() {
            return Some(Check::good("tags", "all that classify are known to the server"));
        }
        let asked_by_admin = self.admin().is_some();
        let unknown = if asked_by_admin {
            "not known to the server"
        } else {
            "not known to the server, or hidden from this account"
        };
        let told = [(unknown, &missing), ("visible to administrators only", &hidden)];
        let told: Vec<_> = told
            .iter()
            .filter(|(_, names)| !names.is_empty())
            .map(|(what, names)| format!("{what}: {}", names.join(", ")))
            .collect();
        let mut check = Check::new("tags", Standing::Limited, told.join("; "));
        if !missing.is_empty() && asked_by_admin {
            check = check
                .costs("nothing is classified by those that are not there")
                .step("create them there, or correct `tags` in `[[policy.classify]]`");
        }
        if !hidden.is_empty() || (!missing.is_empty() && !asked_by_admin) {
            check = check
                .costs("which files carry hidden ones is told to nobody: items stay undetermined")
                .step("let an administrator make them visible in Nextcloud's settings, or classify by path");
        }
        Some(check)
    }

    /// Which accounts there are, and what vouches for a scan of them; the least and the most requests of one.
    async fn accounts(&self, admin: &str, checks: &mut Vec<Check>) -> Option<(u64, Option<u64>)> {
        let ids = match people::ids(&self.ocs).await {
            Ok(ids) => ids,
            Err(error) => {
                checks.push(
                    failed("accounts", &error).costs("nothing confirms that the list of accounts is whole"),
                );
                return None;
            }
        };
        let statistics = self.statistics().await;
        let disabled = statistics
            .as_ref()
            .ok()
            .and_then(Option::as_ref)
            .and_then(|data| {
                data.pointer("/nextcloud/storage/num_disabled_users")
                    .and_then(Value::as_u64)
            });
        checks.push(self.accounts_check(ids.len(), disabled));
        if disabled != Some(0) {
            checks.extend(self.dead_links_check(admin).await);
        }
        let (counted, shares) = counts_check(&statistics);
        checks.push(counted);
        let found = u64::try_from(ids.len()).unwrap_or(u64::MAX);
        Some(self.requests(found, found.saturating_sub(disabled.unwrap_or(0)), shares))
    }

    /// Whether WebDAV answers: tags, what lies beneath folders, and disabled accounts are read through it. Tried are
    /// a search and a listing.
    async fn webdav_check(&self, account: &str) -> Check {
        // No node needs to have this id for the search to be answered.
        let searched = search::by_id(&self.ocs, account, &[1]).await.map(|_| ());
        let tried = match searched {
            Ok(()) => nodes::home(&self.ocs, account).await,
            Err(error) => Err(error),
        };
        match tried {
            Ok(()) => Check::good("WebDAV", "SEARCH and PROPFIND are answered"),
            Err(error) => failed("WebDAV", &error)
                .costs("what lies beneath shared folders, tags, and shares of disabled accounts cannot be told")
                .step("let PROPFIND, REPORT and SEARCH pass to /remote.php/dav/ through every proxy before Nextcloud"),
        }
    }

    async fn admin_check(&self, admin: &str) -> Check {
        let name = admin.escape_debug();
        match people::details(&self.ocs, admin, admin).await {
            Ok(Some(account)) if account.groups.iter().any(|group| group == "admin") => Check::good(
                "rights",
                format!("`{name}` is an administrator: account details and statistics can be read"),
            ),
            Ok(_) => Check::new(
                "rights",
                Standing::Limited,
                format!("`{name}` is no administrator"),
            )
            .costs("which accounts are disabled, are guests or never signed in is told for some of them only")
            .step(format!(
                "name an administrator in `admin`, or `php occ group:adduser admin '{name}'`"
            )),
            // The secret was just found good, so that it is the account that is refused.
            Err(ReadError::Service {
                code: ProblemCode::Unauthorized,
                ..
            }) => Check::new(
                "rights",
                Standing::Failed,
                format!("the server has no account `{name}`, or it is disabled"),
            )
            .costs("no settings, details or statistics can be read")
            .step("name an administrator's account id in `admin`"),
            Err(error) => failed("rights", &error),
        }
    }

    fn accounts_check(&self, found: usize, disabled: Option<u64>) -> Check {
        let searched = match self.setup.home_search {
            HomeSearch::Always => "are searched in every scan",
            HomeSearch::Weekly => "are searched once a week",
            HomeSearch::Off => "are not searched: `disabled_accounts` is off",
        };
        match disabled {
            Some(0) => Check::good("accounts", format!("{found} accounts, none of them disabled")),
            None => Check::new(
                "accounts",
                Standing::Limited,
                format!(
                    "{found} accounts; how many of them are disabled is not told; the homes of these {searched}"
                ),
            ),
            Some(disabled) => Check::new(
                "accounts",
                Standing::Limited,
                format!("{found} accounts, {disabled} of them disabled; the homes of these {searched}"),
            )
            .costs("the server refuses their lists: their shares are told without passwords and dates")
            .step("delete the accounts of people who left, or hand over what they own"),
        }
    }

    /// Whether links die with their account, as the server says it and as the operator states it.
    async fn dead_links_check(&self, admin: &str) -> Option<Check> {
        const ABOUT: &str = "disabled links";
        let stated = self.setup.disabled_links_dead;
        let set = match self.links_die(admin).await {
            Ok(set) => set?,
            Err(_) if !stated => return None,
            Err(error) => {
                return Some(failed(ABOUT, &error).costs("what the operator stated is not confirmed"));
            }
        };
        Some(match (set, stated) {
            (true, true) => Check::good(ABOUT, "links die with their account, as stated"),
            (false, true) => Check::new(
                ABOUT,
                Standing::Failed,
                "links of disabled accounts go on working, and the configuration states that they are dead",
            )
            .costs("such links are taken for harmless")
            .step("`php occ config:app:set files_sharing hide_disabled_user_shares --value yes`")
            .step("or set `hide_disabled_user_shares = false` in the source"),
            (true, false) => Check::new(
                ABOUT,
                Standing::Limited,
                "links die with their account on this server",
            )
            .costs("links of disabled accounts are reported as open")
            .step("say so: `hide_disabled_user_shares = true` in the source"),
            (false, false) => Check::new(
                ABOUT,
                Standing::Limited,
                "links of disabled accounts go on working",
            )
            .costs("their files stay open to whoever has such a link")
            .step(
                "`php occ config:app:set files_sharing hide_disabled_user_shares --value yes`, and \
                     `hide_disabled_user_shares = true` in the source",
            ),
        })
    }

    /// The least and the most requests of a scan: a listing an account, labels of what is open wide.
    fn requests(&self, accounts: u64, listed: u64, shares: Option<u64>) -> (u64, Option<u64>) {
        let least = match self.admin() {
            Some(_) => CONSTANT + accounts + accounts / 500,
            None => 1 + 2 * accounts,
        };
        let tags = u64::try_from(self.setup.classes.tags().count()).unwrap_or(u64::MAX);
        // Which shares are open wide is not known beforehand: any may be.
        let most = shares.map(|shares| {
            let looks = tags.saturating_add(BENEATH).saturating_mul(listed.min(shares));
            least.saturating_add(looks)
        });
        (least, most)
    }
}
