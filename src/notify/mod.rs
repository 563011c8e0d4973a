//! What owners are told, and how it leaves.

pub mod address;
pub mod attachment;
mod digest;
mod letter;
mod mime;
mod outgoing;
mod remedy;
mod render;
mod sample;
mod view;
mod words;

pub use digest::{Concern, IN_FULL, Occasion, digest, occasion};
pub use letter::{Addressee, Content, Digest, Due, Entry, Instead, Language, Letter, Role, Summary, Told};
pub use mime::{Attached, Message, Sender, compose};
pub use outgoing::{Login, Outgoing, Post, Protection, Sent, Server, Times};
pub use render::{Facts, Place, RenderError, Rendered, Renderer};
