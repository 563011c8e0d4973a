//! What the program changes at a service: what was planned, once, and nothing else; whatever happens in the midst of it.
//!
//! Most is done in this process, with the real adapters, state and emulated services, so that it can be done often; what
//! a person at a terminal meets is shown by the program itself.

mod crash;
mod killed;
mod refused;
mod since;
pub(crate) mod worlds;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;
use serde_json::Value;
use sharewarden::config::{self, Settings};
use sharewarden::enforce::{
    Conditions, Done, EnforceError, Enforcer, Entry, Event, Journal, Outcome, Revealed, Who,
};
use sharewarden::http;
use sharewarden::model::{Audience, Classes, SourceKind, SourceName, Verdict};
use sharewarden::plan::{Action, Plan, Proposer};
use sharewarden::policy;
use sharewarden::provider::microsoft365::auth::{Credential as Application, Environment, TokenSetup};
use sharewarden::provider::microsoft365::{self, Excluded, Include, Microsoft365, Stated};
use sharewarden::provider::nextcloud::{self, Credential, HomeSearch, Nextcloud};
use sharewarden::provider::{Reader, Writer};
use sharewarden::run::{self, Part, Planned, Proposed, Scan};
use sharewarden::store::{Ledger, Narrowing};
use tokio_util::sync::CancellationToken;

use crate::harness::{Config, NOW, Stage, block_on};

/// Which of the emulated services.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Service {
    Nextcloud,
    Microsoft,
}

impl Service {
    pub(crate) fn source(self) -> SourceName {
        SourceName::new(match self {
            Self::Nextcloud => "cloud",
            Self::Microsoft => "m365",
        })
    }

    fn kind(self) -> SourceKind {
        match self {
            Self::Nextcloud => SourceKind::Nextcloud,
            Self::Microsoft => SourceKind::Microsoft365,
        }
    }

    /// The world of few shares.
    pub(crate) fn world(self) -> Value {
        match self {
            Self::Nextcloud => crate::harness::small(),
            Self::Microsoft => crate::harness::tenant(),
        }
    }
}

/// A request that was to change something: its method and path, and the status of its answer; 0 where none was given.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Write {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) status: u16,
}

impl Write {
    /// Whether the service did it.
    pub(super) fn is_done(&self) -> bool {
        self.status == 0 || (200..300).contains(&self.status)
    }
}

/// An emulated service, and a state beside it, with a configuration that lets it be changed.
pub(crate) struct Scene {
    pub(crate) stage: Stage,
    pub(crate) service: Service,
}

impl Scene {
    /// A service with this world, where the rules of `[enforce]` are these.
    pub(crate) fn of(service: Service, world: &Value, enforce: &str) -> Self {
        let scene = Self {
            stage: Stage::of(world),
            service,
        };
        scene.configure(enforce, "enforce = true");
        scene
    }

    /// Writes the configuration: `[enforce]` and what follows it, and further lines of the source.
    pub(super) fn configure(&self, enforce: &str, source: &str) {
        let config = Config {
            more: enforce,
            source,
            ..Config::default()
        };
        match self.service {
            Service::Nextcloud => self.stage.configure(&config),
            Service::Microsoft => self.stage.configure_tenant(&config),
        };
    }

    pub(crate) fn settings(&self) -> Settings {
        let path = self.stage.path("config.toml");
        let text = std::fs::read_to_string(&path).unwrap();
        let loaded = config::parse(&path, &text, now());
        loaded.unwrap_or_else(|report| panic!("{report:?}")).settings
    }

    pub(crate) fn ledger(&self) -> Ledger {
        Ledger::open(&self.stage.path("state.db")).unwrap()
    }

    fn nextcloud(&self, classes: Classes) -> Nextcloud {
        let secret = std::fs::read_to_string(self.stage.path("secret")).unwrap();
        let setup = nextcloud::Setup {
            source: self.service.source(),
            url: self.stage.url().clone(),
            credential: Credential::AppApi {
                app_id: "sharewarden".to_owned(),
                admin: "admin".to_owned(),
                secret: SecretString::from(secret),
            },
            statistics_token: None,
            excluded: (globset::GlobSet::empty(), globset::GlobSet::empty()),
            home_search: HomeSearch::Always,
            disabled_links_dead: false,
            stop_after: Duration::from_mins(10),
            classes: Arc::new(classes),
            evidence: false,
            now: now(),
        };
        Nextcloud::new(setup, quick(self.stage.url()), CancellationToken::new()).unwrap()
    }

