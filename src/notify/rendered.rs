//! A letter that was put into words.

/// A letter in words: what its reader sees of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rendered {
    /// The subject, without the prefix that all letters have.
    pub subject: String,
    /// The whole letter as plain text.
    pub text: String,
    /// The same as HTML.
    pub html: String,
}
