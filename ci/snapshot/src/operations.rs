//! The operations that the filter sees.
//!
//! Each has a file, with the callbacks before and after the operation.

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
mod query_open;
mod query_security;
mod query_volume_information;
mod read;
mod set_ea;
mod set_information;
mod set_security;
mod set_volume_information;
mod shutdown;
mod write;

use crate::{flt::OperationRegistration, state::State};

/// The operations that are registered.
pub const OPERATIONS: &[OperationRegistration<State>] = &[
    OperationRegistration::of::<crate::flt::Create>(),
    OperationRegistration::of::<crate::flt::Read>(),
    OperationRegistration::of::<crate::flt::Write>(),
    OperationRegistration::of::<crate::flt::Cleanup>(),
    OperationRegistration::of::<crate::flt::Close>(),
    OperationRegistration::of::<crate::flt::QueryInformation>(),
    OperationRegistration::of::<crate::flt::SetInformation>(),
    OperationRegistration::of::<crate::flt::DirectoryControl>(),
    OperationRegistration::of_file_system_control_and_bypass_io(),
    OperationRegistration::of::<crate::flt::DeviceControl>(),
    OperationRegistration::of::<crate::flt::FlushBuffers>(),
    OperationRegistration::of::<crate::flt::LockControl>(),
    OperationRegistration::of::<crate::flt::QuerySecurity>(),
    OperationRegistration::of::<crate::flt::SetSecurity>(),
    OperationRegistration::of::<crate::flt::QueryVolumeInformation>(),
    OperationRegistration::of::<crate::flt::SetVolumeInformation>(),
    OperationRegistration::of::<crate::flt::QueryEa>(),
    OperationRegistration::of::<crate::flt::SetEa>(),
    OperationRegistration::of::<crate::flt::NetworkQueryOpen>(),
    OperationRegistration::of::<crate::flt::QueryOpen>(),
    OperationRegistration::of::<crate::flt::AcquireForSectionSynchronization>(),
    OperationRegistration::of::<crate::flt::Shutdown>(),
    OperationRegistration::END,
];
