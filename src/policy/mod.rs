//! The policy engine: what the organisation accepts, and the judgement of one share by it.
//!
//! Pure: no I/O, no clock, no async. A rule sees one share, its own past, the facts of its source, and `now`.

mod acceptance;
mod case;
mod classification;
mod defaults;
mod domain;
mod filter;
#[cfg(test)]
pub(crate) mod fixtures;
mod gaps;
mod guidance;
mod judge;
mod notices;
mod people;
mod posture;
mod registry;
mod rules;
#[cfg(test)]
pub(crate) mod tests;
mod waivers;
mod wants;

use std::collections::{BTreeMap, BTreeSet};

use globset::GlobSet;
use jiff::{Span, Timestamp, civil::Date};

pub use acceptance::{Accepted, Breadth, Hold, Outgrown, Turn};
pub use defaults::{day, last_day};
pub use gaps::{effect, gap_in_force};
pub use guidance::Guidance;
pub use judge::{Judge, audience, judge};
pub use notices::{Lapse, Notice, NoticeCode, lapse, notices};
pub use posture::{Posture, posture};
pub use registry::{RuleInfo, rule, rules};
pub use waivers::Waivers;
pub use wants::{Need, wants, wants_evidence};

use crate::model::{
    Audience, Classes, Finding, FindingId, Level, PrincipalKind, ProblemCode, RuleId, SourceName, Uses,
};

/// What the organisation accepts, compiled from the configuration.
#[derive(Clone, Debug)]
pub struct Policy {
    /// The organisation's own mail domains, lower case; sub-domains included.
    pub internal_domains: Vec<String>,
    /// Domains of expected outsiders.
    pub partner_domains: Vec<String>,
    /// Servers towards which federated shares are internal, lower case, without scheme.
    pub internal_servers: Vec<String>,
    /// How far ahead a link may expire.
    pub max_expiry: Span,
    /// The age from which a share wants a review.
    pub review_after: Span,
    /// How far ahead a waiver may end.
    pub max_waiver: Span,
    /// Addresses that are lists (globs over lower-case addresses).
    pub mailing_lists: GlobSet,
    /// Groups as good as everybody (globs over group ids and names).
    pub wide_groups: GlobSet,
    /// The size from which a group is as good as everybody.
    pub wide_group_size: Option<u64>,
    /// Levels that differ from the rule's own; `None` switches the rule off.
    pub levels: BTreeMap<RuleId, Option<Level>>,
    /// Exceptions, later ones win.
    pub overrides: Vec<Override>,
    /// What counts as confidential.
    pub classes: Classes,
    /// Whether the services are asked if open links to classified items were used.
    pub evidence: bool,
    /// Findings accepted for a time.
    pub waivers: Vec<Waiver>,
    /// Gaps in coverage accepted for a time.
    pub gaps: Vec<Gap>,
    /// Distinguishes one policy from another: a digest of all of the above.
    pub digest: String,
    /// Distinguishes what shares are judged by: a digest of all of the above but waivers and gaps.
    pub rules_digest: String,
}

/// Which findings an override, a waiver or an enforcement rule is about; what is not given matches all.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// The source's name.
    pub source: Option<SourceName>,
    /// The owner's account id or mail address (globs).
    pub owner: Option<GlobSet>,
    /// A group that the owner is in (globs).
    pub group: Option<GlobSet>,
    /// The item's path or that of a folder above it (globs as in classification, without a leading
    /// slash); matches only where the path is the owner's.
    pub path: Option<GlobSet>,
    /// A label that the item is classified with.
    pub label: Option<String>,
    /// A recipient's mail domain (or server, for federated ones), sub-domains included.
    ///
    /// Where a finding is about several recipients it is weighed for each, and the strictest counts; a
    /// waiver or an enforcement rule must match them all.
    pub recipient_domain: Option<String>,
    /// The rule.
    pub rule: Option<RuleId>,
}

/// An exception to the policy for what its filter matches.
#[derive(Clone, Debug, Default)]
pub struct Override {
    /// What it is about.
    pub filter: Filter,
    /// The level instead; `Some(None)` switches the rule off.
    pub level: Option<Option<Level>>,
    /// Another limit for expiry dates.
    pub max_expiry: Option<Span>,
    /// Whether owners are told.
    pub mail: Option<bool>,
}

/// Findings that somebody accepted for a time.
#[derive(Clone, Debug)]
pub struct Waiver {
    /// One finding, by its id.
    pub finding: Option<FindingId>,
    /// One share, by the service's id.
    pub share: Option<String>,
    /// What else narrows it: rule, source, owner, path.
    pub filter: Filter,
    /// A site (globs).
    pub site: Option<GlobSet>,
    /// Why.
    pub reason: String,
    /// Who answers for it.
    pub approved_by: String,
    /// The last day on which it holds.
    pub until: Date,
    /// How it is named, for notices: `waiver 2 (link-without-expiry, owner comms-office)`.
    pub title: String,
    /// Tells it from others, wherever it is written; one that says something else has another.
    pub key: String,
}

/// A gap in coverage that somebody accepted for a time.
#[derive(Clone, Debug)]
pub struct Gap {
    /// The source's name.
    pub source: SourceName,
    /// The scopes (glob).
    pub scope: GlobSet,
    /// The problem's code; `None` accepts every one.
    pub code: Option<ProblemCode>,
    /// Why.
    pub reason: String,
    /// Who answers for it.
    pub approved_by: String,
    /// The last day on which it holds.
    pub until: Date,
}

/// What is known of a share's own past. Grows with the rules that need more: construct it with
/// `..Past::default()`.
#[derive(Clone, Debug, Default)]
pub struct Past {
    /// When it was first seen.
    pub first_seen: Option<Timestamp>,
    /// When somebody last confirmed it.
    pub confirmed_at: Option<Timestamp>,
    /// How its findings stood when waivers first covered them.
    pub accepted: Vec<Accepted>,
    /// Whether it was ever told to have a password.
    pub had_password: bool,
    /// Whether it was ever told to end on a date.
    pub had_expiry: bool,
    /// Whether all that is on record of its use up to now was told.
    pub looked: bool,
    /// What is on record of its use, and belongs to no incident that was closed.
    pub uses: Option<Uses>,
}

/// The judgement of one share.
#[derive(Clone, Debug)]
pub struct Judged {
    /// Who can open it: the widest that applies.
    pub audience: Audience,
    /// Whether it is classified; `None` while that was not looked at in full.
    pub classified: Option<bool>,
    /// The labels it is classified with.
    pub labels: BTreeSet<String>,
    /// Whether it has ended.
    pub expired: bool,
    /// What its owner is to the organisation.
    pub owner: PrincipalKind,
    /// What its sharer is to the organisation.
    pub shared_by: Option<PrincipalKind>,
    /// What its recipients are to the organisation, in their order.
    pub recipients: Vec<PrincipalKind>,
    /// The rules that fired.
    pub findings: Vec<Finding>,
    /// The rules that lacked their input.
    pub not_judged: Vec<RuleId>,
    /// The rules that fired and of which the owner is not told (an override's `mail = false`).
    pub untold: Vec<RuleId>,
    /// The waivers (by their place in the policy) that matched a finding.
    pub waivers_used: Vec<usize>,
    /// Where a waiver's hold on a finding is not as it was.
    pub turns: Vec<Turn>,
}
