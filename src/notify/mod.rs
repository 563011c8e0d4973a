//! What owners are told, and how it leaves.

mod digest;
mod letter;
mod outgoing;
mod remedy;
mod render;
mod sample;
mod view;
mod words;

pub use digest::{Concern, IN_FULL, Occasion, digest, occasion};
pub use letter::{Addressee, Content, Digest, Due, Entry, Instead, Language, Letter, Role, Summary, Told};
pub use outgoing::{Login, Outgoing, Protection, Server, examine};
pub use render::{Facts, Place, RenderError, Rendered, Renderer};
