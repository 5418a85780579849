//! From the filter manager's callbacks to the safe functions in `operations/`, and back.
//!
//! What a callback may answer depends on the operation. Each operation names a type for its
//! answers, and a type has only the kinds of answers that are allowed; which status may end an
//! operation, its own file says.

#![allow(
    dead_code,
    reason = "which of these are used depends on the operations and their answers"
)]

use core::{mem::offset_of, ptr};

use wdk_sys::{IO_STATUS_BLOCK, NTSTATUS, PVOID};

use crate::{
    fltmgr::{
        _FLT_POSTOP_CALLBACK_STATUS::FLT_POSTOP_FINISHED_PROCESSING,
        _FLT_PREOP_CALLBACK_STATUS::{
            FLT_PREOP_COMPLETE, FLT_PREOP_SUCCESS_NO_CALLBACK, FLT_PREOP_SUCCESS_WITH_CALLBACK,
        },
        FLT_CALLBACK_DATA, FLT_OPERATION_REGISTRATION, FLT_OPERATION_REGISTRATION_FLAGS,
        FLT_POST_OPERATION_FLAGS, FLT_POSTOP_CALLBACK_STATUS, FLT_PREOP_CALLBACK_STATUS,
        FLT_RELATED_OBJECTS, FLTFL_POST_OPERATION_DRAINING, PCFLT_RELATED_OBJECTS,
        PFLT_CALLBACK_DATA,
    },
    state::{STATE, State},
};

/// An operation that is seen before the file system sees it.
pub trait PreOperation {
    /// Its `IRP_MJ_` code.
    const MAJOR_FUNCTION: u32;

    /// Which of its requests are not wanted: `FLTFL_OPERATION_REGISTRATION_SKIP_…`.
    const FLAGS: FLT_OPERATION_REGISTRATION_FLAGS = 0;

    /// What may be answered.
    type Answer: PreAnswer;

    /// Called before the filters below and the file system see the operation.
    fn pre_operation(
        state: &State,
        data: &mut FLT_CALLBACK_DATA,
        objects: &FLT_RELATED_OBJECTS,
    ) -> Self::Answer;
}

/// An operation that can be seen again when the file system is done with it.
pub trait PostOperation: PreOperation {
    /// Called when the operation is complete, if `pre_operation` asked for it.
    fn post_operation(state: &State, data: &mut FLT_CALLBACK_DATA, objects: &FLT_RELATED_OBJECTS);
}

/// An answer of a pre-operation callback.
pub trait PreAnswer {
    /// Leaves in `data` what the answer needs there, and says it in the filter manager's words.
    fn give(self, data: &mut FLT_CALLBACK_DATA) -> FLT_PREOP_CALLBACK_STATUS;
}

/// The answers for most operations.
#[derive(Clone, Copy)]
pub enum Answer {
    /// Pass the operation on.
    NoCallback,
    /// Pass the operation on, and call `post_operation` when it is complete.
    WithCallback,
    /// End the operation here with this status; nobody below sees it.
    Complete(NTSTATUS),
}

/// The answers for an operation that must not be failed.
#[derive(Clone, Copy)]
pub enum AnswerWithoutFailing {
    /// Pass the operation on.
    NoCallback,
    /// Pass the operation on, and call `post_operation` when it is complete.
    WithCallback,
}

impl PreAnswer for Answer {
    fn give(self, data: &mut FLT_CALLBACK_DATA) -> FLT_PREOP_CALLBACK_STATUS {
        match self {
            Self::NoCallback => FLT_PREOP_SUCCESS_NO_CALLBACK,
            Self::WithCallback => FLT_PREOP_SUCCESS_WITH_CALLBACK,
            Self::Complete(status) => {
                complete(&mut data.IoStatus, status);
                FLT_PREOP_COMPLETE
            }
        }
    }
}

