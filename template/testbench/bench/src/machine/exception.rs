//! Structured exceptions: a trap, or a function that raises one, searches the driver's frames for a handler.
//!
//! Documents: "x64 exception handling", "Handling Exceptions" (kernel), "`EXCEPTION_RECORD` structure (winnt.h)". As on
//! Windows, only an access to user-mode addresses is an exception that a driver can handle; a bad address of the kernel is
//! a bug check. An exception that no routine of the driver's handles ends the scenario: no caller in the system handles it.

use std::sync::atomic::Ordering;

use super::call::{self, call_back};
use super::events::{emit, end, internal};
use super::memory;
use super::state::with_thread;
use super::switch::{self, CallFrame, SWITCH};
use super::system::system_block;
use super::thread::Raised;
use super::threads;
use super::unwind::{self, Frame, UNW_FLAG_EHANDLER, UNW_FLAG_UHANDLER};
use crate::os::{Cpu, raw};
use crate::trace::{Ending, Event};
use crate::vocabulary::irql::DISPATCH;
use crate::vocabulary::layout::{context, dispatcher_context, exception_record};

const RAX: usize = 0;
const RSP: usize = 4;

/// `EXCEPTION_UNWINDING`.
pub const UNWINDING: u32 = 0x2;
/// `EXCEPTION_TARGET_UNWIND`.
pub const TARGET_UNWIND: u32 = 0x20;

/// `ExceptionContinueExecution`.
pub const CONTINUE_EXECUTION: u32 = 0;
/// `ExceptionContinueSearch`.
pub const CONTINUE_SEARCH: u32 = 1;
/// What the model's own handler answers: the frame goes on at an address that it noted.
pub const UNWIND: u32 = 0x5EED;

/// Prepares the way from a trap to the search for a handler.
pub fn set_up() {
    let raise: extern "win64" fn() -> ! = raise_pending;
    SWITCH.raise.store(raise as usize as u64, Ordering::Relaxed);
}

/// Whether the exception can be handled: some routine of the driver's that is running has a handler, and the IRQL allows
/// it.
#[must_use]
pub fn can_be_handled(cpu: &Cpu) -> bool {
    let mut cpu = *cpu;
    if threads::irql() >= DISPATCH || !memory::is_loaded() {
        return false;
    }
    while let Some(frame) = unwind::frame(&cpu) {
        if frame
            .handler
            .is_some_and(|(_, flags, _)| flags & UNW_FLAG_EHANDLER != 0)
        {
            return true;
        }
        cpu = frame.caller;
    }
    false
}

/// The registers of the driver where it called the function that is running.
#[must_use]
pub fn at_call() -> Cpu {
    let top = SWITCH.driver_stack.load(Ordering::Relaxed);
    let mut cpu = Cpu::default();
    // R15, R14, R13, R12, RSI, RDI, RBX, RBP.
    for (at, number) in [15, 14, 13, 12, 6, 7, 3, 5].into_iter().enumerate() {
        cpu.gpr[number] = raw::read(top + 8 + 8 * at as u64);
    }
    cpu.gpr[RSP] = top + size_of::<CallFrame>() as u64;
    cpu.rip = raw::read(top + 0x48);
    cpu
}

/// Takes an exception up that happened in a trap handler: the driver goes on in [`switch::raise`].
pub fn raise_later(raised: Raised, driver: Cpu, cpu: &mut Cpu) {
    with_thread(|thread| thread.pending = Some((raised, driver)));
    cpu.rip = switch::raise as *const () as u64;
}

extern "win64" fn raise_pending() -> ! {
    let Some((raised, cpu)) = with_thread(|thread| thread.pending.take()) else {
        internal("an exception is raised that nothing noted")
    };
    dispatch(raised, &cpu)
}

/// Raises an exception in a function that the driver called.
pub fn raise(raised: Raised) -> ! {
    let cpu = at_call();
    dispatch(raised, &cpu)
}

/// Searches for a handler, and lets the driver go on there; otherwise the scenario ends.
fn dispatch(raised: Raised, cpu: &Cpu) -> ! {
    let in_call = with_thread(|thread| thread.answering.is_some());
    emit(&Event::Exception {
        code: raised.code,
        at: memory::place(cpu.rip, None),
    });
    // What the handlers call comes below what the driver's stack has.
    let below = (cpu.gpr[RSP] - 0x100) & !0xF;
    let before = SWITCH.driver_stack.swap(below, Ordering::Relaxed);
    let record = record(&raised, cpu);
    let registers = context_block(cpu);
    match search(cpu, record, registers) {
        Search::Goes(mut cpu) => {
            if in_call {
                call::abandon(raised.code);
            }
            cpu.gpr[RAX] = u64::from(raised.code.0);
            go_on(&cpu)
        }
        Search::Continues => go_on(&registers_of(registers, cpu)),
        Search::Fails(construct) => end(Ending::Unmodelled {
            at: memory::place(cpu.rip, None),
            import: format!("structured exception handling: {construct}"),
        }),
        Search::Nothing => {
            SWITCH.driver_stack.store(before, Ordering::Relaxed);
            end(raised.otherwise)
        }
    }
}

