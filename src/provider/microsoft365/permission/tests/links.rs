use super::*;

#[test]
fn a_recorded_link_for_anyone_is_read_in_full() {
    let share = share(&json!({
        "id": "8ed1c3bb-241d-4e2c-9806-6856b924ccd6", "roles": ["write"], "hasPassword": true,
        "grantedToIdentitiesV2": [], "grantedToIdentities": [],
        "link": {"scope": "anonymous", "type": "edit",
            "webUrl": "https://bertonline.sharepoint.com/:w:/s/prov-2/EXfnQamd6cBK…", "preventsDownload": false}
    }));
    assert_eq!(share.id, "b!drive/01ITEM/8ed1c3bb-241d-4e2c-9806-6856b924ccd6");
    assert_eq!((share.kind, share.anonymous), (ShareKind::Link, true));
    assert_eq!(
        (share.password, share.expires.clone()),
        (Some(true), Expiry::Never)
    );
    assert_eq!(share.access, Access::of(CHANGE));
    assert_eq!(
        share.link.as_deref(),
        Some("https://bertonline.sharepoint.com/••••")
    );
    assert!(share.recipients.is_empty() && share.opened_by.is_empty() && !share.inherited);
    assert_eq!(share.unknown, ["created_at", "shared_by"]);
}

#[test]
fn a_recorded_link_for_the_organisation_is_read_in_full() {
    let share = share(&json!({
        "id": "74440e69-e6d6-4a64-88ea-d50136dcc625", "roles": ["write"], "shareId": "u!aHR0cHM6Ly9i…",
        "expirationDateTime": "2024-07-31T13:37:38Z", "hasPassword": false, "grantedToIdentitiesV2": [],
        "grantedToIdentities": [],
        "link": {"scope": "organization", "type": "edit", "webUrl": "https://…", "preventsDownload": false}
    }));
    assert!(!share.anonymous);
    assert_eq!(
        ids(&share.recipients),
        [(PrincipalClass::Everyone, "organization")]
    );
    assert_eq!(share.password, Some(false));
    assert_eq!(
        share.expires,
        Expiry::At {
            stated: "2024-07-31T13:37:38Z".into(),
            instant: "2024-07-31T13:37:38Z".parse().unwrap()
        }
    );
    assert_eq!(share.unknown, ["created_at", "shared_by"]);
}

#[test]
fn a_recorded_link_for_people_is_read_in_full() {
    let share = share(&json!({
        "id": "824ab967-05e9-47f7-8f12-8285616afa85", "roles": ["read"], "hasPassword": false,
        "grantedToIdentitiesV2": [{
            "user": {"@odata.type": "#microsoft.graph.sharePointIdentity", "displayName": "Anna Lidman",
                "email": "AnnaL@…", "id": "225f4ed7-…"},
            "siteUser": {"displayName": "Anna Lidman", "email": "AnnaL@…", "id": "39",
                "loginName": "i:0#.f|membership|annal@bertonline.onmicrosoft.com"}}],
        "grantedToIdentities": [{"user": {"displayName": "Anna Lidman", "email": "AnnaL@…", "id": "225f4ed7-…"}}],
        "link": {"scope": "users", "type": "view", "webUrl": "https://…", "preventsDownload": true}
    }));
    assert_eq!((share.kind, share.anonymous), (ShareKind::Link, false));
    assert_eq!(
        ids(&share.recipients),
        [(PrincipalClass::Account, "annal@bertonline.onmicrosoft.com")],
        "the claim tells more than the older field"
    );
    assert_eq!(share.recipients[0].name.as_deref(), Some("Anna Lidman"));
    assert_eq!(share.access, Access::of(&[Right::View]), "no download");
    assert_eq!(share.unknown, ["created_at", "shared_by"]);
}

#[test]
fn the_type_of_a_link_tells_what_it_allows() {
    use Right::{Create, Delete, Download, Edit, View};
    let folder = &[View, Download, Edit, Create, Delete][..];
    for (kind, on_file, on_folder) in [
        ("view", READ, READ),
        ("VIEW", READ, READ),
        ("embed", READ, READ),
        ("edit", CHANGE, folder),
        ("review", CHANGE, CHANGE),
        ("createOnly", &[Create], &[Create]),
        ("blocksDownload", &[View], &[View]),
    ] {
        let told = with(
            link("anonymous"),
            json!({"link": {"scope": "anonymous", "type": kind}}),
        );
        for (on, expected) in [(ItemKind::File, on_file), (ItemKind::Folder, on_folder)] {
            let Decoded::Share(share, _) = decode_on(on, &told) else {
                panic!("{kind} is no share")
            };
            assert_eq!(share.access, Access::of(expected), "{kind} on a {on}");
            assert!(share.anonymous && !is_unknown(&share, "kind") && !is_unknown(&share, "access"));
        }
    }
}

