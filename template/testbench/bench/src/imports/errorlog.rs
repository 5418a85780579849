//! The event log.
//!
//! Documents: "Writing to the System Event Log", "Logging Errors", "`IoAllocateErrorLogEntry` function (wdm.h)",
//! "`IO_ERROR_LOG_PACKET` structure (wdm.h)".

use crate::machine::declare::functions;
use crate::machine::enter::in_teardown;
use crate::machine::events::{emit, misuse, must};
use crate::machine::function::Fails;
use crate::machine::ledger::{acquire, bad_handle, held_once, holds, must_release, release};
use crate::machine::space::Purpose;
use crate::machine::state::with;
use crate::machine::system::object_block;
use crate::machine::{guest, memory};
use crate::trace::{Event, Kind, LogEntry, Misuse};
use crate::vocabulary::irql::DISPATCH;
use crate::vocabulary::status::Status;

/// `ERROR_LOG_MAXIMUM_SIZE` on x64.
const MAXIMUM: u8 = 240;

/// `sizeof(IO_ERROR_LOG_PACKET)` without the dump data.
const HEADER: usize = 40;

functions! { pub ERROR_LOG = "ntoskrnl.exe", "wdm.h";
    /// Allocates an event log entry. Returns NULL if the size is invalid or no memory is available.
    [DISPATCH, Fails::Null]
    fn IoAllocateErrorLogEntry(object: u64, size: u8) -> u64 {
        let driver = with(|state| state.filter.driver);
        if object != driver && !holds(Kind::Device, object) {
            bad_handle("driver object or device object", object);
        }
        if usize::from(size) < HEADER || size > MAXIMUM {
            emit(&Event::ErrorLog { entry: LogEntry {
                problems: vec![format!("EntrySize is {size}; it must be from {HEADER} to {MAXIMUM} (ERROR_LOG_MAXIMUM_SIZE)")],
                ..LogEntry::default()
            } });
            return 0;
        }
        let entry = object_block(usize::from(size), Purpose::ErrorLogEntry, "the error log entry");
        // No document says that the dump data and the strings are zeroes.
        guest::fill(entry + HEADER as u64, 0xEF, usize::from(size) - HEADER);
        acquire(Kind::ErrorLogEntry, entry, "IoAllocateErrorLogEntry");
        entry
    }
    /// Writes the entry and frees it.
    [DISPATCH, Fails::Never]
    fn IoWriteErrorLogEntry(entry: u64) {
        let size = match memory::block_at(entry) {
            Some(block) if !block.freed && block.purpose == Purpose::ErrorLogEntry => block.size,
            Some(_) if held_once(Kind::ErrorLogEntry, entry).is_some() => {
                misuse(Misuse::ReleasedTwice { what: "an error log entry".to_owned() })
            }
            _ => bad_handle("error log entry", entry),
        };
        emit(&Event::ErrorLog { entry: decode(entry, size) });
        if memory::overrun(entry).is_some() {
            misuse(Misuse::PoolOverrun { what: "the error log entry".to_owned(), side: "after its end".to_owned() });
        }
        let _ = release(Kind::ErrorLogEntry, entry);
        must(memory::free(entry, in_teardown()));
    }
    /// Frees an entry that was not written.
    [DISPATCH, Fails::Never]
    fn IoFreeErrorLogEntry(entry: u64) {
        must_release(Kind::ErrorLogEntry, entry);
        must(memory::free(entry, in_teardown()));
    }
}

/// Decodes a packet and lists its errors.
fn decode(entry: u64, size: usize) -> LogEntry {
    let short = |at: u64| usize::from(guest::read::<u16>(entry + at));
    let (dump, count, offset) = (short(2), short(4), short(6));
    let code = guest::read::<u32>(entry + 12);
    let mut problems = Vec::new();
    if !dump.is_multiple_of(4) {
        problems.push(format!(
            "DumpDataSize is {dump}; it must be a multiple of 4"
        ));
    }
    if HEADER + dump > size {
        problems.push(format!(
            "DumpDataSize is {dump}; the entry of {size} bytes has no room for it"
        ));
    }
    let mut strings = Vec::new();
    if count > 0 {
        if offset < HEADER + dump || offset > size || !offset.is_multiple_of(2) {
            problems.push(format!(
                "StringOffset is {offset}; the strings begin at an even offset after the header and the dump data, here from {} to {size}",
                HEADER + dump
            ));
        } else {
            let mut at = offset;
            for number in 1..=count {
                if let Some(units) = string(entry, at, size) {
                    at += (units.len() + 1) * 2;
                    strings.push(String::from_utf16_lossy(&units));
                } else {
                    problems.push(format!(
                        "string {number} of {count} has no NUL inside the entry of {size} bytes"
                    ));
                    break;
                }
            }
        }
    }
    let template = memory::message(code);
    let sentence = template.map(|template| render(&template, &strings));
    if let Some(missing) = sentence
        .as_ref()
        .and_then(|sentence| missing_string(sentence))
    {
        problems.push(format!(
            "the message has %{missing}, and the entry has {} strings, from %2 on",
            strings.len()
        ));
    }
    LogEntry {
        code,
        status: Status(guest::read(entry + 20)),
        unique: guest::read(entry + 16),
        strings,
        sentence,
        problems,
    }
}

fn string(entry: u64, at: usize, size: usize) -> Option<Vec<u16>> {
    let mut units = Vec::new();
    for at in (at..size.saturating_sub(1)).step_by(2) {
        match guest::read::<u16>(entry + at as u64) {
            0 => return Some(units),
            unit => units.push(unit),
        }
    }
    None
}

/// Returns the number of the first string that a message has a place for and the entry does not have.
fn missing_string(sentence: &str) -> Option<u32> {
    let mut rest = sentence.split('%').skip(1);
    rest.find_map(|rest| rest.chars().next()?.to_digit(10))
}

/// Inserts the strings into a message: `%1` is the device or driver, the strings of the packet follow.
fn render(template: &str, strings: &[String]) -> String {
    let own = with(|state| format!("\\FileSystem\\{}", state.service));
    let mut sentence = String::new();
    let mut rest = template.chars().peekable();
    while let Some(next) = rest.next() {
        if next != '%' {
            sentence.push(next);
            continue;
        }
        match rest.next() {
            Some('0') | None => break,
            Some('n' | 'r' | 'b') => sentence.push(' '),
            Some(digit) if digit.is_ascii_digit() => {
                let mut number = digit.to_digit(10).unwrap_or_default() as usize;
                if let Some(second) = rest.peek().and_then(|next| next.to_digit(10)) {
                    number = number * 10 + second as usize;
                    rest.next();
                }
                // A format such as !s! is skipped.
                if rest.peek() == Some(&'!') {
                    rest.next();
                    for skipped in rest.by_ref() {
                        if skipped == '!' {
                            break;
                        }
                    }
                }
                match number {
                    1 => sentence.push_str(&own),
                    number => match strings.get(number.wrapping_sub(2)) {
                        Some(text) => sentence.push_str(text),
                        None => sentence.extend(["%", &number.to_string()]),
                    },
                }
            }
            Some(other) => sentence.push(other),
        }
    }
    sentence.trim().to_owned()
}
