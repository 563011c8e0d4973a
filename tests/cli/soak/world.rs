//! An organisation whose people go on sharing, moving, leaving and coming back, in both services.

use std::collections::{BTreeMap, BTreeSet};

use fastrand::Rng;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::harness::Stage;

/// Who is always there, in both services.
const MEMBERS: [&str; 5] = ["ada", "ben", "cleo", "dan", "eve"];
const GUEST: &str = "gus_partner.example.net#EXT#@example.onmicrosoft.com";
/// No more shares than about this are in each service.
const CROWDED: usize = 70;

/// How somebody stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    Here,
    Disabled,
    Gone,
}

/// Something that may be shared.
#[derive(Clone, Debug)]
struct Item {
    /// Whose: an account, a user principal name, or a site's path.
    owner: String,
    path: String,
    /// Whether it is granted to people rather than shared by links: nothing beneath it is shared then.
    granted: bool,
}

/// The world as whoever steers it knows it. What is shared is asked of the emulator.
#[derive(Debug)]
pub(super) struct World {
    /// The accounts of the Nextcloud.
    pub(super) accounts: BTreeMap<String, Standing>,
    /// The people of the tenant, by user principal name.
    pub(super) users: BTreeMap<String, Standing>,
    files: Vec<Item>,
    items: Vec<Item>,
    /// Paths of what was removed from drives; none is used again.
    pub(super) removed: BTreeSet<String>,
    locked: bool,
    serial: u64,
    /// How often what happened.
    pub(super) happened: BTreeMap<&'static str, u64>,
}

/// The world at its beginning.
pub(super) fn begin(now: &str) -> Value {
    let files = |name: &str| {
        let paths = (1..=4).map(|number| json!({"path": format!("/{name}{number}/a.txt"), "size": 9}));
        paths.collect::<Vec<_>>()
    };
    let account = |name: &str| {
        json!({"id": name, "name": name.to_uppercase(), "email": format!("{name}@example.org"), "groups": ["staff"],
            "last_login": "-1d", "timezone": "UTC", "files": files(name)})
    };
    let mut accounts = vec![
        json!({"id": "admin", "admin": true, "email": "admin@example.org", "last_login": "-1d"}),
        json!({"id": "gus", "name": "Gus", "email": "gus@partner.example.net", "groups": ["guest_app"],
            "backend": "Guests", "last_login": "-9d"}),
    ];
    accounts.extend(MEMBERS.map(account));
    let items = |name: &str| {
        let links = (1..=4).map(|number| json!({"path": format!("/{name}{number}/a.txt"), "size": 9}));
        let grants = (5..=7).map(|number| json!({"path": format!("/{name}{number}/"), "size": 9}));
        links.chain(grants).collect::<Vec<_>>()
    };
    let mut users: Vec<Value> = MEMBERS
        .iter()
        .map(|name| json!({"upn": format!("{name}@example.org"), "name": name.to_uppercase(), "items": items(name)}))
        .collect();
    users.push(json!({"upn": GUEST, "name": "Gus", "mail": "gus@partner.example.net", "guest": true}));
    json!({
        "schema": "sharewarden.world/v1",
        "now": now,
        "nextcloud": {
            "settings": {"statistics_token": "soak-statistics-token"},
            "ex_apps": [{"id": "sharewarden", "secret": "soak-app-secret"}],
            "groups": [{"id": "staff"}, {"id": "students"}, {"id": "guest_app"}],
            "accounts": accounts,
            "shares": [
                {"type": "link", "owner": "ada", "path": "/ada1"},
                {"type": "link", "owner": "ben", "path": "/ben1", "permissions": 15},
                {"type": "user", "owner": "cleo", "path": "/cleo1", "recipient": "dan", "permissions": 31},
            ],
        },
        "microsoft365": {
            "tenant": {"id": "5a11e57e-0000-4000-8000-000000000365", "domain": "example.org", "name": "Example",
                "verified_domains": ["example.org", "example.onmicrosoft.com"]},
            "app": {"client_id": "a0d17000-0000-4000-8000-000000000001", "secret": "soak-client-secret",
                "roles": ["User.Read.All", "GroupMember.Read.All", "Sites.FullControl.All",
                    "SharePointTenantSettings.Read.All"]},
            "users": users,
            "groups": [{"name": "Laboratory", "mail": "lab@example.org", "unified": true,
                "members": ["ada@example.org", "ben@example.org"], "owners": ["ben@example.org"]}],
            "sites": [{"path": "/sites/lab", "name": "Laboratory", "group": "Laboratory",
                "drives": [{"name": "Documents", "items": items("lab")}]}],
            "permissions": [
                {"owner": "ada@example.org", "path": "/ada1", "link": {"scope": "anonymous", "type": "edit"}},
                {"owner": "eve@example.org", "path": "/eve1", "link": {"scope": "anonymous", "type": "view"}},
            ],
        },
    })
}

