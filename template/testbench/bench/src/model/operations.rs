//! Operations: what is delivered to the callbacks, and how their answers are understood.
//!
//! Documents: "Writing Preoperation and Postoperation Callback Routines", "Writing Postoperation
//! Callback Routines", "`PFLT_POST_OPERATION_CALLBACK` callback function (fltkernel.h)",
//! "`FLT_PARAMETERS` union (fltkernel.h)" with its member pages.

use super::filter::OperationCallbacks;
use super::layout::{callback_data as data_at, fcb_header, file_object, iopb as iopb_at};
use super::volumes::{self, Instance, Volume};
use super::{
    ANY, DISPATCH, Fails, Optional, PASSIVE, bad_handle, contexts, devices, emit, enter, functions,
    hang, must, new_thread, system_block, with, work,
};
use crate::status::{self, Status};
use crate::trace::{Event, Kind, Misuse, Operation, Routine, Via};
use crate::{guest, memory};

/// `IRP_MJ_CREATE`.
pub const CREATE: u8 = 0x00;
/// `IRP_MJ_CLOSE`.
pub const CLOSE: u8 = 0x02;
/// `IRP_MJ_READ`.
pub const READ: u8 = 0x03;
/// `IRP_MJ_WRITE`.
pub const WRITE: u8 = 0x04;
/// `IRP_MJ_SHUTDOWN`.
pub const SHUTDOWN: u8 = 0x10;
/// `IRP_MJ_CLEANUP`.
pub const CLEANUP: u8 = 0x12;
/// `IRP_MJ_POWER`.
pub const POWER: u8 = 0x16;
/// `IRP_MJ_DEVICE_CHANGE`.
pub const DEVICE_CHANGE: u8 = 0x18;

const MAJORS: [(u8, &str); 43] = [
    (0x00, "CREATE"),
    (0x01, "CREATE_NAMED_PIPE"),
    (0x02, "CLOSE"),
    (0x03, "READ"),
    (0x04, "WRITE"),
    (0x05, "QUERY_INFORMATION"),
    (0x06, "SET_INFORMATION"),
    (0x07, "QUERY_EA"),
    (0x08, "SET_EA"),
    (0x09, "FLUSH_BUFFERS"),
    (0x0A, "QUERY_VOLUME_INFORMATION"),
    (0x0B, "SET_VOLUME_INFORMATION"),
    (0x0C, "DIRECTORY_CONTROL"),
    (0x0D, "FILE_SYSTEM_CONTROL"),
    (0x0E, "DEVICE_CONTROL"),
    (0x0F, "INTERNAL_DEVICE_CONTROL"),
    (0x10, "SHUTDOWN"),
    (0x11, "LOCK_CONTROL"),
    (0x12, "CLEANUP"),
    (0x13, "CREATE_MAILSLOT"),
    (0x14, "QUERY_SECURITY"),
    (0x15, "SET_SECURITY"),
    (0x16, "POWER"),
    (0x17, "SYSTEM_CONTROL"),
    (0x18, "DEVICE_CHANGE"),
    (0x19, "QUERY_QUOTA"),
    (0x1A, "SET_QUOTA"),
    (0x1B, "PNP"),
    (0xFF, "ACQUIRE_FOR_SECTION_SYNCHRONIZATION"),
    (0xFE, "RELEASE_FOR_SECTION_SYNCHRONIZATION"),
    (0xFD, "ACQUIRE_FOR_MOD_WRITE"),
    (0xFC, "RELEASE_FOR_MOD_WRITE"),
    (0xFB, "ACQUIRE_FOR_CC_FLUSH"),
    (0xFA, "RELEASE_FOR_CC_FLUSH"),
    (0xF9, "QUERY_OPEN"),
    (0xF3, "FAST_IO_CHECK_IF_POSSIBLE"),
    (0xF2, "NETWORK_QUERY_OPEN"),
    (0xF1, "MDL_READ"),
    (0xF0, "MDL_READ_COMPLETE"),
    (0xEF, "PREPARE_MDL_WRITE"),
    (0xEE, "MDL_WRITE_COMPLETE"),
    (0xED, "VOLUME_MOUNT"),
    (0xEC, "VOLUME_DISMOUNT"),
];

