//! A drive: its items, who may open them, and the log of what has changed.
//!
//! Items are known by number, the root being 0; ids are made of the numbers. What is generated is not stored but made
//! when asked for, until it is changed.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::ids;
use super::stock::Stock;
use crate::emulator::world::microsoft::{DriveState, PermissionFile};

/// No folder is deeper: a guard against circles.
const DEEPEST: usize = 1000;

/// A library, or a person's `OneDrive`.
#[derive(Debug, Clone)]
pub(super) struct Drive {
    pub(super) seed: u64,
    pub(super) id: String,
    pub(super) name: String,
    /// Of the person whose it is; none for a site's library.
    pub(super) owner: Option<String>,
    /// Which site it is on.
    pub(super) site: usize,
    pub(super) web_url: String,
    pub(super) system: bool,
    pub(super) state: DriveState,
    pub(super) stock: Option<Stock>,
    items: BTreeMap<u64, Item>,
    nodes: BTreeMap<u64, Node>,
    names: HashMap<(u64, String), u64>,
    own_ids: HashMap<String, u64>,
    children: HashMap<u64, u64>,
    next: u64,
    log: Vec<Logged>,
    /// Raised when the service loses track: older tokens are then refused.
    pub(super) epoch: u32,
    created: i64,
}

/// A file or folder.
#[derive(Debug, Clone, Default)]
pub(super) struct Item {
    pub(super) number: u64,
    pub(super) parent: u64,
    pub(super) own_id: Option<String>,
    pub(super) name: String,
    pub(super) folder: bool,
    pub(super) size: u64,
    pub(super) created: i64,
    pub(super) modified: i64,
    /// The id of the person who made it.
    pub(super) author: Option<String>,
    pub(super) package: Option<String>,
    pub(super) sensitivity: Option<String>,
    pub(super) retention: Option<String>,
    pub(super) malware: bool,
    pub(super) deleted: bool,
    pub(super) version: u32,
    pub(super) raw: Map<String, Value>,
}

/// What was given on one item itself.
#[derive(Debug, Clone, Default)]
pub(super) struct Node {
    /// When it left its folder's permissions, as an order among permissions.
    pub(super) since: u64,
    /// It took nothing of what the folders above had.
    pub(super) stripped: bool,
    pub(super) permissions: Vec<Permission>,
}

/// A permission on one item.
#[derive(Debug, Clone)]
pub(super) struct Permission {
    /// When it was made, among all permissions.
    pub(super) order: u64,
    pub(super) id: String,
    pub(super) file: PermissionFile,
    pub(super) expires: Option<Timestamp>,
}

/// Why an item is in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    Content,
    Sharing,
    /// Sharing changed, and the service does not say so.
    Unsaid,
}

/// An entry of the log.
#[derive(Debug, Clone, Copy)]
pub(super) struct Logged {
    pub(super) number: u64,
    pub(super) cause: Cause,
    pub(super) at: Timestamp,
}

/// What a new drive is made of.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub(super) seed: String,
    pub(super) name: String,
    pub(super) owner: Option<String>,
    pub(super) site: usize,
    pub(super) web_url: String,
    pub(super) system: bool,
    pub(super) state: DriveState,
    pub(super) created: i64,
}

impl Drive {
    pub(super) fn new(plan: Plan) -> Self {
        let seed = ids::hash(&plan.seed);
        Self {
            seed,
            id: ids::drive_id(seed),
            name: plan.name,
            owner: plan.owner,
            site: plan.site,
            web_url: plan.web_url,
            system: plan.system,
            state: plan.state,
            stock: None,
            items: BTreeMap::new(),
            nodes: BTreeMap::new(),
            names: HashMap::new(),
            own_ids: HashMap::new(),
            children: HashMap::new(),
            next: 1,
            log: Vec::new(),
            epoch: 0,
            created: plan.created,
        }
    }

    pub(super) fn is_personal(&self) -> bool {
        self.owner.is_some()
    }

