//! What Nextcloud asks of the auditor while it registers it as an external app, and what `occ` has to be told.
//!
//! AppAPI's life cycle: <https://docs.nextcloud.com/server/latest/developer_manual/exapp_development/tech_details/>.
//! On 32.0.1 `occ app_api:app:register` asks, in this order: `GET /heartbeat`, `POST /init`, `GET /heartbeat`, `PUT
//! /enabled?enabled=1`; all but heartbeats carry `AUTHORIZATION-APP-API`, `base64(ACCOUNT:SECRET)`. Nothing is asked
//! again afterwards until an administrator enables, disables or unregisters the app.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret as _, SecretString};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// The version to register; requests with a lower one leave it as it is.
const VERSION: &str = "1.0.0";
/// How many calls may wait to be looked at; more are answered all the same.
const WAITING: usize = 64;

/// The auditor as it is to be registered.
#[derive(Clone, Debug)]
pub struct Registration {
    /// Its id.
    pub app_id: String,
    /// Its secret.
    pub secret: SecretString,
}

/// What Nextcloud called for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// Whether somebody is there.
    Heartbeat,
    /// To prepare what the app needs, which is nothing.
    Init,
    /// To take note that it is enabled.
    Enabled,
    /// To take note that it, or the registration before it, is disabled.
    Disabled,
    /// Something with our id and another secret.
    Stranger,
}

impl Registration {
    /// What `occ app_api:app:register` reads, in the form of an app's `info.xml`. It is to be read from standard input,
    /// so that the secret stands in no list of processes.
    #[must_use]
    pub fn info(&self, port: u16) -> SecretString {
        SecretString::from(format!(
            "<info><id>{id}</id><name>{id}</name><version>{VERSION}</version><secret>{}</secret><port>{port}</port></info>\n",
            self.secret.expose_secret(),
            id = self.app_id,
        ))
    }

    fn judge(&self, method: &Method, uri: &Uri, headers: &HeaderMap) -> Option<Call> {
        let call = match (method, uri.path()) {
            (&Method::GET, "/heartbeat") => return Some(Call::Heartbeat),
            (&Method::POST, "/init") => Call::Init,
            (&Method::PUT, "/enabled") => {
                let on = uri
                    .query()
                    .unwrap_or_default()
                    .split('&')
                    .any(|pair| pair == "enabled=1");
                // Taking leave needs no secret of ours: the registration before this one had another.
                if !on {
                    return Some(Call::Disabled);
                }
                Call::Enabled
            }
            _ => return None,
        };
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        // What does not even name this app is nothing to us.
        (text("ex-app-id") == Some(&self.app_id)).then_some(())?;
        let told = text("authorization-app-api")
            .and_then(|told| STANDARD.decode(told).ok())
            .and_then(|told| String::from_utf8(told).ok());
        let secret = told
            .as_deref()
            .and_then(|told| told.split_once(':'))
            .map(|(_, secret)| secret);
        Some(if secret == Some(self.secret.expose_secret()) {
            call
        } else {
            Call::Stranger
        })
    }
}

/// Answers Nextcloud's calls until it is dropped.
#[derive(Debug)]
pub struct Listener {
    address: SocketAddr,
    calls: mpsc::Receiver<Call>,
    stop: CancellationToken,
}

struct Answering {
    registration: Registration,
    calls: mpsc::Sender<Call>,
}

