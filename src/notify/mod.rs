//! What owners are told, and how it leaves.

mod digest;
mod fate;
mod letter;
mod outgoing;
mod people;

pub use digest::{Concern, Gathering, IN_FULL, Occasion};
pub use fate::{Outcome, Reader};
pub use letter::{Addressee, Content, Digest, Due, Entry, Instead, Language, Letter, Role, Summary, Told};
pub use outgoing::{Login, Outgoing, Protection, Server, examine};
pub use people::{Identities, Reached, Route, Routing};
