//! The nouns that every other part speaks in: sources, shares, items, principals, findings, coverage.
//!
//! Nothing here does I/O or reads a clock; no type holds a link token, a password or a credential, and
//! none keeps a vendor's wire format. What a service did not tell is `None` or named in
//! [`Share::unknown`], never a default that looks safe.

mod access;
mod check;
mod classes;
mod coverage;
mod digest;
mod evidence;
mod expiry;
mod finding;
mod item;
mod level;
mod network;
mod principal;
mod reading;
mod rule;
mod share;
mod source;

pub use access::{Access, Right};
pub use check::{Check, Standing};
pub use classes::{Classes, Labels};
pub use coverage::{
    AccountTotals, ControlTotals, Effect, Expected, Problem, ProblemCode, RequestTotals, ScopeOutcome,
    Verdict,
};
pub use digest::{long_digest, short_digest};
pub use evidence::{LinkUse, Look, Origin, Uses};
pub use expiry::Expiry;
pub use finding::{Finding, FindingId, Remedy, Status, WaiverNote};
pub use item::{Item, ItemKind, NameDisplay};
pub use level::Level;
pub use network::Network;
pub use principal::{Principal, PrincipalClass, PrincipalKind};
pub use reading::{Batch, Checkpoint, KnownScope, Reading, Relist, Scope, Want};
pub use rule::RuleId;
pub use share::{Audience, Share, ShareKind};
pub use source::{Fact, SourceFacts, SourceKind, SourceName};

/// Implements the textual forms of a closed set of names: `ALL`, `as_str`, `Display`, `FromStr` and serde as a string.
macro_rules! names {
    ($(#[$meta:meta])* $type:ident { $($(#[$vmeta:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        pub enum $type { $($(#[$vmeta])* #[serde(rename = $text)] $variant),+ }

        impl $type {
            /// Every value, in the documented order.
            pub const ALL: &'static [$type] = &[$($type::$variant),+];

            /// The name as it stands in configuration, reports and the ledger.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $($type::$variant => $text),+ }
            }
        }

        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl std::str::FromStr for $type {
            type Err = $crate::model::UnknownName;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                $type::ALL.iter().copied().find(|value| value.as_str() == text).ok_or_else(|| {
                    $crate::model::UnknownName {
                        given: text.to_owned(),
                        expected: $type::ALL.iter().map(|value| value.as_str()).collect::<Vec<_>>().join(", "),
                    }
                })
            }
        }
    };
}
pub(crate) use names;

/// A name that is not one of a closed set.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown name `{given}`, expected one of {expected}")]
pub struct UnknownName {
    /// What was given.
    pub given: String,
    /// The names that exist, separated by commas.
    pub expected: String,
}
