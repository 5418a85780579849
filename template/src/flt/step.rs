//! The steps of loading that can fail, and what a failure carries.

use wdk::nt_success;
use wdk_sys::NTSTATUS;

use super::unicode::Text;

/// A step of loading that can fail.
///
/// The numbers of this layer are below 100; each is beside the function that it is for. A step of the
/// driver's own has a number from 100 on{% if testbench %}, and a line in `[load-failures]` of `testbench.toml`{% endif %}.
pub struct Step {
    /// The number, with which an entry in a log names the step.
    pub number: u32,
    /// The function that fails, which a reader of the log can look up.
    pub function: Text,
}

/// A step that failed, and its status, which `DriverEntry` returns.
pub struct Failure {
    /// The step.
    pub step: &'static Step,
    /// The status of its function.
    pub status: NTSTATUS,
}

impl Step {
    /// Declares a step.
    pub const fn new(number: u32, function: Text) -> Self {
        Self { number, function }
    }

    /// Turns the status of this step into a result. Only a warning or an error is a failure; an
    /// informational status is not ("Using NTSTATUS Values").
    ///
    /// # Errors
    ///
    /// The step and the status, unchanged.
    pub const fn check(&'static self, status: NTSTATUS) -> Result<(), Failure> {
        if nt_success(status) {
            Ok(())
        } else {
            Err(Failure { step: self, status })
        }
    }
}
