//! The emulator against recorded answers of a real server, and against what its documentation says.

mod behaviour;
mod graph;
mod recordings;
