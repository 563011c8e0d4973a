//! A scan of a real Nextcloud, where one is at hand: `SHAREWARDEN_LIVE_NEXTCLOUD` names a configuration file for it.
//!
//! The configuration's first source is a Nextcloud with `method = "app-api"`; every account is asked for its list of
//! shares once more, by a small client of the test's own, and both have to tell the same. Nothing of the state is read or
//! written, and of what is on the server only shares of a folder that a test makes, in the administrator's home, are
//! changed; it lies in the trash bin afterwards. Run it with an enforced longest time of shares and without. Where `SHAREWARDEN_LIVE_OCC` says how to run that server's `occ` (words between blanks), an
//! auditor of another id is enrolled from nothing, and removed.

#[cfg(test)]
mod live {
    use std::collections::{BTreeMap, BTreeSet};
    use std::path::{Path, PathBuf};
    use std::process::Command;

    use std::sync::Arc;

    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use globset::GlobSet;
    use jiff::civil::Date;
    use jiff::{Timestamp, ToSpan as _};
    use reqwest::Method;
    use secrecy::SecretString;
    use serde_json::Value;
    use sharewarden::http;
    use sharewarden::model::{Classes, ItemKind, ShareKind, SourceFacts, SourceName};
    use sharewarden::provider::nextcloud::{Credential, HomeSearch, Nextcloud, Setup};
    use sharewarden::provider::{ChangeEffect, Found, Lost, Place, Target, Writer as _};
    use tokio_util::sync::CancellationToken;
    use url::Url;

    const SHARES: &str = "apps/files_sharing/api/v1/shares";

    /// A real server, as the configuration names it.
    struct Server {
        url: String,
        app: String,
        admin: String,
        secret: String,
        client: reqwest::Client,
    }

    impl Server {
        fn of(config: &Path) -> Self {
            let text = std::fs::read_to_string(config).unwrap();
            let config: toml::Table = text.parse().unwrap();
            let source = &config["source"][0];
            let auth = &source["auth"];
            let text = |value: &toml::Value| value.as_str().unwrap().to_owned();
            assert_eq!(
                text(&auth["method"]),
                "app-api",
                "this test signs in through AppAPI"
            );
            let secret = std::fs::read_to_string(text(&auth["secret"]["file"])).unwrap();
            Self {
                url: text(&source["url"]).trim_end_matches('/').to_owned(),
                app: text(&auth["app_id"]),
                admin: text(&auth["admin"]),
                secret: secret.trim().to_owned(),
                client: reqwest::Client::new(),
            }
        }

        fn ask(&self, method: &str, account: &str, path: &str) -> reqwest::RequestBuilder {
            let token = STANDARD.encode(format!("{account}:{}", self.secret));
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            self.client
                .request(method, format!("{}/{path}", self.url))
                .header("OCS-APIRequest", "true")
                .header("Accept", "application/json")
                .header("EX-APP-ID", &self.app)
                .header("EX-APP-VERSION", "1.0.0")
                .header("AUTHORIZATION-APP-API", token)
        }

        async fn get(&self, account: &str, path: &str) -> (u16, Value) {
            let request = self.ask("GET", account, &format!("ocs/v2.php/{path}"));
            let answer = request.send().await.unwrap();
            let status = answer.status().as_u16();
            let body: Value = answer.json().await.unwrap();
            (status, body["ocs"]["data"].clone())
        }

        /// One share as the account is told of it.
        async fn share(&self, account: &str, id: &str) -> Value {
            self.get(account, &format!("{SHARES}/{id}")).await.1[0].clone()
        }

        /// Makes a share.
        async fn make(&self, account: &str, path: &str, form: &[(&str, &str)]) -> Target {
            let request = self.ask("POST", account, &format!("ocs/v2.php/{SHARES}"));
            let form = [&[("path", path)], form].concat();
            let body: Value = request.form(&form).send().await.unwrap().json().await.unwrap();
            let made = &body["ocs"]["data"];
            Target {
                share: made["id"]
                    .as_str()
                    .unwrap_or_else(|| panic!("{}", body["ocs"]["meta"]))
                    .to_owned(),
                act_as: Some(account.to_owned()),
                item: Place {
                    id: made["item_source"].to_string(),
                    kind: ItemKind::Folder,
                    drive: None,
                },
            }
        }

        async fn dav(&self, method: &str, account: &str, path: &str) {
            let path = format!("remote.php/dav/files/{account}{path}");
            let answer = self.ask(method, account, &path).send().await.unwrap();
            assert!(
                answer.status().is_success(),
                "{method} {path}: {}",
                answer.status()
            );
        }

