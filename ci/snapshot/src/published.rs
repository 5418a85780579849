//! A place in the driver's image for a value that callbacks reach, and the guard that takes it
//! back.

use core::{
    cell::UnsafeCell,
    mem::{self, MaybeUninit},
    sync::atomic::{AtomicBool, Ordering},
};

/// A place for one value, empty until it is published.
pub struct Published<T: 'static> {
    value: UnsafeCell<MaybeUninit<T>>,
    live: AtomicBool,
}

// SAFETY: a published value is shared between threads only by reference, which `T: Sync` allows,
// and taken out by at most one of them, which `T: Send` allows; `live` decides which.
unsafe impl<T: Send + Sync> Sync for Published<T> {}

impl<T> Published<T> {
    /// A place with nothing in it.
    pub const fn empty() -> Self {
        Self {
            value: UnsafeCell::new(MaybeUninit::uninit()),
            live: AtomicBool::new(false),
        }
    }

    /// Puts `value` in its place; dropping the guard takes it out again and drops it.
    ///
    /// # Safety
    ///
    /// Nothing is published here now, and no other thread publishes here.
    pub unsafe fn publish(&'static self, value: T) -> Publication<T> {
        let place = self.value.get().cast::<T>();
        // SAFETY: nobody looks at the place while `live` is false, and no other thread writes to
        // it.
        unsafe { place.write(value) };
        self.live.store(true, Ordering::Release);
        Publication { place: self }
    }

    /// The published value.
    ///
    /// # Safety
    ///
    /// The reference is not used after the value was taken out: a callback that the filter manager
    /// waits for in `FltUnregisterFilter` may use it until it returns.
    pub unsafe fn get(&self) -> Option<&T> {
        let place = self.value.get().cast::<T>();
        // SAFETY: `live` says that the place is initialized; the caller says for how long.
        self.live
            .load(Ordering::Acquire)
            .then(|| unsafe { &*place })
    }

    /// Takes the value out. Of several callers one gets it.
    pub fn take(&self) -> Option<T> {
        let place = self.value.get().cast::<T>();
        // SAFETY: the place was initialized while `live` was true, and only the one who cleared
        // `live` reads it out.
        self.live
            .swap(false, Ordering::AcqRel)
            .then(|| unsafe { place.read() })
    }
}

/// A value that was published and is taken back when this is dropped.
pub struct Publication<T: 'static> {
    place: &'static Published<T>,
}

impl<T> Publication<T> {
    /// Leaves the value published when the guard goes: somebody else takes it.
    pub const fn keep(self) {
        mem::forget(self);
    }
}

impl<T> Drop for Publication<T> {
    fn drop(&mut self) {
        drop(self.place.take());
    }
}
