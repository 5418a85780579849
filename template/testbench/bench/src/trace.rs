//! What happened in one scenario: a list of events, as plain data.
//!
//! The worker writes each event as one JSON line the moment it happens, so that a crash or a hang
//! loses nothing. The rules read the list and know nothing else.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::os::Use;
use crate::status::Status;

/// One event.
///
/// `Enter` and `Leave` enclose the driver's code, `Call` and `Return` the system's; they nest, since
/// `FltStartFiltering` calls the driver's callbacks before it returns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// The story goes on to its next part.
    Stage {
        /// Which.
        stage: Stage,
    },
    /// The system calls the driver.
    Enter {
        /// Which of its routines.
        routine: Routine,
        /// At which IRQL.
        irql: u8,
    },
    /// The routine returns.
    Leave {
        /// What it returned.
        answer: u64,
    },
    /// The driver calls the system.
    Call {
        /// The function.
        function: String,
        /// Where the call stands: the return address, relative to the image.
        site: u32,
        /// At which IRQL.
        irql: u8,
        /// The number of this call among those that can fail.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        point: Option<u32>,
    },
    /// The call returns.
    Return {
        /// What it returned.
        result: u64,
        /// The scenario decided the result.
        #[serde(skip_serializing_if = "std::ops::Not::not", default)]
        injected: bool,
    },
    /// Something is the driver's from here on.
    Acquire {
        /// Its number.
        id: u32,
        /// What it is.
        kind: Kind,
        /// Its name, size or the like.
        what: String,
    },
    /// The driver gave it back.
    Release {
        /// Its number.
        id: u32,
    },
    /// What the driver registered.
    Registered {
        /// The digest.
        registration: Registration,
    },
    /// Something in the registration that the documentation excludes.
    RegistrationProblem {
        /// What.
        problem: String,
    },
    /// `IoWriteErrorLogEntry` was called.
    ErrorLog {
        /// The packet, decoded.
        entry: LogEntry,
    },
    /// A pre-operation callback answered.
    PreAnswer {
        /// The operation.
        operation: Operation,
        /// The answer, an `FLT_PREOP_CALLBACK_STATUS`.
        answer: u32,
        /// `IoStatus.Status` afterwards.
        status: Status,
    },
    /// A post-operation callback answered.
    PostAnswer {
        /// The operation.
        operation: Operation,
        /// Called with `FLTFL_POST_OPERATION_DRAINING`.
        draining: bool,
        /// The answer, an `FLT_POSTOP_CALLBACK_STATUS`.
        answer: u32,
        /// `IoStatus.Status` before.
        before: Status,
        /// `IoStatus.Status` afterwards.
        after: Status,
    },
    /// The driver asked for a key or a value that the registry has not.
    NotInRegistry {
        /// The key.
        key: String,
        /// The value; none where the key itself was asked for.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        value: Option<String>,
        /// The name of the setting that would give it; none where no setting can.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        setting: Option<String>,
        /// The driver got an invalid value instead.
        #[serde(skip_serializing_if = "std::ops::Not::not", default)]
        odd: bool,
    },
    /// An object got a security descriptor whose DACL is NULL, which lets everyone in.
    NullDacl {
        /// The object.
        object: String,
    },
    /// The driver object after a failed `DriverEntry`.
    DispatchAfterFailure {
        /// The entry for `IRP_MJ_FLUSH_BUFFERS` still is the driver's.
        flush_buffers: bool,
        /// The entry for `IRP_MJ_SHUTDOWN` still is the driver's.
        shutdown: bool,
    },
    /// Somebody asked for the driver to be unloaded, and this came of it.
    Unload {
        /// A service stop, which cannot be refused by the callback.
        mandatory: bool,
        /// What came of it.
        outcome: Unload,
    },
    /// The scenario is over.
    End {
        /// How.
        ending: Ending,
    },
}

