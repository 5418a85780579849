//! Processor exceptions: their causes, and the emulation of some instructions.
//!
//! The WDK headers inline some kernel functions: they read the IRQL from CR8, the tick count from the page that kernel
//! and user mode share, and the current thread from the processor control region. These instructions are emulated. All
//! other exceptions are raised to the driver or end the scenario.

use std::io;

use super::events::{self, SHARED_DATA, in_model};
use super::exception;
use super::memory;
use super::space::{LOWEST, Purpose, USER_END};
use super::state::{Step, machine};
use super::system::once;
use super::thread::Raised;
use super::threads;
use crate::os::{self, Access, CURRENT_THREAD, Cpu, Exception, PAGE, TRAP_FLAG, Use, raw};
use crate::trace::{Ending, Target, Trap};
use crate::vocabulary::status::{self, Status};

/// Creates the pages that replace those of the kernel, and installs the trap handler.
///
/// # Errors
///
/// Returns the error of the operating system.
pub fn set_up() -> io::Result<()> {
    let page = memory::allocate(PAGE, Purpose::System, "KUSER_SHARED_DATA".to_owned())?;
    raw::fill(page, 0, PAGE);
    raw::write::<u32>(page + 0x04, 0x0FA0_0000); // TickCountMultiplier
    raw::write::<u64>(page + 0x08, 0x0000_0100_0000_0000); // InterruptTime
    raw::write::<u32>(page + 0x10, 0x0000_0100);
    raw::write::<u64>(page + 0x14, 0x01DB_0000_0000_0000); // SystemTime
    raw::write::<u32>(page + 0x1C, 0x01DB_0000);
    for (at, unit) in "C:\\Windows".encode_utf16().enumerate() {
        raw::write(page + 0x30 + 2 * at as u64, unit); // NtSystemRoot
    }
    raw::write::<u32>(page + 0x260, 19041); // NtBuildNumber
    raw::write::<u32>(page + 0x26C, 10); // NtMajorVersion
    raw::write::<u64>(page + 0x320, 0x0010_0000); // TickCount
    os::protect(page as usize, PAGE, Access::Read)?;
    machine().shared_page.set(page);
    let region = memory::allocate(PAGE, Purpose::System, "the control region".to_owned())?;
    machine().control_region.set(region);
    exception::set_up();
    os::catch_traps(on_exception)
}

/// Moves the times in the shared page, in units of 100 ns.
///
/// # Errors
///
/// Returns the error of the operating system.
pub fn advance(time: i64) -> io::Result<()> {
    /// The length of a clock tick.
    const TICK: i64 = 156_250;
    let page = machine().shared_page.get();
    os::protect(page as usize, PAGE, Access::ReadWrite)?;
    for (place, amount) in [(0x08, time), (0x14, time), (0x320, time / TICK)] {
        let moved = raw::read::<i64>(page + place).wrapping_add(amount);
        raw::write(page + place, moved);
        if place != 0x320 {
            raw::write(page + place + 8, (moved >> 32) as u32);
        }
    }
    os::protect(page as usize, PAGE, Access::Read)
}

/// Returns the thread object of the current thread.
#[must_use]
pub fn current_thread() -> u64 {
    thread_object(threads::current())
}

/// Returns the thread object of a thread.
#[must_use]
pub fn thread_object(number: u32) -> u64 {
    once(&format!("thread {number}"), || {
        memory::handle("a thread object".to_owned())
    })
}

/// Handles an exception: changes the registers and returns, or ends the scenario.
fn on_exception(exception: Exception, cpu: &mut Cpu) {
    match exception {
        Exception::Step if finish_step(cpu) => return,
        Exception::Access {
            address,
            how: Use::Read,
        } if begin_step(address, cpu) || read_control_region(address, cpu) => return,
        Exception::Protection if move_cr8(cpu) => return,
        _ => {}
    }
    end_or_raise(exception, cpu);
}

/// Starts the emulation of a read from the shared page: for one instruction, the register points to the replacement
/// page.
fn begin_step(address: u64, cpu: &mut Cpu) -> bool {
    if !(SHARED_DATA..SHARED_DATA + PAGE as u64).contains(&address)
        || machine().step.get().is_some()
    {
        return false;
    }
    let page = machine().shared_page.get();
    if let Some(load) = absolute_load(cpu.rip) {
        let value = raw::read::<u64>(page + (address - SHARED_DATA));
        cpu.gpr[0] = if load.wide {
            value
        } else {
            value & 0xFFFF_FFFF
        };
        cpu.rip += load.length;
        return true;
    }
    let near = SHARED_DATA - 0x1000..SHARED_DATA + 0x1000;
    let Some(register) = cpu.gpr.iter().position(|value| near.contains(value)) else {
        return false;
    };
    let step = Step::Register(register, cpu.gpr[register]);
    machine().step.set(Some(step));
    cpu.gpr[register] = cpu.gpr[register]
        .wrapping_sub(SHARED_DATA)
        .wrapping_add(page);
    cpu.flags |= TRAP_FLAG;
    true
}