    fn microsoft(&self, classes: Classes) -> Microsoft365 {
        let secret = std::fs::read_to_string(self.stage.path("client-secret")).unwrap();
        let (login, graph) = self.stage.places();
        let setup = microsoft365::Setup {
            source: self.service.source(),
            tenant: "example.org".to_owned(),
            url: graph.clone(),
            include: vec![Include::Onedrive, Include::Sites],
            excluded: Excluded::default(),
            groups_named: Vec::new(),
            answers: Vec::new(),
            stated: Stated::default(),
            classes: Arc::new(classes),
            evidence: false,
            own_networks: Vec::new(),
            label_names: BTreeMap::new(),
            stop_after: Duration::from_secs(50),
            write_every: Duration::ZERO,
        };
        let tokens = TokenSetup {
            tenant: "example.org".to_owned(),
            client_id: Some("a0d17000-0000-4000-8000-000000000001".to_owned()),
            login_url: login.clone(),
            graph_url: graph.clone(),
            credential: Application::ClientSecret {
                secret: SecretString::from(secret),
            },
            environment: Environment::default(),
            http: quick(login),
        };
        Microsoft365::new(setup, tokens, quick(graph), CancellationToken::new()).unwrap()
    }

    /// The adapter as what changes its source, made anew.
    pub(super) fn writer(&self) -> Box<dyn Writer> {
        match self.service {
            Service::Nextcloud => Box::new(self.nextcloud(Classes::default())),
            Service::Microsoft => Box::new(self.microsoft(Classes::default())),
        }
    }

    pub(crate) fn reader(&self, classes: Classes) -> Box<dyn Reader> {
        match self.service {
            Service::Nextcloud => Box::new(self.nextcloud(classes)),
            Service::Microsoft => Box::new(self.microsoft(classes)),
        }
    }

    /// Scans into the state, in this process.
    pub(super) fn scan(&self) -> Verdict {
        self.scan_into("state.db", 4)
    }

    /// Scans into a state of this name, with so many scopes in flight.
    pub(crate) fn scan_into(&self, state: &str, in_flight: usize) -> Verdict {
        let settings = self.settings();
        let parts = [Part {
            name: self.service.source(),
            kind: self.service.kind(),
            reader: self.reader(settings.policy.classes.clone()),
            in_flight,
            stop_after: Duration::from_secs(50),
            relist_every: SignedDuration::from_hours(7 * 24),
            remembers: true,
            managed: None,
            progress: run::Progress::default(),
        }];
        let scan = Scan {
            now: now(),
            users: Vec::new(),
            rules: Vec::new(),
            all_sources: true,
            exclusions: 0,
        };
        let policy = Arc::new(settings.policy);
        let never = CancellationToken::new();
        let ledger = Ledger::open(&self.stage.path(state)).unwrap();
        let scanned = run::scan(ledger, &policy, &parts, &scan, now, &never);
        block_on(async { scanned.await.unwrap().verdict })
    }

    /// What is proposed by what the state holds, judged anew.
    pub(super) fn proposed(&self) -> Proposed {
        let settings = self.settings();
        let source = self.service.source();
        let planned = Planned {
            name: &source,
            kind: self.service.kind(),
            usable: &|_| true,
        };
        let proposer = Proposer::new(&settings.enforce.rules, now());
        run::propose(
            &self.ledger(),
            &settings.policy,
            &proposer,
            &[planned],
            Narrowing::default(),
            now(),
        )
        .unwrap()
    }

    /// Plans, and records the plan.
    pub(super) fn plan(&self) -> Plan {
        self.record(self.proposed().actions)
    }

    /// Records a plan of these actions.
    pub(super) fn record(&self, actions: Vec<Action>) -> Plan {
        let plan = Plan::made(actions, now());
        self.ledger().record_plan(&plan).unwrap();
        plan
    }

