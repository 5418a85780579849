//! Rules about unloading.

use super::case::{Case, Seen};
use crate::expect::Policy;
use crate::scenario::Script;
use crate::trace::{
    Ending, Event, Kind, Misuse, Registration, Routine, Stage, Target, Trap, Unload, Wait,
};
use crate::vocabulary::status;

pub(super) fn reference_balance(case: &Case) -> Vec<Seen> {
    match case.trace.ending() {
        Some(Ending::Hang { waits }) => waits
            .iter()
            .filter(|waiting| matches!(waiting.wait, Wait::Reference { .. }))
            .map(|waiting| Seen::new(waiting.wait.to_string(), waiting.to_string()).at(&waiting.at))
            .collect(),
        _ => Vec::new(),
    }
}

pub(super) fn port_closed_before_unregister(case: &Case) -> Vec<Seen> {
    case.view
        .calls()
        .filter(|call| call.function == "FltUnregisterFilter")
        .flat_map(|call| {
            case.view
                .held_at(call.at)
                .filter(|resource| resource.kind == Kind::ServerPort)
                .map(move |resource| {
                    Seen::new(
                        "open",
                        format!(
                            "FltUnregisterFilter is called while {resource} is open, {}",
                            if case.view.stage(call.at) == Stage::Load {
                                "in a DriverEntry that fails"
                            } else {
                                "in the unload"
                            }
                        ),
                    )
                    .called(call.function, call.site)
                })
        })
        .collect()
}

pub(super) fn notification_before_device(case: &Case) -> Vec<Seen> {
    case.view
        .calls()
        .filter(|call| call.function == "IoDeleteDevice")
        .filter(|call| {
            case.view
                .held_at(call.at)
                .any(|resource| resource.kind == Kind::ShutdownNotification)
        })
        .map(|call| {
            Seen::new(
                "order",
                "IoDeleteDevice is called while the shutdown notification is registered",
            )
            .called(call.function, call.site)
        })
        .collect()
}

/// Returns whether a callback used an object that the driver had already released in its own teardown.
pub(super) fn is_outlived(case: &Case) -> bool {
    let released = match case.trace.ending() {
        Some(Ending::Trap {
            trap:
                Trap::Memory {
                    target: Target::Freed { in_teardown, .. },
                    ..
                },
            ..
        }) => *in_teardown,
        Some(Ending::Misuse {
            misuse:
                Misuse::Handle {
                    released_in_teardown,
                    ..
                },
            ..
        }) => *released_in_teardown,
        _ => false,
    };
    let last = case.trace.events.len().saturating_sub(1);
    released
        && case.view.is_within(last, "FltUnregisterFilter")
        && !case
            .view
            .routine(last)
            .is_some_and(|routine| *routine == Routine::DriverEntry || routine.is_unload())
}

pub(super) fn filter_outlives_globals(case: &Case) -> Vec<Seen> {
    if !is_outlived(case) {
        return Vec::new();
    }
    let last = case.trace.events.len() - 1;
    let routine = case.view.routine_label(last, "a callback");
    let (at, what) = match case.trace.ending() {
        Some(Ending::Trap {
            at,
            trap:
                Trap::Memory {
                    target: Target::Freed { what, .. },
                    ..
                },
            ..
        }) => (at, what.clone()),
        Some(Ending::Misuse {
            at,
            misuse: Misuse::Handle { given, .. },
        }) => (at, given.clone()),
        _ => return Vec::new(),
    };
    vec![
        Seen::new(
            format!("freed {what}"),
            format!("{routine}, called before FltUnregisterFilter returned, uses {what}, which was freed before that call"),
        )
        .at(at),
    ]
}

pub(super) fn mandatory_unload_tears_down(case: &Case) -> Vec<Seen> {
    case.trace
        .events
        .iter()
        .filter_map(|event| match event {
            Event::Unload {
                mandatory: true,
                outcome:
                    Unload::Called {
                        status,
                        registered: true,
                    },
            } => Some(Seen::new(
                "registered",
                format!("the mandatory unload callback returns {status} and the filter is still registered; Windows unloads the image in any case"),
            )),
            Event::Unload {
                mandatory: true,
                outcome:
                    Unload::Called {
                        status,
                        registered: false,
                    },
            } if !status.is_success() && unregisters_in_unload(case) => Some(
                Seen::new(
                    "status",
                    format!("the mandatory unload callback unregisters the filter and returns {status}, which is an error"),
                )
                .as_advice(),
            ),
            Event::Unload {
                mandatory: true,
                outcome: Unload::Unreachable,
            } => Some(Seen::new(
                "unreachable",
                "DriverObject->DriverUnload no longer points to the routine of the filter manager: a service stop does not reach the unload callback",
            )),
            _ => None,
        })
        .collect()
}

