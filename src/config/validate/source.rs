//! The sources.

use std::{collections::BTreeMap, ops::Range};

use super::Context;
use crate::{
    config::{
        Diagnostic, SecretRef, addresses,
        settings::{
            Cloud, DisabledAccounts, Include, MicrosoftAuth, MicrosoftExclude, MicrosoftLimits,
            MicrosoftSettings, NextcloudAuth, NextcloudExclude, NextcloudLimits, NextcloudSettings,
            SourceDetails, SourceSettings, StatedSettings, UsersFile,
        },
        values::Wrong,
        written::{self, At, Microsoft, Nextcloud, Source},
    },
    model::{SourceKind, SourceName},
};

/// The sources, in the order of the files; those that are not whole are left out and reported.
pub(super) fn sources(it: &mut Context<'_>, written: &[At<Source>]) -> Vec<SourceSettings> {
    let mut names: BTreeMap<&str, Range<usize>> = BTreeMap::new();
    let mut sources = Vec::new();
    for entry in written {
        let name = match entry.get() {
            Source::Nextcloud(source) => &source.name,
            Source::Microsoft365(source) => &source.name,
        };
        if let Some(first) = names.get(name.get().as_str()) {
            let twice = Diagnostic::error(format!("two sources are called `{}`", name.get()))
                .at(it.texts.place(&name.span()), "the second")
                .at(it.texts.place(first), "the first")
                .remedy("give one of them another name; a new name makes its findings new ones");
            it.errors.push(twice);
        }
        names.entry(name.get()).or_insert(name.span());
        let called = it
            .one("name", name, source_name)
            .unwrap_or_else(|| SourceName::new(name.get()));
        let kind = match entry.get() {
            Source::Nextcloud(source) => {
                nextcloud(it, source, &entry.span()).map(|it| SourceDetails::Nextcloud(Box::new(it)))
            }
            Source::Microsoft365(source) => {
                microsoft(it, source, &entry.span()).map(|it| SourceDetails::Microsoft365(Box::new(it)))
            }
        };
        sources.extend(kind.map(|kind| SourceSettings { name: called, kind }));
    }
    if written.is_empty() {
        nothing(it);
    }
    sources
}

fn nothing(it: &mut Context<'_>) {
    if it.taken.contains("source") {
        return;
    }
    let diagnostic = Diagnostic::error("the configuration names no source");
    let diagnostic = it.texts.main().into_iter().fold(diagnostic, Diagnostic::in_file);
    it.errors.push(diagnostic.remedy(
        "add a [[source]] with `name`, `kind`, `url` and `auth`; config.example.toml is one to start from",
    ));
}

/// A source's name and kind, whatever else is wrong with it.
pub(super) fn written_as(source: &Source) -> (&str, SourceKind) {
    match source {
        Source::Nextcloud(source) => (source.name.get(), SourceKind::Nextcloud),
        Source::Microsoft365(source) => (source.name.get(), SourceKind::Microsoft365),
    }
}

fn source_name(text: &str) -> Result<SourceName, Wrong> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    if text.len() <= 64 && text.bytes().all(fits) && text.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        return Ok(SourceName::new(text));
    }
    Err(Wrong {
        what: format!("`{text}` cannot name a source"),
        remedy: "use letters, digits, `-`, `_` and `.`, a letter or digit first, 64 at most".to_owned(),
    })
}

