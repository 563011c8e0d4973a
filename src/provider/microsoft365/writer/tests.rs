use std::collections::BTreeSet;

use super::*;
use crate::http::HeaderMap;

fn answer(status: u16, code: &str) -> Answer {
    let body = json!({"error": {"code": code, "message": "See https://x.example/:w:/s/SeCrEt"}});
    Answer {
        status: StatusCode::from_u16(status).unwrap(),
        headers: HeaderMap::new(),
        body: if code.is_empty() {
            String::new()
        } else {
            body.to_string()
        }
        .into(),
    }
}

#[test]
fn what_an_answer_says_of_a_change_is_this_table() {
    use ChangeEffect::{Refused, Unknown};
    for (status, told, effect, code, says) in [
        (400, "badArgument", Refused, ProblemCode::ServerError, "not ended"),
        (
            400,
            "notAllowed",
            Refused,
            ProblemCode::ServerError,
            "folder above",
        ),
        (401, "x", Refused, ProblemCode::Unauthorized, "sign-in"),
        (
            403,
            "accessDenied",
            Refused,
            ProblemCode::Forbidden,
            "Files.ReadWrite.All",
        ),
        (
            403,
            "notAllowed",
            Refused,
            ProblemCode::Forbidden,
            "Sites.FullControl.All",
        ),
        (
            403,
            "sharingDisabled",
            Refused,
            ProblemCode::Forbidden,
            "switched off",
        ),
        (
            404,
            "itemNotFound",
            Refused,
            ProblemCode::AccountGone,
            "meanwhile",
        ),
        (408, "", Unknown, ProblemCode::ServerError, "not known"),
        (
            412,
            "resourceModified",
            Refused,
            ProblemCode::ServerError,
            "meanwhile",
        ),
        (423, "notAllowed", Refused, ProblemCode::Locked, "unlock"),
        (
            500,
            "generalException",
            Unknown,
            ProblemCode::ServerError,
            "not known",
        ),
        (503, "", Unknown, ProblemCode::ServerError, "not known"),
        (200, "", Unknown, ProblemCode::Malformed, "not known"),
        (302, "", Unknown, ProblemCode::ServerError, "not known"),
    ] {
        let error = not_made("the share was not ended", &answer(status, told));
        assert_eq!((error.effect, error.code), (effect, code), "{status} {told}");
        assert!(error.message.contains(says), "{status} {told}: {error}");
        assert!(!error.message.contains("SeCrEt"), "{error}");
        let ends = matches!(status, 401);
        assert_eq!(
            errors::ends_source(&ReadError::service(error.code, "")),
            ends,
            "{status}"
        );
    }
}

#[test]
fn a_right_is_missing_only_where_the_token_says_so() {
    let rights = |granted: &[&str]| Rights {
        granted: granted
            .iter()
            .map(|name| (*name).to_owned())
            .collect::<BTreeSet<_>>(),
        ..Rights::default()
    };
    assert!(may_change(None, false).is_ok() && may_change(None, true).is_ok());
    for right in APPLICATION {
        assert!(
            may_change(Some(&rights(&["Files.Read.All", right])), false).is_ok(),
            "{right}"
        );
    }
    for right in PERSON {
        assert!(
            may_change(Some(&rights(&["openid", right])), true).is_ok(),
            "{right}"
        );
    }
    for (granted, delegated) in [
        (&["Files.Read.All", "Sites.Read.All"][..], false),
        // They are a person's.
        (&["Files.ReadWrite", "Sites.Manage.All"], false),
        (&[], false),
        (&["Files.Read", "User.Read"], true),
    ] {
        let error = may_change(Some(&rights(granted)), delegated).unwrap_err();
        assert_eq!(
            (error.effect, error.code),
            (ChangeEffect::Refused, ProblemCode::Forbidden)
        );
        let least = if delegated {
            "Files.ReadWrite in"
        } else {
            "Files.ReadWrite.All in"
        };
        assert!(
            error.message.contains(least) && error.message.contains("API permissions"),
            "{error}"
        );
    }
}

#[test]
fn only_three_parts_that_fit_the_item_are_a_share() {
    let target = |share: &str, drive: Option<&str>| Target {
        share: share.to_owned(),
        act_as: None,
        item: Place {
            id: "i".to_owned(),
            kind: ItemKind::File,
            drive: drive.map(str::to_owned),
        },
    };
    for (share, drive) in [("d/i/p", Some("d")), ("b!x/i/p", None)] {
        assert!(Spot::of(&target(share, drive)).is_ok(), "{share}");
    }
    for (share, drive) in [
        ("", None),
        ("d", None),
        ("d/i", None),
        ("d/i/", None),
        ("/i/p", None),
        ("d//p", None),
        ("d//i/p", None),
        ("/d/i/p", None),
        ("d/i/p/x", None),
        ("d/i/p/", None),
        ("d/other/p", None),
        ("d/i/p", Some("other")),
    ] {
        let error = Spot::of(&target(share, drive)).err().unwrap();
        assert_eq!(error.effect, ChangeEffect::Refused, "{share}");
    }
}

#[tokio::test]
async fn changes_are_made_one_after_the_other_and_kept_apart() {
    const EVERY: Duration = Duration::from_millis(15);
    let (turns, began) = (Turns::default(), Instant::now());
    let spans = Mutex::new(Vec::new());
    let change = |takes: u64| {
        let (began, spans) = (&began, &spans);
        let change = async move {
            let from = began.elapsed();
            tokio::time::sleep(Duration::from_millis(takes)).await;
            spans.lock().unwrap().push((from, began.elapsed()));
        };
        turns.take(EVERY, change)
    };
    futures::future::join_all([change(0), change(30), change(0), change(5)]).await;
    let spans = spans.into_inner().unwrap();
    assert_eq!(spans.len(), 4);
    for pair in spans.windows(2) {
        assert!(pair[1].0 >= pair[0].1 + EVERY, "{spans:?}");
    }
}
