//! Why the driver was not loaded, for whoever has a kernel debugger attached.

use wdk_sys::{DRIVER_OBJECT, ntddk::DbgPrintEx};

use crate::step::Failure;

/// Prints the failure. Wraps `DbgPrintEx`, which formats in the kernel; any IRQL up to `DIRQL`.
pub fn load_failed(_driver_object: &mut DRIVER_OBJECT, failure: &Failure) {
    /// `DPFLTR_IHVDRIVER_ID`.
    const COMPONENT: u32 = 77;
    /// `DPFLTR_ERROR_LEVEL`, which is printed whatever filter mask is set.
    const LEVEL: u32 = 0;
    // SAFETY: the format takes a string that ends in a NUL and a 32-bit number, and gets them.
    let _printed = unsafe {
        DbgPrintEx(
            COMPONENT,
            LEVEL,
            c"{{crate_name}} was not loaded: %s failed with status 0x%08X\n".as_ptr(),
            failure.step.name().as_ptr(),
            failure.status,
        )
    };
}
