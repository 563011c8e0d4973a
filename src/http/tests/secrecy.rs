//! No secret in a `Debug`, an error or a log.

use std::{
    io,
    sync::{Arc, Mutex},
};

use secrecy::SecretString;
use tracing_subscriber::fmt::MakeWriter;

use super::{
    super::{Credential, HeaderName, HeaderValue, InvalidCredential, Request},
    client_with, get, ms, post,
    server::{Reply, Server},
};

const SECRETS: [&str; 4] = ["SECRET", "U0VDUkVU", "QUERY", "BODY"];

fn secret(text: &str) -> SecretString {
    SecretString::from(text.to_owned())
}

fn loaded(request: Request) -> Request {
    request
        .credential(
            HeaderName::from_static("authorization"),
            &Credential::basic("SECRET", &secret("SECRET")).unwrap(),
        )
        .credential(
            HeaderName::from_static("authorization-app-api"),
            &Credential::verbatim(&secret("SECRET")).unwrap(),
        )
        .header(
            HeaderName::from_static("cookie"),
            HeaderValue::from_static("SECRET"),
        )
        .body(HeaderValue::from_static("text/plain"), "BODY")
}

fn assert_clean(shown: &str) {
    for secret in SECRETS {
        assert!(!shown.contains(secret), "{secret} in {shown}");
    }
}

/// What was logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

#[tokio::test]
async fn no_log_error_or_debug_holds_a_secret() {
    let log = Log::default();
    // With a single subscriber alive, an event that a thread without it meets first stays off for all.
    let _second = tracing::Dispatch::new(tracing_subscriber::registry());
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .with_writer(log.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    for reply in [
        Reply::new(200, "set-cookie: SECRET\r\n", "BODY"),
        Reply::new(503, "x-token: SECRET\r\n", "BODY"),
        Reply::new(302, "location: http://h.example/SECRET?QUERY\r\n", "BODY"),
        Reply::raw("HTTP/1.1 200 X\r\ncontent-length: 90\r\n\r\nBODY"),
        Reply::raw("SECRET"),
        Reply::nothing(),
        Reply::ok("BODY").after(ms(1500)),
    ] {
        let server = Server::script([reply]).await;
        let client = client_with(&server, |settings| {
            settings.timeouts.idle = ms(150);
            settings.patience.retries = 1;
        });
        for request in [
            loaded(get(&server, "/path?q=QUERY")),
            loaded(post(&server, "/path?q=QUERY")),
        ] {
            assert_clean(&format!("{request:?} {client:?}"));
            match client.send(&request).await {
                Ok(answer) => assert_clean(&format!("{answer:?}")),
                Err(error) => assert_clean(&format!("{error} {error:?}")),
            }
        }
    }
    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert_clean(&log);
    assert!(log.contains("path=\"/path\" status=200"), "{log}");
    assert!(log.contains("attempt=2"), "{log}");
    assert!(log.contains("failed"), "{log}");
}

#[tokio::test]
async fn credentials_are_sent_as_they_should_be() {
    let server = Server::script([Reply::ok("")]).await;
    let client = client_with(&server, |_| {});
    let name = HeaderName::from_static("authorization");
    for (credential, expected) in [
        (
            Credential::basic("ann", &secret("pa:ss")),
            "authorization: Basic YW5uOnBhOnNz\r\n",
        ),
        (
            Credential::bearer(&secret("token")),
            "authorization: Bearer token\r\n",
        ),
        (
            Credential::verbatim(&secret("as it is")),
            "authorization: as it is\r\n",
        ),
    ] {
        let request = get(&server, "/").credential(name.clone(), &credential.unwrap());
        client.send(&request).await.unwrap();
        let head = server.seen().last().unwrap().head.clone();
        assert!(head.contains(expected), "{head}");
    }
}

#[test]
fn a_credential_that_is_no_header_is_refused_without_showing_it() {
    let error = Credential::bearer(&secret("SEC\nRET")).unwrap_err();
    assert_eq!(error, InvalidCredential);
    assert!(!error.to_string().contains("SEC"));
}
