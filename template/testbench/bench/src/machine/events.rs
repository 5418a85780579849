//! Records what happens, and ends the scenario.

use std::sync::atomic::Ordering;

use super::memory;
use super::space::{KERNEL, LOWEST};
use super::state::{installed, machine, with_thread};
use super::switch::{SWITCH, UNMODELLED};
use crate::os::{PAGE, Use};
use crate::trace::{Argument, Ending, Event, Misuse, Place, Target, Trap};

/// More events than any driver needs.
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

/// Ends the scenario.
pub fn end(ending: Ending) -> ! {
    if let Some(machine) = installed() {
        emit(&Event::End { ending });
        machine.record.flush();
    }
    std::process::exit(0)
}

/// Ends the scenario: the driver did what on Windows is a bug check or a corruption.
pub fn misuse(misuse: Misuse) -> ! {
    end(Ending::Misuse { at: here(), misuse })
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
    memory::place(SWITCH.site.load(Ordering::Relaxed), running())
}

/// The name of the function that is running.
#[must_use]
pub fn running() -> Option<&'static str> {
    let index = SWITCH.running.load(Ordering::Relaxed);
    let index = index
        .checked_sub(1)
        .filter(|index| index & UNMODELLED == 0)?;
    let function = machine().functions.get(index as usize)?;
    Some(function.name)
}

/// How far behind an address its structure or buffer may reach.
const REACH: u64 = 1 << 20;

/// The argument by which the function that is running came to an address.
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
    // The nearest one below it, and of equal ones the first.
    let (number, _) = addresses
        .filter(|(_, value)| (0..REACH).contains(&address.wrapping_sub(*value)))
        // NULL comes before a number that is small as well.
        .min_by_key(|(_, value)| (address < LOWEST && *value != 0, address - value))?;
    Some(Argument {
        number,
        member: None,
    })
}

/// `KUSER_SHARED_DATA`, where the kernel sees it.
pub const SHARED_DATA: u64 = 0xFFFF_F780_0000_0000;
const _: () = assert!(SHARED_DATA > KERNEL);

/// Where the page that kernel and user mode share is, for a range in it.
#[must_use]
pub fn shared_page(address: u64, length: usize) -> Option<u64> {
    let page = installed()?.shared_page.get();
    let offset = address.checked_sub(SHARED_DATA)?;
    (page != 0 && length <= PAGE && offset <= (PAGE - length) as u64).then(|| page + offset)
}

/// The trap of an access by the model to a range, at an address in which there can be no memory: an exception, or the end
/// of the scenario.
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

/// The ending for a trap in the model: the driver's fault, if it called one of the model's functions.
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
