use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Value, json};

use jiff::Timestamp;

use super::*;
use crate::model::Relist;

fn classes() -> Classes {
    let patterns = vec!["**/HR/**".to_owned(), "**/*.kdbx".to_owned()];
    Classes::compile(&[("confidential".to_owned(), patterns, Vec::new())]).unwrap()
}

fn take(tree: &mut Tree, item: &Value) {
    tree.take(serde_json::from_str(&item.to_string()).unwrap());
}

fn settled(mut tree: Tree, items: &[Value]) -> Tree {
    for item in items {
        take(&mut tree, item);
    }
    tree.settle();
    tree
}

fn tree(items: &[Value]) -> Tree {
    settled(Tree::new(&classes()), items)
}

fn top() -> Value {
    json!({"id": "top", "name": "root", "root": {}, "folder": {"childCount": 1}, "shared": {},
        "parentReference": {"driveId": "b!", "driveType": "business"}})
}

fn folder(id: &str, parent: &str, name: &str) -> Value {
    json!({"id": id, "name": name, "folder": {}, "parentReference": {"id": parent}})
}

fn file(id: &str, parent: &str, name: &str) -> Value {
    json!({"id": id, "name": name, "file": {}, "size": 7, "parentReference": {"id": parent}})
}

fn shared(mut item: Value, facet: Value) -> Value {
    item["shared"] = facet;
    item
}

fn deleted(id: &str) -> Value {
    json!({"id": id, "deleted": {"state": "deleted"}, "parentReference": {"id": "top"}})
}

/// What is known of a drive in the end, without the numbers that depend on the order.
#[derive(Debug, PartialEq)]
struct Picture {
    roots: Vec<(String, Width, String, bool, ItemKind, Option<u64>)>,
    /// Files and labels beneath each folder.
    folders: BTreeMap<String, (Option<u64>, BTreeSet<String>)>,
    complete: bool,
    unread: u64,
}

/// Everything is to be listed.
fn roots(tree: &Tree) -> Vec<&Root> {
    let due = tree.due(&relist(0, 0));
    due.iter().map(|digest| tree.root(*digest).unwrap()).collect()
}

fn relist(before: i64, least: u64) -> Relist {
    Relist {
        now: Timestamp::from_second(1_000_000).unwrap(),
        before: Timestamp::from_second(before).unwrap(),
        least,
    }
}

fn picture(tree: &Tree, items: &[Value]) -> Picture {
    let beneath = tree.beneath(&classes());
    let roots = roots(tree).into_iter().map(|root| {
        let (path, whole) = tree.path_of(root);
        (root.id.clone(), root.width, path, whole, root.kind, root.size)
    });
    let ids = items
        .iter()
        .flat_map(|item| [&item["id"], &item["parentReference"]["id"]])
        .filter_map(Value::as_str);
    let folders = ids.filter_map(|id| {
        let number = tree.folder(id)?;
        Some((id.to_owned(), (beneath.files(number), beneath.labels(number))))
    });
    Picture {
        roots: roots.collect(),
        folders: folders.collect(),
        complete: beneath.complete,
        unread: tree.unread,
    }
}

impl Picture {
    fn ids(&self) -> Vec<&str> {
        self.roots.iter().map(|root| root.0.as_str()).collect()
    }

    fn path(&self, id: &str) -> (&str, bool) {
        let root = self.roots.iter().find(|root| root.0 == id).unwrap();
        (&root.2, root.3)
    }

    fn files(&self, id: &str) -> Option<u64> {
        self.folders[id].0
    }

    fn is_classified(&self, id: &str) -> bool {
        !self.folders[id].1.is_empty()
    }
}

fn seen(items: &[Value]) -> Picture {
    picture(&tree(items), items)
}

#[test]
fn the_last_that_is_told_of_an_item_counts() {
    let open = json!({"scope": "anonymous"});
    let plain = [
        top(),
        folder("a", "top", "A"),
        folder("b", "a", "B"),
        shared(file("f", "b", "f.txt"), open.clone()),
    ];
    let told = seen(&[
        file("f", "a", "older.kdbx"),
        shared(folder("b", "top", "Older"), open.clone()),
        plain[3].clone(),
        plain[2].clone(),
        plain[1].clone(),
        shared(file("f", "top", "old"), open),
        plain[3].clone(),
        plain[0].clone(),
        plain[0].clone(),
    ]);
    assert_eq!(told, seen(&plain));
    assert_eq!(
        told.ids(),
        ["top", "f"],
        "the top opens as wide as what lies in it"
    );
    assert_eq!(told.path("f"), ("/A/B/f.txt", true));
    assert_eq!(told.path("top"), ("/", true));
    assert_eq!(
        (told.files("top"), told.files("a"), told.files("b")),
        (Some(1), Some(1), Some(1))
    );
    assert!(told.complete && !told.is_classified("top"));
}

