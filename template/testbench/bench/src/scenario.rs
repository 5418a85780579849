//! A scenario: what is done with the driver, the calls that fail meanwhile, and which thread runs when.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::trace::{Event, Kind, Stage, Trace};
use crate::vocabulary::status::Status;

/// What is done with the driver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Script {
    /// Load, every operation, `fltmc unload`; if that is refused, operations again and `sc stop`.
    Life,
    /// Load, a few operations, `sc stop` with operations in flight.
    ServiceStop,
    /// Load, a few operations, shutdown of the system, which unloads nothing.
    Shutdown,
    /// Load, a program opens the control device, `fltmc unload`, the program closes it, `sc stop`.
    DeviceInUse,
    /// Load, and `fltmc unload` before the reinitialization routine was called.
    EarlyUnload,
    /// Load with invalid settings in the registry, `fltmc unload`.
    OddSettings,
}

/// One act of a script: something that programs, the system or an administrator do after the driver was loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// The next part of the script begins.
    Stage(Stage),
    /// The routines run that the driver registered with `IoRegisterDriverReinitialization`.
    Reinitialize,
    /// Every operation, on every volume.
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
    /// A program opens the driver's device. If it cannot, the script ends.
    OpenDevice,
    /// The program flushes the device and closes it.
    CloseDevice,
    /// `fltmc detach` and `fltmc attach`, on the last volume.
    DetachAndAttach,
    /// `fltmc unload`, or with `mandatory` `sc stop`. If the driver is unloaded, the script ends.
    Unload {
        /// It cannot be refused.
        mandatory: bool,
    },
    /// The system shuts down. Nothing is unloaded, and the script ends.
    ShutDown,
}

impl Script {
    /// All of them, in their order.
    pub const ALL: [Script; 6] = [
        Script::Life,
        Script::ServiceStop,
        Script::Shutdown,
        Script::DeviceInUse,
        Script::EarlyUnload,
        Script::OddSettings,
    ];

    /// What is done after the driver was loaded.
    #[must_use]
    pub fn acts(self) -> &'static [Act] {
        use Act::{
            CloseDevice, Connect, DetachAndAttach, Disconnect, EveryOperation, FewOperations,
            OpenDevice, Reinitialize, SendMessages, ShutDown, Stage, Unload, UseDevice,
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
        }
    }

    /// Whether files can be opened after so many calls of a reinitialization routine. A driver that has one may be waiting
    /// for that: in one script it has to wait for three calls, in another for ever.
    #[must_use]
    pub fn files_can_be_opened(self, rounds: u32) -> bool {
        match self {
            Script::ServiceStop => !(1..=3).contains(&rounds),
            Script::Shutdown => rounds == 0,
            _ => true,
        }
    }

    /// Whether it says something about a driver that did this in its [`Script::Life`].
    #[must_use]
    pub fn concerns(self, life: &Trace) -> bool {
        let acquired = |wanted: Kind| {
            life.events
                .iter()
                .any(|event| matches!(event, Event::Acquire { kind, .. } if *kind == wanted))
        };
        match self {
            Script::Life | Script::ServiceStop | Script::Shutdown => true,
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
        })
    }
}

/// A call that does not do what it was asked to.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Fault {
    /// Which of the script's calls that can fail, counted from 0.
    pub point: u32,
    /// Its name, to be sure that the script is the same.
    pub function: String,
    /// Where the call stands in the driver.
    pub site: u32,
    /// The driver's routine that made it.
    pub within: String,
    /// What it returns instead.
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

/// What a call returns by the scenario's decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Injected {
    /// A status. One that is a success is returned after the call did its work.
    Status(Status),
    /// NULL, or FALSE.
    Zero,
}

impl Injected {
    /// Whether the call fails, so that nothing was done.
    #[must_use]
    pub fn is_failure(self) -> bool {
        match self {
            Injected::Status(status) => !status.is_success(),
            Injected::Zero => true,
        }
    }

    /// The status, where the call has one.
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

/// A script with the calls that fail in it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Scenario {
    /// What is done.
    pub script: Script,
    /// Volumes are attached only after `DriverEntry` returned, so that no callback runs before.
    pub quiet_start: bool,
    /// What fails.
    pub faults: Vec<Fault>,
    /// The driver's routines that are not called, by their labels: they call what the model does not have.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub leaves_out: Vec<String>,
    /// Where more than one thread can run: which does, by its place among them. The first does where nothing is said.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub schedule: Vec<u8>,
}

impl Scenario {
    /// A script in which nothing fails.
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

    /// The same with one more failure.
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
