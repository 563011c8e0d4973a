//! How much a finding matters.

use super::names;

names! {
    /// How much a finding matters; ordered, `Critical` is the greatest.
    Level {
        /// Worth knowing, nothing to do.
        Info = "info",
        /// Tidy up when convenient.
        Low = "low",
        /// Should be put right.
        Medium = "medium",
        /// Exposed, put it right soon.
        High = "high",
        /// Exposed and sensitive or changeable, put it right now.
        Critical = "critical",
    }
}
