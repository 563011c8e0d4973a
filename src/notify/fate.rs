//! What becomes of a letter.

use crate::model::names;

names! {
    /// Whom a letter tells.
    Reader {
        /// Whom it concerns: the owner, the sharer, or who answers for a site.
        Owner = "owner",
        /// The owner's manager.
        Manager = "manager",
        /// Whoever is told where nobody else can be.
        Fallback = "fallback",
        /// The contact for incidents.
        Contact = "contact",
        /// Whoever reads all letters on trial: nobody else was told.
        Redirected = "redirected",
    }
}

names! {
    /// What became of a letter.
    Outcome {
        /// It was accepted.
        Accepted = "accepted",
        /// Its address was refused for good.
        Refused = "refused",
        /// It did not leave, and may another time.
        Failed = "failed",
        /// It is not known whether it left: it is not sent again.
        Unknown = "unknown",
    }
}
