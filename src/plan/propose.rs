//! What the configuration asks to be done about a share, or why it is not proposed.
//!
//! A finding counts only if it stands in the state, fires when judged now and is not waived. Of all that is asked for a
//! share, one action is proposed: the strongest that can be done.

use std::{cmp::Ordering, collections::BTreeSet};

use jiff::{Span, Timestamp, civil::Date, tz::TimeZone};

use super::{Action, ActionKind, Change, EnforceRule, Expects, ends_by};
use crate::model::{
    Access, Expiry, Finding, FindingId, Principal, PrincipalClass, PrincipalKind, RuleId, Share, ShareKind,
    SourceFacts, SourceKind, SourceName, names,
};
use crate::policy::Judged;

/// Proposes changes by the rules of `[enforce]`.
#[derive(Clone, Copy, Debug)]
pub struct Proposer<'r> {
    rules: &'r [EnforceRule],
    now: Timestamp,
}

/// A share about which something may have to be done.
#[derive(Clone, Copy)]
pub struct Candidate<'a> {
    /// The share as it was last read.
    pub share: &'a Share,
    /// The kind of its source.
    pub kind: SourceKind,
    /// Its judgement now.
    pub judged: &'a Judged,
    /// The rules of which a finding stands in the state.
    pub standing: &'a [RuleId],
    /// What is known of its source.
    pub facts: &'a SourceFacts,
    /// The places of the recipients that a rule's finding is about; `None` where it is about all.
    pub about: &'a dyn Fn(RuleId) -> Option<Vec<usize>>,
    /// The shares known to end with this one.
    pub also_ends: &'a [String],
    /// Whether there is a credential for an account. Asked of Nextcloud's only.
    pub usable: &'a dyn Fn(&Principal) -> bool,
}

impl std::fmt::Debug for Candidate<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Candidate")
            .field("share", &self.share.id)
            .field("standing", &self.standing)
            .field("also_ends", &self.also_ends)
            .finish_non_exhaustive()
    }
}

/// What was asked for and is not proposed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unproposed {
    /// The finding whose rule asks for the most.
    pub finding: FindingId,
    /// The source.
    pub source: SourceName,
    /// The service's own id of the share.
    pub share: String,
    /// The item's path, for people; remote text.
    pub item_path: String,
    /// The id of the item's owner.
    pub owner: String,
    /// What was asked for.
    pub action: ActionKind,
    /// Why it is not proposed.
    pub why: Why,
}

names! {
    /// Why something that the configuration asks for is not proposed.
    Why {
        /// The service told only that something is shared.
        NotTold = "not-told",
        /// This version does not know what it is.
        NotRecognized = "not-recognized",
        /// It comes from a folder above.
        Inherited = "inherited",
        /// The end date was not told.
        ExpiryNotTold = "expiry-not-told",
        /// Owner and sharer are disabled or gone.
        NobodyEnabled = "nobody-enabled",
        /// There is no credential for owner or sharer.
        NoCredential = "no-credential",
        /// Whether there is a password was not told.
        PasswordNotTold = "password-not-told",
        /// The service cannot give it an end date.
        NoExpiryThere = "no-expiry-there",
        /// It ends by then anyway.
        EndsByThen = "ends-by-then",
        /// It is a file drop.
        FileDrop = "file-drop",
        /// Uninvolved people would lose access.
        Collateral = "collateral",
    }
}

impl Why {
    /// The same in a sentence, without its full stop.
    #[must_use]
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::NotTold => {
                "the service tells only that the item is shared, not how, so that there is no share to change"
            }
            Self::NotRecognized => "this version does not know how it is shared, or with whom",
            Self::Inherited => "it comes from a folder above, and can be changed only there",
            Self::ExpiryNotTold => "the service did not tell whether and when it ends",
            Self::NobodyEnabled => {
                "its owner, and whoever shared it, cannot sign in, so that nobody's right can be used"
            }
            Self::NoCredential => "there is no credential for its owner, nor for whoever shared it",
            Self::PasswordNotTold => "the service does not tell whether a password protects it",
            Self::NoExpiryThere => "the service gives an end date to links that open without signing in only",
            Self::EndsByThen => "it ends by then anyway",
            Self::FileDrop => "it is a file drop, and `file_drops` is not set",
            Self::Collateral => {
                "people whom the finding is not about would lose access, and `collateral` is not set"
            }
        }
    }
}

