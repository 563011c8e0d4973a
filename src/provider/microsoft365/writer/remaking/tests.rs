use super::*;
use crate::model::Access;
use crate::model::Right::{Create, Delete, Download, Edit, Reshare, View};

const GROUP: &str = "11111111-2222-3333-4444-555555555555";

fn lost(kind: ShareKind, anonymous: bool, recipients: &[&str], access: &[crate::model::Right]) -> Lost {
    Lost {
        kind,
        anonymous,
        item: Place {
            id: "i".to_owned(),
            kind: ItemKind::Folder,
            drive: Some("d".to_owned()),
        },
        act_as: None,
        recipients: recipients.iter().map(|id| (*id).to_owned()).collect(),
        access: Access::of(access),
        expires: None,
        label: None,
        password: false,
    }
}

#[test]
fn what_can_be_made_again_is_this_table() {
    let read = [View, Download];
    let write = [View, Download, Edit, Create, Delete];
    let facts = SourceFacts::default();
    let link = |kind, scope| Way::Link { kind, scope };
    let grant = |role, to| Way::Grant { role, to };
    for (kind, anonymous, recipients, access, expected) in [
        (
            ShareKind::Link,
            true,
            &[][..],
            &read[..],
            link("view", "anonymous"),
        ),
        (ShareKind::Link, true, &[], &write, link("edit", "anonymous")),
        (
            ShareKind::Link,
            false,
            &["organization"],
            &read,
            link("view", "organization"),
        ),
        (
            ShareKind::User,
            false,
            &["a@example.org"],
            &read,
            grant("read", "a@example.org"),
        ),
        (ShareKind::Group, false, &[GROUP], &write, grant("write", GROUP)),
    ] {
        let lost = lost(kind, anonymous, recipients, access);
        assert_eq!(way(&lost), Ok(expected), "{lost:?}");
        assert_eq!(irrecoverable(&facts, &lost), None, "{lost:?}");
    }
    let mut closed = SourceFacts::default();
    closed.set(Fact::AnonymousLinksAllowed, false);
    assert!(irrecoverable(&closed, &lost(ShareKind::Link, true, &[], &read)).is_some());
    assert!(irrecoverable(&closed, &lost(ShareKind::Link, false, &["organization"], &read)).is_none());
}

#[test]
fn what_cannot_be_made_again_is_this_table() {
    let read = [View, Download];
    for (kind, anonymous, recipients, access) in [
        // Kinds and parties that are not made.
        (ShareKind::Link, false, &["a@example.org"][..], &read[..]),
        (ShareKind::Link, false, &[], &read),
        (ShareKind::Group, false, &["everyone"], &read),
        (ShareKind::Group, false, &["everyone-except-external"], &read),
        (
            ShareKind::Group,
            false,
            &["11111111-2222-3333-4444-555555555555_o"],
            &read,
        ),
        (ShareKind::Mail, true, &["x@partner.example"], &read),
        (ShareKind::User, false, &["numbers"], &read),
        (ShareKind::User, false, &["a@example.org", "b@example.org"], &read),
        (ShareKind::Other, false, &["app@sharepoint"], &read),
        // Access without an inverse.
        (ShareKind::Link, true, &[], &[View]),
        (ShareKind::Link, true, &[], &[Create]),
        (ShareKind::Link, true, &[], &[]),
        (ShareKind::Link, true, &[], &[View, Download, Edit]),
        (
            ShareKind::User,
            false,
            &["a@example.org"],
            &[View, Download, Edit, Create, Delete, Reshare],
        ),
    ] {
        let lost = lost(kind, anonymous, recipients, access);
        assert_eq!(
            irrecoverable(&SourceFacts::default(), &lost),
            way(&lost).err(),
            "{lost:?}"
        );
        assert!(way(&lost).is_err(), "{lost:?}");
    }
}

/// What is made allows just what was lost.
#[test]
fn types_and_roles_are_inverses() {
    let read = Access::of(&[View, Download]);
    for folder in [false, true] {
        let mut write = Access::of(&[View, Download, Edit]);
        if folder {
            write = write.with(Create).with(Delete);
        }
        for access in (0..64).map(Access::from_bits) {
            let made = (type_of_access(access, folder), role_of_access(access, folder));
            let expected = match access {
                access if access == read => (Some("view"), Some("read")),
                access if access == write => (Some("edit"), Some("write")),
                _ => (None, None),
            };
            assert_eq!(made, expected, "{access:?}");
        }
    }
}

#[test]
fn what_is_more_open_than_what_was_lost_is_noticed() {
    let made = |expires: Option<&str>, password, anonymous, access: &[crate::model::Right]| Share {
        source: crate::model::SourceName::new("m365"),
        id: "d/i/p".to_owned(),
        kind: ShareKind::Link,
        anonymous,
        item: item("i", ItemKind::Folder, "d"),
        owner: crate::model::Principal::new(PrincipalClass::Site, "x"),
        shared_by: None,
        recipients: Vec::new(),
        opened_by: Vec::new(),
        access: Access::of(access),
        password,
        expires: expiry(expires),
        created_at: None,
        inherited: false,
        label: None,
        link: None,
        unknown: Vec::new(),
    };
    let asked = Lost {
        expires: Some("2027-01-31T00:00:00Z".to_owned()),
        password: true,
        ..lost(ShareKind::Link, true, &[], &[View, Download])
    };
    let (end, yes) = (Some("2027-01-31T00:00:00Z"), Some(true));
    for (share, is_fine) in [
        (made(end, yes, true, &[View, Download]), true),
        (made(Some("2026-12-31T00:00:00Z"), yes, true, &[View]), true),
        (
            made(Some("2027-01-31T00:00:01Z"), yes, true, &[View, Download]),
            false,
        ),
        (made(None, yes, true, &[View, Download]), false),
        (made(Some("soon"), yes, true, &[View, Download]), false),
        (made(end, Some(false), true, &[View, Download]), false),
        (made(end, None, true, &[View, Download]), false),
        (made(end, yes, true, &[View, Download, Edit]), false),
        (made(end, yes, false, &[View, Download]), false),
    ] {
        assert_eq!(more_open(&share, &asked).is_none(), is_fine, "{share:?}");
    }
}
