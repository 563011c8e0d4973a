//! Asks for the sensitivity and retention labels of items whose confidentiality matters.
//!
//! <https://learn.microsoft.com/en-us/graph/api/driveitem-extractsensitivitylabels?view=graph-rest-1.0> (files only, and
//! it may have to open them) and <https://learn.microsoft.com/en-us/graph/api/driveitem-getretentionlabel>. Labels of
//! what lies beneath a folder would take a request a file: they are not asked for, and the folder stays undetermined.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::batch::{Inner, InnerAnswer, MOST};
use super::graph::{Kind, segment};
use super::{Microsoft365, errors};
use crate::http::StatusCode;
use crate::model::{Classes, Item, ItemKind, Labels, Problem, ProblemCode, Reading, Want};
use crate::provider::{ReadError, Sink};

/// Two questions an item at most.
const AT_ONCE: usize = MOST / 2;

/// What was found of one label.
#[derive(Debug, PartialEq)]
enum Found {
    /// These labels, or none.
    Labels(Vec<String>),
    /// It cannot be told of this item.
    Untold,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Sensitivity {
    sensitivity_label_id: Option<String>,
}

/// What could not be asked.
#[derive(Default)]
struct Failed {
    number: u64,
    first: Option<ReadError>,
}

impl Failed {
    fn problem(self) -> Option<Problem> {
        let problem = self.first?.problem("*")?;
        let words = format!(
            "{} labels could not be asked for, the first because: {}",
            self.number, problem.message
        );
        Some(Problem::new("*", ProblemCode::LabelsUnreadable, words))
    }
}

impl Microsoft365 {
    /// Looks for the labels of items; where no label classifies, what the drive told is all there is.
    pub(super) async fn look_for_labels(
        &self,
        wants: Vec<Want>,
        classes: &Classes,
        sink: &Sink,
    ) -> Result<(), ReadError> {
        if !classes.has_tags() {
            return Ok(());
        }
        let mut collector = sink.of(None);
        let mut items: Vec<Item> = wants.into_iter().map(|want| want.item).collect();
        // An item may be shared in several ways.
        items.sort_by(|one, other| (&one.drive, &one.id).cmp(&(&other.drive, &other.id)));
        items.dedup_by(|one, other| (&one.drive, &one.id) == (&other.drive, &other.id));
        let mut failed = Failed::default();
        for some in items.chunks(AT_ONCE) {
            let asked = some.iter().flat_map(questions).collect();
            let mut answers = self.graph.batch(asked).await?.into_iter();
            for item in some {
                let mut found = Vec::new();
                if let Some(answer) = answers.next() {
                    let told = answer.and_then(|answer| retention(&answer));
                    found.push(self.or_untold(told, &mut failed)?);
                }
                if has_sensitivity(item)
                    && let Some(answer) = answers.next()
                {
                    let told = answer.and_then(|answer| sensitivity(&self.setup.label_names, &answer));
                    found.push(self.or_untold(told, &mut failed)?);
                }
                collector.push(told(item, found, classes)).await?;
            }
        }
        if let Some(problem) = failed.problem() {
            collector.push(Reading::Problem(problem)).await?;
        }
        Ok(collector.flush().await?)
    }

