//! The verdict on an INF: by the rules, and by what its driver promises.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail, ensure};
use serde::Serialize;
use testbench::Expectations;

use super::{
    answers,
    finding::{Finding, Level, Rule},
    promises,
    reader::{self, Inf},
    rules,
};
use crate::commands::{new::record::ValuesFile, options};

/// All rules.
pub fn all_rules() -> impl Iterator<Item = &'static Rule> {
    reader::RULES
        .iter()
        .copied()
        .chain(rules::RULES.iter().map(|(rule, _)| rule))
        .chain(answers::RULES.iter().copied())
        .chain(promises::RULES.iter().copied())
}

/// All breaches of rules, in the order of the lines.
#[must_use]
pub fn broken_rules(inf: &Inf) -> Vec<Finding> {
    let mut findings = inf.findings.clone();
    findings.extend(rules::findings(inf));
    findings.sort_by_key(|finding| finding.line);
    findings
}

/// All that is wrong with an emitted INX. What it means is compared with the answers once it keeps the rules: before
/// that, it may mean anything.
///
/// # Errors
///
/// Where an answer is missing or has no meaning.
pub fn findings(inx: &str, answers: &BTreeMap<&str, &str>) -> anyhow::Result<Vec<Finding>> {
    let inf = Inf::read(inx);
    let broken = broken_rules(&inf);
    if broken.is_empty() {
        answers::findings(&inf, answers)
    } else {
        Ok(broken)
    }
}

/// Holds an emitted INX against the rules and against the answers that it was emitted with: those to all options,
/// and the project's name as `project-name`. What is advice for others counts, and lines end as Windows ends them.
///
/// # Errors
///
/// All that is wrong, a line each.
pub fn check(inx: &str, answers: &BTreeMap<&str, &str>) -> anyhow::Result<()> {
    let findings = findings(inx, answers)?;
    let lines: Vec<_> = findings.iter().map(Finding::to_string).collect();
    ensure!(lines.is_empty(), "the INF:\n{}", lines.join("\n"));
    let mut ends = inx.split_inclusive('\n');
    if let Some(at) = ends.position(|line| !line.ends_with("\r\n")) {
        bail!(
            "the INF: line {} does not end with carriage return and line feed",
            at + 1
        );
    }
    Ok(())
}

/// What an INF is compared with, beside the rules.
pub enum Promised {
    /// What a project's `testbench.toml` says of the driver.
    Driver(Box<Expectations>),
    /// The answers that a project was made with, and its name as `project-name`.
    Answers(BTreeMap<String, String>),
}

impl Promised {
    /// Reads a project's `testbench.toml` or its record, `template.toml`.
    ///
    /// # Errors
    ///
    /// It is neither.
    pub fn read(file: &Path) -> anyhow::Result<Self> {
        let text = fs::read_to_string(file)
            .with_context(|| format!("{} cannot be read", file.display()))?;
        let is_record = toml::from_str::<toml::Table>(&text)
            .is_ok_and(|table| table.get("values").is_some_and(toml::Value::is_table));
        if !is_record {
            return Ok(Self::Driver(Box::new(Expectations::read(file)?)));
        }
        let options = options::declared()?;
        let record = ValuesFile::read(&options, file)?;
        let name = record
            .name
            .with_context(|| format!("{} has no project-name: it is no record", file.display()))?;
        let mut answers: BTreeMap<String, String> = options
            .into_iter()
            .map(|option| (option.name, option.default))
            .collect();
        answers.extend(record.answers);
        answers.insert("project-name".to_owned(), name);
        Ok(Self::Answers(answers))
    }
}

/// What is to be said of a file.
#[derive(Debug, Serialize)]
pub struct Verdict {
    /// The file.
    pub file: PathBuf,
    /// The file with what the driver promises.
    pub answers: Option<PathBuf>,
    /// What breaks a rule that Microsoft asks for.
    pub findings: Vec<Finding>,
    /// What could be better.
    pub advice: Vec<Finding>,
}

impl Verdict {
    /// Judges a file by the rules, and by what the driver promises.
    ///
    /// # Errors
    ///
    /// It is no INF.
    pub fn of(
        file: &Path,
        bytes: &[u8],
        promised: Option<(PathBuf, Promised)>,
    ) -> anyhow::Result<Self> {
        let mut inf = Inf::decode(bytes)
            .with_context(|| format!("{} cannot be read as an INF", file.display()))?;
        inf.is_inx |= file
            .extension()
            .is_some_and(|extension| extension.eq_ignore_ascii_case("inx"));
        let mut said = broken_rules(&inf);
        let mut answers = None;
        if let Some((file, promised)) = promised {
            match promised {
                Promised::Driver(expected) => said.extend(promises::findings(&inf, &expected)),
                // What it means is compared once it keeps the rules.
                Promised::Answers(_) if said.iter().any(|it| it.rule.level == Level::Must) => {}
                Promised::Answers(given) => {
                    let given = given
                        .iter()
                        .map(|(option, answer)| (option.as_str(), answer.as_str()));
                    said.extend(answers::findings(&inf, &given.collect())?);
                }
            }
            said.sort_by_key(|finding| finding.line);
            answers = Some(file);
        }
        let (findings, advice) = said
            .into_iter()
            .partition(|finding| finding.rule.level == Level::Must);
        Ok(Self {
            file: file.to_owned(),
            answers,
            findings,
            advice,
        })
    }
}
