//! An event of a scenario.

use serde::{Deserialize, Serialize};

use super::ending::{Ending, Place};
use super::reply::Reply;
use super::resource::Kind;
use super::routine::{Operation, Routine};
use crate::vocabulary::status::Status;

/// An event.
///
/// `Enter` and `Leave` enclose driver code. `Call` and `Return` enclose system functions. They nest, because system
/// functions such as `FltStartFiltering` call driver callbacks before they return.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// A stage of the script begins.
    Stage {
        /// The stage.
        stage: Stage,
    },
    /// The system calls a driver routine.
    Enter {
        /// The routine.
        routine: Routine,
        /// The IRQL.
        irql: u8,
        /// The thread.
        thread: u32,
    },
    /// The driver routine returns.
    Leave {
        /// The return value.
        answer: u64,
    },
    /// An exception was raised that a driver routine can handle.
    Exception {
        /// The exception code.
        code: Status,
        /// The place in the driver.
        at: Place,
    },
    /// A thread waits, and another one runs.
    Suspend {
        /// The thread that waits.
        thread: u32,
    },
    /// A waiting thread is resumed.
    Resume {
        /// The thread.
        thread: u32,
    },
    /// The driver looked up a function by name that is not modelled. The result was NULL.
    NotModelled {
        /// The module and the function.
        import: String,
    },
    /// The driver calls a system function.
    Call {
        /// The function.
        function: String,
        /// The return address of the call, as an RVA.
        site: u32,
        /// The IRQL.
        irql: u8,
        /// The number of the call among those that can fail.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        point: Option<u32>,
    },
    /// The system function returns.
    Return {
        /// The result.
        result: u64,
        /// The scenario injected the result.
        #[serde(skip_serializing_if = "std::ops::Not::not", default)]
        injected: bool,
    },
    /// The driver acquired a resource.
    Acquire {
        /// The number of the resource.
        id: u32,
        /// The kind of resource.
        kind: Kind,
        /// The description, such as a name or a size.
        what: String,
    },
    /// The driver released a resource.
    Release {
        /// The number of the resource.
        id: u32,
    },
    /// The driver registered the filter.
    Registered {
        /// A summary of the registration.
        registration: Registration,
    },
    /// The driver called `IoWriteErrorLogEntry`.
    ErrorLog {
        /// The decoded packet.
        entry: LogEntry,
    },
    /// A pre-operation callback returned.
    PreAnswer {
        /// The operation.
        operation: Operation,
        /// The return value, an `FLT_PREOP_CALLBACK_STATUS`.
        answer: u32,
        /// `IoStatus.Status` after the call.
        status: Status,
    },
    /// A post-operation callback returned.
    PostAnswer {
        /// The operation.
        operation: Operation,
        /// `FLTFL_POST_OPERATION_DRAINING` was set.
        draining: bool,
        /// The return value, an `FLT_POSTOP_CALLBACK_STATUS`.
        answer: u32,
        /// `IoStatus.Status` before the call.
        before: Status,
        /// `IoStatus.Status` after the call.
        after: Status,
    },
    /// The filter was attached to a volume.
    Attached {
        /// The description of the kind of volume.
        volume: String,
    },
    /// The driver created a device with a setup class.
    DeviceClass {
        /// The GUID, without braces.
        class: String,
    },
    /// A program or the system sent a request to a device of the driver.
    DeviceRequest {
        /// The major function.
        major: u8,
        /// The driver has a routine for it.
        dispatched: bool,
        /// The result.
        status: Status,
    },
    /// The file system received an operation of a test.
    Below {
        /// The operation.
        operation: Operation,
        /// The path of the file, such as `C:\\a.txt`.
        path: String,
        /// The name of the program.
        process: String,
        /// `IrpFlags`.
        flags: u32,
        /// For a read or a write, the offset.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        offset: Option<u64>,
        /// The length of the buffer.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        length: Option<u32>,
        /// The status, which is `STATUS_PENDING` if the operation is not complete.
        status: Status,
        /// `IoStatus.Information`.
        information: u64,
    },
    /// The driver wrote a message to the debugger.
    Trace {
        /// The message.
        text: String,
    },
    /// The driver sent a message to the program that is connected to its port.
    PortMessage {
        /// The message.
        data: Vec<u8>,
    },
    /// The worker performed an act of a test.
    Reply {
        /// The reply.
        reply: Reply,
    },
    /// The driver queried a key or a value that does not exist in the registry.
    NotInRegistry {
        /// The key.
        key: String,
        /// The value, or `None` if the driver queried the key.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        value: Option<String>,
        /// The name of the setting that defines the value, or `None` if there is none.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        setting: Option<String>,
        /// The driver received an invalid value instead.
        #[serde(skip_serializing_if = "std::ops::Not::not", default)]
        odd: bool,
    },
    /// The driver did what a rule forbids.
    Breach {
        /// The kind of breach, which has one rule.
        breach: Breach,
        /// The description.
        problem: String,
    },
    /// The state of the driver object after a failed `DriverEntry`.
    DispatchAfterFailure {
        /// The entry for `IRP_MJ_FLUSH_BUFFERS` points to a driver routine.
        flush_buffers: bool,
        /// The entry for `IRP_MJ_SHUTDOWN` points to a driver routine.
        shutdown: bool,
    },
    /// An unload was requested.
    Unload {
        /// The request is a service stop, which the callback cannot refuse.
        mandatory: bool,
        /// The result.
        outcome: Unload,
    },
    /// The scenario ended.
    End {
        /// The ending.
        ending: Ending,
    },
}

