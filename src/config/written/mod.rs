//! What the file says: one struct a table, one field a key, in the words of the documentation.
//!
//! The doc comments here are the descriptions of `config schema`, and the `default`s stand nowhere else:
//! they are put into the tree before it is read, so that reading, showing and documenting cannot disagree.
//! Enumerations with a tag (`kind`, `method`) carry it outside when they are read (see `fill`), because
//! serde's internal tags lose the places of values.

mod enforce;
mod mail;
mod microsoft;
mod names;
mod nextcloud;
mod policy;
mod system;

use std::ops::Range;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Deserialize;
use toml::Spanned;

pub(super) use enforce::{Action, Enforce, EnforceRule, Switch};
pub(super) use mail::{
    Attach, Mail, MailMode, MailOwner, Names, SecureRoute, Tls, Transport as MailTransport,
};
pub(super) use microsoft::{Cloud, Include, LinkType, Microsoft, MicrosoftAuth};
pub(super) use names::{Date, LevelName, RuleLevel, RuleName};
pub(super) use nextcloud::{DisabledAccounts, Nextcloud, NextcloudAuth};
pub(super) use policy::{Classify, Gap, Override, Policy, Waiver};
pub(super) use system::{Details, Export, Identity, Owners, Schedule, State};

/// A value and where it was written.
#[derive(Clone, Debug, Deserialize)]
#[serde(transparent)]
pub(super) struct At<T>(Spanned<T>);

impl<T> At<T> {
    pub(super) fn get(&self) -> &T {
        self.0.get_ref()
    }

    pub(super) fn span(&self) -> Range<usize> {
        self.0.span()
    }
}

impl<T: JsonSchema> JsonSchema for At<T> {
    fn inline_schema() -> bool {
        T::inline_schema()
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        T::schema_name()
    }

    fn schema_id() -> std::borrow::Cow<'static, str> {
        T::schema_id()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}

/// The configuration of sharewarden.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "sharewarden configuration")]
pub(super) struct File {
    /// What the organisation accepts.
    #[schemars(extend("default" = {}))]
    pub(super) policy: Policy,
    /// Findings accepted for a time.
    #[schemars(extend("default" = []))]
    pub(super) waiver: Vec<At<Waiver>>,
    /// Known gaps in coverage: they count as limited, not as incomplete.
    #[schemars(extend("default" = []))]
    pub(super) gap: Vec<At<Gap>>,
    /// What may be changed, and when.
    #[schemars(extend("default" = {}))]
    pub(super) enforce: Enforce,
    /// Who is the same person in several sources.
    #[schemars(extend("default" = {}))]
    pub(super) identity: Identity,
    /// What is remembered from run to run.
    #[schemars(extend("default" = {}))]
    pub(super) state: State,
    /// What owners are told.
    #[schemars(extend("default" = {}))]
    pub(super) mail: Mail,
    /// When the daemon runs the nightly job.
    #[schemars(extend("default" = {}))]
    pub(super) schedule: Schedule,
    /// What the nightly job writes for other programs.
    #[schemars(extend("default" = {}))]
    pub(super) export: Export,
    /// The systems that are audited.
    #[schemars(extend("default" = []))]
    pub(super) source: Vec<At<Source>>,
    /// Values for every source of a kind; what a source says itself wins.
    #[expect(
        dead_code,
        reason = "the values are handed to the sources before the tree is read"
    )]
    pub(super) defaults: Option<Defaults>,
}

/// A system that is audited.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(tag = "kind")]
pub(super) enum Source {
    /// A Nextcloud server.
    #[serde(rename = "nextcloud")]
    Nextcloud(Box<Nextcloud>),
    /// A Microsoft 365 tenant.
    #[serde(rename = "microsoft365")]
    Microsoft365(Box<Microsoft>),
}

/// Values for every source of a kind; what a source says itself wins.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(
    dead_code,
    reason = "the values are handed to the sources before the tree is read"
)]
pub(super) struct Defaults {
    /// Values for every source of kind `nextcloud`.
    #[schemars(extend("x-partial" = true))]
    pub(super) nextcloud: Option<Nextcloud>,
    /// Values for every source of kind `microsoft365`.
    #[schemars(extend("x-partial" = true))]
    pub(super) microsoft365: Option<Microsoft>,
}

/// Where a secret is found: exactly one of `env`, `file`, `credential`, `command`. Never the secret itself.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(extend("writeOnly" = true))]
pub(super) enum Secret {
    /// The name of an environment variable.
    Env(String),
    /// A file that only its owner can read; one newline at its end is dropped.
    File(std::path::PathBuf),
    /// The name of a systemd credential (`LoadCredential=`).
    Credential(String),
    /// A program and its arguments, run without a shell; what it prints is the secret.
    Command(Vec<String>),
}

/// Accounts that are left out; they are counted in the coverage.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Exclude {
    /// Account ids (globs).
    #[schemars(extend("default" = []))]
    pub(super) users: Vec<At<String>>,
    /// Groups whose members are left out (globs).
    #[schemars(extend("default" = []))]
    pub(super) groups: Vec<At<String>>,
}
