use proptest::prelude::*;
use serde_json::json;

use super::*;

fn decode_as(account: &str, zone: &TimeZone, value: &Value) -> Result<Share, String> {
    let source = SourceName::new("cloud");
    let base = Url::parse("https://cloud.example.org/").unwrap();
    let reading = Reading {
        source: &source,
        base: &base,
        account,
        zone,
    };
    decode(value.to_string().as_bytes(), &reading)
}

fn link() -> Value {
    json!({
        "id": "17", "share_type": 3, "uid_owner": "bob", "displayname_owner": "Bob", "permissions": 17,
        "stime": 1_795_386_222, "parent": null, "expiration": "2026-12-06 00:00:00", "token": "SeCrEtToKeN1234",
        "uid_file_owner": "alice", "displayname_file_owner": "Alice", "note": "n", "label": "press",
        "path": "/HR/a.xlsx", "item_type": "file", "item_source": 5123, "file_source": 5123, "item_size": 10240,
        "share_with": "3|$argon2id$v=19$HASH", "share_with_displayname": "(Shared link)",
        "password": "3|$argon2id$v=19$HASH", "hide_download": 0, "attributes": null,
        "url": "https://cloud.example.org/index.php/s/SeCrEtToKeN1234"
    })
}

fn with(field: &str, value: Value) -> Value {
    let mut share = link();
    share[field] = value;
    share
}

#[test]
fn a_label_is_told_without_what_opens_a_link() {
    for (label, told) in [
        ("press", "press"),
        ("press (SeCrEtToKeN1234)", "press (••••)"),
        (
            "as https://cloud.example.org/index.php/s/An-0ther_1?x, too",
            "as https://cloud.example.org/index.php/s/••••?x, too",
        ),
        (
            "https://a.example/s/1 https://a.example/s/2",
            "https://a.example/s/•••• https://a.example/s/••••",
        ),
        (
            "/public.php/dav/files/An0ther/a.txt",
            "/public.php/dav/files/••••/a.txt",
        ),
        ("clients' files", "clients' files"),
    ] {
        let share = decode_as("alice", &TimeZone::UTC, &with("label", json!(label))).unwrap();
        assert_eq!(share.label.as_deref(), Some(told));
    }
}

#[test]
fn a_link_is_read_in_full_and_leaks_nothing() {
    let share = decode_as("alice", &TimeZone::UTC, &link()).unwrap();
    assert_eq!(share.kind, ShareKind::Link);
    assert!(share.anonymous && share.item.path_is_owners);
    assert_eq!(share.password, Some(true));
    assert_eq!(share.access, Access::of(&[Right::View, Right::Download]));
    assert_eq!(share.expires.stated(), Some("2026-12-06"));
    assert_eq!(
        share.link.as_deref(),
        Some("https://cloud.example.org/index.php/s/••••")
    );
    assert_eq!(
        (
            share.owner.id.as_str(),
            share.shared_by.as_ref().unwrap().id.as_str()
        ),
        ("alice", "bob")
    );
    assert!(share.recipients.is_empty() && share.unknown.is_empty());
    let all = format!("{share:?}");
    assert!(!all.contains("argon2id") && !all.contains("SeCrEt"), "{all}");
}

#[test]
fn a_date_is_local_to_the_reading_account() {
    let zone = TimeZone::get("America/Los_Angeles").unwrap();
    let share = decode_as("alice", &zone, &link()).unwrap();
    assert_eq!(
        share.expires,
        Expiry::At {
            stated: "2026-12-06".into(),
            instant: "2026-12-06T08:00:00Z".parse().unwrap()
        }
    );
}

#[test]
fn the_path_counts_only_as_its_owner_sees_it() {
    assert!(
        !decode_as("bob", &TimeZone::UTC, &link())
            .unwrap()
            .item
            .path_is_owners
    );
}

