use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Value, json};

use super::*;
use crate::model::{Classes, Principal, PrincipalClass, Relist, SourceName};
use crate::provider::microsoft365::people::Directory;
use crate::provider::microsoft365::tree;
use crate::provider::microsoft365::wire::salvage;

/// How the service says that a permission comes from above.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Says {
    Nothing,
    That,
    Whence,
}

const EVERY: [Says; 3] = [Says::Nothing, Says::That, Says::Whence];

/// A folder of an invented drive.
#[derive(Clone, Debug)]
struct Node {
    id: String,
    parent: Option<usize>,
    /// The summary of its sharing; nothing where it has what lies above.
    shared: Option<Value>,
    links: Vec<String>,
    /// Its own grants; nothing where it has those of the folder above.
    grants: Option<Vec<String>>,
}

fn node(id: &str, parent: usize) -> Node {
    Node {
        id: id.to_owned(),
        parent: Some(parent),
        shared: None,
        links: Vec::new(),
        grants: None,
    }
}

fn top() -> Node {
    Node {
        parent: None,
        grants: Some(Vec::new()),
        ..node("top", 0)
    }
}

impl Node {
    fn open(mut self) -> Self {
        self.shared = Some(json!({"scope": "users"}));
        self
    }

    /// It has permissions of its own, and is shared with nobody.
    fn closed(mut self) -> Self {
        self.shared = Some(json!({}));
        self.grants = Some(Vec::new());
        self
    }

    fn link(mut self, id: &str) -> Self {
        self.links.push(id.to_owned());
        self.open()
    }

    fn grant(mut self, name: &str) -> Self {
        self.grants.get_or_insert_default().push(name.to_owned());
        self.open()
    }
}

fn claim(name: &str) -> String {
    URL_SAFE_NO_PAD.encode(format!("i:0#.f|membership|{name}@x.example"))
}

fn write_link(id: &str, address: bool) -> Value {
    let mut told = json!({"id": id, "roles": ["read"], "hasPassword": false, "grantedToIdentitiesV2": [],
        "link": {"scope": "anonymous", "type": "view"}});
    if address {
        told["link"]["webUrl"] = json!(format!("https://x.example/:f:/{id}"));
    }
    told
}

fn write_grant(name: &str) -> Value {
    json!({"id": claim(name), "roles": ["read"], "grantedToV2": {"user": {"displayName": name}}})
}

/// A drive as the service tells it.
#[derive(Clone, Debug)]
struct World {
    nodes: Vec<Node>,
    says: Says,
    /// Whether the caller may see the addresses of links.
    addresses: bool,
}

impl World {
    fn of(nodes: &[Node], says: Says) -> Self {
        Self {
            nodes: nodes.to_vec(),
            says,
            addresses: true,
        }
    }

    fn place(&self, id: &str) -> usize {
        self.nodes.iter().position(|node| node.id == id).unwrap()
    }

    fn chain(&self, place: usize) -> impl Iterator<Item = &Node> {
        std::iter::successors(Some(&self.nodes[place]), |node| {
            node.parent.map(|parent| &self.nodes[parent])
        })
    }

    /// What the service lists at an item: links of all folders above, grants of the nearest with grants of its own.
    fn permissions(&self, id: &str) -> Vec<Value> {
        let mark = |mut told: Value, whose: &str| {
            if whose != id {
                match self.says {
                    Says::Nothing => {}
                    Says::That => told["inheritedFrom"] = json!({}),
                    Says::Whence => told["inheritedFrom"] = json!({"driveId": "b!", "id": whose}),
                }
            }
            told
        };
        let mut told = Vec::new();
        for node in self.chain(self.place(id)) {
            let links = node.links.iter();
            told.extend(links.map(|link| mark(write_link(link, self.addresses), &node.id)));
        }
        let granting = self.chain(self.place(id)).find(|node| node.grants.is_some());
        if let Some(node) = granting {
            let grants = node.grants.iter().flatten();
            told.extend(grants.map(|name| mark(write_grant(name), &node.id)));
        }
        told
    }