#[test]
fn a_type_that_is_not_known_or_not_told_is_said_to_be_so() {
    for kind in [
        json!("adminOnly"),
        json!(""),
        Value::Null,
        json!(7),
        json!(["view"]),
    ] {
        let told = with(
            link("anonymous"),
            json!({"roles": ["write"], "link": {"scope": "anonymous", "type": kind}}),
        );
        let share = share(&told);
        assert!(share.anonymous && is_unknown(&share, "kind"), "{kind}");
        assert_eq!(share.access, Access::of(CHANGE), "by its roles, {kind}");
    }
    let told = with(
        link("anonymous"),
        json!({"roles": ["x"], "link": {"scope": "anonymous", "type": "x"}}),
    );
    assert!(is_unknown(&share(&told), "access"));
    let told = with(link("anonymous"), json!({"link": {"scope": "anonymous"}}));
    assert!(is_unknown(&share(&told), "kind"));
}

#[test]
fn a_download_is_taken_away_only_where_the_service_says_so() {
    for (told, downloads) in [
        (json!(true), false),
        (json!(false), true),
        (Value::Null, true),
        (json!("true"), true),
        (json!(1), true),
    ] {
        let told = with(
            link("anonymous"),
            json!({"link": {"scope": "anonymous", "type": "view", "preventsDownload": told}}),
        );
        assert_eq!(share(&told).access.has(Right::Download), downloads, "{told}");
    }
}

#[test]
fn the_scope_of_a_link_tells_whom_it_is_for() {
    assert!(share(&link("anonymous")).anonymous);
    assert!(share(&link("Anonymous")).anonymous);
    let inside = share(&link("organization"));
    assert_eq!(
        ids(&inside.recipients),
        [(PrincipalClass::Everyone, "organization")]
    );
    let nobody = share(&link("users"));
    assert!(nobody.recipients.is_empty() && !nobody.anonymous && !is_unknown(&nobody, "recipients"));
    for scope in ["existingAccess", "existingaccess"] {
        assert!(matches!(decode(&link(scope)), Decoded::Nothing));
    }
    for scope in [
        json!("everybody"),
        json!(""),
        Value::Null,
        json!(3),
        json!(["users"]),
        json!({}),
    ] {
        let told = with(link("users"), json!({"link": {"scope": scope, "type": "view"}}));
        let share = share(&told);
        assert!(is_unknown(&share, "audience") && !share.anonymous, "{scope}");
        assert_eq!(share.kind, ShareKind::Link);
    }
    let missing = share(&with(link("users"), json!({"link": {"type": "view"}})));
    assert!(is_unknown(&missing, "audience"));
    for odd in [json!(7), json!("anonymous"), json!(true)] {
        let share = share(&with(link("anonymous"), json!({"link": odd})));
        assert_eq!(share.kind, ShareKind::Link);
        for field in ["audience", "recipients", "kind", "password"] {
            assert!(is_unknown(&share, field), "{field} of {odd}");
        }
    }
}

#[test]
fn a_link_with_no_list_of_its_people_leaves_them_unknown() {
    let both = ["grantedToIdentitiesV2", "grantedToIdentities"];
    let none = both.into_iter().fold(link("users"), without);
    assert!(is_unknown(&share(&none), "recipients"));
    for odd in [json!(7), json!("x"), json!([null]), json!(["x"]), json!({})] {
        let told = with(link("users"), json!({"grantedToIdentitiesV2": odd}));
        assert!(
            is_unknown(&share(&told), "recipients"),
            "{odd} beside an empty list"
        );
        let told = without(told, "grantedToIdentities");
        assert!(is_unknown(&share(&told), "recipients"), "{odd} alone");
        let older = json!([{"user": {"id": ADA}}]);
        let told = with(told, json!({"grantedToIdentities": older}));
        assert_eq!(
            ids(&share(&told).recipients),
            [(PrincipalClass::Account, "ada@contoso.example")],
            "the older list tells them beside {odd}"
        );
    }
}

