//! What the daemon tells of itself on a loopback address: whether it lives, and metrics.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use tokio::net::TcpListener;

/// How long after it was due a run may begin before the daemon passes for stuck.
const LATE: SignedDuration = SignedDuration::from_hours(1);
/// What a text exposition is, as Prometheus reads it.
const EXPOSITION: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What the daemon is at.
#[derive(Clone, Debug, Serialize)]
pub struct Pulse {
    /// When it was started.
    pub started_at: Timestamp,
    /// When the next run is due; `None` where the schedule has none.
    pub next_run_at: Option<Timestamp>,
    /// Since when a run goes on.
    pub running_since: Option<Timestamp>,
    /// When the run that goes on passes for stuck.
    pub overdue_at: Option<Timestamp>,
    /// The last run that it made.
    pub last_run: Option<LastRun>,
    /// Whether the configuration could not be read again, and an older one counts.
    pub configuration_is_old: bool,
}

/// A run that ended.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct LastRun {
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub finished_at: Timestamp,
    /// Its exit code.
    pub exit_code: u8,
}

impl Pulse {
    /// Whether the daemon does what it is there for: no run is due for long that has not begun, and none goes on for longer
    /// than it may. How the last run ended is for metrics to tell: starting the daemon anew would not change it.
    #[must_use]
    pub fn is_alive(&self, now: Timestamp) -> bool {
        if self.running_since.is_some() {
            return self.overdue_at.is_none_or(|overdue| now <= overdue);
        }
        self.next_run_at
            .is_some_and(|due| now.duration_since(due) <= LATE)
    }

    /// The same as metrics, in the text format of Prometheus.
    #[must_use]
    pub fn metrics(&self) -> String {
        let mut text = String::new();
        let mut gauge = |name: &str, help: &str, value: Option<f64>| {
            if let Some(value) = value {
                let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} gauge\n{name} {value}");
            }
        };
        #[expect(clippy::cast_precision_loss, reason = "seconds of our age are exact")]
        let seconds = |at: Timestamp| at.as_second() as f64;
        let last = self.last_run.as_ref();
        gauge(
            "sharewarden_daemon_start_timestamp_seconds",
            "When the daemon was started.",
            Some(seconds(self.started_at)),
        );
        gauge(
            "sharewarden_daemon_next_run_timestamp_seconds",
            "When its next run is due.",
            self.next_run_at.map(seconds),
        );
        gauge(
            "sharewarden_daemon_running",
            "Whether a run goes on.",
            Some(f64::from(u8::from(self.running_since.is_some()))),
        );
        gauge(
            "sharewarden_daemon_last_run_exit_code",
            "How the last run of this daemon ended.",
            last.map(|last| f64::from(last.exit_code)),
        );
        gauge(
            "sharewarden_daemon_last_run_duration_seconds",
            "How long the last run of this daemon took.",
            last.map(|last| last.finished_at.duration_since(last.started_at).as_secs_f64()),
        );
        gauge(
            "sharewarden_daemon_configuration_is_old",
            "Whether the configuration could not be read again, and an older one counts.",
            Some(f64::from(u8::from(self.configuration_is_old))),
        );
        text
    }
}

/// A pulse that the daemon changes while others read it.
#[derive(Clone, Debug)]
pub struct Shared(Arc<Mutex<Pulse>>);

impl Shared {
    /// Shares a pulse.
    #[must_use]
    pub fn new(pulse: Pulse) -> Self {
        Self(Arc::new(Mutex::new(pulse)))
    }

    /// The pulse, to read or change for a moment.
    pub fn pulse(&self) -> MutexGuard<'_, Pulse> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the answers are made of.
#[derive(Clone)]
pub struct Teller {
    /// What the daemon is at.
    pub pulse: Shared,
    /// The time.
    pub clock: fn() -> Timestamp,
    /// Metrics of what is stored; may take a moment, as it reads a file.
    pub stored: Arc<dyn Fn() -> Result<String, String> + Send + Sync>,
}

impl std::fmt::Debug for Teller {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Teller")
            .field("pulse", &self.pulse)
            .finish_non_exhaustive()
    }
}

/// Answers `/healthz` and `/metrics` until it is dropped.
///
/// # Errors
/// What the listener fails with.
pub async fn serve(listener: TcpListener, teller: Teller) -> std::io::Result<()> {
    let routes = Router::new()
        .route("/healthz", get(healthz))
        .route("/metrics", get(metrics))
        .with_state(teller);
    axum::serve(listener, routes).await
}

async fn healthz(State(teller): State<Teller>) -> Response {
    let pulse = teller.pulse.pulse().clone();
    let status = if pulse.is_alive((teller.clock)()) {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (status, axum::Json(pulse)).into_response()
}

async fn metrics(State(teller): State<Teller>) -> Response {
    let own = teller.pulse.pulse().metrics();
    let stored = Arc::clone(&teller.stored);
    let stored = tokio::task::spawn_blocking(move || stored()).await;
    match stored.unwrap_or_else(|error| Err(error.to_string())) {
        Ok(stored) => ([(header::CONTENT_TYPE, EXPOSITION)], own + &stored).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error).into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_795_000_000 + second).unwrap()
    }

    #[test]
    fn a_run_that_does_not_begin_or_end_is_noticed() {
        let pulse = Pulse {
            started_at: at(0),
            next_run_at: Some(at(100)),
            running_since: None,
            overdue_at: None,
            last_run: None,
            configuration_is_old: false,
        };
        assert!(pulse.is_alive(at(0)) && pulse.is_alive(at(100 + 3_600)));
        assert!(!pulse.is_alive(at(101 + 3_600)));
        let running = Pulse {
            running_since: Some(at(101)),
            overdue_at: Some(at(50_000)),
            ..pulse.clone()
        };
        assert!(running.is_alive(at(50_000)), "a long one has its own limits");
        assert!(!running.is_alive(at(50_001)));
        let idle = Pulse {
            next_run_at: None,
            ..pulse
        };
        assert!(!idle.is_alive(at(0)));
    }
}