/// The parts of a story.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// `DriverEntry`.
    Load,
    /// Every operation, a client of the port, a handle of the control device, a detach by hand.
    Operations,
    /// A few operations, to compare with [`Stage::Again`].
    Before,
    /// An unload is asked for and carried out.
    Unload,
    /// The same few operations after a refused unload.
    Again,
    /// The image is gone; whatever was queued runs now.
    Late,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Stage::Load => "load",
            Stage::Operations => "operations",
            Stage::Before => "operations before the unload",
            Stage::Unload => "unload",
            Stage::Again => "operations after the refused unload",
            Stage::Late => "after the unload",
        })
    }
}

/// What came of a request to unload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "how")]
pub enum Unload {
    /// The registration has no `FilterUnloadCallback`: refused by the filter manager.
    NoCallback,
    /// `FLTFL_REGISTRATION_DO_NOT_SUPPORT_SERVICE_STOP`: refused by the filter manager.
    ServiceStopNotSupported,
    /// The driver removed the filter manager's `DriverUnload`, so a service stop cannot reach it.
    Unreachable,
    /// The callback ran.
    Called {
        /// What it returned.
        status: Status,
        /// The filter is still registered.
        registered: bool,
    },
}

/// One of the driver's routines, as the system sees it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "name")]
pub enum Routine {
    /// `DriverEntry`.
    DriverEntry,
    /// `FilterUnloadCallback`.
    FilterUnload {
        /// The flag.
        mandatory: bool,
    },
    /// The `DriverUnload` that the driver object had when the filter was registered.
    DriverUnload,
    /// `InstanceSetupCallback`.
    InstanceSetup {
        /// The volume.
        volume: String,
    },
    /// `InstanceQueryTeardownCallback`.
    InstanceQueryTeardown {
        /// The volume.
        volume: String,
    },
    /// `InstanceTeardownStartCallback`.
    InstanceTeardownStart {
        /// The volume.
        volume: String,
    },
    /// `InstanceTeardownCompleteCallback`.
    InstanceTeardownComplete {
        /// The volume.
        volume: String,
    },
    /// A pre-operation callback.
    Pre {
        /// The operation.
        operation: Operation,
    },
    /// A post-operation callback.
    Post {
        /// The operation.
        operation: Operation,
        /// With `FLTFL_POST_OPERATION_DRAINING`.
        draining: bool,
    },
    /// Any other routine.
    Other {
        /// Its documented name.
        routine: String,
    },
}

impl Routine {
    /// Whether the routine returns nothing.
    #[must_use]
    pub fn is_void(&self) -> bool {
        match self {
            Routine::DriverUnload
            | Routine::InstanceTeardownStart { .. }
            | Routine::InstanceTeardownComplete { .. } => true,
            Routine::Other { routine } => {
                routine.starts_with("ContextCleanup")
                    || routine.starts_with("KDEFERRED")
                    || matches!(
                        routine.as_str(),
                        "DisconnectNotifyCallback"
                            | "DRIVER_REINITIALIZE"
                            | "IO_WORKITEM_ROUTINE"
                            | "WORKER_THREAD_ROUTINE"
                            | "PFLT_GENERIC_WORKITEM_ROUTINE"
                            | "PFLT_DEFERRED_IO_WORKITEM_ROUTINE"
                            | "PFLT_GET_OPERATION_STATUS_CALLBACK"
                    )
            }
            _ => false,
        }
    }

    /// Whether the driver takes itself down in it.
    #[must_use]
    pub fn is_unload(&self) -> bool {
        matches!(self, Routine::FilterUnload { .. } | Routine::DriverUnload)
    }

    /// The routine without the volume and the variant of the operation: where in the driver it is.
    #[must_use]
    pub fn label(&self) -> String {
        match self {
            Routine::InstanceSetup { .. } => "InstanceSetupCallback".to_owned(),
            Routine::InstanceQueryTeardown { .. } => "InstanceQueryTeardownCallback".to_owned(),
            Routine::InstanceTeardownStart { .. } => "InstanceTeardownStartCallback".to_owned(),
            Routine::InstanceTeardownComplete { .. } => {
                "InstanceTeardownCompleteCallback".to_owned()
            }
            Routine::Pre { operation } => format!(
                "the pre-operation callback of {}",
                crate::model::operations::major_name(operation.major)
            ),
            Routine::Post {
                operation,
                draining,
            } => format!(
                "the {}post-operation callback of {}",
                if *draining { "draining " } else { "" },
                crate::model::operations::major_name(operation.major)
            ),
            other => other.to_string(),
        }
    }
}

