//! Groups of the directory: who is in those that matter, how large they are, who owns them.
//!
//! <https://learn.microsoft.com/en-us/graph/api/group-list-transitivemembers?view=graph-rest-1.0>, with the application
//! right `GroupMember.Read.All`.

use std::collections::{BTreeSet, HashMap};

use futures::TryStreamExt as _;
use serde::Deserialize;
use serde_json::Value;

use super::Microsoft365;
use super::batch::{Inner, MOST};
use super::graph::{Identified, Kind, segment};
use super::people::User;
use super::permission::claim::is_id;
use super::wire::{self, Told};
use crate::http::StatusCode;
use crate::model::{Principal, PrincipalClass, Problem, ProblemCode, Reading};
use crate::provider::{Collector, ReadError};

/// A group as Graph writes it.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Group {
    id: Option<String>,
    display_name: Option<String>,
    mail: Option<String>,
}

impl Identified for Group {
    fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }
}

impl Microsoft365 {
    /// Which people are in the groups that the configuration speaks of, by the people's ids.
    pub(super) async fn groups_of_people(
        &self,
        collector: &mut Collector<'_>,
    ) -> Result<HashMap<String, Vec<String>>, ReadError> {
        let mut groups_of: HashMap<String, Vec<String>> = HashMap::new();
        if self.setup.groups_named.iter().all(globset::GlobSet::is_empty) {
            return Ok(groups_of);
        }
        let read = async {
            let url = self.graph.url(
                &["groups"],
                &[("$select", "id,displayName,mail"), ("$top", "999")],
            )?;
            let mut wanted = Vec::new();
            let mut pages = std::pin::pin!(self.graph.pages::<Group>(url, Kind::Directory));
            while let Some(page) = pages.try_next().await? {
                wanted.extend(
                    page.elements
                        .into_iter()
                        .filter_map(|told| self.named_group(told)),
                );
            }
            for (id, name) in wanted {
                let path = ["groups", &id, "transitiveMembers"];
                let url = self.graph.url(&path, &[("$select", "id"), ("$top", "999")])?;
                let mut pages = std::pin::pin!(self.graph.pages::<User>(url, Kind::Directory));
                while let Some(page) = pages.try_next().await? {
                    for told in page.elements {
                        if let Told::Whole(User { id: Some(member), .. })
                        | Told::Partly(User { id: Some(member), .. }, _) = told
                        {
                            groups_of
                                .entry(member.to_lowercase())
                                .or_default()
                                .push(name.clone());
                        }
                    }
                }
            }
            Ok(())
        };
        match read.await {
            Ok(()) => Ok(groups_of),
            Err(
                error @ (ReadError::Closed(_)
                | ReadError::Service {
                    code: ProblemCode::Interrupted,
                    ..
                }),
            ) => Err(error),
            Err(error) if error.concerns_source() => Err(error),
            Err(error) => {
                let words = format!(
                    "who is in the groups that the configuration names is not told: {error}; grant the application \
                     GroupMember.Read.All"
                );
                let problem = Problem::new("*", ProblemCode::PeopleUnreadable, words);
                collector.push(Reading::Problem(problem)).await?;
                Ok(HashMap::new())
            }
        }
    }

    /// A group that the configuration names, by id and name.
    fn named_group(&self, told: Told<Group>) -> Option<(String, String)> {
        let (Told::Whole(group) | Told::Partly(group, _)) = told else {
            return None;
        };
        let id = group.id?;
        let name = group.display_name.unwrap_or_else(|| id.clone());
        let is_named = |globs: &globset::GlobSet| {
            globs.is_match(&name) || globs.is_match(name.to_lowercase()) || globs.is_match(&id)
        };
        self.setup.groups_named.iter().any(is_named).then_some((id, name))
    }

    /// Asks how many are in groups, and how many of them are guests.
    pub(super) async fn tell_groups(
        &self,
        ids: &[String],
        collector: &mut Collector<'_>,
    ) -> Result<(), ReadError> {
        let groups: Vec<Members<'_>> = ids.iter().filter_map(|id| Members::of(id)).collect();
        for some in groups.chunks(MOST / 3) {
            self.tell_some(some, collector).await?;
        }
        Ok(())
    }

