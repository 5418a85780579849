//! Pages by `VirtualAlloc` and `VirtualProtect`, processor exceptions by a vectored handler.
//!
//! Two things differ from Linux: `int 29h` ends the process before any handler runs, and the parent
//! names it from the exit code; and a read through GS gets the thread's own block instead of a fault.

use std::io;

use windows_sys::Win32::Foundation::{
    EXCEPTION_ACCESS_VIOLATION, EXCEPTION_BREAKPOINT, EXCEPTION_ILLEGAL_INSTRUCTION,
    EXCEPTION_INT_DIVIDE_BY_ZERO, EXCEPTION_INT_OVERFLOW, EXCEPTION_PRIV_INSTRUCTION,
    EXCEPTION_SINGLE_STEP, STATUS_ASSERTION_FAILURE,
};
use windows_sys::Win32::System::Diagnostics::Debug::{
    AddVectoredExceptionHandler, EXCEPTION_CONTINUE_EXECUTION, EXCEPTION_CONTINUE_SEARCH,
    EXCEPTION_POINTERS,
};
use windows_sys::Win32::System::Memory::{
    MEM_COMMIT, MEM_RESERVE, PAGE_EXECUTE_READ, PAGE_EXECUTE_READWRITE, PAGE_NOACCESS,
    PAGE_READONLY, PAGE_READWRITE, VirtualAlloc, VirtualProtect,
};

use super::{Access, Cpu, Trap, Use};

/// Reserves `size` bytes of address space that may not be used yet.
///
/// # Errors
///
/// The system's own, where it has no such room.
pub fn reserve(size: usize) -> io::Result<usize> {
    // SAFETY: a reservation at an address of the system's choice touches nothing that exists.
    let base = unsafe { VirtualAlloc(std::ptr::null(), size, MEM_RESERVE, PAGE_NOACCESS) };
    if base.is_null() {
        return Err(io::Error::last_os_error());
    }
    Ok(base as usize)
}

/// Says what may be done with whole pages that [`reserve`] gave.
///
/// # Errors
///
/// The system's own.
pub fn protect(base: usize, size: usize, access: Access) -> io::Result<()> {
    let flags = match access {
        Access::None => PAGE_NOACCESS,
        Access::Read => PAGE_READONLY,
        Access::ReadWrite => PAGE_READWRITE,
        Access::ReadExecute => PAGE_EXECUTE_READ,
        Access::All => PAGE_EXECUTE_READWRITE,
    };
    let base = base as *mut core::ffi::c_void;
    if access != Access::None {
        // SAFETY: committing pages of the callers' own reservation again leaves their content alone.
        if unsafe { VirtualAlloc(base, size, MEM_COMMIT, flags) }.is_null() {
            return Err(io::Error::last_os_error());
        }
    }
    let mut before = 0;
    // SAFETY: the callers pass pages of their own reservation; no Rust object lives on them.
    let done = unsafe { VirtualProtect(base, size, flags, &raw mut before) };
    // Pages that were never committed are inaccessible already.
    if done == 0 && access != Access::None {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// Sets where the GS segment begins. Windows uses it itself, so this cannot be done.
#[must_use]
pub fn set_gs(_base: u64) -> bool {
    false
}

/// Sends this process's processor exceptions to [`crate::fault::on_trap`].
///
/// # Errors
///
/// The system's own.
pub fn catch_traps() -> io::Result<()> {
    // SAFETY: `on_exception` has the signature that the system asks for and is never removed.
    let handle = unsafe { AddVectoredExceptionHandler(1, Some(on_exception)) };
    if handle.is_null() {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

unsafe extern "system" fn on_exception(pointers: *mut EXCEPTION_POINTERS) -> i32 {
    // SAFETY: the system passes valid pointers that nobody else uses until this function returns.
    let pointers = unsafe { &mut *pointers };
    // SAFETY: as above.
    let record = unsafe { &*pointers.ExceptionRecord };
    // SAFETY: as above.
    let context = unsafe { &mut *pointers.ContextRecord };
    let trap = match record.ExceptionCode {
        EXCEPTION_ACCESS_VIOLATION if record.ExceptionInformation[1] == usize::MAX => {
            Trap::Protection
        }
        EXCEPTION_ACCESS_VIOLATION => Trap::Access {
            address: record.ExceptionInformation[1] as u64,
            how: match record.ExceptionInformation[0] {
                0 => Use::Read,
                1 => Use::Write,
                _ => Use::Execute,
            },
        },
        EXCEPTION_PRIV_INSTRUCTION | STATUS_ASSERTION_FAILURE => Trap::Protection,
        EXCEPTION_ILLEGAL_INSTRUCTION => Trap::Illegal,
        EXCEPTION_BREAKPOINT => Trap::Breakpoint,
        EXCEPTION_SINGLE_STEP => Trap::Step,
        EXCEPTION_INT_DIVIDE_BY_ZERO | EXCEPTION_INT_OVERFLOW => Trap::Divide,
        // Language exceptions, thread names and the like are nobody's fault.
        _ => return EXCEPTION_CONTINUE_SEARCH,
    };
    let mut cpu = Cpu {
        rip: context.Rip,
        gpr: [
            context.Rax,
            context.Rcx,
            context.Rdx,
            context.Rbx,
            context.Rsp,
            context.Rbp,
            context.Rsi,
            context.Rdi,
            context.R8,
            context.R9,
            context.R10,
            context.R11,
            context.R12,
            context.R13,
            context.R14,
            context.R15,
        ],
        flags: u64::from(context.EFlags),
    };
    crate::fault::on_trap(trap, &mut cpu);
    context.Rip = cpu.rip;
    context.EFlags = cpu.flags as u32;
    let places = [
        &mut context.Rax,
        &mut context.Rcx,
        &mut context.Rdx,
        &mut context.Rbx,
        &mut context.Rsp,
        &mut context.Rbp,
        &mut context.Rsi,
        &mut context.Rdi,
        &mut context.R8,
        &mut context.R9,
        &mut context.R10,
        &mut context.R11,
        &mut context.R12,
        &mut context.R13,
        &mut context.R14,
        &mut context.R15,
    ];
    for (place, value) in places.into_iter().zip(cpu.gpr) {
        *place = value;
    }
    EXCEPTION_CONTINUE_EXECUTION
}
