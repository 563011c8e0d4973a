//! A table by digests, written as such: eight bytes a digest, whatever its value.

use std::collections::HashMap;
use std::ops::{Deref, DerefMut};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A table by digests.
#[derive(Debug)]
pub(super) struct ByDigest<V>(HashMap<u64, V>);

impl<V> Default for ByDigest<V> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<V> Deref for ByDigest<V> {
    type Target = HashMap<u64, V>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl<V> DerefMut for ByDigest<V> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.0
    }
}

impl<V: Serialize> Serialize for ByDigest<V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let entries = self.0.iter();
        serializer.collect_seq(entries.map(|(digest, value)| (digest.to_le_bytes(), value)))
    }
}

impl<'de, V: Deserialize<'de>> Deserialize<'de> for ByDigest<V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let entries = Vec::<([u8; 8], V)>::deserialize(deserializer)?;
        let entries = entries.into_iter();
        Ok(Self(
            entries
                .map(|(digest, value)| (u64::from_le_bytes(digest), value))
                .collect(),
        ))
    }
}
