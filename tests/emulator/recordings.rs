//! Compares the emulator with answers recorded from a real Nextcloud: every recorded request is sent again, and the
//! answer must have the same status, headers and structure, and the same values where they can be the same.
//!
//! `fixtures/wire/nextcloud/replay.json` says what has to be changed in the world before a recording is replayed.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use quick_xml::events::Event;
use quick_xml::reader::Reader;
use serde_json::{Value, json};
use sharewarden::emulator::{Emulator, Options, World};

type Failure = Box<dyn Error>;

/// Recordings that the emulator does not answer, each with the reason.
const NOT_COVERED: [(&str, &str); 9] = [
    (
        "g51_oauth2_token.json",
        "OAuth2 needs one consent per account: no way to audit all, so not emulated",
    ),
    (
        "g54_oauth2_refresh.json",
        "OAuth2 needs one consent per account: no way to audit all, so not emulated",
    ),
    (
        "k02_calendars_propfind_publish_url.xml",
        "calendars are not emulated",
    ),
    (
        "exapp_calls.json",
        "calls that the server makes: compared in `the_calls_to_an_external_app_are_alike`",
    ),
    (
        "occ_app_api_app_list.txt",
        "output of a command on the server, no answer over HTTP",
    ),
    (
        "occ_share_list_all_crash.txt",
        "output of a command on the server, no answer over HTTP",
    ),
    (
        "occ_share_list_owner_bob.json",
        "output of a command on the server, no answer over HTTP",
    ),
    (
        "occ_share_list_owner_erin.json",
        "output of a command on the server, no answer over HTTP",
    ),
    (
        "occ_share_list_owner_erin.txt",
        "output of a command on the server, no answer over HTTP",
    ),
];

/// JSON fields whose values must be equal, not only their types.
const TELLING: [&str; 41] = [
    "status",
    "statuscode",
    "message",
    "id",
    "share_type",
    "uid_owner",
    "displayname_owner",
    "permissions",
    "can_edit",
    "can_delete",
    "uid_file_owner",
    "displayname_file_owner",
    "note",
    "label",
    "path",
    "item_type",
    "item_permissions",
    "is-mount-root",
    "mount-type",
    "mimetype",
    "storage_id",
    "item_source",
    "file_source",
    "file_target",
    "share_with_displayname",
    "share_with_displayname_unique",
    "mail_send",
    "hide_download",
    "attributes",
    "expiration",
    "enabled",
    "enforced",
    "days",
    "email",
    "groups",
    "subadmin",
    "users",
    "quota",
    "limit",
    "version",
    "storageLocation",
];

/// Fields whose values the emulator computes more simply than the server.
const LOOSE: [&str; 1] = ["used"];

#[tokio::test]
async fn every_recording_is_answered_alike() -> Result<(), Failure> {
    let index: Value = serde_json::from_slice(&std::fs::read(folder().join("index.json"))?)?;
    let replay: BTreeMap<String, Value> =
        serde_json::from_slice(&std::fs::read(folder().join("replay.json"))?)?;
    let world = World::from_json(&std::fs::read(worlds().join("recordings.json"))?)?;
    let client = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .build()?;
    let mut differences = Vec::new();
    let mut left_out = Vec::new();
    let recordings = index["recordings"]
        .as_array()
        .ok_or("the index lists recordings")?;
    for recording in recordings {
        let file = recording["file"].as_str().ok_or("a recording names its file")?;
        if NOT_COVERED.iter().any(|(known, _)| *known == file) {
            left_out.push(file);
            continue;
        }
        let before = file
            .split('_')
            .next()
            .and_then(|prefix| replay.get(prefix))
            .cloned()
            .unwrap_or_default();
        let found = compare(&client, world.clone(), recording, &before)
            .await
            .map_err(|error| format!("{file}: {error}"))?;
        differences.extend(
            found
                .into_iter()
                .map(|difference| format!("{file}: {difference}")),
        );
    }
    assert!(
        differences.is_empty(),
        "{} differences:\n{}",
        differences.len(),
        differences.join("\n")
    );
    let listed: Vec<&str> = NOT_COVERED.iter().map(|(file, _)| *file).collect();
    assert_eq!(
        left_out, listed,
        "NOT_COVERED lists exactly the recordings that are left out"
    );
    Ok(())
}

