//! Rules about the routines and operations in which functions are called.

use super::case::{Case, Seen};
use crate::trace::{Callback, Event, Operation, Routine, Via};
use crate::vocabulary::major::{CLOSE, CREATE, FILE_SYSTEM_CONTROL, SET_INFORMATION};
use crate::vocabulary::status;

/// Functions that are called only in some routines: their names, these routines for a sentence, and whether a routine is
/// one of them.
type Places = (&'static [&'static str], &'static str, fn(&Routine) -> bool);

const PLACES: &[Places] = &[
    (&["FltRegisterFilter"], "in DriverEntry", |routine| {
        *routine == Routine::DriverEntry
    }),
    (
        &["FltRequestOperationStatusCallback"],
        "in the pre-operation callback of an IRP other than IRP_MJ_CLOSE",
        |routine| pre(routine, |of| of.via == Via::Irp && of.major != CLOSE),
    ),
    (
        &["FltVetoBypassIo"],
        "in the pre-operation callback of IRP_MJ_FILE_SYSTEM_CONTROL",
        |routine| pre(routine, |of| of.major == FILE_SYSTEM_CONTROL),
    ),
    (
        &["FltDoCompletionProcessingWhenSafe"],
        "in the post-operation callback of an IRP",
        |routine| post(routine, |of| of.via == Via::Irp),
    ),
    (
        &["FltCancelFileOpen"],
        "in the post-operation callback of IRP_MJ_CREATE",
        |routine| post(routine, |of| of.major == CREATE),
    ),
    (
        &["FltGetTunneledName"],
        "in the post-operation callback of IRP_MJ_CREATE or IRP_MJ_SET_INFORMATION",
        |routine| post(routine, |of| matches!(of.major, CREATE | SET_INFORMATION)),
    ),
    (
        &["FltGetDestinationFileNameInformation"],
        "in the callbacks of IRP_MJ_SET_INFORMATION",
        |routine| either(routine, |of| of.major == SET_INFORMATION),
    ),
    (
        &["FltGetEcpListFromCallbackData"],
        "in the callbacks of IRP_MJ_CREATE",
        |routine| either(routine, |of| of.major == CREATE),
    ),
    (
        &[
            "ExWaitForRundownProtectionRelease",
            "FltCancellableWaitForSingleObject",
            "FltSendMessage",
            "KeDelayExecutionThread",
            "KeWaitForSingleObject",
        ],
        "outside InstanceSetupCallback, which does not wait for threads or programs",
        |routine| !matches!(routine, Routine::InstanceSetup { .. }),
    ),
    (&["IoSetTopLevelIrp"], "in a file system", |_| false),
];

fn pre(routine: &Routine, of: impl Fn(&Operation) -> bool) -> bool {
    matches!(routine, Routine::Pre { operation } if of(operation))
}

fn post(routine: &Routine, of: impl Fn(&Operation) -> bool) -> bool {
    matches!(routine, Routine::Post { operation, .. } if of(operation))
}

fn either(routine: &Routine, of: impl Fn(&Operation) -> bool) -> bool {
    pre(routine, &of) || post(routine, &of)
}

/// Returns whether a routine continues the processing of a callback.
fn continues(routine: &Routine) -> bool {
    let Routine::Other { callback } = routine else {
        return false;
    };
    matches!(
        callback,
        Callback::SafePost | Callback::DeferredIoWorkItem | Callback::GenericWorkItem
    )
}

pub(super) fn allowed_routine(case: &Case) -> Vec<Seen> {
    let calls = case.view.calls().filter_map(|call| {
        let mut places = PLACES.iter();
        let (_, only, allows) = places.find(|(names, ..)| names.contains(&call.function))?;
        let routine = case.view.routine(call.at)?;
        (!continues(routine) && !allows(routine)).then(|| {
            Seen::new(
                format!("{} {}", call.function, call.site),
                format!(
                    "{} is called in {}; its document allows it only {only}",
                    call.function,
                    routine.label()
                ),
            )
            .called(call.function, call.site)
        })
    });
    calls.collect()
}

