use super::*;

#[test]
fn roles_tell_what_a_grant_allows() {
    use Right::{Create, Delete, Download, Edit, Reshare, View};
    for (roles, expected) in [
        (json!(["read"]), Some(READ)),
        (json!(["Read"]), Some(READ)),
        (json!([]), Some(&[View][..])),
        (json!(["write"]), Some(CHANGE)),
        (json!(["read", "write"]), Some(CHANGE)),
        (json!(["owner"]), Some(&[View, Download, Edit, Reshare])),
        (json!(["sp.full control"]), Some(&[View, Download, Edit, Reshare])),
        (json!(["member"]), None),
        (json!(["read", "sp.our own level"]), None),
        (Value::Null, None),
        (json!("read"), None),
        (json!([1]), None),
    ] {
        let share = share(&with(
            grant("i:0#.f|membership|bob@x.example"),
            json!({"roles": roles}),
        ));
        assert_eq!(is_unknown(&share, "access"), expected.is_none(), "{roles}");
        assert_eq!(share.access, Access::of(expected.unwrap_or_default()), "{roles}");
    }
    let told = with(
        grant("i:0#.f|membership|bob@x.example"),
        json!({"roles": ["write"]}),
    );
    let Decoded::Share(share, _) = decode_on(ItemKind::Folder, &told) else {
        panic!("no share")
    };
    assert!(share.access.has(Delete) && share.access.has(Create));
}

#[test]
fn a_claim_tells_whom_a_grant_is_for() {
    use PrincipalClass::{Account, Address, Everyone, Group, Unknown};
    let tenant = format!("c:0-.f|rolemanager|spo-grid-all-users/{TENANT}");
    let entra = format!("c:0t.c|tenant|{GROUP}");
    let team = format!("c:0o.c|federateddirectoryclaimprovider|{GROUP}");
    let owners = format!("{team}_o");
    let owned = format!("{GROUP}_o");
    for (login, kind, class, id) in [
        (
            "i:0#.f|membership|Bob@X.example",
            ShareKind::User,
            Account,
            "bob@x.example",
        ),
        (
            "i:0#.f|membership|x_partner.example#EXT#@contoso.onmicrosoft.com",
            ShareKind::User,
            Account,
            "x_partner.example#ext#@contoso.onmicrosoft.com",
        ),
        (
            "i:0#.f|membership|urn:spo:guest#x@partner.example",
            ShareKind::User,
            Address,
            "x@partner.example",
        ),
        (
            "i:0#.f|membership|urn%3aspo%3aguest#x@partner.example",
            ShareKind::User,
            Address,
            "x@partner.example",
        ),
        (&entra, ShareKind::Group, Group, GROUP),
        (&team, ShareKind::Group, Group, GROUP),
        (&owners, ShareKind::Group, Group, &owned),
        ("c:0(.s|true", ShareKind::Group, Everyone, "everyone"),
        ("c:0!.s|windows", ShareKind::Group, Everyone, "everyone"),
        (&tenant, ShareKind::Group, Everyone, "everyone-except-external"),
        (
            "i:0i.t|00000003-0000-0ff1-ce00-000000000000|app@sharepoint",
            ShareKind::Other,
            Unknown,
            "app@sharepoint",
        ),
        (
            "i:0#.w|contoso\\bob",
            ShareKind::Other,
            Unknown,
            "i:0#.w|contoso\\bob",
        ),
    ] {
        // However the service dresses it up, and even where it says nothing else or something odd.
        for beside in [
            json!({"grantedToV2": {"user": {"displayName": "Somebody"}}}),
            json!({"grantedToV2": {"siteUser": {"id": 12, "displayName": "Somebody"}}}),
            json!({"grantedToV2": {"group": {"displayName": "Somebody"}}}),
            json!({"grantedToV2": {}}),
            json!({"grantedToV2": null}),
            json!({"grantedToV2": 7}),
            json!({"grantedToV2": null, "grantedTo": {"user": {"displayName": "Somebody"}}}),
        ] {
            let share = share(&with(grant(login), beside.clone()));
            assert_eq!(share.kind, kind, "{login} {beside}");
            assert_eq!(ids(&share.recipients), [(class, id)], "{login} {beside}");
            assert!(!share.anonymous);
        }
    }
    let guest = share(&grant(
        "i:0#.f|membership|x_partner.example#ext#@contoso.onmicrosoft.com",
    ));
    assert_eq!(guest.recipients[0].guest, Some(true));
    let code = share(&grant("i:0#.f|membership|urn:spo:guest#x@partner.example"));
    assert_eq!(code.recipients[0].email.as_deref(), Some("x@partner.example"));
}

