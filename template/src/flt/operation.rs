//! The operations, and which answers are legal for each of them.
//!
//! The sources are "Returning Status from Preoperation Callback Routines", the pages of the answers
//! and those of `FLT_PARAMETERS`.

use wdk_sys::{
    IRP_MJ_CLEANUP, IRP_MJ_CLOSE, IRP_MJ_CREATE, IRP_MJ_DEVICE_CONTROL, IRP_MJ_DIRECTORY_CONTROL,
    IRP_MJ_FILE_SYSTEM_CONTROL, IRP_MJ_FLUSH_BUFFERS, IRP_MJ_LOCK_CONTROL, IRP_MJ_QUERY_EA,
    IRP_MJ_QUERY_INFORMATION, IRP_MJ_QUERY_SECURITY, IRP_MJ_QUERY_VOLUME_INFORMATION, IRP_MJ_READ,
    IRP_MJ_SET_EA, IRP_MJ_SET_INFORMATION, IRP_MJ_SET_SECURITY, IRP_MJ_SET_VOLUME_INFORMATION,
    IRP_MJ_SHUTDOWN, IRP_MJ_WRITE, MdlMappingNoWrite,
};

use super::{
    bindings::FLT_IO_PARAMETER_BLOCK,
    context::{AtApc, AtDispatch},
};

/// An operation.
pub trait Operation: 'static {
    /// The `IRP_MJ_` code.
    const MAJOR_FUNCTION: u8;

    /// Whether it may have a post-operation callback.
    const SEEN_AFTER: bool = Self::MAJOR_FUNCTION as u32 != IRP_MJ_SHUTDOWN;

    /// The highest IRQL of its post-operation callback ("Writing Postoperation Callback Routines").
    type PostLevel: 'static;

    /// The greatest `Information` of its result. The I/O manager copies as many bytes from the system
    /// buffer to the caller.
    fn most_information(_block: &FLT_IO_PARAMETER_BLOCK) -> usize {
        usize::MAX
    }
}

/// An operation that may have a post-operation callback.
pub trait SeenAfter: Operation {}

/// An operation that may fail with an error status of the filter.
pub trait Failable: Operation {}

/// An operation that the filter may complete with success.
pub trait Completable: Failable {}

/// An operation of which IRPs may be synchronized with the post-operation callback.
pub trait Synchronizable: SeenAfter {}

/// An operation that can be fast I/O or an IRP.
pub trait FastIoOrIrp: Operation {}

/// An operation whose completion can be posted to a system thread
/// ("`FltDoCompletionProcessingWhenSafe`": reads, writes and flushes cannot, because that can cause a
/// deadlock).
pub trait Postable: SeenAfter {}

/// An operation with a buffer that is a system buffer or can be locked.
pub trait Buffered: Operation {
    /// Whether the filter may write to the buffer.
    type Access: Access;
}

/// What a filter may do with a buffer.
pub trait Access: 'static {
    /// The flags of its mapping, beside `MdlMappingNoExecute`.
    const MAPPING: u32;
}

/// The operation stores its result in the buffer, and a filter may write to it.
pub enum Writable {}

/// The buffer has the data of the caller, which must not be changed.
pub enum ReadOnly {}

impl Access for Writable {
    const MAPPING: u32 = 0;
}

impl Access for ReadOnly {
    const MAPPING: u32 = MdlMappingNoWrite;
}

/// An operation in whose pre-operation callback the file's name can be queried.
pub trait Named: Operation {}

/// An operation in whose post-operation callback the file's name can be queried.
pub trait NamedAfter: Named {}

/// An operation after which a file can have another name by tunneling: a file that is created with the
/// short name of one that was deleted or renamed just before gets its long name, too.
pub trait Tunneled: NamedAfter {}

/// Declares operations: the code, the highest IRQL of the post-operation callback, what is legal, what
/// may be done with the buffer, and the length of a system buffer for the result.
macro_rules! operations {
    ($(
        $(#[$doc:meta])* $name:ident = $code:expr, $level:ident: $($legal:ident),*;
        $(=> $access:ident $([$($length:ident).+])?;)?
    )+) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug)]
        pub enum $name {}

        impl Operation for $name {
            #[expect(clippy::cast_possible_truncation, reason = "the codes are bytes")]
            const MAJOR_FUNCTION: u8 = {
                assert!($code <= 0xFF);
                $code as u8
            };
            type PostLevel = $level;

            $($(
                fn most_information(block: &FLT_IO_PARAMETER_BLOCK) -> usize {
                    // SAFETY: a member of the operation, of which any bits are a valid number.
                    (unsafe { block.Parameters.$($length).+ }) as usize
                }
            )?)?
        }

        $(impl $legal for $name {})*

        $(impl Buffered for $name {
            type Access = $access;
        })?
    )+};
}

