//! What the emulator does beyond the recordings: worlds, steering, faults, and the rules of changing shares.

use std::collections::BTreeSet;
use std::error::Error;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::{Method, Response};
use serde_json::{Value, json};
use sharewarden::emulator::{Emulator, Options, World};
use url::Url;

type Failure = Box<dyn Error>;
type Done = Result<(), Failure>;

const SHARES: &str = "ocs/v2.php/apps/files_sharing/api/v1/shares";

/// An emulator, and a client that acts for its accounts through `AppAPI`.
struct Stage {
    _emulator: Emulator,
    client: reqwest::Client,
    base: Url,
    secret: &'static str,
}

impl Stage {
    async fn small() -> Result<Self, Failure> {
        Self::of(
            World::from_json(include_bytes!("../../fixtures/worlds/small.json"))?,
            "small-app-secret",
        )
        .await
    }

    async fn of(world: World, secret: &'static str) -> Result<Self, Failure> {
        let emulator = Emulator::start(world, Options::default()).await?;
        let base = emulator.nextcloud_url();
        let client = reqwest::Client::builder()
            .no_proxy()
            .timeout(Duration::from_secs(20))
            .build()?;
        Ok(Self {
            _emulator: emulator,
            client,
            base,
            secret,
        })
    }

    fn ask(&self, method: Method, account: &str, path: &str) -> Result<reqwest::RequestBuilder, Failure> {
        let token = STANDARD.encode(format!("{account}:{}", self.secret));
        let request = self.client.request(method, self.base.join(path)?);
        let request = request
            .header("EX-APP-ID", "sharewarden")
            .header("EX-APP-VERSION", "1.0.0");
        let request = request
            .header("AUTHORIZATION-APP-API", token)
            .header("OCS-APIRequest", "true");
        Ok(request.header("Accept", "application/json"))
    }

    async fn get(&self, account: &str, path: &str) -> Result<Value, Failure> {
        Ok(self.ask(Method::GET, account, path)?.send().await?.json().await?)
    }

    async fn put(
        &self,
        account: &str,
        share: u64,
        field: &str,
        value: &str,
    ) -> Result<(u16, Value), Failure> {
        let request = self
            .ask(Method::PUT, account, &format!("{SHARES}/{share}"))?
            .form(&[(field, value)]);
        let answer = request.send().await?;
        Ok((answer.status().as_u16(), answer.json().await?))
    }

    async fn delete(&self, account: &str, share: u64) -> Result<u16, Failure> {
        let answer = self
            .ask(Method::DELETE, account, &format!("{SHARES}/{share}"))?
            .send()
            .await?;
        Ok(answer.status().as_u16())
    }

    async fn steer(&self, what: &str, body: Value) -> Result<Value, Failure> {
        let answer = self
            .client
            .post(self.base.join("__emulator/")?.join(what)?)
            .json(&body)
            .send()
            .await?;
        let good = answer.status().is_success();
        let body: Value = answer.json().await?;
        if good {
            Ok(body)
        } else {
            Err(body.to_string().into())
        }
    }

    async fn listed(&self, account: &str) -> Result<Vec<u64>, Failure> {
        let body = self.get(account, &format!("{SHARES}?reshares=true")).await?;
        Ok(ids(&body["ocs"]["data"]))
    }

    async fn stored(&self) -> Result<Vec<Value>, Failure> {
        let url = self.base.join("__emulator/shares")?;
        let body: Value = self.client.get(url).send().await?.json().await?;
        Ok(body.as_array().cloned().unwrap_or_default())
    }
}

fn ids(list: &Value) -> Vec<u64> {
    let ids = list
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|share| share["id"].as_str()?.parse().ok());
    ids.collect()
}

fn basic(name: &str, secret: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{name}:{secret}")))
}

async fn body_error(answer: Response) -> bool {
    answer.bytes().await.is_err()
}

