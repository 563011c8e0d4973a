//! What the emulated Microsoft 365 lists: people, groups, sites, drives, settings; and the mail it takes.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value, json};
use sharewarden::emulator::World;

use crate::tenant::{Done, Tenant, codes, id, small, small_with, told};

const GUEST: &str = "gina_partner.example.net%23EXT%23@example.onmicrosoft.com";
const PARTNERS: &str = "00000000-0000-4000-8000-0000000009a7";

#[tokio::test]
async fn every_answer_has_its_headers_and_metadata_can_be_left_out() -> Done {
    let tenant = Tenant::small().await?;
    let request = tenant
        .ask(Method::GET, "users?$top=1")
        .header("client-request-id", "asked-1");
    let answer = request.send().await?;
    let header = |name: &str| answer.headers()[name].to_str().unwrap_or_default().to_owned();
    assert_eq!(
        header("content-type"),
        "application/json;odata.metadata=minimal;odata.streaming=true;IEEE754Compatible=false;charset=utf-8"
    );
    assert_eq!(
        (header("odata-version"), header("client-request-id")),
        ("4.0".into(), "asked-1".into())
    );
    assert_eq!(
        (header("request-id").len(), header("date")),
        (36, "Sun, 22 Nov 2026 12:00:00 GMT".into())
    );
    let drive = tenant.drive("alice@example.org").await?;
    let path = format!("drives/{drive}/root/delta?$top=2");
    let bare = tenant
        .ask(Method::GET, &path)
        .header("Accept", "application/json;odata.metadata=none");
    let (_, body) = told(bare.send().await?).await?;
    let text = body.to_string();
    assert!(
        text.contains("@odata.nextLink") && !text.contains("@odata.type") && !text.contains("@odata.context")
    );
    let (status, body) = tenant.get("unheard/of").await?;
    assert_eq!((status, codes(&body).0), (400, "BadRequest"));
    for key in ["date", "request-id", "client-request-id"] {
        assert!(body["error"]["innerError"][key].is_string(), "{key}");
    }
    Ok(())
}

#[tokio::test]
async fn people_come_in_pages_that_are_followed_as_they_are() -> Done {
    let tenant = Tenant::with(json!({"switches": {"empty_pages": true}})).await?;
    let mut url = "users?$select=id,userPrincipalName,accountEnabled,userType&$top=3".to_owned();
    let (mut people, mut sizes) = (BTreeSet::new(), Vec::new());
    loop {
        let (status, body) = tenant.get(&url).await?;
        assert_eq!(status, 200, "{body}");
        let page = body["value"].as_array().unwrap();
        sizes.push(page.len());
        people.extend(
            page.iter()
                .map(|user| user["userPrincipalName"].as_str().unwrap().to_owned()),
        );
        match body["@odata.nextLink"].as_str() {
            Some(next) => url = next.to_owned(),
            None => break,
        }
    }
    assert_eq!(sizes, [3, 0, 3, 0, 1]);
    assert!(
        people.len() == 7 && !people.contains("carol@example.org"),
        "{people:?}"
    );
    let (_, usual) = tenant.get("users/alice@example.org").await?;
    assert!(usual.get("mail").is_some() && usual.get("accountEnabled").is_none());
    for (path, status, code) in [
        ("users?$top=1000", 400, "Request_BadRequest"),
        ("users?$skip=2", 400, "Request_UnsupportedQuery"),
        ("users?$select=id,mySite", 501, "NotImplemented"),
        (
            "users?$filter=accountEnabled%20ne%20true",
            400,
            "Request_UnsupportedQuery",
        ),
        ("users/carol@example.org", 404, "Request_ResourceNotFound"),
        ("users/nobody@example.org", 404, "Request_ResourceNotFound"),
        ("users/bob@example.org/manager", 404, "Request_ResourceNotFound"),
        ("me", 400, "BadRequest"),
    ] {
        let (got, body) = tenant.get(path).await?;
        assert_eq!((got, codes(&body).0), (status, code), "{path}");
    }
    let found = tenant
        .list("users?$filter=accountEnabled%20eq%20false&$select=id")
        .await?;
    assert_eq!(found, [json!({"id": "00000000-0000-4000-8000-0000000000e1"})]);
    let found = tenant
        .list("users?$filter=mail%20eq%20%27GINA@partner.example.net%27")
        .await?;
    assert_eq!(found.len(), 1);
    let (_, manager) = tenant.get("users/alice@example.org/manager").await?;
    assert_eq!(manager["userPrincipalName"], "bob@example.org");
    let advanced = tenant.ask(
        Method::GET,
        "users?$count=true&$filter=userType%20ne%20%27Guest%27",
    );
    let (_, body) = told(advanced.header("ConsistencyLevel", "eventual").send().await?).await?;
    assert_eq!(body["@odata.count"], 6);
    Ok(())
}

