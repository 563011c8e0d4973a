//! `enroll`: registers the auditor with a Nextcloud through AppAPI, so that one secret reads every account's shares.
//!
//! The secret is chosen here, lies in the file that the configuration refers to, and reaches `occ` on its standard input:
//! it stands on no command line. Nextcloud's calls during registration are answered here.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use clap::Args;
use secrecy::{ExposeSecret as _, SecretString};
use tokio_util::sync::CancellationToken;

mod occ;
mod secret;

use self::secret::Pending;
use super::sources::{self, Making};
use super::terminal::say;
use super::{Exit, Global, doctor};
use crate::config::{NextcloudAuth, NextcloudSettings, SecretRef, SourceDetails, SourceSettings};
use crate::provider::nextcloud::enrolment::{Call, Listener, Registration};

/// How long Nextcloud is waited for; it tries for ten minutes itself, and a person may have to be called.
const PATIENCE: Duration = Duration::from_mins(30);

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The source to register the auditor with
    #[arg(value_name = "SOURCE")]
    source: String,
    /// Where to answer Nextcloud's calls while it registers
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:23999")]
    listen: SocketAddr,
    /// The name or address under which Nextcloud reaches this [default: the address of --listen]
    #[arg(long, value_name = "NAME", value_parser = host)]
    host: Option<String>,
    /// Choose a new secret, and register anew
    #[arg(long)]
    rotate: bool,
    /// How to run Nextcloud's `occ`, after `--`; without it the commands are shown for somebody else to run
    #[arg(value_name = "OCC", last = true)]
    occ: Vec<String>,
}

/// A host name or address, as `occ` is to be told it.
fn host(text: &str) -> Result<String, String> {
    let fits =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b':' | b'[' | b']');
    if !text.is_empty() && text.bytes().all(fits) {
        Ok(text.to_owned())
    } else {
        Err("this is no host name or address".to_owned())
    }
}

/// What is to be registered, and where.
struct Enrolment<'a> {
    source: &'a SourceSettings,
    settings: &'a NextcloudSettings,
    registration: Registration,
    /// The new secret, until it is in its place.
    pending: Option<Pending>,
    secret: &'a SecretRef,
    host: String,
    port: u16,
    rotate: bool,
    quiet: bool,
}

pub(super) async fn run(global: &Global, arguments: Arguments) -> Result<Exit, Exit> {
    let loaded = global.load()?;
    let chosen = sources::choose(&loaded.settings, std::slice::from_ref(&arguments.source))?;
    let Some(source) = chosen.first() else {
        return Ok(Exit::Done);
    };
    let (settings, app_id, reference) = app_api(source)?;
    let host = reached_at(&arguments)?;
    let chosen = secret::choose(global, reference, arguments.rotate)?;
    let registration = Registration {
        app_id: app_id.to_owned(),
        secret: chosen.secret,
    };
    let listener = Listener::open(arguments.listen, registration.clone())
        .await
        .map_err(|error| {
            sources::wrong(
                &format!("cannot listen at {}: {error}", arguments.listen),
                "name another free port with --listen",
            )
        })?;
    let pending = match chosen.place {
        Some(place) => Some(Pending::write(place, &registration.secret)?),
        None => None,
    };
    let cancel = CancellationToken::new();
    let making = Making::of(global, &loaded.settings, &cancel);
    let watch = sources::interrupts(cancel.clone(), "once more ends at once");
    let enrolment = Enrolment {
        source,
        settings,
        registration,
        pending,
        secret: reference,
        host,
        port: listener.address().port(),
        rotate: arguments.rotate,
        quiet: global.quiet,
    };
    let exit = enrolment.run(&making, listener, &arguments.occ).await;
    watch.abort();
    if cancel.is_cancelled() {
        Err(Exit::Interrupted)
    } else {
        exit
    }
}

