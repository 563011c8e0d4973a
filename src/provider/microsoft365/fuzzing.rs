//! What fuzzing holds the decoders of Graph's answers to, beside that no bytes make them panic.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use jiff::Timestamp;
use serde_json::{Value, json};
use url::Url;

use super::batch::Responses;
use super::crawl;
use super::drives::Drive;
use super::errors;
use super::key::Key;
use super::memory::{Memory, Next};
use super::people::Directory;
use super::permission::claim::Claim;
use super::permission::wire::Permission;
use super::permission::{Decoded, Decoder};
use super::tree::{self, Tree};
use super::wire::{Page, Told};
use crate::http::StatusCode;
use crate::model::{Classes, Item, ItemKind, Principal, PrincipalClass, Relist, ShareKind, SourceName};

/// Where the service is, and where to go on.
const BASE: &str = "https://graph.example/v1.0/";
const CHANGES: &str = "https://graph.example/v1.0/drives/x/root/delta?token=1";
/// A secret that no input holds.
const SECRET: &str = "CaNaRyCaNaRy";
/// The service's words are shown in so many bytes, ours around them among these.
const LONGEST_WORDS: usize = 2 * 200 * 4 + 400;
/// How many items a page has at most that is taken in twice.
const FEW: usize = 200;

fn classes() -> Option<Classes> {
    let patterns = ["**/HR", "**/HR/**", "*.kdbx"].map(str::to_owned).to_vec();
    Classes::compile(&[("confidential".to_owned(), patterns, Vec::new())]).ok()
}

/// A page of any collection: none of its elements is lost, and its addresses are as they stand there.
fn page<T: serde::de::DeserializeOwned>(data: &[u8]) -> Option<Page<T>> {
    let page = Page::<T>::read(data)?;
    assert_eq!(page.bytes, data.len());
    if let Ok(told) = serde_json::from_slice::<Value>(data) {
        let listed = told.get("value").and_then(Value::as_array).map(Vec::len);
        assert_eq!(Some(page.elements.len()), listed);
        let address = |name: &str| told.get(name).and_then(Value::as_str);
        assert_eq!(page.next.as_deref(), address("@odata.nextLink"));
        assert_eq!(page.delta.as_deref(), address("@odata.deltaLink"));
    }
    Some(page)
}

/// A page of a drive's items, as its tree takes them in.
pub(crate) fn delta(data: &[u8]) {
    let (Some(classes), Some(told)) = (classes(), page::<tree::Told>(data)) else {
        return;
    };
    let compared = told.elements.len() <= FEW && tells_its_top(data);
    let mut memory = taken(&classes, told.elements);
    if compared && let Some(again) = Page::<tree::Told>::read(data) {
        // Whoever is told the same again knows the same.
        let before = known(&memory.tree);
        crawl::take(&mut memory.tree, again.elements);
        assert_eq!(known(&memory.tree), before, "told twice");
    }
    worked_with(memory, &classes);
}

/// Whether a page tells the top of its drive. Where none does, one of the folders that are named counts as it until it is told
/// to be something else.
fn tells_its_top(data: &[u8]) -> bool {
    let told: Value = serde_json::from_slice(data).unwrap_or_default();
    let mut items = told.get("value").and_then(Value::as_array).into_iter().flatten();
    items.any(|item| item.get("root").is_some_and(Value::is_object) && item.get("id").is_some_and(is_told))
}

fn is_told(id: &Value) -> bool {
    id.as_str().is_some_and(|id| !id.is_empty())
}

fn taken(classes: &Classes, elements: Vec<Told<tree::Told>>) -> Memory {
    let mut memory = Memory::new(classes);
    memory.tree.key = Key::KNOWN;
    memory.next = Some(Next::Changes(CHANGES.to_owned()));
    crawl::take(&mut memory.tree, elements);
    memory.tree.settle();
    memory
}

