//! Instances: the filter's attachments to volumes.

use wdk_sys::{
    NTSTATUS, STATUS_FLT_DO_NOT_ATTACH, STATUS_FLT_DO_NOT_DETACH, STATUS_SUCCESS, ULONG,
};

use super::{
    bindings::{
        FLT_FILESYSTEM_TYPE, FLT_INSTANCE_QUERY_TEARDOWN_FLAGS, FLT_INSTANCE_SETUP_FLAGS,
        FLT_INSTANCE_TEARDOWN_FLAGS, FLT_RELATED_OBJECTS,
        FLTFL_INSTANCE_SETUP_AUTOMATIC_ATTACHMENT, FLTFL_INSTANCE_SETUP_DETACHED_VOLUME,
        FLTFL_INSTANCE_SETUP_MANUAL_ATTACHMENT, FLTFL_INSTANCE_SETUP_NEWLY_MOUNTED_VOLUME,
        PCFLT_RELATED_OBJECTS,
    },
    published::Minifilter,
};

/// `FLTFL_INSTANCE_SETUP_DEV_VOLUME`, from Windows 11, version 22H2, September update. Older headers
/// do not have it.
const DEV_VOLUME: FLT_INSTANCE_SETUP_FLAGS = 0x10;

/// `FLTFL_INSTANCE_SETUP_TRUSTED_VOLUME`, likewise.
const TRUSTED_VOLUME: FLT_INSTANCE_SETUP_FLAGS = 0x20;

/// Which volumes a filter attaches to. The filter manager calls each function at `PASSIVE_LEVEL`.
pub trait Instances: Minifilter {
    /// Whether the filter attaches to volumes in persistent memory (DAX). Mapped files are read and
    /// written there without any operation, not even paging I/O:
    /// `FLTFL_REGISTRATION_SUPPORT_DAX_VOLUME`.
    const DAX_VOLUMES: bool;

    /// Returns whether the filter attaches to a volume. `InstanceSetupCallback`.
    fn attaches_to(&self, volume: &InstanceSetup<'_>) -> bool;

    /// Returns whether an instance may be detached on request, for example by `fltmc detach`.
    /// `InstanceQueryTeardownCallback`.
    fn may_detach(&self) -> bool {
        true
    }

    /// Called when an instance is gone: no operation of its volume arrives any more.
    /// `InstanceTeardownCompleteCallback`.
    fn detached(&self) {}
}

/// A volume that the filter can attach to: the arguments of `PFLT_INSTANCE_SETUP_CALLBACK`.
pub struct InstanceSetup<'a> {
    objects: &'a FLT_RELATED_OBJECTS,
    flags: FLT_INSTANCE_SETUP_FLAGS,
    device_type: ULONG,
    file_system: FLT_FILESYSTEM_TYPE,
}

impl InstanceSetup<'_> {
    /// Returns the type of the volume's device, for example `FILE_DEVICE_NETWORK_FILE_SYSTEM`.
    pub const fn device_type(&self) -> ULONG {
        self.device_type
    }

    /// Returns the file system, for example `FLT_FSTYPE_NTFS`; `FLT_FSTYPE_RAW` has no files.
    pub const fn file_system(&self) -> FLT_FILESYSTEM_TYPE {
        self.file_system
    }

    /// Returns whether the filter manager attaches the filter by itself.
    pub const fn is_automatic(&self) -> bool {
        self.flags & FLTFL_INSTANCE_SETUP_AUTOMATIC_ATTACHMENT != 0
    }

    /// Returns whether a program or a driver requests the attachment, for example `fltmc attach`.
    pub const fn is_manual(&self) -> bool {
        self.flags & FLTFL_INSTANCE_SETUP_MANUAL_ATTACHMENT != 0
    }

    /// Returns whether the volume was mounted just now.
    pub const fn is_newly_mounted(&self) -> bool {
        self.flags & FLTFL_INSTANCE_SETUP_NEWLY_MOUNTED_VOLUME != 0
    }

    /// Returns whether the volume is detached from its storage.
    pub const fn is_detached_volume(&self) -> bool {
        self.flags & FLTFL_INSTANCE_SETUP_DETACHED_VOLUME != 0
    }

    /// Returns whether the volume is a Dev Drive: `FLTFL_INSTANCE_SETUP_DEV_VOLUME`. Older versions
    /// of Windows do not set the flag.
    pub const fn is_dev_volume(&self) -> bool {
        self.flags & DEV_VOLUME != 0
    }

    /// Returns whether an administrator trusts the Dev Drive, which is then meant to have few
    /// filters: `FLTFL_INSTANCE_SETUP_TRUSTED_VOLUME`.
    pub const fn is_trusted_volume(&self) -> bool {
        self.flags & TRUSTED_VOLUME != 0
    }

    /// Returns the objects, for functions of the filter manager such as `FltGetVolumeProperties`.
    pub const fn objects(&self) -> &FLT_RELATED_OBJECTS {
        self.objects
    }
}

pub(super) unsafe extern "C" fn setup<S: Instances>(
    objects: PCFLT_RELATED_OBJECTS,
    flags: FLT_INSTANCE_SETUP_FLAGS,
    device_type: ULONG,
    file_system: FLT_FILESYSTEM_TYPE,
) -> NTSTATUS {
    // SAFETY: FltUnregisterFilter waits for this callback.
    let state = unsafe { S::published().in_callback() };
    let volume = InstanceSetup {
        // SAFETY: the filter manager passes valid objects until the callback returns.
        objects: unsafe { &*objects },
        flags,
        device_type,
        file_system,
    };
    if state.attaches_to(&volume) {
        STATUS_SUCCESS
    } else {
        STATUS_FLT_DO_NOT_ATTACH
    }
}

pub(super) unsafe extern "C" fn query_teardown<S: Instances>(
    _objects: PCFLT_RELATED_OBJECTS,
    _flags: FLT_INSTANCE_QUERY_TEARDOWN_FLAGS,
) -> NTSTATUS {
    // SAFETY: FltUnregisterFilter waits for this callback.
    let state = unsafe { S::published().in_callback() };
    if state.may_detach() {
        STATUS_SUCCESS
    } else {
        STATUS_FLT_DO_NOT_DETACH
    }
}

pub(super) unsafe extern "C" fn teardown_complete<S: Instances>(
    _objects: PCFLT_RELATED_OBJECTS,
    _reason: FLT_INSTANCE_TEARDOWN_FLAGS,
) {
    // SAFETY: FltUnregisterFilter waits for this callback.
    let state = unsafe { S::published().in_callback() };
    state.detached();
}
