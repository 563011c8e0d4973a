//! Requests per second as a limiter, one for a source.
//!
//! It spreads requests evenly rather than in bursts, and knows nothing of pauses or of what is in flight.

use std::{num::NonZeroU32, time::Duration};

use governor::{DefaultDirectRateLimiter, Quota};

use super::{Limits, SetupError};

/// The longest time from one request to the next.
const LONGEST_PERIOD: Duration = Duration::from_hours(24);

/// The limiter for a rate; none for a rate that no clock could tell from none.
pub(super) fn limiter(limits: Limits) -> Result<Option<DefaultDirectRateLimiter>, SetupError> {
    let rate = limits.requests_per_second;
    if rate == f64::INFINITY {
        return Ok(None);
    }
    let refused = || SetupError::Rate(rate.to_string());
    // Less than one a day is a slip; the limiter could not even count its period.
    let period = Duration::try_from_secs_f64(rate.recip()).unwrap_or(Duration::MAX);
    if rate.is_nan() || rate <= 0.0 || period > LONGEST_PERIOD {
        return Err(refused());
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "clamped to 1..=100"
    )]
    let burst = NonZeroU32::new((rate / 10.0).clamp(1.0, 100.0) as u32).unwrap_or(NonZeroU32::MIN);
    // What a slow timer lost may be caught up within a tenth of a second.
    Ok(Quota::with_period(period)
        .map(|quota| quota.allow_burst(burst))
        .map(DefaultDirectRateLimiter::direct))
}