fn nextcloud(it: &mut Context<'_>, written: &Nextcloud, span: &Range<usize>) -> Option<NextcloudSettings> {
    let name = written.name.get();
    let url = it.maybe("url", written.url.as_ref(), addresses::base_url);
    if written.url.is_none() {
        let what = format!("`url` is missing in the source `{name}`");
        it.missing(span, "url", &what, "add `url = \"https://cloud.example.org\"`");
    }
    if written.auth.is_none() {
        no_auth(
            it,
            span,
            name,
            "auth = { method = \"app-password\", user = \"alice\", password = { env = \"NC_PASSWORD\" } }",
        );
    }
    let auth = written.auth.as_ref().map(|auth| nextcloud_auth(it, auth));
    // What is wrong elsewhere in the source is found before what is missing ends this.
    let proxy = it.maybe("proxy", written.proxy.as_ref(), addresses::proxy_url);
    let limits = NextcloudLimits {
        requests_per_second: written.limits.requests_per_second,
        in_flight: written.limits.in_flight,
        stop_after: it.period("stop_after", &written.limits.stop_after),
        idle_timeout: it.period("idle_timeout", &written.limits.idle_timeout),
        relist_every: it.age("relist_every", &written.limits.relist_every),
    };
    let exclude = NextcloudExclude {
        users: it.patterns("users", &written.exclude.users),
        groups: it.patterns("groups", &written.exclude.groups),
    };
    Some(NextcloudSettings {
        url: url?,
        auth: auth?,
        statistics_token: written.statistics_token.as_ref().map(|secret| it.secret(secret)),
        enforce_auth: written.enforce_auth.as_ref().map(|auth| nextcloud_auth(it, auth)),
        enforce: written.enforce,
        limits,
        proxy,
        exclude,
        disabled_accounts: match written.disabled_accounts {
            written::DisabledAccounts::Nightly => DisabledAccounts::Nightly,
            written::DisabledAccounts::Weekly => DisabledAccounts::Weekly,
            written::DisabledAccounts::Off => DisabledAccounts::Off,
        },
        hide_disabled_user_shares: written.hide_disabled_user_shares,
        ca_file: written.ca_file.as_ref().map(|path| it.file(path)),
    })
}

fn no_auth(it: &mut Context<'_>, span: &Range<usize>, name: &str, example: &str) {
    let what = format!("`auth` is missing in the source `{name}`");
    it.missing(span, "auth", &what, &format!("add `{example}`"));
}

fn nextcloud_auth(it: &mut Context<'_>, written: &At<written::NextcloudAuth>) -> NextcloudAuth {
    match written.get() {
        written::NextcloudAuth::AppApi {
            app_id,
            admin,
            secret,
        } => NextcloudAuth::AppApi {
            app_id: app_id.get().clone(),
            admin: admin.get().clone(),
            secret: it.secret(secret),
        },
        written::NextcloudAuth::AppPassword { user, password } => NextcloudAuth::AppPassword {
            user: user.get().clone(),
            password: it.secret(password),
        },
        written::NextcloudAuth::AppPasswords { file } => {
            NextcloudAuth::AppPasswords(UsersFile(it.file(file)))
        }
        written::NextcloudAuth::Login {} => NextcloudAuth::Login,
    }
}

fn microsoft(it: &mut Context<'_>, written: &Microsoft, span: &Range<usize>) -> Option<MicrosoftSettings> {
    let name = written.name.get();
    if written.auth.is_none() {
        no_auth(
            it,
            span,
            name,
            "auth = { method = \"certificate\", file = \"/etc/sharewarden/m365.pem\" }",
        );
    }
    let tenant = it.maybe("tenant", written.tenant.as_ref(), tenant);
    if written.tenant.is_none() {
        let what = format!("`tenant` is missing in the source `{name}`");
        it.missing(
            span,
            "tenant",
            &what,
            "add `tenant = \"contoso.onmicrosoft.com\"`, or the tenant's id",
        );
    }
    let client_id = it.maybe("client_id", written.client_id.as_ref(), client_id);
    let auth = written.auth.as_ref().map(|auth| microsoft_auth(it, auth));
    if written.client_id.is_none() && !matches!(auth, None | Some(MicrosoftAuth::ManagedIdentity)) {
        let what = format!("`client_id` is missing in the source `{name}`");
        it.missing(
            span,
            "client_id",
            &what,
            "add the application's (client) id, as its registration shows it",
        );
    }
    let cloud = match written.cloud {
        written::Cloud::Global => Cloud::Global,
        written::Cloud::UsGovHigh => Cloud::UsGovHigh,
        written::Cloud::UsGovDod => Cloud::UsGovDod,
        written::Cloud::China => Cloud::China,
    };
    let login_url = endpoint(it, "login_url", written.login_url.as_ref(), cloud.login_url());
    let graph_url = endpoint(it, "graph_url", written.graph_url.as_ref(), cloud.graph_url());
    let include = include(it, &written.include, span);
    let limits = limits(it, written);
    let proxy = it.maybe("proxy", written.proxy.as_ref(), addresses::proxy_url);
    let exclude = MicrosoftExclude {
        users: it.patterns("users", &written.exclude.users),
        groups: it.patterns("groups", &written.exclude.groups),
        sites: it.patterns("sites", &written.exclude.sites),
    };
    Some(MicrosoftSettings {
        tenant: tenant?,
        client_id,
        auth: auth?,
        enforce_auth: written.enforce_auth.as_ref().map(|auth| microsoft_auth(it, auth)),
        enforce: written.enforce,
        cloud,
        include,
        license_count: written.license_count,
        limits,
        login_url: login_url?,
        graph_url: graph_url?,
        proxy,
        exclude,
        ca_file: written.ca_file.as_ref().map(|path| it.file(path)),
        stated: StatedSettings {
            anonymous_link_expiry_days: written.stated.anonymous_link_expiry_days,
            anonymous_link_types: written.stated.anonymous_link_types.as_deref().map(link_types),
        },
    })
}

