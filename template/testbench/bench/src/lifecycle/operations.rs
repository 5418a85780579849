//! Delivers operations to the callbacks and processes their return values.
//!
//! Documents: "Writing Preoperation and Postoperation Callback Routines", "Writing Postoperation Callback Routines",
//! "`PFLT_POST_OPERATION_CALLBACK` callback function (fltkernel.h)".

use crate::lifecycle::catalogue::{
    CATALOGUE, CLEAN_UP, CLOSE_IT, IRP_NOCACHE, OPEN, PROBE, fast, fs_filter, io, irp,
};
use crate::lifecycle::files::{close_file, open_file};
use crate::lifecycle::parameters::{
    EXTRA, IOPB, callback_data, free_swapped, objects_of, restore, swapped_mdl,
};
use crate::machine::events::{emit, misuse, must};
use crate::machine::schedule::{Queued, block_until, enter, run_queued};
use crate::machine::state::{left_out, with};
use crate::machine::threads::new_thread;
use crate::machine::{guest, memory};
use crate::objects::operations::{File, InFlight, OperationCallbacks, Spec};
use crate::objects::volumes::{Instance, Volume};
use crate::trace::{Event, Misuse, Operation, Routine, Via, Wait};
use crate::vocabulary::irql::{DISPATCH, PASSIVE};
use crate::vocabulary::layout::{callback_data as data_at, iopb as iopb_at};
use crate::vocabulary::major::{self, READ, WRITE};
use crate::vocabulary::preop;
use crate::vocabulary::status::{self, Status};

/// `FLT_POSTOP_MORE_PROCESSING_REQUIRED`.
pub const MORE_PROCESSING: u32 = 1;

/// Delivers all operations on every instance.
pub fn everything() {
    let instances = with(|state| state.filter.instances.clone());
    for instance in &instances {
        let full = instance.volume.file_system == 2;
        session(instance, if full { CATALOGUE } else { PROBE }, full);
    }
    run_queued(Queued::Kept);
}

/// Delivers a few operations on every instance.
pub fn probe() {
    let instances = with(|state| state.filter.instances.clone());
    for instance in &instances {
        session(instance, PROBE, false);
    }
    run_queued(Queued::Kept);
}

/// Delivers operations on a volume when the filter attaches, before `FltStartFiltering` returns.
pub fn deliver_at_attach(volume: &Volume) {
    let instance = with(|state| {
        let mut instances = state.filter.instances.iter();
        instances
            .find(|instance| instance.volume.handle == volume.handle)
            .cloned()
    });
    if let Some(instance) = instance {
        session(&instance, PROBE, false);
    }
}

/// Delivers operations while the filter is being unregistered.
pub fn deliver_at_unregister() {
    probe();
}

/// Delivers the shutdown operation.
pub fn shutdown() {
    let instances = with(|state| state.filter.instances.clone());
    for instance in instances {
        let file = open_file(&instance, "");
        deliver(&file, irp(major::SHUTDOWN, 0, ""), true);
    }
}

/// Delivers the operations of a file from open to close.
fn session(instance: &Instance, specs: &[Spec], full: bool) {
    let file = open_file(instance, "\\documents\\report.txt");
    let opened = deliver(&file, OPEN, false);
    if opened {
        for spec in specs {
            deliver(&file, *spec, false);
        }
        deliver(&file, CLEAN_UP, false);
        deliver(&file, CLOSE_IT, false);
    }
    close_file(&file);
    if !full {
        return;
    }
    for (name, variant, result) in [
        ("\\documents", "directory", status::SUCCESS),
        ("", "volume", status::SUCCESS),
        (
            "\\documents\\missing.txt",
            "not found",
            status::OBJECT_NAME_NOT_FOUND,
        ),
        ("\\documents\\link", "reparse point", status::REPARSE),
    ] {
        let file = open_file(instance, name);
        let open = Spec {
            variant,
            result,
            ..OPEN
        };
        if deliver(&file, open, false) && result == status::SUCCESS {
            deliver(
                &file,
                Spec {
                    variant,
                    ..CLEAN_UP
                },
                false,
            );
            deliver(
                &file,
                Spec {
                    variant,
                    ..CLOSE_IT
                },
                false,
            );
        }
        close_file(&file);
    }
    // These operations are delivered without an open file.
    for spec in [
        fast(0xF2),
        fs_filter(major::QUERY_OPEN),
        irp(0x01, 0, ""),
        irp(0x13, 0, ""),
    ] {
        let file = open_file(instance, "\\documents\\report.txt");
        deliver(&file, spec, true);
    }
    for major in [0xED, 0xEC] {
        let file = open_file(instance, "");
        deliver(&file, fs_filter(major), true);
    }
}

/// Delivers an operation to the pre-operation and the post-operation callback. Returns `false` if the filter failed it.
fn deliver(file: &File, spec: Spec, own_file: bool) -> bool {
    let flight = match begin(file, spec, own_file) {
        Begun::InFlight(flight) => flight,
        Begun::Done(passed) => {
            if own_file {
                close_file(file);
            }
            return passed;
        }
    };
    finish(*flight, false)
}

