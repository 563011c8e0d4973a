//! Suspected breaches: each share's own letter to the contact for incidents, at once.
//!
//! One for a share: again only where it got graver, or came back after it had been closed. Owners are told nothing of it: who
//! looks into an incident decides whom to ask. What belongs to a baseline waits until that is released.

use tokio_util::sync::CancellationToken;

use super::{Carrier, HOPELESS, Post, Reading};
use crate::model::{FindingId, NameDisplay, PrincipalKind, SourceKind, short_digest};
use crate::notify::{Content, Incident, Outcome, Reader};
use crate::report::view;
use crate::store::{self, Ledger, StoreError, Telling};

/// What became of suspected breaches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Incidents {
    /// How many letters of them were accepted.
    pub sent: u64,
    /// How many were to be told and were not: their letters failed, were not tried, or nobody is named to be told.
    pub untold: u64,
    /// How many are held back as a baseline.
    pub held: u64,
    /// How many letters there would have been, where that is more than may be sent.
    pub too_many: Option<u64>,
}

/// Tells the contact for incidents of each suspected breach that is news.
pub(super) async fn tell(
    post: &mut Post<'_>,
    ledger: &mut Ledger,
    carrier: &mut dyn Carrier,
    cancel: &CancellationToken,
) -> Result<(), StoreError> {
    let (standing, held) = ledger.incidents()?;
    post.mailed.incidents.held = held;
    let mut news = Vec::new();
    for incident in standing {
        let reader = reader(&incident.finding);
        let heard = ledger.heard(&post.thread(&reader), &incident.finding)?;
        let stood = stood(&incident, ledger)?;
        if heard.is_none_or(|heard| heard.stood.as_ref() != Some(&stood)) {
            news.push((reader, stood, incident));
        }
    }
    let count = news.len() as u64;
    let contact = post.mailing.incident_contact.map(post.mailing.usable);
    let (Some(Ok(address)), false) = (contact, count > post.mailing.max_letters) else {
        post.mailed.incidents.untold = count;
        post.mailed.incidents.too_many = (count > post.mailing.max_letters).then_some(count);
        return Ok(());
    };
    for (reader, stood, incident) in news {
        if cancel.is_cancelled() || post.closed >= HOPELESS {
            post.mailed.incidents.untold += 1;
            continue;
        }
        let reading = Reading {
            name: None,
            address: address.clone(),
            language: post.mailing.language,
            told: Reader::Contact,
            instead: None,
        };
        let Some(content) = content(post, ledger, &incident)? else {
            post.mailed.incidents.untold += 1;
            continue;
        };
        let letter = post.letter((&reader, &reading), Content::Incident(Box::new(content)));
        let telling = Telling {
            finding: incident.finding.clone(),
            source: incident.source.clone(),
            account: None,
            stood,
            due: None,
            in_full: true,
            notice: None,
        };
        let outcome = post
            .hand_over_with(ledger, carrier, (&reader, &reading), (letter, Some(&telling)))
            .await?;
        match outcome {
            Some(Outcome::Accepted) => post.mailed.incidents.sent += 1,
            Some(Outcome::Refused | Outcome::Failed) => post.mailed.incidents.untold += 1,
            // One of which is not known whether it left is told as such.
            Some(Outcome::Unknown) | None => {}
        }
    }
    Ok(())
}

/// Tells the letters about one share from all others.
fn reader(finding: &FindingId) -> String {
    format!("incident {}", finding.as_str())
}

/// How an incident stands: it is news where that changed.
fn stood(incident: &store::Incident, ledger: &Ledger) -> Result<String, StoreError> {
    let level = ledger.incident_finding(incident)?.level;
    Ok(short_digest([
        level.as_str(),
        &incident.closed_before.to_string(),
    ]))
}

/// What there is to say; nothing where the particulars of the share are not kept.
fn content(
    post: &Post<'_>,
    ledger: &Ledger,
    incident: &store::Incident,
) -> Result<Option<Incident>, StoreError> {
    let mailing = post.mailing;
    let finding = ledger.incident_finding(incident)?;
    let Some(share) = finding.share else {
        return Ok(None);
    };
    let product = mailing.sources.iter().find(|(name, _)| *name == incident.source);
    let made = share.created_at;
    Ok(Some(Incident {
        finding: incident.finding.clone(),
        level: finding.level,
        source: incident.source.clone(),
        product: product.map_or(SourceKind::Nextcloud, |(_, kind)| *kind),
        item: shown(mailing.names, &share),
        item_kind: share.item.kind,
        kind: share.kind,
        access: share.access,
        owner: named(&share.owner),
        labels: share.item.labels,
        since: mailing.day(made.unwrap_or(finding.first_seen)),
        since_made: made.is_some(),
        uses: incident.uses,
    }))
}

/// An item as file names appear in letters.
fn shown(names: NameDisplay, share: &view::Share) -> String {
    let path = &share.item.path;
    match names {
        NameDisplay::Full => path.clone(),
        NameDisplay::Folder => path.rsplit_once('/').map_or("", |(folder, _)| folder).to_owned(),
        NameDisplay::Hidden => String::new(),
    }
}

/// Whose it is; a site is known by its address.
fn named(owner: &view::Principal) -> String {
    match (&owner.name, owner.kind) {
        (Some(name), kind) if kind != PrincipalKind::Site => format!("{name} ({})", owner.id),
        _ => owner.id.clone(),
    }
}
