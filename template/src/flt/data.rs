//! The callback data of an operation.

use core::{marker::PhantomData, ops::Deref, ptr};

use wdk::nt_success;
use wdk_sys::{
    _FS_FILTER_SECTION_SYNC_TYPE::SyncTypeCreateSection, _MODE::UserMode, APC_LEVEL,
    IRP_MJ_DIRECTORY_CONTROL, IRP_MJ_FILE_SYSTEM_CONTROL, IRP_MJ_LOCK_CONTROL, IRP_MN_KERNEL_CALL,
    IRP_MN_LOCK, IRP_MN_NOTIFY_CHANGE_DIRECTORY, IRP_MN_USER_FS_REQUEST, IRP_NOCACHE,
    IRP_PAGING_IO, IRP_SYNCHRONOUS_PAGING_IO, NTSTATUS, PFILE_OBJECT, STATUS_REPARSE,
    ntddk::KeGetCurrentIrql,
};

use super::{
    answer::{PostAnswer, ResultPlace, set_result},
    bindings::{
        _FLT_POSTOP_CALLBACK_STATUS::{
            FLT_POSTOP_DISALLOW_FSFILTER_IO, FLT_POSTOP_FINISHED_PROCESSING,
        },
        FLT_CALLBACK_DATA, FLT_IO_PARAMETER_BLOCK, FLT_RELATED_OBJECTS,
        FLTFL_CALLBACK_DATA_FAST_IO_OPERATION, FLTFL_CALLBACK_DATA_IRP_OPERATION,
        FltCancelFileOpen, FltGetRequestorProcessId, FltIsOperationSynchronous,
        FltSetCallbackDataDirty, PCFLT_RELATED_OBJECTS, PFLT_CALLBACK_DATA, PFLT_INSTANCE,
    },
    context::AtApc,
    operation::{
        AcquireForSectionSynchronization, Completable, Create, FastIoOrIrp, NetworkQueryOpen,
        Operation, QueryOpen, Synchronizable,
    },
    status::{ErrorStatus, FinalStatus},
    token::{CreatesSection, FastIo, Synchronous},
};

/// The callback data of the operation `O`: `FLT_CALLBACK_DATA` and `FLT_RELATED_OBJECTS`.
///
/// # Invariants
///
/// The operation is `O`, and a callback of it runs, which alone may access the data.
pub struct CallbackData<'a, O> {
    data: &'a mut FLT_CALLBACK_DATA,
    objects: &'a FLT_RELATED_OBJECTS,
    operation: PhantomData<O>,
}

