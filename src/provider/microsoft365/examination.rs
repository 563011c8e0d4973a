//! Finds out, with as few requests as that takes, whether a tenant can be read and which rights are missing.
//!
//! A token tells the rights it was given, so that what is missing is known before it is missed; the service has the last
//! word. The rights and what each is for stand in `docs/permissions.md`.

use std::collections::BTreeSet;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use jiff::Timestamp;
use url::Url;

use super::graph::Kind;
use super::{Include, Microsoft365, audit, errors};
use crate::http::{Answer, StatusCode};
use crate::model::{Check, ProblemCode, Standing};
use crate::provider::checks::{NOTHING, failed, time};
use crate::provider::{Access, Clock, Examination, ReadError};

/// A right, others that hold it, what it is for, and what its lack costs.
struct Right {
    name: &'static str,
    held_by: &'static [&'static str],
    costs: &'static str,
    needed: Standing,
}

const SITES: &[&str] = &[
    "Sites.Read.All",
    "Sites.ReadWrite.All",
    "Sites.FullControl.All",
    "Sites.Manage.All",
];

/// The rights of a scan, the most needed first.
const RIGHTS: [Right; 5] = [
    Right {
        name: "Sites.Read.All",
        held_by: SITES,
        costs: "sites cannot be listed: libraries, and the OneDrives of people who left, are not seen",
        needed: Standing::Failed,
    },
    Right {
        name: "Files.Read.All",
        held_by: &["Files.Read.All", "Files.ReadWrite.All"],
        costs: "Microsoft documents it for items, permissions and labels; with the rights on sites alone some may be refused",
        needed: Standing::Limited,
    },
    Right {
        name: "User.Read.All",
        held_by: &[
            "User.Read.All",
            "User.ReadWrite.All",
            "Directory.Read.All",
            "Directory.ReadWrite.All",
        ],
        costs: "who is a guest, disabled or gone, and who somebody's manager is, is not told",
        needed: Standing::Limited,
    },
    Right {
        name: "GroupMember.Read.All",
        held_by: &[
            "GroupMember.Read.All",
            "GroupMember.ReadWrite.All",
            "Group.Read.All",
            "Group.ReadWrite.All",
            "Directory.Read.All",
            "Directory.ReadWrite.All",
        ],
        costs: "how large groups are, whether outsiders are in them, and who owns team sites is not told",
        needed: Standing::Limited,
    },
    Right {
        name: "SharePointTenantSettings.Read.All",
        held_by: &[
            "SharePointTenantSettings.Read.All",
            "SharePointTenantSettings.ReadWrite.All",
        ],
        costs: "the tenant's settings of sharing are not judged",
        needed: Standing::Limited,
    },
];

impl Access for Microsoft365 {
    fn examine<'a>(&'a self, clock: Clock<'a>) -> BoxFuture<'a, Examination> {
        async move {
            let mut found = Examination::default();
            self.look(clock, &mut found.checks).await;
            found
        }
        .boxed()
    }
}

