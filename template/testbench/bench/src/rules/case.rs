//! What a rule is, what it reads, and what it says.

use serde::{Deserialize, Serialize};

use super::view::View;
use crate::expect::Expectations;
use crate::scenario::{Injected, Scenario};
use crate::trace::{Place, Trace};

/// How much a rule weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// The documentation demands it: a breach is a finding.
    Must,
    /// The documentation recommends it, or the emitted projects promise it: a breach is advice,
    /// and a finding where expectations are given.
    Should,
}

/// A rule.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    /// Its stable name.
    pub name: &'static str,
    /// What the documentation asks, in one sentence.
    pub asks: &'static str,
    /// The titles of the documents.
    pub documents: &'static [&'static str],
    /// How much it weighs.
    pub level: Level,
    /// What it sees.
    pub judge: fn(&Case) -> Vec<Seen>,
    /// The rules whose breach follows from a breach of this one.
    pub hides: &'static [Hides],
}

/// Rules whose breach follows from that of another rule, and is left out.
#[derive(Debug, Clone, Copy)]
pub struct Hides {
    /// Where it does.
    pub within: Within,
    /// Their names; none for all others.
    pub rules: &'static [&'static str],
}

impl Hides {
    /// Whether a rule is one of them.
    #[must_use]
    pub fn includes(&self, by: &Rule, rule: &Rule) -> bool {
        by.name != rule.name && (self.rules.is_empty() || self.rules.contains(&rule.name))
    }
}

/// Where the breach of a rule follows from that of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Within {
    /// In the same scenario.
    Scenario,
    /// At the same place of the driver.
    Place,
    /// In the same driver.
    Driver,
}

/// One scenario and what happened in it.
#[derive(Debug)]
pub struct Case<'a> {
    /// The scenario.
    pub scenario: &'a Scenario,
    /// What happened.
    pub trace: &'a Trace,
    /// The same with its nesting.
    pub view: View<'a>,
    /// The same script with the volumes attached only after `DriverEntry`.
    pub quiet: Option<&'a Trace>,
    /// What is expected of the driver.
    pub expectations: Option<&'a Expectations>,
    /// The keys of what was seen in the same scenario without its last failure.
    pub base: &'a [String],
}

impl<'a> Case<'a> {
    /// A case with nothing to compare it with.
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

    /// Whether nothing fails and nothing is informational.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.scenario.faults.is_empty()
    }

    /// Whether a call returned an informational status.
    #[must_use]
    pub fn is_informational(&self) -> bool {
        self.scenario
            .faults
            .iter()
            .any(|fault| !fault.result.is_failure())
    }

    /// Whether the last failure is that of the error log, after another.
    #[must_use]
    pub fn is_log_failure(&self) -> bool {
        self.scenario.faults.len() > 1
            && self.scenario.faults.last().is_some_and(|fault| {
                fault.function == "IoAllocateErrorLogEntry" && fault.result == Injected::Zero
            })
    }

    /// Whether the expectations make advice count.
    #[must_use]
    pub fn is_strict(&self) -> bool {
        self.expectations
            .is_some_and(|expectations| !expectations.lenient)
    }
}

/// What a rule saw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// What was seen.
    pub seen: String,
    /// The same defect has the same key in every scenario.
    pub key: String,
    /// Where in the driver.
    pub place: Option<Place>,
    /// It weighs less than the rule does.
    pub advice: bool,
}

impl Seen {
    /// Something, with what tells it from other things that the same rule sees.
    #[must_use]
    pub fn new(key: impl Into<String>, seen: impl Into<String>) -> Self {
        Seen {
            seen: seen.into(),
            key: key.into(),
            place: None,
            advice: false,
        }
    }

    /// Where in the driver.
    #[must_use]
    pub fn at(mut self, place: &Place) -> Self {
        self.place = Some(place.clone());
        self
    }

    /// At a call.
    #[must_use]
    pub fn called(mut self, function: &str, site: u32) -> Self {
        self.place = Some(Place {
            rva: Some(site),
            section: None,
            function: Some(function.to_owned()),
        });
        self
    }

    /// No more than advice, whatever the rule.
    #[must_use]
    pub fn as_advice(mut self) -> Self {
        self.advice = true;
        self
    }
}

/// What a rule saw, with the rule.
#[derive(Debug, Clone)]
pub struct Judgement {
    /// The rule.
    pub rule: &'static Rule,
    /// What it saw.
    pub seen: Seen,
}

impl Judgement {
    /// The key of the defect among those of all rules.
    #[must_use]
    pub fn key(&self) -> String {
        format!("{}: {}", self.rule.name, self.seen.key)
    }
}
