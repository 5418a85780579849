//! A scenario: the actions on the driver, the calls that fail, and the thread schedule.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::trace::{Event, Kind, Stage, Trace};
use crate::vocabulary::status::Status;

/// The actions on the driver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Script {
    /// Load, all operations, `fltmc unload`. If that is refused, operations again and `sc stop`.
    Life,
    /// Load, a few operations, `sc stop` with operations in flight.
    ServiceStop,
    /// Load, a few operations, system shutdown without an unload.
    Shutdown,
    /// Load, a program opens the control device, `fltmc unload`, the program closes the device, `sc stop`.
    DeviceInUse,
    /// Load, and `fltmc unload` before the reinitialization routine is called.
    EarlyUnload,
    /// Load with invalid settings in the registry, `fltmc unload`.
    OddSettings,
    /// Load, and another thread unloads the driver before `FltStartFiltering` returns.
    UnloadWhileStarting,
}

/// A step of a script: an action of a program, of the system or of an administrator after the driver was loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// The next stage of the script begins.
    Stage(Stage),
    /// The reinitialization routines run.
    Reinitialize,
    /// All operations, on every volume.
    EveryOperation,
    /// A few operations, on every volume.
    FewOperations,
    /// A program connects to the driver's port.
    Connect,
    /// The program sends messages.
    SendMessages,
    /// The program disconnects.
    Disconnect,
    /// A program opens the driver's device, sends a control code, flushes and closes it.
    UseDevice,
    /// A program opens the driver's device. If that fails, the script ends.
    OpenDevice,
    /// The program flushes the device and closes it.
    CloseDevice,
    /// Waits for an unload that is in progress. If the driver is unloaded, the script ends.
    AwaitUnload,
    /// `fltmc detach` and `fltmc attach`, on the last volume.
    DetachAndAttach,
    /// `fltmc unload`, or `sc stop` if `mandatory` is set. If the driver is unloaded, the script ends.
    Unload {
        /// The driver cannot refuse the unload.
        mandatory: bool,
    },
    /// The system shuts down. The driver is not unloaded, and the script ends.
    ShutDown,
}

impl Script {
    /// All scripts, in order.
    pub const ALL: [Script; 7] = [
        Script::Life,
        Script::ServiceStop,
        Script::Shutdown,
        Script::DeviceInUse,
        Script::EarlyUnload,
        Script::OddSettings,
        Script::UnloadWhileStarting,
    ];

    /// Returns the steps after the driver was loaded.
    #[must_use]
    pub fn acts(self) -> &'static [Act] {
        use Act::{
            AwaitUnload, CloseDevice, Connect, DetachAndAttach, Disconnect, EveryOperation,
            FewOperations, OpenDevice, Reinitialize, SendMessages, ShutDown, Stage, Unload,
            UseDevice,
        };
        const OPERATIONS: Act = Stage(crate::trace::Stage::Operations);
        const BEFORE: Act = Stage(crate::trace::Stage::Before);
        const UNLOAD: Act = Stage(crate::trace::Stage::Unload);
        const AGAIN: Act = Stage(crate::trace::Stage::Again);
        const FLTMC_UNLOAD: Act = Unload { mandatory: false };
        const SC_STOP: Act = Unload { mandatory: true };
        match self {
            Script::Life => &[
                Reinitialize,
                OPERATIONS,
                EveryOperation,
                Connect,
                SendMessages,
                Disconnect,
                UseDevice,
                DetachAndAttach,
                BEFORE,
                FewOperations,
                Connect,
                UNLOAD,
                FLTMC_UNLOAD,
                AGAIN,
                FewOperations,
                UNLOAD,
                SC_STOP,
            ],
            Script::ServiceStop => &[
                Reinitialize,
                OPERATIONS,
                FewOperations,
                Connect,
                SendMessages,
                Disconnect,
                UNLOAD,
                SC_STOP,
            ],
            Script::Shutdown => &[Reinitialize, OPERATIONS, FewOperations, ShutDown],
            Script::DeviceInUse => &[
                Reinitialize,
                OpenDevice,
                BEFORE,
                FewOperations,
                UNLOAD,
                FLTMC_UNLOAD,
                AGAIN,
                FewOperations,
                CloseDevice,
                UNLOAD,
                SC_STOP,
            ],
            Script::EarlyUnload => &[UNLOAD, FLTMC_UNLOAD, Reinitialize, UNLOAD, SC_STOP],
            Script::OddSettings => &[
                Reinitialize,
                OPERATIONS,
                FewOperations,
                UNLOAD,
                FLTMC_UNLOAD,
                UNLOAD,
                SC_STOP,
            ],
            Script::UnloadWhileStarting => &[
                Reinitialize,
                AwaitUnload,
                UNLOAD,
                FLTMC_UNLOAD,
                UNLOAD,
                SC_STOP,
            ],
        }
    }

    /// Returns whether files can be opened after a number of calls of a reinitialization routine. A driver with such a
    /// routine can wait for this. In one script, it becomes true after three calls. In another, it never does.
    #[must_use]
    pub fn files_can_be_opened(self, rounds: u32) -> bool {
        match self {
            Script::ServiceStop => !(1..=3).contains(&rounds),
            Script::Shutdown => rounds == 0,
            _ => true,
        }
    }

    /// Returns whether the script is only for drivers with expectations. No document mentions such an unload, so other
    /// drivers need not expect one.
    #[must_use]
    pub fn needs_expectations(self) -> bool {
        matches!(self, Script::UnloadWhileStarting)
    }

    /// Returns whether the script applies to a driver with this trace of [`Script::Life`].
    #[must_use]
    pub fn concerns(self, life: &Trace) -> bool {
        let acquired = |wanted: Kind| {
            life.events
                .iter()
                .any(|event| matches!(event, Event::Acquire { kind, .. } if *kind == wanted))
        };
        match self {
            Script::Life | Script::ServiceStop | Script::Shutdown => true,
            Script::UnloadWhileStarting => life
                .registration()
                .is_some_and(|registration| registration.unload),
            Script::DeviceInUse => acquired(Kind::Device),
            Script::EarlyUnload => acquired(Kind::Reinitialization),
            Script::OddSettings => life
                .events
                .iter()
                .any(|event| matches!(event, Event::NotInRegistry { value: Some(_), .. })),
        }
    }
}

