//! The devices and the reinitialization routines of the driver.

use std::collections::VecDeque;

/// The driver's devices.
#[derive(Debug, Clone, Default)]
pub struct Devices {
    /// The device objects.
    pub made: Vec<Device>,
    /// The symbolic links.
    pub links: Vec<Link>,
    /// The device that a program has open.
    pub open: Option<OpenDevice>,
    /// The queued reinitialization routines, each with its context.
    pub reinitialize: VecDeque<(u64, u64)>,
    /// The number of calls of reinitialization routines.
    pub rounds: u32,
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

/// An open handle of a user-mode program to the driver's device.
#[derive(Debug, Clone, Copy)]
pub struct OpenDevice {
    /// The device object.
    pub device: u64,
    /// The file object.
    pub file: u64,
}
