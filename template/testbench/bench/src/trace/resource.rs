//! What a driver can hold.

use serde::{Deserialize, Serialize};

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