impl fmt::Display for Routine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Routine::DriverEntry => f.write_str("DriverEntry"),
            Routine::FilterUnload { mandatory: true } => {
                f.write_str("FilterUnloadCallback (mandatory)")
            }
            Routine::FilterUnload { mandatory: false } => {
                f.write_str("FilterUnloadCallback (not mandatory)")
            }
            Routine::DriverUnload => f.write_str("DriverUnload"),
            Routine::InstanceSetup { volume } => write!(f, "InstanceSetupCallback on {volume}"),
            Routine::InstanceQueryTeardown { volume } => {
                write!(f, "InstanceQueryTeardownCallback on {volume}")
            }
            Routine::InstanceTeardownStart { volume } => {
                write!(f, "InstanceTeardownStartCallback on {volume}")
            }
            Routine::InstanceTeardownComplete { volume } => {
                write!(f, "InstanceTeardownCompleteCallback on {volume}")
            }
            Routine::Pre { operation } => write!(f, "the pre-operation callback of {operation}"),
            Routine::Post {
                operation,
                draining: false,
            } => write!(f, "the post-operation callback of {operation}"),
            Routine::Post { operation, .. } => {
                write!(f, "the draining post-operation callback of {operation}")
            }
            Routine::Other { routine } => f.write_str(routine),
        }
    }
}

/// An operation that the bench delivered.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Operation {
    /// The major function, pseudo operations included.
    pub major: u8,
    /// What is special about this one: "paging", "fast I/O", "volume open".
    #[serde(skip_serializing_if = "String::is_empty", default)]
    pub variant: String,
    /// The volume.
    pub volume: String,
    /// How it arrives.
    pub via: Via,
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&crate::model::operations::major_name(self.major))?;
        if !self.variant.is_empty() {
            write!(f, " ({})", self.variant)?;
        }
        Ok(())
    }
}

/// How an operation arrives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Via {
    /// An IRP.
    Irp,
    /// Fast I/O.
    FastIo,
    /// A file-system filter callback (the acquire and release operations).
    FsFilter,
}

/// What a driver can hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// `FltRegisterFilter` … `FltUnregisterFilter`.
    Filter,
    /// `FltCreateCommunicationPort` … `FltCloseCommunicationPort`.
    ServerPort,
    /// A connection … `FltCloseClientPort`.
    ClientPort,
    /// `FltBuildDefaultSecurityDescriptor` … `FltFreeSecurityDescriptor`.
    SecurityDescriptor,
    /// A pool block.
    Pool,
    /// A lookaside list.
    Lookaside,
    /// An ERESOURCE.
    Eresource,
    /// A device object.
    Device,
    /// A symbolic link.
    SymbolicLink,
    /// A shutdown notification.
    ShutdownNotification,
    /// A handle: key, file, process.
    Handle,
    /// `FltGetFileNameInformation` … `FltReleaseFileNameInformation`.
    NameInformation,
    /// A reference to a context.
    Context,
    /// A reference to an object.
    Reference,
    /// `IoRegisterDriverReinitialization`.
    Reinitialization,
    /// `IoAllocateErrorLogEntry` … `IoWriteErrorLogEntry`.
    ErrorLogEntry,
    /// A work item.
    WorkItem,
    /// A notify routine of the process, thread, image or registry kind.
    NotifyRoutine,
    /// A memory descriptor list.
    Mdl,
    /// A callback data structure of the driver's own.
    CallbackData,
    /// A lock that is held.
    HeldLock,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Filter => "filter registration",
            Kind::ServerPort => "server port",
            Kind::ClientPort => "client port",
            Kind::SecurityDescriptor => "security descriptor",
            Kind::Pool => "pool block",
            Kind::Lookaside => "lookaside list",
            Kind::Eresource => "ERESOURCE",
            Kind::Device => "device object",
            Kind::SymbolicLink => "symbolic link",
            Kind::ShutdownNotification => "shutdown notification",
            Kind::Handle => "handle",
            Kind::NameInformation => "file name information",
            Kind::Context => "context reference",
            Kind::Reference => "object reference",
            Kind::Reinitialization => "reinitialization routine",
            Kind::ErrorLogEntry => "error log entry",
            Kind::WorkItem => "work item",
            Kind::NotifyRoutine => "notify routine",
            Kind::Mdl => "memory descriptor list",
            Kind::CallbackData => "callback data",
            Kind::HeldLock => "held lock",
        })
    }
}

