//! The rate, the count in flight, the pause and the interruption.

use std::time::{Duration, Instant};

use futures::future::join_all;
use tokio_util::sync::CancellationToken;

use super::{
    super::{Client, HttpError, Limits, SetupError},
    client, client_with, failure, get, ms,
    server::{Reply, Server},
    settings,
};

fn limits(requests_per_second: f64, in_flight: usize) -> Limits {
    Limits {
        requests_per_second,
        in_flight,
    }
}

#[tokio::test]
async fn no_more_requests_are_sent_per_second_than_allowed() {
    let server = Server::script([Reply::ok("")]).await;
    let client = client_with(&server, |settings| settings.limits = limits(100.0, 50));
    let began = Instant::now();
    let request = get(&server, "/");
    let answers = join_all((0..15).map(|_| client.send(&request))).await;
    assert!(answers.iter().all(Result::is_ok));
    // Ten at once, then one each 10 ms.
    assert!(began.elapsed() >= ms(45), "{:?}", began.elapsed());
    assert_eq!(client.totals().sent, 15);
}

#[tokio::test]
async fn no_more_requests_are_in_flight_than_allowed() {
    let server = Server::script([Reply::ok("").after(ms(10))]).await;
    let client = client_with(&server, |settings| settings.limits = limits(f64::INFINITY, 2));
    let request = get(&server, "/");
    join_all((0..8).map(|_| client.send(&request))).await;
    assert_eq!(server.most_open(), 2);
}

#[tokio::test]
async fn an_open_body_counts_as_in_flight_until_it_is_dropped() {
    let server = Server::script([Reply::ok("body")]).await;
    let client = client_with(&server, |settings| settings.limits = limits(f64::INFINITY, 1));
    let request = get(&server, "/");
    let mut body = client.open(&request).await.unwrap();
    assert_eq!(body.chunk().await.unwrap().unwrap(), "body");
    assert_eq!(body.chunk().await, Ok(None));
    assert!(tokio::time::timeout(ms(20), client.send(&request)).await.is_err());
    drop(body);
    assert!(client.send(&request).await.is_ok());
}

#[tokio::test]
async fn one_request_that_is_asked_to_wait_pauses_all() {
    let slow_down = Reply::new(429, "retry-after: 0.04\r\n", "");
    let server = Server::script([slow_down, Reply::ok("")]).await;
    let client = client(&server);
    let (first, second) = (get(&server, "/first"), get(&server, "/second"));
    let later = async {
        while client.totals().throttled == 0 {
            tokio::time::sleep(ms(1)).await;
        }
        client.send(&second).await
    };
    let (a, b) = tokio::join!(client.send(&first), later);
    assert!(a.is_ok() && b.is_ok());
    let seen = server.seen();
    assert_eq!(seen.len(), 3);
    assert!(
        seen[1..].iter().all(|later| later.at - seen[0].at >= ms(38)),
        "{seen:?}"
    );
    let totals = client.totals();
    assert_eq!((totals.sent, totals.retried, totals.throttled), (3, 1, 1));
    assert!(totals.waited_seconds >= 0.038, "{totals:?}");
}

#[tokio::test]
async fn a_pause_beyond_the_patience_is_an_error_for_all_and_sends_nothing() {
    let server = Server::script([Reply::new(503, "retry-after: 3600\r\n", "")]).await;
    let client = client(&server);
    let error = failure(&client, &get(&server, "/a")).await;
    assert!(
        matches!(error, HttpError::Throttled { wait: Some(wait), .. } if wait == Duration::from_hours(1))
    );
    assert!(error.to_string().contains("come back in 3600 s"), "{error}");
    assert!(matches!(
        failure(&client, &get(&server, "/b")).await,
        HttpError::Throttled { .. }
    ));
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn those_who_wait_for_a_pause_hold_no_place_in_flight() {
    let slow_down = Reply::new(429, "retry-after: 0.03\r\n", "");
    let server = Server::script([slow_down, Reply::ok("")]).await;
    let client = client_with(&server, |settings| settings.limits = limits(f64::INFINITY, 1));
    let request = get(&server, "/");
    let answers = join_all((0..4).map(|_| client.send(&request))).await;
    assert!(answers.iter().all(Result::is_ok));
    let seen = server.seen();
    assert_eq!((server.most_open(), seen.len()), (1, 5));
    // Nor do those go on who waited for a place when the pause began.
    assert!(
        seen[1..].iter().all(|later| later.at - seen[0].at >= ms(28)),
        "{seen:?}"
    );
}

#[tokio::test]
async fn nothing_is_sent_after_an_interruption() {
    let server = Server::script([Reply::new(429, "retry-after: 3\r\n", ""), Reply::ok("")]).await;
    let cancel = CancellationToken::new();
    let client = Client::new(settings(&server.url), cancel.clone()).unwrap();
    let request = get(&server, "/");
    let interrupt = async {
        tokio::time::sleep(ms(20)).await;
        cancel.cancel();
    };
    let (waiting, ()) = tokio::join!(client.send(&request), interrupt);
    assert!(
        matches!(waiting, Err(HttpError::Interrupted { .. })),
        "{waiting:?}"
    );
    assert!(matches!(
        failure(&client, &request).await,
        HttpError::Interrupted { .. }
    ));
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn an_interrupted_client_sends_nothing_even_if_nothing_holds_it_up() {
    let server = Server::script([Reply::ok("")]).await;
    let cancel = CancellationToken::new();
    let client = Client::new(settings(&server.url), cancel.clone()).unwrap();
    cancel.cancel();
    for _ in 0..20 {
        assert!(matches!(
            failure(&client, &get(&server, "/")).await,
            HttpError::Interrupted { .. }
        ));
    }
    assert!(server.seen().is_empty());
}

#[tokio::test]
async fn an_answer_on_its_way_is_read_after_an_interruption() {
    let server = Server::script([Reply::ok("here").after(ms(20))]).await;
    let cancel = CancellationToken::new();
    let client = Client::new(settings(&server.url), cancel.clone()).unwrap();
    let request = get(&server, "/");
    let interrupt = async {
        tokio::time::sleep(ms(10)).await;
        cancel.cancel();
    };
    let (answer, ()) = tokio::join!(client.send(&request), interrupt);
    assert_eq!(answer.unwrap().body, "here");
}

#[test]
fn limits_that_allow_nothing_are_refused() {
    let url = "https://cloud.example".parse().unwrap();
    for rate in [0.0, -1.0, f64::NAN, f64::NEG_INFINITY, 1e-300, 1e-12] {
        let mut settings = settings(&url);
        settings.limits = limits(rate, 1);
        let error = Client::new(settings, CancellationToken::new()).unwrap_err();
        assert!(matches!(error, SetupError::Rate(_)), "{rate} {error}");
    }
    for rate in [0.001, 1e300, f64::INFINITY] {
        let mut settings = settings(&url);
        settings.limits = limits(rate, usize::MAX);
        assert!(Client::new(settings, CancellationToken::new()).is_ok(), "{rate}");
    }
    let mut settings = settings(&url);
    settings.limits = limits(1.0, 0);
    assert_eq!(
        Client::new(settings, CancellationToken::new()).unwrap_err(),
        SetupError::InFlight
    );
}
