//! The model of the kernel and of the filter manager: what a driver finds behind its imports.
//!
//! One file a subject. Each function is declared once, by the macro `functions!`, with the header of its
//! document, its highest IRQL and how it can fail; the body says what it does. The wrapper around
//! the body records the call, and lets it fail where the scenario says so.
//!
//! The model follows the documentation (each function's document is called "NAME function (HEADER)")
//! and departs from it in these points:
//!
//! - One thing happens at a time. Threads are simulated: callbacks that run in the midst of another
//!   routine have a thread of their own, so a lock held across them is seen; nothing is pre-empted.
//! - There is no structured exception handling. What raises on Windows ends the scenario.
//! - IRQL is a number. Pageable sections and paged pool are inaccessible at `DISPATCH_LEVEL`, and
//!   every call is checked against its documented limit; interrupts do not exist.
//! - Queued work runs when the driver waits for it or at the latest moment that Windows allows, and
//!   that is after the unload where nothing holds the unload back.
//! - Time passes by a fixed step a question, so that every run is the same.

pub mod contexts;
pub mod debug;
pub mod devices;
pub mod errorlog;
pub mod filter;
pub mod io;
pub mod layout;
pub mod locks;
pub mod names;
pub mod operations;
pub mod pool;
pub mod ports;
pub mod process;
pub mod registry;
pub mod runtime;
pub mod security;
pub mod strings;
pub mod text;
pub mod volumes;
pub mod work;

use std::cell::{Cell, RefCell};
use std::io::Write as _;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::image::Import;
use crate::memory::{self, Purpose};
use crate::os::{self, Access, PAGE};
use crate::scenario::{Injected, Scenario};
use crate::settings::Settings;
use crate::status::{self, Status};
use crate::trace::{Argument, Ending, Event, Kind, Misuse, Place, Routine};
use crate::{fault, guest};

/// `PASSIVE_LEVEL`.
pub const PASSIVE: u8 = 0;
/// `APC_LEVEL`.
pub const APC: u8 = 1;
/// `DISPATCH_LEVEL`.
pub const DISPATCH: u8 = 2;
/// Any level.
pub const ANY: u8 = 15;

/// How a function can fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fails {
    /// Not at all.
    Never,
    /// Not at all, and it is called too often and does too little to be recorded.
    Quiet,
    /// With these documented statuses.
    With(&'static [Status]),
    /// By returning NULL, or FALSE.
    Null,
}

/// A function of the model.
#[derive(Debug, Clone, Copy)]
pub struct Function {
    /// Its name.
    pub name: &'static str,
    /// The module that exports it.
    pub dll: &'static str,
    /// The header of its document.
    pub header: &'static str,
    /// The highest IRQL at which it may be called.
    pub irql: u8,
    /// How it can fail.
    pub fails: Fails,
    /// Its arguments: name and type, as the model declares them.
    arguments: &'static [(&'static str, &'static str)],
    entry: fn() -> usize,
}

/// An address that may be NULL.
pub type Optional = u64;

impl Function {
    /// The title of its document.
    #[must_use]
    pub fn document(&self) -> String {
        format!("{} function ({})", self.name, self.header)
    }
}