fn go_on(cpu: &Cpu) -> ! {
    // SAFETY: the registers are those of a routine of the driver's that is running, as unwinding found them.
    unsafe { switch::resume_driver(&raw const cpu.gpr, cpu.rip) }
}

/// What came of the search for a handler.
enum Search {
    /// The driver goes on with these registers, in the routine that handles the exception.
    Goes(Cpu),
    /// The driver goes on where the exception happened.
    Continues,
    /// A handler asked for what the model does not do.
    Fails(String),
    /// No routine handles it.
    Nothing,
}

fn search(at: &Cpu, record: u64, registers: u64) -> Search {
    let mut cpu = *at;
    while let Some(frame) = unwind::frame(&cpu) {
        match called(&frame, &cpu, UNW_FLAG_EHANDLER, record, registers, 0) {
            None | Some(CONTINUE_SEARCH) => cpu = frame.caller,
            Some(CONTINUE_EXECUTION) => return Search::Continues,
            Some(UNWIND) => {
                let target = with_thread(|thread| thread.unwind_target);
                return match unwind_to(at, frame.establisher, target, record, registers) {
                    Some(cpu) => Search::Goes(cpu),
                    None => Search::Fails("the frame of the handler is gone".to_owned()),
                };
            }
            Some(other) => return Search::Fails(format!("a handler answers {other}")),
        }
    }
    Search::Nothing
}

/// Unwinds to a frame: calls the handlers of termination on the way. The registers there.
fn unwind_to(at: &Cpu, establisher: u64, target: u64, record: u64, registers: u64) -> Option<Cpu> {
    let mut cpu = *at;
    while let Some(frame) = unwind::frame(&cpu) {
        let is_target = frame.establisher == establisher;
        let flags = if is_target {
            UNWINDING | TARGET_UNWIND
        } else {
            UNWINDING
        };
        raw::write(record + exception_record::FLAGS, flags);
        let _ = called(&frame, &cpu, UNW_FLAG_UHANDLER, record, registers, target);
        if is_target {
            cpu.rip = target;
            return Some(cpu);
        }
        cpu = frame.caller;
    }
    None
}

/// Calls the handler of a frame, if it is one for this purpose.
fn called(
    frame: &Frame,
    cpu: &Cpu,
    purpose: u8,
    record: u64,
    registers: u64,
    target: u64,
) -> Option<u32> {
    let (handler, flags, data) = frame.handler?;
    if flags & purpose == 0 {
        return None;
    }
    let dispatcher = system_block(dispatcher_context::SIZE, "a dispatcher context");
    for (place, value) in [
        (dispatcher_context::PC, cpu.rip),
        (dispatcher_context::IMAGE, frame.base),
        (dispatcher_context::ENTRY, frame.entry),
        (dispatcher_context::ESTABLISHER, frame.establisher),
        (dispatcher_context::TARGET, target),
        (dispatcher_context::CONTEXT, registers),
        (dispatcher_context::HANDLER, handler),
        (dispatcher_context::DATA, data),
    ] {
        raw::write(dispatcher + place, value);
    }
    let arguments = [record, frame.establisher, registers, dispatcher];
    Some(call_back(handler, &arguments) as u32)
}

/// Notes where the frame goes on whose handler answers [`UNWIND`].
pub fn set_target(address: u64) {
    with_thread(|thread| thread.unwind_target = address);
}

fn record(raised: &Raised, cpu: &Cpu) -> u64 {
    let record = system_block(exception_record::SIZE, "an exception record");
    raw::write(record, raised.code.0);
    raw::write(record + exception_record::ADDRESS, cpu.rip);
    raw::write(
        record + exception_record::COUNT,
        raised.parameters.len() as u32,
    );
    for (at, parameter) in raised.parameters.iter().enumerate() {
        raw::write(
            record + exception_record::PARAMETERS + 8 * at as u64,
            *parameter,
        );
    }
    record
}

fn context_block(cpu: &Cpu) -> u64 {
    let block = system_block(context::SIZE, "the registers of an exception");
    for (at, value) in cpu.gpr.iter().enumerate() {
        raw::write(block + context::REGISTERS + 8 * at as u64, *value);
    }
    raw::write(block + context::RIP, cpu.rip);
    raw::write(block + context::FLAGS, cpu.flags as u32);
    block
}

/// The registers as a filter left them.
fn registers_of(block: u64, cpu: &Cpu) -> Cpu {
    let mut cpu = *cpu;
    for (at, value) in cpu.gpr.iter_mut().enumerate() {
        *value = raw::read(block + context::REGISTERS + 8 * at as u64);
    }
    cpu.rip = raw::read(block + context::RIP);
    cpu
}
