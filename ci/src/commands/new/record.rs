//! Values files, among them the record of a project, `template.toml`.

use std::{fs, path::Path};

use anyhow::{Context, bail, ensure};
use semver::Version;
use toml::{Value, de::DeTable};

use super::answers::{Answers, judged, plain};
use crate::{
    commands::options::{Declared, named},
    repository,
};

/// The name of the record in an emitted project.
pub const FILE: &str = "template.toml";

/// In the table `[values]` of a record, so that `cargo generate` passes it to the hooks.
pub const VERSION: &str = "template_version";

/// The files that an update does not change.
const KEEP: &str = "keep";

/// The state of the kit with which the project was emitted.
pub const KIT: &str = "kit";

const NAME: &str = "project-name";

/// The content of a values file.
#[derive(Debug)]
pub struct ValuesFile {
    /// The name of the project. `cargo generate` takes it from the command line alone.
    pub name: Option<String>,
    /// The version of the template that recorded the answers; `None` for a values file that is no record.
    pub version: Option<Version>,
    /// The answers.
    pub answers: Answers,
    /// Files and folders of the project that an update does not change.
    pub keep: Vec<String>,
    /// The state of the kit with which the project was emitted: the name of a tree in git.
    pub kit: Option<String>,
}

impl ValuesFile {
    /// Reads a values file, and judges its answers.
    ///
    /// # Errors
    ///
    /// A sentence with the file and the value that is refused, and the rule.
    pub fn read(options: &[Declared], path: &Path) -> anyhow::Result<Self> {
        let shown = path.display();
        let text = fs::read_to_string(path)
            .with_context(|| format!("the values file {shown} cannot be read"))?;
        let table: toml::Table = toml::from_str(&text)
            .with_context(|| format!("the values file {shown} is not valid TOML"))?;
        if let Some(other) = table
            .keys()
            .find(|key| !["values", NAME, KEEP, KIT].contains(&key.as_str()))
        {
            bail!(
                "the values file {shown} has an unknown key {}: answers stand in a table [values]",
                named(other)
            );
        }
        let name = match table.get(NAME) {
            Some(Value::String(name)) => Some(name.clone()),
            Some(_) => bail!("in the values file {shown}, {NAME} is no string"),
            None => None,
        };
        let keep = match table.get(KEEP) {
            Some(kept) => {
                kept_paths(kept).with_context(|| format!("in the values file {shown}"))?
            }
            None => Vec::new(),
        };
        let kit = table.get(KIT).map(|kit| {
            let tree = kit.as_str().filter(|it| is_tree(it));
            let tree = tree.with_context(|| {
                format!("in the values file {shown}, {KIT} is no name of a tree in git: take the record as it was emitted")
            });
            anyhow::Ok(tree?.to_owned())
        });
        let kit = kit.transpose()?;
        let values = table
            .get("values")
            .and_then(Value::as_table)
            .with_context(|| {
                format!("the values file {shown} has no table [values]: put the answers into one")
            })?;
        let place = |option: &str| {
            let line = line_of(&text, option).map_or_else(String::new, |line| format!(":{line}"));
            format!("in the values file {shown}{line}")
        };
        let version = values
            .get(VERSION)
            .map(|version| recorded(version).with_context(|| place(VERSION)))
            .transpose()?;
        if let Some(version) = &version {
            refuse_newer(options, version, values).with_context(|| place(VERSION))?;
        }
        let answers = values
            .iter()
            .filter(|(name, _)| *name != VERSION)
            .map(|(name, value)| {
                let text = plain(value).with_context(|| {
                    format!(
                        "{}, {} is a table: write a string, a boolean or a list of strings",
                        place(name),
                        named(name)
                    )
                })?;
                judged(options, name, &text).with_context(|| place(name))?;
                Ok((name.clone(), text))
            })
            .collect::<anyhow::Result<_>>()?;
        Ok(Self {
            name,
            version,
            answers,
            keep,
            kit,
        })
    }
}

/// Whether a text is a name of an object in git.
fn is_tree(text: &str) -> bool {
    let is_digit = |it: u8| it.is_ascii_digit() || (b'a'..=b'f').contains(&it);
    [40, 64].contains(&text.len()) && text.bytes().all(is_digit)
}

fn kept_paths(value: &Value) -> anyhow::Result<Vec<String>> {
    let rule = "keep is a list of files and folders of the project, such as keep = [\"deny.toml\", \"scripts/\"]";
    let items = value.as_array().context(rule)?;
    items
        .iter()
        .map(|item| {
            let path = item.as_str().context(rule)?;
            let inside = path.split('/').all(|part| !matches!(part, "" | "." | ".."));
            ensure!(
                inside
                    || path
                        .strip_suffix('/')
                        .is_some_and(|path| !path.is_empty() && !path.starts_with('/')),
                "{} is no path in the project: {rule}",
                named(path)
            );
            Ok(path.to_owned())
        })
        .collect()
}

/// The lines of the list `keep` in a record, and the line after them.
pub struct KeepLines {
    lines: String,
    is_first: bool,
    next: String,
}