impl Microsoft365 {
    async fn look(&self, clock: Clock<'_>, checks: &mut Vec<Check>) {
        let bearer = match self.graph.tokens.bearer().await {
            Ok(bearer) => bearer,
            Err(error) => {
                checks.push(refused_sign_in(&error));
                return;
            }
        };
        let whom = if self.delegated {
            "the person who signed in"
        } else {
            "the application"
        };
        checks.push(Check::good(
            "credential",
            format!("the tenant gives tokens to {whom}"),
        ));
        let rights = bearer.rights();
        if !self.delegated {
            checks.extend(rights_checks(
                rights.as_ref().map(|rights| &rights.granted),
                self.setup.evidence,
            ));
        }
        let first = if self.delegated {
            self.graph.url(&["me", "drive"], &[("$select", "id")])
        } else {
            self.graph.url(&["users"], &[("$select", "id"), ("$top", "1")])
        };
        let Some((answer, asked_at)) = self.ask("network", first, clock, checks).await else {
            return;
        };
        checks.push(Check::good(
            "network",
            "Microsoft Graph answers over a connection that is trusted",
        ));
        checks.push(time(&answer, asked_at));
        if self.delegated {
            checks.push(self.tried("own OneDrive", &answer, NOTHING, Standing::Failed));
            return;
        }
        let people = "who is a guest, disabled or gone is not told";
        checks.push(self.tried("people", &answer, people, Standing::Limited));
        let sites = self
            .graph
            .url(&["sites", "getAllSites"], &[("$select", "id"), ("$top", "1")]);
        if let Some((answer, _)) = self.ask("sites", sites, clock, checks).await {
            let costs = "libraries, and the OneDrives of people who left, are not seen";
            let needed = if self.setup.include.contains(&Include::Sites) {
                Standing::Failed
            } else {
                Standing::Limited
            };
            checks.push(self.tried("sites", &answer, costs, needed));
        }
        let settings = self.graph.url(&["admin", "sharepoint", "settings"], &[]);
        if let Some((answer, _)) = self.ask("settings", settings, clock, checks).await {
            let costs = "the tenant's settings of sharing are not judged";
            checks.push(self.tried("settings", &answer, costs, Standing::Limited));
        }
        checks.push(self.stated());
    }

    /// Asks one thing; that it could not be asked is told.
    async fn ask(
        &self,
        about: &'static str,
        url: Result<Url, ReadError>,
        clock: Clock<'_>,
        checks: &mut Vec<Check>,
    ) -> Option<(Answer, Timestamp)> {
        let asked = async {
            let url = url?;
            let before = clock();
            let answer = self.graph.get(&url, Kind::One).await?;
            let half = clock().duration_since(before) / 2;
            Ok::<_, ReadError>((answer, before.checked_add(half).unwrap_or(before)))
        };
        match asked.await {
            Ok(answered) => Some(answered),
            Err(error) => {
                checks.push(
                    failed(about, &error)
                        .costs(NOTHING)
                        .step("check `graph_url` and `cloud`, the name server, the firewall and `proxy`"),
                );
                None
            }
        }
    }

    /// How one request fared that stands for others.
    fn tried(&self, about: &'static str, answer: &Answer, costs: &str, needed: Standing) -> Check {
        if answer.status == StatusCode::OK && answer.is_json() {
            return Check::good(about, "can be read");
        }
        let error = errors::refusal(about, answer.status, &answer.body);
        let check = Check::new(about, needed, error.to_string()).costs(costs);
        if errors::has_code(&error, ProblemCode::Unauthorized) {
            return check.step("check that `tenant`, `client_id` and `cloud` belong together");
        }
        let whose = self.setup.tenant.escape_debug();
        check.step(format!(
            "grant what is missing above, and consent to it as an administrator of {whose}; it takes a few minutes to work"
        ))
    }

    /// What the operator states where Graph does not tell.
    fn stated(&self) -> Check {
        let stated = &self.setup.stated;
        if stated.link_expiry_days.is_some() && stated.link_types.is_some() {
            return Check::good(
                "stated",
                "after how many days links end, and which types may be made, is stated",
            );
        }
        Check::new(
            "stated",
            Standing::Limited,
            "after how many days anonymous links end, or which types may be made, is not told by Graph, and not stated",
        )
        .costs("whether the tenant ends links by itself is not judged")
        .step("look in the SharePoint admin center, Policies, Sharing, and state it under [source.stated]")
    }
}

fn refused_sign_in(error: &ReadError) -> Check {
    let unreachable = errors::has_code(error, ProblemCode::Unreachable);
    let check = failed(if unreachable { "network" } else { "credential" }, error).costs(NOTHING);
    match error {
        ReadError::Service {
            code: ProblemCode::TlsFailed,
            ..
        } => check
            .step("if a private authority signed the server's certificate, name its PEM file as `ca_file`"),
        _ if unreachable => {
            check.step("check `login_url` and `cloud`, the name server, the firewall and `proxy`")
        }
        _ => check,
    }
}

