//! Whether to ask again, and when: pure, so that the whole policy is one table.
//!
//! Two questions are kept apart: may the request have been received, and does doing it twice matter.
//! `Retry-After` is RFC 9110, section 10.2.3. Nothing here waits, counts or reads a clock.

use std::time::Duration;

use jiff::{Timestamp, fmt::rfc2822::DateTimeParser};
use reqwest::{
    StatusCode,
    header::{DATE, HeaderMap, RETRY_AFTER},
};

use super::{Effect, Patience};

/// What became of a try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It certainly was not sent.
    NotSent,
    /// It may have been received, and there is no answer to show for it.
    Lost,
    /// Its answer came and came, and had no end.
    Endless,
    /// It failed in a way that a repetition cannot mend.
    Hopeless,
    /// It was answered; with how long the server asks to wait.
    Answered(StatusCode, Option<Duration>),
}

/// What a request has cost so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Spent {
    /// Tries made.
    pub(super) tries: u32,
    /// Time in tries and in waits, without the queue for the source's own limits.
    pub(super) time: Duration,
}

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Take the try's result as it is.
    Done,
    /// Ask again after the pause that the server asked all of the source's requests to make.
    AfterPause,
    /// Ask again after a random wait of at most this long.
    AfterBackoff(Duration),
    /// Give up: the server asks to slow down for longer than this request may wait.
    Throttled(Option<Duration>),
}

/// The longest pause that is believed.
pub(super) const LONGEST_PAUSE: Duration = Duration::from_hours(24);
/// The longest ceiling of a random wait.
const LONGEST_BACKOFF: Duration = Duration::from_secs(30);
/// How much longer to wait after "too many requests" than after a failure.
const SLOWED: u32 = 8;
/// Retries after "too many requests" without a time, whose window is mostly longer than it is worth waiting.
const RETRIES_UNTOLD: u32 = 3;

/// Whether a status is one that may be worth asking again after.
pub(super) fn is_passing(status: StatusCode) -> bool {
    matches!(status.as_u16(), 429 | 500 | 502 | 503 | 504)
}

/// Whether an answer says that nothing was done, and that it may be later.
pub(super) fn is_put_off(status: StatusCode, told: Option<Duration>) -> bool {
    match status {
        StatusCode::TOO_MANY_REQUESTS => true,
        StatusCode::SERVICE_UNAVAILABLE => told.is_some(),
        _ => false,
    }
}

/// Decides what follows on a try.
pub(super) fn decide(patience: &Patience, spent: Spent, outcome: Outcome, effect: Effect) -> Step {
    let left = patience.total.saturating_sub(spent.time);
    let again = |retries: u32, slowed: u32| {
        let doubled = 2_u32
            .saturating_pow(spent.tries.saturating_sub(1))
            .saturating_mul(slowed);
        let ceiling = patience.backoff.saturating_mul(doubled).min(LONGEST_BACKOFF);
        let allowed = spent.tries <= retries.min(patience.retries) && ceiling < left;
        allowed.then_some(Step::AfterBackoff(ceiling))
    };
    match outcome {
        Outcome::NotSent => again(u32::MAX, 1).unwrap_or(Step::Done),
        // A refusal to do it now: whoever asked may ask again after a look at what is there.
        Outcome::Answered(status, told) if effect == Effect::Unsafe && is_put_off(status, told) => {
            Step::Throttled(told)
        }
        _ if effect == Effect::Unsafe => Step::Done,
        Outcome::Hopeless => Step::Done,
        Outcome::Endless => again(1, 1).unwrap_or(Step::Done),
        Outcome::Lost => again(u32::MAX, 1).unwrap_or(Step::Done),
        Outcome::Answered(status, told) => match (status.as_u16(), told) {
            (429 | 502..=504, Some(told)) if spent.tries <= patience.retries && told < left => {
                Step::AfterPause
            }
            (429 | 502..=504, Some(told)) => Step::Throttled(Some(told)),
            (429, None) => again(RETRIES_UNTOLD, SLOWED).unwrap_or(Step::Throttled(None)),
            (502..=504, None) => again(u32::MAX, 1).unwrap_or(Step::Done),
            (500, _) => again(1, 1).unwrap_or(Step::Done),
            _ => Step::Done,
        },
    }
}

/// How long all of a source's requests wait after "too many requests" without a time, where each one costs.
pub(super) fn untold_pause(patience: &Patience) -> Duration {
    patience.backoff.saturating_mul(SLOWED).min(LONGEST_BACKOFF)
}

/// How long headers ask to wait; the longest that they say, at most a day, and `None` for no time at all.
///
/// A date is measured against the answer's own `Date`, so that the two clocks need not agree; `now` is for
/// answers without one.
pub(super) fn retry_after(headers: &HeaderMap, now: impl Fn() -> Timestamp) -> Option<Duration> {
    headers
        .get_all(RETRY_AFTER)
        .iter()
        .filter_map(|value| {
            let text = value.to_str().ok()?.trim();
            seconds(text).or_else(|| {
                let sent = headers.get(DATE).and_then(|date| date.to_str().ok());
                let sent = sent.and_then(date).unwrap_or_else(&now);
                Duration::try_from(sent.duration_until(date(text)?)).ok()
            })
        })
        .max()
        .filter(|wait| !wait.is_zero())
        .map(|wait| wait.min(LONGEST_PAUSE))
}

