//! The drives of people, asked of each person: of the one who signed in, of those who are named, or of everybody where
//! sites cannot be listed.
//!
//! <https://learn.microsoft.com/en-us/graph/api/drive-get?view=graph-rest-1.0>

use super::batch::{Inner, MOST};
use super::drives::{self, Drive};
use super::graph::{Kind, segment};
use super::sites::{DRIVE_FIELDS, is_consumer};
use super::wire::{Told, salvage};
use super::{Microsoft365, errors};
use crate::http::StatusCode;
use crate::model::{Principal, Problem, ProblemCode, Reading};
use crate::provider::{Collector, ReadError};

/// How many people without a drive are asked for at most: the service blocks whoever asks for many.
const WITHOUT: usize = 200;

impl Microsoft365 {
    /// The drives of people, asked of each: where sites cannot be listed, or only some people are meant. Stops after many
    /// that have none, since the service takes too many such questions amiss.
    pub(super) async fn list_drives_of(
        &self,
        people: &[Principal],
        named: bool,
        collector: &mut Collector<'_>,
    ) -> Result<(), ReadError> {
        let mut without = 0;
        let (excluded, people): (Vec<&Principal>, Vec<&Principal>) =
            people.iter().partition(|person| self.is_excluded(person));
        for person in excluded {
            let scope = format!("none/{}", person.id);
            self.excluded(&scope, &person.id, person.clone(), collector)
                .await?;
        }
        for (done, some) in people.chunks(MOST).enumerate() {
            let ask = |person: &&Principal| {
                let url = format!("/users/{}/drive?$select={DRIVE_FIELDS}", segment(&person.id));
                Inner::get(url, Kind::One)
            };
            let answers = self.graph.batch(some.iter().map(ask).collect()).await?;
            for (person, answer) in some.iter().zip(answers) {
                let error = match answer {
                    Ok(answer) if answer.status == StatusCode::OK => {
                        let told = salvage::<drives::Told>(answer.text());
                        match told {
                            Told::Whole(told) | Told::Partly(told, _) if told.id.is_some() => {
                                self.found(personal(person, told), collector).await?;
                                continue;
                            }
                            _ => answer.refusal(),
                        }
                    }
                    // No OneDrive was ever made, or the person has no licence for one.
                    Ok(answer) if matches!(answer.status.as_u16(), 400 | 404) => {
                        without += 1;
                        if named {
                            let problem =
                                Problem::new(&person.id, ProblemCode::NoDrive, "this person has no OneDrive");
                            self.not_read(
                                &format!("none/{}", person.id),
                                (*person).clone(),
                                problem,
                                collector,
                            )
                            .await?;
                        }
                        continue;
                    }
                    Ok(answer) => answer.refusal(),
                    Err(error) => error,
                };
                if errors::ends_source(&error) {
                    return Err(error);
                }
                if let Some(problem) = error.problem(&person.id) {
                    let scope = format!("none/{}", person.id);
                    let problem = errors::with_remedy(problem);
                    self.not_read(&scope, (*person).clone(), problem, collector)
                        .await?;
                }
            }
            let left = people.len().saturating_sub((done + 1) * MOST);
            if without >= WITHOUT && left > 0 {
                let words = format!(
                    "{without} people have no OneDrive, and the service blocks whoever asks for many such: {left} \
                     people were not asked; grant the application Sites.Read.All, with which none need be asked"
                );
                let problem = Problem::new("*", ProblemCode::GivenUp, words);
                collector.push(Reading::Problem(problem)).await?;
                break;
            }
        }
        Ok(())
    }

    /// The drive of the person who signed in.
    pub(super) async fn list_own_drive(&self, collector: &mut Collector<'_>) -> Result<(), ReadError> {
        let person = self.own_person().await?;
        collector.push(Reading::Principal(person.clone())).await?;
        let url = self.graph.url(&["me", "drive"], &[("$select", DRIVE_FIELDS)])?;
        match self.graph.object::<drives::Told>(url, Kind::One).await {
            Ok(told) if told.id.is_some() => self.found(personal(&person, told), collector).await?,
            Ok(_) => {
                return Err(ReadError::service(
                    ProblemCode::Malformed,
                    "the person's own drive is told without an id",
                ));
            }
            Err(error) if errors::is_missing(&error) => {
                let problem = Problem::new(&person.id, ProblemCode::NoDrive, "this person has no OneDrive");
                let scope = format!("none/{}", person.id);
                self.not_read(&scope, person, problem, collector).await?;
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

/// A person's own drive.
fn personal(person: &Principal, told: drives::Told) -> Drive {
    Drive {
        id: told.id.unwrap_or_default(),
        address: told.web_url.unwrap_or_else(|| person.id.clone()),
        owner: person.clone(),
        group: None,
        consumer: is_consumer(told.drive_type.as_deref()),
    }
}
