//! Signing in, against small servers on this machine that answer as a test says.

mod application;
mod device;
mod hostile;
mod keeping;
mod machine;
mod person;
mod server;

use std::sync::LazyLock;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rcgen::{CertificateParams, KeyPair, PKCS_RSA_SHA256};
use secrecy::SecretString;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use url::Url;

use self::server::{Reply, Server};
use super::{Credential, Environment, TokenSetup, Tokens};
use crate::http;
use crate::model::ProblemCode;
use crate::provider::ReadError;

const TENANT: &str = "contoso.example";
const CLIENT: &str = "11111111-2222-3333-4444-555555555555";
const SECRET: &str = "hunter2-the-secret";

/// An RSA key, made once for all tests; that takes a while.
static KEY: LazyLock<KeyPair> = LazyLock::new(|| KeyPair::generate_for(&PKCS_RSA_SHA256).unwrap());

/// A certificate of the key, good from one year to another.
fn certificate(from: i32, to: i32) -> String {
    let mut params = CertificateParams::new(["auditor.example".to_owned()]).unwrap();
    params.not_before = rcgen::date_time_ymd(from, 1, 1);
    params.not_after = rcgen::date_time_ymd(to, 1, 1);
    params.self_signed(&*KEY).unwrap().pem()
}

fn http_settings(url: &Url) -> http::Settings {
    http::Settings {
        limits: http::Limits {
            requests_per_second: f64::INFINITY,
            in_flight: 8,
        },
        patience: http::Patience {
            retries: 2,
            total: Duration::from_secs(5),
            backoff: Duration::from_micros(100),
        },
        proxy: http::Proxy::Direct,
        ..http::Settings::new(url.clone())
    }
}

fn setup(server: &Server, credential: Credential) -> TokenSetup {
    TokenSetup {
        tenant: TENANT.to_owned(),
        client_id: Some(CLIENT.to_owned()),
        login_url: server.url.clone(),
        graph_url: Url::parse("https://graph.example/v1.0/").unwrap(),
        credential,
        environment: Environment::default(),
        http: http_settings(&server.url),
    }
}

fn tokens(server: &Server, credential: Credential) -> Tokens {
    Tokens::new(setup(server, credential), CancellationToken::new()).unwrap()
}

fn by_secret(server: &Server) -> Tokens {
    let secret = SecretString::from(SECRET);
    tokens(server, Credential::ClientSecret { secret })
}

/// A token without a signature, as far as its reader cares.
fn jwt(payload: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.c2ln", part(&json!({"alg": "none"})), part(payload))
}

fn good(token: &str) -> Reply {
    let body =
        json!({"token_type": "Bearer", "expires_in": 3599, "ext_expires_in": 3599, "access_token": token});
    Reply::json(200, &body)
}

fn code(error: &ReadError) -> ProblemCode {
    match error {
        ReadError::Service { code, .. } => *code,
        ReadError::Closed(_) => panic!("nobody listens"),
    }
}
