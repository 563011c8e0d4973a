//! A table by digests, written as such: eight bytes a digest, whatever its value.

use std::collections::HashMap;
use std::fmt;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};

use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// How much room is made for entries before they are read, in bytes.
const ROOM: usize = 4 * 1024 * 1024;

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
        deserializer.deserialize_seq(Entries(PhantomData))
    }
}

/// Takes a table in, entry by entry: two of a long one would not be held.
struct Entries<V>(PhantomData<V>);

impl<'de, V: Deserialize<'de>> Visitor<'de> for Entries<V> {
    type Value = ByDigest<V>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a table by digests")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        // However many it claims to hold.
        let most = ROOM / size_of::<(u64, V)>();
        let mut table = HashMap::with_capacity(entries.size_hint().unwrap_or_default().min(most));
        while let Some((digest, value)) = entries.next_element::<([u8; 8], V)>()? {
            table.insert(u64::from_le_bytes(digest), value);
        }
        Ok(ByDigest(table))
    }
}
