//! The buffer of an operation.

use core::{
    marker::PhantomData,
    ptr, slice,
    sync::atomic::{AtomicU8, Ordering},
};

use wdk_sys::{
    _MEMORY_CACHING_TYPE::MmCached, _MM_PAGE_PRIORITY::NormalPagePriority, IRP_MJ_READ,
    IRP_MJ_WRITE, IRP_MN_COMPLETE, IRP_MN_MDL, KPROCESSOR_MODE, MDL_MAPPED_TO_SYSTEM_VA,
    MDL_SOURCE_IS_NONPAGED_POOL, MdlMappingNoExecute, PMDL, PVOID, STATUS_INSUFFICIENT_RESOURCES,
    STATUS_NOT_SUPPORTED, ULONG, ntddk::MmMapLockedPagesSpecifyCache,
};

use super::{
    bindings::{
        FLTFL_CALLBACK_DATA_NEW_SYSTEM_BUFFER, FLTFL_CALLBACK_DATA_SYSTEM_BUFFER,
        FltDecodeParameters, FltLockUserBuffer,
    },
    context::AtApc,
    data::{CallbackData, PostOperation, PreOperation},
    operation::{Access, Buffered, Writable},
    status::{ErrorStatus, check},
};

/// The buffer of an operation, as long as its callback runs. It can be accessed at `DISPATCH_LEVEL`.
///
/// The caller's program can change the bytes at any time. Copy a value before it is checked, and use the
/// copy. After a query or a read, only as many bytes are valid as the operation's `information` says.
pub struct Buffer<'a, A> {
    address: *const AtomicU8,
    length: usize,
    callback: PhantomData<(&'a (), A)>,
}

impl<A: Access> Buffer<'_, A> {
    const fn bytes(&self) -> &[AtomicU8] {
        // SAFETY: `find` found a system buffer or a mapping of this length, which stays valid until
        // the callback returns.
        unsafe { slice::from_raw_parts(self.address, self.length) }
    }

    /// Returns the length in bytes.
    pub const fn len(&self) -> usize {
        self.length
    }

    /// Returns whether the length is 0.
    pub const fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Copies bytes out of the buffer, from `offset` on, and returns how many: fewer than
    /// `bytes.len()` at the end of the buffer.
    pub fn read(&self, offset: usize, bytes: &mut [u8]) -> usize {
        let source = self.bytes().get(offset..).unwrap_or_default();
        for (to, from) in bytes.iter_mut().zip(source) {
            *to = from.load(Ordering::Relaxed);
        }
        source.len().min(bytes.len())
    }
}

impl Buffer<'_, Writable> {
    /// Copies bytes into the buffer, from `offset` on, and returns how many: fewer than
    /// `bytes.len()` at the end of the buffer.
    pub fn write(&self, offset: usize, bytes: &[u8]) -> usize {
        let destination = self.bytes().get(offset..).unwrap_or_default();
        for (to, from) in destination.iter().zip(bytes) {
            to.store(*from, Ordering::Relaxed);
        }
        destination.len().min(bytes.len())
    }

    /// Returns the bytes.
    pub const fn as_slice(&self) -> &[AtomicU8] {
        self.bytes()
    }
}

impl<O: Buffered> PreOperation<'_, O> {
    /// Returns the buffer. A user buffer is locked first, and stays locked until the operation is
    /// complete. For a control code with two buffers, it is the output buffer. Wraps
    /// `FltDecodeParameters`, `FltLockUserBuffer` and `MmGetSystemAddressForMdlSafe`; IRQL <=
    /// `APC_LEVEL`.
    ///
    /// # Errors
    ///
    /// The status of these functions, for example if the memory cannot be accessed.
    /// `STATUS_NOT_SUPPORTED`, if there is no buffer that a filter may access: in the requests of the
    /// cache for an MDL, and in fast I/O of `IRP_MJ_QUERY_INFORMATION`.
    pub fn buffer(&mut self) -> Result<Buffer<'_, O::Access>, ErrorStatus> {
        lock(self.common())
    }
}

impl<O: Buffered> PostOperation<'_, O, AtApc> {
    /// Returns the buffer, as [`PreOperation::buffer`] does.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn buffer(&mut self) -> Result<Buffer<'_, O::Access>, ErrorStatus> {
        lock(self.common())
    }
}

