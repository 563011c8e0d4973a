//! Asks Graph: signed, counted in resource units, page by page, and never of another origin.
//!
//! Costs as Microsoft states them in
//! <https://learn.microsoft.com/sharepoint/dev/general-development/how-to-avoid-getting-throttled-or-blocked-in-sharepoint-online>;
//! the directory counts apart from them.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use futures::stream::{self, Stream};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde::de::DeserializeOwned;
use tokio::time::timeout_at;
use url::Url;

use super::auth::{Bearer, Tokens};
use super::errors;
use super::wire::{self, Page, Told};
use crate::http::{Answer, Client, HeaderName, HeaderValue, Request, StatusCode};
use crate::model::ProblemCode;
use crate::provider::ReadError;

/// The four values that make a delta tell of sharing; a token belongs to the set that it was got with.
pub(super) const PREFER: &str =
    "deltashowremovedasdeleted, deltatraversepermissiongaps, deltashowsharingchanges, hierarchicalsharing";

/// The longest page.
const PAGE_BYTES: u64 = 32 * 1024 * 1024;
/// The longest address of a page.
const LONGEST_LINK: usize = 32 * 1024;
/// How many pages without anything new a list may have, one after the other.
const IDLE_PAGES: u32 = 50;

const AUTHORIZATION: HeaderName = HeaderName::from_static("authorization");
const PREFER_NAME: HeaderName = HeaderName::from_static("prefer");

/// What may stand in a part of a path as it is.
const SEGMENT: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'/')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'\\')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');
/// What may stand in a value of a query as it is.
const VALUE: &AsciiSet = &SEGMENT.add(b'&').add(b'+').add(b'=').add(b'\'');

/// What is asked, as far as it decides what it costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// People and groups: they have budgets of their own.
    Directory,
    /// One thing.
    One,
    /// A page of several.
    Many,
    /// The first page of a delta.
    Delta,
    /// A later page of one.
    DeltaNext,
    /// Permissions of an item.
    Permissions,
}

impl Kind {
    /// What a request of this kind costs.
    pub(super) fn units(self) -> u32 {
        match self {
            Self::Directory => 0,
            Self::One | Self::DeltaNext => 1,
            Self::Many | Self::Delta => 2,
            Self::Permissions => 5,
        }
    }

    /// The kind of the pages after the first.
    fn next(self) -> Self {
        match self {
            Self::Delta => Self::DeltaNext,
            other => other,
        }
    }

    fn is_delta(self) -> bool {
        matches!(self, Self::Delta | Self::DeltaNext)
    }
}

/// Something with an id.
pub(super) trait Identified {
    fn id(&self) -> Option<&str>;
}

/// Asks Graph for one source.
pub(super) struct Graph {
    pub(super) http: Client,
    pub(super) base: Url,
    pub(super) tokens: Tokens,
    /// When the scan of this source ends, wherever it is.
    pub(super) deadline: OnceLock<Instant>,
}

impl Graph {
    /// An address below the base; the parts and values are escaped.
    pub(super) fn url(&self, path: &[&str], query: &[(&str, &str)]) -> Result<Url, ReadError> {
        let path: Vec<_> = path.iter().map(|part| segment(part)).collect();
        let query: Vec<_> = query
            .iter()
            .map(|(name, value)| format!("{name}={}", utf8_percent_encode(value, VALUE)))
            .collect();
        let mut url = self
            .base
            .join(&format!("./{}", path.join("/")))
            .map_err(|error| ReadError::service(ProblemCode::Malformed, error.to_string()))?;
        if !query.is_empty() {
            url.set_query(Some(&query.join("&")));
        }
        Ok(url)
    }

    /// The address that the service gave for going on. One of another origin is none: nothing is ever sent there.
    pub(super) fn link(&self, link: &str) -> Result<Url, ReadError> {
        let url = Url::parse(link).ok().filter(|_| link.len() <= LONGEST_LINK);
        let url = url.ok_or_else(|| {
            ReadError::service(
                ProblemCode::Malformed,
                "the address of the next page that the service gave is none, or far too long",
            )
        })?;
        if url.origin() == self.base.origin() {
            return Ok(url);
        }
        Err(ReadError::service(
            ProblemCode::Redirected,
            format!(
                "refused to go on at {}, where the service says that the next page is: it is not Graph's own address",
                url.origin().ascii_serialization()
            ),
        ))
    }

    /// Asks, whatever the status. A token that is refused is replaced once: it may have ended on the way.
    pub(super) async fn get(&self, url: &Url, kind: Kind) -> Result<Answer, ReadError> {
        let mut request = Request::get(url.clone()).max_body(PAGE_BYTES).units(kind.units());
        if kind.is_delta() {
            request = request.header(PREFER_NAME, HeaderValue::from_static(PREFER));
        }
        Ok(self.send(request).await?.0)
    }

