//! SEARCH (by file id, for folders, and what can be built of these) and the REPORT that finds files by tag.

use std::collections::BTreeSet;

use super::error;
use super::prop::{Sight, Way};
use super::reply::{Reply, bad_body, names};
use super::xml::{DAV, Element, OC, parse};
use crate::emulator::http::{Answer, Request, decode};
use crate::emulator::nextcloud::files::File;

/// A condition of a search.
#[derive(Debug)]
enum Where {
    Any(Vec<Where>),
    All(Vec<Where>),
    Not(Box<Where>),
    Folder,
    Id(u64),
    Name(String),
    NameLike(String),
}

/// `SEARCH /remote.php/dav/`.
pub(crate) fn search(sight: &Sight<'_>, request: &Request) -> Answer {
    let Some(body) = parse(&request.body).filter(|body| body.is(DAV, "searchrequest")) else {
        return bad_body();
    };
    let basic = body.child("basicsearch").unwrap_or(&body);
    let scope = basic
        .at(&["from", "scope", "href"])
        .map(|href| decode(href.text.trim()))
        .unwrap_or_default();
    let inside = scope
        .trim_start_matches('/')
        .strip_prefix("files/")
        .map(str::to_owned);
    let Some(inside) = inside else {
        return refused("Invalid scope");
    };
    let (owner, path) = inside.split_once('/').unwrap_or((&inside, ""));
    if owner != sight.account {
        return refused("Search scope has to be the home of the logged-in account");
    }
    let Some(top) = sight.server.locate(&sight.account, path, &sight.mounts) else {
        return error(404, "Sabre\\DAV\\Exception\\NotFound", "Scope not found");
    };
    let condition = match basic
        .child("where")
        .and_then(|element| element.children.first())
        .map(condition)
    {
        None => None,
        Some(Some(condition)) => Some(condition),
        Some(None) => return refused("property not searchable"),
    };
    let wanted = basic.at(&["select", "prop"]).map(names).unwrap_or_default();
    let most = basic
        .at(&["limit", "nresults"])
        .and_then(|number| number.text.trim().parse().ok());
    let mut reply = Reply::new();
    let found = everything(sight, top)
        .into_iter()
        .filter_map(|id| sight.server.files.get(id));
    let found = found.filter(|file| condition.as_ref().is_none_or(|condition| condition.holds(file)));
    for file in found.take(most.unwrap_or(usize::MAX)) {
        let Some(mut href) = sight.href(file.id) else {
            continue;
        };
        if file.folder {
            href.push('/');
        }
        let (found, missing) = sight.props(file, &wanted, Way::Alone);
        reply.add(&href, found, missing);
    }
    reply.answer("application/xml; charset=\"utf-8\"")
}

/// `REPORT` with `oc:filter-files`: the whole home, whatever the path; folders come without a slash.
pub(crate) fn by_tag(sight: &Sight<'_>, request: &Request) -> Answer {
    let Some(body) = parse(&request.body).filter(|body| body.is(OC, "filter-files")) else {
        return error(415, "Sabre\\DAV\\Exception\\ReportNotSupported", "");
    };
    let rules = body
        .child("filter-rules")
        .map(|rules| rules.children.as_slice())
        .unwrap_or_default();
    let mut tags = BTreeSet::new();
    for rule in rules.iter().filter(|rule| rule.is(OC, "systemtag")) {
        let id = rule.text.trim().parse::<u64>().ok();
        let known = id
            .and_then(|id| sight.server.tags.get(&id))
            .filter(|tag| tag.visible || sight.admin);
        let Some(tag) = known else {
            let message = "Cannot filter by non-existing tag";
            return error(412, "Sabre\\DAV\\Exception\\PreconditionFailed", message);
        };
        tags.insert(tag.id);
    }
    if rules.is_empty() {
        return error(
            400,
            "Sabre\\DAV\\Exception\\BadRequest",
            "Missing filter-rule block in request",
        );
    }
    let wanted = body.child("prop").map(names).unwrap_or_default();
    let mut reply = Reply::new();
    let home = sight.server.files.home_of(&sight.account).unwrap_or(0);
    for file in everything(sight, home)
        .into_iter()
        .filter_map(|id| sight.server.files.get(id))
    {
        if tags.is_empty() || !tags.is_subset(&file.tags) {
            continue;
        }
        if let Some(href) = sight.href(file.id) {
            let (found, missing) = sight.props(file, &wanted, Way::Alone);
            reply.add(&href, found, missing);
        }
    }
    reply.answer("application/xml; charset=utf-8")
}

/// All below a folder as the account sees it; at the top of its home the mounts too.
fn everything(sight: &Sight<'_>, top: u64) -> Vec<u64> {
    let mut ids = sight.server.files.beneath(top);
    if sight.server.files.home_of(&sight.account) == Some(top) {
        for mount in &sight.mounts {
            ids.push(mount.file);
            ids.extend(sight.server.files.beneath(mount.file));
        }
    }
    ids
}

fn condition(element: &Element) -> Option<Where> {
    let all = || element.children.iter().map(condition).collect::<Option<Vec<_>>>();
    match element.name.as_str() {
        "or" => all().map(Where::Any),
        "and" => all().map(Where::All),
        "not" => condition(element.children.first()?).map(|inner| Where::Not(Box::new(inner))),
        "is-collection" => Some(Where::Folder),
        "eq" | "like" => {
            let property = element.child("prop")?.children.first()?;
            let value = element.child("literal")?.text.trim().to_owned();
            match (element.name.as_str(), property.name.as_str()) {
                // An id that is no number matches nothing.
                ("eq", "fileid") => Some(Where::Id(value.parse().unwrap_or(0))),
                ("eq", "displayname") => Some(Where::Name(value)),
                ("like", "displayname") => Some(Where::NameLike(value.to_lowercase())),
                _ => None,
            }
        }
        _ => None,
    }
}

impl Where {
    fn holds(&self, file: &File) -> bool {
        match self {
            Self::Any(inner) => inner.iter().any(|condition| condition.holds(file)),
            Self::All(inner) => inner.iter().all(|condition| condition.holds(file)),
            Self::Not(inner) => !inner.holds(file),
            Self::Folder => file.folder,
            Self::Id(id) => file.id == *id,
            Self::Name(name) => file.name == *name,
            Self::NameLike(pattern) => {
                let name = file.name.to_lowercase();
                let middle = pattern.trim_matches('%');
                match (pattern.starts_with('%'), pattern.ends_with('%')) {
                    (true, true) => name.contains(middle),
                    (true, false) => name.ends_with(middle),
                    (false, true) => name.starts_with(middle),
                    (false, false) => name == *pattern,
                }
            }
        }
    }
}

fn refused(text: &str) -> Answer {
    Answer::new(400, "text/plain; charset=utf-8", text)
}
