//! One person signs in to a Microsoft 365 tenant with a device code.

use super::super::sources::{self, Making};
use super::super::terminal::say;
use super::super::{Exit, unwritten};
use super::{refused, try_to_keep};
use crate::config::{MicrosoftAuth, MicrosoftSettings, SignedIn};
use crate::http::Client;
use crate::model::SourceName;
use crate::provider::microsoft365::auth::Registration;
use crate::provider::microsoft365::auth::device::{Flow, Granted};

/// Shows the code, waits until it was entered, and keeps what was granted.
pub(super) async fn login(
    making: &Making<'_>,
    name: &SourceName,
    it: &MicrosoftSettings,
) -> Result<(), Exit> {
    let (MicrosoftAuth::DeviceCode, Some(client_id)) = (&it.auth, &it.client_id) else {
        return Err(sources::wrong(
            &format!("the source `{name}` does not sign in with what `login` obtains"),
            "write `auth = { method = \"device-code\" }` for a source that one person reads on demand",
        ));
    };
    try_to_keep(making, name)?;
    let registration = Registration {
        tenant: it.tenant.clone(),
        client_id: client_id.clone(),
        login_url: it.login_url.clone(),
        graph_url: it.graph_url.clone(),
    };
    let client = Client::new(making.sign_in_http(it)?, making.cancel.clone())
        .map_err(|error| sources::not_set_up(name, &error))?;
    let flow = Flow::begin(client, &registration)
        .await
        .map_err(|error| refused(&error))?;
    let watch = sources::interrupts(making.cancel.clone(), "nothing is kept");
    say(&format!(
        "Open this page in a browser, enter the code, sign in, and consent to what is asked:\n\n  {}\n  code: {}\n\nIt \
         can be entered for {} minutes.",
        flow.page(),
        flow.code(),
        flow.lasts().as_secs().div_ceil(60),
    ));
    let granted = flow.wait(making.cancel).await;
    watch.abort();
    keep(making, name, it, granted.map_err(|error| refused(&error))?)
}

fn keep(
    making: &Making<'_>,
    name: &SourceName,
    it: &MicrosoftSettings,
    granted: Granted,
) -> Result<(), Exit> {
    let credentials = making.settings.state.credentials();
    let signed_in = SignedIn {
        grantor: it.grantor(),
        user: granted.user.unwrap_or_default(),
        secret: granted.refresh_token,
    };
    if let Err(error) = credentials.keep(name, &signed_in) {
        let exit = unwritten(&error);
        say("help: sign in again when that is put right");
        return Err(exit);
    }
    let person = match signed_in.user.as_str() {
        "" => String::new(),
        user => format!(" as `{}`", user.escape_debug()),
    };
    say(&format!(
        "Signed in to {name}{person}; kept in {}, for its owner only.\n`sharewarden scan --source {name}` reads what \
         this account shares.",
        credentials.file(name).display(),
    ));
    Ok(())
}
