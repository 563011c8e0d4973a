//! Searches in a home: for nodes by their ids, for the folders beneath folders, for names.
//!
//! The search of RFC 5323 as Nextcloud has it
//! (<https://docs.nextcloud.com/server/latest/developer_manual/client_apis/WebDAV/search.html>). It answers from the
//! server's index, whatever the number of files. Scopes are written as they are, not percent-encoded. What only
//! bounds a search (`LIKE` is a matter of the database) is written so that it never finds too little.

use quick_xml::escape::partial_escape;

use super::dav::Resource;
use super::nodes::Tree;
use super::ocs::Ocs;
use crate::provider::ReadError;

/// How many conditions one search may have; the server takes a hundred.
const MAX_CONDITIONS: usize = 99;
/// How many folders one search looks beneath.
pub(super) const MAX_SCOPES: usize = 25;
/// How many nodes with a sought name are asked for.
const MAX_NAMED: usize = 10_000;
/// From how many on all folders are walked instead: the server takes rows away after it has cut their number, so that
/// fewer than were asked for may be not all.
const TOO_MANY: usize = MAX_NAMED / 2;

const COUNTS: &str = "<d:resourcetype/><oc:fileid/><oc:size/><nc:contained-file-count/>\
                      <nc:contained-folder-count/><nc:is-mount-root/>";
const MOUNTS: &str = "<oc:size/><nc:is-mount-root/>";
const WHOSE: &str = "<oc:fileid/><oc:owner-id/>";
const NOTHING: &str = "<oc:fileid/>";

/// The nodes that have one of the ids, wherever they lie in the home, with what lies directly in them.
pub(super) async fn by_id(
    ocs: &Ocs,
    account: &str,
    ids: &[u64],
) -> Result<Vec<(String, Resource)>, ReadError> {
    let mut found = Vec::new();
    for ids in ids.chunks(MAX_CONDITIONS) {
        let conditions = ids.iter().map(|id| has_id(*id));
        let body = body(account, &[""], &any(conditions), COUNTS, None);
        found.extend(all(ocs, account, &body).await?);
    }
    Ok(found)
}

/// The node that has an id, where it lies in the home, with whose it is.
pub(super) async fn one(ocs: &Ocs, account: &str, id: u64) -> Result<Option<(String, Resource)>, ReadError> {
    let found = all(ocs, account, &body(account, &[""], &has_id(id), WHOSE, None)).await?;
    let wanted = id.to_string();
    Ok(found
        .into_iter()
        .find(|(_, node)| node.file_id.as_deref() == Some(&wanted)))
}

/// The folders beneath each of some folders, without these themselves, with what lies directly in them. Where there
/// is more than one, folders beside them may be among what is found, and what is mounted beneath them is not.
pub(super) async fn folders(ocs: &Ocs, account: &str, beneath: &[&str]) -> Result<Tree, ReadError> {
    let body = body(account, beneath, "<d:is-collection/>", COUNTS, None);
    Tree::of_search(ocs, account, &body).await
}

/// Whether the server has looked into all folders beneath a folder, and nothing is mounted there, so that searches for
/// names find all. Costs it much less than counting.
pub(super) async fn transparent(ocs: &Ocs, account: &str, folder: &str) -> Result<bool, ReadError> {
    let body = body(account, &[folder], "<d:is-collection/>", MOUNTS, None);
    let mut tries = ocs.tries();
    loop {
        let read = transparent_once(ocs, account, &body).await;
        if !tries.again(&read) {
            return read;
        }
    }
}

