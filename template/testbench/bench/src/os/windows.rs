//! Pages with `VirtualAlloc` and `VirtualProtect`, processor exceptions with a vectored handler.
//!
//! Some instructions that fault on Linux behave differently in a Windows process. [`patch`] replaces them.

use std::io::{self, BufRead as _};
use std::ops::Range;
use std::os::windows::io::AsRawHandle as _;
use std::process::Child;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError, mpsc};
use std::time::Duration;

use iced_x86::{Code, Decoder, DecoderOptions, Instruction, Mnemonic, OpKind, Register};
use windows_sys::Win32::Foundation::{
    EXCEPTION_ACCESS_VIOLATION, EXCEPTION_BREAKPOINT, EXCEPTION_GUARD_PAGE,
    EXCEPTION_ILLEGAL_INSTRUCTION, EXCEPTION_INT_DIVIDE_BY_ZERO, EXCEPTION_INT_OVERFLOW,
    EXCEPTION_PRIV_INSTRUCTION, EXCEPTION_SINGLE_STEP, EXCEPTION_STACK_OVERFLOW, FILETIME,
};
use windows_sys::Win32::System::Diagnostics::Debug::{
    AddVectoredExceptionHandler, EXCEPTION_CONTINUE_EXECUTION, EXCEPTION_CONTINUE_SEARCH,
    EXCEPTION_POINTERS,
};
use windows_sys::Win32::System::JobObjects::{
    AssignProcessToJobObject, CreateJobObjectW, JOB_OBJECT_LIMIT_ACTIVE_PROCESS,
    JOB_OBJECT_LIMIT_DIE_ON_UNHANDLED_EXCEPTION, JOB_OBJECT_LIMIT_PROCESS_MEMORY,
    JOB_OBJECT_LIMIT_PROCESS_TIME, JOBOBJECT_EXTENDED_LIMIT_INFORMATION,
    JobObjectExtendedLimitInformation, SetInformationJobObject,
};
use windows_sys::Win32::System::Memory::{
    MEM_COMMIT, MEM_DECOMMIT, MEM_RESERVE, PAGE_EXECUTE_READ, PAGE_EXECUTE_READWRITE, PAGE_GUARD,
    PAGE_NOACCESS, PAGE_READONLY, PAGE_READWRITE, VirtualAlloc, VirtualFree, VirtualProtect,
};
use windows_sys::Win32::System::Threading::{
    GetCurrentProcess, GetProcessTimes, SetThreadStackGuarantee,
};

use super::{Access, CURRENT_THREAD, Cpu, Exception, Handler, PAGE, Use, raw};

/// Reserves `size` bytes of address space. The pages are inaccessible.
///
/// # Errors
///
/// Returns the error of the system if the address space is exhausted.
pub fn reserve(size: usize) -> io::Result<usize> {
    // SAFETY: a reservation at an address that the system selects does not affect existing memory.
    let base = unsafe { VirtualAlloc(std::ptr::null(), size, MEM_RESERVE, PAGE_NOACCESS) };
    if base.is_null() {
        return Err(io::Error::last_os_error());
    }
    Ok(base as usize)
}

