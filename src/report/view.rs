//! The report as programs read it, `sharewarden.report/v1`: a frozen copy of the wire format.
//!
//! Kept apart from the model so that a change there does not change what dashboards read.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use serde::Serialize;

use super::ndjson::Event;
use crate::model::{
    Access, AccountTotals, Audience, ControlTotals, ItemKind, Level, PrincipalKind, Problem, Remedy,
    RequestTotals, RuleId, ShareKind, SourceKind, Status, Verdict, WaiverNote,
};

/// The schema's name and version.
pub const SCHEMA: &str = "sharewarden.report/v1";

/// Everything of a report but its findings and shares, which come one by one.
#[derive(Clone, Debug, Serialize)]
pub struct Header {
    /// [`SCHEMA`].
    pub schema: &'static str,
    /// Which program made it.
    pub tool: Tool,
    /// Which run it tells of.
    pub run: Run,
    /// What was read, source by source.
    pub sources: Vec<Source>,
    /// Sums over all findings.
    pub totals: Totals,
    /// What the operator should know about the policy itself: waivers and gaps that lapse or match nothing.
    pub notices: Vec<Notice>,
}

/// Which program made a report.
#[derive(Clone, Debug, Serialize)]
pub struct Tool {
    /// `sharewarden`.
    pub name: &'static str,
    /// Its version.
    pub version: &'static str,
}

/// A run.
#[derive(Clone, Debug, Serialize)]
pub struct Run {
    /// Its id.
    pub id: String,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub finished_at: Timestamp,
    /// Whether a source in it was not yet read whole before.
    pub baseline: bool,
    /// What it was asked to read.
    pub scope: RunScope,
    /// What its result is worth.
    pub verdict: Verdict,
    /// The policy it judged by.
    pub policy: PolicyNote,
    /// The hash of the journal's last line when it ended; `None` while nothing was ever changed.
    pub journal_head: Option<String>,
}

/// What a run was asked to read.
#[derive(Clone, Debug, Serialize, serde::Deserialize)]
pub struct RunScope {
    /// The sources' names.
    pub sources: Vec<String>,
    /// The accounts asked for; empty means all.
    pub users: Vec<String>,
    /// The rules asked for; empty means all.
    pub rules: Vec<RuleId>,
    /// Whether everything was in scope.
    pub full: bool,
}

/// The policy of a run.
#[derive(Clone, Debug, Serialize, serde::Deserialize)]
pub struct PolicyNote {
    /// Distinguishes one policy from another.
    pub digest: String,
    /// Distinguishes what findings are judged by: the policy without waivers and gaps.
    #[serde(default)]
    pub rules_digest: String,
    /// Rules switched off.
    pub rules_off: Vec<RuleId>,
    /// How many overrides there are.
    pub overrides: usize,
    /// How many waivers.
    pub waivers: usize,
    /// How many patterns of excluded users and groups.
    pub exclusions: usize,
    /// How many accepted gaps.
    pub gaps: usize,
}

/// A source in a run.
#[derive(Clone, Debug, Serialize, serde::Deserialize)]
pub struct Source {
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: SourceKind,
    /// The product and version, as the service names itself.
    pub product: Option<String>,
    /// What its result is worth.
    pub verdict: Verdict,
    /// How many accounts became what.
    pub accounts: AccountTotals,
    /// How much of the inventory is known, and how old the oldest part is.
    pub inventory: Inventory,
    /// Rules that lacked their input.
    pub rules_not_judged: Vec<RuleId>,
    /// Shares to `anyone` of which is not known whether they are classified.
    pub classification_undetermined: u64,
    /// What this version does not look at.
    pub not_covered: Vec<String>,
    /// What the operator stated of the service's settings because the service does not tell it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub stated: BTreeMap<String, String>,
    /// Distinct shared items seen.
    pub items_seen: u64,
    /// Distinct shares seen.
    pub shares_seen: u64,
    /// What the requests came to.
    pub requests: RequestTotals,
    /// The service's own counts beside what was seen; `null` where they were not read.
    pub control: Option<ControlTotals>,
    /// What was not read, or is worth knowing.
    pub problems: Vec<Problem>,
}

/// How much of a source's inventory is known.
#[derive(Clone, Debug, Default, Serialize, serde::Deserialize)]
pub struct Inventory {
    /// The part of its scopes that was ever read, in percent.
    pub known_percent: f64,
    /// When the part that was read longest ago was read.
    pub oldest_check: Option<Timestamp>,
    /// How many scopes there are of each age, by the day (UTC) on which the part that was read longest ago was read.
    #[serde(default)]
    pub read_on: BTreeMap<Date, u64>,
    /// How many were never read to their end.
    #[serde(default)]
    pub unread: u64,
}

