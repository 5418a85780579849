//! The callbacks of an operation.

use core::{
    marker::PhantomData,
    mem::{self, MaybeUninit},
    ptr,
};

use wdk_sys::{BOOLEAN, PVOID};

use super::{
    answer::{Answer, PostAnswer},
    bindings::{
        self, _FLT_POSTOP_CALLBACK_STATUS::FLT_POSTOP_FINISHED_PROCESSING,
        FLT_OPERATION_REGISTRATION, FLT_OPERATION_REGISTRATION_FLAGS, FLT_POST_OPERATION_FLAGS,
        FLT_POSTOP_CALLBACK_STATUS, FLT_PREOP_CALLBACK_STATUS, FLTFL_POST_OPERATION_DRAINING,
        IRP_MJ_OPERATION_END, PCFLT_RELATED_OBJECTS, PFLT_CALLBACK_DATA,
    },
    context::{AtApc, Carried, from_completion_context, store_completion_context},
    data::{PostOperation, PreOperation},
    operation::{Operation, Postable},
    published::Minifilter,
};

/// What a filter does with the operation `O`.
pub trait Callbacks<O: Operation>: Minifilter {
    /// Which requests the filter does not see: `FLTFL_OPERATION_REGISTRATION_SKIP_…`.
    const FLAGS: FLT_OPERATION_REGISTRATION_FLAGS = 0;

    /// What the pre-operation callback hands to the post-operation callback. The value is dropped if
    /// the instance is torn down before the operation is complete.
    type Context: Carried<O::PostLevel>;

    /// Called before the filters below and the file system see the operation; IRQL <= `APC_LEVEL`.
    fn pre_operation(&self, data: &mut PreOperation<'_, O>) -> Answer<O, Self::Context>;

    /// Called when the operation is complete, if the pre-operation callback requested it; IRQL <=
    /// `DISPATCH_LEVEL`, unless the operation says otherwise.
    fn post_operation(&self, data: PostOperation<'_, O>, _context: Self::Context) -> PostAnswer<O> {
        data.finished()
    }
}

/// What a filter does after the operation `O` at a safe IRQL: [`PostOperation::when_safe`] calls it.
pub trait WhenSafe<O: Postable>: Callbacks<O> {
    /// Called at `APC_LEVEL` or below, possibly in a system thread.
    fn post_operation_when_safe(
        &self,
        data: PostOperation<'_, O, AtApc>,
        context: Self::Context,
    ) -> PostAnswer<O>;

    /// Called instead if the IRQL is `DISPATCH_LEVEL` and the operation cannot be posted to a system
    /// thread.
    fn post_operation_not_safe(
        &self,
        data: PostOperation<'_, O>,
        _context: Self::Context,
    ) -> PostAnswer<O> {
        data.finished()
    }
}

/// `FltDoCompletionProcessingWhenSafe`, for a completion context that may have bytes without a value.
type FltDoCompletionProcessingWhenSafe = unsafe extern "C" fn(
    PFLT_CALLBACK_DATA,
    PCFLT_RELATED_OBJECTS,
    MaybeUninit<PVOID>,
    FLT_POST_OPERATION_FLAGS,
    Option<PostCallback>,
    *mut FLT_POSTOP_CALLBACK_STATUS,
) -> BOOLEAN;

impl<O: Postable> PostOperation<'_, O> {
    /// Calls [`WhenSafe::post_operation_when_safe`] at a safe IRQL: at once, or in a system thread.
    /// Wraps `FltDoCompletionProcessingWhenSafe`; any IRQL.
    pub fn when_safe<S: WhenSafe<O>>(mut self, state: &S, context: S::Context) -> PostAnswer<O> {
        if !self.is_irp() {
            // Fast I/O and file-system filter callbacks complete in the caller's thread, at
            // APC_LEVEL or below ("Accessing User Buffers in a Postoperation Callback Routine").
            // SAFETY: see above.
            let data = unsafe { self.assume_apc_level() };
            return state.post_operation_when_safe(data, context);
        }
        let mut place = MaybeUninit::<PVOID>::zeroed();
        // SAFETY: a place for a pointer.
        unsafe { store_completion_context(context, place.as_mut_ptr()) };
        let function = bindings::FltDoCompletionProcessingWhenSafe as *const ();
        // SAFETY: the types differ in `MaybeUninit` only, which is passed like its content.
        let function: FltDoCompletionProcessingWhenSafe = unsafe { mem::transmute(function) };
        let mut status = FLT_POSTOP_FINISHED_PROCESSING;
        // SAFETY: an IRP in a post-operation callback that is not draining, with its arguments, and
        // a callback for the same operation and context.
        let called = unsafe {
            function(
                self.as_ptr(),
                self.objects(),
                place,
                0,
                Some(post_operation_when_safe::<S, O>),
                &raw mut status,
            )
        };
        if called == 0 {
            // SAFETY: the function returned FALSE: the callback is not called, and the value is here.
            let context = unsafe { place.as_ptr().cast::<S::Context>().read() };
            return state.post_operation_not_safe(self, context);
        }
        PostAnswer::of(status)
    }
}