/// What headers say of a limit, as the drafts of `RateLimit` have it up to the third.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct RateLimit {
    /// What may still be spent.
    pub(super) remaining: Option<u64>,
    /// When there is more, in at most a day.
    pub(super) reset: Option<Duration>,
}

/// What headers say of a limit; the least and the longest where they say it twice, nothing where they say nonsense.
pub(super) fn rate_limit(headers: &HeaderMap) -> RateLimit {
    let texts = |name| {
        let values = headers.get_all(name).iter();
        values.filter_map(|value| value.to_str().ok().map(str::trim))
    };
    RateLimit {
        remaining: texts("ratelimit-remaining")
            .filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))
            .filter_map(|text| text.parse().ok())
            .min(),
        reset: texts("ratelimit-reset")
            .filter_map(seconds)
            .max()
            .filter(|wait| !wait.is_zero())
            .map(|wait| wait.min(LONGEST_PAUSE)),
    }
}

/// Seconds, as the standard has them or with the fraction that some servers add.
fn seconds(text: &str) -> Option<Duration> {
    if !text.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
        return None;
    }
    let seconds: f64 = text.parse().ok()?;
    Some(Duration::try_from_secs_f64(seconds).unwrap_or(LONGEST_PAUSE))
}

/// A date of HTTP's preferred form.
fn date(text: &str) -> Option<Timestamp> {
    const PARSER: DateTimeParser = DateTimeParser::new().relaxed_weekday(true);
    PARSER.parse_timestamp(text.trim()).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use reqwest::header::HeaderValue;

    use super::*;

    const PATIENCE: Patience = Patience {
        retries: 5,
        total: Duration::from_secs(100),
        backoff: Duration::from_millis(500),
    };

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn status(code: u16, told: Option<u64>) -> Outcome {
        Outcome::Answered(StatusCode::from_u16(code).unwrap(), told.map(s))
    }

    fn backoff(millis: u64) -> Step {
        Step::AfterBackoff(Duration::from_millis(millis))
    }

    #[test]
    fn decide_is_this_table() {
        use Effect::{Safe, Unsafe};
        use Outcome::{Endless, Hopeless, Lost, NotSent};
        use Step::{AfterPause, Done, Throttled};
        let table = [
            // Not sent: always again, until the count or the time is used up.
            (1, 0, NotSent, Safe, backoff(500)),
            (1, 0, NotSent, Unsafe, backoff(500)),
            (3, 0, NotSent, Unsafe, backoff(2000)),
            (5, 0, NotSent, Safe, backoff(8000)),
            (6, 0, NotSent, Safe, Done),
            (1, 100, NotSent, Safe, Done),
            (3, 98, NotSent, Safe, Done),
            // Perhaps received: only what is safe.
            (1, 0, Lost, Safe, backoff(500)),
            (1, 0, Lost, Unsafe, Done),
            (6, 0, Lost, Safe, Done),
            (1, 0, Hopeless, Safe, Done),
            // It takes its time each time.
            (1, 0, Endless, Safe, backoff(500)),
            (2, 0, Endless, Safe, Done),
            (1, 0, Endless, Unsafe, Done),
            // Too many requests, with a time.
            (1, 0, status(429, Some(30)), Safe, AfterPause),
            (5, 0, status(429, Some(30)), Safe, AfterPause),
            (6, 0, status(429, Some(30)), Safe, Throttled(Some(s(30)))),
            (1, 80, status(429, Some(30)), Safe, Throttled(Some(s(30)))),
            (1, 0, status(429, Some(3600)), Safe, Throttled(Some(s(3600)))),
            (1, 0, status(429, Some(30)), Unsafe, Throttled(Some(s(30)))),
            // Too many requests, without one.
            (1, 0, status(429, None), Safe, backoff(4000)),
            (3, 0, status(429, None), Safe, backoff(16_000)),
            (4, 0, status(429, None), Safe, Throttled(None)),
            (1, 0, status(429, None), Unsafe, Throttled(None)),
            // Gateways and maintenance.
            (1, 0, status(502, None), Safe, backoff(500)),
            (2, 0, status(503, None), Safe, backoff(1000)),
            (1, 0, status(504, None), Safe, backoff(500)),
            (6, 0, status(503, None), Safe, Done),
            (1, 0, status(503, None), Unsafe, Done),
            (1, 0, status(503, Some(20)), Safe, AfterPause),
            (1, 0, status(503, Some(200)), Safe, Throttled(Some(s(200)))),
            (1, 0, status(503, Some(20)), Unsafe, Throttled(Some(s(20)))),
            (1, 0, status(502, Some(20)), Unsafe, Done),
            (1, 0, status(504, Some(20)), Unsafe, Done),
            // A failing server: once more.
            (1, 0, status(500, None), Safe, backoff(500)),
            (2, 0, status(500, None), Safe, Done),
            (1, 0, status(500, None), Unsafe, Done),
            // All else never.
            (1, 0, status(200, None), Safe, Done),
            (1, 0, status(200, Some(5)), Safe, Done),
            (1, 0, status(401, None), Safe, Done),
            (1, 0, status(404, None), Safe, Done),
            (1, 0, status(501, None), Safe, Done),
            (1, 0, status(505, None), Safe, Done),
        ];
        for (tries, time, outcome, effect, expected) in table {
            let spent = Spent { tries, time: s(time) };
            let step = decide(&PATIENCE, spent, outcome, effect);
            assert_eq!(step, expected, "{spent:?} {outcome:?} {effect:?}");
        }
    }

    #[test]
    fn retry_after_is_this_table() {
        const DATE_SENT: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
        let table: [(&[&str], Option<&str>, Option<u64>); 17] = [
            (&["120"], None, Some(120_000)),
            (&[" 7 "], None, Some(7_000)),
            (&["0.25"], None, Some(250)),
            (&["0"], None, None),
            (&["99999999999999999999999"], None, Some(86_400_000)),
            (&["-5"], None, None),
            (&["1e3"], None, None),
            (&["."], None, None),
            (&["inf"], None, None),
            (&["soon"], None, None),
            (&[""], None, None),
            (&["3", "9", "x"], None, Some(9_000)),
            (&["Sun, 06 Nov 1994 08:50:37 GMT"], Some(DATE_SENT), Some(60_000)),
            // The weekday does not matter.
            (&["Mon, 06 Nov 1994 08:50:37 GMT"], Some(DATE_SENT), Some(60_000)),
            // In the past.
            (&["Sun, 06 Nov 1994 08:49:00 GMT"], Some(DATE_SENT), None),
            // Without a date of its own, by the clock here: 08:00:00.
            (&["Sun, 06 Nov 1994 08:01:00 GMT"], None, Some(60_000)),
            (
                &["Sun, 06 Nov 1999 08:01:00 GMT"],
                Some("never"),
                Some(86_400_000),
            ),
        ];
        let now = || "1994-11-06T08:00:00Z".parse().unwrap();
        for (values, sent, expected) in table {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(RETRY_AFTER, HeaderValue::from_static(value));
            }
            if let Some(sent) = sent {
                headers.insert(DATE, HeaderValue::from_static(sent));
            }
            let expected = expected.map(Duration::from_millis);
            assert_eq!(retry_after(&headers, now), expected, "{values:?} {sent:?}");
        }
    }

    #[test]
    fn rate_limit_is_this_table() {
        type Values = &'static [&'static str];
        let table: [(Values, Values, Option<u64>, Option<u64>); 10] = [
            (&["120"], &["5"], Some(120), Some(5)),
            (&[" 0 "], &[" 31 "], Some(0), Some(31)),
            (&["7", "3", "x"], &["2", "9", "soon"], Some(3), Some(9)),
            (&[], &[], None, None),
            (&["-1"], &["-1"], None, None),
            (&["+1"], &["0"], None, None),
            (&["1e2"], &["1e2"], None, None),
            (&[""], &[""], None, None),
            (
                &["99999999999999999999999"],
                &["99999999999999999999999"],
                None,
                Some(86_400),
            ),
            (&["many"], &["Sun, 06 Nov 1994 08:50:37 GMT"], None, None),
        ];
        for (remaining, reset, left, wait) in table {
            let mut headers = HeaderMap::new();
            for value in remaining {
                headers.append("RateLimit-Remaining", HeaderValue::from_static(value));
            }
            for value in reset {
                headers.append("RateLimit-Reset", HeaderValue::from_static(value));
            }
            let expected = RateLimit {
                remaining: left,
                reset: wait.map(s),
            };
            assert_eq!(rate_limit(&headers), expected, "{remaining:?} {reset:?}");
        }
    }

    proptest! {
        #[test]
        fn no_wait_reaches_beyond_the_budget(
            tries in 1_u32..100, time in 0_u64..200, code in 100_u16..600, told in proptest::option::of(0_u64..10_000)
        ) {
            let spent = Spent { tries, time: s(time) };
            let outcome = status(code, told);
            match decide(&PATIENCE, spent, outcome, Effect::Safe) {
                Step::AfterBackoff(most) => prop_assert!(spent.time + most <= PATIENCE.total),
                Step::AfterPause => prop_assert!(spent.time + s(told.unwrap()) <= PATIENCE.total),
                Step::Done | Step::Throttled(_) => {}
            }
        }

        #[test]
        fn retry_after_takes_any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            if let Ok(value) = HeaderValue::from_bytes(&bytes) {
                let headers = HeaderMap::from_iter([(RETRY_AFTER, value.clone()), (DATE, value)]);
                let _ = retry_after(&headers, || Timestamp::MAX);
            }
        }
    }
}
