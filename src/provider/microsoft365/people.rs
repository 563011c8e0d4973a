//! People and groups of the directory: who exists, who is a guest, who can sign in, who is in a group.
//!
//! <https://learn.microsoft.com/en-us/graph/api/user-list?view=graph-rest-1.0> and, for single people,
//! <https://learn.microsoft.com/en-us/graph/api/user-list-manager?view=graph-rest-1.0> with the application right
//! `User.Read.All`; groups with `GroupMember.Read.All`. A person is called by the user principal name, in lower case, as
//! SharePoint's claims do; Graph's own ids are translated.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

use futures::TryStreamExt as _;
use serde::Deserialize;

use super::batch::{self, Inner, InnerAnswer};
use super::graph::{Identified, Kind, segment};
use super::permission::claim::is_guest_name;
use super::wire::{self, Told};
use super::{Microsoft365, errors};
use crate::http::StatusCode;
use crate::model::{Principal, PrincipalClass, Problem, ProblemCode, Reading};
use crate::provider::{Collector, ReadError, Sink};

/// What is asked of a person.
const FIELDS: &str = "id,userPrincipalName,displayName,mail,accountEnabled,userType,preferredLanguage";

/// The people that were told: their names by the ids that Graph gives them, and the groups that matter here.
#[derive(Debug, Default)]
pub(super) struct Directory(RwLock<Known>);

#[derive(Debug, Default)]
struct Known {
    names: HashMap<String, Box<str>>,
    groups: HashMap<Box<str>, Vec<String>>,
}

impl Directory {
    pub(super) fn learn(&self, id: &str, person: &Principal) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        known.names.insert(id.to_lowercase(), person.id.as_str().into());
        if !person.groups.is_empty() {
            known
                .groups
                .insert(person.id.as_str().into(), person.groups.clone());
        }
    }

    /// The user principal name of the person with an id, in lower case.
    pub(super) fn name_of(&self, id: &str) -> Option<String> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        known.names.get(&id.to_lowercase()).map(ToString::to_string)
    }

    /// The groups of a person that the configuration names.
    pub(super) fn groups_of(&self, name: &str) -> Vec<String> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        known.groups.get(name).cloned().unwrap_or_default()
    }

    /// Everybody but guests, by name.
    pub(super) fn insiders(&self) -> Vec<Principal> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let names = known.names.values().filter(|name| !is_guest_name(name));
        let mut people: Vec<_> = names
            .map(|name| Principal::new(PrincipalClass::Account, name.as_ref()))
            .collect();
        people.sort_by(|one, other| one.id.cmp(&other.id));
        people
    }
}

/// A person as Graph writes it.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[expect(clippy::struct_field_names, reason = "the names are Graph's")]
pub(super) struct User {
    pub(super) id: Option<String>,
    user_principal_name: Option<String>,
    display_name: Option<String>,
    mail: Option<String>,
    account_enabled: Option<bool>,
    user_type: Option<String>,
    preferred_language: Option<String>,
}

impl User {
    /// The person; `None` where the service gives no name to call it by.
    fn principal(self, people: &Directory, groups: &HashMap<String, Vec<String>>) -> Option<Principal> {
        let name = wire::id_of(self.user_principal_name)?.to_lowercase();
        let groups_of = self.id.as_ref().and_then(|id| groups.get(&id.to_lowercase()));
        let guest = match self.user_type.as_deref() {
            Some(kind) if kind.eq_ignore_ascii_case("guest") => Some(true),
            Some(kind) if kind.eq_ignore_ascii_case("member") => Some(false),
            _ => is_guest_name(&name).then_some(true),
        };
        let person = Principal {
            email: self.mail.filter(|mail| !mail.is_empty()).map(wire::cut),
            guest,
            active: self.account_enabled,
            groups: groups_of.cloned().unwrap_or_default(),
            language: self
                .preferred_language
                .filter(|tag| !tag.is_empty())
                .map(wire::cut),
            ..Principal::new(PrincipalClass::Account, name).named(self.display_name.map(wire::cut))
        };
        if let Some(id) = wire::id_of(self.id) {
            people.learn(&id, &person);
        }
        Some(person)
    }
}

impl Identified for User {
    fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }
}

impl Microsoft365 {
    /// Lists all people; whether the list is complete.
    pub(super) async fn list_people(&self, collector: &mut Collector<'_>) -> Result<bool, ReadError> {
        let groups = self.groups_of_people(collector).await?;
        let url = self
            .graph
            .url(&["users"], &[("$select", FIELDS), ("$top", "999")])?;
        let mut pages = std::pin::pin!(self.graph.pages::<User>(url, Kind::Directory));
        let mut nameless = 0_u64;
        loop {
            match pages.try_next().await {
                Ok(Some(page)) => {
                    for told in page.elements {
                        let person = match told {
                            Told::Whole(user) | Told::Partly(user, _) => {
                                user.principal(&self.people, &groups)
                            }
                            Told::Unread => None,
                        };
                        match person {
                            Some(person) => collector.push(Reading::Principal(person)).await?,
                            None => nameless += 1,
                        }
                    }
                }
                Ok(None) => break,
                Err(error) => {
                    let problem = match &error {
                        ReadError::Service {
                            code: ProblemCode::Forbidden,
                            message,
                        } => Problem::new(
                            "*",
                            ProblemCode::PeopleUnreadable,
                            format!(
                                "who is a guest, disabled or gone is not told: {message}; grant the application \
                                 User.Read.All"
                            ),
                        ),
                        _ => errors::broken_list("people", &error)?,
                    };
                    collector.push(Reading::Problem(problem)).await?;
                    return Ok(false);
                }
            }
        }
        if nameless > 0 {
            let words = format!("{nameless} entries of the list of people could not be read");
            let problem = Problem::new("*", ProblemCode::Malformed, words);
            collector.push(Reading::Problem(problem)).await?;
        }
        Ok(nameless == 0)
    }

