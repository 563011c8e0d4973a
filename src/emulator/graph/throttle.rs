//! Throttling: what each kind of request costs, the budgets of a minute and a day, and what happens beyond them.
//!
//! Budgets pass by the real, monotonic clock, because clients wait by it. A world may let its minutes pass faster.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::reply::{Call, Outcome, Refusal};
use crate::emulator::world::microsoft::{Limits, Switches};

const MINUTE: f64 = 60.0;
const DAY: f64 = 86_400.0;
/// Each request during a pause makes it so many seconds longer, up to so many in all.
const PENALTY: f64 = 5.0;
const MOST_PENALTIES: u32 = 60;
/// No budget lasts longer, however slowly its time passes.
const LONGEST: Duration = Duration::from_hours(24 * 366);

/// Microsoft's table: up to so many licences, units a minute and a day.
const TABLE: [(u64, u64, u64); 5] = [
    (1_000, 1_250, 1_200_000),
    (5_000, 2_500, 2_400_000),
    (15_000, 3_750, 3_600_000),
    (50_000, 5_000, 4_800_000),
    (u64::MAX, 6_250, 6_000_000),
];

/// What kind of request it is, for its cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// Not `SharePoint`: costs nothing of its budget.
    Directory,
    Mail,
    Single,
    Multi,
    DeltaFirst,
    Delta,
    Write,
    Permission,
    PermissionChange,
    Label,
}

impl Kind {
    fn units(self) -> u64 {
        match self {
            Self::Directory | Self::Mail => 0,
            Self::Single | Self::Delta => 1,
            Self::Multi | Self::DeltaFirst | Self::Write | Self::Label => 2,
            Self::Permission | Self::PermissionChange => 5,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Directory => "directory",
            Self::Mail => "mail",
            Self::Single => "single",
            Self::Multi => "multi",
            Self::DeltaFirst => "delta_first",
            Self::Delta => "delta",
            Self::Write => "write",
            Self::Permission => "permission",
            Self::PermissionChange => "permission_change",
            Self::Label => "label",
        }
    }
}

/// The kind of a call, by its address.
pub(super) fn kind(call: &Call<'_>) -> Kind {
    let parts: Vec<&str> = call.parts.iter().map(String::as_str).collect();
    let reads = call.request.method == "GET";
    let last = parts.last().copied().unwrap_or_default();
    let of_drive = |part: &&str| matches!(*part, "drive" | "drives");
    if parts.contains(&"permissions") || matches!(last, "createLink" | "invite") {
        let changes = !reads && last != "permissions";
        return if changes {
            Kind::PermissionChange
        } else {
            Kind::Permission
        };
    }
    if last == "delta" || last.starts_with("delta(") {
        let token = call.query("token").is_some() || last.starts_with("delta(token");
        return if token { Kind::Delta } else { Kind::DeltaFirst };
    }
    match (parts.first().copied().unwrap_or_default(), last) {
        (_, "sendMail") => Kind::Mail,
        (_, "extractSensitivityLabels") => Kind::Label,
        (_, "children" | "drives" | "sites") => Kind::Multi,
        (_, last) if last.contains("getAllSites") => Kind::Multi,
        ("drives" | "sites" | "admin", _) if reads => Kind::Single,
        ("drives" | "sites" | "admin", _) => Kind::Write,
        _ if parts.iter().any(of_drive) => Kind::Single,
        _ => Kind::Directory,
    }
}

/// What was spent, and until when nothing more is to be had.
#[derive(Debug, Clone, Default)]
pub(super) struct Throttle {
    minute: Window,
    day: Window,
    changes: Window,
    misses: Window,
    pause: Option<Pause>,
    changes_pause: Option<Pause>,
    counts: BTreeMap<Kind, (u64, u64)>,
    units_spent: u64,
    throttled: u64,
    pauses: u64,
    requests_during_pause: u64,
    seen: u64,
}

/// So much was spent since.
#[derive(Debug, Clone, Copy, Default)]
struct Window {
    from: Option<Instant>,
    spent: u64,
}

/// Nothing is answered until then.
#[derive(Debug, Clone, Copy)]
struct Pause {
    from: Instant,
    until: Instant,
    by_minute: bool,
    penalties: u32,
}

