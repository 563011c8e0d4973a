//! In whose name things are done, and credentials that are refused.

use serde_json::json;
use sharewarden::model::ProblemCode;
use sharewarden::provider::{ChangeEffect, Writer as _};

use crate::stage::{Stage, app, failed, passwords, small, writer};

use ChangeEffect::{None as Unsent, Refused};

#[tokio::test]
async fn one_secret_acts_for_all_but_disabled_and_unknown_accounts() {
    let stage = Stage::small().await;
    for account in ["alice", "bob", "frank", "alice"] {
        stage.writer.may_act_as(account).await.unwrap();
    }
    assert_eq!(
        stage.count("GET /ocs/v2.php/cloud/user").await,
        3,
        "each is asked once"
    );
    for _ in 0..3 {
        for account in ["erin", "nobody"] {
            failed(
                stage.writer.may_act_as(account).await,
                Refused,
                ProblemCode::AccountDisabled,
                "disabled or gone",
            );
        }
    }
    assert_eq!(stage.count("GET /ocs/v2.php/cloud/user").await, 5);
    for account in ["", "alice:x", ":"] {
        failed(
            stage.writer.may_act_as(account).await,
            Refused,
            ProblemCode::Forbidden,
            "no account is known",
        );
    }
    assert_eq!(stage.count("GET /ocs/v2.php/cloud/user").await, 5);
    // The server takes ids in any case, and so does what changes it.
    let target = stage.target(1, "ALICE").await;
    assert_eq!(stage.share(&target).await.id, "1");
}

#[tokio::test]
async fn a_wrong_secret_is_tried_for_no_second_account() {
    let stage = Stage::of(&small(), app("wrong-secret")).await;
    failed(
        stage.writer.open().await,
        Unsent,
        ProblemCode::Unauthorized,
        "AppAPI secret",
    );
    for account in ["alice", "bob", "frank", "gina", "admin"] {
        failed(
            stage.writer.may_act_as(account).await,
            Unsent,
            ProblemCode::Unauthorized,
            "AppAPI secret",
        );
    }
    assert_eq!(stage.asked().await.len(), 3, "{:?}", stage.asked().await);
}

#[tokio::test]
async fn an_answer_for_another_account_is_not_taken() {
    let stage = Stage::small().await;
    let other = json!({"ocs": {"meta": {"status": "ok", "statuscode": 200, "message": "OK"},
        "data": {"id": "admin", "enabled": true}}});
    stage
        .fault(json!({"match": {"path_contains": "cloud/user"},
            "action": {"do": "status", "status": 200, "body": other.to_string()}}))
        .await;
    let target = stage.target(1, "alice").await;
    for result in [
        stage.writer.may_act_as("alice").await,
        stage.writer.revoke(&target).await,
    ] {
        failed(
            result,
            Unsent,
            ProblemCode::Malformed,
            "for another account than `alice`",
        );
    }
    assert_eq!(stage.count("DELETE").await, 0);
}

#[tokio::test]
async fn each_account_has_its_own_password_and_a_wrong_one_is_tried_once() {
    let of = [
        ("alice", "alice-app-password"),
        ("bob@example.org", "bob-app-password"),
        ("frank", "wrong-app-password"),
    ];
    let stage = Stage::of(&small(), passwords(&of)).await;
    stage.writer.open().await.unwrap();
    for _ in 0..3 {
        stage.writer.may_act_as("alice").await.unwrap();
        failed(
            stage.writer.may_act_as("frank").await,
            Refused,
            ProblemCode::Unauthorized,
            "not tried again",
        );
        // Signs in by another name than the account's id.
        stage.writer.may_act_as("bob").await.unwrap();
        failed(
            stage.writer.may_act_as("gina").await,
            Refused,
            ProblemCode::Unauthorized,
            "",
        );
    }
    assert_eq!(stage.count("GET /ocs/v2.php/cloud/user").await, 3);
    let own = stage.target(5, "bob").await;
    stage.writer.revoke(&own).await.unwrap();
    assert!(!stage.stored().await.contains_key(&5));

    let alone = writer(&stage.url, passwords(&of[..1]));
    failed(
        alone.may_act_as("bob").await,
        Refused,
        ProblemCode::Forbidden,
        "no password is configured",
    );
}

#[tokio::test]
async fn few_wrong_passwords_are_risked() {
    let names = ["admin", "alice", "bob", "frank", "gina"];
    let stage = Stage::of(
        &small(),
        passwords(&names.map(|name| (name, "wrong-app-password"))),
    )
    .await;
    for name in names {
        let error = stage.writer.may_act_as(name).await.unwrap_err();
        assert_eq!(error.code, ProblemCode::Unauthorized);
    }
    assert_eq!(stage.asked().await.len(), 3);
}

#[tokio::test]
async fn an_account_that_is_disabled_meanwhile_is_asked_no_more() {
    let stage = Stage::small().await;
    let target = stage.target(1, "alice").await;
    stage.share(&target).await;
    stage
        .change(json!({"do": "update", "account": "alice", "set": {"enabled": false}}))
        .await;
    failed(
        stage.writer.set_expiry(&target, Some("2026-12-24")).await,
        Refused,
        ProblemCode::Unauthorized,
        "",
    );
    let before = stage.asked().await.len();
    failed(
        stage.writer.revoke(&target).await,
        Refused,
        ProblemCode::Unauthorized,
        "",
    );
    assert_eq!(stage.asked().await.len(), before);
}
