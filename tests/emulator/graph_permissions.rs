//! Permissions of the emulated Microsoft 365: their recorded shapes, inheritance, and what changing them does.

#![expect(
    clippy::unwrap_used,
    reason = "a test fails where the emulator is not as expected"
)]

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::Method;
use serde_json::{Value, json};

use crate::tenant::{Done, Tenant, codes, id, told};

const ALICE: &str = "alice@example.org";

fn claim(permission: &Value) -> String {
    let id = permission["id"].as_str().unwrap();
    String::from_utf8(URL_SAFE_NO_PAD.decode(id).unwrap_or_default()).unwrap_or_default()
}

/// The link with the id that ends so.
fn link<'p>(all: &'p [Value], end: &str) -> &'p Value {
    all.iter()
        .find(|one| one["id"].as_str().unwrap().ends_with(end))
        .unwrap()
}

/// The grant to whose claim this belongs.
fn grant<'p>(all: &'p [Value], part: &str) -> &'p Value {
    all.iter().find(|one| claim(one).contains(part)).unwrap()
}

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

#[tokio::test]
async fn links_are_shaped_as_recorded() -> Done {
    let tenant = Tenant::with(json!({"switches": {"share_ids": false}})).await?;
    let drive = tenant.drive(ALICE).await?;
    let all = tenant.permissions(&drive, "plan.docx").await?;
    let mut one = link(&all, "0002").clone();
    let url = one["link"]["webUrl"].take();
    assert!(
        url.as_str()
            .unwrap()
            .starts_with("https://example-my.sharepoint.com/:b:/g/personal/alice_example_org/E")
    );
    assert_eq!(
        one,
        json!({"id": "11111111-0000-4000-8000-000000000002", "roles": ["read"], "hasPassword": true,
            "expirationDateTime": "2026-12-22T12:00:00Z", "grantedToIdentitiesV2": [], "grantedToIdentities": [],
            "link": {"scope": "anonymous", "type": "view", "webUrl": null, "preventsDownload": false}})
    );
    let inside = tenant.permissions(&drive, "numbers.xlsx").await?;
    let mut one = link(&inside, "0004").clone();
    one["link"]["webUrl"].take();
    one["grantedToIdentitiesV2"][0]["siteUser"]["id"].take();
    one["grantedToIdentitiesV2"].as_array_mut().unwrap().truncate(1);
    one["grantedToIdentities"].as_array_mut().unwrap().truncate(1);
    let bob = json!({"displayName": "Bob Bäcker", "email": "bob@example.org", "id": "00000000-0000-4000-8000-0000000000b0"});
    let mut typed = bob.clone();
    typed["@odata.type"] = json!("#microsoft.graph.sharePointIdentity");
    assert_eq!(
        one,
        json!({"id": "11111111-0000-4000-8000-000000000004", "roles": ["read"], "hasPassword": false,
            "grantedToIdentitiesV2": [{"user": typed, "siteUser": {"displayName": "Bob Bäcker", "email": "bob@example.org",
                "id": null, "loginName": "i:0#.f|membership|bob@example.org"}}],
            "grantedToIdentities": [{"user": bob}],
            "link": {"scope": "users", "type": "view", "webUrl": null, "preventsDownload": true}})
    );
    assert_eq!(
        link(&all, "0003")["grantedToIdentitiesV2"][0]["user"]["email"],
        "bob@example.org"
    );
    Ok(())
}

