//! What holds for all rules together: the order in which levels are settled, and properties of judging.

mod levels;
mod properties;
pub(crate) mod worlds;