/// When a share is to end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct End {
    /// For Nextcloud a date, for Microsoft an instant: as an action has it.
    pub value: String,
    /// The days to which the service's own maximum cut it.
    pub cut: Option<u32>,
}

/// When a share is to end so long after an instant: no later than the service's own maximum, never before tomorrow.
///
/// For Nextcloud it is a date in the zone of the account that sets it; for Microsoft an instant.
#[must_use]
pub fn end(kind: SourceKind, zone: Option<&str>, from: Timestamp, after: Span, most: Option<u32>) -> End {
    match kind {
        SourceKind::Nextcloud => {
            let zone = zone
                .and_then(|name| TimeZone::get(name).ok())
                .unwrap_or(TimeZone::UTC);
            let from = from.to_zoned(zone);
            let today = from.date();
            let wanted = from.checked_add(after).map_or(Date::MAX, |end| end.date());
            let most = most.map(|days| (days, ahead(days, |span| today.checked_add(span).ok())));
            let (day, cut) = bounded(wanted, today.tomorrow().unwrap_or(Date::MAX), most);
            End {
                value: day.to_string(),
                cut,
            }
        }
        SourceKind::Microsoft365 => {
            let moved = |span: Span| {
                let moved = from.to_zoned(TimeZone::UTC).checked_add(span).ok()?;
                Some(moved.timestamp())
            };
            let wanted = moved(after).unwrap_or(Timestamp::MAX);
            let most = most.map(|days| (days, ahead(days, moved)));
            let tomorrow = moved(Span::new().days(1)).unwrap_or(Timestamp::MAX);
            let (instant, cut) = bounded(wanted, tomorrow, most);
            End {
                value: instant.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
                cut,
            }
        }
    }
}

/// So many days ahead; `None` where that is beyond the end of time, and so no bound.
fn ahead<T>(days: u32, moved: impl Fn(Span) -> Option<T>) -> Option<T> {
    moved(Span::new().try_days(i64::from(days)).ok()?)
}

/// What is wanted, cut to the most and then moved to the least; and the days of the most where it was cut.
fn bounded<T: Ord + Copy>(wanted: T, least: T, most: Option<(u32, Option<T>)>) -> (T, Option<u32>) {
    match most {
        Some((days, Some(most))) if most < wanted && least < wanted => (most.max(least), Some(days)),
        _ => (wanted.max(least), None),
    }
}

/// What one finding's rule asks for.
struct Ask<'a> {
    finding: &'a Finding,
    /// The place of the rule in the configuration, from 1.
    number: usize,
    wish: Wish,
}

enum Wish {
    Revoke { file_drops: bool, collateral: bool },
    Expire(End),
}

impl Wish {
    fn kind(&self) -> ActionKind {
        match self {
            Self::Revoke { .. } => ActionKind::Revoke,
            Self::Expire(_) => ActionKind::SetExpiry,
        }
    }

    /// The stronger one comes first; a date that is earlier is stronger.
    fn strength(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Expire(one), Self::Expire(other)) => one.value.cmp(&other.value),
            _ => other.kind().cmp(&self.kind()),
        }
    }
}

impl<'r> Proposer<'r> {
    /// Proposes what these rules ask for, with dates counted from `now`: from the day on which an action falls due,
    /// where that is later.
    #[must_use]
    pub fn new(rules: &'r [EnforceRule], now: Timestamp) -> Self {
        Self { rules, now }
    }

