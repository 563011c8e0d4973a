//! Any world, any rules of `[enforce]`: what was planned is done, what was promised has come true, nothing else differs.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};
use sharewarden::enforce::{Deed, Done, Outcome};
use sharewarden::model::Verdict;
use sharewarden::plan::{Action, ActionKind, Plan};
use sharewarden::run;

use super::{Scene, Service, differences, now, outcomes};
use crate::harness::list;

/// Whose files there are; the last one may be disabled.
const OWNERS: [&str; 3] = ["alice", "bob", "dora"];
const PATHS: [&str; 6] = ["/A", "/A/B", "/A/B/b.txt", "/HR/x.xlsx", "/Drop", "/a.txt"];

/// A rule of `[enforce]`, as the configuration writes it.
fn rule() -> impl Strategy<Value = String> {
    let expiring = (
        select(vec![
            "link-without-expiry",
            "link-expiry-too-far",
            "link-without-password",
            "external-recipient",
        ]),
        select(vec!["7d", "30d", "80d"]),
    );
    let revoking = (
        select(vec![
            "link-without-password",
            "link-allows-editing",
            "classified-item-exposed",
            "external-recipient",
            "guest-recipient",
            "guest-recipient",
            "recipient-never-logged-in",
            "recipient-never-logged-in",
            "departed-recipient",
            "orphaned-share",
            "reshared-by-other",
            "organization-wide-link",
            "wide-group-grant",
            "everyone-grant",
        ]),
        any::<bool>(),
        select(vec![true, true, false]),
    );
    prop_oneof![
        expiring.prop_map(|(rule, after)| format!(
            "[[enforce.rule]]\nrule = \"{rule}\"\naction = \"set-expiry\"\nafter = \"{after}\"\n"
        )),
        revoking.prop_map(|(rule, drops, collateral)| format!(
            "[[enforce.rule]]\nrule = \"{rule}\"\naction = \"revoke\"\nfile_drops = {drops}\ncollateral = {collateral}\n"
        )),
    ]
}

prop_compose! {
    /// `[enforce]`, with the most changes of a run.
    fn enforce()(rules in vec(rule(), 3..9), most in select(vec![2_u64, 50, 50]), percent in select(vec![40_u32, 100, 100]))
        -> String
    {
        format!("[enforce]\nmax_changes = {most}\nmax_changes_percent = {percent}\n{}", rules.concat())
    }
}

fn expires() -> impl Strategy<Value = Option<&'static str>> {
    option::of(select(vec!["+3d", "+20d", "+150d", "+400d"]))
}

prop_compose! {
    /// A share of a Nextcloud; the kind and who gets it, what it allows, and whether who got it shares it on.
    fn share()(
        owner in select(OWNERS.to_vec()),
        path in select(PATHS.to_vec()),
        to in select(vec![("link", ""), ("link", ""), ("mail", "x@evil.example.net"), ("mail", "y@example.org"),
            ("user", "alice"), ("user", "bob"), ("user", "dora"), ("user", "gina"), ("user", "frank"),
            ("user", "gina"), ("user", "frank"),
            ("group", "staff"), ("group", "students"), ("group", "students"), ("federated", "z@cloud.other.example"),
            ("team", "teamlaunch0000000000000000000001")]),
        permissions in select(vec![1_u32, 3, 4, 15, 17, 19, 31]),
        password in option::of(Just("Random-World-42")),
        expires in expires(),
        again in option::weighted(0.8, (select(vec![true, true, false]), expires())),
    ) -> Vec<Value> {
        let (kind, recipient) = to;
        let is_file = path.contains('.');
        let mut permissions = if is_file { permissions & 0b10011 | 1 } else { permissions };
        if kind != "link" {
            permissions |= 1;
        }
        let mut share = json!({"type": kind, "owner": owner, "path": path, "permissions": permissions,
            "expires": expires});
        if !recipient.is_empty() {
            share["recipient"] = json!(recipient);
            // Whoever gets it has something else of that name.
            share["target"] = json!(format!("/{owner}'s {}", path.rsplit('/').next().unwrap()));
        }
        if matches!(kind, "link" | "mail") {
            share["password"] = json!(password);
        }
        let mut shares = vec![share];
        let shares_on = kind == "user";
        if let (true, Some((as_link, expires))) = (shares_on, again) {
            shares[0]["permissions"] = json!(permissions | 0b10001);
            let mut more = json!({"type": "link", "owner": owner, "path": path, "sharer": recipient,
                "permissions": 1, "expires": expires});
            if !as_link {
                more["type"] = json!("user");
                more["recipient"] = json!("admin");
                more["target"] = shares[0]["target"].clone();
            }
            shares.push(more);
        }
        shares
    }
}

