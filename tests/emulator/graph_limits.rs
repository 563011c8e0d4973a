//! Batches, throttling and scripted faults of the emulated Microsoft 365.

#![expect(
    clippy::unwrap_used,
    reason = "a test fails where the emulator is not as expected"
)]

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};

use crate::tenant::{Done, Failure, PREFER, Tenant, codes, told};

const ALICE: &str = "alice@example.org";

async fn batch(tenant: &Tenant, requests: Value) -> Result<(u16, Value), Failure> {
    tenant
        .send(Method::POST, "$batch", json!({"requests": requests}))
        .await
}

/// The answer to one request of a batch.
fn part<'b>(body: &'b Value, id: &str) -> &'b Value {
    let all = body["responses"].as_array().unwrap();
    all.iter().find(|one| one["id"] == id).unwrap()
}

fn get(id: &str, url: &str) -> Value {
    json!({"id": id, "method": "GET", "url": url})
}

#[tokio::test]
async fn a_batch_answers_each_request_by_itself_in_any_order() -> Done {
    let tenant = Tenant::small().await?;
    let drive = tenant.drive(ALICE).await?;
    let requests: Vec<Value> = (0..20)
        .map(|number| match number {
            3 => get("3", "/users/frank@example.org/drive"),
            4 => json!({"id": "4", "method": "GET", "url": format!("/drives/{drive}/root/delta?$top=1"),
                        "headers": {"Prefer": PREFER}}),
            5 => json!({"id": "5", "method": "GET", "url": "/me", "dependsOn": ["3"]}),
            _ => get(&number.to_string(), "users/bob@example.org?$select=id"),
        })
        .collect();
    let (status, body) = batch(&tenant, json!(requests)).await?;
    assert_eq!(status, 200, "{body}");
    let ids: Vec<&str> = body["responses"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["id"].as_str().unwrap())
        .collect();
    let sorted: Vec<String> = (0..20).map(|number| number.to_string()).collect();
    assert!(ids.len() == 20 && ids != sorted);
    assert_eq!(
        part(&body, "0")["body"]["id"],
        "00000000-0000-4000-8000-0000000000b0"
    );
    assert_eq!(part(&body, "0")["headers"]["OData-Version"], "4.0");
    assert_eq!(
        (&part(&body, "3")["status"], codes(&part(&body, "3")["body"]).0),
        (&json!(404), "ResourceNotFound")
    );
    assert_eq!(part(&body, "5")["status"], 424);
    let next = part(&body, "4")["body"]["@odata.nextLink"].as_str().unwrap();
    assert!(next.starts_with(tenant.graph.as_str()), "{next}");
    assert!(
        !tenant.walk(next, PREFER).await?.0.is_empty(),
        "the preferences were the request's own"
    );
    let log = tenant.steered("requests").await?;
    let inner = log["requests"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|one| one["inner"] == true);
    assert_eq!(inner.count(), 19, "what was not asked is not noted");
    Ok(())
}

#[tokio::test]
async fn a_malformed_batch_is_refused_whole() -> Done {
    let tenant = Tenant::small().await?;
    let many: Vec<Value> = (0..21)
        .map(|number| get(&number.to_string(), "/organization"))
        .collect();
    for requests in [
        json!(many),
        json!([get("a", "/organization"), get("A", "/organization")]),
        json!([{"id": "1", "method": "GET"}]),
        json!([get("1", "https://elsewhere.example/organization")]),
        json!([{"id": "1", "method": "GET", "url": "/organization", "dependsOn": ["2"]}]),
        json!([{"id": "1", "method": "PATCH", "url": "/organization", "body": {}}]),
        json!("none"),
    ] {
        let (status, body) = batch(&tenant, requests.clone()).await?;
        assert_eq!((status, codes(&body).0), (400, "BadRequest"), "{requests}");
    }
    Ok(())
}

