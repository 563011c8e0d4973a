//! `daemon`: goes through the nights by `[schedule]`, catches up one that was missed, and tells how it is on a loopback
//! address.

use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::nightly::Job;
use super::sources::{self, Signals, wrong};
use super::terminal::say;
use super::{Exit, Global, change, clock, scan};
use crate::config::{Loaded, Settings};
use crate::health::{self, LastRun, Pulse, Shared, Teller};
use crate::report::metrics;
use crate::store::Ledger;

/// How often the clock is looked at while nothing is due: it may be set, and machines sleep.
const LOOK: Duration = Duration::from_secs(20);
/// How far the clock is set back before what was due by it no longer counts: less is a correction.
const SET_BACK: SignedDuration = SignedDuration::from_hours(1);

pub(super) async fn run(global: &Global) -> Result<Exit, Exit> {
    change::needs_state(global, "daemon")?;
    if global.now.is_some() {
        return Err(wrong(
            "--now is for rehearsals, and the daemon lives by the clock",
            "leave --now out; `sharewarden nightly --dry-run` rehearses a night",
        ));
    }
    let loaded = global.load()?;
    sources::choose(&loaded.settings, &[])?;
    let health = loaded.settings.schedule.health;
    let no_listener = |error: std::io::Error| {
        wrong(
            &format!("`health` of [schedule], {health}: {error}"),
            "name a free port on a loopback address",
        )
    };
    let listener = TcpListener::bind(health).await.map_err(no_listener)?;
    let address = listener.local_addr().map_err(no_listener)?;
    let hangup = signal(SignalKind::hangup()).map_err(no_listener)?;
    let missed = missed(&loaded.settings)?;
    let pulse = Shared::new(Pulse {
        started_at: clock(),
        next_run_at: None,
        running_since: None,
        last_run: None,
        configuration_is_old: false,
    });
    let teller = Teller {
        pulse: pulse.clone(),
        clock,
        stored: stored(loaded.settings.state.path.clone()),
    };
    let server = tokio::spawn(health::serve(listener, teller));
    let mut daemon = Daemon {
        global,
        loaded,
        signals: Signals::watch(),
        hangup,
        pulse,
        last_due: missed.unwrap_or_else(clock),
    };
    daemon.tell(&format!("/healthz and /metrics are on http://{address}"));
    if missed.is_some() {
        daemon.tell("a run was missed, and is caught up");
    }
    daemon.live().await;
    server.abort();
    Ok(Exit::Done)
}

/// From when on a run was missed: the last full one is longer ago than the schedule wants.
fn missed(settings: &Settings) -> Result<Option<Timestamp>, Exit> {
    let state = &settings.state.path;
    if !state.exists() {
        return Ok(None);
    }
    let last = Ledger::open(state).and_then(|ledger| ledger.last_full_run());
    let last = last.map_err(|error| scan::unusable(state, &error))?;
    let schedule = &settings.schedule;
    Ok(last.filter(|last| {
        let due = schedule.at.next(*last, &schedule.time_zone);
        due.is_some_and(|due| due <= clock())
    }))
}

/// Metrics of what is stored; none before the first run.
fn stored(state: PathBuf) -> Arc<dyn Fn() -> Result<String, String> + Send + Sync> {
    Arc::new(move || {
        if !state.exists() {
            return Ok(String::new());
        }
        let mut text = Vec::new();
        let gauges = Ledger::open_to_read(&state).and_then(|ledger| ledger.gauges());
        let gauges = gauges.map_err(|error| error.to_string())?;
        metrics::write(&gauges, &mut text).map_err(|error| error.to_string())?;
        String::from_utf8(text).map_err(|error| error.to_string())
    })
}

struct Daemon<'a> {
    global: &'a Global,
    loaded: Loaded,
    signals: Signals,
    hangup: Signal,
    pulse: Shared,
    /// When the last run was due: no other is for that time, however the clock is set.
    last_due: Timestamp,
}

/// What comes next.
enum Next {
    Run,
    /// The schedule is looked at again.
    Look,
    Reload,
    Stop,
}

