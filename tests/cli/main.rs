//! The program as its users see it: the built binary against emulated servers, over real HTTP.
//!
//! One binary for all, which saves linking; a module a part of what is promised, a test a promise.

#[cfg(test)]
mod beneath;
#[cfg(test)]
mod canaries;
#[cfg(test)]
mod changes;
#[cfg(test)]
mod clauses;
#[cfg(test)]
mod commands;
#[cfg(test)]
mod coverage;
#[cfg(test)]
mod daemon;
#[cfg(test)]
mod damage;
#[cfg(test)]
mod enrolment;
#[cfg(test)]
mod events;
#[cfg(test)]
mod evidence;
#[cfg(test)]
mod examination;
#[cfg(test)]
mod exits;
#[cfg(test)]
mod exports;
#[cfg(test)]
mod fence;
#[cfg(test)]
mod harness;
#[cfg(test)]
mod history;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod kills;
#[cfg(test)]
mod listed;
#[cfg(test)]
mod login;
#[cfg(test)]
mod memory;
#[cfg(test)]
mod names;
#[cfg(test)]
mod network;
#[cfg(test)]
mod nightly;
#[cfg(test)]
mod notify;
#[cfg(test)]
mod outgoing;
#[cfg(test)]
mod page;
#[cfg(test)]
mod policy;
#[cfg(test)]
mod progress;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod requests;
#[cfg(test)]
mod soak;
#[cfg(test)]
mod state;
#[cfg(test)]
mod tenant;
#[cfg(test)]
mod waivers;
