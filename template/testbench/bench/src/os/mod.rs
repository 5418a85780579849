//! What the bench needs of the operating system it runs on: pages and processor exceptions.
//!
//! Both systems give the same things: [`reserve`] address space, [`protect`] it, call a [`Handler`] for a processor
//! exception, and see to it that what only the kernel may do is one: [`plant`].

pub mod raw;

#[cfg(unix)]
#[path = "linux.rs"]
mod system;
#[cfg(windows)]
#[path = "windows.rs"]
mod system;

pub use system::{
    catch_traps, code, confine, guard_stack, hide_thread, plant, protect, release, reserve,
    show_thread, stack_limit,
};

/// Decides on a processor exception: changes the registers and returns, or ends the process.
pub type Handler = fn(Exception, &mut Cpu);

/// The size of a page on x64.
pub const PAGE: usize = 4096;

/// Where the processor control region, which GS points to, has the current thread.
pub const CURRENT_THREAD: u64 = 0x188;

/// What may be done with a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Nothing.
    None,
    /// Reading.
    Read,
    /// Reading and writing.
    ReadWrite,
    /// Reading and running.
    ReadExecute,
    /// Everything, as a driver's section that asks for it.
    All,
}

/// The registers a trap handler may look at and change.
#[derive(Debug, Clone, Copy, Default)]
pub struct Cpu {
    /// The address of the instruction.
    pub rip: u64,
    /// RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8 to R15: the order in which instructions number them.
    pub gpr: [u64; 16],
    /// The flags.
    pub flags: u64,
}

/// The trap flag: one instruction, then [`Exception::Step`].
pub const TRAP_FLAG: u64 = 0x100;

/// A processor exception.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exception {
    /// A page that may not be used so.
    Access {
        /// The address.
        address: u64,
        /// How it was used.
        how: Use,
    },
    /// A privileged instruction, a software interrupt or an address that is not canonical.
    Protection,
    /// An instruction that does not exist, `ud2` included.
    Illegal,
    /// `int3`.
    Breakpoint,
    /// One instruction was run under [`TRAP_FLAG`].
    Step,
    /// A division by zero, or one that overflows.
    Divide,
    /// A system call that [`confine`] does not let through.
    #[cfg_attr(windows, expect(dead_code, reason = "system calls are not filtered"))]
    SystemCall,
    /// Anything else.
    #[cfg_attr(
        windows,
        expect(dead_code, reason = "the vectored handler passes on the rest")
    )]
    Other,
}

/// How an address was used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Use {
    /// Read.
    Read,
    /// Written.
    Write,
    /// Run.
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
