//! What fuzzing holds the decoders of Nextcloud's answers to, beside that no bytes make them panic.

use bytes::Bytes;
use futures::FutureExt as _;
use jiff::tz::TimeZone;
use serde_json::{Value, json};
use url::Url;

use super::activity::Entry;
use super::dav::{Multistatus, Resource};
use super::people::{Users, accounts};
use super::share::{Reading, loosely};
use super::splitter::{SplitError, Splitter};
use super::{activity, ocs, settings, share};
use crate::http::{Answer, HeaderMap, Request, StatusCode};
use crate::model::{Share, ShareKind, SourceName};
use crate::provider::ReadError;

/// In which pieces an answer arrives.
const PIECES: [usize; 3] = [1, 7, 64];
/// A secret that no input holds.
const SECRET: &str = "CaNaRyCaNaRy";
/// A server's words are shown in so many characters, each of which may have to be written as an escape, and ours around them.
const LONGEST_WORDS: usize = 200 * 10 + 400;

fn base() -> Option<Url> {
    Url::parse("https://cloud.example.org/").ok()
}

fn request() -> Option<Request> {
    base().map(Request::get)
}

/// A list of shares: cut into its entries, each decoded.
pub(crate) fn listing(data: &[u8]) {
    let whole = cut(data, data.len().max(1));
    for step in PIECES {
        assert_eq!(cut(data, step), whole, "in pieces of {step}");
    }
    let (Ok((elements, envelope)), Some(request)) = (whole, request()) else {
        return;
    };
    for element in &elements {
        entry(element);
    }
    let rest = ocs::decode::<Value>(&request, &HeaderMap::new(), &envelope);
    if rest.is_ok_and(|rest| rest == json!([]))
        && let Ok(answer) = serde_json::from_slice::<Value>(data)
    {
        // What passes for a list of shares is one, and no entry of it is lost.
        let cut: Option<Vec<Value>> = elements
            .iter()
            .map(|element| serde_json::from_slice(element).ok())
            .collect();
        assert_eq!(
            cut.map(Value::Array).as_ref(),
            answer.pointer("/ocs/data"),
            "the entries"
        );
    }
}

/// The entries and what stands around them.
type Cut = (Vec<Vec<u8>>, Vec<u8>);

fn cut(data: &[u8], step: usize) -> Result<Cut, SplitError> {
    let mut splitter = Splitter::default();
    let mut elements = Vec::new();
    for mut piece in data.chunks(step) {
        while let Some(element) = splitter.next(&mut piece)? {
            elements.push(element.to_vec());
        }
    }
    Ok((elements, splitter.envelope()))
}

/// One entry of a list of shares.
pub(crate) fn entry(data: &[u8]) {
    let decoded = decode(data, share::decode);
    let is_object = data.trim_ascii_start().starts_with(b"{");
    assert!(is_object || decoded.is_err(), "{decoded:?}");
    // What is passed over by the one way may be no JSON at all.
    let other = decode(data, loosely);
    assert!(other.is_err() || other == decoded, "{decoded:?} or {other:?}");
    let (Ok(share), Ok(Value::Object(mut fields))) = (decoded, serde_json::from_slice(data)) else {
        return;
    };
    let longest = [&share.item.path, &share.owner.id]
        .into_iter()
        .chain(&share.label)
        .chain(&share.link)
        .map(|text| text.chars().count())
        .max();
    assert!(longest <= Some(8_001), "names are bounded");
    let address = fields.get("url").and_then(Value::as_str).unwrap_or_default();
    fields.insert("url".to_owned(), json!(format!("{address}{SECRET}")));
    fields.insert("token".to_owned(), json!(SECRET));
    let hash = json!(format!("3|$argon2id$v=19$m=65536{SECRET}"));
    if matches!(share.kind, ShareKind::Link | ShareKind::Other) {
        fields.insert("share_with".to_owned(), hash.clone());
    }
    fields.insert("password".to_owned(), hash);
    let told = decode(Value::Object(fields).to_string().as_bytes(), share::decode);
    let shown = format!("{told:?} {}", json!(told.as_ref().ok()));
    assert!(told.is_ok() && !shown.contains(SECRET), "{shown}");
}

fn decode(data: &[u8], how: impl Fn(&[u8], &Reading<'_>) -> Result<Share, String>) -> Result<Share, String> {
    let base = base().ok_or_else(String::new)?;
    let source = SourceName::new("cloud");
    let reading = Reading {
        source: &source,
        base: &base,
        account: "alice",
        zone: &TimeZone::UTC,
    };
    how(data, &reading)
}

/// An answer to any other question, good or not.
pub(crate) fn answer(data: &[u8]) {
    let Some(request) = request() else { return };
    let headers = HeaderMap::new();
    if let Ok(told) = ocs::decode::<Value>(&request, &headers, data) {
        let _facts = settings::facts(&told);
        let _off = settings::sharing_is_off(&told);
        let _counts = settings::counts(&told);
        for entry in told.as_array().into_iter().flatten() {
            let _read = activity::time(entry).and_then(|at| Entry::of(entry, at));
        }
    }
    if let Ok(Users { users }) = ocs::decode(&request, &headers, data) {
        let listed = users.as_array().map(Vec::len);
        let listed = listed.or_else(|| users.as_object().map(serde_json::Map::len));
        if let Ok(accounts) = accounts(users) {
            assert_eq!(Some(accounts.len()), listed, "no account is lost");
        }
    }
    for status in [200, 304, 400, 401, 403, 404, 412, 429, 500, 503] {
        let answer = Answer {
            status: StatusCode::from_u16(status).unwrap_or_default(),
            headers: headers.clone(),
            body: Bytes::copy_from_slice(data),
        };
        let words = ocs::refusal(&request, &answer).to_string();
        assert!(words.len() <= LONGEST_WORDS, "{} bytes", words.len());
        assert!(!words.chars().any(char::is_control), "{words:?}");
        let _final = ocs::is_final(&answer);
    }
}

/// A WebDAV multistatus answer.
pub(crate) fn multistatus(data: &[u8]) {
    let whole = resources(data, data.len().max(1));
    for step in PIECES {
        assert_eq!(resources(data, step), whole, "in pieces of {step}");
    }
    let (Ok(read) | Err((read, _))) = whole;
    let texts = read.iter().flat_map(|resource| {
        let filled = [
            &resource.file_id,
            &resource.owner,
            &resource.owner_name,
            &resource.name,
            &resource.tag_id,
        ];
        std::iter::once(resource.href.len())
            .chain(filled.into_iter().flatten().map(String::len))
            .chain([resource.share_types.len()])
    });
    assert!(texts.sum::<usize>() <= data.len(), "nothing is expanded");
}

/// What was read of an answer; and how it failed, in words.
type Read = Result<Vec<Resource>, (Vec<Resource>, String)>;

fn resources(data: &[u8], step: usize) -> Read {
    let pieces = data.chunks(step).map(Bytes::copy_from_slice).collect();
    let mut answer = Multistatus::in_pieces(pieces);
    let mut read = Vec::new();
    loop {
        let next = answer.next().now_or_never();
        match next {
            Some(Ok(Some(resource))) => read.push(resource),
            Some(Ok(None)) => return Ok(read),
            Some(Err(error)) => return Err((read, words(&error))),
            None => return Err((read, "it waits for what is there".to_owned())),
        }
    }
}

fn words(error: &ReadError) -> String {
    let words = error.to_string();
    assert!(words.len() <= LONGEST_WORDS, "{} bytes", words.len());
    words
}
