//! Rules about the control device and the reinitialization routine.

use super::breaches;
use super::case::{Case, Seen};
use crate::scenario::Script;
use crate::trace::{Breach, Callback, Ending, Event, Kind, Routine, Target, Trap, Unload};
use crate::vocabulary::{major, status};

pub(super) fn device_secured(case: &Case) -> Vec<Seen> {
    let Some((loaded, status)) = case.view.driver_entry() else {
        return Vec::new();
    };
    if !case.is_clean() || !status.is_success() {
        return Vec::new();
    }
    let open = breaches::at_calls(case, Breach::DeviceNamespace);
    case.view
        .held_at(loaded)
        .filter(|resource| resource.kind == Kind::Device && !resource.what.is_empty())
        .filter(|resource| {
            !case.view.load_calls().any(|call| {
                call.at > resource.acquired
                    && matches!(
                        call.function,
                        "ZwSetSecurityObject" | "ObSetSecurityObjectByPointer"
                    )
            })
        })
        .filter_map(|resource| {
            let at = case.view.enclosing(resource.acquired).next()?;
            let Event::Call { function, site, .. } = &case.view.events[at] else {
                return None;
            };
            if *function == "IoCreateDeviceSecure" {
                return None;
            }
            let seen = format!(
                "{resource} is created by {function} with the default security of its device type"
            );
            Some(Seen::new(resource.what, seen).called(function, *site))
        })
        .chain(open)
        .collect()
}

pub(super) fn device_in_use(case: &Case) -> Vec<Seen> {
    let during = case.scenario.script == Script::OpenDuringUnload;
    if case.scenario.script != Script::DeviceInUse && !during {
        return Vec::new();
    }
    let mut requests = case.trace.events.iter();
    let opened = requests.any(|event| {
        matches!(event, Event::DeviceRequest { major: major::CREATE, status, .. } if status.is_success())
    });
    let agreed = case.trace.events.iter().find_map(|event| match event {
        Event::Unload {
            mandatory: false,
            outcome: Unload::Called { status, .. },
        } if status.is_success() => Some(status),
        _ => None,
    });
    match agreed {
        Some(status) if opened => vec![Seen::new(
            "agreed",
            if during {
                format!(
                    "fltmc unload is answered with {status}, and a program opened the device while the driver released it: refuse opens first"
                )
            } else {
                format!(
                    "fltmc unload is answered with {status} while a program has the device open"
                )
            },
        )],
        _ => Vec::new(),
    }
}

pub(super) fn device_usable(case: &Case) -> Vec<Seen> {
    if !case.is_clean() || case.scenario.script == Script::OpenDuringUnload {
        return Vec::new();
    }
    let events = case.trace.events.iter().enumerate();
    events
        .filter_map(|(at, event)| match event {
            Event::DeviceRequest {
                major: major::CREATE,
                dispatched,
                status,
            } if !status.is_success() && !is_exclusive(case, *status) => {
                Some((at, *dispatched, *status))
            }
            _ => None,
        })
        .filter_map(|(at, dispatched, status)| {
            let mut held = case.view.held_at(at);
            let link = held.find(|resource| resource.kind == Kind::SymbolicLink)?;
            let seen = match status {
                _ if dispatched && case.is_strict() => {
                    format!("an open of the device is refused with {status}")
                }
                _ if dispatched => return None,
                status::OBJECT_NAME_NOT_FOUND => format!(
                    "programs cannot open the {link}: it is not in \\DosDevices, or its target is no device of the driver"
                ),
                _ => format!(
                    "programs cannot open the {link}: the driver has no routine for IRP_MJ_CREATE"
                ),
            };
            Some(Seen::new(status.to_string(), seen))
        })
        .collect()
}

/// Returns whether an open was refused because the device, which was opened before, is exclusive.
pub(super) fn is_exclusive(case: &Case, refused: status::Status) -> bool {
    let mut events = case.trace.events.iter();
    refused == status::ACCESS_DENIED
        && events.any(|event| {
            matches!(event, Event::DeviceRequest { major: major::CREATE, status, .. } if status.is_success())
        })
}

/// Returns whether the reinitialization routine is called after the image was unloaded.
pub(super) fn is_reinitialized_late(case: &Case) -> bool {
    let Some(Ending::Trap {
        trap: Trap::Memory {
            target: Target::Unloaded,
            ..
        },
        ..
    }) = case.trace.ending()
    else {
        return false;
    };
    let last = case.trace.events.len().saturating_sub(1);
    case.view.routine(last)
        == Some(&Routine::Other {
            callback: Callback::Reinitialize,
        })
}

pub(super) fn reinitialization_holds_unload(case: &Case) -> Vec<Seen> {
    if is_reinitialized_late(case) {
        vec![Seen::new(
            "late",
            "the driver accepts an unload while its reinitialization routine is queued, and the routine is called after the image was unloaded",
        )]
    } else {
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing;
    use super::*;
    use crate::scenario::Scenario;
    use crate::trace::{Place, Routine, Stage, Trace};
    use crate::vocabulary::status::{self, Status};

    fn named(device: testing::Recording) -> Vec<Seen> {
        let trace = device.leave(status::SUCCESS).done();
        device_secured(&Case::new(&Scenario::clean(Script::Life), &trace))
    }

    #[test]
    fn a_device_with_default_security_is_detected() {
        let made = || {
            testing::Recording::new()
                .enter(Routine::DriverEntry)
                .acquires("IoCreateDevice", Kind::Device)
        };
        assert_eq!(named(made()).len(), 1);
        assert!(named(made().call("ZwSetSecurityObject", status::SUCCESS)).is_empty());
        let secure = testing::Recording::new()
            .enter(Routine::DriverEntry)
            .acquires("IoCreateDeviceSecure", Kind::Device);
        assert!(named(secure).is_empty());
    }

    #[test]
    fn an_unload_with_the_device_open_is_refused() {
        let told = |status: Status| {
            let trace = testing::Recording::new()
                .event(Event::DeviceRequest {
                    major: major::CREATE,
                    dispatched: true,
                    status: status::SUCCESS,
                })
                .event(Event::Unload {
                    mandatory: false,
                    outcome: Unload::Called {
                        status,
                        registered: !status.is_success(),
                    },
                })
                .done();
            device_in_use(&Case::new(&Scenario::clean(Script::DeviceInUse), &trace)).len()
        };
        assert_eq!(told(status::SUCCESS), 1);
        assert_eq!(told(status::FLT_DO_NOT_DETACH), 0);
    }

    fn called_late(routine: Routine) -> Trace {
        testing::Recording::new()
            .stage(Stage::Late)
            .enter(routine)
            .ends(Ending::Trap {
                at: Place::default(),
                trap: Trap::Memory {
                    how: crate::os::Use::Execute,
                    address: 0x1000,
                    target: Target::Unloaded,
                },
                argument: None,
                guarded: false,
            })
    }

    #[test]
    fn a_reinitialization_after_the_unload_is_distinguished_from_other_late_calls() {
        let scenario = Scenario::clean(Script::EarlyUnload);
        let trace = called_late(Routine::Other {
            callback: Callback::Reinitialize,
        });
        let case = Case::new(&scenario, &trace);
        assert_eq!(testing::names(&case), ["reinitialization-holds-unload"]);
        let trace = called_late(Routine::Other {
            callback: Callback::WorkerThread,
        });
        let case = Case::new(&scenario, &trace);
        assert_eq!(testing::names(&case), ["late-call"]);
    }
}