impl Window {
    /// Adds to the window, which begins anew when its time is over; tells what is spent and when it ends.
    fn spend(&mut self, units: u64, length: Duration, now: Instant) -> (u64, Instant) {
        let from = self.from.filter(|from| now < *from + length);
        if from.is_none() {
            self.spent = 0;
        }
        let from = from.unwrap_or(now);
        self.from = Some(from);
        self.spent += units;
        (self.spent, from + length)
    }

    fn is_over(&self, limit: u64, length: Duration, now: Instant) -> Option<Instant> {
        let end = self.from? + length;
        (self.spent > limit && now < end).then_some(end)
    }
}

/// A budget: units a minute and a day, where there is any.
fn budget(limits: &Limits) -> Option<(u64, u64)> {
    let table = limits
        .licenses
        .and_then(|licenses| TABLE.iter().find(|(most, ..)| licenses <= *most));
    if table.is_none() && limits.units_per_minute.is_none() && limits.units_per_day.is_none() {
        return None;
    }
    let (minute, day) = table.map_or((u64::MAX, u64::MAX), |(_, minute, day)| (*minute, *day));
    Some((
        limits.units_per_minute.unwrap_or(minute),
        limits.units_per_day.unwrap_or(day),
    ))
}

/// So many seconds of the budget's time, as they pass here.
fn scaled(seconds: f64, limits: &Limits) -> Duration {
    let scale = if limits.time_scale > 0.0 {
        limits.time_scale
    } else {
        1.0
    };
    Duration::try_from_secs_f64(seconds / scale).map_or(LONGEST, |length| length.min(LONGEST))
}

/// Whole seconds, never none.
fn whole_seconds(left: Duration) -> u64 {
    left.as_millis()
        .div_ceil(1000)
        .max(1)
        .try_into()
        .unwrap_or(u64::MAX)
}

impl Throttle {
    /// Charges a request that arrived then; refuses it where nothing is left. Answers carry the headers returned.
    pub(super) fn charge(
        &mut self,
        limits: &Limits,
        switches: &Switches,
        kind: Kind,
        arrived: Instant,
        inner: bool,
    ) -> Result<Vec<(String, String)>, Refusal> {
        let now = Instant::now();
        let units = kind.units();
        self.seen += 1;
        self.units_spent += units;
        let count = self.counts.entry(kind).or_default();
        *count = (count.0 + 1, count.1 + units);
        self.unavailable(limits)?;
        let retry = if inner {
            switches.inner_retry_after
        } else {
            switches.retry_after
        };
        let pause = self.drained(limits, kind, units, arrived, now);
        let Some(pause) = pause else {
            return Ok(self.warning(limits, now));
        };
        self.throttled += 1;
        let left = whole_seconds(pause.until.saturating_duration_since(now));
        let mut refusal = Refusal::new(
            429,
            "activityLimitReached",
            "The request has been throttled: the application has reached its limit.",
        )
        .inner("throttledRequest");
        if retry {
            refusal = refusal.with("Retry-After", left.to_string());
        }
        if let Some((limit, _)) = budget(limits).filter(|_| pause.by_minute && !inner) {
            refusal = refusal
                .with("RateLimit-Limit", limit.to_string())
                .with("RateLimit-Remaining", "0")
                .with("RateLimit-Reset", left.to_string());
        }
        Err(refusal)
    }

    /// The pause that a request runs into or begins.
    fn drained(
        &mut self,
        limits: &Limits,
        kind: Kind,
        units: u64,
        arrived: Instant,
        now: Instant,
    ) -> Option<Pause> {
        let length = scaled(MINUTE, limits);
        if kind != Kind::Directory
            && let Some(until) = limits
                .misses_per_minute
                .and_then(|limit| self.misses.is_over(limit, length, now))
        {
            return Some(begun(now, until, false));
        }
        let (per_minute, per_day) = budget(limits)?;
        if units == 0 {
            return None;
        }
        let (minute, minute_ends) = self.minute.spend(units, length, now);
        let (day, day_ends) = self.day.spend(units, scaled(DAY, limits), now);
        if let Some(running) = self.pause.as_mut().filter(|pause| now < pause.until) {
            if arrived > running.from + Duration::from_millis(limits.grace_ms) {
                self.requests_during_pause += 1;
                running.lengthen(limits);
            }
            return Some(*running);
        }
        self.pause = if day > per_day {
            Some(begun(now, day_ends, false))
        } else if minute > per_minute {
            Some(begun(now, minute_ends, true))
        } else {
            None
        };
        self.pauses += u64::from(self.pause.is_some());
        if self.pause.is_none() && kind == Kind::PermissionChange {
            return self.drained_changes(limits, arrived, now);
        }
        self.pause
    }

