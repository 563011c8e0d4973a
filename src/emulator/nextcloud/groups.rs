//! The provisioning API's groups and their members.

use super::Nextcloud;
use super::account::Account;
use super::ocs::{Call, Found, Outcome, Refusal};
use super::tree::{Tree, map, texts};

/// `GET /cloud/groups…`.
pub(crate) fn route(server: &Nextcloud, call: &Call<'_>, rest: &[&str]) -> Outcome {
    let account = call.account()?;
    match rest {
        [] | ["details"] => {
            let search = call.request.query("search").unwrap_or_default().to_lowercase();
            let number = |name: &str| {
                call.request
                    .query(name)
                    .and_then(|value| value.parse::<usize>().ok())
            };
            let found: Vec<(&String, &String)> = server
                .groups
                .iter()
                .filter(|(id, name)| {
                    id.to_lowercase().contains(&search) || name.to_lowercase().contains(&search)
                })
                .skip(number("offset").unwrap_or(0))
                .take(number("limit").unwrap_or(usize::MAX))
                .collect();
            if rest.is_empty() {
                return Ok(Found::Data(map([(
                    "groups",
                    texts(found.iter().map(|(id, _)| id.as_str())),
                )])));
            }
            let details = found
                .iter()
                .map(|(id, name)| server.group_tree(id, name))
                .collect();
            Ok(Found::Data(map([("groups", Tree::List(details))])))
        }
        [group] | [group, "users"] => {
            let members = members(server, &account, group)?;
            Ok(Found::Data(map([(
                "users",
                texts(members.iter().map(|user| &*user.id)),
            )])))
        }
        [group, "users", "details"] => {
            let members = members(server, &account, group)?;
            Ok(Found::Data(map([("users", server.details(&members, &account))])))
        }
        _ => Err(Refusal::new(998, "")),
    }
}

fn members<'a>(server: &'a Nextcloud, account: &str, group: &str) -> Result<Vec<&'a Account>, Refusal> {
    if !server.groups.contains_key(group) {
        return Err(Refusal::new(404, "The requested group could not be found"));
    }
    let subadmin = server
        .accounts
        .get(account)
        .is_some_and(|own| own.subadmin.iter().any(|known| known == group));
    if !server.is_admin(account) && !subadmin {
        return Err(Refusal::new(
            403,
            "Logged in account must be at least a sub admin",
        ));
    }
    Ok(server.members_of(group))
}

impl Nextcloud {
    pub(crate) fn members_of(&self, group: &str) -> Vec<&Account> {
        self.accounts
            .values()
            .filter(|account| account.groups.iter().any(|own| own == group))
            .collect()
    }

    fn group_tree(&self, id: &str, name: &str) -> Tree {
        let members = self.members_of(id);
        map([
            ("id", id.into()),
            ("displayname", name.into()),
            ("usercount", members.len().into()),
            (
                "disabled",
                members.iter().filter(|account| !account.enabled).count().into(),
            ),
            ("canAdd", true.into()),
            ("canRemove", true.into()),
        ])
    }
}