/// Declares functions of the model.
///
/// ```text
/// functions! { pub TABLE = "module", "header";
///     [highest IRQL, how it fails, clears output, unless condition] fn Name(argument: type) -> type { what it does }
/// }
/// ```
///
/// - `clears`: the output is NULL when the call fails.
/// - `unless`: a call whose arguments meet the condition cannot fail. A function that acquires or gives back, depending
///   on an argument, fails only where it acquires.
/// - An argument that the function does not look at begins with `_`; the address of an argument that may be NULL is
///   [`Optional`], every other address or size a `u64`.
macro_rules! functions {
    ($vis:vis $table:ident = $dll:literal, $header:literal;
     $($(#[$doc:meta])* [$irql:expr, $fails:expr $(, clears $out:ident)? $(, unless $cannot:expr)?]
       fn $name:ident($($argument:ident: $type:ty),* $(,)?) $(-> $result:ty)? $body:block)*) => {
        $(
            $(#[$doc])*
            #[allow(non_snake_case)] // The name is the one that drivers import.
            extern "win64" fn $name($($argument: $type),*) $(-> $result)? {
                static DECLARED: $crate::model::Function = $crate::model::Function {
                    name: stringify!($name),
                    dll: $dll,
                    header: $header,
                    irql: $irql,
                    fails: $fails,
                    arguments: &[$((stringify!($argument), stringify!($type))),*],
                    entry: || $name as *const () as usize,
                };
                $crate::model::run(
                    &DECLARED,
                    &[$($crate::model::Word::word($argument)),*],
                    false $(|| $cannot)?,
                    || { $($crate::guest::write($out, 0_u64);)? },
                    || $body,
                )
            }
        )*
        #[doc = concat!("The functions of ", $dll, " in ", $header, " that this file has.")]
        $vis static $table: &[$crate::model::Function] = &[$(
            $crate::model::Function {
                name: stringify!($name),
                dll: $dll,
                header: $header,
                irql: $irql,
                fails: $fails,
                arguments: &[$((stringify!($argument), stringify!($type))),*],
                entry: || $name as *const () as usize,
            }
        ),*];
    };
}
pub(crate) use functions;

/// Every function of the model.
pub fn all() -> impl Iterator<Item = &'static Function> {
    [
        filter::FILTER,
        volumes::VOLUMES,
        operations::OPERATIONS,
        contexts::CONTEXTS,
        names::NAMES,
        ports::PORTS,
        io::FILES,
        io::NT_FILES,
        pool::POOL,
        pool::MDL,
        locks::LOCKS,
        locks::FLT_LOCKS,
        locks::NTIFS_LOCKS,
        work::WORK,
        work::FLT_WORK,
        work::QUEUES,
        devices::DEVICES,
        devices::NTDDK_DEVICES,
        devices::WDMSEC,
        errorlog::ERROR_LOG,
        registry::REGISTRY,
        security::SECURITY,
        security::WDM_SECURITY,
        security::WDMSEC_SECURITY,
        strings::STRINGS,
        strings::NTDDK_STRINGS,
        text::TEXT,
        debug::DEBUG,
        process::PROCESS,
        process::VERSION,
        process::FLT_PROCESS,
        runtime::RUNTIME,
    ]
    .into_iter()
    .flatten()
}

/// Finds a function by name.
#[must_use]
pub fn function(name: &str) -> Option<&'static Function> {
    all().find(|function| function.name == name)
}

/// A value in a register.
pub trait Word: Copy {
    /// As the register has it.
    fn word(self) -> u64;
    /// From the register.
    fn from_word(word: u64) -> Self;
}

macro_rules! words {
    ($($type:ty)*) => {$(
        impl Word for $type {
            fn word(self) -> u64 { self as u64 }
            fn from_word(word: u64) -> Self { word as $type }
        }
    )*};
}
words!(u8 u16 u32 u64 i32 i64);

impl Word for () {
    fn word(self) -> u64 {
        0
    }
    fn from_word(_: u64) -> Self {}
}

impl Word for Status {
    fn word(self) -> u64 {
        u64::from(self.0)
    }
    fn from_word(word: u64) -> Self {
        Status(word as u32)
    }
}