    fn drained_changes(&mut self, limits: &Limits, arrived: Instant, now: Instant) -> Option<Pause> {
        let (spent, ends) = self.changes.spend(1, scaled(5.0 * MINUTE, limits), now);
        if let Some(running) = self.changes_pause.as_mut().filter(|pause| now < pause.until) {
            if arrived > running.from + Duration::from_millis(limits.grace_ms) {
                self.requests_during_pause += 1;
                running.lengthen(limits);
            }
            return Some(*running);
        }
        self.changes_pause = (spent > limits.sharing_calls).then(|| begun(now, ends, false));
        self.changes_pause
    }

    /// From four fifths of the minute's budget on, answers tell what is left.
    fn warning(&self, limits: &Limits, now: Instant) -> Vec<(String, String)> {
        let Some((limit, _)) = budget(limits).filter(|(limit, _)| *limit < u64::MAX) else {
            return Vec::new();
        };
        let Some(from) = self
            .minute
            .from
            .filter(|_| self.minute.spent.saturating_mul(5) >= limit.saturating_mul(4))
        else {
            return Vec::new();
        };
        let left = (from + scaled(MINUTE, limits)).saturating_duration_since(now);
        let all = [
            ("RateLimit-Limit", limit),
            ("RateLimit-Remaining", limit.saturating_sub(self.minute.spent)),
            ("RateLimit-Reset", whole_seconds(left)),
        ];
        all.map(|(name, value)| (name.to_owned(), value.to_string()))
            .into()
    }

    fn unavailable(&self, limits: &Limits) -> Result<(), Refusal> {
        let Some(every) = limits.unavailable_every.filter(|every| *every > 0) else {
            return Ok(());
        };
        if !self.seen.is_multiple_of(every) {
            return Ok(());
        }
        let mut refusal = Refusal::new(
            503,
            "serviceNotAvailable",
            "The service is temporarily unavailable.",
        )
        .with("Retry-After", "1");
        refusal.mute = (self.seen / every).is_multiple_of(2);
        Err(refusal)
    }

    /// Counts asking for drives that do not exist.
    pub(super) fn note(&mut self, limits: &Limits, outcome: &Outcome) {
        let missed = outcome.as_ref().is_err_and(super::users::is_missing_drive);
        if missed {
            self.misses.spend(1, scaled(MINUTE, limits), Instant::now());
        }
    }

    /// What was spent, for steering.
    pub(super) fn told(&self, limits: &Limits) -> Value {
        let kinds: serde_json::Map<String, Value> = self
            .counts
            .iter()
            .map(|(kind, (requests, units))| {
                (
                    kind.name().to_owned(),
                    json!({"requests": requests, "units": units}),
                )
            })
            .collect();
        let (minute, day) = budget(limits).unzip();
        json!({
            "units_spent": self.units_spent,
            "units_per_minute": minute,
            "units_per_day": day,
            "throttled": self.throttled,
            "pauses": self.pauses,
            "requests_during_pause": self.requests_during_pause,
            "kinds": kinds,
        })
    }

    pub(super) fn reset(&mut self) {
        *self = Self::default();
    }
}

fn begun(from: Instant, until: Instant, by_minute: bool) -> Pause {
    Pause {
        from,
        until,
        by_minute,
        penalties: 0,
    }
}

impl Pause {
    fn lengthen(&mut self, limits: &Limits) {
        if limits.penalty && self.penalties < MOST_PENALTIES {
            self.penalties += 1;
            self.until += scaled(PENALTY, limits);
        }
    }
}