/// Which rights are granted and which are missing, as the token tells.
fn rights_checks(granted: Option<&BTreeSet<String>>, evidence: bool) -> Vec<Check> {
    let Some(granted) = granted else {
        return vec![Check::new(
            "rights",
            Standing::Skipped,
            "the token does not tell which rights it was given",
        )];
    };
    let holds = |names: &[&str]| names.iter().any(|name| granted.contains(*name));
    let mut checks: Vec<Check> = RIGHTS
        .iter()
        .filter(|right| !holds(right.held_by))
        .map(|right| {
            Check::new("rights", right.needed, format!("{} is not granted", right.name))
                .costs(right.costs)
                .step(format!(
                    "add the application permission {} in the app's registration, and grant admin consent",
                    right.name
                ))
        })
        .collect();
    if evidence {
        let missing = audit::RIGHTS.iter().filter(|names| !holds(names));
        checks.extend(missing.filter_map(|names| names.first()).map(|name| {
            Check::new("rights", Standing::Limited, format!("{name} is not granted"))
                .costs("whether open links to classified items were used is not told, or not of all of them")
                .step(format!(
                    "add the application permission {name} in the app's registration, and grant admin consent; or leave \
                     `evidence` out of [policy]"
                ))
        }));
    }
    if checks.is_empty() {
        checks.push(Check::good("rights", "all rights of a scan are granted"));
    }
    let writing: Vec<&str> = granted
        .iter()
        .map(String::as_str)
        .filter(|name| changes(name))
        .collect();
    if !writing.is_empty() {
        let words = format!("more is granted than a scan needs: {}", writing.join(", "));
        checks.push(
            Check::new("rights", Standing::Limited, words)
                .costs("whoever takes this credential can change or send, and not only read")
                .step("register another application for changes (`enforce_auth`) and for mail, and take these away"),
        );
    }
    checks
}

/// Whether a right lets an application change or send something.
fn changes(name: &str) -> bool {
    let name = name.to_lowercase();
    ["write", "send", "manage"].iter().any(|part| name.contains(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_told_with_what_it_costs() {
        let checks = |granted: &[&str]| {
            let granted = granted.iter().map(|name| (*name).to_owned()).collect();
            rights_checks(Some(&granted), false)
                .into_iter()
                .map(|check| (check.standing, check.found))
                .collect::<Vec<_>>()
        };
        let all = [
            "Sites.Read.All",
            "Files.Read.All",
            "User.Read.All",
            "GroupMember.Read.All",
            "SharePointTenantSettings.Read.All",
        ];
        assert_eq!(
            checks(&all),
            [(Standing::Good, "all rights of a scan are granted".to_owned())]
        );
        assert_eq!(
            checks(&["Sites.FullControl.All", "Files.Read.All", "Directory.Read.All"]),
            [(
                Standing::Limited,
                "SharePointTenantSettings.Read.All is not granted".to_owned()
            )]
        );
        let with_evidence = |more: &[&str]| {
            let granted = all.iter().chain(more).map(|name| (*name).to_owned()).collect();
            let checks = rights_checks(Some(&granted), true).into_iter();
            checks.map(|check| check.found).collect::<Vec<_>>()
        };
        assert_eq!(
            with_evidence(&["AuditLogsQuery-OneDrive.Read.All"]),
            ["AuditLogsQuery-SharePoint.Read.All is not granted"]
        );
        assert_eq!(
            with_evidence(&["AuditLogsQuery.Read.All"]),
            ["all rights of a scan are granted"]
        );
        assert_eq!(checks(&[]).len(), RIGHTS.len());
        assert_eq!(checks(&[])[0].0, Standing::Failed);
        let mut more = all.to_vec();
        more.push("Mail.Send");
        assert!(checks(&more)[1].1.contains("Mail.Send"));
    }
}
