//! The configuration: found, read, checked, and turned into settings.
//!
//! A file is parsed into a tree of values with their places, checked against the schema (`shape`), laid over
//! the files before it and completed with defaults (`tree`), read into what it says (`written`), and from
//! there into what it means ([`Settings`]). All that is wrong in all files is collected in one [`Report`].
//!
//! This is the only part of the program that reads the environment. Secrets are references ([`SecretRef`])
//! until somebody needs one.

mod addresses;
mod blank;
mod command;
mod computed;
mod credentials;
mod diagnostic;
mod environment;
mod file;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod load;
mod locate;
mod nearest;
mod people;
mod schema;
mod secret;
mod settings;
mod shape;
mod show;
mod text;
mod tree;
mod users;
mod validate;
mod values;
mod written;

pub use crate::files::{create_private, write_private};
pub use credentials::{Credentials, Grantor, SignedIn};
pub use diagnostic::{Diagnostic, Report, Severity, Style};
pub use environment::{variable, withhold_secrets};
pub use file::FileRef;
pub use load::{Loaded, load, parse};
pub use locate::Locations;
pub use people::People;
pub use schema::schema;
pub use secret::SecretRef;
pub use settings::{
    Attachment, Cloud, Details, DisabledAccounts, EnforceSettings, ExportSettings, IdentitySettings, Include,
    MailMode, MailOwner, MailSettings, Mailbox, MicrosoftAuth, MicrosoftExclude, MicrosoftLimits,
    MicrosoftSettings, NameDisplay, Network, NextcloudAuth, NextcloudExclude, NextcloudLimits,
    NextcloudSettings, OwnerDisplay, Patterns, ScheduleSettings, SecureRoute, Settings, SmtpLogin,
    SourceDetails, SourceSettings, StateSettings, StatedSettings, Tls, Transport, UsersFile,
};
