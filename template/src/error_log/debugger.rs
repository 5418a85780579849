//! What is printed in a kernel debugger if the driver is not loaded.

use crate::flt::{DriverObject, Failure, trace::debug_print};

/// Prints the step that failed. IRQL `PASSIVE_LEVEL`.
pub fn load_failed(_driver_object: &mut DriverObject<'_>, failure: &Failure) {
    let function = failure.step.function;
    let status = failure.status;
    debug_print!(Error, "not loaded: ", function: text, " failed with status ", status: hex);
}
{%- if parameters %}

/// Prints the setting whose value is refused. IRQL `PASSIVE_LEVEL`.
pub fn setting_refused(
    _driver_object: &mut DriverObject<'_>,
    name: crate::flt::unicode::Text,
    status: wdk_sys::NTSTATUS,
) {
    debug_print!(Error, "the default is used for ", name: text, ": refused with status ", status: hex);
}
{%- endif %}