/// Returns whether a mandatory unload callback calls `FltUnregisterFilter`.
fn unregisters_in_unload(case: &Case) -> bool {
    let unload = Routine::FilterUnload { mandatory: true };
    let mut calls = case.view.calls();
    calls.any(|call| {
        call.function == "FltUnregisterFilter" && case.view.routine(call.at) == Some(&unload)
    })
}

pub(super) fn unload_tears_down(case: &Case) -> Vec<Seen> {
    case.trace
        .events
        .iter()
        .filter_map(|event| match event {
            Event::Unload {
                mandatory: false,
                outcome:
                    Unload::Called {
                        status,
                        registered: true,
                    },
            } if status.is_success() => Some(Seen::new(
                "registered",
                format!("the unload callback returns {status}, a success, and the filter is still registered"),
            )),
            _ => None,
        })
        .collect()
}

/// Returns the events of a refused unload: the start of the callback and the result of the request.
fn refusal(case: &Case) -> Option<(usize, usize)> {
    let end = case.trace.events.iter().position(|event| {
        matches!(
            event,
            Event::Unload {
                mandatory: false,
                outcome: Unload::Called { status, .. },
            } if !status.is_success()
        )
    })?;
    let begin = case.trace.events[..end].iter().rposition(|event| {
        matches!(
            event,
            Event::Enter {
                routine: Routine::FilterUnload { .. },
                ..
            }
        )
    })?;
    Some((begin, end))
}

pub(super) fn refusal_keeps_filtering(case: &Case) -> Vec<Seen> {
    let Some((begin, end)) = refusal(case) else {
        return Vec::new();
    };
    let mut released = case.view.resources.iter().filter(|resource| {
        resource
            .released
            .is_some_and(|released| (begin..end).contains(&released))
            && resource.acquired < begin
            && matches!(
                case.view.routine(resource.acquired),
                Some(Routine::DriverEntry)
            )
    });
    if let Some(resource) = released.next() {
        return vec![Seen::new(
            format!("released {}", resource.kind),
            format!("the unload callback refuses the unload after it released {resource}"),
        )];
    }
    let answers = |wanted: Stage| -> Vec<String> {
        case.trace
            .events
            .iter()
            .enumerate()
            .filter(|(at, _)| case.view.stage(*at) == wanted)
            .filter_map(|(_, event)| match event {
                Event::PreAnswer {
                    operation, answer, ..
                } => Some(format!("{operation} on {}: pre {answer}", operation.volume)),
                Event::PostAnswer {
                    operation, answer, ..
                } => Some(format!(
                    "{operation} on {}: post {answer}",
                    operation.volume
                )),
                _ => None,
            })
            .collect()
    };
    let (before, again) = (answers(Stage::Before), answers(Stage::Again));
    // A trace that is not complete is covered by the rules about endings.
    if before == again || !case.trace.completed() {
        return Vec::new();
    }
    let first = before
        .iter()
        .zip(again.iter().map(Some).chain(std::iter::repeat(None)))
        .find(|(before, again)| Some(*before) != *again);
    let seen = match first {
        Some((before, Some(again))) => {
            format!("before the refused unload: {before:?}; after it: {again:?}")
        }
        Some((before, None)) => format!("after the refused unload, {before:?} does not occur"),
        None => "after the refused unload, callbacks are called that were not called before it"
            .to_owned(),
    };
    vec![Seen::new("differs", seen)]
}

