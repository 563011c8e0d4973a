//! Finds the accounts to read: all of them, those whose passwords are configured, or those asked for.

use super::{Credential, Nextcloud, people};
use crate::model::{Principal, PrincipalClass, Problem, ProblemCode, Reading, Scope};
use crate::provider::{Collector, ReadError, Sink};

impl Nextcloud {
    pub(super) async fn discover_all(&self, sink: &Sink) -> Result<bool, ReadError> {
        let mut collector = sink.of(None);
        match &self.setup.credential {
            Credential::AppApi { admin, .. } => {
                let mut pages = people::Pages::default();
                let mut administers = false;
                let refused = loop {
                    match pages.next(&self.ocs, admin).await {
                        Ok(None) => break None,
                        Ok(Some(accounts)) => {
                            for account in accounts {
                                let admins = account.groups.iter().any(|group| group == "admin");
                                administers |= admins && account.id.eq_ignore_ascii_case(admin);
                                self.found(account, &mut collector).await?;
                            }
                        }
                        Err(ReadError::Service {
                            code: ProblemCode::Forbidden | ProblemCode::Unauthorized,
                            message,
                        }) => break Some(message),
                        Err(error) => return Err(error),
                    }
                };
                // A subadministrator is told of some accounts only: AppAPI's own list tells of all.
                let (missing, complete) = match people::ids(&self.ocs).await {
                    Ok(ids) => (ids.into_iter().filter(|id| !pages.has(id)).collect(), true),
                    Err(error) if refused.is_some() || error.concerns_source() => return Err(error),
                    // Whose AppAPI has no such list, but whose administrator was told of everybody.
                    Err(ReadError::Service {
                        code: ProblemCode::Forbidden,
                        ..
                    }) if administers => (Vec::new(), true),
                    Err(error) => {
                        self.unconfirmed(error, &mut collector).await?;
                        (Vec::new(), false)
                    }
                };
                if refused.is_some() || !missing.is_empty() {
                    let message = refused.map_or_else(
                        || {
                            format!(
                                "the account `{}` is told the details of some accounts only: make it an administrator",
                                admin.escape_debug()
                            )
                        },
                        |said| {
                            format!(
                                "the account `{}` is not told the details of accounts ({said}); name an administrator \
                                 in `admin`",
                                admin.escape_debug()
                            )
                        },
                    );
                    let problem = Problem::new("*", ProblemCode::PeopleUnreadable, message);
                    collector.push(Reading::Problem(problem)).await?;
                }
                for id in missing {
                    self.found(Principal::new(PrincipalClass::Account, id), &mut collector)
                        .await?;
                }
                collector.flush().await?;
                Ok(complete)
            }
            Credential::Passwords(passwords) => {
                self.discover_own(passwords.keys(), &mut collector).await?;
                collector.flush().await?;
                Ok(false)
            }
        }
    }

    /// Tells that nothing confirms the list of accounts: nobody who is not on it may be called gone.
    async fn unconfirmed(&self, error: ReadError, collector: &mut Collector<'_>) -> Result<(), ReadError> {
        let ReadError::Service { code, message } = error else {
            return Err(error);
        };
        let code = match code {
            // This server's AppAPI has no such list.
            ProblemCode::Forbidden => ProblemCode::PeopleUnreadable,
            other => other,
        };
        let words = format!(
            "AppAPI's own list of accounts could not be read, so that some may be missing: {message}"
        );
        Ok(collector
            .push(Reading::Problem(Problem::new("*", code, words)))
            .await?)
    }

    /// The accounts whose own passwords are configured.
    async fn discover_own(
        &self,
        names: impl Iterator<Item = &String>,
        collector: &mut Collector<'_>,
    ) -> Result<(), ReadError> {
        let problem = Problem::new(
            "*",
            ProblemCode::PeopleUnreadable,
            "an app password reads its own account only; who of the others is disabled, left or never signed in is not \
             told",
        );
        collector.push(Reading::Problem(problem)).await?;
        for name in names {
            let unknown = Principal::new(PrincipalClass::Account, name);
            let account = if self.refused().contains(name) {
                unknown
            } else {
                match people::own_details(&self.ocs, name).await {
                    Ok(account) => account,
                    Err(
                        refusal @ ReadError::Service {
                            code: ProblemCode::Unauthorized,
                            ..
                        },
                    ) => {
                        self.give_up(name, refusal)?;
                        unknown
                    }
                    Err(error) if error.concerns_source() => return Err(error),
                    // Reading it will tell why.
                    Err(_) => unknown,
                }
            };
            self.found(account, collector).await?;
        }
        Ok(())
    }

    pub(super) async fn discover_some(&self, users: &[String], sink: &Sink) -> Result<bool, ReadError> {
        let mut collector = sink.of(None);
        for user in users {
            let mut accounts = Vec::new();
            match &self.setup.credential {
                Credential::AppApi { admin, .. } => match people::details(&self.ocs, admin, user).await {
                    Ok(Some(account)) => accounts.push(account),
                    Ok(None) if user.contains('@') => {
                        accounts = people::with_address(&self.ocs, admin, user).await?;
                    }
                    Ok(None) => {}
                    Err(error) => return Err(error),
                },
                Credential::Passwords(passwords) => {
                    // An account's own password, where there is one: each of the others is a request, and a risk.
                    let only = passwords.contains_key(user).then_some(user);
                    for name in passwords
                        .keys()
                        .filter(|name| only.is_none_or(|only| only == *name))
                    {
                        if self.refused().contains(name) {
                            continue;
                        }
                        let account = match people::own_details(&self.ocs, name).await {
                            Err(
                                refusal @ ReadError::Service {
                                    code: ProblemCode::Unauthorized,
                                    ..
                                },
                            ) => {
                                self.give_up(name, refusal)?;
                                continue;
                            }
                            account => account?,
                        };
                        let address = account.email.as_deref();
                        if account.id == *user
                            || address.is_some_and(|email| email.eq_ignore_ascii_case(user))
                        {
                            accounts.push(account);
                        }
                    }
                }
            }
            if accounts.is_empty() && self.refused().contains(user) {
                // Reading it will tell why.
                accounts.push(Principal::new(PrincipalClass::Account, user));
            }
            if accounts.is_empty() {
                let message = match &self.setup.credential {
                    Credential::AppApi { .. } => "no account has this id or mail address on this server",
                    Credential::Passwords(_) => {
                        "no password is configured for an account with this id or address"
                    }
                };
                let problem = Problem::new(user, ProblemCode::UserNotFound, message);
                collector.push(Reading::Problem(problem)).await?;
            }
            for account in accounts {
                self.found(account, &mut collector).await?;
            }
        }
        collector.flush().await?;
        Ok(false)
    }

    pub(super) async fn found(
        &self,
        account: Principal,
        collector: &mut Collector<'_>,
    ) -> Result<(), ReadError> {
        if account.active == Some(false) {
            self.disabled().insert(account.id.clone());
        }
        let scope = Scope {
            id: account.id.clone(),
            account: Some(account.clone()),
        };
        collector.push(Reading::Principal(account)).await?;
        collector.push(Reading::Scope(scope)).await?;
        Ok(())
    }
}
