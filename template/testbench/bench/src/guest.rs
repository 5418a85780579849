//! Memory that the driver passes to the model, by its address.
//!
//! Driver and model share one address space, as driver and kernel do. So the model reads what the
//! driver points to as the kernel would: straight, and a bad address faults. The fault handler then
//! names it and ends the process; no code of this crate runs on with what was read. All of these
//! accesses stand in this file, and none of them refers to memory that Rust owns: what the model
//! keeps for itself lies elsewhere, and what it shares with the driver (structures, strings,
//! buffers) is only ever touched through here.

use std::cell::Cell;

use crate::fault;
use crate::os::Use;

/// A value that any bit pattern is valid for.
pub trait Plain: Copy {}
impl Plain for u8 {}
impl Plain for u16 {}
impl Plain for u32 {}
impl Plain for i32 {}
impl Plain for u64 {}
impl Plain for i64 {}
impl Plain for [u16; 8] {}

/// The lowest address that memory of a process can have: both systems keep the first 64 KiB free.
pub const LOWEST: u64 = 0x1_0000;
/// The end of the user half of the address space. Above it are addresses that are not canonical, then the kernel's.
const END: u64 = 0x8000_0000_0000;

/// The address to access for one that the driver passed. Ends the scenario for a range that no memory can have: near NULL,
/// outside the user half, or past its end. An access to any other memory that is not there faults.
fn resolve(address: u64, length: usize, how: Use) -> u64 {
    if length == 0 || (LOWEST..END).contains(&address) && length as u64 <= END - address {
        return address;
    }
    match fault::shared_page(address, length).filter(|_| how == Use::Read) {
        Some(stand_in) => stand_in,
        None if (LOWEST..END).contains(&address) => fault::not_memory(address, END, how),
        None => fault::not_memory(address, address, how),
    }
}

/// Reads a value.
#[must_use]
pub fn read<T: Plain>(address: u64) -> T {
    let address = resolve(address, size_of::<T>(), Use::Read);
    // SAFETY: `T` is valid for every bit pattern, an unmapped address ends the process, and what
    // is read is the driver's or shared with it (see the module's docs).
    unsafe { std::ptr::read_unaligned(address as *const T) }
}

/// Writes a value.
pub fn write<T: Plain>(address: u64, value: T) {
    let address = resolve(address, size_of::<T>(), Use::Write);
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

/// The address of an element of an array.
fn element(address: u64, at: usize, size: usize) -> u64 {
    address.wrapping_add((at as u64).wrapping_mul(size as u64))
}

/// Reads bytes that a function of the system reads, for the fault where they are not there.
pub fn touch(address: u64, length: usize) {
    let _ = read_until(address, length, |_: u8| false);
}

/// Reads values up to one that ends them, at most `limit`.
fn read_until<T: Plain>(address: u64, limit: usize, is_end: impl Fn(T) -> bool) -> Vec<T> {
    // Not collected from the range: the driver chooses the limit, and no vector may be as large.
    let mut values = Vec::new();
    for at in 0..limit {
        let value = read(element(address, at, size_of::<T>()));
        if is_end(value) {
            break;
        }
        values.push(value);
    }
    values
}

/// Reads bytes.
#[must_use]
pub fn bytes(address: u64, length: usize) -> Vec<u8> {
    read_until(address, length, |_| false)
}

/// Writes bytes.
pub fn put(address: u64, bytes: &[u8]) {
    for (at, byte) in bytes.iter().enumerate() {
        write(element(address, at, 1), *byte);
    }
}

/// Writes UTF-16.
pub fn put_wide(address: u64, units: &[u16]) {
    for (at, unit) in units.iter().enumerate() {
        write(element(address, at, 2), *unit);
    }
}

/// Copies bytes as `memmove` does.
pub fn copy(to: u64, from: u64, length: usize) {
    let from = resolve(from, length, Use::Read);
    let to = resolve(to, length, Use::Write);
    if length == 0 {
        return;
    }
    // SAFETY: as for `read` and `write`; `copy` allows the two to overlap.
    unsafe { std::ptr::copy(from as *const u8, to as *mut u8, length) }
}

/// Sets bytes as `memset` does.
pub fn fill(address: u64, value: u8, length: usize) {
    let address = resolve(address, length, Use::Write);
    if length == 0 {
        return;
    }
    // SAFETY: as for `write`.
    unsafe { std::ptr::write_bytes(address as *mut u8, value, length) }
}

/// Reads UTF-16 up to a NUL, at most `limit` units.
#[must_use]
pub fn wide(address: u64, limit: usize) -> Vec<u16> {
    read_until(address, limit, |unit: u16| unit == 0)
}

/// Reads characters up to a NUL.
#[must_use]
pub fn narrow(address: u64, limit: usize) -> String {
    let bytes = read_until(address, limit, |byte: u8| byte == 0);
    bytes.into_iter().map(char::from).collect()
}

thread_local! {
    static THROUGH: Cell<Option<(u64, &'static str)>> = const { Cell::new(None) };
}

/// Follows a pointer that stands in a structure: a fault meanwhile is told with the member's name. Of pointers that
/// lead to each other, it is the first.
pub fn through<T>(structure: u64, member: &'static str, action: impl FnOnce() -> T) -> T {
    let outer = THROUGH.get();
    THROUGH.set(outer.or(Some((structure, member))));
    let result = action();
    THROUGH.set(outer);
    result
}

/// The structure and the member whose pointer is being followed.
#[must_use]
pub fn followed() -> Option<(u64, &'static str)> {
    THROUGH.get()
}

/// The bytes of a `UNICODE_STRING`, an `ANSI_STRING` or the like.
#[must_use]
pub fn counted(address: u64) -> Vec<u8> {
    let length = usize::from(read::<u16>(address));
    through(address, "Buffer", || bytes(read(address + 8), length))
}

/// A `UNICODE_STRING`'s units.
#[must_use]
pub fn unicode_units(address: u64) -> Vec<u16> {
    let length = usize::from(read::<u16>(address) / 2);
    through(address, "Buffer", || {
        read_until(read(address + 8), length, |_| false)
    })
}

/// A `UNICODE_STRING` as text; NULL is the empty string.
#[must_use]
pub fn unicode(address: u64) -> String {
    if address == 0 {
        return String::new();
    }
    String::from_utf16_lossy(&unicode_units(address))
}

/// The name in an `OBJECT_ATTRIBUTES`; NULL is the empty string.
#[must_use]
pub fn object_name(attributes: u64) -> String {
    let name = read::<u64>(attributes + 0x10);
    if name == 0 {
        return String::new();
    }
    through(attributes, "ObjectName", || unicode(name))
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
