//! Why the driver was not loaded, for whoever looks into Event Viewer: an entry in the System log.

use core::{mem::offset_of, ptr};

use wdk_sys::{
    DRIVER_OBJECT, IO_ERROR_LOG_PACKET, NTSTATUS,
    ntddk::{IoAllocateErrorLogEntry, IoWriteErrorLogEntry},
};

use crate::{
    messages::{LOAD_FAILED, Message, PARAMETER_REFUSED},
    step::{Failure, Step},
};

/// `ERROR_LOG_MAXIMUM_SIZE` on 64-bit Windows: a macro with a `sizeof`, which bindgen does not see.
const ERROR_LOG_MAXIMUM_SIZE: usize = 240;

const _: () = {
    assert!(size_of::<IO_ERROR_LOG_PACKET>() == 48);
    assert!(offset_of!(IO_ERROR_LOG_PACKET, NumberOfStrings) == 4);
    assert!(offset_of!(IO_ERROR_LOG_PACKET, StringOffset) == 6);
    assert!(offset_of!(IO_ERROR_LOG_PACKET, ErrorCode) == 12);
    assert!(offset_of!(IO_ERROR_LOG_PACKET, UniqueErrorValue) == 16);
    assert!(offset_of!(IO_ERROR_LOG_PACKET, FinalStatus) == 20);
};

/// The header, after which the strings lie. There is no dump data.
const STRINGS_OFFSET: usize = size_of::<IO_ERROR_LOG_PACKET>();
/// `0x` and eight digits.
const STATUS_LENGTH: usize = 10;
/// What a name may have so that the entry fits.
const NAME_LENGTH: usize =
    (ERROR_LOG_MAXIMUM_SIZE - STRINGS_OFFSET) / size_of::<u16>() - STATUS_LENGTH - 2;

/// Writes the entry "Logging Errors" asks for: the message, the step's number, its status, and both
/// as strings.
pub fn load_failed(driver_object: &mut DRIVER_OBJECT, failure: &Failure) {
    let name = failure.step.name().to_bytes().iter().copied();
    let place = failure.step as u32;
    write(
        driver_object,
        &LOAD_FAILED,
        place,
        failure.status,
        name.map(u16::from),
    );
}

/// Writes which setting has a value that cannot be meant, and why.
pub fn parameter_refused(
    driver_object: &mut DRIVER_OBJECT,
    name: &'static [u16],
    status: NTSTATUS,
) {
    let name = name.iter().copied().take_while(|&unit| unit != 0);
    let place = Step::QueryParameter as u32;
    write(driver_object, &PARAMETER_REFUSED, place, status, name);
}

/// Wraps `IoAllocateErrorLogEntry` and `IoWriteErrorLogEntry`; IRQL <= `DISPATCH_LEVEL`. Where no
/// entry is to be had, nothing is logged: that is no failure of its own.
fn write(
    driver_object: &mut DRIVER_OBJECT,
    message: &Message,
    place: u32,
    status: NTSTATUS,
    name: impl Iterator<Item = u16> + Clone,
) {
    let name = name.take(NAME_LENGTH);
    let units = name.clone().count() + STATUS_LENGTH + 2;
    #[expect(
        clippy::cast_possible_truncation,
        reason = "at most ERROR_LOG_MAXIMUM_SIZE, by NAME_LENGTH"
    )]
    let size = (STRINGS_OFFSET + units * size_of::<u16>()) as u8;
    // SAFETY: the driver's own object, as DriverEntry was given it.
    let entry = unsafe { IoAllocateErrorLogEntry(ptr::from_mut(driver_object).cast(), size) };
    if entry.is_null() {
        return;
    }
    let packet = IO_ERROR_LOG_PACKET {
        NumberOfStrings: 2,
        #[expect(
            clippy::cast_possible_truncation,
            reason = "the size of a small structure"
        )]
        StringOffset: STRINGS_OFFSET as u16,
        ErrorCode: message.id.cast_signed(),
        UniqueErrorValue: place,
        FinalStatus: status,
        ..IO_ERROR_LOG_PACKET::default()
    };
    // SAFETY: the entry begins with the packet and is aligned for it.
    unsafe { entry.cast::<IO_ERROR_LOG_PACKET>().write(packet) };
    // SAFETY: the strings begin inside the entry, where the packet ends.
    let strings = unsafe { entry.byte_add(STRINGS_OFFSET) }.cast::<u16>();
    let text = name.chain([0]).chain(hexadecimal(status)).chain([0]);
    for (index, unit) in text.enumerate() {
        let place = strings.wrapping_add(index);
        // SAFETY: the text has `units` units, and the entry was allocated with room for them.
        unsafe { place.write(unit) };
    }
    // SAFETY: the entry is complete; it belongs to the I/O manager from here on.
    unsafe { IoWriteErrorLogEntry(entry) };
}

/// `0x` and the eight digits of a status, as documentation writes it.
fn hexadecimal(status: NTSTATUS) -> impl Iterator<Item = u16> {
    let digits = (0..8).rev().map(move |place| {
        let digit = status.cast_unsigned() >> (4 * place) & 0xF;
        char::from_digit(digit, 16).map_or('?', |digit| digit.to_ascii_uppercase())
    });
    ['0', 'x']
        .into_iter()
        .chain(digits)
        .map(|character| character as u16)
}