/// Restores the register after the instruction, unless the instruction changed it.
fn finish_step(cpu: &mut Cpu) -> bool {
    let Some(step) = machine().step.take() else {
        return false;
    };
    cpu.flags &= !TRAP_FLAG;
    let Step::Register(register, value) = step else {
        return os::hide_thread();
    };
    let moved = value
        .wrapping_sub(SHARED_DATA)
        .wrapping_add(machine().shared_page.get());
    if cpu.gpr[register] == moved {
        cpu.gpr[register] = value;
    }
    true
}

struct AbsoluteLoad {
    wide: bool,
    length: u64,
}

/// Decodes `mov eax, [imm64]` and `mov rax, [imm64]`, which load from an address without a register.
fn absolute_load(rip: u64) -> Option<AbsoluteLoad> {
    match [raw::read::<u8>(rip), raw::read(rip + 1)] {
        [0xA1, _] => Some(AbsoluteLoad {
            wide: false,
            length: 9,
        }),
        [0x48, 0xA1] => Some(AbsoluteLoad {
            wide: true,
            length: 10,
        }),
        _ => None,
    }
}

/// Emulates a read of `gs:[188h]`, the current thread: for one instruction, the value is visible there.
fn read_control_region(address: u64, cpu: &mut Cpu) -> bool {
    if address != CURRENT_THREAD || !has_gs_prefix(cpu.rip) || machine().step.get().is_some() {
        return false;
    }
    let page = machine().control_region.get();
    raw::write(page + CURRENT_THREAD, current_thread());
    if !os::show_thread(cpu, page) {
        return false;
    }
    machine().step.set(Some(Step::Gs));
    cpu.flags |= TRAP_FLAG;
    true
}

fn has_gs_prefix(rip: u64) -> bool {
    memory_is_code(rip) && os::code(rip, 3).contains(&0x65)
}

/// Emulates `mov reg, cr8` and `mov cr8, reg`, which access the IRQL.
fn move_cr8(cpu: &mut Cpu) -> bool {
    if !memory_is_code(cpu.rip) {
        return false;
    }
    let code: Vec<u8> = os::code(cpu.rip, 4);
    let [rex @ 0x44..=0x4F, 0x0F, opcode @ (0x20 | 0x22), modrm] = code[..] else {
        return false;
    };
    if rex & 4 == 0 || modrm & 0xF8 != 0xC0 {
        return false;
    }
    let register = ((modrm & 7) | (rex & 1) << 3) as usize;
    if opcode == 0x20 {
        cpu.gpr[register] = u64::from(threads::irql());
    } else {
        threads::set_irql(cpu.gpr[register] as u8);
    }
    cpu.rip += 4;
    true
}

fn memory_is_code(address: u64) -> bool {
    memory::is_loaded() && memory::is_code(address) && memory::is_code(address + 15)
}

/// Raises an exception if a driver routine can handle it. Otherwise ends the scenario with a description.
fn end_or_raise(exception: Exception, cpu: &mut Cpu) {
    let rsp = cpu.gpr[4];
    let in_driver = memory::rva(cpu.rip).is_some();
    let jumped = matches!(
        exception,
        Exception::Access {
            how: Use::Execute,
            ..
        }
    );
    let trap = match exception {
        Exception::Access { address, how } => Trap::Memory {
            how,
            address,
            target: access_target(address, how, cpu),
        },
        Exception::Protection => protection(cpu),
        Exception::Illegal => Trap::Other {
            what: "runs an instruction that does not exist (ud2, which compilers emit for unreachable code)".to_owned(),
        },
        Exception::Breakpoint => Trap::Breakpoint {
            what: "runs int3".to_owned(),
        },
        Exception::Divide => Trap::Other {
            what: "divides by zero or overflows in a division".to_owned(),
        },
        Exception::SystemCall => Trap::Privileged {
            instruction: "syscall".to_owned(),
        },
        Exception::Step | Exception::Other => Trap::Other {
            what: "causes a processor exception".to_owned(),
        },
    };
    let code = match exception {
        Exception::Divide => Some(status::INTEGER_DIVIDE_BY_ZERO),
        _ => code_of(&trap),
    };
    let address = match exception {
        Exception::Access { address, how } => vec![how as u64, address],
        _ => Vec::new(),
    };
    let guarded = in_driver && memory::is_loaded() && memory::has_handler(cpu.rip);
    let ending = |at| Ending::Trap {
        at,
        trap: trap.clone(),
        argument: None,
        guarded,
    };
    let (otherwise, driver) = if in_driver {
        (ending(memory::place(cpu.rip, None)), *cpu)
    } else if jumped {
        // The return address of the call to that address is at the top of the stack.
        events::end(ending(memory::place(raw::read(rsp), None)))
    } else {
        let what = || format!("{exception:?} at 0x{:x}, rsp 0x{rsp:x}", cpu.rip);
        (in_model(trap.clone(), None, what), exception::at_call())
    };
    match code {
        Some(code) if exception::can_be_handled(&driver) => {
            let raised = Raised {
                code,
                parameters: address,
                otherwise,
            };
            exception::raise_later(raised, driver, cpu);
        }
        _ => events::end(otherwise),
    }
}

