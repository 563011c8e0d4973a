//! Ends that are set, shares that are ended, and the service's refusals.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use sharewarden::model::{Fact, ProblemCode};
use sharewarden::provider::{ChangeEffect, Found, Writer as _};

use crate::stage::{Stage, app, failed, small};

use ChangeEffect::{None as Unsent, Refused, Unknown};

/// What differs between what was stored and what is, share by share and field by field.
fn differences(before: &BTreeMap<u64, Value>, after: &BTreeMap<u64, Value>) -> Vec<(u64, String, Value)> {
    let mut found = Vec::new();
    for id in before
        .keys()
        .chain(after.keys().filter(|id| !before.contains_key(id)))
    {
        match (before.get(id), after.get(id)) {
            (Some(old), Some(new)) => {
                for (field, value) in new.as_object().unwrap() {
                    if old[field] != *value {
                        found.push((*id, field.clone(), value.clone()));
                    }
                }
            }
            (None, Some(_)) => found.push((*id, "new".to_owned(), Value::Null)),
            _ => found.push((*id, "gone".to_owned(), Value::Null)),
        }
    }
    found
}

#[tokio::test]
async fn opening_tells_the_settings_and_the_servers_clock() {
    let mut world = small();
    world["nextcloud"]["settings"] = json!({"default_expiry_days": 30, "expiry_enforced": true,
        "default_internal_expiry_days": 9, "internal_expiry_enforced": true, "default_remote_expiry_days": 3});
    let stage = Stage::of(&world, app("small-app-secret")).await;
    let opened = stage.writer.open().await.unwrap();
    let facts = &opened.facts;
    assert_eq!(facts.max_expiry_days, Some(30));
    assert_eq!(facts.max_internal_expiry_days, Some(9));
    assert_eq!(
        facts.max_remote_expiry_days, None,
        "a default that is not enforced"
    );
    assert_eq!(facts.get(Fact::PasswordsMailed), Some(true));
    assert!(opened.date.is_some());
    assert!(stage.asked().await.iter().all(|one| one.starts_with("GET ")));

    stage
        .change(json!({"do": "update", "settings": {"sharing_enabled": false}}))
        .await;
    failed(
        stage.writer.open().await,
        Unsent,
        ProblemCode::SharingDisabled,
        "switched off",
    );
}

#[tokio::test]
async fn an_end_is_set_and_taken_away_and_nothing_else_changes() {
    let mut world = small();
    let shares = world["nextcloud"]["shares"].as_array_mut().unwrap();
    shares[0]["note"] = json!("a note");
    shares[0]["hide_download"] = json!(true);
    shares[0]["password"] = json!("Small-World-43");
    shares[3]["attributes"] = json!("[{\"scope\":\"permissions\",\"key\":\"download\",\"value\":false}]");
    let stage = Stage::of(&world, app("small-app-secret")).await;
    let before = stage.stored().await;
    for (share, account) in [
        (1, "alice"),
        (4, "alice"),
        (5, "bob"),
        (5, "alice"),
        (6, "alice"),
        (8, "alice"),
        (9, "alice"),
        (14, "alice"),
    ] {
        let target = stage.target(share, account).await;
        let old = stage.share(&target).await;
        stage
            .writer
            .set_expiry(&target, Some("2026-12-24"))
            .await
            .unwrap();
        let new = stage.share(&target).await;
        assert_eq!(new.expires.stated(), Some("2026-12-24"));
        let changed = differences(&before, &stage.stored().await);
        assert_eq!(
            changed,
            [(share, "expires".to_owned(), json!("2026-12-24T00:00:00Z"))],
            "share {share}"
        );
        stage
            .writer
            .set_expiry(&target, old.expires.stated())
            .await
            .unwrap();
        assert_eq!(differences(&before, &stage.stored().await), [], "share {share}");
    }
}

#[tokio::test]
async fn a_date_is_the_reading_accounts_own() {
    let mut world = small();
    let accounts = world["nextcloud"]["accounts"].as_array_mut().unwrap();
    accounts[1]["timezone"] = json!("America/Los_Angeles");
    let stage = Stage::of(&world, app("small-app-secret")).await;
    let target = stage.target(1, "alice").await;
    stage
        .writer
        .set_expiry(&target, Some("2026-12-24"))
        .await
        .unwrap();
    let share = stage.share(&target).await;
    assert_eq!(share.expires.stated(), Some("2026-12-24"));
    let told = format!("{:?}", share.expires);
    assert!(told.contains("2026-12-24T08:00:00Z"), "{told}");
}

