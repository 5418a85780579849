//! Rules about `DriverEntry`.

use super::case::{Case, Seen};
use super::view::Resource;
use crate::imports;
use crate::scenario::Injected;
use crate::trace::{Ending, Event, Kind, Misuse, Place, Routine, Stage, Target, Trap};
use crate::vocabulary::status::{self, Status};

/// Returns the event of the return of a `DriverEntry` that failed, and the status.
pub(super) fn failed(case: &Case) -> Option<(usize, Status)> {
    case.view
        .driver_entry()
        .filter(|(_, status)| !status.is_success())
}

/// Returns the fault that made `DriverEntry` fail, for a sentence.
fn cause(case: &Case) -> String {
    let failures = case.view.load_failures();
    match failures.first() {
        Some((call, injected)) => format!("after {} returned {injected}", call.function),
        None => "without an injected failure".to_owned(),
    }
}

pub(super) fn clean_load(case: &Case) -> Vec<Seen> {
    match failed(case) {
        // Missing registry values are covered by a separate rule.
        Some((_, status)) if case.is_clean() && !case.scenario.script.may_fail_to_load() => {
            let refused = case
                .view
                .load_calls()
                .filter(|call| {
                    matches!(
                        imports::function(call.function).map(|function| function.fails),
                        Some(crate::machine::function::Fails::With(_))
                    )
                })
                .filter(|call| call.status().is_some_and(|status| !status.is_success()))
                .last();
            let why = match refused {
                Some(call) => format!(
                    "; no call was made to fail, and {} returned {}",
                    call.function,
                    call.status().unwrap_or_default()
                ),
                None => " although no call failed".to_owned(),
            };
            vec![Seen::new(
                "failed",
                format!("DriverEntry returns {status}{why}{}", not_in_registry(case)),
            )]
        }
        _ => Vec::new(),
    }
}

/// Returns the keys and values that `DriverEntry` queried and that do not exist in the registry, with the settings that
/// define them, for the end of a sentence.
fn not_in_registry(case: &Case) -> String {
    let events = case.trace.events.iter().enumerate();
    let mut asked: Vec<String> = events
        .filter(|(at, _)| case.view.routine(*at) == Some(&Routine::DriverEntry))
        .filter_map(|(_, event)| match event {
            Event::NotInRegistry {
                key,
                value,
                setting,
                ..
            } => {
                let what = match value {
                    Some(value) => format!("the value {value} of {key}"),
                    None => format!("the key {key}"),
                };
                Some(match setting {
                    Some(setting) => format!(
                        "{what} (--reg '{setting}=TYPE:VALUE' gives it, or the table [registry] of testbench.toml)"
                    ),
                    None => what,
                })
            }
            _ => None,
        })
        .collect();
    asked.dedup();
    if asked.is_empty() {
        return String::new();
    }
    format!(
        "; the registry of the bench does not have what it asked for: {}",
        asked.join(", ")
    )
}

pub(super) fn register_before_start(case: &Case) -> Vec<Seen> {
    let registered = case
        .view
        .calls()
        .any(|call| call.function == "FltRegisterFilter");
    let started = case
        .view
        .calls()
        .find(|call| call.function == "FltStartFiltering");
    let Some(started) = started else {
        return Vec::new();
    };
    if !registered {
        return vec![
            Seen::new(
                "unregistered",
                "FltStartFiltering is called before FltRegisterFilter",
            )
            .called(started.function, started.site),
        ];
    }
    if !case.is_clean() || failed(case).is_some() {
        return Vec::new();
    }
    let Some(returned) = started.returned else {
        return Vec::new();
    };
    let loaded = case.view.driver_entry().map_or(returned, |(at, _)| at);
    // A block that is never released is a leak.
    let is_kept = |resource: &Resource| resource.is_held_at(loaded) && resource.released.is_some();
    case.view
        .resources
        .iter()
        .filter(|resource| {
            resource.acquired > returned
                && case.view.routine(resource.acquired) == Some(&Routine::DriverEntry)
                && (matches!(
                    resource.kind,
                    Kind::ServerPort
                        | Kind::Device
                        | Kind::Eresource
                        | Kind::Lookaside
                        | Kind::NotifyRoutine(_)
                        | Kind::ShutdownNotification
                ) || resource.kind == Kind::Pool && case.is_strict() && is_kept(resource))
        })
        .map(|resource| {
            Seen::new(
                format!("late {}", resource.kind),
                format!("{resource} is acquired after FltStartFiltering"),
            )
            .as_advice()
        })
        .collect()
}

