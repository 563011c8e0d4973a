//! What holds of every scan of any world, of both services, through the real adapters.
//!
//! All is done in this process, so that it can be done often: `PROPTEST_CASES=1000 cargo test --test cli properties` asks for
//! as many worlds of each property.

use std::collections::{BTreeMap, BTreeSet};

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};
use sharewarden::report::{self, Format, Style, metrics};
use sharewarden::store::{Ledger, RunFilter};

use crate::canaries::letters;
use crate::changes::{Scene, Service, worlds};
use crate::harness::{findings, list, problems, verdict};

/// A scan into a state of this name, with so many scopes in flight: the report of all shares.
fn scanned(scene: &Scene, state: &str, in_flight: usize) -> Value {
    scene.scan_into(state, in_flight);
    report(&Ledger::open(&scene.stage.path(state)).unwrap())
}

fn report(ledger: &Ledger) -> Value {
    serde_json::from_str(&written(ledger, Format::Json, true)).unwrap()
}

/// The latest run in a format.
fn written(ledger: &Ledger, format: Format, all_shares: bool) -> String {
    let filter = RunFilter {
        all_shares,
        ..RunFilter::default()
    };
    let run = ledger.stored_run(None, filter).unwrap();
    let mut out = Vec::new();
    report::write(format, Style::default(), &run, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn scene(world: &Value) -> Scene {
    let service = if world["nextcloud"].is_null() {
        Service::Microsoft
    } else {
        Service::Nextcloud
    };
    Scene::of(service, world, "")
}

/// A list by the ids of what is in it; of addresses of links, which are each emulator's own, only that there is one.
fn by_id(all: &Value) -> BTreeMap<String, Value> {
    let bare = |one: &Value| {
        let mut one = one.clone();
        let share = if one["share"].is_object() {
            &mut one["share"]
        } else {
            &mut one
        };
        if share["link"].is_string() {
            share["link"] = json!("an address");
        }
        (one["id"].as_str().unwrap().to_owned(), one)
    };
    all.as_array().unwrap().iter().map(bare).collect()
}

/// Where two values differ, and how.
fn difference(one: &Value, other: &Value) -> Option<String> {
    match (one, other) {
        (Value::Object(fields), Value::Object(others)) => {
            let names: BTreeSet<&String> = fields.keys().chain(others.keys()).collect();
            let none = Value::Null;
            names.into_iter().find_map(|name| {
                let (one, other) = (
                    fields.get(name).unwrap_or(&none),
                    others.get(name).unwrap_or(&none),
                );
                difference(one, other).map(|words| format!("{name}: {words}"))
            })
        }
        _ => (one != other).then(|| format!("{one} and {other}")),
    }
}

/// All that a report says of the world, and nothing of how it was found out.
fn essence(report: &Value) -> Value {
    let source = &report["sources"][0];
    let mut told = problems(report);
    told.sort_unstable();
    json!({
        "verdict": verdict(report),
        "totals": report["totals"],
        "findings": by_id(&report["findings"]),
        "shares": by_id(&report["shares"]),
        "accounts": source["accounts"],
        "shares_seen": source["shares_seen"],
        "control": source["control"],
        "rules_not_judged": source["rules_not_judged"],
        "problems": told,
    })
}

fn world() -> impl Strategy<Value = Value> {
    prop_oneof![worlds::nextcloud(), worlds::tenant()].prop_map(numbered)
}

/// Gives everything an id of its own, so that its place in a list does not matter.
fn numbered(mut world: Value) -> Value {
    if world.get("nextcloud").is_none() {
        // That the own drive is open to its owner is no share.
        let is_own = |permission: &Value| permission["grant"]["user"] == permission["owner"];
        list(&mut world["microsoft365"]["permissions"])
            .retain(|permission| permission["link"].is_object() || !is_own(permission));
        for (number, permission) in list(&mut world["microsoft365"]["permissions"])
            .iter_mut()
            .enumerate()
        {
            if permission["link"].is_object() {
                permission["id"] = json!(format!("11111111-0000-4000-8000-{number:012}"));
            }
        }
        return world;
    }
    let cloud = &mut world["nextcloud"];
    for (number, share) in list(&mut cloud["shares"]).iter_mut().enumerate() {
        share["id"] = json!(number + 1);
    }
    let mut file = 1_000;
    for (number, account) in list(&mut cloud["accounts"]).iter_mut().enumerate() {
        account["home"] = json!(100 + number);
        for entry in list(&mut account["files"]) {
            entry["id"] = json!(file);
            file += 1;
        }
    }
    world
}

/// The lists of a world whose order says nothing.
const UNORDERED: [(&str, &str); 7] = [
    ("nextcloud", "accounts"),
    ("nextcloud", "shares"),
    ("nextcloud", "groups"),
    ("nextcloud", "tags"),
    ("microsoft365", "users"),
    ("microsoft365", "sites"),
    ("microsoft365", "groups"),
];

/// The same world in another order, told in pages of other sizes.
fn rearranged(mut world: Value, order: u64, page: u64) -> Value {
    for (service, name) in UNORDERED {
        if world.get(service).is_some_and(|service| service[name].is_array()) {
            let all = list(&mut world[service][name]);
            let length = all.len().max(1);
            all.rotate_left(usize::try_from(order).unwrap_or(0) % length);
            if order.is_multiple_of(2) {
                all.reverse();
            }
        }
    }
    // A site stands before the ones that lie in it.
    if world.get("microsoft365").is_some() {
        let tenant = &mut world["microsoft365"];
        list(&mut tenant["sites"]).sort_by_key(|site| site["parent"].is_string());
        tenant["limits"] = json!({"users_page": page, "sites_page": page, "delta_page": page});
        tenant["switches"]["permissions_page"] = json!(page);
        tenant["switches"]["empty_pages"] = json!(order.is_multiple_of(3));
        tenant["switches"]["shuffle"] = json!(!order.is_multiple_of(5));
    }
    world
}

fn is_the_same_however_it_is_read(world: &Value, order: u64, page: u64) {
    let one = scene(world);
    let first = scanned(&one, "state.db", 1);
    assert_ne!(verdict(&first), "incomplete", "{:?}", problems(&first));
    let other = scene(&rearranged(world.clone(), order, page));
    let second = scanned(&other, "state.db", 8);
    assert_eq!(difference(&essence(&first), &essence(&second)), None);
    // And in the next run, of the same state and of a new one.
    let ids = |report: &Value| -> BTreeMap<String, Value> {
        let of = |finding: &Value| {
            json!([
                finding["rule"],
                finding["level"],
                finding["share"]["id"],
                finding["first_seen"]
            ])
        };
        by_id(&report["findings"])
            .into_iter()
            .map(|(id, finding)| (id, of(&finding)))
            .collect()
    };
    let again = scanned(&one, "state.db", 8);
    assert_eq!(ids(&first), ids(&again), "in the next run");
    assert!(
        findings(&again).iter().all(|finding| finding["status"] == "open"),
        "{}",
        again["totals"]
    );
    let anew = scanned(&one, "another.db", 4);
    assert_eq!(
        difference(&essence(&first), &essence(&anew)),
        None,
        "in another state"
    );
}

/// The findings of a world: their rules and shares.
fn found(report: &Value) -> BTreeSet<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let all = findings(report).iter();
    all.map(|finding| (text(&finding["rule"]), text(&finding["share"]["id"])))
        .collect()
}

fn another_share_hides_none(world: Value) {
    let (service, name) = if world["nextcloud"].is_null() {
        ("microsoft365", "permissions")
    } else {
        ("nextcloud", "shares")
    };
    let more = found(&scanned(&scene(&world), "state.db", 4));
    let mut less = world;
    list(&mut less[service][name]).pop();
    let less = found(&scanned(&scene(&less), "state.db", 4));
    let hidden: Vec<_> = less.difference(&more).collect();
    assert!(hidden.is_empty(), "hidden by another share: {hidden:?}");
}

/// What goes wrong, and with what: a part of the path and whom the request is for.
#[derive(Clone, Debug)]
struct Trouble {
    place: usize,
    action: Value,
    after: u64,
    times: Option<u64>,
    inner: bool,
}

prop_compose! {
    fn trouble()(
        place in 0..40_usize,
        action in select(vec![json!({"do": "status", "status": 500}), json!({"do": "status", "status": 403}),
            json!({"do": "status", "status": 404}), json!({"do": "html"}), json!({"do": "malformed"}),
            json!({"do": "cut", "bytes": 150}), json!({"do": "reset"}), json!({"do": "deep", "levels": 90})]),
        after in 0..3_u64,
        times in option::of(1..3_u64),
        inner in any::<bool>(),
    ) -> Trouble {
        Trouble { place, action, after, times, inner }
    }
}

/// The places of a service that can be in trouble.
fn places(scene: &Scene) -> Vec<(String, Option<String>)> {
    let of = |path: &str, account: Option<&str>| (path.to_owned(), account.map(str::to_owned));
    match scene.service {
        Service::Nextcloud => {
            let accounts = ["admin", "alice", "bob", "dora", "erin", "frank", "gina"];
            let mut all: Vec<_> = accounts
                .iter()
                .map(|account| of("/shares", Some(account)))
                .collect();
            all.extend(
                ["/cloud/users", "/remote.php/dav", "/capabilities", "/shares"].map(|path| of(path, None)),
            );
            all
        }
        Service::Microsoft => {
            let stored = scene.stage.permissions();
            let text = |row: &Value, key: &str| row[key].as_str().unwrap().to_owned();
            let drives: BTreeSet<String> = stored.iter().map(|row| text(row, "drive")).collect();
            let items: BTreeSet<String> = stored.iter().map(|row| text(row, "item")).collect();
            let mut all: Vec<_> = drives
                .iter()
                .map(|drive| of(&format!("{drive}/root/delta"), None))
                .collect();
            all.extend(items.iter().map(|item| of(&format!("{item}/permissions"), None)));
            all.extend(["$batch", "/users", "getAllSites", "/drives"].map(|path| of(path, None)));
            all
        }
    }
}

fn is_known_or_named(world: &Value, troubles: &[Trouble]) {
    let scene = scene(world);
    let whole = scanned(&scene, "whole.db", 4);
    let shares = by_id(&whole["shares"]);
    for (id, path) in told_by_the_service(&scene, world) {
        // What a folder above has too is told there.
        let (drive, permission) = (id.split('/').next(), id.rsplit('/').next());
        let is_above = |(other, share): (&String, &Value)| {
            let above = share["item"]["path"].as_str().unwrap();
            let is_ancestor =
                above == "/" || path.strip_prefix(above).is_some_and(|rest| rest.starts_with('/'));
            is_ancestor && other.split('/').next() == drive && other.rsplit('/').next() == permission
        };
        let is_told =
            shares.contains_key(&id) || scene.service == Service::Microsoft && shares.iter().any(is_above);
        assert!(is_told, "{id} on {path} is in the world, and not in the report");
    }
    let places = places(&scene);
    for trouble in troubles {
        let (path, account) = &places[trouble.place % places.len()];
        let mut rule =
            json!({"match": {"path_contains": path}, "after": trouble.after, "action": trouble.action});
        if let Some(account) = account {
            rule["match"]["account"] = json!(account);
        }
        if let Some(times) = trouble.times {
            rule["times"] = json!(times);
        }
        let can_be_inner = path.ends_with("/permissions")
            && ["status", "html", "deep"].contains(&trouble.action["do"].as_str().unwrap());
        if can_be_inner || trouble.inner && path == "/users" && trouble.action["do"] == "status" {
            rule["match"]["inner"] = json!(true);
        }
        scene.stage.fault(&rule);
    }
    let part = scanned(&scene, "state.db", 4);
    let known = by_id(&part["shares"]);
    let named: BTreeSet<&str> = problems(&part).into_iter().map(|(scope, _)| scope).collect();
    for (id, share) in shares.iter().filter(|(id, _)| !known.contains_key(*id)) {
        let is_named = named
            .iter()
            .any(|scope| *scope == "*" || is_place_of(scope, share));
        assert!(
            is_named,
            "{id} is not known, and its place is not named: {named:?} {share}"
        );
        assert_ne!(verdict(&part), "complete", "{id} is not known: {named:?}");
    }
    // Where the folder above could not be read, a permission is told on what lies beneath.
    let ends = |id: &str| {
        let (first, last) = (id.split('/').next(), id.rsplit('/').next());
        (
            first.unwrap_or_default().to_owned(),
            last.unwrap_or_default().to_owned(),
        )
    };
    let all: BTreeSet<_> = shares.keys().map(|id| ends(id)).collect();
    let invented: Vec<_> = known.iter().filter(|(id, _)| !all.contains(&ends(id))).collect();
    assert!(invented.is_empty(), "{invented:?} {named:?}");
}

/// Whether a scope is where a share could have been read: of whom it is and who made it, or the drives of a person or site.
fn is_place_of(scope: &str, share: &Value) -> bool {
    [&share["owner"]["id"], &share["shared_by"]["id"]]
        .into_iter()
        .filter_map(Value::as_str)
        .any(|who| {
            let slug = format!("/personal/{}/", who.replace(['@', '.'], "_"));
            scope == who
                || format!("{scope}/").contains(&slug)
                || format!("{scope}/").starts_with(&format!("{who}/"))
        })
}

/// The ids of the shares that a service stores and can show to somebody, and the paths of their items.
fn told_by_the_service(scene: &Scene, world: &Value) -> BTreeMap<String, String> {
    let is_enabled = |id: &Value| {
        let accounts = world["nextcloud"]["accounts"].as_array().unwrap();
        accounts
            .iter()
            .any(|account| account["id"] == *id && account["enabled"] != false)
    };
    let is_told = |row: &Value| {
        scene.service == Service::Microsoft
            || row["trashed"] == false && (is_enabled(&row["owner"]) || is_enabled(&row["sharer"]))
    };
    let path = |row: &Value| row["path"].as_str().unwrap().to_owned();
    scene
        .stored()
        .into_iter()
        .filter(|(_, row)| is_told(row))
        .map(|(id, row)| (id, path(&row)))
        .collect()
}

/// What each format tells of the second of two runs between which some shares ended.
fn formats_agree(world: &Value, gone: usize) {
    let scene = scene(world);
    scene.scan_into("state.db", 4);
    if scene.service == Service::Nextcloud {
        for _ in 0..gone {
            // What was made of it ends with it.
            if let Some(row) = scene.stored().into_values().next() {
                scene.stage.change(&json!({"do": "remove", "share": row["id"]}));
            }
        }
    }
    scene.scan_into("state.db", 4);
    let ledger = scene.ledger();
    let report: Value = serde_json::from_str(&written(&ledger, Format::Json, false)).unwrap();
    let all: Vec<&Value> = findings(&report).iter().collect();
    assert_eq!(ids(&all, |_| true).len(), all.len(), "each once");
    let standing: Vec<&Value> = all
        .iter()
        .copied()
        .filter(|finding| !has_ended(finding))
        .collect();
    let totals = &report["totals"];
    assert_eq!(totals["by_level"], json!(counts(&standing, "level")));
    assert_eq!(totals["by_rule"], json!(counts(&standing, "rule")));
    assert_eq!(totals["by_status"], json!(counts(&all, "status")));
    programs_are_told(&ledger, &all);
    people_are_told(&ledger, &all);
    is_measured(&ledger, &all);
}

/// Whether a finding does not stand any more.
fn has_ended(finding: &Value) -> bool {
    ["resolved", "closed-by-policy"].contains(&text(finding, "status"))
}

fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value[key].as_str().unwrap_or_default()
}

