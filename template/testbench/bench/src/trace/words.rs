//! The text of events in a report.

use std::fmt;

use super::ending::{Argument, Place, Wait, Waiting};
use super::event::Stage;
use super::resource::{Kind, Subject};
use super::routine::{Callback, ContextKind, Operation, Routine};
use crate::vocabulary::major;

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
            Routine::Other { callback } => fmt::Display::fmt(callback, f),
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&major::name(self.major))?;
        if !self.variant.is_empty() {
            write!(f, " ({})", self.variant)?;
        }
        Ok(())
    }
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
            Kind::NotifyRoutine(Subject::Process) => "process-notify routine",
            Kind::NotifyRoutine(Subject::Thread) => "thread-notify routine",
            Kind::NotifyRoutine(Subject::Image) => "image-load-notify routine",
            Kind::NotifyRoutine(Subject::Registry) => "registry callback",
            Kind::Mdl => "memory descriptor list",
            Kind::CallbackData => "callback data",
            Kind::HeldLock => "held lock",
        })
    }
}

impl fmt::Display for Argument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(member) = &self.member {
            write!(f, "the member {member} of ")?;
        }
        write!(f, "argument {}", self.number)
    }
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

impl fmt::Display for Callback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Callback::Connect => "ConnectNotifyCallback",
            Callback::Disconnect => "DisconnectNotifyCallback",
            Callback::Message => "MessageNotifyCallback",
            Callback::ContextCleanup(kind) => {
                return write!(f, "ContextCleanupCallback of {kind}");
            }
            Callback::Reinitialize => "DRIVER_REINITIALIZE",
            Callback::Dispatch(major) => {
                return write!(f, "dispatch routine of {}", major::name(*major));
            }
            Callback::IoWorkItem => "IO_WORKITEM_ROUTINE",
            Callback::WorkerThread => "WORKER_THREAD_ROUTINE",
            Callback::GenericWorkItem => "PFLT_GENERIC_WORKITEM_ROUTINE",
            Callback::DeferredIoWorkItem => "PFLT_DEFERRED_IO_WORKITEM_ROUTINE",
            Callback::Dpc => "KDEFERRED_ROUTINE",
            Callback::TimerDpc => "KDEFERRED_ROUTINE of a timer",
            Callback::OperationStatus => "PFLT_GET_OPERATION_STATUS_CALLBACK",
            Callback::SafePost => "SafePostCallback",
            Callback::RegistryQuery => "RTL_QUERY_REGISTRY_ROUTINE",
        })
    }
}

impl fmt::Display for ContextKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            0x01 => "FLT_VOLUME_CONTEXT",
            0x02 => "FLT_INSTANCE_CONTEXT",
            0x04 => "FLT_FILE_CONTEXT",
            0x08 => "FLT_STREAM_CONTEXT",
            0x10 => "FLT_STREAMHANDLE_CONTEXT",
            0x20 => "FLT_TRANSACTION_CONTEXT",
            0x40 => "FLT_SECTION_CONTEXT",
            _ => "a context type that does not exist",
        })
    }
}

impl fmt::Display for Wait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Wait::Lock { lock, holder } => {
                let article = if lock.starts_with('E') { "an" } else { "a" };
                write!(f, "waits for {article} {lock} that ")?;
                match holder {
                    Some(holder) => write!(f, "{holder} holds"),
                    None => f.write_str("it holds itself"),
                }
            }
            Wait::Object => f.write_str("waits for an object that nobody signals any more"),
            Wait::Rundown => f.write_str(
                "waits in ExWaitForRundownProtectionRelease for a reference that is not released",
            ),
            Wait::Reference { what } => write!(
                f,
                "waits in FltUnregisterFilter for a reference to {what} that was never released (FltObjectDereference)"
            ),
            Wait::Pended { operation } => write!(
                f,
                "waits in FltUnregisterFilter for {operation}, which a pre-operation callback pended and which was not completed"
            ),
            Wait::MoreProcessing { operation } => write!(
                f,
                "waits for the rest of {operation}: its post-operation callback requested more processing, and the driver never called FltCompletePendedPostOperation"
            ),
            Wait::Return { routine } => write!(f, "waits for {routine} to return"),
            Wait::Reinitialization { rounds } => write!(
                f,
                "waits for the reinitialization routine, which queued itself {rounds} times"
            ),
        }
    }
}

impl fmt::Display for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.routine {
            Some(routine) => write!(f, "{routine} {}", self.wait),
            None => write!(f, "the system {}", self.wait),
        }
    }
}
