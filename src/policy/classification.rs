//! Whether an item is confidential, as far as that was looked at.
//!
//! `None` is not `Some(false)`: it says that a tag, a folder above or something beneath was not looked at.

use std::collections::BTreeSet;

use crate::model::{Classes, Item, ItemKind};

/// The labels of an item, and whether it is classified.
pub(super) fn classify(classes: &Classes, item: &Item) -> (BTreeSet<String>, Option<bool>) {
    let mut labels = if item.path_is_owners && classes.has_patterns() {
        classes.of_path(&item.path)
    } else {
        BTreeSet::new()
    };
    let looked_at = item.labels.as_ref();
    if let Some(found) = looked_at {
        labels.extend(found.found.iter().cloned());
    }
    let complete = looked_at.is_some_and(|labels| labels.complete) || !asks(classes, item);
    let classified = if labels.is_empty() {
        complete.then_some(false)
    } else {
        Some(true)
    };
    (labels, classified)
}

/// Whether the item's path alone does not decide: tags are configured, or patterns and the path is not the
/// owner's or may have something beneath it.
pub(super) fn asks(classes: &Classes, item: &Item) -> bool {
    classes.has_tags() || (classes.has_patterns() && (!item.path_is_owners || item.kind != ItemKind::File))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Labels;
    use crate::policy::fixtures::{classes, link};

    #[test]
    fn what_was_not_looked_at_is_not_decided() {
        let patterns = classes(&["**/HR/**"], &[]);
        let tags = classes(&[], &["confidential"]);
        let both = classes(&["**/HR/**"], &["confidential"]);
        let none = Classes::default();
        let found = |names: &[&str], complete| {
            Some(Labels {
                found: names.iter().map(|name| (*name).to_owned()).collect(),
                complete,
            })
        };
        for (what, classes, path, kind, labels, expected) in [
            (
                "nothing is confidential",
                &none,
                "/HR/a",
                ItemKind::Folder,
                None,
                Some(false),
            ),
            ("path hit", &patterns, "/HR/a", ItemKind::File, None, Some(true)),
            (
                "path miss of a file",
                &patterns,
                "/a",
                ItemKind::File,
                None,
                Some(false),
            ),
            (
                "path miss of a folder",
                &patterns,
                "/a",
                ItemKind::Folder,
                None,
                None,
            ),
            (
                "neither file nor folder",
                &patterns,
                "/a",
                ItemKind::Other,
                None,
                None,
            ),
            (
                "folder looked at",
                &patterns,
                "/a",
                ItemKind::Folder,
                found(&[], true),
                Some(false),
            ),
            (
                "folder looked at in part",
                &patterns,
                "/a",
                ItemKind::Folder,
                found(&[], false),
                None,
            ),
            (
                "something beneath",
                &patterns,
                "/a",
                ItemKind::Folder,
                found(&["x"], false),
                Some(true),
            ),
            ("tags not asked", &tags, "/HR/a", ItemKind::File, None, None),
            (
                "tags asked",
                &tags,
                "/a",
                ItemKind::File,
                found(&[], true),
                Some(false),
            ),
            (
                "path hit, tags not asked",
                &both,
                "/HR/a",
                ItemKind::File,
                None,
                Some(true),
            ),
        ] {
            let mut item = link(path).item;
            item.kind = kind;
            item.labels = labels;
            assert_eq!(classify(classes, &item).1, expected, "{what}");
        }
    }

    #[test]
    fn a_path_that_is_not_the_owners_says_nothing() {
        let mut item = link("/HR/a").item;
        item.path_is_owners = false;
        assert_eq!(classify(&classes(&["**/HR/**"], &[]), &item).1, None);
    }
}