    pub(super) fn kind(&self) -> &'static str {
        if self.is_personal() {
            "business"
        } else {
            "documentLibrary"
        }
    }

    /// Fills the drive with generated items, before anything else is put in.
    pub(super) fn fill(&mut self, stock: Stock) {
        self.next = stock.items + 1;
        self.stock = Some(stock);
    }

    /// One more than the highest number.
    pub(super) fn end(&self) -> u64 {
        self.next
    }

    /// An item, deleted ones too.
    pub(super) fn item(&self, number: u64) -> Option<Cow<'_, Item>> {
        if let Some(item) = self.items.get(&number) {
            return Some(Cow::Borrowed(item));
        }
        if number == 0 {
            return Some(Cow::Owned(Item {
                name: "root".into(),
                folder: true,
                created: self.created,
                modified: self.created,
                author: self.owner.clone(),
                ..Item::default()
            }));
        }
        let stock = self.stock.as_ref()?;
        stock
            .item(number, self.created, self.owner.as_ref())
            .map(Cow::Owned)
    }

    /// An item that is there.
    pub(super) fn present(&self, number: u64) -> Option<Cow<'_, Item>> {
        self.item(number).filter(|item| !item.deleted)
    }

    pub(super) fn id_of(&self, item: &Item) -> String {
        item.own_id
            .clone()
            .unwrap_or_else(|| ids::item_id(self.seed, item.number))
    }

    pub(super) fn id_of_number(&self, number: u64) -> String {
        self.items
            .get(&number)
            .map_or_else(|| ids::item_id(self.seed, number), |item| self.id_of(item))
    }

    /// The number behind an id.
    pub(super) fn number_of(&self, id: &str) -> Option<u64> {
        if id == "root" {
            return Some(0);
        }
        let own = self.own_ids.get(id).copied();
        own.or_else(|| ids::item_number(self.seed, id).filter(|number| *number < self.next))
    }

    /// The number of a path from the root, or of an id.
    pub(super) fn find(&self, path: &str) -> Option<u64> {
        if !path.starts_with('/') {
            return self.number_of(path);
        }
        let parts = path.split('/').filter(|part| !part.is_empty());
        parts.into_iter().try_fold(0, |parent, part| {
            self.names.get(&(parent, part.to_owned())).copied()
        })
    }

    /// The number of a path, made with its folders where it is not there.
    pub(super) fn make(&mut self, path: &str, at: i64) -> u64 {
        let is_folder = path.ends_with('/');
        let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
        let last = parts.len();
        let mut parent = 0;
        for (index, part) in parts.into_iter().enumerate() {
            let known = self.names.get(&(parent, part.to_owned())).copied();
            parent = known.unwrap_or_else(|| {
                let item = Item {
                    parent,
                    name: part.to_owned(),
                    folder: index + 1 < last || is_folder,
                    created: at,
                    modified: at,
                    author: self.owner.clone(),
                    version: 1,
                    ..Item::default()
                };
                self.put(item)
            });
        }
        parent
    }

    /// Stores a new item under the next number.
    pub(super) fn put(&mut self, item: Item) -> u64 {
        let number = self.next;
        self.next += 1;
        self.names.insert((item.parent, item.name.clone()), number);
        *self.children.entry(item.parent).or_default() += 1;
        self.items.insert(number, Item { number, ..item });
        number
    }

    /// Changes an item; its name, folder and id may change, too.
    pub(super) fn edit(&mut self, number: u64, change: impl FnOnce(&mut Item)) {
        let Some(old) = self.item(number).map(Cow::into_owned) else {
            return;
        };
        let mut item = old.clone();
        change(&mut item);
        item.version += 1;
        if number != 0 {
            self.names.remove(&(old.parent, old.name.clone()));
            if !item.deleted {
                self.names.insert((item.parent, item.name.clone()), number);
            }
            self.recount(&old, &item);
        }
        if let Some(id) = &item.own_id {
            self.own_ids.insert(id.clone(), number);
        }
        self.items.insert(number, item);
    }

    /// Counts an item where it is now, and no longer where it was.
    fn recount(&mut self, old: &Item, new: &Item) {
        if (old.parent, old.deleted) == (new.parent, new.deleted) {
            return;
        }
        if let Some(count) = self.children.get_mut(&old.parent).filter(|_| !old.deleted) {
            *count = count.saturating_sub(1);
        }
        if !new.deleted {
            *self.children.entry(new.parent).or_default() += 1;
        }
    }

    /// What an item holds, at first level.
    pub(super) fn child_count(&self, number: u64) -> u64 {
        let generated = self.stock.as_ref().map_or(0, |stock| stock.child_count(number));
        generated + self.children.get(&number).copied().unwrap_or(0)
    }

    /// The items in a folder, at first level.
    pub(super) fn children(&self, folder: u64) -> Vec<u64> {
        (1..self.next)
            .filter(|number| self.present(*number).is_some_and(|item| item.parent == folder))
            .collect()
    }

    /// An item and the folders above it, up to the root.
    pub(super) fn chain(&self, number: u64) -> Vec<u64> {
        let mut chain = vec![number];
        let mut at = number;
        while at != 0 && chain.len() < DEEPEST {
            let Some(item) = self.item(at) else { break };
            at = item.parent;
            chain.push(at);
        }
        chain
    }

    /// The path from the root, as the names are.
    pub(super) fn path(&self, number: u64) -> String {
        let mut names: Vec<String> = self
            .chain(number)
            .into_iter()
            .filter(|above| *above != 0)
            .filter_map(|above| self.item(above).map(|item| item.name.clone()))
            .collect();
        names.reverse();
        format!("/{}", names.join("/"))
    }

    /// What was given on the item itself, if it has left its folder's permissions.
    pub(super) fn node(&self, number: u64) -> Option<Cow<'_, Node>> {
        if let Some(node) = self.nodes.get(&number) {
            return Some(Cow::Borrowed(node));
        }
        let stock = self.stock.as_ref()?;
        stock.node(number, self.seed).map(Cow::Owned)
    }

    /// Changes what was given on an item; a node is made where there is none.
    pub(super) fn edit_node(&mut self, number: u64, change: impl FnOnce(&mut Node)) {
        let mut node = self.node(number).map(Cow::into_owned).unwrap_or_default();
        change(&mut node);
        self.nodes.insert(number, node);
    }

    pub(super) fn note(&mut self, number: u64, cause: Cause, at: Timestamp) {
        self.log.push(Logged { number, cause, at });
    }

    pub(super) fn log(&self) -> &[Logged] {
        &self.log
    }

    /// How many items are there.
    pub(super) fn count(&self) -> u64 {
        let gone = self.items.values().filter(|item| item.deleted).count();
        (self.next - 1).saturating_sub(u64::try_from(gone).unwrap_or(0))
    }

    /// Everything that is stored of permissions.
    pub(super) fn nodes(&self) -> impl Iterator<Item = (u64, &Node)> {
        self.nodes.iter().map(|(number, node)| (*number, node))
    }

    /// The item and everything stored beneath it.
    pub(super) fn beneath(&self, number: u64) -> Vec<u64> {
        let within = |candidate: &u64| self.chain(*candidate).contains(&number);
        (1..self.next).filter(within).collect()
    }
}

impl Permission {
    pub(super) fn is_link(&self) -> bool {
        self.file.link.is_some()
    }
}