    /// What is to be told: each link where it was made, each grant where it is not what lies above anyway.
    fn expected(&self) -> Vec<Seen> {
        let mut expected = Vec::new();
        for node in &self.nodes {
            let own = |id: &str| (node.id.clone(), id.to_owned(), false);
            expected.extend(node.links.iter().map(|link| own(link)));
            let above = node
                .parent
                .and_then(|parent| self.chain(parent).find(|node| node.grants.is_some()))
                .and_then(|above| above.grants.clone())
                .unwrap_or_default();
            let grants = node.grants.iter().flatten().filter(|name| !above.contains(name));
            expected.extend(grants.map(|name| own(&claim(name))));
        }
        expected.sort();
        expected
    }

    fn seen(&self) -> Vec<Seen> {
        let mut seen = scan(&self.nodes, &|id| Some(self.permissions(id)));
        seen.sort();
        seen
    }
}

/// The item, the permission, and whether it is said to come from above.
type Seen = (String, String, bool);

fn seen_in(found: Vec<Found>) -> impl Iterator<Item = Seen> {
    found.into_iter().map(|found| {
        let mut parts = found.share.id.splitn(3, '/').skip(1).map(str::to_owned);
        let (item, permission) = (parts.next().unwrap(), parts.next().unwrap());
        (item, permission, found.share.inherited)
    })
}

/// What is told of a drive in the end, where the service lists these permissions, or fails.
fn scan(nodes: &[Node], lists: &dyn Fn(&str) -> Option<Vec<Value>>) -> Vec<Seen> {
    let mut memory = Memory::new(&Classes::compile(&[]).unwrap());
    take(&mut memory, nodes);
    night(&mut memory, 0, lists)
}

fn take(memory: &mut Memory, nodes: &[Node]) {
    for node in nodes {
        memory.tree.take(tell(node, nodes));
    }
    memory.tree.settle();
}

fn tell(node: &Node, nodes: &[Node]) -> tree::Told {
    let mut item = json!({"id": node.id, "name": node.id, "folder": {}});
    match node.parent {
        Some(parent) => item["parentReference"] = json!({"id": nodes[parent].id}),
        None => item["root"] = json!({}),
    }
    if let Some(facet) = &node.shared {
        item["shared"] = facet.clone();
    }
    serde_json::from_str(&item.to_string()).unwrap()
}

/// What is told in a night in which nothing is listed but what may have changed.
fn night(memory: &mut Memory, now: i64, lists: &dyn Fn(&str) -> Option<Vec<Value>>) -> Vec<Seen> {
    let none = Relist {
        now: Timestamp::from_second(now).unwrap(),
        before: Timestamp::from_second(0).unwrap(),
        least: 0,
    };
    let mut waiting = memory.tree.due(&none);
    let classes = Classes::compile(&[]).unwrap();
    let beneath = memory.tree.beneath(&classes);
    let drive = Drive {
        id: "b!".into(),
        address: "https://x.example".into(),
        owner: Principal::new(PrincipalClass::Site, "https://x.example"),
        group: None,
        consumer: false,
    };
    let (source, people) = (SourceName::new("m365"), Directory::default());
    let decoder = Decoder {
        source: &source,
        drive: &drive,
        people: &people,
        key: memory.tree.key,
    };
    let mut listing = Listing::new(memory, decoder, (&beneath, &classes), &waiting, now);
    let mut seen = Vec::new();
    while !waiting.is_empty() {
        for digest in &waiting {
            let root = listing.tree().root(*digest).unwrap().clone();
            let found = match lists(&root.id) {
                Some(told) => {
                    let told = told.iter().map(|told| salvage(&told.to_string())).collect();
                    let listed = listing.shares(&root, &listing.item(&root), told);
                    let heard = Heard {
                        at: now,
                        whole: true,
                        told: listed.own,
                    };
                    listing.memory.tree.heard(*digest, heard, (&beneath, &classes));
                    listed.found
                }
                None => listing.fail(&root, *digest),
            };
            seen.extend(seen_in(found));
        }
        waiting = std::mem::take(&mut listing.further);
    }
    seen.extend(seen_in(listing.release_all()));
    assert_eq!(listing.outcome.unread, 0);
    seen
}

