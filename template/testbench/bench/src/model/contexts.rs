//! Contexts: reference-counted blocks that the filter hangs onto objects.
//!
//! Documents: "Managing Minifilter Contexts", "Registering Context Types", "Referencing Contexts", "Releasing
//! Contexts", "`FLT_CONTEXT_REGISTRATION` structure (fltkernel.h)". Each of allocate, get, reference
//! and a returned old context costs one `FltReleaseContext`. `ContextAllocateCallback` and
//! `ContextFreeCallback` are not called: the bench allocates itself, to see what happens to a block.

use super::volumes;
use super::{
    APC, DISPATCH, Fails, Optional, acquire, bad_handle, emit, enter, filter, functions, held_once,
    misuse, must, release, with,
};
use crate::memory::{self, Purpose};
use crate::status::{self, Status};
use crate::trace::{Event, Kind, Misuse, Routine};
use crate::{guest, trace};

/// What the filter registered, and the contexts that live.
#[derive(Debug, Clone, Default)]
pub struct Contexts {
    /// The registration.
    pub registered: Vec<Registered>,
    live: Vec<Context>,
}

/// An `FLT_CONTEXT_REGISTRATION`.
#[derive(Debug, Clone, Copy)]
pub struct Registered {
    kind: u16,
    flags: u16,
    cleanup: u64,
    size: u64,
}

#[derive(Debug, Clone, Copy)]
struct Context {
    address: u64,
    kind: u16,
    cleanup: u64,
    references: u32,
    /// Instance (or volume) and file object (or 0) that it is set on.
    on: Option<(u64, u64)>,
}

const VOLUME: u16 = 0x1;
const INSTANCE: u16 = 0x2;
const FILE: u16 = 0x4;
const STREAM: u16 = 0x8;
const STREAM_HANDLE: u16 = 0x10;
const END: u16 = 0xFFFF;
/// `FLT_VARIABLE_SIZED_CONTEXTS`.
const VARIABLE: u64 = u64::MAX;
/// `FLT_SET_CONTEXT_KEEP_IF_EXISTS`.
const KEEP_IF_EXISTS: u32 = 1;

const SET_FAILS: Fails = Fails::With(&[status::FLT_DELETING_OBJECT]);
const GET_FAILS: Fails = Fails::With(&[status::NOT_FOUND]);

