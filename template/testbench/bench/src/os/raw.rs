//! Access to memory by address.
//!
//! The driver and the model share one address space, as a driver and the kernel do. The model directly accesses the
//! memory to which the driver points. An invalid address faults, and the trap handler ends the process. These accesses
//! never refer to memory that Rust owns: private data of the model is elsewhere, and data that the model shares with
//! the driver (structures, strings, buffers) is accessed only through this module.

/// A type for which every bit pattern is valid.
pub trait Plain: Copy {}
impl Plain for u8 {}
impl Plain for u16 {}
impl Plain for u32 {}
impl Plain for i32 {}
impl Plain for u64 {}
impl Plain for i64 {}
impl Plain for [u16; 8] {}

/// Reads a value.
#[must_use]
pub fn read<T: Plain>(address: u64) -> T {
    // SAFETY: every bit pattern is valid for `T`, an unmapped address ends the process, and the memory belongs to the
    // driver or is shared with it (see the documentation of this module).
    unsafe { std::ptr::read_unaligned(address as *const T) }
}

/// Writes a value.
pub fn write<T: Plain>(address: u64, value: T) {
    // SAFETY: an unmapped address ends the process, and the memory belongs to the driver or is shared with it (see the
    // documentation of this module).
    unsafe { std::ptr::write_unaligned(address as *mut T, value) }
}

/// Copies bytes as `memmove` does.
pub fn copy(to: u64, from: u64, length: usize) {
    // SAFETY: as for `read` and `write`. `copy` allows overlapping ranges.
    unsafe { std::ptr::copy(from as *const u8, to as *mut u8, length) }
}

/// Sets bytes as `memset` does.
pub fn fill(address: u64, value: u8, length: usize) {
    // SAFETY: as for `write`.
    unsafe { std::ptr::write_bytes(address as *mut u8, value, length) }
}