/// The kinds of [`Event::Breach`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Breach {
    /// The registration has an error.
    Registration,
    /// A function refused its arguments.
    Argument,
    /// An object received a security descriptor with a NULL DACL, which grants all access to every user.
    NullDacl,
    /// A dispatch routine processed a request incorrectly.
    Request,
    /// The parameters of an operation were changed and not marked as modified.
    NotDirty,
    /// A callback returned what its document forbids.
    Callback,
    /// What a driver may only read was changed.
    ReadOnly,
    /// A post-operation callback used a normalized name without `FltGetTunneledName`.
    TunneledName,
    /// A handle was opened that a program can use.
    UserHandle,
    /// A registry value was stored without a check of its type.
    TypeCheck,
    /// The pages of a memory descriptor list were locked, mapped or unlocked incorrectly.
    LockedPages,
    /// Memory with an object in use was freed.
    FreedObject,
    /// A device was left with `DO_DEVICE_INITIALIZING`.
    DeviceInitializing,
    /// The security of a device does not apply to names below its own.
    DeviceNamespace,
    /// The result of an operation was not set.
    Result,
    /// Executable pool was allocated.
    ExecutablePool,
    /// A symbolic link was deleted that the driver did not create.
    ForeignLink,
}

/// The stages of a script.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// `DriverEntry`.
    Load,
    /// All operations, a port client, a handle of the control device, a manual detach.
    Operations,
    /// A few operations, for comparison with [`Stage::Again`].
    Before,
    /// The unload.
    Unload,
    /// The same few operations after a refused unload.
    Again,
    /// The image is unloaded. Work that is still queued runs.
    Late,
}

/// The result of an unload request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "how")]
pub enum Unload {
    /// The filter manager refused it, because the registration has no `FilterUnloadCallback`.
    NoCallback,
    /// The filter manager refused it, because `FLTFL_REGISTRATION_DO_NOT_SUPPORT_SERVICE_STOP` is set.
    ServiceStopNotSupported,
    /// The driver replaced the filter manager's `DriverUnload`, so a service stop does not reach it.
    Unreachable,
    /// The callback ran.
    Called {
        /// The return value.
        status: Status,
        /// The filter is still registered.
        registered: bool,
    },
}

/// A summary of an `FLT_REGISTRATION`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registration {
    /// `Version`.
    pub version: u16,
    /// `Flags`.
    pub flags: u32,
    /// There is a `FilterUnloadCallback`.
    pub unload: bool,
    /// The major functions with a callback, in the order of the registration.
    pub operations: Vec<u8>,
    /// The flags of each.
    pub operation_flags: Vec<u32>,
    /// Whether each has a pre-operation callback, and a post-operation callback.
    pub operation_callbacks: Vec<(bool, bool)>,
}

impl Registration {
    /// `FLTFL_REGISTRATION_DO_NOT_SUPPORT_SERVICE_STOP`.
    pub const NO_SERVICE_STOP: u32 = 1;
    /// `FLTFL_REGISTRATION_SUPPORT_NPFS_MSFS`.
    pub const NPFS_MSFS: u32 = 2;
    /// `FLTFL_REGISTRATION_SUPPORT_DAX_VOLUME`.
    pub const DAX: u32 = 4;
    /// `FLTFL_OPERATION_REGISTRATION_SKIP_PAGING_IO`, of an operation.
    pub const SKIP_PAGING_IO: u32 = 1;
}

/// A decoded error log packet.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogEntry {
    /// `ErrorCode`, which identifies the message.
    pub code: u32,
    /// `FinalStatus`.
    pub status: Status,
    /// `UniqueErrorValue`.
    pub unique: u32,
    /// The insertion strings.
    pub strings: Vec<String>,
    /// The message that Event Viewer shows.
    pub sentence: Option<String>,
    /// The errors of the packet.
    pub problems: Vec<String>,
}
