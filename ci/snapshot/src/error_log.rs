//! What is written to the System log of Event Viewer if the driver is not loaded.

use crate::{
    flt::{DriverObject, Failure, event_log},
    messages,
};

/// Writes the step that failed. IRQL <= `DISPATCH_LEVEL`.
pub fn load_failed(driver_object: &mut DriverObject<'_>, failure: &Failure) {
    event_log::write(
        driver_object,
        messages::LOAD_FAILED.id,
        failure.step.number,
        failure.status,
        failure.step.function,
    );
}

/// Writes the setting whose value is refused. IRQL <= `DISPATCH_LEVEL`.
pub fn setting_refused(
    driver_object: &mut DriverObject<'_>,
    name: crate::flt::unicode::Text,
    status: wdk_sys::NTSTATUS,
) {
    event_log::write(
        driver_object,
        messages::SETTING_REFUSED.id,
        crate::flt::registry::QUERY_PARAMETER.number,
        status,
        name,
    );
}