/// Who is running: the driver's routine or the system's function.
#[derive(Debug, Clone)]
pub enum Frame {
    /// One of the driver's routines.
    Driver {
        /// Which.
        routine: Routine,
        /// The thread it interrupted.
        thread: u32,
        /// The IRQL that it interrupted.
        irql: u8,
    },
    /// One of the system's functions.
    System(&'static Function),
}

#[derive(Debug)]
struct Held {
    kind: Kind,
    key: u64,
    what: String,
    live: bool,
}

/// The state of the scenario.
#[derive(Debug)]
pub struct State {
    /// What is to happen.
    pub scenario: Scenario,
    /// The service's name, which is the file's.
    pub service: String,
    /// The routines and functions that are running, outermost first.
    pub frames: Vec<Frame>,
    /// The current IRQL.
    pub irql: u8,
    /// The current thread.
    pub thread: u32,
    /// The filter manager.
    pub filter: filter::Manager,
    /// Contexts.
    pub contexts: contexts::Contexts,
    /// File name information.
    pub names: names::Names,
    /// Ports.
    pub ports: ports::Ports,
    /// Locks and events.
    pub locks: locks::Locks,
    /// Lookaside lists.
    pub lookasides: pool::Lookasides,
    /// Devices.
    pub devices: devices::Devices,
    /// The registry.
    pub registry: registry::Registry,
    /// Work items, timers.
    pub work: work::Work,
    /// The clock, in units of 100 ns.
    pub clock: i64,
    threads: u32,
    held: Vec<Held>,
    events: u32,
    points: u32,
    fired: bool,
}

thread_local! {
    static STATE: RefCell<Option<State>> = const { RefCell::new(None) };
}

/// Where the driver's last call came from; the thunks write it.
static SITE: AtomicU64 = AtomicU64::new(0);
/// The function that is running, for a fault in it: an index into the thunks, plus one.
static RUNNING: AtomicU32 = AtomicU32::new(0);

/// More events than any honest scenario has.
const MOST_EVENTS: u32 = 200_000;

/// Begins a scenario.
///
/// # Errors
///
/// The operating system's own.
pub fn set_up(scenario: Scenario, service: String, settings: &Settings) -> std::io::Result<()> {
    memory::set_up()?;
    fault::set_up()?;
    let registry = registry::Registry::new(&service, settings);
    STATE.with(|state| {
        *state.borrow_mut() = Some(State {
            scenario,
            service,
            frames: Vec::new(),
            irql: PASSIVE,
            thread: 1,
            filter: filter::Manager::default(),
            contexts: contexts::Contexts::default(),
            names: names::Names::default(),
            ports: ports::Ports::default(),
            locks: locks::Locks::default(),
            lookasides: pool::Lookasides::default(),
            devices: devices::Devices::default(),
            registry,
            work: work::Work::default(),
            clock: 0x01DB_0000_0000_0000,
            threads: 1,
            held: Vec::new(),
            events: 0,
            points: 0,
            fired: false,
        });
    });
    Ok(())
}

/// Looks at the state or changes it. Not to be held while the driver runs.
pub fn with<T>(action: impl FnOnce(&mut State) -> T) -> T {
    STATE.with(|state| {
        let mut state = state.borrow_mut();
        match state.as_mut() {
            Some(state) => action(state),
            None => internal("the model was used before it was set up"),
        }
    })
}

/// Records an event.
pub fn emit(event: &Event) {
    let Ok(mut line) = serde_json::to_vec(event) else {
        return;
    };
    line.push(b'\n');
    {
        let mut waiting = WAITING.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.append(&mut line);
        if waiting.len() > ENOUGH {
            write_out(&mut waiting);
        }
    }
    if matches!(event, Event::End { .. }) {
        return;
    }
    let events = STATE.with(|state| match state.try_borrow_mut().as_deref_mut() {
        Ok(Some(state)) => {
            state.events += 1;
            state.events
        }
        _ => 0,
    });
    if events == MOST_EVENTS {
        end(Ending::Hang {
            at: here(),
            why: format!("it made {MOST_EVENTS} calls without coming to an end"),
        });
    }
}

/// Events that are not written yet: writing each by itself takes longer than all the rest.
static WAITING: Mutex<Vec<u8>> = Mutex::new(Vec::new());
/// So many bytes are written at once.
const ENOUGH: usize = 1 << 14;

fn write_out(waiting: &mut Vec<u8>) {
    let mut out = std::io::stdout();
    // A parent that is gone needs no events.
    let _ = out.write_all(waiting).and_then(|()| out.flush());
    waiting.clear();
}

/// Writes whatever is not written yet.
pub fn flush() {
    write_out(&mut WAITING.lock().unwrap_or_else(PoisonError::into_inner));
}

/// Ends the scenario.
pub fn end(ending: Ending) -> ! {
    emit(&Event::End { ending });
    flush();
    std::process::exit(0)
}

/// Ends the scenario: the driver did what on Windows is a bug check or a corruption.
pub fn misuse(misuse: Misuse) -> ! {
    end(Ending::Misuse { at: here(), misuse })
}

/// Ends the scenario: the driver would wait for ever.
pub fn hang(why: impl Into<String>) -> ! {
    end(Ending::Hang {
        at: here(),
        why: why.into(),
    })
}

/// Ends the scenario: the bench itself is at fault.
pub fn internal(message: impl Into<String>) -> ! {
    end(Ending::Internal {
        message: message.into(),
    })
}

/// What an error of the operating system means here: the bench cannot go on.
pub fn must<T>(result: std::io::Result<T>) -> T {
    result.unwrap_or_else(|error| internal(format!("memory: {error}")))
}

/// The place of the call that is being answered.
#[must_use]
pub fn here() -> Place {
    let site = SITE.load(Ordering::Relaxed);
    memory::place(site, running())
}

/// The name of the function that is running.
#[must_use]
pub fn running() -> Option<&'static str> {
    let index = RUNNING.load(Ordering::Relaxed).checked_sub(1)?;
    all().nth(index as usize).map(|function| function.name)
}

