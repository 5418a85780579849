//! Findings and advice. Each defect occurs once, with the scenarios that show it.

use std::collections::HashMap;

use crate::expect::Expectations;
use crate::report::{self, Finding};
use crate::rules::{self, Case, Judgement, Level, Within};
use crate::scenario::Scenario;
use crate::trace::{Place, Trace};

/// A scenario that was run and judged.
pub struct Played {
    /// The scenario.
    pub scenario: Scenario,
    /// The results of the rules.
    pub judgements: Vec<Judgement>,
}

/// Returns the findings for one trace.
#[must_use]
pub fn findings_of(
    scenario: &Scenario,
    trace: &Trace,
    expectations: Option<&Expectations>,
) -> Vec<Finding> {
    let case = Case {
        expectations,
        ..Case::new(scenario, trace)
    };
    let strict = case.is_strict();
    let played = Played {
        scenario: scenario.clone(),
        judgements: rules::judge(&case),
    };
    of(&[played], strict).0
}

/// Returns the findings and the advice. With `strict`, advice is returned as findings.
#[must_use]
pub fn of(all: &[Played], strict: bool) -> (Vec<Finding>, Vec<Finding>) {
    let mut order: Vec<String> = Vec::new();
    let mut found: HashMap<String, (bool, Finding)> = HashMap::new();
    for played in all {
        for judgement in &played.judgements {
            let rule = judgement.rule;
            let key = judgement.key();
            let counts = strict || rule.level == Level::Must && !judgement.seen.advice;
            let (_, finding) = found.entry(key.clone()).or_insert_with(|| {
                order.push(key);
                let place = judgement.seen.place.clone();
                let finding = Finding {
                    rule: rule.name,
                    seen: judgement.seen.seen.clone(),
                    asks: rule.asks,
                    documents: report::documents(rule, place.as_ref()),
                    place,
                    scenarios: Vec::new(),
                };
                (counts, finding)
            });
            let name = played.scenario.to_string();
            if !finding.scenarios.contains(&name) {
                finding.scenarios.push(name);
            }
        }
    }
    let seen: Vec<(&str, Option<Place>)> = found
        .values()
        .map(|(_, finding)| (finding.rule, finding.place.clone()))
        .collect();
    let mut found: Vec<(bool, Finding)> = order
        .iter()
        .filter_map(|key| found.remove(key))
        .filter(|(_, finding)| !follows(finding, &seen))
        .collect();
    found.sort_by_key(|(_, finding)| {
        rules::all()
            .iter()
            .position(|rule| rule.name == finding.rule)
    });
    let (findings, advice): (Vec<_>, Vec<_>) = found.into_iter().partition(|(counts, _)| *counts);
    let only = |list: Vec<(bool, Finding)>| list.into_iter().map(|(_, finding)| finding).collect();
    (only(findings), only(advice))
}

/// Returns whether a finding follows from another finding in the same driver or at the same place.
fn follows(finding: &Finding, seen: &[(&str, Option<Place>)]) -> bool {
    let Some(rule) = rules::by_name(finding.rule) else {
        return false;
    };
    rules::all().iter().any(|by| {
        by.hides.iter().any(|hides| {
            hides.includes(by, rule)
                && seen.iter().any(|(name, place)| {
                    *name == by.name
                        && match hides.within {
                            Within::Scenario => false,
                            Within::Place => *place == finding.place,
                            Within::Driver => true,
                        }
                })
        })
    })
}
