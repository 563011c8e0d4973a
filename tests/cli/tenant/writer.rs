//! The adapter changes shares of an emulated tenant.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use secrecy::SecretString;
use serde_json::{Value, json};
use sharewarden::http;
use sharewarden::model::{
    Access, Classes, ItemKind, Principal, ProblemCode, Reading, Relist, Right, Scope, Share, ShareKind,
    SourceFacts, SourceName,
};
use sharewarden::model::{Fact, KnownScope};
use sharewarden::provider::microsoft365::auth::{Credential, Environment, Keep, TokenSetup};
use sharewarden::provider::microsoft365::{Excluded, Include, Microsoft365, Setup, Stated};
use sharewarden::provider::{ChangeEffect, Found, Lost, Place, Reader, Sink, Target, WriteError, Writer};
use tokio_util::sync::CancellationToken;

use super::switched;
use crate::harness::{NOW, Stage, block_on, list, tenant};

const OPEN: &str = "11111111-0000-4000-8000-000000000001";
const WITH_PASSWORD: &str = "11111111-0000-4000-8000-000000000002";
const FOR_ALL: &str = "11111111-0000-4000-8000-000000000003";
const FOR_PEOPLE: &str = "11111111-0000-4000-8000-000000000004";

/// The adapter, with no time between changes.
pub(crate) fn adapter(stage: &Stage) -> Microsoft365 {
    spaced(stage, Duration::ZERO)
}

fn spaced(stage: &Stage, write_every: Duration) -> Microsoft365 {
    let secret = std::fs::read_to_string(stage.path("client-secret")).unwrap();
    let secret = SecretString::from(secret);
    signed_in(stage, Credential::ClientSecret { secret }, write_every)
}

fn signed_in(stage: &Stage, credential: Credential, write_every: Duration) -> Microsoft365 {
    let (login, graph) = stage.places();
    let settings = |origin: &url::Url| http::Settings {
        limits: http::Limits {
            requests_per_second: f64::INFINITY,
            in_flight: 4,
        },
        patience: http::Patience {
            retries: 1,
            total: Duration::from_secs(5),
            backoff: Duration::from_millis(1),
        },
        proxy: http::Proxy::Direct,
        ..http::Settings::new(origin.clone())
    };
    let setup = Setup {
        source: SourceName::new("m365"),
        tenant: "example.org".to_owned(),
        url: graph.clone(),
        include: vec![Include::Onedrive, Include::Sites],
        excluded: Excluded::default(),
        groups_named: Vec::new(),
        answers: Vec::new(),
        stated: Stated {
            link_expiry_days: Some(90),
            link_types: None,
        },
        classes: Arc::new(Classes::default()),
        evidence: false,
        own_networks: Vec::new(),
        label_names: std::collections::BTreeMap::new(),
        stop_after: Duration::from_secs(50),
        write_every,
    };
    let tokens = TokenSetup {
        tenant: "example.org".to_owned(),
        client_id: Some("a0d17000-0000-4000-8000-000000000001".to_owned()),
        login_url: login.clone(),
        graph_url: graph.clone(),
        credential,
        environment: Environment::default(),
        http: settings(login),
    };
    Microsoft365::new(setup, tokens, settings(graph), CancellationToken::new()).unwrap()
}

/// All shares that a scan tells.
fn scanned(stage: &Stage) -> Vec<Share> {
    let adapter = adapter(stage);
    block_on(async {
        let (sender, mut batches) = tokio::sync::mpsc::channel(10_000);
        let sink = Sink::new(SourceName::new("m365"), sender);
        Reader::open(&adapter).await.unwrap();
        adapter.discover(&[], &sink).await.unwrap();
        let mut scopes: Vec<Scope> = Vec::new();
        while let Ok(batch) = batches.try_recv() {
            scopes.extend(batch.readings.into_iter().filter_map(|reading| match reading {
                Reading::Scope(scope) => Some(scope),
                _ => None,
            }));
        }
        let now = NOW.parse().unwrap();
        for scope in scopes {
            let known = KnownScope {
                scope,
                searched_at: None,
                checkpoint: None,
                relist: Relist {
                    now,
                    before: now,
                    least: 0,
                },
                changed: Vec::new(),
            };
            Reader::read(&adapter, known, &sink).await;
        }
        let mut shares = Vec::new();
        while let Ok(batch) = batches.try_recv() {
            shares.extend(batch.readings.into_iter().filter_map(|reading| match reading {
                Reading::Share(share) => Some(*share),
                _ => None,
            }));
        }
        shares
    })
}