/// The ids of the findings of which this holds.
fn ids<'v>(all: &[&'v Value], holds: impl Fn(&Value) -> bool) -> BTreeSet<&'v str> {
    let all = all.iter().filter(|finding| holds(finding));
    all.map(|finding| text(finding, "id")).collect()
}

/// How many there are with each value of a field.
fn counts(all: &[&Value], field: &str) -> BTreeMap<String, u64> {
    let mut counted = BTreeMap::new();
    for finding in all {
        *counted.entry(text(finding, field).to_owned()).or_default() += 1;
    }
    counted
}

/// CSV and OCSF have a row, or a line, a finding; NDJSON says of each what became of it.
fn programs_are_told(ledger: &Ledger, all: &[&Value]) {
    let csv = written(ledger, Format::Csv, false);
    let mut rows = csv::Reader::from_reader(csv.trim_start_matches('\u{feff}').as_bytes());
    let rows: Vec<BTreeMap<String, String>> = rows.deserialize().map(Result::unwrap).collect();
    let of_row =
        |row: &BTreeMap<String, String>| ["finding", "rule", "level", "status"].map(|key| row[key].clone());
    let of_finding =
        |finding: &&Value| ["id", "rule", "level", "status"].map(|key| text(finding, key).to_owned());
    let rows: Vec<_> = rows.iter().map(of_row).collect();
    assert_eq!(rows, all.iter().map(of_finding).collect::<Vec<_>>(), "CSV");

    let lines = |format| -> Vec<Value> {
        let text = written(ledger, format, false);
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    };
    let ocsf = lines(Format::Ocsf);
    let ocsf: BTreeSet<&str> = ocsf
        .iter()
        .map(|line| text(&line["finding_info"], "uid"))
        .collect();
    assert_eq!(ocsf, ids(all, |_| true), "OCSF");

    let events = lines(Format::Ndjson);
    let told = |kinds: &[&str]| -> BTreeSet<&str> {
        let events = events
            .iter()
            .filter(|event| kinds.contains(&text(event, "event")));
        events.map(|event| text(event, "finding")).collect()
    };
    let open = ids(all, |finding| ["new", "open"].contains(&text(finding, "status")));
    assert_eq!(
        told(&["opened", "reopened", "changed", "still_open"]),
        open,
        "events"
    );
    let resolved = ids(all, |finding| text(finding, "status") == "resolved");
    assert_eq!(told(&["resolved"]), resolved, "events of what ended");
}

