//! What concerns the server as a whole: status, maintenance, its own statistics, and `AppAPI`'s own two answers.

use std::collections::BTreeMap;

use serde_json::json;

use super::ocs::{Call, Found, Outcome, Refusal};
use super::shares::{FEDERATED, GROUP, LINK, MAIL, ROOM, USER};
use super::tree::{Tree, map, texts};
use super::{Nextcloud, page};
use crate::emulator::http::Answer;

/// `/status.php`, which answers whatever happens.
pub(crate) fn status(server: &Nextcloud) -> Answer {
    let settings = &server.settings;
    Answer::json(
        200,
        &json!({
            "installed": true,
            "maintenance": settings.maintenance,
            "needsDbUpgrade": false,
            "version": settings.build,
            "versionstring": settings.version,
            "edition": "",
            "productname": "Nextcloud",
            "extendedSupport": false,
        }),
    )
}

/// What web pages answer during maintenance.
pub(crate) fn maintenance_page() -> Answer {
    let text = page(
        "Maintenance mode",
        "This page will refresh itself when the instance is available again.",
    );
    Answer::html(503, text)
        .with("Retry-After", "120")
        .with("X-Nextcloud-Maintenance-Mode", "1")
}

/// `GET /apps/app_api/ex-app/state`: 1 or 0 for the asking application.
pub(crate) fn app_state(server: &Nextcloud, call: &Call<'_>) -> Outcome {
    let app = call.caller.app.as_ref().and_then(|id| server.ex_apps.get(id));
    let app = app.ok_or_else(|| Refusal::new(997, "AppAPI authentication failed"))?;
    Ok(Found::Data(i64::from(app.enabled).into()))
}

/// `GET /apps/app_api/api/v1/users`: every account id, disabled ones too.
pub(crate) fn app_users(server: &Nextcloud, call: &Call<'_>) -> Outcome {
    if call.caller.app.is_none() {
        return Err(Refusal::new(997, "AppAPI authentication failed"));
    }
    Ok(Found::Data(texts(server.accounts.keys().map(String::as_str))))
}

/// `GET /apps/provisioning_api/api/v1/config/apps/APP/KEY`: an app's setting; what was never set is empty.
pub(crate) fn app_setting(server: &Nextcloud, call: &Call<'_>, app: &str, key: &str) -> Outcome {
    let account = call.account()?;
    if !server.is_admin(&account) {
        return Err(Refusal::new(403, "Logged in account must be an admin"));
    }
    let set = (app, key) == ("files_sharing", "hide_disabled_user_shares")
        && server.settings.hide_disabled_user_shares;
    Ok(Found::Data(map([("data", if set { "yes" } else { "" }.into())])))
}

/// `DELETE /core/apppassword`: the app password in use is forgotten.
pub(crate) fn forget_app_password(server: &mut Nextcloud, call: &Call<'_>) -> Outcome {
    let account = call.account()?;
    let used = super::auth::secret(call.request);
    let known = server
        .accounts
        .get_mut(&account)
        .map(|account| &mut account.app_passwords);
    if let (Some(passwords), Some(used)) = (known, used)
        && passwords.contains(&used)
    {
        passwords.retain(|password| *password != used);
        return Ok(Found::Data(Tree::List(Vec::new())));
    }
    Err(Refusal::new(403, "no app password in use"))
}

/// `GET /apps/serverinfo/api/v1/info`: counts rows, whoever they belong to and wherever their files are.
pub(crate) fn statistics(server: &Nextcloud, call: &Call<'_>) -> Outcome {
    if !server.has_app("serverinfo") {
        return Err(Refusal::new(998, ""));
    }
    let token = call.request.header("nc-token").map(str::to_owned);
    let by_token = token.is_some() && token == server.settings.statistics_token;
    let by_admin = call
        .caller
        .account
        .as_deref()
        .is_some_and(|account| server.is_admin(account));
    if !by_token && !by_admin {
        return Err(Refusal::Data(401, map([("message", "Unauthorized".into())])));
    }
    let system = map([
        ("version", server.settings.build.as_str().into()),
        ("theme", "".into()),
        ("enable_avatars", "yes".into()),
        ("enable_previews", "yes".into()),
        ("memcache.local", "none".into()),
        ("memcache.distributed", "none".into()),
        ("filelocking.enabled", "yes".into()),
        ("memcache.locking", "none".into()),
        ("debug", "no".into()),
        ("freespace", 107_374_182_400_i64.into()),
    ]);
    let active = map([
        ("last5minutes", 1_i64.into()),
        ("last1hour", 1_i64.into()),
        ("last24hours", 1_i64.into()),
    ]);
    let nextcloud = map([
        ("system", system),
        ("storage", storage(server)),
        ("shares", shares(server)),
    ]);
    let machine = map([
        ("webserver", "emulated".into()),
        ("php", map([("version", "8.2.0".into())])),
    ]);
    Ok(Found::Data(map([
        ("nextcloud", nextcloud),
        ("server", machine),
        ("activeUsers", active),
    ])))
}

fn storage(server: &Nextcloud) -> Tree {
    // The server counts accounts that have signed in at least once.
    let seen = server
        .accounts
        .values()
        .filter(|account| account.last_login > 0)
        .count();
    let disabled = server
        .accounts
        .values()
        .filter(|account| !account.enabled)
        .count();
    map([
        ("num_users", seen.into()),
        ("num_disabled_users", disabled.into()),
        ("num_files", server.files.iter().count().into()),
        ("num_storages", (server.accounts.len() + 1).into()),
        ("num_storages_local", 1_i64.into()),
        ("num_storages_home", server.accounts.len().into()),
        ("num_storages_other", 0_i64.into()),
    ])
}

fn shares(server: &Nextcloud) -> Tree {
    let mut kinds: BTreeMap<i64, usize> = BTreeMap::new();
    let mut bits: BTreeMap<(i64, u32), usize> = BTreeMap::new();
    let (mut rows, mut open_links) = (0_usize, 0_usize);
    for share in server.shares.iter() {
        rows += 1;
        *kinds.entry(share.kind).or_default() += 1;
        *bits.entry((share.kind, share.permissions)).or_default() += 1;
        open_links += usize::from(share.kind == LINK && share.password.is_none());
        // One hidden row (type 2, no permissions) for each recipient who put a group share away.
        if !share.hidden_for.is_empty() {
            rows += share.hidden_for.len();
            *bits.entry((2, 0)).or_default() += share.hidden_for.len();
        }
    }
    let count = |kind: i64| Tree::from(kinds.get(&kind).copied().unwrap_or(0));
    let mut tree = map([
        ("num_shares", rows.into()),
        ("num_shares_user", count(USER)),
        ("num_shares_groups", count(GROUP)),
        ("num_shares_link", count(LINK)),
        ("num_shares_mail", count(MAIL)),
        ("num_shares_room", count(ROOM)),
        ("num_shares_link_no_password", open_links.into()),
        ("num_fed_shares_sent", count(FEDERATED)),
        ("num_fed_shares_received", 0_i64.into()),
    ]);
    for ((kind, bits), count) in bits {
        tree.set(format!("permissions_{kind}_{bits}"), count.into());
    }
    tree
}
