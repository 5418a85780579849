//! One thing that happened.

use serde::{Deserialize, Serialize};

use super::ending::{Ending, Place};
use super::resource::Kind;
use super::routine::{Operation, Routine};
use crate::vocabulary::status::Status;

/// One event.
///
/// `Enter` and `Leave` enclose the driver's code, `Call` and `Return` the system's; they nest, since
/// `FltStartFiltering` calls the driver's callbacks before it returns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// The script goes on to its next part.
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
        /// In which thread.
        thread: u32,
    },
    /// The routine returns.
    Leave {
        /// What it returned.
        answer: u64,
    },
    /// An exception was raised that a routine of the driver's may handle.
    Exception {
        /// Its code.
        code: Status,
        /// Where.
        at: Place,
    },
    /// A thread waits, and another one goes on.
    Suspend {
        /// The thread that waits.
        thread: u32,
    },
    /// A thread that waited goes on.
    Resume {
        /// The thread.
        thread: u32,
    },
    /// The driver asked for a function by name that the model does not have, and got NULL.
    NotModelled {
        /// The module and the function.
        import: String,
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

/// The parts of a script.
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