#[test]
fn sharing_that_ends_and_items_that_go_are_forgotten() {
    let open = json!({"scope": "users"});
    let before = [
        top(),
        shared(folder("a", "top", "A"), open.clone()),
        shared(file("f", "a", "f.kdbx"), open.clone()),
        shared(file("g", "top", "g"), open),
    ];
    let plain = seen(&before);
    assert_eq!(plain.ids(), ["top", "a", "g", "f"]);
    assert!(plain.is_classified("a") && plain.files("top") == Some(2));

    let mut closed = before.to_vec();
    closed.push(shared(file("g", "top", "g"), json!({})));
    assert_eq!(seen(&closed).ids(), ["top", "a", "f"]);

    let mut without_file = before.to_vec();
    without_file.push(deleted("f"));
    let told = seen(&without_file);
    assert_eq!(told.ids(), ["top", "a", "g"]);
    assert!(!told.is_classified("a") && told.complete);
    assert_eq!((told.files("a"), told.files("top")), (Some(0), Some(1)));

    // Of what lay in a deleted folder not everything need be told.
    let mut without_folder = before.to_vec();
    without_folder.push(deleted("a"));
    let told = seen(&without_folder);
    assert!(told.complete && !told.is_classified("top"));
    assert_eq!(told.files("top"), Some(1));

    // It was restored: what lies in it counts again.
    without_folder.push(before[1].clone());
    assert_eq!(seen(&without_folder), plain);
}

#[test]
fn what_moves_is_counted_where_it_went() {
    let told = seen(&[
        top(),
        folder("a", "top", "A"),
        folder("b", "top", "B"),
        folder("c", "a", "C"),
        file("f", "c", "f.kdbx"),
        folder("c", "b", "HR"),
    ]);
    assert_eq!(
        (told.files("a"), told.files("b"), told.files("top")),
        (Some(0), Some(1), Some(1))
    );
    assert!(!told.is_classified("a") && told.is_classified("b") && told.is_classified("c"));
}

#[test]
fn an_item_that_becomes_a_folder_is_no_file_any_more() {
    let told = seen(&[
        top(),
        file("x", "top", "x"),
        folder("x", "top", "x"),
        file("f", "x", "f"),
    ]);
    assert_eq!((told.files("top"), told.files("x")), (Some(1), Some(1)));
}

#[test]
fn what_lies_in_a_folder_that_was_not_told_leaves_the_drive_incomplete() {
    let open = json!({"scope": "anonymous"});
    for items in [
        vec![shared(file("f", "lost", "f"), open.clone())],
        vec![
            folder("d", "lost", "D"),
            shared(file("f", "d", "f"), open.clone()),
        ],
        vec![
            folder("d", "lost", "HR"),
            shared(folder("f", "d", "f"), open.clone()),
        ],
        // A circle.
        vec![
            folder("d", "e", "D"),
            folder("e", "d", "E"),
            shared(file("f", "e", "f"), open.clone()),
        ],
        vec![folder("d", "d", "D"), shared(file("f", "d", "f"), open.clone())],
    ] {
        let mut all = vec![top(), file("g", "top", "g")];
        all.extend(items);
        let told = seen(&all);
        assert_eq!(told.path("f"), ("/f", false));
        assert!(!told.complete);
        assert_eq!(told.files("top"), None, "how many files lie beneath is not known");
    }
}

#[test]
fn a_top_that_is_left_out_is_found_and_listed() {
    let open = json!({"scope": "anonymous"});
    let rest = [
        folder("a", "top", "A"),
        shared(file("f", "a", "f"), open),
        file("g", "top", "g"),
        json!({"id": "old", "folder": {}, "deleted": {}}),
    ];
    let mut all = rest.to_vec();
    all.push(top());
    assert_eq!(seen(&rest), seen(&all));
    assert_eq!(seen(&rest).ids(), ["top", "f"]);
}

