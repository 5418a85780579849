//! Entries in the System log of Event Viewer ("Logging Errors").

use core::mem::offset_of;

use wdk_sys::{
    IO_ERROR_LOG_PACKET, NTSTATUS,
    ntddk::{IoAllocateErrorLogEntry, IoWriteErrorLogEntry},
};

use super::{driver_object::DriverObject, unicode::Text};

/// `ERROR_LOG_MAXIMUM_SIZE` on 64-bit Windows, a macro with a `sizeof`, which bindgen does not
/// evaluate.
const ERROR_LOG_MAXIMUM_SIZE: usize = 240;

const _: () = {
    assert!(size_of::<IO_ERROR_LOG_PACKET>() == 48);
    assert!(offset_of!(IO_ERROR_LOG_PACKET, NumberOfStrings) == 4);
    assert!(offset_of!(IO_ERROR_LOG_PACKET, StringOffset) == 6);
    assert!(offset_of!(IO_ERROR_LOG_PACKET, ErrorCode) == 12);
    assert!(offset_of!(IO_ERROR_LOG_PACKET, UniqueErrorValue) == 16);
    assert!(offset_of!(IO_ERROR_LOG_PACKET, FinalStatus) == 20);
};

/// The offset of the strings, which follow the header.
const STRINGS: usize = size_of::<IO_ERROR_LOG_PACKET>();

/// `0x`, eight digits and a NUL.
const STATUS_UNITS: usize = 11;

/// The greatest length of the first string without its NUL.
const NAME_UNITS: usize = 80;

const _: () = assert!(STRINGS + 2 * (NAME_UNITS + 1 + STATUS_UNITS) <= ERROR_LOG_MAXIMUM_SIZE);

/// Writes an entry with two strings, `name` and the status. If no entry can be allocated, nothing is
/// logged. Wraps `IoAllocateErrorLogEntry` and `IoWriteErrorLogEntry`; IRQL <= `DISPATCH_LEVEL`.
#[cold]
#[inline(never)]
#[expect(
    clippy::cast_possible_truncation,
    reason = "at most ERROR_LOG_MAXIMUM_SIZE"
)]
pub fn write(
    driver_object: &mut DriverObject<'_>,
    message: u32,
    unique_value: u32,
    status: NTSTATUS,
    name: Text,
) {
    let units = name.units();
    let name = units.get(..NAME_UNITS).unwrap_or(units);
    let size = STRINGS + size_of_val(name) + size_of::<u16>() + STATUS_UNITS * size_of::<u16>();
    // SAFETY: the driver's own object, as DriverEntry received it.
    let entry = unsafe { IoAllocateErrorLogEntry(driver_object.as_ptr().cast(), size as u8) };
    if entry.is_null() {
        return;
    }
    let packet = IO_ERROR_LOG_PACKET {
        NumberOfStrings: 2,
        StringOffset: STRINGS as u16,
        ErrorCode: message.cast_signed(),
        UniqueErrorValue: unique_value,
        FinalStatus: status,
        ..IO_ERROR_LOG_PACKET::default()
    };
    // SAFETY: the entry begins with the packet and is aligned for it.
    unsafe { entry.cast::<IO_ERROR_LOG_PACKET>().write(packet) };
    // SAFETY: the strings follow the packet in the entry.
    let mut place = unsafe { entry.byte_add(STRINGS) }.cast::<u16>();
    let mut push = |unit: u16| {
        // SAFETY: the entry has room for the units of the name, a NUL and those of the status.
        unsafe { place.write(unit) };
        place = place.wrapping_add(1);
    };
    for unit in name {
        push(*unit);
    }
    push(0);
    push(ZERO);
    push(X);
    for digit in (0..8).rev() {
        push(hexadecimal(status.cast_unsigned() >> (4 * digit) & 0xF));
    }
    push(0);
    // SAFETY: the entry is complete, and belongs to the I/O manager from here on.
    unsafe { IoWriteErrorLogEntry(entry) };
}

const ZERO: u16 = b'0' as u16;
const X: u16 = b'x' as u16;

/// Returns the character of a hexadecimal digit.
#[expect(clippy::cast_possible_truncation, reason = "a digit")]
const fn hexadecimal(digit: u32) -> u16 {
    let digit = digit as u16;
    if digit < 10 {
        ZERO + digit
    } else {
        b'A' as u16 + digit - 10
    }
}