    /// The people whom a name or mail address means.
    pub(super) async fn find_people(&self, user: &str) -> Result<Vec<Principal>, ReadError> {
        let none = HashMap::new();
        let url = self.graph.url(&["users", user], &[("$select", FIELDS)])?;
        match self.graph.object::<User>(url, Kind::Directory).await {
            Ok(found) => return Ok(found.principal(&self.people, &none).into_iter().collect()),
            Err(error) if errors::is_missing(&error) => {}
            Err(error) => return Err(error),
        }
        if !user.contains('@') {
            return Ok(Vec::new());
        }
        let filter = format!("mail eq '{}'", user.replace('\'', "''"));
        let url = self
            .graph
            .url(&["users"], &[("$filter", &filter), ("$select", FIELDS)])?;
        let mut found = Vec::new();
        let mut pages = std::pin::pin!(self.graph.pages::<User>(url, Kind::Directory));
        while let Some(page) = pages.try_next().await? {
            for told in page.elements {
                if let Told::Whole(user) | Told::Partly(user, _) = told {
                    found.extend(user.principal(&self.people, &none));
                }
            }
        }
        Ok(found)
    }

    /// The directory's own id of the person who is called so; nobody else who merely has the address.
    pub(super) async fn object_id_of(&self, name: &str) -> Result<Option<String>, ReadError> {
        let url = self.graph.url(&["users", name], &[("$select", FIELDS)])?;
        match self.graph.object::<User>(url, Kind::Directory).await {
            Ok(found) => {
                let called = [&found.user_principal_name, &found.id].into_iter().flatten();
                let is_called = called.into_iter().any(|own| own.eq_ignore_ascii_case(name));
                Ok(found.id.filter(|_| is_called))
            }
            Err(error) if errors::is_missing(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The person who signed in.
    pub(super) async fn own_person(&self) -> Result<Principal, ReadError> {
        let url = self.graph.url(&["me"], &[("$select", FIELDS)])?;
        let told = self.graph.object::<User>(url, Kind::Directory).await?;
        told.principal(&self.people, &HashMap::new()).ok_or_else(|| {
            ReadError::service(
                ProblemCode::Malformed,
                "the service does not tell who the person that signed in is",
            )
        })
    }

    /// Asks for people and groups that shares name.
    pub(super) async fn look_up_some(
        &self,
        class: PrincipalClass,
        ids: &[String],
        sink: &Sink,
    ) -> Result<(), ReadError> {
        let mut collector = sink.of(None);
        if class == PrincipalClass::Group {
            self.tell_groups(ids, &mut collector).await?;
        } else {
            for some in ids.chunks(20) {
                self.tell_people(some, &mut collector).await?;
            }
        }
        Ok(collector.flush().await?)
    }

    /// Asks who the managers of people are: of those few for whom it matters, since a list with managers has a hundred people
    /// a page at most.
    pub(super) async fn tell_managers(&self, accounts: Vec<Principal>, sink: &Sink) -> Result<(), ReadError> {
        let mut collector = sink.of(None);
        for some in accounts.chunks(batch::MOST) {
            let ask = |account: &Principal| {
                let of = segment(&account.id);
                Inner::get(
                    format!("/users/{of}/manager?$select=id,userPrincipalName"),
                    Kind::Directory,
                )
            };
            let answers = self.graph.batch(some.iter().map(ask).collect()).await?;
            for (account, answer) in some.iter().zip(answers) {
                match manager(answer) {
                    Ok(manager) => {
                        let told = Principal {
                            manager: Some(manager.unwrap_or_default()),
                            ..account.clone()
                        };
                        collector.push(Reading::Principal(told)).await?;
                    }
                    Err(error) => {
                        collector.flush().await?;
                        return Err(error);
                    }
                }
            }
        }
        Ok(collector.flush().await?)
    }

    async fn tell_people(&self, names: &[String], collector: &mut Collector<'_>) -> Result<(), ReadError> {
        let ask = |name: &String| {
            Inner::get(
                format!("/users/{}?$select={FIELDS}", segment(name)),
                Kind::Directory,
            )
        };
        let answers = self.graph.batch(names.iter().map(ask).collect()).await?;
        for (name, answer) in names.iter().zip(answers) {
            let answer = answer?;
            let person = match answer.status {
                StatusCode::OK => match wire::salvage::<User>(answer.text()) {
                    Told::Whole(user) | Told::Partly(user, _) => {
                        user.principal(&self.people, &HashMap::new())
                    }
                    Told::Unread => None,
                },
                StatusCode::NOT_FOUND => Some(Principal {
                    active: Some(false),
                    gone: true,
                    ..Principal::new(PrincipalClass::Account, name)
                }),
                _ => return Err(answer.refusal()),
            };
            if let Some(person) = person {
                collector.push(Reading::Principal(person)).await?;
            }
        }
        Ok(())
    }
}

/// The name of the manager whom an answer tells; `None` where there is none, or a contact of the organisation, which has no
/// account.
fn manager(answer: Result<InnerAnswer, ReadError>) -> Result<Option<String>, ReadError> {
    let answer = answer?;
    if answer.status == StatusCode::OK {
        let manager: User = answer.json()?;
        return Ok(wire::id_of(manager.user_principal_name).map(|name| name.to_lowercase()));
    }
    let refusal = answer.refusal();
    if errors::is_missing(&refusal) {
        return Ok(None);
    }
    Err(match refusal {
        ReadError::Service { code, message } => ReadError::Service {
            code,
            message: format!("it is not told who somebody's manager is: {message}"),
        },
        error @ ReadError::Closed(_) => error,
    })
}