#[test]
fn a_drive_without_a_top_is_not_read_in_full() {
    assert_eq!(seen(&[]).unread, 1);
    let told = seen(&[file("f", "a", "f"), file("g", "b", "g")]);
    assert!(!told.complete && told.unread == 1 && told.ids().is_empty());
}

#[test]
fn odd_names_stay_what_they_are_and_harm_nothing() {
    for name in [
        "..",
        ".",
        "a\u{2215}b",
        "a/b",
        "\u{202e}cod.exe",
        "\u{0}",
        " ",
        "*",
        "[",
        "{a,b}",
        "\\",
        "ملف",
        &"é".repeat(400),
    ] {
        let told = seen(&[
            top(),
            folder("a", "top", name),
            shared(file("f", "a", name), json!({"scope": "users"})),
        ]);
        assert_eq!(told.path("f"), (format!("/{name}/{name}").as_str(), true));
        assert!(told.complete && told.unread == 0, "{name}");
    }
    for name in [json!(""), Value::Null, json!("é".repeat(5000))] {
        let mut item = shared(file("f", "top", "f"), json!({"scope": "users"}));
        item["name"] = name;
        let told = seen(&[top(), item]);
        assert!(!told.complete && told.unread == 1);
        assert!(told.path("f").0.len() <= LONGEST + 1);
    }
    for id in [json!(""), Value::Null] {
        assert_eq!(
            seen(&[top(), json!({"id": id, "name": "x", "file": {}})]).unread,
            1
        );
    }
    let lost = json!({"id": "f", "name": "f", "file": {}, "shared": {"scope": "users"}});
    assert_eq!(seen(&[top(), lost]).unread, 1, "it lies nowhere");
}

#[test]
fn a_path_of_any_depth_ends() {
    let mut items = vec![top(), folder("0", "top", "d")];
    for depth in 1..=DEEPEST {
        items.push(folder(&depth.to_string(), &(depth - 1).to_string(), "d"));
    }
    let deepest = DEEPEST.to_string();
    items.push(shared(file("f", &deepest, "f"), json!({"scope": "users"})));
    let told = seen(&items);
    assert_eq!(told.path("f"), ("/f", false));
    assert!(!told.complete);
}

#[test]
fn the_summary_of_sharing_is_read_in_every_form() {
    for (facet, width) in [
        (Value::Null, None),
        (json!({}), None),
        (json!({"scope": null}), Some(Width::People)),
        (json!({"scope": ""}), Some(Width::People)),
        (json!({"scope": "users"}), Some(Width::People)),
        (json!({"scope": "somebody"}), Some(Width::People)),
        (json!({"scope": 7}), Some(Width::People)),
        (json!({"owner": {}}), Some(Width::People)),
        (json!({"scope": "organization"}), Some(Width::Organization)),
        (
            json!({"scope": "Anonymous", "owner": {"user": {}}}),
            Some(Width::Anyone),
        ),
        (json!("anonymous"), Some(Width::People)),
        (json!("{}"), Some(Width::People)),
        (json!([]), Some(Width::People)),
        (json!(true), Some(Width::People)),
        (json!(0), Some(Width::People)),
    ] {
        let told = seen(&[top(), shared(file("f", "top", "f"), facet.clone())]);
        let found = told.roots.iter().find(|root| root.0 == "f").map(|root| root.1);
        assert_eq!(found, width, "{facet}");
    }
    assert_eq!(seen(&[top(), file("f", "top", "f")]).ids(), ["top"]);
    for text in ["{ }", "{\n}", " {\t} "] {
        let item = format!("{{\"id\":\"f\",\"name\":\"f\",\"file\":{{}},\"shared\":{text}}}");
        let told: Told = serde_json::from_str(&item).unwrap();
        assert_eq!(Sharing::of(told.shared.as_deref()), Sharing::Closed, "{text:?}");
    }
}

#[test]
fn only_a_folder_that_is_shared_with_nobody_is_closed() {
    let tree = tree(&[
        top(),
        shared(folder("a", "top", "A"), json!({})),
        shared(folder("b", "top", "B"), json!({"scope": "users"})),
        folder("c", "top", "C"),
    ]);
    let closed = |id| tree.is_closed(tree.folder(id).unwrap());
    assert!(closed("a") && !closed("b") && !closed("c"));
}

