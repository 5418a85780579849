//! Output for a kernel debugger.
//!
//! `trace!(Info, "opened ", name: text, " with status ", status: hex)` prints a line in a build of
//! the profile `dev`. In `release`, [`ENABLED`] is false and the macro compiles to nothing.
//!
//! Each argument has one of these kinds:
//!
//! | kind | argument | IRQL |
//! |---|---|---|
//! | `u32`, `i32`, `u64`, `i64` | a number, printed as decimal | <= `DIRQL` |
//! | `hex` | an `NTSTATUS`, printed as `0x%08X` | <= `DIRQL` |
//! | `text` | a `Text` | `PASSIVE_LEVEL` |
//! | `name` | a reference to a `FileName` | `PASSIVE_LEVEL` |
//!
//! To see more than errors, set the `DWORD` value `IHVDRIVER` to 0xF in the key `HKLM\SYSTEM\
//! CurrentControlSet\Control\Session Manager\Debug Print Filter`, and restart ("Reading and Filtering
//! Debugging Messages").

/// Whether [`trace!`] prints.
pub const ENABLED: bool = cfg!(debug_assertions);

/// `DPFLTR_IHVDRIVER_ID`, the component of drivers that are not part of Windows.
pub const COMPONENT: u32 = 77;

/// A level of `DbgPrintEx`. The filter mask of the component decides which levels are shown; errors
/// always are.
#[derive(Clone, Copy)]
pub enum Level {
    /// `DPFLTR_ERROR_LEVEL`.
    Error = 0,
    /// `DPFLTR_WARNING_LEVEL`.
    Warning = 1,
    /// `DPFLTR_TRACE_LEVEL`.
    Trace = 2,
    /// `DPFLTR_INFO_LEVEL`.
    Info = 3,
}

/// Prints a line in every profile. Wraps `DbgPrintEx`.
macro_rules! debug_print {
    ($level:ident $(, $part:tt $(: $kind:ident)?)+) => {
        $($crate::flt::trace::check!($part $(: $kind)?);)+
        // SAFETY: the format has a conversion for each argument, of its kind, and ends in a NUL.
        let _printed = unsafe {
            wdk_sys::ntddk::DbgPrintEx(
                $crate::flt::trace::COMPONENT,
                $crate::flt::trace::Level::$level as u32,
                concat!(
                    env!("CARGO_CRATE_NAME"),
                    ": ",
                    $($crate::flt::trace::conversion!($part $(: $kind)?),)+
                    "\n\0"
                )
                .as_ptr()
                .cast(),
                $($($crate::flt::trace::argument!($part, $kind),)?)+
            )
        };
    };
}
pub(crate) use debug_print;

/// Prints a line, if [`ENABLED`] is true. An argument that is more than a name is in parentheses.
macro_rules! trace {
    ($($tokens:tt)+) => {
        if $crate::flt::trace::ENABLED {
            $crate::flt::trace::debug_print!($($tokens)+);
        }
    };
}
pub(crate) use trace;

/// The conversion of an argument, or a literal itself.
macro_rules! conversion {
    ($text:literal) => {
        $text
    };
    ($argument:tt: u32) => {
        "%u"
    };
    ($argument:tt: i32) => {
        "%d"
    };
    ($argument:tt: u64) => {
        "%llu"
    };
    ($argument:tt: i64) => {
        "%lld"
    };
    ($argument:tt: hex) => {
        "0x%08X"
    };
    ($argument:tt: text) => {
        "%wZ"
    };
    ($argument:tt: name) => {
        "%wZ"
    };
}
pub(crate) use conversion;

/// What is passed for an argument.
macro_rules! argument {
    ($argument:tt, u32) => {
        u32::from($argument)
    };
    ($argument:tt, i32) => {
        i32::from($argument)
    };
    ($argument:tt, u64) => {
        u64::from($argument)
    };
    ($argument:tt, i64) => {
        i64::from($argument)
    };
    ($argument:tt, hex) => {
        $argument.cast_unsigned()
    };
    ($argument:tt, text) => {
        core::ptr::from_ref(&$crate::flt::unicode::Text::counted($argument))
    };
    ($argument:tt, name) => {
        $crate::flt::name::FileName::counted($argument)
    };
}
pub(crate) use argument;

/// Refuses a literal that `DbgPrintEx` takes for a conversion.
macro_rules! check {
    ($text:literal) => {
        const {
            assert!(
                $crate::flt::trace::has_no_conversion($text),
                "write no % here"
            )
        }
    };
    ($argument:tt: $kind:ident) => {};
}
pub(crate) use check;

/// Returns whether a text has no `%` and no NUL.
pub const fn has_no_conversion(text: &str) -> bool {
    let mut rest = text.as_bytes();
    while let [byte, after @ ..] = rest {
        if *byte == b'%' || *byte == 0 {
            return false;
        }
        rest = after;
    }
    true
}
