//! Sums that the header has not: by rule, source and owner, and the shares that are open for longest and widest.
//!
//! Gathered in one walk. What is kept grows with rules, sources and owners, never with shares.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::io;

use jiff::Timestamp;

use super::super::Pages;
use super::super::view::{Finding, Principal, Share};
use crate::model::{Audience, ItemKind, Level, RuleId, Status};

/// How many shares a list of exposures has.
const EXPOSURES: usize = 10;

/// Findings that stand, by level.
pub(super) type Counts = [u64; Level::ALL.len()];

/// An owner, and what stands.
pub(super) struct Owner {
    pub(super) who: Principal,
    pub(super) counts: Counts,
}

/// A share that is open beyond colleagues.
pub(super) struct Exposure {
    /// The gravest of its findings.
    pub(super) finding: String,
    pub(super) level: Level,
    pub(super) source: String,
    pub(super) since: Timestamp,
    pub(super) share: Share,
}

#[derive(Default)]
pub(super) struct Overview {
    /// How many findings there are in all, those that ended included.
    pub(super) findings: u64,
    pub(super) rules: BTreeMap<RuleId, Counts>,
    pub(super) sources: BTreeMap<String, Counts>,
    /// By source and id.
    pub(super) owners: BTreeMap<(String, String), Owner>,
    pub(super) oldest: First<Timestamp>,
    pub(super) widest: First<Reverse<Width>>,
}

impl Overview {
    pub(super) fn of(pages: &dyn Pages) -> io::Result<Self> {
        let mut overview = Self::default();
        pages.findings(&mut |finding| {
            overview.add(&finding);
            Ok(())
        })?;
        Ok(overview)
    }

    fn add(&mut self, finding: &Finding) {
        self.findings += 1;
        // What has ended is explained, too.
        self.rules.entry(finding.rule).or_default();
        if !stands(finding.status) {
            return;
        }
        let at = finding.level as usize;
        let one = |counts: &mut Counts| {
            if let Some(count) = counts.get_mut(at) {
                *count += 1;
            }
        };
        self.rules.get_mut(&finding.rule).map(one);
        one(self.sources.entry(finding.source.clone()).or_default());
        let Some(share) = &finding.share else { return };
        let owner = (finding.source.clone(), share.owner.id.clone());
        let owner = self.owners.entry(owner).or_insert_with(|| Owner {
            who: share.owner.clone(),
            counts: Counts::default(),
        });
        one(&mut owner.counts);
        if share.audience == Audience::Internal || share.expired {
            return;
        }
        self.oldest.add(since(finding).0, finding, share);
        self.widest.add(Reverse(width(share)), finding, share);
    }
}

/// Whether a finding counts.
pub(super) fn stands(status: Status) -> bool {
    matches!(status, Status::New | Status::Open | Status::NotChecked)
}

/// When a share was made, as far as is known.
pub(super) fn since(finding: &Finding) -> (Timestamp, bool) {
    let made = finding.share.as_ref().and_then(|share| share.created_at);
    made.map_or((finding.first_seen, false), |made| (made, true))
}

/// How far a share reaches: who, past which protection, to how much, and whether it can be changed.
type Width = (Audience, bool, u64, bool);

/// How far a share reaches. What is not counted is one file.
fn width(share: &Share) -> Width {
    let files = match share.item.kind {
        ItemKind::Folder => share.item.files_beneath.unwrap_or(1),
        ItemKind::File | ItemKind::Other => 1,
    };
    (
        share.audience,
        share.password != Some(true),
        files,
        share.access.changes(),
    )
}

/// The first shares in an order. Each is there once, with the gravest of its findings, which comes first.
pub(super) struct First<K>(Vec<(K, Exposure)>);

impl<K> Default for First<K> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<K: Ord> First<K> {
    pub(super) fn iter(&self) -> impl Iterator<Item = &Exposure> {
        self.0.iter().map(|(_, exposure)| exposure)
    }

    fn add(&mut self, key: K, finding: &Finding, share: &Share) {
        let is_full = self.0.len() == EXPOSURES;
        if is_full && self.0.last().is_some_and(|(last, _)| key >= *last) {
            return;
        }
        let known = self
            .0
            .iter_mut()
            .find(|(_, one)| one.source == finding.source && one.share.id == share.id);
        match known {
            Some((known, one)) => {
                if key < *known {
                    *known = key;
                    one.since = since(finding).0;
                }
            }
            None => self.0.push((
                key,
                Exposure {
                    finding: finding.id.clone(),
                    level: finding.level,
                    source: finding.source.clone(),
                    since: since(finding).0,
                    share: share.clone(),
                },
            )),
        }
        self.0.sort_by(|(one, _), (other, _)| one.cmp(other));
        self.0.truncate(EXPOSURES);
    }
}
