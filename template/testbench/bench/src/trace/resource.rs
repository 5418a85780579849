//! The kinds of resources that a driver can hold.

use serde::{Deserialize, Serialize};

/// The kind of a resource.
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
    /// A handle to a key, a file or a process.
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
    /// A notify routine. It can be registered once for each subject.
    NotifyRoutine(Subject),
    /// A memory descriptor list.
    Mdl,
    /// Callback data that the driver allocated.
    CallbackData,
    /// A lock that is held.
    HeldLock,
}

/// What a notify routine is called for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Subject {
    /// Processes.
    Process,
    /// Threads.
    Thread,
    /// Images that are loaded.
    Image,
    /// The registry.
    Registry,
}