fn seen(item: &str, permission: &str, inherited: bool) -> Seen {
    (item.to_owned(), permission.to_owned(), inherited)
}

#[test]
fn a_link_and_a_grant_are_told_where_they_were_made() {
    for says in EVERY {
        let world = World::of(
            &[
                top(),
                node("a", 0).link("L1").grant("ada"),
                node("b", 1).link("L2"),
                node("c", 2).open(),
                node("d", 1).grant("ada").grant("bob"),
            ],
            says,
        );
        let mut expected = vec![
            seen("a", "L1", false),
            seen("a", &claim("ada"), false),
            seen("b", "L2", false),
            seen("d", &claim("bob"), false),
        ];
        expected.sort();
        assert_eq!(world.seen(), expected, "{says:?}");
        let unseen = World {
            addresses: false,
            ..world
        };
        assert_eq!(unseen.seen(), expected, "{says:?} without addresses");
    }
}

#[test]
fn what_stands_on_the_top_is_told_there() {
    for says in EVERY {
        let world = World::of(&[top().grant("ada").link("L"), node("a", 0).link("M")], says);
        let mut expected = vec![
            seen("top", "L", false),
            seen("top", &claim("ada"), false),
            seen("a", "M", false),
        ];
        expected.sort();
        assert_eq!(world.seen(), expected, "{says:?}");
    }
}

#[test]
fn a_link_is_known_by_its_address_or_by_its_id_and_roles() {
    let nodes = [top(), node("a", 0).link("L"), node("b", 1).open()];
    let told = |below: Value| {
        scan(&nodes, &move |id| {
            Some(match id {
                "a" => vec![write_link("L", true)],
                "b" => vec![below.clone()],
                _ => Vec::new(),
            })
        })
    };
    let mut renamed = write_link("L", true);
    renamed["id"] = json!("other");
    let mut readdressed = write_link("L", true);
    readdressed["link"]["webUrl"] = json!("https://x.example/:f:/else");
    for same in [
        write_link("L", true),
        write_link("L", false),
        renamed.clone(),
        readdressed,
    ] {
        assert_eq!(told(same.clone()), [seen("a", "L", false)], "{same}");
    }
    renamed["link"]["webUrl"] = Value::Null;
    assert_eq!(told(renamed), [seen("a", "L", false), seen("b", "other", false)]);
    let mut wider = write_link("L", false);
    wider["roles"] = json!(["write"]);
    assert_eq!(told(wider), [seen("a", "L", false), seen("b", "L", false)]);
}

#[test]
fn a_grant_of_another_role_is_another_grant() {
    let nodes = [top(), node("a", 0).grant("ada"), node("b", 1).grant("ada")];
    let told = scan(&nodes, &|id| {
        let mut told = write_grant("ada");
        match id {
            "a" => {}
            "b" => told["roles"] = json!(["write"]),
            _ => return Some(Vec::new()),
        }
        Some(vec![told])
    });
    assert_eq!(
        told,
        [seen("a", &claim("ada"), false), seen("b", &claim("ada"), false)]
    );
}

#[test]
fn what_siblings_have_from_a_folder_without_a_summary_is_told_at_it_where_it_is_named() {
    // The service told no sharing of the folder, and yet it is shared.
    let above = Node {
        shared: None,
        ..node("a", 0).link("L").grant("ada")
    };
    let nodes = [top(), above, node("b", 1).open(), node("c", 1).open()];
    let everywhere = |inherited| {
        let mut seen = vec![
            seen("b", "L", inherited),
            seen("c", "L", inherited),
            seen("b", &claim("ada"), inherited),
            seen("c", &claim("ada"), inherited),
        ];
        seen.sort();
        seen
    };
    let whence = World::of(&nodes, Says::Whence);
    assert_eq!(whence.seen(), whence.expected());
    assert_eq!(World::of(&nodes, Says::That).seen(), everywhere(true));
    assert_eq!(World::of(&nodes, Says::Nothing).seen(), everywhere(false));
}

