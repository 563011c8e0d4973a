//! The capabilities answer: a recorded one, with everything that follows from the world's settings put in.

use serde_json::{Map, Value, json};

use super::Nextcloud;
use super::ocs::Call;
use super::shares::{FEDERATED, LINK, MAIL, USER};
use super::tree::Tree;
use crate::emulator::world::file::PasswordPolicy;

const RECORDED: &str = include_str!("capabilities.json");

/// `GET /cloud/capabilities`, for whoever asks.
pub(crate) fn answer(server: &mut Nextcloud, call: &Call<'_>) -> Tree {
    let text = RECORDED.replace("{base}", &call.request.base());
    let mut all: Value = serde_json::from_str(&text).unwrap_or_default();
    let settings = &server.settings;
    let numbers: Vec<u64> = settings
        .version
        .split('.')
        .map(|part| part.parse().unwrap_or(0))
        .collect();
    let part = |index: usize| numbers.get(index).copied().unwrap_or(0);
    put(&mut all, "/version/major", json!(part(0)));
    put(&mut all, "/version/minor", json!(part(1)));
    put(&mut all, "/version/micro", json!(part(2)));
    put(&mut all, "/version/string", json!(settings.version));
    let delay = server.brute_force_delay(call.seconds());
    put(&mut all, "/capabilities/bruteforce/delay", json!(delay));
    match call.caller.account.as_deref() {
        Some(account) => for_account(server, account, &mut all),
        None => for_strangers(&mut all),
    }
    Tree::from(&all)
}

fn for_account(server: &Nextcloud, account: &str, all: &mut Value) {
    let settings = &server.settings;
    let known = server.accounts.get(account);
    let zone = known
        .map(|account| account.timezone.as_str())
        .filter(|zone| !zone.is_empty());
    put(
        all,
        "/capabilities/core/user/timezone",
        json!(zone.unwrap_or(&settings.timezone)),
    );
    let language = known.map(|account| account.language.as_str()).unwrap_or_default();
    put(all, "/capabilities/core/user/language", json!(language));
    sharing(server, all);
    password_policy(&settings.password_policy, all);
    let apps = [
        ("activity", "activity"),
        ("app_api", "app_api"),
        ("circles", "circles"),
        ("files_downloadlimit", "downloadlimit"),
        ("password_policy", "password_policy"),
        ("systemtags", "systemtags"),
    ];
    for (app, section) in apps {
        if !server.has_app(app) {
            remove(all, "/capabilities", section);
        }
    }
    if !server.has_app("sharebymail") {
        remove(all, "/capabilities/files_sharing", "sharebymail");
    }
}

fn sharing(server: &Nextcloud, all: &mut Value) {
    let settings = &server.settings;
    put(
        all,
        "/capabilities/files_sharing/api_enabled",
        json!(settings.sharing_enabled),
    );
    if !settings.sharing_enabled {
        put(
            all,
            "/capabilities/files_sharing/public",
            json!({"enabled": false}),
        );
        put(
            all,
            "/capabilities/files_sharing/user",
            json!({"send_mail": false}),
        );
        put(all, "/capabilities/files_sharing/resharing", json!(false));
    } else if settings.links_allowed {
        put(
            all,
            "/capabilities/files_sharing/public/password/enforced",
            json!(settings.password_enforced),
        );
        let ask = "/capabilities/files_sharing/public/password/askForOptionalPassword";
        put(all, ask, json!(settings.ask_for_password));
        ends(server, all);
        put(
            all,
            "/capabilities/files_sharing/public/upload",
            json!(settings.public_upload),
        );
        put(
            all,
            "/capabilities/files_sharing/public/upload_files_drop",
            json!(settings.public_upload),
        );
        put(
            all,
            "/capabilities/files_sharing/public/custom_tokens",
            json!(settings.custom_tokens),
        );
    } else {
        put(
            all,
            "/capabilities/files_sharing/public",
            json!({"enabled": false}),
        );
    }
    put(
        all,
        "/capabilities/files_sharing/resharing",
        json!(settings.resharing && settings.sharing_enabled),
    );
    put(
        all,
        "/capabilities/files_sharing/group_sharing",
        json!(settings.group_sharing),
    );
    put(
        all,
        "/capabilities/files_sharing/group/enabled",
        json!(settings.group_sharing),
    );
    put(
        all,
        "/capabilities/files_sharing/federation/outgoing",
        json!(settings.federation_outgoing),
    );
    put(
        all,
        "/capabilities/files_sharing/federation/incoming",
        json!(settings.federation_incoming),
    );
    let mail = "/capabilities/files_sharing/sharebymail";
    put(all, &format!("{mail}/enabled"), json!(settings.links_allowed));
    put(
        all,
        &format!("{mail}/send_password_by_mail"),
        json!(settings.passwords_by_mail),
    );
    put(
        all,
        &format!("{mail}/password/enforced"),
        json!(settings.password_enforced),
    );
    put(
        all,
        &format!("{mail}/expire_date/enforced"),
        json!(server.insists_on_end(MAIL)),
    );
}

/// After how many days shares end, by the setting of each sort.
fn ends(server: &Nextcloud, all: &mut Value) {
    let settings = &server.settings;
    for (name, kind, enforced) in [
        ("expire_date", LINK, settings.expiry_enforced),
        ("expire_date_internal", USER, settings.internal_expiry_enforced),
        ("expire_date_remote", FEDERATED, settings.remote_expiry_enforced),
    ] {
        let expire = server.default_days(kind).map_or_else(
            || json!({"enabled": false}),
            |days| json!({"enabled": true, "days": days, "enforced": enforced}),
        );
        put(all, &format!("/capabilities/files_sharing/public/{name}"), expire);
    }
}

fn password_policy(policy: &PasswordPolicy, all: &mut Value) {
    for place in [
        "/capabilities/password_policy",
        "/capabilities/password_policy/policies/account",
    ] {
        put(all, &format!("{place}/minLength"), json!(policy.min_length));
        put(
            all,
            &format!("{place}/enforceNonCommonPassword"),
            json!(policy.not_common),
        );
        put(
            all,
            &format!("{place}/enforceNumericCharacters"),
            json!(policy.numeric),
        );
        put(
            all,
            &format!("{place}/enforceSpecialCharacters"),
            json!(policy.special),
        );
        put(
            all,
            &format!("{place}/enforceUpperLowerCase"),
            json!(policy.upper_lower),
        );
    }
}

/// Without a login only a few sections are told.
fn for_strangers(all: &mut Value) {
    let Some(sections) = all.get_mut("capabilities").and_then(Value::as_object_mut) else {
        return;
    };
    let mut kept = Map::new();
    for name in ["bruteforce", "app_api", "theming"] {
        if let Some(mut section) = sections.remove(name) {
            if name == "app_api"
                && let Some(fields) = section.as_object_mut()
            {
                fields.remove("loglevel");
            }
            kept.insert(name.to_owned(), section);
        }
    }
    *sections = kept;
}

fn put(all: &mut Value, place: &str, value: Value) {
    if let Some(old) = all.pointer_mut(place) {
        *old = value;
    }
}

fn remove(all: &mut Value, place: &str, field: &str) {
    if let Some(fields) = all.pointer_mut(place).and_then(Value::as_object_mut) {
        fields.remove(field);
    }
}
