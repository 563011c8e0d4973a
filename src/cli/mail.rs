//! Makes of the mail settings what sends letters.

use futures::FutureExt as _;
use futures::future::BoxFuture;

use super::doctor;
use super::sources::Making;
use crate::config::{MailMode, SourceDetails, Tls, Transport};
use crate::model::{Check, ProblemCode, SourceName, Standing};
use crate::notify::{Login, Message, Outgoing, Post, Protection, Sent, Server, Times};
use crate::provider::ChangeEffect;
use crate::provider::microsoft365::Microsoft365;

const ABOUT: &str = "mail";

/// How letters leave, or why there is nothing to examine.
pub(super) fn outgoing(making: &Making<'_>) -> Result<Outgoing, Check> {
    let settings = &making.settings.mail;
    if settings.mode == MailMode::Off {
        return Err(Check::new(
            ABOUT,
            Standing::Skipped,
            "owners are not mailed: `[mail] mode` is off",
        ));
    }
    match &settings.transport {
        None => Err(missing("`[mail] transport` is missing")),
        Some(Transport::Files { directory }) => Ok(Outgoing::files(directory.clone())),
        Some(Transport::Graph { source, sender }) => graph(making, source, sender),
        Some(Transport::Smtp {
            host,
            port,
            tls,
            login,
        }) => {
            let login = match login {
                None => None,
                Some(login) => Some(Login {
                    user: login.user.clone(),
                    password: login
                        .password
                        .resolve()
                        .map_err(|wrong| doctor::wrong_check(ABOUT, &wrong))?,
                }),
            };
            Ok(Outgoing::smtp(Server {
                host: host.clone(),
                port: *port,
                protection: match tls {
                    Tls::Starttls => Protection::Starttls,
                    Tls::Immediate => Protection::Immediate,
                    Tls::None => Protection::None,
                },
                login,
                times: Times::default(),
            }))
        }
    }
}

fn graph(making: &Making<'_>, name: &SourceName, sender: &str) -> Result<Outgoing, Check> {
    let source = making.settings.sources.iter().find(|source| source.name == *name);
    let Some(SourceDetails::Microsoft365(tenant)) = source.map(|source| &source.kind) else {
        return Err(missing("the source of `[mail] transport` is missing"));
    };
    let secrets = making.settings.check_secrets(std::slice::from_ref(name));
    if let Err(report) = secrets
        && let Some(wrong) = report.diagnostics().first()
    {
        return Err(doctor::wrong_check(ABOUT, wrong));
    }
    let microsoft = making
        .mailer(name, tenant)
        .map_err(|_told| missing("the source of `[mail] transport` cannot be set up, as said above"))?;
    Ok(Outgoing::post(Box::new(Mailbox {
        microsoft,
        sender: sender.to_owned(),
    })))
}

fn missing(words: &str) -> Check {
    Check::new(ABOUT, Standing::Failed, words)
}

/// A mailbox that letters leave from.
#[derive(Debug)]
struct Mailbox {
    microsoft: Microsoft365,
    sender: String,
}

impl Post for Mailbox {
    fn examine(&self) -> BoxFuture<'_, Check> {
        self.microsoft.examine_mail(&self.sender).boxed()
    }

    fn send<'a>(&'a self, message: &'a Message) -> BoxFuture<'a, Sent> {
        async move {
            match self.microsoft.send_mail(&self.sender, &message.bytes).await {
                Ok(()) => Sent::Accepted {
                    reply: "taken by Microsoft Graph".to_owned(),
                },
                Err(error) => match error.effect {
                    ChangeEffect::None => Sent::Unreachable { words: error.message },
                    ChangeEffect::Refused => Sent::Refused {
                        words: error.message,
                        // Else it lies with the letter: its size, or what is attached.
                        permanent: error.code == ProblemCode::AccountGone,
                    },
                    ChangeEffect::Unknown => Sent::Unknown { words: error.message },
                },
            }
        }
        .boxed()
    }
}