#[tokio::test]
async fn the_demo_lists_every_share_that_an_enabled_account_can_show() -> Done {
    let stage = Stage::of(World::demo(), "demo-application-secret").await?;
    let accounts = stage.get("", "ocs/v2.php/apps/app_api/api/v1/users").await?;
    let accounts: Vec<String> = serde_json::from_value(accounts["ocs"]["data"].clone())?;
    assert!(
        accounts.len() > 35,
        "an organisation of about forty people, not {}",
        accounts.len()
    );
    let mut seen = BTreeSet::new();
    for account in &accounts {
        if !["r.ferrer", "y.kim"].contains(&account.as_str()) {
            seen.extend(stage.listed(account).await?);
        }
    }
    let stored = stage.stored().await?;
    let unseen: Vec<&Value> = stored
        .iter()
        .filter(|row| !seen.contains(&row["id"].as_u64().unwrap_or(0)))
        .collect();
    let explained =
        |row: &&&Value| row["owner"] == "r.ferrer" || row["owner"] == "y.kim" || row["trashed"] == true;
    let unexplained: Vec<_> = unseen
        .iter()
        .filter(|row| !explained(row) && !row["path"].is_null())
        .collect();
    assert!(unexplained.is_empty(), "{unexplained:?}");
    assert_eq!(
        unseen.len(),
        5,
        "two links and a mail share of disabled accounts, one in the trash, one of a lost file"
    );
    let kinds: BTreeSet<i64> = stored.iter().filter_map(|row| row["type"].as_i64()).collect();
    assert_eq!(
        kinds.into_iter().collect::<Vec<_>>(),
        [0, 1, 3, 4, 6, 7, 9, 10, 12, 15, 99]
    );
    Ok(())
}

#[tokio::test]
async fn a_default_listing_misses_what_others_made_of_my_files() -> Done {
    let stage = Stage::small().await?;
    let body = stage.get("alice", SHARES).await?;
    assert_eq!(ids(&body["ocs"]["data"]), [4, 10, 11, 6, 1, 2, 3, 8, 14, 9]);
    assert_eq!(
        stage.listed("alice").await?,
        [4, 10, 11, 6, 1, 2, 3, 5, 7, 8, 14, 9]
    );
    assert_eq!(stage.listed("bob").await?, [5]);
    Ok(())
}

#[tokio::test]
async fn looking_at_a_due_share_deletes_it() -> Done {
    let stage = Stage::small().await?;
    stage.steer("clock", json!({"advance": "+10d"})).await?;
    assert_eq!(stage.stored().await?.len(), 14);
    let other = stage
        .ask(Method::GET, "frank", &format!("{SHARES}/3"))?
        .send()
        .await?;
    assert_eq!(other.status().as_u16(), 404);
    assert_eq!(stage.stored().await?.len(), 13);
    stage
        .steer("clock", json!({"set": "2026-12-22T00:00:00Z"}))
        .await?;
    let left = stage.listed("alice").await?;
    assert!(
        !left.contains(&2) && !left.contains(&8),
        "both were due: {left:?}"
    );
    Ok(())
}

#[tokio::test]
async fn dates_are_days_of_the_zone_of_whoever_reads() -> Done {
    let stage = Stage::small().await?;
    let west = json!({"do": "update", "account": "bob", "set": {"timezone": "America/Los_Angeles"}});
    stage.steer("change", west).await?;
    let (status, body) = stage.put("bob", 5, "expireDate", "2027-01-10").await?;
    assert_eq!(
        (status, &body["ocs"]["data"]["expiration"]),
        (200, &json!("2027-01-10 00:00:00"))
    );
    stage.put("alice", 5, "expireDate", "2027-01-10").await?;
    let as_bob = stage.get("bob", &format!("{SHARES}/5")).await?;
    assert_eq!(as_bob["ocs"]["data"][0]["expiration"], "2027-01-09 00:00:00");
    Ok(())
}

