//! The operations that the scripts deliver, with their parameters. They have a fixed result.

use crate::lifecycle::security;
use crate::machine::process;
use crate::machine::system::opaque;
use crate::objects::operations::{Parameters, Spec, Value};
use crate::trace::Via;
use crate::vocabulary::buffers::{self, SYSTEM_BUFFER};
use crate::vocabulary::bypass_io::{self, MANAGE_BYPASS_IO};
use crate::vocabulary::file::{access, attribute, class, disposition, option, share, volume_class};
use crate::vocabulary::irql::{APC, DISPATCH, PASSIVE};
use crate::vocabulary::major::{
    CLEANUP, CLOSE, CREATE, DEVICE_CONTROL, DIRECTORY_CONTROL, FILE_SYSTEM_CONTROL,
    INTERNAL_DEVICE_CONTROL, LOCK_CONTROL, QUERY_INFORMATION, QUERY_SECURITY,
    QUERY_VOLUME_INFORMATION, READ, SET_INFORMATION, SET_SECURITY, SET_VOLUME_INFORMATION, WRITE,
};
use crate::vocabulary::status;

pub const IRP_NOCACHE: u32 = 0x1;

pub const IRP_PAGING_IO: u32 = 0x2;

/// Reads and writes without the cache, which are asynchronous in the scripts.
pub const NON_CACHED: &str = "non-cached";

/// Paging I/O.
pub const PAGING: &str = "paging I/O";

/// `IRP_MN_NOTIFY_CHANGE_DIRECTORY`.
pub const NOTIFY_CHANGE: &str = "notify change";

/// `FSCTL_REQUEST_BATCH_OPLOCK`.
pub const REQUEST_OPLOCK: &str = "request oplock";

/// An open for reading and writing.
pub const FOR_WRITING: &str = "for writing";

/// An open with `FILE_DELETE_ON_CLOSE`.
pub const DELETE_ON_CLOSE: &str = "delete on close";

/// `IRP_MN_UNLOCK_SINGLE`.
pub const UNLOCK: &str = "unlock";

/// `IRP_MN_KERNEL_CALL`, a control code of a driver.
const KERNEL_CALL: u8 = 4;

/// `IRP_MN_VERIFY_VOLUME`, which has no control code.
const VERIFY_VOLUME: u8 = 2;

/// Returns whether `IRP_MJ_FILE_SYSTEM_CONTROL` with a minor function has a control code: `IRP_MN_USER_FS_REQUEST` and
/// `IRP_MN_KERNEL_CALL` have one.
#[must_use]
pub fn has_control_code(minor: u8) -> bool {
    matches!(minor, 0 | KERNEL_CALL)
}

/// `FSCTL_MANAGE_BYPASS_IO` with `FS_BPIO_OP_ENABLE`.
pub const ENABLE_BYPASS_IO: &str = "enable BypassIO";

/// `FSCTL_MANAGE_BYPASS_IO` with `FS_BPIO_OP_QUERY`.
pub const QUERY_BYPASS_IO: &str = "query BypassIO";

/// `FSCTL_MANAGE_BYPASS_IO` with `FS_BPIO_OP_DISABLE`.
pub const DISABLE_BYPASS_IO: &str = "disable BypassIO";

pub const fn irp(major: u8, minor: u8, variant: &'static str) -> Spec {
    Spec {
        major,
        minor,
        variant,
        via: Via::Irp,
        irp_flags: 0,
        pre: PASSIVE,
        post: PASSIVE,
        result: Some(status::SUCCESS),
        paging: false,
        cached: false,
    }
}

pub const fn fast(major: u8) -> Spec {
    Spec {
        via: Via::FastIo,
        variant: "fast I/O",
        ..irp(major, 0, "")
    }
}

pub const fn fs_filter(major: u8) -> Spec {
    Spec {
        via: Via::FsFilter,
        ..irp(major, 0, "")
    }
}

/// Returns an operation that another thread completes at `DISPATCH_LEVEL`.
pub const fn late(spec: Spec) -> Spec {
    Spec {
        post: DISPATCH,
        ..spec
    }
}