// The codes above 0x80 are FltMgr's own. fltKernel.h defines them with a cast, which bindgen does not
// evaluate.
operations! {
    /// `IRP_MJ_CREATE`. The filter manager synchronizes it by itself.
    Create = IRP_MJ_CREATE, AtApc:
        SeenAfter, Postable, Failable, Named, NamedAfter, Tunneled;
    /// `IRP_MJ_READ`.
    Read = IRP_MJ_READ, AtDispatch:
        SeenAfter, Failable, Completable, Synchronizable, FastIoOrIrp, Named, NamedAfter;
        => Writable [Read.Length];
    /// `IRP_MJ_WRITE`.
    Write = IRP_MJ_WRITE, AtDispatch:
        SeenAfter, Failable, Completable, Synchronizable, FastIoOrIrp, Named, NamedAfter;
        => ReadOnly;
    /// `IRP_MJ_CLEANUP`. It must not be failed; completed here, it would not reach the file system.
    Cleanup = IRP_MJ_CLEANUP, AtDispatch:
        SeenAfter, Postable, Synchronizable, Named;
    /// `IRP_MJ_CLOSE`. It must not be failed; completed here, it would not reach the file system.
    Close = IRP_MJ_CLOSE, AtDispatch:
        SeenAfter, Postable, Synchronizable;
    /// `IRP_MJ_QUERY_INFORMATION`.
    QueryInformation = IRP_MJ_QUERY_INFORMATION, AtDispatch:
        SeenAfter, Postable, Failable, Completable, Synchronizable, FastIoOrIrp, Named, NamedAfter;
        => Writable [QueryFileInformation.Length];
    /// `IRP_MJ_SET_INFORMATION`.
    SetInformation = IRP_MJ_SET_INFORMATION, AtDispatch:
        SeenAfter, Postable, Failable, Completable, Synchronizable, Named, NamedAfter, Tunneled;
        => ReadOnly;
    /// `IRP_MJ_DIRECTORY_CONTROL`.
    DirectoryControl = IRP_MJ_DIRECTORY_CONTROL, AtDispatch:
        SeenAfter, Postable, Failable, Completable, Synchronizable, Named, NamedAfter;
        => Writable;
    /// `IRP_MJ_FILE_SYSTEM_CONTROL`.
    FileSystemControl = IRP_MJ_FILE_SYSTEM_CONTROL, AtDispatch:
        SeenAfter, Postable, Failable, Completable, Synchronizable, Named, NamedAfter;
        => Writable [FileSystemControl.Common.OutputBufferLength];
    /// `IRP_MJ_DEVICE_CONTROL`.
    DeviceControl = IRP_MJ_DEVICE_CONTROL, AtDispatch:
        SeenAfter, Postable, Failable, Completable, Synchronizable, FastIoOrIrp, Named, NamedAfter;
        => Writable [DeviceIoControl.Common.OutputBufferLength];
    /// `IRP_MJ_FLUSH_BUFFERS`.
    FlushBuffers = IRP_MJ_FLUSH_BUFFERS, AtDispatch:
        SeenAfter, Failable, Completable, Synchronizable, Named, NamedAfter;
    /// `IRP_MJ_LOCK_CONTROL`.
    LockControl = IRP_MJ_LOCK_CONTROL, AtDispatch:
        SeenAfter, Postable, Failable, Completable, Synchronizable, FastIoOrIrp, Named, NamedAfter;
    /// `IRP_MJ_QUERY_SECURITY`.
    QuerySecurity = IRP_MJ_QUERY_SECURITY, AtDispatch:
        SeenAfter, Postable, Failable, Completable, Synchronizable, Named, NamedAfter;
        => Writable;
    /// `IRP_MJ_SET_SECURITY`.
    SetSecurity = IRP_MJ_SET_SECURITY, AtDispatch:
        SeenAfter, Postable, Failable, Completable, Synchronizable, Named, NamedAfter;
    /// `IRP_MJ_QUERY_VOLUME_INFORMATION`.
    QueryVolumeInformation = IRP_MJ_QUERY_VOLUME_INFORMATION, AtDispatch:
        SeenAfter, Postable, Failable, Completable, Synchronizable, Named, NamedAfter;
        => Writable [QueryVolumeInformation.Length];
    /// `IRP_MJ_SET_VOLUME_INFORMATION`.
    SetVolumeInformation = IRP_MJ_SET_VOLUME_INFORMATION, AtDispatch:
        SeenAfter, Postable, Failable, Completable, Synchronizable, Named, NamedAfter;
        => ReadOnly;
    /// `IRP_MJ_QUERY_EA`.
    QueryEa = IRP_MJ_QUERY_EA, AtDispatch:
        SeenAfter, Postable, Failable, Completable, Synchronizable, Named, NamedAfter;
        => Writable;
    /// `IRP_MJ_SET_EA`.
    SetEa = IRP_MJ_SET_EA, AtDispatch:
        SeenAfter, Postable, Failable, Completable, Synchronizable, Named, NamedAfter;
        => ReadOnly;
    /// `IRP_MJ_SHUTDOWN`. It has no post-operation callback, and must not be failed.
    Shutdown = IRP_MJ_SHUTDOWN, AtDispatch: ;
    /// `IRP_MJ_NETWORK_QUERY_OPEN`, which is always fast I/O.
    NetworkQueryOpen = 0xF2_u32, AtApc:
        SeenAfter, Failable, Completable, Named, NamedAfter;
    /// `IRP_MJ_QUERY_OPEN`, which is a file-system filter callback.
    QueryOpen = 0xF9_u32, AtApc:
        SeenAfter;
    /// `IRP_MJ_ACQUIRE_FOR_SECTION_SYNCHRONIZATION`, which is a file-system filter callback.
    AcquireForSectionSynchronization = 0xFF_u32, AtApc:
        SeenAfter, Named;
}