/// Sums over a report's findings.
#[derive(Clone, Debug, Default, Serialize, serde::Deserialize)]
pub struct Totals {
    /// Shares in the report's scope.
    pub shares: u64,
    /// Findings that stand: neither waived nor ended.
    pub findings: u64,
    /// Findings that are waived.
    pub waived: u64,
    /// Standing findings by level.
    pub by_level: BTreeMap<Level, u64>,
    /// Standing findings by rule.
    pub by_rule: BTreeMap<RuleId, u64>,
    /// All findings of the report by status.
    pub by_status: BTreeMap<Status, u64>,
}

impl Totals {
    /// The greatest level at which a finding stands.
    #[must_use]
    pub fn worst(&self) -> Option<Level> {
        self.by_level
            .iter()
            .filter(|(_, count)| **count > 0)
            .map(|(level, _)| *level)
            .max()
    }
}

/// What one of several runs came to.
#[derive(Clone, Debug)]
pub struct Point {
    /// When it judged.
    pub at: Timestamp,
    /// What its result is worth.
    pub verdict: Verdict,
    /// Findings that stand, by level.
    pub by_level: BTreeMap<Level, u64>,
}

/// Something the operator should know about the policy itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, serde::Deserialize)]
pub struct Notice {
    /// `waiver-unused`, `waiver-lapsed`, `waiver-lapsing`, `gap-lapsed` or `gap-lapsing`.
    pub code: String,
    /// What it is, in words.
    pub message: String,
}

/// A finding.
#[derive(Clone, Debug, Serialize)]
pub struct Finding {
    /// Its identity.
    pub id: String,
    /// The rule that fired.
    pub rule: RuleId,
    /// How much it matters.
    pub level: Level,
    /// Where it stands.
    pub status: Status,
    /// When it was first seen.
    pub first_seen: Timestamp,
    /// When it was last seen.
    pub last_seen: Timestamp,
    /// When it was last looked for.
    pub checked_at: Timestamp,
    /// The source's name.
    pub source: String,
    /// The day on which it will be acted upon.
    pub due: Option<Timestamp>,
    /// The waiver under which it stands.
    pub waiver: Option<WaiverNote>,
    /// One sentence for the owner.
    pub message: String,
    /// What would put it right.
    pub remedy: RemedyView,
    /// The share; `null` for a finding about a source's settings.
    pub share: Option<Share>,
}

/// Something that became of a finding or of a share.
#[derive(Clone, Debug)]
pub struct Happening {
    /// What happened.
    pub event: Event,
    /// When.
    pub time: Timestamp,
    /// To what.
    pub subject: Subject,
    /// What was before.
    pub before: Before,
}

/// What an event is about, as it is after it.
#[derive(Clone, Debug)]
pub enum Subject {
    /// A finding.
    Finding(Box<Finding>),
    /// A share.
    Share {
        /// The source's name.
        source: String,
        /// The service's own id.
        id: String,
        /// The share; of one that never had a finding only its id is told.
        share: Option<Box<Share>>,
    },
}

/// A line of the journal of what was changed.
#[derive(Clone, Debug)]
pub struct Change {
    /// Its number in the journal, from 1 on.
    pub seq: i64,
    /// The hash over it and all lines before it.
    pub hash: String,
    /// When.
    pub time: Timestamp,
    /// The run of changes.
    pub run: String,
    /// `begun`, `intent`, `receipt` or `ended`.
    pub phase: &'static str,
    /// The operating system's name of who did it, or `schedule`.
    pub who: String,
    /// Who became that user by `sudo`.
    pub sudo: Option<String>,
    /// The plan that is carried out.
    pub plan: Option<String>,
    /// The run that is taken back.
    pub undoes: Option<String>,
    /// The action of the plan.
    pub action: Option<String>,
    /// What is done: `set-expiry`, `revoke`, `restore-expiry`, `recreate` or `set-password`.
    pub deed: Option<&'static str>,
    /// The source.
    pub source: Option<String>,
    /// The finding.
    pub finding: Option<String>,
    /// The service's own id of the share.
    pub share: Option<String>,
    /// The account whose right is used.
    pub act_as: Option<String>,
    /// The end date that is asked for.
    pub value: Option<String>,
    /// The shares known to end with it.
    pub also_ends: Vec<String>,
    /// `applied`, `already-done`, `drifted`, `refused` or `failed`.
    pub receipt: Option<&'static str>,
    /// More of that.
    pub detail: Option<String>,
    /// What was there.
    pub before: Option<Seen>,
    /// What is there.
    pub after: Option<Seen>,
}

