//! Answers, judged by what `cargo-generate.toml` declares.

use std::collections::BTreeMap;

use anyhow::{bail, ensure};
use toml::Value;

use crate::commands::options::{Choice, Declared, Kind, find, listed, named, nearest, shown};

/// Answers by the name of their option.
pub type Answers = BTreeMap<String, String>;

/// The answers in arguments of the form `option=value`.
pub fn defined(options: &[Declared], define: &[String]) -> anyhow::Result<Answers> {
    let mut answers = Answers::new();
    for argument in define {
        let Some((name, value)) = argument.split_once('=') else {
            bail!(
                "-d {} gives no answer: write -d option=value",
                named(argument)
            );
        };
        // cargo-generate drops blanks around the sign, too.
        let name = name.trim_end();
        let value = value.trim_start();
        judged(options, name, value)?;
        answers.insert(name.to_owned(), value.to_owned());
    }
    Ok(answers)
}

/// A value of the file as it would be written after `-d option=`.
pub fn plain(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Array(items) => Some(
            items
                .iter()
                .map(plain)
                .collect::<Option<Vec<_>>>()?
                .join(","),
        ),
        Value::Table(_) => None,
        other => Some(other.to_string()),
    }
}

/// Refuses a name that is no option, and a value that the option does not take.
pub fn judged(options: &[Declared], name: &str, value: &str) -> anyhow::Result<()> {
    judge(find(options, name)?, value)
}

/// Refuses a value that the option does not take.
pub fn judge(option: &Declared, value: &str) -> anyhow::Result<()> {
    let name = &option.name;
    if let Some(place) = &option.locked {
        ensure!(
            value.eq_ignore_ascii_case(&option.default),
            "{name} {}: {place} locks {name} to {}, and other answers are refused",
            shown(value),
            shown(&option.default)
        );
        return Ok(());
    }
    let removed = |value: &str| option.removed.iter().find(|(it, _)| it == value);
    let values = match &option.kind {
        Kind::List(_) => value.split(',').collect(),
        _ => vec![value],
    };
    if let Some((value, place)) = values.into_iter().find_map(removed) {
        bail!(
            "{name} {}: {place} removes this choice. The choices are {}",
            shown(value),
            listed(option.kind.values())
        );
    }
    match &option.kind {
        Kind::Text { shape, rule } => {
            if !shape.is_match(value) {
                bail!("{name} {}: {rule}", shown(value));
            }
        }
        Kind::Choice(choices) => choose(name, choices, value)?,
        Kind::Flag => {
            if !["true", "false"].contains(&value.to_lowercase().as_str()) {
                bail!("{name} {}: write true or false", shown(value));
            }
        }
        Kind::List(choices) => {
            for item in value.split(',').filter(|item| !item.is_empty()) {
                choose(name, choices, item)?;
            }
        }
    }
    Ok(())
}

fn choose(name: &str, choices: &[Choice], value: &str) -> anyhow::Result<()> {
    let values = || choices.iter().map(|choice| choice.value.as_str());
    if values().any(|choice| choice == value) {
        return Ok(());
    }
    let hint =
        nearest(value, values()).map_or_else(String::new, |near| format!("did you mean {near}? "));
    bail!(
        "{name} {}: {hint}The choices are {}",
        shown(value),
        listed(values())
    );
}
