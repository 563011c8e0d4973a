//! Generated items and permissions: made of their numbers when they are asked for, and so in no memory.

use super::ids::{self, mix};
use super::tree::{Item, Node, Permission};
use crate::emulator::world::microsoft::{LinkFile, PermissionFile, Who};

/// So many folders are in a folder at most.
const FAN: u64 = 8;

/// The numbers from which a drive's items follow: folders first, then files.
#[derive(Debug, Clone)]
pub(super) struct Stock {
    pub(super) items: u64,
    pub(super) folders: u64,
    pub(super) roots: u64,
    pub(super) links: u32,
    pub(super) grants: u32,
    /// The user principal name of somebody who is given something.
    pub(super) neighbour: String,
}

impl Stock {
    fn parent(&self, number: u64) -> u64 {
        if number <= self.folders {
            (number - 1) / FAN
        } else if self.folders == 0 {
            0
        } else {
            mix(number) % self.folders + 1
        }
    }

    /// The item of a number, where there is one.
    pub(super) fn item(&self, number: u64, created: i64, owner: Option<&String>) -> Option<Item> {
        if number == 0 || number > self.items {
            return None;
        }
        let folder = number <= self.folders;
        let name = if folder {
            format!("Folder {number:05}")
        } else {
            format!("report-{number:07}.pdf")
        };
        Some(Item {
            number,
            parent: self.parent(number),
            name,
            folder,
            size: 10_000 + number % 90_000,
            created,
            modified: created + i64::try_from(number % 86_400).unwrap_or(0),
            author: owner.cloned(),
            version: 1,
            ..Item::default()
        })
    }

    /// About how much is in a folder: counting would need all items.
    pub(super) fn child_count(&self, folder: u64) -> u64 {
        if folder > self.folders {
            return 0;
        }
        let first = (folder * FAN + 1).min(self.folders + 1);
        let beyond = ((folder + 1) * FAN + 1).min(self.folders + 1);
        let files = match self.folders {
            0 => self.items,
            folders if folder > 0 => (self.items - folders) / folders,
            _ => 0,
        };
        beyond - first + files
    }

    /// What was given on an item, where it is one of those evenly spread that were given to somebody.
    pub(super) fn node(&self, number: u64, drive: u64) -> Option<Node> {
        if number == 0 || number > self.items || self.roots == 0 {
            return None;
        }
        let at = |number: u64| u128::from(number) * u128::from(self.roots) / u128::from(self.items);
        if at(number) == at(number - 1) {
            return None;
        }
        let links = (0..self.links).map(|index| link(drive, number, index));
        let grants = (0..self.grants).map(|index| self.grant(drive, number, index));
        Some(Node {
            since: 0,
            stripped: false,
            permissions: links.chain(grants).collect(),
        })
    }

    fn grant(&self, drive: u64, number: u64, index: u32) -> Permission {
        let who = if index == 0 {
            Who::User(self.neighbour.clone())
        } else {
            let guest = mix(drive ^ mix(number) ^ u64::from(index)) % 1000;
            Who::Otp(format!("guest{guest:03}@partner.example.net"))
        };
        Permission {
            order: 0,
            id: String::new(),
            file: PermissionFile {
                grant: Some(who),
                ..PermissionFile::default()
            },
            expires: None,
        }
    }
}

fn link(drive: u64, number: u64, index: u32) -> Permission {
    let chosen = mix(drive ^ mix(number ^ u64::from(index) << 48));
    let scope = ["anonymous", "organization", "users", "anonymous"];
    let scope = scope[usize::try_from(chosen % 4).unwrap_or(0)];
    let kind = if chosen & 16 == 0 { "view" } else { "edit" };
    Permission {
        order: 0,
        id: ids::guid_of(chosen, mix(chosen)),
        file: PermissionFile {
            link: Some(LinkFile {
                scope: scope.into(),
                kind: kind.into(),
                ..LinkFile::default()
            }),
            ..PermissionFile::default()
        },
        expires: None,
    }
}
