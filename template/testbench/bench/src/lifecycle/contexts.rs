//! The lifecycle of contexts.
//!
//! Documents: "Managing Minifilter Contexts", "Registering Context Types", "Referencing Contexts", "Releasing
//! Contexts", "`FLT_CONTEXT_REGISTRATION` structure (fltkernel.h)". Each allocate, get and reference call, and each
//! returned old context, requires one call of `FltReleaseContext`. `ContextAllocateCallback` and `ContextFreeCallback`
//! are not called: the bench allocates the contexts, so that it can detect invalid accesses.

use crate::lifecycle::pool;
use crate::machine::events::{breach, misuse, must, refuse};
use crate::machine::ledger::{acquire, bad_handle, held_once};
use crate::machine::schedule::enter;
use crate::machine::space::Purpose;
use crate::machine::state::with;
use crate::machine::{guest, memory, threads};
use crate::objects::contexts::{Context, Registered};
use crate::trace::{Breach, Callback, ContextKind, Kind, Misuse, Routine};
use crate::vocabulary::irql::APC;
use crate::vocabulary::status::{self, Status};

/// `FLT_VOLUME_CONTEXT`.
pub const VOLUME: ContextKind = ContextKind(0x1);

/// `FLT_INSTANCE_CONTEXT`.
pub const INSTANCE: ContextKind = ContextKind(0x2);

/// `FLT_FILE_CONTEXT`.
pub const FILE: ContextKind = ContextKind(0x4);

/// `FLT_STREAM_CONTEXT`.
pub const STREAM: ContextKind = ContextKind(0x8);

/// `FLT_STREAMHANDLE_CONTEXT`.
pub const STREAM_HANDLE: ContextKind = ContextKind(0x10);

const END: u16 = 0xFFFF;

/// `FLT_VARIABLE_SIZED_CONTEXTS`.
const VARIABLE: u64 = u64::MAX;

/// `FLT_SET_CONTEXT_KEEP_IF_EXISTS`.
const KEEP_IF_EXISTS: u32 = 1;

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
            kind: ContextKind(kind),
            flags: guest::read(address + 2),
            cleanup: guest::read(address + 8),
            size: guest::read(address + 0x10),
        };
        if entry.cleanup != 0 && !memory::is_code(entry.cleanup) {
            problem("a ContextCleanupCallback does not point to code of the driver".to_owned());
        }
        let same = list.iter().filter(|known| known.kind.0 == kind);
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
                ContextKind(kind)
            ));
        }
        list.push(entry);
        address += SIZE;
    }
}

fn problem(problem: String) {
    breach(Breach::Registration, problem);
}

pub fn allocate(kind: ContextKind, size: u64, pool: u32, out: u64) -> Status {
    if size == 0 || size > u64::from(u16::MAX) {
        return refuse(
            status::INVALID_PARAMETER,
            format!("the size of a context is {size}"),
        );
    }
    if kind == VOLUME && pool & 1 != 0 {
        return refuse(
            status::INVALID_PARAMETER,
            "a volume context is to be allocated from paged pool; it is in nonpaged pool",
        );
    }
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
        let reason = format!("no registered context has the type {kind} and room for {size} bytes");
        return refuse(status::FLT_CONTEXT_ALLOCATION_NOT_FOUND, reason);
    };
    let purpose = if pool & 1 == 0 {
        Purpose::Pool
    } else {
        Purpose::PagedPool
    };
    let what = format!("the context ({kind})");
    let block =
        memory::has_pool(size).then(|| memory::allocate(size as usize, purpose, what.clone()));
    let Some(Ok(address)) = block else {
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

pub fn find(address: u64) -> Option<Context> {
    with(|state| {
        let mut live = state.contexts.live.iter();
        live.find(|context| context.address == address).copied()
    })
}

pub fn name(address: u64) -> String {
    held_once(Kind::Context, address).unwrap_or_else(|| "a context".to_owned())
}

pub fn checked(address: u64) -> u64 {
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

pub fn add_reference(address: u64) {
    change(address, |context| context.references += 1);
    acquire(Kind::Context, address, name(address));
}

pub fn change(address: u64, action: impl FnOnce(&mut Context)) {
    with(|state| {
        let mut live = state.contexts.live.iter_mut();
        if let Some(context) = live.find(|context| context.address == address) {
            action(context);
        }
    });
}

pub fn drop_reference(address: u64) {
    change(address, |context| context.references -= 1);
    let Some(context) = find(address).filter(|context| context.references == 0) else {
        return;
    };
    if context.cleanup != 0 {
        let routine = Routine::Other {
            callback: Callback::ContextCleanup(context.kind),
        };
        let (irql, thread) = (threads::irql().min(APC), threads::current());
        let arguments = [address, u64::from(context.kind.0)];
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
    pool::check_contents(address);
    must(memory::free(address, false));
}

fn set_context(kind: ContextKind, on: (u64, u64)) -> Option<u64> {
    with(|state| {
        let mut live = state.contexts.live.iter();
        live.find(|context| context.kind == kind && context.on == Some(on))
            .map(|context| context.address)
    })
}

pub fn set(kind: ContextKind, on: (u64, u64), how: u32, new: u64, old: u64) -> Status {
    guest::write_if(old, 0_u64);
    if how > KEEP_IF_EXISTS {
        let reason = format!("Operation is {how}; FLT_SET_CONTEXT_OPERATION is 0 or 1");
        return refuse(status::INVALID_PARAMETER, reason);
    }
    let new = checked(new);
    let context = find(new);
    if context.is_some_and(|context| context.kind != kind) {
        let reason = format!("the context was not allocated as {kind}");
        return refuse(status::INVALID_PARAMETER, reason);
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
        detach_to_driver(existing, old);
    }
    change(new, |context| {
        context.references += 1;
        context.on = Some(on);
    });
    status::SUCCESS
}

/// Removes a context from its object. The driver gets the reference if it passed an address for the old context.
fn detach_to_driver(existing: u64, old: u64) {
    change(existing, |context| context.on = None);
    if old == 0 {
        drop_reference(existing);
    } else {
        acquire(Kind::Context, existing, name(existing));
        guest::write(old, existing);
    }
}

pub fn get(kind: ContextKind, on: (u64, u64), out: u64) -> Status {
    match set_context(kind, on) {
        Some(existing) => {
            add_reference(existing);
            guest::write(out, existing);
            status::SUCCESS
        }
        None => status::NOT_FOUND,
    }
}

pub fn remove(kind: ContextKind, on: (u64, u64), old: u64) -> Status {
    guest::write_if(old, 0_u64);
    match set_context(kind, on) {
        Some(existing) => {
            detach_to_driver(existing, old);
            status::SUCCESS
        }
        None => status::NOT_FOUND,
    }
}

pub fn detach(address: u64) {
    if find(address).is_some_and(|context| context.on.is_some()) {
        change(address, |context| context.on = None);
        drop_reference(address);
    }
}

fn remove_where(gone: impl Fn((u64, u64)) -> bool) {
    let addresses: Vec<u64> = with(|state| {
        let live = state.contexts.live.iter();
        live.filter(|context| context.on.is_some_and(&gone))
            .map(|context| context.address)
            .collect()
    });
    addresses.into_iter().for_each(detach);
}

/// Removes the contexts of a file that is closed.
pub fn remove_from_file(file: u64) {
    remove_where(|(_, on)| on == file);
}

/// Removes the contexts of an instance that was torn down.
pub fn remove_from_instance(instance: u64) {
    remove_where(|(on, _)| on == instance);
}

/// Removes the contexts of a filter that is unregistered.
pub fn remove_all() {
    remove_where(|_| true);
}
