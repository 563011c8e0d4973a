//! An object, and nothing that only passes for one.
//!
//! Serde reads a list, too, as a value with fields, by their places: `[[]]` would be a page without elements, and whoever
//! believes it takes all that was there before for gone.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// What was written with braces.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Object<T>(pub(super) T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Braces(PhantomData))
    }
}

struct Braces<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for Braces<T> {
    type Value = Object<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, fields: A) -> Result<Self::Value, A::Error> {
        T::deserialize(MapAccessDeserializer::new(fields)).map(Object)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::value::RawValue;

    use super::*;

    #[derive(Deserialize)]
    struct Thing<'a> {
        #[serde(borrow)]
        name: &'a str,
        #[serde(borrow)]
        rest: &'a RawValue,
    }

    #[test]
    fn a_list_is_no_object_and_an_object_is_read_as_it_stands() {
        let read = |text| serde_json::from_str::<Object<Thing<'_>>>(text).ok();
        let Object(thing) = read(r#" {"rest": [1, {}], "name": "a"}"#).unwrap();
        assert_eq!((thing.name, thing.rest.get()), ("a", "[1, {}]"));
        for other in [r#"["a", 1]"#, "[]", "{}", "7", "null", r#""a""#, ""] {
            assert!(read(other).is_none(), "{other}");
        }
        assert!(
            serde_json::from_str::<Thing<'_>>(r#"["a", 1]"#).is_ok(),
            "what this is for"
        );
    }
}
