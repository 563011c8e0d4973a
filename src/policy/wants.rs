//! Which further facts judging needs, so that they are fetched before all is judged.

use crate::model::{Audience, ItemKind, RuleId, Share};

use super::{Judged, Policy, classification::asks};

/// Whether the labels of a share's item are needed. Ordered, `Required` is the greatest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Need {
    /// Known already, or no rule asks.
    None,
    /// A rule can be judged better with them: shares with outsiders, or with people who are not known.
    Useful,
    /// Every share with anyone or the whole organisation: a protected link to something confidential must
    /// not slip through.
    Required,
}

/// Whether the labels of a share's item, and how much lies beneath it, are to be asked for before it is judged again.
#[must_use]
pub fn wants(policy: &Policy, share: &Share, judged: &Judged) -> Need {
    let complete = share.item.labels.as_ref().is_some_and(|labels| labels.complete);
    let known = complete || !asks(&policy.classes, &share.item);
    // A folder's reach is part of the finding, and changes from night to night.
    if judged.expired || (known && share.item.kind == ItemKind::File) {
        return Need::None;
    }
    match judged.audience {
        Audience::Anyone | Audience::Organization => Need::Required,
        Audience::External | Audience::Unknown => Need::Useful,
        Audience::Internal => Need::None,
    }
}

/// Whether the service is to be asked if a share was used: a link to something classified that opens without a password,
/// as far as is known.
#[must_use]
pub fn wants_evidence(policy: &Policy, share: &Share, judged: &Judged) -> bool {
    policy.evidence
        && policy.levels.get(&RuleId::BreachSuspected) != Some(&None)
        && judged.audience == Audience::Anyone
        && !judged.expired
        && judged.classified == Some(true)
        && share.password != Some(true)
        && !share.is_drop()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Classes, Labels};
    use crate::policy::fixtures::{account, address, classes, folder, judged, link, policy, share};

    #[test]
    fn labels_are_wanted_where_they_may_change_the_judgement() {
        let tags = classes(&[], &["confidential"]);
        let patterns = classes(&["**/HR/**"], &[]);
        let to = |recipient| Share {
            recipients: vec![recipient],
            ..share()
        };
        let mut known = link("/a");
        known.item.labels = Some(Labels {
            complete: true,
            ..Labels::default()
        });
        let mut in_part = folder(link("/a"));
        in_part.item.labels = Some(Labels::default());
        for (what, classes, share, expected) in [
            ("nothing configured", &Classes::default(), link("/a"), Need::None),
            (
                "a folder is counted",
                &Classes::default(),
                folder(link("/a")),
                Need::Required,
            ),
            (
                "a colleague's folder is not",
                &Classes::default(),
                folder(to(account("bob"))),
                Need::None,
            ),
            (
                "known, but counted again",
                &tags,
                folder(known.clone()),
                Need::Required,
            ),
            ("tags", &tags, link("/a"), Need::Required),
            ("patterns on a file", &patterns, link("/a"), Need::None),
            (
                "patterns on a folder",
                &patterns,
                folder(link("/a")),
                Need::Required,
            ),
            ("path hit already", &patterns, folder(link("/HR")), Need::Required),
            ("known", &tags, known, Need::None),
            ("known in part", &patterns, in_part, Need::Required),
            ("outsider", &tags, to(address("x@evil.net")), Need::Useful),
            ("colleague", &tags, to(account("bob")), Need::None),
        ] {
            let policy = Policy {
                classes: classes.clone(),
                ..policy()
            };
            assert_eq!(
                wants(&policy, &share, &judged(&policy, &share)),
                expected,
                "{what}"
            );
        }
    }

    #[test]
    fn a_link_that_ended_wants_nothing() {
        let policy = Policy {
            classes: classes(&[], &["confidential"]),
            ..policy()
        };
        let mut share = link("/a");
        share.item.kind = ItemKind::Folder;
        share.expires = crate::policy::fixtures::expiry(-1);
        assert_eq!(wants(&policy, &share, &judged(&policy, &share)), Need::None);
    }
}