/// Whether a major function exists.
#[must_use]
pub fn is_major(major: u8) -> bool {
    major_of(major).is_some()
}

fn major_of(major: u8) -> Option<&'static str> {
    MAJORS
        .iter()
        .find(|(known, _)| *known == major)
        .map(|(_, name)| *name)
}

/// The name of a major function.
#[must_use]
pub fn major_name(major: u8) -> String {
    major_of(major).map_or_else(
        || format!("major function 0x{major:02x}"),
        |name| format!("IRP_MJ_{name}"),
    )
}

/// The major function of a name as expectations write it: `set-information`.
#[must_use]
pub fn major_by_option(option: &str) -> Option<u8> {
    let name = option.to_uppercase().replace('-', "_");
    MAJORS
        .iter()
        .find(|(_, known)| *known == name)
        .map(|(major, _)| *major)
}

/// An operation of the catalogue.
#[derive(Debug, Clone, Copy)]
struct Spec {
    major: u8,
    minor: u8,
    variant: &'static str,
    via: Via,
    irp_flags: u32,
    /// The IRQL at which Windows may call the post-operation callback.
    post: u8,
    /// What the file system answers.
    result: Status,
    /// For reads and writes: paging I/O, cached, on the volume.
    paging: bool,
    cached: bool,
}

const IRP_NOCACHE: u32 = 0x1;
const IRP_PAGING_IO: u32 = 0x2;

const fn irp(major: u8, minor: u8, variant: &'static str) -> Spec {
    Spec {
        major,
        minor,
        variant,
        via: Via::Irp,
        irp_flags: 0,
        post: PASSIVE,
        result: status::SUCCESS,
        paging: false,
        cached: false,
    }
}

const fn fast(major: u8) -> Spec {
    Spec {
        via: Via::FastIo,
        variant: "fast I/O",
        ..irp(major, 0, "")
    }
}

const fn fs_filter(major: u8) -> Spec {
    Spec {
        via: Via::FsFilter,
        ..irp(major, 0, "")
    }
}

/// Completed by another thread, at `DISPATCH_LEVEL`.
const fn late(spec: Spec) -> Spec {
    Spec {
        post: DISPATCH,
        ..spec
    }
}

const fn io(major: u8, variant: &'static str, irp_flags: u32) -> Spec {
    Spec {
        irp_flags,
        paging: irp_flags & IRP_PAGING_IO != 0,
        cached: irp_flags & IRP_NOCACHE == 0,
        post: if irp_flags == 0 { PASSIVE } else { DISPATCH },
        ..irp(major, 0, variant)
    }
}

const OPEN: Spec = irp(CREATE, 0, "");
const CLEAN_UP: Spec = irp(CLEANUP, 0, "");
const CLOSE_IT: Spec = irp(CLOSE, 0, "");

/// What is done to an open file.
const CATALOGUE: &[Spec] = &[
    io(READ, "", 0),
    io(READ, "non-cached", IRP_NOCACHE),
    io(READ, "paging I/O", IRP_NOCACHE | IRP_PAGING_IO),
    Spec {
        cached: true,
        ..fast(READ)
    },
    io(WRITE, "", 0),
    io(WRITE, "non-cached", IRP_NOCACHE),
    io(WRITE, "paging I/O", IRP_NOCACHE | IRP_PAGING_IO),
    Spec {
        cached: true,
        ..fast(WRITE)
    },
    Spec {
        result: status::END_OF_FILE,
        ..io(READ, "beyond the end", 0)
    },
    irp(0x05, 0, ""),
    fast(0x05),
    irp(0x06, 0, ""),
    irp(0x06, 0, "rename"),
    irp(0x06, 0, "delete"),
    irp(0x07, 0, ""),
    irp(0x08, 0, ""),
    irp(0x09, 0, ""),
    irp(0x0A, 0, ""),
    irp(0x0B, 0, ""),
    irp(0x0C, 1, "query"),
    late(irp(0x0C, 2, "notify change")),
    late(irp(0x0D, 0, "")),
    late(irp(0x0E, 0, "")),
    fast(0x0E),
    late(irp(0x0F, 0, "")),
    late(irp(0x11, 1, "")),
    fast(0x11),
    irp(0x14, 0, ""),
    irp(0x15, 0, ""),
    irp(0x17, 0, ""),
    irp(0x19, 0, ""),
    irp(0x1A, 0, ""),
    irp(0x1B, 0, ""),
    fs_filter(0xFF),
    fs_filter(0xFE),
    fs_filter(0xFD),
    fs_filter(0xFC),
    fs_filter(0xFB),
    fs_filter(0xFA),
    fast(0xF3),
    fast(0xF1),
    fast(0xF0),
    fast(0xEF),
    fast(0xEE),
];

