//! The callback data of an operation, with its parameters.
//!
//! Documents: "`FLT_CALLBACK_DATA` structure (fltkernel.h)", "`FLT_PARAMETERS` union (fltkernel.h)" and the pages of
//! its members.

use crate::lifecycle::catalogue::has_control_code;
use crate::lifecycle::{pool, volumes};
use crate::machine::events::{breach, must};
use crate::machine::ledger::{bad_handle, holds, release};
use crate::machine::space::Purpose;
use crate::machine::state::with;
use crate::machine::system::{object_block, system_block};
use crate::machine::threads;
use crate::machine::trap::thread_object;
use crate::machine::{guest, memory};
use crate::objects::operations::{InFlight, Parameters, Value};
use crate::trace::{Breach, Kind, Operation, Via};
use crate::vocabulary::buffers::{self, SYSTEM_BUFFER};
use crate::vocabulary::layout::{callback_data as data_at, iopb as iopb_at, related_objects};
use crate::vocabulary::major::{
    self, DEVICE_CONTROL, FILE_SYSTEM_CONTROL, INTERNAL_DEVICE_CONTROL, QUERY_INFORMATION,
    QUERY_VOLUME_INFORMATION, SET_INFORMATION, SET_VOLUME_INFORMATION,
};
use crate::vocabulary::status::{self, Status};

/// The offset of the parameter block in the block of an operation.
pub const IOPB: u64 = 0x60;

const OBJECTS: u64 = 0xB0;

/// The offset of the completion context.
pub const EXTRA: u64 = 0x100;

/// The offset of the structures to which members of the parameters point.
const STRUCTURES: u64 = 0x120;

const MDL: u64 = 0x3C0;

const BLOCK: usize = 0x400;

/// Returns the `FLT_RELATED_OBJECTS` of an operation.
#[must_use]
pub fn objects_of(data: u64) -> u64 {
    data + OBJECTS
}

/// Ends the scenario if the address is not the callback data of an operation in progress.
#[must_use]
pub fn checked(data: u64) -> u64 {
    match memory::block_at(data) {
        Some(block) if !block.freed && block.purpose == Purpose::CallbackData => data,
        _ => bad_handle("callback data", data),
    }
}

/// Creates the callback data of an operation with its parameters, in one block, and its buffer in another.
pub fn prepare(flight: &mut InFlight, operation: &Operation) {
    let (spec, parameters) = (flight.spec, flight.parameters.clone());
    let data = object_block(
        BLOCK,
        Purpose::CallbackData,
        &format!("the callback data of {operation}"),
    );
    flight.data = data;
    if !parameters.buffer.is_empty() {
        let size = parameters.buffer.len();
        let buffer = system_block(size, &format!("the buffer of {operation}"));
        guest::put(buffer, &parameters.buffer);
        flight.buffer = (buffer, size);
    }
    let iopb = data + IOPB;
    let mut flags = match spec.via {
        Via::Irp => data_at::IRP,
        Via::FastIo => data_at::FAST_IO,
        Via::FsFilter => data_at::FS_FILTER,
    };
    if spec.via == Via::Irp && has_system_buffer(spec.major, &parameters) {
        flags |= data_at::SYSTEM_BUFFER;
    }
    guest::write(data + data_at::FLAGS, flags);
    guest::write(data + data_at::STATUS, status::UNSET.0);
    guest::write(data + data_at::INFORMATION, status::UNSET_INFORMATION);
    guest::write(data + data_at::THREAD, thread_object(flight.thread));
    guest::write(data + data_at::IOPB, iopb);
    let user = !spec.paging && threads::process_of(flight.thread) != 0;
    guest::write(data + data_at::MODE, u8::from(user));
    guest::write(iopb + iopb_at::IRP_FLAGS, spec.irp_flags);
    guest::write(iopb + iopb_at::MAJOR, spec.major);
    guest::write(iopb + iopb_at::MINOR, spec.minor);
    guest::write(iopb + iopb_at::OPERATION_FLAGS, parameters.flags);
    guest::write(iopb + iopb_at::FILE, flight.file.object);
    if let Some(instance) = &flight.instance {
        guest::write(iopb + iopb_at::INSTANCE, instance.handle);
        volumes::fill_objects(objects_of(data), instance, flight.file.object);
    }
    write(data, flight.buffer, &parameters);
    let neither = buffers::of(spec.major).is_some_and(|buffer| buffer.mdl.is_some());
    if with(|state| state.scenario.script.invalidates_buffers())
        && user
        && neither
        && flags & data_at::SYSTEM_BUFFER == 0
        && flight.buffer.0 != 0
    {
        must(memory::invalidate(flight.buffer.0));
    }
    flight.original = guest::bytes(iopb, iopb_at::SIZE);
}

