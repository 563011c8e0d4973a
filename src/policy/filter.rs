//! What overrides, waivers and enforcement rules are about: the matching of filters.
//!
//! Everything that a filter gives must match. A path that is not the owner's matches no path filter, and
//! a finding about a source's settings matches no filter that speaks of a share.

use std::collections::BTreeSet;

use globset::GlobSet;

use crate::model::{RuleId, Share, SourceName};

use super::{Filter, domain, people};

/// What a filter is held against.
#[derive(Clone, Copy, Debug)]
pub(super) struct Subject<'a> {
    pub(super) source: &'a SourceName,
    /// The share and its labels; none for a source's settings.
    pub(super) share: Option<(&'a Share, &'a BTreeSet<String>)>,
}

impl Filter {
    /// Whether a finding of a rule about a share is what this filter is about; where a domain is given, all
    /// of the share's recipients must be in it.
    #[must_use]
    pub fn covers(&self, share: &Share, labels: &BTreeSet<String>, rule: RuleId) -> bool {
        let subject = Subject {
            source: &share.source,
            share: Some((share, labels)),
        };
        self.allows(rule) && self.is_about(subject) && self.covers_recipients(share, None)
    }

    /// Whether the filter speaks of this rule.
    pub(super) fn allows(&self, rule: RuleId) -> bool {
        self.rule.is_none_or(|own| own == rule)
    }

    /// Whether all but the rule and the recipients matches.
    pub(super) fn is_about(&self, subject: Subject<'_>) -> bool {
        if self.source.as_ref().is_some_and(|own| own != subject.source) {
            return false;
        }
        let Some((share, labels)) = subject.share else {
            return self.owner.is_none()
                && self.group.is_none()
                && self.path.is_none()
                && self.label.is_none()
                && self.recipient_domain.is_none();
        };
        let owner = &share.owner;
        self.owner.as_ref().is_none_or(|globs| {
            hits(globs, &owner.id) || owner.email.as_deref().is_some_and(|email| hits(globs, email))
        }) && self
            .group
            .as_ref()
            .is_none_or(|globs| owner.groups.iter().any(|group| hits(globs, group)))
            && self.label.as_ref().is_none_or(|label| labels.contains(label))
            && self
                .path
                .as_ref()
                .is_none_or(|globs| share.item.path_is_owners && lies(globs, &share.item.path))
    }

    /// Whether the recipients given by their places, or all, are in the filter's domain.
    pub(super) fn covers_recipients(&self, share: &Share, about: Option<&[usize]>) -> bool {
        let Some(domain) = &self.recipient_domain else {
            return true;
        };
        let Some(domain) = domain::normal(domain.trim()) else {
            return false;
        };
        let within = |place: usize| {
            share
                .recipients
                .get(place)
                .is_some_and(|recipient| people::belongs(recipient, &domain))
        };
        match about {
            Some(places) => !places.is_empty() && places.iter().all(|place| within(*place)),
            None => !share.recipients.is_empty() && (0..share.recipients.len()).all(within),
        }
    }
}

/// Whether a name matches, as it stands or in lower case.
pub(super) fn hits(globs: &GlobSet, name: &str) -> bool {
    !globs.is_empty()
        && (globs.is_match(name)
            || (name.chars().any(char::is_uppercase) && globs.is_match(name.to_lowercase())))
}

/// Whether a path, or that of a folder above it, matches; patterns have no leading slash.
fn lies(globs: &GlobSet, path: &str) -> bool {
    let path = path.trim_matches('/');
    path.match_indices('/')
        .map(|(end, _)| end)
        .chain(std::iter::once(path.len()))
        .any(|end| globs.is_match(&path[..end]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::fixtures::{address, globs, link, share};

    fn covers(filter: &Filter, share: &Share) -> bool {
        filter.covers(
            share,
            &BTreeSet::from(["confidential".to_owned()]),
            RuleId::LinkWithoutExpiry,
        )
    }

    #[test]
    fn everything_that_is_given_must_match() {
        let alice = || link("/Prospectus/2026/a.pdf");
        for (what, filter, expected) in [
            ("nothing given", Filter::default(), true),
            (
                "source",
                Filter {
                    source: Some(SourceName::new("cloud")),
                    ..Filter::default()
                },
                true,
            ),
            (
                "other source",
                Filter {
                    source: Some(SourceName::new("m365")),
                    ..Filter::default()
                },
                false,
            ),
            (
                "owner",
                Filter {
                    owner: Some(globs(&["alice"])),
                    ..Filter::default()
                },
                true,
            ),
            (
                "owner's mail",
                Filter {
                    owner: Some(globs(&["*@example.org"])),
                    ..Filter::default()
                },
                true,
            ),
            (
                "other owner",
                Filter {
                    owner: Some(globs(&["bob"])),
                    ..Filter::default()
                },
                false,
            ),
            (
                "group",
                Filter {
                    group: Some(globs(&["press-*"])),
                    ..Filter::default()
                },
                true,
            ),
            (
                "other group",
                Filter {
                    group: Some(globs(&["it"])),
                    ..Filter::default()
                },
                false,
            ),
            (
                "path",
                Filter {
                    path: Some(globs(&["Prospectus/**"])),
                    ..Filter::default()
                },
                true,
            ),
            (
                "folder above",
                Filter {
                    path: Some(globs(&["Prospectus"])),
                    ..Filter::default()
                },
                true,
            ),
            (
                "other path",
                Filter {
                    path: Some(globs(&["HR/**"])),
                    ..Filter::default()
                },
                false,
            ),
            (
                "label",
                Filter {
                    label: Some("confidential".into()),
                    ..Filter::default()
                },
                true,
            ),
            (
                "other label",
                Filter {
                    label: Some("secret".into()),
                    ..Filter::default()
                },
                false,
            ),
            (
                "rule",
                Filter {
                    rule: Some(RuleId::LinkWithoutExpiry),
                    ..Filter::default()
                },
                true,
            ),
            (
                "other rule",
                Filter {
                    rule: Some(RuleId::OrphanedShare),
                    ..Filter::default()
                },
                false,
            ),
            (
                "recipient",
                Filter {
                    recipient_domain: Some("x.net".into()),
                    ..Filter::default()
                },
                false,
            ),
        ] {
            assert_eq!(covers(&filter, &alice()), expected, "{what}");
        }
    }

    #[test]
    fn a_path_that_is_not_the_owners_matches_no_pattern() {
        let mut share = link("/Prospectus/a.pdf");
        share.item.path_is_owners = false;
        assert!(!covers(
            &Filter {
                path: Some(globs(&["**"])),
                ..Filter::default()
            },
            &share
        ));
    }

    #[test]
    fn all_recipients_must_be_in_the_domain() {
        let filter = Filter {
            recipient_domain: Some("Partner.example.net".into()),
            ..Filter::default()
        };
        let to = |addresses: &[&str]| Share {
            recipients: addresses.iter().map(|text| address(text)).collect(),
            ..share()
        };
        assert!(covers(
            &filter,
            &to(&["x@partner.example.net", "y@sub.partner.example.net"])
        ));
        assert!(!covers(&filter, &to(&["x@partner.example.net", "y@evil.net"])));
        assert!(!covers(&filter, &to(&[])));
    }
}
