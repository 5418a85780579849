//! Processor exceptions: what the driver did, and the few things that are carried out for it.
//!
//! A driver built with the WDK's headers has some of the kernel inlined: the IRQL is read from CR8,
//! the tick count from the page that kernel and user mode share, the current thread from the
//! processor control region. These are carried out here; everything else ends the scenario with a
//! name.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::memory::{self, Purpose};
use crate::os::{self, Access, CURRENT_THREAD, Cpu, PAGE, TRAP_FLAG, Trap, Use};
use crate::trace::{Ending, Fault, Target};
use crate::{guest, model};

/// `KUSER_SHARED_DATA`, where the kernel sees it.
const SHARED_DATA: u64 = 0xFFFF_F780_0000_0000;

/// The page that stands in for it.
static SHARED_PAGE: AtomicU64 = AtomicU64::new(0);
/// The page that stands in for the processor control region.
static CONTROL_REGION: AtomicU64 = AtomicU64::new(0);
/// GS is what is to be put right after a step.
const GS: u64 = 17;
/// A step is under way: the register to put right, plus one, and its value.
static STEP: AtomicU64 = AtomicU64::new(0);
static STEP_VALUE: AtomicU64 = AtomicU64::new(0);

/// Makes the page and takes the exceptions.
///
/// # Errors
///
/// The operating system's own.
pub fn set_up() -> io::Result<()> {
    let page = memory::allocate(PAGE, Purpose::System, "KUSER_SHARED_DATA".to_owned())?;
    guest::fill(page, 0, PAGE);
    guest::write::<u32>(page + 0x04, 0x0FA0_0000); // TickCountMultiplier
    guest::write::<u64>(page + 0x08, 0x0000_0100_0000_0000); // InterruptTime
    guest::write::<u32>(page + 0x10, 0x0000_0100);
    guest::write::<u64>(page + 0x14, 0x01DB_0000_0000_0000); // SystemTime
    guest::write::<u32>(page + 0x1C, 0x01DB_0000);
    for (at, unit) in "C:\\Windows".encode_utf16().enumerate() {
        guest::write(page + 0x30 + 2 * at as u64, unit); // NtSystemRoot
    }
    guest::write::<u32>(page + 0x260, 19041); // NtBuildNumber
    guest::write::<u32>(page + 0x26C, 10); // NtMajorVersion
    guest::write::<u64>(page + 0x320, 0x0010_0000); // TickCount
    os::protect(page as usize, PAGE, Access::Read)?;
    SHARED_PAGE.store(page, Ordering::Relaxed);
    let region = memory::allocate(PAGE, Purpose::System, "the control region".to_owned())?;
    CONTROL_REGION.store(region, Ordering::Relaxed);
    os::catch_traps()
}

/// Where the page that kernel and user mode share is, for a range in it.
#[must_use]
pub fn shared_page(address: u64, length: usize) -> Option<u64> {
    let page = SHARED_PAGE.load(Ordering::Relaxed);
    let offset = address.checked_sub(SHARED_DATA)?;
    (page != 0 && length <= PAGE && offset <= (PAGE - length) as u64).then(|| page + offset)
}

/// Ends the scenario: the model was told to access a range, at an address in which there can be no memory.
pub fn not_memory(begin: u64, address: u64, how: Use) -> ! {
    let fault = Fault::Memory {
        how,
        address,
        target: memory::target(address, 0),
    };
    in_model(fault, Some(begin), || format!("it {how} 0x{address:x}"))
}

/// Ends the scenario with a fault in the model: the driver's, if it called one of the model's functions.
fn in_model(fault: Fault, begin: Option<u64>, what: impl FnOnce() -> String) -> ! {
    let at = model::here();
    if at.rva.is_none() && at.function.is_none() {
        model::internal(what());
    }
    let argument = match &fault {
        Fault::Memory {
            address, target, ..
        } if *target != Target::Stack => model::argument(begin.unwrap_or(*address)),
        _ => None,
    };
    model::end(Ending::Fault {
        at,
        fault,
        argument,
        guarded: false,
    })
}

/// Decides on an exception: changes the registers and returns, or ends the scenario.
pub fn on_trap(trap: Trap, cpu: &mut Cpu) {
    match trap {
        Trap::Step if finish_step(cpu) => return,
        Trap::Access {
            address,
            how: Use::Read,
        } if begin_step(address, cpu) || read_control_region(address, cpu) => return,
        Trap::Protection if move_cr8(cpu) => return,
        _ => {}
    }
    end(trap, cpu)
}