impl World {
    pub(super) fn new() -> Self {
        let numbered = |owner: &str, name: &str, numbers: std::ops::RangeInclusive<u32>, granted| {
            let items = numbers.map(|number| Item {
                owner: owner.to_owned(),
                path: format!("/{name}{number}"),
                granted,
            });
            items.collect::<Vec<_>>()
        };
        let upn = |name: &str| format!("{name}@example.org");
        let mut items = Vec::new();
        for (owner, name) in MEMBERS
            .iter()
            .map(|name| (upn(name), *name))
            .chain([("/sites/lab".to_owned(), "lab")])
        {
            items.extend(numbered(&owner, name, 1..=4, false));
            items.extend(numbered(&owner, name, 5..=7, true));
        }
        let others = ["admin", "gus"];
        Self {
            accounts: MEMBERS
                .iter()
                .chain(&others)
                .map(|name| ((*name).to_owned(), Standing::Here))
                .collect(),
            users: MEMBERS
                .iter()
                .map(|name| (upn(name), Standing::Here))
                .chain([(GUEST.to_owned(), Standing::Here)])
                .collect(),
            files: MEMBERS
                .iter()
                .flat_map(|name| numbered(name, name, 1..=4, false))
                .collect(),
            items,
            removed: BTreeSet::new(),
            locked: false,
            serial: 0,
            happened: BTreeMap::new(),
        }
    }

    fn next(&mut self) -> u64 {
        self.serial += 1;
        self.serial
    }

    /// Something happens; what did, in a word, where it could.
    pub(super) fn happens(&mut self, stage: &Stage, random: &mut Rng, now: Timestamp) -> Option<String> {
        let (what, change) = if random.bool() {
            self.in_nextcloud(stage, random, now)?
        } else {
            self.in_tenant(stage, random, now)?
        };
        match stage.try_to_change(&change) {
            Ok(_) => {
                *self.happened.entry(what).or_default() += 1;
                Some(format!("{what}: {change}"))
            }
            // Nobody can do that: the same thing is shared with the same person, or the name is taken.
            Err(why) => Some(format!("{what} refused: {change}: {why}")),
        }
    }

    fn in_nextcloud(
        &mut self,
        stage: &Stage,
        random: &mut Rng,
        now: Timestamp,
    ) -> Option<(&'static str, Value)> {
        let stored = stage.stored();
        let share = choose(random, &stored).map(|row| row["id"].clone());
        let of_a_kind = |kinds: &[u64]| -> Vec<Value> {
            let rows = stored.iter();
            rows.filter(|row| kinds.contains(&row["type"].as_u64().unwrap()))
                .map(|row| row["id"].clone())
                .collect()
        };
        let links = of_a_kind(&[3, 4]);
        let link = choose(random, &links).cloned();
        if random.usize(0..CROWDED) > stored.len() {
            return Some(("share added", self.new_share(&stored, random, now)?));
        }
        Some(match random.u32(0..100) {
            0..20 if stored.len() < CROWDED => ("share added", self.new_share(&stored, random, now)?),
            0..50 => ("share removed", json!({"do": "remove", "share": share?})),
            50..57 => {
                let password = random.bool().then_some("Soak-World-42");
                (
                    "password changed",
                    json!({"do": "update", "share": link?, "set": {"password": password}}),
                )
            }
            57..65 => (
                "end date changed",
                json!({"do": "update", "share": link?, "set": {"expires": day(random, now)}}),
            ),
            65..72 => {
                let permissions = [1, 3, 15, 17][random.usize(0..4)];
                (
                    "rights changed",
                    json!({"do": "update", "share": link?, "set": {"permissions": permissions}}),
                )
            }
            72..80 => self.an_account(random)?,
            80..100 => self.a_file(random)?,
            _ => return None,
        })
    }