/// Registers and removes the recorded app, with a listener of the test's own, and compares what the listener is asked.
#[tokio::test]
async fn the_calls_to_an_external_app_are_alike() -> Result<(), Failure> {
    let recorded: Value = serde_json::from_slice(&std::fs::read(folder().join("exapp_calls.json"))?)?;
    let recorded = recorded["calls"].as_array().ok_or("the recording lists calls")?;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let port = listener.local_addr()?.port();
    let listening = tokio::spawn(listen(listener, recorded.len()));
    let emulator = Emulator::start(World::demo(), Options::default()).await?;
    let client = reqwest::Client::new();
    let occ = async |arguments: &[&str], stdin: &str| {
        let command = json!({"arguments": arguments, "stdin": stdin});
        let url = emulator.nextcloud_url().join("__emulator/occ")?;
        let ended: Value = client.post(url).json(&command).send().await?.json().await?;
        Ok::<Value, Failure>(ended["status"].clone())
    };
    let daemon = [
        "app_api:daemon:register",
        "trial",
        "trial",
        "manual-install",
        "http",
        "127.0.0.1",
        "http://127.0.0.1",
    ];
    assert_eq!(occ(&daemon, "").await?, 0);
    let info = format!(
        "<info><id>trial</id><name>trial</name><version>1.0.0</version><secret>s3cr&amp;t/abc</secret>\
         <port>{port}</port></info>"
    );
    let register = [
        "app_api:app:register",
        "trial",
        "trial",
        "--wait-finish",
        "--info-xml",
        "php://stdin",
    ];
    assert_eq!(occ(&register, &info).await?, 0);
    assert_eq!(occ(&["app_api:app:unregister", "trial"], "").await?, 0);
    let sent = listening.await??;
    for (recorded, (line, headers)) in recorded.iter().zip(&sent) {
        let (method, path) = (recorded["method"].as_str(), recorded["path"].as_str());
        assert_eq!(
            line.split(' ').take(2).collect::<Vec<_>>(),
            [method.unwrap_or_default(), path.unwrap_or_default()]
        );
        // The recording went from a command run in English, and asked for packed answers.
        let told = recorded["headers"].as_object().cloned().unwrap_or_default();
        let left_out = ["host", "accept-encoding", "accept-language", "connection"];
        let expected: BTreeMap<String, String> = told
            .iter()
            .map(|(name, value)| (name.to_lowercase(), value.as_str().unwrap_or_default().to_owned()))
            .filter(|(name, _)| !left_out.contains(&name.as_str()))
            .collect();
        let mut headers = headers.clone();
        headers.retain(|name, _| !left_out.contains(&name.as_str()));
        assert_eq!(headers, expected, "{line}");
    }
    Ok(())
}

type Heard = (String, BTreeMap<String, String>);

