//! Operations that the system delivers.

use super::volumes::{Instance, Volume};
use crate::trace::{Operation, Via};
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
    /// The IRQL of the pre-operation callback.
    pub pre: u8,
    /// The IRQL at which Windows may call the post-operation callback.
    pub post: u8,
    /// The result, or `None` for that of the file system.
    pub result: Option<Status>,
    /// For reads and writes: paging I/O.
    pub paging: bool,
    /// For reads and writes: cached I/O.
    pub cached: bool,
}

/// The parameters of an operation.
#[derive(Debug, Clone, Default)]
pub struct Parameters {
    /// The members of `FLT_PARAMETERS`: their offsets and values.
    pub members: Vec<(u64, Value)>,
    /// The content of the buffer.
    pub buffer: Vec<u8>,
    /// `OperationFlags`.
    pub flags: u8,
}

impl Parameters {
    /// A buffer with data.
    #[must_use]
    pub fn input(members: Vec<(u64, Value)>, data: &[u8]) -> Self {
        Self {
            members,
            buffer: data.to_vec(),
            flags: 0,
        }
    }

    /// A buffer for data.
    #[must_use]
    pub fn output(members: Vec<(u64, Value)>, length: u32) -> Self {
        Self {
            members,
            buffer: vec![0; length as usize],
            flags: 0,
        }
    }
}

/// The value of a member.
#[derive(Debug, Clone)]
pub enum Value {
    /// A byte.
    U8(u8),
    /// A 16-bit number.
    U16(u16),
    /// A 32-bit number.
    U32(u32),
    /// A 64-bit number or an address.
    U64(u64),
    /// The address of the buffer.
    Buffer,
    /// The address of a memory descriptor list for the buffer.
    Mdl,
    /// The address of a structure with this content.
    Structure(Vec<u8>),
    /// The address of a `UNICODE_STRING`.
    Text(String),
    /// The address of an `IO_SECURITY_CONTEXT` with these access rights.
    SecurityContext(u32),
}

/// A file object on a volume.
#[derive(Debug, Clone)]
pub struct File {
    /// The file object.
    pub object: u64,
    /// The volume.
    pub volume: Volume,
}

/// An operation between its pre-operation and its post-operation callback.
#[derive(Debug, Clone)]
pub struct InFlight {
    /// The operation.
    pub spec: Spec,
    /// The parameters.
    pub parameters: Parameters,
    /// The file.
    pub file: File,
    /// The instance, if the filter is attached.
    pub instance: Option<Instance>,
    /// The callback data.
    pub data: u64,
    /// The buffer and its size.
    pub buffer: (u64, usize),
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
    /// Where the operation is.
    pub place: Place,
    /// The parameters before the pre-operation callback.
    pub original: Vec<u8>,
    /// The memory descriptor list that the filter stored in the parameters. The filter manager frees it.
    pub swapped: u64,
}

impl Spec {
    /// Returns the description of the operation on a volume.
    #[must_use]
    pub fn on(&self, volume: &Volume) -> Operation {
        Operation {
            major: self.major,
            variant: self.variant.to_owned(),
            volume: volume.name.to_owned(),
            via: self.via,
        }
    }
}

impl InFlight {
    /// Returns the description of the operation.
    #[must_use]
    pub fn operation(&self) -> Operation {
        self.spec.on(&self.file.volume)
    }
}

/// Where an operation is between its callbacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The pre-operation callback has returned.
    Begun,
    /// The pre-operation callback pended the operation, and it is not completed.
    Pended,
    /// The filter resumed the operation that it had pended, with this `FLT_PREOP_CALLBACK_STATUS`.
    Resumed(u32),
    /// The file system pended the operation.
    Below,
    /// The file system completed the operation that it had pended.
    Completed,
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

/// The state of an operation that was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sent {
    /// The operation is complete.
    Completed(Completed),
    /// The operation is pending. The callback data identifies it.
    Pending(u64),
}

/// Sends an operation in a thread, from the filter on.
pub type Send = fn(&File, Spec, Parameters, u32) -> Sent;

/// The result of an operation for the program.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Completed {
    /// `IoStatus.Status`.
    pub status: Status,
    /// `IoStatus.Information`.
    pub information: u64,
    /// The content of the buffer, as far as the operation filled it.
    pub data: Vec<u8>,
}

impl OperationCallbacks {
    /// No callbacks: the filter does not see the operation.
    pub const NONE: OperationCallbacks = OperationCallbacks {
        major: 0,
        flags: 0,
        pre: 0,
        post: 0,
    };
}
