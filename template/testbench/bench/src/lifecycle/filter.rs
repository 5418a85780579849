//! The filter manager: registration, start, unload.
//!
//! Documents: "Registering the Minifilter Driver", "Initiating Filtering", "When the `FilterUnloadCallback` Routine Is
//! Called", "Unregistering the Minifilter", "`FLT_REGISTRATION` structure (fltkernel.h)", "`FLT_OPERATION_REGISTRATION`
//! structure (fltkernel.h)".

use crate::lifecycle::{contexts, instances, operations, ports, reinitialization, volumes};
use crate::machine::enter::in_teardown;
use crate::machine::events::{breach, emit, misuse};
use crate::machine::ledger::{acquire, bad_handle, held_once, release};
use crate::machine::schedule::{Queued, block_until, enter, run_queued};
use crate::machine::state::with;
use crate::machine::thunks::thunk;
use crate::machine::{guest, memory, threads};
use crate::objects::filter::{Callbacks, Manager};
use crate::objects::operations::OperationCallbacks;
use crate::objects::volumes::{AUTOMATIC, FILTER_UNLOAD};
use crate::trace::{Breach, Event, Kind, Misuse, Registration, Routine, Unload, Wait};
use crate::vocabulary::irql::PASSIVE;
use crate::vocabulary::layout::{driver_object, registration as offset};
use crate::vocabulary::major;
use crate::vocabulary::status::{self, Status};

/// Adds a reference that the driver must release. A filter that is being unregistered is not referenced.
pub fn reference(object: u64) -> Status {
    if held_once(Kind::Filter, object).is_some() {
        check(object);
        if with(|state| state.filter.unregistering) {
            return status::FLT_DELETING_OBJECT;
        }
    }
    let Some(what) = memory::handle_name(object) else {
        bad_handle("filter manager object", object)
    };
    with(|state| state.filter.references.push((object, what.clone())));
    acquire(Kind::Reference, object, what);
    status::SUCCESS
}

/// Releases a reference.
pub fn dereference(object: u64) {
    if memory::handle_name(object).is_none() {
        bad_handle("filter manager object", object);
    }
    if !release(Kind::Reference, object) {
        let what = memory::handle_name(object).unwrap_or_default();
        misuse(Misuse::ReleasedTwice {
            what: format!("a reference to {what}"),
        });
    }
    with(|state| {
        let references = &mut state.filter.references;
        if let Some(at) = references.iter().rposition(|(held, _)| *held == object) {
            references.remove(at);
        }
    });
}

/// Ends the scenario if an object is neither the filter nor one of its instances.
pub fn check_object(object: u64) {
    let instance = with(|state| {
        let mut instances = state.filter.instances.iter();
        instances.any(|instance| instance.handle == object)
    });
    if !instance {
        check(object);
    }
}

/// Ends the scenario if the handle is not the filter handle.
pub fn check(filter: u64) {
    if filter == 0 || with(|state| state.filter.handle) != filter {
        match held_once(Kind::Filter, filter) {
            Some(_) => misuse(Misuse::Handle {
                expected: "filter handle".to_owned(),
                given: "the filter handle, after FltUnregisterFilter".to_owned(),
                unset: false,
                released_in_teardown: in_teardown(),
            }),
            None => bad_handle("filter handle", filter),
        }
    }
}

fn problem(problem: impl Into<String>) {
    breach(Breach::Registration, problem);
}

