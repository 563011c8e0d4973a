//! Shares that are read again: there, gone, or lost from sight.

use serde_json::json;
use sharewarden::model::{KnownScope, ProblemCode, Reading, Relist, Scope, SourceName};
use sharewarden::provider::{ChangeEffect, Found, Place, Sink, Target, Writer as _};

use crate::stage::{Stage, app, failed, small};

#[tokio::test]
async fn a_share_is_read_as_a_scan_reads_it() {
    let stage = Stage::small().await;
    let (batches, mut read) = tokio::sync::mpsc::channel(64);
    let sink = Sink::new(SourceName::new("cloud"), batches);
    let now = "2026-11-22T12:00:00Z".parse().unwrap();
    let scope = KnownScope {
        scope: Scope {
            id: "alice".to_owned(),
            account: None,
        },
        searched_at: None,
        checkpoint: None,
        relist: Relist {
            now,
            before: now,
            least: 0,
        },
        changed: Vec::new(),
    };
    sharewarden::provider::Reader::read(&stage.writer, scope, &sink).await;
    drop(sink);
    let mut count = 0;
    while let Some(batch) = read.recv().await {
        for reading in batch.readings {
            let Reading::Share(scanned) = reading else {
                continue;
            };
            count += 1;
            let target = Target {
                share: scanned.id.clone(),
                act_as: Some("alice".to_owned()),
                item: Place {
                    id: scanned.item.id.clone(),
                    kind: scanned.item.kind,
                    drive: None,
                },
            };
            assert_eq!(stage.share(&target).await, *scanned);
        }
    }
    assert_eq!(count, 12);
}

#[tokio::test]
async fn a_share_is_gone_only_where_its_item_is_still_there() {
    let stage = Stage::small().await;
    let target = stage.target(2, "alice").await;
    let other = stage.target(1, "alice").await;
    let named_alike = stage.target(9, "alice").await;
    let mailed = stage.target(8, "alice").await;
    stage.share(&target).await;
    stage.change(json!({"do": "remove", "share": 2})).await;
    assert!(matches!(stage.writer.read(&target).await, Ok(Found::Gone)));

    let lost = async |target: &Target, words: &str| match stage.writer.read(target).await.unwrap() {
        Found::Lost(why) => assert!(why.contains(words), "{why}"),
        found => panic!("{found:?}"),
    };
    // In the trash bin it is kept, and comes back with its file. Something of its name is not its file.
    stage
        .change(json!({"do": "add", "owner": "alice", "file": {"path": "/plan.md", "size": 1}}))
        .await;
    stage
        .change(json!({"do": "update", "owner": "alice", "file": "/Projects", "set": {"trashed": true}}))
        .await;
    lost(&other, "trash bin").await;
    lost(&mailed, "trash bin").await;
    lost(&named_alike, "another item").await;
    failed(
        stage.writer.set_expiry(&other, Some("2026-12-24")).await,
        ChangeEffect::Refused,
        ProblemCode::Forbidden,
        "trash bin",
    );
    stage
        .change(json!({"do": "update", "owner": "alice", "file": "/Projects", "set": {"trashed": false}}))
        .await;
    stage.share(&other).await;
    let swapped = Target {
        item: target.item.clone(),
        ..other.clone()
    };
    lost(&swapped, "another item").await;
    stage
        .change(json!({"do": "transfer", "owner": "alice", "file": "/Projects", "set": {"owner": "frank"}}))
        .await;
    lost(&other, "another account's").await;
    let moved = Target {
        act_as: Some("frank".to_owned()),
        ..other.clone()
    };
    stage.share(&moved).await;
    stage
        .change(json!({"do": "remove", "owner": "frank", "file": "/Transferred from alice/Projects"}))
        .await;
    lost(&moved, "deleted").await;
}