/// More arguments than any function has.
const MOST_ARGUMENTS: usize = 16;

/// A call that is being answered: the function, and what it was given.
#[derive(Clone, Copy)]
struct Answering {
    function: &'static Function,
    arguments: [u64; MOST_ARGUMENTS],
}

thread_local! {
    static ANSWERING: Cell<Option<Answering>> = const { Cell::new(None) };
}

/// How far behind an address its structure or buffer may reach.
const REACH: u64 = 1 << 20;

/// The argument by which the function that is running came to an address.
#[must_use]
pub fn argument(address: u64) -> Option<Argument> {
    let answering = ANSWERING.get()?;
    let addresses = answering
        .function
        .arguments
        .iter()
        .zip(answering.arguments)
        .enumerate()
        .filter(|(_, ((name, kind), value))| {
            let may_be_null = *kind == "Optional" && *value != 0;
            (*kind == "u64" || may_be_null) && !name.starts_with('_')
        })
        .map(|(at, (_, value))| (at + 1, value));
    if let Some((structure, member)) = guest::followed() {
        let (number, _) = addresses
            .into_iter()
            .find(|(_, value)| *value == structure)?;
        return Some(Argument {
            number,
            member: Some(member.to_owned()),
        });
    }
    // The nearest one below it, and of equal ones the first.
    let (number, _) = addresses
        .filter(|(_, value)| (0..REACH).contains(&address.wrapping_sub(*value)))
        // NULL comes before a number that is small as well.
        .min_by_key(|(_, value)| (address < guest::LOWEST && *value != 0, address - value))?;
    Some(Argument {
        number,
        member: None,
    })
}

