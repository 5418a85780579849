//! The JSON Schema of `kit.toml`, and a values file with its answers.

use std::fmt::Write;

use serde_json::{Map, Value, json};

use super::model::{Form, KEYS, Kit};
use crate::commands::options::{Declared, Kind};

/// The schema, for the options of the template.
#[must_use]
pub fn schema(options: &[Declared]) -> Value {
    let properties: Map<String, Value> = KEYS
        .iter()
        .map(|(name, form, meaning)| {
            let mut value = of_form(*form, options);
            if let Value::Object(object) = &mut value {
                object.insert("description".to_owned(), json!(meaning));
            }
            ((*name).to_owned(), value)
        })
        .collect();
    json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "The kit of an organisation",
        "type": "object",
        "additionalProperties": false,
        "properties": properties,
    })
}

fn of_form(form: Form, options: &[Declared]) -> Value {
    let text = json!({ "type": "string", "pattern": "\\S" });
    match form {
        Form::Text => text,
        Form::Texts => json!({ "type": "array", "items": text }),
        Form::Answers => table(options.iter().map(|it| (it, of_option(it)))),
        Form::Choices => table(
            options
                .iter()
                .filter(|it| it.kind.values().next().is_some())
                .map(|it| {
                    let values: Vec<&str> = it.kind.values().collect();
                    (it, json!({ "type": "array", "items": { "enum": values } }))
                }),
        ),
        Form::Contacts => json!({
            "type": "object",
            "additionalProperties": false,
            "properties": { "security": text, "support": text },
        }),
        Form::Signing => json!({
            "type": "object",
            "additionalProperties": false,
            "required": ["arguments"],
            "properties": {
                "arguments": text,
                "timestamp_server": { "type": "string", "pattern": "^https?://[^\\s\"']+$" },
            },
        }),
        Form::Altitudes => json!({
            "type": "array",
            "items": {
                "type": "object",
                "additionalProperties": false,
                "required": ["value", "project"],
                "properties": {
                    "value": { "type": "string", "pattern": "^[0-9]{5,6}(\\.[0-9]+)?$" },
                    "project": { "type": "string", "description": "Empty if no project has it" },
                },
            },
        }),
        Form::Rules => {
            let condition = table(options.iter().map(|it| {
                let one = match &it.kind {
                    Kind::List(_) => json!({ "enum": it.kind.values().collect::<Vec<_>>() }),
                    _ => of_option(it),
                };
                let some = json!({ "anyOf": [one, { "type": "array", "items": one }] });
                (it, some)
            }));
            json!({
                "type": "array",
                "items": {
                    "type": "object",
                    "additionalProperties": false,
                    "required": ["when", "then", "message"],
                    "properties": { "when": condition, "then": condition, "message": text },
                },
            })
        }
    }
}

/// A table with a key for each option.
fn table<'a>(options: impl Iterator<Item = (&'a Declared, Value)>) -> Value {
    let properties: Map<String, Value> = options
        .map(|(option, mut value)| {
            if let Value::Object(object) = &mut value {
                object.insert("description".to_owned(), json!(option.prompt));
            }
            (option.name.clone(), value)
        })
        .collect();
    json!({ "type": "object", "additionalProperties": false, "properties": properties })
}

/// An answer to an option.
fn of_option(option: &Declared) -> Value {
    let values = || option.kind.values().collect::<Vec<_>>();
    match &option.kind {
        Kind::Text { shape, .. } => json!({ "type": "string", "pattern": shape.as_str() }),
        Kind::Choice(_) => json!({ "enum": values() }),
        Kind::Flag => json!({ "type": "boolean" }),
        Kind::List(_) => json!({ "type": "array", "items": { "enum": values() } }),
    }
}

/// A values file for `cargo generate`, with the defaults and the locked answers of a kit.
#[must_use]
pub fn values(kit: &Kit, options: &[Declared]) -> String {
    let mut text = format!(
        "# The defaults and the locked answers of {}, for cargo generate --values-file. cargo generate applies neither the\n\
         # rules nor the files of a kit.\n[values]\n",
        kit.shown
    );
    for option in options {
        let answers = kit.locked.iter().chain(&kit.defaults);
        for answer in answers.filter(|it| it.option == option.name) {
            // Writing to a string does not fail.
            let _ = writeln!(text, "{} = {}", option.name, option.toml(&answer.value));
        }
    }
    text
}