#[test]
fn a_package_is_a_folder_whatever_else_it_is_told_to_be() {
    for facets in [
        json!({"package": {"type": "oneNote"}}),
        json!({"package": {}, "folder": {}}),
    ] {
        let mut notebook = json!({"id": "n", "name": "Notes", "parentReference": {"id": "top"},
            "shared": {"scope": "anonymous"}});
        for (name, facet) in facets.as_object().unwrap() {
            notebook[name] = facet.clone();
        }
        let told = seen(&[top(), notebook, file("s", "n", "HR")]);
        assert_eq!(told.roots[1].4, ItemKind::Folder);
        assert!(told.complete && told.is_classified("n") && told.files("n") == Some(1));
    }
    let other =
        json!({"id": "o", "name": "o", "parentReference": {"id": "top"}, "shared": {"scope": "users"}});
    assert_eq!(seen(&[top(), other]).roots[1].4, ItemKind::Other);
}

#[test]
fn the_widest_come_first_and_each_after_those_above_it() {
    let (people, inside, anyone) = (
        json!({"scope": "users"}),
        json!({"scope": "organization"}),
        json!({"scope": "anonymous"}),
    );
    let told = seen(&[
        shared(file("p", "top", "p"), people.clone()),
        shared(file("i", "top", "i"), inside.clone()),
        shared(file("deep", "b", "deep"), anyone.clone()),
        shared(folder("b", "a", "B"), people.clone()),
        shared(folder("a", "top", "A"), inside),
        shared(folder("c", "top", "C"), people.clone()),
        shared(file("q", "c", "q"), people),
        shared(file("w", "top", "w"), anyone),
        top(),
    ]);
    assert_eq!(told.ids(), ["top", "a", "w", "b", "deep", "i", "c", "p", "q"]);
}

#[test]
fn labels_beneath_come_from_names_of_files_and_folders() {
    let told = seen(&[
        top(),
        folder("a", "top", "A"),
        folder("h", "a", "hr"),
        folder("inner", "h", "Inner"),
        folder("b", "top", "B"),
        file("k", "b", "Vault.KDBX"),
        folder("c", "top", "C"),
        file("x", "c", "HRx"),
        folder("d", "c", "kdbx"),
    ]);
    let labelled: Vec<_> = told.folders.keys().filter(|id| told.is_classified(id)).collect();
    assert_eq!(labelled, ["a", "b", "top"]);
    assert!(told.complete);
    // Without a name that tells, every path is looked at.
    let every = Classes::compile(&[(
        "all".to_owned(),
        vec!["/A/**".to_owned(), "**".to_owned()],
        Vec::new(),
    )])
    .unwrap();
    assert_eq!(every.names(), None);
    let tree = settled(
        Tree::new(&every),
        &[top(), folder("a", "top", "A"), file("x", "a", "x")],
    );
    assert!(!tree.beneath(&every).labels(tree.folder("a").unwrap()).is_empty());
    // Without patterns nothing is kept.
    let none = Classes::compile(&[]).unwrap();
    let tree = settled(Tree::new(&none), &[top(), file("x", "top", "HR")]);
    assert!(tree.candidates.is_empty() && tree.beneath(&none).complete);
}

#[test]
fn more_than_can_be_kept_is_said_to_be_unknown() {
    let items = [
        top(),
        file("1", "top", "1.kdbx"),
        file("2", "top", "2.kdbx"),
        file("3", "top", "3.kdbx"),
        file("3", "top", "3.kdbx"),
    ];
    let with = |most| {
        let mut tree = Tree::new(&classes());
        tree.most = most;
        picture(&settled(tree, &items), &items)
    };
    let enough = with((3, 3));
    assert_eq!((enough.files("top"), enough.complete), (Some(3), true));
    let uncounted = with((2, 3));
    assert_eq!((uncounted.files("top"), uncounted.complete), (None, true));
    let unlooked = with((3, 2));
    assert_eq!((unlooked.files("top"), unlooked.complete), (Some(3), false));
    assert!(unlooked.is_classified("top"), "what was found is found");
}

/// An item of an invented drive: where it lies is an index into the folders before it.
#[derive(Clone, Debug)]
struct Invented {
    parent: Index,
    is_folder: bool,
    state: State,
    older: Vec<(State, Index)>,
    is_deleted: bool,
}

#[derive(Clone, Debug)]
struct State {
    name: &'static str,
    shared: Option<Value>,
    is_deleted: bool,
}