/// The page has all findings. The table draws those that stand, and says how many ended.
fn people_are_told(ledger: &Ledger, all: &[&Value]) {
    let page = written(ledger, Format::Html, false);
    let on_page: BTreeSet<&str> = page.split(" id=\"f-").skip(1).map(|rest| &rest[..16]).collect();
    assert_eq!(on_page, ids(all, |_| true), "HTML");

    let table = written(ledger, Format::Table, false);
    let is_id = |word: &&str| word.len() == 16 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    let drawn: BTreeSet<&str> = table.split_whitespace().filter(is_id).collect();
    assert_eq!(drawn, ids(all, |finding| !has_ended(finding)), "the table");
    let ended = |status: &str| {
        all.iter()
            .filter(|finding| text(finding, "status") == status)
            .count()
    };
    let words = format!(
        "{} resolved, {} closed by policy.",
        ended("resolved"),
        ended("closed-by-policy")
    );
    assert!(
        drawn.len() == all.len() || table.contains(&words),
        "{words} {table}"
    );
}

/// Metrics have the sums.
fn is_measured(ledger: &Ledger, all: &[&Value]) {
    let mut bytes = Vec::new();
    metrics::write(&ledger.gauges().unwrap(), &mut bytes).unwrap();
    let mut measured: BTreeMap<String, u64> = BTreeMap::new();
    for line in String::from_utf8(bytes).unwrap().lines() {
        if let Some((_, labels)) = line.split_once("share_audit_findings{") {
            let (_, status) = labels.split_once("status=\"").unwrap();
            let (status, count) = status.split_once("\"} ").unwrap();
            *measured.entry(status.to_owned()).or_default() += count.parse::<u64>().unwrap();
        }
    }
    measured.retain(|_, count| *count > 0);
    assert_eq!(measured, counts(all, "status"), "metrics");
}