/// Writes the `FLT_PARAMETERS`. Its members are aligned to eight bytes on x64.
fn write(data: u64, (buffer, length): (u64, usize), parameters: &Parameters) {
    let mut next = data + STRUCTURES;
    let mut structure = |bytes: &[u8]| {
        let at = next;
        guest::put(at, bytes);
        next += (bytes.len() as u64).next_multiple_of(16);
        at
    };
    for (offset, value) in &parameters.members {
        let at = data + IOPB + iopb_at::PARAMETERS + offset;
        match value {
            Value::U8(value) => guest::write(at, *value),
            Value::U16(value) => guest::write(at, *value),
            Value::U32(value) => guest::write(at, *value),
            Value::U64(value) => guest::write(at, *value),
            Value::Buffer => guest::write(at, buffer),
            Value::Mdl => guest::write(at, mdl(data, buffer, length as u32)),
            Value::Structure(bytes) => guest::write(at, structure(bytes)),
            Value::Text(text) => {
                let units: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
                let string = structure(&[0; 16]);
                let characters = structure(&units);
                guest::set_unicode(string, units.len(), units.len(), characters);
                guest::write(at, string);
            }
            Value::SecurityContext(access) => {
                // SecurityQos, AccessState, DesiredAccess, FullCreateOptions.
                let context = structure(&[0; 0x20]);
                let state = structure(&[0; 0xA0]);
                guest::write(context + 8, state);
                guest::write(context + 0x10, *access);
                guest::write(at, context);
            }
        }
    }
}

/// Creates a memory descriptor list for a buffer that is locked and mapped.
fn mdl(data: u64, buffer: u64, length: u32) -> u64 {
    let at = data + MDL;
    pool::describe(at, buffer, length);
    at
}

/// `METHOD_BUFFERED`, in the last two bits of a control code.
const METHOD_BUFFERED: u32 = 0;

/// The addresses of the buffer parameters of an operation.
pub struct Places {
    /// The address of the buffer's address.
    pub buffer: u64,
    /// The address of its length.
    pub length: u64,
    /// The address of the memory descriptor list, or 0 if the parameters have none.
    pub mdl: u64,
    /// The operation writes to the buffer.
    pub written: bool,
}

/// Returns the addresses of the buffer parameters. An operation without a buffer has none.
#[must_use]
pub fn places(data: u64) -> Option<Places> {
    let iopb = guest::read::<u64>(data + data_at::IOPB);
    let at = iopb + iopb_at::PARAMETERS;
    let major = guest::read::<u8>(iopb + iopb_at::MAJOR);
    let members = buffers::of(major)?;
    let minor = guest::read::<u8>(iopb + iopb_at::MINOR);
    if major == FILE_SYSTEM_CONTROL && !has_control_code(minor) {
        return None;
    }
    let (mut buffer, mut mdl) = (members.buffer.1, members.mdl);
    if matches!(
        major,
        FILE_SYSTEM_CONTROL | DEVICE_CONTROL | INTERNAL_DEVICE_CONTROL
    ) {
        let flags = guest::read::<u32>(data + data_at::FLAGS);
        let method = guest::read::<u32>(at + 16) & 3;
        if flags & data_at::FAST_IO != 0 {
            mdl = None;
        } else if method == METHOD_BUFFERED {
            (buffer, mdl) = (SYSTEM_BUFFER.1, None);
        }
    }
    Some(Places {
        buffer: at + buffer,
        length: at + members.length.1,
        mdl: mdl.map_or(0, |member| at + member.1),
        written: members.written,
    })
}

/// Restores the parameters of an operation after the pre-operation callback. A memory descriptor list of
/// `FltLockUserBuffer` remains: it belongs to the operation.
///
/// Document: "Accessing User Buffers in a Postoperation Callback Routine".
pub fn restore(data: u64, original: &[u8]) {
    let place = places(data).map_or(0, |places| places.mdl);
    let locked = place != 0 && guest::read::<u64>(place) == data + MDL;
    guest::put(data + IOPB, original);
    if locked {
        guest::write(place, data + MDL);
    }
}