/// Returns the exception code for a trap that a driver can handle. An invalid kernel-mode address causes a bug check.
fn code_of(trap: &Trap) -> Option<Status> {
    match trap {
        Trap::Memory {
            target: Target::Null | Target::Nothing | Target::UserBuffer { .. },
            address,
            ..
        } if *address < USER_END => Some(status::ACCESS_VIOLATION),
        Trap::Assertion { .. } => Some(status::ASSERTION_FAILURE),
        Trap::Breakpoint { .. } => Some(status::BREAKPOINT),
        _ => None,
    }
}

/// Raises the exception for an access of a system function to an address that cannot be mapped.
pub fn raise_access(address: u64, how: Use, otherwise: Ending) -> ! {
    let code = match &otherwise {
        Ending::Trap { trap, .. } => code_of(trap),
        _ => None,
    };
    match code {
        Some(code) if exception::can_be_handled(&exception::at_call()) => {
            exception::raise(Raised {
                code,
                parameters: vec![how as u64, address],
                otherwise,
            })
        }
        _ => events::end(otherwise),
    }
}

fn access_target(address: u64, how: Use, cpu: &Cpu) -> Target {
    if how != Use::Execute && address < LOWEST && has_gs_prefix(cpu.rip) {
        Target::ProcessorRegion
    } else {
        memory::target(address)
    }
}

/// Identifies the instruction that caused a protection fault.
fn protection(cpu: &Cpu) -> Trap {
    let other = Trap::Memory {
        how: Use::Read,
        address: 0,
        target: Target::Nothing,
    };
    if !memory_is_code(cpu.rip) {
        return other;
    }
    let code: Vec<u8> = os::code(cpu.rip, 8);
    let prefixes = code
        .iter()
        .take_while(|byte| matches!(byte, 0x40..=0x4F | 0x66 | 0xF2 | 0xF3 | 0xF0))
        .count();
    let privileged = |instruction: &str| Trap::Privileged {
        instruction: instruction.to_owned(),
    };
    match code[prefixes..] {
        [0xCD, 0x29, ..] => Trap::FastFail {
            code: fast_fail(cpu.gpr[1] as u32),
        },
        [0xCD, 0x2C, ..] => Trap::Assertion {
            what: "an assertion does not hold (int 2Ch, as FLT_ASSERT and NT_ASSERT compile to)"
                .to_owned(),
        },
        [0xCD, 0x2D, ..] => Trap::Breakpoint {
            what: "calls the debugger (int 2Dh)".to_owned(),
        },
        [0xCD, number, ..] => privileged(&format!("int {number:02X}h")),
        [0xFA, ..] => privileged("cli"),
        [0xFB, ..] => privileged("sti"),
        [0xF4, ..] => privileged("hlt"),
        [0x6C..=0x6F | 0xE4..=0xE7 | 0xEC..=0xEF, ..] => privileged("in or out"),
        [0x0F, 0x20..=0x23, ..] => privileged("mov of a control or debug register"),
        [0x0F, 0x30, ..] => privileged("wrmsr"),
        [0x0F, 0x32, ..] => privileged("rdmsr"),
        [0x0F, 0x33, ..] => privileged("rdpmc"),
        [0x0F, 0x08 | 0x09, ..] => privileged("invd or wbinvd"),
        [0x0F, 0x06, ..] => privileged("clts"),
        [0x0F, 0x00 | 0x01, ..] => {
            privileged("a system instruction (descriptor tables, invlpg, swapgs)")
        }
        [0x0F, 0xAE, ..] => privileged("xrstors or xsaves"),
        [0xCF, ..] => privileged("iretq"),
        _ => other,
    }
}

/// Returns the description of a `__fastfail` code.
fn fast_fail(code: u32) -> String {
    let name = match code {
        0 => "FAST_FAIL_LEGACY_GS_VIOLATION",
        2 => "FAST_FAIL_STACK_COOKIE_CHECK_FAILURE",
        3 => "FAST_FAIL_CORRUPT_LIST_ENTRY",
        4 => "FAST_FAIL_INCORRECT_STACK",
        5 => "FAST_FAIL_INVALID_ARG",
        6 => "FAST_FAIL_GS_COOKIE_INIT",
        7 => "FAST_FAIL_FATAL_APP_EXIT",
        8 => "FAST_FAIL_RANGE_CHECK_FAILURE",
        10 => "FAST_FAIL_GUARD_ICALL_CHECK_FAILURE",
        13 => "FAST_FAIL_INVALID_REFERENCE_COUNT",
        _ => "no name",
    };
    format!("{code} ({name})")
}