fn place(share: &Share) -> Place {
    Place {
        id: share.item.id.clone(),
        kind: share.item.kind,
        drive: share.item.drive.clone(),
    }
}

fn target(share: &Share) -> Target {
    Target {
        share: share.id.clone(),
        act_as: None,
        item: place(share),
    }
}

/// The share with this permission's id.
fn share(stage: &Stage, permission: &str) -> Share {
    let mut all = scanned(stage);
    all.retain(|share| share.id.ends_with(permission));
    assert_eq!(all.len(), 1, "{permission}");
    all.remove(0)
}

/// The share of an item that is granted to somebody or something.
fn grant(stage: &Stage, path: &str, to: &str) -> Share {
    let mut all = scanned(stage);
    all.retain(|share| share.item.path == path && share.recipients.iter().any(|who| who.id == to));
    assert_eq!(all.len(), 1, "{path} {to}");
    all.remove(0)
}

/// What a share is, but for what only a scan knows: names, and where it lies.
fn essence(share: &Share) -> Value {
    let who = |all: &[Principal]| {
        let all: Vec<_> = all.iter().map(|who| (who.class, who.id.clone())).collect();
        json!(all)
    };
    json!([
        share.id,
        share.kind,
        share.anonymous,
        share.access,
        share.password,
        share.expires,
        share.inherited,
        share.link,
        share.unknown,
        who(&share.recipients),
        who(&share.opened_by),
    ])
}

fn read(adapter: &Microsoft365, target: &Target) -> Result<Found, WriteError> {
    block_on(Writer::read(adapter, target))
}

fn there(adapter: &Microsoft365, target: &Target) -> Share {
    match read(adapter, target).unwrap() {
        Found::Share(share) => *share,
        other => panic!("{other:?}"),
    }
}

fn is_gone(adapter: &Microsoft365, target: &Target) -> bool {
    matches!(read(adapter, target).unwrap(), Found::Gone)
}

/// The requests that would change something.
fn changes(stage: &Stage) -> Vec<(String, u16)> {
    let changing = |asked: &crate::harness::Asked| {
        asked.path.starts_with("/v1.0/") && asked.method != "GET" && !asked.path.ends_with("$batch")
    };
    let all = stage.requests().into_iter().filter(changing);
    all.map(|asked| (asked.method, asked.status)).collect()
}

fn effect(done: Result<impl std::fmt::Debug, WriteError>) -> (ChangeEffect, ProblemCode) {
    let error = done.unwrap_err();
    assert!(
        !error.message.contains("://") && error.message.chars().count() < 700,
        "{error}"
    );
    (error.effect, error.code)
}

fn lost(share: &Share) -> Lost {
    Lost {
        kind: share.kind,
        anonymous: share.anonymous,
        item: place(share),
        act_as: None,
        recipients: share.recipients.iter().map(|who| who.id.clone()).collect(),
        access: share.access,
        expires: share.expires.stated().map(str::to_owned),
        label: None,
        password: share.password == Some(true),
    }
}

#[test]
fn every_share_is_read_again_as_a_scan_tells_it() {
    for switches in [
        json!({}),
        json!({"inherited_from": "absent", "deprecated_twins": false, "permissions_page": 1}),
        json!({"inherited_from": "filled", "claims_as": "group", "low_privilege": true}),
        json!({"inherited_from": "links-only", "claims_as": "user", "no_expiry": "zero"}),
        json!({"claims_as": "nothing", "no_expiry": "null"}),
    ] {
        let mut world = tenant();
        world["microsoft365"]["switches"] = switches.clone();
        let stage = Stage::of(&world);
        let told = scanned(&stage);
        assert!(told.len() >= 20, "{}", told.len());
        let adapter = adapter(&stage);
        for share in &told {
            let again = there(&adapter, &target(share));
            assert_eq!(essence(&again), essence(share), "{switches}");
        }
        let items: BTreeSet<&str> = told.iter().map(|share| share.item.id.as_str()).collect();
        for item in items {
            let of_item: Vec<&Share> = told.iter().filter(|share| share.item.id == item).collect();
            let all = block_on(adapter.read_all(&place(of_item[0]), None)).unwrap();
            let ids = |all: &[&Share]| all.iter().map(|share| share.id.clone()).collect::<BTreeSet<_>>();
            assert_eq!(ids(&all.iter().collect::<Vec<_>>()), ids(&of_item), "{switches}");
        }
        assert!(changes(&stage).is_empty());
    }
}

