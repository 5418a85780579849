//! A scenario: the actions on the driver, the calls that fail, and the thread schedule.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::act::Act;
use crate::settings::Settings;
use crate::trace::{Event, Kind, Stage, Trace};
use crate::vocabulary::buffers;
pub use crate::vocabulary::injected::Injected;

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
    /// Load, `fltmc unload`, and a program opens the control device while the driver releases it.
    OpenDuringUnload,
    /// Load, and `fltmc unload` before the reinitialization routine is called.
    EarlyUnload,
    /// Load, all operations, `sc stop`. The buffers of programs become invalid while callbacks run.
    InvalidBuffers,
    /// Load with invalid settings in the registry, `fltmc unload`.
    OddSettings,
    /// Load with values of the settings that are within the limits, `fltmc unload`.
    GoodSettings,
    /// Load, and another thread unloads the driver before `FltStartFiltering` returns.
    UnloadWhileStarting,
    /// Load, and the acts of a test.
    Test,
}

/// The lengths of the input and of the output buffer of messages and control codes: none, one that is too short, and
/// others. The input has zeroes.
const BUFFERS: [(usize, u32); 4] = [(0, 0), (1, 0), (16, 0), (64, 256)];

/// Returns the messages of a program.
fn messages() -> Vec<Act> {
    let message = |(input, output): (usize, u32)| Act::Message {
        input: vec![0; input],
        output,
    };
    BUFFERS.map(message).to_vec()
}

impl Script {
    /// The scripts that the bench runs, in order.
    pub const ALL: [Script; 9] = [
        Script::Life,
        Script::ServiceStop,
        Script::Shutdown,
        Script::DeviceInUse,
        Script::OpenDuringUnload,
        Script::EarlyUnload,
        Script::OddSettings,
        Script::InvalidBuffers,
        Script::UnloadWhileStarting,
    ];

    /// Returns the acts after the driver was loaded. The script ends when the driver is unloaded.
    #[must_use]
    pub fn acts(self) -> Vec<Act> {
        let stage = |stage| vec![Act::Stage { stage }];
        let operations = || stage(Stage::Operations);
        let unload = |mandatory| {
            let request = Act::Unload { mandatory };
            [stage(Stage::Unload), vec![request]].concat()
        };
        let every = || vec![Act::Operations { every: true }];
        let few = || vec![Act::Operations { every: false }];
        let reinitialize = || vec![Act::Reinitialize];
        let open = || vec![Act::OpenDevice { name: None }];
        let flush_and_close = || vec![Act::FlushDevice, Act::CloseDevice];
        let detach_and_attach = || vec![Act::Detach { volume: None }, Act::Attach { volume: None }];
        let connect = || {
            vec![Act::Connect {
                port: None,
                context: Vec::new(),
            }]
        };
        match self {
            Script::Life => [
                reinitialize(),
                operations(),
                every(),
                connect(),
                few(),
                messages(),
                vec![Act::Disconnect],
                open(),
                open(),
                vec![Act::ControlDevice {
                    code: 0x0022_FFFC,
                    input: Vec::new(),
                    output: 0,
                }],
                flush_and_close(),
                vec![Act::CloseDevice],
                detach_and_attach(),
                stage(Stage::Before),
                few(),
                connect(),
                unload(false),
                stage(Stage::Again),
                few(),
                unload(true),
            ]
            .concat(),
            Script::ServiceStop => [
                reinitialize(),
                operations(),
                few(),
                connect(),
                messages(),
                vec![Act::Disconnect],
                unload(true),
            ]
            .concat(),
            Script::Shutdown => [reinitialize(), operations(), few(), vec![Act::ShutDown]].concat(),
            Script::DeviceInUse => [
                reinitialize(),
                open(),
                stage(Stage::Before),
                few(),
                unload(false),
                stage(Stage::Again),
                few(),
                flush_and_close(),
                unload(true),
            ]
            .concat(),
            Script::OpenDuringUnload => [reinitialize(), unload(false), unload(true)].concat(),
            Script::EarlyUnload => [unload(false), reinitialize(), unload(true)].concat(),
            Script::OddSettings | Script::GoodSettings => [
                reinitialize(),
                operations(),
                few(),
                detach_and_attach(),
                unload(false),
                unload(true),
            ]
            .concat(),
            Script::InvalidBuffers => {
                [reinitialize(), operations(), every(), unload(true)].concat()
            }
            Script::UnloadWhileStarting => [
                reinitialize(),
                vec![Act::AwaitUnload],
                unload(false),
                unload(true),
            ]
            .concat(),
            // A test sends its acts itself.
            Script::Test => Vec::new(),
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

    /// Returns whether the buffers of programs become invalid while callbacks run.
    #[must_use]
    pub fn invalidates_buffers(self) -> bool {
        self == Script::InvalidBuffers
    }

    /// Returns whether the driver need not load. A test decides itself what it expects.
    #[must_use]
    pub fn may_fail_to_load(self) -> bool {
        matches!(self, Script::OddSettings | Script::Test)
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
            Script::Life | Script::ServiceStop | Script::Shutdown | Script::Test => true,
            Script::UnloadWhileStarting => life
                .registration()
                .is_some_and(|registration| registration.unload),
            Script::InvalidBuffers => life.registration().is_some_and(|registration| {
                let mut operations = registration.operations.iter();
                operations.any(|major| buffers::of(*major).is_some_and(|of| of.mdl.is_some()))
            }),
            Script::DeviceInUse | Script::OpenDuringUnload => acquired(Kind::Device),
            Script::EarlyUnload => acquired(Kind::Reinitialization),
            // With the values of the expectations.
            Script::GoodSettings => false,
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
            Script::OpenDuringUnload => {
                "load, fltmc unload during which the control device is opened"
            }
            Script::EarlyUnload => "load, fltmc unload before the reinitialization",
            Script::InvalidBuffers => "load, operations with user buffers that become invalid",
            Script::OddSettings => "load with odd settings in the registry, fltmc unload",
            Script::GoodSettings => "load with good settings in the registry, fltmc unload",
            Script::UnloadWhileStarting => "load, unload before FltStartFiltering returns",
            Script::Test => "a test",
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

/// A script with injected faults.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Scenario {
    /// The script.
    pub script: Script,
    /// Volumes are attached only after `DriverEntry` returned, so that no callback runs before.
    pub quiet_start: bool,
    /// The injected faults.
    pub faults: Vec<Fault>,
    /// The values of settings.
    #[serde(skip_serializing_if = "Settings::is_empty", default)]
    pub values: Settings,
    /// The control codes of the driver's device.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub codes: Vec<u32>,
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
            values: Settings::default(),
            codes: Vec::new(),
            leaves_out: Vec::new(),
            schedule: Vec::new(),
        }
    }

    /// Returns the acts after the driver was loaded. With the control codes of the driver, those of the script that sends
    /// an unknown one.
    #[must_use]
    pub fn acts(&self) -> Vec<Act> {
        let mut acts = self.script.acts();
        let codes = self.codes.iter().flat_map(|code| {
            BUFFERS.map(|(input, output)| Act::ControlDevice {
                code: *code,
                input: vec![0; input],
                output,
            })
        });
        let is_code = |act: &Act| matches!(act, Act::ControlDevice { .. });
        if let Some(at) = acts.iter().position(is_code) {
            acts.splice(at..at, codes);
        }
        acts
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
        for value in self.values.all() {
            write!(f, "; {} is {}", value.name, value.text)?;
        }
        for fault in &self.faults {
            write!(f, "; {fault}")?;
        }
        Ok(())
    }
}