#[tokio::test]
async fn to_anybody_else_a_share_is_merely_out_of_sight() {
    let stage = Stage::small().await;
    // Neither owner nor maker: the item is in his home, and the share is not his to see.
    let target = stage.target(11, "bob").await;
    stage.change(json!({"do": "remove", "share": 11})).await;
    match stage.writer.read(&target).await.unwrap() {
        Found::Lost(why) => assert!(why.contains("does not own the item"), "{why}"),
        found => panic!("{found:?}"),
    }
    // Its maker saw it before, and still has the item.
    let own = stage.target(5, "bob").await;
    stage.share(&own).await;
    stage.change(json!({"do": "remove", "share": 5})).await;
    assert!(matches!(stage.writer.read(&own).await, Ok(Found::Gone)));
}

#[tokio::test]
async fn what_is_no_proper_answer_is_never_taken_for_gone() {
    let actions = [
        (
            json!({"do": "status", "status": 404, "body": "{}"}),
            ProblemCode::Forbidden,
        ),
        (
            json!({"do": "status", "status": 404, "headers": {"Content-Type": "application/json"}, "body": "{}"}),
            ProblemCode::Forbidden,
        ),
        (
            json!({"do": "status", "status": 404, "body": "<!DOCTYPE html><p>Not here</p>"}),
            ProblemCode::Forbidden,
        ),
        (
            json!({"do": "status", "status": 404, "body": "{\"ocs\":{\"meta\":{\"statuscode\":998,\"message\":\"Wrong share ID\"},\"data\":[]}}"}),
            ProblemCode::Forbidden,
        ),
        (json!({"do": "status", "status": 410}), ProblemCode::Forbidden),
        (json!({"do": "status", "status": 500}), ProblemCode::ServerError),
        (json!({"do": "html"}), ProblemCode::Malformed),
        (json!({"do": "deep", "levels": 100_000}), ProblemCode::Malformed),
        (json!({"do": "maintenance"}), ProblemCode::Maintenance),
    ];
    for (action, code) in actions {
        let stage = Stage::small().await;
        let target = stage.target(1, "alice").await;
        stage.writer.may_act_as("alice").await.unwrap();
        stage
            .fault(json!({"match": {"path_contains": "/shares/1"}, "action": action}))
            .await;
        failed(stage.writer.read(&target).await, ChangeEffect::None, code, "");
    }
    // The search for the item fails: nothing is known.
    let stage = Stage::small().await;
    let target = stage.target(1, "alice").await;
    stage.change(json!({"do": "remove", "share": 1})).await;
    stage
        .fault(json!({"match": {"method": "SEARCH"}, "action": {"do": "status", "status": 500}}))
        .await;
    failed(
        stage.writer.read(&target).await,
        ChangeEffect::None,
        ProblemCode::ServerError,
        "",
    );
}

#[tokio::test]
async fn a_mark_on_a_disabled_accounts_file_is_no_share_to_change() {
    let stage = Stage::of(&small(), app("small-app-secret")).await;
    let mut target = stage.target(1, "alice").await;
    target.share = "file/17".to_owned();
    for result in [
        stage.writer.read(&target).await.map(drop),
        stage.writer.revoke(&target).await,
        stage.writer.set_expiry(&target, None).await,
    ] {
        failed(
            result,
            ChangeEffect::Refused,
            ProblemCode::Forbidden,
            "its account is disabled",
        );
    }
}

#[tokio::test]
async fn all_that_is_shared_of_an_item_is_told_to_its_owner() {
    let stage = Stage::small().await;
    let item = stage.target(1, "alice").await.item;
    let ids = async |account| {
        let all = stage.writer.read_all(&item, Some(account)).await.unwrap();
        let mut ids: Vec<String> = all.into_iter().map(|share| share.id).collect();
        ids.sort();
        ids
    };
    assert_eq!(ids("alice").await, ["1", "4", "5"]);
    failed(
        stage.writer.read_all(&item, Some("frank")).await,
        ChangeEffect::Refused,
        ProblemCode::Forbidden,
        "not in this account's home",
    );
    failed(
        stage.writer.read_all(&item, None).await,
        ChangeEffect::Refused,
        ProblemCode::Forbidden,
        "no account is known",
    );
}