    fn new_share(&mut self, stored: &[Value], random: &mut Rng, now: Timestamp) -> Option<Value> {
        // Somebody who has something shares it on.
        let handed: Vec<&Value> = stored
            .iter()
            .filter(|row| row["type"] == 0 && row["path"].is_string() && row["recipient"] != "gus")
            .collect();
        if random.u32(0..6) == 0
            && let Some(row) = choose(random, &handed)
        {
            return Some(
                json!({"do": "add", "share": {"type": "link", "owner": row["owner"], "path": row["path"],
                "sharer": row["recipient"], "permissions": 1, "expires": day(random, now)}}),
            );
        }
        let item = choose(random, &self.files)?.clone();
        let is_file = random.u32(0..3) == 0;
        let path = if is_file {
            format!("{}/a.txt", item.path)
        } else {
            item.path.clone()
        };
        let rights: &[u64] = if is_file { &[1, 3, 17] } else { &[1, 4, 5, 15, 17] };
        let mut share =
            json!({"owner": item.owner, "path": path, "permissions": rights[random.usize(0..rights.len())]});
        let password = (random.u32(0..3) == 0).then_some("Soak-World-42");
        match random.u32(0..10) {
            0..5 => {
                share["type"] = json!("link");
                share["password"] = json!(password);
                share["expires"] = json!(day(random, now));
            }
            5..7 => {
                share["type"] = json!("mail");
                let recipients = ["x@evil.example.net", "y@partner.example.net", "z@example.org"];
                share["recipient"] = json!(recipients[random.usize(0..3)]);
                share["password"] = json!(password);
                share["expires"] = json!(day(random, now));
                share["permissions"] = json!(1);
            }
            7 => {
                share["type"] = json!("user");
                let names = MEMBERS.iter().chain(&["gus"]);
                let names: Vec<&&str> = names.filter(|name| **name != item.owner).collect();
                share["recipient"] = json!(names[random.usize(0..names.len())]);
                share["permissions"] = json!(if is_file { 19 } else { 31 });
                share["target"] = json!(format!("/from {} {}", item.owner, self.next()));
            }
            8 => {
                share["type"] = json!("group");
                share["recipient"] = json!(["staff", "students"][random.usize(0..2)]);
                share["permissions"] = json!(17);
            }
            _ => {
                share["type"] = json!("federated");
                share["recipient"] =
                    json!(["v@cloud.evil.example", "w@cloud2.example.org"][random.usize(0..2)]);
                share["permissions"] = json!(19);
            }
        }
        Some(json!({"do": "add", "share": share}))
    }

    /// Somebody comes, goes, or is locked out.
    fn an_account(&mut self, random: &mut Rng) -> Option<(&'static str, Value)> {
        let others: Vec<String> = self
            .accounts
            .keys()
            .filter(|name| !["admin", "gus"].contains(&name.as_str()))
            .cloned()
            .collect();
        let of_passage: Vec<String> = others
            .iter()
            .filter(|name| !MEMBERS.contains(&name.as_str()))
            .cloned()
            .collect();
        match random.u32(0..4) {
            0 if of_passage.len() < 4 => {
                let name = format!("temp{}", self.next());
                self.accounts.insert(name.clone(), Standing::Here);
                for number in 1..=2 {
                    self.files.push(Item {
                        owner: name.clone(),
                        path: format!("/{name}-{number}"),
                        granted: false,
                    });
                }
                Some((
                    "account added",
                    json!({"do": "add", "account": {"id": name, "name": name, "email": format!("{name}@example.org"),
                        "groups": ["staff"], "last_login": "-1d", "timezone": "UTC", "files": [
                            {"path": format!("/{name}-1/a.txt"), "size": 9},
                            {"path": format!("/{name}-2/a.txt"), "size": 9}]}}),
                ))
            }
            1 => {
                let name = choose(random, &of_passage)?.clone();
                self.accounts.remove(&name);
                self.files.retain(|item| item.owner != name);
                Some(("account removed", json!({"do": "remove", "account": name})))
            }
            _ => {
                let disabled = others
                    .iter()
                    .filter(|name| self.accounts[*name] == Standing::Disabled)
                    .count();
                let name = choose(random, &others)?;
                let standing = self.accounts.get_mut(name)?;
                *standing = match standing {
                    Standing::Here if disabled < 2 => Standing::Disabled,
                    _ => Standing::Here,
                };
                let enabled = *standing == Standing::Here;
                let what = if enabled {
                    "account enabled"
                } else {
                    "account disabled"
                };
                Some((
                    what,
                    json!({"do": "update", "account": name, "set": {"enabled": enabled}}),
                ))
            }
        }
    }