    /// What is proposed for a share, or why nothing is; `None` where no rule asks for anything. The action has no id
    /// until a plan is made of it.
    #[must_use]
    pub fn propose(&self, candidate: &Candidate<'_>) -> Option<Result<Action, Unproposed>> {
        let Candidate { share, judged, .. } = *candidate;
        let counting: Vec<&Finding> = judged
            .findings
            .iter()
            .filter(|own| own.waiver.is_none() && candidate.standing.contains(&own.rule))
            .collect();
        let actor = candidate.actor();
        let zone = actor.ok().flatten().and_then(|who| who.zone.as_deref());
        let mut asks: Vec<Ask<'_>> = counting
            .iter()
            .filter_map(|finding| self.ask(candidate, finding, zone))
            .collect();
        asks.sort_by(|one, other| {
            let by_level = other.finding.level.cmp(&one.finding.level);
            one.wish.strength(&other.wish).then(by_level)
        });
        let blocked = candidate.barred().or(actor.err());
        let bars: Vec<Option<Why>> = asks
            .iter()
            .map(|ask| blocked.or_else(|| candidate.bar(ask, &asks)))
            .collect();
        let (strongest, bar) = asks.iter().zip(&bars).next()?;
        let Some((ask, _)) = asks.iter().zip(&bars).find(|(_, bar)| bar.is_none()) else {
            return Some(Err(Unproposed {
                finding: strongest.finding.id.clone(),
                source: share.source.clone(),
                share: share.id.clone(),
                item_path: share.item.path.clone(),
                owner: share.owner.id.clone(),
                action: strongest.wish.kind(),
                why: (*bar)?,
            }));
        };
        let value = match &ask.wish {
            Wish::Expire(end) => Some(end.value.clone()),
            Wish::Revoke { .. } => None,
        };
        let is_weaker = strongest.wish.strength(&ask.wish) == Ordering::Less;
        let spared = bar.filter(|_| is_weaker).map(|why| (strongest, why));
        let less = asks
            .iter()
            .any(|other| ask.wish.strength(&other.wish) == Ordering::Less);
        Some(Ok(Action {
            id: String::new(),
            finding: ask.finding.id.clone(),
            source: share.source.clone(),
            share: share.id.clone(),
            item_path: share.item.path.clone(),
            owner: share.owner.id.clone(),
            action: ask.wish.kind(),
            value,
            reason: reason(&counting, ask, spared, less),
            act_as: actor.ok().flatten().map(|who| who.id.clone()),
            also_ends: candidate.also_ends.to_vec(),
            expects: Expects::of(share, judged.audience),
        }))
    }

    /// What the first rule that fits a finding asks for.
    fn ask<'a>(
        &self,
        candidate: &Candidate<'a>,
        finding: &'a Finding,
        zone: Option<&str>,
    ) -> Option<Ask<'a>> {
        let Candidate { share, judged, .. } = *candidate;
        let (place, rule) = self.rules.iter().enumerate().find(|(_, rule)| {
            rule.rule == finding.rule
                && rule.min_level.is_none_or(|least| finding.level >= least)
                && rule.filter.covers(share, &judged.labels, finding.rule)
        })?;
        let wish = match rule.change {
            Change::Revoke {
                file_drops,
                collateral,
            } => Wish::Revoke {
                file_drops,
                collateral,
            },
            Change::SetExpiry { after } => Wish::Expire(end(
                candidate.kind,
                zone,
                self.now,
                after,
                candidate.facts.most_days(share.kind),
            )),
        };
        Some(Ask {
            finding,
            number: place + 1,
            wish,
        })
    }
}