#[tokio::test]
async fn drives_that_cannot_be_had_fail_as_recorded() -> Done {
    let tenant = Tenant::small().await?;
    for (user, status, code, inner, message) in [
        (
            "frank@example.org",
            404,
            "ResourceNotFound",
            "",
            "User's mysite not found.",
        ),
        (
            GUEST,
            400,
            "BadRequest",
            "",
            "Unable to retrieve user's mysite URL",
        ),
        (
            "shared.mailbox@example.org",
            400,
            "BadRequest",
            "",
            "Unable to retrieve user's mysite URL",
        ),
        (
            "harald@example.org",
            423,
            "notAllowed",
            "resourceLocked",
            "Access to this site has been blocked. Please contact the administrator to resolve this problem.",
        ),
        (
            "nobody@example.org",
            404,
            "Request_ResourceNotFound",
            "",
            "Resource 'nobody@example.org' does not exist or one of its queried reference-property objects are not present.",
        ),
        (
            "carol@example.org",
            404,
            "Request_ResourceNotFound",
            "",
            "Resource 'carol@example.org' does not exist or one of its queried reference-property objects are not present.",
        ),
    ] {
        let (got, body) = tenant.get(&format!("users/{user}/drive")).await?;
        assert_eq!((got, codes(&body)), (status, (code, inner)), "{user}");
        assert_eq!(body["error"]["message"], message);
    }
    let (_, drive) = tenant
        .get("users/alice@example.org/drive?$select=id,driveType,owner,webUrl")
        .await?;
    assert_eq!(drive["driveType"], "business");
    assert_eq!(
        drive["owner"]["user"]["id"],
        "00000000-0000-4000-8000-0000000000a1"
    );
    assert_eq!(
        drive["webUrl"],
        "https://example-my.sharepoint.com/personal/alice_example_org/Documents"
    );
    assert!(id(&drive).starts_with("b!") && id(&drive).len() == 66 && drive.get("quota").is_none());
    Ok(())
}

#[tokio::test]
async fn all_sites_include_personal_ones_and_those_beneath_others() -> Done {
    let tenant = Tenant::with(json!({"limits": {"sites_page": 4}})).await?;
    let mut url = "sites/getAllSites?$select=id,webUrl,root,isPersonalSite,sharepointIds".to_owned();
    let (mut sites, mut pages) = (Vec::new(), 0);
    loop {
        let (_, body) = tenant.get(&url).await?;
        sites.extend(body["value"].as_array().unwrap().clone());
        pages += 1;
        match body["@odata.nextLink"].as_str() {
            Some(next) => url = next.to_owned(),
            None => break,
        }
    }
    assert_eq!((pages, sites.len()), (3, 10));
    let personal: Vec<&Value> = sites
        .iter()
        .filter(|site| site["isPersonalSite"] == true)
        .collect();
    assert!(
        personal
            .iter()
            .all(|site| site["webUrl"].as_str().unwrap().contains("-my.sharepoint.com/"))
    );
    let carol = personal
        .iter()
        .find(|site| site["webUrl"].as_str().unwrap().contains("carol"));
    let drives = tenant
        .list(&format!("sites/{}/drives", id(carol.unwrap())))
        .await?;
    assert_eq!(drives[0]["owner"]["user"]["displayName"], "Carol Gone");
    let beneath: Vec<&Value> = sites.iter().filter(|site| site.get("root").is_none()).collect();
    assert_eq!(beneath.len(), 1);
    let exams = sites
        .iter()
        .find(|site| site["webUrl"].as_str().unwrap().ends_with("/sites/exams"))
        .unwrap();
    assert_eq!(exams["id"].as_str().unwrap().split(',').count(), 3);
    assert_eq!(
        tenant.list(&format!("sites/{}/sites", id(exams))).await?[0]["id"],
        beneath[0]["id"]
    );
    assert_eq!(
        tenant.list(&format!("sites/{}/drives", id(exams))).await?.len(),
        2
    );
    let hidden = tenant
        .list(&format!("sites/{}/drives?$select=id,name,system", id(exams)))
        .await?;
    assert!(hidden.len() == 3 && hidden.iter().any(|drive| drive["system"] == json!({})));
    for (name, status, code) in [("vault", 423, "notAllowed"), ("board", 403, "accessDenied")] {
        let site = sites
            .iter()
            .find(|site| site["webUrl"].as_str().unwrap().ends_with(name))
            .unwrap();
        let (got, body) = tenant.get(&format!("sites/{}/drives", id(site))).await?;
        assert_eq!((got, codes(&body).0), (status, code));
    }
    let (_, of_group) = tenant
        .get("groups/00000000-0000-4000-8000-00000000e8a5/drive")
        .await?;
    assert_eq!(of_group["id"], tenant.site_drive("/sites/exams").await?);
    Ok(())
}

