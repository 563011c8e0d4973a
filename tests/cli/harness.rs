//! What the tests stand on: an emulated server in this process, and the built program beside it.
//!
//! Each stage has a server, a folder and a configuration of its own. The program runs with nothing of the environment,
//! so that no proxy, configuration or state of whoever runs the tests takes part.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};
use sharewarden::emulator::{Emulator, Options, World};
use tempfile::TempDir;
use url::Url;

/// The time at which the worlds stand still.
pub(crate) const NOW: &str = "2026-11-22T12:00:00Z";

/// What the invented organisations accept.
pub(crate) const POLICY: &str = include_str!("../../fixtures/worlds/policy.toml");

/// No run of the program may take longer.
const PATIENCE: Duration = Duration::from_secs(55);

static RUNTIME: LazyLock<tokio::runtime::Runtime> = LazyLock::new(|| {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
});

/// The world of few shares with fixed ids.
pub(crate) fn small() -> Value {
    serde_json::from_str(include_str!("../../fixtures/worlds/small.json")).unwrap()
}

/// The world of a tenant of few people.
pub(crate) fn tenant() -> Value {
    serde_json::from_str(include_str!("../../fixtures/worlds/m365-small.json")).unwrap()
}

/// The invented university, standing still.
pub(crate) fn demo() -> Value {
    let mut world: Value = serde_json::from_str(include_str!("../../fixtures/worlds/demo.json")).unwrap();
    world["now"] = json!(NOW);
    world
}

/// What a scan of the invented university reports, every share included.
pub(crate) fn demo_report() -> &'static Value {
    static REPORT: LazyLock<Value> = LazyLock::new(|| Stage::of(&demo()).report(&["--all-shares"]));
    &REPORT
}

/// Adds shares to a world.
pub(crate) fn add_shares(world: &mut Value, shares: Vec<Value>) {
    list(&mut world["nextcloud"]["shares"]).extend(shares);
}

/// A list in a world, to be changed.
pub(crate) fn list(value: &mut Value) -> &mut Vec<Value> {
    if value.is_null() {
        *value = json!([]);
    }
    value.as_array_mut().unwrap()
}

/// The account of a world with this id, to be changed.
pub(crate) fn account<'w>(world: &'w mut Value, id: &str) -> &'w mut Value {
    let accounts = list(&mut world["nextcloud"]["accounts"]);
    accounts.iter_mut().find(|account| account["id"] == id).unwrap()
}

/// What is particular about a stage's configuration.
pub(crate) struct Config<'a> {
    /// `[policy]` and its classes.
    pub(crate) policy: &'a str,
    /// Further tables.
    pub(crate) more: &'a str,
    /// Further lines of the source.
    pub(crate) source: &'a str,
    /// Its `auth`; the world's auditor where there is none.
    pub(crate) auth: Option<&'a str>,
    /// A Nextcloud's `url`; the emulated server's where there is none.
    pub(crate) url: Option<&'a str>,
    /// A tenant's `tenant`; the world's where there is none.
    pub(crate) tenant: Option<&'a str>,
    /// A tenant's `client_id`; the world's where there is none.
    pub(crate) client_id: Option<&'a str>,
}

impl Default for Config<'_> {
    fn default() -> Self {
        Self {
            policy: POLICY,
            more: "",
            source: "",
            auth: None,
            url: None,
            tenant: None,
            client_id: None,
        }
    }
}

/// A request that the emulated server was asked.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Asked {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) account: Option<String>,
    pub(crate) status: u16,
}

impl Asked {
    /// Whether it asked for an account's list of shares.
    pub(crate) fn is_listing(&self) -> bool {
        self.path.contains("/apps/files_sharing/api/v1/shares")
    }
}

/// An emulated server, and a folder with a configuration for it.
pub(crate) struct Stage {
    emulator: Option<Emulator>,
    /// Where it is steered, whatever stands before it.
    steered: Url,
    url: Url,
    /// Where the emulated tenant's tokens are got, and where its Graph is.
    tenant: Option<(Url, Url)>,
    world: Value,
    secret: String,
    folder: TempDir,
    client: reqwest::Client,
}

