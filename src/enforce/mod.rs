//! Carries plans out, takes them back, and goes on after a crash: the only part that changes a service.
//!
//! Only from a recorded plan, only what still is as the plan saw it, and each change between two lines of the journal: what
//! is meant to be done is on record before it is asked for, and what became of it after it was read back.

mod journal;

pub use journal::{Deed, Entry, Event, Journal, JournalError, Outcome, State, Who};
