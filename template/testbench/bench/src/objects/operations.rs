//! Operations that the system delivers.

use super::volumes::Instance;
use crate::trace::Via;
use crate::vocabulary::status::Status;

/// An operation of the catalogue.
#[derive(Debug, Clone, Copy)]
pub struct Spec {
    /// The major function.
    pub major: u8,
    /// The minor function.
    pub minor: u8,
    /// What is special about it.
    pub variant: &'static str,
    /// How it arrives.
    pub via: Via,
    /// `IrpFlags`.
    pub irp_flags: u32,
    /// The IRQL at which Windows may call the post-operation callback.
    pub post: u8,
    /// What the file system answers.
    pub result: Status,
    /// For reads and writes: paging I/O, cached, on the volume.
    pub paging: bool,
    /// For reads and writes: through the cache.
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

/// An operation between its pre- and its post-operation callback.
#[derive(Debug, Clone)]
pub struct InFlight {
    /// The operation.
    pub spec: Spec,
    /// Its file.
    pub file: File,
    /// Its callback data.
    pub data: u64,
    /// The driver's callbacks for it.
    pub callbacks: OperationCallbacks,
    /// The completion context.
    pub context: u64,
    /// The IRQL of the post-operation callback.
    pub post_irql: u8,
    /// The thread that it was begun in.
    pub thread: u32,
    /// The file belongs to this operation alone and goes with it.
    pub own_file: bool,
    /// Pended by the pre-operation callback and not completed yet.
    pub pended: bool,
    /// The memory descriptor list that the filter put in the parameters: the filter manager frees it.
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