impl Stage {
    /// A server with this world, ready to be scanned.
    pub(crate) fn of(world: &Value) -> Self {
        let app = &world["nextcloud"]["ex_apps"][0]["secret"];
        let written = world.clone();
        let world = World::from_json(world.to_string().as_bytes()).unwrap();
        let emulator = RUNTIME
            .block_on(Emulator::start(world, Options::default()))
            .unwrap();
        let client = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build();
        let tenant = emulator.login_url().zip(emulator.graph_url());
        let stage = Self {
            steered: emulator.nextcloud_url(),
            url: emulator.nextcloud_url(),
            tenant,
            world: written,
            emulator: Some(emulator),
            secret: app.as_str().unwrap_or_default().to_owned(),
            folder: tempfile::tempdir().unwrap(),
            client: client.unwrap(),
        };
        stage.write("secret", &stage.secret);
        if stage.world.get("nextcloud").is_some() {
            stage.configure(&Config::default());
        } else {
            let secret = stage.world["microsoft365"]["app"]["secret"].as_str();
            stage.write("client-secret", secret.unwrap_or_default());
            stage.configure_tenant(&Config::default());
        }
        stage
    }

    /// A tenant with the world of few people.
    pub(crate) fn tenant() -> Self {
        Self::of(&tenant())
    }

    /// Where the tenant's tokens are got, and where its Graph is.
    pub(crate) fn places(&self) -> (&Url, &Url) {
        let (login, graph) = self.tenant.as_ref().unwrap();
        (login, graph)
    }

    /// Whether the world has a tenant.
    pub(crate) fn has_tenant(&self) -> bool {
        self.tenant.is_some()
    }

    /// Writes the configuration of the tenant as the only source.
    pub(crate) fn configure_tenant(&self, config: &Config<'_>) -> PathBuf {
        let quoted = |text: &str| toml::Value::from(text).to_string();
        let file = |name: &str| quoted(&self.path(name).to_string_lossy());
        let (login, graph) = self.places();
        let told = |part: &str, key: &str| self.world["microsoft365"][part][key].as_str().unwrap_or_default();
        let auth = config.auth.map_or_else(
            || {
                let secret = file("client-secret");
                format!("{{ method = \"client-secret\", secret = {{ file = {secret} }} }}")
            },
            str::to_owned,
        );
        let text = format!(
            "{}\n[state]\npath = {}\n{}\n[[source]]\nname = \"m365\"\nkind = \"microsoft365\"\ntenant = {}\n\
             client_id = {}\nauth = {auth}\nlogin_url = {}\ngraph_url = {}\n{}\n",
            config.policy,
            file("state.db"),
            config.more,
            quoted(config.tenant.unwrap_or(told("tenant", "domain"))),
            quoted(config.client_id.unwrap_or(told("app", "client_id"))),
            quoted(login.as_str()),
            quoted(graph.as_str()),
            if config.source.contains("limits") || config.source.contains("license_count") {
                config.source.to_owned()
            } else {
                format!(
                    "limits = {{ units_per_minute = 1000000, units_per_day = 1000000 }}\n{}",
                    config.source
                )
            },
        );
        self.write("config.toml", &text)
    }

    /// A server with the world of few shares.
    pub(crate) fn small() -> Self {
        Self::of(&small())
    }

    /// Where the server is.
    pub(crate) fn url(&self) -> &Url {
        &self.url
    }

    /// Lets the server be reached somewhere else from now on: something stands before it.
    pub(crate) fn reach(&mut self, url: Url, tenant: Option<(Url, Url)>) {
        self.url = url;
        self.tenant = tenant;
    }

