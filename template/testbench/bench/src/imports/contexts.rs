//! Contexts.

use crate::lifecycle::operations::PAGING_FILE;
use crate::lifecycle::{contexts, files, filter, volumes};
use crate::machine::declare::functions;
use crate::machine::events::misuse;
use crate::machine::function::{Fails, Optional};
use crate::machine::ledger::{bad_handle, release};
use crate::machine::space::Purpose;
use crate::machine::{guest, memory, threads};
use crate::trace::{ContextKind, Kind, Misuse, Operation, Routine};
use crate::vocabulary::irql::{APC, DISPATCH};
use crate::vocabulary::layout::file_object;
use crate::vocabulary::major::CREATE;
use crate::vocabulary::status::{self, Status};

const SET_FAILS: Fails = Fails::With(&[status::FLT_DELETING_OBJECT]);

/// A file or a stream can be one that has no contexts.
const SET_ON_FILE_FAILS: Fails = Fails::With(&[status::FLT_DELETING_OBJECT, status::NOT_SUPPORTED]);

const GET_FAILS: Fails = Fails::With(&[status::NOT_FOUND]);

functions! { pub CONTEXTS = "FLTMGR.SYS", "fltkernel.h";
    /// Allocates a context of a registered type and size.
    [APC, Fails::With(&[status::INSUFFICIENT_RESOURCES]), clears out: u64]
    fn FltAllocateContext(filter: u64, kind: u16, size: u64, pool: u32, out: u64) -> Status {
        filter::check(filter);
        contexts::allocate(ContextKind(kind), size, pool, out)
    }
    /// Adds a reference.
    [DISPATCH, Fails::Never]
    fn FltReferenceContext(context: u64) {
        contexts::add_reference(contexts::checked(context));
    }
    /// Releases a reference.
    [DISPATCH, Fails::Never]
    fn FltReleaseContext(context: u64) {
        let context = contexts::checked(context);
        if threads::irql() >= DISPATCH && memory::purpose_at(context) == Some(Purpose::PagedPool) {
            misuse(Misuse::Irql { problem: "a context from paged pool is released at DISPATCH_LEVEL".to_owned() });
        }
        if !release(Kind::Context, context) {
            misuse(Misuse::Context {
                problem: format!("{} is released more often than it was referenced", contexts::name(context)),
            });
        }
        contexts::drop_reference(context);
    }
    /// Marks a context for deletion and removes it from its object.
    [APC, Fails::Never]
    fn FltDeleteContext(context: u64) {
        contexts::detach(contexts::checked(context));
    }
    /// Sets an instance's context.
    [APC, SET_FAILS]
    fn FltSetInstanceContext(instance: u64, how: u32, new: u64, old: Optional) -> Status {
        contexts::set(contexts::INSTANCE, (instance_object(instance), 0), how, new, old)
    }
    /// Gets an instance's context.
    [APC, GET_FAILS, clears out: u64]
    fn FltGetInstanceContext(instance: u64, out: u64) -> Status {
        contexts::get(contexts::INSTANCE, (instance_object(instance), 0), out)
    }
    /// Deletes an instance's context.
    [APC, Fails::Never]
    fn FltDeleteInstanceContext(instance: u64, old: Optional) -> Status {
        contexts::remove(contexts::INSTANCE, (instance_object(instance), 0), old)
    }
    /// Sets a volume's context.
    [APC, SET_FAILS]
    fn FltSetVolumeContext(volume: u64, how: u32, new: u64, old: Optional) -> Status {
        contexts::set(contexts::VOLUME, (volumes::find(volume).handle, 0), how, new, old)
    }
    /// Gets a volume's context.
    [APC, GET_FAILS, clears out: u64]
    fn FltGetVolumeContext(filter: u64, volume: u64, out: u64) -> Status {
        filter::check(filter);
        contexts::get(contexts::VOLUME, (volumes::find(volume).handle, 0), out)
    }
    /// Deletes a volume's context.
    [APC, Fails::Never]
    fn FltDeleteVolumeContext(filter: u64, volume: u64, old: Optional) -> Status {
        filter::check(filter);
        contexts::remove(contexts::VOLUME, (volumes::find(volume).handle, 0), old)
    }
    /// Sets a file's context.
    [APC, SET_ON_FILE_FAILS]
    fn FltSetFileContext(instance: u64, file: u64, how: u32, new: u64, old: Optional) -> Status {
        set_on_file(contexts::FILE, instance, file, how, new, old)
    }
    /// Gets a file's context.
    [APC, GET_FAILS, clears out: u64]
    fn FltGetFileContext(instance: u64, file: u64, out: u64) -> Status {
        get_on_file(contexts::FILE, instance, file, out)
    }
    /// Deletes a file's context.
    [APC, Fails::Never]
    fn FltDeleteFileContext(instance: u64, file: u64, old: Optional) -> Status {
        contexts::remove(contexts::FILE, (instance_object(instance), stream_of(file)), old)
    }
    /// Sets a stream's context.
    [APC, SET_ON_FILE_FAILS]
    fn FltSetStreamContext(instance: u64, file: u64, how: u32, new: u64, old: Optional) -> Status {
        set_on_file(contexts::STREAM, instance, file, how, new, old)
    }
    /// Gets a stream's context.
    [APC, GET_FAILS, clears out: u64]
    fn FltGetStreamContext(instance: u64, file: u64, out: u64) -> Status {
        get_on_file(contexts::STREAM, instance, file, out)
    }
    /// Deletes a stream's context.
    [APC, Fails::Never]
    fn FltDeleteStreamContext(instance: u64, file: u64, old: Optional) -> Status {
        contexts::remove(contexts::STREAM, (instance_object(instance), stream_of(file)), old)
    }
    /// Sets a stream handle's context.
    [APC, SET_ON_FILE_FAILS]
    fn FltSetStreamHandleContext(instance: u64, file: u64, how: u32, new: u64, old: Optional) -> Status {
        set_on_file(contexts::STREAM_HANDLE, instance, file, how, new, old)
    }
    /// Gets a stream handle's context.
    [APC, GET_FAILS, clears out: u64]
    fn FltGetStreamHandleContext(instance: u64, file: u64, out: u64) -> Status {
        get_on_file(contexts::STREAM_HANDLE, instance, file, out)
    }
    /// Deletes a stream handle's context.
    [APC, Fails::Never]
    fn FltDeleteStreamHandleContext(instance: u64, file: u64, old: Optional) -> Status {
        contexts::remove(contexts::STREAM_HANDLE, (instance_object(instance), file), old)
    }
    /// Returns whether a file system supports stream contexts.
    [APC, Fails::Never]
    fn FltSupportsStreamContexts(file: u64) -> u8 { u8::from(has_contexts(file)) }
    /// Returns whether a file system supports stream handle contexts.
    [APC, Fails::Never]
    fn FltSupportsStreamHandleContexts(file: u64) -> u8 { u8::from(has_contexts(file)) }
    /// Returns whether a file system supports file contexts.
    [APC, Fails::Never]
    fn FltSupportsFileContexts(file: u64) -> u8 { u8::from(has_contexts(file)) }
}

