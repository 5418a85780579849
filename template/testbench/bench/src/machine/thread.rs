//! A thread of the system in which the driver runs: its stacks, its IRQL, what it is in.

use std::io;

use corosensei::stack::DefaultStack;
use corosensei::{Coroutine, Yielder};

use super::function::Function;
use crate::os::{self, Access, Cpu, PAGE};
use crate::trace::{Ending, Routine, Waiting};
use crate::vocabulary::status::Status;

/// The size of a kernel stack on x64.
///
/// Document: "Using the Kernel Stack".
pub const KERNEL_STACK: usize = 24 << 10;
/// The room above the first frame, which the code that switches stacks reads.
const HEADROOM: usize = 256;
/// The inaccessible memory below a stack. A routine whose locals are larger than the stack touches it, and nothing else.
const GUARD: usize = 1 << 20;
/// The stack on which the model's functions run.
const HOST_STACK: usize = 512 << 10;

/// A kernel stack, which ends at inaccessible memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KernelStack {
    guard: usize,
}

impl KernelStack {
    /// A new stack.
    ///
    /// # Errors
    ///
    /// The operating system's own.
    pub fn new() -> io::Result<Self> {
        let guard = os::reserve(GUARD + KERNEL_STACK + PAGE)?;
        let stack = Self { guard };
        os::protect(stack.low(), KERNEL_STACK, Access::ReadWrite)?;
        os::guard_stack(guard, stack.low())?;
        Ok(stack)
    }

    /// The lowest address of the guard.
    #[must_use]
    pub fn guard(self) -> usize {
        self.guard
    }

    /// The lowest address of the stack.
    #[must_use]
    pub fn low(self) -> usize {
        self.guard + GUARD
    }

    /// The end of the stack.
    #[must_use]
    pub fn high(self) -> usize {
        self.low() + KERNEL_STACK
    }

    /// Where the first frame begins.
    #[must_use]
    pub fn top(self) -> u64 {
        (self.high() - HEADROOM) as u64
    }
}

/// What a thread is in: the driver's routine or the system's function.
#[derive(Debug, Clone)]
pub enum Frame {
    /// One of the driver's routines.
    Driver {
        /// Which.
        routine: Routine,
        /// The IRQL that it interrupted.
        irql: u8,
    },
    /// One of the system's functions.
    System(&'static Function),
}

/// More arguments than any function has.
pub const MOST_ARGUMENTS: usize = 16;

/// A call that is being answered: the function, and its arguments.
#[derive(Debug, Clone, Copy)]
pub struct Answering {
    /// The function.
    pub function: &'static Function,
    /// The arguments, as the registers and the stack have them.
    pub arguments: [u64; MOST_ARGUMENTS],
}

/// What [`super::switch::SWITCH`] has for a thread.
#[derive(Debug, Clone, Copy, Default)]
pub struct Saved {
    /// Where the last call came from.
    pub site: u64,
    /// The function that is running.
    pub running: u32,
    /// The top of the driver's stack.
    pub driver_stack: u64,
    /// The top of the host's stack.
    pub host_stack: u64,
    /// The limits of the driver's stack.
    pub driver_limits: (u64, u64),
    /// The limits of the host's stack.
    pub host_limits: (u64, u64),
}

/// An exception: its code, its parameters, and the ending if nothing handles it.
#[derive(Debug, Clone)]
pub struct Raised {
    /// The code.
    pub code: Status,
    /// `ExceptionInformation`.
    pub parameters: Vec<u64>,
    /// The ending if no routine handles it.
    pub otherwise: Ending,
}

/// The work of a thread, on a stack of its own.
pub type Work = Coroutine<(), (), (), DefaultStack>;

/// A thread.
#[derive(Default)]
pub struct Thread {
    /// Its IRQL.
    pub irql: u8,
    /// The routines and functions that it is in, outermost first.
    pub frames: Vec<Frame>,
    /// The call of the driver's that it answers.
    pub answering: Option<Answering>,
    /// The structure and the member whose pointer it follows.
    pub followed: Option<(u64, &'static str)>,
    /// The exception of a trap, with the registers of the driver, until the search for a handler begins.
    pub pending: Option<(Raised, Cpu)>,
    /// Where a frame goes on whose handler takes the exception.
    pub unwind_target: u64,
    /// Its kernel stack.
    pub stack: Option<KernelStack>,
    /// What the switch has for it while another thread runs.
    pub saved: Saved,
    /// Its work, unless it is running or done.
    pub work: Option<Work>,
    /// How it lets another thread run.
    pub yielder: Option<*const Yielder<(), ()>>,
    /// What it waits for, if it was suspended.
    pub waiting: Option<Waiting>,
    /// How much had happened when it last found that it must go on waiting.
    pub tried: u64,
    /// It is running, or waits for a thread that it started or let go on.
    pub is_running: bool,
}

/// The threads.
#[derive(Default)]
pub struct Threads {
    /// All of them. The first is the system's own, in which drivers are loaded and unloaded.
    pub all: Vec<Thread>,
    /// The place of the one that is running.
    pub current: usize,
    /// How much has happened.
    pub progress: u64,
    /// Kernel stacks that are not in use.
    pub kernel_stacks: Vec<KernelStack>,
    /// Host stacks that are not in use.
    pub host_stacks: Vec<DefaultStack>,
}

impl Threads {
    /// The number of the thread that is running, counted from 1.
    #[must_use]
    pub fn current_number(&self) -> u32 {
        self.current as u32 + 1
    }

    /// A stack for the model's functions.
    ///
    /// # Errors
    ///
    /// The operating system's own.
    pub fn host_stack(&mut self) -> io::Result<DefaultStack> {
        match self.host_stacks.pop() {
            Some(stack) => Ok(stack),
            None => DefaultStack::new(HOST_STACK),
        }
    }
}
