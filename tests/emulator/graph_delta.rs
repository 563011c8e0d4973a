//! Delta of the emulated Microsoft 365: what it returns, when, and when it has to be begun anew.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};

use crate::tenant::{Done, Failure, PREFER, Tenant, codes, id, names, told};

const ALICE: &str = "alice@example.org";

async fn alice(tenant: &Tenant) -> Result<String, Failure> {
    Ok(format!("drives/{}/root/delta", tenant.drive(ALICE).await?))
}

/// An item by its name.
fn named<'i>(items: &'i [Value], name: &str) -> Option<&'i Value> {
    items.iter().find(|item| item["name"] == name)
}

#[tokio::test]
async fn everything_is_enumerated_in_pages_that_end_with_one_delta_link() -> Done {
    let tenant =
        Tenant::with(json!({"limits": {"delta_page": 3}, "switches": {"empty_pages": true}})).await?;
    let path = alice(&tenant).await?;
    let (items, last) = tenant.walk(&path, PREFER).await?;
    assert_eq!(items[0]["root"], json!({}), "the root comes first");
    assert!(last.contains("token=") && items.iter().all(|item| item["deleted"].is_null()));
    // The last state of an item counts; some come twice, the older state first.
    let mut latest: BTreeMap<String, &Value> = BTreeMap::new();
    for item in &items {
        if let Some(before) = latest.insert(id(item), item) {
            assert_ne!(before["name"], item["name"]);
        }
    }
    assert!(items.len() > latest.len(), "some appear twice");
    let known: BTreeSet<&str> = latest
        .values()
        .map(|item| item["name"].as_str().unwrap())
        .collect();
    assert!(
        known.contains("salaries.xlsx") && !known.contains("gone.txt"),
        "{known:?}"
    );
    assert!(
        !known.iter().any(|name| name.starts_with("Earlier ")),
        "{known:?}"
    );
    assert_eq!(known.len(), 13);
    for item in latest.values() {
        assert!(item["parentReference"].get("path").is_none() && item.get("cTag").is_none());
        assert!(item.get("@microsoft.graph.sharedChanged").is_none());
        let parent = item["parentReference"]["id"].as_str();
        assert_eq!(parent.is_none(), item.get("root").is_some());
        assert!(parent.is_none_or(|parent| latest.contains_key(parent)));
    }
    let again = tenant.walk(&last, PREFER).await?;
    assert!(again.0.is_empty(), "nothing has changed");
    Ok(())
}

#[tokio::test]
async fn shared_marks_only_where_permissions_begin() -> Done {
    let tenant = Tenant::small().await?;
    let path = alice(&tenant).await?;
    let shared = |items: &[Value]| -> BTreeMap<String, Value> {
        let all = items
            .iter()
            .filter_map(|item| Some((item["name"].as_str()?.to_owned(), item.get("shared")?.clone())));
        all.collect()
    };
    let (items, _) = tenant.walk(&path, PREFER).await?;
    let roots = shared(&items);
    assert_eq!(roots["root"], json!({}));
    assert_eq!(roots["Projects"], json!({"scope": "anonymous"}));
    assert_eq!(roots["numbers.xlsx"], json!({"scope": "users"}));
    assert!(
        !roots.contains_key("Budget") && !roots.contains_key("HR"),
        "{roots:?}"
    );
    let (items, _) = tenant.walk(&path, "").await?;
    let all = shared(&items);
    assert_eq!(
        all["Budget"],
        json!({"scope": "anonymous"}),
        "inherited without the preference"
    );
    assert!(!all.contains_key("root") && !all.contains_key("HR"));
    let (items, _) = tenant
        .walk(
            &path.replace(
                &tenant.drive(ALICE).await?,
                &tenant.drive("bob@example.org").await?,
            ),
            PREFER,
        )
        .await?;
    assert_eq!(
        shared(&items)["root"],
        json!({"scope": "users"}),
        "the root itself was given to somebody"
    );
    Ok(())
}

#[tokio::test]
async fn changes_come_with_the_folders_above_them() -> Done {
    let tenant = Tenant::small().await?;
    let (_, last) = tenant.walk(&alice(&tenant).await?, PREFER).await?;
    let file = json!({"do": "add", "owner": ALICE, "item": {"path": "/Projects/New/idea.docx"}});
    let renamed = json!({"do": "update", "owner": ALICE, "item": "/HR", "set": {"path": "/Team/People"}});
    let gone = json!({"do": "remove", "owner": ALICE, "item": "/Odd"});
    tenant.steer("change", json!([file, renamed, gone])).await?;
    let (items, next) = tenant.walk(&last, PREFER).await?;
    assert_eq!(
        names(&items),
        ["New", "People", "Projects", "Team", "idea.docx", "root"]
    );
    assert!(
        named(&items, "salaries.xlsx").is_none(),
        "a moved folder does not bring what is in it"
    );
    let team = id(named(&items, "Team").unwrap());
    assert_eq!(named(&items, "People").unwrap()["parentReference"]["id"], team);
    let deleted: Vec<&Value> = items
        .iter()
        .filter(|item| item.get("deleted").is_some())
        .collect();
    assert_eq!(deleted.len(), 1, "of what was in a folder only folders are told");
    assert!(deleted[0].get("name").is_none() && deleted[0].get("cTag").is_none());
    assert_eq!(deleted[0]["deleted"], json!({"state": "deleted"}));
    let change =
        json!({"do": "update", "owner": ALICE, "item": "/Projects/New/idea.docx", "set": {"size": 7}});
    tenant.steer("change", change).await?;
    let request = tenant
        .ask(Method::GET, &next)
        .header("Prefer", PREFER)
        .header("deltaExcludeParent", "1");
    let (_, body) = told(request.send().await?).await?;
    assert_eq!(names(body["value"].as_array().unwrap()), ["idea.docx"]);
    Ok(())
}

