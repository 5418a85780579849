//! The report, as plain data and as text.

use std::fmt;

use serde::Serialize;

use crate::assume::Assumptions;
use crate::expect::{Expectations, Policy};
use crate::imports;
use crate::machine::function::Function;
use crate::settings::Settings;
use crate::trace::{LogEntry, Place};

/// The result of the bench for a driver.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Report {
    /// The path of the file.
    pub driver: String,
    /// The size in bytes.
    pub size: usize,
    /// The version of the bench.
    pub bench: &'static str,
    /// The imports of the driver.
    pub imports: Vec<Import>,
    /// The observed behavior.
    pub observed: Observed,
    /// The expectations for the driver.
    pub expectations: Option<Expectations>,
    /// The registry values that were configured.
    pub registry: Settings,
    /// The configured results of calls that the bench does not model.
    pub assume: Assumptions,
    /// The number of scenarios that were run.
    pub scenarios: usize,
    /// The number of injected results: failures and informational statuses.
    pub faults_injected: usize,
    /// The calls that can fail.
    pub fault_points: Vec<FaultPoint>,
    /// More scenarios were required than the bench runs.
    pub truncated: bool,
    /// The distinct event log entries that the driver wrote.
    pub log: Vec<LogEntry>,
    /// The outcome.
    pub outcome: Outcome,
    /// Everything was judged.
    pub complete: bool,
    /// The furthest stage that a scenario without faults reached.
    pub reached: Reached,
    /// The calls that were not judged, because the bench does not model them.
    pub not_judged: Vec<NotJudged>,
    /// The defects.
    pub findings: Vec<Finding>,
    /// The recommendations.
    pub advice: Vec<Finding>,
    /// The duration in milliseconds.
    pub milliseconds: u128,
}

/// The outcome of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// There are findings. The run can be incomplete.
    Findings,
    /// There are no findings, and everything was judged.
    Clean,
    /// There are no findings, and not everything was judged.
    NotJudged,
}

impl Outcome {
    /// Returns the outcome for these findings.
    #[must_use]
    pub fn of(findings: &[Finding], not_judged: &[NotJudged]) -> Self {
        match (findings, not_judged) {
            ([], []) => Outcome::Clean,
            ([], _) => Outcome::NotJudged,
            _ => Outcome::Findings,
        }
    }

    /// Returns the exit status of a program for this outcome.
    #[must_use]
    pub fn exit_status(self) -> u8 {
        match self {
            Outcome::Clean => 0,
            Outcome::Findings => 1,
            Outcome::NotJudged => 3,
        }
    }
}

/// The stage that a driver reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reached {
    /// `DriverEntry` did not return.
    Nothing,
    /// The driver was loaded.
    Load,
    /// Operations were delivered.
    Operations,
    /// An unload was requested.
    Unload,
}

impl fmt::Display for Reached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Reached::Nothing => "DriverEntry did not return",
            Reached::Load => "it was loaded; no operation and no unload was judged",
            Reached::Operations => {
                "it was loaded, and operations were delivered; no unload was judged"
            }
            Reached::Unload => {
                "it was loaded, operations were delivered, and an unload was requested"
            }
        })
    }
}

/// A call that was not judged. It is not a defect of the driver.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct NotJudged {
    /// The call or the construct.
    pub what: String,
    /// The name of the function for `--assume` and `[assume]`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The driver routine that makes the call.
    pub within: String,
    /// The place in the driver.
    #[serde(rename = "where")]
    pub place: Option<Place>,
    /// The scenarios that the call ended, or in which a lookup returned NULL.
    pub scenarios: Vec<String>,
}

impl NotJudged {
    /// Returns whether it is the same call at the same place.
    #[must_use]
    pub fn is_same(&self, other: &NotJudged) -> bool {
        self.what == other.what && self.within == other.within && self.place == other.place
    }

    /// Returns a one-line description.
    #[must_use]
    pub fn line(&self) -> String {
        format!("{}, called in {}", self.what, self.within)
    }
}

/// An import.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Import {
    /// The name of the module.
    pub dll: String,
    /// The name of the function or variable.
    pub name: String,
    /// The bench models the import.
    pub modelled: bool,
}

