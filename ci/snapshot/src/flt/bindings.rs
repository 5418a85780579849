//! The filter manager: its types and functions as `build/bindings.rs` made them from `fltKernel.h`,
//! and what bindgen does not see in there.

use core::mem::offset_of;

pub use self::bindings::*;

#[allow(
    clippy::all,
    clippy::nursery,
    clippy::pedantic,
    clippy::multiple_unsafe_ops_per_block,
    clippy::undocumented_unsafe_blocks,
    dead_code,
    missing_docs,
    non_camel_case_types,
    non_snake_case,
    non_upper_case_globals,
    unnecessary_transmutes,
    unsafe_op_in_unsafe_fn,
    unused_imports,
    reason = "generated from fltKernel.h"
)]
mod bindings {
    include!(concat!(env!("OUT_DIR"), "/fltmgr.rs"));
}

// wdk-sys links the kernel; the filter manager is a driver of its own.
#[link(name = "fltMgr", kind = "static", modifiers = "-bundle")]
unsafe extern "C" {}

/// `IRP_MJ_OPERATION_END`: the end of a list of operations.
pub const IRP_MJ_OPERATION_END: u8 = 0x80;

// The layouts the driver relies on, as documented for 64-bit Windows: a header that says otherwise
// ends the build here and not in a blue screen.
const _: () = {
    assert!(size_of::<FLT_REGISTRATION>() == 112);
    assert!(offset_of!(FLT_REGISTRATION, Size) == 0);
    assert!(offset_of!(FLT_REGISTRATION, Version) == 2);
    assert!(offset_of!(FLT_REGISTRATION, Flags) == 4);
    assert!(offset_of!(FLT_REGISTRATION, OperationRegistration) == 16);
    assert!(offset_of!(FLT_REGISTRATION, FilterUnloadCallback) == 24);
    assert!(offset_of!(FLT_REGISTRATION, InstanceSetupCallback) == 32);
    assert!(offset_of!(FLT_REGISTRATION, InstanceQueryTeardownCallback) == 40);
    assert!(offset_of!(FLT_REGISTRATION, InstanceTeardownCompleteCallback) == 56);
    assert!(size_of::<FLT_OPERATION_REGISTRATION>() == 32);
    assert!(offset_of!(FLT_OPERATION_REGISTRATION, MajorFunction) == 0);
    assert!(offset_of!(FLT_OPERATION_REGISTRATION, Flags) == 4);
    assert!(offset_of!(FLT_OPERATION_REGISTRATION, PreOperation) == 8);
    assert!(offset_of!(FLT_OPERATION_REGISTRATION, PostOperation) == 16);
    assert!(size_of::<FLT_CALLBACK_DATA>() == 88);
    assert!(offset_of!(FLT_CALLBACK_DATA, Iopb) == 16);
    assert!(offset_of!(FLT_CALLBACK_DATA, IoStatus) == 24);
    assert!(size_of::<FLT_RELATED_OBJECTS>() == 48);
    assert!(offset_of!(FLT_RELATED_OBJECTS, Filter) == 8);
    assert!(offset_of!(FLT_RELATED_OBJECTS, Volume) == 16);
    assert!(offset_of!(FLT_RELATED_OBJECTS, Instance) == 24);
    assert!(offset_of!(FLT_RELATED_OBJECTS, FileObject) == 32);
    assert!(size_of::<FLT_IO_PARAMETER_BLOCK>() == 72);
    assert!(offset_of!(FLT_IO_PARAMETER_BLOCK, Parameters) == 24);
    assert!(size_of::<FLT_PARAMETERS>() == 48);
};
