//! Finds the drives of a tenant: by its sites, personal ones included, since a person who left has a drive still.
//!
//! <https://learn.microsoft.com/en-us/graph/api/site-getallsites?view=graph-rest-1.0>, for applications with
//! `Sites.Read.All`. Where sites cannot be listed, each person is asked for a drive instead.

use std::collections::BTreeSet;

use futures::{FutureExt as _, StreamExt as _, TryStreamExt as _, stream};
use serde::Deserialize;
use url::Url;

use super::batch::{Inner, InnerAnswer, MOST};
use super::drives::{self, Drive, Place};
use super::graph::{Identified, Kind, segment};
use super::permission::claim::is_id;
use super::wire::{self, Told};
use super::{Include, Microsoft365, errors};
use crate::model::{Principal, PrincipalClass, Problem, ProblemCode, Reading, Scope};
use crate::provider::{Collector, ReadError};

/// What is asked of a site: the fields that are known to work on this list.
const SITE_FIELDS: &str = "sharepointIds,id,webUrl,displayName,root";
/// What is asked of a drive.
pub(super) const DRIVE_FIELDS: &str = "id,driveType,name,webUrl,owner";
/// How many drives of one site are read.
const MAX_DRIVES: usize = 10_000;
/// How many sites are held at once: many more than a tenant may have.
const MAX_SITES: usize = 2_500_000;
/// How many batches are asked ahead.
const AHEAD: usize = 4;

/// A site as Graph writes it.
///
/// <https://learn.microsoft.com/en-us/graph/api/resources/site?view=graph-rest-1.0>
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct ToldSite {
    id: Option<String>,
    web_url: Option<String>,
    display_name: Option<String>,
    is_personal_site: Option<bool>,
}

impl Identified for ToldSite {
    fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }
}

/// A site whose drives are read.
#[derive(Clone, Debug)]
struct Site {
    id: String,
    address: String,
    name: Option<String>,
    personal: bool,
}

impl Site {
    /// The site; `None` where it has no id.
    fn of(told: ToldSite) -> Option<Self> {
        let id = wire::id_of(told.id)?;
        let address = told.web_url.map_or_else(
            || id.clone(),
            |url| wire::cut(url.trim_end_matches('/').to_owned()),
        );
        let personal = told.is_personal_site == Some(true) || is_personal(&address);
        Some(Self {
            id,
            address,
            name: told.display_name.map(wire::cut),
            personal,
        })
    }

    /// Whom its files belong to, where no drive tells a person.
    fn owner(&self) -> Principal {
        Principal::new(PrincipalClass::Site, &self.address).named(self.name.clone())
    }
}

/// Whether a site's address is that of a person: `https://TENANT-my.sharepoint.com/personal/…`.
fn is_personal(address: &str) -> bool {
    let url = Url::parse(address).ok();
    let host = url.as_ref().and_then(Url::host_str).unwrap_or_default();
    host.split('.').next().is_some_and(|label| label.ends_with("-my"))
        && url
            .as_ref()
            .is_some_and(|url| url.path().starts_with("/personal/"))
}

/// Storage of other applications (SharePoint Embedded), which is no site that people share from.
fn is_embedded(address: &str) -> bool {
    Url::parse(address).is_ok_and(|url| url.path().to_ascii_lowercase().starts_with("/contentstorage/"))
}

/// What listing the sites came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sites {
    /// They were listed; `all` where whatever the list does not hold does not exist.
    Told { all: bool },
    /// They cannot be listed.
    Untold,
}

