//! The client against small servers on this machine that do exactly what a test says.

mod bounds;
mod day;
mod limits;
mod repeats;
mod secrecy;
mod server;
mod tls;
mod trust;
mod units;

use std::time::Duration;

use tokio_util::sync::CancellationToken;
use url::Url;

use self::server::Server;
use super::{Client, HttpError, Limits, Patience, Proxy, Request, Settings};

/// Settings without limits and without long waits.
fn settings(origin: &Url) -> Settings {
    Settings {
        limits: Limits {
            requests_per_second: f64::INFINITY,
            in_flight: 8,
        },
        patience: Patience {
            retries: 3,
            total: Duration::from_secs(5),
            backoff: Duration::from_micros(100),
        },
        proxy: Proxy::Direct,
        ..Settings::new(origin.clone())
    }
}

fn client_with(server: &Server, change: impl FnOnce(&mut Settings)) -> Client {
    let mut settings = settings(&server.url);
    change(&mut settings);
    Client::new(settings, CancellationToken::new()).unwrap()
}

fn client(server: &Server) -> Client {
    client_with(server, |_| {})
}

fn get(server: &Server, path: &str) -> Request {
    Request::get(server.url.join(path).unwrap())
}

fn post(server: &Server, path: &str) -> Request {
    Request::new(super::Method::POST, server.url.join(path).unwrap())
}

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// The error of a request that must fail.
async fn failure(client: &Client, request: &Request) -> HttpError {
    client.send(request).await.expect_err("this must fail")
}
