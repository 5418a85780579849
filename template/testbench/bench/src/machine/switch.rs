//! Switching between the stack of the driver and that of the model.
//!
//! The driver runs on the kernel stack of its thread, the model's functions on the stack of the host. [`call_driver`]
//! leads from the host's stack to the driver's, [`enter_model`] back for the time of one call of the system. Both nest:
//! a callback that the system calls meanwhile continues on the stack of the driver where the call left it.

use std::arch::naked_asm;
use std::mem::offset_of;
use std::sync::atomic::{AtomicU32, AtomicU64};

/// What the code that switches reads and writes, for the thread that is running.
#[repr(C)]
pub struct Switch {
    /// Where the driver's last call came from.
    pub site: AtomicU64,
    /// The top of the driver's stack.
    pub driver_stack: AtomicU64,
    /// The top of the host's stack.
    pub host_stack: AtomicU64,
    /// The limits of the driver's stack, as Windows wants them in the thread's block.
    pub driver_base: AtomicU64,
    /// The lowest address of the driver's stack.
    pub driver_limit: AtomicU64,
    /// The limits of the host's stack.
    pub host_base: AtomicU64,
    /// The lowest address of the host's stack.
    pub host_limit: AtomicU64,
    /// What [`raise`] calls.
    pub raise: AtomicU64,
    /// The function that is running: its place among the machine's functions, plus one. With [`UNMODELLED`], that of an
    /// import which the model does not have.
    pub running: AtomicU32,
}

/// The bit of [`Switch::running`] for imports that the model does not have.
pub const UNMODELLED: u32 = 0x8000_0000;

/// The one that is in use.
pub static SWITCH: Switch = Switch {
    site: AtomicU64::new(0),
    driver_stack: AtomicU64::new(0),
    host_stack: AtomicU64::new(0),
    driver_base: AtomicU64::new(0),
    driver_limit: AtomicU64::new(0),
    host_base: AtomicU64::new(0),
    host_limit: AtomicU64::new(0),
    raise: AtomicU64::new(0),
    running: AtomicU32::new(0),
};

/// As many arguments as a function of the system is passed on the stack.
pub const STACK_ARGUMENTS: usize = 12;
/// As many arguments as a routine of the driver's is passed.
pub const MOST_ARGUMENTS: usize = 6;

/// The instructions that exchange the limits of the stack in the thread's block, where Windows looks them up.
#[cfg(windows)]
macro_rules! limits {
    (save) => {
        "mov rax, gs:[0x08]
         mov [r11 + {host_base}], rax
         mov rax, gs:[0x10]
         mov [r11 + {host_limit}], rax"
    };
    (driver) => {
        "mov rax, [r11 + {driver_base}]
         mov gs:[0x08], rax
         mov rax, [r11 + {driver_limit}]
         mov gs:[0x10], rax"
    };
    (host) => {
        "mov rax, [r11 + {host_base}]
         mov gs:[0x08], rax
         mov rax, [r11 + {host_limit}]
         mov gs:[0x10], rax"
    };
}
#[cfg(not(windows))]
macro_rules! limits {
    (save) => {
        "/* {host_base} {host_limit} */"
    };
    (driver) => {
        "/* {driver_base} {driver_limit} */"
    };
    (host) => {
        "/* {host_base} {host_limit} */"
    };
}

/// Calls a routine of the driver's on the driver's stack, whose top is `stack`.
///
/// # Safety
///
/// `arguments` has [`MOST_ARGUMENTS`] values, `stack` is aligned to 16 bytes, and there is room below it.
#[unsafe(naked)]
#[must_use]
pub unsafe extern "win64" fn call_driver(address: u64, arguments: *const u64, stack: u64) -> u64 {
    naked_asm!(
        "push rbp",
        "mov rbp, rsp",
        "lea r11, [rip + {switch}]",
        "mov [r11 + {host_stack}], rsp",
        "mov r10, rcx",
        limits!(save),
        limits!(driver),
        "mov rsp, r8",
        "sub rsp, 0x40",
        "mov rax, [rdx + 0x20]",
        "mov [rsp + 0x20], rax",
        "mov rax, [rdx + 0x28]",
        "mov [rsp + 0x28], rax",
        "mov rcx, [rdx]",
        "mov r8, [rdx + 0x10]",
        "mov r9, [rdx + 0x18]",
        "mov rdx, [rdx + 0x08]",
        "call r10",
        "mov r10, rax",
        "lea r11, [rip + {switch}]",
        limits!(host),
        "mov rax, r10",
        "mov rsp, rbp",
        "pop rbp",
        "ret",
        switch = sym SWITCH,
        host_stack = const offset_of!(Switch, host_stack),
        host_base = const offset_of!(Switch, host_base),
        host_limit = const offset_of!(Switch, host_limit),
        driver_base = const offset_of!(Switch, driver_base),
        driver_limit = const offset_of!(Switch, driver_limit),
    )
}