impl Microsoft365 {
    /// Lists the drives of all sites.
    pub(super) async fn list_drives(&self, collector: &mut Collector<'_>) -> Result<Sites, ReadError> {
        let (sites, mut all) = match self.list_sites(collector).await {
            Ok(listed) => listed,
            Err(ReadError::Service {
                code: ProblemCode::Forbidden,
                message,
            }) => {
                let code = if self.setup.include.contains(&Include::Sites) {
                    ProblemCode::Forbidden
                } else {
                    ProblemCode::SitesUnreadable
                };
                let words = format!(
                    "sites cannot be listed, so that libraries and the OneDrives of people who left are not seen: \
                     {message}; grant the application Sites.Read.All"
                );
                let problem = Problem::new("*", code, words);
                collector.push(Reading::Problem(problem)).await?;
                return Ok(Sites::Untold);
            }
            Err(error) => return Err(error),
        };
        let asked: Vec<_> = sites
            .chunks(MOST)
            .map(|some| self.ask_for_drives(some).boxed())
            .collect();
        let mut groups = BTreeSet::new();
        let mut waiting = Vec::new();
        let mut answered = std::pin::pin!(stream::iter(asked).buffered(AHEAD));
        let mut asked = sites.iter();
        while let Some(answers) = answered.try_next().await? {
            // In this order: the other way round a site would be lost at the end of each list.
            for (answer, site) in answers.into_iter().zip(asked.by_ref()) {
                let told = match answer {
                    Ok(answer) => self.drives_in(&answer).await,
                    Err(error) => Err(error),
                };
                match told {
                    Ok(drives) => {
                        for drive in drives {
                            let drive = self.drive_of(site, drive);
                            groups.extend(drive.group.clone().filter(|group| is_id(group)));
                            waiting.push(drive);
                        }
                    }
                    Err(error) => {
                        // Whose drives it has cannot be told: none that is known may be called gone.
                        all &= !site.personal;
                        self.closed(site, &error, collector).await?;
                    }
                }
            }
        }
        self.tell_drives(waiting, &groups, collector).await?;
        Ok(Sites::Told { all })
    }

    async fn ask_for_drives(&self, sites: &[Site]) -> Result<Vec<Result<InnerAnswer, ReadError>>, ReadError> {
        let ask = |site: &Site| {
            let url = format!("/sites/{}/drives?$select={DRIVE_FIELDS}", segment(&site.id));
            Inner::get(url, Kind::Many)
        };
        self.graph.batch(sites.iter().map(ask).collect()).await
    }

    /// The sites that are to be read, those that are not being told; and whether they are all there are.
    async fn list_sites(&self, collector: &mut Collector<'_>) -> Result<(Vec<Site>, bool), ReadError> {
        let url = self
            .graph
            .url(&["sites", "getAllSites"], &[("$select", SITE_FIELDS)])?;
        let mut sites = Vec::new();
        let mut unread = 0_u64;
        let mut all = true;
        let mut pages = std::pin::pin!(self.graph.pages::<ToldSite>(url, Kind::Many));
        loop {
            let page = match pages.try_next().await {
                Ok(Some(page)) => page,
                Ok(None) => break,
                // Nothing was listed: the right to it may be missing.
                Err(error) if sites.is_empty() && errors::has_code(&error, ProblemCode::Forbidden) => {
                    return Err(error);
                }
                Err(error) => {
                    let problem = errors::broken_list("sites", &error)?;
                    collector.push(Reading::Problem(problem)).await?;
                    all = false;
                    break;
                }
            };
            for told in page.elements {
                let site = match told {
                    Told::Whole(site) | Told::Partly(site, _) => Site::of(site),
                    Told::Unread => None,
                };
                let Some(site) = site else {
                    unread += 1;
                    continue;
                };
                let wanted = if site.personal {
                    Include::Onedrive
                } else {
                    Include::Sites
                };
                if is_embedded(&site.address) || !self.setup.include.contains(&wanted) {
                    continue;
                }
                if self.setup.excluded.sites.is_match(&site.address) {
                    all &= !site.personal;
                    self.excluded(&site.id, &site.address, site.owner(), collector)
                        .await?;
                    continue;
                }
                if sites.len() >= MAX_SITES {
                    let words = format!("the tenant has more than {MAX_SITES} sites; exclude some");
                    return Err(ReadError::service(ProblemCode::TooLarge, words));
                }
                sites.push(site);
            }
        }
        if unread > 0 {
            let words = format!("{unread} entries of the list of sites could not be read");
            let problem = Problem::new("*", ProblemCode::Malformed, words);
            collector.push(Reading::Problem(problem)).await?;
        }
        Ok((sites, all && unread == 0))
    }