impl Listener {
    /// Begins to answer at an address.
    ///
    /// # Errors
    /// The address cannot be listened at.
    pub async fn open(address: SocketAddr, registration: Registration) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let (sender, calls) = mpsc::channel(WAITING);
        let state = Arc::new(Answering {
            registration,
            calls: sender,
        });
        let stop = CancellationToken::new();
        let app = Router::new().fallback(answer).with_state(state);
        let served = axum::serve(listener, app).with_graceful_shutdown(stop.clone().cancelled_owned());
        tokio::spawn(async move { served.await });
        Ok(Self { address, calls, stop })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The next call.
    pub async fn next(&mut self) -> Option<Call> {
        self.calls.recv().await
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Bodies are not looked at: Nextcloud sends none.
async fn answer(
    State(state): State<Arc<Answering>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let call = state.registration.judge(&method, &uri, &headers);
    if let Some(call) = call {
        // Whoever calls more often than is looked at learns nothing by it.
        let _ = state.calls.try_send(call);
    }
    let (status, body) = match call {
        Some(Call::Heartbeat) => (StatusCode::OK, r#"{"status":"ok"}"#),
        Some(Call::Enabled | Call::Disabled) => (StatusCode::OK, r#"{"error":""}"#),
        Some(Call::Stranger) => (StatusCode::UNAUTHORIZED, "{}"),
        // Nextcloud takes 404 to `/init` for an app that has nothing to prepare.
        Some(Call::Init) | None => (StatusCode::NOT_FOUND, "{}"),
    };
    (status, [(header::CONTENT_TYPE, "application/json")], body).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn registration() -> Registration {
        Registration {
            app_id: "sharewarden".to_owned(),
            secret: SecretString::from("s3cr:et".to_owned()),
        }
    }

    #[test]
    fn calls_are_ours_by_id_and_secret() {
        let judge = |method: Method, path: &str, app: &str, told: &str| {
            let mut headers = HeaderMap::new();
            headers.insert("ex-app-id", app.parse().unwrap());
            headers.insert("authorization-app-api", told.parse().unwrap());
            registration().judge(&method, &path.parse().unwrap(), &headers)
        };
        let ours = STANDARD.encode(":s3cr:et");
        let table = [
            (Method::GET, "/heartbeat", "other", "", Some(Call::Heartbeat)),
            (
                Method::POST,
                "/init",
                "sharewarden",
                ours.as_str(),
                Some(Call::Init),
            ),
            (
                Method::PUT,
                "/enabled?enabled=1",
                "sharewarden",
                &ours,
                Some(Call::Enabled),
            ),
            (
                Method::PUT,
                "/enabled?enabled=0",
                "sharewarden",
                &ours,
                Some(Call::Disabled),
            ),
            (Method::PUT, "/enabled?enabled=1", "other", &ours, None),
            (
                Method::PUT,
                "/enabled?enabled=1",
                "sharewarden",
                "!",
                Some(Call::Stranger),
            ),
            (
                Method::PUT,
                "/enabled?enabled=1",
                "sharewarden",
                "czNjcjpldA==",
                Some(Call::Stranger),
            ),
            (
                Method::PUT,
                "/enabled?enabled=0",
                "sharewarden",
                "!",
                Some(Call::Disabled),
            ),
            (Method::GET, "/enabled", "sharewarden", &ours, None),
            (Method::GET, "/", "sharewarden", &ours, None),
        ];
        for (method, path, app, told, expected) in table {
            assert_eq!(judge(method, path, app, told), expected, "{path} {app} {told}");
        }
    }

    #[test]
    fn recorded_calls_are_understood() {
        let recorded = include_str!("../../../fixtures/wire/nextcloud/exapp_calls.json");
        let recorded: serde_json::Value = serde_json::from_str(recorded).unwrap();
        let registration = Registration {
            app_id: "trial".to_owned(),
            secret: SecretString::from("s3cr&t/abc".to_owned()),
        };
        let judged = recorded["calls"].as_array().unwrap().iter().map(|call| {
            let headers = call["headers"].as_object().unwrap().iter().map(|(name, value)| {
                let name: axum::http::HeaderName = name.to_lowercase().parse().unwrap();
                (name, value.as_str().unwrap().parse().unwrap())
            });
            let method = call["method"].as_str().unwrap().parse().unwrap();
            registration.judge(
                &method,
                &call["path"].as_str().unwrap().parse().unwrap(),
                &headers.collect(),
            )
        });
        let judged: Vec<_> = judged.map(Option::unwrap).collect();
        let expected = [
            Call::Heartbeat,
            Call::Init,
            Call::Heartbeat,
            Call::Enabled,
            Call::Disabled,
        ];
        assert_eq!(judged, expected);
    }

    #[test]
    fn no_debug_shows_the_secret() {
        assert!(!format!("{:?}", registration()).contains("s3cr"));
    }
}
