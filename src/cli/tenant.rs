//! Makes what reads a Microsoft 365 tenant from its settings.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::Exit;
use super::sources::{Making, not_set_up, wrong};
use crate::config::{Include, MicrosoftAuth, MicrosoftSettings, SignedIn, variable};
use crate::http::{self, Day, Reserve, Units};
use crate::model::{SourceName, short_digest};
use crate::provider::microsoft365::auth::{Credential, Environment, Keep, TokenSetup};
use crate::provider::microsoft365::{self, Excluded, Microsoft365, Setup, Stated};

/// How long one request may go on being asked: the service asks to wait for minutes, and means it.
const PATIENCE: Duration = Duration::from_mins(40);

impl Making<'_> {
    /// What reads a tenant; nothing is sent yet.
    pub(super) fn microsoft(&self, name: &SourceName, it: &MicrosoftSettings) -> Result<Microsoft365, Exit> {
        self.microsoft_over(self.graph_http(name, it)?, name, it)
    }

    /// What sends mail by a tenant; nothing is sent yet. Mail costs no units, and has limits of its own.
    pub(super) fn mailer(&self, name: &SourceName, it: &MicrosoftSettings) -> Result<Microsoft365, Exit> {
        let http = http::Settings {
            limits: microsoft365::MAIL_LIMITS,
            origin: it.graph_url.clone(),
            ..self.sign_in_http(it)?
        };
        self.microsoft_over(http, name, it)
    }

    fn microsoft_over(
        &self,
        http: http::Settings,
        name: &SourceName,
        it: &MicrosoftSettings,
    ) -> Result<Microsoft365, Exit> {
        let policy = &self.settings.policy;
        let groups_named = policy
            .overrides
            .iter()
            .filter_map(|exception| exception.filter.group.clone())
            .chain([it.exclude.groups.set().clone()])
            .collect();
        let answers = &self.settings.mail.owners;
        let answers = answers.iter().filter(|answer| answer.source == *name);
        let setup = Setup {
            source: name.clone(),
            tenant: it.tenant.clone(),
            url: it.graph_url.clone(),
            include: it.include.iter().map(|what| included(*what)).collect(),
            excluded: Excluded {
                users: it.exclude.users.set().clone(),
                groups: it.exclude.groups.set().clone(),
                sites: it.exclude.sites.set().clone(),
            },
            groups_named,
            answers: answers
                .map(|answer| (answer.site.clone(), answer.address.clone()))
                .collect(),
            stated: Stated {
                link_expiry_days: it.stated.anonymous_link_expiry_days,
                link_types: it.stated.anonymous_link_types.clone(),
            },
            classes: Arc::new(policy.classes.clone()),
            evidence: policy.evidence,
            own_networks: self.settings.own_networks.clone(),
            label_names: self.settings.label_names.clone(),
            stop_after: it.limits.stop_after,
            write_every: microsoft365::WRITE_EVERY,
        };
        let tokens = TokenSetup {
            tenant: it.tenant.clone(),
            client_id: it.client_id.clone(),
            login_url: it.login_url.clone(),
            graph_url: it.graph_url.clone(),
            credential: self.sign_in(name, it)?,
            environment: Environment::of(variable),
            http: self.sign_in_http(it)?,
        };
        let made = Microsoft365::new(setup, tokens, http, self.cancel.clone());
        made.map_err(|error| not_set_up(name, &error))
    }

    /// How Graph is reached, and within which budget.
    fn graph_http(&self, name: &SourceName, it: &MicrosoftSettings) -> Result<http::Settings, Exit> {
        let day = self.day(name, it)?;
        Ok(http::Settings {
            limits: http::Limits {
                requests_per_second: f64::INFINITY,
                in_flight: it.limits.in_flight,
            },
            units: Some(Units {
                per_minute: u32::try_from(it.limits.units_per_minute).unwrap_or(u32::MAX),
                day,
            }),
            patience: http::Patience {
                total: PATIENCE,
                ..http::Patience::default()
            },
            origin: it.graph_url.clone(),
            ..self.sign_in_http(it)?
        })
    }

    /// What the application spent today, whichever process did; nothing is remembered without state.
    fn day(&self, name: &SourceName, it: &MicrosoftSettings) -> Result<Option<Arc<Day>>, Exit> {
        if self.global.no_state {
            return Ok(None);
        }
        let reserve = if self.few { Reserve::Usable } else { Reserve::Kept };
        let path = self.units_file(it);
        let day = Day::open(&path, it.limits.units_per_day, reserve).map_err(|error| {
            wrong(
                &format!("the source `{name}` cannot keep count of its day's resource units: {error}"),
                "let the account that runs sharewarden write there, name another place with [state] path, or scan with \
                 --no-state",
            )
        })?;
        Ok(Some(Arc::new(day)))
    }

    /// Where the day's units of a login, tenant and client are counted.
    fn units_file(&self, it: &MicrosoftSettings) -> PathBuf {
        let client = it.client_id.as_deref().unwrap_or_default();
        let whose = short_digest([it.login_url.as_str(), &it.tenant, client]);
        let folder = self.settings.state.path.parent().unwrap_or_else(|| "".as_ref());
        folder.join("units").join(format!("{whose}.json"))
    }

    fn sign_in(&self, name: &SourceName, it: &MicrosoftSettings) -> Result<Credential, Exit> {
        Ok(match &it.auth {
            MicrosoftAuth::Certificate { pem } => Credential::Certificate {
                pem: self.secret(pem)?,
            },
            MicrosoftAuth::ClientSecret { secret } => Credential::ClientSecret {
                secret: self.secret(secret)?,
            },
            MicrosoftAuth::DeviceCode => {
                let credentials = self.settings.state.credentials();
                let kept = credentials
                    .load(name, &it.grantor())
                    .map_err(|wrong| self.global.wrong(&wrong.into()))?;
                let (source, before) = (name.clone(), kept.clone());
                let keep = move |token: &secrecy::SecretString| {
                    let renewed = SignedIn {
                        secret: token.clone(),
                        ..before.clone()
                    };
                    credentials.renew(&source, &renewed)
                };
                Credential::DeviceCode {
                    refresh_token: kept.secret,
                    keep: Keep::new(keep),
                }
            }
            MicrosoftAuth::ManagedIdentity => Credential::ManagedIdentity,
            MicrosoftAuth::WorkloadIdentity => Credential::WorkloadIdentity,
        })
    }
}

fn included(what: Include) -> microsoft365::Include {
    match what {
        Include::Onedrive => microsoft365::Include::Onedrive,
        Include::Sites => microsoft365::Include::Sites,
    }
}