#[tokio::test]
async fn grants_are_known_by_their_claims() -> Done {
    let tenant = Tenant::small().await?;
    let drive = tenant.drive(ALICE).await?;
    let salaries = tenant.permissions(&drive, "salaries.xlsx").await?;
    assert_eq!(
        keys(grant(&salaries, "bob@")),
        ["grantedTo", "grantedToV2", "id", "roles"],
        "no password, no link, no expiry"
    );
    let guest = grant(&salaries, "#ext#");
    assert_eq!(
        guest["grantedToV2"]["user"]["id"],
        "00000000-0000-4000-8000-000000000091"
    );
    let team = tenant.permissions(&drive, "Team").await?;
    assert_eq!(
        claim(grant(&team, "e8a5")),
        "c:0o.c|federateddirectoryclaimprovider|00000000-0000-4000-8000-00000000e8a5"
    );
    assert_eq!(
        claim(grant(&team, "9a7")),
        "c:0t.c|tenant|00000000-0000-4000-8000-0000000009a7"
    );
    assert_eq!(
        grant(&team, "9a7")["grantedToV2"]["group"]["displayName"],
        "Project partners"
    );
    let notes = tenant.permissions(&drive, "notes.txt").await?;
    let otp = grant(&notes, "urn%3aspo%3aguest#client@partner.example.net");
    assert!(
        otp["grantedToV2"]["user"].get("id").is_none(),
        "not in the directory"
    );
    assert_eq!(otp["expirationDateTime"], "2026-12-12T12:00:00Z");
    let everyone = tenant.permissions(&drive, "=1+1 #2 100% 'n' 日本.txt").await?;
    assert_eq!(grant(&everyone, "c:0(.s")["id"], "YzowKC5zfHRydWU");
    let notebook = tenant.permissions(&drive, "Notebook").await?;
    let inside = grant(&notebook, "spo-grid-all-users");
    assert!(id(inside).starts_with("YzowLS5mfHJvbGVtYW5hZ2VyfHNwby1ncmlkLWFsbC11c2Vycy8"));
    let exams = tenant.site_drive("/sites/exams").await?;
    let marks = tenant.permissions(&exams, "marks.xlsx").await?;
    for (group, role) in [("Owners", "owner"), ("Members", "write"), ("Visitors", "read")] {
        let entry = grant(&marks, &format!("Exams {group}"));
        assert_eq!(entry["roles"], json!([role]));
        assert!(
            entry["grantedToV2"]["siteGroup"]["id"]
                .as_str()
                .unwrap()
                .parse::<u32>()
                .is_ok()
        );
    }
    let archive = tenant.site_drive("/sites/archive").await?;
    let report = tenant.permissions(&archive, "report.pdf").await?;
    assert_eq!(link(&report, "00b")["link"]["scope"], "existingAccess");
    assert_eq!(claim(grant(&report, "windows")), "c:0!.s|windows");
    let letter = tenant
        .permissions(&tenant.drive("bob@example.org").await?, "letter.docx")
        .await?;
    let invited = letter.iter().find(|one| one.get("invitation").is_some()).unwrap();
    assert_eq!(invited["invitation"]["email"], "press@news.example.com");
    Ok(())
}

#[tokio::test]
async fn links_are_inherited_from_all_folders_and_grants_from_the_nearest() -> Done {
    let tenant = Tenant::small().await?;
    let drive = tenant.drive(ALICE).await?;
    let budget = tenant.permissions(&drive, "Budget").await?;
    let above = tenant.permissions(&drive, "Projects").await?;
    assert_eq!(
        link(&budget, "0001")["link"]["webUrl"],
        link(&above, "0001")["link"]["webUrl"]
    );
    assert_eq!(
        (
            link(&budget, "0001").get("inheritedFrom"),
            link(&above, "0001").get("inheritedFrom")
        ),
        (Some(&json!({})), None)
    );
    // The notes left their folder after it was given to two groups: they have a copy of that.
    let notes = tenant.permissions(&drive, "notes.txt").await?;
    assert!(grant(&notes, "9a7").get("inheritedFrom").is_none());
    let give =
        json!({"do": "add", "permission": {"owner": ALICE, "path": "/Team", "grant": {"everyone": true}}});
    tenant.steer("change", give).await?;
    let notes = tenant.permissions(&drive, "notes.txt").await?;
    assert!(
        !notes.iter().any(|one| claim(one).contains("c:0(.s")),
        "what the folder got later stays with it"
    );
    // A unique item has nothing of the links above that were there before, and those made later.
    let exams = tenant.site_drive("/sites/exams").await?;
    let marks = tenant.permissions(&exams, "marks.xlsx").await?;
    assert!(!marks.iter().any(|one| one.get("link").is_some()));
    let later = json!({"do": "add", "permission": {"site": "/sites/exams", "path": "/Winter", "link": {"scope": "organization"}}});
    tenant.steer("change", later).await?;
    let marks = tenant.permissions(&exams, "marks.xlsx").await?;
    assert_eq!(marks.iter().filter(|one| one.get("link").is_some()).count(), 1);
    // An item that left its folder keeps the older links without their people.
    let own = json!({"do": "add", "permission": {"site": "/sites/exams", "path": "/Winter/paper.docx", "grant": {"user": ALICE}}});
    tenant.steer("change", own).await?;
    let paper = tenant.permissions(&exams, "paper.docx").await?;
    assert_eq!(link(&paper, "0009")["grantedToIdentitiesV2"], json!([]));
    Ok(())
}

