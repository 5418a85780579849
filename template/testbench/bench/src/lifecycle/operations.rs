//! Delivers operations to the callbacks and the file system, and processes their return values.
//!
//! Documents: "Writing Preoperation and Postoperation Callback Routines", "Writing Postoperation Callback Routines",
//! "`PFLT_POST_OPERATION_CALLBACK` callback function (fltkernel.h)".

use crate::lifecycle::bottom::{self, Below};
use crate::lifecycle::catalogue::{
    self, CATALOGUE, CLEAN_UP, CLOSE_IT, DELETE_ON_CLOSE, ENABLE_BYPASS_IO, FOR_WRITING,
    IRP_NOCACHE, IRP_PAGING_IO, OPEN, PROBE, QUERY_BYPASS_IO, fast, fs_filter, io, irp,
};
use crate::lifecycle::files::{close_file, free_file, open_again, open_file};
use crate::lifecycle::parameters::{
    EXTRA, IOPB, check_fixed, fixed, free_swapped, is_changed, is_input_changed, objects_of,
    prepare, restore, swapped_mdl,
};
use crate::lifecycle::volumes::first;
use crate::machine::events::{breach, emit, misuse, must};
use crate::machine::ledger::unfit;
use crate::machine::process::PROGRAM;
use crate::machine::schedule::{Queued, block_until, enter, run_queued};
use crate::machine::state::{is_test, left_out, with};
use crate::machine::threads::{new_thread, new_thread_of};
use crate::machine::{guest, memory, threads};
use crate::objects::operations::{
    Completed, File, InFlight, OperationCallbacks, Parameters, Place, Sent, Spec,
};
use crate::objects::volumes::{Instance, RAW, Volume};
use crate::trace::{Breach, Event, Misuse, Operation, Routine, Via, Wait};
use crate::vocabulary::bypass_io::OUTPUT_SIZE;
use crate::vocabulary::irql::{DISPATCH, PASSIVE};
use crate::vocabulary::layout::{callback_data as data_at, file_object, iopb as iopb_at};
use crate::vocabulary::major::{self, READ, WRITE};
use crate::vocabulary::preop;
use crate::vocabulary::status::{self, Status};

/// `FLT_POSTOP_MORE_PROCESSING_REQUIRED`.
pub const MORE_PROCESSING: u32 = 1;

/// `FLT_POSTOP_DISALLOW_FSFILTER_IO`.
const DISALLOW_FSFILTER_IO: u32 = 2;

/// The paging file, on the first volume.
pub const PAGING_FILE: &str = "\\pagefile.sys";

