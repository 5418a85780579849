//! The options of the template, as `cargo-generate.toml` declares them.
//!
//! That file is the only place where an option is declared. `new`, the test matrix and others read the options from here.

pub mod list;

use std::fs;
use std::path::Path;

use anyhow::{Context, bail};
use toml::Value;

/// An option of the template.
#[derive(Clone, Debug)]
pub struct Declared {
    /// Its name, as in `-d name=value`.
    pub name: String,
    /// The prompt at a terminal.
    pub prompt: String,
    /// The kind of answer it takes.
    pub kind: Kind,
    /// The default, as it is written after `-d name=`.
    pub default: String,
    /// The place at which a kit locks the answer to the default.
    pub locked: Option<String>,
    /// The choices that a kit removes, each with the place.
    pub removed: Vec<(String, String)>,
}

/// The kind of answer that an option takes.
#[derive(Clone, Debug)]
pub enum Kind {
    /// Free text.
    Text {
        /// Its form.
        shape: regex::Regex,
        /// The sentence that describes the form.
        rule: String,
    },
    /// One of several values.
    Choice(Vec<Choice>),
    /// `true` or `false`.
    Flag,
    /// Some of several values, separated by commas.
    List(Vec<Choice>),
}

impl Declared {
    /// An answer as a value in TOML.
    #[must_use]
    pub fn toml(&self, answer: &str) -> Value {
        match self.kind {
            Kind::Flag => Value::from(answer.eq_ignore_ascii_case("true")),
            Kind::List(_) => {
                let items = answer.split(',').filter(|item| !item.is_empty());
                Value::from(items.collect::<Vec<_>>())
            }
            _ => Value::from(answer),
        }
    }
}

impl Kind {
    /// The choices, if there are some.
    pub fn values(&self) -> impl Iterator<Item = &str> {
        let choices: &[Choice] = match self {
            Self::Choice(choices) | Self::List(choices) => choices,
            Self::Text { .. } | Self::Flag => &[],
        };
        choices.iter().map(|choice| choice.value.as_str())
    }
}

/// One of the values that an option takes.
#[derive(Clone, Debug)]
pub struct Choice {
    /// The value, as it is written after `-d name=`.
    pub value: String,
    /// Its description at a terminal.
    pub label: String,
}

/// The options that the repository's own `cargo-generate.toml` declares, in the order in which they are asked.
///
/// # Errors
///
/// The file cannot be read, or a declaration is not understood.
pub fn declared() -> anyhow::Result<Vec<Declared>> {
    declared_in(&crate::repository().join("cargo-generate.toml"))
}

/// The options that a `cargo-generate.toml` declares, in the order in which they are asked.
///
/// # Errors
///
/// The file cannot be read, or a declaration is not understood.
pub fn declared_in(path: &Path) -> anyhow::Result<Vec<Declared>> {
    let text =
        fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?;
    let table: toml::Table =
        toml::from_str(&text).with_context(|| format!("{} is not valid TOML", path.display()))?;
    table
        .get("placeholders")
        .and_then(Value::as_table)
        .with_context(|| format!("{} declares no options", path.display()))?
        .iter()
        .map(|(name, value)| {
            option(name, value).with_context(|| {
                format!(
                    "{} declares the option {name} in an unknown way",
                    path.display()
                )
            })
        })
        .collect()
}

fn option(name: &str, value: &Value) -> Option<Declared> {
    let text = |key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
    let choices = || -> Option<Vec<Choice>> {
        value
            .get("choices")?
            .as_array()?
            .iter()
            .map(choice)
            .collect()
    };
    let default = value.get("default")?;
    let (kind, default) = match (text("type")?.as_str(), choices()) {
        ("string", Some(choices)) => (Kind::Choice(choices), default.as_str()?.to_owned()),
        ("string", None) => {
            let shape = regex::Regex::new(&text("regex")?).ok()?;
            (
                Kind::Text {
                    shape,
                    rule: text("rule")?,
                },
                default.as_str()?.to_owned(),
            )
        }
        ("bool", None) => (Kind::Flag, default.as_bool()?.to_string()),
        ("array", Some(choices)) => {
            let items: Option<Vec<&str>> = default.as_array()?.iter().map(Value::as_str).collect();
            (Kind::List(choices), items?.join(","))
        }
        _ => return None,
    };
    Some(Declared {
        name: name.to_owned(),
        prompt: text("prompt")?,
        kind,
        default,
        locked: None,
        removed: Vec::new(),
    })
}