impl<O: Operation> CallbackData<'_, O> {
    /// # Safety
    ///
    /// The arguments are those of a callback of `O`, which runs during `'a`.
    const unsafe fn new(data: PFLT_CALLBACK_DATA, objects: PCFLT_RELATED_OBJECTS) -> Self {
        Self {
            // SAFETY: the caller's contract.
            data: unsafe { &mut *data },
            // SAFETY: likewise.
            objects: unsafe { &*objects },
            operation: PhantomData,
        }
    }

    /// Returns the parameter block.
    pub(super) const fn block(&self) -> &FLT_IO_PARAMETER_BLOCK {
        // SAFETY: the filter manager sets the pointer; the invariant says who may access the block.
        unsafe { &*self.data.Iopb }
    }

    /// Returns the parameter block, in order to change it.
    pub(super) const fn block_mut(&mut self) -> &mut FLT_IO_PARAMETER_BLOCK {
        // SAFETY: as above.
        unsafe { &mut *self.data.Iopb }
    }

    pub(super) const fn as_raw(&mut self) -> PFLT_CALLBACK_DATA {
        self.data
    }

    /// Returns the related objects, for functions of the filter manager that have no wrapper.
    pub const fn objects(&self) -> &FLT_RELATED_OBJECTS {
        self.objects
    }

    /// Returns the filter's instance on the volume.
    pub const fn instance(&self) -> PFLT_INSTANCE {
        self.objects.Instance
    }

    /// Returns the file object; null for an operation on a volume without a file.
    pub const fn file_object(&self) -> PFILE_OBJECT {
        self.objects.FileObject
    }

    /// Returns the `IRP_MN_` code.
    pub const fn minor_function(&self) -> u8 {
        self.block().MinorFunction
    }

    /// Returns the `SL_` flags.
    pub const fn operation_flags(&self) -> u8 {
        self.block().OperationFlags
    }

    /// Returns the `IRP_` flags.
    pub const fn irp_flags(&self) -> u32 {
        self.block().IrpFlags
    }

    /// Returns whether the memory or the cache manager sends the operation in order to read or write
    /// pages.
    pub const fn is_paging_io(&self) -> bool {
        self.irp_flags() & (IRP_PAGING_IO | IRP_SYNCHRONOUS_PAGING_IO) != 0
    }

    /// Returns whether data is read or written past the cache.
    pub const fn is_noncached(&self) -> bool {
        self.irp_flags() & IRP_NOCACHE != 0
    }

    /// Returns whether the operation is an IRP. `FLT_IS_IRP_OPERATION`.
    pub const fn is_irp(&self) -> bool {
        self.data.Flags & FLTFL_CALLBACK_DATA_IRP_OPERATION != 0
    }

    /// Returns whether the operation is fast I/O. `FLT_IS_FASTIO_OPERATION`.
    pub const fn is_fast_io(&self) -> bool {
        self.data.Flags & FLTFL_CALLBACK_DATA_FAST_IO_OPERATION != 0
    }

    /// Returns whether a program requests the operation, and not a driver.
    pub fn is_from_user_mode(&self) -> bool {
        i32::from(self.data.RequestorMode) == UserMode
    }

    /// Returns the `FLTFL_CALLBACK_DATA_` flags.
    pub(super) const fn flags(&self) -> u32 {
        self.data.Flags
    }

    /// Returns the id of the process that requests the operation; 0 if no thread is known. Wraps
    /// `FltGetRequestorProcessId`; IRQL <= `DISPATCH_LEVEL`.
    pub fn requestor_process_id(&self) -> u32 {
        // SAFETY: valid callback data, which is only read.
        unsafe { FltGetRequestorProcessId(ptr::from_ref(self.data).cast_mut()) }
    }
}

/// The callback data before the operation.
pub struct PreOperation<'a, O>(CallbackData<'a, O>);

impl<'a, O> Deref for PreOperation<'a, O> {
    type Target = CallbackData<'a, O>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl<'a, O> PreOperation<'a, O> {
    pub(super) const fn common(&mut self) -> &mut CallbackData<'a, O> {
        &mut self.0
    }
}

impl<O: Operation> ResultPlace for PreOperation<'_, O> {
    fn set_result(&mut self, status: NTSTATUS, information: usize) {
        let information = information.min(O::most_information(self.block()));
        set_result(&mut self.0.data.IoStatus, status, information);
    }
}

impl<O: Operation> PreOperation<'_, O> {
    /// # Safety
    ///
    /// The arguments are those of a pre-operation callback of `O`, which is running.
    pub(super) const unsafe fn new(
        data: PFLT_CALLBACK_DATA,
        objects: PCFLT_RELATED_OBJECTS,
    ) -> Self {
        // SAFETY: the caller's contract.
        Self(unsafe { CallbackData::new(data, objects) })
    }

    /// Returns the callback data, for functions of the filter manager that have no wrapper.
    pub const fn as_ptr(&mut self) -> PFLT_CALLBACK_DATA {
        self.0.as_raw()
    }

    /// Makes the changed parameters valid. Wraps `FltSetCallbackDataDirty`; any IRQL.
    pub(super) fn set_dirty(&mut self) {
        // SAFETY: valid callback data.
        unsafe { FltSetCallbackDataDirty(self.0.data) };
    }
}