#[test]
fn people_who_are_told_by_an_id_alone_are_called_as_the_directory_does() {
    let mut world = tenant();
    // As a service answers that tells no login names.
    list(&mut world["microsoft365"]["permissions"]).push(json!({
        "owner": "alice@example.org", "path": "/HR", "id": "11111111-0000-4000-8000-0000000000ff",
        "link": {"scope": "users", "type": "view"},
        "raw": {"grantedToIdentitiesV2": [{"user": {"id": "00000000-0000-4000-8000-0000000000B0", "email": "other@example.org"}}],
                "grantedToIdentities": []}
    }));
    let stage = Stage::of(&world);
    let told = share(&stage, "0000000000ff");
    assert_eq!(told.recipients[0].id, "bob@example.org");
    assert_eq!(essence(&there(&adapter(&stage), &target(&told))), essence(&told));
}

#[test]
fn opening_reads_settings_and_clock_and_checks_the_rights() {
    let stage = Stage::tenant();
    let opened = block_on(Writer::open(&adapter(&stage))).unwrap();
    assert_eq!(opened.facts.max_expiry_days, Some(90));
    assert_eq!(opened.facts.get(Fact::AnonymousLinksAllowed), Some(true));
    assert_eq!(opened.date, Some(NOW.parse().unwrap()));
    block_on(adapter(&stage).may_act_as("alice@example.org")).unwrap();
    // Settings that are refused are not known, and the clock is.
    let mut world = tenant();
    world["microsoft365"]["app"]["roles"] = json!(["Files.ReadWrite.All"]);
    let opened = block_on(Writer::open(&adapter(&Stage::of(&world)))).unwrap();
    assert_eq!(opened.facts.max_expiry_days, Some(90));
    assert_eq!(opened.facts.get(Fact::AnonymousLinksAllowed), None);
    assert_eq!(opened.date, Some(NOW.parse().unwrap()));
    for roles in [json!(["Sites.Read.All", "Files.Read.All"]), json!([])] {
        world["microsoft365"]["app"]["roles"] = roles;
        let stage = Stage::of(&world);
        let error = block_on(Writer::open(&adapter(&stage))).unwrap_err();
        assert_eq!(
            (error.effect, error.code),
            (ChangeEffect::Refused, ProblemCode::Forbidden)
        );
        assert!(error.message.contains("Files.ReadWrite.All"), "{error}");
        assert!(
            stage
                .requests()
                .iter()
                .all(|asked| !asked.path.starts_with("/v1.0/"))
        );
    }
}

/// The adapter as alice signed in to it on a device.
fn alices(stage: &Stage) -> Microsoft365 {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let post = |what: &str, form: Vec<(&'static str, String)>| {
        let url = stage
            .places()
            .0
            .join(&format!("example.org/oauth2/v2.0/{what}"))
            .unwrap();
        let asked = client.post(url).form(&form).send();
        block_on(async { asked.await.unwrap().json::<Value>().await.unwrap() })
    };
    let client_id = ("client_id", "a0d17000-0000-4000-8000-000000000001".to_owned());
    let scope = ("scope", "Files.Read User.Read offline_access".to_owned());
    let code = post("devicecode", vec![client_id.clone(), scope]);
    stage.grant_device(&json!({"device": code["user_code"], "user": "alice@example.org"}));
    let grant = (
        "grant_type",
        "urn:ietf:params:oauth:grant-type:device_code".to_owned(),
    );
    let code = ("device_code", code["device_code"].as_str().unwrap().to_owned());
    let token = post("token", vec![client_id, grant, code]);
    let credential = Credential::DeviceCode {
        refresh_token: SecretString::from(token["refresh_token"].as_str().unwrap()),
        keep: Keep::new(|_| Ok(())),
    };
    signed_in(stage, credential, Duration::ZERO)
}

#[test]
fn a_person_changes_nothing_for_others_and_needs_the_right() {
    let stage = Stage::tenant();
    let adapter = alices(&stage);
    let error = block_on(Writer::open(&adapter)).unwrap_err();
    assert_eq!(
        (error.effect, error.code),
        (ChangeEffect::Refused, ProblemCode::Forbidden)
    );
    assert!(
        error.message.contains("delegated permission Files.ReadWrite "),
        "{error}"
    );
    for own in ["alice@example.org", "Alice@Example.org"] {
        block_on(adapter.may_act_as(own)).unwrap();
    }
    let other = block_on(adapter.may_act_as("bob@example.org"));
    assert_eq!(effect(other), (ChangeEffect::Refused, ProblemCode::Forbidden));
    assert!(changes(&stage).is_empty());
}