/// Runs one of the model's functions.
pub fn run<R: Word>(
    function: &'static Function,
    arguments: &[u64],
    cannot_fail: bool,
    clear: impl FnOnce(),
    body: impl FnOnce() -> R,
) -> R {
    let mut given = [0; MOST_ARGUMENTS];
    given[..arguments.len()].copy_from_slice(arguments);
    ANSWERING.set(Some(Answering {
        function,
        arguments: given,
    }));
    if function.fails == Fails::Quiet {
        let result = body();
        answered();
        return result;
    }
    let site = SITE.load(Ordering::Relaxed);
    let injected = call(function, site, cannot_fail);
    // A call that fails leaves NULL there.
    clear();
    let result = match injected {
        None => body(),
        Some(Injected::Zero) => R::from_word(0),
        Some(Injected::Status(status)) if !status.is_success() => R::from_word(status.word()),
        Some(Injected::Status(status)) => {
            let result = body();
            // An informational status stands in for a success only.
            if result.word() as u32 == status::SUCCESS.0 {
                R::from_word(status.word())
            } else {
                result
            }
        }
    };
    with(|state| state.frames.pop());
    emit(&Event::Return {
        result: result.word(),
        injected: injected.is_some(),
    });
    // A callback that ran meanwhile made calls of its own.
    SITE.store(site, Ordering::Relaxed);
    answered();
    result
}

fn answered() {
    ANSWERING.set(None);
    RUNNING.store(0, Ordering::Relaxed);
}

/// Records a call and says what the scenario has decided for it.
fn call(function: &'static Function, site: u64, cannot_fail: bool) -> Option<Injected> {
    let (event, injected) = with(|state| {
        let fallible = !cannot_fail && !matches!(function.fails, Fails::Never | Fails::Quiet);
        let point = fallible.then_some(state.points);
        state.points += u32::from(fallible);
        state.frames.push(Frame::System(function));
        let injected = point
            .and_then(|point| {
                state
                    .scenario
                    .faults
                    .iter()
                    .find(|fault| fault.point == point)
            })
            .map(|fault| {
                if fault.function != function.name {
                    internal(format!(
                        "call {} is {} and not {}: the driver does not do the same thing twice",
                        fault.point, function.name, fault.function
                    ));
                }
                fault.result
            });
        state.fired |= injected.is_some_and(Injected::is_failure);
        let event = Event::Call {
            function: function.name.to_owned(),
            site: memory::rva(site).unwrap_or_default(),
            irql: state.irql,
            point,
        };
        (event, injected)
    });
    emit(&event);
    injected
}

/// Calls one of the driver's routines, at an IRQL, in a thread.
#[must_use]
pub fn enter(routine: Routine, irql: u8, thread: u32, address: u64, arguments: &[u64]) -> u64 {
    let outer = Outer::suspend();
    let void = routine.is_void();
    let event = Event::Enter {
        routine: routine.clone(),
        irql,
    };
    with(|state| {
        state.frames.push(Frame::Driver {
            routine,
            thread: state.thread,
            irql: state.irql,
        });
        state.thread = thread;
    });
    set_irql(irql);
    emit(&event);
    // A routine that returns nothing leaves whatever was in the register.
    let answer = match guest::call(address, arguments) {
        _ if void => 0,
        answer => answer & 0xFFFF_FFFF,
    };
    let before = with(|state| {
        let left = state.irql;
        match state.frames.pop() {
            Some(Frame::Driver {
                thread,
                irql: before,
                ..
            }) => {
                state.thread = thread;
                (before, left)
            }
            _ => internal("the frames do not nest"),
        }
    });
    emit(&Event::Leave { answer });
    let (before, left) = before;
    if left != irql {
        misuse(Misuse::Lock {
            problem: format!(
                "a routine entered at {} returned at {}",
                irql_name(irql),
                irql_name(left)
            ),
        });
    }
    set_irql(before);
    outer.resume();
    answer
}

/// The call of the driver's that is being answered while more of the driver's code runs.
struct Outer {
    site: u64,
    running: u32,
    answering: Option<Answering>,
}

impl Outer {
    fn suspend() -> Self {
        Outer {
            site: SITE.load(Ordering::Relaxed),
            running: RUNNING.swap(0, Ordering::Relaxed),
            answering: ANSWERING.take(),
        }
    }

