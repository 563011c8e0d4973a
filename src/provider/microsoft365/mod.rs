//! The Microsoft 365 adapter: reads shares through Microsoft Graph.

pub mod auth;
