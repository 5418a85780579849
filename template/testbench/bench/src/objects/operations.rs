//! Operations that the system delivers.

use super::volumes::Instance;
use crate::trace::Via;
use crate::vocabulary::status::Status;

/// An operation that the bench can deliver.
#[derive(Debug, Clone, Copy)]
pub struct Spec {
    /// The major function.
    pub major: u8,
    /// The minor function.
    pub minor: u8,
    /// The variant.
    pub variant: &'static str,
    /// The delivery mechanism.
    pub via: Via,
    /// `IrpFlags`.
    pub irp_flags: u32,
    /// The IRQL at which Windows may call the post-operation callback.
    pub post: u8,
    /// The result of the file system.
    pub result: Status,
    /// For reads and writes: paging I/O.
    pub paging: bool,
    /// For reads and writes: cached I/O.
    pub cached: bool,
}

/// A file that is open on a volume.
#[derive(Debug, Clone)]
pub struct File {
    /// The file object.
    pub object: u64,
    /// The instance on its volume.
    pub instance: Instance,
}

/// An operation between its pre-operation and its post-operation callback.
#[derive(Debug, Clone)]
pub struct InFlight {
    /// The operation.
    pub spec: Spec,
    /// The file.
    pub file: File,
    /// The callback data.
    pub data: u64,
    /// The callbacks for the operation.
    pub callbacks: OperationCallbacks,
    /// The completion context.
    pub context: u64,
    /// The IRQL of the post-operation callback.
    pub post_irql: u8,
    /// The thread in which the operation began.
    pub thread: u32,
    /// The file object belongs to this operation and is closed with it.
    pub own_file: bool,
    /// The pre-operation callback pended the operation, and it is not completed.
    pub pended: bool,
    /// The memory descriptor list that the filter stored in the parameters. The filter manager frees it.
    pub swapped: u64,
}

/// An `FLT_OPERATION_REGISTRATION`.
#[derive(Debug, Clone, Copy)]
pub struct OperationCallbacks {
    /// `MajorFunction`.
    pub major: u8,
    /// `Flags`.
    pub flags: u32,
    /// `PreOperation`.
    pub pre: u64,
    /// `PostOperation`.
    pub post: u64,
}