    /// A path in the stage's folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file that only its owner can read.
    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        path
    }

    /// Writes the configuration.
    pub(crate) fn configure(&self, config: &Config<'_>) -> PathBuf {
        let quoted = |text: &str| toml::Value::from(text).to_string();
        let file = |name: &str| quoted(&self.path(name).to_string_lossy());
        let auth = config.auth.map_or_else(
            || {
                format!(
                    "{{ method = \"app-api\", app_id = \"sharewarden\", admin = \"admin\", secret = {{ file = {} }} }}",
                    file("secret")
                )
            },
            str::to_owned,
        );
        let text = format!(
            "{}\n[state]\npath = {}\n{}\n[[source]]\nname = \"cloud\"\nkind = \"nextcloud\"\nurl = {}\nauth = {auth}\n\
             {}\n",
            config.policy,
            file("state.db"),
            config.more,
            quoted(config.url.unwrap_or(self.url.as_str())),
            if config.source.contains("limits") {
                config.source.to_owned()
            } else {
                format!("limits = {{ requests_per_second = 1000 }}\n{}", config.source)
            },
        );
        self.write("config.toml", &text)
    }

    /// The program with the stage's configuration, at the time of the worlds.
    pub(crate) fn program(&self) -> Program {
        let mut program = Program::new(self.folder.path());
        program.arguments(&["--config", &self.path("config.toml").to_string_lossy()]);
        program
    }

    /// Runs the program with the stage's configuration.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        self.run_at(NOW, arguments)
    }

    /// Runs the program at another time.
    pub(crate) fn run_at(&self, now: &str, arguments: &[&str]) -> Ran {
        let mut program = self.program();
        program.arguments(&["--now", now]).arguments(arguments);
        program.run()
    }

    /// Scans without a state; the outcome may be any.
    pub(crate) fn scan(&self, arguments: &[&str]) -> Ran {
        self.run(&[&["--no-state", "scan", "--format", "json"], arguments].concat())
    }

    /// Scans without a state, and gives the report of a scan that could read everything that it may.
    pub(crate) fn report(&self, arguments: &[&str]) -> Value {
        self.scan(arguments).ended(0).json()
    }

    fn steer(&self, method: reqwest::Method, what: &str, body: Option<&Value>) -> Value {
        let steered = self.try_to_steer(method, what, body);
        steered.unwrap_or_else(|body| panic!("the emulator refuses {what}: {body}"))
    }

    fn try_to_steer(
        &self,
        method: reqwest::Method,
        what: &str,
        body: Option<&Value>,
    ) -> Result<Value, Value> {
        let url = self.steered.join(&format!("__emulator/{what}")).unwrap();
        let mut request = self.client.request(method, url);
        if let Some(body) = body {
            request = request.json(body);
        }
        RUNTIME.block_on(async {
            let answer = request.send().await.unwrap();
            let good = answer.status().is_success();
            let body: Value = answer.json().await.unwrap();
            if good { Ok(body) } else { Err(body) }
        })
    }

    /// Changes the world behind the service's back, where that can be: gives the ids, or why it cannot be.
    pub(crate) fn try_to_change(&self, change: &Value) -> Result<Value, Value> {
        let changed = self.try_to_steer(reqwest::Method::POST, "change", Some(change))?;
        Ok(changed["ids"].clone())
    }

    /// Changes the world behind the service's back.
    pub(crate) fn change(&self, change: &Value) {
        self.steer(reqwest::Method::POST, "change", Some(change));
    }

    /// Makes requests fail.
    pub(crate) fn fault(&self, fault: &Value) {
        self.steer(reqwest::Method::POST, "fault", Some(fault));
    }

    /// Lets everything go right again.
    pub(crate) fn no_faults(&self) {
        self.steer(reqwest::Method::DELETE, "fault", None);
    }

    /// Moves the server's clock.
    pub(crate) fn clock(&self, now: &str) {
        self.steer(reqwest::Method::POST, "clock", Some(&json!({"set": now})));
    }

    /// Every request so far.
    pub(crate) fn requests(&self) -> Vec<Asked> {
        let log = self.steer(reqwest::Method::GET, "requests", None);
        serde_json::from_value(log["requests"].clone()).unwrap()
    }

    /// Forgets the requests so far.
    pub(crate) fn forget_requests(&self) {
        self.steer(reqwest::Method::DELETE, "requests", None);
    }

    /// Every share that the server stores, whoever can see it.
    pub(crate) fn stored(&self) -> Vec<Value> {
        list(&mut self.steer(reqwest::Method::GET, "shares", None)).clone()
    }

    /// What the emulator tells of itself.
    pub(crate) fn state(&self) -> Value {
        self.steer(reqwest::Method::GET, "state", None)
    }

    /// Every permission that the tenant stores, whoever can see it.
    pub(crate) fn permissions(&self) -> Vec<Value> {
        list(&mut self.steer(reqwest::Method::GET, "permissions", None)).clone()
    }

    /// Every mail that the tenant took.
    pub(crate) fn mails(&self) -> Vec<Value> {
        list(&mut self.steer(reqwest::Method::GET, "mails", None)).clone()
    }

    /// Steers the emulated sign-in with a device code.
    pub(crate) fn grant_device(&self, grant: &Value) {
        self.steer(reqwest::Method::POST, "grant", Some(grant));
    }

    /// Grants the login flow that waits, as somebody who signs in with this name.
    pub(crate) fn grant(&self, name: &str) {
        self.steer(reqwest::Method::POST, "grant", Some(&json!({"account": name})));
    }

    /// Runs a command on the server, as its administrator: its exit status, and what it says.
    pub(crate) fn occ(&self, arguments: &[&str], stdin: &str) -> (i64, String) {
        let command = json!({"arguments": arguments, "stdin": stdin});
        let ended = self.steer(reqwest::Method::POST, "occ", Some(&command));
        let output = ended["output"].as_str().unwrap_or_default().to_owned();
        (ended["status"].as_i64().unwrap_or(-1), output)
    }

    /// A program that passes its arguments and its input on to the server's `occ`. None of them needs to be quoted.
    pub(crate) fn occ_program(&self) -> String {
        let port = self.url.port().unwrap_or_default();
        let script = format!(
            r#"#!/bin/bash
printf -v words '"%s",' "$@"
body="{{\"arguments\":[${{words%,}}],\"stdin\":\"$(cat)\"}}"
exec 3<>/dev/tcp/127.0.0.1/{port}
printf 'POST /__emulator/occ HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: %s\r\nConnection: close\r\n\r\n%s' "${{#body}}" "$body" >&3
answer=$(cat <&3)
printf '%b' "$(expr "$answer" : '.*"output":"\([^"]*\)')"
exit "$(expr "$answer" : '.*"status":\([0-9]*\)')"
"#
        );
        let path = self.write("occ", &script);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
        path.to_string_lossy().into_owned()
    }

    /// What the server lists for an account, secrets included.
    pub(crate) fn listing(&self, account: &str) -> Vec<Value> {
        let path = "ocs/v2.php/apps/files_sharing/api/v1/shares?reshares=true&format=json";
        let request = self
            .client
            .get(self.url.join(path).unwrap())
            .header("OCS-APIRequest", "true")
            .header("EX-APP-ID", "sharewarden")
            .header("EX-APP-VERSION", "1.0.0")
            .header(
                "AUTHORIZATION-APP-API",
                STANDARD.encode(format!("{account}:{}", self.secret)),
            );
        let body: Value = RUNTIME.block_on(async { request.send().await.unwrap().json().await.unwrap() });
        body["ocs"]["data"].as_array().cloned().unwrap_or_default()
    }

    /// Stops the server; nobody answers there afterwards.
    pub(crate) fn stop(&mut self) {
        if let Some(emulator) = self.emulator.take() {
            RUNTIME.block_on(emulator.shutdown());
        }
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        // Nobody waits for answers any more; the tests' own connections would stay open.
        drop(self.emulator.take());
    }
}

/// Runs something with the runtime of the tests.
pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    RUNTIME.block_on(future)
}

