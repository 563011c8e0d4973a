//! An emulated server and what changes it, in one process.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use globset::GlobSet;
use secrecy::SecretString;
use serde_json::{Value, json};
use sharewarden::emulator::{Emulator, Options, World};
use sharewarden::http;
use sharewarden::model::{Classes, ItemKind, ProblemCode, Share, SourceName};
use sharewarden::provider::nextcloud::{Credential, HomeSearch, Nextcloud, Setup};
use sharewarden::provider::{ChangeEffect, Found, Place, Target, WriteError, Writer as _};
use tokio_util::sync::CancellationToken;
use url::Url;

pub(crate) fn small() -> Value {
    serde_json::from_str(include_str!("../../fixtures/worlds/small.json")).unwrap()
}

pub(crate) struct Stage {
    _emulator: Emulator,
    pub(crate) url: Url,
    pub(crate) writer: Nextcloud,
    client: reqwest::Client,
}

/// The auditor of the world of few shares.
pub(crate) fn app(secret: &str) -> Credential {
    Credential::AppApi {
        app_id: "sharewarden".to_owned(),
        admin: "admin".to_owned(),
        secret: SecretString::from(secret.to_owned()),
    }
}

pub(crate) fn passwords(of: &[(&str, &str)]) -> Credential {
    let of = of.iter();
    Credential::Passwords(
        of.map(|(name, password)| ((*name).to_owned(), SecretString::from((*password).to_owned())))
            .collect::<BTreeMap<_, _>>(),
    )
}

pub(crate) fn writer(url: &Url, credential: Credential) -> Nextcloud {
    let setup = Setup {
        source: SourceName::new("cloud"),
        url: url.clone(),
        credential,
        statistics_token: None,
        excluded: (GlobSet::empty(), GlobSet::empty()),
        home_search: HomeSearch::Off,
        disabled_links_dead: false,
        stop_after: Duration::from_mins(10),
        classes: Arc::new(Classes::default()),
        evidence: false,
        now: "2026-11-22T12:00:00Z".parse().unwrap(),
    };
    let mut settings = http::Settings::new(url.clone());
    settings.limits.requests_per_second = f64::INFINITY;
    settings.patience.backoff = Duration::from_millis(1);
    Nextcloud::new(setup, settings, CancellationToken::new()).unwrap()
}

impl Stage {
    pub(crate) async fn small() -> Self {
        Self::of(&small(), app("small-app-secret")).await
    }

    pub(crate) async fn of(world: &Value, credential: Credential) -> Self {
        let world = World::from_json(world.to_string().as_bytes()).unwrap();
        let emulator = Emulator::start(world, Options::default()).await.unwrap();
        let url = emulator.nextcloud_url();
        Self {
            writer: writer(&url, credential),
            url,
            _emulator: emulator,
            client: reqwest::Client::builder().no_proxy().build().unwrap(),
        }
    }

    async fn steer(&self, method: reqwest::Method, what: &str, body: Option<Value>) -> Value {
        let url = self.url.join(&format!("__emulator/{what}")).unwrap();
        let mut request = self.client.request(method, url);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await.unwrap();
        assert!(answer.status().is_success(), "the emulator refuses {what}");
        answer.json().await.unwrap()
    }

    pub(crate) async fn change(&self, change: Value) {
        self.steer(reqwest::Method::POST, "change", Some(change)).await;
    }

    pub(crate) async fn fault(&self, fault: Value) {
        self.steer(reqwest::Method::POST, "fault", Some(fault)).await;
    }

    pub(crate) async fn clock(&self, now: &str) {
        self.steer(reqwest::Method::POST, "clock", Some(json!({"set": now})))
            .await;
    }

    /// Every share that the server stores, by id.
    pub(crate) async fn stored(&self) -> BTreeMap<u64, Value> {
        let rows = self.steer(reqwest::Method::GET, "shares", None).await;
        let rows = rows.as_array().unwrap().iter();
        rows.map(|row| (row["id"].as_u64().unwrap(), row.clone()))
            .collect()
    }

    /// The methods and paths of all requests so far, with the query.
    pub(crate) async fn asked(&self) -> Vec<String> {
        let log = self.steer(reqwest::Method::GET, "requests", None).await;
        let log = log["requests"].as_array().unwrap().iter();
        log.map(|one| {
            format!(
                "{} {}",
                one["method"].as_str().unwrap(),
                one["path"].as_str().unwrap()
            )
        })
        .collect()
    }

    /// How many requests of a method there were.
    pub(crate) async fn count(&self, start: &str) -> usize {
        self.asked()
            .await
            .iter()
            .filter(|one| one.starts_with(start))
            .count()
    }

    /// The id of an item, as the server tells it of a share.
    async fn item(&self, share: u64, owner: &str) -> Place {
        let path = format!("ocs/v2.php/apps/files_sharing/api/v1/shares/{share}?format=json");
        let token = base64(&format!("{owner}:small-app-secret"));
        let answer = self.client.get(self.url.join(&path).unwrap());
        let answer = answer
            .header("OCS-APIRequest", "true")
            .header("EX-APP-ID", "sharewarden")
            .header("EX-APP-VERSION", "1.0.0")
            .header("AUTHORIZATION-APP-API", token);
        let body: Value = answer.send().await.unwrap().json().await.unwrap();
        let one = &body["ocs"]["data"][0];
        Place {
            id: one["item_source"].as_u64().unwrap().to_string(),
            kind: if one["item_type"] == "folder" {
                ItemKind::Folder
            } else {
                ItemKind::File
            },
            drive: None,
        }
    }

    /// A share of alice's, to be changed in somebody's name.
    pub(crate) async fn target(&self, share: u64, act_as: &str) -> Target {
        Target {
            share: share.to_string(),
            act_as: Some(act_as.to_owned()),
            item: self.item(share, "alice").await,
        }
    }

    /// Reads a share that is there.
    pub(crate) async fn share(&self, target: &Target) -> Share {
        match self.writer.read(target).await.unwrap() {
            Found::Share(share) => *share,
            other => panic!("{target:?}: {other:?}"),
        }
    }
}

fn base64(text: &str) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(text)
}

/// Insists on what is known of a change that failed, and that what is said holds some words and no secret.
#[track_caller]
pub(crate) fn failed<T: std::fmt::Debug>(
    result: Result<T, WriteError>,
    effect: ChangeEffect,
    code: ProblemCode,
    words: &str,
) {
    let error = result.unwrap_err();
    assert_eq!((error.effect, error.code), (effect, code), "{error}");
    assert!(error.message.contains(words), "{error}");
    for secret in ["small-app-secret", "argon2", "app-password"] {
        assert!(!error.message.contains(secret), "{error}");
    }
}