/// What is done to compare the filter before and after a refused unload.
const PROBE: &[Spec] = &[
    io(READ, "", 0),
    io(READ, "non-cached", IRP_NOCACHE),
    io(WRITE, "", 0),
    irp(0x05, 0, ""),
    irp(0x06, 0, ""),
    irp(0x0C, 1, "query"),
];

/// A file that is open on a volume.
#[derive(Debug, Clone)]
struct File {
    object: u64,
    instance: Instance,
}

/// An operation between its pre- and its post-operation callback.
#[derive(Debug, Clone)]
pub struct InFlight {
    spec: Spec,
    file: File,
    data: u64,
    callbacks: OperationCallbacks,
    context: u64,
    post_irql: u8,
    thread: u32,
    /// The file belongs to this operation alone and goes with it.
    own_file: bool,
    /// Pended by the pre-operation callback and not completed yet.
    pended: bool,
    /// The memory descriptor list that the filter put in the parameters: the filter manager frees it.
    swapped: u64,
}

functions! { pub OPERATIONS = "FLTMGR.SYS", "fltkernel.h";
    /// Whether the operation is done when the call returns.
    [ANY, Fails::Never]
    fn FltIsOperationSynchronous(data: u64) -> u8 {
        let flags = guest::read::<u32>(checked(data) + data_at::FLAGS);
        u8::from(flags & (data_at::FAST_IO | data_at::FS_FILTER) != 0 || with(|state| state.irql) == PASSIVE)
    }

    /// Calls back with the status of an operation that a lower driver pends.
    [super::APC, Fails::With(&[status::INSUFFICIENT_RESOURCES, status::INVALID_PARAMETER])]
    fn FltRequestOperationStatusCallback(data: u64, callback: u64, context: u64) -> Status {
        let thread = with(|state| state.thread);
        let data = checked(data);
        // The status is known at once here; Windows calls once the lower driver has answered.
        let iopb = guest::read::<u64>(data + data_at::IOPB);
        let objects = objects_of(data);
        let routine = Routine::Other { routine: "PFLT_GET_OPERATION_STATUS_CALLBACK".to_owned() };
        let irql = with(|state| state.irql);
        let _ = enter(routine, irql, thread, callback, &[objects, iopb, u64::from(status::PENDING.0), context]);
        status::SUCCESS
    }

    /// Runs the rest of a post-operation callback where it is safe.
    [ANY, Fails::Null]
    fn FltDoCompletionProcessingWhenSafe(data: u64, objects: u64, context: u64, flags: u32, safe: u64, answer: u64) -> u8 {
        let data = checked(data);
        let thread = with(|state| state.thread);
        let run = move || {
            let routine = Routine::Other { routine: "SafePostCallback".to_owned() };
            let arguments = [data, objects, context, u64::from(flags)];
            enter(routine, PASSIVE, thread, safe, &arguments) as u32
        };
        if with(|state| state.irql) < DISPATCH {
            guest::write(answer, run());
        } else {
            // Windows queues it to a worker thread; nothing else happens in between here.
            let irql = with(|state| state.irql);
            super::set_irql(PASSIVE);
            let _ = run();
            super::set_irql(irql);
            guest::write(answer, MORE_PROCESSING);
            with(|state| state.work.completed.push(data));
        }
        1
    }

    /// Marks the parameters as changed.
    [ANY, Fails::Never]
    fn FltSetCallbackDataDirty(data: u64) {
        let data = checked(data);
        let flags = guest::read::<u32>(data + data_at::FLAGS);
        guest::write(data + data_at::FLAGS, flags | data_at::DIRTY);
    }

    /// Takes the mark back.
    [ANY, Fails::Never]
    fn FltClearCallbackDataDirty(data: u64) {
        let data = checked(data);
        let flags = guest::read::<u32>(data + data_at::FLAGS);
        guest::write(data + data_at::FLAGS, flags & !data_at::DIRTY);
    }

    /// Whether the parameters are marked as changed.
    [ANY, Fails::Never]
    fn FltIsCallbackDataDirty(data: u64) -> u8 {
        u8::from(guest::read::<u32>(checked(data) + data_at::FLAGS) & data_at::DIRTY != 0)
    }

    /// Goes on with an operation that a pre-operation callback pended.
    [DISPATCH, Fails::Never]
    fn FltCompletePendedPreOperation(data: u64, answer: u32, context: u64) {
        complete_pended(checked(data), answer, context);
    }

    /// Goes on with an operation whose post-operation callback asked for more time.
    [DISPATCH, Fails::Never]
    fn FltCompletePendedPostOperation(data: u64) {
        let data = checked(data);
        with(|state| state.work.completed.push(data));
    }

    /// Locks the user's buffer, so that it can be used from any thread.
    [super::APC, Fails::With(&[status::INSUFFICIENT_RESOURCES])]
    fn FltLockUserBuffer(data: u64) -> Status {
        lock_user_buffer(checked(data));
        status::SUCCESS
    }

    /// Undoes an open in its post-operation callback.
    [PASSIVE, Fails::Never]
    fn FltCancelFileOpen(instance: u64, file: u64) {
        if volumes::by_instance(instance).is_none() {
            bad_handle("instance handle", instance);
        }
        if volume_of(file).is_none() {
            bad_handle("file object", file);
        }
    }

    /// Whether a file is a directory.
    [super::APC, Fails::With(&[status::NOT_SUPPORTED])]
    fn FltIsDirectory(file: u64, instance: u64, out: u64) -> Status {
        if volumes::by_instance(instance).is_none() {
            bad_handle("instance handle", instance);
        }
        if volume_of(file).is_none() {
            bad_handle("file object", file);
        }
        guest::write(out, 0_u8);
        status::SUCCESS
    }

    /// Where the parameters keep the buffer.
    [ANY, Fails::With(&[status::INVALID_PARAMETER])]
    fn FltDecodeParameters(data: u64, mdl: Optional, buffer: Optional, length: Optional, access: Optional) -> Status {
        let iopb = guest::read::<u64>(checked(data) + data_at::IOPB);
        if !matches!(guest::read::<u8>(iopb + iopb_at::MAJOR), READ | WRITE) {
            return status::INVALID_PARAMETER;
        }
        let parameters = iopb + iopb_at::PARAMETERS;
        guest::write_if(mdl, parameters + 32);
        guest::write_if(buffer, parameters + 24);
        guest::write_if(length, parameters);
        guest::write_if(access, 1_u32);
        status::SUCCESS
    }

    /// The names of an operation's codes.
    [ANY, Fails::Quiet]
    fn FltGetIrpName(_major: u8) -> u64 {
        process_text()
    }
}

