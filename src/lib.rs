//! sharewarden tells an organisation which of its files are open to whom, and closes what should not be open.
//!
//! Data runs one way; only the ends touch the world:
//!
//! ```text
//! Source --Reader--> readings --> Ledger --wants/enrich--> judge --> findings --> Report
//! ```
//!
//! Fuzz targets (`fuzz/`) are built without what only composes, changes, keeps and shows: none of it reads what comes from
//! outside.

#![cfg_attr(
    fuzzing,
    expect(
        dead_code,
        unused_imports,
        reason = "fuzz targets call little of what there is"
    )
)]

#[cfg(not(fuzzing))]
pub mod cli;
pub mod config;
#[cfg(not(fuzzing))]
pub mod emulator;
#[cfg(not(fuzzing))]
pub mod enforce;
#[cfg(not(fuzzing))]
pub mod export;
mod files;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
#[cfg(not(fuzzing))]
pub mod health;
pub mod http;
pub mod model;
pub mod notify;
pub mod plan;
pub mod policy;
pub mod provider;
pub mod report;
#[cfg(not(fuzzing))]
pub mod run;
pub mod schedule;
#[cfg(not(fuzzing))]
pub mod store;
