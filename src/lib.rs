//! sharewarden tells an organisation which of its files are open to whom, and closes what should not be open.
//!
//! Data runs one way; only the ends touch the world:
//!
//! ```text
//! Source --Reader--> readings --> Ledger --wants/enrich--> judge --> findings --> Report
//! ```

pub mod cli;
pub mod config;
pub mod emulator;
pub mod enforce;
pub mod export;
mod files;
pub mod health;
pub mod http;
pub mod model;
pub mod notify;
pub mod plan;
pub mod policy;
pub mod provider;
pub mod report;
pub mod run;
pub mod schedule;
pub mod store;
