use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::provider::microsoft365::wire::salvage;

mod grants;
mod links;

const ADA: &str = "225f4ed7-0000-4000-8000-000000000001";
const GUEST: &str = "225f4ed7-0000-4000-8000-000000000002";
const GROUP: &str = "11111111-2222-3333-4444-555555555555";
const TENANT: &str = "9a8b7c6d-0000-4000-8000-000000000009";
const ADDRESS: &str = "https://contoso.sharepoint.com/:w:/s/prov-2/EXfnQamd6cBK?e=SeCrEt";

fn item(kind: ItemKind) -> Item {
    Item {
        id: "01ITEM".into(),
        path: "/HR/a.docx".into(),
        path_is_owners: true,
        kind,
        size: None,
        files_beneath: None,
        drive: Some("b!drive".into()),
        labels: None,
    }
}

fn decode_on(kind: ItemKind, permission: &Value) -> Decoded {
    let source = SourceName::new("m365");
    let drive = Drive {
        id: "b!drive".into(),
        address: "https://contoso.sharepoint.com/sites/team".into(),
        owner: Principal::new(PrincipalClass::Account, "olga@contoso.example"),
        group: Some("99999999-2222-3333-4444-555555555555".into()),
        consumer: false,
    };
    let people = Directory::default();
    people.learn(
        ADA,
        &Principal::new(PrincipalClass::Account, "ada@contoso.example"),
    );
    people.learn(
        GUEST,
        &Principal::new(
            PrincipalClass::Account,
            "x_partner.example#ext#@contoso.onmicrosoft.com",
        ),
    );
    let decoder = Decoder {
        source: &source,
        drive: &drive,
        people: &people,
        key: Key::random(),
    };
    decoder.decode(salvage(&permission.to_string()), &item(kind))
}

fn decode(permission: &Value) -> Decoded {
    decode_on(ItemKind::File, permission)
}

fn share(permission: &Value) -> Share {
    match decode(permission) {
        Decoded::Share(share, _) => *share,
        other => panic!("{permission} is no share: {other:?}"),
    }
}

fn link(scope: &str) -> Value {
    json!({
        "id": "8ed1c3bb-241d-4e2c-9806-6856b924ccd6", "roles": ["read"], "hasPassword": false,
        "grantedToIdentitiesV2": [], "grantedToIdentities": [],
        "link": {"scope": scope, "type": "view", "webUrl": ADDRESS, "preventsDownload": false}
    })
}

/// A grant whose id is a claim.
fn grant(login: &str) -> Value {
    json!({"id": URL_SAFE_NO_PAD.encode(login), "roles": ["read"],
        "grantedToV2": {"user": {"displayName": "Somebody"}}})
}

/// A permission of which some fields are others.
fn with(mut permission: Value, fields: Value) -> Value {
    let Value::Object(fields) = fields else {
        panic!("no fields")
    };
    for (name, value) in fields {
        permission[name] = value;
    }
    permission
}

fn without(mut permission: Value, field: &str) -> Value {
    permission.as_object_mut().unwrap().remove(field);
    permission
}

fn ids(principals: &[Principal]) -> Vec<(PrincipalClass, &str)> {
    principals.iter().map(|it| (it.class, it.id.as_str())).collect()
}

fn is_unknown(share: &Share, field: &str) -> bool {
    share.unknown.iter().any(|unknown| unknown == field)
}

const READ: &[Right] = &[Right::View, Right::Download];
const CHANGE: &[Right] = &[Right::View, Right::Download, Right::Edit];

#[test]
fn what_cannot_be_told_apart_is_unread() {
    for told in [
        json!({}),
        json!({"id": ""}),
        json!({"id": null}),
        json!({"id": {}, "roles": ["read"]}),
        json!([]),
        json!(null),
        json!("x"),
        json!(7),
    ] {
        assert!(matches!(decode(&told), Decoded::Unread), "{told}");
    }
    assert!(
        share(&with(link("anonymous"), json!({"id": 17})))
            .id
            .ends_with("/17")
    );
}

#[test]
fn where_it_comes_from_is_kept_apart_from_that_it_comes_from_above() {
    for (told, origin) in [
        (json!({"inheritedFrom": {}}), Origin::Above),
        (
            json!({"inheritedFrom": {"driveId": "d", "id": "01A"}}),
            Origin::Item("01A".to_owned()),
        ),
        (json!({"inheritedFrom": {"id": 7}}), Origin::Item("7".to_owned())),
        (
            json!({"inheritedFrom": {"id": null, "path": "/x"}}),
            Origin::Above,
        ),
        (json!({"inheritedFrom": null}), Origin::Untold),
        (json!({"inheritedFrom": "x"}), Origin::Untold),
        (json!({}), Origin::Untold),
    ] {
        let Decoded::Share(_, sign) = decode(&with(link("users"), told.clone())) else {
            panic!("{told} is no share")
        };
        assert_eq!(sign.origin, origin, "{told}");
    }
}