prop_compose! {
    pub(crate) fn nextcloud()(
        shares in vec(share(), 4..16),
        zone in select(vec!["UTC", "America/Los_Angeles", "Pacific/Kiritimati"]),
        dora in any::<bool>(),
        most in option::of(select(vec![3_u32, 14, 100])),
        internal in option::of(Just(21_u32)),
    ) -> Value {
        let mut world = Service::Nextcloud.world();
        let it = &mut world["nextcloud"];
        it["settings"]["default_expiry_days"] = json!(most);
        it["settings"]["expiry_enforced"] = json!(most.is_some());
        it["settings"]["default_internal_expiry_days"] = json!(internal);
        it["settings"]["internal_expiry_enforced"] = json!(internal.is_some());
        let files: Vec<Value> = PATHS
            .iter()
            .map(|path| if path.contains('.') { (*path).to_owned() } else { format!("{path}/") })
            .map(|path| json!({"path": path, "size": 9}))
            .collect();
        let accounts = it["accounts"].as_array_mut().unwrap();
        accounts.retain(|account| account["id"] != "alice" && account["id"] != "bob");
        for name in OWNERS {
            accounts.push(json!({"id": name, "name": name, "email": format!("{name}@example.org"), "groups": ["staff"],
                "last_login": "-1d", "files": files, "enabled": name != "dora" || dora,
                "timezone": if name == "bob" { zone } else { "UTC" }}));
        }
        // Nobody shares with himself, and one thing with one person once; what is shared on was shared before.
        let mut seen = BTreeSet::new();
        let mut all = Vec::new();
        for chain in shares {
            for share in chain {
                let (owner, to) = (share["owner"].to_string(), share["recipient"].to_string());
                let key = (owner.clone(), share["path"].to_string(), share["type"].to_string(), to.clone());
                if to == owner || (share["type"] != "link" && !seen.insert(key)) {
                    break;
                }
                all.push(share);
            }
        }
        it["shares"] = json!(all);
        world
    }
}

prop_compose! {
    fn permission()(
        place in select(vec![("alice", "/Projects"), ("alice", "/Projects/plan.docx"),
            ("alice", "/Projects/Budget/numbers.xlsx"), ("alice", "/HR/salaries.xlsx"), ("bob", "/Drafts"),
            ("bob", "/Drafts/letter.docx"), ("erin", "/Thesis"), ("", "/Winter"), ("", "/Winter/paper.docx")]),
        what in select(vec![
            json!({"link": {"scope": "anonymous", "type": "view"}}),
            json!({"link": {"scope": "anonymous", "type": "edit"}}),
            json!({"link": {"scope": "anonymous", "type": "view", "password": "Random-World-42"}}),
            json!({"link": {"scope": "organization", "type": "view"}}),
            json!({"link": {"scope": "organization", "type": "edit"}}),
            json!({"link": {"scope": "users", "type": "view",
                "people": [{"user": "gina_partner.example.net#EXT#@example.onmicrosoft.com"}]}}),
            json!({"link": {"scope": "users", "type": "edit", "people": [{"user": "bob@example.org"}, {"otp": "x@evil.example.net"}]}}),
            json!({"grant": {"user": "gina_partner.example.net#EXT#@example.onmicrosoft.com"}, "roles": ["write"]}),
            json!({"grant": {"user": "erin@example.org"}}),
            json!({"grant": {"group": "All students"}}),
            json!({"grant": {"group": "Project partners"}, "roles": ["write"]}),
            json!({"grant": {"everyone": true}}),
            json!({"grant": {"otp": "x@evil.example.net"}}),
        ]),
        expires in expires(),
    ) -> Value {
        let (owner, path) = place;
        let mut permission = what;
        permission["path"] = json!(path);
        permission["expires"] = json!(expires);
        if permission["link"].is_null() && permission["roles"].is_null() {
            permission["roles"] = json!(["read"]);
        }
        match owner {
            "" => permission["site"] = json!("/sites/exams"),
            owner => permission["owner"] = json!(format!("{owner}@example.org")),
        }
        permission
    }
}

