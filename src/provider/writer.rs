//! What an adapter offers for changing its source. Only `enforce` ever holds one.

use futures::FutureExt as _;
use futures::future::BoxFuture;
use jiff::Timestamp;
use secrecy::SecretString;

use super::ReadError;
use crate::model::{Access, ItemKind, ProblemCode, Share, ShareKind, SourceFacts};

/// A share to be read or changed, by ids alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The service's own id of the share.
    pub share: String,
    /// The account in whose name it is read and changed; `None` where the application has the right itself.
    pub act_as: Option<String>,
    /// What is shared.
    pub item: Place,
}

/// An item, by ids alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The service's own id of the item.
    pub id: String,
    /// File, folder or neither.
    pub kind: ItemKind,
    /// The drive it lies in, where the service has drives.
    pub drive: Option<String>,
}

/// What became of reading a share again.
#[derive(Debug)]
pub enum Found {
    /// It is there, as the service states it now.
    Share(Box<Share>),
    /// It is no longer there, and its item is: it was ended.
    Gone,
    /// It cannot be seen from where it was, and whether it still works is not known: why, in our own words.
    Lost(&'static str),
}

/// What is known once a source may be changed.
#[derive(Clone, Debug)]
pub struct Opened {
    /// The service's settings, read now.
    pub facts: SourceFacts,
    /// The service's own clock, where it told.
    pub date: Option<Timestamp>,
}

/// A share to be made again, by ids alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lost {
    /// How it was shared.
    pub kind: ShareKind,
    /// Whether anyone who had its address could open it.
    pub anonymous: bool,
    /// What was shared.
    pub item: Place,
    /// The account in whose name it is made; `None` where the application has the right itself.
    pub act_as: Option<String>,
    /// Whom it was granted to, by their ids.
    pub recipients: Vec<String>,
    /// What it allowed.
    pub access: Access,
    /// When it is to end, as the service states it.
    pub expires: Option<String>,
    /// The label that its maker gave it; remote text.
    pub label: Option<String>,
    /// Whether a password protected it: then one has to be given.
    pub password: bool,
}

/// Why something could not be changed, or whether it was is not known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct WriteError {
    /// What is known of the change.
    pub effect: ChangeEffect,
    /// Why, as a report calls it.
    pub code: ProblemCode,
    /// What happened, and what to do.
    pub message: String,
}

/// What is known of a change that was not confirmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeEffect {
    /// The service refused it: nothing was changed.
    Refused,
    /// It was not asked for, or not heard: nothing was changed.
    None,
    /// It may have been made.
    Unknown,
}

impl WriteError {
    /// What was refused, for a reason of our own.
    pub fn refused(code: ProblemCode, message: impl Into<String>) -> Self {
        Self {
            effect: ChangeEffect::Refused,
            code,
            message: message.into(),
        }
    }

    /// Whether nothing more can be changed in this source now. A service that puts off for longer than is waited does the
    /// same to what comes after.
    #[must_use]
    pub fn concerns_source(&self) -> bool {
        self.code == ProblemCode::Throttled || ReadError::service(self.code, String::new()).concerns_source()
    }

    /// Whether the service clearly refused to do it now, and may do it later.
    #[must_use]
    pub fn is_put_off(&self) -> bool {
        self.code == ProblemCode::Throttled && self.effect != ChangeEffect::Unknown
    }
}

impl From<ReadError> for WriteError {
    /// What reading failed with changed nothing.
    fn from(error: ReadError) -> Self {
        let code = match &error {
            ReadError::Service { code, .. } => *code,
            ReadError::Closed(_) => ProblemCode::Interrupted,
        };
        Self {
            effect: ChangeEffect::None,
            code,
            message: error.to_string(),
        }
    }
}

/// Changes a source, one share at a time. What was changed is for the caller to read back.
pub trait Writer: Send + Sync {
    /// Checks the credential and the rights that it has for the source as a whole, and reads its settings and its clock.
    /// Sends nothing that changes anything.
    fn open(&self) -> BoxFuture<'_, Result<Opened, WriteError>>;

    /// Checks that changes can be made in the name of an account. Sends nothing that changes anything.
    fn may_act_as<'a>(&'a self, account: &'a str) -> BoxFuture<'a, Result<(), WriteError>>;

    /// Waits until a change can be sent at once: for its turn, and for the units that it costs. Called before a share is
    /// read again, so that what was read is not old when it is changed.
    fn turn(&self) -> BoxFuture<'_, Result<(), WriteError>> {
        std::future::ready(Ok(())).boxed()
    }

    /// Reads a share again.
    fn read<'a>(&'a self, target: &'a Target) -> BoxFuture<'a, Result<Found, WriteError>>;

    /// Reads all that is shared of an item itself, as the account sees it.
    fn read_all<'a>(
        &'a self,
        item: &'a Place,
        act_as: Option<&'a str>,
    ) -> BoxFuture<'a, Result<Vec<Share>, WriteError>>;

    /// Reads what may end with a share: links on its item and beneath it, as the account sees them.
    fn read_links_beneath<'a>(&'a self, target: &'a Target) -> BoxFuture<'a, Result<Vec<Share>, WriteError>>;

    /// Lets a share end at a time, as a plan writes it, or never again (`None`). Nothing else of it changes.
    fn set_expiry<'a>(
        &'a self,
        target: &'a Target,
        value: Option<&'a str>,
    ) -> BoxFuture<'a, Result<(), WriteError>>;

    /// Ends a share.
    fn revoke<'a>(&'a self, target: &'a Target) -> BoxFuture<'a, Result<(), WriteError>>;

    /// Why a share cannot be given this end back, or none, in our own words; `None` where it can be tried. Sends nothing.
    fn unrestorable(&self, _value: Option<&str>) -> Option<&'static str> {
        None
    }

    /// Whether a link can be given another password.
    fn sets_passwords(&self) -> bool {
        true
    }

    /// Why a share that was ended cannot be made again, in our own words; `None` where it can be tried. Sends nothing.
    fn irrecoverable(&self, facts: &SourceFacts, lost: &Lost) -> Option<&'static str>;

    /// Makes a share again, with this password where it had one; its id.
    fn recreate<'a>(
        &'a self,
        lost: &'a Lost,
        password: Option<&'a SecretString>,
    ) -> BoxFuture<'a, Result<String, WriteError>>;

    /// Gives a link another password.
    fn set_password<'a>(
        &'a self,
        target: &'a Target,
        password: &'a SecretString,
    ) -> BoxFuture<'a, Result<(), WriteError>>;
}
