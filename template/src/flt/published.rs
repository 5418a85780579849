//! The place of the driver's state, and the order of its release.

use core::{
    cell::UnsafeCell,
    mem::MaybeUninit,
    sync::atomic::{AtomicBool, Ordering},
};

use super::{
    bindings::{FltUnregisterFilter, PFLT_FILTER},
    driver_object::DriverObject,
};

/// The state of a minifilter driver. Every callback receives a reference to it.
///
/// Callbacks run at the same time on several processors, post-operation callbacks at
/// `DISPATCH_LEVEL` or below: hence `Send` and `Sync`. The state lies in the driver's image, which is
/// not paged.
///
/// # Safety
///
/// `published` returns the same place each time, and no other type's.
pub unsafe trait Minifilter: Send + Sync + Sized + 'static {
    /// What is acquired when the filter is registered, and released before it is unregistered, for
    /// example a communication port; `()` for nothing.
    type Resources: Resources;

    /// Returns the place of the state, a `static` of the driver.
    fn published() -> &'static Published<Self>;
}

/// What a driver releases before its filter is unregistered.
pub trait Resources: Send + Sync + 'static {
    /// Undoes what the resource changed in the driver object. It is called when `DriverEntry` fails
    /// after the registration, when the resource was dropped or was not acquired.
    fn restore(_driver_object: &mut DriverObject<'_>) {}
}

impl Resources for () {}

impl<A: Resources, B: Resources> Resources for (A, B) {
    fn restore(driver_object: &mut DriverObject<'_>) {
        A::restore(driver_object);
        B::restore(driver_object);
    }
}

/// The place of a loaded driver.
///
/// # Invariants
///
/// 1. The state is initialized before the filter is registered, and dropped only after
///    `FltUnregisterFilter` returned, which waits for all callbacks. In a callback, it is valid.
/// 2. While `live` is true, everything in `loaded` is initialized.
/// 3. Who changes `live` from true to false may release what is in `loaded`, and nobody else may. The
///    filter manager calls the unload callback for one request at a time.
pub struct Published<S: Minifilter> {
    loaded: UnsafeCell<MaybeUninit<Loaded<S>>>,
    live: AtomicBool,
}

/// What a loaded driver has. It is released in the order of the fields.
struct Loaded<S: Minifilter> {
    resources: S::Resources,
    filter: PFLT_FILTER,
    state: S,
}

// SAFETY: callbacks share the state by reference, and the invariants let one thread release it. The
// state and the resources are Send and Sync; the filter is an object of the filter manager, which
// any thread may use.
unsafe impl<S: Minifilter> Sync for Published<S> {}

impl<S: Minifilter> Published<S> {
    /// Returns an empty place.
    pub const fn empty() -> Self {
        Self {
            loaded: UnsafeCell::new(MaybeUninit::uninit()),
            live: AtomicBool::new(false),
        }
    }

    const fn state(&self) -> *mut S {
        // SAFETY: a field of the place, which is not accessed here.
        unsafe { &raw mut (*self.loaded.get().cast::<Loaded<S>>()).state }
    }

    const fn resources(&self) -> *mut S::Resources {
        // SAFETY: a field of the place, which is not accessed here.
        unsafe { &raw mut (*self.loaded.get().cast::<Loaded<S>>()).resources }
    }

    /// Returns the registered filter.
    ///
    /// # Safety
    ///
    /// The filter is stored.
    pub(super) const unsafe fn filter(&self) -> PFLT_FILTER {
        // SAFETY: the caller's contract.
        unsafe { *self.place_of_filter() }
    }

    /// Returns the place of the registered filter.
    pub(super) const fn place_of_filter(&self) -> *mut PFLT_FILTER {
        // SAFETY: a field of the place, which is not accessed here.
        unsafe { &raw mut (*self.loaded.get().cast::<Loaded<S>>()).filter }
    }

    /// Returns the state to a callback.
    ///
    /// # Safety
    ///
    /// The caller is a callback for which `FltUnregisterFilter` or the release of the resources
    /// waits, and does not use the state after it returned.
    pub(super) const unsafe fn in_callback(&self) -> &S {
        // SAFETY: the first invariant.
        unsafe { &*self.state() }
    }

    /// Takes the published driver: of several callers, one does. It releases the driver, or returns
    /// it.
    pub(super) fn take(&self) -> Option<Taken<'_, S>> {
        self.live
            .swap(false, Ordering::AcqRel)
            .then_some(Taken(self))
    }

    /// Stores the state, before the filter is registered.
    ///
    /// # Safety
    ///
    /// Nothing was stored here before, and nobody else stores something here.
    pub(super) const unsafe fn store(&self, state: S) {
        // SAFETY: nobody accesses the place before the filter is registered.
        unsafe { self.state().write(state) };
    }

    /// Publishes the driver: from now on, an unload callback releases it.
    ///
    /// # Safety
    ///
    /// The state and the filter are stored, and nothing was published here before.
    pub(super) unsafe fn publish(&self, resources: S::Resources) {
        // SAFETY: nobody accesses the resources before the driver is published.
        unsafe { self.resources().write(resources) };
        self.live.store(true, Ordering::Release);
    }

    /// Unregisters the filter and drops the state. Wraps `FltUnregisterFilter`; IRQL
    /// `PASSIVE_LEVEL`.
    ///
    /// # Safety
    ///
    /// The filter and the state are stored, and this is called once.
    pub(super) unsafe fn unregister(&self) {
        // SAFETY: the caller's contract.
        let filter = unsafe { self.filter() };
        // SAFETY: likewise.
        unsafe { FltUnregisterFilter(filter) };
        // SAFETY: no callback runs any more ("Unregistering the Minifilter").
        unsafe { self.drop_state() };
    }

    /// Drops the state.
    ///
    /// # Safety
    ///
    /// The state is stored, no filter is registered, and this is called once.
    pub(super) unsafe fn drop_state(&self) {
        // SAFETY: the caller's contract.
        unsafe { self.state().drop_in_place() };
    }
}

/// The published driver, for the one who may release it.
#[must_use = "the driver is neither published nor released"]
pub(super) struct Taken<'a, S: Minifilter>(&'a Published<S>);

impl<S: Minifilter> Taken<'_, S> {
    /// Returns the state.
    pub(super) const fn state(&self) -> &S {
        // SAFETY: the driver is not released yet.
        unsafe { self.0.in_callback() }
    }

    /// Publishes the driver again.
    pub(super) fn put_back(self) {
        self.0.live.store(true, Ordering::Release);
    }

    /// Releases the driver: first the resources, then the filter, then the state. IRQL
    /// `PASSIVE_LEVEL`.
    pub(super) fn release(self) {
        // SAFETY: the third invariant: only this thread releases.
        unsafe { self.0.resources().drop_in_place() };
        // SAFETY: likewise.
        unsafe { self.0.unregister() };
    }
}