/// What [`enter_model`] leaves at the top of the driver's stack: the registers that a call preserves, and the way back.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct CallFrame {
    reserved: u64,
    /// R15, R14, R13, R12, RSI, RDI, RBX, RBP.
    pub registers: [u64; 8],
    /// Where the driver goes on.
    pub site: u64,
}

/// Runs a function of the model on the host's stack. A thunk jumps here with the address of the function in R10; the
/// arguments are those of the driver's call.
///
/// # Safety
///
/// Only a thunk jumps here, from code that [`call_driver`] runs.
#[unsafe(naked)]
pub unsafe extern "win64" fn enter_model() {
    naked_asm!(
        "push rbp",
        "mov rbp, rsp",
        // What an exception handler of the driver's finds: see `CallFrame`.
        "push rbx",
        "push rdi",
        "push rsi",
        "push r12",
        "push r13",
        "push r14",
        "push r15",
        "sub rsp, 8",
        "lea r11, [rip + {switch}]",
        "mov [r11 + {driver_stack}], rsp",
        limits!(host),
        "mov rsp, [r11 + {host_stack}]",
        // The registers' room and the arguments on the stack.
        "sub rsp, 0x80",
        "mov rax, [rbp + 0x30]",
        "mov [rsp + 0x20], rax",
        "mov rax, [rbp + 0x38]",
        "mov [rsp + 0x28], rax",
        "mov rax, [rbp + 0x40]",
        "mov [rsp + 0x30], rax",
        "mov rax, [rbp + 0x48]",
        "mov [rsp + 0x38], rax",
        "mov rax, [rbp + 0x50]",
        "mov [rsp + 0x40], rax",
        "mov rax, [rbp + 0x58]",
        "mov [rsp + 0x48], rax",
        "mov rax, [rbp + 0x60]",
        "mov [rsp + 0x50], rax",
        "mov rax, [rbp + 0x68]",
        "mov [rsp + 0x58], rax",
        "mov rax, [rbp + 0x70]",
        "mov [rsp + 0x60], rax",
        "mov rax, [rbp + 0x78]",
        "mov [rsp + 0x68], rax",
        "mov rax, [rbp + 0x80]",
        "mov [rsp + 0x70], rax",
        "mov rax, [rbp + 0x88]",
        "mov [rsp + 0x78], rax",
        "call r10",
        "mov r10, rax",
        "lea r11, [rip + {switch}]",
        limits!(driver),
        "mov rax, r10",
        "mov rsp, rbp",
        "pop rbp",
        "ret",
        switch = sym SWITCH,
        driver_stack = const offset_of!(Switch, driver_stack),
        host_stack = const offset_of!(Switch, host_stack),
        host_base = const offset_of!(Switch, host_base),
        host_limit = const offset_of!(Switch, host_limit),
        driver_base = const offset_of!(Switch, driver_base),
        driver_limit = const offset_of!(Switch, driver_limit),
    )
}

/// Goes to the host's stack and to [`Switch::raise`]. The trap handler lets the driver go on here.
///
/// # Safety
///
/// The driver does not run again before [`resume_driver`].
#[unsafe(naked)]
pub unsafe extern "win64" fn raise() {
    naked_asm!(
        "lea r11, [rip + {switch}]",
        limits!(host),
        "mov rsp, [r11 + {host_stack}]",
        "sub rsp, 0x20",
        "call [r11 + {raise}]",
        "ud2",
        switch = sym SWITCH,
        host_stack = const offset_of!(Switch, host_stack),
        raise = const offset_of!(Switch, raise),
        host_base = const offset_of!(Switch, host_base),
        host_limit = const offset_of!(Switch, host_limit),
    )
}

/// Lets the driver go on with these registers, in the order of [`Cpu::gpr`](crate::os::Cpu::gpr), at an address. The
/// frames of the model's functions that were running are abandoned.
///
/// # Safety
///
/// The registers are those of a routine of the driver's which [`call_driver`] runs.
#[unsafe(naked)]
pub unsafe extern "win64" fn resume_driver(registers: *const [u64; 16], address: u64) -> ! {
    naked_asm!(
        "mov r10, rdx",
        "lea r11, [rip + {switch}]",
        limits!(driver),
        "mov r11, rcx",
        "mov rax, [r11]",
        "mov rcx, [r11 + 0x08]",
        "mov rdx, [r11 + 0x10]",
        "mov rbx, [r11 + 0x18]",
        "mov rsp, [r11 + 0x20]",
        "mov rbp, [r11 + 0x28]",
        "mov rsi, [r11 + 0x30]",
        "mov rdi, [r11 + 0x38]",
        "mov r8, [r11 + 0x40]",
        "mov r9, [r11 + 0x48]",
        "mov r12, [r11 + 0x60]",
        "mov r13, [r11 + 0x68]",
        "mov r14, [r11 + 0x70]",
        "mov r15, [r11 + 0x78]",
        "jmp r10",
        switch = sym SWITCH,
        driver_base = const offset_of!(Switch, driver_base),
        driver_limit = const offset_of!(Switch, driver_limit),
    )
}
