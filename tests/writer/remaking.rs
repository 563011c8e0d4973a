//! Shares that are made again, and passwords.

use secrecy::SecretString;
use serde_json::json;
use sharewarden::model::Audience;
use sharewarden::model::{Access, Fact, ProblemCode, Right, ShareKind, SourceFacts};
use sharewarden::plan::Expects;
use sharewarden::provider::{ChangeEffect, Found, Lost, Target, Writer as _};

use crate::stage::{Stage, app, failed, small};

/// What is known of a share, as a journal keeps it.
async fn lost(stage: &Stage, target: &Target) -> Lost {
    let share = stage.share(target).await;
    Lost {
        kind: share.kind,
        anonymous: share.anonymous,
        item: target.item.clone(),
        act_as: target.act_as.clone(),
        recipients: share.recipients.iter().map(|who| who.id.clone()).collect(),
        access: share.access,
        expires: share.expires.stated().map(str::to_owned),
        label: share.label.clone(),
        password: share.password == Some(true),
    }
}

fn password(text: &str) -> SecretString {
    SecretString::from(text.to_owned())
}

#[tokio::test]
async fn a_share_that_was_ended_is_made_again_as_it_was() {
    let mut world = small();
    let shares = world["nextcloud"]["shares"].as_array_mut().unwrap();
    shares[0]["hide_download"] = json!(true);
    shares[9]["attributes"] = json!("[{\"scope\":\"permissions\",\"key\":\"download\",\"value\":false}]");
    let stage = Stage::of(&world, app("small-app-secret")).await;
    stage.writer.open().await.unwrap();
    for share in [1, 2, 3, 4, 5, 6, 8, 9, 10, 11, 14] {
        // Bob's link went with what alice had given him.
        if share == 5 {
            continue;
        }
        let target = stage.target(share, "alice").await;
        let before = stage.share(&target).await;
        let kept = lost(&stage, &target).await;
        let given = kept.password.then(|| password("Another-World-43"));
        stage.writer.revoke(&target).await.unwrap();
        let id = stage.writer.recreate(&kept, given.as_ref()).await.unwrap();
        let again = stage
            .share(&Target {
                share: id.clone(),
                ..target.clone()
            })
            .await;
        assert_ne!(id, share.to_string());
        let (old, new) = (
            Expects::of(&before, Audience::Unknown),
            Expects::of(&again, Audience::Unknown),
        );
        assert_eq!(old.drift(&new), Vec::<&str>::new(), "share {share}");
        assert_eq!((before.item.path, before.label), (again.item.path, again.label));
    }
}

#[tokio::test]
async fn without_the_password_that_protected_it_a_link_is_not_made_again() {
    let stage = Stage::small().await;
    stage.writer.open().await.unwrap();
    let target = stage.target(2, "alice").await;
    let kept = lost(&stage, &target).await;
    for given in [None, Some(password(""))] {
        failed(
            stage.writer.recreate(&kept, given.as_ref()).await,
            ChangeEffect::Refused,
            ProblemCode::Forbidden,
            "a password protected it",
        );
    }
    failed(
        stage.writer.recreate(&kept, Some(&password("short"))).await,
        ChangeEffect::Refused,
        ProblemCode::Forbidden,
        "at least 10 characters",
    );
    assert_eq!(stage.count("POST /ocs").await, 1);
}

#[tokio::test]
async fn what_cannot_be_made_again_is_said_beforehand() {
    let stage = Stage::small().await;
    let target = stage.target(8, "alice").await;
    let mail = lost(&stage, &target).await;
    let silent = SourceFacts {
        facts: [(Fact::PasswordsMailed, false)].into(),
        ..SourceFacts::default()
    };
    let mailing = SourceFacts {
        facts: [(Fact::PasswordsMailed, true)].into(),
        ..SourceFacts::default()
    };
    let unknown = SourceFacts::default();
    let protected = Lost {
        password: true,
        ..mail.clone()
    };
    let is_final = |facts: &SourceFacts, lost: &Lost| stage.writer.irrecoverable(facts, lost).is_some();
    assert!(!is_final(&mailing, &mail) && !is_final(&silent, &protected));
    assert!(is_final(&mailing, &protected) && is_final(&unknown, &protected));
    for change in [
        |lost: &mut Lost| lost.kind = ShareKind::Room,
        |lost: &mut Lost| lost.kind = ShareKind::Other,
        |lost: &mut Lost| lost.act_as = None,
        |lost: &mut Lost| lost.access = Access::NONE,
        |lost: &mut Lost| lost.access = Access::of(&[Right::Edit]),
        |lost: &mut Lost| lost.recipients.clear(),
        |lost: &mut Lost| lost.recipients = vec!["?".to_owned()],
        |lost: &mut Lost| lost.recipients.push("b@example.org".to_owned()),
        |lost: &mut Lost| lost.expires = Some("2026-12-24T00:00:00Z".to_owned()),
    ] {
        let mut other = mail.clone();
        change(&mut other);
        assert!(is_final(&silent, &other), "{other:?}");
    }
    // Even where nobody asked beforehand, no password is mailed.
    failed(
        stage
            .writer
            .recreate(&protected, Some(&password("Another-World-43")))
            .await,
        ChangeEffect::Refused,
        ProblemCode::Forbidden,
        "would mail the new password",
    );
    assert_eq!(stage.count("POST /ocs").await, 0);
}

