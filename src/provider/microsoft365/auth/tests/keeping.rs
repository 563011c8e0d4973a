//! One token at a time: kept while it is good, renewed early, and never by two at once.

use std::time::Duration;

use futures::future::join_all;
use tokio::time::Instant;

use super::super::{EARLY, margin};
use super::*;

fn busy() -> Reply {
    Reply::new(503, "", "<html>busy</html>")
}

fn refusal() -> Reply {
    Reply::json(
        401,
        &json!({"error": "invalid_client", "error_codes": [7_000_222]}),
    )
}

/// Makes the token due for renewal, or has it end.
async fn age(tokens: &Tokens, ended: bool) {
    let mut held = tokens.held.lock().await;
    let current = held.current.as_mut().unwrap();
    current.renew_at = Instant::now();
    if ended {
        current.ends = Instant::now();
    }
}

/// Lets the answer to a failure be asked for again.
async fn forget_failure(tokens: &Tokens) {
    tokens.held.lock().await.failed = None;
}

#[test]
fn a_token_is_renewed_a_tenth_of_its_life_before_its_end_and_never_before_its_middle() {
    for (life, before) in [
        (3600, 360),
        (86_400, 8_640),
        (1_200, 300),
        (600, 300),
        (60, 30),
        (1, 0),
    ] {
        let margin = margin(Duration::from_secs(life));
        assert_eq!(margin.as_secs(), before, "{life}");
        assert!(margin <= Duration::from_secs(life) / 2);
        assert!(margin >= EARLY.min(Duration::from_secs(life) / 2));
    }
}

#[tokio::test]
async fn a_good_token_is_used_again_and_one_that_is_due_is_replaced() {
    let server = Server::script([good("first"), good("second")]).await;
    let tokens = by_secret(&server);
    let first = tokens.bearer().await.unwrap();
    assert_eq!(tokens.bearer().await.unwrap().serial, first.serial);
    assert_eq!(server.seen().len(), 1);
    age(&tokens, false).await;
    let second = tokens.bearer().await.unwrap();
    assert_ne!(second.serial, first.serial);
    assert_eq!(server.seen().len(), 2);
}

#[tokio::test]
async fn many_who_ask_at_once_share_one_request() {
    let server = Server::script([good("token").after(Duration::from_millis(50))]).await;
    let tokens = by_secret(&server);
    let bearers = join_all((0..16).map(|_| tokens.bearer())).await;
    assert!(bearers.iter().all(|bearer| bearer.as_ref().unwrap().serial == 1));
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn many_who_ask_at_once_share_one_refusal() {
    let server = Server::script([refusal().after(Duration::from_millis(50))]).await;
    let tokens = by_secret(&server);
    let refused = join_all((0..16).map(|_| tokens.bearer())).await;
    assert!(
        refused
            .iter()
            .all(|it| code(it.as_ref().unwrap_err()) == ProblemCode::Unauthorized)
    );
    assert_eq!(server.seen().len(), 1, "a refused secret is tried once");
}

#[tokio::test]
async fn while_the_service_is_busy_a_token_that_is_still_good_is_used() {
    let replies = [good("first"), busy(), busy(), busy(), good("second")];
    let server = Server::script(replies).await;
    let tokens = by_secret(&server);
    let first = tokens.bearer().await.unwrap();
    age(&tokens, false).await;
    assert_eq!(tokens.bearer().await.unwrap().serial, first.serial);
    assert_eq!(server.seen().len(), 4, "it was asked thrice");
    // Not every request asks again.
    assert_eq!(tokens.bearer().await.unwrap().serial, first.serial);
    assert_eq!(server.seen().len(), 4);
    age(&tokens, false).await;
    assert_ne!(tokens.bearer().await.unwrap().serial, first.serial);
}

#[tokio::test]
async fn a_token_that_has_ended_is_used_no_more() {
    let server = Server::script([good("first"), busy(), busy(), busy(), good("second")]).await;
    let tokens = by_secret(&server);
    let first = tokens.bearer().await.unwrap();
    age(&tokens, true).await;
    assert_eq!(
        code(&tokens.bearer().await.unwrap_err()),
        ProblemCode::ServerError
    );
    forget_failure(&tokens).await;
    assert_ne!(tokens.bearer().await.unwrap().serial, first.serial);
}

#[tokio::test]
async fn after_a_refusal_a_token_that_is_still_good_is_used_no_more() {
    let server = Server::script([good("first"), refusal()]).await;
    let tokens = by_secret(&server);
    tokens.bearer().await.unwrap();
    age(&tokens, false).await;
    assert_eq!(
        code(&tokens.bearer().await.unwrap_err()),
        ProblemCode::Unauthorized
    );
}

#[tokio::test]
async fn a_refused_token_is_forgotten_unless_it_was_replaced() {
    let server = Server::script([good("first"), good("second"), good("third")]).await;
    let tokens = by_secret(&server);
    let first = tokens.bearer().await.unwrap();
    tokens.refused(&first).await;
    let second = tokens.bearer().await.unwrap();
    assert_ne!(first.serial, second.serial);
    // Another request that was sent with the first token comes back late.
    tokens.refused(&first).await;
    assert_eq!(tokens.bearer().await.unwrap().serial, second.serial);
    assert_eq!(server.seen().len(), 2);
}

#[tokio::test]
async fn after_an_interruption_nothing_is_sent() {
    let server = Server::script([good("token")]).await;
    let cancel = CancellationToken::new();
    let secret = SecretString::from(SECRET);
    let tokens = Tokens::new(
        setup(&server, Credential::ClientSecret { secret }),
        cancel.clone(),
    )
    .unwrap();
    cancel.cancel();
    assert_eq!(
        code(&tokens.bearer().await.unwrap_err()),
        ProblemCode::Interrupted
    );
    assert!(server.seen().is_empty());
}
