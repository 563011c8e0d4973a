//! A listener between the program and the emulators: it hears every byte, learns the secrets that services make up
//! themselves, and can answer in a service's place with what it just heard.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use url::Url;

use super::marks::{Secrets, note, note_json};
use crate::harness::block_on;

/// What a service that means no good answers with the credentials it was just shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// A page with this status.
    Page(u16),
    /// A refusal with this status, as each service words it.
    Refusal(u16),
    /// A redirect to an address that holds them.
    Redirect,
    /// JSON as it should be, with them where numbers, objects and lists belong.
    WrongTypes,
    /// JSON with them for keys.
    Keys,
    /// XML with them for elements, attributes and entities.
    Xml,
    /// The right answer, with them in its headers.
    Headers,
    /// A list that goes on elsewhere, at an address that holds them.
    Elsewhere,
    /// The beginning of the right answer, and then they.
    Broken,
}

/// All of them.
pub(super) const ANSWERS: [Answer; 14] = [
    Answer::Page(200),
    Answer::Page(401),
    Answer::Page(500),
    Answer::Refusal(400),
    Answer::Refusal(401),
    Answer::Refusal(403),
    Answer::Refusal(404),
    Answer::Redirect,
    Answer::WrongTypes,
    Answer::Keys,
    Answer::Xml,
    Answer::Headers,
    Answer::Elsewhere,
    Answer::Broken,
];

#[derive(Default)]
struct Heard {
    wire: Vec<u8>,
    secrets: Secrets,
    /// How it answers, to requests whose path holds this.
    answers: Option<(String, Answer)>,
    times: usize,
}

/// A listener before one emulated service.
pub(super) struct Tap {
    /// Where the program is to go.
    pub(super) url: Url,
    heard: Arc<Mutex<Heard>>,
}

impl Tap {
    /// Listens before the service at an address.
    pub(super) fn before(service: &Url) -> Self {
        let heard = Arc::new(Mutex::new(Heard::default()));
        let client = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .unwrap();
        let (noted, service) = (heard.clone(), service.clone());
        let passing = move |method: Method, uri: Uri, headers: HeaderMap, body: Bytes| {
            let (heard, client, service) = (noted.clone(), client.clone(), service.clone());
            async move {
                pass(
                    &heard,
                    &client,
                    &service,
                    Asked {
                        method,
                        uri,
                        headers,
                        body,
                    },
                )
                .await
            }
        };
        let url = block_on(async {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            tokio::spawn(async move { axum::serve(listener, Router::new().fallback(passing)).await });
            Url::parse(&format!("http://{address}/")).unwrap()
        });
        Self { url, heard }
    }

    /// Lets requests whose path holds this be answered so, or all again as they should be.
    pub(super) fn answers(&self, answers: Option<(&str, Answer)>) {
        let mut heard = self.heard.lock().unwrap();
        heard.answers = answers.map(|(path, answer)| (path.to_owned(), answer));
        heard.times = 0;
    }

    /// How many requests were answered so.
    pub(super) fn times(&self) -> usize {
        self.heard.lock().unwrap().times
    }

    /// Every byte that went over the wire, in both directions.
    pub(super) fn wire(&self) -> Vec<u8> {
        self.heard.lock().unwrap().wire.clone()
    }

    /// What was a secret of it.
    pub(super) fn secrets(&self) -> Secrets {
        self.heard.lock().unwrap().secrets.clone()
    }
}

struct Asked {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
}

impl Asked {
    /// What was shown to prove who asks: as it was sent, and what it says.
    fn credentials(&self) -> Vec<String> {
        let mut shown = Vec::new();
        for name in [
            "authorization",
            "authorization-app-api",
            "nc-token",
            "x-identity-header",
        ] {
            let Some(value) = self.headers.get(name).and_then(|value| value.to_str().ok()) else {
                continue;
            };
            let bare = value.split_whitespace().last().unwrap_or_default();
            let unpacked = STANDARD
                .decode(bare)
                .ok()
                .and_then(|bytes| String::from_utf8(bytes).ok());
            if let Some((_, secret)) = unpacked.as_deref().and_then(|pair| pair.split_once(':')) {
                shown.push(secret.to_owned());
            }
            shown.push(bare.to_owned());
        }
        let typed = self
            .headers
            .get(header::CONTENT_TYPE)
            .and_then(|value| value.to_str().ok());
        if typed.is_some_and(|typed| typed.contains("form-urlencoded")) {
            for (name, value) in url::form_urlencoded::parse(&self.body) {
                if [
                    "client_assertion",
                    "client_secret",
                    "device_code",
                    "password",
                    "refresh_token",
                    "token",
                ]
                .contains(&name.as_ref())
                {
                    shown.push(value.into_owned());
                }
            }
        }
        shown
    }
}