/// What was seen of a share.
#[derive(Clone, Debug)]
pub struct Seen {
    /// How it was shared.
    pub kind: ShareKind,
    /// Who could open it.
    pub audience: Audience,
    /// What it allowed.
    pub access: Access,
    /// Whether it had a password.
    pub password: Option<bool>,
    /// When it would have ended.
    pub expires: Option<String>,
    /// Whom it was granted to.
    pub recipients: Vec<String>,
}

/// A letter that was sent, or was to be.
#[derive(Clone, Debug)]
pub struct Letter {
    /// Tells it from all others.
    pub key: String,
    /// The run whose picture it tells, where that is still stored.
    pub run: Option<String>,
    /// When it was known what became of it.
    pub time: Timestamp,
    /// Its thread: the same for the same reader in every night.
    pub thread: String,
    /// `owner`, `manager`, `fallback` or `redirected`.
    pub told: String,
    /// Why it did not go to the owner.
    pub instead: Option<String>,
    /// Where it went.
    pub address: String,
    /// `accepted`, `refused`, `failed` or `unknown`.
    pub outcome: String,
    /// What the mail server said.
    pub reply: Option<String>,
    /// Of how many findings it told.
    pub findings: u64,
    /// How many actions it announced.
    pub announced: u64,
}

/// What changed, and what was before: only what changed is given.
#[derive(Clone, Debug, Default)]
pub struct Before {
    /// The names of what changed; `None` where that is not known, since what was before was not kept.
    pub changed: Option<Vec<&'static str>>,
    /// Where the finding stood.
    pub status: Option<Status>,
    /// Its level.
    pub level: Option<Level>,
    /// Who could open the share.
    pub audience: Option<Audience>,
    /// What it allowed.
    pub access: Option<Access>,
    /// Whether it had a password.
    pub password: Option<bool>,
    /// When it would have ended.
    pub expires: Option<String>,
    /// Whose item it was.
    pub owner: Option<String>,
    /// Where that lay.
    pub path: Option<String>,
    /// Whom it was granted to.
    pub recipients: Option<Vec<String>>,
}

/// What would put a finding right.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct RemedyView {
    /// The action.
    pub action: Remedy,
}

/// A share.
#[derive(Clone, Debug, Serialize)]
pub struct Share {
    /// The service's own id.
    pub id: String,
    /// How it is shared.
    pub kind: ShareKind,
    /// Who can open it: the widest that applies.
    pub audience: Audience,
    /// What it allows.
    pub access: Access,
    /// Whether a password protects it; `null` where not told.
    pub password: Option<bool>,
    /// When it ends, as the service states it.
    pub expires: Option<String>,
    /// Whether it has ended.
    pub expired: bool,
    /// When it was made.
    pub created_at: Option<Timestamp>,
    /// Whether it comes from a folder above.
    pub inherited: bool,
    /// The label its maker gave it.
    pub label: Option<String>,
    /// Its address with the secret part masked.
    pub link: Option<String>,
    /// What is shared.
    pub item: Item,
    /// Whose it is.
    pub owner: Principal,
    /// Who shared it.
    pub shared_by: Option<Principal>,
    /// Whom it was granted to.
    pub recipients: Vec<Principal>,
    /// Who merely opened a link, or was sent it, without being named in it.
    pub opened_by: Vec<Principal>,
    /// Fields that the service did not tell.
    pub unknown: Vec<String>,
}

/// What is shared.
#[derive(Clone, Debug, Serialize)]
pub struct Item {
    /// The service's own id.
    pub id: String,
    /// Its path from its owner's root.
    pub path: String,
    /// The last segment of the path.
    pub name: String,
    /// File or folder.
    pub kind: ItemKind,
    /// Bytes.
    pub size: Option<u64>,
    /// How many files lie beneath.
    pub files_beneath: Option<u64>,
    /// Whether it is classified; `null` while that was not looked at in full.
    pub classified: Option<bool>,
    /// The labels it is classified with.
    pub labels: Vec<String>,
    /// The drive it lies in.
    pub drive: Option<String>,
}

/// A person or group.
#[derive(Clone, Debug, Serialize)]
pub struct Principal {
    /// The service's own id.
    pub id: String,
    /// Display name.
    pub name: Option<String>,
    /// Mail address.
    pub email: Option<String>,
    /// What it is to the organisation.
    pub kind: PrincipalKind,
    /// Whether it can sign in.
    pub active: Option<bool>,
    /// Who answers for a site: mail addresses or account ids.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub answered_by: Vec<String>,
}
