//! The definition of a rule, its input and its output.

use serde::{Deserialize, Serialize};

use super::view::View;
use crate::expect::Expectations;
use crate::scenario::{Injected, Scenario};
use crate::trace::{Place, Trace};

/// The level of a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// The documentation requires it. A violation is a finding.
    Must,
    /// The documentation recommends it, or it is a property of emitted projects. A violation is advice, or a finding if
    /// expectations are set.
    Should,
}

/// A rule.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    /// The stable name.
    pub name: &'static str,
    /// The requirement of the documentation, in one sentence.
    pub asks: &'static str,
    /// The titles of the documents.
    pub documents: &'static [&'static str],
    /// The level.
    pub level: Level,
    /// The function that detects violations.
    pub judge: fn(&Case) -> Vec<Seen>,
    /// The rules whose violations follow from a violation of this rule.
    pub hides: &'static [Hides],
}

/// Rules whose violations follow from a violation of another rule and are omitted.
#[derive(Debug, Clone, Copy)]
pub struct Hides {
    /// The scope.
    pub within: Within,
    /// The names of the rules. Empty for all other rules.
    pub rules: &'static [&'static str],
}

impl Hides {
    /// Returns whether a rule is one of them.
    #[must_use]
    pub fn includes(&self, by: &Rule, rule: &Rule) -> bool {
        by.name != rule.name && (self.rules.is_empty() || self.rules.contains(&rule.name))
    }
}

/// The scope in which a violation follows from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Within {
    /// In the same scenario.
    Scenario,
    /// At the same place in the driver.
    Place,
    /// In the same driver.
    Driver,
}

/// A scenario and its trace.
#[derive(Debug)]
pub struct Case<'a> {
    /// The scenario.
    pub scenario: &'a Scenario,
    /// The trace.
    pub trace: &'a Trace,
    /// The trace with its nesting.
    pub view: View<'a>,
    /// The trace of the same script with volumes attached only after `DriverEntry`.
    pub quiet: Option<&'a Trace>,
    /// The expectations for the driver.
    pub expectations: Option<&'a Expectations>,
    /// The keys of the judgements in the same scenario without its last fault.
    pub base: &'a [String],
}

impl<'a> Case<'a> {
    /// Creates a case without data for comparison.
    #[must_use]
    pub fn new(scenario: &'a Scenario, trace: &'a Trace) -> Self {
        Case {
            scenario,
            trace,
            view: View::new(trace),
            quiet: None,
            expectations: None,
            base: &[],
        }
    }

    /// Returns whether the scenario has no faults.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.scenario.faults.is_empty()
    }

    /// Returns whether a call returns an informational status.
    #[must_use]
    pub fn is_informational(&self) -> bool {
        self.scenario
            .faults
            .iter()
            .any(|fault| !fault.result.is_failure())
    }

    /// Returns whether the last fault is in the error log, after another fault.
    #[must_use]
    pub fn is_log_failure(&self) -> bool {
        self.scenario.faults.len() > 1
            && self.scenario.faults.last().is_some_and(|fault| {
                fault.function == "IoAllocateErrorLogEntry" && fault.result == Injected::Zero
            })
    }

    /// Returns whether the expectations turn advice into findings.
    #[must_use]
    pub fn is_strict(&self) -> bool {
        self.expectations
            .is_some_and(|expectations| !expectations.lenient)
    }
}

/// A violation that a rule detected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// The description.
    pub seen: String,
    /// The key of the defect, which is the same in every scenario.
    pub key: String,
    /// The place in the driver.
    pub place: Option<Place>,
    /// The violation is advice, regardless of the level of the rule.
    pub advice: bool,
}

impl Seen {
    /// Creates a violation. `key` distinguishes it from other violations of the same rule.
    #[must_use]
    pub fn new(key: impl Into<String>, seen: impl Into<String>) -> Self {
        Seen {
            seen: seen.into(),
            key: key.into(),
            place: None,
            advice: false,
        }
    }

    /// Sets the place in the driver.
    #[must_use]
    pub fn at(mut self, place: &Place) -> Self {
        self.place = Some(place.clone());
        self
    }

    /// Sets the place to a call.
    #[must_use]
    pub fn called(mut self, function: &str, site: u32) -> Self {
        self.place = Some(Place {
            rva: Some(site),
            section: None,
            function: Some(function.to_owned()),
        });
        self
    }

    /// Makes the violation advice, regardless of the level of the rule.
    #[must_use]
    pub fn as_advice(mut self) -> Self {
        self.advice = true;
        self
    }
}

/// A violation with its rule.
#[derive(Debug, Clone)]
pub struct Judgement {
    /// The rule.
    pub rule: &'static Rule,
    /// The violation.
    pub seen: Seen,
}

impl Judgement {
    /// Returns a key that is unique among all rules.
    #[must_use]
    pub fn key(&self) -> String {
        format!("{}: {}", self.rule.name, self.seen.key)
    }
}
