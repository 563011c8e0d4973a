//! What types show of themselves, and with it what a panic could say: nothing of a secret.
//!
//! Every type that holds one is filled with marks and shown, and every reading and share that the adapters tell. That no other
//! type is added is seen in the source: whatever can be shown holds no text of that name.

use std::collections::BTreeMap;
use std::fmt::{Debug, Write as _};
use std::fs;
use std::path::Path;
use std::time::Duration;

use secrecy::SecretString;
use sharewarden::config::{Credentials, Grantor, SignedIn};
use sharewarden::enforce::Revealed;
use sharewarden::http;
use sharewarden::model::{Classes, KnownScope, Reading, Relist};
use sharewarden::notify::attachment::Passwords;
use sharewarden::notify::{Login, Outgoing, Protection, Server, Times};
use sharewarden::provider::microsoft365::auth::{Credential as Application, Environment, Keep, TokenSetup};
use sharewarden::provider::nextcloud::Credential;
use sharewarden::provider::{Reader, Sink};
use tokio::sync::mpsc;

use super::marks::{self, Secrets, mark};
use super::search::Search;
use crate::changes::{Scene, Service};
use crate::harness::{block_on, list};

/// Whatever was shown of so many types.
#[derive(Default)]
struct Shown {
    secrets: Secrets,
    text: String,
}

impl Shown {
    fn secret(&mut self, name: &str) -> SecretString {
        self.secrets.insert(name.to_owned(), mark(name).into_bytes());
        SecretString::from(mark(name))
    }

    fn of(&mut self, what: &impl Debug) {
        writeln!(self.text, "{what:?}\n{what:#?}").unwrap();
    }

    fn clean(&self) {
        assert!(self.text.len() > 200);
        let found = Search::new(&self.secrets).of(self.text.as_bytes());
        let found: Vec<String> = found.iter().map(ToString::to_string).collect();
        assert!(found.is_empty(), "{}", found.join("\n"));
    }
}

fn url(text: &str) -> url::Url {
    text.parse().unwrap()
}

#[test]
fn no_credential_of_a_service_shows_its_secret() {
    let mut shown = Shown::default();
    let app = Credential::AppApi {
        app_id: "a".into(),
        admin: "b".into(),
        secret: shown.secret("the AppAPI secret"),
    };
    shown.of(&app);
    let password = shown.secret("an app password");
    shown.of(&Credential::Passwords(BTreeMap::from([(
        "alice".to_owned(),
        password,
    )])));
    let mut environment = Environment::of(|_| None);
    environment.identity_header = Some(shown.secret("the identity header"));
    for credential in [
        Application::Certificate {
            pem: shown.secret("the private key"),
        },
        Application::ClientSecret {
            secret: shown.secret("the client secret"),
        },
        Application::DeviceCode {
            refresh_token: shown.secret("the refresh token"),
            keep: Keep::new(|_| Ok(())),
        },
    ] {
        shown.of(&TokenSetup {
            tenant: "example.org".to_owned(),
            client_id: None,
            login_url: url("https://login.example"),
            graph_url: url("https://graph.example"),
            credential,
            environment: environment.clone(),
            http: http::Settings::new(url("https://login.example")),
        });
    }
    shown.clean();
}

#[test]
fn no_request_shows_what_it_shows_to_the_service() {
    let mut shown = Shown::default();
    let proxy = mark("the password of the proxy");
    shown.secret("the password of the proxy");
    let mut settings = http::Settings::new(url("https://cloud.example"));
    settings.proxy = http::Proxy::Through(url(&format!("http://user:{proxy}@proxy.example:3128")));
    shown.of(&settings);
    let client = http::Client::new(settings, tokio_util::sync::CancellationToken::new());
    shown.of(&client);
    let header = http::HeaderName::from_static("authorization");
    let basic = http::Credential::basic("alice", &shown.secret("a password of Basic")).unwrap();
    let bearer = http::Credential::bearer(&shown.secret("a token of Bearer")).unwrap();
    for credential in [basic, bearer] {
        shown.of(&credential);
        let request = http::Request::new(
            http::Method::POST,
            url("https://cloud.example/?token=k7Rt9w2Xq4mZp1Ls8Vb5"),
        );
        let request = request.credential(header.clone(), &credential);
        shown.of(&request.body(
            http::HeaderValue::from_static("text/plain"),
            mark("the body of a request"),
        ));
    }
    shown.secret("the body of a request");
    shown.secrets.insert(
        "what a request's address says".to_owned(),
        b"k7Rt9w2Xq4mZp1Ls8Vb5".to_vec(),
    );
    shown.clean();
}

#[test]
fn nothing_that_is_sent_or_kept_shows_its_secret() {
    let mut shown = Shown::default();
    let folder = tempfile::tempdir().unwrap();
    let login = Login {
        user: "audit".to_owned(),
        password: shown.secret("the password of the mail account"),
    };
    let times = Times {
        open: Duration::ZERO,
        answer: Duration::ZERO,
        take: Duration::ZERO,
    };
    let server = Server {
        host: "mail".to_owned(),
        port: 25,
        protection: Protection::None,
        login: Some(login),
        times,
    };
    shown.of(&server);
    shown.of(&Outgoing::smtp(server));
    let mut passwords = Passwords::open(&folder.path().join("attachments.key")).unwrap();
    passwords
        .agree(
            "alice@example.org",
            Some(shown.secret("a password that was agreed")),
        )
        .unwrap();
    shown.secrets.insert(
        "the key of passwords".to_owned(),
        fs::read(folder.path().join("attachments.key")).unwrap(),
    );
    shown.of(&passwords);
    let source = sharewarden::model::SourceName::new("cloud");
    let password = shown.secret("the password of a link that was made again");
    shown.of(&Revealed {
        source: &source,
        share: "1",
        path: None,
        password: &password,
    });
    let grantor = Grantor::Nextcloud {
        url: url("https://cloud.example"),
    };
    let signed_in = SignedIn {
        grantor,
        user: "alice".to_owned(),
        secret: shown.secret("what was signed in with"),
    };
    shown.of(&signed_in);
    let kept = Credentials::beside(&folder.path().join("state.db"));
    shown.of(&kept);
    shown.clean();
}

