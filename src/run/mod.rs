//! The jobs, composed of the parts: the only place where adapters, policy and ledger meet.

mod change;
mod coverage;
mod desk;
mod evidence;
pub mod grace;
mod notify;
mod plan;
mod progress;
mod scan;
mod source;

pub use change::{apply, over_caps, undo};
pub use desk::{Desk, DeskGone};
pub use evidence::{Secured, ShareKey, secure};
pub use notify::{Carrier, Incidents, Mailed, Mailing, notify};
pub use plan::{Planned, Proposed, propose, waived};
pub use progress::{Progress, Step};
pub use scan::{Scan, ScanError, Scanned, scan};
pub use source::{Managed, Part};
