//! Plain values against the schema: words, days, strings, numbers; and what to say of a wrong type.

use serde_json::Value;
use toml::de::DeValue;

use super::Findings;
use crate::config::{
    nearest::nearest,
    schema::{self, Form},
    tree::Node,
};

pub(super) fn check_word(value: &Node<'_>, words: &[&str], name: &str, findings: &mut Findings<'_>) -> bool {
    let Some(given) = value.get_ref().as_str() else {
        return wrong_type(value, "a string", name, findings);
    };
    if words.contains(&given) {
        return true;
    }
    findings.add(format!("`{name}` cannot be `{given}`"), value, "not known");
    if let Some(meant) = nearest(given, words.iter().copied()) {
        findings.remedy(format!("did you mean \"{meant}\"?"));
    }
    findings.remedy(format!("`{name}` is one of: {}", words.join(", ")));
    false
}

pub(super) fn check_date(value: &Node<'_>, name: &str, findings: &mut Findings<'_>) -> bool {
    match value.get_ref() {
        DeValue::Datetime(time) if time.date.is_some() && time.time.is_none() => true,
        DeValue::Datetime(_) | DeValue::String(_) => {
            findings.add(format!("`{name}` is a day"), value, "not a day");
            findings.remedy(format!(
                "write year, month and day without quotes: `{name} = 2027-03-31`"
            ));
            false
        }
        _ => wrong_type(value, "a day such as 2027-03-31", name, findings),
    }
}

pub(super) fn check_plain(
    value: &Node<'_>,
    wanted: &str,
    schema: &Value,
    name: &str,
    findings: &mut Findings<'_>,
) -> bool {
    match (wanted, value.get_ref()) {
        ("boolean", DeValue::Boolean(_)) => true,
        ("string", DeValue::String(text)) => check_text(value, text, name, findings),
        ("integer", DeValue::Integer(number)) => {
            let given = i64::from_str_radix(number.as_str(), number.radix()).ok();
            #[expect(
                clippy::cast_precision_loss,
                reason = "limits are small, and beyond them all is too large"
            )]
            in_range(value, given.map(|given| given as f64), schema, name, findings)
        }
        ("number", DeValue::Integer(number)) => {
            in_range(value, number.as_str().parse().ok(), schema, name, findings)
        }
        ("number", DeValue::Float(number)) => in_range(
            value,
            number.as_str().replace('_', "").parse().ok(),
            schema,
            name,
            findings,
        ),
        _ => wrong_type(value, with_article(wanted), name, findings),
    }
}

fn check_text(value: &Node<'_>, text: &str, name: &str, findings: &mut Findings<'_>) -> bool {
    if text.trim().is_empty() {
        findings.add(format!("`{name}` is empty"), value, "nothing in it");
        findings.remedy("give a value, or take the key out");
        return false;
    }
    if text.chars().any(char::is_control) {
        findings.add(
            format!("`{name}` has a control character in it"),
            value,
            "in here",
        );
        findings.remedy("take it out: it can be invisible in an editor");
        return false;
    }
    true
}

fn in_range(
    value: &Node<'_>,
    given: Option<f64>,
    schema: &Value,
    name: &str,
    findings: &mut Findings<'_>,
) -> bool {
    let limit = |name: &str| schema.get(name).and_then(Value::as_f64);
    let (least, most) = (limit("minimum"), limit("maximum"));
    let fits = given.is_some_and(|given| {
        given.is_finite() && least.is_none_or(|least| given >= least) && most.is_none_or(|most| given <= most)
    });
    if !fits {
        findings.add(format!("`{name}` is out of range"), value, "out of range");
        findings.remedy(match (least, most) {
            (Some(least), Some(most)) => format!("from {least} to {most}"),
            (Some(least), None) => format!("{least} or more"),
            (None, Some(most)) => format!("{most} at most"),
            (None, None) => "a smaller number".to_owned(),
        });
    }
    fits
}

pub(super) fn wrong_type(value: &Node<'_>, wanted: &str, name: &str, findings: &mut Findings<'_>) -> bool {
    let given = with_article(value.get_ref().type_str());
    findings.add(
        format!("`{name}` has to be {wanted}"),
        value,
        format!("this is {given}"),
    );
    match (wanted, value.get_ref()) {
        ("a list of strings", DeValue::String(_)) => findings.remedy("put it in brackets: `[\"…\"]`"),
        ("a list of tables", DeValue::Table(_)) => {
            findings.remedy(format!("write its header in two pairs of brackets, `[[{name}]]`"));
        }
        ("a string", _) => findings.remedy("put it in quotes"),
        ("true or false" | "a whole number", DeValue::String(_)) => findings.remedy("without quotes"),
        _ => {}
    }
    false
}

pub(super) fn list_of(items: Option<&Value>) -> &'static str {
    match items.map(schema::form) {
        Some(Form::Plain("string") | Form::Words(_)) => "a list of strings",
        Some(Form::Table(_) | Form::Tagged(..) | Form::OneKey(_)) => "a list of tables",
        _ => "a list",
    }
}

fn with_article(kind: &str) -> &'static str {
    match kind {
        "string" => "a string",
        "integer" => "a whole number",
        "number" | "float" => "a number",
        "boolean" => "true or false",
        "datetime" => "a date or time",
        "array" => "a list",
        "table" | "object" => "a table",
        _ => "something else",
    }
}
