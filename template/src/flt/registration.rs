//! The registration of the filter.

use core::{
    marker::PhantomData,
    mem::{self, ManuallyDrop},
    ptr,
};

use super::{
    bindings::{
        FLT_REGISTRATION, FLT_REGISTRATION_FLAGS, FLT_REGISTRATION_VERSION,
        FLTFL_REGISTRATION_DO_NOT_SUPPORT_SERVICE_STOP, FLTFL_REGISTRATION_SUPPORT_DAX_VOLUME,
        FltRegisterFilter, FltStartFiltering, PFLT_FILTER,
    },
    callbacks::OperationRegistration,
    driver_object::DriverObject,
    instance::{self, Instances},
    published::{Minifilter, Resources},
    step::{Failure, Step},
    unicode::text,
    unload::UnloadCallback,
};

/// The step `FltRegisterFilter`.
const REGISTER_FILTER: &Step = &Step::new(1, text!("FltRegisterFilter"));

/// The step `FltStartFiltering`.
const START_FILTERING: &Step = &Step::new(2, text!("FltStartFiltering"));

/// What a filter registers.
///
/// # Invariants
///
/// The list of operations ends in [`OperationRegistration::END`], and each callback has the type
/// that it is registered with.
pub struct FilterRegistration<S> {
    registration: FLT_REGISTRATION,
    state: PhantomData<S>,
}

impl<S: Instances> FilterRegistration<S> {
    /// Declares the registration of a filter of these operations.
    ///
    /// # Panics
    ///
    /// If the list does not end in [`OperationRegistration::END`]: it is called in constants only.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a small structure and version"
    )]
    pub const fn new(
        operations: &'static [OperationRegistration<S>],
        unload: &UnloadCallback<S>,
    ) -> Self {
        assert!(matches!(operations, [.., end] if end.is_end()));
        let mut flags: FLT_REGISTRATION_FLAGS = 0;
        if !unload.service_stop() {
            flags |= FLTFL_REGISTRATION_DO_NOT_SUPPORT_SERVICE_STOP;
        }
        if S::DAX_VOLUMES {
            flags |= FLTFL_REGISTRATION_SUPPORT_DAX_VOLUME;
        }
        Self {
            registration: FLT_REGISTRATION {
                Size: size_of::<FLT_REGISTRATION>() as u16,
                Version: FLT_REGISTRATION_VERSION as u16,
                Flags: flags,
                OperationRegistration: operations.as_ptr().cast(),
                FilterUnloadCallback: unload.get(),
                InstanceSetupCallback: Some(instance::setup::<S>),
                InstanceQueryTeardownCallback: Some(instance::query_teardown::<S>),
                InstanceTeardownCompleteCallback: Some(instance::teardown_complete::<S>),
                ..EMPTY
            },
            state: PhantomData,
        }
    }
}

// SAFETY: all fields of the structure may be zero: a null pointer is no callback.
const EMPTY: FLT_REGISTRATION = unsafe { mem::zeroed() };

/// A registered filter whose driver is not published yet. Dropping it unregisters the filter.
#[must_use = "dropping it unregisters the filter"]
pub struct Registered<'a, S: Minifilter> {
    driver_object: DriverObject<'a>,
    state: PhantomData<S>,
}

