//! The answers that are given before anything is asked, judged by what `cargo-generate.toml` declares.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{env, fs};

use anyhow::{Context, bail};
use toml::Value;

use crate::commands::options::{Choice, Declared, Kind, nearest};

/// Answers by the name of their option.
pub type Answers = BTreeMap<String, String>;

/// cargo-generate reads these too, and in this order: the later goes before the earlier.
const FILE_VARIABLE: &str = "CARGO_GENERATE_TEMPLATE_VALUES_FILE";
const VALUE_VARIABLE: &str = "CARGO_GENERATE_VALUE_";

/// The answers in the environment, the values file and the `-d` arguments.
pub fn given(
    options: &[Declared],
    define: &[String],
    file: Option<&Path>,
) -> anyhow::Result<Answers> {
    let mut answers = Answers::new();
    if let Some(path) = env::var_os(FILE_VARIABLE) {
        answers.extend(filed(options, &PathBuf::from(path))?);
    }
    for (variable, value) in env::vars_os() {
        let variable = variable.to_string_lossy();
        let Some(name) = variable.strip_prefix(VALUE_VARIABLE) else {
            continue;
        };
        let name = name.to_lowercase();
        // The name of the project, for whoever does not say it on the command line.
        if name != "project_name" {
            let value = value.to_string_lossy().into_owned();
            judged(options, &name, &value)
                .with_context(|| format!("in the environment, {}", named(&variable)))?;
            answers.insert(name, value);
        }
    }
    if let Some(path) = file {
        answers.extend(filed(options, path)?);
    }
    answers.extend(defined(options, define)?);
    Ok(answers)
}

/// The answers in arguments of the form `option=value`.
pub fn defined(options: &[Declared], define: &[String]) -> anyhow::Result<Answers> {
    define
        .iter()
        .map(|argument| {
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
            Ok((name.to_owned(), value.to_owned()))
        })
        .collect()
}

fn filed(options: &[Declared], path: &Path) -> anyhow::Result<Answers> {
    let shown = path.display();
    let text = fs::read_to_string(path)
        .with_context(|| format!("the values file {shown} cannot be read"))?;
    let table: toml::Table = toml::from_str(&text)
        .with_context(|| format!("the values file {shown} is no valid TOML"))?;
    if let Some(other) = table.keys().find(|key| *key != "values") {
        bail!(
            "the values file {shown} has an unknown key {}: answers stand in a table [values]",
            named(other)
        );
    }
    let values = table
        .get("values")
        .and_then(Value::as_table)
        .with_context(|| {
            format!("the values file {shown} has no table [values]: put the answers into one")
        })?;
    values
        .iter()
        .map(|(name, value)| {
            let text = plain(value).with_context(|| {
                format!("in the values file {shown}, {} is a table: write a string, a boolean or a list of strings", named(name))
            })?;
            judged(options, name, &text).with_context(|| format!("in the values file {shown}"))?;
            Ok((name.clone(), text))
        })
        .collect()
}

/// A value of the file as it would be written after `-d option=`.
fn plain(value: &Value) -> Option<String> {
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

/// How many characters of a refused value are shown.
const SHOWN: usize = 60;

/// A refused value in a sentence: quoted, short, and with nothing in it that a terminal obeys.
pub fn shown(value: &str) -> String {
    let length = value.chars().count();
    if length <= SHOWN {
        return format!("{value:?}");
    }
    let head: String = value.chars().take(SHOWN).collect();
    let quoted = format!("{head:?}");
    let head = quoted.strip_suffix('"').unwrap_or(&quoted);
    format!("{head}…\" ({length} characters)")
}

/// The same of what is a name, where that is one: without quotation marks.
fn named(name: &str) -> String {
    let quoted = shown(name);
    if quoted == format!("\"{name}\"") && !name.is_empty() {
        name.to_owned()
    } else {
        quoted
    }
}

/// Refuses a name that is no option, and a value that the option does not take.
fn judged(options: &[Declared], name: &str, value: &str) -> anyhow::Result<()> {
    let Some(option) = options.iter().find(|option| option.name == name) else {
        let names = || options.iter().map(|option| option.name.as_str());
        let hint = nearest(name, names())
            .map_or_else(String::new, |near| format!("did you mean {near}? "));
        bail!(
            "{} is no option: {hint}The options are {}",
            named(name),
            listed(names(), "and")
        );
    };
    judge(option, value)
}

/// Refuses a value that the option does not take.
pub fn judge(option: &Declared, value: &str) -> anyhow::Result<()> {
    let name = &option.name;
    match &option.kind {
        Kind::Text { shape, rule } => {
            if !shape.is_match(value) {
                bail!("{} is refused as {name}: {rule}", shown(value));
            }
        }
        Kind::Choice(choices) => choose(name, choices, value)?,
        Kind::Flag => {
            if !["true", "false"].contains(&value.to_lowercase().as_str()) {
                bail!("{} is refused as {name}: write true or false", shown(value));
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
        "{} is refused as {name}: {hint}The choices are {}",
        shown(value),
        listed(values(), "and")
    );
}

fn listed<'a>(names: impl Iterator<Item = &'a str>, last: &str) -> String {
    let names: Vec<&str> = names.collect();
    match names.split_last() {
        Some((end, [])) => (*end).to_owned(),
        Some((end, rest)) => format!("{} {last} {end}", rest.join(", ")),
        None => String::new(),
    }
}
