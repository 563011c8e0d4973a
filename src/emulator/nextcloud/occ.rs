//! `occ app_api:…`: how an administrator registers an external app, with the calls to it that the server makes.
//!
//! On the real server this is a command, not a request; here a steering request runs it. Texts, exit codes and the order
//! of calls are those of 32.0.1. The real one asks for a heartbeat each second for ten minutes; here fewer, faster.

use serde::Deserialize;

use super::Nextcloud;
use crate::emulator::world::file::ExAppFile;

/// A command as a person types it, without `occ`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Command {
    arguments: Vec<String>,
    #[serde(default)]
    stdin: String,
}

/// How a command ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: u8,
    pub(crate) output: String,
}

/// What a command does next.
#[derive(Debug)]
pub(crate) enum Step {
    /// It has ended.
    Done(Ended),
    /// It calls the external app, and goes on with what that answers.
    Call(Call),
}

/// A call to an external app.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) app: ExAppFile,
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) to: Target,
    /// What was printed so far.
    said: String,
    /// What the command is about.
    task: Task,
}

/// What an external app is called for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Target {
    Heartbeat,
    Init,
    /// Whether it is enabled now.
    Enabled(bool),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Task {
    Register,
    Initialised,
    Unregister { force: bool },
}

/// Where a manually installed app is looked for.
#[derive(Debug, Clone)]
pub(crate) struct Daemon {
    host: String,
}

/// Where an app was registered to answer.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    daemon: String,
    port: u16,
}

fn done(status: u8, output: impl Into<String>) -> Step {
    Step::Done(Ended {
        status,
        output: output.into(),
    })
}

impl Nextcloud {
    /// Begins a command.
    pub(crate) fn occ(&mut self, command: &Command) -> Step {
        let words: Vec<&str> = command.arguments.iter().map(String::as_str).collect();
        if !self.has_app("app_api") {
            return done(1, "There are no commands defined in the \"app_api\" namespace.\n");
        }
        match words.as_slice() {
            [
                "app_api:daemon:register",
                name,
                _,
                "manual-install",
                "http" | "https",
                host,
                _,
            ] => {
                if self.daemons.contains_key(*name) {
                    let text = format!("Skip registration, as daemon config `{name}` already registered.\n");
                    return done(0, text);
                }
                let daemon = Daemon {
                    host: (*host).to_owned(),
                };
                self.daemons.insert((*name).to_owned(), daemon);
                done(0, "Daemon successfully registered.\n")
            }
            ["app_api:daemon:unregister", name] => match self.daemons.remove(*name) {
                Some(_) => done(0, "Daemon config unregistered.\n"),
                None => done(1, format!("Daemon config {name} not found.\n")),
            },
            ["app_api:app:register", id, daemon, rest @ ..] => {
                self.register(id, daemon, rest, &command.stdin)
            }
            ["app_api:app:unregister", id, rest @ ..] => self.unregister(id, rest.contains(&"--force")),
            ["app_api:app:list"] => done(0, self.app_list()),
            _ => done(1, "The emulator knows no such command.\n"),
        }
    }

    fn app_list(&self) -> String {
        let line = |app: &ExAppFile| {
            let state = if app.enabled { "enabled" } else { "disabled" };
            format!("{id} ({id}): {} [{state}]\n", app.version, id = app.id)
        };
        let lines: String = self.ex_apps.values().map(line).collect();
        format!("ExApps:\n{lines}")
    }

    fn register(&mut self, id: &str, daemon: &str, options: &[&str], stdin: &str) -> Step {
        if self.ex_apps.contains_key(id) {
            return done(3, format!("ExApp {id} is already registered.\n"));
        }
        let info = match options {
            [.., "--info-xml", "php://stdin"] if !stdin.trim_start().starts_with('<') => {
                return done(1, "Failed to load info.xml from php://stdin\n");
            }
            [.., "--info-xml", "php://stdin"] => |field: &str, text: &str| element(text, field),
            _ => {
                return done(
                    1,
                    format!("Failed to get app info for `{id}` from the Appstore\n"),
                );
            }
        };
        let field = |name: &str| info(name, stdin);
        let Some(host) = self.daemons.get(daemon).map(|daemon| daemon.host.clone()) else {
            return done(2, format!("Daemon config {daemon} not found.\n"));
        };
        let (Some(named), Some(version), Some(secret)) = (field("id"), field("version"), field("secret"))
        else {
            return done(3, format!("Error during registering ExApp {id}.\n"));
        };
        let port = field("port").and_then(|port| port.parse().ok()).unwrap_or(23_000);
        let app = ExAppFile {
            id: named.clone(),
            secret,
            enabled: false,
            version,
        };
        self.ex_apps.insert(named.clone(), app.clone());
        let place = Place {
            daemon: daemon.to_owned(),
            port,
        };
        self.places.insert(named, place);
        Step::Call(Call {
            app,
            host,
            port,
            to: Target::Heartbeat,
            said: String::new(),
            task: Task::Register,
        })
    }

