//! Judges a case by all rules.

use super::case::{Case, Judgement, Level, Rule, Within};
use super::table::RULES;

/// Every rule.
#[must_use]
pub fn all() -> &'static [Rule] {
    RULES
}

/// A rule by its name.
#[must_use]
pub fn by_name(name: &str) -> Option<&'static Rule> {
    RULES.iter().find(|rule| rule.name == name)
}

/// Judges a case by every rule.
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
        // Whatever is wrong only when the log fails is wrong about the log.
        judgements.retain(|judgement| judgement.rule.name != "error-logged");
        for judgement in &mut judgements {
            if !case.base.contains(&judgement.key()) {
                judgement.seen.seen =
                    format!("when the error log gives no entry, {}", judgement.seen.seen);
                judgement.seen.advice |= judgement.rule.level == Level::Should;
                judgement.rule = rule;
            }
        }
    }
    judgements
}

/// Leaves out what follows from something else in the same scenario. The rules come in their order: what is left out hides
/// nothing.
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
