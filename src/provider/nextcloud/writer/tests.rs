use bytes::Bytes;
use proptest::prelude::*;
use url::Url;

use super::*;
use crate::http::HeaderMap;
use crate::model::{Access, ItemKind};

fn lost(kind: ShareKind, access: Access) -> Lost {
    Lost {
        kind,
        anonymous: false,
        item: Place {
            id: "5".to_owned(),
            kind: ItemKind::File,
            drive: None,
        },
        act_as: Some("alice".to_owned()),
        recipients: vec!["o'neil & co".to_owned()],
        access,
        expires: None,
        label: None,
        password: false,
    }
}

#[test]
fn a_date_is_plain() {
    for good in ["2026-12-24", "2028-02-29", "0999-01-01"] {
        assert!(is_date(good), "{good}");
    }
    for wrong in [
        "",
        "2026-2-4",
        "2027-02-29",
        "-000001-01-01",
        "2026-12-24 ",
        "20261224",
        "2026-W01-1",
        "today",
    ] {
        assert!(!is_date(wrong), "{wrong}");
    }
}

#[test]
fn a_form_says_what_the_share_was() {
    let secret = SecretString::from("Pass & word".to_owned());
    let path = "/a=b&c/\u{202e}ü";
    let view = Access::of(&[Right::View, Right::Edit]);
    let share = Lost {
        label: Some("l".to_owned()),
        expires: Some("2026-12-24".to_owned()),
        ..lost(ShareKind::User, view)
    };
    // A password that protected nothing is not sent.
    let form_of = |share: &Lost| form(share, path, Some(&secret)).unwrap();
    assert_eq!(
        form_of(&share),
        [
            ("path", path),
            ("shareType", "0"),
            ("permissions", "3"),
            ("expireDate", "2026-12-24"),
            ("shareWith", "o'neil & co"),
            ("attributes", NO_DOWNLOAD),
            ("label", "l"),
        ]
        .map(|(field, value)| (field, value.to_owned()))
    );
    let protected = Lost {
        password: true,
        ..share
    };
    assert!(form_of(&protected).contains(&("password", "Pass & word".to_owned())));
    assert!(form(&lost(ShareKind::Other, view), path, None).is_none());
}

fn answered(status: u16, body: &'static str) -> WriteError {
    let request = Request::new(
        Method::PUT,
        Url::parse("https://cloud.example.org/ocs/x/1").unwrap(),
    );
    declined(
        &request,
        &Answer {
            status: StatusCode::from_u16(status).unwrap(),
            headers: HeaderMap::new(),
            body: Bytes::from_static(body.as_bytes()),
        },
    )
}

#[test]
fn what_a_status_says_of_a_change_is_this_table() {
    use ChangeEffect::{None, Refused, Unknown};
    let said = r#"{"ocs":{"meta":{"status":"failure","statuscode":404,"message":"Expiration date is in the past"},"data":[]}}"#;
    let off = r#"{"ocs":{"meta":{"status":"failure","statuscode":404,"message":"Share API is disabled"},"data":[]}}"#;
    let blocked = r#"{"ocs":{"meta":{"status":"failure","statuscode":429,"message":"Reached maximum delay"},"data":[]}}"#;
    for (status, body, effect, code, words) in [
        (
            404,
            said,
            Refused,
            ProblemCode::Forbidden,
            "Expiration date is in the past",
        ),
        (404, off, Refused, ProblemCode::SharingDisabled, "switched off"),
        (
            404,
            "<!DOCTYPE html>",
            Refused,
            ProblemCode::Forbidden,
            "trash bin",
        ),
        (404, "", Refused, ProblemCode::Forbidden, "not found"),
        (401, "", Refused, ProblemCode::Unauthorized, "credential"),
        (412, "", Refused, ProblemCode::Malformed, "OCS-APIRequest"),
        (408, "", Unknown, ProblemCode::Malformed, "may have been made"),
        (429, blocked, None, ProblemCode::AddressBlocked, "30 minutes"),
        (429, "", None, ProblemCode::Throttled, "slow down"),
        (500, "", Unknown, ProblemCode::ServerError, "may have been made"),
        (
            503,
            "maintenance mode",
            None,
            ProblemCode::Maintenance,
            "maintenance",
        ),
        (204, "", Unknown, ProblemCode::Malformed, "may have been made"),
        (304, "", Unknown, ProblemCode::Malformed, "may have been made"),
    ] {
        let error = answered(status, body);
        assert_eq!(
            (error.effect, error.code),
            (effect, code),
            "{status} {body}: {error}"
        );
        assert!(error.message.contains(words), "{status} {body}: {error}");
    }
}

proptest! {
    #[test]
    fn bits_and_access_are_each_others_inverse(bits in 1_u32..32) {
        let entry = serde_json::json!({"id": "1", "share_type": 0, "uid_owner": "a", "permissions": bits, "stime": 1,
            "expiration": null, "uid_file_owner": "a", "path": "/x", "item_type": "folder", "item_source": 5});
        let (source, base) = (crate::model::SourceName::new("s"), Url::parse("https://h.example/").unwrap());
        let reading = share::Reading { source: &source, base: &base, account: "a", zone: &TimeZone::UTC };
        let share = share::decode(entry.to_string().as_bytes(), &reading).unwrap();
        prop_assert_eq!(share::bits(share.access), bits);
    }
}