pub const fn io(major: u8, variant: &'static str, irp_flags: u32) -> Spec {
    Spec {
        irp_flags,
        paging: irp_flags & IRP_PAGING_IO != 0,
        cached: irp_flags & IRP_NOCACHE == 0,
        post: if irp_flags == 0 { PASSIVE } else { DISPATCH },
        ..irp(major, 0, variant)
    }
}

/// Returns a paging read or write of the file system.
pub const fn paging(major: u8) -> Spec {
    Spec {
        pre: APC,
        post: DISPATCH,
        result: None,
        ..io(major, PAGING, IRP_NOCACHE | IRP_PAGING_IO)
    }
}

/// The length of the buffers.
const LENGTH: u32 = 0x200;

/// Returns the parameters of an operation. `file` is the file object.
#[must_use]
pub fn parameters(spec: Spec, file: u64) -> Parameters {
    let mut given = Parameters::default();
    let members = &mut given.members;
    if let Some(of) = buffers::of(spec.major) {
        members.push((of.length.1, Value::U32(LENGTH)));
        members.push((of.buffer.1, Value::Buffer));
        given.buffer = vec![0; LENGTH as usize];
        if let (true, Some(member)) = (spec.paging, of.mdl) {
            members.push((member.1, Value::Mdl));
        }
    }
    match spec.major {
        CREATE | 0x01 | 0x13 => {
            let (rights, option) = match spec.variant {
                "directory" => (access::GENERIC_READ, option::DIRECTORY),
                FOR_WRITING => (access::GENERIC_READ | access::GENERIC_WRITE, 0),
                DELETE_ON_CLOSE => (access::DELETE, option::DELETE_ON_CLOSE),
                _ => (access::GENERIC_READ, 0),
            };
            let options = disposition::OPEN << 24 | option::SYNCHRONOUS | option;
            members.push((0, Value::SecurityContext(rights)));
            members.push((8, Value::U32(options)));
            members.push((16, Value::U16(attribute::NORMAL as u16)));
            members.push((18, Value::U16(share::ALL)));
        }
        QUERY_INFORMATION => members.push((8, Value::U32(class::STANDARD))),
        QUERY_VOLUME_INFORMATION => members.push((8, Value::U32(volume_class::SIZE))),
        SET_VOLUME_INFORMATION => members.push((8, Value::U32(volume_class::LABEL))),
        SET_INFORMATION => set_information(&mut given, spec, file),
        DIRECTORY_CONTROL if spec.minor == 1 => {
            members.push((16, Value::U32(class::ID_BOTH_DIRECTORY)));
        }
        DIRECTORY_CONTROL => members.push((8, Value::U32(0x1))),
        FILE_SYSTEM_CONTROL if spec.minor == VERIFY_VOLUME => {
            members.push((0, Value::U64(opaque("Vpb of a verify request"))));
            members.push((8, Value::U64(opaque("DeviceObject of a verify request"))));
            // The rest of the union is undefined. It has the place of a control code.
            members.push((16, Value::U32(MANAGE_BYPASS_IO)));
            members.push((SYSTEM_BUFFER.1, Value::Buffer));
            given.buffer[..4].copy_from_slice(&bypass_io::ENABLE.to_le_bytes());
        }
        FILE_SYSTEM_CONTROL | DEVICE_CONTROL | INTERNAL_DEVICE_CONTROL => {
            let (code, operation) = match spec.variant {
                REQUEST_OPLOCK => (0x0009_0008, 0),
                ENABLE_BYPASS_IO => (MANAGE_BYPASS_IO, bypass_io::ENABLE),
                DISABLE_BYPASS_IO => (MANAGE_BYPASS_IO, bypass_io::DISABLE),
                QUERY_BYPASS_IO => (MANAGE_BYPASS_IO, bypass_io::QUERY),
                _ => (0x0009_0028, bypass_io::ENABLE), // FSCTL_IS_VOLUME_MOUNTED
            };
            let is_bypass_io = code == MANAGE_BYPASS_IO;
            let input = if is_bypass_io {
                bypass_io::INPUT_SIZE
            } else {
                LENGTH
            };
            members.push((8, Value::U32(input)));
            members.push((16, Value::U32(code)));
            members.push((SYSTEM_BUFFER.1, Value::Buffer));
            given.buffer[..4].copy_from_slice(&operation.to_le_bytes());
        }
        LOCK_CONTROL => {
            members.push((0, Value::Structure(1_u64.to_le_bytes().to_vec())));
            members.push((24, Value::U64(process::get(process::PROGRAM).object)));
            members.push((33, Value::U8(1)));
        }
        QUERY_SECURITY => members.push((0, Value::U32(0x7))),
        SET_SECURITY => {
            members.push((0, Value::U32(security::DACL_INFORMATION)));
            members.push((8, Value::Buffer));
            given.buffer = security::default_relative(access::ALL);
        }
        0xFF => {
            members.push((0, Value::U32(1))); // SyncTypeCreateSection
            members.push((4, Value::U32(0x20))); // PAGE_EXECUTE_READ
        }
        0xF2 => {
            members.push((8, Value::Buffer));
            given.buffer = vec![0; LENGTH as usize];
        }
        _ => {}
    }
    given
}

