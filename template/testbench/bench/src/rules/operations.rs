//! Rules about callbacks and the functions that they call.

use super::breaches;
use super::case::{Case, Seen};
use super::expected::is_loaded;
use crate::expect::BypassIo;
use crate::imports;
use crate::lifecycle::catalogue::{
    DISABLE_BYPASS_IO, ENABLE_BYPASS_IO, NON_CACHED, NOTIFY_CHANGE, PAGING, QUERY_BYPASS_IO,
    REQUEST_OPLOCK, UNLOCK,
};
use crate::machine::function::Fails;
use crate::scenario::Script;
use crate::trace::{
    Breach, Ending, Event, Kind, Misuse, Operation, Routine, Target, Trap, Unload, Via,
};
use crate::vocabulary::irql;
use crate::vocabulary::major::{
    self, CLEANUP, CLOSE, CREATE, DIRECTORY_CONTROL, FILE_SYSTEM_CONTROL, LOCK_CONTROL, QUERY_OPEN,
    READ, SHUTDOWN, WRITE,
};
use crate::vocabulary::preop;
use crate::vocabulary::status;

/// Returns the driver routines that returned, each with the result.
fn answers<'a>(case: &'a Case) -> impl Iterator<Item = (&'a Routine, status::Status)> {
    let events = case.trace.events.iter().enumerate();
    events.filter_map(|(at, event)| match event {
        Event::Enter { routine, .. } => {
            Some((routine, status::Status(case.view.answer(at)? as u32)))
        }
        _ => None,
    })
}

pub(super) fn callback_status(case: &Case) -> Vec<Seen> {
    let setups = answers(case).filter_map(|(routine, answer)| match routine {
        Routine::InstanceSetup { .. }
            if case.is_strict()
                && case.is_clean()
                && !answer.is_success()
                && answer != status::FLT_DO_NOT_ATTACH =>
        {
            Some(Seen::new(
                format!("setup {answer}"),
                format!("InstanceSetupCallback returns {answer}, and no call failed: a volume is refused with STATUS_FLT_DO_NOT_ATTACH"),
            ))
        }
        Routine::InstanceSetup { .. } if answer.is_success() && answer != status::SUCCESS => {
            Some(Seen::new(
                format!("setup {answer}"),
                format!("InstanceSetupCallback returns {answer}: STATUS_SUCCESS attaches the instance, STATUS_FLT_DO_NOT_ATTACH does not"),
            ))
        }
        _ => None,
    });
    let callbacks = case
        .trace
        .events
        .iter()
        .filter_map(|event| match event {
            Event::PreAnswer {
                operation,
                answer,
                status,
            } => {
                let name = preop::name(*answer);
                let wrong = match answer {
                    2 if operation.via != Via::Irp => "only an operation by IRP can be pended",
                    3 if operation.via != Via::FastIo => "only fast I/O can be disallowed so",
                    6 if operation.major != QUERY_OPEN => {
                        "only IRP_MJ_QUERY_OPEN can be disallowed so"
                    }
                    4 if *status == status::PENDING => {
                        "an operation that is completed has a final status, not STATUS_PENDING"
                    }
                    4 if *status == status::FLT_DISALLOW_FAST_IO => {
                        "an operation that is completed has a final status, not STATUS_FLT_DISALLOW_FAST_IO"
                    }
                    5 if cannot_be_synchronized(operation) => {
                        "the operation cannot be synchronized"
                    }
                    0..=6 => return None,
                    _ => "there is no such status",
                };
                Some(Seen::new(
                    format!("pre {} {answer}", operation.major),
                    format!(
                        "the pre-operation callback of {operation} returns {answer} ({name}): {wrong}"
                    ),
                ))
            }
            Event::PostAnswer {
                operation,
                draining: false,
                answer,
                after,
                ..
            } => {
                let wrong = match answer {
                    0 if *after == status::FLT_DISALLOW_FAST_IO || *after == status::PENDING => {
                        "the operation ends with a status that is not final"
                    }
                    1 if operation.via != Via::Irp => "only an operation by IRP can be pended",
                    0 | 1 => return None,
                    2 if operation.major == QUERY_OPEN => return None,
                    2 => "only IRP_MJ_QUERY_OPEN can be disallowed so",
                    _ => "there is no such FLT_POSTOP_CALLBACK_STATUS",
                };
                Some(Seen::new(
                    format!("post {} {answer}", operation.major),
                    format!(
                        "the post-operation callback of {operation} returns {answer}: {wrong}"
                    ),
                ))
            }
            _ => None,
        });
    let outputs = breaches::of(case, Breach::Callback);
    callbacks.chain(setups).chain(outputs).collect()
}

