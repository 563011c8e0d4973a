//! What an examination of the set-up found, one thing at a time.

use super::names;

names! {
    /// How one thing stands. Ordered, `Failed` is the worst.
    Standing {
        /// Nothing to do.
        Good = "ok",
        /// Not looked at: what it needs is missing, or it is switched off.
        Skipped = "skipped",
        /// Works, and less is seen than could be.
        Limited = "limited",
        /// Does not work.
        Failed = "failed",
    }
}

/// The longest text of what was found, in characters.
const MAX_FOUND: usize = 1_000;

/// One thing that was examined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// What was looked at, in a word or two.
    pub about: &'static str,
    /// How it stands.
    pub standing: Standing,
    /// What was found, in a sentence; may hold remote text.
    pub found: String,
    /// What it costs, where something is missing; empty where nothing is.
    pub costs: Vec<String>,
    /// What to do, step by step.
    pub steps: Vec<String>,
}

impl Check {
    /// A thing that stands in some way; what was found is cut where it is very long.
    pub fn new(about: &'static str, standing: Standing, found: impl Into<String>) -> Self {
        let mut found: String = found.into();
        if let Some((end, _)) = found.char_indices().nth(MAX_FOUND) {
            found.truncate(end);
            found.push('…');
        }
        Self {
            about,
            standing,
            found,
            costs: Vec::new(),
            steps: Vec::new(),
        }
    }

    /// A thing in which nothing is to be done.
    pub fn good(about: &'static str, found: impl Into<String>) -> Self {
        Self::new(about, Standing::Good, found)
    }

    /// Says what it costs, beside what was said before.
    #[must_use]
    pub fn costs(mut self, cost: impl Into<String>) -> Self {
        self.costs.push(cost.into());
        self
    }

    /// Adds what to do next.
    #[must_use]
    pub fn step(mut self, step: impl Into<String>) -> Self {
        self.steps.push(step.into());
        self
    }
}
