//! `…/root/delta`: everything in a drive, then what has changed since.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde_json::{Value, json};

use super::Graph;
use super::drives::{Shown, show};
use super::ids::mix;
use super::mark::{Mark, Walk};
use super::reply::{Call, Outcome, Refusal, Reply, Selection};
use super::route::has_role;
use super::tree::{Cause, Drive, Item};

/// The preferences that a token is bound to, by their bits.
const PREFERENCES: [&str; 4] = [
    "hierarchicalsharing",
    "deltashowsharingchanges",
    "deltashowremovedasdeleted",
    "deltatraversepermissiongaps",
];
const RESYNC: &str = "Resync required. Replace any local items with the server's version (including deletes) if you're sure \
     that the service was up to date with your local changes when you last sync'd. Upload any local changes that the \
     server doesn't know about.";
/// Every so many items appear on the page before, too.
const TWICE: u64 = 10;

/// One page being made.
struct Page<'a> {
    graph: &'a Graph,
    call: &'a Call<'a>,
    drive: &'a Drive,
    prefer: u8,
    select: Selection,
}

/// Answers one page.
pub(super) fn answer(graph: &Graph, call: &Call<'_>, index: usize, what: &str) -> Outcome {
    let drive = graph.drive(index).ok_or_else(Refusal::not_found)?;
    if let Some(expand) = call.query("$expand") {
        return Err(if expand.contains("permissions") {
            Refusal::new(400, "notSupported", "Permission is not supported in this item.")
        } else {
            Refusal::bad_argument()
        });
    }
    let bits = PREFERENCES.iter().enumerate();
    let prefer = bits.fold(0_u8, |all, (bit, name)| all | u8::from(call.prefers(name)) << bit);
    let page = Page {
        graph,
        call,
        drive,
        prefer,
        select: call.selection(),
    };
    let inline = what
        .strip_prefix("delta(token='")
        .and_then(|rest| rest.strip_suffix("')"))
        .map(str::to_owned);
    let mark = page.mark(inline.or_else(|| call.query("token")).as_deref())?;
    let most = u64::try_from(graph.limits.delta_page.max(1)).unwrap_or(u64::MAX);
    let top = call.top(usize::MAX)?.and_then(|top| u64::try_from(top).ok());
    Ok(page.answer(mark, top.unwrap_or(most).min(most)))
}

