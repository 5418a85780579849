//! Text as the kernel takes it: UTF-16, counted. The names in this driver are ASCII, and become
//! UTF-16 at compile time.

use wdk_sys::UNICODE_STRING;

/// The UTF-16 of an ASCII literal, with a NUL at its end.
macro_rules! utf16 {
    ($text:literal) => {
        $crate::unicode::terminated::<{ $text.len() + 1 }>($text)
    };
}
pub(crate) use utf16;

/// What [`utf16!`] expands to, in constants only.
pub const fn terminated<const LENGTH: usize>(text: &str) -> [u16; LENGTH] {
    assert!(text.is_ascii() && text.len() + 1 == LENGTH);
    let mut units = [0; LENGTH];
    let mut rest = text.as_bytes();
    let mut at = 0;
    while let [byte, after @ ..] = rest {
        units[at] = *byte as u16;
        rest = after;
        at += 1;
    }
    units
}

/// The counted string of what [`utf16!`] made, for calls that only read it. The NUL is there, for
/// whoever looks for one, and is not counted.
#[expect(
    clippy::cast_possible_truncation,
    reason = "names of the driver's own: a few bytes"
)]
pub const fn counted(text: &'static [u16]) -> UNICODE_STRING {
    let size = size_of_val(text) as u16;
    UNICODE_STRING {
        Length: size.saturating_sub(size_of::<u16>() as u16),
        MaximumLength: size,
        Buffer: text.as_ptr().cast_mut(),
    }
}
