//! What goes wrong: services that answer with the credentials they were shown, and configurations that hold a secret.

use serde_json::json;

use super::Tour;
use super::marks::mark;
use super::tap::ANSWERS;
use crate::harness::{Config, small, tenant};

const ENFORCE: &str = "[enforce]\nmax_changes_percent = 100\n[[enforce.rule]]\nrule = \"link-without-expiry\"\naction = \"set-expiry\"\nafter = \"30d\"\n";

/// Answers requests to some path in each way, and runs what meets that.
fn answered(tour: &mut Tour, path: &str, commands: &[&[&str]]) {
    for answer in ANSWERS {
        tour.tap.answers(Some((path, answer)));
        for arguments in commands {
            tour.run(arguments, &[0, 3, 4, 5]);
        }
        assert!(tour.tap.times() > 0, "{path} was not asked for: {answer:?}");
    }
    tour.tap.answers(None);
}

#[test]
fn a_nextcloud_that_answers_with_what_it_was_shown_is_not_quoted() {
    let mut tour = Tour::nextcloud(&Config {
        more: ENFORCE,
        source: "enforce = true",
        ..Config::default()
    });
    tour.run(&["scan"], &[0]);
    answered(&mut tour, "/", &[&["doctor"], &["scan", "--format", "json"]]);
    answered(&mut tour, "/shares", &[&["scan"]]);
    answered(&mut tour, "/cloud/users", &[&["--no-state", "scan"]]);
    answered(&mut tour, "/remote.php", &[&["--no-state", "scan"]]);
    tour.run(&["scan"], &[0]);
    tour.run(&["plan", "--out", "plan.json"], &[0]);
    answered(&mut tour, "/shares/", &[&["apply", "plan.json", "--yes"]]);
    tour.run(&["report", "--format", "json"], &[0]);
    tour.end();
}

#[test]
fn a_nextcloud_that_is_logged_in_to_and_answers_with_what_it_was_shown_is_not_quoted() {
    let config = Config {
        auth: Some("{ method = \"login\" }"),
        ..Config::default()
    };
    let mut tour = Tour::nextcloud(&config);
    for answer in ANSWERS {
        tour.tap.answers(Some(("/login/v2/poll", answer)));
        let mut running = tour.program(&["login", "cloud"]).start();
        running.until("remove it there");
        std::thread::sleep(std::time::Duration::from_millis(50));
        running.interrupt();
        let ran = running.end();
        tour.said(
            &format!("`login` answered with {answer:?}"),
            ran.out.as_bytes(),
            &[],
        );
        tour.said(
            &format!("`login` answered with {answer:?}"),
            ran.err.as_bytes(),
            &["`login` of"],
        );
    }
    tour.end_unheard();
}

#[test]
fn a_tenant_that_answers_with_what_it_was_shown_is_not_quoted() {
    let mut world = tenant();
    world["microsoft365"]["app"]["roles"]
        .as_array_mut()
        .unwrap()
        .push(json!("Files.ReadWrite.All"));
    let mut tour = Tour::of(world);
    tour.stage.configure_tenant(&Config {
        more: ENFORCE,
        source: "enforce = true",
        ..Config::default()
    });
    tour.tapped();
    tour.run(&["scan"], &[0, 3]);
    answered(&mut tour, "/oauth2/", &[&["doctor"], &["--no-state", "scan"]]);
    answered(&mut tour, "/v1.0/", &[&["doctor"], &["scan", "--format", "json"]]);
    answered(&mut tour, "/delta", &[&["scan", "--full"]]);
    answered(&mut tour, "/$batch", &[&["scan", "--full"]]);
    answered(&mut tour, "/users", &[&["--no-state", "scan"]]);
    tour.run(&["scan", "--full"], &[0, 3]);
    tour.run(&["plan", "--out", "plan.json"], &[0]);
    answered(&mut tour, "/permissions", &[&["apply", "plan.json", "--yes"]]);
    tour.run(&["report", "--format", "json"], &[0, 3]);
    tour.end();
}

