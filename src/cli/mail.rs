//! Makes of the mail settings what sends letters.

use super::doctor;
use crate::config::{MailMode, MailSettings, Tls, Transport};
use crate::model::{Check, Standing};
use crate::notify::{Login, Outgoing, Protection, Server};

const ABOUT: &str = "mail";

/// How letters leave, or why there is nothing to examine.
pub(super) fn outgoing(settings: &MailSettings) -> Result<Outgoing, Check> {
    if settings.mode == MailMode::Off {
        return Err(Check::new(
            ABOUT,
            Standing::Skipped,
            "owners are not mailed: `[mail] mode` is off",
        ));
    }
    match &settings.transport {
        None => Err(Check::new(
            ABOUT,
            Standing::Failed,
            "`[mail] transport` is missing",
        )),
        Some(Transport::Files { directory }) => Ok(Outgoing::Files(directory.clone())),
        Some(Transport::Graph { .. }) => Err(Check::new(
            ABOUT,
            Standing::Skipped,
            "this version cannot send through Microsoft Graph yet",
        )),
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
            Ok(Outgoing::Smtp(Server {
                host: host.clone(),
                port: *port,
                protection: match tls {
                    Tls::Starttls => Protection::Starttls,
                    Tls::Immediate => Protection::Immediate,
                    Tls::None => Protection::None,
                },
                login,
            }))
        }
    }
}