    /// The drives that an answer tells, on all its pages.
    async fn drives_in(&self, answer: &InnerAnswer) -> Result<Vec<drives::Told>, ReadError> {
        let told: Vec<Told<drives::Told>> = self.graph.collection(answer, Kind::Many, MAX_DRIVES).await?;
        let read = told.into_iter().map(|told| match told {
            Told::Whole(drive) | Told::Partly(drive, _) if wire::id_of(drive.id.clone()).is_some() => {
                Ok(drive)
            }
            _ => Err(ReadError::service(
                ProblemCode::Malformed,
                "a drive in the site's list could not be read, or has no id",
            )),
        });
        read.collect()
    }

    /// A drive of a site, with its owner.
    fn drive_of(&self, site: &Site, told: drives::Told) -> Drive {
        let group = told.owner.as_ref().and_then(|owner| owner.group.as_ref());
        let group = group.and_then(|group| group.id.clone());
        let owner = if site.personal {
            self.person_of(&told, &site.address)
        } else {
            site.owner()
        };
        Drive {
            id: told.id.unwrap_or_default(),
            address: told.web_url.map_or_else(|| site.address.clone(), wire::cut),
            owner,
            group: group.filter(|_| !site.personal),
            consumer: is_consumer(told.drive_type.as_deref()),
        }
    }

    pub(super) fn is_excluded(&self, person: &Principal) -> bool {
        let excluded = &self.setup.excluded;
        let hits = |globs: &globset::GlobSet, name: &str| {
            globs.is_match(name) || globs.is_match(name.to_lowercase())
        };
        hits(&excluded.users, &person.id)
            || self
                .people
                .groups_of(&person.id)
                .iter()
                .any(|group| hits(&excluded.groups, group))
    }

    /// The person whose drive it is; one who is not in the directory is called by mail address, or as the site is.
    pub(super) fn person_of(&self, told: &drives::Told, address: &str) -> Principal {
        let user = told.owner.as_ref().and_then(|owner| owner.user.as_ref());
        let id = user.and_then(|user| user.id.as_deref());
        let email = user
            .and_then(|user| user.email.clone())
            .filter(|email| !email.is_empty())
            .map(wire::cut);
        let name = user.and_then(|user| user.display_name.clone()).map(wire::cut);
        let called = id
            .and_then(|id| self.people.name_of(id))
            .or_else(|| email.as_deref().map(str::to_lowercase))
            .unwrap_or_else(|| {
                let site = address.rsplit('/').next().unwrap_or(address);
                site.to_lowercase()
            });
        Principal {
            email,
            ..Principal::new(PrincipalClass::Account, called).named(name)
        }
    }

    /// Tells drives as scopes, those of groups with who answers for them.
    async fn tell_drives(
        &self,
        drives: Vec<Drive>,
        groups: &BTreeSet<String>,
        collector: &mut Collector<'_>,
    ) -> Result<(), ReadError> {
        let (owners, refused) = self.owners_of(groups).await?;
        if let Some(error) = refused {
            let words = format!(
                "who owns the groups of team sites is not told: {error}; grant the application GroupMember.Read.All"
            );
            let problem = Problem::new("*", ProblemCode::PeopleUnreadable, words);
            collector.push(Reading::Problem(problem)).await?;
        }
        let mut told = BTreeSet::new();
        for mut drive in drives {
            if drive.owner.class == PrincipalClass::Site {
                let stated = self
                    .setup
                    .answers
                    .iter()
                    .find(|(sites, _)| sites.is_match(&drive.owner.id));
                drive.owner.answered_by = match (stated, &drive.group) {
                    (Some((_, address)), _) => vec![address.clone()],
                    (None, Some(group)) => owners.get(group).cloned().unwrap_or_default(),
                    (None, None) => Vec::new(),
                };
                if told.insert(drive.owner.id.clone()) {
                    collector.push(Reading::Principal(drive.owner.clone())).await?;
                }
            } else if self.is_excluded(&drive.owner) {
                let Drive {
                    id, address, owner, ..
                } = drive;
                self.excluded(&id, &address, owner, collector).await?;
                continue;
            }
            self.found(drive, collector).await?;
        }
        Ok(())
    }

