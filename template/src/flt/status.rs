//! Statuses that are known to be an error, or to be final.

use wdk::nt_success;
use wdk_sys::{NTSTATUS, STATUS_PENDING, STATUS_REPARSE, STATUS_SUCCESS};

/// `STATUS_FLT_DISALLOW_FAST_IO`, which the filter manager itself stores in a callback data.
const STATUS_FLT_DISALLOW_FAST_IO: NTSTATUS = 0xC01C_0004_u32.cast_signed();

/// A status for which `NT_SUCCESS` is false: a warning or an error.
///
/// # Invariants
///
/// `NT_SUCCESS` is false for the status, and it is not `STATUS_FLT_DISALLOW_FAST_IO`, with which no
/// operation may be completed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ErrorStatus(NTSTATUS);

impl ErrorStatus {
    /// Returns the constant `STATUS`, for example `ErrorStatus::of::<STATUS_ACCESS_DENIED>()`. A
    /// constant that is no error does not compile.
    pub const fn of<const STATUS: NTSTATUS>() -> Self {
        const {
            assert!(
                is_error(STATUS),
                "the status is not an error with which an operation may fail"
            );
        };
        Self(STATUS)
    }

    /// Returns `status` if it is an error.
    pub const fn new(status: NTSTATUS) -> Option<Self> {
        if is_error(status) {
            Some(Self(status))
        } else {
            None
        }
    }

    /// Returns the status.
    pub const fn get(self) -> NTSTATUS {
        self.0
    }
}

/// Returns what the status of a call says. Only a warning or an error is a failure; an informational
/// status is not ("Using NTSTATUS Values").
///
/// # Errors
///
/// The status, if `NT_SUCCESS` is false for it.
pub const fn check(status: NTSTATUS) -> Result<(), ErrorStatus> {
    if nt_success(status) {
        Ok(())
    } else {
        Err(ErrorStatus(status))
    }
}

const fn is_error(status: NTSTATUS) -> bool {
    !nt_success(status) && status != STATUS_FLT_DISALLOW_FAST_IO
}

/// A status with which a filter may complete an operation.
///
/// # Invariants
///
/// The status is neither `STATUS_PENDING` nor `STATUS_FLT_DISALLOW_FAST_IO` ("Completing an I/O
/// Operation in a Preoperation Callback Routine"), nor `STATUS_REPARSE`, which is for a create.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FinalStatus(NTSTATUS);

impl FinalStatus {
    /// `STATUS_SUCCESS`.
    pub const SUCCESS: Self = Self(STATUS_SUCCESS);

    /// Returns the constant `STATUS`, for example `FinalStatus::of::<STATUS_BUFFER_OVERFLOW>()`. A
    /// constant that is not final does not compile.
    pub const fn of<const STATUS: NTSTATUS>() -> Self {
        const {
            assert!(
                is_final(STATUS),
                "an operation may not be completed with this status"
            );
        };
        Self(STATUS)
    }

    /// Returns `status` if it is final.
    pub const fn new(status: NTSTATUS) -> Option<Self> {
        if is_final(status) {
            Some(Self(status))
        } else {
            None
        }
    }

    /// Returns the status.
    pub const fn get(self) -> NTSTATUS {
        self.0
    }
}

impl From<ErrorStatus> for FinalStatus {
    fn from(status: ErrorStatus) -> Self {
        Self(status.0)
    }
}

const fn is_final(status: NTSTATUS) -> bool {
    status != STATUS_PENDING && status != STATUS_REPARSE && status != STATUS_FLT_DISALLOW_FAST_IO
}