const MORE_PROCESSING: u32 = 1;

fn process_text() -> u64 {
    super::process::text("IRP_MJ_CREATE")
}

// Where things lie in the block of an operation.
const IOPB: u64 = 0x60;
const OBJECTS: u64 = 0xB0;
const EXTRA: u64 = 0x100;
const BUFFER: u64 = 0x400;
const MDL: u64 = 0x380;
const BLOCK: usize = 0x800;

fn objects_of(data: u64) -> u64 {
    data + OBJECTS
}

/// Ends the scenario unless this is the callback data of an operation that is under way.
fn checked(data: u64) -> u64 {
    match memory::block_at(data) {
        Some(block) if !block.freed && block.what.starts_with("the callback data") => data,
        _ => bad_handle("callback data", data),
    }
}

/// The volume of a file object.
#[must_use]
pub fn volume_of(file: u64) -> Option<Volume> {
    let context = memory::block_at(file)
        .filter(|block| !block.freed && block.what.starts_with("a file object"))
        .map(|_| guest::read::<u64>(file + file_object::FS_CONTEXT2))?;
    let volumes = volumes::all();
    volumes
        .into_iter()
        .find(|volume| volume.file_context == context)
}

/// Everything, on every instance.
pub fn everything() {
    let instances = with(|state| state.filter.instances.clone());
    for instance in &instances {
        let full = instance.volume.file_system == 2;
        session(instance, if full { CATALOGUE } else { PROBE }, full);
    }
    work::run_generic();
}

