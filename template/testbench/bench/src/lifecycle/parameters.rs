//! The callback data of an operation, with its parameters.
//!
//! Documents: "`FLT_CALLBACK_DATA` structure (fltkernel.h)", "`FLT_PARAMETERS` union (fltkernel.h)" and the pages of
//! its members.

use crate::lifecycle::catalogue::{
    DISABLE_BYPASS_IO, ENABLE_BYPASS_IO, QUERY_BYPASS_IO, REQUEST_OPLOCK,
};
use crate::lifecycle::{pool, security, volumes};
use crate::machine::events::must;
use crate::machine::ledger::{bad_handle, holds, release};
use crate::machine::space::Purpose;
use crate::machine::system::{current_process, object_block};
use crate::machine::trap::current_thread;
use crate::machine::{guest, memory};
use crate::objects::operations::{File, Spec};
use crate::trace::{Kind, Operation, Via};
use crate::vocabulary::buffers::{self, SYSTEM_BUFFER};
use crate::vocabulary::bypass_io::{self, MANAGE_BYPASS_IO};
use crate::vocabulary::layout::{callback_data as data_at, iopb as iopb_at};
use crate::vocabulary::major::{
    CREATE, DEVICE_CONTROL, DIRECTORY_CONTROL, FILE_SYSTEM_CONTROL, INTERNAL_DEVICE_CONTROL,
    LOCK_CONTROL, QUERY_INFORMATION, QUERY_SECURITY, QUERY_VOLUME_INFORMATION, SET_INFORMATION,
    SET_SECURITY, SET_VOLUME_INFORMATION,
};

/// The offset of the parameter block in the block of an operation.
pub const IOPB: u64 = 0x60;

const OBJECTS: u64 = 0xB0;

/// The offset of the completion context.
pub const EXTRA: u64 = 0x100;

const BUFFER: u64 = 0x400;

const MDL: u64 = 0x380;

const BLOCK: usize = 0x800;

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

/// Creates the callback data of an operation, with its parameters, in one block.
#[must_use]
pub fn callback_data(file: &File, spec: Spec, operation: &Operation) -> u64 {
    let data = object_block(
        BLOCK,
        Purpose::CallbackData,
        &format!("the callback data of {operation}"),
    );
    let iopb = data + IOPB;
    let mut flags = match spec.via {
        Via::Irp => data_at::IRP,
        Via::FastIo => data_at::FAST_IO,
        Via::FsFilter => data_at::FS_FILTER,
    };
    if has_system_buffer(spec) {
        flags |= data_at::SYSTEM_BUFFER;
    }
    let thread = current_thread();
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

/// Writes the `FLT_PARAMETERS`. Its members are aligned to eight bytes on x64.
fn parameters(data: u64, at: u64, spec: Spec, file: &File) {
    let buffer = data + BUFFER;
    let length = 0x200_u32;
    if let Some(members) = buffers::of(spec.major) {
        guest::write(at + members.length.1, length);
        guest::write(at + members.buffer.1, buffer);
        if let (true, Some(member)) = (spec.paging, members.mdl) {
            guest::write(at + member.1, mdl(data, buffer, length));
        }
    }
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
        // FileStandardInformation.
        QUERY_INFORMATION => guest::write(at + 8, 5_u32),
        // FileFsSizeInformation.
        QUERY_VOLUME_INFORMATION => guest::write(at + 8, 3_u32),
        // FileFsLabelInformation.
        SET_VOLUME_INFORMATION => guest::write(at + 8, 2_u32),
        SET_INFORMATION => set_information(at, buffer, spec, file),
        DIRECTORY_CONTROL if spec.minor == 1 => {
            guest::write(at + 16, 37_u32); // FileIdBothDirectoryInformation
        }
        DIRECTORY_CONTROL => guest::write(at + 8, 0x1_u32),
        FILE_SYSTEM_CONTROL | DEVICE_CONTROL | INTERNAL_DEVICE_CONTROL => {
            let (code, operation) = match spec.variant {
                REQUEST_OPLOCK => (0x0009_0008, 0),
                ENABLE_BYPASS_IO => (MANAGE_BYPASS_IO, bypass_io::ENABLE),
                DISABLE_BYPASS_IO => (MANAGE_BYPASS_IO, bypass_io::DISABLE),
                QUERY_BYPASS_IO => (MANAGE_BYPASS_IO, bypass_io::QUERY),
                _ => (0x0009_0028, 0), // FSCTL_IS_VOLUME_MOUNTED
            };
            guest::write(at + 8, length);
            guest::write(at + 16, code);
            guest::write(at + SYSTEM_BUFFER.1, buffer);
            if operation != 0 {
                guest::write(buffer, operation);
            }
        }
        LOCK_CONTROL => {
            guest::write(data + EXTRA + 0x20, 1_u64);
            guest::write(at, data + EXTRA + 0x20);
            guest::write(at + 24, current_process());
            guest::write(at + 33, 1_u8);
        }
        QUERY_SECURITY => guest::write(at, 0x7_u32),
        SET_SECURITY => {
            guest::write(at, 0x4_u32);
            // FILE_ALL_ACCESS
            security::put_default(buffer, 0x001F_01FF);
            guest::write(at + 8, buffer);
        }
        0xFF => {
            guest::write(at, 1_u32); // SyncTypeCreateSection
            guest::write(at + 4, 0x20_u32); // PAGE_EXECUTE_READ
        }
        0xF2 => guest::write(at + 8, buffer),
        _ => {}
    }
}

/// Writes a `FileBasicInformation`, `FileRenameInformation` or `FileDispositionInformation`.
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

/// Returns whether the buffer of an operation is a system buffer.
const fn has_system_buffer(spec: Spec) -> bool {
    // The control codes of the model have METHOD_BUFFERED.
    matches!(spec.via, Via::Irp)
        && matches!(
            spec.major,
            QUERY_INFORMATION
                | SET_INFORMATION
                | QUERY_VOLUME_INFORMATION
                | SET_VOLUME_INFORMATION
                | FILE_SYSTEM_CONTROL
                | DEVICE_CONTROL
                | INTERNAL_DEVICE_CONTROL
        )
}

/// Locks the user buffer of an operation. Returns `false` if its parameters have no memory descriptor list.
pub fn lock_user_buffer(data: u64) -> bool {
    let Some(places) = places(data).filter(|places| places.mdl != 0) else {
        return false;
    };
    if guest::read::<u64>(places.mdl) == 0 {
        let (buffer, length) = (guest::read(places.buffer), guest::read(places.length));
        guest::write(places.mdl, mdl(data, buffer, length));
    }
    true
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