    /// What could not be asked of one item is not known of it, and hides nothing of the others. Without the right to
    /// labels none need be asked; the person who signed in is not meant to have it.
    fn or_untold(&self, found: Result<Found, ReadError>, failed: &mut Failed) -> Result<Found, ReadError> {
        match found {
            Ok(found) => Ok(found),
            Err(error) if errors::has_code(&error, ProblemCode::Forbidden) => {
                if self.delegated {
                    Ok(Found::Untold)
                } else {
                    Err(error)
                }
            }
            Err(error) if errors::ends_source(&error) => Err(error),
            Err(error) => {
                failed.number += 1;
                failed.first.get_or_insert(error);
                Ok(Found::Untold)
            }
        }
    }
}

/// The sensitivity labels of an answer: their ids, and the names that the configuration gives them.
fn sensitivity(names: &BTreeMap<String, String>, answer: &InnerAnswer) -> Result<Found, ReadError> {
    match answer.status {
        StatusCode::OK => {}
        // A type of file that cannot have one; how the service says so is not documented.
        StatusCode::UNSUPPORTED_MEDIA_TYPE => return Ok(Found::Labels(Vec::new())),
        StatusCode::BAD_REQUEST if is_unsupported(answer) => return Ok(Found::Labels(Vec::new())),
        // Encrypted in a way that the service cannot look into.
        StatusCode::LOCKED | StatusCode::NOT_FOUND => return Ok(Found::Untold),
        status if status.is_client_error() && status != StatusCode::FORBIDDEN => {
            return Ok(Found::Untold);
        }
        _ => return Err(refused(answer)),
    }
    let told: Value = answer.json()?;
    // The documentation shows both forms.
    let result = told.get("value").unwrap_or(&told);
    let Some(list) = result.get("labels").and_then(Value::as_array) else {
        return Ok(Found::Untold);
    };
    let mut labels = Vec::new();
    for entry in list {
        match serde_json::from_value::<Sensitivity>(entry.clone()) {
            Ok(Sensitivity {
                sensitivity_label_id: Some(id),
            }) => {
                labels.extend(names.get(&id.to_lowercase()).cloned());
                labels.push(id);
            }
            _ => return Ok(Found::Untold),
        }
    }
    Ok(Found::Labels(labels))
}

/// The retention label of an answer, by its name.
fn retention(answer: &InnerAnswer) -> Result<Found, ReadError> {
    match answer.status {
        StatusCode::OK => {
            let told: Value = answer.json()?;
            let told = told
                .get("value")
                .filter(|value| value.is_object())
                .unwrap_or(&told);
            Ok(match told.get("name") {
                Some(Value::String(name)) if !name.is_empty() => Found::Labels(vec![name.clone()]),
                None | Some(Value::Null | Value::String(_)) if told.is_object() => Found::Labels(Vec::new()),
                _ => Found::Untold,
            })
        }
        // None was ever applied.
        StatusCode::NO_CONTENT | StatusCode::NOT_FOUND => Ok(Found::Labels(Vec::new())),
        status if status.is_client_error() && status != StatusCode::FORBIDDEN => Ok(Found::Untold),
        _ => Err(refused(answer)),
    }
}

/// What is known of an item's labels now, beside what its drive told.
fn told(item: &Item, found: Vec<Found>, classes: &Classes) -> Reading {
    let before = item.labels.clone().unwrap_or_default();
    let mut labels = Labels {
        found: before.found,
        complete: item.kind == ItemKind::File && found.len() == 2,
    };
    for found in found {
        match found {
            Found::Labels(tags) => labels
                .found
                .extend(tags.iter().flat_map(|tag| classes.of_tag(tag))),
            Found::Untold => labels.complete = false,
        }
    }
    Reading::Labels {
        item: item.id.clone(),
        drive: item.drive.clone(),
        classes: classes.digest().to_owned(),
        labels,
        files_beneath: item.files_beneath,
    }
}

fn is_unsupported(answer: &InnerAnswer) -> bool {
    let told = answer.told();
    // One that is encrypted may well have a label.
    !told.speaks_of("crypt")
        && ["notsupported", "not supported", "unsupported"]
            .iter()
            .any(|words| told.speaks_of(words))
}

/// Whether an item can have a sensitivity label: folders cannot.
fn has_sensitivity(item: &Item) -> bool {
    item.kind != ItemKind::Folder
}

/// What is asked of an item.
fn questions(item: &Item) -> Vec<Inner> {
    let at = format!(
        "/drives/{}/items/{}",
        segment(item.drive.as_deref().unwrap_or_default()),
        segment(&item.id)
    );
    let mut questions = vec![Inner::get(format!("{at}/retentionLabel"), Kind::One)];
    if has_sensitivity(item) {
        questions.push(Inner::post(format!("{at}/extractSensitivityLabels"), Kind::Many));
    }
    questions
}

fn refused(answer: &InnerAnswer) -> ReadError {
    let error = answer.refusal();
    if errors::has_code(&error, ProblemCode::Forbidden) {
        return ReadError::service(
            ProblemCode::Forbidden,
            format!("{error}; grant the application Files.Read.All"),
        );
    }
    error
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const LABEL: &str = "3f6e5c1a-0000-4000-8000-000000000001";

    /// These labels, where the answer can be read at all.
    macro_rules! labels {
        ($($label:expr),*) => { Some(Found::Labels(vec![$($label.to_owned()),*])) };
    }

    #[test]
    fn a_sensitivity_label_is_none_only_where_the_service_says_so() {
        let names = BTreeMap::from([(LABEL.to_owned(), "Confidential".to_owned())]);
        let upper = LABEL.to_uppercase();
        let named = |id: &str| labels!["Confidential", id];
        let error = |code: &str| json!({"error": {"code": code, "message": "no"}});
        for (status, body, found) in [
            (
                200,
                json!({"value": {"labels": [{"sensitivityLabelId": LABEL}]}}),
                named(LABEL),
            ),
            (
                200,
                json!({"labels": [{"sensitivityLabelId": upper}]}),
                named(&upper),
            ),
            (
                200,
                json!({"labels": [{"sensitivityLabelId": "other"}]}),
                labels!["other"],
            ),
            (200, json!({"value": {"labels": []}}), labels![]),
            (200, json!({"value": {"labels": [{}]}}), Some(Found::Untold)),
            (
                200,
                json!({"value": {"labels": [{"sensitivityLabelId": 7}]}}),
                Some(Found::Untold),
            ),
            (200, json!({"value": {"labels": null}}), Some(Found::Untold)),
            (200, json!({}), Some(Found::Untold)),
            (200, json!([]), Some(Found::Untold)),
            (400, error("notSupported"), labels![]),
            (415, json!({}), labels![]),
            (400, error("fileDecryptionNotSupported"), Some(Found::Untold)),
            (400, error("invalidRequest"), Some(Found::Untold)),
            (423, error("fileDoubleKeyEncrypted"), Some(Found::Untold)),
            (423, error("fileDecryptionNotSupported"), Some(Found::Untold)),
            (404, error("itemNotFound"), Some(Found::Untold)),
            (403, error("accessDenied"), None),
            (429, error("tooManyRequests"), Some(Found::Untold)),
            (500, json!({}), None),
        ] {
            let told = sensitivity(&names, &InnerAnswer::of(status, Some(&body)));
            assert_eq!(told.ok(), found, "{status} {body}");
        }
    }

    #[test]
    fn a_retention_label_is_none_only_where_the_service_says_so() {
        for (status, body, found) in [
            (200, Some(json!({"name": "Keep"})), labels!["Keep"]),
            (200, Some(json!({"value": {"name": "Keep"}})), labels!["Keep"]),
            (200, Some(json!({"name": null})), labels![]),
            (200, Some(json!({"name": ""})), labels![]),
            (200, Some(json!({"name": 7})), Some(Found::Untold)),
            (200, Some(json!([])), Some(Found::Untold)),
            (200, Some(json!("Keep")), Some(Found::Untold)),
            (200, None, None),
            (204, None, labels![]),
            (404, None, labels![]),
            (423, None, Some(Found::Untold)),
            (403, None, None),
            (503, None, None),
        ] {
            let told = retention(&InnerAnswer::of(status, body.as_ref()));
            assert_eq!(told.ok(), found, "{status} {body:?}");
        }
    }

    #[test]
    fn labels_are_complete_only_for_a_file_of_which_everything_was_told() {
        let classes = [("secret".to_owned(), Vec::new(), vec!["Confidential".to_owned()])];
        let classes = Classes::compile(&classes).unwrap();
        let item = |kind| Item {
            id: "i".into(),
            path: "/x".into(),
            path_is_owners: true,
            kind,
            size: None,
            files_beneath: None,
            drive: Some("d".into()),
            labels: None,
        };
        let hit = || Found::Labels(vec!["CONFIDENTIAL".to_owned()]);
        let none = || Found::Labels(Vec::new());
        for (kind, found, labelled, complete) in [
            (ItemKind::File, vec![none(), none()], false, true),
            (ItemKind::File, vec![none(), hit()], true, true),
            (ItemKind::File, vec![hit(), Found::Untold], true, false),
            (ItemKind::File, vec![none(), Found::Untold], false, false),
            (ItemKind::File, vec![none()], false, false),
            (ItemKind::Folder, vec![none()], false, false),
            (ItemKind::Other, vec![none(), none()], false, false),
        ] {
            let Reading::Labels { labels, .. } = told(&item(kind), found, &classes) else {
                panic!("no labels are told")
            };
            assert_eq!(
                (!labels.found.is_empty(), labels.complete),
                (labelled, complete),
                "{kind}"
            );
        }
        assert_eq!(questions(&item(ItemKind::Folder)).len(), 1);
        assert_eq!(questions(&item(ItemKind::File)).len(), 2);
    }
}
