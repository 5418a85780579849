//! Access to memory of the driver, with the semantics of the kernel.
//!
//! An access to an address that cannot be mapped raises an exception or ends the scenario. An access to another invalid
//! address causes a page fault.

use super::events;
use super::space::{LOWEST, USER_END};
use super::state::with_thread;
use crate::os::Use;
use crate::os::raw::{self, Plain};

/// Returns the address to access for an address that the driver passed. A range that cannot be mapped (near NULL,
/// outside the user address range, or past its end) raises an exception or ends the scenario.
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

/// Accesses memory through a pointer in a structure. A fault during the access is reported with the name of the member.
/// For nested pointers, the outermost member is reported.
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

/// Writes a value if the address is not NULL.
pub fn write_if<T: Plain>(address: u64, value: T) {
    if address != 0 {
        write(address, value);
    }
}

/// Returns the address of an element of an array.
fn element(address: u64, at: usize, size: usize) -> u64 {
    address.wrapping_add((at as u64).wrapping_mul(size as u64))
}

/// Reads bytes and discards them. The access faults if the memory is invalid.
pub fn touch(address: u64, length: usize) {
    let _ = read_until(address, length, |_: u8| false);
}

/// Reads values up to a terminator, at most `limit`.
fn read_until<T: Plain>(address: u64, limit: usize, is_end: impl Fn(T) -> bool) -> Vec<T> {
    // The vector grows as needed: the driver determines the limit, which can exceed the possible capacity.
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

/// Reads UTF-16 units up to a NUL, at most `limit`.
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

/// Returns the bytes of a counted string, such as `UNICODE_STRING` or `ANSI_STRING`.
#[must_use]
pub fn counted(address: u64) -> Vec<u8> {
    let length = usize::from(read::<u16>(address));
    through(address, "Buffer", || bytes(read(address + 8), length))
}

/// Returns the units of a `UNICODE_STRING`.
#[must_use]
pub fn unicode_units(address: u64) -> Vec<u16> {
    let (length, maximum) = (read::<u16>(address), read::<u16>(address + 2));
    if length > maximum || length % 2 != 0 {
        let reason = format!(
            "Length of UNICODE_STRING is {length}, and MaximumLength is {maximum}: Length is even, and not greater"
        );
        events::refuse((), reason);
    }
    let length = usize::from(length / 2);
    through(address, "Buffer", || {
        read_until(read(address + 8), length, |_| false)
    })
}

/// Returns the text of a `UNICODE_STRING`. For NULL, the text is empty.
#[must_use]
pub fn unicode(address: u64) -> String {
    if address == 0 {
        return String::new();
    }
    String::from_utf16_lossy(&unicode_units(address))
}

/// Returns the name in an `OBJECT_ATTRIBUTES`. For NULL, the name is empty.
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