/// Answers as an external app so many times; what it heard.
async fn listen(listener: tokio::net::TcpListener, times: usize) -> Result<Vec<Heard>, std::io::Error> {
    use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
    let mut heard = Vec::new();
    while heard.len() < times {
        let (stream, _) = listener.accept().await?;
        let (read, mut write) = stream.into_split();
        let mut lines = BufReader::new(read).lines();
        let first = lines.next_line().await?.unwrap_or_default();
        let mut headers = BTreeMap::new();
        while let Some(line) = lines.next_line().await?.filter(|line| !line.is_empty()) {
            if let Some((name, value)) = line.split_once(": ") {
                headers.insert(name.to_lowercase(), value.to_owned());
            }
        }
        let (status, body) = match first.split(['?', ' ']).nth(1) {
            Some("/heartbeat") => ("200 OK", "{\"status\":\"ok\"}"),
            Some("/enabled") => ("200 OK", "{\"error\":\"\"}"),
            _ => ("404 Not Found", "{}"),
        };
        let answer = format!(
            "HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        write.write_all(answer.as_bytes()).await?;
        heard.push((first, headers));
    }
    Ok(heard)
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn folder() -> PathBuf {
    root().join("fixtures/wire/nextcloud")
}

fn worlds() -> PathBuf {
    root().join("fixtures/worlds")
}

/// Replays one recording on a fresh emulator and returns what differs.
async fn compare(
    client: &reqwest::Client,
    world: World,
    recording: &Value,
    before: &Value,
) -> Result<Vec<String>, Failure> {
    let emulator = Emulator::start(world, Options::default()).await?;
    let base = emulator.nextcloud_url();
    if let Some(changes) = before.get("changes") {
        let answer = client
            .post(base.join("__emulator/change")?)
            .json(changes)
            .send()
            .await?;
        if !answer.status().is_success() {
            return Err(answer.text().await?.into());
        }
    }
    for _ in 0..before["wrong_first"].as_u64().unwrap_or(0) {
        request(client, &base, recording, &json!({"password": "wrong"}), None)?
            .send()
            .await?;
    }
    let token = match before["grant"].as_str() {
        Some(account) => Some(granted(client, &base, account).await?),
        None => None,
    };
    let answer = request(client, &base, recording, before, token.as_deref())?
        .send()
        .await?;
    let mut differences = Vec::new();
    let expected = recording["status"].as_u64().unwrap_or(0);
    if u64::from(answer.status().as_u16()) != expected {
        differences.push(format!("status {} instead of {expected}", answer.status()));
    }
    compare_headers(&answer, recording, &mut differences);
    let body = answer.text().await?;
    let recorded = std::fs::read_to_string(folder().join(recording["file"].as_str().unwrap_or_default()))?;
    compare_bodies(&recorded, &body, &mut differences)?;
    drop(emulator);
    Ok(differences)
}

async fn granted(client: &reqwest::Client, base: &url::Url, account: &str) -> Result<String, Failure> {
    let flow: Value = client
        .post(base.join("index.php/login/v2")?)
        .send()
        .await?
        .json()
        .await?;
    let grant = json!({"account": account, "login": flow["login"]});
    client
        .post(base.join("__emulator/grant")?)
        .json(&grant)
        .send()
        .await?
        .error_for_status()?;
    Ok(flow["poll"]["token"].as_str().unwrap_or_default().to_owned())
}

fn request(
    client: &reqwest::Client,
    base: &url::Url,
    recording: &Value,
    before: &Value,
    token: Option<&str>,
) -> Result<reqwest::RequestBuilder, Failure> {
    let method = reqwest::Method::from_bytes(recording["method"].as_str().unwrap_or_default().as_bytes())?;
    let path = recording["path"].as_str().unwrap_or_default();
    let mut request = client.request(method, base.join(path)?);
    let wrong = before["password"].as_str();
    for (name, value) in recording["request_headers"].as_object().into_iter().flatten() {
        let value = value.as_str().unwrap_or_default();
        let value = if let Some(account) = between(value, "base64(\"", ":<secret>") {
            STANDARD.encode(format!("{account}:{}", wrong.unwrap_or("lab-app-secret")))
        } else if let Some(account) = between(value, "Basic <", ":secret>") {
            format!(
                "Basic {}",
                STANDARD.encode(format!("{account}:{}", wrong.unwrap_or("lab-password")))
            )
        } else {
            value.to_owned()
        };
        request = request.header(name, value);
    }
    match recording.get("request_body") {
        Some(Value::String(body)) => request = request.body(body.clone()),
        Some(body) if before["json"].as_bool() == Some(true) => request = request.json(body),
        Some(Value::Object(fields)) => {
            let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let mut form: BTreeMap<String, String> = fields
                .iter()
                .map(|(key, value)| (key.clone(), text(value)))
                .collect();
            if let Some(token) = token {
                form.insert("token".into(), token.to_owned());
            }
            request = request.form(&form);
        }
        _ => {}
    }
    Ok(request)
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    text.strip_prefix(before)?
        .split_once(after)
        .map(|(middle, _)| middle)
}

fn compare_headers(answer: &reqwest::Response, recording: &Value, differences: &mut Vec<String>) {
    let recorded = recording["response_headers"]
        .as_object()
        .cloned()
        .unwrap_or_default();
    let recorded: BTreeMap<String, Value> = recorded
        .into_iter()
        .map(|(name, value)| (name.to_lowercase(), value))
        .collect();
    for name in [
        "content-type",
        "x-user-id",
        "www-authenticate",
        "x-nextcloud-maintenance-mode",
        "dav",
        "retry-after",
    ] {
        let sent = answer.headers().get(name).and_then(|value| value.to_str().ok());
        let expected = recorded.get(name).and_then(Value::as_str);
        // The framework's own error page says who is logged in; the emulated one is the same for all.
        let page = name == "x-user-id"
            && recording["file"]
                .as_str()
                .is_some_and(|file| file.starts_with('j'));
        if sent != expected && !page {
            differences.push(format!("header {name}: {sent:?} instead of {expected:?}"));
        }
    }
}

fn compare_bodies(recorded: &str, sent: &str, differences: &mut Vec<String>) -> Result<(), Failure> {
    if recorded.starts_with("<!DOCTYPE") {
        if !sent.starts_with("<!DOCTYPE") {
            differences.push("not the HTML page".into());
        }
    } else if recorded.starts_with("<?xml") {
        let (recorded, sent) = (outline(recorded)?, outline(sent)?);
        for line in recorded.iter().filter(|line| !sent.contains(line)) {
            differences.push(format!("missing {line}"));
        }
        for line in sent.iter().filter(|line| !recorded.contains(line)) {
            differences.push(format!("too much {line}"));
        }
        if recorded.len() != sent.len() && differences.is_empty() {
            differences.push(format!("{} elements instead of {}", sent.len(), recorded.len()));
        }
    } else if !recorded.trim().is_empty() {
        let (recorded, sent): (Value, Value) = (serde_json::from_str(recorded)?, serde_json::from_str(sent)?);
        compare_values("", &recorded, &sent, differences);
    } else if !sent.is_empty() {
        differences.push(format!("a body of {} bytes instead of none", sent.len()));
    }
    Ok(())
}

fn compare_values(at: &str, recorded: &Value, sent: &Value, differences: &mut Vec<String>) {
    let field = at.rsplit('.').next().unwrap_or_default();
    match (recorded, sent) {
        (Value::Object(recorded), Value::Object(sent)) => {
            for key in recorded.keys().filter(|key| !sent.contains_key(*key)) {
                differences.push(format!("{at} lacks `{key}`"));
            }
            for (key, value) in sent {
                match recorded.get(key) {
                    Some(known) => compare_values(&format!("{at}.{key}"), known, value, differences),
                    None => differences.push(format!("{at} has `{key}`")),
                }
            }
        }
        (Value::Array(recorded), Value::Array(sent)) => {
            if recorded.len() != sent.len() {
                differences.push(format!(
                    "{at} has {} items instead of {}",
                    sent.len(),
                    recorded.len()
                ));
            }
            let (recorded, sent) = (ordered(recorded), ordered(sent));
            for (index, (known, value)) in recorded.iter().zip(&sent).enumerate() {
                let name = known
                    .get("id")
                    .and_then(Value::as_str)
                    .map_or_else(|| index.to_string(), str::to_owned);
                compare_values(&format!("{at}[{name}]"), known, value, differences);
            }
        }
        _ if std::mem::discriminant(recorded) != std::mem::discriminant(sent) => {
            differences.push(format!("{at} is {sent} instead of {recorded}"));
        }
        _ if TELLING.contains(&field) && !LOOSE.contains(&field) && recorded != sent => {
            differences.push(format!("{at} is {sent} instead of {recorded}"));
        }
        _ => {}
    }
}

/// Shares by id: the server's order within one kind is the database's.
fn ordered(items: &[Value]) -> Vec<&Value> {
    let mut items: Vec<&Value> = items.iter().collect();
    items.sort_by_key(|item| item.get("id").and_then(Value::as_str).unwrap_or_default());
    items
}

/// One line for each element, with its path, and its text where that tells something; responses named by their href.
fn outline(xml: &str) -> Result<Vec<String>, Failure> {
    const TEXTS: [&str; 14] = [
        "d:href",
        "d:status",
        "oc:fileid",
        "oc:share-type",
        "oc:owner-id",
        "oc:size",
        "oc:permissions",
        "oc:id",
        "nc:contained-file-count",
        "nc:contained-folder-count",
        "nc:sharee",
        "s:exception",
        "s:message",
        "statuscode",
    ];
    let mut reader = Reader::from_str(xml);
    reader.config_mut().trim_text(true);
    let mut path: Vec<String> = Vec::new();
    let mut href = String::new();
    let mut lines = Vec::new();
    loop {
        match reader.read_event()? {
            Event::Start(start) => {
                path.push(start.name().as_ref().to_owned());
                lines.push(format!("{href} {}", path.join("/")));
            }
            Event::Empty(empty) => {
                lines.push(format!("{href} {}/{}/", path.join("/"), empty.name().as_ref()));
            }
            Event::End(_) if path.pop().as_deref() == Some("d:response") => href.clear(),
            Event::Text(text) => {
                let name = path.last().map(String::as_str).unwrap_or_default();
                if name == "d:href" {
                    href = text.to_string();
                }
                if TEXTS.contains(&name) {
                    lines.push(format!("{href} {} = {}", path.join("/"), &*text));
                }
            }
            Event::Eof => break,
            _ => {}
        }
    }
    lines.sort();
    Ok(lines)
}