/// `FltRegisterFilter`.
pub fn register(driver: u64, address: u64, out: u64) -> Status {
    if driver == 0 || with(|state| state.filter.driver) != driver {
        bad_handle("driver object", driver);
    }
    let version = guest::read::<u16>(address + offset::VERSION);
    if !(0x0200..=0x0203).contains(&version) {
        problem(format!(
            "Version is 0x{version:04x}; FLT_REGISTRATION_VERSION is 0x0200 to 0x0203"
        ));
        return status::INVALID_PARAMETER;
    }
    let length = guest::read::<u16>(address + offset::LENGTH);
    let least = match version {
        0x0200 => 0x58,
        0x0201 => 0x60,
        0x0202 => 0x68,
        _ => 0x70,
    };
    if !(least..=0x70).contains(&length) || !length.is_multiple_of(8) {
        problem(format!(
            "Size is {length}; sizeof(FLT_REGISTRATION) is {least} for version 0x{version:04x}"
        ));
    }
    let flags = guest::read::<u32>(address + offset::FLAGS);
    if flags & !0xF != 0 {
        problem(format!(
            "Flags is 0x{flags:x}; only the bits 0xF have a meaning"
        ));
    }
    let callbacks = Callbacks {
        unload: code(address + offset::UNLOAD, "FilterUnloadCallback"),
        setup: code(address + offset::SETUP, "InstanceSetupCallback"),
        query_teardown: code(
            address + offset::QUERY_TEARDOWN,
            "InstanceQueryTeardownCallback",
        ),
        teardown_start: code(
            address + offset::TEARDOWN_START,
            "InstanceTeardownStartCallback",
        ),
        teardown_complete: code(
            address + offset::TEARDOWN_COMPLETE,
            "InstanceTeardownCompleteCallback",
        ),
    };
    let generate = code(address + offset::GENERATE_NAME, "GenerateFileNameCallback");
    let normalize = code(
        address + offset::NORMALIZE_NAME,
        "NormalizeNameComponentCallback",
    );
    if normalize != 0 && generate == 0 {
        problem("NormalizeNameComponentCallback without GenerateFileNameCallback");
        return status::INVALID_PARAMETER;
    }
    let operations = operation_list(guest::read(address + offset::OPERATIONS));
    let context_list = guest::read(address + offset::CONTEXTS);
    let registered_contexts = contexts::registration_list(context_list);
    let digest = Registration {
        version,
        flags,
        unload: callbacks.unload != 0,
        operations: operations.iter().map(|operation| operation.major).collect(),
        operation_flags: operations.iter().map(|operation| operation.flags).collect(),
        operation_callbacks: operations
            .iter()
            .map(|operation| (operation.pre != 0, operation.post != 0))
            .collect(),
    };
    if with(|state| state.filter.handle) != 0 {
        return status::FLT_INSTANCE_ALTITUDE_COLLISION;
    }
    let handle = memory::handle("the filter handle".to_owned());
    guest::write(out, handle);
    // FltMgr stores its own routine here, or NULL if there is no unload callback, and saves the previous value.
    let own = thunk("FLTMGR.SYS", "DriverUnload");
    let driver_unload = match guest::read::<u64>(driver + driver_object::UNLOAD) {
        // The driver registers a second time.
        found if found == own => with(|state| state.filter.driver_unload),
        found => found,
    };
    let unload = if callbacks.unload == 0 { 0 } else { own };
    guest::write(driver + driver_object::UNLOAD, unload);
    with(|state| {
        state.filter = Manager {
            driver,
            driver_unload,
            handle,
            registration: digest.clone(),
            callbacks,
            operations,
            ..Manager::default()
        };
        state.contexts.registered = registered_contexts;
    });
    emit(&Event::Registered {
        registration: digest,
    });
    acquire(Kind::Filter, handle, "FltRegisterFilter");
    status::SUCCESS
}

/// Reads and checks the address of a callback.
fn code(address: u64, name: &str) -> u64 {
    let callback = guest::read::<u64>(address);
    if callback != 0 && !memory::is_code(callback) {
        problem(format!("{name} does not point to code of the driver"));
        return 0;
    }
    callback
}

/// The end of an operation list.
const OPERATION_END: u8 = 0x80;

fn operation_list(mut address: u64) -> Vec<OperationCallbacks> {
    const SIZE: u64 = 0x20;
    let mut list: Vec<OperationCallbacks> = Vec::new();
    if address == 0 {
        return list;
    }
    loop {
        let major = guest::read::<u8>(address);
        if major == OPERATION_END {
            return list;
        }
        let name = major::name(major);
        if !major::exists(major) || list.len() > 50 {
            problem(format!(
                "entry {} of the operation list has major function 0x{major:02x}, which does not exist: is IRP_MJ_OPERATION_END missing at the end?",
                list.len() + 1
            ));
            return list;
        }
        if matches!(major, major::POWER | major::DEVICE_CHANGE) {
            problem(format!("{name} cannot be registered"));
        }
        if list.iter().any(|known| known.major == major) {
            problem(format!("{name} is registered twice"));
        }
        let entry = OperationCallbacks {
            major,
            flags: guest::read(address + 4),
            pre: code(address + 8, &format!("the PreOperation of {name}")),
            post: code(address + 16, &format!("the PostOperation of {name}")),
        };
        if [8, 16]
            .iter()
            .all(|at| guest::read::<u64>(address + at) == 0)
        {
            problem(format!("{name} is registered without a callback"));
        }
        if major == major::SHUTDOWN && entry.post != 0 {
            problem(format!(
                "{name} has a PostOperation, which cannot be registered"
            ));
        }
        list.push(entry);
        address += SIZE;
    }
}