/// Adds a `FileBasicInformation`, `FileRenameInformation` or `FileDispositionInformation`.
fn set_information(given: &mut Parameters, spec: Spec, file: u64) {
    let (class, length) = match spec.variant {
        "rename" => {
            let name = "\\documents\\renamed.txt".encode_utf16();
            let name: Vec<u8> = name.flat_map(u16::to_le_bytes).collect();
            given.buffer[16..20].copy_from_slice(&(name.len() as u32).to_le_bytes());
            given.buffer[20..20 + name.len()].copy_from_slice(&name);
            given.members.push((16, Value::U64(file)));
            (class::RENAME, 20 + name.len())
        }
        "delete" => {
            given.buffer[0] = 1;
            (class::DISPOSITION, 1)
        }
        _ => (class::BASIC, 40),
    };
    given.buffer.truncate(length);
    given.members.push((0, Value::U32(length as u32)));
    given.members.push((8, Value::U32(class)));
}

pub const OPEN: Spec = irp(CREATE, 0, "");

pub const CLEAN_UP: Spec = irp(CLEANUP, 0, "");

pub const CLOSE_IT: Spec = irp(CLOSE, 0, "");

/// Operations on an open file.
pub const CATALOGUE: &[Spec] = &[
    io(READ, "", 0),
    io(READ, NON_CACHED, IRP_NOCACHE),
    io(READ, PAGING, IRP_NOCACHE | IRP_PAGING_IO),
    Spec {
        cached: true,
        ..fast(READ)
    },
    io(WRITE, "", 0),
    io(WRITE, NON_CACHED, IRP_NOCACHE),
    io(WRITE, PAGING, IRP_NOCACHE | IRP_PAGING_IO),
    Spec {
        cached: true,
        ..fast(WRITE)
    },
    Spec {
        result: Some(status::END_OF_FILE),
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
    late(irp(DIRECTORY_CONTROL, 2, NOTIFY_CHANGE)),
    late(irp(FILE_SYSTEM_CONTROL, 0, "")),
    late(irp(FILE_SYSTEM_CONTROL, 0, REQUEST_OPLOCK)),
    irp(FILE_SYSTEM_CONTROL, 0, ENABLE_BYPASS_IO),
    irp(FILE_SYSTEM_CONTROL, KERNEL_CALL, ENABLE_BYPASS_IO),
    irp(FILE_SYSTEM_CONTROL, VERIFY_VOLUME, "verify volume"),
    irp(FILE_SYSTEM_CONTROL, 0, QUERY_BYPASS_IO),
    irp(FILE_SYSTEM_CONTROL, 0, DISABLE_BYPASS_IO),
    late(irp(0x0E, 0, "")),
    fast(0x0E),
    late(irp(0x0F, 0, "")),
    late(irp(0x11, 1, "")),
    // FastIoLock is IRP_MN_LOCK.
    Spec {
        minor: 1,
        ..fast(0x11)
    },
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

/// Operations that are delivered before and after a refused unload, for comparison.
pub const PROBE: &[Spec] = &[
    io(READ, "", 0),
    io(READ, NON_CACHED, IRP_NOCACHE),
    io(WRITE, "", 0),
    irp(0x05, 0, ""),
    irp(0x06, 0, ""),
    irp(0x0C, 1, "query"),
];
