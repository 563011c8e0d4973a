//! What owners are told, and how it leaves.

pub mod address;
pub mod attachment;
mod letter;
mod mime;
mod outgoing;
mod rendered;

pub use letter::{Addressee, Content, Digest, Due, Entry, Instead, Language, Letter, Role, Summary, Told};
pub use mime::{Attached, Message, Sender, compose};
pub use outgoing::{Login, Outgoing, Post, Protection, Sent, Server, Times};
pub use rendered::Rendered;