/// Returns whether the parameters were changed and not marked as modified. A memory descriptor list of
/// `FltLockUserBuffer` is no change.
#[must_use]
pub fn is_changed(data: u64, original: &[u8]) -> bool {
    let place = places(data).map_or(0, |places| places.mdl);
    let mut now = guest::bytes(data + IOPB, original.len());
    if place != 0 && guest::read::<u64>(place) == data + MDL {
        let at = (place - data - IOPB) as usize;
        now[at..at + 8].copy_from_slice(&original[at..at + 8]);
    }
    guest::read::<u32>(data + data_at::FLAGS) & data_at::DIRTY == 0 && now != original
}

/// What a callback may only read: the flags of the callback data, the major function, the `FLT_RELATED_OBJECTS`.
#[must_use]
pub fn fixed(data: u64) -> [Vec<u8>; 3] {
    let flags = guest::read::<u32>(data + data_at::FLAGS) & !data_at::DIRTY;
    [
        flags.to_le_bytes().to_vec(),
        [0, 3]
            .map(|at| guest::read(data + IOPB + iopb_at::MAJOR + at))
            .to_vec(), // and Reserved
        guest::bytes(objects_of(data), related_objects::SIZE),
    ]
}

/// Checks that a callback did not change what it may only read.
pub fn check_fixed(data: u64, given: &[Vec<u8>; 3], operation: &Operation) {
    const WHAT: [&str; 3] = [
        "the flags of the callback data",
        "MajorFunction",
        "the FLT_RELATED_OBJECTS",
    ];
    for (what, (given, now)) in WHAT.iter().zip(given.iter().zip(&fixed(data))) {
        if given != now {
            breach(
                Breach::ReadOnly,
                format!(
                    "a callback of {} changes {what}, which it may only read",
                    major::name(operation.major)
                ),
            );
        }
    }
}

/// Returns whether the filter changed the buffer of an operation that only reads it.
#[must_use]
pub fn is_input_changed(flight: &InFlight) -> bool {
    let given = &flight.parameters.buffer;
    memory::purpose_at(flight.buffer.0) == Some(Purpose::System)
        && buffers::of(flight.spec.major).is_some_and(|buffer| !buffer.written)
        && guest::bytes(flight.buffer.0, given.len()) != *given
}

/// Returns whether the buffer of an operation is a system buffer.
fn has_system_buffer(major: u8, parameters: &Parameters) -> bool {
    match major {
        QUERY_INFORMATION | SET_INFORMATION | QUERY_VOLUME_INFORMATION | SET_VOLUME_INFORMATION => {
            true
        }
        FILE_SYSTEM_CONTROL | DEVICE_CONTROL | INTERNAL_DEVICE_CONTROL => parameters
            .members
            .iter()
            .any(|(offset, value)| *offset == SYSTEM_BUFFER.1 && matches!(value, Value::Buffer)),
        _ => false,
    }
}

/// Locks the user buffer of an operation. Fails if its parameters have no memory descriptor list.
pub fn lock_user_buffer(data: u64) -> Status {
    let Some(places) = places(data).filter(|places| places.mdl != 0) else {
        return status::INVALID_PARAMETER;
    };
    if memory::purpose_at(guest::read(places.buffer)) == Some(Purpose::UserBuffer) {
        return status::ACCESS_VIOLATION;
    }
    if guest::read::<u64>(places.mdl) == 0 {
        let (buffer, length) = (guest::read(places.buffer), guest::read(places.length));
        guest::write(places.mdl, mdl(data, buffer, length));
    }
    status::SUCCESS
}

/// Returns the memory descriptor list in the parameters if the driver allocated it.
///
/// Document: "Modifying the Parameters for an I/O Operation".
#[must_use]
pub fn swapped_mdl(data: u64) -> u64 {
    let mdl = places(data)
        .filter(|places| places.mdl != 0)
        .map_or(0, |places| guest::read(places.mdl));
    if holds(Kind::Mdl, mdl) { mdl } else { 0 }
}

/// Frees a memory descriptor list that the driver stored in the parameters.
pub fn free_swapped(mdl: u64) {
    if mdl != 0 && release(Kind::Mdl, mdl) {
        must(memory::free(mdl, false));
    }
}