/// The program, to be run with arguments and an environment.
pub(crate) struct Program {
    folder: PathBuf,
    arguments: Vec<String>,
    environment: BTreeMap<String, String>,
}

impl Program {
    /// The program in a folder that is its home, too.
    pub(crate) fn new(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            arguments: Vec::new(),
            environment: BTreeMap::from([("HOME".to_owned(), folder.to_string_lossy().into_owned())]),
        }
    }

    /// Adds arguments.
    pub(crate) fn arguments(&mut self, arguments: &[&str]) -> &mut Self {
        self.arguments
            .extend(arguments.iter().map(|argument| (*argument).to_owned()));
        self
    }

    /// Sets a variable of the environment.
    pub(crate) fn variable(&mut self, name: &str, value: &str) -> &mut Self {
        self.environment.insert(name.to_owned(), value.to_owned());
        self
    }

    /// The process, for tests that steer it while it runs.
    pub(crate) fn command(&self) -> std::process::Command {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_sharewarden"));
        command
            .env_clear()
            .envs(&self.environment)
            .current_dir(&self.folder)
            .args(&self.arguments);
        command
    }

    /// Starts it, to be watched while it runs.
    pub(crate) fn start(&self) -> Running {
        let mut command = self.command();
        command
            .stdin(std::process::Stdio::null())
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped());
        Running::of(command.spawn().unwrap(), self.arguments.join(" "))
    }

    /// Runs it to its end.
    pub(crate) fn run(&self) -> Ran {
        let output = assert_cmd::Command::from_std(self.command())
            .timeout(PATIENCE)
            .output()
            .unwrap();
        Ran::of(&output, self.arguments.join(" "))
    }
}