/// An entry in the list of operations that a filter registers.
#[repr(transparent)]
pub struct OperationRegistration<S> {
    registration: FLT_OPERATION_REGISTRATION,
    state: PhantomData<S>,
}

impl<S> OperationRegistration<S> {
    /// The end of the list.
    pub const END: Self = Self::new(IRP_MJ_OPERATION_END, 0, None, None);

    /// Returns whether this is the end of the list.
    pub(super) const fn is_end(&self) -> bool {
        self.registration.MajorFunction == IRP_MJ_OPERATION_END
    }

    pub(super) const fn new(
        major_function: u8,
        flags: FLT_OPERATION_REGISTRATION_FLAGS,
        pre_operation: Option<PreCallback>,
        post_operation: Option<PostCallback>,
    ) -> Self {
        Self {
            registration: FLT_OPERATION_REGISTRATION {
                MajorFunction: major_function,
                Flags: flags,
                PreOperation: pre_operation,
                PostOperation: post_operation,
                Reserved1: ptr::null_mut(),
            },
            state: PhantomData,
        }
    }
}

impl<S: Minifilter> OperationRegistration<S> {
    /// Registers the callbacks of the operation `O`.
    pub const fn of<O: Operation>() -> Self
    where
        S: Callbacks<O>,
    {
        Self::new(
            O::MAJOR_FUNCTION,
            <S as Callbacks<O>>::FLAGS,
            Some(pre_operation::<S, O>),
            post_callback::<S, O>(),
        )
    }
}

pub(super) type PreCallback = unsafe extern "C" fn(
    PFLT_CALLBACK_DATA,
    PCFLT_RELATED_OBJECTS,
    *mut PVOID,
) -> FLT_PREOP_CALLBACK_STATUS;

pub(super) type PostCallback = unsafe extern "C" fn(
    PFLT_CALLBACK_DATA,
    PCFLT_RELATED_OBJECTS,
    PVOID,
    FLT_POST_OPERATION_FLAGS,
) -> FLT_POSTOP_CALLBACK_STATUS;

pub(super) const fn post_callback<S: Callbacks<O>, O: Operation>() -> Option<PostCallback> {
    if O::SEEN_AFTER {
        Some(post_operation::<S, O>)
    } else {
        None
    }
}

pub(super) unsafe extern "C" fn pre_operation<S: Callbacks<O>, O: Operation>(
    data: PFLT_CALLBACK_DATA,
    objects: PCFLT_RELATED_OBJECTS,
    completion_context: *mut PVOID,
) -> FLT_PREOP_CALLBACK_STATUS {
    // SAFETY: FltUnregisterFilter waits for this callback.
    let state = unsafe { S::published().in_callback() };
    // SAFETY: the arguments of a pre-operation callback of this operation.
    let mut data = unsafe { PreOperation::new(data, objects) };
    let answer = state.pre_operation(&mut data);
    // SAFETY: the filter manager passes the place of the completion context.
    unsafe { answer.into_status(&mut data, completion_context) }
}

unsafe extern "C" fn post_operation<S: Callbacks<O>, O: Operation>(
    data: PFLT_CALLBACK_DATA,
    objects: PCFLT_RELATED_OBJECTS,
    completion_context: PVOID,
    flags: FLT_POST_OPERATION_FLAGS,
) -> FLT_POSTOP_CALLBACK_STATUS {
    // SAFETY: the context of the pre-operation callback. Each is passed to one post-operation
    // callback.
    let context = unsafe { from_completion_context::<S::Context>(completion_context) };
    // The instance is torn down, and the operation may not be complete: only the context is freed.
    if flags & FLTFL_POST_OPERATION_DRAINING != 0 {
        return FLT_POSTOP_FINISHED_PROCESSING;
    }
    // SAFETY: FltUnregisterFilter waits for this callback.
    let state = unsafe { S::published().in_callback() };
    // SAFETY: the arguments of a post-operation callback of this operation, which is not draining.
    let data = unsafe { PostOperation::new(data, objects) };
    state.post_operation(data, context).into_status()
}

/// The `SafePostCallback` of [`PostOperation::when_safe`].
unsafe extern "C" fn post_operation_when_safe<S: WhenSafe<O>, O: Postable>(
    data: PFLT_CALLBACK_DATA,
    objects: PCFLT_RELATED_OBJECTS,
    completion_context: PVOID,
    _flags: FLT_POST_OPERATION_FLAGS,
) -> FLT_POSTOP_CALLBACK_STATUS {
    // SAFETY: the context that `when_safe` passed, for one call.
    let context = unsafe { from_completion_context::<S::Context>(completion_context) };
    // SAFETY: the instance is not torn down while the operation is posted.
    let state = unsafe { S::published().in_callback() };
    // SAFETY: the arguments of a post-operation callback of this operation.
    let data = unsafe { PostOperation::new(data, objects) };
    state.post_operation_when_safe(data, context).into_status()
}
