//! The drives of a tenant as a scan knows them: whose each is, and where it lies.
//!
//! They are listed once, at the beginning; reading a drive needs no more of its site than this.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use serde::Deserialize;

use super::permission::wire::Identity;
use crate::model::{Principal, PrincipalClass, Problem};

/// A drive, and what its shares have in common.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Drive {
    pub(super) id: String,
    /// Its address, by which problems name it; the site's where the drive has none.
    pub(super) address: String,
    /// Whose its items are: a person, or a site.
    pub(super) owner: Principal,
    /// The group whose site it is, by its id.
    pub(super) group: Option<String>,
    /// Whether it is one of the consumer service.
    pub(super) consumer: bool,
}

impl Drive {
    /// Whether a grant to this principal is what its owner has anyway.
    pub(super) fn is_owned_by(&self, granted: &Principal) -> bool {
        let same = |one: &str, other: &str| one.eq_ignore_ascii_case(other);
        let group = granted.id.strip_suffix("_o").unwrap_or(&granted.id);
        if self.group.as_deref().is_some_and(|own| same(own, group)) {
            return true;
        }
        // Somebody who left is called by mail address as the owner, and by name in the grant.
        let email = |who: &Principal| {
            who.email
                .as_deref()
                .filter(|email| !email.is_empty())
                .map(str::to_lowercase)
        };
        let addressed = granted.class == PrincipalClass::Account
            && granted.guest != Some(true)
            && email(granted).is_some_and(|own| email(&self.owner).is_some_and(|other| own == other));
        granted.class == self.owner.class && (same(&granted.id, &self.owner.id) || addressed)
    }
}

/// What a listed scope stands for.
#[derive(Clone, Debug)]
pub(super) enum Place {
    /// A drive to read.
    Drive(Box<Drive>),
    /// Something that is not read, for the reason given: whether that was anybody's decision tells the problem.
    Closed(Problem),
}

/// What was listed, by the scope's id.
#[derive(Debug, Default)]
pub(super) struct Register(Mutex<HashMap<String, Place>>);

impl Register {
    pub(super) fn add(&self, scope: &str, place: Place) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(scope.to_owned(), place);
    }

    /// Takes what a scope stands for: each is read once.
    pub(super) fn take(&self, scope: &str) -> Option<Place> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(scope)
    }
}

/// A drive as Graph writes it.
///
/// <https://learn.microsoft.com/en-us/graph/api/resources/drive?view=graph-rest-1.0>
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Told {
    pub(super) id: Option<String>,
    pub(super) drive_type: Option<String>,
    pub(super) name: Option<String>,
    pub(super) web_url: Option<String>,
    pub(super) owner: Option<Owner>,
}

/// Whose a drive is, as Graph writes it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Owner {
    pub(super) user: Option<Identity>,
    pub(super) group: Option<Identity>,
}