#[tokio::test]
async fn too_many_new_shares_are_refused_for_a_while() {
    let mut world = small();
    world["nextcloud"]["settings"]["create_limit"] = json!(1);
    let stage = Stage::of(&world, app("small-app-secret")).await;
    let target = stage.target(1, "alice").await;
    let kept = lost(&stage, &target).await;
    stage.writer.recreate(&kept, None).await.unwrap();
    failed(
        stage.writer.recreate(&kept, None).await,
        ChangeEffect::None,
        ProblemCode::Throttled,
        "ten minutes",
    );
    assert_eq!(stage.count("POST /ocs").await, 2);
}

#[tokio::test]
async fn a_link_is_made_again_where_its_item_lies_now_and_not_where_it_lay() {
    let stage = Stage::small().await;
    let target = stage.target(2, "alice").await;
    let mut kept = lost(&stage, &target).await;
    kept.password = false;
    stage
        .change(json!([
            {"do": "update", "owner": "alice", "file": "/HR/salaries.xlsx", "set": {"path": "/HR/old & new.xlsx"}},
            {"do": "add", "owner": "alice", "file": {"path": "/HR/salaries.xlsx", "size": 1}},
        ]))
        .await;
    let id = stage.writer.recreate(&kept, None).await.unwrap();
    let again = Target {
        share: id,
        ..target.clone()
    };
    assert_eq!(stage.share(&again).await.item.path, "/HR/old & new.xlsx");
    stage
        .change(json!({"do": "remove", "owner": "alice", "file": "/HR/old & new.xlsx"}))
        .await;
    failed(
        stage.writer.recreate(&kept, None).await,
        ChangeEffect::Refused,
        ProblemCode::Forbidden,
        "not in this account's home",
    );
}

#[tokio::test]
async fn only_a_link_gets_another_password() {
    let stage = Stage::small().await;
    let link = stage.target(1, "alice").await;
    stage
        .writer
        .set_password(&link, &password("Another-World-43"))
        .await
        .unwrap();
    assert_eq!(stage.share(&link).await.password, Some(true));
    failed(
        stage.writer.set_password(&link, &password("")).await,
        ChangeEffect::Refused,
        ProblemCode::Forbidden,
        "take the protection away",
    );
    assert_eq!(stage.share(&link).await.password, Some(true));
    failed(
        stage.writer.set_password(&link, &password("Short-1")).await,
        ChangeEffect::Refused,
        ProblemCode::Forbidden,
        "at least 10 characters",
    );
    for other in [4, 8] {
        let target = stage.target(other, "alice").await;
        failed(
            stage
                .writer
                .set_password(&target, &password("Another-World-43"))
                .await,
            ChangeEffect::Refused,
            ProblemCode::Forbidden,
            "only a link",
        );
    }
    stage.writer.revoke(&link).await.unwrap();
    failed(
        stage
            .writer
            .set_password(&link, &password("Another-World-43"))
            .await,
        ChangeEffect::Refused,
        ProblemCode::Forbidden,
        "gone",
    );
    assert!(matches!(stage.writer.read(&link).await, Ok(Found::Gone)));
}

#[tokio::test]
async fn what_was_made_of_another_item_is_ended_at_once() {
    let mut world = small();
    let it = &mut world["nextcloud"];
    // Where alice's folder should lie for bob he has one of his own.
    it["accounts"][2]["files"] = json!([{"path": "/Drop/"}]);
    let shares = it["shares"].as_array_mut().unwrap();
    shares.push(
        json!({"id": 20, "type": "user", "owner": "alice", "path": "/Drop", "recipient": "bob",
        "permissions": 31}),
    );
    let stage = Stage::of(&world, app("small-app-secret")).await;
    stage.writer.open().await.unwrap();
    let target = stage.target(3, "alice").await;
    let kept = Lost {
        act_as: Some("bob".to_owned()),
        ..lost(&stage, &target).await
    };
    let before = stage.stored().await;
    failed(
        stage.writer.recreate(&kept, None).await,
        ChangeEffect::Refused,
        ProblemCode::Malformed,
        "was ended at once",
    );
    assert_eq!(stage.stored().await, before);
    assert_eq!((stage.count("POST ").await, stage.count("DELETE ").await), (1, 1));
    stage
        .fault(json!({"match": {"method": "DELETE"}, "action": {"do": "status", "status": 500}}))
        .await;
    failed(
        stage.writer.recreate(&kept, None).await,
        ChangeEffect::Unknown,
        ProblemCode::Malformed,
        "end it by hand",
    );
}