#[test]
fn a_link_gets_an_end_and_nothing_else_changes() {
    let stage = Stage::tenant();
    let adapter = adapter(&stage);
    for (permission, value) in [
        (OPEN, "2027-01-31T00:00:00Z"),
        (WITH_PASSWORD, "2026-12-01T08:30:00Z"),
    ] {
        let link = target(&share(&stage, permission));
        let before = stage.permissions();
        block_on(adapter.set_expiry(&link, Some(value))).unwrap();
        assert_eq!(there(&adapter, &link).expires.stated(), Some(value));
        let mut expected = before;
        let changed = expected
            .iter_mut()
            .find(|stored| stored["id"] == permission)
            .unwrap();
        changed["expires"] = json!(value);
        assert_eq!(stage.permissions(), expected);
    }
}

#[test]
fn a_tenant_that_allows_less_cuts_the_end() {
    let mut world = tenant();
    world["microsoft365"]["settings"]["link_expiry_days"] = json!(7);
    let stage = Stage::of(&world);
    let (adapter, link) = (adapter(&stage), target(&share(&stage, OPEN)));
    block_on(adapter.set_expiry(&link, Some("2027-06-01T00:00:00Z"))).unwrap();
    assert_eq!(
        there(&adapter, &link).expires.stated(),
        Some("2026-11-29T12:00:00Z")
    );
}

#[test]
fn what_the_service_refuses_is_told_as_refused_and_changes_nothing() {
    let stage = Stage::tenant();
    let adapter = adapter(&stage);
    let before = stage.permissions();
    let open = target(&share(&stage, OPEN));
    for (target, value) in [
        (&open, "2020-01-01T00:00:00Z"),
        (&target(&share(&stage, FOR_ALL)), "2027-01-31T00:00:00Z"),
        (&target(&share(&stage, FOR_PEOPLE)), "2027-01-31T00:00:00Z"),
        (
            &target(&grant(&stage, "/HR/salaries.xlsx", "bob@example.org")),
            "2027-01-31T00:00:00Z",
        ),
    ] {
        let refused = block_on(adapter.set_expiry(target, Some(value)));
        assert_eq!(effect(refused), (ChangeEffect::Refused, ProblemCode::ServerError));
    }
    assert_eq!(changes(&stage), vec![("PATCH".to_owned(), 400); 4]);
    // These are not even sent.
    for value in [None, Some("tomorrow"), Some("2027-01-31"), Some("")] {
        assert_eq!(
            effect(block_on(adapter.set_expiry(&open, value))).0,
            ChangeEffect::Refused
        );
    }
    let password = SecretString::from("Another-One-42");
    assert_eq!(
        effect(block_on(adapter.set_password(&open, &password))).0,
        ChangeEffect::Refused
    );
    assert_eq!(changes(&stage).len(), 4);
    assert_eq!(stage.permissions(), before);
}

#[test]
fn every_kind_of_share_can_be_ended_and_only_once() {
    let stage = Stage::tenant();
    let adapter = adapter(&stage);
    for share in scanned(&stage) {
        let target = target(&share);
        let before = stage.permissions().len();
        block_on(adapter.revoke(&target)).unwrap();
        assert_eq!(stage.permissions().len(), before - 1, "{share:?}");
        assert!(is_gone(&adapter, &target), "{share:?}");
        let sent = changes(&stage).len();
        let again = block_on(adapter.revoke(&target));
        assert_eq!(effect(again), (ChangeEffect::Refused, ProblemCode::AccountGone));
        assert_eq!(changes(&stage).len(), sent, "what is gone is not ended again");
    }
}

