//! Scans of an emulated Microsoft 365 tenant.

mod budget;
mod faults;
mod incremental;
mod nights;
mod scopes;
mod shares;
mod sign_in;
pub(crate) mod writer;

use std::collections::BTreeMap;

use serde_json::{Value, json};

/// The share of a report that has this permission's id.
fn share_of<'r>(report: &'r Value, permission: &str) -> Option<&'r Value> {
    let ending = format!("/{permission}");
    let found: Vec<&Value> = shares(report)
        .iter()
        .filter(|share| share["id"].as_str().unwrap().ends_with(&ending))
        .collect();
    assert!(found.len() <= 1, "a share is reported once: {found:?}");
    found.first().copied()
}

/// The shares on a path of a report that holds all.
fn shares_on<'r>(report: &'r Value, path: &str) -> Vec<&'r Value> {
    shares(report)
        .iter()
        .filter(|share| share["item"]["path"] == path)
        .collect()
}

fn shares(report: &Value) -> &[Value] {
    report["shares"].as_array().unwrap()
}

/// The rules that fired on the shares of a path, with their levels.
fn fired<'r>(report: &'r Value, path: &str) -> BTreeMap<&'r str, &'r str> {
    report["findings"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|finding| finding["share"]["item"]["path"] == path)
        .map(|finding| {
            (
                finding["rule"].as_str().unwrap(),
                finding["level"].as_str().unwrap(),
            )
        })
        .collect()
}

/// What a share says, without what depends on how the service shows it.
fn essence(share: &Value) -> Value {
    json!([
        share["id"],
        share["kind"],
        share["audience"],
        share["access"],
        share["password"],
        share["expires"],
        share["item"]["path"],
        share["recipients"]
            .as_array()
            .unwrap()
            .iter()
            .map(|who| (&who["id"], &who["kind"]))
            .collect::<Vec<_>>(),
    ])
}

/// Sets one of the ways in which the emulated service answers.
fn switched(world: &Value, name: &str, value: Value) -> Value {
    let mut world = world.clone();
    world["microsoft365"]["switches"][name] = value;
    world
}
