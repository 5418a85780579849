//! Rules about what the model detects itself.

use super::case::{Case, Seen};
use crate::trace::{Breach, Event};

/// Returns the breaches of a kind by their descriptions.
pub(super) fn of(case: &Case, kind: Breach) -> Vec<Seen> {
    let mut seen = at_calls(case, kind);
    for seen in &mut seen {
        seen.key.clone_from(&seen.seen);
        seen.place = None;
    }
    seen
}

/// Returns the breaches of a kind. Each is at the call in which it was detected, if there is one.
pub(super) fn at_calls(case: &Case, kind: Breach) -> Vec<Seen> {
    let events = case.trace.events.iter().enumerate();
    events
        .filter_map(|(at, event)| match event {
            Event::Breach { breach, problem } if *breach == kind => Some((at, problem)),
            _ => None,
        })
        .map(|(at, problem)| {
            let inner = case.view.enclosing(at).next();
            match inner.map(|inner| &case.view.events[inner]) {
                Some(Event::Call { function, site, .. }) => {
                    Seen::new(format!("{problem} {site}"), problem.clone()).called(function, *site)
                }
                _ => Seen::new(problem.clone(), problem.clone()),
            }
        })
        .collect()
}

pub(super) fn tunneled_name(case: &Case) -> Vec<Seen> {
    let asked = case
        .view
        .calls()
        .any(|call| call.function == "FltGetTunneledName" && call.injected);
    if asked {
        return Vec::new();
    }
    of(case, Breach::TunneledName)
}

pub(super) fn argument_refused(case: &Case) -> Vec<Seen> {
    let mut seen = at_calls(case, Breach::Argument);
    for seen in &mut seen {
        if let Some(function) = seen.place.as_ref().and_then(|place| place.function.clone()) {
            seen.seen = format!("{function} refuses its arguments: {}", seen.seen);
        }
    }
    seen
}

pub(super) fn foreign_link(case: &Case) -> Vec<Seen> {
    let collides = case.view.calls().any(|call| {
        call.function == "IoCreateSymbolicLink"
            && call.status() == Some(crate::vocabulary::status::OBJECT_NAME_COLLISION)
    });
    if collides {
        at_calls(case, Breach::ForeignLink)
    } else {
        // Without a collision, there is no link of this name.
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Recording, names};
    use super::*;
    use crate::scenario::{Scenario, Script};
    use crate::trace::Trace;
    use crate::vocabulary::status;

    fn broken(function: &str, breach: Breach, before: Recording) -> Trace {
        let problem = "it".to_owned();
        before
            .begin(function)
            .event(Event::Breach { breach, problem })
            .end(status::INVALID_PARAMETER)
            .done()
    }

    #[test]
    fn each_breach_has_one_rule() {
        let scenario = Scenario::clean(Script::Life);
        for (breach, rule) in [
            (Breach::Registration, "registration-valid"),
            (Breach::Argument, "argument-refused"),
            (Breach::NullDacl, "null-dacl"),
            (Breach::Request, "request-completed"),
            (Breach::NotDirty, "changes-marked-dirty"),
            (Breach::Result, "result-set"),
            (Breach::ExecutablePool, "pool-not-executable"),
        ] {
            let trace = broken("FltRegisterFilter", breach, Recording::new());
            assert_eq!(names(&Case::new(&scenario, &trace)), [rule], "{breach:?}");
        }
    }

    #[test]
    fn a_refused_argument_names_its_function() {
        let scenario = Scenario::clean(Script::Life);
        let trace = broken("ZwOpenKey", Breach::Argument, Recording::new());
        let seen = argument_refused(&Case::new(&scenario, &trace));
        assert_eq!(seen[0].seen, "ZwOpenKey refuses its arguments: it");
    }

    #[test]
    fn the_link_of_another_driver_exists_only_after_a_collision() {
        let scenario = Scenario::clean(Script::Life);
        let deleted = |result| {
            let before = Recording::new().call("IoCreateSymbolicLink", result);
            let trace = broken("IoDeleteSymbolicLink", Breach::ForeignLink, before);
            foreign_link(&Case::new(&scenario, &trace)).len()
        };
        assert_eq!(deleted(status::OBJECT_NAME_COLLISION), 1);
        assert_eq!(deleted(status::INSUFFICIENT_RESOURCES), 0);
    }
}
