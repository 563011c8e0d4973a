//! JSON whose objects are objects: `serde` also takes a list for one, its fields by their places, and a service that answers
//! so would be believed.
//!
//! A thin layer over any deserializer: where an object is wanted, a map is asked for. What lies within an enumeration is
//! left as it is; those of answers hold nothing.

use std::fmt;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

/// Reads a text.
pub(super) fn from_str<'de, T: Deserialize<'de>>(text: &'de str) -> serde_json::Result<T> {
    let mut json = serde_json::Deserializer::from_str(text);
    let told = T::deserialize(Strict(&mut json))?;
    json.end()?;
    Ok(told)
}

/// Reads bytes.
pub(super) fn from_slice<'de, T: Deserialize<'de>>(bytes: &'de [u8]) -> serde_json::Result<T> {
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let told = T::deserialize(Strict(&mut json))?;
    json.end()?;
    Ok(told)
}

/// Reads a value.
pub(super) fn from_value<'de, T: Deserialize<'de>>(value: serde_json::Value) -> serde_json::Result<T> {
    T::deserialize(Strict(value))
}

/// What is read so: a deserializer, and whatever it lends or is lent.
struct Strict<T>(T);

/// Passes on what holds nothing within.
macro_rules! plain {
    ($($method:ident)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
            self.0.$method(visitor)
        })*
    };
}

/// Passes on what may hold objects.
macro_rules! holding {
    ($($method:ident($($given:ident: $kind:ty),*))*) => {
        $(fn $method<V: Visitor<'de>>(self, $($given: $kind,)* visitor: V) -> Result<V::Value, D::Error> {
            self.0.$method($($given,)* Strict(visitor))
        })*
    };
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Strict<D> {
    type Error = D::Error;

    plain! {
        deserialize_bool deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_i128 deserialize_u8
        deserialize_u16 deserialize_u32 deserialize_u64 deserialize_u128 deserialize_f32 deserialize_f64
        deserialize_char deserialize_str deserialize_string deserialize_bytes deserialize_byte_buf deserialize_unit
        deserialize_identifier deserialize_ignored_any
    }

    holding! {
        deserialize_any()
        deserialize_option()
        deserialize_seq()
        deserialize_map()
        deserialize_newtype_struct(name: &'static str)
        deserialize_tuple(length: usize)
        deserialize_tuple_struct(name: &'static str, length: usize)
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.0.deserialize_unit_struct(name, visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.0.deserialize_map(Strict(visitor))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.0.deserialize_enum(name, variants, visitor)
    }

    fn is_human_readable(&self) -> bool {
        self.0.is_human_readable()
    }
}

/// Passes on single values.
macro_rules! single {
    ($($method:ident: $kind:ty),*) => {
        $(fn $method<E: serde::de::Error>(self, value: $kind) -> Result<V::Value, E> {
            self.0.$method(value)
        })*
    };
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Strict<V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.expecting(f)
    }

    single! {
        visit_bool: bool, visit_i8: i8, visit_i16: i16, visit_i32: i32, visit_i64: i64, visit_i128: i128,
        visit_u8: u8, visit_u16: u16, visit_u32: u32, visit_u64: u64, visit_u128: u128,
        visit_f32: f32, visit_f64: f64, visit_char: char,
        visit_str: &str, visit_borrowed_str: &'de str, visit_string: String,
        visit_bytes: &[u8], visit_borrowed_bytes: &'de [u8], visit_byte_buf: Vec<u8>
    }

    fn visit_none<E: serde::de::Error>(self) -> Result<V::Value, E> {
        self.0.visit_none()
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<V::Value, E> {
        self.0.visit_unit()
    }

    fn visit_some<D: Deserializer<'de>>(self, within: D) -> Result<V::Value, D::Error> {
        self.0.visit_some(Strict(within))
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, within: D) -> Result<V::Value, D::Error> {
        self.0.visit_newtype_struct(Strict(within))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<V::Value, A::Error> {
        self.0.visit_seq(Strict(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, fields: A) -> Result<V::Value, A::Error> {
        self.0.visit_map(Strict(fields))
    }
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for Strict<A> {
    type Error = A::Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, A::Error> {
        self.0.next_element_seed(Strict(seed))
    }

    fn size_hint(&self) -> Option<usize> {
        self.0.size_hint()
    }
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Strict<A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, A::Error> {
        self.0.next_key_seed(seed)
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, A::Error> {
        self.0.next_value_seed(Strict(seed))
    }

    fn size_hint(&self) -> Option<usize> {
        self.0.size_hint()
    }
}

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Strict<S> {
    type Value = S::Value;

    fn deserialize<D: Deserializer<'de>>(self, within: D) -> Result<S::Value, D::Error> {
        self.0.deserialize(Strict(within))
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::value::RawValue;
    use serde_json::{Value, json};

    use super::*;

    #[derive(Debug, Default, PartialEq, Eq, Deserialize)]
    #[serde(default)]
    struct Thing {
        id: Option<String>,
        within: Option<Box<Self>>,
        list: Vec<Self>,
        pair: Option<(u8, Newtype)>,
    }

    #[derive(Debug, PartialEq, Eq, Deserialize)]
    struct Newtype(Within);

    #[derive(Debug, PartialEq, Eq, Deserialize)]
    struct Within {
        size: i64,
    }

    #[derive(Deserialize)]
    struct Lent<'a> {
        text: &'a str,
        #[serde(borrow)]
        raw: Option<&'a RawValue>,
    }

    #[test]
    fn a_list_is_no_object_wherever_it_stands() {
        for text in [
            r#"["a"]"#,
            r#"{"within":["a"]}"#,
            r#"{"list":[{},["a"]]}"#,
            r#"{"within":{"within":{"list":[["a",null,[],null]]}}}"#,
            r#"{"pair":[1,[2]]}"#,
        ] {
            assert!(
                serde_json::from_str::<Thing>(text).is_ok(),
                "{text} is taken otherwise"
            );
            assert!(from_str::<Thing>(text).is_err(), "{text}");
            assert!(from_slice::<Thing>(text.as_bytes()).is_err(), "{text}");
            assert!(
                from_value::<Thing>(serde_json::from_str(text).unwrap()).is_err(),
                "{text}"
            );
        }
    }

    #[test]
    fn all_else_is_read_as_ever() {
        let text =
            r#"{"id":"a","within":{"id":null},"list":[{},{"id":"b"}],"pair":[1,{"size":-2}],"more":[[{}]]}"#;
        let thing: Thing = from_str(text).unwrap();
        assert_eq!(thing, serde_json::from_str(text).unwrap());
        assert_eq!(thing.pair, Some((1, Newtype(Within { size: -2 }))));
        let value: Value = from_str(text).unwrap();
        assert_eq!(value, serde_json::from_str::<Value>(text).unwrap());
        assert_eq!(from_value::<Thing>(value).unwrap(), thing);
        let lent: Lent<'_> = from_str(r#"{"text":"a","raw":[1, {"b":2}]}"#).unwrap();
        assert_eq!(
            (lent.text, lent.raw.map(RawValue::get)),
            ("a", Some(r#"[1, {"b":2}]"#))
        );
        assert_eq!(
            from_str::<Vec<Option<f64>>>("[1.5,null]").unwrap(),
            [Some(1.5), None]
        );
        for wrong in ["", "{}{}", "{\"id\":7}", "7", "null"] {
            assert!(from_str::<Thing>(wrong).is_err(), "{wrong}");
        }
        assert!(from_str::<Value>("{\"a\":").unwrap_err().is_eof());
        assert_eq!(from_slice::<Value>(b"[1]").unwrap(), json!([1]));
    }
}
