//! The devices and the reinitialization routines of the driver.

use std::collections::VecDeque;

use crate::vocabulary::status::Status;

/// The driver's devices.
#[derive(Debug, Clone, Default)]
pub struct Devices {
    /// The device objects.
    pub made: Vec<Device>,
    /// The symbolic links.
    pub links: Vec<Link>,
    /// The devices that programs have open.
    pub open: Vec<OpenDevice>,
    /// The requests that the driver completed and whose results were not read yet.
    pub completed: Vec<Completion>,
    /// The queued reinitialization routines, each with its context.
    pub reinitialize: VecDeque<(u64, u64)>,
    /// The number of calls of reinitialization routines.
    pub rounds: u32,
    /// A program opened a device, or tried to, during an unload.
    pub opened_late: bool,
    /// The number of created links.
    pub count: u32,
}

/// A device object.
#[derive(Debug, Clone)]
pub struct Device {
    /// The device object.
    pub object: u64,
    /// The name, which is empty if the device has none.
    pub name: String,
    /// `DO_DEVICE_INITIALIZING` must be cleared before the routine returns that made the device.
    pub initializing: bool,
}

/// A symbolic link.
#[derive(Debug, Clone)]
pub struct Link {
    /// The name.
    pub name: String,
    /// The name of the device.
    pub target: String,
    /// The key.
    pub key: u64,
}

/// A request that the driver completed.
#[derive(Debug, Clone, Copy)]
pub struct Completion {
    /// The IRP.
    pub irp: u64,
    /// `IoStatus.Status`.
    pub status: Status,
    /// `IoStatus.Information`.
    pub information: u64,
    /// The request was marked pending.
    pub marked: bool,
    /// `PriorityBoost`.
    pub boost: u8,
}

/// An open handle of a user-mode program to the driver's device.
#[derive(Debug, Clone, Copy)]
pub struct OpenDevice {
    /// The device object.
    pub device: u64,
    /// The file object.
    pub file: u64,
}