    /// Carries out a plan with this journal and writer.
    pub(super) async fn apply_with(
        &self,
        journal: &mut dyn Journal,
        writer: Box<dyn Writer>,
        plan: &Plan,
        run: &str,
    ) -> Result<Done, EnforceError> {
        let settings = self.settings();
        let actions: Vec<_> = plan.actions.iter().collect();
        let writers = BTreeMap::from([(self.service.source(), writer)]);
        let conditions = Conditions {
            audience: &|share| policy::audience(&settings.policy, share),
            run,
            ..ALONE.conditions()
        };
        Enforcer::new(journal, &writers, conditions)
            .apply(&plan.id, &actions)
            .await
    }

    /// Takes a run back with this journal and writer; the passwords that were shown, by share.
    pub(super) async fn undo_with(
        &self,
        journal: &mut dyn Journal,
        writer: Box<dyn Writer>,
        undone: &str,
        run: &str,
        shown: &mut BTreeMap<String, String>,
    ) -> Result<Done, EnforceError> {
        use secrecy::ExposeSecret as _;
        let settings = self.settings();
        let writers = BTreeMap::from([(self.service.source(), writer)]);
        let conditions = Conditions {
            audience: &|share| policy::audience(&settings.policy, share),
            run,
            ..ALONE.conditions()
        };
        let password = || Some(SecretString::from(format!("A-new-one-of-{run}-77")));
        let mut reveal = |new: &Revealed<'_>| {
            shown.insert(new.share.to_owned(), new.password.expose_secret().to_owned());
            true
        };
        Enforcer::new(journal, &writers, conditions)
            .undo(undone, &password, Some(&mut reveal))
            .await
    }

    /// Carries out a plan, undisturbed.
    pub(super) fn apply(&self, plan: &Plan, run: &str) -> Done {
        let mut ledger = self.ledger();
        block_on(self.apply_with(&mut ledger, self.writer(), plan, run)).unwrap()
    }

    /// Takes a run back, undisturbed.
    pub(super) fn undo(&self, undone: &str, run: &str) -> Done {
        let mut ledger = self.ledger();
        let mut shown = BTreeMap::new();
        block_on(self.undo_with(&mut ledger, self.writer(), undone, run, &mut shown)).unwrap()
    }

    /// The requests so far that were to change what is shared.
    pub(super) fn writes(&self) -> Vec<Write> {
        let is_write = |method: &str, path: &str| match self.service {
            Service::Nextcloud => {
                matches!(method, "PUT" | "POST" | "DELETE") && path.contains("files_sharing/api/v1/shares")
            }
            Service::Microsoft => {
                let is_of_a_share = path.contains("/permissions/") && method != "GET";
                is_of_a_share || path.ends_with("/createLink") || path.ends_with("/invite")
            }
        };
        let asked = self.stage.requests().into_iter();
        asked
            .filter(|asked| is_write(&asked.method, &asked.path))
            .map(|asked| Write {
                method: asked.method,
                path: asked.path,
                status: asked.status,
            })
            .collect()
    }

    /// What the service stores of every share, by its id.
    pub(crate) fn stored(&self) -> BTreeMap<String, Value> {
        let rows = match self.service {
            Service::Nextcloud => self.stage.stored(),
            Service::Microsoft => self.stage.permissions(),
        };
        rows.into_iter().map(|row| (self.id(&row), row)).collect()
    }

    /// The id that a stored share goes by.
    fn id(&self, row: &Value) -> String {
        let text = |key: &str| row[key].as_str().unwrap_or_default();
        match self.service {
            Service::Nextcloud => row["id"].to_string(),
            Service::Microsoft => format!("{}/{}/{}", text("drive"), text("item"), text("id")),
        }
    }

    /// Every line of the journal that is about an action, in order.
    pub(super) fn lines(&self, plan: &Plan) -> Vec<Entry> {
        let ledger = self.ledger();
        let of_action = plan
            .actions
            .iter()
            .map(|action| ledger.of_action(&action.id).unwrap());
        of_action.flatten().collect()
    }

    /// Insists on a journal that holds together, in which nothing is open and each action was done at most once.
    pub(super) fn check_journal(&self, plan: &Plan) {
        let ledger = self.ledger();
        ledger.verify_journal(None).unwrap().unwrap();
        let open = ledger.unsettled(&self.service.source()).unwrap();
        assert!(open.is_empty(), "{open:#?}");
        for action in &plan.actions {
            let lines = ledger.of_action(&action.id).unwrap();
            let done: Vec<_> = lines
                .iter()
                .filter(|line| is_applied(line) && line.undoes.is_none())
                .collect();
            assert!(done.len() <= 1, "{done:#?}");
        }
    }
}