#[test]
fn what_vanished_after_it_was_read_is_refused_by_the_service() {
    let stage = Stage::tenant();
    let (adapter, link) = (adapter(&stage), target(&share(&stage, OPEN)));
    there(&adapter, &link);
    stage.change(
        &json!({"do": "remove", "owner": "alice@example.org", "path": "/Projects", "permission": OPEN}),
    );
    assert_eq!(
        effect(block_on(adapter.revoke(&link))),
        (ChangeEffect::Refused, ProblemCode::AccountGone)
    );
    assert_eq!(changes(&stage), [("DELETE".to_owned(), 404)]);
    // Only the item itself tells that the share is gone.
    for action in [
        json!({"do": "status", "status": 200, "body": "{}"}),
        json!({"do": "status", "status": 200, "body": "{\"id\": \"other\"}"}),
        json!({"do": "html"}),
        json!({"do": "status", "status": 403}),
    ] {
        stage.fault(&json!({"match": {"path_contains": "parentReference"}, "action": action}));
        assert_eq!(effect(read(&adapter, &link)).0, ChangeEffect::None, "{action}");
        stage.no_faults();
    }
    assert!(is_gone(&adapter, &link));
    // A deleted item leaves open what became of the link.
    let other = target(&share(&stage, WITH_PASSWORD));
    stage.change(&json!({"do": "remove", "owner": "alice@example.org", "item": "/Projects/plan.docx"}));
    assert!(matches!(read(&adapter, &other).unwrap(), Found::Lost(_)));
}

#[test]
fn what_comes_from_above_is_told_so_and_never_changed_at_the_item() {
    for switch in ["empty", "absent", "filled", "links-only"] {
        let mut world = switched(&tenant(), "inherited_from", json!(switch));
        list(&mut world["microsoft365"]["permissions"]).push(json!(
            {"owner": "alice@example.org", "path": "/Team/notes.txt", "grant": {"user": "bob@example.org"}}
        ));
        let stage = Stage::of(&world);
        let adapter = adapter(&stage);
        let told = scanned(&stage);
        let on = |path: &str| told.iter().find(|share| share.item.path == path).unwrap();
        let beneath = |path: &str| place(on(path));
        let drive = on("/Projects").item.drive.clone().unwrap();
        let exams = "00000000-0000-4000-8000-00000000e8a5";
        let folder = told
            .iter()
            .find(|share| share.item.path == "/Team" && share.recipients[0].id == exams);
        let folder = target(folder.unwrap());
        let own = folder.share.rsplit('/').next().unwrap();
        for (item, permission) in [
            // From the folder, and from the one above that.
            (beneath("/Projects/plan.docx"), OPEN),
            (beneath("/Projects/Budget/numbers.xlsx"), OPEN),
            // A grant that was copied when the item left its folder's permissions.
            (beneath("/Team/notes.txt"), own),
        ] {
            let at_item = Target {
                share: format!("{drive}/{}/{permission}", item.id),
                act_as: None,
                item,
            };
            assert!(there(&adapter, &at_item).inherited, "{switch}");
            for done in [
                block_on(adapter.revoke(&at_item)),
                block_on(adapter.set_expiry(&at_item, Some("2027-01-31T00:00:00Z"))),
            ] {
                assert_eq!(
                    effect(done),
                    (ChangeEffect::Refused, ProblemCode::Forbidden),
                    "{switch}"
                );
            }
            let all = block_on(adapter.read_all(&at_item.item, None)).unwrap();
            assert!(
                all.iter().all(|share| !share.id.ends_with(permission)),
                "{switch}"
            );
        }
        assert!(changes(&stage).is_empty(), "{switch}");
    }
}

#[test]
fn an_inherited_link_that_has_another_id_at_each_item_is_known_by_its_address() {
    let mut world = switched(&tenant(), "inherited_from", json!("absent"));
    world["microsoft365"]["switches"]["link_ids_per_item"] = json!(true);
    let stage = Stage::of(&world);
    let adapter = adapter(&stage);
    let item = place(&share(&stage, WITH_PASSWORD));
    let all = block_on(adapter.read_all(&item, None)).unwrap();
    let ends: Vec<&str> = all
        .iter()
        .filter_map(|share| share.id.rsplit('/').next())
        .collect();
    assert_eq!(
        BTreeSet::from_iter(ends),
        BTreeSet::from([WITH_PASSWORD, FOR_ALL])
    );
}

