//! The steps of loading that can fail, and what a failure carries.

use core::ffi::CStr;

use wdk::nt_success;
use wdk_sys::NTSTATUS;

/// A step of loading that can fail. Its number is the `UniqueErrorValue` of the event log entry.
#[derive(Clone, Copy)]
pub enum Step {
    /// `FltRegisterFilter`.
    RegisterFilter = 1,
    /// `FltStartFiltering`.
    StartFiltering = 2,
    /// `IoOpenDriverRegistryKey`.
    OpenParameters = 3,
    /// `ZwQueryValueKey`.
    QueryParameter = 4,
    /// `IoCreateDeviceSecure`.
    CreateDevice = 5,
    /// `IoCreateSymbolicLink`.
    CreateSymbolicLink = 6,
    /// `IoRegisterShutdownNotification`.
    RegisterShutdownNotification = 7,
    /// `FltObjectReference`.
    ReferenceFilter = 8,
}

/// A step that failed, with its own status: the one that `DriverEntry` returns.
pub struct Failure {
    /// Which step.
    pub step: Step,
    /// What it answered.
    pub status: NTSTATUS,
}

impl Step {
    /// The name that a reader of the log can look up: the function that failed.
    pub const fn name(self) -> &'static CStr {
        match self {
            Self::RegisterFilter => c"FltRegisterFilter",
            Self::StartFiltering => c"FltStartFiltering",
            Self::OpenParameters => c"IoOpenDriverRegistryKey",
            Self::QueryParameter => c"ZwQueryValueKey",
            Self::CreateDevice => c"IoCreateDeviceSecure",
            Self::CreateSymbolicLink => c"IoCreateSymbolicLink",
            Self::RegisterShutdownNotification => c"IoRegisterShutdownNotification",
            Self::ReferenceFilter => c"FltObjectReference",
        }
    }

    /// Turns the status of this step into a result. Only a warning or an error is a failure; an
    /// informational status is not ("Using NTSTATUS Values").
    ///
    /// # Errors
    ///
    /// The step and the status, unchanged.
    pub const fn check(self, status: NTSTATUS) -> Result<(), Failure> {
        if nt_success(status) {
            Ok(())
        } else {
            Err(Failure { step: self, status })
        }
    }
}