    fn resume(self) {
        SITE.store(self.site, Ordering::Relaxed);
        RUNNING.store(self.running, Ordering::Relaxed);
        ANSWERING.set(self.answering);
    }
}

/// Calls a routine of the driver's that is a part of the call it made, such as one that acquires its lock.
#[must_use]
pub fn call_back(address: u64, arguments: &[u64]) -> u64 {
    let outer = Outer::suspend();
    let answer = guest::call(address, arguments);
    outer.resume();
    answer
}

/// A thread that nothing runs in yet.
#[must_use]
pub fn new_thread() -> u32 {
    with(|state| {
        state.threads += 1;
        state.threads
    })
}

/// Changes the IRQL.
pub fn set_irql(irql: u8) {
    with(|state| state.irql = irql);
    must(memory::set_dispatch(irql >= DISPATCH));
}

/// The name of an IRQL.
#[must_use]
pub fn irql_name(irql: u8) -> String {
    match irql {
        PASSIVE => "PASSIVE_LEVEL".to_owned(),
        APC => "APC_LEVEL".to_owned(),
        DISPATCH => "DISPATCH_LEVEL".to_owned(),
        other => format!("IRQL {other}"),
    }
}

/// Whether the driver is taking itself down right now: its unload callback, or a `DriverEntry` that
/// a call failed in, is what runs.
#[must_use]
pub fn in_teardown() -> bool {
    with(|state| {
        let fired = state.fired;
        let innermost = state.frames.iter().rev().find_map(|frame| match frame {
            Frame::Driver { routine, .. } => Some(routine),
            Frame::System(_) => None,
        });
        match innermost {
            Some(routine) if routine.is_unload() => true,
            Some(Routine::DriverEntry) => fired,
            _ => false,
        }
    })
}

/// Whether the driver is being taken down, whatever runs in the midst of it.
#[must_use]
pub fn is_unloading() -> bool {
    with(|state| {
        let fired = state.fired;
        state.frames.iter().any(|frame| match frame {
            Frame::Driver { routine, .. } => match routine {
                Routine::DriverEntry => fired,
                routine => routine.is_unload(),
            },
            Frame::System(_) => false,
        })
    })
}

/// Something is the driver's from here on; `key` finds it again.
pub fn acquire(kind: Kind, key: u64, what: impl Into<String>) {
    let what = what.into();
    let id = with(|state| {
        state.held.push(Held {
            kind,
            key,
            what: what.clone(),
            live: true,
        });
        state.held.len() as u32
    });
    emit(&Event::Acquire { id, kind, what });
}

/// The driver gives something back. False where it is not held.
#[must_use]
pub fn release(kind: Kind, key: u64) -> bool {
    let id = with(|state| {
        let index = state
            .held
            .iter()
            .rposition(|held| held.live && held.kind == kind && held.key == key)?;
        state.held[index].live = false;
        Some(index as u32 + 1)
    });
    if let Some(id) = id {
        emit(&Event::Release { id });
    }
    id.is_some()
}

/// Whether something is held now.
#[must_use]
pub fn holds(kind: Kind, key: u64) -> bool {
    with(|state| {
        state
            .held
            .iter()
            .any(|held| held.live && held.kind == kind && held.key == key)
    })
}

/// Whether something was held and given back.
#[must_use]
pub fn held_once(kind: Kind, key: u64) -> Option<String> {
    with(|state| {
        state
            .held
            .iter()
            .rev()
            .find(|held| held.kind == kind && held.key == key)
            .map(|held| held.what.clone())
    })
}

/// What a pointer reads as in memory that nobody set.
const UNSET: u64 = u64::from_ne_bytes([memory::FILL; 8]);