/// The behavior of the driver in scenarios without faults.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Observed {
    /// The driver loads.
    pub loads: bool,
    /// The result of unload requests, or `None` if there were none.
    pub unload_policy: Option<Policy>,
    /// Whether a service stop reaches the unload callback.
    pub service_stop: Option<bool>,
    /// The operations for which the driver has callbacks.
    pub operations: Vec<String>,
}

/// A call that can fail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FaultPoint {
    /// The function.
    pub function: String,
    /// The driver routine that calls it.
    pub within: String,
    /// The address of the call.
    pub site: u32,
}

/// A defect or a recommendation.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Finding {
    /// The name of the rule.
    pub rule: &'static str,
    /// The description for the first scenario with the finding.
    pub seen: String,
    /// The requirement of the documentation.
    pub asks: &'static str,
    /// The titles of the documents.
    pub documents: Vec<String>,
    /// The place in the driver.
    #[serde(rename = "where")]
    pub place: Option<Place>,
    /// The scenarios with the finding.
    pub scenarios: Vec<String>,
}

impl Finding {
    /// Returns a one-line description.
    #[must_use]
    pub fn line(&self) -> String {
        format!("{}: {}", self.rule, self.seen)
    }
}

/// Formats scenarios in one line.
#[must_use]
pub fn one_line(scenarios: &[String]) -> String {
    match scenarios {
        [] => String::new(),
        [one] => one.clone(),
        [first, rest @ ..] => format!("{first} (and {} more)", rest.len()),
    }
}

/// Returns the documents of a finding: those of the rule and that of the function at its place.
pub(crate) fn documents(rule: &crate::rules::Rule, place: Option<&Place>) -> Vec<String> {
    let mut documents: Vec<String> = rule.documents.iter().map(ToString::to_string).collect();
    let function = place
        .and_then(|place| place.function.as_deref())
        .and_then(imports::function)
        .map(Function::document);
    if let Some(document) = function.filter(|document| !documents.contains(document)) {
        documents.push(document);
    }
    documents
}

impl Report {
    /// Returns the lines of `testbench.toml` that define a result for each call that was not judged, or `None` if there
    /// are no such calls.
    #[must_use]
    pub fn assume_lines(&self) -> Option<String> {
        let parts = self.not_judged.iter();
        let mut names: Vec<&str> = parts.filter_map(|part| part.name.as_deref()).collect();
        names.sort_unstable();
        names.dedup();
        if names.is_empty() {
            return None;
        }
        let lines = names
            .iter()
            .map(|name| format!("{name} = \"STATUS_SUCCESS\"\n"));
        Some(format!("[assume]\n{}", lines.collect::<String>()))
    }

    /// Returns the imports that the bench does not model.
    pub fn unmodelled(&self) -> impl Iterator<Item = &Import> {
        self.imports.iter().filter(|import| !import.modelled)
    }
}

/// Formats the report as the tests of an emitted project print it.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for finding in &self.findings {
            writeln!(f, "{}", finding.line())?;
            writeln!(f, "    asked:    {}", finding.asks)?;
            if let Some(place) = &finding.place {
                writeln!(f, "    where:    {place}")?;
            }
            writeln!(f, "    scenario: {}", one_line(&finding.scenarios))?;
            writeln!(f, "    see:      {}", finding.documents.join("; "))?;
        }
        for part in &self.not_judged {
            writeln!(f, "not judged: {}", part.line())?;
            if let Some(place) = &part.place {
                writeln!(f, "    where:    {place}")?;
            }
            writeln!(f, "    scenario: {}", one_line(&part.scenarios))?;
        }
        if let Some(lines) = self.assume_lines() {
            writeln!(
                f,
                "The bench does not model these calls, so the code after them was not judged. To judge it, specify their results in testbench.toml:\n\n{lines}"
            )?;
        }
        write!(
            f,
            "{}: {} scenarios, {} faults injected, {} findings",
            self.driver,
            self.scenarios,
            self.faults_injected,
            self.findings.len()
        )?;
        if !self.not_judged.is_empty() {
            write!(f, ", incomplete: {}", self.reached)?;
        }
        Ok(())
    }
}