#[tokio::test]
async fn only_a_plain_date_is_sent() {
    let stage = Stage::small().await;
    let target = stage.target(1, "alice").await;
    for wrong in [
        "",
        "tomorrow",
        "+3 days",
        "2026-12-24T00:00:00Z",
        "2027-02-31",
        "20261224",
        "2026-12-4",
        " 2026-12-24",
        "12/24/2026",
    ] {
        failed(
            stage.writer.set_expiry(&target, Some(wrong)).await,
            Refused,
            ProblemCode::Malformed,
            "YYYY-MM-DD",
        );
    }
    assert_eq!(stage.count("PUT").await, 0);
}

#[tokio::test]
async fn what_the_server_refuses_is_refused_in_its_words() {
    let stage = Stage::small().await;
    let before = stage.stored().await;
    let target = stage.target(1, "alice").await;
    let given = stage.target(4, "bob").await;
    let reshare = stage.target(5, "alice").await;
    let drop_off = stage.target(3, "alice").await;
    let set = async |target, day| stage.writer.set_expiry(target, Some(day)).await;
    for day in ["2026-11-22", "2020-01-01"] {
        failed(
            set(&target, day).await,
            Refused,
            ProblemCode::Forbidden,
            "Expiration date is in the past",
        );
    }
    failed(
        set(&given, "2026-12-24").await,
        Refused,
        ProblemCode::Forbidden,
        "not allowed to edit incoming shares",
    );
    let settings = async |set: Value| stage.change(json!({"do": "update", "settings": set})).await;
    settings(json!({"default_expiry_days": 14, "expiry_enforced": true})).await;
    failed(
        set(&target, "2026-12-07").await,
        Refused,
        ProblemCode::Forbidden,
        "more than 14 days in the future",
    );
    failed(
        stage.writer.set_expiry(&target, None).await,
        Refused,
        ProblemCode::Forbidden,
        "Failed to update share.",
    );
    settings(json!({"default_expiry_days": null, "default_internal_expiry_days": 7, "internal_expiry_enforced": true}))
        .await;
    let team = stage.target(4, "alice").await;
    failed(
        set(&team, "2026-12-24").await,
        Refused,
        ProblemCode::Forbidden,
        "more than 7 days in the future",
    );
    settings(json!({"public_upload": false, "default_internal_expiry_days": null})).await;
    failed(
        set(&drop_off, "2026-12-24").await,
        Refused,
        ProblemCode::Forbidden,
        "Failed to update share.",
    );
    settings(json!({"public_upload": true, "links_allowed": false})).await;
    failed(
        set(&target, "2026-12-24").await,
        Refused,
        ProblemCode::Forbidden,
        "Failed to update share.",
    );
    settings(json!({"links_allowed": true})).await;
    assert_eq!(differences(&before, &stage.stored().await), []);

    // Whoever passed it on may no longer, and that counts for the owner, too: but it can be ended.
    stage
        .change(json!({"do": "update", "share": 4, "set": {"permissions": 1}}))
        .await;
    failed(
        set(&reshare, "2026-12-24").await,
        Refused,
        ProblemCode::Forbidden,
        "Cannot increase permissions of",
    );
    stage.writer.revoke(&reshare).await.unwrap();
    assert!(matches!(stage.writer.read(&reshare).await, Ok(Found::Gone)));

    settings(json!({"sharing_enabled": false})).await;
    failed(
        set(&target, "2026-12-24").await,
        Refused,
        ProblemCode::SharingDisabled,
        "switched off",
    );
}

#[tokio::test]
async fn links_that_are_switched_off_can_still_be_ended() {
    let stage = Stage::small().await;
    stage
        .change(json!({"do": "update", "settings": {"links_allowed": false}}))
        .await;
    let target = stage.target(1, "alice").await;
    stage.share(&target).await;
    stage.writer.revoke(&target).await.unwrap();
    assert!(matches!(stage.writer.read(&target).await, Ok(Found::Gone)));
    failed(
        stage.writer.set_expiry(&target, Some("2026-12-24")).await,
        Refused,
        ProblemCode::Forbidden,
        "share does not exist",
    );
}

#[tokio::test]
async fn a_recipient_only_leaves_a_share_and_so_does_not_end_it() {
    let stage = Stage::small().await;
    let before = stage.stored().await;
    for (share, account) in [(4, "bob"), (6, "bob"), (10, "frank")] {
        let target = stage.target(share, account).await;
        failed(
            stage.writer.revoke(&target).await,
            Refused,
            ProblemCode::Forbidden,
            "could only leave it",
        );
    }
    assert_eq!(stage.count("DELETE").await, 0);
    assert_eq!(differences(&before, &stage.stored().await), []);
    // Who made it may, although the item is another's.
    let own = stage.target(5, "bob").await;
    stage.writer.revoke(&own).await.unwrap();
    assert!(matches!(stage.writer.read(&own).await, Ok(Found::Gone)));
}