prop_compose! {
    pub(crate) fn tenant()(
        permissions in vec(permission(), 3..16),
        most in option::of(select(vec![3_u32, 14, 100])),
    ) -> Value {
        let mut world = Service::Microsoft.world();
        let it = &mut world["microsoft365"];
        it["settings"]["link_expiry_days"] = json!(most);
        // Every place can be read.
        list(&mut it["sites"]).retain(|site| site["refused"] != true && site["locked"] != true);
        list(&mut it["users"]).retain(|user| user["drive"] != "locked");
        // A service has one link of a type and scope on an item, and one grant to somebody, whether made there or above.
        let mut seen = BTreeSet::new();
        let mut all = permissions;
        all.retain(|one| {
            let link = (one["link"]["scope"].to_string(), one["link"]["type"].to_string());
            let path = one["path"].as_str().unwrap();
            let top = path.split('/').nth(1).unwrap();
            let place = if one["grant"].is_null() { path } else { top };
            seen.insert((one["owner"].to_string(), place.to_owned(), link, one["grant"].to_string()))
        });
        world["microsoft365"]["permissions"] = json!(all);
        world
    }
}

/// The findings that stand open: their ids, with their rules.
fn open(scene: &Scene) -> BTreeMap<String, String> {
    let report = scene.stage.run(&["report", "--format", "json"]);
    let report = report.json();
    let findings = report["findings"].as_array().unwrap().iter();
    findings
        .filter(|finding| finding["status"] == "open" || finding["status"] == "new")
        .map(|finding| {
            let text = |key: &str| finding[key].as_str().unwrap().to_owned();
            (text("id"), text("rule"))
        })
        .collect()
}

/// Scans, and insists that all could be read.
fn is_read(scene: &Scene) {
    if scene.scan() == Verdict::Incomplete {
        let report = scene.stage.run(&["report", "--format", "json"]).json();
        panic!("{}", report["sources"][0]["problems"]);
    }
}

/// What an action touches.
fn touched(actions: &[&Action]) -> BTreeSet<String> {
    let of = actions.iter();
    of.flat_map(|action| action.also_ends.iter().chain([&action.share]))
        .cloned()
        .collect()
}

/// Whether there is a re-share that allows more than what it was made from: of that the server lets nothing be changed. As far
/// as this is told, and it was left as it was, all is as it should be.
fn lets_nothing_be_changed(
    done: &Done,
    before: &BTreeMap<String, Value>,
    after: &BTreeMap<String, Value>,
) -> bool {
    let refused = done.receipts.iter().filter(|receipt| {
        let detail = receipt.detail.as_deref().unwrap_or_default();
        detail.contains("Cannot increase permissions")
    });
    let mut is_so = false;
    for receipt in refused {
        assert_eq!(receipt.outcome, Some(Outcome::Refused), "{receipt:#?}");
        assert_eq!(
            after.get(&receipt.share),
            before.get(&receipt.share),
            "{receipt:#?}"
        );
        is_so = true;
    }
    is_so
}

