//! Pages by `mmap` and `mprotect`, processor exceptions by signals.

use std::collections::BTreeMap;
use std::io;
use std::ops::Range;
use std::sync::OnceLock;

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch,
};

use super::{Access, Cpu, Exception, Handler, Use, raw};

/// Reserves `size` bytes of address space that may not be used yet.
///
/// # Errors
///
/// The system's own, where it has no such room.
pub fn reserve(size: usize) -> io::Result<usize> {
    // SAFETY: an anonymous mapping at an address of the kernel's choice touches nothing that exists.
    let base = unsafe {
        libc::mmap(
            std::ptr::null_mut(),
            size,
            libc::PROT_NONE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE,
            -1,
            0,
        )
    };
    if base == libc::MAP_FAILED {
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
        Access::None => libc::PROT_NONE,
        Access::Read => libc::PROT_READ,
        Access::ReadWrite => libc::PROT_READ | libc::PROT_WRITE,
        Access::ReadExecute => libc::PROT_READ | libc::PROT_EXEC,
        Access::All => libc::PROT_READ | libc::PROT_WRITE | libc::PROT_EXEC,
    };
    // SAFETY: the callers pass pages of their own reservation; no Rust object lives on them.
    let result = unsafe { libc::mprotect(base as *mut libc::c_void, size, flags) };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// Every instruction that is the kernel's faults here by itself.
pub fn plant(_image: &mut [u8], _base: u64, _code: &[Range<usize>]) {}

/// The driver's code at an address.
#[must_use]
pub fn code(address: u64, length: usize) -> Vec<u8> {
    (address..).take(length).map(raw::read).collect()
}

/// Lets the next instruction read the current thread through GS, until [`hide_thread`].
#[must_use]
pub fn show_thread(_cpu: &Cpu, region: u64) -> bool {
    set_gs(region)
}

/// Puts right what [`show_thread`] changed.
#[must_use]
pub fn hide_thread() -> bool {
    set_gs(0)
}

/// Sets where the GS segment begins, which no program on Linux uses. False where that cannot be done.
fn set_gs(base: u64) -> bool {
    const ARCH_SET_GS: libc::c_ulong = 0x1001;
    // SAFETY: nothing in this process but the driver reads through GS.
    unsafe { libc::syscall(libc::SYS_arch_prctl, ARCH_SET_GS, base) == 0 }
}

const SIGNALS: [libc::c_int; 6] = [
    libc::SIGSYS,
    libc::SIGSEGV,
    libc::SIGBUS,
    libc::SIGILL,
    libc::SIGTRAP,
    libc::SIGFPE,
];

/// The place of each register of [`Cpu::gpr`] in the signal's context.
const GPR: [libc::c_int; 16] = [
    libc::REG_RAX,
    libc::REG_RCX,
    libc::REG_RDX,
    libc::REG_RBX,
    libc::REG_RSP,
    libc::REG_RBP,
    libc::REG_RSI,
    libc::REG_RDI,
    libc::REG_R8,
    libc::REG_R9,
    libc::REG_R10,
    libc::REG_R11,
    libc::REG_R12,
    libc::REG_R13,
    libc::REG_R14,
    libc::REG_R15,
];

/// Gives whole pages that [`reserve`] gave back to the system; their addresses stay reserved.
pub fn release(base: usize, size: usize) {
    // SAFETY: the callers pass pages of their own reservation; no Rust object lives on them. If it fails, the pages stay.
    unsafe { libc::madvise(base as *mut libc::c_void, size, libc::MADV_DONTNEED) };
}

/// Prepares the guard below a stack, which begins at `low`. Inaccessible memory is enough: the handler of exceptions has a
/// stack of its own.
///
/// # Errors
///
/// None here.
#[expect(clippy::unnecessary_wraps, reason = "it can fail on Windows")]
pub fn guard_stack(_guard: usize, _low: usize) -> io::Result<()> {
    Ok(())
}

/// The lowest address of a stack whose driver's part begins at `low`.
#[must_use]
pub fn stack_limit(low: usize) -> usize {
    low
}

/// The memory that the process may have of its own.
const MOST_MEMORY: libc::rlim_t = 2 << 30;
/// The address space that the process may have: most of it is reserved and not used.
const MOST_ADDRESSES: libc::rlim_t = 16 << 30;
/// The processor time that the process may take, in seconds.
const MOST_TIME: libc::rlim_t = 120;

/// Confines this process for the rest of its life: it may use memory, write what happened, and end. Other system calls
/// raise [`Exception::SystemCall`].
///
/// # Errors
///
/// The system's own: it has no filters for system calls.
pub fn confine() -> io::Result<()> {
    for (resource, most) in [
        (libc::RLIMIT_DATA, MOST_MEMORY),
        (libc::RLIMIT_AS, MOST_ADDRESSES),
        (libc::RLIMIT_CPU, MOST_TIME),
        (libc::RLIMIT_CORE, 0),
    ] {
        let limit = libc::rlimit {
            rlim_cur: most,
            rlim_max: most,
        };
        // SAFETY: the call only reads `limit`.
        if unsafe { libc::setrlimit(resource, &raw const limit) } != 0 {
            return Err(io::Error::last_os_error());
        }
    }
    let program = filter().map_err(io::Error::other)?;
    seccompiler::apply_filter_all_threads(&program).map_err(io::Error::other)
}

fn filter() -> Result<BpfProgram, seccompiler::BackendError> {
    /// Standard input, which the thread reads that waits for the end of the parent.
    const INPUT: u64 = 0;
    /// Standard output, where events go.
    const OUTPUT: u64 = 1;
    const ARCH_SET_GS: u64 = 0x1001;
    /// The descriptor of a mapping of no file.
    const NO_FILE: u64 = u32::MAX as u64;
    let only = |argument, value| {
        let condition =
            SeccompCondition::new(argument, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, value)?;
        Ok(vec![SeccompRule::new(vec![condition])?])
    };
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = BTreeMap::from([
        (libc::SYS_read, only(0, INPUT)?),
        (libc::SYS_write, only(0, OUTPUT)?),
        (libc::SYS_mmap, only(4, NO_FILE)?),
        (libc::SYS_arch_prctl, only(0, ARCH_SET_GS)?),
    ]);
    for free in [
        libc::SYS_brk,
        libc::SYS_clock_gettime,
        libc::SYS_exit,
        libc::SYS_exit_group,
        libc::SYS_futex,
        libc::SYS_getrandom,
        libc::SYS_madvise,
        libc::SYS_mprotect,
        libc::SYS_mremap,
        libc::SYS_munmap,
        libc::SYS_rt_sigprocmask,
        libc::SYS_rt_sigreturn,
        libc::SYS_sched_yield,
        libc::SYS_sigaltstack,
    ] {
        rules.insert(free, Vec::new());
    }
    SeccompFilter::new(
        rules,
        SeccompAction::Trap,
        SeccompAction::Allow,
        TargetArch::x86_64,
    )?
    .try_into()
}

static HANDLER: OnceLock<Handler> = OnceLock::new();

/// Sends this thread's processor exceptions to a handler.
///
/// # Errors
///
/// The system's own.
pub fn catch_traps(handler: Handler) -> io::Result<()> {
    let _ = HANDLER.set(handler);
    // A stack of its own: the driver may have used up the other one.
    let size = 1 << 20;
    let base = reserve(size)?;
    protect(base, size, Access::ReadWrite)?;
    let stack = libc::stack_t {
        ss_sp: base as *mut libc::c_void,
        ss_flags: 0,
        ss_size: size,
    };
    // SAFETY: the pages were reserved for nothing else and are never given back.
    if unsafe { libc::sigaltstack(&raw const stack, std::ptr::null_mut()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: all zeroes is a valid `sigaction`: no flags, an empty mask.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = on_signal as *const () as usize;
    action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_NODEFER;
    for signal in SIGNALS {
        // SAFETY: `on_signal` has the signature that SA_SIGINFO asks for.
        if unsafe { libc::sigaction(signal, &raw const action, std::ptr::null_mut()) } != 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}

/// The length of `syscall`.
const SYSCALL: u64 = 2;
/// Page fault, the number the processor gives it.
const PAGE_FAULT: i64 = 14;
/// General protection.
const GENERAL_PROTECTION: i64 = 13;

extern "C" fn on_signal(
    signal: libc::c_int,
    info: *mut libc::siginfo_t,
    context: *mut libc::c_void,
) {
    // SAFETY: the kernel passes a `ucontext_t` that nobody else uses until this function returns.
    let context = unsafe { &mut *context.cast::<libc::ucontext_t>() };
    // SAFETY: likewise.
    let info = unsafe { &*info };
    let registers = &mut context.uc_mcontext.gregs;
    let mut cpu = Cpu {
        rip: registers[libc::REG_RIP as usize] as u64,
        gpr: GPR.map(|register| registers[register as usize] as u64),
        flags: registers[libc::REG_EFL as usize] as u64,
    };
    let error = registers[libc::REG_ERR as usize];
    let trap = match (signal, registers[libc::REG_TRAPNO as usize]) {
        (libc::SIGSEGV | libc::SIGBUS, PAGE_FAULT) => Exception::Access {
            // SAFETY: for a page fault the kernel fills in the address.
            address: unsafe { info.si_addr() } as u64,
            how: match error {
                error if error & 0x10 != 0 => Use::Execute,
                error if error & 0x2 != 0 => Use::Write,
                _ => Use::Read,
            },
        },
        (libc::SIGSEGV | libc::SIGBUS, GENERAL_PROTECTION) => Exception::Protection,
        (libc::SIGILL, _) => Exception::Illegal,
        (libc::SIGTRAP, 1) => Exception::Step,
        (libc::SIGTRAP, _) => Exception::Breakpoint,
        (libc::SIGFPE, 0) => Exception::Divide,
        (libc::SIGSYS, _) => Exception::SystemCall,
        _ => Exception::Other,
    };
    match trap {
        // The processor is past it already; on Windows the context is at it.
        Exception::Breakpoint => cpu.rip -= 1,
        Exception::SystemCall => cpu.rip -= SYSCALL,
        _ => {}
    }
    if let Some(handler) = HANDLER.get() {
        handler(trap, &mut cpu);
    }
    registers[libc::REG_RIP as usize] = cpu.rip as i64;
    registers[libc::REG_EFL as usize] = cpu.flags as i64;
    for (register, value) in GPR.iter().zip(cpu.gpr) {
        registers[*register as usize] = value as i64;
    }
}
