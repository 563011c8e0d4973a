//! The budget of resource units, and what closes the gate where they are counted.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use futures::future::join_all;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use super::{
    super::{Client, Day, HttpError, Request, Reserve, Settings, SetupError, Units},
    client, client_with,
    day::counted,
    failure, get, ms,
    server::{Reply, Server},
    settings,
};
use crate::model::ProblemCode;

/// A thousand units a second, after a hundred at once.
const FAST: u32 = 60_000;
/// So many that nobody waits.
const AMPLE: u32 = u32::MAX;

fn allow(per_minute: u32) -> impl FnOnce(&mut Settings) {
    move |settings| {
        settings.units = Some(Units {
            per_minute,
            day: None,
        });
    }
}

fn costly(server: &Server, path: &str, units: u32) -> Request {
    get(server, path).units(units)
}

#[tokio::test]
async fn each_try_costs() {
    let server = Server::script([Reply::new(500, "", ""), Reply::ok("")]).await;
    let client = client_with(&server, allow(AMPLE));
    client.send(&costly(&server, "/", 7)).await.unwrap();
    client.send(&get(&server, "/free")).await.unwrap();
    let totals = client.totals();
    assert_eq!((totals.sent, totals.retried, totals.units), (3, 1, 14));
}

#[tokio::test]
async fn no_more_is_spent_than_comes_in() {
    let server = Server::script([Reply::ok("")]).await;
    let client = client_with(&server, allow(FAST));
    let request = costly(&server, "/", 60);
    let began = Instant::now();
    let answers = join_all((0..5).map(|_| client.send(&request))).await;
    assert!(answers.iter().all(Result::is_ok));
    // A hundred at once, then one each millisecond.
    assert!(began.elapsed() >= ms(195), "{:?}", began.elapsed());
    let totals = client.totals();
    assert_eq!(totals.units, 300);
    assert!(
        (0.19..=began.elapsed().as_secs_f64()).contains(&totals.waited_seconds),
        "{totals:?}"
    );
}

#[tokio::test]
async fn what_costs_more_than_may_be_spent_at_once_waits_in_steps() {
    let server = Server::script([Reply::ok("")]).await;
    let client = client_with(&server, allow(FAST));
    let began = Instant::now();
    client.send(&costly(&server, "/", 350)).await.unwrap();
    assert!(began.elapsed() >= ms(245), "{:?}", began.elapsed());
    // Less comes in within a minute than the batch costs.
    let client = client_with(&server, allow(60));
    let began = Instant::now();
    client.send(&costly(&server, "/", 61)).await.unwrap();
    assert!(began.elapsed() >= ms(950), "{:?}", began.elapsed());
}

#[tokio::test]
async fn who_needs_many_has_a_turn_among_those_who_need_few() {
    let server = Server::script([Reply::ok("")]).await;
    let client = client_with(&server, |settings| {
        settings.limits.in_flight = 50;
        allow(6_000)(settings);
    });
    let mut requests = vec![costly(&server, "/first", 100), costly(&server, "/many", 40)];
    requests.extend((0..20).map(|_| costly(&server, "/few", 1)));
    join_all(requests.iter().map(|request| client.send(request))).await;
    let seen = server.seen();
    let turn = seen.iter().position(|seen| seen.head.starts_with("GET /many"));
    assert!(turn.is_some_and(|turn| turn < 5), "{turn:?}");
}

#[tokio::test]
async fn nobody_is_sent_while_waiting_for_units_after_an_interruption() {
    let server = Server::script([Reply::ok("")]).await;
    let cancel = CancellationToken::new();
    let mut settings = settings(&server.url);
    allow(60)(&mut settings);
    let client = Client::new(settings, cancel.clone()).unwrap();
    let request = costly(&server, "/", 300);
    let interrupt = async {
        tokio::time::sleep(ms(20)).await;
        cancel.cancel();
    };
    let (waiting, ()) = tokio::join!(client.send(&request), interrupt);
    assert!(
        matches!(waiting, Err(HttpError::Interrupted { .. })),
        "{waiting:?}"
    );
    assert!(server.seen().is_empty());
    assert_eq!(client.totals().units, 0);
}