#[tokio::test]
async fn groups_tell_owners_members_and_guests() -> Done {
    let tenant = Tenant::small().await?;
    let owners = tenant
        .list(&format!("groups/{PARTNERS}/owners?$select=id,userPrincipalName"))
        .await?;
    assert_eq!(owners[0]["userPrincipalName"], "alice@example.org");
    let members = tenant.list(&format!("groups/{PARTNERS}/members")).await?;
    let kinds: Vec<&Value> = members.iter().map(|member| &member["@odata.type"]).collect();
    assert_eq!(
        kinds,
        [
            "#microsoft.graph.user",
            "#microsoft.graph.user",
            "#microsoft.graph.group"
        ]
    );
    assert_eq!(
        tenant
            .list(&format!("groups/{PARTNERS}/transitiveMembers"))
            .await?
            .len(),
        5
    );
    let count = format!("groups/{PARTNERS}/transitiveMembers/$count");
    assert_eq!(codes(&tenant.get(&count).await?.1).0, "Request_UnsupportedQuery");
    let guests = format!(
        "groups/{PARTNERS}/transitiveMembers/microsoft.graph.user/$count?$filter=userType%20eq%20%27Guest%27"
    );
    for (path, number) in [(&count, "5"), (&guests, "1")] {
        let answer = tenant
            .ask(Method::GET, path)
            .header("ConsistencyLevel", "eventual")
            .send()
            .await?;
        assert_eq!(answer.headers()["content-type"], "text/plain");
        assert_eq!(answer.text().await?, number);
    }
    let (status, _) = tenant.get(&format!("groups/{PARTNERS}_o")).await?;
    assert_eq!(status, 400, "a claim of owners is no id of a group");
    Ok(())
}

#[tokio::test]
async fn the_tenants_settings_are_wrapped_or_flat() -> Done {
    let tenant = Tenant::with(json!({"settings": {"sharing_capability": "externalUserSharingOnly"}})).await?;
    let (_, body) = tenant.get("admin/sharepoint/settings").await?;
    assert_eq!(body["value"]["sharingCapability"], "externalUserSharingOnly");
    let flat = json!({"do": "update", "switches": {"settings_wrapped": false}});
    tenant.steer("change", flat).await?;
    let (_, body) = tenant.get("admin/sharepoint/settings").await?;
    assert_eq!(body["sharingCapability"], "externalUserSharingOnly");
    assert!(
        !body.to_string().contains("xpiry"),
        "the policy on expiry is not told"
    );
    let (_, body) = tenant.get("organization?$select=id,verifiedDomains").await?;
    assert_eq!(
        body["value"][0]["verifiedDomains"][1]["name"],
        "example.onmicrosoft.com"
    );
    Ok(())
}

#[tokio::test]
async fn labels_are_read_of_files() -> Done {
    let tenant = Tenant::small().await?;
    let drive = tenant.drive("alice@example.org").await?;
    let numbers = tenant.item(&drive, "numbers.xlsx").await?;
    let path = |item: &str, what: &str| format!("drives/{drive}/items/{item}/{what}");
    let label = |body: &Value| body["value"]["labels"][0]["sensitivityLabelId"].clone();
    let (status, body) = tenant
        .send(
            Method::POST,
            &path(&numbers, "extractSensitivityLabels"),
            json!({}),
        )
        .await?;
    assert_eq!(
        (status, label(&body)),
        (200, json!("5ec5e000-0000-4000-8000-000000000001"))
    );
    let change = json!({"do": "update", "owner": "alice@example.org", "item": "/Projects/Budget/numbers.xlsx",
        "set": {"sensitivity_label": "!fileDoubleKeyEncrypted"}});
    tenant.steer("change", change).await?;
    let (status, body) = tenant
        .send(
            Method::POST,
            &path(&numbers, "extractSensitivityLabels"),
            json!({}),
        )
        .await?;
    assert_eq!((status, codes(&body).0), (423, "fileDoubleKeyEncrypted"));
    let kept = tenant.item(&drive, "salaries.xlsx").await?;
    assert_eq!(
        tenant.get(&path(&kept, "retentionLabel")).await?.1["name"],
        "Keep ten years"
    );
    Ok(())
}