    /// Tells a drive as a scope to read.
    pub(super) async fn found(&self, drive: Drive, collector: &mut Collector<'_>) -> Result<(), ReadError> {
        if drive.consumer {
            let words =
                "this is a OneDrive of the consumer service, which shares in other ways; it is not read";
            let problem = Problem::new(&drive.address, ProblemCode::Malformed, words);
            return self.not_read(&drive.id, drive.owner, problem, collector).await;
        }
        let scope = Scope {
            id: drive.id.clone(),
            account: Some(drive.owner.clone()),
        };
        self.register.add(&scope.id, Place::Drive(Box::new(drive)));
        Ok(collector.push(Reading::Scope(scope)).await?)
    }

    pub(super) async fn excluded(
        &self,
        id: &str,
        address: &str,
        owner: Principal,
        collector: &mut Collector<'_>,
    ) -> Result<(), ReadError> {
        let words = "left out by `exclude` in the configuration";
        let problem = Problem::new(address, ProblemCode::Excluded, words);
        self.not_read(id, owner, problem, collector).await
    }

    /// A site whose drives the service does not list: the reason stands for all of them.
    async fn closed(
        &self,
        site: &Site,
        error: &ReadError,
        collector: &mut Collector<'_>,
    ) -> Result<(), ReadError> {
        if errors::ends_source(error) {
            return Err(error.clone());
        }
        match error.problem(&site.address) {
            Some(problem) => {
                let problem = errors::with_remedy(problem);
                self.not_read(&site.id, site.owner(), problem, collector).await
            }
            None => Err(error.clone()),
        }
    }

    /// Tells a scope that is counted, and not read for a reason.
    pub(super) async fn not_read(
        &self,
        id: &str,
        owner: Principal,
        problem: Problem,
        collector: &mut Collector<'_>,
    ) -> Result<(), ReadError> {
        self.register.add(id, Place::Closed(problem));
        let scope = Scope {
            id: id.to_owned(),
            account: Some(owner),
        };
        Ok(collector.push(Reading::Scope(scope)).await?)
    }
}

impl Identified for drives::Told {
    fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }
}

pub(super) fn is_consumer(kind: Option<&str>) -> bool {
    kind.is_some_and(|kind| kind.eq_ignore_ascii_case("personal"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_lies_in_the_storage_of_applications_is_theirs() {
        for (address, embedded) in [
            ("https://contoso.sharepoint.com/contentstorage/CSP_1", true),
            ("https://contoso.sharepoint.com/ContentStorage/x", true),
            ("https://contoso.sharepoint.com/sites/x/contentstorage/y", false),
            ("https://contoso.sharepoint.com/sites/contentstorage", false),
            ("contoso.sharepoint.com,1,2", false),
        ] {
            assert_eq!(is_embedded(address), embedded, "{address}");
        }
    }

    #[test]
    fn personal_sites_are_told_by_their_addresses() {
        for (address, personal) in [
            ("https://contoso-my.sharepoint.com/personal/ada_contoso_com", true),
            ("https://contoso-my.sharepoint.us/personal/ada_contoso_com", true),
            ("https://contoso-my.sharepoint.com", false),
            ("https://contoso.sharepoint.com/sites/personal", false),
            ("https://contoso.sharepoint.com/personal/x", false),
            ("", false),
        ] {
            assert_eq!(is_personal(address), personal, "{address}");
        }
    }
}