impl<'a> Candidate<'a> {
    /// Why nothing at all can be done about the share.
    fn barred(&self) -> Option<Why> {
        let share = self.share;
        let untold = |names: &[&str]| share.unknown.iter().any(|field| names.contains(&field.as_str()));
        let unrecognized = share.kind == ShareKind::Other
            || share.access == Access::NONE
            || untold(&["kind", "audience", "access", "recipients"])
            || self.judged.recipients.contains(&PrincipalKind::Unknown)
            || self
                .judged
                .findings
                .iter()
                .any(|own| own.rule == RuleId::UnrecognizedShare);
        if self.kind == SourceKind::Nextcloud && share.id.starts_with("file/") {
            Some(Why::NotTold)
        } else if unrecognized {
            Some(Why::NotRecognized)
        } else if share.inherited {
            Some(Why::Inherited)
        } else if share.expires == Expiry::Unknown || untold(&["expires"]) {
            Some(Why::ExpiryNotTold)
        } else {
            None
        }
    }

    /// Whose right is used; `None` where the application has the right itself.
    fn actor(&self) -> Result<Option<&'a Principal>, Why> {
        if self.kind == SourceKind::Microsoft365 {
            return Ok(None);
        }
        let enabled: Vec<&Principal> = std::iter::once(&self.share.owner)
            .chain(&self.share.shared_by)
            .filter(|who| who.class == PrincipalClass::Account && who.active != Some(false) && !who.gone)
            .collect();
        match enabled.iter().find(|who| (self.usable)(who)) {
            Some(who) => Ok(Some(who)),
            None if enabled.is_empty() => Err(Why::NobodyEnabled),
            None => Err(Why::NoCredential),
        }
    }

    /// Why this cannot be done.
    fn bar(&self, ask: &Ask<'_>, asks: &[Ask<'_>]) -> Option<Why> {
        let share = self.share;
        if ask.finding.rule == RuleId::LinkWithoutPassword && share.password.is_none() {
            return Some(Why::PasswordNotTold);
        }
        match &ask.wish {
            Wish::Expire(_) if self.kind == SourceKind::Microsoft365 && !share.anonymous => {
                Some(Why::NoExpiryThere)
            }
            Wish::Expire(end) if ends_by(&share.expires, &end.value) => Some(Why::EndsByThen),
            Wish::Revoke {
                file_drops: false, ..
            } if share.access.is_drop() => Some(Why::FileDrop),
            Wish::Revoke {
                collateral: false, ..
            } if self.has_uninvolved(asks) => Some(Why::Collateral),
            Wish::Expire(_) | Wish::Revoke { .. } => None,
        }
    }

    /// Whether somebody would lose access whom no finding is about for which the share is to be ended.
    fn has_uninvolved(&self, asks: &[Ask<'_>]) -> bool {
        let mut involved = BTreeSet::new();
        for ask in asks.iter().filter(|ask| matches!(ask.wish, Wish::Revoke { .. })) {
            match (self.about)(ask.finding.rule) {
                Some(places) => involved.extend(places),
                None => involved.extend(0..self.share.recipients.len()),
            }
        }
        !self.also_ends.is_empty() || (0..self.share.recipients.len()).any(|place| !involved.contains(&place))
    }
}

/// Which rules fired, who asked for what, and what else there is to know, in one sentence.
fn reason(fired: &[&Finding], ask: &Ask<'_>, spared: Option<(&Ask<'_>, Why)>, less: bool) -> String {
    let rules: Vec<&str> = fired.iter().map(|own| own.rule.as_str()).collect();
    let who = |ask: &Ask<'_>| format!("[[enforce.rule]] {} ({})", ask.number, ask.finding.rule);
    let cut = match ask.wish {
        Wish::Expire(End { cut: Some(days), .. }) => {
            format!(", cut to the service's own maximum of {days} days")
        }
        Wish::Expire(_) | Wish::Revoke { .. } => String::new(),
    };
    let others = if less { ", others for less" } else { "" };
    let spared = spared.map_or_else(String::new, |(ask, why)| {
        let (wish, who) = (ask.wish.kind(), who(ask));
        format!(
            ", while {wish}, which {who} asks for, is not proposed: {}",
            why.sentence()
        )
    });
    let (rules, wish, who) = (rules.join(", "), ask.wish.kind(), who(ask));
    format!("{rules} fired, and {who} asks for {wish}{cut}{others}{spared}.")
}