/// Sets the protection of whole pages from [`reserve`].
///
/// # Errors
///
/// Returns the error of the system.
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
        // SAFETY: the pages belong to the reservation of the caller. If they are already committed, their content is
        // preserved.
        if unsafe { VirtualAlloc(base, size, MEM_COMMIT, flags) }.is_null() {
            return Err(io::Error::last_os_error());
        }
    }
    let mut before = 0;
    // SAFETY: the callers pass pages of their own reservation. They contain no Rust objects.
    let done = unsafe { VirtualProtect(base, size, flags, &raw mut before) };
    // Pages that were never committed are already inaccessible.
    if done == 0 && access != Access::None {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// An instruction of the driver that [`patch`] replaced.
#[derive(Clone, Copy)]
struct Patch {
    address: u64,
    original: [u8; 2],
}

/// The replaced instructions, sorted by address.
static PATCHES: Mutex<Vec<Patch>> = Mutex::new(Vec::new());
/// The instruction that is being single-stepped, and the original content of the thread environment block.
static STEPPING: Mutex<Option<(u64, u64)>> = Mutex::new(None);

/// `ud2`. It is not longer than any replaced instruction.
const UD2: [u8; 2] = [0x0F, 0x0B];

/// The maximum length of an instruction.
const LONGEST: usize = 15;

/// Replaces instructions that behave differently in a Windows process than in the kernel by `ud2`, so that they raise
/// an exception:
///
/// - Software interrupts that Windows handles. `int 29h` ends the process without calling a handler.
/// - Accesses through GS, which points to the thread environment block.
///
/// Each range of `code` begins with an instruction and contains consecutive instructions. In each range, bytes after an
/// invalid instruction are not changed.
pub fn patch(image: &mut [u8], base: u64, code: &[Range<usize>]) {
    let patches = find(image, base, code);
    for patch in &patches {
        let at = (patch.address - base) as usize;
        image[at..at + UD2.len()].copy_from_slice(&UD2);
    }
    *PATCHES.lock().unwrap_or_else(PoisonError::into_inner) = patches;
}

/// Returns the instructions to replace, sorted by address.
fn find(image: &[u8], base: u64, code: &[Range<usize>]) -> Vec<Patch> {
    let mut found = Vec::new();
    for range in code {
        let Some(bytes) = image.get(range.clone()) else {
            continue;
        };
        let begin = base + range.start as u64;
        let instructions = Decoder::with_ip(64, bytes, begin, DecoderOptions::NONE)
            .into_iter()
            .take_while(|instruction| !instruction.is_invalid())
            .filter(must_be_patched);
        found.extend(instructions.map(|instruction| {
            let at = (instruction.ip() - base) as usize;
            Patch {
                address: instruction.ip(),
                original: [image[at], image[at + 1]],
            }
        }));
    }
    found.sort_by_key(|patch| patch.address);
    found
}

fn must_be_patched(instruction: &Instruction) -> bool {
    match instruction.code() {
        Code::Int_imm8 => (0x29..=0x2E).contains(&instruction.immediate8()),
        _ => uses_gs(instruction),
    }
}

fn uses_gs(instruction: &Instruction) -> bool {
    instruction.segment_prefix() == Register::GS
        && (0..instruction.op_count()).any(|at| instruction.op_kind(at) == OpKind::Memory)
}

fn patched_at(address: u64) -> Option<Patch> {
    let patches = PATCHES.lock().unwrap_or_else(PoisonError::into_inner);
    let at = patches
        .binary_search_by_key(&address, |patch| patch.address)
        .ok()?;
    patches.get(at).copied()
}

/// Returns the code of the driver at an address, as it is in the file.
#[must_use]
pub fn code(address: u64, length: usize) -> Vec<u8> {
    let mut code: Vec<u8> = (address..).take(length).map(raw::read).collect();
    // A patch that begins before the address can overlap the range.
    for begin in (1 - UD2.len() as i64)..length as i64 {
        let Some(patch) = patched_at(address.wrapping_add_signed(begin)) else {
            continue;
        };
        for (at, byte) in (begin..).zip(patch.original) {
            if let Some(place) = usize::try_from(at).ok().and_then(|at| code.get_mut(at)) {
                *place = byte;
            }
        }
    }
    code
}

/// Returns the exception that the original instruction is to raise.
fn original_exception(cpu: &Cpu) -> Option<Exception> {
    patched_at(cpu.rip)?;
    Some(trap(&code(cpu.rip, LONGEST), cpu))
}

/// Returns the exception that the instruction raises on Linux.
fn trap(code: &[u8], cpu: &Cpu) -> Exception {
    let instruction = Decoder::with_ip(64, code, cpu.rip, DecoderOptions::NONE).decode();
    if !uses_gs(&instruction) {
        return Exception::Protection;
    }
    let register = |register: Register| {
        let number = (register as usize).checked_sub(Register::RAX as usize);
        number
            .and_then(|number| cpu.gpr.get(number))
            .copied()
            .unwrap_or(0)
    };
    let index = register(instruction.memory_index())
        .wrapping_mul(u64::from(instruction.memory_index_scale()));
    let address = register(instruction.memory_base())
        .wrapping_add(index)
        .wrapping_add(instruction.memory_displacement64());
    let stores =
        instruction.mnemonic() == Mnemonic::Mov && instruction.op0_kind() == OpKind::Memory;
    Exception::Access {
        address,
        how: if stores { Use::Write } else { Use::Read },
    }
}

/// Overwrites an instruction of the driver.
fn overwrite(address: u64, bytes: [u8; 2]) -> bool {
    let page = address as usize & !(PAGE - 1);
    let end = (address as usize + bytes.len()).next_multiple_of(PAGE);
    let done = protect(page, end - page, Access::All).is_ok();
    if done {
        for (at, byte) in (address..).zip(bytes) {
            raw::write(at, byte);
        }
    }
    done && protect(page, end - page, Access::ReadExecute).is_ok()
}

/// Makes the current thread readable through GS for the instruction at `cpu`, until [`hide_thread`].
///
/// GS belongs to Windows. At the offset of the current thread in the kernel's structure, the thread environment block
/// has an unused field, which is reserved for in-process debuggers.
#[must_use]
pub fn show_thread(cpu: &Cpu, region: u64) -> bool {
    let Some(patch) = patched_at(cpu.rip) else {
        return false;
    };
    let before = swap_current_thread(raw::read(region + CURRENT_THREAD));
    *STEPPING.lock().unwrap_or_else(PoisonError::into_inner) = Some((patch.address, before));
    overwrite(patch.address, patch.original)
}

/// Undoes the change of [`show_thread`].
#[must_use]
pub fn hide_thread() -> bool {
    let stepping = STEPPING
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .take();
    stepping.is_some_and(|(address, before)| {
        swap_current_thread(before);
        overwrite(address, UD2)
    })
}

/// Exchanges eight bytes of the thread environment block.
fn swap_current_thread(mut value: u64) -> u64 {
    // SAFETY: the thread environment block has at least 0x1000 bytes. Neither this process nor Windows uses the field.
    unsafe {
        std::arch::asm!("xchg gs:[{at}], {value}", at = const CURRENT_THREAD, value = inout(reg) value);
    }
    value
}

/// Returns the memory of whole pages from [`reserve`] to the system. Their addresses remain reserved.
pub fn release(base: usize, size: usize) {
    // SAFETY: the callers pass pages of their own reservation. They contain no Rust objects. If the call fails, the
    // pages remain.
    unsafe { VirtualFree(base as *mut core::ffi::c_void, size, MEM_DECOMMIT) };
}

/// The space below the guard page of a stack. Windows calls the exception handler on the stack of the driver.
const HANDLER_STACK: usize = 256 * 1024;

/// Prepares the guard area below a stack that begins at `low`: a guard page, which raises an exception at the first
/// access, and below it the space in which the exception is handled.
///
/// # Errors
///
/// Returns the error of the system.
pub fn guard_stack(_guard: usize, low: usize) -> io::Result<()> {
    protect(stack_limit(low), low - stack_limit(low), Access::ReadWrite)?;
    let mut before = 0;
    let page = (low - PAGE) as *mut core::ffi::c_void;
    // SAFETY: the page belongs to the reservation of the caller. It contains no Rust objects.
    if unsafe { VirtualProtect(page, PAGE, PAGE_READWRITE | PAGE_GUARD, &raw mut before) } == 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// Returns the lowest address of a stack whose usable part begins at `low`.
#[must_use]
pub fn stack_limit(low: usize) -> usize {
    low - PAGE - HANDLER_STACK
}

/// The maximum memory of the process.
const MOST_MEMORY: usize = 2 << 30;
/// The maximum processor time of the process, in units of 100 ns.
const MOST_TIME: i64 = 120 * 10_000_000;

/// Confines this process permanently with a job object that limits memory and time and prevents child processes. Unlike
/// on Linux, a driver that calls Windows directly can access everything that the user can access.
///
/// # Errors
///
/// Returns the error of the system.
pub fn confine() -> io::Result<()> {
    // SAFETY: the job has no name and the default security descriptor.
    let job = unsafe { CreateJobObjectW(std::ptr::null(), std::ptr::null()) };
    if job.is_null() {
        return Err(io::Error::last_os_error());
    }
    let mut limits = JOBOBJECT_EXTENDED_LIMIT_INFORMATION::default();
    limits.BasicLimitInformation.LimitFlags = JOB_OBJECT_LIMIT_ACTIVE_PROCESS
        | JOB_OBJECT_LIMIT_DIE_ON_UNHANDLED_EXCEPTION
        | JOB_OBJECT_LIMIT_PROCESS_MEMORY
        | JOB_OBJECT_LIMIT_PROCESS_TIME;
    limits.BasicLimitInformation.ActiveProcessLimit = 1;
    limits.BasicLimitInformation.PerProcessUserTimeLimit = MOST_TIME;
    limits.ProcessMemoryLimit = MOST_MEMORY;
    // SAFETY: the information class and the size match the structure.
    let done = unsafe {
        SetInformationJobObject(
            job,
            JobObjectExtendedLimitInformation,
            (&raw const limits).cast(),
            size_of_val(&limits) as u32,
        )
    };
    // SAFETY: the call has no preconditions.
    let process = unsafe { GetCurrentProcess() };
    // SAFETY: the job was created above. Its handle is never closed.
    if done == 0 || unsafe { AssignProcessToJobObject(job, process) } == 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// The lines of standard input that the worker expects.
static LINES: OnceLock<Mutex<mpsc::Receiver<String>>> = OnceLock::new();

/// The worker waits for the next act, so that input is expected.
static IS_WAITING: AtomicBool = AtomicBool::new(false);

/// Returns the processor time of a process, if it is known.
pub fn processor_time(process: &Child) -> Option<Duration> {
    let mut times = [FILETIME::default(); 4];
    let [created, ended, system, user] = &mut times;
    // SAFETY: the handle is that of a child process, and the times are places of the right type.
    let known = unsafe { GetProcessTimes(process.as_raw_handle(), created, ended, system, user) };
    let units =
        |time: FILETIME| u64::from(time.dwHighDateTime) << 32 | u64::from(time.dwLowDateTime);
    // The times are in units of 100 nanoseconds.
    (known != 0).then(|| Duration::from_micros((units(times[2]) + units(times[3])) / 10))
}

/// Calls a handler and ends this process when standard input has data or is closed, unless [`expect_line`] announced it.
///
/// # Errors
///
/// The error of the operating system.
pub fn watch_input(handler: fn()) -> io::Result<()> {
    let (sender, receiver) = mpsc::channel();
    let _ = LINES.set(Mutex::new(receiver));
    let watch = move || {
        let mut lines = io::stdin().lock().lines();
        while let Some(Ok(line)) = lines.next() {
            if !IS_WAITING.swap(false, Ordering::AcqRel) || sender.send(line).is_err() {
                break;
            }
        }
        handler();
        std::process::exit(3);
    };
    std::thread::Builder::new().spawn(watch).map(drop)
}

/// Announces a call of [`next_line`]. Input is expected from now on.
pub fn expect_line() {
    IS_WAITING.store(true, Ordering::Release);
}

/// Returns the next line of standard input, or `None` at its end.
#[must_use]
pub fn next_line() -> Option<String> {
    let lines = LINES.get()?.lock().unwrap_or_else(PoisonError::into_inner);
    lines.recv().ok()
}

static HANDLER: OnceLock<Handler> = OnceLock::new();

/// The stack space that is reserved for the handler if the bench itself exhausts the stack.
const LAST_STACK: u32 = 128 * 1024;

/// Installs a handler for the processor exceptions of this process.
///
/// # Errors
///
/// Returns the error of the system.
pub fn catch_traps(handler: Handler) -> io::Result<()> {
    let _ = HANDLER.set(handler);
    // SAFETY: `on_exception` has the required signature and is never removed.
    let handle = unsafe { AddVectoredExceptionHandler(1, Some(on_exception)) };
    if handle.is_null() {
        return Err(io::Error::last_os_error());
    }
    let mut stack = LAST_STACK;
    // SAFETY: the call only reads and writes `stack`.
    if unsafe { SetThreadStackGuarantee(&raw mut stack) } == 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

unsafe extern "system" fn on_exception(pointers: *mut EXCEPTION_POINTERS) -> i32 {
    // SAFETY: the system passes valid pointers that are not accessed elsewhere until this function returns.
    let pointers = unsafe { &mut *pointers };
    // SAFETY: as above.
    let record = unsafe { &*pointers.ExceptionRecord };
    // SAFETY: as above.
    let context = unsafe { &mut *pointers.ContextRecord };
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
    let trap = match record.ExceptionCode {
        EXCEPTION_ACCESS_VIOLATION if record.ExceptionInformation[1] == usize::MAX => {
            Exception::Protection
        }
        EXCEPTION_ACCESS_VIOLATION => Exception::Access {
            address: record.ExceptionInformation[1] as u64,
            how: match record.ExceptionInformation[0] {
                0 => Use::Read,
                1 => Use::Write,
                _ => Use::Execute,
            },
        },
        EXCEPTION_GUARD_PAGE => Exception::Access {
            address: record.ExceptionInformation[1] as u64,
            how: Use::Write,
        },
        EXCEPTION_STACK_OVERFLOW => Exception::Access {
            address: context.Rsp,
            how: Use::Write,
        },
        EXCEPTION_PRIV_INSTRUCTION => Exception::Protection,
        EXCEPTION_ILLEGAL_INSTRUCTION => original_exception(&cpu).unwrap_or(Exception::Illegal),
        EXCEPTION_BREAKPOINT => Exception::Breakpoint,
        EXCEPTION_SINGLE_STEP => Exception::Step,
        EXCEPTION_INT_DIVIDE_BY_ZERO | EXCEPTION_INT_OVERFLOW => Exception::Divide,
        // Other exceptions, such as language exceptions and thread names, are not handled.
        _ => return EXCEPTION_CONTINUE_SEARCH,
    };
    if let Some(handler) = HANDLER.get() {
        handler(trap, &mut cpu);
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    /// mov eax, 0x29CD29CD; int 29h; mov rax, gs:[188h]; mov gs:[rcx*4+8], eax; ret
    const CODE: [u8; 25] = [
        0xB8, 0xCD, 0x29, 0xCD, 0x29, 0xCD, 0x29, 0x65, 0x48, 0x8B, 0x04, 0x25, 0x88, 0x01, 0, 0,
        0x65, 0x89, 0x04, 0x8D, 0x08, 0, 0, 0, 0xC3,
    ];

    /// Returns the addresses that are replaced in code that consists of routines with these boundaries.
    fn places(code: &[u8], edges: &[usize]) -> Vec<u64> {
        let routines: Vec<_> = edges.windows(2).map(|edge| edge[0]..edge[1]).collect();
        let found = find(code, 0x1000, &routines);
        found.iter().map(|patch| patch.address).collect()
    }

    #[test]
    fn only_whole_instructions_are_replaced() {
        assert_eq!(places(&CODE, &[0, 25]), [0x1005, 0x1007, 0x1010]);
    }

    #[test]
    fn code_after_an_invalid_instruction_is_not_replaced() {
        let mut code = CODE;
        code[5] = 0x06; // push es, which is invalid on x64
        assert_eq!(places(&code, &[0, 25]), [0_u64; 0]);
        assert_eq!(places(&code, &[0, 7, 25]), [0x1007, 0x1010]);
    }

    #[test]
    fn replaced_instructions_are_distinguished() {
        let mut cpu = Cpu::default();
        cpu.gpr[1] = 6;
        assert_eq!(trap(&CODE[5..], &cpu), Exception::Protection);
        let access = |how, address| Exception::Access { address, how };
        assert_eq!(trap(&CODE[7..], &cpu), access(Use::Read, CURRENT_THREAD));
        assert_eq!(trap(&CODE[16..], &cpu), access(Use::Write, 0x20));
    }
}