impl PreAnswer for AnswerWithoutFailing {
    fn give(self, _data: &mut FLT_CALLBACK_DATA) -> FLT_PREOP_CALLBACK_STATUS {
        match self {
            Self::NoCallback => FLT_PREOP_SUCCESS_NO_CALLBACK,
            Self::WithCallback => FLT_PREOP_SUCCESS_WITH_CALLBACK,
        }
    }
}

/// No choice: an operation that is only looked at.
impl PreAnswer for () {
    fn give(self, _data: &mut FLT_CALLBACK_DATA) -> FLT_PREOP_CALLBACK_STATUS {
        FLT_PREOP_SUCCESS_NO_CALLBACK
    }
}

/// Sets the result of an operation that ends here.
pub const fn complete(io_status: &mut IO_STATUS_BLOCK, status: NTSTATUS) {
    const { assert!(offset_of!(IO_STATUS_BLOCK, Information) == size_of::<PVOID>()) }
    io_status.Information = 0;
    // SAFETY: the status is the first thing in the block, in a union with a pointer.
    unsafe { ptr::from_mut(io_status).cast::<NTSTATUS>().write(status) };
}

/// Registers an operation with its pre-operation callback alone.
pub const fn pre_only<O: PreOperation<Answer = ()>>() -> FLT_OPERATION_REGISTRATION {
    FLT_OPERATION_REGISTRATION {
        MajorFunction: major_function::<O>(),
        Flags: O::FLAGS,
        PreOperation: Some(pre_operation::<O>),
        PostOperation: None,
        Reserved1: ptr::null_mut(),
    }
}

/// Registers an operation with both its callbacks.
pub const fn pre_and_post<O: PostOperation>() -> FLT_OPERATION_REGISTRATION {
    FLT_OPERATION_REGISTRATION {
        MajorFunction: major_function::<O>(),
        Flags: O::FLAGS,
        PreOperation: Some(pre_operation::<O>),
        PostOperation: Some(post_operation::<O>),
        Reserved1: ptr::null_mut(),
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "the codes of major functions are bytes"
)]
const fn major_function<O: PreOperation>() -> u8 {
    const { assert!(O::MAJOR_FUNCTION <= 0xFF) }
    O::MAJOR_FUNCTION as u8
}

unsafe extern "C" fn pre_operation<O: PreOperation>(
    data: PFLT_CALLBACK_DATA,
    objects: PCFLT_RELATED_OBJECTS,
    _completion_context: *mut PVOID,
) -> FLT_PREOP_CALLBACK_STATUS {
    // SAFETY: a callback of the registered filter, and the reference ends with it.
    let Some(state) = (unsafe { STATE.get() }) else {
        return FLT_PREOP_SUCCESS_NO_CALLBACK;
    };
    // SAFETY: the filter manager gives the data to one callback at a time, until it returns.
    let data = unsafe { &mut *data };
    // SAFETY: likewise, and nobody writes to it.
    let objects = unsafe { &*objects };
    O::pre_operation(state, data, objects).give(data)
}

unsafe extern "C" fn post_operation<O: PostOperation>(
    data: PFLT_CALLBACK_DATA,
    objects: PCFLT_RELATED_OBJECTS,
    _completion_context: PVOID,
    flags: FLT_POST_OPERATION_FLAGS,
) -> FLT_POSTOP_CALLBACK_STATUS {
    // Draining: the instance is going away and the operation may not be complete. All that may be
    // done is to free what the pre-operation callback left in the completion context; that is
    // nothing here.
    if flags & FLTFL_POST_OPERATION_DRAINING != 0 {
        return FLT_POSTOP_FINISHED_PROCESSING;
    }
    // SAFETY: a callback of the registered filter, and the reference ends with it.
    if let Some(state) = unsafe { STATE.get() } {
        // SAFETY: the filter manager gives the data to one callback at a time, until it returns.
        let data = unsafe { &mut *data };
        // SAFETY: likewise, and nobody writes to it.
        let objects = unsafe { &*objects };
        O::post_operation(state, data, objects);
    }
    FLT_POSTOP_FINISHED_PROCESSING
}
