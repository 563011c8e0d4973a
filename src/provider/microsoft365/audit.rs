//! What Microsoft's audit log has on record of the use of links that open without signing in.
//!
//! <https://learn.microsoft.com/en-us/graph/api/resources/security-auditlogquery?view=graph-rest-1.0>: a query is made, worked
//! off by the service in its own time (minutes, at times hours), and its records are read when it has succeeded. One that
//! takes longer than a scan waits is remembered, and read by the next. Records may be written a day after what they tell of.
//! They hold the address of whoever used the link: whether it is one of the organisation's own is all that leaves this place.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use percent_encoding::percent_decode_str;
use serde::Deserialize;
use serde_json::{Value, json};

use super::batch::{Inner, MOST};
use super::graph::{Identified, Kind, Progress, segment};
use super::wire::{Page, Told};
use super::{Microsoft365, errors};
use crate::http::{Effect, HeaderValue, Method, Request, StatusCode};
use crate::model::{ItemKind, LinkUse, Look, Origin, PrincipalClass, Problem, ProblemCode, Reading};
use crate::provider::{Collector, ReadError, Sink, strict};

/// The rights that let the audit log be asked for links, by the service that they are of.
pub(super) const RIGHTS: [&[&str]; 2] = [
    &["AuditLogsQuery-OneDrive.Read.All", "AuditLogsQuery.Read.All"],
    &["AuditLogsQuery-SharePoint.Read.All", "AuditLogsQuery.Read.All"],
];

/// The rights that let it be asked for a link: that to the service which its item lies in.
fn right_to(look: &Look) -> &'static [&'static str] {
    let [onedrive, sharepoint] = RIGHTS;
    match look.share.owner.class {
        PrincipalClass::Site => sharepoint,
        _ => onedrive,
    }
}

/// What is recorded of somebody who opens such a link.
const OPERATION: &str = "AnonymousLinkUsed";
/// How far back records are kept: those of most tenants for 180 days.
const KEPT: SignedDuration = SignedDuration::from_hours(24 * 180);
/// Records are read again from so long before the last look.
const OVERLAP: SignedDuration = SignedDuration::from_hours(24);
/// How many items one query names.
const ITEMS: usize = 50;
/// How many pages of records are read of one query.
const PAGES: usize = 50;
/// How long to wait before asking again whether a query was worked off, in milliseconds; the scan goes on after the last.
const WAITS: [u64; 8] = [100, 1_000, 2_000, 4_000, 8_000, 15_000, 30_000, 60_000];

/// Where a query stands.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Query {
    id: String,
    #[serde(default)]
    status: String,
    #[serde(default)]
    filter_end_date_time: Option<Timestamp>,
    #[serde(default)]
    is_record_count_limit_exceeded: Option<bool>,
}

/// One record.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Record {
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    created_date_time: Option<Timestamp>,
    #[serde(default)]
    operation: Option<String>,
    #[serde(default)]
    user_id: Option<String>,
    #[serde(default)]
    object_id: Option<String>,
    #[serde(default)]
    client_ip: Option<String>,
    #[serde(default)]
    audit_data: Value,
}

impl Identified for Record {
    fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }
}

