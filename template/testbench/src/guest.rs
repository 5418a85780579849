//! Memory that the driver passes to the model, by its address.
//!
//! Driver and model share one address space, as driver and kernel do. So the model reads what the
//! driver points to as the kernel would: straight, and a bad address faults. The fault handler then
//! names it and ends the process; no code of this crate runs on with what was read. All of these
//! accesses stand in this file, and none of them refers to memory that Rust owns: what the model
//! keeps for itself lies elsewhere, and what it shares with the driver (structures, strings,
//! buffers) is only ever touched through here.

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
    // SAFETY: `T` is valid for every bit pattern, an unmapped address ends the process, and what
    // is read is the driver's or shared with it (see the module's docs).
    unsafe { std::ptr::read_unaligned(address as *const T) }
}

/// Writes a value.
pub fn write<T: Plain>(address: u64, value: T) {
    // SAFETY: an unmapped address ends the process, and what is written is the driver's or shared
    // with it (see the module's docs).
    unsafe { std::ptr::write_unaligned(address as *mut T, value) }
}

/// Writes a value where the driver gave an address for it.
pub fn write_if<T: Plain>(address: u64, value: T) {
    if address != 0 {
        write(address, value);
    }
}

/// Reads bytes.
#[must_use]
pub fn bytes(address: u64, length: usize) -> Vec<u8> {
    (0..length).map(|at| read(address + at as u64)).collect()
}

/// Writes bytes.
pub fn put(address: u64, bytes: &[u8]) {
    for (at, byte) in bytes.iter().enumerate() {
        write(address + at as u64, *byte);
    }
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

/// Reads UTF-16 up to a NUL, at most `limit` units.
#[must_use]
pub fn wide(address: u64, limit: usize) -> Vec<u16> {
    (0..limit)
        .map(|at| read::<u16>(address + 2 * at as u64))
        .take_while(|unit| *unit != 0)
        .collect()
}

/// Reads characters up to a NUL.
#[must_use]
pub fn narrow(address: u64, limit: usize) -> String {
    (0..limit)
        .map(|at| read::<u8>(address + at as u64))
        .take_while(|byte| *byte != 0)
        .map(char::from)
        .collect()
}

/// A `UNICODE_STRING`'s units.
#[must_use]
pub fn unicode_units(address: u64) -> Vec<u16> {
    let length = read::<u16>(address) / 2;
    let buffer = read::<u64>(address + 8);
    (0..u64::from(length))
        .map(|at| read(buffer + 2 * at))
        .collect()
}

/// A `UNICODE_STRING` as text; NULL is the empty string.
#[must_use]
pub fn unicode(address: u64) -> String {
    if address == 0 {
        return String::new();
    }
    String::from_utf16_lossy(&unicode_units(address))
}

/// Fills in a `UNICODE_STRING`.
pub fn set_unicode(address: u64, length: usize, maximum: usize, buffer: u64) {
    write(address, length as u16);
    write(address + 2, maximum as u16);
    write(address + 8, buffer);
}

/// Calls the driver's code at an address, with as many arguments as any callback takes.
#[must_use]
pub fn call(address: u64, arguments: &[u64]) -> u64 {
    type Routine = unsafe extern "win64" fn(u64, u64, u64, u64, u64, u64) -> u64;
    let mut all = [0; 6];
    all[..arguments.len()].copy_from_slice(arguments);
    // SAFETY: a function pointer is an address; whether code is there shows when it is called.
    let routine: Routine = unsafe { std::mem::transmute(address as usize) };
    let [first, second, third, fourth, fifth, sixth] = all;
    // SAFETY: the driver's routines have this calling convention, in which the caller passes what
    // it likes and the callee takes what it needs. What the driver does wrong is what the bench is
    // there to see: it happens in a process of its own.
    unsafe { routine(first, second, third, fourth, fifth, sixth) }
}