/// Every item is to be listed.
fn all() -> Relist {
    Relist {
        now: Timestamp::UNIX_EPOCH,
        before: Timestamp::MAX,
        least: u64::MAX,
    }
}

/// What is known of each item that has sharing of its own.
fn known(tree: &Tree) -> Vec<String> {
    let mut known: Vec<String> = tree
        .due(&all())
        .into_iter()
        .filter_map(|digest| tree.root(digest))
        .map(|root| {
            let above = tree.folders_above(root);
            let open = (root.width, root.kind, root.size);
            format!("{} {:?} {open:?} {above:?}", root.id, tree.path_of(root))
        })
        .collect();
    known.sort_unstable();
    known
}

/// Whatever is remembered of a drive can be worked with, and written and read again.
fn worked_with(mut memory: Memory, classes: &Classes) {
    memory.tree.settle();
    let beneath = memory.tree.beneath(classes);
    let _gone = memory.tree.take_gone();
    let _ended = memory.tree.take_ended();
    let _drifted = memory.tree.take_drifted(&beneath, classes);
    let _known = known(&memory.tree);
    memory.tree.compact();
    let state = memory.tree.state();
    let (Some(written), Ok(base)) = (memory.write(), Url::parse(BASE)) else {
        return;
    };
    let again = Memory::read(&written.concat(), classes, &base);
    assert_eq!(
        again.map(|again| again.tree.state()),
        Some(state),
        "written and read again"
    );
}

/// What is kept of a drive from night to night: such bytes, and others made of the true ones by edits, three bytes each.
pub(crate) fn memory(data: &[u8]) {
    let (Some(classes), Ok(base)) = (classes(), Url::parse(BASE)) else {
        return;
    };
    let page = json!({"value": [
        {"id": "top", "root": {}, "folder": {}, "shared": {}},
        {"id": "a", "name": "A", "folder": {}, "parentReference": {"id": "top"}, "shared": {"scope": "users"}},
        {"id": "f", "name": "f", "file": {}, "parentReference": {"id": "a"}, "shared": {"scope": "anonymous"}},
        {"id": "g", "name": "HR", "file": {}, "parentReference": {"id": "a"}},
    ]});
    let Some(told) = Page::read(page.to_string().as_bytes()) else {
        return;
    };
    let mut edited = taken(&classes, told.elements)
        .write()
        .unwrap_or_default()
        .concat();
    for edit in data.chunks_exact(3) {
        if let [high, low, byte] = edit {
            let at = usize::from(u16::from_be_bytes([*high, *low])) % edited.len().max(1);
            if let Some(place) = edited.get_mut(at) {
                *place = *byte;
            }
        }
    }
    for data in [data, &edited] {
        if let Some(memory) = Memory::read(data, &classes, &base) {
            worked_with(memory, &classes);
        }
    }
}

/// A list of the permissions of an item.
pub(crate) fn permissions(data: &[u8]) {
    let Some(told) = page::<Permission>(data) else {
        return;
    };
    for element in told.elements {
        if let Decoded::Share(share, _) = decode(element, ItemKind::Folder) {
            // A grant that opens to nobody is one that is not understood.
            let understood = share.anonymous
                || !share.recipients.is_empty()
                || ["audience", "recipients"]
                    .iter()
                    .any(|field| share.unknown.iter().any(|unknown| unknown == field));
            assert!(understood || share.kind == ShareKind::Link, "{share:?}");
            assert!(share.unknown.is_sorted(), "{:?}", share.unknown);
        }
    }
    let Ok(mut told) = serde_json::from_slice::<Value>(data) else {
        return;
    };
    for permission in told
        .get_mut("value")
        .and_then(Value::as_array_mut)
        .into_iter()
        .flatten()
    {
        if let Some(link) = permission.get_mut("link").and_then(Value::as_object_mut) {
            let address = link
                .get("webUrl")
                .and_then(Value::as_str)
                .unwrap_or("https://a.example/");
            link.insert("webUrl".to_owned(), json!(format!("{address}/{SECRET}")));
            link.insert("webHtml".to_owned(), json!(SECRET));
        }
        if let Some(fields) = permission.as_object_mut() {
            fields.insert("shareId".to_owned(), json!(SECRET));
        }
    }
    let page = Page::<Permission>::read(told.to_string().as_bytes());
    for element in page.into_iter().flat_map(|page| page.elements) {
        let shown = format!("{element:?}");
        assert!(!shown.contains(SECRET), "{shown}");
        let decoded = decode(element, ItemKind::File);
        let shown = format!("{decoded:?}");
        assert!(!shown.contains(SECRET), "{shown}");
        if let Decoded::Share(share, _) = decoded {
            assert!(!json!(share).to_string().contains(SECRET));
        }
    }
}