/// A link, and what its item is called in records.
struct Named {
    look: Look,
    /// Its address, decoded and in small letters; the same as it is sent.
    address: Option<(String, String)>,
    /// The id that the service's lists have for it.
    unique: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Addresses {
    #[serde(default)]
    web_dav_url: Option<String>,
    #[serde(default)]
    web_url: Option<String>,
    #[serde(default)]
    sharepoint_ids: Option<SharepointIds>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SharepointIds {
    #[serde(default)]
    list_item_unique_id: Option<String>,
}

/// A query that is worked off, and the links that it is about.
struct Underway {
    query: Query,
    links: Vec<Named>,
}

impl Microsoft365 {
    /// Asks for the records of the use of these links.
    pub(super) async fn witness_all(
        &self,
        looks: Vec<Look>,
        now: Timestamp,
        sink: &Sink,
    ) -> Result<(), ReadError> {
        let mut collector = sink.of(None);
        let looks = self.within_rights(looks, &mut collector).await?;
        let asked = self.ask_for_uses(looks, now, &mut collector).await;
        let told = match asked {
            Err(ReadError::Service {
                code: ProblemCode::Forbidden | ProblemCode::AccountGone,
                message,
            }) => {
                let words = format!("the audit log does not tell whether links were used: {message}");
                let problem = Problem::new("*", ProblemCode::EvidenceUnavailable, words);
                Ok(collector.push(Reading::Problem(problem)).await?)
            }
            asked => asked,
        };
        collector.flush().await?;
        told
    }

    /// The links of which the audit log may be asked, as far as the token tells: of the others nothing is known, and that is
    /// told. The service has the last word.
    async fn within_rights(
        &self,
        looks: Vec<Look>,
        collector: &mut Collector<'_>,
    ) -> Result<Vec<Look>, ReadError> {
        if self.delegated {
            let words = "whether links were used is not asked in the name of a person: it takes the application's own \
                         right to the audit log";
            let problem = Problem::new("*", ProblemCode::EvidenceUnavailable, words);
            collector.push(Reading::Problem(problem)).await?;
            return Ok(Vec::new());
        }
        let Some(rights) = self.graph.tokens.bearer().await?.rights() else {
            return Ok(looks);
        };
        let holds = |names: &[&str]| names.iter().any(|name| rights.granted.contains(*name));
        let (may, may_not): (Vec<Look>, Vec<Look>) =
            looks.into_iter().partition(|look| holds(right_to(look)));
        let missing: BTreeSet<&str> = may_not
            .iter()
            .filter_map(|look| right_to(look).first().copied())
            .collect();
        for right in missing {
            let words = format!(
                "whether links were used cannot be asked: the application has no right to the audit log, {right}"
            );
            let problem = Problem::new("*", ProblemCode::EvidenceUnavailable, words);
            collector.push(Reading::Problem(problem)).await?;
        }
        Ok(may)
    }

    async fn ask_for_uses(
        &self,
        looks: Vec<Look>,
        now: Timestamp,
        collector: &mut Collector<'_>,
    ) -> Result<(), ReadError> {
        let mut before: BTreeMap<String, Vec<Named>> = BTreeMap::new();
        let mut fresh = Vec::new();
        for named in self.named(looks, collector).await? {
            match named.look.pending.clone() {
                Some(query) => before.entry(query).or_default().push(named),
                None => fresh.push(named),
            }
        }
        let mut underway = Vec::new();
        for (id, links) in before {
            match self.query(&id).await {
                Ok(query) => underway.push(Underway { query, links }),
                // It was forgotten: it is asked anew.
                Err(error) if errors::is_missing(&error) => fresh.extend(links),
                Err(error) => return Err(error),
            }
        }
        // What an earlier run asked is read first, and then the time since.
        let (done, waiting): (Vec<_>, Vec<_>) = underway.into_iter().partition(|it| it.query.is_over());
        for it in done {
            fresh.extend(self.settle(it, collector).await?);
        }
        let mut underway = waiting;
        fresh.sort_by_key(|named| from(&named.look, now));
        let mut fresh = fresh.into_iter().peekable();
        while fresh.peek().is_some() {
            let links: Vec<Named> = fresh.by_ref().take(ITEMS).collect();
            let query = self.make_query(&links, now).await?;
            underway.push(Underway { query, links });
        }
        self.await_all(underway, collector).await
    }

    /// Waits for queries as long as a scan may, and leaves the rest to the next one.
    async fn await_all(
        &self,
        mut underway: Vec<Underway>,
        collector: &mut Collector<'_>,
    ) -> Result<(), ReadError> {
        let mut waits = WAITS.into_iter();
        loop {
            let (done, waiting): (Vec<_>, Vec<_>) = underway.into_iter().partition(|it| it.query.is_over());
            for it in done {
                if it.query.has_failed() {
                    let words = "the audit log did not answer whether some links were used: its query failed; the next \
                                 scan asks again";
                    let problem = Problem::new("*", ProblemCode::EvidenceUnreadable, words);
                    collector.push(Reading::Problem(problem)).await?;
                } else {
                    self.settle(it, collector).await?;
                }
            }
            underway = waiting;
            if underway.is_empty() {
                return Ok(());
            }
            let Some(wait) = waits
                .next()
                .map(Duration::from_millis)
                .filter(|wait| self.graph.has_time(*wait))
            else {
                return self.leave(underway, collector).await;
            };
            if !self.graph.http.wait(wait).await {
                return self.leave(underway, collector).await;
            }
            for it in &mut underway {
                it.query = self.query(&it.query.id).await?;
            }
        }
    }

    /// Remembers what was asked and is not answered.
    async fn leave(&self, underway: Vec<Underway>, collector: &mut Collector<'_>) -> Result<(), ReadError> {
        for it in underway {
            for named in it.links {
                let (share, pending) = (named.look.share.id, it.query.id.clone());
                collector.push(Reading::Asked { share, pending }).await?;
            }
        }
        let words =
            "the audit log has not answered yet whether some links were used; the next scan reads its answer";
        let problem = Problem::new("*", ProblemCode::EvidencePending, words);
        Ok(collector.push(Reading::Problem(problem)).await?)
    }

    /// Tells what a query came to; gives the links of which more is to be asked: all that it was about.
    async fn settle(
        &self,
        Underway { query, links }: Underway,
        collector: &mut Collector<'_>,
    ) -> Result<Vec<Named>, ReadError> {
        if query.has_failed() {
            return Ok(links);
        }
        let path = ["security", "auditLog", "queries", query.id.as_str(), "records"];
        let mut url = self.graph.url(&path, &[("$top", "999")])?;
        let mut progress = Progress::default();
        for _ in 0..PAGES {
            let page: Page<Record> = self.graph.page(&url, Kind::Directory).await?;
            for told in &page.elements {
                let (Told::Whole(record) | Told::Partly(record, _)) = told else {
                    return Err(unread("a record cannot be read"));
                };
                self.tell_use(record, &links, collector).await?;
            }
            let Some(next) = page.next.clone() else {
                return self.looked(query, links, collector).await;
            };
            progress.note(&next, &page)?;
            url = self.graph.link(&next)?;
        }
        Err(unread("there are more records than are read in one night"))
    }

    /// Up to when all was told, where the query was not cut off.
    async fn looked(
        &self,
        query: Query,
        mut links: Vec<Named>,
        collector: &mut Collector<'_>,
    ) -> Result<Vec<Named>, ReadError> {
        if query.is_record_count_limit_exceeded == Some(true) {
            return Err(unread("there are more records than one query gives"));
        }
        let until = query
            .filter_end_date_time
            .ok_or_else(|| unread("a query does not say up to when it asked"))?;
        for named in &mut links {
            let share = named.look.share.id.clone();
            collector.push(Reading::Looked { share, until }).await?;
            named.look.since = named.look.since.max(Some(until));
        }
        Ok(links)
    }

    async fn tell_use(
        &self,
        record: &Record,
        links: &[Named],
        collector: &mut Collector<'_>,
    ) -> Result<(), ReadError> {
        let (Some(id), Some(at)) = (&record.id, record.created_date_time) else {
            return Err(unread("a record has no id or no time"));
        };
        if record.operation.as_deref() != Some(OPERATION) || record.is_somebody() {
            return Ok(());
        }
        let origin = record.origin(&self.setup.own_networks);
        for named in links.iter().filter(|named| named.is_of(record, at)) {
            let used = LinkUse {
                share: named.look.share.id.clone(),
                record: id.clone(),
                at,
                origin,
            };
            collector.push(Reading::Used(used)).await?;
        }
        Ok(())
    }

    /// What the items of links are called in records; those that are gone are left out.
    async fn named(&self, looks: Vec<Look>, collector: &mut Collector<'_>) -> Result<Vec<Named>, ReadError> {
        let mut named = Vec::new();
        let mut failed = None;
        for some in looks.chunks(MOST) {
            let asked = some.iter().map(|look| {
                let item = &look.share.item;
                let drive = item.drive.as_deref().unwrap_or_default();
                let path = format!("/drives/{}/items/{}", segment(drive), segment(&item.id));
                Inner::get(
                    format!("{path}?$select=id,webUrl,webDavUrl,sharepointIds"),
                    Kind::One,
                )
            });
            let answers = self.graph.batch(asked.collect()).await?;
            for (look, answer) in some.iter().zip(answers) {
                let told = answer.and_then(|answer| match answer.status {
                    StatusCode::OK => answer.json::<Addresses>(),
                    _ => Err(answer.refusal()),
                });
                let told = match told {
                    Ok(told) => told,
                    Err(error) if errors::is_missing(&error) => continue,
                    Err(error) if errors::ends_source(&error) => return Err(error),
                    // One that cannot be looked at hides nothing of the others.
                    Err(error) => {
                        failed = failed.or_else(|| error.problem("*"));
                        continue;
                    }
                };
                let address = told.web_dav_url.or(told.web_url).map(|address| decoded(&address));
                named.push(Named {
                    look: look.clone(),
                    address: address.map(|address| (address.to_lowercase(), address)),
                    unique: told
                        .sharepoint_ids
                        .and_then(|ids| ids.list_item_unique_id)
                        .map(|id| id.to_lowercase()),
                });
            }
        }
        if let Some(problem) = failed {
            let words = format!(
                "whether some links were used could not be asked, since their items could not be read: {}",
                problem.message
            );
            let problem = Problem::new("*", ProblemCode::EvidenceUnreadable, words);
            collector.push(Reading::Problem(problem)).await?;
        }
        Ok(named)
    }

    async fn query(&self, id: &str) -> Result<Query, ReadError> {
        let url = self.graph.url(&["security", "auditLog", "queries", id], &[])?;
        self.graph.object(url, Kind::Directory).await
    }

    /// Has the service look for the records of links; to be asked twice does no harm.
    async fn make_query(&self, links: &[Named], now: Timestamp) -> Result<Query, ReadError> {
        let start = links
            .iter()
            .map(|named| from(&named.look, now))
            .min()
            .unwrap_or(now);
        // Of a link that is younger than this scan there is nothing to tell, and no time in between.
        let start = start.min(now.checked_sub(OVERLAP).unwrap_or(now));
        let objects: Vec<&str> = links
            .iter()
            .filter_map(|named| Some(named.address.as_ref()?.1.as_str()))
            .collect();
        let body = json!({
            "@odata.type": "#microsoft.graph.security.auditLogQuery",
            "displayName": "sharewarden",
            "filterStartDateTime": start.to_string(),
            "filterEndDateTime": now.to_string(),
            "operationFilters": [OPERATION],
            "objectIdFilters": objects,
        });
        let url = self.graph.url(&["security", "auditLog", "queries"], &[])?;
        let json = HeaderValue::from_static("application/json");
        let request = Request::new(Method::POST, url)
            .body(json, body.to_string())
            .effect(Effect::Safe);
        let (answer, _) = self.graph.send(request).await?;
        let made = (answer.status.is_success() && answer.is_json())
            .then(|| strict::from_slice::<Query>(&answer.body).ok())
            .flatten();
        let made = made.filter(|query| !query.id.is_empty());
        made.map(|query| Query {
            filter_end_date_time: query.filter_end_date_time.or(Some(now)),
            ..query
        })
        .ok_or_else(|| errors::refusal("POST /security/auditLog/queries", answer.status, &answer.body))
    }
}

fn unread(words: &str) -> ReadError {
    ReadError::service(ProblemCode::Malformed, format!("the audit log: {words}"))
}

/// From when on records are asked for.
fn from(look: &Look, now: Timestamp) -> Timestamp {
    let since = look.since.and_then(|since| since.checked_sub(OVERLAP).ok());
    let kept = now.checked_sub(KEPT).unwrap_or(Timestamp::MIN);
    since
        .max(look.share.created_at)
        .map_or(kept, |from| from.max(kept))
}

fn decoded(address: &str) -> String {
    percent_decode_str(address).decode_utf8_lossy().into_owned()
}

impl Query {
    fn is_over(&self) -> bool {
        self.status.eq_ignore_ascii_case("succeeded") || self.has_failed()
    }

    fn has_failed(&self) -> bool {
        self.status.eq_ignore_ascii_case("failed") || self.status.eq_ignore_ascii_case("cancelled")
    }
}

impl Named {
    /// Whether a record is of the use of this link, as far as it tells: of its item, or of something beneath it.
    fn is_of(&self, record: &Record, at: Timestamp) -> bool {
        if self.look.share.created_at.is_some_and(|made| at < made) {
            return false;
        }
        if let (Some(own), Some(told)) = (&self.unique, record.data("ListItemUniqueId"))
            && told.trim_matches(['{', '}']).eq_ignore_ascii_case(own)
        {
            return true;
        }
        let object = record.object_id.as_deref().or_else(|| record.data("ObjectId"));
        let (Some((own, _)), Some(object)) = (&self.address, object) else {
            return false;
        };
        let object = decoded(object).to_lowercase();
        let own = own.trim_end_matches('/');
        object.strip_prefix(own).is_some_and(|rest| {
            rest.is_empty() || (self.look.share.item.kind != ItemKind::File && rest.starts_with('/'))
        })
    }
}

impl Record {
    fn data(&self, name: &str) -> Option<&str> {
        self.audit_data.get(name).and_then(Value::as_str)
    }

    /// Whether whoever used the link had signed in: people who had not are called `urn:spo:anon#…`.
    fn is_somebody(&self) -> bool {
        let user = self
            .user_id
            .as_deref()
            .or_else(|| self.data("UserId"))
            .unwrap_or_default();
        user.contains('@') && !user.to_lowercase().starts_with("urn:spo:anon")
    }

    fn origin(&self, own: &[crate::model::Network]) -> Origin {
        let text = self.client_ip.as_deref().or_else(|| self.data("ClientIP"));
        match text.and_then(address) {
            Some(address) if own.iter().any(|network| network.contains(address)) => Origin::Own,
            Some(_) => Origin::Outside,
            None => Origin::Untold,
        }
    }
}

/// An address as records have it: at times with a port, or in brackets.
fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let bare = text.trim_start_matches('[').trim_end_matches(']');
    bare.parse()
        .ok()
        .or_else(|| text.parse::<SocketAddr>().ok().map(|socket| socket.ip()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Network;

    fn record(value: Value) -> Record {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn of_an_address_only_whether_it_is_our_own_is_kept() {
        let own = [Network::new("192.0.2.0".parse().unwrap(), 24).unwrap()];
        for (given, expected) in [
            (json!({"clientIp": "192.0.2.7"}), Origin::Own),
            (json!({"clientIp": "192.0.2.7:52001"}), Origin::Own),
            (json!({"clientIp": "::ffff:192.0.2.7"}), Origin::Own),
            (
                json!({"auditData": {"ClientIP": "198.51.100.9"}}),
                Origin::Outside,
            ),
            (json!({"clientIp": "[2001:db8::1]:443"}), Origin::Outside),
            (json!({"clientIp": "[2001:db8::1]"}), Origin::Outside),
            (json!({"clientIp": ""}), Origin::Untold),
            (json!({"clientIp": "hidden"}), Origin::Untold),
            (json!({}), Origin::Untold),
        ] {
            assert_eq!(record(given.clone()).origin(&own), expected, "{given}");
        }
        assert_eq!(
            record(json!({"clientIp": "192.0.2.7"})).origin(&[]),
            Origin::Outside
        );
    }

    #[test]
    fn who_signed_in_is_no_stranger() {
        for (user, expected) in [
            ("urn:spo:anon#a1b2", false),
            ("urn:spo:anon#x@y", false),
            ("anonymous", false),
            ("", false),
            ("ada@contoso.example", true),
        ] {
            assert_eq!(record(json!({"userId": user})).is_somebody(), expected, "{user}");
            assert_eq!(
                record(json!({"auditData": {"UserId": user}})).is_somebody(),
                expected
            );
        }
    }
}