#[tokio::test]
async fn known_contradictions_are_switches() -> Done {
    let tenant = Tenant::small().await?;
    let drive = tenant.drive(ALICE).await?;
    let budget = tenant.item(&drive, "Budget").await?;
    let path = format!("drives/{drive}/items/{budget}/permissions");
    let tenant = &tenant;
    let with = |switch: Value| {
        let path = path.clone();
        async move {
            tenant
                .steer("change", json!({"do": "update", "switches": switch}))
                .await?;
            tenant.list(&path).await
        }
    };
    let inherited = |all: &[Value]| link(all, "0001").get("inheritedFrom").cloned();
    assert_eq!(inherited(&with(json!({"inherited_from": "absent"})).await?), None);
    let filled = with(json!({"inherited_from": "filled"})).await?;
    assert_eq!(
        inherited(&filled).unwrap()["id"],
        tenant.item(&drive, "Projects").await?
    );
    let links = with(json!({"inherited_from": "links-only"})).await?;
    assert!(inherited(&links).is_some() && grant(&links, "alice").get("inheritedFrom").is_none());
    let expiry = |all: &[Value]| link(all, "0001").get("expirationDateTime").cloned();
    assert_eq!(
        expiry(&with(json!({"no_expiry": "zero"})).await?),
        Some(json!("0001-01-01T00:00:00Z"))
    );
    assert_eq!(
        expiry(&with(json!({"no_expiry": "null"})).await?),
        Some(Value::Null)
    );
    let hidden = with(json!({"low_privilege": true, "no_expiry": "absent"})).await?;
    assert!(
        link(&hidden, "0001")["link"].get("webUrl").is_none()
            && link(&hidden, "0001").get("shareId").is_none()
    );
    let plain = with(json!({"low_privilege": false, "deprecated_twins": false})).await?;
    assert!(
        !plain
            .iter()
            .any(|one| one.get("grantedTo").is_some() || one.get("grantedToIdentities").is_some())
    );
    let other = with(json!({"link_ids_per_item": true})).await?;
    assert!(
        !other
            .iter()
            .any(|one| one["id"] == "11111111-0000-4000-8000-000000000001")
    );
    tenant
        .steer(
            "change",
            json!({"do": "update", "switches": {"permissions_page": 1, "link_ids_per_item": false}}),
        )
        .await?;
    let (_, first) = tenant.get(&path).await?;
    let (_, second) = tenant.get(first["@odata.nextLink"].as_str().unwrap()).await?;
    assert_ne!(first["value"][0]["id"], second["value"][0]["id"]);
    Ok(())
}