functions! { pub CONTEXTS = "FLTMGR.SYS", "fltkernel.h";
    /// Allocates a context of a registered type and size.
    [APC, Fails::With(&[status::INSUFFICIENT_RESOURCES]), clears out]
    fn FltAllocateContext(filter: u64, kind: u32, size: u64, pool: u32, out: u64) -> Status {
        filter::check(filter);
        allocate(kind as u16, size, pool, out)
    }
    /// Adds a reference.
    [DISPATCH, Fails::Never]
    fn FltReferenceContext(context: u64) {
        add_reference(checked(context));
    }
    /// Takes a reference back.
    [DISPATCH, Fails::Never]
    fn FltReleaseContext(context: u64) {
        let context = checked(context);
        if !release(Kind::Context, context) {
            misuse(Misuse::Context {
                problem: format!("{} is released more often than it was referenced", name(context)),
            });
        }
        drop_reference(context);
    }
    /// Marks a context for deletion: it is taken from its object.
    [APC, Fails::Never]
    fn FltDeleteContext(context: u64) {
        detach(checked(context));
    }
    /// Sets an instance's context.
    [APC, SET_FAILS]
    fn FltSetInstanceContext(instance: u64, how: u32, new: u64, old: Optional) -> Status {
        set(INSTANCE, (instance_object(instance), 0), how, new, old)
    }
    /// Gets an instance's context.
    [APC, GET_FAILS, clears out]
    fn FltGetInstanceContext(instance: u64, out: u64) -> Status {
        get(INSTANCE, (instance_object(instance), 0), out)
    }
    /// Deletes an instance's context.
    [APC, Fails::Never]
    fn FltDeleteInstanceContext(instance: u64, old: Optional) -> Status {
        remove(INSTANCE, (instance_object(instance), 0), old)
    }
    /// Sets a volume's context.
    [APC, SET_FAILS]
    fn FltSetVolumeContext(volume: u64, how: u32, new: u64, old: Optional) -> Status {
        set(VOLUME, (volume, 0), how, new, old)
    }
    /// Gets a volume's context.
    [APC, GET_FAILS, clears out]
    fn FltGetVolumeContext(filter: u64, volume: u64, out: u64) -> Status {
        filter::check(filter);
        get(VOLUME, (volume, 0), out)
    }
    /// Deletes a volume's context.
    [APC, Fails::Never]
    fn FltDeleteVolumeContext(filter: u64, volume: u64, old: Optional) -> Status {
        filter::check(filter);
        remove(VOLUME, (volume, 0), old)
    }
    /// Sets a file's context.
    [APC, SET_FAILS]
    fn FltSetFileContext(instance: u64, file: u64, how: u32, new: u64, old: Optional) -> Status {
        set_on_file(FILE, instance, file, how, new, old)
    }
    /// Gets a file's context.
    [APC, GET_FAILS, clears out]
    fn FltGetFileContext(instance: u64, file: u64, out: u64) -> Status {
        get_on_file(FILE, instance, file, out)
    }
    /// Deletes a file's context.
    [APC, Fails::Never]
    fn FltDeleteFileContext(instance: u64, file: u64, old: Optional) -> Status {
        remove(FILE, (instance_object(instance), file), old)
    }
    /// Sets a stream's context.
    [APC, SET_FAILS]
    fn FltSetStreamContext(instance: u64, file: u64, how: u32, new: u64, old: Optional) -> Status {
        set_on_file(STREAM, instance, file, how, new, old)
    }
    /// Gets a stream's context.
    [APC, GET_FAILS, clears out]
    fn FltGetStreamContext(instance: u64, file: u64, out: u64) -> Status {
        get_on_file(STREAM, instance, file, out)
    }
    /// Deletes a stream's context.
    [APC, Fails::Never]
    fn FltDeleteStreamContext(instance: u64, file: u64, old: Optional) -> Status {
        remove(STREAM, (instance_object(instance), file), old)
    }
    /// Sets a stream handle's context.
    [APC, SET_FAILS]
    fn FltSetStreamHandleContext(instance: u64, file: u64, how: u32, new: u64, old: Optional) -> Status {
        set_on_file(STREAM_HANDLE, instance, file, how, new, old)
    }
    /// Gets a stream handle's context.
    [APC, GET_FAILS, clears out]
    fn FltGetStreamHandleContext(instance: u64, file: u64, out: u64) -> Status {
        get_on_file(STREAM_HANDLE, instance, file, out)
    }
    /// Deletes a stream handle's context.
    [APC, Fails::Never]
    fn FltDeleteStreamHandleContext(instance: u64, file: u64, old: Optional) -> Status {
        remove(STREAM_HANDLE, (instance_object(instance), file), old)
    }
    /// Whether a file system supports stream contexts.
    [APC, Fails::Never]
    fn FltSupportsStreamContexts(_file: u64) -> u8 { 1 }
    /// Whether a file system supports stream handle contexts.
    [APC, Fails::Never]
    fn FltSupportsStreamHandleContexts(_file: u64) -> u8 { 1 }
    /// Whether a file system supports file contexts.
    [APC, Fails::Never]
    fn FltSupportsFileContexts(_file: u64) -> u8 { 1 }
}

/// Reads and checks an array of `FLT_CONTEXT_REGISTRATION`.
#[must_use]
pub fn registration_list(mut address: u64) -> Vec<Registered> {
    const SIZE: u64 = 0x38;
    let mut list: Vec<Registered> = Vec::new();
    if address == 0 {
        return list;
    }
    loop {
        let kind = guest::read::<u16>(address);
        if kind == END {
            return list;
        }
        let known = matches!(kind, 0x1 | 0x2 | 0x4 | 0x8 | 0x10 | 0x20 | 0x40);
        if !known || list.len() > 28 {
            problem(format!(
                "entry {} of the context list has type 0x{kind:x}, which does not exist: is FLT_CONTEXT_END missing at the end?",
                list.len() + 1
            ));
            return list;
        }
        let entry = Registered {
            kind,
            flags: guest::read(address + 2),
            cleanup: guest::read(address + 8),
            size: guest::read(address + 0x10),
        };
        if entry.cleanup != 0 && !memory::is_code(entry.cleanup) {
            problem("a ContextCleanupCallback is no code of the driver's".to_owned());
        }
        let same = list.iter().filter(|known| known.kind == kind);
        let (variable, fixed): (Vec<&Registered>, Vec<&Registered>) =
            same.partition(|known| known.size == VARIABLE);
        let room = if entry.size == VARIABLE {
            variable.is_empty()
        } else {
            fixed.len() < 3
        };
        if !room {
            problem(format!(
                "{} has more registrations than three of a fixed and one of a variable size",
                kind_name(kind)
            ));
        }
        list.push(entry);
        address += SIZE;
    }
}