/// Document: "Returning `FLT_PREOP_SYNCHRONIZE`".
fn cannot_be_synchronized(operation: &Operation) -> bool {
    match operation.major {
        CREATE => true,
        // IRP_MN_LOCK alone.
        LOCK_CONTROL => operation.via == Via::Irp && operation.variant != UNLOCK,
        DIRECTORY_CONTROL => operation.variant == NOTIFY_CHANGE,
        FILE_SYSTEM_CONTROL => operation.variant == REQUEST_OPLOCK,
        // Asynchronous reads and writes.
        READ | WRITE => {
            operation.via == Via::Irp && matches!(operation.variant.as_str(), NON_CACHED | PAGING)
        }
        _ => false,
    }
}

pub(super) fn bypass_io(case: &Case) -> Vec<Seen> {
    let expected = case.expectations.and_then(|expected| expected.bypass_io);
    let mut seen = Vec::new();
    for (at, event) in case.trace.events.iter().enumerate() {
        let Event::PreAnswer {
            operation,
            answer,
            status,
        } = event
        else {
            continue;
        };
        let completes = *answer == preop::COMPLETE;
        let mut say = |what: &str, text: &str| {
            seen.push(Seen::new(
                format!("{what} {}", operation.variant),
                format!("the pre-operation callback of {operation} {text}"),
            ));
        };
        match operation.variant.as_str() {
            DISABLE_BYPASS_IO if completes => say(
                "completes",
                &format!("completes it with {status}; such a request is passed on"),
            ),
            ENABLE_BYPASS_IO | QUERY_BYPASS_IO => match (veto(case, at), completes) {
                (None, true) => say(
                    "completes",
                    &format!(
                        "completes it with {status} and does not call FltVetoBypassIo, which tells the program the reason"
                    ),
                ),
                (Some(vetoed), true) if vetoed != *status => say(
                    "status",
                    &format!(
                        "completes it with {status}, although FltVetoBypassIo returned {vetoed}"
                    ),
                ),
                (Some(_), false) => say("passes", "calls FltVetoBypassIo and passes it on"),
                (None, false) if expected == Some(BypassIo::Veto) && case.is_clean() => {
                    say("expected", "passes it on; a veto is expected");
                }
                (Some(_), true) if expected == Some(BypassIo::Pass) => {
                    say("expected", "vetoes it; that is not expected");
                }
                _ => {}
            },
            _ => {}
        }
    }
    seen.extend(unseen_bypass_io(case));
    seen
}

/// Returns that no pre-operation callback receives the requests that it is expected to veto.
fn unseen_bypass_io(case: &Case) -> Option<Seen> {
    let expected = case.expectations?.bypass_io? == BypassIo::Veto;
    let mut events = case.trace.events.iter();
    let receives = events.any(|event| matches!(event, Event::PreAnswer { operation, .. } if operation.variant == ENABLE_BYPASS_IO));
    let is_sent = case.scenario.script == Script::Life && case.trace.completed();
    (expected && is_loaded(case) && is_sent && !receives).then(|| {
        Seen::new(
            "unseen",
            "no pre-operation callback receives the requests to enable BypassIO; a veto is expected",
        )
    })
}

