//! A handle in the kernel's handle table.

use wdk_sys::{HANDLE, ntddk::ZwClose};

/// An open handle, which is closed when it is dropped.
///
/// # Invariants
///
/// The handle is open, in the kernel's handle table, and nobody else closes it.
pub struct KernelHandle(HANDLE);

impl KernelHandle {
    /// Takes over `handle`.
    ///
    /// # Safety
    ///
    /// It was opened in the kernel's handle table (`OBJ_KERNEL_HANDLE`, or by a function that runs in
    /// the system process), and nobody else closes it.
    pub const unsafe fn own(handle: HANDLE) -> Self {
        Self(handle)
    }

    /// Returns the handle, for calls while this value exists.
    pub const fn get(&self) -> HANDLE {
        self.0
    }
}

impl Drop for KernelHandle {
    fn drop(&mut self) {
        // SAFETY: the invariant.
        let _status = unsafe { ZwClose(self.0) };
    }
}