#[test]
fn what_the_folder_that_is_named_does_not_tell_is_told_where_it_was_seen() {
    let above = Node {
        shared: None,
        ..node("a", 0).link("L")
    };
    let nodes = [top(), above, node("b", 1).open(), node("c", 1).open()];
    let world = World::of(&nodes, Says::Whence);
    let both = [seen("b", "L", true), seen("c", "L", true)];
    for answer in [None, Some(Vec::new())] {
        let told = scan(&nodes, &|id| {
            if id == "a" {
                answer.clone()
            } else {
                Some(world.permissions(id))
            }
        });
        assert_eq!(told, both, "{answer:?}");
    }
    // One that was to be listed anyway.
    let listed = [top(), node("a", 0).link("L"), node("b", 1).open()];
    let world = World::of(&listed, Says::Whence);
    let told = scan(&listed, &|id| (id != "a").then(|| world.permissions(id)));
    assert_eq!(told, [seen("b", "L", true)]);
}

#[test]
fn a_folder_that_is_named_and_not_known_holds_nothing_back() {
    let nodes = [top(), node("a", 0).open()];
    for named in ["elsewhere", "a", "", "top"] {
        let told = scan(&nodes, &|id| {
            let mut link = write_link("L", true);
            link["inheritedFrom"] = json!({"id": named});
            Some(if id == "a" { vec![link] } else { Vec::new() })
        });
        assert_eq!(told, [seen("a", "L", true)], "{named}");
    }
}

#[test]
fn a_closed_folder_stops_grants_and_lets_links_through() {
    for says in EVERY {
        let nodes = [
            top(),
            node("a", 0).link("L").grant("ada"),
            node("b", 1).closed(),
            node("c", 2).grant("ada"),
        ];
        let world = World::of(&nodes, says);
        let mut expected = vec![
            seen("a", "L", false),
            seen("a", &claim("ada"), false),
            seen("c", &claim("ada"), false),
        ];
        expected.sort();
        assert_eq!(world.seen(), expected, "{says:?}");
        assert_eq!(world.expected(), expected);
    }
}

#[test]
fn a_copy_that_stayed_after_the_grant_above_was_removed_is_told() {
    for says in EVERY {
        let world = World::of(
            &[
                top(),
                node("a", 0).grant("bob"),
                node("b", 1).grant("ada").grant("bob"),
            ],
            says,
        );
        let mut expected = vec![seen("a", &claim("bob"), false), seen("b", &claim("ada"), false)];
        expected.sort();
        assert_eq!(world.seen(), expected, "{says:?}");
    }
}

#[test]
fn no_more_is_held_back_than_fits() {
    let nodes = [top(), node("a", 0), node("b", 1).open()];
    let many = HELD + 5;
    let told = scan(&nodes, &|id| {
        let links = (0..many).map(|number| {
            let mut link = write_link(&format!("L{number}"), true);
            link["inheritedFrom"] = json!({"id": "a"});
            link
        });
        Some(if id == "b" { links.collect() } else { Vec::new() })
    });
    assert_eq!(told.len(), many, "none is lost");
}

fn nodes() -> impl Strategy<Value = Vec<Node>> {
    let told = (
        any::<Index>(),
        0_u8..4,
        prop::collection::vec(0_u8..4, 0..3),
        any::<bool>(),
    );
    prop::collection::vec(told, 0..14).prop_map(|told| {
        let mut nodes = vec![top()];
        for (place, (parent, kind, names, linked)) in told.into_iter().enumerate() {
            let mut it = node(&format!("n{place}"), parent.index(nodes.len()));
            if kind == 0 {
                it = it.closed();
            } else if kind == 1 {
                for name in ["ada", "bob", "eve", "joe"]
                    .iter()
                    .enumerate()
                    .filter_map(|(number, name)| {
                        names.contains(&u8::try_from(number).unwrap()).then_some(*name)
                    })
                {
                    it = it.grant(name);
                }
            }
            if linked && kind != 0 {
                it = it.link(&format!("L{place}"));
            }
            nodes.push(it);
        }
        nodes
    })
}

