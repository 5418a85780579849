//! Counted strings.
//!
//! Documents: the reference pages of the functions. Case conversion is that of Rust's `char`, which is close enough to
//! the kernel's table for file names.

use crate::lifecycle::pool;
use crate::machine::declare::functions;
use crate::machine::events::refuse;
use crate::machine::function::{Fails, Optional};
use crate::machine::guest;
use crate::vocabulary::irql::{ANY, APC, PASSIVE};
use crate::vocabulary::status::{self, Status};

functions! { pub STRINGS = "ntoskrnl.exe", "wdm.h";
    /// Initializes a counted string from a NUL-terminated string.
    [ANY, Fails::Quiet]
    fn RtlInitUnicodeString(string: u64, text: Optional) {
        let length = if text == 0 { 0 } else { guest::wide(text, 0x7FFE).len() };
        let maximum = if text == 0 { 0 } else { length * 2 + 2 };
        guest::set_unicode(string, length * 2, maximum, text);
    }
    /// Initializes a counted byte string from a NUL-terminated string.
    [ANY, Fails::Quiet]
    fn RtlInitAnsiString(string: u64, text: Optional) {
        let length = if text == 0 { 0 } else { guest::narrow(text, 0x7FFE).len() };
        let maximum = if text == 0 { 0 } else { length + 1 };
        guest::set_unicode(string, length, maximum, text);
    }
    /// Copies a counted string. A string that does not fit is truncated.
    [ANY, Fails::Never]
    fn RtlCopyUnicodeString(to: u64, from: Optional) {
        if from == 0 {
            guest::write(to, 0_u16);
            return;
        }
        let room = usize::from(guest::read::<u16>(to + 2) / 2);
        let units = guest::unicode_units(from);
        let units = &units[..units.len().min(room)];
        store(to, &units.iter().flat_map(|unit| unit.to_le_bytes()).collect::<Vec<u8>>());
    }
    /// Appends a counted string.
    [ANY, Fails::Never]
    fn RtlAppendUnicodeStringToString(to: u64, from: u64) -> Status {
        append(to, &guest::unicode_units(from))
    }
    /// Appends a NUL-terminated string.
    [ANY, Fails::Never]
    fn RtlAppendUnicodeToString(to: u64, text: Optional) -> Status {
        let units = if text == 0 { Vec::new() } else { guest::wide(text, 0x7FFE) };
        append(to, &units)
    }
    /// Compares two strings.
    [PASSIVE, Fails::Never]
    fn RtlCompareUnicodeString(one: u64, other: u64, ignore_case: u8) -> i32 {
        let (one, other) = (folded(one, ignore_case), folded(other, ignore_case));
        one.cmp(&other) as i32
    }
    /// Compares two strings for equality.
    [PASSIVE, Fails::Never]
    fn RtlEqualUnicodeString(one: u64, other: u64, ignore_case: u8) -> u8 {
        u8::from(folded(one, ignore_case) == folded(other, ignore_case))
    }
    /// Converts a character to upper case.
    [APC, Fails::Quiet]
    fn RtlUpcaseUnicodeChar(unit: u16) -> u16 { upper(unit) }
    /// Frees a string that the system allocated.
    [APC, Fails::Never]
    fn RtlFreeUnicodeString(string: u64) { free(string); }
    /// Frees a string that the system allocated.
    [APC, Fails::Never]
    fn RtlFreeAnsiString(string: u64) { free(string); }
    /// Converts UTF-16 to bytes.
    [PASSIVE, Fails::With(&[status::INSUFFICIENT_RESOURCES]), unless allocate == 0]
    fn RtlUnicodeStringToAnsiString(to: u64, from: u64, allocate: u8) -> Status {
        let text: Vec<u8> = guest::unicode(from).chars().map(|c| u8::try_from(c).unwrap_or(b'?')).collect();
        give(to, &text, 1, allocate)
    }
    /// Converts bytes to UTF-16.
    [PASSIVE, Fails::With(&[status::INSUFFICIENT_RESOURCES]), unless allocate == 0]
    fn RtlAnsiStringToUnicodeString(to: u64, from: u64, allocate: u8) -> Status {
        let text: Vec<u8> = guest::counted(from).iter().flat_map(|byte| u16::from(*byte).to_le_bytes()).collect();
        give(to, &text, 2, allocate)
    }
    /// Converts a string to a number.
    [PASSIVE, Fails::Never]
    fn RtlUnicodeStringToInteger(string: u64, base: u32, out: u64) -> Status {
        let Some(number) = integer(&guest::unicode(string), base) else {
            return refuse(status::INVALID_PARAMETER, format!("the base is {base}"));
        };
        guest::write(out, number);
        status::SUCCESS
    }
    /// Converts a number to a string.
    [PASSIVE, Fails::Never]
    fn RtlIntegerToUnicodeString(number: u32, base: u32, to: u64) -> Status {
        let text = match base {
            16 => format!("{number:X}"),
            8 => format!("{number:o}"),
            2 => format!("{number:b}"),
            0 | 10 => number.to_string(),
            _ => return refuse(status::INVALID_PARAMETER, format!("the base is {base}")),
        };
        let text: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        give(to, &text, 2, 0)
    }
    /// Converts a GUID to a string.
    [PASSIVE, Fails::With(&[status::INSUFFICIENT_RESOURCES])]
    fn RtlStringFromGUID(guid: u64, to: u64) -> Status {
        let tail: Vec<String> = guest::bytes(guid + 8, 8).iter().map(|byte| format!("{byte:02X}")).collect();
        let text = format!(
            "{{{:08X}-{:04X}-{:04X}-{}-{}}}",
            guest::read::<u32>(guid), guest::read::<u16>(guid + 4), guest::read::<u16>(guid + 6),
            tail[..2].concat(), tail[2..].concat(),
        );
        let text: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        give(to, &text, 2, 1)
    }
}