    fn unregister(&mut self, id: &str, force: bool) -> Step {
        let Some(app) = self.ex_apps.get_mut(id) else {
            return done(1, format!("ExApp {id} not found. Failed to unregister.\n"));
        };
        let was_enabled = std::mem::replace(&mut app.enabled, false);
        let app = app.clone();
        let place = self.places.get(id).cloned();
        let daemon = place.as_ref().and_then(|place| self.daemons.get(&place.daemon));
        let (Some(place), Some(daemon), true) = (&place, daemon, was_enabled) else {
            return self.forget(id, "");
        };
        Step::Call(Call {
            app,
            host: daemon.host.clone(),
            port: place.port,
            to: Target::Enabled(false),
            said: String::new(),
            task: Task::Unregister { force },
        })
    }

    fn forget(&mut self, id: &str, said: &str) -> Step {
        self.ex_apps.remove(id);
        self.places.remove(id);
        done(0, format!("{said}ExApp {id} successfully unregistered.\n"))
    }

    /// Goes on after a call was answered with a status, or by nobody.
    pub(crate) fn occ_goes_on(&mut self, call: &Call, answered: Option<u16>) -> Step {
        let id = call.app.id.clone();
        let good = answered == Some(200);
        let next = |to, said, task| {
            Step::Call(Call {
                to,
                said,
                task,
                ..call.clone()
            })
        };
        match (call.task, call.to) {
            (Task::Unregister { force }, _) if good || force => {
                let said = if good {
                    format!("ExApp {id} successfully disabled.\n")
                } else {
                    format!("Error during disabling {id} ExApp.\n")
                };
                self.forget(&id, &said)
            }
            (Task::Unregister { .. }, _) => done(1, format!("Error during disabling {id} ExApp.\n")),
            (_, Target::Heartbeat) if !good => done(
                1,
                format!(
                    "{}ExApp {id} heartbeat check failed. Make sure that Nextcloud instance and ExApp can reach it \
                     other.\n",
                    call.said
                ),
            ),
            (Task::Register, Target::Heartbeat) => {
                self.enable(&id, true);
                next(
                    Target::Init,
                    format!("ExApp {id} deployed successfully.\n"),
                    Task::Register,
                )
            }
            (_, Target::Init) if !matches!(answered, Some(404 | 501)) => done(
                1,
                format!(
                    "{}ExApp {id} initialization step failed. Error: {answered:?}\n",
                    call.said
                ),
            ),
            (_, Target::Init) => next(Target::Heartbeat, call.said.clone(), Task::Initialised),
            (Task::Initialised, Target::Heartbeat) => {
                next(Target::Enabled(true), call.said.clone(), Task::Initialised)
            }
            (_, Target::Enabled(_)) if !good => {
                self.enable(&id, false);
                done(1, format!("{}Failed to enable ExApp {id}.\n", call.said))
            }
            (_, Target::Enabled(_)) => done(0, format!("{}ExApp {id} successfully registered.\n", call.said)),
        }
    }

    fn enable(&mut self, id: &str, enabled: bool) {
        if let Some(app) = self.ex_apps.get_mut(id) {
            app.enabled = enabled;
        }
    }
}

/// The text of an element without attributes, its five entities replaced.
fn element(xml: &str, name: &str) -> Option<String> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    let (text, _) = rest.split_once(&format!("</{name}>"))?;
    if text.is_empty() {
        // How the server reads an element with nothing in it.
        return Some("Array".to_owned());
    }
    let entities = [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&apos;", "'"),
        ("&amp;", "&"),
    ];
    Some(
        entities
            .iter()
            .fold(text.to_owned(), |text, (entity, sign)| text.replace(entity, sign)),
    )
}

impl Call {
    /// The request on the wire.
    pub(crate) fn request(&self) -> String {
        use base64::Engine as _;
        let authority = format!("{}:{}", self.host, self.port);
        let line = match self.to {
            Target::Heartbeat => {
                return format!(
                    "GET /heartbeat HTTP/1.1\r\nHost: {authority}\r\nAccept: application/json\r\nContent-Type: \
                     application/json\r\nUser-Agent: Nextcloud Server Crawler\r\nConnection: close\r\n\r\n"
                );
            }
            Target::Init => "POST /init".to_owned(),
            Target::Enabled(on) => format!("PUT /enabled?enabled={}", u8::from(on)),
        };
        let secret = base64::engine::general_purpose::STANDARD.encode(format!(":{}", self.app.secret));
        format!(
            "{line} HTTP/1.1\r\nHost: {authority}\r\nContent-Length: 0\r\nAA-VERSION: 32.0.0\r\nEX-APP-ID: {}\r\n\
             EX-APP-VERSION: {}\r\nAUTHORIZATION-APP-API: {secret}\r\nAA-REQUEST-ID: CLI\r\nUser-Agent: Nextcloud Server \
             Crawler\r\nConnection: close\r\n\r\n",
            self.app.id, self.app.version
        )
    }
}