/// The program while it runs.
pub(crate) struct Running {
    child: std::process::Child,
    lines: std::sync::mpsc::Receiver<String>,
    said: String,
    arguments: String,
}

impl Running {
    fn of(mut child: std::process::Child, arguments: String) -> Self {
        let errors = std::io::BufReader::new(child.stderr.take().unwrap());
        let (sender, lines) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            for line in std::io::BufRead::lines(errors).map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Self {
            child,
            lines,
            said: String::new(),
            arguments,
        }
    }

    /// What it says on standard error, up to and with the line that holds this.
    pub(crate) fn until(&mut self, part: &str) -> String {
        let from = self.said.len();
        loop {
            let line = self.lines.recv_timeout(PATIENCE);
            let line = line.unwrap_or_else(|_| panic!("`{part}` was not said: {}", self.said));
            self.said.push_str(&line);
            self.said.push('\n');
            if line.contains(part) {
                return self.said[from..].to_owned();
            }
        }
    }

    /// Asks it to end, as Ctrl-C does.
    pub(crate) fn interrupt(&self) {
        self.signal("INT");
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        let killed = std::process::Command::new("kill")
            .args(["-s", name, &id])
            .status();
        assert!(killed.unwrap().success());
    }

    /// Waits for its end.
    pub(crate) fn end(self) -> Ran {
        let output = self.child.wait_with_output().unwrap();
        let mut ran = Ran::of(&output, self.arguments);
        ran.err = self.said + &self.lines.iter().map(|line| line + "\n").collect::<String>();
        ran
    }
}

/// How a run of the program ended.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
    arguments: String,
}

impl Ran {
    /// What a process left.
    pub(crate) fn of(output: &std::process::Output, arguments: String) -> Self {
        Self {
            code: output.status.code(),
            out: String::from_utf8(output.stdout.clone()).unwrap(),
            err: String::from_utf8(output.stderr.clone()).unwrap(),
            arguments,
        }
    }

    /// Insists on an exit code, and on a program that did not fall over.
    pub(crate) fn ended(&self, code: i32) -> &Self {
        assert_eq!(
            self.code,
            Some(code),
            "{}\n{}\n{}",
            self.arguments,
            self.err,
            self.out.chars().take(3_000).collect::<String>()
        );
        assert!(!self.err.contains("panicked"), "{}", self.err);
        self
    }

    /// The report that was printed.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out)
            .unwrap_or_else(|error| panic!("{error}: {}\n{}\n{}", self.arguments, self.err, self.out))
    }
}

/// The findings of a report.
pub(crate) fn findings(report: &Value) -> &[Value] {
    report["findings"].as_array().unwrap()
}

/// The findings of a report with a rule on a share.
pub(crate) fn finding<'r>(report: &'r Value, rule: &str, share: &str) -> Option<&'r Value> {
    let found: Vec<&Value> = findings(report)
        .iter()
        .filter(|finding| finding["rule"] == rule && finding["share"]["id"] == share)
        .collect();
    assert!(found.len() <= 1, "one finding a rule a share: {found:?}");
    found.first().copied()
}

/// The rules that fired on a share.
pub(crate) fn rules_of<'r>(report: &'r Value, share: &str) -> Vec<&'r str> {
    findings(report)
        .iter()
        .filter(|finding| finding["share"]["id"] == share)
        .filter_map(|finding| finding["rule"].as_str())
        .collect()
}

/// A share of a report that holds all.
pub(crate) fn share<'r>(report: &'r Value, id: &str) -> Option<&'r Value> {
    let found: Vec<&Value> = report["shares"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|share| share["id"] == id)
        .collect();
    assert!(found.len() <= 1, "a share is reported once: {found:?}");
    found.first().copied()
}

/// The scopes and codes of the problems of a report's first source.
pub(crate) fn problems(report: &Value) -> Vec<(&str, &str)> {
    report["sources"][0]["problems"]
        .as_array()
        .unwrap()
        .iter()
        .map(|problem| {
            (
                problem["scope"].as_str().unwrap(),
                problem["code"].as_str().unwrap(),
            )
        })
        .collect()
}

/// The verdict of a report.
pub(crate) fn verdict(report: &Value) -> &str {
    report["run"]["verdict"].as_str().unwrap()
}
