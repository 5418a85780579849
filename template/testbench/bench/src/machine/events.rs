//! Records events and ends the scenario.

use std::sync::atomic::Ordering;

use super::memory;
use super::space::{KERNEL, LOWEST};
use super::state::{installed, machine, with_thread};
use super::switch::{SWITCH, UNMODELLED};
use crate::os::{PAGE, Use};
use crate::trace::{Argument, Breach, Ending, Event, Misuse, Place, Target, Trap};

/// The maximum number of events of a scenario.
const MOST_EVENTS: u32 = 200_000;

/// Records an event.
pub fn emit(event: &Event) {
    let Ok(mut line) = serde_json::to_vec(event) else {
        return;
    };
    let machine = machine();
    machine.record.add(&mut line);
    if matches!(event, Event::End { .. }) {
        return;
    }
    let events = machine.state.try_borrow_mut().map_or(0, |mut state| {
        state.events += 1;
        state.events
    });
    if events == MOST_EVENTS {
        end(Ending::Endless {
            at: here(),
            calls: MOST_EVENTS,
        });
    }
}

/// Writes the events that are not written yet.
pub fn flush() {
    if let Some(machine) = installed() {
        machine.record.flush();
    }
}

/// Ends the scenario.
pub fn end(ending: Ending) -> ! {
    if let Some(machine) = installed() {
        emit(&Event::End { ending });
        machine.record.flush();
    }
    std::process::exit(0)
}

/// Ends the scenario with an error of the driver that causes a bug check or corruption on Windows.
pub fn misuse(misuse: Misuse) -> ! {
    end(Ending::Misuse { at: here(), misuse })
}

/// Records that the driver did what a rule forbids. The scenario goes on.
pub fn breach(breach: Breach, problem: impl Into<String>) {
    let problem = problem.into();
    emit(&Event::Breach { breach, problem });
}

/// Refuses the arguments of a call, for a reason. Returns the status of the call.
pub fn refuse<T>(status: T, reason: impl Into<String>) -> T {
    breach(Breach::Argument, reason);
    status
}

/// Ends the scenario with an error of the bench.
pub fn internal(message: impl Into<String>) -> ! {
    end(Ending::Internal {
        message: message.into(),
    })
}

/// Unwraps a result of the operating system. An error ends the scenario, because the bench cannot continue.
pub fn must<T>(result: std::io::Result<T>) -> T {
    result.unwrap_or_else(|error| internal(format!("memory: {error}")))
}

/// Returns the place of the call in progress.
#[must_use]
pub fn here() -> Place {
    memory::place(SWITCH.site.load(Ordering::Relaxed), running())
}

/// Returns the name of the function that is running.
#[must_use]
pub fn running() -> Option<&'static str> {
    let index = SWITCH.running.load(Ordering::Relaxed);
    let index = index
        .checked_sub(1)
        .filter(|index| index & UNMODELLED == 0)?;
    let function = machine().functions.get(index as usize)?;
    Some(function.name)
}

/// The maximum offset of an access relative to an address argument.
const REACH: u64 = 1 << 20;

/// Returns the argument of the current function that led to an address.
#[must_use]
pub fn argument(address: u64) -> Option<Argument> {
    let (answering, followed) = with_thread(|thread| (thread.answering, thread.followed));
    let answering = answering?;
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
    if let Some((structure, member)) = followed {
        let (number, _) = addresses
            .into_iter()
            .find(|(_, value)| *value == structure)?;
        return Some(Argument {
            number,
            member: Some(member.to_owned()),
        });
    }
    // The argument with the highest address at or below the accessed address. If several are equal, the first.
    let (number, _) = addresses
        .filter(|(_, value)| (0..REACH).contains(&address.wrapping_sub(*value)))
        // NULL takes precedence over other small numbers.
        .min_by_key(|(_, value)| (address < LOWEST && *value != 0, address - value))?;
    Some(Argument {
        number,
        member: None,
    })
}

/// The kernel-mode address of `KUSER_SHARED_DATA`.
pub const SHARED_DATA: u64 = 0xFFFF_F780_0000_0000;
const _: () = assert!(SHARED_DATA > KERNEL);

/// Returns the address of the page that replaces the shared page, for a range in the shared page.
#[must_use]
pub fn shared_page(address: u64, length: usize) -> Option<u64> {
    let page = installed()?.shared_page.get();
    let offset = address.checked_sub(SHARED_DATA)?;
    (page != 0 && length <= PAGE && offset <= (PAGE - length) as u64).then(|| page + offset)
}

/// Handles an access of the model to a range with an address that cannot be mapped. Raises an exception or ends the
/// scenario.
pub fn not_memory(begin: u64, address: u64, how: Use) -> ! {
    let trap = Trap::Memory {
        how,
        address,
        target: memory::target(address),
    };
    let ending = in_model(trap, Some(begin), || format!("it {how} 0x{address:x}"));
    let raise = machine().raise.get();
    raise(address, how, ending)
}

/// Returns the ending for a trap in the model. If the driver called a function, the driver caused the trap.
pub fn in_model(trap: Trap, begin: Option<u64>, what: impl FnOnce() -> String) -> Ending {
    let at = here();
    if at.rva.is_none() && at.function.is_none() {
        internal(what());
    }
    let argument = match &trap {
        Trap::Memory {
            address, target, ..
        } if *target != Target::Stack => argument(begin.unwrap_or(*address)),
        _ => None,
    };
    Ending::Trap {
        at,
        trap,
        argument,
        guarded: false,
    }
}