impl<O: Synchronizable> PreOperation<'_, O> {
    /// Returns a token if the operation may be synchronized: it is a synchronous IRP, and no request
    /// of an oplock, of a byte-range lock or for directory changes ("Returning
    /// `FLT_PREOP_SYNCHRONIZE`"). Wraps `FltIsOperationSynchronous`; any IRQL.
    pub fn synchronous(&self) -> Option<Synchronous<'_, O>> {
        // SAFETY: valid callback data, which is only read.
        let synchronous =
            || unsafe { FltIsOperationSynchronous(ptr::from_ref(self.0.data).cast_mut()) != 0 };
        (self.is_irp() && !self.waits_for_others() && synchronous()).then_some(Synchronous::new())
    }

    /// Returns whether the operation can be pending until another program acts.
    fn waits_for_others(&self) -> bool {
        let minor = u32::from(self.minor_function());
        match u32::from(O::MAJOR_FUNCTION) {
            IRP_MJ_DIRECTORY_CONTROL => {
                matches!(
                    minor,
                    IRP_MN_NOTIFY_CHANGE_DIRECTORY | NOTIFY_CHANGE_DIRECTORY_EX
                )
            }
            IRP_MJ_LOCK_CONTROL => minor == IRP_MN_LOCK,
            IRP_MJ_FILE_SYSTEM_CONTROL => {
                matches!(minor, IRP_MN_USER_FS_REQUEST | IRP_MN_KERNEL_CALL)
                    && is_oplock_request(control_code(self.block()))
            }
            _ => false,
        }
    }
}

/// `IRP_MN_NOTIFY_CHANGE_DIRECTORY_EX`.
const NOTIFY_CHANGE_DIRECTORY_EX: u32 = 3;

/// Returns the control code of `IRP_MJ_FILE_SYSTEM_CONTROL`.
const fn control_code(block: &FLT_IO_PARAMETER_BLOCK) -> u32 {
    // SAFETY: any bits are a valid number.
    let control = unsafe { block.Parameters.FileSystemControl };
    // SAFETY: likewise.
    unsafe { control.Common }.FsControlCode
}

/// Returns whether the code requests, acknowledges or awaits an oplock: `FSCTL_REQUEST_OPLOCK_LEVEL_1`,
/// `FSCTL_REQUEST_OPLOCK_LEVEL_2`, `FSCTL_REQUEST_BATCH_OPLOCK`, `FSCTL_OPLOCK_BREAK_ACKNOWLEDGE`,
/// `FSCTL_OPLOCK_BREAK_NOTIFY`, `FSCTL_REQUEST_FILTER_OPLOCK`, `FSCTL_REQUEST_OPLOCK`.
const fn is_oplock_request(control_code: u32) -> bool {
    matches!(
        control_code,
        0x9_0000 | 0x9_0004 | 0x9_0008 | 0x9_000C | 0x9_0014 | 0x9_005C | 0x9_0240
    )
}

impl<O: FastIoOrIrp> PreOperation<'_, O> {
    /// Returns a token if the operation is fast I/O.
    pub fn fast_io(&self) -> Option<FastIo<'_, O>> {
        self.is_fast_io().then_some(FastIo::new())
    }
}

impl PreOperation<'_, NetworkQueryOpen> {
    /// Returns the token of fast I/O, which this operation always is.
    #[expect(clippy::unused_self, reason = "the token is of this operation")]
    pub const fn fast_io(&self) -> FastIo<'_, NetworkQueryOpen> {
        FastIo::new()
    }
}

impl PreOperation<'_, AcquireForSectionSynchronization> {
    /// Returns a token if a section of the file is created (`SyncTypeCreateSection`). Other requests
    /// must not be failed.
    pub fn creates_section(&self) -> Option<CreatesSection<'_>> {
        (self.sync_type() == SyncTypeCreateSection).then_some(CreatesSection::new())
    }
}

/// The callback data after the operation. `L` is the highest IRQL of the callback.
pub struct PostOperation<'a, O: Operation, L = <O as Operation>::PostLevel> {
    data: CallbackData<'a, O>,
    level: PhantomData<L>,
}

impl<'a, O: Operation, L> Deref for PostOperation<'a, O, L> {
    type Target = CallbackData<'a, O>;

    fn deref(&self) -> &Self::Target {
        &self.data
    }
}

