//! Routines of the driver that the system calls, and what must be as it was when they return.

use std::sync::atomic::Ordering;

use super::events::{breach, emit, internal, misuse};
use super::function::Fails;
use super::guest;
use super::state::{with, with_thread};
use super::switch::SWITCH;
use super::thread::{Answering, Frame};
use super::threads::{self, set_irql};
use crate::trace::{Breach, Event, Misuse, Routine};
use crate::vocabulary::irql;
use crate::vocabulary::layout::device_object;
use crate::vocabulary::status::Status;

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
    let entered = balance();
    // The return register is undefined after a routine without a return value.
    let answer = match threads::call(address, arguments) {
        _ if void => 0,
        answer => answer & 0xFFFF_FFFF,
    };
    let left = threads::irql();
    let frame = with_thread(|thread| thread.frames.pop());
    let Some(Frame::Driver {
        irql: before,
        routine,
    }) = frame
    else {
        internal("the frames do not nest")
    };
    threads::note_progress();
    if left == level {
        check_balance(&entered, &balance());
    }
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
    check_devices(&routine.label());
    set_irql(before);
    outer.resume();
    answer
}

/// The locks that the current thread holds, and the number of critical regions in which it is.
fn balance() -> (Vec<&'static str>, u32) {
    let thread = threads::current();
    let locks = with(|state| state.locks.of(thread).map(|lock| lock.kind).collect());
    (locks, with_thread(|thread| thread.regions))
}

/// Records a breach if a routine made a device and did not clear `DO_DEVICE_INITIALIZING`.
fn check_devices(routine: &str) {
    const INITIALIZING: u32 = 0x80; // DO_DEVICE_INITIALIZING
    let made: Vec<u64> = with(|state| {
        let made = state.devices.made.iter_mut();
        made.filter_map(|device| std::mem::take(&mut device.initializing).then_some(device.object))
            .collect()
    });
    for device in made {
        if guest::read::<u32>(device + device_object::FLAGS) & INITIALIZING != 0 {
            let problem =
                format!("{routine} makes a device and does not clear DO_DEVICE_INITIALIZING");
            breach(Breach::DeviceInitializing, problem);
        }
    }
}

/// Ends the scenario if a routine does not return as it was entered.
fn check_balance(entered: &(Vec<&'static str>, u32), returned: &(Vec<&'static str>, u32)) {
    let problem = if let Some(lock) = returned.0.get(entered.0.len()) {
        format!("a routine returns while it holds the {lock} that it acquired")
    } else if entered.1 != returned.1 {
        "a routine returns in another number of critical regions than it was called in".to_owned()
    } else {
        return;
    };
    misuse(Misuse::Lock { problem });
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