/// Delivers all operations on every instance.
pub fn everything() {
    let instances = with(|state| state.filter.instances.clone());
    for instance in &instances {
        let full = instance.volume.handle == first().handle;
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
    if let Some(instance) = instance_on(volume).filter(|_| !is_test()) {
        session(&instance, PROBE, false);
    }
}

/// Delivers operations while the filter is being unregistered.
pub fn deliver_at_unregister() {
    if !is_test() {
        probe();
    }
}

/// Delivers the shutdown operation.
pub fn shutdown() {
    let instances = with(|state| state.filter.instances.clone());
    for instance in instances {
        let file = open_file(&instance.volume, "");
        deliver(&file, irp(major::SHUTDOWN, 0, ""), true);
    }
}

/// Returns the instance on a volume.
#[must_use]
pub fn instance_on(volume: &Volume) -> Option<Instance> {
    with(|state| {
        let mut instances = state.filter.instances.iter();
        instances
            .find(|instance| instance.volume.handle == volume.handle)
            .cloned()
    })
}

/// Delivers the operations of a file from open to close.
fn session(instance: &Instance, specs: &[Spec], full: bool) {
    let volume = &instance.volume;
    let is_raw = volume.kind.file_system == RAW;
    // Of a raw volume, only the volume itself can be opened.
    let (name, variant) = if is_raw {
        ("", "volume")
    } else {
        ("\\documents\\report.txt", "")
    };
    let file = open_file(volume, name);
    let opened = deliver(&file, Spec { variant, ..OPEN }, false);
    if opened {
        let specs = specs.iter();
        for spec in specs.filter(|spec| !is_raw || matches!(spec.major, READ | WRITE)) {
            deliver(&file, *spec, false);
        }
        if full {
            let again = open_again(&file, name);
            let variant = "a second open";
            if deliver(&again, Spec { variant, ..OPEN }, false) {
                for spec in [CLEAN_UP, CLOSE_IT] {
                    deliver(&again, Spec { variant, ..spec }, false);
                }
            }
            free_file(again.object);
        }
        deliver(&file, CLEAN_UP, false);
        deliver(&file, CLOSE_IT, false);
    }
    close_file(&file);
    if !full {
        return;
    }
    for (name, variant, result) in [
        ("\\documents\\report.txt", FOR_WRITING, status::SUCCESS),
        ("\\documents\\report.txt", DELETE_ON_CLOSE, status::SUCCESS),
        ("\\documents", "directory", status::SUCCESS),
        ("", "volume", status::SUCCESS),
        (PAGING_FILE, "paging file", status::SUCCESS),
        (
            "\\documents\\missing.txt",
            "not found",
            status::OBJECT_NAME_NOT_FOUND,
        ),
        ("\\documents\\link", "reparse point", status::REPARSE),
    ] {
        let file = open_file(volume, name);
        let open = Spec {
            variant,
            result: Some(result),
            ..OPEN
        };
        if deliver(&file, open, false) && result == status::SUCCESS {
            for spec in [CLEAN_UP, CLOSE_IT] {
                deliver(&file, Spec { variant, ..spec }, false);
            }
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
        let file = open_file(volume, "\\documents\\report.txt");
        deliver(&file, spec, true);
    }
    for major in [0xED, 0xEC] {
        let file = open_file(volume, "");
        deliver(&file, fs_filter(major), true);
    }
}

/// Delivers an operation of the catalogue. Returns `false` if the filter failed it.
fn deliver(file: &File, spec: Spec, own_file: bool) -> bool {
    let parameters = catalogue::parameters(spec, file.object);
    let thread = new_thread_of(PROGRAM);
    match begin(new_flight(file, spec, parameters, thread, own_file)) {
        Begun::InFlight(flight) => finish(*flight, false).status.is_success(),
        Begun::Pended(_) => true,
        Begun::Done(completed) => {
            if own_file {
                close_file(file);
            }
            completed.status.is_success()
        }
    }
}

/// Sends an operation to the filter and the file system, in a thread.
#[must_use]
pub fn send(file: &File, spec: Spec, parameters: Parameters, thread: u32) -> Sent {
    let flight = new_flight(file, spec, parameters, thread, false);
    match begin(flight) {
        Begun::InFlight(flight) => pass_down(*flight),
        Begun::Pended(data) => Sent::Pending(data),
        Begun::Done(completed) => Sent::Completed(completed),
    }
}

/// Sends an operation that the filter initiates to the file system. The filter does not see it.
#[must_use]
pub fn send_below(file: &File, spec: Spec, parameters: Parameters, thread: u32) -> Sent {
    let mut flight = new_flight(file, spec, parameters, thread, false);
    flight.instance = None;
    match begin(flight) {
        Begun::InFlight(flight) => pass_down(*flight),
        Begun::Pended(data) => Sent::Pending(data),
        Begun::Done(completed) => Sent::Completed(completed),
    }
}

fn new_flight(
    file: &File,
    spec: Spec,
    parameters: Parameters,
    thread: u32,
    own_file: bool,
) -> InFlight {
    InFlight {
        spec,
        parameters,
        file: file.clone(),
        instance: instance_on(&file.volume),
        data: 0,
        buffer: (0, 0),
        callbacks: OperationCallbacks::NONE,
        context: 0,
        post_irql: spec.post,
        thread,
        own_file,
        place: Place::Begun,
        original: Vec::new(),
        swapped: 0,
    }
}

enum Begun {
    /// The pre-operation callback passed the operation on.
    InFlight(Box<InFlight>),
    /// The pre-operation callback pended the operation. The callback data identifies it.
    Pended(u64),
    /// The operation is complete.
    Done(Completed),
}

/// Calls the pre-operation callback.
fn begin(mut flight: InFlight) -> Begun {
    let spec = flight.spec;
    let operation = flight.operation();
    let callbacks = flight.instance.is_some().then(|| {
        with(|state| {
            let mut operations = state.filter.operations.iter();
            operations
                .find(|callbacks| callbacks.major == spec.major)
                .copied()
        })
    });
    let routines = || {
        let post = |draining| Routine::Post {
            operation: operation.clone(),
            draining,
        };
        let pre = Routine::Pre {
            operation: operation.clone(),
        };
        [pre, post(false), post(true)]
    };
    let callbacks = callbacks
        .flatten()
        .filter(|callbacks| callbacks.pre != 0 || callbacks.post != 0)
        .filter(|callbacks| !skipped(callbacks, spec) && !routines().iter().any(left_out));
    if callbacks.is_none() && spec.result.is_some() {
        return Begun::Done(Completed::default());
    }
    flight.callbacks = callbacks.unwrap_or(OperationCallbacks::NONE);
    prepare(&mut flight, &operation);
    if flight.callbacks.pre == 0 {
        return Begun::InFlight(Box::new(flight));
    }
    let data = flight.data;
    let context_slot = data + EXTRA;
    guest::write(context_slot, 0_u64);
    let routine = Routine::Pre {
        operation: operation.clone(),
    };
    let arguments = [data, objects_of(data), context_slot];
    let pre = flight.callbacks.pre;
    let given = fixed(data);
    let answer = enter(routine, spec.pre, flight.thread, pre, &arguments) as u32;
    check_fixed(data, &given, &operation);
    // The driver can have changed the pointer to the parameters.
    guest::write(data + data_at::IOPB, data + IOPB);
    let status = Status(guest::read(data + data_at::STATUS));
    emit(&Event::PreAnswer {
        operation: operation.clone(),
        answer,
        status,
    });
    flight.context = guest::read(context_slot);
    if let Some(wrong) = wrong_answer(&flight, answer, status) {
        wrong_callback(Breach::Callback, "pre", &operation, &wrong);
    }
    process_answer(flight, answer, &operation)
}

/// Records what a callback does wrong. The variant of the operation is no part of the description.
fn wrong_callback(breach_of: Breach, which: &str, operation: &Operation, what: &str) {
    let name = major::name(operation.major);
    breach(
        breach_of,
        format!("the {which}-operation callback of {name} {what}"),
    );
}

/// Returns what is wrong with the outputs of a pre-operation callback, if anything is.
fn wrong_answer(flight: &InFlight, answer: u32, status: Status) -> Option<String> {
    let data = flight.data;
    let name = preop::name(answer);
    let is_set = status != status::UNSET
        || guest::read::<u64>(data + data_at::INFORMATION) != status::UNSET_INFORMATION;
    let (posted, resumed) = with(|state| {
        let posted = state.work.posted.contains(&data);
        state.work.posted.retain(|known| *known != data);
        let mut resumed = state.filter.resumed.iter();
        (posted, resumed.any(|(known, ..)| *known == data))
    });
    let continues = matches!(answer, preop::WITH_CALLBACK | preop::SYNCHRONIZE);
    if answer != preop::PENDING && posted {
        Some(format!(
            "queues it and returns {answer} ({name}), not FLT_PREOP_PENDING"
        ))
    } else if answer != preop::PENDING && resumed {
        Some(format!(
            "completes it with FltCompletePendedPreOperation and returns {answer} ({name})"
        ))
    } else if flight.context != 0 && !continues {
        Some(format!(
            "sets CompletionContext and returns {answer} ({name}): no post-operation callback gets it"
        ))
    } else if is_set && !matches!(answer, preop::COMPLETE | preop::PENDING) {
        Some(format!(
            "sets IoStatus and returns {answer} ({name}): it does not complete the operation"
        ))
    } else {
        None
    }
}

/// Processes the return value of a pre-operation callback.
fn process_answer(mut flight: InFlight, answer: u32, operation: &Operation) -> Begun {
    if matches!(
        answer,
        preop::WITH_CALLBACK | preop::SYNCHRONIZE | preop::NO_CALLBACK
    ) && is_changed(flight.data, &flight.original)
    {
        wrong_callback(
            Breach::NotDirty,
            "pre",
            operation,
            "changes its parameters without FltSetCallbackDataDirty",
        );
    }
    if is_input_changed(&flight) {
        wrong_callback(
            Breach::ReadOnly,
            "pre",
            operation,
            "changes the buffer, which the operation only reads",
        );
    }
    flight.swapped = swapped_mdl(flight.data);
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
        preop::PENDING if flight.spec.via == Via::Irp && flight.place == Place::Begun => {
            flight.place = Place::Pended;
            let data = flight.data;
            with(|state| {
                let early = &mut state.filter.resumed;
                let at = early.iter().position(|(known, ..)| *known == data);
                if let Some((_, answer, context)) = at.map(|at| early.remove(at)) {
                    flight.place = Place::Resumed(answer);
                    flight.context = context;
                }
                state.filter.in_flight.push(flight);
            });
            run_queued(Queued::Kept);
            match take_resumed(data) {
                Some((flight, answer)) => process_answer(flight, answer, operation),
                // The operation is still pended. It is completed or cancelled later.
                None => Begun::Pended(data),
            }
        }
        preop::DISALLOW_FASTIO if flight.spec.via == Via::FastIo => {
            free(&flight);
            // Some operations exist only as fast I/O.
            if flight.spec.major >= 0x80 {
                return Begun::Done(if flight.spec.result.is_some() {
                    Completed::default()
                } else {
                    disallowed()
                });
            }
            let again = Spec {
                via: Via::Irp,
                variant: "after fast I/O was disallowed",
                ..flight.spec
            };
            begin(new_flight(
                &flight.file,
                again,
                flight.parameters,
                flight.thread,
                flight.own_file,
            ))
        }
        preop::DISALLOW_FSFILTER_IO
            if flight.spec.major == major::QUERY_OPEN && flight.spec.result.is_none() =>
        {
            free(&flight);
            Begun::Done(disallowed())
        }
        preop::COMPLETE => {
            check_result(flight.data, operation);
            free_swapped(flight.swapped);
            let completed = completed(&flight);
            free(&flight);
            Begun::Done(completed)
        }
        // The operation is passed on without a post-operation callback.
        _ if flight.spec.result.is_some() => {
            free_swapped(flight.swapped);
            free(&flight);
            Begun::Done(Completed::default())
        }
        _ => {
            flight.callbacks.post = 0;
            Begun::InFlight(Box::new(flight))
        }
    }
}

/// Checks the result of an operation that the filter completes. A failed operation has no information.
fn check_result(data: u64, operation: &Operation) {
    let status = Status(guest::read(data + data_at::STATUS));
    let information = guest::read::<u64>(data + data_at::INFORMATION);
    let is_bypass_io = matches!(
        operation.variant.as_str(),
        ENABLE_BYPASS_IO | QUERY_BYPASS_IO
    );
    let is_error = !status.is_success() && !status.is_warning();
    let problem = if status == status::UNSET {
        "completes it without setting IoStatus.Status".to_owned()
    } else if information == status::UNSET_INFORMATION
        && operation.via != Via::FsFilter
        && (status.is_success() || status.is_warning())
    {
        "completes it without setting IoStatus.Information".to_owned()
    } else if is_bypass_io && status.is_success() && information != u64::from(OUTPUT_SIZE) {
        format!("completes it with {information} bytes; FS_BPIO_OUTPUT has {OUTPUT_SIZE}")
    } else if is_error && !matches!(information, 0 | status::UNSET_INFORMATION) {
        format!("completes it with {status} and IoStatus.Information {information}, not 0")
    } else {
        return;
    };
    wrong_callback(Breach::Result, "pre", operation, &problem);
}

/// Removes an operation that the filter resumed from those in flight. Returns the answer of the filter too.
fn take_resumed(data: u64) -> Option<(InFlight, u32)> {
    with(|state| {
        let in_flight = &mut state.filter.in_flight;
        let at = in_flight.iter().position(|flight| flight.data == data)?;
        let Place::Resumed(answer) = in_flight[at].place else {
            return None;
        };
        Some((in_flight.remove(at), answer))
    })
}

/// Sends an operation to the file system after the pre-operation callback.
fn pass_down(mut flight: InFlight) -> Sent {
    if guest::read::<u32>(flight.data + data_at::FLAGS) & data_at::DIRTY == 0 {
        // Parameters that are changed without FltSetCallbackDataDirty are not passed on.
        restore(flight.data, &flight.original);
    }
    let data = flight.data;
    match bottom::answer(&flight, send) {
        Below::Done {
            status,
            information,
        } => {
            guest::write(data + data_at::STATUS, status.0);
            guest::write(data + data_at::INFORMATION, information);
            Sent::Completed(finish(flight, false))
        }
        Below::Pending => {
            flight.place = Place::Below;
            with(|state| state.filter.in_flight.push(flight));
            Sent::Pending(data)
        }
    }
}

/// Completes an operation that the file system pended.
pub fn complete_below(data: u64, status: Status, bytes: &[u8]) {
    let flight = with(|state| {
        let mut in_flight = state.filter.in_flight.iter_mut();
        let flight =
            in_flight.find(|flight| flight.data == data && flight.place == Place::Below)?;
        flight.place = Place::Completed;
        flight.post_irql = DISPATCH;
        Some(flight.clone())
    });
    if let Some(flight) = flight {
        guest::put(flight.buffer.0, &bytes[..bytes.len().min(flight.buffer.1)]);
        guest::write(data + data_at::STATUS, status.0);
        guest::write(data + data_at::INFORMATION, bytes.len() as u64);
    }
}

/// Continues the operations that the filter resumed or the file system completed. Returns their results.
#[must_use]
pub fn settle() -> Vec<(u64, Completed)> {
    let mut settled = Vec::new();
    loop {
        let next = with(|state| {
            let in_flight = &mut state.filter.in_flight;
            let is_ready =
                |flight: &InFlight| matches!(flight.place, Place::Resumed(_) | Place::Completed);
            let at = in_flight.iter().position(is_ready)?;
            Some(in_flight.remove(at))
        });
        let Some(flight) = next else { return settled };
        let data = flight.data;
        settled.extend(proceed(flight).map(|completed| (data, completed)));
    }
}

/// Continues an operation that the filter resumed or the file system completed. Returns `None` if it is pending again.
fn proceed(flight: InFlight) -> Option<Completed> {
    let Place::Resumed(answer) = flight.place else {
        return Some(finish(flight, false));
    };
    let operation = flight.operation();
    match process_answer(flight, answer, &operation) {
        Begun::InFlight(flight) => match pass_down(*flight) {
            Sent::Completed(completed) => Some(completed),
            Sent::Pending(_) => None,
        },
        Begun::Done(completed) => Some(completed),
        Begun::Pended(_) => None,
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

/// Returns the result of an operation.
fn completed(flight: &InFlight) -> Completed {
    let information = guest::read::<u64>(flight.data + data_at::INFORMATION);
    let (buffer, size) = flight.buffer;
    let length = if flight.spec.result.is_some() {
        0
    } else {
        size.min(usize::try_from(information).unwrap_or(usize::MAX))
    };
    Completed {
        status: Status(guest::read(flight.data + data_at::STATUS)),
        information,
        data: guest::bytes(buffer, length),
    }
}

/// Frees the callback data of an operation.
fn free(flight: &InFlight) {
    must(memory::free(flight.data, false));
    if flight.buffer.0 != 0 {
        must(memory::free(flight.buffer.0, false));
    }
}

/// Calls the post-operation callback. Returns the result.
fn finish(flight: InFlight, draining: bool) -> Completed {
    let data = flight.data;
    let end = |flight: &InFlight| {
        free_swapped(flight.swapped);
        let completed = completed(flight);
        free(flight);
        if flight.own_file {
            close_file(&flight.file);
        }
        completed
    };
    // The file system still has the operation. The filter does not see its completion.
    let remains = draining && flight.place == Place::Below;
    if flight.callbacks.post == 0 {
        return if remains {
            leave_below(flight)
        } else {
            end(&flight)
        };
    }
    // A post-operation callback receives the original parameters.
    restore(data, &flight.original);
    let operation = flight.operation();
    let result = match (draining, flight.spec.result) {
        (true, _) => status::FLT_POST_OPERATION_CLEANUP,
        (false, Some(result)) => result,
        (false, None) => Status(guest::read(data + data_at::STATUS)),
    };
    guest::write(data + data_at::STATUS, result.0);
    if guest::read::<u64>(data + data_at::INFORMATION) == status::UNSET_INFORMATION {
        guest::write(data + data_at::INFORMATION, 0_u64);
    }
    let flags = guest::read::<u32>(data + data_at::FLAGS);
    guest::write(data + data_at::FLAGS, flags | data_at::POST_OPERATION);
    let irql = if draining { PASSIVE } else { flight.post_irql };
    // A completion at DISPATCH_LEVEL runs in a separate thread.
    let thread = if irql == DISPATCH {
        new_thread()
    } else {
        flight.thread
    };
    let routine = Routine::Post {
        operation: operation.clone(),
        draining,
    };
    let arguments = [data, objects_of(data), flight.context, u64::from(draining)];
    let given = fixed(data);
    let has_name = with(|state| state.names.live.iter().any(|name| name.before == data));
    let answer = enter(routine, irql, thread, flight.callbacks.post, &arguments) as u32;
    let opened = result.is_success() && result != status::REPARSE;
    if has_name && opened && !with(|state| state.names.tunneled.contains(&data)) {
        wrong_callback(
            Breach::TunneledName,
            "post",
            &operation,
            "gets a normalized name and does not call FltGetTunneledName",
        );
    }
    check_fixed(data, &given, &operation);
    check_post_answer(data, answer, &operation);
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
    if remains {
        return leave_below(flight);
    }
    let is_disallowed = answer == DISALLOW_FSFILTER_IO && flight.spec.major == major::QUERY_OPEN;
    let completed = end(&flight);
    if is_disallowed {
        disallowed()
    } else {
        completed
    }
}

/// Checks the status of a post-operation callback against the calls that it made.
fn check_post_answer(data: u64, answer: u32, operation: &Operation) {
    let (given, posted, completed) = with(|state| {
        let answers = &mut state.work.answers;
        let at = answers.iter().position(|(known, _)| *known == data);
        let given = at.map(|at| answers.remove(at).1);
        let posted = state.work.posted.contains(&data);
        state.work.posted.retain(|known| *known != data);
        (given, posted, state.work.completed.contains(&data))
    });
    let wrong = if let Some(given) = given.filter(|given| *given != answer) {
        format!(
            "returns {answer}, and FltDoCompletionProcessingWhenSafe stored {given} in RetPostOperationStatus"
        )
    } else if posted && answer != MORE_PROCESSING {
        format!(
            "queues the operation and returns {answer}, not FLT_POSTOP_MORE_PROCESSING_REQUIRED"
        )
    } else if completed && answer != MORE_PROCESSING {
        format!(
            "calls FltCompletePendedPostOperation and returns {answer}, not FLT_POSTOP_MORE_PROCESSING_REQUIRED"
        )
    } else {
        return;
    };
    wrong_callback(Breach::Callback, "post", operation, &wrong);
}

/// Returns the result of an operation that the filter disallows in this form, so that the system sends others instead.
fn disallowed() -> Completed {
    Completed {
        status: status::FLT_DISALLOW_FAST_IO,
        ..Completed::default()
    }
}

/// Leaves an operation that is drained at the file system.
fn leave_below(mut flight: InFlight) -> Completed {
    flight.callbacks = OperationCallbacks::NONE;
    flight.instance = None;
    with(|state| state.filter.in_flight.push(flight));
    Completed::default()
}

/// Begins operations of each kind on each instance without completing them.
pub fn begin_in_flight() {
    if is_test() {
        return;
    }
    let instances = with(|state| state.filter.instances.clone());
    let mut kinds = vec![OPEN, io(READ, catalogue::NON_CACHED, IRP_NOCACHE), CLEAN_UP];
    for (number, instance) in instances.into_iter().enumerate() {
        if number == 0 {
            // On the first volume, also one operation of each other major function that an IRP can have.
            for spec in CATALOGUE.iter().filter(|spec| spec.via == Via::Irp) {
                if !kinds.iter().any(|known| known.major == spec.major) {
                    kinds.push(*spec);
                }
            }
        } else {
            kinds.truncate(3);
        }
        for spec in &kinds {
            let spec = Spec {
                variant: "in flight",
                ..*spec
            };
            let file = open_file(&instance.volume, "\\documents\\in-flight.txt");
            let parameters = catalogue::parameters(spec, file.object);
            let thread = new_thread_of(PROGRAM);
            match begin(new_flight(&file, spec, parameters, thread, true)) {
                Begun::InFlight(flight) => {
                    with(|state| state.filter.in_flight.push(*flight));
                }
                Begun::Done(_) => close_file(&file),
                Begun::Pended(_) => {}
            }
        }
    }
}

/// Completes the operations that are in flight.
pub fn complete_in_flight() {
    if is_test() {
        return;
    }
    loop {
        let next = with(|state| {
            let in_flight = &mut state.filter.in_flight;
            let at = in_flight
                .iter()
                .position(|flight| flight.place != Place::Pended)?;
            Some(in_flight.remove(at))
        });
        match next {
            Some(flight) => {
                let _ = finish(flight, false);
            }
            None => return,
        }
    }
}

/// Drains the operations of an instance that is torn down.
pub fn drain(instance: u64) {
    run_queued(Queued::Kept);
    let is_here = |flight: &&InFlight| {
        let on = flight.instance.as_ref();
        on.is_some_and(|on| on.handle == instance)
    };
    loop {
        let next = with(|state| state.filter.in_flight.iter().find(is_here).cloned());
        let Some(flight) = next else { return };
        let data = flight.data;
        let wait = || Wait::Pended {
            operation: flight.operation(),
        };
        block_until(Queued::Kept, wait, || {
            with(|state| {
                let mut in_flight = state.filter.in_flight.iter();
                !in_flight.any(|flight| flight.data == data && flight.place == Place::Pended)
            })
        });
        let flight = with(|state| {
            let in_flight = &mut state.filter.in_flight;
            let at = in_flight.iter().position(|flight| flight.data == data)?;
            Some(in_flight.remove(at))
        });
        let Some(flight) = flight else { continue };
        if is_test() && matches!(flight.place, Place::Resumed(_) | Place::Completed) {
            let completed = proceed(flight);
            with(|state| {
                let mut requests = state.programs.requests.iter_mut();
                if let Some(request) = requests.find(|request| request.data == data) {
                    request.completed = completed;
                }
            });
        } else {
            let _ = finish(flight, true);
        }
    }
}

/// Resumes an operation that a pre-operation callback pended.
pub fn complete_pended(data: u64, answer: u32, context: u64) {
    let name = preop::name(answer);
    if answer != preop::COMPLETE && threads::irql() >= DISPATCH {
        misuse(Misuse::Irql {
            problem: format!(
                "FltCompletePendedPreOperation is called at DISPATCH_LEVEL with {name}"
            ),
        });
    }
    let wrong = match answer {
        preop::PENDING | preop::SYNCHRONIZE | preop::DISALLOW_FASTIO => Some(format!(
            "a pended operation cannot be completed with {name}"
        )),
        preop::COMPLETE | preop::NO_CALLBACK if context != 0 => {
            Some(format!("Context is not NULL for {name}"))
        }
        _ => None,
    };
    if let Some(wrong) = wrong {
        breach(
            Breach::Callback,
            format!("FltCompletePendedPreOperation: {wrong}"),
        );
    }
    let place = with(|state| {
        let manager = &mut state.filter;
        let mut in_flight = manager.in_flight.iter_mut();
        let flight = in_flight.find(|flight| flight.data == data);
        match flight {
            Some(flight) if flight.place == Place::Pended => {
                flight.place = Place::Resumed(answer);
                flight.context = context;
                Place::Pended
            }
            Some(flight) => flight.place,
            // The callback has not returned.
            None if !manager.resumed.iter().any(|(known, ..)| *known == data) => {
                manager.resumed.push((data, answer, context));
                Place::Pended
            }
            None => Place::Resumed(answer),
        }
    });
    match place {
        Place::Pended => {}
        Place::Resumed(_) => misuse(Misuse::ReleasedTwice {
            what: "the pended operation".to_owned(),
        }),
        _ => unfit(
            "pended operation",
            "an operation that no pre-operation callback pended",
        ),
    }
}

/// Completes an operation whose post-operation callback returned `FLT_POSTOP_MORE_PROCESSING_REQUIRED`.
pub fn complete_post(data: u64) {
    if guest::read::<u32>(data + data_at::FLAGS) & data_at::POST_OPERATION == 0 {
        unfit(
            "pended operation",
            "an operation that is not in its post-operation callback",
        );
    }
    if with(|state| state.work.completed.contains(&data)) {
        misuse(Misuse::ReleasedTwice {
            what: "the pended operation".to_owned(),
        });
    }
    with(|state| state.work.completed.push(data));
}

/// Returns whether an operation can be posted to a worker thread: it is an IRP, and not paging I/O.
#[must_use]
pub fn can_be_posted(data: u64) -> bool {
    let iopb = guest::read::<u64>(data + data_at::IOPB);
    let paging = guest::read::<u32>(iopb + iopb_at::IRP_FLAGS) & IRP_PAGING_IO != 0;
    guest::read::<u32>(data + data_at::FLAGS) & data_at::IRP != 0 && !paging
}

/// Returns whether an operation is synchronous. In the scripts, reads and writes without the cache are not.
#[must_use]
pub fn is_synchronous(data: u64) -> bool {
    const SYNCHRONOUS_IO: u32 = 0x2; // FO_SYNCHRONOUS_IO
    let iopb = guest::read::<u64>(data + data_at::IOPB);
    if guest::read::<u32>(data + data_at::FLAGS) & data_at::IRP == 0
        || !matches!(guest::read(iopb + iopb_at::MAJOR), READ | WRITE)
    {
        return true;
    }
    if is_test() {
        let file = guest::read::<u64>(iopb + iopb_at::FILE);
        return guest::read::<u32>(file + file_object::FLAGS) & SYNCHRONOUS_IO != 0;
    }
    guest::read::<u32>(iopb + iopb_at::IRP_FLAGS) & IRP_NOCACHE == 0
}
