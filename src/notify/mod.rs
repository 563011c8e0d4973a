//! What owners are told, and how it leaves. So far: whether it could.

mod outgoing;

pub use outgoing::{Login, Outgoing, Protection, Server, examine};
