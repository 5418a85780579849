//! What compilers call: memory and strings.
//!
//! `__chkstk` keeps every register and is bound to a bare `ret`; it is not here.

use crate::machine::declare::functions;
use crate::machine::events::{end, here};
use crate::machine::function::Fails;
use crate::machine::guest;
use crate::trace::Ending;
use crate::vocabulary::irql::ANY;

functions! { pub RUNTIME = "ntoskrnl.exe", "wdm.h";
    /// Copies.
    [ANY, Fails::Quiet]
    fn memcpy(to: u64, from: u64, length: u64) -> u64 { guest::copy(to, from, length as usize); to }
    /// Copies.
    [ANY, Fails::Quiet]
    fn memmove(to: u64, from: u64, length: u64) -> u64 { guest::copy(to, from, length as usize); to }
    /// Sets.
    [ANY, Fails::Quiet]
    fn memset(to: u64, value: u32, length: u64) -> u64 { guest::fill(to, value as u8, length as usize); to }
    /// Compares.
    [ANY, Fails::Quiet]
    fn memcmp(one: u64, other: u64, length: u64) -> i32 {
        guest::bytes(one, length as usize).cmp(&guest::bytes(other, length as usize)) as i32
    }
    /// Copies.
    [ANY, Fails::Quiet]
    fn RtlCopyMemory(to: u64, from: u64, length: u64) { guest::copy(to, from, length as usize); }
    /// Copies.
    [ANY, Fails::Quiet]
    fn RtlMoveMemory(to: u64, from: u64, length: u64) { guest::copy(to, from, length as usize); }
    /// Clears.
    [ANY, Fails::Quiet]
    fn RtlZeroMemory(to: u64, length: u64) { guest::fill(to, 0, length as usize); }
    /// Sets.
    [ANY, Fails::Quiet]
    fn RtlFillMemory(to: u64, length: u64, value: u32) { guest::fill(to, value as u8, length as usize); }
    /// The length of what is equal.
    [ANY, Fails::Quiet]
    fn RtlCompareMemory(one: u64, other: u64, length: u64) -> u64 {
        let (one, other) = (guest::bytes(one, length as usize), guest::bytes(other, length as usize));
        one.iter().zip(&other).take_while(|(one, other)| one == other).count() as u64
    }
    /// The length of a string.
    [ANY, Fails::Quiet]
    fn wcslen(text: u64) -> u64 { guest::wide(text, usize::MAX).len() as u64 }
    /// The length of a string.
    [ANY, Fails::Quiet]
    fn strlen(text: u64) -> u64 { guest::narrow(text, usize::MAX).len() as u64 }
    /// Compares strings.
    [ANY, Fails::Quiet]
    fn wcscmp(one: u64, other: u64) -> i32 {
        guest::wide(one, usize::MAX).cmp(&guest::wide(other, usize::MAX)) as i32
    }
    /// Compares strings.
    [ANY, Fails::Quiet]
    fn strcmp(one: u64, other: u64) -> i32 {
        guest::narrow(one, usize::MAX).cmp(&guest::narrow(other, usize::MAX)) as i32
    }
    /// Compares the beginnings of strings, whatever their case.
    [ANY, Fails::Quiet]
    fn _wcsnicmp(one: u64, other: u64, length: u64) -> i32 {
        let begin = |text| -> Vec<u16> { guest::wide(text, length as usize).into_iter().map(lower).collect() };
        begin(one).cmp(&begin(other)) as i32
    }
    /// Finds a character.
    [ANY, Fails::Quiet]
    fn wcschr(text: u64, wanted: u32) -> u64 {
        let mut at = text;
        loop {
            match guest::read::<u16>(at) {
                unit if unit == wanted as u16 => return at,
                0 => return 0,
                _ => at += 2,
            }
        }
    }
    /// Structured exception handling, which the model has not.
    [ANY, Fails::Quiet]
    fn __C_specific_handler(_record: u64, _frame: u64, _context: u64, _dispatcher: u64) -> i32 {
        end(Ending::Unmodelled { at: here(), import: "ntoskrnl.exe!__C_specific_handler".to_owned() })
    }
    /// Raises an exception, which the model has not.
    [ANY, Fails::Quiet]
    fn ExRaiseStatus(status: u32) {
        end(Ending::Bugcheck {
            at: here(),
            code: 0x1E,
            parameters: [u64::from(status), 0, 0, 0],
            meaning: "ExRaiseStatus; structured exceptions are not modelled".to_owned(),
        });
    }
}

/// The C locale has the letters of ASCII only.
fn lower(unit: u16) -> u16 {
    u8::try_from(unit).map_or(unit, |byte| u16::from(byte.to_ascii_lowercase()))
}