impl Daemon<'_> {
    fn tell(&self, words: &str) {
        if !self.global.quiet {
            say(&format!("daemon: {words}"));
        }
    }

    /// Waits and runs, until it is asked to stop.
    async fn live(&mut self) {
        loop {
            let due = self.due();
            self.pulse.pulse().next_run_at = due.map(|(_, start)| start);
            match due {
                Some((_, start)) => self.tell(&format!("the next run is due at {start}")),
                None => self.tell("the schedule has no further run"),
            }
            match self.wait(due.map(|(_, start)| start)).await {
                Next::Stop => return,
                Next::Look => {}
                Next::Reload => self.reload(),
                Next::Run => {
                    // One run makes up for all that were missed.
                    let now = clock();
                    let due = due.map_or(now, |(due, _)| due);
                    self.last_due = due.max(now);
                    if self.night().await {
                        return;
                    }
                }
            }
        }
    }

    /// When the next run is due, and when it starts, so that many machines do not start at once.
    fn due(&self) -> Option<(Timestamp, Timestamp)> {
        let schedule = &self.loaded.settings.schedule;
        let due = schedule.at.next(self.last_due, &schedule.time_zone)?;
        let most = u64::try_from(schedule.jitter.as_millis()).unwrap_or(u64::MAX);
        let jitter = SignedDuration::from_millis(i64::try_from(fastrand::u64(0..=most)).unwrap_or_default());
        let start = due.max(clock()).checked_add(jitter).unwrap_or(due);
        Some((due, start))
    }

    async fn wait(&mut self, start: Option<Timestamp>) -> Next {
        loop {
            let ahead = self.last_due.duration_since(clock());
            if ahead > SET_BACK {
                say(&format!(
                    "daemon: the clock was set back by {} minutes: the schedule counts from now on",
                    ahead.as_mins()
                ));
                self.last_due = clock();
                return Next::Look;
            }
            let left = start.map(|start| start.duration_since(clock()));
            if left.is_some_and(|left| left <= SignedDuration::ZERO) {
                return Next::Run;
            }
            let left = left.and_then(|left| Duration::try_from(left).ok());
            tokio::select! {
                () = tokio::time::sleep(left.unwrap_or(LOOK).min(LOOK)) => {}
                () = self.signals.next() => return Next::Stop,
                _ = self.hangup.recv() => return Next::Reload,
            }
        }
    }

    /// Goes through a night; says whether to stop then.
    async fn night(&mut self) -> bool {
        let started_at = clock();
        self.pulse.pulse().running_since = Some(started_at);
        let cancel = CancellationToken::new();
        let (mut stops, mut reloads) = (false, false);
        let exit = {
            let job = Job {
                global: self.global,
                settings: &self.loaded.settings,
                fail_on: None,
                dry_run: false,
                cancel: &cancel,
            };
            let mut work = pin!(job.run());
            loop {
                tokio::select! {
                    exit = &mut work => break exit.unwrap_or_else(|exit| exit),
                    () = self.signals.next() => {
                        if stops {
                            break Exit::Interrupted;
                        }
                        stops = true;
                        say("daemon: what was begun is being finished; once more ends at once");
                        cancel.cancel();
                    }
                    _ = self.hangup.recv() => reloads = true,
                }
            }
        };
        let finished_at = clock();
        let mut pulse = self.pulse.pulse();
        pulse.running_since = None;
        pulse.last_run = Some(LastRun {
            started_at,
            finished_at,
            exit_code: exit.code(),
        });
        drop(pulse);
        self.tell(&format!("the run ended with {}", exit.code()));
        if reloads {
            self.reload();
        }
        stops
    }

    /// Reads the configuration again; where it cannot be, what was read before counts.
    fn reload(&mut self) {
        let health = self.loaded.settings.schedule.health;
        let is_old = match self.global.load() {
            Ok(loaded) if !loaded.settings.sources.is_empty() => {
                self.loaded = loaded;
                self.tell("the configuration was read again");
                if self.loaded.settings.schedule.health != health {
                    say("daemon: `health` of [schedule] is as it was until the daemon is started again");
                }
                false
            }
            Ok(_) => {
                say("daemon: the configuration names no source any more; what was read before counts");
                true
            }
            Err(_told) => {
                say("daemon: the configuration is as it was read before");
                true
            }
        };
        self.pulse.pulse().configuration_is_old = is_old;
    }
}
