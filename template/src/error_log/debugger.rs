//! Why the driver was not loaded, for whoever has a kernel debugger attached.

use wdk_sys::{DRIVER_OBJECT, {% if parameters %}NTSTATUS, {% endif %}ntddk::DbgPrintEx};

use crate::{% if parameters %}{step::Failure, unicode::counted}{% else %}step::Failure{% endif %};

/// `DPFLTR_IHVDRIVER_ID`.
const COMPONENT: u32 = 77;
/// `DPFLTR_ERROR_LEVEL`, which is printed whatever filter mask is set.
const LEVEL: u32 = 0;

/// Prints the failure. Wraps `DbgPrintEx`, which formats in the kernel; any IRQL up to `DIRQL`.
pub fn load_failed(_driver_object: &mut DRIVER_OBJECT, failure: &Failure) {
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
{%- if parameters %}

/// Prints which setting has a value that cannot be meant, and why. Wraps `DbgPrintEx`, at
/// `PASSIVE_LEVEL` because of the Unicode.
pub fn parameter_refused(
    _driver_object: &mut DRIVER_OBJECT,
    name: &'static [u16],
    status: NTSTATUS,
) {
    let name = counted(name);
    // SAFETY: the format takes a counted string and a 32-bit number, and gets them.
    let _printed = unsafe {
        DbgPrintEx(
            COMPONENT,
            LEVEL,
            c"{{crate_name}} uses its default for %wZ: refused with status 0x%08X\n".as_ptr(),
            &raw const name,
            status,
        )
    };
}
{%- endif %}