/// Document: "Failing an I/O Operation in a Postoperation Callback Routine".
pub(super) fn failed_open_canceled(case: &Case) -> Vec<Seen> {
    let mut seen = Vec::new();
    for (at, event) in case.trace.events.iter().enumerate() {
        let Event::PostAnswer {
            operation,
            draining: false,
            answer: 0,
            before,
            after,
        } = event
        else {
            continue;
        };
        if operation.major != CREATE || operation.via != Via::Irp {
            continue;
        }
        let entered = case.trace.events[..at].iter().rposition(
            |event| matches!(event, Event::Enter { routine, .. } if post(routine, |of| of == operation)),
        );
        let canceled = case.view.calls().any(|call| {
            call.function == "FltCancelFileOpen"
                && entered.is_some_and(|entered| (entered..at).contains(&call.at))
        });
        let opened = before.is_success() && *before != status::REPARSE;
        let wrong = match (opened, canceled, after.is_success()) {
            (true, false, false) => {
                format!("fails it with {after} without FltCancelFileOpen: the file stays open")
            }
            (true, true, true) => "calls FltCancelFileOpen and does not fail it".to_owned(),
            (false, true, _) => {
                format!("calls FltCancelFileOpen, although it ended with {before}: no file is open")
            }
            _ => continue,
        };
        seen.push(Seen::new(
            format!("{opened} {canceled}"),
            format!("the post-operation callback of {operation} {wrong}"),
        ));
    }
    seen
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Recording, names};
    use super::*;
    use crate::scenario::{Scenario, Script};
    use crate::vocabulary::status::Status;

    fn operation(major: u8) -> Operation {
        Operation {
            major,
            variant: String::new(),
            volume: "a fixed NTFS disk".to_owned(),
            via: Via::Irp,
        }
    }

    fn judged(
        major: u8,
        function: Option<&str>,
        before: Status,
        after: Status,
    ) -> Vec<&'static str> {
        let scenario = Scenario::clean(Script::Life);
        let routine = Routine::Post {
            operation: operation(major),
            draining: false,
        };
        let mut trace = Recording::new().enter(routine);
        if let Some(function) = function {
            trace = trace.call(function, status::SUCCESS);
        }
        let trace = trace
            .leave(status::SUCCESS)
            .event(Event::PostAnswer {
                operation: operation(major),
                draining: false,
                answer: 0,
                before,
                after,
            })
            .done();
        names(&Case::new(&scenario, &trace))
    }

    #[test]
    fn an_open_that_is_failed_is_canceled() {
        let (ok, denied) = (status::SUCCESS, status::ACCESS_DENIED);
        let cancel = Some("FltCancelFileOpen");
        assert_eq!(judged(CREATE, None, ok, ok), [""; 0]);
        assert_eq!(judged(CREATE, None, denied, denied), [""; 0]);
        assert_eq!(judged(CREATE, cancel, ok, denied), [""; 0]);
        for (cancel, before, after) in [
            (None, ok, denied),
            (cancel, ok, ok),
            (cancel, denied, denied),
            (cancel, status::REPARSE, denied),
        ] {
            assert_eq!(
                judged(CREATE, cancel, before, after),
                ["failed-open-canceled"]
            );
        }
    }

    #[test]
    fn a_function_is_called_only_where_its_document_allows_it() {
        let ok = status::SUCCESS;
        for (major, function, allowed) in [
            (CREATE, "FltGetTunneledName", true),
            (SET_INFORMATION, "FltGetTunneledName", true),
            (CLOSE, "FltGetTunneledName", false),
            (CREATE, "FltVetoBypassIo", false),
            (CLOSE, "FltDoCompletionProcessingWhenSafe", true),
            (CREATE, "IoSetTopLevelIrp", false),
            (CREATE, "KeWaitForSingleObject", true),
        ] {
            let found = judged(major, Some(function), ok, ok);
            let expected: &[&str] = if allowed { &[] } else { &["allowed-routine"] };
            assert_eq!(found, expected, "{function}");
        }
    }
}
