//! Sites: all of them, one, its libraries and the sites beneath it.

use serde_json::{Value, json};

use super::entra::Holder;
use super::reply::{Call, Outcome, Refusal, seconds};
use super::{Graph, drives, route};

/// A site: a team's, or the one that holds a person's `OneDrive`.
#[derive(Debug, Clone)]
pub(super) struct Site {
    pub(super) host: String,
    /// Such as `/sites/exams`.
    pub(super) path: String,
    pub(super) name: String,
    pub(super) collection: String,
    pub(super) web: String,
    /// The name of the group whose site it is.
    pub(super) group: Option<String>,
    /// The site above a sub-site.
    pub(super) parent: Option<usize>,
    /// The id of the person whose `OneDrive` is here.
    pub(super) owner: Option<String>,
    pub(super) locked: bool,
    pub(super) archived: bool,
    pub(super) refused: bool,
    pub(super) sharing_disabled: bool,
    pub(super) gone: bool,
    pub(super) drives: Vec<usize>,
    pub(super) created: i64,
}

impl Site {
    pub(super) fn id(&self) -> String {
        format!("{},{},{}", self.host, self.collection, self.web)
    }

    pub(super) fn web_url(&self) -> String {
        format!("https://{}{}", self.host, self.path)
    }

    /// Whether the application may look inside.
    pub(super) fn check(&self) -> Result<(), Refusal> {
        if self.gone {
            return Err(Refusal::new(
                404,
                "itemNotFound",
                "Requested site could not be found",
            ));
        }
        if self.locked || self.archived {
            let text = "Access to this site has been blocked. Please contact the administrator to resolve this problem.";
            return Err(Refusal::new(423, "notAllowed", text).inner("resourceLocked"));
        }
        if self.refused {
            Err(Refusal::denied())
        } else {
            Ok(())
        }
    }
}

fn card(graph: &Graph, site: &Site) -> Value {
    let mut card = json!({
        "id": site.id(),
        "name": site.path.rsplit('/').next(),
        "displayName": site.name,
        "webUrl": site.web_url(),
        "createdDateTime": seconds(site.created),
        "lastModifiedDateTime": seconds(site.created),
        "sharepointIds": {
            "siteId": site.collection,
            "webId": site.web,
            "siteUrl": site.web_url(),
            "tenantId": graph.tenant.id,
        },
        "siteCollection": {"hostname": site.host},
    });
    if site.parent.is_none() {
        card["root"] = json!({});
    }
    if graph.switches.personal_site_flag {
        card["isPersonalSite"] = site.owner.is_some().into();
    }
    card
}

/// Everything below `/sites`.
pub(super) fn handle(graph: &mut Graph, call: &Call<'_>, rest: &[&str]) -> Outcome {
    let reads = call.request.method == "GET";
    match rest {
        [] if reads => {
            let filter = call.query("$filter");
            if filter
                .as_deref()
                .is_some_and(|filter| filter != "siteCollection/root ne null")
            {
                return Err(Refusal::new(400, "invalidRequest", "Invalid filter clause"));
            }
            list(graph, call, |site| {
                site.parent.is_none() && (filter.is_none() || site.path == "/")
            })
        }
        ["getAllSites" | "getAllSites()" | "oneDrive.getAllSites"] if reads => {
            if matches!(call.token.holder, Holder::User { .. }) {
                return Err(Refusal::denied());
            }
            list(graph, call, |_| true)
        }
        [id, rest @ ..] => {
            let (index, rest) = find(graph, id, rest)?;
            one(graph, call, index, rest)
        }
        [] => Err(route::unknown(rest)),
    }
}

/// The site of an id, or of `HOST:/PATH`.
fn find<'p>(graph: &Graph, id: &str, rest: &'p [&'p str]) -> Result<(usize, &'p [&'p str]), Refusal> {
    let missing = || Refusal::new(404, "itemNotFound", "Requested site could not be found");
    if let Some(host) = id.strip_suffix(':') {
        let end = rest
            .iter()
            .position(|part| part.ends_with(':'))
            .map_or(rest.len(), |at| at + 1);
        let path = rest.get(..end).unwrap_or_default().join("/");
        let path = format!("/{}", path.trim_end_matches(':'));
        let found = graph
            .sites
            .iter()
            .position(|site| !site.gone && site.host == host && site.path.eq_ignore_ascii_case(&path));
        return Ok((found.ok_or_else(missing)?, rest.get(end..).unwrap_or_default()));
    }
    let is = |site: &Site| !site.gone && (site.id() == id || site.collection == id && site.parent.is_none());
    let found = graph.sites.iter().position(is);
    if found.is_none() && id.split(',').count() != 3 && id.len() != 36 {
        return Err(Refusal::new(
            400,
            "invalidRequest",
            "Invalid hostname for this tenancy",
        ));
    }
    Ok((found.ok_or_else(missing)?, rest))
}

fn list(graph: &Graph, call: &Call<'_>, shown: impl Fn(&Site) -> bool) -> Outcome {
    let sites: Vec<&Site> = graph
        .sites
        .iter()
        .filter(|site| !site.gone && shown(site))
        .collect();
    let size = call
        .top(usize::MAX)?
        .map_or(graph.limits.sites_page, |top| top.min(graph.limits.sites_page));
    call.page("sites", sites.len(), size, false, |index| {
        sites.get(index).map_or(Value::Null, |site| card(graph, site))
    })
}

fn one(graph: &mut Graph, call: &Call<'_>, index: usize, rest: &[&str]) -> Outcome {
    let site = graph.sites.get(index).ok_or_else(Refusal::not_found)?;
    site.check()?;
    match rest {
        [] => Ok(call.entity("sites", card(graph, site))),
        ["sites"] => list(graph, call, |site| site.parent == Some(index)),
        ["drives"] => {
            let wants_system = call
                .query("$select")
                .is_some_and(|select| select.split(',').any(|field| field.trim() == "system"));
            let shown: Vec<usize> = site
                .drives
                .iter()
                .copied()
                .filter(|drive| wants_system || graph.drive(*drive).is_some_and(|drive| !drive.system))
                .collect();
            drives::list(graph, call, &shown)
        }
        ["drives", id, rest @ ..] => {
            let drive = drives::index(graph, id)?;
            drives::handle(graph, call, drive, rest)
        }
        ["drive", rest @ ..] => {
            let drive = site.drives.first().copied().ok_or_else(Refusal::not_found)?;
            drives::handle(graph, call, drive, rest)
        }
        _ => Err(route::unknown(rest)),
    }
}