    async fn tell_some(
        &self,
        groups: &[Members<'_>],
        collector: &mut Collector<'_>,
    ) -> Result<(), ReadError> {
        let asked = groups.iter().flat_map(Members::questions).collect();
        let answers = self.graph.batch(asked).await?;
        let mut answers = answers.into_iter();
        for asked in groups {
            let (Some(group), Some(members), Some(guests)) = (answers.next(), answers.next(), answers.next())
            else {
                break;
            };
            let (group, members, guests) = (group?, members?, guests?);
            if group.status == StatusCode::FORBIDDEN {
                return Err(group.refusal());
            }
            if group.status != StatusCode::OK {
                continue;
            }
            let (Told::Whole(told) | Told::Partly(told, _)) = wire::salvage::<Group>(group.text()) else {
                continue;
            };
            let principal = Principal {
                email: told.mail.filter(|mail| !mail.is_empty()),
                members: members.count(),
                outsiders: guests.count(),
                ..Principal::new(PrincipalClass::Group, asked.called).named(told.display_name)
            };
            collector.push(Reading::Principal(principal)).await?;
        }
        Ok(())
    }

    /// Who owns groups: their mail addresses, or names where they have none; and why that could not be asked.
    pub(super) async fn owners_of(
        &self,
        groups: &BTreeSet<String>,
    ) -> Result<(HashMap<String, Vec<String>>, Option<ReadError>), ReadError> {
        let mut owners = HashMap::new();
        let groups: Vec<&String> = groups.iter().collect();
        for some in groups.chunks(20) {
            let ask = |id: &&String| {
                let fields = "$select=id,userPrincipalName,mail";
                Inner::get(
                    format!("/groups/{}/owners?{fields}", segment(id)),
                    Kind::Directory,
                )
            };
            let answers = self.graph.batch(some.iter().map(ask).collect()).await?;
            for (id, answer) in some.iter().zip(answers) {
                let answer = answer?;
                match answer.status {
                    StatusCode::OK => {
                        let people = answer.json::<Value>().ok();
                        owners.insert((*id).clone(), people.iter().flat_map(addresses).collect());
                    }
                    StatusCode::NOT_FOUND => {}
                    _ => return Ok((owners, Some(answer.refusal()))),
                }
            }
        }
        Ok((owners, None))
    }
}

/// The members of a group, or its owners.
struct Members<'a> {
    /// What shares call it: owners by the group's id and `_o`.
    called: &'a str,
    id: &'a str,
    path: &'static str,
}

impl<'a> Members<'a> {
    /// `None` where it is not the directory's.
    fn of(called: &'a str) -> Option<Self> {
        let (id, path) = match called.strip_suffix("_o") {
            Some(id) => (id, "owners"),
            None => (called, "transitiveMembers"),
        };
        is_id(id).then_some(Self { called, id, path })
    }

    /// Which group it is, how many belong to it, and how many guests are among them.
    fn questions(&self) -> [Inner; 3] {
        let Self { id, path, .. } = self;
        let counted = "$count=true&$top=1&$select=id";
        let guests = "$filter=userType%20eq%20'Guest'";
        let ask = |rest: String| Inner::get(format!("/groups/{id}{rest}"), Kind::Directory);
        [
            ask("?$select=id,displayName,mail".to_owned()),
            ask(format!("/{path}?{counted}")).counting(),
            ask(format!("/{path}/microsoft.graph.user?{counted}&{guests}")).counting(),
        ]
    }
}

/// The mail addresses of people, or their names.
fn addresses(page: &Value) -> Vec<String> {
    let people = page.get("value").and_then(Value::as_array);
    people
        .into_iter()
        .flatten()
        .filter_map(|person| {
            let text = |key: &str| person.get(key)?.as_str().filter(|text| !text.is_empty());
            text("mail")
                .or_else(|| text("userPrincipalName"))
                .map(str::to_lowercase)
        })
        .collect()
}