/// A few operations, on every instance.
pub fn probe() {
    let instances = with(|state| state.filter.instances.clone());
    for instance in &instances {
        session(instance, PROBE, false);
    }
    work::run_generic();
}

/// What arrives on a volume the moment the filter is attached, before `FltStartFiltering` returns.
pub fn first_contact(volume: &Volume) {
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

/// What still arrives while the filter is being taken down.
pub fn last_contact() {
    probe();
}

/// The system shuts down.
pub fn shutdown() {
    let instances = with(|state| state.filter.instances.clone());
    for instance in instances {
        let file = open_file(&instance, "");
        deliver(&file, irp(SHUTDOWN, 0, ""), true);
    }
}

/// A file from open to close.
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
    // These come without an open file.
    for spec in [fast(0xF2), fast(0xF9), irp(0x01, 0, ""), irp(0x13, 0, "")] {
        let file = open_file(instance, "\\documents\\report.txt");
        deliver(&file, spec, true);
    }
    for major in [0xED, 0xEC] {
        let file = open_file(instance, "");
        deliver(&file, fs_filter(major), true);
    }
}

fn open_file(instance: &Instance, name: &str) -> File {
    File {
        object: file_on(&instance.volume, name, "a file object"),
        instance: instance.clone(),
    }
}

/// A file object on a volume. The pointers that its document calls opaque lead to inaccessible memory.
#[must_use]
pub fn file_on(volume: &Volume, name: &str, what: &str) -> u64 {
    const FCB_HEADER: u64 = file_object::SIZE as u64 + 0x08;
    const SECTIONS: u64 = FCB_HEADER + fcb_header::SIZE as u64;
    let units: Vec<u16> = name.encode_utf16().collect();
    let size = file_object::SIZE + 0x100 + units.len() * 2;
    let object = system_block(size, what);
    guest::write(object + file_object::HEAD, 0x00D8_0005_u32);
    guest::write(object + file_object::DEVICE, volume.device_object());
    guest::write(object + file_object::VPB, volume.parameter_block());
    let header = object + FCB_HEADER;
    let file_system = "the file system's own file control block";
    guest::write(header + fcb_header::HEAD, 0x0070_0001_u32);
    guest::write(header + fcb_header::RESOURCE, devices::opaque(file_system));
    guest::write(
        header + fcb_header::PAGING_RESOURCE,
        devices::opaque(file_system),
    );
    for size in fcb_header::SIZES {
        guest::write(header + size, 0x1000_u64);
    }
    for link in [fcb_header::CONTEXTS, fcb_header::CONTEXTS + 8] {
        guest::write(header + link, header + fcb_header::CONTEXTS);
    }
    guest::write(object + file_object::FS_CONTEXT, header);
    guest::write(object + file_object::FS_CONTEXT2, volume.file_context);
    guest::write(object + file_object::SECTION, object + SECTIONS);
    guest::write(
        object + file_object::OBJECT_EXTENSION,
        devices::opaque("FileObjectExtension of a file object"),
    );
    let text = object + file_object::SIZE as u64 + 0x100;
    guest::put_wide(text, &units);
    guest::set_unicode(
        object + file_object::NAME,
        units.len() * 2,
        units.len() * 2,
        text,
    );
    object
}