#[tokio::test]
async fn a_refused_change_changes_nothing() -> Done {
    let stage = Stage::small().await?;
    let before = stage.stored().await?;
    let fields = [
        ("expireDate", "2026-11-22"),
        ("label", "must not stick"),
        ("permissions", "3"),
    ];
    let request = stage
        .ask(Method::PUT, "alice", &format!("{SHARES}/1"))?
        .form(&fields);
    assert_eq!(request.send().await?.status().as_u16(), 404);
    let refused = [
        ("expireDate", "2027-13-01", 400),
        ("permissions", "2", 400),
        ("permissions", "abc", 400),
        ("password", "abc", 400),
        ("token", "mine", 403),
    ];
    for (field, value, expected) in refused {
        assert_eq!(
            stage.put("alice", 1, field, value).await?.0,
            expected,
            "{field}={value}"
        );
    }
    assert_eq!(stage.stored().await?, before);
    let (status, body) = stage.put("alice", 1, "permissions", "1").await?;
    assert_eq!((status, &body["ocs"]["data"]["permissions"]), (200, &json!(17)));
    for (date, day) in [
        ("2027-02-31", "2027-03-03"),
        ("12/24/2026", "2026-12-24"),
        ("next monday", "2026-11-23"),
    ] {
        let (_, body) = stage.put("alice", 1, "expireDate", date).await?;
        assert_eq!(
            body["ocs"]["data"]["expiration"],
            format!("{day} 00:00:00"),
            "{date}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn links_of_a_recipient_die_with_his_share_and_his_user_shares_live_on() -> Done {
    let stage = Stage::small().await?;
    let onward = json!({"type": "user", "owner": "alice", "path": "/Projects/plan.md", "sharer": "bob",
        "recipient": "frank", "id": 50});
    stage
        .steer("change", json!({"do": "add", "share": onward}))
        .await?;
    assert_eq!(stage.delete("bob", 2).await?, 404, "not his to see");
    assert_eq!(stage.delete("alice", 4).await?, 200);
    let left: Vec<u64> = stage
        .stored()
        .await?
        .iter()
        .filter_map(|row| row["id"].as_u64())
        .collect();
    assert!(!left.contains(&5) && left.contains(&50), "{left:?}");
    assert!(stage.listed("bob").await?.is_empty(), "he no longer lists it");
    assert!(stage.listed("alice").await?.contains(&50), "the owner does");
    assert_eq!(stage.delete("alice", 4).await?, 404);
    Ok(())
}

#[tokio::test]
async fn a_member_puts_a_group_share_away_for_himself_only() -> Done {
    let stage = Stage::small().await?;
    assert_eq!(stage.delete("bob", 6).await?, 200);
    assert!(stage.listed("alice").await?.contains(&6));
    let statistics = stage
        .get("admin", "ocs/v2.php/apps/serverinfo/api/v1/info")
        .await?;
    let shares = &statistics["ocs"]["data"]["nextcloud"]["shares"];
    assert_eq!(
        (&shares["num_shares"], &shares["permissions_2_0"]),
        (&json!(15), &json!(1)),
        "one hidden row more"
    );
    assert_eq!(
        shares["num_shares_link"], 7,
        "also of disabled accounts and of the trash"
    );
    let url = stage
        .base
        .join("ocs/v2.php/apps/serverinfo/api/v1/info?format=json")?;
    let by_token = stage.client.get(url).header("OCS-APIRequest", "true");
    let by_token = by_token
        .header("NC-Token", "small-statistics-token")
        .send()
        .await?;
    assert_eq!(by_token.status().as_u16(), 200);
    Ok(())
}

#[tokio::test]
async fn wrong_secrets_block_the_address_apart_from_wrong_passwords() -> Done {
    let mut stage = Stage::small().await?;
    stage.secret = "wrong";
    for _ in 0..11 {
        assert_eq!(
            stage
                .ask(Method::GET, "alice", SHARES)?
                .send()
                .await?
                .status()
                .as_u16(),
            401
        );
    }
    stage.secret = "small-app-secret";
    assert_eq!(
        stage
            .ask(Method::GET, "alice", SHARES)?
            .send()
            .await?
            .status()
            .as_u16(),
        429
    );
    let login = |secret: &str| {
        let request = stage
            .client
            .get(format!("{}{SHARES}?format=json", stage.base))
            .header("OCS-APIRequest", "true");
        request.header("Authorization", basic("alice", secret)).send()
    };
    assert_eq!(login("alice-app-password").await?.status().as_u16(), 200);
    for _ in 0..11 {
        assert_eq!(login("wrong").await?.status().as_u16(), 401);
    }
    assert_eq!(login("alice-password-1").await?.status().as_u16(), 429);
    stage.steer("clock", json!({"advance": "+31m"})).await?;
    assert_eq!(login("alice-password-1").await?.status().as_u16(), 200);
    Ok(())
}

#[tokio::test]
async fn disabled_accounts_have_dav_but_no_ocs() -> Done {
    let stage = Stage::small().await?;
    assert_eq!(
        stage
            .ask(Method::GET, "erin", SHARES)?
            .send()
            .await?
            .status()
            .as_u16(),
        401
    );
    let propfind = Method::from_bytes(b"PROPFIND")?;
    let body = "<d:propfind xmlns:d='DAV:' xmlns:oc='http://owncloud.org/ns'><d:prop><oc:share-types/></d:prop></d:propfind>";
    let request = stage
        .ask(propfind.clone(), "erin", "remote.php/dav/files/erin/")?
        .header("Depth", "infinity");
    let text = request.body(body).send().await?.text().await?;
    assert_eq!(
        text.matches("<oc:share-type>3<").count(),
        2,
        "her own folder and the one she reshared: {text}"
    );
    let login = stage
        .client
        .request(propfind, stage.base.join("remote.php/dav/files/erin/")?);
    let login = login
        .header("Authorization", basic("erin", "erin-app-password"))
        .send()
        .await?;
    assert_eq!(login.status().as_u16(), 503);
    let link = stage.base.join("public.php/dav/files/ERINSTHESISLINK/")?;
    let token = json!({"do": "update", "share": 12, "set": {"token": "ERINSTHESISLINK"}});
    stage.steer("change", token).await?;
    let propfind = || {
        stage
            .client
            .request(Method::from_bytes(b"PROPFIND").unwrap_or_default(), link.clone())
            .send()
    };
    assert_eq!(propfind().await?.status().as_u16(), 207, "her link still serves");
    let page = stage
        .client
        .get(stage.base.join("s/ERINSTHESISLINK")?)
        .send()
        .await?;
    assert_eq!(page.status().as_u16(), 404, "though it has no page");
    let hide = json!({"do": "update", "settings": {"hide_disabled_user_shares": true}});
    stage.steer("change", hide).await?;
    assert_eq!(propfind().await?.status().as_u16(), 503);
    Ok(())
}

#[tokio::test]
async fn tags_are_found_by_report_and_invisible_ones_only_by_administrators() -> Done {
    let stage = Stage::small().await?;
    let list = |account: &'static str| async {
        let request = stage.ask(
            Method::from_bytes(b"PROPFIND")?,
            account,
            "remote.php/dav/systemtags/",
        )?;
        let body = "<d:propfind xmlns:d='DAV:' xmlns:oc='http://owncloud.org/ns'><d:prop><oc:id/><oc:display-name/></d:prop></d:propfind>";
        Ok::<_, Failure>(
            request
                .header("Depth", "1")
                .body(body)
                .send()
                .await?
                .text()
                .await?,
        )
    };
    assert!(!list("alice").await?.contains("internal-review"));
    assert!(list("admin").await?.contains("internal-review"));
    let report = |tag: u64| async move {
        format!(
            "<oc:filter-files xmlns:d='DAV:' xmlns:oc='http://owncloud.org/ns'><d:prop><oc:fileid/></d:prop>\
             <oc:filter-rules><oc:systemtag>{tag}</oc:systemtag></oc:filter-rules></oc:filter-files>"
        )
    };
    let ask = || {
        stage.ask(
            Method::from_bytes(b"REPORT")?,
            "alice",
            "remote.php/dav/files/alice/",
        )
    };
    let text = ask()?.body(report(1).await).send().await?.text().await?;
    assert_eq!(text.matches("<d:response>").count(), 1);
    assert!(text.contains("/HR/salaries.xlsx<"), "{text}");
    assert_eq!(ask()?.body(report(2).await).send().await?.status().as_u16(), 412);
    Ok(())
}

#[tokio::test]
async fn a_login_is_granted_once() -> Done {
    let stage = Stage::small().await?;
    let start = stage
        .client
        .post(stage.base.join("index.php/login/v2")?)
        .send()
        .await?;
    let flow: Value = start.json().await?;
    let poll = || {
        let endpoint = flow["poll"]["endpoint"].as_str().unwrap_or_default().to_owned();
        stage
            .client
            .post(endpoint)
            .form(&[("token", flow["poll"]["token"].as_str().unwrap_or_default())])
            .send()
    };
    assert_eq!(poll().await?.status().as_u16(), 404);
    stage
        .steer("grant", json!({"account": "alice", "login": flow["login"]}))
        .await?;
    let granted: Value = poll().await?.json().await?;
    assert_eq!(granted["loginName"], "alice");
    assert_eq!(poll().await?.status().as_u16(), 404);
    let request = stage
        .client
        .get(stage.base.join("ocs/v2.php/cloud/user")?)
        .header("OCS-APIRequest", "true");
    let secret = granted["appPassword"].as_str().unwrap_or_default();
    let request = request.header("Authorization", basic("alice", secret));
    assert_eq!(request.send().await?.status().as_u16(), 200);
    Ok(())
}

#[tokio::test]
async fn faults_hit_what_they_name_and_are_used_up() -> Done {
    let stage = Stage::small().await?;
    let throttled = json!({"match": {"path_contains": "/shares", "account": "alice"}, "after": 1, "times": 2,
        "action": {"do": "status", "status": 429, "headers": {"Retry-After": "1"}}});
    stage.steer("fault", throttled).await?;
    let mut statuses = Vec::new();
    for account in ["alice", "bob", "alice", "bob", "alice", "alice"] {
        statuses.push(
            stage
                .ask(Method::GET, account, SHARES)?
                .send()
                .await?
                .status()
                .as_u16(),
        );
    }
    assert_eq!(statuses, [200, 200, 429, 200, 429, 200]);
    let url = stage.base.join("__emulator/requests")?;
    let log: Value = stage.client.get(url).send().await?.json().await?;
    assert_eq!(log["count"], 6);
    assert_eq!(
        log["requests"][2],
        json!({"method": "GET", "path": format!("/{SHARES}"), "account": "alice", "status": 429, "service": "nextcloud"})
    );
    Ok(())
}

#[tokio::test]
async fn every_fault_does_what_it_says() -> Done {
    let stage = Stage::small().await?;
    let stage = &stage;
    let hit = |action: Value| async move {
        stage
            .steer("fault", json!({"times": 1, "action": action}))
            .await?;
        Ok::<_, Failure>(stage.ask(Method::GET, "alice", SHARES)?.send().await)
    };
    assert!(hit(json!({"do": "reset"})).await?.is_err(), "no answer at all");
    assert!(body_error(hit(json!({"do": "cut", "bytes": 100})).await??).await);
    let maintenance = hit(json!({"do": "maintenance"})).await??;
    assert_eq!(maintenance.headers()["x-nextcloud-maintenance-mode"], "1");
    let page = hit(json!({"do": "html"})).await??;
    assert!(page.status().is_success() && page.text().await?.starts_with("<!DOCTYPE html>"));
    let half = hit(json!({"do": "malformed"})).await??.text().await?;
    assert!(serde_json::from_str::<Value>(&half).is_err());
    let huge = hit(json!({"do": "huge", "bytes": 300_000}))
        .await??
        .text()
        .await?;
    assert!(huge.len() > 300_000 && serde_json::from_str::<Value>(&huge).is_ok());
    let deep = hit(json!({"do": "deep", "levels": 5000})).await??.text().await?;
    assert!(deep.contains(&"[".repeat(5000)));
    let bomb = hit(json!({"do": "entity-bomb"})).await??.text().await?;
    assert!(bomb.len() < 5000 && bomb.contains("<!ENTITY e9"));
    let begun = Instant::now();
    hit(json!({"do": "delay", "ms": 40})).await??;
    let slow = hit(json!({"do": "slow", "bytes": 2000, "ms": 5}))
        .await??
        .text()
        .await?;
    assert!(begun.elapsed() > Duration::from_millis(40) && serde_json::from_str::<Value>(&slow).is_ok());
    let page = json!({"times": 1, "match": {"path_contains": "users"}, "action": {"do": "duplicate-page"}});
    stage.steer("fault", page).await?;
    let users = stage
        .get("admin", "ocs/v2.php/cloud/users?limit=2&offset=2")
        .await?;
    assert_eq!(users["ocs"]["data"]["users"], json!(["admin", "alice"]));
    Ok(())
}

#[tokio::test]
async fn changes_are_checked_like_a_world_file() -> Done {
    let stage = Stage::small().await?;
    let changes = json!([
        {"do": "update", "share": 1, "set": {"expires": "+5d", "label": "dated"}},
        {"do": "remove", "share": 2},
        {"do": "update", "account": "erin", "set": {"enabled": true}},
        {"do": "remove", "account": "gina"},
        {"do": "update", "owner": "alice", "file": "/Projects", "set": {"path": "/Moved/Projects", "tags": ["confidential"]}},
        {"do": "update", "settings": {"default_expiry_days": 7, "expiry_enforced": true}},
    ]);
    assert_eq!(stage.steer("change", changes).await?["changed"], 6);
    let one = stage.get("alice", &format!("{SHARES}/1")).await?;
    let one = &one["ocs"]["data"][0];
    assert_eq!(
        (&one["path"], &one["label"]),
        (&json!("/Moved/Projects"), &json!("dated"))
    );
    assert_eq!(one["expiration"], "2026-11-27 00:00:00");
    assert_eq!(stage.listed("erin").await?, [7, 12]);
    let left: Vec<u64> = stage
        .stored()
        .await?
        .iter()
        .filter_map(|row| row["id"].as_u64())
        .collect();
    assert!(!left.contains(&2) && !left.contains(&11), "{left:?}");
    let wrong = stage.steer(
        "change",
        json!({"do": "add", "share": {"type": "link", "owner": "nobody", "path": "/x"}}),
    );
    let message = wrong
        .await
        .err()
        .map(|error| error.to_string())
        .unwrap_or_default();
    assert!(message.contains("`nobody` is no account"), "{message}");
    Ok(())
}

#[test]
fn a_broken_world_says_where_and_what_to_do() {
    let told = |text: &str| {
        World::from_json(text.as_bytes())
            .err()
            .map(|error| error.to_string())
            .unwrap_or_default()
    };
    assert_eq!(
        told("{\"schema\": \"sharewarden.world/v1\",\n \"nextclud\": {}}"),
        "world file, line 2, column 11: unknown field `nextclud`, expected one of `schema`, `description`, `now`, `nextcloud`, `microsoft365`"
    );
    assert_eq!(
        told(r#"{"schema": "sharewarden.world/v2"}"#),
        "world file: `schema` is `sharewarden.world/v2`; this version reads `sharewarden.world/v1`"
    );
    let share = r#"{"schema": "sharewarden.world/v1", "nextcloud": {"accounts": [{"id": "a"}],
        "shares": [{"type": "link", "owner": "a", "path": "/x"}]}}"#;
    assert_eq!(
        told(share),
        "world file, nextcloud.shares[0]: `a` has no `/x`: add it to that account's `files`"
    );
    assert!(
        told(&share.replace("\"link\"", "\"lnk\"")).contains("is no kind of share: write one of user, group")
    );
}

