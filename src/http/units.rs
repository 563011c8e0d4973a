//! What a source may be asked in its own currency: resource units a minute, and a day.
//!
//! Whoever needs many waits in one queue with those who need few, or they would never have their turn. What
//! was waited for is spent, whatever becomes of the request.

use std::{num::NonZeroU32, sync::Arc};

use governor::{DefaultDirectRateLimiter, Quota};
use tokio::sync::Mutex;

use super::{Day, SetupError};

/// How many resource units may be spent.
#[derive(Clone, Debug)]
pub struct Units {
    /// In a minute, at least one.
    pub per_minute: u32,
    /// In a day, where that is counted.
    pub day: Option<Arc<Day>>,
}

/// The most that is spent at once: what a batch of twenty lists of permissions costs.
const BURST: u32 = 100;

/// The units of a minute, as they come.
pub(super) struct Budget {
    limiter: DefaultDirectRateLimiter,
    burst: NonZeroU32,
    queue: Mutex<()>,
    pub(super) day: Option<Arc<Day>>,
}

impl Budget {
    pub(super) fn new(units: &Units) -> Result<Self, SetupError> {
        let per_minute = NonZeroU32::new(units.per_minute).ok_or(SetupError::Units)?;
        let burst = NonZeroU32::new(BURST).map_or(per_minute, |burst| burst.min(per_minute));
        Ok(Self {
            limiter: DefaultDirectRateLimiter::direct(Quota::per_minute(per_minute).allow_burst(burst)),
            burst,
            queue: Mutex::new(()),
            day: units.day.clone(),
        })
    }

    /// Waits until this many units may be spent, and spends them.
    pub(super) async fn wait(&self, units: u32) {
        let _turn = self.queue.lock().await;
        let mut owed = units;
        while let Some(step) = NonZeroU32::new(owed.min(self.burst.get())) {
            // A step is never above the burst, so it is never refused.
            let _ = self.limiter.until_n_ready(step).await;
            owed -= step.get();
        }
    }

    /// What requests in flight may still cost: fewer units than this are as good as none.
    pub(super) fn scarce(&self) -> u64 {
        self.burst.get().into()
    }
}