/// Returns the result of the call of `FltVetoBypassIo` in the callback that ends with the event `answered`, if there is
/// such a call.
fn veto(case: &Case, answered: usize) -> Option<status::Status> {
    let entered = case.trace.events[..answered]
        .iter()
        .rposition(|event| matches!(event, Event::Enter { .. }))?;
    case.view
        .calls()
        .filter(|call| (entered..answered).contains(&call.at) && call.function == "FltVetoBypassIo")
        .last()
        .and_then(|call| call.status())
}

/// Returns whether a function only releases resources: it does not wait and does not query anything.
fn only_frees(function: &str) -> bool {
    const WORDS: [&str; 9] = [
        "Free",
        "Release",
        "Dereference",
        "Delete",
        "Close",
        "DbgPrint",
        "Unlock",
        "Acquire",
        "Leave",
    ];
    const OTHERS: [&str; 6] = [
        "ObfDereferenceObject",
        "KeSetEvent",
        "FltDoCompletionProcessingWhenSafe",
        "KeLowerIrql",
        "KfRaiseIrql",
        "FltIsOperationSynchronous",
    ];
    // Calls that are not recorded elsewhere: only these access the operation.
    const QUIET: [&str; 4] = [
        "FltGetIrpName",
        "IoGetTransactionParameterBlock",
        "ProbeForRead",
        "ProbeForWrite",
    ];
    let is_quiet = imports::function(function).is_some_and(|known| known.fails == Fails::Quiet);
    WORDS.iter().any(|word| function.contains(word))
        || OTHERS.contains(&function)
        || is_quiet && !QUIET.contains(&function)
}

pub(super) fn draining_only_frees(case: &Case) -> Vec<Seen> {
    let mut seen: Vec<Seen> = case
        .view
        .calls()
        .filter(|call| {
            matches!(
                case.view.routine(call.at),
                Some(Routine::Post { draining: true, .. })
            ) && (!only_frees(call.function)
                || call.function == "FltDoCompletionProcessingWhenSafe")
        })
        .map(|call| {
            Seen::new(
                format!("call {}", call.function),
                format!(
                    "a post-operation callback that is called for draining calls {}",
                    call.function
                ),
            )
            .called(call.function, call.site)
        })
        .collect();
    for event in &case.trace.events {
        let Event::PostAnswer {
            operation,
            draining: true,
            answer,
            before,
            after,
        } = event
        else {
            continue;
        };
        if *answer != 0 {
            seen.push(Seen::new(
                format!("answer {answer}"),
                format!("the post-operation callback of {operation} returns {answer} although it is called for draining"),
            ));
        }
        if before != after {
            seen.push(Seen::new(
                "status",
                format!("the post-operation callback of {operation} changes IoStatus from {before} to {after} although it is called for draining"),
            ));
        }
    }
    seen
}

pub(super) fn never_fail_cleanup_close(case: &Case) -> Vec<Seen> {
    let requests = case.trace.events.iter().filter_map(|event| match event {
        Event::DeviceRequest {
            major,
            dispatched: true,
            status,
        } if matches!(*major, CLEANUP | CLOSE | SHUTDOWN)
            && !status.is_success()
            && *status != status::UNSET =>
        {
            let name = major::name(*major);
            Some(Seen::new(
                format!("dispatch {major}"),
                format!("the dispatch routine of {name} fails it with {status}"),
            ))
        }
        _ => None,
    });
    let callbacks = case.trace.events.iter().filter_map(|event| {
        let (operation, status, which) = match event {
            Event::PreAnswer {
                operation,
                answer: 4,
                status,
            } => (operation, status, "pre"),
            Event::PostAnswer {
                operation,
                draining: false,
                before,
                after,
                ..
            } if before.is_success() => (operation, after, "post"),
            _ => return None,
        };
        if !matches!(operation.major, CLEANUP | CLOSE) || status.is_success() {
            return None;
        }
        Some(Seen::new(
            format!("{which} {}", operation.major),
            format!("the {which}-operation callback of {operation} fails it with {status}"),
        ))
    });
    callbacks.chain(requests).collect()
}

