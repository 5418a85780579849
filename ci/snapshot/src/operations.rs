//! The operations that the filter sees.
//!
//! Each has a file of its own, where your code goes into `pre_operation` and `post_operation`.

mod acquire_for_section_synchronization;
mod cleanup;
mod close;
mod create;
mod device_control;
mod directory_control;
mod file_system_control;
mod flush_buffers;
mod lock_control;
mod network_query_open;
mod query_ea;
mod query_information;
mod query_security;
mod query_volume_information;
mod read;
mod set_ea;
mod set_information;
mod set_security;
mod set_volume_information;
mod shutdown;
mod write;

use core::ptr;

use crate::fltmgr::{FLT_OPERATION_REGISTRATION, IRP_MJ_OPERATION_END};

/// The list that is registered.
pub const OPERATIONS: &[FLT_OPERATION_REGISTRATION] = &[
    create::REGISTRATION,
    read::REGISTRATION,
    write::REGISTRATION,
    cleanup::REGISTRATION,
    close::REGISTRATION,
    query_information::REGISTRATION,
    set_information::REGISTRATION,
    directory_control::REGISTRATION,
    file_system_control::REGISTRATION,
    device_control::REGISTRATION,
    flush_buffers::REGISTRATION,
    lock_control::REGISTRATION,
    query_security::REGISTRATION,
    set_security::REGISTRATION,
    query_volume_information::REGISTRATION,
    set_volume_information::REGISTRATION,
    query_ea::REGISTRATION,
    set_ea::REGISTRATION,
    network_query_open::REGISTRATION,
    acquire_for_section_synchronization::REGISTRATION,
    shutdown::REGISTRATION,
    // FltRegisterFilter reads up to this entry.
    FLT_OPERATION_REGISTRATION {
        MajorFunction: IRP_MJ_OPERATION_END,
        Flags: 0,
        PreOperation: None,
        PostOperation: None,
        Reserved1: ptr::null_mut(),
    },
];
