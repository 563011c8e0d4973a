//! Cuts a listing into its elements while it arrives, so that no listing is ever held whole.
//!
//! A listing is an OCS answer, `{"ocs": {"meta": {…}, "data": [element, …]}}`. Elements are cut out as raw
//! bytes; the rest, with an empty `data`, is the envelope, which is decoded once the answer has ended. Pure:
//! bytes in, bytes out; every part is bounded.

/// The longest element that is kept, in bytes.
pub(super) const MAX_ELEMENT: usize = 1024 * 1024;
/// The longest envelope, in bytes.
const MAX_ENVELOPE: usize = 256 * 1024;
/// How deep anything may be nested.
const MAX_DEPTH: usize = 64;
/// Where elements lie: in the object, in its `ocs`, in that one's `data`.
const LIST_DEPTH: usize = 3;

/// Why an answer cannot be cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum SplitError {
    #[error("an entry of the list is larger than {MAX_ELEMENT} bytes")]
    ElementTooLarge,
    #[error("the answer is larger around its list than {MAX_ENVELOPE} bytes")]
    EnvelopeTooLarge,
    #[error("the answer is nested deeper than {MAX_DEPTH} levels")]
    TooDeep,
    #[error("the answer is not JSON: a bracket closes what was not opened")]
    Unbalanced,
}

/// Cuts a listing into elements.
#[derive(Debug, Default)]
pub(super) struct Splitter {
    depth: usize,
    in_string: bool,
    escaped: bool,
    /// The key last read at depths 1 and 2, while it is being read or was just read.
    keys: [Vec<u8>; 2],
    reading_key: Option<usize>,
    expect_value: [bool; 2],
    in_list: bool,
    element: Vec<u8>,
    envelope: Vec<u8>,
    ready: std::collections::VecDeque<Vec<u8>>,
}