impl<O: Operation, L> PostOperation<'_, O, L> {
    /// # Safety
    ///
    /// The arguments are those of a post-operation callback of `O`, which is running at the level
    /// `L` and not draining.
    pub(super) const unsafe fn new(
        data: PFLT_CALLBACK_DATA,
        objects: PCFLT_RELATED_OBJECTS,
    ) -> Self {
        Self {
            // SAFETY: the caller's contract.
            data: unsafe { CallbackData::new(data, objects) },
            level: PhantomData,
        }
    }

    /// The filter is done with the operation. `FLT_POSTOP_FINISHED_PROCESSING`.
    #[expect(clippy::unused_self, reason = "the operation is not used afterwards")]
    pub const fn finished(self) -> PostAnswer<O> {
        PostAnswer::of(FLT_POSTOP_FINISHED_PROCESSING)
    }

    /// Returns the callback data, for functions of the filter manager that have no wrapper.
    pub const fn as_ptr(&mut self) -> PFLT_CALLBACK_DATA {
        self.data.as_raw()
    }

    /// Returns the status of the operation.
    pub const fn status(&self) -> NTSTATUS {
        // SAFETY: the filter manager sets the status; any bits are a valid number.
        unsafe { self.data.data.IoStatus.__bindgen_anon_1.Status }
    }

    /// Returns whether the operation succeeded. `NT_SUCCESS`.
    pub const fn is_success(&self) -> bool {
        nt_success(self.status())
    }

    /// Returns the `Information` of the operation's result, mostly the number of bytes.
    #[expect(clippy::cast_possible_truncation, reason = "both have 64 bits")]
    pub const fn information(&self) -> usize {
        self.data.data.IoStatus.Information as usize
    }
}

impl<O: Completable, L> PostOperation<'_, O, L> {
    /// Changes the result of the operation. What the file system did is not undone. `information` is
    /// limited to the length of the buffer.
    pub fn set_result(&mut self, status: FinalStatus, information: usize) {
        let information = information.min(O::most_information(self.block()));
        set_result(&mut self.data.data.IoStatus, status.get(), information);
    }
}

impl PostOperation<'_, Create> {
    /// Closes the file again, if it was opened, and fails the create. A file that was created or
    /// overwritten stays so. Wraps `FltCancelFileOpen`; IRQL `PASSIVE_LEVEL`, as in this callback.
    pub fn cancel_open(self, status: ErrorStatus) -> PostAnswer<Create> {
        if self.is_success() && self.status() != STATUS_REPARSE {
            // SAFETY: a post-create callback, before the caller has a handle, with the instance and
            // the file object of the create.
            unsafe { FltCancelFileOpen(self.instance(), self.file_object()) };
        }
        set_result(&mut self.data.data.IoStatus, status.get(), 0);
        self.finished()
    }
}

impl<'a, O: Operation, L> PostOperation<'a, O, L> {
    pub(super) const fn common(&mut self) -> &mut CallbackData<'a, O> {
        &mut self.data
    }
}

impl<'a, O: Operation> PostOperation<'a, O> {
    /// Returns the data with the methods that need `APC_LEVEL` or below, if that is the IRQL now; it is
    /// if the pre-operation callback returned `synchronize`. Wraps `KeGetCurrentIrql`.
    ///
    /// # Errors
    ///
    /// The data, if the IRQL is `DISPATCH_LEVEL`.
    pub fn at_apc_level(self) -> Result<PostOperation<'a, O, AtApc>, Self> {
        // SAFETY: the function has no preconditions.
        if u32::from(unsafe { KeGetCurrentIrql() }) <= APC_LEVEL {
            // SAFETY: checked just now.
            Ok(unsafe { self.assume_apc_level() })
        } else {
            Err(self)
        }
    }

    /// Returns the data for a callback at `APC_LEVEL` or below.
    ///
    /// # Safety
    ///
    /// The IRQL is `APC_LEVEL` or below.
    pub(super) const unsafe fn assume_apc_level(self) -> PostOperation<'a, O, AtApc> {
        PostOperation {
            data: self.data,
            level: PhantomData,
        }
    }
}

impl<L> PostOperation<'_, QueryOpen, L> {
    /// Discards the result: the I/O manager opens the file instead.
    /// `FLT_POSTOP_DISALLOW_FSFILTER_IO`.
    #[expect(clippy::unused_self, reason = "the answer is for this operation")]
    pub const fn disallow(self) -> PostAnswer<QueryOpen> {
        PostAnswer::of(FLT_POSTOP_DISALLOW_FSFILTER_IO)
    }
}