#[tokio::test]
async fn changes_and_removals_work_within_a_batch() -> Done {
    let tenant = Tenant::small().await?;
    let drive = tenant.drive(ALICE).await?;
    let item = tenant.item(&drive, "Projects").await?;
    let link = format!("/drives/{drive}/items/{item}/permissions/11111111-0000-4000-8000-000000000001");
    let (_, body) = batch(
        &tenant,
        json!([
            {"id": "1", "method": "PATCH", "url": link, "headers": {"Content-Type": "application/json"},
             "body": {"expirationDateTime": "2026-11-30T00:00:00Z"}},
            {"id": "2", "method": "DELETE", "url": link, "dependsOn": ["1"]},
        ]),
    )
    .await?;
    assert_eq!(
        part(&body, "1")["body"]["expirationDateTime"],
        "2026-11-30T00:00:00Z"
    );
    assert_eq!(
        (&part(&body, "2")["status"], part(&body, "2").get("body")),
        (&json!(204), None)
    );
    Ok(())
}

#[tokio::test]
async fn a_spent_budget_pauses_everything_until_it_is_refilled() -> Done {
    let mut limits = json!({"units_per_minute": 50, "time_scale": 20.0, "grace_ms": 0});
    limits["units_per_day"] = json!(100_000);
    let tenant = Tenant::with(json!({"limits": limits})).await?;
    let drive = tenant.drive(ALICE).await?;
    let path = format!("drives/{drive}/root/permissions");
    let mut last = None;
    for number in 0..10 {
        let answer = tenant.ask(Method::GET, &path).send().await?;
        let left = answer.headers().get("ratelimit-remaining").cloned();
        assert_eq!(
            left.is_some(),
            number >= 7,
            "request {number}: from four fifths on"
        );
        if answer.status().as_u16() == 429 {
            last = Some(answer);
            break;
        }
    }
    let answer = last.unwrap();
    let header = |name: &str| answer.headers()[name].to_str().unwrap().to_owned();
    assert_eq!(
        (header("ratelimit-limit"), header("ratelimit-remaining")),
        ("50".into(), "0".into())
    );
    let wait: u64 = header("retry-after").parse()?;
    assert!(
        (1..=3).contains(&wait),
        "a minute lasts three seconds here: {wait}"
    );
    let (_, body) = told(answer).await?;
    assert_eq!(codes(&body), ("activityLimitReached", "throttledRequest"));
    // Asking again during the pause counts, and makes it longer.
    assert_eq!(tenant.get(&path).await?.0, 429);
    assert_eq!(
        tenant.get("users").await?.0,
        200,
        "the directory has a budget of its own"
    );
    let state = tenant.steered("state").await?["microsoft365"].clone();
    assert_eq!(
        (&state["throttled"], &state["requests_during_pause"]),
        (&json!(2), &json!(1))
    );
    assert_eq!(state["kinds"]["permission"], json!({"requests": 11, "units": 55}));
    assert_eq!(state["units_spent"], 56, "throttled requests count");
    let begun = Instant::now();
    while tenant.get(&format!("drives/{drive}")).await?.0 == 429 {
        assert!(begun.elapsed() < Duration::from_secs(15));
        tokio::time::sleep(Duration::from_millis(900)).await;
    }
    Ok(())
}

#[tokio::test]
async fn requests_of_a_batch_are_charged_and_throttled_singly() -> Done {
    let limits = json!({"units_per_minute": 16, "time_scale": 1.0});
    let tenant = Tenant::with(json!({"limits": limits})).await?;
    let drive = tenant.drive(ALICE).await?;
    let all: Vec<Value> = (0..6)
        .map(|number| get(&number.to_string(), &format!("/drives/{drive}/root/permissions")))
        .collect();
    let (status, body) = batch(&tenant, json!(all)).await?;
    assert_eq!(status, 200);
    let answers = body["responses"].as_array().unwrap();
    let throttled: Vec<&Value> = answers.iter().filter(|one| one["status"] == 429).collect();
    assert_eq!((answers.len(), throttled.len()), (6, 3));
    let wait: u64 = throttled[0]["headers"]["Retry-After"].as_str().unwrap().parse()?;
    assert!((1..=60).contains(&wait));
    let state = tenant.steered("state").await?["microsoft365"].clone();
    assert_eq!(
        (&state["throttled"], &state["requests_during_pause"]),
        (&json!(3), &json!(0)),
        "one arrival"
    );
    tenant.steer("change", json!([{"do": "reset", "throttle": true}, {"do": "update", "switches": {"inner_retry_after": false}}])).await?;
    let (_, body) = batch(&tenant, json!(all)).await?;
    let bare = body["responses"]
        .as_array()
        .unwrap()
        .iter()
        .find(|one| one["status"] == 429)
        .unwrap();
    assert!(bare["headers"].get("Retry-After").is_none());
    Ok(())
}