fn choice(value: &Value) -> Option<Choice> {
    let text = value.as_str().or_else(|| value.get("value")?.as_str())?;
    let label = value.get("label").and_then(Value::as_str).unwrap_or(text);
    Some(Choice {
        value: text.to_owned(),
        label: label.to_owned(),
    })
}

/// The option of a name.
///
/// # Errors
///
/// A sentence with the options that there are.
pub fn find<'a>(options: &'a [Declared], name: &str) -> anyhow::Result<&'a Declared> {
    if let Some(option) = options.iter().find(|option| option.name == name) {
        return Ok(option);
    }
    let names = || options.iter().map(|option| option.name.as_str());
    let hint =
        nearest(name, names()).map_or_else(String::new, |near| format!("did you mean {near}? "));
    bail!(
        "{} is no option: {hint}The options are {}",
        named(name),
        listed(names())
    );
}

/// How many characters of a refused value are shown.
const SHOWN: usize = 60;

/// A refused value for a message: quoted, shortened, and without control characters.
#[must_use]
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

/// A name for a message: as [`shown`], without quotation marks if it needs none.
#[must_use]
pub fn named(name: &str) -> String {
    let quoted = shown(name);
    if quoted == format!("\"{name}\"") && !name.is_empty() {
        name.to_owned()
    } else {
        quoted
    }
}

/// Names in a sentence.
pub fn listed<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<&str> = names.collect();
    match names.split_last() {
        Some((end, [])) => (*end).to_owned(),
        Some((end, rest)) => format!("{} and {end}", rest.join(", ")),
        None => String::new(),
    }
}

/// The name among `names` that is most similar to `wrong`, if one is similar.
pub(crate) fn nearest<'a>(wrong: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let wrong = wrong.to_lowercase().replace(['-', ' '], "_");
    names
        .map(|name| {
            (
                strsim::jaro_winkler(&wrong, &name.to_lowercase().replace(['-', ' '], "_")),
                name,
            )
        })
        .filter(|(likeness, _)| *likeness > 0.8)
        .max_by(|(one, _), (other, _)| one.total_cmp(other))
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::{Kind, declared, nearest};

    #[test]
    fn every_default_is_an_answer_that_its_option_takes() {
        let options = declared().unwrap();
        assert!(options.len() >= 11, "{options:?}");
        for option in options {
            match &option.kind {
                Kind::Text { shape, .. } => assert!(shape.is_match(&option.default), "{option:?}"),
                Kind::Choice(choices) => {
                    assert!(
                        choices.iter().any(|choice| choice.value == option.default),
                        "{option:?}"
                    );
                }
                Kind::Flag => assert!(
                    ["true", "false"].contains(&option.default.as_str()),
                    "{option:?}"
                ),
                Kind::List(choices) => assert!(
                    option
                        .default
                        .split(',')
                        .all(|item| choices.iter().any(|choice| choice.value == item)),
                    "{option:?}"
                ),
            }
        }
    }

    #[test]
    fn a_slip_finds_the_name_that_was_meant() {
        let names = ["altitude", "attach", "unload_policy"];
        assert_eq!(nearest("altitud", names.into_iter()), Some("altitude"));
        assert_eq!(
            nearest("unload-policy", names.into_iter()),
            Some("unload_policy")
        );
        assert_eq!(nearest("colour", names.into_iter()), None);
    }
}