/// Somebody who changes things, and whom nobody interrupts.
struct Alone {
    who: Who,
    never: CancellationToken,
}

static ALONE: LazyLock<Alone> = LazyLock::new(|| Alone {
    who: Who::User {
        name: "tester".to_owned(),
        sudo: None,
    },
    never: CancellationToken::new(),
});

impl Alone {
    fn conditions(&self) -> Conditions<'_> {
        Conditions {
            bar: &|_| None,
            audience: &|_| Audience::Unknown,
            clock: &now,
            who: &self.who,
            run: "",
            rehearsal: false,
            cancel: &self.never,
        }
    }
}

/// Whether a line says that something was done.
pub(super) fn is_applied(line: &Entry) -> bool {
    line.event == Event::Receipt && line.outcome == Some(Outcome::Applied)
}

/// The time at which the worlds stand still.
pub(super) fn now() -> Timestamp {
    NOW.parse().unwrap()
}

fn quick(origin: &url::Url) -> http::Settings {
    http::Settings {
        limits: http::Limits {
            requests_per_second: f64::INFINITY,
            in_flight: 8,
        },
        patience: http::Patience {
            retries: 1,
            total: Duration::from_secs(5),
            backoff: Duration::from_millis(1),
        },
        proxy: http::Proxy::Direct,
        ..http::Settings::new(origin.clone())
    }
}

/// What became of the actions of a run.
pub(super) fn outcomes(done: &Done) -> BTreeMap<&str, Option<Outcome>> {
    let of = done.receipts.iter();
    of.map(|receipt| (receipt.action.as_str(), receipt.outcome))
        .collect()
}

/// What differs between what was stored and what is: the ids of shares, with the fields that changed, or what became of them.
pub(super) fn differences(
    before: &BTreeMap<String, Value>,
    after: &BTreeMap<String, Value>,
) -> BTreeMap<String, Vec<String>> {
    let mut found = BTreeMap::new();
    for id in before.keys().chain(after.keys()).collect::<BTreeSet<_>>() {
        let fields = match (before.get(id), after.get(id)) {
            (Some(old), Some(new)) => {
                let keys = [old, new]
                    .into_iter()
                    .flat_map(|row| row.as_object().unwrap().keys());
                let keys: BTreeSet<&String> = keys.collect();
                let changed = keys.into_iter().filter(|key| old[*key] != new[*key]);
                changed.cloned().collect()
            }
            (None, _) => vec!["new".to_owned()],
            (_, None) => vec!["gone".to_owned()],
        };
        if !fields.is_empty() {
            found.insert(id.clone(), fields);
        }
    }
    found
}

/// A terminal of its own for the program, where there is `script`: what it answers to the question, and what it says.
pub(crate) fn on_a_terminal(stage: &Stage, answer: &str, arguments: &[&str]) -> Option<(i32, String)> {
    use std::io::Write as _;
    if !Path::new("/usr/bin/script").exists() {
        return None;
    }
    let mut program = stage.program();
    program.arguments(&["--now", NOW]).arguments(arguments);
    let command = program.command();
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let line: Vec<String> = words
        .map(|word| format!("'{}'", word.to_string_lossy()))
        .collect();
    let mut child = std::process::Command::new("/usr/bin/script")
        .args(["-qec", &line.join(" "), "/dev/null"])
        .env_clear()
        .env("HOME", stage.path(""))
        .current_dir(stage.path(""))
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(answer.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    Some((output.status.code().unwrap(), said))
}
