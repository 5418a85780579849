//! Switching between the stack of the driver and that of the model.
//!
//! The driver runs on the kernel stack of its thread. The functions of the model run on the host stack. [`call_driver`]
//! switches from the host stack to the driver stack. [`enter_model`] switches back for the duration of a call of the
//! system. The calls nest: a callback that the system calls continues on the driver stack, below the frame of the call.

use std::arch::naked_asm;
use std::mem::offset_of;
use std::sync::atomic::{AtomicU32, AtomicU64};

/// The state that the switching code accesses, for the current thread.
#[repr(C)]
pub struct Switch {
    /// The return address of the last call of the driver.
    pub site: AtomicU64,
    /// The top of the driver's stack.
    pub driver_stack: AtomicU64,
    /// The top of the host's stack.
    pub host_stack: AtomicU64,
    /// The highest address of the driver's stack, as in the thread information block of Windows.
    pub driver_base: AtomicU64,
    /// The lowest address of the driver's stack.
    pub driver_limit: AtomicU64,
    /// The highest address of the host's stack.
    pub host_base: AtomicU64,
    /// The lowest address of the host's stack.
    pub host_limit: AtomicU64,
    /// The function that [`raise`] calls.
    pub raise: AtomicU64,
    /// The function that is running: its index in the functions of the machine, plus one. With [`UNMODELLED`], the
    /// index of an import that is not modelled.
    pub running: AtomicU32,
}

/// The bit of [`Switch::running`] for imports that are not modelled.
pub const UNMODELLED: u32 = 0x8000_0000;

/// The state of the current thread.
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

/// The number of arguments that are passed to a system function on the stack.
pub const STACK_ARGUMENTS: usize = 12;
/// The number of arguments that are passed to a driver routine.
pub const MOST_ARGUMENTS: usize = 6;

/// The instructions that set the stack limits in the thread information block, which Windows checks.
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

/// Calls a driver routine on the driver stack, whose top is `stack`.
///
/// # Safety
///
/// `arguments` has [`MOST_ARGUMENTS`] values, `stack` is aligned to 16 bytes, and the memory below it is writable.
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

/// The frame that [`enter_model`] pushes on the driver stack: the nonvolatile registers and the return address.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct CallFrame {
    reserved: u64,
    /// R15, R14, R13, R12, RSI, RDI, RBX, RBP.
    pub registers: [u64; 8],
    /// The return address in the driver.
    pub site: u64,
}

/// Runs a function of the model on the host stack. A thunk jumps here with the address of the function in R10. The
/// arguments are those of the driver's call.
///
/// # Safety
///
/// Only thunks jump here, from code that [`call_driver`] runs.
#[unsafe(naked)]
pub unsafe extern "win64" fn enter_model() {
    naked_asm!(
        "push rbp",
        "mov rbp, rsp",
        // Exception handling reads these registers: see `CallFrame`.
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
        // The register parameter area and the stack arguments.
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

/// Switches to the host stack and calls [`Switch::raise`]. The trap handler resumes the driver here.
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

/// Resumes the driver at an address with these registers, in the order of `Cpu::gpr`. The frames of the model functions
/// that were running are discarded.
///
/// # Safety
///
/// The registers belong to a driver routine that [`call_driver`] runs.
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
