//! Sends mail in a mailbox's name: a whole message, so that all of its headers are kept.
//!
//! <https://learn.microsoft.com/en-us/graph/api/user-sendmail?view=graph-rest-1.0>. Exchange takes four requests at the same
//! time and 30 messages a minute of a mailbox. A letter is handed over once: only where Graph says that it was not taken,
//! it is handed over again.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::time::sleep;

use super::Microsoft365;
use super::errors::{self, Refusal};
use super::graph::Kind;
use super::writer::unanswered;
use crate::http::{Answer, HeaderValue, HttpError, Limits, Method, Request, StatusCode};
use crate::model::{Check, ProblemCode, Standing};
use crate::provider::checks::failed;
use crate::provider::{ChangeEffect, WriteError};

/// How much mail is handed over at a time.
pub const MAIL_LIMITS: Limits = Limits {
    requests_per_second: 0.5,
    in_flight: 4,
};

/// The right that it takes.
const RIGHT: &str = "Mail.Send";
/// What is said of a recipient that is none.
const NO_RECIPIENT: &str = "ErrorInvalidRecipients";
/// How often a letter is handed over that Graph says it did not take.
const TRIES: u32 = 5;
/// How long that is waited for at most, and how long where Graph does not say.
const LONGEST: Duration = Duration::from_mins(15);
const UNTOLD: Duration = Duration::from_secs(30);

const ABOUT: &str = "mail";
const COSTS: &str = "owners are told nothing";

impl Microsoft365 {
    /// Hands a whole message over, to be sent from a mailbox.
    ///
    /// # Errors
    /// [`ChangeEffect::None`] where no message would be taken now, [`ChangeEffect::Refused`] where this one was not (with
    /// [`ProblemCode::AccountGone`] for its recipient's sake), and [`ChangeEffect::Unknown`] where it may have been.
    pub async fn send_mail(&self, sender: &str, message: &[u8]) -> Result<(), WriteError> {
        let url = self.graph.url(&["users", sender, "sendMail"], &[])?;
        let text = HeaderValue::from_static("text/plain");
        let request = Request::new(Method::POST, url).body(text, STANDARD.encode(message));
        let mut is_renewed = false;
        let mut tries = 0;
        loop {
            let (signed, bearer) = self.graph.signed(&request).await?;
            tries += 1;
            match self.graph.http.send(&signed).await {
                Ok(answer) if answer.status == StatusCode::ACCEPTED => return Ok(()),
                Ok(answer) if answer.status == StatusCode::UNAUTHORIZED && !is_renewed => {
                    is_renewed = true;
                    self.graph.tokens.refused(&bearer).await;
                }
                Ok(answer) => return Err(not_taken(sender, &answer)),
                Err(HttpError::Throttled { wait, .. })
                    if tries < TRIES && wait.is_none_or(|wait| wait <= LONGEST) =>
                {
                    sleep(wait.unwrap_or(UNTOLD)).await;
                }
                Err(error) => return Err(unanswered(&error)),
            }
        }
    }

    /// Finds out whether mail may be sent from a mailbox, as far as that is told without sending any.
    pub async fn examine_mail(&self, sender: &str) -> Check {
        let bearer = match self.graph.tokens.bearer().await {
            Ok(bearer) => bearer,
            Err(error) => return failed(ABOUT, &error).costs(COSTS),
        };
        let source = &self.setup.source;
        let rights = bearer.rights();
        let is_granted = rights.map(|rights| rights.granted.contains(RIGHT));
        // Whether there is such a person; who may not ask is not told, and need not be.
        let asked = async {
            let url = self.graph.url(&["users", sender], &[("$select", "id")])?;
            self.graph.get(&url, Kind::Directory).await
        };
        match asked.await {
            Err(error) => return failed(ABOUT, &error).costs(COSTS),
            Ok(answer)
                if errors::is_missing(&errors::refusal("GET /users/…", answer.status, &answer.body)) =>
            {
                let words = format!("letters cannot leave by `{source}`: the tenant has no mailbox {sender}");
                return Check::new(ABOUT, Standing::Failed, words)
                    .costs(COSTS)
                    .step("name a mailbox as `sender` of `[mail] transport`");
            }
            Ok(_) => {}
        }
        let words = |granted: &str| {
            format!(
                "letters leave by `{source}` from {sender}: {granted}; whether that mailbox may be used is told when the first is \
                 sent, and nothing was sent"
            )
        };
        match is_granted {
            Some(true) => Check::good(ABOUT, words("Mail.Send is granted")),
            None => Check::good(ABOUT, words("the token does not tell whether Mail.Send is granted")),
            // Exchange Online may grant it for one mailbox, which no token tells.
            Some(false) => Check::new(ABOUT, Standing::Limited, words("Mail.Send is not granted in Entra"))
                .costs("no letter leaves, unless Exchange Online grants it for this mailbox")
                .step(format!(
                    "give the application the role `Application Mail.Send` for {sender} (RBAC for Applications in Exchange Online)"
                )),
        }
    }
}

/// What is known of a letter that was not answered as one that was taken.
fn not_taken(sender: &str, answer: &Answer) -> WriteError {
    let told = Refusal::read(&answer.body);
    let (effect, remedy) = match answer.status.as_u16() {
        401 => (ChangeEffect::None, ""),
        403 if told.speaks_of("odata") => (
            ChangeEffect::None,
            "; a policy keeps the application from this mailbox: add the mailbox to the group of the application access policy, \
             or to the scope of its role in Exchange Online, and wait an hour",
        ),
        403 => (
            ChangeEffect::None,
            "; give the application the role `Application Mail.Send` for this mailbox (RBAC for Applications in Exchange Online)",
        ),
        404 if told.is("MailboxNotEnabledForRESTAPI") => (
            ChangeEffect::None,
            "; the sender has no mailbox in Exchange Online: name another `sender` of `[mail] transport`",
        ),
        404 => (
            ChangeEffect::None,
            "; the tenant does not know the sender: name a mailbox as `sender` of `[mail] transport`",
        ),
        408 => (ChangeEffect::Unknown, ""),
        400 if told.is(NO_RECIPIENT) => (ChangeEffect::Refused, "; the recipient's address is not accepted"),
        400..500 => (ChangeEffect::Refused, ""),
        _ => (
            ChangeEffect::Unknown,
            "; whether the letter was taken is not known",
        ),
    };
    let error = WriteError::from(errors::refusal(
        &format!("mail from {sender}"),
        answer.status,
        &answer.body,
    ));
    let is_nobody = effect == ChangeEffect::Refused && told.is(NO_RECIPIENT);
    WriteError {
        effect,
        code: if is_nobody {
            ProblemCode::AccountGone
        } else {
            error.code
        },
        message: format!("{}{remedy}", error.message),
    }
}