functions! { pub NTDDK_STRINGS = "ntoskrnl.exe", "ntddk.h";
    /// Returns whether a string is a prefix of another string.
    [PASSIVE, Fails::Never]
    fn RtlPrefixUnicodeString(prefix: u64, string: u64, ignore_case: u8) -> u8 {
        u8::from(folded(string, ignore_case).starts_with(&folded(prefix, ignore_case)))
    }
    /// Converts a string to upper case.
    [APC, Fails::With(&[status::INSUFFICIENT_RESOURCES]), unless allocate == 0]
    fn RtlUpcaseUnicodeString(to: u64, from: u64, allocate: u8) -> Status {
        let text: Vec<u8> = folded(from, 1).into_iter().flat_map(u16::to_le_bytes).collect();
        give(to, &text, 2, allocate)
    }
    /// Returns whether a name matches a pattern.
    [PASSIVE, Fails::Raises(&[status::NO_MEMORY]), unless ignore_case == 0]
    fn FsRtlIsNameInExpression(expression: u64, name: u64, ignore_case: u8, _table: u64) -> u8 {
        let (expression, name) = (guest::unicode_units(expression), folded(name, ignore_case));
        if ignore_case != 0 && expression.iter().any(|unit| upper(*unit) != *unit) {
            refuse((), "the expression is not in upper case, and IgnoreCase is TRUE");
        }
        if name.iter().any(|unit| [u16::from(b'*'), u16::from(b'?')].contains(unit)) {
            refuse((), "the name has a wildcard");
        }
        u8::from(matches(&expression, &name))
    }
    /// Returns whether a status is an expected exception code.
    [ANY, Fails::Quiet]
    fn FsRtlIsNtstatusExpected(status: u32) -> u8 {
        u8::from(!matches!(status, 0xC000_0005 | 0xC000_001D | 0x8000_0002 | 0xC000_00AA))
    }
}

fn upper(unit: u16) -> u16 {
    let mut upper = char::from_u32(u32::from(unit))
        .into_iter()
        .flat_map(char::to_uppercase);
    match (upper.next(), upper.next()) {
        (Some(one), None) => u16::try_from(u32::from(one)).unwrap_or(unit),
        _ => unit,
    }
}

