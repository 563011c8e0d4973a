//! The desk at which the ledger is kept: one thread owns it, everybody else hands in orders.

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::store::Ledger;

type Order = Box<dyn FnOnce(&mut Ledger) + Send>;

/// Hands orders to the thread that owns the ledger; cheap to clone.
#[derive(Clone, Debug)]
pub struct Desk {
    orders: mpsc::Sender<Order>,
}

/// The thread that owns the ledger has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the thread that keeps the state has ended")]
pub struct DeskGone;

impl Desk {
    /// Opens the desk; the ledger comes back when every desk was dropped.
    #[must_use]
    pub fn open(mut ledger: Ledger) -> (Self, JoinHandle<Ledger>) {
        let (orders, mut waiting) = mpsc::channel::<Order>(4);
        let thread = tokio::task::spawn_blocking(move || {
            while let Some(order) = waiting.blocking_recv() {
                order(&mut ledger);
            }
            ledger
        });
        (Self { orders }, thread)
    }

    /// Has an order done and waits for its result.
    ///
    /// # Errors
    /// [`DeskGone`].
    pub async fn ask<R: Send + 'static>(
        &self,
        order: impl FnOnce(&mut Ledger) -> R + Send + 'static,
    ) -> Result<R, DeskGone> {
        let (done, result) = oneshot::channel();
        let order: Order = Box::new(move |ledger| {
            // Nobody waits any more: the run is being given up.
            let _ = done.send(order(ledger));
        });
        self.orders.send(order).await.map_err(|_returned| DeskGone)?;
        result.await.map_err(|_dropped| DeskGone)
    }
}