    /// Something is made, moved, handed over, thrown away or taken out of the trash.
    fn a_file(&mut self, random: &mut Rng) -> Option<(&'static str, Value)> {
        let serial = self.next();
        if self.files.len() < 16 || random.u32(0..6) == 0 && self.files.len() < 40 {
            let owners: Vec<&String> = self.accounts.keys().filter(|name| *name != "gus").collect();
            let owner = (*choose(random, &owners)?).clone();
            let path = format!("/{owner}-{serial}");
            let change =
                json!({"do": "add", "owner": owner, "file": {"path": format!("{path}/a.txt"), "size": 9}});
            self.files.push(Item {
                owner,
                path,
                granted: false,
            });
            return Some(("file added", change));
        }
        let at = random.usize(0..self.files.len());
        let people: Vec<String> = self
            .accounts
            .keys()
            .filter(|name| *name != "gus")
            .cloned()
            .collect();
        let item = self.files.get_mut(at)?;
        let (owner, path) = (item.owner.clone(), item.path.clone());
        Some(match random.u32(0..6) {
            0..3 => {
                item.path = format!("/moved-{serial}/{owner}");
                (
                    "file moved",
                    json!({"do": "update", "owner": owner, "file": path, "set": {"path": item.path}}),
                )
            }
            3..5 => {
                let heirs: Vec<&String> = people.iter().filter(|name| **name != owner).collect();
                let heir = (*choose(random, &heirs)?).clone();
                item.path = format!("/Transferred from {owner}{path}");
                item.owner.clone_from(&heir);
                (
                    "file handed over",
                    json!({"do": "transfer", "owner": owner, "file": path, "set": {"owner": heir}}),
                )
            }
            _ => {
                self.files.remove(at);
                (
                    "file removed",
                    json!({"do": "remove", "owner": owner, "file": path}),
                )
            }
        })
    }

    fn in_tenant(
        &mut self,
        stage: &Stage,
        random: &mut Rng,
        now: Timestamp,
    ) -> Option<(&'static str, Value)> {
        let stored: Vec<Value> = stage
            .permissions()
            .into_iter()
            .filter(|row| self.is_there(row["path"].as_str().unwrap()))
            .collect();
        let named = |row: &Value| {
            let path = row["path"].as_str().unwrap().to_owned();
            let (key, owner) = self.place_of(&path)?;
            Some(json!({"service": "graph", key: owner, "path": path, "permission": row["id"]}))
        };
        let with = |change: Option<Value>, what: &str, set: Value| {
            let mut change = change?;
            change["do"] = json!(what);
            if !set.is_null() {
                change["set"] = set;
            }
            Some(change)
        };
        let any = choose(random, &stored).and_then(named);
        let links: Vec<&Value> = stored.iter().filter(|row| !row["link"].is_null()).collect();
        let link = choose(random, &links).copied();
        if random.usize(0..CROWDED) > stored.len() {
            return Some(("permission added", self.new_permission(&stored, random, now)?));
        }
        Some(match random.u32(0..100) {
            0..20 if stored.len() < CROWDED => {
                ("permission added", self.new_permission(&stored, random, now)?)
            }
            0..55 => ("permission removed", with(any, "remove", Value::Null)?),
            55..65 => {
                let end = instant(random, now);
                (
                    "end date changed",
                    with(link.and_then(named), "update", json!({"expires": end}))?,
                )
            }
            65..72 => {
                let password = random.bool().then_some("Soak-World-42");
                let link = link?;
                let facet = json!({"scope": link["link"]["scope"], "type": link["link"]["type"],
                    "people": link["link"]["people"], "password": password});
                (
                    "password changed",
                    with(named(link), "update", json!({"link": facet}))?,
                )
            }
            72..80 => self.a_user(random)?,
            80..90 => self.an_item(random)?,
            90..93 => {
                self.locked = !self.locked;
                (
                    "site locked or unlocked",
                    json!({"do": "update", "site": "/sites/lab", "set": {"locked": self.locked}}),
                )
            }
            93..97 => {
                let upns: Vec<&String> = self.users.keys().filter(|upn| *upn != GUEST).collect();
                (
                    "delta token lost",
                    json!({"service": "graph", "do": "reset", "drive": true, "owner": choose(random, &upns)?}),
                )
            }
            _ => ("access tokens lost", json!({"do": "reset", "tokens": true})),
        })
    }

