//! The `my_filter` file-system minifilter driver.
//!
//! These files are the driver's own:
//!
//! | file | what it decides |
//! |---|---|
//! | `driver.rs` | what is acquired when the driver is loaded, and in what order it is released |
//! | `operations.rs`, `operations/` | which operations the filter sees, and what it does with them |
//! | `instance.rs` | which volumes it attaches to |
//! | `unload.rs` | who may unload it |
//! | `state.rs` | what the callbacks share |
//! | `error_log.rs` | what is logged when a start fails |
//! | `bypass_io.rs` | why noncached reads must not skip the filter |
//! | `control_device.rs` | what programs can open, and what happens at a shutdown |
//! | `messages.rs` | the texts in Event Viewer |
//! | `parameters.rs` | the settings |
//! | `reinitialize.rs` | what happens when the other drivers have started |
//!
//! `flt/` is a thin layer over the filter manager and the kernel, which does not depend on what this
//! driver filters.

#![no_std]

mod bypass_io;
mod control_device;
mod driver;
mod error_log;
mod flt;
mod instance;
mod messages;
mod operations;
mod parameters;
mod reinitialize;
mod state;
mod unload;

// The panic handler. Nothing in a release build panics; a Rust binary needs a handler.
extern crate wdk_panic;

use wdk_sys::{DRIVER_OBJECT, NTSTATUS, PCUNICODE_STRING, STATUS_SUCCESS};

/// Called by the I/O manager when the driver is loaded, in a system thread at `PASSIVE_LEVEL`.
///
/// # Errors
///
/// The status of the step that failed. Everything before it has been undone, because no unload
/// callback follows ("Returning Status from a Minifilter `DriverEntry` Routine").
///
/// # Safety
///
/// For the I/O manager only, which calls it once with the driver's own `DRIVER_OBJECT`.
// SAFETY: no other symbol of this name is linked into the driver.
#[unsafe(export_name = "DriverEntry")]
pub unsafe extern "system" fn driver_entry(
    driver_object: &mut DRIVER_OBJECT,
    _registry_path: PCUNICODE_STRING,
) -> NTSTATUS {
    // SAFETY: the I/O manager passes the driver's own object.
    let mut driver_object = unsafe { flt::DriverObject::new(driver_object) };
    match driver::load(&mut driver_object) {
        Ok(()) => STATUS_SUCCESS,
        Err(failure) => {
            error_log::load_failed(&mut driver_object, &failure);
            failure.status
        }
    }
}
