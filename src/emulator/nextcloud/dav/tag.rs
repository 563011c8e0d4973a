//! System tags over `WebDAV`: all of them, and those of one file. Invisible ones only for administrators.

use super::not_found;
use super::prop::Sight;
use super::reply::{Depth, Reply, Wanted, bad_body, depth, nameless, tag_name, wanted};
use super::xml::{DAV, NC, OC, Xml};
use crate::emulator::http::{Answer, Request};
use crate::emulator::world::file::TagFile;

const XML: &str = "application/xml; charset=utf-8";

/// `PROPFIND /remote.php/dav/systemtags/`.
pub(crate) fn all(sight: &Sight<'_>, request: &Request) -> Answer {
    let tags: Vec<&TagFile> = sight.server.tags.values().collect();
    list(sight, request, "/remote.php/dav/systemtags/", &tags)
}

/// `PROPFIND /remote.php/dav/systemtags-relations/files/ID`.
pub(crate) fn of_file(sight: &Sight<'_>, request: &Request, file: &str) -> Answer {
    let id = file.parse::<u64>().ok().filter(|id| sight.href(*id).is_some());
    let Some(found) = id.and_then(|id| sight.server.files.get(id)) else {
        return not_found(&format!("There is no file with id {file}"));
    };
    let tags: Vec<&TagFile> = found
        .tags
        .iter()
        .filter_map(|id| sight.server.tags.get(id))
        .collect();
    list(
        sight,
        request,
        &format!("/remote.php/dav/systemtags-relations/files/{}/", found.id),
        &tags,
    )
}

fn list(sight: &Sight<'_>, request: &Request, base: &str, tags: &[&TagFile]) -> Answer {
    let Some(wanted) = wanted(request) else {
        return bad_body();
    };
    let mut reply = Reply::new();
    let is_type = |prop: &&Wanted| prop.namespace == DAV && prop.name == "resourcetype";
    let kind = wanted
        .iter()
        .filter(is_type)
        .map(|prop| Xml::with(tag_name(prop), vec![Xml::empty("d:collection")]));
    let rest: Vec<Wanted> = wanted.iter().filter(|prop| !is_type(prop)).cloned().collect();
    reply.add(base, kind.collect(), nameless(&rest));
    if depth(request) != Depth::Zero {
        for tag in tags.iter().filter(|tag| tag.visible || sight.admin) {
            let (mut found, mut missing) = (Vec::new(), Vec::new());
            for prop in &wanted {
                match value(tag, sight.admin, prop) {
                    Some(text) => found.push(Xml::text(tag_name(prop), text)),
                    None => missing.push(Xml::empty(tag_name(prop))),
                }
            }
            reply.add(&format!("{base}{}", tag.id), found, missing);
        }
    }
    reply.answer(XML)
}

fn value(tag: &TagFile, admin: bool, prop: &Wanted) -> Option<String> {
    match (prop.namespace.as_str(), prop.name.as_str()) {
        (OC, "id") => Some(tag.id.to_string()),
        (OC, "display-name") | (DAV, "displayname") => Some(tag.name.clone()),
        (OC, "user-visible") => Some(tag.visible.to_string()),
        (OC, "user-assignable") => Some(tag.assignable.to_string()),
        (OC, "can-assign") => Some((tag.assignable || admin).to_string()),
        (NC, "color") => Some(String::new()),
        _ => None,
    }
}