#[test]
fn access_follows_the_permission_bits() {
    let access = |permissions: i64| {
        decode_as("a", &TimeZone::UTC, &with("permissions", json!(permissions)))
            .unwrap()
            .access
    };
    assert_eq!(access(4), Access::of(&[Right::Create]));
    assert_eq!(
        access(31),
        Access::of(&[
            Right::View,
            Right::Download,
            Right::Edit,
            Right::Create,
            Right::Delete
        ])
    );
    let hidden = decode_as("a", &TimeZone::UTC, &with("hide_download", json!(1))).unwrap();
    assert_eq!(hidden.access, Access::of(&[Right::View]));
    let attributes = json!(r#"[{"scope":"permissions","key":"download","value":false}]"#);
    let forbidden = decode_as("a", &TimeZone::UTC, &with("attributes", attributes)).unwrap();
    assert_eq!(forbidden.access, Access::of(&[Right::View]));
    let user = json!({"share_type": 0, "share_with": "carol"});
    let mut share = link();
    share
        .as_object_mut()
        .unwrap()
        .extend(user.as_object().unwrap().clone());
    assert!(
        decode_as("a", &TimeZone::UTC, &share)
            .unwrap()
            .access
            .has(Right::Reshare)
    );
}

#[test]
fn what_is_missing_or_mistyped_is_named_and_nothing_is_dropped() {
    let cases = [
        ("share_type", json!("x"), "kind"),
        ("permissions", json!(null), "access"),
        ("stime", json!({}), "created_at"),
        ("path", json!(null), "item.path"),
        ("expiration", json!(7), "expires"),
        ("expiration", json!("soon"), "expires"),
        ("password", json!(false), "password"),
        ("uid_file_owner", json!(null), "owner"),
        ("item_type", json!([]), "item.kind"),
    ];
    for (field, value, unknown) in cases {
        let share = decode_as("alice", &TimeZone::UTC, &with(field, value.clone())).unwrap();
        assert_eq!(
            share.unknown.iter().filter(|name| *name == unknown).count(),
            1,
            "{field} = {value}"
        );
        assert_eq!(share.id, "17");
    }
    let mut bare = link();
    bare.as_object_mut().unwrap().remove("password");
    assert_eq!(
        decode_as("a", &TimeZone::UTC, &bare).unwrap().password,
        None,
        "an absent password is not told"
    );
    let unknown_kind = decode_as("a", &TimeZone::UTC, &with("share_type", json!(99))).unwrap();
    assert_eq!(unknown_kind.kind, ShareKind::Other);
    assert!(!format!("{unknown_kind:?}").contains("argon2id"));
}

#[test]
fn numbers_in_strings_and_strings_in_numbers_are_read() {
    let mut share = link();
    share["id"] = json!(17);
    share["share_type"] = json!("3");
    share["permissions"] = json!("17");
    let share = decode_as("alice", &TimeZone::UTC, &share).unwrap();
    assert_eq!((share.id.as_str(), share.kind), ("17", ShareKind::Link));
    assert!(share.unknown.is_empty());
}

#[test]
fn only_an_entry_without_an_id_cannot_be_told_of() {
    for value in [
        json!({}),
        json!([1]),
        json!("x"),
        with("id", json!("1; DROP")),
        with("id", json!(null)),
    ] {
        assert!(decode_as("a", &TimeZone::UTC, &value).is_err(), "{value}");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_harmless(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let source = SourceName::new("cloud");
        let base = Url::parse("https://cloud.example.org/").unwrap();
        let zone = TimeZone::UTC;
        let _ = decode(&bytes, &Reading { source: &source, base: &base, account: "a", zone: &zone });
    }

    #[test]
    fn any_value_in_any_field_keeps_the_share_and_its_secrets(
        field in proptest::sample::select(vec!["share_type", "permissions", "path", "label", "expiration", "url",
            "stime", "attributes", "item_type", "uid_owner", "item_source", "hide_download"]),
        value in prop_oneof![
            Just(Value::Null), any::<i64>().prop_map(Value::from), any::<bool>().prop_map(Value::from),
            "\\PC{0,40}".prop_map(Value::from), Just(json!([])), Just(json!({"a": 1})), any::<f64>().prop_map(Value::from),
        ],
    ) {
        let share = decode_as("alice", &TimeZone::UTC, &with(field, value)).unwrap();
        prop_assert_eq!(&share.id, "17");
        let shown = format!("{share:?}");
        prop_assert!(!shown.contains("SeCrEtToKeN") && !shown.contains("argon2id"), "{}", shown);
    }
}