fn state() -> impl Strategy<Value = State> {
    let names = prop::sample::select(vec!["HR", "a", "b", "x.kdbx", "..", "ä"]);
    let facets = prop::sample::select(vec![
        None,
        None,
        Some(json!({})),
        Some(json!({"scope": "users"})),
        Some(json!({"scope": "anonymous"})),
        Some(json!({"scope": "organization"})),
    ]);
    (names, facets).prop_map(|(name, shared)| State {
        name,
        shared,
        is_deleted: false,
    })
}

fn invented() -> impl Strategy<Value = Invented> {
    let older = (state(), any::<bool>(), any::<Index>())
        .prop_map(|(state, is_deleted, parent)| (State { is_deleted, ..state }, parent));
    (
        any::<Index>(),
        any::<bool>(),
        state(),
        prop::collection::vec(older, 0..3),
        prop::bool::weighted(0.1),
    )
        .prop_map(|(parent, is_folder, state, older, is_deleted)| Invented {
            parent,
            is_folder,
            state,
            older,
            is_deleted,
        })
}

fn written(place: usize, is_folder: bool, state: &State, parent: &str) -> Value {
    let kind = if is_folder { "folder" } else { "file" };
    let mut item = json!({"id": place.to_string(), kind: {}});
    if state.is_deleted {
        item["deleted"] = json!({});
        return item;
    }
    item["name"] = json!(state.name);
    item["parentReference"] = json!({"id": parent});
    if let Some(facet) = &state.shared {
        item["shared"] = facet.clone();
    }
    item
}

/// The drive as it is in the end, in order; and the same with older states, told in another order.
fn orders(drive: &[Invented], keys: &[u32]) -> (Vec<Value>, Vec<Value>) {
    let mut folders = vec!["top".to_owned()];
    let mut plain = vec![top()];
    let mut lives: Vec<Vec<Value>> = vec![vec![top()]];
    for (place, it) in drive.iter().enumerate() {
        let parent = it.parent.get(&folders).clone();
        let last = State {
            is_deleted: it.is_deleted,
            ..it.state.clone()
        };
        let last = written(place, it.is_folder, &last, &parent);
        let mut life: Vec<Value> = it
            .older
            .iter()
            .map(|(state, parent)| written(place, it.is_folder, state, parent.get::<String>(&folders)))
            .collect();
        life.push(last.clone());
        lives.push(life);
        plain.push(last);
        if it.is_folder {
            folders.push(place.to_string());
        }
    }
    let mut turns: Vec<(u32, usize)> = lives
        .iter()
        .enumerate()
        .flat_map(|(place, life)| life.iter().map(move |_| place))
        .enumerate()
        .map(|(turn, place)| {
            (
                keys[turn % keys.len()].wrapping_mul(u32::try_from(turn).unwrap() + 1),
                place,
            )
        })
        .collect();
    turns.sort_unstable();
    let mut lives: Vec<_> = lives.into_iter().map(Vec::into_iter).collect();
    let shuffled = turns
        .iter()
        .map(|(_, place)| lives[*place].next().unwrap())
        .collect();
    (plain, shuffled)
}

proptest! {
    #[test]
    fn neither_order_nor_repetition_changes_what_is_known(
        drive in prop::collection::vec(invented(), 0..24),
        keys in prop::collection::vec(any::<u32>(), 1..40),
    ) {
        let (plain, shuffled) = orders(&drive, &keys);
        prop_assert_eq!(seen(&shuffled), seen(&plain));
    }

    #[test]
    fn every_file_is_counted_once_in_each_folder_above_it(drive in prop::collection::vec(invented(), 0..24)) {
        let living: Vec<Invented> = drive
            .into_iter()
            .map(|it| Invented { is_deleted: false, ..it })
            .collect();
        let (plain, _) = orders(&living, &[1]);
        let told = seen(&plain);
        let files = living.iter().filter(|it| !it.is_folder).count();
        prop_assert_eq!(told.files("top"), Some(files as u64));
        for (place, it) in living.iter().enumerate().filter(|(_, it)| it.is_folder) {
            let id = place.to_string();
            let right_in = plain.iter().filter(|item| item["parentReference"]["id"] == id.as_str());
            let (folders, files): (Vec<&Value>, Vec<&Value>) = right_in.partition(|item| item["folder"].is_object());
            let deeper: u64 = folders.iter().map(|item| told.files(item["id"].as_str().unwrap()).unwrap()).sum();
            prop_assert_eq!(told.files(&id), Some(files.len() as u64 + deeper), "{:?}", it);
        }
    }

    #[test]
    fn ancestors_come_before_what_lies_in_them(drive in prop::collection::vec(invented(), 0..24)) {
        let (plain, _) = orders(&drive, &[1]);
        let tree = tree(&plain);
        let roots = roots(&tree);
        for (place, root) in roots.iter().enumerate() {
            for above in tree.folders_above(root) {
                let higher = roots.iter().position(|other| other.folder == Some(above));
                prop_assert!(higher.is_none_or(|higher| higher < place));
            }
        }
    }
}

