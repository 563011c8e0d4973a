//! What concerns the server as a whole: the credential, its settings, its own counts, its tags.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::Value;

use super::labels::KnownTags;
use super::ocs::{NO_INTERFACE, Ocs};
use super::{Credential, Nextcloud, REFUSALS, nodes, settings};
use crate::model::{Fact, Problem, ProblemCode, Reading, ShareKind};
use crate::provider::{Opened, ReadError, Sink};

/// What is said of a registration that an administrator disabled.
pub(super) const DISABLED_APP: &str = "the auditor's registration is disabled in AppAPI";

impl Nextcloud {
    pub(super) async fn open_source(&self) -> Result<Opened, ReadError> {
        if matches!(self.setup.credential, Credential::AppApi { .. }) {
            self.check_app().await?;
        }
        let (data, date) = self.capabilities().await?;
        if settings::sharing_is_off(&data) {
            return Err(ReadError::service(
                ProblemCode::SharingDisabled,
                "sharing is switched off on this server: it lists no shares, those that exist included",
            ));
        }
        let mut facts = settings::facts(&data);
        if self.setup.disabled_links_dead {
            facts.set(Fact::DisabledAccountsLinksDead, true);
        }
        Ok(Opened { facts, date })
    }

    /// Whether links die with their account, as an administrator may ask; `None` where the answer is none.
    pub(super) async fn links_die(&self, admin: &str) -> Result<Option<bool>, ReadError> {
        let app = [
            "apps",
            "provisioning_api",
            "api",
            "v1",
            "config",
            "apps",
            "files_sharing",
        ];
        let path = [app.as_slice(), &["hide_disabled_user_shares"]].concat();
        let data: Value = self
            .ocs
            .data(&self.ocs.signed(self.ocs.ocs(&path, &[])?, admin)?)
            .await?;
        Ok(data
            .get("data")
            .and_then(Value::as_str)
            .map(|value| value == "yes"))
    }

    /// What the server says of itself to somebody who is signed in, and what time it has.
    pub(super) async fn capabilities(&self) -> Result<(Value, Option<Timestamp>), ReadError> {
        loop {
            let account = self.anybody();
            let request = self.ocs.ocs(&["cloud", "capabilities"], &[])?;
            match self.ocs.dated::<Value>(&self.ocs.signed(request, account)?).await {
                Err(
                    refusal @ ReadError::Service {
                        code: ProblemCode::Unauthorized,
                        ..
                    },
                ) => self.give_up(account, refusal)?,
                data => return data,
            }
        }
    }

    /// Remembers that an account's own password was refused; the error where no other may be tried.
    pub(super) fn give_up(&self, account: &str, refusal: ReadError) -> Result<(), ReadError> {
        let Credential::Passwords(passwords) = &self.setup.credential else {
            return Err(refusal);
        };
        self.refused().insert(account.to_owned());
        if self.risks_no_more() || self.refused().len() >= passwords.len() {
            Err(refusal)
        } else {
            Ok(())
        }
    }

    /// Whether so many passwords were refused that no other may be tried.
    pub(super) fn risks_no_more(&self) -> bool {
        self.refused().len() >= REFUSALS
    }

    /// Asks whether the registration is good: one request, since wrong secrets are counted.
    pub(super) async fn check_app(&self) -> Result<(), ReadError> {
        let request = self.ocs.ocs(&["apps", "app_api", "ex-app", "state"], &[])?;
        let state: Value = self.ocs.data(&self.ocs.signed(request, "")?).await.map_err(|error| match error {
            ReadError::Service { code: ProblemCode::Unauthorized, .. } => ReadError::service(
                ProblemCode::Unauthorized,
                "the server does not accept the AppAPI secret; check `app_id` and `secret` of this source against what \
                 was registered (`occ app_api:app:list` names the registered apps)",
            ),
            ReadError::Service { code: ProblemCode::Forbidden, message } if message.contains(NO_INTERFACE) => {
                ReadError::service(
                    ProblemCode::Forbidden,
                    format!("{message}; AppAPI seems not to be enabled (`occ app:enable app_api`)"),
                )
            }
            other => other,
        })?;
        let enabled =
            state.as_i64() == Some(1) || state.as_bool() == Some(true) || state.as_str() == Some("1");
        if enabled {
            return Ok(());
        }
        Err(ReadError::service(
            ProblemCode::Forbidden,
            format!("{DISABLED_APP}; enable it with `occ app_api:app:enable`"),
        ))
    }

    /// Whether the auditor is registered with this secret, and enabled; `None` where that cannot be asked.
    pub async fn is_enrolled(&self) -> Option<bool> {
        match self.check_app().await {
            Ok(()) => Some(true),
            Err(ReadError::Service {
                code: ProblemCode::Unauthorized | ProblemCode::Forbidden,
                ..
            }) => Some(false),
            Err(_) => None,
        }
    }

    pub(super) async fn control_totals(&self) -> Result<Option<BTreeMap<ShareKind, u64>>, ReadError> {
        Ok(self.statistics().await?.as_ref().and_then(settings::counts))
    }

    /// The server's own statistics; `None` where this credential cannot ask.
    pub(super) async fn statistics(&self) -> Result<Option<Value>, ReadError> {
        let request = self.ocs.ocs(&["apps", "serverinfo", "api", "v1", "info"], &[])?;
        let request = match (&self.setup.statistics_token, self.admin()) {
            (Some(token), _) => Ocs::with_token(request, token)?,
            (None, Some(admin)) => self.ocs.signed(request, admin)?,
            (None, None) => return Ok(None),
        };
        self.ocs.data(&request).await.map(Some)
    }

    /// The configured tags that the server has; those that it lacks or hides are told once.
    pub(super) async fn known_tags(&self, sink: &Sink) -> Result<&KnownTags, ReadError> {
        self.tags
            .get_or_try_init(|| async {
                let mut tags = nodes::tags(&self.ocs, self.anybody()).await?;
                tags.retain(|tag| self.setup.classes.tags().any(|name| name == tag.name));
                let missing: Vec<_> =
                    self.setup.classes.tags().filter(|name| tags.iter().all(|tag| tag.name != *name)).collect();
                let hidden: Vec<_> = tags.iter().filter(|tag| tag.hidden).map(|tag| tag.name.as_str()).collect();
                let mut collector = sink.of(None);
                if !missing.is_empty() {
                    let words = format!("the server has no tag {}, or hides it from this account", list(&missing));
                    collector.push(Reading::Problem(Problem::new("*", ProblemCode::TagUnknown, words))).await?;
                }
                if !hidden.is_empty() {
                    let words = format!(
                        "the tag {} is visible to administrators only, and the server tells nobody else which files \
                         carry it; make it visible, or classify by path",
                        list(&hidden)
                    );
                    collector.push(Reading::Problem(Problem::new("*", ProblemCode::TagHidden, words))).await?;
                }
                collector.flush().await?;
                // Without an administrator, a tag that is missing may be one that is hidden.
                let more = !hidden.is_empty() || (!missing.is_empty() && self.admin().is_none());
                tags.retain(|tag| !tag.hidden);
                Ok::<_, ReadError>(KnownTags { tags, more })
            })
            .await
    }
}

/// Names for people, quoted.
fn list(names: &[&str]) -> String {
    names
        .iter()
        .map(|name| format!("`{}`", name.escape_debug()))
        .collect::<Vec<_>>()
        .join(", ")
}
