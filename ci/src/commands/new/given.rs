//! The answers that are given before the first question.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, ensure};
use semver::Version;
use toml::Value;

use super::{
    answers::{Answers, defined, judge, plain},
    record::{ValuesFile, new_options},
};
use crate::commands::options::{Declared, named};

/// The variables with answers.
const FILE_VARIABLE: &str = "CARGO_GENERATE_TEMPLATE_VALUES_FILE";
const VALUE_VARIABLE: &str = "CARGO_GENERATE_VALUE_";

/// The answers before the first question.
#[derive(Default)]
pub struct Given {
    /// The project's name, if a values file or the environment has it.
    pub name: Option<String>,
    /// The answers.
    pub answers: Answers,
    /// The version of the template that recorded the answers, if a values file is a record.
    pub recorded: Option<Version>,
    /// Notes for the user: options that are newer than the record, and ignored values.
    pub notes: Vec<String>,
}

impl Given {
    /// Reads the sources of cargo-generate, in its order; a later one overrides an earlier one: the configuration, the file
    /// that a variable names, variables, the values file, the `-d` arguments.
    pub fn collect(
        options: &[Declared],
        define: &[String],
        file: Option<&Path>,
    ) -> anyhow::Result<Self> {
        let mut given = Self::default();
        given.take_configuration(options)?;
        if let Some(path) = env::var_os(FILE_VARIABLE) {
            given.take_file(options, &PathBuf::from(path))?;
        }
        given.take_variables(options)?;
        if let Some(path) = file {
            given.take_file(options, path)?;
        }
        let defined = defined(options, define)?;
        let option = |argument: &String| {
            let option = argument.split_once('=').map_or("", |(option, _)| option);
            option.trim_end().to_owned()
        };
        for name in defined.keys() {
            let times = define.iter().filter(|it| option(it) == *name).count();
            ensure!(
                times == 1,
                "-d answers {name} {times} times: keep one of the answers"
            );
        }
        given.answers.extend(defined);
        if let Some(version) = &given.recorded {
            let new = new_options(version, &given.answers, options);
            given.notes.extend(new);
        }
        Ok(given)
    }

    /// The table `[values]` of the user's cargo-generate.toml, which all templates share.
    fn take_configuration(&mut self, options: &[Declared]) -> anyhow::Result<()> {
        let Some(path) = configuration() else {
            return Ok(());
        };
        let shown = path.display().to_string();
        let text = fs::read_to_string(&path).with_context(|| format!("{shown} cannot be read"))?;
        let table: toml::Table =
            toml::from_str(&text).with_context(|| format!("{shown} is not valid TOML"))?;
        let values = table.get("values").and_then(Value::as_table);
        for (name, value) in values.into_iter().flatten() {
            let value = plain(value).with_context(|| {
                format!(
                    "in {shown}, {} is a table: write a string, a boolean or a list of strings",
                    named(name)
                )
            })?;
            self.take(options, name, value, &format!("in {shown}"))?;
        }
        Ok(())
    }

    fn take_variables(&mut self, options: &[Declared]) -> anyhow::Result<()> {
        for (variable, value) in env::vars_os() {
            let variable = variable.to_string_lossy();
            let Some(name) = variable.strip_prefix(VALUE_VARIABLE) else {
                continue;
            };
            let name = name.to_lowercase();
            let value = value.to_string_lossy().into_owned();
            if name == "project_name" {
                self.name = Some(value);
            } else {
                let place = format!("in the environment, {}", named(&variable));
                self.take(options, &name, value, &place)?;
            }
        }
        Ok(())
    }

    /// Takes an answer from a source that all templates share, and ignores the options of other templates.
    fn take(
        &mut self,
        options: &[Declared],
        name: &str,
        value: String,
        place: &str,
    ) -> anyhow::Result<()> {
        let Some(option) = options.iter().find(|option| option.name == name) else {
            let name = named(name);
            self.notes.push(format!(
                "{place}: {name} is no option of this template and is ignored."
            ));
            return Ok(());
        };
        judge(option, &value).with_context(|| place.to_owned())?;
        self.answers.insert(name.to_owned(), value);
        Ok(())
    }

    fn take_file(&mut self, options: &[Declared], path: &Path) -> anyhow::Result<()> {
        let file = ValuesFile::read(options, path)?;
        self.recorded = file.version.or_else(|| self.recorded.take());
        self.name = file.name.or_else(|| self.name.take());
        self.answers.extend(file.answers);
        Ok(())
    }
}

/// The user's configuration of cargo-generate, where there is one.
fn configuration() -> Option<PathBuf> {
    let home = env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| Some(env::home_dir()?.join(".cargo")))?;
    ["cargo-generate.toml", "cargo-generate"]
        .map(|name| home.join(name))
        .into_iter()
        .find(|path| path.is_file())
}