pub(super) fn start_filtering(case: &Case) -> Vec<Seen> {
    // Informational statuses are covered by a separate rule.
    let Some((_, status)) = case.view.driver_entry() else {
        return Vec::new();
    };
    if !status.is_success() || case.is_informational() {
        return Vec::new();
    }
    let results: Vec<Status> = case
        .view
        .load_calls()
        .filter(|call| call.function == "FltStartFiltering")
        .filter_map(|call| call.status())
        .collect();
    let gone = case
        .view
        .load_calls()
        .any(|call| call.function == "FltUnregisterFilter");
    if results.iter().any(|status| status.is_success()) && !gone {
        return Vec::new();
    }
    let seen = match results.first() {
        Some(result) if !gone => {
            format!("FltStartFiltering returned {result}, and DriverEntry {status}")
        }
        Some(_) => format!(
            "DriverEntry returns {status} after FltUnregisterFilter: no filter is registered"
        ),
        None => format!(
            "DriverEntry returns {status} without FltStartFiltering, {}",
            cause(case)
        ),
    };
    vec![Seen::new(
        if results.is_empty() {
            "never"
        } else if gone {
            "unregistered"
        } else {
            "failed"
        },
        seen,
    )]
}

fn place(ending: Option<&Ending>) -> Option<&Place> {
    match ending {
        Some(Ending::Trap { at, .. } | Ending::Misuse { at, .. }) => Some(at),
        _ => None,
    }
}

/// Returns whether a callback failed before `FltStartFiltering` returned and does not fail at that place after it has
/// returned. Stack exhaustion is excluded, because the faulting instruction differs between runs.
pub(super) fn is_not_ready(case: &Case) -> bool {
    let last = case.trace.events.len().saturating_sub(1);
    let failed = match case.trace.ending() {
        Some(Ending::Trap {
            trap: Trap::Memory { target, .. },
            ..
        }) => *target != Target::Stack,
        Some(Ending::Misuse { misuse, .. }) => {
            matches!(misuse, Misuse::Handle { .. } | Misuse::Lock { .. })
        }
        _ => false,
    };
    failed
        && case.view.stage(last) == Stage::Load
        && case.view.is_within(last, "FltStartFiltering")
        && case
            .quiet
            .is_some_and(|quiet| place(quiet.ending()) != place(case.trace.ending()))
}

pub(super) fn ready_before_start(case: &Case) -> Vec<Seen> {
    if !is_not_ready(case) {
        return Vec::new();
    }
    let last = case.trace.events.len() - 1;
    let routine = case.view.routine_label(last, "a callback");
    let (what, place) = match case.trace.ending() {
        Some(Ending::Trap {
            at,
            trap: Trap::Memory { how, target, .. },
            ..
        }) => (
            match target {
                Target::Null => format!("{how} memory through a pointer that is still NULL"),
                _ => format!("{how} memory that is not valid yet"),
            },
            Some(at),
        ),
        Some(Ending::Misuse {
            at,
            misuse: Misuse::Handle {
                expected, given, ..
            },
        }) => (format!("uses {given} as {expected}"), Some(at)),
        _ => (
            "uses an object that is not initialized yet".to_owned(),
            None,
        ),
    };
    let seen = Seen::new(
        "not ready",
        format!(
            "{routine}, called while FltStartFiltering runs, {what}; when it is called later, it does not"
        ),
    );
    vec![match place {
        Some(place) => seen.at(place),
        None => seen,
    }]
}