#[tokio::test]
async fn permissions_are_filtered_picked_and_read_singly() -> Done {
    let tenant = Tenant::small().await?;
    let drive = tenant.drive(ALICE).await?;
    let plan = tenant.item(&drive, "plan.docx").await?;
    let path = format!("drives/{drive}/items/{plan}/permissions");
    assert_eq!(
        tenant
            .list(&format!("{path}?$filter=Link%20ne%20null"))
            .await?
            .len(),
        3
    );
    let open = tenant
        .list(&format!(
            "{path}?$filter=Link%20ne%20null%20and%20Link/Scope%20eq%20%27anonymous%27&$select=id,link"
        ))
        .await?;
    assert_eq!((open.len(), keys(&open[0])), (2, vec!["id", "link"]));
    assert_eq!(
        tenant
            .get(&format!("{path}?$filter=roles%20eq%20%27read%27"))
            .await?
            .0,
        400
    );
    let one = format!("{path}/11111111-0000-4000-8000-000000000002");
    assert_eq!(tenant.get(&one).await?.1["hasPassword"], true);
    let (status, body) = tenant.get(&format!("{path}/unknown")).await?;
    assert_eq!((status, codes(&body).0), (404, "itemNotFound"));
    Ok(())
}

/// The address of a permission on an item.
async fn address(tenant: &Tenant, name: &str, permission: &str) -> Result<String, crate::tenant::Failure> {
    let drive = tenant.drive(ALICE).await?;
    let item = tenant.item(&drive, name).await?;
    Ok(format!("drives/{drive}/items/{item}/permissions/{permission}"))
}

const OPEN: &str = "11111111-0000-4000-8000-000000000001";
const COMPANY: &str = "11111111-0000-4000-8000-000000000003";

#[tokio::test]
async fn an_expiry_is_set_on_anonymous_links_only_and_shortened_silently() -> Done {
    let tenant = Tenant::with(json!({"settings": {"link_expiry_days": 30}})).await?;
    let open = address(&tenant, "Projects", OPEN).await?;
    let set = |at: &str| json!({"expirationDateTime": at});
    let (status, body) = tenant
        .send(Method::PATCH, &open, set("2026-11-30T16:57:00.000Z"))
        .await?;
    assert_eq!(
        (status, &body["expirationDateTime"]),
        (200, &json!("2026-11-30T16:57:00Z")),
        "{body}"
    );
    assert!(body["link"]["webUrl"].is_string() && body["hasPassword"] == false);
    let (status, body) = tenant
        .send(Method::PATCH, &open, set("2027-11-30T00:00:00Z"))
        .await?;
    assert_eq!(
        (status, &body["expirationDateTime"]),
        (200, &json!("2026-12-22T12:00:00Z"))
    );
    let company = address(&tenant, "plan.docx", COMPANY).await?;
    for (path, body, status, code) in [
        (&open, set("2026-11-22T11:00:00Z"), 400, "invalidRequest"),
        (&open, json!({"roles": ["read"]}), 400, "badArgument"),
        (&open, json!({"expirationDateTime": null}), 400, "badArgument"),
        (&open, json!({"password": "x"}), 400, "badArgument"),
        (&company, set("2026-11-30T00:00:00Z"), 400, "badArgument"),
    ] {
        let (got, answer) = tenant.send(Method::PATCH, path, body.clone()).await?;
        assert_eq!((got, codes(&answer).0), (status, code), "{body}");
    }
    tenant
        .steer(
            "change",
            json!({"do": "update", "switches": {"org_link_patch": true}}),
        )
        .await?;
    assert_eq!(
        tenant
            .send(Method::PATCH, &company, set("2026-11-30T00:00:00Z"))
            .await?
            .0,
        200
    );
    let stale = tenant
        .ask(Method::PATCH, &open)
        .header("If-Match", "\"stale\"")
        .json(&set("2026-11-29T00:00:00Z"));
    assert_eq!(told(stale.send().await?).await?.0, 412);
    // A shorter maximum shortens what is there.
    tenant
        .steer(
            "change",
            json!({"service": "graph", "do": "update", "settings": {"link_expiry_days": 2}}),
        )
        .await?;
    assert_eq!(
        tenant.get(&open).await?.1["expirationDateTime"],
        "2026-11-24T12:00:00Z"
    );
    Ok(())
}