#[tokio::test]
async fn days_changes_and_missing_drives_have_limits_of_their_own() -> Done {
    let tenant =
        Tenant::with(json!({"limits": {"licenses": 900, "units_per_day": 12, "misses_per_minute": 2}}))
            .await?;
    let drive = tenant.drive(ALICE).await?;
    assert_eq!(
        tenant.steered("state").await?["microsoft365"]["units_per_minute"],
        1250
    );
    let path = format!("drives/{drive}/root/permissions");
    assert_eq!(
        (tenant.get(&path).await?.0, tenant.get(&path).await?.0),
        (200, 200)
    );
    let answer = tenant.ask(Method::GET, &path).send().await?;
    assert_eq!(answer.status().as_u16(), 429);
    assert!(
        answer.headers().get("ratelimit-limit").is_none(),
        "another limit than that of the minute"
    );
    let more = json!([{"do": "reset", "throttle": true}, {"do": "update", "limits": {"units_per_day": 10_000, "sharing_calls": 2}}]);
    tenant.steer("change", more).await?;
    let unknown = format!("{path}/unknown");
    let tries = [404, 404, 429].map(|expected| (expected, unknown.clone()));
    for (expected, path) in tries {
        assert_eq!(tenant.send(Method::DELETE, &path, json!({})).await?.0, expected);
    }
    assert_eq!(tenant.get(&path).await?.0, 200, "reading goes on");
    for _ in 0..3 {
        assert_eq!(tenant.get("users/frank@example.org/drive").await?.0, 404);
    }
    assert_eq!(
        tenant.get("users/alice@example.org/drive").await?.0,
        429,
        "every OneDrive answers so now"
    );
    Ok(())
}

#[tokio::test]
async fn without_limits_nothing_is_throttled_and_503s_are_as_often_as_asked() -> Done {
    let tenant = Tenant::with(json!({"limits": {"unavailable_every": 3}})).await?;
    let mut bodies = Vec::new();
    for number in 1..=6 {
        let (status, body) = tenant.get("organization").await?;
        assert_eq!(status == 503, number % 3 == 0, "{number}");
        if status == 503 {
            bodies.push(body);
        }
    }
    assert_eq!(
        (codes(&bodies[0]).0, &bodies[1]),
        ("serviceNotAvailable", &json!("")),
        "some have no body"
    );
    Ok(())
}

#[tokio::test]
async fn faults_hit_graph_and_single_requests_of_a_batch() -> Done {
    let tenant = Tenant::small().await?;
    let rule = json!({"match": {"inner": true, "path_contains": "/permissions", "service": "graph"}, "after": 1, "times": 1,
        "action": {"do": "status", "status": 429, "headers": {"Retry-After": "7"}, "body": "{\"error\":{\"code\":\"TooManyRequests\"}}"}});
    tenant.steer("fault", rule).await?;
    let drive = tenant.drive(ALICE).await?;
    let path = format!("drives/{drive}/root/permissions");
    assert_eq!(tenant.get(&path).await?.0, 200, "not inside of a batch");
    let (_, body) = batch(
        &tenant,
        json!([get("1", &path), get("2", &path), get("3", &path)]),
    )
    .await?;
    let hit = part(&body, "2");
    assert_eq!(
        (&hit["status"], &hit["headers"]["Retry-After"]),
        (&json!(429), &json!("7"))
    );
    assert_eq!(hit["body"]["error"]["code"], "TooManyRequests");
    assert_eq!(
        (&part(&body, "1")["status"], &part(&body, "3")["status"]),
        (&json!(200), &json!(200))
    );
    Ok(())
}