fn holds(service: Service, world: &Value, enforce: &str) {
    let scene = Scene::of(service, world, enforce);
    is_read(&scene);
    let before = scene.stored();
    let proposed = scene.proposed();
    let mut actions = proposed.actions;
    // No more than the caps let be done.
    let caps = scene.settings().enforce.caps;
    let most = caps.most(scene.ledger().known_shares(&service.source()).unwrap());
    loop {
        let all: Vec<&Action> = actions.iter().collect();
        let over = run::over_caps(&scene.ledger(), caps, &all).unwrap();
        assert_eq!(over.is_some(), touched(&all).len() as u64 > most, "{over:?}");
        if over.is_none() {
            break;
        }
        actions.pop();
    }
    let plan = scene.record(actions);
    let all: Vec<&Action> = plan.actions.iter().collect();
    let shares: BTreeSet<&str> = all.iter().map(|action| action.share.as_str()).collect();
    assert_eq!(shares.len(), all.len(), "one action a share");

    let done = scene.apply(&plan, "random");
    let after = scene.stored();
    if lets_nothing_be_changed(&done, &before, &after) {
        return;
    }
    let outcome = outcomes(&done);
    let changed = differences(&before, &after);
    for action in &all {
        let others: BTreeSet<&String> = all.iter().flat_map(|other| &other.also_ends).collect();
        let is_gone = !after.contains_key(&action.share);
        match outcome[action.id.as_str()] {
            Some(Outcome::Applied) => {}
            // It ended with another one.
            Some(Outcome::AlreadyDone | Outcome::Drifted) if others.contains(&action.share) && is_gone => {
                continue;
            }
            other => panic!("{other:?}: {action:#?} {done:#?}"),
        }
        match action.action {
            ActionKind::Revoke => assert!(is_gone, "{action:#?}"),
            ActionKind::SetExpiry if is_gone => assert!(others.contains(&action.share), "{action:#?}"),
            ActionKind::SetExpiry => {
                assert_eq!(
                    changed.get(&action.share),
                    Some(&vec!["expires".to_owned()]),
                    "{action:#?}"
                );
                ends_as_planned(world, action, &after[&action.share]);
            }
        }
    }
    for (share, fields) in &changed {
        let planned = touched(&all);
        assert!(
            planned.contains(share),
            "{share} {fields:?}: {} {done:#?}",
            before[share]
        );
        assert!(
            fields == &["gone"] || fields == &["expires"],
            "{share}: {fields:?}"
        );
    }
    for ended in all
        .iter()
        .filter(|action| action.action == ActionKind::Revoke)
        .flat_map(|action| &action.also_ends)
    {
        // One whose maker has the item from an older share as well rests on that: more is announced than happens, never less.
        assert!(
            !after.contains_key(ended) || after[ended] == before[ended],
            "{ended} was to end, too"
        );
    }
    assert!(changed.len() as u64 <= most);
    scene.check_journal(&plan);

    // What was promised has come true.
    is_read(&scene);
    let open = open(&scene);
    for action in &all {
        // An end date takes nobody's access away before it is there.
        if let Some(rule) = open.get(action.finding.as_str()) {
            let is_kept = action.action == ActionKind::SetExpiry && !rule.contains("expiry");
            assert!(is_kept, "{rule}: {action:#?}");
        }
    }
    assert_eq!(
        differences(&after, &scene.stored()),
        BTreeMap::new(),
        "a scan changes nothing"
    );
    let writes = scene.writes().len();
    let again = scene.apply(&plan, "again");
    assert_eq!(scene.writes().len(), writes, "{again:#?}");
    assert_eq!(differences(&after, &scene.stored()), BTreeMap::new());
    scene.check_journal(&plan);
    is_taken_back(&scene, &plan, [&before, &after]);
}

/// What can be taken back is as it was; what was made again is there once, and everything else as it was left.
fn is_taken_back(scene: &Scene, plan: &Plan, [before, after]: [&BTreeMap<String, Value>; 2]) {
    let undone = scene.undo("random", "undoing");
    let back = scene.stored();
    let changed = differences(after, &back);
    let mut expected = BTreeSet::new();
    for receipt in &undone.receipts {
        let action = plan.actions.iter().find(|action| action.id == receipt.action);
        let Some((made, lost)) = back.get(&receipt.share).zip(before.get(&action.unwrap().share)) else {
            assert_ne!(receipt.outcome, Some(Outcome::Applied), "{receipt:#?}");
            continue;
        };
        match (receipt.outcome, receipt.deed) {
            (Some(Outcome::Applied), Deed::RestoreExpiry | Deed::Recreate) => {
                let is_whole = receipt.detail.is_none();
                assert!(is_like(made, lost, is_whole), "{made} {lost} {receipt:#?}");
                assert!(expected.insert(receipt.share.clone()), "{undone:#?}");
            }
            // The service has a maximum, and tells no one.
            (Some(Outcome::Failed), Deed::RestoreExpiry) => {
                assert!(is_like(made, lost, false), "{made} {lost} {receipt:#?}");
                let told = receipt.detail.as_deref().unwrap_or_default();
                assert!(told.contains("the service lets it end"), "{receipt:#?}");
                expected.extend(
                    changed
                        .contains_key(&receipt.share)
                        .then(|| receipt.share.clone()),
                );
            }
            (Some(Outcome::Applied), other) => panic!("{other}"),
            _ => assert!(receipt.detail.is_some(), "{receipt:#?}"),
        }
    }
    assert_eq!(
        changed.keys().cloned().collect::<BTreeSet<_>>(),
        expected,
        "{undone:#?}"
    );
    // What the service refused is asked for again, and refused again.
    scene.undo("random", "undoing-again");
    assert_eq!(differences(&back, &scene.stored()), BTreeMap::new());
    scene.check_journal(plan);
}

/// Whether a share is as one was, but for its id and maker; it may end earlier where that is told, and by less than a day
/// where another account's day has to do.
fn is_like(made: &Value, lost: &Value, is_whole: bool) -> bool {
    let end = |row: &Value| {
        row["expires"]
            .as_str()
            .map_or(Timestamp::MAX, |end| end.parse().unwrap())
    };
    let bare = |row: &Value| {
        let mut row = row.clone();
        // A grant is known by the claim in its id, whatever it was called when it was made.
        let called = if row["grant"].is_null() { "id" } else { "grant" };
        for own in [called, "sharer", "expires"] {
            row.as_object_mut().unwrap().remove(own);
        }
        row
    };
    let early = end(lost).duration_since(end(made));
    bare(made) == bare(lost) && !early.is_negative() && (!is_whole || early < SignedDuration::from_hours(24))
}

