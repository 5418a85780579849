//! Functions that compilers call: memory and strings.
//!
//! `__chkstk` must preserve all registers. It is bound to a single `ret` and not declared here.

use crate::machine::declare::functions;
use crate::machine::enter::call_back;
use crate::machine::exception::{self, raise_status as raise};
use crate::machine::function::Fails;
use crate::machine::space::{Purpose, USER_PROBE_ADDRESS};
use crate::machine::system::system_block;
use crate::machine::{guest, memory};
use crate::vocabulary::irql::{ANY, APC, PASSIVE};
use crate::vocabulary::layout::{dispatcher_context, exception_record};
use crate::vocabulary::status::{self, Status};

functions! { pub RUNTIME = "ntoskrnl.exe", "wdm.h";
    /// Copies bytes.
    [ANY, Fails::Quiet]
    fn memcpy(to: u64, from: u64, length: u64) -> u64 { guest::copy(to, from, length as usize); to }
    /// Copies bytes. The ranges can overlap.
    [ANY, Fails::Quiet]
    fn memmove(to: u64, from: u64, length: u64) -> u64 { guest::copy(to, from, length as usize); to }
    /// Sets bytes.
    [ANY, Fails::Quiet]
    fn memset(to: u64, value: u32, length: u64) -> u64 { guest::fill(to, value as u8, length as usize); to }
    /// Compares bytes.
    [ANY, Fails::Quiet]
    fn memcmp(one: u64, other: u64, length: u64) -> i32 {
        guest::bytes(one, length as usize).cmp(&guest::bytes(other, length as usize)) as i32
    }
    /// Copies bytes.
    [ANY, Fails::Quiet]
    fn RtlCopyMemory(to: u64, from: u64, length: u64) { guest::copy(to, from, length as usize); }
    /// Copies bytes. The ranges can overlap.
    [ANY, Fails::Quiet]
    fn RtlMoveMemory(to: u64, from: u64, length: u64) { guest::copy(to, from, length as usize); }
    /// Sets bytes to zero.
    [ANY, Fails::Quiet]
    fn RtlZeroMemory(to: u64, length: u64) { guest::fill(to, 0, length as usize); }
    /// Sets bytes.
    [ANY, Fails::Quiet]
    fn RtlFillMemory(to: u64, length: u64, value: u32) { guest::fill(to, value as u8, length as usize); }
    /// Returns the number of equal bytes at the beginning of two ranges.
    [ANY, Fails::Quiet]
    fn RtlCompareMemory(one: u64, other: u64, length: u64) -> u64 {
        let (one, other) = (guest::bytes(one, length as usize), guest::bytes(other, length as usize));
        one.iter().zip(&other).take_while(|(one, other)| one == other).count() as u64
    }
    /// Returns the length of a string.
    [ANY, Fails::Quiet]
    fn wcslen(text: u64) -> u64 { guest::wide(text, usize::MAX).len() as u64 }
    /// Returns the length of a string.
    [ANY, Fails::Quiet]
    fn strlen(text: u64) -> u64 { guest::narrow(text, usize::MAX).len() as u64 }
    /// Compares two strings.
    [ANY, Fails::Quiet]
    fn wcscmp(one: u64, other: u64) -> i32 {
        guest::wide(one, usize::MAX).cmp(&guest::wide(other, usize::MAX)) as i32
    }
    /// Compares two strings.
    [ANY, Fails::Quiet]
    fn strcmp(one: u64, other: u64) -> i32 {
        guest::narrow(one, usize::MAX).cmp(&guest::narrow(other, usize::MAX)) as i32
    }
    /// Compares the beginnings of two strings without regard to case.
    [ANY, Fails::Quiet]
    fn _wcsnicmp(one: u64, other: u64, length: u64) -> i32 {
        let begin = |text| -> Vec<u16> { guest::wide(text, length as usize).into_iter().map(lower).collect() };
        begin(one).cmp(&begin(other)) as i32
    }
    /// Finds a character in a string.
    [ANY, Fails::Quiet]
    fn wcschr(text: u64, wanted: u16) -> u64 {
        let mut at = text;
        loop {
            match guest::read::<u16>(at) {
                unit if unit == wanted => return at,
                0 => return 0,
                _ => at += 2,
            }
        }
    }
    /// Handles exceptions in routines with `__try`.
    [ANY, Fails::Quiet]
    fn __C_specific_handler(record: u64, frame: u64, context: u64, dispatcher: u64) -> u32 {
        if guest::read::<u32>(record + exception_record::FLAGS) & exception::UNWINDING == 0 {
            handle(record, frame, context, dispatcher)
        } else {
            terminate(record, frame, dispatcher)
        }
    }
    /// Raises an exception with a status.
    [APC, Fails::Never]
    fn ExRaiseStatus(status: u32) { raise(Status(status), "ExRaiseStatus"); }
    /// Raises an access violation.
    [PASSIVE, Fails::Never]
    fn ExRaiseAccessViolation() { raise(status::ACCESS_VIOLATION, "ExRaiseAccessViolation"); }
    /// Raises a datatype misalignment.
    [PASSIVE, Fails::Never]
    fn ExRaiseDatatypeMisalignment() { raise(status::DATATYPE_MISALIGNMENT, "ExRaiseDatatypeMisalignment"); }
    /// Checks that a user buffer can be read.
    [APC, Fails::Quiet]
    fn ProbeForRead(address: u64, length: u64, alignment: u32) { probe(address, length, alignment); }
    /// Checks that a user buffer can be written.
    [APC, Fails::Quiet]
    fn ProbeForWrite(address: u64, length: u64, alignment: u32) {
        probe(address, length, alignment);
        // A buffer that becomes invalid is still valid here.
        if length != 0 && memory::purpose_at(address) != Some(Purpose::UserBuffer) {
            for page in (address & !0xFFF..address + length).step_by(0x1000) {
                let at = page.max(address);
                guest::write(at, guest::read::<u8>(at));
            }
        }
    }
}