fn close_file(file: &File) {
    contexts::file_is_gone(file.object);
    must(memory::free(file.object, false));
}

/// Delivers an operation from pre to post. False where the filter failed it.
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
    let status = Status(guest::read(data + data_at::STATUS));
    emit(&Event::PreAnswer {
        operation: operation.clone(),
        answer,
        status,
    });
    flight.context = guest::read(context_slot);
    flight.swapped = swapped_mdl(data, spec);
    // A post-operation callback sees the parameters as they were.
    guest::put(data + IOPB, &iopb);
    understand(flight, answer, status, &operation)
}

/// What a pre-operation callback's answer leads to.
fn understand(mut flight: InFlight, answer: u32, status: Status, operation: &Operation) -> Begun {
    let data = flight.data;
    let swapped = flight.swapped;
    let done = |passed| {
        free_swapped(swapped);
        must(memory::free(data, false));
        Begun::Done(passed)
    };
    match answer {
        WITH_CALLBACK | SYNCHRONIZE => {
            if flight.callbacks.post == 0 {
                super::misuse(Misuse::NoPostOperation {
                    operation: operation.clone(),
                    answer: answer_name(answer).to_owned(),
                });
            }
            if answer == SYNCHRONIZE {
                flight.post_irql = PASSIVE;
            }
            Begun::InFlight(Box::new(flight))
        }
        PENDING if flight.spec.via == Via::Irp => {
            flight.pended = true;
            with(|state| state.filter.in_flight.push(flight.clone()));
            work::run_generic();
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
                // Still pended: it is completed or cancelled later.
                None => Begun::Done(true),
            }
        }
        DISALLOW_FASTIO if flight.spec.via == Via::FastIo => {
            let again = Spec {
                via: Via::Irp,
                variant: "after fast I/O was disallowed",
                ..flight.spec
            };
            must(memory::free(data, false));
            // Some operations exist as fast I/O only.
            if flight.spec.major >= 0x80 {
                return Begun::Done(true);
            }
            begin(&flight.file, again, flight.own_file)
        }
        COMPLETE => done(status.is_success()),
        _ => done(true),
    }
}

const WITH_CALLBACK: u32 = 0;
const PENDING: u32 = 2;
const DISALLOW_FASTIO: u32 = 3;
const COMPLETE: u32 = 4;
const SYNCHRONIZE: u32 = 5;

