//! The one HTTP client of all adapters: how fast a source is asked, what is asked again, what is believed.
//!
//! It knows no service: a status is for the adapter to judge. It never follows a redirect, never sends to
//! another origin than its source's, keeps no cookie, and holds no answer larger than the request allows.
//! No error, log event or `Debug` of this module holds a credential, a query or a body.

mod answer;
mod body;
mod client;
mod connection;
mod day;
mod error;
mod gate;
mod rate;
mod request;
mod retry;
mod settings;
mod units;

#[cfg(test)]
mod tests;

pub use answer::Answer;
pub use body::Body;
pub use client::Client;
pub use day::{Day, DayError, Reserve};
pub use error::{HttpError, Place};
pub use request::{Credential, Effect, InvalidCredential, Request};
pub use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
pub use reqwest::{Method, StatusCode};
pub use settings::{Limits, Patience, Proxy, Settings, SetupError, Timeouts, USER_AGENT};
pub use units::Units;
