//! Asks for the sensitivity and retention labels of items whose confidentiality matters.
//!
//! <https://learn.microsoft.com/en-us/graph/api/driveitem-extractsensitivitylabels?view=graph-rest-1.0> (files only, and
//! it may have to open them) and <https://learn.microsoft.com/en-us/graph/api/driveitem-getretentionlabel>. What lies
//! beneath a folder takes as much a file, so that only small folders are looked into (`inside.rs`); the others stay
//! undetermined.

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
pub(super) const AT_ONCE: usize = MOST / 2;

/// What was found of one label.
#[derive(Debug, PartialEq)]
pub(super) enum Found {
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
pub(super) struct Failed {
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
            let targets: Vec<Target> = some.iter().map(Target::of).collect();
            let found = self.ask_labels(&targets, &mut failed).await?;
            for (item, found) in some.iter().zip(found) {
                let inside = match item.kind {
                    ItemKind::Folder => self.look_inside(item, classes, &mut failed).await?,
                    ItemKind::File | ItemKind::Other => None,
                };
                collector.push(told(item, found, inside, classes)).await?;
            }
        }
        if let Some(problem) = failed.problem() {
            collector.push(Reading::Problem(problem)).await?;
        }
        Ok(collector.flush().await?)
    }

    /// The labels of up to [`AT_ONCE`] things, in their order.
    pub(super) async fn ask_labels(
        &self,
        targets: &[Target],
        failed: &mut Failed,
    ) -> Result<Vec<Vec<Found>>, ReadError> {
        let asked = targets.iter().flat_map(Target::questions).collect();
        let mut answers = self.graph.batch(asked).await?.into_iter();
        let mut all = Vec::new();
        for target in targets {
            let mut found = Vec::new();
            for read in target.readings() {
                let told = answers
                    .next()
                    .map(|answer| answer.and_then(|answer| read(self, &answer)));
                found.push(match told {
                    Some(told) => self.or_untold(told, failed)?,
                    None => Found::Untold,
                });
            }
            all.push(found);
        }
        Ok(all)
    }

    /// What could not be asked of one item is not known of it, and hides nothing of the others. Without the right to
    /// labels none need be asked; the person who signed in is not meant to have it.
    fn or_untold(&self, found: Result<Found, ReadError>, failed: &mut Failed) -> Result<Found, ReadError> {
        Ok(self.unless_hopeless(found, failed)?.unwrap_or(Found::Untold))
    }

    /// `None` where one thing could not be asked, and others may.
    pub(super) fn unless_hopeless<T>(
        &self,
        told: Result<T, ReadError>,
        failed: &mut Failed,
    ) -> Result<Option<T>, ReadError> {
        match told {
            Ok(told) => Ok(Some(told)),
            Err(error) if errors::has_code(&error, ProblemCode::Forbidden) => {
                if self.delegated {
                    Ok(None)
                } else {
                    Err(error)
                }
            }
            Err(error) if errors::ends_source(&error) => Err(error),
            Err(error) => {
                failed.number += 1;
                failed.first.get_or_insert(error);
                Ok(None)
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

/// What is known of an item's labels now: what its drive told of paths, its own, and those of what is inside.
fn told(item: &Item, found: Vec<Found>, inside: Option<Labels>, classes: &Classes) -> Reading {
    let mut labels = item.labels.clone().unwrap_or_default();
    labels.complete = true;
    take_in(&mut labels, found, classes);
    match (item.kind, inside) {
        (ItemKind::File, _) => {}
        (_, Some(inside)) => {
            labels.found.extend(inside.found);
            labels.complete &= inside.complete;
        }
        (_, None) => labels.complete = false,
    }
    Reading::Labels {
        item: item.id.clone(),
        drive: item.drive.clone(),
        classes: classes.digest().to_owned(),
        labels,
        more: false,
        files_beneath: item.files_beneath,
    }
}

/// Adds what was found of one thing.
pub(super) fn take_in(labels: &mut Labels, found: Vec<Found>, classes: &Classes) {
    for found in found {
        match found {
            Found::Labels(tags) => labels
                .found
                .extend(tags.iter().flat_map(|tag| classes.of_tag(tag))),
            Found::Untold => labels.complete = false,
        }
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

/// How an answer is read.
type Read = fn(&Microsoft365, &InnerAnswer) -> Result<Found, ReadError>;

/// Something whose labels are asked for.
pub(super) struct Target {
    drive: String,
    id: String,
    /// Folders have no sensitivity label.
    folder: bool,
}

impl Target {
    fn of(item: &Item) -> Self {
        Self {
            drive: item.drive.clone().unwrap_or_default(),
            id: item.id.clone(),
            folder: item.kind == ItemKind::Folder,
        }
    }

    /// A file of a drive.
    pub(super) fn file(drive: &str, id: String) -> Self {
        Self {
            drive: drive.to_owned(),
            id,
            folder: false,
        }
    }

    /// What is asked: one question of a folder, two of a file.
    fn questions(&self) -> Vec<Inner> {
        let at = format!("/drives/{}/items/{}", segment(&self.drive), segment(&self.id));
        let mut questions = vec![Inner::get(format!("{at}/retentionLabel"), Kind::One)];
        if !self.folder {
            questions.push(Inner::post(format!("{at}/extractSensitivityLabels"), Kind::Many));
        }
        questions
    }

    /// How the answers are read, in the order of the questions.
    fn readings(&self) -> &'static [Read] {
        if self.folder {
            &[|_, answer| retention(answer)]
        } else {
            &[
                |_, answer| retention(answer),
                |adapter, answer| sensitivity(&adapter.setup.label_names, answer),
            ]
        }
    }
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
    fn labels_are_complete_only_where_everything_was_told() {
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
        let looked_into = |labelled: bool, complete| {
            let found = labelled.then(|| "secret".to_owned()).into_iter().collect();
            Some(Labels { found, complete })
        };
        for (kind, found, inside, labelled, complete) in [
            (ItemKind::File, vec![none(), none()], None, false, true),
            (ItemKind::File, vec![none(), hit()], None, true, true),
            (ItemKind::File, vec![hit(), Found::Untold], None, true, false),
            (ItemKind::File, vec![none(), Found::Untold], None, false, false),
            (ItemKind::Folder, vec![none()], None, false, false),
            (
                ItemKind::Folder,
                vec![none()],
                looked_into(false, true),
                false,
                true,
            ),
            (
                ItemKind::Folder,
                vec![none()],
                looked_into(true, false),
                true,
                false,
            ),
            (
                ItemKind::Folder,
                vec![Found::Untold],
                looked_into(false, true),
                false,
                false,
            ),
            (
                ItemKind::Folder,
                vec![hit()],
                looked_into(false, true),
                true,
                true,
            ),
            (ItemKind::Other, vec![none(), none()], None, false, false),
        ] {
            let Reading::Labels { labels, .. } = told(&item(kind), found, inside, &classes) else {
                panic!("no labels are told")
            };
            assert_eq!(
                (!labels.found.is_empty(), labels.complete),
                (labelled, complete),
                "{kind}"
            );
        }
        for (kind, questions) in [(ItemKind::Folder, 1), (ItemKind::File, 2)] {
            let target = Target::of(&item(kind));
            assert_eq!(target.questions().len(), questions, "{kind}");
            assert_eq!(target.readings().len(), questions, "{kind}");
        }
    }
}