pub(super) fn failed_load_undone(case: &Case) -> Vec<Seen> {
    let Some((at, status)) = failed(case) else {
        return Vec::new();
    };
    if case.is_clean() {
        // The rule clean-load reports the failure.
        return Vec::new();
    }
    case.view
        .held_at(at)
        .filter(|resource| resource.kind != Kind::Reinitialization)
        .map(|resource| {
            let by =
                case.view
                    .enclosing(resource.acquired)
                    .find_map(|at| match &case.view.events[at] {
                        Event::Call { function, site, .. } => Some((function.clone(), *site)),
                        _ => None,
                    });
            let seen = Seen::new(
                format!("{} {}", resource.kind, resource.what),
                format!(
                    "DriverEntry returns {status} {} and still holds: {resource}",
                    cause(case)
                ),
            );
            match by {
                Some((function, site)) => seen.called(&function, site),
                None => seen,
            }
        })
        .collect()
}

pub(super) fn undo_in_reverse(case: &Case) -> Vec<Seen> {
    if !case.trace.completed() {
        return Vec::new();
    }
    // The teardown begins at the failing call or at the unload.
    let begin = match failed(case) {
        Some(_) => case.view.load_failures().first().map(|(call, _)| call.at),
        None => case.view.events.iter().rposition(|event| {
            matches!(
                event,
                Event::Enter {
                    routine: Routine::FilterUnload { .. },
                    ..
                }
            )
        }),
    };
    let Some(begin) = begin else {
        return Vec::new();
    };
    let mut released: Vec<_> = case
        .view
        .held_at(begin)
        .filter(|resource| {
            matches!(
                resource.kind,
                Kind::Filter
                    | Kind::ServerPort
                    | Kind::Device
                    | Kind::SymbolicLink
                    | Kind::ShutdownNotification
                    | Kind::Eresource
                    | Kind::Lookaside
                    | Kind::NotifyRoutine(_)
            ) || resource.kind == Kind::Pool && case.is_strict()
        })
        .filter_map(|resource| resource.released.map(|at| (at, *resource)))
        .filter(|(at, _)| {
            case.view
                .routine(*at)
                .is_some_and(|routine| *routine == Routine::DriverEntry || routine.is_unload())
        })
        .collect();
    released.sort_by_key(|(at, _)| *at);
    released
        .windows(2)
        .filter(|pair| pair[0].1.acquired < pair[1].1.acquired)
        .map(|pair| {
            let (first, second) = (pair[0].1, pair[1].1);
            Seen::new(
                format!("{} {}", first.kind, second.kind),
                format!("{first} is released before {second}, which was acquired after it"),
            )
        })
        .collect()
}

pub(super) fn original_status(case: &Case) -> Vec<Seen> {
    let Some((_, status)) = failed(case) else {
        return Vec::new();
    };
    let failures = case.view.load_failures();
    let statuses: Vec<Status> = failures
        .iter()
        .filter_map(|(_, injected)| injected.status())
        .collect();
    // NULL does not include a status.
    let Some((call, Injected::Status(original))) = failures.first() else {
        return Vec::new();
    };
    if statuses.contains(&status) {
        return Vec::new();
    }
    vec![
        Seen::new(
            "substitute",
            format!(
                "{} returned {original}, and DriverEntry returns {status}",
                call.function
            ),
        )
        .called(call.function, call.site),
    ]
}