impl fmt::Display for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Script::Life => "load, operations, fltmc unload",
            Script::ServiceStop => "load, sc stop",
            Script::Shutdown => "load, system shutdown",
            Script::DeviceInUse => "load, fltmc unload while the control device is open",
            Script::EarlyUnload => "load, fltmc unload before the reinitialization",
            Script::OddSettings => "load with odd settings in the registry, fltmc unload",
            Script::UnloadWhileStarting => "load, unload before FltStartFiltering returns",
        })
    }
}

/// An injected result of a call.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Fault {
    /// The index of the call among the calls of the script that can fail.
    pub point: u32,
    /// The name of the function. It is used to check that the run matches the earlier one.
    pub function: String,
    /// The address of the call.
    pub site: u32,
    /// The driver routine that makes the call.
    pub within: String,
    /// The injected result.
    pub result: Injected,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} in {} returns {}",
            self.function, self.within, self.result
        )
    }
}

/// A result that a scenario injects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Injected {
    /// A status. A success status is returned after the function has run.
    Status(Status),
    /// NULL, or FALSE.
    Zero,
}

impl Injected {
    /// Returns whether the call fails. Then the function does not run.
    #[must_use]
    pub fn is_failure(self) -> bool {
        match self {
            Injected::Status(status) => !status.is_success(),
            Injected::Zero => true,
        }
    }

    /// Returns the status, if there is one.
    #[must_use]
    pub fn status(self) -> Option<Status> {
        match self {
            Injected::Status(status) => Some(status),
            Injected::Zero => None,
        }
    }
}

impl fmt::Display for Injected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Injected::Status(status) => fmt::Display::fmt(status, f),
            Injected::Zero => f.write_str("NULL"),
        }
    }
}

/// A script with injected faults.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Scenario {
    /// The script.
    pub script: Script,
    /// Volumes are attached only after `DriverEntry` returned, so that no callback runs before.
    pub quiet_start: bool,
    /// The injected faults.
    pub faults: Vec<Fault>,
    /// The labels of driver routines that are not called, because they make calls that the bench does not model.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub leaves_out: Vec<String>,
    /// The scheduling decisions: the index of the thread to run, for each point at which several threads can run. The
    /// default is the first thread.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub schedule: Vec<u8>,
}

impl Scenario {
    /// Creates a scenario without faults.
    #[must_use]
    pub fn clean(script: Script) -> Self {
        Scenario {
            script,
            quiet_start: false,
            faults: Vec::new(),
            leaves_out: Vec::new(),
            schedule: Vec::new(),
        }
    }

    /// Returns the scenario with an additional fault.
    #[must_use]
    pub fn with(&self, fault: Fault) -> Self {
        let mut more = self.clone();
        more.faults.push(fault);
        more
    }
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.script)?;
        for fault in &self.faults {
            write!(f, "; {fault}")?;
        }
        Ok(())
    }
}
