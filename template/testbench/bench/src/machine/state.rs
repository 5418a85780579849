//! The machine, which contains the state of the model.

use std::cell::{Cell, RefCell};
use std::sync::atomic::{AtomicPtr, Ordering};

use super::function::Function;
use super::record::Record;
use super::space::Memory;
use super::thread::{Thread, Threads};
use crate::act::Setup;
use crate::assume::Assumptions;
use crate::objects::{
    contexts::Contexts, devices::Devices, filter::Manager, locks::Locks, names::Names,
    pool::Lookasides, ports::Ports, programs::Programs, registry::Registry, volumes::Volumes,
    work::Work,
};
use crate::os::Use;
use crate::scenario::Scenario;
use crate::settings::Settings;
use crate::trace::{Ending, Kind, Routine};
use crate::vocabulary::injected::Injected;

/// A resource that the driver holds or held.
#[derive(Debug)]
pub struct Held {
    /// The kind.
    pub kind: Kind,
    /// The identification: an address or a handle.
    pub key: u64,
    /// The description, such as a name or a size.
    pub what: String,
    /// The driver holds the resource.
    pub live: bool,
}

/// The state of the simulated system.
#[derive(Debug)]
pub struct State {
    /// The scenario.
    pub scenario: Scenario,
    /// The name of the service, which is that of the file.
    pub service: String,
    /// The machine of a test, or `None` for a script.
    pub setup: Option<Setup>,
    /// The filter manager.
    pub filter: Manager,
    /// Volumes.
    pub volumes: Volumes,
    /// Contexts.
    pub contexts: Contexts,
    /// File name information.
    pub names: Names,
    /// Ports.
    pub ports: Ports,
    /// Locks and events.
    pub locks: Locks,
    /// Lookaside lists.
    pub lookasides: Lookasides,
    /// Devices.
    pub devices: Devices,
    /// Programs and their files.
    pub programs: Programs,
    /// The registry.
    pub registry: Registry,
    /// Work items, timers.
    pub work: Work,
    /// The clock, in units of 100 ns.
    pub clock: i64,
    /// The resources that the driver holds or held, in order of acquisition.
    pub held: Vec<Held>,
    /// The number of recorded events.
    pub events: u32,
    /// The number of calls that could fail.
    pub points: u32,
    /// A failure was injected.
    pub failed: bool,
    /// The function whose next call fails, and its result.
    pub fail_next: Option<(String, Injected)>,
    /// The number of scheduling decisions with more than one runnable thread.
    pub choices: usize,
}

/// The code to which the imports of the driver are bound.
#[derive(Debug, Default)]
pub struct Thunks {
    /// The base address.
    pub base: u64,
    /// The address of the next thunk.
    pub next: u64,
    /// The title and the address of each thunk.
    pub made: Vec<(String, u64)>,
}

/// The state of an instruction that is single-stepped with another page than the driver specified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// A register points to the replacement of the shared page: its number and its original value.
    Register(usize, u64),
    /// The current thread is visible through GS.
    Gs,
}

/// A function that raises an exception for an access to an address, or ends the scenario.
pub type Raise = fn(u64, Use, Ending) -> !;

/// The machine.
pub struct Machine {
    /// The simulated system.
    pub state: RefCell<State>,
    /// The address space.
    pub memory: RefCell<Memory>,
    /// The threads.
    pub threads: RefCell<Threads>,
    /// The code to which the imports of the driver are bound.
    pub thunks: RefCell<Thunks>,
    /// Objects that are created once, by name.
    pub once: RefCell<Vec<(String, u64)>>,
    /// The event record.
    pub record: Record,
    /// The functions of the model.
    pub functions: Vec<&'static Function>,
    /// The results of calls that the bench does not model.
    pub assumed: Assumptions,
    /// The function that handles an access to an address that cannot be mapped.
    pub raise: Cell<Raise>,
    /// The address of the page that replaces `KUSER_SHARED_DATA`, or 0 before it is created.
    pub shared_page: Cell<u64>,
    /// The address of the page that replaces the processor control region.
    pub control_region: Cell<u64>,
    /// The instruction that is being single-stepped.
    pub step: Cell<Option<Step>>,
}

impl Machine {
    /// Creates the machine for a scenario.
    #[must_use]
    pub fn new(
        scenario: Scenario,
        service: String,
        settings: &Settings,
        setup: Option<Setup>,
        assumed: Assumptions,
        functions: Vec<&'static Function>,
        raise: Raise,
    ) -> Self {
        let registry = Registry::new(&service, settings);
        let system = Thread {
            is_running: true,
            ..Thread::default()
        };
        Machine {
            state: RefCell::new(State {
                scenario,
                service,
                setup,
                filter: Manager::default(),
                volumes: Volumes::default(),
                contexts: Contexts::default(),
                names: Names::default(),
                ports: Ports::default(),
                locks: Locks::default(),
                lookasides: Lookasides::default(),
                devices: Devices::default(),
                programs: Programs::default(),
                registry,
                work: Work::default(),
                clock: 0x01DB_0000_0000_0000,
                held: Vec::new(),
                events: 0,
                points: 0,
                failed: false,
                fail_next: None,
                choices: 0,
            }),
            memory: RefCell::default(),
            threads: RefCell::new(Threads {
                all: vec![system],
                ..Threads::default()
            }),
            thunks: RefCell::default(),
            once: RefCell::default(),
            record: Record::default(),
            functions,
            assumed,
            raise: Cell::new(raise),
            shared_page: Cell::new(0),
            control_region: Cell::new(0),
            step: Cell::new(None),
        }
    }
}

/// The machine of this process. Trap handlers and the functions that the driver calls access it.
static MACHINE: AtomicPtr<Machine> = AtomicPtr::new(std::ptr::null_mut());

/// Installs the machine of this process, for the lifetime of the process.
pub fn install(machine: Machine) {
    MACHINE.store(Box::into_raw(Box::new(machine)), Ordering::Release);
}

/// Returns the machine of this process, if there is one.
#[must_use]
pub fn installed() -> Option<&'static Machine> {
    // SAFETY: the pointer is null or comes from `install`, which leaked the machine. Only the thread that called
    // `install` runs the model.
    unsafe { MACHINE.load(Ordering::Acquire).as_ref() }
}

/// Returns the machine of this process.
///
/// # Panics
///
/// Panics if [`install`] was not called.
#[must_use]
pub fn machine() -> &'static Machine {
    installed().expect("the model runs on a machine")
}

/// Accesses the state of the system. The driver must not run during `action`.
pub fn with<T>(action: impl FnOnce(&mut State) -> T) -> T {
    action(&mut machine().state.borrow_mut())
}

/// Accesses the current thread. The driver must not run during `action`.
pub fn with_thread<T>(action: impl FnOnce(&mut Thread) -> T) -> T {
    let mut threads = machine().threads.borrow_mut();
    let current = threads.current;
    action(&mut threads.all[current])
}

/// Returns whether a test runs, and not a script.
#[must_use]
pub fn is_test() -> bool {
    with(|state| state.setup.is_some())
}

/// Returns whether the scenario omits a driver routine. The system then behaves as if the driver did not have the
/// routine.
#[must_use]
pub fn left_out(routine: &Routine) -> bool {
    with(|state| {
        let leaves_out = &state.scenario.leaves_out;
        !leaves_out.is_empty() && leaves_out.contains(&routine.label())
    })
}