pub(super) fn irql(case: &Case) -> Vec<Seen> {
    let mut seen: Vec<Seen> = case
        .view
        .calls()
        .filter_map(|call| {
            let function = imports::function(call.function)?;
            if call.irql <= function.irql {
                return None;
            }
            let routine = case.view.routine(call.at);
            Some(
                Seen::new(
                    format!("{} {}", call.function, call.site),
                    format!(
                        "{} is called at {} in {}; its document allows {} at most",
                        call.function,
                        irql::name(call.irql),
                        routine.map_or_else(|| "the driver".to_owned(), Routine::label),
                        irql::name(function.irql),
                    ),
                )
                .called(call.function, call.site),
            )
        })
        .collect();
    if let Some(Ending::Trap {
        at,
        trap:
            Trap::Memory {
                how,
                target: Target::Pageable { what },
                ..
            },
        ..
    }) = case.trace.ending()
    {
        seen.push(
            Seen::new(
                format!("pageable {what}"),
                format!("the driver {how} {what}, which is pageable, at DISPATCH_LEVEL"),
            )
            .at(at),
        );
    }
    if let Some(Ending::Misuse {
        at,
        misuse: Misuse::Irql { problem },
    }) = case.trace.ending()
    {
        seen.push(Seen::new(format!("{problem} {:?}", at.rva), problem.clone()).at(at));
    }
    seen
}

/// Returns the resources of a kind that are held after the filter was unregistered, or at the end of the trace if it is
/// still registered.
fn still_held(case: &Case, kind: Kind, what: &str) -> Vec<Seen> {
    if !case.trace.completed() || case.trace.driver_entry_status().is_none() {
        return Vec::new();
    }
    let loaded = case
        .trace
        .driver_entry_status()
        .is_some_and(status::Status::is_success);
    // A missing teardown is covered by separate rules.
    let missing_teardown = case.trace.events.iter().any(|event| {
        matches!(
            event,
            Event::Unload {
                outcome: Unload::Called { status, registered: true },
                mandatory,
            } if *mandatory || status.is_success()
        )
    });
    if !loaded || missing_teardown {
        return Vec::new();
    }
    let end = case.trace.events.len();
    let mut held: Vec<Seen> = case
        .view
        .held_at(end)
        .filter(|resource| resource.kind == kind)
        .map(|resource| {
            let routine = case.view.routine_label(resource.acquired, "the driver");
            let (function, site) = case.view.acquiring_call(resource).unwrap_or(("", 0));
            let seen = Seen::new(
                format!("{function} {site}"),
                format!("{what} from {function} in {routine} is never released"),
            );
            seen.called(function, site)
        })
        .collect();
    held.dedup();
    held
}

pub(super) fn name_information_released(case: &Case) -> Vec<Seen> {
    still_held(case, Kind::NameInformation, "the file name information")
}