#[test]
fn an_id_longer_than_any_is_none_and_is_not_kept() {
    let long = "x".repeat(1_000_000);
    let told = tree(&[
        top(),
        shared(file(&long, "top", "a"), json!({"scope": "anonymous"})),
        shared(file("b", &long, "b"), json!({"scope": "anonymous"})),
    ]);
    assert!(told.unread >= 2);
    // Until a folder is told its id stands in place of its name.
    assert!(told.folders.iter().all(|folder| folder.name.len() <= LONGEST));
    assert!(
        told.roots.values().all(|root| root.id.len() <= LONGEST)
            && told.roots.values().any(|root| root.id == "b")
    );
    assert!(!told.is_overfull());
}

/// A tree of which all was listed, at these seconds.
fn listed(items: &[Value], at: impl Fn(&str) -> i64) -> Tree {
    let mut tree = tree(items);
    let beneath = tree.beneath(&classes());
    for digest in tree.due(&relist(0, 0)) {
        let heard = Heard {
            at: at(&tree.root(digest).unwrap().id),
            whole: true,
            told: vec![digest],
        };
        tree.heard(digest, heard, (&beneath, &classes()));
    }
    assert_eq!(tree.state().1, 0);
    assert!(
        tree.take_drifted(&beneath, &classes()).is_empty(),
        "it is as it was told"
    );
    tree
}

fn due<'t>(tree: &'t Tree, relist: &Relist) -> Vec<&'t str> {
    let due = tree.due(relist).into_iter();
    due.map(|digest| &*tree.root(digest).unwrap().id).collect()
}

fn shared_drive() -> Vec<Value> {
    let (people, anyone) = (json!({"scope": "users"}), json!({"scope": "anonymous"}));
    vec![
        top(),
        shared(folder("a", "top", "A"), people.clone()),
        folder("b", "top", "B"),
        shared(file("f", "a", "f"), anyone),
        shared(file("g", "b", "g"), people.clone()),
        shared(folder("c", "b", "C"), people),
    ]
}

#[test]
fn what_may_have_changed_is_listed_again() {
    let none = relist(0, 0);
    let (people, anyone) = (json!({"scope": "users"}), json!({"scope": "anonymous"}));
    let marked = |mut item: Value, value: Value| {
        item["@microsoft.graph.sharedChanged"] = value;
        item
    };
    let plain = shared(file("f", "a", "f"), anyone.clone());
    for (told, expected) in [
        (vec![], vec![]),
        (vec![plain.clone()], vec![]),
        (vec![marked(plain.clone(), json!(true))], vec!["f"]),
        (vec![marked(plain.clone(), json!("True"))], vec!["f"]),
        (vec![marked(file("n", "a", "n"), json!(true))], vec!["n"]),
        (vec![shared(file("f", "a", "f"), people.clone())], vec!["f"]),
        (vec![shared(file("f", "a", "f"), json!({}))], vec!["f"]),
        (vec![file("f", "a", "f")], vec!["f"]),
        // Only the last that is told counts.
        (vec![file("f", "a", "f"), plain.clone()], vec![]),
        (vec![shared(file("f", "b", "f"), anyone.clone())], vec!["f"]),
        (vec![shared(file("f", "a", "renamed"), anyone.clone())], vec![]),
        (vec![shared(file("n", "a", "n"), people.clone())], vec!["n"]),
        (vec![file("n", "a", "n"), folder("b", "top", "Else")], vec![]),
        (vec![shared(folder("a", "top", "A"), people.clone())], vec!["a"]),
        (vec![folder("c", "b", "C")], vec!["c"]),
        (vec![shared(folder("b", "top", "B"), json!({}))], vec![]),
        (vec![top()], vec!["top"]),
        (vec![deleted("f")], vec!["f"]),
    ] {
        let mut tree = listed(&shared_drive(), |_| 100);
        for item in &told {
            take(&mut tree, item);
        }
        assert_eq!(due(&tree, &none), expected, "{told:?}");
    }
}

