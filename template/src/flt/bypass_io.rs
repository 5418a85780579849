//! Vetoes of `BypassIO`, with which noncached reads skip all filters ("`BypassIO` for filter
//! drivers").

use core::mem;

use wdk::nt_success;
use wdk_sys::{NTSTATUS, PCUNICODE_STRING, PVOID};

use super::{
    answer::Answer,
    bindings::{
        _FLT_PREOP_CALLBACK_STATUS::FLT_PREOP_SUCCESS_NO_CALLBACK, FLT_PREOP_CALLBACK_STATUS,
        FltGetRoutineAddress, PCFLT_RELATED_OBJECTS, PFLT_CALLBACK_DATA,
    },
    callbacks::{Callbacks, OperationRegistration, post_callback, pre_operation},
    data::PreOperation,
    operation::{FileSystemControl, Operation},
    published::Minifilter,
    status::ErrorStatus,
    unicode::Text,
};

/// Why a filter does not support `BypassIO`.
pub trait BypassIo: Minifilter {
    /// The status that the program receives, for example `STATUS_NOT_SUPPORTED_WITH_MONITORING`.
    const STATUS: ErrorStatus;

    /// The reason in English, at most 128 characters, which `fsutil bypassIo state` shows.
    const REASON: Text;

    /// Returns whether the filter vetoes `BypassIO` for the file of this request. IRQL <=
    /// `APC_LEVEL`.
    fn vetoes(&self, data: &mut PreOperation<'_, FileSystemControl>) -> bool;
}

/// `FSCTL_MANAGE_BYPASS_IO`, which older headers do not have, like the rest below.
const FSCTL_MANAGE_BYPASS_IO: u32 = 0x0009_0448;

/// `FS_BPIO_OP_ENABLE`.
const ENABLE: u32 = 1;

/// `FS_BPIO_OP_QUERY`.
const QUERY: u32 = 3;

/// The size of `FS_BPIO_INPUT` in bytes.
const INPUT_SIZE: u32 = 24;

/// The size of `FS_BPIO_OUTPUT` in bytes.
const OUTPUT_SIZE: usize = 352;

/// `FltVetoBypassIo`, from Windows 11 on; IRQL <= `APC_LEVEL`.
type FltVetoBypassIo = unsafe extern "C" fn(
    PFLT_CALLBACK_DATA,
    PCFLT_RELATED_OBJECTS,
    NTSTATUS,
    PCUNICODE_STRING,
) -> NTSTATUS;

impl<S: Minifilter> OperationRegistration<S> {
    /// Registers the callbacks of `IRP_MJ_FILE_SYSTEM_CONTROL`. Requests that enable or query
    /// `BypassIO` are vetoed; the callbacks see the others.
    pub const fn of_file_system_control_and_bypass_io() -> Self
    where
        S: Callbacks<FileSystemControl> + BypassIo,
    {
        Self::new(
            FileSystemControl::MAJOR_FUNCTION,
            <S as Callbacks<FileSystemControl>>::FLAGS,
            Some(veto_or_pre_operation::<S>),
            post_callback::<S, FileSystemControl>(),
        )
    }

    /// Registers `IRP_MJ_FILE_SYSTEM_CONTROL` for vetoing `BypassIO` alone.
    pub const fn of_bypass_io() -> Self
    where
        S: BypassIo,
    {
        Self::new(
            FileSystemControl::MAJOR_FUNCTION,
            0,
            Some(veto_or_pass::<S>),
            None,
        )
    }
}

/// Returns the answer to a request that enables or queries `BypassIO`, if the filter vetoes it. Other
/// requests must not be failed ("`BypassIO` operations").
fn answer_to<S: BypassIo>(
    state: &S,
    data: &mut PreOperation<'_, FileSystemControl>,
) -> Option<Answer<FileSystemControl, ()>> {
    if data.control_code() != Some(FSCTL_MANAGE_BYPASS_IO) || data.input_length() < INPUT_SIZE {
        return None;
    }
    // SAFETY: the method of the control code is METHOD_BUFFERED: the input is in the system buffer.
    let operation = unsafe { data.system_buffer().cast::<u32>().read_unaligned() };
    if !matches!(operation, ENABLE | QUERY) || !state.vetoes(data) {
        return None;
    }
    // SAFETY: a name that ends in a NUL.
    let address = unsafe { FltGetRoutineAddress(c"FltVetoBypassIo".as_ptr()) };
    if address.is_null() {
        // A Windows without BypassIO: the file system refuses the request.
        return None;
    }
    // SAFETY: the filter manager exports the function with this type.
    let flt_veto_bypass_io: FltVetoBypassIo = unsafe { mem::transmute(address) };
    let reason = S::REASON.counted();
    // SAFETY: a pre-operation callback of the control code with its arguments, and a string that is
    // only read.
    let status = unsafe {
        flt_veto_bypass_io(
            data.as_ptr(),
            data.objects(),
            S::STATUS.get(),
            &raw const reason,
        )
    };
    let information = if nt_success(status) { OUTPUT_SIZE } else { 0 };
    Some(Answer::completed(status, information))
}

unsafe extern "C" fn veto_or_pre_operation<S: Callbacks<FileSystemControl> + BypassIo>(
    data: PFLT_CALLBACK_DATA,
    objects: PCFLT_RELATED_OBJECTS,
    completion_context: *mut PVOID,
) -> FLT_PREOP_CALLBACK_STATUS {
    // SAFETY: the arguments of this callback.
    let vetoed = unsafe { veto::<S>(data, objects, completion_context) };
    // SAFETY: likewise.
    vetoed.unwrap_or_else(|| unsafe {
        pre_operation::<S, FileSystemControl>(data, objects, completion_context)
    })
}

unsafe extern "C" fn veto_or_pass<S: BypassIo>(
    data: PFLT_CALLBACK_DATA,
    objects: PCFLT_RELATED_OBJECTS,
    completion_context: *mut PVOID,
) -> FLT_PREOP_CALLBACK_STATUS {
    // SAFETY: the arguments of this callback.
    let vetoed = unsafe { veto::<S>(data, objects, completion_context) };
    vetoed.unwrap_or(FLT_PREOP_SUCCESS_NO_CALLBACK)
}

/// Vetoes `BypassIO`, if that is requested.
///
/// # Safety
///
/// The arguments are those of a pre-operation callback of `IRP_MJ_FILE_SYSTEM_CONTROL`.
unsafe fn veto<S: BypassIo>(
    data: PFLT_CALLBACK_DATA,
    objects: PCFLT_RELATED_OBJECTS,
    completion_context: *mut PVOID,
) -> Option<FLT_PREOP_CALLBACK_STATUS> {
    // SAFETY: FltUnregisterFilter waits for this callback.
    let state = unsafe { S::published().in_callback() };
    // SAFETY: the caller's contract.
    let mut data = unsafe { PreOperation::new(data, objects) };
    let answer = answer_to(state, &mut data)?;
    // SAFETY: the filter manager passes the place of the completion context.
    Some(unsafe { answer.into_status(&mut data, completion_context) })
}
