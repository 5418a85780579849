//! The unload callback.

use core::marker::PhantomData;

use wdk_sys::{NTSTATUS, STATUS_FLT_DO_NOT_DETACH, STATUS_SUCCESS};

use super::{
    bindings::{
        FLT_FILTER_UNLOAD_FLAGS, FLTFL_FILTER_UNLOAD_MANDATORY, PFLT_FILTER_UNLOAD_CALLBACK,
    },
    published::Minifilter,
};

/// Which requests may unload a driver that has an unload callback.
pub trait Unload: Minifilter {
    /// Returns whether a request that is not mandatory (`fltmc unload`) may unload the driver. IRQL
    /// `PASSIVE_LEVEL`.
    ///
    /// A mandatory request (`sc stop`) cannot be refused: the filter manager unloads the image
    /// whatever the callback returns ("`PFLT_FILTER_UNLOAD_CALLBACK`").
    fn may_unload(&self) -> bool;
}

/// The unload callback of a filter, or none.
pub struct UnloadCallback<S> {
    callback: PFLT_FILTER_UNLOAD_CALLBACK,
    service_stop: bool,
    state: PhantomData<S>,
}

impl<S> UnloadCallback<S> {
    /// No callback: the driver stays loaded until the system is shut down.
    pub const NONE: Self = Self {
        callback: None,
        service_stop: true,
        state: PhantomData,
    };

    /// Makes `sc stop` fail, without a call of the callback:
    /// `FLTFL_REGISTRATION_DO_NOT_SUPPORT_SERVICE_STOP`.
    #[must_use]
    pub const fn without_service_stop(mut self) -> Self {
        self.service_stop = false;
        self
    }

    pub(super) const fn get(&self) -> PFLT_FILTER_UNLOAD_CALLBACK {
        self.callback
    }

    pub(super) const fn service_stop(&self) -> bool {
        self.service_stop
    }
}

impl<S: Unload> UnloadCallback<S> {
    /// The callback that asks [`Unload::may_unload`].
    pub const fn new() -> Self {
        Self {
            callback: Some(unload::<S>),
            ..Self::NONE
        }
    }
}

/// Releases the driver, unless the request may be refused and is.
///
/// The filter manager may call this before `FltStartFiltering` returned. If `DriverEntry` has failed
/// meanwhile and releases the driver, there is nothing left to release.
unsafe extern "C" fn unload<S: Unload>(flags: FLT_FILTER_UNLOAD_FLAGS) -> NTSTATUS {
    let Some(driver) = S::published().take() else {
        return STATUS_FLT_DO_NOT_DETACH;
    };
    if flags & FLTFL_FILTER_UNLOAD_MANDATORY == 0 && !driver.state().may_unload() {
        driver.put_back();
        return STATUS_FLT_DO_NOT_DETACH;
    }
    driver.release();
    STATUS_SUCCESS
}