        /// What changes it.
        fn writer(&self) -> Nextcloud {
            let url = Url::parse(&format!("{}/", self.url)).unwrap();
            let setup = Setup {
                source: SourceName::new("cloud"),
                url: url.clone(),
                credential: Credential::AppApi {
                    app_id: self.app.clone(),
                    admin: self.admin.clone(),
                    secret: SecretString::from(self.secret.clone()),
                },
                statistics_token: None,
                excluded: (GlobSet::empty(), GlobSet::empty()),
                home_search: HomeSearch::Off,
                disabled_links_dead: false,
                stop_after: std::time::Duration::from_mins(10),
                classes: Arc::new(Classes::default()),
                evidence: false,
                now: Timestamp::UNIX_EPOCH,
            };
            Nextcloud::new(setup, http::Settings::new(url), CancellationToken::new()).unwrap()
        }
    }

    fn kind(number: &Value) -> &'static str {
        match number.as_i64() {
            Some(0) => "user",
            Some(1) => "group",
            Some(3) => "link",
            Some(4) => "mail",
            Some(6) => "federated",
            Some(7) => "team",
            Some(9) => "federated-group",
            Some(10) => "room",
            _ => "other",
        }
    }

    /// What the server says that a share allows; a link's right to be passed on says nothing.
    fn access(share: &Value) -> BTreeSet<&'static str> {
        let bits = share["permissions"].as_i64().unwrap();
        let anonymous = [3, 4].contains(&share["share_type"].as_i64().unwrap());
        let attributes: Value = share["attributes"]
            .as_str()
            .map_or(Value::Null, |text| serde_json::from_str(text).unwrap());
        let forbidden = attributes
            .as_array()
            .into_iter()
            .flatten()
            .any(|one| one["key"] == "download" && one["value"] == false);
        let hidden = forbidden || share["hide_download"].as_i64() == Some(1);
        let rights = [
            (bits & 1 != 0, "view"),
            (bits & 1 != 0 && !hidden, "download"),
            (bits & 2 != 0, "edit"),
            (bits & 4 != 0, "create"),
            (bits & 8 != 0, "delete"),
            (bits & 16 != 0 && !anonymous, "reshare"),
        ];
        rights
            .into_iter()
            .filter_map(|(given, right)| given.then_some(right))
            .collect()
    }

    /// What a variable says; whoever runs the tests should know where one did nothing.
    fn told(variable: &str, what: &str) -> Option<std::ffi::OsString> {
        let value = std::env::var_os(variable);
        if value.is_none() {
            #[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
            {
                eprintln!("skipped: {variable} names no {what}");
            }
        }
        value
    }

    fn config() -> Option<PathBuf> {
        let config = told("SHAREWARDEN_LIVE_NEXTCLOUD", "configuration of a real server")?;
        Some(std::path::absolute(PathBuf::from(config)).unwrap())
    }

    /// A scan with the live configuration.
    fn scan(config: &Path, arguments: &[&str]) -> (Option<i32>, String, String) {
        sharewarden(config, &[&["--no-state", "-vv", "scan"], arguments].concat())
    }

    /// The program with a configuration.
    fn sharewarden(config: &Path, arguments: &[&str]) -> (Option<i32>, String, String) {
        let folder = tempfile::tempdir().unwrap();
        let output = Command::new(env!("CARGO_BIN_EXE_sharewarden"))
            .env_clear()
            .current_dir(folder.path())
            .arg("--config")
            .arg(config)
            .args(arguments)
            .output()
            .unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (output.status.code(), text(output.stdout), text(output.stderr))
    }

    /// Insists that the report tells a share as an account's list does.
    fn is_told(told: &Value, share: &Value, account: &str) {
        let id = share["id"].as_str().unwrap();
        assert_eq!(told["kind"], kind(&share["share_type"]), "share {id}");
        assert_eq!(told["owner"]["id"], share["uid_file_owner"], "share {id}");
        assert_eq!(told["shared_by"]["id"], share["uid_owner"], "share {id}");
        let rights: BTreeSet<&str> = told["access"]
            .as_array()
            .unwrap()
            .iter()
            .map(|right| right.as_str().unwrap())
            .collect();
        assert_eq!(rights, access(share), "share {id}");
        if ["link", "mail"].contains(&kind(&share["share_type"])) {
            assert_eq!(told["password"], !share["password"].is_null(), "share {id}");
        }
        if share["uid_file_owner"] == account {
            let day = share["expiration"].as_str().map(|date| &date[..10]);
            assert_eq!(told["expires"].as_str(), day, "share {id}");
            assert_eq!(told["item"]["path"], share["path"], "share {id}");
        }
    }

    #[tokio::test]
    async fn a_real_server_is_reported_as_it_lists_its_shares() {
        let Some(config) = config() else { return };
        let server = Server::of(&config);
        let (code, out, log) = scan(&config, &["--format", "json", "--all-shares"]);
        assert_eq!(code, Some(0), "{log}");
        let report: Value = serde_json::from_str(&out).unwrap();
        let source = &report["sources"][0];
        assert_ne!(report["run"]["verdict"], "incomplete", "{:#}", source["problems"]);
        let told: BTreeMap<&str, &Value> = report["shares"]
            .as_array()
            .unwrap()
            .iter()
            .map(|share| (share["id"].as_str().unwrap(), share))
            .collect();
        assert_eq!(
            told.len(),
            report["shares"].as_array().unwrap().len(),
            "each share once"
        );

        let (status, accounts) = server.get("", "apps/app_api/api/v1/users").await;
        assert_eq!(status, 200);
        let accounts: Vec<String> = serde_json::from_value(accounts).unwrap();
        assert_eq!(source["accounts"]["found"], accounts.len());
        assert!(accounts.contains(&server.admin));
        let (mut listed, mut refused, mut secrets) = (BTreeSet::new(), 0, BTreeSet::new());
        for account in &accounts {
            let (status, shares) = server
                .get(account, "apps/files_sharing/api/v1/shares?reshares=true")
                .await;
            if status == 401 {
                refused += 1;
                continue;
            }
            assert_eq!(status, 200, "{account}");
            for share in shares.as_array().unwrap() {
                let id = share["id"].as_str().unwrap();
                let told = told
                    .get(id)
                    .unwrap_or_else(|| panic!("share {id} of {account} is not reported"));
                is_told(told, share, account);
                listed.insert(id.to_owned());
                for field in ["token", "password", "url"] {
                    secrets.extend(
                        share[field]
                            .as_str()
                            .filter(|text| !text.is_empty())
                            .map(str::to_owned),
                    );
                }
            }
        }
        let numbered: BTreeSet<String> = told
            .keys()
            .filter(|id| !id.starts_with("file/"))
            .map(|id| (*id).to_owned())
            .collect();
        assert_eq!(numbered, listed, "no more and no less than the server lists");
        assert!(!listed.is_empty(), "a server without shares proves nothing");
        assert_eq!(
            source["accounts"]["skipped"], refused,
            "only accounts whose lists are refused are left out"
        );

        secrets.insert(server.secret.clone());
        secrets.insert(STANDARD.encode(format!("{}:{}", server.admin, server.secret)));
        secrets.insert("$argon2".to_owned());
        let (_, table, more) = scan(&config, &[]);
        for text in [&out, &log, &table, &more] {
            for secret in &secrets {
                assert!(!text.contains(secret.as_str()), "a secret is told");
            }
        }
        let alone = accounts.iter().find(|account| **account != server.admin).unwrap();
        let (_, out, log) = scan(&config, &["--user", alone, "--format", "json", "--all-shares"]);
        let narrow: Value = serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {log}"));
        for share in narrow["shares"].as_array().unwrap() {
            let whole = told[share["id"].as_str().unwrap()];
            for field in ["kind", "access", "password", "audience"] {
                assert_eq!(
                    share[field], whole[field],
                    "share {} by one account alone",
                    share["id"]
                );
            }
        }
    }

    /// What a share is beside its end.
    fn rest(share: &Value) -> Value {
        let mut rest = share.clone();
        rest["expiration"] = Value::Null;
        rest
    }

    /// The shares that a test makes on a real server, and what they are tried with.
    struct Trial<'a> {
        server: &'a Server,
        writer: &'a Nextcloud,
        facts: &'a SourceFacts,
        owner: &'a str,
        today: Date,
    }

    impl Trial<'_> {
        /// The share in the hands of its item's owner.
        fn owned(&self, target: &Target) -> Target {
            Target {
                act_as: Some(self.owner.to_owned()),
                ..target.clone()
            }
        }

        /// An end changes nothing else; the longest time, where there is one, is the service's own.
        async fn ends(&self, target: &Target) {
            let before = self.server.share(self.owner, &target.share).await;
            let Found::Share(share) = self.writer.read(target).await.unwrap() else {
                panic!("share {} is not found", target.share);
            };
            let most = self.facts.most_days(share.kind).map(i64::from);
            let day = self.today.checked_add(most.unwrap_or(30).days()).unwrap();
            self.writer
                .set_expiry(target, Some(&day.to_string()))
                .await
                .unwrap();
            let after = self.server.share(self.owner, &target.share).await;
            assert_eq!(after["expiration"], format!("{day} 00:00:00"));
            assert_eq!(rest(&before), rest(&after));
            for refused in [Some(self.today), most.map(|_| day.tomorrow().unwrap())]
                .into_iter()
                .flatten()
            {
                let error = self
                    .writer
                    .set_expiry(target, Some(&refused.to_string()))
                    .await
                    .unwrap_err();
                assert_eq!(error.effect, ChangeEffect::Refused, "{error}");
            }
            let cleared = self.writer.set_expiry(target, None).await;
            assert_eq!(cleared.is_ok(), most.is_none(), "{cleared:?}");
            if most.is_none() {
                assert_eq!(before, self.server.share(self.owner, &target.share).await);
            }
        }

        /// A recipient only leaves; the owner ends, and with the share the link that hangs on it.
        async fn leaves(&self, given: &Target, other: &str, passed: &Target, mailed: &Target) {
            let left = Target {
                act_as: Some(other.to_owned()),
                ..given.clone()
            };
            assert!(self.writer.revoke(&left).await.is_err());
            self.writer.revoke(given).await.unwrap();
            assert!(matches!(self.writer.read(given).await, Ok(Found::Gone)));
            assert!(matches!(self.writer.read(passed).await, Ok(Found::Gone)));
            assert!(matches!(self.writer.read(mailed).await, Ok(Found::Share(_))));
            let on_item = self
                .writer
                .read_all(&mailed.item, Some(self.owner))
                .await
                .unwrap();
            let ids: Vec<&str> = on_item.iter().map(|share| share.id.as_str()).collect();
            assert_eq!(ids, [mailed.share.as_str()]);
            self.writer.revoke(mailed).await.unwrap();
        }

        /// What was ended is made again.
        async fn remakes(&self, link: &Target) -> Target {
            let Found::Share(before) = self.writer.read(link).await.unwrap() else {
                panic!("the link is not found");
            };
            self.writer.revoke(link).await.unwrap();
            let lost = Lost {
                kind: before.kind,
                anonymous: before.anonymous,
                item: link.item.clone(),
                act_as: link.act_as.clone(),
                recipients: Vec::new(),
                access: before.access,
                expires: before.expires.stated().map(str::to_owned),
                label: before.label.clone(),
                password: before.password == Some(true),
            };
            let password = SecretString::from("Another-4711-aBcD-efgh".to_owned());
            let again = Target {
                share: self.writer.recreate(&lost, Some(&password)).await.unwrap(),
                ..link.clone()
            };
            let Found::Share(after) = self.writer.read(&again).await.unwrap() else {
                panic!("the link was not made again");
            };
            assert_eq!(after.kind, ShareKind::Link);
            assert_eq!(
                (
                    before.access,
                    before.password,
                    before.label.clone(),
                    before.item.path.clone()
                ),
                (after.access, after.password, after.label, after.item.path)
            );
            let password = SecretString::from("Yet-another-4711-aBcD".to_owned());
            self.writer.set_password(&again, &password).await.unwrap();
            again
        }
    }

    #[tokio::test]
    async fn shares_of_a_real_server_are_given_an_end_and_ended() {
        let Some(config) = config() else { return };
        let server = Server::of(&config);
        let writer = server.writer();
        let opened = writer.open().await.unwrap();
        let today = opened.date.unwrap().to_zoned(jiff::tz::TimeZone::UTC).date();
        let owner = server.admin.as_str();
        let (_, accounts) = server.get("", "apps/app_api/api/v1/users").await;
        let accounts: Vec<String> = serde_json::from_value(accounts).unwrap();
        let mut other = None;
        for account in accounts.iter().filter(|account| *account != owner) {
            if other.is_none() && writer.may_act_as(account).await.is_ok() {
                other = Some(account.as_str());
            }
        }
        let other = other.unwrap();
        let folder = format!("/trial {}", fastrand::u64(..));
        server.dav("MKCOL", owner, &folder).await;
        server.dav("MKCOL", owner, &format!("{folder}/sub")).await;
        let of = |kind: &'static str, more: &[(&'static str, &'static str)]| {
            [&[("shareType", kind), ("permissions", "1")], more].concat()
        };
        let secret = ("password", "Trial-4711-aBcD-efgh");
        let hidden = (
            "attributes",
            r#"[{"scope":"permissions","key":"download","value":false}]"#,
        );
        let link = server
            .make(
                owner,
                &folder,
                &of("3", &[secret, hidden, ("label", "a label"), ("note", "a note")]),
            )
            .await;
        let mail = server
            .make(
                owner,
                &folder,
                &of("4", &[("shareWith", "trial@partner.example.net"), secret]),
            )
            .await;
        let given = server
            .make(
                owner,
                &folder,
                &[("shareType", "0"), ("shareWith", other), ("permissions", "31")],
            )
            .await;
        let seen = server.share(other, &given.share).await["path"]
            .as_str()
            .unwrap()
            .to_owned();
        let passed = server
            .make(other, &format!("{seen}/sub"), &of("3", &[secret]))
            .await;
        let mailed = server
            .make(
                other,
                &format!("{seen}/sub"),
                &of("4", &[("shareWith", "trial@partner.example.net"), secret]),
            )
            .await;

        let trial = Trial {
            server: &server,
            writer: &writer,
            facts: &opened.facts,
            owner,
            today,
        };
        for target in [&link, &mail, &given, &passed] {
            trial.ends(&trial.owned(target)).await;
        }
        trial
            .leaves(&given, other, &trial.owned(&passed), &trial.owned(&mailed))
            .await;
        let again = trial.remakes(&link).await;
        // Gone is only what is not there while its item is.
        server.dav("DELETE", owner, &folder).await;
        for target in [&again, &link, &mail] {
            let found = writer.read(target).await;
            assert!(matches!(found, Ok(Found::Lost(_))), "{found:?}");
        }
    }

    #[test]
    fn a_real_server_is_examined_and_nothing_is_found_broken() {
        let Some(config) = config() else { return };
        let (code, out, log) = sharewarden(&config, &["--no-state", "doctor"]);
        assert_eq!(code, Some(0), "{out}{log}");
        for about in [
            "network",
            "clock",
            "credential",
            "rights",
            "control totals",
            "length",
        ] {
            let good = out.lines().any(|line| {
                let mut words = line.trim_start().splitn(2, ' ');
                words.next() == Some("ok")
                    && words
                        .next()
                        .is_some_and(|rest| rest.trim_start().starts_with(about))
            });
            assert!(good, "{about}: {out}");
        }
    }

    #[test]
    fn the_auditor_is_enrolled_from_nothing() {
        let Some(config) = config() else { return };
        let Some(occ) = told("SHAREWARDEN_LIVE_OCC", "occ of a real server") else {
            return;
        };
        let occ = occ.into_string().unwrap();
        let occ: Vec<&str> = occ.split_whitespace().collect();
        let folder = tempfile::tempdir().unwrap();
        let secret = folder.path().join("secret");
        let server = Server::of(&config);
        let trial = folder.path().join("config.toml");
        let text = format!(
            "[policy]\ninternal_domains = [\"example.org\"]\n[[source]]\nname = \"trial\"\nkind = \"nextcloud\"\n\
             url = {:?}\nauth = {{ method = \"app-api\", app_id = \"sharewarden_trial\", admin = {:?}, secret = {{ file = \
             {:?} }} }}\n",
            server.url, server.admin, secret
        );
        std::fs::write(&trial, text).unwrap();
        let enroll = |more: &[&str]| {
            let words = ["--no-state", "enroll", "trial", "--listen", "127.0.0.1:0"];
            sharewarden(&trial, &[words.as_slice(), more, &["--"], &occ].concat())
        };
        let read = || std::fs::read_to_string(&secret).unwrap();
        let (code, out, log) = enroll(&[]);
        assert_eq!(code, Some(0), "{out}{log}");
        let first = read();
        assert!(!out.contains(first.trim()) && !log.contains(first.trim()));
        assert_eq!(scan(&trial, &["--user", &server.admin]).0, Some(0));
        let (code, out, log) = enroll(&["--rotate"]);
        assert_eq!(code, Some(0), "{out}{log}");
        assert_ne!(read(), first);
        assert_eq!(scan(&trial, &["--user", &server.admin]).0, Some(0));
        for undo in [
            ["app_api:app:unregister", "sharewarden_trial", "--force"].as_slice(),
            &["app_api:daemon:unregister", "sharewarden_trial"],
        ] {
            assert!(
                Command::new(occ[0])
                    .args(&occ[1..])
                    .args(undo)
                    .status()
                    .unwrap()
                    .success()
            );
        }
        assert_eq!(
            scan(&trial, &["--user", &server.admin]).0,
            Some(3),
            "undone is undone"
        );
    }
}