pub(super) fn success_is_exact(case: &Case) -> Vec<Seen> {
    if !case.is_informational() {
        return Vec::new();
    }
    let Some((at, status)) = case.view.driver_entry() else {
        return Vec::new();
    };
    let informational = case
        .view
        .load_calls()
        .find(|call| call.injected && call.status().is_some_and(Status::is_informational));
    let Some(call) = informational else {
        return Vec::new();
    };
    let given = call.status().unwrap_or(status::SUCCESS);
    let registered = case
        .view
        .held_at(at)
        .any(|resource| resource.kind == Kind::Filter);
    let started = case.view.load_calls().any(|call| {
        call.function == "FltStartFiltering" && call.status().is_some_and(Status::is_success)
    });
    // A DriverEntry that never starts filtering and returns STATUS_SUCCESS behaves the same without the injected
    // status.
    let filters = registered && (started || status == status::SUCCESS);
    let seen = if !status.is_success() {
        Seen::new(
            "refused",
            format!(
                "{} returned {given}, a success, and DriverEntry fails with {status}",
                call.function
            ),
        )
        .as_advice()
    } else if !filters {
        Seen::new(
            "undone",
            format!(
                "{} returned {given}, a success; DriverEntry undoes its steps and returns {status}, also a success, so the driver stays loaded and does not filter",
                call.function
            ),
        )
    } else if status != status::SUCCESS {
        Seen::new(
            "passed on",
            format!(
                "{} returned {given}, and DriverEntry returns it instead of STATUS_SUCCESS",
                call.function
            ),
        )
        .as_advice()
    } else {
        return Vec::new();
    };
    vec![seen.called(call.function, call.site)]
}

pub(super) fn dispatch_reset(case: &Case) -> Vec<Seen> {
    if case.is_clean() {
        return Vec::new();
    }
    let after = case.trace.events.iter().find_map(|event| match event {
        Event::DispatchAfterFailure {
            flush_buffers,
            shutdown,
        } => Some((*flush_buffers, *shutdown)),
        _ => None,
    });
    let Some((flush_buffers, shutdown)) = after else {
        return Vec::new();
    };
    [
        (flush_buffers, "IRP_MJ_FLUSH_BUFFERS"),
        (shutdown, "IRP_MJ_SHUTDOWN"),
    ]
    .into_iter()
    .filter(|(own, _)| *own)
    .map(|(_, name)| {
        Seen::new(
            name,
            format!(
                "DriverEntry fails {} and leaves its routine in MajorFunction[{name}]",
                cause(case)
            ),
        )
    })
    .collect()
}