    /// Sends a request that changes nothing, signed; and the token that was accepted, or not, in the end.
    pub(super) async fn send(&self, request: Request) -> Result<(Answer, Bearer), ReadError> {
        self.in_time()?;
        let (signed, bearer) = self.signed(&request).await?;
        let answer = self.http.send(&signed).await?;
        if answer.status != StatusCode::UNAUTHORIZED {
            return Ok((answer, bearer));
        }
        self.tokens.refused(&bearer).await;
        let (signed, bearer) = self.signed(&request).await?;
        Ok((self.http.send(&signed).await?, bearer))
    }

    /// A request with a token, and the token.
    pub(super) async fn signed(&self, request: &Request) -> Result<(Request, Bearer), ReadError> {
        let bearer = self.bearer().await?;
        let signed = request.clone().credential(AUTHORIZATION, &bearer.credential);
        Ok((signed, bearer))
    }

    /// A token, if there is one before the scan ends.
    pub(super) async fn bearer(&self) -> Result<Bearer, ReadError> {
        let bearer = self.tokens.bearer();
        match self.deadline.get() {
            Some(end) => timeout_at((*end).into(), bearer)
                .await
                .unwrap_or_else(|_elapsed| Err(late())),
            None => bearer.await,
        }
    }

    /// Whether so much time is left.
    pub(super) fn has_time(&self, wait: Duration) -> bool {
        let then = Instant::now().checked_add(wait);
        self.deadline
            .get()
            .is_none_or(|end| then.is_some_and(|then| then < *end))
    }

    fn in_time(&self) -> Result<(), ReadError> {
        if self.deadline.get().is_some_and(|end| Instant::now() >= *end) {
            return Err(late());
        }
        Ok(())
    }

    /// Asks for one object.
    pub(super) async fn object<T: DeserializeOwned>(&self, url: Url, kind: Kind) -> Result<T, ReadError> {
        let answer = self.get(&url, kind).await?;
        let refused = || errors::refusal(&format!("GET {}", shown(&url)), answer.status, &answer.body);
        if answer.status != StatusCode::OK || !answer.is_json() {
            return Err(refused());
        }
        match std::str::from_utf8(&answer.body).map(wire::salvage::<T>) {
            Ok(Told::Whole(object) | Told::Partly(object, _)) => Ok(object),
            Ok(Told::Unread) | Err(_) => Err(refused()),
        }
    }

    /// Asks for one page.
    pub(super) async fn page<T: DeserializeOwned>(
        &self,
        url: &Url,
        kind: Kind,
    ) -> Result<Page<T>, ReadError> {
        let answer = self.get(url, kind).await?;
        let page = (answer.status == StatusCode::OK && answer.is_json())
            .then(|| Page::read(&answer.body))
            .flatten();
        page.ok_or_else(|| {
            let error = errors::refusal(&format!("GET {}", shown(url)), answer.status, &answer.body);
            errors::of_a_list(error)
        })
    }

    /// Asks for a collection, page by page. One that goes round in a circle, or has no end but empty pages, fails.
    pub(super) fn pages<T: DeserializeOwned + Identified>(
        &self,
        url: Url,
        kind: Kind,
    ) -> impl Stream<Item = Result<Page<T>, ReadError>> {
        let start = Some((Ok(url), kind, Progress::default()));
        stream::try_unfold(start, move |state| async move {
            let Some((url, kind, mut progress)) = state else {
                return Ok(None);
            };
            let page = self.page::<T>(&url?, kind).await?;
            let next = match &page.next {
                Some(link) => {
                    progress.note(link, &page)?;
                    // An address that is refused costs what would come after this page, not the page.
                    Some((self.link(link), kind.next(), progress))
                }
                None => None,
            };
            Ok(Some((page, next)))
        })
    }
}

fn late() -> ReadError {
    ReadError::service(
        ProblemCode::TimeLimit,
        "the scan has taken as long as `limits.stop_after` lets it",
    )
}

/// What tells a long list from an endless one.
#[derive(Default)]
pub(super) struct Progress {
    hasher: RandomState,
    links: HashSet<u64>,
    pages: HashSet<u64>,
    idle: u32,
}

