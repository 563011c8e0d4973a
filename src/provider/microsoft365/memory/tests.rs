use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::model::short_digest;
use crate::provider::microsoft365::key::Key;
use crate::provider::microsoft365::tree::Heard;

const BASE: &str = "https://graph.example/v1.0/";

fn classes(pattern: &str) -> Classes {
    Classes::compile(&[("c".to_owned(), vec![pattern.to_owned()], Vec::new())]).unwrap()
}

fn read(data: &[u8], classes: &Classes) -> Option<Memory> {
    Memory::read(data, classes, &Url::parse(BASE).unwrap())
}

fn written(memory: &Memory) -> Vec<u8> {
    memory.write().unwrap().concat()
}

fn memory(address: &str) -> Memory {
    let mut memory = Memory::new(&classes("**/HR"));
    for item in [
        json!({"id": "top", "root": {}, "folder": {}, "shared": {}}),
        json!({"id": "a", "name": "A", "folder": {}, "parentReference": {"id": "top"}, "shared": {"scope": "users"}}),
        json!({"id": "f", "name": "f", "file": {}, "parentReference": {"id": "a"}, "shared": {"scope": "anonymous"}}),
        json!({"id": "g", "name": "HR", "file": {}, "parentReference": {"id": "a"}}),
    ] {
        memory.tree.take(serde_json::from_str(&item.to_string()).unwrap());
    }
    memory.next = Some(Next::Changes(address.to_owned()));
    memory
}

#[test]
fn what_is_written_is_read_again() {
    let address = "https://graph.example/v1.0/drives/x/root/delta?token=SeCrEt";
    let before = memory(address);
    let data = written(&before);
    let after = read(&data, &classes("**/HR")).unwrap();
    assert!(after.next == before.next && after.is_whole());
    assert_eq!(after.tree.state(), (3, 3, None));
    assert_eq!((after.tree.items, after.tree.unread), (4, 0));
    let folder = after.tree.folder("a").unwrap();
    let beneath = after.tree.beneath(&classes("**/HR"));
    assert_eq!(beneath.files(folder), Some(2));
    assert_eq!(beneath.labels(folder).len(), 1);
    assert_eq!(written(&after).len(), data.len(), "the order of tables is any");
}

#[test]
fn what_an_earlier_build_wrote_is_read_as_it_was_meant() {
    let mut memory = Memory::new(&Classes::compile(&[]).unwrap());
    memory.tree.key = Key::KNOWN;
    let top = r#"{"id": "top", "root": {}, "folder": {}, "shared": {"scope": "users"}}"#;
    memory.tree.take(serde_json::from_str(top).unwrap());
    memory.tree.site_groups.insert("Owners".to_owned(), 7);
    memory
        .tree
        .granted
        .insert(0, crate::provider::microsoft365::permission::Signs::default());
    let beneath = memory.tree.beneath(&Classes::default());
    let heard = Heard {
        at: 7,
        whole: true,
        told: vec![1, 2],
    };
    memory
        .tree
        .heard(Key::KNOWN.of("top"), heard, (&beneath, &Classes::default()));
    memory.next = Some(Next::Page("https://graph.example/v1.0/x".to_owned()));
    // Where this fails, the form is another: give it another version, and then this another digest.
    let form = (VERSION, short_digest([written(&memory)]));
    assert_eq!(form, (1, "db7a69fb9da75ce6".to_owned()));
}

#[test]
fn what_does_not_fit_is_as_if_there_were_nothing() {
    let data = written(&memory("https://graph.example/v1.0/x"));
    assert!(read(&data, &classes("**/HR")).is_some());
    assert!(read(&data, &classes("Finance")).is_none(), "other classes");
    let mut newer = data.clone();
    newer[0] += 1;
    assert!(read(&newer, &classes("**/HR")).is_none(), "another form");
    for odd in [
        &data[..data.len() - 1],
        &[&data[..], b"x"].concat(),
        b"",
        &data[..1],
    ] {
        assert!(read(odd, &classes("**/HR")).is_none(), "{} bytes", odd.len());
    }
    for address in [
        "https://evil.example/v1.0/x",
        "http://graph.example/v1.0/x",
        "https://graph.example:8443/x",
        "",
    ] {
        let data = written(&memory(address));
        assert!(read(&data, &classes("**/HR")).is_none(), "{address}");
    }
    assert!(
        Memory::new(&classes("**/HR")).write().is_none(),
        "nothing came yet"
    );
}

proptest! {
    #[test]
    fn no_bytes_do_harm(place in any::<prop::sample::Index>(), byte in any::<u8>(), rest in any::<Vec<u8>>()) {
        let mut data = written(&memory("https://graph.example/v1.0/x"));
        let at = place.index(data.len());
        data[at] = byte;
        for data in [&data[..], &[&[VERSION][..], &rest].concat()] {
            if let Some(mut memory) = read(data, &classes("**/HR")) {
                // Whatever it says, it can be worked with.
                memory.tree.settle();
                let beneath = memory.tree.beneath(&classes("**/HR"));
                let _ids = memory.tree.take_gone();
                let _drifted = memory.tree.take_drifted(&beneath, &classes("**/HR"));
                memory.tree.compact();
                let _state = memory.tree.state();
            }
        }
    }
}