#[test]
fn what_becomes_of_a_change_that_goes_wrong_is_this_table() {
    use ChangeEffect::{None, Refused, Unknown};
    let status = |status: u16| json!({"do": "status", "status": status});
    let stage = Stage::tenant();
    let link = target(&share(&stage, OPEN));
    for (action, expected, is_made) in [
        (
            json!({"do": "status", "status": 429, "headers": {"Retry-After": "17"}}),
            (None, ProblemCode::Throttled),
            false,
        ),
        (status(429), (None, ProblemCode::Throttled), false),
        (status(500), (Unknown, ProblemCode::ServerError), false),
        (status(503), (Unknown, ProblemCode::ServerError), false),
        (
            json!({"do": "status", "status": 503, "headers": {"Retry-After": "1"}}),
            (None, ProblemCode::Throttled),
            false,
        ),
        (status(412), (Refused, ProblemCode::ServerError), false),
        (status(423), (Refused, ProblemCode::Locked), false),
        (json!({"do": "html"}), (Unknown, ProblemCode::Malformed), false),
        (
            json!({"do": "status", "status": 302, "headers": {"Location": "https://evil.example.net/"}}),
            (Unknown, ProblemCode::Redirected),
            false,
        ),
        // The last: what was asked is done, and the answer lost.
        (json!({"do": "reset"}), (Unknown, ProblemCode::Unreachable), true),
    ] {
        let adapter = adapter(&stage);
        there(&adapter, &link);
        stage.forget_requests();
        stage.fault(&json!({"match": {"method": "DELETE"}, "action": action}));
        let error = block_on(adapter.revoke(&link)).unwrap_err();
        assert_eq!((error.effect, error.code), expected, "{action}: {error}");
        assert_eq!(changes(&stage).len(), 1, "{action}: it is sent once");
        stage.no_faults();
        let stored = stage.permissions();
        assert_eq!(
            stored.iter().all(|stored| stored["id"] != OPEN),
            is_made,
            "{action}"
        );
    }
}

#[test]
fn more_changes_than_the_service_takes_are_not_made() {
    let mut world = tenant();
    world["microsoft365"]["limits"] = json!({"licenses": 900, "sharing_calls": 2});
    let stage = Stage::of(&world);
    let adapter = adapter(&stage);
    let targets = [OPEN, WITH_PASSWORD, FOR_ALL].map(|id| target(&share(&stage, id)));
    for target in &targets {
        there(&adapter, target);
    }
    let before = stage.permissions().len();
    block_on(adapter.revoke(&targets[0])).unwrap();
    block_on(adapter.revoke(&targets[1])).unwrap();
    let error = block_on(adapter.revoke(&targets[2])).unwrap_err();
    assert_eq!(
        (error.effect, error.code),
        (ChangeEffect::None, ProblemCode::Throttled)
    );
    assert!(error.message.contains("come back in"), "{error}");
    assert_eq!(stage.permissions().len(), before - 2);
    let statuses: Vec<u16> = changes(&stage).iter().map(|(_, status)| *status).collect();
    assert_eq!(statuses, [204, 204, 429]);
}

#[test]
fn a_token_that_is_refused_is_replaced_once() {
    let stage = Stage::tenant();
    let (adapter, link) = (adapter(&stage), target(&share(&stage, OPEN)));
    there(&adapter, &link);
    stage.change(&json!({"do": "reset", "tokens": true}));
    block_on(adapter.revoke(&link)).unwrap();
    assert_eq!(
        changes(&stage),
        [("DELETE".to_owned(), 401), ("DELETE".to_owned(), 204)]
    );
    let other = target(&share(&stage, WITH_PASSWORD));
    there(&adapter, &other);
    stage.forget_requests();
    stage.fault(&json!({"match": {"method": "DELETE"}, "action": {"do": "status", "status": 401}}));
    let error = block_on(adapter.revoke(&other)).unwrap_err();
    assert_eq!(
        (error.effect, error.code),
        (ChangeEffect::Refused, ProblemCode::Unauthorized)
    );
    assert_eq!(changes(&stage).len(), 2);
}

#[test]
fn missing_rights_and_locked_sites_are_told_with_what_to_do() {
    let mut world = switched(&tenant(), "full_control_to_end", json!(true));
    world["microsoft365"]["app"]["roles"] = json!([
        "User.Read.All",
        "GroupMember.Read.All",
        "Sites.ReadWrite.All",
        "Files.ReadWrite.All"
    ]);
    let stage = Stage::of(&world);
    let (writer, link) = (adapter(&stage), target(&share(&stage, OPEN)));
    let error = block_on(writer.revoke(&link)).unwrap_err();
    assert_eq!(
        (error.effect, error.code),
        (ChangeEffect::Refused, ProblemCode::Forbidden)
    );
    assert!(error.message.contains("Sites.FullControl.All"), "{error}");
    block_on(writer.set_expiry(&link, Some("2027-01-31T00:00:00Z"))).unwrap();
    // Rights that were taken away since the token was looked at.
    world["microsoft365"]["app"]["roles"] = json!(["User.Read.All", "Sites.Read.All", "Files.Read.All"]);
    let reading = Stage::of(&world);
    let (reader, link) = (adapter(&reading), target(&share(&reading, OPEN)));
    for done in [
        block_on(reader.revoke(&link)),
        block_on(reader.set_expiry(&link, Some("2027-01-31T00:00:00Z"))),
    ] {
        let error = done.unwrap_err();
        assert_eq!(
            (error.effect, error.code),
            (ChangeEffect::Refused, ProblemCode::Forbidden)
        );
        assert!(error.message.contains("Files.ReadWrite.All"), "{error}");
    }
    // A site that is locked between reading and changing.
    let site = target(&share(&stage, "00000000000a"));
    there(&writer, &site);
    stage.change(&json!({"do": "update", "site": "/sites/exams", "set": {"locked": true}}));
    let error = block_on(writer.revoke(&site)).unwrap_err();
    assert_eq!(
        (error.effect, error.code),
        (ChangeEffect::Refused, ProblemCode::Locked)
    );
    assert!(error.message.contains("unlock"), "{error}");
    let error = read(&writer, &site).unwrap_err();
    assert_eq!(
        (error.effect, error.code),
        (ChangeEffect::None, ProblemCode::Locked)
    );
}