const MAIL: &str = "[mail]\nmode = \"on\"\nmin_level = \"low\"\nmax_letters = 1000\nfrom = \"Share audit <audit@example.org>\"\n\
    fallback = \"it-security@example.org\"\ntransport = { kind = \"files\", directory = \"letters\" }\n";

/// What letters tell of a world that was scanned once: the summary the sums, and all others together each finding.
fn letters_agree(world: &Value) {
    let service = if world["nextcloud"].is_null() {
        Service::Microsoft
    } else {
        Service::Nextcloud
    };
    let scene = Scene::of(service, world, MAIL);
    scene.scan_into("state.db", 4);
    let source = service.source();
    scene
        .stage
        .run(&["baseline", "release", "--source", source.as_str()])
        .ended(0);
    let report: Value = serde_json::from_str(&written(&scene.ledger(), Format::Json, false)).unwrap();
    let folder = scene.stage.path("preview");
    std::fs::create_dir(&folder).unwrap();
    scene
        .stage
        .run(&["notify", "--preview", &folder.to_string_lossy()])
        .ended(0);
    let (mut told, mut summed) = (BTreeSet::new(), None);
    for letter in std::fs::read_dir(folder).unwrap() {
        let (text, _) = letters::unpacked(&std::fs::read(letter.unwrap().path()).unwrap());
        let text = String::from_utf8(text).unwrap();
        if let Some((_, rest)) = text.split_once("\nFINDINGS\n") {
            let (sums, _) = rest.split_once("\n\n").unwrap();
            let number = |line: &str| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap();
            let sum = |line: &str| {
                (
                    line.split([' ', ':']).nth(1).unwrap().to_lowercase(),
                    number(line),
                )
            };
            summed = Some(sums.lines().map(sum).collect::<BTreeMap<_, _>>());
        } else {
            let words = text.split(|sign: char| !sign.is_ascii_hexdigit());
            told.extend(words.filter(|word| word.len() == 16).map(str::to_owned));
        }
    }
    let mut levels: BTreeMap<String, u64> =
        serde_json::from_value(report["totals"]["by_level"].clone()).unwrap();
    if let Some(info) = levels.remove("info") {
        levels.insert("for".to_owned(), info);
    }
    let mut summed = summed.unwrap();
    summed.retain(|_, count| *count > 0);
    levels.retain(|_, count| *count > 0);
    assert_eq!(summed, levels, "the summary");
    let all = findings(&report);
    let is_meant = |finding: &&Value| finding["level"] != "info" && !finding["share"].is_null();
    let meant: BTreeSet<String> = all
        .iter()
        .filter(is_meant)
        .map(|finding| finding["id"].as_str().unwrap().to_owned())
        .collect();
    let of_it: BTreeSet<String> = all
        .iter()
        .map(|finding| finding["id"].as_str().unwrap().to_owned())
        .collect();
    let told: BTreeSet<String> = told.intersection(&of_it).cloned().collect();
    // Of many, a letter tells twenty in full.
    assert!(
        told.is_subset(&meant) && told.len() >= meant.len().min(20),
        "letters: {told:?} {meant:?}"
    );
}

