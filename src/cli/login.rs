//! `login`: one person signs in to a source for scans on demand; what is obtained is kept beside the state.

mod microsoft;

use std::time::Duration;

use clap::Args;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::sources::{self, Making};
use super::terminal::say;
use super::{Exit, Global, unwritten};
use crate::config::{NextcloudAuth, NextcloudSettings, Settings, SignedIn, SourceDetails};
use crate::http::Client;
use crate::model::{ProblemCode, SourceName};
use crate::provider::ReadError;
use crate::provider::nextcloud::login::{FLOW_LASTS, Flow, Granted, give_back};

/// How much time lies between two questions whether access was granted.
const BETWEEN: Duration = Duration::from_secs(2);

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The source to sign in to
    #[arg(value_name = "SOURCE")]
    source: String,
}

pub(super) async fn run(global: &Global, arguments: Arguments) -> Result<Exit, Exit> {
    let loaded = global.load()?;
    let source = sources::choose(&loaded.settings, &[arguments.source])?;
    let cancel = CancellationToken::new();
    let making = Making::of(global, &loaded.settings, &cancel);
    for source in source {
        match &source.kind {
            SourceDetails::Nextcloud(nextcloud) => nextcloud_login(&making, &source.name, nextcloud).await?,
            SourceDetails::Microsoft365(tenant) => microsoft::login(&making, &source.name, tenant).await?,
        }
    }
    Ok(Exit::Done)
}

async fn nextcloud_login(making: &Making<'_>, name: &SourceName, it: &NextcloudSettings) -> Result<(), Exit> {
    if !matches!(it.auth, NextcloudAuth::Login) {
        return Err(sources::wrong(
            &format!("the source `{name}` does not sign in with what `login` obtains"),
            "write `auth = { method = \"login\" }` for a source that one person reads on demand",
        ));
    }
    try_to_keep(making, name)?;
    let client = Client::new(making.http(it)?, making.cancel.clone())
        .map_err(|error| sources::not_set_up(name, &error))?;
    let flow = Flow::begin(client.clone(), &it.url)
        .await
        .map_err(|error| refused(&error))?;
    let watch = sources::interrupts(making.cancel.clone(), "nothing is kept");
    say(&format!(
        "Open this address in a browser, sign in, and grant access:\n\n  {}\n\nIt can be granted for {} minutes. The \
         server will show the access in Settings, Security, as `{}`; remove it there to end it.",
        flow.page(),
        FLOW_LASTS.as_secs() / 60,
        crate::http::USER_AGENT,
    ));
    let granted = wait(making, &flow).await;
    let kept = match granted {
        Ok(granted) => keep(&client, making.settings, name, it, granted).await,
        Err(exit) => Err(exit),
    };
    watch.abort();
    kept
}

/// Finds out whether what is obtained could be kept, so that nobody signs in in vain.
fn try_to_keep(making: &Making<'_>, name: &SourceName) -> Result<(), Exit> {
    let credentials = making.settings.state.credentials();
    credentials.try_to_keep(name).map_err(|error| {
        sources::wrong(
            &format!(
                "what is obtained could not be kept in {}: {error}",
                credentials.file(name).display()
            ),
            "let the account that runs sharewarden write there, or name another place with [state] path",
        )
    })
}

/// Waits until access is granted.
async fn wait(making: &Making<'_>, flow: &Flow) -> Result<Granted, Exit> {
    let end = Instant::now() + FLOW_LASTS;
    loop {
        tokio::select! {
            () = making.cancel.cancelled() => return Err(Exit::Interrupted),
            () = tokio::time::sleep(BETWEEN) => {}
        }
        match flow.ask().await {
            Ok(Some(granted)) => return Ok(granted),
            Ok(None) if Instant::now() < end => {}
            Ok(None) => {
                say("error: access was not granted in time\nhelp: run `sharewarden login` again");
                return Err(Exit::NotKept);
            }
            // A server that is busy for a moment may still grant it.
            Err(ReadError::Service {
                code: ProblemCode::Unreachable | ProblemCode::ServerError | ProblemCode::Throttled,
                message,
            }) if Instant::now() < end => {
                if !making.global.quiet {
                    say(&format!("warning: {message}; asking again"));
                }
            }
            Err(error) => return Err(refused(&error)),
        }
    }
}

/// Keeps what was granted, and gives back what was kept before; what cannot be kept is given back at once.
async fn keep(
    client: &Client,
    settings: &Settings,
    name: &SourceName,
    it: &NextcloudSettings,
    granted: Granted,
) -> Result<(), Exit> {
    let credentials = settings.state.credentials();
    let before = credentials.load(name, &it.grantor()).ok();
    let signed_in = SignedIn {
        grantor: it.grantor(),
        user: granted.user.clone(),
        secret: granted.password.clone(),
    };
    if let Err(error) = credentials.keep(name, &signed_in) {
        let exit = unwritten(&error);
        say(match give_back(client, &it.url, &granted).await {
            Ok(()) => {
                "help: the access that was granted was given back; sign in again when that is put right"
            }
            Err(_) => "help: remove the access that was granted in Settings, Security, and sign in again",
        });
        return Err(exit);
    }
    if let Some(before) = before {
        let before = Granted {
            user: before.user,
            password: before.secret,
        };
        // It may have been removed there already.
        let _ = give_back(client, &it.url, &before).await;
    }
    say(&format!(
        "Signed in to {name} as `{}`; kept in {}, for its owner only.\n`sharewarden scan --source {name}` reads what \
         this account shares.",
        signed_in.user.escape_debug(),
        credentials.file(name).display(),
    ));
    Ok(())
}

fn refused(error: &ReadError) -> Exit {
    if matches!(
        error,
        ReadError::Service {
            code: ProblemCode::Interrupted,
            ..
        }
    ) {
        return Exit::Interrupted;
    }
    say(&format!("error: signing in failed: {error}"));
    match error {
        ReadError::Service {
            code: ProblemCode::Unreachable | ProblemCode::TlsFailed,
            ..
        } => Exit::Incomplete,
        _ => Exit::NotKept,
    }
}
