//! The verdict, as plain data and as text.

use std::fmt;

use serde::Serialize;

use crate::assume::Assumptions;
use crate::expect::{Expectations, Policy};
use crate::imports;
use crate::machine::function::Function;
use crate::settings::Settings;
use crate::trace::{LogEntry, Place};

/// What the bench found about a driver.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Report {
    /// The file.
    pub driver: String,
    /// Its size in bytes.
    pub size: usize,
    /// The version of the bench.
    pub bench: &'static str,
    /// What the driver imports.
    pub imports: Vec<Import>,
    /// What it was seen to do.
    pub observed: Observed,
    /// What it was expected to do.
    pub expectations: Option<Expectations>,
    /// The values that it found in the registry because they were given.
    pub registry: Settings,
    /// What calls returned that the bench does not model, because it was assumed.
    pub assume: Assumptions,
    /// How many scenarios were played.
    pub scenarios: usize,
    /// How many calls were made to fail in them, or to return something unusual.
    pub faults_injected: usize,
    /// The calls that can fail, where the driver makes them.
    pub fault_points: Vec<FaultPoint>,
    /// There were more scenarios than the bench plays.
    pub truncated: bool,
    /// The entries that the driver wrote into the event log, each once.
    pub log: Vec<LogEntry>,
    /// What came of it.
    pub outcome: Outcome,
    /// Everything was judged.
    pub complete: bool,
    /// How far a scenario came in which nothing fails.
    pub reached: Reached,
    /// What was not judged, because the bench does not model it.
    pub not_judged: Vec<NotJudged>,
    /// What is wrong.
    pub findings: Vec<Finding>,
    /// What could be better.
    pub advice: Vec<Finding>,
    /// How long it took, in milliseconds.
    pub milliseconds: u128,
}

/// What came of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// There are findings, complete or not.
    Findings,
    /// There are none, and everything was judged.
    Clean,
    /// There are none, and not everything was judged.
    NotJudged,
}

impl Outcome {
    /// The outcome of a run with these findings.
    #[must_use]
    pub fn of(findings: &[Finding], not_judged: &[NotJudged]) -> Self {
        match (findings, not_judged) {
            ([], []) => Outcome::Clean,
            ([], _) => Outcome::NotJudged,
            _ => Outcome::Findings,
        }
    }

    /// The exit status of a program that reports it.
    #[must_use]
    pub fn exit_status(self) -> u8 {
        match self {
            Outcome::Clean => 0,
            Outcome::Findings => 1,
            Outcome::NotJudged => 3,
        }
    }
}

/// How far a driver came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reached {
    /// `DriverEntry` did not return.
    Nothing,
    /// It was loaded.
    Load,
    /// Operations were delivered to it.
    Operations,
    /// It was asked to unload.
    Unload,
}

impl fmt::Display for Reached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Reached::Nothing => "DriverEntry did not come to an end",
            Reached::Load => "it was loaded; no operation and no unload was judged",
            Reached::Operations => {
                "it was loaded, and operations were delivered; no unload was judged"
            }
            Reached::Unload => {
                "it was loaded, operations were delivered, and it was asked to unload"
            }
        })
    }
}

/// Something that was not judged. It says nothing about the driver.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct NotJudged {
    /// The call or the construct.
    pub what: String,
    /// The function, as `--assume` and `[assume]` name it.
    pub name: String,
    /// The driver's routine.
    pub within: String,
    /// Where in the driver.
    #[serde(rename = "where")]
    pub place: Option<Place>,
    /// The scenarios that it ended, or in which it was answered with NULL.
    pub scenarios: Vec<String>,
}

impl NotJudged {
    /// Whether it is the same call at the same place.
    #[must_use]
    pub fn is_same(&self, other: &NotJudged) -> bool {
        self.what == other.what && self.within == other.within && self.place == other.place
    }

    /// In one line.
    #[must_use]
    pub fn line(&self) -> String {
        format!("{}, called in {}", self.what, self.within)
    }
}

/// An import.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Import {
    /// The module.
    pub dll: String,
    /// The function or variable.
    pub name: String,
    /// The bench has a model of it.
    pub modelled: bool,
}

/// What the driver was seen to do with nothing failing.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Observed {
    /// It loads.
    pub loads: bool,
    /// How it answers requests to unload; none where it did not come to that.
    pub unload_policy: Option<Policy>,
    /// Whether a service stop reaches its unload callback.
    pub service_stop: Option<bool>,
    /// The operations that it has callbacks for.
    pub operations: Vec<String>,
}

/// A call that can fail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FaultPoint {
    /// The function.
    pub function: String,
    /// The driver's routine that calls it.
    pub within: String,
    /// Where.
    pub site: u32,
}

/// Something wrong, or something that could be better.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Finding {
    /// The rule's name.
    pub rule: &'static str,
    /// What was seen, in the first scenario that showed it.
    pub seen: String,
    /// What the documentation asks.
    pub asks: &'static str,
    /// The titles of the documents.
    pub documents: Vec<String>,
    /// Where in the driver.
    #[serde(rename = "where")]
    pub place: Option<Place>,
    /// The scenarios that showed it.
    pub scenarios: Vec<String>,
}

impl Finding {
    /// The finding in one line.
    #[must_use]
    pub fn line(&self) -> String {
        format!("{}: {}", self.rule, self.seen)
    }
}

/// Scenarios in one line.
#[must_use]
pub fn one_line(scenarios: &[String]) -> String {
    match scenarios {
        [] => String::new(),
        [one] => one.clone(),
        [first, rest @ ..] => format!("{first} (and {} more)", rest.len()),
    }
}

/// The documents of a finding: the rule's, and that of the function that it is about.
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
    /// The lines of `testbench.toml` that give a result to each call that was not judged; none if every call was.
    #[must_use]
    pub fn assume_lines(&self) -> Option<String> {
        let mut names: Vec<&str> = self.not_judged.iter().map(|part| &*part.name).collect();
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

    /// The imports that the bench has no model of.
    pub fn unmodelled(&self) -> impl Iterator<Item = &Import> {
        self.imports.iter().filter(|import| !import.modelled)
    }
}

/// The report as an emitted project's own tests print it.
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
                "The bench does not model these calls, so what follows them was not judged. To judge it, write into testbench.toml what they return:\n\n{lines}"
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