impl<O: Buffered, L> PostOperation<'_, O, L> {
    /// Returns the buffer, if it is a system buffer or is locked already. To have a user buffer locked,
    /// call [`PreOperation::buffer`] before the operation. Wraps `FltDecodeParameters` and
    /// `MmGetSystemAddressForMdlSafe`; IRQL <= `DISPATCH_LEVEL`.
    ///
    /// # Errors
    ///
    /// The status of these functions; `STATUS_NOT_SUPPORTED` for another buffer.
    pub fn locked_buffer(&mut self) -> Result<Buffer<'_, O::Access>, ErrorStatus> {
        find(self.common())?.ok_or(ErrorStatus::of::<STATUS_NOT_SUPPORTED>())
    }
}

fn lock<'a, O: Buffered>(
    data: &'a mut CallbackData<'_, O>,
) -> Result<Buffer<'a, O::Access>, ErrorStatus> {
    let mut locked = false;
    loop {
        if let Some(buffer) = find(data)? {
            return Ok(buffer);
        }
        if locked {
            return Err(ErrorStatus::of::<STATUS_NOT_SUPPORTED>());
        }
        // SAFETY: valid callback data in a callback at APC_LEVEL or below.
        check(unsafe { FltLockUserBuffer(data.as_raw()) })?;
        locked = true;
    }
}

/// Returns the buffer, if it has an MDL or is a system buffer.
fn find<'a, O: Buffered>(
    data: &mut CallbackData<'_, O>,
) -> Result<Option<Buffer<'a, O::Access>>, ErrorStatus> {
    if matches!(u32::from(O::MAJOR_FUNCTION), IRP_MJ_READ | IRP_MJ_WRITE)
        && u32::from(data.minor_function()) & (IRP_MN_MDL | IRP_MN_COMPLETE) != 0
    {
        // The cache lends an MDL, or takes one back: a chain that is not the caller's buffer.
        return Err(ErrorStatus::of::<STATUS_NOT_SUPPORTED>());
    }
    let mut mdl: *mut PMDL = ptr::null_mut();
    let mut address: *mut PVOID = ptr::null_mut();
    let mut length: *mut ULONG = ptr::null_mut();
    // SAFETY: valid callback data, and places for the results.
    check(unsafe {
        FltDecodeParameters(
            data.as_raw(),
            &raw mut mdl,
            &raw mut address,
            &raw mut length,
            ptr::null_mut(),
        )
    })?;
    // SAFETY: a result points to a member of the parameters, or is null.
    let mdl = unsafe { mdl.as_ref() }.copied().unwrap_or(ptr::null_mut());
    // SAFETY: likewise.
    let address = unsafe { address.as_ref() }.copied();
    // SAFETY: likewise.
    let mut length = unsafe { length.as_ref() }.map_or(0, |length| *length as usize);
    let mapped = match address {
        _ if !mdl.is_null() => {
            // SAFETY: the MDL of an operation in progress.
            length = length.min(unsafe { (*mdl).ByteCount } as usize);
            map(mdl, O::Access::MAPPING)?
        }
        Some(address)
            if data.flags() & FLTFL_CALLBACK_DATA_SYSTEM_BUFFER != 0
                && data.flags() & FLTFL_CALLBACK_DATA_NEW_SYSTEM_BUFFER == 0 =>
        {
            address
        }
        _ => return Ok(None),
    };
    Ok((!mapped.is_null()).then_some(Buffer {
        address: mapped.cast(),
        length,
        callback: PhantomData,
    }))
}

/// `KernelMode`.
const KERNEL_MODE: KPROCESSOR_MODE = 0;

/// Returns the address of the memory in system space. This is `MmGetSystemAddressForMdlSafe`, an
/// inline function of wdm.h.
fn map(mdl: PMDL, flags_of_mapping: u32) -> Result<PVOID, ErrorStatus> {
    // SAFETY: the MDL of an operation in progress.
    let flags = unsafe { (*mdl).MdlFlags };
    if u32::from(flags.cast_unsigned()) & (MDL_MAPPED_TO_SYSTEM_VA | MDL_SOURCE_IS_NONPAGED_POOL)
        != 0
    {
        // SAFETY: likewise; the flags say that the address is set.
        return Ok(unsafe { (*mdl).MappedSystemVa });
    }
    // SAFETY: the MDL describes locked pages.
    let address = unsafe {
        MmMapLockedPagesSpecifyCache(
            mdl,
            KERNEL_MODE,
            MmCached,
            ptr::null_mut(),
            0,
            NormalPagePriority.cast_unsigned() | MdlMappingNoExecute | flags_of_mapping,
        )
    };
    if address.is_null() {
        return Err(ErrorStatus::of::<STATUS_INSUFFICIENT_RESOURCES>());
    }
    Ok(address)
}
