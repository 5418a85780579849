//! A system thread that runs driver code: its stacks, its IRQL and its frames.

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
/// The space above the first frame, which the code that switches stacks reads.
const HEADROOM: usize = 256;
/// The inaccessible memory below a stack. A routine whose locals are larger than the stack faults in it.
const GUARD: usize = 1 << 20;
/// The size of a host stack, on which the functions of the model run.
const HOST_STACK: usize = 512 << 10;

/// A kernel stack, which ends at inaccessible memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KernelStack {
    guard: usize,
}

impl KernelStack {
    /// Allocates a stack.
    ///
    /// # Errors
    ///
    /// Returns the error of the operating system.
    pub fn new() -> io::Result<Self> {
        let guard = os::reserve(GUARD + KERNEL_STACK + PAGE)?;
        let stack = Self { guard };
        os::protect(stack.low(), KERNEL_STACK, Access::ReadWrite)?;
        os::guard_stack(guard, stack.low())?;
        Ok(stack)
    }

    /// Returns the lowest address of the guard area.
    #[must_use]
    pub fn guard(self) -> usize {
        self.guard
    }

    /// Returns the lowest address of the stack.
    #[must_use]
    pub fn low(self) -> usize {
        self.guard + GUARD
    }

    /// Returns the end of the stack.
    #[must_use]
    pub fn high(self) -> usize {
        self.low() + KERNEL_STACK
    }

    /// Returns the address of the first frame.
    #[must_use]
    pub fn top(self) -> u64 {
        (self.high() - HEADROOM) as u64
    }
}

/// A frame of a thread: a driver routine or a system function.
#[derive(Debug, Clone)]
pub enum Frame {
    /// A driver routine.
    Driver {
        /// The routine.
        routine: Routine,
        /// The IRQL of the interrupted code.
        irql: u8,
    },
    /// A system function.
    System(&'static Function),
}

/// The maximum number of arguments of a function.
pub const MOST_ARGUMENTS: usize = 16;

/// A call in progress: the function and its arguments.
#[derive(Debug, Clone, Copy)]
pub struct Answering {
    /// The function.
    pub function: &'static Function,
    /// The arguments in the registers and on the stack.
    pub arguments: [u64; MOST_ARGUMENTS],
}

/// The content of [`super::switch::SWITCH`] for a thread.
#[derive(Debug, Clone, Copy, Default)]
pub struct Saved {
    /// The return address of the last call.
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

/// An exception: its code, its parameters, and the ending if it is not handled.
#[derive(Debug, Clone)]
pub struct Raised {
    /// The code.
    pub code: Status,
    /// `ExceptionInformation`.
    pub parameters: Vec<u64>,
    /// The ending if no routine handles the exception.
    pub otherwise: Ending,
}

/// The coroutine of a thread.
pub type Work = Coroutine<(), (), (), DefaultStack>;

/// A thread.
#[derive(Default)]
pub struct Thread {
    /// The IRQL.
    pub irql: u8,
    /// The index of the process. The first is the system process.
    pub process: usize,
    /// The number of critical regions in which the thread is: normal kernel APCs are disabled.
    pub regions: u32,
    /// The frames, outermost first.
    pub frames: Vec<Frame>,
    /// The call of the driver that is in progress.
    pub answering: Option<Answering>,
    /// The structure and the member whose pointer is being followed.
    pub followed: Option<(u64, &'static str)>,
    /// The exception of a trap and the registers of the driver, until the search for a handler begins.
    pub pending: Option<(Raised, Cpu)>,
    /// The address at which the frame continues whose handler handles the exception.
    pub unwind_target: u64,
    /// The kernel stack.
    pub stack: Option<KernelStack>,
    /// The content of the switch while another thread runs.
    pub saved: Saved,
    /// The coroutine, unless it is running or has completed.
    pub work: Option<Work>,
    /// The handle with which the coroutine suspends itself.
    pub yielder: Option<*const Yielder<(), ()>>,
    /// The object that the suspended thread waits for.
    pub waiting: Option<Waiting>,
    /// The progress counter at the last time that the wait was not satisfied.
    pub tried: u64,
    /// The thread is running, or waits for a thread that it started or resumed.
    pub is_running: bool,
}

/// The threads.
#[derive(Default)]
pub struct Threads {
    /// All threads. The first is the system thread, in which drivers are loaded and unloaded.
    pub all: Vec<Thread>,
    /// The index of the current thread.
    pub current: usize,
    /// The progress counter.
    pub progress: u64,
    /// Unused kernel stacks.
    pub kernel_stacks: Vec<KernelStack>,
    /// Unused host stacks.
    pub host_stacks: Vec<DefaultStack>,
}

impl Threads {
    /// Returns the number of the current thread, counted from 1.
    #[must_use]
    pub fn current_number(&self) -> u32 {
        self.current as u32 + 1
    }

    /// Returns a stack for the functions of the model.
    ///
    /// # Errors
    ///
    /// Returns the error of the operating system.
    pub fn host_stack(&mut self) -> io::Result<DefaultStack> {
        match self.host_stacks.pop() {
            Some(stack) => Ok(stack),
            None => DefaultStack::new(HOST_STACK),
        }
    }
}