#[tokio::test]
async fn pages_lead_elsewhere_or_never_end() -> Done {
    let tenant = Tenant::small().await?;
    let graph = json!({"service": "graph"});
    tenant
        .fault(
            graph.clone(),
            json!({"do": "foreign-next-link", "origin": "http://127.0.0.1:9"}),
        )
        .await?;
    let (_, body) = tenant.get("users?$top=3").await?;
    assert_eq!(body["@odata.nextLink"], "http://127.0.0.1:9/v1.0/users?$top=3");
    for filling in ["empty", "repeat"] {
        let rule = json!({"match": graph, "action": {"do": "endless", "filling": filling}});
        tenant.steer("fault", rule).await?;
        let drive = tenant.login.join("__emulator/fault")?;
        let mut url = "users?$top=3".to_owned();
        let mut seen = Vec::new();
        for _ in 0..5 {
            let (status, body) = tenant.get(&url).await?;
            assert_eq!(status, 200, "{body}");
            assert!(body.get("@odata.deltaLink").is_none());
            assert_eq!(
                body["value"].as_array().unwrap().len(),
                if filling == "empty" { 0 } else { 3 }
            );
            body["@odata.nextLink"].as_str().unwrap().clone_into(&mut url);
            seen.push(url.clone());
        }
        seen.dedup();
        assert_eq!(seen.len(), 5, "each address is new");
        tenant.client.delete(drive).send().await?;
    }
    Ok(())
}

#[tokio::test]
async fn bad_answers_come_over_the_wire() -> Done {
    let tenant = Tenant::small().await?;
    let tenant = &tenant;
    let hit = |action: Value| async move {
        tenant.fault(json!({"service": "graph"}), action).await?;
        Ok::<_, Failure>(tenant.ask(Method::GET, "users").send().await)
    };
    assert!(hit(json!({"do": "reset"})).await?.is_err());
    assert!(
        hit(json!({"do": "cut", "bytes": 40}))
            .await??
            .bytes()
            .await
            .is_err()
    );
    assert!(
        hit(json!({"do": "html"}))
            .await??
            .text()
            .await?
            .starts_with("<!DOCTYPE html>")
    );
    assert!(
        hit(json!({"do": "malformed"}))
            .await??
            .json::<Value>()
            .await
            .is_err()
    );
    assert_eq!(
        hit(json!({"do": "slow", "bytes": 500, "ms": 1}))
            .await??
            .json::<Value>()
            .await?["value"]
            .as_array()
            .unwrap()
            .len(),
        7
    );
    let huge: Value = hit(json!({"do": "huge", "bytes": 3_000_000}))
        .await??
        .json()
        .await?;
    assert_eq!(huge["value"][0]["name"].as_str().unwrap().len(), 3_000_000);
    let deep = hit(json!({"do": "deep", "levels": 10_000}))
        .await??
        .text()
        .await?;
    assert!(deep.starts_with("{\"value\":[[[[") && deep.len() > 20_000);
    let empty = hit(json!({"do": "status", "status": 503})).await??;
    assert_eq!((empty.status().as_u16(), empty.text().await?.len()), (503, 0));
    let begun = Instant::now();
    assert_eq!(
        hit(json!({"do": "delay", "ms": 120})).await??.status().as_u16(),
        200
    );
    assert!(begun.elapsed() >= Duration::from_millis(120));
    let log = tenant.steered("requests").await?;
    let all = log["requests"].as_array().unwrap();
    assert!(
        all.iter()
            .any(|one| one["service"] == "graph" && one["status"] == 0)
    );
    assert!(!log.to_string().contains(&tenant.token), "no secret is kept");
    Ok(())
}
