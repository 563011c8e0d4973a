//! `[mail]` as written.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{At, LevelName, Secret};

/// Whether owners are mailed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(in crate::config) enum MailMode {
    /// Nothing is sent.
    Off,
    /// Everything is sent to `redirect_to`.
    Pilot,
    /// Owners are written to.
    On,
}

/// How file names appear.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(in crate::config) enum Names {
    /// As they are.
    Full,
    /// The folder only.
    Folder,
    /// Not at all.
    Hidden,
}

/// What is attached to a letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(in crate::config) enum Attach {
    /// Nothing.
    None,
    /// The findings as CSV in an AES-256 zip.
    Csv,
}

/// How the connection to the mail server is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(in crate::config) enum Tls {
    /// Upgraded before anything is said; no upgrade, no mail.
    Starttls,
    /// From the first byte.
    #[serde(rename = "tls")]
    Immediate,
    /// Not at all; towards loopback only.
    None,
}

/// What owners are told.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Mail {
    /// Whether owners are mailed.
    #[schemars(extend("default" = "off"))]
    pub(in crate::config) mode: At<MailMode>,
    /// Where all letters of a pilot go.
    pub(in crate::config) redirect_to: Option<At<String>>,
    /// The least level that owners hear of.
    #[schemars(extend("default" = "medium"))]
    pub(in crate::config) min_level: LevelName,
    /// The most letters in a run; if there were more, none is sent and the operator is told.
    #[schemars(range(min = 1), extend("default" = 500))]
    pub(in crate::config) max_letters: u64,
    /// The sender: an address, or a name and an address in angle brackets.
    pub(in crate::config) from: Option<At<String>>,
    /// Where answers go.
    pub(in crate::config) reply_to: Option<At<String>>,
    /// How letters leave.
    pub(in crate::config) transport: Option<At<Transport>>,
    /// The domains that are written to, and no other; the default is `internal_domains`.
    #[schemars(default)]
    pub(in crate::config) allowed_domains: Vec<At<String>>,
    /// Who is told where the owner has no usable address.
    pub(in crate::config) fallback: Option<At<String>>,
    /// Who is told of a suspected breach; none is looked for in this version.
    pub(in crate::config) incident_contact: Option<At<String>>,
    /// A folder with templates that stand in for the built-in ones, file by file.
    pub(in crate::config) templates: Option<At<PathBuf>>,
    /// The language where the owner's own is unknown.
    #[schemars(extend("default" = "en"))]
    pub(in crate::config) language: At<String>,
    /// How file names appear.
    #[schemars(extend("default" = "full"))]
    pub(in crate::config) names: Names,
    /// How often an owner hears of what is merely still open.
    #[schemars(extend("default" = "7d"))]
    pub(in crate::config) every: At<String>,
    /// Whether the manager that the directory names is told where the owner is gone, before the fallback; none is read in this
    /// version, so that the fallback is told.
    #[schemars(extend("default" = false))]
    pub(in crate::config) managers: bool,
    /// What is attached: with `"csv"` the list of all that the reader is told, encrypted.
    #[schemars(extend("default" = "none"))]
    pub(in crate::config) attach: Attach,
    /// Who answers for a library or shared folder that no person owns.
    #[schemars(extend("default" = []))]
    pub(in crate::config) owner: Vec<At<MailOwner>>,
    /// Domains whose mail goes by a secure network.
    #[schemars(extend("default" = []))]
    pub(in crate::config) secure_route: Vec<At<SecureRoute>>,
}

/// How letters leave.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
#[schemars(tag = "kind")]
pub(in crate::config) enum Transport {
    /// By a mail server.
    Smtp {
        /// The mail server.
        host: At<String>,
        /// Its port; the default is 587, with `tls = "tls"` 465, with `tls = "none"` 25.
        port: Option<u16>,
        /// How the connection is protected.
        #[schemars(extend("default" = "starttls"))]
        tls: At<Tls>,
        /// The account, where the server wants one.
        user: Option<At<String>>,
        /// The account's password.
        password: Option<At<Secret>>,
    },
    /// By Microsoft Graph, with the credentials of a source.
    Graph {
        /// The source's name.
        source: At<String>,
        /// The mailbox that sends.
        sender: At<String>,
    },
    /// Into a folder, one `.eml` file a letter; nothing is sent.
    Files {
        /// The folder.
        directory: At<PathBuf>,
    },
}

/// Who answers for a library or shared folder that no person owns.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct MailOwner {
    /// The source's name.
    pub(in crate::config) source: At<String>,
    /// The site or shared folder (glob).
    pub(in crate::config) site: At<String>,
    /// Who is told.
    pub(in crate::config) address: At<String>,
}

/// A domain whose mail goes by a secure network.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct SecureRoute {
    /// The end of an address's domain; the longest that fits is taken.
    pub(in crate::config) suffix: At<String>,
    /// What stands in its place.
    pub(in crate::config) becomes: At<String>,
}