#[test]
fn what_was_not_listed_for_the_longest_time_is_listed_again() {
    let at = |id: &str| if id == "g" { 10 } else { 20 };
    let mut tree = listed(&shared_drive(), at);
    assert_eq!(tree.state(), (5, 0, Some(10)));
    assert_eq!(due(&tree, &relist(11, 0)), ["g"]);
    assert_eq!(due(&tree, &relist(0, 1)), ["g"]);
    assert_eq!(due(&tree, &relist(11, 1)), ["g"]);
    assert_eq!(due(&tree, &relist(0, 3)).len(), 3);
    assert_eq!(due(&tree, &relist(21, 0)), ["top", "g", "a", "f", "c"]);
    // What changed does not count among them.
    take(&mut tree, &top());
    assert_eq!(due(&tree, &relist(0, 1)), ["top", "g"]);
}

#[test]
fn what_may_have_changed_comes_before_what_is_only_listed_again() {
    let at = |id: &str| if id == "g" { 10 } else { 20 };
    let mut tree = listed(&shared_drive(), at);
    take(&mut tree, &shared(file("n", "a", "n"), json!({"scope": "users"})));
    take(
        &mut tree,
        &shared(file("m", "b", "m"), json!({"scope": "organization"})),
    );
    // Then what was listed longest ago, and of what was listed together the widest; what lies above comes first.
    assert_eq!(due(&tree, &relist(21, 0)), ["top", "m", "a", "n", "g", "f", "c"]);
    assert_eq!(
        due(&tree, &relist(0, 1)),
        ["m", "n", "g"],
        "what may have changed is not counted among the others"
    );
}

#[test]
fn what_moves_with_a_folder_is_listed_again_where_other_folders_grant_something() {
    let people = json!({"scope": "users"});
    let drive = [
        top(),
        shared(folder("t", "top", "T"), people.clone()),
        folder("u", "t", "U"),
        folder("f", "u", "F"),
        folder("other", "top", "Other"),
        shared(file("x", "f", "x"), people.clone()),
        shared(file("y", "f", "y"), people),
    ];
    for (what, told, expected) in [
        ("out", vec![folder("f", "other", "F")], vec!["x", "y"]),
        (
            "out, and what granted is deleted",
            vec![folder("f", "top", "F"), deleted("t")],
            vec!["x", "y"],
        ),
        (
            "elsewhere beneath what grants",
            vec![folder("f", "t", "F")],
            vec![],
        ),
        (
            "renamed",
            vec![folder("u", "t", "Else"), folder("f", "u", "G")],
            vec![],
        ),
        (
            "out and back",
            vec![folder("f", "other", "F"), folder("f", "u", "F")],
            vec![],
        ),
        (
            "closed in between",
            vec![shared(folder("u", "t", "U"), json!({}))],
            vec!["x", "y"],
        ),
    ] {
        let mut tree = listed(&drive, |_| 100);
        for id in ["top", "t"] {
            let number = tree.folder(id).unwrap();
            tree.granted.insert(number, Signs::default());
        }
        // Of one nothing was told: all that is listed at it comes from above.
        let heard = Heard {
            at: 100,
            whole: true,
            told: Vec::new(),
        };
        let beneath = tree.beneath(&classes());
        tree.heard(tree.key.of("y"), heard, (&beneath, &classes()));
        tree.note_sources();
        assert!(tree.take_drifted(&beneath, &classes()).is_empty());
        assert!(due(&tree, &relist(0, 0)).is_empty(), "{what}");
        for item in &told {
            take(&mut tree, item);
        }
        let _gone = tree.take_gone();
        let beneath = tree.beneath(&classes());
        let _drifted = tree.take_drifted(&beneath, &classes());
        assert_eq!(due(&tree, &relist(0, 0)), expected, "{what}");
        // However often it is looked at until they are listed.
        tree.note_sources();
        let _drifted = tree.take_drifted(&beneath, &classes());
        assert_eq!(due(&tree, &relist(0, 0)), expected, "{what}");
    }
}

#[test]
fn what_is_no_longer_open_is_listed_once_more() {
    let mut tree = listed(&shared_drive(), |_| 100);
    take(&mut tree, &file("f", "a", "f"));
    take(&mut tree, &folder("c", "b", "C"));
    let beneath = tree.beneath(&classes());
    for (id, told) in [("f", vec![]), ("c", vec![1])] {
        let heard = Heard {
            at: 200,
            whole: true,
            told,
        };
        tree.heard(tree.key.of(id), heard, (&beneath, &classes()));
    }
    assert!(tree.root(tree.key.of("f")).is_none());
    assert!(
        tree.root(tree.key.of("c")).is_some(),
        "something is shared of it whatever its summary says"
    );
    assert_eq!(tree.state(), (4, 0, Some(100)));
}