impl Enrolment<'_> {
    async fn run(&self, making: &Making<'_>, listener: Listener, occ: &[String]) -> Result<Exit, Exit> {
        // A secret that was chosen now cannot be registered: asking would only count as a wrong one.
        if self.pending.is_none() {
            let name = &self.source.name;
            let reader = making.nextcloud(name, self.settings)?;
            if reader.is_enrolled().await == Some(true) {
                say(&format!(
                    "The auditor is registered with {name} already, with this secret."
                ));
                return self.conclude(making).await;
            }
        }
        let registered = self.register(making, listener, occ).await;
        if registered.is_err() {
            say(&format!(
                "warning: what was registered so far can be used by whoever has the secret it was registered with\n\
                 help: remove it on the server, whatever state it is in:\n{}",
                self.undo()
            ));
        }
        registered?;
        if let Some(pending) = &self.pending {
            pending.keep()?;
        }
        self.conclude(making).await
    }

    /// Registers the auditor, by running the commands or by showing them, while Nextcloud is answered.
    async fn register(
        &self,
        making: &Making<'_>,
        mut listener: Listener,
        occ: &[String],
    ) -> Result<(), Exit> {
        if occ.is_empty() {
            say(&self.instructions());
            self.wait(making, &mut listener).await?;
        } else {
            let commands = self.run_commands(occ);
            tokio::pin!(commands);
            let mut strange = false;
            loop {
                tokio::select! {
                    ended = &mut commands => { ended?; break; }
                    Some(call) = listener.next() => {
                        if call != Call::Stranger || !std::mem::replace(&mut strange, true) {
                            self.told(call);
                        }
                    }
                    () = making.cancel.cancelled() => {
                        say("warning: a command that was begun on the server may go on for ten minutes");
                        return Err(Exit::Interrupted);
                    }
                }
            }
        }
        // What Nextcloud was told last has to arrive there before it is asked.
        tokio::time::sleep(Duration::from_millis(500)).await;
        Ok(())
    }

    /// Waits until Nextcloud says that the auditor is enabled.
    async fn wait(&self, making: &Making<'_>, listener: &mut Listener) -> Result<(), Exit> {
        let mut strange = false;
        let end = tokio::time::sleep(PATIENCE);
        tokio::pin!(end);
        loop {
            tokio::select! {
                () = making.cancel.cancelled() => return Err(Exit::Interrupted),
                () = &mut end => {
                    say("error: Nextcloud did not call in time\nhelp: run the commands shown above within half an hour of \
                         `sharewarden enroll`; Nextcloud must reach the address named there");
                    return Err(Exit::NotKept);
                }
                call = listener.next() => match call {
                    // A call that is not ours may be anybody's, so that it ends nothing.
                    Some(Call::Stranger) if std::mem::replace(&mut strange, true) => {}
                    Some(call) => {
                        self.told(call);
                        if call == Call::Enabled {
                            return Ok(());
                        }
                    }
                    None => return Err(Exit::NotKept),
                }
            }
        }
    }

    /// Runs the commands that register the auditor.
    async fn run_commands(&self, occ: &[String]) -> Result<(), Exit> {
        let app = self.registration.app_id.as_str();
        if self.rotate {
            // There may be nothing to remove.
            occ::run(occ, &["app_api:app:unregister", app, "--force"], None).await?;
            occ::run(occ, &["app_api:daemon:unregister", app], None).await?;
        }
        let ended = |ended: &occ::Ended| match ended.status {
            Some(status) => format!("the command ended with {status}; above it says why"),
            None => "the command was ended by a signal".to_owned(),
        };
        let daemon = occ::run(occ, &self.daemon(), None).await?;
        if !daemon.is_good() {
            return Err(not_registered(&ended(&daemon)));
        }
        let info = self.registration.info(self.port);
        let registered = occ::run(occ, &self.registering(), Some(&info)).await?;
        if registered.is_good() {
            return Ok(());
        }
        Err(not_registered(&if registered.says("already registered") {
            format!(
                "an app with the id `{app}` is registered already: with another secret (run `enroll` with --rotate), or \
                 disabled (`php occ app_api:app:enable {app}` while `sharewarden enroll {}` waits)",
                self.source.name
            )
        } else if registered.says("heartbeat") {
            format!(
                "Nextcloud has to reach {}:{} while it registers; see --listen and --host",
                self.host, self.port
            )
        } else {
            ended(&registered)
        }))
    }

    fn daemon(&self) -> [&str; 7] {
        let app = self.registration.app_id.as_str();
        let url = self.settings.url.as_str().trim_end_matches('/');
        [
            "app_api:daemon:register",
            app,
            app,
            "manual-install",
            "http",
            &self.host,
            url,
        ]
    }

    fn registering(&self) -> [&str; 6] {
        let app = self.registration.app_id.as_str();
        [
            "app_api:app:register",
            app,
            app,
            "--wait-finish",
            "--info-xml",
            "php://stdin",
        ]
    }

    /// The same commands for a person, the secret taken from its file by the shell: without it nothing is registered.
    fn instructions(&self) -> String {
        let app = &self.registration.app_id;
        let occ = "sudo -u www-data php occ";
        let form = Registration {
            app_id: app.clone(),
            secret: SecretString::from("%s".to_owned()),
        };
        let form = form.info(self.port);
        let file = self.pending.as_ref().map(Pending::path).or(self.secret.path());
        let secret = file.map_or_else(
            || "secret=$SECRET".to_owned(),
            |path| format!("secret=$(cat {})", occ::quoted(&path.to_string_lossy())),
        );
        let mut lines = vec![
            "Run these on the server in Nextcloud's folder, as somebody who may read the secret's file, often root; www-data \
             stands for the user that runs Nextcloud:"
                .to_owned(),
            String::new(),
        ];
        if self.rotate {
            lines.push(format!("  {occ} app_api:app:unregister {app} --force"));
            lines.push(format!("  {occ} app_api:daemon:unregister {app}"));
        }
        let daemon: Vec<String> = self.daemon().iter().map(|word| occ::quoted(word)).collect();
        lines.push(format!("  {occ} {}", daemon.join(" ")));
        lines.push(format!(
            "  {secret} && [ -n \"$secret\" ] && printf '{}' \"$secret\" |\n    {occ} {}",
            form.expose_secret().trim_end(),
            self.registering().join(" ")
        ));
        lines.push(String::new());
        lines.push(format!(
            "Or let `enroll` run them: sharewarden enroll {} -- sudo -u www-data php /var/www/nextcloud/occ",
            self.source.name
        ));
        lines.push(format!(
            "On another machine than the server, only so: … -- ssh -R {port}:127.0.0.1:{port} SERVER sudo -u www-data php \
             /var/www/nextcloud/occ",
            port = self.port
        ));
        lines.push("Waiting for Nextcloud…".to_owned());
        lines.join("\n")
    }

    /// Says what Nextcloud called for.
    fn told(&self, call: Call) {
        let words = match call {
            Call::Heartbeat => "  Nextcloud asks whether the auditor is there",
            Call::Init => "  Nextcloud lets it prepare itself, which it need not",
            Call::Enabled => "  Nextcloud says that it is enabled",
            Call::Disabled => "  Nextcloud says that it is disabled",
            Call::Stranger => {
                return say(
                    "warning: an app of this id that has another secret calls here\nhelp: if it was registered just now, \
                     remove it at once, since its secret may be known to others, and begin again",
                );
            }
        };
        if !self.quiet {
            say(words);
        }
    }

    /// The commands that remove the auditor.
    fn undo(&self) -> String {
        let app = &self.registration.app_id;
        format!("  php occ app_api:app:unregister {app} --force\n  php occ app_api:daemon:unregister {app}")
    }

    /// Checks the result, and says what it is worth and how to undo it.
    async fn conclude(&self, making: &Making<'_>) -> Result<Exit, Exit> {
        let exit = doctor::source(making, self.source).await?;
        let place = self
            .secret
            .path()
            .map_or_else(|| self.secret.to_string(), |path| path.display().to_string());
        say(&format!(
            "\nWhat this credential may do\n\
             \x20 It acts as every account of this server, administrators included: it can read, change and delete all files\n\
             \x20 and shares, without a second factor, in the account's own name. Whoever has the secret can do so.\n\
             \x20 sharewarden reads with it. Nextcloud writes a line for each request to data/exapp_impersonation.log.\n\
             \x20 Keep {place} like the administrator's password; the account that scans has to own it.\n\
             \x20 docs/permissions.md says how to fence it in.\n\n\
             How to undo it, as the user that runs Nextcloud\n{}\n\
             \x20 Disabling the app is not enough: WebDAV goes on taking the secret. Then delete {place}.",
            self.undo()
        ));
        Ok(exit)
    }
}