pub(super) fn unload_leak(case: &Case) -> Vec<Seen> {
    let unloaded = case.trace.events.iter().rposition(|event| {
        matches!(
            event,
            Event::Unload {
                mandatory,
                outcome: Unload::Called { status, registered: false },
            } if *mandatory || status.is_success()
        )
    });
    let Some(unloaded) = unloaded.filter(|_| case.trace.completed()) else {
        return Vec::new();
    };
    let port_is_known = !port_closed_before_unregister(case).is_empty();
    let notification_is_known = !notification_before_device(case).is_empty();
    let mut seen: Vec<Seen> = case
        .view
        .held_at(unloaded)
        .filter(|resource| match resource.kind {
            // Names, contexts and reinitialization routines are covered by separate rules.
            Kind::NameInformation | Kind::Context | Kind::Reinitialization => false,
            Kind::ServerPort | Kind::ClientPort => !port_is_known,
            Kind::ShutdownNotification => !notification_is_known,
            _ => true,
        })
        .map(|resource| {
            let routine = case.view.routine_label(resource.acquired, "the driver");
            let (function, site) = case
                .view
                .acquiring_call(resource)
                .unwrap_or(("the filter manager", 0));
            Seen::new(
                format!("{function} {site}"),
                format!(
                    "the unloaded driver still holds: {resource}, from {function} in {routine}"
                ),
            )
            .called(function, site)
        })
        .collect();
    seen.dedup_by(|one, other| one.key == other.key);
    seen
}

