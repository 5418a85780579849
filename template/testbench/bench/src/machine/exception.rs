//! Structured exception handling: the search for a handler in the frames of the driver.
//!
//! Documents: "x64 exception handling", "Handling Exceptions" (kernel), "`EXCEPTION_RECORD` structure (winnt.h)". As on
//! Windows, a driver can handle only access violations at user-mode addresses. An invalid kernel-mode address causes a
//! bug check. An exception that no driver routine handles ends the scenario, because the system does not handle it
//! either.

use std::sync::atomic::Ordering;

use super::enter::{abandon, call_back};
use super::events::{emit, end, here, internal};
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
use crate::vocabulary::status::Status;

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
/// The result of the model's own handler: execution continues at the address that [`set_target`] stored.
pub const UNWIND: u32 = 0x5EED;

/// Sets the function that [`switch::raise`] calls.
pub fn set_up() {
    let raise: extern "win64" fn() -> ! = raise_pending;
    SWITCH.raise.store(raise as usize as u64, Ordering::Relaxed);
}

/// Returns whether an exception can be handled: a running driver routine has a handler, and the IRQL is below
/// `DISPATCH_LEVEL`.
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

/// Returns the registers of the driver at the call of the current function.
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

/// Defers an exception that occurred in a trap handler. The driver continues in [`switch::raise`].
pub fn raise_later(raised: Raised, driver: Cpu, cpu: &mut Cpu) {
    with_thread(|thread| thread.pending = Some((raised, driver)));
    cpu.rip = switch::raise as *const () as u64;
}

extern "win64" fn raise_pending() -> ! {
    let Some((raised, cpu)) = with_thread(|thread| thread.pending.take()) else {
        internal("an exception is raised, but none is pending")
    };
    dispatch(raised, &cpu)
}

/// Raises an exception in a function that the driver called.
pub fn raise(raised: Raised) -> ! {
    let cpu = at_call();
    dispatch(raised, &cpu)
}

/// Raises an exception. If no driver routine handles it, the scenario ends with a bug check.
pub fn raise_status(code: Status, by: &str) -> ! {
    const KMODE_EXCEPTION_NOT_HANDLED: u32 = 0x1E;
    raise(Raised {
        code,
        parameters: Vec::new(),
        otherwise: Ending::Bugcheck {
            at: here(),
            code: KMODE_EXCEPTION_NOT_HANDLED,
            parameters: [u64::from(code.0), 0, 0, 0],
            meaning: format!("KMODE_EXCEPTION_NOT_HANDLED, {code}, raised by {by}"),
        },
    })
}

/// Searches for a handler. Resumes the driver there, or ends the scenario if there is none.
fn dispatch(raised: Raised, cpu: &Cpu) -> ! {
    let in_call = with_thread(|thread| thread.answering.is_some());
    emit(&Event::Exception {
        code: raised.code,
        at: memory::place(cpu.rip, None),
    });
    // The handlers run on the stack below the frames of the driver.
    let below = (cpu.gpr[RSP] - 0x100) & !0xF;
    let before = SWITCH.driver_stack.swap(below, Ordering::Relaxed);
    let record = record(&raised, cpu);
    let registers = context_block(cpu);
    match search(cpu, record, registers) {
        Search::Goes(mut cpu) => {
            if in_call {
                abandon(raised.code);
            }
            cpu.gpr[RAX] = u64::from(raised.code.0);
            resume(&cpu)
        }
        Search::Continues => resume(&registers_of(registers, cpu)),
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

fn resume(cpu: &Cpu) -> ! {
    // SAFETY: unwinding determined the registers of a running driver routine.
    unsafe { switch::resume_driver(&raw const cpu.gpr, cpu.rip) }
}

/// The result of a search for a handler.
enum Search {
    /// The driver continues with these registers, in the routine that handles the exception.
    Goes(Cpu),
    /// The driver continues at the instruction that raised the exception.
    Continues,
    /// A handler returned a value that the model does not support.
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
                    None => Search::Fails("the frame of the handler does not exist".to_owned()),
                };
            }
            Some(other) => return Search::Fails(format!("a handler returns {other}")),
        }
    }
    Search::Nothing
}

/// Unwinds to a frame and calls the termination handlers of the frames in between. Returns the registers of the target
/// frame.
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

/// Calls the handler of a frame if it has one for this purpose.
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

/// Stores the address at which execution continues in the frame whose handler returns [`UNWIND`].
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

/// Returns the registers after a filter has run.
fn registers_of(block: u64, cpu: &Cpu) -> Cpu {
    let mut cpu = *cpu;
    for (at, value) in cpu.gpr.iter_mut().enumerate() {
        *value = raw::read(block + context::REGISTERS + 8 * at as u64);
    }
    cpu.rip = raw::read(block + context::RIP);
    cpu
}
