//! What owners are told, and how it leaves.

pub mod address;
pub mod attachment;
mod digest;
mod fate;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod letter;
mod mime;
mod outgoing;
mod people;
mod remedy;
mod render;
mod sample;
mod view;

pub use digest::{Concern, Gathering, IN_FULL, Occasion};
pub use fate::{Outcome, Reader};
pub use letter::{
    Addressee, Content, Digest, Due, Entry, Incident, Instead, Language, LastRun, Letter, List, Role,
    Summary, Told, Unsure,
};
pub use mime::{Attached, Message, Sender, compose};
pub use outgoing::{Login, Outgoing, Post, Protection, Sent, Server, Times};
pub use people::{Identities, Reached, Route, Routing};
pub use render::{Facts, Place, RenderError, Rendered, Renderer};
pub use view::Listing;