/// Returns the entries of a `SCOPE_TABLE`: the begin and the end of the scope, its filter or termination handler, and
/// its jump target.
fn scopes(dispatcher: u64) -> impl Iterator<Item = (u32, [u64; 4])> {
    let base = guest::read::<u64>(dispatcher + dispatcher_context::IMAGE);
    let table = guest::read::<u64>(dispatcher + dispatcher_context::DATA);
    let first = guest::read::<u32>(dispatcher + dispatcher_context::SCOPE);
    let count = guest::read::<u32>(table);
    let place = guest::read::<u64>(dispatcher + dispatcher_context::PC);
    (first..count)
        .map(move |number| {
            let at = table + 4 + 16 * u64::from(number);
            (
                number,
                [0, 4, 8, 12].map(|part| u64::from(guest::read::<u32>(at + part))),
            )
        })
        .filter(move |(_, [begin, end, ..])| (base + begin..base + end).contains(&place))
}

/// Calls the filters of the scopes in which the exception occurred.
fn handle(record: u64, frame: u64, context: u64, dispatcher: u64) -> u32 {
    /// `EXCEPTION_EXECUTE_HANDLER` instead of the address of a filter.
    const EXECUTE_HANDLER: u64 = 1;
    let base = guest::read::<u64>(dispatcher + dispatcher_context::IMAGE);
    for (_, [_, _, filter, target]) in scopes(dispatcher) {
        if target == 0 {
            continue;
        }
        let answer = if filter == EXECUTE_HANDLER {
            1
        } else {
            let pointers = system_block(16, "the pointers of an exception");
            guest::write(pointers, record);
            guest::write(pointers + 8, context);
            call_back(base + filter, &[pointers, frame]) as i32
        };
        match answer {
            0 => {}
            ..0 => return exception::CONTINUE_EXECUTION,
            _ => {
                exception::set_target(base + target);
                return exception::UNWIND;
            }
        }
    }
    exception::CONTINUE_SEARCH
}

/// Calls the termination handlers (`__finally`) of the scopes that are left.
fn terminate(record: u64, frame: u64, dispatcher: u64) -> u32 {
    let base = guest::read::<u64>(dispatcher + dispatcher_context::IMAGE);
    let target = guest::read::<u64>(dispatcher + dispatcher_context::TARGET);
    let flags = guest::read::<u32>(record + exception_record::FLAGS);
    let is_target = flags & exception::TARGET_UNWIND != 0;
    for (number, [begin, end, handler, goes_on]) in scopes(dispatcher).collect::<Vec<_>>() {
        // The scope that handles the exception and the scopes that contain the target are not left.
        let stays = goes_on != 0 && base + goes_on == target
            || (base + begin..base + end).contains(&target);
        if is_target && stays {
            break;
        }
        if goes_on == 0 {
            guest::write(dispatcher + dispatcher_context::SCOPE, number + 1);
            let _ = call_back(base + handler, &[1, frame]);
        }
    }
    exception::CONTINUE_SEARCH
}

/// Raises an exception if a buffer is not in the user address range or not aligned.
fn probe(address: u64, length: u64, alignment: u32) {
    if length == 0 {
        return;
    }
    let alignment = u64::from(alignment.max(1));
    if !address.is_multiple_of(alignment) {
        raise(
            status::DATATYPE_MISALIGNMENT,
            "ProbeForRead or ProbeForWrite",
        );
    }
    if address
        .checked_add(length)
        .is_none_or(|end| end > USER_PROBE_ADDRESS)
    {
        raise(status::ACCESS_VIOLATION, "ProbeForRead or ProbeForWrite");
    }
}

/// Converts a character to lower case. In the C locale, only ASCII letters have a case.
fn lower(unit: u16) -> u16 {
    u8::try_from(unit).map_or(unit, |byte| u16::from(byte.to_ascii_lowercase()))
}