enum Begun {
    InFlight(Box<InFlight>),
    Done(bool),
}

fn begin(file: &File, spec: Spec, own_file: bool) -> Begun {
    let callbacks = with(|state| {
        let here = state
            .filter
            .instances
            .iter()
            .any(|instance| instance.handle == file.instance.handle);
        let mut operations = state.filter.operations.iter();
        operations
            .find(|callbacks| here && callbacks.major == spec.major)
            .copied()
    });
    let Some(callbacks) = callbacks.filter(|callbacks| !skipped(callbacks, spec)) else {
        return Begun::Done(true);
    };
    let operation = operation(file, spec);
    let routines = [
        Routine::Pre {
            operation: operation.clone(),
        },
        Routine::Post {
            operation: operation.clone(),
            draining: false,
        },
        Routine::Post {
            operation: operation.clone(),
            draining: true,
        },
    ];
    if routines.iter().any(left_out) {
        return Begun::Done(true);
    }
    let data = callback_data(file, spec, &operation);
    let thread = new_thread();
    let mut flight = InFlight {
        spec,
        file: file.clone(),
        data,
        callbacks,
        context: 0,
        post_irql: spec.post,
        thread,
        own_file,
        pended: false,
        swapped: 0,
    };
    if callbacks.pre == 0 {
        if callbacks.post == 0 {
            must(memory::free(data, false));
            return Begun::Done(true);
        }
        return Begun::InFlight(Box::new(flight));
    }
    let iopb = guest::bytes(data + IOPB, iopb_at::SIZE);
    let context_slot = data + EXTRA;
    guest::write(context_slot, 0_u64);
    let routine = Routine::Pre {
        operation: operation.clone(),
    };
    let arguments = [data, objects_of(data), context_slot];
    let answer = enter(routine, PASSIVE, thread, callbacks.pre, &arguments) as u32;
    // The driver can have changed the pointer to the parameters.
    guest::write(data + data_at::IOPB, data + IOPB);
    let status = Status(guest::read(data + data_at::STATUS));
    emit(&Event::PreAnswer {
        operation: operation.clone(),
        answer,
        status,
    });
    flight.context = guest::read(context_slot);
    flight.swapped = swapped_mdl(data);
    // A post-operation callback receives the original parameters.
    restore(data, &iopb);
    process_answer(flight, answer, status, &operation)
}

/// Processes the return value of a pre-operation callback.
fn process_answer(
    mut flight: InFlight,
    answer: u32,
    status: Status,
    operation: &Operation,
) -> Begun {
    let data = flight.data;
    let swapped = flight.swapped;
    let done = |passed| {
        free_swapped(swapped);
        must(memory::free(data, false));
        Begun::Done(passed)
    };
    match answer {
        preop::WITH_CALLBACK | preop::SYNCHRONIZE => {
            if flight.callbacks.post == 0 {
                misuse(Misuse::NoPostOperation {
                    operation: operation.clone(),
                    answer: preop::name(answer).to_owned(),
                });
            }
            if answer == preop::SYNCHRONIZE {
                flight.post_irql = PASSIVE;
            }
            Begun::InFlight(Box::new(flight))
        }
        preop::PENDING if flight.spec.via == Via::Irp => {
            flight.pended = true;
            with(|state| state.filter.in_flight.push(flight.clone()));
            run_queued(Queued::Kept);
            let mine = with(|state| {
                let in_flight = &mut state.filter.in_flight;
                let at = in_flight
                    .iter()
                    .position(|other| other.data == data && !other.pended)?;
                Some(in_flight.remove(at))
            });
            match mine {
                Some(flight) if flight.callbacks.post != 0 => Begun::InFlight(Box::new(flight)),
                Some(_) => done(true),
                // The operation is still pended. It is completed or cancelled later.
                None => Begun::Done(true),
            }
        }
        preop::DISALLOW_FASTIO if flight.spec.via == Via::FastIo => {
            let again = Spec {
                via: Via::Irp,
                variant: "after fast I/O was disallowed",
                ..flight.spec
            };
            must(memory::free(data, false));
            // Some operations exist only as fast I/O.
            if flight.spec.major >= 0x80 {
                return Begun::Done(true);
            }
            begin(&flight.file, again, flight.own_file)
        }
        preop::COMPLETE => done(status.is_success()),
        _ => done(true),
    }
}

fn skipped(callbacks: &OperationCallbacks, spec: Spec) -> bool {
    let [paging, cached, neither] = [
        spec.paging,
        spec.cached && !spec.paging,
        !spec.cached && !spec.paging,
    ];
    // Only handles of the volume itself are opened for direct access (DASD).
    let on_volume = spec.variant == "volume";
    callbacks.flags & 4 != 0 && !on_volume
        || matches!(spec.major, READ | WRITE)
            && (callbacks.flags & 1 != 0 && paging && spec.via == Via::Irp
                || callbacks.flags & 2 != 0 && cached
                || callbacks.flags & 8 != 0 && neither)
}