#[tokio::test]
async fn new_permissions_are_told_and_others_are_silent() -> Done {
    let tenant = Tenant::small().await?;
    let (_, mut last) = tenant.walk(&alice(&tenant).await?, PREFER).await?;
    let told = |items: &[Value], name: &str| {
        named(items, name).map(|item| {
            (
                item.get("@microsoft.graph.sharedChanged").cloned(),
                item.get("shared").cloned(),
            )
        })
    };
    let link =
        json!({"do": "add", "permission": {"owner": ALICE, "path": "/HR", "link": {"scope": "anonymous"}}});
    let grant = json!({"do": "add", "permission": {"owner": ALICE, "path": "/HR/salaries.xlsx", "grant": {"everyone": true}}});
    let ids = tenant.steer("change", json!([link, grant])).await?["ids"].clone();
    let (items, next) = tenant.walk(&last, PREFER).await?;
    assert_eq!(
        told(&items, "HR"),
        Some((None, Some(json!({"scope": "anonymous"})))),
        "never on folders"
    );
    assert_eq!(
        told(&items, "salaries.xlsx"),
        Some((Some(json!(true)), Some(json!({"scope": "users"}))))
    );
    last = next;
    // People added to a link, and an expiry set anew, are not told.
    let people = json!({"do": "update", "owner": ALICE, "path": "/HR", "permission": ids[0], "set": {"expires": "+9d"}});
    tenant.steer("change", people).await?;
    let (items, next) = tenant.walk(&last, PREFER).await?;
    assert!(items.is_empty(), "{items:?}");
    last = next;
    // A removal is an entry that does not say why it is there.
    tenant
        .steer(
            "change",
            json!({"do": "remove", "owner": ALICE, "path": "/HR", "permission": ids[0]}),
        )
        .await?;
    let (items, next) = tenant.walk(&last, PREFER).await?;
    assert_eq!(told(&items, "HR"), Some((None, Some(json!({})))));
    last = next;
    let switches =
        json!({"do": "update", "switches": {"silent_changes": false, "shared_changed_on_folders": true}});
    let link = json!({"do": "add", "permission": {"owner": ALICE, "path": "/HR", "link": {"scope": "organization"}}});
    tenant.steer("change", json!([switches, link])).await?;
    let (items, _) = tenant.walk(&last, PREFER).await?;
    assert_eq!(told(&items, "HR").unwrap().0, Some(json!(true)));
    Ok(())
}

#[tokio::test]
async fn tokens_are_of_one_drive_and_one_set_of_preferences() -> Done {
    let tenant = Tenant::with(json!({"limits": {"delta_token_seconds": 86_400}})).await?;
    let path = alice(&tenant).await?;
    let (_, last) = tenant.walk(&path, PREFER).await?;
    let token = last.rsplit("token=").next().unwrap().to_owned();
    let bobs = format!(
        "drives/{}/root/delta?token={token}",
        tenant.drive("bob@example.org").await?
    );
    let ask = |path: String, prefer: &'static str| {
        let request = tenant.ask(Method::GET, &path).header("Prefer", prefer);
        async move { request.send().await }
    };
    for (path, prefer) in [
        (last.clone(), ""),
        (last.clone(), "hierarchicalsharing"),
        (bobs, PREFER),
    ] {
        let answer = ask(path, prefer).await?;
        let location = answer.headers()["location"].to_str()?.to_owned();
        let (status, body) = told(answer).await?;
        assert_eq!(
            (status, codes(&body)),
            (410, ("resyncRequired", "resyncChangesApplyDifferences"))
        );
        assert!(
            !tenant.walk(&location, prefer).await?.0.is_empty(),
            "the location begins anew"
        );
    }
    assert_eq!(ask(last.clone(), PREFER).await?.status().as_u16(), 200);
    tenant
        .steer(
            "change",
            json!({"do": "reset", "drive": true, "owner": ALICE, "service": "graph"}),
        )
        .await?;
    assert_eq!(ask(last, PREFER).await?.status().as_u16(), 410);
    let (_, last) = tenant.walk(&path, PREFER).await?;
    tenant.steer("clock", json!({"advance": "+86401s"})).await?;
    let mut tenant = tenant;
    tenant.renew().await?;
    let answer = tenant
        .ask(Method::GET, &last)
        .header("Prefer", PREFER)
        .send()
        .await?;
    assert_eq!(answer.status().as_u16(), 410);
    let damaged = format!("{path}?token=damaged");
    let (status, body) = tenant.get(&damaged).await?;
    assert_eq!((status, codes(&body).0), (400, "invalidRequest"));
    Ok(())
}

