//! The jobs, composed of the parts: the only place where adapters, policy and ledger meet.

mod change;
mod coverage;
mod desk;
pub mod grace;
mod notify;
mod plan;
mod scan;
mod source;

pub use change::{apply, over_caps, undo};
pub use desk::{Desk, DeskGone};
pub use notify::{Carrier, Mailed, Mailing, notify};
pub use plan::{Planned, Proposed, propose, waived};
pub use scan::{Scan, ScanError, Scanned, scan};
pub use source::Part;
