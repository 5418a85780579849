//! The state of the filter manager for the driver.

use super::operations::{InFlight, OperationCallbacks};
use super::volumes::Instance;
use crate::trace::Registration;

/// The state of the filter manager for the driver.
#[derive(Debug, Clone, Default)]
pub struct Manager {
    /// The driver object.
    pub driver: u64,
    /// The `DriverUnload` that the driver object had when the filter was registered, or 0 if it had none.
    pub driver_unload: u64,
    /// The filter handle, or 0 if the filter is not registered.
    pub handle: u64,
    /// `FltStartFiltering` has succeeded.
    pub started: bool,
    /// The driver is in `FltUnregisterFilter`.
    pub unregistering: bool,
    /// The driver was unloaded.
    pub unloaded: bool,
    /// A summary of the registration.
    pub registration: Registration,
    /// The registration's callbacks.
    pub callbacks: Callbacks,
    /// The operations with their callbacks.
    pub operations: Vec<OperationCallbacks>,
    /// The instances.
    pub instances: Vec<Instance>,
    /// References by `FltObjectReference` and similar functions: the object and its description.
    pub references: Vec<(u64, String)>,
    /// Operations that `FltCompletePendedPreOperation` resumed before the callback returned: the callback data, the
    /// status and the completion context.
    pub resumed: Vec<(u64, u32, u64)>,
    /// Operations that have begun and are not completed.
    pub in_flight: Vec<InFlight>,
}

/// The callbacks of an `FLT_REGISTRATION`, or 0 for each that is not registered.
#[derive(Debug, Clone, Copy, Default)]
pub struct Callbacks {
    /// `FilterUnloadCallback`.
    pub unload: u64,
    /// `InstanceSetupCallback`.
    pub setup: u64,
    /// `InstanceQueryTeardownCallback`.
    pub query_teardown: u64,
    /// `InstanceTeardownStartCallback`.
    pub teardown_start: u64,
    /// `InstanceTeardownCompleteCallback`.
    pub teardown_complete: u64,
}
