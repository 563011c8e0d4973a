//! The way out for letters: a mail server, a service that takes them, or a folder; whether it is open, and what became
//! of each letter.

mod files;
mod relay;
mod smtp;

use std::fmt;
use std::path::PathBuf;

use futures::future::BoxFuture;

use self::smtp::Smtp;
pub use self::smtp::{Login, Protection, Server, Times};
use super::Message;
use crate::model::Check;

const ABOUT: &str = "mail";
/// What it costs that no letter leaves.
const COSTS: &str = "owners are told nothing";

/// How letters leave.
#[derive(Debug)]
pub struct Outgoing(Way);

#[derive(Debug)]
enum Way {
    Smtp(Smtp),
    Post(Box<dyn Post>),
    Files(PathBuf),
}

/// A service that takes letters.
pub trait Post: fmt::Debug + Send + Sync {
    /// Finds out, as far as that goes without a letter, whether it would take one.
    fn examine(&self) -> BoxFuture<'_, Check>;

    /// Hands a letter over, once.
    fn send<'a>(&'a self, message: &'a Message) -> BoxFuture<'a, Sent>;
}

/// What became of a letter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sent {
    /// It was taken; whether it is delivered is not known.
    Accepted {
        /// What was said to it.
        reply: String,
    },
    /// It was not taken, for a reason that lies with its recipient or with itself; others may be.
    Refused {
        /// Why.
        words: String,
        /// Whether it is of no use to try it again.
        permanent: bool,
    },
    /// It may have been taken: it is never sent again.
    Unknown {
        /// What happened.
        words: String,
    },
    /// Nothing was handed over, and nothing else would be now.
    Unreachable {
        /// Why.
        words: String,
    },
}

impl Outgoing {
    /// By a mail server.
    #[must_use]
    pub fn smtp(server: Server) -> Self {
        Self(Way::Smtp(Smtp::new(server)))
    }

    /// By a service that takes letters.
    #[must_use]
    pub fn post(post: Box<dyn Post>) -> Self {
        Self(Way::Post(post))
    }

    /// Into a folder, which has to be there.
    #[must_use]
    pub fn files(folder: PathBuf) -> Self {
        Self(Way::Files(folder))
    }

    /// Hands a letter over, once. A mail server takes one after the other, over one connection.
    pub async fn send(&self, message: &Message) -> Sent {
        match &self.0 {
            Way::Smtp(smtp) => smtp.send(message).await,
            Way::Post(post) => post.send(message).await,
            Way::Files(folder) => files::write(folder, message).await,
        }
    }

    /// Takes leave, where that is customary.
    pub async fn close(&self) {
        if let Way::Smtp(smtp) = &self.0 {
            smtp.close().await;
        }
    }

    /// Goes the way of a letter up to where it would be handed over, and sends none.
    pub async fn examine(&self) -> Check {
        match &self.0 {
            Way::Smtp(smtp) => smtp.examine().await,
            Way::Post(post) => post.examine().await,
            Way::Files(folder) => files::examine(folder),
        }
    }
}