/// The digest of an `FLT_REGISTRATION`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registration {
    /// `Version`.
    pub version: u16,
    /// `Flags`.
    pub flags: u32,
    /// There is a `FilterUnloadCallback`.
    pub unload: bool,
    /// The major functions with a callback, in the order of the list.
    pub operations: Vec<u8>,
}

impl Registration {
    /// `FLTFL_REGISTRATION_DO_NOT_SUPPORT_SERVICE_STOP`.
    pub const NO_SERVICE_STOP: u32 = 1;
    /// `FLTFL_REGISTRATION_SUPPORT_NPFS_MSFS`.
    pub const NPFS_MSFS: u32 = 2;
}

/// An error log packet, decoded.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogEntry {
    /// `ErrorCode`: the message.
    pub code: u32,
    /// `FinalStatus`.
    pub status: Status,
    /// `UniqueErrorValue`.
    pub unique: u32,
    /// The insertion strings.
    pub strings: Vec<String>,
    /// The sentence that Event Viewer would show.
    pub sentence: Option<String>,
    /// What is wrong with the packet.
    pub problems: Vec<String>,
}

/// How a scenario ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "how")]
pub enum Ending {
    /// The story was told to its end.
    Completed,
    /// The processor stopped the driver.
    Fault {
        /// Where.
        at: Place,
        /// What it did.
        fault: Fault,
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
        /// Where.
        at: Place,
        /// For what.
        why: String,
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

impl fmt::Display for Argument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(member) = &self.member {
            write!(f, "the member {member} of ")?;
        }
        write!(f, "argument {}", self.number)
    }
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

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.function, self.rva) {
            (Some(function), Some(rva)) => write!(f, "{function}, called before +0x{rva:x}"),
            (Some(function), None) => f.write_str(function),
            (None, Some(rva)) => write!(f, "+0x{rva:x}"),
            (None, None) => f.write_str("an address outside the driver"),
        }?;
        if let Some(section) = &self.section {
            write!(f, " ({section})")?;
        }
        Ok(())
    }
}

/// What the processor objected to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Fault {
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

/// The events of one scenario.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Trace {
    /// In their order.
    pub events: Vec<Event>,
}

impl Trace {
    /// How the scenario ended.
    ///
    /// A trace without an end belongs to a worker that died.
    #[must_use]
    pub fn ending(&self) -> Option<&Ending> {
        self.events.iter().rev().find_map(|event| match event {
            Event::End { ending } => Some(ending),
            _ => None,
        })
    }

    /// Whether the story was told to its end.
    #[must_use]
    pub fn completed(&self) -> bool {
        matches!(self.ending(), Some(Ending::Completed))
    }

    /// What `DriverEntry` returned, if it did.
    #[must_use]
    pub fn driver_entry_status(&self) -> Option<Status> {
        let mut depth = Vec::new();
        for event in &self.events {
            match event {
                Event::Enter { routine, .. } => depth.push(routine),
                Event::Leave { answer } => {
                    if let Some(Routine::DriverEntry) = depth.pop() {
                        return Some(Status(*answer as u32));
                    }
                }
                _ => {}
            }
        }
        None
    }

    /// What the driver registered, if it did.
    #[must_use]
    pub fn registration(&self) -> Option<&Registration> {
        self.events.iter().find_map(|event| match event {
            Event::Registered { registration } => Some(registration),
            _ => None,
        })
    }
}