#[test]
fn what_lies_elsewhere_is_told_once() {
    let mut tree = listed(&shared_drive(), |_| 100);
    take(&mut tree, &folder("b", "a", "Moved"));
    take(&mut tree, &file("k", "c", "k.kdbx"));
    assert!(due(&tree, &relist(0, 0)).is_empty());
    let beneath = tree.beneath(&classes());
    let mut drifted = tree.take_drifted(&beneath, &classes());
    drifted.sort_by(|one, other| one.id.cmp(&other.id));
    let told: Vec<_> = drifted
        .iter()
        .map(|it| {
            (
                &*it.id,
                it.path.as_ref().map(|path| &*path.0),
                it.folder.is_some(),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            ("a", None, true),
            ("c", Some("/A/Moved/C"), true),
            ("g", Some("/A/Moved/g"), false),
            ("top", None, true)
        ]
    );
    assert!(tree.take_drifted(&beneath, &classes()).is_empty());
}

#[test]
fn what_was_deleted_is_told_once_and_forgotten() {
    let mut tree = listed(&shared_drive(), |_| 100);
    take(&mut tree, &deleted("b"));
    take(&mut tree, &deleted("f"));
    let mut gone = tree.take_gone();
    gone.sort();
    assert_eq!(gone, ["c", "f", "g"]);
    assert!(tree.take_gone().is_empty());
    assert_eq!(due(&tree, &relist(1_000, 9)), ["top", "a"]);
    // Of what was never listed nothing is remembered.
    take(&mut tree, &shared(file("n", "a", "n"), json!({"scope": "users"})));
    take(&mut tree, &deleted("n"));
    assert!(tree.take_gone().is_empty() && tree.root(tree.key.of("n")).is_none());
}

#[test]
fn what_ends_without_having_been_remembered_is_told_once() {
    let open = json!({"scope": "users"});
    let mut items = shared_drive();
    items.extend([
        shared(file("n", "a", "n"), open.clone()),
        deleted("n"),
        file("m", "a", "m"),
    ]);
    let mut tree = listed(&items, |_| 100);
    assert!(
        tree.take_ended().is_empty(),
        "a first enumeration ends what it does not tell"
    );
    for item in [
        // Of these a run that was killed may have told something: it was there, or open, in between.
        deleted("n"),
        file("m", "a", "m"),
        json!({"id": "d", "folder": {}, "deleted": {}}),
        shared(file("o", "a", "o"), open.clone()),
        deleted("o"),
        // These are listed, or were.
        shared(file("p", "a", "p"), open),
        file("f", "a", "f"),
        deleted("g"),
    ] {
        take(&mut tree, &item);
    }
    assert_eq!(tree.take_ended(), ["n", "m", "d", "o"]);
    assert!(tree.take_ended().is_empty());
}

#[test]
fn folders_that_were_deleted_do_not_pile_up() {
    let mut items = shared_drive();
    items.push(file("k", "c", "k.kdbx"));
    let mut tree = listed(&items, |_| 100);
    for number in 0..2_000 {
        let (id, inner) = (format!("x{number}"), format!("y{number}"));
        take(&mut tree, &folder(&id, "top", "x"));
        take(&mut tree, &file(&inner, &id, "y.kdbx"));
        take(&mut tree, &deleted(&id));
    }
    take(&mut tree, &folder("late", "a", "Late"));
    let beneath = tree.beneath(&classes());
    let _told = tree.take_drifted(&beneath, &classes());
    let before = picture(&tree, &items);
    tree.compact();
    assert_eq!(tree.folders.len(), 5);
    assert_eq!(tree.candidates.len(), 1);
    assert_eq!(tree.files.as_ref().unwrap().len(), 3);
    assert_eq!(picture(&tree, &items), before);
    let beneath = tree.beneath(&classes());
    assert!(tree.take_drifted(&beneath, &classes()).is_empty());
    assert!(due(&tree, &relist(0, 0)).is_empty());
    take(&mut tree, &file("z", "late", "z"));
    let late = tree.folder("late").unwrap();
    assert_eq!(tree.beneath(&classes()).files(late), Some(1));
}
