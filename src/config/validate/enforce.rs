//! What may be changed, and when.

use super::{
    Context,
    exceptions::{Words, filter},
};
use crate::{
    config::{
        settings::EnforceSettings,
        values,
        written::{Action, At, Enforce, EnforceRule as Written, Switch},
    },
    model::SourceKind,
    plan::{Caps, Change, EnforceRule},
};

/// What the files allow.
pub(super) fn enforce(
    it: &mut Context<'_>,
    written: &Enforce,
    sources: &[(&str, SourceKind)],
) -> EnforceSettings {
    EnforceSettings {
        on: written.mode == Switch::On,
        freeze: it.all("freeze", &written.freeze, values::freeze),
        grace: it.any_time("grace", &written.grace),
        caps: Caps {
            changes: written.max_changes,
            percent: written.max_changes_percent,
        },
        rules: written
            .rule
            .iter()
            .filter_map(|entry| rule(it, entry, sources))
            .collect(),
    }
}

fn rule(it: &mut Context<'_>, entry: &At<Written>, sources: &[(&str, SourceKind)]) -> Option<EnforceRule> {
    let words = entry.get();
    let filter = filter(
        it,
        Words {
            source: words.source.as_ref(),
            owner: words.owner.as_ref(),
            group: words.group.as_ref(),
            path: words.path.as_ref(),
            label: words.label.as_ref(),
            recipient_domain: words.recipient_domain.as_ref(),
            rule: Some(&words.rule),
        },
        sources,
    );
    if words.rule.get().0.is_posture() {
        it.error(
            &words.rule.span(),
            "this rule is about a server's settings, which are never changed",
            "about no share",
            "name a rule that is about shares",
        );
    }
    let change = match (words.action.get(), &words.after) {
        (Action::SetExpiry, Some(after)) => Change::SetExpiry {
            after: it.time("after", after),
        },
        (Action::SetExpiry, None) => {
            it.missing(
                &entry.span(),
                "after",
                "`action = \"set-expiry\"` has to say how far ahead",
                "add `after = \"30d\"`",
            );
            return None;
        }
        (Action::Revoke, after) => {
            if let Some(after) = after {
                it.error(
                    &after.span(),
                    "`after` is for `action = \"set-expiry\"`",
                    "not for `revoke`",
                    "take it out; the time before a change is `grace` in [enforce]",
                );
            }
            Change::Revoke {
                file_drops: words.file_drops,
                collateral: words.collateral,
            }
        }
    };
    Some(EnforceRule {
        rule: words.rule.get().0,
        filter,
        min_level: words.min_level.as_ref().map(|level| level.get().0),
        change,
    })
}