impl Progress {
    /// Takes note of a page that is not the last.
    ///
    /// # Errors
    /// The list does not come to its end.
    pub(super) fn note<T: Identified>(&mut self, next: &str, page: &Page<T>) -> Result<(), ReadError> {
        let ids = page.elements.iter().map(|told| match told {
            Told::Whole(element) | Told::Partly(element, _) => element.id().unwrap_or_default(),
            Told::Unread => "",
        });
        let ids: Vec<&str> = ids.collect();
        let is_new = !ids.is_empty() && self.pages.insert(self.hasher.hash_one(ids));
        self.idle = if is_new { 0 } else { self.idle + 1 };
        if self.links.insert(self.hasher.hash_one(next)) && self.idle < IDLE_PAGES {
            return Ok(());
        }
        Err(ReadError::service(
            ProblemCode::Malformed,
            "the service repeats its pages without end",
        ))
    }
}

/// A part of a path.
pub(super) fn segment(part: &str) -> String {
    match part {
        // They would walk up the path.
        "." => "%2E".to_owned(),
        ".." => "%2E%2E".to_owned(),
        part => utf8_percent_encode(part, SEGMENT).to_string(),
    }
}

/// What may be shown of an address: what its path begins and ends with. What it is about is said elsewhere, in names
/// that people know.
pub(super) fn shown(url: &Url) -> String {
    shortened(url.path())
}

/// A path, without the ids in its middle, and without what a function is given: that may be a token.
pub(super) fn shortened(path: &str) -> String {
    let path = path.split(['(', ';']).next().unwrap_or_default();
    let path = path.strip_prefix("/v1.0").unwrap_or(path);
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    match parts.as_slice() {
        [first, .., last] if parts.len() > 2 => {
            let brief = |part: &str| part.chars().take(LONGEST_SHOWN).collect::<String>();
            format!("/{}/…/{}", brief(first), brief(last))
        }
        _ => path.chars().take(LONGEST_SHOWN).collect(),
    }
}

const LONGEST_SHOWN: usize = 80;

/// When a scan that begins now has to end.
pub(super) fn deadline_of(stop_after: Duration) -> Instant {
    let now = Instant::now();
    now.checked_add(stop_after)
        .unwrap_or(now + Duration::from_hours(24 * 365))
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Thing(&'static str);

    impl Identified for Thing {
        fn id(&self) -> Option<&str> {
            Some(self.0)
        }
    }

    fn page(ids: &[&'static str]) -> Page<Thing> {
        Page {
            elements: ids.iter().map(|id| Told::Whole(Thing(id))).collect(),
            next: None,
            delta: None,
            bytes: 0,
        }
    }

    #[test]
    fn what_is_shown_of_an_address_holds_no_token() {
        for (address, expected) in [
            (
                "https://graph.example/v1.0/drives/b!SeCrEt/root/delta?token=SeCrEt",
                "/drives/…/delta",
            ),
            (
                "https://graph.example/v1.0/drives/b!SeCrEt/root/delta(token='SeCrEt')",
                "/drives/…/delta",
            ),
            (
                "https://graph.example/v1.0/drives/x/root/delta(token='a/SeCrEt')",
                "/drives/…/delta",
            ),
            ("https://graph.example/v1.0/users?$skiptoken=SeCrEt", "/users"),
            ("https://graph.example", "/"),
        ] {
            assert_eq!(shown(&Url::parse(address).unwrap()), expected);
        }
        let long = format!("https://graph.example/{0}/{0}/{0}", "x".repeat(9000));
        assert!(shown(&Url::parse(&long).unwrap()).len() < 200);
    }

    #[test]
    fn a_part_of_a_path_stays_one() {
        for (part, escaped) in [
            ("b!a-_.~", "b!a-_.~"),
            ("..", "%2E%2E"),
            (".", "%2E"),
            ("a/../b", "a%2F..%2Fb"),
            ("a?b#c", "a%3Fb%23c"),
            ("%2e%2e", "%252e%252e"),
            ("a\\b", "a%5Cb"),
            ("ä\n", "%C3%A4%0A"),
        ] {
            assert_eq!(segment(part), escaped, "{part}");
        }
    }

    #[test]
    fn a_list_that_comes_to_no_end_fails() {
        let mut long = Progress::default();
        let names: Vec<String> = (0..500).map(|number| number.to_string()).collect();
        for name in names {
            let name: &'static str = name.leak();
            assert!(long.note(name, &page(&[name])).is_ok());
        }
        let mut circle = Progress::default();
        assert!(circle.note("a", &page(&["1"])).is_ok() && circle.note("b", &page(&["2"])).is_ok());
        assert!(circle.note("a", &page(&["3"])).is_err(), "the same address again");
        for ids in [&[][..], &["1", "2"]] {
            let mut idle = Progress::default();
            let links: Vec<String> = (0..=IDLE_PAGES).map(|number| number.to_string()).collect();
            let ended = links.iter().any(|link| idle.note(link, &page(ids)).is_err());
            assert!(ended, "{ids:?} again and again");
        }
    }
}
