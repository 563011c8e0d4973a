//! How much of an answer is believed, and for how long it is waited for.

use base64::{Engine, engine::general_purpose::STANDARD};
use proptest::{prelude::*, strategy::ValueTree, test_runner::TestRunner};

use super::{
    super::HttpError,
    client, client_with, failure, get, ms,
    server::{Reply, Server},
};

/// 100 KiB of zeros, packed.
const BOMB: &str = "H4sIAAAAAAACA+3BAQEAAACCIP+vbkhAAQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAfBhhhfhKAJABAA==";

fn bomb() -> Vec<u8> {
    STANDARD.decode(BOMB).unwrap()
}

#[tokio::test]
async fn a_declared_length_beyond_the_cap_is_refused_unread() {
    let server = Server::script([Reply::raw("HTTP/1.1 200 X\r\ncontent-length: 11\r\n\r\n")]).await;
    let error = client(&server)
        .open(&get(&server, "/").max_body(10))
        .await
        .unwrap_err();
    assert!(
        matches!(error, HttpError::TooLarge { allowed: 10, .. }),
        "{error}"
    );
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn a_passing_failure_is_asked_again_however_large_its_page() {
    let page = "x".repeat(1000);
    let server = Server::script([Reply::new(503, "", page), Reply::ok("done")]).await;
    let answer = client(&server)
        .send(&get(&server, "/").max_body(10))
        .await
        .unwrap();
    assert_eq!(answer.body, "done");
}

#[tokio::test]
async fn bytes_beyond_the_cap_are_refused_whatever_was_declared() {
    let chunked =
        "HTTP/1.1 200 X\r\ntransfer-encoding: chunked\r\n\r\n6\r\n123456\r\n5\r\n12345\r\n0\r\n\r\n";
    let undeclared = "HTTP/1.1 200 X\r\nconnection: close\r\n\r\n12345678901";
    for reply in [chunked, undeclared] {
        let server = Server::script([Reply::raw(reply)]).await;
        let error = failure(&client(&server), &get(&server, "/").max_body(10)).await;
        assert!(matches!(error, HttpError::TooLarge { .. }), "{error}");
        let answer = client(&server)
            .send(&get(&server, "/").max_body(11))
            .await
            .unwrap();
        assert_eq!(answer.body.len(), 11);
    }
}

#[tokio::test]
async fn packed_bytes_are_counted_unpacked() {
    let server = Server::script([Reply::new(200, "content-encoding: gzip\r\n", bomb())]).await;
    let answer = client(&server).send(&get(&server, "/")).await.unwrap();
    assert_eq!(answer.body.len(), 100 * 1024);
    let error = failure(&client(&server), &get(&server, "/").max_body(50_000)).await;
    assert!(matches!(error, HttpError::TooLarge { .. }), "{error}");
}

#[tokio::test]
async fn an_answer_that_ends_early_is_truncated() {
    let declared = Reply::raw("HTTP/1.1 200 X\r\ncontent-length: 9\r\n\r\nhalf");
    let chunked = Reply::raw("HTTP/1.1 200 X\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n");
    let packed = Reply::new(200, "content-encoding: gzip\r\n", &bomb()[..60]);
    for reply in [declared, chunked, packed] {
        let server = Server::script([reply]).await;
        let error = failure(&client(&server), &get(&server, "/")).await;
        assert!(matches!(error, HttpError::Truncated { .. }), "{error:?}");
        assert!(error.may_have_been_done());
    }
}

#[tokio::test]
async fn a_body_that_broke_does_not_end_well_later() {
    let server = Server::script([Reply::raw("HTTP/1.1 200 X\r\ncontent-length: 9\r\n\r\nhalf")]).await;
    let mut body = client(&server).open(&get(&server, "/")).await.unwrap();
    assert_eq!(body.chunk().await.unwrap().unwrap(), "half");
    let broken = body.chunk().await.unwrap_err();
    assert_eq!(body.chunk().await, Err(broken));
}

#[tokio::test]
async fn an_answer_that_cannot_be_unpacked_is_garbled() {
    let server = Server::script([Reply::new(200, "content-encoding: gzip\r\n", "no gzip at all")]).await;
    let error = failure(&client(&server), &get(&server, "/")).await;
    assert!(matches!(error, HttpError::Garbled { .. }), "{error:?}");
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn an_answer_that_stalls_is_timed_out() {
    let head = "HTTP/1.1 200 X\r\ncontent-length: 9\r\n\r\n";
    for (reply, missing) in [
        (Reply::ok("").after(ms(1500)), "no answer"),
        (Reply::raw(head).then_wait(ms(1500)), "no further part"),
    ] {
        let server = Server::script([reply]).await;
        let client = client_with(&server, |settings| {
            settings.timeouts.idle = ms(150);
            settings.patience.retries = 1;
        });
        let error = failure(&client, &get(&server, "/")).await;
        assert!(
            matches!(error, HttpError::Timeout { after, .. } if after == ms(150)),
            "{error:?}"
        );
        assert!(error.to_string().contains(missing), "{error}");
        assert_eq!(client.totals().sent, 2);
    }
}

#[tokio::test]
async fn an_answer_that_trickles_is_timed_out_in_all() {
    let mut reply = Reply::raw("HTTP/1.1 200 X\r\ncontent-length: 99\r\n\r\n");
    for _ in 0..99 {
        reply = reply.then_wait(ms(10)).then_send("x");
    }
    let server = Server::script([reply]).await;
    let client = client_with(&server, |settings| settings.patience.retries = 0);
    let error = failure(&client, &get(&server, "/").within(ms(45))).await;
    assert!(
        matches!(error, HttpError::Overlong { after, .. } if after == ms(45)),
        "{error:?}"
    );
}

#[tokio::test]
async fn nothing_is_waited_for_once_the_time_is_over() {
    let trickle = (0..99).fold(
        Reply::raw("HTTP/1.1 200 X\r\ncontent-length: 99\r\n\r\n"),
        |reply, _| reply.then_wait(ms(20)).then_send("x"),
    );
    let silent = Reply::ok("").after(ms(3000));
    let put_off = Reply::new(429, "retry-after: 3\r\n", "");
    for reply in [trickle, silent, put_off] {
        let server = Server::script([reply]).await;
        let client = client(&server);
        client.end_after(ms(150));
        client.end_after(ms(9000));
        let began = std::time::Instant::now();
        let error = failure(&client, &get(&server, "/")).await;
        assert!(matches!(error, HttpError::OutOfTime { .. }), "{error:?}");
        assert!(began.elapsed() < ms(2000));
        assert_eq!(error.problem_code(), crate::model::ProblemCode::TimeLimit);
        // Nothing is sent any more.
        let again = failure(&client, &get(&server, "/")).await;
        assert!(matches!(again, HttpError::OutOfTime { .. }), "{again:?}");
        assert_eq!(client.totals().sent, 1);
    }
}

#[tokio::test]
async fn any_bytes_are_an_answer_or_an_error() {
    const REPLIES: usize = 200;
    let heads = prop_oneof![
        Just(""),
        Just("HTTP/1.1 "),
        Just("HTTP/1.1 200 X\r\n"),
        Just("HTTP/1.1 302 X\r\nlocation: "),
        Just("HTTP/1.1 200 X\r\ncontent-encoding: gzip\r\n\r\n"),
        Just("HTTP/1.1 200 X\r\ntransfer-encoding: chunked\r\n\r\n"),
    ];
    let bytes = (heads, proptest::collection::vec(any::<u8>(), 0..200));
    let mut runner = TestRunner::deterministic();
    let replies = std::iter::repeat_with(|| bytes.new_tree(&mut runner).unwrap().current())
        .take(REPLIES)
        .map(|(head, tail)| Reply::raw([head.as_bytes(), &tail].concat()));
    let server = Server::script(replies).await;
    let client = client_with(&server, |settings| settings.patience.retries = 0);
    for _ in 0..REPLIES {
        if let Err(error) = client.send(&get(&server, "/")).await {
            let _ = error.problem_code();
            assert!(error.to_string().chars().all(|c| !c.is_control()), "{error}");
        }
    }
}
