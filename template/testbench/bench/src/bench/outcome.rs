//! The calls that were not judged, and the stage that a scenario reached.

use crate::report::{NotJudged, Reached};
use crate::rules::view::View;
use crate::trace::{Ending, Event, Place, Routine, Stage, Trace};

/// Returns what was not judged in a scenario: the call that ended it, and functions that the driver looked up by name.
#[must_use]
pub fn not_judged(trace: &Trace) -> Vec<NotJudged> {
    let view = View::new(trace);
    let within = |at: usize| view.routine_label(at, "the driver");
    let events = trace.events.iter().enumerate();
    events
        .filter_map(|(at, event)| match event {
            Event::NotModelled { import } => Some(NotJudged {
                what: format!("{import}, which the driver looked up by name; the result was NULL"),
                name: name(import),
                within: within(at),
                place: view
                    .enclosing(at)
                    .next()
                    .and_then(|call| match &trace.events[call] {
                        Event::Call { function, site, .. } => Some(Place {
                            rva: Some(*site),
                            section: None,
                            function: Some(function.clone()),
                        }),
                        _ => None,
                    }),
                scenarios: Vec::new(),
            }),
            Event::End {
                ending: Ending::Unmodelled { at: place, import },
            } => Some(NotJudged {
                what: import.clone(),
                name: name(import),
                within: within(at),
                place: Some(place.clone()),
                scenarios: Vec::new(),
            }),
            _ => None,
        })
        .collect()
}

/// Returns the name of the function, or `None` for a construct that is not a call.
fn name(import: &str) -> Option<String> {
    let (_, name) = import.rsplit_once('!')?;
    Some(name.to_owned())
}

/// Returns the routine in which a call that is not modelled ended the scenario. The scenario can be repeated without
/// that routine. Returns `None` for `DriverEntry` and for the routines that unload the driver, which a scenario
/// requires, and for a routine that releases what another one acquired, such as that of a work item.
#[must_use]
pub fn leaves_out(trace: &Trace) -> Option<String> {
    if !matches!(trace.ending(), Some(Ending::Unmodelled { .. })) {
        return None;
    }
    let last = trace.events.len().checked_sub(1)?;
    let view = View::new(trace);
    match view.routine(last)? {
        Routine::DriverEntry
        | Routine::FilterUnload { .. }
        | Routine::DriverUnload
        | Routine::InstanceQueryTeardown { .. }
        | Routine::InstanceTeardownStart { .. }
        | Routine::InstanceTeardownComplete { .. } => None,
        Routine::Other { callback } if !callback.is_independent() => None,
        routine => Some(routine.label()),
    }
}

/// Returns the stage that a scenario reached.
#[must_use]
pub fn reached(trace: &Trace) -> Reached {
    let mut reached = Reached::Nothing;
    for event in &trace.events {
        reached = reached.max(match event {
            Event::Stage {
                stage: Stage::Operations | Stage::Before | Stage::Unload,
            } => Reached::Load,
            Event::PreAnswer { .. } | Event::PostAnswer { .. } => Reached::Operations,
            Event::Unload { .. } => Reached::Unload,
            _ => Reached::Nothing,
        });
    }
    reached
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended_at(import: &str) -> Vec<NotJudged> {
        let ending = Ending::Unmodelled {
            at: Place::default(),
            import: import.to_owned(),
        };
        not_judged(&Trace {
            events: vec![Event::End { ending }],
        })
    }

    #[test]
    fn only_a_call_has_a_name_for_an_assumption() {
        let [call] = &ended_at("ntoskrnl.exe!KeMystery")[..] else {
            panic!("one call ended the scenario")
        };
        assert_eq!(call.name.as_deref(), Some("KeMystery"));
        let [construct] = &ended_at("structured exception handling: a handler returns 3")[..]
        else {
            panic!("one construct ended the scenario")
        };
        assert_eq!(construct.name, None);
    }
}
