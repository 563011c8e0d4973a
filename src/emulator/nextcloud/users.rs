//! The provisioning API's users: ids, details in pages, one user, oneself.
//!
//! Administrators see everyone, subadmins their groups, everybody himself.

use super::Nextcloud;
use super::account::Account;
use super::ocs::{Call, Found, Outcome, Refusal};
use super::tree::{Tree, map, texts};

/// `GET /cloud/users…`.
pub(crate) fn route(server: &Nextcloud, call: &Call<'_>, rest: &[&str]) -> Outcome {
    let account = call.account()?;
    match rest {
        [] => {
            let found = server.page_of_users(call, &account, |_| true)?;
            Ok(users(texts(found.iter().map(|user| &*user.id))))
        }
        ["details"] => {
            let found = server.page_of_users(call, &account, |_| true)?;
            Ok(users(server.details(&found, &account)))
        }
        ["disabled"] => {
            let found = server.page_of_users(call, &account, |user| !user.enabled)?;
            Ok(users(server.details(&found, &account)))
        }
        ["recent"] => {
            let mut found = server.page_of_users(call, &account, |user| user.last_login > 0)?;
            found.sort_by_key(|user| std::cmp::Reverse(user.last_login));
            Ok(users(server.details(&found, &account)))
        }
        [id] => one(server, call, &account, id),
        [id, "groups"] => {
            let groups = server.accounts.get(*id).map(|user| user.groups.clone());
            let groups = groups.filter(|_| server.manages(&account, id));
            let groups = groups.ok_or_else(|| Refusal::new(998, ""))?;
            Ok(Found::Data(map([(
                "groups",
                texts(groups.iter().map(String::as_str)),
            )])))
        }
        _ => Err(Refusal::new(998, "")),
    }
}

/// `GET /cloud/user`.
pub(crate) fn own(server: &Nextcloud, call: &Call<'_>) -> Outcome {
    let account = call.account()?;
    let user = server
        .accounts
        .get(&account)
        .ok_or_else(|| Refusal::new(998, ""))?;
    Ok(Found::Data(server.user_tree(user, &account)))
}

fn one(server: &Nextcloud, call: &Call<'_>, account: &str, id: &str) -> Outcome {
    let _ = call;
    let Some(user) = server.account_named(id).and_then(|id| server.accounts.get(&id)) else {
        return Err(Refusal::new(404, "User does not exist"));
    };
    if account != &*user.id && !server.manages(account, &user.id) {
        return Err(Refusal::new(998, ""));
    }
    Ok(Found::Data(server.user_tree(user, account)))
}

fn users(list: Tree) -> Found {
    Found::Data(map([("users", list)]))
}

impl Nextcloud {
    /// True for administrators, and for subadmins of one of the user's groups.
    pub(crate) fn manages(&self, account: &str, user: &str) -> bool {
        if self.is_admin(account) {
            return true;
        }
        let subadmin = self
            .accounts
            .get(account)
            .map(|account| account.subadmin.as_slice())
            .unwrap_or_default();
        !self.is_admin(user) && subadmin.iter().any(|group| self.in_group(user, group))
    }

    fn page_of_users(
        &self,
        call: &Call<'_>,
        account: &str,
        wanted: impl Fn(&Account) -> bool,
    ) -> Result<Vec<&Account>, Refusal> {
        let admin = self.is_admin(account);
        let subadmin = self
            .accounts
            .get(account)
            .is_some_and(|account| !account.subadmin.is_empty());
        if !admin && !subadmin {
            return Err(Refusal::new(
                403,
                "Logged in account must be at least a sub admin",
            ));
        }
        let search = call.request.query("search").unwrap_or_default().to_lowercase();
        let matches = |user: &Account| {
            let fields = [Some(&*user.id), Some(user.name.as_str()), user.email.as_deref()];
            search.is_empty()
                || fields
                    .iter()
                    .flatten()
                    .any(|field| field.to_lowercase().contains(&search))
        };
        let own = self
            .accounts
            .get(account)
            .map(|account| account.subadmin.as_slice())
            .unwrap_or_default();
        let visible = |user: &Account| admin || own.iter().any(|group| self.in_group(&user.id, group));
        let number = |name: &str| {
            call.request
                .query(name)
                .and_then(|value| value.parse::<usize>().ok())
        };
        let found = self
            .accounts
            .values()
            .filter(|user| visible(user) && wanted(user) && matches(user));
        Ok(found
            .skip(number("offset").unwrap_or(0))
            .take(number("limit").unwrap_or(usize::MAX))
            .collect())
    }

    /// A map from id to what the asking account may know of each user.
    pub(crate) fn details(&self, found: &[&Account], asking: &str) -> Tree {
        Tree::Map(
            found
                .iter()
                .map(|user| (user.id.to_string().into(), self.user_tree(user, asking)))
                .collect(),
        )
    }

    pub(crate) fn user_tree(&self, user: &Account, asking: &str) -> Tree {
        if !user.details && asking != &*user.id {
            return map([("id", (&*user.id).into())]);
        }
        let files = self
            .files
            .home_of(&user.id)
            .map_or(0, |home| self.files.indexed_size(home));
        let quota = user
            .quota
            .map_or(-3, |bytes| i64::try_from(bytes).unwrap_or(i64::MAX));
        let bytes = files.max(0);
        let free = if quota < 0 { -3 } else { (quota - bytes).max(0) };
        let quota_tree = map([
            ("free", free.into()),
            ("used", bytes.into()),
            ("total", quota.into()),
            ("relative", 0_i64.into()),
            ("quota", quota.into()),
        ]);
        let mut tree = Tree::Map(Vec::new());
        if self.manages(asking, &user.id) {
            tree.set("enabled", user.enabled.into());
        }
        if self.is_admin(asking) {
            tree.set(
                "storageLocation",
                format!("/var/www/nextcloud/data/{}", user.id).into(),
            );
        }
        tree.set("id", (&*user.id).into());
        tree.set("firstLoginTimestamp", user.first_login.into());
        tree.set("lastLoginTimestamp", user.last_login.into());
        tree.set("lastLogin", (user.last_login * 1000).into());
        tree.set("backend", user.backend.as_str().into());
        tree.set("subadmin", texts(user.subadmin.iter().map(String::as_str)));
        tree.set("quota", quota_tree);
        let manager = user.manager.as_deref().filter(|_| self.is_admin(asking));
        tree.set("manager", manager.unwrap_or_default().into());
        tree.set("email", user.email.as_deref().into());
        tree.set("additional_mail", Tree::List(Vec::new()));
        tree.set("displayname", user.name.as_str().into());
        tree.set("display-name", user.name.as_str().into());
        for field in [
            "phone",
            "address",
            "website",
            "twitter",
            "bluesky",
            "fediverse",
            "organisation",
            "role",
        ] {
            tree.set(field, "".into());
        }
        tree.set("headline", "".into());
        tree.set("biography", "".into());
        tree.set("profile_enabled", "1".into());
        tree.set("pronouns", "".into());
        tree.set("groups", texts(user.groups.iter().map(String::as_str)));
        tree.set("language", user.language.as_str().into());
        tree.set("locale", "".into());
        tree.set("timezone", user.timezone.as_str().into());
        tree.set("notify_email", Tree::Null);
        let own_backend = user.backend == "Database";
        tree.set(
            "backendCapabilities",
            map([
                ("setDisplayName", own_backend.into()),
                ("setPassword", own_backend.into()),
            ]),
        );
        tree
    }
}
