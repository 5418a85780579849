//! The ending of a scenario.

use serde::{Deserialize, Serialize};

use super::routine::{Operation, Routine};
use crate::os::Use;

/// The ending of a scenario.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "how")]
pub enum Ending {
    /// All steps of the script were performed.
    Completed,
    /// A processor exception stopped the driver.
    Trap {
        /// The place in the driver.
        at: Place,
        /// The cause.
        trap: Trap,
        /// The argument that led to the access of a system function.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        argument: Option<Argument>,
        /// The code has an exception handler, which the bench does not run.
        #[serde(skip_serializing_if = "std::ops::Not::not", default)]
        guarded: bool,
    },
    /// The model stopped the driver. On Windows, the error causes a bug check or corruption.
    Misuse {
        /// The place in the driver.
        at: Place,
        /// The error.
        misuse: Misuse,
    },
    /// The driver called `KeBugCheckEx`.
    Bugcheck {
        /// The place in the driver.
        at: Place,
        /// The code.
        code: u32,
        /// The parameters.
        parameters: [u64; 4],
        /// The meaning of the code, if it is known.
        meaning: String,
    },
    /// All threads wait for an event that does not occur.
    Hang {
        /// The waits of the threads, starting with that of the last running thread.
        waits: Vec<Waiting>,
    },
    /// The driver exceeded the maximum number of calls.
    Endless {
        /// The place in the driver.
        at: Place,
        /// The number of calls.
        calls: u32,
    },
    /// The driver called a function that is not modelled.
    Unmodelled {
        /// The place in the driver.
        at: Place,
        /// The import.
        import: String,
    },
    /// The scenario exceeded its time limit.
    Timeout {
        /// The limit in milliseconds.
        limit: u64,
    },
    /// The worker process ended without reporting an ending.
    Died {
        /// The exit status.
        status: String,
    },
    /// An error of the bench.
    Internal {
        /// The description.
        message: String,
    },
}

/// An argument of a call of the driver.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Argument {
    /// The position, counted from 1.
    pub number: usize,
    /// The member of the structure to which the argument points.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub member: Option<String>,
}

/// A place in the driver.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Place {
    /// The RVA, or `None` if the address is not in the image.
    pub rva: Option<u32>,
    /// The section of the address.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub section: Option<String>,
    /// The system function that was running, if any.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub function: Option<String>,
}

/// The cause of a processor exception.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Trap {
    /// An invalid memory access.
    Memory {
        /// The kind of access.
        how: Use,
        /// The address.
        address: u64,
        /// The description of the memory.
        target: Target,
    },
    /// A privileged instruction.
    Privileged {
        /// The name of the instruction.
        instruction: String,
    },
    /// `int 29h`.
    FastFail {
        /// The code in ECX and its name.
        code: String,
    },
    /// A failed assertion: `int 2Ch`, `RtlAssert`.
    Assertion {
        /// The description.
        what: String,
    },
    /// A breakpoint: `int3`, `DbgBreakPoint`.
    Breakpoint {
        /// The description.
        what: String,
    },
    /// Any other exception, such as an invalid instruction or a division by zero.
    Other {
        /// The description.
        what: String,
    },
}

/// The description of an inaccessible address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "is")]
pub enum Target {
    /// The first 64 KiB.
    Null,
    /// Freed memory.
    Freed {
        /// The description of the block.
        what: String,
        /// The block was freed while the driver was being unloaded or undoing a failed start.
        in_teardown: bool,
    },
    /// The page after a block.
    Beyond {
        /// The block.
        what: String,
    },
    /// The registry path after `DriverEntry` returned.
    RegistryPath,
    /// Code or data that Windows discards after `DriverEntry`.
    Discarded {
        /// The section.
        section: String,
    },
    /// The image after it was unloaded.
    Unloaded,
    /// Pageable code or data at `DISPATCH_LEVEL`.
    Pageable {
        /// The description.
        what: String,
    },
    /// Memory behind an opaque handle.
    Opaque {
        /// The handle.
        what: String,
    },
    /// A buffer of a program that became invalid.
    UserBuffer {
        /// The buffer.
        what: String,
    },
    /// A section whose protection does not allow the access.
    Protected {
        /// The section.
        section: String,
    },
    /// The kernel address range.
    Kernel,
    /// The guard area of an exhausted stack.
    Stack,
    /// The processor control region, accessed through the GS segment.
    ProcessorRegion,
    /// Any other memory.
    Nothing,
}

/// An error that the model detected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Misuse {
    /// A handle or an object that has the wrong type, is NULL, or was released.
    Handle {
        /// The type of object that the function requires.
        expected: String,
        /// The description of the argument.
        given: String,
        /// The argument was NULL or uninitialized memory.
        unset: bool,
        /// The object was released while the driver was being unloaded or undoing a failed start.
        released_in_teardown: bool,
    },
    /// A second release.
    ReleasedTwice {
        /// The description of the resource.
        what: String,
    },
    /// Bytes outside a pool block were written.
    PoolOverrun {
        /// The block.
        what: String,
        /// The side of the block.
        side: String,
    },
    /// A context was released more often than referenced, or was used incorrectly.
    Context {
        /// The description.
        problem: String,
    },
    /// A pre-operation callback requested a post-operation callback that is not registered.
    NoPostOperation {
        /// The operation.
        operation: Operation,
        /// The return value.
        answer: String,
    },
    /// Paged pool was allocated or freed at `DISPATCH_LEVEL`.
    Irql {
        /// The description.
        problem: String,
    },
    /// A lock was used incorrectly.
    Lock {
        /// The description.
        problem: String,
    },
}

/// A waiting thread.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    /// The driver routine of the thread.
    pub routine: Option<Routine>,
    /// The place of the call.
    pub at: Place,
    /// The object of the wait.
    pub wait: Wait,
}

/// The object of a wait.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "for")]
pub enum Wait {
    /// A lock.
    Lock {
        /// The kind of lock.
        lock: String,
        /// The routine of the thread that holds the lock, or `None` if the waiting thread holds it.
        holder: Option<Routine>,
    },
    /// A dispatcher object: an event, a mutex, a semaphore, a timer.
    Object,
    /// The release of all rundown protection.
    Rundown,
    /// `FltUnregisterFilter` waits for the release of a reference.
    Reference {
        /// The object that is referenced.
        what: String,
    },
    /// `FltUnregisterFilter` waits for an operation that a pre-operation callback pended.
    Pended {
        /// The operation.
        operation: Operation,
    },
    /// The completion of an operation whose post-operation callback returned `FLT_POSTOP_MORE_PROCESSING_REQUIRED`.
    MoreProcessing {
        /// The operation.
        operation: Operation,
    },
    /// The return of a driver routine in another thread.
    Return {
        /// The routine.
        routine: Routine,
    },
    /// The reinitialization routine, which queues itself repeatedly.
    Reinitialization {
        /// The number of calls.
        rounds: u32,
    },
}