fn instance_object(instance: u64) -> u64 {
    if volumes::by_instance(instance).is_none() {
        bad_handle("instance handle", instance);
    }
    instance
}

/// Returns what a context is set on: the file object for a stream handle context, otherwise the stream, which the file
/// objects of one stream share.
fn key(kind: ContextKind, file: u64) -> u64 {
    if kind == contexts::STREAM_HANDLE {
        file
    } else {
        stream_of(file)
    }
}

fn stream_of(file: u64) -> u64 {
    guest::read(file + file_object::FS_CONTEXT)
}

/// Before the create operation completes, a file has no stream.
fn before_open() -> bool {
    matches!(
        threads::routine(),
        Some(Routine::Pre {
            operation: Operation { major: CREATE, .. }
        })
    )
}

fn set_on_file(
    kind: ContextKind,
    instance: u64,
    file: u64,
    how: u32,
    new: u64,
    old: u64,
) -> Status {
    let instance = instance_object(instance);
    if before_open() || !has_contexts(file) {
        return status::NOT_SUPPORTED;
    }
    contexts::set(kind, (instance, key(kind, file)), how, new, old)
}

fn get_on_file(kind: ContextKind, instance: u64, file: u64, out: u64) -> Status {
    let instance = instance_object(instance);
    if before_open() {
        return status::NOT_FOUND;
    }
    if !has_contexts(file) {
        return status::NOT_SUPPORTED;
    }
    contexts::get(kind, (instance, key(kind, file)), out)
}

/// Returns whether files and streams of a file object can have contexts. A paging file of the scripts has none.
fn has_contexts(file: u64) -> bool {
    files::volume_of(file).is_some() && guest::unicode(file + file_object::NAME) != PAGING_FILE
}
