//! Values that a pre-operation callback hands to its post-operation callback.

use core::{
    marker::PhantomData,
    mem,
    ops::{Deref, DerefMut},
    ptr::NonNull,
};

use wdk_sys::{
    POOL_FLAG_NON_PAGED, PVOID, STATUS_INSUFFICIENT_RESOURCES,
    ntddk::{ExAllocatePool2, ExFreePoolWithTag},
};

use super::status::ErrorStatus;

/// `APC_LEVEL`, as the highest IRQL of a callback.
pub enum AtApc {}

/// `DISPATCH_LEVEL`, as the highest IRQL of a callback.
pub enum AtDispatch {}

/// A type whose values may be dropped at `DISPATCH_LEVEL`.
///
/// # Safety
///
/// Dropping a value calls nothing that requires a lower IRQL and accesses no paged memory.
pub unsafe trait DropAtDispatch {}

// SAFETY: dropping a value that is `Copy` does nothing.
unsafe impl<T: Copy> DropAtDispatch for T {}

/// A type whose values a post-operation callback may receive whose highest IRQL is `L`. The filter
/// manager may call it in another thread, hence `Send`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be handed to a post-operation callback at `{L}`",
    note = "at DISPATCH_LEVEL, a value must be `DropAtDispatch`: a type that is `Copy`, or a `NonPaged` of it"
)]
pub trait Carried<L>: Send + Sized + 'static {}

impl<T: Send + 'static> Carried<AtApc> for T {}
impl<T: DropAtDispatch + Send + 'static> Carried<AtDispatch> for T {}

/// Moves `value` into the place of a completion context. A value that is larger than a pointer does not
/// compile: put it into a [`NonPaged`].
///
/// # Safety
///
/// The place is valid for a pointer.
pub(super) const unsafe fn store_completion_context<C>(value: C, place: *mut PVOID) {
    const {
        assert!(
            size_of::<C>() <= size_of::<PVOID>() && align_of::<C>() <= align_of::<PVOID>(),
            "the value does not fit a pointer: carry a NonPaged of it"
        );
    };
    // SAFETY: the caller's contract; the value fits.
    unsafe { place.cast::<C>().write(value) };
}

/// Takes the value out of a completion context.
///
/// # Safety
///
/// `context` came from [`store_completion_context`] with the same type, and its value was not taken out
/// before.
pub(super) const unsafe fn from_completion_context<C>(context: PVOID) -> C {
    // SAFETY: the caller's contract. The value lies at the beginning of the pointer.
    unsafe { mem::transmute_copy(&context) }
}

/// A value in nonpaged pool, which is freed when it is dropped.
///
/// # Invariants
///
/// The pointer came from `ExAllocatePool2`, points to a valid `T`, and is not used by anything else.
pub struct NonPaged<T> {
    value: NonNull<T>,
    owns: PhantomData<T>,
}

/// The pool tag of [`NonPaged`], which `!poolused` shows as `FltC`.
const TAG: u32 = u32::from_le_bytes(*b"FltC");

// SAFETY: by the invariant, the value is accessed only through this one.
unsafe impl<T: Send> Send for NonPaged<T> {}
// SAFETY: as above.
unsafe impl<T: Sync> Sync for NonPaged<T> {}
// SAFETY: ExFreePoolWithTag frees nonpaged pool at DISPATCH_LEVEL or below.
unsafe impl<T: DropAtDispatch> DropAtDispatch for NonPaged<T> {}

impl<T> NonPaged<T> {
    /// Moves `value` into nonpaged pool. Wraps `ExAllocatePool2`; IRQL <= `DISPATCH_LEVEL`.
    ///
    /// # Errors
    ///
    /// `STATUS_INSUFFICIENT_RESOURCES`, if the pool is exhausted. `value` is dropped.
    pub fn new(value: T) -> Result<Self, ErrorStatus> {
        const {
            assert!(
                size_of::<T>() > 0 && align_of::<T>() <= 16,
                "pool is aligned to 16 bytes"
            );
        };
        // SAFETY: a size that is not zero, and a tag.
        let place = unsafe { ExAllocatePool2(POOL_FLAG_NON_PAGED, size_of::<T>() as u64, TAG) };
        let Some(place) = NonNull::new(place.cast::<T>()) else {
            return Err(ErrorStatus::of::<STATUS_INSUFFICIENT_RESOURCES>());
        };
        // SAFETY: the allocation is large enough and aligned.
        unsafe { place.write(value) };
        Ok(Self {
            value: place,
            owns: PhantomData,
        })
    }
}

impl<T> Deref for NonPaged<T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: the invariant.
        unsafe { self.value.as_ref() }
    }
}

impl<T> DerefMut for NonPaged<T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: the invariant.
        unsafe { self.value.as_mut() }
    }
}

impl<T> Drop for NonPaged<T> {
    fn drop(&mut self) {
        // SAFETY: the invariant; the value is not used afterwards.
        unsafe { self.value.drop_in_place() };
        // SAFETY: the invariant.
        unsafe { ExFreePoolWithTag(self.value.as_ptr().cast(), TAG) };
    }
}