#[tokio::test]
async fn the_examples_of_the_documentation_work() -> Done {
    let text = include_str!("../../docs/emulator.md");
    let blocks: Vec<&str> = text
        .split("```json")
        .skip(1)
        .filter_map(|rest| rest.split("```").next())
        .collect();
    let [world, changes, fault, tenant, tenant_changes] = blocks.as_slice() else {
        return Err("five examples".into());
    };
    World::from_json(world.as_bytes())?;
    World::from_json(tenant.as_bytes())?;
    let stage = crate::tenant::Tenant::small().await?;
    for change in serde_json::from_str::<Vec<Value>>(tenant_changes)? {
        stage.steer("change", change).await?;
    }
    let stage = Stage::small().await?;
    stage.steer("fault", serde_json::from_str(fault)?).await?;
    // The examples are alternatives, not a story: each has to be understood, and only names may be unknown.
    for change in serde_json::from_str::<Vec<Value>>(changes)? {
        let told = stage
            .steer("change", change.clone())
            .await
            .err()
            .map(|error| error.to_string())
            .unwrap_or_default();
        assert!(
            told.is_empty() || told.contains(" no ") || told.contains(" has "),
            "{change}: {told}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn thousands_of_accounts_and_shares_are_served_quickly() -> Done {
    let world = json!({"schema": "sharewarden.world/v1", "nextcloud": {
        "ex_apps": [{"id": "sharewarden", "secret": "s"}],
        "accounts": [{"id": "admin", "admin": true}],
        "generate": {"accounts": 2000, "shares_each": 5, "heavy": {"hoarder": 5000}},
    }});
    let begun = Instant::now();
    let stage = Stage::of(World::from_json(world.to_string().as_bytes())?, "s").await?;
    assert_eq!(stage.listed("hoarder").await?.len(), 5000);
    assert_eq!(stage.listed("user00001").await?.len(), 5);
    let page = stage
        .get("admin", "ocs/v2.php/cloud/users/details?limit=500&offset=1500")
        .await?;
    assert_eq!(
        page["ocs"]["data"]["users"].as_object().map(serde_json::Map::len),
        Some(500)
    );
    assert!(
        begun.elapsed() < Duration::from_secs(20),
        "took {:?}",
        begun.elapsed()
    );
    Ok(())
}