/// The name of an `FLT_PREOP_CALLBACK_STATUS`.
#[must_use]
pub fn answer_name(answer: u32) -> &'static str {
    match answer {
        0 => "FLT_PREOP_SUCCESS_WITH_CALLBACK",
        1 => "FLT_PREOP_SUCCESS_NO_CALLBACK",
        2 => "FLT_PREOP_PENDING",
        3 => "FLT_PREOP_DISALLOW_FASTIO",
        4 => "FLT_PREOP_COMPLETE",
        5 => "FLT_PREOP_SYNCHRONIZE",
        6 => "FLT_PREOP_DISALLOW_FSFILTER_IO",
        _ => "no FLT_PREOP_CALLBACK_STATUS",
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

/// The post-operation callback. False where the filter failed the operation.
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
        // It was pended and completed with no wish to see the result.
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
    // A late completion comes in a thread of its own.
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
        work::run_generic();
        let done = with(|state| {
            let completed = &mut state.work.completed;
            let at = completed.iter().position(|known| *known == data);
            at.map(|at| completed.remove(at)).is_some()
        });
        if !done {
            hang(format!(
                "the post-operation callback of {operation} asked for more processing and never called FltCompletePendedPostOperation"
            ));
        }
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

/// Begins an operation of each kind on each instance and leaves it with the file system.
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

/// The file system is done with what was left to it.
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

/// An instance goes: operations that are still with the file system are drained.
pub fn drain(instance: u64) {
    work::run_generic();
    loop {
        let next = with(|state| {
            let in_flight = &mut state.filter.in_flight;
            let at = in_flight
                .iter()
                .position(|flight| flight.file.instance.handle == instance)?;
            Some(in_flight.remove(at))
        });
        match next {
            Some(flight) if flight.pended => hang(format!(
                "FltUnregisterFilter waits for {} that a pre-operation callback pended and nobody completed",
                operation(&flight.file, flight.spec)
            )),
            Some(flight) => {
                finish(flight, true);
            }
            None => return,
        }
    }
}

/// The memory descriptor list in the parameters, if it is one that the driver allocated.
///
/// Document: "Modifying the Parameters for an I/O Operation".
fn swapped_mdl(data: u64, spec: Spec) -> u64 {
    let place = match spec.major {
        READ | WRITE => 32,
        0x0C | 0x07 => 40,
        0x14 => 24,
        _ => return 0,
    };
    let mdl = guest::read::<u64>(data + IOPB + iopb_at::PARAMETERS + place);
    if super::holds(Kind::Mdl, mdl) { mdl } else { 0 }
}

fn free_swapped(mdl: u64) {
    if mdl != 0 && super::release(Kind::Mdl, mdl) {
        must(memory::free(mdl, false));
    }
}

fn complete_pended(data: u64, answer: u32, context: u64) {
    with(|state| {
        let mut in_flight = state.filter.in_flight.iter_mut();
        if let Some(flight) = in_flight.find(|flight| flight.data == data) {
            flight.pended = false;
            flight.context = context;
            if !matches!(answer, WITH_CALLBACK | SYNCHRONIZE) {
                flight.callbacks.post = 0;
            }
        }
    });
}

/// The callback data of an operation, with its parameters, in one block.
fn callback_data(file: &File, spec: Spec, operation: &Operation) -> u64 {
    let data = system_block(BLOCK, &format!("the callback data of {operation}"));
    let iopb = data + IOPB;
    let flags = match spec.via {
        Via::Irp => data_at::IRP,
        Via::FastIo => data_at::FAST_IO,
        Via::FsFilter => data_at::FS_FILTER,
    };
    let thread = super::process::current_thread();
    guest::write(data + data_at::FLAGS, flags);
    guest::write(data + data_at::THREAD, thread);
    guest::write(data + data_at::IOPB, iopb);
    guest::write(data + data_at::MODE, u8::from(!spec.paging));
    guest::write(iopb + iopb_at::IRP_FLAGS, spec.irp_flags);
    guest::write(iopb + iopb_at::MAJOR, spec.major);
    guest::write(iopb + iopb_at::MINOR, spec.minor);
    guest::write(iopb + iopb_at::FILE, file.object);
    guest::write(iopb + iopb_at::INSTANCE, file.instance.handle);
    volumes::fill_objects(objects_of(data), &file.instance, file.object);
    parameters(data, iopb + iopb_at::PARAMETERS, spec, file);
    data
}

/// `FLT_PARAMETERS`, whose members are aligned to eight bytes on x64.
fn parameters(data: u64, at: u64, spec: Spec, file: &File) {
    let buffer = data + BUFFER;
    let length = 0x200_u32;
    match spec.major {
        CREATE | 0x01 | 0x13 => {
            // IO_SECURITY_CONTEXT with its ACCESS_STATE.
            let context = data + EXTRA + 0x20;
            guest::write(context + 8, data + EXTRA + 0x60);
            guest::write(context + 0x10, 0x0012_0089_u32); // FILE_GENERIC_READ
            guest::write(at, context);
            let directory = u32::from(spec.variant == "directory");
            guest::write(at + 8, 0x0100_0020 | directory); // FILE_OPEN, FILE_SYNCHRONOUS_IO_NONALERT
            guest::write(at + 16, 0x80_u16); // FILE_ATTRIBUTE_NORMAL
            guest::write(at + 18, 0x7_u16);
        }
        READ | WRITE => {
            guest::write(at, length);
            guest::write(at + 24, buffer);
            if spec.paging {
                guest::write(at + 32, mdl(data, buffer, length));
            }
        }
        0x05 | 0x0A | 0x0B => {
            guest::write(at, length);
            guest::write(at + 8, if spec.major == 0x05 { 5_u32 } else { 3 });
            guest::write(at + 16, buffer);
        }
        0x06 => set_information(at, buffer, spec, file),
        0x07 => {
            guest::write(at, length);
            guest::write(at + 32, buffer);
        }
        0x08 => {
            guest::write(at, length);
            guest::write(at + 8, buffer);
        }
        0x0C if spec.minor == 1 => {
            guest::write(at, length);
            guest::write(at + 16, 37_u32); // FileIdBothDirectoryInformation
            guest::write(at + 32, buffer);
        }
        0x0C => {
            guest::write(at, length);
            guest::write(at + 8, 0x1_u32);
            guest::write(at + 32, buffer);
        }
        0x0D..=0x0F => {
            guest::write(at, length);
            guest::write(at + 8, length);
            guest::write(at + 16, 0x0009_0028_u32); // FSCTL_IS_VOLUME_MOUNTED
            guest::write(at + 24, buffer);
            guest::write(at + 32, buffer);
        }
        0x11 => {
            guest::write(data + EXTRA + 0x20, 1_u64);
            guest::write(at, data + EXTRA + 0x20);
            guest::write(at + 24, super::process::current_process());
            guest::write(at + 33, 1_u8);
        }
        0x14 => {
            guest::write(at, 0x7_u32);
            guest::write(at + 8, length);
            guest::write(at + 16, buffer);
        }
        0x15 => {
            guest::write(at, 0x4_u32);
            // FILE_ALL_ACCESS
            super::security::put_default(buffer, 0x001F_01FF);
            guest::write(at + 8, buffer);
        }
        0x19 | 0x1A => {
            guest::write(at, length);
            guest::write(at + 24, buffer);
        }
        0xFF => {
            guest::write(at, 1_u32); // SyncTypeCreateSection
            guest::write(at + 4, 0x20_u32); // PAGE_EXECUTE_READ
        }
        0xF2 => guest::write(at + 8, buffer),
        _ => {}
    }
}

/// `FileBasicInformation`, `FileRenameInformation`, `FileDispositionInformation`.
fn set_information(at: u64, buffer: u64, spec: Spec, file: &File) {
    let (class, length) = match spec.variant {
        "rename" => {
            let name: Vec<u16> = "\\documents\\renamed.txt".encode_utf16().collect();
            guest::write(buffer + 16, name.len() as u32 * 2);
            for (index, unit) in name.iter().enumerate() {
                guest::write(buffer + 20 + 2 * index as u64, *unit);
            }
            guest::write(at + 16, file.object);
            (10_u32, 20 + 2 * name.len() as u32)
        }
        "delete" => {
            guest::write(buffer, 1_u8);
            (13, 1)
        }
        _ => (4, 40),
    };
    guest::write(at, length);
    guest::write(at + 8, class);
    guest::write(at + 24 + 8, buffer);
}

/// A memory descriptor list for a buffer that is locked and mapped.
fn mdl(data: u64, buffer: u64, length: u32) -> u64 {
    let at = data + MDL;
    super::pool::describe(at, buffer, length);
    at
}

fn lock_user_buffer(data: u64) {
    let iopb = guest::read::<u64>(data + data_at::IOPB);
    let parameters = iopb + iopb_at::PARAMETERS;
    let (buffer, length, place) = match guest::read::<u8>(iopb + iopb_at::MAJOR) {
        READ | WRITE => (24, 0, 32),
        0x0C | 0x07 => (32, 0, 40),
        _ => return,
    };
    if guest::read::<u64>(parameters + place) == 0 {
        let buffer = guest::read(parameters + buffer);
        let length = guest::read(parameters + length);
        guest::write(parameters + place, mdl(data, buffer, length));
    }
}
