//! Sensitivity labels, which are read from the file, and retention labels.

use serde_json::{Value, json};

use super::Graph;
use super::ids;
use super::reply::{Call, Outcome, Refusal, Reply};
use super::tree::{Drive, Item};

/// What may hold a sensitivity label.
const LABELLED: [&str; 6] = ["docx", "xlsx", "pptx", "pdf", "doc", "xls"];

/// `POST …/extractSensitivityLabels`.
pub(super) fn sensitivity(graph: &Graph, call: &Call<'_>, drive: &Drive, number: u64) -> Outcome {
    let item = drive.present(number).ok_or_else(Refusal::not_found)?;
    let ending = item
        .name
        .rsplit('.')
        .next()
        .unwrap_or_default()
        .to_ascii_lowercase();
    if item.folder || (!LABELLED.contains(&ending.as_str()) && item.sensitivity.is_none()) {
        return Err(Refusal::new(
            400,
            "invalidRequest",
            "The file type is not supported for sensitivity labels.",
        ));
    }
    let labels = match item.sensitivity.as_deref() {
        None => Vec::new(),
        Some(label) => match label.strip_prefix('!') {
            Some(code) => return Err(Refusal::new(423, code, "The label of this file cannot be read.")),
            None => vec![json!({
                "sensitivityLabelId": label,
                "assignmentMethod": "standard",
                "tenantId": graph.tenant.id,
            })],
        },
    };
    let result = json!({"@odata.type": "#microsoft.graph.extractSensitivityLabelsResult", "labels": labels});
    if graph.switches.settings_wrapped {
        return Ok(Reply::json(json!({"value": result})));
    }
    let mut flat = result;
    flat["@odata.context"] = call
        .context("microsoft.graph.extractSensitivityLabelsResult")
        .into();
    Ok(Reply::json(flat))
}

/// `GET …/retentionLabel`.
pub(super) fn retention(call: &Call<'_>, drive: &Drive, number: u64) -> Outcome {
    let item = drive.present(number).ok_or_else(Refusal::not_found)?;
    let label = retention_card(&item).unwrap_or_else(|| json!({"name": ""}));
    Ok(call.entity("itemRetentionLabel", label))
}

/// An item's retention label.
pub(super) fn retention_card(item: &Item) -> Option<Value> {
    let name = item.retention.as_ref()?;
    Some(json!({
        "id": ids::guid(&format!("retention {name}")),
        "name": name,
        "retentionSettings": {
            "behaviorDuringRetentionPeriod": "retain",
            "isDeleteAllowed": false,
            "isRecordLocked": false,
            "isMetadataUpdateAllowed": true,
            "isContentUpdateAllowed": true,
            "isLabelUpdateAllowed": false,
        },
        "isLabelAppliedExplicitly": true,
    }))
}
