//! Debugger output, bug checks and assertions.
//!
//! Documents: "Sending Output to the Debugger", "Bug Check Code Reference".

use crate::imports::text::{formatted, list};
use crate::machine::declare::functions;
use crate::machine::events::{emit, end, here};
use crate::machine::function::Fails;
use crate::machine::state::is_test;
use crate::machine::{guest, memory, threads};
use crate::trace::{Ending, Event, Routine, Trap};
use crate::vocabulary::irql::ANY;
use crate::vocabulary::status::{self, Status};

functions! { pub DEBUG = "ntoskrnl.exe", "wdm.h";
    /// Writes a message to the debugger.
    [ANY, Fails::Never]
    fn DbgPrint(
        format: u64, a: u64, b: u64, c: u64, d: u64, e: u64, f: u64, g: u64, h: u64, i: u64, j: u64,
    ) -> Status {
        print("", format, [a, b, c, d, e, f, g, h, i, j].into_iter())
    }
    /// Writes a message to the debugger, with component and level.
    [ANY, Fails::Never]
    fn DbgPrintEx(
        _component: u32, _level: u32, format: u64,
        a: u64, b: u64, c: u64, d: u64, e: u64, f: u64, g: u64, h: u64, i: u64, j: u64,
    ) -> Status {
        print("", format, [a, b, c, d, e, f, g, h, i, j].into_iter())
    }
    /// Writes a message to the debugger.
    [ANY, Fails::Never]
    fn vDbgPrintEx(_component: u32, _level: u32, format: u64, arguments: u64) -> Status {
        print("", format, list(arguments))
    }
    /// Writes a message to the debugger, with a prefix.
    [ANY, Fails::Never]
    fn vDbgPrintExWithPrefix(prefix: u64, _component: u32, _level: u32, format: u64, arguments: u64) -> Status {
        print(&guest::narrow(prefix, 512), format, list(arguments))
    }
    /// Stops the system with a bug check.
    [ANY, Fails::Never]
    fn KeBugCheckEx(code: u32, first: u64, second: u64, third: u64, fourth: u64) {
        bugcheck(code, [first, second, third, fourth]);
    }
    /// Stops the system with a bug check.
    [ANY, Fails::Never]
    fn KeBugCheck(code: u32) {
        bugcheck(code, [0; 4]);
    }
    /// Reports a failed assertion.
    [ANY, Fails::Never]
    fn RtlAssert(text: u64, file: u64, line: u32, _message: u64) {
        let (text, file) = (guest::narrow(text, 200), guest::narrow(file, 200));
        let what = format!("the assertion {text} does not hold ({file}, line {line})");
        stop(Trap::Assertion { what });
    }
    /// Breaks into the debugger. Without a debugger, Windows stops.
    [ANY, Fails::Never]
    fn DbgBreakPoint() { stop(Trap::Breakpoint { what: "calls DbgBreakPoint".to_owned() }); }
    /// Breaks into the debugger and passes a status.
    [ANY, Fails::Never]
    fn DbgBreakPointWithStatus(_status: u32) {
        stop(Trap::Breakpoint { what: "calls DbgBreakPointWithStatus".to_owned() });
    }
}

/// Records the message of a driver that is tested or is being loaded. Otherwise, it is discarded after the format string
/// was read, as the kernel does.
fn print(prefix: &str, format: u64, arguments: impl Iterator<Item = u64>) -> Status {
    let format = guest::narrow(format, 512);
    if is_test() || threads::any_is_in(|routine| *routine == Routine::DriverEntry) {
        let text = formatted(&format, false, arguments);
        emit(&Event::Trace {
            text: format!("{prefix}{}", text.trim_end()),
        });
    }
    status::SUCCESS
}

fn stop(trap: Trap) -> ! {
    end(Ending::Trap {
        at: here(),
        trap,
        argument: None,
        guarded: false,
    })
}

fn bugcheck(code: u32, parameters: [u64; 4]) -> ! {
    let meaning = match code {
        // wdk-panic passes the file name, its length, the line and the column.
        PANIC if memory::is_known(parameters[0], parameters[1] as usize) && parameters[1] < 512 => {
            let file = guest::bytes(parameters[0], parameters[1] as usize);
            let file = String::from_utf8_lossy(&file).into_owned();
            format!("a Rust panic in {file}, line {}", parameters[2])
        }
        PANIC => "a Rust panic".to_owned(),
        0xE2 => "MANUALLY_INITIATED_CRASH".to_owned(),
        0xF5 => "FLTMGR_FILE_SYSTEM".to_owned(),
        _ => String::new(),
    };
    end(Ending::Bugcheck {
        at: here(),
        code,
        parameters,
        meaning,
    })
}

/// The bug check code of the wdk-panic crate.
const PANIC: u32 = u32::from_be_bytes(*b"RPNC");