/// Reads of the shared page: the register that points there is moved to the stand-in for one
/// instruction.
fn begin_step(address: u64, cpu: &mut Cpu) -> bool {
    if !(SHARED_DATA..SHARED_DATA + PAGE as u64).contains(&address)
        || STEP.load(Ordering::Relaxed) != 0
    {
        return false;
    }
    let page = SHARED_PAGE.load(Ordering::Relaxed);
    if let Some(load) = absolute_load(cpu.rip) {
        let value = guest::read::<u64>(page + (address - SHARED_DATA));
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
    STEP.store(register as u64 + 1, Ordering::Relaxed);
    STEP_VALUE.store(cpu.gpr[register], Ordering::Relaxed);
    cpu.gpr[register] = cpu.gpr[register]
        .wrapping_sub(SHARED_DATA)
        .wrapping_add(page);
    cpu.flags |= TRAP_FLAG;
    true
}

/// After the one instruction: the register is put right, unless the instruction wrote to it.
fn finish_step(cpu: &mut Cpu) -> bool {
    let step = STEP.swap(0, Ordering::Relaxed);
    let Some(register) = step.checked_sub(1) else {
        return false;
    };
    if step == GS {
        cpu.flags &= !TRAP_FLAG;
        return os::hide_thread();
    }
    let register = register as usize;
    let value = STEP_VALUE.load(Ordering::Relaxed);
    let moved = value
        .wrapping_sub(SHARED_DATA)
        .wrapping_add(SHARED_PAGE.load(Ordering::Relaxed));
    if cpu.gpr[register] == moved {
        cpu.gpr[register] = value;
    }
    cpu.flags &= !TRAP_FLAG;
    true
}

struct AbsoluteLoad {
    wide: bool,
    length: u64,
}

/// `mov eax, [imm64]` and `mov rax, [imm64]`, the loads that need no register for the address.
fn absolute_load(rip: u64) -> Option<AbsoluteLoad> {
    match [guest::read::<u8>(rip), guest::read(rip + 1)] {
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

/// Reads of `gs:[188h]`, the current thread, which is shown there for one instruction.
fn read_control_region(address: u64, cpu: &mut Cpu) -> bool {
    if address != CURRENT_THREAD || !has_gs_prefix(cpu.rip) || STEP.load(Ordering::Relaxed) != 0 {
        return false;
    }
    let page = CONTROL_REGION.load(Ordering::Relaxed);
    guest::write(page + CURRENT_THREAD, model::process::current_thread());
    if !os::show_thread(cpu, page) {
        return false;
    }
    STEP.store(GS, Ordering::Relaxed);
    cpu.flags |= TRAP_FLAG;
    true
}

fn has_gs_prefix(rip: u64) -> bool {
    memory_is_code(rip) && os::code(rip, 3).contains(&0x65)
}

/// `mov reg, cr8` and `mov cr8, reg`: the IRQL.
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
        cpu.gpr[register] = u64::from(model::with(|state| state.irql));
    } else {
        model::set_irql(cpu.gpr[register] as u8);
    }
    cpu.rip += 4;
    true
}

fn memory_is_code(address: u64) -> bool {
    memory::is_loaded() && memory::is_code(address) && memory::is_code(address + 15)
}

/// Ends the scenario with the name of what happened.
fn end(trap: Trap, cpu: &Cpu) -> ! {
    let rsp = cpu.gpr[4];
    let in_driver = memory::rva(cpu.rip).is_some();
    let jumped = matches!(
        trap,
        Trap::Access {
            how: Use::Execute,
            ..
        }
    );
    let fault = match trap {
        Trap::Access { address, how } => Fault::Memory {
            how,
            address,
            target: access_target(address, how, cpu),
        },
        Trap::Protection => protection(cpu),
        Trap::Illegal => Fault::Other {
            what: "runs an instruction that does not exist (ud2, as compilers place where code must not arrive)".to_owned(),
        },
        Trap::Breakpoint => Fault::Breakpoint {
            what: "runs int3".to_owned(),
        },
        Trap::Divide => Fault::Other {
            what: "divides by zero or overflows in a division".to_owned(),
        },
        Trap::Step | Trap::Other => Fault::Other {
            what: "raises a processor exception".to_owned(),
        },
    };
    let at = if in_driver {
        memory::place(cpu.rip, None)
    } else if jumped {
        // Whoever called that address left the way back on the stack.
        memory::place(guest::read(rsp), None)
    } else {
        in_model(fault, None, || {
            format!("{trap:?} at 0x{:x}, rsp 0x{rsp:x}", cpu.rip)
        })
    };
    let guarded = in_driver && memory::is_loaded() && memory::has_handler(cpu.rip);
    model::end(Ending::Fault {
        at,
        fault,
        argument: None,
        guarded,
    })
}

fn access_target(address: u64, how: Use, cpu: &Cpu) -> Target {
    if how != Use::Execute && address < 0x1_0000 && has_gs_prefix(cpu.rip) {
        Target::ProcessorRegion
    } else {
        memory::target(address, cpu.gpr[4])
    }
}

/// A protection fault in code that can be read: which instruction?
fn protection(cpu: &Cpu) -> Fault {
    let other = Fault::Memory {
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
    let privileged = |instruction: &str| Fault::Privileged {
        instruction: instruction.to_owned(),
    };
    match code[prefixes..] {
        [0xCD, 0x29, ..] => Fault::FastFail {
            code: fast_fail(cpu.gpr[1] as u32),
        },
        [0xCD, 0x2C, ..] => Fault::Assertion {
            what: "an assertion does not hold (int 2Ch, as FLT_ASSERT and NT_ASSERT compile to)"
                .to_owned(),
        },
        [0xCD, 0x2D, ..] => Fault::Breakpoint {
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

/// The codes of `__fastfail` that drivers meet.
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
