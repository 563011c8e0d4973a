//! What may be changed, and when.

use super::{
    Context,
    exceptions::{Words, filter},
};
use crate::{
    config::{
        settings::{EnforceSettings, MailMode, Settings, SourceSettings},
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
        on: *written.mode.get() == Switch::On,
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

/// What keeps the nightly job from changing anything though it is to.
pub(super) fn check(it: &mut Context<'_>, written: &Enforce, settings: &Settings) {
    if !settings.enforce.on {
        return;
    }
    let idle = if settings.enforce.rules.is_empty() {
        ("no rule says what", "add an [[enforce.rule]]")
    } else if settings.mail.mode != MailMode::On {
        (
            "nothing is done that no letter announced, and owners are not written to",
            "set `[mail] mode` to \"on\" once letters are right",
        )
    } else if !settings.sources.iter().any(SourceSettings::may_change) {
        (
            "nothing may be changed in any source",
            "give one `enforce_auth`, or `enforce = true`",
        )
    } else {
        return;
    };
    let (why, remedy) = idle;
    it.warning(
        &written.mode.span(),
        &format!("the nightly job changes nothing: {why}"),
        "is on",
        remedy,
    );
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