#[test]
fn a_claim_is_not_hidden_by_the_name_of_a_site_group() {
    for login in ["c:0(.s|true", "i:0#.f|membership|bob@x.example"] {
        let told = with(
            grant(login),
            json!({"grantedToV2": {"siteGroup": {"id": "4", "displayName": "Team Visitors"}}}),
        );
        assert!(matches!(decode(&told), Decoded::Share(..)), "{login}");
    }
}

#[test]
fn without_a_claim_in_the_id_ids_addresses_and_login_names_tell() {
    use PrincipalClass::{Account, Address, Everyone, Group};
    let stranger = "225f4ed7-0000-4000-8000-0000000000ff";
    for (told, kind, class, id) in [
        (
            json!({"user": {"id": ADA}}),
            ShareKind::User,
            Account,
            "ada@contoso.example",
        ),
        (
            json!({"user": {"id": ADA.to_uppercase(), "email": "other@x.example"}}),
            ShareKind::User,
            Account,
            "ada@contoso.example",
        ),
        (
            json!({"user": {"id": GUEST}}),
            ShareKind::User,
            Account,
            "x_partner.example#ext#@contoso.onmicrosoft.com",
        ),
        (
            json!({"user": {"id": stranger}}),
            ShareKind::User,
            Account,
            stranger,
        ),
        (
            json!({"user": {"id": stranger, "email": "Gone@X.example"}}),
            ShareKind::User,
            Account,
            "gone@x.example",
        ),
        (
            json!({"user": {"email": "X@Partner.example", "displayName": "X"}}),
            ShareKind::User,
            Address,
            "x@partner.example",
        ),
        (
            json!({"siteUser": {"id": 39, "email": "x@partner.example"}}),
            ShareKind::User,
            Address,
            "x@partner.example",
        ),
        (
            json!({"user": {"displayName": "A"}, "siteUser": {"loginName": "i:0#.f|membership|a@x.example"}}),
            ShareKind::User,
            Account,
            "a@x.example",
        ),
        (
            json!({"siteUser": {"loginName": "c:0(.s|true"}}),
            ShareKind::Group,
            Everyone,
            "everyone",
        ),
        (
            json!({"group": {"id": GROUP.to_uppercase()}}),
            ShareKind::Group,
            Group,
            GROUP,
        ),
    ] {
        for field in ["grantedToV2", "grantedTo"] {
            let share = share(&json!({"id": "NDQ", "roles": ["read"], field: told}));
            assert_eq!(share.kind, kind, "{told}");
            assert_eq!(ids(&share.recipients), [(class, id)], "{told}");
        }
    }
}

#[test]
fn a_party_of_another_form_is_of_an_unknown_kind() {
    use PrincipalClass::Unknown;
    for (told, kind, class, id) in [
        (
            json!({"group": {"displayName": "Staff"}}),
            ShareKind::Other,
            Unknown,
            "unknown",
        ),
        (json!({"user": {"id": "12"}}), ShareKind::Other, Unknown, "12"),
        (json!({"user": {"id": 12}}), ShareKind::Other, Unknown, "12"),
        (
            json!({"user": {"displayName": "Everyone"}}),
            ShareKind::Other,
            Unknown,
            "unknown",
        ),
        (
            json!({"application": {"id": "a-1", "displayName": "A"}}),
            ShareKind::Other,
            Unknown,
            "a-1",
        ),
        (
            json!({"user": {"id": {}, "email": ["x"]}}),
            ShareKind::Other,
            Unknown,
            "unknown",
        ),
        (
            json!({"device": {"id": "d"}, "user": {}}),
            ShareKind::Other,
            Unknown,
            "unknown",
        ),
    ] {
        let share = share(&json!({"id": "NDQ", "roles": ["read"], "grantedToV2": told}));
        assert_eq!(share.kind, kind, "{told}");
        assert_eq!(ids(&share.recipients), [(class, id)], "{told}");
    }
}

#[test]
fn a_guest_is_told_by_name_and_an_application_by_its_id() {
    let guest = share(&json!({"id": "NDQ", "grantedToV2": {"user": {"id": GUEST}}}));
    assert_eq!(guest.recipients[0].guest, Some(true));
    let named =
        share(&json!({"id": "NDQ", "grantedToV2": {"application": {"id": "a-1", "displayName": "App"}}}));
    assert_eq!(named.recipients[0].name.as_deref(), Some("App"));
}