#[tokio::test]
async fn only_links_hang_on_the_share_that_gave_their_maker_the_item() {
    let mut world = small();
    let reshares = json!([
        {"id": 50, "type": "link", "owner": "alice", "path": "/Projects/Q4 Budget", "sharer": "bob"},
        {"id": 51, "type": "mail", "owner": "alice", "path": "/Projects", "sharer": "bob", "recipient": "x@partner.example.net"},
        {"id": 52, "type": "mail", "owner": "alice", "path": "/Projects/plan.md", "sharer": "bob", "recipient": "y@partner.example.net"},
        {"id": 53, "type": "user", "owner": "alice", "path": "/Projects", "sharer": "bob", "recipient": "frank", "permissions": 31},
        {"id": 54, "type": "group", "owner": "alice", "path": "/Projects", "sharer": "bob", "recipient": "students"},
        {"id": 55, "type": "link", "owner": "alice", "path": "/Projects", "sharer": "frank"},
        {"id": 56, "type": "user", "owner": "alice", "path": "/Projects", "recipient": "gina", "permissions": 31},
        {"id": 57, "type": "link", "owner": "alice", "path": "/Projects", "sharer": "gina"},
        {"id": 58, "type": "group", "owner": "alice", "path": "/Projects", "recipient": "staff", "permissions": 31},
    ]);
    let shares = world["nextcloud"]["shares"].as_array_mut().unwrap();
    shares.extend(reshares.as_array().unwrap().clone());
    for end in ["revoked", "due"] {
        let stage = Stage::of(&world, app("small-app-secret")).await;
        let before = stage.stored().await;
        let target = stage.target(4, "alice").await;
        if end == "due" {
            stage
                .writer
                .set_expiry(&target, Some("2026-11-23"))
                .await
                .unwrap();
            stage.clock("2026-11-23T00:00:00Z").await;
        } else {
            stage.writer.revoke(&target).await.unwrap();
        }
        assert!(
            matches!(stage.writer.read(&target).await, Ok(Found::Gone)),
            "{end}"
        );
        let gone: Vec<u64> = differences(&before, &stage.stored().await)
            .into_iter()
            .map(|(id, ..)| id)
            .collect();
        assert_eq!(
            gone,
            [4, 5, 50],
            "{end}: although the group, since later, gives bob the item still"
        );
        let all = stage.writer.read_all(&target.item, Some("alice")).await.unwrap();
        let mut left: Vec<&str> = all.iter().map(|share| share.id.as_str()).collect();
        left.sort_unstable();
        assert_eq!(left, ["1", "51", "53", "54", "55", "56", "57", "58"], "{end}");
    }
}

#[tokio::test]
async fn a_change_is_sent_once_and_its_lost_answer_leaves_open_whether_it_was_made() {
    let lost = [
        (json!({"do": "reset"}), Unknown, ProblemCode::Unreachable, true),
        (
            json!({"do": "cut", "bytes": 20}),
            Unknown,
            ProblemCode::Truncated,
            true,
        ),
        (
            json!({"do": "status", "status": 502, "body": "bad gateway"}),
            Unknown,
            ProblemCode::ServerError,
            false,
        ),
        (
            json!({"do": "status", "status": 503, "headers": {"Retry-After": "1"}}),
            Unsent,
            ProblemCode::Throttled,
            false,
        ),
        (json!({"do": "html"}), Unknown, ProblemCode::Malformed, false),
        (json!({"do": "malformed"}), Unknown, ProblemCode::Truncated, true),
        (
            json!({"do": "status", "status": 429}),
            Unsent,
            ProblemCode::Throttled,
            false,
        ),
        (
            json!({"do": "maintenance"}),
            Unsent,
            ProblemCode::Maintenance,
            false,
        ),
        (
            json!({"do": "status", "status": 403, "body": "blocked by policy"}),
            Refused,
            ProblemCode::Forbidden,
            false,
        ),
    ];
    for (action, effect, code, made) in lost {
        for method in ["PUT", "DELETE"] {
            let stage = Stage::small().await;
            let target = stage.target(1, "alice").await;
            stage.share(&target).await;
            let mut fault = json!({"match": {"method": method}, "times": 1});
            fault["action"] = action.clone();
            stage.fault(fault).await;
            let result = if method == "PUT" {
                stage.writer.set_expiry(&target, Some("2026-12-24")).await
            } else {
                stage.writer.revoke(&target).await
            };
            failed(result, effect, code, "");
            assert_eq!(stage.count(method).await, 1, "{action} {method}");
            let now = stage.writer.read(&target).await.unwrap();
            let changed = match &now {
                Found::Share(share) => share.expires.stated() == Some("2026-12-24"),
                Found::Gone => true,
                Found::Lost(_) => false,
            };
            assert_eq!(changed, made, "{action} {method}: {now:?}");
        }
    }
}