fn decode(told: Told<Permission>, kind: ItemKind) -> Decoded {
    let source = SourceName::new("m365");
    let drive = Drive {
        id: "b!drive".to_owned(),
        address: "https://contoso.sharepoint.com/sites/team".to_owned(),
        owner: Principal::new(PrincipalClass::Account, "olga@contoso.example"),
        group: None,
        consumer: false,
    };
    let item = Item {
        id: "01ITEM".to_owned(),
        path: "/HR/a.docx".to_owned(),
        path_is_owners: true,
        kind,
        size: None,
        files_beneath: None,
        drive: Some("b!drive".to_owned()),
        labels: None,
    };
    let decoder = Decoder {
        source: &source,
        drive: &drive,
        people: &Directory::default(),
        key: Key::KNOWN,
    };
    decoder.decode(told, &item)
}

/// The answer to several questions at once; and to one that was refused.
pub(crate) fn batch(data: &[u8]) {
    if let Some(mut responses) = Responses::read(&Bytes::copy_from_slice(data)) {
        let told: Value = serde_json::from_slice(data).unwrap_or_default();
        for place in 0..20 {
            let Some(response) = responses.take(place) else {
                continue;
            };
            if !told.is_object() || response.body.is_empty() {
                continue;
            }
            // Nobody gets the answer to another's question.
            let number = json!(place);
            let mut bodies = told
                .get("responses")
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
                .filter(|one| {
                    one.get("id").is_some_and(|id| {
                        *id == number || id.as_str().is_some_and(|id| id.parse() == Ok(place))
                    })
                })
                .filter_map(|one| one.get("body"));
            let body: Option<Value> = serde_json::from_slice(&response.body).ok();
            assert!(bodies.any(|own| Some(own) == body.as_ref()), "{place}: {body:?}");
        }
    }
    for status in [200, 401, 403, 404, 410, 423, 429, 503] {
        let status = StatusCode::from_u16(status).unwrap_or_default();
        let words = errors::refusal("GET /x", status, data).to_string();
        assert!(words.len() <= LONGEST_WORDS, "{} bytes", words.len());
        assert!(!words.chars().any(char::is_control), "{words:?}");
        assert!(!words.contains("://"), "{words:?}");
    }
}

/// A login name, as such and as the id of a grant.
pub(crate) fn claim(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let _claim = Claim::of_id(&text);
    let claim = Claim::of_login(&text);
    assert_eq!(Claim::of_login(&text.to_ascii_uppercase()), claim, "in capitals");
    assert_eq!(Claim::of_login(&format!(" {text}\n")), claim, "with blanks");
    let of_id = Claim::of_id(&URL_SAFE_NO_PAD.encode(text.as_bytes()));
    assert!(of_id.is_none_or(|of_id| of_id == claim));
    if let Claim::Member(name) | Claim::Guest(name) | Claim::Group(name) = &claim {
        assert!(!name.is_empty() && !name.starts_with("urn:spo:"), "{name}");
        assert_eq!(*name, name.to_lowercase());
    }
}
