//! How a scenario ended.

use serde::{Deserialize, Serialize};

use super::routine::{Operation, Routine};
use crate::os::Use;

/// How a scenario ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "how")]
pub enum Ending {
    /// Everything in the script was done.
    Completed,
    /// The processor stopped the driver.
    Trap {
        /// Where.
        at: Place,
        /// What it did.
        trap: Trap,
        /// The argument that led the system's function there.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        argument: Option<Argument>,
        /// The code has an exception handler, which the bench does not run.
        #[serde(skip_serializing_if = "std::ops::Not::not", default)]
        guarded: bool,
    },
    /// The model stopped the driver: on Windows this is a bug check or a corruption.
    Misuse {
        /// Where.
        at: Place,
        /// What it did.
        misuse: Misuse,
    },
    /// The driver called `KeBugCheckEx`.
    Bugcheck {
        /// Where.
        at: Place,
        /// The code.
        code: u32,
        /// The parameters.
        parameters: [u64; 4],
        /// What the code means, if the bench knows.
        meaning: String,
    },
    /// It would wait for ever.
    Hang {
        /// Who waits for what, the thread that was running last first.
        waits: Vec<Waiting>,
    },
    /// It made calls without coming to an end.
    Endless {
        /// Where.
        at: Place,
        /// How many.
        calls: u32,
    },
    /// It called something that the model does not have.
    Unmodelled {
        /// Where.
        at: Place,
        /// What.
        import: String,
    },
    /// It did not end in time.
    Timeout {
        /// The limit in milliseconds.
        limit: u64,
    },
    /// The worker's process died in a way that it could not report.
    Died {
        /// The exit status.
        status: String,
    },
    /// The bench itself is at fault.
    Internal {
        /// What happened.
        message: String,
    },
}

/// An argument of a call of the driver's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Argument {
    /// Its position, counted from 1.
    pub number: usize,
    /// The member of the structure that it points to.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub member: Option<String>,
}

/// Where in the driver something happened.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Place {
    /// Relative to the image; none where it was not in the image.
    pub rva: Option<u32>,
    /// The section of that address.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub section: Option<String>,
    /// The system's function that was running, if it was one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub function: Option<String>,
}

/// What the processor objected to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Trap {
    /// Memory that may not be used so.
    Memory {
        /// How it was used.
        how: Use,
        /// The address.
        address: u64,
        /// What is there.
        target: Target,
    },
    /// An instruction that only the kernel may run.
    Privileged {
        /// Its name.
        instruction: String,
    },
    /// `int 29h`.
    FastFail {
        /// The code in ECX, with its name.
        code: String,
    },
    /// An assertion that does not hold: `int 2Ch`, `RtlAssert`.
    Assertion {
        /// What.
        what: String,
    },
    /// A breakpoint: `int3`, `DbgBreakPoint`.
    Breakpoint {
        /// What.
        what: String,
    },
    /// Anything else: an invalid instruction, a division by zero.
    Other {
        /// What.
        what: String,
    },
}

/// What lies at an address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "is")]
pub enum Target {
    /// The first 64 KiB.
    Null,
    /// Memory that was given back.
    Freed {
        /// What it was.
        what: String,
        /// It was freed while the driver was being unloaded or its failed start undone.
        in_teardown: bool,
    },
    /// The page after a block.
    Beyond {
        /// The block.
        what: String,
    },
    /// The registry path after `DriverEntry`.
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
        /// What.
        what: String,
    },
    /// Behind a handle that is opaque.
    Opaque {
        /// The handle.
        what: String,
    },
    /// A section whose protection forbids it.
    Protected {
        /// The section.
        section: String,
    },
    /// The upper half: the kernel's own memory.
    Kernel,
    /// The stack is used up.
    Stack,
    /// The processor control region, by the GS segment.
    ProcessorRegion,
    /// Nothing the bench knows.
    Nothing,
}

/// What the model objected to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Misuse {
    /// A handle or object of the wrong kind, NULL, or given back before.
    Handle {
        /// What the function takes.
        expected: String,
        /// What it was given.
        given: String,
        /// It was NULL or memory that was never set up.
        unset: bool,
        /// It was released while the driver was being unloaded or its failed start undone.
        released_in_teardown: bool,
    },
    /// Given back twice.
    ReleasedTwice {
        /// What.
        what: String,
    },
    /// Bytes outside a pool block were written.
    PoolOverrun {
        /// The block.
        what: String,
        /// Where the bytes stand.
        side: String,
    },
    /// A context was released more often than referenced, or is otherwise mishandled.
    Context {
        /// What happened.
        problem: String,
    },
    /// A pre-operation callback asked for a post-operation callback that is not registered.
    NoPostOperation {
        /// The operation.
        operation: Operation,
        /// The answer.
        answer: String,
    },
    /// Paged pool was allocated or freed at `DISPATCH_LEVEL`.
    Irql {
        /// What happened.
        problem: String,
    },
    /// A lock was mishandled.
    Lock {
        /// What happened.
        problem: String,
    },
}

/// A thread that waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    /// The driver's routine that the thread is in.
    pub routine: Option<Routine>,
    /// Where the call is.
    pub at: Place,
    /// What it waits for.
    pub wait: Wait,
}

/// What a thread waits for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "for")]
pub enum Wait {
    /// A lock.
    Lock {
        /// What kind of lock.
        lock: String,
        /// The routine of the thread that holds it; none if the waiting thread holds it itself.
        holder: Option<Routine>,
    },
    /// A dispatcher object: an event, a mutex, a semaphore, a timer.
    Object,
    /// The end of the uses of a rundown protection.
    Rundown,
    /// `FltUnregisterFilter`: a reference.
    Reference {
        /// To what.
        what: String,
    },
    /// `FltUnregisterFilter`: an operation that a pre-operation callback pended.
    Pended {
        /// The operation.
        operation: Operation,
    },
    /// The rest of an operation: its post-operation callback asked for more processing.
    MoreProcessing {
        /// The operation.
        operation: Operation,
    },
    /// A routine of the driver's that runs in another thread.
    Return {
        /// The routine.
        routine: Routine,
    },
    /// The reinitialization routine, which queues itself again and again.
    Reinitialization {
        /// How often it did.
        rounds: u32,
    },
}
