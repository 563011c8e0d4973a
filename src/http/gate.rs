//! One pause for a whole source: when its server asks one request to wait, all of them do.
//!
//! The gate only says when to go on; it neither sends nor limits. It opens for each waiter at a moment of
//! its own, so that not all of them come back at once.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::{Instant, sleep};

/// The gate of a source, and the clock of what was waited there.
#[derive(Debug, Default)]
pub(super) struct Gate(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// Before this nobody sends.
    open_at: Option<Instant>,
    /// How far apart the waiters start.
    spread: Duration,
    /// How many wait, and since when at least one does.
    waiting: usize,
    since: Option<Instant>,
    /// What was waited before that.
    waited: Duration,
}

/// The pause is longer than the one who asked may wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TooLong(pub(super) Duration);

impl Gate {
    /// The longest that the waiters are spread over.
    const WIDEST_SPREAD: Duration = Duration::from_secs(2);

    /// Lets nobody pass for this long. A pause is never shortened.
    pub(super) fn close_for(&self, pause: Duration) {
        let mut state = self.state();
        let Some(open_at) = Instant::now().checked_add(pause) else {
            return;
        };
        if state.open_at.is_none_or(|known| known < open_at) {
            state.open_at = Some(open_at);
            state.spread = (pause / 4).min(Self::WIDEST_SPREAD);
        }
    }

    /// How long the gate stays closed, and how far apart its waiters start; `None` while it is open.
    fn closed(&self) -> Option<(Duration, Duration)> {
        let mut state = self.state();
        let left = state.open_at?.saturating_duration_since(Instant::now());
        if left.is_zero() {
            state.open_at = None;
            return None;
        }
        Some((left, state.spread))
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed().is_some()
    }

    /// Waits until the gate is open, and tells for how long; does not wait at all if that would take longer than `most`.
    pub(super) async fn pass(&self, most: Duration) -> Result<Duration, TooLong> {
        let mut waited = Duration::ZERO;
        while let Some((left, spread)) = self.closed() {
            if left > most.saturating_sub(waited) {
                return Err(TooLong(left));
            }
            let began = Instant::now();
            self.wait(left + spread.mul_f64(fastrand::f64())).await;
            waited += began.elapsed();
        }
        Ok(waited)
    }

    /// Waits because the server asked to; time in which several wait counts once.
    pub(super) async fn wait(&self, time: Duration) {
        self.during(sleep(time)).await;
    }

    /// Counts the time that something else takes as waited; it too counts once where several wait.
    pub(super) async fn during<T>(&self, other: impl Future<Output = T>) -> T {
        let _waiting = Waiting::begin(self);
        other.await
    }

    /// How long something waited here, in all.
    pub(super) fn waited(&self) -> Duration {
        let state = self.state();
        state.waited + state.since.map_or(Duration::ZERO, |since| since.elapsed())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Someone who waits; stops counting when dropped, finished or not.
struct Waiting<'g>(&'g Gate);

impl<'g> Waiting<'g> {
    fn begin(gate: &'g Gate) -> Self {
        let mut state = gate.state();
        state.waiting += 1;
        state.since.get_or_insert_with(Instant::now);
        drop(state);
        Self(gate)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.waiting = state.waiting.saturating_sub(1);
        if state.waiting == 0
            && let Some(since) = state.since.take()
        {
            state.waited += since.elapsed();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[tokio::test]
    async fn an_open_gate_lets_pass_at_once() {
        let gate = Gate::default();
        assert_eq!(gate.pass(Duration::ZERO).await, Ok(Duration::ZERO));
        assert_eq!(gate.waited(), Duration::ZERO);
    }

    #[tokio::test]
    async fn all_wait_and_their_time_counts_once() {
        let gate = Gate::default();
        gate.close_for(ms(30));
        let began = Instant::now();
        let (a, b) = tokio::join!(gate.pass(ms(500)), gate.pass(ms(500)));
        assert!(a.unwrap() >= ms(30) && b.unwrap() >= ms(30));
        assert!(gate.waited() >= ms(30) && gate.waited() <= began.elapsed());
    }

    #[tokio::test]
    async fn a_pause_is_never_shortened() {
        let gate = Gate::default();
        gate.close_for(Duration::from_mins(1));
        gate.close_for(ms(1));
        assert!(matches!(gate.pass(ms(5)).await, Err(TooLong(left)) if left > Duration::from_secs(50)));
    }

    #[tokio::test]
    async fn an_abandoned_wait_is_counted_to_its_end() {
        let gate = Gate::default();
        gate.close_for(Duration::from_mins(1));
        let pass = gate.pass(Duration::from_secs(90));
        assert!(tokio::time::timeout(ms(10), pass).await.is_err());
        let waited = gate.waited();
        assert!(waited >= ms(10));
        sleep(ms(10)).await;
        assert_eq!(gate.waited(), waited);
    }
}
