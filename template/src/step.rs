//! The steps of loading that can fail, and what a failure carries.

use core::ffi::CStr;

use wdk::nt_success;
use wdk_sys::NTSTATUS;

/// A step of loading that can fail.{% if event_log %} Its number is the `UniqueErrorValue` of the event log entry.{% endif %}
#[derive(Clone, Copy)]
pub enum Step {
    /// `FltRegisterFilter`.
    RegisterFilter = 1,
    /// `FltStartFiltering`.
    StartFiltering = 2,
{%- if parameters %}
    /// `IoOpenDriverRegistryKey`.
    OpenParameters = 3,
    /// `ZwQueryValueKey`.
    QueryParameter = 4,
{%- endif %}
{%- if control_device %}
    /// `IoCreateDeviceSecure`.
    CreateDevice = 5,
    /// `IoCreateSymbolicLink`.
    CreateSymbolicLink = 6,
    /// `IoRegisterShutdownNotification`.
    RegisterShutdownNotification = 7,
{%- endif %}
{%- if reinitialize %}
    /// `FltObjectReference`.
    ReferenceFilter = 8,
{%- endif %}
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
{%- if parameters %}
            Self::OpenParameters => c"IoOpenDriverRegistryKey",
            Self::QueryParameter => c"ZwQueryValueKey",
{%- endif %}
{%- if control_device %}
            Self::CreateDevice => c"IoCreateDeviceSecure",
            Self::CreateSymbolicLink => c"IoCreateSymbolicLink",
            Self::RegisterShutdownNotification => c"IoRegisterShutdownNotification",
{%- endif %}
{%- if reinitialize %}
            Self::ReferenceFilter => c"FltObjectReference",
{%- endif %}
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
