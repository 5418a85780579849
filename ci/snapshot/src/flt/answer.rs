//! The answers of the callbacks.

use core::marker::PhantomData;

use wdk_sys::{IO_STATUS_BLOCK, NTSTATUS, PVOID};

use super::{
    bindings::{
        _FLT_PREOP_CALLBACK_STATUS::{
            FLT_PREOP_COMPLETE, FLT_PREOP_DISALLOW_FASTIO, FLT_PREOP_DISALLOW_FSFILTER_IO,
            FLT_PREOP_SUCCESS_NO_CALLBACK, FLT_PREOP_SUCCESS_WITH_CALLBACK, FLT_PREOP_SYNCHRONIZE,
        },
        FLT_POSTOP_CALLBACK_STATUS, FLT_PREOP_CALLBACK_STATUS,
    },
    context::store_completion_context,
    operation::{
        AcquireForSectionSynchronization, Completable, Failable, Operation, QueryOpen, SeenAfter,
        Synchronizable,
    },
    status::{ErrorStatus, FinalStatus},
    token::{CreatesSection, FastIo, Synchronous},
};

/// What becomes of the operation `O`. `C` is the value that the post-operation callback receives.
///
/// There is a function for each answer that is legal for the operation. `FLT_PREOP_PENDING` has none:
/// a filter that pends an operation needs a cancel-safe queue for each instance, and must complete
/// every pended operation before the instance is torn down. The type of a value enforces neither.
#[must_use = "the filter manager does what the answer says"]
pub struct Answer<O, C> {
    kind: Kind<C>,
    operation: PhantomData<O>,
}

enum Kind<C> {
    Pass,
    WithCallback(C),
    Synchronize(C),
    Complete(NTSTATUS, usize),
    DisallowFastIo,
    DisallowFsFilterIo,
}

impl<O: Operation, C> Answer<O, C> {
    const fn new(kind: Kind<C>) -> Self {
        Self {
            kind,
            operation: PhantomData,
        }
    }

    /// Passes the operation on. The post-operation callback is not called.
    /// `FLT_PREOP_SUCCESS_NO_CALLBACK`.
    pub const fn pass() -> Self {
        Self::new(Kind::Pass)
    }

    /// Passes the operation on, and calls the post-operation callback with `context` when it is
    /// complete. `FLT_PREOP_SUCCESS_WITH_CALLBACK`.
    pub const fn pass_with(context: C) -> Self
    where
        O: SeenAfter,
    {
        Self::new(Kind::WithCallback(context))
    }

    /// Passes the operation on, and calls the post-operation callback with `context` in the same
    /// thread, at `APC_LEVEL` or below. `FLT_PREOP_SYNCHRONIZE`.
    pub const fn synchronize(_token: Synchronous<'_, O>, context: C) -> Self
    where
        O: Synchronizable,
    {
        Self::new(Kind::Synchronize(context))
    }

    /// Fails the operation: the filters below and the file system do not see it. `FLT_PREOP_COMPLETE`.
    pub const fn fail(status: ErrorStatus) -> Self
    where
        O: Failable,
    {
        Self::new(Kind::Complete(status.get(), 0))
    }

    /// Completes the operation: the filters below and the file system do not see it. `information`
    /// depends on the operation; mostly, it is the number of bytes in the buffer, and is limited to
    /// its length. `FLT_PREOP_COMPLETE`.
    pub const fn complete(status: FinalStatus, information: usize) -> Self
    where
        O: Completable,
    {
        Self::new(Kind::Complete(status.get(), information))
    }

    /// Refuses fast I/O: the I/O manager sends an IRP instead, or, for `IRP_MJ_NETWORK_QUERY_OPEN`,
    /// opens the file. `FLT_PREOP_DISALLOW_FASTIO`.
    pub const fn disallow_fast_io(_token: FastIo<'_, O>) -> Self {
        Self::new(Kind::DisallowFastIo)
    }

    /// Completes the operation with the status of a function of the filter manager.
    pub(super) const fn completed(status: NTSTATUS, information: usize) -> Self {
        Self::new(Kind::Complete(status, information))
    }

    /// Stores the result and the completion context, and returns the filter manager's value.
    ///
    /// # Safety
    ///
    /// The filter manager passed the place of the completion context.
    pub(super) unsafe fn into_status(
        self,
        result: &mut impl ResultPlace,
        completion_context: *mut PVOID,
    ) -> FLT_PREOP_CALLBACK_STATUS {
        match self.kind {
            Kind::Pass => FLT_PREOP_SUCCESS_NO_CALLBACK,
            Kind::WithCallback(context) => {
                // SAFETY: the caller's contract.
                unsafe { store_completion_context(context, completion_context) };
                FLT_PREOP_SUCCESS_WITH_CALLBACK
            }
            Kind::Synchronize(context) => {
                // SAFETY: the caller's contract.
                unsafe { store_completion_context(context, completion_context) };
                FLT_PREOP_SYNCHRONIZE
            }
            Kind::Complete(status, information) => {
                result.set_result(status, information);
                FLT_PREOP_COMPLETE
            }
            Kind::DisallowFastIo => FLT_PREOP_DISALLOW_FASTIO,
            Kind::DisallowFsFilterIo => FLT_PREOP_DISALLOW_FSFILTER_IO,
        }
    }
}

impl<C> Answer<QueryOpen, C> {
    /// Refuses the query: the I/O manager opens the file instead. `FLT_PREOP_DISALLOW_FSFILTER_IO`.
    pub const fn disallow() -> Self {
        Self::new(Kind::DisallowFsFilterIo)
    }
}

impl<C> Answer<AcquireForSectionSynchronization, C> {
    /// Fails the creation of a section. The documented status is `STATUS_INSUFFICIENT_RESOURCES`.
    /// `FLT_PREOP_COMPLETE`.
    pub const fn fail_section(_token: CreatesSection<'_>, status: ErrorStatus) -> Self {
        Self::new(Kind::Complete(status.get(), 0))
    }
}

/// What a post-operation callback returns. It comes from a method that consumes the callback data, for
/// example `PostOperation::finished`.
#[must_use = "the filter manager does what the answer says"]
pub struct PostAnswer<O> {
    status: FLT_POSTOP_CALLBACK_STATUS,
    // A pointer makes the answer neither `Send` nor `Sync`: it cannot be kept for another operation.
    operation: PhantomData<*const O>,
}

impl<O> PostAnswer<O> {
    pub(super) const fn of(status: FLT_POSTOP_CALLBACK_STATUS) -> Self {
        Self {
            status,
            operation: PhantomData,
        }
    }

    pub(super) const fn into_status(self) -> FLT_POSTOP_CALLBACK_STATUS {
        self.status
    }
}

/// The place of an operation's result.
pub(super) trait ResultPlace {
    /// Stores the result.
    fn set_result(&mut self, status: NTSTATUS, information: usize);
}

/// Stores the result of an operation.
pub(super) const fn set_result(
    io_status: &mut IO_STATUS_BLOCK,
    status: NTSTATUS,
    information: usize,
) {
    io_status.__bindgen_anon_1.Status = status;
    io_status.Information = information as u64;
}