/// Attaches the filter to the volumes. Operations are delivered immediately.
pub fn start() {
    for volume in volumes::all() {
        instances::attach(&volume, AUTOMATIC);
        operations::deliver_at_attach(&volume);
    }
}

/// `FltUnregisterFilter`: tears down the instances, drains the operations, deletes the contexts, and waits for
/// references.
pub fn unregister() {
    with(|state| state.filter.unregistering = true);
    // Operations are delivered until the filter is unregistered, so the data that callbacks use must be valid.
    if with(|state| state.filter.started) {
        operations::deliver_at_unregister();
    }
    while let Some(instance) = with(|state| state.filter.instances.first().map(|i| i.handle)) {
        instances::tear_down(instance, FILTER_UNLOAD);
    }
    contexts::remove_all();
    run_queued(Queued::Kept);
    ports::disconnect_all();
    if with(|state| !state.filter.references.is_empty()) {
        // While this thread waits, the reinitialization routines run in the thread that starts drivers.
        reinitialization::run();
    }
    let reference = || with(|state| state.filter.references.first().cloned());
    let wait = || Wait::Reference {
        what: reference().unwrap_or_default().1,
    };
    block_until(Queued::Kept, wait, || reference().is_none());
    let handle = with(|state| std::mem::take(&mut state.filter.handle));
    with(|state| state.filter.started = false);
    let _ = release(Kind::Filter, handle);
}

/// Requests an unload of the driver. Returns whether the image is unloaded.
#[must_use]
pub fn unload(mandatory: bool) -> bool {
    let (driver, registration, callbacks) = with(|state| {
        let filter = &state.filter;
        (filter.driver, filter.registration.clone(), filter.callbacks)
    });
    let own_unload = guest::read::<u64>(driver + driver_object::UNLOAD);
    let expected = thunk("FLTMGR.SYS", "DriverUnload");
    let outcome = if callbacks.unload == 0 {
        Unload::NoCallback
    } else if mandatory && registration.flags & Registration::NO_SERVICE_STOP != 0 {
        Unload::ServiceStopNotSupported
    } else if mandatory && own_unload != expected {
        Unload::Unreachable
    } else {
        operations::begin_in_flight();
        let answer = enter(
            Routine::FilterUnload { mandatory },
            PASSIVE,
            threads::current(),
            callbacks.unload,
            &[u64::from(mandatory)],
        );
        Unload::Called {
            status: Status(answer as u32),
            registered: with(|state| state.filter.handle) != 0,
        }
    };
    let unloads = match outcome {
        Unload::Called { status, .. } => mandatory || status.is_success(),
        _ => false,
    };
    if unloads && !is_registered() {
        // The DriverUnload routine of FltMgr calls the one that it replaced.
        let found = with(|state| state.filter.driver_unload);
        if found != 0 {
            let _ = enter(
                Routine::DriverUnload,
                PASSIVE,
                threads::current(),
                found,
                &[driver],
            );
        }
    }
    emit(&Event::Unload { mandatory, outcome });
    operations::complete_in_flight();
    with(|state| state.filter.unloaded = unloads);
    unloads
}

/// Another thread unloads the driver, while a thread of the driver is in a call.
pub fn unload_meanwhile() {
    threads::start(threads::new_thread(), || {
        let _ = unload(false) || unload(true);
    });
}

/// Returns whether the filter is registered.
#[must_use]
pub fn is_registered() -> bool {
    with(|state| state.filter.handle) != 0
}
