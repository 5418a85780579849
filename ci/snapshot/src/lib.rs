//! The `my_filter` file-system minifilter driver.
//!
//! | question | file |
//! |---|---|
//! | what happens when the driver is loaded, and in what order is it undone? | `driver.rs` |
//! | how is it registered with the filter manager? | `filter.rs` |
//! | which operations does it see, and what does it do then? | `operations.rs`, `operations/` |
//! | which volumes does it attach to? | `instance.rs` |
//! | who may unload it? | `unload.rs` |
//! | what can programs open, and who hears of a shutdown? | `control_device.rs` |
//! | which settings does it have? | `parameters.rs` |
//! | what happens when the other drivers have started? | `reinitialize.rs` |
//! | what do the callbacks share? | `state.rs` |
//! | what is logged when a start fails? | `error_log.rs` |

#![no_std]

mod callbacks;
mod control_device;
mod driver;
mod error_log;
mod filter;
mod fltmgr;
mod instance;
mod kernel_handle;
#[expect(dead_code, reason = "the texts are for the build script")]
mod messages;
mod operations;
mod parameters;
mod published;
mod reinitialize;
mod state;
mod step;
mod unicode;
mod unload;

// The panic handler. Nothing in this driver panics; it is there because a Rust binary needs one.
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
    match driver::load(driver_object) {
        Ok(()) => STATUS_SUCCESS,
        Err(failure) => {
            error_log::load_failed(driver_object, &failure);
            failure.status
        }
    }
}