async fn transparent_once(ocs: &Ocs, account: &str, body: &str) -> Result<bool, ReadError> {
    let mut tree = Tree::of_search(ocs, account, body).await?;
    while let Some((_, node)) = tree.next().await? {
        if node.size.is_none() || node.mount != Some(false) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The paths in a home whose last name one of the patterns of [`like`] may match; `None` where they are too many.
/// Mounts themselves are not among them: in the server's index they have another name, or none.
pub(super) async fn named(
    ocs: &Ocs,
    account: &str,
    patterns: &[String],
) -> Result<Option<Vec<String>>, ReadError> {
    let mut paths = Vec::new();
    for patterns in patterns.chunks(MAX_CONDITIONS) {
        let conditions = patterns.iter().map(|pattern| {
            let pattern = partial_escape(pattern);
            format!("<d:like><d:prop><d:displayname/></d:prop><d:literal>{pattern}</d:literal></d:like>")
        });
        let body = body(account, &[""], &any(conditions), NOTHING, Some(MAX_NAMED));
        let found = all(ocs, account, &body).await?;
        if found.len() >= TOO_MANY {
            return Ok(None);
        }
        paths.extend(found.into_iter().map(|(path, _)| path));
    }
    Ok(Some(paths))
}

/// What `LIKE` has to be asked so that every name that a glob matches is found, and perhaps others; `None` where that
/// would be nearly every name.
///
/// Databases differ in which letters beyond ASCII are the same without regard to case, and in Turkish `I` and `i` are
/// not: such letters stand for any. So do `k` and `s`, which are the same as the sign of Kelvin and the long s.
pub(super) fn like(glob: &str) -> Option<String> {
    let mut pattern = String::new();
    let mut letters = glob.chars();
    while let Some(letter) = letters.next() {
        let part = match letter {
            '[' => {
                skip(&mut letters, '[', ']');
                '%'
            }
            '{' => {
                skip(&mut letters, '{', '}');
                '%'
            }
            '\\' => literal(letters.next()?),
            '*' | '?' => '%',
            letter => literal(letter),
        };
        if part != '%' || !pattern.ends_with('%') {
            pattern.push(part);
        }
    }
    let telling = pattern.chars().any(char::is_alphanumeric);
    telling.then_some(pattern)
}

fn literal(letter: char) -> char {
    match letter {
        'i' | 'I' | 'k' | 'K' | 's' | 'S' => '_',
        '\\' => '%',
        letter if letter.is_ascii() && !letter.is_ascii_control() => letter,
        _ => '%',
    }
}

/// Passes over a class or a group whose first bracket was read.
fn skip(letters: &mut std::str::Chars<'_>, open: char, close: char) {
    let mut depth = 1;
    for letter in letters.by_ref() {
        if letter == close {
            depth -= 1;
        } else if letter == open {
            depth += 1;
        }
        if depth == 0 {
            return;
        }
    }
}

fn has_id(id: u64) -> String {
    format!("<d:eq><d:prop><oc:fileid/></d:prop><d:literal>{id}</d:literal></d:eq>")
}

fn any(conditions: impl ExactSizeIterator<Item = String>) -> String {
    let one = conditions.len() == 1;
    let conditions: String = conditions.collect();
    if one {
        conditions
    } else {
        format!("<d:or>{conditions}</d:or>")
    }
}

/// The request; scopes are paths from the home's root, `""` is all of it.
fn body(account: &str, scopes: &[&str], condition: &str, properties: &str, most: Option<usize>) -> String {
    let mut from = String::new();
    for path in scopes {
        from.push_str("<d:scope><d:href>");
        from.push_str(&partial_escape(format!("/files/{account}{path}")));
        from.push_str("</d:href><d:depth>infinity</d:depth></d:scope>");
    }
    let limit = most.map_or_else(String::new, |most| {
        format!("<d:limit><d:nresults>{most}</d:nresults></d:limit>")
    });
    format!(
        r#"<?xml version="1.0"?><d:searchrequest xmlns:d="DAV:" xmlns:oc="http://owncloud.org/ns" xmlns:nc="http://nextcloud.org/ns"><d:basicsearch><d:select><d:prop>{properties}</d:prop></d:select><d:from>{from}</d:from><d:where>{condition}</d:where><d:orderby/>{limit}</d:basicsearch></d:searchrequest>"#
    )
}

/// All that a search finds, asked for again where the answer breaks off.
async fn all(ocs: &Ocs, account: &str, body: &str) -> Result<Vec<(String, Resource)>, ReadError> {
    let mut tries = ocs.tries();
    loop {
        let read = once(ocs, account, body).await;
        if !tries.again(&read) {
            return read;
        }
    }
}

async fn once(ocs: &Ocs, account: &str, body: &str) -> Result<Vec<(String, Resource)>, ReadError> {
    let mut tree = Tree::of_search(ocs, account, body).await?;
    let mut found = Vec::new();
    while let Some(node) = tree.next().await? {
        found.push(node);
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_never_finds_too_little() {
        for (glob, pattern) in [
            ("HR", Some("HR")),
            ("*.kdbx", Some("%._dbx")),
            ("Finance", Some("F_nance")),
            ("Gehälter*", Some("Geh%lter%")),
            ("a?b", Some("a%b")),
            ("report[0-9][0-9].pdf", Some("report%.pdf")),
            ("*.{key,p{1,2}}", None),
            ("x.{key,pem}", Some("x.%")),
            ("Kassen", Some("_a__en")),
            ("sik", None),
            (r"50\% off", Some("50% off")),
            (r"a\\b", Some("a%b")),
            ("a_b", Some("a_b")),
            ("*", None),
            ("**", None),
            ("ß?", None),
            ("*.*", None),
            ("I", None),
        ] {
            assert_eq!(like(glob).as_deref(), pattern, "{glob}");
        }
    }

    #[test]
    fn scopes_are_escaped_and_not_encoded() {
        let body = body(
            "o'neil",
            &["/50% & <more>", ""],
            "<d:is-collection/>",
            NOTHING,
            Some(3),
        );
        assert!(
            body.contains("<d:href>/files/o'neil/50% &amp; &lt;more&gt;</d:href>"),
            "{body}"
        );
        assert!(body.contains("<d:href>/files/o'neil</d:href>"), "{body}");
        assert!(body.contains("<d:nresults>3</d:nresults>"), "{body}");
    }

    #[test]
    fn one_condition_needs_no_or() {
        let conditions = |number: usize| any(vec!["<x/>".to_owned(); number].into_iter());
        assert_eq!(conditions(1), "<x/>");
        assert_eq!(conditions(2), "<d:or><x/><x/></d:or>");
    }
}