pub(super) fn reinitialize_last(case: &Case) -> Vec<Seen> {
    let Some((_, status)) = case.view.driver_entry() else {
        return Vec::new();
    };
    let asked = case.view.load_calls().find(|call| {
        matches!(
            call.function,
            "IoRegisterDriverReinitialization" | "IoRegisterBootDriverReinitialization"
        )
    });
    let Some(asked) = asked else {
        return Vec::new();
    };
    if status.is_success() {
        return Vec::new();
    }
    vec![
        Seen::new(
            "failed",
            format!(
                "{} is called, and DriverEntry returns {status}: the routine is called after the image was unloaded",
                asked.function
            ),
        )
        .called(asked.function, asked.site),
    ]
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Recording, names};
    use super::*;
    use crate::expect::Expectations;
    use crate::scenario::{self, Scenario};
    use crate::trace::{Operation, Trace, Via};

    fn scenario(function: &str, result: Injected) -> Scenario {
        Scenario::clean(scenario::Script::Life).with(scenario::Fault {
            point: 0,
            function: function.to_owned(),
            site: 0x1000,
            within: "DriverEntry".to_owned(),
            result,
        })
    }

    fn clean() -> Scenario {
        Scenario::clean(scenario::Script::Life)
    }

    const FAILS: Injected = Injected::Status(status::INSUFFICIENT_RESOURCES);

    fn started() -> Recording {
        Recording::new()
            .enter(Routine::DriverEntry)
            .acquires("FltRegisterFilter", Kind::Filter)
            .call("FltStartFiltering", status::SUCCESS)
    }

    #[test]
    fn a_driver_that_loads_has_no_finding() {
        let scenario = clean();
        let trace = started().leave(status::SUCCESS).done();
        assert!(names(&Case::new(&scenario, &trace)).is_empty());
    }

    #[test]
    fn a_missing_registry_value_is_named_with_its_setting() {
        let scenario = clean();
        let absent = |value: Option<&str>, setting: Option<&str>| Event::NotInRegistry {
            key: "\\REGISTRY\\K".to_owned(),
            value: value.map(str::to_owned),
            setting: setting.map(str::to_owned),
            odd: false,
        };
        let trace = Recording::new()
            .enter(Routine::DriverEntry)
            .begin("ZwQueryValueKey")
            .event(absent(Some("Mode"), Some("Mode")))
            .end(status::OBJECT_NAME_NOT_FOUND)
            .begin("ZwOpenKey")
            .event(absent(None, None))
            .end(status::OBJECT_NAME_NOT_FOUND)
            .leave(status::OBJECT_NAME_NOT_FOUND)
            .done();
        let seen = &clean_load(&Case::new(&scenario, &trace))[0].seen;
        assert!(
            seen.ends_with(
                "; the registry of the bench does not have what it asked for: the value Mode of \\REGISTRY\\K (--reg 'Mode=TYPE:VALUE' gives it, or the table [registry] of testbench.toml), the key \\REGISTRY\\K"
            ),
            "{seen}"
        );
    }

    #[test]
    fn a_failed_start_that_is_undone_must_be_logged() {
        let scenario = scenario("FltStartFiltering", FAILS);
        let trace = Recording::new()
            .enter(Routine::DriverEntry)
            .acquires("FltRegisterFilter", Kind::Filter)
            .fails("FltStartFiltering", status::INSUFFICIENT_RESOURCES)
            .releases("FltUnregisterFilter", 1)
            .leave(status::INSUFFICIENT_RESOURCES)
            .done();
        assert_eq!(names(&Case::new(&scenario, &trace)), ["error-logged"]);
    }

    #[test]
    fn resources_that_a_failed_load_holds_are_named() {
        let scenario = scenario("FltStartFiltering", FAILS);
        let trace = Recording::new()
            .enter(Routine::DriverEntry)
            .acquires("FltRegisterFilter", Kind::Filter)
            .fails("FltStartFiltering", status::INSUFFICIENT_RESOURCES)
            .leave(status::INSUFFICIENT_RESOURCES)
            .done();
        let case = Case::new(&scenario, &trace);
        assert_eq!(
            failed_load_undone(&case)[0].seen,
            "DriverEntry returns STATUS_INSUFFICIENT_RESOURCES (0xC000009A) after FltStartFiltering returned STATUS_INSUFFICIENT_RESOURCES (0xC000009A) and still holds: filter registration (FltRegisterFilter)"
        );
    }

    #[test]
    fn another_status_is_detected_except_after_null() {
        let trace = |function: &str, result: u32| {
            Recording::new()
                .enter(Routine::DriverEntry)
                .fails(function, Status(result))
                .leave(status::UNSUCCESSFUL)
                .done()
        };
        let one = scenario("FltRegisterFilter", FAILS);
        let failing = trace("FltRegisterFilter", status::INSUFFICIENT_RESOURCES.0);
        assert_eq!(original_status(&Case::new(&one, &failing)).len(), 1);
        let other = scenario("ExAllocatePool2", Injected::Zero);
        let without = trace("ExAllocatePool2", 0);
        assert!(original_status(&Case::new(&other, &without)).is_empty());
    }

    #[test]
    fn an_informational_status_undoes_nothing() {
        let scenario = scenario(
            "FltStartFiltering",
            Injected::Status(status::OBJECT_NAME_EXISTS),
        );
        let told = |undone: bool, answer| {
            let recording = Recording::new()
                .enter(Routine::DriverEntry)
                .acquires("FltRegisterFilter", Kind::Filter)
                .fails("FltStartFiltering", status::OBJECT_NAME_EXISTS);
            let recording = if undone {
                recording.releases("FltUnregisterFilter", 1)
            } else {
                recording
            };
            recording.leave(answer).done()
        };
        let good = told(false, status::SUCCESS);
        assert!(names(&Case::new(&scenario, &good)).is_empty());
        let bad = told(true, status::OBJECT_NAME_EXISTS);
        assert_eq!(names(&Case::new(&scenario, &bad)), ["success-is-exact"]);
        let passed_on = told(false, status::OBJECT_NAME_EXISTS);
        let seen = success_is_exact(&Case::new(&scenario, &passed_on));
        assert!(seen[0].advice, "no document prohibits it");
    }

    #[test]
    fn loaded_without_filtering_is_seen() {
        let scenario = clean();
        let trace = Recording::new()
            .enter(Routine::DriverEntry)
            .acquires("FltRegisterFilter", Kind::Filter)
            .leave(status::SUCCESS)
            .done();
        assert_eq!(names(&Case::new(&scenario, &trace)), ["start-filtering"]);
    }

    #[test]
    fn reverse_order_is_judged_by_the_held_resources() {
        let scenario = scenario("FltStartFiltering", FAILS);
        let told = |first, second| {
            Recording::new()
                .enter(Routine::DriverEntry)
                .acquires("ExInitializeResourceLite", Kind::Eresource)
                .acquires("IoCreateDevice", Kind::Device)
                .fails("FltStartFiltering", status::INSUFFICIENT_RESOURCES)
                .releases("one", first)
                .releases("other", second)
                .leave(status::INSUFFICIENT_RESOURCES)
                .done()
        };
        let good = told(2, 1);
        assert!(undo_in_reverse(&Case::new(&scenario, &good)).is_empty());
        let bad = told(1, 2);
        assert_eq!(undo_in_reverse(&Case::new(&scenario, &bad)).len(), 1);
    }

    #[test]
    fn a_reinitialization_in_a_failed_load_is_detected() {
        let scenario = scenario("FltStartFiltering", FAILS);
        let trace = Recording::new()
            .enter(Routine::DriverEntry)
            .acquires("FltRegisterFilter", Kind::Filter)
            .acquires("IoRegisterDriverReinitialization", Kind::Reinitialization)
            .fails("FltStartFiltering", status::INSUFFICIENT_RESOURCES)
            .releases("FltUnregisterFilter", 1)
            .leave(status::INSUFFICIENT_RESOURCES)
            .done();
        let case = Case::new(&scenario, &trace);
        assert_eq!(names(&case), ["reinitialize-last", "error-logged"]);
    }

    #[test]
    fn dispatch_entries_that_remain_are_detected() {
        let scenario = scenario("FltStartFiltering", FAILS);
        let trace = Recording::new()
            .enter(Routine::DriverEntry)
            .fails("FltStartFiltering", status::INSUFFICIENT_RESOURCES)
            .leave(status::INSUFFICIENT_RESOURCES)
            .event(Event::DispatchAfterFailure {
                flush_buffers: false,
                shutdown: true,
            })
            .done();
        let seen = dispatch_reset(&Case::new(&scenario, &trace));
        assert_eq!(seen.len(), 1);
        assert!(seen[0].seen.ends_with("MajorFunction[IRP_MJ_SHUTDOWN]"));
    }

    fn failing_before_the_start() -> Trace {
        Recording::new()
            .enter(Routine::DriverEntry)
            .acquires("FltRegisterFilter", Kind::Filter)
            .begin("FltStartFiltering")
            .enter(Routine::Pre {
                operation: Operation {
                    major: 0,
                    variant: String::new(),
                    volume: String::new(),
                    via: Via::Irp,
                },
            })
            .ends(Ending::Trap {
                at: Place::default(),
                trap: Trap::Memory {
                    how: crate::os::Use::Read,
                    address: 8,
                    target: Target::Null,
                },
                argument: None,
                guarded: false,
            })
    }

    #[test]
    fn a_failure_only_during_the_start_is_distinguished() {
        let scenario = clean();
        let trace = failing_before_the_start();
        let fine = started().leave(status::SUCCESS).done();
        let mut case = Case::new(&scenario, &trace);
        case.quiet = Some(&fine);
        assert_eq!(names(&case), ["ready-before-start"]);
        case.quiet = Some(&trace);
        assert_eq!(names(&case), ["crash"]);
    }

    #[test]
    fn resources_that_are_acquired_after_the_start_are_late() {
        let scenario = clean();
        let trace = started()
            .acquires("FltCreateCommunicationPort", Kind::ServerPort)
            .leave(status::SUCCESS)
            .done();
        let strict = Expectations::default();
        let mut case = Case::new(&scenario, &trace);
        case.expectations = Some(&strict);
        assert_eq!(names(&case), ["register-before-start"]);
    }
}
