//! The driver object.

use wdk_sys::{DRIVER_OBJECT, PDRIVER_OBJECT};

/// The driver's own `DRIVER_OBJECT`, while `DriverEntry` runs.
pub struct DriverObject<'a>(&'a mut DRIVER_OBJECT);

impl<'a> DriverObject<'a> {
    /// Takes the object that `DriverEntry` received.
    ///
    /// # Safety
    ///
    /// The I/O manager passed the object to `DriverEntry`, which runs during `'a`.
    pub const unsafe fn new(object: &'a mut DRIVER_OBJECT) -> Self {
        Self(object)
    }

    /// Returns the object, for functions of the kernel that have no wrapper.
    pub const fn as_ptr(&mut self) -> PDRIVER_OBJECT {
        self.0
    }

    pub(super) const fn get(&mut self) -> &mut DRIVER_OBJECT {
        self.0
    }

    pub(super) const fn reborrow(&mut self) -> DriverObject<'_> {
        DriverObject(self.0)
    }
}