#[tokio::test]
async fn delta_begins_at_the_latest_or_at_a_time() -> Done {
    let tenant = Tenant::small().await?;
    let path = alice(&tenant).await?;
    let (items, last) = tenant.walk(&format!("{path}?token=latest"), PREFER).await?;
    assert!(items.is_empty());
    tenant.steer("clock", json!({"advance": "+10m"})).await?;
    let change = json!({"do": "update", "owner": ALICE, "item": "/virus.exe", "set": {"size": 1}});
    tenant.steer("change", change).await?;
    assert_eq!(names(&tenant.walk(&last, PREFER).await?.0), ["root", "virus.exe"]);
    let since = format!("{path}?token=2026-11-22T12%3A05%3A00Z");
    assert_eq!(
        names(&tenant.walk(&since, PREFER).await?.0),
        ["root", "virus.exe"]
    );
    let inline = path.replace("/delta", "/delta(token='latest')");
    let (items, last) = tenant.walk(&inline, PREFER).await?;
    assert!(items.is_empty() && last.contains("/root/delta?token="), "{last}");
    Ok(())
}

#[tokio::test]
async fn what_delta_cannot_do_is_refused() -> Done {
    let mut tenant = Tenant::small().await?;
    let path = alice(&tenant).await?;
    let drive = tenant.drive(ALICE).await?;
    let folder = tenant.item(&drive, "Projects").await?;
    for (path, code, text) in [
        (
            format!("drives/{drive}/items/{folder}/delta"),
            "notSupported",
            "view.delta can only be called on the root.",
        ),
        (
            format!("{path}?$expand=permissions"),
            "notSupported",
            "Permission is not supported in this item.",
        ),
        (
            format!("{path}?$expand=thumbnails"),
            "badArgument",
            "One of the provided arguments is not acceptable.",
        ),
    ] {
        let (status, body) = tenant.get(&path).await?;
        assert_eq!(
            (status, codes(&body).0, body["error"]["message"].as_str()),
            (400, code, Some(text))
        );
    }
    // What a retention label keeps is only shown to who may handle permissions.
    let roles = json!({"do": "update", "app": {"roles": ["Files.Read.All", "User.Read.All"]}});
    tenant.steer("change", roles).await?;
    let (all, _) = tenant.walk(&path, PREFER).await?;
    tenant.renew().await?;
    let (fewer, _) = tenant.walk(&path, PREFER).await?;
    assert!(named(&all, "salaries.xlsx").is_some() && named(&fewer, "salaries.xlsx").is_none());
    Ok(())
}

#[tokio::test]
async fn large_generated_drives_are_served_from_numbers() -> Done {
    let world = json!({"schema": "sharewarden.world/v1", "microsoft365": {
        "app": {"client_id": crate::tenant::CLIENT, "secret": "small-client-secret"},
        "limits": {"delta_page": 1000},
        "switches": {"duplicates": false},
        "generate": {"drives": 100, "items_each": 10_000, "roots_each": 20, "heavy": {"hoarder@example.org": 1_000_000}},
    }});
    let begun = Instant::now();
    let tenant = Tenant::of(&world).await?;
    assert_eq!(tenant.list("users?$top=999").await?.len(), 101);
    let drive = tenant.drive("user00042@example.org").await?;
    let (items, last) = tenant
        .walk(
            &format!("drives/{drive}/root/delta?$select=id,folder,shared,parentReference,root"),
            PREFER,
        )
        .await?;
    let ids: BTreeSet<String> = items.iter().map(id).collect();
    assert_eq!(ids.len(), 10_001, "each once");
    let known = |item: &Value| {
        item["parentReference"]["id"]
            .as_str()
            .is_none_or(|parent| ids.contains(parent))
    };
    assert!(items.iter().all(known));
    let roots: Vec<&Value> = items
        .iter()
        .filter(|item| item["shared"]["scope"].is_string())
        .collect();
    assert_eq!(roots.len(), 20);
    let permissions = tenant
        .list(&format!("drives/{drive}/items/{}/permissions", id(roots[7])))
        .await?;
    assert!(permissions.iter().any(|one| one.get("link").is_some()) && permissions.len() >= 3);
    // What is generated can be changed as what is written.
    let change =
        json!({"do": "update", "owner": "user00042@example.org", "item": id(roots[7]), "set": {"size": 3}});
    tenant.steer("change", change).await?;
    let (changed, _) = tenant.walk(&last, PREFER).await?;
    assert!(changed.iter().any(|item| item["id"] == roots[7]["id"]));
    let heavy = tenant.drive("hoarder@example.org").await?;
    let page = tenant.list(&format!("drives/{heavy}/root/delta")).await?;
    assert_eq!(page.len(), 1000);
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    Ok(())
}