fn folded(string: u64, ignore_case: u8) -> Vec<u16> {
    let units = guest::unicode_units(string);
    if ignore_case == 0 {
        return units;
    }
    units.into_iter().map(upper).collect()
}

fn append(to: u64, units: &[u16]) -> Status {
    let (length, room) = (guest::read::<u16>(to), guest::read::<u16>(to + 2));
    let more = units.len() * 2;
    if usize::from(length) + more > usize::from(room) {
        return status::BUFFER_OVERFLOW;
    }
    guest::through(to, "Buffer", || {
        guest::put_wide(guest::read::<u64>(to + 8) + u64::from(length), units);
    });
    guest::write(to, length + more as u16);
    status::SUCCESS
}

/// Stores a string. If `allocate` is set, the system allocates the buffer.
fn give(to: u64, text: &[u8], terminator: usize, allocate: u8) -> Status {
    if allocate != 0 {
        let room = text.len() + terminator;
        let buffer = pool::allocate(room as u64, u32::from_le_bytes(*b"Strg"), true, true);
        guest::set_unicode(to, 0, room, buffer);
    }
    if usize::from(guest::read::<u16>(to + 2)) < text.len() {
        return status::BUFFER_OVERFLOW;
    }
    store(to, text);
    status::SUCCESS
}

fn store(to: u64, text: &[u8]) {
    guest::through(to, "Buffer", || guest::put(guest::read(to + 8), text));
    guest::write(to, text.len() as u16);
}

fn free(string: u64) {
    let buffer = guest::read::<u64>(string + 8);
    if buffer != 0 {
        pool::free(buffer);
        guest::set_unicode(string, 0, 0, 0);
    }
}

/// Returns the number at the beginning of a text: after white space, an optional sign, and a prefix if the base is 0. A
/// text without a number is 0. Returns `None` for a base that does not exist.
fn integer(text: &str, base: u32) -> Option<u32> {
    let text = text.trim_start_matches(|c: char| c <= ' ');
    let (negative, text) = match text.strip_prefix(['-', '+']) {
        Some(rest) => (text.starts_with('-'), rest),
        None => (false, text),
    };
    let (base, digits) = match (base, text.get(..2)) {
        (0, Some("0x")) => (16, &text[2..]),
        (0, Some("0o")) => (8, &text[2..]),
        (0, Some("0b")) => (2, &text[2..]),
        (0, _) => (10, text),
        (2 | 8 | 10 | 16, _) => (base, text),
        _ => return None,
    };
    let digits = digits.chars().map_while(|c| c.to_digit(base));
    let number = digits.fold(0_u32, |number, digit| {
        number.wrapping_mul(base).wrapping_add(digit)
    });
    Some(if negative {
        number.wrapping_neg()
    } else {
        number
    })
}

/// Matches a pattern with the wildcards `*` and `?`.
fn matches(expression: &[u16], name: &[u16]) -> bool {
    match (expression.first(), name.first()) {
        (None, None) => true,
        (Some(unit), _) if *unit == u16::from(b'*') => {
            matches(&expression[1..], name) || !name.is_empty() && matches(expression, &name[1..])
        }
        (Some(unit), Some(other)) if unit == other || *unit == u16::from(b'?') => {
            matches(&expression[1..], &name[1..])
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::integer;

    #[test]
    fn a_number_has_a_sign_a_prefix_and_any_text_behind() {
        for (text, base, number) in [
            ("12", 0, Some(12)),
            (" 12 MB", 10, Some(12)),
            ("-1", 0, Some(u32::MAX)),
            ("0x1F", 0, Some(31)),
            ("0o17", 0, Some(15)),
            ("0b101", 0, Some(5)),
            ("0x1F", 16, Some(0)),
            ("text", 0, Some(0)),
            ("", 0, Some(0)),
            ("12", 7, None),
        ] {
            assert_eq!(integer(text, base), number, "{text:?} {base}");
        }
    }
}
