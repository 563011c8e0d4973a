//! What changes a Nextcloud, against the emulated one: what is changed, what is not, and what is known afterwards.

mod changing;
mod reading;
mod remaking;
mod signing;
mod stage;
