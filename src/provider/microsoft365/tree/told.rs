//! An item as a delta writes it, and what the summary of its sharing says.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use super::Key;
use crate::provider::microsoft365::graph::Identified;
use crate::provider::microsoft365::wire::lower;
use crate::provider::strict;

/// An item as a delta writes it.
///
/// <https://learn.microsoft.com/en-us/graph/api/resources/driveitem?view=graph-rest-1.0>
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(in crate::provider::microsoft365) struct Told {
    pub(super) id: Option<String>,
    pub(super) name: Option<String>,
    pub(super) parent_reference: Option<Parent>,
    pub(super) folder: Option<Present>,
    pub(super) package: Option<Present>,
    pub(super) file: Option<Present>,
    pub(super) root: Option<Present>,
    pub(super) deleted: Option<Present>,
    pub(super) shared: Option<Box<RawValue>>,
    /// That it is told because its sharing changed; on files, if at all, and written in several ways.
    #[serde(rename = "@microsoft.graph.sharedChanged")]
    pub(super) shared_changed: Option<Present>,
    pub(super) size: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Parent {
    pub(super) id: Option<String>,
}

/// A facet of which only counts that it is there.
#[derive(Debug)]
pub(super) struct Present;

impl<'de> Deserialize<'de> for Present {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        serde::de::IgnoredAny::deserialize(deserializer).map(|_| Self)
    }
}

impl Identified for Told {
    fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }
}

/// How wide an item is open, as its summary says. Ordered, the widest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(in crate::provider::microsoft365) enum Width {
    Anyone,
    Organization,
    /// Some people, or in a way that is not known.
    People,
}

/// What the summary of an item's sharing says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sharing {
    /// It has what the folder above it has.
    Inherits,
    /// It has permissions of its own, and is not shared.
    Closed,
    Open(Width),
}

#[derive(Deserialize)]
struct Facet {
    scope: Option<String>,
}

impl Sharing {
    pub(super) fn of(facet: Option<&RawValue>) -> Self {
        let Some(text) = facet.map(RawValue::get) else {
            return Self::Inherits;
        };
        if text.trim_start_matches('{').trim() == "}" {
            return Self::Closed;
        }
        let scope = strict::from_str::<Facet>(text).ok().and_then(|facet| facet.scope);
        Self::Open(match scope.as_deref().map(lower).as_deref() {
            Some("anonymous") => Width::Anyone,
            Some("organization") => Width::Organization,
            _ => Width::People,
        })
    }

    pub(super) fn is_open(self) -> bool {
        matches!(self, Self::Open(_))
    }

    /// What tells this summary from another one of the same item, in whatever form it is written.
    pub(super) fn digest(self, facet: Option<&RawValue>, key: Key) -> u64 {
        match (self, facet.map(RawValue::get)) {
            (Self::Open(_), Some(text)) => {
                let value = serde_json::from_str::<Value>(text);
                key.of(&value.map_or_else(|_| text.to_owned(), |value| value.to_string()))
            }
            (Self::Closed, _) => 1,
            _ => 0,
        }
    }
}
