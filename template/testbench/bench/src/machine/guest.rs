//! The driver's memory, as the kernel reads and writes it.
//!
//! An address at which there can be no memory ends the scenario; at any other address, an access to memory that is not
//! there faults.

use super::events;
use super::space::{LOWEST, USER_END};
use super::state::with_thread;
use crate::os::Use;
use crate::os::raw::{self, Plain};

/// The address to access for one that the driver passed. Ends the scenario for a range that no memory can have: near NULL,
/// outside the user half, or past its end.
fn resolve(address: u64, length: usize, how: Use) -> u64 {
    if length == 0 || (LOWEST..USER_END).contains(&address) && length as u64 <= USER_END - address {
        return address;
    }
    match events::shared_page(address, length).filter(|_| how == Use::Read) {
        Some(stand_in) => stand_in,
        None if (LOWEST..USER_END).contains(&address) => events::not_memory(address, USER_END, how),
        None => events::not_memory(address, address, how),
    }
}

/// Reads a value.
#[must_use]
pub fn read<T: Plain>(address: u64) -> T {
    raw::read(resolve(address, size_of::<T>(), Use::Read))
}

/// Writes a value.
pub fn write<T: Plain>(address: u64, value: T) {
    raw::write(resolve(address, size_of::<T>(), Use::Write), value);
}

/// Copies bytes as `memmove` does.
pub fn copy(to: u64, from: u64, length: usize) {
    let from = resolve(from, length, Use::Read);
    let to = resolve(to, length, Use::Write);
    if length != 0 {
        raw::copy(to, from, length);
    }
}

/// Sets bytes as `memset` does.
pub fn fill(address: u64, value: u8, length: usize) {
    let address = resolve(address, length, Use::Write);
    if length != 0 {
        raw::fill(address, value, length);
    }
}

/// Follows a pointer that is in a structure: a fault meanwhile is reported with the member's name. Of pointers that
/// lead to each other, it is the first.
pub fn through<T>(structure: u64, member: &'static str, action: impl FnOnce() -> T) -> T {
    let outer = with_thread(|thread| {
        let outer = thread.followed;
        thread.followed = outer.or(Some((structure, member)));
        outer
    });
    let result = action();
    with_thread(|thread| thread.followed = outer);
    result
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
