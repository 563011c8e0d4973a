//! The closed sets of names that the model owns, as the file spells them.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;

use crate::model::{Level, RuleId};

/// The name of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(transparent)]
pub(in crate::config) struct RuleName(pub(in crate::config) RuleId);

impl JsonSchema for RuleName {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Rule".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let names: Vec<_> = RuleId::ALL.iter().map(|rule| rule.as_str()).collect();
        json_schema!({ "type": "string", "enum": names })
    }
}

/// A level.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(transparent)]
pub(in crate::config) struct LevelName(pub(in crate::config) Level);

impl JsonSchema for LevelName {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Level".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let names: Vec<_> = Level::ALL.iter().map(|level| level.as_str()).collect();
        json_schema!({ "type": "string", "enum": names })
    }
}

/// A level, or `off`.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(in crate::config) enum RuleLevel {
    /// The rule yields no findings.
    Off,
    /// Worth knowing, nothing to do.
    Info,
    /// Tidy up when convenient.
    Low,
    /// Should be put right.
    Medium,
    /// Exposed, put it right soon.
    High,
    /// Exposed and sensitive or changeable, put it right now.
    Critical,
}

impl RuleLevel {
    /// The level; `None` is off.
    pub(in crate::config) fn level(self) -> Option<Level> {
        Some(match self {
            Self::Off => return None,
            Self::Info => Level::Info,
            Self::Low => Level::Low,
            Self::Medium => Level::Medium,
            Self::High => Level::High,
            Self::Critical => Level::Critical,
        })
    }
}

/// A day, written without quotes: `2027-03-31`.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(transparent)]
pub(in crate::config) struct Date(pub(in crate::config) toml::value::Datetime);

impl JsonSchema for Date {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Date".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "date" })
    }
}