impl Splitter {
    /// Takes the next bytes of the answer.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Result<(), SplitError> {
        let mut rest = bytes;
        while let Some(first) = rest.first() {
            let run = if self.in_string && !self.escaped && *first != b'"' && *first != b'\\' {
                rest.iter()
                    .position(|byte| matches!(byte, b'"' | b'\\'))
                    .unwrap_or(rest.len())
            } else {
                1
            };
            let (taken, remaining) = rest.split_at(run);
            self.take(taken)?;
            rest = remaining;
        }
        Ok(())
    }

    /// The next element that is whole.
    pub(super) fn next_element(&mut self) -> Option<Vec<u8>> {
        self.ready.pop_front()
    }

    /// What stands around the list; whole only after the answer has ended.
    pub(super) fn envelope(self) -> Vec<u8> {
        self.envelope
    }

    /// Takes a run of bytes inside a string, or one byte of anything.
    fn take(&mut self, run: &[u8]) -> Result<(), SplitError> {
        let byte = run.first().copied().unwrap_or_default();
        if self.in_string {
            if let (Some(key), false) = (self.reading_key, byte == b'"' && !self.escaped)
                && let Some(text) = self.keys.get_mut(key)
                && text.len() < 64
            {
                text.extend_from_slice(run);
            }
            if self.escaped {
                self.escaped = false;
            } else if byte == b'\\' {
                self.escaped = true;
            } else if byte == b'"' {
                self.in_string = false;
                self.reading_key = None;
            }
            return self.keep(run);
        }
        match byte {
            b'"' => {
                self.in_string = true;
                let level = self.depth.wrapping_sub(1);
                if !self.in_list && self.expect_value.get(level) == Some(&false) {
                    self.reading_key = Some(level);
                    if let Some(key) = self.keys.get_mut(level) {
                        key.clear();
                    }
                }
                self.keep(run)
            }
            b'{' | b'[' => {
                if self.depth >= MAX_DEPTH {
                    return Err(SplitError::TooDeep);
                }
                self.depth += 1;
                if byte == b'[' && self.depth == LIST_DEPTH && self.is_at_data() {
                    self.in_list = true;
                    return self.keep_around(run);
                }
                if let Some(expect) = self.expect_value.get_mut(self.depth.wrapping_sub(1)) {
                    *expect = byte == b'[';
                }
                self.keep(run)
            }
            b'}' | b']' => {
                if self.depth == 0 {
                    return Err(SplitError::Unbalanced);
                }
                if self.in_list && self.depth == LIST_DEPTH {
                    self.end_element();
                    self.in_list = false;
                    self.depth -= 1;
                    return self.keep_around(run);
                }
                self.depth -= 1;
                self.keep(run)
            }
            b',' if self.in_list && self.depth == LIST_DEPTH => {
                self.end_element();
                Ok(())
            }
            b':' | b',' => {
                if !self.in_list
                    && let Some(expect) = self.expect_value.get_mut(self.depth.wrapping_sub(1))
                {
                    *expect = byte == b':';
                }
                self.keep(run)
            }
            _ => self.keep(run),
        }
    }

    fn is_at_data(&self) -> bool {
        let [outer, inner] = &self.keys;
        outer == b"ocs" && inner == b"data" && self.expect_value == [true, true]
    }

    fn keep(&mut self, run: &[u8]) -> Result<(), SplitError> {
        if !self.in_list {
            return self.keep_around(run);
        }
        if self.element.len() + run.len() > MAX_ELEMENT {
            return Err(SplitError::ElementTooLarge);
        }
        self.element.extend_from_slice(run);
        Ok(())
    }

    fn keep_around(&mut self, run: &[u8]) -> Result<(), SplitError> {
        if self.envelope.len() + run.len() > MAX_ENVELOPE {
            return Err(SplitError::EnvelopeTooLarge);
        }
        self.envelope.extend_from_slice(run);
        Ok(())
    }

    fn end_element(&mut self) {
        if !self.element.iter().all(u8::is_ascii_whitespace) {
            self.ready.push_back(std::mem::take(&mut self.element));
        }
        self.element.clear();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn split(text: &[u8], step: usize) -> Result<(Vec<String>, String), SplitError> {
        let mut splitter = Splitter::default();
        let mut elements = Vec::new();
        for chunk in text.chunks(step) {
            splitter.push(chunk)?;
            while let Some(element) = splitter.next_element() {
                elements.push(String::from_utf8_lossy(&element).into_owned());
            }
        }
        Ok((
            elements,
            String::from_utf8_lossy(&splitter.envelope()).into_owned(),
        ))
    }

    #[test]
    fn elements_are_cut_out_whatever_the_pieces() {
        let text = br#"{"ocs":{"meta":{"data":[1,2],"x":"}]\""},"data":[{"a":"],}\\","b":[1,{"c":2}]}, {"d":3} ],"z":1}}"#;
        for step in 1..text.len() {
            let (elements, envelope) = split(text, step).unwrap();
            assert_eq!(elements.len(), 2, "in steps of {step}");
            assert_eq!(elements[0], r#"{"a":"],}\\","b":[1,{"c":2}]}"#);
            assert_eq!(elements[1].trim(), r#"{"d":3}"#);
            assert_eq!(
                envelope,
                r#"{"ocs":{"meta":{"data":[1,2],"x":"}]\""},"data":[],"z":1}}"#
            );
        }
    }

    #[test]
    fn a_list_elsewhere_is_not_the_listing() {
        let (elements, envelope) = split(br#"{"data":[1],"ocs":{"data":{"users":[2]}}}"#, 3).unwrap();
        assert!(elements.is_empty());
        assert_eq!(envelope, r#"{"data":[1],"ocs":{"data":{"users":[2]}}}"#);
    }

    #[test]
    fn deep_nesting_and_huge_elements_are_refused() {
        assert_eq!(split(&b"[".repeat(200_000), 4096), Err(SplitError::TooDeep));
        let mut text = br#"{"ocs":{"data":[""#.to_vec();
        text.extend(std::iter::repeat_n(b'a', MAX_ELEMENT + 1));
        assert_eq!(split(&text, 4096), Err(SplitError::ElementTooLarge));
        assert_eq!(
            split(&b"x".repeat(MAX_ENVELOPE + 1), 4096),
            Err(SplitError::EnvelopeTooLarge)
        );
        assert_eq!(split(b"]", 1), Err(SplitError::Unbalanced));
    }

    proptest! {
        #[test]
        fn any_bytes_are_harmless(bytes in proptest::collection::vec(any::<u8>(), 0..400), step in 1_usize..17) {
            let _ = split(&bytes, step);
        }

        #[test]
        fn what_serde_writes_is_cut_as_serde_reads_it(
            values in proptest::collection::vec("\\PC{0,12}", 0..8), step in 1_usize..33
        ) {
            let data: Vec<_> = values.iter().map(|text| serde_json::json!({"t": text, "l": [text]})).collect();
            let text = serde_json::json!({"ocs": {"data": data, "meta": {"message": values.first()}}}).to_string();
            let (elements, _) = split(text.as_bytes(), step).unwrap();
            let cut: Vec<serde_json::Value> =
                elements.iter().map(|element| serde_json::from_str(element).unwrap()).collect();
            prop_assert_eq!(cut, data);
        }
    }
}
