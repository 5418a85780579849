//! Applies all rules to a case.

use super::case::{Case, Judgement, Level, Rule, Within};
use super::table::RULES;

/// Returns all rules.
#[must_use]
pub fn all() -> &'static [Rule] {
    RULES
}

/// Looks up a rule by name.
#[must_use]
pub fn by_name(name: &str) -> Option<&'static Rule> {
    RULES.iter().find(|rule| rule.name == name)
}

/// Applies every rule to a case.
#[must_use]
pub fn judge(case: &Case) -> Vec<Judgement> {
    let mut judgements: Vec<Judgement> = RULES
        .iter()
        .flat_map(|rule| {
            (rule.judge)(case)
                .into_iter()
                .map(move |seen| Judgement { rule, seen })
        })
        .collect();
    hide(&mut judgements);
    if case.is_log_failure()
        && let Some(rule) = by_name("error-log-failure-tolerated")
    {
        // A defect that occurs only if the error log fails is a defect of the logging code.
        judgements.retain(|judgement| judgement.rule.name != "error-logged");
        for judgement in &mut judgements {
            if !case.base.contains(&judgement.key()) {
                judgement.seen.seen = format!(
                    "if no error log entry can be allocated, {}",
                    judgement.seen.seen
                );
                judgement.seen.advice |= judgement.rule.level == Level::Should;
                judgement.rule = rule;
            }
        }
    }
    judgements
}

/// Removes violations that follow from another violation in the same scenario. The rules are processed in order. A
/// removed violation does not remove others.
fn hide(judgements: &mut Vec<Judgement>) {
    for rule in RULES {
        let hides = rule.hides.iter();
        for hides in hides.filter(|hides| hides.within == Within::Scenario) {
            if judgements
                .iter()
                .any(|judgement| judgement.rule.name == rule.name)
            {
                judgements.retain(|judgement| !hides.includes(rule, judgement.rule));
            }
        }
    }
}