#[test]
fn links_and_grants_are_made_again_as_they_were() {
    let stage = Stage::tenant();
    let adapter = adapter(&stage);
    let facts = SourceFacts::default();
    let secret = SecretString::from("Small-World-42");
    let (mut made, mut kinds, mut nobody) = (0, BTreeSet::new(), Vec::new());
    for before in scanned(&stage) {
        let lost = lost(&before);
        if adapter.irrecoverable(&facts, &lost).is_some() {
            continue;
        }
        block_on(adapter.revoke(&target(&before))).unwrap();
        let id = match block_on(adapter.recreate(&lost, Some(&secret))) {
            Ok(id) => id,
            // Those who never had an account, and one who has left.
            Err(error) => {
                assert_eq!(
                    (error.effect, error.code),
                    (ChangeEffect::Refused, ProblemCode::UserNotFound)
                );
                nobody.extend(before.recipients.into_iter().map(|who| who.id));
                continue;
            }
        };
        let again = there(
            &adapter,
            &Target {
                share: id,
                ..target(&before)
            },
        );
        let mut expected = before.clone();
        expected.id.clone_from(&again.id);
        expected.opened_by.clear();
        assert_eq!(essence(&again), essence(&expected));
        kinds.insert((before.kind, before.anonymous));
        made += 1;
    }
    assert!(made >= 10, "{made}");
    nobody.sort_unstable();
    assert_eq!(
        nobody,
        [
            "carol@example.org",
            "client@partner.example.net",
            "press@news.example.com"
        ]
    );
    let expected = [
        (ShareKind::Link, false),
        (ShareKind::Link, true),
        (ShareKind::User, false),
        (ShareKind::Group, false),
    ];
    assert_eq!(kinds, BTreeSet::from(expected));
    let passwords: Vec<_> = stage.permissions();
    let kept = passwords
        .iter()
        .filter(|stored| stored["link"]["password"] == true);
    assert_eq!(kept.count(), 1, "only the link that had one");
}

#[test]
fn nothing_is_made_where_something_like_it_is_there() {
    let stage = Stage::tenant();
    let adapter = adapter(&stage);
    let before = stage.permissions();
    for there in [
        share(&stage, OPEN),
        grant(&stage, "/HR/salaries.xlsx", "bob@example.org"),
    ] {
        let refused = block_on(adapter.recreate(&lost(&there), None));
        assert_eq!(effect(refused), (ChangeEffect::Refused, ProblemCode::Forbidden));
    }
    let with_password = share(&stage, WITH_PASSWORD);
    let refused = block_on(adapter.recreate(&lost(&with_password), None));
    assert_eq!(effect(refused), (ChangeEffect::Refused, ProblemCode::Forbidden));
    assert_eq!(changes(&stage), [("POST".to_owned(), 200)]);
    assert_eq!(stage.permissions(), before);
}

