//! A handle of the kernel's own handle table.

use wdk_sys::{HANDLE, ntddk::ZwClose};

/// An open handle; dropping it closes it.
pub struct KernelHandle(HANDLE);

impl KernelHandle {
    /// Takes over the handle.
    ///
    /// # Safety
    ///
    /// It was opened in the kernel's handle table (`OBJ_KERNEL_HANDLE`, or by a routine that runs in
    /// the system process), and nobody else closes it.
    pub const unsafe fn own(handle: HANDLE) -> Self {
        Self(handle)
    }

    /// The handle, for calls while this is alive.
    pub const fn get(&self) -> HANDLE {
        self.0
    }
}

impl Drop for KernelHandle {
    fn drop(&mut self) {
        // SAFETY: the handle is open, and only this drop closes it.
        let _status = unsafe { ZwClose(self.0) };
    }
}