#[test]
fn nothing_that_can_be_printed_holds_a_link() {
    let told = with(
        link("anonymous"),
        json!({"shareId": "u!SeCrEt",
        "link": {"scope": "anonymous", "type": "view", "webUrl": ADDRESS, "webHtml": "<iframe src='SeCrEt'>"}}),
    );
    let read = salvage::<Permission>(&told.to_string());
    let partly = salvage::<Permission>(&with(told.clone(), json!({"roles": 7})).to_string());
    for printed in [
        format!("{read:?}"),
        format!("{partly:?}"),
        format!("{:?}", decode(&told)),
        serde_json::to_string(&share(&told)).unwrap(),
    ] {
        assert!(
            !printed.contains("SeCrEt") && !printed.contains("EXfn"),
            "{printed}"
        );
    }
}

#[test]
fn remote_texts_are_shortened() {
    let long = "x".repeat(100_000);
    let told = json!({"id": "NDQ", "roles": ["read"],
        "grantedToV2": {"user": {"displayName": long, "email": format!("{long}@x.example")}}});
    assert!(format!("{:?}", share(&told)).len() < 5_000);
}

/// Any JSON, of no great size.
fn any_json() -> impl Strategy<Value = Value> {
    let texts = prop::sample::select(vec![
        "",
        "users",
        "anonymous",
        "organization",
        "view",
        "edit",
        "read",
        "write",
        "x@y.example",
        ADA,
        "i:0#.f|membership|bob@x.example",
        "c:0(.s|true",
        "2026-11-22T10:00:00Z",
    ]);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        texts.prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::from),
    ];
    let keys = prop::sample::select(vec![
        "id",
        "roles",
        "link",
        "user",
        "group",
        "siteUser",
        "siteGroup",
        "loginName",
        "email",
        "displayName",
        "scope",
        "type",
        "webUrl",
        "signInRequired",
        "invitedBy",
        "preventsDownload",
    ]);
    leaf.prop_recursive(3, 24, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(keys.clone().prop_map(str::to_owned), inner, 0..5)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

/// Something like a permission, with anything in its fields.
fn any_permission() -> impl Strategy<Value = Value> {
    let fields = prop::sample::select(vec![
        "roles",
        "link",
        "expirationDateTime",
        "hasPassword",
        "grantedToV2",
        "grantedTo",
        "grantedToIdentitiesV2",
        "grantedToIdentities",
        "invitation",
        "inheritedFrom",
        "shareId",
    ]);
    prop::collection::btree_map(fields.prop_map(str::to_owned), any_json(), 0..8).prop_map(|fields| {
        let mut permission = Value::Object(fields.into_iter().collect());
        permission["id"] = json!("NDQ");
        if permission["link"].is_object() {
            permission["link"]["webUrl"] = json!("https://x.example/secret");
        }
        permission
    })
}

#[test]
fn a_list_is_no_link_with_its_fields_in_order() {
    let told = json!({"id": "NDQ", "link": [null, "users"], "grantedToIdentitiesV2": []});
    let Decoded::Share(share, _) = decode(&told) else {
        panic!("it is reported");
    };
    for part in ["kind", "audience", "recipients"] {
        assert!(is_unknown(&share, part), "{part}: {share:?}");
    }
}

proptest! {
    #[test]
    fn whatever_comes_is_never_taken_for_something_safe(
        told in prop_oneof![1 => any_json(), 4 => any_permission()]
    ) {
        let Decoded::Share(share, _) = decode(&told) else {
            return Ok(());
        };
        let is_for_people = share.kind == ShareKind::Link
            && told["link"]["scope"].as_str().is_some_and(|scope| scope.eq_ignore_ascii_case("users"));
        let is_said = is_unknown(&share, "recipients") || is_unknown(&share, "audience");
        prop_assert!(share.anonymous || !share.recipients.is_empty() || is_said || is_for_people, "{share:?}");
        prop_assert!(share.password.is_some() || is_unknown(&share, "password"));
        prop_assert!(share.expires != Expiry::Unknown || is_unknown(&share, "expires"));
        prop_assert!(share.access != Access::NONE || is_unknown(&share, "access"));
        let printed = format!("{share:?}");
        prop_assert!(!printed.contains("/secret"));
    }

    #[test]
    fn a_masked_link_holds_nothing_that_opens_it(
        host in "[a-z]{3,8}\\.example", path in "[A-Z0-9]{4,20}", query in "[A-Z0-9]{4,20}",
        user in "[A-Z0-9]{4,12}", port in 1_u16..,
    ) {
        for address in [
            format!("https://{host}/{path}"),
            format!("https://{host}:{port}/:w:/s/{path}?e={query}#{query}"),
            format!("https://{user}:{query}@{host}/{path}"),
            format!("https:{host}/{path}"),
            format!("HTTPS://{host}\\{path}"),
        ] {
            let masked = masked(&address).unwrap();
            prop_assert!(masked.starts_with("https://") && masked.ends_with("/••••"), "{masked}");
            for secret in [&path, &query, &user] {
                prop_assert!(!masked.contains(secret.as_str()) && !masked.contains(&secret.to_lowercase()), "{masked}");
            }
        }
        for address in [
            format!("/{path}"),
            format!("data:,{path}"),
            format!("file:///{path}"),
            format!("blob:https://{host}/{path}"),
            path.clone(),
        ] {
            prop_assert_eq!(masked(&address), None);
        }
    }
}