proptest! {
    #[test]
    fn however_inheritance_is_told_each_share_is_told_once_at_its_root(
        nodes in nodes(), addresses in any::<bool>(), keys in prop::collection::vec(any::<u32>(), 1..20),
    ) {
        for says in EVERY {
            let world = World { addresses, ..World::of(&nodes, says) };
            prop_assert_eq!(world.seen(), world.expected(), "{:?}", says);
            let mut shuffled = scan(&nodes, &|id| {
                let mut told: Vec<_> = world.permissions(id).into_iter().enumerate().collect();
                told.sort_by_key(|(turn, _)| keys[turn % keys.len()]);
                Some(told.into_iter().map(|(_, told)| told).collect())
            });
            shuffled.sort();
            prop_assert_eq!(shuffled, world.expected(), "{:?}", says);
        }
    }
}

/// What is told in a second night of a drive that was read in a first, where only these folders are told to have changed.
fn second_night(first: &World, second: &World, changed: &[&str]) -> Vec<Seen> {
    let mut memory = Memory::new(&Classes::compile(&[]).unwrap());
    take(&mut memory, &first.nodes);
    night(&mut memory, 1, &|id| Some(first.permissions(id)));
    for id in changed {
        memory.tree.mark_due(memory.tree.key.of(id));
    }
    let mut seen = night(&mut memory, 2, &|id| Some(second.permissions(id)));
    seen.sort();
    seen
}

#[test]
fn what_is_listed_tonight_is_compared_with_what_was_listed_above_before() {
    for says in EVERY {
        let nodes = [
            top(),
            node("a", 0).link("L").grant("ada"),
            node("b", 1).grant("ada").grant("bob"),
        ];
        let world = World::of(&nodes, says);
        let expected = [seen("b", &claim("bob"), false)];
        assert_eq!(second_night(&world, &world, &["b"]), expected, "{says:?}");
    }
}

#[test]
fn what_a_folder_no_longer_grants_is_told_where_it_is_granted_still() {
    for says in EVERY {
        let below = node("b", 1).grant("ada");
        let first = World::of(&[top(), node("a", 0).link("L").grant("ada"), below.clone()], says);
        let second = World::of(&[top(), node("a", 0).link("L"), below], says);
        let told = second_night(&first, &second, &["a"]);
        assert!(
            told.contains(&seen("b", &claim("ada"), false)),
            "{says:?}: {told:?}"
        );
    }
}

#[test]
fn what_a_folder_no_longer_grants_is_told_though_much_else_is_listed_no_more() {
    for says in EVERY {
        let many = |open: bool| {
            (0..6).map(move |number| {
                let file = node(&format!("L{number}"), 0);
                if open { file.link("L") } else { file }
            })
        };
        let below = node("b", 1).grant("ada");
        let first = [top(), node("a", 0).link("M").grant("ada"), below.clone()];
        let second = [top(), node("a", 0).link("M"), below];
        let first = World::of(&first.into_iter().chain(many(true)).collect::<Vec<_>>(), says);
        let second = World::of(&second.into_iter().chain(many(false)).collect::<Vec<_>>(), says);
        let mut memory = Memory::new(&Classes::compile(&[]).unwrap());
        take(&mut memory, &first.nodes);
        night(&mut memory, 1, &|id| Some(first.permissions(id)));
        // What lies beneath is not told again.
        let changed = second
            .nodes
            .iter()
            .filter(|node| node.parent.is_some() && node.id != "b");
        for node in changed {
            memory.tree.take(tell(node, &second.nodes));
        }
        let told = night(&mut memory, 2, &|id| Some(second.permissions(id)));
        assert!(
            told.contains(&seen("b", &claim("ada"), false)),
            "{says:?}: {told:?}"
        );
    }
}

