//! The jobs, composed of the parts: the only place where adapters, policy and ledger meet.

mod coverage;
mod desk;
mod scan;
mod source;

pub use desk::{Desk, DeskGone};
pub use scan::{Scan, ScanError, Scanned, scan};
pub use source::Part;
