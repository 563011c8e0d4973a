//! What owners are told, and how letters leave.

use std::path::PathBuf;

use globset::GlobSet;
use jiff::Span;

use super::NameDisplay;
use crate::{
    config::SecretRef,
    model::{Level, SourceName},
};

/// What owners are told.
#[derive(Clone, Debug)]
pub struct MailSettings {
    /// Whether owners are mailed.
    pub mode: MailMode,
    /// The least level that owners hear of.
    pub min_level: Level,
    /// The most letters in a run; if there were more, none is sent and the operator is told.
    pub max_letters: u64,
    /// The sender; there unless the mode is off.
    pub from: Option<Mailbox>,
    /// Where answers go.
    pub reply_to: Option<Mailbox>,
    /// How letters leave; there unless the mode is off.
    pub transport: Option<Transport>,
    /// The domains that are written to, in lower case, and no other.
    pub allowed_domains: Vec<String>,
    /// Who is told where the owner has no usable address.
    pub fallback: Option<String>,
    /// Who is told of a suspected breach.
    pub incident_contact: Option<String>,
    /// A folder with templates that stand in for the built-in ones, file by file.
    pub templates: Option<PathBuf>,
    /// The language where the owner's own is unknown, and that of HTML reports.
    pub language: String,
    /// How file names appear.
    pub names: NameDisplay,
    /// How often an owner hears of what is merely still open.
    pub every: Span,
    /// Whether the manager that the directory names is told where the owner is gone or has no usable address, before the
    /// fallback.
    pub managers: bool,
    /// What is attached.
    pub attach: Attachment,
    /// Who answers for a library or shared folder that no person owns; the first that fits counts.
    pub owners: Vec<MailOwner>,
    /// Domains whose mail goes by a secure network; the longest suffix first.
    pub secure_routes: Vec<SecureRoute>,
}

/// Whether owners are mailed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MailMode {
    /// Nothing is sent.
    Off,
    /// Everything is sent to one address.
    Pilot {
        /// That address.
        redirect_to: String,
    },
    /// Owners are written to.
    On,
}

/// An address, with or without a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mailbox {
    /// The name.
    pub name: Option<String>,
    /// The address.
    pub address: String,
}

/// How letters leave.
#[derive(Clone, Debug)]
pub enum Transport {
    /// By a mail server.
    Smtp {
        /// The mail server: a host name or an address.
        host: String,
        /// Its port.
        port: u16,
        /// How the connection is protected.
        tls: Tls,
        /// How to sign in, where the server wants that.
        login: Option<SmtpLogin>,
    },
    /// By Microsoft Graph, with the credentials of a source.
    Graph {
        /// The source; it exists and is of Microsoft's kind.
        source: SourceName,
        /// The mailbox that sends.
        sender: String,
    },
    /// Into a folder, one `.eml` file a letter.
    Files {
        /// The folder.
        directory: PathBuf,
    },
}

/// How to sign in to a mail server.
#[derive(Clone, Debug)]
pub struct SmtpLogin {
    /// The account.
    pub user: String,
    /// Its password.
    pub password: SecretRef,
}

/// How the connection to the mail server is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tls {
    /// Upgraded before anything is said; no upgrade, no mail.
    Starttls,
    /// From the first byte (`tls = "tls"`).
    Immediate,
    /// Not at all; towards loopback only.
    None,
}

/// What is attached to a letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attachment {
    /// Nothing.
    None,
    /// The findings as CSV in an AES-256 zip.
    Csv,
}

/// Who answers for a library or shared folder that no person owns.
#[derive(Clone, Debug)]
pub struct MailOwner {
    /// The source.
    pub source: SourceName,
    /// The sites or shared folders.
    pub site: GlobSet,
    /// Who is told.
    pub address: String,
}

/// A domain whose mail goes by a secure network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecureRoute {
    /// The end of an address's domain, in lower case.
    pub suffix: String,
    /// What stands in its place.
    pub becomes: String,
}