#[test]
fn what_a_folder_that_moved_does_not_take_along_is_told_where_it_is_granted_still() {
    for says in EVERY {
        let nodes = |parent| {
            let below = node("x", 2).grant("bob").grant("carol");
            [top(), node("t", 0).grant("bob"), node("f", parent), below]
        };
        let first = World::of(&nodes(1), says);
        let second = World::of(&nodes(0), says);
        let mut memory = Memory::new(&Classes::compile(&[]).unwrap());
        take(&mut memory, &first.nodes);
        let told = night(&mut memory, 1, &|id| Some(first.permissions(id)));
        assert!(
            !told.contains(&seen("x", &claim("bob"), false)),
            "{says:?}: {told:?}"
        );
        memory.tree.take(tell(&second.nodes[2], &second.nodes));
        let classes = Classes::compile(&[]).unwrap();
        let beneath = memory.tree.beneath(&classes);
        let _drifted = memory.tree.take_drifted(&beneath, &classes);
        let mut told = night(&mut memory, 2, &|id| Some(second.permissions(id)));
        told.sort();
        let mut expected = ["bob", "carol"].map(|name| seen("x", &claim(name), false));
        expected.sort();
        assert_eq!(told, expected, "{says:?}");
    }
}

#[test]
fn what_a_folder_in_between_stops_is_told_beneath_it() {
    for says in EVERY {
        let nodes = [
            top(),
            node("a", 0).grant("ada"),
            node("b", 1),
            node("c", 2).grant("ada"),
        ];
        let first = World::of(&nodes, says);
        let mut memory = Memory::new(&Classes::compile(&[]).unwrap());
        take(&mut memory, &nodes);
        let told = night(&mut memory, 1, &|id| Some(first.permissions(id)));
        assert_eq!(told, [seen("a", &claim("ada"), false)], "{says:?}");
        let [top, a, b, c] = nodes;
        let nodes = [top, a, b.grant("bob"), c];
        let second = World::of(&nodes, says);
        take(&mut memory, &nodes);
        let told = night(&mut memory, 2, &|id| Some(second.permissions(id)));
        assert!(
            told.contains(&seen("b", &claim("bob"), false)),
            "{says:?}: {told:?}"
        );
        assert!(
            told.contains(&seen("c", &claim("ada"), false)),
            "{says:?}: {told:?}"
        );
    }
}

#[test]
fn a_folder_that_could_not_be_listed_takes_back_what_was_told_beneath_it() {
    let nodes = [top(), node("a", 0).link("L"), node("b", 1).open()];
    for says in [Says::Nothing, Says::That] {
        let world = World::of(&nodes, says);
        let mut memory = Memory::new(&Classes::compile(&[]).unwrap());
        take(&mut memory, &nodes);
        let told = night(&mut memory, 1, &|id| (id != "a").then(|| world.permissions(id)));
        assert_eq!(told, [seen("b", "L", says == Says::That)]);
        assert_eq!(memory.tree.state().1, 1, "it waits");
        let told = night(&mut memory, 2, &|id| Some(world.permissions(id)));
        assert_eq!(told, [seen("a", "L", false)]);
        let beneath = memory.tree.root(memory.tree.key.of("b"));
        assert!(beneath.is_some() && memory.tree.state().1 == 0);
    }
}

#[test]
fn a_folder_that_is_named_and_told_nothing_before_is_listed_again() {
    let first = World::of(
        &[top(), node("a", 0).link("L"), node("b", 1).open()],
        Says::Whence,
    );
    let second = World::of(
        &[top(), node("a", 0).link("L").link("M"), node("b", 1).open()],
        Says::Whence,
    );
    let told = second_night(&first, &second, &["b"]);
    assert_eq!(told, [seen("a", "L", false), seen("a", "M", false)]);
}