#[test]
fn whoever_opened_a_link_is_no_recipient() {
    let people = json!([{"user": {"id": ADA}}, {"user": {"email": "X@partner.example"}}]);
    for scope in ["anonymous", "organization"] {
        let share = share(&with(link(scope), json!({"grantedToIdentitiesV2": people})));
        assert_eq!(
            ids(&share.opened_by),
            [
                (PrincipalClass::Account, "ada@contoso.example"),
                (PrincipalClass::Address, "x@partner.example")
            ]
        );
        assert!(
            share
                .recipients
                .iter()
                .all(|it| it.class == PrincipalClass::Everyone)
        );
    }
}

#[test]
fn a_password_is_never_assumed() {
    for (told, password) in [
        (json!(true), Some(true)),
        (json!(false), Some(false)),
        (Value::Null, None),
        (json!("true"), None),
        (json!(1), None),
        (json!([]), None),
    ] {
        let share = share(&with(link("anonymous"), json!({"hasPassword": told})));
        assert_eq!(share.password, password, "{told}");
        assert_eq!(is_unknown(&share, "password"), password.is_none(), "{told}");
    }
    assert_eq!(share(&without(link("anonymous"), "hasPassword")).password, None);
    assert_eq!(
        share(&grant("i:0#.f|membership|bob@x.example")).password,
        Some(false)
    );
}

#[test]
fn no_expiry_is_written_in_many_ways() {
    for never in [
        "",
        "  ",
        "0001-01-01T00:00:00Z",
        "0001-01-01T00:00:00.0000000Z",
        "0001-01-01T00:00:00",
        "0001-01-01",
        "9999-12-31T23:59:59Z",
        "9999-12-31T23:59:59.9999999Z",
        "9999-12-31T23:59:59",
        "9999-12-31T00:00:00-12:00",
    ] {
        let share = share(&with(link("anonymous"), json!({"expirationDateTime": never})));
        assert_eq!(share.expires, Expiry::Never, "{never}");
        assert!(!is_unknown(&share, "expires"), "{never}");
    }
    let null = with(link("anonymous"), json!({"expirationDateTime": null}));
    assert_eq!(share(&null).expires, Expiry::Never);
    assert_eq!(share(&link("anonymous")).expires, Expiry::Never);
}

#[test]
fn a_date_is_read_or_unknown() {
    for (told, instant) in [
        ("2026-11-22T10:00:00Z", "2026-11-22T10:00:00Z"),
        ("2026-11-22T10:00:00.1234567Z", "2026-11-22T10:00:00.1234567Z"),
        ("2026-11-22T10:00:00", "2026-11-22T10:00:00Z"),
        ("2026-11-22T10:00:00+02:00", "2026-11-22T08:00:00Z"),
        (" 2026-11-22T10:00:00Z ", "2026-11-22T10:00:00Z"),
        ("2026-11-22", "2026-11-22T00:00:00Z"),
    ] {
        let share = share(&with(link("anonymous"), json!({"expirationDateTime": told})));
        let expected = Expiry::At {
            stated: told.trim().into(),
            instant: instant.parse().unwrap(),
        };
        assert_eq!(share.expires, expected, "{told}");
    }
    for odd in [
        json!("never"),
        json!("22/11/2026"),
        json!("9999"),
        json!("2026-13-01T00:00:00Z"),
        json!(1_795_386_222),
        json!({}),
        json!(["2026-11-22T10:00:00Z"]),
        json!(false),
    ] {
        let share = share(&with(link("anonymous"), json!({"expirationDateTime": odd})));
        assert_eq!(share.expires, Expiry::Unknown, "{odd}");
        assert!(is_unknown(&share, "expires"), "{odd}");
    }
}

#[test]
fn the_order_of_people_does_not_matter_and_none_counts_twice() {
    let people = [
        json!({"user": {"id": ADA}}),
        json!({"siteUser": {"loginName": "i:0#.f|membership|ada@contoso.example"}}),
        json!({"user": {"email": "x@partner.example"}}),
        json!({"group": {"id": GROUP}}),
        json!({"siteGroup": {"displayName": "Team Members"}}),
    ];
    let recipients = |order: &[usize]| {
        let told: Vec<&Value> = order.iter().map(|place| &people[*place]).collect();
        share(&with(link("users"), json!({"grantedToIdentitiesV2": told}))).recipients
    };
    let plain = recipients(&[0, 1, 2, 3, 4]);
    assert_eq!(plain.len(), 4);
    for order in [[4, 3, 2, 1, 0], [2, 0, 4, 1, 3], [1, 0, 3, 2, 4]] {
        assert_eq!(ids(&recipients(&order)), ids(&plain));
    }
}