impl KeepLines {
    /// Finds them. `None` if the record has no list.
    #[must_use]
    pub fn of(text: &str) -> Option<Self> {
        let table = DeTable::parse(text).ok()?;
        let (key, value) = table.get_ref().get_key_value(KEEP)?;
        let before = &text[..key.span().start];
        let start = before.rfind('\n').map_or(0, |at| at + 1);
        // With the comment that a blank line separates from what is above.
        let comment: usize = before[..start]
            .split_inclusive('\n')
            .rev()
            .take_while(|line| line.starts_with('#'))
            .map(str::len)
            .sum();
        let start = match before[..start - comment].strip_suffix("\n\n") {
            Some(above) => above.len() + 1,
            None => start,
        };
        let end = text[value.span().end..].find('\n')? + value.span().end + 1;
        let blank: usize = text[end..]
            .split_inclusive('\n')
            .take_while(|line| line.trim().is_empty())
            .map(str::len)
            .sum();
        let end = end + blank;
        Some(Self {
            lines: text[start..end].to_owned(),
            is_first: start == 0,
            next: text[end..].lines().next().unwrap_or_default().to_owned(),
        })
    }

    /// A record with these lines, at the same place.
    #[must_use]
    pub fn put_into(&self, text: &str) -> String {
        let start_of = |is: &dyn Fn(&str) -> bool| {
            let mut lines = text.split_inclusive('\n');
            let mut start = 0;
            lines.find_map(|line| {
                start += line.len();
                is(line.trim_end()).then(|| start - line.len())
            })
        };
        let at = if self.is_first {
            0
        } else {
            start_of(&|line| line == self.next)
                .or_else(|| start_of(&|line| line.starts_with(NAME)))
                .unwrap_or(0)
        };
        format!("{}{}{}", &text[..at], self.lines, &text[at..])
    }
}

/// The version in the record of a project, whatever its answers are.
///
/// # Errors
///
/// The file has no version.
pub fn version_in(path: &Path) -> anyhow::Result<Version> {
    let shown = path.display();
    let text = fs::read_to_string(path).with_context(|| format!("{shown} cannot be read"))?;
    let table: toml::Table =
        toml::from_str(&text).with_context(|| format!("{shown} is not valid TOML"))?;
    let version = table.get("values").and_then(|values| values.get(VERSION));
    let version = version.with_context(|| {
        format!("{shown} has no {VERSION} in a table [values]: it is no record of a project")
    })?;
    recorded(version).with_context(|| format!("in {shown}"))
}

/// A line for each option that has no answer, because the version of the template that recorded the answers lacks it.
#[must_use]
pub fn new_options(version: &Version, answers: &Answers, options: &[Declared]) -> Vec<String> {
    options
        .iter()
        .filter(|option| !answers.contains_key(&option.name))
        .map(|Declared { name, default, .. }| {
            format!(
                "{name} is not in the record of version {version}: it takes its default, {default}."
            )
        })
        .collect()
}

/// The line of an answer.
fn line_of(text: &str, option: &str) -> Option<usize> {
    let table = DeTable::parse(text).ok()?;
    let values = table.get_ref().get("values")?.get_ref().as_table()?;
    let start = values.get_key_value(option)?.0.span().start;
    Some(text[..start].lines().count() + usize::from(text[..start].ends_with('\n')))
}

fn recorded(version: &Value) -> anyhow::Result<Version> {
    let version = version.as_str().unwrap_or_default();
    Version::parse(version).with_context(|| {
        format!(
            "{VERSION} {} is no version such as 0.2.0: take the record as it was emitted, or remove the line",
            named(version)
        )
    })
}

/// Refuses the record of a newer version of the template.
fn refuse_newer(
    options: &[Declared],
    recorded: &Version,
    values: &toml::Table,
) -> anyhow::Result<()> {
    let own = template_version()?;
    if *recorded <= own {
        return Ok(());
    }
    let unknown: Vec<String> = values
        .keys()
        .filter(|name| *name != VERSION && options.iter().all(|option| option.name != **name))
        .map(|name| named(name))
        .collect();
    let lacks = if unknown.is_empty() {
        String::new()
    } else {
        format!(" and has no option {}", unknown.join(" or "))
    };
    bail!(
        "the answers were recorded by version {recorded} of the template. This is version {own}{lacks}: update your copy \
         of the template"
    )
}

/// The version of the template in this repository, from `hooks/version.rhai`.
///
/// # Errors
///
/// The file cannot be read or has no version.
pub fn template_version() -> anyhow::Result<Version> {
    let path = repository().join("hooks/version.rhai");
    let text =
        fs::read_to_string(&path).with_context(|| format!("{} cannot be read", path.display()))?;
    let version = text
        .lines()
        .find_map(|line| line.trim().strip_prefix('"')?.strip_suffix('"'));
    ensure!(version.is_some(), "{} names no version", path.display());
    Ok(Version::parse(version.unwrap_or_default())?)
}