impl<'a, S: Instances> Registered<'a, S> {
    /// Stores the state and registers the filter. Wraps `FltRegisterFilter`; IRQL <= `APC_LEVEL`.
    ///
    /// # Errors
    ///
    /// The status of `FltRegisterFilter`, for example `STATUS_OBJECT_NAME_NOT_FOUND` if the driver
    /// was not installed with its INF, which adds the instances.
    ///
    /// # Safety
    ///
    /// Only `DriverEntry` calls this, once, and drops the value before it returns an error.
    pub unsafe fn register(
        driver_object: &'a mut DriverObject<'_>,
        registration: &'static FilterRegistration<S>,
        state: S,
    ) -> Result<Self, Failure> {
        let place = S::published();
        // SAFETY: the caller's contract.
        unsafe { place.store(state) };
        let registration = &raw const registration.registration;
        // SAFETY: the driver's own object, a registration with the invariant, and a place for the
        // filter.
        let status = unsafe {
            FltRegisterFilter(
                driver_object.as_ptr(),
                registration,
                place.place_of_filter(),
            )
        };
        if let Err(failure) = REGISTER_FILTER.check(status) {
            // SAFETY: the state was stored, and no filter was registered.
            unsafe { place.drop_state() };
            return Err(failure);
        }
        Ok(Self {
            driver_object: driver_object.reborrow(),
            state: PhantomData,
        })
    }
}

impl<'a, S: Minifilter> Registered<'a, S> {
    /// Returns the driver object.
    pub const fn driver_object(&mut self) -> DriverObject<'_> {
        self.driver_object.reborrow()
    }

    /// Returns the filter, for functions such as `FltCreateCommunicationPort`.
    #[expect(
        clippy::unused_self,
        reason = "the value shows that the filter is registered"
    )]
    pub fn filter(&self) -> PFLT_FILTER {
        // SAFETY: the filter is stored.
        unsafe { S::published().filter() }
    }

    /// Publishes the driver with its resources.
    pub fn publish(self, resources: S::Resources) -> Loading<'a, S> {
        // SAFETY: `register` stored the state and the filter; it is called once.
        unsafe { S::published().publish(resources) };
        let this = ManuallyDrop::new(self);
        Loading {
            // SAFETY: the value is not dropped, so the reference is moved out.
            driver_object: unsafe { ptr::read(&raw const this.driver_object) },
            started: false,
            state: PhantomData,
        }
    }
}

impl<S: Minifilter> Drop for Registered<'_, S> {
    fn drop(&mut self) {
        // SAFETY: `register` stored both, and the driver was not published.
        unsafe { S::published().unregister() };
        S::Resources::restore(&mut self.driver_object);
    }
}

/// A driver that is being loaded. Dropping it before filtering was started releases everything.
#[must_use = "dropping it releases the driver"]
pub struct Loading<'a, S: Minifilter> {
    driver_object: DriverObject<'a>,
    started: bool,
    state: PhantomData<S>,
}

impl<S: Minifilter> Loading<'_, S> {
    /// Starts filtering. Callbacks run before this returns ("Initiating Filtering"), the unload
    /// callback included: the driver may be released when this returns. A second call has no effect.
    /// Wraps `FltStartFiltering`; IRQL <= `APC_LEVEL`.
    ///
    /// # Errors
    ///
    /// The status of `FltStartFiltering`.
    pub fn start_filtering(&mut self) -> Result<(), Failure> {
        if self.started {
            return Ok(());
        }
        // SAFETY: `register` stored the filter.
        let filter = unsafe { S::published().filter() };
        // SAFETY: the filter is registered. Only an unload callback unregisters it, and the filter
        // manager calls none before filtering starts.
        let status = unsafe { FltStartFiltering(filter) };
        START_FILTERING.check(status)?;
        self.started = true;
        Ok(())
    }

    /// Returns the filter, unless filtering was started: from then on, an unload may release it.
    pub(super) fn filter(&self) -> Option<PFLT_FILTER> {
        // SAFETY: the filter is stored.
        (!self.started).then(|| unsafe { S::published().filter() })
    }

    /// Returns the driver object.
    pub(super) const fn driver_object(&mut self) -> DriverObject<'_> {
        self.driver_object.reborrow()
    }
}

impl<S: Minifilter> Drop for Loading<'_, S> {
    fn drop(&mut self) {
        if !self.started {
            if let Some(driver) = S::published().take() {
                driver.release();
            }
            S::Resources::restore(&mut self.driver_object);
        }
    }
}
