//! The machine: one value that owns all state of the model.

use std::cell::{Cell, RefCell};
use std::sync::atomic::{AtomicPtr, Ordering};

use super::function::Function;
use super::record::Record;
use super::space::Memory;
use super::thread::{Thread, Threads};
use crate::assume::Assumptions;
use crate::objects::{
    contexts::Contexts, devices::Devices, filter::Manager, locks::Locks, names::Names,
    pool::Lookasides, ports::Ports, registry::Registry, volumes::Volumes, work::Work,
};
use crate::os::Use;
use crate::scenario::Scenario;
use crate::settings::Settings;
use crate::trace::{Ending, Kind, Routine};

/// Something that the driver holds or held.
#[derive(Debug)]
pub struct Held {
    /// What it is.
    pub kind: Kind,
    /// What finds it again: an address, a handle.
    pub key: u64,
    /// Its name, size or the like.
    pub what: String,
    /// It is held now.
    pub live: bool,
}

/// The state of the simulated system.
#[derive(Debug)]
pub struct State {
    /// What is to happen.
    pub scenario: Scenario,
    /// The service's name, which is the file's.
    pub service: String,
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
    /// The registry.
    pub registry: Registry,
    /// Work items, timers.
    pub work: Work,
    /// The clock, in units of 100 ns.
    pub clock: i64,
    /// What the driver holds or held, in the order of acquiring.
    pub held: Vec<Held>,
    /// How many events were recorded.
    pub events: u32,
    /// How many calls were made that can fail.
    pub points: u32,
    /// A call was made to fail.
    pub failed: bool,
    /// How often the system had a choice which thread runs next.
    pub choices: usize,
}

/// The code through which the driver's imports lead.
#[derive(Debug, Default)]
pub struct Thunks {
    /// Where it begins.
    pub base: u64,
    /// Where the next thunk is written.
    pub next: u64,
    /// Module, function and address of each thunk.
    pub made: Vec<(String, u64)>,
}

/// An instruction that is carried out on another page than the driver asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// A register points to the stand-in of the shared page: its number, and its value before.
    Register(usize, u64),
    /// The current thread is visible through GS.
    Gs,
}

/// Raises an exception for an access to an address, or ends the scenario.
pub type Raise = fn(u64, Use, Ending) -> !;

/// The machine.
pub struct Machine {
    /// The simulated system.
    pub state: RefCell<State>,
    /// The address space.
    pub memory: RefCell<Memory>,
    /// The threads.
    pub threads: RefCell<Threads>,
    /// The code through which the driver's imports lead.
    pub thunks: RefCell<Thunks>,
    /// What is made once and found again by its name.
    pub once: RefCell<Vec<(String, u64)>>,
    /// What is recorded.
    pub record: Record,
    /// The functions of the model.
    pub functions: Vec<&'static Function>,
    /// What calls return that the model does not have.
    pub assumed: Assumptions,
    /// What an access to an address does in which there can be no memory.
    pub raise: Cell<Raise>,
    /// The page that stands in for `KUSER_SHARED_DATA`; 0 before it is made.
    pub shared_page: Cell<u64>,
    /// The page that stands in for the processor control region.
    pub control_region: Cell<u64>,
    /// The instruction that is under way.
    pub step: Cell<Option<Step>>,
}

impl Machine {
    /// A machine for a scenario, on which nothing has happened yet.
    #[must_use]
    pub fn new(
        scenario: Scenario,
        service: String,
        settings: &Settings,
        assumed: Assumptions,
        functions: Vec<&'static Function>,
        record: Record,
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
                filter: Manager::default(),
                volumes: Volumes::default(),
                contexts: Contexts::default(),
                names: Names::default(),
                ports: Ports::default(),
                locks: Locks::default(),
                lookasides: Lookasides::default(),
                devices: Devices::default(),
                registry,
                work: Work::default(),
                clock: 0x01DB_0000_0000_0000,
                held: Vec::new(),
                events: 0,
                points: 0,
                failed: false,
                choices: 0,
            }),
            memory: RefCell::default(),
            threads: RefCell::new(Threads {
                all: vec![system],
                ..Threads::default()
            }),
            thunks: RefCell::default(),
            once: RefCell::default(),
            record,
            functions,
            assumed,
            raise: Cell::new(raise),
            shared_page: Cell::new(0),
            control_region: Cell::new(0),
            step: Cell::new(None),
        }
    }
}

/// The machine of this process. A trap handler must reach it, and the functions that the driver calls.
static MACHINE: AtomicPtr<Machine> = AtomicPtr::new(std::ptr::null_mut());

/// Makes a machine that of this process, for the rest of its life.
pub fn install(machine: Machine) {
    MACHINE.store(Box::into_raw(Box::new(machine)), Ordering::Release);
}

/// The machine of this process, if there is one.
#[must_use]
pub fn installed() -> Option<&'static Machine> {
    // SAFETY: the pointer is null or that of a machine that `install` leaked, and only the thread that installed it runs
    // the model.
    unsafe { MACHINE.load(Ordering::Acquire).as_ref() }
}

/// The machine of this process.
///
/// # Panics
///
/// If there is none: the model runs only after [`install`].
#[must_use]
pub fn machine() -> &'static Machine {
    installed().expect("the model runs on a machine")
}

/// Looks at the state of the system or changes it. Not to be held while the driver runs.
pub fn with<T>(action: impl FnOnce(&mut State) -> T) -> T {
    action(&mut machine().state.borrow_mut())
}

/// Looks at the thread that is running or changes it. Not to be held while the driver runs.
pub fn with_thread<T>(action: impl FnOnce(&mut Thread) -> T) -> T {
    let mut threads = machine().threads.borrow_mut();
    let current = threads.current;
    action(&mut threads.all[current])
}

/// Whether the scenario leaves out a routine of the driver's: the system behaves as if the driver did not have it.
#[must_use]
pub fn left_out(routine: &Routine) -> bool {
    with(|state| {
        let leaves_out = &state.scenario.leaves_out;
        !leaves_out.is_empty() && leaves_out.contains(&routine.label())
    })
}
