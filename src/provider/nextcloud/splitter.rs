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
    /// What earlier bytes held of the element that is not whole yet; or one that was handed out.
    element: Vec<u8>,
    handed_out: bool,
    envelope: Vec<u8>,
}

impl Splitter {
    /// The next element that is whole with these bytes, of which it takes what it has looked at; `None` when it has
    /// taken all of them. An element within the bytes is lent from there, without a copy.
    pub(super) fn next<'s, 'b: 's>(
        &'s mut self,
        bytes: &mut &'b [u8],
    ) -> Result<Option<&'s [u8]>, SplitError> {
        if std::mem::take(&mut self.handed_out) {
            self.element.clear();
        }
        while let Some(first) = bytes.first() {
            if !self.in_list {
                let inside = self.in_string && !self.escaped && !is_quoting(*first);
                let taken = split_off(bytes, if inside { unquoted(bytes) } else { 1 });
                self.take(taken)?;
                continue;
            }
            let (length, ended) = self.scan(bytes)?;
            let part = split_off(bytes, length);
            if self.element.len() + part.len() > MAX_ELEMENT {
                return Err(SplitError::ElementTooLarge);
            }
            if !ended {
                self.element.extend_from_slice(part);
                continue;
            }
            self.end_element(split_off(bytes, 1))?;
            if part.iter().chain(&self.element).all(u8::is_ascii_whitespace) {
                self.element.clear();
                continue;
            }
            if self.element.is_empty() {
                return Ok(Some(part));
            }
            self.element.extend_from_slice(part);
            self.handed_out = true;
            return Ok(Some(&self.element));
        }
        Ok(None)
    }

    /// Takes the byte after an element: a comma, or what closes the list.
    fn end_element(&mut self, end: &[u8]) -> Result<(), SplitError> {
        if end == b"," {
            return Ok(());
        }
        self.in_list = false;
        self.depth -= 1;
        self.keep_around(end)
    }

    /// What stands around the list; whole only after the answer has ended.
    pub(super) fn envelope(self) -> Vec<u8> {
        self.envelope
    }

    /// How many of these bytes belong to the element that is being read, and whether the byte after them ends it.
    fn scan(&mut self, bytes: &[u8]) -> Result<(usize, bool), SplitError> {
        let mut at = 0;
        while let Some(byte) = bytes.get(at) {
            if self.in_string {
                if self.escaped {
                    self.escaped = false;
                    at += 1;
                    continue;
                }
                at += unquoted(bytes.get(at..).unwrap_or_default());
                match bytes.get(at) {
                    Some(b'\\') => self.escaped = true,
                    Some(_) => self.in_string = false,
                    None => break,
                }
                at += 1;
                continue;
            }
            match byte {
                b'"' => self.in_string = true,
                b'{' | b'[' => {
                    if self.depth >= MAX_DEPTH {
                        return Err(SplitError::TooDeep);
                    }
                    self.depth += 1;
                }
                b'}' | b']' => {
                    if self.depth == LIST_DEPTH {
                        return Ok((at, true));
                    }
                    self.depth -= 1;
                }
                b',' if self.depth == LIST_DEPTH => return Ok((at, true)),
                _ => {}
            }
            at += 1;
        }
        Ok((at, false))
    }

    /// Takes what stands around the list: a run of bytes inside a string, or one byte of anything.
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
            return self.keep_around(run);
        }
        match byte {
            b'"' => {
                self.in_string = true;
                let level = self.depth.wrapping_sub(1);
                if self.expect_value.get(level) == Some(&false) {
                    self.reading_key = Some(level);
                    if let Some(key) = self.keys.get_mut(level) {
                        key.clear();
                    }
                }
            }
            b'{' | b'[' => {
                if self.depth >= MAX_DEPTH {
                    return Err(SplitError::TooDeep);
                }
                self.depth += 1;
                if byte == b'[' && self.depth == LIST_DEPTH && self.is_at_data() {
                    self.in_list = true;
                } else if let Some(expect) = self.expect_value.get_mut(self.depth.wrapping_sub(1)) {
                    *expect = byte == b'[';
                }
            }
            b'}' | b']' => {
                self.depth = self.depth.checked_sub(1).ok_or(SplitError::Unbalanced)?;
            }
            b':' | b',' => {
                if let Some(expect) = self.expect_value.get_mut(self.depth.wrapping_sub(1)) {
                    *expect = byte == b':';
                }
            }
            _ => {}
        }
        self.keep_around(run)
    }

    fn is_at_data(&self) -> bool {
        let [outer, inner] = &self.keys;
        outer == b"ocs" && inner == b"data" && self.expect_value == [true, true]
    }

    fn keep_around(&mut self, run: &[u8]) -> Result<(), SplitError> {
        if self.envelope.len() + run.len() > MAX_ENVELOPE {
            return Err(SplitError::EnvelopeTooLarge);
        }
        self.envelope.extend_from_slice(run);
        Ok(())
    }
}

/// Takes so many bytes off the front.
fn split_off<'b>(bytes: &mut &'b [u8], length: usize) -> &'b [u8] {
    let (taken, rest) = bytes.split_at(length);
    *bytes = rest;
    taken
}

/// Whether a byte inside a string means something: it ends the string, or begins an escape.
fn is_quoting(byte: u8) -> bool {
    matches!(byte, b'"' | b'\\')
}

/// How many bytes there are before the next that means something inside a string.
fn unquoted(bytes: &[u8]) -> usize {
    bytes
        .iter()
        .position(|byte| is_quoting(*byte))
        .unwrap_or(bytes.len())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn split(text: &[u8], step: usize) -> Result<(Vec<String>, String), SplitError> {
        let mut splitter = Splitter::default();
        let mut elements = Vec::new();
        for mut chunk in text.chunks(step) {
            while let Some(element) = splitter.next(&mut chunk)? {
                elements.push(String::from_utf8_lossy(element).into_owned());
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