fn problem(problem: String) {
    emit(&Event::RegistrationProblem { problem });
}

fn kind_name(kind: u16) -> &'static str {
    match kind {
        VOLUME => "FLT_VOLUME_CONTEXT",
        INSTANCE => "FLT_INSTANCE_CONTEXT",
        FILE => "FLT_FILE_CONTEXT",
        STREAM => "FLT_STREAM_CONTEXT",
        STREAM_HANDLE => "FLT_STREAMHANDLE_CONTEXT",
        0x20 => "FLT_TRANSACTION_CONTEXT",
        0x40 => "FLT_SECTION_CONTEXT",
        _ => "a context type that does not exist",
    }
}

fn allocate(kind: u16, size: u64, pool: u32, out: u64) -> Status {
    let found = with(|state| {
        let mut registered = state.contexts.registered.iter();
        registered
            .find(|known| {
                known.kind == kind
                    && (known.size == size
                        || known.size == VARIABLE
                        || known.flags & 1 != 0 && size <= known.size)
            })
            .copied()
    });
    let Some(found) = found else {
        return status::FLT_CONTEXT_ALLOCATION_NOT_FOUND;
    };
    let purpose = if pool & 1 == 0 {
        Purpose::Pool
    } else {
        Purpose::PagedPool
    };
    let what = format!("the context ({})", kind_name(kind));
    let Ok(address) = memory::allocate(size as usize, purpose, what.clone()) else {
        return status::INSUFFICIENT_RESOURCES;
    };
    with(|state| {
        state.contexts.live.push(Context {
            address,
            kind,
            cleanup: found.cleanup,
            references: 1,
            on: None,
        });
    });
    acquire(Kind::Context, address, what);
    guest::write(out, address);
    status::SUCCESS
}

fn find(address: u64) -> Option<Context> {
    with(|state| {
        let mut live = state.contexts.live.iter();
        live.find(|context| context.address == address).copied()
    })
}

fn name(address: u64) -> String {
    held_once(Kind::Context, address).unwrap_or_else(|| "a context".to_owned())
}

fn checked(address: u64) -> u64 {
    if find(address).is_some() {
        return address;
    }
    match held_once(Kind::Context, address) {
        Some(what) => misuse(Misuse::Context {
            problem: format!("{what} is used after its last reference was released"),
        }),
        None => bad_handle("context", address),
    }
}

fn add_reference(address: u64) {
    change(address, |context| context.references += 1);
    acquire(Kind::Context, address, name(address));
}

fn change(address: u64, action: impl FnOnce(&mut Context)) {
    with(|state| {
        let mut live = state.contexts.live.iter_mut();
        if let Some(context) = live.find(|context| context.address == address) {
            action(context);
        }
    });
}

fn drop_reference(address: u64) {
    change(address, |context| context.references -= 1);
    let Some(context) = find(address).filter(|context| context.references == 0) else {
        return;
    };
    if context.cleanup != 0 {
        let routine = Routine::Other {
            routine: format!("ContextCleanupCallback of {}", kind_name(context.kind)),
        };
        let (irql, thread) = with(|state| (state.irql.min(APC), state.thread));
        let arguments = [address, u64::from(context.kind)];
        let _ = enter(routine, irql, thread, context.cleanup, &arguments);
    }
    if memory::overrun(address).is_some() {
        misuse(Misuse::PoolOverrun {
            what: name(address),
            side: memory::overrun(address).unwrap_or_default().to_owned(),
        });
    }
    with(|state| {
        state
            .contexts
            .live
            .retain(|context| context.address != address);
    });
    must(memory::free(address, false));
}