impl Page<'_> {
    fn has(&self, preference: &str) -> bool {
        PREFERENCES
            .iter()
            .position(|name| *name == preference)
            .is_some_and(|bit| self.prefer & (1 << bit) != 0)
    }

    fn log_end(&self) -> u64 {
        u64::try_from(self.drive.log().len()).unwrap_or(u64::MAX)
    }

    fn new_mark(&self, walk: Walk) -> Mark {
        Mark {
            drive: self.drive.seed,
            prefer: self.prefer,
            epoch: self.drive.epoch,
            at: self.call.now.as_second(),
            walk,
            offset: 0,
            hole: false,
        }
    }

    /// Where the client is, by its token.
    fn mark(&self, token: Option<&str>) -> Result<Mark, Refusal> {
        let log = self.log_end();
        let Some(token) = token else {
            return Ok(self.new_mark(Walk::Full { log }));
        };
        if token == "latest" {
            return Ok(self.new_mark(Walk::Changes {
                since: log,
                until: log,
            }));
        }
        if let Ok(time) = token.parse::<Timestamp>() {
            return Ok(self.new_mark(Walk::After {
                time: time.as_second(),
                until: log,
            }));
        }
        let mark = Mark::read(token)
            .ok_or_else(|| Refusal::new(400, "invalidRequest", "The provided token is not valid."))?;
        let age = self.call.now.as_second() - mark.at;
        let expired = self
            .graph
            .limits
            .delta_token_seconds
            .is_some_and(|lasts| age > lasts);
        let foreign = mark.drive != self.drive.seed || mark.prefer != self.prefer;
        if expired || foreign || mark.epoch != self.drive.epoch {
            let again = self.address(&self.new_mark(Walk::Full { log }));
            return Err(Refusal::new(410, "resyncRequired", RESYNC)
                .inner("resyncChangesApplyDifferences")
                .with("Location", again));
        }
        Ok(match mark.walk {
            // A token from the end of an enumeration: changes up to now.
            Walk::Changes { since, until: 0 } => Mark {
                walk: Walk::Changes { since, until: log },
                ..mark
            },
            _ => mark,
        })
    }

    /// The address of a page; a token within the path gives way to one in the query.
    fn address(&self, mark: &Mark) -> String {
        let text = self.call.again("token", &mark.text());
        match text.split_once("/delta(") {
            Some((before, rest)) => {
                let query = rest.split_once('?').map(|(_, query)| query).unwrap_or_default();
                format!("{before}/delta?{query}")
            }
            None => text,
        }
    }

    fn answer(&self, mark: Mark, size: u64) -> Reply {
        let (value, end) = match mark.walk {
            Walk::Full { .. } => self.full(&mark, size),
            Walk::Changes { since, until } => self.changes(&mark, size, &self.changed(since, until)),
            Walk::After { time, until } => {
                let mut changed = self.changed(0, until);
                let log = self.drive.log();
                changed.retain(|number, _| {
                    log.iter()
                        .any(|entry| entry.number == *number && entry.at.as_second() > time)
                });
                for number in 0..self.drive.end() {
                    let item = self.drive.present(number);
                    if item.is_some_and(|item| item.modified > time) {
                        changed.entry(number).or_insert(false);
                    }
                }
                self.changes(&mark, size, &changed)
            }
        };
        let value: Vec<Value> = value.into_iter().map(|item| self.select.of(item)).collect();
        let mut body = json!({
            "@odata.context": self.call.context("Collection(driveItem)"),
            "value": value,
        });
        if mark.hole || !end {
            let offset = if mark.hole {
                mark.offset
            } else {
                mark.offset.saturating_add(size)
            };
            let hole = self.graph.switches.empty_pages && !mark.hole;
            let next = Mark { offset, hole, ..mark };
            body["@odata.nextLink"] = self.address(&next).into();
        } else {
            let since = match mark.walk {
                Walk::Full { log } => log,
                Walk::Changes { until, .. } | Walk::After { until, .. } => until,
            };
            // `until` 0 means: up to whenever it is used.
            let last = self.new_mark(Walk::Changes { since, until: 0 });
            body["@odata.deltaLink"] = self.address(&last).into();
        }
        Reply::json(body)
    }

    /// A page of everything, and whether it is the last.
    fn full(&self, mark: &Mark, size: u64) -> (Vec<Value>, bool) {
        let total = self.drive.end();
        if mark.hole {
            return (Vec::new(), false);
        }
        let end = mark.offset.saturating_add(size).min(total);
        let mut value: Vec<Value> = (mark.offset..end)
            .map(|place| self.at(place))
            .filter_map(|number| self.drive.present(number))
            .filter_map(|item| self.shown(&item, false))
            .collect();
        let ahead = end..end.saturating_add(size).min(total);
        if self.graph.switches.duplicates {
            let twice = ahead.filter(|place| place % TWICE == 3);
            value.extend(twice.filter_map(|place| self.older(self.at(place))));
        }
        (value, end >= total)
    }

    /// The item at a place of the enumeration: the root first, then all others, in no order.
    fn at(&self, place: u64) -> u64 {
        let count = self.drive.end() - 1;
        if place == 0 || !self.graph.switches.shuffle || count < 3 {
            return place;
        }
        // A step without a common factor with the count visits every item once.
        let mut step = count * 5 / 8 + 1;
        while common(step, count) != 1 {
            step += 1;
        }
        let at = (u128::from(place - 1) * u128::from(step) + u128::from(count / 3)) % u128::from(count);
        u64::try_from(at).unwrap_or(0) + 1
    }

    /// What has changed, and whether the service says that its sharing did.
    fn changed(&self, since: u64, until: u64) -> BTreeMap<u64, bool> {
        let range = |at: u64| usize::try_from(at).unwrap_or(usize::MAX);
        let log = self.drive.log();
        let entries = log.get(range(since).min(log.len())..range(until).min(log.len()));
        let mut changed = BTreeMap::new();
        for entry in entries.unwrap_or_default() {
            let told = changed.entry(entry.number).or_insert(false);
            *told |= entry.cause == Cause::Sharing;
        }
        changed
    }

    /// A page of changes with the folders above them, and whether it is the last.
    fn changes(&self, mark: &Mark, size: u64, changed: &BTreeMap<u64, bool>) -> (Vec<Value>, bool) {
        let mut numbers: BTreeSet<u64> = changed.keys().copied().collect();
        if self.call.request.header("deltaexcludeparent").is_none() {
            let above = changed.keys().flat_map(|number| self.drive.chain(*number));
            let above: Vec<u64> = above.collect();
            numbers.extend(above);
        }
        let mut order: Vec<u64> = numbers.into_iter().collect();
        if self.graph.switches.shuffle {
            order.sort_by_key(|number| if *number == 0 { 0 } else { mix(*number) | 1 });
        }
        if mark.hole {
            return (Vec::new(), false);
        }
        let place = |at: u64| usize::try_from(at).unwrap_or(usize::MAX).min(order.len());
        let (start, end) = (place(mark.offset), place(mark.offset.saturating_add(size)));
        let page = order.get(start..end).unwrap_or_default();
        let value = page
            .iter()
            .filter_map(|number| {
                let sharing = changed.get(number).copied().unwrap_or(false);
                self.shown(&*self.drive.item(*number)?, sharing)
            })
            .collect();
        (value, end >= order.len())
    }

    /// An item; a deleted one only where its deletion is the news.
    fn shown(&self, item: &Item, sharing: bool) -> Option<Value> {
        // Who may not handle permissions is not shown what is kept by a retention label.
        if item.retention.is_some() && !has_role(self.call, &["Sites.FullControl.All"]) {
            return None;
        }
        if item.deleted {
            let gone = json!({
                "@odata.type": "#microsoft.graph.driveItem",
                "id": self.drive.id_of(item),
                "deleted": {"state": "deleted"},
                "parentReference": {
                    "driveId": self.drive.id,
                    "driveType": self.drive.kind(),
                    "id": self.drive.id_of_number(item.parent),
                },
            });
            let in_log = self.drive.log().iter().any(|entry| entry.number == item.number);
            return in_log.then_some(gone);
        }
        let how = Shown::Delta {
            hierarchical: self.has("hierarchicalsharing"),
        };
        let mut shown = show(self.graph, self.drive, item, how, &self.select);
        let told = PREFERENCES.iter().skip(1).all(|name| self.has(name));
        let kind = !item.folder || self.graph.switches.shared_changed_on_folders;
        if sharing && told && kind {
            let text = self.graph.switches.shared_changed_as_text;
            shown["@microsoft.graph.sharedChanged"] = if text { "True".into() } else { true.into() };
        }
        Some(shown)
    }

    /// An item as it was some time ago.
    fn older(&self, number: u64) -> Option<Value> {
        let mut shown = self.shown(&*self.drive.present(number)?, false)?;
        let name = shown["name"].as_str().unwrap_or_default().to_owned();
        shown["name"] = format!("Earlier {name}").into();
        if let Value::Object(fields) = &mut shown {
            fields.remove("shared");
        }
        Some(shown)
    }
}

fn common(one: u64, other: u64) -> u64 {
    if other == 0 {
        one
    } else {
        common(other, one % other)
    }
}