#[tokio::test]
async fn mail_is_taken_and_kept() -> Done {
    let tenant = Tenant::with(json!({"switches": {"senders": ["alice@example.org"]}})).await?;
    let mail = |to: &str, header: &str| {
        json!({"message": {"subject": "What is open", "body": {"contentType": "HTML", "content": "<p>…</p>"},
            "toRecipients": [{"emailAddress": {"address": to}}],
            "internetMessageHeaders": [{"name": header, "value": "1"}]}, "saveToSentItems": false})
    };
    let send = |from: &'static str, to: &'static str, header: &'static str| {
        tenant.send(Method::POST, from, mail(to, header))
    };
    let (status, body) = send("users/alice@example.org/sendMail", "bob@example.org", "x-run").await?;
    assert_eq!((status, body), (202, json!("")));
    for (from, to, header, status, code) in [
        (
            "users/bob@example.org/sendMail",
            "a@example.org",
            "x-run",
            403,
            "ErrorAccessDenied",
        ),
        (
            "users/nobody@example.org/sendMail",
            "a@example.org",
            "x-run",
            404,
            "ErrorInvalidUser",
        ),
        (
            "users/alice@example.org/sendMail",
            "nowhere",
            "x-run",
            400,
            "ErrorInvalidRecipients",
        ),
        (
            "users/alice@example.org/sendMail",
            "a@example.org",
            "Run",
            400,
            "InvalidInternetMessageHeader",
        ),
    ] {
        let (got, body) = send(from, to, header).await?;
        assert_eq!((got, codes(&body).0), (status, code), "{from} {to} {header}");
    }
    let kept = tenant.steered("mails").await?;
    assert_eq!(kept.as_array().unwrap().len(), 1);
    assert_eq!(
        (&kept[0]["sender"], &kept[0]["message"]["subject"]),
        (&json!("alice@example.org"), &json!("What is open"))
    );
    Ok(())
}

#[tokio::test]
async fn four_mails_are_taken_at_the_same_time() -> Done {
    let tenant = Tenant::with(json!({"limits": {"answer_delay_ms": 300}})).await?;
    let mail = json!({"message": {"subject": "s", "toRecipients": [{"emailAddress": {"address": "bob@example.org"}}]}});
    let send = || tenant.send(Method::POST, "users/alice@example.org/sendMail", mail.clone());
    let all = futures::future::try_join_all((0..6).map(|_| send())).await?;
    let taken = all.iter().filter(|(status, _)| *status == 202).count();
    assert_eq!(taken, 4);
    let (_, refused) = all.iter().find(|(status, _)| *status == 429).unwrap();
    assert_eq!(codes(refused).0, "ApplicationThrottled");
    assert_eq!(send().await?.0, 202, "soon there is room again");
    Ok(())
}

#[tokio::test]
async fn a_broken_tenant_says_where_and_what_to_do() {
    let told = |change: &dyn Fn(&mut Value)| {
        let mut world = small();
        change(&mut world["microsoft365"]);
        let read = World::from_json(world.to_string().as_bytes());
        read.err().map(|error| error.to_string()).unwrap_or_default()
    };
    let at = told(&|world| world["permissions"][0]["path"] = json!("/Nowhere"));
    assert_eq!(
        at,
        "world file, microsoft365.permissions[0]: there is no `/Nowhere`; add it to the `items`"
    );
    assert!(told(&|world| world["userz"] = json!([])).contains("unknown field `userz`"));
    assert!(told(&|world| world["users"][0]["drive"] = json!("odd")).contains("is no state of a drive"));
    assert!(
        told(&|world| world["users"][0]["manager"] = json!("x"))
            .starts_with("world file, microsoft365.users[0].manager")
    );
    assert!(told(&|world| world["app"]["certificates"] = json!(["x"])).contains("no certificate in PEM"));
    assert!(
        told(&|world| world["permissions"][4]["grant"] = json!({"user": "x@y"}))
            .contains("write {\"otp\": …}")
    );
    assert_eq!(told(&|_| ()), "");
}

#[tokio::test]
async fn a_world_of_one_service_has_only_its_access() {
    let world = World::from_json(small().to_string().as_bytes()).unwrap();
    let access = world.microsoft_access().unwrap();
    assert_eq!(
        (access.tenant.as_str(), access.secret.as_str()),
        ("example.org", "small-client-secret")
    );
    assert!(!world.has_nextcloud() && world.nextcloud_access().is_none());
    let limited = small_with(&json!({"limits": {"licenses": 4000, "units_per_minute": 50}}));
    let access = World::from_json(limited.to_string().as_bytes())
        .unwrap()
        .microsoft_access()
        .unwrap();
    assert_eq!(
        (access.license_count, access.units_per_minute),
        (Some(4000), Some(50))
    );
    let demo = World::demo();
    assert!(demo.microsoft_access().is_some() && demo.nextcloud_access().is_some());
}