fn set_context(kind: u16, on: (u64, u64)) -> Option<u64> {
    with(|state| {
        let mut live = state.contexts.live.iter();
        live.find(|context| context.kind == kind && context.on == Some(on))
            .map(|context| context.address)
    })
}

fn instance_object(instance: u64) -> u64 {
    if volumes::by_instance(instance).is_none() {
        bad_handle("instance handle", instance);
    }
    instance
}

/// A file has no stream before its create is done.
fn before_open() -> bool {
    with(|state| {
        let innermost = state.frames.iter().rev().find_map(|frame| match frame {
            super::Frame::Driver { routine, .. } => Some(routine.clone()),
            super::Frame::System(_) => None,
        });
        matches!(
            innermost,
            Some(Routine::Pre {
                operation: trace::Operation { major: 0, .. }
            })
        )
    })
}

fn set_on_file(kind: u16, instance: u64, file: u64, how: u32, new: u64, old: u64) -> Status {
    let instance = instance_object(instance);
    if before_open() {
        return status::NOT_SUPPORTED;
    }
    set(kind, (instance, file), how, new, old)
}

fn get_on_file(kind: u16, instance: u64, file: u64, out: u64) -> Status {
    let instance = instance_object(instance);
    if before_open() {
        return status::NOT_FOUND;
    }
    get(kind, (instance, file), out)
}

fn set(kind: u16, on: (u64, u64), how: u32, new: u64, old: u64) -> Status {
    guest::write_if(old, 0_u64);
    let new = checked(new);
    let context = find(new);
    if context.is_some_and(|context| context.kind != kind) {
        return status::INVALID_PARAMETER;
    }
    if context.is_some_and(|context| context.on.is_some()) {
        return status::FLT_CONTEXT_ALREADY_LINKED;
    }
    if let Some(existing) = set_context(kind, on) {
        if how == KEEP_IF_EXISTS {
            if old != 0 {
                add_reference(existing);
                guest::write(old, existing);
            }
            return status::FLT_CONTEXT_ALREADY_DEFINED;
        }
        hand_over(existing, old);
    }
    change(new, |context| {
        context.references += 1;
        context.on = Some(on);
    });
    status::SUCCESS
}

/// A context is taken from its object; the driver gets the reference if it asked for it.
fn hand_over(existing: u64, old: u64) {
    change(existing, |context| context.on = None);
    if old == 0 {
        drop_reference(existing);
    } else {
        acquire(Kind::Context, existing, name(existing));
        guest::write(old, existing);
    }
}

fn get(kind: u16, on: (u64, u64), out: u64) -> Status {
    match set_context(kind, on) {
        Some(existing) => {
            add_reference(existing);
            guest::write(out, existing);
            status::SUCCESS
        }
        None => status::NOT_FOUND,
    }
}

fn remove(kind: u16, on: (u64, u64), old: u64) -> Status {
    guest::write_if(old, 0_u64);
    match set_context(kind, on) {
        Some(existing) => {
            hand_over(existing, old);
            status::SUCCESS
        }
        None => status::NOT_FOUND,
    }
}

fn detach(address: u64) {
    if find(address).is_some_and(|context| context.on.is_some()) {
        change(address, |context| context.on = None);
        drop_reference(address);
    }
}

fn take_from(gone: impl Fn((u64, u64)) -> bool) {
    let addresses: Vec<u64> = with(|state| {
        let live = state.contexts.live.iter();
        live.filter(|context| context.on.is_some_and(&gone))
            .map(|context| context.address)
            .collect()
    });
    addresses.into_iter().for_each(detach);
}

/// A file was closed for good.
pub fn file_is_gone(file: u64) {
    take_from(|(_, on)| on == file);
}

/// An instance was torn down.
pub fn instance_is_gone(instance: u64) {
    take_from(|(on, _)| on == instance);
}

/// The filter is being unregistered.
pub fn filter_is_gone() {
    take_from(|_| true);
}