    /// Whether an item of a drive is there.
    pub(super) fn is_there(&self, path: &str) -> bool {
        !self.removed.iter().any(|gone| lies(path, gone))
    }

    /// Whose an item of a drive is, as changes and permissions name it.
    fn place_of(&self, path: &str) -> Option<(&'static str, &str)> {
        let item = self.items.iter().find(|item| lies(path, &item.path))?;
        let key = if item.owner.starts_with('/') {
            "site"
        } else {
            "owner"
        };
        Some((key, &item.owner))
    }

    /// How whoever owns an item of a drive stands; nobody owns a site's.
    pub(super) fn owner_of(&self, path: &str) -> Option<Standing> {
        let (key, owner) = self.place_of(path)?;
        (key == "owner").then(|| self.users.get(owner).copied().unwrap_or(Standing::Gone))
    }

    fn new_permission(&mut self, stored: &[Value], random: &mut Rng, now: Timestamp) -> Option<Value> {
        let item = choose(random, &self.items)?.clone();
        let end = instant(random, now);
        let id = format!("22222222-0000-4000-8000-{:012}", self.next());
        let kind = ["view", "edit"][random.usize(0..2)];
        let mut permission = if item.granted {
            let whom = [
                json!({"user": GUEST}),
                json!({"user": "ben@example.org"}),
                json!({"user": "dan@example.org"}),
                json!({"otp": "x@evil.example.net"}),
                json!({"otp": "y@partner.example.net"}),
                json!({"everyone_except_external": true}),
                json!({"everyone": true}),
                json!({"group": "Laboratory"}),
            ];
            let role = ["read", "write"][random.usize(0..2)];
            json!({"grant": whom[random.usize(0..whom.len())], "roles": [role]})
        } else {
            let password = (random.u32(0..3) == 0).then_some("Soak-World-42");
            match random.u32(0..5) {
                0..3 => json!({"id": id, "link": {"scope": "anonymous", "type": kind, "password": password}}),
                3 => json!({"id": id, "link": {"scope": "organization", "type": kind}}),
                _ => json!({"id": id, "link": {"scope": "users", "type": kind,
                    "people": [{"user": GUEST}, {"otp": "x@evil.example.net"}]}}),
            }
        };
        let is_file = !item.granted && random.bool();
        permission["path"] = json!(if is_file {
            format!("{}/a.txt", item.path)
        } else {
            item.path.clone()
        });
        // What somebody has anyway is no share.
        if permission["grant"]["user"] == item.owner
            || (permission["grant"]["group"].is_string() && item.owner.starts_with('/'))
        {
            return None;
        }
        // There is one link of a scope and type on an item, and one grant to somebody.
        let is_there = stored.iter().any(|row| {
            let alike = |key: &str| row["link"][key] == permission["link"][key];
            row["path"] == permission["path"]
                && row["grant"] == permission["grant"]
                && (row["link"].is_null() == permission["link"].is_null() && alike("scope") && alike("type"))
        });
        if is_there {
            return None;
        }
        if permission["grant"].is_null() || random.u32(0..3) == 0 {
            permission["expires"] = json!(end);
        }
        let key = if item.owner.starts_with('/') {
            "site"
        } else {
            "owner"
        };
        permission[key] = json!(item.owner);
        Some(json!({"do": "add", "permission": permission}))
    }