/// Asks the service, listens, and passes its answer on, or another.
async fn pass(heard: &Mutex<Heard>, client: &reqwest::Client, service: &Url, asked: Asked) -> Response {
    let path = asked
        .uri
        .path_and_query()
        .map_or("/", |path| path.as_str())
        .to_owned();
    let of = format!("{} {}", asked.method, asked.uri.path());
    let credentials = asked.credentials();
    let answers = {
        let mut heard = heard.lock().unwrap();
        hear(
            &mut heard,
            &of,
            &format!("{} {path}", asked.method),
            &asked.headers,
            &asked.body,
        );
        let is_pair =
            |credential: &String| STANDARD.decode(credential).is_ok_and(|pair| pair.contains(&b':'));
        for credential in credentials.iter().filter(|credential| !is_pair(credential)) {
            note(&mut heard.secrets, &format!("what {of} showed"), credential);
        }
        let answers = heard
            .answers
            .clone()
            .filter(|(part, _)| path.contains(part.as_str()));
        heard.times += usize::from(answers.is_some());
        answers.map(|(_, answer)| answer)
    };
    let words = credentials.join(" ");
    let is_token = path.contains("oauth2") || path.contains("/msi/");
    if let Some(made) = answers.and_then(|answer| made(answer, &words, is_token)) {
        return made;
    }
    let url = service.join(&path).unwrap();
    let sent = client
        .request(asked.method, url)
        .headers(asked.headers)
        .body(asked.body)
        .send()
        .await;
    let Ok(answer) = sent else {
        return Response::builder().status(502).body(Body::empty()).unwrap();
    };
    let (status, headers) = (answer.status(), answer.headers().clone());
    let body = answer.bytes().await.unwrap_or_default();
    hear(&mut heard.lock().unwrap(), &of, status.as_str(), &headers, &body);
    passed_on(status, headers, body, answers, &words)
}

fn passed_on(
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
    answers: Option<Answer>,
    words: &str,
) -> Response {
    let body = if answers == Some(Answer::Broken) {
        Bytes::from([&body[..body.len() / 2], words.as_bytes()].concat())
    } else {
        body
    };
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    for own in [
        header::CONTENT_LENGTH,
        header::TRANSFER_ENCODING,
        header::CONNECTION,
    ] {
        response.headers_mut().remove(own);
    }
    if answers == Some(Answer::Headers) {
        for name in [
            "x-user-id",
            "x-request-id",
            "request-id",
            "client-request-id",
            "www-authenticate",
            "retry-after",
            "ratelimit-reset",
            "date",
            "set-cookie",
            "location",
            "x-nextcloud-maintenance-mode",
            "server",
        ] {
            let value = HeaderValue::try_from(words).unwrap();
            response
                .headers_mut()
                .insert(HeaderName::from_static(name), value);
        }
    }
    response
}

fn hear(heard: &mut Heard, of: &str, line: &str, headers: &HeaderMap, body: &[u8]) {
    heard.wire.extend_from_slice(line.as_bytes());
    for (name, value) in headers {
        heard.wire.extend_from_slice(format!("\n{name}: ").as_bytes());
        heard.wire.extend_from_slice(value.as_bytes());
    }
    heard.wire.extend_from_slice(b"\n\n");
    heard.wire.extend_from_slice(body);
    heard.wire.push(b'\n');
    if let Ok(value) = serde_json::from_slice::<Value>(body) {
        note_json(&mut heard.secrets, of, &value);
    }
}

/// An answer that no service was asked for.
fn made(answer: Answer, words: &str, is_token: bool) -> Option<Response> {
    let respond = |status: u16, kind: &str, body: String| {
        let response = Response::builder()
            .status(status)
            .header(header::CONTENT_TYPE, kind);
        Some(response.body(Body::from(body)).unwrap())
    };
    let json = |status: u16, value: Value| respond(status, "application/json", value.to_string());
    match answer {
        Answer::Page(status) => {
            let page = format!(
                "<!DOCTYPE html><html><head><title>{words}</title></head><body>{words}</body></html>"
            );
            respond(status, "text/html", page)
        }
        Answer::Refusal(status) if is_token => json(
            status,
            json!({
                "error": "invalid_client", "error_description": format!("AADSTS7000999: {words}. {words}"),
                "error_codes": [7_000_999], "message": words,
            }),
        ),
        // What Nextcloud and Graph say, in one.
        Answer::Refusal(status) => json(
            status,
            json!({
                "ocs": {"meta": {"status": "failure", "statuscode": 998, "message": words}, "data": []},
                "error": {"code": words, "message": words, "innerError": {"code": words}},
                "message": words,
            }),
        ),
        Answer::Redirect => {
            let place: String = url::form_urlencoded::byte_serialize(words.as_bytes()).collect();
            let place = format!("http://elsewhere.example/{place}?token={place}#{place}");
            Some(
                Response::builder()
                    .status(302)
                    .header(header::LOCATION, place)
                    .body(Body::empty())
                    .unwrap(),
            )
        }
        Answer::WrongTypes => json(
            200,
            json!({
                "ocs": {"meta": {"status": words, "statuscode": words, "message": words}, "data": words},
                "value": words, "access_token": [words], "token_type": words, "expires_in": words, "poll": words,
                "login": words, "id": {"id": words}, "responses": words, "installed": words, "@odata.nextLink": [words],
                "device_code": [words], "user_code": {"code": words}, "interval": words,
            }),
        ),
        Answer::Keys => json(
            200,
            json!({
                "ocs": {"meta": {words: words}, "data": {words: {words: words}}},
                "value": [{words: words, "id": {words: words}}, words], words: words,
                "responses": [{words: words, "id": words, "status": words, "body": {words: words}}],
            }),
        ),
        Answer::Xml => respond(
            207,
            "application/xml",
            format!(
                "<?xml version=\"1.0\"?><d:multistatus xmlns:d=\"DAV:\"><{words} {words}=\"&{words};\"><d:href>&{words};</d:href></{words}x>"
            ),
        ),
        Answer::Elsewhere => {
            let place: String = url::form_urlencoded::byte_serialize(words.as_bytes()).collect();
            let place = format!("http://elsewhere.example/{place}?token={place}");
            json(
                200,
                json!({"value": [], "@odata.nextLink": place, "@odata.deltaLink": place,
                "poll": {"token": words, "endpoint": place}, "login": place,
                "ocs": {"meta": {"status": "ok", "statuscode": 200, "message": place}, "data": [place]}}),
            )
        }
        Answer::Headers | Answer::Broken => None,
    }
}