/// So many worlds, or as many as `PROPTEST_CASES` asks for, which proptest reads itself.
fn config(cases: u32) -> ProptestConfig {
    let usual = ProptestConfig::default();
    ProptestConfig {
        cases: if usual.cases == 256 { cases } else { usual.cases },
        max_shrink_iters: 60,
        failure_persistence: None,
        ..usual
    }
}

proptest! {
    #![proptest_config(config(20))]

    #[test]
    fn a_scan_finds_the_same_in_any_order_at_any_speed_and_in_each_run(world in world(), order in 0..60_u64, page in 1..5_u64) {
        is_the_same_however_it_is_read(&world, order, page);
    }

    #[test]
    fn another_share_never_hides_a_finding(world in world()) {
        another_share_hides_none(world);
    }

    #[test]
    fn every_share_is_known_or_lies_where_it_is_said_that_something_was_not_read(world in world(), troubles in vec(trouble(), 1..4)) {
        is_known_or_named(&world, &troubles);
    }

    #[test]
    fn all_formats_tell_the_same(world in world(), gone in 0..4_usize) {
        formats_agree(&world, gone);
    }
}

proptest! {
    #![proptest_config(config(4))]

    #[test]
    fn letters_tell_what_the_report_tells(world in world()) {
        letters_agree(&world);
    }
}
