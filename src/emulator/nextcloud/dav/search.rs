//! SEARCH (by file id, for folders, by name, and what can be built of these) and the REPORT that finds files by tag.

use std::collections::BTreeSet;

use super::prop::{Sight, Way};
use super::reply::{Reply, bad_body, names};
use super::xml::{DAV, Element, OC, parse};
use super::{error, not_found};
use crate::emulator::http::{Answer, Request, decode};
use crate::emulator::nextcloud::files::File;

/// How many conditions a search may have.
const MOST_CONDITIONS: usize = 100;
const NO_FOLDER: &str = "Search is only supported on directories";

/// A condition of a search.
#[derive(Debug)]
enum Where {
    Any(Vec<Where>),
    All(Vec<Where>),
    Not(Box<Where>),
    Folder,
    Id(u64),
    Name(String),
    NameLike(Vec<char>),
}

/// `SEARCH /remote.php/dav/`.
pub(crate) fn search(sight: &Sight<'_>, request: &Request) -> Answer {
    let Some(body) = parse(&request.body).filter(|body| body.is(DAV, "searchrequest")) else {
        return bad_body();
    };
    let basic = body.child("basicsearch").unwrap_or(&body);
    let tops = match scopes(sight, basic) {
        Ok(tops) => tops,
        Err(refusal) => return refusal,
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
    let conditions = condition.as_ref().map_or(0, Where::number);
    if conditions > MOST_CONDITIONS {
        return invalid(&format!(
            "Invalid search query, maximum operator limit of {MOST_CONDITIONS} exceeded, got {conditions} operators"
        ));
    }
    let wanted = basic.at(&["select", "prop"]).map(names).unwrap_or_default();
    let most = basic
        .at(&["limit", "nresults"])
        .and_then(|number| number.text.trim().parse().ok());
    let mut reply = Reply::new();
    let found = reached(sight, &tops)
        .into_iter()
        .filter_map(|id| sight.server.files.get(id))
        .filter(|file| condition.as_ref().is_none_or(|condition| condition.holds(file)))
        .take(most.unwrap_or(usize::MAX))
        // The folder itself is left out only after the limit.
        .filter(|file| !tops.contains(&file.id));
    for file in found {
        let Some(mut href) = sight.href(file.id) else {
            continue;
        };
        if file.folder {
            href.push('/');
        }
        let (found, missing) = sight.props(file, &wanted, Way::Found);
        reply.add(&href, found, missing);
    }
    reply.answer("application/xml; charset=\"utf-8\"")
}

/// The folders to search in. Their paths are not percent-encoded, unlike the account.
fn scopes(sight: &Sight<'_>, basic: &Element) -> Result<Vec<u64>, Answer> {
    let scopes = basic
        .child("from")
        .map(|from| from.children.as_slice())
        .unwrap_or_default();
    let mut tops = Vec::new();
    for scope in scopes.iter().filter(|scope| scope.is(DAV, "scope")) {
        let href = scope
            .child("href")
            .map(|href| href.text.as_str())
            .unwrap_or_default();
        let Some(inside) = href.trim_start_matches('/').strip_prefix("files/") else {
            return Err(refused("Invalid scope"));
        };
        let (owner, path) = inside.split_once('/').unwrap_or((inside, ""));
        if owner != sight.account && decode(owner) != sight.account {
            return Err(invalid(NO_FOLDER));
        }
        match sight.server.locate(&sight.account, path, &sight.mounts) {
            Some(top) if sight.server.files.get(top).is_some_and(|file| file.folder) => tops.push(top),
            Some(_) => return Err(invalid(NO_FOLDER)),
            None => {
                return Err(not_found(&format!(
                    "File with name //{path} could not be located"
                )));
            }
        }
    }
    if tops.is_empty() {
        return Err(invalid("You need to specify a scope for the search."));
    }
    Ok(tops)
}

/// All that a search of these folders looks at. The paths of several are compared as a database compares them: `_`
/// and `%` in them stand for anything, and upper case for lower case; and what is mounted beneath them is left out.
fn reached(sight: &Sight<'_>, tops: &[u64]) -> Vec<u64> {
    if let [top] = tops {
        let mut ids = vec![*top];
        let mut beneath = everything(sight, *top);
        beneath.sort_unstable();
        ids.extend(beneath);
        return ids;
    }
    let files = &sight.server.files;
    let patterns: Vec<(Option<u64>, Vec<char>)> = tops
        .iter()
        // The path of a mount in its own storage is empty, beneath which nothing begins with a slash.
        .filter(|top| files.get(**top).is_some_and(|file| !file.mount))
        .filter_map(|top| Some((*top, sight.href(*top)?)))
        .map(|(top, href)| {
            let pattern = format!("{}/%", decode(&href)).to_ascii_lowercase();
            (files.mount_of(top), pattern.chars().collect())
        })
        .collect();
    let home = sight.server.files.home_of(&sight.account).unwrap_or(0);
    let inside = |id: &u64| {
        let path = sight.href(*id).map(|href| decode(&href).to_ascii_lowercase());
        path.is_some_and(|path| {
            let path: Vec<char> = path.chars().collect();
            let mount = files.mount_of(*id);
            patterns
                .iter()
                .any(|(storage, pattern)| mount == *storage && alike(pattern, &path))
        })
    };
    everything(sight, home).into_iter().filter(inside).collect()
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
            let value = element.child("literal")?.text.clone();
            match (element.name.as_str(), property.name.as_str()) {
                // An id that is no number matches nothing.
                ("eq", "fileid") => Some(Where::Id(value.trim().parse().unwrap_or(0))),
                ("eq", "displayname") => Some(Where::Name(value)),
                ("like", "displayname") => {
                    Some(Where::NameLike(value.to_ascii_lowercase().chars().collect()))
                }
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
            Self::Name(name) => indexed_name(file) == name,
            Self::NameLike(pattern) => {
                let name: Vec<char> = indexed_name(file).to_ascii_lowercase().chars().collect();
                alike(pattern, &name)
            }
        }
    }

    /// How many conditions it is made of.
    fn number(&self) -> usize {
        match self {
            Self::Any(inner) | Self::All(inner) => inner.iter().map(Self::number).sum(),
            Self::Not(inner) => inner.number(),
            _ => 1,
        }
    }
}

/// The name of a file in the index, where a mount has none.
fn indexed_name(file: &File) -> &str {
    if file.mount { "" } else { &file.name }
}

/// `LIKE`: `%` stands for anything, `_` for one character, and a backslash takes that meaning from what follows.
fn alike(pattern: &[char], text: &[char]) -> bool {
    match pattern {
        [] => text.is_empty(),
        ['%', rest @ ..] => (0..=text.len()).any(|from| alike(rest, text.get(from..).unwrap_or_default())),
        ['\\', letter, rest @ ..] | [letter, rest @ ..] => {
            let any = *letter == '_' && pattern.first() != Some(&'\\');
            text.split_first()
                .is_some_and(|(first, others)| (any || first == letter) && alike(rest, others))
        }
    }
}

fn refused(text: &str) -> Answer {
    Answer::new(400, "text/plain; charset=utf-8", text)
}

fn invalid(message: &str) -> Answer {
    error(500, "InvalidArgumentException", message)
}
