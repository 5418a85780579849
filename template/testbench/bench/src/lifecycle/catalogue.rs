//! The operations that the system delivers.

use crate::objects::operations::Spec;
use crate::trace::Via;
use crate::vocabulary::irql::{DISPATCH, PASSIVE};
use crate::vocabulary::major::{
    CLEANUP, CLOSE, CREATE, DIRECTORY_CONTROL, FILE_SYSTEM_CONTROL, READ, WRITE,
};
use crate::vocabulary::status;

pub const IRP_NOCACHE: u32 = 0x1;

pub const IRP_PAGING_IO: u32 = 0x2;

/// `IRP_MN_NOTIFY_CHANGE_DIRECTORY`.
pub const NOTIFY_CHANGE: &str = "notify change";

/// `FSCTL_REQUEST_BATCH_OPLOCK`.
pub const REQUEST_OPLOCK: &str = "request oplock";

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
        post: PASSIVE,
        result: status::SUCCESS,
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

pub const OPEN: Spec = irp(CREATE, 0, "");

pub const CLEAN_UP: Spec = irp(CLEANUP, 0, "");

pub const CLOSE_IT: Spec = irp(CLOSE, 0, "");

/// Operations on an open file.
pub const CATALOGUE: &[Spec] = &[
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
    late(irp(DIRECTORY_CONTROL, 2, NOTIFY_CHANGE)),
    late(irp(FILE_SYSTEM_CONTROL, 0, "")),
    late(irp(FILE_SYSTEM_CONTROL, 0, REQUEST_OPLOCK)),
    irp(FILE_SYSTEM_CONTROL, 0, ENABLE_BYPASS_IO),
    irp(FILE_SYSTEM_CONTROL, 0, QUERY_BYPASS_IO),
    irp(FILE_SYSTEM_CONTROL, 0, DISABLE_BYPASS_IO),
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

/// Operations that are delivered before and after a refused unload, for comparison.
pub const PROBE: &[Spec] = &[
    io(READ, "", 0),
    io(READ, "non-cached", IRP_NOCACHE),
    io(WRITE, "", 0),
    irp(0x05, 0, ""),
    irp(0x06, 0, ""),
    irp(0x0C, 1, "query"),
];