/// Ends the scenario: a handle or object is not what the function takes.
pub fn bad_handle(expected: &str, given: u64) -> ! {
    let freed = memory::block_at(given).filter(|block| block.freed);
    let description = match (given, memory::handle_name(given), freed) {
        (0, _, _) => "NULL".to_owned(),
        (UNSET, _, _) => "a value from memory that was never set".to_owned(),
        (_, Some(name), _) => name,
        (_, None, Some(block)) => format!("{}, which was freed before", block.what),
        (_, None, None) => format!("an address that is no {expected}"),
    };
    misuse(Misuse::Handle {
        expected: expected.to_owned(),
        given: description,
        unset: given == 0,
        released_in_teardown: false,
    })
}

/// Releases something, or ends the scenario with the reason why it cannot be released.
pub fn must_release(kind: Kind, key: u64) {
    if release(kind, key) {
        return;
    }
    match held_once(kind, key) {
        Some(what) => misuse(Misuse::ReleasedTwice {
            what: format!("{kind} {what}"),
        }),
        None => bad_handle(&kind.to_string(), key),
    }
}

/// A structure of the system's that the driver may look into, zeroed.
#[must_use]
pub fn system_block(size: usize, what: &str) -> u64 {
    let address = must(memory::allocate(size, Purpose::System, what.to_owned()));
    guest::fill(address, 0, size);
    address
}

/// A UTF-16 string with its `UNICODE_STRING`, in one block. Behind it stands a NUL, as behind Windows' own, which drivers
/// take for granted.
#[must_use]
pub fn system_string(text: &str, purpose: Purpose, what: &str) -> u64 {
    let units: Vec<u16> = text.encode_utf16().chain([0]).collect();
    let size = units.len() * 2;
    let address = must(memory::allocate(16 + size, purpose, what.to_owned()));
    guest::set_unicode(address, size - 2, size, address + 16);
    guest::put_wide(address + 16, &units);
    address
}

/// The thunks: a few bytes of code for each import, which note where the call came from.
struct Thunks {
    base: u64,
    next: u64,
    made: Vec<(String, u64)>,
}

thread_local! {
    static THUNKS: RefCell<Option<Thunks>> = const { RefCell::new(None) };
}

const THUNK_ROOM: usize = 64 * PAGE;

/// The address that an import is bound to.
#[must_use]
pub fn bind(import: &Import) -> u64 {
    if let Some(address) = process::variable(&import.name) {
        return address;
    }
    if STACK_PROBES.contains(&import.name.as_str()) {
        return stack_probe();
    }
    thunk(&import.dll, &import.name)
}

/// Whether the model has an import.
#[must_use]
pub fn has(import: &Import) -> bool {
    let name = import.name.as_str();
    function(name).is_some() || process::VARIABLES.contains(&name) || STACK_PROBES.contains(&name)
}

/// Helpers of the compiler that must keep every register.
const STACK_PROBES: &[&str] = &["__chkstk", "___chkstk_ms"];

/// A bare `ret`: the bench's stack needs no probing.
fn stack_probe() -> u64 {
    const RET: u8 = 0xC3;
    let page = must(os::reserve(PAGE));
    must(os::protect(page, PAGE, Access::ReadWrite));
    guest::write(page as u64, RET);
    must(os::protect(page, PAGE, Access::ReadExecute));
    page as u64
}