/// All that an adapter tells of a service, as it is shown.
fn readings(reader: &dyn Reader) -> (Vec<Reading>, String) {
    block_on(async {
        let (sender, mut batches) = mpsc::channel(1000);
        let sink = Sink::new(sharewarden::model::SourceName::new("cloud"), sender);
        let mut shown = format!("{:?}\n", reader.open().await);
        reader.discover(&[], &sink).await.unwrap();
        let mut all = Vec::new();
        while let Ok(batch) = batches.try_recv() {
            all.extend(batch.readings);
        }
        let scopes: Vec<KnownScope> = all.iter().filter_map(known).collect();
        assert!(scopes.len() > 5, "{all:?}");
        for scope in scopes {
            reader.read(scope, &sink).await;
        }
        while let Ok(batch) = batches.try_recv() {
            all.extend(batch.readings);
        }
        for reading in &all {
            writeln!(shown, "{reading:?}").unwrap();
        }
        (all, shown)
    })
}

fn known(reading: &Reading) -> Option<KnownScope> {
    let now = crate::harness::NOW.parse().unwrap();
    match reading {
        Reading::Scope(scope) => Some(KnownScope {
            scope: scope.clone(),
            searched_at: None,
            checkpoint: None,
            relist: Relist {
                now,
                before: now,
                least: 0,
            },
            changed: Vec::new(),
        }),
        _ => None,
    }
}

#[test]
fn nothing_that_an_adapter_tells_shows_a_secret() {
    for service in [Service::Nextcloud, Service::Microsoft] {
        let mut world = service.world();
        let secrets = marks::marked(&mut world);
        if service == Service::Microsoft {
            list(&mut world["microsoft365"]["sites"])
                .retain(|site| site["locked"] != true && site["refused"] != true);
        }
        let scene = Scene::of(service, &world, "");
        let reader = scene.reader(Classes::default());
        let (all, text) = readings(reader.as_ref());
        let shares = all
            .iter()
            .filter(|reading| matches!(reading, Reading::Share(_)))
            .count();
        assert!(shares > 5, "{text}");
        let settings = format!("{:#?}", scene.settings());
        let report = scene.ledger();
        let shown = Shown {
            secrets,
            text: format!("{text}\n{settings}\n{report:?}"),
        };
        shown.clean();
    }
}

/// What a field is called that holds a secret.
const NAMES: [&str; 7] = [
    "token",
    "password",
    "secret",
    "passphrase",
    "assertion",
    "credential",
    "pem",
];
/// What holds a text.
const TEXTS: [&str; 6] = ["String", "str", "Vec<u8>", "Bytes", "Value", "Box<[u8]>"];

/// The types of a file that show themselves by themselves, and hold a text of such a name.
fn showing(text: &str) -> Vec<String> {
    let (mut found, mut derives, mut inside) = (Vec::new(), false, None);
    for line in text.lines() {
        let bare = line
            .trim_start_matches("pub")
            .trim_start_matches("(super)")
            .trim_start_matches("(crate)")
            .trim_start();
        let name = ["struct ", "enum "]
            .iter()
            .find_map(|kind| bare.strip_prefix(kind));
        if line.starts_with("#[derive(") {
            derives = line.contains("Debug");
        } else if let Some(name) = name {
            let name = name
                .split(|sign: char| !sign.is_alphanumeric())
                .next()
                .unwrap_or_default();
            inside = (derives && line.ends_with('{')).then(|| name.to_owned());
            derives = false;
        } else if line == "}" {
            inside = None;
        } else if let (Some(name), Some((field, kind))) = (&inside, line.split_once(": ")) {
            let field = field.rsplit(' ').next().unwrap_or_default();
            let is_text = TEXTS.iter().any(|text| kind.contains(text)) && !kind.contains("SecretString");
            if is_text && NAMES.iter().any(|name| field.contains(name)) {
                found.push(format!("{name}.{field}"));
            }
        }
    }
    found
}

#[test]
fn no_type_shows_a_text_that_is_called_a_secret() {
    let bad = "#[derive(Clone, Debug)]\npub(crate) struct Bad<'a> {\n    /// It.\n    pub(super) link_token: Option<Cow<'a, str>>,\n}\n";
    assert_eq!(showing(bad), ["Bad.link_token"]);
    let mut found = Vec::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && !path.ends_with("emulator") && !path.ends_with("tests") {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") && !path.ends_with("tests.rs") {
                let text = fs::read_to_string(&path).unwrap();
                let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
                found.extend(
                    showing(text)
                        .into_iter()
                        .map(|name| format!("{}: {name}", path.display())),
                );
            }
        }
    }
    assert!(
        found.is_empty(),
        "derive no `Debug`, or hold it as a secret:\n{}",
        found.join("\n")
    );
}
