//! Calls of the model's functions by the driver, and of driver routines by the system.

use std::sync::atomic::Ordering;

use super::events::{emit, internal, misuse};
use super::function::{Fails, Function, Word};
use super::memory;
use super::state::{with, with_thread};
use super::switch::SWITCH;
use super::thread::{Answering, Frame, MOST_ARGUMENTS};
use super::threads::{self, set_irql};
use crate::scenario::Injected;
use crate::trace::{Event, Misuse, Routine};
use crate::vocabulary::irql;
use crate::vocabulary::status::{self, Status};

/// Runs a function of the model.
pub fn run<R: Word>(
    function: &'static Function,
    arguments: &[u64],
    cannot_fail: bool,
    clear: impl FnOnce(),
    body: impl FnOnce() -> R,
) -> R {
    let mut given = [0; MOST_ARGUMENTS];
    given[..arguments.len()].copy_from_slice(arguments);
    with_thread(|thread| {
        thread.answering = Some(Answering {
            function,
            arguments: given,
        });
    });
    threads::note_progress();
    if function.fails == Fails::Quiet {
        let result = body();
        answered();
        return result;
    }
    let site = SWITCH.site.load(Ordering::Relaxed);
    let injected = begin(function, site, cannot_fail);
    // A call that fails stores NULL in its output.
    clear();
    let result = match injected {
        None => body(),
        Some(Injected::Zero) => R::from_word(0),
        Some(Injected::Status(status)) if !status.is_success() => R::from_word(status.word()),
        Some(Injected::Status(status)) => {
            let result = body();
            // An informational status replaces STATUS_SUCCESS only.
            if result.word() as u32 == status::SUCCESS.0 {
                R::from_word(status.word())
            } else {
                result
            }
        }
    };
    with_thread(|thread| thread.frames.pop());
    emit(&Event::Return {
        result: result.word(),
        injected: injected.is_some(),
    });
    // A callback that ran during the call has overwritten the call address.
    SWITCH.site.store(site, Ordering::Relaxed);
    answered();
    result
}

fn answered() {
    with_thread(|thread| thread.answering = None);
    SWITCH.running.store(0, Ordering::Relaxed);
}

/// Records a call and returns the result that the scenario injects.
fn begin(function: &'static Function, site: u64, cannot_fail: bool) -> Option<Injected> {
    let irql = with_thread(|thread| {
        thread.frames.push(Frame::System(function));
        thread.irql
    });
    let (point, fault, injected) = with(|state| {
        let fallible = !cannot_fail && !matches!(function.fails, Fails::Never | Fails::Quiet);
        let point = fallible.then_some(state.points);
        state.points += u32::from(fallible);
        let mut faults = state.scenario.faults.iter();
        let fault = faults.find(|fault| Some(fault.point) == point).cloned();
        let next = state
            .fail_next
            .take_if(|(name, _)| fallible && *name == function.name);
        let injected = match (&fault, next) {
            (Some(fault), _) => Some(fault.result),
            (None, next) => next.map(|(_, result)| result),
        };
        state.failed |= injected.is_some_and(Injected::is_failure);
        (point, fault, injected)
    });
    if let Some(fault) = fault.filter(|fault| fault.function != function.name) {
        internal(format!(
            "call {} is {} and not {}: the driver behaves differently in repeated runs",
            fault.point, function.name, fault.function
        ));
    }
    emit(&Event::Call {
        function: function.name.to_owned(),
        site: memory::rva(site).unwrap_or_default(),
        irql,
        point,
    });
    injected
}

/// Ends a call that raised an exception. The call does not return to the driver.
pub fn abandon(code: Status) {
    let recorded = with_thread(|thread| {
        let answering = thread.answering.take();
        thread.followed = None;
        answering.is_some_and(|answering| answering.function.fails != Fails::Quiet)
    });
    SWITCH.running.store(0, Ordering::Relaxed);
    if recorded {
        with_thread(|thread| thread.frames.pop());
        emit(&Event::Return {
            result: u64::from(code.0),
            injected: false,
        });
    }
}

/// Calls a driver routine at an IRQL, in the current thread.
#[must_use]
pub fn into_driver(routine: Routine, level: u8, address: u64, arguments: &[u64]) -> u64 {
    let outer = Outer::suspend();
    let void = routine.is_void();
    let event = Event::Enter {
        routine: routine.clone(),
        irql: level,
        thread: threads::current(),
    };
    with_thread(|thread| {
        let irql = thread.irql;
        thread.frames.push(Frame::Driver { routine, irql });
    });
    threads::note_progress();
    set_irql(level);
    emit(&event);
    // The return register is undefined after a routine without a return value.
    let answer = match threads::call(address, arguments) {
        _ if void => 0,
        answer => answer & 0xFFFF_FFFF,
    };
    let left = threads::irql();
    let Some(Frame::Driver { irql: before, .. }) = with_thread(|thread| thread.frames.pop()) else {
        internal("the frames do not nest")
    };
    threads::note_progress();
    emit(&Event::Leave { answer });
    if left != level {
        misuse(Misuse::Lock {
            problem: format!(
                "a routine entered at {} returned at {}",
                irql::name(level),
                irql::name(left)
            ),
        });
    }
    set_irql(before);
    outer.resume();
    answer
}

/// The saved state of a call that is in progress while other driver code runs.
struct Outer {
    site: u64,
    running: u32,
    answering: Option<Answering>,
}

impl Outer {
    fn suspend() -> Self {
        Outer {
            site: SWITCH.site.load(Ordering::Relaxed),
            running: SWITCH.running.swap(0, Ordering::Relaxed),
            answering: with_thread(|thread| thread.answering.take()),
        }
    }

    fn resume(self) {
        SWITCH.site.store(self.site, Ordering::Relaxed);
        SWITCH.running.store(self.running, Ordering::Relaxed);
        with_thread(|thread| thread.answering = self.answering);
    }
}

/// Calls a driver routine as part of a call of the driver, for example the routine that acquires the driver's lock.
#[must_use]
pub fn call_back(address: u64, arguments: &[u64]) -> u64 {
    let outer = Outer::suspend();
    let answer = threads::call(address, arguments);
    outer.resume();
    answer
}

/// Returns whether the current thread is in an unload routine, or in a `DriverEntry` in which a call failed.
#[must_use]
pub fn in_teardown() -> bool {
    match threads::routine() {
        Some(routine) if routine.is_unload() => true,
        Some(Routine::DriverEntry) => with(|state| state.failed),
        _ => false,
    }
}

/// Returns whether any thread is in an unload routine, or in a `DriverEntry` in which a call failed.
#[must_use]
pub fn is_unloading() -> bool {
    let failed = with(|state| state.failed);
    threads::any_is_in(|routine| match routine {
        Routine::DriverEntry => failed,
        routine => routine.is_unload(),
    })
}