/// What the source's `auth` says, if it is AppAPI.
fn app_api(source: &SourceSettings) -> Result<(&NextcloudSettings, &str, &SecretRef), Exit> {
    let SourceDetails::Nextcloud(settings) = &source.kind else {
        return Err(sources::wrong(
            &format!("the source `{}` is no Nextcloud", source.name),
            "only a Nextcloud knows the auditor as a registered app",
        ));
    };
    let NextcloudAuth::AppApi { app_id, secret, .. } = &settings.auth else {
        return Err(sources::wrong(
            &format!("the source `{}` does not sign in through AppAPI", source.name),
            "write `auth = { method = \"app-api\", app_id = \"sharewarden\", admin = \"admin\", secret = { file = \
             \"/etc/sharewarden/nc-secret\" } }`",
        ));
    };
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    if app_id.is_empty() || !app_id.bytes().all(fits) {
        return Err(sources::wrong(
            &format!("`{}` cannot be an app's id", app_id.escape_debug()),
            "use letters, digits, `_` and `-` in `app_id`",
        ));
    }
    Ok((settings, app_id, secret))
}

/// Under which name Nextcloud reaches the listener.
fn reached_at(arguments: &Arguments) -> Result<String, Exit> {
    let address = arguments.listen.ip();
    if !address.is_loopback() {
        say(
            "warning: Nextcloud will send the secret to this machine without encryption, once\n\
             help: listen on loopback only, and reach it by `ssh -R`, unless the network between is your own",
        );
    }
    match (&arguments.host, address) {
        (Some(host), _) => Ok(host.clone()),
        (None, address) if address.is_unspecified() => Err(sources::wrong(
            "--listen names every address of this machine",
            "say with --host under which one Nextcloud reaches it",
        )),
        (None, IpAddr::V4(address)) => Ok(address.to_string()),
        (None, IpAddr::V6(address)) => Ok(format!("[{address}]")),
    }
}

fn not_registered(why: &str) -> Exit {
    say(&format!("error: the auditor is not registered: {why}"));
    Exit::NotKept
}
