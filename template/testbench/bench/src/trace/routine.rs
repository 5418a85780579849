//! The routines of the driver, and the operations that the bench delivers.

use serde::{Deserialize, Serialize};

use crate::vocabulary::major;

/// A routine of the driver.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "name")]
pub enum Routine {
    /// `DriverEntry`.
    DriverEntry,
    /// `FilterUnloadCallback`.
    FilterUnload {
        /// The flag `FLTFL_FILTER_UNLOAD_MANDATORY`.
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
        /// `FLTFL_POST_OPERATION_DRAINING` is set.
        draining: bool,
    },
    /// Any other routine.
    Other {
        /// The kind of routine.
        callback: Callback,
    },
}

impl Routine {
    /// Returns whether the routine has no return value.
    #[must_use]
    pub fn is_void(&self) -> bool {
        match self {
            Routine::DriverUnload
            | Routine::InstanceTeardownStart { .. }
            | Routine::InstanceTeardownComplete { .. } => true,
            Routine::Other { callback } => callback.is_void(),
            _ => false,
        }
    }

    /// Returns whether the routine is an unload routine.
    #[must_use]
    pub fn is_unload(&self) -> bool {
        matches!(self, Routine::FilterUnload { .. } | Routine::DriverUnload)
    }

    /// Returns the name of the routine without the volume and the variant of the operation.
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
                major::name(operation.major)
            ),
            Routine::Post {
                operation,
                draining,
            } => format!(
                "the {}post-operation callback of {}",
                if *draining { "draining " } else { "" },
                major::name(operation.major)
            ),
            other => other.to_string(),
        }
    }
}

/// An operation that the bench delivered.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Operation {
    /// The major function, which can be a pseudo-operation.
    pub major: u8,
    /// The variant, such as "paging", "fast I/O" or "volume open".
    #[serde(skip_serializing_if = "String::is_empty", default)]
    pub variant: String,
    /// The volume.
    pub volume: String,
    /// The delivery mechanism.
    pub via: Via,
}

/// The delivery mechanism of an operation.
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

/// A routine that the driver passed to a system function.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Callback {
    /// `PFLT_CONNECT_NOTIFY`.
    Connect,
    /// `PFLT_DISCONNECT_NOTIFY`.
    Disconnect,
    /// `PFLT_MESSAGE_NOTIFY`.
    Message,
    /// `PFLT_CONTEXT_CLEANUP_CALLBACK`, for a type of context.
    ContextCleanup(ContextKind),
    /// `DRIVER_REINITIALIZE`.
    Reinitialize,
    /// `DRIVER_DISPATCH`, for a major function.
    Dispatch(u8),
    /// `IO_WORKITEM_ROUTINE`.
    IoWorkItem,
    /// `WORKER_THREAD_ROUTINE`.
    WorkerThread,
    /// `PFLT_GENERIC_WORKITEM_ROUTINE`.
    GenericWorkItem,
    /// `PFLT_DEFERRED_IO_WORKITEM_ROUTINE`.
    DeferredIoWorkItem,
    /// `KDEFERRED_ROUTINE`.
    Dpc,
    /// `KDEFERRED_ROUTINE` of a timer.
    TimerDpc,
    /// `PFLT_GET_OPERATION_STATUS_CALLBACK`.
    OperationStatus,
    /// The routine of `FltDoCompletionProcessingWhenSafe`.
    SafePost,
    /// `PRTL_QUERY_REGISTRY_ROUTINE`.
    RegistryQuery,
}

impl Callback {
    /// Returns whether a scenario can go on without the routine: it does not continue what another one began.
    #[must_use]
    pub fn is_independent(self) -> bool {
        matches!(
            self,
            Callback::Connect | Callback::Message | Callback::Dispatch(_)
        )
    }

    /// Returns whether the routine has no return value.
    #[must_use]
    pub fn is_void(self) -> bool {
        !matches!(
            self,
            Callback::Connect
                | Callback::Message
                | Callback::Dispatch(_)
                | Callback::SafePost
                | Callback::RegistryQuery
        )
    }
}

/// A type of context, `FLT_CONTEXT_TYPE`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ContextKind(pub u16);