#[test]
fn a_link_that_came_without_its_password_is_ended_at_once() {
    let stage = Stage::of(&switched(&tenant(), "link_passwords", json!(false)));
    let (adapter, link) = (adapter(&stage), share(&stage, WITH_PASSWORD));
    block_on(adapter.revoke(&target(&link))).unwrap();
    let before = stage.permissions();
    stage.forget_requests();
    let secret = SecretString::from("Small-World-42");
    let error = block_on(adapter.recreate(&lost(&link), Some(&secret))).unwrap_err();
    assert_eq!(
        (error.effect, error.code),
        (ChangeEffect::Refused, ProblemCode::Forbidden)
    );
    assert!(
        error.message.contains("password") && !error.message.contains("Small-World"),
        "{error}"
    );
    assert_eq!(
        changes(&stage),
        [("POST".to_owned(), 201), ("DELETE".to_owned(), 204)]
    );
    assert_eq!(stage.permissions(), before);
    // Where it cannot be ended, that is told.
    stage.fault(&json!({"match": {"method": "DELETE"}, "action": {"do": "status", "status": 503}}));
    let error = block_on(adapter.recreate(&lost(&link), Some(&secret))).unwrap_err();
    assert_eq!(error.effect, ChangeEffect::Unknown);
    assert!(error.message.contains("by hand"), "{error}");
}

#[test]
fn what_was_made_and_is_not_told_may_be_there() {
    for action in [
        json!({"do": "reset"}),
        json!({"do": "malformed"}),
        json!({"do": "html"}),
    ] {
        let stage = Stage::tenant();
        let adapter = adapter(&stage);
        for (method, before) in [
            ("createLink", share(&stage, OPEN)),
            ("invite", grant(&stage, "/HR/salaries.xlsx", "bob@example.org")),
        ] {
            block_on(adapter.revoke(&target(&before))).unwrap();
            stage.forget_requests();
            stage.fault(&json!({"match": {"path_contains": method}, "action": action}));
            let error = block_on(adapter.recreate(&lost(&before), None)).unwrap_err();
            assert_eq!(error.effect, ChangeEffect::Unknown, "{action} {method}: {error}");
            assert_eq!(changes(&stage).len(), 1, "{action} {method}");
        }
    }
}

#[test]
fn a_link_is_not_made_where_sharing_is_switched_off() {
    let stage = Stage::tenant();
    let (adapter, link) = (adapter(&stage), share(&stage, OPEN));
    block_on(adapter.revoke(&target(&link))).unwrap();
    let closed = json!({"sharing_capability": "existingExternalUserSharingOnly"});
    stage.change(&json!({"service": "graph", "do": "update", "settings": closed}));
    let error = block_on(adapter.recreate(&lost(&link), None)).unwrap_err();
    assert_eq!(
        (error.effect, error.code),
        (ChangeEffect::Refused, ProblemCode::Forbidden)
    );
    assert!(error.message.contains("admin center"), "{error}");
    let facts = block_on(Writer::open(&adapter)).unwrap().facts;
    assert!(adapter.irrecoverable(&facts, &lost(&link)).is_some());
}

#[test]
fn one_change_follows_the_other_in_time_and_each_costs_five_units() {
    let stage = Stage::tenant();
    let every = Duration::from_millis(60);
    let adapter = spaced(&stage, every);
    let targets: Vec<_> = [OPEN, WITH_PASSWORD, FOR_ALL]
        .map(|id| target(&share(&stage, id)))
        .into();
    for target in &targets {
        there(&adapter, target);
    }
    let (spent, before) = (adapter.totals().units, stage.state());
    let began = Instant::now();
    block_on(async {
        let all = targets.iter().map(|target| adapter.revoke(target));
        for done in futures::future::join_all(all).await {
            done.unwrap();
        }
    });
    assert!(
        began.elapsed() >= 2 * every,
        "the first waits for nothing, each other for the one before"
    );
    assert_eq!(adapter.totals().units - spent, 15);
    let told = |state: &Value| state["microsoft365"]["units_spent"].as_u64().unwrap();
    assert_eq!(told(&stage.state()) - told(&before), 15);
}

#[test]
fn no_address_of_a_link_is_printed() {
    let stage = Stage::tenant();
    let (adapter, link) = (adapter(&stage), target(&share(&stage, OPEN)));
    let found = read(&adapter, &link).unwrap();
    let printed = format!("{found:?} {adapter:?}");
    assert!(
        !printed.contains("/:f:/") && !printed.contains("/:b:/"),
        "{printed}"
    );
    let odd = Target {
        share: link.share.replace('/', "|"),
        ..link
    };
    assert_eq!(
        effect(read(&adapter, &odd)),
        (ChangeEffect::Refused, ProblemCode::MalformedShare)
    );
    let none = Lost {
        access: Access::of(&[Right::Create]),
        ..lost(&share(&stage, OPEN))
    };
    assert_eq!(none.item.kind, ItemKind::Folder);
    assert_eq!(
        effect(block_on(adapter.recreate(&none, None))).0,
        ChangeEffect::Refused
    );
}
