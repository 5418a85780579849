//! What the filter manager knows of the driver.

use super::operations::{InFlight, OperationCallbacks};
use super::volumes::Instance;
use crate::trace::Registration;

/// What the filter manager knows of the driver.
#[derive(Debug, Clone, Default)]
pub struct Manager {
    /// The driver object.
    pub driver: u64,
    /// The `DriverUnload` that the driver object had when the filter was registered; 0 where it had none.
    pub driver_unload: u64,
    /// The handle; 0 where nothing is registered.
    pub handle: u64,
    /// `FltStartFiltering` was called and did not fail.
    pub started: bool,
    /// The registration's digest.
    pub registration: Registration,
    /// The registration's callbacks.
    pub callbacks: Callbacks,
    /// The operations with their callbacks.
    pub operations: Vec<OperationCallbacks>,
    /// The instances.
    pub instances: Vec<Instance>,
    /// References by `FltObjectReference` and its like: the object, and what it is.
    pub references: Vec<(u64, String)>,
    /// Operations that were begun and are not completed.
    pub in_flight: Vec<InFlight>,
}

/// The callbacks of an `FLT_REGISTRATION`; 0 where there is none.
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
