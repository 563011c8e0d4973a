//! Enumerates a drive by delta: every item once, with the summary of its sharing; and later what has changed.
//!
//! <https://learn.microsoft.com/en-us/graph/api/driveitem-delta?view=graph-rest-1.0>. The four values of `Prefer` go with
//! every request: a token belongs to the set it was got with. A service that lost its place (410) is begun anew.

use url::Url;

use super::Microsoft365;
use super::errors::{self, Refusal};
use super::graph::{Graph, Kind, Progress, shown};
use super::memory::{Memory, Next};
use super::roots::tell_listed;
use super::scope::Visit;
use super::tree::{self, Tree};
use super::wire::{Page, Told};
use crate::http::{Answer, StatusCode};
use crate::model::{ProblemCode, Reading};
use crate::provider::ReadError;

/// What is asked of an item.
pub(super) const FIELDS: &str = "id,name,parentReference,folder,file,package,root,deleted,shared,size";
/// How many items a page should have.
const PAGE: &str = "500";
/// How often a drive is begun anew.
const RESYNCS: u32 = 2;
/// After how many items it is remembered how far a drive was enumerated, at least: what fewer requests tell again than
/// writing it down is worth.
const OFTEN: u64 = 20_000;

/// What a page came to.
enum Turn {
    Next,
    Last,
    /// The service lost its place: where the enumeration begins anew, if it says so.
    Lost(Option<Url>),
}

impl Microsoft365 {
    /// Takes in what a drive holds, or what has changed in it since.
    pub(super) async fn crawl(&self, visit: &mut Visit<'_>, memory: &mut Memory) -> Result<(), ReadError> {
        let start = self.graph.url(
            &["drives", &visit.drive.id, "root", "delta"],
            &[("$select", FIELDS), ("$top", PAGE)],
        )?;
        let mut progress = Progress::default();
        let mut from = (start.clone(), Kind::Delta);
        let mut resyncs = 0;
        // What is there was remembered: whether the service still knows of it shows the first request.
        let mut is_stale = memory.next.is_some();
        // Graph may have been at another address then.
        let known = memory.next.as_ref().map(|next| self.graph.link(next.address()));
        if known.is_some_and(|link| link.is_err()) {
            *memory = Memory::new(&self.setup.classes);
            visit.saved = 0;
            is_stale = false;
        }
        loop {
            let (url, kind) = match &memory.next {
                Some(next) => (self.graph.link(next.address())?, Kind::DeltaNext),
                None => from.clone(),
            };
            let is_new = memory.next.is_none();
            let answer = self.graph.get(&url, kind).await?;
            let turn = if is_stale && is_unknown(&answer) {
                Turn::Lost(None)
            } else {
                take_page(&self.graph, (&url, &answer), memory, &mut progress)?
            };
            is_stale = false;
            match turn {
                Turn::Lost(_) if resyncs == RESYNCS => {
                    return Err(ReadError::service(
                        ProblemCode::Malformed,
                        "the service loses its place in the list of items again and again (resyncRequired)",
                    ));
                }
                // What was taken in may be outdated: the service tells everything again.
                Turn::Lost(at) => {
                    resyncs += 1;
                    *memory = Memory::new(&self.setup.classes);
                    progress = Progress::default();
                    visit.saved = 0;
                    from = (at.unwrap_or_else(|| start.clone()), Kind::Delta);
                    continue;
                }
                Turn::Next | Turn::Last => {}
            }
            if is_new {
                // What was remembered before is of an enumeration that ended, or of none.
                let scope = || visit.drive.id.clone();
                let begun = Reading::Begun { scope: scope() };
                let forgotten = Reading::Checkpoint {
                    scope: scope(),
                    checkpoint: None,
                };
                visit.collector.push(begun).await?;
                visit.collector.push(forgotten).await?;
            }
            visit.is_ahead = true;
            for item in memory.tree.take_ended() {
                tell_listed(visit, item).await?;
            }
            if memory.tree.is_overfull() {
                *memory = Memory::new(&self.setup.classes);
                return Err(ReadError::service(
                    ProblemCode::TooLarge,
                    "the drive claims more folders and shared items than any can have",
                ));
            }
            if matches!(turn, Turn::Last) {
                memory.tree.settle();
                return Ok(());
            }
            let taken = memory.tree.items;
            if taken.saturating_sub(visit.saved) > OFTEN.max(taken / 4) {
                visit.save_now_and_then(memory).await?;
            }
        }
    }
}

/// Takes a page in, with where to go on.
fn take_page(
    graph: &Graph,
    (url, answer): (&Url, &Answer),
    memory: &mut Memory,
    progress: &mut Progress,
) -> Result<Turn, ReadError> {
    if answer.status != StatusCode::OK || !answer.is_json() {
        return lost(graph, url, answer).map(Turn::Lost);
    }
    let Some(page) = Page::<tree::Told>::read(&answer.body) else {
        return Err(errors::refusal(
            &format!("GET {}", shown(url)),
            answer.status,
            &answer.body,
        ));
    };
    let (next, turn) = match (&page.next, &page.delta) {
        (Some(next), _) => {
            progress.note(next, &page)?;
            graph.link(next)?;
            (Next::Page(next.clone()), Turn::Next)
        }
        (None, Some(delta)) => {
            graph.link(delta)?;
            (Next::Changes(delta.clone()), Turn::Last)
        }
        (None, None) => {
            return Err(ReadError::service(
                ProblemCode::Truncated,
                "the list of items ends without saying that it is the end",
            ));
        }
    };
    take(&mut memory.tree, page.elements);
    memory.next = Some(next);
    Ok(turn)
}

/// Takes the items of a page in.
pub(super) fn take(tree: &mut Tree, elements: Vec<Told<tree::Told>>) {
    for told in elements {
        match told {
            Told::Whole(item) => tree.take(item),
            Told::Partly(item, _) => {
                tree.unread += 1;
                tree.take(item);
            }
            Told::Unread => tree.unread += 1,
        }
    }
}

/// Whether the service does not know the address that it gave in another run, nor what lies there.
fn is_unknown(answer: &Answer) -> bool {
    let refused = || errors::refusal("", answer.status, &answer.body);
    answer.status == StatusCode::BAD_REQUEST || errors::is_missing(&refused())
}

/// Whether the service lost its place, or refuses.
fn lost(graph: &Graph, url: &Url, answer: &Answer) -> Result<Option<Url>, ReadError> {
    let told = Refusal::read(&answer.body);
    let is_lost = answer.status == StatusCode::GONE
        || told.speaks_of("resync")
        || told.is("syncstatenotfound")
        || told.is("syncstateinvalid");
    if !is_lost {
        return Err(errors::refusal(
            &format!("GET {}", shown(url)),
            answer.status,
            &answer.body,
        ));
    }
    answer.header("location").map(|at| graph.link(at)).transpose()
}
