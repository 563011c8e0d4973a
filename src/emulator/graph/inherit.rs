//! What counts on an item: its own permissions, and what it has from the folders above.
//!
//! Links come from every folder above, grants only from the nearest item that has left its folder's permissions.

use std::borrow::Cow;

use jiff::Timestamp;

use super::Graph;
use super::tree::{Drive, Node, Permission};
use crate::emulator::world::microsoft::{PermissionFile, Who};

/// A permission as it counts on one item.
#[derive(Debug, Clone)]
pub(super) struct Counting {
    pub(super) permission: Permission,
    /// The item that it comes from; none = the item itself.
    pub(super) from: Option<u64>,
    /// An older link of a folder above, shown without its people.
    pub(super) bare: bool,
    /// The owner or the site's own groups, which every item has.
    pub(super) constant: bool,
}

/// Everything that counts on an item.
pub(super) fn counting(graph: &Graph, drive: &Drive, number: u64) -> Vec<Counting> {
    let chain = drive.chain(number);
    let nodes: Vec<(u64, Option<Cow<'_, Node>>)> = chain
        .into_iter()
        .map(|number| (number, drive.node(number)))
        .collect();
    let mut all = links(number, &nodes);
    let nearest = nodes.iter().find(|(at, node)| node.is_some() || *at == 0);
    if let Some((at, node)) = nearest {
        let from = (*at != number).then_some(*at);
        let granted = node
            .iter()
            .flat_map(|node| &node.permissions)
            .filter(|one| !one.is_link());
        all.extend(granted.cloned().map(|permission| Counting {
            permission,
            from,
            bare: false,
            constant: false,
        }));
        all.extend(constants(graph, drive).into_iter().map(|permission| Counting {
            permission,
            from,
            bare: false,
            constant: true,
        }));
    }
    all
}

fn links(number: u64, nodes: &[(u64, Option<Cow<'_, Node>>)]) -> Vec<Counting> {
    let mut all = Vec::new();
    for (index, (at, node)) in nodes.iter().enumerate() {
        let Some(node) = node else { continue };
        let below: Vec<&Node> = nodes
            .iter()
            .take(index)
            .filter_map(|(_, node)| node.as_deref())
            .collect();
        for link in node.permissions.iter().filter(|one| one.is_link()) {
            // Whoever left the folder's permissions after this link was made keeps it without its people, or not at all.
            let left = || below.iter().filter(|node| node.since > link.order);
            if left().any(|node| node.stripped) {
                continue;
            }
            all.push(Counting {
                permission: link.clone(),
                from: (*at != number).then_some(*at),
                bare: left().next().is_some(),
                constant: false,
            });
        }
    }
    all
}

/// What every item of a drive has: its owner, or the groups of its site.
fn constants(graph: &Graph, drive: &Drive) -> Vec<Permission> {
    let entry = |who: Who, role: &str| Permission {
        order: 0,
        id: String::new(),
        file: PermissionFile {
            grant: Some(who),
            roles: Some(vec![role.to_owned()]),
            ..PermissionFile::default()
        },
        expires: None,
    };
    if let Some(owner) = &drive.owner {
        let upn = graph.people.named(owner).map(|user| user.file.upn.clone());
        return vec![entry(Who::User(upn.unwrap_or_default()), "owner")];
    }
    let site = graph
        .sites
        .get(drive.site)
        .map(|site| site.name.as_str())
        .unwrap_or_default();
    [("Owners", "owner"), ("Members", "write"), ("Visitors", "read")]
        .map(|(kind, role)| entry(Who::SiteGroup(format!("{site} {kind}")), role))
        .into()
}

/// The widest scope of what was given: `anonymous`, `organization`, `users`, or nothing.
pub(super) fn scope<'p>(permissions: impl Iterator<Item = &'p Permission>) -> Option<&'static str> {
    let rank = |permission: &Permission| match permission.file.link.as_ref().map(|link| link.scope.as_str()) {
        Some("anonymous") => 3,
        Some("organization") => 2,
        _ if matches!(permission.file.grant, Some(Who::SiteGroup(_))) => 0,
        _ => 1,
    };
    match permissions.map(rank).max() {
        Some(3) => Some("anonymous"),
        Some(2) => Some("organization"),
        Some(1) => Some("users"),
        _ => None,
    }
}

impl Graph {
    /// Takes an item out of its folder's permissions, with a copy of what it was granted or with nothing.
    pub(super) fn leave_folder(&mut self, drive: usize, number: u64, stripped: bool) {
        let Some(known) = self.drive(drive) else { return };
        if known.node(number).is_some() {
            return;
        }
        let copied: Vec<Permission> = counting(self, known, number)
            .into_iter()
            .filter(|one| !stripped && !one.constant && !one.permission.is_link())
            .map(|one| one.permission)
            .collect();
        let since = self.next_order();
        if let Some(drive) = self.drives.get_mut(drive) {
            drive.edit_node(number, |node| {
                *node = Node {
                    since,
                    stripped,
                    permissions: copied,
                };
            });
        }
    }

    /// Gives something on one item.
    pub(super) fn give(
        &mut self,
        drive: usize,
        number: u64,
        file: PermissionFile,
        id: String,
        now: Timestamp,
    ) -> Permission {
        self.leave_folder(drive, number, file.unique);
        let permission = Permission {
            order: self.next_order(),
            id,
            expires: file.expires.as_ref().map(|moment| moment.at(now)),
            file,
        };
        if let Some(drive) = self.drives.get_mut(drive) {
            drive.edit_node(number, |node| node.permissions.push(permission.clone()));
        }
        permission
    }
}
