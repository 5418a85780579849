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
use crate::vocabulary::bypass_io::{self, MANAGE_BYPASS_IO};
use crate::vocabulary::layout::{callback_data as data_at, iopb as iopb_at};
use crate::vocabulary::major::{CREATE, DIRECTORY_CONTROL, READ, WRITE};

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
            let (code, operation) = match spec.variant {
                REQUEST_OPLOCK => (0x0009_0008, 0),
                ENABLE_BYPASS_IO => (MANAGE_BYPASS_IO, bypass_io::ENABLE),
                DISABLE_BYPASS_IO => (MANAGE_BYPASS_IO, bypass_io::DISABLE),
                QUERY_BYPASS_IO => (MANAGE_BYPASS_IO, bypass_io::QUERY),
                _ => (0x0009_0028, 0), // FSCTL_IS_VOLUME_MOUNTED
            };
            guest::write(at, length);
            guest::write(at + 8, length);
            guest::write(at + 16, code);
            guest::write(at + 24, buffer);
            guest::write(at + 32, buffer);
            if operation != 0 {
                guest::write(buffer, operation);
            }
        }
        0x11 => {
            guest::write(data + EXTRA + 0x20, 1_u64);
            guest::write(at, data + EXTRA + 0x20);
            guest::write(at + 24, current_process());
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
            security::put_default(buffer, 0x001F_01FF);
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

/// Creates a memory descriptor list for a buffer that is locked and mapped.
fn mdl(data: u64, buffer: u64, length: u32) -> u64 {
    let at = data + MDL;
    pool::describe(at, buffer, length);
    at
}

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
///
/// Document: "Determining the Buffering Method for an I/O Operation".
#[must_use]
pub fn places(data: u64) -> Option<Places> {
    let iopb = guest::read::<u64>(data + data_at::IOPB);
    let at = iopb + iopb_at::PARAMETERS;
    let (buffer, length, mdl, written) = match guest::read::<u8>(iopb + iopb_at::MAJOR) {
        READ => (24, 0, 32, true),
        WRITE => (24, 0, 32, false),
        0x05 | 0x0A => (16, 0, 0, true),
        0x06 => (32, 0, 0, false),
        0x07 | DIRECTORY_CONTROL => (32, 0, 40, true),
        0x08 => (8, 0, 16, false),
        0x0B => (16, 0, 0, false),
        0x0D..=0x0F => {
            let flags = guest::read::<u32>(data + data_at::FLAGS);
            match guest::read::<u32>(at + 16) & 3 {
                _ if flags & data_at::FAST_IO != 0 => (32, 0, 0, true),
                0 => (24, 0, 0, true),
                _ => (32, 0, 40, true),
            }
        }
        0x14 => (16, 8, 24, true),
        _ => return None,
    };
    Some(Places {
        buffer: at + buffer,
        length: at + length,
        mdl: if mdl == 0 { 0 } else { at + mdl },
        written,
    })
}

/// Returns whether the buffer of an operation is a system buffer.
const fn has_system_buffer(spec: Spec) -> bool {
    // The control codes of the model have METHOD_BUFFERED.
    matches!(spec.via, Via::Irp) && matches!(spec.major, 0x05 | 0x06 | 0x0A | 0x0B | 0x0D..=0x0F)
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
