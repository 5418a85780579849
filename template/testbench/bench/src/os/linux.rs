//! Pages with `mmap` and `mprotect`, processor exceptions with signals.

use std::collections::BTreeMap;
use std::ops::Range;
use std::process::Child;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use std::{fs, io};

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch,
};

use super::{Access, Cpu, Exception, Handler, Use, raw};

/// Reserves `size` bytes of address space. The pages are inaccessible.
///
/// # Errors
///
/// Returns the error of the system if the address space is exhausted.
pub fn reserve(size: usize) -> io::Result<usize> {
    // SAFETY: an anonymous mapping at an address that the kernel selects does not affect existing mappings.
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

/// Sets the protection of whole pages from [`reserve`].
///
/// # Errors
///
/// Returns the error of the system.
pub fn protect(base: usize, size: usize, access: Access) -> io::Result<()> {
    let flags = match access {
        Access::None => libc::PROT_NONE,
        Access::Read => libc::PROT_READ,
        Access::ReadWrite => libc::PROT_READ | libc::PROT_WRITE,
        Access::ReadExecute => libc::PROT_READ | libc::PROT_EXEC,
        Access::All => libc::PROT_READ | libc::PROT_WRITE | libc::PROT_EXEC,
    };
    // SAFETY: the callers pass pages of their own reservation. They contain no Rust objects.
    let result = unsafe { libc::mprotect(base as *mut libc::c_void, size, flags) };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// Does nothing. On Linux, all instructions that must be emulated raise exceptions.
pub fn patch(_image: &mut [u8], _base: u64, _code: &[Range<usize>]) {}

/// Returns the code of the driver at an address.
#[must_use]
pub fn code(address: u64, length: usize) -> Vec<u8> {
    (address..).take(length).map(raw::read).collect()
}

/// Makes the current thread readable through GS for the next instruction, until [`hide_thread`].
#[must_use]
pub fn show_thread(_cpu: &Cpu, region: u64) -> bool {
    set_gs(region)
}

/// Undoes the change of [`show_thread`].
#[must_use]
pub fn hide_thread() -> bool {
    set_gs(0)
}

/// Sets the base of the GS segment, which Linux programs do not use. Returns `false` on failure.
fn set_gs(base: u64) -> bool {
    const ARCH_SET_GS: libc::c_ulong = 0x1001;
    // SAFETY: only the driver reads through GS in this process.
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

/// The index of each register of [`Cpu::gpr`] in the signal context.
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

/// Returns the memory of whole pages from [`reserve`] to the system. Their addresses remain reserved.
pub fn release(base: usize, size: usize) {
    // SAFETY: the callers pass pages of their own reservation. They contain no Rust objects. If the call fails, the
    // pages remain.
    unsafe { libc::madvise(base as *mut libc::c_void, size, libc::MADV_DONTNEED) };
}

/// Prepares the guard area below a stack that begins at `low`. Inaccessible memory is sufficient, because the exception
/// handler has a separate stack.
///
/// # Errors
///
/// This implementation does not fail.
#[expect(clippy::unnecessary_wraps, reason = "it can fail on Windows")]
pub fn guard_stack(_guard: usize, _low: usize) -> io::Result<()> {
    Ok(())
}

/// Returns the lowest address of a stack whose usable part begins at `low`.
#[must_use]
pub fn stack_limit(low: usize) -> usize {
    low
}

/// The maximum private memory of the process.
const MOST_MEMORY: libc::rlim_t = 2 << 30;
/// The maximum address space of the process. Most of it is reserved and unused.
const MOST_ADDRESSES: libc::rlim_t = 16 << 30;
/// The maximum processor time of the process, in seconds.
const MOST_TIME: libc::rlim_t = 120;

/// Confines this process permanently. It can use memory, write events and exit. Other system calls raise
/// [`Exception::SystemCall`].
///
/// # Errors
///
/// Returns the error of the system if it does not support system call filters.
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
    seccompiler::apply_filter(&program).map_err(io::Error::other)
}

fn filter() -> Result<BpfProgram, seccompiler::BackendError> {
    /// Standard input, from which the acts of a test are read.
    const INPUT: u64 = 0;
    /// Standard output, to which events are written.
    const OUTPUT: u64 = 1;
    const ARCH_SET_GS: u64 = 0x1001;
    /// The file descriptor of an anonymous mapping.
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
        libc::SYS_poll,
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

static INPUT: OnceLock<fn()> = OnceLock::new();

/// The worker waits for the next act, so that input is expected.
static IS_WAITING: AtomicBool = AtomicBool::new(false);

/// Returns the processor time of a process, if it is known.
pub fn processor_time(process: &Child) -> Option<Duration> {
    let stat = fs::read_to_string(format!("/proc/{}/stat", process.id())).unwrap_or_default();
    // The second field, the name in parentheses, can contain blanks. utime and stime are the fields 14 and 15.
    let fields = stat.rsplit(") ").next().unwrap_or_default().split(' ');
    let ticks: Vec<u64> = fields
        .skip(11)
        .take(2)
        .map_while(|it| it.parse().ok())
        .collect();
    // SAFETY: the call reads a constant of the system.
    let per_second = unsafe { libc::sysconf(libc::_SC_CLK_TCK) };
    match (&ticks[..], u64::try_from(per_second)) {
        ([user, system], Ok(per_second @ 1..)) => {
            Some(Duration::from_millis((user + system) * 1000 / per_second))
        }
        _ => None,
    }
}

/// Calls a handler and ends this process when standard input has data or is closed, unless [`expect_line`] announced it.
///
/// # Errors
///
/// The error of the operating system.
pub fn watch_input(handler: fn()) -> io::Result<()> {
    let _ = INPUT.set(handler);
    handle(libc::SIGIO, on_input as *const () as usize)?;
    // SAFETY: the call has no preconditions.
    let process = unsafe { libc::getpid() };
    // SAFETY: the calls only change how standard input is read.
    if unsafe { libc::fcntl(libc::STDIN_FILENO, libc::F_SETOWN, process) } == -1 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: as above.
    if unsafe { libc::fcntl(libc::STDIN_FILENO, libc::F_SETFL, libc::O_ASYNC) } == -1 {
        return Err(io::Error::last_os_error());
    }
    // It can have happened before the signal could be sent.
    on_input(libc::SIGIO);
    Ok(())
}

/// Announces a call of [`next_line`]. Input is expected from now on.
pub fn expect_line() {
    IS_WAITING.store(true, Ordering::Relaxed);
}

/// Returns the next line of standard input, or `None` at its end.
#[must_use]
pub fn next_line() -> Option<String> {
    let mut line = Vec::new();
    let mut byte = 0_u8;
    loop {
        // SAFETY: the call writes at most one byte to `byte`.
        let count = unsafe { libc::read(libc::STDIN_FILENO, (&raw mut byte).cast(), 1) };
        match (count, byte) {
            (1, b'\n') => break,
            (1, byte) => line.push(byte),
            (-1, _) if io::Error::last_os_error().kind() == io::ErrorKind::Interrupted => {}
            _ => return None,
        }
    }
    IS_WAITING.store(false, Ordering::Relaxed);
    String::from_utf8(line).ok()
}

extern "C" fn on_input(_signal: libc::c_int) {
    let mut input = libc::pollfd {
        fd: libc::STDIN_FILENO,
        events: libc::POLLIN,
        revents: 0,
    };
    // The signal of a line that was read can arrive late.
    // SAFETY: the call only writes to `input`.
    if IS_WAITING.load(Ordering::Relaxed) || unsafe { libc::poll(&raw mut input, 1, 0) } != 1 {
        return;
    }
    if let Some(handler) = INPUT.get() {
        handler();
    }
    // SAFETY: the call has no preconditions.
    unsafe { libc::_exit(3) }
}

/// Sets the handler of a signal, which runs on the stack for signals if there is one.
fn handle(signal: libc::c_int, handler: usize) -> io::Result<()> {
    // SAFETY: all zeroes is a valid `sigaction`: no flags, an empty mask.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = handler;
    action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_NODEFER;
    // SAFETY: the handlers of this file take the arguments that SA_SIGINFO passes, or fewer.
    if unsafe { libc::sigaction(signal, &raw const action, std::ptr::null_mut()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

static HANDLER: OnceLock<Handler> = OnceLock::new();

/// Installs a handler for the processor exceptions of this thread.
///
/// # Errors
///
/// Returns the error of the system.
pub fn catch_traps(handler: Handler) -> io::Result<()> {
    let _ = HANDLER.set(handler);
    // The handler has a separate stack, because the driver can exhaust the current one.
    let size = 1 << 20;
    let base = reserve(size)?;
    protect(base, size, Access::ReadWrite)?;
    let stack = libc::stack_t {
        ss_sp: base as *mut libc::c_void,
        ss_flags: 0,
        ss_size: size,
    };
    // SAFETY: the pages were reserved for this purpose and are never released.
    if unsafe { libc::sigaltstack(&raw const stack, std::ptr::null_mut()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    for signal in SIGNALS {
        handle(signal, on_signal as *const () as usize)?;
    }
    Ok(())
}

/// The length of the `syscall` instruction.
const SYSCALL: u64 = 2;
/// The exception vector of a page fault.
const PAGE_FAULT: i64 = 14;
/// The exception vector of a general protection fault.
const GENERAL_PROTECTION: i64 = 13;

extern "C" fn on_signal(
    signal: libc::c_int,
    info: *mut libc::siginfo_t,
    context: *mut libc::c_void,
) {
    // SAFETY: the kernel passes a `ucontext_t` that is not accessed elsewhere until this function returns.
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
            // SAFETY: the kernel sets the address for a page fault.
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
        // RIP points after the instruction. On Windows, it points to the instruction.
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