fn operation(file: &File, spec: Spec) -> Operation {
    Operation {
        major: spec.major,
        variant: spec.variant.to_owned(),
        volume: file.instance.volume.name.to_owned(),
        via: spec.via,
    }
}

/// Calls the post-operation callback. Returns `false` if the filter failed the operation.
fn finish(flight: InFlight, draining: bool) -> bool {
    let InFlight {
        spec,
        file,
        data,
        callbacks,
        context,
        post_irql,
        thread,
        own_file,
        swapped,
        ..
    } = flight;
    if callbacks.post == 0 {
        // The operation was pended and completed without a post-operation callback.
        free_swapped(swapped);
        must(memory::free(data, false));
        if own_file {
            close_file(&file);
        }
        return true;
    }
    let operation = operation(&file, spec);
    let result = if draining {
        status::FLT_POST_OPERATION_CLEANUP
    } else {
        spec.result
    };
    guest::write(data + data_at::STATUS, result.0);
    let flags = guest::read::<u32>(data + data_at::FLAGS);
    guest::write(data + data_at::FLAGS, flags | data_at::POST_OPERATION);
    let irql = if draining { PASSIVE } else { post_irql };
    // A completion at DISPATCH_LEVEL runs in a separate thread.
    let thread = if irql == DISPATCH {
        new_thread()
    } else {
        thread
    };
    let routine = Routine::Post {
        operation: operation.clone(),
        draining,
    };
    let arguments = [data, objects_of(data), context, u64::from(draining)];
    let answer = enter(routine, irql, thread, callbacks.post, &arguments) as u32;
    let after = Status(guest::read(data + data_at::STATUS));
    if answer == MORE_PROCESSING && !draining {
        let wait = || Wait::MoreProcessing {
            operation: operation.clone(),
        };
        run_queued(Queued::Kept);
        block_until(Queued::Kept, wait, || {
            with(|state| {
                let completed = &mut state.work.completed;
                let at = completed.iter().position(|known| *known == data);
                at.map(|at| completed.remove(at)).is_some()
            })
        });
    }
    emit(&Event::PostAnswer {
        operation,
        draining,
        answer,
        before: result,
        after,
    });
    free_swapped(swapped);
    must(memory::free(data, false));
    if own_file {
        close_file(&file);
    }
    after.is_success()
}

/// Begins operations of each kind on each instance without completing them.
pub fn begin_in_flight() {
    let instances = with(|state| state.filter.instances.clone());
    for instance in instances {
        for spec in [OPEN, io(READ, "non-cached", IRP_NOCACHE), CLEAN_UP] {
            let spec = Spec {
                variant: "in flight",
                ..spec
            };
            let file = open_file(&instance, "\\documents\\in-flight.txt");
            match begin(&file, spec, true) {
                Begun::InFlight(flight) => {
                    with(|state| state.filter.in_flight.push(*flight));
                }
                Begun::Done(_) => close_file(&file),
            }
        }
    }
}

/// Completes the operations that are in flight.
pub fn complete_in_flight() {
    loop {
        let next = with(|state| {
            let in_flight = &mut state.filter.in_flight;
            let at = in_flight.iter().position(|flight| !flight.pended)?;
            Some(in_flight.remove(at))
        });
        match next {
            Some(flight) => {
                finish(flight, false);
            }
            None => return,
        }
    }
}

/// Drains the operations of an instance that is torn down.
pub fn drain(instance: u64) {
    run_queued(Queued::Kept);
    loop {
        let next = with(|state| {
            let mut in_flight = state.filter.in_flight.iter();
            let flight = in_flight.find(|flight| flight.file.instance.handle == instance)?;
            Some(flight.clone())
        });
        let Some(flight) = next else { return };
        let data = flight.data;
        let wait = || Wait::Pended {
            operation: operation(&flight.file, flight.spec),
        };
        block_until(Queued::Kept, wait, || {
            with(|state| {
                let mut in_flight = state.filter.in_flight.iter();
                !in_flight.any(|flight| flight.data == data && flight.pended)
            })
        });
        let flight = with(|state| {
            let in_flight = &mut state.filter.in_flight;
            let at = in_flight.iter().position(|flight| flight.data == data)?;
            Some(in_flight.remove(at))
        });
        if let Some(flight) = flight {
            finish(flight, true);
        }
    }
}

/// Resumes an operation that a pre-operation callback pended.
pub fn complete_pended(data: u64, answer: u32, context: u64) {
    with(|state| {
        let mut in_flight = state.filter.in_flight.iter_mut();
        if let Some(flight) = in_flight.find(|flight| flight.data == data) {
            flight.pended = false;
            flight.context = context;
            if !matches!(answer, preop::WITH_CALLBACK | preop::SYNCHRONIZE) {
                flight.callbacks.post = 0;
            }
        }
    });
}