#[test]
fn a_newer_field_that_tells_nobody_does_not_hide_the_older() {
    for newer in [
        json!({}),
        Value::Null,
        json!(7),
        json!({"user": null}),
        json!({"device": {"id": "d"}}),
    ] {
        let told = json!({"id": "NDQ", "roles": ["read"], "grantedToV2": newer,
            "grantedTo": {"user": {"email": "x@partner.example"}}});
        assert_eq!(
            ids(&share(&told).recipients),
            [(PrincipalClass::Address, "x@partner.example")],
            "{newer}"
        );
    }
}

#[test]
fn a_grant_to_nobody_that_is_told_is_of_an_unknown_kind() {
    for fields in [
        json!({}),
        json!({"grantedToV2": null}),
        json!({"grantedToV2": {}}),
        json!({"grantedToV2": []}),
        json!({"grantedToV2": "x"}),
        json!({"invitation": {}}),
        json!({"invitation": {"email": ""}}),
        json!({"invitation": 7}),
        json!({"invitation": {"email": 7}}),
        json!({"link": null}),
    ] {
        let share = share(&with(json!({"id": "NDQ", "roles": ["read"]}), fields.clone()));
        assert_eq!(share.kind, ShareKind::Other, "{fields}");
        assert!(
            is_unknown(&share, "recipients") && is_unknown(&share, "audience"),
            "{fields}"
        );
    }
}

#[test]
fn groups_of_the_site_are_told_by_name() {
    for (told, name) in [
        (
            json!({"siteGroup": {"id": "3", "displayName": "Team Members"}}),
            "Team Members",
        ),
        (
            json!({"sharePointGroup": {"id": "g", "displayName": "Team Owners"}}),
            "Team Owners",
        ),
        (
            json!({"siteGroup": {"displayName": "older"}, "sharePointGroup": {"displayName": "newer"}}),
            "newer",
        ),
        (json!({"siteGroup": {"id": 3}}), "a group without a name"),
        (
            json!({"siteGroup": {"displayName": ["x"]}}),
            "a group without a name",
        ),
    ] {
        let told = json!({"id": "NA", "roles": ["read"], "grantedToV2": told});
        match decode(&told) {
            Decoded::SiteGroup(found) => assert_eq!(found, name),
            other => panic!("{told}: {other:?}"),
        }
    }
    let listed = json!([{"siteGroup": {"displayName": "Team Members"}}]);
    let share = share(&with(link("users"), json!({"grantedToIdentitiesV2": listed})));
    assert_eq!(ids(&share.recipients), [(PrincipalClass::Site, "team members")]);
}

#[test]
fn what_the_owner_has_anyway_is_no_share() {
    let own = "99999999-2222-3333-4444-555555555555";
    for login in [
        "i:0#.f|membership|Olga@Contoso.example".to_owned(),
        format!("c:0o.c|federateddirectoryclaimprovider|{own}"),
        format!("c:0o.c|federateddirectoryclaimprovider|{own}_o"),
    ] {
        assert!(matches!(decode(&grant(&login)), Decoded::Nothing), "{login}");
    }
}

#[test]
fn an_invitation_opens_to_anyone_only_where_the_service_says_so() {
    for (told, open) in [(json!(false), true), (json!(true), false), (Value::Null, false)] {
        let invitation = json!({"email": "X@Partner.example", "signInRequired": told,
            "invitedBy": {"user": {"id": ADA}}});
        let pending = json!({"id": "MQ", "roles": ["read"], "invitation": invitation});
        let came = with(
            pending.clone(),
            json!({"grantedToV2": {"user": {"email": "x@partner.example"}}}),
        );
        for told in [&pending, &came] {
            let share = share(told);
            assert_eq!(
                ids(&share.recipients),
                [(PrincipalClass::Address, "x@partner.example")]
            );
            assert_eq!(share.anonymous, open, "{told}");
            assert_eq!(share.kind, if open { ShareKind::Mail } else { ShareKind::User });
            assert_eq!(share.password, (!open).then_some(false), "{told}");
            assert_eq!(is_unknown(&share, "password"), open);
        }
        assert_eq!(
            share(&pending).shared_by.map(|by| by.id).as_deref(),
            Some("ada@contoso.example")
        );
    }
    let absent = json!({"id": "MQ", "roles": ["read"], "invitation": {"email": "x@partner.example"}});
    assert_eq!(share(&absent).kind, ShareKind::User);
    let odd = json!({"id": "MQ", "roles": ["read"],
        "invitation": {"email": "x@partner.example", "signInRequired": "false"}});
    assert!(is_unknown(&share(&odd), "audience"));
}
