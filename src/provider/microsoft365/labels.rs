//! Asks for the sensitivity and retention labels of items whose confidentiality matters.
//!
//! <https://learn.microsoft.com/en-us/graph/api/driveitem-extractsensitivitylabels?view=graph-rest-1.0> (files only, and
//! it may have to open them) and <https://learn.microsoft.com/en-us/graph/api/driveitem-getretentionlabel>. Labels of
//! what lies beneath a folder would take a request a file: they are not asked for, and the folder stays undetermined.

use serde::Deserialize;
use serde_json::Value;

use super::batch::{Inner, InnerAnswer, MOST};
use super::graph::{Kind, segment};
use super::{Microsoft365, errors};
use crate::http::StatusCode;
use crate::model::{Classes, Item, ItemKind, Labels, ProblemCode, Reading, Want};
use crate::provider::{ReadError, Sink};

/// Two questions an item at most.
const AT_ONCE: usize = MOST / 2;

/// What was found of one label.
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
        for some in items.chunks(AT_ONCE) {
            let asked = some.iter().flat_map(questions).collect();
            let mut answers = self.graph.batch(asked).await?.into_iter();
            for item in some {
                let mut found = Vec::new();
                if let Some(answer) = answers.next() {
                    found.push(self.unless_delegated(retention(&answer?))?);
                }
                if has_sensitivity(item)
                    && let Some(answer) = answers.next()
                {
                    found.push(self.unless_delegated(self.sensitivity(&answer?))?);
                }
                collector.push(told(item, found, classes)).await?;
            }
        }
        Ok(collector.flush().await?)
    }

    /// Labels that the person who signed in may not ask for are not known; an application without the right to them is
    /// not set up as it should be.
    fn unless_delegated(&self, found: Result<Found, ReadError>) -> Result<Found, ReadError> {
        match found {
            Err(error) if self.delegated && errors::has_code(&error, ProblemCode::Forbidden) => Ok(Found::Untold),
            found => found,
        }
    }

    /// The sensitivity labels of an answer: their ids, and the names that the configuration gives them.
    fn sensitivity(&self, answer: &InnerAnswer) -> Result<Found, ReadError> {
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
                    labels.extend(self.setup.label_names.get(&id.to_lowercase()).cloned());
                    labels.push(id);
                }
                _ => return Ok(Found::Untold),
            }
        }
        Ok(Found::Labels(labels))
    }
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
            let name = told
                .get("name")
                .and_then(Value::as_str)
                .filter(|name| !name.is_empty());
            Ok(Found::Labels(name.into_iter().map(str::to_owned).collect()))
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
    ["notsupported", "not supported", "unsupported"]
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