#[tokio::test]
async fn nothing_is_sent_during_a_pause() {
    const PAUSE: Duration = ms(400);
    let fine = Reply::ok("").after(ms(5));
    let slow_down = Reply::new(429, "retry-after: 0.4\r\n", "").after(ms(5));
    let mut script = vec![fine.clone(); 8];
    script.extend(vec![slow_down; 12]);
    script.push(fine);
    let server = Server::script(script).await;
    let client = client_with(&server, |settings| {
        settings.patience.retries = 20;
        allow(AMPLE)(settings);
    });
    let request = costly(&server, "/", 5);
    let answers = join_all((0..40).map(|_| client.send(&request))).await;
    assert!(answers.iter().all(Result::is_ok));
    let seen = server.seen();
    assert_eq!(seen.len(), 52);
    let since: Vec<_> = seen[8..].iter().map(|later| later.at - seen[8].at).collect();
    // Only what was on its way when the first answer came.
    let early = since.iter().filter(|time| **time < PAUSE).count();
    assert!(early <= 8, "{early}");
    assert!(
        !since.iter().any(|time| (ms(200)..PAUSE).contains(time)),
        "{since:?}"
    );
    let totals = client.totals();
    assert_eq!((totals.throttled, totals.units), (12, 52 * 5));
}

#[tokio::test]
async fn the_pause_begins_with_the_head_of_the_answer_that_asks_for_it() {
    for told in ["retry-after: 0.4\r\n", ""] {
        let head = format!("HTTP/1.1 429 X\r\nconnection: close\r\ncontent-length: 4\r\n{told}\r\n");
        let slow = Reply::raw(head).then_wait(ms(300)).then_send("slow");
        let server = Server::script([slow, Reply::ok("")]).await;
        let client = client_with(&server, |settings| {
            // An answer that does not say for how long stops all for eight times this.
            settings.patience.backoff = ms(50);
            allow(AMPLE)(settings);
        });
        let (first, second) = (costly(&server, "/first", 1), costly(&server, "/second", 1));
        let later = async {
            tokio::time::sleep(ms(100)).await;
            client.send(&second).await
        };
        let (a, b) = tokio::join!(client.send(&first), later);
        assert!(a.is_ok() && b.is_ok());
        let seen = server.seen();
        assert!(
            seen[1..].iter().all(|later| later.at - seen[0].at >= ms(395)),
            "{seen:?}"
        );
    }
}

#[tokio::test]
async fn an_answer_within_an_answer_pauses_all() {
    let server = Server::script([Reply::ok("")]).await;
    let client = client(&server);
    client.pause(ms(60));
    let began = Instant::now();
    client.send(&get(&server, "/")).await.unwrap();
    assert!(began.elapsed() >= ms(58), "{:?}", began.elapsed());
    assert_eq!(client.totals().throttled, 1);
    client.pause(Duration::MAX);
    let error = failure(&client, &get(&server, "/")).await;
    assert!(
        matches!(error, HttpError::Throttled { wait: Some(wait), .. } if wait <= Duration::from_hours(24)),
        "{error}"
    );
}

/// How long after an answer with these headers the next request comes.
async fn pause_after(status: u16, headers: &str, change: impl FnOnce(&mut Settings)) -> Duration {
    let server = Server::script([Reply::new(status, headers, ""), Reply::ok("")]).await;
    let client = client_with(&server, change);
    for _ in 0..2 {
        client.send(&costly(&server, "/", 1)).await.unwrap();
    }
    let seen = server.seen();
    seen[1].at - seen[0].at
}

#[tokio::test]
async fn a_limit_that_is_nearly_reached_pauses_all() {
    let scarce = "RateLimit-Limit: 1200\r\nRateLimit-Remaining: 99\r\nRateLimit-Reset: 0.2\r\n";
    assert!(pause_after(200, scarce, allow(AMPLE)).await >= ms(195));
    assert!(pause_after(404, scarce, allow(AMPLE)).await >= ms(195));
    // Who cannot spend a hundred at once needs less.
    let enough_for_few = scarce.replace("0.2", "20");
    assert!(pause_after(200, &enough_for_few, allow(99)).await < Duration::from_secs(15));
    // Who counts no units is not concerned; nor is anybody by nonsense.
    assert!(pause_after(200, &enough_for_few, |_| {}).await < Duration::from_secs(15));
    for enough in [
        "RateLimit-Remaining: 100\r\nRateLimit-Reset: 20\r\n",
        "RateLimit-Remaining: none\r\nRateLimit-Reset: 20\r\n",
        "RateLimit-Remaining: 0\r\nRateLimit-Reset: soon\r\n",
        "RateLimit-Remaining: 0\r\n",
        "RateLimit-Reset: 20\r\n",
    ] {
        assert!(
            pause_after(200, enough, allow(AMPLE)).await < Duration::from_secs(15),
            "{enough}"
        );
    }
}