    fn a_user(&mut self, random: &mut Rng) -> Option<(&'static str, Value)> {
        let of_passage: Vec<String> = self
            .users
            .keys()
            .filter(|upn| upn.starts_with("temp"))
            .cloned()
            .collect();
        match random.u32(0..4) {
            0 if of_passage.len() < 6 => {
                let name = format!("temp{}", self.next());
                let upn = format!("{name}@example.org");
                self.users.insert(upn.clone(), Standing::Here);
                for number in 1..=2 {
                    self.items.push(Item {
                        owner: upn.clone(),
                        path: format!("/{name}-{number}"),
                        granted: false,
                    });
                }
                Some((
                    "drive appeared",
                    json!({"do": "add", "user": {"upn": upn, "name": name, "items": [
                        {"path": format!("/{name}-1/a.txt"), "size": 9},
                        {"path": format!("/{name}-2/a.txt"), "size": 9}]}}),
                ))
            }
            1 => {
                let here: Vec<&String> = of_passage
                    .iter()
                    .filter(|upn| self.users[*upn] != Standing::Gone)
                    .collect();
                let upn = (*choose(random, &here)?).clone();
                self.users.insert(upn.clone(), Standing::Gone);
                Some(("user removed", json!({"do": "remove", "user": upn})))
            }
            _ => {
                let disabled = self
                    .users
                    .values()
                    .filter(|standing| **standing == Standing::Disabled)
                    .count();
                let here: Vec<String> = self
                    .users
                    .iter()
                    .filter(|(upn, standing)| *upn != GUEST && **standing != Standing::Gone)
                    .map(|(upn, _)| upn.clone())
                    .collect();
                let upn = choose(random, &here)?;
                let standing = self.users.get_mut(upn)?;
                *standing = match standing {
                    Standing::Here if disabled < 2 => Standing::Disabled,
                    _ => Standing::Here,
                };
                let enabled = *standing == Standing::Here;
                let what = if enabled { "user enabled" } else { "user disabled" };
                Some((
                    what,
                    json!({"do": "update", "user": upn, "set": {"enabled": enabled}}),
                ))
            }
        }
    }

    fn an_item(&mut self, random: &mut Rng) -> Option<(&'static str, Value)> {
        let serial = self.next();
        if self.items.len() < 30 {
            let upns: Vec<&String> = self
                .users
                .iter()
                .filter(|(upn, standing)| *upn != GUEST && **standing == Standing::Here)
                .map(|(upn, _)| upn)
                .collect();
            let owner = (*choose(random, &upns)?).clone();
            let path = format!("/new-{serial}");
            let change =
                json!({"do": "add", "owner": owner, "item": {"path": format!("{path}/a.txt"), "size": 9}});
            self.items.push(Item {
                owner,
                path,
                granted: false,
            });
            return Some(("item added", change));
        }
        let at = random.usize(0..self.items.len());
        let item = self.items.get_mut(at)?;
        let key = if item.owner.starts_with('/') {
            "site"
        } else {
            "owner"
        };
        let (owner, path) = (item.owner.clone(), item.path.clone());
        if random.u32(0..3) > 0 {
            item.path = format!("/moved-{serial}/thing");
            return Some((
                "item moved",
                json!({"service": "graph", "do": "update", key: owner, "item": path, "set": {"path": item.path}}),
            ));
        }
        self.items.remove(at);
        self.removed.insert(path.clone());
        Some((
            "item removed",
            json!({"service": "graph", "do": "remove", key: owner, "item": path}),
        ))
    }

    /// What keeps something from being read is set right.
    pub(super) fn calms_down(&mut self, stage: &Stage) {
        self.locked = false;
        stage.change(&json!({"do": "update", "site": "/sites/lab", "set": {"locked": false}}));
    }
}

/// Whether something is a folder, or lies in it.
fn lies(path: &str, folder: &str) -> bool {
    path.strip_prefix(folder)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn choose<'a, T>(random: &mut Rng, among: &'a [T]) -> Option<&'a T> {
    random.choice(among)
}

fn ahead(random: &mut Rng, now: Timestamp) -> Option<Timestamp> {
    let days = [0, 0, 0, 2, 10, 40, 150, 400][random.usize(0..8)];
    (days > 0).then(|| now + SignedDuration::from_hours(24 * (days + random.i64(0..3))))
}

/// A day ahead, as a Nextcloud keeps ends, or none.
fn day(random: &mut Rng, now: Timestamp) -> Option<String> {
    ahead(random, now).map(|at| at.strftime("%Y-%m-%d").to_string())
}

fn instant(random: &mut Rng, now: Timestamp) -> Option<String> {
    ahead(random, now).map(|at| at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string())
}