#[tokio::test]
async fn a_removed_link_vanishes_from_everything_beneath() -> Done {
    let tenant = Tenant::small().await?;
    let below = address(&tenant, "Budget", OPEN).await?;
    let (status, body) = tenant.send(Method::DELETE, &below, json!({})).await?;
    assert_eq!((status, codes(&body).0), (400, "notAllowed"), "inherited");
    let own = address(&tenant, "Projects", OPEN).await?;
    assert_eq!(
        told(tenant.ask(Method::DELETE, &own).send().await?).await?,
        (204, json!(""))
    );
    let (status, body) = tenant.send(Method::DELETE, &own, json!({})).await?;
    assert_eq!((status, codes(&body).0), (404, "itemNotFound"));
    let drive = tenant.drive(ALICE).await?;
    for name in ["Projects", "Budget", "plan.docx"] {
        assert!(
            !tenant
                .permissions(&drive, name)
                .await?
                .iter()
                .any(|one| one["id"] == OPEN),
            "{name}"
        );
    }
    // The owner cannot be removed; an inherited grant can, and the item leaves its folder.
    let owner = URL_SAFE_NO_PAD.encode("i:0#.f|membership|alice@example.org");
    let (status, body) = tenant
        .send(
            Method::DELETE,
            &address(&tenant, "Projects", &owner).await?,
            json!({}),
        )
        .await?;
    assert_eq!((status, codes(&body).0), (403, "notAllowed"));
    let bobs = tenant.drive("bob@example.org").await?;
    let carol = URL_SAFE_NO_PAD.encode("i:0#.f|membership|carol@example.org");
    let fresh = json!({"do": "add", "owner": "bob@example.org", "item": {"path": "/fresh.txt"}});
    tenant.steer("change", fresh).await?;
    let fresh = tenant.item(&bobs, "fresh.txt").await?;
    let path = format!("drives/{bobs}/items/{fresh}/permissions/{carol}");
    assert_eq!(
        told(tenant.ask(Method::DELETE, &path).send().await?).await?.0,
        204
    );
    assert_eq!(tenant.get(&path).await?.0, 404);
    assert_eq!(
        tenant
            .get(&format!("drives/{bobs}/root/permissions/{carol}"))
            .await?
            .0,
        200
    );
    Ok(())
}

#[tokio::test]
async fn links_are_made_once_and_not_where_sharing_is_off() -> Done {
    let tenant = Tenant::with(json!({"settings": {"link_expiry_days": 10}})).await?;
    let drive = tenant.drive(ALICE).await?;
    let item = tenant.item(&drive, "salaries.xlsx").await?;
    let path = format!("drives/{drive}/items/{item}/createLink");
    let body = json!({"type": "view", "scope": "anonymous", "expirationDateTime": "2027-06-01T00:00:00Z"});
    let answer = tenant.ask(Method::POST, &path).json(&body).send().await?;
    assert!(answer.headers()["location"].to_str()?.contains("/permissions/"));
    let (status, made) = told(answer).await?;
    assert_eq!(
        (status, &made["expirationDateTime"]),
        (201, &json!("2026-12-02T12:00:00Z")),
        "shortened"
    );
    let (status, again) = tenant.send(Method::POST, &path, body.clone()).await?;
    assert_eq!((status, &again["id"]), (200, &made["id"]));
    tenant
        .steer("change", json!({"service": "graph", "do": "update", "settings": {"sharing_capability": "externalUserSharingOnly"}}))
        .await?;
    let edit = json!({"type": "edit", "scope": "anonymous"});
    let answer = tenant.ask(Method::POST, &path).json(&edit).send().await?;
    assert!(
        answer
            .headers()
            .contains_key("sharepoint-createsharinglink-error")
    );
    let (status, body) = told(answer).await?;
    assert_eq!((status, codes(&body)), (403, ("accessDenied", "sharingDisabled")));
    Ok(())
}