#[tokio::test]
async fn of_two_times_to_wait_the_longer_counts() {
    for (status, headers) in [
        (429, "retry-after: 0.05\r\nRateLimit-Reset: 0.2\r\n"),
        (429, "retry-after: 0.2\r\nRateLimit-Reset: 0.05\r\n"),
        (503, "RateLimit-Reset: 0.2\r\n"),
        (503, "retry-after: 0.2\r\nRateLimit-Reset: soon\r\n"),
    ] {
        let paused = pause_after(status, headers, allow(AMPLE)).await;
        assert!(paused >= ms(195), "{status} {headers} {paused:?}");
    }
}

#[tokio::test]
async fn the_advice_is_about_units_where_they_are_counted() {
    let server = Server::script([Reply::new(429, "retry-after: 3600\r\n", "")]).await;
    let error = failure(&client_with(&server, allow(AMPLE)), &get(&server, "/")).await;
    let shown = error.to_string();
    assert!(
        shown.contains("license_count") && shown.contains("limits.units_per_minute"),
        "{shown}"
    );
    let shown = failure(&client(&server), &get(&server, "/")).await.to_string();
    assert!(shown.ends_with("lower the requests per second"), "{shown}");
}

#[tokio::test]
async fn a_day_that_is_spent_sends_nothing_more() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("units.json");
    let server = Server::script([Reply::ok("")]).await;
    let client = |reserve| {
        let day = Day::open(&path, 1000, reserve).unwrap();
        client_with(&server, |settings| {
            settings.units = Some(Units {
                per_minute: AMPLE,
                day: Some(Arc::new(day)),
            });
        })
    };
    let (full, person) = (client(Reserve::Kept), client(Reserve::Usable));
    let request = costly(&server, "/", 300);
    for _ in 0..3 {
        full.send(&request).await.unwrap();
    }
    let error = failure(&full, &request).await;
    assert!(
        matches!(
            error,
            HttpError::BudgetSpent {
                per_day: 1000,
                again: 24..=25,
                ..
            }
        ),
        "{error:?}"
    );
    assert_eq!(error.problem_code(), ProblemCode::BudgetSpent);
    assert!(!error.may_have_been_done());
    let shown = error.to_string();
    for part in [
        "nine tenths of the day's budget of 1000 units",
        "limits.units_per_day",
        "license_count",
    ] {
        assert!(shown.contains(part), "{shown}");
    }
    // What costs nothing goes on, and so does who may use the reserve.
    full.send(&get(&server, "/free")).await.unwrap();
    person.send(&costly(&server, "/", 100)).await.unwrap();
    let shown = failure(&person, &request).await.to_string();
    assert!(
        shown.contains("since the day's budget of 1000 units is spent"),
        "{shown}"
    );
    assert_eq!(server.seen().len(), 5);
    drop((full, person));
    assert_eq!(counted(&path), 1000);
}

#[tokio::test]
async fn who_finds_the_gate_closed_after_waiting_for_units_pays_once_and_only_if_sent() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("units.json");
    let server = Server::script([Reply::ok("")]).await;
    let client = client_with(&server, |settings| {
        settings.units = Some(Units {
            per_minute: 60,
            day: Some(Arc::new(Day::open(&path, 100_000, Reserve::Usable).unwrap())),
        });
    });
    let close = async |pause| {
        tokio::time::sleep(ms(20)).await;
        client.pause(pause);
    };
    // The last of them comes after a second; to pay twice would take a minute more.
    let request = costly(&server, "/", 61);
    let began = Instant::now();
    let both = async { tokio::join!(client.send(&request), close(ms(1200))) };
    let (sent, ()) = tokio::time::timeout(Duration::from_secs(30), both).await.unwrap();
    assert!(sent.is_ok());
    assert!(began.elapsed() >= ms(1215), "{:?}", began.elapsed());
    assert_eq!(client.totals().units, 61);
    let request = costly(&server, "/", 2);
    let (given_up, ()) = tokio::join!(client.send(&request), close(Duration::from_hours(1)));
    assert!(
        matches!(given_up, Err(HttpError::Throttled { .. })),
        "{given_up:?}"
    );
    assert_eq!((server.seen().len(), client.totals().units), (1, 61));
    drop(client);
    assert_eq!(counted(&path), 61);
}

#[test]
fn no_units_at_all_are_refused() {
    let mut settings = settings(&"https://graph.example".parse().unwrap());
    allow(0)(&mut settings);
    assert_eq!(
        Client::new(settings, CancellationToken::new()).unwrap_err(),
        SetupError::Units
    );
}