/// What the service stores is the end that was planned: the start of the day for the account that set it; the instant, or an
/// earlier one where the tenant has a maximum that it does not tell.
fn ends_as_planned(world: &Value, action: &Action, stored: &Value) {
    let value = action.value.as_deref().unwrap();
    let stored: Timestamp = stored["expires"].as_str().unwrap().parse().unwrap();
    if world["nextcloud"].is_null() {
        let most = world["microsoft365"]["settings"]["link_expiry_days"].as_i64();
        let most = most.map_or(Timestamp::MAX, |days| {
            now() + SignedDuration::from_hours(24 * days)
        });
        assert_eq!(stored, value.parse::<Timestamp>().unwrap().min(most));
    } else {
        let planned: Timestamp = format!("{value}T00:00:00Z").parse().unwrap();
        let apart = planned.duration_since(stored).abs();
        assert!(apart <= SignedDuration::from_hours(14), "{planned} {stored}");
    }
}

/// A guest got a folder, and made links of it and of what is beneath it; all end with her share.
#[test]
fn what_ends_with_a_share_is_planned_counted_and_ended_with_it() {
    let mut world = Service::Nextcloud.world();
    world["nextcloud"]["shares"] = json!([
        {"id": 1, "type": "user", "owner": "alice", "path": "/Projects", "recipient": "gina", "permissions": 31},
        {"id": 2, "type": "link", "owner": "alice", "path": "/Projects", "sharer": "gina"},
        {"id": 3, "type": "link", "owner": "alice", "path": "/Projects/plan.md", "sharer": "gina"},
        {"id": 4, "type": "link", "owner": "alice", "path": "/Projects"},
        {"id": 5, "type": "user", "owner": "alice", "path": "/Projects", "sharer": "gina", "recipient": "bob"},
    ]);
    let rule = "[[enforce.rule]]\nrule = \"guest-recipient\"\naction = \"revoke\"\ncollateral = true\n";
    let enforce = |most: u32| format!("[enforce]\nmax_changes = {most}\nmax_changes_percent = 100\n{rule}");
    let scene = Scene::of(Service::Nextcloud, &world, &enforce(3));
    scene.scan();
    let plan = scene.plan();
    let proposed = scene.proposed();
    assert_eq!(plan.actions.len(), 1, "{:#?}", proposed.unproposed);
    assert_eq!(plan.actions[0].also_ends, ["2", "3"]);
    let over = |most: u32| {
        scene.configure(&enforce(most), "enforce = true");
        let all: Vec<&Action> = plan.actions.iter().collect();
        run::over_caps(&scene.ledger(), scene.settings().enforce.caps, &all).unwrap()
    };
    assert!(over(2).is_some() && over(3).is_none());
    let before = scene.stored();
    let done = scene.apply(&plan, "ending");
    assert_eq!(
        outcomes(&done).into_values().collect::<Vec<_>>(),
        [Some(Outcome::Applied)]
    );
    let gone = vec!["gone".to_owned()];
    let expected = ["1", "2", "3"].map(|id| (id.to_owned(), gone.clone()));
    assert_eq!(differences(&before, &scene.stored()), expected.into());

    // Shared on since it was planned, more would end than was announced.
    let scene = Scene::of(Service::Nextcloud, &world, &enforce(50));
    scene.scan();
    let plan = scene.plan();
    let more = json!({"do": "add", "share": {"type": "link", "owner": "alice", "path": "/Projects", "sharer": "gina"}});
    scene.stage.change(&more);
    let before = scene.stored();
    let done = scene.apply(&plan, "drifting");
    assert_eq!(
        outcomes(&done).into_values().collect::<Vec<_>>(),
        [Some(Outcome::Drifted)]
    );
    assert_eq!(differences(&before, &scene.stored()), BTreeMap::new());
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 12,
        max_shrink_iters: 60,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn in_any_nextcloud_what_was_planned_is_done_and_nothing_else(world in nextcloud(), enforce in enforce()) {
        holds(Service::Nextcloud, &world, &enforce);
    }

    #[test]
    fn in_any_tenant_what_was_planned_is_done_and_nothing_else(world in tenant(), enforce in enforce()) {
        holds(Service::Microsoft, &world, &enforce);
    }
}
