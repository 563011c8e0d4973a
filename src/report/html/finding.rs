//! One finding, and one share without, as a page shows it.

use minijinja::context;

use super::super::text::visible;
use super::super::view::{Finding, Share};
use super::overview;
use super::tongue::{Said, Tongue};
use crate::model::RuleId;

/// A finding, as the template sees it.
pub(super) fn finding(tongue: Tongue<'_>, finding: &Finding) -> Said {
    let (since, is_made) = overview::since(finding);
    let key = if is_made {
        "findings.since_made"
    } else {
        "findings.since_seen"
    };
    let due = match finding.due {
        Some(due) => Some(
            tongue
                .voice
                .say("findings.due_text", &[("date", tongue.date(due)?)])?,
        ),
        None => None,
    };
    let waiver = match &finding.waiver {
        Some(waiver) => Some(tongue.voice.say(
            "findings.waiver_text",
            &[
                ("date", tongue.day(waiver.until)?),
                ("by", tongue.name(&waiver.approved_by)?),
                ("reason", tongue.reason(&waiver.reason)?),
            ],
        )?),
        None => None,
    };
    let source = tongue.name(&finding.source)?;
    let item = match &finding.share {
        Some(share) => tongue.item(&share.item)?,
        None => tongue
            .voice
            .say("report.settings_of", &[("source", source.clone())])?,
    };
    // How often something was used is told in these words only.
    let detail = (finding.rule == RuleId::BreachSuspected).then(|| tongue.reason(&finding.message));
    Ok(context! {
        id => visible(&finding.id),
        level => context! { name => finding.level.as_str(), text => tongue.level(finding.level)? },
        status => context! {
            name => finding.status.as_str(),
            text => tongue.say(&format!("status.{}", finding.status))?,
        },
        rule => context! {
            name => finding.rule.as_str(),
            text => tongue.rule("rule", finding.rule, finding.share.as_ref())?,
        },
        item,
        source => context! { name => visible(&finding.source), text => source },
        since => context! {
            on => since.strftime("%F").to_string(),
            date => tongue.date(since)?,
            text => tongue.say(key)?,
        },
        due,
        waiver,
        detail => detail.transpose()?,
        checked => tongue.moment(finding.checked_at)?,
        first_seen => tongue.date(finding.first_seen)?,
        share => match &finding.share {
            Some(share) => Some(about(tongue, share)?),
            None => None,
        },
    })
}

/// A share that is told by itself.
pub(super) fn share(tongue: Tongue<'_>, share: &Share) -> Said {
    let since = share.created_at.map(|made| tongue.date(made)).transpose()?;
    Ok(context! { item => tongue.item(&share.item)?, since, share => about(tongue, share)? })
}

fn about(tongue: Tongue<'_>, share: &Share) -> Said {
    let rights = share
        .access
        .iter()
        .map(|right| tongue.say(&format!("right.{right}")));
    let rights = rights.collect::<Result<Vec<_>, _>>()?;
    let access = if rights.is_empty() {
        tongue.say("right.none")?
    } else {
        tongue.voice.list(&rights)
    };
    let sharer = share.shared_by.as_ref().filter(|by| by.id != share.owner.id);
    let some = |text: &Option<String>| {
        let text = text.as_deref().filter(|text| !text.is_empty());
        text.map(|text| tongue.reason(text)).transpose()
    };
    let listed = |people: &[_]| (!people.is_empty()).then(|| tongue.people(people)).transpose();
    Ok(context! {
        path => tongue.path(&share.item.path)?,
        kind => tongue.say(&format!("kind.{}", share.kind))?,
        audience => tongue.audience(share)?,
        recipients => listed(&share.recipients)?,
        opened => listed(&share.opened_by)?,
        access,
        protection => protection(tongue, share)?,
        owner => tongue.person(&share.owner)?,
        sharer => sharer.map(|by| tongue.person(by)).transpose()?,
        labels => (!share.item.labels.is_empty()).then(|| tongue.names(&share.item.labels)).transpose()?,
        label => some(&share.label)?,
        link => some(&share.link)?,
        beneath => share.item.files_beneath.map(|files| tongue.voice.number(files)),
        size => share.item.size.map(size),
        untold => (!share.unknown.is_empty()).then(|| tongue.names(&share.unknown)).transpose()?,
    })
}

/// Password, end date, and where it comes from.
fn protection(tongue: Tongue<'_>, share: &Share) -> Said {
    let password = match share.password {
        Some(true) => "findings.password_yes",
        Some(false) => "findings.password_no",
        None => "findings.password_unknown",
    };
    let mut parts = vec![tongue.say(password)?];
    parts.push(match &share.expires {
        Some(_) if share.expired => tongue.say("findings.expired")?,
        Some(end) => tongue
            .voice
            .say("findings.expires", &[("date", tongue.end(end)?)])?,
        None => tongue.say("findings.expires_never")?,
    });
    if share.inherited {
        parts.push(tongue.say("findings.inherited")?);
    }
    Ok(tongue.voice.list(&parts))
}

/// Bytes, as people count them.
#[expect(
    clippy::cast_precision_loss,
    reason = "two digits are shown, and rounding is what is wanted"
)]
fn size(bytes: u64) -> String {
    let mut size = bytes as f64;
    let mut unit = "B";
    for greater in ["kB", "MB", "GB", "TB"] {
        if size < 1000.0 {
            break;
        }
        size /= 1000.0;
        unit = greater;
    }
    if unit == "B" || size >= 10.0 {
        format!("{size:.0} {unit}")
    } else {
        format!("{size:.1} {unit}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_counted_as_people_do() {
        for (bytes, said) in [
            (0, "0 B"),
            (999, "999 B"),
            (1_000, "1.0 kB"),
            (10_240, "10 kB"),
            (5_300_000, "5.3 MB"),
            (u64::MAX, "18446744 TB"),
        ] {
            assert_eq!(size(bytes), said);
        }
    }
}
