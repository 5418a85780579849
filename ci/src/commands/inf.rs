//! The INF: read, held against the rules that a program can check without Windows, and against the answers.
//!
//! `InfVerif` runs on Windows alone. What its documented codes object to, and what else Microsoft's pages ask of a
//! minifilter's INF, is checked here in every combination of answers.

pub mod answers;
pub mod groups;
pub mod installed;
pub mod reader;
pub mod rules;

use std::{collections::BTreeMap, fmt};

use anyhow::ensure;

use self::reader::Inf;

/// Something that an INF must keep.
#[derive(Debug)]
pub struct Rule {
    /// Its name.
    pub name: &'static str,
    /// The codes under which `InfVerif` reports it; there may be none.
    pub codes: &'static [u16],
    /// The title of the page that asks for it.
    pub document: &'static str,
}

/// All rules.
pub fn all_rules() -> impl Iterator<Item = &'static Rule> {
    reader::RULES
        .iter()
        .copied()
        .chain(rules::RULES.iter().map(|(rule, _)| rule))
        .chain(answers::RULES.iter().copied())
}

/// What is wrong with an INF.
#[derive(Clone, Debug)]
pub struct Finding {
    /// The rule that is broken.
    pub rule: &'static Rule,
    /// What `InfVerif` calls it, where that is documented.
    pub code: Option<u16>,
    /// What is wrong, and what would be right.
    pub text: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rule, code, text } = self;
        write!(f, "{text} ({}", rule.name)?;
        if let Some(code) = code {
            write!(f, ", InfVerif {code}")?;
        }
        write!(f, ", \"{}\")", rule.document)
    }
}

/// All that is wrong with an INX. What it means is compared with the answers once it keeps the rules: before that,
/// it may mean anything.
///
/// # Errors
///
/// Where an answer is missing or has no meaning.
pub fn findings(inx: &str, answers: &BTreeMap<&str, &str>) -> anyhow::Result<Vec<Finding>> {
    let inf = match Inf::read(inx) {
        Ok(inf) => inf,
        Err(finding) => return Ok(vec![finding]),
    };
    let broken = rules::findings(&inf);
    if broken.is_empty() {
        answers::findings(&inf, answers)
    } else {
        Ok(broken)
    }
}

/// Holds an emitted INX against the rules and against the answers that it was emitted with: those to all options,
/// and the project's name as `project-name`.
///
/// # Errors
///
/// All that is wrong, a line each.
pub fn check(inx: &str, answers: &BTreeMap<&str, &str>) -> anyhow::Result<()> {
    let findings = findings(inx, answers)?;
    let lines: Vec<_> = findings.iter().map(Finding::to_string).collect();
    ensure!(lines.is_empty(), "the INF:\n{}", lines.join("\n"));
    Ok(())
}
