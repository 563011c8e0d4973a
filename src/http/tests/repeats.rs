//! What is asked again, and what is not.

use super::{
    super::{Effect, HttpError, Method, Request, StatusCode},
    client, client_with, failure, get, ms, post,
    server::{Reply, Server},
};

fn failing(status: u16) -> Reply {
    Reply::new(status, "", "sorry")
}

#[tokio::test]
async fn a_passing_failure_is_asked_again() {
    for first in [
        failing(429),
        failing(500),
        failing(502),
        failing(503),
        failing(504),
        Reply::new(503, "retry-after: 0\r\n", ""),
        Reply::nothing(),
        Reply::raw("HTTP/1.1 200 X\r\ncontent-length: 9\r\n\r\nhalf"),
    ] {
        let server = Server::script([first, Reply::ok("done")]).await;
        let client = client(&server);
        assert_eq!(client.send(&get(&server, "/")).await.unwrap().body, "done");
        assert_eq!(client.totals().retried, 1);
    }
}

#[tokio::test]
async fn a_lasting_answer_is_given_as_it_is() {
    for status in [201, 304, 400, 401, 403, 404, 412, 501] {
        let server = Server::script([failing(status)]).await;
        let answer = client(&server).send(&get(&server, "/")).await.unwrap();
        assert_eq!(answer.status, status);
        assert_eq!(server.seen().len(), 1);
    }
}

#[tokio::test]
async fn the_last_of_many_failures_is_the_answer() {
    let server = Server::script([failing(503)]).await;
    let answer = client(&server).send(&get(&server, "/")).await.unwrap();
    assert_eq!(
        (answer.status, &answer.body[..]),
        (StatusCode::SERVICE_UNAVAILABLE, &b"sorry"[..])
    );
    assert_eq!(server.seen().len(), 4);
}

#[tokio::test]
async fn too_many_requests_without_a_time_ends_as_throttled() {
    let server = Server::script([failing(429)]).await;
    let client = client(&server);
    let error = failure(&client, &get(&server, "/")).await;
    assert!(
        matches!(error, HttpError::Throttled { wait: None, .. }),
        "{error}"
    );
    assert_eq!((server.seen().len(), client.totals().throttled), (4, 4));
    assert!(client.totals().waited_seconds > 0.0);
}

#[tokio::test]
async fn what_is_unsafe_is_not_repeated_once_it_may_have_been_received() {
    for (reply, code) in [
        (failing(500), Some(500)),
        (failing(502), Some(502)),
        (failing(503), Some(503)),
        (Reply::nothing(), None),
        (failing(429), None),
        (Reply::ok("").after(ms(1500)), None),
    ] {
        let server = Server::script([reply]).await;
        let client = client_with(&server, |settings| settings.timeouts.idle = ms(300));
        let answer = client.send(&post(&server, "/")).await;
        assert_eq!(answer.ok().map(|answer| answer.status.as_u16()), code);
        assert_eq!(server.seen().len(), 1);
    }
}

#[tokio::test]
async fn a_post_that_is_declared_safe_is_repeated_with_its_body() {
    let server = Server::script([Reply::nothing(), Reply::ok("")]).await;
    let request = post(&server, "/$batch")
        .body("application/json".parse().unwrap(), "{}")
        .effect(Effect::Safe);
    client(&server).send(&request).await.unwrap();
    assert!(server.seen().iter().all(|seen| seen.body == b"{}"));
    assert_eq!(server.seen().len(), 2);
}

#[tokio::test]
async fn a_connection_that_fails_is_tried_again_even_for_what_is_unsafe() {
    let server = Server::script([Reply::ok("")]).await;
    let nobody = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = nobody.local_addr().unwrap().port();
    drop(nobody);
    let mut url = server.url.clone();
    url.set_port(Some(port)).unwrap();
    let client = client_with(&server, |settings| settings.origin = url.clone());
    let error = failure(&client, &Request::new(Method::DELETE, url)).await;
    assert!(matches!(error, HttpError::Connect { .. }), "{error}");
    assert!(!error.may_have_been_done());
    assert!(error.to_string().contains("refused"), "{error}");
    assert_eq!(client.totals().sent, 4);
}

#[tokio::test]
async fn an_answer_that_the_adapter_calls_final_is_not_repeated() {
    let blocked = Reply::new(429, "retry-after: 9\r\n", "Reached maximum delay");
    let server = Server::script([blocked]).await;
    let client = client_with(&server, |settings| {
        settings.is_final = |answer| answer.body.starts_with(b"Reached maximum delay");
    });
    for _ in 0..2 {
        assert_eq!(client.send(&get(&server, "/")).await.unwrap().status, 429);
    }
    assert_eq!((server.seen().len(), client.totals().waited_seconds), (2, 0.0));
}

#[tokio::test]
async fn an_opened_answer_is_repeated_until_it_begins_and_loses_no_byte() {
    let long = "x".repeat(200_000);
    let server = Server::script([failing(503), Reply::new(500, "", &long)]).await;
    let client = client_with(&server, |settings| settings.patience.retries = 1);
    let mut body = client.open(&get(&server, "/")).await.unwrap();
    assert_eq!(body.status(), 500);
    let mut read = Vec::new();
    while let Some(piece) = body.chunk().await.unwrap() {
        read.extend_from_slice(&piece);
    }
    assert_eq!(read, long.as_bytes());
}