#[tokio::test]
async fn reading_rights_change_nothing() -> Done {
    let mut tenant = Tenant::small().await?;
    let roles = json!(["Files.Read.All", "Sites.Read.All", "User.Read.All"]);
    tenant
        .steer("change", json!({"do": "update", "app": {"roles": roles}}))
        .await?;
    tenant.renew().await?;
    let open = address(&tenant, "Projects", OPEN).await?;
    assert_eq!(tenant.get(&open).await?.0, 200);
    for method in [Method::PATCH, Method::DELETE] {
        let body = json!({"expirationDateTime": "2026-11-30T00:00:00Z"});
        let (status, body) = tenant.send(method, &open, body).await?;
        assert_eq!((status, codes(&body).0), (403, "accessDenied"));
    }
    Ok(())
}

#[tokio::test]
async fn people_are_invited() -> Done {
    let tenant = Tenant::small().await?;
    let drive = tenant.drive(ALICE).await?;
    let item = tenant.item(&drive, "virus.exe").await?;
    let path = format!("drives/{drive}/items/{item}/invite");
    let body = json!({"requireSignIn": true, "sendInvitation": false, "roles": ["read"],
        "recipients": [{"email": "bob@example.org"}, {"email": "new@stranger.example.com"}]});
    let (status, body) = tenant.send(Method::POST, &path, body).await?;
    assert_eq!(status, 200, "{body}");
    assert_eq!(body["value"][0]["roles"], json!(["Read"]), "as recorded");
    assert!(body["value"][0].get("grantedTo").is_some() && body["value"][0].get("grantedToV2").is_none());
    let all = tenant.permissions(&drive, "virus.exe").await?;
    assert!(
        all.iter()
            .any(|one| claim(one).contains("new@stranger.example.com"))
    );
    Ok(())
}

#[tokio::test]
async fn ending_may_need_full_control_and_passwords_may_be_left_out() -> Done {
    let roles = json!(["Files.ReadWrite.All", "User.Read.All"]);
    let switches = json!({"full_control_to_end": true, "link_passwords": false});
    let mut tenant = Tenant::with(json!({"app": {"roles": roles}, "switches": switches})).await?;
    let drive = tenant.drive(ALICE).await?;
    let item = tenant.item(&drive, "Projects").await?;
    let place = format!("drives/{drive}/items/{item}");
    let asked = json!({"type": "view", "scope": "anonymous", "password": "Another-One-42"});
    let (status, made) = tenant
        .send(Method::POST, &format!("{place}/createLink"), asked)
        .await?;
    assert_eq!((status, &made["hasPassword"]), (201, &json!(false)));
    let link = format!("{place}/permissions/{}", id(&made));
    let (status, body) = tenant.send(Method::DELETE, &link, json!({})).await?;
    assert_eq!((status, codes(&body).0), (403, "notAllowed"));
    let app = json!({"roles": ["Sites.FullControl.All"]});
    tenant
        .steer("change", json!({"do": "update", "app": app}))
        .await?;
    tenant.renew().await?;
    let (status, _) = tenant.send(Method::DELETE, &link, json!({})).await?;
    assert_eq!(status, 204);
    Ok(())
}

#[tokio::test]
async fn an_invitation_that_would_have_ended_is_refused() -> Done {
    let tenant = Tenant::small().await?;
    let drive = tenant.drive(ALICE).await?;
    let item = tenant.item(&drive, "Projects").await?;
    let mut asked = json!({"roles": ["read"], "requireSignIn": true, "sendInvitation": false,
        "recipients": [{"objectId": "00000000-0000-4000-8000-0000000000b0"}], "expirationDateTime": "2020-01-01T00:00:00Z"});
    let invite = format!("drives/{drive}/items/{item}/invite");
    let (status, body) = tenant.send(Method::POST, &invite, asked.clone()).await?;
    assert_eq!((status, codes(&body).0), (400, "invalidRequest"));
    asked["expirationDateTime"] = "2027-01-01T00:00:00Z".into();
    let (status, body) = tenant.send(Method::POST, &invite, asked).await?;
    assert_eq!(
        (status, &body["value"][0]["expirationDateTime"]),
        (200, &json!("2027-01-01T00:00:00Z"))
    );
    Ok(())
}
