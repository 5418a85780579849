//! Access to memory by its address.
//!
//! Driver and model share one address space, as driver and kernel do: the model reads and writes what the driver points
//! to directly. A bad address faults, and the trap handler ends the process. None of these accesses refers to memory that
//! Rust owns: what the model keeps for itself is elsewhere, and what it shares with the driver (structures, strings,
//! buffers) is only accessed through this file.

/// A value that any bit pattern is valid for.
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
    // SAFETY: `T` is valid for every bit pattern, an unmapped address ends the process, and what is read is the driver's
    // or shared with it (see the documentation of this module).
    unsafe { std::ptr::read_unaligned(address as *const T) }
}

/// Writes a value.
pub fn write<T: Plain>(address: u64, value: T) {
    // SAFETY: an unmapped address ends the process, and what is written is the driver's or shared with it (see the
    // documentation of this module).
    unsafe { std::ptr::write_unaligned(address as *mut T, value) }
}

/// Copies bytes as `memmove` does.
pub fn copy(to: u64, from: u64, length: usize) {
    // SAFETY: as for `read` and `write`; `copy` allows the two to overlap.
    unsafe { std::ptr::copy(from as *const u8, to as *mut u8, length) }
}

/// Sets bytes as `memset` does.
pub fn fill(address: u64, value: u8, length: usize) {
    // SAFETY: as for `write`.
    unsafe { std::ptr::write_bytes(address as *mut u8, value, length) }
}