#[test]
fn a_credential_that_is_refused_is_not_told() {
    let mut tour = Tour::nextcloud(&Config::default());
    for change in [
        json!({"do": "update", "ex_app": "sharewarden", "set": {"secret": "another-secret-of-the-app"}}),
        json!({"do": "update", "ex_app": "sharewarden", "set": {"enabled": false}}),
        json!({"do": "update", "settings": {"maintenance": true}}),
    ] {
        tour.stage.change(&change);
        tour.stage.change(&json!({"do": "reset", "guard": true}));
        tour.run(&["scan", "--format", "json"], &[3]);
        tour.run(&["doctor"], &[5]);
    }
    tour.end_unheard();
    let mut tour = Tour::tenant(&Config::default());
    for change in [
        json!({"secret_expired": true}),
        json!({"secret": "another-secret-of-the-app"}),
        json!({"disabled": true}),
    ] {
        tour.stage
            .change(&json!({"service": "graph", "do": "update", "app": change}));
        tour.run(&["scan", "--format", "json"], &[3]);
        tour.run(&["doctor"], &[5]);
    }
    tour.end_unheard();
}

#[test]
fn a_configuration_that_holds_a_secret_is_not_quoted() {
    let mut tour = Tour::of(small());
    let secret = mark("a secret where a reference belongs");
    tour.knows("a secret where a reference belongs", &secret);
    let with = |auth: &str| {
        format!("[[source]]\nname = \"cloud\"\nkind = \"nextcloud\"\nurl = \"http://127.0.0.1:9/\"\n{auth}\n")
    };
    let app = "auth = { method = \"app-api\", app_id = \"sharewarden\", admin = \"admin\", secret = ";
    let user = "auth = { method = \"app-password\", user = \"a\", password = { env = \"NC_PASSWORD\" } }";
    let texts = [
        with(&format!("{app}\"{secret}\" }}")),
        with(&format!("{app}{{ env = \"{secret}!\" }} }}")),
        with(&format!("{app}{{ value = \"{secret}\" }} }}")),
        with(&format!("{app}{secret} }}")),
        with(&format!("{app}\"{secret}")),
        with(&format!("password = \"{secret}\"\n{user}")),
        with(&format!("proxy = \"http://user:{secret}@127.0.0.1:9\"\n{user}")),
        with(&format!("{user}\nproxi = \"http://user:{secret}@127.0.0.1:9\"")),
        with(user).replace("http://127", &format!("http://user:{secret}@127")),
        with(user).replace(
            "http://127.0.0.1:9/",
            &format!("https://cloud.example.org/?token={secret}"),
        ),
        with(user).replace(
            "http://127.0.0.1:9/",
            &format!("http://user:{secret}@cloud.example.org:99999/"),
        ),
        with(&format!("statistics_token = \"{secret}\"\n{user}")),
        format!("[mail]\npassword = \"{secret}\"\n"),
        format!("[mail]\ntransport = {{ kind = \"smtp\", host = \"user:{secret}@h\", port = 25 }}\n"),
        format!(
            "[mail]\ntransport = {{ kind = \"smtp\", host = \"h\", user = \"u\", password = \"{secret}\" }}\n"
        ),
        format!(
            "[[source]]\nname = \"m\"\nkind = \"microsoft365\"\ntenant = \"t\"\nclient_id = \"c\"\nclient_secret = \"{secret}\"\n"
        ),
        format!(
            "[[source]]\nname = \"m\"\nkind = \"microsoft365\"\nauth = {{ method = \"client-secret\", secret = \"{secret}\" }}\n"
        ),
    ];
    for text in texts {
        tour.stage.write("config.toml", &text);
        for arguments in [&["config", "check"][..], &["config", "show"], &["scan"]] {
            let ran = tour.run(arguments, &[2]);
            assert!(ran.err.contains("error: "), "{text}\n{}", ran.err);
        }
    }
    tour.stage.write("config.toml", "");
    let from = |name: &str, value: String| (name.to_owned(), value);
    tour.stage.configure(&Config::default());
    tour.tapped();
    // Through a proxy that is not there, with a name and a password.
    let proxy = mark("the password of the proxy");
    tour.knows("the password of the proxy", &proxy);
    for (name, value) in [
        from("HTTP_PROXY", format!("http://user:{proxy}@127.0.0.1:9")),
        from("http_proxy", format!("http://user:{proxy}@127.0.0.1:9")),
        from("ALL_PROXY", format!("http://user:{proxy}@:bad")),
    ] {
        for arguments in [&["scan"][..], &["doctor"], &["config", "show"]] {
            let ran = tour.program(arguments).variable(&name, &value).run();
            tour.ran(&ran, &[], arguments, &[0, 2, 3, 5]);
        }
    }
    std::fs::remove_file(tour.stage.path("config.toml")).unwrap();
    tour.end_unheard();
}