fn endpoint(it: &mut Context<'_>, key: &str, word: Option<&At<String>>, usual: &str) -> Option<url::Url> {
    match word {
        Some(word) => it.one(key, word, addresses::base_url),
        None => url::Url::parse(usual).ok(),
    }
}

fn tenant(text: &str) -> Result<String, Wrong> {
    let text = text.trim();
    if is_guid(text) || text.contains('.') && addresses::domain(text).is_ok() {
        return Ok(text.to_lowercase());
    }
    Err(Wrong {
        what: format!("`{text}` is no tenant"),
        remedy: "write the tenant's id or one of its domains, such as \"contoso.onmicrosoft.com\"".to_owned(),
    })
}

fn client_id(text: &str) -> Result<String, Wrong> {
    let text = text.trim();
    if is_guid(text) {
        return Ok(text.to_lowercase());
    }
    Err(Wrong {
        what: format!("`{text}` is no application's id"),
        remedy: "write it as the app's registration shows it: \"11111111-2222-3333-4444-555555555555\""
            .to_owned(),
    })
}

fn is_guid(text: &str) -> bool {
    let lengths: Vec<_> = text.split('-').map(str::len).collect();
    lengths == [8, 4, 4, 4, 12] && text.bytes().all(|byte| byte == b'-' || byte.is_ascii_hexdigit())
}

fn microsoft_auth(it: &mut Context<'_>, written: &At<written::MicrosoftAuth>) -> MicrosoftAuth {
    match written.get() {
        written::MicrosoftAuth::Certificate { file } => MicrosoftAuth::Certificate {
            pem: SecretRef::file(it.path(file), it.texts.place(&file.span())),
        },
        written::MicrosoftAuth::ClientSecret { secret } => MicrosoftAuth::ClientSecret {
            secret: it.secret(secret),
        },
        written::MicrosoftAuth::DeviceCode {} => MicrosoftAuth::DeviceCode,
        written::MicrosoftAuth::ManagedIdentity {} => MicrosoftAuth::ManagedIdentity,
        written::MicrosoftAuth::WorkloadIdentity {} => MicrosoftAuth::WorkloadIdentity,
    }
}

fn include(it: &mut Context<'_>, written: &[written::Include], span: &Range<usize>) -> Vec<Include> {
    if written.is_empty() {
        it.missing(
            span,
            "include",
            "`include` is empty: nothing would be read",
            "write `include = [\"onedrive\", \"sites\"]`",
        );
    }
    let mut include: Vec<_> = written
        .iter()
        .map(|what| match what {
            written::Include::Onedrive => Include::Onedrive,
            written::Include::Sites => Include::Sites,
        })
        .collect();
    include.sort_unstable();
    include.dedup();
    include
}

fn link_types(written: &[written::LinkType]) -> Vec<&'static str> {
    let mut types = written.to_vec();
    types.sort_unstable();
    types.dedup();
    let name = |kind| match kind {
        written::LinkType::View => "view",
        written::LinkType::Edit => "edit",
        written::LinkType::Upload => "upload",
    };
    types.into_iter().map(name).collect()
}

fn limits(it: &mut Context<'_>, written: &Microsoft) -> MicrosoftLimits {
    let (a_minute, a_day) = MicrosoftLimits::units_for(written.license_count.unwrap_or(1));
    MicrosoftLimits {
        units_per_minute: written.limits.units_per_minute.unwrap_or(a_minute),
        units_per_day: written.limits.units_per_day.unwrap_or(a_day),
        in_flight: written.limits.in_flight,
        stop_after: it.period("stop_after", &written.limits.stop_after),
        idle_timeout: it.period("idle_timeout", &written.limits.idle_timeout),
        relist_every: it.age("relist_every", &written.limits.relist_every),
    }
}
