//! The operating system interface of the bench: pages and processor exceptions.
//!
//! Both systems provide the same functions: [`reserve`] reserves address space, [`protect`] sets its protection, and
//! [`catch_traps`] installs a [`Handler`] for processor exceptions. [`patch`] ensures that instructions which must be
//! emulated raise exceptions.

pub mod raw;

#[cfg(unix)]
#[path = "linux.rs"]
mod system;
#[cfg(windows)]
#[path = "windows.rs"]
mod system;

pub use system::{
    catch_traps, code, confine, expect_line, guard_stack, hide_thread, next_line, patch,
    processor_time, protect, release, reserve, show_thread, stack_limit, watch_input,
};

/// Handles a processor exception: changes the registers and returns, or ends the process.
pub type Handler = fn(Exception, &mut Cpu);

/// The size of a page on x64.
pub const PAGE: usize = 4096;

/// The offset of the current thread in the processor control region, to which GS points.
pub const CURRENT_THREAD: u64 = 0x188;

/// The protection of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// No access.
    None,
    /// Read access.
    Read,
    /// Read and write access.
    ReadWrite,
    /// Read and execute access.
    ReadExecute,
    /// All access, for a section of a driver that specifies it.
    All,
}

/// The registers that a trap handler can read and change.
#[derive(Debug, Clone, Copy, Default)]
pub struct Cpu {
    /// The instruction pointer.
    pub rip: u64,
    /// RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8 to R15: the order of the register numbers in instructions.
    pub gpr: [u64; 16],
    /// The flags.
    pub flags: u64,
}

/// The trap flag. It raises [`Exception::Step`] after one instruction.
pub const TRAP_FLAG: u64 = 0x100;

/// A processor exception.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exception {
    /// An access that the page protection does not allow.
    Access {
        /// The address.
        address: u64,
        /// The kind of access.
        how: Use,
    },
    /// A privileged instruction, a software interrupt or an access to a non-canonical address.
    Protection,
    /// An invalid instruction, including `ud2`.
    Illegal,
    /// `int3`.
    Breakpoint,
    /// One instruction was executed with [`TRAP_FLAG`].
    Step,
    /// A division by zero, or a division whose result overflows.
    Divide,
    /// A system call that [`confine`] does not allow.
    #[cfg_attr(windows, expect(dead_code, reason = "system calls are not filtered"))]
    SystemCall,
    /// Any other exception.
    #[cfg_attr(
        windows,
        expect(dead_code, reason = "the vectored handler passes on the rest")
    )]
    Other,
}

/// The kind of access to an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Use {
    /// Read.
    Read,
    /// Written.
    Write,
    /// Execute.
    Execute,
}

impl std::fmt::Display for Use {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Use::Read => "reads",
            Use::Write => "writes",
            Use::Execute => "runs",
        })
    }
}
