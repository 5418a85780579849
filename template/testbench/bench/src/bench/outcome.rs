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
                name: name(import).to_owned(),
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
                name: name(import).to_owned(),
                within: within(at),
                place: Some(place.clone()),
                scenarios: Vec::new(),
            }),
            _ => None,
        })
        .collect()
}

fn name(import: &str) -> &str {
    import.rsplit('!').next().unwrap_or(import)
}

/// Returns the routine in which a call that is not modelled ended the scenario. The scenario can be repeated without
/// that routine. Returns `None` for `DriverEntry` and for the routines that unload the driver, which a scenario
/// requires.
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
