//! What a share lets its audience do.

use serde::{Deserialize, Deserializer, Serialize, Serializer, ser::SerializeSeq};

use super::names;

names! {
    /// One thing that a share may allow.
    Right {
        /// See what is there.
        View = "view",
        /// Fetch a copy.
        Download = "download",
        /// Change what is there.
        Edit = "edit",
        /// Add to it.
        Create = "create",
        /// Delete what is there.
        Delete = "delete",
        /// Share it on.
        Reshare = "reshare",
    }
}

/// A set of rights.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Access(u8);

impl Access {
    /// Nothing allowed.
    pub const NONE: Self = Self(0);

    /// The set of the rights given.
    #[must_use]
    pub fn of(rights: &[Right]) -> Self {
        rights.iter().fold(Self::NONE, |set, right| set.with(*right))
    }

    /// This set and one right more.
    #[must_use]
    pub fn with(self, right: Right) -> Self {
        Self(self.0 | 1 << right as u8)
    }

    /// This set without a right.
    #[must_use]
    pub fn without(self, right: Right) -> Self {
        Self(self.0 & !(1 << right as u8))
    }

    /// Whether the right is in the set.
    #[must_use]
    pub fn has(self, right: Right) -> bool {
        self.0 & (1 << right as u8) != 0
    }

    /// Whether it lets people change or delete what is there.
    #[must_use]
    pub fn changes(self) -> bool {
        self.has(Right::Edit) || self.has(Right::Delete)
    }

    /// Whether it shows what is there (a pure file drop does not).
    #[must_use]
    pub fn shows(self) -> bool {
        self.has(Right::View) || self.has(Right::Download)
    }

    /// Whether it is a pure file drop: people may add, and see nothing of what is there.
    #[must_use]
    pub fn is_drop(self) -> bool {
        self.has(Right::Create) && !self.shows()
    }

    /// The rights of the set, in their documented order.
    pub fn iter(self) -> impl Iterator<Item = Right> {
        Right::ALL.iter().copied().filter(move |right| self.has(*right))
    }

    /// The set as the ledger keeps it: one bit a right.
    #[must_use]
    pub fn bits(self) -> u8 {
        self.0
    }

    /// The set that [`Access::bits`] gave; unknown bits are dropped.
    #[must_use]
    pub fn from_bits(bits: u8) -> Self {
        Self(bits & 0b11_1111)
    }
}

impl std::fmt::Debug for Access {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

impl Serialize for Access {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut rights = serializer.serialize_seq(None)?;
        for right in self.iter() {
            rights.serialize_element(&right)?;
        }
        rights.end()
    }
}

impl<'de> Deserialize<'de> for Access {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self::of(&Vec::<Right>::deserialize(deserializer)?))
    }
}
