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
use crate::config::{Loaded, ScheduleSettings, Settings, SourceSettings};
use crate::health::{self, LastRun, Pulse, Shared, Teller};
use crate::report::metrics::{self, Night};
use crate::store::Ledger;

/// How often the clock is looked at while nothing is due: it may be set, and machines sleep.
const LOOK: Duration = Duration::from_secs(20);
/// How far the clock is set back before what was due by it no longer counts: less is a correction.
const SET_BACK: SignedDuration = SignedDuration::from_hours(1);
/// How long a night may go on after the time in which the slowest source may be read: letters, changes and exports take
/// minutes, and waiting for a service has its own bounds.
const REST: SignedDuration = SignedDuration::from_hours(6);

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
    let is_missed = missed(&loaded.settings)?;
    let pulse = Shared::new(Pulse {
        started_at: clock(),
        next_run_at: None,
        running_since: None,
        overdue_at: None,
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
        last_due: clock(),
        is_owed: is_missed,
        jitter: fastrand::f64(),
    };
    daemon.tell(&format!("/healthz and /metrics are on http://{address}"));
    if is_missed {
        daemon.tell("a run was missed, and is caught up");
    }
    daemon.live().await;
    server.abort();
    Ok(Exit::Done)
}

/// Whether a night was missed: since the last one that came to its end, another was due.
fn missed(settings: &Settings) -> Result<bool, Exit> {
    let state = &settings.state.path;
    if !state.exists() {
        return Ok(false);
    }
    let last = Ledger::open(state).and_then(|ledger| ledger.last_night());
    let last = last.map_err(|error| scan::unusable(state, &error))?;
    Ok(last.is_some_and(|night| is_missed_after(&night, &settings.schedule, clock())))
}

/// The same, of the night that ended last. One that could not begin, or was interrupted, is made up for, too; and so is one
/// that is dated later than now: the clock was wrong then, and nothing says when it was.
fn is_missed_after(night: &Night, schedule: &ScheduleSettings, now: Timestamp) -> bool {
    let began = night.started_at;
    let is_unfinished = [Exit::Usage, Exit::Interrupted]
        .iter()
        .any(|exit| exit.code() == night.exit);
    let next = schedule.at.next(began, &schedule.time_zone);
    is_unfinished || began.duration_since(now) > SET_BACK || next.is_some_and(|due| due <= now)
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
    /// Whether a run that was missed is to be made up for, at once.
    is_owed: bool,
    /// By which part of `jitter` the next run starts later; it stays the same however often the configuration is read.
    jitter: f64,
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
                    self.is_owed = false;
                    self.jitter = fastrand::f64();
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
        if self.is_owed {
            let now = clock();
            return Some((now, now));
        }
        let schedule = &self.loaded.settings.schedule;
        let due = schedule.at.next(self.last_due, &schedule.time_zone)?;
        let later = SignedDuration::try_from(schedule.jitter.mul_f64(self.jitter));
        let start = later.ok().and_then(|later| due.checked_add(later).ok());
        Some((due, start.unwrap_or(due)))
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

    /// When a night that began at a time passes for stuck.
    fn overdue_at(&self, began: Timestamp) -> Option<Timestamp> {
        let sources = self.loaded.settings.sources.iter();
        let slowest = sources.map(SourceSettings::stop_after).max()?;
        let most = SignedDuration::try_from(slowest).ok()?.checked_add(REST)?;
        began.checked_add(most).ok()
    }

    /// Goes through a night; says whether to stop then.
    async fn night(&mut self) -> bool {
        let started_at = clock();
        let overdue_at = self.overdue_at(started_at);
        {
            let mut pulse = self.pulse.pulse();
            pulse.running_since = Some(started_at);
            pulse.overdue_at = overdue_at;
        }
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
        pulse.overdue_at = None;
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

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = "[policy]\ninternal_domains = [\"example.org\"]\n[[source]]\nname = \"cloud\"\nkind = \"nextcloud\"\n\
                          url = \"https://cloud.example.org\"\nauth = { method = \"login\" }\n";

    #[test]
    fn a_night_is_missed_where_the_last_one_that_came_to_its_end_says_so() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let now = at("2026-11-22T03:00:00Z");
        // At two, where nothing else is configured.
        let loaded = crate::config::parse(std::path::Path::new("sharewarden.toml"), SOURCE, now).unwrap();
        let schedule = loaded.settings.schedule;
        for (began, exit, expected) in [
            ("2026-11-22T02:05:00Z", 0, false),
            ("2026-11-22T02:05:00Z", 3, false),
            ("2026-11-22T02:05:00Z", 2, true),
            ("2026-11-22T02:05:00Z", 130, true),
            ("2026-11-22T01:59:00Z", 0, true),
            ("2026-11-21T02:05:00Z", 0, true),
            // The clock is a little behind, or was far ahead.
            ("2026-11-22T03:30:00Z", 0, false),
            ("2037-01-01T02:00:00Z", 0, true),
        ] {
            let night = Night {
                started_at: at(began),
                ended_at: at(began),
                exit,
                exports: std::collections::BTreeMap::new(),
                succeeded_at: None,
            };
            assert_eq!(
                is_missed_after(&night, &schedule, now),
                expected,
                "{began} {exit}"
            );
        }
    }
}