/// The address under which the driver sees one of the model's functions.
#[must_use]
pub fn thunk(dll: &str, name: &str) -> u64 {
    THUNKS.with(|thunks| {
        let mut thunks = thunks.borrow_mut();
        let thunks = thunks.get_or_insert_with(|| {
            let base = must(os::reserve(THUNK_ROOM)) as u64;
            Thunks {
                base,
                next: base,
                made: Vec::new(),
            }
        });
        let title = format!("{dll}!{name}");
        if let Some((_, address)) = thunks.made.iter().find(|(made, _)| *made == title) {
            return *address;
        }
        let address = thunks.next;
        let (target, index) = match all().position(|function| function.name == name) {
            Some(index) => (
                all()
                    .nth(index)
                    .map_or(0, |function| (function.entry)() as u64),
                index as u32 + 1,
            ),
            None => (
                unmodelled as *const () as u64,
                0x8000_0000 | thunks.made.len() as u32,
            ),
        };
        thunks.made.push((title, address));
        let code = thunk_code(target, index);
        let room = thunks.base as usize;
        if address as usize + code.len() > room + THUNK_ROOM {
            internal("too many imports");
        }
        must(os::protect(room, THUNK_ROOM, Access::ReadWrite));
        guest::put(address, &code);
        must(os::protect(room, THUNK_ROOM, Access::ReadExecute));
        thunks.next += (code.len() as u64).next_multiple_of(16);
        address
    })
}

/// `r10` and `r11` are free at a call in this calling convention.
fn thunk_code(target: u64, index: u32) -> Vec<u8> {
    let mut code = vec![0x4C, 0x8B, 0x1C, 0x24]; // mov r11, [rsp]
    code.extend([0x49, 0xBA]); // mov r10, &SITE
    code.extend((SITE.as_ptr() as u64).to_le_bytes());
    code.extend([0x4D, 0x89, 0x1A]); // mov [r10], r11
    code.extend([0x49, 0xBA]); // mov r10, &RUNNING
    code.extend((RUNNING.as_ptr() as u64).to_le_bytes());
    code.extend([0x41, 0xC7, 0x02]); // mov dword ptr [r10], index
    code.extend(index.to_le_bytes());
    code.extend([0x49, 0xBA]); // mov r10, target
    code.extend(target.to_le_bytes());
    code.extend([0x41, 0xFF, 0xE2]); // jmp r10
    code
}

/// Where every import leads that the model does not have.
extern "win64" fn unmodelled() {
    let index = RUNNING.load(Ordering::Relaxed) & 0x7FFF_FFFF;
    let import = THUNKS.with(|thunks| {
        let thunks = thunks.borrow();
        let made = thunks
            .as_ref()
            .and_then(|thunks| thunks.made.get(index as usize));
        made.map_or_else(String::new, |(title, _)| title.clone())
    });
    let site = SITE.load(Ordering::Relaxed);
    end(Ending::Unmodelled {
        at: memory::place(site, None),
        import,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Verbs by which a function gives something back, takes itself back or undoes something.
    const GIVES_BACK: &[&str] = &[
        "Cancel",
        "Clear",
        "Close",
        "Delete",
        "Dereference",
        "Detach",
        "Disable",
        "Free",
        "Leave",
        "Put",
        "Release",
        "Remove",
        "UnRegister",
        "Uninitialize",
        "Unlock",
        "Unmap",
        "Unregister",
    ];

    /// A verb is a word of the name, and no part of another word.
    fn has_word(name: &str, word: &str) -> bool {
        name.match_indices(word).any(|(at, _)| {
            let next = name[at + word.len()..].chars().next();
            !next.is_some_and(|next| next.is_ascii_lowercase())
        })
    }

    #[test]
    fn what_gives_something_back_does_not_fail() {
        // It waits, and whoever cancels the wait is not the driver.
        let others = ["FltCancellableWaitForSingleObject"];
        let mut seen = 0;
        for function in all().filter(|function| !others.contains(&function.name)) {
            if GIVES_BACK.iter().any(|verb| has_word(function.name, verb)) {
                seen += 1;
                assert!(
                    matches!(function.fails, Fails::Never | Fails::Quiet),
                    "{} can fail",
                    function.name
                );
            }
        }
        assert!(seen > 50, "{seen}");
    }

    #[test]
    fn every_function_stands_in_one_table() {
        let mut names: Vec<_> = all().map(|function| function.name).collect();
        names.sort_unstable();
        for pair in names.windows(2) {
            assert_ne!(pair[0], pair[1]);
        }
    }
}
