//! The emulators against recorded answers of real services, and against what their documentation says.

mod behaviour;
mod graph;
mod graph_delta;
mod graph_entra;
mod graph_limits;
mod graph_permissions;
mod recordings;
mod tenant;