pub(super) fn context_released(case: &Case) -> Vec<Seen> {
    let mut seen = still_held(case, Kind::Context, "a context reference");
    if let Some(Ending::Misuse {
        at,
        misuse: Misuse::Context { problem },
    }) = case.trace.ending()
    {
        seen.push(Seen::new(problem.clone(), problem.clone()).at(at));
    }
    seen
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Recording, names};
    use super::*;
    use crate::scenario::{self, Scenario};
    use crate::vocabulary::status::Status;

    fn operation(major: u8, via: Via) -> Operation {
        Operation {
            major,
            variant: String::new(),
            volume: "a fixed NTFS disk".to_owned(),
            via,
        }
    }

    fn answered(major: u8, via: Via, answer: u32, status: Status) -> Vec<&'static str> {
        let scenario = Scenario::clean(scenario::Script::Life);
        let trace = Recording::new()
            .event(Event::PreAnswer {
                operation: operation(major, via),
                answer,
                status,
            })
            .done();
        names(&Case::new(&scenario, &trace))
    }

    #[test]
    fn return_values_that_are_invalid_for_an_operation_are_detected() {
        let ok = status::SUCCESS;
        assert!(answered(0, Via::Irp, 1, ok).is_empty());
        assert_eq!(answered(0, Via::Irp, 7, ok), ["callback-status"]);
        assert_eq!(answered(0, Via::Irp, 3, ok), ["callback-status"]);
        assert_eq!(answered(3, Via::FastIo, 2, ok), ["callback-status"]);
        assert_eq!(answered(3, Via::Irp, 6, ok), ["callback-status"]);
        assert_eq!(
            answered(3, Via::Irp, 4, status::PENDING),
            ["callback-status"]
        );
    }

    #[test]
    fn only_cleanup_and_close_may_not_fail() {
        let denied = status::ACCESS_DENIED;
        assert!(answered(0, Via::Irp, 4, denied).is_empty());
        assert!(answered(CLEANUP, Via::Irp, 4, status::SUCCESS).is_empty());
        assert_eq!(
            answered(CLEANUP, Via::Irp, 4, denied),
            ["never-fail-cleanup-close"]
        );
        assert_eq!(
            answered(CLOSE, Via::Irp, 4, denied),
            ["never-fail-cleanup-close"]
        );
    }

    #[test]
    fn a_draining_callback_frees_and_nothing_else() {
        let scenario = Scenario::clean(scenario::Script::Life);
        let told = |function: &str, answer| {
            Recording::new()
                .enter(Routine::Post {
                    operation: operation(3, Via::Irp),
                    draining: true,
                })
                .call(function, status::SUCCESS)
                .leave(status::SUCCESS)
                .event(Event::PostAnswer {
                    operation: operation(3, Via::Irp),
                    draining: true,
                    answer,
                    before: status::FLT_POST_OPERATION_CLEANUP,
                    after: status::FLT_POST_OPERATION_CLEANUP,
                })
                .done()
        };
        let good = told("ExFreePoolWithTag", 0);
        assert!(names(&Case::new(&scenario, &good)).is_empty());
        let asks = told("FltGetFileNameInformation", 0);
        assert_eq!(names(&Case::new(&scenario, &asks)), ["draining-only-frees"]);
        let pends = told("ExFreePoolWithTag", 1);
        assert_eq!(
            names(&Case::new(&scenario, &pends)),
            ["draining-only-frees"]
        );
    }

    #[test]
    fn a_call_above_its_maximum_irql_is_detected() {
        let scenario = Scenario::clean(scenario::Script::Life);
        let told = |irql| {
            Recording::new()
                .begin_at("FltGetFileNameInformation", irql)
                .end(status::SUCCESS)
                .done()
        };
        let good = told(irql::APC);
        assert!(names(&Case::new(&scenario, &good)).is_empty());
        let bad = told(irql::DISPATCH);
        assert_eq!(names(&Case::new(&scenario, &bad)), ["irql"]);
    }

    #[test]
    fn unreleased_name_information_is_reported_once_per_place() {
        let scenario = Scenario::clean(scenario::Script::Life);
        let trace = Recording::new()
            .enter(Routine::DriverEntry)
            .acquires("FltRegisterFilter", Kind::Filter)
            .call("FltStartFiltering", status::SUCCESS)
            .leave(status::SUCCESS)
            .enter(Routine::Pre {
                operation: operation(0, Via::Irp),
            })
            .acquires("FltGetFileNameInformation", Kind::NameInformation)
            .acquires("FltGetFileNameInformation", Kind::NameInformation)
            .leave(Status(1))
            .done();
        let case = Case::new(&scenario, &trace);
        assert_eq!(names(&case), ["name-information-released"]);
        assert_eq!(name_information_released(&case).len(), 1);
    }
}
