//! Unwinding from the registers of a routine to those of its caller.
//!
//! Document: "x64 exception handling" for `UNWIND_INFO` and `UNWIND_CODE`. XMM registers are not restored.

use super::state::{machine, with_thread};
use crate::image::RoutineEntry;
use crate::os::{Cpu, raw};

/// The register number of RSP.
const RSP: usize = 4;
const HANDLER_FLAGS: u8 = UNW_FLAG_EHANDLER | UNW_FLAG_UHANDLER;
/// The handler is called during the search for an exception handler.
pub const UNW_FLAG_EHANDLER: u8 = 1;
/// The handler is called during unwinding.
pub const UNW_FLAG_UHANDLER: u8 = 2;
/// The unwind information continues in another entry.
const UNW_FLAG_CHAININFO: u8 = 4;

/// A stack frame of the driver.
#[derive(Debug, Clone, Copy)]
pub struct Frame {
    /// The image base.
    pub base: u64,
    /// The address of its entry in the exception directory, or 0 if it has none.
    pub entry: u64,
    /// The establisher frame, which is passed to handlers.
    pub establisher: u64,
    /// The address of the handler, the flags that specify when it is called, and the address of its data.
    pub handler: Option<(u64, u8, u64)>,
    /// The registers of the caller.
    pub caller: Cpu,
}

/// Returns the frame of the routine at `cpu.rip`, or `None` if the address is not in the driver.
#[must_use]
pub fn frame(cpu: &Cpu) -> Option<Frame> {
    let (base, rva, entry) = {
        let memory = machine().memory.borrow();
        let mapped = memory.image.as_ref()?;
        let offset = (cpu.rip as usize).checked_sub(mapped.base)?;
        let rva = u32::try_from(offset)
            .ok()
            .filter(|_| offset < mapped.image.size)?;
        (
            mapped.base as u64,
            rva,
            mapped.image.routine_at(rva).copied(),
        )
    };
    let mut caller = *cpu;
    // The driver can have corrupted its stack pointer, so reads are limited to the stack.
    let stack = with_thread(|thread| thread.stack)?;
    let is_stack = |address: u64| (stack.low() as u64..stack.high() as u64 - 8).contains(&address);
    if !is_stack(cpu.gpr[RSP]) {
        return None;
    }
    let Some(entry) = entry else {
        // In a leaf routine, the return address is at the top of the stack.
        pop_return(&mut caller);
        return Some(Frame {
            base,
            entry: 0,
            establisher: cpu.gpr[RSP],
            handler: None,
            caller,
        });
    };
    let (establisher, handler) = undo(base, entry, rva, &mut caller);
    if !is_stack(establisher) || !is_stack(caller.gpr[RSP]) {
        return None;
    }
    pop_return(&mut caller);
    Some(Frame {
        base,
        entry: base + u64::from(entry.at),
        establisher,
        handler,
        caller,
    })
}

fn pop_return(cpu: &mut Cpu) {
    cpu.rip = raw::read(cpu.gpr[RSP]);
    cpu.gpr[RSP] += 8;
}

/// The address of a handler, its flags, and the address of its data.
type Handler = Option<(u64, u8, u64)>;

/// Undoes the prolog of a routine. Returns the establisher frame and the handler.
fn undo(base: u64, entry: RoutineEntry, rva: u32, cpu: &mut Cpu) -> (u64, Handler) {
    let mut info = base + u64::from(entry.unwind);
    // The offset up to which the prolog was executed.
    let mut done = rva - entry.begin;
    let mut establisher = cpu.gpr[RSP];
    let mut first = true;
    let mut handler = None;
    loop {
        let flags = raw::read::<u8>(info) >> 3;
        let count = u64::from(raw::read::<u8>(info + 2));
        let (register, offset) = {
            let frame = raw::read::<u8>(info + 3);
            (usize::from(frame & 0xF), u64::from(frame >> 4) * 16)
        };
        let codes = info + 4;
        let behind = codes + 2 * count.next_multiple_of(2);
        if first && register != 0 && sets_frame_register(codes, count, done) {
            establisher = cpu.gpr[register].wrapping_sub(offset);
        }
        undo_codes(codes, count, done, register, offset, establisher, cpu);
        if first && flags & HANDLER_FLAGS != 0 {
            let address = base + u64::from(raw::read::<u32>(behind));
            handler = Some((address, flags & HANDLER_FLAGS, behind + 4));
        }
        if flags & UNW_FLAG_CHAININFO == 0 {
            return (establisher, handler);
        }
        // The prolog of the chained entry was executed completely.
        info = base + u64::from(raw::read::<u32>(behind + 8));
        done = u32::MAX;
        first = false;
    }
}

/// Returns the number of slots of an unwind code.
fn slots(operation: u8, operand: u8) -> u64 {
    match (operation, operand) {
        (1, 0) | (4 | 8, _) => 2,
        (1 | 5 | 9, _) => 3,
        _ => 1,
    }
}

/// Returns the unwind codes that were executed: the operation, its operand, and the address of the following slot.
fn carried_out(codes: u64, count: u64, done: u32) -> impl Iterator<Item = (u8, u8, u64)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        while at < count {
            let place = codes + 2 * at;
            let offset = u32::from(raw::read::<u8>(place));
            let code = raw::read::<u8>(place + 1);
            at += slots(code & 0xF, code >> 4);
            if offset <= done {
                return Some((code & 0xF, code >> 4, place + 2));
            }
        }
        None
    })
}

/// Returns whether the prolog has set the frame register.
fn sets_frame_register(codes: u64, count: u64, done: u32) -> bool {
    carried_out(codes, count, done).any(|(operation, ..)| operation == 3)
}

fn undo_codes(
    codes: u64,
    count: u64,
    done: u32,
    register: usize,
    offset: u64,
    establisher: u64,
    cpu: &mut Cpu,
) {
    for (operation, operand, behind) in carried_out(codes, count, done) {
        let number = usize::from(operand);
        match operation {
            // UWOP_PUSH_NONVOL
            0 => {
                cpu.gpr[number] = raw::read(cpu.gpr[RSP]);
                cpu.gpr[RSP] += 8;
            }
            // UWOP_ALLOC_LARGE
            1 if operand == 0 => cpu.gpr[RSP] += u64::from(raw::read::<u16>(behind)) * 8,
            1 => cpu.gpr[RSP] += u64::from(raw::read::<u32>(behind)),
            // UWOP_ALLOC_SMALL
            2 => cpu.gpr[RSP] += u64::from(operand) * 8 + 8,
            // UWOP_SET_FPREG
            3 => cpu.gpr[RSP] = cpu.gpr[register].wrapping_sub(offset),
            // UWOP_SAVE_NONVOL, UWOP_SAVE_NONVOL_FAR
            4 => cpu.gpr[number] = raw::read(establisher + u64::from(raw::read::<u16>(behind)) * 8),
            5 => cpu.gpr[number] = raw::read(establisher + u64::from(raw::read::<u32>(behind))),
            // UWOP_EPILOG, UWOP_SAVE_XMM128 and others change none of these registers.
            _ => {}
        }
    }
}