pub(super) fn unload_policy(case: &Case) -> Vec<Seen> {
    let Some(expected) = case.expectations.filter(|_| case.is_clean()) else {
        return Vec::new();
    };
    let mut seen: Vec<Seen> = case
        .trace
        .events
        .iter()
        .filter_map(|event| match event {
            Event::Unload {
                mandatory: false,
                outcome: Unload::Called { status, .. },
            } if !status.is_success() && *status != status::FLT_DO_NOT_DETACH => Some(Seen::new(
                "status",
                format!(
                    "fltmc unload is refused with {status}; a refusal is STATUS_FLT_DO_NOT_DETACH"
                ),
            )),
            _ => None,
        })
        .collect();
    // The policy while a program has the device open is covered by a separate rule.
    if matches!(
        case.scenario.script,
        Script::DeviceInUse | Script::OpenDuringUnload
    ) {
        return seen;
    }
    let answer = case.trace.events.iter().find_map(|event| match event {
        Event::Unload {
            mandatory: false,
            outcome,
        } => Some(*outcome),
        _ => None,
    });
    if let (Some(policy), Some(outcome)) = (expected.unload_policy, answer) {
        let (fits, what) = match outcome {
            Unload::Called { status, .. } if status.is_success() => (
                policy == Policy::Always,
                "fltmc unload is accepted".to_owned(),
            ),
            Unload::Called { status, .. } => (
                policy == Policy::RefuseNonMandatory,
                format!("fltmc unload is refused with {status}"),
            ),
            _ => (
                policy == Policy::Never,
                "there is no FilterUnloadCallback".to_owned(),
            ),
        };
        if !fits {
            seen.push(Seen::new(
                "policy",
                format!("the policy is to be {policy}, and {what}"),
            ));
        }
    }
    if let (Some(service_stop), Some(registration)) =
        (expected.service_stop, case.trace.registration())
        && service_stop != (registration.flags & Registration::NO_SERVICE_STOP == 0)
    {
        seen.push(Seen::new(
            "service stop",
            if service_stop {
                "a service stop is to be supported, and FLTFL_REGISTRATION_DO_NOT_SUPPORT_SERVICE_STOP is set"
            } else {
                "a service stop is not to be supported, and FLTFL_REGISTRATION_DO_NOT_SUPPORT_SERVICE_STOP is not set"
            },
        ));
    }
    seen
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Recording, names};
    use super::*;
    use crate::expect::Expectations;
    use crate::scenario::{self, Scenario};
    use crate::trace::{Callback, Operation, Place, Trace, Via};
    use crate::vocabulary::status::Status;

    fn clean() -> Scenario {
        Scenario::clean(scenario::Script::Life)
    }

    fn loaded() -> Recording {
        Recording::new()
            .enter(Routine::DriverEntry)
            .acquires("FltRegisterFilter", Kind::Filter)
            .call("FltStartFiltering", status::SUCCESS)
            .leave(status::SUCCESS)
    }

    fn asked(recording: Recording, mandatory: bool, status: Status, unregister: bool) -> Recording {
        let recording = recording
            .stage(Stage::Unload)
            .enter(Routine::FilterUnload { mandatory });
        let recording = if unregister {
            recording.releases("FltUnregisterFilter", 1)
        } else {
            recording
        };
        recording.leave(status).event(Event::Unload {
            mandatory,
            outcome: Unload::Called {
                status,
                registered: !unregister,
            },
        })
    }

    fn verdict(trace: &Trace) -> Vec<&'static str> {
        let scenario = clean();
        names(&Case::new(&scenario, trace))
    }

    #[test]
    fn a_full_unload_has_no_finding() {
        assert!(verdict(&asked(loaded(), false, status::SUCCESS, true).done()).is_empty());
    }

    #[test]
    fn an_unload_without_teardown_is_one_finding() {
        let agreed = asked(loaded(), false, status::SUCCESS, false).done();
        assert_eq!(verdict(&agreed), ["unload-tears-down"]);
        let refused = asked(loaded(), true, status::FLT_DO_NOT_DETACH, false).done();
        assert_eq!(verdict(&refused), ["mandatory-unload-tears-down"]);
    }

    #[test]
    fn a_refusal_after_a_release_is_detected() {
        let refused = asked(loaded(), false, status::FLT_DO_NOT_DETACH, true).done();
        assert_eq!(verdict(&refused), ["refusal-keeps-filtering"]);
        let kept = asked(loaded(), false, status::FLT_DO_NOT_DETACH, false).done();
        assert!(verdict(&kept).is_empty());
    }

    #[test]
    fn a_refusal_after_which_the_results_differ_is_detected() {
        let answer = |recording: Recording, stage, answer| {
            recording.stage(stage).event(Event::PreAnswer {
                operation: Operation {
                    major: 0,
                    variant: String::new(),
                    volume: "a fixed NTFS disk".to_owned(),
                    via: Via::Irp,
                },
                answer,
                status: status::SUCCESS,
            })
        };
        let told = |after| {
            let recording = answer(loaded(), Stage::Before, 0);
            let recording = asked(recording, false, status::FLT_DO_NOT_DETACH, false);
            answer(recording, Stage::Again, after).done()
        };
        assert!(verdict(&told(0)).is_empty());
        assert_eq!(verdict(&told(1)), ["refusal-keeps-filtering"]);
    }

    #[test]
    fn a_resource_that_an_unloaded_driver_holds_is_a_leak() {
        let recording = loaded().acquires("ExAllocatePool2", Kind::Pool);
        assert_eq!(
            verdict(&asked(recording, false, status::SUCCESS, true).done()),
            ["unload-leak"]
        );
    }

    #[test]
    fn an_open_port_is_not_reported_as_a_leak_too() {
        let recording = loaded().acquires("FltCreateCommunicationPort", Kind::ServerPort);
        assert_eq!(
            verdict(&asked(recording, false, status::SUCCESS, true).done()),
            ["port-closed-before-unregister"]
        );
    }

    #[test]
    fn globals_that_are_freed_before_the_filter_are_distinguished() {
        let freed = |in_teardown| Ending::Trap {
            at: Place::default(),
            trap: Trap::Memory {
                how: crate::os::Use::Read,
                address: 0x7000_0000,
                target: Target::Freed {
                    what: "the pool block".to_owned(),
                    in_teardown,
                },
            },
            argument: None,
            guarded: false,
        };
        let told = |in_teardown| {
            loaded()
                .stage(Stage::Unload)
                .enter(Routine::FilterUnload { mandatory: false })
                .begin("FltUnregisterFilter")
                .enter(Routine::Other {
                    callback: Callback::Dpc,
                })
                .ends(freed(in_teardown))
        };
        assert_eq!(verdict(&told(true)), ["filter-outlives-globals"]);
        assert_eq!(verdict(&told(false)), ["use-after-free"]);
    }

    #[test]
    fn the_policy_is_judged_by_the_result() {
        let trace = asked(loaded(), false, status::SUCCESS, true).done();
        let scenario = clean();
        for (policy, fits) in [
            (Policy::Always, true),
            (Policy::RefuseNonMandatory, false),
            (Policy::Never, false),
        ] {
            let expectations = Expectations {
                unload_policy: Some(policy),
                ..Expectations::default()
            };
            let mut case = Case::new(&scenario, &trace);
            case.expectations = Some(&expectations);
            assert_eq!(unload_policy(&case).is_empty(), fits, "{policy}");
        }
    }
}
